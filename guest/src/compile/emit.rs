//! Writes the pack: collects terms, chooses for each pattern the window it is found by, and lays the
//! sections out. The format is documented in [`pack`](crate::pack).

use std::vec;
use std::vec::Vec;

use bytemuck::cast_slice;

use super::list::TermContext;
use super::taxonomy::Taxonomy;
use super::term::{ParsedPattern, ParsedTerm};
use crate::Evidence;
use crate::fold::Symbol;
use crate::pack::{
    CategoryRecord, EntryRecord, GRAM_SYMBOLS, GramRecord, HEADER_BYTES, PatternRecord, ROLE_ALLOW, ROLE_EXCLUDE,
    SECTION_ALIGN, SECTIONS, TermRecord, Text, seal,
};
use crate::search::{bucket, filter_bits, hash, window_key};

/// Words of Bloom filter a window, rounded up to a power of two in all: 24 bits leave about one in a
/// hundred windows of ordinary text to the buckets.
const FILTER_WINDOWS_PER_WORD: usize = 2;

#[derive(Debug, Default)]
pub(super) struct Builder {
    strings: Vec<u8>,
    categories: Vec<CategoryRecord>,
    clauses: Vec<Text>,
    lists: Vec<Text>,
    terms: Vec<TermRecord>,
    patterns: Vec<PatternRecord>,
    letters: Vec<u32>,
    symbols: Vec<Symbol>,
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
            self.pattern(pattern, ROLE_ALLOW, set);
        }
    }

    pub(super) fn term(&mut self, context: &TermContext<'_>, text: &str, parsed: &ParsedTerm) {
        let owner = to_u32(self.terms.len());
        for pattern in &parsed.patterns {
            self.pattern(pattern, pattern.role, owner);
        }
        let text = self.text(text);
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

    fn pattern(&mut self, pattern: &ParsedPattern, role: u8, owner: u32) {
        self.patterns.push(PatternRecord {
            symbols_first: to_u32(self.symbols.len()),
            letters_first: to_u32(self.letters.len()),
            symbols_count: pattern.symbols.len() as u16,
            letters_count: pattern.letters.len() as u16,
            owner,
            folds: Evidence::ALL.0,
            flags: pattern.flags,
            role,
        });
        self.letters.extend(&pattern.letters);
        self.symbols.extend(&pattern.symbols);
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
            cast_slice(&self.letters),
            cast_slice(&self.symbols),
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

    /// Chooses the windows and builds the index of each size.
    fn index(&self) -> Index {
        let mut windows: [Vec<EntryRecord>; GRAM_SYMBOLS.len()] = Default::default();
        let counts = self.count_windows();
        for (number, pattern) in (0u32..).zip(&self.patterns) {
            let symbols = &self.symbols[pattern.symbols_first as usize..][..usize::from(pattern.symbols_count)];
            let size = GRAM_SYMBOLS.into_iter().rposition(|size| size <= symbols.len()).unwrap_or(0);
            let rarest = symbols
                .windows(GRAM_SYMBOLS[size])
                .enumerate()
                .map(|(offset, window)| (offset, window_key(window)))
                .min_by_key(|&(_, key)| commonness(key) + 16 * counts[count_slot(key)].ilog2());
            if let Some((offset, key)) = rarest {
                windows[size].push(EntryRecord { key, pattern: number, offset: to_u32(offset) });
            }
        }

        let mut index = Index::default();
        for (record, mut entries) in index.grams.iter_mut().zip(windows) {
            if entries.is_empty() {
                continue;
            }
            let filter_words = entries.len().div_ceil(FILTER_WINDOWS_PER_WORD).next_power_of_two();
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
            };
        }
        index
    }

    /// How many patterns share each window, hashed into slots; at least 1 everywhere.
    fn count_windows(&self) -> Vec<u32> {
        let mut counts = vec![1u32; COUNT_SLOTS];
        for pattern in &self.patterns {
            let symbols = &self.symbols[pattern.symbols_first as usize..][..usize::from(pattern.symbols_count)];
            let size = GRAM_SYMBOLS.into_iter().rfind(|&size| size <= symbols.len()).unwrap_or(1);
            for window in symbols.windows(size) {
                counts[count_slot(window_key(window))] += 1;
            }
        }
        counts
    }
}

#[derive(Default)]
struct Index {
    grams: [GramRecord; GRAM_SYMBOLS.len()],
    filter: Vec<u64>,
    buckets: Vec<u32>,
    entries: Vec<EntryRecord>,
}

const COUNT_SLOTS: usize = 1 << 20;

fn count_slot(key: u64) -> usize {
    hash(key) as usize % COUNT_SLOTS
}

/// How common the letters of a window are in text, in 1/16 bits of probability: English letter
/// frequencies (Lewand, Cryptological Mathematics, 2000) for a to z, digits and other scripts rare.
fn commonness(key: u64) -> u32 {
    const PERMILLE: [u32; 26] =
        [82, 15, 28, 43, 127, 22, 20, 61, 70, 2, 8, 40, 24, 67, 75, 19, 1, 60, 63, 91, 28, 10, 24, 2, 20, 1];
    let letter = |symbol: u64| {
        let permille =
            PERMILLE.get(usize::try_from(symbol).unwrap_or(usize::MAX).wrapping_sub(2)).copied().unwrap_or(4);
        16 * permille.ilog2() + 8
    };
    (0..4).map(|place| key >> (16 * place) & 0xFFFF).filter(|&symbol| symbol != 0).map(letter).sum()
}

fn to_u32(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
