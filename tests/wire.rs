//! What crosses the sandbox border: what is written is read back, and no bytes make reading fail.

use proptest::prelude::*;
use tamis_guest::spam::Confidence;
use tamis_guest::wire::{
    BATCH_MESSAGES_MAX, IN_BYTES, MESSAGE_BYTES_MAX, OUT_BYTES, OUT_HEADER, batch_len, read_batch, read_verdict,
    verdict_bytes, write_batch, write_verdict,
};
use tamis_guest::{
    Action, ChannelId, Evidence, Field, MATCHES_MAX, Match, Message, Span, TermId, Verdict, VerdictFlags,
};

/// The text that the verdicts of these tests are about.
const TEXT_BYTES: u32 = 1000;
const TERMS: u32 = 50;

fn message(text: &[u8]) -> Message<'_> {
    Message { text, ..Message::default() }
}

fn verdict() -> impl Strategy<Value = Verdict> {
    let found = (0..TEXT_BYTES, 1..=TEXT_BYTES, 0..TERMS, 0..=Evidence::ALL.0);
    let found = found.prop_map(|(start, length, term, evidence)| Match {
        span: Span { start, end: (start + length).min(TEXT_BYTES) },
        term: TermId(term),
        evidence: Evidence(evidence),
    });
    let confidence = (0u16..=1000, 0u16..=1000)
        .prop_map(|(unwanted, part)| (unwanted.min(part), unwanted - unwanted.min(part)))
        .prop_map(|(advertising, fraud)| Confidence { advertising, fraud });
    let matches = prop::collection::vec(found, 0..=MATCHES_MAX);
    let flags = 0..=VerdictFlags::ALL.0;
    (prop::sample::select(&Action::ALL[..]), flags, matches, 0..=MATCHES_MAX, confidence).prop_map(
        |(action, flags, mut matches, acting, confidence)| {
            let shadow = matches.split_off(acting.min(matches.len()));
            Verdict { action, flags: VerdictFlags(flags), matches, shadow, confidence }
        },
    )
}

#[derive(Clone, Debug)]
struct Owned {
    text: Vec<u8>,
    sender: Vec<u8>,
    field: Field,
    channel: u8,
}

fn owned() -> impl Strategy<Value = Owned> {
    let bytes = |limit| prop::collection::vec(any::<u8>(), 0..limit);
    (bytes(300), bytes(40), prop::sample::select(&Field::ALL[..]), any::<u8>())
        .prop_map(|(text, sender, field, channel)| Owned { text, sender, field, channel })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_verdict_is_read_as_written(written in verdict()) {
        let text = [b'x'; TEXT_BYTES as usize];
        let mut area = vec![0xAA; OUT_BYTES];
        let length = write_verdict(&written, &mut area).expect("the area holds the largest verdict");
        prop_assert_eq!(&area[..length], verdict_bytes(&written));
        let mut read = Verdict::default();
        prop_assert_eq!(read_verdict(&area, &message(&text), TERMS as usize, &mut read), Some(length));
        prop_assert_eq!(&read, &written);
        // Cut short anywhere, it is none.
        for end in 0..length {
            prop_assert_eq!(read_verdict(&area[..end], &message(&text), TERMS as usize, &mut read), None);
        }
    }

    #[test]
    fn a_verdict_that_does_not_fit_is_not_written(written in verdict(), short in 1usize..2000) {
        let length = verdict_bytes(&written).len();
        let mut area = vec![0; length.saturating_sub(short)];
        prop_assert_eq!(write_verdict(&written, &mut area), None);
    }

    #[test]
    fn any_bytes_read_as_a_verdict_are_honest_or_none(bytes in prop::collection::vec(any::<u8>(), 0..200), text in 0usize..40) {
        let text = vec![b'x'; text];
        let mut read = Verdict::default();
        if let Some(length) = read_verdict(&bytes, &message(&text), 3, &mut read) {
            prop_assert!(length <= bytes.len());
            for found in read.matches.iter().chain(&read.shadow) {
                prop_assert!(found.span.start < found.span.end && found.span.end as usize <= text.len());
                prop_assert!(found.term.0 < 3);
            }
            prop_assert_eq!(verdict_bytes(&read), &bytes[..length]);
        }
    }

    #[test]
    fn a_batch_is_read_as_written(all in prop::collection::vec(owned(), 0..=BATCH_MESSAGES_MAX)) {
        let messages: Vec<Message<'_>> = all
            .iter()
            .map(|one| Message { text: &one.text, sender: &one.sender, field: one.field, channel: ChannelId(one.channel) })
            .collect();
        prop_assert_eq!(batch_len(&messages), messages.len());
        let mut area = vec![0xAA; IN_BYTES];
        let length = write_batch(&messages, &mut area).expect("it fits");
        let read: Vec<Message<'_>> = read_batch(messages.len(), &area[..length]).collect();
        prop_assert_eq!(&read, &messages);
        // Cut short, it has fewer messages, and none that differ.
        if length > 0 {
            let read: Vec<Message<'_>> = read_batch(messages.len(), &area[..length - 1]).collect();
            prop_assert!(messages.starts_with(&read));
        }
    }

    #[test]
    fn any_bytes_are_read_as_a_batch(count in prop_oneof![0usize..70, any::<usize>()], bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let read: Vec<Message<'_>> = read_batch(count, &bytes).collect();
        prop_assert!(read.len() <= count && read.len() <= bytes.len() / 8);
        let texts: usize = read.iter().map(|message| message.text.len() + message.sender.len()).sum();
        prop_assert!(texts <= bytes.len(), "no byte is read twice");
    }
}

#[test]
fn the_largest_answer_to_a_batch_fits_the_area() {
    let text = vec![b'x'; MESSAGE_BYTES_MAX];
    let found = Match { span: Span { start: 0, end: 1 }, term: TermId(0), evidence: Evidence::ALL };
    let largest = Verdict { matches: vec![found; MATCHES_MAX], ..Verdict::default() };
    let mut area = vec![0; OUT_BYTES];
    let mut at = OUT_HEADER;
    for _ in 0..BATCH_MESSAGES_MAX {
        at += write_verdict(&largest, &mut area[at..]).expect("room for the largest answer");
    }
    assert_eq!(at, OUT_BYTES, "and no more");
    // One match more is more than any verdict has.
    let mut read = Verdict::default();
    let more = Verdict { matches: vec![found; MATCHES_MAX + 1], ..Verdict::default() };
    assert_eq!(read_verdict(&verdict_bytes(&more), &message(&text), 1, &mut read), None);
}

#[test]
fn a_batch_holds_as_many_messages_as_fit() {
    let long = vec![b'x'; MESSAGE_BYTES_MAX + 1];
    let mut area = vec![0; IN_BYTES];
    for (messages, fit) in [
        (vec![message(b"short"); 200], BATCH_MESSAGES_MAX),
        (vec![message(&long); 3], 1),
        (vec![message(b"short"), message(&long), message(&long)], 2),
        (Vec::new(), 0),
    ] {
        assert_eq!(batch_len(&messages), fit);
        assert!(write_batch(&messages[..fit], &mut area).is_some(), "{fit} messages are said to fit");
    }
    assert_eq!(write_batch(&[message(b"short")], &mut [0; 12]), None);
}
