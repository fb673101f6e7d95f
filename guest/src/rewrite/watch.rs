//! Watches a text go by in its first reading for anything that the second would change: most texts have nothing. Not for
//! changing it.

use alloc::vec::Vec;
use core::ops::Range;

use super::alike::mistaken;
use super::encoded::{BASE64_MAX, adds, base64_length, drawn, entity, escape, is_base64, is_packed, tag, value};
use super::numbers::{LONG_NUMBER_MAX, han_digit, number, number_start, plain_digit};
use super::{bracketed_dot, ligature};
use crate::fold::{IGNORABLE, SEPARATOR, Script, decode, decode_before, script, symbol};
use crate::splits::{self, HAN_BITS};

/// More bytes than such a number may have on either side of any of its characters.
const AROUND_BYTES: usize = 4 * LONG_NUMBER_MAX;

/// Han characters and strokes that are put between others to part them, and mean nothing there.
const NOISE: &str = "之丶丿の丨亅乀乁乛乚〇";

/// How a dot is called between the letters of addresses.
const DOTS: &str = "点點";

/// Watches a text go by, character by character, for anything that the second reading would change: most
/// texts have nothing, and need no second reading.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch {
    pub(crate) may_be_rewritten: bool,
    /// There are parts of Han characters that hardly stand by themselves.
    pub(crate) has_parts: bool,
    /// Where letters and digits of ASCII may be otherwise too, not just signs and what is beyond ASCII; in order,
    /// apart from each other.
    pub(super) odd_words: Vec<Range<usize>>,
    /// Up to there it was looked for text in base64.
    packed_end: usize,
    /// The character before was a digit of some form.
    after_digit: bool,
    /// A character of a script without spaces was just before, or one letter or digit after such a one.
    noise: Noise,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Noise {
    #[default]
    None,
    Unspaced,
    Between,
}

pub(super) fn is_dot_name(char: char) -> bool {
    char >= '点' && DOTS.chars().any(|dot| dot == char)
}

pub(super) fn is_noise_mark(char: char) -> bool {
    ('〇'..='乛').contains(&char) && NOISE.chars().any(|noise| noise == char)
}

/// Whether the second reading may change a Han character, from U+4E00 on.
#[inline]
pub(crate) fn is_watched(code: u32) -> bool {
    let at = code as usize - 0x4E00;
    WATCHED.get(at / 64).is_some_and(|bits| bits >> (at % 64) & 1 == 1)
}

static WATCHED: [u64; HAN_BITS] = {
    let mut bits = [0; HAN_BITS];
    let mut at = 0;
    while at < 64 * HAN_BITS {
        if let Some(char) = char::from_u32(0x4E00 + at as u32)
            && han_digit(char).is_some()
        {
            bits[at / 64] |= 1 << (at % 64);
        }
        at += 1;
    }
    let others = [NOISE.as_bytes(), DOTS.as_bytes()];
    let mut number = 0;
    while number < others.len() {
        let chars = others[number];
        let mut at = 0;
        // All of them are of three bytes.
        while at < chars.len() {
            let code =
                (chars[at] as usize & 0xF) << 12 | (chars[at + 1] as usize & 0x3F) << 6 | chars[at + 2] as usize & 0x3F;
            if code >= 0x4E00 {
                bits[(code - 0x4E00) / 64] |= 1 << (code % 64);
            }
            at += 3;
        }
        number += 1;
    }
    let mut rare = 0;
    while rare < splits::RARE_PARTS_COUNT {
        let at = splits::rare_part(rare) as usize - 0x4E00;
        bits[at / 64] |= 1 << (at % 64);
        rare += 1;
    }
    bits
};

impl Watch {
    /// Tells of the ASCII character at the start of a text.
    #[inline]
    pub(crate) fn ascii(&mut self, rest: &[u8]) {
        self.may_be_rewritten |= is_rewritten(rest);
    }

    /// Tells that characters will be told of, and of the byte before them.
    pub(crate) fn begin(&mut self, before: u8) {
        (self.after_digit, self.noise) = (before.is_ascii_digit() || before | 0x20 == b'o', Noise::None);
    }

    /// Tells of Han characters from `at` on none of which is [watched](is_watched).
    #[inline]
    pub(crate) fn han(&mut self, at: usize) {
        if self.noise == Noise::Between {
            self.add_odd_words(around(at));
        }
        (self.noise, self.after_digit) = (Noise::Unspaced, false);
    }

    /// Tells of a word of letters and digits in turn, by a place in it.
    #[cold]
    pub(crate) fn word(&mut self, text: &[u8], at: usize) {
        // Signs of base64 part words: each is looked at once for all of its words.
        if at >= self.packed_end {
            let before = text[..at].iter().rev().take(BASE64_MAX).take_while(|&&byte| is_base64(byte)).count();
            let start = at - before;
            self.packed_end = start + base64_length(&text[start..]);
            if is_packed(&text[start..self.packed_end]) {
                self.add_odd_words(start..self.packed_end);
            }
        }
        if number(text, number_start(text, at)).is_some() {
            self.add_odd_words(around(at));
        }
    }

    /// Tells of a letter I or L.
    pub(crate) fn alike(&mut self, text: &[u8], at: usize) {
        if mistaken(text, at).is_some() {
            self.add_odd_words(at..at + 1);
        }
    }

    /// Adds a place to the odd words, which stay in order and apart: what it reaches is one with it.
    fn add_odd_words(&mut self, mut place: Range<usize>) {
        self.may_be_rewritten = true;
        while let Some(last) = self.odd_words.pop_if(|last| place.start <= last.end) {
            place = last.start.min(place.start)..last.end.max(place.end);
        }
        self.odd_words.push(place);
    }

    /// Forgets the text.
    pub(crate) fn clear(&mut self) {
        let mut odd_words = core::mem::take(&mut self.odd_words);
        odd_words.clear();
        *self = Watch { odd_words, ..Watch::default() };
    }

    /// Tells of any character, by its place.
    #[inline]
    pub(crate) fn character(&mut self, code: u32, text: &[u8], at: usize) {
        let Some(char) = char::from_u32(code) else { return };
        let rest = &text[at..];
        let (mut is_digit, mut noise) = (false, Noise::None);
        match char {
            '\0'..='\x7F' => {
                self.ascii(rest);
                if matches!(char, 'I' | 'l') {
                    self.alike(text, at);
                }
                is_digit = char.is_ascii_digit() || matches!(char, 'O' | 'o');
                if char.is_ascii_alphanumeric() && self.noise == Noise::Unspaced {
                    noise = Noise::Between;
                }
            }
            '\u{3400}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7A3}' => {
                is_digit = code >= 0x4E00 && is_watched(code) && plain_digit(char).is_some();
                if is_digit && self.after_digit || self.noise == Noise::Between {
                    self.add_odd_words(around(at));
                }
                let is_dot = rest.get(3).is_some_and(u8::is_ascii_alphanumeric) && is_dot_name(char);
                if code >= 0x4E00 && is_watched(code) && !is_dot_name(char) && !is_digit {
                    self.has_parts |= !is_noise_mark(char);
                    self.may_be_rewritten = true;
                }
                self.may_be_rewritten |= is_dot;
                noise = Noise::Unspaced;
            }
            '＋' => self.may_be_rewritten |= adds(rest).is_some(),
            // Punctuation and the pound sign are as they are, and what is not UTF-8.
            '\u{80}'..='\u{BF}'
            | '\u{2000}'..='\u{202D}'
            | '\u{3001}'
            | '\u{3002}'
            | '\u{FF01}'..='\u{FF0F}'
            | '\u{FF1A}'..='\u{FF20}'
            | '\u{FFFD}' => {}
            // Of Latin letters with marks there are ligatures, and emoji stand for nothing.
            '\u{C0}'..='\u{17F}' => self.may_be_rewritten |= ligature(char).is_some(),
            '\u{1F300}'.. if symbol(code) == SEPARATOR => {}
            _ if char != '\u{202E}' && symbol(code) == IGNORABLE => {}
            _ => {
                self.may_be_rewritten = true;
                // Digits of other scripts may have the letter O among them, Arabic letters digits.
                if matches!(char, '\u{600}'..='\u{6FF}') || plain_digit(char).is_some() {
                    self.add_odd_words(around(at));
                }
            }
        }
        self.after_digit = is_digit;
        self.noise = noise;
    }
}

/// Where a number or a word may be that something at `at` is part of.
fn around(at: usize) -> Range<usize> {
    at.saturating_sub(AROUND_BYTES)..at + AROUND_BYTES
}

/// Whether the ASCII sign at the start is written otherwise.
#[inline]
fn is_rewritten(rest: &[u8]) -> bool {
    match rest[0] {
        b'&' => entity(rest).is_some(),
        b'%' => rest.get(1..3).is_some_and(|digits| value(digits, 16).is_some()),
        b'<' => tag(rest).0 > 0,
        b'[' | b'{' => bracketed_dot(rest).is_some(),
        b'(' => bracketed_dot(rest).is_some() || drawn(rest).is_some(),
        b'\\' | b'/' | b'|' => escape(rest).or_else(|| drawn(rest)).is_some(),
        b'+' => adds(rest).is_some(),
        _ => false,
    }
}

/// Whether a single character stands between letters of a script without spaces.
pub(super) fn is_noise(text: &[u8], at: usize) -> bool {
    let unspaced = |code: u32| {
        code >= 0x80 && matches!(script(code), Script::Unspaced | Script::Hangul) && symbol(code) > SEPARATOR
    };
    let before = text[..at].last().is_some_and(|&byte| byte >= 0x80)
        && decode_before(text, at).is_some_and(|(code, _)| unspaced(code));
    let next = at + decode(&text[at..]).1;
    before && next < text.len() && unspaced(decode(&text[next..]).0)
}
