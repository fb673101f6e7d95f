//! Filter modules of one's own: write a [`Filter`], export it with [`export_filter!`](crate::export_filter), build it
//! for `wasm32-unknown-unknown`. A host runs it beside the filter of the lists, in a sandbox of its own; of their
//! actions the worst wins. Not for word lists: those are data, and no code is needed for them.
//!
//! ```
//! use tamis_guest::sdk::{Answer, Filter};
//! use tamis_guest::{Action, Message};
//!
//! /// Holds messages that are longer than they should be.
//! struct Long {
//!     bytes_max: usize,
//! }
//!
//! impl Filter for Long {
//!     fn new(settings: &str) -> Option<Long> {
//!         Some(Long { bytes_max: settings.parse().ok()? })
//!     }
//!
//!     fn judge(&mut self, message: &Message<'_>, answer: &mut Answer<'_>) {
//!         if message.text.len() > self.bytes_max {
//!             answer.report(self.bytes_max..message.text.len(), 0, Action::Hold);
//!         }
//!     }
//! }
//!
//! tamis_guest::export_filter!(Long, name: "long", reasons: ["longer than it should be"]);
//! # assert_eq!(tamis_guest::sdk::judge::<Long>("5", &Message::body("a message")).unwrap().action, Action::Hold);
//! ```
//!
//! What such a module gets and does not get: memory and work within limits that the host sets, the texts, and
//! nothing else: no clock, no files, no network, no randomness, no imports at all. Each message is judged alone, so
//! what one costs is not charged to the next. If it breaks on one, it is tried once more in a fresh sandbox; if
//! that fails too, the message gets the policy's answer to failures on its channel, and only this module's part in
//! the verdict says so. What it keeps between messages may be gone at any time.

use alloc::string::String;
use core::ops::Range;

#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub use crate::border;
use crate::spam::Confidence;
use crate::{Action, Evidence, MATCHES_MAX, Match, Message, Span, TermId, Verdict, VerdictFlags, scan};

/// The number with which a module refuses its settings.
pub const BAD_SETTINGS: i32 = 5;

/// A filter of one's own.
pub trait Filter: Sized {
    /// Makes one in each sandbox, from the settings that the operator gave; empty if none. `None` if they are of no
    /// use: the module is then refused before it judges anything.
    fn new(settings: &str) -> Option<Self>;

    /// Judges a message: what is not reported is allowed.
    fn judge(&mut self, message: &Message<'_>, answer: &mut Answer<'_>);
}

/// What a filter has to say about one message.
#[derive(Debug)]
pub struct Answer<'v> {
    verdict: &'v mut Verdict,
}

impl Answer<'_> {
    /// Something was found in these bytes of the text, for the reason of that number in the order of the export,
    /// and this should follow. Of several the worst action counts. Up to 64 are kept; more are not, but their
    /// actions count. Bytes that are not in the text, or none at all, make the host refuse the whole answer.
    ///
    /// [`Action::Mask`] holds the message: only what lists name is masked.
    pub fn report(&mut self, bytes: Range<usize>, reason: u32, action: Action) {
        let verdict = &mut *self.verdict;
        verdict.action = verdict.action.max(action);
        if verdict.matches.len() == MATCHES_MAX {
            verdict.flags.insert(VerdictFlags::MATCHES_CAPPED);
            return;
        }
        let at = |byte: usize| u32::try_from(byte).unwrap_or(u32::MAX);
        let span = Span { start: at(bytes.start), end: at(bytes.end) };
        verdict.matches.push(Match { span, term: TermId(reason), evidence: Evidence::default() });
    }
}

/// Judges one message without a sandbox, for tests of a filter; `None` if it refuses the settings.
#[must_use]
pub fn judge<F: Filter>(settings: &str, message: &Message<'_>) -> Option<Verdict> {
    let mut verdict = Verdict::default();
    judge_into(&mut F::new(settings)?, message, &mut verdict);
    Some(verdict)
}

/// What the exports of [`export_filter!`](crate::export_filter) call.
#[doc(hidden)]
pub fn judge_into<F: Filter>(filter: &mut F, message: &Message<'_>, verdict: &mut Verdict) {
    verdict.action = Action::Allow;
    verdict.flags = VerdictFlags::default();
    verdict.confidence = Confidence::default();
    verdict.matches.clear();
    verdict.shadow.clear();
    let text = scan::cut(message.text, &mut verdict.flags);
    filter.judge(&Message { text, ..*message }, &mut Answer { verdict });
}

/// What the exports of [`export_filter!`](crate::export_filter) call.
#[doc(hidden)]
pub fn make<F: Filter>(settings: &[u8]) -> Result<F, i32> {
    F::new(&String::from_utf8_lossy(settings)).ok_or(BAD_SETTINGS)
}

/// The bytes of a text, for a section of a module.
#[doc(hidden)]
#[must_use]
pub const fn bytes_of<const LENGTH: usize>(text: &str) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    bytes.copy_from_slice(text.as_bytes());
    bytes
}

/// Exports a [`Filter`](crate::sdk::Filter) from the module that the crate is built to: with the name under which
/// verdicts show it, and the reasons that it may give, both of at most 100 bytes, at most 64 reasons. Once a crate;
/// does nothing when the crate is built for anything but WebAssembly.
#[macro_export]
macro_rules! export_filter {
    ($filter:ty, name: $name:literal, reasons: [$($reason:literal),* $(,)?] $(,)?) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            use $crate::sdk::border::Border;

            const DESCRIPTION: &str = concat!($name $(, "\n", $reason)*);

            #[unsafe(link_section = "tamis_abi")]
            #[used]
            static ABI: [u8; 4] = $crate::wire::ABI_VERSION.to_le_bytes();

            #[unsafe(link_section = "tamis_side")]
            #[used]
            static SIDE: [u8; DESCRIPTION.len()] = $crate::sdk::bytes_of(DESCRIPTION);

            static BORDER: Border<$filter> = Border::new();

            #[unsafe(no_mangle)]
            extern "C" fn tamis_areas() -> i64 {
                BORDER.areas()
            }

            #[unsafe(no_mangle)]
            extern "C" fn tamis_init(_: usize, _: usize, settings: usize) -> i32 {
                BORDER.init(settings, $crate::sdk::make::<$filter>)
            }

            #[unsafe(no_mangle)]
            extern "C" fn tamis_scan(count: usize, length: usize) -> i32 {
                BORDER.scan(count, length, $crate::sdk::judge_into::<$filter>)
            }
        };
    };
}
