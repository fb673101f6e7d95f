//! Bundles that attack: each test is one attack. The host lives, names the right reason, and the generation
//! that judged goes on. Not for what bundles are made from; lists have tests of their own.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use minisign::KeyPair;
use tamis_guest::compile::PolicySource;
use tamis_guest::{Action, Message};
use tamis_host::bundle::{
    Admission, Bundle, BundleBuilder, Offer, Refusal, SelfTest, Trust, Updater, UpdaterConfig, Wanted,
};
use tamis_host::{Defaults, LoadError};
use tamis_tests::{blocking_parts, module, pack_of, runtime};

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

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(THEN + 60)
}

fn list(terms: &str) -> String {
    format!("format = 1\nlist = {{ id = \"custom\" }}\n[[group]]\ncategory = \"custom\"\nseverity = 4\nterms = '''\n{terms}\n'''\n")
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
    updater: Updater,
}

fn trust(lists: &KeyPair, module: &KeyPair) -> Trust {
    let text = format!(
        "version = 1\n[[key]]\npublic = \"{}\"\nroles = [\"lists\", \"policy\", \"root\"]\n[[key]]\npublic = \"{}\"\nroles = [\"module\"]\n",
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
        let mut host = Host { lists, module, state, updater };
        host.accepts(&sign(build(10, "zorkblat"), &host.lists));
        host
    }

    fn start(state: &std::path::Path, lists: &KeyPair, module: &KeyPair) -> Updater {
        let mut admission = Admission::default();
        // A machine full of other tests is slow, and speed is not what these are about.
        admission.message_budget(Duration::from_secs(1));
        let config =
            UpdaterConfig { name: "prod".to_owned(), trust: trust(lists, module), state: state.to_owned(), admission };
        let (updater, _) = Updater::start(runtime(), config, defaults()).expect("it starts");
        updater
    }

    fn restart(&mut self) {
        self.updater = Host::start(&self.state, &self.lists, &self.module);
    }

    #[track_caller]
    fn accepts(&mut self, bundle: &Bundle) -> u64 {
        match self.updater.offer_at(&bundle.encode(), now()).expect("a good bundle") {
            Offer::Swapped { generation, mark_failed: None, .. } => generation,
            other => panic!("{other:?}"),
        }
    }

    /// Offers bytes that must be refused; whatever judged must go on, and so must updates.
    #[track_caller]
    fn refuses_at(&mut self, bytes: &[u8], now: SystemTime) -> Refusal {
        let before = self.updater.filter().generation();
        let refusal = match self.updater.offer_at(bytes, now) {
            Err(refusal) => refusal,
            Ok(offer) => panic!("it must be refused: {offer:?}"),
        };
        assert!(Arc::ptr_eq(&before, &self.updater.filter().generation()), "a refused bundle changed the generation");
        assert!(!refusal.to_string().is_empty());
        refusal
    }

    #[track_caller]
    fn refuses(&mut self, bytes: &[u8]) -> Refusal {
        self.refuses_at(bytes, now())
    }

    fn action(&self, text: &str) -> Action {
        let mut judged = Vec::new();
        self.updater.filter().worker().expect("a worker").scan(&[Message::body(text)], &mut judged);
        assert_eq!(judged[0].failure, None);
        judged[0].verdict.action
    }

    fn sequence(&self) -> Option<u64> {
        self.updater.filter().generation().origin().map(|origin| origin.sequence)
    }

    /// It still judges by sequence 10, and takes 11.
    #[track_caller]
    fn goes_on(mut self) {
        assert_eq!((self.sequence(), self.action("a zorkblat"), self.action("a grimblewort")), (Some(10), Action::Block, Action::Allow));
        let next = sign(build(11, "grimblewort"), &self.lists);
        self.accepts(&next);
        assert_eq!((self.sequence(), self.action("a zorkblat"), self.action("a grimblewort")), (Some(11), Action::Allow, Action::Block));
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
    let mut framed = Bundle::decode(&with_manifest_length(framed, short.manifest_bytes(), long.manifest_bytes())).expect("framed");
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
    let refusal = host.refuses(&bytes);
    assert!(matches!(refusal, Refusal::Digest(_)), "{refusal}");
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
    let newest = fs::read_dir(host.state.join("bundles")).expect("a folder").map(|entry| entry.expect("an entry").path());
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
    assert!(host.updater.expired_s(now() + ten_years).is_some_and(|seconds| seconds > 3000 * DAY));
    assert_eq!(host.updater.expired_s(now()), None);
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
        let signatures: Vec<String> = signers.iter().map(|keys| signature(text.as_bytes(), keys)).collect();
        trust.rotate(&text, &signatures)
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
    host.updater.take_back("it blocks everything").expect("there is one before");
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
fn any_changed_byte_is_refused() {
    let mut host = Host::new();
    let bytes = sign(build(11, "grimblewort"), &host.lists).encode();
    // The untrusted comment of the signature is what its name says: nobody signed it, and nobody reads it.
    let comment = bytes.windows(18).position(|window| window == b"untrusted comment:").expect("a signature");
    let comment_end = comment + bytes[comment..].iter().position(|&byte| byte == b'\n').expect("a line");
    let (signed, rest) = (0..comment, comment_end..bytes.len());
    for at in signed.chain(rest) {
        let mut changed = bytes.clone();
        changed[at] ^= 0x20;
        host.refuses(&changed);
    }
    host.goes_on();
}
