//! Checking a candidate in a process of its own, which can be killed: compiling a module, and lists, is work
//! that nothing interrupts from within. The process has limits on memory and time, no environment, and no
//! files but its pipes and the cache of compiled modules.
//!
//! To it, `u64` each: message budget in ns, length of the hostile messages, terms that the signer counted, and the
//! limits of the host's sandboxes: deadline in ns, bytes of memory, bytes of a module; then for each part of the content `u8` kind, `u64` length, and its bytes. From it, in two steps: as soon as the
//! lists are compiled `u8` 0, `u64` length of the pack, and the pack, which the host takes in while this goes on
//! testing; then `u8` 0 and the figures of the report as `u64` each. In place of either `u8` 1 and the reason as a
//! line with its code and a text. All numbers little-endian.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tamis_guest::PackBytes;
use tamis_guest::compile::PolicySource;

use crate::bundle::admit::{Request, find_module, nanos};
use crate::bundle::content::Compiled;
use crate::bundle::refusal::CODES;
use crate::bundle::{Admission, AdmissionReport, Content, Refusal};
use crate::{LoadError, Module, PackImage, Runtime};

/// How often the parent looks whether the process has ended.
const POLL: Duration = Duration::from_millis(2);
/// Largest pack that is taken, in bytes.
const PACK_BYTES_MAX: u64 = 4 << 30;
/// What is made room for at once, in bytes: a pack of half a million terms.
const PACK_BYTES_LIKELY: u64 = 64 << 20;
/// Longest reason that is taken, in bytes.
const REASON_BYTES_MAX: u64 = 64 << 10;

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

    /// Has content checked, of which its signer counted so many terms, if one did; returns its pack and what was found.
    /// `module` is the filter that will use the pack, if it is compiled already.
    pub(crate) fn check(
        &self,
        runtime: &Runtime,
        content: &Content,
        terms: Option<u64>,
        admission: &Admission,
        module: Option<&Module>,
    ) -> Result<(PackImage, AdmissionReport), Refusal> {
        let failed = |what: &str, error: io::Error| Refusal::Worker(format!("{what}: {error}"));
        let mut command = Command::new(&self.program);
        command.args(&self.args).env_clear();
        command.arg(self.memory_bytes.to_string()).arg(self.wall_time.as_secs().max(1).to_string());
        command.arg(runtime.config().module_cache.as_deref().unwrap_or(Path::new("")));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|error| failed(&self.program.display().to_string(), error))?;
        let (start, stdin, stdout) = (Instant::now(), child.stdin.take(), child.stdout.take());
        let (answer, ended) = thread::scope(|scope| {
            // Each pipe on its own: a process that reads or writes nothing must not hold up its killing.
            let config = runtime.config();
            scope.spawn(move || stdin.map(|mut stdin| admission.write_request(content, terms, config, &mut stdin)));
            let reader = scope.spawn(move || match stdout {
                Some(stdout) => read_answer(runtime, stdout, module),
                None => Err(cut()),
            });
            let ended = wait(&mut child, start, self.wall_time, || reader.is_finished());
            let answer = reader.join().unwrap_or_else(|_| Err(cut()));
            let ended = match (&answer, ended) {
                // It has said all that it had to say, and giving back its memory takes a while.
                (Ok(_), Ok(None)) => child.kill().map(|()| None).map_err(|error| failed("it cannot be ended", error)),
                (Err(_), Ok(None)) => wait(&mut child, start, self.wall_time, || false),
                (_, ended) => ended,
            };
            (answer, ended)
        });
        match ended? {
            None => runtime.bury(Reaped(child)),
            Some(status) if !status.success() => {
                return Err(Refusal::Worker(format!("{status}; it broke, or ran into its limit on memory or time")));
            }
            Some(_) => {}
        }
        answer
    }
}

/// A process that was killed, to be collected by whoever drops it.
struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        // Collected, or it is gone already.
        let _ = self.0.wait();
    }
}

/// Waits for the end, and brings it about if it does not come; `None` if there is nothing to wait for any more.
fn wait(
    child: &mut Child,
    start: Instant,
    limit: Duration,
    is_over: impl Fn() -> bool,
) -> Result<Option<ExitStatus>, Refusal> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(Some(status)),
            Ok(None) if is_over() => return Ok(None),
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

fn cut() -> Refusal {
    Refusal::Worker("its answer is cut short".to_owned())
}

/// Reads the answer as it comes: the pack is checked and made ready to be mapped while the other side is testing.
fn read_answer(
    runtime: &Runtime,
    mut answer: impl Read,
    module: Option<&Module>,
) -> Result<(PackImage, AdmissionReport), Refusal> {
    let start = Instant::now();
    read_kind(&mut answer)?;
    let bytes = read_number(&mut answer)?;
    if bytes > PACK_BYTES_MAX {
        let what = "the pack that the checking process made".to_owned();
        return Err(Refusal::TooLarge { what, bytes, limit: PACK_BYTES_MAX });
    }
    let compiled = Instant::now();
    // As much as it says and is likely; of more, as it comes.
    let mut pack = Vec::with_capacity(bytes.min(PACK_BYTES_LIKELY) as usize);
    answer.by_ref().take(bytes).read_to_end(&mut pack).map_err(|_| cut())?;
    if pack.len() as u64 != bytes {
        return Err(cut());
    }
    let read = Instant::now();
    // Decoded in full: whatever became of the process, a pack that is none does not come out of it.
    let pack = match module {
        Some(module) => PackImage::mapped(pack.into(), runtime.engine(), module.pages)?,
        None => runtime.pack(pack)?,
    };
    let ms = |from: Instant, to: Instant| (to - from).as_secs_f64() * 1e3;
    let (compile_ms, read_ms, map_ms) = (ms(start, compiled), ms(compiled, read), ms(read, Instant::now()));
    tracing::debug!(compile_ms, read_ms, map_ms, bytes, "a pack is taken in");
    read_kind(&mut answer)?;
    let mut number = || read_number(&mut answer);
    let to_usize = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let report = AdmissionReport {
        terms: to_usize(number()?),
        tests: to_usize(number()?),
        message_time: Duration::from_nanos(number()?),
        memory_bytes: to_usize(number()?),
        warnings: Vec::new(),
    };
    Ok((pack, report))
}

/// Reads whether what comes next is what was asked for; if not, it is why not.
fn read_kind(answer: &mut impl Read) -> Result<(), Refusal> {
    let mut kind = [0];
    answer.read_exact(&mut kind).map_err(|_| cut())?;
    if kind == [0] {
        return Ok(());
    }
    let mut text = Vec::new();
    answer.take(REASON_BYTES_MAX).read_to_end(&mut text).map_err(|_| cut())?;
    let text = String::from_utf8_lossy(&text);
    let (code, reason) = text.split_once('\n').ok_or_else(cut)?;
    let code = CODES.into_iter().find(|known| *known == code).unwrap_or("worker");
    Err(Refusal::InWorker { code, reason: reason.to_owned() })
}

fn read_number(answer: &mut impl Read) -> Result<u64, Refusal> {
    let mut bytes = [0; 8];
    answer.read_exact(&mut bytes).map_err(|_| cut())?;
    Ok(u64::from_le_bytes(bytes))
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
    let mut out = io::stdout();
    match answer(Path::new(cache), &mut out) {
        Ok(()) => out.flush(),
        Err(Stopped::Pipe(error)) => Err(error),
        Err(Stopped::Refused(refusal)) => {
            out.write_all(&[1])?;
            write!(out, "{}\n{refusal}", refusal.code())?;
            out.flush()
        }
    }
}

/// Why there is no good answer.
enum Stopped {
    Refused(Refusal),
    Pipe(io::Error),
}

impl From<Refusal> for Stopped {
    fn from(refusal: Refusal) -> Stopped {
        Stopped::Refused(refusal)
    }
}

impl From<LoadError> for Stopped {
    fn from(error: LoadError) -> Stopped {
        Stopped::Refused(error.into())
    }
}

fn answer(cache: &Path, out: &mut (impl Write + Send)) -> Result<(), Stopped> {
    let Request { admission, terms, mut config } =
        Admission::read_request(&mut io::stdin().lock()).map_err(Stopped::Pipe)?;
    if !cache.as_os_str().is_empty() {
        config.module_cache(cache);
    }
    thread::scope(|scope| {
        // Sandbox and lists have nothing to do with each other until both are there.
        let sandbox = scope.spawn(|| {
            let runtime = Runtime::new(&config)?;
            let module = runtime.module(crate::default_module())?;
            Ok::<_, LoadError>((runtime, module))
        });
        let mut request = Vec::new();
        io::stdin().lock().read_to_end(&mut request).map_err(Stopped::Pipe)?;
        let content = Admission::read_content(&request)?;
        drop(request);
        let compiled = content.compile();
        let (runtime, default_module) =
            sandbox.join().unwrap_or_else(|_| Err(LoadError::Sandbox("no sandbox".to_owned())))?;
        let compiled = compiled?;
        let (policy, _) = PolicySource::parse("policy.toml", DEFAULT_POLICY);
        let policy = policy.ok_or_else(|| Refusal::Malformed("policy".to_owned()))?;
        // The host takes the pack in on the other core, and checks it as well.
        let Compiled { pack, policy: own_policy, warnings } = compiled;
        let pack = Arc::new(PackBytes::from(pack));
        let sent = scope.spawn({
            let pack = pack.clone();
            move || {
                out.write_all(&[0])?;
                out.write_all(&(pack.len() as u64).to_le_bytes())?;
                out.write_all(&pack)?;
                out.flush().map(|()| out)
            }
        });
        let test = || {
            let compiled = Compiled { pack: PackImage::shared(pack)?, policy: own_policy, warnings };
            let module = find_module(&runtime, &content, &default_module, &[])?;
            admission.test_compiled(&runtime, &content, compiled, terms, &policy, module)
        };
        let report = test();
        let sent = sent.join().unwrap_or_else(|_| Err(io::Error::other("nothing was sent")));
        let out = sent.map_err(Stopped::Pipe)?;
        let (_, report) = report?;
        let mut figures = vec![0];
        let AdmissionReport { terms, tests, message_time, memory_bytes, .. } = report;
        for number in [terms as u64, tests as u64, nanos(message_time), memory_bytes as u64] {
            figures.extend(number.to_le_bytes());
        }
        out.write_all(&figures).map_err(Stopped::Pipe)
    })
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
