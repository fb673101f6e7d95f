//! What holds for every term and every message: spans are places in the text, what is written is found,
//! and no bytes make compiling or scanning fail.

use proptest::prelude::*;
use tamis_guest::compile::{
    ListSource, PolicySource, Taxonomy, Variants, compile, compile_terms, compile_terms_as, decode_text, lint,
};
use tamis_guest::{Action, Message, Pack, PackBytes, Policy, Scanner, Verdict};

fn scan(pack: &[u8], text: &[u8]) -> Verdict {
    let bytes = PackBytes::from(pack);
    let pack = Pack::decode(&bytes).unwrap_or_else(|error| panic!("the compiler wrote a pack that is none: {error}"));
    let mut verdict = Verdict::default();
    let message = Message { text, ..Message::default() };
    Scanner::new(&pack).scan(&Policy::blocking(&pack), &message, &mut verdict);
    verdict
}

/// Words of several scripts without syntax in them.
fn word() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{2,8}", "[a-zé]{3,6}", "[а-я]{3,6}", "[一-丠]{1,3}", "[ァ-ヶ]{2,4}", "[가-갟]{2,3}", "[ก-ฮ]{2,4}"]
}

/// What may stand in messages beside words.
fn noise() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ .,!-]{0,3}",
        "[a-z ]{0,6}",
        Just("\u{200B}".to_owned()),
        Just("\u{301}".to_owned()),
        Just("😀".to_owned()),
        "\\PC{0,4}",
    ]
}

fn term() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => word(),
        1 => word().prop_map(|word| format!("{word}*")),
        1 => word().prop_map(|word| format!("*{word}*")),
        1 => (word(), word()).prop_map(|(a, b)| format!("{a} {b}")),
        1 => (word(), word()).prop_map(|(a, b)| format!("{a}&{b}")),
        1 => (word(), word()).prop_map(|(a, b)| format!("{a}~{b}")),
        1 => (word(), word()).prop_map(|(a, b)| format!("{{{a}|{b}}}")),
        1 => word().prop_map(|word| format!("lit:{word}")),
    ]
}

/// Terms, and a message made of their texts and noise.
fn terms_and_message() -> impl Strategy<Value = (Vec<String>, String)> {
    prop::collection::vec(term(), 1..6).prop_flat_map(|terms| {
        let spellings: Vec<String> = terms
            .iter()
            .flat_map(|term| term.trim_start_matches("lit:").split(['&', '~', '{', '|', '}', '*']))
            .map(str::to_owned)
            .collect();
        let piece = prop_oneof![prop::sample::select(spellings), noise()];
        (Just(terms), prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat()))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn spans_are_places_in_the_text((terms, message) in terms_and_message()) {
        let (pack, _) = compile_terms("terms.txt", &terms.join("\n"));
        let verdict = scan(&pack, message.as_bytes());
        prop_assert_eq!(verdict.action == Action::Block, !verdict.matches.is_empty());
        prop_assert!(verdict.matches.is_sorted(), "matches come by place");
        for found in &verdict.matches {
            let (start, end) = (found.span.start as usize, found.span.end as usize);
            prop_assert!(start < end);
            let matched = message.get(start..end);
            prop_assert!(matched.is_some_and(|text| text.chars().any(char::is_alphanumeric)), "{:?}", matched);
        }
    }

    #[test]
    fn a_word_among_others_is_found(word in word(), before in "([a-z]{1,6} ){0,3}", after in "( [a-z]{1,6}){0,3}") {
        let (pack, _) = compile_terms("terms.txt", &word);
        let message = format!("{before}{word}{after}");
        let place = (before.len() as u32, (before.len() + word.len()) as u32);
        let verdict = scan(&pack, message.as_bytes());
        let places: Vec<_> = verdict.matches.iter().map(|found| (found.span.start, found.span.end)).collect();
        prop_assert!(places.contains(&place), "{word:?} in {message:?}: {places:?}");
    }

    #[test]
    fn a_word_in_another_case_is_found(word in "[a-z]{2,10}") {
        let (pack, _) = compile_terms("terms.txt", &word);
        prop_assert_eq!(scan(&pack, word.to_uppercase().as_bytes()).action, Action::Block);
    }

    #[test]
    fn a_word_is_not_found_inside_longer_ones(word in "[a-m]{3,8}", before in "[n-z]{1,3}", after in "[n-z]{1,3}") {
        let (pack, _) = compile_terms_as("terms.txt", &word, Variants::Standard);
        for message in [format!("{before}{word}"), format!("{word}{after}"), format!("{before}{word}{after}")] {
            prop_assert_eq!(scan(&pack, message.as_bytes()), Verdict::default(), "{:?} in {:?}", &word, message);
        }
    }

    #[test]
    fn any_bytes_have_a_verdict(terms in prop::collection::vec(term(), 1..6), text in prop::collection::vec(any::<u8>(), 0..400)) {
        let (pack, _) = compile_terms("terms.txt", &terms.join("\n"));
        let verdict = scan(&pack, &text);
        for found in &verdict.matches {
            prop_assert!(found.span.start < found.span.end && found.span.end as usize <= text.len());
        }
    }

    #[test]
    fn any_text_has_a_verdict_that_depends_on_nothing_before_it((terms, message) in terms_and_message(), earlier in "\\PC{0,80}") {
        let (pack, _) = compile_terms("terms.txt", &terms.join("\n"));
        let bytes = PackBytes::from(&pack[..]);
        let pack = Pack::decode(&bytes).expect("the compiler writes packs");
        let policy = Policy::blocking(&pack);
        let mut warm = Scanner::new(&pack);
        let mut verdict = Verdict::default();
        warm.scan(&policy, &Message::body(&earlier), &mut verdict);
        warm.scan(&policy, &Message::body(&message), &mut verdict);
        prop_assert_eq!(verdict, scan(&bytes, message.as_bytes()));
    }

    #[test]
    fn any_text_compiles_to_a_pack_and_diagnostics(text in term_file()) {
        let (pack, diagnostics) = compile_terms("terms.txt", &text);
        scan(&pack, text.as_bytes());
        for diagnostic in diagnostics {
            prop_assert!(diagnostic.line >= 1 && diagnostic.column >= 1);
            prop_assert!(!diagnostic.help.is_empty() && diagnostic.to_string().contains(diagnostic.code));
        }
    }

    #[test]
    fn any_text_is_read_as_a_list(text in list_file()) {
        let sources = [ListSource { path: "list.toml", text: &text }];
        let (pack, mut diagnostics) = compile(&sources, &Taxonomy::custom(), tamis_host::today());
        scan(&pack, text.as_bytes());
        diagnostics.extend(lint(&sources, &Taxonomy::custom(), tamis_host::today()));
        diagnostics.iter().for_each(|diagnostic| drop(diagnostic.to_string()));
    }

    #[test]
    fn any_text_is_read_as_a_taxonomy_and_a_policy(text in prop_oneof!["\\PC{0,200}", list_file()]) {
        let (_, diagnostics) = Taxonomy::parse("taxonomy.toml", &text);
        prop_assert!(!diagnostics.is_empty(), "none of these is a taxonomy");
        let (policy, diagnostics) = PolicySource::parse("policy.toml", &text);
        prop_assert!(policy.is_none() && !diagnostics.is_empty(), "none of these is a policy");
    }

    #[test]
    fn any_bytes_decode_to_text(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let (text, problem) = decode_text("terms.txt", &bytes);
        prop_assert_eq!(problem.is_none(), text.as_bytes() == bytes && !bytes.contains(&0));
    }
}

/// Text dense in signs of the term syntax.
fn term_file() -> impl Strategy<Value = String> {
    prop_oneof!["\\PC{0,200}", "[a-c&~{}|*\\\\# \n]{0,60}", "(lit:|re:|url:|from:)?[a-z赌&~{|}*#\\\\\r\n\t ]{0,40}"]
}

/// Text close to that of a list.
fn list_file() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,200}",
        ("[12]", "[a-z]{0,4}", -1i64..7, "[a-z赌&~{|}*#\\\\\n ]{0,40}", "[a-z&|{} ]{0,8}").prop_map(
            |(format, category, severity, terms, allow)| {
                format!(
                    "format = {format}\n[list]\nid = 'x'\n[defaults]\ncategory = 'custom'\nseverity = {severity}\n\
                     [[group]]\nterms = '''\n{terms}'''\nallow = ['{allow}']\n[[term]]\npattern = '{allow}'\n\
                     category = '{category}'\n[[term]]\npattern = '{allow}'\n"
                )
            }
        ),
    ]
}
