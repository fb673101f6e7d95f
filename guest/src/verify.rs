//! Verification: looks at the original characters behind a candidate and decides whether they spell
//! the pattern, by which folds, and whether words begin and end where they must. The search may
//! over-match; this may not.

use crate::fold::{self, IGNORABLE, SEPARATOR, Script, decode, decode_before, script, symbol};
use crate::pack::{END_OPEN, LETTER_CODE, LETTER_JOINT, LITERAL, Pack, PatternRecord, START_OPEN};
use crate::{Evidence, Span};

/// Most separators between two letters of a word; more is a gap between words.
const GAP_CHARACTERS_MAX: u32 = 4;
/// Most separators between two words of a phrase.
const JOINT_CHARACTERS_MAX: u32 = 16;

/// Whether `pattern` is spelled in `text` from byte `start` on, and where it ends.
pub(crate) fn verify(pack: &Pack<'_>, pattern: &PatternRecord, text: &[u8], start: usize) -> Option<(Span, Evidence)> {
    let letters = &pack.letters[pattern.letters_first as usize..][..usize::from(pattern.letters_count)];
    let reading = if pattern.flags & LITERAL != 0 {
        read_literal(letters, text, start)?
    } else {
        read_folded(letters, text, start)?
    };
    if !Evidence(pattern.folds).contains(reading.evidence) {
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
fn read_folded(letters: &[u32], text: &[u8], start: usize) -> Option<Reading> {
    let mut reading = Reading {
        start,
        last: start,
        end: start,
        evidence: Evidence::default(),
        gap_in_word: false,
        spaced_out: false,
    };
    let mut word = Word::default();
    let mut gap = Gap::default();
    let mut skipped = Evidence::default();
    // The letter being read, and how often it has been read.
    let mut current = 0;
    let mut run = 0;
    let mut previous_script = None;
    let mut at = start;
    while at < text.len() {
        let (code, length) = decode(&text[at..]);
        match symbol(code) {
            IGNORABLE => {
                skipped = skipped.with(if fold::is_mark(code) { Evidence::DIACRITIC } else { Evidence::INVISIBLE })
            }
            SEPARATOR => gap.add(code),
            _ => {
                let wanted = letters[current];
                let wanted_run = wanted >> 24;
                let next = letters.get(current + 1).copied();
                let here = if run == 0 || run < wanted_run { agree(code, wanted) } else { None };
                let onward = next.filter(|_| run >= wanted_run && run > 0).and_then(|next| agree(code, next));
                let (evidence, advances) = match (here, onward) {
                    (Some(evidence), _) => (evidence, run == 0),
                    (None, Some(evidence)) => (evidence, true),
                    (None, None) if run >= wanted_run && run > 0 => match agree(code, wanted) {
                        // One letter more than the pattern has. After the last letter it belongs to the
                        // match only if it touches it.
                        Some(evidence) if next.is_some() || gap.characters == 0 => {
                            (evidence.with(Evidence::REPEAT), false)
                        }
                        _ => break,
                    },
                    (None, None) => return None,
                };
                let joint = advances && run > 0 && next.is_some_and(|next| next & LETTER_JOINT != 0);
                let script = script(code);
                if joint {
                    if gap.characters == 0 || gap.characters > JOINT_CHARACTERS_MAX {
                        return None;
                    }
                    word.end(&mut reading)?;
                } else if gap.characters > 0 && run > 0 {
                    if gap.characters > GAP_CHARACTERS_MAX {
                        return None;
                    }
                    reading.evidence = reading.evidence.with(Evidence::SEPARATOR);
                    if script != Script::Unspaced && previous_script != Some(Script::Unspaced) {
                        word.gap(gap.has_space);
                    }
                }
                if advances {
                    word.piece_letters += 1;
                    current += usize::from(run > 0);
                    run = 1;
                } else {
                    run += 1;
                    word.piece_letters += u32::from(gap.characters > 0);
                }
                reading.evidence = reading.evidence.with(evidence).with(if reading.end > start {
                    skipped
                } else {
                    Evidence::default()
                });
                reading.last = at;
                reading.end = at + length;
                gap = Gap::default();
                skipped = Evidence::default();
                previous_script = Some(script);
            }
        }
        at += length;
    }
    if current + 1 < letters.len() || run < letters[current] >> 24 {
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
struct Gap {
    characters: u32,
    has_space: bool,
}

impl Gap {
    fn add(&mut self, code: u32) {
        self.characters += 1;
        self.has_space |= char::from_u32(code).is_some_and(char::is_whitespace);
    }
}

/// Whether the character is the wanted letter, and by which folds.
fn agree(code: u32, wanted: u32) -> Option<Evidence> {
    let wanted = wanted & LETTER_CODE;
    let (letter, kind) = fold::letter(code);
    if letter == wanted {
        return Some(Evidence(kind.0 & !Evidence::DIACRITIC.0));
    }
    let class = symbol(code);
    (class < fold::CLASS_COMPUTED && class == symbol(wanted)).then(|| kind.with(Evidence::DIACRITIC))
}

/// Compares characters as they are. `start` is where the first letter stands.
fn read_literal(letters: &[u32], text: &[u8], start: usize) -> Option<Reading> {
    let codes = || letters.iter().map(|letter| letter & LETTER_CODE);
    let before = codes().take_while(|&code| symbol(code) <= SEPARATOR).filter_map(char::from_u32);
    let start = start.checked_sub(before.map(char::len_utf8).sum())?;
    let (mut at, mut last) = (start, start);
    for wanted in codes() {
        let (code, length) = text.get(at..).filter(|rest| !rest.is_empty()).map(decode)?;
        if code != wanted {
            return None;
        }
        last = at;
        at += length;
    }
    let end = end_of_character(text, at);
    (end == at).then_some(Reading {
        start,
        last,
        end,
        evidence: Evidence::default(),
        gap_in_word: false,
        spaced_out: false,
    })
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
    !joins(script(before), script(code), spaced_out)
}

/// Whether a word may end at `end`, its last letter standing at `last`.
fn ends_word(text: &[u8], last: usize, end: usize, spaced_out: bool) -> bool {
    let (code, _) = decode(&text[last..]);
    let Some((after, _)) = letter_after(text, end, 0) else {
        return !spaced_out
            || letter_after(text, end, GAP_CHARACTERS_MAX).is_none_or(|(_, end)| letter_after(text, end, 0).is_some());
    };
    !joins(script(code), script(after), spaced_out)
}

/// Whether two neighbouring letters are of one word.
fn joins(a: Script, b: Script, spaced_out: bool) -> bool {
    match (a, b) {
        (Script::Unspaced, _) | (_, Script::Unspaced) => false,
        (Script::Hangul, Script::Hangul) => spaced_out,
        (a, b) => a == b,
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
