//! Settings of a runtime. Each has a default that is right for SMS and chat.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// How a [`Runtime`](crate::Runtime) limits its guests.
#[derive(Clone, Debug)]
pub struct RuntimeConfig {
    pub(crate) scan_deadline: Duration,
    pub(crate) memory_bytes_max: usize,
    pub(crate) module_bytes_max: usize,
    pub(crate) module_cache: Option<PathBuf>,
}

impl Default for RuntimeConfig {
    fn default() -> RuntimeConfig {
        RuntimeConfig {
            scan_deadline: Duration::from_secs(1),
            memory_bytes_max: 64 << 20,
            module_bytes_max: 16 << 20,
            module_cache: None,
        }
    }
}

impl RuntimeConfig {
    /// How long one call into a guest may take: a batch, or taking in a pack. Default 1 s: the worst
    /// mebibyte known, letters and digits pulled apart, takes 0.6 s; a full batch of SMS under a
    /// millisecond. The shortest useful is some 20 ms, because time is counted in ticks of 2 ms and another
    /// process may hold the core. A call that takes longer is stopped, and the message it was at gets the
    /// policy's answer to failures.
    pub fn scan_deadline(&mut self, deadline: Duration) -> &mut RuntimeConfig {
        self.scan_deadline = deadline;
        self
    }

    /// How much memory a guest may use beyond the pack, in bytes. Default 64 MiB: the filter needs about
    /// 2 MiB, and up to some 35 bytes for each byte of the longest message.
    pub fn memory_bytes_max(&mut self, bytes: usize) -> &mut RuntimeConfig {
        self.memory_bytes_max = bytes;
        self
    }

    /// How large a filter module may be, in bytes. Default 16 MiB: compiling costs about 0.3 s a
    /// megabyte, and nothing limits it once it runs.
    pub fn module_bytes_max(&mut self, bytes: usize) -> &mut RuntimeConfig {
        self.module_bytes_max = bytes;
        self
    }

    /// A folder of this host's own for compiled modules, made readable for its owner only. Default none: every
    /// start compiles. Nobody else may write to it: what is in it runs.
    pub fn module_cache(&mut self, folder: &Path) -> &mut RuntimeConfig {
        self.module_cache = Some(folder.to_owned());
        self
    }
}
