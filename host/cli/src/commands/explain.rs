//! `tamis explain`: why a message has its verdict, for people with carets and for machines as JSON.

use std::io::{self, Write};

use anyhow::bail;
use serde::Serialize;
use tamis_guest::compile::{PolicyRow, PolicySource};
use tamis_guest::explain::{Candidate, Dropped, Explanation, Reading, TermOutcome, explain};
use tamis_guest::{Action, Evidence, Field, Message, Pack, Span, TermId};

use crate::Outcome;
use crate::args::{ExplainArgs, ExplainFormat};
use crate::defaults::{Started, start};
use crate::text::{self, BOLD, DIM, color, marked, shortened, shown};

/// Most dropped candidates that people are shown.
const DROPPED_MAX: usize = 12;
/// Most characters of a text that are shown within a line.
const QUOTED_MAX: usize = 24;
/// Most terms that do not fire that people are shown: a list may have many that want one common word.
const UNFIRED_MAX: usize = 8;
/// Most spellings of a missing part that are shown.
const SPELLINGS_MAX: usize = 3;

pub(crate) fn run(args: &ExplainArgs) -> anyhow::Result<Outcome> {
    if args.sources.module.is_some() {
        bail!("explain runs the filter of this command, not a module: leave --module out");
    }
    let Started { filter, policy: source, .. } = start(&args.sources)?;
    let generation = filter.generation();
    let (pack, policy) = (generation.parts().pack.pack(), &generation.parts().policy);
    if let Some(name) = args.channel.as_ref().filter(|name| !policy.channels().contains(name)) {
        let known = policy.channels().join(", ");
        text::note(&format!("the policy has no channel `{name}` and judges by its default; it has {known}"));
    }
    let channel = args.channel.as_ref().map(|name| policy.channel(name)).unwrap_or_default();
    let message =
        Message { text: args.message.as_bytes(), field: args.field.into(), channel, sender: args.sender.as_bytes() };
    let explained = Explained {
        message: &args.message,
        field: message.field,
        pack: &pack,
        policy: &source,
        channel: channel.0.into(),
        explanation: explain(&pack, policy, &message),
    };
    match args.format {
        ExplainFormat::Text => explained.write_text(&mut anstream::AutoStream::auto(io::stdout().lock()))?,
        ExplainFormat::Json => {
            let mut out = io::stdout().lock();
            serde_json::to_writer_pretty(&mut out, &explained.json()).map_err(io::Error::from)?;
            writeln!(out)?;
        }
    }
    let allowed = explained.explanation.verdict.action == Action::Allow;
    Ok(if allowed { Outcome::Clean } else { Outcome::Found })
}

/// An explanation and what is needed to put it into words.
struct Explained<'a> {
    message: &'a str,
    field: Field,
    pack: &'a Pack<'a>,
    policy: &'a PolicySource,
    channel: usize,
    explanation: Explanation,
}

impl Explained<'_> {
    fn write_text(&self, out: &mut impl Write) -> io::Result<()> {
        let Explanation { verdict, readings, candidates, terms } = &self.explanation;
        let style = color(verdict.action).bold();
        let flags: Vec<&str> = verdict.flags.names().collect();
        let flags = if flags.is_empty() { String::new() } else { format!("  ({})", flags.join(", ")) };
        writeln!(out, "{style}{}{style:#}{DIM}{flags}{DIM:#}", verdict.action.name())?;
        let spans: Vec<Span> = verdict.matches.iter().map(|found| found.span).collect();
        marked(out, self.message, &spans, style)?;

        for (number, reading) in readings.iter().enumerate() {
            if number > 0 {
                writeln!(out, "{BOLD}read again as{BOLD:#}  {}", shown(&reading.text))?;
            }
            write_reading(out, reading)?;
        }
        let (fires, mut others): (Vec<_>, Vec<_>) =
            terms.iter().partition(|report| matches!(report.outcome, TermOutcome::Fires(_)));
        // What came nearest to firing first.
        others.sort_by_key(|report| match &report.outcome {
            TermOutcome::Missing { there, .. } => usize::MAX - there.len(),
            _ => 0,
        });
        for (heading, reports, most) in
            [("fires", fires, usize::MAX), ("is in part there, and does not fire", others, UNFIRED_MAX)]
        {
            if reports.is_empty() {
                continue;
            }
            writeln!(out, "{BOLD}{heading}{BOLD:#}")?;
            for report in reports.iter().take(most) {
                self.write_term(out, report.term, &report.outcome)?;
            }
            if reports.len() > most {
                writeln!(out, "   = and {} more; --format json has them", reports.len() - most)?;
            }
        }
        self.write_dropped(out, candidates)
    }

    fn write_term(&self, out: &mut impl Write, term: TermId, outcome: &TermOutcome) -> io::Result<()> {
        let term = self.pack.term(term);
        let category = self.pack.category(term.category).id;
        writeln!(
            out,
            "   = `{}` of {}: {category}, severity {}",
            shortened(term.text),
            term.list,
            term.severity as u8
        )?;
        match outcome {
            TermOutcome::Fires(places) => {
                for (span, evidence) in places {
                    writeln!(out, "     {}{}", self.place(*span), written_with(*evidence))?;
                }
                writeln!(out, "     {}", self.row_text(&self.row(category, term.severity as u8), term.severity as u8))
            }
            TermOutcome::Watches(places) => {
                let places: Vec<String> = places.iter().map(|(span, _)| self.place(*span)).collect();
                writeln!(
                    out,
                    "     {}; it only watches: in the shadow, or in trial on other senders",
                    places.join(", ")
                )
            }
            TermOutcome::OtherField(at) => {
                writeln!(out, "     {}; it is not for the field {}", self.place(*at), self.field.name())
            }
            TermOutcome::Allowed { at, by } => writeln!(out, "     {}, but `{by}` is allowed there", self.place(*at)),
            TermOutcome::Missing { part, there } => {
                let there: Vec<String> = there.iter().map(|span| self.place(*span)).collect();
                let more = if part.len() > SPELLINGS_MAX { " or …" } else { "" };
                let part = part.iter().take(SPELLINGS_MAX).map(|spelling| format!("`{}`", shortened(spelling)));
                let part: Vec<String> = part.collect();
                writeln!(out, "     {}; missing is {}{more}", there.join(", "), part.join(" or "))
            }
            TermOutcome::Apart { within, there } => {
                let there: Vec<String> = there.iter().map(|span| self.place(*span)).collect();
                writeln!(out, "     {}; more than {within} characters are between them", there.join(", "))
            }
            TermOutcome::Excluded { by, at } => {
                writeln!(out, "     excluded by `{}` {}", shortened(by), self.place(*at))
            }
        }
    }

    /// Dropped candidates, each once. That other letters stand somewhere is the least of news.
    fn write_dropped(&self, out: &mut impl Write, candidates: &[Candidate]) -> io::Result<()> {
        let mut lines: Vec<String> = Vec::new();
        let mut chance = 0;
        for candidate in candidates {
            match candidate.outcome {
                Ok(_) => {}
                Err(Dropped::Letters) => chance += 1,
                // Its spelling has been told of already.
                Err(Dropped::Spelled) => {}
                Err(dropped) => {
                    let from = candidate.start as usize;
                    let rest = self.message.get(from..).unwrap_or_default();
                    let word = rest.split(char::is_whitespace).next().unwrap_or_default();
                    let spelling = shortened(&candidate.spelling);
                    let line = format!("   = `{spelling}` at {from} {}: {dropped}", quoted(word));
                    if !lines.contains(&line) {
                        lines.push(line);
                    }
                }
            }
        }
        if lines.is_empty() && chance == 0 {
            return Ok(());
        }
        writeln!(out, "{BOLD}looked at and dropped{BOLD:#}")?;
        for line in lines.iter().take(DROPPED_MAX) {
            writeln!(out, "{line}")?;
        }
        if lines.len() > DROPPED_MAX {
            writeln!(out, "   = and {} more; --format json has them", lines.len() - DROPPED_MAX)?;
        }
        if chance > 0 {
            writeln!(out, "   = places where other letters stand: {chance}")?;
        }
        Ok(())
    }

    /// Where something is, in words.
    fn place(&self, span: Span) -> String {
        if span == Span::default() {
            return "by the sender".to_owned();
        }
        let text = self.message.get(span.start as usize..span.end as usize).unwrap_or_default();
        format!("at {}..{} {}", span.start, span.end, quoted(text))
    }

    fn row(&self, category: &str, severity: u8) -> PolicyRow<'_> {
        self.policy.row(self.channel, category, self.field, severity)
    }

    fn row_text(&self, row: &PolicyRow<'_>, severity: u8) -> String {
        let mut text = format!(
            "policy: channel {}, {}, severity {severity}: {}",
            row.channel,
            self.field.name(),
            row.usual.name()
        );
        if let Some((number, note)) = row.overridden {
            let note = note.map(|note| format!(" ({note})")).unwrap_or_default();
            text += &format!("; override {number}{note}: {}", row.action.name());
        }
        if let Some((least, note)) = row.floor {
            let note = note.map(|note| format!(" ({note})")).unwrap_or_default();
            text += &format!("; floor{note}: at least {}", least.name());
        }
        if row.action == self.explanation.verdict.action {
            text += ", which decides";
        }
        text
    }

    fn json(&self) -> ExplanationJson<'_> {
        let Explanation { verdict, readings, candidates, terms } = &self.explanation;
        ExplanationJson {
            action: verdict.action.name(),
            flags: verdict.flags.names().collect(),
            readings: readings.iter().map(ReadingJson::new).collect(),
            candidates: candidates.iter().map(|candidate| CandidateJson::new(candidate, self.pack)).collect(),
            terms: terms.iter().map(|report| self.term_json(report.term, &report.outcome)).collect(),
        }
    }

    fn term_json<'a>(&'a self, term: TermId, outcome: &'a TermOutcome) -> TermJson<'a> {
        let term = self.pack.term(term);
        let category = self.pack.category(term.category).id;
        let severity = term.severity as u8;
        let (outcome, matches, policy) = match outcome {
            TermOutcome::Fires(places) => {
                let matches = places.iter().map(|&(span, evidence)| MatchJson::new(span, evidence)).collect();
                let row = self.row(category, severity);
                let policy = PolicyJson {
                    channel: row.channel,
                    field: self.field.name(),
                    usual: row.usual.name(),
                    r#override: row.overridden.map(|(number, _)| number),
                    note: row.overridden.and_then(|(_, note)| note),
                    floor: row.floor.map(|(least, _)| least.name()),
                    action: row.action.name(),
                };
                (OutcomeJson::Fires, matches, Some(policy))
            }
            TermOutcome::Watches(places) => {
                let matches = places.iter().map(|&(span, evidence)| MatchJson::new(span, evidence)).collect();
                (OutcomeJson::Watches, matches, None)
            }
            TermOutcome::OtherField(at) => (OutcomeJson::OtherField { span: pair(*at) }, Vec::new(), None),
            TermOutcome::Allowed { at, by } => (OutcomeJson::Allowed { span: pair(*at), by }, Vec::new(), None),
            TermOutcome::Missing { part, there } => {
                let there = there.iter().map(|&span| pair(span)).collect();
                (OutcomeJson::Missing { part, there }, Vec::new(), None)
            }
            TermOutcome::Apart { within, there } => {
                let there = there.iter().map(|&span| pair(span)).collect();
                (OutcomeJson::Apart { within: *within, there }, Vec::new(), None)
            }
            TermOutcome::Excluded { by, at } => (OutcomeJson::Excluded { span: pair(*at), by }, Vec::new(), None),
        };
        TermJson { term: term.text, list: term.list, category, severity, outcome, matches, policy }
    }
}

fn write_reading(out: &mut impl Write, reading: &Reading) -> io::Result<()> {
    let mut pieces = String::new();
    for piece in &reading.pieces {
        // A dot between pieces that may be one word.
        pieces += if piece.joins { "·" } else { " " };
        pieces += &piece.folded;
    }
    let rows = [("folded", pieces.trim()), ("letters", &reading.symbols), ("sounds", &reading.syllables.join(" "))];
    for (name, row) in rows.into_iter().filter(|(_, row)| !row.is_empty()) {
        writeln!(out, "{BOLD}{name:8}{BOLD:#} {row}")?;
    }
    Ok(())
}

/// A text as it can be shown within a line.
fn quoted(text: &str) -> String {
    let text = shown(text);
    let start: String = text.chars().take(QUOTED_MAX).collect();
    let more = if text.chars().count() > QUOTED_MAX { "…" } else { "" };
    format!("“{start}{more}”")
}

fn written_with(evidence: Evidence) -> String {
    let names: Vec<&str> = evidence.names().collect();
    if names.is_empty() { String::new() } else { format!(", written with {}", names.join(", ")) }
}

fn pair(span: Span) -> [u32; 2] {
    [span.start, span.end]
}

#[derive(Serialize)]
struct ExplanationJson<'a> {
    action: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    flags: Vec<&'static str>,
    readings: Vec<ReadingJson<'a>>,
    candidates: Vec<CandidateJson<'a>>,
    terms: Vec<TermJson<'a>>,
}

#[derive(Serialize)]
struct ReadingJson<'a> {
    text: &'a str,
    pieces: Vec<PieceJson<'a>>,
    letters: &'a str,
    sounds: &'a [String],
}

impl<'a> ReadingJson<'a> {
    fn new(reading: &'a Reading) -> ReadingJson<'a> {
        let piece = |piece: &'a tamis_guest::explain::Piece| PieceJson {
            start: piece.start,
            folded: &piece.folded,
            joins: piece.joins,
        };
        ReadingJson {
            text: &reading.text,
            pieces: reading.pieces.iter().map(piece).collect(),
            letters: &reading.symbols,
            sounds: &reading.syllables,
        }
    }
}

#[derive(Serialize)]
struct PieceJson<'a> {
    /// In bytes of the reading.
    start: u32,
    folded: &'a str,
    /// It may go on a word with the piece before.
    joins: bool,
}

#[derive(Serialize)]
struct CandidateJson<'a> {
    found_by: &'static str,
    start: u32,
    spelling: &'a str,
    terms: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<MatchJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dropped: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<String>,
}

impl<'a> CandidateJson<'a> {
    fn new(candidate: &'a Candidate, pack: &'a Pack<'a>) -> CandidateJson<'a> {
        let dropped = candidate.outcome.err();
        CandidateJson {
            found_by: candidate.way.name(),
            start: candidate.start,
            spelling: &candidate.spelling,
            terms: candidate.terms.iter().map(|&term| pack.term(term).text).collect(),
            kept: candidate.outcome.ok().map(|(span, evidence)| MatchJson::new(span, evidence)),
            dropped: dropped.map(Dropped::name),
            because: dropped.map(|dropped| dropped.to_string()),
        }
    }
}

#[derive(Serialize)]
struct MatchJson {
    /// Bytes of the message, half-open; `[0, 0]` for the sender.
    span: [u32; 2],
    evidence: Vec<&'static str>,
}

impl MatchJson {
    fn new(span: Span, evidence: Evidence) -> MatchJson {
        MatchJson { span: pair(span), evidence: evidence.names().collect() }
    }
}

#[derive(Serialize)]
struct TermJson<'a> {
    term: &'a str,
    list: &'a str,
    category: &'a str,
    severity: u8,
    #[serde(flatten)]
    outcome: OutcomeJson<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    matches: Vec<MatchJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<PolicyJson<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
enum OutcomeJson<'a> {
    Fires,
    Watches,
    OtherField { span: [u32; 2] },
    Allowed { span: [u32; 2], by: &'a str },
    Missing { part: &'a [String], there: Vec<[u32; 2]> },
    Apart { within: u32, there: Vec<[u32; 2]> },
    Excluded { span: [u32; 2], by: &'a str },
}

#[derive(Serialize)]
struct PolicyJson<'a> {
    channel: &'a str,
    field: &'static str,
    /// What the row of the channel says.
    usual: &'static str,
    /// Which override goes before it, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    r#override: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
    /// The mildest action that a floor leaves, if that is stricter.
    #[serde(skip_serializing_if = "Option::is_none")]
    floor: Option<&'static str>,
    action: &'static str,
}
