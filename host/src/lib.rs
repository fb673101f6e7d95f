//! Runs Tamis filters: loads modules and packs, judges messages within limits, and replaces both while
//! messages flow.
//!
//! ```text
//!  module (wasm) ─┐                 ┌─ worker ─ one sandbox ─┐
//!  pack (lists) ──┼─▶ generation ─▶ ├─ worker ─ one sandbox ─┼─▶ verdicts, each with its generation
//!  policy ────────┘    immutable    └─ worker ─ one sandbox ─┘
//!                      swapped whole        the pack mapped, not copied
//! ```
//!
//! A [`Runtime`] is made once a process, a [`Filter`] for each pipeline, a [`Worker`] for each thread.
//! In production the parts come as signed bundles ([`bundle`]), what was decided goes to a log without texts
//! ([`log`]), and figures to [`Metrics`].
//!
//! A message cannot fail: where the sandbox breaks on one, that message alone gets what the policy says
//! of failures, and the rest of the batch is judged.
//!
//! ```
//! use tamis_guest::{Action, Message, Policy, compile::compile_terms};
//! use tamis_host::{Filter, Module, PackImage, Parts, Runtime, RuntimeConfig};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let runtime = Runtime::new(&RuntimeConfig::default())?;
//! let module = runtime.module(tamis_host::default_module())?;
//! let (pack, _) = compile_terms("terms.txt", "free gift");
//! let pack = runtime.pack(pack)?;
//! let policy = Policy::blocking(&pack.pack());
//! let filter = Filter::new(&runtime, Parts { module, pack, policy, failure: Vec::new() })?;
//!
//! let mut worker = filter.worker()?;
//! let mut judged = Vec::new();
//! worker.scan(&[Message::body("your F.R.E.E gift"), Message::body("see you at six")], &mut judged);
//! assert_eq!(judged[0].verdict.action, Action::Block);
//! assert_eq!(judged[1].verdict.action, Action::Allow);
//! # Ok(())
//! # }
//! ```

pub mod bundle;
mod cache;
mod clock;
mod config;
mod error;
mod files;
mod filter;
mod flood;
mod instance;
pub mod log;
mod metrics;
mod pack_image;
mod runtime;
mod side;
mod sources;
mod stats;
mod strikes;
mod trial;
mod upload;
mod watch;
mod worker;

pub use config::RuntimeConfig;
pub use error::{LoadError, ScanFailure};
pub use files::write_whole;
pub use filter::{Filter, Generation, Origin, Parts};
pub use flood::{Delivery, FLOOD_CATEGORY, FloodReason, FloodSigns, FloodWatch};
pub use metrics::Metrics;
pub use pack_image::PackImage;
pub use runtime::{Module, Runtime};
pub use side::{Finding, SideConfig, SideModule, SideVerdict};
pub use sources::{Defaults, ListFolder, Loaded, Sources, today};
pub use stats::{Breakers, Counts, Trip};
pub use strikes::Strikes;
pub use trial::{Trial, TrialMode, TrialReport};
pub use upload::Upload;
pub use watch::{WatchEvent, Watcher};
pub use worker::{Judged, Worker};

/// The filter module that is built with this crate.
#[must_use]
pub fn default_module() -> &'static [u8] {
    include_bytes!(env!("TAMIS_MODULE"))
}
