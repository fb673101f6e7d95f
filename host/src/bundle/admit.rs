//! What a verified bundle must pass before it may judge: its lists compile, its module starts, its own tests
//! hold, hostile messages do no harm, and it is fast enough. All of it in sandboxes of its own.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tamis_guest::compile::{Diagnostic, PolicySource};
use tamis_guest::{Message, Pack, Verdict};

use crate::bundle::content::Compiled;
use crate::bundle::emergency::with_modes;
use crate::bundle::{AdmissionProcess, Content, PartKind, Refusal, Verified};
use crate::{Defaults, Filter, Judged, LoadError, Module, PackImage, Parts, Runtime, RuntimeConfig, Worker};

/// Messages the size of an SMS, to measure by.
const SAMPLE: [&str; 4] = [
    "Hi, are we still on for lunch tomorrow at 12? I booked the table by the window.",
    "Your parcel 8812 is out for delivery today between 14:00 and 16:00. Reply STOP to end.",
    "明天下午三点在老地方见，记得带上次借的那本书，晚上一起吃饭。",
    "ok see u l8r!! call me when ur home :) 555-0123",
];
/// How often the sample is judged to find its best time.
const SAMPLE_ROUNDS: usize = 5;
/// In the place of a number of terms that nobody counted.
const NOT_COUNTED: u64 = u64::MAX;
/// How many failed tests are counted before the rest is not run any more.
const FAILED_MAX: usize = 100;

/// Whether a test's message must match.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wanted {
    /// It must.
    Hit,
    /// It must not.
    Miss,
}

/// A message that must match, or must not.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelfTest {
    /// The message.
    pub text: String,
    /// What must come of it.
    pub wanted: Wanted,
    /// Id of the list whose term is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<String>,
    /// The term that is meant, as its author wrote it; any if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term: Option<String>,
}

impl SelfTest {
    /// A message and whether any term must match it.
    #[must_use]
    pub fn new(text: &str, wanted: Wanted) -> SelfTest {
        SelfTest { text: text.to_owned(), wanted, list: None, term: None }
    }

    fn holds(&self, verdict: &Verdict, pack: &Pack<'_>) -> bool {
        let is_meant = |found: &tamis_guest::Match| {
            let term = pack.term(found.term);
            self.term.as_ref().is_none_or(|text| term.text == text)
                && self.list.as_ref().is_none_or(|list| term.list == list)
        };
        verdict.matches.iter().any(is_meant) == (self.wanted == Wanted::Hit)
    }
}

/// How a candidate is checked.
#[derive(Clone, Debug)]
pub struct Admission {
    message_budget: Duration,
    hostile_bytes: usize,
    process: Option<AdmissionProcess>,
}

impl Default for Admission {
    fn default() -> Admission {
        Admission { message_budget: Duration::from_millis(1), hostile_bytes: 16 << 10, process: None }
    }
}

/// What the checking process is told before the content.
pub(crate) struct Request {
    pub(crate) admission: Admission,
    /// How many terms the signer counted, if it is all a signer's.
    pub(crate) terms: Option<u64>,
    /// The limits of the host's own sandboxes.
    pub(crate) config: RuntimeConfig,
}

/// What the checks found.
#[derive(Clone, Debug)]
pub struct AdmissionReport {
    /// How many terms.
    pub terms: usize,
    /// How many of the bundle's own tests ran, all well.
    pub tests: usize,
    /// Best time for a message the size of an SMS.
    pub message_time: Duration,
    /// Memory of one sandbox after all messages, the shared pack included.
    pub memory_bytes: usize,
    /// Warnings of the lists.
    pub warnings: Vec<Diagnostic>,
}

impl Admission {
    /// How long a message the size of an SMS may take. Default 1 ms, some five hundred times what the filter
    /// needs: it is there to stop lists that make everything slow, not to measure.
    pub fn message_budget(&mut self, budget: Duration) -> &mut Admission {
        self.message_budget = budget;
        self
    }

    /// Length of each built-in hostile message. Default 16 KiB, together about 50 ms.
    pub fn hostile_bytes(&mut self, bytes: usize) -> &mut Admission {
        self.hostile_bytes = bytes;
        self
    }

    /// Checks candidates in a process that can be killed. Default: in this one, where nothing ends a module
    /// that takes too long to compile.
    pub fn process(&mut self, process: AdmissionProcess) -> &mut Admission {
        self.process = Some(process);
        self
    }

    /// Tells the checking process what to check.
    pub(crate) fn write_request(
        &self,
        content: &Content,
        terms: Option<u64>,
        config: &RuntimeConfig,
        out: &mut impl Write,
    ) -> io::Result<()> {
        for number in [
            nanos(self.message_budget),
            self.hostile_bytes as u64,
            terms.unwrap_or(NOT_COUNTED),
            nanos(config.scan_deadline),
            config.memory_bytes_max as u64,
            config.module_bytes_max as u64,
        ] {
            out.write_all(&number.to_le_bytes())?;
        }
        for (kind, bytes) in &content.parts {
            out.write_all(&[*kind as u8])?;
            out.write_all(&(bytes.len() as u64).to_le_bytes())?;
            out.write_all(bytes)?;
        }
        out.flush()
    }

    /// The beginning of what [`write_request`](Admission::write_request) wrote.
    pub(crate) fn read_request(request: &mut impl Read) -> io::Result<Request> {
        let mut number = || {
            let mut bytes = [0; 8];
            request.read_exact(&mut bytes).map(|()| u64::from_le_bytes(bytes))
        };
        let bytes = |number: u64| usize::try_from(number).map_err(io::Error::other);
        let message_budget = Duration::from_nanos(number()?);
        let hostile_bytes = bytes(number()?)?;
        let terms = Some(number()?).filter(|&terms| terms != NOT_COUNTED);
        let mut config = RuntimeConfig::default();
        config.scan_deadline(Duration::from_nanos(number()?));
        config.memory_bytes_max(bytes(number()?)?).module_bytes_max(bytes(number()?)?);
        Ok(Request { admission: Admission { message_budget, hostile_bytes, process: None }, terms, config })
    }

    /// The rest of it.
    pub(crate) fn read_content(mut rest: &[u8]) -> Result<Content, Refusal> {
        let cut = || Refusal::Malformed("the request is cut short".to_owned());
        let mut content = Content::default();
        while let Some((&kind, after)) = rest.split_first() {
            let kind = PartKind::ALL.into_iter().find(|known| *known as u8 == kind).ok_or_else(cut)?;
            let (length, after) = after.split_first_chunk::<8>().ok_or_else(cut)?;
            let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| cut())?;
            let (bytes, after) = after.split_at_checked(length).ok_or_else(cut)?;
            content.parts.push((kind, bytes.to_vec()));
            rest = after;
        }
        Ok(content)
    }

    /// Compiles a verified bundle and puts it to the test. `known` are modules compiled before; one with the
    /// same bytes is not compiled again.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn check(
        &self,
        runtime: &Runtime,
        verified: &Verified,
        defaults: &Defaults,
        known: &[&Module],
    ) -> Result<(Parts, AdmissionReport), Refusal> {
        self.check_content(runtime, verified.content(), Some(verified.manifest().terms), defaults, known)
    }

    /// As [`check`](Admission::check), of content that need not be a bundle's own. `terms_stated` is what its signer
    /// counted.
    pub(crate) fn check_content(
        &self,
        runtime: &Runtime,
        content: &Content,
        terms_stated: Option<u64>,
        defaults: &Defaults,
        known: &[&Module],
    ) -> Result<(Parts, AdmissionReport), Refusal> {
        let Some(process) = &self.process else {
            let Compiled { pack, policy, warnings } = content.compile()?;
            let compiled = Compiled { pack: runtime.pack(pack)?, policy, warnings };
            let module = find_module(runtime, content, &defaults.module, known)?;
            return self.test_compiled(runtime, content, compiled, terms_stated, &defaults.policy, module);
        };
        // A module that is new here is compiled over there first.
        let is_known = |module: &&&Module| content.part(PartKind::Module) == Some(module.wasm());
        let module = match content.part(PartKind::Module) {
            Some(_) => known.iter().find(is_known).copied(),
            None => Some(&defaults.module),
        };
        let (pack, report) = process.check(runtime, content, terms_stated, self, module)?;
        check_count(report.terms, terms_stated)?;
        // Compiled by that process, so it is in the cache if there is one.
        let module = find_module(runtime, content, &defaults.module, known)?;
        let policy = content.policy()?;
        Ok((assemble(module, pack, policy.as_ref().unwrap_or(&defaults.policy))?, report))
    }

    /// The second half of the checks in one process, once the lists are compiled.
    pub(crate) fn test_compiled(
        &self,
        runtime: &Runtime,
        content: &Content,
        compiled: Compiled<PackImage>,
        terms_stated: Option<u64>,
        default_policy: &PolicySource,
        module: Module,
    ) -> Result<(Parts, AdmissionReport), Refusal> {
        let parts = assemble(module, compiled.pack, compiled.policy.as_ref().unwrap_or(default_policy))?;
        let mut report = self.test(runtime, &parts, terms_stated, &content.tests()?)?;
        report.warnings = compiled.warnings;
        Ok((parts, report))
    }

    /// Puts parts to the test, in a fresh sandbox.
    fn test(
        &self,
        runtime: &Runtime,
        parts: &Parts,
        terms_stated: Option<u64>,
        tests: &[SelfTest],
    ) -> Result<AdmissionReport, Refusal> {
        let terms = parts.pack.pack().terms_count();
        if terms == 0 {
            return Err(Refusal::Empty);
        }
        check_count(terms, terms_stated)?;
        let filter = Filter::new(runtime, parts.clone())?;
        let mut worker = filter.worker()?;
        run_tests(&mut worker, &parts.pack, tests)?;
        self.run_hostile(&mut worker)?;
        let message_time = sample_time(&mut worker);
        if message_time > self.message_budget {
            let us = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
            return Err(Refusal::Slow { found_us: us(message_time), budget_us: us(self.message_budget) });
        }
        let memory_bytes = worker.memory_bytes();
        Ok(AdmissionReport { terms, tests: tests.len(), message_time, memory_bytes, warnings: Vec::new() })
    }

    fn run_hostile(&self, worker: &mut Worker) -> Result<(), Refusal> {
        let mut judged: Vec<Judged> = Vec::new();
        for (name, text) in hostile_messages(self.hostile_bytes) {
            worker.scan(&[Message { text: &text, ..Message::default() }], &mut judged);
            if let Some(failure) = &judged[0].failure {
                return Err(Refusal::Hostile { message: name, failure: failure.to_string() });
            }
        }
        Ok(())
    }
}

fn check_count(found: usize, stated: Option<u64>) -> Result<(), Refusal> {
    let found = found as u64;
    stated.filter(|&stated| stated != found).map_or(Ok(()), |stated| Err(Refusal::Terms { stated, found }))
}

pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// The module of the content: one that is compiled already, if it is known.
pub(crate) fn find_module(
    runtime: &Runtime,
    content: &Content,
    default: &Module,
    known: &[&Module],
) -> Result<Module, Refusal> {
    let Some(wasm) = content.part(PartKind::Module) else { return Ok(default.clone()) };
    let module = match known.iter().find(|module| module.wasm() == wasm) {
        Some(module) => (*module).clone(),
        None => runtime.module(wasm)?,
    };
    // What stands beside is the operator's choice on this host, not that of a bundle.
    Ok(module.with_sides_of(default))
}

fn assemble(module: Module, pack: PackImage, policy: &PolicySource) -> Result<Parts, LoadError> {
    if !policy.protected().is_in(&pack.pack()) {
        return Err(LoadError::Unprotected);
    }
    let table = crate::sources::resolve(policy, &pack);
    let table = {
        let pack = pack.pack();
        let categories: Vec<&str> = (0..pack.categories_count()).map(|index| pack.category(index).id).collect();
        with_modes(&table, &categories)
    };
    Ok(Parts { module, pack, policy: table, failure: policy.failure_policies() })
}

fn run_tests(worker: &mut Worker, image: &PackImage, tests: &[SelfTest]) -> Result<(), Refusal> {
    let pack = image.pack();
    let mut judged: Vec<Judged> = Vec::new();
    let (mut failed, mut first) = (0, None);
    for batch in tests.chunks(64) {
        let messages: Vec<Message<'_>> = batch.iter().map(|test| Message::body(&test.text)).collect();
        worker.scan(&messages, &mut judged);
        for (test, judged) in batch.iter().zip(&judged) {
            if judged.failure.is_none() && test.holds(&judged.verdict, &pack) {
                continue;
            }
            failed += 1;
            first.get_or_insert_with(|| {
                let wanted = if test.wanted == Wanted::Hit { "must match" } else { "must not match" };
                let term = test.term.as_ref().map_or(String::new(), |term| format!(" `{term}`"));
                format!("{:?} {wanted}{term}", test.text)
            });
        }
        if failed > FAILED_MAX {
            break;
        }
    }
    match first {
        None => Ok(()),
        Some(first) => Err(Refusal::Tests { failed, all: tests.len(), first }),
    }
}

/// Best time of a message of the sample.
fn sample_time(worker: &mut Worker) -> Duration {
    let messages: Vec<Message<'_>> = SAMPLE.into_iter().cycle().take(32).map(Message::body).collect();
    let mut judged = Vec::new();
    let time = |_| {
        let start = Instant::now();
        worker.scan(&messages, &mut judged);
        start.elapsed()
    };
    (0..SAMPLE_ROUNDS).map(time).min().unwrap_or_default() / 32
}

/// Texts that have broken filters, each about `bytes` long.
fn hostile_messages(bytes: usize) -> Vec<(&'static str, Vec<u8>)> {
    let repeat = |part: &str| part.as_bytes().iter().copied().cycle().take(bytes).collect::<Vec<u8>>();
    vec![
        ("empty", Vec::new()),
        ("one letter", repeat("a")),
        ("spaced letters", repeat("v i a g r a ")),
        ("digits and signs", repeat("4!1|0$@3")),
        ("combining marks", repeat("a\u{301}\u{302}\u{303}")),
        ("invisible characters", repeat("a\u{200B}\u{200D}\u{FEFF}")),
        ("direction marks", repeat("\u{202E}abc\u{202C}")),
        ("Han", repeat("的一是不了人我在有他这")),
        ("entities", repeat("&#x26;#118;&amp;")),
        ("percent signs", repeat("%25%76%69")),
        ("tags", repeat("<b><i></b>")),
        ("zeros", vec![0; bytes]),
        ("not UTF-8", vec![0xFF; bytes]),
        ("broken UTF-8", [0xE4, 0xBD].into_iter().cycle().take(bytes).collect()),
        ("line ends", repeat("\r\n\u{2028}\u{85}")),
        ("emoji", repeat("👨\u{200D}👩\u{200D}👧\u{200D}👦🏳\u{FE0F}\u{200D}🌈")),
    ]
}
