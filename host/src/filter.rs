//! A filter and its generations: immutable sets of module, pack and policy, replaced whole or not at all.

use std::sync::Arc;
use std::sync::Mutex;

use arc_swap::ArcSwap;
use tamis_guest::compile::FailurePolicy;
use tamis_guest::{Action, ChannelId, Policy};

use crate::instance::Instance;
use crate::{LoadError, Module, PackImage, Runtime, Worker};

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
}

/// Module, pack and policy that judge together. Never changes.
#[derive(Debug)]
pub struct Generation {
    number: u64,
    origin: Option<Origin>,
    parts: Parts,
    policy_table: Vec<u8>,
    pub(crate) memory_module: wasmtime::Module,
}

impl Generation {
    fn new(runtime: &Runtime, number: u64, parts: Parts, origin: Option<Origin>) -> Result<Generation, LoadError> {
        let memory_module = parts.pack.memory_module(runtime.engine(), parts.module.pages)?;
        let generation = Generation { number, origin, policy_table: parts.policy.table(), parts, memory_module };
        // Starts once before any message depends on it; this also maps the pack.
        let instance = Instance::new(runtime, &generation).map_err(LoadError::Start)?;
        runtime.bury(instance);
        Ok(generation)
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
    /// Held while a generation is made, so that numbers ascend in the order of swaps.
    swapping: Mutex<()>,
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
        let first = Generation::new(runtime, 1, parts, origin)?;
        let shared =
            Shared { runtime: runtime.clone(), current: ArcSwap::from_pointee(first), swapping: Mutex::new(()) };
        Ok(Filter { shared: Arc::new(shared) })
    }

    /// Replaces the generation and returns the number of the new one. Workers move to it before their
    /// next batch; a message never sees two. Everything that can fail happens before anything changes.
    ///
    /// # Errors
    /// If the module does not start with that pack and policy. The old generation goes on.
    pub fn swap(&self, parts: Parts) -> Result<u64, LoadError> {
        self.swap_with_origin(parts, None)
    }

    /// As [`swap`](Filter::swap), to a bundle.
    pub(crate) fn swap_with_origin(&self, parts: Parts, origin: Option<Origin>) -> Result<u64, LoadError> {
        let _one_at_a_time = self.shared.swapping.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let number = self.generation().number + 1;
        let next = Generation::new(&self.shared.runtime, number, parts, origin)?;
        self.shared.current.store(Arc::new(next));
        Ok(number)
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

    pub(crate) fn runtime(&self) -> &Runtime {
        &self.shared.runtime
    }

    pub(crate) fn is_current(&self, generation: &Arc<Generation>) -> bool {
        Arc::ptr_eq(&self.shared.current.load(), generation)
    }
}
