//! `tamis lists clauses`: which clause of the agreements is behind which category, which lists find it, a message
//! that they catch, and what is done. Made from lists, taxonomy and policy, so that it cannot say more than they do.

use std::collections::BTreeMap;
use std::io::Write as _;

use anyhow::bail;
use tamis_guest::compile::{ListSource, TaxonomyCategory, compile};
use tamis_guest::{Action, Message, Pack, PackBytes, Policy, Scanner, Verdict};
use tamis_host::today;

use super::args::ClausesArgs;
use super::store::{Store, errors};
use crate::{Outcome, text};

/// A message that a list catches.
struct Caught {
    message: String,
    action: Action,
}

/// What there is for a category.
#[derive(Default)]
struct Covered {
    lists: Vec<String>,
    caught: Option<Caught>,
}

pub(super) fn run(args: &ClausesArgs) -> anyhow::Result<Outcome> {
    let store = Store::read_sound(&args.folder.folder)?;
    let categories = store.folder.taxonomy.categories();
    let mut covered: BTreeMap<&str, Covered> = BTreeMap::new();
    for category in categories {
        covered.insert(&category.id, Covered::default());
    }
    for (number, _) in store.lists() {
        cover(&store, number, args.channel.as_deref(), &mut covered)?;
    }

    let mut rows: Vec<(&str, &TaxonomyCategory)> = Vec::new();
    for category in categories {
        rows.extend(category.clauses.iter().map(|clause| (&clause[..], category)));
    }
    rows.sort_by_key(|&(clause, category)| (parts(clause), category.code));
    let mut out = std::io::stdout().lock();
    writeln!(out, "| clause | category | lists | a message that is caught | action |")?;
    writeln!(out, "|---|---|---|---|---|")?;
    let mut without = 0;
    for (clause, category) in &rows {
        let Some(covered) = covered.get(&category.id[..]) else { continue };
        let name = format!("{} `{}`", category.code, category.id);
        let (message, action) = match &covered.caught {
            Some(caught) => (cell(&caught.message), caught.action.name()),
            None if category.operator_supplied => ("for the operator to supply".to_owned(), ""),
            None => {
                without += 1;
                ("**none**".to_owned(), "")
            }
        };
        let lists = if covered.lists.is_empty() { "**none**".to_owned() } else { covered.lists.join(" ") };
        writeln!(out, "| {clause} | {name} | {lists} | {message} | {action} |")?;
    }
    if without > 0 {
        text::note(&format!(
            "{without} clauses have no message that is caught: add `hits` to a list of their category"
        ));
    }
    Ok(if without > 0 { Outcome::Found } else { Outcome::Clean })
}

/// Adds a list to the categories of its terms, and to each the first of its messages that it catches.
fn cover(
    store: &Store,
    number: usize,
    channel: Option<&str>,
    covered: &mut BTreeMap<&str, Covered>,
) -> anyhow::Result<()> {
    let Some(list) = &store.lists[number] else { return Ok(()) };
    let (path, text) = &store.folder.lists[number];
    let (bytes, diagnostics) = compile(&[ListSource { path, text }], &store.folder.taxonomy, today());
    let errors = errors(&diagnostics);
    if !errors.is_empty() {
        bail!("{}", errors.join("\n\n"));
    }
    let bytes = PackBytes::from(bytes);
    let pack = Pack::decode(&bytes)?;
    let ids: Vec<&str> = (0..pack.categories_count()).map(|index| pack.category(index).id).collect();
    let policy: Policy = store.policy()?.resolve(&ids);
    let channel = channel.map(|name| policy.channel(name)).unwrap_or_default();
    let mut scanner = Scanner::new(&pack);
    let mut verdict = Verdict::default();
    // An empty list is the operator's place for the category it is named after.
    let named = list.id.text.split_once('.').map(|(_, category)| category);
    for category in list.entries.iter().map(|entry| &entry.category.text[..]).chain(named) {
        if let Some(covered) = covered.get_mut(category)
            && !covered.lists.contains(&list.id.text)
        {
            covered.lists.push(list.id.text.clone());
        }
    }
    for entry in &list.entries {
        let Some(covered) = covered.get_mut(&entry.category.text[..]) else { continue };
        for hit in &entry.hits {
            let field = entry.fields.first().copied().unwrap_or_default();
            let message = Message { text: hit.text.as_bytes(), field, channel, ..Message::default() };
            scanner.scan(&policy, &message, &mut verdict);
            let is_caught =
                verdict.matches.iter().any(|found| ids[pack.term(found.term).category] == entry.category.text);
            // The strictest answer shows best what the category leads to.
            if is_caught && covered.caught.as_ref().is_none_or(|known| known.action < verdict.action) {
                covered.caught = Some(Caught { message: hit.text.clone(), action: verdict.action });
            }
        }
    }
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
