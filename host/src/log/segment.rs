//! The files of one class: numbered, each begun with a line that ties it to the one before.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use crate::bundle::sha256_hex;
use crate::files::sync_folder;
use crate::log::LogClass;
use crate::log::record::{Head, RECORD_VERSION};

/// How much waits for a disk that takes nothing before records are lost.
const WAITING_BYTES_MAX: usize = 1 << 20;
/// How much is handed to the system at once, and the rest of a line.
const WRITE_BYTES: usize = 8 << 10;
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
    /// `None` until the disk has taken the first line.
    file: Option<File>,
    head: Vec<u8>,
    number: u64,
    /// Bytes of whole lines in the file.
    bytes: u64,
    /// Whether half a line may be behind them, of a write that failed.
    is_torn: bool,
    /// Lines that are not in the file yet, and how many.
    waiting: Vec<u8>,
    pub(crate) waiting_lines: u64,
    begun: Instant,
    pub(crate) last_hash: String,
}

impl Segments {
    /// A new file after those that are there, begun by the first [`flush`](Segments::flush) for which there is room. An
    /// unfinished line at the end of the last is left as it is, and stated.
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
        Ok(Segments::next(folder, class, number, cut, last_hash))
    }

    fn next(folder: &Path, class: LogClass, number: u64, cut: u64, prev: String) -> Segments {
        let head = Head {
            v: RECORD_VERSION,
            kind: "head".to_owned(),
            class: class.name().to_owned(),
            file: number,
            ts: crate::clock::rfc3339(SystemTime::now()),
            cut,
            prev,
        };
        let mut head = serde_json::to_vec(&head).unwrap_or_default();
        let last_hash = sha256_hex(&head);
        head.push(b'\n');
        Segments {
            folder: folder.to_owned(),
            class,
            file: None,
            head,
            number,
            bytes: 0,
            is_torn: false,
            waiting: Vec::new(),
            waiting_lines: 0,
            begun: Instant::now(),
            last_hash,
        }
    }

    /// Begins the file if it is not yet.
    fn begin(&mut self) -> io::Result<()> {
        if self.file.is_some() {
            return Ok(());
        }
        let path = self.folder.join(format!("{}-{:08}.jsonl", self.class.name(), self.number));
        let mut file = OpenOptions::new().append(true).create_new(true).open(&path)?;
        let begun = file.write_all(&self.head).and_then(|()| sync_folder(&self.folder));
        if begun.is_err() {
            // Tried again with the same number.
            let _ = fs::remove_file(path);
        } else {
            self.bytes = self.head.len() as u64;
            self.file = Some(file);
        }
        begun
    }

    /// Appends a line, which must hold [`last_hash`](Segments::last_hash) as `prev`. After an error it is as if nobody
    /// had tried.
    pub(crate) fn append(&mut self, line: &[u8]) -> io::Result<()> {
        if self.waiting.len() + line.len() > WAITING_BYTES_MAX {
            self.flush()?;
        }
        self.waiting.extend_from_slice(line);
        self.waiting.push(b'\n');
        self.waiting_lines += 1;
        self.last_hash = sha256_hex(line);
        Ok(())
    }

    /// Hands what was appended to the system. What it does not take waits, and no half line stays behind.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.begin()?;
        let Some(file) = &mut self.file else { return Ok(()) };
        if self.is_torn {
            file.set_len(self.bytes)?;
            self.is_torn = false;
        }
        let mut from = 0;
        let mut written = Ok(());
        while from < self.waiting.len() && written.is_ok() {
            // Some whole lines at a time: of a disk with little room, all of it is used.
            let least = (from + WRITE_BYTES).min(self.waiting.len()) - 1;
            let rest = self.waiting[least..].iter().position(|&byte| byte == b'\n').unwrap_or_default();
            let lines = &self.waiting[from..=least + rest];
            written = file.write_all(lines);
            if written.is_ok() {
                from += lines.len();
                self.bytes += lines.len() as u64;
                self.waiting_lines -= lines.iter().filter(|&&byte| byte == b'\n').count() as u64;
            }
        }
        self.waiting.drain(..from);
        if written.is_err() {
            self.is_torn = file.set_len(self.bytes).is_err();
        }
        written
    }

    /// Waits until it is on the disk.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        self.flush()?;
        self.file.as_ref().map_or(Ok(()), File::sync_data)
    }

    /// Begins the next file if this one is large or old.
    pub(crate) fn rotate(&mut self, bytes_max: u64, age_max: std::time::Duration) -> io::Result<()> {
        if self.bytes + (self.waiting.len() as u64) < bytes_max && self.begun.elapsed() < age_max {
            return Ok(());
        }
        self.sync()?;
        *self = Segments::next(&self.folder, self.class, self.number + 1, 0, self.last_hash.clone());
        self.flush()
    }
}
