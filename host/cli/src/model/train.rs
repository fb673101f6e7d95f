//! Learns a model from labelled messages: a linear classifier with quadratic hinge loss by coordinate
//! descent, twice: unwanted or not, and, of the unwanted, fraud or advertising. Then weights become bytes,
//! and sums confidences. Not for judging: the filter does that with integers, and so does the evaluation.

use tamis_guest::spam::{
    Feature, LinkFinder, Model, ModelParts, SLOT_BITS, SPAM_BYTES_MAX, Signal, features, glance, share,
};

use super::data::{Example, Label, Random};
use super::evade::disguise;

/// What can be chosen in training.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) seed: u64,
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
    /// How much more a rare slot says than a common one: the power of the logarithm of how rare it is.
    pub(crate) rareness: f64,
}

impl Settings {
    pub(crate) fn new(seed: u64) -> Settings {
        Settings {
            seed,
            cost: 0.3,
            ham_cost: 2.0,
            disguised: 0.5,
            made: 0.03,
            prose: 0.1,
            signal_value: 0.15,
            rareness: 1.5,
        }
    }
}

const EPOCHS: usize = 30;
const ANSWERS: usize = 2;
/// What is learned: the answers, and the glance, which only tells what is not worth an answer.
const OUTPUTS: usize = ANSWERS + 1;
const GLANCE: usize = ANSWERS;
/// How much more a miss costs at a glance than it does in the answer.
const GLANCE_COST: f64 = 3.0;
/// Part of the messages found by the answer that the glance may lose.
const GLANCE_LOSS: f64 = 0.002;
/// Slots of the first answer; those of the second are merged from them.
const SLOTS: usize = 1 << SLOT_BITS[0];
/// Value of the feature that is always there.
const BIAS_VALUE: f64 = 1.0;
/// A message as numbers: slots with their values, then signals, then the bias.
#[derive(Clone, Debug)]
struct Row {
    values: Vec<(u32, f32)>,
    weight: f64,
    label: Label,
}

/// Reads an example as the filter will.
fn row(text: &str, example: &Example, weight: f64, settings: &Settings, links: &mut LinkFinder) -> Row {
    let mut slots: [Vec<u32>; 2] = Default::default();
    let mut signals = Vec::new();
    features(text.as_bytes(), example.sender.as_bytes(), links, |feature| match feature {
        Feature::Gram(hash, _) => slots[0].push(hash >> (32 - SLOT_BITS[0])),
        Feature::Word(hash, _) | Feature::Shape(hash, _) => slots[1].push(hash >> (32 - SLOT_BITS[0])),
        Feature::Signal(signal) => signals.push(signal as u32),
    });
    let mut values: Vec<(u32, f32)> = Vec::new();
    for (slots, is_gram) in slots.iter().zip([true, false]) {
        let each = share(slots.len(), is_gram);
        values.extend(slots.iter().map(|&slot| (slot, each as f32)));
    }
    values.extend(signals.iter().map(|signal| (SLOTS as u32 + signal, settings.signal_value as f32)));
    values.push(((SLOTS + Signal::SLOTS) as u32, BIAS_VALUE as f32));
    let mut row = Row { values, weight, label: example.label };
    row.merge();
    row
}

/// Reads an example as a glance does.
fn glance_row(text: &str, label: Label, weight: f64) -> Row {
    let text = &text.as_bytes()[..text.len().min(SPAM_BYTES_MAX)];
    let each = share(text.len(), true) as f32;
    let mut values = Vec::new();
    glance(text, |slot| values.push((slot as u32, each)));
    values.push(((1 << SLOT_BITS[GLANCE]) + Signal::SLOTS as u32, BIAS_VALUE as f32));
    let mut row = Row { values, weight, label };
    row.merge();
    row
}

impl Row {
    /// Whether a row of the first answer has a signal.
    fn has(&self, signal: Signal) -> bool {
        self.values.iter().any(|&(slot, _)| slot == SLOTS as u32 + signal as u32)
    }

    /// Makes one value of those with the same slot.
    fn merge(&mut self) {
        self.values.sort_by_key(|&(slot, _)| slot);
        self.values.dedup_by(|next, first| {
            let same = next.0 == first.0;
            first.1 += if same { next.1 } else { 0.0 };
            same
        });
    }

    /// The row as an answer with fewer slots sees it.
    fn for_answer(&self, answer: usize) -> Row {
        let shift = SLOT_BITS[0] - SLOT_BITS[answer];
        let mut row = self.clone();
        for (slot, _) in &mut row.values {
            *slot = match slot.checked_sub(SLOTS as u32) {
                None => *slot >> shift,
                Some(other) => (1 << SLOT_BITS[answer]) + other,
            };
        }
        row.merge();
        row
    }
}

/// How fast each weight moves, by how rare its slot is among rows of these costs: the square of what its values would
/// be multiplied by. On the whole, rows stay as large as they are.
fn paces(rows: &[(&Row, f64)], settings: &Settings, answer: usize) -> Vec<f64> {
    let slots = 1 << SLOT_BITS[answer];
    let (mut known, mut squares) = (vec![0.0; slots], vec![0.0; slots]);
    for (row, cost) in rows {
        for &(slot, value) in row.values.iter().take_while(|(slot, _)| (*slot as usize) < slots) {
            known[slot as usize] += cost;
            squares[slot as usize] += cost * f64::from(value).powi(2);
        }
    }
    let all: f64 = rows.iter().map(|(_, cost)| cost).sum();
    let mut paces: Vec<f64> =
        known.iter().map(|known| ((all + 1.0) / (known + 1.0)).ln().max(0.0).powf(2.0 * settings.rareness)).collect();
    let after: f64 = squares.iter().zip(&paces).map(|(square, pace)| square * pace).sum();
    let factor = squares.iter().sum::<f64>() / after.max(1e-9);
    paces.iter_mut().for_each(|pace| *pace *= factor);
    paces.resize(slots + Signal::SLOTS + 1, 1.0);
    paces
}

/// Learns one answer.
fn fit(rows: &[&Row], settings: &Settings, answer: usize) -> Vec<f64> {
    let wanted = SIDES[answer];
    let with_cost = |row: &Row| {
        let side = if wanted(row.label)? { 1.0 } else { -1.0 };
        Some((side, row.weight * if side < 0.0 { settings.ham_cost } else { 1.0 }))
    };
    let costs: Vec<(&Row, f64)> = rows.iter().filter_map(|row| Some((*row, with_cost(row)?.1))).collect();
    let paces = paces(&costs, settings, answer);
    let mut weights = vec![0.0; paces.len()];
    // By row: its place, its side, and what stands beside the square of its values.
    let mut order: Vec<(usize, f64, f64, f64)> = rows
        .iter()
        .enumerate()
        .filter_map(|(at, row)| {
            let (side, cost) = with_cost(row)?;
            let square: f64 =
                row.values.iter().map(|&(slot, value)| f64::from(value).powi(2) * paces[slot as usize]).sum();
            Some((at, side, 0.5 / (settings.cost * cost), square))
        })
        .collect();
    let mut alphas = vec![0.0; rows.len()];
    let mut random = Random::new(settings.seed);
    for _ in 0..EPOCHS {
        for place in (1..order.len()).rev() {
            order.swap(place, random.below(place + 1));
        }
        for &(at, side, diagonal, square) in &order {
            let row = &rows[at];
            let sum: f64 = row.values.iter().map(|&(slot, value)| weights[slot as usize] * f64::from(value)).sum();
            let gradient = side * sum - 1.0 + alphas[at] * diagonal;
            let alpha = (alphas[at] - gradient / (square + diagonal)).max(0.0);
            let step = (alpha - alphas[at]) * side;
            if step != 0.0 {
                for &(slot, value) in &row.values {
                    weights[slot as usize] += step * f64::from(value) * paces[slot as usize];
                }
                alphas[at] = alpha;
            }
        }
    }
    weights
}

/// Makes bytes of weights, without calibration: one step of a sum is 1/256 of a natural logarithm.
fn quantise(weights: &[Vec<f64>], settings: &Settings) -> (ModelParts, [f64; OUTPUTS]) {
    let mut parts = ModelParts {
        bias: [0; OUTPUTS],
        scale: [65536; ANSWERS],
        offset: [0; ANSWERS],
        signals: [[0; ANSWERS]; Signal::SLOTS],
        slots: Default::default(),
    };
    let mut steps = [0.0; OUTPUTS];
    for (answer, weights) in weights.iter().enumerate() {
        let (slots, others) = weights.split_at(1 << SLOT_BITS[answer]);
        // The largest few are cut: one step for all of them would be too coarse for the rest.
        let mut sizes: Vec<f64> = slots.iter().map(|weight| weight.abs()).collect();
        let place = slots.len() - 1 - slots.len() / 1000;
        let (_, &mut large, _) = sizes.select_nth_unstable_by(place, f64::total_cmp);
        let step = large.max(1e-9) / 127.0;
        steps[answer] = step;
        parts.slots[answer] = slots.iter().map(|weight| (weight / step).round().clamp(-127.0, 127.0) as i8).collect();
        for (signal, &weight) in parts.signals.iter_mut().zip(others) {
            let value = weight * settings.signal_value / step * 256.0;
            let Some(signal) = signal.get_mut(answer) else { break };
            *signal = value.round().clamp(-32767.0, 32767.0) as i16;
        }
        parts.bias[answer] = (others[Signal::SLOTS] * BIAS_VALUE / step * 256.0).round() as i32;
    }
    (parts, steps)
}

/// The sum of a quantised answer, in steps, for calibration.
fn sum(parts: &ModelParts, row: &Row, answer: usize) -> f64 {
    let slots = &parts.slots[answer];
    row.values
        .iter()
        .map(|&(slot, value)| match (slot as usize).checked_sub(slots.len()) {
            None => f64::from(slots[slot as usize]) * f64::from(value),
            Some(signal) => match parts.signals.get(signal) {
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

/// The sum at a glance that few of these messages, by sum and weight, are below.
fn limit(mut found: Vec<(f64, f64)>) -> f64 {
    found.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut loss = GLANCE_LOSS * found.iter().map(|(_, weight)| weight).sum::<f64>();
    let below = |&&(_, weight): &&(f64, f64)| {
        loss -= weight;
        loss >= 0.0
    };
    let lost = found.iter().take_while(below).count();
    found.get(lost).map_or(0.0, |(sum, _)| *sum)
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

/// Which side a message is on for each answer and the glance; `None` if it says nothing.
const SIDES: [fn(Label) -> Option<bool>; OUTPUTS] = [unwanted, fraud, unwanted];

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
    // By answer, and at a glance: the row, its part in calibration, and whether it is as written.
    let mut rows: [Vec<(Row, usize, bool)>; OUTPUTS] = Default::default();
    for example in examples {
        let weight = match (example.is_made, is_prose[example.source]) {
            (true, _) => settings.made,
            (_, true) => settings.prose,
            _ => 1.0,
        };
        let fold = fold_of(example.campaign.rotate_left(17), CALIBRATION_FOLDS);
        let mut add = |text: &str, weight, is_plain| {
            let row = row(text, example, weight, settings, &mut links);
            for (answer, rows) in rows[..ANSWERS].iter_mut().enumerate() {
                if SIDES[answer](example.label).is_some() {
                    rows.push((row.for_answer(answer), fold, is_plain));
                }
            }
            rows[GLANCE].push((glance_row(text, example.label, weight), fold, is_plain));
        };
        add(&example.text, weight, true);
        if settings.disguised > 0.0 && !is_prose[example.source] {
            add(&disguise(&example.text, &mut random), weight * settings.disguised, false);
        }
    }
    tick();
    let glance_settings = Settings {
        cost: settings.cost * GLANCE_COST,
        ham_cost: settings.ham_cost / GLANCE_COST,
        rareness: 1.0,
        ..*settings
    };
    let fit_all = |is_in: &dyn Fn(usize) -> bool| {
        let weights: Vec<Vec<f64>> = (0..OUTPUTS)
            .map(|answer| {
                let settings = if answer == GLANCE { &glance_settings } else { settings };
                let part: Vec<&Row> =
                    rows[answer].iter().filter(|(_, fold, _)| is_in(*fold)).map(|(row, ..)| row).collect();
                fit(&part, settings, answer)
            })
            .collect();
        quantise(&weights, settings)
    };
    let mut points: [Vec<(f64, bool, f64)>; OUTPUTS] = Default::default();
    // Whether each of the points has a link.
    let mut links_of = Vec::new();
    for fold in 0..CALIBRATION_FOLDS {
        let (parts, steps) = fit_all(&|of| of != fold);
        for answer in 0..OUTPUTS {
            let tested = rows[answer].iter().filter(|(_, of, is_plain)| *of == fold && *is_plain);
            // In real units, because the step of each part is its own.
            points[answer].extend(tested.filter_map(|(row, ..)| {
                let side = SIDES[answer](row.label)?;
                Some((sum(&parts, row, answer) * steps[answer], side, row.weight))
            }));
        }
        links_of.extend(
            rows[0].iter().filter(|(_, of, is_plain)| *of == fold && *is_plain).map(|(row, ..)| row.has(Signal::Link)),
        );
        tick();
    }
    let (mut parts, steps) = fit_all(&|_| true);
    for answer in 0..ANSWERS {
        let (scale, offset) = calibrate(&points[answer]);
        parts.scale[answer] = (scale * steps[answer] * 65536.0).round().clamp(1.0, 1e9) as i32;
        parts.offset[answer] = (offset * 256.0).round().clamp(-1e5, 1e5) as i32;
        if answer == 0 {
            let found = points[0]
                .iter()
                .zip(&points[GLANCE])
                .zip(&links_of)
                .filter(|((point, _), has_link)| point.1 && !**has_link && scale * point.0 + offset >= 0.0);
            let limit = limit(found.map(|((_, glance), _)| (glance.0, glance.2)).collect());
            parts.bias[GLANCE] -= (limit / steps[GLANCE] * 256.0).round().clamp(-1e9, 1e9) as i32;
        }
    }
    tick();
    let bytes = parts.write();
    debug_assert!(Model::decode(&bytes).is_ok());
    bytes
}

/// How often [`train`] calls `tick`.
pub(crate) const STEPS: usize = CALIBRATION_FOLDS + 2;
