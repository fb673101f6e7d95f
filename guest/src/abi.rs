//! What the filter module exports. The areas that the host shares with it are in [`border`](crate::border), all
//! meaning is in [`wire`](crate::wire) and [`scan`](crate::scan). Not for modules of others; those use
//! [`sdk`](crate::sdk).
//!
//! Imports: `env.memory`, and nothing else. Exports:
//!
//! | export | what |
//! |---|---|
//! | section `tamis_abi` | the version of this boundary |
//! | `tamis_areas() -> i64` | allocates the areas, once: address of the in area << 32, of the out area |
//! | `tamis_init(pack, pack_len, policy_len) -> i32` | takes the pack in memory, and the policy table in the in area; 0, or the number of what is wrong |
//! | `tamis_scan(count, len) -> i32` | judges the batch in the in area; 0, or the number of what is wrong |
//! | `tamis_upload(channel, sender_len) -> i32` | begins an upload of the sender in the in area, and ends what was begun before |
//! | `tamis_push(len) -> i32` | takes the next bytes of it, in the in area |
//! | `tamis_finish() -> i32` | judges all of it: one verdict in the out area |
//!
//! After each message the cursor at the start of the out area moves on, so that whatever happens to the
//! guest the host knows which verdicts stand.
#![expect(unsafe_code, reason = "the pack is where the host says it is")]

use std::boxed::Box;

use crate::border::{BAD_CALL, Border};
use crate::wire::ABI_VERSION;
use crate::{ChannelId, Pack, Policy, Scanner, Stream};

#[unsafe(link_section = "tamis_abi")]
#[used]
static ABI: [u8; 4] = ABI_VERSION.to_le_bytes();

const BAD_PACK: i32 = 2;
const BAD_POLICY: i32 = 3;

/// One of the two is there: they share their memory.
struct Ready {
    policy: &'static Policy,
    scanner: Option<Scanner<'static>>,
    upload: Option<Stream<'static>>,
}

impl Ready {
    /// The scanner; an upload that was begun is forgotten.
    fn scanner(&mut self) -> Option<Scanner<'static>> {
        self.scanner.take().or_else(|| self.upload.take().map(Stream::into_scanner))
    }
}

static BORDER: Border<Ready> = Border::new();

#[unsafe(no_mangle)]
pub(crate) extern "C" fn tamis_areas() -> i64 {
    BORDER.areas()
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn tamis_init(pack: *const u8, pack_len: usize, policy_len: usize) -> i32 {
    if pack.is_null() {
        return BAD_CALL;
    }
    // SAFETY: the host passes the address and length of the pack it placed in this memory, beyond what
    // this guest allocates, and writes there no more. A host that lies gets a trap or wrong verdicts in
    // its own sandbox.
    let bytes: &'static [u8] = unsafe { core::slice::from_raw_parts(pack, pack_len) };
    BORDER.init(policy_len, |policy| {
        // The host has decoded these bytes in full before mapping them; each instance repeats only the
        // layout, so that a new one is ready in microseconds.
        let pack = Pack::decode_layout(bytes).map_err(|_| BAD_PACK)?;
        let pack: &'static Pack<'static> = Box::leak(Box::new(pack));
        let policy = Policy::from_table(pack, policy).map_err(|_| BAD_POLICY)?;
        Ok(Ready { policy: Box::leak(Box::new(policy)), scanner: Some(Scanner::new(pack)), upload: None })
    })
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn tamis_scan(count: usize, len: usize) -> i32 {
    BORDER.scan(count, len, |ready, message, verdict| {
        if ready.scanner.is_none() {
            ready.scanner = ready.scanner();
        }
        if let Some(scanner) = &mut ready.scanner {
            scanner.scan(ready.policy, message, verdict);
        }
    })
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn tamis_upload(channel: u32, sender_len: usize) -> i32 {
    let Ok(channel) = u8::try_from(channel) else { return BAD_CALL };
    BORDER.take(sender_len, |ready, sender| {
        let (policy, scanner) = (ready.policy, ready.scanner());
        ready.upload = scanner.map(|scanner| Stream::of_scanner(scanner, policy, ChannelId(channel), sender));
        ready.upload.is_some()
    })
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn tamis_push(len: usize) -> i32 {
    BORDER.take(len, |ready, chunk| ready.upload.as_mut().map(|upload| upload.push(chunk)).is_some())
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn tamis_finish() -> i32 {
    BORDER.answer(|ready, verdict| {
        let Some(mut upload) = ready.upload.take() else { return false };
        upload.finish(verdict);
        ready.scanner = Some(upload.into_scanner());
        true
    })
}
