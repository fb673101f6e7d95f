//! `tamis model` on bad and on odd input: a clear error that says where, or a bounded run. How good a model is, is
//! measured elsewhere.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fmt::Write as _;
use std::process::Output;

use support::{Folder, stderr, stdout, tamis};
use tamis_guest::spam::Model;

mod support;

/// So many messages of each class, all different.
fn examples(of_each: usize) -> String {
    let mut lines = String::new();
    for number in 0..of_each {
        let name = ["anna", "ben", "clara", "dan", "eve"][number % 5];
        for (text, label) in [
            (format!("{name}, dinner at {number}? see you at home"), "ham"),
            (format!("sale {number} percent off everything, {name}s shop this weekend"), "advertising"),
            (format!("your bank account {number} is locked, log in at {name}.example.top"), "fraud"),
        ] {
            writeln!(lines, "{{\"text\":\"{text}\",\"label\":\"{label}\"}}").unwrap();
        }
    }
    lines
}

fn train(folder: &Folder, data: impl AsRef<[u8]>) -> Output {
    let data = folder.write("data.jsonl", data);
    tamis(&["model", "train", &data, "-o", &folder.path("out.bin")]).output().unwrap()
}

/// Ends with 2, an error that holds all of `parts`, and no model.
#[track_caller]
fn assert_refused(folder: &Folder, data: impl AsRef<[u8]>, parts: &[&str]) {
    let output = train(folder, data);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    for part in parts {
        assert!(stderr(&output).contains(part), "no `{part}` in: {}", stderr(&output));
    }
    assert!(!std::path::Path::new(&folder.path("out.bin")).exists());
}

#[test]
fn data_that_nothing_can_be_learnt_from_is_refused_with_the_reason() {
    let folder = Folder::new("model-bad");
    let good = examples(25);
    for (line, reason) in [
        ("{\"text\":\"hi\"}", "no label"),
        ("{\"text\":\"hi\",\"label\":\"Spam!\"}", "label `Spam!`"),
        ("{\"label\":\"ham\"}", "either `text` or `template`"),
        ("{\"text\":7,\"label\":\"ham\"}", "invalid type"),
        ("hi there", "no JSON object"),
        ("ham,hi there", "no JSON object"),
        ("[{\"text\":\"hi\",\"label\":\"ham\"}]", "an array"),
        ("{\"text\":\"a\0b\",\"label\":\"ham\"}", "control character"),
    ] {
        assert_refused(&folder, format!("{good}{line}\n"), &["data.jsonl:76: ", reason, "JSON Lines"]);
    }
    let only = |label: &str| good.lines().filter(|line| !line.contains(label)).collect::<Vec<_>>().join("\n");
    assert_refused(&folder, only("advertising"), &["0 messages are labelled `advertising`", "20"]);
    assert_refused(&folder, only("ham"), &["0 messages are labelled `ham`"]);
    assert_refused(&folder, "{\"text\":\"hi\",\"label\":\"ham\"}", &["1 messages are labelled `ham`"]);
    assert_refused(&folder, "", &["0 messages are labelled"]);
    assert_refused(
        &folder,
        "{\"text\":\"same\",\"label\":\"fraud\"}\n".repeat(500),
        &["0 messages are labelled `ham`"],
    );
    // All lines wrong: the first few are named, the rest counted.
    assert_refused(&folder, "no JSON\n".repeat(1000), &["data.jsonl:1:", "995 more lines"]);
    assert_refused(&folder, b"{\"text\":\"caf\xE9\",\"label\":\"ham\"}\n", &["data.jsonl:1: not UTF-8"]);
    let nowhere = ["model", "train", &folder.path("data.jsonl"), "-o", &folder.path("none/out.bin")];
    let nowhere = tamis(&nowhere).output().unwrap();
    assert!(nowhere.status.code() == Some(2) && stderr(&nowhere).contains("is no folder"), "{}", stderr(&nowhere));
    let missing = tamis(&["model", "eval", &folder.path("none.jsonl")]).output().unwrap();
    assert!(missing.status.code() == Some(2) && stderr(&missing).contains("none.jsonl"), "{}", stderr(&missing));
}

#[test]
fn marks_at_the_start_line_ends_and_long_lines_are_dealt_with() {
    let folder = Folder::new("model-odd");
    let good = examples(25);
    let plain = train(&folder, &good);
    assert_eq!(plain.status.code(), Some(0), "{}", stderr(&plain));
    let model = std::fs::read(folder.path("out.bin")).unwrap();
    assert!(Model::decode(&model).is_ok());
    // The same data in other dress gives the same bytes.
    for other in [format!("\u{FEFF}{good}"), good.replace('\n', "\r\n"), format!("\n\n{good}\n")] {
        let output = train(&folder, other);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_eq!(std::fs::read(folder.path("out.bin")).unwrap(), model);
    }
    std::fs::remove_file(folder.path("out.bin")).unwrap();
    let long = format!("{good}{{\"text\":\"{}\",\"label\":\"ham\"}}\n", "x".repeat(100_000));
    assert_refused(&folder, long, &["data.jsonl:76: longer than 65536 bytes"]);
    // Escaped zeros and what is no letter at all are texts like others.
    let zeros =
        format!("{good}{{\"text\":\"\\u0000\\u0000\",\"label\":\"ham\"}}\n{{\"text\":\"\",\"label\":\"fraud\"}}\n");
    assert_eq!(train(&folder, zeros).status.code(), Some(0));
}

#[test]
fn what_is_no_model_is_not_measured() {
    let folder = Folder::new("model-none");
    let data = folder.write("data.jsonl", examples(25));
    let shipped = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../wordlists/model.bin")).unwrap();
    let (mut older, mut damaged) = (shipped.clone(), shipped.clone());
    older[8] -= 1;
    damaged[5000] ^= 1;
    for (bytes, reason) in [
        (&b""[..], "does not begin with"),
        (b"t", "does not begin with"),
        (&older, "another format version"),
        (&damaged, "checksum"),
        (&shipped[..shipped.len() - 1], "too short or too long"),
    ] {
        let model = folder.write("model.bin", bytes);
        let output = tamis(&["model", "eval", &data, "--model", &model]).output().unwrap();
        let error = stderr(&output);
        assert!(output.status.code() == Some(2) && error.contains(&model) && error.contains(reason), "{error}");
    }
}

#[test]
fn evaluation_counts_what_it_is_given() {
    let folder = Folder::new("model-eval");
    let data = folder.write("data.jsonl", examples(40));
    let output = tamis(&["model", "eval", &data, "--threshold", "500,900"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let rows: Vec<String> =
        stdout(&output).lines().filter(|line| line.contains("data.jsonl")).map(str::to_owned).collect();
    assert_eq!(rows.len(), 2, "{}", stdout(&output));
    let columns: Vec<&str> = rows[0].split_whitespace().collect();
    assert_eq!((columns[1], columns[2], columns[5]), ("500", "40", "80"), "{rows:?}");
    let refused = tamis(&["model", "eval", &data, "--model", &data]).output().unwrap();
    assert!(stderr(&refused).contains("not a model"), "{}", stderr(&refused));
}
