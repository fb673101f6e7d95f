//! A list file: `[list]`, `[defaults]`, groups of terms one a line, and terms one by one. Reading it
//! gives a [`List`]; from there it goes into a pack, or to the tools. The schema is closed, and is told
//! in `wordlists/README.md`.

use core::ops::RangeInclusive;
use std::borrow::ToOwned as _;
use std::collections::HashMap;
use std::format;
use std::string::String;
use std::vec::Vec;

use toml::Spanned;

use super::diagnostic::Finding;
use super::emit::Builder;
use super::schema::{self, Findings, Reader, Written, shortened};
use super::term::Placed;
use super::{Date, Taxonomy, Variants, term};
use crate::Field;
use crate::pack::WITHIN_MAX;

/// A list as written, defaults filled in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct List {
    /// What verdicts call it, such as `en.fraud.scam`.
    pub id: Written,
    /// For people.
    pub title: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Languages of its terms.
    pub lang: Vec<String>,
    /// Its licence.
    pub license: Option<String>,
    /// Whose law it rests on, where its category needs that.
    pub jurisdiction: Vec<String>,
    /// Which law.
    pub legal_basis: Option<String>,
    /// Day on which somebody looks at it again.
    pub review_by: Option<Date>,
    /// It has no terms on purpose.
    pub allow_empty: bool,
    /// Groups, then terms, in the order of the file.
    pub entries: Vec<Entry>,
}

/// A `[[group]]` or a `[[term]]`: terms and all that is said of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Whether it was written as a group of lines.
    pub is_group: bool,
    /// Its terms without comments; a `[[term]]` has one.
    pub terms: Vec<Written>,
    /// Name of a group.
    pub name: Option<String>,
    /// Stable name of a term.
    pub id: Option<Written>,
    /// What its messages are called.
    pub category: Written,
    /// 1 to 4.
    pub severity: u8,
    /// Whether it acts.
    pub status: Status,
    /// For [`Status::Canary`]: for how many percent of senders it acts.
    pub canary: Option<u8>,
    /// Which evasions it is found in.
    pub variants: Variants,
    /// How many characters may be between the parts of its terms; any number if not given.
    pub within: Option<u8>,
    /// Which texts it is looked for in; all of them if empty.
    pub fields: Vec<Field>,
    /// Off without being removed.
    pub enabled: bool,
    /// First day on which it is no longer used.
    pub expires: Option<Date>,
    /// Day on which somebody looks at it again.
    pub review_by: Option<Date>,
    /// Why it is there.
    pub reason: Option<Written>,
    /// Who put it there.
    pub added_by: Option<Written>,
    /// Where it was discussed.
    pub reference: Option<String>,
    /// For the next person.
    pub note: Option<String>,
    /// Texts in which it does not fire.
    pub allow: Vec<Written>,
    /// Messages of which each term hits at least one.
    pub hits: Vec<Written>,
    /// Messages that no term hits.
    pub misses: Vec<Written>,
    /// Codes of warnings that were looked at and found right as it is.
    pub accept: Vec<Written>,
    /// Place of the entry in the file.
    pub at: EntryAt,
}

/// Bytes of the file where an entry and what is most often wrong in it begin. All are equal: a place is not
/// part of what is said.
#[derive(Clone, Copy, Debug)]
pub struct EntryAt {
    /// The entry.
    pub start: usize,
    /// Its severity, or the entry.
    pub severity: usize,
    /// Its day of expiry, or the entry.
    pub expires: usize,
    /// Its day of review, or the entry.
    pub review_by: usize,
}

impl PartialEq for EntryAt {
    fn eq(&self, _: &EntryAt) -> bool {
        true
    }
}

impl Eq for EntryAt {}

/// What a term may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Status {
    /// It is reported and never acts.
    Shadow,
    /// It acts for some senders, and is in the shadow for the others.
    Canary,
    /// It acts.
    #[default]
    Enforce,
    /// It is kept for memory and not searched.
    Retired,
}

impl Status {
    /// All of them by the names that lists use.
    pub const NAMES: [(&'static str, Status); 4] = [
        ("shadow", Status::Shadow),
        ("canary", Status::Canary),
        ("enforce", Status::Enforce),
        ("retired", Status::Retired),
    ];

    /// The name that lists use.
    #[must_use]
    pub fn name(self) -> &'static str {
        Status::NAMES.iter().find(|(_, status)| *status == self).map_or("", |(name, _)| name)
    }
}

/// What a term has from its surroundings.
#[derive(Clone, Copy)]
pub(super) struct TermContext {
    pub(super) list: u16,
    pub(super) category: u16,
    pub(super) severity: u8,
    pub(super) allow_set: u32,
    /// Percent of senders for which it acts.
    pub(super) acts_percent: u8,
    /// Bit set of the fields it is looked for in.
    pub(super) fields: u8,
    pub(super) variants: Variants,
    /// How many characters may be between the parts of a term; 0 for any number.
    pub(super) within: u32,
}

/// Which terms go into a pack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Living {
    /// Those that are in use on a day.
    On(Date),
    /// All of them, to be tried out.
    All,
}

/// Where a term of a pack comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    pub(super) list: usize,
    pub(super) entry: usize,
    pub(super) term: usize,
}

/// What `within` may be.
const WITHIN: RangeInclusive<u8> = 1..=WITHIN_MAX as u8;
/// Severity of a term that names none.
const SEVERITY_DEFAULT: u8 = 2;
/// Most of the fields' bits.
pub(super) const FIELDS_ALL: u8 = (1 << Field::COUNT) - 1;

const VARIANTS: [(&str, Variants); 3] =
    [("none", Variants::None), ("standard", Variants::Standard), ("aggressive", Variants::Aggressive)];
const FIELDS: [(&str, Field); Field::COUNT] = [("body", Field::Body), ("name", Field::Name), ("upload", Field::Upload)];

/// What entries have in common that do not say otherwise.
#[derive(Default)]
struct Defaults {
    category: Option<Written>,
    severity: Option<u8>,
    status: Option<Status>,
    canary: Option<u8>,
    variants: Option<Variants>,
    fields: Vec<Field>,
}

impl List {
    /// Reads a list. What is wrong is in the findings; an entry that cannot be used is left out.
    pub(super) fn read(taxonomy: &Taxonomy, findings: &mut Findings<'_>) -> Option<List> {
        let root = schema::parse(findings);
        List::of_table(&root, taxonomy, findings)
    }

    fn of_table(
        root: &Spanned<toml::de::DeTable<'_>>,
        taxonomy: &Taxonomy,
        findings: &mut Findings<'_>,
    ) -> Option<List> {
        let mut root = Reader::new(root);
        root.format(findings);
        let mut list = match root.table("list", findings) {
            Some(head) => read_head(head, findings),
            None if root.has("list") => None,
            None => {
                let help = "begin with [list] and its `id`, such as id = \"en.fraud.scam\"";
                findings.add(Finding::error("T001", "no [list]", help), 0);
                None
            }
        };
        let defaults = root.table("defaults", findings).map(|table| read_defaults(table, findings)).unwrap_or_default();
        let mut entries = Vec::new();
        for (key, is_group) in [("group", true), ("term", false)] {
            for table in root.tables(key, findings) {
                entries.extend(read_entry(table, is_group, &defaults, taxonomy, findings));
            }
        }
        if let Some(list) = &list {
            let has_entries = root.has("group") || root.has("term");
            if !has_entries && !list.allow_empty {
                let help = "add terms, or `allow_empty = true` under [list]";
                findings.add(Finding::error("T014", "the list is empty", help), list.id.at);
            }
            check_legal_basis(list, &entries, taxonomy, findings);
        }
        root.finish(findings);
        if let Some(list) = &mut list {
            list.entries = entries;
        }
        list
    }
}

fn read_head(mut head: Reader<'_, '_>, findings: &mut Findings<'_>) -> Option<List> {
    let texts = |written: Vec<Written>| written.into_iter().map(|one| one.text).collect();
    let text = |written: Option<Written>| written.map(|one| one.text);
    let id = head.string("id", findings);
    if id.is_none() && !head.has("id") {
        findings.add(Finding::error("T001", "no `id`", "add one, such as id = \"en.fraud.scam\""), head.at);
    }
    let list = List {
        id: id.unwrap_or(Written { text: String::new(), at: head.at }),
        title: text(head.string("title", findings)),
        owner: text(head.string("owner", findings)),
        lang: texts(head.strings("lang", findings)),
        license: text(head.string("license", findings)),
        jurisdiction: texts(head.strings("jurisdiction", findings)),
        legal_basis: text(head.string("legal_basis", findings)),
        review_by: head.date("review_by", findings),
        allow_empty: head.flag("allow_empty", findings).unwrap_or(false),
        entries: Vec::new(),
    };
    head.finish(findings);
    Some(list)
}

fn read_defaults(mut table: Reader<'_, '_>, findings: &mut Findings<'_>) -> Defaults {
    let defaults = Defaults {
        category: table.string("category", findings),
        severity: table.number("severity", 1..=4, findings),
        status: table.choice("status", &Status::NAMES, findings),
        canary: table.number("canary", 1..=99, findings),
        variants: table.choice("variants", &VARIANTS, findings),
        fields: table.choices("fields", &FIELDS, findings),
    };
    table.finish(findings);
    defaults
}

/// Reads a group or a term; `None` if it has no terms or no category.
fn read_entry(
    mut table: Reader<'_, '_>,
    is_group: bool,
    defaults: &Defaults,
    taxonomy: &Taxonomy,
    findings: &mut Findings<'_>,
) -> Option<Entry> {
    let text = |written: Option<Written>| written.map(|one| one.text);
    let terms_key = if is_group { "terms" } else { "pattern" };
    let terms = if is_group {
        table.lines(terms_key, findings).map(|lines| lines.iter().filter_map(term_of_line).collect())
    } else {
        table.string(terms_key, findings).map(|pattern| term_of_line(&pattern).into_iter().collect())
    };
    let at = EntryAt {
        start: table.at_key(terms_key),
        severity: table.at_key("severity"),
        expires: table.at_key("expires"),
        review_by: table.at_key("review_by"),
    };
    if terms.is_none() && !table.has(terms_key) {
        let help = if is_group { "add terms = '''…''', one a line" } else { "add pattern = '…'" };
        findings.add(Finding::error("T001", format!("no `{terms_key}`"), help), at.start);
    }
    let is_empty = terms.as_ref().is_some_and(Vec::is_empty);
    let terms: Vec<Written> = terms.unwrap_or_default();
    if is_empty {
        let help = "add a term, or remove the table";
        findings.add(Finding::error("T014", format!("`{terms_key}` holds no term"), help), at.start);
    }
    let (name, id) =
        if is_group { (text(table.string("name", findings)), None) } else { (None, table.string("id", findings)) };
    let category = table.string("category", findings);
    if category.is_none() && defaults.category.is_none() && !table.has("category") {
        let help = "add `category = \"…\"` here or under [defaults]";
        findings.add(Finding::error("T002", "no category", help), at.start);
    }
    let category = category.or_else(|| defaults.category.clone());
    if let Some(category) = &category
        && taxonomy.index_of(&category.text).is_none()
    {
        let help = nearest_category(taxonomy, &category.text);
        let message = format!("unknown category `{}`", shortened(&category.text));
        findings.add(Finding::error("T002", message, help), category.at);
    }
    let own_status = table.choice("status", &Status::NAMES, findings);
    let status = own_status.or(defaults.status).unwrap_or_default();
    let own_canary = table.number("canary", 1..=99, findings);
    let canary = own_canary.or(defaults.canary).filter(|_| status == Status::Canary);
    if own_canary.is_some() && status != Status::Canary {
        let help = "write status = \"canary\" as well, or remove `canary`";
        let message = format!("`canary` without effect: the status is {}", status.name());
        findings.add(Finding::error("T001", message, help), table.at_key("canary"));
    }
    if status == Status::Canary && canary.is_none() && !table.has("canary") {
        let help = "add for how many percent of senders the term acts, such as canary = 5";
        findings.add(Finding::error("T001", "status canary without `canary`", help), table.at_key("status"));
    }
    let own_fields = table.choices("fields", &FIELDS, findings);
    let entry = Entry {
        is_group,
        terms,
        name,
        id,
        category: category.unwrap_or(Written { text: String::new(), at: at.start }),
        severity: table.number("severity", 1..=4, findings).or(defaults.severity).unwrap_or(SEVERITY_DEFAULT),
        status,
        canary,
        variants: table.choice("variants", &VARIANTS, findings).or(defaults.variants).unwrap_or_default(),
        within: table.number("within", WITHIN, findings),
        fields: if own_fields.is_empty() { defaults.fields.clone() } else { own_fields },
        enabled: table.flag("enabled", findings).unwrap_or(true),
        expires: table.date("expires", findings),
        review_by: table.date("review_by", findings),
        reason: table.string("reason", findings),
        added_by: table.string("added_by", findings),
        reference: text(table.string("ref", findings)),
        note: text(table.string("note", findings)),
        allow: table.strings("allow", findings),
        hits: table.strings("hits", findings),
        misses: table.strings("misses", findings),
        accept: table.strings("accept", findings),
        at,
    };
    if let Some(at) = entry.within.map(|_| table.at_key("within"))
        && !entry.terms.iter().any(|term| term.text.contains('&'))
    {
        let help = "it is how many characters may be between the parts of `a&b`; remove it, or join words by `&`";
        findings.add(Finding::error("T001", "`within` without effect: no term has several parts", help), at);
    }
    table.finish(findings);
    let usable = !entry.terms.is_empty() && taxonomy.index_of(&entry.category.text).is_some();
    usable.then_some(entry)
}

/// The term on a line, if there is one.
fn term_of_line(line: &Written) -> Option<Written> {
    let (text, at) = term_in(&line.text)?;
    Some(Written { text: text.to_owned(), at: line.at + at })
}

/// The same, and where on the line it begins.
fn term_in(line: &str) -> Option<(&str, usize)> {
    let text = term::without_comment(line);
    let is_term = !text.is_empty() && !text.starts_with('#');
    is_term.then(|| (text, line.len() - line.trim_start().len()))
}

fn nearest_category(taxonomy: &Taxonomy, id: &str) -> String {
    let known = taxonomy.categories().iter().map(|known| (schema::distance(id, &known.id), &known.id)).min();
    match known {
        Some((distance, known)) if distance <= 3 => format!("did you mean `{known}`?"),
        _ => "categories are in taxonomy.toml".into(),
    }
}

fn check_legal_basis(list: &List, entries: &[Entry], taxonomy: &Taxonomy, findings: &mut Findings<'_>) {
    if !list.jurisdiction.is_empty() && list.legal_basis.is_some() {
        return;
    }
    let needs_it = |entry: &&Entry| {
        let category = taxonomy.categories().iter().find(|category| category.id == entry.category.text);
        category.is_some_and(|category| category.needs_legal_basis)
    };
    if let Some(entry) = entries.iter().find(needs_it) {
        let message = format!("terms of `{}` without `jurisdiction` and `legal_basis`", entry.category.text);
        let help = "say under [list] whose law they rest on and which: jurisdiction = [\"XX\"], legal_basis = \"…\"";
        findings.add(Finding::error("T061", message, help), entry.at.start);
    }
}

impl Entry {
    /// Whether its terms are searched on that day.
    #[must_use]
    pub fn is_used(&self, today: Date) -> bool {
        self.enabled && self.status != Status::Retired && !self.is_expired(today)
    }

    /// Whether its time is over on that day.
    #[must_use]
    pub fn is_expired(&self, today: Date) -> bool {
        self.expires.is_some_and(|day| day <= today)
    }

    /// For how many percent of senders it acts.
    fn acts_percent(&self) -> u8 {
        match self.status {
            Status::Enforce => 100,
            Status::Canary => self.canary.unwrap_or(0),
            Status::Shadow | Status::Retired => 0,
        }
    }

    /// The fields it is looked for in, as bits.
    pub(super) fn field_bits(&self) -> u8 {
        let bits = self.fields.iter().fold(0, |bits, &field| bits | 1 << field as u8);
        if bits == 0 { FIELDS_ALL } else { bits }
    }

    /// Whether a warning was looked at and found right as it is.
    pub(super) fn accepts(&self, code: &str) -> bool {
        self.accept.iter().any(|accepted| accepted.text == code)
    }
}

/// Puts a list into the pack, and the place of each of its terms in `places`.
pub(super) fn compile(
    number: usize,
    list: &List,
    taxonomy: &Taxonomy,
    living: Living,
    builder: &mut Builder,
    places: &mut Vec<Place>,
    findings: &mut Findings<'_>,
) {
    let list_number = builder.list(&list.id.text);
    let mut ids: HashMap<&str, usize> = HashMap::new();
    for (entry_number, entry) in list.entries.iter().enumerate() {
        if let Some(id) = &entry.id
            && ids.insert(&id.text, entry_number).is_some()
        {
            let message = format!("the id `{}` is there twice", shortened(&id.text));
            findings.add(Finding::error("T003", message, "give each term an id of its own"), id.at);
        }
        for code in &entry.accept {
            if !super::WARNINGS.contains(&&code.text[..]) {
                let message = format!("`{}` is no warning that can be accepted", shortened(&code.text));
                findings
                    .add(Finding::error("T002", message, format!("one of {}", super::WARNINGS.join(", "))), code.at);
            }
        }
        match living {
            Living::On(today) if entry.is_expired(today) && entry.enabled && entry.status != Status::Retired => {
                let message = format!("expired on {}: it is searched no more", entry.expires.unwrap_or(today));
                let help = "remove it, give it a later day, or write status = \"retired\"";
                findings.add(Finding::warning("T040", message, help), entry.at.expires);
                continue;
            }
            Living::On(today) if !entry.is_used(today) => continue,
            Living::On(_) | Living::All => {}
        }
        let Some(category) = taxonomy.index_of(&entry.category.text).and_then(|index| u16::try_from(index).ok()) else {
            continue;
        };
        let context = TermContext {
            list: list_number,
            category,
            severity: entry.severity,
            allow_set: compile_allow(builder, entry, findings),
            acts_percent: entry.acts_percent(),
            fields: entry.field_bits(),
            variants: entry.variants,
            within: entry.within.map_or(0, u32::from),
        };
        for (term_number, term) in entry.terms.iter().enumerate() {
            if compile_term(builder, &context, term, entry, findings) {
                places.push(Place { list: number, entry: entry_number, term: term_number });
            }
        }
    }
}

/// Compiles a term; whether there was nothing wrong with it.
fn compile_term(
    builder: &mut Builder,
    context: &TermContext,
    term: &Written,
    entry: &Entry,
    findings: &mut Findings<'_>,
) -> bool {
    let mut warnings = Vec::new();
    let put = put(builder, context, &term.text, &mut warnings);
    for (offset, warning) in warnings {
        if !entry.accepts(warning.code) {
            findings.add(warning, term.at + offset);
        }
    }
    if let Err((offset, finding)) = put {
        findings.add(finding, term.at + offset);
        return false;
    }
    true
}

/// Puts a term into the pack, a host or a pattern.
fn put(builder: &mut Builder, context: &TermContext, text: &str, warnings: &mut Vec<Placed>) -> Result<(), Placed> {
    if let Some(host) = term::host(text) {
        builder.hosts(context, text, [host?]);
    } else {
        builder.term(context, text, term::parse(text, warnings)?);
    }
    Ok(())
}

/// Compiles a line of a plain file that begins at byte `line_at`, if there is a term in it.
pub(super) fn compile_line(
    builder: &mut Builder,
    context: &TermContext,
    line: &str,
    line_at: usize,
    findings: &mut Findings<'_>,
) {
    let Some((term, at)) = term_in(line) else { return };
    let mut warnings = Vec::new();
    if let Err((offset, finding)) = put(builder, context, term, &mut warnings) {
        findings.add(finding, line_at + at + offset);
    }
    warnings.into_iter().for_each(|(offset, finding)| findings.add(finding, line_at + at + offset));
}

/// Compiles allow texts; returns the number of their set.
fn compile_allow(builder: &mut Builder, entry: &Entry, findings: &mut Findings<'_>) -> u32 {
    if entry.allow.is_empty() {
        return u32::MAX;
    }
    let set = builder.allow_set();
    for spelling in &entry.allow {
        let mut warnings = Vec::new();
        match term::parse(&spelling.text, &mut warnings) {
            Ok(mut parsed) if parsed.parts == 1 && parsed.patterns.iter().all(|pattern| pattern.role == 0) => {
                builder.allow(set, &mut parsed)
            }
            Ok(_) => {
                let help = "write several allow texts instead of `&` and `~`";
                findings.add(Finding::error("T006", "an allow text has one part", help), spelling.at);
            }
            Err((offset, finding)) => findings.add(finding, spelling.at + offset),
        }
    }
    set
}
