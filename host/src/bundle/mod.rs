//! Bundles: how lists, policy, tests and modules travel, and what is checked before any of it judges.
//!
//! A bundle is one file:
//!
//! | bytes | what |
//! |---|---|
//! | 0..8 | magic `tamisbun` |
//! | 8..12 | format version, 1 (`u32`, little-endian, as all numbers here) |
//! | `u32` + n | the [`Manifest`], JSON: exactly the bytes that are signed |
//! | `u32`, then each `u32` + n | signatures, each the text of a `.minisig` file over the manifest's bytes |
//! | `u8`, and 32 if it is 1 | whether parts are told as changes to another bundle, and the digest of that one's manifest |
//! | for each part of the manifest: `u8`, `u32` + n | how it is written (0 as in the base, 1 whole, 2 changed lines), and the bytes, deflated |
//!
//! The manifest names the SHA-256 of every part as it is when unpacked, so the signature covers all of the
//! content whichever way it travelled, and a file of changes needs no signature of its own: what does not
//! give the signed digests is refused. `minisign -Vm manifest.json` with the extracted manifest checks the
//! same signature.
//!
//! The order of checks is fixed (`DESIGN.md` §5), each with a [`Refusal`] of its own, and whatever fails
//! leaves the running generation as it is: frame, signatures by role, name, clock, sequence, boundary
//! version, bounded unpacking, digests, compiling, self-test in a fresh sandbox. If it is to be tried out, by its own
//! [`Rollout`] or because the host was told, it watches live messages or judges some senders' next, and after a restart
//! goes on with that. Only then is the bundle kept among those that a host starts with and swapped in, and only after
//! that the high-water mark moves.
//!
//! The trust file is replaced while a host runs, by one that follows it; see [`Updater::offer_trust`].
//!
//! There is no unsigned bundle: without a [`Trust`] with keys nothing here loads anything.

mod admit;
mod build;
mod content;
mod delta;
mod emergency;
mod fetch;
mod file;
mod follow;
mod manifest;
mod process;
mod refusal;
mod rollout;
mod signed;
mod store;
mod trust;
mod trusted;
mod updater;
mod verify;

pub use admit::{Admission, AdmissionReport, SelfTest, Wanted};
pub use build::{BundleBuilder, list_tests};
pub use content::{Content, TextFile};
pub use emergency::{Added, Emergency, Mode, Snoozed};
pub use fetch::{Source, publish, publish_trust};
pub use file::{BUNDLE_BYTES_MAX, Bundle};
pub use follow::{FollowEvent, Follower};
pub(crate) use manifest::hex;
pub use manifest::{Manifest, Part, PartKind, sha256_hex};
pub use process::{AdmissionProcess, serve_admission};
pub use refusal::Refusal;
pub use rollout::{Ring, Rollout, Step};
pub use signed::SignedText;
pub use store::{Mark, Store};
pub use trust::{Role, Trust};
pub use trusted::TrustTaken;
pub use updater::{Offer, Tried, Trying, Updater, UpdaterConfig};
pub use verify::{Expected, Verified, verify};
