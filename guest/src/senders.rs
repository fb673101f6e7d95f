//! Who sends a message: looks the sender up among the patterns that are senders, whole and by its
//! beginning. Not for the text.

use crate::Evidence;
use crate::fold::{self, decode};
use crate::pack::{END_OPEN, Pack};
use crate::wire::SENDER_BYTES_MAX;

/// Longest sender once folded, in bytes: a letter of two bytes may fold to one of three.
const FOLDED_BYTES_MAX: usize = 2 * SENDER_BYTES_MAX;

/// A character as senders are compared: case and width folded, and nothing else.
pub(crate) fn fold(code: u32) -> u32 {
    match fold::letter(code) {
        (letter, Evidence(0)) => letter,
        _ => code,
    }
}

/// Calls `found` with every pattern that is the sender or its beginning. Costs one search by halves for each
/// character of the sender.
pub(crate) fn find(pack: &Pack<'_>, sender: &[u8], mut found: impl FnMut(u32)) {
    let sender = &sender[..sender.len().min(SENDER_BYTES_MAX)];
    let mut folded = [0; FOLDED_BYTES_MAX];
    let (mut at, mut end) = (0, 0);
    while at < sender.len() {
        let (code, length) = decode(&sender[at..]);
        at += length;
        let char = char::from_u32(fold(code)).unwrap_or(char::REPLACEMENT_CHARACTER);
        let Some(into) = folded.get_mut(end..end + char.len_utf8()) else { return };
        end += char.encode_utf8(into).len();
        let spelling = |&number: &u32| pack.spelling(&pack.patterns[number as usize]);
        let first = pack.senders.partition_point(|number| spelling(number) < &folded[..end]);
        let same = pack.senders[first..].iter().take_while(|number| spelling(number) == &folded[..end]);
        for &number in same {
            if at == sender.len() || pack.patterns[number as usize].flags & END_OPEN != 0 {
                found(number);
            }
        }
    }
}
