//! Any bytes as a pack, and good packs with bytes changed under a right checksum: what decodes scans without a
//! panic; only what the compiler wrote has to give right verdicts. Input: a byte for the kind. Kind 0: the pack.
//! Kind 1: what follows a right header. Else: changes of 7 bytes, what to do, `u24` where, `u24` with what, up to
//! `0xFF`, then a message.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tamis_fuzz::reseal;
use tamis_guest::compile::{Date, ListSource, Taxonomy, Variants, compile, compile_terms_as};
use tamis_guest::{Message, Pack, PackBytes, Policy, Scanner, Verdict};

const TERMS: &str = "casino\nfree gift\n*bet*\nwin*\n*zz\n赌\n赌博\n地下赌场\nlottery&prize\nfree~fee applies\n{win|earn} cash\nlit:NaCl $5\n";

/// Packs of every kind of term.
static PACKS: LazyLock<[Vec<u8>; 3]> = LazyLock::new(|| {
    let list = "format = 1\nlist = { id = \"custom\" }\n[[group]]\ncategory = \"custom\"\nterms = \"casino\\n赌博\\na&b\\nc~d\"\nallow = [\"casino royale\", \"路口交通\"]\n";
    [
        compile_terms_as("terms.txt", TERMS, Variants::Standard).0,
        compile_terms_as("terms.txt", TERMS, Variants::Aggressive).0,
        compile(&[ListSource { path: "list.toml", text: list }], &Taxonomy::custom(), Date::from_unix_seconds(0)).0,
    ]
});

/// Of what is made of the terms every byte is changed as often as any byte of the tables behind it.
const TERMS_BYTES: usize = 16 << 10;

const MESSAGES: [&str; 5] = [
    "the casino has a free gift, a lottery and a prize at casino royale",
    "赌博 赌 赌.博 地下赌场 alphabet z z z d u b o 堵博",
    "NaCl $5 w i n cash earn  cash",
    "ffffrrrreeee fee applies gggg iii fff ttt \u{200B}\u{301} c4s1n0 getcasinonow",
    "&#99;asino %63asino 😀\u{FFFD}\u{10FFFF}aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
];

fuzz_target!(|input: &[u8]| {
    let Some((&kind, rest)) = input.split_first() else { return };
    match kind {
        0 => judge(rest, b""),
        1 => {
            let mut bytes = PACKS[0][..24].to_vec();
            bytes.extend(rest);
            let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            bytes[12..16].copy_from_slice(&length.to_le_bytes());
            reseal(&mut bytes);
            judge(&bytes, b"");
        }
        kind => {
            let mut bytes = PACKS[usize::from(kind) % 3].clone();
            let mut rest = rest;
            while let Some((&[what, a, b, c, x, y, z], after)) = rest.split_first_chunk()
                && what != 0xFF
            {
                change(&mut bytes, what, u24([a, b, c]), u24([x, y, z]));
                rest = after;
            }
            reseal(&mut bytes);
            judge(&bytes, rest.strip_prefix(&[0xFF]).unwrap_or(rest));
        }
    }
});

fn u24([a, b, c]: [u8; 3]) -> u32 {
    u32::from_le_bytes([a, b, c, 0])
}

/// Changes a byte or a word of a pack.
fn change(bytes: &mut [u8], what: u8, at: u32, value: u32) {
    let within = if what & 1 == 0 { TERMS_BYTES.min(bytes.len()) } else { bytes.len() };
    let at = at as usize % within;
    let old = bytes[at];
    let word = |bytes: &mut [u8], value: u32| {
        let at = at / 4 * 4;
        if let Some(word) = bytes.get_mut(at..at + 4) {
            word.copy_from_slice(&value.to_le_bytes());
        }
    };
    match what >> 1 & 7 {
        0 => bytes[at] = value.to_le_bytes()[0],
        1 => bytes[at] = old ^ value.to_le_bytes()[0],
        2 => bytes[at] = old.wrapping_add(1),
        3 => bytes[at] = old.wrapping_sub(1),
        4 => word(bytes, value),
        5 => word(bytes, u32::MAX - value % 8),
        6 => word(bytes, value << 8),
        _ => word(bytes, 1 << (value % 32)),
    }
}

fn judge(bytes: &[u8], message: &[u8]) {
    let bytes = PackBytes::from(bytes);
    let Ok(pack) = Pack::decode(&bytes) else { return };
    let policy = Policy::blocking(&pack);
    let mut scanner = Scanner::new(&pack);
    let mut verdict = Verdict::default();
    for text in MESSAGES.map(str::as_bytes).into_iter().chain([message]) {
        scanner.scan(&policy, &Message { text, ..Message::default() }, &mut verdict);
        for found in &verdict.matches {
            assert!(found.span.start < found.span.end && found.span.end as usize <= text.len(), "{found:?}");
            // Whatever a verdict names can be looked up.
            let term = pack.term(found.term);
            let _ = (pack.category(term.category).clauses().count(), term.list, term.text);
        }
    }
}
