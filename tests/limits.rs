//! Messages at and beyond the limits: each has a verdict, and the verdict says what was left out.

use tamis_guest::compile::{Variants, compile_terms_as};
use tamis_guest::wire::{BATCH_MESSAGES_MAX, MESSAGE_BYTES_MAX, SENDER_BYTES_MAX};
use tamis_guest::{Action, Field, MATCHES_MAX, Message, Pack, PackBytes, Verdict, VerdictFlags};
use tamis_tests::{Engines, blocking_parts};

/// Without misspellings: a text cut short by a letter would have one.
fn engines() -> Engines {
    let (bytes, _) = compile_terms_as("terms.txt", "casino\n赌博", Variants::Standard);
    Engines::new(blocking_parts(bytes))
}

fn judge(text: &[u8]) -> Verdict {
    let message = Message { text, ..Message::default() };
    engines().judge(&[message]).unwrap_or_else(|difference| panic!("{difference}")).remove(0)
}

/// `casino` with spaces before it, so that it ends at byte `end`.
fn casino_that_ends_at(end: usize) -> Vec<u8> {
    let mut text = vec![b' '; end - 6];
    text.extend(b"casino");
    text
}

#[test]
fn an_empty_message_is_allowed() {
    assert_eq!(judge(b""), Verdict::default());
}

#[test]
fn no_messages_have_no_verdicts() {
    assert_eq!(engines().judge(&[]), Ok(Vec::new()));
}

#[test]
fn ten_megabytes_are_judged_up_to_the_limit() {
    let mut text = b"the casino ".to_vec();
    text.resize(10 << 20, b'x');
    let verdict = judge(&text);
    assert_eq!((verdict.action, verdict.flags), (Action::Block, VerdictFlags::TRUNCATED));

    let verdict = judge(&casino_that_ends_at(10 << 20));
    assert_eq!((verdict.action, verdict.flags), (Action::Allow, VerdictFlags::TRUNCATED));
}

#[test]
fn the_last_byte_within_the_limit_counts_and_the_next_does_not() {
    let verdict = judge(&casino_that_ends_at(MESSAGE_BYTES_MAX));
    assert_eq!((verdict.action, verdict.flags), (Action::Block, VerdictFlags::default()));

    let verdict = judge(&casino_that_ends_at(MESSAGE_BYTES_MAX + 1));
    assert_eq!((verdict.action, verdict.flags), (Action::Allow, VerdictFlags::TRUNCATED));
}

#[test]
fn the_limit_splits_no_character() {
    for offset in 0..4 {
        let mut text = vec![b' '; offset];
        while text.len() < MESSAGE_BYTES_MAX + 16 {
            text.extend("赌".as_bytes());
        }
        // A split character would be reported as bad UTF-8.
        let verdict = judge(&text);
        assert_eq!((verdict.action, verdict.flags), (Action::Allow, VerdictFlags::TRUNCATED), "{offset}");
    }
}

#[test]
fn bad_utf8_is_reported_and_judged_all_the_same() {
    let verdict = judge(b"\xFF\xFE casino \xC3");
    assert_eq!((verdict.action, verdict.flags), (Action::Block, VerdictFlags::INVALID_UTF8));
    let verdict = judge(b"\x80\x80\x80");
    assert_eq!((verdict.action, verdict.flags), (Action::Allow, VerdictFlags::INVALID_UTF8));
    let verdict = judge("cas\u{FFFD}".as_bytes());
    assert_eq!(verdict.flags, VerdictFlags::default(), "a replacement character as sent is good UTF-8");
}

#[test]
fn matches_beyond_the_limit_are_counted_out_and_reported() {
    let verdict = judge("casino ".repeat(MATCHES_MAX).as_bytes());
    assert_eq!((verdict.matches.len(), verdict.flags), (MATCHES_MAX, VerdictFlags::default()));
    let verdict = judge("casino ".repeat(MATCHES_MAX + 1).as_bytes());
    assert_eq!((verdict.matches.len(), verdict.flags), (MATCHES_MAX, VerdictFlags::MATCHES_CAPPED));
}

#[test]
fn the_longest_terms_compile_in_all_variants() {
    for word in ["微信", "lottery ", "casino.", "赌博", "казино", "a b "] {
        let term: String = word.chars().cycle().take(256).collect();
        let terms = [term.trim().to_owned(), format!("微信lottery{}pri", ".".repeat(244))].join("\n");
        for variants in Variants::ALL {
            let (pack, diagnostics) = compile_terms_as("terms.txt", &terms, variants);
            assert_eq!(diagnostics, [], "{word}");
            let decoded = Pack::decode(&PackBytes::from(pack)).map(|pack| pack.terms_count());
            assert_eq!(decoded, Ok(2), "{word} in variants {}", variants.name());
        }
    }
}

#[test]
fn two_hundred_messages_at_once_have_two_hundred_verdicts() {
    const { assert!(200 > 3 * BATCH_MESSAGES_MAX, "several batches, the last not full") };
    let texts: Vec<String> =
        (0..200).map(|number| format!("{number} {}", ["casino", "cinema"][usize::from(number % 3 > 0)])).collect();
    let messages: Vec<Message<'_>> = texts.iter().map(|text| Message::body(text)).collect();
    let verdicts = engines().judge(&messages).unwrap_or_else(|difference| panic!("{difference}"));
    let blocked: Vec<usize> = (0..200).filter(|&number| verdicts[number].action == Action::Block).collect();
    assert_eq!(blocked, (0..200).step_by(3).collect::<Vec<_>>());
}

#[test]
fn messages_that_fill_a_batch_each_are_all_judged() {
    let texts: Vec<Vec<u8>> = (0..5).map(|number| casino_that_ends_at(MESSAGE_BYTES_MAX - 1 + number % 3)).collect();
    let messages: Vec<Message<'_>> = texts.iter().map(|text| Message { text, ..Message::default() }).collect();
    let verdicts = engines().judge(&messages).unwrap_or_else(|difference| panic!("{difference}"));
    let actions: Vec<Action> = verdicts.iter().map(|verdict| verdict.action).collect();
    assert_eq!(actions, [Action::Block, Action::Block, Action::Allow, Action::Block, Action::Block]);
}

#[test]
fn a_long_sender_is_cut_and_the_text_behind_it_still_found() {
    let sender = vec![b's'; SENDER_BYTES_MAX * 300];
    let message = Message { sender: &sender, field: Field::Name, ..Message::body("casino") };
    let verdicts = engines().judge(&[message, message]).unwrap_or_else(|difference| panic!("{difference}"));
    assert!(verdicts.iter().all(|verdict| verdict.action == Action::Block), "{verdicts:?}");
}
