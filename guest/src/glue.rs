//! Words that others are glued to so that no filter sees where they begin: `getcasinonow`. Only such as say
//! nothing, and that do not make other words with what follows; `therapist` has no `the` before it.

use crate::fold::{CLASS_FIRST_LETTER, decode, decode_before};

/// The words, before and after others.
const GLUE: [&str; 28] = [
    "get", "buy", "now", "free", "cheap", "best", "order", "online", "my", "your", "our", "no", "win", "real", "hot",
    "top", "new", "shop", "store", "need", "want", "visit", "click", "try", "join", "sale", "www", "com",
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

/// No glue, and what glue the letters begin with.
pub(crate) fn before(letters: &[u8]) -> impl Iterator<Item = Glue> {
    core::iter::once(Glue::default()).chain(GLUE.iter().filter_map(move |word| {
        let folded = folded(word);
        let is_there =
            letters.iter().copied().zip(folded.clone()).take_while(|(a, b)| a == b).count() == folded.clone().count();
        glue(word, folded.count(), letters.len(), is_there)
    }))
}

/// No glue, and what glue the letters end with.
pub(crate) fn after(letters: &[u8]) -> impl Iterator<Item = Glue> {
    core::iter::once(Glue::default()).chain(GLUE.iter().filter_map(move |word| {
        let count = folded(word).count();
        let is_there = letters.len() >= count && letters[letters.len() - count..].iter().copied().eq(folded(word));
        glue(word, count, letters.len(), is_there)
    }))
}

fn glue(word: &str, letters: usize, of: usize, is_there: bool) -> Option<Glue> {
    (is_there && of >= letters + GLUED_LETTERS_MIN).then_some(Glue { letters, bytes: word.len() as u32 })
}

fn folded(word: &'static str) -> impl Iterator<Item = u8> + Clone {
    let bytes = word.as_bytes();
    let keeps = move |at: &usize| *at == 0 || bytes[*at] != bytes[*at - 1];
    (0..bytes.len()).filter(keeps).map(move |at| bytes[at] - b'a' + CLASS_FIRST_LETTER)
}

/// Whether the letters that touch what starts at `start` are a word of the glue.
pub(crate) fn is_before(text: &[u8], start: usize) -> bool {
    GLUE.iter().any(|word| {
        let from = start.checked_sub(word.len());
        from.is_some_and(|from| {
            text[from..start].eq_ignore_ascii_case(word.as_bytes())
                && decode_before(text, from).is_none_or(|(code, _)| !is_letter(code))
        })
    })
}

/// Whether the letters that touch what ends at `end` are a word of the glue.
pub(crate) fn is_after(text: &[u8], end: usize) -> bool {
    GLUE.iter().any(|word| {
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
