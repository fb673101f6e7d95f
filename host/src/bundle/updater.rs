//! A filter that follows bundles: takes what is offered through every check, tries it out step by step if that is
//! asked for, keeps it on disk, swaps, and takes it back. Not for where bundles come from; that is the business of
//! the [`Follower`](crate::bundle::Follower).

use std::io;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use tamis_guest::compile::BreakerLimits;

use crate::bundle::manifest::check_name;
use crate::bundle::store::TrialRecord;
use crate::bundle::trusted::Trusted;
use crate::bundle::verify::unix_s;
use crate::bundle::{
    Admission, AdmissionReport, Bundle, Emergency, Expected, Mark, Refusal, Step, Store, Trust, TrustTaken, Verified,
    verify,
};
use crate::trial::Seen;
use crate::{Breakers, Defaults, Filter, Origin, Parts, Runtime, TrialReport, Trip};

/// What an [`Updater`] is told.
#[derive(Clone, Debug)]
pub struct UpdaterConfig {
    /// Name of the bundles it takes, such as `prod`.
    pub name: String,
    /// Which keys may sign what.
    pub trust: Trust,
    /// The file that it is from, to be read again when it changes.
    pub trust_file: Option<PathBuf>,
    /// Folder of its own, for the last good bundles and the high-water mark.
    pub state: PathBuf,
    /// How candidates are checked.
    pub admission: Admission,
    /// Name of this host; where bundles come ring by ring, it says in which it is.
    pub host: String,
    /// What is done with each bundle before it judges every message, whatever it says of that itself; `None` leaves
    /// it to the bundles.
    pub steps: Option<Vec<Step>>,
}

/// What came of a bundle that was offered.
#[derive(Debug)]
#[non_exhaustive]
pub enum Offer {
    /// It runs already, or is on trial.
    Same,
    /// Other hosts take it first; it is for this one in so many seconds.
    Later {
        /// Its sequence.
        sequence: u64,
        /// How long.
        seconds: u64,
    },
    /// It has passed every check and is on trial: it watches, or judges for some senders.
    Trying {
        /// The trial.
        trying: Trying,
        /// What the checks found.
        report: AdmissionReport,
    },
    /// It judges from here on.
    Swapped {
        /// The generation's number.
        generation: u64,
        /// What the checks found.
        report: AdmissionReport,
        /// It judges, but the mark could not be written: until it can, an older bundle could come back after
        /// a restart.
        mark_failed: Option<Refusal>,
    },
}

/// A bundle at a step of its trial.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Trying {
    /// The number of its generation.
    pub generation: u64,
    /// Its sequence.
    pub sequence: u64,
    /// What it does now, and how long.
    pub step: Step,
    /// How much of that is left, in seconds.
    pub left_s: u32,
}

/// What became of a step of a trial.
#[derive(Debug)]
#[non_exhaustive]
pub enum Tried {
    /// It went well, and the next step has begun.
    Next(Trying),
    /// It went well and was the last: the bundle judges every message.
    Judges {
        /// The generation's number.
        generation: u64,
        /// Of the bundle.
        sequence: u64,
        /// How many terms.
        terms: usize,
        /// As in [`Offer::Swapped`].
        mark_failed: Option<Refusal>,
    },
    /// It did badly, and the trial is over: this bundle is not taken again.
    Failed(Trip),
}

/// A bundle on trial.
#[derive(Debug)]
struct OnTrial {
    verified: Verified,
    /// Without what an emergency asks for.
    parts: Parts,
    terms: usize,
    /// All steps, and which of them it is at.
    steps: Vec<Step>,
    at: usize,
    ends: Instant,
    /// How much of the step is noted on disk, in seconds.
    noted_s: u32,
}

impl OnTrial {
    fn step(&self) -> Step {
        self.steps[self.at]
    }

    fn left_s(&self, now: Instant) -> u32 {
        let left = self.ends.saturating_duration_since(now).as_secs_f64().ceil();
        // Of at most a step, which is thirty days.
        (left as u32).min(self.step().seconds)
    }
}

/// How often it is noted on disk how much of a step is over, in seconds: so much of it may be done again after a
/// restart.
const NOTED_EVERY_S: u32 = 10;

/// An emergency that goes on.
#[derive(Debug)]
struct Urgent {
    file: Emergency,
    /// The file as it came.
    bytes: Vec<u8>,
    /// When its time is over even by a clock that was set back.
    ends: Instant,
}

impl Urgent {
    fn new(file: Emergency, bytes: &[u8], now: SystemTime) -> Urgent {
        let ends = Instant::now() + Duration::from_secs(file.expires.saturating_sub(unix_s(now)));
        Urgent { file, bytes: bytes.to_vec(), ends }
    }

    fn is_over(&self, now: SystemTime) -> bool {
        self.file.expires <= unix_s(now) || Instant::now() >= self.ends
    }
}

/// Keeps a filter at the newest good bundle.
#[derive(Debug)]
pub struct Updater {
    runtime: Runtime,
    filter: Filter,
    config: UpdaterConfig,
    store: Store,
    trusted: Trusted,
    defaults: Defaults,
    active: Option<Verified>,
    emergency: Option<Urgent>,
    on_trial: Option<OnTrial>,
}

impl Updater {
    /// Starts with the newest bundle kept on disk that still passes every check, expired or not, and goes on with the
    /// one on trial; with `defaults` if there is none. The second value is what was wrong with those passed over.
    ///
    /// # Errors
    /// If the folder cannot be used, or not even `defaults` start.
    pub fn start(
        runtime: &Runtime,
        config: UpdaterConfig,
        defaults: Defaults,
    ) -> Result<(Updater, Vec<Refusal>), Refusal> {
        check_name(&config.name)?;
        let store = Store::open(&config.state)?;
        let (trusted, unsure) = Trusted::open(config.trust.clone(), config.trust_file.clone(), &store);
        let (kept, mut passed_over) = store.kept(trusted.holds(), &config.name)?;
        passed_over.extend(unsure);
        for verified in kept {
            match config.admission.check(runtime, &verified, &defaults, &[&defaults.module]) {
                Ok((parts, _)) => {
                    let filter = Filter::with_origin(runtime, parts, Some(origin(&verified, None)))?;
                    // A host that was killed before it could move the mark does it now.
                    match store.mark() {
                        Ok(Some(mark)) if mark.sequence >= verified.manifest().sequence => {}
                        Ok(_) => passed_over.extend(store.advance(&verified.mark()).err()),
                        Err(refusal) => passed_over.push(refusal),
                    }
                    let runtime = runtime.clone();
                    let (active, emergency, on_trial) = (Some(verified), None, None);
                    let mut updater =
                        Updater { runtime, filter, config, store, trusted, defaults, active, emergency, on_trial };
                    passed_over.extend(updater.resume_emergency().err());
                    passed_over.extend(updater.resume_trial().err());
                    return Ok((updater, passed_over));
                }
                Err(refusal) => passed_over.push(refusal),
            }
        }
        let filter = Filter::new(runtime, default_parts(&defaults))?;
        let runtime = runtime.clone();
        let (active, emergency, on_trial) = (None, None, None);
        let updater = Updater { runtime, filter, config, store, trusted, defaults, active, emergency, on_trial };
        Ok((updater, passed_over))
    }

    /// The filter that follows.
    #[must_use]
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// The bundle that judges; `None` while it is the defaults.
    #[must_use]
    pub fn active(&self) -> Option<&Verified> {
        self.active.as_ref()
    }

    fn known(&self) -> impl Iterator<Item = &Verified> {
        known(&self.on_trial, &self.active)
    }

    /// The digest of the newest bundle that was taken, be it on trial.
    #[must_use]
    pub fn newest(&self) -> Option<&str> {
        self.known().next().map(Verified::digest)
    }

    /// When what comes next is taken back, by the policy that judges now: a new one cannot excuse itself.
    #[must_use]
    pub fn breaker_limits(&self) -> BreakerLimits {
        let policy = self.active.as_ref().and_then(|active| active.content().policy().ok().flatten());
        *policy.as_ref().unwrap_or(&self.defaults.policy).breakers()
    }

    /// Name of the bundles it takes.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// For how many seconds the active bundle has been expired. It filters on all the same; somebody should
    /// be told.
    #[must_use]
    pub fn expired_s(&self, now: SystemTime) -> Option<u64> {
        let expires = self.active.as_ref()?.manifest().expires;
        unix_s(now).checked_sub(expires)
    }

    /// The version of the trust file that holds.
    #[must_use]
    pub fn trust_version(&self) -> u64 {
        self.trusted.holds().version()
    }

    /// Takes the trust file that follows the one that holds, signed by the root keys of both. From here on only its
    /// keys count: a trial or an emergency of others ends. What judges goes on.
    ///
    /// # Errors
    /// If it does not follow, or cannot be kept on disk; then the one before holds.
    pub fn offer_trust(&mut self, bytes: &[u8]) -> Result<TrustTaken, Refusal> {
        self.trusted.follow(bytes, &self.store)?;
        Ok(self.trust_taken())
    }

    /// Reads the trust file of this host again if it changed: one with a higher version holds at once, as
    /// [`offer_trust`](Updater::offer_trust).
    ///
    /// # Errors
    /// If it cannot be read, or has no higher version.
    pub fn look_at_trust_file(&mut self) -> Result<Option<TrustTaken>, Refusal> {
        let is_other = self.trusted.look_at_own(&self.store)?;
        Ok(is_other.then(|| self.trust_taken()))
    }

    fn trust_taken(&mut self) -> TrustTaken {
        let trust = self.trusted.holds();
        let version = trust.version();
        let signs_active = self.active.as_ref().is_none_or(|active| active.is_signed_by(trust));
        let is_gone = |on_trial: &OnTrial| !on_trial.verified.is_signed_by(trust);
        let ends_trial = self.on_trial.as_ref().is_some_and(is_gone);
        let now = SystemTime::now();
        let is_void =
            |urgent: &&mut Urgent| Emergency::verify(&urgent.bytes, trust, &self.config.name, 0, now).is_err();
        if let Some(urgent) = self.emergency.as_mut().filter(is_void) {
            urgent.ends = Instant::now();
        }
        if ends_trial {
            tracing::warn!(version, "a trial is over: the bundle is not signed by keys of the new trust file");
            self.stop_trial();
        }
        TrustTaken { version, signs_active }
    }

    /// Takes the bytes of a bundle through every check, and swaps to it. Whatever fails changes nothing.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn offer(&mut self, bytes: &[u8]) -> Result<Offer, Refusal> {
        self.offer_at(bytes, SystemTime::now())
    }

    /// As [`offer`](Updater::offer), at a given time.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn offer_at(&mut self, bytes: &[u8], now: SystemTime) -> Result<Offer, Refusal> {
        let start = Instant::now();
        let ms = |since: Instant| since.elapsed().as_secs_f64() * 1e3;
        let bundle = Bundle::decode(bytes)?;
        // What is on trial counts: nothing older takes its place.
        let on_trial = self.on_trial.as_ref().map(|on_trial| on_trial.verified.mark());
        let mark = self.store.mark()?.into_iter().chain(on_trial).max_by_key(|mark: &Mark| mark.sequence);
        let trust = self.trusted.sure(&self.store)?;
        let expected = Expected {
            trust,
            name: &self.config.name,
            mark: mark.as_ref(),
            base: known(&self.on_trial, &self.active)
                .find(|known| bundle.base().is_some_and(|base| base == known.digest())),
            now,
        };
        let verified = verify(bundle, &expected)?;
        if self.known().any(|known| known.digest() == verified.digest()) {
            return Ok(Offer::Same);
        }
        if let Some(reason) = self.store.why_taken_back(verified.digest())? {
            return Err(Refusal::TakenBack(reason));
        }
        tracing::debug!(ms = ms(start), bytes = bytes.len(), "a bundle is verified");
        let manifest = verified.manifest();
        let sequence = manifest.sequence;
        // The first bundle of a host is better than none, and there is nothing to compare it with.
        if self.active.is_some() {
            let age_s = unix_s(now).saturating_sub(manifest.created);
            let seconds = manifest.rollout.wait_s(&self.config.host, &manifest.name, age_s);
            if seconds > 0 {
                return Ok(Offer::Later { sequence, seconds });
            }
        }
        let checking = Instant::now();
        let running = self.filter.generation();
        let known = [&running.parts().module, &self.defaults.module];
        // Brought to the disk while it is checked, and there by its name only once it has passed.
        let (prepared, checked) = thread::scope(|scope| {
            let prepared = scope.spawn(|| self.store.prepare(&verified));
            let checked = self.config.admission.check(&self.runtime, &verified, &self.defaults, &known);
            let path = || self.config.state.clone();
            let no_thread = |_| Err(Refusal::Store { path: path(), error: io::Error::other("the writer panicked") });
            (prepared.join().unwrap_or_else(no_thread), checked)
        });
        let (parts, report) = checked?;
        tracing::debug!(ms = ms(checking), terms = report.terms, tests = report.tests, "a bundle has passed");
        self.emergency.take_if(|emergency| emergency.is_over(now));
        let steps = self.steps_of(&verified);
        if self.active.is_some()
            && let Some(&step) = steps.first()
        {
            let (terms, ends) = (report.terms, step_end(step));
            let on_trial = OnTrial { verified, parts, terms, steps, at: 0, ends, noted_s: 0 };
            let generation = self.begin_trial(&on_trial, Seen::default())?;
            self.on_trial = Some(on_trial);
            // Without room on the disk a restart begins the trial again.
            let kept = prepared.and_then(|prepared| prepared.keep_for_trial(&self.store));
            self.note_trial(kept, Instant::now());
            return Ok(Offer::Trying { trying: Trying { generation, sequence, step, left_s: step.seconds }, report });
        }
        let swapping = Instant::now();
        let parts = self.with_emergency_if_it_fits(parts, &verified);
        // On disk before it judges: a host that is killed now starts with it, and it has passed.
        prepared?.keep(&self.store)?;
        let (generation, mark_failed) = self.switch(parts, verified)?;
        tracing::debug!(ms = ms(swapping), generation, "a bundle is kept and judges");
        // A trial of something older is over.
        self.stop_trial();
        Ok(Offer::Swapped { generation, report, mark_failed })
    }

    /// Swaps to a bundle that is on disk, and only then moves the mark.
    fn switch(&mut self, parts: Parts, verified: Verified) -> Result<(u64, Option<Refusal>), Refusal> {
        let emergency = self.emergency.as_ref().map(|emergency| &emergency.file);
        let generation = self.filter.swap_with_origin(parts, Some(origin(&verified, emergency)))?;
        let mark_failed = self.store.advance(&verified.mark()).err();
        self.active = Some(verified);
        Ok((generation, mark_failed))
    }

    /// Begins the trial at its step, with what an emergency asks for if that fits.
    fn begin_trial(&self, on_trial: &OnTrial, seen: Seen) -> Result<u64, Refusal> {
        let (OnTrial { verified, parts, .. }, step) = (on_trial, on_trial.step());
        let (parts, origin) =
            self.with_emergency_too(verified).unwrap_or_else(|| (parts.clone(), origin(verified, None)));
        Ok(self.filter.try_out_from(parts, Some(origin), step.mode, step.senders, seen)?)
    }

    fn stop_trial(&mut self) {
        if self.on_trial.take().is_some() {
            self.filter.end_trial();
            self.store.forget_trial();
        }
    }

    /// What is done with a bundle before it judges every message.
    fn steps_of(&self, verified: &Verified) -> Vec<Step> {
        self.config.steps.as_ref().unwrap_or(&verified.manifest().rollout.steps).clone()
    }

    /// Notes on disk how far the trial is, once its bundle is there.
    fn note_trial(&mut self, kept: Result<(), Refusal>, now: Instant) {
        let (Some(on_trial), Some(trial)) = (&mut self.on_trial, self.filter.trial()) else { return };
        let elapsed_s = (on_trial.step().seconds - on_trial.left_s(now)).max(on_trial.noted_s);
        on_trial.noted_s = elapsed_s;
        let (sha256, steps) = (on_trial.verified.digest().to_owned(), on_trial.steps.clone());
        let record = TrialRecord { sha256, steps, at: on_trial.at, elapsed_s, seen: trial.seen() };
        if let Err(refusal) = kept.and_then(|()| self.store.keep_trial(&record)) {
            tracing::warn!("how far a trial is cannot be kept: {refusal}");
        }
    }

    /// Goes on with the trial that was kept, if it is still one.
    fn resume_trial(&mut self) -> Result<(), Refusal> {
        let resumed = self.try_resume_trial();
        if self.on_trial.is_none() {
            self.store.forget_trial();
        }
        resumed
    }

    fn try_resume_trial(&mut self) -> Result<(), Refusal> {
        let Some((bundle, record)) = self.store.trial()? else { return Ok(()) };
        let mark = self.store.mark()?;
        let is_over = mark.as_ref().is_some_and(|mark| mark.sequence >= bundle.manifest().sequence)
            || self.store.why_taken_back(&record.sha256)?.is_some();
        if is_over {
            return Ok(());
        }
        let (trust, name, now) = (self.trusted.sure(&self.store)?, &self.config.name, SystemTime::now());
        let verified = verify(bundle, &Expected { trust, name, mark: mark.as_ref(), base: None, now })?;
        let running = self.filter.generation();
        let known = [&running.parts().module, &self.defaults.module];
        let (parts, report) = self.config.admission.check(&self.runtime, &verified, &self.defaults, &known)?;
        let steps = self.steps_of(&verified);
        // Where other steps are asked for now, it begins with the first of them.
        let goes_on = record.steps == steps && record.is_possible();
        let (at, elapsed_s, seen) =
            if goes_on { (record.at, record.elapsed_s, record.seen) } else { (0, 0, Seen::default()) };
        let Some(step) = steps.get(at) else { return Ok(()) };
        let ends = Instant::now() + Duration::from_secs((step.seconds - elapsed_s).into());
        let on_trial = OnTrial { verified, parts, terms: report.terms, steps, at, ends, noted_s: elapsed_s };
        self.begin_trial(&on_trial, seen)?;
        self.on_trial = Some(on_trial);
        self.note_trial(Ok(()), Instant::now());
        Ok(())
    }

    /// What is on trial.
    #[must_use]
    pub fn trying(&self) -> Option<Trying> {
        let (on_trial, trial) = (self.on_trial.as_ref()?, self.filter.trial()?);
        let (generation, sequence) = (trial.generation().number(), on_trial.verified.manifest().sequence);
        Some(Trying { generation, sequence, step: on_trial.step(), left_s: on_trial.left_s(Instant::now()) })
    }

    /// Goes on with a trial: ends it if the bundle does badly by `breakers` beside the one that judges, and when the
    /// time of a step is over, begins the next one, or lets the bundle judge. Returns what the step showed, if
    /// something came of it.
    ///
    /// # Errors
    /// If the bundle went well and cannot be kept or started; it is tried again after another such step.
    pub fn go_on_with_trial(
        &mut self,
        breakers: &Breakers,
        now: Instant,
    ) -> Result<Option<(TrialReport, Tried)>, Refusal> {
        let (Some(on_trial), Some(trial)) = (&mut self.on_trial, self.filter.trial()) else { return Ok(None) };
        let report = trial.report();
        let so_far = trial.generation().counts();
        if let Some(trip) = breakers.check(&self.filter.generation().counts(), &so_far) {
            // Noted first: a host that is killed in between does not try it again.
            let noted = self.store.take_back(on_trial.verified.digest(), &trip.to_string());
            self.stop_trial();
            noted?;
            return Ok(Some((report, Tried::Failed(trip))));
        }
        let left_s = on_trial.left_s(now);
        if left_s > 0 {
            if on_trial.step().seconds - left_s >= on_trial.noted_s + NOTED_EVERY_S {
                self.note_trial(Ok(()), now);
            }
            return Ok(None);
        }
        let sequence = on_trial.verified.manifest().sequence;
        if let Some(&step) = on_trial.steps.get(on_trial.at + 1) {
            (on_trial.at, on_trial.ends, on_trial.noted_s) = (on_trial.at + 1, step_end(step), 0);
            let generation = self.filter.change_trial(step.mode, step.senders).unwrap_or_default();
            self.note_trial(Ok(()), Instant::now());
            return Ok(Some((report, Tried::Next(Trying { generation, sequence, step, left_s: step.seconds }))));
        }
        // Again later, if it fails.
        on_trial.ends = step_end(on_trial.step());
        on_trial.noted_s = 0;
        let (verified, parts, terms) = (on_trial.verified.clone(), on_trial.parts.clone(), on_trial.terms);
        self.store.keep(&verified)?;
        let parts = self.with_emergency_if_it_fits(parts, &verified);
        let (generation, mark_failed) = self.switch(parts, verified)?;
        self.stop_trial();
        Ok(Some((report, Tried::Judges { generation, sequence, terms, mark_failed })))
    }

    /// What an emergency asks for goes on top of a bundle that is to judge, if it fits; if not, its time is over.
    fn with_emergency_if_it_fits(&mut self, parts: Parts, verified: &Verified) -> Parts {
        let Some(emergency) = &self.emergency else { return parts };
        self.with_emergency(&emergency.file, verified).unwrap_or_else(|refusal| {
            tracing::warn!("an emergency is over, which does not fit the new lists: {refusal}");
            self.emergency = None;
            parts
        })
    }

    /// Takes an emergency file through its checks, and swaps to the active bundle with what it asks for.
    /// Returns the generation's number.
    ///
    /// # Errors
    /// The first check that fails, or that no bundle is active.
    pub fn offer_emergency(&mut self, bytes: &[u8], now: SystemTime) -> Result<u64, Refusal> {
        let last = self.store.emergency_mark()?;
        let emergency = Emergency::verify(bytes, self.trusted.sure(&self.store)?, &self.config.name, last, now)?;
        let sequence = emergency.sequence;
        let generation = self.take_emergency(emergency, bytes, now)?;
        self.store.keep_emergency(bytes)?;
        self.store.advance_emergency(sequence)?;
        Ok(generation)
    }

    /// Ends the emergency if its time is over. Returns the number of the generation without it.
    ///
    /// # Errors
    /// If the active bundle does not start any more; then the emergency goes on.
    pub fn end_emergency(&mut self, now: SystemTime) -> Result<Option<u64>, Refusal> {
        let (Some(emergency), Some(active)) = (&self.emergency, &self.active) else { return Ok(None) };
        if !emergency.is_over(now) {
            return Ok(None);
        }
        let running = self.filter.generation();
        let known = [&running.parts().module, &self.defaults.module];
        let (parts, _) = self.config.admission.check(&self.runtime, active, &self.defaults, &known)?;
        let generation = self.filter.swap_with_origin(parts, Some(origin(active, None)))?;
        self.emergency = None;
        self.renew_trial();
        Ok(Some(generation))
    }

    /// Goes on with the step of a trial, after an emergency began or ended.
    fn renew_trial(&mut self) {
        let seen = self.filter.trial().map_or_else(Seen::default, |trial| trial.seen());
        if let Some(on_trial) = &self.on_trial
            && let Err(refusal) = self.begin_trial(on_trial, seen)
        {
            tracing::warn!("a trial is over, it does not start again: {refusal}");
            self.stop_trial();
        }
    }

    fn take_emergency(&mut self, emergency: Emergency, bytes: &[u8], now: SystemTime) -> Result<u64, Refusal> {
        let active = self.active.as_ref();
        let active = active.ok_or_else(|| Refusal::Emergency("go before the first bundle".to_owned()))?;
        let parts = self.with_emergency(&emergency, active)?;
        let generation = self.filter.swap_with_origin(parts, Some(origin(active, Some(&emergency))))?;
        self.emergency = Some(Urgent::new(emergency, bytes, now));
        self.renew_trial();
        Ok(generation)
    }

    /// The emergency file that was kept, if its time is not over.
    fn resume_emergency(&mut self) -> Result<(), Refusal> {
        let Some(bytes) = self.store.emergency() else { return Ok(()) };
        let now = SystemTime::now();
        match Emergency::verify(&bytes, self.trusted.holds(), &self.config.name, 0, now) {
            Ok(emergency) => self.take_emergency(emergency, &bytes, now).map(|_| ()),
            Err(Refusal::Expired { .. }) => Ok(()),
            Err(refusal) => Err(refusal),
        }
    }

    /// A bundle with what an emergency asks for, checked as a bundle is.
    fn with_emergency(&self, emergency: &Emergency, verified: &Verified) -> Result<Parts, Refusal> {
        let content = emergency.apply(verified.content())?;
        let running = self.filter.generation();
        let known = [&running.parts().module, &self.defaults.module];
        let checked = self.config.admission.check_content(&self.runtime, &content, None, &self.defaults, &known);
        checked.map(|(parts, _)| parts)
    }

    /// A bundle with what an emergency asks for, if there is one and it fits.
    fn with_emergency_too(&self, verified: &Verified) -> Option<(Parts, Origin)> {
        let file = &self.emergency.as_ref()?.file;
        Some((self.with_emergency(file, verified).ok()?, origin(verified, Some(file))))
    }

    /// Goes back to the newest bundle kept before the active one, or to the defaults, and never takes this
    /// one again. The high-water mark stays. Returns the generation's number.
    ///
    /// # Errors
    /// If nothing older starts; the active one then goes on.
    pub fn take_back(&mut self, reason: &str) -> Result<u64, Refusal> {
        if let Some(active) = &self.active {
            self.store.take_back(active.digest(), reason)?;
        }
        let (kept, _) = self.store.kept(self.trusted.holds(), &self.config.name)?;
        let running = self.filter.generation();
        let known = [&running.parts().module, &self.defaults.module];
        for verified in kept {
            if let Ok((parts, _)) = self.config.admission.check(&self.runtime, &verified, &self.defaults, &known) {
                // An emergency goes on over what is older too, if it fits.
                let (parts, origin) =
                    self.with_emergency_too(&verified).unwrap_or_else(|| (parts, origin(&verified, None)));
                let generation = self.filter.swap_with_origin(parts, Some(origin))?;
                self.active = Some(verified);
                return Ok(generation);
            }
        }
        let generation = self.filter.swap(default_parts(&self.defaults))?;
        self.active = None;
        Ok(generation)
    }
}

/// What is on trial and what judges, the newest first.
fn known<'a>(on_trial: &'a Option<OnTrial>, active: &'a Option<Verified>) -> impl Iterator<Item = &'a Verified> {
    on_trial.iter().map(|on_trial| &on_trial.verified).chain(active)
}

impl Drop for Updater {
    /// Notes how far a trial is, so that a host that ends in order does nothing of it again.
    fn drop(&mut self) {
        self.note_trial(Ok(()), Instant::now());
    }
}

fn step_end(step: Step) -> Instant {
    Instant::now() + Duration::from_secs(step.seconds.into())
}

fn origin(verified: &Verified, emergency: Option<&Emergency>) -> Origin {
    let manifest = verified.manifest();
    Origin {
        name: manifest.name.clone(),
        sequence: manifest.sequence,
        sha256: verified.digest().to_owned(),
        expires: manifest.expires,
        emergency: emergency.map(|emergency| emergency.sequence),
    }
}

fn default_parts(defaults: &Defaults) -> Parts {
    let policy = crate::sources::resolve(&defaults.policy, &defaults.pack);
    let failure = defaults.policy.failure_policies();
    Parts { module: defaults.module.clone(), pack: defaults.pack.clone(), policy, failure }
}
