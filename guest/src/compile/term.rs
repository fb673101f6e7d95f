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
//! \& \~ \* \{ \} \| \# \\   the sign itself;   two spaces and # begin a comment
//! ```

use std::format;
use std::string::String;
use std::vec;
use std::vec::Vec;

use super::diagnostic::Finding;
use crate::Evidence;
use crate::letters::Letters;
use crate::pack::{END_OPEN, HAN_PAIR, LITERAL, PARTS_MAX, PATTERN_LETTERS_MAX, ROLE_EXCLUDE, START_OPEN};
use crate::rewrite::spelled;
use crate::spam::fold_url;

/// Most alternatives that the braces of one part may multiply to.
const ALTERNATIVES_MAX: usize = 1024;

/// A term, taken apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ParsedTerm {
    /// How many parts must be there.
    pub(crate) parts: u8,
    pub(crate) patterns: Vec<ParsedPattern>,
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
    line.find("  #").map_or(line, |comment| &line[..comment]).trim()
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
        return Ok(ParsedTerm { parts: 1, patterns: vec![pattern] });
    }
    for prefix in ["re:", "from:"] {
        if term.starts_with(prefix) {
            let message = format!("`{prefix}` terms are not read by this version");
            return Err((0, Finding::error("T006", message, "write a word, a phrase, `a&b` or `lit:` instead")));
        }
    }
    let signs = signs(term)?;

    let mut excluded = false;
    let mut roles: Vec<(u32, Vec<Sign>)> = vec![(0, Vec::new())];
    let mut parts = 1u8;
    for &sign in &signs {
        if sign.is('~') {
            excluded = true;
            roles.push((ROLE_EXCLUDE, Vec::new()));
        } else if sign.is('&') {
            if excluded {
                let message = "`&` after `~`";
                return Err((sign.at, Finding::error("T006", message, "put all parts joined by `&` first: `a&b~c`")));
            }
            if usize::from(parts) == PARTS_MAX {
                let message = format!("more than {PARTS_MAX} parts");
                return Err((sign.at, Finding::error("T006", message, "leave out the parts that matter least")));
            }
            roles.push((parts.into(), Vec::new()));
            parts += 1;
        } else if let Some((_, part)) = roles.last_mut() {
            part.push(sign);
        }
    }

    let mut patterns = Vec::new();
    for (role, part) in roles {
        let at = part.first().map_or(term.len(), |sign| sign.at);
        for spelling in alternatives(&part)? {
            let pattern = word_pattern(role, &spelling).map_err(|finding| (at, finding))?;
            if let Some(warning) = too_short(&pattern) {
                warnings.push((at, warning));
            }
            patterns.push(pattern);
        }
    }
    Ok(ParsedTerm { parts, patterns })
}

/// Resolves the escapes.
fn signs(term: &str) -> Result<Vec<Sign>, Placed> {
    let mut signs = Vec::new();
    let mut chars = term.char_indices();
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

/// These very characters.
fn literal_pattern(literal: &str) -> Result<ParsedPattern, Finding> {
    checked(0, LITERAL, literal.into())
}

fn checked(role: u32, flags: u8, spelling: String) -> Result<ParsedPattern, Finding> {
    let is_han = |c: char| ('\u{4E00}'..='\u{9FFF}').contains(&c);
    let is_pair = flags & LITERAL == 0 && spelling.chars().count() == 2 && spelling.chars().all(is_han);
    let flags = if is_pair { flags | HAN_PAIR } else { flags };
    let pattern = ParsedPattern { role, flags, spelling, folds: 0, adds: Evidence::default() };
    if Letters::new(pattern.spelling.as_bytes()).next().is_none() {
        return Err(Finding::error(
            "T014",
            "nothing to search for: no letter or digit",
            "write a word, or remove the line",
        ));
    }
    if pattern.spelling.chars().count() > PATTERN_LETTERS_MAX {
        let message = format!("longer than {PATTERN_LETTERS_MAX} letters");
        return Err(Finding::error("T008", message, "take the most telling part of it"));
    }
    Ok(pattern)
}

fn too_short(pattern: &ParsedPattern) -> Option<Finding> {
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
