//! Tries the terms of lists on the messages beside them: each term hits what it must, none hits what it
//! must not. Whether a term is in use does not matter, so that one in the shadow or out of date is still
//! known to work.

use std::format;
use std::vec::Vec;

use super::diagnostic::{Diagnostic, Finding};
use super::list::{Entry, List, Living, Place};
use super::schema::{Findings, shortened};
use super::{ListSource, Taxonomy, build, finish};
use crate::{Field, Message, Pack, PackBytes, Policy, Scanner, Verdict};

/// What came of the messages beside the terms.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Examples {
    /// Terms there are.
    pub terms: usize,
    /// Terms with at least one message of each kind.
    pub terms_with_both: usize,
    /// Messages that must be hit.
    pub hits: usize,
    /// Messages that must not.
    pub misses: usize,
    /// `T031` for each that came out otherwise.
    pub failures: Vec<Diagnostic>,
}

/// Tries the terms of lists on their `hits` and `misses`. Terms with errors are left out; `compile` reports
/// them.
///
/// Costs a scan for each message.
#[must_use]
pub fn test(sources: &[ListSource<'_>], taxonomy: &Taxonomy) -> Examples {
    let mut examples = Examples::default();
    for source in sources {
        let mut findings = Findings::new(source.path, source.text);
        Trial::with(source, taxonomy, |list, trial| examples.try_list(list, trial, &mut findings));
        examples.failures.extend(findings.finish());
    }
    examples
}

impl Examples {
    fn try_list(&mut self, list: &List, trial: &mut Trial<'_>, findings: &mut Findings<'_>) {
        for (number, entry) in list.entries.iter().enumerate() {
            self.terms += entry.terms.len();
            if !entry.hits.is_empty() && !entry.misses.is_empty() {
                self.terms_with_both += entry.terms.len();
            }
            self.hits += entry.hits.len();
            self.misses += entry.misses.len();
            try_entry(number, entry, trial, findings);
        }
    }
}

/// Reports as `T031` what the terms of an entry hit and must not, or do not and must.
pub(super) fn try_entry(number: usize, entry: &Entry, trial: &mut Trial<'_>, findings: &mut Findings<'_>) {
    // A sender cannot be told in a text.
    if entry.terms.iter().any(|term| term.text.starts_with("from:")) {
        return;
    }
    let mut was_hit: Vec<bool> = entry.terms.iter().map(|_| entry.hits.is_empty()).collect();
    for text in &entry.hits {
        let terms = trial.terms_in(&text.text, entry, number);
        terms.iter().for_each(|&term| was_hit[term] = true);
        if terms.is_empty() {
            let message = match &entry.terms[..] {
                [term] => format!("`{}` does not hit this", shortened(&term.text)),
                _ => "no term of the group hits this".into(),
            };
            let help = match holds_allowed(&text.text, entry) {
                true => "an `allow` text is in it: change the allow text, or the message",
                false => "change the term, or move the message to `misses`",
            };
            findings.add(Finding::error("T031", message, help), text.at);
        }
    }
    // Of a group: one line that fails is one finding, beside those of the messages.
    for (term, _) in entry.terms.iter().zip(was_hit).filter(|(_, was_hit)| entry.is_group && !was_hit) {
        let message = format!("no text of `hits` has `{}`", shortened(&term.text));
        findings.add(Finding::error("T031", message, "add a message that it hits"), term.at);
    }
    for text in &entry.misses {
        for term in trial.terms_in(&text.text, entry, number) {
            let message = format!("`{}` hits this", shortened(&entry.terms[term].text));
            let help = "make the term narrower, with `&` or an `allow` text, or move the message to `hits`";
            findings.add(Finding::error("T031", message, help), text.at);
        }
    }
}

fn holds_allowed(text: &str, entry: &Entry) -> bool {
    let text = text.to_lowercase();
    entry.allow.iter().any(|allow| text.contains(&allow.text.to_lowercase()))
}

/// One list with all of its terms, ready to be tried.
pub(super) struct Trial<'p> {
    scanner: Scanner<'p>,
    policy: Policy,
    verdict: Verdict,
    places: &'p [Place],
}

impl Trial<'_> {
    /// Compiles the list and runs `work` on it; does nothing if there is no list.
    pub(super) fn with(source: &ListSource<'_>, taxonomy: &Taxonomy, work: impl FnOnce(&List, &mut Trial<'_>)) {
        let (built, _) = build(&[*source], taxonomy, Living::All);
        let (bytes, _) = finish(built.builder, "", Vec::new());
        let bytes = PackBytes::from(bytes);
        let (Ok(pack), Some(Some(list))) = (Pack::decode(&bytes), built.lists.first()) else { return };
        let mut trial = Trial {
            scanner: Scanner::new(&pack),
            policy: Policy::blocking(&pack),
            verdict: Verdict::default(),
            places: &built.places,
        };
        work(list, &mut trial);
    }

    /// The terms of the entry that are in a text, by their number in it, once each.
    pub(super) fn terms_in(&mut self, text: &str, entry: &Entry, number: usize) -> Vec<usize> {
        let field = entry.fields.first().copied().unwrap_or(Field::Body);
        let message = Message { text: text.as_bytes(), field, ..Message::default() };
        self.scanner.scan(&self.policy, &message, &mut self.verdict);
        let found = self.verdict.matches.iter().chain(&self.verdict.shadow);
        let places = found.filter_map(|found| self.places.get(found.term.0 as usize));
        let mut terms: Vec<usize> = places.filter(|place| place.entry == number).map(|place| place.term).collect();
        terms.sort_unstable();
        terms.dedup();
        terms
    }
}
