//! What `tamis explain` says of a message: each case is terms, a message and the lines that must be there, in
//! this order.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::process::Output;

use serde_json::Value;
use support::{Folder, tamis};

mod support;

struct Case {
    terms: &'static str,
    args: &'static [&'static str],
    code: i32,
    lines: &'static [&'static str],
}

const CASES: [Case; 12] = [
    Case {
        terms: "viagra",
        args: &["get V1.agra now"],
        code: 1,
        lines: &[
            "block",
            "   | get V1.agra now",
            "   |     ^^^^^^^",
            "folded   get v·1·agra now",
            "fires",
            "   = `viagra` of custom: custom, severity 4",
            "     at 4..11 “V1.agra”, written with separator, leet",
        ],
    },
    Case {
        terms: "casino",
        args: &["nothing of that"],
        code: 0,
        lines: &["allow", "   | nothing of that", "folded   nothing of that"],
    },
    Case {
        terms: "casino",
        args: &["cas&#105;no"],
        code: 1,
        lines: &["read again as  casino", "folded   casino", "     at 0..11 “cas&#105;no”, written with encoded"],
    },
    Case {
        terms: "赌博",
        args: &["去堵博吧"],
        code: 1,
        lines: &["letters  去堵博吧", "sounds   qu du bo ba", "     at 3..9 “堵博”, written with sound"],
    },
    Case {
        terms: "口交",
        args: &["路口交通堵塞"],
        code: 0,
        lines: &[
            "looked at and dropped",
            "   = `口交` at 3 “口交通堵塞”: its characters belong to ordinary words around it",
        ],
    },
    Case {
        terms: "lit:cat",
        args: &["concatenate"],
        code: 0,
        lines: &["   = `cat` at 3 “catenate”: the word begins before it and goes on after it"],
    },
    Case {
        terms: "casino",
        args: &["--variants", "none", "c.a.s.i.n.o"],
        code: 0,
        lines: &[
            "   = `casino` at 0 “c.a.s.i.n.o”: it would be written with separator, which this term does not allow",
        ],
    },
    Case {
        terms: "lottery&prize",
        args: &["the lottery"],
        code: 0,
        lines: &[
            "is in part there, and does not fire",
            "   = `lottery&prize` of custom: custom, severity 4",
            "     at 4..11 “lottery”; missing is `prize`",
        ],
    },
    Case {
        terms: "free~fee applies",
        args: &["free, a fee applies"],
        code: 0,
        lines: &["     excluded by `fee applies` at 8..19 “fee applies”"],
    },
    Case {
        terms: "from:1069*&loan",
        args: &["--sender", "1069001", "a loan"],
        code: 1,
        lines: &["fires", "     by the sender", "     at 2..6 “loan”"],
    },
    Case { terms: r"re:[a-z]{2}-\d{4}", args: &["code AB-1234"], code: 1, lines: &["     at 5..12 “AB-1234”"] },
    Case {
        terms: "casino",
        args: &["--policy", "POLICY", "--channel", "chat", "--field", "name", "Casino"],
        code: 1,
        lines: &[
            "flag",
            "     policy: channel chat, name, severity 4: block; override 2 (names can be changed): flag, which decides",
        ],
    },
];

const POLICY: &str = r#"
format = 1
default_channel = "sms"
[channels.sms]
s1 = "allow"
s2 = "flag"
s3 = "hold"
s4 = "block"
on_failure = "hold"
[channels.chat]
s1 = "allow"
s2 = "flag"
s3 = "hold"
s4 = "block"
on_failure = "hold"
[[override]]
channel = "sms"
action = "mask"
[[override]]
field = "name"
action = "flag"
note = "names can be changed"
"#;

fn explain(terms: &str, args: &[&str]) -> Output {
    let folder = Folder::new("explain");
    let (terms, policy) = (folder.write("terms.txt", terms), folder.write("policy.toml", POLICY));
    let args = args.iter().map(|&arg| if arg == "POLICY" { &policy[..] } else { arg });
    let all: Vec<&str> = ["explain", "--terms", &terms].into_iter().chain(args).collect();
    tamis(&all).output().unwrap()
}

#[test]
fn explanations_have_these_lines() {
    for Case { terms, args, code, lines } in CASES {
        let output = explain(terms, args);
        let shown = String::from_utf8(output.stdout).unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{terms} {args:?}\n{shown}{error}");
        let mut rest = shown.lines();
        for line in lines {
            assert!(rest.any(|one| one == *line), "{terms} {args:?}: no `{line}`, or not in its place, in\n{shown}");
        }
    }
}

#[test]
fn json_has_the_same_in_keys() {
    let output = explain("viagra\nlottery&prize", &["--format", "json", "v1agra, lottery"]);
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(shown["action"], "block");
    assert_eq!(shown["readings"][0]["pieces"][2]["folded"], "agra");
    let candidates = shown["candidates"].as_array().unwrap();
    let kept = candidates.iter().find(|one| one["spelling"] == "viagra" && one["kept"].is_object()).unwrap();
    assert_eq!(kept["kept"]["span"], serde_json::json!([0, 6]));
    assert_eq!(kept["kept"]["evidence"], serde_json::json!(["leet"]));
    let dropped: Vec<&Value> = candidates.iter().filter(|one| one["dropped"].is_string()).collect();
    assert!(!dropped.is_empty() && dropped.iter().all(|one| one["because"].is_string()), "{shown}");
    assert_eq!(shown["terms"][0]["outcome"], "fires");
    assert_eq!(shown["terms"][0]["policy"]["action"], "block");
    assert_eq!(shown["terms"][1]["outcome"], "missing");
    assert_eq!(shown["terms"][1]["part"], serde_json::json!(["prize"]));
}

#[test]
fn a_module_is_refused_because_it_is_not_what_runs() {
    let output = explain("casino", &["--module", "filter.wasm", "casino"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("leave --module out"));
}
