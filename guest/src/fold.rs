//! The fold: from characters to the symbols that are searched. One look-up a character; what case,
//! width, marks or style distinguish shares one symbol. Not for deciding whether a match counts: a
//! symbol may join too much, and [`verify`](crate::verify) looks at the characters again.
//!
//! # The table (`fold.bin`, little-endian, written by `guest/tables`)
//!
//! | bytes | what |
//! |---|---|
//! | 4 | Unicode version: `major << 16 \| minor << 8 \| patch` |
//! | 3 × 4 | how many index entries, page entries, letters follow |
//! | 8 | XXH3-64 of all that follows: the name of the table |
//! | 2 each | index: page number of each 128 code points; `0xFFFF` = every code point a letter of its own |
//! | 2 each | pages: the class of each code point |
//! | 4 each | letters: `code point \| kind << 24`, ascending, for all that are not their own letter |
//! | 4 each | the letter each of those stands for once case and width are folded |
//!
//! Class 0 vanishes (invisible characters, marks), class 1 separates, all others are letters. Classes
//! below [`CLASS_COMPUTED`] name one letter; those above are computed and may collide.

use crate::Evidence;

/// A class of characters that the search does not tell apart.
pub(crate) type Symbol = u16;

/// Characters that vanish: invisible ones, format characters, marks.
pub(crate) const IGNORABLE: Symbol = 0;
/// Everything between words.
pub(crate) const SEPARATOR: Symbol = 1;
/// Letters a to z have the classes from here on.
pub(crate) const CLASS_FIRST_LETTER: u8 = 2;
/// Digits 0 to 9 have the classes from here on.
pub(crate) const CLASS_FIRST_DIGIT: u8 = CLASS_FIRST_LETTER + 26;
/// From here on a class is computed from the code point and two letters may share one.
pub(crate) const CLASS_COMPUTED: Symbol = 0x8000;

/// The version of the Unicode data behind the fold: major, minor, patch.
pub const UNICODE_VERSION: (u8, u8, u8) = (TABLE[2], TABLE[1], TABLE[0]);

static TABLE: &[u8] = include_bytes!("fold.bin");
const INDEX_N: usize = word(1) as usize;
const PAGES_N: usize = word(2) as usize;
const LETTERS_N: usize = word(3) as usize;
const PAGE: usize = 128;
const PAGE_PLAIN: u16 = u16::MAX;
const HEADER: usize = 24;

static INDEX: [u16; INDEX_N] = halves(HEADER);
static PAGES: [u16; PAGES_N] = halves(HEADER + 2 * INDEX_N);
static LETTER_KEYS: [u32; LETTERS_N] = words(HEADER + 2 * (INDEX_N + PAGES_N));
static LETTERS: [u32; LETTERS_N] = words(HEADER + 2 * (INDEX_N + PAGES_N) + 4 * LETTERS_N);

const fn word(at: usize) -> u32 {
    u32::from_le_bytes([TABLE[4 * at], TABLE[4 * at + 1], TABLE[4 * at + 2], TABLE[4 * at + 3]])
}

const fn halves<const N: usize>(at: usize) -> [u16; N] {
    let mut halves = [0; N];
    let mut i = 0;
    while i < N {
        halves[i] = u16::from_le_bytes([TABLE[at + 2 * i], TABLE[at + 2 * i + 1]]);
        i += 1;
    }
    halves
}

const fn words<const N: usize>(at: usize) -> [u32; N] {
    let mut words = [0; N];
    let mut i = 0;
    while i < N {
        let at = at + 4 * i;
        words[i] = u32::from_le_bytes([TABLE[at], TABLE[at + 1], TABLE[at + 2], TABLE[at + 3]]);
        i += 1;
    }
    words
}

/// Hash of the fold table. A pack names the table it was compiled with and is refused by a filter
/// that folds otherwise.
#[must_use]
pub const fn fold_table_hash() -> u64 {
    word(4) as u64 | (word(5) as u64) << 32
}

/// The class of a code point; of anything that is none, [`SEPARATOR`].
#[inline]
pub(crate) const fn symbol(code: u32) -> Symbol {
    let code = code as usize;
    if code < 0x80 {
        return PAGES[code];
    }
    if code / PAGE >= INDEX_N {
        return SEPARATOR;
    }
    match INDEX[code / PAGE] {
        PAGE_PLAIN => computed(code),
        page => PAGES[page as usize * PAGE + code % PAGE],
    }
}

/// The class of an ASCII character.
pub(crate) const fn ascii_symbol(ascii: u8) -> Symbol {
    PAGES[ascii as usize]
}

#[inline]
const fn computed(code: usize) -> Symbol {
    CLASS_COMPUTED | (code & 0x7FFF) as Symbol
}

/// The letter that a code point stands for once case and width are folded, and what else it took.
#[inline]
pub(crate) fn letter(code: u32) -> (u32, Evidence) {
    if code < 0x80 {
        return (u32::from((code as u8).to_ascii_lowercase()), Evidence::default());
    }
    letter_beyond_ascii(code)
}

fn letter_beyond_ascii(code: u32) -> (u32, Evidence) {
    let at = LETTER_KEYS.binary_search_by_key(&code, |key| key & 0xFF_FFFF);
    at.map_or((code, Evidence::default()), |at| (LETTERS[at], Evidence(u16::from(LETTER_KEYS[at].to_le_bytes()[3]))))
}

/// The code point at the start of `bytes` and its length; U+FFFD and 1 for what is not UTF-8.
#[inline]
pub(crate) fn decode(bytes: &[u8]) -> (u32, usize) {
    if let Some(&ascii @ 0..0x80) = bytes.first() {
        return (ascii.into(), 1);
    }
    decode_long(bytes)
}

fn decode_long(bytes: &[u8]) -> (u32, usize) {
    const BAD: (u32, usize) = (0xFFFD, 1);
    let tail = |at: usize| bytes.get(at).filter(|&&b| b & 0xC0 == 0x80).map(|&b| u32::from(b & 0x3F));
    let Some(&lead) = bytes.first() else { return BAD };
    let lead_bits = u32::from(lead);
    match lead {
        0..0x80 => (lead_bits, 1),
        0xC2..0xE0 => tail(1).map_or(BAD, |b| ((lead_bits & 0x1F) << 6 | b, 2)),
        0xE0..0xF0 => match (tail(1), tail(2)) {
            (Some(b), Some(c)) => match (lead_bits & 0xF) << 12 | b << 6 | c {
                0..0x800 | 0xD800..0xE000 => BAD,
                code => (code, 3),
            },
            _ => BAD,
        },
        0xF0..0xF5 => match (tail(1), tail(2), tail(3)) {
            (Some(b), Some(c), Some(d)) => match (lead_bits & 7) << 18 | b << 12 | c << 6 | d {
                code @ 0x10000..=0x10FFFF => (code, 4),
                _ => BAD,
            },
            _ => BAD,
        },
        _ => BAD,
    }
}

/// The code point that ends at `end`, and where it starts. `None` at the start of the text.
pub(crate) fn decode_before(text: &[u8], end: usize) -> Option<(u32, usize)> {
    for back in 1..=end.min(4) {
        let (code, length) = decode(&text[end - back..end]);
        if length == back && (code != 0xFFFD || back == 3) {
            return Some((code, end - back));
        }
    }
    (end > 0).then(|| (0xFFFD, end - 1))
}

/// How a script writes words, as far as boundaries and gaps care.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Script {
    /// Letters of scripts that put spaces between words.
    Spaced,
    /// Digits of any script.
    Digit,
    /// Hangul: spaces, but particles and compounds join.
    Hangul,
    /// Han, Kana, Thai, Lao, Khmer, Myanmar: no spaces.
    Unspaced,
}

/// The script of a letter.
#[inline]
pub(crate) fn script(code: u32) -> Script {
    match code {
        0x30..=0x39 => Script::Digit,
        0..0x660 => Script::Spaced,
        code => script_beyond_ascii(code),
    }
}

fn script_beyond_ascii(code: u32) -> Script {
    match code {
        0x660..=0x669 | 0x6F0..=0x6F9 | 0x966..=0x96F | 0xFF10..=0xFF19 => Script::Digit,
        0x1100..=0x11FF | 0x3130..=0x318F | 0xA960..=0xA97F | 0xAC00..=0xD7FF | 0xFFA0..=0xFFDC => Script::Hangul,
        0xE00..=0xEFF
        | 0x1000..=0x109F
        | 0x1780..=0x17FF
        | 0x2E80..=0x312F
        | 0x3190..=0x9FFF
        | 0xA000..=0xA4CF
        | 0xF900..=0xFAFF
        | 0xFF66..=0xFF9F
        | 0x1B000..=0x1B16F
        | 0x20000..=0x3FFFF => Script::Unspaced,
        _ => Script::Spaced,
    }
}

/// Whether a code point that vanishes is a mark on the letter before it, and so part of its
/// character; otherwise it is merely invisible.
pub(crate) fn is_mark(code: u32) -> bool {
    matches!(
        code,
        0x300..=0x36F | 0x483..=0x489 | 0x591..=0x5C7 | 0x610..=0x61A | 0x64B..=0x65F | 0x670 | 0x6D6..=0x6ED
            | 0x1AB0..=0x1AFF | 0x1DC0..=0x1DFF | 0x20D0..=0x20FF | 0xFE00..=0xFE0F | 0xFE20..=0xFE2F | 0xE0100..=0xE01EF
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pieces::{Pieces, Symbols};
    use alloc::vec::Vec;

    fn folded(text: &str) -> Vec<Symbol> {
        let mut pieces = Pieces::default();
        pieces.read(text.as_bytes(), Symbols::All);
        assert!(pieces.is_utf8);
        pieces.symbols
    }

    #[test]
    fn case_width_style_marks_and_invisible_characters_fold_away() {
        for same in
            ["VIAGRA", "ｖｉａｇｒａ", "𝐯𝐢𝐚𝐠𝐫𝐚", "ⓥⓘⓐⓖⓡⓐ", "v\u{200B}iagra", "víágřá", "v i a g r a", "vviiagraa"]
        {
            assert_eq!(folded(same), folded("viagra"), "{same}");
        }
        assert_ne!(folded("viagrb"), folded("viagra"));
        assert_eq!(folded("ｶﾗｵｹ"), folded("カラオケ"));
    }

    #[test]
    fn decoding_agrees_with_the_standard_library() {
        for text in ["aé赌😀\u{10FFFF}", "\u{7FF}\u{800}\u{FFFF}\u{10000}"] {
            for (at, c) in text.char_indices() {
                assert_eq!(decode(&text.as_bytes()[at..]), (c as u32, c.len_utf8()));
                assert_eq!(decode_before(text.as_bytes(), at + c.len_utf8()), Some((c as u32, at)));
            }
        }
        for bad in
            [&b"\x80"[..], b"\xC0\x80", b"\xE0\x80\x80", b"\xED\xA0\x80", b"\xF5\x80\x80\x80", b"\xE4\xB8", b"\xFF"]
        {
            assert_eq!(decode(bad), (0xFFFD, 1), "{bad:?}");
        }
        assert_eq!(decode_before(b"", 0), None);
    }
}
