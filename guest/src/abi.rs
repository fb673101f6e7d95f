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
//!
//! After each message the cursor at the start of the out area moves on, so that whatever happens to the
//! guest the host knows which verdicts stand.
#![expect(unsafe_code, reason = "the pack is where the host says it is")]

use std::boxed::Box;

use crate::border::{BAD_CALL, Border};
use crate::wire::ABI_VERSION;
use crate::{Pack, Policy, Scanner};

#[unsafe(link_section = "tamis_abi")]
#[used]
static ABI: [u8; 4] = ABI_VERSION.to_le_bytes();

const BAD_PACK: i32 = 2;
const BAD_POLICY: i32 = 3;

struct Ready {
    scanner: Scanner<'static>,
    policy: Policy,
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
        Ok(Ready { scanner: Scanner::new(pack), policy })
    })
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn tamis_scan(count: usize, len: usize) -> i32 {
    BORDER.scan(count, len, |ready, message, verdict| ready.scanner.scan(&ready.policy, message, verdict))
}
