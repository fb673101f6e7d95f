//! `tamis lists` as moderators use it: the commands of the README, spreadsheets, other tools' files, bad input.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::PathBuf;
use std::process::{Output, Stdio};

use serde_json::Value;
use support::{Folder, tamis};

mod support;

const LIST: &str = "\
format = 1

[list]
id = \"en.custom\"

[defaults]
category = \"custom\"

# The first words.
[[group]]
name  = \"words\"
terms = '''
zorkblat
big wibble  # seen in spring
'''
";

/// A folder of lists.
fn folder_of_lists(name: &str) -> Folder {
    let folder = Folder::new(&format!("lists-{name}"));
    for (place, text) in [
        ("taxonomy.toml", include_str!("../../../wordlists/taxonomy.toml")),
        ("policy.toml", include_str!("../../../wordlists/policy.toml")),
        ("en/custom.toml", LIST),
    ] {
        folder.write(place, text);
    }
    folder
}

fn lists(args: &[&str]) -> Output {
    tamis(&[&["lists"], args].concat()).stdin(Stdio::null()).output().unwrap()
}

/// What a command says, and how it ends.
#[track_caller]
fn says(output: &Output, code: i32, parts: &[&str]) {
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{said}");
    for part in parts {
        assert!(said.contains(part), "no `{part}` in: {said}");
    }
}

/// The walk-through of the README, step by step.
#[test]
fn the_walk_through_of_the_readme() {
    let (old, new) = (folder_of_lists("walk-old"), folder_of_lists("walk-new"));
    let (before, after) = (old.path(""), new.path(""));
    let messages = new.write("messages.txt", "have a frumious day\nsend the frumious card code\nhello\n");

    // A slip is refused, with the place and what to do.
    let slip = lists(&["add", "frumious&{card|code", "--list", "en.custom", "--reason", "ticket 7", &after]);
    says(&slip, 2, &["T006", "close it with `}`", "nothing was added"]);
    assert_eq!(new.read("en/custom.toml"), LIST);

    let added = lists(&[
        "add",
        "frumious&{card|code}",
        "--list",
        "en.custom",
        "--reason",
        "ticket 7",
        "--severity",
        "3",
        &after,
    ]);
    says(&added, 0, &["en/custom.toml:17", "does not act yet"]);
    says(
        &lists(&["diff", &before, &after]),
        1,
        &["+ en.custom: `frumious&{card|code}` (custom, severity 3, shadow)", "1 added"],
    );

    // In the shadow it is counted and nothing is held.
    let preview = lists(&["preview", &before, &after, &messages]);
    says(&preview, 0, &["`frumious&{card|code}` of en.custom  (shadow)", "3 messages: 0 newly held"]);

    // To act it must have been tried.
    let text = new.read("en/custom.toml").replace("status   = \"shadow\"", "status   = \"enforce\"");
    new.write("en/custom.toml", &text);
    says(&lists(&["lint", &after]), 1, &["error[T030]: severity 3 without `hits` and `misses`"]);
    new.write("en/custom.toml", text + "hits = [\"the frumious card\"]\nmisses = [\"a frumious day\"]\n");
    says(&lists(&["lint", &after]), 0, &["1 list: 0 errors, 0 warnings"]);
    says(&lists(&["test", &after]), 0, &["1 hits and 1 misses tried, 0 failed"]);

    let preview = lists(&["preview", &before, &after, &messages]);
    says(&preview, 1, &["newly held or blocked: 1", "allow → hold", "send the frumious card code", "ns a message"]);
    says(&tamis(&["check", "--lists", &after, &messages]).output().unwrap(), 1, &["3 messages: 2 allow, 1 hold"]);
    says(&lists(&["stats", &after]), 0, &["en.custom"]);
}

/// The commands in the README are those of the test above.
#[test]
fn the_readme_names_commands_that_exist() {
    let readme = include_str!("../../../README.md");
    let start = readme.find("### Keep a list").expect("the walk-through has its heading");
    let walk = &readme[start..start + readme[start..].find("\n## ").unwrap_or(readme.len() - start)];
    let commands: Vec<&str> = walk.lines().filter_map(|line| line.strip_prefix("tamis lists ")).collect();
    for name in ["add", "diff", "preview", "lint", "test"] {
        assert!(commands.iter().any(|command| command.starts_with(name)), "no `tamis lists {name}` in the README");
    }
    for command in commands {
        let name = command.split_whitespace().next().unwrap();
        says(&lists(&[name, "--help"]), 0, &["Usage: tamis lists"]);
    }
}

#[test]
fn lint_as_json_for_editors() {
    let folder = folder_of_lists("json");
    folder.write("en/custom.toml", LIST.replace("zorkblat", "ＺＯＲＫ\nzork*blat"));
    let output = lists(&["lint", "--format", "json", &folder.path("")]);
    says(&output, 1, &[]);
    let found: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let codes: Vec<&str> = found.iter().map(|one| one["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["T052", "T006"]);
    assert_eq!(
        (&found[0]["line"], &found[0]["column"], &found[0]["fix"]["replacement"]),
        (&13.into(), &1.into(), &"ZORK".to_lowercase().into())
    );
}

#[test]
fn lint_repairs_what_needs_no_decision() {
    let folder = folder_of_lists("fix");
    let list = LIST.replace("zorkblat", "ＺＯＲＫ\nzork\u{200B}blat\nZorkBlat");
    folder.write("en/custom.toml", list);
    says(&lists(&["lint", "--fix", &folder.path("")]), 0, &["3 repaired", "0 errors, 0 warnings"]);
    assert_eq!(folder.read("en/custom.toml"), LIST.replace("zorkblat", "zork\nzorkblat"));
}

#[test]
fn the_day_decides_what_is_expired() {
    let folder = folder_of_lists("day");
    folder.write("en/custom.toml", LIST.replace("name  = ", "expires = 2027-01-31\nname  = "));
    let at = |day| lists(&["lint", "--at", day, &folder.path("")]);
    says(&at("2027-01-30"), 0, &[]);
    says(&at("2027-01-31"), 1, &["T040"]);
    says(&at("soon"), 2, &["write a day such as 2027-01-31"]);
}

#[test]
fn fmt_changes_form_and_nothing_else() {
    let folder = folder_of_lists("fmt");
    says(&lists(&["fmt", "--check", &folder.path("")]), 0, &["0 would be changed"]);
    folder.write("en/custom.toml", LIST.replace('\n', "\r\n").replace("name  = ", "name="));
    says(&lists(&["fmt", "--check", &folder.path("")]), 1, &["1 would be changed"]);
    says(&lists(&["fmt", &folder.path("")]), 0, &["1 changed"]);
    assert_eq!(folder.read("en/custom.toml"), LIST);
}

#[test]
fn shipped_lists_keep_their_meaning_in_canonical_form() {
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../../wordlists");
    let output = lists(&["fmt", "--check", shipped]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() != Some(2), "{said}");
}

#[test]
fn a_spreadsheet_and_back() {
    let (from, to) = (folder_of_lists("csv-from"), folder_of_lists("csv-to"));
    let list = LIST.replace("zorkblat", "106901234567890123\n\\*zork\\* blat")
        + "\n[[term]]\npattern = \"=wibble\"\nseverity = 3\nexpires = 2027-01-31\nreason = \"+1, \\\"x\\\"\"\nhits = [\"wibble\", \"a\\nwibble\"]\nmisses = [\"wobble\"]\n";
    from.write("en/custom.toml", list);
    let csv = to.path("all.csv");
    says(&lists(&["export", &from.path(""), "--output", &csv]), 0, &["4 terms of 1 lists"]);
    let text = to.read("all.csv");
    assert!(
        text.starts_with('\u{FEFF}') && text.contains("'106901234567890123") && text.contains("'=wibble"),
        "{text}"
    );

    // Into a folder without that list, and again: nothing is new.
    fs::remove_file(to.path("en/custom.toml")).unwrap();
    to.write("en/other.toml", LIST.replace("en.custom", "en.other"));
    says(
        &lists(&["import", &csv, "--format", "csv", &to.path("")]),
        0,
        &["4 accepted, 0 duplicate, 0 changed, 0 refused"],
    );
    says(
        &lists(&["import", &csv, "--format", "csv", &to.path("")]),
        0,
        &["0 accepted, 4 duplicate, 0 changed, 0 refused"],
    );
    fs::remove_file(to.path("en/other.toml")).unwrap();
    says(&lists(&["diff", &from.path(""), &to.path("")]), 0, &["0 added, 0 removed, 0 changed"]);

    // A short table changes what it says and leaves the rest.
    let short = to.write("short.csv", "list_id,pattern,severity\nen.custom,'=wibble,4\nen.custom,1.06901E+15,2\n");
    says(&lists(&["import", &short, "--format", "csv", &to.path("")]), 1, &["1 changed, 1 refused", "T007", "rounded"]);
    says(&lists(&["diff", &from.path(""), &to.path("")]), 1, &["severity 3 → 4", "0 added, 0 removed, 1 changed"]);
}

#[test]
fn an_import_says_what_became_of_each_line() {
    let folder = folder_of_lists("import");
    let words = folder.write("words.txt", "frumious\nZorkBlat\n\nAT&T\nb\nfrumious\n#NAME?\n");
    let args = ["import", &words, "--format", "plain", "--list", "en.custom", &folder.path("")];
    says(
        &lists(&[&args[..], &["--dry-run"]].concat()),
        1,
        &[
            "line 2: duplicate `ZorkBlat`: in en.custom already",
            "line 4: changed `AT&T`: its signs are escaped",
            "line 5: refused `b`: T011",
            "line 6: duplicate `frumious`: earlier in the file",
            "1 accepted, 2 duplicate, 1 changed, 1 refused; nothing was written",
        ],
    );
    assert_eq!(folder.read("en/custom.toml"), LIST);
    says(&lists(&args), 1, &["wrote"]);
    let written = folder.read("en/custom.toml");
    assert!(written.starts_with(LIST.trim_end()) && written.contains("status   = \"shadow\""), "{written}");
    says(&lists(&["test", &folder.path("")]), 0, &["4 terms"]);

    // A list that is not there is made.
    let args =
        ["import", &words, "--format", "ldnoobw", "--list", "de.custom", "--category", "custom", &folder.path("")];
    says(&lists(&args), 1, &["2 accepted", "de/custom.toml"]);
    says(&lists(&["lint", &folder.path("")]), 1, &["0 errors"]);
}

/// What people type who have never seen such a file; every answer says what to do.
#[test]
fn slips_of_a_moderator_are_told_with_the_remedy() {
    let folder = folder_of_lists("slips");
    let place = folder.path("");
    let add = |term: &str, rest: &[&str]| lists(&[&["add", term, "--reason", "x"], rest, &[&place]].concat());
    let custom = ["--list", "en.custom"];
    says(&add("zork", &["--list", "en.cusstom"]), 2, &["did you mean en.custom?"]);
    says(&add("zork", &["--list", "custom"]), 2, &["did you mean en.custom?"]);
    says(&add("zork", &["--list", "en.custom", "--severity", "high"]), 2, &["write 1 (mild)"]);
    says(&add("zork＆blat", &custom), 2, &["T006", "write `&` as on an English keyboard"]);
    says(&add("ZORKBLAT", &custom), 2, &["is there already with another meaning: line 13", "nothing was added"]);
    assert_eq!(folder.read("en/custom.toml"), LIST);
    says(&add("kettle、teapot", &custom), 0, &["T006", "each term on a line of its own", "added at"]);
    says(&add("dinner", &custom), 0, &["beware: it is in", "of the honest messages"]);
    says(&lists(&["lint", &folder.path("en/custom.toml")]), 2, &["give the whole folder"]);

    let head = "format = 1\n[list]\nid = \"en.custom\"\n\n";
    for (written, parts) in [
        ("[[group]]\ncategory = “custom”\nterms = 'zork'\n", &["straight quotes"][..]),
        ("【【group】】\ncategory = \"custom\"\nterms = 'zork'\n", &["English keyboard"]),
        ("[[group]]\ncategory = \"custom\nterms = 'zork'\n", &["close it with \""]),
        ("[[group]]\ncategory = \"custom\"\nterms = \'\'\'\nzork\n", &["one of the two is missing"]),
        ("[group]\ncategory = \"custom\"\nterms = 'zork'\n", &["single brackets", "write [[group]]"]),
        ("[[group]]\ncategory = \"custom\"\nterms = [\"zork\"]\n", &["one a line between \'\'\'", "1 error,"]),
        ("[[group]]\ncategory = \"custom\"\nseverity = \"3\"\nterms = 'zork'\n", &["from 1 to 4, without quotes"]),
        ("[[group]]\ncategory = \"custom\"\ncategory = \"hate\"\nterms = 'zork'\n", &["remove one of the two"]),
        ("[[term]]\ncategory = \"custom\"\npattern = \"re:\\d{4}\"\n", &["in '…' it stands for itself"]),
        ("[[term]]\ncategory = \"custom\"\npattern = 'zork'\nexpires = 31.12.2027\n", &["2027-01-31"]),
        ("[[gruop]]\ncategory = \"custom\"\nterms = 'zork'\n", &["did you mean `group`?"]),
    ] {
        folder.write("en/custom.toml", format!("{head}{written}"));
        says(&lists(&["lint", &place]), 1, parts);
    }

    // Tabs and lines of Windows are no slips, and a table parted by semicolons is one all the same.
    folder.write("en/custom.toml", format!("{head}[[group]]\r\n\tcategory = \"custom\"\r\n\tterms = 'zork'\r\n"));
    says(&lists(&["lint", &place]), 0, &["0 errors, 0 warnings"]);
    let table = folder.write("a.csv", "pattern;severity\nflumox;2\n");
    says(
        &lists(&["import", &table, "--format", "csv", "--list", "en.custom", "--category", "custom", &place]),
        0,
        &["1 accepted"],
    );
}

#[test]
fn bad_files_are_told_and_nothing_is_written() {
    let folder = folder_of_lists("bad");
    let gbk = folder.write("gbk.csv", b"pattern\n\xB6\xC4\xB2\xA9\n");
    let import = |file: &str, format: &str| {
        lists(&["import", file, "--format", format, "--list", "en.custom", &folder.path("")])
    };
    says(&import(&gbk, "csv"), 2, &["T007", "GBK"]);
    says(&import(&folder.write("a.csv", "pattern;severty\nzork;2\n"), "csv"), 2, &["names a column `severty`"]);
    says(&import(&folder.write("b.json", "{"), "discord"), 2, &["not JSON"]);
    says(&import(&folder.path("none.txt"), "plain"), 2, &["cannot read"]);
    says(&import(&folder.write("long.txt", "x".repeat(1_000_000)), "plain"), 1, &["T008", "1 refused"]);
    let word = folder.write("word.txt", "frumious\n");
    let evil = ["import", &word, "--format", "plain", "--category", "custom", "--list", "../../evil", &folder.path("")];
    says(&lists(&evil), 2, &["is no id of a list"]);
    assert_eq!(folder.read("en/custom.toml"), LIST);

    folder.write("en/custom.toml", b"format = 1\n[list]\nid = \"\xB6\xC4\"\n");
    says(&lists(&["lint", &folder.path("")]), 1, &["T007", "GBK"]);
    says(&lists(&["stats", &folder.path("")]), 2, &["T007"]);
    folder.write("en/custom.toml", "zork\0blat\n".repeat(100_000));
    says(&lists(&["lint", &folder.path("")]), 1, &["T007", "T001"]);
    says(&lists(&["lint", &folder.path("none")]), 2, &["no lists in"]);
}

#[test]
fn each_clause_has_a_row() {
    let folder = folder_of_lists("clauses");
    let list = LIST.to_owned() + "hits = [\"zorkblat, and a big wibble | here\"]\n";
    folder.write("en/custom.toml", list);
    let output = lists(&["clauses", &folder.path("")]);
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    // Categories without lists are told.
    says(&output, 1, &["clauses have no message that is caught"]);
    assert!(
        table.contains("| A:5.7(19) | 900 `custom` | en.custom | zorkblat, and a big wibble \\| here | flag |"),
        "{table}"
    );
    assert!(table.contains("| A:5.7(9) | 150 `violence.threat` | **none** | **none** |  |"), "{table}");
    assert!(table.find("| A:5.7(9) |").unwrap() < table.find("| A:5.7(10) |").unwrap(), "{table}");

    // A file of cases goes before the `hits`, and may bring words of its own for a category that ships empty.
    let cases = "[[case]]\ncategory = \"custom\"\nmessage = \"so big wibble\"\n[[case]]\ncategory = \"jurisdictional\"\n\
        terms = [\"frumious&wobble\"]\nseverity = 4\nmessage = \"a frumious wobble\"\n";
    let cases = folder.write("cases.toml", cases);
    let output = lists(&["clauses", "--cases", &cases, &folder.path("")]);
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(table.contains("| A:5.7(19) | 900 `custom` | en.custom | so big wibble | flag |"), "{table}");
    assert!(
        table.contains("| a frumious wobble (made-up words, as the operator supplies the list) | hold | `{\"list\":\"test\",\"category\":"),
        "{table}"
    );
}

/// `wordlists/CLAUSES.md` is what the command writes. With `TAMIS_BLESS=1` it is written anew; look at its diff.
#[test]
fn the_shipped_table_of_clauses_is_up_to_date() {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let path = |place: &str| root.join(place).to_str().unwrap().to_owned();
    let (wordlists, cases) = (path("wordlists"), path("tests/cases/lists-clauses.toml"));
    let mut args = vec!["clauses", &wordlists[..]];
    if root.join("tests/cases/lists-clauses.toml").exists() {
        args.extend(["--cases", &cases]);
    }
    let output = lists(&args);
    let head = "# Clauses\n\nWhich clause of the five service agreements is found by which lists, with a message that is caught and what the\n\
        policy does on its default channel. The verdict names category and clauses; the decision log keeps the match and the action,\n\
        never the text. Written by `tamis lists clauses`.\n\n";
    let table = head.to_owned() + &String::from_utf8_lossy(&output.stdout);
    if std::env::var_os("TAMIS_BLESS").is_some() {
        fs::write(root.join("wordlists/CLAUSES.md"), &table).unwrap();
    }
    let shipped = fs::read_to_string(root.join("wordlists/CLAUSES.md")).unwrap_or_default();
    assert!(shipped == table, "wordlists/CLAUSES.md is out of date: TAMIS_BLESS=1 cargo test -p tamis --test lists");
    // Every clause that a category names has its row.
    for clause in include_str!("../../../wordlists/taxonomy.toml")
        .split('"')
        .filter(|text| text.contains(":5.") || text.contains(":4.3"))
    {
        assert!(table.contains(&format!("| {clause} |")), "{clause}");
    }
}
