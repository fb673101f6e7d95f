//! Measures the browser package in Chromium beside the sandbox of the host, on the same machine, packs and messages,
//! and prints a table. Not a test: `cargo browser-figures TERMS MESSAGES`, after `cargo browser`. TERMS is a plain
//! file of terms, MESSAGES a JSON Lines file; without them, the shipped lists and `tests/data/sms.jsonl`.

use std::fs;
use std::hint::black_box;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::Instant;

use serde_json::{Value, json};
use tamis_guest::{Message, kit_bytes};
use tamis_host::{Filter, Parts};
use tamis_tests::browser::{Browser, Server};
use tamis_tests::{blocking_parts, pack_of, read_texts, runtime, shipped_parts, workspace};

/// How often each way is measured, in turns; the best counts, since others use the machine too.
const ROUNDS: usize = 7;

/// What the browser does: `[start-up, 500 characters, all messages]` in milliseconds.
const SCRIPT: &str = "
const tamis = await import('/tamis/tamis.js');
const texts = await (await fetch('/messages.json')).json();
const answer = await fetch('/own.kit');
const pack = new Uint8Array(await answer.arrayBuffer());
const module = await (await fetch('/tamis/wasm/scanner_bg.wasm')).arrayBuffer();
let from = performance.now();
await tamis.init(module);
const moduleMs = performance.now() - from;
from = performance.now();
const scanner = new tamis.Scanner(pack);
const packMs = performance.now() - from;
from = performance.now();
scanner.scan('you have won a prize, call now to claim');
const firstMs = performance.now() - from;
const times = (count, run) => { const from = performance.now(); for (let n = 0; n < count; n += 1) run(); return (performance.now() - from) / count; };
const long = texts.join(' ').slice(0, 500);
for (let warm = performance.now(); performance.now() - warm < 700;) for (const text of texts) scanner.scan(text);
const longMs = Math.min(...Array.from({ length: 5 }, () => times(200, () => scanner.scan(long))));
const allMs = Math.min(...Array.from({ length: 3 }, () => times(1, () => { for (const text of texts) scanner.scan(text); })));
let matches = 0;
for (const text of texts) matches += scanner.scan(text).matches.length;
return { moduleMs, packMs, firstMs, longMs, allMs, matches };";

fn main() {
    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let parts = match args.next() {
        Some(path) => {
            let terms = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            blocking_parts(pack_of(&terms))
        }
        None => shipped_parts(),
    };
    let texts = read_texts(&args.next().unwrap_or_else(|| workspace().join("tests/data/sms.jsonl")));
    let bytes: usize = texts.iter().map(String::len).sum();

    let server = Server::start();
    server.put("blank.html", "<!doctype html><title>blank</title>");
    server.put("messages.json", json!(texts).to_string());
    server.put("own.kit", kit_bytes(parts.pack.bytes(), &parts.policy, "{}").expect("a kit"));
    let messages: Vec<Message<'_>> = texts.iter().map(|text| Message::body(text)).collect();
    let (mut best_sandbox, mut sandbox_matches) = (f64::MAX, 0);
    let mut best: Option<Value> = None;
    for _ in 0..ROUNDS {
        let (ms, matches) = sandbox(&parts, &messages);
        (best_sandbox, sandbox_matches) = (best_sandbox.min(ms), matches);
        // A new browser each time: start-up is measured cold.
        let browser = Browser::start();
        browser.open(&server.url("blank.html"));
        let found = browser.run(SCRIPT, &json!({}));
        best = Some(best.map_or(found.clone(), |best| least(&best, &found)));
    }
    let best = best.expect("at least one round");
    let ms = |key: &str| best[key].as_f64().unwrap_or(f64::NAN);
    let mut out = io::stdout().lock();
    let mut row = |name: &str, value: String| {
        // Whoever reads this may have seen enough.
        let _ = writeln!(out, "{name:<44}{value:>12}");
    };
    row("terms", parts.pack.pack().terms_count().to_string());
    row("pack, MB", format!("{:.1}", parts.pack.bytes().len() as f64 / 1e6));
    row("messages", texts.len().to_string());
    row("matches in Chromium", best["matches"].to_string());
    row("matches in the sandbox", sandbox_matches.to_string());
    row("start-up: module, ms", format!("{:.1}", ms("moduleMs")));
    row("start-up: pack, ms", format!("{:.1}", ms("packMs")));
    row("start-up: first message, ms", format!("{:.2}", ms("firstMs")));
    row("500 characters, ms", format!("{:.4}", ms("longMs")));
    row("Chromium, messages/s", format!("{:.0}", 1000.0 * texts.len() as f64 / ms("allMs")));
    row("Chromium, MB/s", format!("{:.1}", bytes as f64 / ms("allMs") / 1000.0));
    row("wasmtime, messages/s", format!("{:.0}", 1000.0 * texts.len() as f64 / best_sandbox));
    row("wasmtime, MB/s", format!("{:.1}", bytes as f64 / best_sandbox / 1000.0));
    row("speed, Chromium / wasmtime", format!("{:.2}", best_sandbox / ms("allMs")));
}

/// The smaller number of each key.
fn least(one: &Value, other: &Value) -> Value {
    let numbers = one.as_object().into_iter().flatten();
    let smaller = |(key, value): (&String, &Value)| {
        let other = &other[key];
        let is_smaller = other.as_f64() < value.as_f64();
        (key.clone(), if is_smaller { other.clone() } else { value.clone() })
    };
    Value::Object(numbers.map(smaller).collect())
}

/// Milliseconds for all messages in batches of 64 in the sandbox, the best of a few runs once warm, and their matches.
fn sandbox(parts: &Parts, messages: &[Message<'_>]) -> (f64, usize) {
    let filter = Filter::new(runtime(), parts.clone()).unwrap_or_else(|error| panic!("{error}"));
    let mut worker = filter.worker().unwrap_or_else(|error| panic!("{error}"));
    let (mut judged, mut best, mut matches) = (Vec::new(), f64::MAX, 0);
    for _ in 0..5 {
        let started = Instant::now();
        matches = 0;
        for batch in messages.chunks(64) {
            worker.scan(batch, &mut judged);
            matches += black_box(&judged).iter().map(|one| one.verdict.matches.len()).sum::<usize>();
        }
        best = best.min(1000.0 * started.elapsed().as_secs_f64());
    }
    (best, matches)
}
