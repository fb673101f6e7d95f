//! The second reading: a text as a reader's eye or program would turn it before reading. Entities, percent
//! signs and escapes are resolved, tags left out, text against the direction or upside down turned round, letters
//! and Han characters made of several put together, ligatures taken apart, numbers in Han digits or with letters
//! among the digits written in plain ones, words in letters of several alphabets that look like those of one
//! written in that. Each byte remembers where it came from, so that what is found has its place in the original.

use alloc::vec::Vec;
use core::ops::Range;

use crate::Span;
use crate::alphabets::{Alphabet, looks_like};
use crate::fold::{self, CLASS_FIRST_DIGIT, IGNORABLE, SEPARATOR, Script, decode, decode_before, script, symbol};
use crate::splits::{self, HAN_BITS};

/// Longest tag that is left out, in bytes.
const TAG_BYTES_MAX: usize = 128;
/// Longest text that is turned round, in bytes.
const TURNED_MAX: usize = 1024;
/// A run of so many digits of any kind is a number, and no list of them.
const NUMBER_DIGITS_MIN: usize = 5;
/// How far is looked for the digits around one.
const NUMBER_DIGITS_SEEN: usize = 12;
/// With letters for digits, or parted by spaces, it is a number if it has so many, and so many of them are digits.
const LONG_NUMBER_DIGITS_MIN: usize = 7;
const LONG_NUMBER_PLAIN_MIN: usize = 2;
/// Longest such number, in characters.
const LONG_NUMBER_MAX: usize = 32;
/// More bytes than such a number may have on either side of any of its characters.
const AROUND_BYTES: usize = 4 * LONG_NUMBER_MAX;
/// How much of the text around a change is read the second way too: words and phrases go on there.
const CONTEXT_BYTES: usize = 256;
/// What is found so near to where a stretch is cut off may be another thing in the whole text, and the first reading
/// has found it if it is there.
pub(crate) const CUT_BYTES: usize = 64;
/// Longest word in letters of several alphabets, in characters, and shortest.
const MIXED_LETTERS_MAX: usize = 32;
const MIXED_LETTERS_MIN: usize = 3;

/// Entities by name that matter within words.
const ENTITIES: [(&[u8], char); 8] = [
    (b"amp;", '&'),
    (b"lt;", '<'),
    (b"gt;", '>'),
    (b"nbsp;", '\u{A0}'),
    (b"shy;", '\u{AD}'),
    (b"zwj;", '\u{200D}'),
    (b"zwnj;", '\u{200C}'),
    (b"apos;", '\''),
];
/// Characters that stand for several letters.
const LIGATURES: [(char, &str); 16] = [
    ('ß', "ss"),
    ('ẞ', "ss"),
    ('æ', "ae"),
    ('Æ', "ae"),
    ('œ', "oe"),
    ('Œ', "oe"),
    ('ĳ', "ij"),
    ('Ĳ', "ij"),
    ('ﬀ', "ff"),
    ('ﬁ', "fi"),
    ('ﬂ', "fl"),
    ('ﬃ', "ffi"),
    ('ﬄ', "ffl"),
    ('ﬅ', "st"),
    ('ﬆ', "st"),
    ('㏄', "cc"),
];
/// Han characters and strokes that are put between others to part them, and mean nothing there.
const NOISE: &str = "之丶丿の丨亅乀乁〇";
/// Shortest text in base64 that is read, in its characters.
const BASE64_MIN: usize = 8;
/// How a dot is called between the letters of addresses.
const DOTS: &str = "点點";
/// Longest text in base64 that is read, in its characters.
const BASE64_MAX: usize = 4096;
/// Han digits, by their number; the plain ones, those of documents, and other ways.
const HAN_DIGITS: [&str; 10] = ["零〇", "一壹幺", "二贰两", "三叁", "四肆", "五伍", "六陆", "七柒", "八捌", "九玖"];
/// Letters a to z, upside down, and other ways to write some.
const UPSIDE_DOWN: &str = "ɐqɔpǝɟƃɥᴉɾʞlɯuodbɹsʇnʌʍxʎz";
const UPSIDE_DOWN_OTHERWISE: [(char, char); 22] = [
    ('ı', 'i'),
    ('ן', 'l'),
    ('ʃ', 'l'),
    ('ɓ', 'g'),
    ('∀', 'a'),
    ('Ɔ', 'c'),
    ('Ǝ', 'e'),
    ('Ⅎ', 'f'),
    ('⅁', 'g'),
    ('˥', 'l'),
    ('Ԁ', 'p'),
    ('ᴚ', 'r'),
    ('┴', 't'),
    ('∩', 'u'),
    ('Λ', 'v'),
    ('Ɩ', '1'),
    ('ᄅ', '2'),
    ('Ɛ', '3'),
    ('ㄣ', '4'),
    ('ϛ', '5'),
    ('ㄥ', '7'),
    ('˙', '.'),
];
/// Letters that stand for digits within numbers, by the digit.
const DIGIT_LETTERS: [&str; 10] = ["OoQD", "IlLi", "Zz", "", "A", "Ss", "bG", "T", "B", "gq"];
/// Digits that stand for Arabic letters they look like, and with an apostrophe for others.
const ARABIC_DIGITS: [(char, char, char); 7] = [
    ('2', 'ق', 'ق'),
    ('3', 'ع', 'غ'),
    ('5', 'خ', 'خ'),
    ('6', 'ط', 'ظ'),
    ('7', 'ح', 'خ'),
    ('8', 'غ', 'غ'),
    ('9', 'ص', 'ض'),
];
/// Arabic letters that letters from b on sound like; `_` for those that sound like none or several.
const ARABIC_SOUNDS: &str = "ب_د_فجه_جكلمنو_قرست__و_يز";
/// Watches a text go by, character by character, for anything that the second reading would change: most
/// texts have nothing, and need no second reading.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch {
    pub(crate) may_be_rewritten: bool,
    /// There are parts of Han characters that hardly stand by themselves.
    pub(crate) has_parts: bool,
    /// Where letters and digits of ASCII may be otherwise too, not just signs and what is beyond ASCII; in order,
    /// apart from each other.
    odd_words: Vec<Range<usize>>,
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

/// The letters that a ligature stands for, with it.
fn ligature(char: char) -> Option<&'static (char, &'static str)> {
    let may_be = matches!(char, '\u{C6}'..='\u{153}' | 'ẞ' | '㏄' | '\u{FB00}'..='\u{FB06}');
    LIGATURES.iter().filter(|_| may_be).find(|(ligature, _)| *ligature == char)
}

fn is_dot_name(char: char) -> bool {
    char >= '点' && DOTS.chars().any(|dot| dot == char)
}

fn is_noise_mark(char: char) -> bool {
    ('〇'..='亅').contains(&char) && NOISE.chars().any(|noise| noise == char)
}

/// Whether the second reading may change a Han character, from U+4E00 on.
#[inline]
pub(crate) fn is_watched(code: u32) -> bool {
    let at = code as usize - 0x4E00;
    WATCHED.get(at / 64).is_some_and(|bits| bits >> (at % 64) & 1 == 1)
}

static WATCHED: [u64; HAN_BITS] = {
    let mut bits = [0; HAN_BITS];
    let mut number = 0;
    while number <= 11 {
        let chars = match number {
            0..10 => HAN_DIGITS[number].as_bytes(),
            10 => NOISE.as_bytes(),
            _ => DOTS.as_bytes(),
        };
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

    fn add_odd_words(&mut self, place: Range<usize>) {
        self.may_be_rewritten = true;
        match self.odd_words.last_mut() {
            Some(last) if place.start <= last.end => {
                *last = last.start.min(place.start)..last.end.max(place.end);
            }
            _ => self.odd_words.push(place),
        }
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

/// A text in its second reading. Keeps its memory from message to message.
#[derive(Debug, Default)]
pub(crate) struct Rewrite {
    text: Vec<u8>,
    /// What all of it came from, in its order.
    runs: Vec<Run>,
    /// Up to there no long number begins.
    no_number_before: usize,
    /// Up to there nothing is upside down.
    no_turned_before: usize,
    /// Up to there no word is of several alphabets.
    no_mixed_before: usize,
}

/// A run of bytes of the second reading, up to where the next begins.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// Where it begins.
    written: usize,
    /// What it came from; of a copy this is where it begins, and each byte came from its own.
    origin: Span,
    is_copy: bool,
}

fn origin_end_of(is_copy: bool, origin: Span, length: usize) -> u32 {
    if is_copy { origin.start + length as u32 } else { origin.end }
}

/// Where a number or a word may be that something at `at` is part of.
fn around(at: usize) -> Range<usize> {
    at.saturating_sub(AROUND_BYTES)..at + AROUND_BYTES
}

/// Bytes that are as they are whatever stands beside them, where [words are not odd](Watch::odd_words).
static IS_PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0;
    while byte < 0x80 {
        plain[byte] = !matches!(byte as u8, b'&' | b'%' | b'<' | b'[' | b'{' | b'(' | b'\\' | b'/' | b'|' | b'+');
        byte += 1;
    }
    plain
};

impl Rewrite {
    /// Reads a text the second way, and returns whether that is another than the first.
    pub(crate) fn read(&mut self, text: &[u8], watch: &Watch) -> bool {
        self.text.clear();
        self.runs.clear();
        (self.no_number_before, self.no_turned_before, self.no_mixed_before) = (0, 0, 0);
        let mut at = 0;
        let mut is_changed = false;
        let mut odd_words = &watch.odd_words[..];
        while at < text.len() {
            while let [first, rest @ ..] = odd_words
                && first.end <= at
            {
                odd_words = rest;
            }
            let byte = text[at];
            let plain = match odd_words.first() {
                Some(odd) if odd.start <= at => {
                    // Within a word of ASCII there is only the letter O among digits.
                    let is_within = |byte: u8| byte | 0x20 != b'o' && at > 0 && text[at - 1].is_ascii_alphanumeric();
                    usize::from(byte.is_ascii_alphabetic() && is_within(byte) || byte == b' ')
                }
                odd => plain_length(&text[at..odd.map_or(text.len(), |odd| odd.start.min(text.len()))]),
            };
            if plain > 0 {
                self.copy(text, at, plain);
                at += plain;
                continue;
            }
            let (code, length) = decode(&text[at..]);
            if (0x4E00..0xA000).contains(&code) {
                if watch.has_parts
                    && let Some((whole, length)) = splits::compose(&text[at..], code)
                {
                    at += self.put_char(whole, at, length);
                    is_changed = true;
                    continue;
                }
                if !is_watched(code) {
                    self.copy(text, at, 3);
                    at += 3;
                    continue;
                }
            }
            let taken = self.rewrite(text, at, code);
            is_changed |= taken > 0;
            if taken == 0 {
                self.copy(text, at, length);
            }
            at += taken.max(length);
        }
        is_changed
    }

    /// The text in its second reading.
    pub(crate) fn text(&self) -> &[u8] {
        &self.text
    }

    /// The stretches of the second reading in which anything differs, with what is around: elsewhere the first
    /// reading has said it all. In order, apart from each other.
    pub(crate) fn stretches(&self) -> impl Iterator<Item = Range<usize>> {
        let (mut run, mut origin_end) = (0, 0);
        let mut next_change = move || {
            while let Some(&Run { written, origin, is_copy }) = self.runs.get(run) {
                run += 1;
                let end = self.runs.get(run).map_or(self.text.len(), |next| next.written);
                let follows = core::mem::replace(&mut origin_end, origin_end_of(is_copy, origin, end - written));
                if !is_copy || follows != origin.start {
                    return Some(written..if is_copy { written } else { end });
                }
            }
            // What was left out at the end is no word of it any more.
            None
        };
        let mut pending = next_change();
        core::iter::from_fn(move || {
            let change = pending.take()?;
            let start = self.cut_before(change.start.saturating_sub(CONTEXT_BYTES));
            let mut end = change.end + CONTEXT_BYTES;
            loop {
                pending = next_change();
                match &pending {
                    // The cuts of two stretches are apart.
                    Some(next) if next.start <= end + 3 * CONTEXT_BYTES => end = next.end + CONTEXT_BYTES,
                    _ => return Some(start..self.cut_after(end)),
                }
            }
        })
    }

    /// Where a stretch may begin, at `at` or before.
    fn cut_before(&self, at: usize) -> usize {
        let parts = |at: &usize| at.checked_sub(1).is_none_or(|before| self.text[before] == b' ');
        let farthest = at.saturating_sub(CONTEXT_BYTES);
        let is_within = |at: &usize| self.text[*at] & 0xC0 == 0x80;
        (farthest..=at)
            .rev()
            .find(parts)
            .unwrap_or_else(|| (at..self.text.len()).find(|at| !is_within(at)).unwrap_or(at))
    }

    /// Where a stretch may end, at `at` or after.
    fn cut_after(&self, at: usize) -> usize {
        let length = self.text.len();
        let rest = self.text.get(at..length.min(at + CONTEXT_BYTES)).unwrap_or_default();
        let part = rest.iter().position(|&byte| byte == b' ');
        let character = || rest.iter().position(|&byte| byte & 0xC0 != 0x80);
        part.or_else(character).map_or(length, |after| at + after)
    }

    /// Where a span of the second reading is in the original.
    pub(crate) fn original(&self, span: Span) -> Span {
        let (start, end) = (span.start as usize, span.end as usize);
        let first = self.runs.partition_point(|run| run.written <= start).saturating_sub(1);
        let ends = self.runs[first..].iter().skip(1).map(|run| run.written).chain([self.text.len()]);
        let mut original: Option<Span> = None;
        for (run, run_end) in self.runs[first..].iter().zip(ends).take_while(|(run, _)| run.written < end) {
            let place = |at: usize| run.origin.start + (at - run.written) as u32;
            let of_run = match run.is_copy {
                true => Span { start: place(start.max(run.written)), end: place(end.min(run_end)) },
                false => run.origin,
            };
            original = Some(original.map_or(of_run, |so_far| Span {
                start: so_far.start.min(of_run.start),
                end: so_far.end.max(of_run.end),
            }));
        }
        original.unwrap_or_default()
    }

    /// Writes bytes of the original as they are.
    fn copy(&mut self, text: &[u8], at: usize, length: usize) {
        let written = self.text.len();
        let goes_on = |run: &Run| run.is_copy && run.origin.start as usize + (written - run.written) == at;
        if !self.runs.last().is_some_and(goes_on) {
            let origin = Span { start: at as u32, end: at as u32 };
            self.runs.push(Run { written, origin, is_copy: true });
        }
        self.text.extend_from_slice(&text[at..at + length]);
    }

    /// Writes bytes that came from `length` bytes of the original at `at`.
    fn put(&mut self, bytes: &[u8], at: usize, length: usize) {
        let origin = Span { start: at as u32, end: (at + length) as u32 };
        self.runs.push(Run { written: self.text.len(), origin, is_copy: false });
        self.text.extend_from_slice(bytes);
    }

    fn put_char(&mut self, char: char, at: usize, length: usize) -> usize {
        self.put(char.encode_utf8(&mut [0; 4]).as_bytes(), at, length);
        length
    }

    /// Writes what stands at `at` in another form, and returns how much of the text that took; 0 if it has
    /// none.
    fn rewrite(&mut self, text: &[u8], at: usize, code: u32) -> usize {
        let rest = &text[at..];
        let number_length = self.long_number(text, at, code);
        if number_length > 0 {
            return number_length;
        }
        match char::from_u32(code) {
            Some('[' | '{' | '(' | '<') if let Some(length) = bracketed_dot(rest) => self.put_char('.', at, length),
            Some('&') => match entity(rest) {
                Some((char, length)) => self.put_char(char, at, length),
                None => 0,
            },
            Some('%') => match rest.get(1..3).and_then(|digits| value(digits, 16)) {
                Some(byte) => {
                    self.put(&[byte as u8], at, 3);
                    3
                }
                None => 0,
            },
            Some('<') => tag(rest),
            Some('\\' | '/' | '|' | '(') => match escape(rest).or_else(|| drawn(rest)) {
                Some((char, length)) => self.put_char(char, at, length),
                None => 0,
            },
            Some('\u{202E}') => self.turn_round(text, at),
            Some('➕' | '+' | '＋') => match adds(rest) {
                Some(length) => self.put_char('加', at, length),
                None => 0,
            },
            Some(char) if char.is_ascii_alphanumeric() && self.unpack(text, at) > 0 => base64_length(rest),
            Some(char) if code >= 0x80 || char == 'O' || char == 'o' => self.rewrite_char(text, at, char),
            Some(char) if char.is_ascii_alphanumeric() && is_noise(text, at) && !is_in_number(text, at) => 1,
            Some(char) if char.is_ascii_digit() => match arabic_letter(text, at, char) {
                Some((letter, length)) => self.put_char(letter, at, length),
                None => 0,
            },
            Some(char) if char.is_ascii_lowercase() => match arabic_of_latin(text, at, char) {
                Some(letter) => self.put_char(letter, at, 1),
                None => 0,
            },
            _ => 0,
        }
    }

    fn rewrite_char(&mut self, text: &[u8], at: usize, char: char) -> usize {
        let length = char.len_utf8();
        if let Some(digit) = plain_digit(char)
            && is_in_number(text, at)
        {
            return self.put_char(digit, at, length);
        }
        match char {
            '\0'..='\x7F' => return if is_noise(text, at) { 1 } else { 0 },
            _ if is_noise_mark(char) && is_noise(text, at) => return length,
            _ if is_dot_name(char) && is_between_ascii(text, at) => return self.put_char('.', at, length),
            // Han and whole syllables, which most text with these bytes is made of, are as they are.
            '\u{3400}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7A3}' => return 0,
            _ => {}
        }
        if let Some((_, letters)) = ligature(char) {
            self.put(letters.as_bytes(), at, length);
            return length;
        }
        if matches!(char, '\u{1100}'..='\u{1112}' | '\u{3131}'..='\u{314E}')
            && let Some((syllable, length)) = syllable(&text[at..])
        {
            return self.put_char(syllable, at, length);
        }
        // Marks, and what does not show.
        let taken = if shows_turned(char) { self.turn_upside_down(text, at) } else { 0 };
        if taken > 0
            || at < self.no_mixed_before
            || symbol(char.into()) == IGNORABLE
            || looks_like(char.into()).is_none()
        {
            return taken;
        }
        self.write_in_one_alphabet(text, at)
    }

    /// Writes a number with letters for digits, or parted, in plain digits.
    fn long_number(&mut self, text: &[u8], at: usize, code: u32) -> usize {
        let may_begin = code < 0x80 || (0x3400..0xA000).contains(&code);
        if !may_begin || at < self.no_number_before || digit_like(code).is_none() {
            return 0;
        }
        // Most letters begin words.
        let (next, _) = decode(text.get(at + char_length(code)..).filter(|rest| !rest.is_empty()).unwrap_or(b" "));
        let is_digit = code < 0x80 && (code as u8).is_ascii_digit();
        let is_word = !is_digit && is_letter(next) && digit_like(next).is_none();
        if is_word || touches_letter(text, at) {
            return 0;
        }
        let (end, is_number) = match number(text, at) {
            Some(end) => (end, true),
            None => (number_end(text, at).0, false),
        };
        self.no_number_before = end;
        let mut from = at;
        while is_number && from < end {
            let (code, length) = decode(&text[from..]);
            match digit_like(code) {
                Some(digit) => _ = self.put_char(digit, from, length),
                None => self.copy(text, from, length),
            }
            from += length;
        }
        from - at
    }

    /// Takes back what was written of the text from `start` on.
    fn take_back(&mut self, start: usize) {
        while let Some(&Run { written, origin, is_copy }) = self.runs.last() {
            let begins = origin.start as usize;
            if begins < start {
                if is_copy {
                    self.text.truncate(written + start - begins);
                }
                return;
            }
            self.text.truncate(written);
            self.runs.pop();
        }
    }

    /// Writes the word around `at` in letters a to z, if its letters look like such and are of several alphabets.
    fn write_in_one_alphabet(&mut self, text: &[u8], at: usize) -> usize {
        let mut start = at;
        for _ in 0..MIXED_LETTERS_MAX {
            match decode_before(text, start) {
                Some((code, before)) if looks_like(code).is_some() => {
                    // A word with others before has been looked at from there.
                    if code >= 0x80 {
                        return 0;
                    }
                    start = before;
                }
                _ => break,
            }
        }
        let (mut letters, mut alphabets) = (0, 0u32);
        // From what does not show on, words are looked at anew.
        let (mut end, mut seen_end) = (start, None);
        while end < text.len() && letters <= MIXED_LETTERS_MAX {
            let (code, length) = decode(&text[end..]);
            match looks_like(code) {
                Some((_, alphabet)) => {
                    letters += 1;
                    alphabets |= 1 << alphabet as u32;
                }
                None if symbol(code) == IGNORABLE => _ = seen_end.get_or_insert(end),
                None if symbol(code) == SEPARATOR => break,
                None => {
                    self.no_mixed_before = seen_end.unwrap_or(end);
                    return 0;
                }
            }
            end += length;
        }
        let is_mixed = alphabets.count_ones() > 1 || alphabets & 1 << Alphabet::Odd as u32 != 0;
        if !is_mixed || !(MIXED_LETTERS_MIN..=MIXED_LETTERS_MAX).contains(&letters) {
            self.no_mixed_before = seen_end.unwrap_or(end);
            return 0;
        }
        self.take_back(start);
        let mut from = start;
        while from < end {
            let (code, length) = decode(&text[from..]);
            if let Some((letter, _)) = looks_like(code) {
                self.put(&[letter], from, length);
            }
            from += length;
        }
        end - at
    }

    /// Writes what a word in base64 says, if it is one, and returns how much that is.
    fn unpack(&mut self, text: &[u8], at: usize) -> usize {
        if at > 0 && is_base64(text[at - 1]) {
            return 0;
        }
        let length = base64_length(&text[at..]);
        let coded = &text[at..at + length];
        if !is_packed(coded) {
            return 0;
        }
        let first = self.text.len();
        for four in coded.chunks(4) {
            let bits = four.iter().fold(0u32, |bits, &byte| bits << 6 | base64_value(byte));
            let bytes = (bits << (6 * (4 - four.len()))).to_be_bytes();
            self.put(&bytes[1..four.len()], at, length);
        }
        let says_something = core::str::from_utf8(&self.text[first..]).is_ok_and(|says| {
            says.chars().all(|c| !c.is_control())
                && says.chars().filter(|c| c.is_alphabetic()).count() * 2 > says.chars().count()
        });
        if !says_something {
            self.text.truncate(first);
            while self.runs.pop_if(|run| run.written >= first).is_some() {}
        }
        self.text.len() - first
    }

    /// Text against the direction, up to where that ends.
    fn turn_round(&mut self, text: &[u8], at: usize) -> usize {
        let mut end = at + 3;
        for _ in 0..TURNED_MAX {
            if end >= text.len() {
                break;
            }
            let (code, length) = decode(&text[end..]);
            if matches!(code, 0x202C | 0xA | 0x2029) {
                break;
            }
            end += length;
        }
        let mut from = end;
        while let Some((_, before)) = decode_before(text, from).filter(|&(_, before)| before >= at + 3) {
            self.copy(text, before, from - before);
            from = before;
        }
        end - at
    }

    /// Words written upside down, from the last letter, which comes first, on.
    fn turn_upside_down(&mut self, text: &[u8], at: usize) -> usize {
        if at < self.no_turned_before {
            return 0;
        }
        let is_turned = |code: u32| upside_down(code).is_some_and(|turned| turned != ' ');
        // The whole of the word at `at`, and the words around it.
        let (mut start, mut end) = (at, at);
        let mut from = at;
        while at - from < TURNED_MAX
            && let Some((code, before)) = decode_before(text, from)
        {
            if code == u32::from(' ') {
                start = from;
            } else if !is_turned(code) {
                break;
            }
            from = before;
            if from == 0 {
                start = 0;
            }
        }
        let (mut to, mut word_end) = (at, None);
        while to < text.len() && to - at < TURNED_MAX {
            let (code, length) = decode(&text[to..]);
            if code == u32::from(' ') {
                end = to;
                word_end = word_end.or(Some(to));
            } else if !is_turned(code) {
                break;
            }
            to += length;
        }
        if to == text.len() || to > at && !is_letter(decode(&text[to..]).0) {
            end = to;
        }
        if decode_before(text, start).is_some_and(|(code, _)| is_letter(code)) || end <= at {
            // No more is the rest of this word.
            self.no_turned_before = word_end.unwrap_or(to);
            return 0;
        }
        self.take_back(start);
        let mut from = end;
        while let Some((code, before)) = decode_before(text, from).filter(|&(_, before)| before >= start) {
            self.put_char(upside_down(code).unwrap_or(' '), before, from - before);
            from = before;
        }
        end - at
    }
}

/// How many bytes at the start are plain.
fn plain_length(rest: &[u8]) -> usize {
    rest.iter().position(|&byte| !IS_PLAIN[usize::from(byte)]).unwrap_or(rest.len())
}

fn is_letter(code: u32) -> bool {
    symbol(code) > SEPARATOR
}

/// What ASCII characters are upside down; 0 for what is nothing then.
static ASCII_TURNED: [u8; 0x80] = {
    let mut turned = [0; 0x80];
    let mut code = 0;
    while code < 0x80 {
        let ascii = code as u8;
        if ascii.is_ascii_digit() || ascii.is_ascii_punctuation() || ascii == b' ' {
            turned[code] = ascii;
        }
        code += 1;
    }
    let letters = UPSIDE_DOWN.as_bytes();
    let (mut at, mut letter) = (0, b'a');
    while at < letters.len() {
        if letters[at] < 0x80 {
            turned[letters[at] as usize] = letter;
        }
        // One letter ends where the next begins.
        at += 1;
        while at < letters.len() && letters[at] & 0xC0 == 0x80 {
            at += 1;
        }
        letter += 1;
    }
    turned
};

/// What a character is when turned by half a circle: letters, and digits and signs as they are.
fn upside_down(code: u32) -> Option<char> {
    if let Some(&turned) = ASCII_TURNED.get(code as usize) {
        return (turned != 0).then_some(turned.into());
    }
    let char = char::from_u32(code)?;
    if let Some(at) = UPSIDE_DOWN.chars().position(|turned| turned == char) {
        return Some(char::from(b'a' + at as u8));
    }
    let otherwise = UPSIDE_DOWN_OTHERWISE.iter().find(|&&(turned, _)| turned == char).map(|&(_, is)| is);
    otherwise.or(matches!(char, '£' | '¡' | '¿').then_some(char))
}

/// How many bytes the character has in UTF-8.
fn char_length(code: u32) -> usize {
    char::from_u32(code).map_or(1, char::len_utf8)
}

/// Whether a character is hardly there for anything but being upside down.
fn shows_turned(char: char) -> bool {
    matches!(char, '\u{250}'..='\u{28E}' | 'ǝ' | 'ƃ' | 'ᴉ' | 'ᴚ' | '∀' | 'Ǝ' | 'Ⅎ' | '⅁' | '˥' | '┴')
}

fn is_arabic(code: u32) -> bool {
    matches!(code, 0x620..=0x64A | 0x671..=0x6D3)
}

/// The Arabic letter for a digit beside Arabic letters, and how long it is with its apostrophe.
fn arabic_letter(text: &[u8], at: usize, digit: char) -> Option<(char, usize)> {
    let before = decode_before(text, at).map(|(code, _)| code);
    let after = |from: usize| text.get(from..).filter(|rest| !rest.is_empty()).map(|rest| decode(rest).0);
    let next = after(at + 1);
    let &(_, plain, marked) = ARABIC_DIGITS.iter().find(|(of, ..)| *of == digit)?;
    let is_alone = ![before, next].into_iter().flatten().any(|code| char::from_u32(code).is_some_and(char::is_numeric));
    let is_marked = next == Some('\''.into()) && after(at + 2).is_some_and(is_arabic);
    let (letter, length) = if is_marked { (marked, 2) } else { (plain, 1) };
    let touches = is_marked || [before, next].into_iter().flatten().any(is_arabic);
    (is_alone && touches).then_some((letter, length))
}

/// The Arabic letter for a Latin one between two Arabic letters.
fn arabic_of_latin(text: &[u8], at: usize, letter: char) -> Option<char> {
    let sound = ARABIC_SOUNDS.chars().nth((letter as usize).checked_sub('b' as usize)?)?;
    let is_between = sound != '_'
        && decode_before(text, at).is_some_and(|(code, _)| is_arabic(code))
        && text.get(at + 1..).is_some_and(|rest| !rest.is_empty() && is_arabic(decode(rest).0));
    is_between.then_some(sound)
}

/// How long a dot in brackets is, by its sign or its name.
fn bracketed_dot(rest: &[u8]) -> Option<usize> {
    let close = match rest.first()? {
        b'[' => b']',
        b'{' => b'}',
        b'(' => b')',
        _ => b'>',
    };
    let length = rest.iter().take("[ dot ]".len()).position(|&byte| byte == close)?;
    let name = rest[1..length].trim_ascii();
    (name == b"." && close != b'>' || name.eq_ignore_ascii_case(b"dot") || name == "点".as_bytes())
        .then_some(length + 1)
}

/// Whether ASCII letters or digits are on both sides of the character of three bytes at `at`.
fn is_between_ascii(text: &[u8], at: usize) -> bool {
    at > 0 && text[at - 1].is_ascii_alphanumeric() && text.get(at + 3).is_some_and(u8::is_ascii_alphanumeric)
}

/// One bit for each Han digit, from U+3000 on.
static NUMERALS: [u64; (0xA000 - 0x3000) / 64] = {
    let mut bits = [0; (0xA000 - 0x3000) / 64];
    let mut number = 0;
    while number < 10 {
        let chars = HAN_DIGITS[number].as_bytes();
        let mut at = 0;
        while at < chars.len() {
            let code =
                (chars[at] as usize & 0xF) << 12 | (chars[at + 1] as usize & 0x3F) << 6 | chars[at + 2] as usize & 0x3F;
            bits[(code - 0x3000) / 64] |= 1 << (code % 64);
            at += 3;
        }
        number += 1;
    }
    bits
};

/// The digit that an ASCII character is or may stand for within a number; 0 for none.
static ASCII_DIGITS: [u8; 0x80] = {
    let mut digits = [0; 0x80];
    let mut digit = 0;
    while digit < 10 {
        digits[b'0' as usize + digit] = b'0' + digit as u8;
        let letters = DIGIT_LETTERS[digit].as_bytes();
        let mut at = 0;
        while at < letters.len() {
            digits[letters[at] as usize] = b'0' + digit as u8;
            at += 1;
        }
        digit += 1;
    }
    digits
};

/// The digit that a character is, or that it may stand for within a number.
fn digit_like(code: u32) -> Option<char> {
    match ASCII_DIGITS.get(code as usize) {
        Some(0) => None,
        Some(&digit) => Some(digit.into()),
        None => plain_digit(char::from_u32(code)?),
    }
}

/// Whether a letter or digit touches the character at `at` from before.
fn touches_letter(text: &[u8], at: usize) -> bool {
    decode_before(text, at)
        .is_some_and(|(code, _)| is_letter(code) && script(code) != Script::Unspaced || digit_like(code).is_some())
}

/// Where the long number at `at` ends that has letters for digits, or is parted; `None` if there is none.
fn number(text: &[u8], at: usize) -> Option<usize> {
    let (end, digits, plain) = number_end(text, at);
    let has_others =
        text[at..end].iter().any(|byte| !matches!(byte, b'0'..=b'9' | b' ' | b'-' | b'.' | b'/' | b'(' | b')'));
    (digits >= LONG_NUMBER_DIGITS_MIN && plain >= LONG_NUMBER_PLAIN_MIN && has_others).then_some(end)
}

/// Where what may be a number ends, how many digits it has, and how many of them are no letters.
fn number_end(text: &[u8], start: usize) -> (usize, usize, usize) {
    let (mut digits, mut plain) = (0, 0);
    // What there is up to the last separator: a word that goes on with other letters is none of it.
    let mut known = (start, 0, 0);
    let mut at = start;
    for _ in 0..LONG_NUMBER_MAX {
        let (code, length) = if at < text.len() { decode(&text[at..]) } else { (u32::from(' '), 0) };
        match char::from_u32(code) {
            _ if length > 0 && digit_like(code).is_some() => {
                digits += 1;
                plain += usize::from(!(code < 0x80 && (code as u8).is_ascii_alphabetic()));
            }
            Some(' ' | '-' | '.' | '/' | '(' | ')') if digits > known.1 => {
                known = (at, digits, plain);
                if length == 0 {
                    break;
                }
            }
            Some(_) if is_letter(code) && script(code) != Script::Unspaced => break,
            _ => {
                if digits > known.1 {
                    known = (at, digits, plain);
                }
                break;
            }
        }
        at += length;
    }
    known
}

/// Where the number around `at` may begin.
fn number_start(text: &[u8], at: usize) -> usize {
    let is_part = |byte: &&u8| digit_like((**byte).into()).is_some() || matches!(byte, b' ' | b'-' | b'.' | b'/');
    let start = at - text[..at].iter().rev().take(LONG_NUMBER_MAX).take_while(is_part).count();
    let token = text[start..at].iter().position(|&byte| digit_like(byte.into()).is_some());
    let start = start + token.unwrap_or(at - start);
    if !touches_letter(text, start) {
        return start;
    }
    // A word goes over into it: it begins after that.
    let rest = &text[start..at];
    rest.iter().position(|&byte| digit_like(byte.into()).is_none()).map_or(at, |gap| start + gap + 1)
}

/// How a term is spelled once ligatures are taken apart and syllables put together, as texts are.
#[cfg(feature = "compile")]
pub(crate) fn spelled(term: &str) -> alloc::string::String {
    // Most terms have neither: they are ASCII, or Han.
    if term.chars().all(|char| char.is_ascii() || matches!(char, '\u{3400}'..='\u{9FFF}')) {
        return term.into();
    }
    let mut spelled = alloc::string::String::new();
    let mut at = 0;
    while let Some(char) = term[at..].chars().next() {
        let mut length = char.len_utf8();
        match (ligature(char), syllable(&term.as_bytes()[at..])) {
            (Some((_, letters)), _) => spelled.push_str(letters),
            (None, Some((syllable, taken))) => {
                spelled.push(syllable);
                length = taken;
            }
            (None, None) => spelled.push(char),
        }
        at += length;
    }
    spelled
}

/// Whether the ASCII sign at the start is written otherwise.
#[inline]
fn is_rewritten(rest: &[u8]) -> bool {
    match rest[0] {
        b'&' => entity(rest).is_some(),
        b'%' => rest.get(1..3).is_some_and(|digits| value(digits, 16).is_some()),
        b'<' => tag(rest) > 0,
        b'[' | b'{' => bracketed_dot(rest).is_some(),
        b'(' => bracketed_dot(rest).is_some() || drawn(rest).is_some(),
        b'\\' | b'/' | b'|' => escape(rest).or_else(|| drawn(rest)).is_some(),
        b'+' => adds(rest).is_some(),
        _ => false,
    }
}

/// The character of an entity, and how long it is: `&#97;`, `&#x61;`, `&amp;`.
fn entity(rest: &[u8]) -> Option<(char, usize)> {
    let (digits_at, radix) = match rest {
        [b'&', b'#', b'x' | b'X', ..] => (3, 16),
        [b'&', b'#', ..] => (2, 10),
        _ => {
            let (name, char) = ENTITIES.iter().find(|(name, _)| rest[1..].starts_with(name))?;
            return Some((*char, 1 + name.len()));
        }
    };
    let digits = rest[digits_at..].iter().take(8).take_while(|byte| char::from(**byte).is_digit(radix)).count();
    let char = char::from_u32(value(&rest[digits_at..digits_at + digits], radix)?)?;
    let has_end = rest.get(digits_at + digits) == Some(&b';');
    Some((char, digits_at + digits + usize::from(has_end)))
}

/// The character of an escape: `\u0061`, `\x61`.
fn escape(rest: &[u8]) -> Option<(char, usize)> {
    let length = match rest {
        [b'\\', b'u', ..] => 4,
        [b'\\', b'x', ..] => 2,
        _ => return None,
    };
    let char = char::from_u32(value(rest.get(2..2 + length)?, 16)?)?;
    Some((char, 2 + length))
}

/// The letter drawn with several signs, and how many they are.
fn drawn(rest: &[u8]) -> Option<(char, usize)> {
    match rest {
        [b'\\', b'/', ..] => Some(('v', 2)),
        [b'/', b'\\', ..] => Some(('a', 2)),
        [b'|', b'_', b'|', ..] => Some(('u', 3)),
        [b'|', b'\\', b'|', ..] => Some(('n', 3)),
        [b'|', b'-', b'|', ..] => Some(('h', 3)),
        [b'|', b'<', ..] => Some(('k', 2)),
        [b'|', b')', ..] => Some(('d', 2)),
        [b'(', b')', ..] => Some(('o', 2)),
        _ => None,
    }
}

/// The length of the tag at the start, 0 if there is none.
fn tag(rest: &[u8]) -> usize {
    let named = match rest {
        [b'<', b'/', letter, ..] | [b'<', letter, ..] => letter.is_ascii_alphabetic(),
        _ => false,
    };
    if !named {
        return 0;
    }
    rest.iter().take(TAG_BYTES_MAX).position(|&byte| byte == b'>').map_or(0, |end| end + 1)
}

fn value(digits: &[u8], radix: u32) -> Option<u32> {
    let add = |value: u32, digit: u8| value.checked_mul(radix)?.checked_add(char::from(digit).to_digit(radix)?);
    (!digits.is_empty()).then(|| digits.iter().try_fold(0, |so_far, &digit| add(so_far, digit)))?
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')
}

/// How long the word at the start is, its padding left out.
fn base64_length(rest: &[u8]) -> usize {
    rest.iter().take(BASE64_MAX + 1).take_while(|&&byte| is_base64(byte)).count()
}

/// Whether a word may be text in base64: long enough, of both cases, and beginning with what shows.
fn is_packed(word: &[u8]) -> bool {
    let has = |of: fn(&u8) -> bool| word.iter().any(of);
    let begins = word.first_chunk::<4>().is_some_and(|four| {
        let bits = four.iter().fold(0u32, |bits, &byte| bits << 6 | base64_value(byte));
        bits.to_be_bytes()[1..].iter().all(|&byte| byte >= b' ')
    });
    (BASE64_MIN..=BASE64_MAX).contains(&word.len())
        && begins
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_uppercase)
}

fn base64_value(byte: u8) -> u32 {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    value.into()
}

/// The length of a plus sign before Han or before what is added as a contact, where it stands for a word.
fn adds(rest: &[u8]) -> Option<usize> {
    let (_, length) = decode(rest);
    let (next, _) = decode(rest.get(length..).filter(|rest| !rest.is_empty())?);
    let is_contact = matches!(char::from_u32(fold::letter(next).0), Some('q' | 'v' | 'w'));
    (is_contact || (0x4E00..0xA000).contains(&next)).then_some(length)
}

/// Whether a single character stands between letters of a script without spaces.
fn is_noise(text: &[u8], at: usize) -> bool {
    let unspaced = |code: u32| {
        code >= 0x80 && matches!(script(code), Script::Unspaced | Script::Hangul) && symbol(code) > SEPARATOR
    };
    let before = text[..at].last().is_some_and(|&byte| byte >= 0x80)
        && decode_before(text, at).is_some_and(|(code, _)| unspaced(code));
    let next = at + decode(&text[at..]).1;
    before && next < text.len() && unspaced(decode(&text[next..]).0)
}

/// The plain digit for one in another form, or for the letter O.
fn plain_digit(char: char) -> Option<char> {
    if matches!(char, 'O' | 'o') {
        return Some('0');
    }
    if ('\u{3007}'..='\u{D7FF}').contains(&char) {
        let at = char as usize - 0x3000;
        if NUMERALS.get(at / 64).is_none_or(|bits| bits >> (at % 64) & 1 == 0) {
            return None;
        }
        let number = HAN_DIGITS.iter().position(|digits| digits.contains(char))?;
        return char::from_digit(number as u32, 10);
    }
    // Letters may be of the class of a digit that they look like.
    let class = symbol(char.into()).wrapping_sub(CLASS_FIRST_DIGIT.into());
    if class < 10 { char::from_u32(fold::letter(char as u32).0).filter(char::is_ascii_digit) } else { None }
}

/// Whether the character at `at` is one of at least five digits of any form in a row.
fn is_in_number(text: &[u8], at: usize) -> bool {
    let is_digit = |code: u32| char::from_u32(code).is_some_and(|c| plain_digit(c).is_some() || c.is_ascii_digit());
    let mut digits = 0;
    let mut end = at;
    for _ in 0..NUMBER_DIGITS_SEEN {
        let (code, length) = decode(&text[end..]);
        if end >= text.len() || !is_digit(code) {
            break;
        }
        digits += 1;
        end += length;
    }
    let mut start = at;
    for _ in 0..NUMBER_DIGITS_SEEN {
        let Some((_, before)) = decode_before(text, start).filter(|&(code, _)| is_digit(code)) else { break };
        digits += 1;
        start = before;
    }
    digits >= NUMBER_DIGITS_MIN
}

/// The Hangul syllable at the start of a text that is written in its parts, and how long that is.
fn syllable(rest: &[u8]) -> Option<(char, usize)> {
    let (first, mut length) = decode(rest);
    let lead = lead_consonant(first)?;
    let (second, second_length) = decode(&rest[length..]);
    let vowel = vowel(second)?;
    length += second_length;
    let (third, third_length) = decode(rest.get(length..)?);
    let mut tail = 0;
    if let Some(number) = tail_consonant(third) {
        let (after, _) = decode(rest.get(length + third_length..)?);
        // A consonant before a vowel begins the next syllable.
        let begins_next = (0x3131..=0x314E).contains(&third) && self::vowel(after).is_some();
        if !begins_next {
            tail = number;
            length += third_length;
        }
    }
    // The Unicode Standard, 3.12: composition of Hangul.
    let syllable = char::from_u32(0xAC00 + (lead * 21 + vowel) * 28 + tail)?;
    Some((syllable, length))
}

/// Consonants in the order of the Korean alphabet's compatibility block, as numbers of lead consonants.
fn lead_consonant(code: u32) -> Option<u32> {
    const COMPATIBLE: [u32; 19] = [
        0x3131, 0x3132, 0x3134, 0x3137, 0x3138, 0x3139, 0x3141, 0x3142, 0x3143, 0x3145, 0x3146, 0x3147, 0x3148, 0x3149,
        0x314A, 0x314B, 0x314C, 0x314D, 0x314E,
    ];
    match code {
        0x1100..=0x1112 => Some(code - 0x1100),
        _ => COMPATIBLE.iter().position(|&letter| letter == code).map(|position| position as u32),
    }
}

fn vowel(code: u32) -> Option<u32> {
    match code {
        0x1161..=0x1175 => Some(code - 0x1161),
        0x314F..=0x3163 => Some(code - 0x314F),
        _ => None,
    }
}

fn tail_consonant(code: u32) -> Option<u32> {
    const COMPATIBLE: [u32; 27] = [
        0x3131, 0x3132, 0x3133, 0x3134, 0x3135, 0x3136, 0x3137, 0x3139, 0x313A, 0x313B, 0x313C, 0x313D, 0x313E, 0x313F,
        0x3140, 0x3141, 0x3142, 0x3144, 0x3145, 0x3146, 0x3147, 0x3148, 0x314A, 0x314B, 0x314C, 0x314D, 0x314E,
    ];
    match code {
        0x11A8..=0x11C2 => Some(code - 0x11A7),
        _ => COMPATIBLE.iter().position(|&letter| letter == code).map(|position| position as u32 + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::String;

    fn watched(text: &str) -> Watch {
        let mut watch = Watch::default();
        text.char_indices().for_each(|(at, c)| watch.character(c as u32, text.as_bytes(), at));
        watch
    }

    fn second(text: &str) -> Option<String> {
        let mut rewrite = Rewrite::default();
        let is_other = rewrite.read(text.as_bytes(), &watched(text));
        is_other.then(|| String::from_utf8_lossy(rewrite.text()).into_owned())
    }

    #[test]
    fn what_is_written_otherwise_is_read_as_it_is_meant() {
        for (written, meant) in [
            ("vi&#97;gra &#x8d4c;", "viagra 赌"),
            ("%76iagra %E8%B5%8C", "viagra 赌"),
            ("\\u0076iagra \\x76", "viagra v"),
            ("via<b>gra</b>", "viagra"),
            ("\\/i/\\gra", "viagra"),
            ("\u{202E}argaiv\u{202C} now", "viagra\u{202C} now"),
            ("ɐɹƃɐᴉʌ", "viagra"),
            ("große ﬁsch", "grosse fisch"),
            ("ㄷㅗㅂㅏㄱ", "도박"),
            ("\u{1103}\u{1169}\u{1107}\u{1161}\u{11A8}", "도박"),
            ("赌a博", "赌博"),
            ("1③八0O1②三4伍⑹", "13800123456"),
            ("l3BoOl3BoOo or 一 五五五 一二三 四五六七", "13800138000 or 1 555 123 4567"),
            ("get suᴉds ǝǝɹɟ day", "get free spins day"),
            ("a[dot]b {dot} c(.)d<Dot>e点f", "a.b . c.d.e.f"),
            ("讠正马佥石马", "证验码"),
            ("сαѕιησ ᎫᎪᏟᏦᏢᎾᎢ", "casino jackpot"),
            ("7مير", "حمير"),
            ("5'الص", "خالص"),
            ("يتناkو", "يتناكو"),
        ] {
            assert_eq!(second(written).as_deref(), Some(meant), "{written}");
        }
        for plain in [
            "hello",
            "100 % of 3 < 5",
            "三个人",
            "欢迎 to 中国",
            "oO",
            "R&D",
            "도박",
            "is it 20 or 30 so",
            "女子人言，两点come",
            "казино Πέτρος нет",
            "call 0800 555 1234",
        ] {
            assert_eq!(second(plain), None, "{plain}");
        }
    }

    #[test]
    fn what_is_watched_and_found_the_same_is_the_same() {
        let alphabet = [
            "赌", "博", "一", "八", "a", "1", "O", " ", "，", "’", "&#97;", "%61", "/", "\\", "ß", "ㄷ", "ㅏ", "③",
            "ｖ", "도", "か", "é", "\u{202E}", "\u{200B}", "ɐ", "(", ")", "<b>", "|", "£", "。", "\u{1103}", "🔥",
        ];
        let mut state = 3u64;
        let mut changed = 0;
        for round in 0..30_000 {
            let mut text = String::new();
            for _ in 0..1 + round % 12 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                text.push_str(alphabet[(state >> 33) as usize % alphabet.len()]);
            }
            let watch = watched(&text);
            let is_changed = Rewrite::default().read(text.as_bytes(), &watch);
            assert!(watch.may_be_rewritten || !is_changed || text.is_ascii(), "{text}");
            if text.is_ascii() && is_changed {
                let mut watch = Watch::default();
                (0..text.len()).for_each(|at| watch.ascii(&text.as_bytes()[at..]));
                // Only numbers with the letter O are left as they are.
                assert!(watch.may_be_rewritten || text.contains('O'), "{text}");
            }
            changed += usize::from(is_changed);
        }
        assert!(changed > 1_000, "{changed} changed: the test tests nothing");
    }

    #[test]
    fn stretches_hold_every_change() {
        let mut rewrite = Rewrite::default();
        let plain = "some words of no interest ".repeat(100);
        for (text, count) in [
            (format!("{plain}v&#105;a{plain}"), 1),
            (format!("{plain}v&#105;a{plain}c<b>asino"), 2),
            (format!("v&#105;a {plain}"), 1),
            (format!("{}&#105;{}", "é".repeat(1000), "é".repeat(1000)), 1),
        ] {
            assert!(rewrite.read(text.as_bytes(), &watched(&text)));
            let stretches: Vec<_> = rewrite.stretches().collect();
            assert_eq!(stretches.len(), count, "{stretches:?}");
            for stretch in stretches {
                assert!(core::str::from_utf8(&rewrite.text()[stretch.clone()]).is_ok(), "{stretch:?}");
                let original = rewrite.original(Span { start: stretch.start as u32, end: stretch.end as u32 });
                assert_ne!(&rewrite.text()[stretch], &text.as_bytes()[original.start as usize..original.end as usize]);
            }
        }
    }

    #[test]
    fn every_byte_knows_where_it_came_from() {
        let mut rewrite = Rewrite::default();
        let text = "a &#98;c";
        assert!(rewrite.read(text.as_bytes(), &Watch::default()));
        assert_eq!(rewrite.text(), b"a bc");
        assert_eq!(rewrite.original(Span { start: 2, end: 4 }), Span { start: 2, end: 8 });
        assert_eq!(rewrite.original(Span { start: 3, end: 4 }), Span { start: 7, end: 8 });
    }
}
