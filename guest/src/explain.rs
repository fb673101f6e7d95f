//! Why a message has its verdict: what it was folded to, which candidates were found and why each was kept or
//! dropped, which terms fire and why others do not. For people; slower than a scan, and allocates. It asks the
//! stages of the [scan](crate::Scanner) themselves and decides nothing on its own. Not for what the policy makes of
//! a term; [`PolicySource::row`](crate::compile::PolicySource::row) says that.

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::consonants::Consonants;
use crate::fold::{self, IGNORABLE, SEPARATOR, decode, symbol};
use crate::pack::{PARTS_MAX, ROLE_EXCLUDE};
use crate::pieces::{GAP_CHARACTERS_MAX, Pieces};
use crate::rewrite::{Rewrite, Watch};
use crate::rules::{self, Allowed, Found, Unmet};
use crate::scan::cut;
use crate::search;
use crate::senders;
use crate::sounds::{self, Sounds};
use crate::verify::verify;
use crate::{Evidence, Field, Match, Message, Pack, Policy, Scanner, Span, TermId, Verdict, VerdictFlags};

pub use crate::verify::Dropped;

/// All that is to be said about one message.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// What the scan says.
    pub verdict: Verdict,
    /// The text as it stands and, if a reader would turn it before reading, what it is then.
    pub readings: Vec<Reading>,
    /// The places where a pattern might have been, in the order of the text.
    pub candidates: Vec<Candidate>,
    /// The terms of which anything is in the message, in the order of the pack.
    pub terms: Vec<TermReport>,
}

/// A text as the search reads it.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The text that was read.
    pub text: String,
    /// Its pieces: runs of letters, of digits, or of signs that may be letters.
    pub pieces: Vec<Piece>,
    /// Its letters one after the other, if any are of scripts without spaces.
    pub symbols: String,
    /// Its syllables, if the pack has terms that are found by their sound.
    pub syllables: Vec<String>,
}

/// A run of letters, digits or signs, which words are made of.
#[derive(Clone, Debug)]
pub struct Piece {
    /// Where it begins, in bytes of the reading.
    pub start: u32,
    /// Its letters folded, repeats left out.
    pub folded: String,
    /// It may go on a word with the piece before it.
    pub joins: bool,
}

/// How a candidate was found.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Way {
    /// By its letters in the text as it stands.
    Letters,
    /// By its letters in the second reading.
    SecondReading,
    /// By its sound.
    Sound,
    /// By its sound in the second reading.
    SoundOfSecondReading,
    /// As the sender.
    Sender,
    /// As a regular expression.
    Regex,
    /// As the host of a link.
    Link,
}

impl Way {
    /// Its name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Way::Letters => "letters",
            Way::SecondReading => "second-reading",
            Way::Sound => "sound",
            Way::SoundOfSecondReading => "sound-of-second-reading",
            Way::Sender => "sender",
            Way::Regex => "regex",
            Way::Link => "link",
        }
    }
}

/// A place where a pattern might have been.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// How it was found.
    pub way: Way,
    /// Where it would begin, in bytes of the message.
    pub start: u32,
    /// What was looked for there.
    pub spelling: String,
    /// The terms that it is a pattern of; none if it is only a text that is allowed.
    pub terms: Vec<TermId>,
    /// Where it is, and the folds it took, or why it was dropped.
    pub outcome: Result<(Span, Evidence), Dropped>,
}

/// What became of a term of which something is in the message.
#[derive(Clone, Debug)]
pub struct TermReport {
    /// Which term.
    pub term: TermId,
    /// What became of it.
    pub outcome: TermOutcome,
}

/// What became of a term.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TermOutcome {
    /// It fires, at these places.
    Fires(Vec<(Span, Evidence)>),
    /// It is there, at these places, but only watches: it is in the shadow, or in trial on other senders.
    Watches(Vec<(Span, Evidence)>),
    /// It is there, but is not for this field.
    OtherField(Span),
    /// It is there, but within a text in which it is allowed.
    Allowed {
        /// Where it is.
        at: Span,
        /// The text that is allowed.
        by: String,
    },
    /// Parts of it are there, and this one is not.
    Missing {
        /// The missing part as its author spelled it; of alternatives, a few.
        part: Vec<String>,
        /// Where those that are there are.
        there: Vec<Span>,
    },
    /// All of its parts are there, but too far from each other.
    Apart {
        /// How many characters may be between them.
        within: u32,
        /// Where they are.
        there: Vec<Span>,
    },
    /// It is there, and so is what excludes it.
    Excluded {
        /// What excludes it.
        by: String,
        /// Where that is.
        at: Span,
    },
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self {
            Dropped::Folds(folds) => {
                f.write_str("it would be written with")?;
                for (number, name) in folds.names().enumerate() {
                    write!(f, "{}{name}", if number > 0 { ", " } else { " " })?;
                }
                ", which this term does not allow"
            }
            Dropped::Gap => return write!(f, "more than {GAP_CHARACTERS_MAX} separators between two letters"),
            Dropped::Letters => "other letters stand there",
            Dropped::OrdinaryWords => "its characters belong to ordinary words around it",
            Dropped::WithinStart => "the word begins before it",
            Dropped::WithinEnd => "the word goes on after it",
            Dropped::Within => "the word begins before it and goes on after it",
            Dropped::Joint => "its words are not parted there as in the term",
            Dropped::Pieces => "spaces part it elsewhere than between single letters",
            Dropped::PlainLetters => "too few plain letters among digits and signs",
            Dropped::LookAlikes => "all of it is in another alphabet, and may be a word there",
            Dropped::Doubled => "one letter doubled makes another word",
            Dropped::Masked => "too many letters are masked",
            Dropped::Spelled => "it is spelled so: the spelling decides, and not the sound",
        };
        f.write_str(why)
    }
}

impl Dropped {
    /// Its name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Dropped::Letters => "letters",
            Dropped::Folds(_) => "folds",
            Dropped::OrdinaryWords => "ordinary-words",
            Dropped::WithinStart => "within-start",
            Dropped::WithinEnd => "within-end",
            Dropped::Within => "within",
            Dropped::Joint => "joint",
            Dropped::Gap => "gap",
            Dropped::Pieces => "pieces",
            Dropped::PlainLetters => "plain-letters",
            Dropped::LookAlikes => "look-alikes",
            Dropped::Doubled => "doubled",
            Dropped::Masked => "masked",
            Dropped::Spelled => "spelled",
        }
    }
}

/// Explains the verdict on a message. Costs many scans.
#[must_use]
pub fn explain(pack: &Pack<'_>, policy: &Policy, message: &Message<'_>) -> Explanation {
    let mut verdict = Verdict::default();
    Scanner::new(pack).scan(policy, message, &mut verdict);

    let text = cut(message.text, &mut VerdictFlags::default());
    let mut tracer =
        Tracer { pack, owners: owners(pack), readings: Vec::new(), candidates: Vec::new(), found: Vec::new() };
    let watch = tracer.read(text, Way::Letters, |span| span);
    let mut rewrite = Rewrite::default();
    if watch.may_be_rewritten && rewrite.read(text, &watch) {
        tracer.read(rewrite.text(), Way::SecondReading, |span| rewrite.original(span));
    }
    tracer.find_outside_words(text, message.sender);
    tracer.add_links(&verdict);
    let Tracer { readings, mut candidates, mut found, .. } = tracer;
    found.sort_unstable();
    found.dedup_by_key(|found| (found.pattern, found.span));
    candidates.sort_by(|a, b| (a.start, a.way, &a.spelling).cmp(&(b.start, b.way, &b.spelling)));
    candidates.dedup_by(|a, b| (a.start, &a.spelling, &a.outcome) == (b.start, &b.spelling, &b.outcome));
    let terms = terms(pack, text, &found, message.field, &verdict);
    Explanation { verdict, readings, candidates, terms }
}

/// The terms of each pattern, in any part of them.
fn owners(pack: &Pack<'_>) -> Vec<Vec<TermId>> {
    let mut owners: Vec<Vec<TermId>> = Vec::new();
    owners.resize(pack.patterns.len(), Vec::new());
    for (pattern, owners) in (0..).zip(&mut owners) {
        owners.extend(pack.uses(pattern).iter().filter_map(|use_| use_.term()).map(TermId));
    }
    for (number, term) in (0..).zip(pack.terms) {
        for part in pack.parts(term) {
            owners[part.pattern as usize].push(TermId(number));
        }
    }
    for owners in &mut owners {
        owners.sort_unstable();
        owners.dedup();
    }
    owners
}

/// Goes through the stages as the scan does, and writes down what each says.
struct Tracer<'a, 'p> {
    pack: &'a Pack<'p>,
    owners: Vec<Vec<TermId>>,
    readings: Vec<Reading>,
    candidates: Vec<Candidate>,
    found: Vec<Found>,
}

impl Tracer<'_, '_> {
    /// Reads a text whose places are those of the message by `original`. Returns whether there may be a second reading.
    fn read(&mut self, text: &[u8], way: Way, original: impl Fn(Span) -> Span) -> Watch {
        let pack = self.pack;
        let (mut pieces, mut places, mut candidates) = (Pieces::default(), Vec::new(), Vec::new());
        pieces.read(text, search::symbols_needed(pack));
        search::search(pack, &pieces, &mut places, &mut candidates);
        for candidate in candidates {
            let pattern = &pack.patterns[candidate.pattern as usize];
            let outcome = verify(pack, pattern, text, candidate.start as usize);
            self.add(way, candidate.pattern, candidate.start, outcome, &original);
        }
        let mut syllables = Vec::new();
        if !pack.sounds.is_empty() && pieces.has_unspaced {
            let mut sounds = Sounds::default();
            sounds.read(text, pack.sounds);
            let way = if way == Way::Letters { Way::Sound } else { Way::SoundOfSecondReading };
            search::search_sounds(pack, &sounds.syllables, &mut places, |pattern, first| {
                let outcome = sounds.verify(pack, &pack.patterns[pattern as usize], text, first);
                self.add(way, pattern, sounds.place(first), outcome, &original);
            });
            let letters = |&syllable: &u16| String::from_utf8_lossy(sounds::letters(syllable)).into_owned();
            syllables = sounds.syllables.iter().map(letters).collect();
        }
        if search::has_consonants(pack) {
            let mut consonants = Consonants::default();
            consonants.read(text);
            let way = if way == Way::Letters { Way::Sound } else { Way::SoundOfSecondReading };
            search::search_consonants(pack, &consonants, &mut places, |number, first| {
                let pattern = &pack.patterns[number as usize];
                let outcome = consonants.verify(pack.spelling(pattern), pattern, text, first);
                self.add(way, number, consonants.place(first), outcome, &original);
            });
        }
        let reading = reading(text, &pieces, syllables);
        self.readings.push(reading);
        pieces.watch
    }

    fn add(
        &mut self,
        way: Way,
        pattern: u32,
        start: u32,
        outcome: Result<(Span, Evidence), Dropped>,
        original: impl Fn(Span) -> Span,
    ) {
        let evidence_of_way =
            if matches!(way, Way::SecondReading | Way::SoundOfSecondReading) { Evidence::ENCODED } else { Evidence(0) };
        let outcome = outcome.map(|(span, evidence)| (original(span), evidence.with(evidence_of_way)));
        if let Ok((span, evidence)) = outcome {
            self.found.push(Found { pattern, span, evidence });
        }
        self.candidates.push(Candidate {
            way,
            start: original(Span { start, end: start + 1 }).start,
            spelling: spelling(self.pack, pattern),
            terms: self.owners[pattern as usize].clone(),
            outcome,
        });
    }

    /// Adds what the scan found by the hosts of links: whatever no pattern leads to.
    fn add_links(&mut self, verdict: &Verdict) {
        for found in verdict.matches.iter().chain(&verdict.shadow) {
            if self.owners.iter().all(|owners| !owners.contains(&found.term)) {
                self.candidates.push(Candidate {
                    way: Way::Link,
                    start: found.span.start,
                    spelling: self.pack.term(found.term).text.into(),
                    terms: [found.term].to_vec(),
                    outcome: Ok((found.span, found.evidence)),
                });
            }
        }
    }

    fn find_outside_words(&mut self, text: &[u8], sender: &[u8]) {
        let pack = self.pack;
        senders::find(pack, sender, |pattern| {
            self.add(Way::Sender, pattern, 0, Ok((Span::default(), Evidence::default())), |span| span);
        });
        for record in pack.regexes {
            if let Some(regex) = pack.regex(record) {
                regex.find(text, |span| {
                    self.add(Way::Regex, record.pattern, span.start, Ok((span, Evidence::default())), |span| span);
                });
            }
        }
    }
}

fn spelling(pack: &Pack<'_>, pattern: u32) -> String {
    String::from_utf8_lossy(pack.spelling(&pack.patterns[pattern as usize])).into_owned()
}

fn reading(text: &[u8], pieces: &Pieces, syllables: Vec<String>) -> Reading {
    let starts: Vec<usize> = pieces.pieces.iter().map(|piece| piece.start as usize).collect();
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    let piece = |((number, &start), end): ((usize, &usize), usize)| {
        let signs = if Pieces::is_of_signs(&pieces.pieces[number]) { Signs::Kept } else { Signs::LeftOut };
        Piece {
            start: start as u32,
            folded: folded(&text[start..end], signs),
            joins: number > 0 && pieces.word_from(number - 1).nth(1).is_some(),
        }
    };
    let letter = |&start: &u32| char::from_u32(fold::letter(decode(&text[start as usize..]).0).0);
    Reading {
        text: String::from_utf8_lossy(text).into_owned(),
        pieces: starts.iter().enumerate().zip(ends).map(piece).collect(),
        symbols: if pieces.has_unspaced { pieces.starts.iter().filter_map(letter).collect() } else { String::new() },
        syllables,
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Signs {
    Kept,
    LeftOut,
}

/// The letters at the start of a text, folded, up to the first separator; repeats left out.
fn folded(text: &[u8], signs: Signs) -> String {
    let mut folded = String::new();
    let mut at = 0;
    while at < text.len() {
        let (code, length) = decode(&text[at..]);
        at += length;
        match symbol(code) {
            IGNORABLE => continue,
            SEPARATOR if signs == Signs::LeftOut || char::from_u32(code).is_none_or(char::is_whitespace) => break,
            _ => {}
        }
        let letter = char::from_u32(fold::letter(code).0);
        if letter != folded.chars().next_back() {
            folded.extend(letter);
        }
    }
    folded
}

/// What became of every term of which a pattern was found.
fn terms(pack: &Pack<'_>, text: &[u8], found: &[Found], field: Field, verdict: &Verdict) -> Vec<TermReport> {
    let mut allowed = Vec::new();
    rules::collect_allowed(pack, found, &mut allowed);
    let mut reports = Vec::new();
    for (number, term) in (0..).zip(pack.terms) {
        let term_id = TermId(number);
        let parts = pack.parts(term);
        let is_of_term = |one: &&Found| {
            let uses = pack.uses(one.pattern).iter();
            let mut firing = uses.filter(|use_| use_.term() == Some(number));
            firing.next().is_some() || parts.iter().any(|part| part.pattern == one.pattern && part.role != ROLE_EXCLUDE)
        };
        let there: Vec<Found> = found.iter().filter(is_of_term).copied().collect();
        let places = |matches: &[Match]| -> Vec<(Span, Evidence)> {
            matches.iter().filter(|one| one.term == term_id).map(|one| (one.span, one.evidence)).collect()
        };
        let (fires, watches) = (places(&verdict.matches), places(&verdict.shadow));
        // A host in a link is no pattern, and is there only if it fires or watches.
        let first = match there.first() {
            Some(first) => (first.span, first.evidence),
            None => match fires.first().or(watches.first()) {
                Some(&first) => first,
                None => continue,
            },
        };
        let outcome = if !fires.is_empty() {
            TermOutcome::Fires(fires)
        } else if !watches.is_empty() {
            TermOutcome::Watches(watches)
        } else if let Some(one) = there.iter().find(|one| is_covered(&allowed, term.allow_set, one)) {
            TermOutcome::Allowed { at: one.span, by: allowing(pack, found, term.allow_set, one.span) }
        } else {
            let place = |pattern| rules::first(found, &allowed, term.allow_set, pattern);
            let parts_there = if parts.is_empty() { Ok(()) } else { rules::all_parts(pack, term, place).map(drop) };
            match parts_there {
                Err(Unmet::Excluded(by)) => TermOutcome::Excluded { by: spelling(pack, by.pattern), at: by.span },
                Err(Unmet::Missing(role)) => {
                    let is_own = |pattern: u32| pack.patterns[pattern as usize].adds == 0;
                    let of_role = parts.iter().filter(|part| part.role == role && is_own(part.pattern)).take(PARTS_MAX);
                    TermOutcome::Missing {
                        part: of_role.map(|part| spelling(pack, part.pattern)).collect(),
                        there: there.iter().map(|one| one.span).collect(),
                    }
                }
                Ok(())
                    if term.within > 0 && {
                        let mut places = Vec::new();
                        rules::near_parts(pack, term, text, found, &allowed, &mut places, |_| true).is_none()
                    } =>
                {
                    TermOutcome::Apart { within: term.within, there: there.iter().map(|one| one.span).collect() }
                }
                Ok(()) if term.fields & 1 << field as u8 == 0 => TermOutcome::OtherField(first.0),
                // Beyond the most matches that a verdict holds.
                Ok(()) => TermOutcome::Fires([first].to_vec()),
            }
        };
        reports.push(TermReport { term: term_id, outcome });
    }
    reports
}

fn is_covered(allowed: &[Allowed], set: u32, one: &Found) -> bool {
    rules::is_allowed(allowed, set, one.span)
}

/// The text of an allow set that covers a span.
fn allowing(pack: &Pack<'_>, found: &[Found], set: u32, span: Span) -> String {
    let is_of_set = |pattern: u32| pack.uses(pattern).iter().any(|use_| use_.allow_set() == Some(set));
    let covers = |one: &&Found| one.span.start <= span.start && one.span.end >= span.end && is_of_set(one.pattern);
    found.iter().find(covers).map_or_else(|| "an allowed text".to_owned(), |one| spelling(pack, one.pattern))
}
