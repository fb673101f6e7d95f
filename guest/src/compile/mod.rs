//! From lists, taxonomy and policy in TOML to packs and policy tables. Everything is reported, nothing
//! dropped silently: each step gives what is good and a diagnostic for each thing that is not.

mod diagnostic;
mod domains;
mod emit;
mod list;
mod ordinary;
mod policy;
mod taxonomy;
mod term;
mod variants;

use std::borrow::ToOwned as _;
use std::format;
use std::string::String;
use std::vec::Vec;

use toml::Spanned;

pub use self::diagnostic::{Diagnostic, Level};
pub use self::policy::{FailurePolicy, PolicySource};
pub use self::taxonomy::{Taxonomy, TaxonomyCategory};

use self::diagnostic::Finding;
use self::emit::Builder;
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
    /// well. Ordinary words are never taken for a term. Costs about 30 patterns a term.
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

/// Compiles lists to a pack without a model. Terms with errors are left out, and reported.
///
/// Costs about 2 µs a term.
#[must_use]
pub fn compile(lists: &[ListSource<'_>], taxonomy: &Taxonomy) -> (Vec<u8>, Vec<Diagnostic>) {
    compile_with_model(lists, taxonomy, None)
}

/// Compiles lists, and lists of domains, which are sources whose name ends in `.domains`, to a pack with a
/// model, given its name and its bytes.
#[must_use]
pub fn compile_with_model(
    lists: &[ListSource<'_>],
    taxonomy: &Taxonomy,
    model: Option<(&str, &[u8])>,
) -> (Vec<u8>, Vec<Diagnostic>) {
    let mut builder = Builder::new(taxonomy);
    let mut diagnostics = Vec::new();
    for list in lists {
        if list.path.ends_with(domains::ENDING) {
            domains::compile(list, taxonomy, &mut builder, &mut diagnostics);
        } else {
            list::compile(list, taxonomy, &mut builder, &mut diagnostics);
        }
    }
    if let Some((path, model)) = model {
        match Model::decode(model) {
            Ok(_) => builder.model(model),
            Err(error) => {
                let help = "make it anew with `tamis model train`, or take it out of the folder";
                diagnostics.push(Finding::error("T001", format!("{error}"), help).at(path, "", 0));
            }
        }
    }
    let names: Vec<&str> = lists.iter().map(|list| list.path).collect();
    finish(builder, &names.join("\n"), diagnostics)
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
    let mut diagnostics = Vec::new();
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let list = builder.list("custom");
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let context = list::TermContext {
            path,
            text,
            list,
            category: 0,
            severity: PLAIN_SEVERITY,
            allow_set: u32::MAX,
            variants,
        };
        if !line.starts_with('#') {
            list::compile_line(&mut builder, &context, line, at, &mut diagnostics);
        }
        at += line.len();
    }
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

/// Text of a file of lists. Bytes that are not UTF-8 are replaced, and reported.
#[must_use]
pub fn decode_text(path: &str, bytes: &[u8]) -> (String, Option<Diagnostic>) {
    match core::str::from_utf8(bytes) {
        Ok(text) => (text.to_owned(), None),
        Err(error) => {
            let text = String::from_utf8_lossy(bytes).into_owned();
            let help = "save the file as UTF-8; a file from a Chinese spreadsheet is often GBK";
            let finding = Finding::error("T007", "not UTF-8 text", help).at(path, &text, error.valid_up_to());
            (text, Some(finding))
        }
    }
}
