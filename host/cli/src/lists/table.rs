//! Lists as a table for spreadsheets: every key a column, every term a row. What spreadsheets do to cells
//! is undone or kept from happening: a mark at the start so that they read UTF-8, an apostrophe before what
//! they would take for a formula, a number or a day.

use std::collections::HashMap;

use anyhow::{Context as _, bail};
use csv::{ReaderBuilder, StringRecord, WriterBuilder};
use tamis_guest::Field;
use tamis_guest::compile::{Date, Entry, EntryAt, List, Status, Variants, Written};

/// All columns, in the order in which they are written.
pub(super) const COLUMNS: [&str; 31] = [
    "list_id",
    "entry",
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
    "allow",
    "hits",
    "misses",
    "accept",
    "id",
    "name",
    "list_title",
    "list_owner",
    "list_lang",
    "list_license",
    "list_jurisdiction",
    "list_legal_basis",
    "list_review_by",
    "list_allow_empty",
];

/// Writes lists as CSV. Costs memory for all of it.
pub(super) fn to_csv<'l>(lists: impl IntoIterator<Item = &'l List>) -> anyhow::Result<Vec<u8>> {
    let mut writer = WriterBuilder::new().from_writer("\u{FEFF}".as_bytes().to_vec());
    writer.write_record(COLUMNS)?;
    for list in lists {
        // A list without terms has a row of its own.
        if list.entries.is_empty() {
            writer.write_record(COLUMNS.map(|column| head_cell(list, column)))?;
        }
        for (number, entry) in (1..).zip(&list.entries) {
            for term in &entry.terms {
                writer.write_record(COLUMNS.map(|column| match column {
                    "entry" => format!("{} {number}", if entry.is_group { "group" } else { "term" }),
                    "pattern" => guarded(&term.text),
                    column if column.starts_with("list_") => head_cell(list, column),
                    column => entry_cell(entry, column),
                }))?;
            }
        }
    }
    writer.into_inner().context("cannot write a table")
}

fn head_cell(list: &List, column: &str) -> String {
    let text = |text: &Option<String>| one(text.as_deref());
    match column {
        "list_id" => guarded(&list.id.text),
        "list_title" => text(&list.title),
        "list_owner" => text(&list.owner),
        "list_lang" => many(list.lang.iter().map(String::as_str)),
        "list_license" => text(&list.license),
        "list_jurisdiction" => many(list.jurisdiction.iter().map(String::as_str)),
        "list_legal_basis" => text(&list.legal_basis),
        "list_review_by" => day(list.review_by),
        "list_allow_empty" if list.allow_empty => "true".to_owned(),
        _ => String::new(),
    }
}

fn entry_cell(entry: &Entry, column: &str) -> String {
    let written = |text: &Option<Written>| one(text.as_ref().map(|text| &text.text[..]));
    let texts = |all: &[Written]| many(all.iter().map(|text| &text.text[..]));
    match column {
        "category" => guarded(&entry.category.text),
        "severity" => entry.severity.to_string(),
        "status" => entry.status.name().to_owned(),
        "canary" => entry.canary.map(|percent| percent.to_string()).unwrap_or_default(),
        "variants" => entry.variants.name().to_owned(),
        "within" => entry.within.map(|within| within.to_string()).unwrap_or_default(),
        "fields" => many(entry.fields.iter().map(|field| field.name())),
        "enabled" => entry.enabled.to_string(),
        "expires" => day(entry.expires),
        "review_by" => day(entry.review_by),
        "reason" => written(&entry.reason),
        "added_by" => written(&entry.added_by),
        "ref" => one(entry.reference.as_deref()),
        "note" => one(entry.note.as_deref()),
        "allow" => texts(&entry.allow),
        "hits" => texts(&entry.hits),
        "misses" => texts(&entry.misses),
        "accept" => texts(&entry.accept),
        "id" => written(&entry.id),
        "name" => one(entry.name.as_deref()),
        _ => String::new(),
    }
}

/// A table that was read.
#[derive(Debug)]
pub(super) struct Sheet {
    /// For each column of the file, ours.
    columns: Vec<&'static str>,
    /// Rows with the line they begin on.
    pub(super) rows: Vec<(u64, StringRecord)>,
    /// Rows that are none, and why.
    pub(super) refused: Vec<(u64, String)>,
}

impl Sheet {
    /// Reads the head and the rows.
    pub(super) fn read(text: &str) -> anyhow::Result<Sheet> {
        let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
        // Spreadsheets part columns by what numbers of the country leave free.
        let head = text.lines().next().unwrap_or_default();
        let delimiter =
            [b';', b'\t'].into_iter().find(|&other| !head.contains(',') && head.contains(char::from(other)));
        let mut reader =
            ReaderBuilder::new().flexible(true).delimiter(delimiter.unwrap_or(b',')).from_reader(text.as_bytes());
        let mut columns = Vec::new();
        for name in reader.headers()? {
            let name = name.trim();
            match COLUMNS.iter().find(|column| **column == name) {
                Some(column) if columns.contains(column) => bail!("two columns are called `{name}`"),
                Some(column) => columns.push(*column),
                None => {
                    let name: String = name.chars().take(60).collect();
                    bail!(
                        "the first line names a column `{name}`, which there is none of; there are {}",
                        COLUMNS.join(", ")
                    )
                }
            }
        }
        if !columns.contains(&"pattern") {
            bail!("there is no column `pattern`: the first line names the columns, parted by commas");
        }
        let mut sheet = Sheet { columns, rows: Vec::new(), refused: Vec::new() };
        for record in reader.records() {
            let record = record?;
            let line = record.position().map_or(0, csv::Position::line);
            if record.len() != sheet.columns.len() {
                let why = format!("{} cells where the head has {}", record.len(), sheet.columns.len());
                sheet.refused.push((line, why));
            } else if record.iter().any(|cell| !cell.is_empty()) {
                sheet.rows.push((line, record));
            }
        }
        Ok(sheet)
    }

    /// A cell as it was written, without its guard; `None` if the file has no such column.
    pub(super) fn cell(&self, row: &StringRecord, column: &str) -> Option<String> {
        let cell = row.get(self.columns.iter().position(|known| *known == column)?)?;
        Some(cell.strip_prefix('\'').unwrap_or(cell).to_owned())
    }

    /// The list that the row names: `base` with what the row says.
    pub(super) fn head(&self, row: &StringRecord, mut base: List) -> Result<List, String> {
        let cell = |column| self.cell(row, column);
        let set_text = |text: &mut Option<String>, column| {
            if let Some(cell) = cell(column) {
                *text = unwritten(&cell);
            }
        };
        set_text(&mut base.title, "list_title");
        set_text(&mut base.owner, "list_owner");
        set_text(&mut base.license, "list_license");
        set_text(&mut base.legal_basis, "list_legal_basis");
        if let Some(cell) = cell("list_lang") {
            base.lang = split(&cell);
        }
        if let Some(cell) = cell("list_jurisdiction") {
            base.jurisdiction = split(&cell);
        }
        if let Some(cell) = cell("list_review_by") {
            base.review_by = parse_day(&cell, "list_review_by")?;
        }
        if let Some(cell) = cell("list_allow_empty") {
            base.allow_empty = parse_flag(&cell, "list_allow_empty", false)?;
        }
        Ok(base)
    }

    /// The entry of the row with its one term: `base` with what the row says.
    pub(super) fn entry(&self, row: &StringRecord, mut base: Entry) -> Result<Entry, String> {
        let cell = |column| self.cell(row, column);
        base.terms = vec![written(&cell("pattern").unwrap_or_default())];
        if let Some(kind) = cell("entry").filter(|kind| !kind.is_empty()) {
            base.is_group = kind.starts_with("group");
        }
        if let Some(cell) = cell("category").filter(|cell| !cell.is_empty()) {
            base.category = written(&cell);
        }
        if let Some(cell) = cell("severity").filter(|cell| !cell.is_empty()) {
            let severity = cell.parse().ok().filter(|severity| (1..=4).contains(severity));
            base.severity = severity.ok_or_else(|| format!("severity `{cell}`: 1 to 4"))?;
        }
        if let Some(cell) = cell("status").filter(|cell| !cell.is_empty()) {
            base.status = named(&cell, "status", &Status::NAMES)?;
        }
        if let Some(cell) = cell("canary") {
            let percent = |cell: &str| cell.parse().ok().filter(|percent| (1..=99).contains(percent));
            base.canary = match &cell[..] {
                "" => None,
                cell => Some(percent(cell).ok_or_else(|| format!("canary `{cell}`: 1 to 99"))?),
            };
        }
        if base.canary.is_some() != (base.status == Status::Canary) {
            return Err("status canary and the percent in `canary` go together".to_owned());
        }
        if let Some(cell) = cell("variants").filter(|cell| !cell.is_empty()) {
            base.variants = named(&cell, "variants", &Variants::ALL.map(|variants| (variants.name(), variants)))?;
        }
        if let Some(cell) = cell("within") {
            let within = |cell: &str| cell.parse().ok().filter(|within| (1..=200).contains(within));
            base.within = match &cell[..] {
                "" => None,
                cell => Some(within(cell).ok_or_else(|| format!("within `{cell}`: 1 to 200"))?),
            };
        }
        if let Some(cell) = cell("fields") {
            let field = |name: &String| Field::from_name(name).ok_or_else(|| format!("unknown field `{name}`"));
            base.fields = split(&cell).iter().map(field).collect::<Result<_, _>>()?;
        }
        if let Some(cell) = cell("enabled") {
            base.enabled = parse_flag(&cell, "enabled", true)?;
        }
        if let Some(cell) = cell("expires") {
            base.expires = parse_day(&cell, "expires")?;
        }
        if let Some(cell) = cell("review_by") {
            base.review_by = parse_day(&cell, "review_by")?;
        }
        let texts = [("reason", &mut base.reason), ("added_by", &mut base.added_by), ("id", &mut base.id)];
        for (column, text) in texts {
            if let Some(cell) = cell(column) {
                *text = unwritten(&cell).map(|text| written(&text));
            }
        }
        for (column, text) in [("ref", &mut base.reference), ("note", &mut base.note), ("name", &mut base.name)] {
            if let Some(cell) = cell(column) {
                *text = unwritten(&cell);
            }
        }
        for (column, texts) in [
            ("allow", &mut base.allow),
            ("hits", &mut base.hits),
            ("misses", &mut base.misses),
            ("accept", &mut base.accept),
        ] {
            if let Some(cell) = cell(column) {
                *texts = split(&cell).iter().map(|text| written(text)).collect();
            }
        }
        if base.is_group && base.id.is_some() {
            return Err("a group has no `id`".to_owned());
        }
        if !base.is_group && base.name.is_some() {
            return Err("a term has no `name`".to_owned());
        }
        Ok(base)
    }
}

/// Puts rows that say the same into one group, each in the place of its first row.
pub(super) fn assemble(entries: impl IntoIterator<Item = (String, Entry)>) -> Vec<Entry> {
    let mut of_key: HashMap<String, Vec<usize>> = HashMap::new();
    let mut assembled: Vec<Entry> = Vec::new();
    for (key, entry) in entries {
        let known = of_key.entry(key).or_default();
        let same = known.iter().find(|&&at| entry.is_group && same_but_terms(&assembled[at], &entry));
        match same {
            Some(&at) => assembled[at].terms.extend(entry.terms),
            None => {
                known.push(assembled.len());
                assembled.push(entry);
            }
        }
    }
    assembled
}

/// Whether two entries say the same of their terms.
pub(super) fn same_but_terms(one: &Entry, other: &Entry) -> bool {
    let bare = |entry: &Entry| Entry { terms: Vec::new(), ..entry.clone() };
    bare(one) == bare(other)
}

/// An entry that says nothing yet.
pub(super) fn blank_entry(category: &str, severity: u8, status: Status) -> Entry {
    Entry {
        is_group: true,
        terms: Vec::new(),
        name: None,
        id: None,
        category: written(category),
        severity,
        status,
        canary: None,
        variants: Variants::default(),
        within: None,
        fields: Vec::new(),
        enabled: true,
        expires: None,
        review_by: None,
        reason: None,
        added_by: None,
        reference: None,
        note: None,
        allow: Vec::new(),
        hits: Vec::new(),
        misses: Vec::new(),
        accept: Vec::new(),
        at: EntryAt { start: 0, severity: 0, expires: 0, review_by: 0 },
    }
}

/// A list without terms.
pub(super) fn blank_list(id: &str) -> List {
    List {
        id: written(id),
        title: None,
        owner: None,
        lang: Vec::new(),
        license: None,
        jurisdiction: Vec::new(),
        legal_basis: None,
        review_by: None,
        allow_empty: false,
        entries: Vec::new(),
    }
}

pub(super) fn written(text: &str) -> Written {
    Written { text: text.to_owned(), at: 0 }
}

/// A text that no spreadsheet takes for anything else: an apostrophe before the first character of formulas,
/// numbers and days, and before an apostrophe.
fn guarded(text: &str) -> String {
    let is_taken = text.starts_with(|c: char| c.is_ascii_digit() || "=+-@'\t\r".contains(c));
    if is_taken { format!("'{text}") } else { text.to_owned() }
}

/// A text that may be missing.
fn one(text: Option<&str>) -> String {
    text.map(|text| guarded(&escaped(text))).unwrap_or_default()
}

fn unwritten(cell: &str) -> Option<String> {
    (!cell.is_empty()).then(|| unescaped(cell))
}

/// Texts, one a line of the cell.
fn many<'t>(texts: impl Iterator<Item = &'t str>) -> String {
    let lines: Vec<String> = texts.map(escaped).collect();
    guarded(&lines.join("\n"))
}

fn split(cell: &str) -> Vec<String> {
    // Some spreadsheets end lines in a cell with two characters.
    let lines = cell.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    if cell.is_empty() { Vec::new() } else { lines.map(unescaped).collect() }
}

/// On one line and never empty.
fn escaped(text: &str) -> String {
    if text.is_empty() {
        return "\\-".to_owned();
    }
    text.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r")
}

fn unescaped(line: &str) -> String {
    let mut text = String::new();
    let mut chars = line.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => match chars.next() {
                Some('n') => text.push('\n'),
                Some('r') => text.push('\r'),
                Some('-') | None => {}
                Some(other) => text.push(other),
            },
            char => text.push(char),
        }
    }
    text
}

fn day(day: Option<Date>) -> String {
    day.map(|day| day.to_string()).unwrap_or_default()
}

fn parse_day(cell: &str, column: &str) -> Result<Option<Date>, String> {
    match cell {
        "" => Ok(None),
        cell => Date::parse(cell).map(Some).ok_or_else(|| format!("{column} `{cell}`: a day such as 2027-01-31")),
    }
}

fn parse_flag(cell: &str, column: &str, missing: bool) -> Result<bool, String> {
    // Spreadsheets write them in capitals.
    match &cell.to_ascii_lowercase()[..] {
        "" => Ok(missing),
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(format!("{column} `{cell}`: true or false")),
    }
}

fn named<T: Copy>(cell: &str, column: &str, names: &[(&str, T)]) -> Result<T, String> {
    let found = names.iter().find(|(name, _)| *name == cell).map(|&(_, value)| value);
    found.ok_or_else(|| {
        let names: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
        format!("{column} `{cell}`: one of {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tamis_guest::compile::{ListSource, Taxonomy, read_list};

    use super::*;
    use crate::lists::write;

    /// Texts as people and attackers write them.
    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-z]{1,8}( [a-z]{1,8})?",
            "[=+@'0-9-][0-9a-z.E+]{0,12}",
            prop::collection::vec(
                prop::sample::select(vec![
                    "\"", "'", "'''", ",", ";", "\n", "\r\n", "\\", "\\n", "\\-", "\t", "赌", "x", " ", "é", "#"
                ]),
                0..8
            )
            .prop_map(|parts| parts.concat()),
        ]
    }

    /// A term on one line.
    fn term() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-z]{1,8}( [a-z]{1,8})?(&[a-z]{2,6})?",
            "[=+@'-]?[0-9]{1,20}",
            prop::collection::vec(
                prop::sample::select(vec!["\"", "'", ",", "\\\\", "赌", "x", "y", " ", "é", "|", "{", "a"]),
                1..8
            )
            .prop_map(|parts| format!("t{}t", parts.concat())),
        ]
    }

    fn texts() -> impl Strategy<Value = Vec<Written>> {
        prop::collection::vec(text().prop_map(|text| written(&text)), 0..3)
    }

    fn maybe() -> impl Strategy<Value = Option<String>> {
        prop::option::of(text())
    }

    fn date() -> impl Strategy<Value = Option<Date>> {
        prop::option::of((0u64..5_000_000_000).prop_map(Date::from_unix_seconds))
    }

    fn entry() -> impl Strategy<Value = Entry> {
        let life = (1u8..=4, 0usize..4, 1u8..=99, 0usize..3, prop::sample::subsequence(Field::ALL.to_vec(), 0..=3));
        let says = (any::<bool>(), date(), date(), maybe(), maybe(), maybe(), maybe(), maybe());
        let terms = (any::<bool>(), prop::collection::vec(term(), 1..5));
        (terms, life, says, texts(), texts(), texts()).prop_map(
            |((is_group, terms), life, says, allow, hits, misses)| {
                let (severity, status, canary, variants, fields) = life;
                let (enabled, expires, review_by, reason, added_by, reference, note, name) = says;
                let status = Status::NAMES[status].1;
                let taken = if is_group { terms.len() } else { 1 };
                let place = |text: Option<String>| text.map(|text| written(&text));
                Entry {
                    is_group,
                    terms: terms[..taken].iter().map(|term| written(term)).collect(),
                    name: name.clone().filter(|_| is_group),
                    id: place(name.filter(|_| !is_group)),
                    canary: Some(canary).filter(|_| status == Status::Canary),
                    variants: Variants::ALL[variants],
                    within: Some(canary).filter(|_| terms[..taken].iter().any(|term| term.contains('&'))),
                    fields,
                    enabled,
                    expires,
                    review_by,
                    reason: place(reason),
                    added_by: place(added_by),
                    reference,
                    note,
                    allow,
                    hits,
                    misses,
                    ..blank_entry("custom", severity, status)
                }
            },
        )
    }

    fn list() -> impl Strategy<Value = List> {
        (maybe(), maybe(), prop::collection::vec(text(), 0..3), maybe(), date(), prop::collection::vec(entry(), 0..5))
            .prop_map(|(title, owner, lang, legal_basis, review_by, mut entries)| {
                // Groups come first in what is read from a file.
                entries.sort_by_key(|entry| !entry.is_group);
                let allow_empty = entries.is_empty();
                List { title, owner, lang, legal_basis, review_by, allow_empty, entries, ..blank_list("en.custom") }
            })
    }

    fn read_back(bytes: &[u8]) -> List {
        let sheet = Sheet::read(std::str::from_utf8(bytes).unwrap()).unwrap();
        assert!(sheet.refused.is_empty(), "{:?}", sheet.refused);
        let mut list = sheet.head(&sheet.rows[0].1, blank_list("en.custom")).unwrap();
        let rows = sheet.rows.iter().filter(|(_, row)| sheet.cell(row, "pattern").is_some_and(|cell| !cell.is_empty()));
        let entries = rows.map(|(_, row)| {
            let entry = sheet.entry(row, blank_entry("", 2, Status::Enforce)).unwrap();
            (sheet.cell(row, "entry").unwrap(), entry)
        });
        list.entries = assemble(entries);
        list
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn what_is_exported_is_imported(list in list()) {
            let bytes = to_csv([&list]).unwrap();
            prop_assert_eq!(read_back(&bytes), list);
        }

        #[test]
        fn what_is_written_is_read(list in list()) {
            let text = write::list(&list);
            let (read, diagnostics) = read_list(&ListSource { path: "list.toml", text: &text }, &Taxonomy::custom());
            prop_assert!(diagnostics.is_empty(), "{:?}\n{}", diagnostics, text);
            prop_assert_eq!(read, Some(list));
        }

        #[test]
        fn no_cell_is_a_formula(text in text()) {
            let cell = guarded(&escaped(&text));
            prop_assert!(!cell.starts_with(['=', '+', '-', '@', '\t']), "{}", cell);
        }
    }
}
