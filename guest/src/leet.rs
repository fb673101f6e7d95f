//! Digits and signs that stand for letters: `v14gr@`. Which letter one stands for depends on the word,
//! so a word with them is looked up in several readings, and verification asks for each sign whether it
//! can be the letter that is wanted. Not for what stands for one letter always; that is in the fold table.

use crate::fold::{CLASS_FIRST_DIGIT, CLASS_FIRST_LETTER, Symbol, symbol};
use crate::pieces::class_byte;

/// Signs that may be letters within a word, and what they may be. Lower case stands for look-alikes too.
const SIGNS: [(char, &str); 11] = [
    ('@', "a"),
    ('$', "s"),
    ('!', "il"),
    ('|', "il"),
    ('+', "t"),
    ('(', "c"),
    ('<', "c"),
    ('€', "e"),
    ('£', "l"),
    ('¥', "y"),
    ('¢', "c"),
];

/// Letters that digits may be, Latin first, then Cyrillic.
const DIGITS: [&str; 10] = ["o", "ilи", "z", "eзэ", "aч", "s", "bgб", "t", "bв", "gqд"];

/// Bytes that stand for signs in the letters of a piece, from here on in the order of the table; no
/// class of a letter of the alphabets with signs has them.
const SIGN_BYTES: u8 = 0xF0;

/// How many readings a word with digits or signs has: as Latin with `1` for `i`; with `1` and `i` for `l`, and `6` for
/// `g`; as Cyrillic.
pub(crate) const READINGS: usize = 3;
/// The reading in which `i` is `l`, so that `1` may be both in one word.
const READING_I_IS_L: usize = 1;
const CLASS_I: u8 = CLASS_FIRST_LETTER + b'i' - b'a';
const CLASS_L: u8 = CLASS_FIRST_LETTER + b'l' - b'a';

/// The bytes of signs in ASCII; 0 for what is none.
static ASCII_SIGN_BYTES: [u8; 0x80] = {
    let mut bytes = [0; 0x80];
    let mut at = 0;
    while at < SIGNS.len() {
        if SIGNS[at].0.is_ascii() {
            bytes[SIGNS[at].0 as usize] = SIGN_BYTES + at as u8;
        }
        at += 1;
    }
    bytes
};

/// Whether a character of ASCII is a sign that may be a letter.
pub(crate) const fn is_ascii_sign(ascii: u8) -> bool {
    ASCII_SIGN_BYTES[ascii as usize] != 0
}

/// The byte of a sign that may be a letter.
#[inline]
pub(crate) fn sign_byte(code: u32) -> Option<u8> {
    if let Some(&byte) = ASCII_SIGN_BYTES.get(code as usize) {
        return (byte != 0).then_some(byte);
    }
    let at = SIGNS.iter().position(|&(sign, _)| sign as u32 == code)?;
    Some(SIGN_BYTES + at as u8)
}

/// Whether a sign counts as a letter only before another letter: it ends sentences, or opens brackets.
pub(crate) fn only_before_letter(code: u32) -> bool {
    matches!(char::from_u32(code), Some('!' | '(' | '<'))
}

/// The letters that bytes of a piece stand for, by reading.
static READ: [[u8; 256]; READINGS] = {
    let mut read = [[0; 256]; READINGS];
    let mut reading = 0;
    while reading < READINGS {
        let mut byte = 0;
        while byte < 256 {
            read[reading][byte] = if reading == READING_I_IS_L { i_as_l(byte as u8) } else { byte as u8 };
            byte += 1;
        }
        let mut digit = 0;
        while digit < DIGITS.len() {
            read[reading][CLASS_FIRST_DIGIT as usize + digit] = chosen(DIGITS[digit], reading);
            digit += 1;
        }
        let mut sign = 0;
        while sign < SIGNS.len() {
            read[reading][SIGN_BYTES as usize + sign] = chosen(SIGNS[sign].1, reading);
            sign += 1;
        }
        reading += 1;
    }
    read
};

/// Of what a digit or sign may be, the class of the letter that a reading takes.
const fn chosen(letters: &str, reading: usize) -> u8 {
    let bytes = letters.as_bytes();
    let mut at = 0;
    if reading == READING_I_IS_L && (bytes[0] == b'i' || bytes[0] == b'b') {
        at = 1;
    } else if reading > READING_I_IS_L {
        while at < bytes.len() && bytes[at] < 0x80 {
            at += 1;
        }
        if at == bytes.len() {
            at = 0;
        }
    }
    if bytes[at] < 0x80 {
        return CLASS_FIRST_LETTER + bytes[at] - b'a';
    }
    // Cyrillic has two bytes.
    class_byte(symbol((bytes[at] as u32 & 0x1F) << 6 | bytes[at + 1] as u32 & 0x3F))
}

/// The letter that a byte of a piece stands for in a reading; letters stand for themselves.
#[inline]
pub(crate) fn read_byte(byte: u8, reading: usize) -> u8 {
    READ[reading][usize::from(byte)]
}

/// The letters that a byte of a piece may be, a bit each: those of their lowest [`LETTER_BITS`].
static MAY_BE: [u64; 256] = {
    let mut may_be = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        may_be[byte] = 1 << (byte & LETTER_BITS as usize);
        let mut reading = 0;
        while reading < READINGS {
            may_be[byte] |= 1 << (READ[reading][byte] & LETTER_BITS);
            reading += 1;
        }
        byte += 1;
    }
    may_be
};

/// The bits that tell most letters from each other.
pub(crate) const LETTER_BITS: u8 = (1 << 6) - 1;

/// The letters that a byte of a piece may be, a bit each: those of their lowest [`LETTER_BITS`].
#[inline]
pub(crate) fn may_be(byte: u8) -> u64 {
    MAY_BE[usize::from(byte)]
}

/// A letter of a word, `l` for `i`.
pub(crate) const fn i_as_l(letter: u8) -> u8 {
    if letter == CLASS_I { CLASS_L } else { letter }
}

#[cfg(feature = "compile")]
pub(crate) fn is_l(letter: u8) -> bool {
    letter == CLASS_L
}

/// Of each character of ASCII, the letters a to z that it may stand for, one bit each.
static ASCII_STANDS_FOR: [u32; 0x80] = {
    let mut stands_for = [0; 0x80];
    let mut digit = 0;
    while digit < DIGITS.len() {
        stands_for[b'0' as usize + digit] = latin_bits(DIGITS[digit]);
        digit += 1;
    }
    let mut sign = 0;
    while sign < SIGNS.len() {
        if SIGNS[sign].0.is_ascii() {
            stands_for[SIGNS[sign].0 as usize] = latin_bits(SIGNS[sign].1);
        }
        sign += 1;
    }
    stands_for
};

const fn latin_bits(letters: &str) -> u32 {
    let (bytes, mut bits, mut at) = (letters.as_bytes(), 0, 0);
    while at < bytes.len() {
        if bytes[at] < 0x80 {
            bits |= 1 << (bytes[at] - b'a');
        }
        at += 1;
    }
    bits
}

/// Whether a digit or sign of ASCII may stand for a letter a to z.
#[inline]
pub(crate) fn ascii_stands_for(byte: u8, letter: u8) -> bool {
    letter.is_ascii_lowercase()
        && ASCII_STANDS_FOR.get(usize::from(byte)).is_some_and(|bits| bits >> (letter - b'a') & 1 == 1)
}

/// Whether a digit or sign may stand for a letter of that class.
pub(crate) fn stands_for(code: u32, class: Symbol) -> bool {
    if let Some(&bits) = ASCII_STANDS_FOR.get(code as usize) {
        let letter = class.wrapping_sub(CLASS_FIRST_LETTER.into());
        if bits == 0 || letter < 26 {
            return bits >> (letter & 31) & 1 == 1;
        }
    }
    let letters = match char::from_u32(code) {
        Some(digit @ '0'..='9') => DIGITS[digit as usize - '0' as usize],
        _ => sign_byte(code).map_or("", |sign| SIGNS[usize::from(sign - SIGN_BYTES)].1),
    };
    letters.chars().any(|letter| symbol(letter as u32) == class)
}
