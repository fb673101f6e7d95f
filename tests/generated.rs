//! Generated messages that hold everything the fold and the search treat apart: the same ones for every
//! engine and on every machine.

use tamis_guest::{Pack, TermId};

use crate::{Random, sms};

/// So many texts from the words of real SMS, the terms of the pack, and the terms in disguise.
#[must_use]
pub fn generated_texts(pack: &Pack<'_>, count: usize, random: &mut Random) -> Vec<Vec<u8>> {
    let (words, terms) = (sms(), term_texts(pack));
    let words: Vec<&str> = words.iter().flat_map(|text| text.split_whitespace()).collect();
    let terms: Vec<&str> = terms.iter().map(String::as_str).collect();
    (0..count).map(|_| generate(random, &words, &terms)).collect()
}

/// Spellings that the terms of the pack are made of.
fn term_texts(pack: &Pack<'_>) -> Vec<String> {
    let count = u32::try_from(pack.terms_count()).expect("a pack counts terms in 32 bits");
    let parts = (0..count).flat_map(|number| {
        let text = pack.term(TermId(number)).text;
        text.split(['&', '~', '{', '|', '}', '*', '\\']).map(|part| part.trim().to_owned()).collect::<Vec<_>>()
    });
    parts.filter(|part| !part.is_empty()).collect()
}

fn generate(random: &mut Random, words: &[&str], terms: &[&str]) -> Vec<u8> {
    let mut text = Vec::new();
    for _ in 0..1 + random.below(12) {
        match random.below(10) {
            0..5 => text.extend(random.pick(words).as_bytes()),
            5..7 => text.extend(random.pick(terms).as_bytes()),
            _ => {
                let term = random.pick(terms);
                disguise(random, term, &mut text);
            }
        }
        text.extend(random.pick(&[" ", " ", " ", "", ", ", "\n", ".", "　"]).as_bytes());
    }
    text
}

/// Writes a term as someone would who does not want it found, or as a broken sender would.
fn disguise(random: &mut Random, term: &str, text: &mut Vec<u8>) {
    let style = random.below(8);
    for c in term.chars() {
        let between = match style {
            0 => "\u{200B}",
            1 => ".",
            2 => " ",
            3 => "\u{301}",
            _ => "",
        };
        let styled = match style {
            4 => full_width(c),
            5 => c.to_ascii_uppercase(),
            _ => c,
        };
        let repeats = if style == 6 { 1 + random.below(3) } else { 1 };
        for _ in 0..repeats {
            text.extend(styled.to_string().as_bytes());
        }
        text.extend(between.as_bytes());
        if style == 7 && random.below(3) == 0 {
            text.extend(random.pick(&[&b"\xFF"[..], b"\xE4\xB8", b"\xF0\x9F\x98\x80", b"\0", b"\xED\xA0\x80"]));
        }
    }
}

fn full_width(c: char) -> char {
    if c.is_ascii_graphic() { char::from_u32(c as u32 + 0xFEE0).unwrap_or(c) } else { c }
}
