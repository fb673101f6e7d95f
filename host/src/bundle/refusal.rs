//! Why a bundle is not used. Each reason has a code that keeps its meaning for ever, for logs, metrics and
//! tests; the text is for people and says what to do.

use std::io;
use std::path::PathBuf;

use crate::LoadError;
use crate::bundle::{PartKind, Role};

/// Why a bundle, an emergency file or a new trust file was refused. What judged before goes on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The bytes are not those of such a file.
    #[error("not a bundle: {0}")]
    Malformed(String),
    /// Something is larger than is accepted.
    #[error("{what} has {bytes} bytes, the limit is {limit}")]
    TooLarge {
        /// What of the bundle.
        what: String,
        /// How large it says it is, or was when unpacking stopped.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// There is no signature at all.
    #[error("the bundle is not signed; sign it with `tamis bundle sign`")]
    Unsigned,
    /// Signatures there are, but none of a trusted key over these bytes.
    #[error(
        "no signature is by a key of the trust file over these very bytes: it was changed, or signed by another key"
    )]
    Signature,
    /// The keys that signed may not sign this.
    #[error("`{part}` needs {needed} signatures of keys with the role `{role}`, there are {found}")]
    Role {
        /// What would need them.
        part: String,
        /// The role.
        role: Role,
        /// How many distinct keys.
        needed: usize,
        /// How many signed.
        found: usize,
    },
    /// It is for another filter.
    #[error("the bundle is `{found}`, this host takes `{expected}`")]
    Name {
        /// What this host takes.
        expected: String,
        /// What it is.
        found: String,
    },
    /// It has expired.
    #[error("it expired {seconds} s ago by the clock of this host; if that is wrong, so is the clock")]
    Expired {
        /// How long ago.
        seconds: u64,
    },
    /// It was made in the future.
    #[error("it was made {seconds} s after now; the clock of this host is wrong, or of the one that signed")]
    Clock {
        /// How far.
        seconds: u64,
    },
    /// It is older than what ran here before.
    #[error(
        "sequence {found} is below {mark}, which ran here before; to go back, publish the old content under a new sequence (`tamis bundle rollback`)"
    )]
    Rollback {
        /// Of the bundle.
        found: u64,
        /// The highest that ran here.
        mark: u64,
    },
    /// The same sequence, but other content.
    #[error("sequence {0} ran here before with other content: two bundles were signed with one sequence")]
    Equivocation(u64),
    /// A jump that would leave no sequences for the future.
    #[error("sequence {found} is more than {limit} above {mark}")]
    FastForward {
        /// Of the bundle.
        found: u64,
        /// The highest that ran here.
        mark: u64,
        /// Most that one step may be.
        limit: u64,
    },
    /// It needs another version of the host.
    #[error("it is for boundary versions {min} to {max}, this host has {host}")]
    Abi {
        /// Lowest.
        min: u32,
        /// Highest.
        max: u32,
        /// The host's.
        host: u32,
    },
    /// A part is not what was signed.
    #[error("the part `{0}` is not the one that was signed: it was cut short or changed")]
    Digest(PartKind),
    /// Changes to a bundle that this host does not have.
    #[error(
        "it is changes to a bundle with the digest {0}, which is not the one that runs here; fetch the whole bundle"
    )]
    DeltaBase(String),
    /// It has no terms, which would switch the filter off.
    #[error("the lists hold no terms: such a bundle would allow everything")]
    Empty,
    /// Compiled, there are more or fewer terms than the signer counted.
    #[error("the lists compile to {found} terms, the manifest says {stated}")]
    Terms {
        /// What the signer counted.
        stated: u64,
        /// What there is.
        found: u64,
    },
    /// Its own tests fail.
    #[error("{failed} of its {all} tests fail, first: {first}")]
    Tests {
        /// How many.
        failed: usize,
        /// Of how many.
        all: usize,
        /// The first, for people.
        first: String,
    },
    /// The filter breaks on a message of the built-in hostile ones.
    #[error("it fails on the built-in hostile message `{message}`: {failure}")]
    Hostile {
        /// Which.
        message: &'static str,
        /// How.
        failure: String,
    },
    /// It is slower than allowed.
    #[error("a message of the size of an SMS takes {found_us} µs, the budget is {budget_us} µs")]
    Slow {
        /// Measured, best of several.
        found_us: u64,
        /// Allowed.
        budget_us: u64,
    },
    /// The process that checks candidates ended without an answer.
    #[error("the checking process was ended: {0}")]
    Worker(String),
    /// A check failed in the process that checks candidates.
    #[error("{reason}")]
    InWorker {
        /// Which, as [`Refusal::code`].
        code: &'static str,
        /// Why.
        reason: String,
    },
    /// A new trust file does not follow from the one that holds.
    #[error(
        "trust file version {found} cannot follow version {current}: versions go up one by one, each signed by the root keys of the one before and its own"
    )]
    Rotation {
        /// What holds.
        current: u64,
        /// What was offered.
        found: u64,
    },
    /// An emergency file wants more than it may.
    #[error("an emergency file may not do this: {0}")]
    Emergency(String),
    /// The address answers with another address.
    #[error("{address} redirects, which is not followed; configure the final address")]
    Redirect {
        /// Which.
        address: String,
    },
    /// The file or address cannot be read.
    #[error("cannot fetch {from}: {reason}")]
    Fetch {
        /// Where from.
        from: String,
        /// Why.
        reason: String,
    },
    /// The host's own folder cannot be read or written.
    #[error("{}: {error}", path.display())]
    Store {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Another process follows bundles with the same folder.
    #[error("another process keeps its bundles in {}; each needs a folder of its own", .0.display())]
    InUse(PathBuf),
    /// It was active here, and was taken back.
    #[error("this bundle was taken back here before: {0}")]
    TakenBack(String),
    /// Lists, policy, pack or module cannot be used.
    #[error(transparent)]
    Load(#[from] LoadError),
}

impl Refusal {
    /// The reason in one word, for logs and metrics.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::Malformed(_) => "malformed",
            Refusal::TooLarge { .. } => "too_large",
            Refusal::Unsigned => "unsigned",
            Refusal::Signature => "signature",
            Refusal::Role { .. } => "role",
            Refusal::Name { .. } => "name",
            Refusal::Expired { .. } => "expired",
            Refusal::Clock { .. } => "clock",
            Refusal::Rollback { .. } => "rollback",
            Refusal::Equivocation(_) => "equivocation",
            Refusal::FastForward { .. } => "fast_forward",
            Refusal::Abi { .. } => "abi",
            Refusal::Digest(_) => "digest",
            Refusal::DeltaBase(_) => "delta_base",
            Refusal::Empty => "empty",
            Refusal::Terms { .. } => "terms",
            Refusal::Tests { .. } => "tests",
            Refusal::Hostile { .. } => "hostile",
            Refusal::Slow { .. } => "slow",
            Refusal::Worker(_) => "worker",
            Refusal::InWorker { code, .. } => code,
            Refusal::Rotation { .. } => "rotation",
            Refusal::Emergency(_) => "emergency",
            Refusal::Redirect { .. } => "redirect",
            Refusal::Fetch { .. } => "fetch",
            Refusal::Store { .. } => "store",
            Refusal::InUse(_) => "in_use",
            Refusal::TakenBack(_) => "taken_back",
            Refusal::Load(_) => "load",
        }
    }
}

/// All codes.
pub(crate) const CODES: [&str; 28] = [
    "malformed",
    "too_large",
    "unsigned",
    "signature",
    "role",
    "name",
    "expired",
    "clock",
    "rollback",
    "equivocation",
    "fast_forward",
    "abi",
    "digest",
    "delta_base",
    "empty",
    "terms",
    "tests",
    "hostile",
    "slow",
    "worker",
    "rotation",
    "emergency",
    "redirect",
    "fetch",
    "store",
    "in_use",
    "taken_back",
    "load",
];
