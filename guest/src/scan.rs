//! The scan: one message through all stages, top to bottom. Each stage has its own file.

use alloc::vec::Vec;

use crate::pieces::Pieces;
use crate::rules::{self, Allowed, Found};
use crate::search::{self, Candidate};
use crate::verify::verify;
use crate::wire::MESSAGE_BYTES_MAX;
use crate::{Message, Pack, Policy, Verdict, VerdictFlags};

/// Most matches in one verdict. The action takes all matches into account all the same.
pub const MATCHES_MAX: usize = 64;

/// Scans messages against a pack. Holds the scratch memory, which grows to the longest message seen
/// and is reused: once warm, a scan allocates nothing. One for each thread.
#[derive(Debug)]
pub struct Scanner<'p> {
    pack: &'p Pack<'p>,
    pieces: Pieces,
    places: Vec<u32>,
    candidates: Vec<Candidate>,
    found: Vec<Found>,
    allowed: Vec<Allowed>,
}

impl<'p> Scanner<'p> {
    /// A scanner with cold scratch memory.
    #[must_use]
    pub fn new(pack: &'p Pack<'p>) -> Scanner<'p> {
        Scanner {
            pack,
            pieces: Pieces::default(),
            places: Vec::new(),
            candidates: Vec::new(),
            found: Vec::new(),
            allowed: Vec::new(),
        }
    }

    /// The pack it scans against.
    #[must_use]
    pub fn pack(&self) -> &'p Pack<'p> {
        self.pack
    }

    /// Judges a message; overwrites `verdict`. Never fails: a text longer than [`MESSAGE_BYTES_MAX`] is
    /// judged up to there and the verdict says so.
    pub fn scan(&mut self, policy: &Policy, message: &Message<'_>, verdict: &mut Verdict) {
        verdict.matches.clear();
        verdict.flags = VerdictFlags::default();
        let text = cut(message.text, &mut verdict.flags);

        // Characters to folded pieces and symbols.
        self.pieces.read(text, search::symbols_needed(self.pack));
        if !self.pieces.is_utf8 {
            verdict.flags.insert(VerdictFlags::INVALID_UTF8);
        }

        // Places where a pattern may be.
        self.candidates.clear();
        search::search(self.pack, &self.pieces, &mut self.places, &mut self.candidates);

        // Patterns that are there, in the original text. Parts of terms are common words, and are looked at
        // only where the rarest part of some term is there.
        self.found.clear();
        self.verify_candidates(text, Leads::On);
        if rules::needs_parts(self.pack, &self.found) {
            self.verify_candidates(text, Leads::Nowhere);
        }

        // Terms that fire, and what the policy makes of them.
        self.found.sort_unstable();
        rules::apply(self.pack, &self.found, &mut self.allowed, &mut verdict.matches);
        verdict.matches.sort_unstable();
        verdict.matches.dedup();
        verdict.action = policy.action(self.pack, message.channel, message.field, &verdict.matches);
        if verdict.matches.len() > MATCHES_MAX {
            verdict.matches.truncate(MATCHES_MAX);
            verdict.flags.insert(VerdictFlags::MATCHES_CAPPED);
        }
    }

    /// Adds to what is found the candidates that are spelled in the text, of patterns that lead on or do not.
    fn verify_candidates(&mut self, text: &[u8], leads: Leads) {
        for candidate in &self.candidates {
            let pattern = &self.pack.patterns[candidate.pattern as usize];
            if (pattern.uses_count > 0) != (leads == Leads::On) {
                continue;
            }
            let spelled = verify(self.pack, pattern, text, candidate.start as usize);
            self.found.extend(spelled.map(|(span, evidence)| Found { pattern: candidate.pattern, span, evidence }));
        }
    }
}

/// Whether finding a pattern leads to anything by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Leads {
    On,
    Nowhere,
}

/// The text up to the limit, not splitting a character.
fn cut<'t>(text: &'t [u8], flags: &mut VerdictFlags) -> &'t [u8] {
    if text.len() <= MESSAGE_BYTES_MAX {
        return text;
    }
    flags.insert(VerdictFlags::TRUNCATED);
    let continues = |at: usize| text[at] & 0xC0 == 0x80;
    let end = (MESSAGE_BYTES_MAX - 3..=MESSAGE_BYTES_MAX).rev().find(|&at| !continues(at));
    &text[..end.unwrap_or(MESSAGE_BYTES_MAX)]
}
