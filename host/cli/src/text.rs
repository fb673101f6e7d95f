//! What people read: verdicts with carets under the words, diagnostics, errors, numbers.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use tamis_guest::compile::{Diagnostic, Level};
use tamis_guest::{Action, Pack, Span};
use tamis_host::Judged;
use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

use crate::input::Line;

/// Most columns of a message that are shown around a match.
const WIDTH_MAX: usize = 100;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

fn color(action: Action) -> Style {
    match action {
        Action::Allow => AnsiColor::Green.on_default(),
        Action::Flag | Action::Mask => AnsiColor::Yellow.on_default(),
        Action::Hold => AnsiColor::Magenta.on_default(),
        Action::Block => AnsiColor::Red.on_default(),
    }
}

/// Writes a verdict that is not `allow` without matches.
pub(crate) fn verdict(out: &mut impl Write, line: &Line, judged: &Judged, pack: &Pack<'_>) -> io::Result<()> {
    let text = String::from_utf8_lossy(&line.text);
    // Spans count bytes of the original; in a text that had to be repaired they would point astray.
    let is_exact = text.len() == line.text.len();
    let action = judged.verdict.action;
    let style = color(action).bold();
    let id = match &line.id {
        serde_json::Value::String(id) => id.clone(),
        id => id.to_string(),
    };
    let notes: Vec<&str> = judged.verdict.flags.names().collect();
    let notes = if notes.is_empty() { String::new() } else { format!("  ({})", notes.join(", ")) };
    writeln!(out, "{style}{}{style:#} {BOLD}{id}{BOLD:#}{DIM}{notes}{DIM:#}", action.name())?;
    if let Some(failure) = &judged.failure {
        writeln!(out, "   = the filter failed on this message: {failure}")?;
    }
    if judged.verdict.matches.is_empty() {
        writeln!(out, "   | {}", shown(&text, 0..text.len().min(4 * WIDTH_MAX)).0)?;
    }
    for found in &judged.verdict.matches {
        let term = pack.term(found.term);
        let category = pack.category(term.category);
        let clauses: Vec<&str> = category.clauses().collect();
        let evidence: Vec<&str> = found.evidence.names().collect();
        if is_exact {
            let (excerpt, before, width) = excerpt(&text, found.span);
            writeln!(out, "   | {excerpt}")?;
            write!(out, "   | {:before$}{style}{}{style:#} ", "", "^".repeat(width.max(1)))?;
        } else {
            write!(out, "   | bytes {}..{} ", found.span.start, found.span.end)?;
        }
        write!(out, "{} severity {}", category.id, term.severity as u8)?;
        if !evidence.is_empty() {
            write!(out, ", written with {}", evidence.join(", "))?;
        }
        writeln!(out)?;
        let clauses = if clauses.is_empty() { String::new() } else { format!("; clauses {}", clauses.join(" ")) };
        writeln!(out, "   {DIM}= term `{}` of {}{clauses}{DIM:#}", term.text, term.list)?;
    }
    Ok(())
}

/// The part of the text around the span, columns before the span, and columns of the span.
fn excerpt(text: &str, span: Span) -> (String, usize, usize) {
    let (start, end) = (span.start as usize, (span.end as usize).min(text.len()));
    let (inside, width) = shown(text, start..end);
    let room = WIDTH_MAX.saturating_sub(width.min(WIDTH_MAX)) / 2;
    let mut from = start;
    let mut columns = 0;
    for (at, grapheme) in text[..start].grapheme_indices(true).rev() {
        columns += grapheme.width().max(1);
        if columns > room {
            break;
        }
        from = at;
    }
    let mut to = end;
    columns = 0;
    for (at, grapheme) in text[end..].grapheme_indices(true) {
        columns += grapheme.width().max(1);
        if columns > room {
            break;
        }
        to = end + at + grapheme.len();
    }
    let (before, before_width) = shown(text, from..start);
    let (after, _) = shown(text, end..to);
    let (left, left_width) = if from > 0 { ("…", 1) } else { ("", 0) };
    let right = if to < text.len() { "…" } else { "" };
    (format!("{left}{before}{inside}{after}{right}"), left_width + before_width, width)
}

/// A piece of a text as a terminal can show it, and its columns.
fn shown(text: &str, range: std::ops::Range<usize>) -> (String, usize) {
    let mut end = range.end;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    // Control characters could write over what stands beside them, invisible ones would hide.
    let visible = |c: char| match c {
        '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}' | '\u{AD}' => '·',
        c if c.is_control() => ' ',
        c => c,
    };
    let piece: String = text[range.start..end].chars().map(visible).collect();
    let width = piece.width();
    (piece, width)
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
        if place > 0 && (digits.len() - place) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
