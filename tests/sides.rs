//! Filter modules of others beside the filter of the lists: the worst action wins, what each said stays apart, and
//! one that loops, traps or lies harms neither the others nor the host.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use tamis_guest::compile::FailurePolicy;
use tamis_guest::{Action, Message, Span};
use tamis_host::{Filter, Judged, LoadError, Metrics, Parts, ScanFailure, SideConfig, SideModule};
use tamis_tests::{blocking_parts, example_filter, pack_of, runtime};

const SHOUTED: &str = "COME TO THE ZORKBLAT TONIGHT";

/// A module in WAT that keeps to the boundary and allows every message; on one that begins with `!` it does `poison`
/// first, with the address of the verdict in `$out`, its length in `$size`.
fn wat(name: &str, poison: &str) -> Vec<u8> {
    wat_of(
        &format!(r#"(@custom "tamis_side" "{name}\0athe first\0athe second") (memory (export "memory") 24)"#),
        poison,
    )
}

fn wat_of(head: &str, poison: &str) -> Vec<u8> {
    let text = format!(
        r#"(module (@custom "tamis_abi" "\02\00\00\00") {head}
            (func (export "tamis_areas") (result i64) (i64.const 0x110000))
            (func (export "tamis_init") (param i32 i32 i32) (result i32) (i32.const 0))
            (func (export "tamis_scan") (param $count i32) (param i32) (result i32)
                (local $out i32) (local $size i32)
                (local.set $out (i32.const 0x110008))
                (local.set $size (i32.const 8))
                (i64.store (i32.const 0x110000) (i64.const 0))
                (i64.store (local.get $out) (i64.const 0))
                (if (i32.eq (i32.load8_u (i32.const 8)) (i32.const 0x21)) (then {poison}))
                (i32.store (i32.const 0x110000) (i32.const 1))
                (i32.store (i32.const 0x110004) (local.get $size))
                (i32.const 0)))"#
    );
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Writes one match with this action and reason.
fn finds(action: Action, reason: u32) -> String {
    format!(
        "(i32.store (local.get $out) (i32.const {})) (local.set $size (i32.const 24))
         (i32.store offset=8 (local.get $out) (i32.const 0)) (i32.store offset=12 (local.get $out) (i32.const 1))
         (i32.store offset=16 (local.get $out) (i32.const {reason}))
         (i32.store offset=20 (local.get $out) (i32.const 0))",
        0x10000 + action as u32
    )
}

const FOREVER: &str = "(loop $forever (br $forever))";

fn side(wasm: &[u8]) -> SideModule {
    runtime().side_module(wasm, &SideConfig::default()).unwrap_or_else(|error| panic!("{error}"))
}

/// The example, compiled once.
fn example() -> SideModule {
    static EXAMPLE: LazyLock<SideModule> = LazyLock::new(|| side(example_filter()));
    EXAMPLE.clone()
}

fn parts(sides: &[SideModule], failure: FailurePolicy) -> Parts {
    let mut parts = Parts { failure: vec![failure], ..blocking_parts(pack_of("zorkblat")) };
    for side in sides {
        parts.module = parts.module.beside(side.clone());
    }
    parts
}

fn judge(sides: &[SideModule], failure: FailurePolicy, texts: &[&str]) -> Vec<Judged> {
    let filter = Filter::new(runtime(), parts(sides, failure)).expect("it starts");
    let mut judged = Vec::new();
    let messages: Vec<Message<'_>> = texts.iter().map(|text| Message::body(text)).collect();
    filter.worker().expect("a worker").scan(&messages, &mut judged);
    assert_eq!(judged.len(), texts.len());
    judged
}

fn actions(judged: &[Judged]) -> Vec<Action> {
    judged.iter().map(|one| one.verdict.action).collect()
}

#[test]
fn the_example_says_what_it_found_and_where() {
    let example = example();
    assert_eq!((&**example.name(), example.reasons().len()), ("shouting", 1));
    let judged = judge(&[example], FailurePolicy::Hold, &["come to the cinema tonight", "COME TO THE CINEMA TONIGHT"]);
    assert_eq!(actions(&judged), [Action::Allow, Action::Flag]);
    assert!(judged[0].sides[0].findings.is_empty() && !judged[0].sides[0].says_something());
    let said = &judged[1].sides[0];
    assert_eq!((&*said.module, said.action, &said.failure), ("shouting", Action::Flag, &None));
    assert_eq!((said.findings[0].span, &*said.findings[0].reason), (Span { start: 0, end: 26 }, "written in capitals"));
    assert!(judged[1].verdict.matches.is_empty(), "what lists found stays apart");
}

#[test]
fn settings_are_taken_or_refused() {
    let with = |settings| runtime().side_module(example_filter(), SideConfig::default().settings(settings));
    let few = with("3").expect("a number");
    assert_eq!(actions(&judge(&[few], FailurePolicy::Hold, &["HEY", "hey"])), [Action::Flag, Action::Allow]);
    let error = with("many").expect_err("no number");
    assert!(
        matches!(&error, LoadError::SideStart { module, failure: ScanFailure::Refused(5) } if module == "shouting")
    );
}

#[test]
fn the_worst_action_wins() {
    let sides = [side(&wat("holds", &finds(Action::Hold, 1))), example()];
    let texts = ["zorkblat", "nothing", "!", SHOUTED, "!THIS IS SHOUTED OUT LOUD"];
    let judged = judge(&sides, FailurePolicy::Hold, &texts);
    assert_eq!(actions(&judged), [Action::Block, Action::Allow, Action::Hold, Action::Block, Action::Hold]);
    let said = |number: usize| judged[number].sides.iter().map(|said| said.action).collect::<Vec<_>>();
    assert_eq!((said(3), said(4)), (vec![Action::Allow, Action::Flag], vec![Action::Hold, Action::Flag]));
    assert_eq!(&*judged[2].sides[0].findings[0].reason, "the second");
    assert_eq!(judged[3].verdict.matches.len(), 1);
    // Where the operator lets it do less, it does less, and nobody else masks.
    for (asked, action_max, expected) in [
        (Action::Block, Action::Flag, Action::Flag),
        (Action::Flag, Action::Hold, Action::Flag),
        (Action::Mask, Action::Block, Action::Hold),
    ] {
        let module = wat("asks", &finds(asked, 0));
        let module = runtime().side_module(&module, SideConfig::default().action_max(action_max));
        assert_eq!(actions(&judge(&[module.expect("good")], FailurePolicy::Hold, &["!"])), [expected]);
    }
}

#[test]
fn a_module_that_fails_harms_no_other_and_no_other_message() {
    let grows = "(loop $grow (drop (memory.grow (i32.const 16))) (br $grow))";
    let fills = "(loop $fill (memory.fill (i32.const 0x120000) (i32.const 1) (i32.const 0x50000)) (br $fill))";
    type IsExpected = fn(&ScanFailure) -> bool;
    let cases: [(&str, &str, IsExpected); 7] = [
        ("loops", FOREVER, |failure| *failure == ScanFailure::Fuel),
        ("fills", fills, |failure| *failure == ScanFailure::Fuel),
        ("traps", "(unreachable)", |failure| matches!(failure, ScanFailure::Trap(_))),
        ("grows", grows, |failure| *failure == ScanFailure::Memory),
        ("lies", &finds(Action::Block, 2), |failure| *failure == ScanFailure::Answer),
        ("points", "(i32.store8 (local.get $out) (i32.const 9))", |failure| *failure == ScanFailure::Answer),
        ("refuses", "(return (i32.const 7))", |failure| *failure == ScanFailure::Refused(7)),
    ];
    for (name, poison, is_expected) in cases {
        for (policy, answer) in [
            (FailurePolicy::Open, Action::Flag),
            (FailurePolicy::Hold, Action::Hold),
            (FailurePolicy::Closed, Action::Block),
        ] {
            let sides = [side(&wat(name, poison)), example()];
            let judged = judge(&sides, policy, &["one", "!", "zorkblat", SHOUTED, "four", "!zorkblat"]);
            assert_eq!(
                actions(&judged),
                [Action::Allow, answer, Action::Block, Action::Block, Action::Allow, Action::Block],
                "{name}"
            );
            for (number, one) in judged.iter().enumerate() {
                let failed = number == 1 || number == 5;
                assert_eq!(one.failure, None, "{name}: the filter of the lists has its verdict");
                assert_eq!(one.sides[0].failure.is_some(), failed, "{name}: message {number}");
                assert_eq!(one.sides[1].failure, None, "{name}: the other module has its verdict");
            }
            let failure = judged[1].sides[0].failure.as_ref().expect("a failure");
            assert!(is_expected(failure), "{name}: {failure:?}");
        }
    }
}

#[test]
fn a_module_that_always_fails_is_left_alone() {
    let loops = side(&wat("loops", FOREVER));
    let filter = Filter::new(runtime(), parts(std::slice::from_ref(&loops), FailurePolicy::Open)).expect("it starts");
    let mut worker = filter.worker().expect("a worker");
    let mut judged = Vec::new();
    let start = Instant::now();
    for _ in 0..100 {
        worker.scan(&[Message::body("!"); 64], &mut judged);
        assert!(judged.iter().all(|one| one.sides[0].failure.is_some() && one.verdict.action == Action::Flag));
    }
    assert_eq!(judged[0].sides[0].failure, Some(ScanFailure::Resting));
    // 6,400 loops to the end of their fuel would take a quarter of a minute at the least.
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert_eq!(loops.counts(), (0, 6_400));
    let text = Metrics::new(&filter, None).text();
    assert!(text.contains("tamis_side_messages_total{module=\"loops\",what=\"failed\"} 6400"), "{text}");
}

#[test]
fn the_same_message_always_gets_as_far() {
    // A loop of as many rounds as the second byte says, in thousands.
    let rounds = "(local.set $size (i32.mul (i32.load8_u (i32.const 9)) (i32.const 4000)))
         (loop $again (local.set $size (i32.sub (local.get $size) (i32.const 1))) (br_if $again (local.get $size)))
         (local.set $size (i32.const 8))";
    let texts: Vec<String> = (b'!'..=b'~').map(|byte| format!("!{}", char::from(byte))).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let passed = || {
        let judged = judge(&[side(&wat("counts", rounds))], FailurePolicy::Open, &texts);
        judged.iter().map(|one| one.sides[0].failure.is_none()).collect::<Vec<bool>>()
    };
    let first = passed();
    assert_eq!(first, passed());
    let passed = first.iter().filter(|&&passed| passed).count();
    assert!((5..90).contains(&passed), "{passed} of {} pass: the test shows nothing", first.len());
    let border = first.iter().position(|passed| !passed).expect("some fail");
    assert!(first[border..].iter().all(|passed| !passed), "a longer loop passed where a shorter failed");
}

#[test]
fn modules_that_are_none_are_refused() {
    let refused = |wasm: &[u8]| {
        let error = runtime().side_module(wasm, &SideConfig::default()).expect_err("it must be refused");
        // And a good one beside goes on.
        assert_eq!(actions(&judge(&[example()], FailurePolicy::Hold, &["HEY"])), [Action::Allow]);
        error
    };
    let head = r#"(@custom "tamis_side" "x\0ay")"#;
    let memory = r#"(memory (export "memory") 24)"#;
    let mut other_version = wat("x", "");
    let at = other_version.windows(9).position(|window| window == b"tamis_abi").expect("it has the section") + 9;
    other_version[at] = 3;
    assert!(matches!(refused(&other_version), LoadError::Abi { expected: 2, found: 3 }));
    // One for lists, and the other way round.
    assert!(matches!(refused(tamis_host::default_module()), LoadError::Place(_)));
    assert!(matches!(runtime().module(example_filter()), Err(LoadError::Place(_))));
    // Imports of any kind, of the memory too.
    for import in [r#"(import "env" "memory" (memory 24))"#, r#"(import "env" "clock" (func (result i64)))"#] {
        assert!(matches!(refused(&wat_of(&format!("{head} {import}"), "")), LoadError::Import(_)), "{import}");
    }
    assert!(matches!(refused(&wat_of(&format!("{head} (memory 24)"), "")), LoadError::Export("memory `memory`")));
    for section in ["", "x", "x y\\0az", "x\\0a", "x\\0ay\\0d", "\\ff\\0ay"] {
        let wasm = wat_of(&format!(r#"(@custom "tamis_side" "{section}") {memory}"#), "");
        assert!(matches!(refused(&wasm), LoadError::NotAModule(_)), "{section}");
    }
    // One that never starts.
    let starts = format!("{head} {memory} (func $start {FOREVER}) (start $start)");
    let error = refused(&wat_of(&starts, ""));
    assert!(matches!(error, LoadError::SideStart { failure: ScanFailure::Fuel, .. }), "{error:?}");
    let huge = format!(r#"{head} (memory (export "memory") 30000)"#);
    let error = refused(&wat_of(&huge, ""));
    assert!(matches!(error, LoadError::SideStart { failure: ScanFailure::Memory, .. }), "{error:?}");
}

#[test]
fn a_swap_keeps_or_exchanges_what_stands_beside() {
    let filter = Filter::new(runtime(), parts(&[], FailurePolicy::Hold)).expect("it starts");
    let mut worker = filter.worker().expect("a worker");
    let mut judged = Vec::new();
    let example = example();
    for (sides, expected) in [
        (vec![example.clone()], Action::Flag),
        (vec![example.clone(), side(&wat("blocks", &finds(Action::Block, 0)))], Action::Block),
        (vec![example], Action::Flag),
        (Vec::new(), Action::Allow),
    ] {
        let count = sides.len();
        let number = filter.swap(parts(&sides, FailurePolicy::Hold)).expect("it starts");
        worker.scan(&[Message::body("!THIS IS SHOUTED OUT LOUD")], &mut judged);
        assert_eq!((judged[0].generation, judged[0].verdict.action, judged[0].sides.len()), (number, expected, count));
    }
}
