//! Floods and campaigns: what only shows in many messages together. Too many from one sender, one sender
//! to too many, and the same text, a little changed, from many. Not for judging a text: the filter never
//! sees two messages, and this never says what one means.
//!
//! Memory is bounded and set aside at the start; when it is full, what was not seen for longest goes.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use tamis_guest::spam::{Feature, LinkFinder, features};
use tamis_guest::{Action, Field, Message, Pack, Policy, Severity};

/// The category that floods are reported as, if the taxonomy of the lists has it.
pub const FLOOD_CATEGORY: &str = "spam.flood";

/// Numbers in the signature of a text.
const SIGNATURE: usize = 32;
/// Of these, how many two texts share that say the same: about half of all their grams.
const SAME_MIN: usize = 14;
/// Numbers that are looked up together: texts with half of their grams in common meet 99 times in 100.
const BAND: usize = 2;
const BANDS: usize = SIGNATURE / BAND;
/// Texts with fewer grams say too little: everybody writes `ok, see you`.
const GRAMS_MIN: usize = 20;
/// Bits to count different senders or recipients with: right to some per cent up to a thousand.
const COUNTER_WORDS: usize = 8;

/// From when on it is a flood. All counts are within the window.
#[derive(Clone, Debug)]
pub struct FloodConfig {
    /// How long messages count. Default: one minute.
    pub window: Duration,
    /// Messages of one sender. Default: 30.
    pub sender_messages_max: u32,
    /// Different recipients of one sender. Default: 20.
    pub sender_recipients_max: u32,
    /// Messages with the same text, a little changed, in all. Default: 20.
    pub campaign_messages_max: u32,
    /// Different senders of such a text; one above it is a campaign, however slow. Default: 5.
    pub campaign_senders_max: u32,
    /// Senders that are remembered: 250 bytes each. Default: 20,000.
    pub senders_max: usize,
    /// Texts that are remembered: 900 bytes each. Default: 20,000.
    pub campaigns_max: usize,
}

impl Default for FloodConfig {
    fn default() -> FloodConfig {
        FloodConfig {
            window: Duration::from_secs(60),
            sender_messages_max: 30,
            sender_recipients_max: 20,
            campaign_messages_max: 20,
            campaign_senders_max: 5,
            senders_max: 20_000,
            campaigns_max: 20_000,
        }
    }
}

/// What is known of a message's company. Counts are within the window, this message included; counts of
/// different ones are right to some per cent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FloodSigns {
    /// Messages of its sender; 0 if the sender is unknown.
    pub sender_messages: u32,
    /// Recipients its sender wrote to.
    pub sender_recipients: u32,
    /// Messages that say the same; 0 if it is too short to tell.
    pub campaign_messages: u32,
    /// Senders of those.
    pub campaign_senders: u32,
    /// Which limits are passed: 0 none, 3 all of one kind.
    passed: u8,
}

const PASSED_RATE: u8 = 1;
const PASSED_RECIPIENTS: u8 = 2;
const PASSED_CAMPAIGN: u8 = 4;

impl FloodSigns {
    /// Whether some limit is passed.
    #[must_use]
    pub fn is_flood(self) -> bool {
        self.passed != 0
    }

    /// The reasons, for people.
    pub fn reasons(self) -> impl Iterator<Item = &'static str> {
        let all = [
            (PASSED_RATE, "too many messages of one sender"),
            (PASSED_RECIPIENTS, "one sender to too many"),
            (PASSED_CAMPAIGN, "the same text from many"),
        ];
        all.into_iter().filter(move |(bit, _)| self.passed & bit != 0).map(|(_, reason)| reason)
    }

    /// How bad: 2 for one limit passed, 3 for several. `None` if it is no flood.
    #[must_use]
    pub fn severity(self) -> Option<Severity> {
        match self.passed.count_ones() {
            0 => None,
            1 => Some(Severity::Moderate),
            _ => Some(Severity::Strong),
        }
    }

    /// What the policy says of it: of [`FLOOD_CATEGORY`], or holds it if the lists do not have that.
    #[must_use]
    pub fn action(self, pack: &Pack<'_>, policy: &Policy, message: &Message<'_>) -> Action {
        let Some(severity) = self.severity() else { return Action::Allow };
        let category = (0..pack.categories_count()).find(|&index| pack.category(index).id == FLOOD_CATEGORY);
        category.map_or(Action::Hold, |index| policy.action_for(message.channel, message.field, index, severity))
    }
}

/// Watches messages as they pass. One for all workers, behind a lock, or one for each part of the traffic.
#[derive(Debug)]
pub struct FloodWatch {
    config: FloodConfig,
    senders: Remembered<u64, Sender>,
    campaigns: Remembered<u32, Campaign>,
    /// Campaigns by parts of their signature.
    bands: HashMap<(u8, u64), u32>,
    next_campaign: u32,
    hasher: RandomState,
    links: LinkFinder,
}

/// Counts within a window that slides: those of the running one, and of the one before by its remainder.
#[derive(Clone, Copy, Debug, Default)]
struct Rate {
    start: Duration,
    now: u32,
    before: u32,
}

impl Rate {
    fn add(&mut self, at: Duration, window: Duration) -> u32 {
        let windows = at.saturating_sub(self.start).as_nanos() / window.as_nanos().max(1);
        if windows > 0 {
            self.before = if windows == 1 { self.now } else { 0 };
            self.now = 0;
            self.start += window * u32::try_from(windows).unwrap_or(u32::MAX);
        }
        self.now = self.now.saturating_add(1);
        let passed = at.saturating_sub(self.start).as_secs_f64() / window.as_secs_f64().max(1e-9);
        self.now + (f64::from(self.before) * (1.0 - passed).max(0.0)) as u32
    }

    /// Whether all it counts is long past.
    fn is_over(&self, at: Duration, window: Duration) -> bool {
        at.saturating_sub(self.start) >= window * 2
    }
}

/// Counts different things in a fixed number of bits.
#[derive(Clone, Copy, Debug, Default)]
struct Different([u64; COUNTER_WORDS]);

impl Different {
    fn add(&mut self, hash: u64) -> u32 {
        let bit = (hash >> 32) as usize % (64 * COUNTER_WORDS);
        self.0[bit / 64] |= 1 << (bit % 64);
        let bits = (64 * COUNTER_WORDS) as f64;
        let empty = f64::from(self.0.iter().map(|word| word.count_zeros()).sum::<u32>()).max(1.0);
        // Linear counting: how many it took to leave so few empty.
        (bits * (bits / empty).ln()).round() as u32
    }
}

#[derive(Debug, Default)]
struct Sender {
    rate: Rate,
    recipients: Different,
}

#[derive(Debug)]
struct Campaign {
    signature: [u32; SIGNATURE],
    rate: Rate,
    senders: Different,
}

/// A map of bounded size, from which the oldest entries go.
#[derive(Debug)]
struct Remembered<K, V> {
    entries: HashMap<K, V>,
    order: VecDeque<K>,
    most: usize,
}

impl<K: Copy + Eq + std::hash::Hash, V> Remembered<K, V> {
    fn new(most: usize) -> Remembered<K, V> {
        let most = most.max(1);
        Remembered { entries: HashMap::with_capacity(most), order: VecDeque::with_capacity(most), most }
    }

    /// Adds an entry and returns one that had to go.
    fn insert(&mut self, key: K, value: V) -> Option<V> {
        let gone = if self.entries.len() >= self.most { self.order.pop_front() } else { None };
        let gone = gone.and_then(|key| self.entries.remove(&key));
        self.entries.insert(key, value);
        self.order.push_back(key);
        gone
    }
}

impl FloodWatch {
    /// A watch that has seen nothing.
    #[must_use]
    pub fn new(config: FloodConfig) -> FloodWatch {
        FloodWatch {
            senders: Remembered::new(config.senders_max),
            campaigns: Remembered::new(config.campaigns_max),
            bands: HashMap::with_capacity(BANDS * config.campaigns_max.max(1)),
            next_campaign: 0,
            hasher: RandomState::new(),
            links: LinkFinder::default(),
            config,
        }
    }

    /// Takes note of a message to `recipient`, empty where unknown, at the time `now` of a clock that never
    /// goes back. Costs some microseconds.
    pub fn see(&mut self, message: &Message<'_>, recipient: &[u8], now: Duration) -> FloodSigns {
        let mut signs = FloodSigns::default();
        let window = self.config.window;
        let sender = self.hasher.hash_one(message.sender);
        if !message.sender.is_empty() {
            if !self.senders.entries.contains_key(&sender) {
                let rate = Rate { start: now, ..Rate::default() };
                self.senders.insert(sender, Sender { rate, recipients: Different::default() });
            }
            if let Some(entry) = self.senders.entries.get_mut(&sender) {
                if entry.rate.is_over(now, window) {
                    *entry = Sender { rate: Rate { start: now, ..Rate::default() }, recipients: Different::default() };
                }
                signs.sender_messages = entry.rate.add(now, window);
                if !recipient.is_empty() {
                    signs.sender_recipients = entry.recipients.add(self.hasher.hash_one(recipient));
                }
            }
        }
        if message.field == Field::Body
            && let Some(signature) = self.signature(message.text)
        {
            let number = self.campaign(&signature, now);
            if let Some(campaign) = self.campaigns.entries.get_mut(&number) {
                if campaign.rate.is_over(now, window) {
                    campaign.rate = Rate { start: now, ..Rate::default() };
                    campaign.senders = Different::default();
                }
                signs.campaign_messages = campaign.rate.add(now, window);
                signs.campaign_senders = campaign.senders.add(sender);
            }
        }
        let config = &self.config;
        for (bit, passed) in [
            (PASSED_RATE, signs.sender_messages > config.sender_messages_max),
            (PASSED_RECIPIENTS, signs.sender_recipients > config.sender_recipients_max),
            (
                PASSED_CAMPAIGN,
                signs.campaign_messages > config.campaign_messages_max
                    || signs.campaign_senders > config.campaign_senders_max,
            ),
        ] {
            signs.passed |= if passed { bit } else { 0 };
        }
        signs
    }

    /// The smallest of each of so many hashes over the grams of the folded text, in which numbers are only as long
    /// as they are: texts that share grams share numbers, in the same part.
    fn signature(&mut self, text: &[u8]) -> Option<[u32; SIGNATURE]> {
        let mut smallest = [u32::MAX; SIGNATURE];
        let mut grams = 0;
        features(text, b"", &mut self.links, |feature| {
            if let Feature::Gram(hash, _) = feature {
                grams += 1;
                let mut hash = u64::from(hash) | 1 << 33;
                for place in &mut smallest {
                    hash = hash.wrapping_mul(0xD134_2543_DE82_EF95).wrapping_add(0x9E37_79B9_7F4A_7C15);
                    *place = (*place).min((hash >> 32) as u32);
                }
            }
        });
        (grams >= GRAMS_MIN).then_some(smallest)
    }

    /// The campaign with that signature, or one like it; a new one if there is none.
    fn campaign(&mut self, signature: &[u32; SIGNATURE], now: Duration) -> u32 {
        for key in bands(signature) {
            let Some(&number) = self.bands.get(&key) else { continue };
            let same = |campaign: &Campaign| campaign.signature.iter().zip(signature).filter(|(a, b)| a == b).count();
            if self.campaigns.entries.get(&number).is_some_and(|campaign| same(campaign) >= SAME_MIN) {
                return number;
            }
        }
        let number = self.next_campaign;
        self.next_campaign = number.wrapping_add(1);
        let rate = Rate { start: now, ..Rate::default() };
        let campaign = Campaign { signature: *signature, rate, senders: Different::default() };
        if let Some(gone) = self.campaigns.insert(number, campaign) {
            for key in bands(&gone.signature) {
                // Another campaign may have taken the place since.
                if self.bands.get(&key).is_some_and(|number| !self.campaigns.entries.contains_key(number)) {
                    self.bands.remove(&key);
                }
            }
        }
        self.bands.extend(bands(signature).map(|key| (key, number)));
        number
    }
}

/// Parts of a signature, each with its number.
fn bands(signature: &[u32; SIGNATURE]) -> impl Iterator<Item = (u8, u64)> {
    let pairs = signature.as_chunks::<BAND>().0.iter();
    pairs.zip(0u8..).map(|(&[a, b], number)| (number, u64::from(a) << 32 | u64::from(b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch() -> FloodWatch {
        FloodWatch::new(FloodConfig { senders_max: 50, campaigns_max: 50, ..FloodConfig::default() })
    }

    fn seen(watch: &mut FloodWatch, sender: &str, recipient: &str, text: &str, second: u64) -> FloodSigns {
        let message = Message { sender: sender.as_bytes(), ..Message::body(text) };
        watch.see(&message, recipient.as_bytes(), Duration::from_secs(second))
    }

    #[test]
    fn one_text_a_little_changed_from_many_senders_is_a_campaign() {
        let mut watch = watch();
        let names = ["Anna", "Ben", "Clara", "Dan", "Eve", "Fay", "Gus", "Hal"];
        let mut last = FloodSigns::default();
        for (number, name) in names.iter().enumerate() {
            let text = format!("Hi {name}, your parcel {number}41 waits. Pay the fee");
            last = seen(&mut watch, &format!("+4470000{number}"), "", &text, number as u64);
        }
        assert_eq!(last.campaign_messages, 8);
        assert!((7..=9).contains(&last.campaign_senders), "{}", last.campaign_senders);
        assert!(last.is_flood());
        assert_eq!(last.reasons().collect::<Vec<_>>(), ["the same text from many"]);
        // In disguise, it is still the same.
        let disguised = seen(&mut watch, "x", "", "Hi Iva, y0ur p4rcel 841 waits. Pаy thе fее", 30);
        assert_eq!(disguised.campaign_messages, 9);
    }

    #[test]
    fn different_texts_are_no_campaign() {
        let mut watch = watch();
        let texts = [
            "can you bring the milk when you come home tonight",
            "the meeting moved to room four, see you there at ten",
            "happy birthday dear, have a wonderful day with everyone",
            "train is late again, start dinner without me please",
            "did you see the match last night? what a goal that was",
            "今天下午三点在图书馆门口集合，记得带上学生证和作业本",
            "妈，我到学校了，宿舍很好，你们不用担心，周末打电话",
        ];
        for (number, text) in texts.iter().enumerate() {
            let signs = seen(&mut watch, &format!("s{number}"), "r", text, 1);
            assert_eq!((signs.campaign_messages, signs.is_flood()), (1, false), "{text}");
        }
        for number in 0..40 {
            let signs = seen(&mut watch, &format!("short{number}"), "r", "ok", 1);
            assert!(!signs.is_flood(), "short texts are everybody's");
        }
    }

    #[test]
    fn rate_and_recipients_of_a_sender_count_within_the_window() {
        let mut watch = watch();
        let mut last = FloodSigns::default();
        for number in 0..25 {
            last = seen(&mut watch, "a", &format!("r{number}"), &format!("note {number}"), number);
        }
        assert_eq!(last.sender_messages, 25);
        assert!((23..=27).contains(&last.sender_recipients), "{}", last.sender_recipients);
        assert_eq!(last.reasons().collect::<Vec<_>>(), ["one sender to too many"]);
        for number in 25..40 {
            last = seen(&mut watch, "a", "r1", "note", number);
        }
        assert_eq!(last.severity(), Some(Severity::Strong));
        // Long after, all is forgotten.
        let after = seen(&mut watch, "a", "r1", "note", 1000);
        assert_eq!((after.sender_messages, after.is_flood()), (1, false));
        assert_eq!(seen(&mut watch, "", "r1", "note", 1000).sender_messages, 0);
    }

    #[test]
    fn memory_is_bounded() {
        let mut watch = watch();
        for number in 0..2000u64 {
            let letters: String =
                (0..60).map(|at| char::from(b'a' + ((number * 31 + at * at * 7) % 26) as u8)).collect();
            seen(&mut watch, &format!("s{number}"), "r", &letters, number);
        }
        assert!(watch.senders.entries.len() <= 50 && watch.senders.order.len() <= 50);
        assert!(watch.campaigns.entries.len() <= 50 && watch.campaigns.order.len() <= 50);
        assert!(watch.bands.len() <= 50 * BANDS, "{}", watch.bands.len());
    }
}
