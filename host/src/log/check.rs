//! Reading the log: whether its chain holds, what is too old, and what happened when. Works on the files
//! while another process writes.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::bundle::sha256_hex;
use crate::files::sync_folder;
use crate::log::LogClass;
use crate::log::record::{Event, Head, RECORD_VERSION};
use crate::log::segment::{NOTHING_BEFORE, Segments, files, read_lines};

/// How long nothing may have been written before a clock is not believed.
const IDLE_MAX: Duration = Duration::from_secs(366 * 24 * 3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Why the log cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// A file or the folder.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Another process has it open.
    #[error("another process writes the log in {}", .0.display())]
    InUse(PathBuf),
    /// By the clock nothing was written for so long that the clock is more likely wrong.
    #[error(
        "the newest record is of {newest}, more than a year before now by this clock, so nothing is deleted; if the clock is right, open the log once and it is newer"
    )]
    Clock {
        /// Its time.
        newest: String,
    },
    /// The chain is broken.
    #[error("{}, line {line}: {reason}", path.display())]
    Chain {
        /// In which file.
        path: PathBuf,
        /// Where, from 1; 0 for the file itself.
        line: u64,
        /// How.
        reason: String,
    },
}

/// What a chain that holds consists of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChainReport {
    /// Which.
    pub class: LogClass,
    /// Files.
    pub files: usize,
    /// Records, without the first lines of files.
    pub records: u64,
    /// Records that were lost when they were to be written, as the log itself says.
    pub lost: u64,
    /// Unfinished lines, where a process was ended.
    pub unfinished: u64,
    /// Hash of the last line. Kept elsewhere, it proves that nothing was cut off the end.
    pub last_hash: String,
}

/// Checks that every line follows from the one before it, in every file of every class.
///
/// # Errors
/// The first place where one does not.
pub fn verify(folder: &Path) -> Result<Vec<ChainReport>, LogError> {
    LogClass::ALL.into_iter().map(|class| verify_class(folder, class)).collect()
}

fn verify_class(folder: &Path, class: LogClass) -> Result<ChainReport, LogError> {
    let in_folder = |error| LogError::File { path: folder.to_owned(), error };
    let mut all = files(folder, class).map_err(in_folder)?;
    let mut report = ChainReport {
        class,
        files: all.len(),
        records: 0,
        lost: 0,
        unfinished: 0,
        last_hash: NOTHING_BEFORE.to_owned(),
    };
    let mut expected_number = 1;
    if let Some((next, last_hash)) = purged_before(folder, class)? {
        // What came before was deleted, and the deletion tells how it ended. Some may be there still, if it was killed.
        all.retain(|(number, _)| *number >= next);
        (expected_number, report.files, report.last_hash) = (next, all.len(), last_hash);
    }
    let mut cut_before = 0;
    for (number, path) in all {
        let broken = |line: u64, reason: &str| LogError::Chain { path: path.clone(), line, reason: reason.to_owned() };
        if number != expected_number {
            return Err(broken(0, &format!("file {expected_number} is missing")));
        }
        expected_number = number + 1;
        let (mut line_number, mut problem) = (0, None);
        let cut = read_lines(&path, |line| {
            line_number += 1;
            if problem.is_none() {
                problem =
                    check_line(line, line_number, number, cut_before, &mut report).err().map(|why| (line_number, why));
            }
        });
        let cut = cut.map_err(|error| LogError::File { path: path.clone(), error })?;
        if let Some((line, why)) = problem {
            return Err(broken(line, why));
        }
        report.unfinished += u64::from(cut > 0);
        cut_before = cut;
    }
    Ok(report)
}

fn check_line(
    line: &[u8],
    line_number: u64,
    file: u64,
    cut_before: u64,
    report: &mut ChainReport,
) -> Result<(), &'static str> {
    let value: Value = serde_json::from_slice(line).map_err(|_| "it is not JSON")?;
    if value.get("prev").and_then(Value::as_str) != Some(&report.last_hash) {
        return Err("it does not follow from the line before: something was changed, removed or put in");
    }
    if line_number == 1 {
        let head: Head = serde_json::from_value(value).map_err(|_| "a file begins with a line of the kind `head`")?;
        if head.file != file || head.class != report.class.name() || head.cut != cut_before {
            return Err("the first line is that of another file, or the end of the file before was cut off");
        }
    } else {
        report.records += 1;
        report.lost += value.get("lost").and_then(Value::as_u64).unwrap_or(0);
    }
    report.last_hash = sha256_hex(line);
    Ok(())
}

/// The first file that was left by the last deletion of that class, and the hash before it.
fn purged_before(folder: &Path, class: LogClass) -> Result<Option<(u64, String)>, LogError> {
    let in_folder = |error| LogError::File { path: folder.to_owned(), error };
    let mut found = None;
    for (_, path) in files(folder, LogClass::Purge).map_err(in_folder)? {
        let note = |line: &[u8]| {
            let value: Value = serde_json::from_slice(line).unwrap_or_default();
            let what = &value["what"];
            if what["class"] == class.name() {
                let next = what["next_file"].as_u64();
                found = next.zip(what["last_hash"].as_str().map(str::to_owned)).or(found.take());
            }
        };
        read_lines(&path, note).map_err(|error| LogError::File { path: path.clone(), error })?;
    }
    Ok(found)
}

/// How long records are kept, by class.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    decision: Duration,
    audit: Duration,
}

impl Default for Retention {
    /// 180 days for decisions and the quarantine, three years for the audit.
    fn default() -> Retention {
        Retention { decision: 180 * DAY, audit: 1096 * DAY }
    }
}

impl Retention {
    /// Shortest time that decisions may be kept.
    pub const DECISION_MIN: Duration = Duration::from_secs(90 * 24 * 3600);

    /// Keeps decisions so long, but at least 90 days.
    #[must_use]
    pub fn decisions(self, time: Duration) -> Retention {
        Retention { decision: time.max(Retention::DECISION_MIN), ..self }
    }
}

/// What was deleted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Purged {
    /// From which class.
    pub class: LogClass,
    /// Files.
    pub files: usize,
    /// Records in them.
    pub records: u64,
    /// Keys of months, whose hashes nobody can make again.
    pub keys: Vec<String>,
}

/// Deletes files whose last record is older than the retention, and keys that no kept record was made with;
/// says so in the class `purge`. Whole files only, and never the newest: records may live a day longer.
///
/// # Errors
/// If the log cannot be read or written.
pub fn purge(folder: &Path, retention: Retention, now: SystemTime) -> Result<Vec<Purged>, LogError> {
    let in_folder = |error| LogError::File { path: folder.to_owned(), error };
    check_clock(folder, now)?;
    let mut all = Vec::new();
    for (class, time) in [
        (LogClass::Decision, retention.decision),
        (LogClass::Quarantine, retention.decision),
        (LogClass::Audit, retention.audit),
    ] {
        let Some(oldest) = now.checked_sub(time) else { continue };
        let oldest_ts = crate::clock::rfc3339(oldest);
        let mut files = files(folder, class).map_err(in_folder)?;
        // The newest stays: the next one continues from it.
        files.pop();
        let mut purged = Purged { class, files: 0, records: 0, keys: Vec::new() };
        let (mut next_file, mut last_hash) = (0, String::new());
        let mut doomed = Vec::new();
        for (number, path) in files {
            let (mut last_ts, mut lines, mut hash): (String, u64, _) = (String::new(), 0, None);
            let note = |line: &[u8]| {
                let value: Value = serde_json::from_slice(line).unwrap_or_default();
                // The latest, and not the last: a clock may have been set back.
                let ts = value["ts"].as_str().unwrap_or_default();
                if *ts > *last_ts {
                    ts.clone_into(&mut last_ts);
                }
                lines += 1;
                hash = Some(sha256_hex(line));
            };
            read_lines(&path, note).map_err(|error| LogError::File { path: path.clone(), error })?;
            if last_ts >= oldest_ts {
                break;
            }
            purged.records += lines.saturating_sub(1);
            purged.files += 1;
            next_file = number + 1;
            last_hash = hash.unwrap_or(last_hash);
            doomed.push(path);
        }
        if class == LogClass::Decision {
            doomed.extend(old_keys(folder, oldest, &mut purged.keys).map_err(in_folder)?);
        }
        if doomed.is_empty() {
            continue;
        }
        // Said before it is done: what is said and not done is done the next time.
        let what = serde_json::json!({
            "class": class.name(), "files": purged.files, "records": purged.records, "keys": purged.keys,
            "next_file": (purged.files > 0).then_some(next_file), "last_hash": last_hash,
        });
        let mut segments = Segments::open(folder, LogClass::Purge).map_err(in_folder)?;
        let event = Event {
            v: RECORD_VERSION,
            kind: "purged",
            ts: crate::clock::rfc3339(now),
            host: "",
            what: &what,
            lost: 0,
            retention: "purge",
            prev: &segments.last_hash.clone(),
        };
        let line = serde_json::to_vec(&event).unwrap_or_default();
        segments.append(&line).and_then(|()| segments.sync()).map_err(in_folder)?;
        for path in doomed {
            fs::remove_file(&path).map_err(|error| LogError::File { path, error })?;
        }
        sync_folder(folder).map_err(in_folder)?;
        all.push(purged);
    }
    Ok(all)
}

/// Whether the clock can be right: what is deleted by a wrong one does not come back.
fn check_clock(folder: &Path, now: SystemTime) -> Result<(), LogError> {
    let mut newest = String::new();
    for class in LogClass::ALL {
        let files = files(folder, class).map_err(|error| LogError::File { path: folder.to_owned(), error })?;
        if let Some((_, path)) = files.last() {
            newest = newest.max(latest(path)?);
        }
    }
    let year_ago = now.checked_sub(IDLE_MAX).map(crate::clock::rfc3339).unwrap_or_default();
    if newest.is_empty() || newest >= year_ago { Ok(()) } else { Err(LogError::Clock { newest }) }
}

/// The latest time in a file.
fn latest(path: &Path) -> Result<String, LogError> {
    let mut latest = String::new();
    let note = |line: &[u8]| {
        let value: Value = serde_json::from_slice(line).unwrap_or_default();
        let ts = value["ts"].as_str().unwrap_or_default();
        if *ts > *latest {
            ts.clone_into(&mut latest);
        }
    };
    read_lines(path, note).map_err(|error| LogError::File { path: path.to_owned(), error })?;
    Ok(latest)
}

/// Keys of months that ended before `oldest`.
fn old_keys(folder: &Path, oldest: SystemTime, names: &mut Vec<String>) -> io::Result<Vec<PathBuf>> {
    let oldest_month = crate::clock::month(oldest);
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let month = name.strip_prefix("key-").and_then(|month| month.parse::<u32>().ok());
        if month.is_some_and(|month| month < oldest_month) {
            names.push(name);
            paths.push(path);
        }
    }
    Ok(paths)
}

/// Writes the records of a class from time `from` on and before `to`, both as in the records; those of one
/// decision only if it is named. Returns how many.
///
/// # Errors
/// If the log cannot be read, or `out` not written.
pub fn export(
    folder: &Path,
    class: LogClass,
    from: &str,
    to: &str,
    decision: Option<&str>,
    out: &mut dyn Write,
) -> Result<u64, LogError> {
    let in_folder = |error| LogError::File { path: folder.to_owned(), error };
    let mut count = 0;
    for (_, path) in files(folder, class).map_err(in_folder)? {
        let mut written = Ok(());
        let note = |line: &[u8]| {
            let value: Value = serde_json::from_slice(line).unwrap_or_default();
            let ts = value["ts"].as_str().unwrap_or_default();
            let is_wanted = value["kind"] != "head"
                && ts >= from
                && ts < to
                && decision.is_none_or(|wanted| value["decision"] == wanted);
            if is_wanted && written.is_ok() {
                written = out.write_all(line).and_then(|()| out.write_all(b"\n"));
                count += 1;
            }
        };
        read_lines(&path, note).map_err(|error| LogError::File { path: path.clone(), error })?;
        written.map_err(in_folder)?;
    }
    Ok(count)
}
