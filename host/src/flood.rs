//! Floods and campaigns: what only shows in many messages together. Too many from one sender, one sender
//! to too many, and the same text, a little changed, from many. Not for judging a text: the filter never
//! sees two messages, and this never says what one means.
//!
//! Memory is bounded; when it is full, what was not seen for longest goes. Windows slide in quarters: a count is
//! over the last window at the most, and over three quarters of it at the least.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tamis_guest::spam::{Feature, LinkFinder, features};
use tamis_guest::{Action, Field, FloodPolicy, Message, Pack, Policy, Severity};

/// The category that floods are reported as, if the taxonomy of the lists has it.
pub const FLOOD_CATEGORY: &str = "spam.flood";

/// Numbers in the signature of a text.
const SIGNATURE: usize = 32;
/// Of these, how many two texts share that say the same: about two fifths of all their grams.
const SAME_MIN: usize = 12;
/// Numbers that are looked up together: texts with half of their grams in common meet 99 times in 100.
const BAND: usize = 2;
/// Texts with fewer grams say too little: everybody writes `ok, see you`.
const GRAMS_MIN: usize = 20;
/// Bits to count different senders or recipients with: right to some per cent up to a thousand.
const COUNTER_WORDS: usize = 8;
/// Parts in which a window slides.
const STEPS: u64 = 4;
/// Makes as many hashes of one. Odd, and otherwise any numbers do.
const MULTIPLIERS: [u64; SIGNATURE] = {
    let (mut all, mut number, mut at) = ([0; SIGNATURE], 0x9E37_79B9_7F4A_7C15u64, 0);
    while at < SIGNATURE {
        number = number.wrapping_mul(0xD134_2543_DE82_EF95).wrapping_add(0x2545_F491_4F6C_DD1D);
        all[at] = (number ^ number >> 29) | 1;
        at += 1;
    }
    all
};
/// No slot.
const NONE: u32 = u32::MAX;

/// Why messages are a flood.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FloodReason {
    /// Too many messages of one sender.
    SenderMessages,
    /// One sender to too many recipients.
    SenderRecipients,
    /// The same text in too many messages.
    CampaignMessages,
    /// The same text from too many senders.
    CampaignSenders,
}

impl FloodReason {
    /// All of them.
    pub const ALL: [FloodReason; 4] = [
        FloodReason::SenderMessages,
        FloodReason::SenderRecipients,
        FloodReason::CampaignMessages,
        FloodReason::CampaignSenders,
    ];

    /// Its name in JSON, metrics and the decision log.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            FloodReason::SenderMessages => "sender_messages",
            FloodReason::SenderRecipients => "sender_recipients",
            FloodReason::CampaignMessages => "campaign_messages",
            FloodReason::CampaignSenders => "campaign_senders",
        }
    }
}

/// What is known of a message's company. Counts are within the windows, this message included; counts of
/// different ones are right to some per cent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FloodSigns {
    /// Messages of its sender; 0 if the sender is unknown or exempt.
    pub sender_messages: u32,
    /// Recipients its sender wrote to; 0 if they are unknown.
    pub sender_recipients: u32,
    /// Messages that say the same; 0 if it is too short to tell.
    pub campaign_messages: u32,
    /// Known senders of those.
    pub campaign_senders: u32,
    /// Which limits are passed, a bit for each reason.
    passed: u8,
}

impl FloodSigns {
    /// Whether some limit is passed.
    #[must_use]
    pub fn is_flood(self) -> bool {
        self.passed != 0
    }

    /// The limits that are passed.
    pub fn reasons(self) -> impl Iterator<Item = FloodReason> {
        FloodReason::ALL.into_iter().filter(move |&reason| self.passed & 1 << reason as u8 != 0)
    }

    /// The count that a reason is about.
    #[must_use]
    pub fn count(self, reason: FloodReason) -> u32 {
        match reason {
            FloodReason::SenderMessages => self.sender_messages,
            FloodReason::SenderRecipients => self.sender_recipients,
            FloodReason::CampaignMessages => self.campaign_messages,
            FloodReason::CampaignSenders => self.campaign_senders,
        }
    }

    /// How bad: 2 if one limit is passed, 3 for more. `None` if it is no flood.
    #[must_use]
    pub fn severity(self) -> Option<Severity> {
        match self.passed.count_ones() {
            0 => None,
            1 => Some(Severity::Moderate),
            _ => Some(Severity::Strong),
        }
    }

    /// What the policy says of it: of [`FLOOD_CATEGORY`], or `hold` if the lists do not have that. There is nothing
    /// to mask in a flood, so `mask` is `hold` as well.
    #[must_use]
    pub fn action(self, pack: &Pack<'_>, policy: &Policy, message: &Message<'_>) -> Action {
        let Some(severity) = self.severity() else { return Action::Allow };
        let category = (0..pack.categories_count()).find(|&index| pack.category(index).id == FLOOD_CATEGORY);
        let of_policy = |index| policy.action_for(message.channel, message.field, index, severity);
        match category.map_or(Action::Hold, of_policy) {
            Action::Mask => Action::Hold,
            action => action,
        }
    }
}

/// Where a message goes, and when.
#[derive(Clone, Copy, Debug, Default)]
pub struct Delivery<'a> {
    /// Who it goes to; empty where unknown.
    pub recipient: &'a [u8],
    /// The time, of any clock; by the clock of this machine if not given. A time before the last is taken for the
    /// last.
    pub at: Option<Duration>,
}

/// Watches messages as they pass. Shared by all threads.
#[derive(Debug)]
pub struct FloodWatch {
    policy: FloodPolicy,
    start: Instant,
    hasher: RandomState,
    tables: Mutex<Tables>,
    /// By reason.
    passed: [AtomicU64; FloodReason::ALL.len()],
}

#[derive(Debug)]
struct Tables {
    now: Duration,
    senders: Remembered<Sender>,
    /// Slots of senders by the hash of their name.
    sender_slots: HashMap<u64, u32>,
    campaigns: Remembered<Campaign>,
    /// Slots of campaigns by parts of their signature.
    bands: HashMap<u64, u32>,
}

/// Messages and different ones of something in them, over the last window.
#[derive(Clone, Copy, Debug)]
struct Recent {
    /// Number of the quarter that was counted in last.
    step: u64,
    messages: [u32; STEPS as usize],
    /// A bit for the hash of each.
    different: [[u64; COUNTER_WORDS]; STEPS as usize],
}

impl Recent {
    fn new() -> Recent {
        Recent { step: 0, messages: [0; STEPS as usize], different: [[0; COUNTER_WORDS]; STEPS as usize] }
    }

    /// Counts one message, and what there is different in it.
    fn add(&mut self, step: u64, different: Option<u64>) {
        for passed in (self.step + 1).max((step + 1).saturating_sub(STEPS))..=step {
            let at = (passed % STEPS) as usize;
            (self.messages[at], self.different[at]) = (0, [0; COUNTER_WORDS]);
        }
        self.step = self.step.max(step);
        let at = (self.step % STEPS) as usize;
        self.messages[at] = self.messages[at].saturating_add(1);
        if let Some(hash) = different {
            let bit = (hash >> 32) as usize % (64 * COUNTER_WORDS);
            self.different[at][bit / 64] |= 1 << (bit % 64);
        }
    }

    fn messages(&self) -> u32 {
        self.messages.iter().fold(0, |sum, &count| sum.saturating_add(count))
    }

    /// How many different ones there were, by linear counting: how many it takes to leave so few bits empty.
    fn different(&self) -> u32 {
        let set = |word: usize| self.different.iter().fold(0, |bits, step| bits | step[word]);
        let empty: u32 = (0..COUNTER_WORDS).map(|word| set(word).count_zeros()).sum();
        let bits = (64 * COUNTER_WORDS) as f64;
        (bits * (bits / f64::from(empty.max(1))).ln()).round() as u32
    }
}

#[derive(Debug)]
struct Sender {
    key: u64,
    recent: Recent,
}

#[derive(Debug)]
struct Campaign {
    signature: [u32; SIGNATURE],
    recent: Recent,
}

/// Slots of a bounded number, in a list by when they were used last.
#[derive(Debug)]
struct Remembered<V> {
    slots: Vec<Slot<V>>,
    newest: u32,
    oldest: u32,
    most: usize,
}

#[derive(Debug)]
struct Slot<V> {
    value: V,
    newer: u32,
    older: u32,
}

impl<V> Remembered<V> {
    fn new(most: u32) -> Remembered<V> {
        Remembered { slots: Vec::new(), newest: NONE, oldest: NONE, most: (most.max(1) as usize).min(NONE as usize) }
    }

    /// Adds a value. Returns its slot, and the value that had to go from there: the one not used for longest.
    fn insert(&mut self, value: V) -> (u32, Option<V>) {
        if self.slots.len() < self.most {
            let at = self.slots.len() as u32;
            self.slots.push(Slot { value, newer: NONE, older: NONE });
            self.link(at);
            return (at, None);
        }
        let at = self.oldest;
        let gone = std::mem::replace(&mut self.slots[at as usize].value, value);
        self.unlink(at);
        self.link(at);
        (at, Some(gone))
    }

    /// The value of a slot, which is now used.
    fn touch(&mut self, at: u32) -> &mut V {
        if self.newest != at {
            self.unlink(at);
            self.link(at);
        }
        &mut self.slots[at as usize].value
    }

    fn unlink(&mut self, at: u32) {
        let Slot { newer, older, .. } = self.slots[at as usize];
        match self.slots.get_mut(newer as usize) {
            Some(slot) => slot.older = older,
            None => self.newest = older,
        }
        match self.slots.get_mut(older as usize) {
            Some(slot) => slot.newer = newer,
            None => self.oldest = newer,
        }
    }

    fn link(&mut self, at: u32) {
        let before = std::mem::replace(&mut self.newest, at);
        (self.slots[at as usize].newer, self.slots[at as usize].older) = (NONE, before);
        match self.slots.get_mut(before as usize) {
            Some(slot) => slot.newer = at,
            None => self.oldest = at,
        }
    }
}

impl FloodWatch {
    /// A watch that has seen nothing.
    #[must_use]
    pub fn new(policy: FloodPolicy) -> FloodWatch {
        let tables = Tables {
            now: Duration::ZERO,
            senders: Remembered::new(policy.senders_max),
            sender_slots: HashMap::new(),
            campaigns: Remembered::new(policy.campaigns_max),
            bands: HashMap::new(),
        };
        FloodWatch {
            policy,
            start: Instant::now(),
            hasher: RandomState::new(),
            tables: Mutex::new(tables),
            passed: Default::default(),
        }
    }

    /// What it goes by.
    #[must_use]
    pub fn policy(&self) -> &FloodPolicy {
        &self.policy
    }

    /// Takes note of a message. Costs some ten microseconds, most of them before other threads have to wait.
    pub fn see(&self, message: &Message<'_>, delivery: Delivery<'_>) -> FloodSigns {
        if self.is_exempt(message.sender) {
            return FloodSigns::default();
        }
        let signature = if message.field == Field::Body { signature(message.text) } else { None };
        let hash = |name: &[u8]| (!name.is_empty()).then(|| self.hasher.hash_one(name));
        let (sender, recipient) = (hash(message.sender), hash(delivery.recipient));
        let now = delivery.at.unwrap_or_else(|| self.start.elapsed());
        let mut signs = FloodSigns::default();
        {
            let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
            tables.now = tables.now.max(now);
            if let Some(sender) = sender {
                let step = step(tables.now, self.policy.window);
                let recent = tables.sender(sender);
                recent.add(step, recipient);
                (signs.sender_messages, signs.sender_recipients) = (recent.messages(), recent.different());
            }
            if let Some(signature) = signature {
                let step = step(tables.now, self.policy.campaign_window);
                let recent = tables.campaign(&signature);
                recent.add(step, sender);
                (signs.campaign_messages, signs.campaign_senders) = (recent.messages(), recent.different());
            }
        }
        for reason in FloodReason::ALL {
            let most = match reason {
                FloodReason::SenderMessages => self.policy.sender_messages_max,
                FloodReason::SenderRecipients => self.policy.sender_recipients_max,
                FloodReason::CampaignMessages => self.policy.campaign_messages_max,
                FloodReason::CampaignSenders => self.policy.campaign_senders_max,
            };
            if signs.count(reason) > most {
                signs.passed |= 1 << reason as u8;
                self.passed[reason as usize].fetch_add(1, Ordering::Relaxed);
            }
        }
        signs
    }

    fn is_exempt(&self, sender: &[u8]) -> bool {
        self.policy.exempt.iter().any(|exempt| match exempt.strip_suffix('*') {
            Some(begin) => sender.starts_with(begin.as_bytes()),
            None => sender == exempt.as_bytes(),
        })
    }

    /// Messages that passed the limit of that reason so far.
    #[must_use]
    pub fn passed(&self, reason: FloodReason) -> u64 {
        self.passed[reason as usize].load(Ordering::Relaxed)
    }

    /// How many senders and texts are remembered.
    #[must_use]
    pub fn remembered(&self) -> (usize, usize) {
        let tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        (tables.senders.slots.len(), tables.campaigns.slots.len())
    }
}

impl Tables {
    fn sender(&mut self, key: u64) -> &mut Recent {
        let known = self.sender_slots.get(&key).copied();
        let at = known.unwrap_or_else(|| {
            let (at, gone) = self.senders.insert(Sender { key, recent: Recent::new() });
            if let Some(gone) = gone {
                self.sender_slots.remove(&gone.key);
            }
            self.sender_slots.insert(key, at);
            at
        });
        &mut self.senders.touch(at).recent
    }

    /// The campaign with that signature, or the one most like it; a new one if there is none.
    fn campaign(&mut self, signature: &[u32; SIGNATURE]) -> &mut Recent {
        let same = |campaign: &Campaign| campaign.signature.iter().zip(signature).filter(|(a, b)| a == b).count();
        let near = bands(signature).filter_map(|key| self.bands.get(&key).copied());
        let near = near.map(|at| (same(&self.campaigns.slots[at as usize].value), at));
        let known = near.max_by_key(|&(same, at)| (same, std::cmp::Reverse(at))).filter(|&(same, _)| same >= SAME_MIN);
        let at = known.map(|(_, at)| at).unwrap_or_else(|| {
            let (at, gone) = self.campaigns.insert(Campaign { signature: *signature, recent: Recent::new() });
            for key in gone.iter().flat_map(|gone| bands(&gone.signature)) {
                // Another campaign may have taken the place since.
                if self.bands.get(&key) == Some(&at) {
                    self.bands.remove(&key);
                }
            }
            self.bands.extend(bands(signature).map(|key| (key, at)));
            at
        });
        &mut self.campaigns.touch(at).recent
    }
}

/// Which quarter of a window it is, from 1.
fn step(now: Duration, window: Duration) -> u64 {
    let quarter = (window.as_nanos() / u128::from(STEPS)).max(1);
    u64::try_from(now.as_nanos() / quarter).unwrap_or(u64::MAX - STEPS).min(u64::MAX - STEPS) + 1
}

/// The smallest of each of so many hashes over the grams of the folded text, in which numbers are only as long
/// as they are: texts that share grams share numbers, in the same part.
fn signature(text: &[u8]) -> Option<[u32; SIGNATURE]> {
    let mut smallest = [u32::MAX; SIGNATURE];
    let mut grams = 0;
    features(text, b"", &mut LinkFinder::default(), |feature| {
        if let Feature::Gram(hash, _) | Feature::Word(hash, _) = feature {
            grams += 1;
            let hash = u64::from(hash) | 1 << 33;
            for (place, multiplier) in smallest.iter_mut().zip(MULTIPLIERS) {
                *place = (*place).min((hash.wrapping_mul(multiplier) >> 32) as u32);
            }
        }
    });
    (grams >= GRAMS_MIN).then_some(smallest)
}

/// Keys of the parts of a signature. That two get the same by chance does no harm: whole signatures are compared.
fn bands(signature: &[u32; SIGNATURE]) -> impl Iterator<Item = u64> {
    let pairs = signature.as_chunks::<BAND>().0.iter();
    pairs.zip(1u64..).map(|(&[a, b], number)| {
        (u64::from(a) << 32 | u64::from(b)).wrapping_add(number.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    })
}

#[cfg(test)]
mod tests {
    //! By a clock that the tests turn.

    use super::*;

    const BANDS: usize = SIGNATURE / BAND;

    fn watch() -> FloodWatch {
        FloodWatch::new(FloodPolicy { senders_max: 50, campaigns_max: 50, ..FloodPolicy::default() })
    }

    fn seen(watch: &FloodWatch, sender: &str, recipient: &str, text: &str, second: u64) -> FloodSigns {
        let message = Message { sender: sender.as_bytes(), ..Message::body(text) };
        watch.see(&message, Delivery { recipient: recipient.as_bytes(), at: Some(Duration::from_secs(second)) })
    }

    fn reasons(signs: FloodSigns) -> Vec<&'static str> {
        signs.reasons().map(FloodReason::name).collect()
    }

    #[test]
    fn one_text_a_little_changed_from_many_senders_is_a_campaign() {
        let watch = watch();
        let names = ["Anna", "Ben", "Clara", "Dan", "Eve", "Fay", "Gus", "Hal"];
        let mut last = FloodSigns::default();
        for (number, name) in names.iter().enumerate() {
            let text = format!("Hi {name}, your parcel {number}41 waits. Pay the fee");
            last = seen(&watch, &format!("+4470000{number}"), "", &text, 20 * number as u64);
        }
        assert_eq!(last.campaign_messages, 8);
        assert!((7..=9).contains(&last.campaign_senders), "{}", last.campaign_senders);
        assert_eq!((reasons(last), last.severity()), (vec!["campaign_senders"], Some(Severity::Moderate)));
        // In disguise, it is still the same.
        let disguised = seen(&watch, "x", "", "Hi Iva, y0ur p4rcel 841 waits. Pаy thе fее", 170);
        assert_eq!(disguised.campaign_messages, 9);
        // After its window it is forgotten.
        let later = seen(&watch, "x", "", "Hi Iva, your parcel 841 waits. Pay the fee", 1000);
        assert_eq!((later.campaign_messages, later.is_flood()), (1, false));
    }

    #[test]
    fn a_campaign_of_unknown_senders_counts_messages_only() {
        let watch = watch();
        let text = "Your tax refund is ready, claim it before friday";
        let signs: Vec<FloodSigns> = (0..21).map(|at| seen(&watch, "", "", text, at)).collect();
        assert!(signs[..20].iter().all(|signs| !signs.is_flood()));
        assert_eq!((reasons(signs[20]), signs[20].campaign_senders), (vec!["campaign_messages"], 0));
    }

    #[test]
    fn different_texts_are_no_campaign() {
        let watch = watch();
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
            let signs = seen(&watch, &format!("s{number}"), "r", text, 1);
            assert_eq!((signs.campaign_messages, signs.is_flood()), (1, false), "{text}");
        }
        for number in 0..40 {
            let signs = seen(&watch, &format!("short{number}"), "r", "ok", 1);
            assert!(!signs.is_flood(), "short texts are everybody's");
        }
    }

    #[test]
    fn messages_and_recipients_of_a_sender_count_within_the_window() {
        let watch = watch();
        let mut last = FloodSigns::default();
        for number in 0..30 {
            last = seen(&watch, "a", &format!("r{number}"), &format!("note {number}"), number);
        }
        assert_eq!(last.sender_messages, 30);
        // Counted in hashed bits, wrong by one mostly; six times that is never.
        assert!((24..=36).contains(&last.sender_recipients), "{}", last.sender_recipients);
        assert_eq!(reasons(last), ["sender_recipients"]);
        for number in 30..45 {
            last = seen(&watch, "a", "r1", "note", number);
        }
        assert_eq!((reasons(last).len(), last.severity()), (2, Some(Severity::Strong)));
        // Long after, all is forgotten.
        let after = seen(&watch, "a", "r1", "note", 1000);
        assert_eq!((after.sender_messages, after.is_flood()), (1, false));
        assert_eq!(seen(&watch, "", "r1", "note", 1000).sender_messages, 0);
    }

    #[test]
    fn recipients_of_a_busy_sender_pass_with_time() {
        let watch = watch();
        for hour in 0..600 {
            // One recipient every four seconds: fifteen a minute, never a flood, however long it goes on.
            let signs = seen(&watch, "taxi", &format!("r{hour}"), "your car is here", 4 * hour);
            assert!(!signs.is_flood(), "{hour}: {signs:?}");
            assert!(signs.sender_recipients <= 16 && signs.sender_messages <= 15, "{signs:?}");
        }
    }

    #[test]
    fn a_clock_that_goes_back_or_far_ahead_does_no_harm() {
        let watch = watch();
        for second in [1000, 10, u64::MAX / 2, 5, u64::MAX] {
            assert!(!seen(&watch, "a", "r", "hello there, how are you this fine morning", second).is_flood());
        }
        assert_eq!(seen(&watch, "a", "r", "hello", 0).sender_messages, 2);
        let no_window = FloodPolicy { window: Duration::ZERO, ..FloodPolicy::default() };
        assert_eq!(seen(&FloodWatch::new(no_window), "a", "r", "hello", 7).sender_messages, 1);
    }

    #[test]
    fn exempt_senders_are_not_counted() {
        let exempt = vec!["95588".to_owned(), "1069*".to_owned()];
        let watch = FloodWatch::new(FloodPolicy { exempt, ..FloodPolicy::default() });
        for number in 0..50 {
            for sender in ["95588", "10691234"] {
                let signs = seen(&watch, sender, &format!("r{number}"), "your code is 123456, do not share it", 1);
                assert_eq!(signs, FloodSigns::default());
            }
        }
        assert_eq!(watch.remembered(), (0, 0));
        assert_eq!(seen(&watch, "955880", "r", "your code is 123456, do not share it", 1).campaign_messages, 1);
    }

    #[test]
    fn what_was_not_seen_for_longest_goes_first() {
        let watch = watch();
        for number in 0..200u64 {
            seen(&watch, &format!("s{number}"), "r", "ok", number / 10);
            let kept = seen(&watch, "kept", "r", "ok", number / 10);
            assert_eq!(u64::from(kept.sender_messages), number + 1, "seen all the time, so it stays");
        }
        assert_eq!(seen(&watch, "s0", "r", "ok", 20).sender_messages, 1, "it went long ago");
        assert_eq!(seen(&watch, "s199", "r", "ok", 20).sender_messages, 2);
    }

    #[test]
    fn memory_is_bounded() {
        let watch = watch();
        for number in 0..2000u64 {
            let letters: String =
                (0..60).map(|at| char::from(b'a' + ((number * 31 + at * at * 7) % 26) as u8)).collect();
            seen(&watch, &format!("s{number}"), "r", &letters, number);
        }
        let tables = watch.tables.lock().expect("nothing panicked");
        assert_eq!((tables.senders.slots.len(), tables.sender_slots.len()), (50, 50));
        assert!(tables.campaigns.slots.len() <= 50 && tables.bands.len() <= 50 * BANDS, "{}", tables.bands.len());
    }
}
