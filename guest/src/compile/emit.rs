//! Writes the pack: collects terms, chooses for each pattern the window it is found by, and lays the
//! sections out. The format is documented in [`pack`](crate::pack).

use std::vec;
use std::vec::Vec;

use bytemuck::cast_slice;

use super::list::TermContext;
use super::taxonomy::Taxonomy;
use super::term::{ParsedPattern, ParsedTerm};
use crate::Evidence;
use crate::fold::{CLASS_COMPUTED, IGNORABLE, SEPARATOR, Script, Symbol, script, symbol};
use crate::letters::Letters;
use crate::pack::{
    CategoryRecord, END_OPEN, EntryRecord, GramRecord, HEADER_BYTES, LITERAL, PatternRecord, ROLE_ALLOW, ROLE_EXCLUDE,
    SECTION_ALIGN, SECTIONS, START_OPEN, TermRecord, Text, seal,
};
use crate::pieces::class_byte;
use crate::search::{
    GRAMS, PREFIX, PREFIX_LETTERS_MAX, WINDOWS, WORD, WordKey, bucket, filter_bits, hash, prefix_key, window_key,
};

/// Words of Bloom filter for this many keys, rounded up to a power of two in all: 32 bits a key or more
/// leave less than one in a hundred keys of ordinary text to the buckets.
const FILTER_KEYS_PER_WORD: usize = 2;

#[derive(Debug, Default)]
pub(super) struct Builder {
    strings: Vec<u8>,
    categories: Vec<CategoryRecord>,
    clauses: Vec<Text>,
    lists: Vec<Text>,
    terms: Vec<TermRecord>,
    patterns: Vec<PatternRecord>,
    allow_sets: u32,
}

impl Builder {
    pub(super) fn new(taxonomy: &Taxonomy) -> Builder {
        let mut builder = Builder::default();
        for category in taxonomy.categories() {
            let id = builder.text(&category.id);
            let clauses_first = to_u32(builder.clauses.len());
            for clause in &category.clauses {
                let clause = builder.text(clause);
                builder.clauses.push(clause);
            }
            let clauses_count = to_u32(category.clauses.len());
            builder.categories.push(CategoryRecord { id, code: category.code, clauses_first, clauses_count });
        }
        builder
    }

    fn text(&mut self, text: &str) -> Text {
        let offset = to_u32(self.strings.len());
        self.strings.extend(text.as_bytes());
        Text { offset, length: to_u32(text.len()) }
    }

    /// Begins a list and returns its number.
    pub(super) fn list(&mut self, id: &str) -> u16 {
        let id = self.text(id);
        self.lists.push(id);
        u16::try_from(self.lists.len() - 1).unwrap_or(u16::MAX)
    }

    /// Begins a set of allow texts and returns its number.
    pub(super) fn allow_set(&mut self) -> u32 {
        self.allow_sets += 1;
        self.allow_sets - 1
    }

    pub(super) fn allow(&mut self, set: u32, parsed: &ParsedTerm) {
        for pattern in &parsed.patterns {
            self.pattern(pattern, ROLE_ALLOW, set, None);
        }
    }

    pub(super) fn term(&mut self, context: &TermContext<'_>, text: &str, parsed: &ParsedTerm) {
        let owner = to_u32(self.terms.len());
        let text = self.text(text);
        for pattern in &parsed.patterns {
            self.pattern(pattern, pattern.role, owner, Some(text));
        }
        self.terms.push(TermRecord {
            text,
            list: context.list,
            category: context.category,
            severity: context.severity,
            parts: parsed.parts,
            excludable: u8::from(parsed.patterns.iter().any(|pattern| pattern.role == ROLE_EXCLUDE)),
            zero: 0,
            allow_set: context.allow_set,
        });
    }

    fn pattern(&mut self, pattern: &ParsedPattern, role: u8, owner: u32, term: Option<Text>) {
        // Most terms are one plain word, spelled as their author wrote it.
        let own = term.filter(|term| {
            self.strings[term.offset as usize..][..term.length as usize] == *pattern.spelling.as_bytes()
        });
        let text = own.unwrap_or_else(|| self.text(&pattern.spelling));
        self.patterns.push(PatternRecord {
            text_offset: text.offset,
            owner,
            text_length: u16::try_from(text.length).unwrap_or(u16::MAX),
            folds: Evidence::ALL.0,
            flags: pattern.flags,
            role,
            zero: 0,
        });
    }

    /// The pack's bytes; `None` if they are more than its offsets can say.
    pub(super) fn finish(self, origin: &str) -> Option<Vec<u8>> {
        let index = self.index();
        let sections: [&[u8]; SECTIONS] = [
            &self.strings,
            cast_slice(&self.categories),
            cast_slice(&self.clauses),
            cast_slice(&self.lists),
            cast_slice(&self.terms),
            cast_slice(&self.patterns),
            cast_slice(&index.grams),
            cast_slice(&index.filter),
            cast_slice(&index.buckets),
            cast_slice(&index.entries),
            origin.as_bytes(),
        ];
        let total: usize = HEADER_BYTES + sections.iter().map(|section| section.len() + SECTION_ALIGN).sum::<usize>();
        u32::try_from(total).ok()?;
        let mut bytes = Vec::with_capacity(total);
        bytes.resize(HEADER_BYTES, 0);
        let mut places = [(0, 0); SECTIONS];
        for (place, section) in places.iter_mut().zip(sections) {
            bytes.resize(bytes.len().next_multiple_of(SECTION_ALIGN), 0);
            *place = (to_u32(bytes.len()), to_u32(section.len()));
            bytes.extend_from_slice(section);
        }
        seal(&mut bytes, &places);
        Some(bytes)
    }

    fn spelling(&self, pattern: &PatternRecord) -> &str {
        let bytes = &self.strings[pattern.text_offset as usize..][..usize::from(pattern.text_length)];
        core::str::from_utf8(bytes).unwrap_or_default()
    }

    /// Chooses the key of each pattern and builds the index of each kind of key.
    fn index(&self) -> Index {
        let mut keys: [Vec<EntryRecord>; GRAMS] = Default::default();
        let mut has_spaced = [false; GRAMS];
        let counts = self.count_windows();
        for (number, pattern) in (0u32..).zip(&self.patterns) {
            let key = match words(self.spelling(pattern), pattern.flags) {
                Some(words) => rarest_word(&words),
                None => rarest_window(&symbols(self.spelling(pattern)), &counts),
            };
            has_spaced[key.kind] |= key.is_spaced;
            keys[key.kind].push(EntryRecord { key: key.key, pattern: number, offset: to_u32(key.offset) });
        }

        let mut index = Index::default();
        for ((record, mut entries), has_spaced) in index.grams.iter_mut().zip(keys).zip(has_spaced) {
            if entries.is_empty() {
                continue;
            }
            let filter_words = entries.len().div_ceil(FILTER_KEYS_PER_WORD).next_power_of_two();
            let buckets = entries.len().next_power_of_two();
            entries.sort_unstable_by_key(|entry| (bucket(hash(entry.key), buckets), entry.key, entry.pattern));
            let (filter_first, buckets_first) = (index.filter.len(), index.buckets.len());
            index.filter.resize(filter_first + filter_words, 0);
            let mut next = 0;
            for number in 0..=buckets {
                index.buckets.push(to_u32(index.entries.len() + next));
                while next < entries.len() && bucket(hash(entries[next].key), buckets) == number {
                    let (word, bits) = filter_bits(hash(entries[next].key), filter_words);
                    index.filter[filter_first + word] |= bits;
                    next += 1;
                }
            }
            index.entries.extend(entries);
            *record = GramRecord {
                filter_first: to_u32(filter_first),
                filter_count: to_u32(filter_words),
                buckets_first: to_u32(buckets_first),
                buckets_count: to_u32(buckets),
                has_spaced: has_spaced.into(),
            };
        }
        index
    }

    /// How many patterns share each window, hashed into slots; at least 1 everywhere.
    fn count_windows(&self) -> Vec<u32> {
        let mut counts = vec![1u32; COUNT_SLOTS];
        for pattern in &self.patterns {
            if words(self.spelling(pattern), pattern.flags).is_none() {
                let symbols = symbols(self.spelling(pattern));
                let (_, size) = window_size(&symbols);
                for window in symbols.windows(size) {
                    counts[count_slot(window_key(window))] += 1;
                }
            }
        }
        counts
    }
}

#[derive(Default)]
struct Index {
    grams: [GramRecord; GRAMS],
    filter: Vec<u64>,
    buckets: Vec<u32>,
    entries: Vec<EntryRecord>,
}

/// What a pattern is found by.
struct Key {
    kind: usize,
    key: u64,
    offset: usize,
    is_spaced: bool,
}

/// A word of a pattern: its folded letters, repeats left out, and whether it may go on.
struct PatternWord {
    letters: Vec<u8>,
    is_open: bool,
}

/// The words of a pattern, if it is made of words that begin and end where words do; `None` for one
/// that must be found by windows.
fn words(spelling: &str, flags: u8) -> Option<Vec<PatternWord>> {
    if flags & (START_OPEN | LITERAL) != 0 {
        return None;
    }
    let mut words: Vec<PatternWord> = Vec::new();
    for letter in Letters::new(spelling) {
        if matches!(script(letter.code), Script::Unspaced | Script::Hangul) {
            return None;
        }
        if letter.joint || words.is_empty() {
            words.push(PatternWord { letters: Vec::new(), is_open: false });
        }
        let word = &mut words.last_mut()?.letters;
        if word.last() != Some(&class_byte(letter.class)) {
            word.push(class_byte(letter.class));
        }
    }
    words.last_mut()?.is_open = flags & END_OPEN != 0;
    Some(words)
}

/// The longest word, of two the one with the rarer letters; an open one counts by the letters of its key.
fn rarest_word(words: &[PatternWord]) -> Key {
    let prefix = |word: &PatternWord| word.letters.len().min(PREFIX_LETTERS_MAX);
    let used = |word: &PatternWord| if word.is_open { prefix(word) } else { word.letters.len() };
    let rarity =
        |word: &PatternWord| (used(word), u32::MAX - word.letters.iter().map(|&l| commonness(l.into())).sum::<u32>());
    let rarest = words.iter().enumerate().max_by_key(|(_, word)| rarity(word));
    let Some((offset, word)) = rarest else { return Key { kind: WORD, key: 0, offset: 0, is_spaced: true } };
    if word.is_open {
        return Key { kind: PREFIX, key: prefix_key(&word.letters[..prefix(word)]), offset, is_spaced: true };
    }
    let mut key = WordKey::default();
    word.letters.iter().for_each(|&letter| key.push(letter));
    Key { kind: WORD, key: key.key(), offset, is_spaced: true }
}

/// The symbols of a pattern as [`Pieces`](crate::pieces::Pieces) reads a text: repeats left out, but not
/// over separators.
fn symbols(spelling: &str) -> Vec<Symbol> {
    let mut symbols = Vec::new();
    let mut previous = SEPARATOR;
    for char in spelling.chars() {
        match symbol(char as u32) {
            IGNORABLE => {}
            class => {
                if class != SEPARATOR && class != previous {
                    symbols.push(class);
                }
                previous = class;
            }
        }
    }
    symbols
}

/// The kind of key and the number of symbols of the largest windows that the symbols have.
fn window_size(symbols: &[Symbol]) -> (usize, usize) {
    WINDOWS.into_iter().rfind(|&(_, size)| size <= symbols.len()).unwrap_or(WINDOWS[0])
}

fn rarest_window(symbols: &[Symbol], counts: &[u32]) -> Key {
    let (kind, size) = window_size(symbols);
    let rarest = symbols
        .windows(size)
        .enumerate()
        .map(|(offset, window)| (offset, window_key(window), window.iter().all(|&symbol| symbol < CLASS_COMPUTED)))
        .min_by_key(|&(_, key, is_spaced)| {
            let letters: u32 = (0..4).map(|place| commonness(key >> (16 * place) & 0xFFFF)).sum();
            (is_spaced, letters + 16 * counts[count_slot(key)].ilog2())
        });
    let (offset, key, is_spaced) = rarest.unwrap_or_default();
    Key { kind, key, offset, is_spaced }
}

const COUNT_SLOTS: usize = 1 << 20;

fn count_slot(key: u64) -> usize {
    hash(key) as usize % COUNT_SLOTS
}

/// How common a letter is in text, in 1/16 bits of probability: English letter frequencies (Lewand,
/// Cryptological Mathematics, 2000) for a to z, digits and other scripts rare, no letter nothing.
fn commonness(class: u64) -> u32 {
    const PERMILLE: [u32; 26] =
        [82, 15, 28, 43, 127, 22, 20, 61, 70, 2, 8, 40, 24, 67, 75, 19, 1, 60, 63, 91, 28, 10, 24, 2, 20, 1];
    if class == 0 {
        return 0;
    }
    let letter = usize::try_from(class).ok().and_then(|class| PERMILLE.get(class.checked_sub(2)?).copied());
    16 * letter.unwrap_or(4).ilog2() + 8
}

fn to_u32(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
