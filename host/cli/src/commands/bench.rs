//! `tamis bench`: what the filter does with the user's own lists and messages on this machine. Figures
//! to trust come from a quiet machine; ratios hold on any. Regressions are the business of `benches`.

use std::hint::black_box;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::bail;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use tamis_guest::wire::BATCH_MESSAGES_MAX;
use tamis_guest::{Message, Scanner, Verdict};
use tamis_host::{Filter, Parts, Runtime};

use crate::Outcome;
use crate::args::{BenchArgs, BenchFormat};
use crate::defaults::{Started, start};
use crate::input::{self, Line};
use crate::text;

/// Rows that are measured for a time: batches and singles, both ways, and three for the border.
const TIMED_ROWS: u64 = 7;

/// The figures; the keys are documented in `tamis bench --help`.
#[derive(Debug, Serialize)]
struct Figures {
    terms: usize,
    messages: usize,
    message_bytes: usize,
    pack_bytes: usize,
    compile_ms: f64,
    load_ms: f64,
    sandbox: Scan,
    native: Scan,
    sandbox_over_native: f64,
    border_message_ns: f64,
    border_call_ns: f64,
    worker_memory_bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pss_1_worker_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pss_2_workers_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pss_8_workers_bytes: Option<u64>,
}

/// How one engine scans.
#[derive(Debug, Serialize)]
struct Scan {
    messages_per_s: f64,
    mb_per_s: f64,
    batch_p50_us: f64,
    batch_p99_us: f64,
    single_p50_ns: f64,
    single_p99_ns: f64,
    hits: u64,
    matches: u64,
}

pub(crate) fn run(args: &BenchArgs) -> anyhow::Result<Outcome> {
    let lines = messages(args.messages.as_deref())?;
    let Started { runtime, filter, sources, defaults, .. } = start(&args.sources)?;
    let generation = filter.generation();
    let parts = generation.parts();
    let messages: Vec<Message<'_>> = lines.iter().map(|line| line.message(&parts.policy)).collect();
    let rows = Rows::new(&messages, Duration::from_millis(args.row_ms));

    // First, for what the rest leaves behind is not the workers'.
    let (worker_memory_bytes, [pss_1_worker_bytes, pss_2_workers_bytes, pss_8_workers_bytes]) =
        memory(&filter, &messages)?;
    let compile_ms = if sources.lists.is_some() || sources.terms.is_some() {
        timed_ms(|| sources.load_pack(&runtime, &defaults.policy))?
    } else {
        0.0
    };
    let load_ms = timed_ms(|| load(&runtime, parts, &messages[..1]))?;

    let mut worker = filter.worker()?;
    let mut judged = Vec::new();
    let sandbox = rows.measure(|batch| {
        worker.scan(batch, &mut judged);
        judged.iter().map(|judged| judged.verdict.matches.len() as u64).collect()
    });
    let pack = parts.pack.pack();
    let mut scanner = Scanner::new(&pack);
    let mut verdicts = vec![Verdict::default(); BATCH_MESSAGES_MAX];
    let native = rows.measure(|batch| {
        for (message, verdict) in batch.iter().zip(&mut verdicts) {
            scanner.scan(&parts.policy, message, verdict);
        }
        verdicts[..batch.len()].iter().map(|verdict| verdict.matches.len() as u64).collect()
    });
    let empty = [Message::default(); BATCH_MESSAGES_MAX];
    let empty_ns = rows.mean_ns(|| scanner.scan(&parts.policy, &empty[0], &mut verdicts[0]));
    let border_message_ns = rows.mean_ns(|| worker.scan(&empty, &mut judged)) / BATCH_MESSAGES_MAX as f64 - empty_ns;
    let border_call_ns = rows.mean_ns(|| worker.scan(&empty[..1], &mut judged)) - empty_ns;
    rows.progress.finish_and_clear();

    let figures = Figures {
        terms: pack.terms_count(),
        messages: messages.len(),
        message_bytes: rows.message_bytes,
        pack_bytes: parts.pack.bytes().len(),
        compile_ms,
        load_ms,
        sandbox_over_native: native.messages_per_s / sandbox.messages_per_s,
        sandbox,
        native,
        border_message_ns,
        border_call_ns,
        worker_memory_bytes,
        pss_1_worker_bytes,
        pss_2_workers_bytes,
        pss_8_workers_bytes,
    };
    match args.format {
        BenchFormat::Json => {
            let mut out = anstream::stdout();
            serde_json::to_writer_pretty(&mut out, &figures)?;
            writeln!(out)?;
        }
        BenchFormat::Text => show(&figures, args.messages.as_deref())?,
    }
    if (figures.sandbox.hits, figures.sandbox.matches) != (figures.native.hits, figures.native.matches) {
        bail!("the sandbox and the native filter found different things; that is a defect of Tamis, please report it");
    }
    Ok(Outcome::Clean)
}

/// The user's messages, or the built-in ones.
fn messages(path: Option<&Path>) -> anyhow::Result<Vec<Line>> {
    let mut lines = Vec::new();
    let Some(path) = path else {
        let sample = include_str!("../sample.txt").lines().zip(1u64..);
        return Ok(sample.map(|(text, number)| Line::plain(number.into(), text.as_bytes().to_vec())).collect());
    };
    let mut problems = Vec::new();
    for mut input in input::open(&[path.to_owned()])? {
        while input.read(BATCH_MESSAGES_MAX, &mut lines, &mut problems)? {}
    }
    problems.iter().for_each(|problem| text::note(problem));
    if lines.is_empty() {
        bail!("no messages in {}; give a file with one message a line, or JSON Lines", path.display());
    }
    Ok(lines)
}

/// Everything from the bytes of a pack to the first verdict.
fn load(runtime: &Runtime, parts: &Parts, messages: &[Message<'_>]) -> anyhow::Result<()> {
    let pack = runtime.pack(parts.pack.bytes())?;
    let filter = Filter::new(runtime, Parts { pack, ..parts.clone() })?;
    filter.worker()?.scan(messages, &mut Vec::new());
    Ok(())
}

/// How many workers the memory of the process is looked at with.
const WORKERS: [usize; 3] = [1, 2, 8];

/// Linear memory of one worker, and memory of the process with one, two and eight that have judged.
fn memory(filter: &Filter, messages: &[Message<'_>]) -> anyhow::Result<(usize, [Option<u64>; WORKERS.len()])> {
    let mut workers = Vec::new();
    let mut pss = [None; WORKERS.len()];
    for (pss, count) in pss.iter_mut().zip(WORKERS) {
        while workers.len() < count {
            let mut worker = filter.worker()?;
            worker.scan(messages, &mut Vec::new());
            workers.push(worker);
        }
        *pss = process_pss();
    }
    Ok((workers[0].memory_bytes(), pss))
}

/// Proportional set size of this process in bytes; `None` where the system does not tell.
fn process_pss() -> Option<u64> {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").ok()?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// Measures rows of the table, each for the same time.
struct Rows<'m> {
    messages: &'m [Message<'m>],
    message_bytes: usize,
    row: Duration,
    progress: ProgressBar,
}

impl<'m> Rows<'m> {
    fn new(messages: &'m [Message<'m>], row: Duration) -> Rows<'m> {
        let progress = ProgressBar::new(TIMED_ROWS);
        let style = ProgressStyle::with_template("measuring {bar:30} {pos} of {len} rows");
        progress.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        progress.tick();
        Rows { messages, message_bytes: messages.iter().map(|message| message.text.len()).sum(), row, progress }
    }

    /// Scans all messages in batches and then one by one, over and over. `scan` gives the number of
    /// matches of each message.
    fn measure(&self, mut scan: impl FnMut(&[Message<'_>]) -> Vec<u64>) -> Scan {
        let found: Vec<u64> = self.messages.chunks(BATCH_MESSAGES_MAX).flat_map(&mut scan).collect();
        let mut scan = |messages: &[Message<'_>]| _ = black_box(scan(messages));
        let (batches, passes, elapsed) = self.time(BATCH_MESSAGES_MAX, &mut scan);
        let (singles, _, _) = self.time(1, &mut scan);
        let per_s = passes as f64 / elapsed.as_secs_f64();
        Scan {
            messages_per_s: per_s * self.messages.len() as f64,
            mb_per_s: per_s * self.message_bytes as f64 / 1e6,
            batch_p50_us: ns_at(&batches, 0.5) / 1000.0,
            batch_p99_us: ns_at(&batches, 0.99) / 1000.0,
            single_p50_ns: ns_at(&singles, 0.5),
            single_p99_ns: ns_at(&singles, 0.99),
            hits: found.iter().filter(|&&matches| matches > 0).count() as u64,
            matches: found.iter().sum(),
        }
    }

    /// Times of calls with `size` messages, ascending; how often all messages went through, and in what
    /// time.
    fn time(&self, size: usize, scan: &mut impl FnMut(&[Message<'_>])) -> (Vec<Duration>, u64, Duration) {
        let mut calls = Vec::new();
        let mut passes = 0;
        let started = Instant::now();
        while started.elapsed() < self.row {
            for batch in self.messages.chunks(size) {
                let call = Instant::now();
                scan(batch);
                calls.push(call.elapsed());
            }
            passes += 1;
        }
        let elapsed = started.elapsed();
        self.progress.inc(1);
        calls.sort_unstable();
        (calls, passes, elapsed)
    }

    /// Mean time of a call, without a look at the clock for each.
    fn mean_ns(&self, mut call: impl FnMut()) -> f64 {
        const BETWEEN_LOOKS: u32 = 1000;
        let mut calls = 0.0;
        let started = Instant::now();
        while started.elapsed() < self.row {
            (0..BETWEEN_LOOKS).for_each(|_| call());
            calls += f64::from(BETWEEN_LOOKS);
        }
        let elapsed = started.elapsed();
        self.progress.inc(1);
        elapsed.as_secs_f64() * 1e9 / calls
    }
}

fn ns_at(sorted: &[Duration], share: f64) -> f64 {
    let at = ((sorted.len() - 1) as f64 * share).round() as usize;
    sorted[at].as_secs_f64() * 1e9
}

fn timed_ms<T, E>(work: impl FnOnce() -> Result<T, E>) -> Result<f64, E> {
    let started = Instant::now();
    work()?;
    Ok(started.elapsed().as_secs_f64() * 1e3)
}

fn show(figures: &Figures, messages: Option<&Path>) -> std::io::Result<()> {
    let mut out = anstream::stdout();
    let mb = |bytes: usize| bytes as f64 / 1e6;
    let number = |number: f64| text::count(number.round() as u64);
    let from = match messages {
        Some(path) => path.display().to_string(),
        None => "built in; give your own with --messages".to_owned(),
    };
    writeln!(
        out,
        "messages   {} of {:.0} bytes on average ({from})",
        text::count(figures.messages as u64),
        figures.message_bytes as f64 / figures.messages as f64
    )?;
    writeln!(out, "lists      {} terms, {:.2} MB compiled", text::count(figures.terms as u64), mb(figures.pack_bytes))?;
    writeln!(out)?;
    writeln!(out, "{:<26}{:>14}{:>14}", "", "sandbox", "native")?;
    let mut row = |name: &str, value: fn(&Scan) -> f64| {
        writeln!(out, "{name:<26}{:>14}{:>14}", number(value(&figures.sandbox)), number(value(&figures.native)))
    };
    row("messages/s", |scan| scan.messages_per_s)?;
    row("MB/s", |scan| scan.mb_per_s)?;
    row("batch of 64, p50 µs", |scan| scan.batch_p50_us)?;
    row("batch of 64, p99 µs", |scan| scan.batch_p99_us)?;
    row("one message, p50 ns", |scan| scan.single_p50_ns)?;
    row("one message, p99 ns", |scan| scan.single_p99_ns)?;
    row("messages with a match", |scan| scan.hits as f64)?;
    row("matches", |scan| scan.matches as f64)?;
    writeln!(out)?;
    writeln!(out, "time in the sandbox / natively    {:.2}", figures.sandbox_over_native)?;
    writeln!(out, "border, per message in a batch    {:.0} ns", figures.border_message_ns)?;
    writeln!(out, "border, per call                  {:.0} ns", figures.border_call_ns)?;
    if figures.compile_ms > 0.0 {
        writeln!(out, "lists compiled in                 {:.1} ms", figures.compile_ms)?;
    }
    writeln!(out, "pack to first verdict             {:.1} ms", figures.load_ms)?;
    writeln!(
        out,
        "memory of a worker                {:.1} MB, the shared pack included",
        mb(figures.worker_memory_bytes)
    )?;
    let pss = [figures.pss_1_worker_bytes, figures.pss_2_workers_bytes, figures.pss_8_workers_bytes];
    if let [Some(one), Some(two), Some(eight)] = pss.map(|bytes| Some(bytes? as f64 / 1e6)) {
        writeln!(out, "process with 1, 2 and 8 workers   {one:.1}, {two:.1} and {eight:.1} MB")?;
    }
    Ok(())
}
