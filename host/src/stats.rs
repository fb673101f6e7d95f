//! What a generation did: counters that workers add to, a batch at a time. Read for metrics and by the
//! breakers.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tamis_guest::compile::BreakerLimits;
use tamis_guest::{Action, Pack};

use crate::{Judged, PackImage, ScanFailure};

/// Upper bounds of the classes of time, in microseconds: powers of two.
const CLASSES: usize = 21;

/// Counters of one generation.
#[derive(Debug)]
pub(crate) struct Stats {
    born: Instant,
    /// Ids of the categories, in the order of their counters.
    pub(crate) category_ids: Vec<String>,
    actions: [AtomicU64; Action::ALL.len()],
    categories: Vec<AtomicU64>,
    deadlines: AtomicU64,
    traps: AtomicU64,
    nanos: AtomicU64,
    times: [AtomicU64; CLASSES + 1],
}

/// The counters at one moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Counts {
    /// How long the generation has been there.
    pub age: Duration,
    /// Messages by action, in the order of [`Action::ALL`].
    pub actions: [u64; Action::ALL.len()],
    /// Messages with a match, by category of the pack. One with matches of several counts in each.
    pub categories: Vec<u64>,
    /// Messages that ran out of time.
    pub deadlines: u64,
    /// Messages on which the filter failed in another way.
    pub traps: u64,
    /// Time of all messages together.
    pub time: Duration,
    /// Messages by time, in classes whose upper bounds are 1, 2, 4 … 2^20 µs; the last has the rest. The
    /// time of a message is its share of the call it was judged in.
    pub times: Vec<u64>,
}

impl Stats {
    pub(crate) fn new(pack: &Pack<'_>) -> Stats {
        let categories = pack.categories_count();
        Stats {
            born: Instant::now(),
            category_ids: (0..categories).map(|index| pack.category(index).id.to_owned()).collect(),
            actions: Default::default(),
            categories: (0..categories).map(|_| AtomicU64::new(0)).collect(),
            deadlines: AtomicU64::new(0),
            traps: AtomicU64::new(0),
            nanos: AtomicU64::new(0),
            times: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    /// Adds what one call judged.
    pub(crate) fn add(&self, pack: &PackImage, judged: &[Judged], time: Duration) {
        // Looked at only for matches: most calls have none, and it costs more than all the counting.
        let mut of_matches = None;
        let mut actions = [0; Action::ALL.len()];
        for one in judged {
            actions[one.verdict.action as usize] += 1;
            match &one.failure {
                None => {}
                Some(ScanFailure::Deadline) => _ = self.deadlines.fetch_add(1, Ordering::Relaxed),
                Some(_) => _ = self.traps.fetch_add(1, Ordering::Relaxed),
            }
            let matches = &one.verdict.matches;
            if matches.is_empty() {
                continue;
            }
            let pack = of_matches.get_or_insert_with(|| pack.pack());
            for (at, found) in matches.iter().enumerate() {
                let category = pack.term(found.term).category;
                if matches[..at].iter().all(|earlier| pack.term(earlier.term).category != category)
                    && let Some(counter) = self.categories.get(category)
                {
                    counter.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        for (counter, count) in self.actions.iter().zip(actions).filter(|&(_, count)| count > 0) {
            counter.fetch_add(count, Ordering::Relaxed);
        }
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
        let micros = nanos / 1000 / (judged.len() as u64).max(1);
        let class = (u64::BITS - micros.leading_zeros()) as usize;
        self.times[class.min(CLASSES)].fetch_add(judged.len() as u64, Ordering::Relaxed);
    }

    pub(crate) fn counts(&self) -> Counts {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            age: self.born.elapsed(),
            actions: std::array::from_fn(|at| get(&self.actions[at])),
            categories: self.categories.iter().map(get).collect(),
            deadlines: get(&self.deadlines),
            traps: get(&self.traps),
            time: Duration::from_nanos(get(&self.nanos)),
            times: self.times.iter().map(get).collect(),
        }
    }
}

impl Counts {
    /// How many messages were judged.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.actions.iter().sum()
    }

    /// Messages without a verdict of the filter's own.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.deadlines + self.traps
    }

    /// Share of messages that were held or blocked.
    #[must_use]
    pub fn kept_back_share(&self) -> f64 {
        let kept_back = self.actions[Action::Hold as usize] + self.actions[Action::Block as usize];
        share(kept_back, self.messages())
    }

    /// The time that 99 of 100 messages stayed below, as the upper bound of its class.
    #[must_use]
    pub fn p99(&self) -> Duration {
        let all: u64 = self.times.iter().sum();
        let mut below = 0;
        for (class, count) in self.times.iter().enumerate() {
            below += count;
            if below * 100 >= all * 99 {
                return Duration::from_micros(1 << class.min(CLASSES));
            }
        }
        Duration::ZERO
    }
}

fn share(part: u64, all: u64) -> f64 {
    if all == 0 { 0.0 } else { part as f64 / all as f64 }
}

/// When a new generation is taken back by itself. `[breakers]` of a policy says otherwise where it wants to.
#[derive(Clone, Debug)]
pub struct Breakers {
    /// How long after a swap they watch. Default 15 min.
    pub watch_for: Duration,
    /// Messages before anything is concluded. Default 500; failures alone count from the twentieth on.
    pub messages_min: u64,
    /// Share of messages on which the filter fails. Default 0.01.
    pub failed_share_max: f64,
    /// By how much the share of held and blocked messages may rise, beyond twice what it was. Default 0.05.
    pub kept_back_rise_max: f64,
    /// How many times the 99th percentile of the time may be what it was. Default 8.
    pub p99_factor_max: u32,
}

impl Breakers {
    /// These, where a policy does not say otherwise.
    #[must_use]
    pub fn limited(&self, limits: &BreakerLimits) -> Breakers {
        let share = |percent: Option<f64>, usual| percent.map_or(usual, |percent| percent / 100.0);
        let minutes = limits.watch_minutes.map(|minutes| Duration::from_secs(60 * u64::from(minutes)));
        Breakers {
            watch_for: minutes.unwrap_or(self.watch_for),
            messages_min: limits.messages_min.unwrap_or(self.messages_min),
            failed_share_max: share(limits.failed_percent_max, self.failed_share_max),
            kept_back_rise_max: share(limits.kept_back_rise_max, self.kept_back_rise_max),
            p99_factor_max: limits.p99_factor_max.unwrap_or(self.p99_factor_max),
        }
    }
}

impl Default for Breakers {
    fn default() -> Breakers {
        Breakers {
            watch_for: Duration::from_secs(15 * 60),
            messages_min: 500,
            failed_share_max: 0.01,
            kept_back_rise_max: 0.05,
            p99_factor_max: 8,
        }
    }
}

/// Failures before their share means anything.
const FAILURES_MIN: u64 = 20;

/// Why a generation was taken back.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Trip {
    /// The filter fails on too many messages.
    Failures {
        /// How many.
        failed: u64,
        /// Of how many.
        messages: u64,
    },
    /// It holds and blocks far more than the one before.
    KeptBack {
        /// Share before.
        before: f64,
        /// Share now.
        now: f64,
    },
    /// It is far slower than the one before.
    Slow {
        /// 99th percentile before.
        before: Duration,
        /// And now.
        now: Duration,
    },
}

impl fmt::Display for Trip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trip::Failures { failed, messages } => write!(f, "it failed on {failed} of {messages} messages"),
            Trip::KeptBack { before, now } => {
                write!(f, "it held or blocked {:.1} % of messages, the one before {:.1} %", 100.0 * now, 100.0 * before)
            }
            Trip::Slow { before, now } => {
                write!(f, "99 of 100 messages took up to {} µs, before {} µs", now.as_micros(), before.as_micros())
            }
        }
    }
}

impl Breakers {
    /// Whether a generation does so much worse than the one before it that it must go.
    #[must_use]
    pub fn check(&self, before: &Counts, now: &Counts) -> Option<Trip> {
        let (failed, messages) = (now.failures(), now.messages());
        if failed >= FAILURES_MIN && share(failed, messages) > self.failed_share_max {
            return Some(Trip::Failures { failed, messages });
        }
        if messages < self.messages_min || before.messages() < self.messages_min {
            return None;
        }
        let (was, is) = (before.kept_back_share(), now.kept_back_share());
        if is > 2.0 * was + self.kept_back_rise_max {
            return Some(Trip::KeptBack { before: was, now: is });
        }
        let (was, is) = (before.p99(), now.p99());
        if is > was * self.p99_factor_max && is > Duration::from_micros(64) {
            return Some(Trip::Slow { before: was, now: is });
        }
        None
    }
}
