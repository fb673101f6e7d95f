//! Words that others are glued to so that no filter sees where they begin: `getcasinonow`. Only such as say
//! nothing; a term that makes an ordinary word with one of them, as `the` and what follows in `therapist`, is not
//! looked for so.

use crate::fold::{CLASS_FIRST_LETTER, decode, decode_before};

/// The words, before and after others.
pub(crate) const GLUE: [&str; 57] = [
    "get", "buy", "now", "free", "cheap", "best", "order", "online", "my", "your", "our", "no", "win", "real", "hot",
    "top", "new", "shop", "store", "need", "want", "visit", "click", "try", "join", "sale", "www", "com", "the",
    "this", "that", "and", "for", "with", "you", "are", "all", "club", "bonus", "play", "game", "games", "site",
    "link", "app", "here", "today", "fast", "easy", "big", "super", "vip", "live", "cash", "money", "deal", "offer",
];
/// Shortest word that is looked for in others, in letters.
const GLUED_LETTERS_MIN: usize = 5;

/// Longest word in which others are looked for, in letters.
pub(crate) const LETTERS_MAX: usize = 32;

/// The letters of a word in which another may be.
pub(crate) fn long_enough(letters: impl Iterator<Item = u8>, buffer: &mut [u8; LETTERS_MAX]) -> Option<&[u8]> {
    let mut count = 0;
    for letter in letters {
        *buffer.get_mut(count)? = letter;
        count += 1;
    }
    (count > GLUED_LETTERS_MIN + 1).then_some(&buffer[..count])
}

/// A word of the glue at one end of folded letters.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Glue {
    /// How many folded letters it has, repeats left out.
    pub(crate) letters: usize,
    pub(crate) bytes: u32,
}

/// A word of the glue as it is compared.
#[derive(Clone, Copy)]
struct Folded {
    /// Its folded letters, one byte a letter, the first in the lowest byte.
    letters: u64,
    glue: Glue,
}

/// The words in folded letters; none has more than eight.
static FOLDED: [Folded; GLUE.len()] = {
    let mut all = [Folded { letters: 0, glue: Glue { letters: 0, bytes: 0 } }; GLUE.len()];
    let mut word = 0;
    while word < GLUE.len() {
        let bytes = GLUE[word].as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            if at == 0 || bytes[at] != bytes[at - 1] {
                all[word].letters |= ((bytes[at] - b'a' + CLASS_FIRST_LETTER) as u64) << (8 * all[word].glue.letters);
                all[word].glue.letters += 1;
            }
            at += 1;
        }
        all[word].glue.bytes = bytes.len() as u32;
        word += 1;
    }
    all
};

/// No glue, and what glue the letters begin with.
pub(crate) fn before(letters: &[u8]) -> impl Iterator<Item = Glue> {
    let head = letters.iter().take(8).rev().fold(0, |head, &letter| head << 8 | u64::from(letter));
    let is_there = move |word: &Folded| (word.letters ^ head) << (64 - 8 * word.glue.letters) == 0;
    at_end(letters.len(), is_there)
}

/// No glue, and what glue the letters end with.
pub(crate) fn after(letters: &[u8]) -> impl Iterator<Item = Glue> {
    let end = &letters[letters.len().saturating_sub(8)..];
    let tail = end.iter().rev().fold(0, |tail, &letter| tail << 8 | u64::from(letter)) << (8 * (8 - end.len()));
    at_end(letters.len(), move |word: &Folded| tail >> (64 - 8 * word.glue.letters) == word.letters)
}

/// No glue, and the glue that is there with enough letters beside it, of `letters`.
fn at_end(letters: usize, is_there: impl Fn(&Folded) -> bool) -> impl Iterator<Item = Glue> {
    let fits = move |word: &&Folded| is_there(word) && letters >= word.glue.letters + GLUED_LETTERS_MIN;
    core::iter::once(Glue::default()).chain(FOLDED.iter().filter(fits).map(|word| word.glue))
}

/// Whether the letters that touch what starts at `start` are a word of the glue.
pub(crate) fn is_before(text: &[u8], start: usize) -> bool {
    let Some(last) = start.checked_sub(1).map(|last| text[last].to_ascii_lowercase()) else { return false };
    GLUE.iter().filter(|word| word.as_bytes().last() == Some(&last)).any(|word| {
        let from = start.checked_sub(word.len());
        from.is_some_and(|from| {
            text[from..start].eq_ignore_ascii_case(word.as_bytes())
                && decode_before(text, from).is_none_or(|(code, _)| !is_letter(code))
        })
    })
}

/// Whether the letters that touch what ends at `end` are a word of the glue.
pub(crate) fn is_after(text: &[u8], end: usize) -> bool {
    let Some(first) = text.get(end).map(u8::to_ascii_lowercase) else { return false };
    GLUE.iter().filter(|word| word.as_bytes()[0] == first).any(|word| {
        let after = text.get(end..end + word.len());
        after.is_some_and(|after| {
            let rest = &text[end + word.len()..];
            after.eq_ignore_ascii_case(word.as_bytes()) && (rest.is_empty() || !is_letter(decode(rest).0))
        })
    })
}

fn is_letter(code: u32) -> bool {
    char::from_u32(code).is_some_and(char::is_alphabetic)
}
