//! Generations replaced while messages flow: every message has one verdict, of the generation it names,
//! and what is replaced is given back.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tamis_guest::{Action, Message, TermId};
use tamis_host::{Filter, LoadError, Parts, ScanFailure};
use tamis_tests::{blocking_parts, module_with, pack_of, runtime, shipped_parts};

const SWAPS: u64 = 1000;
/// Swaps after which everything that is made once has been made.
const SWAPS_WARM: u64 = 100;
const SCANNERS: usize = 3;

/// The terms of three packs. Each of `MESSAGES` is matched by another term, or none, in each.
const PACKS: [&str; 3] = ["apple\nbanana", "banana\ncherry\napple", "cherry"];
const MESSAGES: [&str; 4] = ["an apple", "a banana", "a cherry", "a date"];
/// By pack and message, the number of the term that is found.
const FOUND: [[Option<u32>; 4]; 3] =
    [[Some(0), Some(1), None, None], [Some(2), Some(0), Some(1), None], [None, None, Some(0), None]];

/// One test at a time: what they measure belongs to the whole process.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn packs() -> [Parts; 3] {
    PACKS.map(|terms| blocking_parts(pack_of(terms)))
}

/// Generation 1 has the first pack, and each next one the next.
fn pack_of_generation(generation: u64) -> usize {
    usize::try_from((generation - 1) % PACKS.len() as u64).expect("below the number of packs")
}

/// Scans until told to stop; returns how many messages were judged and by how many generations.
fn scan_until(filter: &Filter, stop: &AtomicBool) -> (usize, usize) {
    let mut worker = filter.worker().expect("a worker");
    let messages: Vec<Message<'_>> = MESSAGES.into_iter().cycle().take(150).map(Message::body).collect();
    let mut judged = Vec::new();
    let mut seen = BTreeSet::new();
    let mut count = 0;
    while !stop.load(Ordering::Relaxed) {
        let oldest = filter.generation().number();
        worker.scan(&messages, &mut judged);
        let newest = filter.generation().number();
        assert_eq!(judged.len(), messages.len(), "one verdict a message");

        let generation = judged[0].generation;
        assert!((oldest..=newest).contains(&generation), "{generation} judged between {oldest} and {newest}");
        assert!(seen.last().is_none_or(|&last| last <= generation), "a worker went back to generation {generation}");
        for (number, one) in judged.iter().enumerate() {
            assert_eq!(one.generation, generation, "one call, one generation");
            assert_eq!(one.failure, None);
            let found: Vec<TermId> = one.verdict.matches.iter().map(|found| found.term).collect();
            let expected = FOUND[pack_of_generation(generation)][number % MESSAGES.len()].map(TermId);
            assert_eq!(found, Vec::from_iter(expected), "message {number} of generation {generation}");
            let action = if expected.is_some() { Action::Block } else { Action::Allow };
            assert_eq!(one.verdict.action, action);
        }
        seen.insert(generation);
        count += judged.len();
    }
    (count, seen.len())
}

/// What the process holds.
#[derive(Clone, Copy, Debug)]
struct Held {
    resident_kib: u64,
    threads: u64,
    files: u64,
}

impl Held {
    /// Measures until it holds still: what was replaced is dropped on another thread.
    fn settled() -> Held {
        let deadline = Instant::now() + Duration::from_secs(5);
        let mut last = Held::now();
        loop {
            thread::sleep(Duration::from_millis(100));
            let now = Held::now();
            if now.resident_kib.abs_diff(last.resident_kib) < 1024 && now.files == last.files
                || Instant::now() > deadline
            {
                return now;
            }
            last = now;
        }
    }

    fn now() -> Held {
        let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
        let number = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key)).expect("Linux has it");
            line.trim().trim_end_matches(" kB").parse().expect("a number")
        };
        let files = std::fs::read_dir("/proc/self/fd").expect("Linux has it").count();
        Held { resident_kib: number("VmRSS:"), threads: number("Threads:"), files: files as u64 }
    }
}

#[test]
fn every_message_has_one_verdict_of_the_generation_it_names() {
    let _alone = alone();
    let packs = packs();
    let filter = Filter::new(runtime(), packs[0].clone()).expect("the first generation starts");
    let stop = AtomicBool::new(false);
    let measured = cfg!(target_os = "linux");

    let (held, scanned) = thread::scope(|scope| {
        let scanners: Vec<_> = (0..SCANNERS).map(|_| scope.spawn(|| scan_until(&filter, &stop))).collect();
        let swap_all = || {
            let mut held = Vec::new();
            for generation in 2..=SWAPS + 1 {
                let number = filter.swap(packs[pack_of_generation(generation)].clone()).expect("a good generation");
                assert_eq!(number, generation, "numbers count up by one");
                if measured && (generation == SWAPS_WARM + 1 || generation == SWAPS + 1) {
                    held.push(Held::settled());
                }
            }
            held
        };
        let held = std::panic::catch_unwind(std::panic::AssertUnwindSafe(swap_all));
        // Even if swapping failed: the scope waits for the scanners.
        stop.store(true, Ordering::Relaxed);
        let scanned: Vec<(usize, usize)> =
            scanners.into_iter().map(|scanner| scanner.join().expect("the assertions of the scanner hold")).collect();
        (held.unwrap_or_else(|panic| std::panic::resume_unwind(panic)), scanned)
    });

    assert_eq!(filter.generation().number(), SWAPS + 1);
    for (messages, generations) in scanned {
        assert!(messages > 10_000, "{messages} messages judged: too few for this test to show anything");
        assert!(generations > 50, "{generations} generations seen: too few for this test to show anything");
    }
    if let [warm, last] = held[..] {
        // 900 generations more. One left behind would hold a page of each area and of the pack, at least.
        assert!(last.resident_kib < warm.resident_kib + (8 << 10), "memory grows: {warm:?}, {last:?}");
        assert!(last.threads <= warm.threads, "threads are left behind: {warm:?}, {last:?}");
        assert!(last.files <= warm.files + 8, "files are left open: {warm:?}, {last:?}");
    }
}

#[test]
fn a_swap_that_fails_changes_nothing() {
    let _alone = alone();
    let [first, second, _] = packs();
    let filter = Filter::new(runtime(), first.clone()).expect("the first generation starts");
    let mut worker = filter.worker().expect("a worker");
    let before = filter.generation();
    let mut judged = Vec::new();
    let mut assert_unchanged = || {
        assert!(Arc::ptr_eq(&before, &filter.generation()), "a failed swap changed the generation");
        worker.scan(&[Message::body("an apple"), Message::body("a cherry")], &mut judged);
        let seen: Vec<_> = judged.iter().map(|one| (one.verdict.action, one.generation)).collect();
        assert_eq!(seen, [(Action::Block, 1), (Action::Allow, 1)]);
    };
    assert_unchanged();

    // A pack that does not decode is none, so it cannot even be offered.
    let mut damaged = first.pack.bytes().to_vec();
    damaged[200] ^= 1;
    assert!(matches!(runtime().pack(damaged), Err(LoadError::Pack(_))));
    assert_unchanged();

    let refusing = r#"(module
        (@custom "tamis_abi" "\02\00\00\00")
        (import "env" "memory" (memory 24))
        (func (export "tamis_areas") (result i64) (i64.const 0x110000))
        (func (export "tamis_init") (param i32 i32 i32) (result i32) (i32.const 2))
        (func (export "tamis_scan") (param i32 i32) (result i32) (i32.const 0)))"#;
    let module = runtime().module(&wat::parse_str(refusing).expect("good WAT")).expect("a module");
    let error = filter.swap(Parts { module, ..second.clone() }).expect_err("it refuses");
    assert!(matches!(error, LoadError::Start(ScanFailure::Refused(2))), "{error:?}");
    assert_unchanged();

    // A policy for the categories of another pack.
    let error = filter.swap(Parts { policy: first.policy, ..shipped_parts() }).expect_err("it does not fit");
    assert!(matches!(error, LoadError::Start(ScanFailure::Refused(_))), "{error:?}");
    assert_unchanged();

    // And the filter can still be swapped, to the next number.
    let before = filter.generation().number();
    assert_eq!(filter.swap(second).expect("a good generation"), before + 1);
    worker.scan(&[Message::body("a cherry")], &mut judged);
    assert_eq!((judged[0].verdict.action, judged[0].generation), (Action::Block, before + 1));
}

#[test]
fn every_worker_moves_before_its_next_batch() {
    let _alone = alone();
    let [first, second, _] = packs();
    let filter = Filter::new(runtime(), first).expect("the first generation starts");
    let mut workers = [filter.worker().expect("a worker"), filter.worker().expect("a worker")];
    let mut judged = Vec::new();
    for (generation, action) in [(1, Action::Allow), (2, Action::Block)] {
        if generation == 2 {
            filter.swap(second.clone()).expect("a good generation");
        }
        for worker in &mut workers {
            worker.scan(&[Message::body("a cherry")], &mut judged);
            assert_eq!((judged[0].verdict.action, judged[0].generation), (action, generation));
            assert_eq!(worker.generation().number(), generation);
        }
    }
}

/// How often this thread waited for a page that was not there yet.
#[cfg(target_os = "linux")]
fn page_faults() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").expect("Linux has it");
    let after_name = stat.rsplit(')').next().expect("a name");
    after_name.split_whitespace().nth(7).and_then(|number| number.parse().ok()).expect("a number")
}

/// Memory of this process, pages that are mapped several times counted once.
#[cfg(target_os = "linux")]
fn own_kib() -> u64 {
    let all = std::fs::read_to_string("/proc/self/smaps_rollup").expect("Linux has it");
    let line = all.lines().find_map(|line| line.strip_prefix("Pss:")).expect("Linux has it");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// A pack of some megabytes.
fn large_pack() -> Parts {
    let terms: Vec<String> =
        (0..60_000_u32).map(|number| format!("zork{:x}blat", number.wrapping_mul(0x9E37_79B1))).collect();
    blocking_parts(pack_of(&terms.join("\n")))
}

#[cfg(target_os = "linux")]
#[test]
fn fault_25_swap_that_is_felt() {
    let _alone = alone();
    let large = large_pack();
    let filter = Filter::new(runtime(), packs()[0].clone()).expect("the first generation starts");
    let mut worker = filter.worker().expect("a worker");
    let mut judged = Vec::new();
    let messages = ["see you at six, an apple", "a zork0blat, and another"].map(Message::body);
    let mut faults = |worker: &mut tamis_host::Worker| {
        let before = page_faults();
        worker.scan(&messages, &mut judged);
        assert!(judged.iter().all(|one| one.failure.is_none()));
        page_faults() - before
    };
    for _ in 0..3 {
        faults(&mut worker);
    }
    // The first batch of a new generation meets a sandbox that is there and pages that are mapped.
    let swapped: Vec<u64> = (0..5)
        .map(|_| {
            filter.swap(large.clone()).expect("a good generation");
            faults(&mut worker)
        })
        .collect();
    // Where nothing was made ready, that one makes the sandbox and waits for its pages.
    let late: Vec<u64> = (0..5)
        .map(|_| {
            let before = page_faults();
            let mut late = filter.worker().expect("a worker");
            faults(&mut late);
            page_faults() - before
        })
        .collect();
    let (worst, best) = (swapped.iter().max().expect("five"), late.iter().min().expect("five"));
    assert!(worst * 4 < *best, "{swapped:?} page faults after swaps, {late:?} without");
}

#[cfg(target_os = "linux")]
#[test]
fn fault_26_shared_pack_made_private_page_by_page() {
    const WORKERS: u64 = 4;
    let _alone = alone();
    let large = large_pack();
    let pack_kib = large.pack.bytes().len() as u64 >> 10;
    let vandal = module_with("(memory.fill (local.get $pack) (i32.const 7) (local.get $bytes)) (i32.const 0)", "");
    let module = runtime().module(&vandal).expect("a module");
    let filter = Filter::new(runtime(), large.clone()).expect("it starts");
    let mut workers: Vec<_> = (0..WORKERS).map(|_| filter.worker().expect("a worker")).collect();
    let mut all_judge = || {
        let mut judged = Vec::new();
        for worker in &mut workers {
            worker.scan(&[Message::body("see you at six")], &mut judged);
            assert_eq!((judged[0].verdict.action, &judged[0].failure), (Action::Allow, &None));
        }
        // What was replaced is dropped on another thread.
        Held::settled();
        own_kib()
    };
    let shared = all_judge();
    // It writes every page of the pack in every sandbox: that costs a pack for each of them, and no more.
    let generation = filter.swap(Parts { module, ..large.clone() }).expect("it starts");
    let dirty = all_judge();
    assert!(dirty > shared + WORKERS * pack_kib / 2, "{dirty} KiB after {shared}: or this shows nothing");
    assert!(dirty < shared + WORKERS * pack_kib + (8 << 10), "{dirty} KiB after {shared}, the pack has {pack_kib}");
    // And all of it is given back with the generation.
    assert!(filter.swap(large).expect("it starts") > generation);
    let after = all_judge();
    assert!(after < shared + (8 << 10), "{after} KiB after {shared}, the pack has {pack_kib}");
}
