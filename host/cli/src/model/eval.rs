//! Measures a model: a given one, or what training makes of the same data by cross-validation, so that no
//! message is judged by a model that has seen it. Judges through the scanner, as a gateway would.

use std::collections::{BTreeMap, HashMap};
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use tamis_guest::compile::{Level, Protected, Taxonomy, compile_with};
use tamis_guest::spam::Confidence;
use tamis_guest::{Message, Pack, PackBytes, Policy, Scanner, Verdict};

use super::data::{self, Example, FILE_MESSAGES_MAX, Label};
use super::train::{self, Settings, fold_of};
use crate::args::ModelEvalArgs;

/// Parts of a cross-validation.
const FOLDS: usize = 5;

/// A scanner with a model and no lists.
struct Judge {
    pack: PackBytes,
}

impl Judge {
    fn new(model: &[u8]) -> anyhow::Result<Judge> {
        let (taxonomy, _) = Taxonomy::parse("taxonomy.toml", include_str!("../../../../wordlists/taxonomy.toml"));
        let (nobody, model) = (Protected::default(), Some(("the model", model)));
        let (pack, diagnostics) = compile_with(&[], &nobody, &taxonomy, tamis_host::today(), model);
        if let Some(error) = diagnostics.iter().find(|found| found.level == Level::Error) {
            anyhow::bail!("{error}");
        }
        Ok(Judge { pack: PackBytes::from(pack) })
    }

    /// Judges each of the messages, given by text and sender.
    fn all<'a>(&self, messages: impl Iterator<Item = (&'a str, &'a str)>) -> anyhow::Result<Vec<Confidence>> {
        let pack = Pack::decode(&self.pack)?;
        let policy = Policy::blocking(&pack);
        let (mut scanner, mut verdict) = (Scanner::new(&pack), Verdict::default());
        let judge = |(text, sender): (&str, &str)| {
            let message = Message { sender: sender.as_bytes(), ..Message::body(text) };
            scanner.scan(&policy, &message, &mut verdict);
            verdict.confidence
        };
        Ok(messages.map(judge).collect())
    }
}

/// What came out for one file.
#[derive(Default)]
struct Figures {
    ham: usize,
    unwanted: usize,
    alarms: usize,
    found: usize,
    /// Of those found, with a known kind, and of these, of the right one.
    kinds: usize,
    kinds_right: usize,
}

impl Figures {
    fn add(&mut self, label: Label, confidence: Confidence, threshold: u16) {
        let is_found = confidence.unwanted() >= threshold;
        if !label.is_unwanted() {
            self.ham += 1;
            self.alarms += usize::from(is_found);
            return;
        }
        self.unwanted += 1;
        self.found += usize::from(is_found);
        if is_found && label != Label::Spam {
            self.kinds += 1;
            self.kinds_right += usize::from((confidence.fraud > confidence.advertising) == (label == Label::Fraud));
        }
    }

    /// The figures of one file at one threshold.
    fn of(judged: impl Iterator<Item = (Label, Confidence)>, threshold: u16) -> Figures {
        let mut figures = Figures::default();
        judged.for_each(|(label, confidence)| figures.add(label, confidence, threshold));
        figures
    }

    fn row(&self, name: &str, threshold: u16) -> String {
        let part = |part: usize, of: usize| if of == 0 { f64::NAN } else { part as f64 / of as f64 };
        let shown =
            |value: f64, digits: usize| if value.is_nan() { "-".to_owned() } else { format!("{value:.digits$}") };
        let f1 = part(2 * self.found, self.found + self.alarms + self.unwanted);
        format!(
            "{:44} {threshold:>5} {:>7} {:>6} {:>9} {:>7} {:>7} {:>6}",
            shortened(name),
            self.ham,
            self.alarms,
            shown(part(self.alarms, self.ham) * 100.0, 3),
            self.unwanted,
            if self.unwanted == 0 { "-".to_owned() } else { shown(part(self.found, self.unwanted), 3) },
            if self.unwanted == 0 { "-".to_owned() } else { shown(f1, 4) },
        ) + &format!(" {:>6}", shown(part(self.kinds_right, self.kinds), 3))
    }
}

const HEAD: &str =
    "file                                          from     ham alarms         % unwanted recall     F1   kind";

pub(super) fn run(
    args: &ModelEvalArgs,
    examples: &[Example],
    names: &[String],
    is_prose: &[bool],
    model: Option<Vec<u8>>,
) -> anyhow::Result<()> {
    let settings = Settings::new(args.data.seed);
    let first_threshold = args.threshold[0];
    let group = |example: &Example| if args.campaigns { example.campaign } else { example.key };
    let fold = |example: &Example| fold_of(group(example), FOLDS);
    let evasions: Vec<_> = args.evasions.iter().map(|path| data::read_evasions(path)).collect::<Result<_, _>>()?;
    let by_key: HashMap<u64, usize> = examples.iter().enumerate().map(|(at, example)| (example.key, at)).collect();

    // Each message and each evasion is judged by a model that has not seen it, unless one is given.
    let parts = if model.is_some() { 1 } else { FOLDS };
    let bar = super::progress((train::STEPS * (FOLDS + 1)) as u64, "cross-validation");
    let mut confidences = vec![Confidence::default(); examples.len()];
    let mut kinds: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    for part in 0..parts {
        let is_tested = |example: &Example| parts == 1 || fold(example) == part;
        let judge = match &model {
            Some(model) => Judge::new(model)?,
            None => {
                let seen: Vec<&Example> = examples.iter().filter(|example| !is_tested(example)).collect();
                Judge::new(&train::train(&seen, is_prose, &settings, || bar.inc(1)))?
            }
        };
        let tested: Vec<usize> = (0..examples.len()).filter(|&at| is_tested(&examples[at])).collect();
        let judged = judge.all(tested.iter().map(|&at| (&*examples[at].text, &*examples[at].sender)))?;
        tested.iter().zip(judged).for_each(|(&at, confidence)| confidences[at] = confidence);
        for evasion in evasions.iter().flatten() {
            let Some(&at) = by_key.get(&evasion.key).filter(|&&at| is_tested(&examples[at])) else { continue };
            let disguised = judge.all([(&*evasion.text, "")].into_iter())?;
            let counts = kinds.entry(&evasion.kind).or_default();
            counts[0] += 1;
            counts[1] += usize::from(confidences[at].unwanted() >= first_threshold);
            counts[2] += usize::from(disguised[0].unwanted() >= first_threshold);
        }
    }

    let mut out = std::io::stdout().lock();
    let by = if args.campaigns { "messages of one campaign in one part" } else { "equal messages in one part" };
    match model {
        Some(_) => writeln!(out, "the given model")?,
        None => writeln!(out, "cross-validation in {FOLDS} parts, {by}")?,
    }
    writeln!(out, "{HEAD}")?;
    let mut mistakes = Vec::new();
    for (source, name) in names.iter().enumerate() {
        let judged =
            || examples.iter().zip(&confidences).filter(|(example, _)| example.sources & 1 << (source % 64) != 0);
        for &threshold in &args.threshold {
            let figures = Figures::of(judged().map(|(example, &confidence)| (example.label, confidence)), threshold);
            writeln!(out, "{}", figures.row(name, threshold))?;
        }
        let is_mistake = |(example, confidence): &(&Example, &Confidence)| {
            (confidence.unwanted() >= first_threshold) != example.label.is_unwanted() && !is_prose[source]
        };
        mistakes.extend(judged().filter(is_mistake).map(|(example, confidence)| (confidence.unwanted(), example)));
    }

    if !args.unseen.is_empty() {
        let model = match model {
            Some(model) => model,
            None => train::train(&examples.iter().collect::<Vec<_>>(), is_prose, &settings, || bar.inc(1)),
        };
        let judge = Judge::new(&model)?;
        writeln!(out, "\nnever trained on")?;
        for path in &args.unseen {
            let unseen = read_unseen(path, args.data.seed)?;
            let judged = judge.all(unseen.iter().map(|example| (&*example.text, &*example.sender)))?;
            for &threshold in &args.threshold {
                let labels = unseen.iter().map(|example| example.label);
                let figures = Figures::of(labels.zip(judged.iter().copied()), threshold);
                writeln!(out, "{}", figures.row(&path.display().to_string(), threshold))?;
            }
        }
    }
    bar.finish_and_clear();

    if !kinds.is_empty() {
        writeln!(out, "\nevasion                                        pairs  recall: plain  disguised")?;
        let mut all = [0; 3];
        for (kind, counts) in &kinds {
            all.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
            writeln!(out, "{}", evasion_row(kind, counts))?;
        }
        writeln!(out, "{}", evasion_row("all", &all))?;
    }
    if args.mistakes {
        writeln!(out, "\nmistakes: per mille, label, message")?;
        for (per_mille, example) in mistakes {
            writeln!(out, "{per_mille:>4} {:?} {}", example.label, example.text.replace('\n', " "))?;
        }
    }
    Ok(())
}

/// A file that is all ham, unless it has labels.
fn read_unseen(path: &Path, seed: u64) -> anyhow::Result<Vec<Example>> {
    let labelled = data::read(path, 0, None, FILE_MESSAGES_MAX, seed);
    labelled
        .or_else(|_| data::read(path, 0, Some(Label::Ham), FILE_MESSAGES_MAX, seed))
        .map(|(examples, _)| examples)
        .with_context(|| format!("cannot judge {}", path.display()))
}

fn evasion_row(kind: &str, counts: &[usize; 3]) -> String {
    let recall = |found: usize| found as f64 / counts[0].max(1) as f64;
    format!("{kind:44} {:>7} {:>14.3} {:>10.3}", counts[0], recall(counts[1]), recall(counts[2]))
}

/// The end of a long name.
fn shortened(name: &str) -> &str {
    let start = name.len().saturating_sub(44);
    name.get(start..).unwrap_or(name)
}
