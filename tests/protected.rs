//! Names that only the operator may bear: what looks like one waits for a person, in account names alone. Not for names
//! in the lists that ship; those have cases of their own.

use std::fs;

use tamis_guest::compile::{Date, Level, ListSource, PolicySource, Taxonomy, compile_with};
use tamis_guest::{Action, Field, Message};
use tamis_host::{Defaults, LoadError, Parts, Sources};
use tamis_tests::{Engines, blocking_parts, module, pack_of, runtime, workspace};

const PROTECTED: &str = r#"
[protected]
names    = ["Tamis", "AT&T", "Zork Blat", "塔米斯", "re:zork"]
official = ["official", "support", "help", "team", "客服", "官方"]
own      = ["Tamis Support", "AT&T ~ Help (EU)", "from:uid-1001"]
"#;

fn shipped(file: &str) -> String {
    let path = workspace().join("wordlists").join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The shipped policy with other names protected, and a list of one term.
fn parts(protected: &str) -> Parts {
    let (taxonomy, _) = Taxonomy::parse("taxonomy.toml", &shipped("taxonomy.toml"));
    let text = shipped("policy.toml") + protected;
    let (policy, found) = PolicySource::parse("policy.toml", &text);
    assert!(found.is_empty(), "{found:?}");
    let policy = policy.expect("a policy without findings is usable");
    let list = "format = 1\n[list]\nid = \"en.custom\"\n[[group]]\ncategory = \"custom\"\nterms = \"frumious\"\n";
    let sources = [ListSource { path: "list.toml", text: list }];
    let (pack, found) = compile_with(&sources, policy.protected(), &taxonomy, Date::from_unix_seconds(0), None);
    assert!(found.iter().all(|found| found.level != Level::Error), "{found:?}");
    let parts = blocking_parts(pack);
    let pack = parts.pack.pack();
    assert!(policy.protected().is_in(&pack));
    let categories: Vec<&str> = (0..pack.categories_count()).map(|index| pack.category(index).id).collect();
    Parts { policy: policy.resolve(&categories), failure: policy.failure_policies(), ..parts }
}

#[test]
fn what_looks_like_a_protected_name_waits_for_a_person() {
    use Action::{Allow, Hold};
    const NAMES: [(&str, &str, Action, &str); 37] = [
        ("Tamis", "", Hold, "the name itself"),
        ("Tаmis Suppоrt", "", Hold, "two letters are Cyrillic"),
        ("Tamis_Official", "", Hold, "the name is a word of its own"),
        ("TamisSupp0rt", "", Hold, "glued to what makes it official, with a digit for a letter"),
        ("supporttamis", "", Hold, "the other way round"),
        ("TheTamisTeam2", "", Hold, "glued on both sides"),
        ("Tamis 客服", "", Hold, "official in another language"),
        ("tamis客服", "", Hold, "Han letters end the word"),
        ("T.a.m.i.s", "", Hold, "letters apart"),
        ("𝐓𝐚𝐦𝐢𝐬", "", Hold, "another style of letters"),
        ("Tamis888", "", Hold, "a number behind it makes no other name"),
        ("TÁMIS", "", Hold, "an accent more"),
        ("t4m1s", "", Hold, "digits for letters"),
        ("塔米斯客服", "", Hold, "Han needs no boundaries"),
        ("塔 米 斯", "", Hold, "spaces between Han"),
        ("zork blat", "", Hold, "a name of two words"),
        ("Z0rk-Blat Help", "", Hold, "a name of two words, otherwise written"),
        ("AT&T", "", Hold, "a sign of the term syntax is a letter of the name"),
        ("re:zork", "", Hold, "a name that begins as an expression would"),
        ("Tamis Support", "", Allow, "the operator's own name to the letter"),
        ("tamis support", "", Allow, "in any case"),
        ("AT&T ~ Help (EU)", "", Allow, "own names hold any signs"),
        ("Tamis Suppоrt", "", Hold, "an own name with one letter of Cyrillic is no own name"),
        ("Tamis Support 2", "", Hold, "more than the own name"),
        ("Tamis  Support", "", Hold, "a space more than the own name"),
        ("Tamis Help", "uid-1001", Allow, "an account of the operator's own, by its number"),
        ("Tamis Help", "uid-10011", Hold, "another number"),
        ("tamisha", "", Allow, "the name is part of another"),
        ("Artamis", "", Allow, "the name is part of another"),
        ("tamisa support", "", Allow, "the name is part of another, and not glued to a word"),
        ("Thomas", "", Allow, "another name"),
        ("t am is", "", Allow, "three short words"),
        ("at the tee", "", Allow, "no sign between"),
        ("塔米", "", Allow, "half of the name"),
        ("Support Team", "", Allow, "official words alone are for the lists to judge"),
        ("Zorkblatter", "", Allow, "the name is part of another"),
        ("任意门", "", Allow, "another name"),
    ];
    let mut engines = Engines::new(parts(PROTECTED));
    let mut wrong = Vec::new();
    for (name, sender, action, why) in NAMES {
        let message = Message { field: Field::Name, sender: sender.as_bytes(), ..Message::body(name) };
        let verdict = engines.judge(&[message]).unwrap_or_else(|difference| panic!("{difference}")).remove(0);
        if verdict.action != action {
            wrong.push(format!("{name}: {} instead of {}: {why}", verdict.action.name(), action.name()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_match_says_which_name_and_what_it_is() {
    let mut engines = Engines::new(parts(PROTECTED));
    let message = Message { field: Field::Name, ..Message::body("my TamisSupp0rt") };
    let verdict = engines.judge(&[message]).expect("the engines agree").remove(0);
    let pack = engines.parts().pack.pack();
    let found = pack.term(verdict.matches[0].term);
    assert_eq!(
        (found.text, found.list, pack.category(found.category).id),
        ("Tamis", "policy.protected", "fraud.impersonation")
    );
    assert_eq!((verdict.matches[0].span.start, verdict.matches[0].span.end), (3, 15));
}

#[test]
fn messages_may_name_whom_they_like() {
    let mut engines = Engines::new(parts(PROTECTED));
    for field in [Field::Body, Field::Upload] {
        let message = Message { field, ..Message::body("Tamis support has answered my question, AT&T has not") };
        assert_eq!(engines.judge(&[message]).expect("the engines agree")[0].action, Action::Allow);
    }
}

#[test]
fn a_pack_without_the_names_is_refused() {
    let folder = std::env::temp_dir().join(format!("tamis-protected-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a writable folder");
    let path = folder.join("policy.toml");
    fs::write(&path, shipped("policy.toml") + PROTECTED).expect("a writable file");
    let (policy, _) = PolicySource::parse("policy.toml", &shipped("policy.toml"));
    let policy = policy.expect("the shipped policy is usable");
    let defaults = Defaults { module: module(), pack: blocking_parts(pack_of("unused")).pack, policy };
    let load = |lists| {
        let sources = Sources { lists, policy: Some(path.clone()), ..Sources::default() };
        sources.load(runtime(), &defaults, &defaults.module)
    };
    assert!(matches!(load(None), Err(LoadError::Unprotected)), "a pack that was made before knows no such names");
    let loaded = load(Some(workspace().join("wordlists"))).unwrap_or_else(|error| panic!("{error}"));
    assert!(loaded.policy.protected().is_in(&loaded.parts.pack.pack()));
    fs::remove_dir_all(&folder).expect("a writable folder");
}
