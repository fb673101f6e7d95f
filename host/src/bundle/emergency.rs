//! Emergency files: a few terms for a few days, by a key that may do nothing else. The limits are the host's,
//! so a stolen emergency key can neither allow anything, nor block, nor switch the filter off.
//!
//! A file is a [`SignedText`], and the text is JSON.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use tamis_guest::{Action, Policy};

use crate::bundle::content::{Content, write_files};
use crate::bundle::verify::{CLOCK_SLACK_S, unix_s};
use crate::bundle::{PartKind, Refusal, Role, SignedText, TextFile, Trust, Wanted};

/// Longest life, in seconds: three days.
const LIFE_S_MAX: u64 = 72 * 3600;
const ADDED_MAX: usize = 200;
const SNOOZED_MAX: usize = 20;
const TERM_BYTES_MAX: usize = 200;
/// Terms from this severity on, and these categories, stay whatever the emergency.
const FLOOR_SEVERITY: i64 = 4;
const FLOOR_CATEGORIES: [&str; 2] = ["child_safety", "self_harm"];
/// The categories of added terms.
const HOLD: &str = "emergency.hold";
const SHADOW: &str = "emergency.shadow";

/// What an emergency file asks for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Emergency {
    /// Version of this schema, 1. First, so that no other signed JSON can be taken for this.
    pub tamis_emergency: u32,
    /// Name of the bundles it goes with.
    pub name: String,
    /// Goes up with each emergency file of that name.
    pub sequence: u64,
    /// When it was made, in seconds since 1970.
    pub created: u64,
    /// Until when it holds, in seconds since 1970: at most three days later.
    pub expires: u64,
    /// Terms to look for.
    #[serde(default)]
    pub add: Vec<Added>,
    /// Terms of lists to leave out.
    #[serde(default)]
    pub snooze: Vec<Snoozed>,
}

/// A term that is added.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Added {
    /// The term, as in lists.
    pub term: String,
    /// What follows from it.
    pub mode: Mode,
}

/// What follows from an added term. There is no other choice.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Nothing; it shows in verdicts.
    Shadow,
    /// The message is held for a person.
    Hold,
}

/// A term of a list that is left out.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snoozed {
    /// Id of the list.
    pub list: String,
    /// The term, as its author wrote it: a line of a group.
    pub term: String,
}

impl Emergency {
    /// The text to sign.
    #[must_use]
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The bytes of the file.
    #[must_use]
    pub fn encode(text: &str, signatures: &[String]) -> Vec<u8> {
        SignedText { signed: text.to_owned(), signatures: signatures.to_vec() }.encode()
    }

    /// Checks a file as far as that goes without the lists. `last_sequence` is that of the last one taken.
    pub(crate) fn verify(
        bytes: &[u8],
        trust: &Trust,
        name: &str,
        last_sequence: u64,
        now: SystemTime,
    ) -> Result<Emergency, Refusal> {
        let malformed = |reason: String| Refusal::Malformed(format!("emergency file: {reason}"));
        let file = SignedText::decode(bytes, "emergency file")?;
        trust.signers(file.signed.as_bytes(), &file.signatures)?.require(Role::Emergency, "emergency file")?;
        // An unknown mode, or a key such as `allow`, ends here.
        let emergency: Emergency = serde_json::from_str(&file.signed).map_err(|error| {
            Refusal::Emergency(format!("{error}; it may add shadow or hold terms, and snooze a few"))
        })?;
        if emergency.tamis_emergency != 1 {
            return Err(malformed(format!("version {}, this host reads 1", emergency.tamis_emergency)));
        }
        if emergency.name != name {
            return Err(Refusal::Name { expected: name.to_owned(), found: emergency.name });
        }
        let now = unix_s(now);
        if emergency.created > now + CLOCK_SLACK_S {
            return Err(Refusal::Clock { seconds: emergency.created - now });
        }
        if emergency.expires <= now {
            return Err(Refusal::Expired { seconds: now - emergency.expires });
        }
        // From now, and not from when it says it was made.
        if emergency.expires > emergency.created.saturating_add(LIFE_S_MAX) || emergency.expires > now + LIFE_S_MAX {
            return Err(Refusal::Emergency("hold for more than three days".to_owned()));
        }
        if emergency.sequence <= last_sequence {
            return Err(Refusal::Rollback { found: emergency.sequence, mark: last_sequence });
        }
        if emergency.add.len() > ADDED_MAX {
            return Err(Refusal::Emergency(format!("add {} terms; the limit is {ADDED_MAX}", emergency.add.len())));
        }
        if emergency.snooze.len() > SNOOZED_MAX {
            let asked = emergency.snooze.len();
            return Err(Refusal::Emergency(format!("snooze {asked} terms; the limit is {SNOOZED_MAX}")));
        }
        for added in &emergency.add {
            let is_term = !added.term.trim().is_empty()
                && added.term.len() <= TERM_BYTES_MAX
                && !added.term.contains("'''")
                && !added.term.contains(char::is_control);
            if !is_term {
                return Err(Refusal::Emergency(format!("add {:?}, which is no term of one line", added.term)));
            }
        }
        Ok(emergency)
    }

    /// The content with its terms added and left out.
    pub(crate) fn apply(&self, content: &Content) -> Result<Content, Refusal> {
        let mut files = content.files()?;
        for snoozed in &self.snooze {
            snooze(&mut files, snoozed)?;
        }
        for file in files.iter_mut().filter(|file| file.path == "taxonomy.toml") {
            for (id, code) in [(HOLD, 9901), (SHADOW, 9902)] {
                file.text += &format!(
                    "\n[[category]]\nid = \"{id}\"\ncode = {code}\ntitle = {{}}\ntext = {{}}\nclauses = []\noperator_supplied = true\n"
                );
            }
        }
        let mut list = "format = 1\nlist = { id = \"emergency\", allow_empty = true }\n".to_owned();
        for (mode, category) in [(Mode::Hold, HOLD), (Mode::Shadow, SHADOW)] {
            let terms: Vec<&str> =
                self.add.iter().filter(|added| added.mode == mode).map(|added| &added.term[..]).collect();
            if !terms.is_empty() {
                list += &format!(
                    "[[group]]\ncategory = \"{category}\"\nseverity = 3\nterms = '''\n{}\n'''\n",
                    terms.join("\n")
                );
            }
        }
        files.push(TextFile { path: "emergency/emergency.toml".to_owned(), text: list });

        let mut changed = content.clone();
        let mut tests = content.tests()?;
        // What is left out on purpose cannot be found, and an innocent text may be held for a while.
        tests.retain(|test| {
            test.wanted == Wanted::Hit && !self.snooze.iter().any(|snoozed| test.term.as_ref() == Some(&snoozed.term))
        });
        for (kind, bytes) in &mut changed.parts {
            match kind {
                PartKind::Lists => *bytes = write_files(&files)?,
                PartKind::Tests => {
                    let lines = tests.iter().map(|test| serde_json::to_string(test).unwrap_or_default() + "\n");
                    *bytes = lines.collect::<String>().into_bytes();
                }
                PartKind::Policy | PartKind::Module | PartKind::Model => {}
            }
        }
        Ok(changed)
    }
}

/// Takes a term out of the text of its list.
fn snooze(files: &mut [TextFile], snoozed: &Snoozed) -> Result<(), Refusal> {
    let may_not =
        |reason: &str| Refusal::Emergency(format!("snooze `{}` of `{}`: {reason}", snoozed.term, snoozed.list));
    for file in files.iter_mut().filter(|file| file.path != "taxonomy.toml") {
        let Ok(list) = file.text.parse::<toml::Table>() else { continue };
        let id = list.get("list").and_then(|head| head.get("id")).and_then(toml::Value::as_str);
        if id != Some(&snoozed.list) {
            continue;
        }
        let groups = list.get("group").and_then(toml::Value::as_array);
        let holds = |group: &&toml::Value| {
            let terms = group.get("terms").and_then(toml::Value::as_str).unwrap_or_default();
            terms.lines().any(|line| line.trim() == snoozed.term)
        };
        let group =
            groups.and_then(|groups| groups.iter().find(holds)).ok_or_else(|| may_not("no such line in a group"))?;
        let of = |key: &str| group.get(key).or_else(|| list.get("defaults").and_then(|defaults| defaults.get(key)));
        let category = of("category").and_then(toml::Value::as_str).unwrap_or_default();
        let is_floor = of("severity").and_then(toml::Value::as_integer).unwrap_or(2) >= FLOOR_SEVERITY
            || FLOOR_CATEGORIES.iter().any(|floor| category == *floor || category.starts_with(&format!("{floor}.")));
        if is_floor {
            return Err(may_not("terms of severity 4, and those that protect children and lives, stay"));
        }
        let left: Vec<&str> = file.text.split_inclusive('\n').filter(|line| line.trim() != snoozed.term).collect();
        file.text = left.concat();
        return Ok(());
    }
    Err(may_not("no such list"))
}

/// The policy, with what follows from emergency terms whatever it says.
pub(crate) fn with_modes(policy: &Policy, categories: &[&str]) -> Policy {
    let severities = [
        tamis_guest::Severity::Mild,
        tamis_guest::Severity::Moderate,
        tamis_guest::Severity::Strong,
        tamis_guest::Severity::Severe,
    ];
    Policy::from_fn(policy.channels().to_vec(), categories.len(), |channel, field, category, severity| match categories
        [category]
    {
        HOLD => Action::Hold,
        SHADOW => Action::Allow,
        _ => {
            let channel = tamis_guest::ChannelId(u8::try_from(channel).unwrap_or(0));
            policy.action_for(channel, field, category, severities[usize::from(severity) - 1])
        }
    })
}
