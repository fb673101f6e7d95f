//! Bundles as operators use them: from keys to judging by what was published, candidates checked in a process
//! of their own, and a host that is killed at any point.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Output};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{Folder, stderr, tamis};

mod support;

#[track_caller]
fn run(args: &[&str]) -> String {
    let output = output(args);
    assert!(output.status.success(), "{args:?}: {}", stderr(&output));
    String::from_utf8(output.stdout).unwrap()
}

fn output(args: &[&str]) -> Output {
    tamis(args).output().unwrap()
}

#[track_caller]
fn fails(args: &[&str], part: &str) {
    let output = output(args);
    assert_eq!(output.status.code(), Some(2), "{args:?}");
    assert!(stderr(&output).contains(part), "no `{part}` in {}", stderr(&output));
}

/// A publisher's folder: keys, a trust file, lists.
struct Publisher(Folder);

impl Publisher {
    fn new() -> Publisher {
        let folder = Folder::new("bundles");
        let stanza = run(&["bundle", "keys", &folder.path("release"), "--roles", "lists,policy,module"]);
        fs::write(folder.path("trust.toml"), format!("version = 1\n{stanza}")).unwrap();
        fs::create_dir_all(folder.path("lists/en")).unwrap();
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wordlists");
        for name in ["taxonomy.toml", "policy.toml"] {
            fs::copy(shipped.join(name), folder.path(&format!("lists/{name}"))).unwrap();
        }
        Publisher(folder)
    }

    fn path(&self, name: &str) -> String {
        self.0.path(name)
    }

    fn write_list(&self, terms: &str) {
        let list = format!(
            "format = 1\nlist = {{ id = \"en.custom\" }}\n[[group]]\ncategory = \"custom\"\nseverity = 4\nterms = '''\n{terms}\n'''\n"
        );
        fs::write(self.path("lists/en/custom.toml"), list).unwrap();
    }

    /// A signed bundle.
    fn bundle(&self, sequence: u64, terms: &str, more: &[&str]) -> String {
        self.write_list(terms);
        let file = self.path(&format!("{sequence}.tamis"));
        let (number, lists) = (sequence.to_string(), self.path("lists"));
        let mut args = vec!["bundle", "build", "--lists", &lists, "--sequence", &number, "-o", &file];
        args.extend(more);
        run(&args);
        run(&["bundle", "sign", &file, "--key", &self.path("release.key")]);
        file
    }

    fn publish(&self, sequence: u64, terms: &str) {
        let file = self.bundle(sequence, terms, &[]);
        run(&["bundle", "publish", &file, "--to", &self.path("published")]);
    }

    fn check_args(&self) -> Vec<String> {
        let (from, trust) = (self.path("published"), self.path("trust.toml"));
        let (state, log) = (self.path("state"), self.path("log"));
        [
            "check",
            "--format",
            "ndjson",
            "--bundles",
            &from,
            "--trust",
            &trust,
            "--state",
            &state,
            "--log",
            &log,
            "--every",
            "1",
        ]
        .map(str::to_owned)
        .into()
    }
}

/// A running `tamis check` that answers a message at a time.
struct Host {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    /// Where it says what is wrong.
    said: String,
}

impl Host {
    fn start(publisher: &Publisher) -> Host {
        Host::start_with(publisher, &[])
    }

    fn start_with(publisher: &Publisher, more: &[&str]) -> Host {
        let args = [publisher.check_args(), more.iter().map(ToString::to_string).collect()].concat();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let said = publisher.path("said");
        let mut child = tamis(&args).stderr(File::create(&said).unwrap()).spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Host { child, stdin, stdout, said }
    }

    fn judge(&mut self, text: &str) -> Value {
        writeln!(self.stdin, "{text}").unwrap();
        self.stdin.flush().unwrap();
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "the host ended: {}", fs::read_to_string(&self.said).unwrap());
        serde_json::from_str(&line).unwrap()
    }

    /// Judges until the answer changes to a match or none; how long that took.
    fn judge_until(&mut self, text: &str, matches: bool) -> Duration {
        let start = Instant::now();
        while self.judge(text)["matches"].as_array().unwrap().is_empty() == matches {
            assert!(start.elapsed() < Duration::from_secs(30), "`{text}` is still judged by the old bundle");
            thread::sleep(Duration::from_millis(1));
        }
        start.elapsed()
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn end(self) {
        let Host { mut child, stdin, stdout, .. } = self;
        drop(stdin);
        drop(stdout);
        child.wait().unwrap();
    }
}

#[test]
fn from_keys_to_verdicts() {
    let publisher = Publisher::new();
    let file = publisher.bundle(1, "zorkblat", &["--note", "the first"]);
    let shown = run(&["bundle", "inspect", &file, "--manifest", &publisher.path("manifest.json")]);
    assert!(shown.contains("\"sequence\": 1") && shown.contains("the first"), "{shown}");
    assert!(fs::read_to_string(publisher.path("manifest.json")).unwrap().starts_with("{\"tamis_bundle\":1,"));
    assert!(
        fs::read_to_string(publisher.path("manifest.json.minisig")).unwrap().contains("tamis bundle prod sequence 1")
    );
    let trust = publisher.path("trust.toml");
    assert!(run(&["bundle", "verify", &file, "--trust", &trust]).contains("good: `prod` sequence 1, 1 terms"));
    run(&["bundle", "publish", &file, "--to", &publisher.path("published")]);

    let mut host = Host::start(&publisher);
    assert_eq!(host.judge("a zorkblat")["matches"][0]["term"], "zorkblat");
    publisher.publish(2, "grimblewort");
    host.judge_until("a grimblewort", true);
    assert_eq!(host.judge("a zorkblat")["matches"], serde_json::json!([]));
    // Back: the old content, a new sequence.
    let back = publisher.path("3.tamis");
    run(&["bundle", "rollback", &file, "--sequence", "3", "-o", &back]);
    run(&["bundle", "sign", &back, "--key", &publisher.path("release.key")]);
    run(&["bundle", "publish", &back, "--to", &publisher.path("published")]);
    host.judge_until("a zorkblat", true);
    host.end();

    let verified = output(&["log", "verify", &publisher.path("log")]);
    assert!(verified.status.success() && stderr(&verified).contains("the chain holds"), "{}", stderr(&verified));
    let audit = run(&["log", "export", &publisher.path("log"), "--class", "audit"]);
    assert_eq!(audit.matches("\"kind\":\"swapped\"").count(), 3, "{audit}");
    assert!(run(&["log", "export", &publisher.path("log"), "--action", "block"]).contains("\"sequence\":1"));
    assert!(output(&["log", "purge", &publisher.path("log")]).status.success());
}

#[test]
fn what_is_not_right_is_said() {
    let publisher = Publisher::new();
    let trust = publisher.path("trust.toml");
    let file = publisher.bundle(1, "zorkblat", &[]);
    fails(&["bundle", "verify", &file, "--trust", &trust, "--name", "staging"], "this host takes `staging`");
    fails(&["bundle", "keys", &publisher.path("release")], "never overwritten");
    fails(&["bundle", "keys", &publisher.path("other"), "--roles", "emperor"], "emperor");
    fails(&["bundle", "rollback", &file, "--sequence", "1", "-o", &publisher.path("x")], "not above 1");
    fails(&["bundle", "verify", &trust, "--trust", &trust], "not a bundle");
    fails(&["check", "--bundles", "x"], "--trust");
    fails(&["check", "--bundles", "x", "--trust", &trust, "--state", "y", "--lists", "z"], "cannot be used with");
    fails(&["log", "verify", &publisher.path("nothing")], "nothing");
    // Not signed, and changed after it was signed.
    let unsigned = publisher.path("unsigned.tamis");
    run(&["bundle", "build", "--lists", &publisher.path("lists"), "--sequence", "2", "-o", &unsigned]);
    fails(&["bundle", "verify", &unsigned, "--trust", &trust], "not signed");
    fails(&["bundle", "publish", &unsigned, "--to", &publisher.path("published")], "not signed");
    // Signed, but by nobody whom the hosts trust.
    run(&["bundle", "keys", &publisher.path("stranger")]);
    run(&["bundle", "sign", &unsigned, "--key", &publisher.path("stranger.key")]);
    let to = publisher.path("published");
    fails(
        &["bundle", "publish", &unsigned, "--trust", &trust, "--to", &to],
        "no signature is by a key of the trust file",
    );
    run(&["bundle", "publish", &file, "--trust", &trust, "--to", &to]);
    fails(
        &["bundle", "build", "--lists", &publisher.path("lists"), "--name", "../x", "--sequence", "1", "-o", "x"],
        "the name",
    );
}

#[test]
fn a_module_that_takes_for_ever_to_check_is_killed() {
    use tamis_host::bundle::{Admission, AdmissionProcess, Bundle, Expected, Refusal, Trust, verify};
    use tamis_host::{Runtime, RuntimeConfig};

    let publisher = Publisher::new();
    let bundle = Bundle::decode(&fs::read(publisher.bundle(1, "zorkblat", &[])).unwrap()).unwrap();
    let trust = Trust::parse(&fs::read_to_string(publisher.path("trust.toml")).unwrap()).unwrap();
    let now = std::time::SystemTime::now();
    let expected = Expected { trust: &trust, name: "prod", mark: None, base: None, now };
    let verified = verify(bundle, &expected).unwrap();
    let runtime = Runtime::new(RuntimeConfig::default().module_cache(Path::new(&publisher.path("cache")))).unwrap();
    let (policy, _) =
        tamis_guest::compile::PolicySource::parse("policy.toml", include_str!("../../../wordlists/policy.toml"));
    let pack = tamis_guest::compile::compile_terms("terms", "none").0;
    let defaults = tamis_host::Defaults {
        module: runtime.module(tamis_host::default_module()).unwrap(),
        pack: runtime.pack(pack).unwrap(),
        policy: policy.unwrap(),
    };
    let check = |program: &str, args: &[&str], change: &dyn Fn(&mut AdmissionProcess)| {
        let mut process = AdmissionProcess::new(program, args.iter().map(Into::into));
        change(&mut process);
        let mut admission = Admission::default();
        admission.message_budget(Duration::from_secs(1)).process(process);
        admission.check(&runtime, &verified, &defaults, &[])
    };
    let itself = env!("CARGO_BIN_EXE_tamis");
    // The honest way, which also shows that the limits are wide enough.
    let (parts, report) = check(itself, &["admit"], &|_| ()).unwrap();
    assert_eq!((parts.pack.pack().terms_count(), report.terms), (1, 1));
    // One that never ends, one that ends at once, one that is not there, one that says anything.
    let start = Instant::now();
    let refusal =
        check("/bin/sh", &["-c", "while :; do :; done"], &|process| _ = process.wall_time(Duration::from_millis(300)));
    assert!(matches!(&refusal, Err(Refusal::Worker(why)) if why.contains("killed")), "{refusal:?}");
    assert!(start.elapsed() < Duration::from_secs(10));
    assert!(matches!(check("/bin/false", &[], &|_| ()), Err(Refusal::Worker(_))));
    assert!(matches!(check("/nowhere/tamis", &[], &|_| ()), Err(Refusal::Worker(_))));
    for said in ["", "\\000", "\\000aaaaaaaabbbbbbbbccccccccddddddddtamispak", "\\001", "\\002x\\ny"] {
        let refusal = check("/bin/sh", &["-c", &format!("printf '{said}'")], &|_| ());
        assert!(refusal.is_err(), "{said}");
    }
    // Too little memory: the process breaks or gives up, and this one does not.
    for bytes in [1 << 20, 3 << 20] {
        let refusal = check(itself, &["admit"], &|process| _ = process.memory_bytes(bytes));
        assert!(refusal.is_err(), "{bytes} bytes are enough");
    }
    // A check that fails over there has its own reason here.
    let mut admission = Admission::default();
    admission.message_budget(Duration::ZERO).process(AdmissionProcess::new(itself, ["admit".into()]));
    let refusal = admission.check(&runtime, &verified, &defaults, &[]).unwrap_err();
    assert_eq!(refusal.code(), "slow", "{refusal}");
}

/// A filter module that keeps to the boundary and to every limit of size, and that takes minutes to compile.
fn compile_bomb() -> Vec<u8> {
    use wasm_encoder::{
        CodeSection, CustomSection, EntityType, ExportKind, ExportSection, Function, FunctionSection, ImportSection,
        MemoryType, Module, TypeSection, ValType,
    };
    const FUNCTIONS: u32 = 30;
    let mut types = TypeSection::new();
    types.ty().function([], [ValType::I64]);
    types.ty().function([ValType::I32; 3], [ValType::I32]);
    types.ty().function([ValType::I32; 2], [ValType::I32]);
    let mut imports = ImportSection::new();
    let memory = MemoryType { minimum: 24, maximum: None, memory64: false, shared: false, page_size_log2: None };
    imports.import("env", "memory", EntityType::Memory(memory));
    let (mut functions, mut exports, mut code) = (FunctionSection::new(), ExportSection::new(), CodeSection::new());
    for (number, name) in (0..).zip(["tamis_areas", "tamis_init", "tamis_scan"]) {
        functions.function(number);
        exports.export(name, ExportKind::Func, number);
        let mut function = Function::new([]);
        function.instructions().unreachable().end();
        code.function(&function);
    }
    for _ in 0..FUNCTIONS {
        functions.function(2);
        // Two thousand values that all live to the end, from loop to loop.
        let mut function = Function::new([(1_990, ValType::I32)]);
        let mut body = function.instructions();
        for at in 0..30_000_u32 {
            let local = |step: u32| 2 + (at.wrapping_mul(step) % 1_990);
            body.loop_(wasm_encoder::BlockType::Empty);
            body.local_get(local(7)).local_get(local(13)).i32_add().local_tee(local(29)).br_if(0).end();
        }
        body.local_get(5).end();
        code.function(&function);
    }
    let mut module = Module::new();
    module.section(&CustomSection {
        name: "tamis_abi".into(),
        data: (&tamis_guest::wire::ABI_VERSION.to_le_bytes()).into(),
    });
    module.section(&types).section(&imports).section(&functions).section(&exports).section(&code);
    module.finish()
}

#[test]
fn fault_12_compile_bomb() {
    use tamis_host::bundle::{Admission, AdmissionProcess, Offer, Refusal, Trust, Updater, UpdaterConfig};
    use tamis_host::{Runtime, RuntimeConfig};

    let publisher = Publisher::new();
    let good = publisher.bundle(1, "zorkblat", &[]);
    let module = publisher.0.write("bomb.wasm", compile_bomb());
    let bomb = publisher.bundle(2, "zorkblat", &["--module", &module]);
    let runtime = Runtime::new(RuntimeConfig::default().module_cache(Path::new(&publisher.path("cache")))).unwrap();
    let (policy, _) =
        tamis_guest::compile::PolicySource::parse("policy.toml", include_str!("../../../wordlists/policy.toml"));
    let pack = tamis_guest::compile::compile_terms("terms", "none").0;
    let defaults = tamis_host::Defaults {
        module: runtime.module(tamis_host::default_module()).unwrap(),
        pack: runtime.pack(pack).unwrap(),
        policy: policy.unwrap(),
    };
    let mut process = AdmissionProcess::new(env!("CARGO_BIN_EXE_tamis"), ["admit".into()]);
    process.wall_time(Duration::from_secs(6));
    let mut admission = Admission::default();
    admission.message_budget(Duration::from_secs(1)).process(process);
    let trust = Trust::parse(&fs::read_to_string(publisher.path("trust.toml")).unwrap()).unwrap();
    let (name, state, host) = ("prod".to_owned(), publisher.path("state").into(), "edge-1".to_owned());
    let config = UpdaterConfig { name, trust, trust_file: None, state, admission, host, steps: None };
    let (mut updater, _) = Updater::start(&runtime, config, defaults).unwrap();
    let offer = updater.offer(&fs::read(good).unwrap()).unwrap();
    assert!(matches!(offer, Offer::Swapped { .. }), "{offer:?}");

    let start = Instant::now();
    let refusal = updater.offer(&fs::read(bomb).unwrap()).unwrap_err();
    assert!(matches!(&refusal, Refusal::Worker(why) if why.contains("killed") || why.contains("limit")), "{refusal}");
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    // The one before goes on, nothing of the other is kept, and the next one is taken.
    assert_eq!(updater.active().unwrap().manifest().sequence, 1);
    assert_eq!(fs::read_dir(publisher.path("state/bundles")).unwrap().count(), 1);
    let next = publisher.bundle(3, "grimblewort", &[]);
    let offer = updater.offer(&fs::read(next).unwrap()).unwrap();
    assert!(matches!(offer, Offer::Swapped { .. }), "{offer:?}");
}

/// What the host has on disk: names, sizes and times of its files. It changes with each step of a load.
fn on_disk(folder: &str) -> Vec<(String, u64, Option<std::time::SystemTime>)> {
    let folders = [folder.to_owned(), format!("{folder}/bundles")];
    let entries = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    let mut files: Vec<_> = entries
        .filter_map(|entry| {
            let metadata = entry.metadata().ok().filter(fs::Metadata::is_file)?;
            Some((entry.path().to_string_lossy().into_owned(), metadata.len(), metadata.modified().ok()))
        })
        .collect();
    files.sort();
    files
}

#[test]
fn killed_at_any_point_it_starts_with_the_last_good_bundle() {
    const ROUNDS: u32 = 30;
    let publisher = Publisher::new();
    publisher.publish(1, "zorkblat zero");
    let mut host = Host::start(&publisher);
    let load_time = host.judge_until("a zorkblat zero", true).max(Duration::from_millis(100));
    let (mut newest, mut before, mut kept) = (1, "zorkblat zero", [0, 0]);
    let terms = ["zorkblat one", "zorkblat two", "zorkblat six", "zorkblat ten"];
    let all = format!("a zorkblat zero {}", terms.join(" "));
    for round in 0..ROUNDS {
        newest += 1;
        let term = terms[round as usize % terms.len()];
        let disk = on_disk(&publisher.path("state"));
        publisher.publish(newest, term);
        if round % 2 == 0 {
            // After a time: before the load, at every stage of it, and after it.
            thread::sleep(load_time * round / ROUNDS * 2);
        } else {
            // At a step on the disk: the bundle begun, written, renamed, the mark begun, written, renamed.
            let (mut last, start) = (disk, Instant::now());
            for _ in 0..=(round / 2) % 6 {
                let now = loop {
                    let now = on_disk(&publisher.path("state"));
                    if now != last || start.elapsed() > Duration::from_secs(5) {
                        break now;
                    }
                };
                last = now;
            }
        }
        host.kill();
        // Started without a source, it must have kept a good one: this or the one before, and none else.
        let hidden = publisher.path("hidden");
        fs::rename(publisher.path("published"), &hidden).unwrap();
        let mut alone = Host::start(&publisher);
        let verdict = alone.judge(&all);
        let matches = verdict["matches"].as_array().unwrap();
        assert_eq!(matches.len(), 1, "round {round}: {verdict}");
        let found = matches[0]["term"].as_str().unwrap();
        assert!(found == term || found == before, "round {round}: `{found}` judges after {before} and {term}");
        kept[usize::from(found == term)] += 1;
        alone.end();
        let verified = output(&["log", "verify", &publisher.path("log")]);
        assert!(verified.status.success(), "round {round}: {}", stderr(&verified));
        fs::rename(&hidden, publisher.path("published")).unwrap();
        host = Host::start(&publisher);
        host.judge_until(&format!("a {term}"), true);
        before = term;
    }
    assert!(kept[0] > 0 && kept[1] > 0, "killed on one side of the load only: {kept:?}");
    // None of it left anything lying about.
    let left = fs::read_dir(publisher.path("state/bundles")).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left.collect();
    assert!(left.len() <= 3 && left.iter().all(|name| name.to_string_lossy().ends_with(".tamis")), "{left:?}");
    // And none of the old ones comes back.
    host.kill();
    fs::copy(publisher.path("published/prod-2.tamis"), publisher.path("published/prod.tamis")).unwrap();
    let mut host = Host::start(&publisher);
    assert_eq!(host.judge(&all)["matches"][0]["term"], before);
    assert!(fs::read_to_string(&host.said).unwrap().contains("which ran here before"));
    host.end();
    let verified = output(&["log", "verify", &publisher.path("log")]);
    assert!(verified.status.success(), "{}", stderr(&verified));
}

#[test]
fn killed_at_any_point_of_a_trial_it_goes_on_with_it() {
    const ROUNDS: u64 = 12;
    let publisher = Publisher::new();
    publisher.publish(1, "zorkblat");
    let mut host = Host::start(&publisher);
    host.judge_until("a zorkblat", true);
    let mut found = std::collections::BTreeMap::new();
    for round in 0..ROUNDS {
        // One watches for a second, then judges for an hour: what is published next takes its place.
        let (term, steps) = (word(900 + round as u32), ["--steps", "watch:100%:1s,judge:100%:1h"]);
        let file = publisher.bundle(2 + round, &term, &steps);
        let (mut last, start) = (on_disk(&publisher.path("state")), Instant::now());
        run(&["bundle", "publish", &file, "--to", &publisher.path("published")]);
        // The bundle begun, written, renamed, the record begun, written, renamed, and again a second later.
        for _ in 0..=round {
            while on_disk(&publisher.path("state")) == last && start.elapsed() < Duration::from_secs(3) {}
            last = on_disk(&publisher.path("state"));
        }
        host.kill();
        let hidden = publisher.path("hidden");
        fs::rename(publisher.path("published"), &hidden).unwrap();
        let mut alone = Host::start(&publisher);
        // Nothing, watching or judging: all of one bundle, and never that of a trial before it took its place.
        let verdict = alone.judge(&format!("a {term}"));
        let state = match (verdict["matches"].as_array().unwrap().len(), verdict.get("would_be")) {
            (1, None) => "judges",
            (0, Some(action)) if action == "block" => "watches",
            (0, None) => "not yet",
            _ => panic!("round {round}: {verdict}"),
        };
        *found.entry(state).or_insert(0) += 1;
        let said = fs::read_to_string(&alone.said).unwrap();
        assert_eq!(said.contains(&format!("sequence {} is on trial", 2 + round)), state != "not yet", "{said}");
        alone.end();
        let verified = output(&["log", "verify", &publisher.path("log")]);
        assert!(verified.status.success(), "round {round}: {}", stderr(&verified));
        fs::rename(&hidden, publisher.path("published")).unwrap();
        host = Host::start(&publisher);
        // Few messages: of many such the breakers would make an end of the trial.
        let start = Instant::now();
        while host.judge(&format!("a {term}"))["matches"].as_array().unwrap().is_empty() {
            assert!(start.elapsed() < Duration::from_secs(20), "{}", fs::read_to_string(&host.said).unwrap());
            thread::sleep(Duration::from_millis(100));
        }
    }
    assert!(found.len() >= 2, "killed at few points only: {found:?}");
    // The end of it: what judges everybody leaves nothing of a trial.
    publisher.publish(2 + ROUNDS, "wimple");
    host.judge_until("a wimple", true);
    host.end();
    let left: Vec<_> = on_disk(&publisher.path("state")).into_iter().map(|(name, ..)| name).collect();
    assert!(!left.iter().any(|name| name.contains("trial") || name.ends_with(".part")), "{left:?}");
}

/// A made-up word for each number.
fn word(mut number: u32) -> String {
    let mut word = String::new();
    for _ in 0..4 {
        word.push(char::from(b"bdfgklmnprstvz"[number as usize % 14]));
        number /= 14;
        word.push(char::from(b"aeiou"[number as usize % 5]));
        number /= 5;
    }
    word
}

/// Says how long it takes, and demands no time: that is a matter of the machine.
#[test]
fn a_small_change_of_a_long_list_is_soon_judged_by() {
    const TERMS: u32 = 100_000;
    const ROUNDS: u32 = 20;
    let publisher = Publisher::new();
    let all: Vec<String> = (0..TERMS).map(word).collect();
    let all = all.join("\n");
    let side = publisher.path("side");
    fs::create_dir_all(publisher.path("published")).unwrap();
    let publish = |sequence: u64, more: &str| {
        let file = publisher.bundle(sequence, &format!("{all}\n{more}"), &[]);
        run(&["bundle", "publish", &file, "--to", &side]);
        let mut names: Vec<_> = fs::read_dir(&side).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort_by_key(|name| name == "prod.tamis");
        for name in &names {
            fs::copy(Path::new(&side).join(name), publisher.path(&format!("{}.new", name.to_string_lossy()))).unwrap();
        }
        let start = Instant::now();
        for name in &names {
            let name = name.to_string_lossy();
            fs::rename(publisher.path(&format!("{name}.new")), publisher.path(&format!("published/{name}"))).unwrap();
        }
        start
    };
    publish(1, "zorkblat");
    let mut host = Host::start(&publisher);
    host.judge_until("a zorkblat", true);
    let mut times = Vec::new();
    for (round, sequence) in (0..ROUNDS).zip(2..) {
        let new: Vec<String> = (0..15).map(|n| format!("zork{}blat", word(round * 15 + n))).collect();
        assert_eq!(host.judge(&format!("a {}", new[0]))["matches"], serde_json::json!([]), "found already");
        let start = publish(sequence, &new.join("\n"));
        host.judge_until(&format!("a {}", new[0]), true);
        times.push(start.elapsed().as_millis());
    }
    let bytes = |name: &str| fs::metadata(publisher.path(&format!("side/{name}"))).unwrap().len();
    let changes = fs::read_dir(&side).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let changes: Vec<u64> = changes.filter(|name| name.contains(".from-")).map(|name| bytes(&name)).collect();
    assert!(changes.len() == 8 && changes.iter().all(|&bytes| bytes < 2_000), "{changes:?}");
    host.end();
    times.sort_unstable();
    let (best, middle, worst) = (times[0], times[times.len() / 2], times[times.len() - 1]);
    eprintln!(
        "from the published file to the first message: {best} ms at best, {middle} in the middle, {worst} at worst"
    );
}

#[test]
fn what_the_host_does_is_told_as_asked() {
    let publisher = Publisher::new();
    publisher.publish(1, "zorkblat");
    let said = |more: &[&str], variable: &str| {
        let args = [publisher.check_args(), more.iter().map(ToString::to_string).collect()].concat();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let mut command = tamis(&args);
        command.env_remove("RUST_LOG");
        if !variable.is_empty() {
            command.env("RUST_LOG", variable);
        }
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"a zorkblat\n").unwrap();
        stderr(&child.wait_with_output().unwrap())
    };
    // A first start takes the bundle, and says so once, to people.
    let plain = said(&[], "");
    assert_eq!(plain.matches("judges from here on").count(), 1, "{plain}");
    assert!(!plain.contains("INFO") && !plain.contains("tamis_host"), "{plain}");

    publisher.publish(2, "zorkblat");
    let text = said(&["--trace", "info"], "");
    let line = text.lines().find(|line| line.contains(" INFO tamis_host::bundle::follow: ")).expect(&text);
    assert!(line.contains("a bundle judges from here on") && line.contains("sequence=2"), "{text}");
    assert!(!text.contains("DEBUG"), "{text}");

    publisher.publish(3, "zorkblat");
    let json = said(&["--trace", "tamis_host::bundle=debug", "--trace-format", "json"], "error");
    let events: Vec<Value> = json.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let has =
        |message: &str, key: &str| events.iter().any(|event| event["message"] == message && event[key].is_number());
    assert!(has("a bundle has passed", "ms") && has("a pack is taken in", "bytes"), "{json}");
    assert!(has("a bundle judges from here on", "sequence"), "{json}");

    // Warnings come without being asked for, and once.
    fs::write(publisher.path("published/prod.tamis"), "nonsense").unwrap();
    let refused = said(&[], "no such level");
    assert_eq!(refused.matches("not a bundle").count(), 1, "{refused}");
    let refused = said(&[], "warn");
    assert!(
        refused.contains(" WARN tamis_host::bundle::follow: ") && refused.contains("code=\"malformed\""),
        "{refused}"
    );
    fails(&["check", "--trace", "loud"], "`loud` is no level");
}

#[test]
fn an_emergency_file_holds_at_once_and_metrics_are_served() {
    let publisher = Publisher::new();
    let stanza = run(&["bundle", "keys", &publisher.path("urgent"), "--roles", "emergency"]);
    let trust = fs::read_to_string(publisher.path("trust.toml")).unwrap();
    fs::write(publisher.path("trust.toml"), trust + &stanza).unwrap();
    publisher.publish(1, "zorkblat");

    let mut host = Host::start_with(&publisher, &["--metrics", "127.0.0.1:0"]);
    host.judge("nothing");
    let said = fs::read_to_string(&host.said).unwrap();
    let address = said.lines().find_map(|line| line.strip_prefix("metrics at http://")).expect("it says where");
    host.judge_until("a zorkblat", true);

    let (published, key) = (publisher.path("published"), publisher.path("urgent.key"));
    let urgent = ["bundle", "emergency", "--sequence", "1", "--key", &key, "--to", &published, "--hold", "flumox"];
    run(&urgent);
    host.judge_until("a flumox", true);
    let verdict = host.judge("a flumox");
    assert_eq!((&verdict["action"], &verdict["matches"][0]["category"]), (&"hold".into(), &"emergency.hold".into()));
    assert_eq!(host.judge("a zorkblat")["action"], "block");

    let ask = |path: &str| {
        let mut stream = std::net::TcpStream::connect(address.strip_suffix("/metrics").unwrap()).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: tamis\r\n\r\n").unwrap();
        std::io::read_to_string(stream).unwrap()
    };
    let metrics = ask("/metrics");
    assert!(metrics.starts_with("HTTP/1.1 200 OK\r\n"), "{metrics}");
    for line in ["tamis_bundle_sequence 1", "# EOF"] {
        assert!(metrics.lines().any(|found| found == line), "no `{line}` in {metrics}");
    }
    assert!(ask("/").starts_with("HTTP/1.1 404 "));
    host.end();

    let nothing = output(&["bundle", "emergency", "--sequence", "2", "--key", &key, "--to", &published]);
    assert!(stderr(&nothing).contains("nothing to do"), "{}", stderr(&nothing));
}

#[test]
fn a_trust_file_follows_only_signed_by_the_roots_of_both() {
    let folder = Folder::new("trust");
    let path = |name: &str| folder.path(name);
    let roots = ["old", "new"].map(|name| run(&["bundle", "keys", &path(name), "--roles", "root,lists"]));
    let trust = folder.write("trust.toml", format!("version = 1\n{}", roots[0]));
    let next = folder.write("next.toml", format!("version = 2\n{}", roots[1]));
    for name in ["old", "new"] {
        let (key, signature) = (path(&format!("{name}.key")), path(&format!("{name}.minisig")));
        run(&["bundle", "sign-trust", &next, "--key", &key, "-o", &signature]);
    }
    let (old, new) = (path("old.minisig"), path("new.minisig"));
    for one in [&old, &new] {
        fails(&["bundle", "rotate-trust", &next, "--trust", &trust, "--signature", one], "trust file");
        assert!(folder.read("trust.toml").starts_with("version = 1"));
    }
    run(&["bundle", "rotate-trust", &next, "--trust", &trust, "--signature", &old, "--signature", &new]);
    assert_eq!(folder.read("trust.toml"), folder.read("next.toml"));
    // Once is enough: it does not follow itself.
    fails(&["bundle", "rotate-trust", &next, "--trust", &trust, "--signature", &old, "--signature", &new], "version 2");
}

#[test]
fn keys_are_changed_while_the_host_runs() {
    let publisher = Publisher::new();
    let path = |name: &str| publisher.path(name);
    let keys = |name: &str| run(&["bundle", "keys", &path(name), "--roles", "root,lists,policy,module"]);
    let [old, new] = ["old", "new"].map(keys);
    fs::write(path("first.toml"), format!("version = 1\n{old}")).unwrap();
    fs::copy(path("first.toml"), path("trust.toml")).unwrap();
    let next = publisher.0.write("next.toml", format!("version = 2\n{new}"));
    let publish = |sequence: u64, term: &str, keys: &[&str]| {
        publisher.write_list(term);
        let (file, number) = (path(&format!("{sequence}.tamis")), sequence.to_string());
        run(&["bundle", "build", "--lists", &path("lists"), "--sequence", &number, "-o", &file]);
        for key in keys {
            run(&["bundle", "sign", &file, "--key", &path(&format!("{key}.key"))]);
        }
        run(&["bundle", "publish", &file, "--to", &path("published")]);
    };
    publish(1, "zorkblat", &["old"]);
    let start = || Host::start_with(&publisher, &["--metrics", "127.0.0.1:0"]);
    let mut host = start();
    host.judge_until("a zorkblat", true);
    // Signed by both, so that a restart at any time takes it; then the keys.
    publish(2, "grimblewort", &["old", "new"]);
    host.judge_until("a grimblewort", true);
    for name in ["old", "new"] {
        let (key, signature) = (path(&format!("{name}.key")), path(&format!("{name}.minisig")));
        run(&["bundle", "sign-trust", &next, "--key", &key, "-o", &signature]);
    }
    // The publisher's copy; that of the host stays as it was.
    let (trust, published, old, new) =
        (path("first.toml"), path("published"), path("old.minisig"), path("new.minisig"));
    let rotate = |trust: &str, to: &str| {
        let args =
            ["bundle", "rotate-trust", &next, "--trust", trust, "--signature", &old, "--signature", &new, "--to", to];
        let output = output(&args);
        assert!(output.status.success(), "{}", stderr(&output));
        stderr(&output).contains("those that start do not take it")
    };
    // Elsewhere, where the newest is signed by the old key only, that is said.
    fs::create_dir(path("side")).unwrap();
    fs::copy(path("1.tamis"), path("side/prod.tamis")).unwrap();
    fs::copy(&trust, path("side.toml")).unwrap();
    assert!(rotate(&path("side.toml"), &path("side")));
    assert!(!rotate(&trust, &published));
    let said = |part: &str, host: &Host| {
        let start = Instant::now();
        while !fs::read_to_string(&host.said).unwrap().contains(part) {
            assert!(
                start.elapsed() < Duration::from_secs(20),
                "no `{part}` in {}",
                fs::read_to_string(&host.said).unwrap()
            );
            thread::sleep(Duration::from_millis(20));
        }
    };
    said("trust file version 2 holds from here on", &host);
    assert!(!fs::read_to_string(&host.said).unwrap().contains("did not sign"));
    // The old key is worth nothing at once, the new one is, and so after a kill.
    publish(3, "snorfle", &["old"]);
    said("no signature is by a key of the trust file", &host);
    assert_eq!(host.judge("a snorfle")["action"], "allow");
    host.kill();
    let mut host = start();
    assert_eq!(host.judge("a grimblewort")["action"], "block");
    said("no signature is by a key of the trust file", &host);
    publish(4, "wimple", &["new"]);
    host.judge_until("a wimple", true);
    host.end();
    let audit = run(&["log", "export", &publisher.path("log"), "--class", "audit"]);
    assert!(audit.contains("\"kind\":\"trusted\",") && audit.contains("\"signs_active\":true"), "{audit}");
    let verified = output(&["log", "verify", &publisher.path("log")]);
    assert!(verified.status.success(), "{}", stderr(&verified));
}

#[test]
fn a_bundle_on_trial_tells_what_would_change_before_it_acts() {
    let publisher = Publisher::new();
    publisher.publish(1, "zorkblat");
    // What the bundle says of itself; `--steps` of the host would go above it.
    let mut host = Host::start(&publisher);
    host.judge_until("a zorkblat", true);
    let file = publisher.bundle(2, "grimblewort", &["--steps", "watch:100%:3s,judge:100%:1s"]);
    run(&["bundle", "publish", &file, "--to", &publisher.path("published")]);
    let start = Instant::now();
    let verdict = loop {
        let verdict = host.judge(r"a grimblewort");
        if verdict.get("would_be").is_some() || start.elapsed() > Duration::from_secs(20) {
            break verdict;
        }
        thread::sleep(Duration::from_millis(20));
    };
    assert_eq!((&verdict["action"], &verdict["would_be"]), (&"allow".into(), &"block".into()), "{verdict}");
    assert_eq!(host.judge("a zorkblat")["would_be"], "allow");
    // Few messages: of many such the breakers would make an end of the trial.
    while host.judge("a grimblewort")["matches"].as_array().unwrap().is_empty() {
        assert!(start.elapsed() < Duration::from_secs(20), "{}", fs::read_to_string(&host.said).unwrap());
        thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(host.judge("a zorkblat")["matches"], serde_json::json!([]));
    while !fs::read_to_string(&host.said).unwrap().contains("judges from here on: sequence 2") {
        assert!(start.elapsed() < Duration::from_secs(20), "{}", fs::read_to_string(&host.said).unwrap());
        thread::sleep(Duration::from_millis(100));
    }
    let said = fs::read_to_string(&host.said).unwrap();
    for part in ["sequence 2 is on trial as generation ", ": watch:100%:3s", "would change: ", ": judge:100%:1s"] {
        assert!(said.contains(part), "no `{part}` in {said}");
    }
    host.end();
    let records = run(&["log", "export", &publisher.path("log")]);
    assert!(records.lines().any(|line| line.contains("\"decision\":\"allow\",\"would_be\":\"block\"")), "{records}");
    let audit = run(&["log", "export", &publisher.path("log"), "--class", "audit"]);
    for kind in ["trying", "tried", "swapped"] {
        assert!(audit.contains(&format!("\"kind\":\"{kind}\"")), "no `{kind}` in {audit}");
    }
    // A ring that this host is not in yet; the same again without rings is for all.
    let file = publisher.bundle(3, "flumox", &["--rings", "0.01%:0m,100%:1h"]);
    run(&["bundle", "publish", &file, "--to", &publisher.path("published")]);
    let mut host = Host::start(&publisher);
    assert_eq!(host.judge("a flumox")["action"], "allow");
    assert!(fs::read_to_string(&host.said).unwrap().contains("sequence 3 is for other hosts first"));
    let back = publisher.path("4.tamis");
    run(&["bundle", "rollback", &file, "--sequence", "4", "-o", &back]);
    run(&["bundle", "sign", &back, "--key", &publisher.path("release.key")]);
    run(&["bundle", "publish", &back, "--to", &publisher.path("published")]);
    host.judge_until("a flumox", true);
    host.end();
    fails(&["bundle", "build", "--lists", "x", "--sequence", "5", "-o", "y", "--steps", "watch:5%"], "is no step");
    fails(&["check", "--bundles", "x", "--trust", "y", "--state", "z", "--steps", "soon"], "is no step");
}

/// Packages are updated beneath programs that run.
#[cfg(target_os = "linux")]
#[test]
fn a_host_whose_program_was_replaced_still_takes_bundles() {
    let publisher = Publisher::new();
    publisher.publish(1, "zorkblat");
    let program = publisher.path("tamis");
    fs::copy(env!("CARGO_BIN_EXE_tamis"), &program).unwrap();
    let said = publisher.path("said");
    let mut command = std::process::Command::new(&program);
    command.args(publisher.check_args()).stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut child = command.stderr(File::create(&said).unwrap()).spawn().unwrap();
    let (stdin, stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    let mut host = Host { child, stdin, stdout, said };
    host.judge_until("a zorkblat", true);
    fs::remove_file(&program).unwrap();
    fs::write(&program, "#!/bin/false\n").unwrap();
    publisher.publish(2, "grimblewort");
    host.judge_until("a grimblewort", true);
    host.end();
}

/// A limit on the size of files is a disk that is full, for each of them.
#[cfg(unix)]
#[test]
fn a_full_disk_loses_records_and_no_verdict() {
    let folder = Folder::new("full");
    let terms = folder.write("terms.txt", "zorkblat\n");
    let messages = folder.write("messages.txt", "a zorkblat\n".repeat(400));
    let log = folder.path("log");
    let judge = |limit: &str| {
        let mut command = std::process::Command::new("/bin/sh");
        let run = format!("trap '' XFSZ; ulimit -f {limit}; exec \"$0\" \"$@\"");
        command.args(["-c", &run, env!("CARGO_BIN_EXE_tamis"), "check", "--format", "ndjson"]);
        let output = command.args(["--terms", &terms, "--log", &log, &messages]).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        assert_eq!(output.stdout.split(|&byte| byte == b'\n').count(), 401, "every message has its verdict");
        stderr(&output)
    };
    let records = || run(&["log", "export", &log]).lines().count();
    // Room for the first lines of each file and some records, and not for all.
    let said = judge("64");
    assert!(said.contains("the decision log cannot be written"), "{said}");
    assert!(said.contains("records were lost that the decision log had no room for"), "{said}");
    let kept = records();
    assert!((1..400).contains(&kept), "{kept} records");
    let verified = output(&["log", "verify", &log]);
    assert!(verified.status.success() && stderr(&verified).contains(" 0 lines unfinished"), "{}", stderr(&verified));
    // With room again it goes on, and the chain holds over all of it.
    judge("unlimited");
    assert_eq!(records(), kept + 400);
    let verified = output(&["log", "verify", &log]);
    assert!(verified.status.success(), "{}", stderr(&verified));
}

#[cfg(unix)]
#[test]
fn who_must_have_the_log_gets_an_error_where_there_is_no_room_for_it() {
    let folder = Folder::new("room");
    let (terms, log) = (folder.write("terms.txt", "zorkblat\n"), folder.path("log"));
    let mut command = std::process::Command::new("/bin/sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_tamis"), "check"]);
    let output = command.args(["--terms", &terms, "--log", &log, "--require-log", &terms]).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{}", stderr(&output));
    assert!(stderr(&output).contains(&log), "{}", stderr(&output));
    fails(&["check", "--require-log"], "--log");
}

#[test]
fn strikes_of_senders_are_counted_as_asked() {
    let folder = Folder::new("strikes");
    let terms = folder.write("terms.txt", "zorkblat\n");
    let line = |sender: &str, text: &str| format!("{{\"text\":\"{text}\",\"sender\":\"{sender}\"}}\n");
    let messages = [line("a", "a zorkblat"), line("b", "hello"), line("a", "hello"), line("a", "a zorkblat")];
    let messages = folder.write("messages.jsonl", messages.concat());
    let strikes = |more: &[&str]| {
        let args = [&["check", "--format", "ndjson", "--terms", &terms][..], more, &[&messages]].concat();
        let said = String::from_utf8(output(&args).stdout).unwrap();
        let verdicts = said.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        verdicts.map(|verdict| verdict["strikes"].as_u64()).collect::<Vec<_>>()
    };
    assert_eq!(strikes(&["--strikes", "60"]), [Some(1), None, Some(1), Some(2)]);
    assert_eq!(strikes(&[]), [None; 4]);
}
