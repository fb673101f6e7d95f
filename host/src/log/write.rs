//! Writing the log, on a thread of its own.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use tamis_guest::{Action, Message};

use crate::bundle::{FollowEvent, Trying};
use crate::files::{lock, private_folder, write_whole};
use crate::log::LogClass;
use crate::log::check::LogError;
use crate::log::record::{Event, Noted, NotedMessage, NotedPoison, RECORD_VERSION};
use crate::log::segment::Segments;
use crate::{Generation, Judged, ScanFailure};

/// How often what was written is brought to the disk.
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// How often it is told that the disk takes nothing.
const FAILURE_TOLD_EVERY: Duration = Duration::from_secs(60);
/// Most records between two flushes to the system.
const FLUSH_EVERY: usize = 1024;
const KEY_BYTES: usize = 32;
/// Longest name of a message that is kept, in characters.
const REFERENCE_CHARS_MAX: usize = 200;

/// Whether the text of a message is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LoggedText {
    /// Never.
    Nothing,
    /// Of messages that are held or blocked. Whoever turns this on must keep the log as they keep messages.
    HeldAndBlocked,
}

/// Whether a message in quarantine is written with its record, so that its failure can be repeated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum QuarantinedBytes {
    /// Never.
    Nothing,
    /// So many bytes of it. Whoever turns this on must keep the log as they keep messages.
    UpTo(usize),
}

/// What follows if there is no room for the log when it is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WithoutRoom {
    /// It is open, tries again every second, and counts what is lost until then. The filter does not wait for it.
    GoOn,
    /// An error: nothing is to be decided without a record.
    Fail,
}

/// What only the caller knows of a message.
#[derive(Clone, Copy, Default, Debug)]
pub struct Reference<'a> {
    /// What the caller calls it, written as it is: by this a complaint finds its record.
    pub id: &'a str,
    /// Who it is to; its keyed hash is written.
    pub recipient: &'a [u8],
}

/// How the log is written.
#[derive(Clone, Debug)]
pub struct LogConfig {
    /// Its folder; one process writes to it.
    pub folder: PathBuf,
    /// Name of this host, for the records.
    pub host: String,
    /// Of messages that were allowed without any match, one in so many is written; none if 0. Default 0.
    pub clean_every: u64,
    /// Whether the text is written. Default: never.
    pub text: LoggedText,
    /// Whether messages in quarantine are written. Default: never.
    pub quarantined_bytes: QuarantinedBytes,
    /// How many messages are put in quarantine a day. Default 1000; those beyond are counted as lost.
    pub quarantined_max: u64,
    /// How many records may wait. Default 8192; those beyond are lost and counted.
    pub queue_max: usize,
    /// Size at which a file is ended. Default 64 MiB.
    pub file_bytes_max: u64,
    /// Age at which a file is ended. Default one day.
    pub file_age_max: Duration,
    /// What follows if there is no room when it is opened: a disk that is full or can only be read. Default: it goes on.
    pub without_room: WithoutRoom,
}

impl LogConfig {
    /// The defaults.
    #[must_use]
    pub fn new(folder: &Path) -> LogConfig {
        LogConfig {
            folder: folder.to_owned(),
            host: "tamis".to_owned(),
            clean_every: 0,
            text: LoggedText::Nothing,
            quarantined_bytes: QuarantinedBytes::Nothing,
            quarantined_max: 1000,
            queue_max: 8192,
            file_bytes_max: 64 << 20,
            file_age_max: Duration::from_secs(24 * 3600),
            without_room: WithoutRoom::GoOn,
        }
    }
}

/// How the log is doing.
#[derive(Clone, Debug, Default)]
pub struct LogCounts {
    /// Records written.
    pub written: Arc<AtomicU64>,
    /// Records lost, because the queue was full, the disk failed, or it was too much for the quarantine.
    pub lost: Arc<AtomicU64>,
    /// Records that wait.
    pub queued: Arc<AtomicU64>,
    /// Whether the disk takes nothing now.
    pub is_failing: Arc<AtomicBool>,
}

/// The log. Share it between threads; what was noted is written before it is dropped.
#[derive(Debug)]
pub struct Log {
    sender: Option<SyncSender<Item>>,
    thread: Option<JoinHandle<()>>,
    counts: LogCounts,
    key: Arc<ArcSwap<Key>>,
    config: LogConfig,
    clean: AtomicU64,
    ids: Ids,
}

#[derive(Debug)]
enum Item {
    Decision(Box<Noted>),
    Poison(Box<NotedPoison>),
    Event(&'static str, SystemTime, serde_json::Value),
}

/// The key of a month.
struct Key {
    month: u32,
    bytes: [u8; KEY_BYTES],
    /// Whether it is on the disk.
    is_kept: bool,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").field("month", &self.month).finish_non_exhaustive()
    }
}

impl Log {
    /// Opens the log and begins new files.
    ///
    /// # Errors
    /// If the folder cannot be used, or another process writes to it; if there is no room for it, only where
    /// [`LogConfig::without_room`] says so.
    pub fn open(config: &LogConfig) -> Result<Log, LogError> {
        let failed = |error| LogError::File { path: config.folder.clone(), error };
        let now = SystemTime::now();
        let goes_on = |error: &LogError| {
            matches!(error, LogError::File { error, .. } if is_no_room(error))
                && config.without_room == WithoutRoom::GoOn
        };
        let (files, key, mut problem) = match Files::open(config).and_then(|mut files| {
            let key = read_key(&config.folder, now).map_err(failed)?;
            let begun = files.of_all(Segments::flush).map_err(failed);
            Ok((files, key, begun.err()))
        }) {
            Ok((files, Some(key), problem)) => (Some(files), key, problem),
            Ok((files, None, problem)) => {
                let mut key = Key::new(now).map_err(failed)?;
                let kept = key.keep(&config.folder).map_err(failed);
                (Some(files), key, problem.or(kept.err()))
            }
            Err(error) if goes_on(&error) => (None, Key::new(now).map_err(failed)?, Some(error)),
            Err(error) => return Err(error),
        };
        if let Some(error) = problem.take_if(|error| !goes_on(error)) {
            return Err(error);
        }
        let (key, counts) = (Arc::new(ArcSwap::from_pointee(key)), LogCounts::default());
        let (sender, items) = mpsc::sync_channel(config.queue_max);
        let mut writer = Writer {
            files,
            quarantined: (0, 0),
            config: config.clone(),
            counts: counts.clone(),
            key: key.clone(),
            lost_told: 0,
            failure_told: None,
        };
        if let Some(error) = problem {
            writer.failed(&error);
        }
        let thread = thread::Builder::new().name("tamis-log".to_owned()).spawn(move || writer.run(&items));
        let thread = Some(thread.map_err(failed)?);
        let clean = AtomicU64::new(0);
        let ids = Ids::new().map_err(failed)?;
        Ok(Log { sender: Some(sender), thread, counts, key, config: config.clone(), clean, ids })
    }

    /// How it is doing.
    #[must_use]
    pub fn counts(&self) -> LogCounts {
        self.counts.clone()
    }

    /// Notes a verdict, given by `generation`: [`Worker::generation_of`](crate::Worker::generation_of). Costs about a
    /// microsecond for those that are written, and never waits.
    pub fn note(&self, generation: &Arc<Generation>, message: &Message<'_>, judged: &Judged) {
        self.note_of(generation, message, judged, Reference::default());
    }

    /// As [`note`](Log::note), with what only the caller knows.
    pub fn note_of(
        &self,
        generation: &Arc<Generation>,
        message: &Message<'_>,
        judged: &Judged,
        reference: Reference<'_>,
    ) {
        let verdict = &judged.verdict;
        let sides: Vec<_> = judged.sides.iter().filter(|said| said.says_something()).cloned().collect();
        let is_clean = verdict.matches.is_empty()
            && verdict.shadow.is_empty()
            && judged.failure.is_none()
            && judged.would_be.is_none()
            && sides.is_empty();
        if verdict.action == Action::Allow && is_clean {
            let every = self.config.clean_every;
            if every == 0 || !self.clean.fetch_add(1, Ordering::Relaxed).is_multiple_of(every) {
                return;
            }
        }
        self.note_poison(generation, message, judged, reference);
        let key = self.key.load();
        let text = match self.config.text {
            LoggedText::HeldAndBlocked if verdict.action >= Action::Hold => {
                Some(String::from_utf8_lossy(message.text).into_owned())
            }
            _ => None,
        };
        self.send(Item::Decision(Box::new(Noted {
            message: self.noted_message(generation, message, reference),
            verdict: verdict.clone(),
            would_be: judged.would_be,
            failure: judged.failure.as_ref().map(ToString::to_string),
            sides,
            strikes: judged.strikes,
            flood: judged.flood,
            sender_hmac: (!message.sender.is_empty()).then(|| key.hash(message.sender)),
            recipient_hmac: (!reference.recipient.is_empty()).then(|| key.hash(reference.recipient)),
            text,
        })));
    }

    /// Puts a message in quarantine, for each filter that failed on it.
    fn note_poison(
        &self,
        generation: &Arc<Generation>,
        message: &Message<'_>,
        judged: &Judged,
        reference: Reference<'_>,
    ) {
        let of_sides = judged.sides.iter().filter_map(|said| {
            // One that was not asked has nothing to do with this message.
            let failure = said.failure.as_ref().filter(|failure| **failure != ScanFailure::Resting)?;
            Some((Some(said.module.clone()), failure, said.action))
        });
        let of_filter = judged.failure.iter().map(|failure| {
            let action = generation.failure_action(message.channel);
            (None, failure, action)
        });
        for (side, failure, action) in of_filter.chain(of_sides) {
            let bytes = match self.config.quarantined_bytes {
                QuarantinedBytes::Nothing => None,
                QuarantinedBytes::UpTo(most) => Some(message.text[..message.text.len().min(most)].to_vec()),
            };
            self.send(Item::Poison(Box::new(NotedPoison {
                message: self.noted_message(generation, message, reference),
                side,
                failure: failure.clone(),
                action,
                bytes,
            })));
        }
    }

    /// Notes what a follower has to tell. Waits for room, so that no flood of verdicts hides a swap: not for threads
    /// that scan.
    pub fn note_event(&self, event: &FollowEvent) {
        use serde_json::json;
        let (kind, what) = match event {
            FollowEvent::Swapped { generation, sequence, terms, .. } => {
                ("swapped", json!({ "generation": generation, "sequence": sequence, "terms": terms }))
            }
            FollowEvent::Refused(refusal) => {
                ("refused", json!({ "code": refusal.code(), "reason": refusal.to_string() }))
            }
            FollowEvent::Trusted(taken) => {
                ("trusted", json!({ "version": taken.version, "signs_active": taken.signs_active }))
            }
            FollowEvent::Expired { seconds } => ("expired", json!({ "seconds": seconds })),
            FollowEvent::Later { sequence, seconds } => ("later", json!({ "sequence": sequence, "seconds": seconds })),
            FollowEvent::Trying(Trying { generation, sequence, step, left_s }) => {
                let step = step.to_string();
                let what = json!({ "generation": generation, "sequence": sequence, "step": step, "left_s": left_s });
                ("trying", what)
            }
            FollowEvent::Tried { sequence, report } => {
                let changed = report.changed.iter().map(|(from, to, count)| json!([from.name(), to.name(), count]));
                let changed: Vec<_> = changed.collect();
                let (judged, compared, failures) = (report.judged, report.compared, report.failures);
                let what = json!({
                    "sequence": sequence, "judged": judged, "compared": compared, "failures": failures,
                    "changed": changed,
                });
                ("tried", what)
            }
            FollowEvent::TrialFailed { sequence, trip } => {
                ("trial_failed", json!({ "sequence": sequence, "reason": trip.to_string() }))
            }
            FollowEvent::Emergency { generation } => ("emergency", json!({ "generation": generation })),
            FollowEvent::TakenBack { generation, trip } => {
                ("taken_back", json!({ "generation": generation, "reason": trip.to_string() }))
            }
        };
        let item = Item::Event(kind, SystemTime::now(), what);
        self.count_sent(|sender| sender.send(item).is_ok());
    }

    fn noted_message(
        &self,
        generation: &Arc<Generation>,
        message: &Message<'_>,
        reference: Reference<'_>,
    ) -> NotedMessage {
        let at = SystemTime::now();
        NotedMessage {
            generation: generation.clone(),
            id: self.ids.next(at),
            at,
            reference: reference.id.chars().take(REFERENCE_CHARS_MAX).collect(),
            hmac: self.key.load().hash(message.text),
            bytes: message.text.len(),
            field: message.field,
            channel: usize::from(message.channel.0),
        }
    }

    /// Queues a record if there is room.
    fn send(&self, item: Item) {
        self.count_sent(|sender| sender.try_send(item).is_ok());
    }

    fn count_sent(&self, send: impl FnOnce(&SyncSender<Item>) -> bool) {
        let Some(sender) = &self.sender else { return };
        self.counts.queued.fetch_add(1, Ordering::Relaxed);
        if !send(sender) {
            self.counts.queued.fetch_sub(1, Ordering::Relaxed);
            self.counts.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Numbers for records that no other record has, on any host, in the order of their times.
#[derive(Debug)]
struct Ids {
    of_process: u64,
    count: AtomicU64,
}

impl Ids {
    fn new() -> io::Result<Ids> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        Ok(Ids { of_process: u64::from_le_bytes(random), count: AtomicU64::new(0) })
    }

    fn next(&self, at: SystemTime) -> u128 {
        let ms = at.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_millis());
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        // 48 bits of time, 40 of the process, 40 counted.
        (ms << 80) | (u128::from(self.of_process >> 24) << 40) | u128::from(count & ((1 << 40) - 1))
    }
}

impl Key {
    /// The keyed hash, with the month whose key it was: `202611:…`.
    fn hash(&self, bytes: &[u8]) -> String {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.bytes) else { return String::new() };
        mac.update(bytes);
        let digest = mac.finalize().into_bytes();
        // Half of it: enough to tell messages apart, and shorter lines.
        format!("{}:{}", self.month, crate::bundle::hex(&digest[..16]))
    }
}

/// The key of the month; `None` if there is none yet.
fn read_key(folder: &Path, now: SystemTime) -> io::Result<Option<Key>> {
    let month = crate::clock::month(now);
    let path = key_path(folder, month);
    match fs::read(&path) {
        Ok(read) => {
            let bytes = read.try_into().map_err(|_| io::Error::other(format!("{}: not a key", path.display())))?;
            Ok(Some(Key { month, bytes, is_kept: true }))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn key_path(folder: &Path, month: u32) -> PathBuf {
    folder.join(format!("key-{month}"))
}

impl Key {
    fn new(now: SystemTime) -> io::Result<Key> {
        let mut bytes = [0; KEY_BYTES];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        Ok(Key { month: crate::clock::month(now), bytes, is_kept: false })
    }

    fn keep(&mut self, folder: &Path) -> io::Result<()> {
        write_whole(&key_path(folder, self.month), &self.bytes)?;
        self.is_kept = true;
        Ok(())
    }
}

/// Whether it may be better later, and no mistake of whoever named the folder.
fn is_no_room(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | ReadOnlyFilesystem | FileTooLarge)
}

/// What is open of a folder.
struct Files {
    decisions: Segments,
    audit: Segments,
    /// Begun when there is something to put into it.
    quarantine: Option<Segments>,
    /// Held as long as the log is open.
    _lock: File,
}

impl Files {
    fn open(config: &LogConfig) -> Result<Files, LogError> {
        let failed = |error| LogError::File { path: config.folder.clone(), error };
        private_folder(&config.folder).map_err(failed)?;
        let lock = lock(&config.folder).map_err(failed)?.ok_or_else(|| LogError::InUse(config.folder.clone()))?;
        let open = |class| Segments::open(&config.folder, class).map_err(failed);
        let (decisions, audit) = (open(LogClass::Decision)?, open(LogClass::Audit)?);
        Ok(Files { decisions, audit, quarantine: None, _lock: lock })
    }

    fn all(&mut self) -> impl Iterator<Item = &mut Segments> {
        [&mut self.decisions, &mut self.audit].into_iter().chain(&mut self.quarantine)
    }

    /// Does it with every class; the first error of all.
    fn of_all(&mut self, work: impl Fn(&mut Segments) -> io::Result<()>) -> io::Result<()> {
        self.all().map(work).fold(Ok(()), Result::and)
    }
}

struct Writer {
    /// `None` until there is room for the folder.
    files: Option<Files>,
    /// Day, and how many messages were put in quarantine on it.
    quarantined: (u64, u64),
    config: LogConfig,
    counts: LogCounts,
    key: Arc<ArcSwap<Key>>,
    lost_told: u64,
    /// When it was last told that the disk takes nothing.
    failure_told: Option<Instant>,
}

impl Writer {
    fn run(mut self, items: &mpsc::Receiver<Item>) {
        let mut synced = Instant::now();
        loop {
            match items.recv_timeout(SYNC_EVERY) {
                Ok(item) => {
                    self.write(&item);
                    // A few at a time: however fast they come, files are brought to the disk and rotated.
                    items.try_iter().take(FLUSH_EVERY).for_each(|item| self.write(&item));
                    let flushed = self.of_all(Segments::flush);
                    self.report(flushed);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if synced.elapsed() >= SYNC_EVERY {
                synced = Instant::now();
                self.keep_up();
            }
        }
        let synced = self.of_all(Segments::sync);
        self.report(synced);
        // What the disk did not take to the end.
        let waiting = self.files.iter_mut().flat_map(Files::all).map(|segments| segments.waiting_lines).sum();
        self.counts.written.fetch_sub(waiting, Ordering::Relaxed);
        self.counts.lost.fetch_add(waiting, Ordering::Relaxed);
    }

    fn of_all(&mut self, work: impl Fn(&mut Segments) -> io::Result<()>) -> io::Result<()> {
        self.files.as_mut().map_or(Ok(()), |files| files.of_all(work))
    }

    /// Brings everything to the disk, begins new files and the key of a new month.
    fn keep_up(&mut self) {
        if self.files.is_none() {
            match Files::open(&self.config) {
                Ok(files) => self.files = Some(files),
                Err(error) => return self.failed(&error),
            }
        }
        let (bytes_max, age_max) = (self.config.file_bytes_max, self.config.file_age_max);
        let key = self.keep_key();
        let kept = self.of_all(|segments| {
            segments.sync()?;
            segments.rotate(bytes_max, age_max)
        });
        self.report(key.and(kept));
    }

    /// The key of this month, on the disk.
    fn keep_key(&self) -> io::Result<()> {
        let (now, key) = (SystemTime::now(), self.key.load());
        if key.is_kept && key.month == crate::clock::month(now) {
            return Ok(());
        }
        let next = match read_key(&self.config.folder, now)? {
            Some(key) => key,
            None => {
                let mut next = Key::new(now)?;
                if next.month == key.month {
                    // What was hashed with it waits to be written.
                    next.bytes = key.bytes;
                }
                next.keep(&self.config.folder)?;
                next
            }
        };
        self.key.store(Arc::new(next));
        Ok(())
    }

    fn write(&mut self, item: &Item) {
        self.counts.queued.fetch_sub(1, Ordering::Relaxed);
        let lost_before = self.counts.lost.load(Ordering::Relaxed);
        let lost = lost_before - self.lost_told;
        let host = &self.config.host;
        let Some(Files { decisions, audit, quarantine, .. }) = &mut self.files else {
            self.counts.lost.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let written = match item {
            Item::Decision(noted) => {
                let line = noted.line(host, lost, &decisions.last_hash);
                decisions.append(&line)
            }
            Item::Poison(noted) => {
                let day =
                    noted.message.at.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs() / 86_400);
                if self.quarantined.0 != day {
                    self.quarantined = (day, 0);
                }
                if self.quarantined.1 >= self.config.quarantined_max {
                    self.counts.lost.fetch_add(1, Ordering::Relaxed);
                    return;
                }
                self.quarantined.1 += 1;
                let open = match quarantine {
                    Some(segments) => Ok(segments),
                    none => Segments::open(&self.config.folder, LogClass::Quarantine).map(|new| none.insert(new)),
                };
                open.and_then(|segments| segments.append(&noted.line(host, lost, &segments.last_hash)))
            }
            Item::Event(kind, at, what) => {
                let event = Event {
                    v: RECORD_VERSION,
                    kind,
                    ts: crate::clock::rfc3339(*at),
                    host,
                    what,
                    lost,
                    retention: "audit",
                    prev: &audit.last_hash,
                };
                let line = serde_json::to_vec(&event).unwrap_or_default();
                audit.append(&line)
            }
        };
        match written {
            Ok(()) => {
                self.lost_told = lost_before;
                self.counts.written.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                self.counts.lost.fetch_add(1, Ordering::Relaxed);
                self.report(Err(error));
            }
        }
    }

    fn report(&mut self, result: io::Result<()>) {
        match result {
            Err(error) => self.failed(&error),
            Ok(()) if self.failure_told.is_some() && self.files.is_some() => {
                self.failure_told = None;
                self.counts.is_failing.store(false, Ordering::Relaxed);
                let lost = self.counts.lost.load(Ordering::Relaxed);
                tracing::warn!(lost, "the decision log is written again");
            }
            Ok(()) => {}
        }
    }

    /// Told at once, and then every minute for as long as it lasts.
    fn failed(&mut self, error: &dyn std::fmt::Display) {
        self.counts.is_failing.store(true, Ordering::Relaxed);
        if self.failure_told.is_none_or(|told| told.elapsed() >= FAILURE_TOLD_EVERY) {
            self.failure_told = Some(Instant::now());
            tracing::error!(
                "the decision log cannot be written, the filter goes on; what finds no room is lost and counted: {error}"
            );
        }
    }
}
