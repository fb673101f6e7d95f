//! The trust file that holds on a host: the operator's own, or a later one that followed it, signed by the root keys
//! of both. It is taken while the host runs, and no earlier one holds again. Not for what keys may sign.

use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::bundle::{Refusal, SignedText, Store, Trust};

/// What the store remembers of trust files.
#[derive(Clone, Default, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrustRecord {
    /// The version that holds; none below holds again.
    pub(crate) version: u64,
    /// The files that followed that of the operator, checked again at each start.
    pub(crate) steps: Vec<SignedText>,
}

/// A trust file that was taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TrustTaken {
    /// Its version.
    pub version: u64,
    /// Whether the bundle that judges is signed by its keys. If not it judges until the next one, and a restart would
    /// not take it.
    pub signs_active: bool,
}

/// The trust files of a host.
#[derive(Debug)]
pub(crate) struct Trusted {
    file: Option<PathBuf>,
    seen: Option<SystemTime>,
    /// The operator's own.
    own: Trust,
    /// That, or one that followed it.
    holds: Trust,
    /// Whether `holds` is not older than what held here before. As long as it is not known, nothing is taken.
    is_sure: bool,
}

impl Trusted {
    /// With the operator's own file, read from `file` if it is to be read again when it changes. The second value is
    /// why nothing new can be taken, if so.
    pub(crate) fn open(own: Trust, file: Option<PathBuf>, store: &Store) -> (Trusted, Option<Refusal>) {
        let holds = own.clone();
        // It may have changed since it was read.
        let mut trusted = Trusted { seen: None, file, own, holds, is_sure: false };
        let refusal = trusted.make_sure(store).err();
        (trusted, refusal)
    }

    /// The keys for what is here already.
    pub(crate) fn holds(&self) -> &Trust {
        &self.holds
    }

    /// The keys for what is new.
    pub(crate) fn sure(&mut self, store: &Store) -> Result<&Trust, Refusal> {
        if !self.is_sure {
            self.make_sure(store)?;
        }
        Ok(&self.holds)
    }

    fn make_sure(&mut self, store: &Store) -> Result<(), Refusal> {
        let record = store.trust_record()?;
        self.holds = last_of(&self.own, &record)?;
        if self.holds.version() > record.version {
            // It holds whether or not that can be written; it is tried again at each start.
            let version = self.holds.version();
            if let Err(refusal) = store.keep_trust_record(&TrustRecord { version, ..record }) {
                tracing::warn!("the version of the trust file cannot be kept: {refusal}");
            }
        }
        self.is_sure = true;
        Ok(())
    }

    /// Takes the file that follows the one that holds. It is on disk before it holds.
    pub(crate) fn follow(&mut self, bytes: &[u8], store: &Store) -> Result<(), Refusal> {
        let step = SignedText::decode(bytes, "trust file")?;
        let next = self.sure(store)?.rotate(&step)?;
        let mut record = store.trust_record()?;
        record.steps.retain(|step| follows(&self.own, step));
        record.steps.push(step);
        record.version = next.version();
        store.keep_trust_record(&record)?;
        self.holds = next;
        Ok(())
    }

    /// Reads the operator's own file again if it changed. Whether another one holds now.
    pub(crate) fn look_at_own(&mut self, store: &Store) -> Result<bool, Refusal> {
        let modified = self.modified();
        let Some(path) = self.file.as_ref().filter(|_| modified.is_some() && modified != self.seen) else {
            return Ok(false);
        };
        let failed = |error| Refusal::Store { path: path.clone(), error };
        self.seen = modified;
        let own = Trust::parse(&fs::read_to_string(path).map_err(failed)?)?;
        let holds = last_of(&own, &store.trust_record()?)?;
        if holds == self.holds {
            self.own = own;
            return Ok(false);
        }
        if holds.version() <= self.holds.version() {
            return Err(Refusal::Rotation { current: self.holds.version(), found: holds.version() });
        }
        self.own = own;
        self.make_sure(store)?;
        Ok(true)
    }

    fn modified(&self) -> Option<SystemTime> {
        fs::metadata(self.file.as_ref()?).and_then(|metadata| metadata.modified()).ok()
    }
}

/// The file that holds if the operator's is `own`.
fn last_of(own: &Trust, record: &TrustRecord) -> Result<Trust, Refusal> {
    let mut holds = own.clone();
    for step in record.steps.iter().filter(|step| follows(own, step)) {
        holds = holds.rotate(step)?;
    }
    if holds.version() < record.version {
        return Err(Refusal::Rotation { current: record.version, found: holds.version() });
    }
    Ok(holds)
}

/// Whether it is a step beyond that file. One that is none at all is for the check to refuse.
fn follows(own: &Trust, step: &SignedText) -> bool {
    Trust::parse(&step.signed).map_or(true, |next| next.version() > own.version())
}
