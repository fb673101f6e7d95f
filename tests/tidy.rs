//! The rules of the source tree that no other tool checks. Each says what to do about a breach.

use std::fs;
use std::path::{Path, PathBuf};

use tamis_tests::{case_files, read_cases, workspace};

/// Files that may hold the keyword which is denied elsewhere.
const UNCHECKED_FILES: [&str; 5] =
    ["guest/src/abi.rs", "guest/src/border.rs", "guest/src/sdk.rs", "host/src/cache.rs", "tests/allocation.rs"];
/// Files that may know the engine of the sandbox.
const ENGINE_FILES: [&str; 8] = [
    "host/src/cache.rs",
    "host/src/filter.rs",
    "host/src/instance.rs",
    "host/src/pack_image.rs",
    "host/src/runtime.rs",
    "host/src/side.rs",
    "tests/adversarial.rs",
    "tests/hostile.rs",
];

struct Source {
    /// From the workspace's folder, with `/`.
    path: String,
    text: String,
}

/// Every Rust file of ours.
fn sources() -> Vec<Source> {
    let mut paths = Vec::new();
    for folder in ["guest", "host", "tests", "benches"] {
        collect(&workspace().join(folder), &mut paths);
    }
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let path = path.strip_prefix(workspace()).expect("inside the workspace").to_string_lossy().replace('\\', "/");
        Source { path, text }
    };
    let sources: Vec<Source> = paths.into_iter().map(read).collect();
    assert!(sources.len() > 30, "{} Rust files found: the rules are looking in the wrong place", sources.len());
    sources
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("a readable folder").path();
        let name = path.file_name().expect("entries have names").to_string_lossy();
        if path.is_dir() && name != "target" && name != "node_modules" && !name.starts_with('.') {
            collect(&path, paths);
        } else if path.extension().is_some_and(|end| end == "rs") {
            paths.push(path);
        }
    }
}

/// The lines that break a rule, as `path:line: text`.
fn breaches(sources: &[Source], breaks: impl Fn(&Source, &str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        for (number, line) in source.text.lines().enumerate() {
            if breaks(source, line) {
                found.push(format!("{}:{}: {}", source.path, number + 1, line.trim()));
            }
        }
    }
    found
}

/// The line without its comment.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

fn has_word(code: &str, word: &str) -> bool {
    code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|found| found == word)
}

#[track_caller]
fn assert_none(found: &[String], rule: &str, fix: &str) {
    assert!(found.is_empty(), "\nrule: {rule}\nfix: {fix}\n\n{}\n", found.join("\n"));
}

#[test]
fn files_say_what_they_are_for() {
    let without: Vec<String> =
        sources().into_iter().filter(|source| !source.text.starts_with("//! ")).map(|source| source.path).collect();
    assert_none(
        &without,
        "a file opens with what it is for",
        "begin it with `//! `, and say what it is for and what it is not for",
    );
}

#[test]
fn no_test_is_skipped_or_expects_a_panic() {
    let found = breaches(&sources(), |_, line| {
        let line = line.trim_start();
        line.starts_with("#[ignore") || line.starts_with("#[should_panic")
    });
    assert_none(
        &found,
        "every test runs, and errors are values",
        "repair or remove the test; assert on the error instead of a panic",
    );
}

#[test]
fn unchecked_code_is_in_named_files() {
    let word = concat!("un", "safe");
    let found = breaches(&sources(), |source, line| {
        has_word(code(line), word) && !UNCHECKED_FILES.contains(&source.path.as_str())
    });
    assert_none(
        &found,
        "code that the compiler does not check is in few files",
        "do it another way, or, with its proof, add the file to UNCHECKED_FILES in tests/tidy.rs",
    );
}

#[test]
fn the_engine_of_the_sandbox_is_in_named_files() {
    let word = concat!("wasm", "time");
    let names_it = |line: &str| code(line).contains(&format!("{word}::"));
    let found = breaches(&sources(), |source, line| names_it(line) && !ENGINE_FILES.contains(&source.path.as_str()));
    assert_none(
        &found,
        "few files know the engine of the sandbox",
        "use the types of tamis-host, or add the file to ENGINE_FILES in tests/tidy.rs",
    );
    // A name in the list that is of no use any more is a door left open.
    for path in ENGINE_FILES {
        let text = fs::read_to_string(workspace().join(path)).unwrap_or_default();
        assert!(text.lines().any(names_it), "{path} does not name it: remove it from ENGINE_FILES in tests/tidy.rs");
    }
}

#[test]
fn cases_say_why() {
    let mut without = Vec::new();
    for path in case_files() {
        for case in read_cases(&path) {
            if !(case.why.trim_end().ends_with('.') && case.why.contains(' ')) || case.name.trim().is_empty() {
                without.push(format!("{}: {}", path.display(), case.name));
            }
        }
    }
    assert_none(&without, "a case has a name and a sentence that says why", "write them");
}

#[test]
fn the_tables_are_what_their_generator_writes() {
    let tables = [
        ("fold.bin", tamis_tables::fold_table()),
        ("syllables.txt", tamis_tables::syllables().into_bytes()),
        ("compile/sounds.bin", tamis_tables::sounds()),
    ];
    for (name, generated) in tables {
        let path = workspace().join("guest/src").join(name);
        let checked_in = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        // Not assert_eq: nobody reads 100,000 bytes.
        assert!(
            checked_in == generated,
            "\nrule: guest/src/{name} is what guest/tables generates\nfix: cargo fold-table, and look at the diff of the cases\n"
        );
    }
}
