//! Swapping under load: what a swap takes, and what it does to the scan that goes on meanwhile. Prints
//! its own table, because it is about the slowest batches and not about the mean; every message must be
//! judged, once, by one generation, as that generation judges.

use std::fs;
use std::io::{self, Write as _};
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tamis_benches::{
    Count, Definition, Input, definitions, image, pack, parts, runtime, scan_in_sandbox, target_folder,
};
use tamis_guest::Message;
use tamis_guest::wire::BATCH_MESSAGES_MAX;
use tamis_host::{Filter, Judged, Parts, Worker};

/// How long the scan is watched, without swaps and with them.
const WATCHED: Duration = Duration::from_secs(2);
/// Between two swaps: many times more often than anyone would.
const PAUSE: Duration = Duration::from_millis(20);

fn main() -> io::Result<()> {
    // Cargo gives all benchmarks the same filter; `--test` asks for one short run.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let wanted = |name: &str| {
        let mut filters = arguments.iter().filter(|argument| !argument.starts_with("--")).peekable();
        filters.peek().is_none() || filters.any(|filter| name.contains(filter.as_str()))
    };
    let watched = if arguments.iter().any(|argument| argument == "--test") { WATCHED / 20 } else { WATCHED };
    let mut rows = Rows { out: io::stdout(), csv: String::new() };
    for definition in &definitions("swap") {
        if wanted(&format!("swap/{}", definition.name)) {
            measure(definition, watched, &mut rows)?;
        }
    }
    if !rows.csv.is_empty() {
        fs::create_dir_all(target_folder().join("criterion"))?;
        fs::write(target_folder().join("criterion/swap.csv"), rows.csv)?;
    }
    Ok(())
}

fn measure(definition: &Definition, watched: Duration, rows: &mut Rows) -> io::Result<()> {
    let (name, input) = (&definition.name, Input::new(definition));
    let messages = input.messages();
    // As large as the list, but nothing of it occurs: a verdict shows which of the two it came from.
    let others: Vec<String> = input.terms().iter().map(|term| format!("{term}qzq")).collect();
    let (whole, other) = (input.parts(), parts(image(pack(&others.join("\n")))));
    let filter = Filter::new(runtime(), whole.clone()).unwrap_or_else(|error| panic!("{error}"));
    let mut load = Load::new(&filter, &messages);
    let mut found = Count::default();
    load.expected.iter().for_each(|&count| found += count);
    input.check("tamis-wasm", definition.expect.tamis, found);

    writeln!(rows.out, "swap/{name}: batches of {BATCH_MESSAGES_MAX}, {} ms between swaps", PAUSE.as_millis())?;
    writeln!(rows.out, "{:<24}{:>9}{:>12}{:>12}{:>12}{:>12}", "", "count", "p50 µs", "p99 µs", "p99.9 µs", "max µs")?;
    let end = Instant::now() + watched;
    let times = load.run(|| Instant::now() < end);
    rows.times(name, "batch alone", times)?;

    let swapping = AtomicBool::new(true);
    let (swaps, times) = thread::scope(|scope| {
        let swapper = scope.spawn(|| {
            let swaps = swap_for(&filter, [&other, &whole], watched);
            swapping.store(false, Ordering::Relaxed);
            swaps
        });
        let times = load.run(|| swapping.load(Ordering::Relaxed) && !swapper.is_finished());
        (swapper.join().unwrap_or_else(|panic| resume_unwind(panic)), times)
    });
    rows.times(name, "batch while swapping", times)?;
    rows.times(name, "swap", swaps)?;
    let Load { sent, judged: [odd, even], .. } = load;
    assert_eq!(odd + even, sent, "{name}: messages judged and messages sent");
    assert!(odd > 0 && even > 0, "{name}: both lists judged");
    writeln!(rows.out, "{sent} messages: {odd} judged by odd generations, {even} by even ones, none lost\n")
}

/// Swaps the parts in turn for a time; how long each swap took.
fn swap_for(filter: &Filter, parts: [&Parts; 2], watched: Duration) -> Vec<Duration> {
    let end = Instant::now() + watched;
    let mut times = Vec::new();
    for parts in parts.into_iter().cycle().take_while(|_| Instant::now() < end) {
        let parts = parts.clone();
        let started = Instant::now();
        filter.swap(parts).unwrap_or_else(|error| panic!("{error}"));
        times.push(started.elapsed());
        thread::sleep(PAUSE);
    }
    times
}

/// A thread that has always more to judge, and what came of it.
struct Load<'m> {
    worker: Worker,
    answers: Vec<Judged>,
    messages: &'m [Message<'m>],
    /// What odd generations find in each batch; even ones find nothing.
    expected: Vec<Count>,
    sent: u64,
    /// By odd and by even generations.
    judged: [u64; 2],
}

impl<'m> Load<'m> {
    fn new(filter: &Filter, messages: &'m [Message<'m>]) -> Load<'m> {
        let mut worker = filter.worker().unwrap_or_else(|error| panic!("{error}"));
        let mut answers = Vec::new();
        let batches = messages.chunks(BATCH_MESSAGES_MAX);
        let expected = batches.map(|batch| scan_in_sandbox(&mut worker, batch, &mut answers)).collect();
        Load { worker, answers, messages, expected, sent: 0, judged: [0; 2] }
    }

    /// Judges batches while `go` says so; how long each took.
    fn run(&mut self, go: impl Fn() -> bool) -> Vec<Duration> {
        let mut times = Vec::new();
        for (batch, &expected) in self.messages.chunks(BATCH_MESSAGES_MAX).zip(&self.expected).cycle() {
            if !go() {
                break;
            }
            let started = Instant::now();
            self.worker.scan(batch, &mut self.answers);
            times.push(started.elapsed());

            let generation = self.answers[0].generation;
            let mut found = Count::default();
            for answer in &self.answers {
                assert_eq!(answer.generation, generation, "one generation judges a batch");
                assert!(answer.failure.is_none(), "the filter failed: {:?}", answer.failure);
                found += Count::of_message(answer.verdict.matches.len());
            }
            let expected = if generation % 2 == 1 { expected } else { Count::default() };
            assert_eq!(found, expected, "a batch judged by generation {generation}");
            self.sent += batch.len() as u64;
            self.judged[usize::from(generation.is_multiple_of(2))] += self.answers.len() as u64;
        }
        times
    }
}

/// Where results go: a table for people, rows for the record.
struct Rows {
    out: io::Stdout,
    csv: String,
}

impl Rows {
    fn times(&mut self, name: &str, row: &str, mut times: Vec<Duration>) -> io::Result<()> {
        times.sort_unstable();
        write!(self.out, "{row:<24}{:>9}", times.len())?;
        for (share, shown) in [(0.5, "p50"), (0.99, "p99"), (0.999, "p99.9"), (1.0, "max")] {
            // The smallest time that so many are not above; of few times, there is no such thing.
            let at = (times.len() as f64 * share).ceil() as usize;
            if at == times.len() && share < 1.0 {
                write!(self.out, "{:>12}", "-")?;
                continue;
            }
            let time = times[at - 1];
            write!(self.out, "{:>12.1}", time.as_secs_f64() * 1e6)?;
            self.csv += &format!("{name},{row} {shown},{}\n", time.as_nanos());
        }
        writeln!(self.out)
    }
}
