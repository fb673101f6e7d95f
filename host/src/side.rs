//! Filter modules of others beside the filter of the lists: what they may use, who they say they are, and what they
//! said of a message. They run on an engine of their own that counts fuel, so that the same message always gets as
//! far; they have no pack. Writing one is the business of `tamis_guest::sdk`.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tamis_guest::wire::{MESSAGE_BYTES_MAX, REASON_BYTES_MAX, REASONS_MAX};
use tamis_guest::{Action, Match, Message, Span};

use crate::instance::Instance;
use crate::{Judged, LoadError, Runtime, ScanFailure};

/// Failures in a row after which a module is left alone for a while: each costs two tries.
const FAILURES_IN_A_ROW_MAX: u32 = 16;
/// How long.
const REST: Duration = Duration::from_secs(10);

/// What a module beside the filter may use, and what it is told.
#[derive(Clone, Debug)]
pub struct SideConfig {
    pub(crate) settings: String,
    pub(crate) memory_bytes_max: usize,
    pub(crate) fuel_message: u64,
    pub(crate) fuel_byte: u64,
    pub(crate) action_max: Action,
}

impl Default for SideConfig {
    fn default() -> SideConfig {
        SideConfig {
            settings: String::new(),
            memory_bytes_max: 16 << 20,
            fuel_message: 2_000_000,
            fuel_byte: 2_000,
            action_max: Action::Block,
        }
    }
}

impl SideConfig {
    /// A text that the module gets when it starts. Default empty.
    pub fn settings(&mut self, settings: &str) -> &mut SideConfig {
        settings.clone_into(&mut self.settings);
        self
    }

    /// How much memory it may have, in bytes. Default 16 MiB; the areas at the border take 1.2 MiB of it.
    pub fn memory_bytes_max(&mut self, bytes: usize) -> &mut SideConfig {
        self.memory_bytes_max = bytes;
        self
    }

    /// How much work it may do for a message, in WebAssembly operators: so many for each message, and so many for
    /// each byte of its text. Bytes that a bulk operation moves count as operators. Default 2,000,000 and 2,000.
    /// Starting may take ten times as much as the longest message.
    pub fn fuel(&mut self, for_message: u64, for_byte: u64) -> &mut SideConfig {
        (self.fuel_message, self.fuel_byte) = (for_message, for_byte);
        self
    }

    /// The worst it may bring about; what is worse counts as this. Default block.
    pub fn action_max(&mut self, action: Action) -> &mut SideConfig {
        self.action_max = action;
        self
    }

    /// The fuel for a text of that length.
    pub(crate) fn fuel_for(&self, bytes: usize) -> u64 {
        self.fuel_message.saturating_add(self.fuel_byte.saturating_mul(bytes.min(MESSAGE_BYTES_MAX) as u64))
    }

    pub(crate) fn fuel_for_start(&self) -> u64 {
        self.fuel_for(MESSAGE_BYTES_MAX).saturating_mul(10)
    }
}

/// A filter module of others: checked and compiled. Cloning shares it.
#[derive(Clone)]
pub struct SideModule {
    shared: Arc<Shared>,
}

struct Shared {
    compiled: wasmtime::Module,
    config: SideConfig,
    description: Description,
    in_a_row: AtomicU32,
    /// When it may be tried again, in milliseconds since `started`.
    rests_until: AtomicU64,
    started: Instant,
    acted: AtomicU64,
    failed: AtomicU64,
}

impl fmt::Debug for SideModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SideModule").field("name", &self.name()).finish_non_exhaustive()
    }
}

impl SideModule {
    pub(crate) fn new(compiled: wasmtime::Module, config: &SideConfig, description: Description) -> SideModule {
        let shared = Shared {
            compiled,
            config: config.clone(),
            description,
            in_a_row: AtomicU32::new(0),
            rests_until: AtomicU64::new(0),
            started: Instant::now(),
            acted: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        };
        SideModule { shared: Arc::new(shared) }
    }

    /// What it calls itself.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.shared.description.name
    }

    /// The reasons it may give.
    #[must_use]
    pub fn reasons(&self) -> &[Arc<str>] {
        &self.shared.description.reasons
    }

    /// On how many messages it has acted, and on how many it has failed, in all generations.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        (self.shared.acted.load(Ordering::Relaxed), self.shared.failed.load(Ordering::Relaxed))
    }

    pub(crate) fn compiled(&self) -> &wasmtime::Module {
        &self.shared.compiled
    }

    pub(crate) fn config(&self) -> &SideConfig {
        &self.shared.config
    }

    pub(crate) fn is(&self, other: &SideModule) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// Whether it is left alone now, after many failures.
    pub(crate) fn rests(&self) -> bool {
        self.shared.rests_until.load(Ordering::Relaxed) > self.millis()
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.shared.started.elapsed().as_millis()).unwrap_or(u64::MAX / 2)
    }

    /// Counts what came of a message.
    pub(crate) fn note(&self, said: &SideVerdict) {
        match &said.failure {
            None => {
                self.shared.in_a_row.store(0, Ordering::Relaxed);
                if said.action > Action::Allow {
                    self.shared.acted.fetch_add(1, Ordering::Relaxed);
                }
            }
            Some(failure) => {
                self.shared.failed.fetch_add(1, Ordering::Relaxed);
                let tried = *failure != ScanFailure::Resting;
                if tried && self.shared.in_a_row.fetch_add(1, Ordering::Relaxed) + 1 >= FAILURES_IN_A_ROW_MAX {
                    let until = self.millis() + u64::try_from(REST.as_millis()).unwrap_or(0);
                    self.shared.rests_until.store(until, Ordering::Relaxed);
                    tracing::error!(
                        module = &**self.name(),
                        "a module fails on every message and rests for 10 s: {failure}"
                    );
                }
            }
        }
    }
}

/// One thread's sandbox of a module beside the filter.
#[derive(Debug)]
pub(crate) struct SideSeat {
    module: SideModule,
    /// `None` after a failure, until the next message needs one.
    instance: Option<Instance>,
    answer: [Judged; 1],
}

impl SideSeat {
    /// A seat; its sandbox is made when a message needs it.
    pub(crate) fn new(module: &SideModule) -> SideSeat {
        SideSeat { module: module.clone(), instance: None, answer: Default::default() }
    }

    pub(crate) fn module(&self) -> &SideModule {
        &self.module
    }

    /// Judges a message, alone: at most twice, the second time in a fresh sandbox. A failure is answered with
    /// `on_failure`.
    pub(crate) fn judge(&mut self, runtime: &Runtime, message: &Message<'_>, on_failure: Action) -> SideVerdict {
        let failure = if self.module.rests() {
            Some(ScanFailure::Resting)
        } else {
            // The first may be to blame on what the sandbox kept from messages before.
            let is_fresh = self.instance.is_none();
            let failure = self.attempt(runtime, message);
            if is_fresh { failure } else { failure.and_then(|_| self.attempt(runtime, message)) }
        };
        let module = self.module.name().clone();
        let said = match failure {
            Some(_) => SideVerdict { module, action: on_failure, findings: Vec::new(), failure },
            None => {
                let verdict = &self.answer[0].verdict;
                let finding = |found: &Match| Finding {
                    span: found.span,
                    // Checked against their number when the answer was read.
                    reason: self.module.reasons()[found.term.0 as usize].clone(),
                };
                let findings = verdict.matches.iter().map(finding).collect();
                let asked = if verdict.action == Action::Mask { Action::Hold } else { verdict.action };
                SideVerdict { module, action: asked.min(self.module.config().action_max), findings, failure: None }
            }
        };
        self.module.note(&said);
        said
    }

    fn attempt(&mut self, runtime: &Runtime, message: &Message<'_>) -> Option<ScanFailure> {
        let instance = match &mut self.instance {
            Some(instance) => instance,
            none => match Instance::of_side(&self.module) {
                Ok(instance) => none.insert(instance),
                Err(failure) => return Some(failure),
            },
        };
        let (_, failure) = instance.scan(std::slice::from_ref(message), &mut self.answer);
        if (failure.is_some() || instance.is_worn())
            && let Some(old) = self.instance.take()
        {
            runtime.bury(old);
        }
        failure
    }
}

/// What a module beside the filter said of a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SideVerdict {
    /// The module's name.
    pub module: Arc<str>,
    /// What it asks for, at most what it may; after a failure, the policy's answer to failures.
    pub action: Action,
    /// What it found, in its order.
    pub findings: Vec<Finding>,
    /// Why it has no verdict.
    pub failure: Option<ScanFailure>,
}

impl SideVerdict {
    /// Whether it is more than that nothing was found.
    #[must_use]
    pub fn says_something(&self) -> bool {
        self.action > Action::Allow || !self.findings.is_empty() || self.failure.is_some()
    }
}

/// Something that a module beside the filter found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// Where, in bytes of the message.
    pub span: Span,
    /// Why, in its own words.
    pub reason: Arc<str>,
}

/// What a module says of itself, in the section [`SIDE_SECTION`](tamis_guest::wire::SIDE_SECTION).
#[derive(Clone, Debug)]
pub(crate) struct Description {
    name: Arc<str>,
    reasons: Vec<Arc<str>>,
}

impl Description {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Description, LoadError> {
        let wrong = |reason: &str| LoadError::NotAModule(format!("its section `tamis_side` {reason}"));
        let text = std::str::from_utf8(bytes).map_err(|_| wrong("is not UTF-8"))?;
        let mut lines = text.split('\n');
        let name = lines.next().unwrap_or_default();
        let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if name.is_empty() || name.len() > REASON_BYTES_MAX || !name.bytes().all(is_good) {
            return Err(wrong("begins with a name that is none: letters, digits, `.`, `-` and `_`"));
        }
        let reasons: Vec<Arc<str>> = lines.map(Arc::from).collect();
        let is_reason = |reason: &Arc<str>| {
            !reason.is_empty() && reason.len() <= REASON_BYTES_MAX && !reason.contains(char::is_control)
        };
        if reasons.is_empty() || reasons.len() > REASONS_MAX || !reasons.iter().all(is_reason) {
            return Err(wrong(&format!("has 1 to {REASONS_MAX} reasons of 1 to {REASON_BYTES_MAX} bytes")));
        }
        Ok(Description { name: Arc::from(name), reasons })
    }
}
