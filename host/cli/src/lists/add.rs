//! `tamis lists add`: one more term, written where it belongs and looked at before it is.

use std::path::Path;

use anyhow::bail;
use tamis_guest::compile::{Diagnostic, Level, Status};

use super::args::AddArgs;
use super::store::{Store, write_text};
use super::write::{Line, string, strings, table};
use crate::{Outcome, text};

pub(super) fn run(args: &AddArgs) -> anyhow::Result<Outcome> {
    let store = Store::read_sound(&args.folder.folder)?;
    let Some((number, _)) = store.list(&args.list) else {
        let ids: Vec<&str> = store.lists().map(|(_, list)| &list.id.text[..]).collect();
        bail!("no list `{}` in {}; there are {}", args.list, args.folder.folder.display(), ids.join(", "));
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
    Ok(Outcome::Clean)
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
