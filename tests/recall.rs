//! How much of what is found in plain text is still found when somebody writes it so that no filter finds it, by
//! trick. The pairs of plain and obfuscated text are data; `tests/data/ORIGIN.md` has where they are from.

#![expect(clippy::print_stdout, reason = "figures are for people")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde::Deserialize;
use tamis_guest::compile::{Variants, compile_terms_as};
use tamis_guest::{Action, Message, Pack, PackBytes, Policy, Scanner, Verdict};
use tamis_tests::{shipped_parts, workspace};

/// A plain text and the same obfuscated.
#[derive(Deserialize)]
struct Pair {
    text: String,
    /// Missing where nobody wrote the plain one down.
    orig: Option<String>,
    kind: String,
}

/// Longest phrase that is one term, in letters; of longer texts each word is one.
const PHRASE_LETTERS_MAX: usize = 60;
/// Most words that a trick changes in a text that is not obfuscated as a whole; where more differ, it was reworded.
const CHANGED_WORDS_MAX: usize = 3;
/// How many letters a trick may lose or add there.
const LETTERS_LOST_MAX: usize = 2;
/// Shortest word that is a term.
const WORD_LETTERS_MIN: usize = 5;

/// Tricks that are not solved, and why.
const HARD: [(&str, &str); 6] = [
    ("contact", "other ways of contact that name no part of the term"),
    ("homophone", "characters that neither sound nor look the same, letters for characters"),
    ("sms_char_swap", "digits exchanged make another number: 9 of 11; an ordinary word"),
    ("split", "parts that are common characters by themselves"),
    (
        "spell_char_del_h",
        "what is left of words of three and four letters is a word or short form somewhere (`hat`, `mat`, `dum`), or a \
         word in the texts that ordinary words are from; some lack two letters",
    ),
    ("spell_homoph_h", "characters that merely sound alike, between words they belong to"),
];

fn pairs(path: &Path) -> Vec<Pair> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        .collect()
}

/// The terms that a pair obfuscates: what of the plain text is not in the other, as a moderator would write it.
/// Nothing if the text was reworded.
fn terms(kind: &str, plain: &str, obfuscated: &str) -> Vec<String> {
    let [phrase, other] = if plain.chars().any(is_han) {
        changed_characters(plain, obfuscated)
    } else {
        changed_words(plain, obfuscated)
    };
    if !is_of_trick(kind, &phrase, &other) {
        return Vec::new();
    }
    let is_long = phrase.chars().count() > PHRASE_LETTERS_MAX;
    let terms: Vec<&str> = if is_long {
        phrase.split_whitespace().map(trim).filter(|word| word.chars().count() >= WORD_LETTERS_MIN).collect()
    } else {
        vec![trim(&phrase)]
    };
    terms.into_iter().filter(|term| !term.is_empty()).map(escape).collect()
}

fn is_han(c: char) -> bool {
    ('\u{4E00}'..='\u{9FFF}').contains(&c)
}

/// Whether what was changed could have been by the trick that it is said to be. People who wrote the texts of these
/// tricks by hand often reworded them as well, and no filter is asked to find another wording: a space put in or left
/// out keeps all letters, an exchange keeps them in another order, digits and signs for letters keep all other letters
/// in their places, Pinyin keeps the characters that it does not replace and has a letter at least for each that it
/// does, Arabic in Latin letters keeps the consonants that everybody writes with the same one, and so on. Other tricks,
/// and those of programs, are what they are said to be.
fn is_of_trick(kind: &str, plain: &str, other: &str) -> bool {
    let letters = |text: &str| -> Vec<char> { text.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect() };
    let [before, after] = [plain, other].map(letters);
    match kind {
        "spell_space_add_h" | "spell_space_del_h" => before == after,
        "spell_char_repeat_h" => {
            let [mut before, mut after] = [before, after];
            before.dedup();
            after.dedup();
            before == after
        }
        "spell_char_swap_h" => {
            let [mut before, mut after] = [before, after];
            before.sort_unstable();
            after.sort_unstable();
            before == after
        }
        "spell_char_del_h" => {
            let mut rest = before.iter();
            let lost = before.len().saturating_sub(after.len());
            (1..=LETTERS_LOST_MAX).contains(&lost) && after.iter().all(|letter| rest.any(|of| of == letter))
        }
        "spell_leet_h" => {
            let [plain, other] =
                [plain, other].map(|text| -> Vec<char> { trim_end(text).to_lowercase().chars().collect() });
            let keeps = |(plain, other): (&char, &char)| plain == other || !other.is_alphabetic();
            plain.len() == other.len() && plain.iter().zip(&other).all(keeps)
        }
        "spell_pinyin_h" => {
            let mut rest = plain.chars();
            let is_kept = other.chars().filter(|&c| is_han(c)).all(|han| rest.any(|of| of == han));
            let [lost, kept] = [plain, other].map(|text| text.chars().filter(|&c| is_han(c)).count());
            is_kept && other.chars().filter(char::is_ascii_alphabetic).count() >= lost.saturating_sub(kept)
        }
        "spell_sent_arabazi_h" => {
            let [mut before, mut after] = [plain, other].map(one_letter_consonants);
            before.dedup_by(|a, b| a == b && *a == 'l');
            after.dedup_by(|a, b| a == b && *a == 'l');
            before == after
        }
        _ => true,
    }
}

/// The consonants of Arabic that one Latin letter is written for by everybody, in either alphabet; of `l` the article
/// may have another.
fn one_letter_consonants(text: &str) -> Vec<char> {
    const ALPHABETS: [&str; 2] = ["بدضفلمر", "bddflmr"];
    let latin = |c: char| {
        let at = ALPHABETS.iter().find_map(|letters| letters.chars().position(|letter| letter == c))?;
        ALPHABETS[1].chars().nth(at)
    };
    text.to_lowercase().chars().filter_map(latin).collect()
}

/// Without the end of the sentence.
fn trim_end(text: &str) -> &str {
    text.trim_end_matches(['.', ' ', '!', '?'])
}

/// The words between what both begin and end with, in both.
fn changed_words(plain: &str, obfuscated: &str) -> [String; 2] {
    let [plain, other]: [Vec<&str>; 2] = [plain, obfuscated].map(|text| text.split_whitespace().collect());
    let before = plain.iter().zip(&other).take_while(|(a, b)| a == b).count();
    let rest = plain.len().min(other.len()) - before;
    let after = plain.iter().rev().zip(other.iter().rev()).take(rest).take_while(|(a, b)| trim(a) == trim(b)).count();
    let changed = &plain[before..plain.len() - after];
    // What is as long, drawn out letters and spaces aside, is likely the same.
    let length = |words: &[&str]| {
        let mut letters: Vec<char> = words.concat().chars().filter(|c| c.is_alphanumeric()).collect();
        letters.dedup();
        letters.len()
    };
    let is_other = length(changed).abs_diff(length(&other[before..other.len() - after])) > LETTERS_LOST_MAX;
    let is_reworded = before + after > 0 && (changed.len() > CHANGED_WORDS_MAX || is_other);
    if is_reworded { Default::default() } else { [changed.join(" "), other[before..other.len() - after].join(" ")] }
}

/// The same of a text without spaces; one character has another beside it, or it is no term.
fn changed_characters(plain: &str, obfuscated: &str) -> [String; 2] {
    let [plain, other]: [Vec<char>; 2] = [plain, obfuscated].map(|text| text.chars().collect());
    let mut before = plain.iter().zip(&other).take_while(|(a, b)| a == b).count();
    let rest = plain.len().min(other.len()) - before;
    let after = plain.iter().rev().zip(other.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    let (mut end, mut other_end) = (plain.len() - after, other.len() - after);
    if end > before && end - before < 2 {
        if before > 0 && is_han(plain[before - 1]) {
            before -= 1;
        } else if plain.get(end).copied().is_some_and(is_han) {
            end += 1;
            other_end += 1;
        }
    }
    let is_reworded = before + after > 0 && end.saturating_sub(before) > 2 * CHANGED_WORDS_MAX;
    if is_reworded || end <= before + 1 {
        return Default::default();
    }
    [&plain[before..end], &other[before..other_end]].map(|changed| changed.iter().collect())
}

fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| !c.is_alphanumeric() && c != '+')
}

/// A text as a term that stands for itself.
fn escape(text: &str) -> String {
    let mut term = String::new();
    for c in text.chars() {
        if matches!(c, '&' | '~' | '*' | '{' | '}' | '|' | '#' | '\\') {
            term.push('\\');
        }
        term.push(c);
    }
    term
}

/// Of so many terms that are found in plain text, so many are found in obfuscated text.
#[derive(Clone, Copy, Default)]
struct Recall {
    plain: usize,
    obfuscated: usize,
}

impl Recall {
    fn add(&mut self, other: Recall) {
        self.plain += other.plain;
        self.obfuscated += other.obfuscated;
    }

    fn per_mille(self) -> usize {
        self.obfuscated * 1000 / self.plain.max(1)
    }

    fn percent(self) -> String {
        if self.plain == 0 { "".into() } else { format!("{}.{} %", self.per_mille() / 10, self.per_mille() % 10) }
    }
}

/// What is found of the terms that the pairs obfuscate, all of them in one list.
fn recall(pairs: &[&Pair], variants: Variants) -> Recall {
    let of_pairs: Vec<Vec<String>> =
        pairs.iter().map(|pair| terms(&pair.kind, pair.orig.as_deref().unwrap_or_default(), &pair.text)).collect();
    let all: BTreeSet<&str> = of_pairs.iter().flatten().map(String::as_str).collect();
    let list: String = all.iter().flat_map(|term| [term, "\n"]).collect();
    let (bytes, _) = compile_terms_as("terms.txt", &list, variants);
    if bytes.is_empty() {
        return Recall::default();
    }
    let bytes = PackBytes::from(bytes);
    let pack = Pack::decode(&bytes).expect("the compiler's own pack");
    let (policy, mut scanner, mut verdict) = (Policy::blocking(&pack), Scanner::new(&pack), Verdict::default());
    let mut found = |text: &str| -> BTreeSet<String> {
        scanner.scan(&policy, &Message::body(text), &mut verdict);
        verdict.matches.iter().map(|found| pack.term(found.term).text.to_owned()).collect()
    };
    let mut recall = Recall::default();
    for (pair, terms) in pairs.iter().zip(&of_pairs) {
        let (plain, obfuscated) = (found(pair.orig.as_deref().unwrap_or_default()), found(&pair.text));
        for term in terms.iter().filter(|term| plain.contains(*term)) {
            recall.plain += 1;
            recall.obfuscated += usize::from(obfuscated.contains(term));
        }
    }
    recall
}

/// The same of the shipped lists, in messages that are not let through.
fn shipped_recall(pairs: &[&Pair], scanner: &mut Scanner<'_>, policy: &Policy) -> Recall {
    let mut verdict = Verdict::default();
    let mut is_marked = |text: &str| {
        scanner.scan(policy, &Message::body(text), &mut verdict);
        verdict.action > Action::Allow
    };
    let mut recall = Recall::default();
    for pair in pairs.iter().filter(|pair| pair.orig.as_deref().is_some_and(&mut is_marked)).collect::<Vec<_>>() {
        recall.plain += 1;
        recall.obfuscated += usize::from(is_marked(&pair.text));
    }
    recall
}

fn by_kind(pairs: &[Pair]) -> BTreeMap<&str, Vec<&Pair>> {
    let mut kinds: BTreeMap<&str, Vec<&Pair>> = BTreeMap::new();
    pairs.iter().for_each(|pair| kinds.entry(&pair.kind).or_default().push(pair));
    kinds
}

/// Prints the table of the README, and tells of tricks that too much is lost by.
fn figures(pairs: &[Pair]) -> Vec<String> {
    let parts = shipped_parts();
    let pack = parts.pack.pack();
    let mut scanner = Scanner::new(&pack);
    println!("| trick | texts | terms | standard | aggressive | shipped lists |");
    println!("|---|---:|---:|---:|---:|---:|");
    let (mut sum, mut lost) = ([Recall::default(); 3], Vec::new());
    for (kind, pairs) in by_kind(pairs) {
        let standard = recall(&pairs, Variants::Standard);
        let aggressive = recall(&pairs, Variants::Aggressive);
        let shipped = shipped_recall(&pairs, &mut scanner, &parts.policy);
        let [texts, terms] = [pairs.len(), aggressive.plain];
        let [a, b, c] = [standard, aggressive, shipped].map(Recall::percent);
        println!("| {kind} | {texts} | {terms} | {a} | {b} | {c} |");
        for (sum, of) in sum.iter_mut().zip([standard, aggressive, shipped]) {
            sum.add(of);
        }
        // Of few terms one is more than that.
        let is_low = aggressive.obfuscated + 1 < aggressive.plain && aggressive.per_mille() < 970;
        if is_low && !HARD.iter().any(|(hard, _)| *hard == kind) {
            lost.push(format!("{kind}: {}", aggressive.percent()));
        }
    }
    let [a, b, c] = sum.map(Recall::percent);
    println!("| all | {} | {} | {a} | {b} | {c} |", pairs.len(), sum[1].plain);
    lost
}

#[test]
fn a_sample_of_every_trick_is_found() {
    let lost = figures(&pairs(&workspace().join("tests/data/evasion-pairs.jsonl")));
    assert!(lost.is_empty(), "less than 97 % of what is found in plain text: {lost:?}");
}

/// A message with a term in it in some disguise, or an innocent one.
#[derive(Deserialize)]
struct Evasion {
    id: String,
    term: String,
    message: String,
    caught: bool,
    /// Why it is judged otherwise than it should be, where it is.
    why_not: Option<String>,
}

/// All terms in one list, as moderators have them; what is known not to be solved is told, and still so.
#[test]
fn evasions_are_caught_and_traps_are_not() {
    let path = workspace().join("tests/data/evasions.jsonl");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let evasions: Vec<Evasion> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        .collect();
    let terms: BTreeSet<&str> = evasions.iter().map(|evasion| &*evasion.term).collect();
    let list: String = terms.iter().flat_map(|term| [term, "\n"]).collect();
    let (bytes, _) = compile_terms_as("terms.txt", &list, Variants::Aggressive);
    let bytes = PackBytes::from(bytes);
    let pack = Pack::decode(&bytes).expect("the compiler's own pack");
    let (policy, mut scanner, mut verdict) = (Policy::blocking(&pack), Scanner::new(&pack), Verdict::default());
    let wrong: Vec<&str> = evasions
        .iter()
        .filter(|evasion| {
            scanner.scan(&policy, &Message::body(&evasion.message), &mut verdict);
            let is_caught = verdict.matches.iter().any(|found| pack.term(found.term).text == evasion.term);
            let is_right = is_caught == evasion.caught;
            is_right == evasion.why_not.is_some()
        })
        .map(|evasion| &*evasion.id)
        .collect();
    assert!(wrong.is_empty(), "judged otherwise than {} says: {wrong:?}", path.display());
    let [caught, traps] = [true, false].map(|of| evasions.iter().filter(|evasion| evasion.caught == of).count());
    let missed = evasions.iter().filter(|evasion| evasion.why_not.is_some() && evasion.caught).count();
    assert!(caught > 250 && traps > 40 && missed * 10 < caught, "{missed} of {caught} are missed, {traps} traps");
}

/// The figures of the README. Runs only where `TAMIS_DATA` names the folder of the data sets.
#[test]
fn figures_on_the_data_that_tamis_data_names() {
    let Some(folder) = std::env::var_os("TAMIS_DATA") else { return };
    let mut lost = Vec::new();
    for set in ["ev_generated", "ev_hatecheck_pairs"] {
        println!("\n{set}\n");
        lost.extend(figures(&pairs(&Path::new(&folder).join(set).join("dev.jsonl"))));
    }
    assert!(lost.is_empty(), "less than 97 % of what is found in plain text: {lost:?}");
}

/// Asserts which term of a list is found first in each text with all variants, or that none is.
fn assert_found(list: &str, texts: &[(&str, Option<&str>)]) {
    let (bytes, _) = compile_terms_as("terms.txt", list, Variants::Aggressive);
    let bytes = PackBytes::from(bytes);
    let pack = Pack::decode(&bytes).expect("the compiler's own pack");
    let (policy, mut scanner, mut verdict) = (Policy::blocking(&pack), Scanner::new(&pack), Verdict::default());
    for &(text, expected) in texts {
        scanner.scan(&policy, &Message::body(text), &mut verdict);
        let found: Vec<&str> = verdict.matches.iter().map(|found| pack.term(found.term).text).collect();
        assert_eq!(found.first().copied(), expected, "{text}: {found:?}");
        assert!(
            verdict.matches.iter().all(|found| text.get(found.span.start as usize..found.span.end as usize).is_some())
        );
    }
}

/// Of a list, which term is found in a text in some misspelling, or that none is.
#[test]
fn misspelt_words_are_found_and_ordinary_ones_are_not() {
    let list = "casino\ninvestment\nhate beans\nfree gift\nblack\nwin cash\nmurder*\n*scammer*\nhandicapé\n\
                дешёвый\nshot\nrapist\nperk\ngnat\ncom\nkim\nporn\nknocked\nall the beans\n";
    let texts = [
        ("a casnio", Some("casino")),
        ("an acsino", Some("casino")),
        ("CASINÓ, csaino", Some("casino")),
        ("invetsmetn plan", Some("investment")),
        ("an invesment", Some("investment")),
        ("a blck cat", Some("black")),
        ("handicpé", Some("handicapé")),
        ("дешевйы", Some("дешёвый")),
        ("he mudered them", Some("murder*")),
        ("superscamemrs", Some("*scammer*")),
        ("thecasinoclub", Some("casino")),
        // In a phrase the other words tell, whatever word the misspelt one has become.
        ("they hat beans", Some("hate beans")),
        ("they haet bena\u{301}s", Some("hate beans")),
        ("htae baens!", Some("hate beans")),
        ("fre gift", Some("free gift")),
        ("alltheb eans, allthebeans", Some("all the beans")),
        // Ordinary words, short ones, phrases of short words, what goes on.
        ("the cassino family, a back door", None),
        ("he shoot, a blak-eyed", Some("black")),
        ("paid in cash", None),
        ("a fee gift", None),
        ("they hate bans", None),
        ("a soht", Some("shot")),
        ("a sot, a hot, an sht", None),
        ("a prk lot", Some("perk")),
        ("a gnt", None),
        ("five cm, a km", None),
        ("dos por uno", None),
        ("a knckd door", None),
        ("they knockd twice", Some("knocked")),
        ("therapist", None),
        ("they hat the beans", None),
        ("they hat. No, beans", None),
        ("casinos in the news", Some("casino")),
    ];
    assert_found(list, &texts);
}

/// Arabic by its consonants, in dialects and in Latin letters.
#[test]
fn arabic_is_found_by_its_consonants_and_other_words_are_not() {
    let list = "الفاصوليا\nبتحرقوني\nانا بكره الفول\nسرق\nمتحف\nمسافرين\nحبوب\nعصا\n";
    let texts = [
        ("Ana bakrah el fool!", Some("انا بكره الفول")),
        ("انى بكرة الفول", Some("انا بكره الفول")),
        ("الحاجة دي bt7r2oni", Some("بتحرقوني")),
        ("bta7re2ony", Some("بتحرقوني")),
        ("el fasolia", None),
        ("el fa9olya", Some("الفاصوليا")),
        ("فاصوليا", Some("الفاصوليا")),
        ("ناس msafreen كتير", Some("مسافرين")),
        ("ناس sr2 فلوس", Some("سرق")),
        ("سرأ", None),
        ("سأر", None),
        // Other consonants, other words, too few to tell, words of other languages.
        ("Ana baktab el fool", None),
        ("bt7roni", None),
        ("btr2ny", None),
        ("sr2", None),
        ("ناس sr2ny فلوس", None),
        ("habob, hobob", None),
        ("a metal cat. Huff!", None),
        ("an a. Bakery: all of all", None),
        ("anna became rich, a lawful man", None),
        ("عصى", Some("عصا")),
        ("مسافر", None),
    ];
    assert_found(list, &texts);
}

#[test]
fn terms_are_what_was_changed() {
    for (kind, plain, obfuscated, expected) in [
        ("spell_space_add_h", "I hate beans.", "I h a t e beans.", "hate"),
        ("spell_space_del_h", "I hate beans.", "Ihate beans", "I hate"),
        ("spell_leet_h", "free prize", "fr33 pr1ze", "free prize"),
        ("spell_pinyin_h", "我讨厌豆子。", "我讨yan豆子。", "讨厌"),
        ("spell_char_swap_h", "I hate beans.", "I hate baens.", "beans"),
        ("spell_char_del_h", "I hate beans.", "I hate bens.", "beans"),
        ("spell_char_repeat_h", "I hate beans.", "I haaate beans.", "hate"),
        ("spell_sent_arabazi_h", "الفول سرطان.", "El fool sartan.", "الفول سرطان"),
    ] {
        assert_eq!(terms(kind, plain, obfuscated), [expected], "{plain} | {obfuscated}");
    }
    for (kind, plain, obfuscated) in [
        ("leet", "all of it is another text", "quite another text"),
        ("spell_space_add_h", "I hate beans.", "I h a t e d beans."),
        ("spell_leet_h", "I hate beans.", "I hated b3ans."),
        ("spell_char_swap_h", "I hate beans.", "I haet all beans."),
        ("spell_char_del_h", "I hate beans.", "I hate bins."),
        ("spell_char_repeat_h", "I hate beans.", "I haaave beans."),
        ("spell_pinyin_h", "我恨豆子。", "我讨yan豆子。"),
        ("spell_pinyin_h", "豆子真是讨厌死了。", "豆子真ty了。"),
        ("spell_sent_arabazi_h", "الفول سرطان.", "El fool marad."),
    ] {
        assert!(terms(kind, plain, obfuscated).is_empty(), "{plain} | {obfuscated}");
    }
}
