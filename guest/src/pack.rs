//! The pack: word lists compiled to flat bytes, checked once and then searched in place. Not for
//! making one; that is [`compile`](crate::compile).
//!
//! # Format, version 7 (little-endian, offsets in bytes from the start of the pack)
//!
//! | bytes | what |
//! |---|---|
//! | 0..8 | magic `tamispak` |
//! | 8..12 | format version, 6 |
//! | 12..16 | length of the whole pack |
//! | 16..24 | hash of the fold table the pack was compiled with |
//! | 24..32 | XXH3-64 of the whole pack with these eight bytes left out |
//! | 32..192 | twenty sections: offset and length of each, in the order below |
//!
//! Sections start at multiples of 64, in order, without overlap, zeros between them; lengths are
//! whole numbers of records.
//!
//! | section | record | what |
//! |---|---|---|
//! | strings | UTF-8 | texts that records point into |
//! | categories | [`CategoryRecord`] | by code |
//! | clauses | [`Text`] | clauses of the categories, one after the other |
//! | lists | [`Text`] | ids of the lists |
//! | terms | [`TermRecord`] | what an author wrote; a [`TermId`] counts these |
//! | parts | [`PartRecord`] | of terms that need more than one pattern: all of them, by role |
//! | patterns | [`PatternRecord`] | what is searched, each spelling once |
//! | uses | [`UseRecord`] | what finding a pattern leads to |
//! | grams | [`GramRecord`] | for words, prefixes, windows of 1, 2 and 4 symbols, and of 2 and 4 syllables: which slice of the next three sections |
//! | filter | `u64` | Bloom filter, two bits of one word a key: a key not in here leads to no pattern |
//! | buckets | `u32` | first entry of each hash bucket, and the end of the last |
//! | entries | [`EntryRecord`] | keys with their pattern and the place in it |
//! | sounds | `u16` | the syllable of each Han character from U+4E00 on; empty if no pattern is found by its sound |
//! | ordinary | `u64` | filter of ordinary words of two Han characters; empty if no pattern is two of them |
//! | senders | `u32` | the patterns that are senders, in the order of their spelling |
//! | regexes | [`RegexRecord`] | the patterns that are regular expressions, with their automata |
//! | automata | `u16` | tables of the automata ([`regexes`](crate::regexes) has their form) |
//! | origin | UTF-8 | free text for people: what the pack was made from |
//! | model | [`Model`] | what the spam stage weighs messages with; may be empty |
//! | hosts | [`urls`](crate::urls) | hosts that terms and lists of domains name; may be empty |
//!
//! Every offset, count and index is checked by [`Pack::decode`]; nothing after it can be out of range.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Deref;

use bytemuck::{Pod, Zeroable};
use xxhash_rust::xxh3::Xxh3;

use crate::fold::fold_table_hash;
use crate::regexes::{Automaton, Regex};
use crate::search::GRAMS;
use crate::sounds::HAN_COUNT;
use crate::spam::Model;
use crate::urls::Hosts;
use crate::{Evidence, Field, Severity};

/// The version this code reads and writes.
pub const FORMAT_VERSION: u32 = 7;
pub(crate) const MAGIC: [u8; 8] = *b"tamispak";
pub(crate) const HEADER_BYTES: usize = 192;
pub(crate) const SECTION_ALIGN: usize = 64;
const CHECKSUM_AT: usize = 24;
const SECTIONS_AT: usize = 32;
#[cfg(feature = "compile")]
pub(crate) const SECTIONS: usize = 20;
/// Longest pattern, in letters: bounds the work for one candidate.
pub(crate) const PATTERN_LETTERS_MAX: usize = 256;
/// Most parts of an `a&b` term.
pub(crate) const PARTS_MAX: usize = 8;

/// Most characters that a term may ask its parts to be within: bounds the work for one place.
pub(crate) const WITHIN_MAX: u32 = 200;

/// Number of a term in its pack.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct TermId(pub u32);

/// A text in the strings section.
#[derive(Clone, Copy, Pod, Zeroable, Debug, Default)]
#[repr(C)]
pub struct Text {
    pub(crate) offset: u32,
    pub(crate) length: u32,
}

/// Record of a category.
#[derive(Clone, Copy, Pod, Zeroable, Debug)]
#[repr(C)]
pub struct CategoryRecord {
    pub(crate) id: Text,
    pub(crate) code: u32,
    pub(crate) clauses_first: u32,
    pub(crate) clauses_count: u32,
}

/// Record of a term.
#[derive(Clone, Copy, Pod, Zeroable, Debug)]
#[repr(C)]
pub struct TermRecord {
    pub(crate) text: Text,
    pub(crate) list: u16,
    pub(crate) category: u16,
    pub(crate) severity: u8,
    /// How many parts must be in the message, 1 to 8.
    pub(crate) parts: u8,
    /// For how many percent of senders it acts: 100, or 0 for one in the shadow.
    pub(crate) acts_percent: u8,
    /// The fields it is looked for in, a bit each.
    pub(crate) fields: u8,
    /// The allow set that masks this term, or `u32::MAX`.
    pub(crate) allow_set: u32,
    /// Its slice of the parts section; empty for a term that one pattern makes fire.
    pub(crate) parts_first: u32,
    pub(crate) parts_count: u32,
    /// How many characters may be between its parts, 1 to [`WITHIN_MAX`]; 0 for any number.
    pub(crate) within: u32,
}

/// One pattern of a term that needs several.
#[derive(Clone, Copy, Pod, Zeroable, Debug)]
#[repr(C)]
pub struct PartRecord {
    pub(crate) pattern: u32,
    /// Which part, 0 to 7, or [`ROLE_EXCLUDE`].
    pub(crate) role: u32,
}

/// Record of a pattern.
#[derive(Clone, Copy, Pod, Zeroable, Debug)]
#[repr(C)]
pub struct PatternRecord {
    /// How it is spelled, without the signs of the syntax.
    pub(crate) text_offset: u32,
    pub(crate) text_length: u16,
    /// [`START_OPEN`] and so on.
    pub(crate) flags: u8,
    pub(crate) zero: u8,
    /// The evidence this pattern accepts.
    pub(crate) folds: u16,
    /// The evidence that it is: for a spelling that is not the term's own.
    pub(crate) adds: u16,
    /// Its slice of the uses section.
    pub(crate) uses_first: u32,
    pub(crate) uses_count: u32,
}

/// What finding a pattern leads to.
#[derive(Clone, Copy, Pod, Zeroable, Debug)]
#[repr(C)]
pub struct UseRecord {
    /// The use in the lowest bits, above them the number of the term or of the allow set.
    bits: u32,
}

const USE_BITS: u32 = 2;
const FIRES: u32 = 0;
const ANCHORS: u32 = 1;
const ALLOWS: u32 = 2;

impl UseRecord {
    /// The term's other parts are looked for: this is the rarest.
    #[cfg(feature = "compile")]
    pub(crate) fn anchoring(term: u32) -> UseRecord {
        UseRecord { bits: term << USE_BITS | ANCHORS }
    }

    /// The term fires.
    #[cfg(feature = "compile")]
    pub(crate) fn firing(term: u32) -> UseRecord {
        UseRecord { bits: term << USE_BITS | FIRES }
    }

    /// A match of the allow set's terms inside this is no match.
    #[cfg(feature = "compile")]
    pub(crate) fn allowing(set: u32) -> UseRecord {
        UseRecord { bits: set << USE_BITS | ALLOWS }
    }

    /// The term whose other parts are looked for.
    #[inline]
    pub(crate) fn anchored(self) -> Option<u32> {
        self.owner_if(ANCHORS)
    }

    /// The term that fires.
    #[inline]
    pub(crate) fn fired(self) -> Option<u32> {
        self.owner_if(FIRES)
    }

    /// The allow set this is of.
    #[inline]
    pub(crate) fn allow_set(self) -> Option<u32> {
        self.owner_if(ALLOWS)
    }

    /// The term that this leads to, one way or the other.
    pub(crate) fn term(self) -> Option<u32> {
        self.fired().or(self.anchored())
    }

    #[inline]
    fn owner_if(self, use_: u32) -> Option<u32> {
        (self.bits & ((1 << USE_BITS) - 1) == use_).then_some(self.bits >> USE_BITS)
    }
}

/// The pattern may start within a word.
pub(crate) const START_OPEN: u8 = 1;
/// The pattern may end within a word.
pub(crate) const END_OPEN: u8 = 2;
/// Letters are compared as they are, nothing folded.
pub(crate) const LITERAL: u8 = 4;
/// Two Han characters, which neighbouring words may make by chance: `路口交通`.
pub(crate) const HAN_PAIR: u8 = 8;
/// The sender is compared, not the text.
pub(crate) const SENDER: u8 = 16;
/// A regular expression; its spelling is for people.
pub(crate) const REGEX: u8 = 32;
/// Words of the pattern are misspelt: its keys are what they become so.
pub(crate) const MISSPELT: u8 = 64;
/// The pattern makes ordinary words with what others are glued to, and is not looked for so.
pub(crate) const UNGLUED: u8 = 128;
/// Role: the term does not fire in a message that has this.
pub(crate) const ROLE_EXCLUDE: u32 = 255;

/// Which slices of filter, buckets and entries index keys of one kind.
#[derive(Clone, Copy, Pod, Zeroable, Debug, Default)]
#[repr(C)]
pub struct GramRecord {
    pub(crate) filter_first: u32,
    /// Words of filter: a power of two, or 0 when no pattern has such a key.
    pub(crate) filter_count: u32,
    pub(crate) buckets_first: u32,
    /// How many buckets: a power of two; their section slice is one longer.
    pub(crate) buckets_count: u32,
    /// [`HAS_SPACED`], [`HAS_GLUED`], from bit [`PREFIX_LENGTHS`] on.
    pub(crate) flags: u32,
    /// Most letters a word has that is a key.
    pub(crate) letters_max: u32,
}

/// A key is all of scripts with spaces, so that text without others must be searched too.
pub(crate) const HAS_SPACED: u32 = 1;
/// A pattern is looked for within longer words that it was glued into.
pub(crate) const HAS_GLUED: u32 = 2;
/// From this bit on: how many letters keys of prefixes have, a bit for each number.
pub(crate) const PREFIX_LENGTHS: u32 = 8;

/// A key of a pattern.
#[derive(Clone, Copy, Pod, Zeroable, Debug)]
#[repr(C)]
pub struct EntryRecord {
    pub(crate) key: u64,
    pub(crate) pattern: u32,
    /// What of the pattern is before the key: symbols for windows, else words.
    pub(crate) offset: u16,
    /// The symbol of the pattern that follows a window, or is before one that ends it; 0 if there is none. For words, what
    /// [`Beside`](crate::pieces::Beside) knows of the word beside that of the key.
    pub(crate) neighbour: u16,
}

/// A regular expression.
#[derive(Clone, Copy, Pod, Zeroable, Debug)]
#[repr(C)]
pub struct RegexRecord {
    pub(crate) pattern: u32,
    /// Finds where the leftmost match ends, forwards.
    pub(crate) ends: AutomatonRecord,
    /// Finds where a match that ends there begins, backwards.
    pub(crate) starts: AutomatonRecord,
}

/// Where in the automata section an automaton is.
#[derive(Clone, Copy, Pod, Zeroable, Debug)]
#[repr(C)]
pub struct AutomatonRecord {
    pub(crate) first: u32,
    pub(crate) states: u32,
    /// Classes of bytes, the end of the text included, which is the last.
    pub(crate) classes: u32,
    /// The first of the states in which the byte before was the last of a match; these are the last states.
    pub(crate) matching_first: u32,
}

/// Why bytes are not a pack. The running pack stays as it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum DecodeError {
    /// It does not begin like a pack.
    NotAPack,
    /// Made by another version of the compiler: compile the lists again.
    Version(u32),
    /// Compiled for a filter that folds otherwise: compile the lists again.
    FoldTable,
    /// Fewer or more bytes than the header says.
    Length {
        /// Bytes the header announces.
        expected: u32,
        /// Bytes there are.
        found: usize,
    },
    /// A byte is not what it was when the pack was made.
    Checksum,
    /// The memory it lies in does not start at a multiple of 8.
    Alignment,
    /// A part of it contradicts another; names the section.
    Corrupt(&'static str),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::NotAPack => write!(f, "not a Tamis pack: it does not begin with `tamispak`"),
            DecodeError::Version(found) => {
                write!(f, "pack format {found}, but this filter reads format {FORMAT_VERSION}: compile the lists again")
            }
            DecodeError::FoldTable => {
                write!(f, "pack compiled with another fold table: compile the lists again with this version")
            }
            DecodeError::Length { expected, found } => {
                write!(f, "pack is damaged: {found} bytes where its header says {expected}; copy it again")
            }
            DecodeError::Checksum => write!(f, "pack is damaged: its checksum does not match; copy it again"),
            DecodeError::Alignment => write!(f, "pack is not aligned to 8 bytes: load it through `PackBytes`"),
            DecodeError::Corrupt(section) => {
                write!(f, "pack is inconsistent in its section `{section}`: compile the lists again")
            }
        }
    }
}

impl core::error::Error for DecodeError {}

/// The bytes of a pack in memory aligned as [`Pack::decode`] needs it.
#[derive(Clone, Debug, Default)]
pub struct PackBytes {
    words: Vec<u64>,
    length: usize,
}

impl From<&[u8]> for PackBytes {
    fn from(bytes: &[u8]) -> PackBytes {
        let mut words = vec![0u64; bytes.len().div_ceil(8)];
        bytemuck::cast_slice_mut(&mut words)[..bytes.len()].copy_from_slice(bytes);
        PackBytes { words, length: bytes.len() }
    }
}

impl From<Vec<u8>> for PackBytes {
    fn from(bytes: Vec<u8>) -> PackBytes {
        PackBytes::from(&bytes[..])
    }
}

impl Deref for PackBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.length]
    }
}

/// A category as a verdict reports it.
#[derive(Clone, Copy, Debug)]
pub struct Category<'p> {
    /// Stable id, such as `fraud.scam`.
    pub id: &'p str,
    /// Stable number, for gateways that pass numbers on.
    pub code: u32,
    pack: &'p Pack<'p>,
    record: CategoryRecord,
}

impl<'p> Category<'p> {
    /// Clauses of the agreements behind the category, such as `A:5.7(9)`.
    pub fn clauses(&self) -> impl Iterator<Item = &'p str> + use<'p> {
        let first = self.record.clauses_first as usize;
        let pack = self.pack;
        pack.clauses[first..first + self.record.clauses_count as usize].iter().map(|&text| pack.text(text))
    }
}

/// A term as a verdict reports it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Term<'p> {
    /// As its author wrote it.
    pub text: &'p str,
    /// Id of the list it stands in.
    pub list: &'p str,
    /// Index of its category in the pack; [`Pack::category`] tells more.
    pub category: usize,
    /// How bad it is.
    pub severity: Severity,
    /// For how many percent of senders it acts: 100, or 0 for one in the shadow.
    pub acts_percent: u8,
}

/// A checked pack: every offset in it is in range.
#[derive(Clone, Copy, Debug)]
pub struct Pack<'p> {
    strings: &'p [u8],
    categories: &'p [CategoryRecord],
    clauses: &'p [Text],
    lists: &'p [Text],
    pub(crate) terms: &'p [TermRecord],
    parts: &'p [PartRecord],
    pub(crate) patterns: &'p [PatternRecord],
    uses: &'p [UseRecord],
    pub(crate) grams: [Gram<'p>; GRAMS],
    pub(crate) sounds: &'p [u16],
    pub(crate) ordinary: &'p [u64],
    pub(crate) senders: &'p [u32],
    pub(crate) regexes: &'p [RegexRecord],
    automata: &'p [u16],
    origin: &'p str,
    model: Option<Model<'p>>,
    pub(crate) hosts: Option<Hosts<'p>>,
    bytes: &'p [u8],
}

/// The keys of one kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gram<'p> {
    pub(crate) filter: &'p [u64],
    pub(crate) buckets: &'p [u32],
    pub(crate) entries: &'p [EntryRecord],
    pub(crate) flags: u32,
    pub(crate) letters_max: u32,
}

impl<'p> Pack<'p> {
    /// Reads a pack without copying it. Checks everything: costs one pass over the bytes
    /// (about 0.5 ms a megabyte).
    ///
    /// # Errors
    /// Bytes that are not exactly what the compiler wrote, or were written for another version.
    pub fn decode(bytes: &'p [u8]) -> Result<Pack<'p>, DecodeError> {
        let pack = Pack::decode_layout(bytes)?;
        if checksum(bytes) != read_u64(bytes, CHECKSUM_AT) {
            return Err(DecodeError::Checksum);
        }
        pack.check_records()?;
        Ok(pack)
    }

    /// Reads a pack whose content has been checked before by [`decode`](Pack::decode), such as one that
    /// the host mapped into a sandbox. Checks the layout only. A pack that is damaged all the same can
    /// make a scan panic, which a sandbox turns into a trap; it can do nothing worse.
    ///
    /// # Errors
    /// As [`decode`](Pack::decode), as far as the layout shows it.
    pub fn decode_layout(bytes: &'p [u8]) -> Result<Pack<'p>, DecodeError> {
        if bytes.len() < HEADER_BYTES || bytes[..8] != MAGIC {
            return Err(if bytes.starts_with(&MAGIC) {
                DecodeError::Length { expected: 0, found: bytes.len() }
            } else {
                DecodeError::NotAPack
            });
        }
        match read_u32(bytes, 8) {
            FORMAT_VERSION => {}
            other => return Err(DecodeError::Version(other)),
        }
        let expected = read_u32(bytes, 12);
        if expected as usize != bytes.len() {
            return Err(DecodeError::Length { expected, found: bytes.len() });
        }
        if read_u64(bytes, 16) != fold_table_hash() {
            return Err(DecodeError::FoldTable);
        }

        let mut sections = Sections { bytes, number: 0, end: HEADER_BYTES };
        let strings = sections.records("strings")?;
        let categories = sections.records("categories")?;
        let clauses = sections.records("clauses")?;
        let lists = sections.records("lists")?;
        let terms = sections.records("terms")?;
        let parts = sections.records("parts")?;
        let patterns = sections.records("patterns")?;
        let uses = sections.records("uses")?;
        let gram_records: &[GramRecord] = sections.records("grams")?;
        let filter: &[u64] = sections.records("filter")?;
        let buckets: &[u32] = sections.records("buckets")?;
        let entries = sections.records("entries")?;
        let sounds = sections.records("sounds")?;
        let ordinary: &[u64] = sections.records("ordinary")?;
        let senders = sections.records("senders")?;
        let regexes = sections.records("regexes")?;
        let automata = sections.records("automata")?;
        let origin = sections.text("origin")?;
        let model: &[u8] = sections.records("model")?;
        let hosts: &[u8] = sections.records("hosts")?;
        if sections.end != bytes.len() {
            return Err(DecodeError::Corrupt("sections"));
        }

        let gram = |record: GramRecord| {
            let corrupt = DecodeError::Corrupt("grams");
            if record.filter_count == 0 {
                return Ok(Gram { filter: &[], buckets: &[], entries, flags: 0, letters_max: 0 });
            }
            if !record.filter_count.is_power_of_two() || !record.buckets_count.is_power_of_two() {
                return Err(corrupt);
            }
            Ok(Gram {
                filter: slice(filter, record.filter_first, record.filter_count).ok_or(corrupt)?,
                buckets: slice(buckets, record.buckets_first, record.buckets_count.wrapping_add(1)).ok_or(corrupt)?,
                entries,
                flags: record.flags,
                letters_max: record.letters_max,
            })
        };
        let model = (!model.is_empty()).then(|| Model::decode_layout(model)).transpose();
        let model = model.map_err(|_| DecodeError::Corrupt("model"))?;
        let hosts = (!hosts.is_empty())
            .then(|| Hosts::decode_layout(hosts).ok_or(DecodeError::Corrupt("hosts")))
            .transpose()?;
        let records: &[GramRecord; GRAMS] = gram_records.try_into().map_err(|_| DecodeError::Corrupt("grams"))?;
        let mut grams = [Gram { filter: &[], buckets: &[], entries, flags: 0, letters_max: 0 }; GRAMS];
        for (into, &record) in grams.iter_mut().zip(records) {
            *into = gram(record)?;
        }
        Ok(Pack {
            strings,
            categories,
            clauses,
            lists,
            terms,
            parts,
            patterns,
            uses,
            grams,
            sounds,
            ordinary,
            senders,
            regexes,
            automata,
            origin,
            model,
            hosts,
            bytes,
        })
    }

    fn check_records(&self) -> Result<(), DecodeError> {
        let check = |ok: bool, section| if ok { Ok(()) } else { Err(DecodeError::Corrupt(section)) };
        let text_ok = |text: &Text| {
            let end = text.offset.checked_add(text.length);
            let bytes = end.and_then(|end| self.strings.get(text.offset as usize..end as usize));
            bytes.is_some_and(|bytes| core::str::from_utf8(bytes).is_ok())
        };
        check(self.model.is_none_or(|model| Model::decode(model.bytes()).is_ok()), "model")?;
        check(self.hosts.is_none_or(|hosts| hosts.is_consistent(self.terms.len())), "hosts")?;
        let codes_ascend = self.categories.is_sorted_by(|a, b| a.code < b.code);
        check(codes_ascend && self.categories.len() <= usize::from(u16::MAX), "categories")?;
        check(self.lists.len() <= usize::from(u16::MAX), "lists")?;
        check(self.clauses.iter().all(text_ok), "clauses")?;
        check(self.lists.iter().all(text_ok), "lists")?;
        for category in self.categories {
            let clauses = slice(self.clauses, category.clauses_first, category.clauses_count);
            check(text_ok(&category.id) && clauses.is_some(), "categories")?;
        }
        for term in self.terms {
            let ok = text_ok(&term.text)
                && usize::from(term.list) < self.lists.len()
                && usize::from(term.category) < self.categories.len()
                && Severity::from_number(term.severity).is_some()
                && (1..=PARTS_MAX).contains(&usize::from(term.parts))
                && term.acts_percent <= 100
                && (1..1 << Field::COUNT).contains(&term.fields)
                && slice(self.parts, term.parts_first, term.parts_count).is_some()
                && (term.parts == 1 || term.parts_count > 0)
                && term.within <= WITHIN_MAX;
            check(ok, "terms")?;
        }
        let part_ok = |part: &PartRecord| (part.pattern as usize) < self.patterns.len();
        check(self.parts.iter().all(part_ok), "parts")?;
        for pattern in self.patterns {
            let text = Text { offset: pattern.text_offset, length: pattern.text_length.into() };
            let evidence = Evidence(pattern.folds | pattern.adds);
            let ok = text_ok(&text)
                && (1..=PATTERN_LETTERS_MAX).contains(&self.text(text).chars().count())
                && slice(self.uses, pattern.uses_first, pattern.uses_count).is_some()
                && Evidence::ALL.contains(evidence)
                && pattern.zero == 0;
            check(ok, "patterns")?;
        }
        for use_ in self.uses {
            let is_of_term = use_.term().is_some_and(|term| (term as usize) < self.terms.len());
            check(is_of_term || use_.allow_set().is_some(), "uses")?;
        }
        check(matches!(self.sounds.len(), 0 | HAN_COUNT), "sounds")?;
        check(self.ordinary.is_empty() || self.ordinary.len().is_power_of_two(), "ordinary")?;
        let is = |pattern: u32, flag: u8| self.patterns.get(pattern as usize).is_some_and(|one| one.flags & flag != 0);
        check(self.senders.iter().all(|&pattern| is(pattern, SENDER)), "senders")?;
        for record in self.regexes {
            check(is(record.pattern, REGEX), "regexes")?;
            check(self.regex(record).is_some_and(|regex| regex.is_consistent()), "automata")?;
        }
        for gram in &self.grams {
            let last = gram.buckets.last().is_none_or(|&end| end as usize <= gram.entries.len());
            check(gram.buckets.is_sorted() && last, "buckets")?;
            let (first, end) = match gram.buckets {
                [first, .., end] => (*first as usize, *end as usize),
                _ => continue,
            };
            let known = |entry: &EntryRecord| {
                (entry.pattern as usize) < self.patterns.len() && usize::from(entry.offset) <= PATTERN_LETTERS_MAX
            };
            check(gram.entries[first..end].iter().all(known), "entries")?;
        }
        Ok(())
    }

    /// The bytes it was read from.
    #[must_use]
    pub fn bytes(&self) -> &'p [u8] {
        self.bytes
    }

    /// The checksum in its header, which names this content.
    #[must_use]
    pub fn checksum(&self) -> u64 {
        read_u64(self.bytes, CHECKSUM_AT)
    }

    /// What the pack was made from, for people.
    #[must_use]
    pub fn origin(&self) -> &'p str {
        self.origin
    }

    /// The model that weighs messages, if the pack has one.
    #[must_use]
    pub fn model(&self) -> Option<&Model<'p>> {
        self.model.as_ref()
    }

    /// Calls `each` with the term of every `url:` term and line of a list of domains that names exactly this host, folded
    /// as [`Link::host`](crate::spam::Link) is; not with those of its parents.
    pub fn look_up_host(&self, host: &str, mut each: impl FnMut(TermId)) {
        if let Some(hosts) = self.hosts {
            hosts.look_up(host, |term| each(TermId(term)));
        }
    }

    /// How many terms there are.
    #[must_use]
    pub fn terms_count(&self) -> usize {
        self.terms.len()
    }

    /// A term by its number.
    ///
    /// # Panics
    /// If the number is of another pack and too large for this one.
    #[must_use]
    pub fn term(&self, id: TermId) -> Term<'p> {
        let record = &self.terms[id.0 as usize];
        Term {
            text: self.text(record.text),
            list: self.text(self.lists[usize::from(record.list)]),
            category: record.category.into(),
            severity: Severity::from_number(record.severity).unwrap_or(Severity::Severe),
            acts_percent: record.acts_percent,
        }
    }

    /// How many categories there are.
    #[must_use]
    pub fn categories_count(&self) -> usize {
        self.categories.len()
    }

    /// A category by its index.
    ///
    /// # Panics
    /// If the index is not below [`categories_count`](Pack::categories_count).
    #[must_use]
    pub fn category(&'p self, index: usize) -> Category<'p> {
        let record = self.categories[index];
        Category { id: self.text(record.id), code: record.code, pack: self, record }
    }

    /// What finding a pattern leads to.
    pub(crate) fn uses(&self, pattern: u32) -> &'p [UseRecord] {
        let pattern = &self.patterns[pattern as usize];
        &self.uses[pattern.uses_first as usize..][..pattern.uses_count as usize]
    }

    /// The patterns of a term that needs several, by role.
    pub(crate) fn parts(&self, term: &TermRecord) -> &'p [PartRecord] {
        &self.parts[term.parts_first as usize..][..term.parts_count as usize]
    }

    /// A regular expression, if its automata are within their section.
    pub(crate) fn regex(&self, record: &RegexRecord) -> Option<Regex<'p>> {
        let automaton = |record| Automaton::new(self.automata, record);
        Some(Regex { ends: automaton(record.ends)?, starts: automaton(record.starts)? })
    }

    /// How a pattern is spelled, in UTF-8.
    pub(crate) fn spelling(&self, pattern: &PatternRecord) -> &'p [u8] {
        &self.strings[pattern.text_offset as usize..][..pattern.text_length.into()]
    }

    fn text(&self, text: Text) -> &'p str {
        core::str::from_utf8(&self.strings[text.offset as usize..][..text.length as usize]).unwrap_or_default()
    }
}

/// Checksum of a whole pack, its own eight bytes left out.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(&bytes[..CHECKSUM_AT]);
    hash.update(&bytes[CHECKSUM_AT + 8..]);
    hash.digest()
}

/// Writes header and checksum over the first bytes of a finished pack.
#[cfg(feature = "compile")]
pub(crate) fn seal(bytes: &mut [u8], sections: &[(u32, u32); SECTIONS]) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    bytes[12..16].copy_from_slice(&length.to_le_bytes());
    bytes[16..24].copy_from_slice(&fold_table_hash().to_le_bytes());
    for (place, (offset, length)) in bytes[SECTIONS_AT..HEADER_BYTES].chunks_exact_mut(8).zip(sections) {
        place[..4].copy_from_slice(&offset.to_le_bytes());
        place[4..].copy_from_slice(&length.to_le_bytes());
    }
    let checksum = checksum(bytes);
    bytes[CHECKSUM_AT..CHECKSUM_AT + 8].copy_from_slice(&checksum.to_le_bytes());
}

fn read_u32(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |four| u32::from_le_bytes(*four))
}

fn read_u64(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |eight| u64::from_le_bytes(*eight))
}

fn slice<T>(all: &[T], first: u32, count: u32) -> Option<&[T]> {
    all.get(first as usize..)?.get(..count as usize)
}

/// Hands out the sections in order.
struct Sections<'p> {
    bytes: &'p [u8],
    number: usize,
    end: usize,
}

impl<'p> Sections<'p> {
    fn records<T: Pod>(&mut self, name: &'static str) -> Result<&'p [T], DecodeError> {
        let at = SECTIONS_AT + 8 * self.number;
        let (offset, length) = (read_u32(self.bytes, at) as usize, read_u32(self.bytes, at + 4) as usize);
        if offset != self.end.next_multiple_of(SECTION_ALIGN) {
            return Err(DecodeError::Corrupt(name));
        }
        let section = self.bytes.get(offset..).and_then(|rest| rest.get(..length));
        let section = section.ok_or(DecodeError::Corrupt(name))?;
        self.number += 1;
        self.end = offset + length;
        if length == 0 {
            return Ok(&[]);
        }
        bytemuck::try_cast_slice(section).map_err(|error| match error {
            bytemuck::PodCastError::TargetAlignmentGreaterAndInputNotAligned => DecodeError::Alignment,
            _ => DecodeError::Corrupt(name),
        })
    }

    fn text(&mut self, name: &'static str) -> Result<&'p str, DecodeError> {
        core::str::from_utf8(self.records(name)?).map_err(|_| DecodeError::Corrupt(name))
    }
}

#[cfg(target_endian = "big")]
compile_error!("packs are read in place and are little-endian");
