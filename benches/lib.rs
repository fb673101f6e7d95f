//! What the benchmarks share: definitions as data, the inputs they name, and the check that an engine
//! found what the definition says. Not for measuring; each benchmark does that in its own file.

mod inputs;

use std::cell::OnceCell;
use std::env;
use std::fs;
use std::io::{self, Write as _};
use std::ops::AddAssign;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde::Deserialize;
use tamis_guest::compile::{FailurePolicy, Level, Variants, compile_terms_as};
use tamis_guest::wire::BATCH_MESSAGES_MAX;
use tamis_guest::{Message, Policy, Scanner, Verdict};
use tamis_host::{Judged, Module, PackImage, Parts, Runtime, RuntimeConfig, Worker};

pub use inputs::{Terms, Texts};

/// Names the folder with the real lists and messages that definitions with `needs = "data"` run on.
pub const DATA_VARIABLE: &str = "TAMIS_BENCH_DATA";

/// Defines `main`, which runs a benchmark with settings that keep a row to a second and a half.
#[macro_export]
macro_rules! main {
    ($bench:ident) => {
        fn main() {
            let criterion = criterion::Criterion::default()
                .sample_size(10)
                .warm_up_time(std::time::Duration::from_millis(300))
                .measurement_time(std::time::Duration::from_secs(1));
            let mut criterion = criterion.configure_from_args();
            $bench(&mut criterion);
            criterion.final_summary();
        }
    };
}

/// One benchmark of `definitions/*.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Definition {
    /// Rows of one group are compared with each other.
    #[serde(default)]
    pub group: String,
    /// One of a kind in its group.
    pub name: String,
    /// What the row is there to show.
    pub why: String,
    /// What it needs that a fresh clone does not have.
    pub needs: Option<Needs>,
    /// The list.
    pub terms: Terms,
    /// The messages.
    pub messages: Texts,
    /// Joins the messages, again and again, to a single one of that many bytes.
    pub joined_bytes: Option<usize>,
    /// What must be found. A peer that is not named does not run.
    pub expect: Expect,
}

/// What a fresh clone does not have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Needs {
    /// The folder that [`DATA_VARIABLE`] names.
    Data,
}

/// What each engine must find. The peers know neither folds nor the borders of words, so what they
/// find differs from what we do.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Expect {
    /// Ours, in the sandbox and natively.
    pub tamis: Count,
    /// The crate `aho-corasick`, ASCII case-insensitive.
    pub aho_corasick: Option<Count>,
    /// The crate `daachorse`, bytewise.
    pub daachorse: Option<Count>,
    /// The crate `daachorse`, charwise.
    pub daachorse_charwise: Option<Count>,
}

/// What was found in all messages together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Count {
    /// Messages with at least one match.
    pub hits: u64,
    /// Matches; ours reports at most 64 a message.
    pub matches: u64,
}

impl Count {
    /// The count of one message.
    #[must_use]
    pub fn of_message(matches: usize) -> Count {
        Count { hits: u64::from(matches > 0), matches: matches as u64 }
    }
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Count) {
        self.hits += other.hits;
        self.matches += other.matches;
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DefinitionFile {
    bench: Vec<Definition>,
}

/// The definitions of `definitions/<model>.toml`, without those that need what is not there, which are
/// noted on standard error.
///
/// # Panics
/// If the file cannot be read.
#[must_use]
pub fn definitions(model: &str) -> Vec<Definition> {
    let mut definitions = read_definitions(&definitions_folder().join(model).with_extension("toml"));
    let all = definitions.len();
    definitions.retain(|definition| definition.needs.is_none() || data_folder().is_some());
    if definitions.len() < all {
        note(&format!("{model}: {} definitions skipped, {DATA_VARIABLE} is not set", all - definitions.len()));
    }
    definitions
}

fn definitions_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("definitions")
}

fn read_definitions(path: &Path) -> Vec<Definition> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file: DefinitionFile = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    file.bench
}

fn data_folder() -> Option<PathBuf> {
    env::var_os(DATA_VARIABLE).map(PathBuf::from)
}

/// Says something on standard error, where it does not mix with results.
pub fn note(text: &str) {
    // Nobody to tell if it fails.
    let _ = writeln!(io::stderr(), "{text}");
}

/// What a definition runs on; each part is made when it is first asked for.
#[derive(Debug)]
pub struct Input<'d> {
    definition: &'d Definition,
    terms: OnceCell<Vec<String>>,
    texts: OnceCell<Vec<String>>,
    image: OnceCell<PackImage>,
}

impl<'d> Input<'d> {
    /// Nothing is made yet.
    #[must_use]
    pub fn new(definition: &'d Definition) -> Input<'d> {
        Input { definition, terms: OnceCell::new(), texts: OnceCell::new(), image: OnceCell::new() }
    }

    /// The terms.
    pub fn terms(&self) -> &[String] {
        self.terms.get_or_init(|| self.definition.terms.load())
    }

    /// The texts of the messages.
    pub fn texts(&self) -> &[String] {
        self.texts.get_or_init(|| {
            let texts = self.definition.messages.load(|| self.terms());
            match self.definition.joined_bytes {
                Some(bytes) => vec![inputs::joined(&texts, bytes)],
                None => texts,
            }
        })
    }

    /// The messages.
    #[must_use]
    pub fn messages(&self) -> Vec<Message<'_>> {
        self.texts().iter().map(|text| Message::body(text)).collect()
    }

    /// Bytes of all texts.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.texts().iter().map(|text| text.len() as u64).sum()
    }

    /// The compiled terms.
    pub fn image(&self) -> &PackImage {
        self.image.get_or_init(|| image(pack(&self.terms().join("\n"))))
    }

    /// The shipped filter module with the compiled terms.
    #[must_use]
    pub fn parts(&self) -> Parts {
        parts(self.image().clone())
    }

    /// Fails unless the engine found what the definition says.
    ///
    /// # Panics
    /// If it found anything else: then its time means nothing.
    pub fn check(&self, engine: &str, expected: Count, found: Count) {
        let Definition { group, name, .. } = self.definition;
        assert!(
            found == expected,
            "{group} {name}: {engine} found {found:?}, the definition says {expected:?}; \
             the engine is wrong, or the definition has to change with it"
        );
    }
}

/// Compiles a plain list.
///
/// # Panics
/// If one of the terms is none.
#[must_use]
pub fn pack(terms: &str) -> Vec<u8> {
    let (bytes, diagnostics) = compile_terms_as("terms.txt", terms, Variants::Standard);
    let error = diagnostics.iter().find(|found| found.level == Level::Error);
    assert!(error.is_none(), "{}", error.map(ToString::to_string).unwrap_or_default());
    bytes
}

/// A pack that can be mapped.
///
/// # Panics
/// If the bytes are none.
#[must_use]
pub fn image(pack: Vec<u8>) -> PackImage {
    runtime().pack(pack).unwrap_or_else(|error| panic!("{error}"))
}

/// The shipped module with a pack, where every match blocks.
#[must_use]
pub fn parts(pack: PackImage) -> Parts {
    let policy = Policy::blocking(&pack.pack());
    Parts { module: module(), pack, policy, failure: vec![FailurePolicy::Closed] }
}

/// The runtime of this process, with default settings.
#[must_use]
pub fn runtime() -> &'static Runtime {
    static RUNTIME: LazyLock<Runtime> =
        LazyLock::new(|| Runtime::new(&RuntimeConfig::default()).unwrap_or_else(|error| panic!("{error}")));
    &RUNTIME
}

fn module() -> Module {
    static MODULE: LazyLock<Module> =
        LazyLock::new(|| runtime().module(tamis_host::default_module()).unwrap_or_else(|error| panic!("{error}")));
    MODULE.clone()
}

/// Judges the messages in the sandbox, in batches as large as they may be.
///
/// # Panics
/// If the filter failed on one: then its time means nothing.
pub fn scan_in_sandbox(worker: &mut Worker, messages: &[Message<'_>], judged: &mut Vec<Judged>) -> Count {
    let mut count = Count::default();
    for batch in messages.chunks(BATCH_MESSAGES_MAX) {
        worker.scan(batch, judged);
        for judged in judged.iter() {
            assert!(judged.failure.is_none(), "the filter failed: {:?}", judged.failure);
            count += Count::of_message(judged.verdict.matches.len());
        }
    }
    count
}

/// Judges the messages natively.
pub fn scan_natively(
    scanner: &mut Scanner<'_>,
    policy: &Policy,
    messages: &[Message<'_>],
    verdict: &mut Verdict,
) -> Count {
    let mut count = Count::default();
    for message in messages {
        scanner.scan(policy, message, verdict);
        count += Count::of_message(verdict.matches.len());
    }
    count
}

/// The folder that cargo and criterion write to.
#[must_use]
pub fn target_folder() -> PathBuf {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    env::var_os("CARGO_TARGET_DIR").map_or_else(default, PathBuf::from)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_definition_parses_and_can_run() {
        let mut models = BTreeSet::new();
        for entry in fs::read_dir(definitions_folder()).unwrap() {
            let path = entry.unwrap().path();
            models.insert(path.file_stem().unwrap().to_string_lossy().into_owned());
            let mut names = BTreeSet::new();
            for definition in read_definitions(&path) {
                let Definition { group, name, .. } = &definition;
                assert!(names.insert((group.clone(), name.clone())), "{group} {name} is there twice");
                assert!(definition.why.ends_with('.'), "{group} {name}: say why in a sentence");
                let files: Vec<&str> = definition.terms.file().into_iter().chain(definition.messages.file()).collect();
                let needs = (!files.is_empty()).then_some(Needs::Data);
                assert_eq!(definition.needs, needs, "{group} {name}: what it reads and what it needs");
                for file in files.iter().filter_map(|file| Some(data_folder()?.join(file))) {
                    assert!(file.is_file(), "{group} {name}: {} is missing", file.display());
                }
                let Expect { tamis, aho_corasick, daachorse, daachorse_charwise } = definition.expect;
                for count in [Some(tamis), aho_corasick, daachorse, daachorse_charwise].into_iter().flatten() {
                    assert!(count.hits <= count.matches, "{group} {name}: {count:?} cannot be");
                }
            }
            assert!(!names.is_empty(), "{} has no definitions", path.display());
        }
        let expected = ["boundary", "compile", "load", "scan", "swap"].map(str::to_owned);
        assert_eq!(models, BTreeSet::from(expected), "a file of definitions for each benchmark");
    }

    #[test]
    fn ours_finds_what_the_smallest_definition_says() {
        let all = definitions("scan");
        let definition = all.iter().find(|definition| definition.group == "en-1k").unwrap();
        let input = Input::new(definition);
        let pack = input.image().pack();
        let (mut scanner, policy) = (Scanner::new(&pack), Policy::blocking(&pack));
        let found = scan_natively(&mut scanner, &policy, &input.messages(), &mut Verdict::default());
        input.check("tamis-native", definition.expect.tamis, found);
    }
}
