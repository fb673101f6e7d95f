//! Files that a host keeps: written whole or not at all, in folders that are its own, by one process at a time. Not
//! for what is in them.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// The ending of a file that is being written.
pub(crate) const PART: &str = "part";
/// How long the lock is waited for: a host that was killed while it began a process leaves it to that for a moment.
const LOCK_WAIT: Duration = Duration::from_secs(2);

/// Writes a file whole or not at all, whenever the machine stops: beside, synced, renamed, and the folder synced.
///
/// # Errors
/// If it cannot be written; what was there before is there still.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    rename_whole(&write_beside(path, bytes)?, path)
}

/// Writes a file beside the one that it will be, and brings it to the disk. What could not be finished is deleted.
pub(crate) fn write_beside(path: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
    let beside = path.with_extension(PART);
    let write = || {
        let mut file = File::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    match write() {
        Ok(()) => Ok(beside),
        Err(error) => {
            let _ = fs::remove_file(&beside);
            Err(error)
        }
    }
}

/// Puts a file that is on the disk in its place.
pub(crate) fn rename_whole(beside: &Path, path: &Path) -> io::Result<()> {
    fs::rename(beside, path)?;
    sync_folder(path.parent().unwrap_or(Path::new("")))
}

/// Waits until it is on the disk which files a folder has.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })?.sync_all()?;
    }
    Ok(())
}

/// Makes a folder if there is none, and makes it readable for its owner only.
pub(crate) fn private_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    if is_private(folder)? {
        return Ok(());
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let private = fs::set_permissions(folder, fs::Permissions::from_mode(0o700));
        private.map_err(|error| {
            let owner = "it must be readable for its owner only, who must be the user of this process";
            io::Error::new(error.kind(), format!("{error}; {owner}"))
        })?;
    }
    Ok(())
}

/// Whether a file or folder is this user's, and nobody else may read or write it.
pub(crate) fn is_private(path: &Path) -> io::Result<bool> {
    is_own_without(path, 0o077)
}

/// Whether a file or folder is this user's, and nobody else may write it.
pub(crate) fn is_own(path: &Path) -> io::Result<bool> {
    is_own_without(path, 0o022)
}

#[cfg(unix)]
fn is_own_without(path: &Path, rights: u32) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = fs::metadata(path)?;
    Ok(metadata.uid() == rustix::process::geteuid().as_raw() && metadata.mode() & rights == 0)
}

#[cfg(not(unix))]
fn is_own_without(path: &Path, _rights: u32) -> io::Result<bool> {
    fs::metadata(path).map(|_| false)
}

/// The lock of a folder, for as long as it is held; `None` if another process has it.
pub(crate) fn lock(folder: &Path) -> io::Result<Option<File>> {
    let path = folder.join("lock");
    // Where nothing can be written, what is there can be locked.
    let file = File::options().write(true).create(true).truncate(false).open(&path).or_else(|error| {
        let read = File::open(&path);
        read.map_err(|_| error)
    })?;
    let deadline = Instant::now() + LOCK_WAIT;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => thread::sleep(Duration::from_millis(20)),
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}
