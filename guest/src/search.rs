//! The search over folded text: finds the places where a pattern may be. Each pattern stands in the
//! index with one window of its symbols, the rarest; one hash a position tests a Bloom filter, and the
//! few places that pass are looked up in hash buckets. Not for deciding: what it finds are candidates.

use alloc::vec::Vec;

use crate::fold::Symbol;
use crate::pack::{GRAM_SYMBOLS, Gram, Pack};

/// A place where a pattern may be: its number, and the index of its first symbol.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    pub(crate) pattern: u32,
    pub(crate) symbol: u32,
}

/// Mixes a window so that its high bits can select filter bits and buckets.
pub(crate) fn hash(key: u64) -> u64 {
    // 2^64 / golden ratio, odd: multiplicative hashing (Knuth, TAOCP 3, 6.4).
    let product = key.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    product ^ product >> 32
}

/// The two filter bits of a window: which word, which bits.
#[inline]
pub(crate) fn filter_bits(hash: u64, filter_words: usize) -> (usize, u64) {
    ((hash >> 12) as usize & (filter_words - 1), 1 << (hash & 63) | 1 << (hash >> 6 & 63))
}

/// The bucket of a window. Uses other bits than the filter does.
#[inline]
pub(crate) fn bucket(hash: u64, buckets: usize) -> usize {
    (hash >> 32) as usize & (buckets - 1)
}

/// Appends every candidate in `symbols` to `candidates`. `places` is scratch.
pub(crate) fn search(pack: &Pack<'_>, symbols: &[Symbol], places: &mut Vec<u32>, candidates: &mut Vec<Candidate>) {
    let [one, two, four] = &pack.grams;
    search_gram::<{ GRAM_SYMBOLS[0] }>(pack, one, symbols, places, candidates);
    search_gram::<{ GRAM_SYMBOLS[1] }>(pack, two, symbols, places, candidates);
    search_gram::<{ GRAM_SYMBOLS[2] }>(pack, four, symbols, places, candidates);
}

fn search_gram<const WINDOW: usize>(
    pack: &Pack<'_>,
    gram: &Gram<'_>,
    symbols: &[Symbol],
    places: &mut Vec<u32>,
    candidates: &mut Vec<Candidate>,
) {
    if gram.filter.is_empty() || symbols.len() < WINDOW {
        return;
    }
    let found = filter_places::<WINDOW>(gram.filter, symbols, places);
    for &place in &places[..found] {
        let place = place as usize;
        let key = window_key(&symbols[place..place + WINDOW]);
        let bucket = bucket(hash(key), gram.buckets.len() - 1);
        let (first, end) = (gram.buckets[bucket] as usize, gram.buckets[bucket + 1] as usize);
        for entry in gram.entries[first..end].iter().filter(|entry| entry.key == key) {
            let Some(symbol) = place.checked_sub(entry.offset as usize) else { continue };
            let pattern = &pack.patterns[entry.pattern as usize];
            let wanted = &pack.symbols[pattern.symbols_first as usize..][..usize::from(pattern.symbols_count)];
            if symbols[symbol..].starts_with(wanted) {
                candidates
                    .push(Candidate { pattern: entry.pattern, symbol: u32::try_from(symbol).unwrap_or(u32::MAX) });
            }
        }
    }
}

/// Writes to `places` the positions whose window the filter knows, and returns how many.
#[inline]
fn filter_places<const WINDOW: usize>(filter: &[u64], symbols: &[Symbol], places: &mut Vec<u32>) -> usize {
    let positions = symbols.len() - WINDOW + 1;
    // Only ever grows, so this allocates nothing once warm.
    if places.len() < positions {
        places.resize(positions, 0);
    }
    let out = &mut places[..positions];
    let mut found = 0;
    let mut key = window_key(&symbols[..WINDOW - 1]) << 16;
    for (place, &symbol) in symbols[WINDOW - 1..].iter().enumerate() {
        key = key >> 16 | u64::from(symbol) << (16 * (WINDOW - 1));
        let (word, bits) = filter_bits(hash(key), filter.len());
        // Branch-free: every place is written, only the hits are kept.
        out[found] = u32::try_from(place).unwrap_or(u32::MAX);
        found += usize::from(filter[word] & bits == bits);
    }
    found
}

/// The key of a window: its symbols, the first in the lowest bits.
pub(crate) fn window_key(window: &[Symbol]) -> u64 {
    window.iter().rev().fold(0, |key, &symbol| key << 16 | u64::from(symbol))
}
