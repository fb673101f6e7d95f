//! Verdicts as JSON. These types are the contract with whoever reads them; nothing else is serialised.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;
use tamis_guest::spam::Confidence;
use tamis_guest::{Action, Match, Pack, Policy, mask_message};
use tamis_host::{Finding, FloodReason, FloodSigns, Judged, SideVerdict};

use crate::input::Line;

/// One verdict.
#[derive(Debug, Serialize)]
pub(crate) struct VerdictJson<'a> {
    id: &'a Value,
    action: &'static str,
    matches: Vec<MatchJson<'a>>,
    /// Terms that were found and do not act: they are being tried out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    shadow: Vec<MatchJson<'a>>,
    /// What the model thinks, in per mille; nothing if the pack has no model.
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence: Option<ConfidenceJson>,
    /// The limits of floods that it passed; the category is `spam.flood`.
    #[serde(skip_serializing_if = "Option::is_none")]
    flood: Option<FloodJson>,
    /// What the bundle on trial would have done, if that is something else.
    #[serde(skip_serializing_if = "Option::is_none")]
    would_be: Option<&'static str>,
    /// How many messages of its sender were held or blocked of late, this one included, if that is counted.
    #[serde(skip_serializing_if = "is_zero")]
    strikes: u32,
    generation: u64,
    /// The text with what must not be shown masked; only where the action is `mask`. Without it such a
    /// message has more matches than a verdict holds, and should be held.
    #[serde(skip_serializing_if = "Option::is_none")]
    masked: Option<String>,
    /// What was special: `truncated`, `invalid_utf8`, `matches_capped`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    flags: Vec<&'static str>,
    /// Why the filter has no verdict of its own; the action is then the policy's answer to failures.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
    /// What the modules beside the filter said, those that found nothing left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sides: Vec<SideJson<'a>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// What a module beside the filter said.
#[derive(Debug, Serialize)]
struct SideJson<'a> {
    module: &'a str,
    action: &'static str,
    findings: Vec<FindingJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
}

#[derive(Debug, Serialize)]
struct FindingJson<'a> {
    /// Bytes of the message, half-open.
    span: [u32; 2],
    reason: &'a str,
}

impl<'a> SideJson<'a> {
    fn new(said: &'a SideVerdict) -> SideJson<'a> {
        let finding =
            |found: &'a Finding| FindingJson { span: [found.span.start, found.span.end], reason: &found.reason };
        SideJson {
            module: &said.module,
            action: said.action.name(),
            findings: said.findings.iter().map(finding).collect(),
            failure: said.failure.as_ref().map(ToString::to_string),
        }
    }
}

/// What the model thinks.
#[derive(Debug, Serialize)]
struct ConfidenceJson {
    advertising: u16,
    fraud: u16,
}

/// What many messages together show: which limits are passed, and the counts within the windows of the policy.
#[derive(Debug, Serialize)]
struct FloodJson {
    reasons: Vec<&'static str>,
    severity: u8,
    sender_messages: u32,
    sender_recipients: u32,
    campaign_messages: u32,
    campaign_senders: u32,
}

impl FloodJson {
    fn new(signs: FloodSigns) -> Option<FloodJson> {
        Some(FloodJson {
            severity: signs.severity()? as u8,
            reasons: signs.reasons().map(FloodReason::name).collect(),
            sender_messages: signs.sender_messages,
            sender_recipients: signs.sender_recipients,
            campaign_messages: signs.campaign_messages,
            campaign_senders: signs.campaign_senders,
        })
    }
}

/// One match.
#[derive(Debug, Serialize)]
struct MatchJson<'a> {
    /// Bytes of the message, half-open.
    span: [u32; 2],
    term: &'a str,
    list: &'a str,
    category: &'a str,
    severity: u8,
    clauses: Vec<&'a str>,
    evidence: Vec<&'static str>,
}

impl<'a> MatchJson<'a> {
    fn new(found: &Match, pack: &'a Pack<'a>) -> MatchJson<'a> {
        let term = pack.term(found.term);
        let category = pack.category(term.category);
        MatchJson {
            span: [found.span.start, found.span.end],
            term: term.text,
            list: term.list,
            category: category.id,
            severity: term.severity as u8,
            clauses: category.clauses().collect(),
            evidence: found.evidence.names().collect(),
        }
    }
}

impl<'a> VerdictJson<'a> {
    pub(crate) fn new(line: &'a Line, judged: &'a Judged, policy: &Policy, pack: &'a Pack<'a>) -> VerdictJson<'a> {
        let all = |matches: &[Match]| matches.iter().map(|found| MatchJson::new(found, pack)).collect();
        let masked = || mask_message(policy, pack, &line.message(policy), &judged.verdict);
        VerdictJson {
            id: &line.id,
            action: judged.verdict.action.name(),
            matches: all(&judged.verdict.matches),
            shadow: all(&judged.verdict.shadow),
            confidence: pack.model().map(|_| {
                let Confidence { advertising, fraud } = judged.verdict.confidence;
                ConfidenceJson { advertising, fraud }
            }),
            flood: FloodJson::new(judged.flood),
            would_be: judged.would_be.map(Action::name),
            strikes: judged.strikes,
            generation: judged.generation,
            masked: (judged.verdict.action == Action::Mask && judged.failure.is_none())
                .then(masked)
                .flatten()
                .map(|text| String::from_utf8_lossy(&text).into_owned()),
            flags: judged.verdict.flags.names().collect(),
            failure: judged.failure.as_ref().map(ToString::to_string),
            sides: judged.sides.iter().filter(|said| said.says_something()).map(SideJson::new).collect(),
        }
    }

    /// Writes it without a line end.
    pub(crate) fn write(&self, out: impl Write) -> io::Result<()> {
        serde_json::to_writer(out, self).map_err(io::Error::from)
    }
}
