//! `policy.toml`: what to do with what the lists find. Resolved against the categories of a pack into
//! the table the guest looks actions up in.

use std::collections::BTreeMap;
use std::format;
use std::string::String;
use std::time::Duration;
use std::vec::Vec;

use serde::Deserialize;
use toml::Spanned;

use super::Diagnostic;
use super::diagnostic::{Finding, Level};
use super::protected::{Protected, ProtectedTable};
use super::schema::shortened;
use super::{Taxonomy, check_format, toml_error};
use crate::{Action, Field, FloodPolicy, MarketingPolicy, ModelPolicy, Policy, Threshold};

/// What a message gets when the filter itself fails on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FailurePolicy {
    /// It is let through, flagged.
    Open,
    /// It is held for a person.
    Hold,
    /// It is blocked.
    Closed,
}

impl FailurePolicy {
    /// The action that stands for it.
    #[must_use]
    pub fn action(self) -> Action {
        match self {
            FailurePolicy::Open => Action::Flag,
            FailurePolicy::Hold => Action::Hold,
            FailurePolicy::Closed => Action::Block,
        }
    }
}

/// A policy as written.
#[derive(Clone, Debug)]
pub struct PolicySource {
    channels: Vec<(String, Channel)>,
    overrides: Vec<Override>,
    floors: Vec<Floor>,
    model: ModelTable,
    protected: Protected,
    breakers: BreakerLimits,
    /// The categories that overrides and floors name, and what is said of each that the taxonomy does not know.
    named: Vec<(String, Diagnostic)>,
    flood: Option<FloodPolicy>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyFile {
    format: Spanned<u32>,
    default_channel: Spanned<String>,
    channels: BTreeMap<String, Channel>,
    #[serde(default, rename = "override")]
    overrides: Vec<Spanned<Override>>,
    #[serde(default, rename = "floor")]
    floors: Vec<Spanned<Floor>>,
    model: Option<Spanned<ModelTable>>,
    protected: Option<ProtectedTable>,
    breakers: Option<Spanned<BreakerLimits>>,
    flood: Option<FloodTable>,
}

/// What makes a flood. A table without keys means the defaults; without a table, none is looked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FloodTable {
    window_s: Option<Spanned<u32>>,
    sender_messages_max: Option<Spanned<u32>>,
    sender_recipients_max: Option<Spanned<u32>>,
    campaign_window_s: Option<Spanned<u32>>,
    campaign_messages_max: Option<Spanned<u32>>,
    campaign_senders_max: Option<Spanned<u32>>,
    senders_max: Option<Spanned<u32>>,
    campaigns_max: Option<Spanned<u32>>,
    #[serde(default)]
    exempt: Vec<Spanned<String>>,
}

/// Longest window, in seconds: a day.
const FLOOD_WINDOW_S_MAX: u32 = 86_400;
/// Most of what is counted exactly.
const FLOOD_COUNT_MAX: u32 = 1_000_000;
/// Most different ones that can be told from more.
const FLOOD_DIFFERENT_MAX: u32 = 1_000;
/// Most that is remembered: a gigabyte.
const FLOOD_REMEMBERED_MAX: u32 = 1_000_000;

impl FloodTable {
    /// The policy; `find` is called with the place of what cannot be, and why.
    fn policy(&self, mut find: impl FnMut(usize, String)) -> FloodPolicy {
        let usual = FloodPolicy::default();
        let mut of = |value: &Option<Spanned<u32>>, usual: u32, most: u32| match value {
            None => usual,
            Some(value) => {
                if !(1..=most).contains(value.get_ref()) {
                    find(value.span().start, format!("this is from 1 to {most}"));
                }
                *value.get_ref()
            }
        };
        let seconds = |duration: Duration| u32::try_from(duration.as_secs()).unwrap_or(u32::MAX);
        let window = of(&self.window_s, seconds(usual.window), FLOOD_WINDOW_S_MAX);
        let campaign_window = of(&self.campaign_window_s, seconds(usual.campaign_window), FLOOD_WINDOW_S_MAX);
        let policy = FloodPolicy {
            window: Duration::from_secs(window.into()),
            sender_messages_max: of(&self.sender_messages_max, usual.sender_messages_max, FLOOD_COUNT_MAX),
            sender_recipients_max: of(&self.sender_recipients_max, usual.sender_recipients_max, FLOOD_DIFFERENT_MAX),
            campaign_window: Duration::from_secs(campaign_window.into()),
            campaign_messages_max: of(&self.campaign_messages_max, usual.campaign_messages_max, FLOOD_COUNT_MAX),
            campaign_senders_max: of(&self.campaign_senders_max, usual.campaign_senders_max, FLOOD_DIFFERENT_MAX),
            senders_max: of(&self.senders_max, usual.senders_max, FLOOD_REMEMBERED_MAX),
            campaigns_max: of(&self.campaigns_max, usual.campaigns_max, FLOOD_REMEMBERED_MAX),
            exempt: self.exempt.iter().map(|sender| sender.get_ref().clone()).collect(),
        };
        for sender in &self.exempt {
            let name = sender.get_ref().strip_suffix('*').unwrap_or(sender.get_ref());
            if name.is_empty() || name.contains('*') {
                find(sender.span().start, "a sender that is exempt is a name, or its beginning and `*`".into());
            }
        }
        policy
    }
}

/// What follows from the confidence of the model.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelTable {
    advertising: Option<ThresholdTable>,
    fraud: Option<ThresholdTable>,
    either: Option<ThresholdTable>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ThresholdTable {
    flag: Option<u16>,
    hold: Option<u16>,
}

impl ModelTable {
    fn policy(self) -> ModelPolicy {
        let threshold = |table: Option<ThresholdTable>| {
            table.map_or(Threshold::NEVER, |table| Threshold {
                flag: table.flag.unwrap_or(u16::MAX),
                hold: table.hold.unwrap_or(u16::MAX),
            })
        };
        ModelPolicy {
            advertising: threshold(self.advertising),
            fraud: threshold(self.fraud),
            either: threshold(self.either),
        }
    }

    /// Whether some confidence is none: thresholds are 1 to 1000.
    fn is_wrong(self) -> bool {
        [self.advertising, self.fraud, self.either]
            .into_iter()
            .flatten()
            .flat_map(|table| [table.flag, table.hold])
            .flatten()
            .any(|per_mille| !(1..=1000).contains(&per_mille))
    }
}

/// `[breakers]`: when a host takes a new generation back by itself. What is `None` has the host's default.
#[derive(Clone, Copy, PartialEq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BreakerLimits {
    /// How long after a swap they watch, in minutes: 1 to 1440.
    pub watch_minutes: Option<u32>,
    /// Messages before rates and times are compared: 20 or more.
    pub messages_min: Option<u64>,
    /// Messages on which the filter may fail, in percent.
    pub failed_percent_max: Option<f64>,
    /// By how much the held and blocked may rise, in points of percent, beyond twice what they were.
    pub kept_back_rise_max: Option<f64>,
    /// How many times its time before the slowest message of a hundred may take: 2 to 1000.
    pub p99_factor_max: Option<u32>,
}

impl BreakerLimits {
    /// The first limit that switches a breaker off or trips it at once, and what it may be.
    fn wrong(&self) -> Option<(&'static str, &'static str)> {
        // Written so that what is no number is wrong too.
        let percent = |share: Option<f64>| share.is_none_or(|share| share > 0.0 && share < 100.0);
        [
            ("watch_minutes", self.watch_minutes.is_none_or(|minutes| (1..=1440).contains(&minutes)), "1 to 1440"),
            ("messages_min", self.messages_min.is_none_or(|least| (20..=1_000_000_000).contains(&least)), "20 or more"),
            ("failed_percent_max", percent(self.failed_percent_max), "above 0 and below 100"),
            ("kept_back_rise_max", percent(self.kept_back_rise_max), "above 0 and below 100"),
            ("p99_factor_max", self.p99_factor_max.is_none_or(|factor| (2..=1000).contains(&factor)), "2 to 1000"),
        ]
        .into_iter()
        .find_map(|(key, is_right, range)| (!is_right).then_some((key, range)))
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Channel {
    s1: ActionName,
    s2: ActionName,
    s3: ActionName,
    s4: ActionName,
    on_failure: FailurePolicy,
    /// For advertising that does not say who sends it.
    no_signature: Option<ActionName>,
    /// For advertising that does not say how to receive no more.
    no_opt_out: Option<ActionName>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Override {
    category: Option<String>,
    channel: Option<String>,
    field: Option<FieldName>,
    severity: Option<u8>,
    action: ActionName,
    note: Option<String>,
}

/// The mildest action there may be, whatever channels and overrides say.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Floor {
    category: Option<String>,
    channel: Option<String>,
    field: Option<FieldName>,
    /// This severity and graver ones; all if not given.
    min_severity: Option<u8>,
    min_action: ActionName,
    note: Option<String>,
}

impl Floor {
    fn holds(&self, category: &str, channel: &str, field: Field, severity: u8) -> bool {
        self.category.as_ref().is_none_or(|wanted| is_within(category, wanted))
            && self.channel.as_ref().is_none_or(|wanted| wanted == channel)
            && self.field.is_none_or(|wanted| wanted.0 == field)
            && self.min_severity.is_none_or(|least| severity >= least)
    }

    /// Whether an override says something milder of a match that this holds for.
    fn is_above(&self, over: &Override) -> bool {
        let same = |one: &Option<String>, other: &Option<String>| match (one, other) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        };
        let same_category = match (&self.category, &over.category) {
            (Some(floor), Some(over)) => is_within(over, floor) || is_within(floor, over),
            _ => true,
        };
        let same_field = match (self.field, over.field) {
            (Some(one), Some(other)) => one.0 == other.0,
            _ => true,
        };
        let same_severity =
            over.severity.is_none_or(|severity| self.min_severity.is_none_or(|least| severity >= least));
        over.action.0 < self.min_action.0
            && same_category
            && same(&self.channel, &over.channel)
            && same_field
            && same_severity
    }
}

impl Override {
    fn fits(&self, category: &str, channel: &str, field: Field, severity: u8) -> bool {
        self.category.as_ref().is_none_or(|wanted| is_within(category, wanted))
            && self.channel.as_ref().is_none_or(|wanted| wanted == channel)
            && self.field.is_none_or(|wanted| wanted.0 == field)
            && self.severity.is_none_or(|wanted| wanted == severity)
    }
}

/// What decides about a match.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PolicyRow<'a> {
    /// The channel whose row it is.
    pub channel: &'a str,
    /// What the row of the channel says for the severity.
    pub usual: Action,
    /// The override that goes before it: which in the file, from 1, and its note.
    pub overridden: Option<(usize, Option<&'a str>)>,
    /// The floor that makes it stricter still: the mildest action that it leaves, and its note.
    pub floor: Option<(Action, Option<&'a str>)>,
    /// What holds.
    pub action: Action,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
struct ActionName(Action);

impl TryFrom<String> for ActionName {
    type Error = String;

    fn try_from(name: String) -> Result<ActionName, String> {
        let action = Action::from_name(&name).map(ActionName);
        action.ok_or_else(|| format!("unknown action `{name}`: one of allow, flag, mask, hold, block"))
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
struct FieldName(Field);

impl TryFrom<String> for FieldName {
    type Error = String;

    fn try_from(name: String) -> Result<FieldName, String> {
        Field::from_name(&name)
            .map(FieldName)
            .ok_or_else(|| format!("unknown field `{name}`: one of body, name, upload"))
    }
}

impl PolicySource {
    /// Reads a policy. `None` if it cannot be used; why is in the diagnostics.
    #[must_use]
    pub fn parse(path: &str, text: &str) -> (Option<PolicySource>, Vec<Diagnostic>) {
        let file: PolicyFile = match toml::from_str(text) {
            Ok(file) => file,
            Err(error) => return (None, [toml_error(path, text, &error)].into()),
        };
        let mut diagnostics = Vec::new();
        check_format(path, text, &file.format, &mut diagnostics);
        let default = file.default_channel.get_ref();
        if !file.channels.contains_key(default) {
            let message = format!("`default_channel` names `{default}`, which has no table");
            let help = format!("add a table [channels.{default}], or name another channel");
            diagnostics.push(Finding::error("T002", message, help).at(path, text, file.default_channel.span().start));
        }
        for over in &file.overrides {
            let at = over.span().start;
            let over = over.get_ref();
            if let Some(channel) = over.channel.as_ref().filter(|&channel| !file.channels.contains_key(channel)) {
                let message = format!("override for the channel `{channel}`, which has no table");
                diagnostics.push(Finding::error("T002", message, "name one of the channels above").at(path, text, at));
            }
            if over.severity.is_some_and(|severity| !(1..=4).contains(&severity)) {
                diagnostics.push(
                    Finding::error("T001", "severity is 1, 2, 3 or 4", "leave it out for all").at(path, text, at),
                );
            }
            if let Some(floor) = file.floors.iter().find(|floor| floor.get_ref().is_above(over)) {
                let line = text[..floor.span().start].matches('\n').count() + 1;
                let message = format!("`{}` is milder than the floor on line {line} allows", over.action.0.name());
                let help = "make it stricter, or say in the floor what it does not hold for";
                diagnostics.push(Finding::error("T062", message, help).at(path, text, at));
            }
        }
        let of_overrides = file.overrides.iter().map(|over| (&over.get_ref().category, over.span()));
        let of_floors = file.floors.iter().map(|floor| (&floor.get_ref().category, floor.span()));
        let named = of_overrides.chain(of_floors).filter_map(|(category, span)| {
            let category = category.as_ref()?;
            let message = format!("unknown category `{}`", shortened(category));
            let help = "name one that is in taxonomy.toml, or the beginning of several: `fraud`";
            Some((category.clone(), Finding::error("T002", message, help).at(path, text, span.start)))
        });
        let named = named.collect();
        for floor in &file.floors {
            let (at, floor) = (floor.span().start, floor.get_ref());
            if let Some(channel) = floor.channel.as_ref().filter(|&channel| !file.channels.contains_key(channel)) {
                let message = format!("floor for the channel `{channel}`, which has no table");
                diagnostics.push(Finding::error("T002", message, "name one of the channels above").at(path, text, at));
            }
            if floor.min_severity.is_some_and(|severity| !(1..=4).contains(&severity)) {
                let help = "leave it out for all";
                diagnostics.push(Finding::error("T001", "min_severity is 1, 2, 3 or 4", help).at(path, text, at));
            }
        }
        if let Some(model) = file.model.as_ref().filter(|model| model.get_ref().is_wrong()) {
            let finding =
                Finding::error("T001", "a confidence is from 1 to 1000 per mille", "leave the key out for never");
            diagnostics.push(finding.at(path, text, model.span().start));
        }
        let protected = file.protected.as_ref();
        let protected = protected.map(|table| Protected::read(table, path, text, &mut diagnostics)).unwrap_or_default();
        if let Some(breakers) = &file.breakers
            && let Some((key, range)) = breakers.get_ref().wrong()
        {
            let start = breakers.span().start;
            let at = text[start..].find(key).map_or(start, |offset| start + offset);
            let help = "leave it out for the default; a breaker is not switched off";
            diagnostics.push(Finding::error("T001", format!("`{key}` is {range}"), help).at(path, text, at));
        }
        let flood = file.flood.as_ref().map(|table| {
            table.policy(|at, what| {
                let finding = Finding::error("T001", what, "leave the key out for the default");
                diagnostics.push(finding.at(path, text, at));
            })
        });
        let usable = diagnostics.iter().all(|found| found.level != Level::Error);
        // The default channel has number 0.
        let mut channels: Vec<_> = file.channels.into_iter().collect();
        channels.sort_by_key(|(name, _)| name != file.default_channel.get_ref());
        let model = file.model.map(Spanned::into_inner).unwrap_or_default();
        let overrides = file.overrides.into_iter().map(Spanned::into_inner).collect();
        let floors = file.floors.into_iter().map(Spanned::into_inner).collect();
        let breakers = file.breakers.map(Spanned::into_inner).unwrap_or_default();
        let source = PolicySource { channels, overrides, floors, protected, breakers, named, model, flood };
        (usable.then_some(source), diagnostics)
    }

    /// The policy with another below it: a tenant's with that of the platform, whose floors, protected names,
    /// breakers and limits of floods hold as well. Of several floors the strictest holds, so that a layer can make things stricter and never
    /// milder; breakers are the platform's alone, as they take back what judges every tenant.
    #[must_use]
    pub fn above(mut self, platform: &PolicySource) -> PolicySource {
        self.floors.extend_from_slice(&platform.floors);
        self.protected.extend(&platform.protected);
        self.breakers = platform.breakers;
        self.flood = platform.flood.clone().or(self.flood);
        self
    }

    /// Reports the categories that the taxonomy does not know: what is said of them never holds.
    #[must_use]
    pub fn check(&self, taxonomy: &Taxonomy) -> Vec<Diagnostic> {
        let is_known = |wanted: &str| taxonomy.categories().iter().any(|known| is_within(&known.id, wanted));
        let named = self.named.iter().filter(|(category, _)| !is_known(category));
        named.map(|(_, finding)| finding.clone()).chain(self.protected.unknown_categories(taxonomy)).collect()
    }

    /// The names that only the operator may bear.
    #[must_use]
    pub fn protected(&self) -> &Protected {
        &self.protected
    }

    /// When a new generation is taken back.
    #[must_use]
    pub fn breakers(&self) -> &BreakerLimits {
        &self.breakers
    }

    /// The table for a pack with these categories, by id.
    #[must_use]
    pub fn resolve(&self, categories: &[&str]) -> Policy {
        let channels = self.channels.iter().map(|(name, _)| name.clone()).collect();
        let rule = |action: Option<ActionName>| action.map_or(Action::Allow, |action| action.0);
        let marketing = self.channels.iter().map(|(_, channel)| MarketingPolicy {
            no_signature: rule(channel.no_signature),
            no_opt_out: rule(channel.no_opt_out),
        });
        let lists = Policy::from_fn(channels, categories.len(), |channel, field, category, severity| {
            self.row(channel, categories[category], field, severity).action
        });
        lists.with_model(self.model.policy(), marketing.collect()).with_flood(self.flood.clone())
    }

    /// What decides about a match of that category and severity, 1 to 4, on a channel by its number.
    ///
    /// # Panics
    /// If there is no such channel.
    #[must_use]
    pub fn row(&self, channel: usize, category: &str, field: Field, severity: u8) -> PolicyRow<'_> {
        let (name, actions) = &self.channels[channel];
        let usual = [actions.s1, actions.s2, actions.s3, actions.s4][usize::from(severity).clamp(1, 4) - 1].0;
        let over = (1..).zip(&self.overrides).find(|(_, over)| over.fits(category, name, field, severity));
        let own = over.map_or(usual, |(_, over)| over.action.0);
        let floors = self.floors.iter().filter(|floor| floor.holds(category, name, field, severity));
        let floor = floors.filter(|floor| floor.min_action.0 > own).max_by_key(|floor| floor.min_action.0);
        PolicyRow {
            channel: name,
            usual,
            overridden: over.map(|(number, over)| (number, over.note.as_deref())),
            floor: floor.map(|floor| (floor.min_action.0, floor.note.as_deref())),
            action: floor.map_or(own, |floor| floor.min_action.0),
        }
    }

    /// What a message gets when the filter fails on it, by channel number.
    #[must_use]
    pub fn failure_policies(&self) -> Vec<FailurePolicy> {
        self.channels.iter().map(|(_, channel)| channel.on_failure).collect()
    }
}

/// Whether `category` is `wanted` or below it.
fn is_within(category: &str, wanted: &str) -> bool {
    category.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
