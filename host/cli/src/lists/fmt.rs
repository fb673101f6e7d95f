//! `tamis lists fmt`: one form for all lists, so that a diff shows what was changed and nothing else.

use std::path::Path;

use anyhow::{Context as _, bail};
use tamis_guest::compile::{ListSource, Taxonomy, read_list};
use toml_edit::{Decor, DocumentMut, Item, RawString, Table, Value};

use super::args::FmtArgs;
use super::store::{Store, write_text};
use super::write::{KEYS, terms};
use crate::{Outcome, text};

pub(super) fn run(args: &FmtArgs) -> anyhow::Result<Outcome> {
    let store = Store::read_sound(&args.folder.folder)?;
    let mut changed = 0;
    for (path, text) in &store.folder.lists {
        let formatted = formatted(path, text, &store.folder.taxonomy)?;
        if formatted == *text {
            continue;
        }
        changed += 1;
        if args.check {
            text::note(&format!("{path} would be changed"));
        } else {
            write_text(Path::new(path), &formatted)?;
            text::note(path);
        }
    }
    let verb = if args.check { "would be changed" } else { "changed" };
    text::note(&format!("{} lists, {changed} {verb}", store.folder.lists.len()));
    Ok(if args.check && changed > 0 { Outcome::Found } else { Outcome::Clean })
}

/// The list in its one form. It says the same as before, or this is an error.
pub(super) fn formatted(path: &str, text: &str, taxonomy: &Taxonomy) -> anyhow::Result<String> {
    let formatted = canonical(text).with_context(|| path.to_owned())?;
    let read = |text: &str| read_list(&ListSource { path, text }, taxonomy).0;
    if read(text) != read(&formatted) {
        bail!("{path}: the list would say something else in canonical form; it was left as it is");
    }
    Ok(formatted)
}

fn canonical(text: &str) -> anyhow::Result<String> {
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text).replace("\r\n", "\n");
    let mut document: DocumentMut = text.parse()?;
    table(document.as_table_mut());
    let is_first = |key: &str| KEYS.first() == Some(&key);
    for (key, item) in document.as_table_mut().iter_mut() {
        match item {
            Item::Table(one) => {
                head(one);
                table(one);
            }
            Item::ArrayOfTables(all) => {
                for one in all.iter_mut() {
                    head(one);
                    table(one);
                }
            }
            Item::None | Item::Value(_) => debug_assert!(is_first(&key) || item.is_value()),
        }
    }
    let trailing = comments(document.trailing());
    document.set_trailing(if trailing.is_empty() {
        trailing
    } else {
        format!("\n{}", trailing.trim_end_matches('\n').to_owned() + "\n")
    });
    let mut text = document.to_string();
    text.truncate(text.trim_end().len());
    text.push('\n');
    Ok(text)
}

/// A blank line before the head of a table, and its comments.
fn head(table: &mut Table) {
    let decor = table.decor_mut();
    let before = decor.prefix().map(comments).unwrap_or_default();
    *decor = Decor::new(format!("\n{before}"), behind(decor.suffix()));
}

/// Keys in order, signs under each other.
fn table(table: &mut Table) {
    let place = |key: &str| KEYS.iter().position(|known| *known == key).unwrap_or(KEYS.len());
    table.sort_values_by(|a, _, b, _| place(a.get()).cmp(&place(b.get())));
    let width = table.iter().filter(|(_, item)| item.is_value()).map(|(key, _)| key.len()).max().unwrap_or(0);
    for (mut key, item) in table.iter_mut() {
        let Item::Value(value) = item else { continue };
        if key.get() == "terms" {
            lines(value);
        }
        let padding = " ".repeat(width - key.get().len().min(width) + 1);
        let decor = key.leaf_decor_mut();
        let before = decor.prefix().map(comments).unwrap_or_default();
        *decor = Decor::new(before, padding);
        let decor = value.decor_mut();
        *decor = Decor::new(" ", behind(decor.suffix()));
    }
}

/// Terms one a line, without spaces at the ends, two before a comment.
fn lines(value: &mut Value) {
    let Some(text) = value.as_str() else { return };
    let mut all: Vec<String> = Vec::new();
    for line in text.lines() {
        let line = match line.split_once("  #") {
            Some((term, comment)) if !term.trim().is_empty() => format!("{}  #{}", term.trim(), comment.trim_end()),
            _ => line.trim().to_owned(),
        };
        // Of several blank lines one is kept.
        if !line.is_empty() || all.last().is_some_and(|last| !last.is_empty()) {
            all.push(line);
        }
    }
    while all.last().is_some_and(String::is_empty) {
        all.pop();
    }
    let written = terms(all.iter().map(String::as_str));
    if let Ok(document) = format!("terms = {written}").parse::<DocumentMut>()
        && let Some(new) = document.get("terms").and_then(Item::as_value)
    {
        let decor = value.decor().clone();
        *value = new.clone();
        *value.decor_mut() = decor;
    }
}

/// Whole lines of comments: no blank line before them, at most one between them.
fn comments(before: &RawString) -> String {
    let mut text = String::new();
    for line in before.as_str().unwrap_or_default().lines().map(str::trim) {
        if !line.is_empty() {
            text += line;
            text.push('\n');
        } else if !text.is_empty() && !text.ends_with("\n\n") {
            text.push('\n');
        }
    }
    text
}

/// The comment at the end of a line.
fn behind(after: Option<&RawString>) -> String {
    let comment = after.and_then(RawString::as_str).unwrap_or_default().trim();
    if comment.is_empty() { String::new() } else { format!("  {comment}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fmt(text: &str) -> String {
        formatted("list.toml", text, &Taxonomy::custom()).unwrap()
    }

    #[test]
    fn comments_stay_and_twice_is_as_once() {
        let messy = "\u{FEFF}# top\r\n\r\n\r\nformat=1 # one\r\n[list]   # head\r\nlang=[\"en\"]\r\n# of the id\r\nid='en.custom'\r\n\
            # before the group\r\n[[group]]\r\nterms='''\r\n\r\nzork   \r\n# own line\r\n\r\n\r\nblat     # why\r\n'''\r\nallow=[ \"a\",\r\n  # inner\r\n \"b\" ]\r\n\
            category=\"custom\"\r\n# the end\r\n";
        let expected = "# top\n\nformat = 1  # one\n\n[list]  # head\n# of the id\nid   = 'en.custom'\nlang = [\"en\"]\n\n\
            # before the group\n[[group]]\ncategory = \"custom\"\nterms    = '''\nzork\n# own line\n\nblat  # why\n'''\n\
            allow    = [ \"a\",\n  # inner\n \"b\" ]\n\n# the end\n";
        assert_eq!(fmt(messy), expected);
        assert_eq!(fmt(expected), expected);
    }

    #[test]
    fn shipped_lists_twice_are_as_once() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../wordlists");
        let store = Store::read(Path::new(root)).unwrap();
        assert!(!store.folder.lists.is_empty());
        for (path, text) in &store.folder.lists {
            let once = formatted(path, text, &store.folder.taxonomy).unwrap();
            assert_eq!(formatted(path, &once, &store.folder.taxonomy).unwrap(), once, "{path}");
        }
    }
}
