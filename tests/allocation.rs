//! Once warm, a scan takes no memory: natively no call of the allocator, in the sandbox no page. What is warm is a
//! scanner that has judged texts of these kinds and lengths before.
#![expect(unsafe_code, reason = "an allocator that counts is one that the language does not check")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use tamis_guest::{Message, Pack, PackBytes, Policy, Scanner, Verdict};
use tamis_host::{Filter, Judged};
use tamis_tests::adversary::{FAMILIES, Shape, plain_han, plain_text, shapes};
use tamis_tests::{blocking_parts, runtime, sms};

/// The system's allocator; counts for each thread how often it is asked for memory.
struct Counting;

thread_local! {
    static ASKED: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system's allocator as it came; counting needs no memory, and the counter
// has no destructor, so it is there as long as its thread.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ASKED.set(ASKED.get() + 1);
        // SAFETY: the caller's promises about `layout` are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        ASKED.set(ASKED.get() + 1);
        // SAFETY: as in `alloc`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        ASKED.set(ASKED.get() + 1);
        // SAFETY: as in `alloc`; the memory came from the system's allocator, as all does.
        unsafe { System.realloc(memory, layout, bytes) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as in `realloc`.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// SMS, what is hard to scan, and what is long.
fn texts(shape: &Shape) -> Vec<Vec<u8>> {
    let hard = FAMILIES.iter().zip(0..).map(|(family, seed)| family.text(shape, seed, 1500));
    let long = [plain_text(40_000), plain_han(40_000), Vec::new()];
    sms().into_iter().map(String::into_bytes).chain(hard).chain(long).collect()
}

#[test]
fn the_allocator_is_counted() {
    let before = ASKED.get();
    drop(std::hint::black_box(vec![1u8; 100]));
    assert!(ASKED.get() > before, "this test would notice nothing");
}

#[test]
fn a_warm_scan_asks_for_no_memory() {
    for shape in shapes() {
        let bytes = PackBytes::from(shape.pack());
        let pack = Pack::decode(&bytes).expect("the compiler writes packs");
        let policy = Policy::blocking(&pack);
        let texts = texts(&shape);
        let mut scanner = Scanner::new(&pack);
        let mut verdict = Verdict::default();
        let mut matches = 0;
        let mut scan_all = || {
            for text in &texts {
                scanner.scan(&policy, &Message { text, ..Message::default() }, &mut verdict);
                matches += verdict.matches.len();
            }
        };
        scan_all();
        let before = ASKED.get();
        scan_all();
        assert_eq!(ASKED.get() - before, 0, "with the list `{}`", shape.name);
        assert!(matches > 10, "{matches} matches of the list `{}`: too few to show anything", shape.name);
    }
}

#[test]
fn a_warm_sandbox_does_not_grow() {
    const MESSAGES: usize = 10_000;
    for shape in shapes() {
        let filter = Filter::new(runtime(), blocking_parts(shape.pack())).expect("the filter starts");
        let mut worker = filter.worker().expect("a worker");
        let texts = texts(&shape);
        let mut judged: Vec<Judged> = Vec::new();
        let all: Vec<Message<'_>> = texts.iter().map(|text| Message { text, ..Message::default() }).collect();
        worker.scan(&all, &mut judged);
        assert!(judged.iter().all(|judged| judged.failure.is_none()), "a sandbox that is replaced is never warm");
        let warm = worker.memory_bytes();
        let short: Vec<Message<'_>> = all.iter().copied().filter(|message| message.text.len() < 2000).collect();
        for batch in short.iter().copied().cycle().take(MESSAGES).collect::<Vec<_>>().chunks(64) {
            worker.scan(batch, &mut judged);
            assert!(judged.iter().all(|judged| judged.failure.is_none()));
        }
        worker.scan(&all, &mut judged);
        assert_eq!(worker.memory_bytes(), warm, "with the list `{}`", shape.name);
    }
}
