//! Bundles that attack: each test is one attack. The host lives, names the right reason, and the generation
//! that judged goes on. Not for what bundles are made from; lists have tests of their own.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use minisign::KeyPair;
use tamis_guest::compile::PolicySource;
use tamis_guest::{Action, Field, Message};
use tamis_host::bundle::{
    Added, Admission, Bundle, BundleBuilder, Emergency, Expected, FollowEvent, Follower, Mode, Offer, PartKind,
    Refusal, Rollout, SelfTest, SignedText, Snoozed, Source, Step, Tried, Trust, TrustTaken, Updater, UpdaterConfig,
    Wanted, publish, publish_trust, verify,
};
use tamis_host::log::{Log, LogClass, LogConfig, export};
use tamis_host::{Breakers, Defaults, Filter, LoadError, Metrics, Trip};
use tamis_tests::{blocking_parts, module, module_with, pack_of, runtime};

const TAXONOMY: &str = r#"
format = 1
[[category]]
id = "custom"
code = 900
title = { en = "Custom" }
text = { en = "Terms of an operator." }
clauses = []
operator_supplied = true
"#;

const POLICY: &str = r#"
format = 1
default_channel = "sms"
[channels.sms]
s1 = "flag"
s2 = "flag"
s3 = "hold"
s4 = "block"
on_failure = "hold"
"#;

/// When the bundles of these tests are made, in seconds since 1970.
const THEN: u64 = 1_795_000_000;
const DAY: u64 = 24 * 3600;

fn unix_s(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(THEN + 60)
}

fn list(terms: &str) -> String {
    format!(
        "format = 1\nlist = {{ id = \"custom\" }}\n[[group]]\ncategory = \"custom\"\nseverity = 4\nterms = '''\n{terms}\n'''\n"
    )
}

/// A builder with the lists of one file.
fn builder(sequence: u64, terms: &str) -> BundleBuilder {
    let mut builder = BundleBuilder::new("prod", sequence, THEN, THEN + 30 * DAY);
    builder.file("taxonomy.toml", TAXONOMY).file("en/custom.toml", &list(terms)).policy(POLICY);
    builder
}

fn build(sequence: u64, terms: &str) -> Bundle {
    builder(sequence, terms).finish().expect("good lists")
}

fn sign(mut bundle: Bundle, keys: &KeyPair) -> Bundle {
    let signature = signature(bundle.manifest_bytes(), keys);
    bundle.add_signature(signature);
    bundle
}

fn signature(bytes: &[u8], keys: &KeyPair) -> String {
    minisign::sign(Some(&keys.pk), &keys.sk, bytes, None, None).expect("a key signs").into_string()
}

/// The bytes of a bundle as a string of bytes replaced.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|window| window == from).expect("it is in there");
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}

/// A host with one key for lists and policy, one for modules, which runs sequence 10.
struct Host {
    lists: KeyPair,
    module: KeyPair,
    state: PathBuf,
    /// `None` while another has its folder, or before it is needed again.
    running: Option<Updater>,
}

fn trust(lists: &KeyPair, module: &KeyPair) -> Trust {
    let text = format!(
        "version = 1\n[[key]]\npublic = \"{}\"\nroles = [\"lists\", \"policy\", \"root\"]\n[[key]]\npublic = \"{}\"\nroles = [\"module\", \"emergency\"]\n",
        lists.pk.to_base64(),
        module.pk.to_base64()
    );
    Trust::parse(&text).expect("a good trust file")
}

fn defaults() -> Defaults {
    let (policy, _) = PolicySource::parse("policy.toml", POLICY);
    Defaults { module: module(), pack: blocking_parts(pack_of("baseline")).pack, policy: policy.expect("a policy") }
}

impl Host {
    fn new() -> Host {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let state = std::env::temp_dir().join(format!("tamis-bundle-{}-{number}", std::process::id()));
        let [lists, module] = [(); 2].map(|()| KeyPair::generate_unencrypted_keypair().expect("random numbers"));
        let updater = Host::start(&state, &lists, &module);
        let mut host = Host { lists, module, state, running: Some(updater) };
        host.accepts(&sign(build(10, "zorkblat"), &host.lists));
        host
    }

    fn config(state: &std::path::Path, lists: &KeyPair, module: &KeyPair) -> UpdaterConfig {
        let mut admission = Admission::default();
        // A machine full of other tests is slow, and speed is not what these are about.
        admission.message_budget(Duration::from_secs(1));
        UpdaterConfig {
            name: "prod".to_owned(),
            trust: trust(lists, module),
            trust_file: None,
            state: state.to_owned(),
            admission,
            host: "edge-1".to_owned(),
            steps: None,
        }
    }

    fn start(state: &std::path::Path, lists: &KeyPair, module: &KeyPair) -> Updater {
        let config = Host::config(state, lists, module);
        let (updater, _) = Updater::start(runtime(), config, defaults()).expect("it starts");
        updater
    }

    fn updater(&mut self) -> &mut Updater {
        self.running.get_or_insert_with(|| Host::start(&self.state, &self.lists, &self.module))
    }

    fn restart(&mut self) {
        self.running = None;
        self.updater();
    }

    #[track_caller]
    fn accepts(&mut self, bundle: &Bundle) -> u64 {
        match self.updater().offer_at(&bundle.encode(), now()).expect("a good bundle") {
            Offer::Swapped { generation, mark_failed: None, .. } => generation,
            other => panic!("{other:?}"),
        }
    }

    /// Offers bytes that must be refused; whatever judged must go on, and so must updates.
    #[track_caller]
    fn refuses_at(&mut self, bytes: &[u8], now: SystemTime) -> Refusal {
        let before = self.updater().filter().generation();
        let refusal = match self.updater().offer_at(bytes, now) {
            Err(refusal) => refusal,
            Ok(offer) => panic!("it must be refused: {offer:?}"),
        };
        assert!(Arc::ptr_eq(&before, &self.updater().filter().generation()), "a refused bundle changed the generation");
        assert!(!refusal.to_string().is_empty());
        refusal
    }

    #[track_caller]
    fn refuses(&mut self, bytes: &[u8]) -> Refusal {
        self.refuses_at(bytes, now())
    }

    fn action(&mut self, text: &str) -> Action {
        let mut judged = Vec::new();
        self.updater().filter().worker().expect("a worker").scan(&[Message::body(text)], &mut judged);
        assert_eq!(judged[0].failure, None);
        judged[0].verdict.action
    }

    fn sequence(&mut self) -> Option<u64> {
        self.updater().filter().generation().origin().map(|origin| origin.sequence)
    }

    /// It still judges by sequence 10, and takes 11.
    #[track_caller]
    fn goes_on(mut self) {
        assert_eq!(
            (self.sequence(), self.action("a zorkblat"), self.action("a grimblewort")),
            (Some(10), Action::Block, Action::Allow)
        );
        let next = sign(build(11, "grimblewort"), &self.lists);
        self.accepts(&next);
        assert_eq!(
            (self.sequence(), self.action("a zorkblat"), self.action("a grimblewort")),
            (Some(11), Action::Allow, Action::Block)
        );
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.state);
    }
}

#[test]
fn attack_01_signature_stripped() {
    let mut host = Host::new();
    let refusal = host.refuses(&build(11, "grimblewort").encode());
    assert!(matches!(refusal, Refusal::Unsigned), "{refusal}");
    // A signature by somebody else, and one over other bytes.
    let stranger = KeyPair::generate_unencrypted_keypair().expect("random numbers");
    let refusal = host.refuses(&sign(build(11, "grimblewort"), &stranger).encode());
    assert!(matches!(refusal, Refusal::Signature), "{refusal}");
    let mut bundle = build(11, "grimblewort");
    bundle.add_signature(signature(b"other bytes", &host.lists));
    bundle.add_signature("untrusted comment: nothing".to_owned());
    let refusal = host.refuses(&bundle.encode());
    assert!(matches!(refusal, Refusal::Signature), "{refusal}");
    host.goes_on();
}

#[test]
fn attack_02_wrong_role_signs_a_module() {
    let mut host = Host::new();
    let bundle = builder(11, "grimblewort").module(tamis_host::default_module().to_vec()).finish().expect("good lists");
    let by_lists_only = sign(bundle.clone(), &host.lists);
    let refusal = host.refuses(&by_lists_only.encode());
    assert!(matches!(&refusal, Refusal::Role { part, .. } if part == "module"), "{refusal}");
    let refusal = host.refuses(&sign(bundle, &host.module).encode());
    assert!(matches!(&refusal, Refusal::Role { part, .. } if part == "lists"), "{refusal}");
    // Both together may.
    let by_both = sign(by_lists_only, &host.module);
    host.accepts(&by_both);
    assert_eq!(host.sequence(), Some(11));
}

#[test]
fn a_model_travels_signed_and_judges_from_the_swap_on() {
    let mut host = Host::new();
    let model = fs::read(tamis_tests::workspace().join("wordlists/model.bin")).expect("the model that ships");
    let with_model = |sequence, terms, model: &[u8]| builder(sequence, terms).model(model.to_vec()).finish();
    let confidence = |host: &mut Host| {
        let mut judged = Vec::new();
        let message = Message::body("URGENT! You have won a 2000 pound prize, call 09061701461 now to claim");
        host.updater().filter().worker().expect("a worker").scan(&[message], &mut judged);
        judged[0].verdict.confidence.unwanted()
    };
    assert_eq!(confidence(&mut host), 0, "no model yet");
    // Bytes that are no model are refused before they travel.
    assert!(with_model(11, "zorkblat", b"no model").is_err());

    // Whoever may sign lists may sign it; its digest is in the manifest.
    let bundle = with_model(11, "zorkblat", &model).expect("a good model");
    let refusal = host.refuses(&sign(bundle.clone(), &host.module).encode());
    assert!(matches!(&refusal, Refusal::Role { part, .. } if part == "lists"), "{refusal}");
    let part = bundle.manifest().parts.last().expect("parts").clone();
    assert_eq!((part.kind.to_string(), part.bytes), ("model".to_owned(), model.len() as u64));
    assert_eq!(part.sha256, tamis_host::bundle::sha256_hex(&model));
    let signed = sign(bundle, &host.lists);
    // The signed manifest with the model left away.
    let without = build(11, "zorkblat").encode();
    let forged = replaced(&without, build(11, "zorkblat").manifest_bytes(), signed.manifest_bytes());
    let forged = with_manifest_length(forged, build(11, "zorkblat").manifest_bytes(), signed.manifest_bytes());
    let refusal = host.refuses(&forged);
    assert!(matches!(refusal, Refusal::Malformed(_)), "{refusal}");
    host.accepts(&signed);
    assert!(confidence(&mut host) > 900, "{}", confidence(&mut host));

    // The next comes as changes, the model unchanged, then gone.
    let next = sign(with_model(12, "grimblewort", &model).expect("a good model"), &host.lists);
    let changes = next.as_changes_to(&signed).expect("both whole").encode();
    assert!(changes.len() < 2000, "{} bytes: the model did not change", changes.len());
    host.updater().offer_at(&changes, now()).expect("good changes");
    assert_eq!((host.action("a grimblewort"), confidence(&mut host) > 900), (Action::Block, true));
    let last = sign(build(13, "grimblewort"), &host.lists);
    host.accepts(&last);
    assert_eq!(confidence(&mut host), 0);
    // And it comes back as changes to a bundle without one.
    let back = sign(with_model(14, "grimblewort", &model).expect("a good model"), &host.lists);
    host.updater().offer_at(&back.as_changes_to(&last).expect("both whole").encode(), now()).expect("good changes");
    assert!(confidence(&mut host) > 900);
}

#[test]
fn attack_03_older_sequence_replayed() {
    let mut host = Host::new();
    let old = sign(build(9, "grimblewort"), &host.lists);
    let refusal = host.refuses(&old.encode());
    assert!(matches!(refusal, Refusal::Rollback { found: 9, mark: 10 }), "{refusal}");
    // Nor after a restart, nor after the bundles that were kept are gone: the mark holds.
    host.restart();
    assert_eq!(host.sequence(), Some(10));
    let refusal = host.refuses(&old.encode());
    assert!(matches!(refusal, Refusal::Rollback { found: 9, mark: 10 }), "{refusal}");
    fs::remove_dir_all(host.state.join("bundles")).expect("it is there");
    host.restart();
    assert_eq!((host.sequence(), host.action("a baseline")), (None, Action::Block), "the built-in lists");
    let refusal = host.refuses(&old.encode());
    assert!(matches!(refusal, Refusal::Rollback { found: 9, mark: 10 }), "{refusal}");
    // A mark that cannot be read lets nothing in.
    fs::write(host.state.join("mark.json"), "{").expect("a writable folder");
    let refusal = host.refuses(&sign(build(11, "grimblewort"), &host.lists).encode());
    assert!(matches!(refusal, Refusal::Store { .. }), "{refusal}");
}

#[test]
fn attack_04_same_sequence_other_bytes() {
    let mut host = Host::new();
    let refusal = host.refuses(&sign(build(10, "grimblewort"), &host.lists).encode());
    assert!(matches!(refusal, Refusal::Equivocation(10)), "{refusal}");
    // A key that was stolen for an hour cannot use up all sequences.
    let refusal = host.refuses(&sign(build(u64::MAX, "grimblewort"), &host.lists).encode());
    assert!(matches!(refusal, Refusal::FastForward { .. }), "{refusal}");
    host.goes_on();
}

#[test]
fn attack_05_list_cut_short() {
    let mut host = Host::new();
    let bytes = sign(build(11, "grimblewort\nzorkblat"), &host.lists).encode();
    for end in 0..bytes.len() {
        let refusal = host.refuses(&bytes[..end]);
        assert!(matches!(refusal, Refusal::Malformed(_)), "{end} of {} bytes: {refusal}", bytes.len());
    }
    // Cut short and framed anew: what was signed is the whole.
    let short = build(11, "grimblewort").encode();
    let (long, short) = (Bundle::decode(&bytes).expect("good"), Bundle::decode(&short).expect("good"));
    let framed = replaced(&short.encode(), short.manifest_bytes(), long.manifest_bytes());
    let mut framed =
        Bundle::decode(&with_manifest_length(framed, short.manifest_bytes(), long.manifest_bytes())).expect("framed");
    framed.add_signature(long.signatures()[0].clone());
    let refusal = host.refuses(&framed.encode());
    assert!(matches!(refusal, Refusal::Digest(_)), "{refusal}");
    // Fewer terms than the signer counted, though the digests are right: the lists were cut before.
    let mut counted = build(11, "grimblewort\nzorkblat").manifest().clone();
    counted.terms = 3;
    let counted = serde_json::to_vec(&counted).expect("JSON");
    let honest = build(11, "grimblewort\nzorkblat");
    let forged = replaced(&honest.encode(), honest.manifest_bytes(), &counted);
    let forged = Bundle::decode(&with_manifest_length(forged, honest.manifest_bytes(), &counted)).expect("framed");
    let refusal = host.refuses(&sign(forged, &host.lists).encode());
    assert!(matches!(refusal, Refusal::Terms { stated: 3, found: 2 }), "{refusal}");
    host.goes_on();
}

/// Sets the length of the manifest, which is at byte 12.
fn with_manifest_length(mut bytes: Vec<u8>, old: &[u8], new: &[u8]) -> Vec<u8> {
    assert_eq!(bytes[12..16], u32::try_from(old.len()).expect("short").to_le_bytes());
    bytes[12..16].copy_from_slice(&u32::try_from(new.len()).expect("short").to_le_bytes());
    bytes
}

/// The most memory that the process had so far; 0 where nobody says.
fn most_memory_mib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) >> 10
}

#[test]
fn attack_06_more_when_unpacked() {
    let mut host = Host::new();
    // A gigabyte of zeros packs to a megabyte; the manifest states the size of an honest list.
    let honest = sign(build(11, "grimblewort"), &host.lists);
    let bomb = miniz_oxide::deflate::compress_to_vec(&vec![0; 256 << 20], 6);
    let body = honest.encode();
    let manifest_end = 16 + honest.manifest_bytes().len();
    let signature_end = manifest_end + 8 + honest.signatures()[0].len();
    let mut bytes = body[..=signature_end].to_vec();
    for _ in &honest.manifest().parts {
        bytes.push(1);
        bytes.extend(u32::try_from(bomb.len()).expect("short").to_le_bytes());
        bytes.extend(&bomb);
    }
    let before = most_memory_mib();
    let refusal = host.refuses(&bytes);
    assert!(matches!(refusal, Refusal::Digest(_)), "{refusal}");
    // It stopped where the manifest says that it ends.
    assert!(most_memory_mib() < before + 128, "{} MiB after {before}", most_memory_mib());
    // A manifest that states more than any host takes.
    let mut manifest = honest.manifest().clone();
    manifest.parts[0].bytes = 1 << 40;
    let manifest = serde_json::to_vec(&manifest).expect("JSON");
    let framed = replaced(&body, honest.manifest_bytes(), &manifest);
    let refusal = host.refuses(&with_manifest_length(framed, honest.manifest_bytes(), &manifest));
    assert!(matches!(refusal, Refusal::TooLarge { .. }), "{refusal}");
    host.goes_on();
}

#[test]
fn attack_07_changes_to_another_base() {
    let mut host = Host::new();
    let (base, other) = (build(10, "zorkblat"), build(8, "snorfle\nzorkblat"));
    let next = sign(build(11, "grimblewort\nzorkblat"), &host.lists);
    let refusal = host.refuses(&next.as_changes_to(&other).expect("both whole").encode());
    assert!(matches!(refusal, Refusal::DeltaBase(_)), "{refusal}");
    // Changes made for another base, said to be for this one.
    let lying = replaced(
        &next.as_changes_to(&other).expect("both whole").encode(),
        &hex_bytes(&other.digest()),
        &hex_bytes(&base.digest()),
    );
    let refusal = host.refuses(&lying);
    assert!(matches!(refusal, Refusal::Digest(_)), "{refusal}");
    // Honest ones work, and what is kept is the whole.
    let generation = host.accepts(&next.as_changes_to(&base).expect("both whole"));
    assert_eq!((generation, host.action("a grimblewort")), (3, Action::Block));
    host.restart();
    assert_eq!((host.sequence(), host.action("a grimblewort")), (Some(11), Action::Block));
}

fn hex_bytes(hex: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal");
    (0..hex.len()).step_by(2).map(byte).collect()
}

#[test]
fn attack_08_killed_between_keeping_and_the_mark() {
    let mut host = Host::new();
    let mark = fs::read(host.state.join("mark.json")).expect("there is a mark");
    let next = sign(build(11, "grimblewort"), &host.lists);
    host.accepts(&next);
    // As if the process had ended before the mark was written, with half a file beside.
    fs::write(host.state.join("mark.json"), &mark).expect("a writable folder");
    fs::write(host.state.join("mark.part"), "{\"seq").expect("a writable folder");
    fs::write(host.state.join("bundles/99.part"), &next.encode()[..99]).expect("a writable folder");
    host.restart();
    assert_eq!((host.sequence(), host.action("a grimblewort")), (Some(11), Action::Block));
    let refusal = host.refuses(&sign(build(10, "zorkblat"), &host.lists).encode());
    assert!(matches!(refusal, Refusal::Rollback { found: 10, mark: 11 }), "{refusal}");
    // A kept bundle that is damaged is passed over for the one before it.
    let newest =
        fs::read_dir(host.state.join("bundles")).expect("a folder").map(|entry| entry.expect("an entry").path());
    let newest = newest.filter(|path| path.extension().is_some_and(|end| end == "tamis")).max().expect("bundles");
    let mut bytes = fs::read(&newest).expect("a file");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&newest, bytes).expect("a writable folder");
    host.restart();
    assert_eq!((host.sequence(), host.action("a zorkblat")), (Some(10), Action::Block));
    // The mark is where it was.
    let refusal = host.refuses(&sign(build(10, "snorfle"), &host.lists).encode());
    assert!(matches!(refusal, Refusal::Rollback { found: 10, mark: 11 }), "{refusal}");
}

#[test]
fn attack_09_clock_ten_years_off() {
    let mut host = Host::new();
    let next = sign(build(11, "grimblewort"), &host.lists).encode();
    let ten_years = Duration::from_secs(3652 * DAY);
    let refusal = host.refuses_at(&next, now() + ten_years);
    assert!(matches!(refusal, Refusal::Expired { .. }) && refusal.to_string().contains("clock"), "{refusal}");
    let refusal = host.refuses_at(&next, now() - ten_years);
    assert!(matches!(refusal, Refusal::Clock { .. }), "{refusal}");
    // What runs has expired by that clock; it filters on, says so, and is there after a restart.
    assert!(host.updater().expired_s(now() + ten_years).is_some_and(|seconds| seconds > 3000 * DAY));
    assert_eq!(host.updater().expired_s(now()), None);
    host.restart();
    host.goes_on();
}

#[test]
fn attack_10_trust_version_skipped() {
    let [old, new] = [(); 2].map(|()| KeyPair::generate_unencrypted_keypair().expect("random numbers"));
    let text = |version: u64, keys: &KeyPair| {
        let public = keys.pk.to_base64();
        format!("version = {version}\n[[key]]\npublic = \"{public}\"\nroles = [\"root\", \"lists\"]\n")
    };
    let trust = Trust::parse(&text(1, &old)).expect("a good trust file");
    let rotate = |version: u64, signers: &[&KeyPair]| {
        let text = text(version, &new);
        let signatures = signers.iter().map(|keys| signature(text.as_bytes(), keys)).collect();
        trust.rotate(&SignedText { signed: text, signatures })
    };
    let refusal = rotate(3, &[&old, &new]).expect_err("a version is skipped");
    assert!(matches!(refusal, Refusal::Rotation { current: 1, found: 3 }), "{refusal}");
    let refusal = rotate(1, &[&old, &new]).expect_err("no new version");
    assert!(matches!(refusal, Refusal::Rotation { current: 1, found: 1 }), "{refusal}");
    assert!(matches!(rotate(2, &[&new]), Err(Refusal::Signature)), "the old keys did not sign");
    assert!(matches!(rotate(2, &[&old]), Err(Refusal::Signature)), "the new keys did not sign");
    assert!(matches!(rotate(2, &[]), Err(Refusal::Unsigned)));
    assert_eq!(rotate(2, &[&old, &new]).expect("it follows").version(), 2);
    // A trust file without keys would trust everybody or nobody; it is none.
    for text in ["version = 1\nkey = []\n", "version = 1\n", "version = 1\n[[key]]\npublic = \"RW\"\nroles = []\n"] {
        assert!(matches!(Trust::parse(text), Err(Refusal::Malformed(_))), "{text}");
    }
}

/// A trust file with one key for everything.
fn trust_text(version: u64, keys: &KeyPair) -> String {
    let roles = "[\"lists\", \"policy\", \"module\", \"emergency\", \"root\"]";
    format!("version = {version}\n[[key]]\npublic = \"{}\"\nroles = {roles}\n", keys.pk.to_base64())
}

/// The same, signed so that it may follow another.
fn signed_trust(version: u64, keys: &KeyPair, signers: &[&KeyPair]) -> SignedText {
    let signed = trust_text(version, keys);
    let signatures = signers.iter().map(|signer| signature(signed.as_bytes(), signer)).collect();
    SignedText { signed, signatures }
}

fn keys() -> KeyPair {
    KeyPair::generate_unencrypted_keypair().expect("random numbers")
}

/// Offers an emergency file that holds `flumox` for an hour, and returns it.
fn offer_flumox(host: &mut Host, now: SystemTime) -> Vec<u8> {
    let urgent =
        Emergency { created: unix_s(now), expires: unix_s(now) + 3600, ..emergency(1, &[("flumox", Mode::Hold)], &[]) };
    let text = urgent.text();
    let file = Emergency::encode(&text, &[signature(text.as_bytes(), &host.module)]);
    host.updater().offer_emergency(&file, now).expect("a good file");
    file
}

#[test]
fn from_a_new_trust_file_on_old_keys_count_for_nothing() {
    let mut host = Host::new();
    let (new, newer) = (keys(), keys());
    let now = SystemTime::now();
    // What goes on by the old keys: an emergency, and a trial.
    let file = offer_flumox(&mut host, now);
    let trial = sign(build_in_steps(11, "wimple", &[], &["judge:100%:10m"]), &host.lists);
    assert!(matches!(host.updater().offer(&trial.encode()), Ok(Offer::Trying { .. })));

    // Not signed by both, or not the next: as it was.
    let (old, good) = (&host.lists, signed_trust(2, &new, &[&host.lists, &new]));
    let bad = [
        signed_trust(2, &new, &[old]),
        signed_trust(2, &new, &[&new]),
        signed_trust(3, &new, &[old, &new]),
        SignedText { signed: good.signed.replace("version = 2", "version = 2 "), ..good.clone() },
    ];
    for bad in bad {
        host.updater().offer_trust(&bad.encode()).expect_err("it does not follow");
    }
    host.updater().offer_trust(&good.encode()[..99]).expect_err("it is cut short");
    host.updater().offer_trust(&vec![b' '; 300 << 10]).expect_err("it is too large");
    let filter = host.updater().filter().clone();
    let by_trial = verdicts(&filter, &[("a", "a wimple")]);
    assert_eq!((host.updater().trust_version(), by_trial), (1, vec![(Action::Block, None)]));

    let taken = host.updater().offer_trust(&good.encode()).expect("it follows");
    assert_eq!(taken, TrustTaken { version: 2, signs_active: false });
    // The trial is over, and the emergency; what judged goes on.
    host.updater().end_emergency(now).expect("it starts").expect("its key counts no more");
    assert_eq!(host.updater().trying(), None);
    let judged = verdicts(&filter, &[("a", "a wimple"), ("a", "a flumox"), ("a", "a zorkblat")]);
    assert_eq!(judged, [Action::Allow, Action::Allow, Action::Block].map(|action| (action, None)));
    let refused = |host: &mut Host, sequence| {
        let by_old = sign(build(sequence, "grimblewort"), &host.lists).encode();
        assert!(matches!(host.refuses(&by_old), Refusal::Signature));
        let error = host.updater().offer_emergency(&file, now).expect_err("its key counts no more");
        assert!(matches!(error, Refusal::Signature), "{error}");
    };
    refused(&mut host, 11);
    let refusal = host.refuses(&sign(build(9, "grimblewort"), &new).encode());
    assert!(matches!(refusal, Refusal::Rollback { found: 9, mark: 10 }), "new keys bring nothing old back: {refusal}");
    host.accepts(&sign(build(11, "grimblewort"), &new));

    // After a restart with the first trust file, too, and the next one follows the one that holds.
    host.restart();
    assert_eq!((host.updater().trust_version(), host.sequence()), (2, Some(11)));
    refused(&mut host, 12);
    let next = signed_trust(3, &newer, &[&new, &newer]).encode();
    assert!(matches!(host.updater().offer_trust(&next), Ok(TrustTaken { version: 3, signs_active: false })));
    host.accepts(&sign(build(12, "snorfle"), &newer));
    host.restart();
    assert_eq!((host.updater().trust_version(), host.sequence()), (3, Some(12)));

    // A record that was damaged, or changed to something nobody signed, lets nothing in until it is restored.
    let path = host.state.join("trust.json");
    let record = fs::read_to_string(&path).expect("there is a record");
    let forged = trust_text(3, &new).replace('\n', "\\n").replace('"', "\\\"");
    let forged = record.replace(&trust_text(3, &newer).replace('\n', "\\n").replace('"', "\\\""), &forged);
    for damaged in ["{", &forged, "{\"version\":3,\"steps\":[]}"] {
        assert_ne!(damaged, record);
        fs::write(&path, damaged).expect("a writable folder");
        host.restart();
        for keys in [&host.lists, &new, &newer].map(|keys| sign(build(13, "wimple"), keys).encode()) {
            let refusal = host.refuses(&keys);
            assert!(matches!(refusal.code(), "store" | "signature" | "rotation"), "{refusal}");
        }
    }
    fs::write(&path, record).expect("a writable folder");
    host.accepts(&sign(build(13, "wimple"), &newer));
}

#[test]
fn a_follower_takes_new_trust_files_from_its_source_and_from_its_own_file() {
    let mut host = Host::new();
    let [second, third, fourth] = [(); 3].map(|()| keys());
    let (folder, own) = (host.state.with_extension("trust"), host.state.with_extension("toml"));
    fs::write(&own, trust_text(1, &host.lists)).expect("a writable folder");
    host.running = None;
    let config = UpdaterConfig {
        trust: Trust::parse(&trust_text(1, &host.lists)).expect("a trust file"),
        trust_file: Some(own.clone()),
        ..Host::config(&host.state, &host.lists, &host.module)
    };
    let (updater, _) = Updater::start(runtime(), config, defaults()).expect("it starts");
    publish(&sign(build_now(11, "grimblewort"), &second), &folder).expect("a folder");
    let (tell, told) = std::sync::mpsc::channel();
    let tell = move |event| _ = tell.send(event);
    let follower =
        Follower::new(updater, Source::Folder(folder.clone()), Duration::from_millis(50), Breakers::default(), tell);
    let follower = follower.spawn().expect("a thread");
    let next = || told.recv_timeout(Duration::from_secs(20)).expect("it is told");
    let event = next();
    assert!(matches!(event, FollowEvent::Refused(Refusal::Signature)), "signed by a key of later: {event:?}");

    // Two versions at once, which it takes one after the other, and with them what they sign.
    let first = Trust::parse(&trust_text(1, &host.lists)).expect("a trust file");
    let to_second = signed_trust(2, &second, &[&host.lists, &second]);
    publish_trust(&signed_trust(3, &third, &[&second, &third]), &first, "prod", &folder).expect_err("it skips one");
    publish_trust(&to_second, &first, "prod", &folder).expect("it follows");
    let event = next();
    assert!(matches!(event, FollowEvent::Trusted(TrustTaken { version: 2, .. })), "{event:?}");
    let event = next();
    assert!(matches!(event, FollowEvent::Swapped { sequence: 11, .. }), "{event:?}");
    let second_trust = first.rotate(&to_second).expect("it follows");
    publish_trust(&signed_trust(3, &third, &[&second, &third]), &second_trust, "prod", &folder).expect("it follows");
    let event = next();
    assert!(matches!(event, FollowEvent::Trusted(TrustTaken { version: 3, signs_active: false })), "{event:?}");
    let event = next();
    assert!(matches!(event, FollowEvent::Refused(Refusal::Signature)), "the one that is published: {event:?}");

    // What configuration management writes again changes nothing; half a file is told of, and nothing follows from it.
    fs::write(&own, trust_text(1, &host.lists)).expect("a writable folder");
    std::thread::sleep(Duration::from_millis(1200));
    assert_eq!(follower.updater().trust_version(), 3);
    fs::write(&own, "version = 4\n[[key]]\npub").expect("a writable folder");
    let event = next();
    assert!(matches!(event, FollowEvent::Refused(Refusal::Malformed(_))), "{event:?}");
    // By hand, one that is not above is refused, and one that is above holds.
    fs::write(&own, trust_text(3, &fourth)).expect("a writable folder");
    let refused = std::iter::from_fn(|| Some(next()))
        .find(|event| matches!(event, FollowEvent::Refused(Refusal::Rotation { current: 3, found: 3 })));
    assert!(refused.is_some());
    fs::write(&own, trust_text(4, &fourth)).expect("a writable folder");
    let taken = std::iter::from_fn(|| Some(next())).find(|event| matches!(event, FollowEvent::Trusted(_)));
    assert!(matches!(taken, Some(FollowEvent::Trusted(TrustTaken { version: 4, .. }))), "{taken:?}");
    publish(&sign(build_now(12, "snorfle"), &fourth), &folder).expect("a folder");
    let swapped = std::iter::from_fn(|| Some(next())).find(|event| matches!(event, FollowEvent::Swapped { .. }));
    assert!(matches!(swapped, Some(FollowEvent::Swapped { sequence: 12, .. })), "{swapped:?}");
    drop(follower);

    // An older one that is put back does not hold again.
    let config = Host::config(&host.state, &host.lists, &host.module);
    let (mut updater, passed_over) = Updater::start(runtime(), config, defaults()).expect("it starts");
    assert!(
        passed_over.iter().any(|refusal| matches!(refusal, Refusal::Rotation { current: 4, .. })),
        "{passed_over:?}"
    );
    let refusal = updater.offer(&sign(build_now(13, "wimple"), &host.lists).encode()).expect_err("an old key");
    assert!(matches!(refusal, Refusal::Rotation { current: 4, .. }), "{refusal}");
    let _ = (fs::remove_dir_all(folder), fs::remove_file(own));
}

fn emergency(sequence: u64, add: &[(&str, Mode)], snooze: &[&str]) -> Emergency {
    Emergency {
        tamis_emergency: 1,
        name: "prod".to_owned(),
        sequence,
        created: THEN,
        expires: THEN + DAY,
        add: add.iter().map(|&(term, mode)| Added { term: term.to_owned(), mode }).collect(),
        snooze: snooze.iter().map(|term| Snoozed { list: "custom".to_owned(), term: (*term).to_owned() }).collect(),
    }
}

#[test]
fn attack_11_emergency_file_that_wants_too_much() {
    let mut host = Host::new();
    // Lists of severity 2, so that something may be snoozed at all.
    let mild = list("zorkblat\nsnorfle").replace("severity = 4", "severity = 2");
    let severe = list("grimblewort").replace("id = \"custom\"", "id = \"severe\"");
    let mut builder = BundleBuilder::new("prod", 11, THEN, THEN + 30 * DAY);
    builder
        .file("taxonomy.toml", TAXONOMY)
        .file("en/custom.toml", &mild)
        .file("en/severe.toml", &severe)
        .policy(POLICY);
    builder.test(SelfTest { term: Some("zorkblat".to_owned()), ..SelfTest::new("a zorkblat", Wanted::Hit) });
    let bundle = sign(builder.finish().expect("good lists"), &host.lists);
    host.accepts(&bundle);
    let before = host.updater().filter().generation();

    let signed_by = |text: &str, keys: &KeyPair| Emergency::encode(text, &[signature(text.as_bytes(), keys)]);
    let key = host.module.clone();
    let offer = |host: &mut Host, text: &str| host.updater().offer_emergency(&signed_by(text, &key), now());
    // An action that is not for it, a key that is not its own, too many, too long, what must stay.
    let text = emergency(1, &[("flumox", Mode::Hold)], &[]).text();
    for other in ["allow", "block", "enforce"] {
        let refusal = offer(&mut host, &text.replace("\"hold\"", &format!("\"{other}\""))).expect_err("no such mode");
        assert!(matches!(refusal, Refusal::Emergency(_)), "{refusal}");
    }
    let refusal = offer(&mut host, &text.replace("\"snooze\"", "\"allow\"")).expect_err("no such key");
    assert!(matches!(refusal, Refusal::Emergency(_)), "{refusal}");
    let many: Vec<String> = (0..21).map(|number| format!("term{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let refusal = offer(&mut host, &emergency(1, &[], &many).text()).expect_err("21 are too many");
    assert!(matches!(&refusal, Refusal::Emergency(why) if why.contains("21")), "{refusal}");
    let long = Emergency { expires: THEN + 4 * DAY, ..emergency(1, &[("flumox", Mode::Hold)], &[]) };
    assert!(matches!(offer(&mut host, &long.text()), Err(Refusal::Emergency(_))));
    let floor = emergency(1, &[], &["grimblewort"]).text().replace("\"custom\"", "\"severe\"");
    assert!(matches!(offer(&mut host, &floor), Err(Refusal::Emergency(_))));
    let injected = emergency(1, &[("a\n'''\n[[group]]", Mode::Hold)], &[]).text();
    assert!(matches!(offer(&mut host, &injected), Err(Refusal::Emergency(_))));
    let by_lists = signed_by(&text, &host.lists);
    let by_lists = host.updater().offer_emergency(&by_lists, now());
    assert!(matches!(by_lists, Err(Refusal::Role { .. })), "{by_lists:?}");
    assert!(Arc::ptr_eq(&before, &host.updater().filter().generation()), "a refused file changed the generation");

    // What it may: hold, shadow, snooze; for a day, across the next bundle, once.
    let good = emergency(1, &[("flumox", Mode::Hold), ("wimple", Mode::Shadow)], &["zorkblat"]).text();
    offer(&mut host, &good).expect("a good file");
    let actions = |host: &mut Host| ["a flumox", "a wimple", "a zorkblat", "a snorfle"].map(|text| host.action(text));
    assert_eq!(actions(&mut host), [Action::Hold, Action::Allow, Action::Allow, Action::Flag]);
    assert!(matches!(offer(&mut host, &good), Err(Refusal::Rollback { .. })), "the same again");
    assert_eq!(host.updater().end_emergency(now()).expect("nothing to do"), None);
    assert!(host.updater().end_emergency(now() + Duration::from_secs(DAY)).expect("it starts").is_some());
    assert_eq!(actions(&mut host), [Action::Allow, Action::Allow, Action::Flag, Action::Flag]);
}

#[test]
fn attack_12_empty_lists() {
    let mut host = Host::new();
    let empty = "format = 1\nlist = { id = \"custom\", allow_empty = true }\n";
    let mut builder = BundleBuilder::new("prod", 11, THEN, THEN + DAY);
    builder.file("taxonomy.toml", TAXONOMY).file("en/custom.toml", empty);
    let refusal = host.refuses(&sign(builder.finish().expect("it compiles"), &host.lists).encode());
    assert!(matches!(refusal, Refusal::Empty), "{refusal}");
    host.goes_on();
}

/// Answers each request with what `answer` makes of it, until the process ends.
fn serve(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("it is bound"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut request = Vec::new();
            let mut bytes = [0; 4096];
            while !request.windows(4).any(|window| window == b"\r\n\r\n") {
                match stream.read(&mut bytes) {
                    Ok(read) if read > 0 => request.extend(&bytes[..read]),
                    _ => break,
                }
            }
            // One that hangs up early has seen enough.
            let _ = stream.write_all(&answer(&String::from_utf8_lossy(&request)));
        }
    });
    address
}

fn response(status: &str, tag: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nETag: \"{tag}\"\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// A follower and what it tells.
fn follow(host: &mut Host, source: Source) -> (Follower, std::sync::mpsc::Receiver<FollowEvent>) {
    host.running = None;
    let updater = Host::start(&host.state, &host.lists, &host.module);
    let (tell, told) = std::sync::mpsc::channel();
    let tell = move |event| _ = tell.send(event);
    (Follower::new(updater, source, Duration::from_millis(50), Breakers::default(), tell), told)
}

fn sequence_of(follower: &Follower) -> Option<u64> {
    follower.updater().filter().generation().origin().map(|origin| origin.sequence)
}

/// A bundle that is good at the time of the test and not only at that of the others.
fn build_now(sequence: u64, terms: &str) -> Bundle {
    let now = unix_s(SystemTime::now());
    let mut builder = BundleBuilder::new("prod", sequence, now, now + DAY);
    builder.file("taxonomy.toml", TAXONOMY).file("en/custom.toml", &list(terms)).policy(POLICY);
    builder.finish().expect("good lists")
}

#[test]
fn attack_13_unsigned_redirect() {
    let mut host = Host::new();
    let honest = sign(build_now(11, "grimblewort"), &host.lists).encode();
    let elsewhere = serve(move |_| response("200 OK", "1", &honest));
    let redirect = format!(
        "HTTP/1.1 302 Found\r\nLocation: {elsewhere}/prod.tamis\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    let address = serve(move |_| redirect.clone().into_bytes());
    // Even to a good bundle it is not followed.
    let (mut follower, told) = follow(&mut host, Source::parse(&address).expect("an address"));
    follower.look();
    let event = told.try_recv().expect("it is told");
    assert!(matches!(event, FollowEvent::Refused(Refusal::Redirect { .. })), "{event:?}");
    assert_eq!(sequence_of(&follower), Some(10));
    drop(follower);
    // And without a redirect, what is not signed is not taken.
    let unsigned = build_now(11, "grimblewort").encode();
    let address = serve(move |request| {
        if request.contains(".tamis ") && !request.contains("from-") {
            response("200 OK", "1", if request.starts_with("HEAD") { b"" } else { &unsigned })
        } else {
            response("404 Not Found", "0", b"")
        }
    });
    let (mut follower, told) = follow(&mut host, Source::parse(&address).expect("an address"));
    follower.look();
    let event = told.try_recv().expect("it is told");
    assert!(matches!(event, FollowEvent::Refused(Refusal::Unsigned)), "{event:?}");
    assert_eq!(sequence_of(&follower), Some(10));
}

#[test]
fn an_address_is_asked_for_what_changed() {
    let mut host = Host::new();
    let bundle = sign(build_now(11, "grimblewort"), &host.lists).encode();
    let gets = Arc::new(AtomicU32::new(0));
    let counted = gets.clone();
    let address = serve(move |request| {
        if !request.contains("/prod.tamis ") {
            response("404 Not Found", "0", b"")
        } else if request.to_ascii_lowercase().contains("if-none-match: \"7\"") {
            response("304 Not Modified", "7", b"")
        } else if request.starts_with("HEAD") {
            response("200 OK", "7", b"")
        } else {
            counted.fetch_add(1, Ordering::Relaxed);
            response("200 OK", "7", &bundle)
        }
    });
    let (mut follower, told) = follow(&mut host, Source::parse(&address).expect("an address"));
    for _ in 0..3 {
        follower.look();
    }
    let event = told.try_recv();
    assert!(matches!(event, Ok(FollowEvent::Swapped { sequence: 11, .. })), "{event:?}");
    assert!(told.try_recv().is_err(), "nothing changed after that");
    assert_eq!(gets.load(Ordering::Relaxed), 1, "the bundle is fetched once");
    drop(follower);
    // The server is gone: what judged goes on.
    let (mut follower, told) = follow(&mut host, Source::parse("http://127.0.0.1:9").expect("an address"));
    follower.look();
    let event = told.try_recv();
    assert!(matches!(event, Ok(FollowEvent::Refused(Refusal::Fetch { .. }))), "{event:?}");
    assert_eq!(sequence_of(&follower), Some(11));
}

#[test]
fn new_keys_come_by_address_too_and_a_server_out_of_reach_is_asked_for_the_bundle_alone() {
    let mut host = Host::new();
    let new = keys();
    let trust = signed_trust(2, &new, &[&host.lists, &new]).encode();
    let bundle = sign(build_now(11, "grimblewort"), &new).encode();
    let (asked, is_down) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
    let (count, down) = (asked.clone(), is_down.clone());
    let address = serve(move |request| {
        let is_trust = request.contains("/prod.trust-");
        count.fetch_add(u32::from(is_trust), Ordering::Relaxed);
        if down.load(Ordering::Relaxed) {
            response("503 Busy", "0", b"")
        } else if request.contains("/prod.trust-2.json ") {
            response("200 OK", "1", &trust)
        } else if request.contains("/prod.tamis ") {
            response("200 OK", "7", if request.starts_with("HEAD") { b"" } else { &bundle })
        } else {
            response("404 Not Found", "0", b"")
        }
    });
    let (mut follower, told) = follow(&mut host, Source::parse(&address).expect("an address"));
    follower.look();
    let events = [told.try_recv().expect("it is told"), told.try_recv().expect("it is told")];
    assert!(
        matches!(
            events,
            [FollowEvent::Trusted(TrustTaken { version: 2, .. }), FollowEvent::Swapped { sequence: 11, .. }]
        ),
        "{events:?}"
    );
    let look = |follower: &mut Follower| {
        let before = asked.load(Ordering::Relaxed);
        follower.look();
        asked.load(Ordering::Relaxed) - before
    };
    assert_eq!(look(&mut follower), 1, "for version 3");
    is_down.store(true, Ordering::Relaxed);
    assert_eq!([look(&mut follower), look(&mut follower)], [1, 0]);
    is_down.store(false, Ordering::Relaxed);
    assert_eq!([look(&mut follower), look(&mut follower)], [0, 1]);
}

#[test]
fn a_folder_is_followed_by_changes() {
    let mut host = Host::new();
    let folder = host.state.with_extension("published");
    let terms: Vec<String> = (0..2_000).map(|number| format!("zork{number}blat")).collect();
    publish(&sign(build_now(11, &terms.join("\n")), &host.lists), &folder).expect("a folder");
    let (follower, told) = follow(&mut host, Source::Folder(folder.clone()));
    let follower = follower.spawn().expect("a thread");
    let next = || told.recv_timeout(Duration::from_secs(20)).expect("it is told");
    let event = next();
    assert!(matches!(event, FollowEvent::Swapped { sequence: 11, terms: 2_000, .. }), "{event:?}");
    let more = format!("{}\ngrimblewort", terms[1..].join("\n"));
    let bundle = sign(build_now(12, &more), &host.lists);
    let changes = publish(&bundle, &folder).expect("a folder").expect("there was one before");
    assert!(changes * 3 < bundle.encode().len(), "{changes} bytes of changes to {}", bundle.encode().len());
    let event = next();
    assert!(matches!(event, FollowEvent::Swapped { sequence: 12, terms: 2_000, .. }), "{event:?}");
    assert_eq!(sequence_of(&follower), Some(12));
    assert!(matches!(publish(&bundle, &folder), Err(Refusal::Rollback { .. })), "the same sequence again");
    // Rubbish is refused, and the next good one taken.
    let put = |bytes: &[u8]| {
        fs::write(folder.join("prod.part"), bytes).expect("writable");
        fs::rename(folder.join("prod.part"), folder.join("prod.tamis")).expect("writable");
    };
    put(b"rubbish");
    let event = next();
    assert!(matches!(event, FollowEvent::Refused(Refusal::Malformed(_))), "{event:?}");
    put(&sign(build_now(13, "flumox"), &host.lists).encode());
    let event = next();
    assert!(matches!(event, FollowEvent::Swapped { sequence: 13, .. }), "{event:?}");
    drop(follower);
    let _ = fs::remove_dir_all(folder);
}

/// What a follower that looks once is told; what ran before must run on.
#[track_caller]
fn refusal_of_a_look(host: &mut Host, source: Source) -> Refusal {
    let (mut follower, told) = follow(host, source);
    follower.look();
    assert_eq!(sequence_of(&follower), Some(10));
    match told.try_recv() {
        Ok(FollowEvent::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_folder_that_holds_something_else() {
    let mut host = Host::new();
    let folder = host.state.join("published");
    let source = || Source::Folder(folder.clone());
    let refusal = refusal_of_a_look(&mut host, source());
    assert!(matches!(&refusal, Refusal::Fetch { reason, .. } if reason.contains("no such folder")), "{refusal}");
    fs::create_dir_all(folder.join("prod.tamis")).expect("a writable folder");
    let refusal = refusal_of_a_look(&mut host, source());
    assert!(matches!(&refusal, Refusal::Fetch { reason, .. } if reason.contains("no file")), "{refusal}");
    fs::remove_dir(folder.join("prod.tamis")).expect("it is there");
    // Larger than anything that is read, and not a byte of it is.
    let file = fs::File::create(folder.join("prod.tamis")).expect("a writable folder");
    file.set_len(1 << 40).expect("a file with a hole");
    let refusal = refusal_of_a_look(&mut host, source());
    assert!(matches!(refusal, Refusal::TooLarge { bytes, .. } if bytes == 1 << 40), "{refusal}");
    fs::remove_file(folder.join("prod.tamis")).expect("it is there");
    // A pipe, which whoever opens it waits for.
    #[cfg(unix)]
    {
        let made = std::process::Command::new("mkfifo").arg(folder.join("prod.tamis")).status();
        assert!(made.expect("mkfifo").success());
        let refusal = refusal_of_a_look(&mut host, source());
        assert!(matches!(&refusal, Refusal::Fetch { reason, .. } if reason.contains("no file")), "{refusal}");
        fs::remove_file(folder.join("prod.tamis")).expect("it is there");
    }
    // An emergency file that cannot be read is told of once, and the bundle beside it is taken.
    publish(&sign(build_now(11, "grimblewort"), &host.lists), &folder).expect("a signed bundle");
    fs::create_dir(folder.join("prod.emergency.json")).expect("a writable folder");
    let (mut follower, told) = follow(&mut host, source());
    follower.look();
    follower.look();
    let events: Vec<FollowEvent> = told.try_iter().collect();
    assert!(
        matches!(&events[..], [FollowEvent::Swapped { sequence: 11, .. }, FollowEvent::Refused(Refusal::Fetch { .. })]),
        "{events:?}"
    );
}

/// What comes of a server that answers so.
#[track_caller]
fn refusal_of(host: &mut Host, answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> Refusal {
    refusal_of_a_look(host, Source::parse(&serve(answer)).expect("an address"))
}

#[test]
fn a_server_that_lies() {
    let mut host = Host::new();
    let good = sign(build_now(11, "grimblewort"), &host.lists).encode();
    let head =
        |length: &str| format!("HTTP/1.1 200 OK\r\nETag: \"1\"\r\n{length}Connection: close\r\n\r\n").into_bytes();
    // It has one, and then it has not; less than it says; far more than it may.
    let refusal = refusal_of(&mut host, move |request| {
        if request.starts_with("HEAD") { head("Content-Length: 9\r\n") } else { response("500 Sorry", "1", b"") }
    });
    assert!(matches!(&refusal, Refusal::Fetch { reason, .. } if reason.contains("500")), "{refusal}");
    let refusal = refusal_of(&mut host, move |request| {
        let mut answer = head("Content-Length: 1000000\r\n");
        if !request.starts_with("HEAD") {
            answer.extend(&good);
        }
        answer
    });
    assert!(matches!(refusal, Refusal::Fetch { .. }), "{refusal}");
    let refusal = refusal_of(&mut host, move |_| head("Content-Length: 999999999999\r\n"));
    assert!(matches!(refusal, Refusal::Fetch { .. }), "{refusal}");
    // A page that says that one should log in first; nothing; something that is no HTTP; no mark of what changed.
    let refusal = refusal_of(&mut host, |request| {
        response("200 OK", "1", if request.starts_with("HEAD") { b"" } else { b"<html>log in</html>" })
    });
    assert!(matches!(refusal, Refusal::Malformed(_)), "{refusal}");
    for nothing in
        [&b""[..], b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"]
    {
        let refusal = refusal_of(&mut host, move |_| nothing.to_vec());
        assert!(matches!(refusal, Refusal::Fetch { .. }), "{refusal}");
    }
    host.goes_on();
}

#[test]
fn a_server_that_never_answers_holds_up_nobody() {
    let mut host = Host::new();
    // Connections are taken, and that is all.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("it is bound"));
    let (follower, _told) = follow(&mut host, Source::parse(&address).expect("an address"));
    let filter = follower.updater().filter().clone();
    let follower = follower.spawn().expect("a thread");
    let _held = listener.accept().expect("it asks");
    let mut judged = Vec::new();
    filter.worker().expect("a worker").scan(&[Message::body("a zorkblat")], &mut judged);
    assert_eq!(judged[0].verdict.action, Action::Block);
    let start = Instant::now();
    drop(follower);
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

/// Where `/dev/full` is, a disk without room is easily had.
#[cfg(target_os = "linux")]
#[test]
fn a_disk_without_room_keeps_what_runs() {
    use std::os::unix::fs::symlink;
    let mut host = Host::new();
    let next = sign(build(11, "grimblewort"), &host.lists);
    // No room for the bundle: it does not judge, for it could not be started with.
    let beside = host.state.join(format!("bundles/{:020}-{}.part", 11, next.digest()));
    symlink("/dev/full", &beside).expect("a writable folder");
    let refusal = host.refuses(&next.encode());
    assert!(
        matches!(&refusal, Refusal::Store { error, .. } if error.kind() == std::io::ErrorKind::StorageFull),
        "{refusal}"
    );
    assert!(fs::symlink_metadata(&beside).is_err(), "what was begun is deleted");
    assert_eq!((host.sequence(), host.action("a zorkblat")), (Some(10), Action::Block));
    // Room for the bundle and none for the mark: it judges, and that is told.
    symlink("/dev/full", host.state.join("mark.part")).expect("a writable folder");
    let offer = host.updater().offer_at(&next.encode(), now()).expect("a good bundle");
    assert!(matches!(&offer, Offer::Swapped { mark_failed: Some(Refusal::Store { .. }), .. }), "{offer:?}");
    assert_eq!((host.sequence(), host.action("a grimblewort")), (Some(11), Action::Block));
    // The next start sees to it.
    host.restart();
    assert_eq!(host.sequence(), Some(11));
    let refusal = host.refuses(&sign(build(10, "zorkblat"), &host.lists).encode());
    assert!(matches!(refusal, Refusal::Rollback { found: 10, mark: 11 }), "{refusal}");
}

#[test]
fn a_damaged_record_of_what_was_taken_back_does_not_stop_the_start() {
    let mut host = Host::new();
    fs::write(host.state.join("taken-back.json"), "{").expect("a writable folder");
    host.restart();
    assert_eq!((host.sequence(), host.action("a zorkblat")), (Some(10), Action::Block));
    // But nothing new is taken: it might be what was taken back.
    let next = sign(build(11, "grimblewort"), &host.lists).encode();
    let refusal = host.refuses(&next);
    assert!(
        matches!(&refusal, Refusal::Store { .. } if refusal.to_string().contains("until it is restored")),
        "{refusal}"
    );
    fs::remove_file(host.state.join("taken-back.json")).expect("it is there");
    host.goes_on();
}

#[test]
fn breakers_and_protected_names_are_those_of_the_policy_of_the_bundle() {
    let mut host = Host::new();
    assert_eq!(host.updater().breaker_limits().messages_min, None);
    let policy = format!(
        "{POLICY}\n[breakers]\nmessages_min = 50\n[protected]\nnames = [\"Frumious\"]\ncategory = \"custom\"\n"
    );
    host.accepts(&sign(builder(11, "grimblewort").policy(&policy).finish().expect("good lists"), &host.lists));
    assert_eq!(host.updater().breaker_limits().messages_min, Some(50), "what comes next is judged by these");
    let mut judged = Vec::new();
    let message = Message { field: Field::Name, ..Message::body("frum1ous") };
    host.updater().filter().worker().expect("a worker").scan(&[message], &mut judged);
    assert_eq!(judged[0].verdict.matches.len(), 1, "{:?}", judged[0].verdict);
    // A category that the taxonomy does not have protects nothing.
    let policy = policy.replace("\"custom\"", "\"fraud.impersonation\"");
    let built = builder(12, "grimblewort").policy(&policy).finish();
    assert!(built.is_err_and(|refusal| refusal.to_string().contains("unknown category")));
}

#[test]
fn fault_24_panic_in_the_embedders_own_code() {
    let mut host = Host::new();
    let folder = host.state.with_extension("panics");
    publish(&sign(build_now(11, "grimblewort"), &host.lists), &folder).expect("a folder");
    host.running = None;
    let updater = Host::start(&host.state, &host.lists, &host.module);
    let filter = updater.filter().clone();
    let told = Arc::new(AtomicU32::new(0));
    let tell = told.clone();
    let on_event = move |_| {
        tell.fetch_add(1, Ordering::Relaxed);
        std::panic::resume_unwind(Box::new("the embedder's own mistake"));
    };
    let source = Source::Folder(folder.clone());
    let follower = Follower::new(updater, source, Duration::from_millis(20), Breakers::default(), on_event);
    let follower = follower.spawn().expect("a thread");
    let deadline = Instant::now() + Duration::from_secs(20);
    while told.load(Ordering::Relaxed) == 0 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    publish(&sign(build_now(12, "flumox"), &host.lists), &folder).expect("a folder");
    while told.load(Ordering::Relaxed) < 2 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    // Both were taken, though nobody could be told in peace.
    let mut judged = Vec::new();
    filter.worker().expect("a worker").scan(&[Message::body("a flumox")], &mut judged);
    assert_eq!((judged[0].verdict.action, sequence_of(&follower)), (Action::Block, Some(12)));
    drop(follower);
    let _ = fs::remove_dir_all(folder);
}

#[test]
fn tests_of_the_bundle_decide() {
    let mut host = Host::new();
    let with = |text, wanted| {
        let bundle = builder(11, "grimblewort").test(SelfTest::new(text, wanted)).finish();
        bundle.expect("good lists")
    };
    let refusal = host.refuses(&sign(with("a zorkblat", Wanted::Hit), &host.lists).encode());
    assert!(matches!(&refusal, Refusal::Tests { failed: 1, all: 1, first } if first.contains("zorkblat")), "{refusal}");
    let refusal = host.refuses(&sign(with("a grimblewort", Wanted::Miss), &host.lists).encode());
    assert!(matches!(refusal, Refusal::Tests { .. }), "{refusal}");
    host.accepts(&sign(with("a grimblewort", Wanted::Hit), &host.lists));
}

#[test]
fn a_bundle_that_breaks_a_filter_is_not_let_in() {
    let mut host = Host::new();
    // Lists with an error cannot even be built; a module that is none can.
    let bundle = builder(11, "grimblewort").module(b"\0asm\x01\0\0\0".to_vec()).finish().expect("good lists");
    let refusal = host.refuses(&sign(sign(bundle, &host.lists), &host.module).encode());
    assert!(matches!(refusal, Refusal::Load(LoadError::Export(_))), "{refusal}");
    let bundle = BundleBuilder::new("staging", 11, THEN, THEN + DAY)
        .file("taxonomy.toml", TAXONOMY)
        .file("en/custom.toml", &list("grimblewort"))
        .finish();
    let refusal = host.refuses(&sign(bundle.expect("good lists"), &host.lists).encode());
    assert!(matches!(refusal, Refusal::Name { .. }), "{refusal}");
    host.goes_on();
}

#[test]
fn what_is_taken_back_does_not_return() {
    let mut host = Host::new();
    let bad = sign(build(11, "e*"), &host.lists);
    host.accepts(&bad);
    host.updater().take_back("it blocks everything").expect("there is one before");
    assert_eq!((host.sequence(), host.action("a zorkblat")), (Some(10), Action::Block));
    let refusal = host.refuses(&bad.encode());
    assert!(matches!(&refusal, Refusal::TakenBack(reason) if reason.contains("everything")), "{refusal}");
    host.restart();
    assert_eq!(host.sequence(), Some(10));
    // The mark stays up: what comes next is higher, not the old one again.
    let refusal = host.refuses(&sign(build(10, "snorfle"), &host.lists).encode());
    assert!(matches!(refusal, Refusal::Rollback { found: 10, mark: 11 }), "{refusal}");
    let renewed = build(10, "zorkblat").renewed(12, THEN, THEN + DAY, "back to 10").expect("whole");
    host.accepts(&sign(renewed, &host.lists));
    assert_eq!((host.sequence(), host.action("a zorkblat")), (Some(12), Action::Block));
}

#[test]
fn any_changed_byte_is_refused_or_says_the_same() {
    let host = Host::new();
    let trust = trust(&host.lists, &host.module);
    let bytes = sign(build(11, "grimblewort"), &host.lists).encode();
    let check = |bytes: &[u8]| {
        let expected = Expected { trust: &trust, name: "prod", mark: None, base: None, now: now() };
        Bundle::decode(bytes).and_then(|bundle| verify(bundle, &expected))
    };
    let honest = check(&bytes).expect("a good bundle");
    let mut same = 0;
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << bit;
            let Ok(verified) = check(&changed) else { continue };
            // The comment of a signature that says it is not signed, and bits that fill up the last byte of what
            // is deflated, say nothing: the content is what was signed, to the byte.
            same += 1;
            assert_eq!(verified.digest(), honest.digest());
            for part in &honest.manifest().parts {
                assert_eq!(verified.content().part(part.kind), honest.content().part(part.kind), "byte {at}");
            }
        }
    }
    let untrusted = "untrusted comment: signature from rsign secret key".len();
    assert!(same < 8 * untrusted + 32, "{same} of {} bits may be changed", 8 * bytes.len());
}

#[test]
fn fault_23_stale_or_wrongly_paired_update() {
    let mut host = Host::new();
    let sign_both = |bundle: Bundle, host: &Host| sign(sign(bundle, &host.lists), &host.module);
    let with_module = |sequence, terms, module: Vec<u8>| builder(sequence, terms).module(module).finish();
    // Each part by itself is one that was signed, and the pair was not: code of one bundle, of the same length, with the
    // lists of another.
    let one = with_module(11, "grimblewort", module_with("(i32.const 1)", "")).expect("good lists");
    let other = with_module(12, "grimblewort", module_with("(i32.const 0)", "")).expect("good lists");
    assert_eq!(
        one.manifest().parts.last().map(|part| part.bytes),
        other.manifest().parts.last().map(|part| part.bytes)
    );
    let (one, other) = (sign_both(one, &host), sign_both(other, &host));
    let at = |bundle: &Bundle| {
        let bytes = bundle.encode();
        let body = bytes.len() - bodies_length(bundle);
        (bytes[..body].to_vec(), bytes[body..].to_vec())
    };
    let ((head, _), (_, bodies)) = (at(&one), at(&other));
    let refusal = host.refuses(&[head, bodies].concat());
    assert!(matches!(refusal, Refusal::Digest(PartKind::Module)), "{refusal}");
    // Made for another boundary, signed by everybody.
    let mut manifest = build(11, "grimblewort").manifest().clone();
    manifest.abi = [99, 100];
    let bytes = serde_json::to_vec(&manifest).expect("JSON");
    let honest = build(11, "grimblewort");
    let forged = replaced(&honest.encode(), honest.manifest_bytes(), &bytes);
    let forged = Bundle::decode(&with_manifest_length(forged, honest.manifest_bytes(), &bytes)).expect("framed");
    let refusal = host.refuses(&sign(forged, &host.lists).encode());
    assert!(matches!(refusal, Refusal::Abi { min: 99, max: 100, .. }), "{refusal}");
    // The pair that was signed is taken; then the one before it is stale.
    host.accepts(&other);
    let refusal = host.refuses(&one.encode());
    assert!(matches!(refusal, Refusal::Rollback { found: 11, mark: 12 }), "{refusal}");
}

/// How long the packed parts of a bundle are, at its end.
fn bodies_length(bundle: &Bundle) -> usize {
    let signatures: usize = bundle.signatures().iter().map(|text| 4 + text.len()).sum();
    bundle.encode().len() - (16 + bundle.manifest_bytes().len() + 4 + signatures + 1)
}

/// Publishes a bundle that passes every check and does badly on live messages; returns why it was taken back. The
/// one before it must judge again, and metrics and log must tell.
fn taken_back_under_traffic(terms: &str, module: Option<Vec<u8>>) -> Trip {
    let mut host = Host::new();
    let folder = host.state.with_extension("breakers");
    let log_folder = host.state.with_extension("breakers-log");
    fs::create_dir_all(&folder).expect("a folder");
    host.running = None;
    let updater = Host::start(&host.state, &host.lists, &host.module);
    let filter = updater.filter().clone();
    let log = Arc::new(Log::open(&LogConfig::new(&log_folder)).expect("a folder"));
    let metrics = Metrics::new(&filter, Some(log.counts()));
    let (tell, told) = std::sync::mpsc::channel();
    let (noted, logged) = (metrics.clone(), log.clone());
    let on_event = move |event: FollowEvent| {
        noted.note(&event);
        logged.note_event(&event);
        let _ = tell.send(event);
    };
    let source = Source::Folder(folder.clone());
    let follower = Follower::new(updater, source, Duration::from_millis(50), Breakers::default(), on_event);
    let follower = follower.spawn().expect("a thread");

    let stop = AtomicBool::new(false);
    let trip = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut worker = filter.worker().expect("a worker");
            let mut judged = Vec::new();
            // One message in ten begins with `!`, one in a hundred is blocked by the good lists.
            for number in (0_u32..).take_while(|_| !stop.load(Ordering::Relaxed)) {
                let text = match number % 100 {
                    7 => "a zorkblat",
                    rest if rest % 10 == 3 => "!every tenth",
                    _ => "see you there at six",
                };
                let message = Message::body(text);
                worker.scan(&[message], &mut judged);
                log.note(worker.generation(), &message, &judged[0]);
            }
        });
        let first = filter.generation();
        let deadline = Instant::now() + Duration::from_secs(30);
        while first.counts().messages() < 1_000 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        let now = unix_s(SystemTime::now());
        let mut builder = BundleBuilder::new("prod", 11, now, now + DAY);
        builder.file("taxonomy.toml", TAXONOMY).file("en/custom.toml", &list(terms)).policy(POLICY);
        if let Some(wasm) = module {
            builder.module(wasm);
        }
        let bundle = sign(sign(builder.finish().expect("good lists"), &host.lists), &host.module);
        publish(&bundle, &folder).expect("a folder");
        let next = || told.recv_timeout(Duration::from_secs(60));
        let (swapped, taken_back) = (next(), next());
        stop.store(true, Ordering::Relaxed);
        assert!(matches!(swapped, Ok(FollowEvent::Swapped { sequence: 11, .. })), "{swapped:?}");
        match taken_back {
            Ok(FollowEvent::TakenBack { trip, .. }) => trip,
            other => panic!("it is not taken back: {other:?}"),
        }
    });
    assert_eq!(sequence_of(&follower), Some(10));
    let mut judged = Vec::new();
    filter.worker().expect("a worker").scan(&["a zorkblat", "!nothing"].map(Message::body), &mut judged);
    let seen: Vec<_> = judged.iter().map(|one| (one.verdict.action, one.failure.is_none())).collect();
    assert_eq!(seen, [(Action::Block, true), (Action::Allow, true)]);
    let text = metrics.text();
    for line in ["tamis_bundles_taken_back_total 1", "tamis_bundle_sequence 10"] {
        assert!(text.lines().any(|found| found == line), "no `{line}` in:\n{text}");
    }
    drop(follower);
    drop(log);
    let mut audit = Vec::new();
    export(&log_folder, LogClass::Audit, "", "9999", None, &mut audit).expect("a log");
    let audit = String::from_utf8(audit).expect("UTF-8");
    let told = audit.lines().find(|line| line.contains("\"taken_back\"")).expect("it is in the log");
    assert!(told.contains(&trip.to_string()), "{told}");
    let _ = (fs::remove_dir_all(folder), fs::remove_dir_all(log_folder));
    trip
}

#[test]
fn a_bundle_that_blocks_far_more_goes_back_by_itself() {
    let trip = taken_back_under_traffic("zorkblat\nsee you*", None);
    assert!(matches!(trip, Trip::KeptBack { before, now } if before < 0.02 && now > 0.5), "{trip}");
}

#[test]
fn fault_11_trap_on_every_message() {
    let trip = taken_back_under_traffic("zorkblat", Some(module_with("(i32.const 0)", "(unreachable)")));
    assert!(matches!(trip, Trip::Failures { failed, .. } if failed >= 20), "{trip}");
}

#[test]
fn a_module_that_is_slow_goes_back_by_itself() {
    // Some thirty milliseconds, far from the deadline.
    let slow = "(local.set $rounds (i32.const 40000000))
        (loop $again (local.set $rounds (i32.sub (local.get $rounds) (i32.const 1))) (br_if $again (local.get $rounds)))";
    let trip = taken_back_under_traffic("zorkblat", Some(module_with("(i32.const 0)", slow)));
    assert!(matches!(trip, Trip::Slow { before, now } if now > before * 8), "{trip}");
}

/// A bundle that is good now, with a rollout.
fn build_in_steps(sequence: u64, terms: &str, rings: &[&str], steps: &[&str]) -> Bundle {
    let now = unix_s(SystemTime::now());
    let mut builder = BundleBuilder::new("prod", sequence, now, now + DAY);
    builder.file("taxonomy.toml", TAXONOMY).file("en/custom.toml", &list(terms)).policy(POLICY);
    let rings = rings.iter().map(|ring| ring.parse().expect("a ring")).collect();
    let steps = steps.iter().map(|step| step.parse().expect("a step")).collect();
    builder.rollout(Rollout { rings, steps });
    builder.finish().expect("good lists")
}

/// What a worker says of messages, each of its sender: action, and what the one on trial would have done.
fn verdicts(filter: &Filter, messages: &[(&'static str, &'static str)]) -> Vec<(Action, Option<Action>)> {
    let message =
        |&(sender, text): &(&'static str, &'static str)| Message { sender: sender.as_bytes(), ..Message::body(text) };
    let messages: Vec<Message<'_>> = messages.iter().map(message).collect();
    let mut judged = Vec::new();
    filter.worker().expect("a worker").scan(&messages, &mut judged);
    judged.iter().map(|one| (one.verdict.action, one.would_be)).collect()
}

#[test]
fn a_bundle_watches_then_judges_some_senders_and_then_all() {
    let mut host = Host::new();
    let steps = ["watch:100%:10m", "judge:50%:10m"];
    let bundle = sign(build_in_steps(11, "grimblewort", &[], &steps), &host.lists);
    let offer = host.updater().offer(&bundle.encode()).expect("a good bundle");
    assert!(
        matches!(&offer, Offer::Trying { trying, .. } if trying.step == steps[0].parse().expect("a step")),
        "{offer:?}"
    );
    let filter = host.updater().filter().clone();
    let messages = [("a", "a zorkblat"), ("b", "a grimblewort"), ("c", "hello")];
    // It watches: the one before judges, and what would change is told with each verdict and counted.
    let seen = verdicts(&filter, &messages);
    let changes = [(Action::Block, Some(Action::Allow)), (Action::Allow, Some(Action::Block)), (Action::Allow, None)];
    assert_eq!(seen, changes);
    let text = Metrics::new(&filter, None).text();
    for line in [
        "tamis_trial_changed_total{action=\"allow\",on_trial=\"block\"} 1",
        "tamis_trial_changed_total{action=\"block\",on_trial=\"allow\"} 1",
        "tamis_trial_same_total 1",
    ] {
        assert!(text.lines().any(|found| found == line), "no `{line}` in:\n{text}");
    }
    // Nothing is kept or marked yet: a host that ends now starts with the one before. The same again changes nothing, nor
    // does an older one take the place of what is on trial.
    assert_eq!(fs::read_dir(host.state.join("bundles")).expect("a folder").count(), 1);
    assert!(matches!(host.updater().offer(&bundle.encode()), Ok(Offer::Same)));
    let other = sign(build_now(11, "snorfle"), &host.lists).encode();
    assert!(matches!(host.updater().offer(&other), Err(Refusal::Equivocation(11))));
    let breakers = Breakers::default();
    let early = host.updater().go_on_with_trial(&breakers, Instant::now()).expect("nothing to do");
    assert!(early.is_none(), "{early:?}");

    // It judges the messages of half of the senders, for each always alike.
    let later = Instant::now() + Duration::from_secs(601);
    let (report, tried) =
        host.updater().go_on_with_trial(&breakers, later).expect("it goes on").expect("a step is over");
    assert_eq!(report.to_string(), "of 3 messages 2 would change: 1 from allow to block, 1 from block to allow");
    assert!(matches!(tried, Tried::Next(trying) if trying.step == steps[1].parse().expect("a step")), "{tried:?}");
    let senders: Vec<String> = (0..200).map(|number| format!("+49170{number}")).collect();
    let blocked = || {
        let messages: Vec<Message<'_>> = senders
            .iter()
            .map(|sender| Message { sender: sender.as_bytes(), ..Message::body("a grimblewort") })
            .collect();
        let mut judged = Vec::new();
        filter.worker().expect("a worker").scan(&messages, &mut judged);
        judged.iter().map(|one| one.verdict.action == Action::Block).collect::<Vec<_>>()
    };
    let first = blocked();
    let count = first.iter().filter(|&&blocked| blocked).count();
    assert!((60..140).contains(&count), "{count} of 200 senders in 50 %");
    assert_eq!(blocked(), first);

    // And then everybody's; only now it is kept, and the mark moves.
    let (_, tried) = host
        .updater()
        .go_on_with_trial(&breakers, later + Duration::from_secs(601))
        .expect("it goes on")
        .expect("a step is over");
    assert!(matches!(tried, Tried::Judges { sequence: 11, terms: 1, mark_failed: None, .. }), "{tried:?}");
    assert!(filter.trial().is_none() && host.updater().trying().is_none());
    assert_eq!(
        (host.sequence(), host.action("a grimblewort"), host.action("a zorkblat")),
        (Some(11), Action::Block, Action::Allow)
    );
    host.restart();
    assert_eq!((host.sequence(), host.action("a grimblewort")), (Some(11), Action::Block));
    let refusal = host.refuses(&sign(build(10, "zorkblat"), &host.lists).encode());
    assert!(matches!(refusal, Refusal::Rollback { found: 10, mark: 11 }), "{refusal}");
}

#[test]
fn a_trial_goes_on_after_a_restart() {
    let mut host = Host::new();
    let steps = ["watch:100%:10m", "judge:100%:10m"].map(|step| step.parse::<Step>().expect("a step"));
    let bundle = sign(build_in_steps(11, "grimblewort", &[], &["watch:100%:10m", "judge:100%:10m"]), &host.lists);
    assert!(matches!(host.updater().offer(&bundle.encode()), Ok(Offer::Trying { .. })));
    let messages = [("a", "a zorkblat"), ("b", "a grimblewort"), ("c", "hello")];
    let watched = [(Action::Block, Some(Action::Allow)), (Action::Allow, Some(Action::Block)), (Action::Allow, None)];
    let seen = |host: &mut Host| verdicts(&host.updater().filter().clone(), &messages);
    assert_eq!(seen(&mut host), watched);
    // It goes on from what was noted, and so do its counters.
    host.restart();
    let trying = host.updater().trying().expect("it goes on");
    assert_eq!((trying.sequence, trying.step, trying.left_s, host.sequence()), (11, steps[0], 600, Some(10)));
    assert_eq!(seen(&mut host), watched);
    let breakers = Breakers::default();
    let soon = Instant::now() + Duration::from_secs(400);
    assert!(host.updater().go_on_with_trial(&breakers, soon).expect("it is noted").is_none());
    host.restart();
    assert_eq!(seen(&mut host), watched);
    let trying = host.updater().trying().expect("it goes on");
    assert!((190..=201).contains(&trying.left_s), "{trying:?}");
    let soon = Instant::now() + Duration::from_secs(202);
    let (report, tried) = host.updater().go_on_with_trial(&breakers, soon).expect("good").expect("a step is over");
    assert_eq!((report.compared, report.changes()), (9, 6), "of before both restarts, and after them");
    assert!(matches!(tried, Tried::Next(trying) if trying.step == steps[1]), "{tried:?}");
    host.restart();
    assert_eq!(seen(&mut host), [Action::Allow, Action::Block, Action::Allow].map(|action| (action, None)));
    // What is on trial counts for the next one too, and takes no part in the mark.
    assert!(matches!(host.updater().offer(&bundle.encode()), Ok(Offer::Same)));
    let mark = fs::read_to_string(host.state.join("mark.json")).expect("a mark");
    assert!(mark.contains("\"sequence\":10"), "{mark}");

    // Whatever the files hold, the host starts with the bundle before, and goes on or begins anew.
    let (record, kept) = (host.state.join("trial.json"), host.state.join("trial.tamis"));
    let good = fs::read_to_string(&record).expect("it is kept");
    let stranger = sign(build_in_steps(11, "grimblewort", &[], &["watch:100%:10m"]), &keys());
    let replaced = |from: &str, to: &str| good.replacen(from, to, 1);
    let records = [
        String::new(),
        "{".to_owned(),
        "[]".to_owned(),
        replaced("\"at\":1", "\"at\":2"),
        replaced("\"at\":1", "\"at\":18446744073709551615"),
        replaced("\"elapsed_s\":0", "\"elapsed_s\":601"),
        replaced("\"elapsed_s\":0", "\"elapsed_s\":-1"),
        replaced("\"judged\":0", "\"judged\":18446744073709551615"),
        replaced("\"seconds\":600", "\"seconds\":1"),
        replaced("{", "{\"more\":1,"),
        replaced(&bundle.digest(), &stranger.digest()),
    ];
    for damaged in &records {
        assert_ne!(damaged, &good);
        host.running = None;
        fs::write(&kept, bundle.encode()).expect("a writable folder");
        fs::write(&record, damaged).expect("a writable folder");
        assert_eq!(host.sequence(), Some(10), "{damaged}");
        let trying = host.updater().trying();
        assert!(trying.is_none_or(|trying| trying.step == steps[0] && trying.left_s >= 599), "{damaged}: {trying:?}");
        assert_eq!((kept.exists(), record.exists()), (trying.is_some(), trying.is_some()), "{damaged}");
    }
    let bytes = bundle.encode();
    for bundle in
        [&bytes[..99], &bytes[..bytes.len() - 1], &stranger.encode(), &sign(build(9, "x"), &host.lists).encode()]
    {
        host.running = None;
        fs::write(&kept, bundle).expect("a writable folder");
        fs::write(&record, &good).expect("a writable folder");
        assert_eq!((host.sequence(), host.updater().trying()), (Some(10), None));
        assert!(!kept.exists() && !record.exists());
    }
    // Nor does one that was taken back, or is not above what judges.
    let restore = |host: &mut Host| {
        host.running = None;
        fs::write(&kept, &bytes).expect("a writable folder");
        fs::write(&record, &good).expect("a writable folder");
    };
    restore(&mut host);
    assert_eq!(host.updater().trying().map(|trying| trying.step), Some(steps[1]), "as it was");
    let taken_back = host.state.join("taken-back.json");
    restore(&mut host);
    fs::write(&taken_back, format!("[{{\"sha256\":\"{}\",\"reason\":\"bad\"}}]", bundle.digest())).expect("writable");
    assert_eq!((host.sequence(), host.updater().trying()), (Some(10), None));
    fs::remove_file(&taken_back).expect("it is there");
    let newer = sign(build_now(12, "snorfle"), &host.lists).encode();
    assert!(matches!(host.updater().offer(&newer), Ok(Offer::Swapped { .. })));
    restore(&mut host);
    assert_eq!((host.sequence(), host.updater().trying()), (Some(12), None));
}

#[test]
fn a_bundle_that_does_badly_on_trial_never_judges() {
    let mut host = Host::new();
    let bundle = sign(build_in_steps(11, "zorkblat\nsee you*", &[], &["watch:100%:10m"]), &host.lists).encode();
    assert!(matches!(host.updater().offer(&bundle), Ok(Offer::Trying { .. })));
    let filter = host.updater().filter().clone();
    for _ in 0..10 {
        let seen = verdicts(&filter, &[("a", "see you there at six"); 100]);
        assert!(seen.iter().all(|one| *one == (Action::Allow, Some(Action::Block))), "it only watches");
    }
    let tried = host.updater().go_on_with_trial(&Breakers::default(), Instant::now()).expect("it is noted");
    let Some((report, Tried::Failed(Trip::KeptBack { before, now }))) = tried else { panic!("{tried:?}") };
    assert_eq!((report.changes(), before, now), (1000, 0.0, 1.0));
    assert!(filter.trial().is_none());
    // It is remembered, after a restart too, and the next one is taken.
    let refusal = host.refuses_at(&bundle, SystemTime::now());
    assert!(matches!(refusal, Refusal::TakenBack(_)), "{refusal}");
    host.restart();
    let refusal = host.refuses_at(&bundle, SystemTime::now());
    assert!(matches!(refusal, Refusal::TakenBack(_)), "{refusal}");
    host.goes_on();
}

#[test]
fn a_newer_bundle_ends_a_trial_and_an_emergency_holds_in_it() {
    let mut host = Host::new();
    let trying = |host: &mut Host, sequence, terms| {
        let bundle = sign(build_in_steps(sequence, terms, &[], &["judge:100%:10m"]), &host.lists);
        let offer = host.updater().offer(&bundle.encode()).expect("a good bundle");
        assert!(matches!(offer, Offer::Trying { .. }), "{offer:?}");
    };
    trying(&mut host, 12, "grimblewort");
    let older = sign(build_now(11, "snorfle"), &host.lists).encode();
    let refusal = host.refuses_at(&older, SystemTime::now());
    assert!(matches!(refusal, Refusal::Rollback { found: 11, mark: 12 }), "{refusal}");
    let filter = host.updater().filter().clone();
    let actions = || {
        verdicts(&filter, &[("a", "a zorkblat"), ("a", "a grimblewort"), ("a", "a flumox"), ("a", "a wimple")])
            .into_iter()
            .map(|one| one.0)
            .collect::<Vec<_>>()
    };
    assert_eq!(actions(), [Action::Allow, Action::Block, Action::Allow, Action::Allow]);
    let now = SystemTime::now();
    offer_flumox(&mut host, now);
    assert_eq!(actions(), [Action::Allow, Action::Block, Action::Hold, Action::Allow], "also by the one on trial");
    trying(&mut host, 13, "wimple");
    assert_eq!(actions(), [Action::Allow, Action::Allow, Action::Hold, Action::Block], "also by the next");
    // The time of the emergency is over, for both.
    host.updater().end_emergency(now + Duration::from_secs(3601)).expect("it starts").expect("it is over");
    assert_eq!(actions(), [Action::Allow, Action::Allow, Action::Allow, Action::Block]);
    // One without steps judges at once, and the trial is over.
    let next = sign(build_now(14, "snorfle"), &host.lists).encode();
    assert!(matches!(host.updater().offer(&next), Ok(Offer::Swapped { .. })));
    assert!(filter.trial().is_none());
    assert_eq!(actions(), [Action::Allow; 4]);
}

#[test]
fn a_bundle_comes_ring_by_ring_and_a_host_may_insist_on_steps() {
    let mut host = Host::new();
    let bundle = sign(build_in_steps(11, "grimblewort", &["0.01%:0s", "100%:1h"], &[]), &host.lists).encode();
    let offer = host.updater().offer(&bundle).expect("a good bundle");
    assert!(matches!(offer, Offer::Later { sequence: 11, seconds } if (3590..=3600).contains(&seconds)), "{offer:?}");
    assert_eq!((host.sequence(), host.action("a zorkblat")), (Some(10), Action::Block));
    let offer = host.updater().offer_at(&bundle, SystemTime::now() + Duration::from_secs(3600)).expect("a good bundle");
    assert!(matches!(offer, Offer::Swapped { .. }), "{offer:?}");
    // To go back is for all hosts at once.
    let back = Bundle::decode(&bundle).expect("good").renewed(12, THEN, THEN + DAY, "back").expect("whole");
    assert_eq!(back.manifest().rollout, Rollout::default());
    // A host without any bundle takes the first.
    let mut fresh = Host::new();
    fresh.running = None;
    fs::remove_dir_all(&fresh.state).expect("it is there");
    let bundle = sign(build_in_steps(11, "grimblewort", &["0.01%:0s", "100%:1h"], &["watch:100%:1h"]), &fresh.lists);
    assert!(matches!(fresh.updater().offer(&bundle.encode()), Ok(Offer::Swapped { .. })));
    // Steps that a host was told are done with bundles that name none.
    host.running = None;
    let step = "watch:100%:10m".parse().expect("a step");
    let mut config = Host::config(&host.state, &host.lists, &host.module);
    config.steps = Some(vec![step]);
    let (mut updater, _) = Updater::start(runtime(), config, defaults()).expect("it starts");
    let offer = updater.offer(&sign(build_now(13, "wimple"), &host.lists).encode()).expect("a good bundle");
    assert!(matches!(&offer, Offer::Trying { trying, .. } if trying.step == step), "{offer:?}");
}

#[test]
fn a_follower_tells_of_each_step_and_goes_on_by_itself() {
    let mut host = Host::new();
    let folder = host.state.with_extension("steps");
    let bundle = sign(build_in_steps(11, "grimblewort", &[], &["watch:100%:1s", "judge:10%:1s"]), &host.lists);
    publish(&bundle, &folder).expect("a folder");
    let (follower, told) = follow(&mut host, Source::Folder(folder.clone()));
    let follower = follower.spawn().expect("a thread");
    let kinds: Vec<&str> = (0..5)
        .map(|_| match told.recv_timeout(Duration::from_secs(20)).expect("it is told") {
            FollowEvent::Trying(trying) if trying.sequence == 11 => "trying",
            FollowEvent::Tried { sequence: 11, .. } => "tried",
            FollowEvent::Swapped { sequence: 11, .. } => "judges",
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(kinds, ["trying", "tried", "trying", "tried", "judges"]);
    assert_eq!(sequence_of(&follower), Some(11));
    drop(follower);
    let _ = fs::remove_dir_all(folder);
}

#[test]
fn a_host_that_missed_some_bundles_comes_to_the_newest() {
    let mut host = Host::new();
    let folder = host.state.with_extension("missed");
    let put = |sequence, terms| publish(&sign(build_now(sequence, terms), &host.lists), &folder).expect("a folder");
    put(11, "grimblewort");
    let (mut follower, _told) = follow(&mut host, Source::Folder(folder.clone()));
    follower.look();
    assert_eq!(sequence_of(&follower), Some(11));
    let put = |sequence, terms| publish(&sign(build_now(sequence, terms), &host.lists), &folder).expect("a folder");
    put(12, "flumox");
    let old_changes = |folder: &PathBuf| {
        let names = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
        names.filter(|path| path.to_string_lossy().contains(".from-")).collect::<Vec<_>>()
    };
    let stale: Vec<_> =
        old_changes(&folder).into_iter().map(|path| (path.clone(), fs::read(path).expect("a file"))).collect();
    put(13, "wimple");
    put(14, "snorfle");
    // Changes to what this host has lead to the newest, not to the one after.
    follower.look();
    assert_eq!(sequence_of(&follower), Some(14));
    // A mirror may still have those that lead to the one after: from there on it goes further.
    put(15, "gadzook");
    drop(follower);
    host.running = None;
    fs::remove_dir_all(&host.state).expect("it is there");
    let bundle = Bundle::decode(&fs::read(folder.join("prod-11.tamis")).expect("it is kept")).expect("good");
    host.updater().offer(&bundle.encode()).expect("the first of this host");
    for (path, bytes) in &stale {
        fs::write(path, bytes).expect("writable");
    }
    let (mut follower, told) = follow(&mut host, Source::Folder(folder.clone()));
    follower.look();
    assert_eq!(sequence_of(&follower), Some(15));
    let sequences: Vec<u64> = told
        .try_iter()
        .map(|event| match event {
            FollowEvent::Swapped { sequence, .. } => sequence,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(sequences, [12, 15], "each is told of");
    drop(follower);
    let _ = fs::remove_dir_all(folder);
}

#[test]
fn a_name_that_leads_out_of_the_folder_is_none() {
    let host = Host::new();
    let honest = sign(build(11, "grimblewort"), &host.lists);
    for name in ["../prod", "a/b", "..", ".hidden", "", "a b", "a\u{1b}[2J", &"a".repeat(65)] {
        let builder = BundleBuilder::new(name, 11, THEN, THEN + DAY)
            .file("taxonomy.toml", TAXONOMY)
            .file("en/custom.toml", &list("grimblewort"))
            .finish();
        let refusal = builder.expect_err("no such name");
        assert!(matches!(&refusal, Refusal::Malformed(why) if !why.contains('\u{1b}')), "{refusal}");
        // Nor does one that was made by other means come as far as a folder.
        let manifest = tamis_host::bundle::Manifest { name: name.to_owned(), ..honest.manifest().clone() };
        let bytes = serde_json::to_vec(&manifest).expect("JSON");
        let forged = replaced(&honest.encode(), honest.manifest_bytes(), &bytes);
        let forged = with_manifest_length(forged, honest.manifest_bytes(), &bytes);
        assert!(matches!(Bundle::decode(&forged), Err(Refusal::Malformed(_))), "{name:?}");
        let mut config = Host::config(&host.state.join("other"), &host.lists, &host.module);
        name.clone_into(&mut config.name);
        assert!(matches!(Updater::start(runtime(), config, defaults()), Err(Refusal::Malformed(_))), "{name:?}");
    }
}

#[test]
fn two_hosts_do_not_share_a_folder() {
    let mut host = Host::new();
    let config = Host::config(&host.state, &host.lists, &host.module);
    let refusal = Updater::start(runtime(), config.clone(), defaults()).expect_err("it is in use");
    assert!(matches!(&refusal, Refusal::InUse(path) if *path == host.state), "{refusal}");
    host.running = None;
    Updater::start(runtime(), config, defaults()).expect("it is free again");
}

#[test]
fn an_emergency_ends_by_its_time_even_if_the_clock_was_set_back() {
    let mut host = Host::new();
    let now = SystemTime::now();
    let bundle = sign(build_now(11, "grimblewort"), &host.lists);
    host.updater().offer(&bundle.encode()).expect("a good bundle");
    let urgent =
        Emergency { created: unix_s(now), expires: unix_s(now) + 2, ..emergency(1, &[("flumox", Mode::Hold)], &[]) };
    let text = urgent.text();
    let file = Emergency::encode(&text, &[signature(text.as_bytes(), &host.module)]);
    host.updater().offer_emergency(&file, now).expect("a good file");
    assert_eq!(host.action("a flumox"), Action::Hold);
    let ten_years_ago = now - Duration::from_secs(3652 * DAY);
    assert_eq!(host.updater().end_emergency(ten_years_ago).expect("nothing to do"), None);
    std::thread::sleep(Duration::from_millis(2100));
    assert!(host.updater().end_emergency(ten_years_ago).expect("it starts").is_some());
    assert_eq!(host.action("a flumox"), Action::Allow);
}
