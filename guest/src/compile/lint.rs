//! What is wrong with lists beyond their form: terms that are there twice, that can never fire, that fire on
//! too much, that act without having been tried. Not for whether a list can be compiled; that is
//! [`compile`](super::compile), whose findings are here as well.

use core::ops::Range;
use std::borrow::ToOwned as _;
use std::collections::HashMap;
use std::format;
use std::string::{String, ToString as _};
use std::vec;
use std::vec::Vec;

use super::diagnostic::{Diagnostic, Finding, Fix};
use super::emit::COMMON_WORDS;
use super::examples::{Trial, try_entry};
use super::list::{Entry, List, Living, Place, Status};
use super::schema::{Findings, Written, shortened};
use super::term::{self, ParsedPattern, ParsedTerm};
use super::{Date, ListSource, Taxonomy, build, finish};
use crate::fold::{self, Script, script};
use crate::letters::Letters;
use crate::pack::{END_OPEN, LITERAL, ROLE_EXCLUDE, START_OPEN};
use crate::{Evidence, Field, Message, Pack, PackBytes, Policy, Scanner, Verdict};

/// From this severity on a term that acts needs messages it hits and messages it misses.
const TRIED_SEVERITY: u8 = 3;
/// Shortest word that may be looked for inside of others, in letters.
const INSIDE_LETTERS_MIN: usize = 4;
/// Digits in a row, spaces and signs between them, that make a telephone or account number.
const NUMBER_DIGITS_MIN: usize = 7;
/// Most texts that are made from one term to try it.
const SAMPLES_MAX: usize = 64;
/// No word, and in no term: stands around and between the parts of a sample.
const FILLER: &str = "qzx";

/// Finds all that is wrong with lists on a day, in the order of the files and lines.
///
/// Costs a few scans of a short text for each term.
#[must_use]
pub fn lint(sources: &[ListSource<'_>], taxonomy: &Taxonomy, today: Date) -> Vec<Diagnostic> {
    let (_, mut diagnostics) = build(sources, taxonomy, Living::On(today));
    let (built, _) = build(sources, taxonomy, Living::All);
    let mut all: Vec<Findings<'_>> = sources.iter().map(|source| Findings::new(source.path, source.text)).collect();

    for ((source, list), findings) in sources.iter().zip(&built.lists).zip(&mut all) {
        let Some(list) = list else { continue };
        if list.review_by.is_some_and(|day| day <= today) {
            overdue(list.review_by, today, list.id.at, findings);
        }
        for entry in &list.entries {
            check_entry(entry, today, findings);
            for term in &entry.terms {
                check_written(term, entry, list, findings);
            }
        }
        Trial::with(source, taxonomy, |list, trial| {
            for (number, entry) in list.entries.iter().enumerate() {
                try_entry(number, entry, trial, findings);
                check_allow(number, entry, trial, findings);
            }
        });
    }

    let terms = Terms::new(&built.lists, &built.places);
    let twins = check_twins(&terms, &built.lists, &mut all);
    let (bytes, _) = finish(built.builder, "", Vec::new());
    let bytes = PackBytes::from(bytes);
    if let Ok(pack) = Pack::decode(&bytes) {
        check_covered(&terms, &twins, &pack, &built.lists, today, &mut all);
    }

    diagnostics.extend(all.into_iter().flat_map(Findings::finish));
    let number: HashMap<&str, usize> = sources.iter().enumerate().map(|(at, source)| (source.path, at)).collect();
    diagnostics.sort_by_key(|found| (number.get(&found.path[..]).copied(), found.line, found.column, found.code));
    diagnostics
}

/// What can be said of a term by itself, for tools that take in many.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TermCheck {
    /// Alike for all spellings of the same term; `None` if it is no term.
    pub canonical: Option<String>,
    /// Code and message of each thing that speaks against taking it in.
    pub problems: Vec<(&'static str, String)>,
}

/// Checks a term that stands in no list yet. One letter alone is a problem here, though in a list it is a
/// warning: nobody has looked at it.
#[must_use]
pub fn check_term(text: &str) -> TermCheck {
    let mut problems = Vec::new();
    if let Some(damage) = damage(text) {
        problems.push(("T007", damage.to_owned()));
    }
    let is_one_line = !text.contains(['\n', '\r']) && text.trim() == text;
    if !is_one_line || text.is_empty() || text.starts_with('#') || text.contains("  #") {
        problems.push(("T006", "not a term on one line without a comment".to_owned()));
    }
    let mut warnings = Vec::new();
    if let Some(host) = term::host(text) {
        problems.extend(host.err().map(|(_, finding)| (finding.code, finding.message)));
        return TermCheck { canonical: canonical(text), problems };
    }
    match term::parse(text, &mut warnings) {
        Err((_, finding)) => problems.push((finding.code, finding.message)),
        Ok(parsed) => {
            // A phrase may hold a comma.
            let warnings = warnings.into_iter().filter(|(_, finding)| finding.code != "T006");
            problems.extend(warnings.map(|(_, finding)| (finding.code, finding.message)));
            if is_words(text) && parsed.patterns.iter().any(is_inside_and_short) {
                problems.push(("T010", "inside of many words".to_owned()));
            }
        }
    }
    TermCheck { canonical: canonical(text), problems }
}

/// Whether its words may be compared with others: a pattern, a host or a sender is not made of words.
fn is_words(term: &str) -> bool {
    !["re:", "url:", "from:"].iter().any(|prefix| term.starts_with(prefix))
}

fn acts(entry: &Entry) -> bool {
    entry.enabled && matches!(entry.status, Status::Enforce | Status::Canary)
}

fn overdue(day: Option<Date>, today: Date, at: usize, findings: &mut Findings<'_>) {
    let message = format!("due for review since {}", day.unwrap_or(today));
    findings.add(Finding::warning("T041", message, "look at it again, and give it a later day or remove it"), at);
}

/// What is wrong with a group or term as a whole.
fn check_entry(entry: &Entry, today: Date, findings: &mut Findings<'_>) {
    if entry.review_by.is_some_and(|day| day <= today) {
        overdue(entry.review_by, today, entry.at.review_by, findings);
    }
    let is_sender = entry.terms.iter().all(|term| term.text.starts_with("from:"));
    let lacks = match (entry.hits.is_empty(), entry.misses.is_empty()) {
        (true, true) => Some("`hits` and `misses`"),
        (true, false) => Some("`hits`"),
        (false, true) => Some("`misses`"),
        (false, false) => None,
    };
    if let Some(lacks) = lacks
        && acts(entry)
        && entry.severity >= TRIED_SEVERITY
        && !is_sender
    {
        let message = format!("severity {} without {lacks}", entry.severity);
        let help = "add a message that it must hit, and the honest message nearest to it that it must not";
        findings.add(Finding::error("T030", message, help), entry.at.severity);
    }
    for (key, text) in [("reason", &entry.reason), ("added_by", &entry.added_by)] {
        let Some(text) = text else { continue };
        if let Some(what) = personal(&text.text) {
            let message = format!("`{key}` holds {what}");
            let help = "lists are copied to many places: name a ticket or a role instead of a person";
            findings.add(Finding::error("T060", message, help), text.at);
        }
    }
    for text in &entry.allow {
        check_characters(text, entry, findings);
    }
}

/// An address or number of somebody.
fn personal(text: &str) -> Option<&'static str> {
    let is_address = |word: &str| {
        word.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.trim_end_matches('.').contains('.'))
    };
    if text.split_whitespace().any(is_address) {
        return Some("an e-mail address");
    }
    let mut digits = 0;
    for char in text.chars() {
        match char {
            // The day of a ticket is not a number of somebody.
            '0'..='9' => digits += 1,
            ' ' | '(' | ')' | '+' => {}
            _ => digits = 0,
        }
        if digits >= NUMBER_DIGITS_MIN {
            return Some("a long number");
        }
    }
    None
}

/// What is wrong with one term by itself.
fn check_written(written: &Written, entry: &Entry, list: &List, findings: &mut Findings<'_>) {
    let text = &written.text[..];
    if let Some(damage) = damage(text) {
        let help = "type the term again; in a spreadsheet, make the column text before anything is pasted into it";
        findings.add(Finding::error("T007", damage, help), written.at);
    }
    check_characters(written, entry, findings);
    if let Some(year) = text.strip_prefix("re:").and_then(year_class) {
        let message = format!("`{year}` matches years");
        let help = "it will hit other messages when the year changes: name what is beside the number";
        warn(entry, Finding::warning("T021", message, help), written.at + text.find(year).unwrap_or(0), findings);
    }
    let mut ignored = Vec::new();
    let Ok(parsed) = term::parse(text, &mut ignored) else { return };
    if !is_words(text) {
        return;
    }
    for pattern in &parsed.patterns {
        check_inside(written, pattern, findings);
    }
    if let Some(exclude) = place_of_exclude(text).filter(|_| acts(entry) && entry.severity >= TRIED_SEVERITY) {
        let message = "a sender passes by adding what is behind `~`";
        let help = "write it as an `allow` text instead: that cuts out only itself";
        warn(entry, Finding::warning("T050", message, help), written.at + exclude, findings);
    }
    check_common(written, &parsed, entry, findings);
    check_fold(written, entry, list, findings);
}

/// Adds a warning that the entry does not accept.
fn warn(entry: &Entry, finding: Finding, at: usize, findings: &mut Findings<'_>) {
    warn_with_fix(entry, finding, at, None, findings);
}

fn warn_with_fix(entry: &Entry, finding: Finding, at: usize, fix: Option<Fix>, findings: &mut Findings<'_>) {
    if !entry.accepts(finding.code) {
        findings.add_with_fix(finding, at, fix);
    }
}

/// What a spreadsheet or a wrong encoding made of a term.
fn damage(text: &str) -> Option<&'static str> {
    let is_scientific = || {
        let (mantissa, exponent) = text.split_once("E+")?;
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
        (digits(whole) && digits(part) && digits(exponent)).then_some(())
    };
    const ERRORS: [&str; 8] = ["#NAME?", "#REF!", "#VALUE!", "#DIV/0!", "#N/A", "#NUM!", "#NULL!", "#####"];
    /// UTF-8 that was read as Windows-1252: the first bytes of many accented and of all other letters.
    const MOJIBAKE: [&str; 6] = ["Ã©", "Ã¨", "Ã¤", "Ã¼", "â€", "ï»¿"];
    if is_scientific().is_some() {
        Some("a number that a spreadsheet has rounded")
    } else if ERRORS.iter().any(|error| text.contains(error)) {
        Some("an error of a spreadsheet in the place of a term")
    } else if text.contains('\u{FFFD}') || MOJIBAKE.iter().any(|broken| text.contains(broken)) {
        Some("text that was read in the wrong encoding")
    } else if text.starts_with('\'') && text.len() > 1 {
        Some("an apostrophe at the start, as spreadsheets put before text")
    } else {
        None
    }
}

/// Characters that do not show, and words of letters that only look alike.
fn check_characters(written: &Written, entry: &Entry, findings: &mut Findings<'_>) {
    let is_hidden = |c: char| {
        matches!(c, '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}' | '\u{E0000}'..='\u{E007F}')
            || (c.is_control() && c != '\t')
    };
    // Persian and the scripts of India spell with joiners.
    let spells_with = |c: char| matches!(c, '\u{200C}' | '\u{200D}') && !written.text.is_ascii();
    if let Some((at, char)) = written.text.char_indices().find(|&(_, c)| is_hidden(c) && !spells_with(c)) {
        let message = format!("a character that does not show, U+{:04X}", u32::from(char));
        let fix = literal_range(written, findings).map(|range| Fix {
            range,
            replacement: written.text.chars().filter(|&c| !is_hidden(c) || spells_with(c)).collect(),
        });
        let finding = Finding::warning("T051", message, "remove it; the filter skips such characters by itself");
        warn_with_fix(entry, finding, written.at + at, fix, findings);
        return;
    }
    for word in written.text.split(|c: char| !c.is_alphabetic()) {
        let alphabets = [
            ("Latin", word.chars().find(|&c| matches!(c, 'a'..='z' | 'A'..='Z' | '\u{C0}'..='\u{24F}'))),
            ("Greek", word.chars().find(|&c| matches!(c, '\u{370}'..='\u{3FF}'))),
            ("Cyrillic", word.chars().find(|&c| matches!(c, '\u{400}'..='\u{52F}'))),
        ];
        let mut there = alphabets.iter().filter_map(|(name, letter)| Some((name, (*letter)?)));
        if let (Some((one, a)), Some((other, b))) = (there.next(), there.next()) {
            let message = format!("`{}` mixes {one} `{a}` and {other} `{b}`", shortened(word));
            let at = word.as_ptr() as usize - written.text.as_ptr() as usize;
            let help = "write the word in one alphabet; the filter finds look-alikes by itself";
            warn(entry, Finding::warning("T051", message, help), written.at + at, findings);
        }
    }
}

/// Where in the file the text is, if it is written there as it is.
fn literal_range(written: &Written, findings: &Findings<'_>) -> Option<Range<usize>> {
    let range = written.at..written.at + written.text.len();
    (findings.text.get(range.clone())? == written.text).then_some(range)
}

/// A class of digits in a pattern that stands for years.
fn year_class(pattern: &str) -> Option<&str> {
    ["19[", "20[", "19\\d", "20\\d", "(19|20)", "(?:19|20)"].into_iter().find_map(|year| {
        let at = pattern.find(year)?;
        pattern.get(at..at + year.len())
    })
}

/// Words inside of others that are too short for it.
fn check_inside(written: &Written, pattern: &ParsedPattern, findings: &mut Findings<'_>) {
    if is_inside_and_short(pattern) {
        let message = format!("`*{}*` is inside of many words", pattern.spelling);
        let help = "write the words themselves, or at least four letters";
        findings.add(Finding::error("T010", message, help), written.at);
    }
}

fn is_inside_and_short(pattern: &ParsedPattern) -> bool {
    let codes = || Letters::new(pattern.spelling.as_bytes()).map(|letter| letter.code);
    pattern.flags & START_OPEN != 0
        && pattern.flags & END_OPEN != 0
        && codes().count() < INSIDE_LETTERS_MIN
        && codes().all(|code| script(code) == Script::Spaced)
}

/// Byte of the `~` of a term.
fn place_of_exclude(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(at, char)| {
        let is_sign = char == '~' && !escaped;
        escaped = char == '\\' && !escaped;
        is_sign.then_some(at)
    })
}

/// Terms of digits alone, and of one common word.
fn check_common(written: &Written, parsed: &ParsedTerm, entry: &Entry, findings: &mut Findings<'_>) {
    let [pattern] = &parsed.patterns[..] else { return };
    let codes: Vec<u32> = Letters::new(pattern.spelling.as_bytes()).map(|letter| letter.code).collect();
    let finding = if codes.iter().all(|&code| script(code) == Script::Digit) {
        let help = "add a word that stands beside it: number&word";
        Finding::warning("T012", "digits alone: they are in numbers of all kinds", help)
    } else if pattern.flags == 0 && COMMON_WORDS.contains(&format!(" {} ", pattern.spelling.to_lowercase())) {
        let message = format!("`{}` is one of the commonest words", pattern.spelling);
        Finding::warning("T012", message, "add a word that makes it bad: word&other")
    } else {
        return;
    };
    warn(entry, finding, written.at, findings);
}

/// Spellings that the search sees otherwise than the author.
fn check_fold(written: &Written, entry: &Entry, list: &List, findings: &mut Findings<'_>) {
    if written.text.starts_with("lit:") {
        return;
    }
    // Of Han characters Japanese has its own.
    let is_japanese = list.lang.iter().any(|lang| lang.starts_with("ja"));
    let searched: String = written
        .text
        .chars()
        .map(|char| {
            let code = u32::from(char);
            let (letter, kind) = fold::letter(code);
            let is_han = matches!(code, 0x3400..=0x9FFF | 0x2_0000..=0x3_FFFF);
            let is_wide = matches!(code, 0xFF10..=0xFF19 | 0xFF21..=0xFF3A | 0xFF41..=0xFF5A);
            // Korean shorthand is typed in letters that stand alone.
            let is_jamo = matches!(code, 0x3130..=0x318F);
            let is_folded = (kind.contains(Evidence::STYLE) && !is_jamo)
                || is_wide
                || (kind.contains(Evidence::VARIANT) && is_han && !is_japanese);
            if is_folded { char::from_u32(letter).unwrap_or(char) } else { char }
        })
        .collect();
    if searched != written.text {
        let message = format!("this is searched as `{}`", shortened(&searched));
        let fix = literal_range(written, findings).map(|range| Fix { range, replacement: searched });
        let help = "write it so; all its variants are found";
        warn_with_fix(entry, Finding::warning("T052", message, help), written.at, fix, findings);
    }
}

/// Terms that their own allow texts keep from ever firing.
fn check_allow(number: usize, entry: &Entry, trial: &mut Trial<'_>, findings: &mut Findings<'_>) {
    if entry.allow.is_empty() {
        return;
    }
    for (at, written) in entry.terms.iter().enumerate() {
        let samples = samples(&written.text, entry);
        if !samples.is_empty() && !samples.iter().any(|text| trial.terms_in(text, entry, number).contains(&at)) {
            let help = "remove the term, or make the allow text longer than it";
            let finding = Finding::warning("T005", "an `allow` text covers this whole term: it never fires", help);
            warn(entry, finding, written.at, findings);
        }
    }
}

/// Texts that hold nothing but the term: one for each spelling of each of its parts.
fn samples(text: &str, entry: &Entry) -> Vec<String> {
    let mut ignored = Vec::new();
    let Ok(parsed) = term::parse(text, &mut ignored) else { return Vec::new() };
    if !is_words(text) || parsed.patterns.len() > SAMPLES_MAX {
        return Vec::new();
    }
    let parts: Vec<Vec<String>> = (0..u32::from(parsed.parts))
        .map(|role| parsed.patterns.iter().filter(|pattern| pattern.role == role).map(sample).collect())
        .collect();
    let between = format!(" {FILLER} ");
    let is_near = entry.within.is_some_and(|within| usize::from(within) < between.len());
    let between = if is_near { " ".to_owned() } else { between };
    let mut samples = Vec::new();
    for (role, spellings) in parts.iter().enumerate() {
        // The first spellings of all parts together are one sample, not one for each part.
        for spelling in spellings.iter().skip(usize::from(role > 0)) {
            let pick = |(at, others): (usize, &Vec<String>)| {
                if at == role { spelling.clone() } else { others.first().cloned().unwrap_or_default() }
            };
            let picked: Vec<String> = parts.iter().enumerate().map(pick).collect();
            samples.push(picked.join(&between));
        }
    }
    samples
}

/// A pattern in a word that is as much longer as it may be.
fn sample(pattern: &ParsedPattern) -> String {
    let around = |flag| if pattern.flags & flag != 0 { FILLER } else { "" };
    format!("{}{}{}", around(START_OPEN), pattern.spelling, around(END_OPEN))
}

/// The terms of a pack with what they were written as.
struct Terms<'t> {
    places: &'t [Place],
    entries: Vec<(&'t Entry, &'t Written)>,
}

impl<'t> Terms<'t> {
    fn new(lists: &'t [Option<List>], places: &'t [Place]) -> Terms<'t> {
        let entry = |place: &Place| {
            let entry = &lists[place.list].as_ref()?.entries[place.entry];
            Some((entry, &entry.terms[place.term]))
        };
        Terms { places, entries: places.iter().filter_map(entry).collect() }
    }
}

/// Reports terms that are there twice; says which.
fn check_twins(terms: &Terms<'_>, lists: &[Option<List>], all: &mut [Findings<'_>]) -> Vec<bool> {
    let mut known: HashMap<(String, Vec<Field>, Option<u8>), usize> = HashMap::new();
    let mut twins = vec![false; terms.entries.len()];
    for (number, &(entry, written)) in terms.entries.iter().enumerate() {
        if entry.status == Status::Retired {
            continue;
        }
        let Some(canonical) = canonical(&written.text) else { continue };
        let key = (canonical, entry.fields.clone(), entry.within);
        let Some(&first) = known.get(&key) else {
            known.insert(key, number);
            continue;
        };
        twins[number] = true;
        let (other, other_written) = terms.entries[first];
        let (place, other_place) = (terms.places[number], terms.places[first]);
        let same_list = place.list == other_place.list;
        let findings = &mut all[place.list];
        let where_ = if same_list {
            let line = findings.text.get(..other_written.at).unwrap_or_default().matches('\n').count() + 1;
            format!("line {line}")
        } else {
            lists[other_place.list].as_ref().map_or_else(String::new, |list| list.id.text.clone())
        };
        let says_same = (&entry.category, entry.severity, entry.status)
            == (&other.category, other.severity, other.status)
            && entry.allow == other.allow;
        if says_same {
            // The first line stays, so that no group is left empty.
            let fix = if same_list && place.term > 0 { whole_line(written, findings) } else { None };
            let message = format!("`{}` is there already: {where_}", shortened(&written.text));
            warn_with_fix(entry, Finding::warning("T003", message, "remove one of the two"), written.at, fix, findings);
        } else if same_list {
            let message = format!("`{}` is there already with another meaning: {where_}", shortened(&written.text));
            let help = "keep one; say category, severity, status and allow texts once";
            findings.add(Finding::error("T003", message, help), written.at);
        } else if entry.category == other.category {
            let message = format!("`{}` is there already with another meaning: {where_}", shortened(&written.text));
            warn(entry, Finding::warning("T003", message, "keep one of the two"), written.at, findings);
        }
    }
    twins
}

/// The change that removes the line of a term.
fn whole_line(written: &Written, findings: &Findings<'_>) -> Option<Fix> {
    let Range { start, end } = literal_range(written, findings)?;
    let line_start = findings.text[..start].rfind('\n')? + 1;
    let line_end = end + findings.text[end..].find('\n')? + 1;
    let rest = &findings.text[line_start..line_end];
    // Nothing else may go with it.
    let is_alone = term::without_comment(rest) == written.text && !rest.contains("'''");
    is_alone.then(|| Fix { range: line_start..line_end, replacement: String::new() })
}

/// What a term is searched as, alike for all spellings of it.
pub(super) fn canonical(text: &str) -> Option<String> {
    if let Some(host) = term::host(text) {
        return host.ok().map(|_| text.to_owned());
    }
    let mut ignored = Vec::new();
    let parsed = term::parse(text, &mut ignored).ok()?;
    if !is_words(text) {
        return Some(text.to_owned());
    }
    let mut patterns: Vec<String> = Vec::new();
    for pattern in &parsed.patterns {
        let is_literal = pattern.flags & LITERAL != 0;
        let letters = Letters::new(pattern.spelling.as_bytes()).map(|letter| {
            let spelled = char::from_u32(letter.code).unwrap_or_default();
            let joint = if letter.joint { " " } else { "" };
            format!("{joint}{}", String::from(spelled).repeat(letter.run as usize))
        });
        let spelling = if is_literal { pattern.spelling.clone() } else { letters.collect() };
        // Which of the parts comes first does not matter, but which spellings are of one part does.
        let others = parsed.patterns.iter().filter(|other| other.role == pattern.role).count();
        let role = if pattern.role == ROLE_EXCLUDE { "~".to_owned() } else { others.to_string() };
        patterns.push(format!("{role}:{}:{spelling}", pattern.flags));
    }
    patterns.sort_unstable();
    Some(patterns.join("\n"))
}

/// Reports terms that never find what another does not find already.
fn check_covered(
    terms: &Terms<'_>,
    twins: &[bool],
    pack: &Pack<'_>,
    lists: &[Option<List>],
    today: Date,
    all: &mut [Findings<'_>],
) {
    let policy = Policy::blocking(pack);
    let mut scanner = Scanner::new(pack);
    let mut verdict = Verdict::default();
    // For each term, those that find all that it finds.
    let mut wider: Vec<Vec<usize>> = vec![Vec::new(); terms.entries.len()];
    for (number, &(entry, written)) in terms.entries.iter().enumerate() {
        if twins[number] || !entry.is_used(today) {
            continue;
        }
        let covers = |other: usize| {
            let (by, by_written) = terms.entries[other];
            other != number
                && !twins[other]
                && by.is_used(today)
                && by.category == entry.category
                && by.severity >= entry.severity
                && (by.status == Status::Enforce || by.status == entry.status)
                && by.field_bits() & entry.field_bits() == entry.field_bits()
                && (by.allow.is_empty() || by.allow == entry.allow)
                && place_of_exclude(&by_written.text).is_none()
                && by.within.is_none_or(|by| entry.within.is_some_and(|within| within <= by))
        };
        let mut common: Option<Vec<usize>> = None;
        for text in samples(&written.text, entry) {
            let field = entry.fields.first().copied().unwrap_or(Field::Body);
            scanner.scan(&policy, &Message { text: text.as_bytes(), field, ..Message::default() }, &mut verdict);
            let found = verdict.matches.iter().chain(&verdict.shadow).map(|found| found.term.0 as usize);
            let mut found: Vec<usize> = found.filter(|&other| covers(other)).collect();
            found.sort_unstable();
            found.dedup();
            match &mut common {
                None => common = Some(found),
                Some(common) => common.retain(|other| found.contains(other)),
            }
            if common.as_ref().is_none_or(Vec::is_empty) {
                break;
            }
        }
        wider[number] = common.unwrap_or_default();
    }
    for (number, &(entry, written)) in terms.entries.iter().enumerate() {
        // Of two that find the same, the later one is too many.
        let by = wider[number].iter().find(|&&by| by < number || !wider[by].contains(&number));
        if let Some(&by) = by {
            let (_, by_written) = terms.entries[by];
            let list = terms.places[by].list;
            let of = match &lists[list] {
                Some(other) if list != terms.places[number].list => format!(" of {}", other.id.text),
                _ => String::new(),
            };
            let message = format!("`{}`{of} finds all that this finds", shortened(&by_written.text));
            let findings = &mut all[terms.places[number].list];
            warn(entry, Finding::warning("T004", message, "remove this term, or the wider one"), written.at, findings);
        }
    }
}
