//! Reads TOML against a closed schema, and goes on after a mistake so that all of them are reported in
//! one run. An unknown key is an error, because it is a misspelt one.

use core::ops::RangeInclusive;
use std::borrow::ToOwned as _;
use std::format;
use std::string::{String, ToString as _};
use std::vec;
use std::vec::Vec;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Diagnostic, Finding, Fix, Level};
use super::{Date, SCHEMA_VERSION};

/// Most findings of one file that are shown one by one; a file that is no list at all has thousands.
const FINDINGS_MAX: usize = 200;

/// The findings of one file.
#[derive(Debug)]
pub(super) struct Findings<'a> {
    pub(super) path: &'a str,
    pub(super) text: &'a str,
    found: Vec<Diagnostic>,
    /// Findings beyond the limit, and the gravest of them.
    more: Option<(usize, Level)>,
    /// Lines that are no TOML: what else is wrong with them follows from that.
    broken: Vec<usize>,
}

impl<'a> Findings<'a> {
    pub(super) fn new(path: &'a str, text: &'a str) -> Findings<'a> {
        Findings { path, text, found: Vec::new(), more: None, broken: Vec::new() }
    }

    /// Adds a finding at a byte of the file.
    pub(super) fn add(&mut self, finding: Finding, at: usize) {
        if self.found.len() < FINDINGS_MAX {
            let found = finding.at(self.path, self.text, at);
            if !self.broken.contains(&found.line) {
                self.found.push(found);
            }
        } else {
            let (count, level) = self.more.unwrap_or((0, Level::Warning));
            self.more = Some((count + 1, level.max(finding.level)));
        }
    }

    /// Adds a finding with a safe change of the file.
    pub(super) fn add_with_fix(&mut self, finding: Finding, at: usize, fix: Option<Fix>) {
        let before = self.found.len();
        self.add(finding, at);
        if let Some(added) = self.found.get_mut(before) {
            added.fix = fix;
        }
    }

    /// All of them, and how many more there were than are shown.
    pub(super) fn finish(mut self) -> Vec<Diagnostic> {
        if let Some((count, level)) = self.more {
            let message = format!("and {count} more findings in this file");
            let finding = Finding { level, ..Finding::error("T009", message, "repair those above and look again") };
            self.found.push(finding.at(self.path, self.text, self.text.len()));
        }
        self.found
    }
}

/// A text of a file and the byte where it begins. Equal to every other with the same text.
#[derive(Clone, Debug)]
pub struct Written {
    /// The text.
    pub text: String,
    /// Byte of the file.
    pub at: usize,
}

impl PartialEq for Written {
    fn eq(&self, other: &Written) -> bool {
        self.text == other.text
    }
}

impl Eq for Written {}

/// What is under a key, or a mistake.
type Value<'t> = Spanned<DeValue<'t>>;

/// One table, read key by key.
pub(super) struct Reader<'r, 'a> {
    table: &'r DeTable<'a>,
    /// Byte where the table begins.
    pub(super) at: usize,
    known: Vec<&'static str>,
}

impl<'r, 'a> Reader<'r, 'a> {
    pub(super) fn new(table: &'r Spanned<DeTable<'a>>) -> Reader<'r, 'a> {
        Reader { table: table.get_ref(), at: table.span().start, known: Vec::new() }
    }

    fn of_value(value: &'r Value<'a>, key: &str, findings: &mut Findings<'_>) -> Option<Reader<'r, 'a>> {
        match value.get_ref() {
            DeValue::Table(table) => Some(Reader { table, at: value.span().start, known: Vec::new() }),
            other => {
                wrong_type(key, "a table", other, value, findings);
                None
            }
        }
    }

    fn take(&mut self, key: &'static str) -> Option<&'r Value<'a>> {
        self.known.push(key);
        self.table.get(key)
    }

    /// Byte of the value under `key`, or of the table.
    pub(super) fn at_key(&self, key: &str) -> usize {
        self.table.get(key).map_or(self.at, |value| value.span().start)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    pub(super) fn string(&mut self, key: &'static str, findings: &mut Findings<'_>) -> Option<Written> {
        let value = self.take(key)?;
        string_of(value, key, findings)
    }

    /// The text as it is written in the file, for what has lines: exact places only where it is literal.
    pub(super) fn lines(&mut self, key: &'static str, findings: &mut Findings<'_>) -> Option<Vec<Written>> {
        let value = self.take(key)?;
        let DeValue::String(all) = value.get_ref() else {
            let message = format!("`{key}` is a text of lines, not this {}", value.get_ref().type_str());
            let help = "write one a line between \'\'\' and \'\'\', without quotes and commas";
            findings.add(Finding::error("T001", message, help), value.span().start);
            return None;
        };
        let span = value.span();
        let raw = findings.text.get(span.clone()).unwrap_or_default();
        let literal = raw.strip_prefix("'''").and_then(|raw| raw.strip_suffix("'''"));
        let (mut at, body, moves) = match literal {
            Some(body) => (span.start + 3, body, 1),
            None => (span.start, &**all, 0),
        };
        let line = |line: &str| {
            let start = at;
            at += line.len() * moves;
            Written { text: line.to_owned(), at: start }
        };
        Some(body.split_inclusive('\n').map(line).collect())
    }

    pub(super) fn strings(&mut self, key: &'static str, findings: &mut Findings<'_>) -> Vec<Written> {
        let Some(value) = self.take(key) else { return Vec::new() };
        match value.get_ref() {
            DeValue::Array(all) => all.iter().filter_map(|one| string_of(one, key, findings)).collect(),
            other => {
                wrong_type(key, "a list of texts", other, value, findings);
                Vec::new()
            }
        }
    }

    pub(super) fn number(
        &mut self,
        key: &'static str,
        range: RangeInclusive<u8>,
        findings: &mut Findings<'_>,
    ) -> Option<u8> {
        let value = self.take(key)?;
        let number = match value.get_ref() {
            DeValue::Integer(number) => u8::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let written = findings.text.get(value.span()).unwrap_or_default();
            let (least, most) = (range.start(), range.end());
            let message = format!("`{key}` is a number from {least} to {most}, not {}", shortened(written));
            let help = format!("write a number from {least} to {most}, without quotes");
            findings.add(Finding::error("T001", message, help), value.span().start);
        }
        number
    }

    pub(super) fn flag(&mut self, key: &'static str, findings: &mut Findings<'_>) -> Option<bool> {
        let value = self.take(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            wrong_type(key, "true or false", value.get_ref(), value, findings);
        }
        flag
    }

    pub(super) fn date(&mut self, key: &'static str, findings: &mut Findings<'_>) -> Option<Date> {
        let value = self.take(key)?;
        let date = match value.get_ref() {
            DeValue::Datetime(datetime) => Date::from_toml(datetime),
            _ => None,
        };
        if date.is_none() {
            wrong_type(key, "a day such as 2027-01-31, without quotes", value.get_ref(), value, findings);
        }
        date
    }

    /// One of a few names.
    pub(super) fn choice<T>(
        &mut self,
        key: &'static str,
        choices: &[(&'static str, T)],
        findings: &mut Findings<'_>,
    ) -> Option<T>
    where
        T: Copy,
    {
        let name = self.string(key, findings)?;
        choice_of(&name, key, choices, findings)
    }

    /// Several of a few names.
    pub(super) fn choices<T>(
        &mut self,
        key: &'static str,
        choices: &[(&'static str, T)],
        findings: &mut Findings<'_>,
    ) -> Vec<T>
    where
        T: Copy,
    {
        self.strings(key, findings).iter().filter_map(|name| choice_of(name, key, choices, findings)).collect()
    }

    pub(super) fn table(&mut self, key: &'static str, findings: &mut Findings<'_>) -> Option<Reader<'r, 'a>> {
        let value = self.take(key)?;
        Reader::of_value(value, key, findings)
    }

    pub(super) fn tables(&mut self, key: &'static str, findings: &mut Findings<'_>) -> Vec<Reader<'r, 'a>> {
        let Some(value) = self.take(key) else { return Vec::new() };
        match value.get_ref() {
            DeValue::Array(all) => all.iter().filter_map(|one| Reader::of_value(one, key, findings)).collect(),
            DeValue::Table(_) => {
                let message = format!("[{key}] stands in single brackets");
                findings.add(Finding::error("T001", message, format!("write [[{key}]]")), value.span().start);
                Vec::new()
            }
            other => {
                wrong_type(key, &format!("tables, written [[{key}]]"), other, value, findings);
                Vec::new()
            }
        }
    }

    /// Checks `format = 1`.
    pub(super) fn format(&mut self, findings: &mut Findings<'_>) {
        let at = self.at_key("format");
        let help = format!("write format = {SCHEMA_VERSION}");
        match self.take("format").map(Spanned::get_ref) {
            None => findings.add(Finding::error("T001", "no `format`", help), at),
            Some(DeValue::Integer(number)) if number.as_str() == SCHEMA_VERSION.to_string() => {}
            Some(_) => {
                let written = findings.text.get(at..).and_then(|rest| rest.lines().next()).unwrap_or_default();
                let message = format!("format {} is not read by this version", shortened(written));
                findings.add(Finding::error("T001", message, help), at);
            }
        }
    }

    /// Reports the keys that nobody asked for.
    pub(super) fn finish(self, findings: &mut Findings<'_>) {
        for key in self.table.keys() {
            let name: &str = key.get_ref();
            if self.known.contains(&name) {
                continue;
            }
            let nearest = self.known.iter().map(|known| (distance(name, known), known)).min();
            let help = match nearest {
                Some((distance, known)) if distance <= 2 => format!("did you mean `{known}`?"),
                _ => format!("known here: {}", self.known.join(", ")),
            };
            let message = format!("unknown key `{}`", shortened(name));
            findings.add(Finding::error("T001", message, help), key.span().start);
        }
    }
}

/// Reads TOML, whatever of it can be read.
pub(super) fn parse<'a>(findings: &mut Findings<'a>) -> Spanned<DeTable<'a>> {
    let (table, errors) = DeTable::parse_recoverable(findings.text);
    let help = "the file is TOML; the keys and their meaning are in wordlists/README.md";
    for error in errors {
        let at = error.span().map_or(0, |span| span.start);
        let help = remedy(findings.text, at, error.message()).unwrap_or(help);
        findings.add(Finding::error("T001", error.message(), help), at);
    }
    findings.broken = findings.found.iter().map(|found| found.line).collect();
    table
}

/// What to do about the mistakes that are made most often.
fn remedy(text: &str, at: usize, message: &str) -> Option<&'static str> {
    let before = text.get(..at)?;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = text[start..].lines().next().unwrap_or_default();
    Some(if line.contains(['“', '”', '„', '‘', '’', '＂', '「', '」']) {
        "write straight quotes: \"…\""
    } else if line.contains(['【', '】', '［', '］', '＝', '＃', '，', '。']) && !line.contains('"') {
        "write the signs [ ] = # , as they are on an English keyboard"
    } else if message.contains("multi-line") {
        "terms stand between \'\'\' and \'\'\': one of the two is missing"
    } else if message.contains("basic string") {
        "the text has no end: close it with \" on the same line"
    } else if message.contains("escaped value") {
        "in \"…\" a backslash is doubled; in '…' it stands for itself"
    } else if message.contains("duplicate key") {
        "the key stands there twice: remove one of the two"
    } else if line.starts_with("expires") || line.starts_with("review_by") {
        "write a day as 2027-01-31, without quotes"
    } else if message.contains("must be quoted") {
        "write texts in straight quotes: \"…\""
    } else {
        return None;
    })
}

fn string_of(value: &Value<'_>, key: &str, findings: &mut Findings<'_>) -> Option<Written> {
    match value.get_ref() {
        // Behind the quote.
        DeValue::String(text) => Some(Written { text: text.clone().into_owned(), at: value.span().start + 1 }),
        other => {
            wrong_type(key, "a text in quotes", other, value, findings);
            None
        }
    }
}

fn choice_of<T: Copy>(name: &Written, key: &str, choices: &[(&str, T)], findings: &mut Findings<'_>) -> Option<T> {
    let found = choices.iter().find(|(choice, _)| *choice == name.text).map(|&(_, value)| value);
    if found.is_none() {
        let names: Vec<&str> = choices.iter().map(|&(name, _)| name).collect();
        let message = format!("unknown {key} `{}`", shortened(&name.text));
        findings.add(Finding::error("T001", message, format!("one of {}", names.join(", "))), name.at);
    }
    found
}

fn wrong_type(key: &str, wanted: &str, found: &DeValue<'_>, value: &Value<'_>, findings: &mut Findings<'_>) {
    let message = format!("`{key}` is {wanted}, not this {}", found.type_str());
    findings.add(Finding::error("T001", message, format!("write {wanted}")), value.span().start);
}

/// The first characters of what may be long.
pub(super) fn shortened(text: &str) -> String {
    const SHOWN_MAX: usize = 60;
    let mut shown: String = text.chars().take(SHOWN_MAX).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// How many letters must be put in, left out or changed to make one word the other.
pub fn distance(one: &str, other: &str) -> usize {
    if one.len() > 60 {
        return usize::MAX;
    }
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, a) in one.chars().enumerate() {
        let mut next = vec![line + 1];
        for (column, &b) in other.iter().enumerate() {
            let changed = row[column] + usize::from(a != b);
            next.push(changed.min(row[column + 1] + 1).min(next[column] + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}
