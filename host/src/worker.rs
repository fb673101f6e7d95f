//! A worker: one thread's access to a filter. Holds one sandbox, moves to the newest generation between
//! batches, and makes sure that every message gets exactly one verdict.

use std::sync::Arc;
use std::time::Instant;

use tamis_guest::wire::batch_len;
use tamis_guest::{Action, Message, Verdict, VerdictFlags};

use crate::filter::{Filter, Generation, Parts};
use crate::instance::Instance;
use crate::side::{SideSeat, SideVerdict};
use crate::strikes::Strike;
use crate::{Delivery, FloodSigns, LoadError, Runtime, ScanFailure, SideModule, Trial, TrialMode};

/// The verdict on one message, and where it came from.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Judged {
    /// The verdict; after a failure, the policy's answer to failures, without matches. Its action is no milder than
    /// what the policy says of a flood, if it is part of one.
    pub verdict: Verdict,
    /// Number of the generation that judged.
    pub generation: u64,
    /// Why the filter has no verdict of its own.
    pub failure: Option<ScanFailure>,
    /// What the modules beside the filter said, in their order. The action of the verdict is the worst of all.
    pub sides: Vec<SideVerdict>,
    /// How many messages of this sender were held or blocked lately, this one included; 0 unless
    /// [`Filter::count_strikes`] was called.
    pub strikes: u32,
    /// What is known of its company; nothing unless the policy says what makes a flood.
    pub flood: FloodSigns,
    /// What the generation on trial would have done, if that is something else.
    pub would_be: Option<Action>,
}

/// Judges messages on one thread.
#[derive(Debug)]
pub struct Worker {
    filter: Filter,
    seat: Seat,
    trial: Option<(Arc<Trial>, Seat)>,
}

/// A generation with the sandbox of this thread.
#[derive(Debug)]
struct Seat {
    generation: Arc<Generation>,
    /// `None` after a failure, until the next message needs one.
    instance: Option<Instance>,
    /// Of the modules beside.
    sides: Vec<SideSeat>,
}

impl Worker {
    pub(crate) fn new(filter: Filter) -> Result<Worker, LoadError> {
        let generation = filter.generation();
        let instance = match generation.take_ready() {
            Some(instance) => instance,
            None => Instance::new(filter.runtime(), &generation).map_err(LoadError::Start)?,
        };
        filter.enter();
        Ok(Worker { filter, seat: Seat::new(generation, Some(instance), Vec::new()), trial: None })
    }

    /// The generation that judged the last messages; look terms up in its pack.
    #[must_use]
    pub fn generation(&self) -> &Arc<Generation> {
        &self.seat.generation
    }

    /// The generation that gave this verdict, of the last call: [`generation`](Worker::generation), or the one
    /// on trial.
    #[must_use]
    pub fn generation_of(&self, judged: &Judged) -> &Arc<Generation> {
        match &self.trial {
            Some((_, seat)) if seat.generation.number() == judged.generation => &seat.generation,
            _ => &self.seat.generation,
        }
    }

    /// Bytes of the sandbox's memory, the shared pack included.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.seat.instance.as_ref().map_or(0, Instance::memory_bytes)
    }

    /// Judges messages: `judged[i]` is the answer to `messages[i]`, all by one generation, the newest
    /// when the call began, but for those that a trial judges. Up to 64 messages cross into the
    /// sandbox at once; give it that many when you have them. Reuses what `judged` holds.
    ///
    /// Costs about 60 ns a message more than the scan itself, and 200 ns more a call.
    pub fn scan(&mut self, messages: &[Message<'_>], judged: &mut Vec<Judged>) {
        self.follow();
        self.scan_pinned(messages, judged);
    }

    /// As [`scan`](Worker::scan), by the generation the worker is at, even if there is a newer one: for
    /// callers that looked something up in it, such as the number of a channel.
    pub fn scan_pinned(&mut self, messages: &[Message<'_>], judged: &mut Vec<Judged>) {
        self.scan_pinned_to(messages, &[], judged);
    }

    /// As [`scan_pinned`](Worker::scan_pinned), where it is known who messages go to, or when: `deliveries[i]` is of
    /// `messages[i]`. Floods are told by it, if the policy says what makes one, and trials choose by it where there is
    /// no sender.
    pub fn scan_pinned_to(&mut self, messages: &[Message<'_>], deliveries: &[Delivery<'_>], judged: &mut Vec<Judged>) {
        judged.resize_with(messages.len(), Judged::default);
        if !self.filter.is_trial(self.trial.as_ref().map(|(trial, _)| trial)) {
            self.follow_trial();
        }
        let runtime = self.filter.runtime();
        match &mut self.trial {
            None => self.seat.scan(runtime, messages, judged),
            Some((trial, on_trial)) => {
                let is_taken = |at: usize| trial.takes(&messages[at], deliveries.get(at).copied().unwrap_or_default());
                let parted = (0..messages.len()).partition(|&at| is_taken(at));
                scan_with_trial(runtime, &mut self.seat, trial, on_trial, messages, parted, judged);
            }
        }
        if let Some(watch) = self.filter.flood_watch() {
            let Parts { pack, policy, .. } = self.seat.generation.parts();
            let mut opened = None;
            for (at, (message, judged)) in messages.iter().zip(judged.iter_mut()).enumerate() {
                judged.flood = watch.see(message, deliveries.get(at).copied().unwrap_or_default());
                if judged.flood.is_flood() {
                    let pack = opened.get_or_insert_with(|| pack.pack());
                    let action = judged.flood.action(pack, policy, message);
                    judged.verdict.action = judged.verdict.action.max(action);
                }
            }
        }
        for (message, judged) in messages.iter().zip(judged.iter_mut()) {
            self.count_strike(message.sender, judged);
        }
    }

    /// Counts what a sender did, if that is asked for.
    pub(crate) fn count_strike(&self, sender: &[u8], judged: &mut Judged) {
        if let Some(strikes) = self.filter.strikes() {
            let is_strike = if judged.verdict.action >= Action::Hold { Strike::Yes } else { Strike::No };
            judged.strikes = if sender.is_empty() { 0 } else { strikes.count(sender, is_strike, Instant::now()) };
        }
    }

    /// The sandbox, a fresh one if there is none.
    pub(crate) fn instance(&mut self) -> Result<&mut Instance, ScanFailure> {
        self.seat.instance(self.filter.runtime())
    }

    /// Gives the sandbox up.
    pub(crate) fn retire(&mut self) {
        if let Some(old) = self.seat.instance.take() {
            self.filter.runtime().bury(old);
        }
    }

    /// Gives the sandbox up before it runs into its limit.
    pub(crate) fn retire_if_worn(&mut self) {
        if self.seat.instance.as_ref().is_some_and(Instance::is_worn) {
            self.retire();
        }
    }

    /// Moves to the newest generation, as [`scan`](Worker::scan) does by itself; see
    /// [`scan_pinned`](Worker::scan_pinned).
    pub fn follow(&mut self) {
        if self.filter.is_current(&self.seat.generation) {
            return;
        }
        let generation = self.filter.generation();
        let instance = generation.take_ready();
        // This worker may be the last that holds it, and unmapping it takes longer than a batch.
        let sides = std::mem::take(&mut self.seat.sides);
        let old = std::mem::replace(&mut self.seat, Seat::new(generation, instance, sides));
        self.filter.runtime().bury(old);
    }

    fn follow_trial(&mut self) {
        if let Some(old) = self.trial.take() {
            self.filter.runtime().bury(old);
        }
        self.trial = self.filter.trial().map(|trial| {
            let generation = trial.generation().clone();
            let instance = generation.take_ready();
            (trial, Seat::new(generation, instance, Vec::new()))
        });
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.filter.leave();
    }
}

/// Judges with a generation on trial beside, which takes some messages and not the others.
fn scan_with_trial(
    runtime: &Runtime,
    seat: &mut Seat,
    trial: &Trial,
    on_trial: &mut Seat,
    messages: &[Message<'_>],
    (taken, others): (Vec<usize>, Vec<usize>),
    judged: &mut [Judged],
) {
    // Its policy may number channels in another way.
    let (live, tried) = (&seat.generation.parts().policy, &on_trial.generation.parts().policy);
    let translated = |at: &usize| {
        let message = messages[*at];
        let name = live.channels().get(usize::from(message.channel.0));
        Message { channel: name.map(|name| tried.channel(name)).unwrap_or_default(), ..message }
    };
    let for_trial: Vec<Message<'_>> = taken.iter().map(translated).collect();
    let mut by_trial = vec![Judged::default(); taken.len()];
    on_trial.scan(runtime, &for_trial, &mut by_trial);
    match trial.mode() {
        TrialMode::Watch => {
            seat.scan(runtime, messages, judged);
            for (at, tried) in taken.into_iter().zip(&by_trial) {
                trial.compare(&mut judged[at], tried);
            }
        }
        TrialMode::Judge => {
            trial.count(&by_trial);
            let rest: Vec<Message<'_>> = others.iter().map(|&at| messages[at]).collect();
            let mut by_live = vec![Judged::default(); rest.len()];
            seat.scan(runtime, &rest, &mut by_live);
            for (at, one) in taken.into_iter().zip(by_trial).chain(others.into_iter().zip(by_live)) {
                judged[at] = one;
            }
        }
    }
}

impl Seat {
    /// A seat; sandboxes of modules beside that are also beside this generation go on.
    fn new(generation: Arc<Generation>, instance: Option<Instance>, mut known: Vec<SideSeat>) -> Seat {
        let seat = |module: &SideModule| match known.iter().position(|seat| seat.module().is(module)) {
            Some(at) => known.swap_remove(at),
            None => SideSeat::new(module),
        };
        let sides = generation.parts().module.sides().iter().map(seat).collect();
        Seat { generation, instance, sides }
    }

    fn scan(&mut self, runtime: &Runtime, messages: &[Message<'_>], judged: &mut [Judged]) {
        if messages.is_empty() {
            return;
        }
        let start = Instant::now();
        for answer in judged.iter_mut() {
            answer.generation = self.generation.number();
            answer.failure = None;
            answer.flood = FloodSigns::default();
            answer.would_be = None;
            answer.sides.clear();
        }
        let mut from = 0;
        while from < messages.len() {
            let end = from + batch_len(&messages[from..]).max(1);
            from += self.scan_batch(runtime, &messages[from..end], &mut judged[from..end]);
        }
        for side in &mut self.sides {
            for (message, judged) in messages.iter().zip(judged.iter_mut()) {
                let said = side.judge(runtime, message, self.generation.failure_action(message.channel));
                judged.verdict.action = judged.verdict.action.max(said.action);
                judged.sides.push(said);
            }
        }
        self.generation.stats.add(&self.generation.parts().pack, judged, start.elapsed());
    }

    /// Judges the batch, or at least the first message of it; returns how many.
    fn scan_batch(&mut self, runtime: &Runtime, messages: &[Message<'_>], judged: &mut [Judged]) -> usize {
        let (done, failure) = self.attempt(runtime, messages, judged);
        if failure.is_none() || done == messages.len() {
            return done;
        }
        // The message at the cursor is the suspect: once more, alone, in a fresh sandbox.
        let (poisoned, answer) = (&messages[done..=done], &mut judged[done..=done]);
        if let (0, Some(failure)) = self.attempt(runtime, poisoned, answer) {
            let channel = poisoned[0].channel;
            answer[0].verdict.action = self.generation.failure_action(channel);
            answer[0].verdict.flags = VerdictFlags::default();
            answer[0].verdict.matches.clear();
            answer[0].failure = Some(failure);
        }
        done + 1
    }

    fn instance(&mut self, runtime: &Runtime) -> Result<&mut Instance, ScanFailure> {
        match &mut self.instance {
            Some(instance) => Ok(instance),
            none => Ok(none.insert(Instance::new(runtime, &self.generation)?)),
        }
    }

    fn attempt(
        &mut self,
        runtime: &Runtime,
        messages: &[Message<'_>],
        judged: &mut [Judged],
    ) -> (usize, Option<ScanFailure>) {
        let instance = match self.instance(runtime) {
            Ok(instance) => instance,
            Err(failure) => return (0, Some(failure)),
        };
        let (done, failure) = instance.scan(messages, judged);
        let is_worn = instance.is_worn();
        if (failure.is_some() || is_worn)
            && let Some(old) = self.instance.take()
        {
            runtime.bury(old);
        }
        (done, failure)
    }
}
