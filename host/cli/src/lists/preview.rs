//! `tamis lists preview`: what a change of lists does to messages, before anybody is hit by it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::bail;
use tamis_guest::wire::BATCH_MESSAGES_MAX;
use tamis_guest::{Action, Match, Pack, PackBytes, Policy, Scanner, Verdict};
use tamis_host::Judged;

use super::args::PreviewArgs;
use super::change;
use super::store::{Store, errors};
use crate::input::{self, Line};
use crate::{Outcome, text};

/// Most terms that are shown.
const TERMS_MAX: usize = 20;
/// How often each batch is judged to time it; the fastest counts.
const PASSES: usize = 3;

/// A folder of lists, compiled.
struct Compiled {
    pack: PackBytes,
    store: Store,
}

impl Compiled {
    fn read(root: &Path) -> anyhow::Result<Compiled> {
        let store = Store::read_sound(root)?;
        let protected = store.policy()?.protected().clone();
        let (pack, diagnostics) = store.folder.compile(&protected);
        let errors = errors(&diagnostics);
        if !errors.is_empty() {
            bail!("repair these first (`tamis lists lint {}` shows all):\n{}", root.display(), errors.join("\n\n"));
        }
        Ok(Compiled { pack: PackBytes::from(pack), store })
    }
}

/// One of the two sides.
struct Side<'p> {
    pack: &'p Pack<'p>,
    policy: Policy,
    scanner: Scanner<'p>,
    verdicts: Vec<Verdict>,
    time: Duration,
}

impl<'p> Side<'p> {
    fn new(compiled: &Compiled, pack: &'p Pack<'p>) -> anyhow::Result<Side<'p>> {
        let categories: Vec<&str> = (0..pack.categories_count()).map(|index| pack.category(index).id).collect();
        let policy = compiled.store.policy()?.resolve(&categories);
        Ok(Side { pack, policy, scanner: Scanner::new(pack), verdicts: Vec::new(), time: Duration::ZERO })
    }

    fn judge(&mut self, lines: &[Line]) {
        self.verdicts.resize_with(lines.len(), Verdict::default);
        let mut fastest = Duration::MAX;
        for _ in 0..PASSES {
            let started = Instant::now();
            for (line, verdict) in lines.iter().zip(&mut self.verdicts) {
                self.scanner.scan(&self.policy, &line.message(&self.policy), verdict);
            }
            fastest = fastest.min(started.elapsed());
        }
        self.time += fastest;
    }
}

/// What a change does to a message.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Kind {
    NewlyStopped,
    NewlyReleased,
    Stricter,
    Milder,
}

impl Kind {
    fn of(old: Action, new: Action) -> Option<Kind> {
        match (old >= Action::Hold, new >= Action::Hold) {
            (false, true) => Some(Kind::NewlyStopped),
            (true, false) => Some(Kind::NewlyReleased),
            _ if new > old => Some(Kind::Stricter),
            _ if new < old => Some(Kind::Milder),
            _ => None,
        }
    }

    fn title(self) -> &'static str {
        match self {
            Kind::NewlyStopped => "newly held or blocked",
            Kind::NewlyReleased => "no longer held or blocked",
            Kind::Stricter => "otherwise stricter",
            Kind::Milder => "otherwise milder",
        }
    }
}

/// Messages that a term is in, by old and by new lists, and whether it acts.
#[derive(Default)]
struct Count {
    old: u64,
    new: u64,
    shadow: bool,
}

pub(super) fn run(args: &PreviewArgs) -> anyhow::Result<Outcome> {
    let inputs = input::open(&args.messages)?;
    let (old, new) = (Compiled::read(&args.old)?, Compiled::read(&args.new)?);
    let (old_pack, new_pack) = (Pack::decode(&old.pack)?, Pack::decode(&new.pack)?);
    let (mut before, mut after) = (Side::new(&old, &old_pack)?, Side::new(&new, &new_pack)?);

    let mut kinds: BTreeMap<Kind, (u64, Vec<u8>)> = BTreeMap::new();
    let mut terms: BTreeMap<(String, String), Count> = BTreeMap::new();
    let mut messages = 0u64;
    let (mut lines, mut problems) = (Vec::new(), Vec::new());
    for mut input in inputs {
        let mut more = true;
        while more {
            lines.clear();
            more = input.read(BATCH_MESSAGES_MAX, &mut lines, &mut problems)?;
            before.judge(&lines);
            after.judge(&lines);
            messages += lines.len() as u64;
            for ((line, was), is) in lines.iter().zip(&before.verdicts).zip(&after.verdicts) {
                count(&mut terms, was, before.pack, |count| &mut count.old);
                count(&mut terms, is, after.pack, |count| &mut count.new);
                let Some(kind) = Kind::of(was.action, is.action) else { continue };
                let (number, samples) = kinds.entry(kind).or_default();
                *number += 1;
                if *number <= args.samples as u64 {
                    // The side that has more to say shows its words.
                    let (verdict, pack) = if is.action > was.action { (is, after.pack) } else { (was, before.pack) };
                    writeln!(samples, "  {} → {}", was.action.name(), is.action.name())?;
                    let judged = Judged { verdict: verdict.clone(), ..Judged::default() };
                    text::verdict(samples, line, &judged, pack)?;
                }
            }
            problems.drain(..).for_each(|problem| text::note(&problem));
        }
    }

    let mut out = anstream::stdout();
    for (kind, (number, samples)) in &kinds {
        writeln!(out, "{}: {}", kind.title(), text::count(*number))?;
        out.write_all(samples)?;
        writeln!(out)?;
    }
    show_terms(&mut out, &terms)?;
    let total = |kind| kinds.get(&kind).map_or(0, |(number, _)| *number);
    writeln!(
        out,
        "{} messages: {} newly held or blocked, {} no longer, {} stricter, {} milder",
        text::count(messages),
        total(Kind::NewlyStopped),
        total(Kind::NewlyReleased),
        total(Kind::Stricter),
        total(Kind::Milder)
    )?;
    let ns = |side: &Side<'_>| side.time.as_nanos() as f64 / messages.max(1) as f64;
    writeln!(
        out,
        "{} → {} terms; {:.0} → {:.0} ns a message, outside of the sandbox",
        text::count(before.pack.terms_count() as u64),
        text::count(after.pack.terms_count() as u64),
        ns(&before),
        ns(&after)
    )?;
    let slower = change::time(before.time, after.time);
    if let Some(warning) = &slower {
        writeln!(out, "{warning}")?;
    }
    Ok(if kinds.is_empty() && slower.is_none() { Outcome::Clean } else { Outcome::Found })
}

/// Counts each term of a verdict once.
fn count(
    terms: &mut BTreeMap<(String, String), Count>,
    verdict: &Verdict,
    pack: &Pack<'_>,
    side: impl Fn(&mut Count) -> &mut u64,
) {
    let mut add = |matches: &[Match], shadow: bool| {
        let mut ids: Vec<_> = matches.iter().map(|found| found.term).collect();
        ids.sort_unstable();
        ids.dedup();
        for id in ids {
            let term = pack.term(id);
            let count = terms.entry((term.list.to_owned(), term.text.to_owned())).or_default();
            *side(count) += 1;
            count.shadow = shadow;
        }
    };
    add(&verdict.matches, false);
    add(&verdict.shadow, true);
}

/// The terms that are in more messages or fewer than before.
fn show_terms(out: &mut impl std::io::Write, terms: &BTreeMap<(String, String), Count>) -> std::io::Result<()> {
    let mut changed: Vec<_> = terms.iter().filter(|(_, count)| count.old != count.new).collect();
    if changed.is_empty() {
        return Ok(());
    }
    changed.sort_by_key(|(_, count)| std::cmp::Reverse(count.old.abs_diff(count.new)));
    writeln!(out, "{:>8}{:>8}  messages with the term", "before", "now")?;
    for ((list, term), count) in changed.iter().take(TERMS_MAX) {
        let shadow = if count.shadow { "  (shadow)" } else { "" };
        writeln!(out, "{:>8}{:>8}  `{term}` of {list}{shadow}", text::count(count.old), text::count(count.new))?;
    }
    if changed.len() > TERMS_MAX {
        writeln!(out, "{:>16}  and {} terms more", "", changed.len() - TERMS_MAX)?;
    }
    writeln!(out)
}
