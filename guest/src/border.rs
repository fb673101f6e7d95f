//! The sandbox's side of its border: the areas that the host shares with a module, and the cursor that it reads
//! after each message. One of the two files of the guest with `unsafe`; what is judged, and how, is for its callers,
//! and all meaning of bytes is in [`wire`](crate::wire).
#![expect(unsafe_code, reason = "raw addresses are what this border is made of")]

use core::arch::wasm32::memory_grow;
use core::cell::UnsafeCell;
use core::fmt;
use core::sync::atomic::{Ordering, compiler_fence};

use crate::wire::{IN_BYTES, OUT_BYTES, OUT_HEADER, read_batch, write_verdict};
use crate::{Message, Verdict};

const PAGE_BYTES: usize = 64 << 10;

/// All is well.
pub const OK: i32 = 0;
/// The host called in the wrong order, or lied about lengths.
pub const BAD_CALL: i32 = 1;
/// A batch that is none, or whose answer does not fit.
pub const BAD_BATCH: i32 = 4;

/// The areas of a module and what judges in it. One a module, in a `static`.
pub struct Border<T>(UnsafeCell<Option<State<T>>>);

struct State<T> {
    input: &'static mut [u8],
    output: &'static mut [u8],
    ready: Option<T>,
    verdict: Verdict,
}

impl<T> fmt::Debug for Border<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Border")
    }
}

// SAFETY: a WebAssembly instance of this ABI has one thread: it has no shared memory and imports nothing that could
// start another.
unsafe impl<T> Sync for Border<T> {}

impl<T> Default for Border<T> {
    fn default() -> Border<T> {
        Border::new()
    }
}

impl<T> Border<T> {
    /// Nothing yet.
    #[must_use]
    pub const fn new() -> Border<T> {
        Border(UnsafeCell::new(None))
    }

    fn state(&self) -> &mut Option<State<T>> {
        // SAFETY: one thread (see `Sync`), and each export of a module calls one method here, which takes this
        // reference once and calls no other while it holds it; so it is unique.
        unsafe { &mut *self.0.get() }
    }

    /// Allocates the areas, once: the address of the one for batches << 32, of the one for verdicts.
    pub fn areas(&self) -> i64 {
        let state = self.state().get_or_insert_with(|| State {
            input: fresh_memory(IN_BYTES),
            output: fresh_memory(OUT_BYTES),
            ready: None,
            verdict: Verdict::default(),
        });
        let address = |area: &[u8]| area.as_ptr().addr() as i64;
        address(state.input) << 32 | address(state.output)
    }

    /// Makes what judges of the first `length` bytes in the area for batches, or answers with a number.
    pub fn init(&self, length: usize, make: impl FnOnce(&[u8]) -> Result<T, i32>) -> i32 {
        let Some(state) = self.state() else { return BAD_CALL };
        let Some(bytes) = state.input.get(..length) else { return BAD_CALL };
        match make(bytes) {
            Ok(ready) => {
                state.ready = Some(ready);
                OK
            }
            Err(number) => number,
        }
    }

    /// Judges the `count` messages in the first `length` bytes of the area for batches, and moves the cursor after
    /// each.
    pub fn scan(&self, count: usize, length: usize, mut judge: impl FnMut(&mut T, &Message<'_>, &mut Verdict)) -> i32 {
        let Some(State { input, output, ready: Some(ready), verdict }) = self.state() else { return BAD_CALL };
        let Some(batch) = input.get(..length) else { return BAD_CALL };
        set_progress(output, 0, 0);
        let (mut done, mut end) = (0, OUT_HEADER);
        for message in read_batch(count, batch) {
            judge(ready, &message, verdict);
            let Some(written) = write_verdict(verdict, &mut output[end..]) else { return BAD_BATCH };
            done += 1;
            end += written;
            set_progress(output, done, end - OUT_HEADER);
        }
        if done as usize == count { OK } else { BAD_BATCH }
    }
}

/// What only a filter of lists does: uploads in chunks.
#[cfg(feature = "abi")]
impl<T> Border<T> {
    /// Hands the first `length` bytes of the area for batches on.
    pub(crate) fn take(&self, length: usize, take: impl FnOnce(&mut T, &[u8]) -> bool) -> i32 {
        let Some(State { input, ready: Some(ready), .. }) = self.state() else { return BAD_CALL };
        let Some(bytes) = input.get(..length) else { return BAD_CALL };
        if take(ready, bytes) { OK } else { BAD_CALL }
    }

    /// Puts one verdict into the area for verdicts.
    pub(crate) fn answer(&self, answer: impl FnOnce(&mut T, &mut Verdict) -> bool) -> i32 {
        let Some(State { output, ready: Some(ready), verdict, .. }) = self.state() else { return BAD_CALL };
        set_progress(output, 0, 0);
        if !answer(ready, verdict) {
            return BAD_CALL;
        }
        let Some(written) = write_verdict(verdict, &mut output[OUT_HEADER..]) else { return BAD_BATCH };
        set_progress(output, 1, written);
        OK
    }
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

/// Moves the cursor. A trap can come at any later instruction, so the stores must not move.
fn set_progress(output: &mut [u8], done: u32, bytes: usize) {
    compiler_fence(Ordering::SeqCst);
    let header: *mut u64 = output.as_mut_ptr().cast();
    // SAFETY: the area is longer than 8 bytes and lives for ever; the store need not be aligned.
    unsafe { header.cast::<[u8; 8]>().write_volatile((u64::from(done) | (bytes as u64) << 32).to_le_bytes()) };
}
