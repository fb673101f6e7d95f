//! Packs that were damaged on the way, and packs that were forged with a right checksum. The first are
//! all refused; the second may be accepted, but then they scan.

use std::sync::LazyLock;

use proptest::prelude::*;
use tamis_guest::pack::FORMAT_VERSION;
use tamis_guest::{DecodeError, Message, Pack, PackBytes, Policy, Scanner, Verdict};
use tamis_tests::pack_of;
use xxhash_rust::xxh3::Xxh3;

/// A pack with every kind of term, and windows of all sizes.
fn pack() -> &'static [u8] {
    static PACK: LazyLock<Vec<u8>> = LazyLock::new(|| {
        pack_of(
            "casino\nfree gift\n*bet*\n赌\n赌博\nlottery&prize\nfree~fee applies\n{win|earn} cash\nlit:NaCl $5\nzz\nfrom:1069*\n\
             re:b[0-9]+\\b",
        )
    });
    &PACK
}

const MESSAGES: [&str; 6] = [
    "",
    "the casino has a free gift, a lottery and a prize",
    "赌博 赌 赌.博 alphabet z z z b12 b3",
    "NaCl $5 w i n cash earn  cash",
    "ffffrrrreeee fee applies gggg iii fff ttt \u{200B}\u{301}",
    "😀\u{FFFD}\u{10FFFF}aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
];

/// Every byte of what is made of the terms; of the tables behind that, which are the same in all packs, some.
fn places() -> impl Iterator<Item = usize> {
    const TERMS_BYTES: usize = 16 << 10;
    (0..TERMS_BYTES).chain((TERMS_BYTES..pack().len()).step_by(101))
}

fn decode(bytes: &[u8]) -> Result<(), DecodeError> {
    Pack::decode(&PackBytes::from(bytes)).map(|_| ())
}

/// Writes a right checksum over damage: XXH3-64 of all bytes but its own, at 24.
fn reseal(bytes: &mut [u8]) {
    let mut hash = Xxh3::new();
    hash.update(&bytes[..24]);
    hash.update(&bytes[32..]);
    let checksum = hash.digest().to_le_bytes();
    bytes[24..32].copy_from_slice(&checksum);
}

/// Scans with whatever decodes. Returns whether it did.
fn scan_if_it_decodes(bytes: &[u8]) -> bool {
    let bytes = PackBytes::from(bytes);
    let Ok(pack) = Pack::decode(&bytes) else { return false };
    let policy = Policy::blocking(&pack);
    let mut scanner = Scanner::new(&pack);
    let mut verdict = Verdict::default();
    for message in MESSAGES {
        scanner.scan(&policy, &Message { sender: b"10690", ..Message::body(message) }, &mut verdict);
        for found in &verdict.matches {
            let term = pack.term(found.term);
            // Whatever a verdict names can be looked up.
            let _ = (pack.category(term.category).clauses().count(), term.list, term.text);
        }
    }
    true
}

#[test]
fn the_pack_itself_is_good() {
    assert_eq!(decode(pack()), Ok(()));
    let mut resealed = pack().to_vec();
    reseal(&mut resealed);
    assert_eq!(resealed, pack(), "the checksum of these tests is not the one of packs");
}

#[test]
fn a_pack_cut_short_is_refused() {
    for end in 0..pack().len() {
        let error = decode(&pack()[..end]).expect_err("a pack cut short");
        assert!(matches!(error, DecodeError::NotAPack | DecodeError::Length { .. }), "at {end}: {error:?}");
    }
}

#[test]
fn a_pack_with_more_bytes_is_refused() {
    for more in [&b"\0"[..], b"x", &[0; 64]] {
        let error = decode(&[pack(), more].concat()).expect_err("a pack with more bytes");
        assert!(matches!(error, DecodeError::Length { .. }), "{error:?}");
    }
}

#[test]
fn every_changed_byte_is_noticed() {
    let mut bytes = pack().to_vec();
    for at in places() {
        for flip in [1, 2, 4, 8, 16, 32, 64, 128, 0xFF] {
            bytes[at] ^= flip;
            assert!(decode(&bytes).is_err(), "byte {at} ^ {flip:#x} goes unnoticed");
            bytes[at] ^= flip;
        }
    }
    assert_eq!(decode(&bytes), Ok(()), "all changes were undone");
}

#[test]
fn packs_for_another_version_or_fold_are_told_apart() {
    let changed = |at: usize| {
        let mut bytes = pack().to_vec();
        bytes[at] ^= 0x40;
        reseal(&mut bytes);
        decode(&bytes).expect_err("for another version")
    };
    assert_eq!(changed(0), DecodeError::NotAPack);
    assert_eq!(changed(8), DecodeError::Version(FORMAT_VERSION ^ 0x40));
    assert_eq!(changed(16), DecodeError::FoldTable);
    assert!(matches!(changed(32), DecodeError::Corrupt("strings")));
}

#[test]
fn every_changed_byte_with_a_right_checksum_decodes_to_something_that_scans() {
    let mut accepted = 0;
    for at in places().filter(|at| !(24..32).contains(at)) {
        for flip in [1, 0x10, 0x80, 0xFF] {
            let mut bytes = pack().to_vec();
            bytes[at] ^= flip;
            reseal(&mut bytes);
            accepted += usize::from(scan_if_it_decodes(&bytes));
        }
    }
    assert!(accepted > 100, "{accepted} forged packs decode: too few for this test to show anything");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn no_bytes_make_decoding_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(decode(&bytes).is_err());
    }

    #[test]
    fn no_bytes_behind_a_right_header_make_decoding_panic(body in prop::collection::vec(any::<u8>(), 112..600)) {
        let mut bytes = pack()[..24].to_vec();
        bytes.extend(body);
        let length = u32::try_from(bytes.len()).expect("short");
        bytes[12..16].copy_from_slice(&length.to_le_bytes());
        reseal(&mut bytes);
        let error = decode(&bytes).expect_err("sections at random places");
        prop_assert!(matches!(error, DecodeError::Corrupt(_) | DecodeError::Length { .. }), "{error:?}");
    }

    #[test]
    fn forged_packs_scan_if_they_decode(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = pack().to_vec();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        reseal(&mut bytes);
        scan_if_it_decodes(&bytes);
    }

    #[test]
    fn forged_words_scan_if_they_decode(
        changes in prop::collection::vec((any::<prop::sample::Index>(), forged_word()), 1..4),
    ) {
        let mut bytes = pack().to_vec();
        for (at, value) in changes {
            let at = 4 * at.index(bytes.len() / 4);
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        reseal(&mut bytes);
        scan_if_it_decodes(&bytes);
    }
}

/// Numbers at which arithmetic breaks, and any.
fn forged_word() -> impl Strategy<Value = u32> {
    prop_oneof![
        Just(0),
        Just(1),
        Just(u32::MAX),
        Just(u32::MAX - 1),
        Just(1 << 31),
        Just(0xFFFF),
        0u32..512,
        any::<u32>(),
    ]
}
