//! What the fuzz targets share: how the bytes of an input are read, and one scan with everything that must
//! hold of its verdict. Not for making inputs; the fuzzer does that, from what `seeds.rs` writes.

use tamis_guest::compile::Variants;
use tamis_guest::{Action, Evidence, Message, Pack, PackBytes, Policy, Scanner, Verdict, VerdictFlags};
use xxhash_rust::xxh3::Xxh3;

/// Parts a list or terms from the message in an input: no text in UTF-8 has it.
pub const PART: u8 = 0xFF;

/// The variants that the first byte of an input asks for.
#[must_use]
pub fn variants(selector: u8) -> Variants {
    Variants::ALL[usize::from(selector) % Variants::ALL.len()]
}

/// The text before the first [`PART`], whatever it is made of, and the bytes behind it.
#[must_use]
pub fn text_and_rest(bytes: &[u8]) -> (String, &[u8]) {
    let end = bytes.iter().position(|&byte| byte == PART).unwrap_or(bytes.len());
    (String::from_utf8_lossy(&bytes[..end]).into_owned(), bytes.get(end + 1..).unwrap_or_default())
}

/// A pack that the compiler wrote.
///
/// # Panics
/// If it is none.
#[must_use]
pub fn good_pack(bytes: &PackBytes) -> Pack<'_> {
    Pack::decode(bytes).unwrap_or_else(|error| panic!("the compiler wrote a pack that is none: {error}"))
}

/// Scans a text, and again with the scratch memory warm, and checks what must hold of every verdict.
///
/// # Panics
/// If any of it does not.
pub fn scan(pack: &Pack<'_>, text: &[u8]) {
    let policy = Policy::blocking(pack);
    let mut scanner = Scanner::new(pack);
    let (mut verdict, mut again) = (Verdict::default(), Verdict::default());
    let message = Message { text, ..Message::default() };
    scanner.scan(&policy, &message, &mut verdict);
    scanner.scan(&policy, &message, &mut again);
    assert_eq!(verdict, again, "a warm scanner judges otherwise");
    assert_eq!(verdict.action == Action::Block, !verdict.matches.is_empty(), "every match blocks, and nothing else");
    assert!(verdict.matches.is_sorted(), "matches come by place: {verdict:?}");
    let utf8 = str::from_utf8(text);
    assert_eq!(verdict.flags.contains(VerdictFlags::INVALID_UTF8), utf8.is_err(), "{verdict:?}");
    for found in &verdict.matches {
        let (start, end) = (found.span.start as usize, found.span.end as usize);
        assert!(start < end && end <= text.len(), "{found:?}");
        assert!(utf8.is_err() || utf8.is_ok_and(|text| text.get(start..end).is_some()), "{found:?} splits a character");
        assert!(Evidence::ALL.contains(found.evidence), "{found:?}");
        let term = pack.term(found.term);
        let _ = (pack.category(term.category).clauses().count(), term.list, term.text);
    }
}

/// Writes the checksum of a pack anew: XXH3-64 of all bytes but its own, at 24.
pub fn reseal(bytes: &mut [u8]) {
    let (Some(before), Some(after)) = (bytes.get(..24), bytes.get(32..)) else { return };
    let mut hash = Xxh3::new();
    hash.update(before);
    hash.update(after);
    let checksum = hash.digest().to_le_bytes();
    bytes[24..32].copy_from_slice(&checksum);
}
