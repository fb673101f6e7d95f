//! The decision log: what was decided by which lists, without what was said. One JSON object a line.
//!
//! * A record names terms by number, list and category, places by span, sender, recipient and text by keyed hashes
//!   (HMAC-SHA-256, a key a month, deleted with the records). The text itself is in it only if
//!   [`LogConfig::text`] says so.
//! * Each line holds the SHA-256 of the line before it in `prev`, across files: what was changed, or taken out
//!   of the middle, is found by [`verify`].
//! * Writing never holds up a scan: records go through a bounded queue, and those that find it full are counted,
//!   in the next record's `lost` and in [`LogCounts`]. So it is on a disk that is full, from the start or later: 1 MiB of
//!   records waits, the rest is lost, and it goes on when there is room.
//! * There are classes with a retention each, in files of their own: `decision`; `audit`, what happened to
//!   bundles; `quarantine`, the messages on which a filter failed twice. `purge` says what was deleted.

mod check;
mod record;
mod segment;
mod write;

pub use check::{ChainReport, LogError, Purged, Retention, export, purge, verify};
pub use write::{Log, LogConfig, LogCounts, LoggedText, QuarantinedBytes, Reference, WithoutRoom};

/// What a file of the log holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum LogClass {
    /// Verdicts.
    Decision,
    /// What happened to bundles.
    Audit,
    /// What was deleted.
    Purge,
    /// Messages on which a filter failed, alone and in a fresh sandbox.
    Quarantine,
}

impl LogClass {
    /// All classes.
    pub const ALL: [LogClass; 4] = [LogClass::Decision, LogClass::Audit, LogClass::Purge, LogClass::Quarantine];

    /// Its name in files and records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            LogClass::Decision => "decision",
            LogClass::Audit => "audit",
            LogClass::Purge => "purge",
            LogClass::Quarantine => "quarantine",
        }
    }
}
