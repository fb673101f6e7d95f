//! The whole answer to a message: plain data, no behaviour. Not for JSON or for the bytes that leave
//! the sandbox; those belong to the edges.

use alloc::vec::Vec;

use crate::TermId;
use crate::spam::Confidence;

/// What to do with a message, mildest first, so that the greater of two is the stricter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Hash)]
#[repr(u8)]
pub enum Action {
    /// Send it.
    #[default]
    Allow = 0,
    /// Send it and mark it.
    Flag = 1,
    /// Send it with the matched spans replaced.
    Mask = 2,
    /// Keep it for a person to decide.
    Hold = 3,
    /// Do not send it.
    Block = 4,
}

impl Action {
    /// All actions, mildest first.
    pub const ALL: [Action; 5] = [Action::Allow, Action::Flag, Action::Mask, Action::Hold, Action::Block];

    /// The action of that number, the inverse of `action as u8`.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Action> {
        Action::ALL.get(usize::from(number)).copied()
    }

    /// The action's name in policies and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Action::Allow => "allow",
            Action::Flag => "flag",
            Action::Mask => "mask",
            Action::Hold => "hold",
            Action::Block => "block",
        }
    }

    /// The action of that name, the inverse of [`name`](Action::name).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Action> {
        Action::ALL.into_iter().find(|action| action.name() == name)
    }
}

/// How bad a term is, from its list.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
#[repr(u8)]
pub enum Severity {
    /// 1: unwelcome.
    Mild = 1,
    /// 2: against the rules.
    Moderate = 2,
    /// 3: harmful.
    Strong = 3,
    /// 4: must not pass.
    Severe = 4,
}

impl Severity {
    /// How many severities there are.
    pub const COUNT: usize = 4;

    /// The severity of that number, 1 to 4; the inverse of `severity as u8`.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Severity> {
        [Severity::Mild, Severity::Moderate, Severity::Strong, Severity::Severe]
            .into_iter()
            .find(|&severity| severity as u8 == number)
    }
}

/// A half-open range of bytes in the original message. Never splits a character.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Hash)]
pub struct Span {
    /// First byte of the match.
    pub start: u32,
    /// First byte after the match.
    pub end: u32,
}

/// The folds beyond case and width that a match needed: a set, empty for a plain spelling.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Hash)]
pub struct Evidence(pub u16);

impl Evidence {
    /// Accents and other marks were ignored: `víágra`.
    pub const DIACRITIC: Evidence = Evidence(1);
    /// Letters in another style: `𝐯𝐢𝐚𝐠𝐫𝐚`, `ⓥⓘⓐⓖⓡⓐ`.
    pub const STYLE: Evidence = Evidence(2);
    /// Characters that do not show were skipped.
    pub const INVISIBLE: Evidence = Evidence(4);
    /// Separators between letters were skipped: `v.i.a.g.r.a`.
    pub const SEPARATOR: Evidence = Evidence(8);
    /// Letters were repeated: `viiiagra`.
    pub const REPEAT: Evidence = Evidence(16);
    /// Letters of another alphabet that look the same: `vіаgrа` with Cyrillic letters.
    pub const LOOK_ALIKE: Evidence = Evidence(32);
    /// Traditional Han for simplified, Hiragana for Katakana.
    pub const VARIANT: Evidence = Evidence(64);
    /// Digits and signs for letters: `v1@gra`.
    pub const LEET: Evidence = Evidence(128);
    /// Written in a code, or turned round, or in parts: `vi&#97;gra`, `赌a博`.
    pub const ENCODED: Evidence = Evidence(256);
    /// A letter too few or exchanged, another letter of the same sound, an ending, a part cut off by a space:
    /// `vaigra`, `v*agra`, `vi agra`.
    pub const MISSPELT: Evidence = Evidence(512);
    /// Other characters of the same sound, or the sound itself: `堵博`, `dubo`.
    pub const SOUND: Evidence = Evidence(1024);
    /// Another word that means the same: `加vx` for `加微信`.
    pub const ALIAS: Evidence = Evidence(2048);
    /// Those that change a spelling letter by letter.
    pub const STANDARD: Evidence = Evidence(511);
    /// All of them.
    pub const ALL: Evidence = Evidence(4095);

    const NAMES: [(Evidence, &'static str); 12] = [
        (Evidence::DIACRITIC, "diacritic"),
        (Evidence::STYLE, "style"),
        (Evidence::INVISIBLE, "invisible"),
        (Evidence::SEPARATOR, "separator"),
        (Evidence::REPEAT, "repeat"),
        (Evidence::LOOK_ALIKE, "look-alike"),
        (Evidence::VARIANT, "variant"),
        (Evidence::LEET, "leet"),
        (Evidence::ENCODED, "encoded"),
        (Evidence::MISSPELT, "misspelt"),
        (Evidence::SOUND, "sound"),
        (Evidence::ALIAS, "alias"),
    ];

    /// The names of the folds in the set, as lists and JSON have them.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Evidence::NAMES.into_iter().filter(move |(bit, _)| self.contains(*bit)).map(|(_, name)| name)
    }

    /// Whether all of `other` is in the set.
    #[must_use]
    pub fn contains(self, other: Evidence) -> bool {
        self.0 & other.0 == other.0
    }

    /// The set with `other` added.
    #[must_use]
    pub fn with(self, other: Evidence) -> Evidence {
        Evidence(self.0 | other.0)
    }
}

/// One term found in a message.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct Match {
    /// Where, in bytes of the original message; 0 to 0 for the sender. A term of several parts gives one match a part.
    pub span: Span,
    /// Which term of the pack.
    pub term: TermId,
    /// Which folds it took.
    pub evidence: Evidence,
}

/// Circumstances of a scan that the reader of a verdict must know.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub struct VerdictFlags(pub u8);

impl VerdictFlags {
    /// The message was longer than the limit; only the part up to it was scanned.
    pub const TRUNCATED: VerdictFlags = VerdictFlags(1);
    /// The message is not UTF-8; bad bytes were read as U+FFFD.
    pub const INVALID_UTF8: VerdictFlags = VerdictFlags(2);
    /// There were more matches than a verdict holds; the action takes all of them into account.
    pub const MATCHES_CAPPED: VerdictFlags = VerdictFlags(4);

    /// It is advertising and does not say who sends it, where the policy asks for that.
    pub const NO_SIGNATURE: VerdictFlags = VerdictFlags(8);
    /// It is advertising and does not say how to receive no more, where the policy asks for that.
    pub const NO_OPT_OUT: VerdictFlags = VerdictFlags(16);
    /// All of them.
    pub const ALL: VerdictFlags = VerdictFlags(31);

    const NAMES: [(VerdictFlags, &'static str); 5] = [
        (VerdictFlags::TRUNCATED, "truncated"),
        (VerdictFlags::INVALID_UTF8, "invalid_utf8"),
        (VerdictFlags::MATCHES_CAPPED, "matches_capped"),
        (VerdictFlags::NO_SIGNATURE, "no_signature"),
        (VerdictFlags::NO_OPT_OUT, "no_opt_out"),
    ];

    /// The names of the flags that are set, as JSON has them.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        VerdictFlags::NAMES.into_iter().filter(move |(bit, _)| self.contains(*bit)).map(|(_, name)| name)
    }

    /// Whether all of `other` is set.
    #[must_use]
    pub fn contains(self, other: VerdictFlags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Sets all of `other`.
    pub fn insert(&mut self, other: VerdictFlags) {
        self.0 |= other.0;
    }
}

/// The answer to one message.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Verdict {
    /// The strictest action of any match, and of the model's confidence, under the policy.
    pub action: Action,
    /// What was special about the scan.
    pub flags: VerdictFlags,
    /// The terms found that act, by place.
    pub matches: Vec<Match>,
    /// The terms found that are in the shadow, by place: they do not act. As many as [`matches`](Verdict::matches)
    /// leave room for.
    pub shadow: Vec<Match>,
    /// What the model thinks of it; nothing where the pack has none.
    pub confidence: Confidence,
}
