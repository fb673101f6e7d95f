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
//! | buckets | `u32` each: where in the entries the hosts of a hash begin, and the end of the last |
//! | filter | Bloom filter as the crate `bloomfilter` writes it, of the XXH3-64 of hosts |
//! | endings | `u16` each: where the letters of an ending begin, and the end of the last; then the letters: common ends of hosts, with their dot |
//! | entries | owner (LEB128), number of the ending (0 = none, 255 = letters are UTF-8), count of letters before it, letters of 6 bits each |
//!
//! A million domains of ordinary length take 15 bytes each, filter and all.

use core::hash::{Hash as _, Hasher as _};

use siphasher::sip::SipHasher13;
use xxhash_rust::xxh3::xxh3_64;

/// Letters that hosts are made of, in the order of their numbers.
const LETTERS: &[u8; 39] = b"abcdefghijklmnopqrstuvwxyz0123456789-_.";
/// An entry whose letters are not of these.
const PLAIN: u8 = 255;
/// Most endings.
#[cfg(feature = "compile")]
const ENDINGS_MAX: usize = 250;
/// Hosts in a bucket, on average.
#[cfg(feature = "compile")]
const BUCKET_HOSTS: usize = 6;
/// What part of hosts that are not there the filter lets through to the buckets.
#[cfg(feature = "compile")]
const FILTER_MISTAKES: f64 = 0.01;
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
    buckets: &'p [u8],
    filter: Filter<'p>,
    endings: &'p [u8],
    entries: &'p [u8],
}

/// A Bloom filter, in place.
#[derive(Clone, Copy, Debug)]
struct Filter<'p> {
    bits: &'p [u8],
    hashes: u32,
    keys: [[u8; 16]; 2],
}

impl<'p> Filter<'p> {
    fn new(bytes: &'p [u8]) -> Option<Filter<'p>> {
        let (header, bits) = bytes.split_at_checked(FILTER_HEADER_BYTES)?;
        let (&[1], rest) = header.split_first_chunk()? else { return None };
        let (length, rest) = rest.split_first_chunk()?;
        let (hashes, rest) = rest.split_first_chunk()?;
        let (keys, []) = rest.as_chunks::<16>() else { return None };
        let hashes = u32::from_le_bytes(*hashes);
        let is_whole = u64::from_le_bytes(*length) == bits.len() as u64 && !bits.is_empty();
        (is_whole && (1..=FILTER_HASHES_MAX).contains(&hashes)).then_some(Filter {
            bits,
            hashes,
            keys: [keys[0], keys[1]],
        })
    }

    /// As `Bloom::check` of the crate has it.
    fn may_hold(&self, hash: u64) -> bool {
        let bits = self.bits.len() as u64 * 8;
        let is_set = |hash: u64| {
            let bit = (hash % bits) as usize;
            self.bits[bit / 8] & 1 << (bit % 8) != 0
        };
        let sip = |keys: &[u8; 16]| {
            let mut sip = SipHasher13::new_with_key(keys);
            hash.hash(&mut sip);
            sip.finish()
        };
        let first = sip(&self.keys[0]);
        if !is_set(first) {
            return false;
        }
        if self.hashes == 1 {
            return true;
        }
        let second = sip(&self.keys[1]);
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
        let (owners, buckets, filter) = (part(0)?, part(1)?, part(2)?);
        let (endings, entries) = (part(3)?, part(4)?);
        let is_whole = rest.is_empty() && owners.len() % 4 == 0 && buckets.len() % 4 == 0 && buckets.len() >= 8;
        let filter = Filter::new(filter)?;
        is_whole.then_some(Hosts { owners, buckets, filter, endings, entries })
    }

    /// Whether every owner, bucket and entry is in range.
    pub(crate) fn is_consistent(&self, terms_count: usize) -> bool {
        let owners_count = self.owners.len() / 4;
        let owners_known =
            (0..owners_count).all(|at| number_at(self.owners, at).is_some_and(|owner| (owner as usize) < terms_count));
        let bucket_ends = self.buckets.len() / 4;
        let mut end_before = 0;
        for number in 0..bucket_ends {
            let Some(end) = number_at(self.buckets, number) else { return false };
            let Some(mut entries) = self.entries.get(end_before..end as usize) else { return false };
            while !entries.is_empty() {
                let Some((entry, rest)) = Entry::read(entries) else { return false };
                let has_ending = matches!(entry.ending, 0 | PLAIN) || self.ending(entry.ending).is_some();
                let letters_known = entry.ending == PLAIN || (0..entry.count).all(|at| entry.letter(at).is_some());
                if entry.owner >= owners_count || !has_ending || !letters_known {
                    return false;
                }
                entries = rest;
            }
            end_before = end as usize;
        }
        owners_known && number_at(self.buckets, 0) == Some(0) && end_before == self.entries.len()
    }

    /// Calls `each` with the term of every entry for exactly this host. About 50 ns where there is none.
    pub(crate) fn look_up(&self, host: &str, mut each: impl FnMut(u32)) {
        let hash = xxh3_64(host.as_bytes());
        if !self.filter.may_hold(hash) {
            return;
        }
        let bucket = bucket(hash, self.buckets.len() / 4 - 1);
        let bounds = number_at(self.buckets, bucket).zip(number_at(self.buckets, bucket + 1));
        let entries = bounds.and_then(|(start, end)| self.entries.get(start as usize..end as usize));
        let mut entries = entries.unwrap_or_default();
        while let Some((entry, rest)) = Entry::read(entries) {
            if self.is_host(&entry, host.as_bytes())
                && let Some(term) = number_at(self.owners, entry.owner)
            {
                each(term);
            }
            entries = rest;
        }
    }

    fn is_host(&self, entry: &Entry<'_>, host: &[u8]) -> bool {
        if entry.ending == PLAIN {
            return entry.letters == host;
        }
        let ending = self.ending(entry.ending).unwrap_or_default();
        let Some(before) = host.strip_suffix(ending) else { return false };
        before.len() == entry.count && before.iter().enumerate().all(|(at, &letter)| entry.letter(at) == Some(letter))
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

/// A host in the entries.
struct Entry<'p> {
    owner: usize,
    ending: u8,
    count: usize,
    letters: &'p [u8],
}

impl<'p> Entry<'p> {
    /// Reads the entry at the start of `bytes`; gives what follows it, too.
    fn read(bytes: &'p [u8]) -> Option<(Entry<'p>, &'p [u8])> {
        let (mut owner, mut shift, mut rest) = (0usize, 0, bytes);
        loop {
            let (&byte, after) = rest.split_first()?;
            rest = after;
            owner |= usize::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                break;
            }
            shift += 7;
            if shift > 21 {
                return None;
            }
        }
        let (&[ending, count], rest) = rest.split_first_chunk()?;
        let count = usize::from(count);
        let bytes = if ending == PLAIN { count } else { (count * 6).div_ceil(8) };
        let (letters, rest) = rest.split_at_checked(bytes)?;
        Some((Entry { owner, ending, count, letters }, rest))
    }

    /// A letter of six bits.
    fn letter(&self, at: usize) -> Option<u8> {
        let (byte, bit) = (at * 6 / 8, at * 6 % 8);
        let two =
            u16::from(*self.letters.get(byte)?) | u16::from(self.letters.get(byte + 1).copied().unwrap_or(0)) << 8;
        LETTERS.get(usize::from(two >> bit & 63)).copied()
    }
}

fn number_at(bytes: &[u8], number: usize) -> Option<u32> {
    bytes.get(4 * number..)?.first_chunk().map(|four| u32::from_le_bytes(*four))
}

fn bucket(hash: u64, buckets: usize) -> usize {
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
    let mut placed: Vec<(usize, &str, usize)> = Vec::with_capacity(hosts.len());
    for (host, owner) in hosts {
        let hash = xxh3_64(host.as_bytes());
        filter.set(&hash);
        placed.push((bucket(hash, buckets_count), host, owner_numbers[owner]));
    }
    placed.sort_unstable();
    placed.dedup();

    let (mut buckets, mut entries) = (Vec::new(), Vec::new());
    let mut placed = placed.into_iter().peekable();
    for number in 0..buckets_count {
        buckets.extend((entries.len() as u32).to_le_bytes());
        while let Some((_, host, owner)) = placed.next_if(|(of, ..)| *of == number) {
            write_entry(&mut entries, host, owner, &ending_numbers);
        }
    }
    buckets.extend((entries.len() as u32).to_le_bytes());
    let mut owner_bytes = Vec::new();
    owners.iter().for_each(|owner| owner_bytes.extend(owner.to_le_bytes()));
    let (mut ending_bytes, mut place) = (Vec::new(), 2 * (endings.len() + 1));
    for length in endings.iter().map(|(ending, _)| ending.len()).chain([0]) {
        ending_bytes.extend((place as u16).to_le_bytes());
        place += length;
    }
    endings.iter().for_each(|(ending, _)| ending_bytes.extend(ending.as_bytes()));
    let parts = [owner_bytes, buckets, filter.to_bytes(), ending_bytes, entries];
    let lengths = parts.iter().flat_map(|part| (part.len() as u32).to_le_bytes());
    lengths.chain(parts.iter().flatten().copied()).collect()
}

#[cfg(feature = "compile")]
fn write_entry(
    entries: &mut alloc::vec::Vec<u8>,
    host: &str,
    owner: usize,
    endings: &std::collections::HashMap<&str, u8>,
) {
    let mut rest = owner;
    while rest > 0x7F {
        entries.push(0x80 | (rest & 0x7F) as u8);
        rest >>= 7;
    }
    entries.push(rest as u8);
    let numbers = |host: &str| -> Option<alloc::vec::Vec<usize>> {
        host.bytes().map(|letter| LETTERS.iter().position(|&known| known == letter)).collect()
    };
    let best = host.match_indices('.').find_map(|(at, _)| endings.get(&host[at..]).map(|&number| (at, number)));
    let (at, ending) = best.unwrap_or((host.len(), 0));
    let Some(letters) = numbers(&host[..at]) else {
        entries.extend([PLAIN, host.len() as u8]);
        entries.extend(host.as_bytes());
        return;
    };
    entries.extend([ending, letters.len() as u8]);
    let first = entries.len();
    entries.resize(first + (letters.len() * 6).div_ceil(8), 0);
    for (number, letter) in letters.into_iter().enumerate() {
        let (byte, bit) = (number * 6 / 8, number * 6 % 8);
        let two = letter << bit;
        entries[first + byte] |= two as u8;
        if two > 0xFF {
            entries[first + byte + 1] |= (two >> 8) as u8;
        }
    }
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
