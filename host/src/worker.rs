//! A worker: one thread's access to a filter. Holds one sandbox, moves to the newest generation between
//! batches, and makes sure that every message gets exactly one verdict.

use std::sync::Arc;

use tamis_guest::wire::batch_len;
use tamis_guest::{Message, Verdict, VerdictFlags};

use crate::filter::{Filter, Generation};
use crate::instance::Instance;
use crate::{LoadError, ScanFailure};

/// The verdict on one message, and where it came from.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Judged {
    /// The verdict; after a failure, the policy's answer to failures, without matches.
    pub verdict: Verdict,
    /// Number of the generation that judged.
    pub generation: u64,
    /// Why the filter has no verdict of its own.
    pub failure: Option<ScanFailure>,
}

/// Judges messages on one thread.
#[derive(Debug)]
pub struct Worker {
    filter: Filter,
    generation: Arc<Generation>,
    /// `None` after a failure, until the next message needs one.
    instance: Option<Instance>,
}

impl Worker {
    pub(crate) fn new(filter: Filter) -> Result<Worker, LoadError> {
        let generation = filter.generation();
        let instance = Instance::new(filter.runtime(), &generation).map_err(LoadError::Start)?;
        Ok(Worker { filter, generation, instance: Some(instance) })
    }

    /// The generation that judged the last messages; look terms up in its pack.
    #[must_use]
    pub fn generation(&self) -> &Arc<Generation> {
        &self.generation
    }

    /// Bytes of the sandbox's memory, the shared pack included.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.instance.as_ref().map_or(0, Instance::memory_bytes)
    }

    /// Judges messages: `judged[i]` is the answer to `messages[i]`, all by one generation, the newest
    /// when the call began. Up to 64 messages cross into the sandbox at once; give it that many when
    /// you have them. Reuses what `judged` holds.
    ///
    /// Costs about 40 ns a message more than the scan itself, and 100 ns more a call.
    pub fn scan(&mut self, messages: &[Message<'_>], judged: &mut Vec<Judged>) {
        self.follow();
        self.scan_pinned(messages, judged);
    }

    /// As [`scan`](Worker::scan), by the generation the worker is at, even if there is a newer one: for
    /// callers that looked something up in it, such as the number of a channel.
    pub fn scan_pinned(&mut self, messages: &[Message<'_>], judged: &mut Vec<Judged>) {
        judged.resize_with(messages.len(), Judged::default);
        for answer in judged.iter_mut() {
            answer.generation = self.generation.number();
            answer.failure = None;
        }
        let mut from = 0;
        while from < messages.len() {
            let end = from + batch_len(&messages[from..]).max(1);
            from += self.scan_batch(&messages[from..end], &mut judged[from..end]);
        }
    }

    /// Moves to the newest generation, as [`scan`](Worker::scan) does by itself; see
    /// [`scan_pinned`](Worker::scan_pinned).
    pub fn follow(&mut self) {
        if self.filter.is_current(&self.generation) {
            return;
        }
        self.generation = self.filter.generation();
        if let Some(old) = self.instance.take() {
            self.filter.runtime().bury(old);
        }
    }

    /// Judges the batch, or at least the first message of it; returns how many.
    fn scan_batch(&mut self, messages: &[Message<'_>], judged: &mut [Judged]) -> usize {
        let (done, failure) = self.attempt(messages, judged);
        if failure.is_none() || done == messages.len() {
            return done;
        }
        // The message at the cursor is the suspect: once more, alone, in a fresh sandbox.
        let (poisoned, answer) = (&messages[done..=done], &mut judged[done..=done]);
        if let (0, Some(failure)) = self.attempt(poisoned, answer) {
            let channel = poisoned[0].channel;
            answer[0].verdict.action = self.generation.failure_action(channel);
            answer[0].verdict.flags = VerdictFlags::default();
            answer[0].verdict.matches.clear();
            answer[0].failure = Some(failure);
        }
        done + 1
    }

    fn attempt(&mut self, messages: &[Message<'_>], judged: &mut [Judged]) -> (usize, Option<ScanFailure>) {
        let instance = match &mut self.instance {
            Some(instance) => instance,
            none => match Instance::new(self.filter.runtime(), &self.generation) {
                Ok(instance) => none.insert(instance),
                Err(failure) => return (0, Some(failure)),
            },
        };
        let (done, failure) = instance.scan(messages, judged);
        if failure.is_some()
            && let Some(broken) = self.instance.take()
        {
            self.filter.runtime().bury(broken);
        }
        (done, failure)
    }
}
