//! A thread that keeps a filter at the newest bundle of a source, and watches how each new one does. Scans
//! never wait for it.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use notify::{EventKind, RecursiveMode, Watcher as _};

use crate::bundle::fetch::Stamp;
use crate::bundle::{Offer, Refusal, Source, Updater};
use crate::{Breakers, LoadError, Trip};

/// Longest pause between two tries after failures.
const PAUSE_MAX: Duration = Duration::from_secs(300);
/// How often an expired bundle is reported.
const EXPIRED_EVERY: Duration = Duration::from_secs(3600);
/// How often the end of the thread is looked for.
const DROP_POLL: Duration = Duration::from_millis(1);
/// How often the breakers look.
const BREAKERS_EVERY: Duration = Duration::from_secs(1);

/// What the follower has to tell.
#[derive(Debug)]
#[non_exhaustive]
pub enum FollowEvent {
    /// A new bundle judges.
    Swapped {
        /// Number of the generation.
        generation: u64,
        /// Sequence of the bundle.
        sequence: u64,
        /// How many terms.
        terms: usize,
        /// From noticing the change to judging by it.
        took: Duration,
        /// The mark could not be written.
        mark_failed: Option<Refusal>,
    },
    /// A bundle, or the source, cannot be used; what judged goes on.
    Refused(Refusal),
    /// The bundle that judges should have been replaced that many seconds ago.
    Expired {
        /// How long ago.
        seconds: u64,
    },
    /// An emergency file judges.
    Emergency {
        /// Number of the generation.
        generation: u64,
    },
    /// A bundle did badly and the one before it judges again.
    TakenBack {
        /// Number of the generation that judges now.
        generation: u64,
        /// What the one taken back did.
        trip: Trip,
    },
}

/// Keeps a filter at the newest bundle of a source.
pub struct Follower {
    updater: Arc<Mutex<Updater>>,
    work: Option<Work>,
    /// The thread ends once nobody can wake it any more: this, and the watcher.
    wake: Option<mpsc::Sender<()>>,
    notify: Option<notify::RecommendedWatcher>,
    thread: Option<JoinHandle<()>>,
    /// Set while the thread waits for the source.
    asking: Arc<AtomicBool>,
}

impl fmt::Debug for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follower").field("updater", &self.updater).finish_non_exhaustive()
    }
}

impl Follower {
    /// Will follow `source`, looking every `interval`, and at once when a folder says it changed. A bundle
    /// that trips `breakers`, or what the policy before it says of them, is taken back.
    #[must_use]
    pub fn new(
        updater: Updater,
        source: Source,
        interval: Duration,
        breakers: Breakers,
        on_event: impl FnMut(FollowEvent) + Send + 'static,
    ) -> Follower {
        let work = Work {
            source,
            interval,
            breakers,
            on_event: Box::new(on_event),
            seen: None,
            pause: interval,
            expired_told: None,
            emergency_seen: None,
            emergency_unread: None,
            asking: Arc::default(),
            watched: None,
        };
        let (asking, updater) = (work.asking.clone(), Arc::new(Mutex::new(updater)));
        Follower { updater, work: Some(work), wake: None, notify: None, thread: None, asking }
    }

    /// Looks once, here: takes the newest bundle if there is one, or says why not, before anything is
    /// judged. Does nothing once [`spawn`](Follower::spawn) was called.
    pub fn look(&mut self) {
        if let Some(work) = &mut self.work {
            let mut updater = self.updater.lock().unwrap_or_else(PoisonError::into_inner);
            work.look(&mut updater);
            work.watch_over(&mut updater);
        }
    }

    /// Follows on a thread of its own, until it is dropped.
    ///
    /// # Errors
    /// If there is no thread.
    pub fn spawn(mut self) -> Result<Follower, LoadError> {
        let Some(mut work) = self.work.take() else { return Ok(self) };
        let (wake, woken) = mpsc::channel();
        self.notify = watch(&work.source, wake.clone());
        self.wake = Some(wake);
        let weak = Arc::downgrade(&self.updater);
        let follow = move || {
            let mut next_look = Instant::now();
            while let Some(updater) = weak.upgrade() {
                let mut held = updater.lock().unwrap_or_else(PoisonError::into_inner);
                if Instant::now() >= next_look {
                    work.look(&mut held);
                    next_look = Instant::now() + work.pause;
                }
                work.watch_over(&mut held);
                drop(held);
                drop(updater);
                let wait = next_look.saturating_duration_since(Instant::now()).min(BREAKERS_EVERY);
                match woken.recv_timeout(wait) {
                    Ok(()) => next_look = Instant::now(),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            }
        };
        let thread = thread::Builder::new().name("tamis-follow".to_owned()).spawn(follow);
        self.thread = Some(thread.map_err(|error| LoadError::Sandbox(format!("no thread: {error}")))?);
        Ok(self)
    }

    /// The updater, between two looks.
    pub fn updater(&self) -> MutexGuard<'_, Updater> {
        self.updater.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Follower {
    /// Waits for the thread: what it is taking is taken and told first. A server that does not answer is not waited
    /// for; the thread then ends by itself.
    fn drop(&mut self) {
        self.wake = None;
        self.notify = None;
        let Some(thread) = self.thread.take() else { return };
        while !thread.is_finished() {
            if self.asking.load(Ordering::SeqCst) {
                return;
            }
            thread::sleep(DROP_POLL);
        }
        // Callbacks that panic do not end it.
        let _ = thread.join();
    }
}

/// Wakes when the folder changes. Without it, changes are noticed at the next look.
fn watch(source: &Source, wake: mpsc::Sender<()>) -> Option<notify::RecommendedWatcher> {
    #[cfg_attr(not(feature = "http"), expect(irrefutable_let_patterns, reason = "there is one kind of source"))]
    let Source::Folder(folder) = source else { return None };
    // Bundles are renamed into place, so the first event is as good as the last.
    let on_change = move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| !matches!(event.kind, EventKind::Access(_))) {
            let _ = wake.send(());
        }
    };
    let mut notify = notify::recommended_watcher(on_change).ok()?;
    notify.watch(folder, RecursiveMode::NonRecursive).ok()?;
    Some(notify)
}

struct Work {
    source: Source,
    interval: Duration,
    breakers: Breakers,
    on_event: Box<dyn FnMut(FollowEvent) + Send>,
    /// What the source had when it was last taken, or refused for good.
    seen: Option<Stamp>,
    pause: Duration,
    expired_told: Option<Instant>,
    emergency_seen: Option<Vec<u8>>,
    /// Why it could not be read the last time.
    emergency_unread: Option<String>,
    /// Set while the source is asked.
    asking: Arc<AtomicBool>,
    /// What the breakers watch.
    watched: Option<Watched>,
}

/// A new generation on trial.
struct Watched {
    generation: u64,
    /// How the one before it did.
    before: crate::Counts,
    until: Instant,
    breakers: Breakers,
}

impl Work {
    fn look(&mut self, updater: &mut Updater) {
        let start = Instant::now();
        match self.try_newest(updater) {
            Ok(None) => self.pause = self.interval,
            Ok(Some(event)) => {
                self.pause = self.interval;
                let (generation, sequence, terms, mark_failed) = event;
                tracing::info!(generation, sequence, terms, "a bundle judges from here on");
                let took = start.elapsed();
                self.tell(FollowEvent::Swapped { generation, sequence, terms, took, mark_failed });
            }
            Err(refusal) => {
                // From the interval up, doubled each time, and not all hosts at once.
                self.pause = (self.pause * 2).min(PAUSE_MAX.max(self.interval)).mul_f64(jitter());
                tracing::warn!(code = refusal.code(), "a bundle was refused: {refusal}");
                self.tell(FollowEvent::Refused(refusal));
            }
        }
        self.look_for_emergency(updater);
        if let Some(seconds) = updater.expired_s(SystemTime::now())
            && self.expired_told.is_none_or(|told| told.elapsed() >= EXPIRED_EVERY)
        {
            self.expired_told = Some(Instant::now());
            tracing::warn!(seconds, "the bundle that judges has expired; it filters on");
            self.tell(FollowEvent::Expired { seconds });
        }
    }

    /// Asks the source, which may take as long as a server likes.
    fn ask<T>(&self, ask: impl FnOnce(&Source) -> T) -> T {
        self.asking.store(self.source.is_remote(), Ordering::SeqCst);
        let answer = ask(&self.source);
        self.asking.store(false, Ordering::SeqCst);
        answer
    }

    /// A callback that panics ends neither this thread nor the updates.
    fn tell(&mut self, event: FollowEvent) {
        let tell = AssertUnwindSafe(|| (self.on_event)(event));
        if std::panic::catch_unwind(tell).is_err() {
            tracing::error!("the callback for events panicked");
        }
    }

    fn look_for_emergency(&mut self, updater: &mut Updater) {
        let now = SystemTime::now();
        if let Err(refusal) = updater.end_emergency(now) {
            self.tell(FollowEvent::Refused(refusal));
        }
        let bytes = match self.ask(|source| source.emergency(updater.name())) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return,
            Err(refusal) => {
                // Told once for as long as it stays so.
                let why = refusal.to_string();
                if self.emergency_unread.as_ref() != Some(&why) {
                    self.emergency_unread = Some(why);
                    tracing::warn!(code = refusal.code(), "an emergency file cannot be read: {refusal}");
                    self.tell(FollowEvent::Refused(refusal));
                }
                return;
            }
        };
        self.emergency_unread = None;
        if self.emergency_seen.as_ref() == Some(&bytes) || updater.active().is_none() {
            return;
        }
        let offered = updater.offer_emergency(&bytes, now);
        self.emergency_seen = Some(bytes);
        match offered {
            Ok(generation) => {
                tracing::warn!(generation, "an emergency file judges from here on");
                self.tell(FollowEvent::Emergency { generation });
            }
            // The one that was taken before the last restart.
            Err(Refusal::Rollback { found, mark }) if found == mark => {}
            Err(refusal) => {
                tracing::warn!(code = refusal.code(), "an emergency file was refused: {refusal}");
                self.tell(FollowEvent::Refused(refusal));
            }
        }
    }

    /// Offers the newest bundle if it is not the last one seen.
    #[expect(clippy::type_complexity, reason = "the fields of one event, before the time is known")]
    fn try_newest(&mut self, updater: &mut Updater) -> Result<Option<(u64, u64, usize, Option<Refusal>)>, Refusal> {
        let name = updater.name().to_owned();
        let stamp = self.ask(|source| source.stamp(&name, self.seen.as_ref()))?;
        if stamp.is_none() || stamp == self.seen {
            return Ok(None);
        }
        let before = updater.filter().generation();
        let breakers = self.breakers.limited(&updater.breaker_limits());
        let changes = updater.active().and_then(|active| self.ask(|source| source.changes(&name, active.digest())));
        let offered = match changes.map(|changes| updater.offer(&changes)) {
            Some(Ok(offer @ Offer::Swapped { .. })) => Ok(offer),
            // Changes to something else, or old ones: the whole decides.
            _ => self.ask(|source| source.whole(&name)).and_then(|whole| updater.offer(&whole)),
        };
        match offered {
            Ok(Offer::Swapped { generation, report, mark_failed }) => {
                self.seen = stamp;
                let until = Instant::now() + breakers.watch_for;
                self.watched = Some(Watched { generation, before: before.counts(), until, breakers });
                let sequence = updater.active().map_or(0, |active| active.manifest().sequence);
                Ok(Some((generation, sequence, report.terms, mark_failed)))
            }
            Ok(Offer::Same) => {
                self.seen = stamp;
                Ok(None)
            }
            Err(refusal) => {
                // What may be better the next time is tried again; the rest when the source changes.
                if !matches!(
                    refusal,
                    Refusal::Fetch { .. } | Refusal::Store { .. } | Refusal::Worker(_) | Refusal::Clock { .. }
                ) {
                    self.seen = stamp;
                }
                Err(refusal)
            }
        }
    }

    fn watch_over(&mut self, updater: &mut Updater) {
        let Some(watched) = &self.watched else { return };
        let running = updater.filter().generation();
        if running.number() != watched.generation || Instant::now() > watched.until {
            self.watched = None;
            return;
        }
        let Some(trip) = watched.breakers.check(&watched.before, &running.counts()) else { return };
        self.watched = None;
        tracing::error!("a bundle is taken back: {trip}");
        match updater.take_back(&trip.to_string()) {
            Ok(generation) => self.tell(FollowEvent::TakenBack { generation, trip }),
            Err(refusal) => self.tell(FollowEvent::Refused(refusal)),
        }
    }
}

/// Between 0.75 and 1.25.
fn jitter() -> f64 {
    let nanos = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
    0.75 + f64::from(nanos % 1_000_000) / 2_000_000.0
}
