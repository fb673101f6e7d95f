//! Learns a model from labelled messages: a linear classifier with quadratic hinge loss by coordinate
//! descent, twice: unwanted or not, and, of the unwanted, fraud or advertising. Then weights become bytes,
//! and sums confidences. Not for judging: the filter does that with integers, and so does the evaluation.

use tamis_guest::spam::{Feature, LinkFinder, Model, ModelParts, Signal, features};

use super::data::{Example, Label, Random};
use super::evade::disguise;

/// What can be chosen in training.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) seed: u64,
    /// Bits of a hash that choose a slot.
    pub(crate) bits: u32,
    /// How much a mistake costs beside large weights.
    pub(crate) cost: f64,
    /// How much more a false alarm costs than a miss.
    pub(crate) ham_cost: f64,
    /// Weight of a disguised copy beside its original.
    pub(crate) disguised: f64,
    /// Weight of made messages and of prose.
    pub(crate) made: f64,
    pub(crate) prose: f64,
    pub(crate) signal_value: f64,
}

impl Settings {
    pub(crate) fn new(seed: u64) -> Settings {
        Settings { seed, bits: 15, cost: 2.0, ham_cost: 2.0, disguised: 0.5, made: 0.2, prose: 0.3, signal_value: 0.15 }
    }
}

const EPOCHS: usize = 30;
const ANSWERS: usize = 2;
/// Value of the feature that is always there.
const BIAS_VALUE: f64 = 1.0;

/// A message as numbers: slots with their values, then signals, then the bias.
#[derive(Clone, Debug)]
struct Row {
    values: Vec<(u32, f32)>,
    weight: f64,
    label: Label,
    square: f64,
}

/// Reads an example as the filter will.
fn row(text: &str, sender: &str, label: Label, weight: f64, settings: &Settings, links: &mut LinkFinder) -> Row {
    let shift = 32 - settings.bits;
    let (mut slots, mut signals) = (Vec::new(), Vec::new());
    features(text.as_bytes(), sender.as_bytes(), links, |feature| match feature {
        Feature::Gram(hash, _) => slots.push(hash >> shift),
        Feature::Signal(signal) => signals.push(signal as u32),
    });
    let each = 1.0 / (slots.len().max(1) as f64).sqrt();
    slots.sort_unstable();
    let mut values: Vec<(u32, f32)> =
        slots.chunk_by(|a, b| a == b).map(|same| (same[0], (same.len() as f64 * each) as f32)).collect();
    let first_signal = 1u32 << settings.bits;
    values.extend(signals.iter().map(|signal| (first_signal + signal, settings.signal_value as f32)));
    values.push((first_signal + Signal::SLOTS as u32, BIAS_VALUE as f32));
    let square = values.iter().map(|(_, value)| f64::from(*value).powi(2)).sum();
    Row { values, weight, label, square }
}

/// Learns one answer. `wanted` tells which side a row is on, or that it says nothing.
fn fit(rows: &[Row], settings: &Settings, wanted: impl Fn(Label) -> Option<bool>) -> Vec<f64> {
    let mut weights = vec![0.0; (1 << settings.bits) + Signal::SLOTS + 1];
    let mut order: Vec<(usize, f64, f64)> = rows
        .iter()
        .enumerate()
        .filter_map(|(at, row)| {
            let side = if wanted(row.label)? { 1.0 } else { -1.0 };
            let cost = settings.cost * row.weight * if side < 0.0 { settings.ham_cost } else { 1.0 };
            Some((at, side, 0.5 / cost))
        })
        .collect();
    let mut alphas = vec![0.0; rows.len()];
    let mut random = Random::new(settings.seed);
    for _ in 0..EPOCHS {
        for place in (1..order.len()).rev() {
            order.swap(place, random.below(place + 1));
        }
        for &(at, side, diagonal) in &order {
            let row = &rows[at];
            let sum: f64 = row.values.iter().map(|&(slot, value)| weights[slot as usize] * f64::from(value)).sum();
            let gradient = side * sum - 1.0 + alphas[at] * diagonal;
            let alpha = (alphas[at] - gradient / (row.square + diagonal)).max(0.0);
            let step = (alpha - alphas[at]) * side;
            if step != 0.0 {
                for &(slot, value) in &row.values {
                    weights[slot as usize] += step * f64::from(value);
                }
                alphas[at] = alpha;
            }
        }
    }
    weights
}

/// Makes bytes of weights, without calibration: one step of a sum is 1/256 of a natural logarithm.
fn quantise(weights: &[Vec<f64>; ANSWERS], settings: &Settings) -> (ModelParts, [f64; ANSWERS]) {
    let slots_count = 1usize << settings.bits;
    let mut parts = ModelParts {
        bias: [0; ANSWERS],
        scale: [65536; ANSWERS],
        offset: [0; ANSWERS],
        signals: [[0; ANSWERS]; Signal::SLOTS],
        slots: vec![[0; ANSWERS]; slots_count],
    };
    let mut steps = [0.0; ANSWERS];
    for (answer, weights) in weights.iter().enumerate() {
        // The largest few are cut: one step for all of them would be too coarse for the rest.
        let mut sizes: Vec<f64> = weights[..slots_count].iter().map(|weight| weight.abs()).collect();
        let place = slots_count - 1 - slots_count / 1000;
        let (_, &mut large, _) = sizes.select_nth_unstable_by(place, f64::total_cmp);
        let step = large.max(1e-9) / 127.0;
        steps[answer] = step;
        for (slot, &weight) in parts.slots.iter_mut().zip(weights) {
            slot[answer] = (weight / step).round().clamp(-127.0, 127.0) as i8;
        }
        for (signal, &weight) in parts.signals.iter_mut().zip(&weights[slots_count..]) {
            let value = weight * settings.signal_value / step * 256.0;
            signal[answer] = value.round().clamp(-32767.0, 32767.0) as i16;
        }
        parts.bias[answer] = (weights[slots_count + Signal::SLOTS] * BIAS_VALUE / step * 256.0).round() as i32;
    }
    (parts, steps)
}

/// The sum of a quantised answer, in steps, for calibration.
fn sum(parts: &ModelParts, row: &Row, settings: &Settings, answer: usize) -> f64 {
    let slots_count = 1u32 << settings.bits;
    row.values
        .iter()
        .map(|&(slot, value)| match slot.checked_sub(slots_count) {
            None => f64::from(parts.slots[slot as usize][answer]) * f64::from(value),
            Some(signal) => match parts.signals.get(signal as usize) {
                Some(weights) => f64::from(weights[answer]) / 256.0,
                None => f64::from(parts.bias[answer]) / 256.0,
            },
        })
        .sum()
}

/// Fits `odds = scale × sum + offset` (Platt, by Newton's method) to sums and sides with weights.
fn calibrate(points: &[(f64, bool, f64)]) -> (f64, f64) {
    let spread = points.iter().map(|(sum, ..)| sum.abs()).fold(1e-9, f64::max);
    let (mut scale, mut offset) = (1.0, 0.0);
    for _ in 0..100 {
        let (mut g, mut h, mut d) = ([0.0; 2], [1e-6, 1e-6], 0.0);
        for &(sum, side, weight) in points {
            let x = sum / spread;
            let p = 1.0 / (1.0 + (-(scale * x + offset)).exp());
            // A little doubt, as Platt has it, keeps odds finite.
            let target = if side { 0.999 } else { 0.001 };
            let (error, curve) = (weight * (p - target), weight * p * (1.0 - p) + 1e-9);
            g[0] += error * x;
            g[1] += error;
            h[0] += curve * x * x;
            h[1] += curve;
            d += curve * x;
        }
        let determinant = h[0] * h[1] - d * d;
        let step = [(h[1] * g[0] - d * g[1]) / determinant, (h[0] * g[1] - d * g[0]) / determinant];
        scale -= step[0];
        offset -= step[1];
        if step[0].abs() + step[1].abs() < 1e-9 {
            break;
        }
    }
    (scale / spread, offset)
}

fn unwanted(label: Label) -> Option<bool> {
    Some(label.is_unwanted())
}

fn fraud(label: Label) -> Option<bool> {
    match label {
        Label::Fraud => Some(true),
        Label::Advertising => Some(false),
        Label::Ham | Label::Spam => None,
    }
}

/// Which part of a cross-validation a message is tested in.
pub(crate) fn fold_of(key: u64, folds: usize) -> usize {
    (key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize % folds
}

/// Folds in which sums are made for calibration.
const CALIBRATION_FOLDS: usize = 4;

/// Learns a model. `tick` is called after each of [`STEPS`] steps.
pub(crate) fn train(examples: &[&Example], is_prose: &[bool], settings: &Settings, mut tick: impl FnMut()) -> Vec<u8> {
    let mut links = LinkFinder::default();
    let mut random = Random::new(settings.seed ^ 7);
    let mut rows: Vec<(Row, usize, bool)> = Vec::new();
    for example in examples {
        let weight = match (example.is_made, is_prose[example.source]) {
            (true, _) => settings.made,
            (_, true) => settings.prose,
            _ => 1.0,
        };
        let fold = fold_of(example.campaign.rotate_left(17), CALIBRATION_FOLDS);
        rows.push((row(&example.text, &example.sender, example.label, weight, settings, &mut links), fold, true));
        if settings.disguised > 0.0 && !is_prose[example.source] {
            let disguised = disguise(&example.text, &mut random);
            let copy =
                row(&disguised, &example.sender, example.label, weight * settings.disguised, settings, &mut links);
            rows.push((copy, fold, false));
        }
    }
    tick();
    let mut points: [Vec<(f64, bool, f64)>; ANSWERS] = Default::default();
    for fold in 0..CALIBRATION_FOLDS {
        let part: Vec<Row> = rows.iter().filter(|(_, of, _)| *of != fold).map(|(row, ..)| row.clone()).collect();
        let (parts, steps) = quantise(&[fit(&part, settings, unwanted), fit(&part, settings, fraud)], settings);
        for (row, ..) in rows.iter().filter(|(_, of, plain)| *of == fold && *plain) {
            for (answer, side) in [unwanted(row.label), fraud(row.label)].into_iter().enumerate() {
                // In real units, because the step of each part is its own.
                points[answer]
                    .extend(side.map(|side| (sum(&parts, row, settings, answer) * steps[answer], side, row.weight)));
            }
        }
        tick();
    }
    let all: Vec<Row> = rows.into_iter().map(|(row, ..)| row).collect();
    let (mut parts, steps) = quantise(&[fit(&all, settings, unwanted), fit(&all, settings, fraud)], settings);
    for answer in 0..ANSWERS {
        let (scale, offset) = calibrate(&points[answer]);
        parts.scale[answer] = (scale * steps[answer] * 65536.0).round().clamp(1.0, 1e9) as i32;
        parts.offset[answer] = (offset * 256.0).round().clamp(-1e5, 1e5) as i32;
    }
    tick();
    let bytes = parts.write();
    debug_assert!(Model::decode(&bytes).is_ok());
    bytes
}

/// How often [`train`] calls `tick`.
pub(crate) const STEPS: usize = CALIBRATION_FOLDS + 2;
