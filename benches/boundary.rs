//! The border of the sandbox: what a message and a call cost beside the scan itself.

use criterion::{BenchmarkId, Criterion, Throughput};
use tamis_benches::{Input, definitions, runtime, scan_in_sandbox, scan_natively};
use tamis_guest::{Policy, Scanner, Verdict};
use tamis_host::Filter;

/// Each definition's messages in one call into the sandbox, and natively; the difference is the border.
/// The time is that of the call: divide by its messages.
fn boundary(criterion: &mut Criterion) {
    let mut rows = criterion.benchmark_group("boundary");
    for definition in &definitions("boundary") {
        let input = Input::new(definition);
        let messages = input.messages();
        let expected = definition.expect.tamis;
        rows.throughput(Throughput::ElementsAndBytes { elements: messages.len() as u64, bytes: input.bytes() });

        let filter = Filter::new(runtime(), input.parts()).unwrap_or_else(|error| panic!("{error}"));
        let mut worker = filter.worker().unwrap_or_else(|error| panic!("{error}"));
        let mut judged = Vec::new();
        input.check("tamis-wasm", expected, scan_in_sandbox(&mut worker, &messages, &mut judged));
        rows.bench_function(BenchmarkId::new("tamis-wasm", &definition.name), |bencher| {
            bencher.iter(|| worker.scan(&messages, &mut judged));
        });

        let pack = input.image().pack();
        let (mut scanner, policy) = (Scanner::new(&pack), Policy::blocking(&pack));
        let mut verdict = Verdict::default();
        input.check("tamis-native", expected, scan_natively(&mut scanner, &policy, &messages, &mut verdict));
        rows.bench_function(BenchmarkId::new("tamis-native", &definition.name), |bencher| {
            bencher.iter(|| scan_natively(&mut scanner, &policy, &messages, &mut verdict));
        });
    }
    rows.finish();
}

tamis_benches::main!(boundary);
