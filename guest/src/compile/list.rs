//! A list file: `[list]`, `[defaults]`, groups of terms one a line, and terms with tests of their own.
//! The schema is closed: an unknown key is an error, because it is a misspelt one.

use std::format;
use std::string::String;
use std::vec::Vec;

use serde::Deserialize;
use toml::Spanned;

use super::diagnostic::Finding;
use super::emit::Builder;
use super::{Diagnostic, ListSource, Taxonomy, Variants, check_format, term, toml_error};
use crate::spam::fold_url;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListFile {
    format: Spanned<u32>,
    list: Header,
    #[serde(default)]
    defaults: Defaults,
    #[serde(default)]
    group: Vec<Group>,
    #[serde(default)]
    term: Vec<TermTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "keys for people; the schema only has to admit them")]
struct Header {
    id: Spanned<String>,
    title: Option<String>,
    owner: Option<String>,
    #[serde(default)]
    lang: Vec<String>,
    license: Option<String>,
    #[serde(default)]
    jurisdiction: Vec<String>,
    legal_basis: Option<String>,
    /// An empty list is more often a mistake than meant.
    #[serde(default)]
    allow_empty: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Defaults {
    category: Option<Spanned<String>>,
    severity: Option<Spanned<u8>>,
    variants: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "keys for people; the schema only has to admit them")]
struct Group {
    name: Option<String>,
    reason: Option<String>,
    category: Option<Spanned<String>>,
    severity: Option<Spanned<u8>>,
    terms: Spanned<String>,
    #[serde(default)]
    allow: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "keys for people; the schema only has to admit them")]
struct TermTable {
    pattern: Spanned<String>,
    reason: Option<String>,
    note: Option<String>,
    category: Option<Spanned<String>>,
    severity: Option<Spanned<u8>>,
    #[serde(default)]
    allow: Vec<Spanned<String>>,
    #[serde(default)]
    hits: Vec<String>,
    #[serde(default)]
    misses: Vec<String>,
}

/// What a term has from its surroundings.
#[derive(Clone, Copy)]
pub(super) struct TermContext<'a> {
    pub(super) path: &'a str,
    pub(super) text: &'a str,
    pub(super) list: u16,
    pub(super) category: u16,
    pub(super) severity: u8,
    pub(super) allow_set: u32,
    pub(super) variants: Variants,
}

/// Severity of a term that names none.
const SEVERITY_DEFAULT: u8 = 2;

pub(super) fn compile(
    source: &ListSource<'_>,
    taxonomy: &Taxonomy,
    builder: &mut Builder,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let ListSource { path, text } = *source;
    let file: ListFile = match toml::from_str(text) {
        Ok(file) => file,
        Err(error) => return diagnostics.push(toml_error(path, text, &error)),
    };
    check_format(path, text, &file.format, diagnostics);
    if file.group.is_empty() && file.term.is_empty() && !file.list.allow_empty {
        let finding = Finding::error("T014", "the list is empty", "add terms, or `allow_empty = true` under [list]");
        diagnostics.push(finding.at(path, text, file.list.id.span().start));
    }
    let list = builder.list(file.list.id.get_ref());
    let mut resolve = |category: &Option<Spanned<String>>,
                       severity: &Option<Spanned<u8>>,
                       allow: &[Spanned<String>],
                       at,
                       diagnostics: &mut Vec<Diagnostic>| {
        let category = category.as_ref().or(file.defaults.category.as_ref());
        let category = match category {
            None => {
                let help = "add `category = \"…\"` here or under [defaults]";
                diagnostics.push(Finding::error("T002", "no category", help).at(path, text, at));
                return None;
            }
            Some(id) => match taxonomy.index_of(id.get_ref()).and_then(|index| u16::try_from(index).ok()) {
                Some(index) => index,
                None => {
                    let finding = Finding::error(
                        "T002",
                        format!("unknown category `{}`", id.get_ref()),
                        "categories are in taxonomy.toml",
                    );
                    diagnostics.push(finding.at(path, text, id.span().start));
                    return None;
                }
            },
        };
        let severity = severity.as_ref().or(file.defaults.severity.as_ref());
        if let Some(severity) = severity.filter(|severity| !(1..=4).contains(severity.get_ref())) {
            let finding =
                Finding::error("T001", format!("severity {}", severity.get_ref()), "severity is 1, 2, 3 or 4");
            diagnostics.push(finding.at(path, text, severity.span().start));
            return None;
        }
        let severity = severity.map_or(SEVERITY_DEFAULT, |severity| *severity.get_ref());
        let variants = match &file.defaults.variants {
            None => Variants::default(),
            Some(name) => match Variants::ALL.into_iter().find(|variants| variants.name() == name.get_ref()) {
                Some(variants) => variants,
                None => {
                    let message = format!("unknown variants `{}`", name.get_ref());
                    let finding = Finding::error("T001", message, "variants are none, standard or aggressive");
                    diagnostics.push(finding.at(path, text, name.span().start));
                    return None;
                }
            },
        };
        let allow_set = compile_allow(builder, path, text, allow, diagnostics);
        Some(TermContext { path, text, list, category, severity, allow_set, variants })
    };

    let mut contexts = Vec::new();
    for group in &file.group {
        let at = group.terms.span().start;
        contexts.push(resolve(&group.category, &group.severity, &group.allow, at, diagnostics));
    }
    let mut table_contexts = Vec::new();
    for table in &file.term {
        let at = table.pattern.span().start;
        table_contexts.push(resolve(&table.category, &table.severity, &table.allow, at, diagnostics));
    }
    for (group, context) in file.group.iter().zip(contexts) {
        let Some(context) = context else { continue };
        for (at, line) in lines(text, &group.terms) {
            compile_line(builder, &context, line, at, diagnostics);
        }
    }
    for (table, context) in file.term.iter().zip(table_contexts) {
        let Some(context) = context else { continue };
        compile_line(builder, &context, table.pattern.get_ref(), table.pattern.span().start + 1, diagnostics);
    }
}

/// The lines of a string and where in the file each begins: exactly, for literal strings, which are
/// written as they are; otherwise where the string begins.
fn lines<'a>(text: &'a str, terms: &'a Spanned<String>) -> Vec<(usize, &'a str)> {
    let span = terms.span();
    let literal = text.get(span.clone()).and_then(|raw| raw.strip_prefix("'''")?.strip_suffix("'''"));
    let (mut at, body, moves) = match literal {
        Some(body) => (span.start + 3, body, 1),
        None => (span.start, terms.get_ref().as_str(), 0),
    };
    body.split_inclusive('\n')
        .map(|line| {
            let start = at;
            at += line.len() * moves;
            (start, line)
        })
        .collect()
}

/// Compiles one line, if there is a term in it.
pub(super) fn compile_line(
    builder: &mut Builder,
    context: &TermContext<'_>,
    line: &str,
    at: usize,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let trimmed = term::without_comment(line);
    if trimmed.is_empty() || trimmed.starts_with('#') {
        return;
    }
    let at = at + line.find(trimmed).unwrap_or(0);
    if let Some(url) = trimmed.strip_prefix("url:") {
        return match fold_url(url) {
            Some(host) => builder.hosts(context, trimmed, [host]),
            None => {
                let help = "write url:example.com, or url:example.com/path for one part of it";
                let finding = Finding::error("T006", format!("`{url}` names no host"), help);
                diagnostics.push(finding.at(context.path, context.text, at));
            }
        };
    }
    let mut warnings = Vec::new();
    match term::parse(trimmed, &mut warnings) {
        Ok(parsed) => builder.term(context, trimmed, parsed),
        Err((offset, finding)) => diagnostics.push(finding.at(context.path, context.text, at + offset)),
    }
    diagnostics
        .extend(warnings.into_iter().map(|(offset, finding)| finding.at(context.path, context.text, at + offset)));
}

/// Compiles allow texts; returns the number of their set.
fn compile_allow(
    builder: &mut Builder,
    path: &str,
    text: &str,
    allow: &[Spanned<String>],
    diagnostics: &mut Vec<Diagnostic>,
) -> u32 {
    if allow.is_empty() {
        return u32::MAX;
    }
    let set = builder.allow_set();
    for spelling in allow {
        let mut warnings = Vec::new();
        match term::parse(spelling.get_ref(), &mut warnings) {
            Ok(mut parsed) if parsed.parts == 1 && parsed.patterns.iter().all(|pattern| pattern.role == 0) => {
                builder.allow(set, &mut parsed)
            }
            Ok(_) => {
                let finding = Finding::error(
                    "T006",
                    "an allow text has one part",
                    "write several allow texts instead of `&` and `~`",
                );
                diagnostics.push(finding.at(path, text, spelling.span().start));
            }
            Err((_, finding)) => diagnostics.push(finding.at(path, text, spelling.span().start)),
        }
    }
    set
}
