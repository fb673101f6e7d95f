//! Reloads a filter when its files change. Runs on a thread of its own; scans never wait for it.

use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use notify::{EventKind, RecursiveMode, Watcher as _};
use tamis_guest::compile::Diagnostic;

use crate::sources::{Defaults, Loaded};
use crate::{Filter, LoadError, Sources};

/// How long files must be quiet before they are read: editors and copies write in several steps.
const QUIET: Duration = Duration::from_millis(50);

/// What the watcher has to tell.
#[derive(Debug)]
#[non_exhaustive]
pub enum WatchEvent {
    /// A new generation judges.
    Swapped {
        /// Its number.
        generation: u64,
        /// How many terms it has.
        terms: usize,
        /// Warnings of its lists.
        warnings: Vec<Diagnostic>,
    },
    /// The files changed and cannot be used; the old generation goes on.
    Refused(LoadError),
}

/// Watches until it is dropped.
#[derive(Debug)]
pub struct Watcher {
    _notify: notify::RecommendedWatcher,
}

impl Watcher {
    /// Watches the files of `sources` and swaps `filter` when they change. What `sources` does not name
    /// comes from `defaults`.
    ///
    /// # Errors
    /// If the file system cannot be watched.
    pub fn spawn(
        filter: Filter,
        sources: Sources,
        defaults: Defaults,
        mut on_event: impl FnMut(WatchEvent) + Send + 'static,
    ) -> Result<Watcher, LoadError> {
        let (changed, changes) = mpsc::channel();
        let on_change = move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| !matches!(event.kind, EventKind::Access(_))) {
                let _ = changed.send(());
            }
        };
        let problem =
            |path: &Path, error: &notify::Error| LoadError::Watch { path: path.to_owned(), reason: error.to_string() };
        let mut notify = notify::recommended_watcher(on_change).map_err(|error| problem(Path::new("."), &error))?;
        for path in sources.paths() {
            // A file is replaced by renaming another over it, which only its folder sees.
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let (watched, mode) =
                if path.is_dir() { (path, RecursiveMode::Recursive) } else { (parent, RecursiveMode::NonRecursive) };
            notify.watch(watched, mode).map_err(|error| problem(watched, &error))?;
        }
        let follow = move || {
            while changes.recv().is_ok() {
                while !matches!(
                    changes.recv_timeout(QUIET),
                    Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected)
                ) {}
                match reload(&filter, &sources, &defaults) {
                    Ok(None) => {}
                    Ok(Some(event)) => on_event(event),
                    Err(error) => {
                        tracing::warn!("a change was refused: {error}");
                        on_event(WatchEvent::Refused(error));
                    }
                }
            }
        };
        let thread = thread::Builder::new().name("tamis-watch".to_owned()).spawn(follow);
        thread.map_err(|error| LoadError::Sandbox(format!("no thread: {error}")))?;
        Ok(Watcher { _notify: notify })
    }
}

/// Swaps the filter to what its files say now; `None` if they say what they said before.
fn reload(filter: &Filter, sources: &Sources, defaults: &Defaults) -> Result<Option<WatchEvent>, LoadError> {
    let running = filter.generation();
    let now = running.parts();
    let Loaded { parts: next, warnings, .. } = sources.load(filter.runtime(), defaults, &now.module)?;
    let same = now.pack.pack().checksum() == next.pack.pack().checksum()
        && now.policy == next.policy
        && now.failure == next.failure
        && now.module.wasm() == next.module.wasm();
    if same {
        return Ok(None);
    }
    let terms = next.pack.pack().terms_count();
    let generation = filter.swap(next)?;
    tracing::info!(generation, terms, "changed files judge from here on");
    Ok(Some(WatchEvent::Swapped { generation, terms, warnings }))
}
