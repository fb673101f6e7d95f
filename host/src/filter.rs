//! A filter and its generations: immutable sets of module, pack and policy, replaced whole or not at all.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption};
use tamis_guest::compile::FailurePolicy;
use tamis_guest::{Action, ChannelId, Policy};

use crate::instance::Instance;
use crate::stats::{Counts, Stats};
use crate::trial::{Seen, Trial, TrialMode};
use crate::{FloodWatch, LoadError, Module, PackImage, Runtime, Strikes, Worker};

/// How many generations' counters are kept after they stopped judging.
const HISTORY: usize = 3;

/// What makes a generation.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The code.
    pub module: Module,
    /// The lists.
    pub pack: PackImage,
    /// What follows from a match.
    pub policy: Policy,
    /// What a message gets when the filter fails on it, by channel number; `hold` where there is none.
    pub failure: Vec<FailurePolicy>,
}

/// The bundle that a generation was made from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Origin {
    /// Name of the bundle.
    pub name: String,
    /// Its sequence.
    pub sequence: u64,
    /// SHA-256 of its manifest, in hexadecimal.
    pub sha256: String,
    /// Until when it should be replaced, in seconds since 1970.
    pub expires: u64,
    /// Sequence of the emergency file on top of it, if there is one.
    pub emergency: Option<u64>,
}

/// Module, pack and policy that judge together. Never changes.
#[derive(Debug)]
pub struct Generation {
    number: u64,
    origin: Option<Origin>,
    parts: Parts,
    policy_table: Vec<u8>,
    pub(crate) stats: Arc<Stats>,
    pub(crate) memory_module: wasmtime::Module,
    /// Sandboxes that were made before the generation judged, so that no message waits for one.
    ready: Mutex<Vec<Instance>>,
}

impl Generation {
    /// A generation, with a sandbox ready for each of `workers`.
    fn new(
        runtime: &Runtime,
        number: u64,
        parts: Parts,
        origin: Option<Origin>,
        workers: usize,
    ) -> Result<Generation, LoadError> {
        let memory_module = parts.pack.memory_module(runtime.engine(), parts.module.pages)?;
        let stats = Arc::new(Stats::new(&parts.pack.pack()));
        let policy_table = parts.policy.table();
        let ready = Mutex::new(Vec::new());
        let generation = Generation { number, origin, policy_table, stats, parts, memory_module, ready };
        // Starts once before any message depends on it; this also maps the pack.
        let first = Instance::new(runtime, &generation).map_err(LoadError::Start)?;
        // Where there is no room for one more, a worker tries again when it needs it.
        let more = (1..workers).map_while(|_| Instance::new(runtime, &generation).ok());
        let ready = std::iter::once(first).chain(more).take(workers).map_while(Instance::warmed).collect();
        *generation.ready.lock().unwrap_or_else(PoisonError::into_inner) = ready;
        Ok(generation)
    }

    /// A sandbox that was made before, if one is left.
    pub(crate) fn take_ready(&self) -> Option<Instance> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Counts up with each swap, from 1.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The bundle it was made from, if it was one.
    #[must_use]
    pub fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    /// What it is made of.
    #[must_use]
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// What it has judged so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.stats.counts()
    }

    /// What a message on that channel gets when the filter fails on it.
    #[must_use]
    pub fn failure_action(&self, channel: ChannelId) -> Action {
        self.parts.failure.get(usize::from(channel.0)).copied().unwrap_or(FailurePolicy::Hold).action()
    }

    pub(crate) fn policy_table(&self) -> &[u8] {
        &self.policy_table
    }

    pub(crate) fn pack_address(&self) -> u64 {
        PackImage::address(self.parts.module.pages)
    }
}

/// A pipeline's filter. Cloning shares it; workers of all clones see each swap.
#[derive(Clone, Debug)]
pub struct Filter {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    runtime: Runtime,
    current: ArcSwap<Generation>,
    trial: ArcSwapOption<Trial>,
    strikes: ArcSwapOption<Strikes>,
    /// There while the policy that judges says what makes a flood.
    flood: ArcSwapOption<FloodWatch>,
    /// Held while a generation is made, so that numbers ascend in the order of swaps.
    swapping: Mutex<Swapping>,
    refused: AtomicU64,
    /// Workers that are alive.
    workers: AtomicUsize,
}

#[derive(Debug)]
struct Swapping {
    last_number: u64,
    /// How often one generation replaced another.
    swaps: u64,
    /// Counters of the newest generations, the one that judges included, the newest last.
    history: VecDeque<(u64, Arc<Stats>)>,
}

impl Filter {
    /// A filter with its first generation.
    ///
    /// # Errors
    /// If the module does not start with that pack and policy.
    pub fn new(runtime: &Runtime, parts: Parts) -> Result<Filter, LoadError> {
        Filter::with_origin(runtime, parts, None)
    }

    /// As [`new`](Filter::new), of a bundle.
    pub(crate) fn with_origin(runtime: &Runtime, parts: Parts, origin: Option<Origin>) -> Result<Filter, LoadError> {
        let first = Generation::new(runtime, 1, parts, origin, 1)?;
        let history = VecDeque::from([(1, first.stats.clone())]);
        let flood = first.parts.policy.flood().map(|policy| Arc::new(FloodWatch::new(policy.clone())));
        let shared = Shared {
            runtime: runtime.clone(),
            current: ArcSwap::from_pointee(first),
            trial: ArcSwapOption::empty(),
            strikes: ArcSwapOption::empty(),
            flood: ArcSwapOption::new(flood),
            swapping: Mutex::new(Swapping { last_number: 1, swaps: 0, history }),
            refused: AtomicU64::new(0),
            workers: AtomicUsize::new(0),
        };
        Ok(Filter { shared: Arc::new(shared) })
    }

    /// Replaces the generation and returns the number of the new one. Workers move to it before their
    /// next batch; a message never sees two. Everything that can fail happens before anything changes, and
    /// each worker finds a sandbox ready, its pages touched: that costs this call time and memory for each worker.
    ///
    /// # Errors
    /// If the module does not start with that pack and policy. The old generation goes on.
    pub fn swap(&self, parts: Parts) -> Result<u64, LoadError> {
        self.swap_with_origin(parts, None)
    }

    /// As [`swap`](Filter::swap), to a bundle.
    pub(crate) fn swap_with_origin(&self, parts: Parts, origin: Option<Origin>) -> Result<u64, LoadError> {
        let mut swapping = self.swapping();
        let next = self.next(&mut swapping, parts, origin)?;
        let number = next.number();
        swapping.history.push_back((number, next.stats.clone()));
        swapping.swaps += 1;
        if swapping.history.len() > HISTORY + 1 {
            swapping.history.pop_front();
        }
        // What was counted stays while the limits do.
        let flood = next.parts.policy.flood();
        if self.shared.flood.load().as_ref().map(|watch| watch.policy()) != flood {
            self.shared.flood.store(flood.map(|policy| Arc::new(FloodWatch::new(policy.clone()))));
        }
        let old = self.shared.current.swap(Arc::new(next));
        // Sandboxes that no worker took, and perhaps all of it.
        self.shared.runtime.bury(old);
        Ok(number)
    }

    fn swapping(&self) -> MutexGuard<'_, Swapping> {
        self.shared.swapping.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self, swapping: &mut Swapping, parts: Parts, origin: Option<Origin>) -> Result<Generation, LoadError> {
        let workers = self.shared.workers.load(Ordering::Relaxed);
        let next = Generation::new(&self.shared.runtime, swapping.last_number + 1, parts, origin, workers);
        match &next {
            Ok(_) => swapping.last_number += 1,
            Err(_) => _ = self.shared.refused.fetch_add(1, Ordering::Relaxed),
        }
        next
    }

    /// Tries parts out on live messages of the senders in `share` of 10,000 buckets, beside the generation
    /// that judges: watching only, or judging those senders' messages. Replaces a trial that runs. Returns
    /// the number of the trial's generation; [`swap`](Filter::swap) to the same parts makes them judge all.
    ///
    /// # Errors
    /// If the module does not start with that pack and policy.
    pub fn try_out(&self, parts: Parts, mode: TrialMode, share: u16) -> Result<u64, LoadError> {
        self.try_out_from(parts, None, mode, share, Seen::default())
    }

    /// As [`try_out`](Filter::try_out), of a bundle, going on from what was seen before.
    pub(crate) fn try_out_from(
        &self,
        parts: Parts,
        origin: Option<Origin>,
        mode: TrialMode,
        share: u16,
        seen: Seen,
    ) -> Result<u64, LoadError> {
        let mut swapping = self.swapping();
        let next = self.next(&mut swapping, parts, origin)?;
        let number = next.number();
        self.shared.trial.store(Some(Arc::new(Trial::new(Arc::new(next), mode, share, seen))));
        Ok(number)
    }

    /// Lets the generation on trial do something else, for other senders; counts anew. Returns its number, if there
    /// is one.
    pub(crate) fn change_trial(&self, mode: TrialMode, share: u16) -> Option<u64> {
        let generation = self.trial()?.generation().clone();
        let number = generation.number();
        self.shared.trial.store(Some(Arc::new(Trial::new(generation, mode, share, Seen::default()))));
        Some(number)
    }

    /// Ends the trial and returns it.
    pub fn end_trial(&self) -> Option<Arc<Trial>> {
        self.shared.trial.swap(None)
    }

    /// The trial that runs.
    #[must_use]
    pub fn trial(&self) -> Option<Arc<Trial>> {
        self.shared.trial.load_full()
    }

    /// Whether this trial, or none, is the one that runs.
    pub(crate) fn is_trial(&self, known: Option<&Arc<Trial>>) -> bool {
        match (&*self.shared.trial.load(), known) {
            (None, None) => true,
            (Some(runs), Some(known)) => Arc::ptr_eq(runs, known),
            _ => false,
        }
    }

    /// Counts messages that are held or blocked by their senders from here on.
    pub fn count_strikes(&self, strikes: Strikes) {
        self.shared.strikes.store(Some(Arc::new(strikes)));
    }

    pub(crate) fn strikes(&self) -> Option<Arc<Strikes>> {
        self.shared.strikes.load_full()
    }

    /// What counts floods, if the policy that judges says what makes one. A policy with other limits begins anew.
    #[must_use]
    pub fn flood_watch(&self) -> Option<Arc<FloodWatch>> {
        self.shared.flood.load_full()
    }

    /// How often one generation replaced another.
    #[must_use]
    pub fn swaps(&self) -> u64 {
        self.swapping().swaps
    }

    /// How often a swap was refused.
    #[must_use]
    pub fn swaps_refused(&self) -> u64 {
        self.shared.refused.load(Ordering::Relaxed)
    }

    /// Counters of the newest generations, the one that judges last.
    pub(crate) fn history(&self) -> Vec<(u64, Arc<Stats>)> {
        self.swapping().history.iter().cloned().collect()
    }

    /// The generation that judges now.
    #[must_use]
    pub fn generation(&self) -> Arc<Generation> {
        self.shared.current.load_full()
    }

    /// A worker for one thread.
    ///
    /// # Errors
    /// If no sandbox can be made.
    pub fn worker(&self) -> Result<Worker, LoadError> {
        Worker::new(self.clone())
    }

    /// Counts a worker, for whom each next generation has a sandbox ready.
    pub(crate) fn enter(&self) {
        self.shared.workers.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts it out.
    pub(crate) fn leave(&self) {
        self.shared.workers.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        &self.shared.runtime
    }

    pub(crate) fn is_current(&self, generation: &Arc<Generation>) -> bool {
        Arc::ptr_eq(&self.shared.current.load(), generation)
    }
}
