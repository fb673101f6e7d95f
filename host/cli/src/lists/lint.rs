//! `tamis lists lint`: finds what is wrong with lists, taxonomy and policy, and repairs what needs no decision.

use std::io::Write as _;
use std::path::Path;

use anstyle::AnsiColor;
use serde::Serialize;
use tamis_guest::compile::{Diagnostic, Fix, Level, ListSource, PolicySource, check_honest, lint};
use tamis_host::{ListFolder, today};

use super::args::{LintArgs, LintFormat};
use super::store::{honest_text, policy_text, read_folder, write_text};
use crate::{Outcome, text};

/// Most rounds of repairs: one may show what the next repairs.
const ROUNDS_MAX: usize = 8;

#[derive(Serialize)]
struct FindingJson<'a> {
    code: &'a str,
    level: &'a str,
    path: &'a str,
    /// From 1; columns count characters.
    line: usize,
    column: usize,
    message: &'a str,
    help: &'a str,
    fix: Option<FixJson<'a>>,
}

#[derive(Serialize)]
struct FixJson<'a> {
    /// Bytes of the file.
    range: [usize; 2],
    replacement: &'a str,
}

pub(super) fn run(args: &LintArgs) -> anyhow::Result<Outcome> {
    let root = &args.folder.folder;
    let day = args.at.unwrap_or_else(today);
    let find = || -> anyhow::Result<(ListFolder, Vec<Diagnostic>)> {
        let folder = read_folder(root)?;
        let (name, policy) = policy_text(root)?;
        let mut found = folder.diagnostics.clone();
        let (policy, of_policy) = PolicySource::parse(&name, &policy);
        found.extend(of_policy);
        if let Some(policy) = policy.filter(|_| root.join("policy.toml").is_file()) {
            found.extend(policy.check(&folder.taxonomy));
        }
        found.extend(lint(&folder.sources(), &folder.taxonomy, day));
        let (name, honest) = honest_text(root)?;
        let honest = ListSource { path: &name, text: &honest };
        found.extend(check_honest(&folder.sources(), &folder.taxonomy, day, &honest));
        Ok((folder, found))
    };
    let (mut folder, mut found) = find()?;
    if args.fix {
        let mut repaired = 0;
        for _ in 0..ROUNDS_MAX {
            let done = repair(&mut folder, &found)?;
            if done == 0 {
                break;
            }
            repaired += done;
            (folder, found) = find()?;
        }
        text::note(&format!("{repaired} repaired"));
    }
    match args.format {
        LintFormat::Text => show(&folder, &found)?,
        LintFormat::Json => {
            let all: Vec<FindingJson<'_>> = found.iter().map(json).collect();
            let mut out = std::io::stdout();
            serde_json::to_writer_pretty(&mut out, &all)?;
            writeln!(out)?;
        }
    }
    Ok(if found.is_empty() { Outcome::Clean } else { Outcome::Found })
}

fn json(found: &Diagnostic) -> FindingJson<'_> {
    FindingJson {
        code: found.code,
        level: match found.level {
            Level::Error => "error",
            Level::Warning => "warning",
        },
        path: &found.path,
        line: found.line,
        column: found.column,
        message: &found.message,
        help: &found.help,
        fix: found
            .fix
            .as_ref()
            .map(|Fix { range, replacement }| FixJson { range: [range.start, range.end], replacement }),
    }
}

fn show(folder: &ListFolder, found: &[Diagnostic]) -> anyhow::Result<()> {
    let mut out = anstream::stdout();
    for one in found {
        let color = match one.level {
            Level::Error => AnsiColor::Red.on_default(),
            Level::Warning => AnsiColor::Yellow.on_default(),
        };
        writeln!(out, "{color}{one}{color:#}\n")?;
    }
    let errors = found.iter().filter(|one| one.level == Level::Error).count();
    let lists = folder.lists.len();
    let fixable = found.iter().filter(|one| one.fix.is_some()).count();
    let with_fix = if fixable > 0 { format!("; --fix repairs {fixable}") } else { String::new() };
    let count = |number: usize, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
    let (errors, warnings) = (count(errors, "error"), count(found.len() - errors, "warning"));
    writeln!(out, "{}: {errors}, {warnings}{with_fix}", count(lists, "list"))?;
    Ok(())
}

/// Makes the changes that findings propose, as far as they do not overlap; says how many.
fn repair(folder: &mut ListFolder, found: &[Diagnostic]) -> anyhow::Result<usize> {
    let mut done = 0;
    for (path, text) in &mut folder.lists {
        let mut fixes: Vec<&Fix> =
            found.iter().filter(|one| one.path == *path).filter_map(|one| one.fix.as_ref()).collect();
        if fixes.is_empty() {
            continue;
        }
        // From the end, so that places before stay where they are.
        fixes.sort_by_key(|fix| std::cmp::Reverse((fix.range.start, fix.range.end)));
        let mut start = usize::MAX;
        for fix in fixes {
            if fix.range.end <= start && text.get(fix.range.clone()).is_some() {
                text.replace_range(fix.range.clone(), &fix.replacement);
                start = fix.range.start;
                done += 1;
            }
        }
        write_text(Path::new(path), text)?;
    }
    Ok(done)
}
