//! Spam: how sure the filter is that a message is advertising, or fraud. A linear model over hashed
//! n-grams of the folded text and a few signals, in integer arithmetic, so that the answer is the same
//! everywhere. Not for words that decide by themselves, which are terms of lists, nor for what follows
//! from the answer, which is [`policy`](crate::policy).
//!
//! ```text
//!  text ──▶ links ──▶ signals ──┐
//!       └─▶ fold, de-leet ──▶ n-grams ──▶ sum of weights ──▶ calibration ──▶ advertising, fraud
//! ```
//!
//! Most messages end before the fold: a glance at their bytes tells that they are not unwanted by far.
//! The model answers two questions: is this unwanted at all, and, if it is, is it fraud rather than
//! advertising. Their product gives the two confidences, which add up to the first answer.

mod glance;
mod links;
mod marketing;
mod model;
mod read;
mod signals;

pub use glance::glance;
#[cfg(feature = "compile")]
pub(crate) use links::fold_url;
pub use links::{Link, LinkFinder};
pub(crate) use links::{has_path, parents};
pub use marketing::{Marketing, marketing};
pub use model::{Model, ModelError, ModelParts, Reason, SLOT_BITS, share};
pub use read::{Feature, features};
pub use signals::{Signal, SignalSet};

/// Longest text that is read, in bytes: several times the longest SMS. What is beyond it is not judged
/// here; lists see all of it.
pub const SPAM_BYTES_MAX: usize = 4096;

/// The category of terms that make a message advertising.
pub(crate) const ADVERTISING: &str = "spam.ads";

/// How sure the model is, in per mille. Together they are how sure it is that the message is unwanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub struct Confidence {
    /// It wants to sell.
    pub advertising: u16,
    /// It wants to deceive.
    pub fraud: u16,
}

impl Confidence {
    /// That it is one or the other, in per mille.
    #[must_use]
    pub fn unwanted(self) -> u16 {
        self.advertising + self.fraud
    }
}
