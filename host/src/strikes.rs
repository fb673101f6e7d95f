//! How many messages of a sender were held or blocked lately. Memory is fixed: when a place is taken, the
//! sender that was quiet longest goes. Not a verdict: what follows from strikes is for the embedder.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Parts of the window that are counted apart; it slides by one of them.
const STEPS: u64 = 8;
/// Places a sender may have.
const WAYS: usize = 4;
const SHARDS: usize = 16;

/// Strikes by sender over a sliding window.
#[derive(Debug)]
pub struct Strikes {
    hasher: RandomState,
    start: Instant,
    step: Duration,
    shards: [Mutex<Vec<Entry>>; SHARDS],
}

#[derive(Clone, Copy, Default, Debug)]
struct Entry {
    sender: u64,
    /// Number of the step that the last count belongs to.
    last_step: u64,
    counts: [u16; STEPS as usize],
}

impl Strikes {
    /// Counts over the last `window`, for at most `senders_max` senders at a time, 32 bytes each.
    #[must_use]
    pub fn new(window: Duration, senders_max: usize) -> Strikes {
        let places = senders_max.div_ceil(SHARDS * WAYS).max(1) * WAYS;
        let step = (window / STEPS as u32).max(Duration::from_millis(1));
        let shards = std::array::from_fn(|_| Mutex::new(vec![Entry::default(); places]));
        Strikes { hasher: RandomState::new(), start: Instant::now(), step, shards }
    }

    /// Strikes of the sender in the window, after adding one if `is_strike`.
    pub(crate) fn count(&self, sender: &[u8], is_strike: Strike, now: Instant) -> u32 {
        // Zero marks a free place.
        let key = self.hasher.hash_one(sender).max(1);
        let since = now.saturating_duration_since(self.start);
        let step = u64::try_from(since.as_nanos() / self.step.as_nanos()).unwrap_or(u64::MAX / 2) + STEPS;
        let mut shard = self.shards[key as usize % SHARDS].lock().unwrap_or_else(PoisonError::into_inner);
        let sets = shard.len() / WAYS;
        let first = (key / SHARDS as u64) as usize % sets * WAYS;
        let places = &mut shard[first..first + WAYS];
        let known = places.iter().position(|place| place.sender == key);
        let at = match (known, is_strike) {
            (Some(at), _) => at,
            (None, Strike::No) => return 0,
            (None, Strike::Yes) => {
                let quiet = (0..WAYS).min_by_key(|&at| places[at].last_step).unwrap_or(0);
                places[quiet] = Entry { sender: key, last_step: step, counts: [0; STEPS as usize] };
                quiet
            }
        };
        let entry = &mut places[at];
        for passed in entry.last_step + 1..=step.min(entry.last_step + STEPS) {
            entry.counts[(passed % STEPS) as usize] = 0;
        }
        entry.last_step = entry.last_step.max(step);
        if is_strike == Strike::Yes {
            let count = &mut entry.counts[(step % STEPS) as usize];
            *count = count.saturating_add(1);
        }
        entry.counts.iter().map(|&count| u32::from(count)).sum()
    }
}

/// Whether a message counts against its sender.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Strike {
    Yes,
    No,
}

#[cfg(test)]
mod tests {
    //! Strikes pass with time, and a flood of senders takes no memory.

    use std::time::{Duration, Instant};

    use super::{Strike, Strikes};

    #[test]
    fn strikes_count_up_and_pass() {
        let strikes = Strikes::new(Duration::from_secs(80), 100);
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(strikes.count(b"a", Strike::No, at(0)), 0);
        assert_eq!(strikes.count(b"a", Strike::Yes, at(0)), 1);
        assert_eq!(strikes.count(b"a", Strike::Yes, at(41)), 2);
        assert_eq!(strikes.count(b"b", Strike::No, at(41)), 0);
        assert_eq!(strikes.count(b"a", Strike::No, at(75)), 2);
        assert_eq!(strikes.count(b"a", Strike::No, at(95)), 1, "the first is out of the window");
        assert_eq!(strikes.count(b"a", Strike::No, at(1_000_000)), 0);
    }

    #[test]
    fn a_flood_of_senders_takes_no_memory() {
        let strikes = Strikes::new(Duration::from_secs(80), 1_000);
        let places =
            || strikes.shards.iter().map(|shard| shard.lock().map_or(0, |shard| shard.capacity())).sum::<usize>();
        let before = places();
        let now = Instant::now();
        for number in 0..100_000u32 {
            assert_eq!(strikes.count(&number.to_le_bytes(), Strike::Yes, now), 1);
        }
        assert_eq!(places(), before);
        // The last one is still known.
        assert_eq!(strikes.count(&99_999u32.to_le_bytes(), Strike::Yes, now), 2);
    }
}
