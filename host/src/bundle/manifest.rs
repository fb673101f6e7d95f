//! The manifest: what a bundle says of itself. Its exact bytes are what is signed. Not for the parts
//! themselves.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::bundle::{Refusal, Role, Rollout};

/// The version of manifests that this code reads and writes.
const MANIFEST_VERSION: u32 = 1;
/// Longest manifest, in bytes.
pub(crate) const MANIFEST_BYTES_MAX: usize = 64 << 10;
const NAME_BYTES_MAX: usize = 64;
/// Largest unpacked part, in bytes: the lists of a hundred million terms are beyond it.
const PART_BYTES_MAX: u64 = 512 << 20;

/// What a bundle says of itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this schema, 1. First, so that no other signed JSON can be taken for a manifest.
    pub tamis_bundle: u32,
    /// Which filter it is for, such as `prod`; a host takes one name only.
    pub name: String,
    /// Goes up with each bundle of that name.
    pub sequence: u64,
    /// When it was made, in seconds since 1970.
    pub created: u64,
    /// Until when it should be replaced, in seconds since 1970. One that runs is kept on beyond, with an alarm.
    pub expires: u64,
    /// Lowest and highest version of the sandbox boundary it works with.
    pub abi: [u32; 2],
    /// How many terms its lists compile to.
    pub terms: u64,
    /// What changed, for people.
    pub note: String,
    /// What it consists of, each kind at most once, in the order of [`PartKind`].
    pub parts: Vec<Part>,
    /// On which hosts it judges first, and there for whom.
    #[serde(default, skip_serializing_if = "Rollout::is_empty")]
    pub rollout: Rollout,
}

/// One part of a bundle.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// What it is.
    pub kind: PartKind,
    /// Size when unpacked.
    pub bytes: u64,
    /// SHA-256 when unpacked, in hexadecimal.
    pub sha256: String,
}

/// What a part is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PartKind {
    /// `taxonomy.toml` and the lists.
    Lists,
    /// `policy.toml`.
    Policy,
    /// Messages that must match and must not.
    Tests,
    /// A filter module.
    Module,
    /// The model that tells advertising and fraud.
    Model,
}

impl PartKind {
    /// All kinds, in their order.
    pub const ALL: [PartKind; 5] =
        [PartKind::Lists, PartKind::Policy, PartKind::Tests, PartKind::Module, PartKind::Model];

    /// The role a key needs to sign it.
    #[must_use]
    pub fn role(self) -> Role {
        match self {
            // Who may change what is found may change what should be. A model is data, as lists are.
            PartKind::Lists | PartKind::Tests | PartKind::Model => Role::Lists,
            PartKind::Policy => Role::Policy,
            PartKind::Module => Role::Module,
        }
    }
}

impl fmt::Display for PartKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PartKind::Lists => "lists",
            PartKind::Policy => "policy",
            PartKind::Tests => "tests",
            PartKind::Module => "module",
            PartKind::Model => "model",
        })
    }
}

impl Manifest {
    /// A manifest without parts.
    pub(crate) fn new(name: &str, sequence: u64, created: u64, expires: u64) -> Manifest {
        let abi = tamis_guest::wire::ABI_VERSION;
        Manifest {
            tamis_bundle: MANIFEST_VERSION,
            name: name.to_owned(),
            sequence,
            created,
            expires,
            abi: [abi, abi],
            terms: 0,
            note: String::new(),
            parts: Vec::new(),
            rollout: Rollout::default(),
        }
    }

    /// Reads a manifest that is yet to be believed.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Manifest, Refusal> {
        let malformed = |reason: String| Refusal::Malformed(format!("manifest: {reason}"));
        let manifest: Manifest = serde_json::from_slice(bytes).map_err(|error| malformed(error.to_string()))?;
        if manifest.tamis_bundle != MANIFEST_VERSION {
            return Err(malformed(format!("version {}, this host reads {MANIFEST_VERSION}", manifest.tamis_bundle)));
        }
        manifest.check()?;
        Ok(manifest)
    }

    /// Whether it is one that a host would read.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        let malformed = |reason: String| Refusal::Malformed(format!("manifest: {reason}"));
        check_name(&self.name)?;
        if let Some(problem) = self.rollout.problem() {
            return Err(malformed(format!("rollout: {problem}")));
        }
        if !self.parts.is_sorted_by(|one, next| one.kind < next.kind) {
            return Err(malformed("parts twice or out of order".to_owned()));
        }
        if !self.parts.iter().any(|part| part.kind == PartKind::Lists) {
            return Err(malformed("no lists".to_owned()));
        }
        for part in &self.parts {
            if part.bytes > PART_BYTES_MAX {
                let what = format!("the part `{}`", part.kind);
                return Err(Refusal::TooLarge { what, bytes: part.bytes, limit: PART_BYTES_MAX });
            }
        }
        Ok(())
    }

    /// The bytes to sign.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The part of that kind.
    #[must_use]
    pub fn part(&self, kind: PartKind) -> Option<&Part> {
        self.parts.iter().find(|part| part.kind == kind)
    }
}

/// Whether a text can be the name of bundles, which is part of the names of files.
pub(crate) fn check_name(name: &str) -> Result<(), Refusal> {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.starts_with('.') || !name.bytes().all(is_good) {
        let rule = "1 to 64 letters, digits, `-`, `_` and `.`, the first no `.`";
        return Err(Refusal::Malformed(format!("the name {name:?}: {rule}")));
    }
    Ok(())
}

/// SHA-256 in hexadecimal.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
