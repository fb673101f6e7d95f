//! What the tests share: cases as data, sources of messages, and the one way to judge a message by
//! every engine. Not for expectations; those are in `cases/*.toml` and in the tests.

pub mod adversary;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde::Deserialize;
use tamis_guest::compile::{
    Diagnostic, FailurePolicy, Level, ListSource, PolicySource, Taxonomy, Variants, compile, compile_terms,
    compile_terms_as,
};
use tamis_guest::wire::verdict_bytes;
use tamis_guest::{Message, Policy, Scanner, Verdict};
use tamis_host::{Defaults, Filter, Judged, ListFolder, Module, Parts, Runtime, RuntimeConfig, Sources, Worker};

#[cfg(feature = "browser")]
pub mod browser;
mod generated;

pub use generated::generated_texts;

/// One case of `cases/*.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What is shown when it fails; one of a kind.
    pub name: String,
    /// The text that is judged.
    pub message: String,
    /// Terms, as a moderator writes them.
    pub terms: Vec<String>,
    /// Who sends it; nobody knows if not given.
    #[serde(default)]
    pub sender: String,
    /// Texts in which the terms do not fire.
    #[serde(default)]
    pub allow: Vec<String>,
    /// How many characters may be between the parts of a term.
    pub within: Option<u8>,
    /// How far the terms are looked for: `none`, `standard` (unless said otherwise) or `aggressive`.
    pub variants: Option<String>,
    /// `block` if a term must fire, `allow` if none may.
    pub action: String,
    /// Where the matches are, in bytes, if it matters.
    pub spans: Option<Vec<[u32; 2]>>,
    /// Which folds the matches took together, if it matters.
    pub evidence: Option<BTreeSet<String>>,
    /// Why the verdict must be this one.
    pub why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseFile {
    case: Vec<Case>,
}

impl Case {
    fn variants(&self) -> Result<Variants, String> {
        let Some(name) = &self.variants else { return Ok(Variants::Standard) };
        let variants = Variants::ALL.into_iter().find(|variants| variants.name() == name);
        variants.ok_or_else(|| format!("no variants `{name}`"))
    }

    /// What is judged.
    #[must_use]
    pub fn message(&self) -> Message<'_> {
        Message { sender: self.sender.as_bytes(), ..Message::body(&self.message) }
    }
}

/// The example of a filter module of one's own, as its author builds it.
#[must_use]
pub fn example_filter() -> &'static [u8] {
    include_bytes!(env!("TAMIS_EXAMPLE_FILTER"))
}

/// The folder of the workspace.
#[must_use]
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are a folder of the workspace")
}

/// The files of cases for terms of their own, by name; `lists-*` are cases for the lists that ship.
#[must_use]
pub fn case_files() -> Vec<PathBuf> {
    let folder = workspace().join("tests/cases");
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    let of_lists = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("lists-"));
    files.retain(|path| !of_lists(path));
    files.sort();
    files
}

/// The cases of one file.
///
/// # Panics
/// If the file cannot be read.
#[must_use]
pub fn read_cases(path: &Path) -> Vec<Case> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file: CaseFile = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    file.case
}

/// Judges the case by every engine.
///
/// # Errors
/// How the verdict differs from what the case says.
pub fn check(case: &Case) -> Result<(), String> {
    let mut engines = Engines::new(blocking_parts(pack_of_case(case)?));
    let verdict = engines.judge(&[case.message()])?.remove(0);

    let action = verdict.action.name();
    let spans: Vec<[u32; 2]> = verdict.matches.iter().map(|found| [found.span.start, found.span.end]).collect();
    let evidence: BTreeSet<String> =
        verdict.matches.iter().flat_map(|found| found.evidence.names()).map(str::to_owned).collect();
    if action != case.action {
        return Err(format!("the action is {action} for {spans:?}, expected {}", case.action));
    }
    if case.spans.as_ref().is_some_and(|expected| *expected != spans) {
        return Err(format!("the spans are {spans:?}, expected {:?}", case.spans));
    }
    if case.evidence.as_ref().is_some_and(|expected| *expected != evidence) {
        return Err(format!("the evidence is {evidence:?}, expected {:?}", case.evidence));
    }
    Ok(())
}

/// The bytes of a pack of the case's terms.
///
/// # Errors
/// Variants that there are none of.
///
/// # Panics
/// If one of the terms is none.
pub fn pack_of_case(case: &Case) -> Result<Vec<u8>, String> {
    if case.allow.is_empty() && case.within.is_none() {
        return Ok(accept(compile_terms_as("terms.txt", &case.terms.join("\n"), case.variants()?)));
    }
    let list = list_toml(&case.terms, &case.allow, case.within);
    Ok(accept(compile(&[ListSource { path: "list.toml", text: &list }], &Taxonomy::custom(), tamis_host::today())))
}

/// A list of one group.
fn list_toml(terms: &[String], allow: &[String], within: Option<u8>) -> String {
    let allow: Vec<String> = allow.iter().map(|text| toml_string(text)).collect();
    let within = within.map(|within| format!("within = {within}\n")).unwrap_or_default();
    format!(
        "format = 1\nlist = {{ id = \"custom\" }}\n[[group]]\ncategory = \"custom\"\nterms = {}\n{within}allow = [{}]\n",
        toml_string(&terms.join("\n")),
        allow.join(", ")
    )
}

fn toml_string(text: &str) -> String {
    let escape = |c: char| match c {
        '"' | '\\' => format!("\\{c}"),
        c if c.is_control() => format!("\\u{:04X}", c as u32),
        c => c.to_string(),
    };
    format!("\"{}\"", text.chars().map(escape).collect::<String>())
}

/// The same parts natively and in the sandbox.
#[derive(Debug)]
pub struct Engines {
    parts: Parts,
    worker: Worker,
    judged: Vec<Judged>,
}

impl Engines {
    /// Starts every engine.
    ///
    /// # Panics
    /// If the parts do not start.
    #[must_use]
    pub fn new(parts: Parts) -> Engines {
        let filter = Filter::new(runtime(), parts.clone()).unwrap_or_else(|error| panic!("{error}"));
        let worker = filter.worker().unwrap_or_else(|error| panic!("{error}"));
        Engines { parts, worker, judged: Vec::new() }
    }

    /// What the engines judge by.
    #[must_use]
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// The verdicts on `messages`, in their order.
    ///
    /// # Errors
    /// The first message on which the engines differ by a byte.
    pub fn judge(&mut self, messages: &[Message<'_>]) -> Result<Vec<Verdict>, String> {
        let pack = self.parts.pack.pack();
        let mut scanner = Scanner::new(&pack);
        self.worker.scan(messages, &mut self.judged);
        if self.judged.len() != messages.len() {
            return Err(format!("{} verdicts on {} messages", self.judged.len(), messages.len()));
        }
        let mut verdicts = Vec::new();
        for (message, judged) in messages.iter().zip(&self.judged) {
            let mut native = Verdict::default();
            scanner.scan(&self.parts.policy, message, &mut native);
            if judged.failure.is_some() || verdict_bytes(&native) != verdict_bytes(&judged.verdict) {
                let shown = String::from_utf8_lossy(&message.text[..message.text.len().min(500)]);
                return Err(format!("the engines differ on {shown:?}\nnative: {native:?}\nsandbox: {judged:?}"));
            }
            verdicts.push(native);
        }
        Ok(verdicts)
    }
}

/// The runtime that the tests of a process share, with default settings.
#[must_use]
pub fn runtime() -> &'static Runtime {
    static RUNTIME: LazyLock<Runtime> =
        LazyLock::new(|| Runtime::new(&RuntimeConfig::default()).unwrap_or_else(|error| panic!("{error}")));
    &RUNTIME
}

/// The filter module that ships, compiled once a process.
#[must_use]
pub fn module() -> Module {
    static MODULE: LazyLock<Module> =
        LazyLock::new(|| runtime().module(tamis_host::default_module()).unwrap_or_else(|error| panic!("{error}")));
    MODULE.clone()
}

/// The bytes of a pack of these terms.
///
/// # Panics
/// If one of them is not a term.
#[must_use]
pub fn pack_of(terms: &str) -> Vec<u8> {
    accept(compile_terms("terms.txt", terms))
}

/// The shipped module with a pack, where every match blocks and so does every failure.
///
/// # Panics
/// If the bytes are no pack.
#[must_use]
pub fn blocking_parts(pack: Vec<u8>) -> Parts {
    let pack = runtime().pack(pack).unwrap_or_else(|error| panic!("{error}"));
    let policy = Policy::blocking(&pack.pack());
    Parts { module: module(), pack, policy, failure: vec![FailurePolicy::Closed] }
}

/// A module that does `init` at its start and allows every message; on one that begins with `!` it does `harm` first.
///
/// # Panics
/// If that is no WAT.
#[must_use]
pub fn module_with(init: &str, harm: &str) -> Vec<u8> {
    let text = format!(
        r#"(module (@custom "tamis_abi" "\02\00\00\00") (import "env" "memory" (memory 24))
            (func (export "tamis_areas") (result i64) (i64.const 0x110000))
            (func (export "tamis_init") (param $pack i32) (param $bytes i32) (param i32) (result i32) {init})
            (func (export "tamis_scan") (param $count i32) (param i32) (result i32)
                (local $number i32) (local $text i32) (local $rounds i32)
                (local.set $text (i32.mul (local.get $count) (i32.const 8)))
                (i64.store (i32.const 0x110000) (i64.const 0))
                (loop $messages
                    (i64.store (i32.add (i32.const 0x110008) (i32.mul (local.get $number) (i32.const 8))) (i64.const 0))
                    (if (i32.eq (i32.load8_u (local.get $text)) (i32.const 0x21)) (then {harm}))
                    (local.set $text (i32.add (local.get $text) (i32.load (i32.mul (local.get $number) (i32.const 8)))))
                    (local.set $number (i32.add (local.get $number) (i32.const 1)))
                    (i32.store (i32.const 0x110000) (local.get $number))
                    (i32.store (i32.const 0x110004) (i32.mul (local.get $number) (i32.const 8)))
                    (br_if $messages (i32.lt_u (local.get $number) (local.get $count))))
                (i32.const 0)))"#
    );
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The word lists and the policy that ship.
///
/// # Panics
/// If they do not compile.
#[must_use]
pub fn shipped_parts() -> Parts {
    let policy = shipped_policy();
    let defaults = Defaults { module: module(), pack: blocking_parts(pack_of("unused")).pack, policy };
    let sources = Sources { lists: Some(workspace().join("wordlists")), ..Sources::default() };
    let loaded = sources.load(runtime(), &defaults, &defaults.module);
    loaded.unwrap_or_else(|error| panic!("{error}")).parts
}

/// The same without the model: what the words alone find.
///
/// # Panics
/// If they do not compile.
#[must_use]
pub fn shipped_lists_alone() -> Parts {
    let folder = ListFolder::read(&workspace().join("wordlists")).unwrap_or_else(|error| panic!("{error}"));
    with_shipped_policy(accept(compile(&folder.sources(), &folder.taxonomy, tamis_host::today())))
}

/// One list of these terms, with the taxonomy and the policy that ship.
///
/// # Panics
/// If the list does not compile.
#[must_use]
pub fn list_parts(category: &str, severity: u8, terms: &[String]) -> Parts {
    let (taxonomy, diagnostics) = Taxonomy::parse("taxonomy.toml", &read_shipped("taxonomy.toml"));
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let list = format!(
        "format = 1\nlist = {{ id = \"test\", jurisdiction = [\"XX\"], legal_basis = \"order no. 0\" }}\n\
         [[group]]\nname = \"test\"\nreason = \"made-up words\"\ncategory = {}\nseverity = {severity}\nterms = {}\n",
        toml_string(category),
        toml_string(&terms.join("\n")),
    );
    with_shipped_policy(accept(compile(
        &[ListSource { path: "test.toml", text: &list }],
        &taxonomy,
        tamis_host::today(),
    )))
}

fn with_shipped_policy(pack: Vec<u8>) -> Parts {
    let parts = blocking_parts(pack);
    let pack = parts.pack.pack();
    let categories: Vec<&str> = (0..pack.categories_count()).map(|index| pack.category(index).id).collect();
    let policy = shipped_policy();
    Parts { policy: policy.resolve(&categories), failure: policy.failure_policies(), ..parts }
}

fn shipped_policy() -> PolicySource {
    let (policy, diagnostics) = PolicySource::parse("policy.toml", &read_shipped("policy.toml"));
    policy.unwrap_or_else(|| panic!("{diagnostics:?}"))
}

fn read_shipped(file: &str) -> String {
    let path = workspace().join("wordlists").join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn accept((bytes, diagnostics): (Vec<u8>, Vec<Diagnostic>)) -> Vec<u8> {
    let errors: Vec<String> =
        diagnostics.iter().filter(|found| found.level == Level::Error).map(ToString::to_string).collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
    bytes
}

/// The texts of a JSON Lines file, from the key `text`.
///
/// # Panics
/// If it cannot be read, or a line is not such an object.
#[must_use]
pub fn read_texts(path: &Path) -> Vec<String> {
    #[derive(Deserialize)]
    struct Line {
        text: String,
    }
    let lines = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let parse = |(number, line)| {
        let parsed: Result<Line, _> = serde_json::from_str(line);
        parsed.unwrap_or_else(|error| panic!("{}:{}: {error}", path.display(), number + 1)).text
    };
    lines.lines().enumerate().map(parse).collect()
}

/// The SMS in `data/sms.jsonl`.
#[must_use]
pub fn sms() -> Vec<String> {
    read_texts(&workspace().join("tests/data/sms.jsonl"))
}

/// A generator that gives the same numbers everywhere: `SplitMix64` (Steele, Lea, Flood, 2014).
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    /// A number below `limit`, which must not be 0.
    pub fn below(&mut self, limit: usize) -> usize {
        // The remainder is below a usize.
        (self.next() % limit as u64) as usize
    }

    /// One of `all`, which must not be empty.
    pub fn pick<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }
}
