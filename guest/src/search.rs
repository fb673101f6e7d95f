//! The search: finds the places where a pattern may be. Words are looked up whole, by a hash of their
//! folded letters, one probe a word; patterns of scripts without spaces, and those that may begin
//! within a word, by the rarest window of their symbols, one probe a position. A probe tests a Bloom
//! filter first, and the few that pass look into a hash bucket. Not for deciding: what it finds are
//! candidates.

use alloc::vec::Vec;

use crate::Evidence;
use crate::consonants::Consonants;
use crate::fold::Symbol;
use crate::glue;
use crate::leet;
use crate::letters::Letters;
use crate::pack::{EntryRecord, Gram, HAS_GLUED, HAS_SPACED, PREFIX_LENGTHS, Pack};
use crate::pieces::{Piece, Pieces, Symbols, is_repeat};

/// What the index is keyed by; the order of the pack's grams section.
pub(crate) const WORD: usize = 0;
/// The first letters of a word, up to six.
pub(crate) const PREFIX: usize = 1;
/// Windows of 1, 2 and 4 symbols.
pub(crate) const WINDOWS: [(usize, usize); 3] = [(2, 1), (3, 2), (4, 4)];
/// Windows of 2 and 4 syllables.
pub(crate) const SOUND_WINDOWS: [(usize, usize); 2] = [(5, 2), (6, 4)];
/// How many kinds of key there are.
pub(crate) const GRAMS: usize = 7;
/// Longest prefix that is a key.
pub(crate) const PREFIX_LETTERS_MAX: usize = 6;

/// A digit or sign so many pieces after the first makes no mixture any more.
const MIXTURE_PIECES_MAX: usize = 4;

/// A place where a pattern may be: its number, and where in the text it would begin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    pub(crate) pattern: u32,
    pub(crate) start: u32,
}

/// Mixes a key so that its high and low bits can select filter bits and buckets.
#[inline]
pub(crate) fn hash(key: u64) -> u64 {
    // 2^64 / golden ratio, odd: multiplicative hashing (Knuth, TAOCP 3, 6.4).
    let product = key.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    product ^ product >> 32
}

/// The two filter bits of a hash: which word, which bits.
#[inline]
pub(crate) fn filter_bits(hash: u64, filter_words: usize) -> (usize, u64) {
    ((hash >> 12) as usize & (filter_words - 1), 1 << (hash & 63) | 1 << (hash >> 6 & 63))
}

/// The bucket of a hash. Uses other bits than the filter does.
#[inline]
pub(crate) fn bucket(hash: u64, buckets: usize) -> usize {
    (hash >> 32) as usize & (buckets - 1)
}

/// The key of a window: its symbols, the first in the lowest bits.
pub(crate) fn window_key(window: &[Symbol]) -> u64 {
    window.iter().rev().fold(0, |key, &symbol| key << 16 | u64::from(symbol))
}

/// The key of a word of two characters.
pub(crate) fn pair_key(first: u32, second: u32) -> u64 {
    u64::from(first) << 32 | u64::from(second)
}

/// The key of a word, built letter by letter; repeats are left out, but of digits.
#[derive(Clone, Copy, Default)]
pub(crate) struct WordKey {
    mixed: u64,
    letters: u64,
    count: u32,
    last: u8,
}

impl WordKey {
    #[inline]
    pub(crate) fn push(&mut self, letter: u8) {
        if is_repeat(self.last, letter) {
            return;
        }
        self.last = letter;
        self.letters |= u64::from(letter) << (8 * (self.count & 7));
        self.count += 1;
        if self.count.is_multiple_of(8) {
            self.mixed = hash(self.mixed ^ self.letters);
            self.letters = 0;
        }
    }

    #[inline]
    pub(crate) fn key(self) -> u64 {
        self.mixed ^ self.letters
    }

    /// With the letters of a piece; `None` once no word begins with its first letters, or is as long.
    #[inline(always)]
    fn with_piece(mut self, message: &Pieces, piece: &Piece, words: &Gram<'_>) -> Option<WordKey> {
        let (mut letters, mut count) = piece.head();
        if is_repeat(self.last, letters as u8) {
            (letters, count) = (letters >> 8, count - 1);
        }
        let had = self.count;
        if had + count >= u64::BITS / 8 {
            if had < STARTS[1] || count > u64::BITS / 8 {
                return self.with(message.letters(piece), words);
            }
            (0..count).for_each(|at| self.push((letters >> (8 * at)) as u8));
            return (self.count <= words.letters_max).then_some(self);
        }
        if count > 0 {
            self.letters |= letters << (8 * had);
            self.count += count;
            self.last = (letters >> (8 * (count - 1))) as u8;
        }
        let is_known =
            |letters: u32| had >= letters || self.count < letters || words.knows(start_key(self.letters, letters));
        (STARTS.into_iter().all(is_known) && self.count <= words.letters_max).then_some(self)
    }

    /// Adds the letters of a piece as a reading has them; returns whether a word may still be that, as far as tells.
    #[inline]
    fn add_read(&mut self, message: &Pieces, piece: &Piece, reading: usize, words: &Gram<'_>) -> bool {
        let (letters, count) = piece.head();
        if count == 1 {
            return self.add(leet::read_byte(letters as u8, reading), words) && self.count <= words.letters_max;
        }
        message.letters(piece).all(|letter| self.add(leet::read_byte(letter, reading), words))
            && self.count <= words.letters_max
    }

    /// Adds a letter; returns whether any word begins so, as far as its first letters tell.
    #[inline]
    fn add(&mut self, letter: u8, words: &Gram<'_>) -> bool {
        let had = self.count;
        self.push(letter);
        let is_start = had != self.count && (self.count == STARTS[0] || self.count == STARTS[1]);
        !is_start || words.knows(start_key(self.letters, self.count))
    }

    /// With more letters, one by one.
    fn with(mut self, mut letters: impl Iterator<Item = u8>, words: &Gram<'_>) -> Option<WordKey> {
        (letters.all(|letter| self.add(letter, words)) && self.count <= words.letters_max).then_some(self)
    }
}

/// How many letters tell whether any word begins with them: of pieces that may be joined in many ways, most begin none.
pub(crate) const STARTS: [u32; 2] = [3, 5];

/// The key of the first `count` letters of words, given one byte a letter; only the filter has such keys. It is not the
/// key of those letters as a word, nor does it hash alike.
#[inline]
pub(crate) fn start_key(letters: u64, count: u32) -> u64 {
    letters & ((1 << (8 * count)) - 1) | 0xFF << (8 * count)
}

/// The key of the first letters of a word: these, one byte a letter.
#[cfg(feature = "compile")]
pub(crate) fn prefix_key(letters: &[u8]) -> u64 {
    letters.iter().rev().fold(0, |key, &letter| key << 8 | u64::from(letter))
}

/// The symbols a message must be read into for this pack.
pub(crate) fn symbols_needed(pack: &Pack<'_>) -> Symbols {
    if pack.grams[WINDOWS[0].0..SOUND_WINDOWS[0].0].iter().any(|gram| gram.flags & HAS_SPACED != 0) {
        Symbols::All
    } else {
        Symbols::OfUnspacedText
    }
}

/// Appends every candidate in the message to `candidates`. `places` is scratch.
pub(crate) fn search(pack: &Pack<'_>, message: &Pieces, places: &mut Vec<u32>, candidates: &mut Vec<Candidate>) {
    search_words(pack, message, places, candidates);
    let [_, _, one, two, four, ..] = &pack.grams;
    search_windows::<1>(one, message, places, candidates);
    search_windows::<2>(two, message, places, candidates);
    search_windows::<4>(four, message, places, candidates);
}

/// Every word that pieces may make, whole and by its first letters.
fn search_words(pack: &Pack<'_>, message: &Pieces, places: &mut Vec<u32>, candidates: &mut Vec<Candidate>) {
    let (words, prefixes) = (&pack.grams[WORD], &pack.grams[PREFIX]);
    if !words.filter.is_empty() {
        let found = message.pieces_known(words.filter, places);
        for &first in &places[..found] {
            let first = first as usize;
            if message.stands_alone(first) {
                words.probe(message.key(&message.pieces[first]), |entries| {
                    begin(pack, message, (first, first), entries, candidates)
                });
            } else {
                search_joined(pack, message, first, candidates);
            }
        }
    }
    if words.flags & HAS_GLUED != 0 {
        (0..message.pieces.len()).for_each(|first| search_glued(words, message, first, candidates));
    }
    if !prefixes.filter.is_empty() {
        let found = message.beginnings_known(prefixes, places);
        for &first in &places[..found] {
            let first = first as usize;
            let piece = &message.pieces[first];
            let is_whole = message.stands_alone(first) && !Pieces::is_of_signs(piece);
            let (letters, count) = if is_whole { piece.head() } else { first_letters(message, first) };
            prefixes
                .probe_prefixes(letters, count, |entries| begin(pack, message, (first, first), entries, candidates));
        }
    }
}

/// The words that piece `first` and those joined to it make.
fn search_joined(pack: &Pack<'_>, message: &Pieces, first: usize, candidates: &mut Vec<Candidate>) {
    let words = &pack.grams[WORD];
    let mut key = WordKey::default();
    // What begins within a token is no mixture, and signs are no letters of it.
    let may_be_mixed = message.begins_token(first);
    for (last, piece) in (first..).zip(message.word_from(first)) {
        if may_be_mixed && !Pieces::is_of_letters(piece) {
            return search_mixed(pack, message, first, candidates);
        }
        if Pieces::is_of_signs(piece) {
            continue;
        }
        let Some(longer) = key.with_piece(message, piece, words) else { return };
        key = longer;
        words.probe(key.key(), |entries| begin(pack, message, (first, last), entries, candidates));
    }
}

/// The same from the beginning of a token where there are digits or signs among them: letters among these in all readings.
#[inline(never)]
fn search_mixed(pack: &Pack<'_>, message: &Pieces, first: usize, candidates: &mut Vec<Candidate>) {
    let words = &pack.grams[WORD];
    let mut plain = Some(WordKey::default());
    // Those readings that may still be words, one bit each.
    let (mut readings, mut alive) = ([WordKey::default(); leet::READINGS], 0u32);
    let mut mixture = message.mixture(first);
    for (count, piece) in (1..).zip(message.word_from(first)) {
        let last = first + count - 1;
        let was_mixed = mixture.is_mixed();
        mixture.add(piece);
        if mixture.is_mixed() && (alive != 0 || !was_mixed) {
            // Built beside the plain key, once there is a mixture: from the start for each length, they would cost its
            // square.
            let from = if was_mixed { last } else { first };
            alive = if was_mixed { alive } else { (1 << leet::READINGS) - 1 };
            let were_alive = alive;
            let is_alive = |reading: usize| were_alive >> reading & 1 == 1;
            for (reading, key) in readings.iter_mut().enumerate().filter(|&(reading, _)| is_alive(reading)) {
                let mut pieces = message.pieces[from..=last].iter();
                if !pieces.all(|piece| key.add_read(message, piece, reading, words)) {
                    alive &= !(1 << reading);
                }
            }
            if alive != 0 && count > 1 && message.ends_token(last + 1) {
                let is_alive = |reading: usize| alive >> reading & 1 == 1;
                for (number, key) in readings.iter().enumerate().filter(|&(number, _)| is_alive(number)) {
                    // Most readings of most words are the same.
                    let is_same = |other: usize| is_alive(other) && readings[other].key() == key.key();
                    if !(0..number).any(is_same) {
                        words.probe(key.key(), |entries| begin(pack, message, (first, last), entries, candidates));
                    }
                }
            }
        }
        if !Pieces::is_of_signs(piece) {
            plain = plain.and_then(|key| key.with_piece(message, piece, words));
            if let Some(key) = plain {
                words.probe(key.key(), |entries| begin(pack, message, (first, last), entries, candidates));
            }
        }
        // What begins as no word does may still be one in another reading, once there is a mixture.
        if plain.is_none() && alive == 0 && (mixture.is_mixed() || count >= MIXTURE_PIECES_MAX) {
            return;
        }
    }
}

/// The words that others were glued to, as in `getcasinonow`.
fn search_glued(words: &Gram<'_>, message: &Pieces, first: usize, candidates: &mut Vec<Candidate>) {
    let piece = &message.pieces[first];
    let mut buffer = [0; glue::LETTERS_MAX];
    let Some(letters) = glue::long_enough(message.letters(piece), &mut buffer) else { return };
    let mut look_up = |from: usize, end: usize, start: u32| {
        let mut key = WordKey::default();
        letters[from..end].iter().for_each(|&letter| key.push(letter));
        words.probe(key.key(), |entries| {
            let whole = entries.filter(|entry| entry.offset == 0);
            candidates.extend(whole.map(|entry| Candidate { pattern: entry.pattern, start }));
        });
    };
    for before in glue::before(letters) {
        for after in glue::after(&letters[before.letters..]) {
            let start = piece.start + before.bytes;
            // A letter on both sides of where they were glued is there once, as repeats are left out: `freescort`.
            for from in before.letters.saturating_sub(1)..=before.letters {
                let end = letters.len() - after.letters;
                (end..=letters.len().min(end + 1)).for_each(|end| look_up(from, end, start));
            }
        }
    }
}

/// The first letters of the word that begins with piece `first`, as many as make a prefix, and how many.
fn first_letters(message: &Pieces, first: usize) -> (u64, u32) {
    let (mut letters, mut count, mut last) = (0, 0, 0);
    let pieces = message.word_from(first).filter(|piece| !Pieces::is_of_signs(piece));
    for letter in pieces.flat_map(|piece| message.letters(piece)) {
        if is_repeat(last, letter) {
            continue;
        }
        letters |= u64::from(letter) << (8 * count);
        (count, last) = (count + 1, letter);
        if count as usize == PREFIX_LETTERS_MAX {
            break;
        }
    }
    (letters, count)
}

/// The places where patterns would begin whose key was found in the pieces from `first` to `last`.
fn begin<'p>(
    pack: &Pack<'_>,
    message: &Pieces,
    (first, last): (usize, usize),
    entries: impl Iterator<Item = &'p EntryRecord>,
    candidates: &mut Vec<Candidate>,
) {
    let mut beside = None;
    for entry in entries {
        if entry.neighbour != 0 && beside.get_or_insert_with(|| message.beside(first, last)).rules_out(entry.neighbour)
        {
            continue;
        }
        let words = usize::from(entry.offset);
        let mut candidate =
            |piece: usize| candidates.push(Candidate { pattern: entry.pattern, start: message.pieces[piece].start });
        if words == 0 || message.are_plain_words(first, words) {
            first.checked_sub(words).into_iter().for_each(&mut candidate);
            continue;
        }
        // The words before it may themselves be in pieces, or spaced out, some or all of them; or they are parted by
        // other signs than spaces.
        let pattern = &pack.patterns[entry.pattern as usize];
        let in_word = |word: usize| letters_in_word(pack.spelling(pattern), word);
        let by_words = message.words_back(first, words);
        let is_parted = pattern.folds & Evidence::SEPARATOR.0 != 0;
        let starts = [
            first.checked_sub(words),
            by_words,
            by_words.map(|piece| message.run_start(piece)),
            message.words_before(first, words, in_word),
            Some(message.run_start(first)).filter(|&run| run != first),
            message.words_back(first, 0).filter(|&token| token != first && is_parted),
        ];
        for (number, start) in starts.iter().enumerate() {
            start.filter(|_| !starts[..number].contains(start)).into_iter().for_each(&mut candidate);
        }
    }
}

/// How many letters a word of a spelling has.
fn letters_in_word(spelling: &[u8], word: usize) -> usize {
    let is_plain = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b' ');
    if spelling.iter().all(is_plain) {
        let mut words = spelling.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
        return words.nth(word).map_or(0, <[u8]>::len);
    }
    let mut number = 0;
    let in_word = Letters::new(spelling).filter(|letter| {
        number += usize::from(letter.joint);
        number == word
    });
    in_word.map(|letter| letter.run as usize).sum()
}

/// Calls `found` with every pattern that may sound in the text, and the syllable where it would begin.
pub(crate) fn search_sounds(
    pack: &Pack<'_>,
    syllables: &[u16],
    places: &mut Vec<u32>,
    mut found: impl FnMut(u32, usize),
) {
    let [.., two, four] = &pack.grams;
    search_syllables::<2>(two, syllables, places, &mut found);
    search_syllables::<4>(four, syllables, places, &mut found);
}

/// Whether patterns are found by their consonants.
pub(crate) fn has_consonants(pack: &Pack<'_>) -> bool {
    SOUND_WINDOWS.iter().any(|&(kind, _)| pack.grams[kind].flags & HAS_SPACED != 0)
}

/// Calls `found` with every pattern whose consonants may sound in the text, and the first of them.
pub(crate) fn search_consonants(
    pack: &Pack<'_>,
    consonants: &Consonants,
    places: &mut Vec<u32>,
    mut found: impl FnMut(u32, usize),
) {
    let [.., two, four] = &pack.grams;
    // Short words count only between words in other letters.
    if consonants.is_mixed {
        search_syllables::<2>(two, &consonants.symbols, places, &mut found);
    }
    search_syllables::<4>(four, &consonants.symbols, places, &mut found);
}

fn search_syllables<const SYLLABLES: usize>(
    gram: &Gram<'_>,
    syllables: &[u16],
    places: &mut Vec<u32>,
    found: &mut impl FnMut(u32, usize),
) {
    if gram.filter.is_empty() || syllables.len() < SYLLABLES {
        return;
    }
    let known = filter_places::<SYLLABLES>(gram.filter, syllables, places);
    for &place in &places[..known] {
        let place = place as usize;
        gram.probe(window_key(&syllables[place..][..SYLLABLES]), |entries| {
            for entry in entries {
                if let Some(first) = place.checked_sub(entry.offset.into()) {
                    found(entry.pattern, first);
                }
            }
        });
    }
}

fn search_windows<const SYMBOLS: usize>(
    gram: &Gram<'_>,
    message: &Pieces,
    places: &mut Vec<u32>,
    candidates: &mut Vec<Candidate>,
) {
    let symbols = &message.symbols[..];
    if gram.filter.is_empty() || symbols.len() < SYMBOLS || !(message.has_unspaced || gram.flags & HAS_SPACED != 0) {
        return;
    }
    let found = filter_places::<SYMBOLS>(gram.filter, symbols, places);
    for &place in &places[..found] {
        let place = place as usize;
        gram.probe(window_key(&symbols[place..][..SYMBOLS]), |entries| {
            // One symbol more than the window has tells most candidates from chance.
            let after = symbols.get(place + SYMBOLS);
            let before = place.checked_sub(1).map(|before| &symbols[before]);
            let may_be =
                |entry: &&EntryRecord| entry.neighbour == 0 || [after, before].contains(&Some(&entry.neighbour));
            candidates.extend(entries.filter(may_be).filter_map(|entry| {
                let first = place.checked_sub(entry.offset.into())?;
                Some(Candidate { pattern: entry.pattern, start: message.starts[first] })
            }));
        });
    }
}

/// Writes to `places` the positions whose window the filter knows, and returns how many.
#[inline]
fn filter_places<const SYMBOLS: usize>(filter: &[u64], symbols: &[Symbol], places: &mut Vec<u32>) -> usize {
    let positions = symbols.len() - SYMBOLS + 1;
    // Only ever grows, so this allocates nothing once warm.
    if places.len() < positions {
        places.resize(positions, 0);
    }
    let out = &mut places[..positions];
    let mut found = 0;
    let mut key = window_key(&symbols[..SYMBOLS - 1]) << 16;
    for (place, &symbol) in symbols[SYMBOLS - 1..].iter().enumerate() {
        key = key >> 16 | u64::from(symbol) << (16 * (SYMBOLS - 1));
        let (word, bits) = filter_bits(hash(key), filter.len());
        // Branch-free: every place is written, only the hits are kept.
        out[found] = u32::try_from(place).unwrap_or(u32::MAX);
        found += usize::from(filter[word] & bits == bits);
    }
    found
}

impl Gram<'_> {
    /// Whether the filter knows the key.
    #[inline]
    fn knows(&self, key: u64) -> bool {
        let Some(words) = self.filter.len().checked_sub(1) else { return false };
        let (word, bits) = filter_bits(hash(key), words + 1);
        self.filter[word] & bits == bits
    }

    /// Calls `found` with the entries of that key, if there may be any.
    #[inline]
    fn probe<'g>(&'g self, key: u64, found: impl FnOnce(Entries<'g>)) {
        let Some(words) = self.filter.len().checked_sub(1) else { return };
        let hash = hash(key);
        let (word, bits) = filter_bits(hash, words + 1);
        if self.filter[word] & bits == bits {
            found(self.look_up(key, hash));
        }
    }

    /// Whether the first letters of a word may make a key: a few of them tell.
    #[inline]
    pub(crate) fn may_begin(&self, letters: u64) -> bool {
        let lengths = self.flags >> PREFIX_LENGTHS;
        let is_key = |length: u32| (lengths >> length & 1 == 1) && self.knows(letters & ((1 << (8 * length)) - 1));
        (1..STARTS[0]).any(is_key) || lengths >> STARTS[0] != 0 && self.knows(start_key(letters, STARTS[0]))
    }

    /// The same for each key that the first letters of a word make.
    #[inline]
    fn probe_prefixes<'g>(&'g self, letters: u64, count: u32, mut found: impl FnMut(Entries<'g>)) {
        let mut lengths = self.flags >> PREFIX_LENGTHS & ((2 << count.min(PREFIX_LETTERS_MAX as u32)) - 1);
        let short = (1 << STARTS[0]) - 1;
        if lengths & !short != 0 && !self.knows(start_key(letters, STARTS[0])) {
            lengths &= short;
        }
        while lengths != 0 {
            let length = lengths.trailing_zeros();
            lengths &= lengths - 1;
            self.probe(letters & ((1 << (8 * length)) - 1), &mut found);
        }
    }

    #[cold]
    fn look_up<'g>(&'g self, key: u64, hash: u64) -> Entries<'g> {
        let bucket = bucket(hash, self.buckets.len() - 1);
        let (first, end) = (self.buckets[bucket] as usize, self.buckets[bucket + 1] as usize);
        Entries { key, rest: self.entries[first..end].iter() }
    }
}

/// The entries of a key, out of those of its bucket.
#[derive(Clone)]
struct Entries<'p> {
    key: u64,
    rest: core::slice::Iter<'p, EntryRecord>,
}

impl<'p> Iterator for Entries<'p> {
    type Item = &'p EntryRecord;

    fn next(&mut self) -> Option<&'p EntryRecord> {
        let key = self.key;
        self.rest.by_ref().find(|entry| entry.key == key)
    }
}
