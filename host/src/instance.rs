//! One sandbox: a filter with its memory, its areas and its limits. Everything it says is checked here.

use std::fmt;

use tamis_guest::wire::{
    BATCH_MESSAGES_MAX, IN_BYTES, MESSAGE_BYTES_MAX, OUT_BYTES, OUT_HEADER, SENDER_BYTES_MAX, read_verdict,
    read_verdict_on, write_batch,
};
use tamis_guest::{ChannelId, Message, Verdict};
use wasmtime::{Engine, Memory, Store, StoreLimits, StoreLimitsBuilder, Trap, TypedFunc};

use crate::filter::Generation;
use crate::pack_image::make_image;
use crate::runtime::TABLE_ELEMENTS_MAX;
use crate::{Judged, Runtime, ScanFailure, SideModule};

/// Smallest page of the systems this runs on.
const PAGE_BYTES: usize = 4096;
/// Messages that make a fresh sandbox ready.
const WARMING: [&str; 2] = [
    "Hi, are we still on for lunch tomorrow at 12? Your parcel 8812 is out for delivery. Reply STOP to end.",
    "明天下午三点在老地方见，记得带上次借的那本书，晚上一起吃饭。",
];

pub(crate) struct Instance {
    store: Store<StoreLimits>,
    memory: Memory,
    scan: TypedFunc<(u32, u32), i32>,
    /// `None` in modules that judge messages only.
    upload: Option<UploadCalls>,
    in_address: usize,
    out_address: usize,
    limit: Limit,
    terms_count: usize,
    /// Memory from which on it is to be replaced.
    worn_bytes: usize,
}

/// What judges uploads.
struct UploadCalls {
    begin: TypedFunc<(u32, u32), i32>,
    push: TypedFunc<u32, i32>,
    finish: TypedFunc<(), i32>,
}

impl UploadCalls {
    fn of(filter: &wasmtime::Instance, store: &mut Store<StoreLimits>) -> Option<UploadCalls> {
        Some(UploadCalls {
            begin: filter.get_typed_func(&mut *store, "tamis_upload").ok()?,
            push: filter.get_typed_func(&mut *store, "tamis_push").ok()?,
            finish: filter.get_typed_func(store, "tamis_finish").ok()?,
        })
    }
}

/// What is known of an upload without its text.
#[derive(Clone, Copy)]
pub(crate) struct UploadOrigin {
    pub(crate) bytes: u64,
    pub(crate) has_sender: bool,
}

/// How much one call may do.
#[derive(Clone, Copy)]
enum Limit {
    /// Ticks of the runtime's clock: costs little, and is not to the instruction.
    Deadline { ticks: u64 },
    /// Operators, for each message and for each byte of its text: always the same for the same message.
    Fuel { message: u64, byte: u64 },
}

/// What a module is started with.
struct Start<'a> {
    /// Address and length of the pack in its memory.
    pack: (u64, usize),
    /// Policy table, or settings.
    settings: &'a [u8],
    terms_count: usize,
    worn_bytes: usize,
    limit: Limit,
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance").field("terms_count", &self.terms_count).finish_non_exhaustive()
    }
}

impl Instance {
    /// A fresh sandbox in which the generation's filter has taken in pack and policy. About 0.2 ms.
    pub(crate) fn new(runtime: &Runtime, generation: &Generation) -> Result<Instance, ScanFailure> {
        let pack_bytes = generation.parts().pack.bytes().len();
        // What the module asks for at its start counts, or it could ask for everything.
        let memory_bytes = pack_bytes.saturating_add(runtime.config().memory_bytes_max);
        let mut store = store(runtime.engine(), memory_bytes);
        // Before anything of the module runs: a start function can loop as well as any other.
        let deadline_ticks = runtime.deadline_ticks();
        store.set_epoch_deadline(deadline_ticks);

        make_image(&generation.memory_module).map_err(sandbox)?;
        let memory = wasmtime::Instance::new(&mut store, &generation.memory_module, &[]).map_err(sandbox)?;
        let memory = memory_of(&memory, &mut store)?;
        let compiled = &generation.parts().module.compiled;
        let filter = wasmtime::Instance::new(&mut store, compiled, &[memory.into()]).map_err(sandbox)?;
        let start = Start {
            pack: (generation.pack_address(), pack_bytes),
            settings: generation.policy_table(),
            terms_count: generation.parts().pack.pack().terms_count(),
            worn_bytes: memory_bytes - runtime.config().memory_bytes_max / 3,
            limit: Limit::Deadline { ticks: deadline_ticks },
        };
        Instance::start(store, memory, &filter, start)
    }

    /// A fresh sandbox of a module beside the filter, which has taken its settings.
    pub(crate) fn of_side(module: &SideModule) -> Result<Instance, ScanFailure> {
        let config = module.config();
        let compiled = module.compiled();
        let mut store = store(compiled.engine(), config.memory_bytes_max);
        store.set_fuel(config.fuel_for_start()).map_err(sandbox)?;
        make_image(compiled).map_err(sandbox)?;
        let filter = wasmtime::Instance::new(&mut store, compiled, &[]).map_err(sandbox)?;
        let memory = memory_of(&filter, &mut store)?;
        let start = Start {
            pack: (0, 0),
            settings: config.settings.as_bytes(),
            terms_count: module.reasons().len(),
            worn_bytes: config.memory_bytes_max / 3 * 2,
            limit: Limit::Fuel { message: config.fuel_for(0), byte: config.fuel_byte },
        };
        Instance::start(store, memory, &filter, start)
    }

    fn start(
        mut store: Store<StoreLimits>,
        memory: Memory,
        filter: &wasmtime::Instance,
        start: Start<'_>,
    ) -> Result<Instance, ScanFailure> {
        let areas = filter.get_typed_func::<(), u64>(&mut store, "tamis_areas").map_err(sandbox)?;
        let init = filter.get_typed_func::<(u32, u32, u32), i32>(&mut store, "tamis_init").map_err(sandbox)?;
        let scan = filter.get_typed_func::<(u32, u32), i32>(&mut store, "tamis_scan").map_err(sandbox)?;

        let areas = areas.call(&mut store, ()).map_err(sandbox)?;
        let (in_address, out_address) = ((areas >> 32) as usize, (areas & 0xFFFF_FFFF) as usize);
        let table = start.settings;
        let area = memory.data_mut(&mut store).get_mut(in_address..).and_then(|rest| rest.get_mut(..IN_BYTES));
        area.and_then(|area| area.get_mut(..table.len())).ok_or(ScanFailure::Answer)?.copy_from_slice(table);
        if memory.data(&store).get(out_address..).is_none_or(|rest| rest.len() < OUT_BYTES) {
            return Err(ScanFailure::Answer);
        }
        let (address, length) = start.pack;
        let address = u32::try_from(address).map_err(|_| ScanFailure::Memory)?;
        let length = u32::try_from(length).map_err(|_| ScanFailure::Memory)?;
        let policy_bytes = u32::try_from(table.len()).map_err(|_| ScanFailure::Memory)?;
        match init.call(&mut store, (address, length, policy_bytes)).map_err(sandbox)? {
            0 => {}
            code => return Err(ScanFailure::Refused(code)),
        }
        let Start { terms_count, worn_bytes, limit, .. } = start;
        let upload = UploadCalls::of(filter, &mut store);
        Ok(Instance { store, memory, scan, upload, in_address, out_address, limit, terms_count, worn_bytes })
    }

    /// The sandbox after it has touched what a scan touches, so that the first scan waits for no page; `None` if
    /// it fails on that, which is then for a message to find out.
    pub(crate) fn warmed(mut self) -> Option<Instance> {
        let touched = self.memory.data(&self.store).iter().step_by(PAGE_BYTES).fold(0, |all: u8, &byte| all ^ byte);
        std::hint::black_box(touched);
        let messages: Vec<Message<'_>> =
            WARMING.into_iter().cycle().take(BATCH_MESSAGES_MAX).map(Message::body).collect();
        let mut judged = vec![Judged::default(); messages.len()];
        let (_, failure) = self.scan(&messages, &mut judged);
        failure.is_none().then_some(self)
    }

    /// Judges a batch that fits the areas. Returns how many verdicts stand, in `judged` from the first
    /// on, and why there are no more.
    ///
    /// After a failure the instance must not be used again.
    pub(crate) fn scan(&mut self, messages: &[Message<'_>], judged: &mut [Judged]) -> (usize, Option<ScanFailure>) {
        let input = &mut self.memory.data_mut(&mut self.store)[self.in_address..][..IN_BYTES];
        let Some(length) = write_batch(messages, input) else {
            return (0, Some(ScanFailure::Answer));
        };
        match self.limit {
            Limit::Deadline { ticks } => self.store.set_epoch_deadline(ticks),
            Limit::Fuel { message, byte } => {
                let bytes = messages.iter().map(|message| message.text.len().min(MESSAGE_BYTES_MAX) as u64).sum();
                let fuel = message.saturating_mul(messages.len() as u64).saturating_add(byte.saturating_mul(bytes));
                if let Err(error) = self.store.set_fuel(fuel) {
                    return (0, Some(failure(&error)));
                }
            }
        }
        // At most 64, and within the area.
        let call = self.scan.call(&mut self.store, (messages.len() as u32, length as u32));
        let failure = match call {
            Ok(0) => None,
            Ok(code) => Some(ScanFailure::Refused(code)),
            Err(error) => Some(failure(&error)),
        };
        // What one message said is nothing to the next. A guest cannot shrink its memory, so the area is there.
        self.memory.data_mut(&mut self.store)[self.in_address..][..length].fill(0);
        // So is this one, and what is in it is hearsay.
        let output = &self.memory.data(&self.store)[self.out_address..][..OUT_BYTES];
        let word =
            |at: usize| u32::from_le_bytes([output[at], output[at + 1], output[at + 2], output[at + 3]]) as usize;
        let (done, bytes) = (word(0).min(messages.len()), word(4));
        let mut verdicts = output[OUT_HEADER..].get(..bytes).unwrap_or_default();
        for number in 0..done {
            match read_verdict(verdicts, &messages[number], self.terms_count, &mut judged[number].verdict) {
                Some(length) => verdicts = &verdicts[length..],
                None => return (number, Some(failure.unwrap_or(ScanFailure::Answer))),
            }
        }
        match failure {
            None if done < messages.len() => (done, Some(ScanFailure::Answer)),
            failure => (done, failure),
        }
    }

    /// Begins an upload. As after a scan, no call may follow one that failed, here and below.
    pub(crate) fn begin_upload(&mut self, channel: ChannelId, sender: &[u8]) -> Result<(), ScanFailure> {
        let sender = &sender[..sender.len().min(SENDER_BYTES_MAX)];
        let length = self.write_input(sender);
        let begin = self.uploads()?.begin.clone();
        let answer = begin.call(&mut self.store, (channel.0.into(), length));
        self.accept(answer, sender.len())
    }

    /// Hands the next bytes of the upload on, and scans once in 896 KiB of it.
    pub(crate) fn push_upload(&mut self, chunk: &[u8]) -> Result<(), ScanFailure> {
        let push = self.uploads()?.push.clone();
        for chunk in chunk.chunks(MESSAGE_BYTES_MAX) {
            let length = self.write_input(chunk);
            let answer = push.call(&mut self.store, length);
            self.accept(answer, chunk.len())?;
        }
        Ok(())
    }

    /// Ends the upload, of so many bytes, and reads the verdict on it.
    pub(crate) fn finish_upload(&mut self, origin: UploadOrigin, verdict: &mut Verdict) -> Result<(), ScanFailure> {
        let finish = self.uploads()?.finish.clone();
        let answer = finish.call(&mut self.store, ());
        self.accept(answer, 0)?;
        let output = &self.memory.data(&self.store)[self.out_address..][..OUT_BYTES];
        let UploadOrigin { bytes, has_sender } = origin;
        let read = read_verdict_on(&output[OUT_HEADER..], bytes, has_sender, self.terms_count, verdict);
        read.map(|_| ()).ok_or(ScanFailure::Answer)
    }

    /// What judges uploads, with a fresh limit on what it does.
    fn uploads(&mut self) -> Result<&UploadCalls, ScanFailure> {
        if let Limit::Deadline { ticks } = self.limit {
            self.store.set_epoch_deadline(ticks);
        }
        self.upload.as_ref().ok_or(ScanFailure::NoUploads)
    }

    /// Copies bytes of at most a message to the in area, and returns how many.
    fn write_input(&mut self, bytes: &[u8]) -> u32 {
        self.memory.data_mut(&mut self.store)[self.in_address..][..bytes.len()].copy_from_slice(bytes);
        bytes.len() as u32
    }

    /// What a call came to. What is in the in area is nothing to the next.
    fn accept(&mut self, answer: wasmtime::Result<i32>, length: usize) -> Result<(), ScanFailure> {
        self.memory.data_mut(&mut self.store)[self.in_address..][..length].fill(0);
        match answer {
            Ok(0) => Ok(()),
            Ok(code) => Err(ScanFailure::Refused(code)),
            Err(error) => Err(failure(&error)),
        }
    }

    /// Whether it should be replaced before it runs into its limit: memory only ever grows, and a filter
    /// that leaks would fail on a message that is not to blame.
    pub(crate) fn is_worn(&self) -> bool {
        self.memory_bytes() >= self.worn_bytes
    }

    /// Bytes of linear memory, the mapped pack included.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.memory.data_size(&self.store)
    }
}

/// A store with its limits on memory.
fn store(engine: &Engine, memory_bytes: usize) -> Store<StoreLimits> {
    let limits = StoreLimitsBuilder::new()
        .memory_size(memory_bytes)
        .memories(1)
        .tables(1)
        .table_elements(TABLE_ELEMENTS_MAX as usize)
        .instances(2)
        .trap_on_grow_failure(true)
        .build();
    let mut store = Store::new(engine, limits);
    store.limiter(|limits| limits);
    store
}

fn memory_of(instance: &wasmtime::Instance, store: &mut Store<StoreLimits>) -> Result<Memory, ScanFailure> {
    instance.get_memory(store, "memory").ok_or_else(|| ScanFailure::Sandbox("no memory".to_owned()))
}

fn sandbox(error: wasmtime::Error) -> ScanFailure {
    failure(&error)
}

fn failure(error: &wasmtime::Error) -> ScanFailure {
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => ScanFailure::Deadline,
        Some(Trap::OutOfFuel) => ScanFailure::Fuel,
        Some(trap) => ScanFailure::Trap(trap.to_string()),
        None => {
            let text = format!("{error:#}");
            // The limiter's errors have no type; `tests/hostile.rs` notices if their words change.
            if ["when growing memory", "when growing table", "memory minimum size"]
                .iter()
                .any(|sign| text.contains(sign))
            {
                ScanFailure::Memory
            } else {
                ScanFailure::Sandbox(text)
            }
        }
    }
}
