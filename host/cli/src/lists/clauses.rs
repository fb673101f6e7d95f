//! `tamis lists clauses`: which clause of the agreements is behind which category, which lists find it, a message
//! that they catch, and what is done. Made from lists, taxonomy and policy, so that it cannot say more than they do.

use std::collections::BTreeMap;
use std::io::Write as _;

use anyhow::{Context as _, bail};
use tamis_guest::compile::{Entry, List, ListSource, Status, TaxonomyCategory, compile};
use tamis_guest::{Action, Field, Message, Pack, PackBytes, Scanner, Verdict};
use tamis_host::today;
use toml_edit::{ArrayOfTables, DocumentMut, Item, Table};

use super::args::ClausesArgs;
use super::store::{Store, errors, read_text};
use super::table::{blank_entry, blank_list, written};
use super::write;
use crate::{Outcome, text};

/// A message that a list catches.
struct Caught {
    message: String,
    action: Action,
    /// What the decision log keeps of it besides: list, category and severity of the match.
    record: String,
    /// By terms of a test list, as the category ships empty.
    by_test_list: bool,
}

/// What there is for a category.
#[derive(Default)]
struct Covered {
    lists: Vec<String>,
    caught: Option<Caught>,
}

/// Categories by id.
type Categories<'s> = BTreeMap<&'s str, Covered>;

pub(super) fn run(args: &ClausesArgs) -> anyhow::Result<Outcome> {
    let store = Store::read_sound(&args.folder.folder)?;
    let categories = store.folder.taxonomy.categories();
    let mut covered: Categories<'_> =
        categories.iter().map(|category| (&category.id[..], Covered::default())).collect();
    for (_, list) in store.lists() {
        // An empty list is the operator's place for the category it is named after.
        let named = list.id.text.split_once('.').map(|(_, category)| category);
        for category in list.entries.iter().map(|entry| &entry.category.text[..]).chain(named) {
            if let Some(covered) = covered.get_mut(category)
                && !covered.lists.contains(&list.id.text)
            {
                covered.lists.push(list.id.text.clone());
            }
        }
    }
    if let Some(path) = &args.cases {
        let cases: DocumentMut = read_text(path)?.parse().with_context(|| path.display().to_string())?;
        let cases = cases.get("case").and_then(Item::as_array_of_tables);
        let cases = cases.with_context(|| format!("{}: there are no [[case]] tables", path.display()))?;
        try_cases(&store, args, cases, &mut covered)?;
    }
    let sources = store.folder.sources();
    judge(&store, args, &sources, |judge| {
        for entry in store.lists().flat_map(|(_, list)| &list.entries) {
            for hit in &entry.hits {
                judge(
                    &entry.category.text,
                    &hit.text,
                    entry.fields.first().copied().unwrap_or_default(),
                    false,
                    &mut covered,
                );
            }
        }
    })?;

    let mut rows: Vec<(&str, &TaxonomyCategory)> = Vec::new();
    for category in categories {
        rows.extend(category.clauses.iter().map(|clause| (&clause[..], category)));
    }
    rows.sort_by_key(|&(clause, category)| (parts(clause), category.code));
    let mut out = std::io::stdout().lock();
    writeln!(out, "| clause | category | lists | a message that is caught | action | kept in the decision log |")?;
    writeln!(out, "|---|---|---|---|---|---|")?;
    let mut without = 0;
    for (clause, category) in &rows {
        let Some(covered) = covered.get(&category.id[..]) else { continue };
        let name = format!("{} `{}`", category.code, category.id);
        let record = covered.caught.as_ref().map(|caught| format!("`{}`", caught.record)).unwrap_or_default();
        let (message, action) = match &covered.caught {
            Some(caught) if caught.by_test_list => (
                format!("{} (made-up words, as the operator supplies the list)", cell(&caught.message)),
                caught.action.name(),
            ),
            Some(caught) => (cell(&caught.message), caught.action.name()),
            None if category.operator_supplied => ("for the operator to supply".to_owned(), ""),
            None => {
                without += 1;
                ("**none**".to_owned(), "")
            }
        };
        let lists = if covered.lists.is_empty() { "**none**".to_owned() } else { covered.lists.join(" ") };
        writeln!(out, "| {clause} | {name} | {lists} | {message} | {action} | {record} |")?;
    }
    if without > 0 {
        text::note(&format!(
            "{without} clauses have no message that is caught: add `hits` to a list of their category"
        ));
    }
    Ok(if without > 0 { Outcome::Found } else { Outcome::Clean })
}

/// Judges the messages of a file of cases, those with terms of their own by these.
fn try_cases(
    store: &Store,
    args: &ClausesArgs,
    cases: &ArrayOfTables,
    covered: &mut Categories<'_>,
) -> anyhow::Result<()> {
    let text = |case: &Table, key: &str| case.get(key).and_then(Item::as_str).map(str::to_owned);
    let terms = |case: &Table| -> Vec<String> {
        let all = case.get("terms").and_then(Item::as_array).into_iter().flatten();
        all.filter_map(|term| term.as_str().map(str::to_owned)).collect()
    };
    let sources = store.folder.sources();
    judge(store, args, &sources, |judge| {
        for case in cases.iter().filter(|case| terms(case).is_empty()) {
            if let (Some(category), Some(message)) = (text(case, "category"), text(case, "message")) {
                judge(&category, &message, Field::Body, false, covered);
            }
        }
    })?;
    for case in cases.iter().filter(|case| !terms(case).is_empty()) {
        let (Some(category), Some(message)) = (text(case, "category"), text(case, "message")) else { continue };
        let severity = case.get("severity").and_then(Item::as_integer).and_then(|severity| u8::try_from(severity).ok());
        let entry = Entry {
            terms: terms(case).iter().map(|term| written(term)).collect(),
            ..blank_entry(&category, severity.unwrap_or(2), Status::Enforce)
        };
        let list = List {
            jurisdiction: vec!["XX".to_owned()],
            legal_basis: Some("none: a test".to_owned()),
            entries: vec![entry],
            ..blank_list("test")
        };
        let list = write::list(&list);
        let source = ListSource { path: "test list", text: &list };
        judge(store, args, &[source], |judge| judge(&category, &message, Field::Body, true, covered))?;
    }
    Ok(())
}

/// Judges a message for a category; whether by a test list.
type Judge<'j> = dyn FnMut(&str, &str, Field, bool, &mut Categories<'_>) + 'j;

/// Compiles lists and lets `work` judge messages by them. The first message of a category that is caught is kept.
fn judge(
    store: &Store,
    args: &ClausesArgs,
    sources: &[ListSource<'_>],
    work: impl FnOnce(&mut Judge<'_>),
) -> anyhow::Result<()> {
    let (bytes, diagnostics) = compile(sources, &store.folder.taxonomy, today());
    let errors = errors(&diagnostics);
    if !errors.is_empty() {
        bail!("{}", errors.join("\n\n"));
    }
    let bytes = PackBytes::from(bytes);
    let pack = Pack::decode(&bytes)?;
    let ids: Vec<&str> = (0..pack.categories_count()).map(|index| pack.category(index).id).collect();
    let policy = store.policy()?.resolve(&ids);
    let channel = args.channel.as_ref().map(|name| policy.channel(name)).unwrap_or_default();
    let mut scanner = Scanner::new(&pack);
    let mut verdict = Verdict::default();
    work(&mut |category, text, field, by_test_list, covered| {
        let Some(covered) = covered.get_mut(category).filter(|covered| covered.caught.is_none()) else { return };
        scanner.scan(&policy, &Message { text: text.as_bytes(), field, channel, ..Message::default() }, &mut verdict);
        let terms = verdict.matches.iter().map(|found| pack.term(found.term));
        let of_category = terms.filter(|term| ids[term.category] == category);
        if let Some(term) = of_category.max_by_key(|term| term.severity as u8) {
            let severity = term.severity as u8;
            let record = format!("{{\"list\":\"{}\",\"category\":\"{category}\",\"severity\":{severity}}}", term.list);
            covered.caught = Some(Caught { message: text.to_owned(), action: verdict.action, record, by_test_list });
        }
    });
    Ok(())
}

/// A clause in parts, numbers by their size: `A:5.7(9)` before `A:5.7(10)`.
fn parts(clause: &str) -> Vec<(u64, String)> {
    clause
        .split(['.', ':', '(', ')', '-'])
        .filter(|part| !part.is_empty())
        .map(|part| (part.parse().unwrap_or(0), part.to_owned()))
        .collect()
}

/// A text in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}
