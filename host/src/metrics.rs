//! What is going on, as Prometheus text. Reads counters that are kept anyway; serving the text is for the
//! embedder.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use tamis_guest::Action;

use crate::bundle::{FollowEvent, Refusal};
use crate::log::LogCounts;
use crate::{Counts, Filter, FloodReason, TrialMode};

/// The metrics of a filter. Cloning shares them.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Registry>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    filter: Filter,
    log: Option<LogCounts>,
    /// Bundles that were not taken, by the code of the reason. As many as there are codes.
    refused: Mutex<BTreeMap<&'static str, u64>>,
    taken_back: Mutex<u64>,
    /// Of the trust file, 0 without one.
    trust_version: AtomicU64,
}

type Labels = [(&'static str, String); 2];

impl Metrics {
    /// Metrics of a filter and, if it has one, its decision log.
    #[must_use]
    pub fn new(filter: &Filter, log: Option<LogCounts>) -> Metrics {
        let (refused, taken_back, trust_version) = Default::default();
        let shared = Arc::new(Shared { filter: filter.clone(), log, refused, taken_back, trust_version });
        let mut registry = Registry::with_prefix("tamis");
        registry.register_collector(Box::new(Source(shared.clone())));
        Metrics { registry: Arc::new(registry), shared }
    }

    /// Says which trust file holds at the start; a follower tells of later ones.
    pub fn trust_version(&self, version: u64) {
        self.shared.trust_version.store(version, Ordering::Relaxed);
    }

    /// Counts what a follower has to tell.
    pub fn note(&self, event: &FollowEvent) {
        match event {
            FollowEvent::Refused(refusal) => self.refused(refusal),
            FollowEvent::Trusted(taken) => self.trust_version(taken.version),
            FollowEvent::TakenBack { .. } | FollowEvent::TrialFailed { .. } => {
                *self.shared.taken_back.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            }
            _ => {}
        }
    }

    fn refused(&self, refusal: &Refusal) {
        let mut refused = self.shared.refused.lock().unwrap_or_else(PoisonError::into_inner);
        *refused.entry(refusal.code()).or_default() += 1;
    }

    /// All metrics in the text format that Prometheus scrapes (`application/openmetrics-text`).
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a string does not fail.
        let _ = text::encode(&mut out, &self.registry);
        out
    }
}

#[derive(Debug)]
struct Source(Arc<Shared>);

impl Collector for Source {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut history = self.0.filter.history();
        // One on trial that judges some senders' messages; of one that watches, no message would be counted once.
        let judging = self.0.filter.trial().filter(|trial| trial.mode() == TrialMode::Judge);
        history.extend(judging.map(|trial| (trial.generation().number(), trial.generation().stats.clone())));
        let all: Vec<(String, Counts)> =
            history.iter().map(|(number, stats)| (number.to_string(), stats.counts())).collect();
        let generation = |number: &str| ("generation", number.to_owned());

        let mut metric = encoder.encode_descriptor(
            "message_seconds",
            "Time of a message, its share of the call it was judged in",
            None,
            MetricType::Histogram,
        )?;
        for (number, counts) in &all {
            let bound = |class: usize| {
                if class + 1 == counts.times.len() { f64::INFINITY } else { f64::from(1u32 << class) / 1e6 }
            };
            let buckets: Vec<(f64, u64)> =
                counts.times.iter().enumerate().map(|(class, &count)| (bound(class), count)).collect();
            metric.encode_family(&[generation(number)])?.encode_histogram::<[(&str, &str); 0]>(
                counts.time.as_secs_f64(),
                counts.messages(),
                &buckets,
                None,
            )?;
        }
        let mut metric = encoder.encode_descriptor(
            "messages",
            "Messages judged, by action, floods aside",
            None,
            MetricType::Counter,
        )?;
        for (number, counts) in &all {
            for (action, &count) in Action::ALL.iter().zip(&counts.actions) {
                let labels: Labels = [generation(number), ("action", action.name().to_owned())];
                ConstCounter::new(count).encode(metric.encode_family(&labels)?)?;
            }
        }
        let mut metric = encoder.encode_descriptor(
            "matched_messages",
            "Messages with a match, by category",
            None,
            MetricType::Counter,
        )?;
        for ((number, counts), (_, stats)) in all.iter().zip(&history) {
            for (category, &count) in stats.category_ids.iter().zip(&counts.categories).filter(|(_, count)| **count > 0)
            {
                let labels: Labels = [generation(number), ("category", category.clone())];
                ConstCounter::new(count).encode(metric.encode_family(&labels)?)?;
            }
        }
        let mut metric = encoder.encode_descriptor(
            "failures",
            "Messages on which the filter failed and the policy's answer to failures stands",
            None,
            MetricType::Counter,
        )?;
        for (number, counts) in &all {
            for (kind, count) in [("deadline", counts.deadlines), ("trap", counts.traps)] {
                let labels: Labels = [generation(number), ("kind", kind.to_owned())];
                ConstCounter::new(count).encode(metric.encode_family(&labels)?)?;
            }
        }
        let running = self.0.filter.generation();
        let mut metric = encoder.encode_descriptor(
            "side_messages",
            "Messages on which a module beside the filter acted or failed",
            None,
            MetricType::Counter,
        )?;
        for side in running.parts().module.sides() {
            let (acted, failed) = side.counts();
            for (what, count) in [("acted", acted), ("failed", failed)] {
                let labels: Labels = [("module", side.name().to_string()), ("what", what.to_owned())];
                ConstCounter::new(count).encode(metric.encode_family(&labels)?)?;
            }
        }
        let gauge = |encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64| {
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)).encode(metric)
        };
        let counter = |encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64| {
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(value).encode(metric)
        };
        gauge(&mut encoder, "generation", "Number of the generation that judges", running.number())?;
        gauge(&mut encoder, "generation_age_seconds", "How long it has judged", running.counts().age.as_secs())?;
        if let Some(origin) = running.origin() {
            gauge(&mut encoder, "bundle_sequence", "Sequence of the bundle that judges", origin.sequence)?;
            gauge(
                &mut encoder,
                "bundle_expires_seconds",
                "Until when it should be replaced, since 1970",
                origin.expires,
            )?;
            if let Some(sequence) = origin.emergency {
                gauge(&mut encoder, "emergency_sequence", "Sequence of the emergency file that holds", sequence)?;
            }
        }
        let trust_version = self.0.trust_version.load(Ordering::Relaxed);
        if trust_version > 0 {
            gauge(&mut encoder, "trust_version", "Version of the trust file that holds", trust_version)?;
        }
        counter(&mut encoder, "swaps", "Generations that replaced the one before", self.0.filter.swaps())?;
        counter(&mut encoder, "swaps_refused", "Generations that did not start", self.0.filter.swaps_refused())?;
        let taken_back = *self.0.taken_back.lock().unwrap_or_else(PoisonError::into_inner);
        counter(&mut encoder, "bundles_taken_back", "Bundles taken back by breakers", taken_back)?;
        let mut metric =
            encoder.encode_descriptor("bundles_refused", "Bundles refused, by reason", None, MetricType::Counter)?;
        for (code, &count) in self.0.refused.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            ConstCounter::new(count).encode(metric.encode_family(&[("reason", *code)])?)?;
        }
        if let Some(trial) = self.0.filter.trial() {
            gauge(&mut encoder, "trial_generation", "Number of the generation on trial", trial.generation().number())?;
            let report = trial.report();
            let same = report.compared - report.changes();
            counter(&mut encoder, "trial_same", "Messages on which the one on trial says the same", same)?;
            counter(&mut encoder, "trial_failures", "Messages on which the one on trial failed", report.failures)?;
            let what = "Messages with another action by the one on trial";
            let mut metric = encoder.encode_descriptor("trial_changed", what, None, MetricType::Counter)?;
            for (judged, on_trial, count) in report.changed {
                let labels: Labels = [("action", judged.name().to_owned()), ("on_trial", on_trial.name().to_owned())];
                ConstCounter::new(count).encode(metric.encode_family(&labels)?)?;
            }
        }
        if let Some(watch) = self.0.filter.flood_watch() {
            let mut metric =
                encoder.encode_descriptor("floods", "Messages past a limit of floods", None, MetricType::Counter)?;
            for reason in FloodReason::ALL {
                let labels = [("reason", reason.name())];
                ConstCounter::new(watch.passed(reason)).encode(metric.encode_family(&labels)?)?;
            }
            let (senders, campaigns) = watch.remembered();
            gauge(&mut encoder, "flood_senders", "Senders that are remembered", senders as u64)?;
            gauge(&mut encoder, "flood_campaigns", "Texts that are remembered", campaigns as u64)?;
        }
        if let Some(log) = &self.0.log {
            counter(&mut encoder, "log_written", "Records in the decision log", log.written.load(Ordering::Relaxed))?;
            counter(&mut encoder, "log_lost", "Records that were lost", log.lost.load(Ordering::Relaxed))?;
            let is_failing = u64::from(log.is_failing.load(Ordering::Relaxed));
            gauge(&mut encoder, "log_failing", "1 while the disk takes no records", is_failing)?;
            gauge(&mut encoder, "log_queue", "Records that wait to be written", log.queued.load(Ordering::Relaxed))?;
        }
        Ok(())
    }
}
