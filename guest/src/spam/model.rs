//! The model: weights in bytes, and what they say of a message. Used in place, as a file and as a section
//! of a pack. Not for training; that is in the command.
//!
//! # Format, version 1 (little-endian)
//!
//! | bytes | what |
//! |---|---|
//! | 0..8 | magic `tamismdl` |
//! | 8..12 | format version, 1 |
//! | 12..16 | how many bits of a hash choose a slot, 10 to 16 |
//! | 16..24 | hash of the fold table it was trained with |
//! | 24..32 | XXH3-64 of the whole model with these eight bytes left out |
//! | 32..40 | bias of each answer, `i32`, in 1/256 of a weight's step |
//! | 40..48 | calibration: 1/65536 of a unit (1/256 of a natural logarithm of odds) for each step of a sum, `i32` an answer |
//! | 48..56 | calibration: added, in units |
//! | 56..184 | 32 signals: `i16` for each answer, in 1/256 of a weight's step |
//! | 184..192 | zero |
//! | 192.. | slots: `i8` for each answer |
//!
//! The first answer is *unwanted*, the second *fraud if unwanted*. The sum of an answer is its bias, its
//! signals, and the weights of all grams divided by the root of how many there are; that is how long
//! texts are not judged for being long.

use alloc::vec::Vec;
use core::fmt;

use xxhash_rust::xxh3::Xxh3;

use super::links::LinkFinder;
use super::read::{Feature, read};
use super::{Confidence, SPAM_BYTES_MAX, Signal, SignalSet};
use crate::Span;
use crate::fold::fold_table_hash;

/// Fewest bits that choose a slot.
pub const SLOT_BITS_MIN: u32 = 10;
/// Most bits that choose a slot: 128 KiB of weights.
pub const SLOT_BITS_MAX: u32 = 16;

const MAGIC: [u8; 8] = *b"tamismdl";
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 192;
const CHECKSUM_AT: usize = 24;
const SIGNALS_AT: usize = 56;
const ANSWERS: usize = 2;

/// Logistic function in per mille, from 0 on, every quarter of a natural logarithm of odds.
const LOGISTIC: [u16; 33] = [
    500, 562, 622, 679, 731, 777, 818, 852, 881, 905, 924, 940, 953, 963, 971, 977, 982, 986, 989, 991, 993, 995, 996,
    997, 998, 998, 998, 999, 999, 999, 999, 1000, 1000,
];
/// Unwanted with less confidence than this, in per mille, is not looked at again to tell the kinds apart: it
/// all counts as advertising, the lesser of the two.
const KINDS_MIN: u32 = 100;
/// Calibrated units in a natural logarithm of odds.
const UNITS: i64 = 256;

/// A checked model, its bytes in place.
#[derive(Clone, Copy, Debug)]
pub struct Model<'m> {
    bytes: &'m [u8],
    shift: u32,
    bias: [i32; ANSWERS],
    scale: [i32; ANSWERS],
    offset: [i32; ANSWERS],
    signals: [[i16; ANSWERS]; Signal::SLOTS],
    slots: &'m [[u8; ANSWERS]],
}

/// What a model is made of, to write one. All in the units of the format.
#[derive(Clone, Debug)]
pub struct ModelParts {
    /// By answer.
    pub bias: [i32; ANSWERS],
    /// By answer.
    pub scale: [i32; ANSWERS],
    /// By answer.
    pub offset: [i32; ANSWERS],
    /// By signal and answer.
    pub signals: [[i16; ANSWERS]; Signal::SLOTS],
    /// By slot and answer; a power of two of them.
    pub slots: Vec<[i8; ANSWERS]>,
}

/// Why bytes are not a model for this version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ModelError(&'static str);

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a model: {}; train it again with this version", self.0)
    }
}

impl core::error::Error for ModelError {}

/// Why a message has the confidence it has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reason {
    /// What it is: a signal, or, if there is none, what stands at `span`.
    pub signal: Option<Signal>,
    /// Where it is in the text; all of it for a signal.
    pub span: Span,
    /// What it adds to the logarithm of the odds that the message is unwanted, in thousandths.
    pub weight: i32,
}

impl Reason {
    /// What stands there in the text.
    #[must_use]
    pub fn words<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        text.get(self.span.start as usize..self.span.end as usize).unwrap_or_default()
    }
}

impl ModelParts {
    /// The model's bytes.
    ///
    /// # Panics
    /// If the slots are not a power of two from 2^10 to 2^16.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let bits = self.slots.len().trailing_zeros();
        assert!(self.slots.len().is_power_of_two() && (SLOT_BITS_MIN..=SLOT_BITS_MAX).contains(&bits));
        let mut bytes = Vec::with_capacity(HEADER_BYTES + ANSWERS * self.slots.len());
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(bits.to_le_bytes());
        bytes.extend(fold_table_hash().to_le_bytes());
        bytes.extend([0; 8]);
        for numbers in [self.bias, self.scale, self.offset] {
            bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        }
        bytes.extend(self.signals.iter().flatten().flat_map(|weight| weight.to_le_bytes()));
        bytes.resize(HEADER_BYTES, 0);
        bytes.extend(self.slots.iter().flatten().map(|weight| weight.to_le_bytes()[0]));
        let checksum = checksum(&bytes);
        bytes[CHECKSUM_AT..CHECKSUM_AT + 8].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }
}

impl<'m> Model<'m> {
    /// Reads a model without copying it. Checks everything: costs one pass over the bytes.
    ///
    /// # Errors
    /// Bytes that are not exactly what [`ModelParts::write`] wrote, or were written for another version.
    pub fn decode(bytes: &'m [u8]) -> Result<Model<'m>, ModelError> {
        let model = Model::decode_layout(bytes)?;
        if checksum(bytes).to_le_bytes() != bytes[CHECKSUM_AT..CHECKSUM_AT + 8] {
            return Err(ModelError("its checksum does not match"));
        }
        Ok(model)
    }

    /// Reads a model whose content was checked before.
    pub(crate) fn decode_layout(bytes: &'m [u8]) -> Result<Model<'m>, ModelError> {
        if bytes.len() < HEADER_BYTES || bytes[..8] != MAGIC {
            return Err(ModelError("it does not begin with `tamismdl`"));
        }
        let four = |at: usize| bytes[at..].first_chunk().map_or([0; 4], |four| *four);
        if u32::from_le_bytes(four(8)) != VERSION {
            return Err(ModelError("it has another format version"));
        }
        if bytes[16..24] != fold_table_hash().to_le_bytes() {
            return Err(ModelError("it was trained with another fold table"));
        }
        let bits = u32::from_le_bytes(four(12));
        let slots = bytes[HEADER_BYTES..].as_chunks().0;
        let is_whole = bytes.len() - HEADER_BYTES == ANSWERS << bits.min(SLOT_BITS_MAX);
        if !(SLOT_BITS_MIN..=SLOT_BITS_MAX).contains(&bits) || !is_whole {
            return Err(ModelError("it is too short or too long"));
        }
        let pair = |at: usize| [i32::from_le_bytes(four(at)), i32::from_le_bytes(four(at + 4))];
        let mut signals = [[0; ANSWERS]; Signal::SLOTS];
        for (signal, weights) in bytes[SIGNALS_AT..].chunks_exact(4).zip(&mut signals) {
            *weights = [i16::from_le_bytes([signal[0], signal[1]]), i16::from_le_bytes([signal[2], signal[3]])];
        }
        let (bias, scale, offset) = (pair(32), pair(40), pair(48));
        Ok(Model { bytes, shift: 32 - bits, bias, scale, offset, signals, slots })
    }

    /// The bytes it was read from.
    #[must_use]
    pub fn bytes(&self) -> &'m [u8] {
        self.bytes
    }

    /// How sure it is of a message. Reads the text up to [`SPAM_BYTES_MAX`].
    pub fn confidence(&self, text: &[u8], sender: &[u8], links: &mut LinkFinder) -> Confidence {
        let text = &text[..text.len().min(SPAM_BYTES_MAX)];
        let signals = links.find(text, |_| {});
        self.judge(text, sender, signals)
    }

    /// The same, the signals of the links being known.
    pub(crate) fn judge(&self, text: &[u8], sender: &[u8], links: SignalSet) -> Confidence {
        let text = &text[..text.len().min(SPAM_BYTES_MAX)];
        let unwanted = self.answer::<0>(text, sender, links);
        if unwanted < KINDS_MIN {
            return Confidence { advertising: unwanted as u16, fraud: 0 };
        }
        let fraud = (unwanted * self.answer::<1>(text, sender, links) + 500) / 1000;
        Confidence { advertising: (unwanted - fraud) as u16, fraud: fraud as u16 }
    }

    /// One answer, in per mille.
    fn answer<const ANSWER: usize>(&self, text: &[u8], sender: &[u8], links: SignalSet) -> u32 {
        let (mut sum, mut grams) = (0i32, 0u32);
        let (slots, shift) = (self.slots, self.shift);
        let signals = read::<false>(text, sender, links, |feature| {
            if let Feature::Gram(hash, _) = feature {
                sum += i32::from(slots[(hash >> shift) as usize][ANSWER].cast_signed());
                grams += 1;
            }
        });
        let root = i64::from((grams.max(1) << 16).isqrt());
        let signals: i32 = signals.iter().map(|signal| i32::from(self.signals[signal as usize][ANSWER])).sum();
        let sum = (i64::from(sum) << 16) / root + i64::from(signals) + i64::from(self.bias[ANSWER]);
        logistic(((sum * i64::from(self.scale[ANSWER])) >> 16) + i64::from(self.offset[ANSWER]))
    }

    /// The features that say most, for and against, the weightiest first, no more than `most`. Allocates:
    /// for people, not for the scan.
    #[must_use]
    pub fn reasons(&self, text: &[u8], sender: &[u8], most: usize) -> Vec<Reason> {
        let text = &text[..text.len().min(SPAM_BYTES_MAX)];
        let signals = LinkFinder::default().find(text, |_| {});
        let mut grams: Vec<(Span, i64)> = Vec::new();
        let signals = read::<true>(text, sender, signals, |feature| {
            if let Feature::Gram(hash, span) = feature {
                let weight = self.slots[(hash >> self.shift) as usize][0].cast_signed();
                grams.push((whole_letters(text, span), weight.into()));
            }
        });
        let root = i64::from(((grams.len() as u32).max(1) << 16).isqrt());
        let thousandths = |sum: i64| (sum * i64::from(self.scale[0]) / 65536 * 1000 / UNITS) as i32;
        // Grams that overlap say one thing: what a stretch of text adds is the sum of those that begin in a word.
        let mut reasons: Vec<Reason> = Vec::new();
        for (span, weight) in words_of(text, &grams) {
            let weight = thousandths((weight << 16) / root);
            reasons.push(Reason { signal: None, span, weight });
        }
        let all = Span { start: 0, end: text.len() as u32 };
        reasons.extend(signals.iter().map(|signal| {
            let weight = thousandths(i64::from(self.signals[signal as usize][0]));
            Reason { signal: Some(signal), span: all, weight }
        }));
        reasons.retain(|reason| reason.weight != 0);
        reasons.sort_by_key(|reason| (-reason.weight.abs(), reason.span));
        reasons.truncate(most);
        reasons
    }
}

/// Weights of grams by the word that they end in.
fn words_of(text: &[u8], grams: &[(Span, i64)]) -> Vec<(Span, i64)> {
    let is_space = |at: u32| text[at as usize].is_ascii_whitespace();
    let mut words: Vec<(Span, i64)> = Vec::new();
    for &(span, weight) in grams {
        let last = span.end - 1;
        let start = (0..last).rev().find(|&at| is_space(at)).map_or(0, |at| at + 1);
        let end = (last..text.len() as u32).find(|&at| is_space(at)).unwrap_or(text.len() as u32);
        let wide = text[last as usize] >= 0x80;
        let word = if wide { span } else { Span { start, end } };
        match words.iter_mut().find(|(known, _)| *known == word) {
            Some((_, sum)) => *sum += weight,
            None => words.push((word, weight)),
        }
    }
    words
}

/// The span up to the end of its last character.
fn whole_letters(text: &[u8], span: Span) -> Span {
    let mut end = span.end as usize;
    while text.get(end).is_some_and(|byte| byte & 0xC0 == 0x80) {
        end += 1;
    }
    Span { start: span.start, end: end as u32 }
}

/// Probability in per mille of calibrated odds.
fn logistic(odds: i64) -> u32 {
    let size = odds.unsigned_abs() as usize;
    let (place, rest) = (size / 64, (size % 64) as u32);
    let above = match (LOGISTIC.get(place), LOGISTIC.get(place + 1)) {
        (Some(&low), Some(&high)) => u32::from(low) + u32::from(high - low) * rest / 64,
        _ => 1000,
    };
    if odds < 0 { 1000 - above } else { above }
}

fn checksum(bytes: &[u8]) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(&bytes[..CHECKSUM_AT]);
    hash.update(&bytes[CHECKSUM_AT + 8..]);
    hash.digest()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn parts() -> ModelParts {
        let mut signals = [[0; ANSWERS]; Signal::SLOTS];
        signals[Signal::Link as usize] = [512, 0];
        ModelParts { bias: [-256, 0], scale: [65536, 65536], offset: [0, 0], signals, slots: vec![[0, 0]; 1 << 10] }
    }

    #[test]
    fn a_model_is_read_as_it_was_written() {
        let bytes = parts().write();
        let model = Model::decode(&bytes).expect("whole");
        let mut links = LinkFinder::default();
        let without = model.confidence(b"see you at six", b"", &mut links);
        let with = model.confidence(b"see example.com", b"", &mut links);
        assert_eq!(without.unwanted(), 269);
        assert_eq!(with.unwanted(), 731);
        assert_eq!(with.fraud, 366);
        let reasons = model.reasons(b"see example.com", b"", 3);
        assert_eq!(reasons[0].signal, Some(Signal::Link));
        assert_eq!(reasons[0].weight, 2000);
    }

    #[test]
    fn damaged_models_are_refused() {
        let bytes = parts().write();
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            assert!(Model::decode(&damaged).is_err(), "byte {at}");
        }
        for length in [0, 7, 8, HEADER_BYTES, bytes.len() - 1] {
            assert!(Model::decode(&bytes[..length]).is_err());
        }
    }

    #[test]
    fn per_mille_ascend_with_odds() {
        let all: Vec<u32> = (-3000..3000).map(logistic).collect();
        assert!(all.is_sorted());
        assert_eq!((logistic(0), logistic(-100_000), logistic(100_000)), (500, 0, 1000));
    }
}
