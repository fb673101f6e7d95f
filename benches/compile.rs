//! Compiling: from a list as a moderator writes it to a pack. Loading the pack is in `load.rs`.

use criterion::{BenchmarkId, Criterion, Throughput};
use tamis_benches::{Input, definitions, scan_natively};
use tamis_guest::{Policy, Scanner, Verdict};

fn compile(criterion: &mut Criterion) {
    let mut rows = criterion.benchmark_group("compile");
    for definition in &definitions("compile") {
        let input = Input::new(definition);
        let list = input.terms().join("\n");
        let pack = input.image().pack();
        assert_eq!(pack.terms_count(), input.terms().len(), "{}: terms in the pack", definition.name);
        let (mut scanner, policy) = (Scanner::new(&pack), Policy::blocking(&pack));
        let found = scan_natively(&mut scanner, &policy, &input.messages(), &mut Verdict::default());
        input.check("tamis-native", definition.expect.tamis, found);

        let (elements, bytes) = (pack.terms_count() as u64, list.len() as u64);
        rows.throughput(Throughput::ElementsAndBytes { elements, bytes });
        rows.bench_function(BenchmarkId::new("list-to-pack", &definition.name), |bencher| {
            bencher.iter_with_large_drop(|| tamis_benches::pack(&list));
        });
    }
    rows.finish();
}

tamis_benches::main!(compile);
