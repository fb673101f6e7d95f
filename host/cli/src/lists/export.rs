//! `tamis lists export`: all terms as a table for spreadsheets.

use std::io::Write as _;

use anyhow::{Context as _, bail};

use super::args::ExportArgs;
use super::store::Store;
use super::table::to_csv;
use crate::{Outcome, text};

pub(super) fn run(args: &ExportArgs) -> anyhow::Result<Outcome> {
    let store = Store::read_sound(&args.folder.folder)?;
    for id in &args.list {
        if store.list(id).is_none() {
            bail!("no list `{id}` in {}", args.folder.folder.display());
        }
    }
    let wanted = |id: &String| args.list.is_empty() || args.list.contains(id);
    let lists: Vec<_> = store.lists().map(|(_, list)| list).filter(|list| wanted(&list.id.text)).collect();
    let bytes = to_csv(lists.iter().copied())?;
    match &args.output {
        None => std::io::stdout().write_all(&bytes)?,
        Some(path) => {
            std::fs::write(path, &bytes).with_context(|| format!("cannot write {}", path.display()))?;
            let terms: usize = lists.iter().flat_map(|list| &list.entries).map(|entry| entry.terms.len()).sum();
            text::note(&format!("{}: {} terms of {} lists", path.display(), text::count(terms as u64), lists.len()));
        }
    }
    Ok(Outcome::Clean)
}
