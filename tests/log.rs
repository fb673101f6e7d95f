//! The decision log: what is in it and what is not, that its chain shows every change, and that it holds up
//! no scan.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;
use tamis_guest::Message;
use tamis_guest::compile::{ListSource, Taxonomy, compile};
use tamis_host::log::{
    Log, LogClass, LogConfig, LogError, LoggedText, QuarantinedBytes, Reference, Retention, WithoutRoom, export, purge,
    verify,
};
use tamis_host::{Filter, Metrics, Parts, SideConfig, TrialMode, Worker};
use tamis_tests::{blocking_parts, list_parts, pack_of, runtime, shipped_parts, workspace};

struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Folder(std::env::temp_dir().join(format!("tamis-log-{}-{number}", std::process::id())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn worker() -> Worker {
    let filter = Filter::new(runtime(), blocking_parts(pack_of("zorkblat"))).expect("it starts");
    filter.worker().expect("a worker")
}

/// Judges and notes the messages, `times` over.
fn write(config: &LogConfig, messages: &[Message<'_>], times: usize) {
    let log = Log::open(config).expect("a writable folder");
    let mut worker = worker();
    let mut judged = Vec::new();
    for _ in 0..times {
        worker.scan(messages, &mut judged);
        for (message, judged) in messages.iter().zip(&judged) {
            log.note(worker.generation(), message, judged);
        }
    }
}

fn messages() -> [Message<'static>; 3] {
    let secret = Message { sender: b"+4917012345", ..Message::body("my secret is a zorkblat, call Fritz") };
    [secret, Message::body("an innocent secret"), Message::body("zorkblat")]
}

fn records(folder: &Path) -> Vec<Value> {
    records_of(folder, LogClass::Decision)
}

fn records_of(folder: &Path, class: LogClass) -> Vec<Value> {
    let mut out = Vec::new();
    export(folder, class, "", "9999", None, &mut out).expect("a log");
    String::from_utf8(out).expect("UTF-8").lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn first_file(folder: &Path) -> PathBuf {
    folder.join("decision-00000001.jsonl")
}

#[test]
fn a_record_says_what_was_decided_and_not_what_was_said() {
    let folder = Folder::new();
    write(&LogConfig::new(&folder.0), &messages(), 1);
    let records = records(&folder.0);
    assert_eq!(records.len(), 2, "a message that matched nothing is not written");
    let record = &records[0];
    assert_eq!(record["decision"], "block");
    assert_eq!(record["generation"], 1);
    assert_eq!(record["hits"][0]["span"], serde_json::json!([15, 23]));
    assert_eq!((&record["hits"][0]["term"], &record["hits"][0]["list"]), (&Value::from(0), &Value::from("custom")));
    assert_eq!(record["msg"]["len"], 35);
    assert!(record["ts"].as_str().is_some_and(|ts| ts.ends_with('Z') && ts.len() == 24));
    // Equal texts have equal hashes within a month, and nobody without the key makes them.
    let hash = record["msg"]["hmac"].as_str().expect("a hash");
    assert!(hash.len() == 39 && hash != records[1]["msg"]["hmac"], "{hash}");
    for entry in fs::read_dir(&folder.0).expect("a folder") {
        let path = entry.expect("an entry").path();
        let text = String::from_utf8_lossy(&fs::read(&path).expect("readable")).into_owned();
        for said in ["secret", "Fritz", "zorkblat", "4917012345"] {
            assert!(!text.contains(said), "`{said}` is in {}", path.display());
        }
    }
}

/// What reads the log may go by the order of the keys: it is part of the format.
#[track_caller]
fn assert_keys(folder: &Path, class: LogClass, keys: &[&str]) {
    let mut out = Vec::new();
    export(folder, class, "", "9999", None, &mut out).expect("a log");
    let text = String::from_utf8(out).expect("UTF-8");
    let line = text.lines().next().expect("a record");
    let record: serde_json::Map<String, Value> = serde_json::from_str(line).expect("JSON");
    assert_eq!(record.len(), keys.len(), "{line}");
    let mut rest = line.strip_prefix('{').expect("an object");
    for key in keys {
        // Values of the keys between hold objects of their own, so the next one is looked for, and in this order.
        let at = rest.find(&format!("\"{key}\":"));
        rest = &rest[at.unwrap_or_else(|| panic!("no `{key}` in its place in {line}"))..];
    }
}

#[test]
fn the_keys_of_a_record_keep_their_order() {
    let folder = Folder::new();
    write_poison(&LogConfig::new(&folder.0), trapping_parts(), &["!zorkblat"]);
    let keys =
        "v kind id ts host generation bundle pack module_sha256 side failure reason action msg lost retention prev";
    assert_keys(&folder.0, LogClass::Quarantine, &keys.split(' ').collect::<Vec<_>>());
    let keys = "v kind id ts host generation bundle pack module_sha256 msg actor hits decision failure strikes lost retention prev";
    assert_keys(&folder.0, LogClass::Decision, &keys.split(' ').collect::<Vec<_>>());
}

/// The messages of every clause: what is found, and what is done, is kept.
#[test]
fn every_category_leaves_its_record() {
    let cases = fs::read_to_string(workspace().join("tests/cases/lists-clauses.toml")).expect("a readable file");
    let cases: toml::Table = toml::from_str(&cases).expect("TOML");
    let cases = cases["case"].as_array().expect("cases");
    let filter = Filter::new(runtime(), shipped_parts()).expect("it starts");
    let mut shipped = filter.worker().expect("a worker");
    let folder = Folder::new();
    let log = Log::open(&LogConfig::new(&folder.0)).expect("a writable folder");
    let mut expected = Vec::new();
    for case in cases {
        let text = |key: &str| case.get(key).and_then(toml::Value::as_str).unwrap_or_default().to_owned();
        if text("category").is_empty() {
            continue;
        }
        let terms = case.get("terms").and_then(toml::Value::as_array).cloned().unwrap_or_default();
        let terms: Vec<String> = terms.iter().filter_map(|term| Some(term.as_str()?.to_owned())).collect();
        let mut own = (!terms.is_empty()).then(|| {
            let severity = case["severity"].as_integer().and_then(|severity| u8::try_from(severity).ok());
            let parts = list_parts(&text("category"), severity.expect("a severity"), &terms);
            Filter::new(runtime(), parts).expect("it starts").worker().expect("a worker")
        });
        let worker = own.as_mut().unwrap_or(&mut shipped);
        let message = text("message");
        let message = Message::body(&message);
        let mut judged = Vec::new();
        worker.scan(&[message], &mut judged);
        log.note(worker.generation(), &message, &judged[0]);
        expected.push((text("category"), text("action")));
    }
    drop(log);
    let records = records(&folder.0);
    assert_eq!(records.len(), expected.len());
    for (record, (category, action)) in records.iter().zip(expected) {
        let hits = record["hits"].as_array().expect("hits");
        assert!(hits.iter().any(|hit| hit["category"] == category.as_str()), "{category} is not in {record}");
        assert_eq!(record["decision"], action.as_str(), "{record}");
    }
}

#[test]
fn a_record_has_a_number_of_its_own_what_the_caller_calls_it_and_what_would_be() {
    let folder = Folder::new();
    let log = Log::open(&LogConfig::new(&folder.0)).expect("a writable folder");
    let filter = Filter::new(runtime(), blocking_parts(pack_of("zorkblat"))).expect("it starts");
    filter.try_out(blocking_parts(pack_of("grimblewort")), TrialMode::Watch, 10_000).expect("it starts");
    let mut worker = filter.worker().expect("a worker");
    let message = Message { sender: b"+4917012345", ..Message::body("a grimblewort") };
    let mut judged = Vec::new();
    worker.scan(&[message, Message::body("neither"), Message::body("neither")], &mut judged);
    let reference = Reference { id: "op:7781-22", recipient: b"+4917054321" };
    for judged in &judged {
        log.note_of(worker.generation_of(judged), &message, judged, reference);
        log.note_of(worker.generation_of(judged), &message, judged, reference);
    }
    drop(log);
    let records = records(&folder.0);
    assert_eq!(records.len(), 2, "what nobody would have changed is not written");
    assert_eq!((&records[0]["decision"], &records[0]["would_be"]), (&Value::from("allow"), &Value::from("block")));
    assert_eq!(records[0]["msg"]["ref"], "op:7781-22");
    let (sender, recipient) = (&records[0]["actor"]["sender"], &records[0]["actor"]["recipient"]);
    assert!(recipient.as_str().is_some_and(|hash| hash.len() == 39) && recipient != sender, "{recipient}");
    let ids: Vec<&str> = records.iter().filter_map(|record| record["id"].as_str()).collect();
    assert!(ids.len() == 2 && ids[0].len() == 32 && ids[0] < ids[1], "{ids:?}");
    assert_eq!(records[0]["module_sha256"], tamis_host::bundle::sha256_hex(tamis_host::default_module()));
}

#[test]
fn terms_in_the_shadow_are_in_the_record() {
    let folder = Folder::new();
    let log = Log::open(&LogConfig::new(&folder.0)).expect("a writable folder");
    let list = "format = 1\nlist = { id = \"custom\" }\n[[group]]\ncategory = \"custom\"\nstatus = \"shadow\"\nterms = 'zorkblat'\n";
    let list = ListSource { path: "list.toml", text: list };
    let (pack, _) = compile(&[list], &Taxonomy::custom(), tamis_host::today());
    let mut worker = Filter::new(runtime(), blocking_parts(pack)).expect("it starts").worker().expect("a worker");
    let mut judged = Vec::new();
    let message = Message::body("a zorkblat");
    worker.scan(&[message], &mut judged);
    log.note(worker.generation(), &message, &judged[0]);
    drop(log);
    let records = records(&folder.0);
    assert_eq!(records.len(), 1);
    assert_eq!((&records[0]["decision"], &records[0]["hits"]), (&Value::from("allow"), &serde_json::json!([])));
    assert_eq!(records[0]["shadow"][0]["span"], serde_json::json!([2, 10]));
}

#[test]
fn text_and_clean_messages_are_written_where_configured() {
    let folder = Folder::new();
    let config = LogConfig { text: LoggedText::HeldAndBlocked, clean_every: 2, ..LogConfig::new(&folder.0) };
    write(&config, &messages(), 4);
    let records = records(&folder.0);
    assert_eq!(records.iter().filter(|record| record["decision"] == "allow").count(), 2, "every other one of four");
    for record in records {
        assert_eq!(record["msg"].get("text").is_some(), record["decision"] == "block");
    }
}

#[test]
fn the_chain_holds_across_files_and_starts() {
    let folder = Folder::new();
    let config = LogConfig { file_bytes_max: 2_000, ..LogConfig::new(&folder.0) };
    for _ in 0..3 {
        write(&config, &messages(), 20);
    }
    let chains = verify(&folder.0).expect("nothing was changed");
    let chain = &chains[0];
    assert_eq!((chain.class, chain.records, chain.lost, chain.unfinished), (LogClass::Decision, 120, 0, 0));
    assert!(chain.files >= 3, "{}", chain.files);
}

#[test]
fn every_change_breaks_the_chain() {
    let folder = Folder::new();
    write(&LogConfig::new(&folder.0), &messages(), 5);
    write(&LogConfig::new(&folder.0), &messages(), 1);
    let path = first_file(&folder.0);
    let text = fs::read_to_string(&path).expect("readable");
    let lines: Vec<&str> = text.lines().collect();
    let join = |lines: &[&str]| lines.join("\n") + "\n";
    let mut swapped = lines.clone();
    swapped.swap(3, 4);
    let changed = [
        text.replacen("block", "allow", 1),
        text.replacen("\"len\":35", "\"len\":36", 1),
        join(&lines[1..]),
        join(&[&lines[..2], &lines[3..]].concat()),
        join(&lines[..lines.len() - 1]),
        join(&swapped),
        join(&[&lines[..], &lines[1..2]].concat()),
        format!("{text}{{"),
        String::new(),
    ];
    for changed in changed {
        assert_ne!(changed, text);
        fs::write(&path, &changed).expect("writable");
        assert!(matches!(verify(&folder.0), Err(LogError::Chain { .. })), "{changed}");
    }
    fs::write(&path, &text).expect("writable");
    verify(&folder.0).expect("as it was");
    fs::remove_file(&path).expect("writable");
    assert!(matches!(verify(&folder.0), Err(LogError::Chain { line: 0, .. })), "a missing file");
}

#[test]
fn a_line_cut_by_a_kill_is_stated_by_the_next_start() {
    let folder = Folder::new();
    write(&LogConfig::new(&folder.0), &messages(), 5);
    let path = first_file(&folder.0);
    let whole = fs::read(&path).expect("readable");
    // Wherever the process was killed, within the last lines.
    for cut in [1, 2, 50, 200, 400, whole.len() - 10] {
        for entry in fs::read_dir(&folder.0).expect("a folder") {
            let other = entry.expect("an entry").path();
            if other.extension().is_some_and(|end| end == "jsonl") && other != path {
                fs::remove_file(other).expect("writable");
            }
        }
        fs::write(&path, &whole[..whole.len() - cut]).expect("writable");
        write(&LogConfig::new(&folder.0), &messages(), 1);
        let chains = verify(&folder.0).unwrap_or_else(|error| panic!("cut by {cut}: {error}"));
        assert_eq!(chains[0].unfinished, 1, "cut by {cut}");
    }
}

#[test]
fn fault_20_flood_of_records() {
    let folder = Folder::new();
    let config = LogConfig { queue_max: 4, ..LogConfig::new(&folder.0) };
    let log = Log::open(&config).expect("a writable folder");
    let mut worker = worker();
    let mut judged = Vec::new();
    let message = messages()[2];
    worker.scan(&[message], &mut judged);
    let start = Instant::now();
    for _ in 0..20_000 {
        log.note(worker.generation(), &message, &judged[0]);
    }
    let took = start.elapsed();
    let counts = log.counts();
    drop(log);
    let (written, lost) = (counts.written.load(Ordering::Relaxed), counts.lost.load(Ordering::Relaxed));
    assert!(written + lost == 20_000 && lost > 0, "{written} written, {lost} lost");
    assert_eq!(counts.queued.load(Ordering::Relaxed), 0);
    assert!(took < Duration::from_secs(5), "{took:?} for 20,000 records");
    let chain = &verify(&folder.0).expect("the chain holds")[0];
    assert_eq!(chain.records, written);
    assert!(chain.lost <= lost, "the log says it lost {}, it lost {lost}", chain.lost);
    // Nor do metrics grow: with the generations, or with what messages hold.
    let filter = Filter::new(runtime(), blocking_parts(pack_of("zorkblat"))).expect("it starts");
    let mut worker = filter.worker().expect("a worker");
    let lines_after = |worker: &mut Worker, rounds: u32| {
        for round in 0..rounds {
            filter.swap(blocking_parts(pack_of("zorkblat"))).expect("it starts");
            let (text, sender) = (format!("a zorkblat {round}"), format!("+86 1{round:010}"));
            let message = Message { sender: sender.as_bytes(), ..Message::body(&text) };
            worker.scan(&[message], &mut Vec::new());
        }
        Metrics::new(&filter, None).text().lines().count()
    };
    let few = lines_after(&mut worker, 10);
    assert_eq!(lines_after(&mut worker, 40), few);
}

/// How large files of this process may be: a limit of 0 is a disk that is full, for each of them.
#[cfg(target_os = "linux")]
fn limit_files(bytes: &str) {
    let pid = std::process::id().to_string();
    let done =
        std::process::Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={bytes}:unlimited")]).status();
    assert!(done.expect("util-linux").success());
}

/// In a process of its own, whose limit is nobody else's.
#[cfg(target_os = "linux")]
#[test]
fn without_room_at_the_start_the_filter_goes_on_and_with_room_the_log_does() {
    const NAME: &str = "without_room_at_the_start_the_filter_goes_on_and_with_room_the_log_does";
    if std::env::var_os("TAMIS_OWN_PROCESS").is_none() {
        let itself = std::env::current_exe().expect("a path");
        let mut command = std::process::Command::new("/bin/sh");
        command.args(["-c", "trap '' XFSZ; exec \"$0\" --exact \"$1\" --nocapture >&2"]).arg(itself).arg(NAME);
        let output = command.env("TAMIS_OWN_PROCESS", "1").output().expect("a shell");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    const MESSAGES: u64 = 6_000;
    let folder = Folder::new();
    let filter = Filter::new(runtime(), blocking_parts(pack_of("zorkblat"))).expect("it starts");
    let mut worker = filter.worker().expect("a worker");
    let mut judged = Vec::new();
    let message = messages()[0];
    worker.scan(&[message], &mut judged);
    // A folder that nothing was in before, and one that has a log already.
    for round in [0, 1] {
        limit_files("0");
        let config = LogConfig { without_room: WithoutRoom::Fail, ..LogConfig::new(&folder.0) };
        let error = Log::open(&config).expect_err("it must have room");
        assert!(matches!(&error, LogError::File { path, .. } if *path == folder.0), "{error}");
        let log = Log::open(&LogConfig::new(&folder.0)).expect("it waits for room");
        let counts = log.counts();
        for _ in 0..MESSAGES {
            log.note(worker.generation(), &message, &judged[0]);
            while counts.queued.load(Ordering::Relaxed) > 4_000 {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        while counts.queued.load(Ordering::Relaxed) > 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        let get = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
        let (written, lost) = (get(&counts.written), get(&counts.lost));
        assert!(written + lost == MESSAGES && lost > 0 && written > 1000, "{written} wait, {lost} lost");
        let failing =
            |value| Metrics::new(&filter, Some(counts.clone())).text().contains(&format!("tamis_log_failing {value}"));
        assert!(counts.is_failing.load(Ordering::Relaxed) && failing(1));
        assert!(verify(&folder.0).is_ok_and(|chains| chains[0].records == round * (written + 1)));

        limit_files("unlimited");
        let start = Instant::now();
        while counts.is_failing.load(Ordering::Relaxed) {
            assert!(start.elapsed() < Duration::from_secs(20), "there is room");
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(failing(0));
        log.note(worker.generation(), &message, &judged[0]);
        drop(log);
        assert_eq!((get(&counts.written), get(&counts.lost)), (written + 1, lost));
        let chain = &verify(&folder.0).expect("the chain holds")[0];
        assert_eq!(
            (chain.records, chain.lost),
            ((round + 1) * (written + 1), (round + 1) * lost),
            "all losses are told"
        );
    }
    // The key that waited is there too: one message has one hash, before and after.
    let hashes: std::collections::BTreeSet<String> =
        records(&folder.0).iter().map(|record| record["msg"]["hmac"].to_string()).collect();
    assert_eq!(hashes.len(), 1);
}

#[test]
fn old_files_and_keys_are_deleted_and_the_chain_still_holds() {
    let folder = Folder::new();
    for _ in 0..3 {
        write(&LogConfig::new(&folder.0), &messages(), 1);
    }
    fs::write(folder.0.join("key-202001"), [7; 32]).expect("writable");
    let now = SystemTime::now();
    let days = |days: u64| Duration::from_secs(days * 24 * 3600);
    // Decisions live at least 90 days, whatever is asked for.
    let retention = Retention::default().decisions(days(1));
    let purged = purge(&folder.0, retention, now + days(89)).expect("a log");
    assert!(purged.iter().all(|one| one.files == 0), "{purged:?}");
    let purged = purge(&folder.0, retention, now + days(91)).expect("a log");
    assert_eq!(
        purged.iter().map(|one| (one.class, one.files, one.records)).collect::<Vec<_>>(),
        [(LogClass::Decision, 2, 4)]
    );
    assert!(!folder.0.join("key-202001").exists(), "a key of years ago");
    let chains = verify(&folder.0).expect("the deletion is accounted for");
    assert_eq!((chains[0].files, chains[0].records, chains[2].records), (1, 2, 2));
    write(&LogConfig::new(&folder.0), &messages(), 1);
    verify(&folder.0).expect("and so it goes on");
    // Killed after it was said and before all was done: what is left of it is nobody's, and the next time does it.
    let second = fs::read(folder.0.join("decision-00000003.jsonl")).expect("it is there");
    let third = folder.0.join("decision-00000004.jsonl");
    let purged = purge(&folder.0, retention, now + days(182)).expect("a log");
    assert_eq!(purged.iter().map(|one| (one.class, one.files)).collect::<Vec<_>>(), [(LogClass::Decision, 1)]);
    fs::write(folder.0.join("decision-00000003.jsonl"), &second).expect("writable");
    let chains = verify(&folder.0).expect("the deletion is accounted for");
    assert_eq!((chains[0].files, chains[0].records), (1, 2), "{third:?}");
    purge(&folder.0, retention, now + days(182)).expect("a log");
    assert!(!folder.0.join("decision-00000003.jsonl").exists() && third.exists());
    verify(&folder.0).expect("and holds");
    // By a clock that is ten years ahead nothing is deleted.
    let error = purge(&folder.0, retention, now + days(3652)).expect_err("it is not believed");
    assert!(matches!(error, LogError::Clock { .. }), "{error}");
    // Deleting by hand is not.
    write(&LogConfig::new(&folder.0), &messages(), 1);
    fs::remove_file(third).expect("it is there");
    assert!(matches!(verify(&folder.0), Err(LogError::Chain { .. })));
}

#[test]
fn two_processes_do_not_write_one_log() {
    let folder = Folder::new();
    let log = Log::open(&LogConfig::new(&folder.0)).expect("a writable folder");
    assert!(matches!(Log::open(&LogConfig::new(&folder.0)), Err(LogError::InUse(_))));
    drop(log);
    Log::open(&LogConfig::new(&folder.0)).expect("it is free again");
}

/// A module that allows every message but those that begin with `!`, on which it traps. For batches of one.
fn trapping_module(head: &str) -> Vec<u8> {
    let text = format!(
        r#"(module (@custom "tamis_abi" "\02\00\00\00") {head}
            (func (export "tamis_areas") (result i64) (i64.const 0x110000))
            (func (export "tamis_init") (param i32 i32 i32) (result i32) (i32.const 0))
            (func (export "tamis_scan") (param i32 i32) (result i32)
                (i64.store (i32.const 0x110000) (i64.const 0))
                (if (i32.eq (i32.load8_u (i32.const 8)) (i32.const 0x21)) (then (unreachable)))
                (i64.store (i32.const 0x110008) (i64.const 0))
                (i64.store (i32.const 0x110000) (i64.const 0x800000001))
                (i32.const 0)))"#
    );
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}"))
}

/// Judges and notes the messages one by one, by a filter that traps on some.
fn write_poison(config: &LogConfig, parts: Parts, texts: &[&str]) -> tamis_host::log::LogCounts {
    let log = Log::open(config).expect("a writable folder");
    let mut worker = Filter::new(runtime(), parts).expect("it starts").worker().expect("a worker");
    let mut judged = Vec::new();
    for text in texts {
        let message = Message { sender: b"+4917012345", ..Message::body(text) };
        worker.scan(&[message], &mut judged);
        log.note(worker.generation(), &message, &judged[0]);
    }
    log.counts()
}

fn trapping_parts() -> Parts {
    let module = runtime().module(&trapping_module(r#"(import "env" "memory" (memory 24))"#)).expect("a module");
    Parts { module, ..blocking_parts(pack_of("zorkblat")) }
}

#[test]
fn a_message_that_breaks_the_filter_twice_is_in_quarantine() {
    let folder = Folder::new();
    write_poison(&LogConfig::new(&folder.0), trapping_parts(), &["fine", "!a secret", "fine too"]);
    let found = records_of(&folder.0, LogClass::Quarantine);
    assert_eq!(found.len(), 1);
    let record = &found[0];
    assert_eq!((&record["kind"], &record["failure"]), (&Value::from("quarantined"), &Value::from("trap")));
    assert_eq!((&record["generation"], &record["side"]), (&Value::from(1), &Value::Null));
    assert_eq!((&record["action"], &record["msg"]["channel"]), (&Value::from("block"), &Value::from("default")));
    assert!(record["reason"].as_str().is_some_and(|reason| reason.contains("unreachable")), "{record}");
    assert!(record["ts"].as_str().is_some_and(|ts| ts.ends_with('Z')));
    assert_eq!(record["module_sha256"].as_str().map(str::len), Some(64));
    // The same message as in its decision, and nothing of what it said.
    assert_eq!(record["msg"]["hmac"], records(&folder.0)[0]["msg"]["hmac"]);
    assert!(!record.to_string().contains("secret") && record.get("bytes").is_none(), "{record}");
    let chains = verify(&folder.0).expect("the chain holds");
    assert_eq!((chains[3].class, chains[3].records), (LogClass::Quarantine, 1));
}

#[test]
fn the_quarantine_holds_bytes_where_configured_and_has_a_limit() {
    let folder = Folder::new();
    let config =
        LogConfig { quarantined_bytes: QuarantinedBytes::UpTo(4), quarantined_max: 3, ..LogConfig::new(&folder.0) };
    let texts: Vec<String> = (0..10).map(|number| format!("!{number} more than four")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let counts = write_poison(&config, trapping_parts(), &texts);
    let found = records_of(&folder.0, LogClass::Quarantine);
    let bytes: Vec<&Value> = found.iter().map(|record| &record["bytes"]).collect();
    assert_eq!(bytes, ["2130206d", "2131206d", "2132206d"]);
    assert_eq!(counts.lost.load(Ordering::Relaxed), 7);
    assert_eq!(records(&folder.0).len(), 10, "every decision is there all the same");
    // Deleted with the decisions of its time.
    write_poison(&config, trapping_parts(), &["!"]);
    let later = SystemTime::now() + Duration::from_secs(200 * 24 * 3600);
    let purged = purge(&folder.0, Retention::default(), later).expect("a log");
    let of_quarantine = purged.iter().find(|one| one.class == LogClass::Quarantine).expect("it is old");
    assert_eq!((of_quarantine.files, of_quarantine.records), (1, 3));
    verify(&folder.0).expect("the deletion is accounted for");
}

#[test]
fn a_module_beside_that_breaks_is_named_in_quarantine() {
    let folder = Folder::new();
    let wasm = trapping_module(r#"(@custom "tamis_side" "beside\0anone") (memory (export "memory") 24)"#);
    let side = runtime().side_module(&wasm, &SideConfig::default()).expect("a module");
    let mut parts = blocking_parts(pack_of("zorkblat"));
    parts.module = parts.module.beside(side);
    write_poison(&LogConfig::new(&folder.0), parts, &["fine", "!a zorkblat"]);
    let found = records_of(&folder.0, LogClass::Quarantine);
    assert_eq!(found.len(), 1);
    assert_eq!((&found[0]["side"], &found[0]["failure"]), (&Value::from("beside"), &Value::from("trap")));
    // The decision has what the lists found, and what became of the module.
    let decision = &records(&folder.0)[0];
    assert_eq!((&decision["hits"][0]["span"], &decision["failure"]), (&serde_json::json!([3, 11]), &Value::Null));
    assert_eq!(decision["sides"][0]["module"], "beside");
}
