//! Ten thousand swaps of modules and lists in one run, under load: is every message judged once, by one
//! generation, do memory, files and threads stay flat, and what do the swaps do to the slowest batches? Writes
//! `swaps.json` and `swaps.svg` to the folder that is named. Takes minutes; not a test, and not criterion's.
//!
//! ```text
//! cargo run --release -p tamis-benches --example swaps -- benches/record/<date>-<machine> [SWAPS]
//! ```
//!
//! Rounds without swaps and with them take turns, so that both meet the same neighbours on a shared machine. Each
//! time is taken twice: by the clock, and less what the thread spent waiting for a core that somebody else had.

mod plot;

use std::collections::VecDeque;
use std::env;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _};
use std::panic::resume_unwind;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use tamis_benches::{Count, Input, definitions, image, note, pack, parts, runtime, scan_in_sandbox};
use tamis_guest::Message;
use tamis_guest::wire::BATCH_MESSAGES_MAX;
use tamis_host::{Filter, Generation, Module, Parts};

const SWAPS: usize = 10_000;
const ROUNDS: usize = 20;
const WORKERS: usize = 2;
/// Between two swaps.
const PAUSE: Duration = Duration::from_millis(10);
/// Swaps between two looks at what the process holds.
const LOOK_EVERY: usize = 50;
/// What the threads do. Batches that were begun in one phase and ended in another count in none.
const STILL: usize = 0;
const SWAPPING: usize = 1;
const END: usize = 2;
/// The times that are taken: by phase by the clock, by phase less the waiting, and of these the first batch of each
/// generation.
const NAMES: [&str; 5] = [
    "without swaps",
    "while swapping",
    "without swaps, waiting for a core left out",
    "while swapping, waiting for a core left out",
    "first batch of a generation, waiting for a core left out",
];

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let swaps = arguments.next().map(|folder| (folder, arguments.next().map_or(Ok(SWAPS), |swaps| swaps.parse())));
    let Some((folder, Ok(swaps))) = swaps else {
        note("usage: cargo run --release -p tamis-benches --example swaps -- FOLDER [SWAPS]");
        return ExitCode::from(2);
    };
    match record(Path::new(&folder), swaps.max(ROUNDS) / ROUNDS) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            note(&format!("error: {error}"));
            ExitCode::from(2)
        }
    }
}

fn record(folder: &Path, swaps_a_round: usize) -> io::Result<()> {
    let report = run(swaps_a_round);
    fs::create_dir_all(folder)?;
    fs::write(folder.join("swaps.json"), serde_json::to_string_pretty(&report)? + "\n")?;
    fs::write(folder.join("swaps.svg"), plot::svg(&report))?;
    note(&serde_json::to_string_pretty(&report.summary)?);
    Ok(())
}

/// What is written down.
#[derive(Debug, Serialize)]
struct Report {
    summary: Summary,
    /// Share of the batches, in thousandths of a percent up to 99.99 %, and the time that so many stayed below.
    batches: Vec<Curve>,
    /// What the process held, after so many swaps.
    held: Vec<Held>,
}

#[derive(Debug, Serialize)]
struct Summary {
    machine: String,
    commit: String,
    load_before: String,
    load_after: String,
    workers: usize,
    terms: usize,
    swaps: usize,
    swaps_of_modules: usize,
    swaps_of_lists: usize,
    seconds: f64,
    messages_sent: u64,
    /// By the answers that came back.
    messages_judged: u64,
    /// By the host's own counters, of all generations together.
    messages_counted: u64,
    generations_that_judged: usize,
    swap_p50_us: f64,
    swap_p99_us: f64,
    p999_ratio: f64,
    p999_ratio_on_a_core_of_its_own: f64,
}

/// The times of batches.
#[derive(Debug, Serialize)]
struct Curve {
    name: &'static str,
    count: u64,
    p50_us: f64,
    p99_us: f64,
    p999_us: f64,
    max_us: f64,
    points: Vec<[f64; 2]>,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Held {
    swaps: usize,
    resident_mib: f64,
    files: u64,
    threads: u64,
}

fn run(swaps_a_round: usize) -> Report {
    let definitions = definitions("swap");
    let definition = definitions.iter().find(|definition| definition.name == "en-10k");
    let input = Input::new(definition.unwrap_or_else(|| panic!("swap.toml has no en-10k")));
    let messages = input.messages();
    // As large as the list, but nothing of it occurs: a verdict shows which of the two it came from.
    let others: Vec<String> = input.terms().iter().map(|term| format!("{term}qzq")).collect();
    let (whole, other) = (input.parts(), parts(image(pack(&others.join("\n")))));
    let twin = runtime().module(&twin(whole.module.wasm())).unwrap_or_else(|error| panic!("{error}"));
    // From one to the next another module, or other lists, which are checked and mapped anew each time as if they
    // had just arrived. Modules are compiled once.
    let next = |done: usize, running: &Parts| match done % 4 {
        0 => Parts { module: twin.clone(), ..running.clone() },
        1 => parts_of(&other, &twin),
        2 => Parts { module: whole.module.clone(), ..running.clone() },
        _ => parts_of(&whole, &whole.module),
    };
    let filter = Filter::new(runtime(), whole.clone()).unwrap_or_else(|error| panic!("{error}"));
    let mut answers = Vec::new();
    let mut worker = filter.worker().unwrap_or_else(|error| panic!("{error}"));
    let batches = messages.chunks(BATCH_MESSAGES_MAX);
    let expected: Vec<Count> = batches.map(|batch| scan_in_sandbox(&mut worker, batch, &mut answers)).collect();
    drop(worker);
    let load_before = load();
    let (phase, started) = (AtomicUsize::new(STILL), Instant::now());
    let mut swaps = Times::new();
    let mut held = Vec::with_capacity(swaps_a_round * ROUNDS / LOOK_EVERY + 2);
    let (loads, counted) = thread::scope(|scope| {
        let worker = || Load::new(&filter, &messages, &expected).run(&phase);
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(worker)).collect();
        let mut counter = Counter::new(&filter);
        let (mut done, mut still) = (0, Duration::from_secs(1));
        held.push(Held::now(0));
        for _ in 0..ROUNDS {
            phase.store(STILL, Ordering::SeqCst);
            thread::sleep(still);
            phase.store(SWAPPING, Ordering::SeqCst);
            let round = Instant::now();
            for _ in 0..swaps_a_round {
                let running = filter.generation();
                let start = Instant::now();
                let number = filter.swap(next(done, running.parts())).unwrap_or_else(|error| panic!("{error}"));
                swaps.add(start.elapsed());
                done += 1;
                assert_eq!(number, done as u64 + 1, "numbers count up by one");
                counter.swapped(&filter);
                if done.is_multiple_of(LOOK_EVERY) {
                    held.push(Held::now(done));
                }
                thread::sleep(PAUSE);
            }
            still = round.elapsed();
        }
        phase.store(END, Ordering::SeqCst);
        let loads: Vec<Load<'_>> =
            workers.into_iter().map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic))).collect();
        (loads, counter.total())
    });
    let seconds = started.elapsed().as_secs_f64();
    let sent: u64 = loads.iter().map(|load| load.sent).sum();
    let judged: u64 = loads.iter().map(|load| load.judged).sum();
    // Those that told what is to be expected were judged before.
    let counted = counted - messages.len() as u64;
    assert_eq!((judged, counted), (sent, sent), "messages judged, counted by the host, and sent");
    let mut times = NAMES.map(|_| Times::new());
    for more in &loads {
        times.iter_mut().zip(&more.times).for_each(|(all, more)| all.merge(more));
    }
    let batches: Vec<Curve> = times.iter().zip(NAMES).map(|(times, name)| times.curve(name)).collect();
    let swaps_done = swaps_a_round * ROUNDS;
    let swaps = swaps.curve("swap");
    Report {
        summary: Summary {
            machine: machine(),
            commit: output("git", &["describe", "--always", "--dirty"]),
            load_before,
            load_after: load(),
            workers: WORKERS,
            terms: whole.pack.pack().terms_count(),
            swaps: swaps_done,
            swaps_of_modules: swaps_done.div_ceil(2),
            swaps_of_lists: swaps_done / 2,
            seconds,
            messages_sent: sent,
            messages_judged: judged,
            messages_counted: counted,
            generations_that_judged: loads.iter().map(|load| load.generations).max().unwrap_or(0),
            swap_p50_us: swaps.p50_us,
            swap_p99_us: swaps.p99_us,
            p999_ratio: batches[1].p999_us / batches[0].p999_us,
            p999_ratio_on_a_core_of_its_own: batches[3].p999_us / batches[2].p999_us,
        },
        batches,
        held,
    }
}

/// The parts, the pack taken in anew, with that module.
fn parts_of(parts: &Parts, module: &Module) -> Parts {
    Parts { module: module.clone(), pack: image(parts.pack.bytes().to_vec()), ..parts.clone() }
}

/// The same module with other bytes: a section that says nothing.
fn twin(wasm: &[u8]) -> Vec<u8> {
    let section = b"\x00\x05\x04twin";
    [wasm, section].concat()
}

/// A thread that has always more to judge.
struct Load<'m> {
    filter: &'m Filter,
    messages: &'m [Message<'m>],
    /// What the first list finds in each batch; the other finds nothing.
    expected: &'m [Count],
    sent: u64,
    judged: u64,
    generations: usize,
    /// As [`NAMES`] says.
    times: [Times; NAMES.len()],
}

impl<'m> Load<'m> {
    fn new(filter: &'m Filter, messages: &'m [Message<'m>], expected: &'m [Count]) -> Load<'m> {
        let times = NAMES.map(|_| Times::new());
        Load { filter, messages, expected, sent: 0, judged: 0, generations: 0, times }
    }

    /// Judges until the end, and looks at every answer.
    fn run(mut self, phase: &AtomicUsize) -> Load<'m> {
        let mut worker = self.filter.worker().unwrap_or_else(|error| panic!("{error}"));
        let mut answers = Vec::new();
        let mut waited = Waited::new();
        let mut newest = worker.generation().number();
        for (batch, &expected) in self.messages.chunks(BATCH_MESSAGES_MAX).zip(self.expected).cycle() {
            let (began_in, oldest) = (phase.load(Ordering::SeqCst), self.filter.generation().number());
            if began_in == END {
                break;
            }
            // What was waited for between two batches is not part of either.
            let waited_before = waited.so_far();
            let start = Instant::now();
            worker.scan(batch, &mut answers);
            let time = start.elapsed();
            let own = time.saturating_sub(waited.so_far().saturating_sub(waited_before));

            let generation = answers[0].generation;
            assert!(generation >= oldest.max(newest), "{generation} judged, {newest} had judged before");
            assert!(generation <= self.filter.generation().number(), "a generation that does not judge yet");
            let mut found = Count::default();
            for answer in &answers {
                assert_eq!(answer.generation, generation, "one generation judges a batch");
                assert!(answer.failure.is_none(), "the filter failed: {:?}", answer.failure);
                found += Count::of_message(answer.verdict.matches.len());
            }
            let is_whole = matches!((generation - 1) % 4, 0 | 1);
            let expected = if is_whole { expected } else { Count::default() };
            assert_eq!(found, expected, "a batch judged by generation {generation}");
            self.sent += batch.len() as u64;
            self.judged += answers.len() as u64;
            if phase.load(Ordering::SeqCst) == began_in {
                self.times[began_in].add(time);
                self.times[2 + began_in].add(own);
                if generation != newest {
                    self.times[4].add(own);
                }
            }
            self.generations += usize::from(generation != newest);
            newest = generation;
        }
        self
    }
}

/// Adds up what the host counted, generation by generation, once no worker adds to it any more.
struct Counter {
    live: VecDeque<Arc<Generation>>,
    total: u64,
}

impl Counter {
    fn new(filter: &Filter) -> Counter {
        Counter { live: VecDeque::from([filter.generation()]), total: 0 }
    }

    fn swapped(&mut self, filter: &Filter) {
        self.live.push_back(filter.generation());
        // Held here alone: the workers have gone on, and the filter as well.
        while self.live.len() > 1 && Arc::strong_count(&self.live[0]) == 1 {
            self.total += self.live.pop_front().map_or(0, |generation| generation.counts().messages());
        }
    }

    fn total(self) -> u64 {
        self.total + self.live.iter().map(|generation| generation.counts().messages()).sum::<u64>()
    }
}

/// Times in classes a sixty-fourth apart, so that memory does not grow with the run.
struct Times {
    classes: Vec<u64>,
    count: u64,
    max: Duration,
}

const CLASSES: u64 = 64;

impl Times {
    fn new() -> Times {
        Times { classes: vec![0; 64 * CLASSES as usize], count: 0, max: Duration::ZERO }
    }

    fn add(&mut self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).max(CLASSES);
        let octave = u64::from(nanos.ilog2());
        let class = octave * CLASSES + ((nanos >> (octave - 6)) - CLASSES);
        self.classes[class as usize] += 1;
        self.count += 1;
        self.max = self.max.max(time);
    }

    fn merge(&mut self, other: &Times) {
        for (all, more) in self.classes.iter_mut().zip(&other.classes) {
            *all += more;
        }
        self.count += other.count;
        self.max = self.max.max(other.max);
    }

    /// The time that a share of the batches stayed below, in µs.
    fn quantile(&self, share: f64) -> f64 {
        let wanted = (self.count as f64 * share).ceil() as u64;
        let mut below = 0;
        for (class, count) in self.classes.iter().enumerate() {
            below += count;
            if below >= wanted.max(1) {
                let (octave, part) = (class as u64 / CLASSES, class as u64 % CLASSES);
                let nanos = (CLASSES + part + 1) << octave.saturating_sub(6);
                return (nanos as f64 / 1e3).min(self.max.as_secs_f64() * 1e6);
            }
        }
        0.0
    }

    fn curve(&self, name: &'static str) -> Curve {
        // From 50 % to 99.99 %, half of what is left out each fourth time.
        let shares = (4..=53).map(|step| 1.0 - 0.5f64.powf(f64::from(step) / 4.0));
        Curve {
            name,
            count: self.count,
            p50_us: self.quantile(0.5),
            p99_us: self.quantile(0.99),
            p999_us: self.quantile(0.999),
            max_us: self.max.as_secs_f64() * 1e6,
            points: shares.map(|share| [share, self.quantile(share)]).collect(),
        }
    }
}

/// How long this thread has waited for a core. Linux only; nothing elsewhere.
struct Waited(Option<File>);

impl Waited {
    fn new() -> Waited {
        Waited(File::open("/proc/thread-self/schedstat").ok())
    }

    fn so_far(&mut self) -> Duration {
        let mut text = [0; 96];
        let read = self.0.as_mut().and_then(|file| file.rewind().and_then(|()| file.read(&mut text)).ok());
        let text = String::from_utf8_lossy(&text[..read.unwrap_or(0)]);
        let nanos = text.split(' ').nth(1).and_then(|nanos| nanos.parse().ok());
        Duration::from_nanos(nanos.unwrap_or(0))
    }
}

impl Held {
    fn now(swaps: usize) -> Held {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let number = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
            line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0)
        };
        let files = fs::read_dir("/proc/self/fd").map_or(0, Iterator::count) as u64;
        Held { swaps, resident_mib: number("VmRSS:") as f64 / 1024.0, files, threads: number("Threads:") }
    }
}

fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or("unknown").to_owned()
}

fn machine() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = thread::available_parallelism().map_or(0, std::num::NonZero::get);
    format!("{}, {cores} cores", cpu.map_or("unknown", |(_, name)| name))
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = std::process::Command::new(program).args(arguments).output();
    output.map_or("unknown".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
