//! Batches and verdicts as they cross the sandbox border: one file for both sides. Not for JSON, which
//! is for people and tools.
//!
//! All numbers are little-endian.
//!
//! **Batch** (host to guest): for each message 8 bytes, `u32` length of the text, `u16` length of the
//! sender, `u8` field, `u8` channel; then text and sender of each message, one after the other.
//!
//! **Verdicts** (guest to host): `u32` how many messages are done, the progress cursor; `u32` how many
//! bytes of verdicts follow. A verdict is `u8` action, `u8` flags, `u16` number of matches, `u16` confidence in
//! advertising, `u16` in fraud, both in per mille and together no more than 1000, and 16 bytes a match: `u32`
//! start, `u32` end, `u32` term, `u16` evidence, `u16` 1 if it is in the shadow. Those come last.

use alloc::vec::Vec;

use crate::scan::MATCHES_MAX;
use crate::spam::Confidence;
use crate::{Action, ChannelId, Evidence, Field, Match, Message, Span, TermId, Verdict, VerdictFlags};

/// Version of the boundary: both sides must have the same.
pub const ABI_VERSION: u32 = 2;
/// Name of the custom section of a filter module that holds [`ABI_VERSION`] as a `u32`. In a section,
/// so that it is checked before the module is compiled, let alone run.
pub const ABI_SECTION: &str = "tamis_abi";
/// Name of the custom section in which a filter module of others describes itself: its name, and a line for each
/// reason that it may give. The term of a match is then the number of a reason.
pub const SIDE_SECTION: &str = "tamis_side";
/// Most reasons of such a module.
pub const REASONS_MAX: usize = 64;
/// Longest name, and longest reason, in bytes.
pub const REASON_BYTES_MAX: usize = 100;
/// Most messages in a batch.
pub const BATCH_MESSAGES_MAX: usize = 64;
/// Longest text that is scanned, in bytes; of a longer one, this much.
pub const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// Longest sender, in bytes; a longer one is cut.
pub const SENDER_BYTES_MAX: usize = 256;
/// Size of the area for batches.
pub const IN_BYTES: usize = MESSAGE_BYTES_MAX + (64 << 10);
/// Size of the area for verdicts: room for the largest answer to a batch.
pub const OUT_BYTES: usize = OUT_HEADER + BATCH_MESSAGES_MAX * (VERDICT_BYTES + MATCHES_MAX * MATCH_BYTES);
/// Bytes before the first verdict.
pub const OUT_HEADER: usize = 8;

const DESCRIPTOR_BYTES: usize = 8;
const VERDICT_BYTES: usize = 8;
const MATCH_BYTES: usize = 16;

/// How many of the messages, from the first on, fit into one batch. At least one, if there is one.
#[must_use]
pub fn batch_len(messages: &[Message<'_>]) -> usize {
    let mut room = IN_BYTES;
    let fits = |message: &&Message<'_>| {
        let needs = DESCRIPTOR_BYTES + text(message).len() + sender(message).len();
        let fits = needs <= room;
        room = room.saturating_sub(needs);
        fits
    };
    messages.iter().take(BATCH_MESSAGES_MAX).take_while(fits).count()
}

/// Writes a batch to the start of `area` and returns its length; `None` if it does not fit.
pub fn write_batch(messages: &[Message<'_>], area: &mut [u8]) -> Option<usize> {
    let mut at = messages.len().checked_mul(DESCRIPTOR_BYTES).filter(|&end| end <= area.len())?;
    for (number, message) in messages.iter().enumerate() {
        let (text, sender) = (text(message), sender(message));
        let descriptor = area.get_mut(number * DESCRIPTOR_BYTES..)?.first_chunk_mut::<DESCRIPTOR_BYTES>()?;
        descriptor[..4].copy_from_slice(&u32::try_from(text.len()).ok()?.to_le_bytes());
        descriptor[4..6].copy_from_slice(&u16::try_from(sender.len()).ok()?.to_le_bytes());
        descriptor[6] = message.field as u8;
        descriptor[7] = message.channel.0;
        for part in [text, sender] {
            area.get_mut(at..at + part.len())?.copy_from_slice(part);
            at += part.len();
        }
    }
    Some(at)
}

/// One byte more than is scanned tells the guest that there is more.
fn text<'a>(message: &Message<'a>) -> &'a [u8] {
    &message.text[..message.text.len().min(MESSAGE_BYTES_MAX + 1)]
}

fn sender<'a>(message: &Message<'a>) -> &'a [u8] {
    &message.sender[..message.sender.len().min(SENDER_BYTES_MAX)]
}

/// Reads a batch of `count` messages. Yields fewer if the bytes end early.
pub fn read_batch(count: usize, batch: &[u8]) -> impl Iterator<Item = Message<'_>> {
    let (descriptors, mut rest) = batch.split_at(count.saturating_mul(DESCRIPTOR_BYTES).min(batch.len()));
    descriptors.chunks_exact(DESCRIPTOR_BYTES).map_while(move |d| {
        let text_bytes = u32::from_le_bytes([d[0], d[1], d[2], d[3]]) as usize;
        let sender_bytes = usize::from(u16::from_le_bytes([d[4], d[5]]));
        let (text, after_text) = rest.split_at_checked(text_bytes)?;
        let (sender, after) = after_text.split_at_checked(sender_bytes)?;
        rest = after;
        Some(Message { text, field: Field::from_number(d[6])?, channel: ChannelId(d[7]), sender })
    })
}

/// Writes a verdict to the start of `area` and returns its length; `None` if it does not fit.
pub fn write_verdict(verdict: &Verdict, area: &mut [u8]) -> Option<usize> {
    let length = VERDICT_BYTES + matches_count(verdict) * MATCH_BYTES;
    let (head, matches) = area.get_mut(..length)?.split_at_mut(VERDICT_BYTES);
    head[0] = verdict.action as u8;
    head[1] = verdict.flags.0;
    head[2..4].copy_from_slice(&u16::try_from(matches_count(verdict)).ok()?.to_le_bytes());
    head[4..6].copy_from_slice(&verdict.confidence.advertising.to_le_bytes());
    head[6..].copy_from_slice(&verdict.confidence.fraud.to_le_bytes());
    let all = verdict.matches.iter().map(|found| (found, 0u16)).chain(verdict.shadow.iter().map(|found| (found, 1)));
    for (bytes, (found, shadow)) in matches.chunks_exact_mut(MATCH_BYTES).zip(all) {
        bytes[..4].copy_from_slice(&found.span.start.to_le_bytes());
        bytes[4..8].copy_from_slice(&found.span.end.to_le_bytes());
        bytes[8..12].copy_from_slice(&found.term.0.to_le_bytes());
        bytes[12..14].copy_from_slice(&found.evidence.0.to_le_bytes());
        bytes[14..].copy_from_slice(&shadow.to_le_bytes());
    }
    Some(length)
}

/// A verdict as bytes, to compare what two engines said.
#[must_use]
pub fn verdict_bytes(verdict: &Verdict) -> Vec<u8> {
    let mut bytes = alloc::vec![0; VERDICT_BYTES + matches_count(verdict) * MATCH_BYTES];
    write_verdict(verdict, &mut bytes);
    bytes
}

fn matches_count(verdict: &Verdict) -> usize {
    verdict.matches.len() + verdict.shadow.len()
}

/// Reads the verdict on `message` at the start of `bytes` into `verdict` and returns its length.
/// Believes nothing: `None` if any of it could not be the answer of an honest guest.
pub fn read_verdict(bytes: &[u8], message: &Message<'_>, terms_count: usize, verdict: &mut Verdict) -> Option<usize> {
    let text_bytes = message.text.len().min(MESSAGE_BYTES_MAX) as u64;
    read_verdict_on(bytes, text_bytes, !message.sender.is_empty(), terms_count, verdict)
}

/// The same of a text of which only the length is known, such as an upload.
pub fn read_verdict_on(
    bytes: &[u8],
    text_bytes: u64,
    has_sender: bool,
    terms_count: usize,
    verdict: &mut Verdict,
) -> Option<usize> {
    let (head, rest) = bytes.split_first_chunk::<VERDICT_BYTES>()?;
    let count = usize::from(u16::from_le_bytes([head[2], head[3]]));
    let per_mille =
        |at: usize| Some(u16::from_le_bytes([head[at], head[at + 1]])).filter(|&confidence| confidence <= 1000);
    verdict.confidence = Confidence { advertising: per_mille(4)?, fraud: per_mille(6)? };
    if verdict.confidence.unwanted() > 1000 {
        return None;
    }
    verdict.action = Action::from_number(head[0])?;
    verdict.flags = Some(VerdictFlags(head[1])).filter(|&flags| VerdictFlags::ALL.contains(flags))?;
    verdict.matches.clear();
    verdict.shadow.clear();
    if count > MATCHES_MAX {
        return None;
    }
    for bytes in rest.get(..count * MATCH_BYTES)?.chunks_exact(MATCH_BYTES) {
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let found = Match {
            span: Span { start: word(0), end: word(4) },
            term: TermId(word(8)),
            evidence: Evidence(u16::from_le_bytes([bytes[12], bytes[13]])),
        };
        let in_text = found.span.start < found.span.end && u64::from(found.span.end) <= text_bytes;
        // What a sender matched is nowhere in the text.
        let of_sender = found.span == Span::default() && has_sender;
        let honest =
            (in_text || of_sender) && (found.term.0 as usize) < terms_count && Evidence::ALL.contains(found.evidence);
        if !honest {
            return None;
        }
        match [bytes[14], bytes[15]] {
            [0, 0] if verdict.shadow.is_empty() => verdict.matches.push(found),
            [1, 0] => verdict.shadow.push(found),
            _ => return None,
        }
    }
    Some(VERDICT_BYTES + count * MATCH_BYTES)
}
