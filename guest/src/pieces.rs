//! Takes a message apart: into *pieces*, runs of letters or digits of one kind, which words are made of;
//! and into a stream of symbols, for scripts that put no spaces between words. Not for comparing: what
//! pieces and symbols mean to a pack is in [`search`](crate::search).

use alloc::vec::Vec;
use core::ops::Range;

use crate::fold::{
    CLASS_FIRST_DIGIT, CLASS_FIRST_LETTER, IGNORABLE, SEPARATOR, Script, Symbol, decode, script, symbol,
};
use crate::lanes::{self, BLOCK, Bits, eight_bytes};
use crate::leet::{self, LETTER_BITS};
use crate::pack::Gram;
use crate::rewrite::{Watch, is_watched};
use crate::search::{filter_bits, hash};

/// Most separators between two pieces of one word.
pub(crate) const GAP_CHARACTERS_MAX: u32 = 4;
const MARKS_MAX: usize = GAP_CHARACTERS_MAX as usize;
/// Letters that a piece holds, and that are looked at together.
const LANES: usize = 8;
/// First of the Han characters that most text is made of.
const HAN_FIRST: u32 = 0x4E00;
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
    /// The first eight of its folded letters, one byte a letter, [repeats](is_repeat) left out; zeros after its end.
    letters: u64,
    /// First byte in the text.
    pub(crate) start: u32,
    /// How many folded letters it has.
    count: u32,
    /// Where the others are in [`Pieces::more_letters`].
    more: u32,
    pub(crate) gap: Gap,
    kind: Kind,
    /// It may go on a word with the piece before.
    joins: bool,
}

impl Piece {
    /// Several digits.
    fn is_number(&self) -> bool {
        self.kind == Kind::Digits && self.count > 1
    }

    /// Its first eight letters, one byte a letter, and how many letters it has.
    #[inline]
    pub(crate) fn head(&self) -> (u64, u32) {
        (self.letters, self.count)
    }
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
    /// Folded letters of pieces of more than eight.
    more_letters: Vec<u8>,
    /// Symbols of all letters, repeats without separators between left out.
    pub(crate) symbols: Vec<Symbol>,
    /// Where in the text the run of each symbol begins.
    pub(crate) starts: Vec<u32>,
    /// Whether there are letters of scripts without spaces.
    pub(crate) has_unspaced: bool,
    pub(crate) is_utf8: bool,
    /// Whether the text may read otherwise to a reader.
    pub(crate) watch: Watch,
    bits: Vec<Bits>,
    /// How many pieces so far touched the one before.
    touching: u32,
}

impl Pieces {
    /// Takes `text` apart. Symbols of text without scripts without spaces are left out where `symbols` says so.
    pub(crate) fn read(&mut self, text: &[u8], symbols: Symbols) {
        self.clear();
        let begins_with_han = text.first().is_some_and(|&byte| byte >= 0xE3);
        if begins_with_han {
            self.read_characters::<true>(text, 0, &mut Between::start(), None);
            return;
        }
        let mut bits = core::mem::take(&mut self.bits);
        lanes::read(text, &mut bits);
        self.read_words(text, &bits);
        self.bits = bits;
        if symbols == Symbols::All || self.has_unspaced {
            self.read_symbols(text);
        }
    }

    /// The symbols of a text.
    fn read_symbols(&mut self, text: &[u8]) {
        let mut previous = SEPARATOR;
        let mut at = 0;
        while at < text.len() {
            let (code, length) = decode(&text[at..]);
            let class = symbol(code);
            if class != IGNORABLE {
                if class != SEPARATOR && class != previous {
                    self.symbols.push(class);
                    self.starts.push(at as u32);
                }
                previous = class;
            }
            at += length;
        }
    }

    fn clear(&mut self) {
        self.pieces.clear();
        self.more_letters.clear();
        self.symbols.clear();
        self.starts.clear();
        self.has_unspaced = false;
        self.is_utf8 = true;
        self.watch.clear();
        self.touching = 0;
    }

    /// Reads character by character from `at` on, `between` being what stands before and `open` the kind of the piece
    /// that ends there: the `WHOLE` text, with its symbols, or up to where plain words may go on, and returns where
    /// that is.
    fn read_characters<const WHOLE: bool>(
        &mut self,
        text: &[u8],
        mut at: usize,
        between: &mut Between,
        open: Option<Kind>,
    ) -> usize {
        let last = at.checked_sub(1).map_or(0, |last| text[last]);
        self.watch.begin(last);
        let mut previous_symbol = IGNORABLE;
        // Of the piece being read: its kind, and whether its last letter is lower case.
        let mut open = open.map(|kind| (kind, last.is_ascii_lowercase()));
        while at < text.len() {
            if text[at] >= 0xE4
                && let end = self.read_han::<WHOLE>(text, at, &mut previous_symbol)
                && end > at
            {
                at = end;
                open = None;
                *between = Between::start();
                continue;
            }
            let (code, length) = decode(&text[at..]);
            self.is_utf8 &= length > 1 || code < 0x80;
            self.watch.character(code, text, at);
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
                            _ => self.begin_piece(text, start, between.take(), Kind::Signs, sign),
                        }
                        open = Some((Kind::Signs, false));
                    }
                    None => {
                        between.add(char::from_u32(code).is_some_and(char::is_whitespace));
                        open = None;
                        if !WHOLE && code < 0x80 && text.get(at).is_some_and(u8::is_ascii) {
                            return at;
                        }
                    }
                }
                continue;
            }
            if WHOLE && class != previous_symbol {
                self.symbols.push(class);
                self.starts.push(start);
            }
            previous_symbol = class;
            let script = script(code);
            if matches!(script, Script::Unspaced | Script::Hangul) {
                self.has_unspaced = true;
                open = None;
                *between = Between::start();
                continue;
            }
            let kind = if script == Script::Digit { Kind::Digits } else { Kind::Letters };
            let letter = class_byte(class);
            let (is_lower, is_upper) = case(code);
            match open {
                Some((of, was_lower)) if of == kind && !(was_lower && is_upper) => self.add_letter(letter),
                _ => self.begin_piece(text, start, between.take(), kind, letter),
            }
            open = Some((kind, is_lower));
        }
        at
    }

    /// Reads the Han characters from `at` on, up to one that a reader might read otherwise, and returns where they end.
    fn read_han<const SYMBOLS: bool>(&mut self, text: &[u8], start: usize, previous_symbol: &mut Symbol) -> usize {
        let mut at = start;
        while let Some(&[a @ 0xE4..=0xE9, b @ 0x80..=0xBF, c @ 0x80..=0xBF]) = text[at..].first_chunk() {
            let code = u32::from(a & 0xF) << 12 | u32::from(b & 0x3F) << 6 | u32::from(c & 0x3F);
            if code < HAN_FIRST || is_watched(code) {
                break;
            }
            if SYMBOLS {
                let class = symbol(code);
                if class != *previous_symbol {
                    self.symbols.push(class);
                    self.starts.push(at as u32);
                    *previous_symbol = class;
                }
            }
            at += 3;
        }
        if at > start {
            self.has_unspaced = true;
            self.watch.han(start);
        }
        at
    }

    /// Reads words of ASCII letters and digits from edge to edge, and what is between; character by character where
    /// there is anything else.
    fn read_words(&mut self, text: &[u8], bits: &[Bits]) {
        // Up to where it was read, what was there since the last piece, and the kind of the piece that ends there.
        let (mut end, mut between, mut open) = (0, Between::start(), None);
        for (block, of_block) in bits.iter().enumerate() {
            let mut mistaken = of_block.mistaken;
            while mistaken != 0 {
                self.watch.alike(text, BLOCK * block + mistaken.trailing_zeros() as usize);
                mistaken &= mistaken - 1;
            }
            let mut starts = of_block.edges & (of_block.letters | of_block.digits);
            while starts != 0 {
                let place = starts.trailing_zeros();
                let after = u64::MAX << place << 1;
                starts &= after;
                let start = BLOCK * block + place as usize;
                if start < end {
                    continue;
                }
                let gap = match text.get(end..start).filter(|_| open.is_some()).and_then(gap_of_marks) {
                    Some(gap) => gap,
                    None => {
                        end = self.read_between(text, end, start, &mut between, open);
                        if end > start {
                            open = None;
                            continue;
                        }
                        between.take()
                    }
                };
                end = match (of_block.edges & after).trailing_zeros() as usize {
                    BLOCK => first_edge(bits, block + 1).unwrap_or(text.len()),
                    place => BLOCK * block + place,
                };
                let kind = if of_block.digits >> place & 1 == 1 { Kind::Digits } else { Kind::Letters };
                self.read_word(text, start..end, kind, gap);
                open = Some(kind);
            }
        }
        if end < text.len() {
            self.read_between(text, end, text.len(), &mut between, open);
        }
    }

    /// Reads a run of ASCII letters or digits.
    #[inline(always)]
    fn read_word(&mut self, text: &[u8], run: Range<usize>, kind: Kind, gap: Gap) {
        let (letters, count) = fold_eight(eight_bytes(text, run.start), run.len().min(LANES), kind);
        let (start, more) = (run.start as u32, self.more_letters.len() as u32);
        self.push_piece(text, Piece { letters, start, count: count as u32, more, gap, kind, joins: false });
        if run.len() > LANES {
            self.read_rest(text, run.start + LANES..run.end, kind);
        }
    }

    /// Reads what of a run is behind its first letters.
    #[inline(never)]
    fn read_rest(&mut self, text: &[u8], mut rest: Range<usize>, kind: Kind) {
        while !rest.is_empty() {
            let length = rest.len().min(LANES);
            let (letters, count) = fold_eight(eight_bytes(text, rest.start), length, kind);
            for letter in letters.to_le_bytes().into_iter().take(count) {
                self.add_letter(letter);
            }
            rest.start += length;
        }
    }

    /// Reads what stands between words up to `end`: separators, and signs that are letters; and farther, if a word is
    /// not of ASCII. Returns up to where it was read.
    fn read_between(
        &mut self,
        text: &[u8],
        mut at: usize,
        end: usize,
        between: &mut Between,
        mut open: Option<Kind>,
    ) -> usize {
        while at < end {
            let mark = MARKS[usize::from(text[at])];
            if mark & MARK_OTHER == 0 {
                between.add(mark & MARK_SPACE != 0);
                open = None;
                at += 1;
                continue;
            }
            let (code, length) = decode(&text[at..]);
            if symbol(code) != SEPARATOR {
                at = self.read_characters::<false>(text, at, between, open);
                open = None;
                continue;
            }
            self.is_utf8 &= length > 1 || code < 0x80;
            self.watch.character(code, text, at);
            let rest = &text[at + length..];
            let sign = leet::sign_byte(code).filter(|_| is_letter_sign(code, open.is_some(), rest));
            match sign {
                Some(sign) if open == Some(Kind::Signs) => self.add_letter(sign),
                Some(sign) => self.begin_piece(text, at as u32, between.take(), Kind::Signs, sign),
                None => between.add(char::from_u32(code).is_some_and(char::is_whitespace)),
            }
            open = sign.map(|_| Kind::Signs);
            at += length;
        }
        at
    }

    fn begin_piece(&mut self, text: &[u8], start: u32, gap: Gap, kind: Kind, letter: u8) {
        let more = self.more_letters.len() as u32;
        self.push_piece(text, Piece { letters: letter.into(), start, count: 1, more, gap, kind, joins: false });
    }

    #[inline(always)]
    fn push_piece(&mut self, text: &[u8], mut piece: Piece) {
        piece.joins = self.pieces.last().is_some_and(|before| joins(before, &piece));
        if piece.gap == Gap::Touching {
            // Three pieces that touch may be base64. A word that is told of once is not told of again.
            self.touching += 1;
            if self.touching == 2 {
                self.watch.word(text, piece.start as usize);
            }
        } else {
            self.touching = 0;
        }
        self.pieces.push(piece);
    }

    /// Adds a letter to the last piece.
    fn add_letter(&mut self, letter: u8) {
        let Some(piece) = self.pieces.last_mut() else { return };
        let last = match piece.count as usize {
            count @ ..=LANES => (piece.letters >> (8 * (count - 1))) as u8,
            _ => self.more_letters.last().copied().unwrap_or_default(),
        };
        if is_repeat(last, letter) {
            return;
        }
        if (piece.count as usize) < LANES {
            piece.letters |= u64::from(letter) << (8 * piece.count);
        } else {
            self.more_letters.push(letter);
        }
        piece.count += 1;
        if piece.count == 2 {
            // It joined as a single letter.
            let at = self.pieces.len() - 1;
            self.pieces[at].joins = at > 0 && joins(&self.pieces[at - 1], &self.pieces[at]);
        }
    }

    /// The folded letters of a piece.
    #[inline]
    pub(crate) fn letters(&self, piece: &Piece) -> impl Iterator<Item = u8> + Clone {
        let more = (piece.count as usize).saturating_sub(LANES);
        let first = (0..piece.count.min(LANES as u32)).map(|at| (piece.letters >> (8 * at)) as u8);
        first.chain(self.more_letters[piece.more as usize..][..more].iter().copied())
    }

    /// The key of a piece that is a word by itself.
    #[inline]
    pub(crate) fn key(&self, piece: &Piece) -> u64 {
        if (piece.count as usize) < LANES { piece.letters } else { self.long_key(piece) }
    }

    #[inline(never)]
    fn long_key(&self, piece: &Piece) -> u64 {
        // What [`WordKey`] makes of them, eight letters at a time.
        let more = &self.more_letters[piece.more as usize..][..piece.count as usize - LANES];
        let (mut key, (eights, rest)) = (hash(piece.letters), more.as_chunks());
        for eight in eights {
            key = hash(key ^ u64::from_le_bytes(*eight));
        }
        key ^ eight_bytes(rest, 0)
    }

    /// Writes to `places` the numbers of the pieces that may make a word that the filter knows, and returns how many:
    /// of those that are words by themselves and short, only those that are in it.
    pub(crate) fn pieces_known(&self, filter: &[u64], places: &mut Vec<u32>) -> usize {
        self.pieces_where(places, |piece, goes_on| {
            let (word, bits) = filter_bits(hash(piece.letters), filter.len());
            (filter[word] & bits == bits) | goes_on | (piece.count >= LANES as u32)
        })
    }

    /// The same for the pieces that words may begin with of which a key is the beginning.
    pub(crate) fn beginnings_known(&self, prefixes: &Gram<'_>, places: &mut Vec<u32>) -> usize {
        self.pieces_where(places, |piece, goes_on| prefixes.may_begin(piece.letters) | goes_on)
    }

    /// Writes to `places` the numbers of the pieces for which `is_wanted`, given whether the next may go on a word with
    /// it, and returns how many.
    #[inline(always)]
    fn pieces_where(&self, places: &mut Vec<u32>, is_wanted: impl Fn(&Piece, bool) -> bool) -> usize {
        let Some(last) = self.pieces.len().checked_sub(1) else { return 0 };
        // Only ever grows, so this allocates nothing once warm.
        if places.len() <= last {
            places.resize(last + 1, 0);
        }
        let mut found = 0;
        // Branch-free: every place is written, only the hits are kept.
        for (place, pair) in self.pieces.array_windows::<2>().enumerate() {
            places[found] = place as u32;
            found += usize::from(is_wanted(&pair[0], pair[1].joins));
        }
        places[found] = last as u32;
        found + usize::from(is_wanted(&self.pieces[last], false))
    }

    /// The mixture of a word that begins with piece `first`, nothing in it yet.
    pub(crate) fn mixture(&self, first: usize) -> Mixture {
        Mixture { begins_token: self.begins_token(first), ..Mixture::default() }
    }

    /// The words beside one that is in the pieces from `first` to `last`.
    pub(crate) fn beside(&self, first: usize, last: usize) -> Beside {
        Beside { before: self.neighbour_before(first), after: self.neighbour_after(last) }
    }

    fn neighbour_before(&self, first: usize) -> Neighbour {
        // The word may begin with any piece of those that are joined; signs at its end may be none of it. What is all digits
        // may be letters in a phrase.
        let (mut letters, mut are_signs) = (0, true);
        for (count, piece) in self.pieces[..first].iter().rev().enumerate() {
            if count == WORD_PIECES_MAX {
                return Neighbour::Begins(u64::MAX);
            }
            if count == 0 && piece.kind == Kind::Letters && !piece.joins {
                return Neighbour::Word(self.whole_neighbour(piece));
            }
            letters |= leet::may_be(piece.letters as u8);
            are_signs &= piece.kind == Kind::Signs;
            if !piece.joins && !are_signs {
                break;
            }
        }
        Neighbour::Begins(letters)
    }

    fn neighbour_after(&self, last: usize) -> Neighbour {
        // It begins with the next piece, or signs before it are none of it, of which there are few.
        let mut letters = 0;
        for (count, piece) in self.pieces[last + 1..].iter().take(WORD_PIECES_MAX).enumerate() {
            if count == 0 && piece.kind == Kind::Letters && self.stands_alone(last + 1) {
                return Neighbour::Word(self.whole_neighbour(piece));
            }
            letters |= leet::may_be(piece.letters as u8);
            if piece.kind != Kind::Signs {
                break;
            }
        }
        Neighbour::Begins(letters)
    }

    fn whole_neighbour(&self, piece: &Piece) -> u16 {
        whole_neighbour(self.key(piece), piece.letters as u8)
    }

    /// Whether so many words before piece `first` are one piece each, as it is itself, none of them spaced-out letters.
    #[inline]
    pub(crate) fn are_plain_words(&self, first: usize, before: usize) -> bool {
        let words = first.checked_sub(before).map(|from| &self.pieces[from..=first]);
        words.is_some_and(|words| words.iter().all(|piece| piece.gap >= Gap::Spaced && !piece.joins))
    }

    /// Whether no letter touches a piece from before. Signs may be brackets or the end of a sentence, and digits a number.
    #[inline]
    pub(crate) fn begins_token(&self, piece: usize) -> bool {
        let touches = |piece: usize| self.pieces[piece].gap == Gap::Touching;
        !touches(piece)
            || self.pieces[piece - 1].kind == Kind::Signs
            || self.pieces[piece - 1].is_number() && !touches(piece - 1)
    }

    /// Whether none touches the last piece before `next` from behind.
    pub(crate) fn ends_token(&self, next: usize) -> bool {
        self.pieces
            .get(next)
            .is_none_or(|next| next.gap != Gap::Touching || next.kind == Kind::Signs || next.is_number())
    }

    /// Whether a piece is of letters, and not of digits or signs.
    #[inline]
    pub(crate) fn is_of_letters(piece: &Piece) -> bool {
        piece.kind == Kind::Letters
    }

    /// Whether a piece is of signs that may be letters; else it is of letters or digits.
    pub(crate) fn is_of_signs(piece: &Piece) -> bool {
        piece.kind == Kind::Signs
    }

    /// Whether a word ends with this piece whatever comes next.
    #[inline]
    pub(crate) fn stands_alone(&self, piece: usize) -> bool {
        self.pieces.get(piece + 1).is_none_or(|next| !next.joins)
    }

    /// The first of the pieces that spaced-out letters join to the given one.
    pub(crate) fn run_start(&self, mut at: usize) -> usize {
        let farthest = at.saturating_sub(WORD_PIECES_MAX);
        while at > farthest && self.pieces[at].joins {
            at -= 1;
        }
        at
    }

    /// The pieces that may be one word together with piece `first`, that one included.
    pub(crate) fn word_from(&self, first: usize) -> impl Iterator<Item = &Piece> {
        let end = self.pieces.len().min(first + WORD_PIECES_MAX);
        let mut is_first = true;
        self.pieces[first..end].iter().take_while(move |piece| core::mem::take(&mut is_first) || piece.joins)
    }

    /// The piece that begins so many words before piece `first`, given how many letters each has: where the text is spaced
    /// out before a word, a piece for each.
    pub(crate) fn words_before(&self, first: usize, words: usize, letters: impl Fn(usize) -> usize) -> Option<usize> {
        let mut at = first;
        for word in (0..words).rev() {
            let last = at.checked_sub(1)?;
            let is_spaced_out = self.pieces[last].joins && self.pieces[last].count == 1;
            at = if is_spaced_out { at.checked_sub(letters(word))? } else { self.words_back(last, 0)? };
        }
        Some(at)
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

/// Folds so many letters or digits of ASCII, one byte each, and leaves repeats out; returns how many are left.
#[inline(always)]
fn fold_eight(bytes: u64, length: usize, kind: Kind) -> (u64, usize) {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // A digit has the bit that makes letters lower case.
    let class = match kind {
        Kind::Digits => b'0' - CLASS_FIRST_DIGIT,
        _ => b'a' - CLASS_FIRST_LETTER,
    };
    let within = u64::MAX >> (u64::BITS as usize - 8 * length);
    let letters = (bytes | (0x20 * ONES)).wrapping_sub(u64::from(class) * ONES) & within;
    // The first letter of a piece is no repeat of what is before it.
    let repeats = zero_bytes(letters ^ letters << 8) & within & !0xFF;
    if repeats != 0 && kind != Kind::Digits {
        return without_repeats(letters, repeats, length);
    }
    (letters, length)
}

/// What stands between two words, if it is nothing but marks.
#[inline(always)]
fn gap_of_marks(between: &[u8]) -> Option<Gap> {
    if let [b' '] = between {
        return Some(Gap::Spaced);
    }
    let marks = between.iter().fold(0, |marks, &byte| marks | MARKS[usize::from(byte)]);
    if marks & MARK_OTHER != 0 {
        return None;
    }
    Some(match between.len() {
        0 => Gap::Touching,
        1..=MARKS_MAX if marks & MARK_SPACE != 0 => Gap::Spaced,
        1..=MARKS_MAX => Gap::Joined,
        _ => Gap::Apart,
    })
}

/// Whether a word may go on from one piece to the next. Over spaces only single letters join, and
/// digits, as in telephone numbers.
fn joins(a: &Piece, b: &Piece) -> bool {
    match b.gap {
        Gap::Touching | Gap::Joined => true,
        Gap::Spaced => {
            let single = |piece: &Piece| piece.count == 1 && piece.kind != Kind::Signs;
            (single(b) && single(a)) || (b.kind == Kind::Digits && a.kind == Kind::Digits)
        }
        Gap::Apart => false,
    }
}

/// The words before and after a word.
pub(crate) struct Beside {
    before: Neighbour,
    after: Neighbour,
}

/// What is sure of a word beside another.
enum Neighbour {
    /// It is one piece of letters: what an entry would say of it.
    Word(u16),
    /// It begins with one of these letters, if there is one: a bit each.
    Begins(u64),
}

impl Beside {
    /// Whether the word that an entry says is beside that of its key is not there.
    #[inline]
    pub(crate) fn rules_out(&self, wanted: u16) -> bool {
        match if wanted & NEIGHBOUR_BEFORE == 0 { &self.after } else { &self.before } {
            Neighbour::Word(there) => {
                let told_by = if wanted & NEIGHBOUR_WHOLE != 0 { NEIGHBOUR_WHOLE - 1 } else { NEIGHBOUR_FIRST };
                (there ^ wanted) & told_by != 0
            }
            Neighbour::Begins(letters) => letters >> (wanted & NEIGHBOUR_FIRST) & 1 == 0,
        }
    }
}

/// Of what an entry says of the word beside that of its key: it is the one before.
pub(crate) const NEIGHBOUR_BEFORE: u16 = 1 << 15;
/// It is told by all of its letters, not by the first alone.
const NEIGHBOUR_WHOLE: u16 = 1 << 14;
/// The bits that tell the first of its letters.
const NEIGHBOUR_FIRST: u16 = LETTER_BITS as u16;

/// What an entry says of a word beside that of its key, by all letters of that word: its key, and the first letter.
pub(crate) fn whole_neighbour(key: u64, first: u8) -> u16 {
    NEIGHBOUR_WHOLE | (hash(key) >> 40) as u16 & (NEIGHBOUR_WHOLE - 1) & !NEIGHBOUR_FIRST | first_neighbour(first)
}

/// The same by its first letter.
pub(crate) fn first_neighbour(letter: u8) -> u16 {
    u16::from(letter) & NEIGHBOUR_FIRST
}

/// A class as one byte. Different letters may share one: the search over-matches.
pub(crate) const fn class_byte(class: Symbol) -> u8 {
    let [low, high] = class.to_le_bytes();
    low ^ high.rotate_left(3)
}

/// Where bytes are zero: the highest bit of each.
#[inline]
fn zero_bytes(bytes: u64) -> u64 {
    const LOW: u64 = 0x7F7F_7F7F_7F7F_7F7F;
    !(((bytes & LOW) + LOW) | bytes | LOW)
}

/// Whether a letter only draws out the one before it. Digits never do: `100` is another number than `10`.
#[inline]
pub(crate) fn is_repeat(before: u8, letter: u8) -> bool {
    before == letter && !(CLASS_FIRST_DIGIT..CLASS_FIRST_DIGIT + 10).contains(&letter)
}

/// Takes those of the letters out whose highest bit is set in `repeats`, and returns how many are left.
fn without_repeats(mut letters: u64, mut repeats: u64, length: usize) -> (u64, usize) {
    let mut count = length;
    while repeats != 0 {
        let repeat = repeats.trailing_zeros() - 7 - 8 * (length - count) as u32;
        letters = letters & ((1 << repeat) - 1) | letters >> repeat >> 8 << repeat;
        count -= 1;
        repeats &= repeats - 1;
    }
    (letters, count)
}

/// The first edge in the block and those behind it.
#[cold]
fn first_edge(bits: &[Bits], block: usize) -> Option<usize> {
    let (number, bits) = (block..).zip(bits.get(block..)?).find(|(_, bits)| bits.edges != 0)?;
    Some(BLOCK * number + bits.edges.trailing_zeros() as usize)
}

/// Which symbols of a message are wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Symbols {
    /// Those of every text.
    All,
    /// Those of text that may hold scripts without spaces.
    OfUnspacedText,
}

/// Whether pieces are letters among digits and signs that may be letters, and begin with no letter before.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Mixture {
    begins_token: bool,
    has_letters: bool,
    has_others: bool,
}

impl Mixture {
    #[inline]
    pub(crate) fn add(&mut self, piece: &Piece) {
        if piece.kind == Kind::Letters {
            self.has_letters = true;
        } else {
            self.has_others = true;
        }
    }

    #[inline]
    pub(crate) fn is_mixed(self) -> bool {
        self.begins_token && self.has_letters && self.has_others
    }
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

    fn touching() -> Between {
        Between { gap: Gap::Touching, separators: 0 }
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
        *self = Between::touching();
        gap
    }
}

/// Whether a sign that may be a letter is one here: among letters, not at the end of a sentence.
fn is_letter_sign(code: u32, after_letter: bool, rest: &[u8]) -> bool {
    let (next, _) = decode(rest);
    let before_letter =
        !rest.is_empty() && (symbol(next) > SEPARATOR || matches!(char::from_u32(next), Some('@' | '$' | '|' | '+')));
    before_letter || after_letter && !leet::only_before_letter(code)
}

/// Of what stands between words: it is a space,
const MARK_SPACE: u8 = 1;
/// it parts words and is no more than that,
const MARK_PLAIN: u8 = 0;
/// it is to be looked at.
const MARK_OTHER: u8 = 2;

static MARKS: [u8; 256] = {
    let mut marks = [MARK_OTHER; 256];
    let (spaces, plain) = (b" \t\n\x0B\x0C\r", b".,;:?'\"-*#=_~)]}>^`");
    let mut at = 0;
    while at < plain.len() {
        marks[plain[at] as usize] = MARK_PLAIN;
        if at < spaces.len() {
            marks[spaces[at] as usize] = MARK_SPACE;
        }
        at += 1;
    }
    marks
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
        let alphabet = [
            "a",
            "b",
            "z",
            "A",
            "I",
            "l",
            "Z",
            " ",
            " ",
            ".",
            "'",
            "-",
            "\x01",
            "\t",
            "0",
            "1",
            "9",
            "@",
            "!",
            "$",
            "(",
            "£",
            "’",
            "\u{FFFD}",
            "é",
            "Ж",
            "\u{200B}",
            "\u{301}",
            "口",
            "八",
            "가",
            "，",
            "０",
            "\u{1F4A9}",
            "𝐚",
        ];
        let mut state = 1u64;
        for length in (0..400).chain([3; 4000]) {
            let mut random = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                alphabet[(state >> 33) as usize % alphabet.len()].as_bytes()
            };
            let text: Vec<u8> = (0..length).flat_map(|_| random()).copied().collect();
            let (mut quick, mut thorough) = (Pieces::default(), Pieces::default());
            quick.read(&text, Symbols::All);
            thorough.clear();
            thorough.read_characters::<true>(&text, 0, &mut Between::start(), None);
            assert_eq!((&quick.symbols, &quick.starts), (&thorough.symbols, &thorough.starts), "{text:?}");
            let shape = |pieces: &Pieces| -> Vec<_> {
                let shape = |p: &Piece| (p.start, pieces.letters(p).collect::<Vec<_>>(), p.gap, p.kind, p.joins);
                pieces.pieces.iter().map(shape).collect()
            };
            assert_eq!(shape(&quick), shape(&thorough), "{text:?}");
            let watched = |pieces: &Pieces| {
                (pieces.watch.may_be_rewritten, pieces.watch.has_parts, pieces.has_unspaced, pieces.is_utf8)
            };
            assert_eq!(watched(&quick), watched(&thorough), "{text:?}");
        }
    }
}
