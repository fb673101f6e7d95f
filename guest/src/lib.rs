//! The Tamis filter: reads a message and says `allow`, `flag`, `mask`, `hold` or `block`, and shows
//! which words made it say so.
//!
//! ```text
//!  message ──▶ fold ──▶ search ──▶ verify on the original ──▶ rules ──▶ policy ──▶ verdict
//!              pieces   candidates      spans, evidence      a&b a~b    action
//!              symbols                                       allow
//! ```
//!
//! This crate knows no file, clock, thread or host. It builds natively and to WebAssembly, and gives
//! the same verdict in both. A message cannot make it fail; only loading a [`Pack`] can.
//!
//! * **Pack**: word lists compiled to flat bytes that are searched in place ([`pack`] has the format).
//! * **Policy**: which action a category and severity have on a channel ([`Policy`]).
//! * **Scanner**: the scan itself and its scratch memory; one for each thread.
//! * **Stream**: the same for an upload that arrives in chunks and may be longer than a message.
//! * **SDK**: what it takes to write a filter module of one's own (`sdk`, with the feature of that name).
//!
//! ```
//! # #[cfg(feature = "compile")] {
//! use tamis_guest::{Action, Message, Pack, PackBytes, Policy, Scanner, Verdict, compile};
//!
//! let (bytes, diagnostics) = compile::compile_terms("terms.txt", "free gift\n赌博\n");
//! assert!(diagnostics.is_empty());
//! let bytes = PackBytes::from(bytes);
//! let pack = Pack::decode(&bytes).unwrap();
//! let policy = Policy::blocking(&pack);
//!
//! let mut scanner = Scanner::new(&pack);
//! let mut verdict = Verdict::default();
//! scanner.scan(&policy, &Message::body("your FREE\u{200B} gift"), &mut verdict);
//! assert_eq!(verdict.action, Action::Block);
//! assert_eq!(pack.term(verdict.matches[0].term).text, "free gift");
//! # }
//! ```
#![no_std]

extern crate alloc;
#[cfg(any(feature = "abi", feature = "compile"))]
extern crate std;

#[cfg(all(feature = "abi", target_family = "wasm"))]
mod abi;
mod alphabets;
#[cfg(all(any(feature = "abi", feature = "sdk"), target_family = "wasm"))]
#[doc(hidden)]
pub mod border;
#[cfg(feature = "compile")]
pub mod compile;
mod consonants;
#[cfg(feature = "explain")]
pub mod explain;
mod fold;
mod glue;
mod kit;
mod lanes;
mod leet;
mod letters;
mod mask;
mod message;
mod misspelt;
pub mod pack;
mod pieces;
mod policy;
mod regexes;
mod rewrite;
mod rules;
mod scan;
#[cfg(feature = "sdk")]
pub mod sdk;
mod search;
mod senders;
mod sms;
mod sounds;
pub mod spam;
mod splits;
mod stream;
mod urls;
mod verdict;
mod verify;
pub mod wire;

pub use fold::{UNICODE_VERSION, fold_table_hash};
pub use kit::{Kit, KitError, kit_bytes};
pub use mask::{MASK, mask, mask_message, mask_str};
pub use message::{Field, Message};
pub use pack::{Category, DecodeError, Pack, PackBytes, Term, TermId};
pub use policy::{ChannelId, FloodPolicy, MarketingPolicy, ModelPolicy, Policy, PolicyTableError, Threshold};
pub use scan::{MATCHES_MAX, Scanner};
pub use sms::{SmsAlphabet, SmsLength, sms_length};
pub use stream::{Stream, UPLOAD_BYTES_MAX};
pub use verdict::{Action, Evidence, Match, Severity, Span, Verdict, VerdictFlags};
