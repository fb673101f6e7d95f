//! The same bytes in give the same verdict out, natively and in the sandbox: on real messages, and on
//! generated ones that hold everything the fold and the search treat apart.

use std::path::Path;

use tamis_guest::{ChannelId, Field, Message, Verdict};
use tamis_tests::{Engines, Random, generated_texts, read_texts, shipped_parts, sms};

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
    let mut random = Random(20_240_601);
    let texts = generated_texts(&engines.parts().pack.pack(), 10_000, &mut random);
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
