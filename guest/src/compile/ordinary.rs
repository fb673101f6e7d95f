//! Ordinary words: what a misspelling or a homophone of a term must not be. And how characters sound and
//! what parts they have. The tables are written by `guest/tables`, which names their sources.

use std::vec::Vec;

use xxhash_rust::xxh3::xxh3_64;

use crate::search::{filter_bits, hash, pair_key};
use crate::sounds;

/// How full the filter of a pack is.
const KEYS_PER_FILTER_WORD: usize = 4;

static ORDINARY: &[u8] = include_bytes!("ordinary.bin");
static PARTS: &[u8] = include_bytes!("parts.bin");
/// The commonest words of two and three letters of languages other than English, marks left out, ascending, one a line.
static SHORT: &str = include_str!("short.txt");
/// What else two letters stand for everywhere: units, the countries of the G20, and short forms.
const CODES: &str = " mm cm km mg kg ml cl dl hz kb mb gb tb kw ar au br ca cn de fr gb in id it jp kr mx ru sa tr za uk \
    us eu dm pm ps vs tv pc dj cd ";
static SOUNDS: &[u8] = include_bytes!("sounds.bin");

/// Whether a word in small letters a to z is an English word. One in a thousand other words is taken for one.
pub(super) fn is_english(word: &str) -> bool {
    if word.len() == 1 {
        return true;
    }
    let hash = xxh3_64(word.as_bytes());
    [hash, hash.rotate_left(32)].into_iter().all(|hash| {
        let (at, bits) = filter_bits(hash, filter_words());
        let first = 8 + 8 * at;
        ORDINARY[first..].first_chunk().is_some_and(|word| u64::from_le_bytes(*word) & bits == bits)
    })
}

/// Whether a word is an English word in one more form: of the many that are asked for, some are taken for a word by
/// chance, but not their forms.
pub(super) fn has_forms(word: &str) -> bool {
    is_english(word)
        && ["s", "es", "d", "ed", "r", "ing", "ly"].iter().any(|ending| is_english(&[word, ending].concat()))
}

/// Whether two or three small letters a to z are a common word of some language, or stand for something everywhere.
pub(super) fn is_short_word(word: &str) -> bool {
    let is_code = |word: &str| CODES.split_ascii_whitespace().any(|code| code == word);
    word.len() <= 3 && (is_code(word) || SHORT.lines().any(|short| short == word))
}

fn filter_words() -> usize {
    ORDINARY.first_chunk().map_or(1, |count| u64::from_le_bytes(*count) as usize)
}

/// The ordinary Chinese words of two characters.
fn pairs() -> impl Iterator<Item = [char; 2]> {
    ORDINARY[8 + 8 * filter_words()..].chunks_exact(4).map(|pair| [half(&pair[..2]), half(&pair[2..])])
}

/// A filter of the ordinary Chinese words of two characters, as packs have it.
pub(super) fn filter_of_pairs() -> Vec<u64> {
    let mut filter = std::vec![0; (pairs().count() / KEYS_PER_FILTER_WORD).next_power_of_two()];
    for [first, second] in pairs() {
        let (word, bits) = filter_bits(hash(pair_key(first as u32, second as u32)), filter.len());
        filter[word] |= bits;
    }
    filter
}

/// The two parts of a character, if it has just two.
pub(super) fn parts(whole: char) -> Option<[char; 2]> {
    let (mut low, mut high) = (0, PARTS.len() / 6);
    while low < high {
        let middle = low.midpoint(high);
        let entry = &PARTS[6 * middle..][..6];
        match half(&entry[..2]).cmp(&whole) {
            core::cmp::Ordering::Equal => return Some([half(&entry[2..4]), half(&entry[4..])]),
            core::cmp::Ordering::Less => low = middle + 1,
            core::cmp::Ordering::Greater => high = middle,
        }
    }
    None
}

fn half(bytes: &[u8]) -> char {
    let code = u16::from_le_bytes([bytes[0], bytes[1]]);
    char::from_u32(code.into()).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// What ordinary Chinese words there are, and how they sound.
#[derive(Debug)]
pub(super) struct Chinese {
    /// The syllable of each Han character, as packs have it.
    pub(super) sounds: Vec<u16>,
    /// By their syllables.
    words: Vec<([u16; 2], [char; 2])>,
}

impl Chinese {
    pub(super) fn new() -> Chinese {
        let sounds: Vec<u16> = SOUNDS.chunks_exact(2).map(|half| u16::from_le_bytes([half[0], half[1]])).collect();
        let sound = |han: char| sounds::of_han(&sounds, han as u32);
        let mut words: Vec<_> = pairs().filter_map(|pair| Some(([sound(pair[0])?, sound(pair[1])?], pair))).collect();
        words.sort_unstable();
        Chinese { sounds, words }
    }

    /// The syllables of a text that is all Han.
    pub(super) fn syllables(&self, text: &str) -> Option<Vec<u16>> {
        text.chars().map(|han| sounds::of_han(&self.sounds, han as u32)).collect()
    }

    /// The ordinary words of two syllables.
    pub(super) fn of_sound(&self, syllables: [u16; 2]) -> impl Iterator<Item = [char; 2]> {
        let from = self.words.partition_point(|(sound, _)| *sound < syllables);
        self.words[from..].iter().take_while(move |(sound, _)| *sound == syllables).map(|&(_, word)| word)
    }

    pub(super) fn is_word(&self, pair: [char; 2]) -> bool {
        let syllables = pair.map(|han| sounds::of_han(&self.sounds, han as u32).unwrap_or(u16::MAX));
        self.of_sound(syllables).any(|word| word == pair)
    }
}
