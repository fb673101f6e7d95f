//! Runs `cases/*.toml` by every engine. A case is data and a sentence that says why.

use std::collections::BTreeSet;
use std::path::Path;

use tamis_tests::{Case, case_files, check, read_cases, workspace};

fn run(file: &str) {
    let cases = read_cases(&workspace().join("tests/cases").join(file));
    let failed: Vec<String> = cases.iter().filter_map(|case| Some(report(case, check(case).err()?))).collect();
    assert!(failed.is_empty(), "{} of {} cases in {file} fail\n\n{}", failed.len(), cases.len(), failed.join("\n\n"));
}

fn report(case: &Case, difference: String) -> String {
    let Case { name, message, terms, why, .. } = case;
    format!("{name}: {difference}\n  message: {message:?}\n  terms: {terms:?}\n  why: {why}")
}

#[test]
fn fold() {
    run("fold.toml");
}

#[test]
fn input() {
    run("input.toml");
}

#[test]
fn links() {
    run("links.toml");
}

#[test]
fn regex() {
    run("regex.toml");
}

#[test]
fn scripts() {
    run("scripts.toml");
}

#[test]
fn sender() {
    run("sender.toml");
}

#[test]
fn syntax() {
    run("syntax.toml");
}

#[test]
fn variants() {
    run("variants.toml");
}

#[test]
fn words() {
    run("words.toml");
}

#[test]
fn every_file_of_cases_is_run() {
    let run = [
        "fold.toml",
        "input.toml",
        "links.toml",
        "regex.toml",
        "scripts.toml",
        "sender.toml",
        "syntax.toml",
        "variants.toml",
        "words.toml",
    ];
    let files = case_files();
    let names: Vec<&str> = files.iter().filter_map(|path| path.file_name()?.to_str()).collect();
    assert_eq!(names, run, "add a test for the new file, as for the others");
}

#[test]
fn positive_and_negative_cases_have_equal_weight() {
    for path in case_files() {
        let cases = read_cases(&path);
        let blocked = cases.iter().filter(|case| case.action == "block").count();
        let allowed = cases.iter().filter(|case| case.action == "allow").count();
        assert_eq!(blocked + allowed, cases.len(), "{}: an action other than block and allow", path.display());
        assert!(
            blocked.abs_diff(allowed) * 5 <= cases.len(),
            "{}: {blocked} cases block and {allowed} allow; add some of the fewer",
            path.display()
        );
    }
}

#[test]
fn names_are_unique() {
    let mut names = BTreeSet::new();
    for path in case_files() {
        let file = Path::new(path.file_name().expect("a file has a name")).display().to_string();
        for case in read_cases(&path) {
            assert!(names.insert(case.name.clone()), "{file}: `{}` is there twice; rename one", case.name);
        }
    }
}
