//! A filter that follows bundles: takes what is offered through every check, keeps it on disk, swaps, and
//! takes it back. Not for where bundles come from; that is the business of
//! the [`Follower`](crate::bundle::Follower).

use std::io;
use std::path::PathBuf;
use std::thread;
use std::time::{Instant, SystemTime};

use tamis_guest::compile::BreakerLimits;

use crate::bundle::verify::unix_s;
use crate::bundle::{Admission, AdmissionReport, Bundle, Emergency, Expected, Refusal, Store, Trust, Verified, verify};
use crate::{Defaults, Filter, Origin, Parts, Runtime};

/// What an [`Updater`] is told.
#[derive(Clone, Debug)]
pub struct UpdaterConfig {
    /// Name of the bundles it takes, such as `prod`.
    pub name: String,
    /// Which keys may sign what.
    pub trust: Trust,
    /// Folder of its own, for the last good bundles and the high-water mark.
    pub state: PathBuf,
    /// How candidates are checked.
    pub admission: Admission,
}

/// What came of a bundle that was offered.
#[derive(Debug)]
#[non_exhaustive]
pub enum Offer {
    /// It runs already.
    Same,
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

/// Keeps a filter at the newest good bundle.
#[derive(Debug)]
pub struct Updater {
    runtime: Runtime,
    filter: Filter,
    config: UpdaterConfig,
    store: Store,
    defaults: Defaults,
    active: Option<Verified>,
    emergency: Option<Emergency>,
}

impl Updater {
    /// Starts with the newest bundle kept on disk that still passes every check, expired or not; with
    /// `defaults` if there is none. The second value is what was wrong with those passed over.
    ///
    /// # Errors
    /// If the folder cannot be used, or not even `defaults` start.
    pub fn start(
        runtime: &Runtime,
        config: UpdaterConfig,
        defaults: Defaults,
    ) -> Result<(Updater, Vec<Refusal>), Refusal> {
        let store = Store::open(&config.state)?;
        let (kept, mut passed_over) = store.kept(&config.trust, &config.name)?;
        for verified in kept {
            match config.admission.check(runtime, &verified, &defaults, &[&defaults.module]) {
                Ok((parts, _)) => {
                    let filter = Filter::with_origin(runtime, parts, Some(origin(&verified)))?;
                    // A host that was killed before it could move the mark does it now.
                    match store.mark() {
                        Ok(Some(mark)) if mark.sequence >= verified.manifest().sequence => {}
                        Ok(_) => store.advance(&verified.mark())?,
                        Err(refusal) => passed_over.push(refusal),
                    }
                    let runtime = runtime.clone();
                    let active = Some(verified);
                    let mut updater = Updater { runtime, filter, config, store, defaults, active, emergency: None };
                    passed_over.extend(updater.resume_emergency().err());
                    return Ok((updater, passed_over));
                }
                Err(refusal) => passed_over.push(refusal),
            }
        }
        let filter = Filter::new(runtime, default_parts(&defaults))?;
        let runtime = runtime.clone();
        let updater = Updater { runtime, filter, config, store, defaults, active: None, emergency: None };
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
        let mark = self.store.mark()?;
        let expected = Expected {
            trust: &self.config.trust,
            name: &self.config.name,
            mark: mark.as_ref(),
            base: self.active.as_ref(),
            now,
        };
        let verified = verify(bundle, &expected)?;
        if self.active.as_ref().is_some_and(|active| active.digest() == verified.digest()) {
            return Ok(Offer::Same);
        }
        if let Some(reason) = self.store.why_taken_back(verified.digest())? {
            return Err(Refusal::TakenBack(reason));
        }
        tracing::debug!(ms = ms(start), bytes = bytes.len(), "a bundle is verified");
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
        let (mut parts, report) = checked?;
        tracing::debug!(ms = ms(checking), terms = report.terms, tests = report.tests, "a bundle has passed");
        let swapping = Instant::now();
        // What an emergency asks for goes on top, if it fits the new lists; if not, its time is over.
        self.emergency.take_if(|emergency| emergency.expires <= unix_s(now));
        if let Some(emergency) = &self.emergency {
            match self.with_emergency(emergency, &verified) {
                Ok(with) => parts = with,
                Err(_) => self.emergency = None,
            }
        }
        // On disk before it judges: a host that is killed now starts with it, and it has passed.
        prepared?.keep()?;
        let generation = self.filter.swap_with_origin(parts, Some(origin(&verified)))?;
        tracing::debug!(ms = ms(swapping), generation, "a bundle is kept and judges");
        let mark_failed = self.store.advance(&verified.mark()).err();
        self.active = Some(verified);
        Ok(Offer::Swapped { generation, report, mark_failed })
    }

    /// Takes an emergency file through its checks, and swaps to the active bundle with what it asks for.
    /// Returns the generation's number.
    ///
    /// # Errors
    /// The first check that fails, or that no bundle is active.
    pub fn offer_emergency(&mut self, bytes: &[u8], now: SystemTime) -> Result<u64, Refusal> {
        let last = self.store.emergency_mark()?;
        let emergency = Emergency::verify(bytes, &self.config.trust, &self.config.name, last, now)?;
        let sequence = emergency.sequence;
        let generation = self.take_emergency(emergency)?;
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
        if emergency.expires > unix_s(now) {
            return Ok(None);
        }
        let running = self.filter.generation();
        let known = [&running.parts().module, &self.defaults.module];
        let (parts, _) = self.config.admission.check(&self.runtime, active, &self.defaults, &known)?;
        let generation = self.filter.swap_with_origin(parts, Some(origin(active)))?;
        self.emergency = None;
        Ok(Some(generation))
    }

    fn take_emergency(&mut self, emergency: Emergency) -> Result<u64, Refusal> {
        let active = self.active.as_ref();
        let active = active.ok_or_else(|| Refusal::Emergency("go before the first bundle".to_owned()))?;
        let parts = self.with_emergency(&emergency, active)?;
        let generation = self.filter.swap_with_origin(parts, Some(origin(active)))?;
        self.emergency = Some(emergency);
        Ok(generation)
    }

    /// The emergency file that was kept, if its time is not over.
    fn resume_emergency(&mut self) -> Result<(), Refusal> {
        let Some(bytes) = self.store.emergency() else { return Ok(()) };
        match Emergency::verify(&bytes, &self.config.trust, &self.config.name, 0, SystemTime::now()) {
            Ok(emergency) => self.take_emergency(emergency).map(|_| ()),
            Err(Refusal::Expired { .. }) => Ok(()),
            Err(refusal) => Err(refusal),
        }
    }

    /// A bundle with what an emergency asks for. A few terms more or less: checked here, and not in a process.
    fn with_emergency(&self, emergency: &Emergency, verified: &Verified) -> Result<Parts, Refusal> {
        let content = emergency.apply(verified.content())?;
        let running = self.filter.generation();
        let known = [&running.parts().module, &self.defaults.module];
        let checked = self.config.admission.check_content(&self.runtime, &content, None, &self.defaults, &known);
        checked.map(|(parts, _)| parts)
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
        let (kept, _) = self.store.kept(&self.config.trust, &self.config.name)?;
        let running = self.filter.generation();
        let known = [&running.parts().module, &self.defaults.module];
        for verified in kept {
            if let Ok((mut parts, _)) = self.config.admission.check(&self.runtime, &verified, &self.defaults, &known) {
                // An emergency goes on over what is older too, if it fits.
                if let Some(with) = self.emergency.as_ref().and_then(|found| self.with_emergency(found, &verified).ok())
                {
                    parts = with;
                }
                let generation = self.filter.swap_with_origin(parts, Some(origin(&verified)))?;
                self.active = Some(verified);
                return Ok(generation);
            }
        }
        let generation = self.filter.swap(default_parts(&self.defaults))?;
        self.active = None;
        Ok(generation)
    }
}

fn origin(verified: &Verified) -> Origin {
    let manifest = verified.manifest();
    Origin {
        name: manifest.name.clone(),
        sequence: manifest.sequence,
        sha256: verified.digest().to_owned(),
        expires: manifest.expires,
    }
}

fn default_parts(defaults: &Defaults) -> Parts {
    let policy = crate::sources::resolve(&defaults.policy, &defaults.pack);
    let failure = defaults.policy.failure_policies();
    Parts { module: defaults.module.clone(), pack: defaults.pack.clone(), policy, failure }
}
