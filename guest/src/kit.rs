//! The kit: what a browser loads, in one file, so that no part of it can be of another generation. Not for
//! gateways; they compile lists by themselves.
//!
//! # Format, version 1 (little-endian)
//!
//! | bytes | what |
//! |---|---|
//! | 0..8 | magic `tamiskit` |
//! | 8..12 | format version, 1 |
//! | 12..16 | length of the pack |
//! | 16..20 | length of the policy |
//! | 20..24 | length of the texts |
//! | 24..32 | XXH3-64 of the whole kit with these eight bytes left out |
//! | 32..64 | zeros |
//! | 64.. | pack, policy and texts, one after the other |
//!
//! The policy is a `u16` number of channels; for each the `u16` length of its name, and the name; then its
//! [table](crate::Policy::table). The texts are what to tell people about categories: JSON for the page, of
//! which nothing is read here.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use xxhash_rust::xxh3::Xxh3;

use crate::{Pack, Policy};

const MAGIC: [u8; 8] = *b"tamiskit";
const KIT_VERSION: u32 = 1;
const CHECKSUM_AT: usize = 24;
const HEADER_BYTES: usize = 64;

/// The parts of a kit, not yet decoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kit<'k> {
    /// The pack, for [`Pack::decode`].
    pub pack: &'k [u8],
    /// The texts for people: JSON, not checked.
    pub texts: &'k str,
    policy: &'k [u8],
}

/// Why bytes are not a kit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum KitError {
    /// It does not begin like a kit.
    NotAKit,
    /// Of another version: make it again.
    Version(u32),
    /// Fewer or more bytes than its header says.
    Length {
        /// Bytes the header announces.
        expected: u64,
        /// Bytes there are.
        found: usize,
    },
    /// A byte is not what it was when the kit was made.
    Checksum,
    /// A part of it is not what it should be; names the part.
    Corrupt(&'static str),
}

impl fmt::Display for KitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KitError::NotAKit => write!(f, "not a Tamis kit: it does not begin with `tamiskit`"),
            KitError::Version(found) => {
                write!(f, "kit format {found}, but this filter reads format {KIT_VERSION}: make the kit again")
            }
            KitError::Length { expected, found } => {
                write!(f, "kit is damaged: {found} bytes where its header says {expected}; copy it again")
            }
            KitError::Checksum => write!(f, "kit is damaged: its checksum does not match; copy it again"),
            KitError::Corrupt(part) => write!(f, "kit is inconsistent in its {part}: make the kit again"),
        }
    }
}

impl core::error::Error for KitError {}

impl<'k> Kit<'k> {
    /// Whether bytes begin like a kit.
    #[must_use]
    pub fn is_kit(bytes: &[u8]) -> bool {
        bytes.starts_with(&MAGIC)
    }

    /// Takes a kit apart, copying nothing. Costs one pass over the bytes.
    ///
    /// # Errors
    /// Bytes that are not exactly what [`kit_bytes`] wrote.
    pub fn decode(bytes: &'k [u8]) -> Result<Kit<'k>, KitError> {
        let (header, parts) = match bytes.split_at_checked(HEADER_BYTES) {
            Some((header, parts)) if Kit::is_kit(bytes) => (header, parts),
            None if Kit::is_kit(bytes) => {
                return Err(KitError::Length { expected: HEADER_BYTES as u64, found: bytes.len() });
            }
            _ => return Err(KitError::NotAKit),
        };
        let word = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        match word(8) {
            KIT_VERSION => {}
            other => return Err(KitError::Version(other)),
        }
        let lengths = [word(12), word(16), word(20)];
        let expected = HEADER_BYTES as u64 + lengths.iter().map(|&length| u64::from(length)).sum::<u64>();
        if expected != bytes.len() as u64 {
            return Err(KitError::Length { expected, found: bytes.len() });
        }
        if header[CHECKSUM_AT..CHECKSUM_AT + 8] != checksum(bytes).to_le_bytes() {
            return Err(KitError::Checksum);
        }
        let (pack, rest) = parts.split_at(lengths[0] as usize);
        let (policy, texts) = rest.split_at(lengths[1] as usize);
        let texts = core::str::from_utf8(texts).map_err(|_| KitError::Corrupt("texts"))?;
        Ok(Kit { pack, texts, policy })
    }

    /// The policy, for the pack of this kit.
    ///
    /// # Errors
    /// If it does not fit the pack.
    pub fn policy(&self, pack: &Pack<'_>) -> Result<Policy, KitError> {
        let corrupt = KitError::Corrupt("policy");
        let mut rest = self.policy;
        let mut channels = Vec::new();
        for _ in 0..take_u16(&mut rest).ok_or(corrupt)? {
            let length = take_u16(&mut rest).ok_or(corrupt)?;
            let (name, after) = rest.split_at_checked(length.into()).ok_or(corrupt)?;
            channels.push(String::from(core::str::from_utf8(name).map_err(|_| corrupt)?));
            rest = after;
        }
        let policy = Policy::from_table(pack, rest).map_err(|_| corrupt)?;
        Ok(policy.with_channels(channels))
    }
}

fn take_u16(rest: &mut &[u8]) -> Option<u16> {
    let (number, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(u16::from_le_bytes(*number))
}

/// The bytes of a kit. `None` if a part is too long for its header: 4 GiB, or 64 KiB for a channel's name.
#[must_use]
pub fn kit_bytes(pack: &[u8], policy: &Policy, texts: &str) -> Option<Vec<u8>> {
    let mut rules = u16::try_from(policy.channels().len()).ok()?.to_le_bytes().to_vec();
    for name in policy.channels() {
        rules.extend(u16::try_from(name.len()).ok()?.to_le_bytes());
        rules.extend(name.as_bytes());
    }
    rules.extend(policy.table());

    let mut bytes = MAGIC.to_vec();
    bytes.extend(KIT_VERSION.to_le_bytes());
    for length in [pack.len(), rules.len(), texts.len()] {
        bytes.extend(u32::try_from(length).ok()?.to_le_bytes());
    }
    bytes.resize(HEADER_BYTES, 0);
    for part in [pack, &rules, texts.as_bytes()] {
        bytes.extend_from_slice(part);
    }
    let checksum = checksum(&bytes);
    bytes[CHECKSUM_AT..CHECKSUM_AT + 8].copy_from_slice(&checksum.to_le_bytes());
    Some(bytes)
}

/// Checksum of a whole kit, its own eight bytes left out.
fn checksum(bytes: &[u8]) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(&bytes[..CHECKSUM_AT]);
    hash.update(&bytes[CHECKSUM_AT + 8..]);
    hash.digest()
}
