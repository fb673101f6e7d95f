//! Every finding about lists, from a broken list beside it: `lint/T001.toml` and so on, and exactly what is said
//! of it in `lint/T001.txt`. With `TAMIS_BLESS=1` the texts are written anew; look at their diff.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use tamis_guest::compile::{
    Date, Diagnostic, Level, ListSource, PolicySource, Taxonomy, check_honest, decode_text, lint,
};
use tamis_tests::workspace;

fn taxonomy() -> Taxonomy {
    let text = fs::read_to_string(workspace().join("wordlists/taxonomy.toml")).expect("the taxonomy is readable");
    Taxonomy::parse("taxonomy.toml", &text).0
}

/// The day on which these tests take place.
fn today() -> Date {
    Date::parse("2026-06-15").expect("a day")
}

fn lint_text(path: &str, bytes: &[u8]) -> Vec<Diagnostic> {
    let (text, problem) = decode_text(path, bytes);
    if path.contains("-policy") {
        let (policy, mut diagnostics) = PolicySource::parse(path, &text);
        diagnostics.extend(policy.iter().flat_map(|policy| policy.check(&taxonomy())));
        return diagnostics;
    }
    let mut diagnostics: Vec<Diagnostic> = problem.into_iter().collect();
    let source = ListSource { path, text: &text };
    diagnostics.extend(lint(&[source], &taxonomy(), today()));
    let honest = fs::read_to_string(workspace().join("tests/lint/honest.txt")).expect("a readable file");
    let honest = ListSource { path: "honest.txt", text: &honest };
    diagnostics.extend(check_honest(&[source], &taxonomy(), today(), &honest));
    diagnostics
}

fn broken_lists() -> Vec<PathBuf> {
    let folder = workspace().join("tests/lint");
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "toml"));
    paths.sort();
    paths
}

#[test]
fn broken_lists_get_exactly_these_findings() {
    let mut differ = Vec::new();
    // Too large for a folder of tests.
    let large = workspace().join("tests/lint/T009.toml");
    for path in broken_lists().into_iter().chain([large.clone()]) {
        let name = path.file_name().expect("files have names").to_string_lossy().into_owned();
        let bytes = if path == large { vec![b'#'; 65 << 20] } else { fs::read(&path).expect("a readable file") };
        let shown: Vec<String> = lint_text(&name, &bytes).iter().map(ToString::to_string).collect();
        let shown = shown.join("\n\n") + "\n";
        let code = name.split(['.', '-']).next().unwrap_or_default();
        assert!(shown.contains(&format!("[{code}]")), "{name} does not show its own code:\n{shown}");
        let expected_path = path.with_extension("txt");
        if std::env::var_os("TAMIS_BLESS").is_some() {
            fs::write(&expected_path, &shown).expect("a writable folder");
        }
        let expected = fs::read_to_string(&expected_path).unwrap_or_default();
        if shown != expected {
            differ.push(format!("{name} gives\n{shown}\ninstead of\n{expected}"));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n\n"));
}

/// The codes that stand in the source, each as a text of four characters, and those of the table in the manual.
#[test]
fn every_code_has_a_broken_list() {
    let mut codes = BTreeSet::new();
    let manual = fs::read_to_string(workspace().join("wordlists/README.md")).expect("a readable file");
    for line in manual.lines().filter_map(|line| line.strip_prefix("| T0")) {
        codes.extend(
            line.split('|')
                .next()
                .unwrap_or_default()
                .split(", ")
                .map(|code| format!("T0{}", code.trim().trim_start_matches("T0"))),
        );
    }
    for file in fs::read_dir(workspace().join("guest/src/compile")).expect("a readable folder") {
        let path = file.expect("a readable folder").path();
        // Data of the compiler stands beside it.
        if path.extension().is_none_or(|end| end != "rs") {
            continue;
        }
        let text = fs::read_to_string(path).expect("a readable file");
        for (at, _) in text.match_indices("\"T0") {
            let code = text.get(at + 1..at + 5).unwrap_or_default();
            if text[at + 5..].starts_with('"') {
                codes.insert(code.to_owned());
            }
        }
    }
    assert!(codes.len() > 15, "{codes:?}");
    let tried: BTreeSet<String> = broken_lists()
        .iter()
        .filter_map(|path| Some(path.file_stem()?.to_str()?.get(..4)?.to_owned()))
        // T009 is made here, as it is large; T015 and T070 compare two folders: host/cli/src/lists/change.rs.
        .chain(["T009", "T015", "T070"].map(str::to_owned))
        .collect();
    let missing: Vec<&String> = codes.difference(&tried).collect();
    assert!(missing.is_empty(), "no list in tests/lint breaks {missing:?}");
    let untold: Vec<&String> = tried.iter().filter(|code| !manual.contains(code.as_str())).collect();
    assert!(untold.is_empty(), "wordlists/README.md does not tell of {untold:?}");
}

#[test]
fn shipped_lists_are_clean() {
    let folder = workspace().join("wordlists");
    let mut files = Vec::new();
    for lang in fs::read_dir(&folder).expect("a readable folder") {
        let lang = lang.expect("a readable folder").path();
        for file in fs::read_dir(&lang).into_iter().flatten() {
            let path = file.expect("a readable folder").path();
            if path.extension().is_some_and(|end| end == "toml") {
                let shown = path.strip_prefix(&folder).expect("inside").to_string_lossy().into_owned();
                files.push((shown, fs::read_to_string(&path).expect("a readable file")));
            }
        }
    }
    files.sort();
    let sources: Vec<ListSource<'_>> = files.iter().map(|(path, text)| ListSource { path, text }).collect();
    let findings: Vec<String> = lint(&sources, &taxonomy(), today()).iter().map(ToString::to_string).collect();
    assert!(findings.is_empty(), "{}", findings.join("\n\n"));
}

fn list_of(terms: &str) -> String {
    format!("format = 1\n[list]\nid = \"en.custom\"\n[[group]]\ncategory = \"custom\"\nterms = '''\n{terms}\n'''\n")
}

/// The codes of the findings, each once.
fn codes(found: &[Diagnostic]) -> BTreeSet<&'static str> {
    found.iter().map(|found| found.code).collect()
}

#[test]
fn a_term_of_a_million_characters_is_refused() {
    let found = lint_text("list.toml", list_of(&"x".repeat(1_000_000)).as_bytes());
    assert_eq!(codes(&found), BTreeSet::from(["T008"]));
    assert!(found[0].to_string().len() < 1000, "it is not shown whole");
}

#[test]
fn a_file_of_100_megabytes_is_refused() {
    let list = list_of(&"zorkblat number one\n".repeat(5_000_000));
    assert!(list.len() > 100_000_000);
    let found = lint_text("list.toml", list.as_bytes());
    assert!(codes(&found).contains("T009"), "{:?}", codes(&found));
}

#[test]
fn a_file_with_thousands_of_mistakes_says_how_many() {
    let found = lint_text("list.toml", list_of(&"zork{blat\n".repeat(5000)).as_bytes());
    let last = found.iter().find(|found| found.code == "T009").expect("a count");
    assert_eq!((last.message.as_str(), last.level), ("and 4800 more findings in this file", Level::Error));
}

#[test]
fn other_encodings_are_told() {
    let gbk = [list_of("").as_bytes(), b"# \xB6\xC4\xB2\xA9\n"].concat();
    assert!(codes(&lint_text("list.toml", &gbk)).contains("T007"));
    let nul = list_of("zork\0blat");
    assert!(codes(&lint_text("list.toml", nul.as_bytes())).contains("T007"));
    let utf16: Vec<u8> = list_of("zorkblat").encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(codes(&lint_text("list.toml", &utf16)).contains("T007"));
}

#[test]
fn a_byte_order_mark_and_windows_lines_are_read() {
    let list = format!("\u{FEFF}{}", list_of("zorkblat\nwibble").replace('\n', "\r\n"));
    assert_eq!(lint_text("list.toml", list.as_bytes()), Vec::new());
    // And a finding in such a file is placed right.
    let list = format!("\u{FEFF}{}", list_of("zorkblat\nzork{blat").replace('\n', "\r\n"));
    let found = lint_text("list.toml", list.as_bytes());
    assert_eq!((found[0].line, found[0].column, &found[0].source_line[..]), (8, 5, "zork{blat"));
}

#[test]
fn expressions_that_blow_up_are_refused_and_soon() {
    let nested = format!("re:{}a{}", "(".repeat(5000), ")".repeat(5000));
    let optional = format!("re:{}{}", "a?".repeat(80), "a".repeat(80));
    let alternatives = format!("re:{}", vec!["(ab|ba)"; 35].join("[^x]{0,9}"));
    let bombs =
        ["re:((a{1000}){1000}){1000}", r"re:(\w{50}){50}", r"re:\pL{200}\d{200}", &nested, &optional, &alternatives];
    for bomb in bombs {
        let begun = std::time::Instant::now();
        let found = lint_text("list.toml", list_of(bomb).as_bytes());
        let shown: String = bomb.chars().take(40).collect();
        assert!(begun.elapsed().as_secs() < 10, "{shown} took {:?}", begun.elapsed());
        let is_told = found.iter().any(|found| ["T020", "T008", "T006"].contains(&found.code));
        // What is not refused is small enough to be searched.
        assert!(is_told || bomb == optional, "{shown}: {:?}", codes(&found));
    }
}
