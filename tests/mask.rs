//! Masking: what was matched is gone, the rest stands, and an SMS is not longer for it.

use proptest::prelude::*;
use tamis_guest::{SmsAlphabet, Span, mask, mask_str, sms_length};
use unicode_segmentation::UnicodeSegmentation as _;

/// Texts of what masking treats apart: both SMS alphabets, signs of two units, clusters of many characters.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-zA-Z0-9 .,]{1,40}",
        2 => "[{}€^~|]{1,30}",
        1 => "[£èÄß@Ω]{1,20}",
        1 => "[一-丠]{1,30}",
        1 => Just("👩‍👩‍👧".to_owned()),
        1 => Just("🇬🇧🇫🇷".to_owned()),
        1 => Just("e\u{301}".to_owned()),
        1 => Just("각".to_owned()),
        1 => Just("\r\n".to_owned()),
        1 => "\\PC{0,4}",
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// A text and spans of it that begin and end with characters, as those of a verdict do.
fn text_and_spans() -> impl Strategy<Value = (String, Vec<Span>)> {
    text().prop_flat_map(|text| {
        let places: Vec<u32> = text.char_indices().map(|(at, _)| at).chain([text.len()]).map(|at| at as u32).collect();
        let place = prop::sample::select(places);
        let span = (place.clone(), place).prop_map(|(a, b)| Span { start: a.min(b), end: a.max(b) });
        (Just(text), prop::collection::vec(span, 0..5))
    })
}

/// The text by clusters, each with whether a span touches it.
fn clusters<'t>(text: &'t str, spans: &[Span]) -> Vec<(&'t str, bool)> {
    let touched = |at: usize, cluster: &str| {
        spans
            .iter()
            .any(|span| span.start < span.end && (span.start as usize) < at + cluster.len() && at < span.end as usize)
    };
    text.grapheme_indices(true).map(|(at, cluster)| (cluster, touched(at, cluster))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn touched_clusters_are_gone_and_the_rest_stands((text, spans) in text_and_spans()) {
        let mut rest = &mask_str(&text, &spans)[..];
        for (cluster, is_touched) in clusters(&text, &spans) {
            let expected = if is_touched { "*" } else { cluster };
            prop_assert!(rest.starts_with(expected), "{expected:?} is not at the start of {rest:?}");
            rest = &rest[expected.len()..];
        }
        prop_assert_eq!(rest, "");
    }

    #[test]
    fn an_sms_is_no_longer_for_it((text, spans) in text_and_spans()) {
        let (before, after) = (sms_length(&text), sms_length(&mask_str(&text, &spans)));
        prop_assert!(after.segments <= before.segments, "{before:?} became {after:?}");
        if before.alphabet == SmsAlphabet::Gsm7 {
            prop_assert_eq!(after.alphabet, SmsAlphabet::Gsm7);
        }
        if before.alphabet == after.alphabet {
            prop_assert!(after.units <= before.units, "{before:?} became {after:?}");
        }
    }

    #[test]
    fn any_bytes_and_spans_are_masked(
        text in prop::collection::vec(any::<u8>(), 0..60),
        spans in prop::collection::vec((0..80u32, 0..80u32), 0..5),
    ) {
        let spans: Vec<Span> = spans.into_iter().map(|(start, end)| Span { start, end }).collect();
        let masked = mask(&text, &spans);
        prop_assert!(masked.len() <= text.len());
        let all = mask(&text, &[Span { start: 0, end: u32::MAX }]);
        prop_assert!(all.iter().all(|&byte| byte == b'*'));
    }
}

#[test]
fn lengths_of_sms() {
    for (text, alphabet, units, segments) in [
        ("", SmsAlphabet::Gsm7, 0, 1),
        (&"a".repeat(160), SmsAlphabet::Gsm7, 160, 1),
        (&"a".repeat(161), SmsAlphabet::Gsm7, 161, 2),
        (&"a".repeat(306), SmsAlphabet::Gsm7, 306, 2),
        (&"a".repeat(307), SmsAlphabet::Gsm7, 307, 3),
        (&"€".repeat(80), SmsAlphabet::Gsm7, 160, 1),
        // An escape is not parted from its character, so a septet of the first segment stays empty.
        (&format!("{}{}", "a".repeat(152), "€".repeat(77)), SmsAlphabet::Gsm7, 306, 3),
        (&"好".repeat(70), SmsAlphabet::Ucs2, 70, 1),
        (&"好".repeat(71), SmsAlphabet::Ucs2, 71, 2),
        (&"😀".repeat(35), SmsAlphabet::Ucs2, 70, 1),
        (&"😀".repeat(67), SmsAlphabet::Ucs2, 134, 3),
        ("a`b", SmsAlphabet::Ucs2, 3, 1),
    ] {
        let length = sms_length(text);
        assert_eq!((length.alphabet, length.units, length.segments), (alphabet, units, segments), "{text}");
    }
}
