//! Uploads in chunks, judged in the sandbox: the verdict is that of the whole wherever they are cut, and whatever goes
//! wrong the upload gets the policy's answer and the worker goes on. What the verdict should be is tested where it is
//! made, natively, in `guest/src/stream.rs`.

use std::time::Duration;

use tamis_guest::compile::FailurePolicy;
use tamis_guest::{Action, ChannelId, Message, Policy, Stream, Verdict, VerdictFlags};
use tamis_host::{Filter, Judged, Parts, Runtime, RuntimeConfig, ScanFailure, Worker};
use tamis_tests::{Random, blocking_parts, pack_of, runtime, shipped_parts, sms};

/// Judges a text in chunks of up to so many bytes.
fn judge(worker: &mut Worker, text: &[u8], sender: &[u8], chunk: impl FnMut() -> usize) -> Judged {
    let mut upload = worker.upload(|_| ChannelId::default(), sender);
    each_chunk(text, chunk, |chunk| upload.push(chunk));
    let mut judged = Judged::default();
    upload.finish(&mut judged);
    judged
}

fn each_chunk(mut text: &[u8], mut chunk: impl FnMut() -> usize, mut take: impl FnMut(&[u8])) {
    while !text.is_empty() {
        let (first, rest) = text.split_at(chunk().clamp(1, text.len()));
        take(first);
        text = rest;
    }
}

/// Some three megabytes with matches of lists all over.
fn long_text() -> Vec<u8> {
    sms().join("\n").repeat(100).into_bytes()
}

#[test]
fn the_sandbox_says_what_the_library_says() {
    let parts = shipped_parts();
    let pack = parts.pack.pack();
    let policy = &parts.policy;
    let filter = Filter::new(runtime(), parts.clone()).expect("good parts");
    let mut worker = filter.worker().expect("a worker");
    let mut random = Random(5);
    let long = long_text();
    for (text, sender) in [(&long[..], &b"ACME"[..]), (&long[..100_000], b""), (b"hello", b""), (b"", b"")] {
        let mut stream = Stream::new(&pack, policy, ChannelId::default(), sender);
        stream.push(text);
        let mut expected = Verdict::default();
        stream.finish(&mut expected);
        for largest in [64 << 10, 5 << 20] {
            let judged = judge(&mut worker, text, sender, || 1 + random.below(largest));
            assert_eq!(judged.failure, None);
            assert_eq!(judged.verdict, expected, "{} bytes in chunks of {largest}", text.len());
        }
        assert_eq!(expected.action > Action::Allow, text.len() > 1000);
    }
}

#[test]
fn a_match_at_the_very_end_of_a_long_upload_is_found_at_every_cut() {
    let filter = Filter::new(runtime(), blocking_parts(pack_of("zorkblat"))).expect("good parts");
    let mut worker = filter.worker().expect("a worker");
    let word = b"zorkblat";
    let mut text = b"nothing of interest here ".repeat(90_000);
    text.extend(word);
    let end = text.len() as u32;
    for cut in 0..=word.len() {
        let mut sizes = [text.len() - cut, cut].into_iter();
        let judged = judge(&mut worker, &text, b"", || sizes.next().unwrap_or(1));
        assert_eq!(judged.verdict.action, Action::Block);
        let span = judged.verdict.matches[0].span;
        assert_eq!((span.start, span.end), (end - word.len() as u32, end), "cut {cut} before the end");
    }
}

#[test]
fn messages_and_uploads_take_turns_and_one_that_is_dropped_is_forgotten() {
    let filter = Filter::new(runtime(), blocking_parts(pack_of("zorkblat"))).expect("good parts");
    let mut worker = filter.worker().expect("a worker");
    let mut judged = Vec::new();
    for _ in 0..3 {
        worker.upload(|_| ChannelId::default(), b"").push(b"zorkblat");
        worker.scan(&[Message::body("hello")], &mut judged);
        assert_eq!(judged[0].verdict.action, Action::Allow);
        assert_eq!(judge(&mut worker, b"hello", b"", || 2).verdict.action, Action::Allow);
        assert_eq!(judge(&mut worker, b"zorkblat", b"", || 2).verdict.action, Action::Block);
        worker.scan(&[Message::body("zorkblat")], &mut judged);
        assert_eq!(judged[0].verdict.action, Action::Block);
    }
    let counts = filter.generation().counts();
    assert_eq!((counts.deadlines, counts.traps), (0, 0));
    // Three messages allowed and three uploads, and as many blocked; what was dropped is not counted.
    assert_eq!(counts.actions, [6, 0, 0, 0, 6]);
}

#[test]
fn an_upload_is_of_one_generation_whatever_comes_meanwhile() {
    let filter = Filter::new(runtime(), blocking_parts(pack_of("zorkblat"))).expect("good parts");
    let mut worker = filter.worker().expect("a worker");
    let mut judged = Judged::default();
    let mut upload = worker.upload(|_| ChannelId::default(), b"");
    upload.push(b"zorkblat ");
    let newer = filter.swap(blocking_parts(pack_of("frumious"))).expect("good parts");
    upload.push(b"frumious");
    upload.finish(&mut judged);
    assert_eq!((judged.generation, judged.verdict.matches[0].span.start), (newer - 1, 0));
    let judged = judge(&mut worker, b"zorkblat frumious", b"", || 3);
    assert_eq!((judged.generation, judged.verdict.matches[0].span.start), (newer, 9));
}

/// Parts whose policy holds on failure.
fn holding() -> Parts {
    let parts = blocking_parts(pack_of("zorkblat"));
    Parts { failure: vec![FailurePolicy::Hold], ..parts }
}

#[test]
fn an_upload_that_fails_gets_the_answer_of_the_policy_and_the_worker_goes_on() {
    let (mut starved, mut hasty) = (RuntimeConfig::default(), RuntimeConfig::default());
    starved.memory_bytes_max(5 << 20);
    hasty.scan_deadline(Duration::from_millis(60));
    // A second of work a window.
    let slow = b"z0rkb1at ".repeat(400_000);
    for (config, expected) in [(starved, ScanFailure::Memory), (hasty, ScanFailure::Deadline)] {
        let runtime = Runtime::new(&config).expect("this machine runs sandboxes");
        let module = runtime.module(tamis_host::default_module()).expect("the shipped module is good");
        let pack = runtime.pack(pack_of("zorkblat")).expect("a good pack");
        let policy = Policy::blocking(&pack.pack());
        let filter = Filter::new(&runtime, Parts { module, pack, policy, ..holding() }).expect("good parts");
        let mut worker = filter.worker().expect("a worker");
        let judged = judge(&mut worker, &slow, b"", || 64 << 10);
        assert_eq!(judged.failure, Some(expected));
        assert_eq!((judged.verdict.action, judged.verdict.flags), (Action::Hold, VerdictFlags::default()));
        assert!(judged.verdict.matches.is_empty());
        let judged = judge(&mut worker, b"a zorkblat", b"", || 4);
        assert_eq!((judged.failure, judged.verdict.action), (None, Action::Block));
    }
}
