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

#[test]
fn killed_at_any_point_it_starts_with_the_last_good_bundle() {
    let publisher = Publisher::new();
    publisher.publish(1, "zorkblat zero");
    let mut host = Host::start(&publisher);
    host.judge_until("a zorkblat zero", true);
    let mut newest = 1;
    for round in 0..24_u64 {
        // Killed from 0 to 230 ms after the next bundle is there: before, while and after it is loaded.
        newest += 1;
        let term = format!("zorkblat {}", ["one", "two", "six", "ten"][round as usize % 4]);
        publisher.publish(newest, &term);
        thread::sleep(Duration::from_millis(10 * round));
        host.kill();
        // Started without a source, it must have kept a good one: this or the one before.
        let hidden = publisher.path("hidden");
        fs::rename(publisher.path("published"), &hidden).unwrap();
        let mut alone = Host::start(&publisher);
        let verdict = alone.judge("a zorkblat zero zorkblat one zorkblat two zorkblat six zorkblat ten");
        assert_eq!(verdict["matches"].as_array().unwrap().len(), 1, "round {round}: {verdict}");
        alone.end();
        fs::rename(&hidden, publisher.path("published")).unwrap();
        host = Host::start(&publisher);
        host.judge_until(&format!("a {term}"), true);
    }
    host.kill();
    let verified = output(&["log", "verify", &publisher.path("log")]);
    assert!(verified.status.success(), "{}", stderr(&verified));
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
