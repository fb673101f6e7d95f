//! `tamis check`: judges messages as they come, and follows changed files while it does.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::Value;
use tamis_guest::wire::BATCH_MESSAGES_MAX;
use tamis_guest::{Action, ChannelId, Field};
use tamis_host::bundle::{FollowEvent, Follower, Source, Trust, TrustTaken, Trying, Updater, UpdaterConfig};
use tamis_host::log::{Log, LogConfig, Reference, WithoutRoom};
use tamis_host::{
    Breakers, Filter, Generation, Judged, Metrics, Parts, Runtime, RuntimeConfig, SideVerdict, Strikes, WatchEvent,
    Watcher, Worker,
};

use crate::Outcome;
use crate::args::{BundleSourceArgs, CheckArgs, CheckFormat};
use crate::defaults::{self, Started, start_with};
use crate::input::{self, Line};
use crate::json::VerdictJson;
use crate::{serve, text, trace};

/// How many senders' strikes are remembered, in 3.2 MB.
const STRIKING_SENDERS_MAX: usize = 100_000;

pub(crate) fn run(args: &CheckArgs) -> anyhow::Result<Outcome> {
    trace::begin(&args.trace)?;
    let inputs = input::open(&args.files)?;
    let host = args.bundles.host.clone().unwrap_or_else(defaults::host_name);
    let without_room = if args.require_log { WithoutRoom::Fail } else { WithoutRoom::GoOn };
    let open = |folder| Log::open(&LogConfig { host: host.clone(), without_room, ..LogConfig::new(folder) });
    let log = args.log.as_deref().map(open).transpose()?.map(Arc::new);
    let counts = log.as_ref().map(|log| log.counts());
    let outcome = run_logged(args, inputs, &host, log);
    // Written to the end by now.
    let lost = counts.map_or(0, |counts| counts.lost.load(Ordering::Relaxed));
    if lost > 0 {
        let records = if lost == 1 { "record was" } else { "records were" };
        text::note(&format!("{} {records} lost that the decision log had no room for", text::count(lost)));
    }
    outcome
}

fn run_logged(
    args: &CheckArgs,
    inputs: Vec<input::Input>,
    host: &str,
    log: Option<Arc<Log>>,
) -> anyhow::Result<Outcome> {
    let follower = args.bundles.bundles.as_ref().map(|from| follow(args, from, host, log.as_ref())).transpose()?;
    if let Some(follower) = follower {
        let filter = follower.updater().filter().clone();
        count_strikes(args, &filter);
        let worker = filter.worker()?;
        let outcome = judge_all(args, inputs, worker, log.as_deref());
        // A bundle that is being taken is taken and told before the end.
        drop(follower);
        return outcome;
    }
    let Started { filter, sources, defaults, .. } = start_with(&args.sources, &args.side_module)?;
    count_strikes(args, &filter);
    let worker = filter.worker()?;
    serve_metrics(args, &Metrics::new(&filter, log.as_ref().map(|log| log.counts())))?;
    let _watcher = if args.watch {
        if sources.is_empty() {
            bail!("--watch has nothing to watch; name --lists, --terms, --policy or --module");
        }
        Some(Watcher::spawn(filter, sources, defaults, show_event)?)
    } else {
        None
    };
    judge_all(args, inputs, worker, log.as_deref())
}

fn count_strikes(args: &CheckArgs, filter: &Filter) {
    if let Some(minutes) = args.strikes {
        filter.count_strikes(Strikes::new(Duration::from_secs(60 * minutes), STRIKING_SENDERS_MAX));
    }
}

/// Follows signed bundles. The first that is there judges before this returns.
fn follow(args: &CheckArgs, from: &str, host: &str, log: Option<&Arc<Log>>) -> anyhow::Result<Follower> {
    let BundleSourceArgs { trust: Some(trust), state: Some(state), name, every, steps, .. } = &args.bundles else {
        bail!("--bundles needs --trust and --state");
    };
    let text = fs::read_to_string(trust).with_context(|| format!("cannot read {}", trust.display()))?;
    let config = UpdaterConfig {
        name: name.clone(),
        trust: Trust::parse(&text).with_context(|| trust.display().to_string())?,
        trust_file: Some(trust.clone()),
        state: state.clone(),
        admission: defaults::admission(),
        host: host.to_owned(),
        steps: steps.as_ref().map(|steps| steps.0.clone()),
    };
    let runtime = Runtime::new(RuntimeConfig::default().module_cache(&state.join("modules")))?;
    let defaults = defaults::with_sides(&runtime, defaults::defaults(&runtime)?, &args.side_module)?;
    let (updater, passed_over) = Updater::start(&runtime, config, defaults)?;
    for refusal in passed_over {
        text::error(&refusal.into());
        text::note("something that was kept was passed over");
    }
    let metrics = Metrics::new(updater.filter(), log.map(|log| log.counts()));
    metrics.trust_version(updater.trust_version());
    serve_metrics(args, &metrics)?;
    let (log, shown) = (log.cloned(), from.to_owned());
    let on_event = move |event| {
        metrics.note(&event);
        if let Some(log) = &log {
            log.note_event(&event);
        }
        show_bundle_event(event, &shown);
    };
    let (every, source) = (Duration::from_secs(*every), Source::parse(from)?);
    // What ran last judges while a server is asked for more.
    let looks_first = updater.active().is_none() || !source.is_remote();
    let mut follower = Follower::new(updater, source, every, Breakers::default(), on_event);
    if looks_first {
        follower.look();
    }
    if follower.updater().active().is_none() {
        text::note("there is no bundle yet; the built-in lists judge until there is one");
    }
    Ok(follower.spawn()?)
}

fn serve_metrics(args: &CheckArgs, metrics: &Metrics) -> anyhow::Result<()> {
    if let Some(address) = args.metrics {
        let bound = serve::metrics(address, metrics.clone())?;
        text::note(&format!("metrics at http://{bound}/metrics"));
    }
    Ok(())
}

fn show_bundle_event(event: FollowEvent, from: &str) {
    match event {
        FollowEvent::Swapped { generation, sequence, terms, .. } => text::note(&format!(
            "generation {generation} judges from here on: sequence {sequence}, {} terms",
            text::count(terms as u64)
        )),
        FollowEvent::Refused(refusal) => {
            text::error(&refusal.into());
            text::note(&format!(
                "what {from} has cannot be used; the running generation goes on until it has something better"
            ));
        }
        FollowEvent::Trusted(TrustTaken { version, signs_active }) => {
            text::note(&format!("trust file version {version} holds from here on"));
            if !signs_active {
                text::note(
                    "its keys did not sign the bundle that judges, which goes on until the next one; a restart would not \
                     take it, so publish one soon (`tamis bundle rollback` makes one of the same content)",
                );
            }
        }
        FollowEvent::Expired { seconds } => {
            text::note(&format!("the bundle should have been replaced {} s ago; it filters on", text::count(seconds)));
        }
        FollowEvent::Later { sequence, seconds } => text::note(&format!(
            "sequence {sequence} is for other hosts first; this one takes it in {} s",
            text::count(seconds)
        )),
        FollowEvent::Trying(Trying { generation, sequence, step, left_s }) => {
            let left = if left_s < step.seconds { format!(", {left_s} s of it left") } else { String::new() };
            text::note(&format!("sequence {sequence} is on trial as generation {generation}: {step}{left}"));
        }
        FollowEvent::Tried { sequence, report } => text::note(&format!("trial of sequence {sequence}: {report}")),
        FollowEvent::TrialFailed { sequence, trip } => {
            text::note(&format!("sequence {sequence} failed on trial and is not taken: {trip}"));
        }
        FollowEvent::Emergency { generation } => {
            text::note(&format!("an emergency file was taken, generation {generation} judges from here on"));
        }
        FollowEvent::TakenBack { generation, trip } => {
            text::note(&format!("the bundle was taken back, generation {generation} judges from here on: {trip}"));
        }
        event => text::note(&format!("{event:?}")),
    }
}

fn judge_all(
    args: &CheckArgs,
    inputs: Vec<input::Input>,
    mut worker: Worker,
    log: Option<&Log>,
) -> anyhow::Result<Outcome> {
    let mut report = Report::new(args.format);
    let mut lines = Vec::new();
    let mut judged = Vec::new();
    let mut problems = Vec::new();
    let started = Instant::now();
    for mut input in inputs {
        if args.uploads {
            let mut upload = worker.upload(|_| ChannelId::default(), b"");
            let line = input.read_upload(|chunk| upload.push(chunk))?;
            let mut of_upload = Judged::default();
            upload.finish(&mut of_upload);
            report.write(&[line], &[of_upload], &worker)?;
            continue;
        }
        let mut more = true;
        while more {
            lines.clear();
            more = input.read(BATCH_MESSAGES_MAX, &mut lines, &mut problems)?;
            judge(&mut worker, &lines, &mut judged, log);
            report.write(&lines, &judged, &worker)?;
            for problem in problems.drain(..) {
                report.outcome = Outcome::Wrong;
                text::note(&problem);
            }
            if !input.has_more_now() {
                report.out.flush()?;
            }
        }
    }
    report.finish(started, worker.generation())
}

fn judge(worker: &mut Worker, lines: &[Line], judged: &mut Vec<Judged>, log: Option<&Log>) {
    worker.follow();
    let generation = worker.generation().clone();
    let messages: Vec<_> = lines.iter().map(|line| line.message(&generation.parts().policy)).collect();
    let deliveries: Vec<_> = lines.iter().map(Line::delivery).collect();
    worker.scan_pinned_to(&messages, &deliveries, judged);
    if let Some(log) = log {
        for ((line, message), judged) in lines.iter().zip(&messages).zip(judged.iter()) {
            let reference = Reference { id: &line.id_text(), recipient: line.recipient.as_bytes() };
            log.note_of(worker.generation_of(judged), message, judged, reference);
        }
    }
}

fn show_event(event: WatchEvent) {
    match event {
        WatchEvent::Swapped { generation, terms, warnings } => {
            text::diagnostics(&warnings);
            text::note(&format!("generation {generation} judges from here on: {} terms", text::count(terms as u64)));
        }
        WatchEvent::Refused(error) => {
            text::error(&error.into());
            text::note("the change was refused; the running generation goes on");
        }
        event => text::note(&format!("{event:?}")),
    }
}

/// Writes verdicts and counts them.
struct Report {
    format: CheckFormat,
    out: Box<dyn Write>,
    counts: [u64; Action::ALL.len()],
    failures: u64,
    outcome: Outcome,
}

impl Report {
    fn new(format: CheckFormat) -> Report {
        let out: Box<dyn Write> = match format {
            CheckFormat::Text => Box::new(io::BufWriter::new(anstream::AutoStream::auto(io::stdout()))),
            CheckFormat::Json | CheckFormat::Ndjson => Box::new(io::BufWriter::with_capacity(64 << 10, io::stdout())),
        };
        Report { format, out, counts: [0; Action::ALL.len()], failures: 0, outcome: Outcome::Clean }
    }

    fn write(&mut self, lines: &[Line], judged: &[Judged], worker: &Worker) -> anyhow::Result<()> {
        for (line, judged) in lines.iter().zip(judged) {
            let Parts { pack, policy, .. } = worker.generation_of(judged).parts();
            let pack = pack.pack();
            let action = judged.verdict.action;
            let is_first = self.counts.iter().sum::<u64>() == 0;
            self.counts[action as usize] += 1;
            let side_failed = judged.sides.iter().any(|said| said.failure.is_some());
            self.failures += u64::from(judged.failure.is_some() || side_failed);
            if action > Action::Allow {
                self.outcome = self.outcome.max(Outcome::Found);
            }
            match self.format {
                CheckFormat::Text
                    if action == Action::Allow
                        && !judged.flood.is_flood()
                        && judged.would_be.is_none()
                        && judged.verdict.matches.is_empty()
                        && judged.verdict.shadow.is_empty()
                        && !judged.sides.iter().any(SideVerdict::says_something) => {}
                CheckFormat::Text => {
                    text::verdict(&mut self.out, line, judged, &pack)?;
                    if let (Field::Upload, Value::String(path), true) = (line.field, &line.id, line.text.is_empty()) {
                        text::places(&mut self.out, Path::new(path), judged)?;
                    }
                }
                CheckFormat::Ndjson => {
                    VerdictJson::new(line, judged, policy, &pack).write(&mut self.out)?;
                    self.out.write_all(b"\n")?;
                }
                CheckFormat::Json => {
                    self.out.write_all(if is_first { b"[\n" } else { b",\n" })?;
                    VerdictJson::new(line, judged, policy, &pack).write(&mut self.out)?;
                }
            }
        }
        Ok(())
    }

    fn finish(mut self, started: Instant, generation: &Generation) -> anyhow::Result<Outcome> {
        let total: u64 = self.counts.iter().sum();
        match self.format {
            CheckFormat::Ndjson => {}
            CheckFormat::Json => self.out.write_all(if total == 0 { b"[]\n" } else { b"\n]\n" })?,
            CheckFormat::Text => {
                let counts: Vec<String> = Action::ALL
                    .iter()
                    .zip(self.counts)
                    .filter(|&(_, count)| count > 0)
                    .map(|(action, number)| format!("{} {}", text::count(number), action.name()))
                    .collect();
                let terms = generation.parts().pack.pack().terms_count() as u64;
                let seconds = started.elapsed().as_secs_f64();
                let messages = if total == 1 { "message" } else { "messages" };
                let colon = if total > 0 { ": " } else { "" };
                writeln!(self.out, "{} {messages}{colon}{}", text::count(total), counts.join(", "))?;
                writeln!(
                    self.out,
                    "judged in {:.1} ms by generation {}, {} terms",
                    1000.0 * seconds,
                    generation.number(),
                    text::count(terms)
                )?;
            }
        }
        self.out.flush()?;
        if self.failures > 0 {
            text::note(&format!(
                "the filter failed on {} messages, which got the policy's answer to failures",
                text::count(self.failures)
            ));
            self.outcome = Outcome::Wrong;
        }
        Ok(self.outcome)
    }
}
