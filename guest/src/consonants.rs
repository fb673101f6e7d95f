//! How Arabic sounds: the consonants of a text in their order, whether it is in Arabic letters or in Latin ones with
//! digits among them, so that `bt2rf` and `بتأرف` are found for `بتقرف`. Vowels, long ones too, are left out, as nobody
//! writes them alike, and so are letters that dialects do not speak. Terms that ask for it are searched here by
//! classes of consonants that are written for each other, and then compared letter by letter. Not for short words:
//! three consonants are many words.

use alloc::vec::Vec;

use crate::fold::{self, IGNORABLE, SEPARATOR, decode, symbol};
use crate::pack::PatternRecord;
use crate::pieces::GAP_CHARACTERS_MAX;
use crate::verify::Dropped;
use crate::{Evidence, Span};

/// A set of Arabic letters: a bit for each of [`LETTERS`], and two more.
type Set = u32;

/// The consonants of Arabic, and the feminine ending.
const LETTERS: &str = "بتثجحخدذرزسشصضطظعغفقكلمنهة";
/// Letters that stand for vowels.
const VOWEL: Set = 1 << 26;
/// Letters that stand for a glottal stop.
const STOP: Set = 1 << 27;
/// What may be missing, or be too much.
const WEAK: Set = VOWEL | STOP | set("هة");
/// What else may be missing: in Latin letters it is often written as a vowel.
const MAY_LACK: Set = WEAK | set("ع");

/// Which of the consonants of a pattern each letter may be written for; others for themselves only.
const WRITTEN: [(char, &str); 31] = [
    ('ت', "تثطة"),
    ('ث', "ثتس"),
    ('ط', "طت"),
    ('س', "سصث"),
    ('ص', "صس"),
    ('د', "دذض"),
    ('ذ', "ذدزظ"),
    ('ز', "زذظ"),
    ('ض', "ضظد"),
    ('ظ', "ظضزذ"),
    ('ة', "ةته"),
    ('ه', "هة"),
    ('b', "ب"),
    ('p', "ب"),
    ('t', "تطثة"),
    ('d', "دضذ"),
    ('j', "ج"),
    ('g', "جقغ"),
    ('k', "كق"),
    ('q', "قك"),
    ('c', "ك"),
    ('x', "خ"),
    ('f', "ف"),
    ('v', "ف"),
    ('r', "ر"),
    ('z', "زذظ"),
    ('s', "سصث"),
    ('l', "ل"),
    ('m', "م"),
    ('n', "ن"),
    ('h', "هحة"),
];
/// The same of two Latin letters for one, by that before the `h`.
const BEFORE_H: [(u8, &str); 6] = [(b's', "ش"), (b'c', "ش"), (b't', "ثذت"), (b'd', "ذضظ"), (b'k', "خ"), (b'g', "غ")];
/// The same of digits from 2 on, and of those with an apostrophe beside them.
const DIGITS: [[&str; 2]; 8] =
    [["ق", "ق"], ["ع", "غ"], ["ذ", "ذ"], ["خ", "خ"], ["ط", "ظ"], ["ح", "خ"], ["غق", "غق"], ["ص", "ض"]];

/// Classes of consonants that may be written for each other; of what is in no class nothing is searched.
const CLASSES: [Set; 10] =
    [set("ب"), set("ف"), set("تثدذزسصضطظ"), set("ش"), set("جغقك"), set("خ"), set("ل"), set("م"), set("ن"), set("ر")];
/// The symbol of the first class: no syllable has it.
const CLASS_FIRST: u16 = 0x800;
/// Stands for what is no letter of a word: nothing matches over it.
const BREAK: u16 = u16::MAX;

/// So many consonants are told from others,
const TELLING_MIN: usize = 5;
/// so many where letters of both alphabets or digits are among them,
const MIXED_TELLING_MIN: usize = 4;
/// and so many of one word in Latin letters between words in Arabic ones.
const BETWEEN_TELLING_MIN: usize = 2;
/// So many letters in a row may be too much, as where a vowel is drawn out.
const SKIPPED_MAX: usize = 32;
/// In so many letters before the first consonant its first word may begin.
const WEAK_BEFORE_MAX: usize = 16;
/// Longest word that is written apart from the one it belongs to, as the article is, in letters.
const PARTICLE_LETTERS_MAX: usize = 3;

const fn set(letters: &str) -> Set {
    let (of, bytes) = (LETTERS.as_bytes(), letters.as_bytes());
    let (mut set, mut at) = (0, 0);
    while at < bytes.len() {
        let mut letter = 0;
        while of[letter] != bytes[at] || of[letter + 1] != bytes[at + 1] {
            letter += 2;
        }
        set |= 1 << (letter / 2);
        at += 2;
    }
    set
}

/// What is left out: marks, apostrophes and strokes that letters are drawn out with.
fn is_silent(code: u32) -> bool {
    symbol(code) == IGNORABLE || is_apostrophe(code) || code == 0x640
}

fn is_apostrophe(code: u32) -> bool {
    matches!(code, 0x27 | 0x60 | 0x2018 | 0x2019)
}

/// What the letter of a code point itself is, and what it may be written for. The fold takes some Arabic letters for
/// others, which are told apart here.
#[inline]
fn known(code: u32) -> Known {
    let at = |code: u32| match code {
        0..0x80 => Some(code as usize),
        ARABIC_FIRST..ARABIC_END => Some((0x80 + code - ARABIC_FIRST) as usize),
        _ => None,
    };
    let place = at(code).or_else(|| at(fold::letter(code).0));
    place.map_or(Known { own: 0, written: 0 }, |place| KNOWN[place])
}

/// What is known of a letter.
#[derive(Clone, Copy)]
struct Known {
    own: Set,
    written: Set,
}

const ARABIC_FIRST: u32 = 0x620;
const ARABIC_END: u32 = 0x6D4;

/// Of ASCII and of the Arabic letters.
static KNOWN: [Known; 0x80 + (ARABIC_END - ARABIC_FIRST) as usize] = {
    let mut known = [Known { own: 0, written: 0 }; 0x80 + (ARABIC_END - ARABIC_FIRST) as usize];
    let mut place = 0;
    while place < known.len() {
        let code = if place < 0x80 { place as u32 } else { place as u32 - 0x80 + ARABIC_FIRST };
        let own = own(code);
        known[place] = Known { own, written: written(code, own) };
        place += 1;
    }
    known
};

const fn own(code: u32) -> Set {
    match char::from_u32(code) {
        Some('أ' | 'إ' | 'آ' | 'ا' | 'ٱ' | 'ئ' | 'ؤ' | 'ء') => VOWEL | STOP,
        Some('و' | 'ي' | 'ى' | 'ی') => VOWEL,
        Some('پ') => set("ب"),
        Some('ڤ') => set("ف"),
        Some('چ') => set("ج"),
        Some('گ' | 'ک') => set("ك"),
        _ => {
            let of = LETTERS.as_bytes();
            let mut at = 0;
            // All of them have two bytes.
            while at < of.len() {
                if code == (of[at] as u32 & 0x1F) << 6 | of[at + 1] as u32 & 0x3F {
                    return 1 << (at / 2);
                }
                at += 2;
            }
            0
        }
    }
}

const fn written(code: u32, own: Set) -> Set {
    let code = if code < 0x80 { (code as u8).to_ascii_lowercase() as u32 } else { code };
    if let Some('a' | 'e' | 'i' | 'o' | 'u' | 'w' | 'y') = char::from_u32(code) {
        return VOWEL;
    }
    let mut at = 0;
    while at < WRITTEN.len() {
        if WRITTEN[at].0 as u32 == code {
            return set(WRITTEN[at].1);
        }
        at += 1;
    }
    own
}

/// The symbol of what may be written for these.
#[inline]
fn class(of: Set) -> Option<u16> {
    // What may be several letters is of one class.
    let symbol = if of & STOP == 0 { CLASS_OF[(of & CLASSED).trailing_zeros() as usize] } else { 0 };
    (symbol != 0).then_some(symbol)
}

/// All letters that are in a class.
const CLASSED: Set = {
    let (mut all, mut class) = (0, 0);
    while class < CLASSES.len() {
        all |= CLASSES[class];
        class += 1;
    }
    all
};

/// By the bit of a letter, the symbol of its class; 0 where it has none.
static CLASS_OF: [u16; Set::BITS as usize + 1] = {
    let mut of = [0; Set::BITS as usize + 1];
    let mut class = 0;
    while class < CLASSES.len() {
        let mut bit = 0;
        while bit < Set::BITS {
            if CLASSES[class] >> bit & 1 == 1 {
                of[bit as usize] = CLASS_FIRST + class as u16;
            }
            bit += 1;
        }
        class += 1;
    }
    of
};

/// Whether a symbol is left out after another: the same one in a word, and of `l` also where a word has begun, as the
/// article is written with its word or apart from it.
fn is_repeat(before: Option<&u16>, symbol: u16, has_begun: bool) -> bool {
    before == Some(&symbol) && (!has_begun || Some(symbol) == class(set("ل")))
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Alphabet {
    Arabic,
    Latin,
    Digits,
    Other,
}

/// A letter of a text.
#[derive(Clone, Copy, Debug)]
struct Heard {
    /// Nothing where something else stands.
    set: Set,
    alphabet: Alphabet,
    starts_word: bool,
    start: u32,
    end: u32,
}

impl Heard {
    fn is_weak(self) -> bool {
        self.set & WEAK != 0 && self.set & !(WEAK | set("حت")) & !set("ق") == 0
    }
}

/// How much of a text is the same as a pattern.
struct Same {
    /// The letter that it ends before.
    end: usize,
    /// How many consonants tell it from others.
    telling: usize,
    /// A digit stands for one of its letters.
    has_digit: bool,
}

/// A letter of a pattern.
#[derive(Clone, Copy)]
struct Wanted {
    set: Set,
    starts_word: bool,
}

/// The letters of a pattern, and `None` for each that is not Arabic.
fn wanted(spelling: &[u8]) -> impl Iterator<Item = Option<Wanted>> + Clone + '_ {
    let (mut rest, mut starts_word) = (spelling, true);
    core::iter::from_fn(move || {
        while !rest.is_empty() {
            let (code, length) = decode(rest);
            rest = &rest[length..];
            match (known(code).own, symbol(code)) {
                _ if is_silent(code) => {}
                (0, SEPARATOR) => starts_word = true,
                (0, _) => return Some(None),
                (set, _) => return Some(Some(Wanted { set, starts_word: core::mem::take(&mut starts_word) })),
            }
        }
        None
    })
}

/// How many consonants tell a pattern from others.
#[cfg(feature = "compile")]
fn telling(wanted: &[Wanted]) -> usize {
    let mut last = 0;
    wanted
        .iter()
        .filter(|letter| letter.set & WEAK == 0)
        .filter(|letter| core::mem::replace(&mut last, letter.set) != letter.set)
        .count()
}

/// The symbols that a pattern may be found by: the first two, or four if it has as many, with and without those that
/// may be written otherwise. Nothing if it is not all Arabic, or too short.
#[cfg(feature = "compile")]
pub(crate) fn keys(spelling: &str) -> Vec<Vec<u16>> {
    let Some(wanted) = wanted(spelling.as_bytes()).collect::<Option<Vec<Wanted>>>() else { return Vec::new() };
    let count = match telling(&wanted) {
        0..BETWEEN_TELLING_MIN => return Vec::new(),
        BETWEEN_TELLING_MIN..MIXED_TELLING_MIN => 2,
        _ => 4,
    };
    let mut keys: Vec<Vec<u16>> = alloc::vec![Vec::new()];
    let mut has_begun = false;
    for letter in &wanted {
        has_begun |= letter.starts_word;
        let is_either = letter.set & set("قة") != 0;
        let symbol = if letter.set == set("ة") { class(set("ت")) } else { class(letter.set) };
        let Some(symbol) = symbol else { continue };
        let mut longer = Vec::new();
        for key in &mut keys {
            if key.len() < count && !is_repeat(key.last(), symbol, has_begun) {
                if is_either {
                    longer.push(key.clone());
                }
                key.push(symbol);
            }
        }
        keys.append(&mut longer);
        // Where it is left out, the next one is the first of its word.
        has_begun &= is_either;
    }
    keys.retain(|key| key.len() == count);
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// A text as its consonants sound. Keeps its memory from message to message.
#[derive(Debug, Default)]
pub(crate) struct Consonants {
    /// Classes of consonants, without [repeats](is_repeat), and [`BREAK`] between what does not go together.
    pub(crate) symbols: Vec<u16>,
    /// The letter of each symbol.
    places: Vec<u32>,
    letters: Vec<Heard>,
    /// A word has begun since the last symbol.
    has_begun: bool,
    /// Letters of both alphabets are there.
    pub(crate) is_mixed: bool,
}

impl Consonants {
    pub(crate) fn read(&mut self, text: &[u8]) {
        self.symbols.clear();
        self.places.clear();
        self.letters.clear();
        let (mut has, mut gap, mut at) = ([false; 2], 1, 0);
        while at < text.len() {
            let (code, mut length) = match text[at] {
                ascii @ 0..0x80 => (ascii.into(), 1),
                _ => decode(&text[at..]),
            };
            if is_silent(code) {
                at += length;
                continue;
            }
            let (set, alphabet) = if let Some(digit) = digit(text, at) {
                (digit, Alphabet::Digits)
            } else if code < 0x80 || !matches!(code, ARABIC_FIRST..ARABIC_END) && is_latin(code) {
                let two = two(text, at);
                length = if two.is_some() { 2 } else { length };
                (two.unwrap_or_else(|| known(code).written), Alphabet::Latin)
            } else {
                (known(code).written, Alphabet::Arabic)
            };
            let (start, end) = (at as u32, (at + length) as u32);
            at += length;
            if set != 0 {
                if gap > GAP_CHARACTERS_MAX {
                    self.push(Heard { set: 0, alphabet: Alphabet::Other, starts_word: true, start, end: start });
                }
                has[0] |= alphabet == Alphabet::Arabic;
                has[1] |= alphabet == Alphabet::Latin;
                self.push(Heard { set, alphabet, starts_word: gap > 0, start, end });
                gap = 0;
            } else if symbol(code) == SEPARATOR {
                gap += 1;
            } else {
                self.push(Heard { set: 0, alphabet: Alphabet::Other, starts_word: true, start, end });
                gap = 1;
            }
        }
        self.is_mixed = has == [true; 2];
    }

    fn push(&mut self, heard: Heard) {
        let symbol = if heard.set == 0 { Some(BREAK) } else { class(heard.set) };
        self.has_begun |= heard.starts_word;
        if let Some(symbol) = symbol.filter(|&symbol| !is_repeat(self.symbols.last(), symbol, self.has_begun)) {
            self.symbols.push(symbol);
            self.places.push(self.letters.len() as u32);
        }
        self.has_begun &= symbol.is_none();
        self.letters.push(heard);
    }

    /// Whether the pattern sounds in the text from a symbol on, and where.
    pub(crate) fn verify(
        &self,
        spelling: &[u8],
        pattern: &PatternRecord,
        text: &[u8],
        symbol: usize,
    ) -> Result<(Span, Evidence), Dropped> {
        let wanted = wanted(spelling).flatten();
        let place = self.places.get(symbol).map_or(0, |&place| place as usize);
        // A word begins there, perhaps with what has no symbol.
        let weak = (place.saturating_sub(WEAK_BEFORE_MAX)..place)
            .rev()
            .take_while(|&at| class(self.letters[at].set).is_none() && self.letters[at].set != 0);
        let mut starts = core::iter::once(place).chain(weak).filter(|&at| self.letters[at].starts_word);
        let (first, same) =
            starts.find_map(|first| Some((first, self.align(wanted.clone(), first)?))).ok_or(Dropped::Letters)?;
        let end = same.end;
        let heard = &self.letters[first..end];
        let has = |alphabet: Alphabet| heard.iter().any(|letter| letter.alphabet == alphabet);
        let has_other = has(Alphabet::Latin) || has(Alphabet::Digits);
        let is_mixed = same.has_digit || has(Alphabet::Arabic) && has_other;
        let is_one_word = heard.iter().filter(|letter| letter.starts_word).count() == 1;
        let is_arabic = |at: Option<usize>| {
            at.and_then(|at| self.letters.get(at)).is_some_and(|letter| letter.alphabet == Alphabet::Arabic)
        };
        let is_between =
            is_one_word && is_arabic(first.checked_sub(1)) && is_arabic(Some(end)) && !has(Alphabet::Arabic);
        let telling_min = match (is_between, is_mixed) {
            (true, _) => BETWEEN_TELLING_MIN,
            (_, true) => MIXED_TELLING_MIN,
            _ => TELLING_MIN,
        };
        if same.telling < telling_min {
            return Err(Dropped::PlainLetters);
        }
        let span = Span { start: heard[0].start, end: heard[heard.len() - 1].end };
        if text[span.start as usize..span.end as usize] == *spelling {
            return Err(Dropped::Spelled);
        }
        match Evidence::SOUND.0 & !pattern.folds {
            0 => Ok((span, Evidence::SOUND)),
            folds => Err(Dropped::Folds(Evidence(folds))),
        }
    }

    /// What of the letters from `first` on is the same as the pattern, if all of it is.
    fn align(&self, wanted: impl Iterator<Item = Wanted>, first: usize) -> Option<Same> {
        let mut same = Same { end: first, telling: 0, has_digit: false };
        // Since the last letter that was the same: whether a word began in the pattern, and one ended in the text that
        // is more than a particle.
        let (mut starts, mut has_ended) = (false, false);
        let (mut heard_before, mut wanted_before, mut is_after_vowel) = (0, 0, false);
        let mut word = first;
        for letter in wanted {
            starts |= letter.starts_word;
            if letter.starts_word && same.end > first {
                // What is left of the word before is none of this one.
                same.end += self.weak_within_word(same.end);
            }
            let skipped_end = same.end + SKIPPED_MAX;
            loop {
                let at = same.end;
                let heard = self.letters.get(at).filter(|heard| heard.set != 0);
                if at > word && heard.is_some_and(|heard| heard.starts_word) {
                    has_ended |= at - word > PARTICLE_LETTERS_MAX;
                    word = at;
                }
                let is_stop = |heard: &Heard| heard.set & STOP != 0 && letter.set == set("ق");
                if let Some(heard) = heard.filter(|heard| heard.set & letter.set != 0 || is_stop(heard)) {
                    // Words are parted where they are in the pattern; particles from theirs as well.
                    if has_ended && !starts {
                        return None;
                    }
                    same.telling += usize::from(letter.set & WEAK == 0 && letter.set != wanted_before);
                    same.has_digit |= heard.alphabet == Alphabet::Digits;
                    same.end += 1;
                    (starts, has_ended) = (false, false);
                    heard_before = if heard.is_weak() { heard_before } else { heard.set };
                    break;
                }
                let is_nunation = is_after_vowel && letter.starts_word && self.ends_in_nun(at);
                let may_skip = |heard: &Heard| heard.is_weak() || heard.set == heard_before || is_nunation;
                if at < skipped_end && heard.is_some_and(may_skip) {
                    same.end += 1;
                } else if letter.set & MAY_LACK != 0 || letter.set == wanted_before {
                    break;
                } else {
                    return None;
                }
            }
            is_after_vowel = letter.set & VOWEL != 0;
            wanted_before = if letter.set & WEAK == 0 { letter.set } else { wanted_before };
        }
        if is_after_vowel && self.ends_in_nun(same.end) {
            same.end += 1;
        }
        same.end += self.weak_within_word(same.end);
        self.letters.get(same.end).is_none_or(|next| next.starts_word).then_some(same)
    }

    /// How many letters from `at` on go on in a word and may be too much.
    fn weak_within_word(&self, at: usize) -> usize {
        let letters = self.letters[at..].iter().take(SKIPPED_MAX);
        letters.take_while(|heard| heard.is_weak() && !heard.starts_word).count()
    }

    /// Whether a word ends in an `n` here, as one in Arabic letters does not that is spoken so.
    fn ends_in_nun(&self, at: usize) -> bool {
        self.letters.get(at).is_some_and(|heard| heard.set == set("ن") && !heard.starts_word)
            && self.letters.get(at + 1).is_none_or(|next| next.starts_word)
    }

    /// Where in the text a symbol is.
    #[cfg(feature = "explain")]
    pub(crate) fn place(&self, symbol: usize) -> u32 {
        self.places.get(symbol).and_then(|&at| self.letters.get(at as usize)).map_or(0, |letter| letter.start)
    }
}

/// Whether the fold makes a letter a to z of a code point.
fn is_latin(code: u32) -> bool {
    u8::try_from(fold::letter(code).0).is_ok_and(|letter| letter.is_ascii_lowercase())
}

/// What two Latin letters at `at` may be written for, if they are written for one.
fn two(text: &[u8], at: usize) -> Option<Set> {
    let &[first, b'h' | b'H'] = text[at..].first_chunk()? else { return None };
    BEFORE_H.iter().find(|(of, _)| of.eq_ignore_ascii_case(&first)).map(|(_, letters)| set(letters))
}

/// What a digit at `at` may be written for, if it stands among letters.
fn digit(text: &[u8], at: usize) -> Option<Set> {
    let [plain, marked] = DIGITS.get(text[at].checked_sub(b'2')? as usize)?;
    // Of two digits letters are on both sides, else they are a number.
    let is_digit = |at: Option<usize>| at.and_then(|at| text.get(at)).is_some_and(u8::is_ascii_digit);
    let first = if is_digit(at.checked_sub(1)) { at - 1 } else { at };
    let end = if is_digit(Some(at + 1)) { at + 2 } else { at + 1 };
    let before = fold::decode_before(text, first).map(|(code, _)| code);
    let after = text.get(end..).filter(|rest| !rest.is_empty()).map(|rest| decode(rest).0);
    let sides = || [before, after].into_iter().flatten();
    let is_marked = end == first + 1 && sides().any(is_apostrophe);
    let letters = sides().filter(|&code| is_apostrophe(code) || known(code).written != 0).count();
    let is_number = sides().any(|code| char::from_u32(code).is_some_and(char::is_numeric));
    let stop = if text[at] == b'2' { VOWEL | STOP } else { 0 };
    let is_letter = !is_number && letters >= end - first;
    is_letter.then(|| set(if is_marked { marked } else { plain }) | stop)
}
