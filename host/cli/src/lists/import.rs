//! `tamis lists import`: takes in terms from other tools, and says of each line what became of it. What is taken in
//! watches before it acts, unless the caller says otherwise.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use serde_json::Value;
use tamis_guest::compile::{Entry, List, check_term};

use super::args::{ImportArgs, ImportFormat};
use super::store::{Store, read_text, write_text};
use super::table::{Sheet, assemble, blank_entry, blank_list, same_but_terms, written};
use super::write;
use crate::{Outcome, text};

/// A line of the file on its way into a list.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Incoming {
    /// From 1; in JSON, the number of the item.
    line: u64,
    /// As the file has it.
    original: String,
    /// As we write it, or why not.
    term: Result<String, String>,
    /// What had to be written otherwise.
    changed: Option<String>,
    severity: Option<u8>,
    allow: Vec<String>,
}

impl Incoming {
    fn new(line: u64, original: &str, term: Result<String, String>) -> Incoming {
        let changed = None;
        Incoming { line, original: original.to_owned(), term, changed, severity: None, allow: Vec::new() }
    }
}

/// What became of the lines.
#[derive(Default)]
struct Report {
    accepted: u64,
    duplicate: u64,
    changed: u64,
    refused: u64,
    lines: Vec<String>,
}

impl Report {
    fn duplicate(&mut self, line: u64, term: &str, where_: &str) {
        self.duplicate += 1;
        self.lines.push(format!("line {line}: duplicate `{}`: {where_}", shown(term)));
    }

    fn changed(&mut self, line: u64, term: &str, how: &str) {
        self.changed += 1;
        self.lines.push(format!("line {line}: changed `{}`: {how}", shown(term)));
    }

    fn refused(&mut self, line: u64, term: &str, why: &str) {
        self.refused += 1;
        self.lines.push(format!("line {line}: refused `{}`: {}", shown(term), shown(why)));
    }

    fn write(&self, is_dry: bool) -> std::io::Result<()> {
        let mut out = anstream::stdout();
        for line in &self.lines {
            writeln!(out, "{line}")?;
        }
        let count = text::count;
        writeln!(
            out,
            "{} accepted, {} duplicate, {} changed, {} refused{}",
            count(self.accepted),
            count(self.duplicate),
            count(self.changed),
            count(self.refused),
            if is_dry { "; nothing was written" } else { "" }
        )
    }
}

/// The start of what may be long, and may be hostile: a line of a file must not write over others.
fn shown(text: &str) -> String {
    const SHOWN_MAX: usize = 100;
    let mut shown: String = text.chars().take(SHOWN_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(SHOWN_MAX).is_some() {
        shown.push('…');
    }
    shown
}

pub(super) fn run(args: &ImportArgs) -> anyhow::Result<Outcome> {
    let store = Store::read_sound(&args.folder.folder)?;
    if let Some(category) = &args.category
        && store.folder.taxonomy.index_of(category).is_none()
    {
        bail!("unknown category `{category}`; categories are in taxonomy.toml");
    }
    let file = read_text(&args.file)?;
    let mut report = Report::default();
    let lists = if args.format == ImportFormat::Csv {
        from_table(args, &store, &Sheet::read(&file)?, &mut report)?
    } else {
        let incoming = match args.format {
            ImportFormat::Tamis => lines(&file, |line| (Ok(line.to_owned()), None)),
            ImportFormat::Plain | ImportFormat::Ldnoobw => lines(&file, plain),
            ImportFormat::Hosts => hosts(&file),
            ImportFormat::Dsojevic => dsojevic(&json(&file)?)?,
            ImportFormat::Discord => discord(&json(&file)?)?,
            ImportFormat::Csv => Vec::new(),
        };
        from_lines(args, &store, incoming, &mut report)?.into_iter().collect()
    };
    if !args.dry_run {
        for change in &lists {
            change.write()?;
        }
    }
    report.write(args.dry_run)?;
    Ok(if report.refused > 0 { Outcome::Found } else { Outcome::Clean })
}

/// What is to be written to a list.
struct Change {
    path: PathBuf,
    text: String,
}

impl Change {
    fn write(&self) -> anyhow::Result<()> {
        write_text(&self.path, &self.text)?;
        text::note(&format!("wrote {}", self.path.display()));
        Ok(())
    }
}

/// The file of a list with entries added; a new file if there is no such list.
fn with_entries(store: &Store, id: &str, head: List, entries: &[Entry]) -> anyhow::Result<Change> {
    let blocks: Vec<String> = entries.iter().map(write::entry).collect();
    match store.list(id) {
        Some((number, _)) => {
            let (path, text) = &store.folder.lists[number];
            let mut text = text.trim_end().to_owned();
            for block in &blocks {
                text += &format!("\n\n{}", block.trim_end());
            }
            Ok(Change { path: PathBuf::from(path), text: text + "\n" })
        }
        None => {
            let path = store.path_of(id)?;
            if path.exists() {
                bail!("{} is there and is not the list `{id}`", path.display());
            }
            let list = List { entries: entries.to_vec(), ..head };
            Ok(Change { path, text: write::list(&list) })
        }
    }
}

/// Terms of a list by what they are searched as.
fn known_terms(list: Option<&List>) -> HashMap<String, (usize, usize)> {
    let mut known = HashMap::new();
    for (number, entry) in list.into_iter().flat_map(|list| list.entries.iter().enumerate()) {
        for (at, term) in entry.terms.iter().enumerate() {
            known.extend(check_term(&term.text).canonical.map(|canonical| (canonical, (number, at))));
        }
    }
    known
}

fn from_lines(
    args: &ImportArgs,
    store: &Store,
    incoming: Vec<Incoming>,
    report: &mut Report,
) -> anyhow::Result<Option<Change>> {
    let id = args.list.as_deref().context("name the list that gets the terms with --list, such as en.profanity")?;
    let list = store.list(id).map(|(_, list)| list);
    let of_list = || list.and_then(|list| list.entries.first()).map(|entry| entry.category.text.clone());
    let category = args.category.clone().or_else(of_list);
    let category = category.with_context(|| format!("`{id}` has no terms yet: name their category with --category"))?;
    let known = known_terms(list);
    let mut seen: HashSet<String> = HashSet::new();
    // Terms that differ in severity or allow texts stand in groups of their own.
    let mut groups: BTreeMap<(u8, Vec<String>), Vec<String>> = BTreeMap::new();
    for one in incoming {
        let term = match one.term {
            Ok(term) => term,
            Err(why) => {
                report.refused(one.line, &one.original, &why);
                continue;
            }
        };
        let check = check_term(&term);
        if let Some((code, why)) = check.problems.first() {
            report.refused(one.line, &one.original, &format!("{code}: {why}"));
            continue;
        }
        let canonical = check.canonical.unwrap_or_else(|| term.clone());
        if known.contains_key(&canonical) {
            report.duplicate(one.line, &one.original, &format!("in {id} already"));
            continue;
        }
        if !seen.insert(canonical) {
            report.duplicate(one.line, &one.original, "earlier in the file");
            continue;
        }
        match one.changed {
            Some(how) => report.changed(one.line, &one.original, &format!("{how}; taken in as `{term}`")),
            None => report.accepted += 1,
        }
        groups.entry((one.severity.unwrap_or(args.severity), one.allow)).or_default().push(term);
    }
    let name = args.file.file_name().map(|name| name.to_string_lossy().into_owned());
    let entries: Vec<Entry> = groups
        .into_iter()
        .map(|((severity, allow), terms)| Entry {
            terms: terms.iter().map(|term| written(term)).collect(),
            name: name.as_ref().map(|name| format!("from {name}")),
            reason: args.reason.as_deref().map(written),
            canary: None,
            allow: allow.iter().map(|text| written(text)).collect(),
            ..blank_entry(&category, severity, args.status)
        })
        .collect();
    if entries.is_empty() {
        return Ok(None);
    }
    let lang = id.split('.').next().unwrap_or_default().to_owned();
    let head = List { lang: vec![lang], ..blank_list(id) };
    with_entries(store, id, head, &entries).map(Some)
}

/// One list at a time: what is new, what is said otherwise, what is there already.
fn from_table(args: &ImportArgs, store: &Store, sheet: &Sheet, report: &mut Report) -> anyhow::Result<Vec<Change>> {
    for (line, why) in &sheet.refused {
        report.refused(*line, "", why);
    }
    let mut rows_of: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let mut order: Vec<String> = Vec::new();
    for (at, (line, row)) in sheet.rows.iter().enumerate() {
        let id = sheet.cell(row, "list_id").filter(|id| !id.is_empty()).or_else(|| args.list.clone());
        let Some(id) = id else {
            report.refused(*line, "", "no `list_id`, and no list named with --list");
            continue;
        };
        if !rows_of.contains_key(&id) {
            order.push(id.clone());
        }
        rows_of.entry(id).or_default().push(at);
    }
    let mut changes = Vec::new();
    for id in order {
        let rows = rows_of.remove(&id).unwrap_or_default();
        changes.extend(list_from_rows(args, store, sheet, &id, &rows, report)?);
    }
    Ok(changes)
}

fn list_from_rows(
    args: &ImportArgs,
    store: &Store,
    sheet: &Sheet,
    id: &str,
    rows: &[usize],
    report: &mut Report,
) -> anyhow::Result<Option<Change>> {
    let list = store.list(id).map(|(_, list)| list);
    let known = known_terms(list);
    let mut head = blank_list(id);
    let mut seen: HashSet<String> = HashSet::new();
    let mut added: Vec<(String, Entry)> = Vec::new();
    // Terms that are said otherwise: they leave their entry.
    let mut moved: HashSet<(usize, usize)> = HashSet::new();
    for (line, row) in rows.iter().map(|&at| &sheet.rows[at]) {
        match sheet.head(row, head.clone()) {
            Ok(said) => head = said,
            Err(why) => report.refused(*line, id, &why),
        }
        let term = sheet.cell(row, "pattern").unwrap_or_default();
        if term.is_empty() {
            if !head.allow_empty {
                report.refused(*line, "", "no term");
            }
            continue;
        }
        let check = check_term(&term);
        if let Some((code, why)) = check.problems.iter().find(|(code, _)| *code != "T011") {
            report.refused(*line, &term, &format!("{code}: {why}"));
            continue;
        }
        let canonical = check.canonical.unwrap_or_else(|| term.clone());
        let there = known.get(&canonical).and_then(|&(entry, at)| Some((entry, at, &list?.entries[entry])));
        // What the file does not say is as it was.
        let base = match there {
            Some((_, _, entry)) => entry.clone(),
            None => {
                let entry = blank_entry(args.category.as_deref().unwrap_or_default(), args.severity, args.status);
                Entry { reason: args.reason.as_deref().map(written), ..entry }
            }
        };
        let entry = match sheet.entry(row, base) {
            Ok(entry) => entry,
            Err(why) => {
                report.refused(*line, &term, &why);
                continue;
            }
        };
        if store.folder.taxonomy.index_of(&entry.category.text).is_none() {
            report.refused(*line, &term, &format!("unknown category `{}`", entry.category.text));
            continue;
        }
        if !seen.insert(canonical) && there.is_none() {
            // Lists may hold a term twice in several entries; in one it is a slip.
            let key = sheet.cell(row, "entry").unwrap_or_default();
            if added.iter().any(|(known, one)| *known == key && one.terms == entry.terms) {
                report.duplicate(*line, &term, "earlier in the file");
                continue;
            }
        }
        match there {
            Some((_, _, old)) if same_but_terms(old, &entry) => {
                report.duplicate(*line, &term, &format!("in {id} already"));
                continue;
            }
            Some((number, at, _)) => {
                report.changed(*line, &term, "said otherwise");
                moved.insert((number, at));
            }
            None => report.accepted += 1,
        }
        added.push((sheet.cell(row, "entry").unwrap_or_default(), entry));
    }
    let entries = assemble(added);
    if list.is_some() && entries.is_empty() {
        return Ok(None);
    }
    if moved.is_empty() {
        return with_entries(store, id, head, &entries).map(Some);
    }
    rewritten(store, id, &moved, entries).map(Some)
}

/// The file of a list without the terms that moved, and with entries added. Comments between the entries are lost,
/// those at the start stay.
fn rewritten(store: &Store, id: &str, moved: &HashSet<(usize, usize)>, added: Vec<Entry>) -> anyhow::Result<Change> {
    let (number, list) = store.list(id).context("a list that is there")?;
    let mut list = list.clone();
    for (number, entry) in list.entries.iter_mut().enumerate() {
        let mut at = 0;
        entry.terms.retain(|_| {
            at += 1;
            !moved.contains(&(number, at - 1))
        });
    }
    list.entries.retain(|entry| !entry.terms.is_empty());
    list.entries.extend(added);
    let (path, text) = &store.folder.lists[number];
    let head = text.lines().take_while(|line| line.is_empty() || line.starts_with('#'));
    let head: String = head.flat_map(|line| [line, "\n"]).collect();
    Ok(Change { path: PathBuf::from(path), text: head + &write::list(&list) })
}

/// The lines of a file that are not empty and no comments.
fn lines(file: &str, term: impl Fn(&str) -> (Result<String, String>, Option<String>)) -> Vec<Incoming> {
    let lines = (1..).zip(file.trim_start_matches('\u{FEFF}').lines());
    lines
        .map(|(number, line)| (number, line.trim()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(number, line)| {
            let (term, changed) = term(line);
            Incoming { changed, ..Incoming::new(number, line, term) }
        })
        .collect()
}

/// A word in which no sign has a meaning.
fn plain(word: &str) -> (Result<String, String>, Option<String>) {
    let escaped: String =
        word.chars().flat_map(|c| if "&~*{}|#\\".contains(c) { vec!['\\', c] } else { vec![c] }).collect();
    let changed = (escaped != word).then(|| "its signs are escaped".to_owned());
    (Ok(escaped), changed)
}

/// Adblock rules and hosts files.
fn hosts(file: &str) -> Vec<Incoming> {
    let mut incoming = Vec::new();
    for (number, line) in (1..).zip(file.trim_start_matches('\u{FEFF}').lines()) {
        let line = line.trim();
        let is_comment =
            line.is_empty() || line.starts_with(['!', '[']) || (line.starts_with('#') && !line.starts_with("##"));
        if is_comment {
            continue;
        }
        let term = host(line).map(|host| format!("url:{host}"));
        incoming.push(Incoming::new(number, line, term));
    }
    incoming
}

/// The host that a rule blocks as a whole.
fn host(rule: &str) -> Result<&str, String> {
    if rule.starts_with("@@") {
        return Err("an exception: write it as an `allow` text".to_owned());
    }
    if rule.contains("##") || rule.contains("#@#") || rule.contains("#?#") {
        return Err("hides parts of pages, names no host".to_owned());
    }
    let host = match rule.strip_prefix("||") {
        Some(rest) => rest.strip_suffix('^').ok_or("only ||host^ blocks a whole host")?,
        None => {
            let rule = rule.split_once(" #").map_or(rule, |(rule, _)| rule);
            let mut parts = rule.split_whitespace();
            match (parts.next(), parts.next(), parts.next()) {
                (Some("0.0.0.0" | "127.0.0.1" | "::" | "::1"), Some(host), None) | (Some(host), None, None) => host,
                _ => return Err("neither ||host^ nor a line of a hosts file".to_owned()),
            }
        }
    };
    let is_host = host.contains('.') && host.chars().all(|c| c.is_alphanumeric() || "-._".contains(c));
    if is_host { Ok(host) } else { Err("not a host".to_owned()) }
}

fn json(file: &str) -> anyhow::Result<Value> {
    serde_json::from_str(file.trim_start_matches('\u{FEFF}')).context("the file is not JSON")
}

fn strings(value: Option<&Value>) -> Vec<String> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// dsojevic/profanity-list: `|` parts alternatives, `*` in them repeats the letter before it, `*` in an exception is
/// the word.
fn dsojevic(file: &Value) -> anyhow::Result<Vec<Incoming>> {
    let items = file.as_array().context("a list of objects with `match` is wanted")?;
    let mut incoming = Vec::new();
    for (number, item) in (1..).zip(items) {
        let Some(original) = item.get("match").and_then(Value::as_str) else {
            incoming.push(Incoming::new(number, &item.to_string(), Err("no `match`".to_owned())));
            continue;
        };
        let mut how = Vec::new();
        if original.contains('*') {
            // Repeats are folded.
            how.push("`*` for repeats left out");
        }
        let words: Vec<String> = original
            .split('|')
            .map(|word| word.trim().replace('*', ""))
            .filter_map(|word| plain(&word).0.ok().filter(|word| !word.is_empty()))
            .collect();
        let is_true = |key: &str| {
            matches!(item.get(key), Some(Value::Bool(true))) || item.get(key).and_then(Value::as_str) == Some("true")
        };
        let open = if is_true("allow_partial") || is_true("partial_match") { "*" } else { "" };
        let term = match &words[..] {
            [] => Err("no word".to_owned()),
            [word] => Ok(format!("{open}{word}{open}")),
            words => {
                how.push("alternatives in braces");
                Ok(format!("{open}{{{}}}{open}", words.join("|")))
            }
        };
        let exceptions = strings(item.get("exceptions"));
        let allow: Vec<String> =
            exceptions.iter().flat_map(|exception| words.iter().map(|word| exception.replace('*', word))).collect();
        let severity = item.get("severity").and_then(Value::as_u64).and_then(|severity| u8::try_from(severity).ok());
        incoming.push(Incoming {
            changed: (!how.is_empty()).then(|| how.join(", ")),
            severity: severity.filter(|severity| (1..=4).contains(severity)),
            allow,
            ..Incoming::new(number, original, term)
        });
    }
    Ok(incoming)
}

/// A Discord `AutoMod` rule, or its `trigger_metadata`: the stars mean what ours mean.
fn discord(file: &Value) -> anyhow::Result<Vec<Incoming>> {
    let rule = file.get("trigger_metadata").unwrap_or(file);
    let keywords = if rule.is_array() { strings(Some(rule)) } else { strings(rule.get("keyword_filter")) };
    let patterns = strings(rule.get("regex_patterns"));
    if keywords.is_empty() && patterns.is_empty() {
        bail!("a rule with `keyword_filter` or `regex_patterns` is wanted");
    }
    let allow = strings(rule.get("allow_list"));
    let allow_texts: Vec<String> =
        allow.iter().map(|text| plain(text.trim_matches('*')).0.unwrap_or_default()).collect();
    let mut incoming = Vec::new();
    for (number, keyword) in (1..).zip(&keywords) {
        let inner = keyword.trim_matches('*');
        let (start, end) =
            (if keyword.starts_with('*') { "*" } else { "" }, if keyword.ends_with('*') { "*" } else { "" });
        let (term, changed) = if inner.contains('*') {
            (Err("`*` inside a word".to_owned()), None)
        } else {
            let (term, changed) = plain(inner);
            (term.map(|term| format!("{start}{term}{end}")), changed)
        };
        incoming.push(Incoming { changed, allow: allow_texts.clone(), ..Incoming::new(number, keyword, term) });
    }
    for (number, pattern) in (1..).zip(&patterns) {
        let term = Ok(format!("re:{pattern}"));
        incoming.push(Incoming { allow: allow_texts.clone(), ..Incoming::new(number, pattern, term) });
    }
    Ok(incoming)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(incoming: &[Incoming]) -> Vec<Result<&str, &str>> {
        incoming.iter().map(|one| one.term.as_deref().map_err(String::as_str)).collect()
    }

    #[test]
    fn signs_of_plain_words_have_no_meaning() {
        let incoming = lines("zorkblat\r\n\n# comment\nAT&T\n", plain);
        assert_eq!(terms(&incoming), [Ok("zorkblat"), Ok("AT\\&T")]);
        assert_eq!(incoming.iter().map(|one| one.line).collect::<Vec<_>>(), [1, 4]);
        assert!(incoming[0].changed.is_none() && incoming[1].changed.is_some());
    }

    #[test]
    fn hosts_from_rules_and_hosts_files() {
        let file = "! Title\n[Adblock Plus]\n||zork.example^\n@@||zork.example^\n##.zork\n0.0.0.0 blat.example # why\n\
            wibble.example\n||zork.example/path\n||zork.example^$third-party\nlocalhost\n";
        let found = hosts(file);
        let good: Vec<&str> = found.iter().filter_map(|one| one.term.as_deref().ok()).collect();
        assert_eq!(good, ["url:zork.example", "url:blat.example", "url:wibble.example"]);
        assert_eq!(found.len() - good.len(), 5);
    }

    #[test]
    fn dsojevic_items() {
        let file = serde_json::json!([
            { "id": "zork", "match": "zork*|zorc", "severity": 3, "tags": ["x"], "exceptions": ["b*et"] },
            { "id": "blat", "match": "blat", "allow_partial": true },
            { "id": "none" },
        ]);
        let found = dsojevic(&file).unwrap();
        assert_eq!(terms(&found), [Ok("{zork|zorc}"), Ok("*blat*"), Err("no `match`")]);
        assert_eq!((found[0].severity, &found[0].allow), (Some(3), &vec!["bzorket".to_owned(), "bzorcet".to_owned()]));
    }

    #[test]
    fn discord_rules() {
        let file = serde_json::json!({ "name": "x", "trigger_metadata": {
            "keyword_filter": ["zork*", "*blat*", "one two", "a*b"], "regex_patterns": ["z[o0]rk"], "allow_list": ["zorkmid"] } });
        let found = discord(&file).unwrap();
        let expected = [Ok("zork*"), Ok("*blat*"), Ok("one two"), Err("`*` inside a word"), Ok("re:z[o0]rk")];
        assert_eq!(terms(&found), expected);
        assert!(found.iter().all(|one| one.allow == ["zorkmid"]));
        assert!(discord(&serde_json::json!({ "other": 1 })).is_err());
    }
}
