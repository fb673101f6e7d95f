//! Regular expressions on a text as it stands, by two automata each: one finds where the leftmost match ends,
//! going forwards, the other where it begins, going back. Time is linear in the text. Not for reading or building
//! them; that is done when lists are compiled.
//!
//! An automaton is a slice of the pack's automata section, all of it `u16`: the class of each of the 256 bytes; the
//! state to start in, by the byte before the place, 257 of them, the last for none; then for each state the next
//! one by class, the last class being the end of the text. State 0 is dead. A match shows one step late.

use crate::Span;
use crate::pack::AutomatonRecord;

/// How many bytes are.
const BYTES: usize = 256;
/// Entries of a table before the states.
pub(crate) const HEAD: usize = 2 * BYTES + 1;
/// The state that nothing leads out of.
const DEAD: u16 = 0;
/// Most places that are found of one expression.
const PLACES_MAX: usize = 1024;
/// Most steps for each byte of a text. One match may be decided only far behind its end, and then the text
/// up to there is read again.
const STEPS_PER_BYTE: usize = 4;
/// Steps that do not count, so that all places of short texts are found.
const STEPS_FREE: usize = 4096;

/// An automaton in its section.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Automaton<'p> {
    class_of: &'p [u16],
    starts: &'p [u16],
    next: &'p [u16],
    classes: usize,
    states: u32,
    matching_first: u16,
}

/// A regular expression that can be searched for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Regex<'p> {
    pub(crate) ends: Automaton<'p>,
    pub(crate) starts: Automaton<'p>,
}

impl<'p> Automaton<'p> {
    /// The automaton, if it is within the section.
    pub(crate) fn new(section: &'p [u16], record: AutomatonRecord) -> Option<Automaton<'p>> {
        let classes = usize::try_from(record.classes).ok()?;
        let table = section.get(record.first as usize..)?;
        let (head, rest) = table.split_at_checked(HEAD)?;
        let (class_of, starts) = head.split_at(BYTES);
        let next = rest.get(..classes.checked_mul(record.states as usize)?)?;
        let matching_first = u16::try_from(record.matching_first).ok()?;
        Some(Automaton { class_of, starts, next, classes, states: record.states, matching_first })
    }

    /// Whether every step leads to a state that there is.
    fn is_consistent(&self) -> bool {
        let is_state = |&state: &u16| u32::from(state) < self.states;
        self.class_of.iter().all(|&class| usize::from(class) + 1 < self.classes)
            && self.starts.iter().all(is_state)
            && self.next.iter().all(is_state)
    }

    fn start(&self, beside: Option<u8>) -> u16 {
        self.starts[beside.map_or(BYTES, usize::from)]
    }

    fn next(&self, state: u16, byte: u8) -> u16 {
        self.next[usize::from(state) * self.classes + usize::from(self.class_of[usize::from(byte)])]
    }

    fn next_at_end(&self, state: u16) -> u16 {
        self.next[usize::from(state) * self.classes + self.classes - 1]
    }

    /// Where the leftmost match from `from` on ends, and how far was read to know.
    fn end_of_match(&self, text: &[u8], from: usize) -> (Option<usize>, usize) {
        let mut state = self.start(from.checked_sub(1).map(|before| text[before]));
        let mut end = None;
        for (at, &byte) in text.iter().enumerate().skip(from) {
            state = self.next(state, byte);
            if state >= self.matching_first {
                end = Some(at);
            } else if state == DEAD {
                return (end, at);
            }
        }
        if self.next_at_end(state) >= self.matching_first {
            end = Some(text.len());
        }
        (end, text.len())
    }

    /// Where the longest match that ends at `end` begins, not before `from`.
    fn start_of_match(&self, text: &[u8], from: usize, end: usize) -> Option<usize> {
        let mut state = self.start(text.get(end).copied());
        let mut start = None;
        for at in (from..end).rev() {
            state = self.next(state, text[at]);
            if state >= self.matching_first {
                start = Some(at + 1);
            } else if state == DEAD {
                return start;
            }
        }
        state = from.checked_sub(1).map_or_else(|| self.next_at_end(state), |before| self.next(state, text[before]));
        if state >= self.matching_first { Some(from) } else { start }
    }
}

impl Regex<'_> {
    /// Whether both automata can be run on any text.
    pub(crate) fn is_consistent(&self) -> bool {
        self.ends.is_consistent() && self.starts.is_consistent()
    }

    /// Calls `found` with the places where it matches, none over another. Returns whether these are all: there may
    /// be more than [`PLACES_MAX`], or too many that take long to decide.
    pub(crate) fn find(&self, text: &[u8], mut found: impl FnMut(Span)) -> bool {
        let mut steps = text.len().saturating_mul(STEPS_PER_BYTE).saturating_add(STEPS_FREE);
        let mut from = 0;
        for _ in 0..PLACES_MAX {
            let (end, read) = self.ends.end_of_match(text, from);
            let Some(end) = end.filter(|&end| end > from) else { return true };
            let Some(start) = self.starts.start_of_match(text, from, end).filter(|&start| start < end) else {
                return true;
            };
            found(Span { start: start as u32, end: end as u32 });
            match steps.checked_sub(read - from) {
                Some(left) => steps = left,
                None => return false,
            }
            from = end;
        }
        false
    }
}
