//! The policy: which action a category and severity have, by channel and field. Not for the TOML that
//! moderators write; that is compiled into this table by [`compile`](crate::compile).

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::spam::Confidence;
use crate::{Action, Field, Match, Pack, Severity};

/// Number of a channel in its policy; 0 is the one for messages that name none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub struct ChannelId(pub u8);

/// From which confidence on, in per mille, a message is flagged and held. More than 1000 is never.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Threshold {
    /// It is flagged.
    pub flag: u16,
    /// It is held.
    pub hold: u16,
}

impl Threshold {
    /// Whatever the confidence, nothing follows.
    pub const NEVER: Threshold = Threshold { flag: u16::MAX, hold: u16::MAX };

    fn action(self, confidence: u16) -> Action {
        match confidence {
            confidence if confidence >= self.hold => Action::Hold,
            confidence if confidence >= self.flag => Action::Flag,
            _ => Action::Allow,
        }
    }
}

/// What follows from the confidence of the model. It never blocks: a model is never sure enough.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ModelPolicy {
    /// For the confidence that it is advertising.
    pub advertising: Threshold,
    /// For the confidence that it is fraud.
    pub fraud: Threshold,
    /// For the confidence that it is one or the other.
    pub either: Threshold,
}

impl Default for ModelPolicy {
    /// Nothing follows.
    fn default() -> ModelPolicy {
        ModelPolicy { advertising: Threshold::NEVER, fraud: Threshold::NEVER, either: Threshold::NEVER }
    }
}

/// What follows on a channel if advertising lacks what some countries ask for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MarketingPolicy {
    /// Without a signature; [`Action::Allow`] if it may.
    pub no_signature: Action,
    /// Without a way to receive no more.
    pub no_opt_out: Action,
}

/// From when on messages are a flood, by what shows in many of them together. For the host: the filter never sees
/// two messages.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FloodPolicy {
    /// How long messages of a sender count. Default: one minute.
    pub window: Duration,
    /// Most messages of one sender within the window. Default: 30.
    pub sender_messages_max: u32,
    /// Most recipients of one sender within the window. Default: 20.
    pub sender_recipients_max: u32,
    /// How long messages with the same text count. Default: ten minutes.
    pub campaign_window: Duration,
    /// Most messages with the same text, a little changed, within their window. Default: 20.
    pub campaign_messages_max: u32,
    /// Most senders of such a text within its window. Default: 5.
    pub campaign_senders_max: u32,
    /// Most senders that are remembered. Default: 20,000.
    pub senders_max: u32,
    /// Most texts that are remembered. Default: 20,000.
    pub campaigns_max: u32,
    /// Senders that are meant to send to many; with `*` at the end, all that begin so. Default: none.
    pub exempt: Vec<String>,
}

impl Default for FloodPolicy {
    fn default() -> FloodPolicy {
        FloodPolicy {
            window: Duration::from_secs(60),
            sender_messages_max: 30,
            sender_recipients_max: 20,
            campaign_window: Duration::from_secs(600),
            campaign_messages_max: 20,
            campaign_senders_max: 5,
            senders_max: 20_000,
            campaigns_max: 20_000,
            exempt: Vec::new(),
        }
    }
}

/// A policy, resolved against the categories of one pack.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policy {
    channels: Vec<String>,
    categories: usize,
    /// By channel, field, category, severity.
    actions: Vec<Action>,
    model: ModelPolicy,
    /// By channel.
    marketing: Vec<MarketingPolicy>,
    flood: Option<FloodPolicy>,
}

/// Why bytes are not the table of a policy for this pack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PolicyTableError;

impl fmt::Display for PolicyTableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the policy table does not fit the categories of the pack")
    }
}

impl core::error::Error for PolicyTableError {}

impl Policy {
    /// A policy of these channels, the first for messages that name none, in which every match has
    /// `action(channel, field, category, severity)`. Channels beyond the 255th are left out.
    pub fn from_fn(
        channels: Vec<String>,
        categories: usize,
        mut action: impl FnMut(usize, Field, usize, u8) -> Action,
    ) -> Policy {
        let mut actions = Vec::new();
        for channel in 0..channels.len().min(255) {
            for field in Field::ALL {
                for category in 0..categories {
                    actions.extend((1..=Severity::COUNT).map(|s| action(channel, field, category, s as u8)));
                }
            }
        }
        Policy { channels, categories, actions, model: ModelPolicy::default(), marketing: Vec::new(), flood: None }
    }

    /// The same with what follows from the model, and from what advertising lacks, by channel number.
    #[must_use]
    pub fn with_model(self, model: ModelPolicy, marketing: Vec<MarketingPolicy>) -> Policy {
        Policy { model, marketing, ..self }
    }

    /// The same with what makes a flood; `None` for not looking for any.
    #[must_use]
    pub fn with_flood(self, flood: Option<FloodPolicy>) -> Policy {
        Policy { flood, ..self }
    }

    /// What makes a flood, if the host is to look for any.
    #[must_use]
    pub fn flood(&self) -> Option<&FloodPolicy> {
        self.flood.as_ref()
    }

    /// What follows from the confidence of the model.
    #[must_use]
    pub fn model(&self) -> ModelPolicy {
        self.model
    }

    /// What follows from the confidence of the model in a message.
    pub(crate) fn model_action(&self, confidence: Confidence) -> Action {
        let ModelPolicy { advertising, fraud, either } = self.model;
        let each = advertising.action(confidence.advertising).max(fraud.action(confidence.fraud));
        each.max(either.action(confidence.unwanted()))
    }

    /// What the channel asks of a message, if it is advertising: as sure as the policy flags it, or by a list, unless the
    /// model rather thinks it is fraud.
    pub(crate) fn marketing(
        &self,
        channel: ChannelId,
        confidence: Confidence,
        is_listed: impl FnOnce() -> bool,
    ) -> Option<MarketingPolicy> {
        let rules = self.marketing.get(usize::from(channel.0)).or(self.marketing.first())?;
        if *rules == MarketingPolicy::default() {
            return None;
        }
        let is_sure = confidence.advertising >= self.model.advertising.flag
            || (confidence.unwanted() >= self.model.either.flag && confidence.advertising > confidence.fraud);
        (is_sure || confidence.advertising >= confidence.fraud && is_listed()).then_some(*rules)
    }

    /// One channel on which every match blocks.
    #[must_use]
    pub fn blocking(pack: &Pack<'_>) -> Policy {
        Policy::from_fn(vec![String::from("default")], pack.categories_count(), |_, _, _, _| Action::Block)
    }

    /// The channel of that name; the default channel if there is none.
    #[must_use]
    pub fn channel(&self, name: &str) -> ChannelId {
        let number = self.channels.iter().position(|channel| channel == name);
        ChannelId(number.and_then(|number| u8::try_from(number).ok()).unwrap_or(0))
    }

    /// The names of the channels, in the order of their numbers.
    #[must_use]
    pub fn channels(&self) -> &[String] {
        &self.channels
    }

    /// The policy with names for its channels, in the order of their numbers, such as those that a table left
    /// behind.
    #[must_use]
    pub fn with_channels(self, channels: Vec<String>) -> Policy {
        Policy { channels, ..self }
    }

    /// What one match of that category and severity leads to.
    #[must_use]
    pub fn action_for(&self, channel: ChannelId, field: Field, category: usize, severity: Severity) -> Action {
        let channels = self.actions.len() / (Field::COUNT * self.categories * Severity::COUNT).max(1);
        let channel = usize::from(channel.0).min(channels.saturating_sub(1));
        let at = ((channel * Field::COUNT + field as usize) * self.categories + category) * Severity::COUNT;
        self.actions.get(at + severity as usize - 1).copied().unwrap_or(Action::Hold)
    }

    /// The strictest action of all matches.
    pub(crate) fn action(&self, pack: &Pack<'_>, channel: ChannelId, field: Field, matches: &[Match]) -> Action {
        let of = |found: &Match| {
            let term = &pack.terms[found.term.0 as usize];
            let severity = Severity::from_number(term.severity).unwrap_or(Severity::Severe);
            self.action_for(channel, field, term.category.into(), severity)
        };
        matches.iter().map(of).max().unwrap_or_default()
    }

    /// The table as bytes, for [`from_table`](Policy::from_table): `u32` number of categories, `u32` number of
    /// channels with marketing rules, six `u16` thresholds of the model, two bytes of actions for each of those
    /// channels, then one byte an action, by channel, field, category, severity. Channel names and what makes a flood
    /// stay behind.
    #[must_use]
    pub fn table(&self) -> Vec<u8> {
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes();
        let ModelPolicy { advertising, fraud, either } = self.model;
        let mut table = Vec::new();
        table.extend(count(self.categories));
        table.extend(count(self.marketing.len()));
        for threshold in [advertising, fraud, either] {
            table.extend(threshold.flag.to_le_bytes());
            table.extend(threshold.hold.to_le_bytes());
        }
        table.extend(self.marketing.iter().flat_map(|rules| [rules.no_signature as u8, rules.no_opt_out as u8]));
        table.extend(self.actions.iter().map(|&action| action as u8));
        table
    }

    /// Reads a table for the categories of `pack`.
    ///
    /// # Errors
    /// If it is for another number of categories or holds what is no action.
    pub fn from_table(pack: &Pack<'_>, table: &[u8]) -> Result<Policy, PolicyTableError> {
        let (count, rest) = table.split_first_chunk().ok_or(PolicyTableError)?;
        let (marketing_count, rest) = rest.split_first_chunk().ok_or(PolicyTableError)?;
        let (thresholds, rest) = rest.split_first_chunk::<12>().ok_or(PolicyTableError)?;
        let marketing_bytes = (u32::from_le_bytes(*marketing_count) as usize).saturating_mul(2);
        let (marketing, actions) = rest.split_at_checked(marketing_bytes).ok_or(PolicyTableError)?;
        let action = |byte: u8| Action::from_number(byte).ok_or(PolicyTableError);
        let rules = |two: &[u8; 2]| Ok(MarketingPolicy { no_signature: action(two[0])?, no_opt_out: action(two[1])? });
        let marketing = marketing.as_chunks().0.iter().map(rules).collect::<Result<_, _>>()?;
        let per_mille = |at: usize| u16::from_le_bytes([thresholds[at], thresholds[at + 1]]);
        let threshold = |at: usize| Threshold { flag: per_mille(at), hold: per_mille(at + 2) };
        let model = ModelPolicy { advertising: threshold(0), fraud: threshold(4), either: threshold(8) };
        let categories = pack.categories_count();
        let a_channel = Field::COUNT * categories * Severity::COUNT;
        if u32::from_le_bytes(*count) as usize != categories || !actions.len().is_multiple_of(a_channel.max(1)) {
            return Err(PolicyTableError);
        }
        let actions = actions.iter().map(|&byte| action(byte)).collect::<Result<_, _>>()?;
        Ok(Policy { channels: Vec::new(), categories, actions, model, marketing, flood: None })
    }
}
