//! Honest messages that no term may act on: everyday texts in a file beside the lists. Not for the messages beside a
//! term, which are for it alone; these are for every term there will ever be.

use std::borrow::ToOwned as _;
use std::collections::BTreeMap;
use std::format;
use std::vec::Vec;

use super::diagnostic::{Diagnostic, Finding, Level};
use super::list::Living;
use super::schema::{Findings, shortened};
use super::{Date, ListSource, Taxonomy, build, domains, finish};
use crate::{Message, Pack, PackBytes, Policy, Scanner, Verdict};

/// From this severity on a term that hits an honest message is an error.
const ERROR_SEVERITY: u8 = 3;

/// Tries all terms that act on messages of ordinary life: `T013` for each term that hits one, at the term. `honest`
/// has a message a line; empty lines and those that begin with `#` are skipped.
///
/// Costs a scan for each message.
#[must_use]
pub fn check_honest(
    sources: &[ListSource<'_>],
    taxonomy: &Taxonomy,
    today: Date,
    honest: &ListSource<'_>,
) -> Vec<Diagnostic> {
    // Hosts are not in messages that are alike everywhere, and have no places.
    let sources: Vec<ListSource<'_>> = sources.iter().copied().filter(|source| !domains::is_list(source)).collect();
    let (built, _) = build(&sources, taxonomy, Living::On(today));
    let (bytes, _) = finish(built.builder, "", Vec::new());
    let bytes = PackBytes::from(bytes);
    let Ok(pack) = Pack::decode(&bytes) else { return Vec::new() };
    let (policy, mut scanner, mut verdict) = (Policy::blocking(&pack), Scanner::new(&pack), Verdict::default());

    // For each term the line of the first message, the message, and how many there are.
    let mut hit: BTreeMap<usize, (usize, &str, usize)> = BTreeMap::new();
    for (number, line) in (1..).zip(honest.text.lines()) {
        let text = line.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        scanner.scan(&policy, &Message::body(text), &mut verdict);
        let mut terms: Vec<usize> = verdict.matches.iter().map(|found| found.term.0 as usize).collect();
        terms.sort_unstable();
        terms.dedup();
        for term in terms {
            hit.entry(term).or_insert((number, text, 0)).2 += 1;
        }
    }
    let mut all: Vec<Findings<'_>> = sources.iter().map(|source| Findings::new(source.path, source.text)).collect();
    for (term, (line, text, count)) in hit {
        let Some(place) = built.places.get(term) else { continue };
        let Some(list) = &built.lists[place.list] else { continue };
        let entry = &list.entries[place.entry];
        let written = &entry.terms[place.term];
        let more = if count > 1 { format!(" and {} more", count - 1) } else { "".to_owned() };
        let message =
            format!("this hits an honest message (line {line} of {}{more}): “{}”", honest.path, shortened(text));
        let help = "make the term narrower with `&`, `within` or an `allow` text";
        let level = if entry.severity >= ERROR_SEVERITY { Level::Error } else { Level::Warning };
        if level == Level::Error || !entry.accepts("T013") {
            all[place.list].add(Finding { level, ..Finding::error("T013", message, help) }, written.at);
        }
    }
    all.into_iter().flat_map(Findings::finish).collect()
}
