//! Who may sign what: the trust file of a host, and how one follows another. Not for secret keys; those
//! never come near a host.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use minisign_verify::{PublicKey, Signature};
use serde::{Deserialize, Serialize};

use crate::bundle::{Refusal, SignedText};

const KEYS_MAX: usize = 32;

/// What a key may sign.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The next trust file.
    Root,
    /// Lists, taxonomy, tests and the model.
    Lists,
    /// Policies.
    Policy,
    /// Filter modules: code.
    Module,
    /// Emergency files, which may do little and only for days.
    Emergency,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Root => "root",
            Role::Lists => "lists",
            Role::Policy => "policy",
            Role::Module => "module",
            Role::Emergency => "emergency",
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TrustFile {
    version: u64,
    #[serde(default)]
    threshold: BTreeMap<Role, usize>,
    key: Vec<KeyTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyTable {
    public: String,
    roles: BTreeSet<Role>,
}

/// The keys a host trusts, and with what. Never empty.
///
/// ```toml
/// version = 1
/// [threshold]        # how many keys must sign, by role; 1 where nothing is said
/// module = 2
/// [[key]]
/// public = "RWQ..."  # second line of a minisign .pub file
/// roles = ["lists", "policy"]
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trust {
    version: u64,
    threshold: BTreeMap<Role, usize>,
    keys: Vec<Key>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Key {
    public: PublicKey,
    roles: BTreeSet<Role>,
}

impl Trust {
    /// Reads a trust file. Its place on the host is what makes it true: keep it where only root writes.
    ///
    /// # Errors
    /// If it is not one, or names no key, or a threshold that its keys cannot reach.
    pub fn parse(text: &str) -> Result<Trust, Refusal> {
        let malformed = |reason: String| Refusal::Malformed(format!("trust file: {reason}"));
        let file: TrustFile = toml::from_str(text).map_err(|error| malformed(error.to_string()))?;
        if file.key.is_empty() || file.key.len() > KEYS_MAX {
            return Err(malformed(format!("{} keys; 1 to {KEYS_MAX} are possible", file.key.len())));
        }
        let mut keys: Vec<Key> = Vec::new();
        for table in file.key {
            let text = table.public.trim();
            let public = PublicKey::from_base64(text)
                .map_err(|error| malformed(format!("`{text}` is no minisign public key: {error}")))?;
            if keys.iter().any(|key| key.public == public) {
                return Err(malformed(format!("the key `{text}` twice; give it all its roles in one place")));
            }
            keys.push(Key { public, roles: table.roles });
        }
        let trust = Trust { version: file.version, threshold: file.threshold, keys };
        for (&role, &needed) in &trust.threshold {
            let there = trust.keys.iter().filter(|key| key.roles.contains(&role)).count();
            if needed == 0 || needed > there {
                return Err(malformed(format!(
                    "the threshold of `{role}` is {needed}, and {there} keys have that role"
                )));
            }
        }
        Ok(trust)
    }

    /// Counts up with each rotation.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Which of the keys signed these very bytes.
    ///
    /// # Errors
    /// If there is no signature, or none of a key known here.
    pub(crate) fn signers(&self, bytes: &[u8], signatures: &[String]) -> Result<Signers<'_>, Refusal> {
        if signatures.is_empty() {
            return Err(Refusal::Unsigned);
        }
        let signatures: Vec<Signature> = signatures.iter().filter_map(|text| Signature::decode(text).ok()).collect();
        let signed = |key: &&Key| signatures.iter().any(|signature| key.public.verify(bytes, signature, false).is_ok());
        let keys: Vec<&Key> = self.keys.iter().filter(signed).collect();
        if keys.is_empty() {
            return Err(Refusal::Signature);
        }
        Ok(Signers { trust: self, keys })
    }

    /// The trust file that follows this one: the next version, signed by the root keys of both.
    ///
    /// # Errors
    /// If it does not follow.
    pub fn rotate(&self, next: &SignedText) -> Result<Trust, Refusal> {
        let SignedText { signed: text, signatures } = next;
        self.signers(text.as_bytes(), signatures)?.require(Role::Root, "trust file")?;
        let next = Trust::parse(text)?;
        if self.version.checked_add(1) != Some(next.version) {
            return Err(Refusal::Rotation { current: self.version, found: next.version });
        }
        next.signers(text.as_bytes(), signatures)?.require(Role::Root, "trust file")?;
        Ok(next)
    }
}

/// The keys that signed something.
#[derive(Debug)]
pub(crate) struct Signers<'t> {
    trust: &'t Trust,
    keys: Vec<&'t Key>,
}

impl Signers<'_> {
    /// Whether enough keys of that role are among them.
    pub(crate) fn require(&self, role: Role, part: &str) -> Result<(), Refusal> {
        let needed = self.trust.threshold.get(&role).copied().unwrap_or(1);
        let found = self.keys.iter().filter(|key| key.roles.contains(&role)).count();
        if found < needed {
            return Err(Refusal::Role { part: part.to_owned(), role, needed, found });
        }
        Ok(())
    }
}
