//! `tamis lists stats`: how many terms there are of what kind.

use std::io::Write as _;

use tamis_guest::compile::{Entry, Status};
use tamis_host::today;

use super::args::StatsArgs;
use super::store::Store;
use crate::{Outcome, text};

/// One row: terms in all, by severity, by status, and those that have messages of both kinds.
#[derive(Default)]
struct Row {
    terms: usize,
    severities: [usize; 4],
    statuses: [usize; Status::NAMES.len()],
    off: usize,
    tried: usize,
}

impl Row {
    fn add(&mut self, entry: &Entry) {
        let terms = entry.terms.len();
        self.terms += terms;
        self.severities[usize::from(entry.severity) - 1] += terms;
        if !entry.enabled || entry.is_expired(today()) {
            self.off += terms;
        } else if let Some(at) = Status::NAMES.iter().position(|(_, status)| *status == entry.status) {
            self.statuses[at] += terms;
        }
        if !entry.hits.is_empty() && !entry.misses.is_empty() {
            self.tried += terms;
        }
    }

    fn write(&self, out: &mut impl std::io::Write, name: &str, width: usize) -> std::io::Result<()> {
        write!(out, "{name:<width$}{:>8}", text::count(self.terms as u64))?;
        for number in self.severities.iter().chain(&self.statuses).chain([&self.off, &self.tried]) {
            let shown = if *number == 0 { "-".to_owned() } else { text::count(*number as u64) };
            write!(out, "{shown:>8}")?;
        }
        writeln!(out)
    }
}

pub(super) fn run(args: &StatsArgs) -> anyhow::Result<Outcome> {
    let store = Store::read_sound(&args.folder.folder)?;
    let width = store.lists().map(|(_, list)| list.id.text.len()).max().unwrap_or(0).max("list".len()) + 1;
    let mut out = anstream::stdout();
    write!(out, "{:<width$}{:>8}", "list", "terms")?;
    let statuses = Status::NAMES.map(|(name, _)| name);
    for head in ["sev 1", "sev 2", "sev 3", "sev 4"].into_iter().chain(statuses).chain(["off", "tried"]) {
        write!(out, "{head:>8}")?;
    }
    writeln!(out)?;
    let mut all = Row::default();
    for (_, list) in store.lists() {
        let mut row = Row::default();
        for entry in &list.entries {
            row.add(entry);
            all.add(entry);
        }
        row.write(&mut out, &list.id.text, width)?;
    }
    all.write(&mut out, "all", width)?;
    writeln!(out, "\noff: expired or `enabled = false`.  tried: with `hits` and `misses`.")?;
    Ok(Outcome::Clean)
}
