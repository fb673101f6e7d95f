//! The decision log: what is in it and what is not, that its chain shows every change, and that it holds up
//! no scan.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;
use tamis_guest::Message;
use tamis_host::log::{Log, LogClass, LogConfig, LogError, LoggedText, Retention, export, purge, verify};
use tamis_host::{Filter, Worker};
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
    let mut out = Vec::new();
    export(folder, LogClass::Decision, "", "9999", None, &mut out).expect("a log");
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
fn a_full_queue_loses_records_and_says_so_but_holds_up_nobody() {
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
    assert_eq!(written + lost, 20_000);
    assert_eq!(counts.queued.load(Ordering::Relaxed), 0);
    assert!(took < Duration::from_secs(5), "{took:?} for 20,000 records");
    let chain = &verify(&folder.0).expect("the chain holds")[0];
    assert_eq!(chain.records, written);
    assert!(chain.lost <= lost, "the log says it lost {}, it lost {lost}", chain.lost);
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
    // Deleting by hand is not.
    fs::remove_file(folder.0.join("decision-00000003.jsonl")).expect("it is there");
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
