//! The letters of a pattern, read from its spelling: what verification compares a text with and what
//! the compiler makes keys from.

use crate::Evidence;
use crate::fold::{self, IGNORABLE, SEPARATOR, Script, Symbol, decode, script, symbol};

/// Inside a word: `can't` is also written `cant`.
const APOSTROPHES: [u32; 2] = ['\'' as u32, '’' as u32];

/// A letter of a pattern.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Letter {
    /// The code point, case and width folded.
    pub(crate) code: u32,
    /// Its class.
    pub(crate) class: Symbol,
    /// What it took to come to the code: its own marks, its own alphabet.
    pub(crate) kind: Evidence,
    /// How often it stands in a row.
    pub(crate) run: u32,
    /// The words of a phrase part before it.
    pub(crate) joint: bool,
}

/// Reads a spelling letter by letter.
#[derive(Clone, Debug)]
pub(crate) struct Letters<'p> {
    /// What has not been read, in UTF-8.
    rest: &'p [u8],
    pending: Option<Letter>,
    /// Separators have been read since the last letter.
    gap: bool,
    before: Option<Script>,
}

impl<'p> Letters<'p> {
    pub(crate) fn new(spelling: &'p [u8]) -> Letters<'p> {
        Letters { rest: spelling, pending: None, gap: false, before: None }
    }
}

impl Iterator for Letters<'_> {
    type Item = Letter;

    fn next(&mut self) -> Option<Letter> {
        while !self.rest.is_empty() {
            let (char, length) = decode(self.rest);
            self.rest = &self.rest[length..];
            let class = symbol(char);
            match class {
                IGNORABLE => continue,
                SEPARATOR => {
                    self.gap |= !APOSTROPHES.contains(&char);
                    continue;
                }
                _ => {}
            }
            let (code, kind) = fold::letter(char);
            let script = script(code);
            // Scripts without spaces have no joints: any separator may stand between their letters.
            let joint =
                self.gap && self.before.is_some_and(|before| before != Script::Unspaced) && script != Script::Unspaced;
            (self.gap, self.before) = (false, Some(script));
            match &mut self.pending {
                Some(pending) if pending.code == code && !joint => pending.run += 1,
                pending => {
                    if let Some(letter) = pending.replace(Letter { code, class, kind, run: 1, joint }) {
                        return Some(letter);
                    }
                }
            }
        }
        self.pending.take()
    }
}
