//! What ships, judged as it ships: `cases/lists-*.toml` with the lists, the policy and the taxonomy of
//! `wordlists/`. Not for single terms, which have hits and misses of their own.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use tamis_guest::{Message, Verdict};
use tamis_tests::{Engines, list_parts, shipped_parts, workspace};

/// One message and what the shipped lists and policy make of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What is shown when it fails; one of a kind.
    name: String,
    /// The text that is judged, as a body on the default channel.
    message: String,
    /// A category that must be among the matches.
    category: Option<String>,
    /// Terms of a test list, where the shipped list of the category is empty on purpose.
    #[serde(default)]
    terms: Vec<String>,
    /// The severity of those terms.
    severity: Option<u8>,
    action: String,
    why: String,
}

#[derive(Deserialize)]
struct CaseFile {
    case: Vec<Case>,
}

fn read(file: &str) -> Vec<Case> {
    let path = workspace().join("tests/cases").join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file: CaseFile = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    file.case
}

/// The categories of the matches of a verdict.
fn categories(engines: &Engines, verdict: &Verdict) -> BTreeSet<String> {
    let pack = engines.parts().pack.pack();
    verdict.matches.iter().map(|found| pack.category(pack.term(found.term).category).id.to_owned()).collect()
}

fn differs(case: &Case, engines: &mut Engines) -> Option<String> {
    let verdict = match engines.judge(&[Message::body(&case.message)]) {
        Ok(mut verdicts) => verdicts.remove(0),
        Err(difference) => return Some(difference),
    };
    let found = categories(engines, &verdict);
    let action = verdict.action.name();
    let has_category = case.category.as_ref().is_none_or(|category| found.contains(category));
    (action != case.action || !has_category).then(|| {
        let Case { name, message, category, action: expected, why, .. } = case;
        format!(
            "{name}: {action} for {found:?}, expected {expected} for {category:?}\n  message: {message:?}\n  why: {why}"
        )
    })
}

fn run(file: &str) {
    let cases = read(file);
    let mut shipped = Engines::new(shipped_parts());
    let failed: Vec<String> = cases
        .iter()
        .filter_map(|case| match &case.category {
            Some(category) if !case.terms.is_empty() => {
                let severity = case.severity.expect("a case with terms says how severe they are");
                differs(case, &mut Engines::new(list_parts(category, severity, &case.terms)))
            }
            _ => differs(case, &mut shipped),
        })
        .collect();
    assert!(failed.is_empty(), "{} of {} cases in {file} fail\n\n{}", failed.len(), cases.len(), failed.join("\n\n"));
}

#[test]
fn clauses() {
    run("lists-clauses.toml");
}

#[test]
fn protected() {
    run("lists-protected.toml");
}

#[test]
fn every_category_has_a_message_in_two_languages() {
    let parts = shipped_parts();
    let pack = parts.pack.pack();
    let cases = read("lists-clauses.toml");
    let few: Vec<&str> = (0..pack.categories_count())
        .map(|index| pack.category(index).id)
        .filter(|id| cases.iter().filter(|case| case.category.as_deref() == Some(id)).count() < 2)
        .collect();
    assert!(few.is_empty(), "add messages to tests/cases/lists-clauses.toml for {few:?}");
}

#[test]
fn every_category_has_a_list_in_english_and_chinese() {
    let parts = shipped_parts();
    let pack = parts.pack.pack();
    let missing: Vec<String> = (0..pack.categories_count())
        .flat_map(|index| ["en", "zh"].map(|lang| format!("{lang}/{}.toml", pack.category(index).id)))
        .filter(|list| !workspace().join("wordlists").join(list).is_file())
        .collect();
    assert!(missing.is_empty(), "no such list: {missing:?}");
}

#[test]
fn names_are_unique_and_cases_say_why() {
    let mut names = BTreeSet::new();
    for file in ["lists-clauses.toml", "lists-protected.toml"] {
        for case in read(file) {
            assert!(case.why.ends_with('.') && case.why.contains(' '), "{file}: {}: say why", case.name);
            assert!(names.insert(case.name.clone()), "{file}: `{}` is there twice; rename one", case.name);
        }
    }
}

#[test]
fn every_file_of_list_cases_is_run() {
    let folder = workspace().join("tests/cases");
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<String> = entries
        .map(|entry| entry.expect("a readable folder").file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with("lists-") && Path::new(name).extension().is_some_and(|end| end == "toml"))
        .collect();
    files.sort();
    assert_eq!(files, ["lists-clauses.toml", "lists-protected.toml"], "add a test for the new file, as for the others");
}
