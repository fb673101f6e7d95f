//! The term mini-syntax: what moderators type, one meaning for each sign.
//!
//! ```text
//! cat            whole word; in scripts without spaces, anywhere
//! cat* *cat *cat*  word starts with, ends with, contains
//! free gift      phrase: any spaces or punctuation between the words
//! a&b            both in the message, 2 to 8 parts
//! a~b            a, unless b is in the message too; after any `&`
//! {a|b}          alternatives inside one part
//! url:evil.com   a link to this host or one below it; url:evil.com/x, to paths that begin so
//! lit:NaCl       these very characters, nothing folded
//! from:1069*     the sender, whole or, with *, its beginning; may be a part
//! re:[a-z]+\d{6}  a regular expression on the text as it stands; may be a part, and ends at & and ~
//! \& \~ \* \{ \} \| \# \\   the sign itself;   two spaces and # begin a comment
//! ```

use std::format;
use std::string::String;
use std::vec;
use std::vec::Vec;

use super::diagnostic::Finding;
use super::regex::{self, Automata};
use crate::Evidence;
use crate::letters::Letters;
use crate::pack::{
    END_OPEN, HAN_PAIR, LITERAL, PARTS_MAX, PATTERN_LETTERS_MAX, REGEX, ROLE_EXCLUDE, SENDER, START_OPEN,
};
use crate::rewrite::spelled;
use crate::senders;
use crate::spam::fold_url;
use crate::wire::SENDER_BYTES_MAX;

/// Most alternatives that the braces of one part may multiply to.
const ALTERNATIVES_MAX: usize = 1024;

/// A term, taken apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ParsedTerm {
    /// How many parts must be there.
    pub(crate) parts: u8,
    pub(crate) patterns: Vec<ParsedPattern>,
    /// What its regular expressions are searched with.
    pub(crate) regexes: Vec<Automata>,
}

/// One spelling to search for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ParsedPattern {
    pub(crate) role: u32,
    pub(crate) flags: u8,
    /// The spelling without the signs of the syntax.
    pub(crate) spelling: String,
    /// The evidence it accepts.
    pub(crate) folds: u16,
    /// The evidence that it is, where it is not the author's spelling.
    pub(crate) adds: Evidence,
}

/// A finding and the byte of the term where it is.
pub(super) type Placed = (usize, Finding);

/// A character of a term: a sign of the syntax unless it was escaped.
#[derive(Clone, Copy, Debug)]
struct Sign {
    at: usize,
    char: char,
    escaped: bool,
}

impl Sign {
    fn is(self, char: char) -> bool {
        !self.escaped && self.char == char
    }
}

/// The term without its comment.
pub(crate) fn without_comment(line: &str) -> &str {
    let comment = if line.contains('#') { line.find("  #") } else { None };
    comment.map_or(line, |comment| &line[..comment]).trim()
}

/// The folded host of a `url:` term; `None` for a term of another kind.
pub(crate) fn host(term: &str) -> Option<Result<String, Placed>> {
    let url = term.strip_prefix("url:")?;
    Some(fold_url(url).ok_or_else(|| {
        let help = "write url:example.com, or url:example.com/path for one part of it";
        (0, Finding::error("T006", format!("`{url}` names no host"), help))
    }))
}

/// Takes a term apart; a [`host`] is none. `Err` is what is wrong and where in it; `warnings` gets what is merely odd.
pub(crate) fn parse(term: &str, warnings: &mut Vec<Placed>) -> Result<ParsedTerm, Placed> {
    if let Some(literal) = term.strip_prefix("lit:") {
        let pattern = literal_pattern(literal).map_err(|finding| (4, finding))?;
        return Ok(ParsedTerm { parts: 1, patterns: vec![pattern], regexes: Vec::new() });
    }
    if is_plain(term) {
        let pattern = checked(0, 0, spelled(term.trim())).map_err(|finding| (0, finding))?;
        warnings.extend(too_short(&pattern).map(|warning| (0, warning)));
        return Ok(ParsedTerm { parts: 1, patterns: vec![pattern], regexes: Vec::new() });
    }
    let (mut patterns, mut regexes) = (Vec::new(), Vec::new());
    let (parts, roles) = parts(term)?;
    for Part { role, at: part_at, text } in roles {
        let trimmed = text.trim_start();
        let at = part_at + text.len() - trimmed.len();
        if let Some(source) = trimmed.strip_prefix("re:") {
            let automata =
                regex::build(source.trim_end()).map_err(|(offset, finding)| (at + "re:".len() + offset, finding))?;
            patterns.push(pattern(role, REGEX, automata.source.clone()).map_err(|finding| (at, finding))?);
            regexes.push(automata);
            continue;
        }
        let sender = trimmed.strip_prefix("from:");
        if let Some((offset, wide)) = text.char_indices().find(|&(_, char)| narrow(char).is_some()) {
            let sign = narrow(wide).unwrap_or(wide);
            let message = format!("`{wide}` is wide, and no sign of a term");
            let help = format!("write `{sign}` as on an English keyboard, or leave it out if it is no sign");
            return Err((part_at + offset, Finding::error("T006", message, help)));
        }
        if let Some((offset, comma)) = text.char_indices().find(|&(_, char)| matches!(char, ',' | '，' | '、' | '；'))
        {
            let message = format!("`{comma}` does not part terms: this is one phrase");
            let help =
                "write each term on a line of its own, or {a|b} for alternatives; leave the sign out of a phrase";
            warnings.push((part_at + offset, Finding::warning("T006", message, help)));
        }
        let signs = sender.map_or_else(|| signs(part_at, text), |sender| signs(at + "from:".len(), sender))?;
        let at = signs.first().map_or(term.len(), |sign| sign.at);
        for spelling in alternatives(&signs)? {
            let parsed = if sender.is_some() { sender_pattern(role, &spelling) } else { word_pattern(role, &spelling) };
            let pattern = parsed.map_err(|finding| (at, finding))?;
            if let Some(warning) = too_short(&pattern) {
                warnings.push((at, warning));
            }
            patterns.push(pattern);
        }
    }
    Ok(ParsedTerm { parts, patterns, regexes })
}

/// Whether a term is a word or a phrase without any sign, as most are: there is nothing to take apart.
fn is_plain(term: &str) -> bool {
    term.chars().all(|char| char == ' ' || char.is_alphanumeric())
}

/// The sign that a wide character is mistaken for.
fn narrow(char: char) -> Option<char> {
    match char {
        '＆' => Some('&'),
        '～' => Some('~'),
        '＊' => Some('*'),
        '｛' => Some('{'),
        '｝' => Some('}'),
        '｜' => Some('|'),
        _ => None,
    }
}

/// What stands between `&` and `~`.
struct Part<'t> {
    role: u32,
    /// Where in the term it begins.
    at: usize,
    text: &'t str,
}

/// The parts of a term, and how many must be there.
fn parts(term: &str) -> Result<(u8, Vec<Part<'_>>), Placed> {
    let mut roles = Vec::new();
    let (mut role, mut count, mut start) = (0, 1u8, 0);
    let mut chars = term.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '\\' => drop(chars.next()),
            '&' if role == ROLE_EXCLUDE => {
                let message = "`&` after `~`";
                return Err((at, Finding::error("T006", message, "put all parts joined by `&` first: `a&b~c`")));
            }
            '&' if usize::from(count) == PARTS_MAX => {
                let message = format!("more than {PARTS_MAX} parts");
                return Err((at, Finding::error("T006", message, "leave out the parts that matter least")));
            }
            '&' | '~' => {
                roles.push(Part { role, at: start, text: &term[start..at] });
                start = at + 1;
                role = if char == '~' { ROLE_EXCLUDE } else { count.into() };
                count += u8::from(char == '&');
            }
            _ => {}
        }
    }
    roles.push(Part { role, at: start, text: &term[start..] });
    Ok((count, roles))
}

/// Resolves the escapes of a part that begins at `start`.
fn signs(start: usize, part: &str) -> Result<Vec<Sign>, Placed> {
    let mut signs = Vec::new();
    let mut chars = part.char_indices().map(|(at, char)| (start + at, char));
    while let Some((at, char)) = chars.next() {
        if char != '\\' {
            signs.push(Sign { at, char, escaped: false });
            continue;
        }
        match chars.next() {
            Some((_, char @ ('&' | '~' | '*' | '{' | '}' | '|' | '#' | '\\'))) => {
                signs.push(Sign { at, char, escaped: true })
            }
            _ => {
                let help = "a backslash stands only before one of & ~ * { } | # \\; write \\\\ for itself";
                return Err((at, Finding::error("T006", "nothing to escape after this backslash", help)));
            }
        }
    }
    Ok(signs)
}

/// Multiplies out `{a|b}`.
fn alternatives(part: &[Sign]) -> Result<Vec<Vec<Sign>>, Placed> {
    let mut spellings: Vec<Vec<Sign>> = vec![Vec::new()];
    // Inside braces: where they opened and the alternatives so far.
    let mut open: Option<(usize, Vec<Vec<Sign>>)> = None;
    for &sign in part {
        match &mut open {
            None if sign.is('{') => open = Some((sign.at, vec![Vec::new()])),
            None if sign.is('}') || sign.is('|') => {
                let message = format!("`{}` outside of braces", sign.char);
                let help = format!("write {{a|b}} for alternatives, or \\{} for the sign itself", sign.char);
                return Err((sign.at, Finding::error("T006", message, help)));
            }
            None => spellings.iter_mut().for_each(|spelling| spelling.push(sign)),
            Some(_) if sign.is('{') => {
                return Err((
                    sign.at,
                    Finding::error("T006", "braces inside braces", "write all alternatives in one pair"),
                ));
            }
            Some((_, choices)) if sign.is('|') => choices.push(Vec::new()),
            Some((at, choices)) if sign.is('}') => {
                if choices.iter().any(Vec::is_empty) {
                    return Err((
                        *at,
                        Finding::error("T014", "an alternative is empty", "remove it, or the `|` beside it"),
                    ));
                }
                if spellings.len() * choices.len() > ALTERNATIVES_MAX {
                    let message = format!("the braces multiply to more than {ALTERNATIVES_MAX} spellings");
                    return Err((*at, Finding::error("T006", message, "write several terms")));
                }
                spellings = spellings
                    .iter()
                    .flat_map(|spelling| choices.iter().map(move |choice| [&spelling[..], &choice[..]].concat()))
                    .collect();
                open = None;
            }
            Some((_, choices)) => choices.last_mut().into_iter().for_each(|choice| choice.push(sign)),
        }
    }
    match open {
        Some((at, _)) => {
            Err((at, Finding::error("T006", "unbalanced `{`", "close it with `}`, or write \\{ for the sign itself")))
        }
        None => Ok(spellings),
    }
}

/// A word or phrase with `*` at its ends.
fn word_pattern(role: u32, spelling: &[Sign]) -> Result<ParsedPattern, Finding> {
    let spelling = trim(spelling);
    let (flags, spelling) = match spelling {
        [star, inner @ ..] if star.is('*') => (START_OPEN, inner),
        all => (0, all),
    };
    let (flags, spelling) = match spelling {
        [inner @ .., star] if star.is('*') => (flags | END_OPEN, inner),
        all => (flags, all),
    };
    if spelling.iter().any(|sign| sign.is('*')) {
        let help = "`*` stands only at the ends of a part: cat*, *cat, *cat*; write \\* for the sign itself";
        return Err(Finding::error("T006", "`*` inside a part", help));
    }

    let spelling: String = trim(spelling).iter().map(|sign| sign.char).collect();
    checked(role, flags, spelled(&spelling))
}

/// A sender, with `*` at its end if only its beginning is given.
fn sender_pattern(role: u32, sender: &[Sign]) -> Result<ParsedPattern, Finding> {
    let (flags, sender) = match trim(sender) {
        [inner @ .., star] if star.is('*') => (SENDER | END_OPEN, inner),
        all => (SENDER, all),
    };
    if sender.iter().any(|sign| sign.is('*')) {
        let help = "a sender is given whole, as from:106912, or by its beginning, as from:1069*";
        return Err(Finding::error("T006", "`*` inside a sender", help));
    }
    let folded: String = sender.iter().filter_map(|sign| char::from_u32(senders::fold(sign.char as u32))).collect();
    if folded.is_empty() {
        return Err(Finding::error("T014", "no sender", "write its number or name after `from:`"));
    }
    if folded.len() > SENDER_BYTES_MAX {
        let message = format!("a sender longer than {SENDER_BYTES_MAX} bytes");
        return Err(Finding::error("T008", message, "give its beginning, with `*` at the end"));
    }
    pattern(role, flags, folded)
}

/// These very characters.
fn literal_pattern(literal: &str) -> Result<ParsedPattern, Finding> {
    checked(0, LITERAL, literal.into())
}

fn checked(role: u32, flags: u8, spelling: String) -> Result<ParsedPattern, Finding> {
    let is_han = |c: char| ('\u{4E00}'..='\u{9FFF}').contains(&c);
    let is_pair = flags & LITERAL == 0 && spelling.chars().count() == 2 && spelling.chars().all(is_han);
    let flags = if is_pair { flags | HAN_PAIR } else { flags };
    if Letters::new(spelling.as_bytes()).next().is_none() {
        return Err(Finding::error(
            "T014",
            "nothing to search for: no letter or digit",
            "write a word, or remove the line",
        ));
    }
    pattern(role, flags, spelling)
}

fn pattern(role: u32, flags: u8, spelling: String) -> Result<ParsedPattern, Finding> {
    let pattern = ParsedPattern { role, flags, spelling, folds: 0, adds: Evidence::default() };
    if pattern.spelling.len() > PATTERN_LETTERS_MAX && pattern.spelling.chars().count() > PATTERN_LETTERS_MAX {
        let message = format!("longer than {PATTERN_LETTERS_MAX} letters");
        return Err(Finding::error("T008", message, "take the most telling part of it"));
    }
    Ok(pattern)
}

fn too_short(pattern: &ParsedPattern) -> Option<Finding> {
    if pattern.flags & SENDER != 0 {
        return None;
    }
    let mut letters = Letters::new(pattern.spelling.as_bytes());
    let (Some(letter), None) = (letters.next(), letters.next()) else { return None };
    (letter.run == 1).then(|| {
        let message = format!("`{}` alone matches a great many messages", pattern.spelling);
        Finding::warning("T011", message, "write a longer word; `&` as a sign is written \\&")
    })
}

fn trim(mut spelling: &[Sign]) -> &[Sign] {
    while let [first, rest @ ..] = spelling
        && first.char.is_whitespace()
    {
        spelling = rest;
    }
    while let [rest @ .., last] = spelling
        && last.char.is_whitespace()
    {
        spelling = rest;
    }
    spelling
}
