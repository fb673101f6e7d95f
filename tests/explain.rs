//! Explanations say what the scan does: on every case, and of every reason for dropping a candidate.

use tamis_guest::compile::{PolicySource, Variants, compile_terms_as};
use tamis_guest::explain::{Explanation, TermOutcome, explain};
use tamis_guest::{Action, Field, Message, Pack, PackBytes, Policy};
use tamis_tests::{case_files, pack_of, pack_of_case, read_cases};

fn explained(pack: Vec<u8>, message: &Message<'_>, check: impl FnOnce(&Pack<'_>, Explanation)) {
    let bytes = PackBytes::from(pack);
    let pack = Pack::decode(&bytes).unwrap_or_else(|error| panic!("{error}"));
    let explanation = explain(&pack, &Policy::blocking(&pack), message);
    check(&pack, explanation);
}

#[test]
fn every_match_has_a_term_that_fires_and_a_candidate_that_was_kept() {
    let (mut matches, mut dropped) = (0, 0);
    for path in case_files() {
        for case in read_cases(&path) {
            let pack = pack_of_case(&case).unwrap_or_else(|error| panic!("{error}"));
            explained(pack, &case.message(), |_, Explanation { verdict, candidates, terms, .. }| {
                assert_eq!(verdict.action.name(), case.action, "{}", case.name);
                for found in &verdict.matches {
                    let is_kept = candidates.iter().any(|candidate| {
                        candidate.outcome.is_ok_and(|(span, evidence)| {
                            span == found.span && evidence == found.evidence && candidate.terms.contains(&found.term)
                        })
                    });
                    assert!(is_kept, "{}: no candidate for {found:?} in {candidates:?}", case.name);
                }
                let mut explained: Vec<_> = Vec::new();
                for report in &terms {
                    if let TermOutcome::Fires(places) = &report.outcome {
                        explained.extend(places.iter().map(|&(span, evidence)| (span, report.term, evidence)));
                    }
                }
                explained.sort_unstable();
                let judged: Vec<_> =
                    verdict.matches.iter().map(|found| (found.span, found.term, found.evidence)).collect();
                assert_eq!(explained, judged, "{}", case.name);
                matches += judged.len();
                dropped += candidates.iter().filter(|candidate| candidate.outcome.is_err()).count();
            });
        }
    }
    assert!(matches > 100 && dropped > 30, "{matches} matches and {dropped} dropped: too few to show anything");
}

#[test]
fn each_reason_for_dropping_a_candidate_is_told() {
    // Variants, term, message, reason.
    let all = [
        (Variants::Standard, "lit:cat", "Cat", "letters"),
        (Variants::None, "viagra", "víagra", "folds"),
        (Variants::Standard, "lit:cat", "concat", "within-start"),
        (Variants::Standard, "lit:cat", "cats", "within-end"),
        (Variants::Standard, "lit:cat", "concatenate", "within"),
        (Variants::Standard, "口交", "路口交通堵塞", "ordinary-words"),
        (Variants::Standard, "gift card", "gift - - - - - - - - - - - card", "joint"),
        (Variants::Standard, "赌博", "赌.....博", "gap"),
        (Variants::Standard, "sos", "50s", "plain-letters"),
        (Variants::Standard, "cop", "сор", "look-alikes"),
        (Variants::Standard, "shot", "shoot", "doubled"),
        (Variants::Aggressive, "赌博", "赌博", "spelled"),
    ];
    for (variants, term, message, reason) in all {
        let (pack, diagnostics) = compile_terms_as("terms.txt", term, variants);
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        explained(pack, &Message::body(message), |_, explanation| {
            let candidates = explanation.candidates.iter();
            let told: Vec<&str> = candidates.filter_map(|one| Some(one.outcome.err()?.name())).collect();
            assert!(told.contains(&reason), "{term} in {message}: {told:?}");
        });
    }
}

#[test]
fn terms_that_do_not_fire_say_why() {
    let outcome = |terms: &str, message: &str| {
        let mut told = None;
        explained(pack_of(terms), &Message { sender: b"10690", ..Message::body(message) }, |_, explanation| {
            told = explanation.terms.into_iter().next().map(|report| report.outcome);
        });
        told
    };
    let missing = |terms, message| match outcome(terms, message) {
        Some(TermOutcome::Missing { part, there }) => (part, there.len()),
        other => panic!("{terms} in {message}: {other:?}"),
    };
    assert_eq!(missing("lottery&prize", "the lottery"), (vec!["prize".to_owned()], 1));
    assert_eq!(missing("lottery&prize", "the prize of a prize"), (vec!["lottery".to_owned()], 2));
    assert_eq!(missing("from:1069*&loan", "hello"), (vec!["loan".to_owned()], 1));
    assert_eq!(missing(r"loan&re:\d{5}", "a loan"), (vec![r"\d{5}".to_owned()], 1));
    match outcome("free~fee applies", "free, a fee applies") {
        Some(TermOutcome::Excluded { by, at }) => assert_eq!((by.as_str(), at.start, at.end), ("fee applies", 8, 19)),
        other => panic!("{other:?}"),
    }
    assert_eq!(outcome("lottery&prize", "nothing of it"), None);
}

#[test]
fn the_row_of_the_policy_names_the_override() {
    let text = r#"
format = 1
default_channel = "sms"
[channels.sms]
s1 = "allow"
s2 = "flag"
s3 = "hold"
s4 = "block"
on_failure = "hold"
[[override]]
category = "spam"
severity = 4
action = "mask"
[[override]]
category = "fraud"
field = "name"
action = "block"
note = "names are public"
"#;
    let (policy, diagnostics) = PolicySource::parse("policy.toml", text);
    let policy = policy.unwrap_or_else(|| panic!("{diagnostics:?}"));
    let row = |category, field, severity| {
        let row = policy.row(0, category, field, severity);
        (row.usual, row.overridden, row.action)
    };
    assert_eq!(row("fraud.scam", Field::Body, 2), (Action::Flag, None, Action::Flag));
    let note = Some((2, Some("names are public")));
    assert_eq!(row("fraud.scam", Field::Name, 2), (Action::Flag, note, Action::Block));
    assert_eq!(row("spam.ads", Field::Name, 4), (Action::Block, Some((1, None)), Action::Mask));
}
