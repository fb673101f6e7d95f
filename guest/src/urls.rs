//! Hosts that `url:` terms and lists of domains name: a Bloom filter in front, then the host itself,
//! letter by letter, so that the filter's mistakes never show. Read in place. Not for finding links in a
//! text; that is [`spam`](crate::spam).
//!
//! # The section `hosts` of a pack (little-endian); empty if the lists name no host
//!
//! | bytes | what |
//! |---|---|
//! | 4 each | lengths of the five parts below |
//! | owners | `u32` each: terms that name hosts |
//! | starts | `u32` each: where in the buckets those of a hash begin, and the end of the last |
//! | filter | Bloom filter as the crate `bloomfilter` writes it, of the XXH3-64 of hosts |
//! | endings | `u16` each: where the letters of an ending begin, and the end of the last; then the letters: common ends of hosts, with their dot |
//! | buckets | see below |
//!
//! A bucket has the hosts of a few hashes, so that one that is listed is found with a look at one place:
//!
//! | bytes | what |
//! |---|---|
//! | 1 | how many hosts, below 255; 255 if the next four bytes (`u32`) say it |
//! | 1 each | last byte of their hash |
//! | 1 each | bytes of their letters |
//! | each host | owner, in as many bytes as the last owner needs, none for one owner; number of its ending (0 = none, 255 = letters are UTF-8); letters before the ending, of 6 bits each |
//!
//! A million domains of ordinary length take 15 bytes each, filter and all.

use core::hash::Hasher as _;

use siphasher::sip::SipHasher13;
use xxhash_rust::xxh3::xxh3_64;

/// Numbers of the letters that hosts are made of; for others, more than six bits.
const NUMBERS: [u32; 256] = {
    let letters = b"abcdefghijklmnopqrstuvwxyz0123456789-_.";
    let (mut numbers, mut at) = ([u32::MAX; 256], 0);
    while at < letters.len() {
        numbers[letters[at] as usize] = at as u32;
        at += 1;
    }
    numbers
};
/// Stands for no letter.
const NO_LETTER: u32 = 63;
/// The ending of a host whose letters are not of these.
const PLAIN: u8 = 255;
/// As many hosts in a bucket do not fit into a byte.
const MANY: u8 = 255;
/// Most endings.
#[cfg(feature = "compile")]
const ENDINGS_MAX: usize = 250;
/// Hosts in a bucket, on average.
#[cfg(feature = "compile")]
const BUCKET_HOSTS: usize = 8;
/// What part of hosts that are not there the filter lets through to the buckets.
#[cfg(feature = "compile")]
const FILTER_MISTAKES: f64 = 0.05;
/// Keys of the filter's hashes: any will do, the same for all packs.
#[cfg(feature = "compile")]
const FILTER_SEED: &[u8; 32] = b"tamis hosts, a drum of fine mesh";

const HEADER_BYTES: usize = 20;
/// The filter's own header: version, length, number of hashes, their keys.
const FILTER_HEADER_BYTES: usize = 45;
/// More hashes than any filter has that was made for its size.
const FILTER_HASHES_MAX: u32 = 32;

/// The hosts of a pack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hosts<'p> {
    owners: &'p [u8],
    starts: &'p [u8],
    filter: Filter<'p>,
    endings: &'p [u8],
    buckets: &'p [u8],
}

/// A Bloom filter, in place.
#[derive(Clone, Copy, Debug)]
struct Filter<'p> {
    bits: &'p [u8],
    hashes: u32,
    keys: [[u64; 2]; 2],
}

impl<'p> Filter<'p> {
    fn new(bytes: &'p [u8]) -> Option<Filter<'p>> {
        let (header, bits) = bytes.split_at_checked(FILTER_HEADER_BYTES)?;
        let (&[1], rest) = header.split_first_chunk()? else { return None };
        let (length, rest) = rest.split_first_chunk()?;
        let (hashes, rest) = rest.split_first_chunk()?;
        let (keys, []) = rest.as_chunks::<8>() else { return None };
        let key = |at: usize| keys.get(at).map(|key| u64::from_le_bytes(*key));
        let hashes = u32::from_le_bytes(*hashes);
        let is_whole = u64::from_le_bytes(*length) == bits.len() as u64 && !bits.is_empty();
        (is_whole && (1..=FILTER_HASHES_MAX).contains(&hashes)).then_some(Filter {
            bits,
            hashes,
            keys: [[key(0)?, key(1)?], [key(2)?, key(3)?]],
        })
    }

    /// As `Bloom::check` of the crate has it.
    fn may_hold(&self, hash: u64) -> bool {
        let bits = self.bits.len() as u64 * 8;
        let is_set = |hash: u64| {
            let bit = (hash % bits) as usize;
            self.bits[bit / 8] & 1 << (bit % 8) != 0
        };
        let sip = |[key, other]: [u64; 2]| {
            let mut sip = SipHasher13::new_with_keys(key, other);
            sip.write_u64(hash);
            sip.finish()
        };
        let first = sip(self.keys[0]);
        if !is_set(first) {
            return false;
        }
        if self.hashes == 1 {
            return true;
        }
        let second = sip(self.keys[1]);
        is_set(second)
            && (2..u64::from(self.hashes))
                .all(|number| is_set(first.wrapping_add(number.wrapping_mul(second)) % 0xFFFF_FFFF_FFFF_FFC5))
    }
}

impl<'p> Hosts<'p> {
    /// Reads the section's layout. `None` if its parts are not what its header says.
    pub(crate) fn decode_layout(bytes: &'p [u8]) -> Option<Hosts<'p>> {
        let (header, mut rest) = bytes.split_at_checked(HEADER_BYTES)?;
        let mut part = |number: usize| {
            let (part, after) = rest.split_at_checked(number_at(header, number)? as usize)?;
            rest = after;
            Some(part)
        };
        let (owners, starts, filter) = (part(0)?, part(1)?, part(2)?);
        let (endings, buckets) = (part(3)?, part(4)?);
        let is_whole = rest.is_empty() && owners.len() % 4 == 0 && starts.len() % 4 == 0 && starts.len() >= 8;
        let filter = Filter::new(filter)?;
        is_whole.then_some(Hosts { owners, starts, filter, endings, buckets })
    }

    /// Whether every owner, bucket and host is in range.
    pub(crate) fn is_consistent(&self, terms_count: usize) -> bool {
        let owners_count = self.owners.len() / 4;
        let owners_known =
            (0..owners_count).all(|at| number_at(self.owners, at).is_some_and(|owner| (owner as usize) < terms_count));
        let mut end_before = 0;
        for number in 0..self.starts.len() / 4 {
            let Some(end) = number_at(self.starts, number) else { return false };
            let Some(bucket) = self.buckets.get(end_before..end as usize) else { return false };
            let Some(bucket) = Bucket::read(bucket, owner_bytes(owners_count)).filter(Bucket::is_whole) else {
                return false;
            };
            let is_known = |entry: Entry<'_>| {
                entry.owner < owners_count && (entry.ending == PLAIN || self.ending(entry.ending).is_some())
            };
            if !bucket.entries(|_| true).all(|entry| entry.is_some_and(is_known)) {
                return false;
            }
            end_before = end as usize;
        }
        owners_known && number_at(self.starts, 0) == Some(0) && end_before == self.buckets.len()
    }

    /// Calls `each` with the term of every entry for exactly this host. About 20 ns where there is none, 80 where there
    /// is one.
    pub(crate) fn look_up(&self, host: &str, mut each: impl FnMut(u32)) {
        let hash = xxh3_64(host.as_bytes());
        if !self.filter.may_hold(hash) {
            return;
        }
        let number = bucket_of(hash, self.starts.len() / 4 - 1);
        let bounds = number_at(self.starts, number).zip(number_at(self.starts, number + 1));
        let bucket = bounds.and_then(|(start, end)| self.buckets.get(start as usize..end as usize));
        let bucket = bucket.and_then(|bucket| Bucket::read(bucket, owner_bytes(self.owners.len() / 4)));
        let Some(bucket) = bucket else { return };
        for entry in bucket.entries(|tag| tag == hash as u8).flatten() {
            if self.is_host(&entry, host.as_bytes())
                && let Some(term) = number_at(self.owners, entry.owner)
            {
                each(term);
            }
        }
    }

    fn is_host(&self, entry: &Entry<'_>, host: &[u8]) -> bool {
        if entry.ending == PLAIN {
            return entry.letters == host;
        }
        let ending = self.ending(entry.ending).unwrap_or_default();
        host.strip_suffix(ending).is_some_and(|before| is_written(before, entry.letters))
    }

    /// The ending of that number; 0 is none.
    fn ending(&self, number: u8) -> Option<&'p [u8]> {
        let place =
            |at: usize| self.endings.get(2 * at..)?.first_chunk().map(|two| usize::from(u16::from_le_bytes(*two)));
        match number.checked_sub(1) {
            None => Some(&[]),
            Some(at) => self.endings.get(place(at.into())?..place(usize::from(at) + 1)?),
        }
    }
}

/// The hosts of a few hashes.
struct Bucket<'p> {
    tags: &'p [u8],
    sizes: &'p [u8],
    entries: &'p [u8],
    owner_bytes: usize,
}

/// A host in a bucket.
struct Entry<'p> {
    owner: usize,
    ending: u8,
    letters: &'p [u8],
}

impl<'p> Bucket<'p> {
    #[inline]
    fn read(bytes: &'p [u8], owner_bytes: usize) -> Option<Bucket<'p>> {
        let (count, rest) = match bytes {
            [] => (0, bytes),
            [MANY, rest @ ..] => (number_at(rest, 0)? as usize, &rest[4..]),
            [count, rest @ ..] => (usize::from(*count), rest),
        };
        let (tags, rest) = rest.split_at_checked(count)?;
        let (sizes, entries) = rest.split_at_checked(count)?;
        Some(Bucket { tags, sizes, entries, owner_bytes })
    }

    /// Whether its entries are all of it.
    fn is_whole(&self) -> bool {
        let bytes = |size: &u8| self.owner_bytes + 1 + usize::from(*size);
        self.sizes.iter().map(bytes).sum::<usize>() == self.entries.len()
    }

    /// The hosts with such a last byte of their hash; `None` where one is cut off.
    #[inline]
    fn entries(&self, has_tag: impl Fn(u8) -> bool) -> impl Iterator<Item = Option<Entry<'p>>> {
        let (entries, owner_bytes) = (self.entries, self.owner_bytes);
        let mut at = 0;
        self.tags.iter().zip(self.sizes).filter_map(move |(&tag, &size)| {
            let start = at;
            at += owner_bytes + 1 + usize::from(size);
            has_tag(tag).then(|| entries.get(start..at).and_then(|entry| Entry::read(entry, owner_bytes)))
        })
    }
}

impl<'p> Entry<'p> {
    #[inline]
    fn read(bytes: &'p [u8], owner_bytes: usize) -> Option<Entry<'p>> {
        let (owner, rest) = bytes.split_at_checked(owner_bytes)?;
        let (&ending, letters) = rest.split_first()?;
        let owner = owner.iter().rev().fold(0, |owner, &byte| owner << 8 | usize::from(byte));
        Some(Entry { owner, ending, letters })
    }
}

/// Up to four letters in 24 bits, the first in the lowest; more bits if one is none that hosts are made of.
#[inline]
fn four_letters(letters: &[u8]) -> u32 {
    let number = |at: usize| letters.get(at).map_or(NO_LETTER, |&letter| NUMBERS[usize::from(letter)]);
    number(0) | number(1) << 6 | number(2) << 12 | number(3) << 18
}

/// Whether these letters were written so.
#[inline]
fn is_written(letters: &[u8], written: &[u8]) -> bool {
    let (fours, rest) = letters.as_chunks::<4>();
    let (threes, rest_written) = written.as_chunks::<3>();
    let are_fours = fours.len() <= threes.len()
        && fours.iter().zip(threes).all(|(four, &[a, b, c])| four_letters(four) == u32::from_le_bytes([a, b, c, 0]));
    // Three letters take as many bytes as four.
    let last = threes.get(fours.len()).map_or(rest_written, |three| three);
    let mut number = [0; 4];
    number[..last.len()].copy_from_slice(last);
    // Of bits that stand for no letter, only those that fill a byte were written.
    let bits = 0xFF00_0000 | ((1 << (8 * last.len())) - 1);
    let is_rest = rest.is_empty() && last.is_empty() || four_letters(rest) & bits == u32::from_le_bytes(number);
    are_fours && is_rest && written.len() == letters_bytes(letters.len())
}

#[cfg(feature = "compile")]
fn is_of_letters(letters: &[u8]) -> bool {
    letters.iter().all(|&letter| NUMBERS[usize::from(letter)] < NO_LETTER)
}

/// Bytes that so many letters take.
fn letters_bytes(letters: usize) -> usize {
    (letters * 6).div_ceil(8)
}

/// Bytes that an owner takes, of so many.
fn owner_bytes(owners: usize) -> usize {
    (usize::BITS - owners.saturating_sub(1).leading_zeros()).div_ceil(8) as usize
}

fn number_at(bytes: &[u8], number: usize) -> Option<u32> {
    bytes.get(4 * number..)?.first_chunk().map(|four| u32::from_le_bytes(*four))
}

fn bucket_of(hash: u64, buckets: usize) -> usize {
    (((hash >> 32) * buckets as u64) >> 32) as usize
}

/// Writes the section for hosts and the terms that name them. A host may be there for several terms.
#[cfg(feature = "compile")]
pub(crate) fn write(hosts: &[(alloc::string::String, u32)]) -> alloc::vec::Vec<u8> {
    use alloc::vec::Vec;
    use std::collections::{BTreeMap, HashMap};

    if hosts.is_empty() {
        return Vec::new();
    }
    // Owners with the most hosts get the shortest numbers.
    let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
    // What each end of hosts would save.
    let mut savings: HashMap<&str, usize> = HashMap::new();
    for (host, owner) in hosts {
        *counts.entry(*owner).or_default() += 1;
        for (at, _) in host.match_indices('.') {
            *savings.entry(&host[at..]).or_default() += host.len() - at;
        }
    }
    let mut owners: Vec<u32> = counts.keys().copied().collect();
    owners.sort_by_key(|owner| (core::cmp::Reverse(counts[owner]), *owner));
    let owner_numbers: HashMap<u32, usize> =
        owners.iter().enumerate().map(|(number, &owner)| (owner, number)).collect();
    let mut endings: Vec<(&str, usize)> = savings.into_iter().filter(|(ending, _)| ending.is_ascii()).collect();
    endings.sort_by_key(|&(ending, saving)| (core::cmp::Reverse(saving), ending));
    endings.truncate(ENDINGS_MAX);
    let ending_numbers: HashMap<&str, u8> =
        endings.iter().zip(1u8..).map(|(&(ending, _), number)| (ending, number)).collect();

    let buckets_count = hosts.len().div_ceil(BUCKET_HOSTS);
    let mut filter = bloomfilter::Bloom::<u64>::new_for_fp_rate_with_seed(hosts.len(), FILTER_MISTAKES, FILTER_SEED)
        .expect("there are hosts and the rate is between 0 and 1");
    let mut placed: Vec<(usize, &str, usize, u8)> = Vec::with_capacity(hosts.len());
    for (host, owner) in hosts {
        let hash = xxh3_64(host.as_bytes());
        filter.set(&hash);
        placed.push((bucket_of(hash, buckets_count), host, owner_numbers[owner], hash as u8));
    }
    placed.sort_unstable();
    placed.dedup();

    let owner_width = owner_bytes(owners.len());
    let (mut starts, mut buckets) = (Vec::new(), Vec::new());
    let mut placed = &placed[..];
    for number in 0..buckets_count {
        starts.extend((buckets.len() as u32).to_le_bytes());
        let (here, after) = placed.split_at(placed.partition_point(|(of, ..)| *of <= number));
        placed = after;
        match u8::try_from(here.len()) {
            Ok(count) if count < MANY => buckets.push(count),
            _ => {
                buckets.push(MANY);
                buckets.extend((here.len() as u32).to_le_bytes());
            }
        }
        buckets.extend(here.iter().map(|(.., tag)| *tag));
        let sizes_at = buckets.len();
        buckets.resize(sizes_at + here.len(), 0);
        for (at, (_, host, owner, _)) in here.iter().enumerate() {
            buckets.extend(&owner.to_le_bytes()[..owner_width]);
            buckets[sizes_at + at] = write_host(&mut buckets, host, &ending_numbers);
        }
    }
    starts.extend((buckets.len() as u32).to_le_bytes());
    let owners = owners.iter().flat_map(|owner| owner.to_le_bytes()).collect();
    let (mut ending_bytes, mut place) = (Vec::new(), 2 * (endings.len() + 1));
    for length in endings.iter().map(|(ending, _)| ending.len()).chain([0]) {
        ending_bytes.extend((place as u16).to_le_bytes());
        place += length;
    }
    endings.iter().for_each(|(ending, _)| ending_bytes.extend(ending.as_bytes()));
    let parts: [Vec<u8>; 5] = [owners, starts, filter.to_bytes(), ending_bytes, buckets];
    let lengths = parts.iter().flat_map(|part| (part.len() as u32).to_le_bytes());
    lengths.chain(parts.iter().flatten().copied()).collect()
}

/// Writes the ending and the letters of a host. Returns how many bytes the letters take.
#[cfg(feature = "compile")]
fn write_host(buckets: &mut alloc::vec::Vec<u8>, host: &str, endings: &std::collections::HashMap<&str, u8>) -> u8 {
    let best = host.match_indices('.').find_map(|(at, _)| endings.get(&host[at..]).map(|&number| (at, number)));
    let (at, ending) = best.unwrap_or((host.len(), 0));
    let letters = &host.as_bytes()[..at];
    if !is_of_letters(letters) {
        buckets.push(PLAIN);
        buckets.extend(host.as_bytes());
        return host.len() as u8;
    }
    buckets.push(ending);
    let first = buckets.len();
    letters.chunks(4).for_each(|four| buckets.extend(&four_letters(four).to_le_bytes()[..letters_bytes(four.len())]));
    (buckets.len() - first) as u8
}

#[cfg(all(test, feature = "compile"))]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::{String, ToString as _};
    use alloc::vec::Vec;

    fn found(bytes: &[u8], host: &str) -> Vec<u32> {
        let mut found = Vec::new();
        Hosts::decode_layout(bytes).expect("whole").look_up(host, |term| found.push(term));
        found.sort_unstable();
        found
    }

    #[test]
    fn hosts_are_found_exactly() {
        let mut hosts: Vec<(String, u32)> =
            (0..5000).map(|n| (format!("host-{n}.example{}.com", n % 7), n % 300)).collect();
        hosts.extend([("bücher.de".to_string(), 3), ("a_b.co".to_string(), 4), ("host-1.example1.com".to_string(), 9)]);
        let bytes = write(&hosts);
        assert!(Hosts::decode_layout(&bytes).expect("whole").is_consistent(300));
        assert!(!Hosts::decode_layout(&bytes).expect("whole").is_consistent(299));
        for (host, term) in &hosts {
            assert!(found(&bytes, host).contains(term), "{host}");
        }
        assert_eq!(found(&bytes, "host-1.example1.com"), [1, 9]);
        for n in 5000..50_000 {
            assert_eq!(found(&bytes, &format!("host-{n}.example{}.com", n % 7)), []);
        }
        for near in ["host-1.example1.co", "ost-1.example1.com", "host-1.example2.com", "", "com"] {
            assert_eq!(found(&bytes, near), [], "{near}");
        }
    }

    #[test]
    fn the_filter_is_read_as_its_crate_reads_it() {
        let mut bloom = bloomfilter::Bloom::<u64>::new_for_fp_rate_with_seed(1000, 0.05, FILTER_SEED).expect("sizes");
        (0..1000u64).for_each(|n| bloom.set(&(n * n)));
        let bytes = bloom.to_bytes();
        let filter = Filter::new(&bytes).expect("whole");
        for n in 0..20_000u64 {
            assert_eq!(filter.may_hold(n), bloom.check(&n));
        }
    }

    #[test]
    fn damaged_sections_are_noticed_or_harmless() {
        let hosts: Vec<(String, u32)> = (0..40).map(|n| (format!("h{n}.example.com"), n)).collect();
        let bytes = write(&hosts);
        for at in 0..bytes.len() {
            for bit in [1, 0x80] {
                let mut damaged = bytes.clone();
                damaged[at] ^= bit;
                if let Some(read) = Hosts::decode_layout(&damaged).filter(|read| read.is_consistent(40)) {
                    for (host, _) in &hosts {
                        read.look_up(host, |term| assert!(term < 40));
                    }
                }
            }
            assert!(Hosts::decode_layout(&bytes[..at]).is_none_or(|read| !read.is_consistent(40)));
        }
    }
}
