//! The records as JSON. These types are the contract with whoever reads the log.

use serde::{Deserialize, Serialize};
use tamis_guest::{Action, Field, Verdict};

use crate::{Finding, Generation, ScanFailure, SideVerdict};

/// Version of the records.
pub(crate) const RECORD_VERSION: u32 = 1;

/// First line of every file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Head {
    pub(crate) v: u32,
    pub(crate) kind: String,
    pub(crate) class: String,
    pub(crate) file: u64,
    pub(crate) ts: String,
    /// Bytes of a line that was not finished, at the end of the file before: the process was ended there.
    pub(crate) cut: u64,
    pub(crate) prev: String,
}

/// One decision.
#[derive(Debug, Serialize)]
pub(crate) struct Decision<'a> {
    pub(crate) v: u32,
    pub(crate) kind: &'static str,
    pub(crate) ts: String,
    pub(crate) host: &'a str,
    pub(crate) generation: u64,
    pub(crate) bundle: Option<BundleRef<'a>>,
    /// XXH3-64 of the pack: with it the number of a term names the term.
    pub(crate) pack: String,
    pub(crate) msg: MessageRef<'a>,
    pub(crate) actor: Actor<'a>,
    pub(crate) hits: Vec<Hit<'a>>,
    pub(crate) decision: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) flags: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<String>,
    /// What modules beside the filter said, if they asked for something or failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) sides: Vec<Side<'a>>,
    pub(crate) strikes: u32,
    /// Limits of floods that it passed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) flood: Vec<&'static str>,
    /// Records that were lost before this one since the last.
    pub(crate) lost: u64,
    pub(crate) retention: &'static str,
    pub(crate) prev: &'a str,
}

#[derive(Debug, Serialize)]
pub(crate) struct BundleRef<'a> {
    name: &'a str,
    sequence: u64,
    sha256: &'a str,
}

#[derive(Debug, Serialize)]
pub(crate) struct MessageRef<'a> {
    pub(crate) hmac: &'a str,
    pub(crate) len: usize,
    pub(crate) field: &'static str,
    pub(crate) channel: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<&'a str>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Actor<'a> {
    pub(crate) sender: Option<&'a str>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Hit<'a> {
    term: u32,
    list: &'a str,
    category: &'a str,
    severity: u8,
    span: [u32; 2],
    evidence: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Side<'a> {
    module: &'a str,
    action: &'static str,
    findings: Vec<SideHit<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
}

#[derive(Debug, Serialize)]
struct SideHit<'a> {
    reason: &'a str,
    span: [u32; 2],
}

impl<'a> Side<'a> {
    fn new(said: &'a SideVerdict) -> Side<'a> {
        let hit = |found: &'a Finding| SideHit { reason: &found.reason, span: [found.span.start, found.span.end] };
        Side {
            module: &said.module,
            action: said.action.name(),
            findings: said.findings.iter().map(hit).collect(),
            failure: said.failure.as_ref().map(ToString::to_string),
        }
    }
}

/// A message on which a filter failed twice.
#[derive(Debug, Serialize)]
pub(crate) struct Quarantined<'a> {
    pub(crate) v: u32,
    pub(crate) kind: &'static str,
    pub(crate) ts: String,
    pub(crate) host: &'a str,
    pub(crate) generation: u64,
    pub(crate) bundle: Option<BundleRef<'a>>,
    pub(crate) pack: String,
    /// SHA-256 of the filter module; not of those beside it, which are named.
    pub(crate) module_sha256: String,
    /// The module beside the filter that failed, if it was one.
    pub(crate) side: Option<&'a str>,
    /// The kind of failure in one word, and as it was told.
    pub(crate) failure: &'static str,
    pub(crate) reason: String,
    /// What the message got.
    pub(crate) action: &'static str,
    pub(crate) msg: MessageRef<'a>,
    /// The message in hexadecimal, if it is written at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bytes: Option<String>,
    pub(crate) lost: u64,
    pub(crate) retention: &'static str,
    pub(crate) prev: &'a str,
}

/// What is needed to write that later.
#[derive(Debug)]
pub(crate) struct NotedPoison {
    pub(crate) generation: std::sync::Arc<Generation>,
    pub(crate) side: Option<std::sync::Arc<str>>,
    pub(crate) failure: ScanFailure,
    pub(crate) action: Action,
    pub(crate) at: std::time::SystemTime,
    pub(crate) message_hmac: String,
    pub(crate) message_bytes: usize,
    pub(crate) field: Field,
    pub(crate) channel: usize,
    pub(crate) bytes: Option<Vec<u8>>,
}

impl NotedPoison {
    /// The record as a line, without its end.
    pub(crate) fn line(&self, host: &str, lost: u64, prev: &str) -> Vec<u8> {
        let parts = self.generation.parts();
        let record = Quarantined {
            v: RECORD_VERSION,
            kind: "quarantined",
            ts: crate::clock::rfc3339(self.at),
            host,
            generation: self.generation.number(),
            bundle: bundle_ref(&self.generation),
            pack: format!("{:016x}", parts.pack.pack().checksum()),
            module_sha256: crate::bundle::sha256_hex(parts.module.wasm()),
            side: self.side.as_deref(),
            failure: self.failure.code(),
            reason: self.failure.to_string(),
            action: self.action.name(),
            msg: MessageRef {
                hmac: &self.message_hmac,
                len: self.message_bytes,
                field: self.field.name(),
                channel: parts.policy.channels().get(self.channel).map(String::as_str),
                text: None,
            },
            bytes: self.bytes.as_deref().map(crate::bundle::hex),
            lost,
            retention: "quarantine",
            prev,
        };
        serde_json::to_vec(&record).unwrap_or_default()
    }
}

fn bundle_ref(generation: &Generation) -> Option<BundleRef<'_>> {
    let origin = generation.origin()?;
    Some(BundleRef { name: &origin.name, sequence: origin.sequence, sha256: &origin.sha256 })
}

/// Something that happened to the filter.
#[derive(Debug, Serialize)]
pub(crate) struct Event<'a> {
    pub(crate) v: u32,
    pub(crate) kind: &'a str,
    pub(crate) ts: String,
    pub(crate) host: &'a str,
    pub(crate) what: &'a serde_json::Value,
    pub(crate) lost: u64,
    pub(crate) retention: &'static str,
    pub(crate) prev: &'a str,
}

/// What is needed to write a decision later, on the log's own thread.
#[derive(Debug)]
pub(crate) struct Noted {
    pub(crate) generation: std::sync::Arc<Generation>,
    pub(crate) verdict: Verdict,
    pub(crate) failure: Option<String>,
    pub(crate) sides: Vec<SideVerdict>,
    pub(crate) strikes: u32,
    pub(crate) flood: crate::FloodSigns,
    pub(crate) at: std::time::SystemTime,
    pub(crate) message_hmac: String,
    pub(crate) sender_hmac: Option<String>,
    pub(crate) message_bytes: usize,
    pub(crate) field: Field,
    pub(crate) channel: usize,
    pub(crate) text: Option<String>,
}

impl Noted {
    /// The record as a line, without its end.
    pub(crate) fn line(&self, host: &str, lost: u64, prev: &str) -> Vec<u8> {
        let parts = self.generation.parts();
        let pack = parts.pack.pack();
        let hit = |found: &tamis_guest::Match| {
            let term = pack.term(found.term);
            Hit {
                term: found.term.0,
                list: term.list,
                category: pack.category(term.category).id,
                severity: term.severity as u8,
                span: [found.span.start, found.span.end],
                evidence: found.evidence.names().collect(),
            }
        };
        let record = Decision {
            v: RECORD_VERSION,
            kind: "decision",
            ts: crate::clock::rfc3339(self.at),
            host,
            generation: self.generation.number(),
            bundle: bundle_ref(&self.generation),
            pack: format!("{:016x}", pack.checksum()),
            msg: MessageRef {
                hmac: &self.message_hmac,
                len: self.message_bytes,
                field: self.field.name(),
                channel: parts.policy.channels().get(self.channel).map(String::as_str),
                text: self.text.as_deref(),
            },
            actor: Actor { sender: self.sender_hmac.as_deref() },
            hits: self.verdict.matches.iter().map(hit).collect(),
            decision: self.verdict.action.name(),
            flags: self.verdict.flags.names().collect(),
            failure: self.failure.clone(),
            sides: self.sides.iter().map(Side::new).collect(),
            strikes: self.strikes,
            flood: self.flood.reasons().map(crate::FloodReason::name).collect(),
            lost,
            retention: "decision",
            prev,
        };
        serde_json::to_vec(&record).unwrap_or_default()
    }
}
