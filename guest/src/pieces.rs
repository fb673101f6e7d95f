//! Takes a message apart: into *pieces*, runs of letters or digits of one kind, which words are made of;
//! and into a stream of symbols, for scripts that put no spaces between words. Not for comparing: what
//! pieces and symbols mean to a pack is in [`search`](crate::search).

use alloc::vec::Vec;

use crate::fold::{IGNORABLE, SEPARATOR, Script, Symbol, decode, script, symbol};

/// Most separators between two pieces of one word.
pub(crate) const GAP_CHARACTERS_MAX: u32 = 4;
/// Most pieces that one word may be in.
const WORD_PIECES_MAX: usize = 32;

/// What stands between a piece and the one before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Gap {
    /// Nothing: the kind changes, or upper case follows lower case.
    Touching,
    /// A few separators, none of them a space.
    Joined,
    /// A few separators, spaces among them.
    Spaced,
    /// More than that, or letters of a script without spaces.
    Apart,
}

/// A run of letters, or of digits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    /// First byte in the text.
    pub(crate) start: u32,
    /// Its folded letters, in [`Pieces::letters`].
    first: u32,
    end: u32,
    pub(crate) gap: Gap,
    script: Script,
}

/// A message taken apart. Keeps its memory from message to message.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    pub(crate) pieces: Vec<Piece>,
    /// Folded letters of the pieces, one byte a letter, repeats within a piece left out.
    letters: Vec<u8>,
    /// Symbols of all letters, repeats without separators between left out.
    pub(crate) symbols: Vec<Symbol>,
    /// Where in the text the run of each symbol begins.
    pub(crate) starts: Vec<u32>,
    /// Whether there are letters of scripts without spaces.
    pub(crate) has_unspaced: bool,
    pub(crate) is_utf8: bool,
}

impl Pieces {
    /// Takes `text` apart.
    pub(crate) fn read(&mut self, text: &[u8]) {
        self.pieces.clear();
        self.letters.clear();
        self.symbols.clear();
        self.starts.clear();
        self.has_unspaced = false;
        self.is_utf8 = true;

        let mut previous_symbol = IGNORABLE;
        // Of the piece being read: its script, and whether its last letter is lower case.
        let mut open: Option<(Script, bool)> = None;
        let mut gap = Gap::Apart;
        let mut separators = 0;
        let mut at = 0;
        while at < text.len() {
            let (code, length) = decode(&text[at..]);
            self.is_utf8 &= length > 1 || code < 0x80;
            let class = symbol(code);
            let start = u32::try_from(at).unwrap_or(u32::MAX);
            at += length;
            if class <= SEPARATOR {
                if class == SEPARATOR {
                    let is_space = char::from_u32(code).is_some_and(char::is_whitespace);
                    separators += 1;
                    gap = gap.max(if is_space { Gap::Spaced } else { Gap::Joined });
                    open = None;
                    previous_symbol = SEPARATOR;
                }
                continue;
            }
            if class != previous_symbol {
                self.symbols.push(class);
                self.starts.push(start);
                previous_symbol = class;
            }
            let script = script(code);
            if matches!(script, Script::Unspaced | Script::Hangul) {
                self.has_unspaced = true;
                (open, gap, separators) = (None, Gap::Apart, 0);
                continue;
            }
            let letter = class_byte(class);
            let (is_lower, is_upper) = case(code);
            let continues = matches!(open, Some((of, was_lower)) if of == script && !(was_lower && is_upper));
            if continues {
                if self.letters.last() != Some(&letter) {
                    self.letters.push(letter);
                }
            } else {
                let gap = if separators > GAP_CHARACTERS_MAX { Gap::Apart } else { gap };
                let first = self.letters.len() as u32;
                self.pieces.push(Piece { start, first, end: first, gap, script });
                self.letters.push(letter);
            }
            if let Some(piece) = self.pieces.last_mut() {
                piece.end = self.letters.len() as u32;
            }
            open = Some((script, is_lower));
            (gap, separators) = (Gap::Touching, 0);
        }
    }

    /// The folded letters of a piece.
    pub(crate) fn letters(&self, piece: &Piece) -> &[u8] {
        &self.letters[piece.first as usize..piece.end as usize]
    }

    /// The pieces that may be one word together with piece `first`, that one included.
    pub(crate) fn word_from(&self, first: usize) -> &[Piece] {
        let all = &self.pieces[first..];
        let joined = all.windows(2).take(WORD_PIECES_MAX - 1).take_while(|pair| joins(&pair[0], &pair[1]));
        &all[..(1 + joined.count()).min(all.len())]
    }

    /// The piece that begins the `back`th word before piece `from`, words being what spaces part.
    pub(crate) fn words_back(&self, from: usize, back: usize) -> Option<usize> {
        let mut at = from;
        for word in 0..=back {
            while self.pieces[at].gap < Gap::Spaced {
                at = at.checked_sub(1)?;
            }
            if word < back {
                at = at.checked_sub(1)?;
            }
        }
        Some(at)
    }
}

/// Whether a word may go on from one piece to the next. Over spaces only single letters join, and
/// digits, as in telephone numbers.
fn joins(a: &Piece, b: &Piece) -> bool {
    match b.gap {
        Gap::Touching | Gap::Joined => true,
        Gap::Spaced => {
            let single = |piece: &Piece| piece.end - piece.first == 1;
            (single(a) && single(b)) || (a.script == Script::Digit && b.script == Script::Digit)
        }
        Gap::Apart => false,
    }
}

/// A class as one byte. Different letters may share one: the search over-matches.
pub(crate) fn class_byte(class: Symbol) -> u8 {
    let [low, high] = class.to_le_bytes();
    low ^ high.rotate_left(3)
}

/// Whether a code point is lower case, and whether upper.
fn case(code: u32) -> (bool, bool) {
    match u8::try_from(code) {
        Ok(ascii) if ascii < 0x80 => (ascii.is_ascii_lowercase(), ascii.is_ascii_uppercase()),
        _ => char::from_u32(code).map_or((false, false), |c| (c.is_lowercase(), c.is_uppercase())),
    }
}

/// Whether a word may end after `before` and begin with `after` because the case changes.
pub(crate) fn case_parts(before: u32, after: u32) -> bool {
    case(before).0 && case(after).1
}
