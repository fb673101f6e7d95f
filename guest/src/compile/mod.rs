//! From lists, taxonomy and policy in TOML to packs and policy tables. Everything is reported, nothing
//! dropped silently: each step gives what is good and a diagnostic for each thing that is not.

mod common;
mod date;
mod diagnostic;
mod domains;
mod emit;
mod examples;
mod honest;
mod lint;
mod list;
mod misspellings;
mod ordinary;
mod policy;
mod protected;
mod regex;
mod schema;
mod taxonomy;
mod term;
mod variants;

use std::borrow::ToOwned as _;
use std::collections::HashMap;
use std::format;
use std::string::String;
use std::vec::Vec;

use toml::Spanned;

pub use self::date::Date;
pub use self::diagnostic::{Diagnostic, Fix, Level};
pub use self::examples::{Examples, test};
pub use self::honest::check_honest;
pub use self::lint::{TermCheck, check_term, lint};
pub use self::list::{Entry, EntryAt, List, Status};
pub use self::policy::{BreakerLimits, FailurePolicy, PolicyRow, PolicySource};
pub use self::protected::Protected;
pub use self::schema::{Written, distance};
pub use self::taxonomy::{Taxonomy, TaxonomyCategory};

use self::diagnostic::Finding;
use self::emit::Builder;
use self::list::{Living, Place};
use self::schema::Findings;
use crate::spam::Model;

/// The text of a list and the name to report it by.
#[derive(Clone, Copy, Debug)]
pub struct ListSource<'a> {
    /// Path, for diagnostics.
    pub path: &'a str,
    /// The file's content.
    pub text: &'a str,
}

/// How far from its spelling a term is looked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Variants {
    /// In any case and width, and not otherwise.
    None,
    /// However its letters are written: styles, marks, look-alikes, digits for letters, separators between.
    #[default]
    Standard,
    /// Misspelt, masked, cut in two or glued together, by its sound, in parts of characters, by another word for it as
    /// well. Ordinary words are never taken for a term that is one word. Costs two to three kilobytes of pack a term.
    Aggressive,
}

impl Variants {
    /// All of them, narrowest first.
    pub const ALL: [Variants; 3] = [Variants::None, Variants::Standard, Variants::Aggressive];

    /// The name in lists.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Variants::None => "none",
            Variants::Standard => "standard",
            Variants::Aggressive => "aggressive",
        }
    }

    /// What plain files of so many terms are looked for by: [`Aggressive`](Variants::Aggressive) up to 1,000 terms,
    /// which is what people write by hand, else [`Standard`](Variants::Standard).
    #[must_use]
    pub fn for_plain_file(lines: usize) -> Variants {
        if lines <= PLAIN_AGGRESSIVE_MAX { Variants::Aggressive } else { Variants::Standard }
    }
}

/// The version of the TOML schemas.
const SCHEMA_VERSION: u32 = 1;
/// Severity of the terms in a plain file.
const PLAIN_SEVERITY: u8 = 4;
/// Longest plain file whose terms are looked for in all variants, in lines.
const PLAIN_AGGRESSIVE_MAX: usize = 1000;

/// Codes of the findings that a list can accept with `accept = ["T050"]`.
const WARNINGS: [&str; 11] = ["T003", "T004", "T005", "T006", "T011", "T012", "T013", "T021", "T050", "T051", "T052"];

/// Compiles the terms of lists that are in use on a day to a pack without a model. Lists of domains are
/// sources whose name ends in `.domains`. Terms with errors are left out, and reported.
///
/// Costs about 3 µs a term.
#[must_use]
pub fn compile(lists: &[ListSource<'_>], taxonomy: &Taxonomy, today: Date) -> (Vec<u8>, Vec<Diagnostic>) {
    compile_with(lists, &Protected::default(), taxonomy, today, None)
}

/// As [`compile`], with the names that policies protect and with a model, given its name and its bytes. A model that
/// cannot be used is left out, and reported.
#[must_use]
pub fn compile_with(
    lists: &[ListSource<'_>],
    protected: &Protected,
    taxonomy: &Taxonomy,
    today: Date,
    model: Option<(&str, &[u8])>,
) -> (Vec<u8>, Vec<Diagnostic>) {
    let (mut built, mut diagnostics) = build(lists, taxonomy, Living::On(today));
    protected.compile(&mut built.builder, taxonomy, &mut diagnostics);
    if let Some((path, model)) = model {
        match Model::decode(model) {
            Ok(_) => built.builder.model(model),
            Err(error) => {
                let help = "make it anew with `tamis model train`, or take it out of the folder";
                diagnostics.push(Finding::error("T001", format!("{error}"), help).at(path, "", 0));
            }
        }
    }
    finish(built.builder, &origin(lists), diagnostics)
}

/// Reads a list. What is wrong with its form is in the diagnostics, what is wrong with its terms is found by
/// [`compile`]; the rest is kept. `None` if there is no list to keep, as in a list of domains.
#[must_use]
pub fn read_list(source: &ListSource<'_>, taxonomy: &Taxonomy) -> (Option<List>, Vec<Diagnostic>) {
    if domains::is_list(source) {
        return (None, Vec::new());
    }
    let mut findings = Findings::new(source.path, source.text);
    let list = List::read(taxonomy, &mut findings);
    (list, findings.finish())
}

/// Lists on the way to a pack.
struct Built {
    builder: Builder,
    /// In the order of their sources; lists of domains are none.
    lists: Vec<Option<List>>,
    /// Where each term of the pack comes from, lists of domains apart.
    places: Vec<Place>,
}

/// Reads lists into a builder. Lists of domains, which have nothing to try out, only with those in use on a day.
fn build(sources: &[ListSource<'_>], taxonomy: &Taxonomy, living: Living) -> (Built, Vec<Diagnostic>) {
    let mut built = Built { builder: Builder::new(taxonomy), lists: Vec::new(), places: Vec::new() };
    let mut diagnostics = Vec::new();
    let mut ids: HashMap<String, &str> = HashMap::new();
    for (number, source) in sources.iter().enumerate() {
        let mut findings = Findings::new(source.path, source.text);
        if domains::is_list(source) {
            if matches!(living, Living::On(_)) {
                domains::compile(source, taxonomy, &mut built.builder, &mut findings);
            }
            diagnostics.extend(findings.finish());
            built.lists.push(None);
            continue;
        }
        let list = List::read(taxonomy, &mut findings);
        if let Some(list) = &list {
            if let Some(other) = ids.insert(list.id.text.clone(), source.path) {
                let message = format!("the list id `{}` is also that of {other}", list.id.text);
                findings.add(Finding::error("T003", message, "give each list an id of its own"), list.id.at);
            }
            let Built { builder, places, .. } = &mut built;
            list::compile(number, list, taxonomy, living, builder, places, &mut findings);
        }
        diagnostics.extend(findings.finish());
        built.lists.push(list);
    }
    (built, diagnostics)
}

fn origin(lists: &[ListSource<'_>]) -> String {
    let names: Vec<&str> = lists.iter().map(|list| list.path).collect();
    names.join("\n")
}

/// Compiles a plain file, one term a line, to a pack: category `custom`, severity 4. Empty lines and
/// lines that begin with `#` are skipped. How far terms are looked for depends on how many there are:
/// [`Variants::for_plain_file`].
#[must_use]
pub fn compile_terms(path: &str, text: &str) -> (Vec<u8>, Vec<Diagnostic>) {
    compile_terms_as(path, text, Variants::for_plain_file(text.lines().count()))
}

/// As [`compile_terms`], with the variants given.
#[must_use]
pub fn compile_terms_as(path: &str, text: &str, variants: Variants) -> (Vec<u8>, Vec<Diagnostic>) {
    let mut builder = Builder::new(&Taxonomy::custom());
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let mut findings = Findings::new(path, text);
    let context = list::TermContext {
        list: builder.list("custom"),
        category: 0,
        severity: PLAIN_SEVERITY,
        allow_set: u32::MAX,
        acts_percent: 100,
        fields: list::FIELDS_ALL,
        variants,
        within: 0,
    };
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if !line.starts_with('#') {
            list::compile_line(&mut builder, &context, line, at, &mut findings);
        }
        at += line.len();
    }
    let diagnostics = findings.finish();
    finish(builder, path, diagnostics)
}

fn finish(builder: Builder, origin: &str, mut diagnostics: Vec<Diagnostic>) -> (Vec<u8>, Vec<Diagnostic>) {
    let bytes = builder.finish(origin).unwrap_or_else(|| {
        let finding =
            Finding::error("T009", "the lists make a pack of more than 4 GiB", "split them over several filters");
        diagnostics.push(finding.at(origin, "", 0));
        Vec::new()
    });
    (bytes, diagnostics)
}

/// What the TOML reader found, as a diagnostic.
fn toml_error(path: &str, text: &str, error: &toml::de::Error) -> Diagnostic {
    let at = error.span().map_or(0, |span| span.start);
    let help = "the keys and their meaning are in wordlists/README.md";
    Finding::error("T001", error.message(), help).at(path, text, at)
}

fn check_format(path: &str, text: &str, format: &Spanned<u32>, diagnostics: &mut Vec<Diagnostic>) {
    if *format.get_ref() != SCHEMA_VERSION {
        let message = format!("format {} is not read by this version", format.get_ref());
        let help = format!("write format = {SCHEMA_VERSION}");
        diagnostics.push(Finding::error("T001", message, help).at(path, text, format.span().start));
    }
}

/// Largest file of lists, taxonomy or policy that is read, in bytes: more than a million terms.
pub const FILE_BYTES_MAX: usize = 64 << 20;

/// Text of a file of lists. Bytes that are not UTF-8 are replaced, NUL and a byte-order mark are reported, and of
/// a file that is too large nothing is read.
#[must_use]
pub fn decode_text(path: &str, bytes: &[u8]) -> (String, Option<Diagnostic>) {
    if bytes.len() > FILE_BYTES_MAX {
        let message = format!("the file has more than {} MB", FILE_BYTES_MAX >> 20);
        let finding = Finding::error("T009", message, "split it into several lists");
        return (String::new(), Some(finding.at(path, "", 0)));
    }
    let (text, finding) = match core::str::from_utf8(bytes) {
        Ok(text) => (text.to_owned(), None),
        Err(error) => {
            let help = "save the file as UTF-8; a file from a Chinese spreadsheet is often GBK";
            let finding = Finding::error("T007", "not UTF-8 text", help);
            (String::from_utf8_lossy(bytes).into_owned(), Some((finding, error.valid_up_to())))
        }
    };
    let nul = || {
        let help = "save it as a text file in UTF-8; a file of NULs is often UTF-16";
        Some((Finding::error("T007", "a NUL character", help), text.find('\0')?))
    };
    let finding = finding.or_else(nul).map(|(finding, at)| finding.at(path, &text, at));
    (text, finding)
}
