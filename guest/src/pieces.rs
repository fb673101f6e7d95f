//! Takes a message apart: into *pieces*, runs of letters or digits of one kind, which words are made of;
//! and into a stream of symbols, for scripts that put no spaces between words. Not for comparing: what
//! pieces and symbols mean to a pack is in [`search`](crate::search).

use alloc::vec::Vec;

use crate::fold::{CLASS_FIRST_LETTER, IGNORABLE, SEPARATOR, Script, Symbol, ascii_symbol, decode, script, symbol};
use crate::leet;
use crate::rewrite::Watch;

/// Most separators between two pieces of one word.
pub(crate) const GAP_CHARACTERS_MAX: u32 = 4;
/// Letters that are looked at together.
const LANES: usize = 8;
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
    kind: Kind,
}

/// What a piece is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Letters,
    Digits,
    /// Signs that may be letters.
    Signs,
}

/// A message taken apart. Keeps its memory from message to message.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    pub(crate) pieces: Vec<Piece>,
    /// Folded letters of the pieces, one byte a letter, repeats within a piece left out. As long as the longest
    /// text so far: letters are stored eight at a time, and what is beyond their count means nothing.
    letters: Vec<u8>,
    letters_count: usize,
    /// Symbols of all letters, repeats without separators between left out.
    pub(crate) symbols: Vec<Symbol>,
    /// Where in the text the run of each symbol begins.
    pub(crate) starts: Vec<u32>,
    /// Whether there are letters of scripts without spaces.
    pub(crate) has_unspaced: bool,
    pub(crate) is_utf8: bool,
    /// Where the last sign ends that was read as a letter.
    signs_end: usize,
    /// Whether the text may read otherwise to a reader.
    pub(crate) watch: Watch,
}

impl Pieces {
    /// Takes `text` apart. Symbols of text that is all ASCII are left out where `symbols` says so.
    pub(crate) fn read(&mut self, text: &[u8], symbols: Symbols) {
        self.pieces.clear();
        self.letters_count = 0;
        if self.letters.len() < text.len() + 2 * LANES {
            self.letters.resize(text.len() + 2 * LANES, 0);
        }
        self.symbols.clear();
        self.starts.clear();
        self.has_unspaced = false;
        self.is_utf8 = true;
        self.signs_end = 0;
        self.watch = Watch::default();
        if symbols == Symbols::OfUnspacedText && text.is_ascii() {
            self.read_ascii(text);
        } else {
            self.read_any(text);
        }
    }

    /// The whole of it, character by character.
    fn read_any(&mut self, text: &[u8]) {
        let mut between = Between::start();
        let mut previous_symbol = IGNORABLE;
        // Of the piece being read: its kind, and whether its last letter is lower case.
        let mut open: Option<(Kind, bool)> = None;
        let mut at = 0;
        while at < text.len() {
            let (code, length) = decode(&text[at..]);
            self.is_utf8 &= length > 1 || code < 0x80;
            self.watch.character(code);
            let class = symbol(code);
            let start = at as u32;
            at += length;
            if class == IGNORABLE {
                continue;
            }
            if class == SEPARATOR {
                previous_symbol = SEPARATOR;
                let after_letter = open.is_some();
                match leet::sign_byte(code).filter(|_| is_letter_sign(code, after_letter, &text[at..])) {
                    Some(sign) => {
                        match open {
                            Some((Kind::Signs, _)) => self.add_letter(sign),
                            _ => self.begin_piece(start, between.take(), Kind::Signs, sign),
                        }
                        open = Some((Kind::Signs, false));
                    }
                    None => {
                        between.add(char::from_u32(code).is_some_and(char::is_whitespace));
                        open = None;
                    }
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
                open = None;
                between = Between::start();
                continue;
            }
            let kind = if script == Script::Digit { Kind::Digits } else { Kind::Letters };
            let letter = class_byte(class);
            let (is_lower, is_upper) = case(code);
            match open {
                Some((of, was_lower)) if of == kind && !(was_lower && is_upper) => self.add_letter(letter),
                _ => self.begin_piece(start, between.take(), kind, letter),
            }
            open = Some((kind, is_lower));
        }
    }

    /// The same for ASCII, words at a time.
    fn read_ascii(&mut self, text: &[u8]) {
        let mut between = Between::start();
        let mut at = 0;
        while at < text.len() {
            let ascii = ASCII[usize::from(text[at])];
            match ascii.kind {
                AsciiKind::Ignorable => at += 1,
                AsciiKind::Sign if is_letter_sign(text[at].into(), self.touches_letter(text, at), &text[at + 1..]) => {
                    at = self.read_signs(text, at, &mut between);
                }
                AsciiKind::Separator | AsciiKind::Sign => {
                    self.watch.ascii(text[at]);
                    between.add(ascii.is_space);
                    at += 1;
                }
                AsciiKind::Letter if let Some(length) = self.read_word(text, at, &mut between) => at += length,
                AsciiKind::Letter => at = self.read_piece(text, at, AsciiKind::Letter, Kind::Letters, &mut between),
                AsciiKind::Digit => at = self.read_piece(text, at, AsciiKind::Digit, Kind::Digits, &mut between),
            }
        }
    }

    /// Whether the sign at `at` follows a letter, whatever vanishes between.
    fn touches_letter(&self, text: &[u8], mut at: usize) -> bool {
        while at > 0 && ASCII[usize::from(text[at - 1])].kind == AsciiKind::Ignorable {
            at -= 1;
        }
        let before = at.checked_sub(1).map(|at| (at, ASCII[usize::from(text[at])].kind));
        match before {
            Some((_, AsciiKind::Letter | AsciiKind::Digit)) => true,
            // A sign that was read as a letter is the last of the last piece.
            Some((at, AsciiKind::Sign)) => self.signs_end == at + 1,
            _ => false,
        }
    }

    /// Reads signs that are letters, and returns where they end.
    fn read_signs(&mut self, text: &[u8], mut at: usize, between: &mut Between) -> usize {
        let mut is_first = true;
        while at < text.len() {
            let ascii = ASCII[usize::from(text[at])];
            match ascii.kind {
                AsciiKind::Ignorable => {}
                AsciiKind::Sign if is_first || is_letter_sign(text[at].into(), true, &text[at + 1..]) => {
                    self.watch.ascii(text[at]);
                    let sign = leet::sign_byte(text[at].into()).unwrap_or_default();
                    if is_first {
                        self.begin_piece(at as u32, between.take(), Kind::Signs, sign);
                    } else {
                        self.add_letter(sign);
                    }
                    is_first = false;
                    self.signs_end = at + 1;
                }
                _ => break,
            }
            at += 1;
        }
        at
    }

    /// Reads a word of up to seven letters whose letters differ from their neighbours and whose case does
    /// not rise, as most words are. Eight bytes are looked at together.
    #[inline]
    fn read_word(&mut self, text: &[u8], at: usize, between: &mut Between) -> Option<usize> {
        const ONES: u64 = 0x0101_0101_0101_0101;
        const HIGHS: u64 = 0x8080_8080_8080_8080;
        let bytes = u64::from_le_bytes(*text.get(at..)?.first_chunk()?);
        let lower = bytes | 0x2020_2020_2020_2020;
        // High bit of each byte that is no letter: all are ASCII, so nothing carries over.
        let not_letter =
            ((lower.wrapping_add(ONES * (0x80 - b'z' as u64 - 1))) | !(lower + ONES * (0x80 - b'a' as u64))) & HIGHS;
        let length = not_letter.trailing_zeros() as usize / 8;
        // Whatever vanishes may have more of the word behind it.
        if length == 8 || length == 0 || ASCII[usize::from(text[at + length])].kind == AsciiKind::Ignorable {
            return None;
        }
        let within = (1u64 << (8 * length)) - 1;
        let twice = (lower ^ lower >> 8) & within >> 8;
        let neighbours_differ = (twice.wrapping_sub(ONES) & !twice & HIGHS) & within >> 8 == 0;
        let lower_bits = bytes >> 5 & ONES & within;
        let rises = lower_bits & !(lower_bits >> 8) & within >> 8 != 0;
        if !neighbours_differ || rises {
            return None;
        }
        let letters = lower.wrapping_sub(ONES * (b'a' - CLASS_FIRST_LETTER) as u64) & within;
        let first = self.letters_count;
        self.letters[first..first + LANES].copy_from_slice(&letters.to_le_bytes());
        self.letters_count += length;
        let (first, end) = (first as u32, self.letters_count as u32);
        self.pieces.push(Piece { start: at as u32, first, end, gap: between.take(), kind: Kind::Letters });
        Some(length)
    }

    /// Reads a piece letter by letter and returns where it ends.
    fn read_piece(&mut self, text: &[u8], mut at: usize, of: AsciiKind, kind: Kind, between: &mut Between) -> usize {
        let ascii = ASCII[usize::from(text[at])];
        self.begin_piece(at as u32, between.take(), kind, ascii.class);
        let mut was_lower = ascii.is_lower;
        at += 1;
        while at < text.len() {
            let ascii = ASCII[usize::from(text[at])];
            if ascii.kind == of && !(was_lower && ascii.is_upper) {
                self.add_letter(ascii.class);
                was_lower = ascii.is_lower;
            } else if ascii.kind != AsciiKind::Ignorable {
                break;
            }
            at += 1;
        }
        at
    }

    fn begin_piece(&mut self, start: u32, gap: Gap, kind: Kind, letter: u8) {
        // Upper case after lower may be base64.
        self.watch.may_be_rewritten |= gap == Gap::Touching;
        let first = self.letters_count as u32;
        self.pieces.push(Piece { start, first, end: first + 1, gap, kind });
        self.put(letter);
    }

    /// Adds a letter to the last piece.
    fn add_letter(&mut self, letter: u8) {
        if self.letters[self.letters_count - 1] != letter {
            self.put(letter);
            if let Some(piece) = self.pieces.last_mut() {
                piece.end += 1;
            }
        }
    }

    fn put(&mut self, letter: u8) {
        self.letters[self.letters_count] = letter;
        self.letters_count += 1;
    }

    /// The folded letters of a piece.
    pub(crate) fn letters(&self, piece: &Piece) -> &[u8] {
        &self.letters[piece.first as usize..piece.end as usize]
    }

    /// The first eight letters of a piece, zeros after its end, if it has no more than that.
    #[inline]
    pub(crate) fn short_letters(&self, piece: &Piece) -> Option<u64> {
        let length = piece.end - piece.first;
        let eight = self.letters[piece.first as usize..].first_chunk().map(|eight| u64::from_le_bytes(*eight))?;
        (length < 8).then(|| eight & ((1 << (8 * length)) - 1))
    }

    /// Whether pieces are letters among digits and signs that may be letters, and begin with no letter before.
    pub(crate) fn may_be_leet(&self, first: usize, count: usize) -> bool {
        let pieces = &self.pieces[first..first + count];
        let has = |kind: Kind| pieces.iter().any(|piece| piece.kind == kind);
        pieces[0].gap != Gap::Touching && has(Kind::Letters) && (has(Kind::Digits) || has(Kind::Signs))
    }

    /// Whether nothing touches the last piece before `next`.
    pub(crate) fn ends_token(&self, next: usize) -> bool {
        self.pieces.get(next).is_none_or(|next| next.gap != Gap::Touching)
    }

    /// Whether a piece is of signs that may be letters; else it is of letters or digits.
    pub(crate) fn is_of_signs(piece: &Piece) -> bool {
        piece.kind == Kind::Signs
    }

    /// Whether a word ends with this piece whatever comes next.
    #[inline]
    pub(crate) fn stands_alone(&self, piece: usize) -> bool {
        self.pieces.get(piece + 1).is_none_or(|next| !joins(&self.pieces[piece], next))
    }

    /// The first of the pieces that spaced-out letters join to the given one.
    pub(crate) fn run_start(&self, mut at: usize) -> usize {
        let farthest = at.saturating_sub(WORD_PIECES_MAX);
        while at > farthest && joins(&self.pieces[at - 1], &self.pieces[at]) {
            at -= 1;
        }
        at
    }

    /// The pieces that may be one word together with piece `first`, that one included.
    pub(crate) fn word_from(&self, first: usize) -> &[Piece] {
        let all = &self.pieces[first..];
        let joined = all.windows(2).take(WORD_PIECES_MAX - 1).take_while(|pair| joins(&pair[0], &pair[1]));
        &all[..(1 + joined.count()).min(all.len())]
    }

    /// The piece that begins the `back`th word before piece `from`, words being what spaces part.
    pub(crate) fn words_back(&self, from: usize, back: usize) -> Option<usize> {
        let farthest = from.saturating_sub(WORD_PIECES_MAX);
        let mut at = from;
        for word in 0..=back {
            while self.pieces[at].gap < Gap::Spaced {
                at = at.checked_sub(1).filter(|&at| at >= farthest)?;
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
            let single = |piece: &Piece| piece.end - piece.first == 1 && piece.kind != Kind::Signs;
            (single(a) && single(b)) || (a.kind == Kind::Digits && b.kind == Kind::Digits)
        }
        Gap::Apart => false,
    }
}

/// A class as one byte. Different letters may share one: the search over-matches.
pub(crate) fn class_byte(class: Symbol) -> u8 {
    let [low, high] = class.to_le_bytes();
    low ^ high.rotate_left(3)
}

/// Which symbols of a message are wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Symbols {
    /// Those of every text.
    All,
    /// Those of text that may hold scripts without spaces.
    OfUnspacedText,
}

/// What stands between the last letter and the next.
struct Between {
    gap: Gap,
    separators: u32,
}

impl Between {
    fn start() -> Between {
        Between { gap: Gap::Apart, separators: 0 }
    }

    #[inline]
    fn add(&mut self, is_space: bool) {
        self.separators += 1;
        self.gap = self.gap.max(if is_space { Gap::Spaced } else { Gap::Joined });
    }

    /// The gap before the letter that follows now.
    #[inline]
    fn take(&mut self) -> Gap {
        let gap = if self.separators > GAP_CHARACTERS_MAX { Gap::Apart } else { self.gap };
        *self = Between { gap: Gap::Touching, separators: 0 };
        gap
    }
}

/// Whether a sign that may be a letter is one here: among letters, not at the end of a sentence.
fn is_letter_sign(code: u32, after_letter: bool, rest: &[u8]) -> bool {
    let (next, _) = decode(rest);
    let before_letter =
        !rest.is_empty() && (symbol(next) > SEPARATOR || matches!(char::from_u32(next), Some('@' | '$')));
    before_letter || after_letter && !leet::only_before_letter(code)
}

/// What an ASCII character is to [`Pieces`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum AsciiKind {
    Ignorable,
    Separator,
    Letter,
    Digit,
    /// A separator that may be a letter.
    Sign,
}

#[derive(Clone, Copy)]
struct Ascii {
    kind: AsciiKind,
    class: u8,
    is_space: bool,
    is_lower: bool,
    is_upper: bool,
}

static ASCII: [Ascii; 256] = {
    let separator = Ascii { kind: AsciiKind::Separator, class: 1, is_space: false, is_lower: false, is_upper: false };
    let mut table = [separator; 256];
    let mut code = 0;
    while code < 128 {
        let byte = code as u8;
        let class = ascii_symbol(byte);
        let kind = match byte {
            b'0'..=b'9' => AsciiKind::Digit,
            b'@' | b'$' | b'!' | b'|' | b'+' | b'(' | b'<' => AsciiKind::Sign,
            _ if class == IGNORABLE => AsciiKind::Ignorable,
            _ if class == SEPARATOR => AsciiKind::Separator,
            _ => AsciiKind::Letter,
        };
        let is_space = matches!(byte, b' ' | b'\t'..=b'\r');
        let (is_lower, is_upper) = (byte.is_ascii_lowercase(), byte.is_ascii_uppercase());
        table[code] = Ascii { kind, class: class as u8, is_space, is_lower, is_upper };
        code += 1;
    }
    table
};

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

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// Both readers must agree on every ASCII text, or a verdict would depend on the list.
    #[test]
    fn words_at_a_time_is_the_same_as_character_by_character() {
        let alphabet = b"abzAZ  .'-\x01\t019@!$(";
        let mut state = 1u64;
        for length in 0..400 {
            let mut random = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                alphabet[(state >> 33) as usize % alphabet.len()]
            };
            let text: Vec<u8> = (0..length).map(|_| random()).collect();
            let (mut quick, mut thorough) = (Pieces::default(), Pieces::default());
            quick.read(&text, Symbols::OfUnspacedText);
            thorough.read(&text, Symbols::All);
            let letters = |pieces: &Pieces| pieces.letters[..pieces.letters_count].to_vec();
            assert_eq!(letters(&quick), letters(&thorough), "{text:?}");
            let shape = |pieces: &Pieces| -> Vec<_> {
                pieces.pieces.iter().map(|p| (p.start, p.first, p.end, p.gap, p.kind)).collect()
            };
            assert_eq!(shape(&quick), shape(&thorough), "{text:?}");
        }
    }
}
