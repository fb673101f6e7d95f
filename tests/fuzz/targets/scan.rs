//! Any terms in any variants, and any message: the terms compile to a pack, and the message has a verdict of
//! which everything holds that must. Input: a byte for the variants, terms line by line, `0xFF`, message; from
//! 128 on the byte chooses one of the packs made before, which is quicker, and the message follows at once.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tamis_fuzz::{good_pack, scan, text_and_rest, variants};
use tamis_guest::PackBytes;
use tamis_guest::compile::{Date, ListSource, Taxonomy, Variants, compile, compile_terms_as};

/// From here on the first byte of an input chooses a pack.
const PACK_FIRST: u8 = 128;

/// Terms of every kind.
const TERMS: &str = "casino\nviagra\ncan't\nfree gift\n*bet*\nwin*\n*coin\n赌博\n地下赌场\n微信\n代开发票\n도박\nカジノ\nказино\n\
                     lottery&prize\nfree~fee applies\n{win|earn} cash\nlit:NaCl $5\n13800123456\ngroße\nzz";

static PACKS: LazyLock<[PackBytes; 4]> = LazyLock::new(|| {
    let list = "format = 1\nlist = { id = \"custom\" }\n[[group]]\ncategory = \"custom\"\n\
                terms = \"casino\\n赌博\\na&b&c\\nc~d\\n*bet*\"\nallow = [\"casino royale\", \"路口交通\", \"alphabet*\"]\n";
    let in_variants = |variants| PackBytes::from(compile_terms_as("terms.txt", TERMS, variants).0);
    let of_list =
        compile(&[ListSource { path: "list.toml", text: list }], &Taxonomy::custom(), Date::from_unix_seconds(0)).0;
    let [none, standard, aggressive] = Variants::ALL.map(in_variants);
    [none, standard, aggressive, PackBytes::from(of_list)]
});

fuzz_target!(|input: &[u8]| {
    let Some((&selector, rest)) = input.split_first() else { return };
    if selector >= PACK_FIRST {
        scan(&good_pack(&PACKS[usize::from(selector) % PACKS.len()]), rest);
        return;
    }
    let (terms, message) = text_and_rest(rest);
    let (bytes, _) = compile_terms_as("terms.txt", &terms, variants(selector));
    let bytes = PackBytes::from(bytes);
    scan(&good_pack(&bytes), message);
});
