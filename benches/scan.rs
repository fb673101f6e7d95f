//! The scan: ours in the sandbox and natively beside crates that match bytes only, on plain texts and
//! on texts made to be slow. What each finds is checked before it is timed.
//!
//! The peers fold nothing but ASCII case, which `daachorse` gets done outside of the measured time, and
//! report matches inside of words.

use std::cell::OnceCell;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput};
use daachorse::{CharwiseDoubleArrayAhoCorasick, DoubleArrayAhoCorasick};
use tamis_benches::{Count, Definition, Input, definitions, scan_in_sandbox, scan_natively};
use tamis_guest::{Pack, Policy, Scanner, Verdict};
use tamis_host::Filter;

/// Largest list for the automaton without failure links, which takes a kilobyte a state.
const DFA_TERMS_MAX: usize = 10_100;

type Group<'c> = BenchmarkGroup<'c, WallTime>;

fn scan(criterion: &mut Criterion) {
    for group in definitions("scan").chunk_by(|a, b| a.group == b.group) {
        let mut rows = criterion.benchmark_group(&group[0].group);
        group.iter().for_each(|definition| bench(&mut rows, definition));
        rows.finish();
    }
}

fn bench(rows: &mut Group<'_>, definition: &Definition) {
    let input = &Input::new(definition);
    let expect = &definition.expect;
    rows.throughput(Throughput::ElementsAndBytes { elements: input.texts().len() as u64, bytes: input.bytes() });

    row(rows, definition, "tamis-wasm", expect.tamis, || {
        let filter = Filter::new(tamis_benches::runtime(), input.parts()).unwrap_or_else(|error| panic!("{error}"));
        let mut worker = filter.worker().unwrap_or_else(|error| panic!("{error}"));
        let (messages, mut judged) = (input.messages(), Vec::new());
        move || scan_in_sandbox(&mut worker, &messages, &mut judged)
    });
    let pack: OnceCell<Pack<'_>> = OnceCell::new();
    row(rows, definition, "tamis-native", expect.tamis, || {
        let pack = pack.get_or_init(|| input.image().pack());
        let (mut scanner, policy) = (Scanner::new(pack), Policy::blocking(pack));
        let (messages, mut verdict) = (input.messages(), Verdict::default());
        move || scan_natively(&mut scanner, &policy, &messages, &mut verdict)
    });
    if let Some(expected) = expect.aho_corasick {
        row(rows, definition, "aho-corasick", expected, || {
            let kind = match input.terms().len() {
                0..=DFA_TERMS_MAX => AhoCorasickKind::DFA,
                _ => AhoCorasickKind::ContiguousNFA,
            };
            let mut builder = AhoCorasick::builder();
            builder.kind(Some(kind)).match_kind(MatchKind::Standard).ascii_case_insensitive(true);
            let automaton = builder.build(input.terms()).unwrap_or_else(|error| panic!("{error}"));
            move || count(input.texts(), |text| automaton.find_iter(text).count())
        });
    }
    if let Some(expected) = expect.daachorse {
        row(rows, definition, "daachorse", expected, || {
            let automaton: DoubleArrayAhoCorasick<u32> =
                DoubleArrayAhoCorasick::new(lower_terms(input)).unwrap_or_else(|error| panic!("{error}"));
            let texts = lower(input.texts());
            move || count(&texts, |text| automaton.find_iter(text).count())
        });
    }
    if let Some(expected) = expect.daachorse_charwise {
        row(rows, definition, "daachorse-charwise", expected, || {
            let automaton: CharwiseDoubleArrayAhoCorasick<u32> =
                CharwiseDoubleArrayAhoCorasick::new(lower_terms(input)).unwrap_or_else(|error| panic!("{error}"));
            let texts = lower(input.texts());
            move || count(&texts, |text| automaton.find_iter(text).count())
        });
    }
}

/// Times what `build` makes, which happens only if the row is to run.
fn row<F: FnMut() -> Count>(
    rows: &mut Group<'_>,
    definition: &Definition,
    engine: &str,
    expected: Count,
    build: impl Fn() -> F,
) {
    let mut scan = None;
    rows.bench_function(BenchmarkId::new(engine, &definition.name), |bencher| {
        let scan = scan.get_or_insert_with(|| {
            let mut scan = build();
            let found = scan();
            Input::new(definition).check(engine, expected, found);
            scan
        });
        bencher.iter(scan);
    });
}

fn count(texts: &[String], matches: impl Fn(&str) -> usize) -> Count {
    let mut count = Count::default();
    texts.iter().for_each(|text| count += Count::of_message(matches(text)));
    count
}

fn lower(texts: &[String]) -> Vec<String> {
    texts.iter().map(|text| text.to_ascii_lowercase()).collect()
}

/// The terms for a peer that knows no case and refuses to have one twice.
fn lower_terms(input: &Input<'_>) -> Vec<String> {
    let mut terms = lower(input.terms());
    terms.sort_unstable();
    terms.dedup();
    terms
}

tamis_benches::main!(scan);
