//! From a regular expression to the two automata it is searched with. Expressions ignore case, know the classes of
//! Unicode, and take only ASCII for words at `\b`. What would make large tables is refused. The tables are
//! documented in [`regexes`](crate::regexes).

use std::borrow::ToOwned as _;
use std::boxed::Box;
use std::collections::HashMap;
use std::format;
use std::string::{String, ToString as _};
use std::vec;
use std::vec::Vec;

use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::nfa::thompson::{self, NFA, WhichCaptures};
use regex_automata::util::primitives::StateID;
use regex_automata::util::start;
use regex_automata::{Anchored, MatchKind};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Capture, Hir, HirKind, Look, Repetition};

use super::diagnostic::Finding;
use crate::pack::AutomatonRecord;
use crate::regexes::HEAD;

/// Largest table of one automaton, in entries of two bytes.
const TABLE_ENTRIES_MAX: usize = 128 << 10;
/// Most memory that building may take, in bytes, at each step.
const BUILD_BYTES_MAX: usize = 1 << 20;

/// What a regular expression is searched with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Automata {
    /// As its author wrote it.
    pub(crate) source: String,
    pub(crate) ends: Table,
    pub(crate) starts: Table,
}

/// One automaton.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Table {
    entries: Vec<u16>,
    states: usize,
    classes: usize,
    matching_first: usize,
}

impl Table {
    /// Appends the table to the section and says where it is.
    pub(super) fn append_to(&self, section: &mut Vec<u16>) -> AutomatonRecord {
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let first = count(section.len());
        section.extend(&self.entries);
        AutomatonRecord {
            first,
            states: count(self.states),
            classes: count(self.classes),
            matching_first: count(self.matching_first),
        }
    }
}

/// Builds an expression. `Err` is what is wrong and where in it.
pub(super) fn build(source: &str) -> Result<Automata, (usize, Finding)> {
    let wrong = |at: usize, message: &str, help: &str| Err((at, Finding::error("T020", message, help)));
    let parsed = match ParserBuilder::new().case_insensitive(true).build().parse(source) {
        Ok(parsed) => ascii_words(parsed),
        Err(error) => {
            let (at, message) = match &error {
                regex_syntax::Error::Parse(error) => (error.span().start.offset, error.kind().to_string()),
                regex_syntax::Error::Translate(error) => (error.span().start.offset, error.kind().to_string()),
                _ => (0, error.to_string()),
            };
            let help = "`&` and `~` end the expression: write \\& and \\~ for the signs themselves";
            return wrong(at, &format!("no regular expression: {message}"), help);
        }
    };
    match parsed.properties().minimum_len() {
        None => return wrong(0, "the expression matches nothing", "remove it"),
        Some(0) => return wrong(0, "the expression matches the empty text", "write + for *, or what must be there"),
        Some(_) => {}
    }
    let automaton = |reads| table(&parsed, reads);
    // The one that goes forwards is the first to be too large.
    let tables = automaton(Reads::Forwards).and_then(|ends| Some((ends, automaton(Reads::Backwards)?)));
    let Some((ends, starts)) = tables else {
        let message = format!("the expression makes a table of more than {} KiB", TABLE_ENTRIES_MAX * 2 / 1024);
        let help =
            "write smaller counts, [0-9] for \\d, [a-z] for \\w, and no . before what it may be: [^0-9]{0,9}[0-9]{4}";
        return wrong(0, &message, help);
    };
    Ok(Automata { source: source.to_owned(), ends, starts })
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reads {
    Forwards,
    Backwards,
}

/// The automaton of an expression; `None` if it is too large.
fn table(parsed: &Hir, reads: Reads) -> Option<Table> {
    let nfa_config = thompson::Config::new()
        .reverse(reads == Reads::Backwards)
        .which_captures(WhichCaptures::None)
        .nfa_size_limit(Some(BUILD_BYTES_MAX));
    let nfa: NFA = thompson::Compiler::new().configure(nfa_config).build_from_hir(parsed).ok()?;
    let (kind, start_kind, anchored) = match reads {
        Reads::Forwards => (MatchKind::LeftmostFirst, StartKind::Unanchored, Anchored::No),
        Reads::Backwards => (MatchKind::All, StartKind::Anchored, Anchored::Yes),
    };
    let config = dense::Config::new()
        .match_kind(kind)
        .start_kind(start_kind)
        .accelerate(false)
        .dfa_size_limit(Some(BUILD_BYTES_MAX))
        .determinize_size_limit(Some(BUILD_BYTES_MAX));
    let dfa = dense::Builder::new().configure(config).build_from_nfa(&nfa).ok()?;

    // States in the order in which they are come upon, the dead one first.
    let class_of = dfa.byte_classes();
    let classes = class_of.alphabet_len();
    let mut bytes = vec![0u8; classes - 1];
    for byte in (0..=u8::MAX).rev() {
        bytes[usize::from(class_of.get(byte))] = byte;
    }
    let mut states = States { dfa: &dfa, numbers: HashMap::new(), ids: Vec::new() };
    let mut starts = Vec::new();
    for beside in (0..=u8::MAX).map(Some).chain([None]) {
        let config = start::Config::new().look_behind(beside).anchored(anchored);
        starts.push(states.number(Some(dfa.start_state(&config).ok()?)));
    }
    states.number(None);
    let mut next = Vec::new();
    let mut at = 0;
    while at < states.ids.len() {
        let from = states.ids[at];
        for &byte in &bytes {
            let to = from.map(|from| dfa.next_state(from, byte));
            next.push(states.number(to));
        }
        next.push(states.number(from.map(|from| dfa.next_eoi_state(from))));
        if next.len() > TABLE_ENTRIES_MAX {
            return None;
        }
        at += 1;
    }

    // Numbered anew, so that the dead one is the first and the matching ones are the last.
    let rank = |id: &Option<StateID>| id.map_or(0, |id| 1 + u8::from(dfa.is_match_state(id)));
    let mut order: Vec<usize> = (0..states.ids.len()).collect();
    order.sort_by_key(|&state| rank(&states.ids[state]));
    let mut renumbered = vec![0u16; order.len()];
    for (number, &state) in order.iter().enumerate() {
        renumbered[state] = u16::try_from(number).ok()?;
    }
    let mut entries: Vec<u16> = (0..=u8::MAX).map(|byte| class_of.get(byte).into()).collect();
    entries.extend(starts.iter().map(|&state| renumbered[state]));
    debug_assert_eq!(entries.len(), HEAD);
    for &state in &order {
        entries.extend(next[state * classes..][..classes].iter().map(|&to| renumbered[to]));
    }
    let matching_first = order.iter().filter(|&&state| rank(&states.ids[state]) < 2).count();
    Some(Table { entries, states: order.len(), classes, matching_first })
}

/// The states that can be reached; all that nothing leads out of are one, `None`.
struct States<'d> {
    dfa: &'d dense::DFA<Vec<u32>>,
    numbers: HashMap<Option<StateID>, usize>,
    ids: Vec<Option<StateID>>,
}

impl States<'_> {
    fn number(&mut self, id: Option<StateID>) -> usize {
        let id = id.filter(|&id| !self.dfa.is_dead_state(id));
        *self.numbers.entry(id).or_insert_with(|| {
            self.ids.push(id);
            self.ids.len() - 1
        })
    }
}

/// The expression with `\b` and its like for ASCII only: to know the words of all alphabets an automaton
/// would have to read the character before.
fn ascii_words(parsed: Hir) -> Hir {
    match parsed.into_kind() {
        HirKind::Empty => Hir::empty(),
        HirKind::Literal(literal) => Hir::literal(literal.0),
        HirKind::Class(class) => Hir::class(class),
        HirKind::Look(look) => Hir::look(match look {
            Look::WordUnicode => Look::WordAscii,
            Look::WordUnicodeNegate => Look::WordAsciiNegate,
            Look::WordStartUnicode => Look::WordStartAscii,
            Look::WordEndUnicode => Look::WordEndAscii,
            Look::WordStartHalfUnicode => Look::WordStartHalfAscii,
            Look::WordEndHalfUnicode => Look::WordEndHalfAscii,
            look => look,
        }),
        HirKind::Repetition(repetition) => {
            let sub = Box::new(ascii_words(*repetition.sub));
            Hir::repetition(Repetition { sub, ..repetition })
        }
        HirKind::Capture(capture) => {
            let sub = Box::new(ascii_words(*capture.sub));
            Hir::capture(Capture { sub, ..capture })
        }
        HirKind::Concat(subs) => Hir::concat(subs.into_iter().map(ascii_words).collect()),
        HirKind::Alternation(subs) => Hir::alternation(subs.into_iter().map(ascii_words).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Span;
    use crate::regexes::{Automaton, Regex};

    const SOURCES: [&str; 16] = [
        r"\bab+\b",
        r"a|ab|abc",
        r"(?:abc|a).?b",
        r"a.*c|a",
        r"[^a]{2}b",
        r"^ab|c$",
        r"\Bb",
        r"赌.{0,2}博",
        r"(?-i)[A-Z]{2}",
        r"\d+",
        r"[a-c]{2,3} b",
        r"ſ",
        r"(?m)^b$",
        r"b\b{end}",
        r"(?s)a.c",
        r"(a+)(b|c)+?",
    ];

    fn found(automata: &Automata, text: &[u8]) -> Vec<Span> {
        let mut section = Vec::new();
        let [ends, starts] = [&automata.ends, &automata.starts].map(|table| table.append_to(&mut section));
        let [ends, starts] = [ends, starts].map(|record| Automaton::new(&section, record).expect("within the section"));
        let regex = Regex { ends, starts };
        assert!(regex.is_consistent());
        let mut spans = Vec::new();
        assert!(regex.find(text, |span| spans.push(span)), "all places of short texts are found");
        spans
    }

    /// The tables must say what the library's own search says.
    #[test]
    fn the_tables_find_what_the_library_finds() {
        let alphabet = ["a", "b", "c", "A", "B", "s", " ", "\n", "1", "٣", "é", "ſ", "赌", "博", "\u{1F600}"];
        let mut state = 7u64;
        let mut places = 0;
        for source in SOURCES {
            let automata = build(source).unwrap_or_else(|finding| panic!("{source}: {finding:?}"));
            let hir = ascii_words(ParserBuilder::new().case_insensitive(true).build().parse(source).expect("parses"));
            let nfa = |reverse| {
                let config = thompson::Config::new().reverse(reverse).which_captures(WhichCaptures::None);
                thompson::Compiler::new().configure(config).build_from_hir(&hir).expect("small")
            };
            let builder = regex_automata::dfa::regex::Builder::new();
            let backwards = dense::Config::new().match_kind(MatchKind::All).start_kind(StartKind::Anchored);
            let library = builder.build_from_dfas(
                dense::Builder::new().build_from_nfa(&nfa(false)).expect("small"),
                dense::Builder::new().configure(backwards).build_from_nfa(&nfa(true)).expect("small"),
            );
            for length in (0..40).cycle().take(800) {
                let mut random = || {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    alphabet[(state >> 33) as usize % alphabet.len()]
                };
                let text: String = (0..length).map(|_| random()).collect();
                let expected = library.find_iter(&text).map(|one| [one.start(), one.end()]);
                let expected: Vec<[usize; 2]> = expected.collect();
                let ours: Vec<[usize; 2]> = found(&automata, text.as_bytes())
                    .iter()
                    .map(|span| [span.start as usize, span.end as usize])
                    .collect();
                assert_eq!(ours, expected, "{source} in {text:?}");
                places += ours.len();
            }
        }
        assert!(places > 1000, "{places} places in all: too few for this test to show anything");
    }

    #[test]
    fn what_is_decided_far_behind_each_place_stays_linear() {
        let automata = build("a.*z|a").expect("small");
        let mut section = Vec::new();
        let [ends, starts] = [&automata.ends, &automata.starts].map(|table| table.append_to(&mut section));
        let [ends, starts] = [ends, starts].map(|record| Automaton::new(&section, record).expect("within the section"));
        let mut count = 0;
        assert!(!Regex { ends, starts }.find("a".repeat(100_000).as_bytes(), |_| count += 1));
        assert!((1..10).contains(&count), "{count} places");
    }

    #[test]
    fn wrong_expressions_say_where() {
        let all = [
            (r"a(b", 1, "unclosed group"),
            (r"ab[c", 2, "unclosed character class"),
            (r"a{3,2}", 1, "invalid repetition count range"),
            (r"a\p{Nonsense}", 1, "Unicode property not found"),
            (r"a*", 0, "matches the empty text"),
            (r"\b", 0, "matches the empty text"),
            (r"[a&&b]", 0, "matches nothing"),
            (r"\w{90}", 0, "makes a table of more than 256 KiB"),
            (r"(?:a|b)*a(?:a|b){20}", 0, "makes a table of more than 256 KiB"),
            (r"((a{1000}){1000}){1000}", 0, "makes a table of more than 256 KiB"),
        ];
        for (source, place, message) in all {
            let (at, finding) = build(source).expect_err(source);
            assert_eq!((at, finding.code), (place, "T020"), "{source}: {}", finding.message);
            assert!(finding.message.contains(message), "{source}: {}", finding.message);
        }
    }
}
