//! Loading: from the bytes of a pack to verdicts. Compiling the module, once a process, is not part of
//! it; compiling lists is in `compile.rs`.

use criterion::{BenchmarkId, Criterion, Throughput};
use tamis_benches::{Input, definitions, parts, runtime, scan_in_sandbox};
use tamis_guest::Pack;
use tamis_host::{Filter, Worker};

fn load(criterion: &mut Criterion) {
    let mut rows = criterion.benchmark_group("load");
    for definition in &definitions("load") {
        let input = Input::new(definition);
        let messages = input.messages();
        let image = input.image();
        rows.throughput(Throughput::Elements(image.pack().terms_count() as u64));
        let filter = Filter::new(runtime(), input.parts()).unwrap_or_else(|error| panic!("{error}"));
        let check = |mut worker: Worker| {
            let found = scan_in_sandbox(&mut worker, &messages, &mut Vec::new());
            input.check("tamis-wasm", definition.expect.tamis, found);
        };
        check(filter.worker().unwrap_or_else(|error| panic!("{error}")));

        rows.bench_function(BenchmarkId::new("decode", &definition.name), |bencher| {
            bencher.iter(|| Pack::decode(image.bytes()).map(|pack| pack.terms_count()));
        });
        rows.bench_function(BenchmarkId::new("first-verdict", &definition.name), |bencher| {
            bencher.iter_with_large_drop(|| {
                let pack = runtime().pack(image.bytes()).unwrap_or_else(|error| panic!("{error}"));
                let filter = Filter::new(runtime(), parts(pack)).unwrap_or_else(|error| panic!("{error}"));
                let mut worker = filter.worker().unwrap_or_else(|error| panic!("{error}"));
                scan_in_sandbox(&mut worker, &messages[..1], &mut Vec::new());
                (filter, worker)
            });
        });
        rows.bench_function(BenchmarkId::new("another-worker", &definition.name), |bencher| {
            bencher.iter_with_large_drop(|| filter.worker().unwrap_or_else(|error| panic!("{error}")));
        });
    }
    rows.finish();
}

tamis_benches::main!(load);
