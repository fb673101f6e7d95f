//! What can go wrong, split by when: loading, where the running generation stays as it is, and
//! scanning, where one message gets the policy's answer to failures.

use std::fmt;
use std::io;
use std::path::PathBuf;

use tamis_guest::DecodeError;
use tamis_guest::compile::Diagnostic;

/// Why something could not be loaded. Whatever was running before goes on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// A file could not be read.
    #[error("cannot read {}: {error}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// What a file holds cannot be used.
    #[error("{}: {error}", path.display())]
    InFile {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: Box<LoadError>,
    },
    /// There is nothing in the folder that could be a list.
    #[error("no lists in {}: a folder of lists has taxonomy.toml, policy.toml, and lists such as en/fraud.scam.toml", .0.display())]
    NoLists(PathBuf),
    /// The pack was made without the names that the policy protects.
    #[error(
        "the policy protects names that this pack was compiled without: give the folder of lists as well, or compile the pack with that policy"
    )]
    Unprotected,
    /// Lists, taxonomy or policy have errors.
    #[error("{}", render(.0))]
    Lists(Vec<Diagnostic>),
    /// The bytes are no pack for this version.
    #[error(transparent)]
    Pack(#[from] DecodeError),
    /// The module is not a WebAssembly module, or is too large.
    #[error("not a filter module: {0}")]
    NotAModule(String),
    /// The module speaks another version of the boundary.
    #[error(
        "the module has boundary version {found}, this host has {expected}: build the module with this version of tamis-guest"
    )]
    Abi {
        /// The host's version.
        expected: u32,
        /// The module's version.
        found: u32,
    },
    /// The module wants something that filters do not get.
    #[error("the module imports `{0}`; a filter may import `env.memory` and nothing else")]
    Import(String),
    /// The module lacks something that filters must have.
    #[error("the module has no {0}; tamis-guest's abi.rs lists what a filter exports")]
    Export(&'static str),
    /// The module exports what no filter does.
    #[error("the module exports `{0}`, which no filter does; tamis-guest's abi.rs lists what a filter exports")]
    Extra(String),
    /// The sandbox could not be made.
    #[error("the sandbox could not be made: {0}")]
    Sandbox(String),
    /// The module is for another place: one of lists beside the filter, or the other way round.
    #[error("{0}")]
    Place(&'static str),
    /// A module beside the filter broke, or refused its settings, while it was being started.
    #[error("the module `{module}` does not start: {failure}")]
    SideStart {
        /// What it calls itself.
        module: String,
        /// How.
        failure: ScanFailure,
    },
    /// The module broke, or refused, while it was being started with this pack and policy.
    #[error("the module does not start: {0}")]
    Start(ScanFailure),
    /// The file system cannot be watched.
    #[error("cannot watch {}: {reason}", path.display())]
    Watch {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

fn render(diagnostics: &[Diagnostic]) -> String {
    let all: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
    all.join("\n\n")
}

/// Why the filter has no verdict of its own on a message.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ScanFailure {
    /// It took longer than the deadline.
    Deadline,
    /// It used up its fuel.
    Fuel,
    /// It was not asked: it failed on the messages before, and is left alone for a while.
    Resting,
    /// It ran into the limit on memory.
    Memory,
    /// It trapped.
    Trap(String),
    /// It answered what no filter answers.
    Answer,
    /// It refused the call, with this number.
    Refused(i32),
    /// It judges messages only, and this is an upload.
    NoUploads,
    /// A fresh sandbox could not be made.
    Sandbox(String),
}

impl ScanFailure {
    /// The kind in one word, for logs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            ScanFailure::Deadline => "deadline",
            ScanFailure::Fuel => "fuel",
            ScanFailure::Resting => "resting",
            ScanFailure::Memory => "memory",
            ScanFailure::Trap(_) => "trap",
            ScanFailure::Answer => "answer",
            ScanFailure::Refused(_) => "refused",
            ScanFailure::NoUploads => "no_uploads",
            ScanFailure::Sandbox(_) => "sandbox",
        }
    }
}

impl fmt::Display for ScanFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ScanFailure::Deadline => f.write_str("it ran longer than the deadline"),
            ScanFailure::Fuel => f.write_str("it did more than it may for one message"),
            ScanFailure::Resting => f.write_str("it failed on the messages before, and rests for a while"),
            ScanFailure::Memory => f.write_str("it ran into the limit on memory"),
            ScanFailure::Trap(reason) => write!(f, "it trapped: {reason}"),
            ScanFailure::Answer => f.write_str("its answer is not one a filter gives"),
            ScanFailure::Refused(number) => write!(f, "it refused with code {number}"),
            ScanFailure::NoUploads => f.write_str("it judges messages only, and no uploads in chunks"),
            ScanFailure::Sandbox(reason) => write!(f, "no sandbox: {reason}"),
        }
    }
}
