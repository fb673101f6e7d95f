//! What people read: verdicts with carets under the words, diagnostics, errors, numbers.

use std::cmp::Reverse;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::path::Path;

use anstyle::{AnsiColor, Style};
use tamis_guest::compile::{Diagnostic, Level};
use tamis_guest::spam::Confidence;
use tamis_guest::{Action, Evidence, Match, Pack, Severity, Span, TermId};
use tamis_host::{FLOOD_CATEGORY, FloodReason, Judged};
use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

use crate::input::Line;

/// Columns at which a message is wrapped.
const WIDTH_MAX: usize = 100;
/// Most characters of a term that are shown.
const TERM_MAX: usize = 70;
/// Most lines of a message that are shown.
const LINES_MAX: usize = 8;
/// How much of a file is shown around a match, in bytes, and at most in all.
const AROUND_BYTES: u64 = 32;
const EXCERPT_BYTES_MAX: u64 = 256;
/// Confidence of the model from which on it is shown, in per mille.
const SURE: u16 = 500;
/// Most reasons of it that are shown.
const REASONS_MAX: usize = 5;

pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const DIM: Style = Style::new().dimmed();

pub(crate) fn color(action: Action) -> Style {
    match action {
        Action::Allow => AnsiColor::Green.on_default(),
        Action::Flag | Action::Mask => AnsiColor::Yellow.on_default(),
        Action::Hold => AnsiColor::Magenta.on_default(),
        Action::Block => AnsiColor::Red.on_default(),
    }
}

/// Writes a verdict: the message with its matches marked, then each term once, the gravest first.
pub(crate) fn verdict(out: &mut impl Write, line: &Line, judged: &Judged, pack: &Pack<'_>) -> io::Result<()> {
    let text = String::from_utf8_lossy(&line.text);
    let action = judged.verdict.action;
    let style = color(action).bold();
    let id = line.id_text();
    let notes: Vec<&str> = judged.verdict.flags.names().collect();
    let notes = if notes.is_empty() { String::new() } else { format!("  ({})", notes.join(", ")) };
    writeln!(out, "{style}{}{style:#} {BOLD}{id}{BOLD:#}{DIM}{notes}{DIM:#}", action.name())?;

    // Spans count bytes of the original; in a text that had to be repaired they would point astray.
    let is_exact = text.len() == line.text.len();
    let of_lists = || judged.verdict.matches.iter().chain(&judged.verdict.shadow).map(|found| found.span);
    let of_sides = || judged.sides.iter().flat_map(|said| &said.findings).map(|found| found.span);
    let spans: Vec<Span> = if is_exact { of_lists().chain(of_sides()).collect() } else { Vec::new() };
    marked(out, &text, &spans, style)?;
    if let Some(failure) = &judged.failure {
        writeln!(out, "   = the filter failed on this message: {failure}")?;
    }

    if let Some(would_be) = judged.would_be {
        writeln!(out, "   = the bundle on trial says {}", would_be.name())?;
    }
    if judged.strikes > 0 {
        writeln!(out, "   = {} messages of its sender were held or blocked of late", count(judged.strikes.into()))?;
    }

    if let Some(severity) = judged.flood.severity() {
        let about = judged.flood.reasons().map(|reason| {
            let number = count(judged.flood.count(reason).into());
            match reason {
                FloodReason::SenderMessages => format!("{number} messages of its sender"),
                FloodReason::SenderRecipients => format!("{number} recipients of its sender"),
                FloodReason::CampaignMessages => format!("{number} messages that say the same"),
                FloodReason::CampaignSenders => format!("{number} senders that say the same"),
            }
        });
        let about: Vec<String> = about.collect();
        writeln!(out, "   = {FLOOD_CATEGORY}, severity {}: {} of late", severity as u8, about.join(", "))?;
    }
    if let Some(model) = pack.model().filter(|_| judged.verdict.confidence.unwanted() >= SURE) {
        let Confidence { advertising, fraud } = judged.verdict.confidence;
        let percent = |per_mille: u16| f64::from(per_mille) / 10.0;
        let mut about = format!("model: advertising {} %, fraud {} %", percent(advertising), percent(fraud));
        let reasons = model.reasons(&line.text, line.sender.as_bytes(), REASONS_MAX);
        let shown = reasons.iter().filter(|reason| reason.weight > 0).map(|reason| match reason.signal {
            Some(signal) => signal.name().to_owned(),
            None => format!("`{}`", String::from_utf8_lossy(reason.words(&line.text)).trim()),
        });
        let shown: Vec<String> = shown.collect();
        if !shown.is_empty() {
            about += &format!(", mostly for {}", shown.join(", "));
        }
        writeln!(out, "   = {about}")?;
    }
    for said in &judged.sides {
        if let Some(failure) = &said.failure {
            writeln!(
                out,
                "   = the module `{}` failed on this message, {}: {failure}",
                said.module,
                said.action.name()
            )?;
        }
        let mut reasons: Vec<&str> = said.findings.iter().map(|found| &*found.reason).collect();
        reasons.dedup();
        for reason in reasons {
            writeln!(out, "   = the module `{}` says {}: {reason}", said.module, said.action.name())?;
        }
    }

    terms(out, "", &judged.verdict.matches, pack)?;
    terms(out, "shadow: ", &judged.verdict.shadow, pack)
}

/// Writes each term of the matches once.
fn terms(out: &mut impl Write, kind: &str, matches: &[Match], pack: &Pack<'_>) -> io::Result<()> {
    let mut terms: Vec<(Reverse<Severity>, TermId, Evidence)> = Vec::new();
    for found in matches {
        match terms.iter_mut().find(|(_, term, _)| *term == found.term) {
            Some((_, _, evidence)) => *evidence = evidence.with(found.evidence),
            None => terms.push((Reverse(pack.term(found.term).severity), found.term, found.evidence)),
        }
    }
    terms.sort();
    for (Reverse(severity), term, evidence) in terms {
        let term = pack.term(term);
        let category = pack.category(term.category);
        let mut about =
            format!("{kind}{}, severity {}: `{}` of {}", category.id, severity as u8, shortened(term.text), term.list);
        let names: Vec<&str> = evidence.names().collect();
        if !names.is_empty() {
            about += &format!(", written with {}", names.join(", "));
        }
        let clauses: Vec<&str> = category.clauses().collect();
        if !clauses.is_empty() {
            about += &format!("{DIM}; clauses {}{DIM:#}", clauses.join(" "));
        }
        writeln!(out, "   = {about}")?;
    }
    Ok(())
}

/// Writes where in a file the first matches are, with what is around. Nothing of what cannot be read again, such as
/// standard input.
pub(crate) fn places(out: &mut impl Write, path: &Path, judged: &Judged) -> io::Result<()> {
    let Ok(mut file) = File::open(path) else { return Ok(()) };
    let mut spans: Vec<Span> = judged.verdict.matches.iter().map(|found| found.span).collect();
    spans.dedup();
    for span in spans.into_iter().take(LINES_MAX) {
        let start = u64::from(span.start).saturating_sub(AROUND_BYTES);
        let length = (u64::from(span.end) - start + AROUND_BYTES).min(EXCERPT_BYTES_MAX);
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(start))?;
        (&mut file).take(length).read_to_end(&mut bytes)?;
        // It begins and ends with whole characters.
        let begins = bytes.iter().take_while(|&&byte| byte & 0xC0 == 0x80).count();
        let text = match str::from_utf8(&bytes[begins..]) {
            Ok(text) => text,
            Err(error) => str::from_utf8(&bytes[begins..][..error.valid_up_to()]).unwrap_or_default(),
        };
        let place = |at: u32| (u64::from(at) - start) as u32 - begins as u32;
        writeln!(out, "   = at byte {}", count(span.start.into()))?;
        marked(out, text, &[Span { start: place(span.start), end: place(span.end) }], color(judged.verdict.action))?;
    }
    Ok(())
}

/// Writes the lines of a text that hold a span, with carets under it; without spans, the first line.
pub(crate) fn marked(out: &mut impl Write, text: &str, spans: &[Span], style: Style) -> io::Result<()> {
    let lines = wrapped(text).filter(|row| spans.is_empty() || row.iter().any(|(at, _)| is_marked(spans, *at)));
    for row in lines.take(if spans.is_empty() { 1 } else { LINES_MAX }) {
        let graphemes: String = row.iter().map(|(_, grapheme)| &grapheme[..]).collect();
        writeln!(out, "   | {}", graphemes.trim_end())?;
        let mark =
            |(at, grapheme): &(usize, String)| if is_marked(spans, *at) { "^" } else { " " }.repeat(grapheme.width());
        let marks: String = row.iter().map(mark).collect();
        if !marks.trim_end().is_empty() {
            writeln!(out, "   | {style}{}{style:#}", marks.trim_end())?;
        }
    }
    Ok(())
}

fn is_marked(spans: &[Span], at: usize) -> bool {
    spans.iter().any(|span| (span.start as usize..span.end as usize).contains(&at))
}

/// The text in rows of graphemes as a terminal can show them, each with its byte.
fn wrapped(text: &str) -> impl Iterator<Item = Vec<(usize, String)>> {
    let mut graphemes = text.grapheme_indices(true).map(|(at, grapheme)| (at, shown(grapheme)));
    let mut row: Vec<(usize, String)> = Vec::new();
    std::iter::from_fn(move || {
        let width = |row: &[(usize, String)]| row.iter().map(|(_, grapheme)| grapheme.width()).sum::<usize>();
        while width(&row) <= WIDTH_MAX {
            match graphemes.next() {
                Some(next) => row.push(next),
                None => return (!row.is_empty()).then(|| std::mem::take(&mut row)),
            }
        }
        // Between words, if one ends in the second half of the row.
        let space = row.iter().rposition(|(_, grapheme)| grapheme == " ").filter(|&at| at > row.len() / 2);
        let rest = row.split_off(space.map_or(row.len() - 1, |at| at + 1));
        Some(std::mem::replace(&mut row, rest))
    })
}

/// A grapheme as a terminal can show it: control characters could write over what stands beside them,
/// invisible ones would hide.
pub(crate) fn shown(grapheme: &str) -> String {
    let visible = |c: char| match c {
        '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}' | '\u{AD}' => '·',
        c if c.is_control() => ' ',
        c => c,
    };
    grapheme.chars().map(visible).collect()
}

pub(crate) fn shortened(term: &str) -> String {
    if term.chars().count() <= TERM_MAX {
        return term.to_owned();
    }
    term.chars().take(TERM_MAX - 1).chain(['…']).collect()
}

/// Writes diagnostics to standard error.
pub(crate) fn diagnostics(diagnostics: &[Diagnostic]) {
    for diagnostic in diagnostics {
        let style = match diagnostic.level {
            Level::Error => AnsiColor::Red.on_default(),
            Level::Warning => AnsiColor::Yellow.on_default(),
        };
        note(&format!("{style}{diagnostic}{style:#}\n"));
    }
}

/// Writes an error and its causes to standard error.
pub(crate) fn error(error: &anyhow::Error) {
    let red = AnsiColor::Red.on_default().bold();
    note(&format!("{red}error:{red:#} {error:#}"));
}

/// Writes a line to standard error. That nobody reads it is no reason to stop.
pub(crate) fn note(line: &str) {
    let _ = writeln!(anstream::stderr(), "{line}");
}

/// A number with thousands apart.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
