//! A generation on trial: it sees the live messages of some senders beside the one that judges, and shows
//! what would change, or judges those senders' messages. Senders are chosen by a stable hash, so that one
//! person meets one behaviour.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tamis_guest::{Action, Message};
use xxhash_rust::xxh3::xxh3_64;

use crate::{Generation, Judged};

/// Into how many buckets senders fall.
const BUCKETS: u64 = 10_000;
const ACTIONS: usize = Action::ALL.len();

/// What a trial does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TrialMode {
    /// It watches: verdicts are compared, and nothing follows from them. Messages without a sender are
    /// chosen by their text.
    Watch,
    /// It judges. Messages without a sender are not part of it.
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
}

/// What a trial that watches has seen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TrialReport {
    /// How many messages both judged.
    pub compared: u64,
    /// Changed actions, with how many messages: judged so, on trial so.
    pub changed: Vec<(Action, Action, u64)>,
    /// On how many messages the one on trial failed.
    pub failures: u64,
}

impl Trial {
    pub(crate) fn new(generation: Arc<Generation>, mode: TrialMode, share: u16) -> Trial {
        Trial { generation, mode, share, pairs: Default::default(), failures: AtomicU64::new(0) }
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
        let mut report =
            TrialReport { compared: 0, changed: Vec::new(), failures: self.failures.load(Ordering::Relaxed) };
        for (live, row) in Action::ALL.into_iter().zip(&self.pairs) {
            for (on_trial, count) in Action::ALL.into_iter().zip(row) {
                let count = count.load(Ordering::Relaxed);
                report.compared += count;
                if live != on_trial && count > 0 {
                    report.changed.push((live, on_trial, count));
                }
            }
        }
        report
    }

    /// Whether the message is part of it.
    pub(crate) fn takes(&self, message: &Message<'_>) -> bool {
        let key = match (message.sender, self.mode) {
            ([], TrialMode::Judge) => return false,
            ([], TrialMode::Watch) => message.text,
            (sender, _) => sender,
        };
        xxh3_64(key) % BUCKETS < u64::from(self.share)
    }

    pub(crate) fn compare(&self, live: &Judged, on_trial: &Judged) {
        if on_trial.failure.is_some() {
            self.failures.fetch_add(1, Ordering::Relaxed);
        } else {
            self.pairs[live.verdict.action as usize][on_trial.verdict.action as usize].fetch_add(1, Ordering::Relaxed);
        }
    }
}
