//! Writes what the fuzzer begins with to `tests/fuzz/corpus`: the cases of `tests/cases`, the texts that are
//! made to be hard to scan, the lists that ship, and small changes of packs. The same files every time.

use std::fs;
use std::path::Path;

use tamis_tests::adversary::{FAMILIES, shapes};
use tamis_tests::{case_files, read_cases, workspace};

/// Parts terms from the message, as in `lib.rs` of the fuzz targets.
const PART: u8 = 0xFF;
/// From here on the first byte of a seed for `scan` chooses a pack, and the message follows.
const PACK_FIRST: u8 = 128;
/// Terms of a list that go with a text of a family.
const TERMS: usize = 8;
/// Length of the texts, in bytes: the fuzzer is for finding, not for measuring.
const TEXT_BYTES: usize = 300;

fn main() {
    let corpus = workspace().join("tests/fuzz/corpus");
    write(&corpus.join("scan"), &scan_seeds());
    write(&corpus.join("compile"), &compile_seeds());
    write(&corpus.join("pack"), &pack_seeds());
}

fn write(folder: &Path, seeds: &[Vec<u8>]) {
    fs::create_dir_all(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for (number, seed) in seeds.iter().enumerate() {
        let path = folder.join(format!("seed-{number:04}"));
        fs::write(&path, seed).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

/// A byte for the variants, terms, [`PART`], message.
fn scan_seeds() -> Vec<Vec<u8>> {
    let cases = case_files().into_iter().flat_map(|path| read_cases(&path));
    let of_cases = cases.map(|case| {
        let variants =
            ["none", "standard", "aggressive"].iter().position(|name| case.variants.as_deref() == Some(name));
        let selector = u8::try_from(variants.unwrap_or(1)).unwrap_or(1);
        [&[selector], case.terms.join("\n").as_bytes(), &[PART], case.message.as_bytes()].concat()
    });
    let shapes = shapes();
    let of_families = shapes.iter().enumerate().flat_map(|(number, shape)| {
        let selector = u8::try_from(number % 3).unwrap_or(1);
        FAMILIES.iter().zip(1..).map(move |(family, seed)| {
            let text = family.text(shape, seed, TEXT_BYTES);
            let said = String::from_utf8_lossy(&text);
            // Those that the text is about first.
            let mut terms: Vec<&String> = shape.terms.iter().collect();
            terms.sort_by_key(|term| !said.contains(term.trim_matches('*')));
            let terms: Vec<&str> = terms.iter().take(TERMS).map(|term| term.as_str()).collect();
            [&[selector], terms.join("\n").as_bytes(), &[PART], &text[..]].concat()
        })
    });
    let texts: Vec<Vec<u8>> =
        FAMILIES.iter().zip(50..).map(|(family, seed)| family.text(&shapes[3], seed, TEXT_BYTES)).collect();
    let of_packs = (PACK_FIRST..PACK_FIRST + 4)
        .flat_map(|selector| texts.iter().map(move |text| [&[selector], &text[..]].concat()));
    of_cases.chain(of_families).chain(of_packs).collect()
}

/// A byte for what the rest is read as, and the rest.
fn compile_seeds() -> Vec<Vec<u8>> {
    let read = |name: &str| {
        let path = workspace().join("wordlists").join(name);
        fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let start = |bytes: Vec<u8>| bytes[..bytes.len().min(3000)].to_vec();
    let mut seeds = Vec::new();
    for (selector, name) in
        [(0, "en/custom.toml"), (0, "en/jurisdictional.toml"), (4, "taxonomy.toml"), (5, "policy.toml")]
    {
        seeds.push([&[selector][..], &start(read(name))].concat());
    }
    let list = "format = 1\n[list]\nid = 'x'\n[defaults]\ncategory = 'custom'\nseverity = 3\nvariants = 'aggressive'\n\
                [[group]]\nterms = '''\ncasino\nfree gift # note\n'''\nallow = ['casino royale']\n[[term]]\npattern = 'a&b'\n";
    seeds.push([&[0], list.as_bytes()].concat());
    for path in case_files() {
        for case in read_cases(&path) {
            seeds.push([&[2], case.terms.join("\n").as_bytes()].concat());
            seeds.push([&[3], case.terms.join(" ").as_bytes()].concat());
        }
    }
    seeds
}

/// A byte for the kind, changes of seven bytes, `0xFF`, message.
fn pack_seeds() -> Vec<Vec<u8>> {
    let shapes = shapes();
    let pack = shapes[2].pack();
    let mut seeds = vec![vec![0], [&[0], &pack[..4096]].concat(), [&[1], &pack[24..4096]].concat()];
    // Each section's offset and length, then places all over what is made of the terms.
    let places = (32..152).step_by(4).chain((152..16 << 10).step_by(97));
    for (number, place) in places.enumerate() {
        let [a, b, c, _] = u32::try_from(place).unwrap_or(0).to_le_bytes();
        let what = u8::try_from(2 * (number % 8)).unwrap_or(0);
        let kind = 2 + u8::try_from(number % 3).unwrap_or(0);
        seeds.push(vec![kind, what, a, b, c, 1, 0, 0, PART, b'c', b'a', b's', b'i', b'n', b'o']);
    }
    seeds
}
