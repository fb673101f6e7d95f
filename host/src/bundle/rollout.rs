//! How a bundle comes to judge: on which hosts first, and there by which steps: watching, then for some senders, then
//! for all. Signed with the bundle; a host may be told other steps. Not for what decides whether a step went well;
//! those are the [`Breakers`](crate::Breakers).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::TrialMode;
use crate::trial::BUCKETS;

/// Most steps, and most rings.
const STAGES_MAX: usize = 10;
/// Longest that a step may take, or a ring may wait: thirty days.
const SECONDS_MAX: u32 = 30 * 24 * 3600;

/// How a bundle comes to judge. Without rings it comes to every host at once, without steps it judges at once.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rollout {
    /// Which hosts take it when, more of them with each; the last has all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rings: Vec<Ring>,
    /// What a host does with it, one after the other, before it judges every message.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
}

/// From when on so many hosts take a bundle.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ring {
    /// How many of 10,000 buckets of hosts.
    pub hosts: u16,
    /// How long after the bundle was made.
    pub after_seconds: u32,
}

/// A while in which a bundle watches, or judges for some senders only.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What it does.
    pub mode: TrialMode,
    /// How many of 10,000 buckets of senders.
    pub senders: u16,
    /// How long.
    pub seconds: u32,
}

impl Rollout {
    pub(crate) fn is_empty(&self) -> bool {
        self.rings.is_empty() && self.steps.is_empty()
    }

    /// What is wrong with it, if something is.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        let is_share = |share: u16| (1..=BUCKETS).contains(&u64::from(share));
        let (rings, steps) = (&self.rings, &self.steps);
        if rings.len() > STAGES_MAX || steps.len() > STAGES_MAX {
            return Some("more than 10 rings or steps");
        }
        if !rings.iter().all(|ring| is_share(ring.hosts) && ring.after_seconds <= SECONDS_MAX) {
            return Some("a ring has 1 to 10,000 buckets of hosts and waits at most 30 days");
        }
        if !steps.iter().all(|step| is_share(step.senders) && (1..=SECONDS_MAX).contains(&step.seconds)) {
            return Some("a step has 1 to 10,000 buckets of senders and takes a second to 30 days");
        }
        let widens = |one: &Ring, next: &Ring| one.hosts < next.hosts && one.after_seconds < next.after_seconds;
        if !rings.is_sorted_by(widens) || rings.last().is_some_and(|last| u64::from(last.hosts) != BUCKETS) {
            return Some("each ring has more hosts than the one before and comes later, and the last has all");
        }
        None
    }

    /// How long a host still waits for a bundle of that name, which was made so long ago.
    pub(crate) fn wait_s(&self, host: &str, name: &str, age_s: u64) -> u64 {
        // The name of the bundle makes it other hosts that are first for another filter.
        let bucket = xxh3_64(format!("{name}\0{host}").as_bytes()) % BUCKETS;
        let ring = self.rings.iter().find(|ring| bucket < u64::from(ring.hosts));
        ring.map_or(0, |ring| u64::from(ring.after_seconds).saturating_sub(age_s))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = match self.mode {
            TrialMode::Watch => "watch",
            TrialMode::Judge => "judge",
        };
        write!(f, "{mode}:{}%:{}s", f64::from(self.senders) / 100.0, self.seconds)
    }
}

/// `watch:100%:15m` or `judge:5%:1h`.
impl FromStr for Step {
    type Err = String;

    fn from_str(text: &str) -> Result<Step, String> {
        let wrong = || format!("`{text}` is no step; write one such as watch:100%:15m or judge:5%:1h");
        let mut parts = text.split(':');
        let (Some(mode), Some(share), Some(time), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong());
        };
        let mode = match mode {
            "watch" => TrialMode::Watch,
            "judge" => TrialMode::Judge,
            _ => return Err(wrong()),
        };
        let (senders, seconds) = (buckets(share).ok_or_else(wrong)?, seconds(time).ok_or_else(wrong)?);
        Ok(Step { mode, senders, seconds })
    }
}

/// `5%:0m`.
impl FromStr for Ring {
    type Err = String;

    fn from_str(text: &str) -> Result<Ring, String> {
        let parse = || {
            let (share, time) = text.split_once(':')?;
            Some(Ring { hosts: buckets(share)?, after_seconds: seconds(time)? })
        };
        parse().ok_or_else(|| format!("`{text}` is no ring; write one such as 5%:0m or 100%:2h"))
    }
}

/// Of 10,000, from a percentage.
fn buckets(text: &str) -> Option<u16> {
    let percent: f64 = text.strip_suffix('%')?.parse().ok()?;
    // Both ends are below 65,536.
    (0.01..=100.0).contains(&percent).then(|| (percent * 100.0).round() as u16)
}

fn seconds(text: &str) -> Option<u32> {
    let unit = match text.bytes().last()? {
        b's' => 1,
        b'm' => 60,
        b'h' => 3600,
        _ => return None,
    };
    text[..text.len() - 1].parse::<u32>().ok()?.checked_mul(unit).filter(|seconds| *seconds <= SECONDS_MAX)
}

#[cfg(test)]
mod tests {
    //! Hosts come in ring by ring and stay in; what cannot be is refused.

    use super::{Ring, Rollout, Step, TrialMode};

    #[test]
    fn steps_and_rings_are_read() {
        let step = Step { mode: TrialMode::Judge, senders: 550, seconds: 1800 };
        assert_eq!("judge:5.5%:30m".parse(), Ok(step));
        assert_eq!(step.to_string().parse(), Ok(step));
        assert_eq!("25%:2h".parse(), Ok(Ring { hosts: 2500, after_seconds: 7200 }));
        for bad in
            ["", "watch", "watch:5%", "watch:5:1h", "watch:0%:1h", "judge:101%:1h", "judge:5%:1h:1h", "act:5%:1h"]
        {
            assert!(bad.parse::<Step>().is_err(), "{bad}");
        }
        for bad in ["5%", "5%:1d", "5%:", "5%:é", "NaN%:1h", "5%:99999999h"] {
            assert!(bad.parse::<Ring>().is_err(), "{bad}");
        }
    }

    #[test]
    fn hosts_come_in_ring_by_ring() {
        let rings = ["5%:0s", "25%:30m", "100%:2h"].map(|ring| ring.parse().expect("a ring")).to_vec();
        let rollout = Rollout { rings, steps: Vec::new() };
        assert_eq!(rollout.problem(), None);
        let hosts: Vec<String> = (0..1000).map(|number| format!("edge-{number}")).collect();
        let in_by = |age| hosts.iter().filter(|host| rollout.wait_s(host, "prod", age) == 0).count();
        let (first, second, all) = (in_by(0), in_by(1800), in_by(7200));
        assert!((20..90).contains(&first) && (200..300).contains(&second) && all == 1000, "{first} {second} {all}");
        assert!(hosts.iter().all(|host| rollout.wait_s(host, "prod", 0) <= 7200));
        let other = hosts.iter().filter(|host| rollout.wait_s(host, "staging", 0) == 0).count();
        let both =
            hosts.iter().filter(|host| ["prod", "staging"].iter().all(|name| rollout.wait_s(host, name, 0) == 0));
        assert!(both.count() < first.min(other), "another filter begins on other hosts");
    }

    #[test]
    fn a_rollout_that_never_reaches_all_is_none() {
        let of = |rings: &[&str], steps: &[&str]| Rollout {
            rings: rings.iter().map(|ring| ring.parse().expect("a ring")).collect(),
            steps: steps.iter().map(|step| step.parse().expect("a step")).collect(),
        };
        assert!(of(&["5%:0m"], &[]).problem().is_some(), "the rest would never take it");
        assert!(of(&["25%:0m", "5%:1m", "100%:2m"], &[]).problem().is_some());
        assert!(of(&["5%:2m", "100%:1m"], &[]).problem().is_some());
        assert!(of(&[], &["watch:100%:1s"; 11]).problem().is_some());
        assert!(of(&[], &["watch:100%:0s"]).problem().is_some());
        assert_eq!(of(&["5%:0m", "100%:1m"], &["watch:100%:1m"]).problem(), None);
    }
}
