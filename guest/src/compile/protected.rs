//! Names that only the operator may bear: brands, products, staff. `policy.toml` gives them, as they are a decision of
//! the operator and no list; in the pack they are terms that are looked for in account names alone. Not for what
//! follows from a match, which the policy says like that of any other.

use std::borrow::ToOwned as _;
use std::collections::HashSet;
use std::format;
use std::string::String;
use std::vec::Vec;

use serde::Deserialize;
use toml::Spanned;

use super::diagnostic::{Diagnostic, Finding};
use super::emit::{Builder, COMMON_WORDS};
use super::lint::canonical;
use super::list::TermContext;
use super::schema::shortened;
use super::term::{self, ParsedTerm};
use super::{Taxonomy, Variants};
use crate::Field;
use crate::fold::{Script, script};
use crate::letters::Letters;
use crate::pack::ROLE_EXCLUDE;

/// The list that matches of protected names are reported under.
pub(super) const LIST: &str = "policy.protected";
/// What a protected name is called by if the policy does not say.
const CATEGORY: &str = "fraud.impersonation";
const SEVERITY: u8 = 2;
/// Most names, and most words that make a name of them look official.
const NAMES_MAX: usize = 1000;
const OFFICIAL_MAX: usize = 100;
/// Shortest name in a script with spaces, and in one without, in letters.
const LETTERS_MIN: usize = 3;
const HAN_MIN: usize = 2;

/// `[protected]` as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProtectedTable {
    names: Spanned<Vec<Spanned<String>>>,
    #[serde(default)]
    official: Vec<Spanned<String>>,
    #[serde(default)]
    own: Vec<Spanned<String>>,
    category: Option<Spanned<String>>,
    severity: Option<Spanned<u8>>,
}

/// The protected names of a policy, and of those below it.
#[derive(Clone, Debug, Default)]
pub struct Protected {
    sets: Vec<Set>,
}

/// Names that one policy protects.
#[derive(Clone, Debug)]
struct Set {
    names: Vec<String>,
    official: Vec<String>,
    own: Vec<String>,
    category: String,
    severity: u8,
    /// Where the category is said, and what if the taxonomy does not know it.
    unknown_category: Diagnostic,
}

impl Protected {
    /// Reads a table and reports what is wrong with it.
    pub(super) fn read(table: &ProtectedTable, path: &str, text: &str, found: &mut Vec<Diagnostic>) -> Protected {
        let mut report = |finding: Finding, at: usize| found.push(finding.at(path, text, at));
        let names_at = table.names.span().start;
        let names = table.names.get_ref();
        if names.is_empty() {
            let help = "add the names that nobody else may bear, or remove the table";
            report(Finding::error("T014", "`names` protects nothing", help), names_at);
        }
        for (key, count, most) in [("names", names.len(), NAMES_MAX), ("official", table.official.len(), OFFICIAL_MAX)]
        {
            if count > most {
                let message = format!("`{key}` has {count} entries, and may have {most}");
                report(Finding::error("T008", message, "keep those that people know you by"), names_at);
            }
        }
        let mut known = HashSet::new();
        for name in names {
            let at = name.span().start + 1;
            if let Some(finding) = wrong_name(name.get_ref()) {
                report(finding, at);
            } else if !known.insert(canonical(&escaped(name.get_ref()))) {
                let message = format!("`{}` is there already", shortened(name.get_ref()));
                report(Finding::warning("T003", message, "remove one of the two"), at);
            }
        }
        for word in table.official.iter().chain(&table.own) {
            if Letters::new(word.get_ref().as_bytes()).next().is_none() {
                let help = "write a word, or remove it";
                report(Finding::error("T014", "nothing to look for: no letter or digit", help), word.span().start + 1);
            }
        }
        let severity = table.severity.as_ref().map_or(SEVERITY, |severity| *severity.get_ref());
        if !(1..=4).contains(&severity) {
            let at = table.severity.as_ref().map_or(names_at, |severity| severity.span().start);
            report(Finding::error("T001", "severity is 1, 2, 3 or 4", "leave it out for 2"), at);
        }
        let category = table.category.as_ref().map_or(CATEGORY, |category| category.get_ref());
        let category_at = table.category.as_ref().map_or(names_at, |category| category.span().start + 1);
        let message = format!("unknown category `{}` for protected names", shortened(category));
        let help = "name one that is in taxonomy.toml";
        let texts = |all: &[Spanned<String>]| all.iter().map(|one| one.get_ref().trim().to_owned()).collect();
        let set = Set {
            names: texts(names),
            official: texts(&table.official),
            own: texts(&table.own),
            category: category.to_owned(),
            severity,
            unknown_category: Finding::error("T002", message, help).at(path, text, category_at),
        };
        // What cannot be compiled for another reason, such as more own names than one automaton holds.
        match set.exceptions() {
            Err((_, finding)) => {
                let at = table.own.first().map_or(names_at, |own| own.span().start);
                let message = format!("`own` cannot be used: {}", finding.message);
                report(Finding::error(finding.code, message, finding.help), at);
            }
            Ok(exceptions) => {
                for name in names.iter().filter(|name| wrong_name(name.get_ref()).is_none()) {
                    let parsed = set.parsed(name.get_ref(), &exceptions);
                    parsed.err().into_iter().for_each(|(_, finding)| report(finding, name.span().start + 1));
                }
            }
        }
        Protected { sets: [set].into() }
    }

    /// Adds the names that another policy protects.
    pub(super) fn extend(&mut self, other: &Protected) {
        self.sets.extend_from_slice(&other.sets);
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sets.iter().all(|set| set.names.is_empty())
    }

    /// Whether a pack was compiled with all of them. Costs a pass over its terms.
    #[must_use]
    pub fn is_in(&self, pack: &crate::Pack<'_>) -> bool {
        let terms = (0..pack.terms_count()).filter_map(|number| {
            let term = pack.term(crate::TermId(u32::try_from(number).ok()?));
            (term.list == LIST).then_some(term.text)
        });
        let there: HashSet<&str> = terms.collect();
        self.sets.iter().flat_map(|set| &set.names).all(|name| there.contains(&name[..]))
    }

    /// What is said of categories that the taxonomy does not know.
    pub(super) fn unknown_categories(&self, taxonomy: &Taxonomy) -> impl Iterator<Item = Diagnostic> {
        let is_unknown = |set: &&Set| taxonomy.index_of(&set.category).is_none();
        self.sets.iter().filter(is_unknown).map(|set| set.unknown_category.clone())
    }

    /// Puts the names into a pack.
    pub(super) fn compile(&self, builder: &mut Builder, taxonomy: &Taxonomy, found: &mut Vec<Diagnostic>) {
        if self.is_empty() {
            return;
        }
        let list = builder.list(LIST);
        for set in &self.sets {
            let category = taxonomy.index_of(&set.category).and_then(|index| u16::try_from(index).ok());
            let Some(category) = category else {
                found.push(set.unknown_category.clone());
                continue;
            };
            let context = TermContext {
                list,
                category,
                severity: set.severity,
                allow_set: u32::MAX,
                acts_percent: 100,
                fields: 1 << Field::Name as u8,
                variants: Variants::Standard,
                within: 0,
            };
            // What is wrong with them was reported when the policy was read.
            let Ok(exceptions) = set.exceptions() else { continue };
            for name in &set.names {
                if let Ok(parsed) = set.parsed(name, &exceptions) {
                    builder.term(&context, name, parsed);
                }
            }
        }
    }
}

impl Set {
    /// The name as a word, and glued to what makes it look official; not for accounts of the operator's own.
    fn parsed(&self, name: &str, exceptions: &ParsedTerm) -> Result<ParsedTerm, (usize, Finding)> {
        let name = escaped(name.trim());
        // In braces no beginning of it is read as a sign, such as `re:`.
        let mut parsed = term::parse(&format!("{{{name}}}"), &mut Vec::new())?;
        let mut glued = |spelling: &str| {
            let patterns = term::parse(&format!("*{{{spelling}}}*"), &mut Vec::new())?.patterns;
            parsed.patterns.extend(patterns);
            Ok::<(), (usize, Finding)>(())
        };
        for word in self.official.iter().map(|word| escaped(word)) {
            glued(&format!("{name}{word}"))?;
            glued(&format!("{word}{name}"))?;
        }
        parsed.patterns.extend_from_slice(&exceptions.patterns);
        parsed.regexes.clone_from(&exceptions.regexes);
        Ok(parsed)
    }

    /// What marks an account of the operator's own: its number, or its whole name to the letter. To the letter, because
    /// a look-alike of it is just what must be found.
    fn exceptions(&self) -> Result<ParsedTerm, (usize, Finding)> {
        let (senders, names): (Vec<&String>, Vec<&String>) = self.own.iter().partition(|own| own.starts_with("from:"));
        let mut term = String::from("any");
        for sender in senders {
            term += &format!("~{sender}");
        }
        if !names.is_empty() {
            let names: Vec<String> = names.iter().map(|name| regex_of(name)).collect();
            term += &format!("~re:^(?:{})$", names.join("|"));
        }
        let mut parsed = term::parse(&term, &mut Vec::new())?;
        parsed.patterns.retain(|pattern| pattern.role == ROLE_EXCLUDE);
        Ok(parsed)
    }
}

/// What is wrong with a name by itself.
fn wrong_name(name: &str) -> Option<Finding> {
    let codes: Vec<u32> = Letters::new(name.as_bytes()).map(|letter| letter.code).collect();
    if codes.is_empty() {
        return Some(Finding::error("T014", "nothing to look for: no letter or digit", "write a name, or remove it"));
    }
    let least = if codes.iter().all(|&code| script(code) == Script::Unspaced) { HAN_MIN } else { LETTERS_MIN };
    let letters = name.chars().filter(|char| char.is_alphanumeric()).count();
    if letters < least {
        let message = format!("`{name}` is in a great many names");
        let help = "protect a longer form of it, such as with the word that stands beside it";
        return Some(Finding::error("T011", message, help));
    }
    if COMMON_WORDS.contains(&format!(" {} ", name.to_lowercase())) {
        let message = format!("`{name}` is one of the commonest words");
        let help = "protect it with the word that stands beside it";
        return Some(Finding::error("T012", message, help));
    }
    let parsed = term::parse(&format!("{{{}}}", escaped(name)), &mut Vec::new());
    parsed.err().map(|(_, finding)| finding)
}

/// The name with the signs of the term syntax as letters.
fn escaped(name: &str) -> String {
    let escape = |char: char| if "&~*{}|#\\".contains(char) { format!("\\{char}") } else { String::from(char) };
    name.chars().map(escape).collect()
}

/// A pattern that matches this text to the letter.
fn regex_of(text: &str) -> String {
    let escape = |char: char| match char {
        // A term ends at these.
        '&' | '~' => format!("\\x{{{:X}}}", u32::from(char)),
        char if char.is_ascii_punctuation() => format!("\\{char}"),
        char => String::from(char),
    };
    text.chars().map(escape).collect()
}
