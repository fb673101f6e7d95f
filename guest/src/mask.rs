//! Masking: a message with what was matched replaced. Not for deciding what to mask; that is the
//! [policy](crate::Policy)'s.
//!
//! Whole grapheme clusters go, so that no half of an emoji and no accent without its letter is left. Each
//! becomes one `*`, which every SMS alphabet has and which is never longer than what it replaces: a
//! text in the GSM alphabet stays in it, and the message takes no more segments than before.

use alloc::string::String;
use alloc::vec::Vec;

use unicode_segmentation::UnicodeSegmentation as _;

use crate::{Action, Message, Pack, Policy, Span, Verdict, VerdictFlags};

/// What stands for a grapheme cluster that was masked.
pub const MASK: char = '*';

/// The text with every grapheme cluster that one of `spans` touches replaced by [`MASK`]. Bytes that are
/// not UTF-8 are one cluster a broken sequence.
///
/// `spans` are bytes of `text`, in any order; parts beyond its end are ignored. What no span touches stays
/// as it is, byte for byte. Costs one allocation, some 20 ns a character, and a sort of the spans.
///
/// ```
/// use tamis_guest::{Span, mask};
///
/// let masked = mask("so a fre\u{301}e gift".as_bytes(), &[Span { start: 5, end: 11 }]);
/// assert_eq!(masked, b"so a **** gift");
/// ```
#[must_use]
pub fn mask(text: &[u8], spans: &[Span]) -> Vec<u8> {
    let mut spans: Vec<Span> = spans.iter().copied().filter(|span| span.start < span.end).collect();
    spans.sort_unstable();
    let mut spans = spans.into_iter().peekable();
    let mut is_masked = |start: usize, end: usize| {
        // Spans come by start, clusters by place: a span that ends before this cluster is done with. A
        // longer one may hide behind a shorter one, so all that are done with go, not only the first.
        while spans.next_if(|span| span.end as usize <= start).is_some() {}
        spans.peek().is_some_and(|span| (span.start as usize) < end)
    };

    let mut masked = Vec::with_capacity(text.len());
    let mut at = 0;
    for chunk in text.utf8_chunks() {
        for cluster in chunk.valid().graphemes(true).map(str::as_bytes).chain([chunk.invalid()]) {
            if !cluster.is_empty() && is_masked(at, at + cluster.len()) {
                masked.push(MASK as u8);
            } else {
                masked.extend_from_slice(cluster);
            }
            at += cluster.len();
        }
    }
    masked
}

/// [`mask`] for a text that is known to be UTF-8.
#[must_use]
pub fn mask_str(text: &str, spans: &[Span]) -> String {
    let masked = mask(text.as_bytes(), spans);
    String::from_utf8(masked).unwrap_or_else(|masked| String::from_utf8_lossy(masked.as_bytes()).into_owned())
}

/// The message as it may be shown: matches for which the policy says `mask`, or something stricter, masked.
/// `None` where `verdict` does not tell all of them, because the message was cut or has too many.
///
/// # Panics
/// If the verdict is on another message or by another pack.
#[must_use]
pub fn mask_message(policy: &Policy, pack: &Pack<'_>, message: &Message<'_>, verdict: &Verdict) -> Option<Vec<u8>> {
    if verdict.flags.contains(VerdictFlags::MATCHES_CAPPED) || verdict.flags.contains(VerdictFlags::TRUNCATED) {
        return None;
    }
    let spans: Vec<Span> = verdict
        .matches
        .iter()
        .filter(|found| {
            let term = pack.term(found.term);
            policy.action_for(message.channel, message.field, term.category, term.severity) >= Action::Mask
        })
        .map(|found| found.span)
        .collect();
    Some(mask(message.text, &spans))
}
