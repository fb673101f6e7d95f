//! Checking a candidate in a process of its own, which can be killed: compiling a module, and lists, is work
//! that nothing interrupts from within. The process has limits on memory and time, no environment, and no
//! files but its pipes and the cache of compiled modules.
//!
//! To it: `u64` message budget in ns, `u64` length of the hostile messages, and the bundle. From it: `u8` 0,
//! the figures of the report as `u64` each, and the pack; or `u8` 1 and the reason as a line with its code
//! and a text. All numbers little-endian.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tamis_guest::compile::PolicySource;

use crate::bundle::refusal::CODES;
use crate::bundle::{Admission, AdmissionReport, Bundle, Refusal};
use crate::{Defaults, PackImage, Runtime, RuntimeConfig};

/// How often the parent looks whether the process has ended.
const POLL: Duration = Duration::from_millis(2);
/// Longest answer: a pack of the size limit.
const ANSWER_BYTES_MAX: u64 = 4 << 30;

/// How the checking process is started, and its limits.
#[derive(Clone, Debug)]
pub struct AdmissionProcess {
    program: PathBuf,
    args: Vec<OsString>,
    wall_time: Duration,
    memory_bytes: u64,
}

impl AdmissionProcess {
    /// A program that calls [`serve_admission`], such as `tamis admit`.
    pub fn new(program: impl Into<PathBuf>, args: impl IntoIterator<Item = OsString>) -> AdmissionProcess {
        AdmissionProcess {
            program: program.into(),
            args: args.into_iter().collect(),
            wall_time: Duration::from_secs(30),
            memory_bytes: 2 << 30,
        }
    }

    /// How long it may take before it is killed. Default 30 s; processor time is limited to the same.
    pub fn wall_time(&mut self, time: Duration) -> &mut AdmissionProcess {
        self.wall_time = time;
        self
    }

    /// How much memory it may have, in bytes. Default 2 GiB. Not enforced on systems that are not Unix.
    pub fn memory_bytes(&mut self, bytes: u64) -> &mut AdmissionProcess {
        self.memory_bytes = bytes;
        self
    }

    /// Has the bundle checked; returns its pack and what was found.
    pub(crate) fn check(
        &self,
        runtime: &Runtime,
        bundle: &[u8],
        admission: &Admission,
    ) -> Result<(PackImage, AdmissionReport), Refusal> {
        let failed = |what: &str, error: io::Error| Refusal::Worker(format!("{what}: {error}"));
        let mut command = Command::new(&self.program);
        command.args(&self.args).env_clear();
        command.arg(self.memory_bytes.to_string()).arg(self.wall_time.as_secs().max(1).to_string());
        command.arg(runtime.config().module_cache.as_deref().unwrap_or(Path::new("")));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|error| failed(&self.program.display().to_string(), error))?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let request = admission.request(bundle);
        let answer = thread::scope(|scope| {
            // Each pipe on its own: a process that reads or writes nothing must not hold up its killing.
            scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(&request)));
            let reader = scope.spawn(move || {
                let mut answer = Vec::new();
                stdout.map_or(Ok(0), |stdout| stdout.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)).map(|_| answer)
            });
            let ended = wait(&mut child, self.wall_time);
            let answer = reader.join().unwrap_or_else(|_| Err(io::Error::other("no reader")));
            ended.map(|status| (status, answer))
        });
        let (status, answer) = answer?;
        let answer = answer.map_err(|error| failed("no answer", error))?;
        if !status.success() {
            return Err(Refusal::Worker(format!("{status}; it broke, or ran into its limit on memory or time")));
        }
        read_answer(runtime, &answer)
    }
}

/// Waits for the end, and brings it about if it does not come.
fn wait(child: &mut Child, limit: Duration) -> Result<ExitStatus, Refusal> {
    let start = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) if start.elapsed() < limit => thread::sleep(POLL),
            Ok(None) => {
                // Killed and collected, or it is gone already.
                let _ = child.kill();
                let _ = child.wait();
                return Err(Refusal::Worker(format!("killed after {} s", limit.as_secs_f64())));
            }
            Err(error) => return Err(Refusal::Worker(error.to_string())),
        }
    }
}

fn read_answer(runtime: &Runtime, answer: &[u8]) -> Result<(PackImage, AdmissionReport), Refusal> {
    let cut = || Refusal::Worker("its answer is cut short".to_owned());
    let (&kind, rest) = answer.split_first().ok_or_else(cut)?;
    if kind != 0 {
        let text = String::from_utf8_lossy(rest);
        let (code, reason) = text.split_once('\n').ok_or_else(cut)?;
        let code = CODES.into_iter().find(|known| *known == code).unwrap_or("worker");
        return Err(Refusal::InWorker { code, reason: reason.to_owned() });
    }
    let (numbers, pack) = rest.split_at_checked(32).ok_or_else(cut)?;
    let number = |at: usize| numbers[at * 8..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let to_usize = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let report = AdmissionReport {
        terms: to_usize(number(0)),
        tests: to_usize(number(1)),
        message_time: Duration::from_nanos(number(2)),
        memory_bytes: to_usize(number(3)),
        warnings: Vec::new(),
    };
    // Decoded in full: whatever became of the process, a pack that is none does not come out of it.
    Ok((runtime.pack(pack.to_vec())?, report))
}

/// What the program of an [`AdmissionProcess`] does: its last three arguments are the limits and the cache.
/// Reads a bundle from standard input, checks it, and writes the answer to standard output.
///
/// # Errors
/// If the pipes break or the arguments are not those.
pub fn serve_admission(args: &[OsString]) -> io::Result<()> {
    let [.., memory_bytes, seconds, cache] = args else {
        return Err(io::Error::other("this command is run by the host itself"));
    };
    let number = |text: &OsString| text.to_str().and_then(|text| text.parse::<u64>().ok());
    let (Some(memory_bytes), Some(seconds)) = (number(memory_bytes), number(seconds)) else {
        return Err(io::Error::other("this command is run by the host itself"));
    };
    limit(memory_bytes, seconds)?;
    let mut request = Vec::new();
    io::stdin().lock().read_to_end(&mut request)?;
    let answer = match answer(&request, Path::new(cache)) {
        Ok(answer) => answer,
        Err(refusal) => {
            let mut answer = vec![1];
            answer.extend(format!("{}\n{refusal}", refusal.code()).into_bytes());
            answer
        }
    };
    io::stdout().lock().write_all(&answer)
}

fn answer(request: &[u8], cache: &Path) -> Result<Vec<u8>, Refusal> {
    let mut config = RuntimeConfig::default();
    if !cache.as_os_str().is_empty() {
        config.module_cache(cache);
    }
    let runtime = Runtime::new(&config)?;
    let (admission, bundle) = Admission::read_request(request)?;
    let content = Bundle::decode(bundle)?;
    let (policy, _) = PolicySource::parse("policy.toml", DEFAULT_POLICY);
    let defaults = Defaults {
        module: runtime.module(crate::default_module())?,
        pack: runtime.pack(tamis_guest::compile::compile_terms("none", "none").0)?,
        policy: policy.ok_or_else(|| Refusal::Malformed("policy".to_owned()))?,
    };
    let terms = content.manifest().terms;
    let (parts, report) = admission.check_content(&runtime, &content.unpack()?, Some(terms), &defaults, &[])?;
    let mut answer = vec![0];
    let nanos = u64::try_from(report.message_time.as_nanos()).unwrap_or(u64::MAX);
    for number in [report.terms as u64, report.tests as u64, nanos, report.memory_bytes as u64] {
        answer.extend(number.to_le_bytes());
    }
    answer.extend(parts.pack.bytes());
    Ok(answer)
}

/// For a bundle without a policy: the checks ask what is found, not what follows.
const DEFAULT_POLICY: &str = "format = 1\ndefault_channel = \"all\"\n[channels.all]\ns1 = \"flag\"\ns2 = \"flag\"\ns3 = \"hold\"\ns4 = \"block\"\non_failure = \"hold\"\n";

#[cfg(unix)]
fn limit(memory_bytes: u64, seconds: u64) -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let at_most = |most| Rlimit { current: Some(most), maximum: Some(most) };
    // Reserved address space is not counted, which sandboxes have plenty of; what can be written to is.
    setrlimit(Resource::Data, at_most(memory_bytes))?;
    setrlimit(Resource::Cpu, at_most(seconds))?;
    setrlimit(Resource::Core, at_most(0))?;
    Ok(())
}

#[cfg(not(unix))]
fn limit(_memory_bytes: u64, _seconds: u64) -> io::Result<()> {
    Ok(())
}
