//! What words become when they are misspelt: keys of the patterns that are looked for so. Those that are ordinary
//! words are left out, but in a phrase whose other words tell enough. What counts as a misspelling is decided in
//! [`misspelt`](crate::misspelt), which this must agree with.

use std::string::String;
use std::vec::Vec;

use super::ordinary;
use crate::fold::{CLASS_FIRST_LETTER, Script, script, symbol};
use crate::misspelt::{LONG_LETTERS_MIN, Place};

/// Shortest word that may go on, as `murder*`, that is looked for misspelt: of shorter ones too many other words
/// begin so.
const OPEN_LETTERS_MIN: usize = 6;

/// Longest word that is looked for with letters exchanged in two places: longer ones have too many such places.
const TWICE_LETTERS_MAX: usize = 12;

/// A word as it may be misspelt.
pub(super) struct Misspelling {
    pub(super) letters: Vec<char>,
    /// Somebody may mean this word by it.
    pub(super) is_ordinary: bool,
}

/// The misspellings of a word in small letters.
pub(super) fn misspellings(word: &str, place: Place) -> Vec<Misspelling> {
    let letters: Vec<char> = word.chars().collect();
    let n = letters.len();
    if place == Place::Open && n < OPEN_LETTERS_MIN {
        return Vec::new();
    }
    if letters.iter().any(|&letter| script(letter.into()) != Script::Spaced || !letter.is_alphabetic()) {
        return Vec::new();
    }
    let exchanged = (1..n).filter(|&at| place.may_exchange(n) && letters[at] != letters[at - 1]).map(|at| {
        let mut letters = letters.clone();
        letters.swap(at - 1, at);
        letters
    });
    let twice = (1..n).flat_map(|first| (first + 2..n).map(move |second| [first, second])).filter(|places| {
        let differ = |&at: &usize| letters[at] != letters[at - 1];
        place == Place::Alone && (LONG_LETTERS_MIN..=TWICE_LETTERS_MAX).contains(&n) && places.iter().all(differ)
    });
    let twice = twice.map(|places| {
        let mut letters = letters.clone();
        places.iter().for_each(|&at| letters.swap(at - 1, at));
        letters
    });
    let missing = (0..n)
        .filter(|&at| place.may_lack(&letters, |&letter| letter.into(), at))
        .map(|at| [&letters[..at], &letters[at + 1..]].concat());
    let doubled = (1..=n)
        .filter(|&at| place.may_double(n) && letters.get(at) != Some(&letters[at - 1]))
        .map(|at| [&letters[..at], &letters[at - 1..]].concat());
    let all = exchanged.chain(twice).chain(missing).chain(doubled);
    let is_other = |other: &[char]| is_ordinary(other) && !is_elided(&letters, other);
    all.map(|letters| Misspelling { is_ordinary: is_other(&letters), letters }).collect()
}

/// Whether the one is the other without the `e` of its ending, as in `kickd`, which old texts have as a word.
fn is_elided(word: &[char], other: &[char]) -> bool {
    let is_consonant = |letter: &char| letter.is_ascii_lowercase() && !"aeiou".contains(*letter);
    let stem =
        word.strip_suffix(&['e', 'd']).filter(|stem| stem.len() > 2 && stem[stem.len() - 2..].iter().all(is_consonant));
    stem.is_some() && other.strip_suffix(&['d']) == stem
}

/// Whether letters are an English word, or a short one of another language, marks aside.
fn is_ordinary(letters: &[char]) -> bool {
    let latin = |&letter: &char| {
        let at = symbol(letter.into()).checked_sub(CLASS_FIRST_LETTER.into()).filter(|&at| at < 26)?;
        Some(char::from(b'a' + at as u8))
    };
    letters
        .iter()
        .map(latin)
        .collect::<Option<String>>()
        .is_some_and(|word| ordinary::is_english(&word) || ordinary::is_short_word(&word))
}
