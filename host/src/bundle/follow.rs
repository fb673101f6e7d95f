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
use crate::bundle::{Offer, Refusal, Source, Tried, TrustTaken, Trying, Updater};
use crate::{Breakers, Generation, LoadError, TrialReport, Trip};

/// Longest pause between two tries after failures.
const PAUSE_MAX: Duration = Duration::from_secs(300);
/// How often an expired bundle is reported.
const EXPIRED_EVERY: Duration = Duration::from_secs(3600);
/// How often the end of the thread is looked for.
const DROP_POLL: Duration = Duration::from_millis(1);
/// How often the breakers look.
const BREAKERS_EVERY: Duration = Duration::from_secs(1);
/// Most changes that are taken one after the other; the whole bundle is there for those who missed more.
const CHANGES_MAX: usize = 20;

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
    /// Another trust file holds.
    Trusted(TrustTaken),
    /// There is a bundle that other hosts take first.
    Later {
        /// Its sequence.
        sequence: u64,
        /// In how many seconds it is for this host.
        seconds: u64,
    },
    /// A bundle is on trial, or goes on to the next step of it.
    Trying(Trying),
    /// A step of a trial is over.
    Tried {
        /// Sequence of the bundle.
        sequence: u64,
        /// What would have changed.
        report: TrialReport,
    },
    /// A bundle did badly on trial; it never judged everybody's messages and is not tried again.
    TrialFailed {
        /// Its sequence.
        sequence: u64,
        /// What it did.
        trip: Trip,
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
        let mut work = Work {
            source,
            interval,
            breakers,
            on_event: Box::new(on_event),
            seen: None,
            later: None,
            pause: interval,
            expired_told: None,
            emergency_seen: None,
            emergency_unread: None,
            trust_refused: None,
            is_out_of_reach: false,
            asking: Arc::default(),
            watched: None,
        };
        // One that was begun before the last restart.
        if let Some(trying) = updater.trying() {
            work.trying(trying);
        }
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
                if work.look_at_trust_file(&mut held) || Instant::now() >= next_look {
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
    /// When what it had is for this host.
    later: Option<Instant>,
    pause: Duration,
    expired_told: Option<Instant>,
    emergency_seen: Option<Vec<u8>>,
    /// Why it could not be read the last time.
    emergency_unread: Option<String>,
    /// Why the next trust file was not taken the last time.
    trust_refused: Option<String>,
    /// Whether the source could not be asked the last time.
    is_out_of_reach: bool,
    /// Set while the source is asked.
    asking: Arc<AtomicBool>,
    /// What the breakers watch.
    watched: Option<Watched>,
}

/// A new bundle, which is watched.
struct Watched {
    /// Its digest. An emergency on top of it makes another generation, and it is watched on.
    bundle: Option<String>,
    /// How the one before it did.
    before: crate::Counts,
    until: Instant,
    breakers: Breakers,
}

impl Work {
    fn look(&mut self, updater: &mut Updater) {
        self.look_for_trust(updater);
        match self.try_newest(updater) {
            Ok(()) => (self.pause, self.is_out_of_reach) = (self.interval, false),
            Err(refusal) => {
                self.is_out_of_reach = self.source.is_remote() && matches!(refusal, Refusal::Fetch { .. });
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

    /// Takes the trust files that follow, one after the other: with their keys the rest is looked at.
    fn look_for_trust(&mut self, updater: &mut Updater) {
        self.look_at_trust_file(updater);
        // A server that does not answer is waited for once a look.
        while !self.is_out_of_reach {
            let next = updater.trust_version().saturating_add(1);
            let found = self.ask(|source| source.trust(updater.name(), next));
            let taken = match found {
                Ok(None) => {
                    self.trust_refused = None;
                    return;
                }
                Ok(Some(bytes)) => updater.offer_trust(&bytes),
                Err(refusal) => Err(refusal),
            };
            match taken {
                Ok(taken) => self.trusted(taken),
                Err(refusal) => {
                    // Told once for as long as it stays so.
                    let why = refusal.to_string();
                    if self.trust_refused.as_ref() != Some(&why) {
                        self.trust_refused = Some(why);
                        self.trust_is_refused(refusal);
                    }
                    return;
                }
            }
        }
    }

    /// Takes the trust file of this host if it changed.
    fn look_at_trust_file(&mut self, updater: &mut Updater) -> bool {
        match updater.look_at_trust_file() {
            Ok(None) => return false,
            Ok(Some(taken)) => self.trusted(taken),
            Err(refusal) => self.trust_is_refused(refusal),
        }
        true
    }

    fn trust_is_refused(&mut self, refusal: Refusal) {
        tracing::warn!(code = refusal.code(), "a trust file was refused: {refusal}");
        self.tell(FollowEvent::Refused(refusal));
    }

    fn trusted(&mut self, taken: TrustTaken) {
        let TrustTaken { version, signs_active } = taken;
        tracing::warn!(version, signs_active, "another trust file holds from here on");
        // What was refused for its signatures may be good now.
        (self.seen, self.later, self.emergency_seen, self.trust_refused) = (None, None, None, None);
        self.tell(FollowEvent::Trusted(taken));
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
    fn try_newest(&mut self, updater: &mut Updater) -> Result<(), Refusal> {
        let name = updater.name().to_owned();
        if self.later.take_if(|due| Instant::now() >= *due).is_some() {
            self.seen = None;
        }
        let stamp = self.ask(|source| source.stamp(&name, self.seen.as_ref()))?;
        if stamp.is_none() || stamp == self.seen {
            return Ok(());
        }
        self.later = None;
        match self.offer_newest(updater, &name) {
            Ok(()) => {
                self.seen = stamp;
                Ok(())
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

    /// Takes changes as far as they lead; where there are none, or they lead nowhere, the whole decides.
    fn offer_newest(&mut self, updater: &mut Updater, name: &str) -> Result<(), Refusal> {
        for taken in 0..CHANGES_MAX {
            let start = Instant::now();
            let changes = updater.newest().and_then(|digest| self.ask(|source| source.changes(name, digest)));
            let before = updater.filter().generation();
            match changes.map(|changes| updater.offer(&changes)) {
                Some(Ok(offer @ (Offer::Swapped { .. } | Offer::Trying { .. }))) => {
                    self.taken(updater, offer, &before, start);
                }
                None if taken > 0 => return Ok(()),
                _ => break,
            }
        }
        let (start, before) = (Instant::now(), updater.filter().generation());
        let whole = self.ask(|source| source.whole(name))?;
        let offer = updater.offer(&whole)?;
        self.taken(updater, offer, &before, start);
        Ok(())
    }

    /// Tells what came of an offer, and watches what judges now.
    fn taken(&mut self, updater: &Updater, offer: Offer, before: &Generation, start: Instant) {
        match offer {
            Offer::Same => {}
            Offer::Later { sequence, seconds } => {
                self.later = Some(Instant::now() + Duration::from_secs(seconds));
                tracing::info!(sequence, seconds, "a bundle is for other hosts first");
                self.tell(FollowEvent::Later { sequence, seconds });
            }
            Offer::Trying { trying, .. } => self.trying(trying),
            Offer::Swapped { generation, report, mark_failed } => {
                let sequence = updater.active().map_or(0, |active| active.manifest().sequence);
                let (terms, took) = (report.terms, start.elapsed());
                self.swapped(updater, before, FollowEvent::Swapped { generation, sequence, terms, took, mark_failed });
            }
        }
    }

    fn trying(&mut self, trying: Trying) {
        let Trying { generation, sequence, step, left_s } = trying;
        tracing::info!(generation, sequence, %step, left_s, "a bundle is on trial");
        self.tell(FollowEvent::Trying(trying));
    }

    fn swapped(&mut self, updater: &Updater, before: &Generation, event: FollowEvent) {
        let breakers = self.breakers_now(updater);
        let until = Instant::now() + breakers.watch_for;
        let bundle = bundle_of(&updater.filter().generation());
        self.watched = Some(Watched { bundle, before: before.counts(), until, breakers });
        if let FollowEvent::Swapped { generation, sequence, terms, .. } = event {
            tracing::info!(generation, sequence, terms, "a bundle judges from here on");
        }
        self.tell(event);
    }

    fn watch_trial(&mut self, updater: &mut Updater) {
        let Some(Trying { sequence, .. }) = updater.trying() else { return };
        let (start, before, breakers) = (Instant::now(), updater.filter().generation(), self.breakers_now(updater));
        let (report, tried) = match updater.go_on_with_trial(&breakers, start) {
            Ok(None) => return,
            Ok(Some(tried)) => tried,
            Err(refusal) => {
                tracing::warn!(code = refusal.code(), "a bundle cannot be taken after its trial: {refusal}");
                return self.tell(FollowEvent::Refused(refusal));
            }
        };
        tracing::info!(sequence, "a step of a trial is over: {report}");
        self.tell(FollowEvent::Tried { sequence, report });
        match tried {
            Tried::Next(trying) => self.trying(trying),
            Tried::Judges { generation, sequence, terms, mark_failed } => {
                let took = start.elapsed();
                self.swapped(updater, &before, FollowEvent::Swapped { generation, sequence, terms, took, mark_failed });
            }
            Tried::Failed(trip) => {
                tracing::error!(sequence, "a bundle failed on trial: {trip}");
                self.tell(FollowEvent::TrialFailed { sequence, trip });
            }
        }
    }

    /// The limits that hold for what comes after the bundle that judges.
    fn breakers_now(&self, updater: &Updater) -> Breakers {
        self.breakers.limited(&updater.breaker_limits())
    }

    fn watch_over(&mut self, updater: &mut Updater) {
        self.watch_trial(updater);
        let Some(watched) = &self.watched else { return };
        let running = updater.filter().generation();
        if bundle_of(&running) != watched.bundle || Instant::now() > watched.until {
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

fn bundle_of(generation: &Generation) -> Option<String> {
    generation.origin().map(|origin| origin.sha256.clone())
}

/// Between 0.75 and 1.25.
fn jitter() -> f64 {
    let nanos = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
    0.75 + f64::from(nanos % 1_000_000) / 2_000_000.0
}
