//! The second reading: a text as a reader's eye or program would turn it before reading. Entities, percent
//! signs and escapes are resolved, tags left out or made spaces, text against the direction or upside down turned
//! round, letters and Han characters made of several put together, ligatures taken apart, numbers in Han digits or
//! with letters among the digits written in plain ones, words in letters of several alphabets that look like those of
//! one written in that, and a capital I that is drawn as a small L. Each byte remembers where it came from, so that
//! what is found has its place in the original.

mod alike;
mod arabic;
mod encoded;
mod hangul;
mod numbers;
mod turned;
mod watch;

#[cfg(test)]
pub(crate) use alike::mistaken as mistaken_letter;
pub(crate) use watch::{Watch, is_watched};

use alloc::vec::Vec;
use core::ops::Range;

use alike::mistaken;
use arabic::{arabic_letter, arabic_of_latin};
use encoded::{adds, base64_length, base64_value, drawn, entity, escape, is_base64, is_packed, tag, value};
use hangul::syllable;
use numbers::{digit_like, is_in_number, number, number_end, plain_digit, touches_letter};
use turned::{shows_turned, upside_down};
use watch::{is_dot_name, is_noise, is_noise_mark};

use crate::Span;
use crate::alphabets::{Alphabet, looks_like};
use crate::fold::{IGNORABLE, SEPARATOR, decode, decode_before, symbol};
use crate::splits;

/// Longest text that is turned round, in bytes.
const TURNED_MAX: usize = 1024;

/// How much of the text around a change is read the second way too: words and phrases go on there.
const CONTEXT_BYTES: usize = 256;

/// What is found so near to where a stretch is cut off may be another thing in the whole text, and the first reading
/// has found it if it is there.
pub(crate) const CUT_BYTES: usize = 64;

/// Longest word in letters of several alphabets, in characters, and shortest.
const MIXED_LETTERS_MAX: usize = 32;

const MIXED_LETTERS_MIN: usize = 3;

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

/// The letters that a ligature stands for, with it.
fn ligature(char: char) -> Option<&'static (char, &'static str)> {
    let may_be = matches!(char, '\u{C6}'..='\u{153}' | 'ẞ' | '㏄' | '\u{FB00}'..='\u{FB06}');
    LIGATURES.iter().filter(|_| may_be).find(|(ligature, _)| *ligature == char)
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
                    // Within a word of ASCII there are only the letter O among digits, and I and L.
                    let is_within = |byte: u8| byte | 0x20 != b'o' && at > 0 && text[at - 1].is_ascii_alphanumeric();
                    let is_plain = byte.is_ascii_alphabetic() && is_within(byte) && mistaken(text, at).is_none();
                    usize::from(is_plain || byte == b' ')
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
            Some('<') => match tag(rest) {
                (length @ 1.., true) => self.put_char(' ', at, length),
                (length, _) => length,
            },
            Some('\\' | '/' | '|' | '(') => match escape(rest).or_else(|| drawn(rest)) {
                Some((char, length)) => self.put_char(char, at, length),
                None => 0,
            },
            Some('\u{202E}') => self.turn_round(text, at),
            Some('➕' | '+' | '＋') => match adds(rest) {
                Some(length) => self.put_char('加', at, length),
                None => 0,
            },
            Some('I' | 'l') if let Some(letter) = mistaken(text, at) => self.put_char(letter, at, 1),
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

/// How many bytes the character has in UTF-8.
fn char_length(code: u32) -> usize {
    char::from_u32(code).map_or(1, char::len_utf8)
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
