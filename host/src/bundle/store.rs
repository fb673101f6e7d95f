//! A host's own folder: the bundles that ran well, and the high-water mark. Everything is written beside,
//! synced and renamed, so that a host that is killed at any point starts with what ran before.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::bundle::trusted::TrustRecord;
use crate::bundle::verify::verify_kept;
use crate::bundle::{BUNDLE_BYTES_MAX, Bundle, Refusal, Step, Trust, Verified};
use crate::files::{PART, lock, private_folder, rename_whole, write_beside, write_whole};
use crate::trial::Seen;

/// How many bundles are kept.
const KEPT: usize = 3;
/// How many bundles that were taken back are remembered.
const TAKEN_BACK_MAX: usize = 100;

/// The newest bundle that ran here. Nothing older runs again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// Its sequence.
    pub sequence: u64,
    /// Digest of its manifest.
    pub sha256: String,
    /// When it was made, in seconds since 1970.
    pub created: u64,
}

/// A bundle that was taken back, and why.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct TakenBack {
    sha256: String,
    reason: String,
}

/// How far a bundle is on trial. The bundle is beside.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrialRecord {
    /// Digest of its manifest.
    pub(crate) sha256: String,
    /// All steps.
    pub(crate) steps: Vec<Step>,
    /// Which of them it is at.
    pub(crate) at: usize,
    /// How much of that is over; while the host does not run, no time passes.
    pub(crate) elapsed_s: u32,
    /// What was seen in it.
    pub(crate) seen: Seen,
}

impl TrialRecord {
    /// Whether it can be gone on from.
    pub(crate) fn is_possible(&self) -> bool {
        self.steps.get(self.at).is_some_and(|step| self.elapsed_s <= step.seconds) && self.seen.is_possible()
    }
}

/// The folder. One process at a time.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    /// Held as long as the store is open; `None` where nothing can be written.
    _lock: Option<File>,
}

impl Store {
    /// Opens the folder, or makes it, readable for its owner only. One that cannot be written any more, such as on a
    /// disk that failed, is opened if it is there: what was kept in it can still judge.
    ///
    /// # Errors
    /// If it cannot be made, is not this user's, or another process has it open.
    pub fn open(folder: &Path) -> Result<Store, Refusal> {
        let failed = |error| Refusal::Store { path: folder.to_owned(), error };
        private_folder(folder).map_err(failed)?;
        let is_read_only = |error: &io::Error| error.kind() == io::ErrorKind::ReadOnlyFilesystem;
        let lock = match lock(folder) {
            Ok(Some(lock)) => Some(lock),
            Ok(None) => return Err(Refusal::InUse(folder.to_owned())),
            Err(error) if is_read_only(&error) => None,
            Err(error) => return Err(failed(error)),
        };
        let store = Store { folder: folder.to_owned(), _lock: lock };
        let bundles = store.bundles();
        fs::create_dir_all(&bundles).map_err(|error| Refusal::Store { path: bundles, error })?;
        for left in store.names_ending(PART)? {
            // Of a host that was killed while it wrote; one that stays does no harm.
            let _ = fs::remove_file(store.bundles().join(left));
        }
        store.prune()?;
        Ok(store)
    }

    /// Deletes all bundles but the newest three.
    fn prune(&self) -> Result<(), Refusal> {
        for old in self.names()?.into_iter().skip(KEPT) {
            // One that stays is merely one more.
            let _ = fs::remove_file(self.bundles().join(old));
        }
        Ok(())
    }

    fn bundles(&self) -> PathBuf {
        self.folder.join("bundles")
    }

    fn mark_path(&self) -> PathBuf {
        self.folder.join("mark.json")
    }

    fn taken_back_path(&self) -> PathBuf {
        self.folder.join("taken-back.json")
    }

    /// The mark; `None` if nothing ran here yet.
    ///
    /// # Errors
    /// If there is one that cannot be read. Nothing is loaded then: without the mark an old bundle could
    /// come back.
    pub fn mark(&self) -> Result<Option<Mark>, Refusal> {
        read_json(&self.mark_path())
    }

    /// Moves the mark, once the bundle judges.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn advance(&self, mark: &Mark) -> Result<(), Refusal> {
        write_json(&self.mark_path(), mark)
    }

    /// Keeps a bundle that passed every check, and deletes older ones beyond three.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn keep(&self, verified: &Verified) -> Result<(), Refusal> {
        self.prepare(verified)?.keep(self)
    }

    /// Writes a bundle beside those that are kept, while it is being checked.
    pub(crate) fn prepare(&self, verified: &Verified) -> Result<Prepared, Refusal> {
        let name = format!("{:020}-{}.tamis", verified.manifest().sequence, verified.digest());
        let path = self.bundles().join(name);
        let beside = write_beside(&path, &verified.whole().encode());
        let beside = beside.map_err(|error| Refusal::Store { path: path.clone(), error })?;
        Ok(Prepared { beside, path })
    }

    /// Remembers that a bundle was taken back, so that it does not come again at the next start.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn take_back(&self, sha256: &str, reason: &str) -> Result<(), Refusal> {
        let mut all = self.taken_back()?;
        all.push(TakenBack { sha256: sha256.to_owned(), reason: reason.to_owned() });
        let from = all.len().saturating_sub(TAKEN_BACK_MAX);
        write_json(&self.taken_back_path(), &all[from..])
    }

    fn taken_back(&self) -> Result<Vec<TakenBack>, Refusal> {
        Ok(read_json(&self.taken_back_path())?.unwrap_or_default())
    }

    /// Why a bundle was taken back, if it was.
    ///
    /// # Errors
    /// If the record cannot be read.
    pub fn why_taken_back(&self, sha256: &str) -> Result<Option<String>, Refusal> {
        Ok(self.taken_back()?.into_iter().find(|one| one.sha256 == sha256).map(|one| one.reason))
    }

    /// The bundles kept, the newest first, that are still whole and signed by keys that are still trusted.
    /// Those that are not, with the reason. Where the record of those taken back is damaged, none counts as taken
    /// back: to judge by one of them is better than not to judge, and it is watched as the first time.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn kept(&self, trust: &Trust, name: &str) -> Result<(Vec<Verified>, Vec<Refusal>), Refusal> {
        let (mut good, mut bad) = (Vec::new(), Vec::new());
        let taken_back = self.taken_back().unwrap_or_else(|refusal| {
            bad.push(refusal);
            Vec::new()
        });
        for file in self.names()? {
            let read = read_limited(&self.bundles().join(file)).and_then(|bytes| Bundle::decode(&bytes));
            match read.and_then(|bundle| verify_kept(bundle, trust, name)) {
                Ok(verified) => match taken_back.iter().find(|one| one.sha256 == verified.digest()) {
                    None => good.push(verified),
                    Some(one) => bad.push(Refusal::TakenBack(one.reason.clone())),
                },
                Err(refusal) => bad.push(refusal),
            }
        }
        Ok((good, bad))
    }

    /// Keeps an emergency file that judges.
    pub(crate) fn keep_emergency(&self, bytes: &[u8]) -> Result<(), Refusal> {
        keep_whole(&self.folder.join("emergency.json"), bytes)
    }

    /// The emergency file that was kept last.
    pub(crate) fn emergency(&self) -> Option<Vec<u8>> {
        fs::read(self.folder.join("emergency.json")).ok()
    }

    /// The sequence of the newest emergency file that judged here.
    pub(crate) fn emergency_mark(&self) -> Result<u64, Refusal> {
        Ok(read_json(&self.folder.join("emergency-mark.json"))?.unwrap_or(0))
    }

    /// Moves the mark of emergency files.
    pub(crate) fn advance_emergency(&self, sequence: u64) -> Result<(), Refusal> {
        write_json(&self.folder.join("emergency-mark.json"), &sequence)
    }

    /// What is remembered of trust files.
    pub(crate) fn trust_record(&self) -> Result<TrustRecord, Refusal> {
        Ok(read_json(&self.folder.join("trust.json"))?.unwrap_or_default())
    }

    pub(crate) fn keep_trust_record(&self, record: &TrustRecord) -> Result<(), Refusal> {
        write_json(&self.folder.join("trust.json"), record)
    }

    fn trial_bundle_path(&self) -> PathBuf {
        self.folder.join("trial.tamis")
    }

    fn trial_path(&self) -> PathBuf {
        self.folder.join("trial.json")
    }

    /// Writes how far the bundle on trial is.
    pub(crate) fn keep_trial(&self, record: &TrialRecord) -> Result<(), Refusal> {
        write_json(&self.trial_path(), record)
    }

    /// The bundle that was on trial, not verified, and how far; `None` if there was none.
    pub(crate) fn trial(&self) -> Result<Option<(Bundle, TrialRecord)>, Refusal> {
        let Some(record) = read_json::<TrialRecord>(&self.trial_path())? else { return Ok(None) };
        let bundle = Bundle::decode(&read_limited(&self.trial_bundle_path())?)?;
        // Another one was to take its place when the host ended.
        Ok((bundle.digest() == record.sha256).then_some((bundle, record)))
    }

    /// The trial is over.
    pub(crate) fn forget_trial(&self) {
        for path in [self.trial_path(), self.trial_bundle_path()] {
            // A record that stays is of a bundle that judges, or that is not taken any more.
            let _ = fs::remove_file(path);
        }
    }

    /// Names of the bundles, the newest first.
    fn names(&self) -> Result<Vec<String>, Refusal> {
        self.names_ending("tamis")
    }

    fn names_ending(&self, end: &str) -> Result<Vec<String>, Refusal> {
        let folder = self.bundles();
        let failed = |error| Refusal::Store { path: folder.clone(), error };
        let mut names = Vec::new();
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
            if Path::new(&name).extension().is_some_and(|found| found == end) {
                names.push(name);
            }
        }
        names.sort_by(|one, next| next.cmp(one));
        Ok(names)
    }
}

/// A bundle that is on disk and not kept yet: what is dropped instead of kept is deleted.
#[derive(Debug)]
pub(crate) struct Prepared {
    beside: PathBuf,
    path: PathBuf,
}

impl Prepared {
    /// Keeps it, and deletes older ones beyond three.
    pub(crate) fn keep(self, store: &Store) -> Result<(), Refusal> {
        let failed = |error| Refusal::Store { path: self.path.clone(), error };
        rename_whole(&self.beside, &self.path).map_err(failed)?;
        store.prune()
    }

    /// Keeps it as the one on trial, which judges after a restart only for as long as that lasts.
    pub(crate) fn keep_for_trial(self, store: &Store) -> Result<(), Refusal> {
        let path = store.trial_bundle_path();
        rename_whole(&self.beside, &path).map_err(|error| Refusal::Store { path, error })
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        // After it was kept there is none; one that stays is deleted at the next start.
        let _ = fs::remove_file(&self.beside);
    }
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, Refusal> {
    let failed = |error| Refusal::Store { path: path.to_owned(), error };
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            let help =
                "nothing new is taken until it is restored, or deleted: without it what is older could come back";
            failed(io::Error::other(format!("{error}; {help}")))
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

fn write_json<T: Serialize + ?Sized>(path: &Path, value: &T) -> Result<(), Refusal> {
    let bytes = serde_json::to_vec(value)
        .map_err(|error| Refusal::Store { path: path.to_owned(), error: io::Error::other(error) })?;
    keep_whole(path, &bytes)
}

/// Writes a file whole or not at all.
fn keep_whole(path: &Path, bytes: &[u8]) -> Result<(), Refusal> {
    write_whole(path, bytes).map_err(|error| Refusal::Store { path: path.to_owned(), error })
}

/// Reads a file of at most the size of a bundle.
pub(crate) fn read_limited(path: &Path) -> Result<Vec<u8>, Refusal> {
    let failed = |error: io::Error| Refusal::Fetch { from: path.display().to_string(), reason: error.to_string() };
    // Looked at before it is opened: a pipe would be waited for, without end.
    let metadata = fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        return Err(failed(io::Error::other("it is no file; publish a bundle there")));
    }
    let limit = BUNDLE_BYTES_MAX as u64;
    if metadata.len() > limit {
        return Err(Refusal::TooLarge { what: path.display().to_string(), bytes: metadata.len(), limit });
    }
    let mut bytes = Vec::new();
    File::open(path).map_err(failed)?.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}
