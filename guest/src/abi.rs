//! What a filter module exports: the only file of the guest with `unsafe`. It reads and writes the
//! areas that the host shares with the guest; all meaning is in [`wire`](crate::wire) and
//! [`scan`](crate::scan).
//!
//! Imports: `env.memory`, and nothing else. Exports:
//!
//! | export | what |
//! |---|---|
//! | section `tamis_abi` | the version of this boundary |
//! | `tamis_areas() -> i64` | allocates the areas, once: address of the in area << 32, of the out area |
//! | `tamis_init(pack, pack_len, policy_len) -> i32` | takes the pack in memory, and the policy table in the in area; 0, or the number of what is wrong |
//! | `tamis_scan(count, len) -> i32` | judges the batch in the in area; 0, or the number of what is wrong |
//!
//! After each message the cursor at the start of the out area moves on, so that whatever happens to the
//! guest the host knows which verdicts stand.
#![expect(unsafe_code, reason = "raw addresses are what this boundary is made of")]

use core::arch::wasm32::memory_grow;
use core::cell::UnsafeCell;
use core::sync::atomic::{Ordering, compiler_fence};
use std::boxed::Box;

use crate::wire::{ABI_VERSION, IN_BYTES, OUT_BYTES, OUT_HEADER, read_batch, write_verdict};
use crate::{Pack, Policy, Scanner, Verdict};

#[unsafe(link_section = "tamis_abi")]
#[used]
static ABI: [u8; 4] = ABI_VERSION.to_le_bytes();

const PAGE_BYTES: usize = 64 << 10;

const OK: i32 = 0;
const BAD_CALL: i32 = 1;
const BAD_PACK: i32 = 2;
const BAD_POLICY: i32 = 3;
const BAD_BATCH: i32 = 4;

struct Guest {
    input: &'static mut [u8],
    output: &'static mut [u8],
    ready: Option<Ready>,
}

struct Ready {
    scanner: Scanner<'static>,
    policy: Policy,
    verdict: Verdict,
}

/// The one guest of this instance.
struct Global(UnsafeCell<Option<Guest>>);

// SAFETY: a WebAssembly instance of this ABI has one thread: it has no shared memory and imports
// nothing that could start another.
unsafe impl Sync for Global {}

static GUEST: Global = Global(UnsafeCell::new(None));

fn guest() -> &'static mut Option<Guest> {
    // SAFETY: one thread (see `Global`), and each export takes this reference once and calls no other
    // export while it holds it, so it is unique.
    unsafe { &mut *GUEST.0.get() }
}

/// Memory straight from the host: zeros that are not there until they are used. From the allocator the
/// areas would be zeroed by hand, and cost every worker a megabyte.
fn fresh_memory(bytes: usize) -> &'static mut [u8] {
    let before = memory_grow::<0>(bytes.div_ceil(PAGE_BYTES));
    assert!(before != usize::MAX, "no memory for the areas");
    // SAFETY: these pages did not exist before, nothing else knows them, they are never given back, and
    // zeros are valid bytes.
    unsafe { core::slice::from_raw_parts_mut(core::ptr::without_provenance_mut(before * PAGE_BYTES), bytes) }
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn tamis_areas() -> i64 {
    let guest = guest().get_or_insert_with(|| Guest {
        input: fresh_memory(IN_BYTES),
        output: fresh_memory(OUT_BYTES),
        ready: None,
    });
    let address = |area: &[u8]| area.as_ptr().addr() as i64;
    address(guest.input) << 32 | address(guest.output)
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn tamis_init(pack: *const u8, pack_len: usize, policy_len: usize) -> i32 {
    let Some(guest) = guest() else { return BAD_CALL };
    let Some(policy) = guest.input.get(..policy_len) else { return BAD_CALL };
    // SAFETY: the host passes the address and length of the pack it placed in this memory, beyond what
    // this guest allocates, and writes there no more. A host that lies gets a trap or wrong verdicts in
    // its own sandbox.
    let bytes: &'static [u8] = unsafe { core::slice::from_raw_parts(pack, pack_len) };
    // The host has decoded these bytes in full before mapping them; each instance repeats only the
    // layout, so that a new one is ready in microseconds.
    let Ok(pack) = Pack::decode_layout(bytes) else { return BAD_PACK };
    let pack: &'static Pack<'static> = Box::leak(Box::new(pack));
    let Ok(policy) = Policy::from_table(pack, policy) else { return BAD_POLICY };
    guest.ready = Some(Ready { scanner: Scanner::new(pack), policy, verdict: Verdict::default() });
    OK
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn tamis_scan(count: usize, len: usize) -> i32 {
    let Some(Guest { input, output, ready: Some(ready) }) = guest() else { return BAD_CALL };
    let Some(batch) = input.get(..len) else { return BAD_CALL };
    set_progress(output, 0, 0);
    let (mut done, mut end) = (0, OUT_HEADER);
    for message in read_batch(count, batch) {
        ready.scanner.scan(&ready.policy, &message, &mut ready.verdict);
        let Some(written) = write_verdict(&ready.verdict, &mut output[end..]) else { return BAD_BATCH };
        done += 1;
        end += written;
        set_progress(output, done, end - OUT_HEADER);
    }
    if done as usize == count { OK } else { BAD_BATCH }
}

/// Moves the cursor. A trap can come at any later instruction, so the stores must not move.
fn set_progress(output: &mut [u8], done: u32, bytes: usize) {
    compiler_fence(Ordering::SeqCst);
    let header: *mut u64 = output.as_mut_ptr().cast();
    // SAFETY: the area is longer than 8 bytes and lives for ever; the store need not be aligned.
    unsafe { header.cast::<[u8; 8]>().write_volatile((u64::from(done) | (bytes as u64) << 32).to_le_bytes()) };
}
