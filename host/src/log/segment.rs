//! The files of one class: numbered, each begun with a line that ties it to the one before.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use crate::bundle::sha256_hex;
use crate::log::LogClass;
use crate::log::record::{Head, RECORD_VERSION};

/// What the first file of all has for the hash of the line before it.
pub(crate) const NOTHING_BEFORE: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Files of a class with their numbers, in order.
pub(crate) fn files(folder: &Path, class: LogClass) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let number = name.strip_prefix(class.name()).and_then(|rest| rest.strip_prefix('-'));
        let number = number.and_then(|rest| rest.strip_suffix(".jsonl")).and_then(|number| number.parse().ok());
        if let Some(number) = number {
            files.push((number, path));
        }
    }
    files.sort();
    Ok(files)
}

/// Calls `line` for each finished line of a file; returns how many bytes an unfinished one has at the end.
pub(crate) fn read_lines(path: &Path, mut line: impl FnMut(&[u8])) -> io::Result<u64> {
    let mut reader = BufReader::new(File::open(path)?);
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        reader.read_until(b'\n', &mut bytes)?;
        match bytes.strip_suffix(b"\n") {
            Some(finished) => line(finished),
            None => return Ok(bytes.len() as u64),
        }
    }
}

/// Appends to the newest file of a class.
#[derive(Debug)]
pub(crate) struct Segments {
    folder: PathBuf,
    class: LogClass,
    file: BufWriter<File>,
    number: u64,
    bytes: u64,
    begun: Instant,
    pub(crate) last_hash: String,
}

impl Segments {
    /// Begins a new file after those that are there. An unfinished line at the end of the last is left as it
    /// is, and stated.
    pub(crate) fn open(folder: &Path, class: LogClass) -> io::Result<Segments> {
        let files = files(folder, class)?;
        let number = files.last().map_or(1, |(number, _)| number + 1);
        let mut last_hash = None;
        let mut cut = 0;
        for (index, (_, path)) in files.iter().rev().enumerate() {
            let unfinished = read_lines(path, |line| last_hash = Some(sha256_hex(line)))?;
            if index == 0 {
                cut = unfinished;
            }
            if last_hash.is_some() {
                break;
            }
        }
        let last_hash = last_hash.unwrap_or_else(|| NOTHING_BEFORE.to_owned());
        Segments::begin(folder, class, number, cut, last_hash)
    }

    fn begin(folder: &Path, class: LogClass, number: u64, cut: u64, last_hash: String) -> io::Result<Segments> {
        let path = folder.join(format!("{}-{number:08}.jsonl", class.name()));
        let file = BufWriter::new(OpenOptions::new().append(true).create_new(true).open(path)?);
        let folder = folder.to_owned();
        let mut segments =
            Segments { folder, class, file, number, bytes: 0, begun: Instant::now(), last_hash: last_hash.clone() };
        let head = Head {
            v: RECORD_VERSION,
            kind: "head".to_owned(),
            class: class.name().to_owned(),
            file: number,
            ts: crate::clock::rfc3339(SystemTime::now()),
            cut,
            prev: last_hash,
        };
        segments.append(&serde_json::to_vec(&head)?)?;
        segments.flush()?;
        Ok(segments)
    }

    /// Appends a line, which must hold [`last_hash`](Segments::last_hash) as `prev`.
    pub(crate) fn append(&mut self, line: &[u8]) -> io::Result<()> {
        self.file.write_all(line)?;
        self.file.write_all(b"\n")?;
        self.bytes += line.len() as u64 + 1;
        self.last_hash = sha256_hex(line);
        Ok(())
    }

    /// Hands what was appended to the system.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }

    /// Waits until it is on the disk.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        self.file.flush()?;
        self.file.get_ref().sync_data()
    }

    /// Begins the next file if this one is large or old.
    pub(crate) fn rotate(&mut self, bytes_max: u64, age_max: std::time::Duration) -> io::Result<()> {
        if self.bytes < bytes_max && self.begun.elapsed() < age_max {
            return Ok(());
        }
        self.sync()?;
        let next = Segments::begin(&self.folder, self.class, self.number + 1, 0, self.last_hash.clone())?;
        *self = next;
        Ok(())
    }
}
