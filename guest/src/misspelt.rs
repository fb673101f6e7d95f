//! Misspelt words: two letters exchanged, one left out, one written twice. A pattern that is looked for misspelt has
//! keys for what its words become so, and those that are ordinary words are no keys; here is decided whether what was
//! found by such a key is a misspelling, word by word, so that in a phrase each word may have one. Not for letters
//! written otherwise, which are the fold's, nor for several of these in one short word.

use crate::fold::{self, IGNORABLE, SEPARATOR, Script, decode, script, symbol};
use crate::letters::{Letter, Letters};
use crate::pack::{END_OPEN, PatternRecord};
use crate::verify::{Dropped, agree, letter_before};
use crate::{Evidence, Span};

/// Shortest word in which letters are exchanged, alone and in a phrase.
const EXCHANGED_LETTERS_MIN: [usize; 2] = [4, 3];
/// Shortest word in which any letter is left out: what is left of a shorter one is three letters, which are mostly a
/// word somewhere. In a phrase the others tell.
const MISSING_LETTERS_MIN: [usize; 2] = [5, 4];
/// Words of so many letters may lack an inner vowel, a letter that stands twice, or the `c` of a `ck`, if they have
/// another vowel or an `r`, which is spoken as one: `cck` is short for anything. Those with one letter less may lack
/// their vowel.
const SHORT_LETTERS: usize = 4;
const SHORTEST_LETTERS: usize = SHORT_LETTERS - 1;
const VOWELS: &[u8] = b"aeiouy";
/// Shortest word that may lack its first letter, or an `s` at its end.
const ENDS_LETTERS_MIN: usize = 7;
/// Shortest word in which one is written twice.
const DOUBLED_LETTERS_MIN: usize = 6;
/// Words of so many letters may have letters exchanged in two places.
pub(crate) const LONG_LETTERS_MIN: usize = 8;
/// Longest word that is compared, in letters.
const LETTERS_MAX: usize = 32;
/// Most characters between two words, as misspelt phrases are weaker than others.
const JOINT_CHARACTERS_MAX: usize = 1;

/// A word, letter by letter.
struct Word<T> {
    letters: [T; LETTERS_MAX],
    count: usize,
}

impl<T: Copy> Word<T> {
    fn new(none: T) -> Word<T> {
        Word { letters: [none; LETTERS_MAX], count: 0 }
    }

    fn push(&mut self, letter: T) -> Result<(), Dropped> {
        *self.letters.get_mut(self.count).ok_or(Dropped::Letters)? = letter;
        self.count += 1;
        Ok(())
    }

    fn letters(&self) -> &[T] {
        &self.letters[..self.count]
    }
}

/// A character of the text.
#[derive(Clone, Copy)]
struct Read {
    code: u32,
    class: u16,
    /// Where it ends, with its marks.
    end: usize,
}

/// Where a word of a pattern stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    Alone,
    InPhrase,
    /// It may go on, as in `murder*`.
    Open,
}

impl Place {
    /// Whether letters of a word of `n` may be exchanged.
    pub(crate) fn may_exchange(self, n: usize) -> bool {
        n >= EXCHANGED_LETTERS_MIN[usize::from(self == Place::InPhrase)]
    }

    /// Whether a word may lack the letter at `at`: what may go on lacks neither its first nor its last, and of letters
    /// that stand twice either one may be missing.
    pub(crate) fn may_lack<T>(self, word: &[T], code: impl Fn(&T) -> u32, at: usize) -> bool {
        let n = word.len();
        let is_doubled = at > 0 && at < n && code(&word[at]) == code(&word[at - 1]);
        let is_last = at + 1 == n && !is_doubled;
        let may_end = |letter: &T| self != Place::Open && code(letter) != u32::from(b's');
        let is_within = at > 0 && (!is_last || word.last().is_some_and(may_end));
        let is_of = |letter: Option<&T>, of: &[u8]| {
            letter.and_then(|letter| u8::try_from(fold::letter(code(letter)).0).ok()).is_some_and(|c| of.contains(&c))
        };
        let is_inner_vowel = at > 0 && at + 1 < n && is_of(word.get(at), VOWELS);
        let is_of_ck = is_of(word.get(at), b"c") && is_of(word.get(at + 1), b"k");
        let is_spoken = || (0..n).any(|other| other != at && is_of(word.get(other), b"aeiouyr"));
        let is_short = self == Place::Alone
            && match n {
                SHORT_LETTERS => (is_inner_vowel || is_doubled || at > 0 && is_of_ck) && is_spoken(),
                SHORTEST_LETTERS => is_inner_vowel,
                _ => false,
            };
        n >= MISSING_LETTERS_MIN[usize::from(self == Place::InPhrase)]
            && (is_within || n >= ENDS_LETTERS_MIN && self != Place::Open)
            || is_short
    }

    /// Whether a letter of a word of `n` may stand twice.
    pub(crate) fn may_double(self, n: usize) -> bool {
        n >= DOUBLED_LETTERS_MIN
    }
}

/// Whether the spelling of a pattern is in `text` from byte `start` on with a word or more misspelt, and where it
/// ends. The same without a misspelling is another pattern's.
#[cold]
pub(crate) fn verify(
    spelling: &[u8],
    pattern: &PatternRecord,
    text: &[u8],
    start: usize,
) -> Result<(Span, Evidence), Dropped> {
    if letter_before(text, start, 0).is_some_and(|(before, _)| script(before) != Script::Unspaced) {
        return Err(Dropped::WithinStart);
    }
    let has_apostrophe = spelling.iter().any(|&byte| byte == b'\'' || byte >= 0xE2);
    let mut letters = Letters::new(spelling);
    let mut next = letters.next();
    let (mut at, mut evidence, mut is_misspelt) = (start, Evidence::default(), false);
    while let Some(first) = next {
        let mut wanted = Word::new(first);
        let mut letter = first;
        loop {
            for _ in 0..letter.run {
                wanted.push(letter)?;
            }
            next = letters.next();
            match next.filter(|next| !next.joint) {
                Some(more) => letter = more,
                None => break,
            }
        }
        let (word, end, quiet) = read_word(text, at, if has_apostrophe { wanted.count } else { 0 })?;
        let place = match next {
            None if pattern.flags & END_OPEN != 0 => Place::Open,
            next if next.is_some() || at > start => Place::InPhrase,
            _ => Place::Alone,
        };
        let (slip, folds) = compare(wanted.letters(), word.letters(), place).ok_or(Dropped::Letters)?;
        is_misspelt |= slip != Slip::None;
        evidence = evidence.with(quiet).with(folds);
        // What goes on is no part of it.
        let count = wanted.count + usize::from(slip == Slip::Doubled) - usize::from(slip == Slip::Missing);
        let end = if place == Place::Open { word.letters()[..count].last().map_or(end, |last| last.end) } else { end };
        at = if next.is_some() { after_joint(text, end)? } else { end };
    }
    if !is_misspelt {
        return Err(Dropped::Spelled);
    }
    if evidence.0 & !pattern.folds != 0 {
        return Err(Dropped::Folds(Evidence(evidence.0 & !pattern.folds)));
    }
    let span = Span { start: start as u32, end: at as u32 };
    Ok((span, evidence.with(Evidence(pattern.adds))))
}

/// The word that begins at `at`, where it ends, and what in it does not show. Apostrophes are within it if more than
/// one letter of `wanted` comes after them.
fn read_word(text: &[u8], mut at: usize, wanted: usize) -> Result<(Word<Read>, usize, Evidence), Dropped> {
    let mut word = Word::new(Read { code: 0, class: 0, end: 0 });
    let (mut end, mut quiet) = (at, Evidence::default());
    let mut skipped = Evidence::default();
    while at < text.len() {
        let (code, length) = decode(&text[at..]);
        let class = symbol(code);
        at += length;
        match class {
            IGNORABLE => {
                let is_mark = fold::is_mark(code);
                skipped = skipped.with(if is_mark { Evidence::DIACRITIC } else { Evidence::INVISIBLE });
                if is_mark && let Some(last) = word.count.checked_sub(1) {
                    (word.letters[last].end, end) = (at, at);
                }
                continue;
            }
            SEPARATOR if matches!(char::from_u32(code), Some('\'' | '’')) && wanted > word.count + 1 => continue,
            SEPARATOR => break,
            _ if script(code) != Script::Spaced => break,
            _ => {}
        }
        word.push(Read { code, class, end: at })?;
        (end, quiet) = (at, quiet.with(skipped));
        skipped = Evidence::default();
    }
    Ok((word, end, quiet))
}

/// Where the next word begins after one that ends at `end`.
fn after_joint(text: &[u8], end: usize) -> Result<usize, Dropped> {
    let (mut at, mut count) = (end, 0);
    while at < text.len() {
        let (code, length) = decode(&text[at..]);
        match symbol(code) {
            IGNORABLE => {}
            SEPARATOR if count == JOINT_CHARACTERS_MAX => return Err(Dropped::Joint),
            SEPARATOR => count += 1,
            _ if count == 0 => return Err(Dropped::Joint),
            _ => return Ok(at),
        }
        at += length;
    }
    Err(Dropped::Letters)
}

/// How a word is misspelt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Slip {
    None,
    Exchanged,
    Missing,
    Doubled,
}

/// Compares a word of the text with that of a pattern: the slip and the folds that make the one the other; `None` if
/// they are other words.
fn compare(wanted: &[Letter], word: &[Read], place: Place) -> Option<(Slip, Evidence)> {
    let (n, is_open) = (wanted.len(), place == Place::Open);
    let before = common(wanted, word);
    let start = all(&wanted[..before], &word[..before], false)?;
    let (rest, read) = (&wanted[before..], &word[before..]);
    if rest.is_empty()
        && let Some(folds) = all(rest, read, is_open)
    {
        return Some((Slip::None, start.with(folds)));
    }
    let once = || {
        let (folds, rest, read) = exchanged(rest, read).filter(|_| place.may_exchange(n))?;
        let twice = || {
            let same = common(rest, read);
            let start = all(&rest[..same], &read[..same], false)?;
            let (folds, rest, read) = exchanged(&rest[same..], &read[same..]).filter(|_| n >= LONG_LETTERS_MIN)?;
            Some(start.with(folds).with(all(rest, read, is_open)?))
        };
        Some(folds.with(all(rest, read, is_open).or_else(twice)?))
    };
    let missing =
        || all(rest.get(1..)?, read, is_open).filter(|_| place.may_lack(wanted, |letter| letter.code, before));
    let doubled = || {
        let (double, read) = read.split_first().filter(|_| place.may_double(n))?;
        Some(same(&wanted[before.checked_sub(1)?], double)?.with(all(rest, read, is_open)?))
    };
    let slips = once().map(|folds| (Slip::Exchanged, folds));
    let slips = slips.or_else(|| Some((Slip::Missing, missing()?))).or_else(|| Some((Slip::Doubled, doubled()?)));
    slips.map(|(slip, folds)| (slip, start.with(folds)))
}

/// The folds that make a letter of the text the wanted one.
fn same(wanted: &Letter, read: &Read) -> Option<Evidence> {
    let folds = (read.class == wanted.class).then(|| agree(read.code, read.class, wanted)).flatten()?;
    // Letters of one alphabet that differ by a mark: that both look like others is no matter.
    let of_both = fold::letter(read.code).1.0 & wanted.kind.0 & Evidence::LOOK_ALIKE.0;
    Some(Evidence(folds.0 & !of_both))
}

/// How many letters are the same at the start.
fn common(wanted: &[Letter], word: &[Read]) -> usize {
    wanted.iter().zip(word).take_while(|(wanted, read)| same(wanted, read).is_some()).count()
}

/// The folds that make the letters of the text those of the pattern, one by one.
fn all(wanted: &[Letter], word: &[Read], is_open: bool) -> Option<Evidence> {
    let ends = if is_open { word.len() >= wanted.len() } else { word.len() == wanted.len() };
    let mut pairs = wanted.iter().zip(word).filter(|_| ends);
    let folds = pairs.try_fold(Evidence::default(), |folds, (wanted, read)| Some(folds.with(same(wanted, read)?)))?;
    ends.then_some(folds)
}

/// The folds if the first two letters are exchanged, and what comes after them.
fn exchanged<'w, 't>(wanted: &'w [Letter], word: &'t [Read]) -> Option<(Evidence, &'w [Letter], &'t [Read])> {
    match (wanted, word) {
        ([a, b, wanted @ ..], [c, d, word @ ..]) => Some((same(a, d)?.with(same(b, c)?), wanted, word)),
        _ => None,
    }
}
