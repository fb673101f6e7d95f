//! `tamis model train` and `tamis model eval`: learn what advertising and fraud look like from labelled
//! messages, and measure how well that works. This file reads what is asked and shows what came out.

mod data;
mod evade;
mod eval;
mod train;

use std::fs;

use anyhow::{Context as _, bail};
use indicatif::{ProgressBar, ProgressStyle};
use tamis_guest::spam::Model;

use self::data::{Example, FILE_MESSAGES_MAX, Label, PROSE_MESSAGES_MAX};
use self::train::Settings;
use crate::args::{ModelArgs, ModelCommand, ModelDataArgs, ModelEvalArgs, ModelTrainArgs};
use crate::{Outcome, text};

/// Fewest messages of a class that something can be learned from.
const CLASS_MESSAGES_MIN: usize = 20;

/// Labelled messages, each once.
struct Data {
    examples: Vec<Example>,
    /// By file: its name, and whether it is prose.
    names: Vec<String>,
    is_prose: Vec<bool>,
}

pub(crate) fn run(args: &ModelArgs) -> anyhow::Result<Outcome> {
    match &args.command {
        ModelCommand::Train(args) => train(args),
        ModelCommand::Eval(args) => eval(args),
    }
}

fn train(args: &ModelTrainArgs) -> anyhow::Result<Outcome> {
    // Known before the work is done rather than after it.
    let folder = args.output.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        bail!("cannot write {}: {} is no folder", args.output.display(), folder.display());
    }
    let data = read(&args.data)?;
    check_classes(&data.examples)?;
    let bar = progress(train::STEPS as u64, "training");
    let all: Vec<&Example> = data.examples.iter().collect();
    let bytes = train::train(&all, &data.is_prose, &Settings::new(args.data.seed), || bar.inc(1));
    bar.finish_and_clear();
    fs::write(&args.output, &bytes).with_context(|| format!("cannot write {}", args.output.display()))?;
    let size = text::count(bytes.len() as u64);
    text::note(&format!("{}: {size} bytes, seed {}", args.output.display(), args.data.seed));
    Ok(Outcome::Clean)
}

fn eval(args: &ModelEvalArgs) -> anyhow::Result<Outcome> {
    let model = match &args.model {
        Some(path) => {
            let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            Model::decode(&bytes).with_context(|| format!("cannot use {}", path.display()))?;
            Some(bytes)
        }
        None => None,
    };
    let data = read(&args.data)?;
    if model.is_none() {
        check_classes(&data.examples)?;
    }
    eval::run(args, &data.examples, &data.names, &data.is_prose, model)?;
    Ok(Outcome::Clean)
}

/// Reads all files and throws out what is there twice.
fn read(args: &ModelDataArgs) -> anyhow::Result<Data> {
    let labelled = args.files.iter().map(|path| (path, None, FILE_MESSAGES_MAX));
    let prose = args.ham.iter().map(|path| (path, Some(Label::Ham), PROSE_MESSAGES_MAX));
    let (mut examples, mut names) = (Vec::new(), Vec::new());
    for (source, (path, fixed, most)) in labelled.chain(prose).enumerate() {
        let (taken, all) = data::read(path, source, fixed, most, args.seed)?;
        if (taken.len() as u64) < all {
            let counts = [taken.len() as u64, all].map(text::count);
            text::note(&format!(
                "{}: a sample of {} of its {} messages is taken",
                path.display(),
                counts[0],
                counts[1]
            ));
        }
        examples.extend(taken);
        names.push(path.display().to_string());
    }
    let is_prose = (0..names.len()).map(|source| source >= args.files.len()).collect();
    let (examples, doubles, contradictions) = data::unique(examples);
    let counts = [Label::Ham, Label::Advertising, Label::Fraud, Label::Spam]
        .map(|label| examples.iter().filter(|example| example.label == label).count());
    text::note(&format!(
        "{} messages: {} ham, {} advertising, {} fraud, {} unwanted of unknown kind; left out: {doubles} doubles, {contradictions} that contradict others",
        examples.len(),
        counts[0],
        counts[1],
        counts[2],
        counts[3]
    ));
    Ok(Data { examples, names, is_prose })
}

fn check_classes(examples: &[Example]) -> anyhow::Result<()> {
    for (label, name) in [(Label::Ham, "ham"), (Label::Advertising, "advertising"), (Label::Fraud, "fraud")] {
        let count = examples.iter().filter(|example| example.label == label).count();
        if count < CLASS_MESSAGES_MIN {
            bail!(
                "{count} messages are labelled `{name}`; a model needs {CLASS_MESSAGES_MIN} at the least, and some hundreds to be of use"
            );
        }
    }
    Ok(())
}

fn progress(steps: u64, what: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} [{bar:40}] {pos}/{len} {eta}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(steps).with_style(style).with_message(what)
}
