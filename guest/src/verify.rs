//! Verification: looks at the original characters behind a candidate and decides whether they spell
//! the pattern, by which folds, and whether words begin and end where they must. The search may
//! over-match; this may not.

use crate::fold::{self, IGNORABLE, SEPARATOR, Script, decode, decode_before, script, symbol};
use crate::letters::{Letter, Letters};
use crate::pack::{END_OPEN, LITERAL, Pack, PatternRecord, START_OPEN};
use crate::pieces::{GAP_CHARACTERS_MAX, case_parts};
use crate::{Evidence, Span};

/// Most separators between two words of a phrase.
const JOINT_CHARACTERS_MAX: u32 = 16;
/// How many letters of a run are tried as the first of a literal, which does not skip repeats.
const LITERAL_STARTS_MAX: usize = 8;

/// Whether `pattern` is spelled in `text` from byte `start` on, and where it ends.
pub(crate) fn verify(pack: &Pack<'_>, pattern: &PatternRecord, text: &[u8], start: usize) -> Option<(Span, Evidence)> {
    let spelling = pack.spelling(pattern);
    let reading = if pattern.flags & LITERAL != 0 {
        read_literal_in_run(spelling, text, start)?
    } else {
        read_folded(spelling, pattern.flags, text, start)?
    };
    if u32::from(reading.evidence.0) & !pattern.folds != 0 {
        return None;
    }
    // Letters that were pulled together over gaps count only as a word of their own.
    let open = if reading.gap_in_word { 0 } else { pattern.flags };
    let starts = open & START_OPEN != 0 || starts_word(text, reading.start, reading.spaced_out);
    let ends = open & END_OPEN != 0 || ends_word(text, reading.last, reading.end, reading.spaced_out);
    let span = Span { start: to_u32(reading.start), end: to_u32(reading.end) };
    (starts && ends).then_some((span, reading.evidence))
}

/// How the characters of a candidate read.
struct Reading {
    start: usize,
    /// Where the last letter begins.
    last: usize,
    end: usize,
    evidence: Evidence,
    /// Separators stand between letters of a spaced script.
    gap_in_word: bool,
    /// Spaces stand between single letters.
    spaced_out: bool,
}

/// Reads letter by letter, folding.
fn read_folded(spelling: &[u8], flags: u8, text: &[u8], start: usize) -> Option<Reading> {
    let mut reading = Reading {
        start,
        last: start,
        end: start,
        evidence: Evidence::default(),
        gap_in_word: false,
        spaced_out: false,
    };
    let mut letters = Letters::new(spelling);
    // The letter being read, how often it has been read, and the one after it.
    let mut current = letters.next()?;
    let mut next = letters.next();
    let mut run = 0;
    let mut word = Word::default();
    let mut gap = GapRead::default();
    let mut skipped = Evidence::default();
    let mut previous_script = None;
    let mut at = start;
    while at < text.len() {
        let (code, length) = decode(&text[at..]);
        let class = symbol(code);
        at += length;
        if class == IGNORABLE {
            let kind = if fold::is_mark(code) { Evidence::DIACRITIC } else { Evidence::INVISIBLE };
            skipped = skipped.with(kind);
            continue;
        }
        if class == SEPARATOR {
            gap.add(code);
            continue;
        }
        let is_satisfied = run >= current.run;
        if is_satisfied && next.is_none() && flags & END_OPEN != 0 {
            break;
        }
        let onward = if is_satisfied { next.and_then(|next| agree(code, class, &next)) } else { None };
        let (evidence, advances) = match onward {
            Some(evidence) => (evidence, true),
            None => match agree(code, class, &current) {
                Some(evidence) if !is_satisfied => (evidence, false),
                // One more than the pattern has: no digit, or it would be another number, and after the last
                // letter only if it touches it.
                Some(evidence) if script(code) != Script::Digit && (next.is_some() || gap.characters == 0) => {
                    (evidence.with(Evidence::REPEAT), false)
                }
                _ if is_satisfied && next.is_none() => break,
                _ => return None,
            },
        };
        let script = script(code);
        if advances && next.is_some_and(|next| next.joint) {
            if gap.characters == 0 || gap.characters > JOINT_CHARACTERS_MAX {
                return None;
            }
            word.end(&mut reading)?;
        } else if gap.characters > 0 && run > 0 {
            if gap.characters > GAP_CHARACTERS_MAX {
                return None;
            }
            reading.evidence = reading.evidence.with(Evidence::SEPARATOR);
            let parts_freely = |script| matches!(script, Script::Unspaced | Script::Digit);
            if !parts_freely(script) && !previous_script.is_some_and(parts_freely) {
                word.gap(gap.has_space);
            }
        }
        if advances {
            (current, next) = (next?, letters.next());
            run = 0;
        }
        if advances || run == 0 || gap.characters > 0 {
            word.piece_letters += 1;
        }
        run += 1;
        reading.evidence = reading.evidence.with(evidence);
        if reading.end > start {
            reading.evidence = reading.evidence.with(skipped);
        }
        (reading.last, reading.end) = (at - length, at);
        (gap, skipped) = (GapRead::default(), Evidence::default());
        previous_script = Some(script);
    }
    if next.is_some() || run < current.run {
        return None;
    }
    word.end(&mut reading)?;
    reading.end = end_of_character(text, reading.end);
    Some(reading)
}

/// What has been read of one word of the pattern.
#[derive(Default)]
struct Word {
    /// Letters since the last gap.
    piece_letters: u32,
    has_gap: bool,
    has_space: bool,
    /// A piece of more than one letter.
    has_long_piece: bool,
}

impl Word {
    fn gap(&mut self, has_space: bool) {
        self.has_gap = true;
        self.has_space |= has_space;
        self.has_long_piece |= self.piece_letters > 1;
        self.piece_letters = 0;
    }

    /// Ends the word: spaces may stand between single letters only, so that `the rapist` is two words.
    fn end(&mut self, reading: &mut Reading) -> Option<()> {
        self.has_long_piece |= self.piece_letters > 1;
        if self.has_space && self.has_long_piece {
            return None;
        }
        reading.gap_in_word |= self.has_gap;
        reading.spaced_out |= self.has_space;
        *self = Word::default();
        Some(())
    }
}

/// Separators since the last letter.
#[derive(Default)]
struct GapRead {
    characters: u32,
    has_space: bool,
}

impl GapRead {
    fn add(&mut self, code: u32) {
        self.characters += 1;
        self.has_space |= char::from_u32(code).is_some_and(char::is_whitespace);
    }
}

/// Whether the character is the wanted letter, and by which folds.
#[inline]
fn agree(code: u32, class: u16, wanted: &Letter) -> Option<Evidence> {
    if class != wanted.class {
        return None;
    }
    let (letter, kind) = fold::letter(code);
    if letter == wanted.code {
        return Some(Evidence(kind.0 & !Evidence::DIACRITIC.0));
    }
    (class < fold::CLASS_COMPUTED).then(|| kind.with(Evidence::DIACRITIC))
}

/// Compares characters as they are, from each of the letters in the run at `start`.
fn read_literal_in_run(spelling: &[u8], text: &[u8], start: usize) -> Option<Reading> {
    let class = symbol(decode(&text[start..]).0);
    let mut at = start;
    for _ in 0..LITERAL_STARTS_MAX {
        if let Some(reading) = read_literal(spelling, text, at) {
            return Some(reading);
        }
        at += decode(&text[at..]).1;
        if at >= text.len() || symbol(decode(&text[at..]).0) != class {
            break;
        }
    }
    None
}

/// Compares characters as they are. `start` is where the first letter stands.
fn read_literal(spelling: &[u8], text: &[u8], start: usize) -> Option<Reading> {
    let before = spelling_bytes_before_letter(spelling);
    let start = start.checked_sub(before)?;
    let rest = text[start..].strip_prefix(spelling)?;
    let end = text.len() - rest.len();
    let (_, last) = decode_before(text, end)?;
    // A mark after it would make its last letter another one.
    (end_of_character(text, end) == end).then_some(Reading {
        start,
        last,
        end,
        evidence: Evidence::default(),
        gap_in_word: false,
        spaced_out: false,
    })
}

/// Bytes of a literal before its first letter.
fn spelling_bytes_before_letter(spelling: &[u8]) -> usize {
    let mut at = 0;
    while at < spelling.len() {
        let (code, length) = decode(&spelling[at..]);
        if symbol(code) > SEPARATOR {
            break;
        }
        at += length;
    }
    at
}

/// Moves past marks that belong to the character before `end`.
fn end_of_character(text: &[u8], mut end: usize) -> usize {
    while end < text.len() {
        let (code, length) = decode(&text[end..]);
        if !fold::is_mark(code) {
            break;
        }
        end += length;
    }
    end
}

/// Whether a word may begin at `start`.
fn starts_word(text: &[u8], start: usize, spaced_out: bool) -> bool {
    let (code, _) = decode(&text[start..]);
    let Some((before, _)) = letter_before(text, start, 0) else {
        return !spaced_out
            || letter_before(text, start, GAP_CHARACTERS_MAX)
                .is_none_or(|(_, at)| letter_before(text, at, 0).is_some());
    };
    !joins(before, code, spaced_out)
}

/// Whether a word may end at `end`, its last letter standing at `last`.
fn ends_word(text: &[u8], last: usize, end: usize, spaced_out: bool) -> bool {
    let (code, _) = decode(&text[last..]);
    let Some((after, _)) = letter_after(text, end, 0) else {
        return !spaced_out
            || letter_after(text, end, GAP_CHARACTERS_MAX).is_none_or(|(_, end)| letter_after(text, end, 0).is_some());
    };
    !joins(code, after, spaced_out)
}

/// Whether two neighbouring letters are of one word.
fn joins(before: u32, after: u32, spaced_out: bool) -> bool {
    match (script(before), script(after)) {
        (Script::Unspaced, _) | (_, Script::Unspaced) => false,
        (Script::Hangul, Script::Hangul) => spaced_out,
        (a, b) => a == b && !case_parts(before, after),
    }
}

/// The letter before `end` with at most `separators_max` separators between, and where it starts.
fn letter_before(text: &[u8], mut end: usize, separators_max: u32) -> Option<(u32, usize)> {
    let mut separators = 0;
    while let Some((code, at)) = decode_before(text, end) {
        match symbol(code) {
            IGNORABLE => {}
            SEPARATOR if separators == separators_max => return None,
            SEPARATOR => separators += 1,
            _ => return Some((code, at)),
        }
        end = at;
    }
    None
}

/// The letter after `start` with at most `separators_max` separators between, and where it ends.
fn letter_after(text: &[u8], mut start: usize, separators_max: u32) -> Option<(u32, usize)> {
    let mut separators = 0;
    while start < text.len() {
        let (code, length) = decode(&text[start..]);
        match symbol(code) {
            IGNORABLE => {}
            SEPARATOR if separators == separators_max => return None,
            SEPARATOR => separators += 1,
            _ => return Some((code, start + length)),
        }
        start += length;
    }
    None
}

fn to_u32(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
