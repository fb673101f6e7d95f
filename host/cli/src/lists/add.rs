//! `tamis lists add`: one more term, written where it belongs and looked at before it is.

use std::path::Path;

use anyhow::bail;
use tamis_guest::compile::{Diagnostic, Level, Status, Variants, compile_terms_as, distance};
use tamis_guest::{Message, Pack, PackBytes, Policy, Scanner, Verdict};

use super::args::AddArgs;
use super::store::{Store, honest_text, write_text};
use super::write::{Line, string, strings, table};
use crate::{Outcome, text};

pub(super) fn run(args: &AddArgs) -> anyhow::Result<Outcome> {
    let store = Store::read_sound(&args.folder.folder)?;
    let Some((number, _)) = store.list(&args.list) else {
        bail!("no list `{}` in {}: {}", args.list, args.folder.folder.display(), others(&store, &args.list));
    };
    let (path, before) = &store.folder.lists[number];
    let before = before.trim_end();
    let after = format!("{before}\n\n{}", block(args));
    let first_line = before.lines().count() + 2;
    let found: Vec<Diagnostic> =
        store.lint_with(Some(number), path, &after).into_iter().filter(|one| one.line >= first_line).collect();
    text::diagnostics(&found);
    // A term that is there already would only make two places to look at.
    if found.iter().any(|one| one.level == Level::Error || one.code == "T003") {
        bail!("nothing was added: change the term as said above and add it again");
    }
    write_text(Path::new(path), &after)?;
    let does = match args.status {
        Status::Shadow => {
            "it is reported and does not act yet: write status = \"enforce\" there once it has proved right"
        }
        Status::Canary => "it acts for some senders: write status = \"enforce\" there once it has proved right",
        Status::Enforce => "it acts from the next load on",
        Status::Retired => "it is kept for memory and not searched",
    };
    text::note(&format!("added at {path}:{first_line}; {does}"));
    if let Some((first, count)) = honest_hits(&args.folder.folder, &args.term)? {
        text::note(&format!(
            "beware: it is in {count} of the honest messages, such as “{first}”; add a second word with `&` before it acts"
        ));
    }
    Ok(Outcome::Clean)
}

/// The list that was meant, or those of the language.
fn others(store: &Store, wanted: &str) -> String {
    let ids = || store.lists().map(|(_, list)| &list.id.text[..]);
    let nearest = ids().map(|id| (distance(wanted, id), id)).min();
    let ends = format!(".{wanted}");
    let same_lang = wanted.split('.').next().unwrap_or_default();
    let named: Vec<&str> = ids().filter(|id| id.ends_with(&ends)).collect();
    let of_lang: Vec<&str> = ids().filter(|id| id.split('.').next() == Some(same_lang)).collect();
    match nearest {
        Some((1..=3, id)) => format!("did you mean {id}?"),
        _ if !named.is_empty() => format!("did you mean {}?", named.join(" or ")),
        _ if !of_lang.is_empty() => format!("there are {}", of_lang.join(", ")),
        _ => "a list is named as <lang>.<category>, such as en.fraud.scam; `tamis lists stats` names them".to_owned(),
    }
}

/// The first of the honest messages that a term is in, and how many there are.
fn honest_hits(root: &Path, term: &str) -> anyhow::Result<Option<(String, usize)>> {
    let (_, honest) = honest_text(root)?;
    let pack = PackBytes::from(compile_terms_as("term", term, Variants::Standard).0);
    let pack = Pack::decode(&pack)?;
    let (policy, mut scanner, mut verdict) = (Policy::blocking(&pack), Scanner::new(&pack), Verdict::default());
    let mut is_hit = |line: &&str| {
        scanner.scan(&policy, &Message::body(line), &mut verdict);
        !verdict.matches.is_empty()
    };
    let hits: Vec<&str> = honest.lines().filter(|line| !line.starts_with('#')).filter(|line| is_hit(line)).collect();
    Ok(hits.first().map(|first| ((*first).to_owned(), hits.len())))
}

fn block(args: &AddArgs) -> String {
    let mut lines: Vec<Line> = vec![("pattern", string(&args.term))];
    let mut add = |key, value: Option<String>| lines.extend(value.map(|value| (key, value)));
    let some = |texts: &[String]| (!texts.is_empty()).then(|| strings(texts.iter().map(String::as_str)));
    add("category", args.category.as_deref().map(string));
    add("severity", args.severity.map(|severity| severity.to_string()));
    // Said in any case, as the list may have another by default.
    add("status", Some(string(args.status.name())));
    add("canary", args.canary.map(|percent| percent.to_string()));
    add("expires", args.expires.map(|day| day.to_string()));
    add("reason", Some(string(&args.reason)));
    add("added_by", args.added_by.as_deref().map(string));
    add("allow", some(&args.allow));
    add("hits", some(&args.hits));
    add("misses", some(&args.misses));
    table("[[term]]", &lines)
}
