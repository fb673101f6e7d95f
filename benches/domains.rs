//! What it costs to look a host up among a million: messages with one link each, through a list of a million domains
//! and through one of a single domain, which finds the links all the same. What the first takes longer is one look-up
//! a message. And the look-up by itself, for hosts in no order. Checked: hosts of the list are found, and no others.

use std::fmt::Write as _;
use std::path::Path;

use criterion::{Criterion, Throughput};
use tamis_guest::compile::{ListSource, Taxonomy, compile};
use tamis_guest::{Message, Pack, PackBytes, Policy, Scanner, Verdict};

const DOMAINS: usize = 1_000_000;
const MESSAGES: usize = 10_000;

/// A domain of its own for each number, as long as those of phishing are.
fn domain(number: usize) -> String {
    const PARTS: [&str; 10] =
        ["secure", "login", "bank", "pay", "track", "parcel", "bonus", "verify", "shop", "account"];
    const ENDS: [&str; 7] = ["com", "top", "xyz", "info", "icu", "net", "ru"];
    let mut rest = (number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 24;
    let mut name = format!("{}-", PARTS[number % PARTS.len()]);
    while rest > 0 {
        name.push(char::from(b'a' + (rest % 26) as u8));
        rest /= 26;
    }
    format!("{name}.{}", ENDS[number / 10 % ENDS.len()])
}

fn pack(domains: impl Iterator<Item = String>) -> PackBytes {
    let mut list = String::from("# category = fraud.phishing\n");
    domains.for_each(|domain| _ = writeln!(list, "{domain}"));
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a folder of the workspace");
    let taxonomy = std::fs::read_to_string(workspace.join("wordlists/taxonomy.toml")).expect("it ships");
    let (taxonomy, _) = Taxonomy::parse("taxonomy.toml", &taxonomy);
    let list = ListSource { path: "en/bad.domains", text: &list };
    PackBytes::from(compile(&[list], &taxonomy, tamis_host::today()).0)
}

fn domains(criterion: &mut Criterion) {
    let million = pack((0..DOMAINS).map(domain));
    let single = pack(std::iter::once("zorkblat.example".to_owned()));
    // Hosts all over the list, and as many that are not on it.
    let text = |number: usize| format!("see https://{}/x now", domain(number));
    let listed: Vec<String> = (0..MESSAGES).map(|at| text(at * (DOMAINS / MESSAGES))).collect();
    let absent: Vec<String> = (DOMAINS..DOMAINS + MESSAGES).map(text).collect();

    let mut rows = criterion.benchmark_group("domains");
    rows.throughput(Throughput::Elements(MESSAGES as u64));
    for (hosts, texts) in [("absent", &absent), ("listed", &listed)] {
        let messages: Vec<Message<'_>> = texts.iter().map(|text| Message::body(text)).collect();
        for (name, bytes) in [("a-million", &million), ("one", &single)] {
            let pack = Pack::decode(bytes).unwrap_or_else(|error| panic!("{error}"));
            let (mut scanner, policy, mut verdict) = (Scanner::new(&pack), Policy::blocking(&pack), Verdict::default());
            let mut scan = |message: &Message<'_>| {
                scanner.scan(&policy, message, &mut verdict);
                verdict.matches.len()
            };
            let found: usize = messages.iter().map(&mut scan).sum();
            let expected = if (hosts, name) == ("listed", "a-million") { MESSAGES } else { 0 };
            assert_eq!(found, expected, "{hosts}, {name}");
            rows.bench_function(format!("{hosts}/{name}"), |bencher| {
                bencher.iter(|| messages.iter().map(&mut scan).sum::<usize>());
            });
        }
    }
    let pack = Pack::decode(&million).unwrap_or_else(|error| panic!("{error}"));
    // By steps of a prime, so that neighbours in the list do not follow each other.
    let listed: Vec<String> = (0..MESSAGES).map(|at| domain(at * 7_919 % DOMAINS)).collect();
    let absent: Vec<String> = (DOMAINS..DOMAINS + MESSAGES).map(domain).collect();
    for (name, hosts, expected) in [("absent", &absent, 0), ("listed", &listed, MESSAGES)] {
        let look_up = || {
            let mut found = 0;
            hosts.iter().for_each(|host| pack.look_up_host(host, |_| found += 1));
            found
        };
        assert_eq!(look_up(), expected, "{name}");
        rows.bench_function(format!("look-up/{name}"), |bencher| bencher.iter(look_up));
    }
    rows.finish();
}

tamis_benches::main!(domains);
