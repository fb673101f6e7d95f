//! What ships, judged as it ships: `cases/lists-*.toml` with the lists, the policy and the taxonomy of
//! `wordlists/`. Not for single terms, which have hits and misses of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde::Deserialize;
use tamis_guest::{Action, Message, Verdict};
use tamis_tests::{Engines, list_parts, shipped_lists_alone, shipped_parts, workspace};

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

/// A message that lists and model were not written with.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Unseen {
    /// `unwanted` or `wanted`.
    is: String,
    text: String,
}

#[derive(Deserialize)]
struct UnseenFile {
    message: Vec<Unseen>,
}

/// Judges the messages of a file, of which half are unwanted. Checks that as many of these are flagged and held, and that
/// of the others no more are flagged and none held.
fn tell_unseen(file: &str, half: usize, flagged_min: usize, held_min: usize, alarms_max: usize) {
    let text = fs::read_to_string(workspace().join("tests/cases").join(file)).expect("a file of messages");
    let messages: UnseenFile = toml::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
    let mut shipped = Engines::new(shipped_parts());
    let mut actions: BTreeMap<&str, Vec<(Action, &str)>> = BTreeMap::new();
    for message in &messages.message {
        let verdict =
            shipped.judge(&[Message::body(&message.text)]).unwrap_or_else(|error| panic!("{error}")).remove(0);
        actions.entry(&message.is).or_default().push((verdict.action, &message.text));
    }
    let those = |is: &str, from: Action| actions[is].iter().filter(|(action, _)| *action >= from).collect::<Vec<_>>();
    assert_eq!((actions["unwanted"].len(), actions["wanted"].len()), (half, half), "{file}");
    let (flagged, held) = (those("unwanted", Action::Flag).len(), those("unwanted", Action::Hold).len());
    assert!(flagged >= flagged_min && held >= held_min, "{file}: {flagged} of {half} are flagged, {held} are held");
    let alarms = those("wanted", Action::Flag);
    assert!(alarms.len() <= alarms_max && those("wanted", Action::Hold).is_empty(), "{file}: {alarms:?}");
}

/// The least are what was measured, less a few: what is learnt next may differ a little. False alarms may not.
#[test]
fn most_of_what_nobody_has_seen_is_told_right() {
    tell_unseen("lists-unseen.toml", 30, 27, 24, 0);
    // The two are flagged by terms of lists: a toll that somebody paid, and shoes at half price.
    tell_unseen("lists-newer.toml", 60, 51, 46, 2);
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
    let run = ["lists-clauses.toml", "lists-newer.toml", "lists-protected.toml", "lists-unseen.toml"];
    assert_eq!(files, run, "add a test for the new file, as for the others");
}

#[test]
fn no_real_sms_is_held() {
    let path = workspace().join("tests/data/sms.jsonl");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let ham: Vec<Labelled> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        .filter(|line: &Labelled| line.label == "ham")
        .collect();
    let messages: Vec<Message<'_>> = ham.iter().map(|line| Message::body(&line.text)).collect();
    let verdicts = Engines::new(shipped_parts()).judge(&messages).unwrap_or_else(|difference| panic!("{difference}"));
    let held: Vec<&str> = ham
        .iter()
        .zip(&verdicts)
        .filter(|(_, verdict)| verdict.action >= Action::Hold)
        .map(|(line, _)| &*line.text)
        .collect();
    assert!(ham.len() > 300, "{} messages are ham", ham.len());
    assert!(held.is_empty(), "held: {held:#?}");
}

/// What the lists were written for stays found. Prints how many of each kind are flagged or more.
#[test]
fn messages_written_for_the_lists_are_found() {
    let path = workspace().join("tests/data/written.jsonl");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let lines: Vec<Labelled> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        .collect();
    let mut engines = Engines::new(shipped_lists_alone());
    let mut kinds: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for line in &lines {
        let verdict = engines.judge(&[Message::body(&line.text)]).unwrap_or_else(|difference| panic!("{difference}"));
        let (all, found) = kinds.entry(&line.label).or_default();
        *all += 1;
        *found += usize::from(verdict[0].action >= Action::Flag);
    }
    assert!(kinds.len() == 11 && lines.len() > 450, "{} messages of {} kinds", lines.len(), kinds.len());
    for (kind, (all, found)) in kinds {
        println!("| {kind} | {all} | {} |", percent(found, all));
        assert!(found * 100 >= all * 90, "{kind}: {found} of {all} are found");
    }
}

/// One line of a data set; sets have other keys besides.
#[derive(Deserialize)]
struct Labelled {
    text: String,
    label: String,
    /// A finer label, where there is one.
    cat: Option<String>,
    /// What a test suite tries with this line.
    func: Option<String>,
}

/// How many messages of one kind there are, and how many the shipped policy does not let through.
#[derive(Default)]
struct Count {
    messages: usize,
    marked: usize,
    marked_for_vulgar_words_only: usize,
    held: usize,
    /// By lists and model together.
    held_with_model: usize,
}

/// A data set: folder, label that counts (or any), whether to tell by functionality, and the most that may be held,
/// in messages of a hundred thousand.
type Set = (&'static str, Option<&'static str>, bool, Option<usize>);

const SETS: [Set; 17] = [
    ("en_sms_nus_ham", None, false, Some(100)),
    ("zh_sms_nus_ham", None, false, Some(100)),
    ("en_sms_uci", Some("ham"), false, Some(100)),
    ("en_sms_mendeley_smishing", Some("ham"), false, Some(100)),
    ("benign_en_books", None, false, Some(20)),
    ("benign_en_sgd", None, false, Some(20)),
    ("ev_scunthorpe", None, false, Some(100)),
    ("zh_cold", Some("ok"), false, None),
    ("zh_cold", Some("offensive"), false, None),
    ("en_sms_uci", Some("spam"), false, None),
    ("en_sms_mendeley_smishing", Some("smishing"), false, None),
    ("en_sms_mendeley_smishing", Some("spam"), false, None),
    ("en_hatecheck", Some("non-hateful"), true, Some(10_000)),
    ("en_hatecheck", Some("hateful"), true, None),
    ("zh_hatecheck", Some("non-hateful"), true, Some(10_000)),
    ("zh_hatecheck", Some("hateful"), true, None),
    ("ml_hatecheck", Some("non-hateful"), false, Some(10_000)),
];

/// Functionalities of hateless sentences that are no speech about groups: insults of one person, of things, of
/// professions. What holds them there is not hate.
const NOT_OF_GROUPS: [&str; 3] = ["target_indiv_nh", "target_obj_nh", "target_group_nh"];

/// Prints the figures of `wordlists/README.md`. Runs only where `TAMIS_DATA` names the folder of the data sets: most
/// may not be shipped.
#[test]
fn figures_on_the_data_that_tamis_data_names() {
    let Some(folder) = std::env::var_os("TAMIS_DATA") else { return };
    let mut engines = Engines::new(shipped_lists_alone());
    let mut with_model = Engines::new(shipped_parts());
    let mut over = Vec::new();
    println!(
        "| data set | messages | flag or stronger | of these for vulgar words alone | hold or stronger | with the model |"
    );
    println!("|---|---:|---:|---:|---:|---:|");
    for (set, label, by_function, held_max) in SETS {
        let path = Path::new(&folder).join(set).join("dev.jsonl");
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let lines: Vec<Labelled> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
            .filter(|line: &Labelled| label.is_none_or(|label| line.cat.as_ref().unwrap_or(&line.label) == label))
            .collect();
        assert!(!lines.is_empty(), "{}: no line has the label {label:?}", path.display());

        let mut counts: BTreeMap<String, Count> = BTreeMap::new();
        for batch in lines.chunks(200) {
            let messages: Vec<Message<'_>> = batch.iter().map(|line| Message::body(&line.text)).collect();
            let verdicts = engines.judge(&messages).unwrap_or_else(|difference| panic!("{difference}"));
            let with_model = with_model.judge(&messages).unwrap_or_else(|difference| panic!("{difference}"));
            for ((line, verdict), with_model) in batch.iter().zip(&verdicts).zip(&with_model) {
                let function = line.func.clone().filter(|_| by_function).unwrap_or_default();
                let count = counts.entry(function).or_default();
                count.messages += 1;
                count.marked += usize::from(verdict.action >= Action::Flag);
                count.held += usize::from(verdict.action >= Action::Hold);
                count.held_with_model += usize::from(with_model.action >= Action::Hold);
                let vulgar = verdict.action >= Action::Flag
                    && categories(&engines, verdict).iter().all(|category| category == "profanity");
                count.marked_for_vulgar_words_only += usize::from(vulgar);
            }
        }
        for (function, count) in counts {
            let Count { messages, marked, marked_for_vulgar_words_only, held, held_with_model } = count;
            let name = [Some(set), label, (!function.is_empty()).then_some(&*function)];
            let name = name.into_iter().flatten().collect::<Vec<_>>().join(", ");
            println!(
                "| {name} | {messages} | {} | {} | {} | {} |",
                percent(marked, messages),
                percent(marked_for_vulgar_words_only, messages),
                percent(held, messages),
                percent(held_with_model, messages)
            );
            let counts_here = !NOT_OF_GROUPS.contains(&&*function);
            let held = held.max(held_with_model);
            if held_max.is_some_and(|most| counts_here && held * 100_000 > messages * most) {
                over.push(name);
            }
        }
    }
    assert!(over.is_empty(), "more is held than may be: {over:?}");
}

/// With two places, rounded up, so that what is not nothing does not look like it.
fn percent(part: usize, whole: usize) -> String {
    let hundredths = (part * 10_000).div_ceil(whole.max(1));
    format!("{}.{:02} %", hundredths / 100, hundredths % 100)
}
