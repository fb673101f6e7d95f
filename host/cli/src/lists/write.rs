//! Lists as TOML in the one form that makes small diffs: what `fmt` makes of a file that is there, for one
//! that is not.

use tamis_guest::compile::{Entry, List, Status, Variants, Written};
use toml_edit::Value;

/// The keys of each kind of table, in their order.
pub(super) const KEYS: [&str; 30] = [
    "format",
    "id",
    "title",
    "owner",
    "lang",
    "license",
    "jurisdiction",
    "legal_basis",
    "allow_empty",
    "name",
    "pattern",
    "category",
    "severity",
    "status",
    "canary",
    "variants",
    "within",
    "fields",
    "enabled",
    "expires",
    "review_by",
    "reason",
    "added_by",
    "ref",
    "note",
    "terms",
    "allow",
    "hits",
    "misses",
    "accept",
];

/// A key with its value as TOML writes it.
pub(super) type Line = (&'static str, String);

/// A table: its head, and its lines aligned.
pub(super) fn table(head: &str, lines: &[Line]) -> String {
    let width = lines.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
    let mut text = format!("{head}\n");
    for (key, value) in lines {
        text += &format!("{key:<width$} = {value}\n");
    }
    text
}

/// A text as TOML writes it.
pub(super) fn string(text: &str) -> String {
    Value::from(text).to_string()
}

/// Texts as TOML writes them.
pub(super) fn strings<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    let all: Vec<String> = texts.into_iter().map(string).collect();
    format!("[{}]", all.join(", "))
}

/// The terms of a group, one a line.
pub(super) fn terms<'t>(lines: impl IntoIterator<Item = &'t str>) -> String {
    let body: String = lines.into_iter().flat_map(|line| [line, "\n"]).collect();
    let is_literal = !body.contains("'''") && !body.chars().any(|c| c.is_control() && c != '\n' && c != '\t');
    if is_literal { format!("'''\n{body}'''") } else { string(&body) }
}

/// A whole list.
pub(super) fn list(list: &List) -> String {
    let mut text = "format = 1\n\n".to_owned() + &table("[list]", &head_lines(list));
    for entry in &list.entries {
        text += "\n";
        text += &self::entry(entry);
    }
    text
}

fn head_lines(list: &List) -> Vec<Line> {
    let mut lines = vec![("id", string(&list.id.text))];
    let mut add = |key, value: Option<String>| lines.extend(value.map(|value| (key, value)));
    let some = |texts: &[String]| (!texts.is_empty()).then(|| strings(texts.iter().map(String::as_str)));
    add("title", list.title.as_deref().map(string));
    add("owner", list.owner.as_deref().map(string));
    add("lang", some(&list.lang));
    add("license", list.license.as_deref().map(string));
    add("jurisdiction", some(&list.jurisdiction));
    add("legal_basis", list.legal_basis.as_deref().map(string));
    add("allow_empty", list.allow_empty.then(|| "true".to_owned()));
    add("review_by", list.review_by.map(|day| day.to_string()));
    lines
}

/// A group or a term.
pub(super) fn entry(entry: &Entry) -> String {
    let mut lines: Vec<Line> = Vec::new();
    let mut add = |key, value: Option<String>| lines.extend(value.map(|value| (key, value)));
    let text = |written: &Option<Written>| written.as_ref().map(|written| string(&written.text));
    let texts = |all: &[Written]| (!all.is_empty()).then(|| strings(all.iter().map(|written| &written.text[..])));
    add("id", text(&entry.id));
    add("name", entry.name.as_deref().map(string));
    if !entry.is_group {
        add("pattern", entry.terms.first().map(|term| string(&term.text)));
    }
    add("category", Some(string(&entry.category.text)));
    add("severity", Some(entry.severity.to_string()));
    add("status", (entry.status != Status::Enforce).then(|| string(entry.status.name())));
    add("canary", entry.canary.map(|percent| percent.to_string()));
    add("variants", (entry.variants != Variants::Standard).then(|| string(entry.variants.name())));
    add("within", entry.within.map(|within| within.to_string()));
    let fields = entry.fields.iter().map(|field| field.name());
    add("fields", (!entry.fields.is_empty()).then(|| strings(fields)));
    add("enabled", (!entry.enabled).then(|| "false".to_owned()));
    add("expires", entry.expires.map(|day| day.to_string()));
    add("review_by", entry.review_by.map(|day| day.to_string()));
    add("reason", text(&entry.reason));
    add("added_by", text(&entry.added_by));
    add("ref", entry.reference.as_deref().map(string));
    add("note", entry.note.as_deref().map(string));
    if entry.is_group {
        add("terms", Some(terms(entry.terms.iter().map(|term| &term.text[..]))));
    }
    add("allow", texts(&entry.allow));
    add("hits", texts(&entry.hits));
    add("misses", texts(&entry.misses));
    add("accept", texts(&entry.accept));
    table(if entry.is_group { "[[group]]" } else { "[[term]]" }, &lines)
}
