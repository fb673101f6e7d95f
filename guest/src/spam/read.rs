//! What the model sees of a text: grams of its folded letters, words, numbers by their length, the shape of what
//! stands between spaces, signals.
//! Digits and signs within words are read as letters always, so that `pr1ze` and `prize` are one; what
//! that does to words with real digits does no harm, because it is always done. Not for finding words of
//! lists: [`search`](crate::search) looks at the same text with more care.

use super::links::LinkFinder;
use super::{SPAM_BYTES_MAX, Signal, SignalSet};
use crate::Span;
use crate::fold::{CLASS_FIRST_LETTER, IGNORABLE, SEPARATOR, Symbol, ascii_symbol, decode, is_mark, symbol};

/// One thing the model has a weight for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Feature {
    /// A gram: letters in a row. Its hash, of which the first bits choose the weight, and where it was read.
    Gram(u32, Span),
    /// A word or a number, in the same way.
    Word(u32, Span),
    /// What stands between two spaces, by kinds of characters: capitals, small letters, how many digits, signs.
    Shape(u32, Span),
    /// A signal, each at most once, after all grams.
    Signal(Signal),
}

/// Letters of the alphabet come first, then digits.
const LETTERS: Symbol = CLASS_FIRST_LETTER as Symbol;
const DIGITS: Symbol = LETTERS + 26;
const AFTER_DIGITS: Symbol = DIGITS + 10;
/// `l`, `i` and `1` are one letter: which of them a `1` stands for, nobody can tell.
const L: Symbol = letter_class(b'l');
const I: Symbol = letter_class(b'i');
/// Stand in the place of letters; what real letters have these classes is rare enough.
const NUMBER: u8 = 0x40;
const MONEY: u8 = 0x60;
/// Before what a letter outside of the alphabet gives in a window of letters.
const OTHER_LETTER: u8 = 0x80;

/// Letters that digits stand for.
const OF_DIGIT: [Symbol; 10] = [
    letter_class(b'o'),
    I,
    letter_class(b'z'),
    letter_class(b'e'),
    letter_class(b'a'),
    letter_class(b's'),
    letter_class(b'g'),
    letter_class(b't'),
    letter_class(b'b'),
    letter_class(b'g'),
];

/// Multipliers of hashes: of four letters, a word, a number, a shape, two and three Han characters.
const FOUR_LETTERS: u32 = 0x9E37_79B1;
const WORD: u32 = 0x85EB_CA6B;
const NUMBER_WORD: u32 = 0xC2B2_AE3D;
const SHAPE: u32 = 0x27D4_EB2F;
const TWO_WIDE: u64 = 0xA076_1D64_78BD_642F;
const THREE_WIDE: u64 = 0xE703_7ED1_A0B4_28DB;

/// Parts of a shape: letters in a row by their case, digits by how many they are; signs are themselves.
const SMALL_LETTERS: u32 = 1;
const CAPITALS: u32 = 2;
const CAPITAL_FIRST: u32 = 3;
const MIXED: u32 = 4;
/// Letters of a style that hides their case.
const STYLED: u32 = 5;
const SHAPE_DIGITS: u32 = 16;
/// The bit that small ASCII letters have and capitals have not.
const SMALL: u8 = 0x20;

#[inline]
fn add_to_word(word: u32, class: u8) -> u32 {
    word.wrapping_add(class.into()).wrapping_mul(WORD)
}

#[inline]
fn add_to_shape(shape: u32, part: u32) -> u32 {
    (shape ^ part).wrapping_mul(SHAPE)
}

/// What stands for a class in a window of letters.
#[inline]
fn narrow(class: Symbol) -> u8 {
    if class < AFTER_DIGITS { class as u8 } else { class as u8 | OTHER_LETTER }
}

const fn letter_class(letter: u8) -> Symbol {
    ascii_symbol(letter)
}

/// Calls `each` with all features of a message: grams as they come, then signals. The text beyond
/// [`SPAM_BYTES_MAX`] is not read. Returns the signals.
pub fn features(text: &[u8], sender: &[u8], links: &mut LinkFinder, mut each: impl FnMut(Feature)) -> SignalSet {
    let text = &text[..text.len().min(SPAM_BYTES_MAX)];
    let signals = links.find(text, |_| {});
    let weigh = |feature| {
        each(feature);
        0
    };
    let signals = read::<true>(text, sender, signals, weigh).signals;
    signals.iter().for_each(|signal| each(Feature::Signal(signal)));
    signals
}

/// What a text comes to.
#[derive(Clone, Copy, Default)]
pub(crate) struct Weighed {
    /// Sums of the weights of grams, and of words and shapes; and how many there are.
    pub(crate) sums: [i32; 2],
    pub(crate) counts: [u32; 2],
    pub(crate) signals: SignalSet,
}

const GRAMS: usize = 0;
const WORDS: usize = 1;

/// Reads a text, the signals of its links being known: adds up what `weigh` says of each feature but the signals. Where
/// grams are is told only with `SPANS`: it costs.
#[inline]
pub(crate) fn read<const SPANS: bool>(
    text: &[u8],
    sender: &[u8],
    links: SignalSet,
    weigh: impl FnMut(Feature) -> i32,
) -> Weighed {
    let mut reader = Reader::<_, SPANS> {
        weigh,
        weighed: Weighed { signals: links, ..Weighed::default() },
        window: 0,
        starts: [0; 4],
        wide: 0,
        word: 0,
        word_start: 0,
        word_letters: 0,
        word_small: false,
        word_kinds: 0,
        is_apart: false,
        letter_end: 0,
        apart_spaces: 0,
        shape: 0,
        shape_last: 0,
        shape_start: 0,
        touching: Touching::Nothing,
        words: 0,
        shouted: 0,
        exclaims: 0,
        number_end: 0,
        number_digits: 0,
        number_lead: [0; 3],
        money_end: 0,
        is_money: false,
    };
    reader.text(text);
    reader.finish(sender)
}

/// What the last character was.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Touching {
    Nothing,
    Letter,
    Number,
}

const KIND_ASCII: u8 = 1;
const KIND_OTHER: u8 = 2;
const KIND_STYLED: u8 = 4;

struct Reader<F, const SPANS: bool> {
    weigh: F,
    weighed: Weighed,
    /// What stands for the classes of the last four letters, a byte each, and where they are.
    window: u32,
    starts: [u32; 4],
    /// Classes of the last three characters of a script without spaces and of what stood between, two bytes each.
    wide: u64,
    /// Hash of the word being read.
    word: u32,
    word_start: u32,
    word_letters: u32,
    /// It has small letters, or what has no case.
    word_small: bool,
    word_kinds: u8,
    /// The word being read is made of single letters apart.
    is_apart: bool,
    /// Where the last letter ended; how many spaces stand between letters apart.
    letter_end: usize,
    apart_spaces: usize,
    /// Hash of the shape since the last space, 0 after one; its last part, of which many in a row are one.
    shape: u32,
    shape_last: u32,
    shape_start: u32,
    touching: Touching,
    words: u32,
    shouted: u32,
    exclaims: u32,
    /// The number before: where it ended, what is invisible since then left out, its digits with those it continues,
    /// its first three digits.
    number_end: usize,
    number_digits: usize,
    number_lead: [Symbol; 3],
    /// Where the last sign of a currency ended in the same way, 0 before the first; whether the number before is an amount.
    money_end: usize,
    is_money: bool,
}

/// ASCII letters in a row, read.
struct Run {
    end: usize,
    window: u32,
    word: u32,
    letters: u32,
    sum: i32,
    /// What it is for a shape.
    case: u32,
}

/// What letters are for a shape, that are not all small.
fn case(letters: &[u8]) -> u32 {
    let is_small = |byte: &u8| byte & SMALL != 0;
    match letters {
        [first, rest @ ..] if !is_small(first) && !rest.is_empty() && rest.iter().all(is_small) => CAPITAL_FIRST,
        _ if letters.iter().any(is_small) => MIXED,
        _ => CAPITALS,
    }
}

/// The class of an ASCII letter, `l` being `i`; 0 for all other bytes.
const ASCII_LETTERS: [u8; 256] = {
    let mut table = [0; 256];
    let mut letter = b'a';
    while letter <= b'z' {
        let class = letter_class(if letter == b'l' { b'i' } else { letter }) as u8;
        table[letter as usize] = class;
        table[letter.to_ascii_uppercase() as usize] = class;
        letter += 1;
    }
    table
};

impl<F: FnMut(Feature) -> i32, const SPANS: bool> Reader<F, SPANS> {
    fn text(&mut self, text: &[u8]) {
        let mut at = self.plain_words(text, 0);
        while at < text.len() {
            let byte = text[at];
            if ASCII_LETTERS[usize::from(byte)] != 0 {
                at = self.ascii_letters(text, at);
                continue;
            }
            if byte == b' ' {
                self.touching = Touching::Nothing;
                self.end_shape(at);
                at = self.plain_words(text, at + 1);
                continue;
            }
            let (code, length, class) = if byte < 0x80 {
                (u32::from(byte), 1, ascii_symbol(byte))
            } else {
                let (code, length) = decode(&text[at..]);
                (code, length, symbol(code))
            };
            let start = at;
            at += length;
            match class {
                LETTERS..DIGITS => self.letter(text, at, start, code, class),
                DIGITS..AFTER_DIGITS => at = self.digits(text, start),
                SEPARATOR => self.separator(text, start, at, code),
                IGNORABLE => {
                    self.number_end += length;
                    self.money_end += if self.money_end > 0 { length } else { 0 };
                    let is_usual = is_mark(code) || code == 0x200D;
                    if self.touching == Touching::Letter && !is_usual {
                        self.weighed.signals.insert(Signal::Invisible);
                    }
                }
                _ if code >= 0x2E80 => self.wide(start, code, class),
                _ => self.letter(text, at, start, code, class),
            }
        }
        self.end_word();
        self.end_shape(text.len());
    }

    /// Words of ASCII letters from the start of one on, with nothing but a space or a usual sign between, which most
    /// text is made of. Returns where they end: within or after a word.
    #[inline]
    fn plain_words(&mut self, text: &[u8], mut at: usize) -> usize {
        let is_letter = |at: usize| text.get(at).is_some_and(|&byte| ASCII_LETTERS[usize::from(byte)] != 0);
        if !is_letter(at) || self.word_letters == 1 || self.is_apart {
            return at;
        }
        self.end_word();
        let (mut window, mut grams, mut sums) = (self.window, 0, [0; 2]);
        let (mut words, mut shouted) = (0, 0);
        let run = loop {
            let start = at;
            if SPANS {
                (self.word_start, self.shape_start) = (start as u32, start as u32);
            }
            let run = self.run(text, start, window, 0, 0);
            window = run.window;
            grams += run.letters;
            sums[GRAMS] += run.sum;
            at = run.end;
            let mut shape = add_to_shape(0, run.case);
            match text.get(at) {
                Some(b' ') => {}
                Some(&sign @ (b'.' | b',' | b'?')) if text.get(at + 1) == Some(&b' ') => {
                    shape = add_to_shape(shape, sign.into());
                    at += 1;
                }
                _ => break run,
            }
            // A letter alone may belong to the next ones.
            if !is_letter(at + 1) || run.letters == 1 && !is_letter(at + 2) {
                break run;
            }
            sums[WORDS] += self.weigh_word(run.word) + self.weigh_shape(shape, at);
            words += 1;
            shouted += u32::from(run.case == CAPITALS && run.letters >= 2);
            at += 1;
        };
        (self.touching, self.letter_end) = (Touching::Letter, run.end);
        self.window = window;
        (self.word, self.word_letters, self.word_kinds) = (run.word, run.letters, KIND_ASCII);
        self.word_small = run.case != CAPITALS;
        (self.shape, self.shape_last) = (add_to_shape(0, run.case), run.case);
        self.weighed.sums[GRAMS] += sums[GRAMS];
        self.weighed.sums[WORDS] += sums[WORDS];
        self.weighed.counts[GRAMS] += grams;
        self.weighed.counts[WORDS] += 2 * words;
        self.words += words;
        self.shouted += shouted;
        run.end
    }

    /// ASCII letters in a row. Returns where they end.
    fn ascii_letters(&mut self, text: &[u8], start: usize) -> usize {
        let previous = if self.touching == Touching::Letter {
            self.window as u8
        } else {
            self.begin_word(text, start + 1, start);
            0
        };
        let run = self.run(text, start, self.window, self.word, previous);
        (self.window, self.word) = (run.window, run.word);
        (self.touching, self.letter_end) = (Touching::Letter, run.end);
        self.word_kinds |= KIND_ASCII;
        self.word_letters += run.letters;
        self.weighed.sums[GRAMS] += run.sum;
        self.weighed.counts[GRAMS] += run.letters;
        self.word_small |= run.case != CAPITALS;
        self.add_shape(start, run.case);
        run.end
    }

    /// Reads ASCII letters in a row. Of the same letter many times, one counts.
    #[inline(always)]
    fn run(&mut self, text: &[u8], start: usize, mut window: u32, mut word: u32, mut previous: u8) -> Run {
        let (mut at, mut sum, mut doubled) = (start, 0, 0);
        // Bits that all letters have.
        let mut all = 0xFF;
        for &byte in &text[start..] {
            let class = ASCII_LETTERS[usize::from(byte)];
            if class == 0 {
                break;
            }
            all &= byte;
            if class == previous {
                doubled += 1;
            } else {
                previous = class;
                window = window << 8 | u32::from(class);
                word = add_to_word(word, class);
                if SPANS {
                    self.starts = [self.starts[1], self.starts[2], self.starts[3], at as u32];
                }
                sum += self.weigh_gram(window.wrapping_mul(FOUR_LETTERS), self.starts[0]);
            }
            at += 1;
        }
        let case = if all & SMALL != 0 { SMALL_LETTERS } else { case(&text[start..at]) };
        Run { end: at, window, word, letters: (at - start) as u32 - doubled, sum, case }
    }

    /// Adds to the shape since the last space.
    #[inline]
    fn add_shape(&mut self, start: usize, part: u32) {
        if SPANS && self.shape == 0 {
            self.shape_start = start as u32;
        }
        if part != self.shape_last {
            self.shape = add_to_shape(self.shape, part);
            self.shape_last = part;
        }
    }

    #[inline]
    fn end_shape(&mut self, end: usize) {
        if self.shape == 0 {
            return;
        }
        // Letters apart are one word, not many short ones.
        if !self.is_apart {
            self.weighed.sums[WORDS] += self.weigh_shape(self.shape, end);
            self.weighed.counts[WORDS] += 1;
        }
        (self.shape, self.shape_last) = (0, 0);
    }

    #[inline]
    fn weigh_shape(&mut self, shape: u32, end: usize) -> i32 {
        (self.weigh)(Feature::Shape(shape, Span { start: self.shape_start, end: end as u32 }))
    }

    /// A letter of a script with words, not ASCII.
    fn letter(&mut self, text: &[u8], end: usize, start: usize, code: u32, class: Symbol) {
        let class = if class == L { I } else { class };
        let kind = match code {
            // Accents, and full width.
            0..0x250 | 0x1E00..0x1F00 | 0xFF00..0x10000 => 0,
            0..0x2000 => KIND_OTHER,
            _ => KIND_STYLED,
        };
        self.add_shape(start, if kind == KIND_STYLED { STYLED } else { SMALL_LETTERS });
        if self.touching != Touching::Letter {
            self.begin_word(text, end, start);
        } else if self.window as u8 == narrow(class) {
            self.letter_end = end;
            return;
        }
        self.letter_end = end;
        self.word_kinds |= kind;
        self.add_letter(start, class);
    }

    #[inline]
    fn add_letter(&mut self, start: usize, class: Symbol) {
        self.touching = Touching::Letter;
        self.word = add_to_word(self.word, narrow(class));
        self.word_letters += 1;
        self.word_small = true;
        self.push(start, narrow(class));
        self.gram(self.window.wrapping_mul(FOUR_LETTERS), self.starts[0]);
    }

    /// Moves the window on.
    #[inline]
    fn push(&mut self, start: usize, narrow: u8) {
        self.window = self.window << 8 | u32::from(narrow);
        if SPANS {
            self.starts = [self.starts[1], self.starts[2], self.starts[3], start as u32];
        }
    }

    #[inline]
    fn gram(&mut self, hash: u32, start: u32) {
        self.weighed.sums[GRAMS] += self.weigh_gram(hash, start);
        self.weighed.counts[GRAMS] += 1;
    }

    #[inline]
    fn weigh_gram(&mut self, hash: u32, start: u32) -> i32 {
        (self.weigh)(Feature::Gram(hash, Span { start, end: self.starts[3] + 1 }))
    }

    /// A letter after something else: the word goes on if it is made of single letters.
    #[inline]
    fn begin_word(&mut self, text: &[u8], end: usize, start: usize) {
        if self.word_letters == 0 {
            self.word_start = start as u32;
            return;
        }
        let spaces = text[self.letter_end.min(start)..start].iter().filter(|&&byte| byte <= b' ').count();
        // Where more is between than before, another word begins.
        let goes_on = if self.is_apart { spaces <= self.apart_spaces } else { self.word_letters == 1 };
        if goes_on && stands_alone(text, end) {
            if !self.is_apart {
                (self.is_apart, self.apart_spaces) = (true, spaces);
            }
            if self.word_letters >= 4 {
                self.weighed.signals.insert(Signal::Apart);
            }
            return;
        }
        self.end_word();
        self.word_start = start as u32;
    }

    #[inline]
    fn end_word(&mut self) {
        if self.word_letters == 0 {
            return;
        }
        self.words += 1;
        self.shouted += u32::from(self.word_letters >= 2 && !self.word_small);
        if self.word_kinds & KIND_STYLED != 0 || self.word_kinds == KIND_ASCII | KIND_OTHER {
            self.weighed.signals.insert(Signal::Disguised);
        }
        self.word_gram(self.word);
        (self.word_letters, self.word_small, self.word_kinds, self.is_apart) = (0, false, 0, false);
    }

    /// A word, or a number. Pairs of words were tried and told no more than the letters across them.
    #[inline]
    fn word_gram(&mut self, word: u32) {
        self.weighed.sums[WORDS] += self.weigh_word(word);
        self.weighed.counts[WORDS] += 1;
        self.word = 0;
    }

    #[inline]
    fn weigh_word(&mut self, word: u32) -> i32 {
        (self.weigh)(Feature::Word(word, Span { start: self.word_start, end: self.starts[3] + 1 }))
    }

    /// A letter of a script without spaces.
    fn wide(&mut self, start: usize, code: u32, class: Symbol) {
        self.end_word();
        if self.touching == Touching::Number {
            // 元 and 万 after a number are money, 折 is a discount.
            match code {
                0x5143 | 0x5757 => self.weighed.signals.insert(Signal::Money),
                0x4E07 => self.weighed.signals.insert(Signal::MoneyLarge),
                0x6298 => self.weighed.signals.insert(Signal::Percent),
                _ => {}
            }
        }
        // 微 and what sounds like it after 加, with a handle behind: checked by its weights, too.
        if matches!(code, 0x5FAE | 0x8587 | 0x5A01 | 0x5FB5) && self.wide as Symbol == symbol(0x52A0) {
            self.weighed.signals.insert(Signal::Contact);
        }
        if self.touching != Touching::Nothing {
            self.wide = self.wide << 16 | u64::from(self.window as u8);
        }
        self.touching = Touching::Nothing;
        self.end_shape(start);
        self.push(start, class as u8 | OTHER_LETTER);
        self.wide = self.wide << 16 | u64::from(class);
        let hash = |characters: u64, multiplier| (characters.wrapping_mul(multiplier) >> 32) as u32;
        self.gram(hash(self.wide & 0xFFFF_FFFF, TWO_WIDE), self.starts[2]);
        self.gram(hash(self.wide & 0xFFFF_FFFF_FFFF, THREE_WIDE), self.starts[1]);
    }

    /// Digits in a row. Returns where they end.
    fn digits(&mut self, text: &[u8], start: usize) -> usize {
        let mut lead = [0; 3];
        let (mut at, mut count) = (start, 0);
        while at < text.len() {
            let (code, length) = decode(&text[at..]);
            match symbol(code) {
                class @ DIGITS..AFTER_DIGITS => {
                    if let Some(place) = lead.get_mut(count) {
                        *place = class;
                    }
                    count += 1;
                }
                IGNORABLE => {}
                _ => break,
            }
            at += length;
        }
        // Pence: `150p`, `10p/min`, `150ppm`; `7p` may be an hour.
        let class_after = |at: usize| text.get(at..).map_or(SEPARATOR, |rest| symbol(decode(rest).0));
        let is_pence = count >= 2 && class_after(at) == letter_class(b'p') && {
            let next = at + decode(&text[at..]).1;
            match class_after(next) {
                class if class == letter_class(b'p') => class_after(next + 1) == letter_class(b'm'),
                LETTERS..AFTER_DIGITS => false,
                _ => true,
            }
        };
        if is_pence {
            self.weighed.signals.insert(Signal::Money);
        }
        self.add_shape(start, SHAPE_DIGITS + count.min(12) as u32);
        let after_letter = self.touching == Touching::Letter;
        if count <= 2 && (after_letter || is_letter_at(text, at)) {
            if after_letter && is_letter_at(text, at) {
                self.weighed.signals.insert(Signal::Leet);
            }
            if !after_letter {
                self.begin_word(text, at, start);
            }
            for &digit in &lead[..count] {
                let class = OF_DIGIT[usize::from(digit - DIGITS)];
                if self.touching != Touching::Letter || self.window as u8 != narrow(class) {
                    self.add_letter(start, class);
                }
            }
            self.letter_end = at;
            return at;
        }
        self.number(start, at, count, lead);
        at
    }

    fn number(&mut self, start: usize, end: usize, count: usize, lead: [Symbol; 3]) {
        self.end_word();
        let continues = self.number_digits > 0 && start - self.number_end <= 2;
        if continues {
            self.number_digits += count;
        } else {
            (self.number_digits, self.number_lead) = (count, lead);
        }
        let digits = self.number_digits;
        if (9..=15).contains(&digits) {
            self.weighed.signals.insert(Signal::Phone);
            // 08, 09, and 070, which looks like a mobile number.
            let is_premium =
                matches!(self.number_lead.map(|digit| digit.wrapping_sub(DIGITS)), [0, 8 | 9, _] | [0, 7, 0]);
            if is_premium {
                self.weighed.signals.insert(Signal::PhonePremium);
            }
        } else if (5..=6).contains(&count) && !continues {
            self.weighed.signals.insert(Signal::ShortCode);
        }
        self.is_money = start - self.money_end <= 1 && self.money_end > 0 || continues && self.is_money;
        if self.is_money {
            self.weighed.signals.insert(Signal::Money);
            if digits >= 4 {
                self.weighed.signals.insert(Signal::MoneyLarge);
            }
        }
        self.number_end = end;
        self.touching = Touching::Number;
        let shape = NUMBER + count.min(12) as u8;
        self.push(start, shape);
        self.gram(self.window.wrapping_mul(FOUR_LETTERS), self.starts[0]);
        self.word_start = start as u32;
        let [first, second, _] = lead.map(u32::from);
        self.words += 1;
        self.word_gram((u32::from(shape) << 16 | first << 8 | second).wrapping_mul(NUMBER_WORD));
    }

    fn separator(&mut self, text: &[u8], start: usize, end: usize, code: u32) {
        let sign = char::from_u32(code).unwrap_or(' ');
        // A picture within a word is no part of it.
        if self.touching == Touching::Letter && is_picture(code) && is_letter_after(text, end, is_picture) {
            return;
        }
        if code <= 0x20 {
            self.end_shape(start);
        } else {
            self.add_shape(start, code);
        }
        // A sign within a word is a letter, and some are where a word begins.
        let letter = match sign {
            '@' => b'a',
            '$' | '€' | '£' => b's',
            '!' | '|' => b'i',
            '+' => b't',
            _ => 0,
        };
        let begins = self.touching == Touching::Nothing
            && matches!(sign, '@' | '|' | '+')
            && text[..start].last().is_none_or(|&byte| byte <= b' ');
        let is_letter = letter != 0
            && (self.touching == Touching::Letter || begins)
            && is_letter_after(text, end, |code| match sign {
                '+' | '|' if !begins => matches!(code, 0x24 | 0x2B | 0x30..0x3A | 0x40 | 0x7C),
                _ => matches!(code, 0x24 | 0x2B | 0x40 | 0x7C),
            });
        if is_letter {
            self.weighed.signals.insert(Signal::Leet);
            if begins {
                self.begin_word(text, end, start);
            }
            let class = letter_class(letter);
            if self.window as u8 != narrow(class) || begins {
                self.add_letter(start, class);
            }
            self.letter_end = end;
            return;
        }
        match sign {
            '!' | '！' => self.exclaims += 1,
            '$' | '€' | '£' | '¥' | '￥' | '₹' | '₦' | '₽' | '฿' => {
                self.money_end = end;
                self.end_word();
                self.push(start, MONEY);
            }
            '%' | '％' if self.touching == Touching::Number => self.weighed.signals.insert(Signal::Percent),
            '【' => self.weighed.signals.insert(Signal::Signature),
            _ => {}
        }
        if self.touching == Touching::Number && !matches!(sign, '.' | ',' | '-' | '(' | ')') {
            self.number_digits = 0;
        }
        self.touching = Touching::Nothing;
    }

    fn finish(mut self, sender: &[u8]) -> Weighed {
        if self.exclaims > 0 {
            self.weighed.signals.insert(Signal::Exclaims);
        }
        if self.exclaims > 2 {
            self.weighed.signals.insert(Signal::ExclaimsMuch);
        }
        if self.shouted >= 3 && self.shouted * 3 >= self.words {
            self.weighed.signals.insert(Signal::Shouting);
        }
        if let Some(signal) = Signal::of_sender(sender) {
            self.weighed.signals.insert(signal);
        }
        self.weighed
    }
}

/// Whether a letter of the alphabet is at `at`.
fn is_letter_at(text: &[u8], at: usize) -> bool {
    match text.get(at) {
        None => false,
        Some(byte) if byte.is_ascii() => byte.is_ascii_alphabetic(),
        Some(_) => (LETTERS..DIGITS).contains(&symbol(decode(&text[at..]).0)),
    }
}

/// Whether a letter of the alphabet follows at `at`, with no more than a few of such characters before it and of those
/// that are invisible.
fn is_letter_after(text: &[u8], mut at: usize, may_come: impl Fn(u32) -> bool) -> bool {
    for _ in 0..4 {
        let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) else { return false };
        let (code, length) = decode(rest);
        if is_letter_at(text, at) {
            return true;
        }
        if !may_come(code) && symbol(code) != IGNORABLE {
            return false;
        }
        at += length;
    }
    false
}

/// Whether a code point is a picture that has nothing of a letter.
fn is_picture(code: u32) -> bool {
    matches!(code, 0x2600..0x27C0 | 0x1F300..0x1FB00)
}

/// Whether the letter that ends at `end` has none beside it.
fn stands_alone(text: &[u8], mut end: usize) -> bool {
    while end < text.len() {
        let (code, length) = decode(&text[end..]);
        match symbol(code) {
            IGNORABLE => end += length,
            class => return class == SEPARATOR,
        }
    }
    true
}
