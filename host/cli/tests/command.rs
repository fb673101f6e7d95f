//! The command as people and gateways use it: what it prints, how it ends, and what it says of bad input.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{Folder, stderr, stdout, tamis};
use tamis_guest::{Kit, Pack, PackBytes};

mod support;

fn run(args: &[&str], input: impl AsRef<[u8]>) -> Output {
    let mut child = tamis(args).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.as_ref().to_vec();
    // On a thread of its own, or a large input and a large output would wait for each other. The command may
    // end before it has read everything.
    let writer = std::thread::spawn(move || _ = stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

fn json_lines(output: &Output) -> Vec<Value> {
    stdout(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Ends with 2 and an error that holds all of `parts`.
#[track_caller]
fn assert_error(output: &Output, parts: &[&str]) {
    assert_eq!(output.status.code(), Some(2), "{}", stderr(output));
    for part in parts {
        assert!(stderr(output).contains(part), "no `{part}` in: {}", stderr(output));
    }
}

#[test]
fn text_shows_the_message_with_carets_and_what_they_mean() {
    let folder = Folder::new("text");
    let terms = folder.write("terms.txt", "free gift\n赌博\n");
    let output = run(&["check", "--terms", &terms], "see you at six\nyour FREE gift\n欢迎来赌 博吧\n");
    assert_eq!(output.status.code(), Some(1));
    let shown = stdout(&output);
    let expected = "\
block 2
   | your FREE gift
   |      ^^^^^^^^^
   = custom, severity 4: `free gift` of custom
block 3
   | 欢迎来赌 博吧
   |       ^^ ^^
   = custom, severity 4: `赌博` of custom, written with separator
3 messages: 1 allow, 2 block
";
    // The caret under the space within the span is drawn as well.
    let expected = expected.replace("^^ ^^", "^^^^^");
    assert!(shown.starts_with(&expected), "{shown}");
}

#[test]
fn the_shipped_lists_name_category_and_clauses() {
    let output = run(&["check", "--format", "ndjson"], "you have won a prize, call now to claim\n");
    assert_eq!(output.status.code(), Some(1));
    let verdicts = json_lines(&output);
    let scam = verdicts[0]["matches"].as_array().unwrap().iter().find(|found| found["category"] == "fraud.scam");
    let clauses = scam.expect("a prize call is a scam")["clauses"].as_array().unwrap();
    assert!(clauses.contains(&Value::from("A:5.7(16)")), "{clauses:?}");
}

#[test]
fn ndjson_has_one_verdict_a_line_in_order_with_all_keys() {
    let folder = Folder::new("ndjson");
    let terms = folder.write("terms.txt", "free gift\n");
    let lines =
        "{\"id\":\"a\",\"text\":\"f.r.e.e gift\"}\n{\"text\":\"hello\",\"channel\":\"chat\",\"sender\":\"10690\"}\n";
    let output = run(&["check", "--terms", &terms, "--format", "ndjson"], lines);
    assert_eq!(output.status.code(), Some(1));
    let expected = r#"{"id":"a","action":"block","matches":[{"span":[0,12],"term":"free gift","list":"custom","category":"custom","severity":4,"clauses":[],"evidence":["separator"]}],"generation":1}
{"id":2,"action":"allow","matches":[],"generation":1}
"#;
    assert_eq!(stdout(&output), expected);
}

#[test]
fn what_the_policy_masks_is_masked() {
    let folder = Folder::new("masked");
    let terms = folder.write("terms.txt", "zorbleflux\n");
    let policy = folder.write(
        "policy.toml",
        "format = 1\ndefault_channel = \"chat\"\n[channels.chat]\ns1 = \"flag\"\ns2 = \"flag\"\ns3 = \"flag\"\n\
         s4 = \"mask\"\non_failure = \"hold\"\n",
    );
    let many = format!("{}\n", "zorbleflux ".repeat(100));
    let input = format!("a Z.O.R.B.L.E.F.L.U.X\u{301} b\nnothing\n{many}");
    let output = run(&["check", "--terms", &terms, "--policy", &policy, "--format", "ndjson"], input);
    let verdicts = json_lines(&output);
    assert_eq!(verdicts[0]["action"], "mask");
    assert_eq!(verdicts[0]["masked"], "a ******************* b");
    assert_eq!(verdicts[1]["masked"], Value::Null);
    // Not all matches are in the verdict, so the text must not be shown half masked.
    assert_eq!(verdicts[2]["action"], "mask");
    assert_eq!(verdicts[2]["masked"], Value::Null);
}

#[test]
fn a_kit_holds_pack_policy_and_texts() {
    let folder = Folder::new("kit");
    let lists = concat!(env!("CARGO_MANIFEST_DIR"), "/../../wordlists");
    let kit = folder.0.join("default.kit");
    let output = run(&["compile", "--lists", lists, "--kit", "-o", kit.to_str().unwrap()], "");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let bytes = fs::read(&kit).unwrap();
    let kit = Kit::decode(&bytes).unwrap();
    let pack = PackBytes::from(kit.pack);
    let pack = Pack::decode(&pack).unwrap();
    assert_eq!(kit.policy(&pack).unwrap().channels()[0], "sms");
    let texts: Value = serde_json::from_str(kit.texts).unwrap();
    for index in 0..pack.categories_count() {
        let id = pack.category(index).id;
        assert!(texts[id]["text"]["zh"].is_string(), "{id}");
    }
}

#[test]
fn terms_in_the_shadow_are_shown_and_let_pass() {
    let folder = Folder::new("shadow");
    folder.write("taxonomy.toml", include_str!("../../../wordlists/taxonomy.toml"));
    let list = "format = 1\n[list]\nid = \"en.custom\"\n[[group]]\ncategory = \"custom\"\nstatus = \"shadow\"\nterms = 'zorkblat'\n";
    folder.write("en/custom.toml", list);
    let lists = folder.0.to_str().unwrap();
    let output = run(&["check", "--lists", lists], "hello\nzorkblat\n");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let expected = "\
allow 2
   | zorkblat
   | ^^^^^^^^
   = shadow: custom, severity 2: `zorkblat` of en.custom; clauses A:5.7(19) A:5.7(20) B:2.9(9) C:4.3.2 E:3.1.6.5(8)
2 messages: 2 allow
";
    assert!(stdout(&output).starts_with(expected), "{}", stdout(&output));
    let output = run(&["check", "--lists", lists, "--format", "ndjson"], "zorkblat\n");
    let verdict = &json_lines(&output)[0];
    assert_eq!((&verdict["action"], verdict["matches"].as_array().unwrap().len()), (&Value::from("allow"), 0));
    assert_eq!(verdict["shadow"][0]["term"], "zorkblat");
}

#[test]
fn json_is_one_document() {
    let folder = Folder::new("json");
    let terms = folder.write("terms.txt", "casino\n");
    let many: String = (0..200).map(|number| format!("message {number} casino\n")).collect();
    let output = run(&["check", "--terms", &terms, "--format", "json"], many);
    let verdicts: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(verdicts.len(), 200);
    assert!(verdicts.iter().zip(1..).all(|(verdict, line)| verdict["id"] == line && verdict["action"] == "block"));
    assert_eq!(run(&["check", "--format", "json"], "").stdout, b"[]\n");
}

#[test]
fn several_files_name_themselves_in_the_ids() {
    let folder = Folder::new("files");
    let (one, two) = (folder.write("one.txt", "a\nb\n"), folder.write("two.jsonl", "{\"text\":\"c\"}\n"));
    let output = run(&["check", "--format", "ndjson", &one, &two], "");
    assert_eq!(output.status.code(), Some(0));
    let ids: Vec<String> =
        json_lines(&output).iter().map(|verdict| verdict["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids, [format!("{one}:1"), format!("{one}:2"), format!("{two}:1")]);
}

#[test]
fn any_bytes_are_judged() {
    let folder = Folder::new("bytes");
    let terms = folder.write("terms.txt", "casino\n");
    let output =
        run(&["check", "--terms", &terms, "--format", "ndjson"], b"\xFF casino \x80\n\n\0\r\nca\xE2\x80\x8Bsino");
    let verdicts = json_lines(&output);
    assert_eq!(verdicts.len(), 4);
    assert_eq!(verdicts[0]["action"], "block");
    assert_eq!(verdicts[0]["flags"][0], "invalid_utf8");
    assert_eq!(verdicts[1]["action"], "allow");
    assert_eq!(verdicts[3]["matches"][0]["evidence"][0], "invisible");
}

#[test]
fn a_line_of_ten_megabytes_is_judged_up_to_the_limit_and_says_so() {
    let folder = Folder::new("long");
    let terms = folder.write("terms.txt", "casino\n");
    let line = format!("casino {}\ncasino\n", "word ".repeat(2_000_000));
    let output = run(&["check", "--terms", &terms, "--format", "ndjson"], line);
    assert_eq!(output.status.code(), Some(1));
    let verdicts = json_lines(&output);
    assert_eq!(verdicts.len(), 2);
    assert_eq!(verdicts[0]["flags"][0], "truncated");
    assert_eq!(verdicts[0]["action"], "block");
    assert_eq!(verdicts[1].get("flags"), None);
}

#[test]
fn a_line_that_is_no_json_is_judged_as_it_is_and_reported() {
    let folder = Folder::new("badjson");
    let terms = folder.write("terms.txt", "casino\n");
    let input = "{\"id\":1,\"text\":\"hi\"}\n{\"text\": casino\n{\"id\":3,\"text\":\"hi\",\"field\":\"subject\"}\n";
    let output = run(&["check", "--terms", &terms, "--format", "ndjson"], input);
    assert_error(
        &output,
        &["-:2: not a JSON message", "-:3: unknown field `subject`", "fields are body, name, upload"],
    );
    assert_eq!(json_lines(&output).iter().filter(|verdict| verdict["action"] == "block").count(), 1);
}

#[test]
fn what_cannot_be_used_is_named_with_what_to_do() {
    let folder = Folder::new("unusable");
    let messages = folder.write("messages.txt", "hello\n");
    let check = |args: &[&str]| run(&[&["check"], args, &[&messages]].concat(), "");

    assert_error(&run(&["check", "/no/such/file"], ""), &["cannot read messages from /no/such/file"]);
    assert_error(&run(&["check", folder.0.to_str().unwrap()], ""), &["is a folder; name the files in it"]);
    assert_error(&check(&["--lists", "/no/such/folder"]), &["no lists in /no/such/folder", "taxonomy.toml"]);
    assert_error(&check(&["--terms", "/no/such/terms"]), &["cannot read /no/such/terms"]);
    assert_error(&check(&["--module", &messages]), &["not a filter module", "does not begin like WebAssembly"]);
    assert_error(&check(&["--watch"]), &["nothing to watch", "--lists"]);

    let unbalanced = folder.write("unbalanced.txt", "good word\nfree {gift\n");
    assert_error(
        &check(&["--terms", &unbalanced]),
        &["error[T006]: unbalanced `{`", "unbalanced.txt:2:6", "help: close it"],
    );
    let gbk = folder.write("gbk.txt", b"\xB6\xC4\xB2\xA9\n");
    assert_error(&check(&["--terms", &gbk]), &["T007", "save the file as UTF-8"]);
    let policy =
        folder.write("policy.toml", "format = 1\ndefault_channel = \"sms\"\n[channels.sms]\ns1 = \"forbid\"\n");
    assert_error(&check(&["--policy", &policy]), &["unknown action `forbid`", "allow, flag, mask, hold, block"]);
}

#[test]
fn a_damaged_pack_and_a_module_of_another_version_are_refused() {
    let folder = Folder::new("damaged");
    let terms = folder.write("terms.txt", "casino\n");
    let pack = folder.0.join("good.pack");
    let pack = pack.to_str().unwrap();
    assert_eq!(run(&["compile", "--terms", &terms, "-o", pack], "").status.code(), Some(0));
    assert_eq!(run(&["check", "--lists", pack], "casino\n").status.code(), Some(1));

    let mut bytes = fs::read(pack).unwrap();
    let spelling = bytes.windows(6).position(|six| six == b"casino").unwrap();
    bytes[spelling] ^= 1;
    let damaged = folder.write("damaged.pack", &bytes);
    assert_error(
        &run(&["check", "--lists", &damaged], "hi\n"),
        &["damaged.pack", "checksum does not match", "copy it again"],
    );
    let cut = folder.write("cut.pack", &bytes[..bytes.len() / 2]);
    assert_error(&run(&["check", "--lists", &cut], "hi\n"), &["cut.pack", "pack is damaged"]);

    // An empty module with the boundary's version 99.
    let module = folder.write("module.wasm", b"\0asm\x01\0\0\0\0\x0E\x09tamis_abi\x63\0\0\0");
    assert_error(&run(&["check", "--module", &module], "hi\n"), &["module.wasm", "boundary version 99", "tamis-guest"]);
}

#[test]
fn lists_are_replaced_while_messages_flow() {
    let folder = Folder::new("watch");
    let terms = folder.write("terms.txt", "casino\n");
    let mut child = tamis(&["check", "--terms", &terms, "--watch", "--format", "ndjson"]).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut verdicts = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut judge = |message: &str| -> Value {
        writeln!(stdin, "{message}").unwrap();
        serde_json::from_str(&verdicts.next().unwrap().unwrap()).unwrap()
    };
    let mut judge_until = |message: &str, wanted: &str| {
        let patience = Instant::now() + Duration::from_secs(20);
        loop {
            let verdict = judge(message);
            if verdict["action"] == wanted || Instant::now() > patience {
                return verdict;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    let before = judge_until("zorkblat", "allow");
    assert_eq!((&before["action"], &before["generation"]), (&Value::from("allow"), &Value::from(1)));
    folder.write("terms.txt", "casino\nzorkblat\n");
    let after = judge_until("zorkblat", "block");
    assert_eq!((&after["action"], &after["generation"]), (&Value::from("block"), &Value::from(2)));
    // A list with an error changes nothing.
    folder.write("terms.txt", "{casino\n");
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(judge_until("zorkblat", "block")["generation"], 2);
    folder.write("terms.txt", "casino\n");
    assert_eq!(judge_until("zorkblat", "allow")["generation"], 3);

    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    for part in ["generation 2 judges from here on: 2 terms", "error[T006]", "the running generation goes on"] {
        assert!(stderr(&output).contains(part), "no `{part}` in: {}", stderr(&output));
    }
}

#[test]
fn a_model_is_replaced_while_messages_flow() {
    let folder = Folder::new("watch-model");
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wordlists");
    let model = fs::read(shipped.join("model.bin")).unwrap();
    folder.write("lists/taxonomy.toml", fs::read(shipped.join("taxonomy.toml")).unwrap());
    let list = "format = 1\nlist = { id = \"custom\" }\n[[group]]\nname = \"test\"\nreason = \"made up\"\n\
                category = \"custom\"\nseverity = 2\nterms = \"zorkblat\"\n";
    folder.write("lists/en/custom.toml", list);
    let lists = folder.path("lists");
    let mut child = tamis(&["check", "--lists", &lists, "--watch", "--format", "ndjson"]).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut verdicts = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut fraud_of_generation = |wanted: u64| {
        let patience = Instant::now() + Duration::from_secs(20);
        loop {
            writeln!(stdin, "URGENT! You have won a 2000 pound prize, call 09061701461 now to claim").unwrap();
            let verdict: Value = serde_json::from_str(&verdicts.next().unwrap().unwrap()).unwrap();
            if verdict["generation"] == wanted {
                return verdict["confidence"]["fraud"].as_u64();
            }
            assert!(Instant::now() < patience, "generation {wanted} never came");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    assert_eq!(fraud_of_generation(1), None);
    folder.write("lists/model.bin", &model);
    assert!(fraud_of_generation(2).is_some_and(|fraud| fraud > 500));
    // One that cannot be used changes nothing.
    folder.write("lists/model.bin", &model[..model.len() / 2]);
    std::thread::sleep(Duration::from_millis(300));
    assert!(fraud_of_generation(2).is_some());
    fs::remove_file(folder.path("lists/model.bin")).unwrap();
    assert_eq!(fraud_of_generation(3), None);

    drop(stdin);
    let output = child.wait_with_output().unwrap();
    for part in ["model.bin", "not a model", "tamis model train", "the running generation goes on"] {
        assert!(stderr(&output).contains(part), "no `{part}` in: {}", stderr(&output));
    }
}

#[test]
fn floods_are_told_where_the_policy_asks_for_them() {
    let folder = Folder::new("flood");
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wordlists/policy.toml");
    let policy = fs::read_to_string(shipped).unwrap();
    let with = folder.write("flood.toml", policy.replace("\n[model]", "\n[flood]\nsender_messages_max = 3\n\n[model]"));
    let without = folder.write("plain.toml", policy);
    let line = |number: u32, second: f64| {
        format!("{{\"text\":\"see you {number}\",\"sender\":\"a\",\"recipient\":\"r{number}\",\"time\":{second}}}\n")
    };
    let fast: String = (0..5).map(|number| line(number, 0.5)).collect();
    let slow: String = (0..5).map(|number| line(number, 60.0 * f64::from(number))).collect();
    let verdicts =
        |policy: &str, messages: &str| json_lines(&run(&["check", "--policy", policy, "--format", "ndjson"], messages));
    for (policy, messages) in [(&without, &fast), (&with, &slow)] {
        assert!(verdicts(policy, messages).iter().all(|verdict| verdict["action"] == "allow"));
    }
    let of_fast = verdicts(&with, &fast);
    assert_eq!(of_fast[2]["flood"], Value::Null);
    assert_eq!(of_fast[3]["action"], "flag");
    assert_eq!(of_fast[4]["flood"]["reasons"], serde_json::json!(["sender_messages"]));
    assert_eq!((&of_fast[4]["flood"]["sender_messages"], &of_fast[4]["flood"]["severity"]), (&5.into(), &2.into()));
    let output = run(&["check", "--policy", &with], &fast);
    let told = "= spam.flood, severity 2: 4 messages of its sender of late";
    assert!(stdout(&output).contains(told), "{}", stdout(&output));
    let output = run(&["check", "--policy", &with], "{\"text\":\"hi\",\"time\":-1}\n");
    assert!(stderr(&output).contains("time -1") && output.status.code() == Some(2), "{}", stderr(&output));
}

#[test]
fn a_module_is_replaced_while_messages_flow() {
    let folder = Folder::new("module");
    let module = folder.write("filter.wasm", tamis_host::default_module());
    let mut child = tamis(&["check", "--module", &module, "--watch", "--format", "ndjson"]).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut verdicts = BufReader::new(child.stdout.take().unwrap()).lines();
    let patience = Instant::now() + Duration::from_secs(60);
    // The same filter with a custom section more is another module.
    let mut other = tamis_host::default_module().to_vec();
    other.extend(b"\0\x05\x04more");
    let mut replaced = false;
    let mut sent = 0;
    loop {
        writeln!(stdin, "message").unwrap();
        sent += 1;
        let verdict: Value = serde_json::from_str(&verdicts.next().unwrap().unwrap()).unwrap();
        assert_eq!(verdict["id"], sent, "no message is lost or judged twice");
        if !replaced {
            folder.write("filter.wasm", &other);
            replaced = true;
        }
        if verdict["generation"] == 2 {
            break;
        }
        assert!(Instant::now() < patience, "the new module never came");
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(stdin);
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(0));
}

#[test]
fn bench_measures_both_ways_and_finds_the_same() {
    let folder = Folder::new("bench");
    let terms = folder.write("terms.txt", "casino\nviagra\n赌博\n");
    let messages = folder.write("messages.txt", "casino tonight\nsee you\n来赌博吧 casino\n");
    let args = ["bench", "--terms", &terms, "--messages", &messages, "--row-ms", "10", "--format", "json"];
    let output = run(&args, "");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let figures: Value = serde_json::from_slice(&output.stdout).unwrap();
    for engine in ["sandbox", "native"] {
        assert_eq!(figures[engine]["hits"], 2);
        assert_eq!(figures[engine]["matches"], 3);
        assert!(figures[engine]["messages_per_s"].as_f64().unwrap() > 0.0);
    }
    assert_eq!(figures["terms"], 3);
    // Every key is documented.
    let help = stdout(&run(&["bench", "--help"], ""));
    let engines = figures["sandbox"].as_object().unwrap();
    for key in figures.as_object().unwrap().keys().chain(engines.keys()) {
        assert!(help.contains(key.as_str()), "`{key}` is not in the help");
    }
    assert_error(&run(&["bench", "--messages", &folder.write("none.txt", "")], ""), &["no messages in"]);
}

#[test]
fn a_reader_that_stops_early_is_no_error() {
    let many = "you have won a prize, call now to claim\n".repeat(20_000);
    let mut child = tamis(&["check", "--format", "ndjson"]).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let writer = std::thread::spawn(move || _ = stdin.write_all(many.as_bytes()));
    lines.next().unwrap().unwrap();
    drop(lines);
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn the_readme_shows_what_the_command_prints() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md")).unwrap();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/sms.jsonl");
    let output = run(&["check", sample.to_str().unwrap()], "");
    let (_, rest) =
        readme.split_once("$ cargo tamis check tests/data/sms.jsonl\n").expect("the README runs the main job");
    let (shown, _) = rest.split_once("\n```").unwrap();
    // What is shown is cut; each piece of it must be printed so.
    for piece in shown.split("…\n") {
        let piece = piece.lines().filter(|line| !line.starts_with("judged in")).collect::<Vec<_>>().join("\n");
        assert!(stdout(&output).contains(&piece), "the README shows what is not printed:\n{piece}");
    }
}

/// A module of others that asks for this action on every message, and says why.
fn side_module(name: &str, action: u8) -> Vec<u8> {
    use wasm_encoder::{
        CodeSection, CustomSection, ExportKind, ExportSection, Function, FunctionSection, Instruction, MemArg,
        MemorySection, MemoryType, Module, TypeSection, ValType,
    };
    const OUT: i32 = 0x11_0000;
    let description = format!("{name}\nbecause of {name}");
    let (mut types, mut functions) = (TypeSection::new(), FunctionSection::new());
    types.ty().function([], [ValType::I64]);
    types.ty().function([ValType::I32; 3], [ValType::I32]);
    types.ty().function([ValType::I32; 2], [ValType::I32]);
    (0..3).for_each(|ty| _ = functions.function(ty));
    let mut memories = MemorySection::new();
    memories.memory(MemoryType { minimum: 24, maximum: None, memory64: false, shared: false, page_size_log2: None });
    let mut exports = ExportSection::new();
    exports.export("memory", ExportKind::Memory, 0).export("tamis_areas", ExportKind::Func, 0);
    exports.export("tamis_init", ExportKind::Func, 1).export("tamis_scan", ExportKind::Func, 2);
    let mut code = CodeSection::new();
    for answer in [Instruction::I64Const(OUT.into()), Instruction::I32Const(0)] {
        let mut function = Function::new([]);
        function.instruction(&answer).instruction(&Instruction::End);
        code.function(&function);
    }
    // One message done, 24 bytes: the action, no confidence, and one match, bytes 0 to 3, reason 0.
    let mut scan = Function::new([]);
    for (offset, word) in
        [(0, 1), (4, 24), (8, 0x1_0000 + i32::from(action)), (12, 0), (16, 0), (20, 3), (24, 0), (28, 0)]
    {
        scan.instruction(&Instruction::I32Const(OUT)).instruction(&Instruction::I32Const(word));
        scan.instruction(&Instruction::I32Store(MemArg { offset, align: 0, memory_index: 0 }));
    }
    scan.instruction(&Instruction::I32Const(0)).instruction(&Instruction::End);
    code.function(&scan);
    let custom = |name: &'static str, data: Vec<u8>| CustomSection { name: name.into(), data: data.into() };
    let mut module = Module::new();
    module.section(&custom("tamis_abi", tamis_guest::wire::ABI_VERSION.to_le_bytes().into()));
    module.section(&custom("tamis_side", description.into_bytes()));
    module.section(&types).section(&functions).section(&memories).section(&exports).section(&code);
    module.finish()
}

#[test]
fn modules_of_others_run_beside_and_the_worst_action_wins() {
    let folder = Folder::new("sides");
    let terms = folder.write("terms.txt", "casino\n");
    let (flags, holds) =
        (folder.write("flags.wasm", side_module("one", 1)), folder.write("holds.wasm", side_module("two", 3)));
    let args = ["check", "--terms", &terms, "--side-module", &flags, "--side-module", &holds];
    let output = run(&[&args[..], &["--format", "ndjson"]].concat(), "hello\nthe casino\n");
    let verdicts = json_lines(&output);
    assert_eq!((&verdicts[0]["action"], &verdicts[1]["action"]), (&Value::from("hold"), &Value::from("block")));
    assert_eq!(
        verdicts[0]["sides"],
        serde_json::json!([
            {"module": "one", "action": "flag", "findings": [{"span": [0, 3], "reason": "because of one"}]},
            {"module": "two", "action": "hold", "findings": [{"span": [0, 3], "reason": "because of two"}]},
        ])
    );
    let shown = stdout(&run(&args, "hello\n"));
    assert!(shown.contains("   | ^^^") && shown.contains("the module `two` says hold: because of two"), "{shown}");
    // One for lists is none of these, and is told so.
    let rubbish = folder.write("rubbish.wasm", b"\0asm\x01\0\0\0\0\x0E\x09tamis_abi\x02\0\0\0");
    let output = run(&["check", "--side-module", &rubbish], "hello\n");
    assert_error(&output, &["rubbish.wasm", "goes not beside it"]);
}

#[test]
fn uploads_are_judged_whole_and_shown_by_place() {
    let folder = Folder::new("uploads");
    let terms = folder.write("terms.txt", "free gift\n");
    let clean = folder.write("clean.txt", "nothing\nto see\n");
    let filler = "nothing to see here, ".repeat(100_000);
    let long = folder.write("long.txt", format!("{filler}a FREE\ngift for you"));
    let output = run(&["check", "--terms", &terms, "--uploads", &clean, &long], "");
    assert_eq!(output.status.code(), Some(1));
    let shown = stdout(&output);
    assert!(shown.starts_with(&format!("block {long}\n")), "{shown}");
    assert!(shown.contains("   = at byte 2,100,002\n") && shown.contains(" a FREE gift for you\n"), "{shown}");
    assert!(shown.contains("2 messages: 1 allow, 1 block\n"), "{shown}");

    let output = run(&["check", "--terms", &terms, "--uploads", "--format", "ndjson"], format!("{filler}free gift"));
    let verdict = &json_lines(&output)[0];
    assert_eq!((&verdict["id"], &verdict["action"]), (&"-".into(), &"block".into()));
    assert_eq!(verdict["matches"][0]["span"], serde_json::json!([2_100_000, 2_100_009]));
}
