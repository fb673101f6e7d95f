//! A generation on trial: it sees the live messages of some senders beside the one that judges, and shows
//! what would change, or judges those senders' messages. Senders are chosen by a stable hash, so that one
//! person meets one behaviour. Messages without a sender are chosen by their recipient, and those without either by
//! their text, so that the same message always meets the same.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use tamis_guest::{Action, Message};
use xxhash_rust::xxh3::xxh3_64;

use crate::{Delivery, Generation, Judged};

/// Into how many buckets senders fall.
pub(crate) const BUCKETS: u64 = 10_000;
const ACTIONS: usize = Action::ALL.len();

/// What a trial does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TrialMode {
    /// It watches: verdicts are compared, and nothing follows from them.
    Watch,
    /// It judges.
    Judge,
}

/// A generation on trial.
#[derive(Debug)]
pub struct Trial {
    generation: Arc<Generation>,
    mode: TrialMode,
    share: u16,
    /// By action of the one that judges, and of the one on trial.
    pairs: [[AtomicU64; ACTIONS]; ACTIONS],
    failures: AtomicU64,
    judged: AtomicU64,
}

/// Its counters at one moment, to go on from after a restart.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Seen {
    pairs: [[u64; ACTIONS]; ACTIONS],
    failures: u64,
    judged: u64,
}

impl Seen {
    /// Whether they are few enough to be added up and counted on.
    pub(crate) fn is_possible(&self) -> bool {
        self.pairs.iter().flatten().chain([&self.failures, &self.judged]).all(|&count| count < 1 << 53)
    }
}

/// What a trial has seen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TrialReport {
    /// What it does.
    pub mode: TrialMode,
    /// How many messages it judged, if that is what it does.
    pub judged: u64,
    /// How many messages both judged.
    pub compared: u64,
    /// Changed actions, with how many messages: judged so, on trial so.
    pub changed: Vec<(Action, Action, u64)>,
    /// On how many messages the one on trial failed.
    pub failures: u64,
}

impl TrialReport {
    /// How many messages would have another action.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changed.iter().map(|(_, _, count)| count).sum()
    }
}

impl fmt::Display for TrialReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.mode == TrialMode::Judge {
            return write!(f, "it judged {} messages, and failed on {}", self.judged, self.failures);
        }
        write!(f, "of {} messages {} would change", self.compared, self.changes())?;
        for (at, (live, on_trial, count)) in self.changed.iter().enumerate() {
            let before = if at == 0 { ": " } else { ", " };
            write!(f, "{before}{count} from {} to {}", live.name(), on_trial.name())?;
        }
        match self.failures {
            0 => Ok(()),
            failures => write!(f, "; it failed on {failures}"),
        }
    }
}

impl Trial {
    pub(crate) fn new(generation: Arc<Generation>, mode: TrialMode, share: u16, seen: Seen) -> Trial {
        let Seen { pairs, failures, judged } = seen;
        let pairs = pairs.map(|row| row.map(AtomicU64::new));
        Trial { generation, mode, share, pairs, failures: failures.into(), judged: judged.into() }
    }

    pub(crate) fn seen(&self) -> Seen {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let pairs = std::array::from_fn(|live| self.pairs[live].each_ref().map(get));
        Seen { pairs, failures: get(&self.failures), judged: get(&self.judged) }
    }

    /// What is on trial.
    #[must_use]
    pub fn generation(&self) -> &Arc<Generation> {
        &self.generation
    }

    /// What it does.
    #[must_use]
    pub fn mode(&self) -> TrialMode {
        self.mode
    }

    /// What it has seen so far.
    #[must_use]
    pub fn report(&self) -> TrialReport {
        let Seen { pairs, failures, judged } = self.seen();
        let mut report = TrialReport { mode: self.mode, judged, compared: 0, changed: Vec::new(), failures };
        for (live, row) in Action::ALL.into_iter().zip(pairs) {
            for (on_trial, count) in Action::ALL.into_iter().zip(row) {
                report.compared += count;
                if live != on_trial && count > 0 {
                    report.changed.push((live, on_trial, count));
                }
            }
        }
        report
    }

    /// Whether the message is part of it.
    pub(crate) fn takes(&self, message: &Message<'_>, delivery: Delivery<'_>) -> bool {
        let known = [message.sender, delivery.recipient].into_iter().find(|key| !key.is_empty());
        xxh3_64(known.unwrap_or(message.text)) % BUCKETS < u64::from(self.share)
    }

    /// Counts what it judged.
    pub(crate) fn count(&self, judged: &[Judged]) {
        let failures = judged.iter().filter(|one| one.failure.is_some()).count();
        self.judged.fetch_add(judged.len() as u64, Ordering::Relaxed);
        self.failures.fetch_add(failures as u64, Ordering::Relaxed);
    }

    /// Counts what both say of a message, and notes with the one that judges what the other would have done.
    pub(crate) fn compare(&self, live: &mut Judged, on_trial: &Judged) {
        if on_trial.failure.is_some() {
            self.failures.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let (is, would_be) = (live.verdict.action, on_trial.verdict.action);
        self.pairs[is as usize][would_be as usize].fetch_add(1, Ordering::Relaxed);
        live.would_be = (is != would_be).then_some(would_be);
    }
}
