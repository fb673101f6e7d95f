//! `tamis lists diff`: which terms were added, removed or changed between two folders.

use std::collections::BTreeMap;
use std::io::Write as _;

use anstyle::{AnsiColor, Style};
use tamis_guest::compile::{Entry, Written};

use super::args::DiffArgs;
use super::change;
use super::store::Store;
use crate::Outcome;

/// Terms by list and spelling.
type Terms<'s> = BTreeMap<(&'s str, &'s str), &'s Entry>;

pub(super) fn run(args: &DiffArgs) -> anyhow::Result<Outcome> {
    let (old, new) = (Store::read_sound(&args.old)?, Store::read_sound(&args.new)?);
    let (before, after) = (terms(&old), terms(&new));
    let (green, red, yellow) =
        (AnsiColor::Green.on_default(), AnsiColor::Red.on_default(), AnsiColor::Yellow.on_default());
    let mut rows: Vec<(&str, &str, Style, String)> = Vec::new();
    let (mut added, mut removed, mut changed) = (0, 0, 0);
    for (&(list, term), entry) in &after {
        match before.get(&(list, term)) {
            None => {
                added += 1;
                rows.push((list, term, green, format!("+ {list}: `{term}` ({})", about(entry))));
            }
            Some(old) => {
                let changes = changes(old, entry);
                if !changes.is_empty() {
                    changed += 1;
                    rows.push((list, term, yellow, format!("~ {list}: `{term}`: {}", changes.join(", "))));
                }
            }
        }
    }
    for (&(list, term), entry) in before.iter().filter(|(key, _)| !after.contains_key(*key)) {
        removed += 1;
        rows.push((list, term, red, format!("- {list}: `{term}` ({})", about(entry))));
    }
    rows.sort_by_key(|&(list, term, _, _)| (list, term));
    let mut out = anstream::stdout();
    for (_, _, style, row) in &rows {
        writeln!(out, "{style}{row}{style:#}")?;
    }
    for (id, was, is) in sizes(&old, &new) {
        if let Some(warning) = change::size(id, was, is) {
            writeln!(out, "{yellow}{warning}{yellow:#}")?;
        }
    }
    writeln!(out, "{added} added, {removed} removed, {changed} changed")?;
    Ok(if rows.is_empty() { Outcome::Clean } else { Outcome::Found })
}

fn terms(store: &Store) -> Terms<'_> {
    let mut terms = Terms::new();
    for (_, list) in store.lists() {
        for entry in &list.entries {
            for term in &entry.terms {
                terms.entry((&list.id.text, &term.text)).or_insert(entry);
            }
        }
    }
    terms
}

/// Lists that are in either, with the number of their terms.
fn sizes<'s>(old: &'s Store, new: &'s Store) -> Vec<(&'s str, usize, usize)> {
    let mut sizes: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (_, list) in old.lists() {
        sizes.entry(&list.id.text).or_default().0 += list.entries.iter().map(|entry| entry.terms.len()).sum::<usize>();
    }
    for (_, list) in new.lists() {
        sizes.entry(&list.id.text).or_default().1 += list.entries.iter().map(|entry| entry.terms.len()).sum::<usize>();
    }
    // A list that is new did not grow.
    sizes.into_iter().filter(|(_, (was, _))| *was > 0).map(|(id, (was, is))| (id, was, is)).collect()
}

fn about(entry: &Entry) -> String {
    let canary = entry.canary.map(|percent| format!(" {percent} %")).unwrap_or_default();
    format!("{}, severity {}, {}{canary}", entry.category.text, entry.severity, entry.status.name())
}

/// What is said otherwise of a term.
fn changes(old: &Entry, new: &Entry) -> Vec<String> {
    let mut changes = Vec::new();
    let mut change = |name: &str, was: String, is: String| {
        if was != is {
            changes.push(format!("{name} {was} → {is}"));
        }
    };
    let fields = |entry: &Entry| {
        let names: Vec<&str> = entry.fields.iter().map(|field| field.name()).collect();
        if names.is_empty() { "all".to_owned() } else { names.join("+") }
    };
    let day = |day: Option<tamis_guest::compile::Date>| day.map_or("never".to_owned(), |day| day.to_string());
    let on = |entry: &Entry| if entry.enabled { "on" } else { "off" }.to_owned();
    let percent = |entry: &Entry| entry.canary.map_or("-".to_owned(), |percent| percent.to_string());
    change("category", old.category.text.clone(), new.category.text.clone());
    change("severity", old.severity.to_string(), new.severity.to_string());
    change("status", old.status.name().to_owned(), new.status.name().to_owned());
    change("canary", percent(old), percent(new));
    change("variants", old.variants.name().to_owned(), new.variants.name().to_owned());
    let within = |entry: &Entry| entry.within.map_or("any".to_owned(), |within| within.to_string());
    change("within", within(old), within(new));
    change("fields", fields(old), fields(new));
    change("enabled", on(old), on(new));
    change("expires", day(old.expires), day(new.expires));
    change("review by", day(old.review_by), day(new.review_by));
    for (name, was, is) in
        [("allow", &old.allow, &new.allow), ("hits", &old.hits, &new.hits), ("misses", &old.misses, &new.misses)]
    {
        let new: Vec<&Written> = is.iter().filter(|one| !was.contains(one)).collect();
        let gone = was.iter().filter(|one| !is.contains(one)).count();
        if !new.is_empty() || gone > 0 {
            changes.push(format!("{name} +{} -{gone}", new.len()));
        }
    }
    let reason = |entry: &Entry| entry.reason.as_ref().map(|reason| reason.text.clone());
    if reason(old) != reason(new) {
        changes.push(format!("reason “{}”", reason(new).unwrap_or_default()));
    }
    changes
}
