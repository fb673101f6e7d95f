//! What the spam stage costs: the lists that ship with and without their model, on the messages that neither finds
//! anything in, of `tests/data/sms.jsonl`, or, where `TAMIS_DATA` names the folder of the data sets, of the UCI collection,
//! which are too many for a processor to foresee from round to round. Checked: the model is sure of none of them.

use std::path::Path;

use criterion::{Criterion, Throughput};
use serde::Deserialize;
use tamis_guest::compile::Protected;
use tamis_guest::{Message, Pack, PackBytes, Policy, Scanner, Verdict};
use tamis_host::ListFolder;

#[derive(Deserialize)]
struct Line {
    text: String,
}

fn spam(criterion: &mut Criterion) {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a folder of the workspace");
    let mut folder = ListFolder::read(&workspace.join("wordlists")).unwrap_or_else(|error| panic!("{error}"));
    let with_model = PackBytes::from(folder.compile(&Protected::default()).0);
    folder.model = None;
    let without = PackBytes::from(folder.compile(&Protected::default()).0);
    let messages = match std::env::var_os("TAMIS_DATA") {
        Some(data) => Path::new(&data).join("en_sms_uci/dev.jsonl"),
        None => workspace.join("tests/data/sms.jsonl"),
    };
    let lines = std::fs::read_to_string(&messages).unwrap_or_else(|error| panic!("{}: {error}", messages.display()));
    let texts: Vec<String> =
        lines.lines().map(|line| serde_json::from_str::<Line>(line).expect("JSON Lines").text).collect();

    let pack = Pack::decode(&with_model).unwrap_or_else(|error| panic!("{error}"));
    let (mut scanner, policy, mut verdict) = (Scanner::new(&pack), Policy::blocking(&pack), Verdict::default());
    let clean: Vec<Message<'_>> = texts
        .iter()
        .map(|text| Message::body(text))
        .filter(|message| {
            scanner.scan(&policy, message, &mut verdict);
            verdict.matches.is_empty() && verdict.confidence.unwanted() < 500
        })
        .collect();
    assert!(clean.len() > 200, "{} of {} messages are clean", clean.len(), texts.len());

    let mut rows = criterion.benchmark_group("spam");
    rows.throughput(Throughput::Elements(clean.len() as u64));
    for (name, bytes) in [("with-model", &with_model), ("without", &without)] {
        let pack = Pack::decode(bytes).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(pack.model().is_some(), name == "with-model");
        let mut scanner = Scanner::new(&pack);
        rows.bench_function(name, |bencher| {
            bencher.iter(|| clean.iter().for_each(|message| scanner.scan(&policy, message, &mut verdict)));
        });
    }
    rows.finish();
}

tamis_benches::main!(spam);
