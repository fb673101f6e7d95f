//! The records as JSON. These types are the contract with whoever reads the log.

use std::sync::Arc;
use std::time::SystemTime;

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

/// What each record about a message begins with.
#[derive(Debug, Serialize)]
struct Judge<'a> {
    v: u32,
    kind: &'static str,
    /// That no other record has; those of one host sort by time.
    id: String,
    ts: String,
    host: &'a str,
    generation: u64,
    bundle: Option<BundleRef<'a>>,
    /// XXH3-64 of the pack: with it the number of a term names the term.
    pack: String,
    /// SHA-256 of the filter module; not of those beside it, which are named.
    module_sha256: &'a str,
}

/// What it ends with.
#[derive(Debug, Serialize)]
struct Tail<'a> {
    /// Records that were lost before this one since the last.
    lost: u64,
    retention: &'static str,
    prev: &'a str,
}

/// One decision.
#[derive(Debug, Serialize)]
struct Decision<'a> {
    #[serde(flatten)]
    judge: Judge<'a>,
    msg: MessageRef<'a>,
    actor: Actor<'a>,
    hits: Vec<Hit<'a>>,
    /// Terms that were found and are being tried out: they do not act.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    shadow: Vec<Hit<'a>>,
    decision: &'static str,
    /// What the generation on trial would have decided, if that is something else.
    #[serde(skip_serializing_if = "Option::is_none")]
    would_be: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    flags: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
    /// What modules beside the filter said, if they asked for something or failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sides: Vec<Side<'a>>,
    strikes: u32,
    /// Limits of floods that it passed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    flood: Vec<&'static str>,
    #[serde(flatten)]
    tail: Tail<'a>,
}

#[derive(Debug, Serialize)]
struct BundleRef<'a> {
    name: &'a str,
    sequence: u64,
    sha256: &'a str,
    /// Sequence of the emergency file on top of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    emergency: Option<u64>,
}

#[derive(Debug, Serialize)]
struct MessageRef<'a> {
    /// What the caller calls it.
    #[serde(rename = "ref", skip_serializing_if = "str::is_empty")]
    reference: &'a str,
    hmac: &'a str,
    len: usize,
    field: &'static str,
    channel: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Actor<'a> {
    sender: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Hit<'a> {
    term: u32,
    list: &'a str,
    category: &'a str,
    severity: u8,
    span: [u32; 2],
    evidence: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
struct Side<'a> {
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
struct Quarantined<'a> {
    #[serde(flatten)]
    judge: Judge<'a>,
    /// The module beside the filter that failed, if it was one.
    side: Option<&'a str>,
    /// The kind of failure in one word, and as it was told.
    failure: &'static str,
    reason: String,
    /// What the message got.
    action: &'static str,
    msg: MessageRef<'a>,
    /// The message in hexadecimal, if it is written at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<String>,
    #[serde(flatten)]
    tail: Tail<'a>,
}

/// A message and who judged it, to be written about later, on the log's own thread.
#[derive(Debug)]
pub(crate) struct NotedMessage {
    pub(crate) generation: Arc<Generation>,
    pub(crate) id: u128,
    pub(crate) at: SystemTime,
    pub(crate) reference: String,
    pub(crate) hmac: String,
    pub(crate) bytes: usize,
    pub(crate) field: Field,
    pub(crate) channel: usize,
}

impl NotedMessage {
    fn judge<'a>(&'a self, kind: &'static str, host: &'a str) -> Judge<'a> {
        let bundle = self.generation.origin().map(|origin| BundleRef {
            name: &origin.name,
            sequence: origin.sequence,
            sha256: &origin.sha256,
            emergency: origin.emergency,
        });
        Judge {
            v: RECORD_VERSION,
            kind,
            id: format!("{:032x}", self.id),
            ts: crate::clock::rfc3339(self.at),
            host,
            generation: self.generation.number(),
            bundle,
            pack: format!("{:016x}", self.generation.parts().pack.pack().checksum()),
            module_sha256: self.generation.parts().module.sha256(),
        }
    }

    fn msg<'a>(&'a self, text: Option<&'a str>) -> MessageRef<'a> {
        let channels = self.generation.parts().policy.channels();
        MessageRef {
            reference: &self.reference,
            hmac: &self.hmac,
            len: self.bytes,
            field: self.field.name(),
            channel: channels.get(self.channel).map(String::as_str),
            text,
        }
    }
}

/// What is needed to write that later.
#[derive(Debug)]
pub(crate) struct NotedPoison {
    pub(crate) message: NotedMessage,
    pub(crate) side: Option<Arc<str>>,
    pub(crate) failure: ScanFailure,
    pub(crate) action: Action,
    pub(crate) bytes: Option<Vec<u8>>,
}

impl NotedPoison {
    /// The record as a line, without its end.
    pub(crate) fn line(&self, host: &str, lost: u64, prev: &str) -> Vec<u8> {
        let record = Quarantined {
            judge: self.message.judge("quarantined", host),
            side: self.side.as_deref(),
            failure: self.failure.code(),
            reason: self.failure.to_string(),
            action: self.action.name(),
            msg: self.message.msg(None),
            bytes: self.bytes.as_deref().map(crate::bundle::hex),
            tail: Tail { lost, retention: "quarantine", prev },
        };
        serde_json::to_vec(&record).unwrap_or_default()
    }
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
    pub(crate) message: NotedMessage,
    pub(crate) verdict: Verdict,
    pub(crate) would_be: Option<Action>,
    pub(crate) failure: Option<String>,
    pub(crate) sides: Vec<SideVerdict>,
    pub(crate) strikes: u32,
    pub(crate) flood: crate::FloodSigns,
    pub(crate) sender_hmac: Option<String>,
    pub(crate) recipient_hmac: Option<String>,
    pub(crate) text: Option<String>,
}

impl Noted {
    /// The record as a line, without its end.
    pub(crate) fn line(&self, host: &str, lost: u64, prev: &str) -> Vec<u8> {
        let pack = self.message.generation.parts().pack.pack();
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
            judge: self.message.judge("decision", host),
            msg: self.message.msg(self.text.as_deref()),
            actor: Actor { sender: self.sender_hmac.as_deref(), recipient: self.recipient_hmac.as_deref() },
            hits: self.verdict.matches.iter().map(hit).collect(),
            shadow: self.verdict.shadow.iter().map(hit).collect(),
            decision: self.verdict.action.name(),
            would_be: self.would_be.map(Action::name),
            flags: self.verdict.flags.names().collect(),
            failure: self.failure.clone(),
            sides: self.sides.iter().map(Side::new).collect(),
            strikes: self.strikes,
            flood: self.flood.reasons().map(crate::FloodReason::name).collect(),
            tail: Tail { lost, retention: "decision", prev },
        };
        serde_json::to_vec(&record).unwrap_or_default()
    }
}
