//! The policy: which action a category and severity have, by channel and field. Not for the TOML that
//! moderators write; that is compiled into this table by [`compile`](crate::compile).

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use crate::{Action, Field, Match, Pack, Severity};

/// Number of a channel in its policy; 0 is the one for messages that name none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub struct ChannelId(pub u8);

/// A policy, resolved against the categories of one pack.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policy {
    channels: Vec<String>,
    categories: usize,
    /// By channel, field, category, severity.
    actions: Vec<Action>,
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
        Policy { channels, categories, actions }
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

    /// The table as bytes, for [`from_table`](Policy::from_table): `u32` number of categories, then one byte
    /// an action, by channel, field, category, severity. Channel names stay behind.
    #[must_use]
    pub fn table(&self) -> Vec<u8> {
        let categories = u32::try_from(self.categories).unwrap_or(u32::MAX).to_le_bytes();
        categories.into_iter().chain(self.actions.iter().map(|&action| action as u8)).collect()
    }

    /// Reads a table for the categories of `pack`.
    ///
    /// # Errors
    /// If it is for another number of categories or holds what is no action.
    pub fn from_table(pack: &Pack<'_>, table: &[u8]) -> Result<Policy, PolicyTableError> {
        let (count, actions) = table.split_first_chunk().ok_or(PolicyTableError)?;
        let categories = pack.categories_count();
        let a_channel = Field::COUNT * categories * Severity::COUNT;
        if u32::from_le_bytes(*count) as usize != categories || !actions.len().is_multiple_of(a_channel.max(1)) {
            return Err(PolicyTableError);
        }
        let actions = actions.iter().map(|&byte| Action::from_number(byte).ok_or(PolicyTableError));
        Ok(Policy { channels: Vec::new(), categories, actions: actions.collect::<Result<_, _>>()? })
    }
}
