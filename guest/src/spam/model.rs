//! The model: weights in bytes, and what they say of a message. Used in place, as a file and as a section
//! of a pack. Not for training; that is in the command.
//!
//! # Format, version 4 (little-endian)
//!
//! | bytes | what |
//! |---|---|
//! | 0..8 | magic `tamismdl` |
//! | 8..12 | format version, 4 |
//! | 12..16 | bias of the glance, `i32`, in 1/256 of a weight's step |
//! | 16..24 | hash of the fold table it was trained with |
//! | 24..32 | XXH3-64 of the whole model with these eight bytes left out |
//! | 32..40 | bias of each answer, `i32`, in 1/256 of a weight's step |
//! | 40..48 | calibration: 1/65536 of a unit (1/256 of a natural logarithm of odds) for each step of a sum, `i32` an answer |
//! | 48..56 | calibration: added, in units |
//! | 56..184 | 32 signals: `i16` for each answer, in 1/256 of a weight's step |
//! | 184..192 | zero |
//! | 192..65728 | slots of the first answer: an `i8` for each 16 bits that a hash may begin with |
//! | 65728..82112 | slots of the second answer: for each 14 bits |
//! | 82112..90304 | slots of the glance: for each 13 bits |
//!
//! The first answer is *unwanted*, the second *fraud if unwanted*. The sum of an answer is its bias, its
//! signals, and 5/2 of the weights of all grams, divided by the number of grams and five to the power of 3/4; and 3
//! times those of words and shapes, divided in the same way by how many they are. So neither are long texts judged for
//! being long nor short ones for a word, and the few words count beside the many grams.
//!
//! Most messages are not unwanted by far, and cost little: a glance at each four bytes in a row, as they are written,
//! tells. Its sum is its bias and 5/2 of its weights, divided by how many bytes there are and five to the power of 3/4.
//! Where that is below zero, nothing looks like a disguise, and there is no link, the confidence is 0, and the answers
//! are not asked.

use alloc::vec::Vec;
use core::fmt;

use xxhash_rust::xxh3::Xxh3;

use super::glance::{glance, is_usual};
use super::links::LinkFinder;
use super::read::{Feature, Weighed, read};
use super::{Confidence, SPAM_BYTES_MAX, Signal, SignalSet};
use crate::Span;
use crate::fold::fold_table_hash;

/// How many bits of a hash choose the slot of each answer, and of the glance.
pub const SLOT_BITS: [u32; ANSWERS + 1] = [16, 14, 13];
/// Fewer grams than this, without a link or a number, are not judged: a word or two say nothing, and lead nowhere.
const GRAMS_MIN: u32 = 16;
/// How much grams count, and words and shapes, in halves.
const SHARES: [i64; 2] = [5, 6];
/// Added to how many features there are, so that few of them do not weigh much.
const COUNT_MORE: u32 = 5;
/// 256 times the power of 3/4 of what a sum is divided by, where it is no more than that.
const POWERS: [u16; 512] = {
    let mut powers = [0; 512];
    let mut count = 0;
    while count < powers.len() {
        powers[count] = power(count as u64) as u16;
        count += 1;
    }
    powers
};

const MAGIC: [u8; 8] = *b"tamismdl";
const VERSION: u32 = 4;
const HEADER_BYTES: usize = 192;
const CHECKSUM_AT: usize = 24;
const SIGNALS_AT: usize = 56;
const GLANCE_BIAS_AT: usize = 12;
const ANSWERS: usize = 2;
/// Where the glance is among what there are slots for.
const GLANCE: usize = ANSWERS;
const MODEL_BYTES: usize = HEADER_BYTES + (1 << SLOT_BITS[0]) + (1 << SLOT_BITS[1]) + (1 << SLOT_BITS[GLANCE]);

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
    bias: [i32; ANSWERS + 1],
    scale: [i32; ANSWERS],
    offset: [i32; ANSWERS],
    signals: [[i16; ANSWERS]; Signal::SLOTS],
    /// Slots of the first answer, of the second and of the glance.
    unwanted: &'m [u8; 1 << SLOT_BITS[0]],
    fraud: &'m [u8; 1 << SLOT_BITS[1]],
    glance: &'m [u8; 1 << SLOT_BITS[GLANCE]],
}

/// What a model is made of, to write one. All in the units of the format.
#[derive(Clone, Debug)]
pub struct ModelParts {
    /// By answer, and of the glance.
    pub bias: [i32; ANSWERS + 1],
    /// By answer.
    pub scale: [i32; ANSWERS],
    /// By answer.
    pub offset: [i32; ANSWERS],
    /// By signal and answer.
    pub signals: [[i16; ANSWERS]; Signal::SLOTS],
    /// By answer, and of the glance, and slot: as many as [`SLOT_BITS`] say.
    pub slots: [Vec<i8>; ANSWERS + 1],
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
    /// If there are more or fewer slots than [`SLOT_BITS`] say.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        assert!(self.slots.iter().zip(SLOT_BITS).all(|(slots, bits)| slots.len() == 1 << bits));
        let mut bytes = Vec::with_capacity(MODEL_BYTES);
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(self.bias[GLANCE].to_le_bytes());
        bytes.extend(fold_table_hash().to_le_bytes());
        bytes.extend([0; 8]);
        for numbers in [&self.bias[..ANSWERS], &self.scale, &self.offset] {
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
        let slots = bytes[HEADER_BYTES..].split_first_chunk().and_then(|(unwanted, rest)| {
            let (fraud, rest) = rest.split_first_chunk()?;
            Some((unwanted, fraud, rest.try_into().ok()?))
        });
        let Some((unwanted, fraud, glance)) = slots else {
            return Err(ModelError("it is too short or too long"));
        };
        let pair = |at: usize| [i32::from_le_bytes(four(at)), i32::from_le_bytes(four(at + 4))];
        let mut signals = [[0; ANSWERS]; Signal::SLOTS];
        for (signal, weights) in bytes[SIGNALS_AT..].chunks_exact(4).zip(&mut signals) {
            *weights = [i16::from_le_bytes([signal[0], signal[1]]), i16::from_le_bytes([signal[2], signal[3]])];
        }
        let ([unwanted_bias, fraud_bias], scale, offset) = (pair(32), pair(40), pair(48));
        let bias = [unwanted_bias, fraud_bias, i32::from_le_bytes(four(GLANCE_BIAS_AT))];
        Ok(Model { bytes, bias, scale, offset, signals, unwanted, fraud, glance })
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
        if !links.is_reachable() && is_usual(text) && self.is_clean(text) {
            return Confidence::default();
        }
        let unwanted = self.answer(0, self.unwanted, text, sender, links);
        if unwanted < KINDS_MIN {
            return Confidence { advertising: unwanted as u16, fraud: 0 };
        }
        let fraud = (unwanted * self.answer(1, self.fraud, text, sender, links) + 500) / 1000;
        Confidence { advertising: (unwanted - fraud) as u16, fraud: fraud as u16 }
    }

    /// Whether a glance tells that a text is not unwanted by far.
    fn is_clean(&self, text: &[u8]) -> bool {
        let mut sum = 0i32;
        glance(text, |slot| sum += i32::from(self.glance[slot].cast_signed()));
        // As `shared` has it, without dividing.
        ((i64::from(sum) * SHARES[0]) << 15) + i64::from(self.bias[GLANCE]) * power_of(text.len() as u32) < 0
    }

    /// One answer, in per mille.
    fn answer<const N: usize>(
        &self,
        answer: usize,
        slots: &[u8; N],
        text: &[u8],
        sender: &[u8],
        links: SignalSet,
    ) -> u32 {
        let weigh = |feature| match feature {
            Feature::Gram(hash, _) | Feature::Word(hash, _) | Feature::Shape(hash, _) => {
                slots[(hash >> (32 - N.ilog2())) as usize].cast_signed().into()
            }
            Feature::Signal(_) => 0,
        };
        let Weighed { sums, counts, signals } = read::<false>(text, sender, links, weigh);
        if counts[0] < GRAMS_MIN && !signals.is_reachable() {
            return 0;
        }
        let signals: i32 = signals.iter().map(|signal| i32::from(self.signals[signal as usize][answer])).sum();
        let sum = shared(sums[0].into(), counts[0], 0)
            + shared(sums[1].into(), counts[1], 1)
            + i64::from(signals)
            + i64::from(self.bias[answer]);
        logistic(((sum * i64::from(self.scale[answer])) >> 16) + i64::from(self.offset[answer]))
    }

    /// The features that say most, for and against, the weightiest first, no more than `most`. Allocates:
    /// for people, not for the scan.
    #[must_use]
    pub fn reasons(&self, text: &[u8], sender: &[u8], most: usize) -> Vec<Reason> {
        let text = &text[..text.len().min(SPAM_BYTES_MAX)];
        let signals = LinkFinder::default().find(text, |_| {});
        let mut found: [Vec<(Span, i64)>; 2] = [Vec::new(), Vec::new()];
        let weigh = |feature| {
            let (group, hash, span) = match feature {
                Feature::Gram(hash, span) => (0, hash, span),
                Feature::Word(hash, span) | Feature::Shape(hash, span) => (1, hash, span),
                Feature::Signal(_) => return 0,
            };
            let weight = self.unwanted[(hash >> (32 - SLOT_BITS[0])) as usize].cast_signed();
            found[group].push((whole_letters(text, span), weight.into()));
            0
        };
        let signals = read::<true>(text, sender, signals, weigh).signals;
        let grams: Vec<(Span, i64)> = (0..2)
            .flat_map(|group| {
                let count = found[group].len() as u32;
                found[group].iter().map(move |&(span, weight)| (span, shared(weight, count, group)))
            })
            .collect();
        let thousandths = |sum: i64| (sum * i64::from(self.scale[0]) / 65536 * 1000 / UNITS) as i32;
        // Grams that overlap say one thing: what a stretch of text adds is the sum of those that begin in a word.
        let mut reasons: Vec<Reason> = Vec::new();
        for (span, weight) in words_of(text, &grams) {
            reasons.push(Reason { signal: None, span, weight: thousandths(weight) });
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

/// 256 times the power of 3/4 of a number that fits into 32 bits.
const fn power(number: u64) -> u64 {
    (number * (number << 32).isqrt()).isqrt()
}

/// The share of a group of features, of which there are `count`, in the sum of an answer; of all their weights or of
/// one.
fn shared(weights: i64, count: u32, group: usize) -> i64 {
    ((weights * SHARES[group]) << 15) / power_of(count)
}

/// What a sum of `count` features is divided by.
#[inline]
fn power_of(count: u32) -> i64 {
    let count = count + COUNT_MORE;
    POWERS.get(count as usize).map_or_else(|| power(count.into()) as i64, |&power| power.into())
}

/// How much each of `count` features of a group counts, as a number: of grams, or of words and shapes. For training.
#[must_use]
pub fn share(count: usize, is_gram: bool) -> f64 {
    shared(1 << 24, count as u32, usize::from(!is_gram)) as f64 / f64::from(1u32 << 31) / 2.0
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
        ModelParts {
            bias: [-256, 0, 0],
            scale: [65536, 65536],
            offset: [0, 0],
            signals,
            slots: SLOT_BITS.map(|bits| vec![0; 1 << bits]),
        }
    }

    #[test]
    fn a_model_is_read_as_it_was_written() {
        let bytes = parts().write();
        let model = Model::decode(&bytes).expect("whole");
        let mut links = LinkFinder::default();
        let without = model.confidence(b"see you at six in the usual place", b"", &mut links);
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
