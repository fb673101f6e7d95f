//! Filter modules that mean harm or are broken. Whatever one does, the host lives, says what happened,
//! gives every message a verdict, and a good filter beside it goes on.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tamis_guest::compile::FailurePolicy;
use tamis_guest::wire::ABI_VERSION;
use tamis_guest::{Action, ChannelId, Message, Policy};
use tamis_host::{Filter, Judged, LoadError, Module, Parts, Runtime, RuntimeConfig, ScanFailure};
use tamis_tests::adversary::{FAMILIES, shapes};
use tamis_tests::{blocking_parts, pack_of};

/// A runtime that loses patience soon, and the shipped module in it.
fn runtime() -> &'static (Runtime, Module) {
    static RUNTIME: LazyLock<(Runtime, Module)> = LazyLock::new(|| {
        let runtime = Runtime::new(RuntimeConfig::default().scan_deadline(Duration::from_millis(60)));
        let runtime = runtime.expect("this machine runs sandboxes");
        let module = runtime.module(tamis_host::default_module()).expect("the shipped module is good");
        (runtime, module)
    });
    &RUNTIME
}

/// A module in WAT that keeps to the boundary, with holes to put harm into. It allows every message; on
/// one that begins with `!` it does `poison` first, with the address of the verdict in `$out`, its length
/// in `$size`.
#[derive(Clone, Copy)]
struct Wat {
    section: &'static str,
    imports: &'static str,
    functions: &'static str,
    areas: &'static str,
    init: &'static str,
    poison: &'static str,
    /// Done after the last message, before the answer.
    after: &'static str,
    answer: &'static str,
}

const HONEST: Wat = Wat {
    section: r#"(@custom "tamis_abi" "\02\00\00\00")"#,
    imports: r#"(import "env" "memory" (memory 24))"#,
    functions: "",
    // The in area at 0, the out area at 0x110000, as long as `wire` says, within 24 pages.
    areas: "(i64.const 0x110000)",
    init: "(i32.const 0)",
    poison: "",
    after: "",
    answer: "(i32.const 0)",
};

/// A loop without end.
const FOREVER: &str = "(loop $forever (br $forever))";

impl Wat {
    fn bytes(&self) -> Vec<u8> {
        let Wat { section, imports, functions, areas, init, poison, after, answer } = self;
        let text = format!(
            r#"(module {section} {imports} {functions}
                (func (export "tamis_areas") (result i64) {areas})
                (func (export "tamis_init") (param $pack i32) (param $bytes i32) (param i32) (result i32) {init})
                (func (export "tamis_scan") (param $count i32) (param i32) (result i32)
                    (local $number i32) (local $text i32) (local $out i32) (local $size i32)
                    (local.set $text (i32.mul (local.get $count) (i32.const 8)))
                    (local.set $out (i32.const 0x110008))
                    (i64.store (i32.const 0x110000) (i64.const 0))
                    (loop $messages
                        (i64.store (local.get $out) (i64.const 0))
                        (local.set $size (i32.const 8))
                        (if (i32.eq (i32.load8_u (local.get $text)) (i32.const 0x21)) (then {poison}))
                        (local.set $out (i32.add (local.get $out) (local.get $size)))
                        (local.set $text (i32.add (local.get $text)
                            (i32.load (i32.mul (local.get $number) (i32.const 8)))))
                        (local.set $number (i32.add (local.get $number) (i32.const 1)))
                        (i32.store (i32.const 0x110000) (local.get $number))
                        (i32.store (i32.const 0x110004) (i32.sub (local.get $out) (i32.const 0x110008)))
                        (br_if $messages (i32.lt_u (local.get $number) (local.get $count))))
                    {after} {answer}))"#
        );
        wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }
}

fn parts(module: Module) -> Parts {
    let pack = runtime().0.pack(pack_of("casino")).expect("a good pack");
    let policy = Policy::blocking(&pack.pack());
    Parts { module, pack, policy, failure: vec![FailurePolicy::Closed] }
}

/// A filter that runs beside the hostile one, and must not notice.
struct Neighbour {
    filter: Filter,
    worker: tamis_host::Worker,
}

impl Neighbour {
    fn new() -> Neighbour {
        let (runtime, module) = runtime();
        let filter = Filter::new(runtime, parts(module.clone())).expect("the good filter starts");
        let worker = filter.worker().expect("the good filter has workers");
        Neighbour { filter, worker }
    }

    #[track_caller]
    fn assert_judges(&mut self) {
        let mut judged = Vec::new();
        self.worker.scan(&[Message::body("the casino"), Message::body("the cinema")], &mut judged);
        let seen: Vec<_> = judged.iter().map(|one| (one.verdict.action, one.generation, &one.failure)).collect();
        assert_eq!(seen, [(Action::Block, 1, &None), (Action::Allow, 1, &None)], "the good filter beside it changed");
    }

    /// Tries to swap to the module and returns why it does not start.
    #[track_caller]
    fn refuses_to_swap(&mut self, wasm: &[u8]) -> ScanFailure {
        let module = runtime().0.module(wasm).expect("nothing is wrong before it starts");
        let before = self.filter.generation();
        let error = self.filter.swap(parts(module)).expect_err("the module must not start");
        assert!(Arc::ptr_eq(&before, &self.filter.generation()), "a failed swap changed the generation");
        self.assert_judges();
        match error {
            LoadError::Start(failure) => failure,
            other => panic!("an error of the start is expected, not {other:?}"),
        }
    }
}

/// Why a module with that hole filled does not start.
#[track_caller]
fn start_failure(wat: &Wat) -> ScanFailure {
    Neighbour::new().refuses_to_swap(&wat.bytes())
}

/// Why bytes are refused before anything of them runs.
#[track_caller]
fn load_error(wasm: &[u8]) -> LoadError {
    let mut neighbour = Neighbour::new();
    let error = runtime().0.module(wasm).expect_err("the module must be refused");
    neighbour.assert_judges();
    error
}

/// Judges five messages, the third of which is the poison, by a hostile filter.
#[track_caller]
fn judge(wat: &Wat) -> Vec<Judged> {
    let mut neighbour = Neighbour::new();
    let module = runtime().0.module(&wat.bytes()).expect("nothing is wrong before it scans");
    let filter = Filter::new(&runtime().0, parts(module)).expect("nothing is wrong before it scans");
    let mut worker = filter.worker().expect("it has workers");
    let mut judged = Vec::new();
    worker.scan(&["one", "two", "!poison", "four", "five"].map(Message::body), &mut judged);
    neighbour.assert_judges();
    assert_eq!(judged.len(), 5, "every message has one verdict");
    judged
}

/// The failure on the poison; all others must have the module's own verdict.
#[track_caller]
fn poison_failure(poison: &'static str) -> ScanFailure {
    poison_failure_of(&Wat { poison, ..HONEST })
}

#[track_caller]
fn poison_failure_of(wat: &Wat) -> ScanFailure {
    let mut judged = judge(wat);
    let poisoned = judged.remove(2);
    for one in &judged {
        assert_eq!((one.verdict.action, &one.failure), (Action::Allow, &None), "a message beside the poison");
    }
    assert_eq!(poisoned.verdict.action, Action::Block, "the failure policy is `closed`");
    assert!(poisoned.verdict.matches.is_empty());
    poisoned.failure.expect("a failure on the poison")
}

/// The failure that all five messages have.
#[track_caller]
fn failure_of_all(wat: &Wat) -> ScanFailure {
    let judged = judge(wat);
    assert!(judged.iter().all(|one| one.verdict.action == Action::Block), "the failure policy is `closed`");
    let failure = judged[0].failure.clone().expect("a failure");
    assert!(judged.iter().all(|one| one.failure.as_ref() == Some(&failure)), "{judged:?}");
    failure
}

#[track_caller]
fn assert_trap(failure: &ScanFailure, reason: &str) {
    assert!(matches!(failure, ScanFailure::Trap(found) if found.contains(reason)), "{failure:?}");
}

#[test]
fn an_honest_module_passes() {
    for one in judge(&HONEST) {
        assert_eq!((one.verdict.action, one.failure), (Action::Allow, None), "or the other tests show nothing");
    }
}

#[test]
fn fault_01_loop_without_end() {
    let functions = "(func $start (loop $forever (br $forever))) (start $start)";
    assert_eq!(start_failure(&Wat { functions, ..HONEST }), ScanFailure::Deadline, "in the start function");
    let areas = "(loop $forever (br $forever)) (unreachable)";
    assert_eq!(start_failure(&Wat { areas, ..HONEST }), ScanFailure::Deadline);
    assert_eq!(start_failure(&Wat { init: areas, ..HONEST }), ScanFailure::Deadline);
    assert_eq!(poison_failure(FOREVER), ScanFailure::Deadline);
}

#[test]
fn init_that_refuses() {
    assert_eq!(start_failure(&Wat { init: "(i32.const 77)", ..HONEST }), ScanFailure::Refused(77));
}

#[test]
fn init_that_traps() {
    assert_trap(&start_failure(&Wat { init: "(unreachable)", ..HONEST }), "unreachable");
}

#[test]
fn scan_that_refuses() {
    // The cursor says that all verdicts stand, and they do: only the call is odd.
    let judged = judge(&Wat { answer: "(i32.const 5)", ..HONEST });
    assert!(judged.iter().all(|one| one.verdict.action == Action::Allow && one.failure.is_none()), "{judged:?}");
    // Without a verdict there is nothing that could stand.
    let after = "(i64.store (i32.const 0x110000) (i64.const 0))";
    assert_eq!(failure_of_all(&Wat { after, answer: "(i32.const 5)", ..HONEST }), ScanFailure::Refused(5));
}

#[test]
fn fault_10_trap_in_the_middle_of_a_batch() {
    assert_trap(&poison_failure("(unreachable)"), "unreachable");
    // In company only: the second try is alone, and its verdict stands.
    let poison = "(if (i32.gt_u (local.get $count) (i32.const 1)) (then (unreachable)))";
    let judged = judge(&Wat { poison, ..HONEST });
    assert!(judged.iter().all(|one| one.verdict.action == Action::Allow && one.failure.is_none()), "{judged:?}");
}

#[test]
fn access_beyond_memory() {
    assert_trap(&poison_failure("(drop (i32.load (i32.const 0x7FFFFFF0)))"), "out of bounds");
}

#[test]
fn fault_07_stack_overflow() {
    let functions = "(func $down (call $down) (call $down))";
    let failure = poison_failure_of(&Wat { functions, poison: "(call $down)", ..HONEST });
    assert_trap(&failure, "stack");
}

#[test]
fn fault_03_call_that_waits_in_the_host() {
    // No clock ends a call of the host, so there is none to call: neither by an import of any type nor by a function
    // that the host puts into a table.
    for import in ["(func)", "(func (param i32) (result i32))", "(table 1 funcref)", "(global (mut i32))", "(tag)"] {
        let text = format!(r#"(module {} {} (import "env" "wait" {import}))"#, HONEST.section, HONEST.imports);
        let error = load_error(&wat::parse_str(text).expect("good WAT"));
        assert!(matches!(&error, LoadError::Import(found) if found == "env.wait"), "{import}: {error:?}");
    }
    // Waiting on memory is a call of the host as well.
    let functions = "(func (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1))))";
    let error = load_error(&Wat { functions, ..HONEST }.bytes());
    assert!(matches!(error, LoadError::NotAModule(_)), "{error:?}");
}

#[test]
fn fault_04_memory_bomb() {
    let poison = "(loop $grow (drop (memory.grow (i32.const 16))) (br $grow))";
    assert_eq!(poison_failure(poison), ScanFailure::Memory);
    let init = "(loop $grow (drop (memory.grow (i32.const 16))) (br $grow)) (unreachable)";
    assert_eq!(start_failure(&Wat { init, ..HONEST }), ScanFailure::Memory);
    // From the start: more than the limit, and all that there could be, with no room for the pack.
    let imports = r#"(import "env" "memory" (memory 30000))"#;
    assert_eq!(start_failure(&Wat { imports, ..HONEST }), ScanFailure::Memory);
    let imports = r#"(import "env" "memory" (memory 65536))"#;
    let module = runtime().0.module(&Wat { imports, ..HONEST }.bytes()).expect("nothing is wrong before it starts");
    let error = Filter::new(&runtime().0, parts(module)).expect_err("no room for the pack");
    assert!(matches!(error, LoadError::Sandbox(_)), "{error:?}");
}

#[test]
fn fault_06_table_that_grows() {
    let functions = "(table $table 0 funcref)";
    let poison = "(loop $grow (drop (table.grow $table (ref.null func) (i32.const 999))) (br $grow))";
    assert_eq!(poison_failure_of(&Wat { functions, poison, ..HONEST }), ScanFailure::Memory);
}

#[test]
fn fault_09_pack_damaged_by_the_guest_itself() {
    // The neighbour maps the same pack; what a guest writes is its own copy. It finds its pack as it should be, or traps.
    let (runtime, module) = runtime();
    let init = "(if (i64.ne (i64.load (local.get $pack)) (i64.const 0x6B61_7073_696D_6174)) (then (unreachable)))
        (memory.fill (local.get $pack) (i32.const 0xFF) (local.get $bytes)) (i32.const 0)";
    let magic = parts(module.clone()).pack.bytes().first_chunk::<8>().map(|magic| i64::from_le_bytes(*magic));
    let init = init.replace("0x6B61_7073_696D_6174", &magic.expect("a pack").to_string());
    let vandal = runtime.module(&Wat { init: init.leak(), ..HONEST }.bytes()).expect("a module");
    let good = parts(module.clone());
    let filter = Filter::new(runtime, good.clone()).expect("the good filter starts");
    let vandal = Filter::new(runtime, Parts { module: vandal, ..good }).expect("it starts");
    let _overwritten = vandal.worker().expect("it has workers");
    let mut judged = Vec::new();
    filter.worker().expect("a worker").scan(&[Message::body("the casino")], &mut judged);
    assert_eq!(judged[0].verdict.action, Action::Block);
    // A fresh sandbox of the same generation has it whole again, or its start would trap.
    vandal.worker().expect("its pack is whole").scan(&[Message::body("one")], &mut judged);
    assert_eq!(judged[0].failure, None);
}

#[test]
fn more_messages_done_than_asked() {
    let after = "(i32.store (i32.const 0x110000) (i32.const 1000000))";
    let judged = judge(&Wat { after, ..HONEST });
    assert!(judged.iter().all(|one| one.verdict.action == Action::Allow && one.failure.is_none()), "{judged:?}");
}

#[test]
fn fewer_messages_done_than_asked() {
    let after = "(i32.store (i32.const 0x110000) (i32.const 0))";
    assert_eq!(failure_of_all(&Wat { after, ..HONEST }), ScanFailure::Answer);
}

#[test]
fn action_that_does_not_exist() {
    assert_eq!(poison_failure("(i32.store8 (local.get $out) (i32.const 9))"), ScanFailure::Answer);
}

#[test]
fn flag_that_does_not_exist() {
    assert_eq!(poison_failure("(i32.store8 offset=1 (local.get $out) (i32.const 0x80))"), ScanFailure::Answer);
}

#[test]
fn confidence_beyond_certainty() {
    assert_eq!(poison_failure("(i32.store16 offset=4 (local.get $out) (i32.const 1001))"), ScanFailure::Answer);
    assert_eq!(poison_failure("(i32.store offset=4 (local.get $out) (i32.const 0x02000200))"), ScanFailure::Answer);
}

#[test]
fn more_matches_than_a_verdict_has() {
    assert_eq!(poison_failure("(i32.store16 offset=2 (local.get $out) (i32.const 0xFFFF))"), ScanFailure::Answer);
}

/// Harm that writes one match with these fields.
macro_rules! one_match {
    ($start:literal, $end:literal, $term:literal, $evidence:literal) => {
        concat!(
            "(i32.store (local.get $out) (i32.const 0x10004)) (local.set $size (i32.const 24))",
            "(i32.store offset=8 (local.get $out) (i32.const ",
            $start,
            ")) (i32.store offset=12 (local.get $out) (i32.const ",
            $end,
            ")) (i32.store offset=16 (local.get $out) (i32.const ",
            $term,
            ")) (i32.store offset=20 (local.get $out) (i32.const ",
            $evidence,
            "))"
        )
    };
}

#[test]
fn match_that_could_be() {
    let judged = judge(&Wat { poison: one_match!(0, 7, 0, 0), ..HONEST });
    assert_eq!(judged[2].failure, None, "or the next tests show nothing");
    assert_eq!((judged[2].verdict.action, judged[2].verdict.matches.len()), (Action::Block, 1));
}

#[test]
fn fault_08_lying_pointers_and_lengths() {
    let beyond = "(i64.const 0xFFFF000000110000)";
    assert_eq!(start_failure(&Wat { areas: beyond, ..HONEST }), ScanFailure::Answer);
    let beyond = "(i64.const 0x00000000FFFF0000)";
    assert_eq!(start_failure(&Wat { areas: beyond, ..HONEST }), ScanFailure::Answer);
    // The pack of these tests takes one page behind the module's 24.
    let in_area = "(i64.const 0x0018000000110000)";
    assert_eq!(start_failure(&Wat { areas: in_area, ..HONEST }), ScanFailure::Answer);
    let out_area = "(i64.const 0x000000000018FFF8)";
    assert_eq!(start_failure(&Wat { areas: out_area, ..HONEST }), ScanFailure::Answer);
    // Lengths of what it says, and places in the text.
    for lie in ["(i32.const -1)", "(i32.const 3)"] {
        let after = ["(i32.store (i32.const 0x110004) ", lie, ")"].concat();
        assert_eq!(failure_of_all(&Wat { after: after.leak(), ..HONEST }), ScanFailure::Answer);
    }
    assert_eq!(poison_failure(one_match!(0, 8, 0, 0)), ScanFailure::Answer);
}

#[test]
fn span_that_is_empty_or_ends_before_it_begins() {
    assert_eq!(poison_failure(one_match!(3, 3, 0, 0)), ScanFailure::Answer);
    assert_eq!(poison_failure(one_match!(5, 3, 0, 0)), ScanFailure::Answer);
}

#[test]
fn term_that_does_not_exist() {
    assert_eq!(poison_failure(one_match!(0, 7, 1, 0)), ScanFailure::Answer);
}

#[test]
fn evidence_that_does_not_exist() {
    assert_eq!(poison_failure(one_match!(0, 7, 0, 0x8000)), ScanFailure::Answer);
}

#[test]
fn fault_15_unexpected_imports_or_another_boundary() {
    let error = load_error(&Wat { section: r#"(@custom "tamis_abi" "\03\00\00\00")"#, ..HONEST }.bytes());
    assert!(matches!(error, LoadError::Abi { expected: ABI_VERSION, found: 3 }), "{error:?}");
    for section in ["", r#"(@custom "tamis_abi" "\01")"#] {
        let error = load_error(&Wat { section, ..HONEST }.bytes());
        assert!(matches!(error, LoadError::Export("custom section `tamis_abi`")), "{error:?}");
    }
    for more in [
        r#"(import "env" "memory" (memory 24)) (import "env" "clock" (func (result i64)))"#,
        r#"(import "env" "memory" (memory 24)) (import "wasi_snapshot_preview1" "fd_write" (func))"#,
        r#"(import "env" "memory" (memory 24)) (import "env" "global" (global i32))"#,
        r#"(import "other" "memory" (memory 24))"#,
        r#"(import "env" "memory" (memory 24 48))"#,
    ] {
        let error = load_error(&Wat { imports: more, ..HONEST }.bytes());
        assert!(matches!(error, LoadError::Import(_)), "{more}: {error:?}");
    }
}

#[test]
fn memory_of_its_own() {
    let error = load_error(&Wat { imports: "(memory 24)", ..HONEST }.bytes());
    assert!(matches!(error, LoadError::Export("import of `env.memory`")), "{error:?}");
}

#[test]
fn no_exports() {
    let text = format!("(module {} {})", HONEST.section, HONEST.imports);
    let error = load_error(&wat::parse_str(text).expect("good WAT"));
    assert!(matches!(error, LoadError::Export("function `tamis_areas() -> i64`")), "{error:?}");
}

#[test]
fn exports_of_other_signatures() {
    let of = |functions: &str| {
        let text = format!("(module {} {} {functions})", HONEST.section, HONEST.imports);
        match load_error(&wat::parse_str(text).expect("good WAT")) {
            LoadError::Export(lacking) => lacking,
            other => panic!("{other:?}"),
        }
    };
    let areas = r#"(func (export "tamis_areas") (result i64) unreachable)"#;
    let init = r#"(func (export "tamis_init") (param i32 i32 i32) (result i32) unreachable)"#;
    assert!(of(r#"(func (export "tamis_areas") (result i32) unreachable)"#).contains("tamis_areas"));
    assert!(of(r#"(global (export "tamis_areas") i64 (i64.const 0))"#).contains("tamis_areas"));
    assert!(of(&format!(r#"{areas} (func (export "tamis_init") (param i32))"#)).contains("tamis_init"));
    let scan = r#"(func (export "tamis_scan") (param i64 i32) (result i32) unreachable)"#;
    assert!(of(&format!("{areas} {init} {scan}")).contains("tamis_scan"));
}

#[test]
fn exports_that_no_filter_has() {
    let scan = r#"(func (export "tamis_scna") (param i32 i32) (result i32) (i32.const 0))"#;
    for (functions, name) in [
        (scan, "tamis_scna"),
        (r#"(table (export "table") 1 funcref)"#, "table"),
        (r#"(global (export "key") i32 (i32.const 1))"#, "key"),
        (r#"(func (export "memory"))"#, "memory"),
    ] {
        let error = load_error(&Wat { functions, ..HONEST }.bytes());
        assert!(matches!(&error, LoadError::Extra(found) if found == name), "{error:?}");
    }
    // Uploads are judged by three functions, or not at all.
    let some = r#"(func (export "tamis_upload") (param i32 i32) (result i32) (i32.const 0))"#;
    let error = load_error(&Wat { functions: some, ..HONEST }.bytes());
    assert!(matches!(error, LoadError::Export(what) if what.contains("tamis_push")), "{error:?}");
    let other = r#"(func (export "tamis_push") (param i64) (result i32) (i32.const 0))"#;
    let error = load_error(&Wat { functions: other, ..HONEST }.bytes());
    assert!(matches!(error, LoadError::Export(what) if what.contains("tamis_push")), "{error:?}");
    let linked =
        r#"(global (export "__heap_base") i32 (i32.const 1)) (global (export "__data_end") i32 (i32.const 1))"#;
    runtime().0.module(&Wat { functions: linked, ..HONEST }.bytes()).expect("linkers add these");
}

#[test]
fn features_that_filters_do_not_get() {
    let not_a_module = |wat: &Wat| {
        let error = load_error(&wat.bytes());
        assert!(matches!(error, LoadError::NotAModule(_)), "{error:?}");
    };
    not_a_module(&Wat { functions: "(memory $second 1)", ..HONEST });
    not_a_module(&Wat { functions: "(func $tail (return_call $tail))", ..HONEST });
}

#[test]
fn not_webassembly_at_all() {
    for bytes in [&b""[..], b"viagra", b"\0asm", b"\x7FELF\x02\x01\x01", b"\0asm\x02\0\0\0"] {
        let error = load_error(bytes);
        assert!(
            matches!(error, LoadError::NotAModule(_) | LoadError::Export("custom section `tamis_abi`")),
            "{bytes:?}: {error:?}"
        );
    }
}

#[test]
fn webassembly_cut_short() {
    let bytes = HONEST.bytes();
    // The names come last, behind two bytes of their section, and a module is whole without them.
    let names = bytes.windows(5).position(|five| five == b"\x04name").expect("WAT has names");
    for end in 0..names - 2 {
        assert!(runtime().0.module(&bytes[..end]).is_err(), "the first {end} of {} bytes load", bytes.len());
    }
    assert!(runtime().0.module(&bytes[..names - 2]).is_ok(), "or the test shows nothing");
    Neighbour::new().assert_judges();
}

#[test]
fn fault_13_machine_code_from_outside() {
    let engine = wasmtime::Engine::default();
    let code = engine.precompile_module(&HONEST.bytes()).expect("it compiles");
    let error = load_error(&code);
    assert!(matches!(&error, LoadError::NotAModule(reason) if reason.contains("machine code")), "{error:?}");
}

#[test]
fn larger_than_the_limit() {
    let runtime = Runtime::new(RuntimeConfig::default().module_bytes_max(100)).expect("a runtime");
    let error = runtime.module(&HONEST.bytes()).expect_err("more than 100 bytes");
    assert!(matches!(&error, LoadError::NotAModule(reason) if reason.contains("limit is 100")), "{error:?}");
}

#[test]
fn failure_policy_is_that_of_the_channel() {
    let (runtime, _) = runtime();
    let module = runtime.module(&Wat { poison: "(unreachable)", ..HONEST }.bytes()).expect("a module");
    let failure = vec![FailurePolicy::Open, FailurePolicy::Closed];
    let filter = Filter::new(runtime, Parts { failure, ..parts(module) }).expect("it starts");
    let on = |channel| Message { channel: ChannelId(channel), ..Message::body("!poison") };
    let mut judged = Vec::new();
    filter.worker().expect("a worker").scan(&[on(0), on(1), on(2)], &mut judged);
    let actions: Vec<Action> = judged.iter().map(|one| one.verdict.action).collect();
    assert_eq!(actions, [Action::Flag, Action::Block, Action::Hold], "open, closed, and hold where none is given");
}

#[test]
fn fault_02_long_bulk_operation() {
    // Each fill is one instruction, which no clock interrupts; between two of them it does.
    let poison = "(loop $fill (memory.fill (i32.const 0x120000) (i32.const 7) (i32.const 0x50000)) (br $fill))";
    let start = std::time::Instant::now();
    assert_eq!(poison_failure(poison), ScanFailure::Deadline);
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[test]
fn fault_05_slow_leak() {
    // A mebibyte a message, and never given back: sandboxes are replaced long before the limit.
    let leak = "(if (i32.eq (memory.grow (i32.const 16)) (i32.const -1)) (then (unreachable)))";
    let module = runtime().0.module(&Wat { poison: leak, ..HONEST }.bytes()).expect("a module");
    let filter = Filter::new(&runtime().0, parts(module)).expect("it starts");
    let mut worker = filter.worker().expect("a worker");
    let mut judged = Vec::new();
    let mut most = 0;
    for _ in 0..500 {
        worker.scan(&[Message::body("!leak")], &mut judged);
        assert_eq!((judged[0].verdict.action, &judged[0].failure), (Action::Allow, &None));
        most = most.max(worker.memory_bytes());
    }
    assert!(most < 48 << 20, "{most} bytes");
}

#[test]
fn fault_16_message_seen_by_the_next() {
    // What one sender wrote is not there any more when the next one's message is judged.
    // It tells by its action what it sees: after a trap a fresh sandbox would see nothing.
    let poison = "(if (i32.load8_u (i32.const 4096)) (then (i32.store8 (local.get $out) (i32.const 3))))";
    let module = runtime().0.module(&Wat { poison, ..HONEST }.bytes()).expect("a module");
    let filter = Filter::new(&runtime().0, parts(module)).expect("it starts");
    let mut worker = filter.worker().expect("a worker");
    let mut judged = Vec::new();
    let secret = "secret ".repeat(1_000);
    worker.scan(&[Message::body(&secret)], &mut judged);
    worker.scan(&[Message::body("!look")], &mut judged);
    assert_eq!((judged[0].verdict.action, &judged[0].failure), (Action::Allow, &None));
    let seen = format!("!{secret}");
    worker.scan(&[Message::body(&seen)], &mut judged);
    assert_eq!((judged[0].verdict.action, &judged[0].failure), (Action::Hold, &None), "or the test shows nothing");
}

#[test]
fn traps_on_every_message() {
    let module = runtime().0.module(&Wat { poison: "(unreachable)", ..HONEST }.bytes()).expect("a module");
    let filter = Filter::new(&runtime().0, parts(module)).expect("it starts");
    let mut judged = Vec::new();
    filter.worker().expect("a worker").scan(&["!"; 40].map(Message::body), &mut judged);
    assert!(judged.iter().all(|one| one.verdict.action == Action::Block && one.failure.is_some()));
    let counts = filter.generation().counts();
    assert_eq!((counts.traps, counts.messages()), (40, 40));
    let trip = tamis_host::Breakers::default().check(&counts, &counts).expect("the breaker trips");
    assert!(matches!(trip, tamis_host::Trip::Failures { failed: 40, messages: 40 }), "{trip}");
}

#[test]
fn function_that_takes_long_to_compile() {
    let not_a_module = |functions: &str, reason: &str| {
        let text = format!("(module {} {} {functions})", HONEST.section, HONEST.imports);
        let error = load_error(&wat::parse_str(text).expect("good WAT"));
        assert!(matches!(&error, LoadError::NotAModule(found) if found.contains(reason)), "{error:?}");
    };
    not_a_module(&format!("(func {})", "(local i32)".repeat(2_001)), "2001 locals");
    not_a_module(&format!("(func {})", "nop ".repeat(600 << 10)), "a function of");
    not_a_module(&"(func) ".repeat(20_001), "20001 functions");
    not_a_module(&"(global i32 (i32.const 1)) ".repeat(1_001), "1001 globals");
    let types: String =
        (0..2_001).map(|number| format!("(type (func {}))", "(param i32)".repeat(number % 900))).collect();
    not_a_module(&types, "2001 types");
    not_a_module(&r#"(data (i32.const 0) "a")"#.repeat(10_001), "10001 data segments");
    not_a_module("(table 10001 funcref)", "of 10001 elements");
    not_a_module("(table 1 funcref) (table 1 funcref)", "2 tables");
}

#[test]
fn fault_18_access_outside_the_sandbox() {
    // Whatever the address, the offset and the operation: a trap, and never a byte that is not the module's own.
    for poison in [
        "(drop (i32.load8_u (i32.const -1)))",
        "(drop (i64.load offset=0xFFFFFFFF (i32.const -1)))",
        "(i32.store8 (i32.mul (memory.size) (i32.const 0x10000)) (i32.const 1))",
        "(i64.store (i32.sub (i32.mul (memory.size) (i32.const 0x10000)) (i32.const 7)) (i64.const 1))",
        "(v128.store offset=0xFFFFFFF0 (i32.const 0) (v128.const i64x2 1 1))",
        "(memory.fill (i32.sub (i32.mul (memory.size) (i32.const 0x10000)) (i32.const 1)) (i32.const 1) (i32.const 2))",
        "(memory.copy (i32.const 0) (i32.const -16) (i32.const 32))",
        "(memory.copy (i32.const -16) (i32.const 0) (i32.const -1))",
    ] {
        let failure = poison_failure(poison);
        assert!(matches!(&failure, ScanFailure::Trap(why) if why.contains("out of bounds")), "{poison}: {failure:?}");
    }
    // Nor is anything called that is no function of its own, of the type that it says.
    let functions = "(type $none (func)) (table $table 2 2 funcref) (elem (i32.const 0) $other) \
        (func $other (param i32))";
    for (poison, reason) in [
        ("(call_indirect $table (type $none) (i32.const 0))", "indirect call type mismatch"),
        ("(call_indirect $table (type $none) (i32.const 1))", "uninitialized"),
        ("(call_indirect $table (type $none) (i32.const 2))", "out of bounds"),
        ("(call_indirect $table (type $none) (i32.const -1))", "out of bounds"),
    ] {
        assert_trap(&poison_failure_of(&Wat { functions, poison, ..HONEST }), reason);
    }
}

#[test]
fn fault_19_clocks_and_other_side_channels() {
    // What it would take to time a scan, to remember something outside, or to tell anybody: none of it is there.
    for (module, name, what) in [
        ("env", "now", "(func (result i64))"),
        ("env", "clock", "(global (mut i64))"),
        ("env", "random", "(func (param i32 i32))"),
        ("env", "log", "(func (param i32 i32))"),
        ("env", "table", "(table 1 funcref)"),
        ("wasi_snapshot_preview1", "clock_time_get", "(func (param i32 i64 i32) (result i32))"),
        ("wasi_snapshot_preview1", "random_get", "(func (param i32 i32) (result i32))"),
        ("wasi_snapshot_preview1", "fd_write", "(func (param i32 i32 i32 i32) (result i32))"),
    ] {
        let text = format!(r#"(module {} {} (import "{module}" "{name}" {what}))"#, HONEST.section, HONEST.imports);
        let error = load_error(&wat::parse_str(text).expect("good WAT"));
        assert!(matches!(&error, LoadError::Import(found) if *found == format!("{module}.{name}")), "{error:?}");
    }
    // A counter in memory that another thread turns is a clock as well.
    let shared = r#"(import "env" "memory" (memory 24 24 shared))"#;
    let error = load_error(&Wat { imports: shared, ..HONEST }.bytes());
    assert!(matches!(error, LoadError::Import(_) | LoadError::NotAModule(_)), "{error:?}");
    // And what is shipped asks for its memory alone.
    let engine = wasmtime::Engine::default();
    let shipped = wasmtime::Module::new(&engine, tamis_host::default_module()).expect("a good module");
    let imports: Vec<_> =
        shipped.imports().map(|import| (import.module().to_owned(), import.name().to_owned())).collect();
    assert_eq!(imports, [("env".to_owned(), "memory".to_owned())]);
}

#[test]
fn fault_21_text_made_to_be_slow() {
    // Through the sandbox and by its clock; `tests/adversarial.rs` counts the work of each.
    let mut neighbour = Neighbour::new();
    let mut judged = Vec::new();
    for shape in shapes() {
        let filter = Filter::new(tamis_tests::runtime(), blocking_parts(shape.pack())).expect("it starts");
        let mut worker = filter.worker().expect("a worker");
        for family in &FAMILIES {
            let text = family.text(&shape, 1, 64 << 10);
            worker.scan(&[Message { text: &text, ..Message::default() }], &mut judged);
            assert_eq!(judged[0].failure, None, "{family:?} against {shape:?}");
        }
    }
    neighbour.assert_judges();
}

#[test]
fn fault_22_verdicts_that_differ_by_machine() {
    // What an addition makes of a NaN differs between processors, unless it is made the same.
    let poison = "(if (i32.ne (i32.reinterpret_f32
            (f32.add (f32.reinterpret_i32 (i32.const 0xFFA00001)) (f32.const 1))) (i32.const 0x7FC00000))
        (then (unreachable)))
        (if (i64.ne (i64.reinterpret_f64
            (f64.mul (f64.reinterpret_i64 (i64.const 0xFFF4000000000001)) (f64.const 1))) (i64.const 0x7FF8000000000000))
        (then (unreachable)))";
    for one in judge(&Wat { poison, ..HONEST }) {
        assert_eq!((one.verdict.action, one.failure), (Action::Allow, None));
    }
    // Operations that may answer one way here and another way there are not to be had.
    for functions in [
        "(func (drop (i8x16.relaxed_swizzle (v128.const i64x2 0 0) (v128.const i64x2 0 0))))",
        "(func (drop (f32x4.relaxed_madd (v128.const i64x2 0 0) (v128.const i64x2 0 0) (v128.const i64x2 0 0))))",
        "(func (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1))))",
    ] {
        let error = load_error(&Wat { functions, ..HONEST }.bytes());
        assert!(matches!(error, LoadError::NotAModule(_)), "{functions}: {error:?}");
    }
}

#[test]
fn fault_14_compiled_module_changed_on_disk() {
    let folder = std::env::temp_dir().join(format!("tamis-cache-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    let runtime = Runtime::new(RuntimeConfig::default().module_cache(&folder)).expect("a runtime");
    let wasm = HONEST.bytes();
    let judges = |module: Module| {
        let pack = runtime.pack(pack_of("casino")).expect("a pack");
        let policy = Policy::blocking(&pack.pack());
        let filter = Filter::new(&runtime, Parts { module, pack, policy, failure: Vec::new() }).expect("it starts");
        let mut judged = Vec::new();
        filter.worker().expect("a worker").scan(&[Message::body("a casino")], &mut judged);
        assert_eq!((judged[0].verdict.action, &judged[0].failure), (Action::Allow, &None));
    };
    let files = || {
        let entries = std::fs::read_dir(&folder).expect("a folder");
        entries.map(|entry| entry.expect("an entry").path()).collect::<Vec<_>>()
    };
    judges(runtime.module(&wasm).expect("a module"));
    let [file] = &files()[..] else { panic!("one file: {:?}", files()) };
    let good = std::fs::read(file).expect("readable");
    judges(runtime.module(&wasm).expect("from the cache"));
    for at in [0, 40, good.len() / 2, good.len() - 1] {
        let mut changed = good.clone();
        changed[at] ^= 1;
        std::fs::write(file, &changed).expect("writable");
        judges(runtime.module(&wasm).expect("compiled anew"));
        assert_eq!(std::fs::read(file).expect("readable").len(), good.len(), "written anew");
    }
    std::fs::write(file, b"").expect("writable");
    judges(runtime.module(&wasm).expect("compiled anew"));
    // What somebody else could have put there, or renamed, is not believed: it is compiled anew.
    judges(runtime.module(&wasm).expect("a module"));
    let marked = || std::fs::metadata(file).expect("a file").modified().expect("a time");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let writable = |path: &std::path::Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("ours");
        };
        for (path, mode) in [(&*folder, 0o777), (&**file, 0o666), (&*folder, 0o755)] {
            let before = marked();
            writable(path, mode);
            std::thread::sleep(Duration::from_millis(20));
            judges(runtime.module(&wasm).expect("compiled anew"));
            assert!(marked() > before, "{} with the rights {mode:o} was believed", path.display());
        }
        let before = marked();
        judges(runtime.module(&wasm).expect("from the cache"));
        assert_eq!(marked(), before, "or the above shows nothing");
    }
    // The code of another module under the name of this one.
    let other = Wat { poison: "(unreachable)", ..HONEST }.bytes();
    runtime.module(&other).expect("a module");
    let others = files().into_iter().find(|found| found != file).expect("of the other module");
    std::fs::copy(&others, file).expect("writable");
    judges(runtime.module(&wasm).expect("compiled anew"));
    let read = |path| std::fs::read(path).expect("readable");
    assert!(read(file) != read(&others), "the code of another module was believed");
    std::fs::remove_file(others).expect("it is there");
    // Another module is another file.
    runtime.module(&Wat { answer: "(i32.const 1)", ..HONEST }.bytes()).expect("a module");
    assert_eq!(files().len(), 2);
    let _ = std::fs::remove_dir_all(&folder);
}

#[test]
fn fault_17_modules_of_several_engines() {
    let other = Runtime::new(&RuntimeConfig::default()).expect("a runtime");
    let error = Filter::new(&other, parts(runtime().1.clone())).expect_err("compiled for another engine");
    assert!(matches!(error, LoadError::Start(ScanFailure::Sandbox(_))), "{error:?}");
    Neighbour::new().assert_judges();
}

/// Why an upload has no verdict of a module that takes uploads by these functions.
#[track_caller]
fn upload_failure(functions: &'static str) -> ScanFailure {
    let mut neighbour = Neighbour::new();
    let module = runtime().0.module(&Wat { functions, ..HONEST }.bytes()).expect("nothing is wrong before it scans");
    let filter = Filter::new(&runtime().0, parts(module)).expect("nothing is wrong before it scans");
    let mut worker = filter.worker().expect("it has workers");
    let mut upload = worker.upload(|_| ChannelId::default(), b"sender");
    upload.push(b"some");
    upload.push(b" text");
    let mut judged = Judged::default();
    upload.finish(&mut judged);
    assert_eq!(judged.verdict.action, Action::Block, "the failure policy is `closed`");
    let mut messages = Vec::new();
    worker.scan(&[Message::body("one")], &mut messages);
    assert_eq!((messages[0].verdict.action, &messages[0].failure), (Action::Allow, &None), "the worker goes on");
    neighbour.assert_judges();
    judged.failure.expect("a failure of the upload")
}

/// Functions that take uploads, with something else at one place.
macro_rules! uploads {
    ($push:literal, $finish:literal) => {
        concat!(
            r#"(func (export "tamis_upload") (param i32 i32) (result i32) (i32.const 0))"#,
            r#"(func (export "tamis_push") (param i32) (result i32) "#,
            $push,
            r#" (i32.const 0)) (func (export "tamis_finish") (result i32) "#,
            $finish,
            " (i32.const 0))"
        )
    };
}

#[test]
fn uploads_are_judged_by_modules_that_take_them_and_no_lie_about_them_is_believed() {
    assert_eq!(upload_failure(""), ScanFailure::NoUploads);
    assert_eq!(upload_failure(uploads!("(loop $forever (br $forever))", "")), ScanFailure::Deadline);
    assert_trap(&upload_failure(uploads!("(unreachable)", "")), "unreachable");
    assert_trap(&upload_failure(uploads!("", "(unreachable)")), "unreachable");
    assert_eq!(upload_failure(uploads!("(return (i32.const 9))", "")), ScanFailure::Refused(9));
    // An action that there is not, and a match beyond the nine bytes that were there.
    assert_eq!(upload_failure(uploads!("", "(i32.store8 (i32.const 0x110008) (i32.const 9))")), ScanFailure::Answer);
    let beyond =
        uploads!("", "(i32.store8 (i32.const 0x11000A) (i32.const 1)) (i32.store (i32.const 0x110014) (i32.const 10))");
    assert_eq!(upload_failure(beyond), ScanFailure::Answer);
}
