//! Long lists of domains: every one is found however it is written, nothing else is, and they take little room. On
//! made names always; on real ones where `TAMIS_DATA` names the folder of the data sets.

#![expect(clippy::print_stdout, reason = "figures are for people")]

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use tamis_guest::compile::{Level, ListSource, Taxonomy, compile};
use tamis_guest::{Message, Pack, PackBytes, Policy, Scanner, Verdict};
use tamis_tests::{Random, workspace};

/// Most bytes that a domain takes in the pack, with everything.
const DOMAIN_BYTES_MAX: usize = 16;

fn pack_of_domains<'a>(domains: impl Iterator<Item = &'a str>) -> PackBytes {
    let mut list = String::from("# category = fraud.phishing\n");
    domains.for_each(|domain| _ = writeln!(list, "{domain}"));
    let taxonomy = std::fs::read_to_string(workspace().join("wordlists/taxonomy.toml")).expect("it ships");
    let (taxonomy, _) = Taxonomy::parse("taxonomy.toml", &taxonomy);
    let (bytes, found) = compile(&[ListSource { path: "en/bad.domains", text: &list }], &taxonomy, tamis_host::today());
    let errors: Vec<String> =
        found.iter().filter(|found| found.level == Level::Error).map(ToString::to_string).collect();
    assert!(errors.is_empty(), "{errors:?}");
    PackBytes::from(bytes)
}

/// The hosts of which messages with a link to them match, each written by `write`; and nanoseconds a message.
fn matched<'h>(bytes: &PackBytes, hosts: &[&'h str], write: impl Fn(&str) -> String) -> (Vec<&'h str>, f64) {
    let pack = Pack::decode(bytes).unwrap_or_else(|error| panic!("{error}"));
    let policy = Policy::blocking(&pack);
    let (mut scanner, mut verdict) = (Scanner::new(&pack), Verdict::default());
    let messages: Vec<String> = hosts.iter().map(|host| write(host)).collect();
    let mut found = Vec::new();
    let start = Instant::now();
    for (host, message) in hosts.iter().zip(&messages) {
        scanner.scan(&policy, &Message::body(message), &mut verdict);
        if !verdict.matches.is_empty() {
            found.push(*host);
        }
    }
    (found, start.elapsed().as_secs_f64() * 1e9 / hosts.len().max(1) as f64)
}

fn plain(host: &str) -> String {
    format!("see https://{host}/x now")
}

/// A way to write a host, by name.
type Disguise = (&'static str, fn(&str) -> String);

/// Ways to write a host that are the same host to who reads it.
const DISGUISES: [Disguise; 5] = [
    ("capitals", |host| format!("see HTTP://{}/x now", host.to_ascii_uppercase())),
    ("full width", |host| {
        let wide = |c: char| match c {
            'a'..='z' => char::from_u32(c as u32 - 0x61 + 0xFF41).unwrap_or(c),
            c => c,
        };
        format!("see https://{}/x now", host.chars().map(wide).collect::<String>())
    }),
    ("below it", |host| format!("see https://www.login.{host}?id=1 now")),
    ("ideographic dots", |host| format!("see https://{}/x now", host.replace('.', "。"))),
    ("math letters", |host| {
        let bold = |c: char| match c {
            'a'..='z' => char::from_u32(c as u32 - 0x61 + 0x1D41A).unwrap_or(c),
            c => c,
        };
        format!("see https://{}/x now", host.chars().map(bold).collect::<String>())
    }),
];

/// The first of `wanted` that is not in `found`, which has the same order.
fn first_missing<'h>(wanted: &[&'h str], found: &[&str]) -> Option<&'h str> {
    wanted
        .iter()
        .zip(found.iter().map(Some).chain(std::iter::repeat(None)))
        .find(|(a, b)| Some(*a) != *b)
        .map(|(a, _)| *a)
}

/// Checks a list against hosts that are not on it.
fn check(listed: &[&str], absent: &[&str]) {
    let set: HashSet<&str> = listed.iter().copied().collect();
    let bytes = pack_of_domains(listed.iter().copied());
    println!(
        "{} domains: pack of {} bytes, {:.2} each",
        listed.len(),
        bytes.len(),
        bytes.len() as f64 / listed.len() as f64
    );

    let is_below = |host: &str| host.match_indices('.').any(|(at, _)| set.contains(&host[at + 1..]));
    let strangers: Vec<&str> = absent.iter().copied().filter(|host| !set.contains(host) && !is_below(host)).collect();
    assert!(!strangers.is_empty());
    let (alarms, time) = matched(&bytes, &strangers, plain);
    let (_, without) = matched(&pack_of_domains(["zorkblat.example"].into_iter()), &strangers, plain);
    println!(
        "{} others: {} alarms; {time:.0} ns a message, {without:.0} with one domain only",
        strangers.len(),
        alarms.len()
    );
    assert!(alarms.is_empty(), "{:?}", &alarms[..alarms.len().min(10)]);

    let (found, _) = matched(&bytes, listed, plain);
    assert_eq!(first_missing(listed, &found), None, "{} of {} found", found.len(), listed.len());
    let is_simple = |host: &&str| host.bytes().all(|byte| byte.is_ascii_lowercase() || b".".contains(&byte));
    let simple: Vec<&str> = listed.iter().copied().filter(is_simple).step_by(17).take(20_000).collect();
    for (name, write) in DISGUISES {
        let (found, _) = matched(&bytes, &simple, write);
        assert_eq!(first_missing(&simple, &found), None, "{name}: {} of {} found", found.len(), simple.len());
        println!("{name}: {} of {}", found.len(), simple.len());
    }
}

#[test]
fn made_domains_are_found_and_nothing_else() {
    let mut random = Random(11);
    let parts = ["secure", "login", "bank", "pay", "track", "parcel", "bonus", "verify", "shop", "my"];
    let ends = ["com", "top", "xyz", "info", "co.uk", "icu", "net", "ru"];
    let made: HashSet<String> = (0..60_000)
        .map(|_| {
            let letters: String = (0..3 + random.below(8)).map(|_| char::from(b'a' + random.below(26) as u8)).collect();
            let middle = if random.below(2) == 0 { "-" } else { "" };
            format!("{}{middle}{letters}.{}", random.pick(&parts), random.pick(&ends))
        })
        .collect();
    let mut made: Vec<&str> = made.iter().map(String::as_str).collect();
    made.sort_unstable();
    let listed: Vec<&str> = made.iter().copied().step_by(2).collect();
    let absent: Vec<&str> = made.iter().copied().skip(1).step_by(2).collect();
    check(&listed, &absent);
}

/// A million: real ones, filled up with real ones of another first letter.
#[test]
fn a_million_real_domains_are_found_and_nothing_else() {
    let Some(folder) = std::env::var_os("TAMIS_DATA") else { return };
    let read = |name: &str| {
        let path = Path::new(&folder).join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let (insert, absent) = (read("dom_maltrail/insert_70.txt"), read("dom_maltrail/absent_30.txt"));
    let more = read("dom_scamblocklist/domains.txt");
    let absent: Vec<&str> = absent.lines().collect();
    let known: HashSet<&str> = insert.lines().chain(more.lines()).chain(absent.iter().copied()).collect();
    let is_domain = |host: &&str| host.contains('.') && !host.contains(['/', ':', '*']);
    let real: HashSet<&str> = insert.lines().chain(more.lines()).filter(is_domain).collect();
    let mut real: Vec<&str> = real.into_iter().collect();
    real.sort_unstable();
    let filled: Vec<String> =
        real.iter().step_by(4).map(|host| format!("q{host}")).filter(|host| !known.contains(&host[..])).collect();
    let room = 1_000_000 - real.len();
    let listed: Vec<&str> = real.iter().copied().chain(filled.iter().map(String::as_str).take(room)).collect();
    assert_eq!(listed.len(), 1_000_000);
    let bytes = pack_of_domains(listed.iter().copied());
    assert!(bytes.len() <= DOMAIN_BYTES_MAX * listed.len(), "{} bytes", bytes.len());
    check(&listed, &absent);
}
