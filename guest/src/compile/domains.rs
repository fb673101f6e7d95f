//! A list of domains: one a line, after a head that says what they are. Not for terms: a few hosts among
//! words are `url:` terms of a list.
//!
//! ```text
//! # category = fraud.phishing
//! # severity = 3
//! evil.example
//! ```

use std::format;
use std::string::String;
use std::vec::Vec;

use super::diagnostic::Finding;
use super::emit::Builder;
use super::list::{FIELDS_ALL, TermContext};
use super::schema::{Findings, shortened};
use super::{ListSource, Taxonomy, Variants};
use crate::spam::fold_url;

/// How the names of such files end.
const ENDING: &str = ".domains";
/// Severity of domains of a list that names none.
const SEVERITY_DEFAULT: u8 = 3;
/// Most lines without a host that are reported one by one.
const PROBLEMS_MAX: usize = 5;

/// Whether a source is a list of domains.
pub(super) fn is_list(source: &ListSource<'_>) -> bool {
    source.path.ends_with(ENDING)
}

pub(super) fn compile(
    source: &ListSource<'_>,
    taxonomy: &Taxonomy,
    builder: &mut Builder,
    findings: &mut Findings<'_>,
) {
    let ListSource { path, text } = *source;
    let (mut category, mut severity) = (None, SEVERITY_DEFAULT);
    let mut hosts: Vec<String> = Vec::new();
    let (mut at, mut wrong, mut has_category) = (0, 0, false);
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let line = line.trim();
        if let Some(comment) = line.strip_prefix('#') {
            let Some((key, value)) = comment.split_once('=') else { continue };
            let (key, value) = (key.trim(), value.trim().trim_matches('"'));
            let finding = match key {
                "category" => {
                    has_category = true;
                    category = taxonomy.index_of(value).and_then(|index| u16::try_from(index).ok());
                    let message = format!("unknown category `{value}`");
                    category.is_none().then(|| Finding::error("T002", message, "categories are in taxonomy.toml"))
                }
                "severity" => match value.parse() {
                    Ok(number @ 1..=4) => {
                        severity = number;
                        None
                    }
                    _ => Some(Finding::error("T001", format!("severity {value}"), "severity is 1, 2, 3 or 4")),
                },
                _ => None,
            };
            if let Some(finding) = finding {
                findings.add(finding, start);
            }
        } else if !line.is_empty() {
            // Lists for hosts files have an address before the name.
            let name = line.split_ascii_whitespace().next_back().unwrap_or_default();
            match fold_url(name) {
                Some(host) => hosts.push(host),
                None => {
                    wrong += 1;
                    if wrong <= PROBLEMS_MAX {
                        let message = format!("`{}` is no domain", shortened(name));
                        findings.add(Finding::warning("T006", message, "one domain a line"), start);
                    }
                }
            }
        }
    }
    if wrong > PROBLEMS_MAX {
        let message = format!("{} more lines that are no domains", wrong - PROBLEMS_MAX);
        findings.add(Finding::warning("T006", message, "one domain a line"), 0);
    }
    let Some(category) = category else {
        if !has_category {
            let help = "begin with a line `# category = fraud.phishing`";
            findings.add(Finding::error("T002", "no category", help), 0);
        }
        return;
    };
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    let list = builder.list(&name[..name.len() - ENDING.len()]);
    let context = TermContext {
        list,
        category,
        severity,
        allow_set: u32::MAX,
        acts_percent: 100,
        fields: FIELDS_ALL,
        variants: Variants::default(),
        within: 0,
    };
    builder.hosts(&context, "domains", hosts);
}
