//! The same bytes in give the same verdict out, natively and in the sandbox: on real messages, and on
//! generated ones that hold everything the fold and the search treat apart.

use std::path::Path;

use tamis_guest::{ChannelId, Field, Message, TermId, Verdict};
use tamis_tests::{Engines, Random, read_texts, shipped_parts, sms};

/// Judges all messages by every engine, in batches of several sizes.
fn judge_all(engines: &mut Engines, messages: &[Message<'_>]) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    let mut sizes = [1, 7, 64, 200].into_iter().cycle();
    let mut rest = messages;
    while !rest.is_empty() {
        let (batch, after) = rest.split_at(sizes.next().unwrap_or(1).min(rest.len()));
        verdicts.extend(engines.judge(batch).unwrap_or_else(|difference| panic!("{difference}")));
        rest = after;
    }
    verdicts
}

fn bodies(texts: &[String]) -> Vec<Message<'_>> {
    texts.iter().map(|text| Message::body(text)).collect()
}

fn with_matches(verdicts: &[Verdict]) -> usize {
    verdicts.iter().filter(|verdict| !verdict.matches.is_empty()).count()
}

#[test]
fn on_real_messages() {
    let texts = sms();
    let verdicts = judge_all(&mut Engines::new(shipped_parts()), &bodies(&texts));
    assert_eq!(verdicts.len(), texts.len());
    let found = with_matches(&verdicts);
    assert!(0 < found && found < texts.len() / 2, "{found} of {} messages have matches", texts.len());
}

/// Runs only where there is such a corpus: none is shipped.
#[test]
fn on_the_corpus_that_tamis_corpus_names() {
    let Some(path) = std::env::var_os("TAMIS_CORPUS") else { return };
    let texts = read_texts(Path::new(&path));
    let verdicts = judge_all(&mut Engines::new(shipped_parts()), &bodies(&texts));
    println!("{} messages, {} with matches", texts.len(), with_matches(&verdicts));
    assert!(!texts.is_empty(), "TAMIS_CORPUS names an empty file");
}

#[test]
fn on_generated_messages() {
    let mut engines = Engines::new(shipped_parts());
    let terms = term_texts(&engines);
    let words = sms();
    let words: Vec<&str> = words.iter().flat_map(|text| text.split_whitespace()).collect();
    let terms: Vec<&str> = terms.iter().map(String::as_str).collect();

    let mut random = Random(20_240_601);
    let texts: Vec<Vec<u8>> = (0..10_000).map(|_| generate(&mut random, &words, &terms)).collect();
    let channels = engines.parts().policy.channels().len() + 2;
    let messages: Vec<Message<'_>> = texts
        .iter()
        .map(|text| Message {
            text,
            field: Field::ALL[random.below(Field::COUNT)],
            // Two channels more than there are: unknown ones have a verdict too.
            channel: ChannelId(u8::try_from(random.below(channels)).unwrap_or(0)),
            sender: random.pick(&["", "10086", "a sender"]).as_bytes(),
        })
        .collect();
    let verdicts = judge_all(&mut engines, &messages);
    let found = with_matches(&verdicts);
    assert!(1000 < found && found < 9900, "{found} of 10,000 messages have matches: the mix shows too little");
}

/// Spellings that the terms of the pack are made of.
fn term_texts(engines: &Engines) -> Vec<String> {
    let pack = engines.parts().pack.pack();
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
