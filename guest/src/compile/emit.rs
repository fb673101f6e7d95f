//! Writes the pack: collects terms, chooses for each pattern the window it is found by, and lays the
//! sections out. The format is documented in [`pack`](crate::pack).

use core::cmp::Reverse;
use core::hash::{BuildHasherDefault, Hasher};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::format;
use std::string::String;
use std::vec;
use std::vec::Vec;

use bytemuck::{Zeroable as _, cast_slice};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::common::commonness;
use super::list::TermContext;
use super::misspellings::misspellings;
use super::ordinary::{self, Chinese};
use super::regex::Automata;
use super::taxonomy::Taxonomy;
use super::term::{ParsedPattern, ParsedTerm};
use super::{Variants, variants};
use crate::Evidence;
use crate::consonants;
use crate::fold::{
    CLASS_COMPUTED, CLASS_FIRST_DIGIT, CLASS_FIRST_LETTER, IGNORABLE, SEPARATOR, Script, Symbol, script, symbol,
};
use crate::leet;
use crate::letters::{Letter, Letters};
use crate::misspelt::Place;
use crate::pack::{
    CategoryRecord, END_OPEN, EntryRecord, GramRecord, HAN_PAIR, HAS_GLUED, HAS_SPACED, HEADER_BYTES, LITERAL,
    MISSPELT, PREFIX_LENGTHS, PartRecord, PatternRecord, REGEX, ROLE_EXCLUDE, RegexRecord, SECTION_ALIGN, SECTIONS,
    SENDER, START_OPEN, TermRecord, Text, UseRecord, seal,
};
use crate::pieces::{NEIGHBOUR_BEFORE, class_byte, first_neighbour, is_repeat, whole_neighbour};
use crate::search::{
    GRAMS, PREFIX, PREFIX_LETTERS_MAX, SOUND_WINDOWS, STARTS, WINDOWS, WORD, WordKey, bucket, filter_bits, hash,
    prefix_key, start_key, window_key,
};

/// How common a word is at least, in a million, for all that is known of it.
const COMMONNESS_MIN: u32 = 10;
/// A word of so many letters may be misspelt as an ordinary word in a phrase whose other words,
const TOLD_LETTERS_MIN: usize = 4;
/// common ones aside, have so many.
const TELLING_LETTERS_MIN: usize = 5;
/// Shortest word that is looked for with a letter masked.
const MASKED_LETTERS_MIN: usize = 4;
/// Shortest word that is looked for with two vowels masked.
const VOWELS_MASKED_LETTERS_MIN: usize = 6;
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
    parts: Vec<PartRecord>,
    patterns: Vec<PatternRecord>,
    /// Patterns by the hash of spelling and flags.
    known: HashMap<u64, u32, BuildHasherDefault<Hashed>>,
    /// Pattern and what finding it leads to.
    uses: Vec<(u32, UseRecord)>,
    allow_sets: u32,
    /// Hosts and the terms that name them.
    hosts: Vec<(String, u32)>,
    model: Vec<u8>,
    /// The set of ordinary words that sound like terms without a set of their own.
    homophones: Option<u32>,
    /// Made when the first term asks for it.
    chinese: Option<Chinese>,
    regexes: Vec<RegexRecord>,
    automata: Vec<u16>,
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

    pub(super) fn allow(&mut self, set: u32, parsed: &mut ParsedTerm) {
        variants::expand(parsed, Variants::Standard, &mut self.chinese);
        for pattern in &parsed.patterns {
            let number = self.pattern(pattern, None);
            self.uses.push((number, UseRecord::allowing(set)));
        }
        self.regexes(&parsed.regexes);
    }

    pub(super) fn term(&mut self, context: &TermContext, text: &str, mut parsed: ParsedTerm) {
        let anchor = rarest_part(&parsed);
        variants::expand(&mut parsed, context.variants, &mut self.chinese);
        let allow_set = self.allow_homophones(context.allow_set, &parsed);
        let regexes = core::mem::take(&mut parsed.regexes);
        let owner = to_u32(self.terms.len());
        let text = self.text(text);
        let parts_first = self.parts.len();
        let excludable = parsed.patterns.iter().any(|pattern| pattern.role == ROLE_EXCLUDE);
        let needs_parts = parsed.parts > 1 || excludable;
        for pattern in &parsed.patterns {
            let number = self.pattern(pattern, Some(text));
            if needs_parts {
                self.parts.push(PartRecord { pattern: number, role: pattern.role });
            }
            if pattern.role == anchor {
                let use_ = if needs_parts { UseRecord::anchoring(owner) } else { UseRecord::firing(owner) };
                self.uses.push((number, use_));
            }
        }
        self.terms.push(TermRecord {
            text,
            list: context.list,
            category: context.category,
            severity: context.severity,
            parts: parsed.parts,
            acts_percent: context.acts_percent,
            fields: context.fields,
            allow_set,
            parts_first: to_u32(parts_first),
            parts_count: to_u32(self.parts.len() - parts_first),
            within: if parsed.parts > 1 { context.within } else { 0 },
        });
        self.regexes(&regexes);
    }

    /// Adds the automata of regular expressions whose patterns are there.
    fn regexes(&mut self, regexes: &[Automata]) {
        for automata in regexes {
            let is = |pattern: &PatternRecord| pattern.flags == REGEX && self.spelling(pattern) == automata.source;
            let pattern = self.patterns.iter().rposition(is).map_or(u32::MAX, to_u32);
            if self.regexes.iter().all(|known| known.pattern != pattern) {
                let [ends, starts] = [&automata.ends, &automata.starts].map(|one| one.append_to(&mut self.automata));
                self.regexes.push(RegexRecord { pattern, ends, starts });
            }
        }
    }

    /// The patterns that are senders, as they are looked up.
    fn senders(&self) -> Vec<u32> {
        let is_sender = |&number: &u32| self.patterns[number as usize].flags & SENDER != 0;
        let mut senders: Vec<u32> = (0..to_u32(self.patterns.len())).filter(is_sender).collect();
        senders.sort_by_key(|&number| self.spelling(&self.patterns[number as usize]));
        senders
    }

    /// A term that no pattern makes fire, but hosts; of whatever path, if it names one.
    pub(super) fn hosts(&mut self, context: &TermContext, text: &str, hosts: impl IntoIterator<Item = String>) {
        let owner = to_u32(self.terms.len());
        self.term(context, text, ParsedTerm { parts: 1, patterns: Vec::new(), regexes: Vec::new() });
        self.hosts.extend(hosts.into_iter().map(|host| (host, owner)));
    }

    /// The model of the pack.
    pub(super) fn model(&mut self, model: &[u8]) {
        self.model = model.to_vec();
    }

    /// Allows the ordinary words that sound like a term of two characters: an homophone is a term misspelt only
    /// if it is no word. Returns the set they are in.
    fn allow_homophones(&mut self, mut set: u32, parsed: &ParsedTerm) -> u32 {
        let Some(chinese) = &self.chinese else { return set };
        let mut words: Vec<String> = Vec::new();
        for pattern in parsed.patterns.iter().filter(|pattern| pattern.folds & Evidence::SOUND.0 != 0) {
            let syllables = chinese.syllables(&pattern.spelling).and_then(|all| <[u16; 2]>::try_from(all).ok());
            let alike = syllables.into_iter().flat_map(|syllables| chinese.of_sound(syllables));
            words.extend(alike.map(|pair| pair.iter().collect()).filter(|word| *word != pattern.spelling));
        }
        for spelling in words {
            if set == u32::MAX {
                set = match self.homophones {
                    Some(set) => set,
                    None => self.allow_set(),
                };
                self.homophones = Some(set);
            }
            let word = ParsedPattern { role: 0, flags: 0, spelling, folds: 0, adds: Evidence::default() };
            let number = self.pattern(&word, None);
            self.uses.push((number, UseRecord::allowing(set)));
        }
        set
    }

    /// The number of the pattern, which is new if there is none like it.
    fn pattern(&mut self, pattern: &ParsedPattern, term: Option<Text>) -> u32 {
        let ParsedPattern { flags, folds, adds, .. } = *pattern;
        let kind = u64::from(flags) | u64::from(folds) << 8 | u64::from(adds.0) << 24;
        let key = xxh3_64_with_seed(pattern.spelling.as_bytes(), kind);
        if let Some(&number) = self.known.get(&key) {
            let known = &self.patterns[number as usize];
            let is_kind = (known.flags, known.folds, known.adds) == (flags, folds, adds.0);
            if is_kind && self.spelling(known) == pattern.spelling {
                return number;
            }
        }
        // Most terms are one plain word, spelled as their author wrote it.
        let is_own =
            |term: &Text| self.strings[term.offset as usize..][..term.length as usize] == *pattern.spelling.as_bytes();
        let text = term.filter(is_own).unwrap_or_else(|| self.text(&pattern.spelling));
        let number = to_u32(self.patterns.len());
        self.patterns.push(PatternRecord {
            text_offset: text.offset,
            text_length: u16::try_from(text.length).unwrap_or(u16::MAX),
            flags: pattern.flags,
            zero: 0,
            folds: pattern.folds,
            adds: pattern.adds.0,
            uses_first: 0,
            uses_count: 0,
        });
        self.known.insert(key, number);
        number
    }

    /// Puts the uses in the order of the patterns.
    fn order_uses(&mut self) -> Vec<UseRecord> {
        self.uses.sort_by_key(|&(pattern, _)| pattern);
        for (at, &(pattern, _)) in (0u32..).zip(&self.uses) {
            let pattern = &mut self.patterns[pattern as usize];
            if pattern.uses_count == 0 {
                pattern.uses_first = at;
            }
            pattern.uses_count += 1;
        }
        self.uses.iter().map(|&(_, use_)| use_).collect()
    }

    /// The pack's bytes; `None` if they are more than its offsets can say.
    pub(super) fn finish(mut self, origin: &str) -> Option<Vec<u8>> {
        let uses = self.order_uses();
        let index = self.index();
        let hosts = crate::urls::write(&self.hosts);
        let senders = self.senders();
        let sections: [&[u8]; SECTIONS] = [
            &self.strings,
            cast_slice(&self.categories),
            cast_slice(&self.clauses),
            cast_slice(&self.lists),
            cast_slice(&self.terms),
            cast_slice(&self.parts),
            cast_slice(&self.patterns),
            cast_slice(&uses),
            cast_slice(&index.grams),
            cast_slice(&index.filter),
            cast_slice(&index.buckets),
            cast_slice(&index.entries),
            cast_slice(&index.sounds),
            cast_slice(&index.ordinary),
            cast_slice(&senders),
            cast_slice(&self.regexes),
            cast_slice(&self.automata),
            origin.as_bytes(),
            &self.model,
            &hosts,
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
        let mut flags = [0; GRAMS];
        let mut starts: [HashSet<u64, BuildHasherDefault<Hashed>>; GRAMS] = Default::default();
        let mut letters_max = 0;
        let counts = self.count_windows();
        for (number, pattern) in (0u32..).zip(&self.patterns).filter(|(_, pattern)| is_of_letters(pattern)) {
            if pattern.flags & MISSPELT != 0 {
                for key in misspelt_keys(&words(self.spelling(pattern), pattern.flags).unwrap_or_default()) {
                    starts[key.kind].extend(start_hashes(&key.letters));
                    letters_max = letters_max.max(to_u32(key.letters.len()));
                    if key.kind == PREFIX {
                        flags[PREFIX] |= 1 << (PREFIX_LENGTHS as usize + key.letters.len().min(PREFIX_LETTERS_MAX));
                    }
                    let Key { key, offset, neighbour, kind, .. } = key;
                    keys[kind].push(EntryRecord { key, pattern: number, offset, neighbour });
                }
                continue;
            }
            let key = match words(self.spelling(pattern), pattern.flags) {
                Some(words) => rarest_word(words, pattern.folds & Evidence::MISSPELT.0 != 0),
                None => rarest_window(self.spelling(pattern), &counts),
            };
            let key_offset = key.offset;
            let sound_keys = self.sound_keys(pattern);
            starts[key.kind].extend(start_hashes(&key.letters));
            letters_max = letters_max.max(to_u32(key.letters.len()));
            if pattern.folds & Evidence::LEET.0 != 0 && key.kind == WORD {
                for letters in [with_i_as_l(&key.letters), with_digits_read(&key.letters)].into_iter().flatten() {
                    let (key, neighbour) = (word_key(&letters), key.neighbour);
                    keys[WORD].push(EntryRecord { key, pattern: number, offset: key_offset, neighbour });
                    starts[WORD].extend(start_hashes(&letters));
                }
            }
            if pattern.folds & Evidence::MISSPELT.0 != 0 && key.kind == WORD {
                flags[WORD] |= HAS_GLUED;
                for letters in masked(&key.letters) {
                    let (key, neighbour) = (word_key(&letters), key.neighbour);
                    keys[WORD].push(EntryRecord { key, pattern: number, offset: key_offset, neighbour });
                    starts[WORD].extend(start_hashes(&letters));
                }
            }
            for key in core::iter::once(key).chain(sound_keys) {
                flags[key.kind] |= if key.is_spaced { HAS_SPACED } else { 0 };
                let Key { key, offset, neighbour, kind, letters, .. } = key;
                if kind == PREFIX {
                    flags[PREFIX] |= 1 << (PREFIX_LENGTHS as usize + letters.len().min(PREFIX_LETTERS_MAX));
                }
                keys[kind].push(EntryRecord { key, pattern: number, offset, neighbour });
            }
        }

        let mut index = Index::default();
        if self.patterns.iter().any(|pattern| pattern.flags & HAN_PAIR != 0) {
            index.ordinary = ordinary::filter_of_pairs();
        }
        if SOUND_WINDOWS.iter().any(|&(kind, _)| !keys[kind].is_empty()) {
            index.sounds = self.chinese.as_ref().map(|chinese| chinese.sounds.clone()).unwrap_or_default();
        }
        for (kind, ((entries, starts), flags)) in keys.into_iter().zip(starts).zip(flags).enumerate() {
            if entries.is_empty() {
                continue;
            }
            let filter_words = entries.len().div_ceil(FILTER_KEYS_PER_WORD).next_power_of_two();
            let buckets = entries.len().next_power_of_two();
            let (filter_first, buckets_first) = (index.filter.len(), index.buckets.len());
            index.filter.resize(filter_first + filter_words, 0);
            for hash in entries.iter().map(|entry| hash(entry.key)).chain(starts) {
                let (word, bits) = filter_bits(hash, filter_words);
                index.filter[filter_first + word] |= bits;
            }
            index.add_buckets(&entries, buckets);
            index.grams[kind] = GramRecord {
                filter_first: to_u32(filter_first),
                filter_count: to_u32(filter_words),
                buckets_first: to_u32(buckets_first),
                buckets_count: to_u32(buckets),
                flags,
                letters_max,
            };
        }
        index
    }

    /// What a pattern is found by its sound by, if it may be.
    fn sound_keys(&self, pattern: &PatternRecord) -> Vec<Key> {
        if pattern.folds & Evidence::SOUND.0 == 0 {
            return Vec::new();
        }
        let spelling = self.spelling(pattern);
        let key = |sounds: &[u16], is_spaced: bool| {
            let (kind, size) = SOUND_WINDOWS.into_iter().rfind(|&(_, size)| size <= sounds.len())?;
            let key = window_key(&sounds[..size]);
            Some(Key { kind, key, offset: 0, neighbour: 0, is_spaced, letters: Vec::new() })
        };
        if let Some(syllables) = self.chinese.as_ref().and_then(|chinese| chinese.syllables(spelling)) {
            return key(&syllables, false).into_iter().collect();
        }
        let is_closed = pattern.flags & (START_OPEN | END_OPEN | LITERAL) == 0;
        let consonants = if is_closed { consonants::keys(spelling) } else { Vec::new() };
        consonants.iter().filter_map(|sounds| key(sounds, true)).collect()
    }

    /// How many patterns share each window, hashed into slots; at least 1 everywhere.
    fn count_windows(&self) -> Vec<u32> {
        let mut counts = vec![1u32; COUNT_SLOTS];
        for pattern in self.patterns.iter().filter(|pattern| is_of_letters(pattern)) {
            if !is_of_words(self.spelling(pattern), pattern.flags) {
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
    sounds: Vec<u16>,
    ordinary: Vec<u64>,
    grams: [GramRecord; GRAMS],
    filter: Vec<u64>,
    buckets: Vec<u32>,
    entries: Vec<EntryRecord>,
}

impl Index {
    /// Adds entries in the order of their buckets, those of one bucket by key and pattern, and where each bucket begins.
    fn add_buckets(&mut self, entries: &[EntryRecord], buckets: usize) {
        let base = self.entries.len();
        let mut nexts = vec![0; buckets + 1];
        for entry in entries {
            nexts[bucket(hash(entry.key), buckets) + 1] += 1;
        }
        let mut next = base;
        for start in &mut nexts {
            next += *start;
            *start = next;
        }
        self.buckets.extend(nexts.iter().map(|&start| to_u32(start)));
        self.entries.resize(base + entries.len(), EntryRecord::zeroed());
        for entry in entries {
            let next = &mut nexts[bucket(hash(entry.key), buckets)];
            self.entries[*next] = *entry;
            *next += 1;
        }
        let bucket_of = |entry: &EntryRecord| bucket(hash(entry.key), buckets);
        for of_bucket in self.entries[base..].chunk_by_mut(|a, b| bucket_of(a) == bucket_of(b)) {
            of_bucket.sort_unstable_by_key(|entry| (entry.key, entry.pattern));
        }
    }
}

/// Whether a pattern is found by its letters.
fn is_of_letters(pattern: &PatternRecord) -> bool {
    pattern.flags & (SENDER | REGEX) == 0
}

/// The part of a term that is likely to be the rarest, or else that is searched at the least cost.
fn rarest_part(parsed: &ParsedTerm) -> u32 {
    // In a billion words; of phrases as if their words came together by chance.
    let commonness = |pattern: &ParsedPattern| {
        if pattern.flags & (SENDER | REGEX) != 0 {
            return u64::MAX;
        }
        let Some(words) = words(&pattern.spelling, pattern.flags) else { return u64::from(COMMONNESS_MIN) * 1_000 };
        let word_commonness = |word: &PatternWord| commonness(&word.letters, word.is_open).max(COMMONNESS_MIN);
        words.iter().map(word_commonness).fold(1_000_000_000, |all, one| all * u64::from(one) / 1_000_000)
    };
    let letters = |pattern: &ParsedPattern| pattern.spelling.chars().filter(|&c| symbol(c as u32) > SEPARATOR).count();
    let rarity = |role: u32| {
        let alternatives = || parsed.patterns.iter().filter(|pattern| pattern.role == role);
        let commonness = alternatives().map(commonness).fold(0, u64::saturating_add);
        (Reverse(commonness), alternatives().map(letters).min())
    };
    if parsed.parts == 1 { 0 } else { (0..parsed.parts.into()).max_by_key(|&role| rarity(role)).unwrap_or(0) }
}

/// The keys of this map are hashes already.
#[derive(Debug, Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("keys are u64");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// What a pattern is found by.
struct Key {
    kind: usize,
    key: u64,
    offset: u16,
    /// The symbol after a window, or before one at the end.
    neighbour: Symbol,
    is_spaced: bool,
    /// Of a word: its folded letters.
    letters: Vec<u8>,
}

/// A word of a pattern.
struct PatternWord {
    /// Folded, repeats left out.
    letters: Vec<u8>,
    /// All of them, case folded.
    spelled: String,
    /// It may go on.
    is_open: bool,
}

impl PatternWord {
    /// How often in a million words of plain English it is looked for.
    fn commonness(&self) -> u32 {
        if !self.is_open && WORD_ENDS.contains(&&*self.spelled) {
            return u32::MAX;
        }
        commonness(&self.letters, self.is_open)
    }
}

/// The commonest words of English text, which tell nothing by themselves (the first hundred of the British National
/// Corpus, spoken part, and short forms of messages).
pub(super) const COMMON_WORDS: &str = " a about after all also am an and any are as at back be because been before but by call can come \
    could day did do does dont down even first for free from get give go going good got had has have he her here \
    him his how i if ill im in into is it its just know let like ll look make me mean more my need new no not now \
    of off oh ok on one only or other our out over people please pls really reply right said say see send she so \
    some take tell text than that the their them then there these they thing think this time to too txt two u up ur \
    us use very want was way we well were what when where which who why will with work would year yes you your 2 4 ";

/// Whether a pattern is made of words that begin and end where words do; else it must be found by windows.
fn is_of_words(spelling: &str, flags: u8) -> bool {
    let is_unspaced = |letter: Letter| matches!(script(letter.code), Script::Unspaced | Script::Hangul);
    flags & (START_OPEN | LITERAL) == 0 && (spelling.is_ascii() || !Letters::new(spelling.as_bytes()).any(is_unspaced))
}

/// The words of a pattern that is made of words; `None` for another.
fn words(spelling: &str, flags: u8) -> Option<Vec<PatternWord>> {
    if !is_of_words(spelling, flags) {
        return None;
    }
    let mut words: Vec<PatternWord> = Vec::new();
    for letter in Letters::new(spelling.as_bytes()) {
        if letter.joint || words.is_empty() {
            let (letters, spelled) = (Vec::with_capacity(spelling.len()), String::with_capacity(spelling.len()));
            words.push(PatternWord { letters, spelled, is_open: false });
        }
        let word = words.last_mut()?;
        word.spelled.extend(core::iter::repeat_n(char::from_u32(letter.code)?, letter.run as usize));
        for _ in 0..letter.run {
            let byte = class_byte(letter.class);
            if word.letters.last().is_none_or(|&last| !is_repeat(last, byte)) {
                word.letters.push(byte);
            }
        }
    }
    words.last_mut()?.is_open = flags & END_OPEN != 0;
    Some(words)
}

/// What apostrophes part from words: `can't`. In a text these are no words of their own.
const WORD_ENDS: [&str; 7] = ["t", "s", "d", "m", "ll", "re", "ve"];

/// The least common word, of two the longer one, or the one with the rarer letters; an open one counts by the letters of
/// its key. A word that may be `misspelt` may also be glued to others.
fn rarest_word(mut words: Vec<PatternWord>, misspelt: bool) -> Key {
    let prefix = |word: &PatternWord| word.letters.len().min(PREFIX_LETTERS_MAX);
    let rarity = |word: &PatternWord| {
        let used = if word.is_open { prefix(word) } else { word.spelled.len() };
        let letters: u32 = word.letters.iter().map(|&letter| letter_commonness(letter.into())).sum();
        (Reverse(word.commonness()), used, u32::MAX - letters)
    };
    let rarest = match words.len() {
        0 => return Key { kind: WORD, key: 0, offset: 0, neighbour: 0, is_spaced: true, letters: Vec::new() },
        1 => 0,
        _ => (0..words.len()).max_by_key(|&word| rarity(&words[word])).unwrap_or(0),
    };
    let beside = |beside: usize| {
        let word = words.get(beside)?;
        let first = *word.letters.first()?;
        let by_first = misspelt || word.is_open;
        Some(if by_first { first_neighbour(first) } else { whole_neighbour(word_key(&word.letters), first) })
    };
    let before = || Some(beside(rarest.checked_sub(1)?)? | NEIGHBOUR_BEFORE);
    let neighbour = beside(rarest + 1).or_else(before).unwrap_or(0);
    let word = words.swap_remove(rarest);
    let (kind, key) = match word.is_open {
        true => (PREFIX, prefix_key(&word.letters[..prefix(&word)])),
        false => (WORD, word_key(&word.letters)),
    };
    Key { kind, key, offset: to_u16(rarest), neighbour, is_spaced: true, letters: word.letters }
}

/// What a pattern is found by whose words are misspelt: what each of them may become. An ordinary word is none, unless
/// the other words of a phrase tell enough by themselves and stand beside it as they are.
fn misspelt_keys(words: &[PatternWord]) -> Vec<Key> {
    let mut keys = Vec::new();
    let weight = |word: &PatternWord| {
        let is_common = COMMON_WORDS.contains(&format!(" {} ", word.spelled));
        if is_common { 0 } else { word.letters.len() }
    };
    let all: usize = words.iter().map(weight).sum();
    for (offset, word) in words.iter().enumerate() {
        let place = match words.len() {
            _ if word.is_open => Place::Open,
            1 => Place::Alone,
            _ => Place::InPhrase,
        };
        let may_be_ordinary =
            !word.is_open && word.letters.len() >= TOLD_LETTERS_MIN && all - weight(word) >= TELLING_LETTERS_MIN;
        // Several misspellings may have one key, as repeats are left out.
        let mut by_letters: BTreeMap<Vec<u8>, bool> = BTreeMap::new();
        for misspelling in misspellings(&word.spelled, place) {
            let mut letters: Vec<u8> = Vec::new();
            for &letter in &misspelling.letters {
                let byte = class_byte(symbol(letter.into()));
                if letters.last().is_none_or(|&last| !is_repeat(last, byte)) {
                    letters.push(byte);
                }
            }
            letters.truncate(if word.is_open { PREFIX_LETTERS_MAX } else { usize::MAX });
            *by_letters.entry(letters).or_default() |= misspelling.is_ordinary;
        }
        for (letters, is_ordinary) in by_letters.into_iter().filter(|(_, is_ordinary)| !is_ordinary || may_be_ordinary)
        {
            // As repeats are left out, the word itself may have this key.
            let is_common = is_ordinary || letters == word.letters;
            let beside = |beside: usize| {
                let word = words.get(beside)?;
                let first = *word.letters.first()?;
                let by_first = !is_common || word.is_open;
                Some(if by_first { first_neighbour(first) } else { whole_neighbour(word_key(&word.letters), first) })
            };
            let before = || Some(beside(offset.checked_sub(1)?)? | NEIGHBOUR_BEFORE);
            let neighbour = beside(offset + 1).or_else(before).unwrap_or(0);
            let (kind, key) = match word.is_open {
                true => (PREFIX, prefix_key(&letters)),
                false => (WORD, word_key(&letters)),
            };
            keys.push(Key { kind, key, offset: to_u16(offset), neighbour, is_spaced: true, letters });
        }
    }
    keys
}

fn word_key(letters: &[u8]) -> u64 {
    let mut key = WordKey::default();
    letters.iter().for_each(|&letter| key.push(letter));
    key.key()
}

/// The hashes of the keys of the first letters of a word that has more than a few.
fn start_hashes(letters: &[u8]) -> impl Iterator<Item = u64> {
    let start = letters.iter().take(8).rev().fold(0, |start, &letter| start << 8 | u64::from(letter));
    let counts = STARTS.into_iter().filter(|&count| count as usize <= letters.len());
    counts.map(move |count| hash(start_key(start, count)))
}

/// A word with `l` for each `i`, repeats left out, as one of the readings of digits and signs has it.
fn with_i_as_l(letters: &[u8]) -> Option<Vec<u8>> {
    let mut written: Vec<u8> = letters.iter().map(|&letter| leet::i_as_l(letter)).collect();
    // With no `l` of its own it is found by the reading that has `i` for `1`.
    let has_both = written != letters && written.iter().any(|letter| letters.contains(letter) && leet::is_l(*letter));
    written.dedup();
    has_both.then_some(written)
}

/// A word of letters and digits as it is read where other digits in it stand for letters, which are not told from its
/// own: `win777` in `w1n777`.
fn with_digits_read(letters: &[u8]) -> Option<Vec<u8>> {
    let is_digit = |letter: &u8| (CLASS_FIRST_DIGIT..CLASS_FIRST_DIGIT + 10).contains(letter);
    let is_mixed = letters.iter().any(is_digit) && !letters.iter().all(is_digit);
    is_mixed.then(|| {
        let mut read: Vec<u8> = letters.iter().map(|&letter| leet::read_byte(letter, 0)).collect();
        read.dedup();
        read
    })
}

/// A word with one letter or two of its middle masked, or any two of its vowels; the signs in their place are no
/// letters.
fn masked(letters: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let n = letters.len();
    let one = if n >= MASKED_LETTERS_MIN { 1..n - 1 } else { 0..0 };
    let two = if n > MASKED_LETTERS_MIN { 1..n - 2 } else { 0..0 };
    let without = |from: usize, count: usize| [&letters[..from], &letters[from + count..]].concat();
    let is_vowel = move |at: &usize| {
        let letter = letters[*at].wrapping_sub(CLASS_FIRST_LETTER);
        letter < 26 && b"aeiou".contains(&(b'a' + letter))
    };
    let inner = move || (1..n.max(VOWELS_MASKED_LETTERS_MIN) - 1).filter(move |at| *at < n).filter(is_vowel);
    let vowels = inner().flat_map(move |first| {
        inner()
            .filter(move |&second| second > first + 1)
            .map(move |second| [&letters[..first], &letters[first + 1..second], &letters[second + 1..]].concat())
    });
    let vowels = vowels.filter(move |_| n >= VOWELS_MASKED_LETTERS_MIN);
    one.map(move |from| without(from, 1)).chain(two.map(move |from| without(from, 2))).chain(vowels)
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

fn rarest_window(spelling: &str, counts: &[u32]) -> Key {
    let symbols = &symbols(spelling)[..];
    let (kind, size) = window_size(symbols);
    let rarest = symbols
        .windows(size)
        .enumerate()
        .map(|(offset, window)| (offset, window_key(window), window.iter().all(|&symbol| symbol < CLASS_COMPUTED)))
        .min_by_key(|&(_, key, is_listed)| {
            let letters: u32 = (0..4).map(|place| letter_commonness(key >> (16 * place) & 0xFFFF)).sum();
            (is_listed, letters + 16 * counts[count_slot(key)].ilog2())
        });
    let (offset, key, _) = rarest.unwrap_or_default();
    // A text without such letters does not have the pattern, whatever the window.
    let is_spaced = !spelling.chars().any(|c| matches!(script(c as u32), Script::Unspaced | Script::Hangul));
    let before = offset.checked_sub(1).and_then(|before| symbols.get(before));
    let neighbour = symbols.get(offset + size).or(before).copied().unwrap_or_default();
    Key { kind, key, offset: to_u16(offset), neighbour, is_spaced, letters: Vec::new() }
}

const COUNT_SLOTS: usize = 1 << 20;

fn count_slot(key: u64) -> usize {
    hash(key) as usize % COUNT_SLOTS
}

/// How common a letter is in text, in 1/16 bits of probability: English letter frequencies (Lewand,
/// Cryptological Mathematics, 2000) for a to z, digits and other scripts rare, no letter nothing.
fn letter_commonness(class: u64) -> u32 {
    const PERMILLE: [u32; 26] =
        [82, 15, 28, 43, 127, 22, 20, 61, 70, 2, 8, 40, 24, 67, 75, 19, 1, 60, 63, 91, 28, 10, 24, 2, 20, 1];
    if class == 0 {
        return 0;
    }
    let letter = usize::try_from(class).ok().and_then(|class| PERMILLE.get(class.checked_sub(2)?).copied());
    16 * letter.unwrap_or(4).ilog2() + 8
}

fn to_u16(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}

fn to_u32(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
