//! From patterns found to terms that fire: all parts of `a&b` present, nothing excluded by `a~b`, and
//! not inside a text that the list allows. Not for what follows from it; that is
//! [`policy`](crate::policy).

use alloc::vec::Vec;

use crate::pack::{Pack, ROLE_ALLOW, ROLE_EXCLUDE};
use crate::{Evidence, Match, Span, TermId};

/// A pattern that is spelled in the message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) pattern: u32,
    pub(crate) span: Span,
    pub(crate) evidence: Evidence,
}

/// Memory that rules work in, kept from message to message.
#[derive(Debug, Default)]
pub(crate) struct RulesScratch {
    allowed: Vec<Allowed>,
    parts: Vec<Part>,
}

/// A text in which the terms of an allow set do not fire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Allowed {
    set: u32,
    start: u32,
    /// The farthest end of any such text of the set that starts here or before.
    end: u32,
}

/// A pattern of a term that needs more than one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Part {
    term: u32,
    role: u8,
    span: Span,
    evidence: Evidence,
}

/// Appends to `matches` the terms that fire, in no particular order.
pub(crate) fn apply(pack: &Pack<'_>, found: &[Found], scratch: &mut RulesScratch, matches: &mut Vec<Match>) {
    collect_allowed(pack, found, &mut scratch.allowed);
    scratch.parts.clear();
    for found in found {
        let pattern = &pack.patterns[found.pattern as usize];
        if pattern.role == ROLE_ALLOW {
            continue;
        }
        let term = &pack.terms[pattern.owner as usize];
        if is_allowed(&scratch.allowed, term.allow_set, found.span) {
            continue;
        }
        if term.parts == 1 && term.excludable == 0 {
            matches.push(Match { span: found.span, term: TermId(pattern.owner), evidence: found.evidence });
        } else {
            scratch.parts.push(Part {
                term: pattern.owner,
                role: pattern.role,
                span: found.span,
                evidence: found.evidence,
            });
        }
    }
    scratch.parts.sort_unstable();
    for parts in scratch.parts.chunk_by(|a, b| a.term == b.term) {
        let needed = pack.terms[parts[0].term as usize].parts;
        let firsts = || parts.chunk_by(|a, b| a.role == b.role).map(|same| same[0]);
        let excluded = parts.iter().any(|part| part.role == ROLE_EXCLUDE);
        if !excluded && firsts().count() == usize::from(needed) {
            matches.extend(firsts().map(|part| Match {
                span: part.span,
                term: TermId(part.term),
                evidence: part.evidence,
            }));
        }
    }
}

fn collect_allowed(pack: &Pack<'_>, found: &[Found], allowed: &mut Vec<Allowed>) {
    allowed.clear();
    allowed.extend(found.iter().filter_map(|found| {
        let pattern = &pack.patterns[found.pattern as usize];
        let Span { start, end } = found.span;
        (pattern.role == ROLE_ALLOW).then_some(Allowed { set: pattern.owner, start, end })
    }));
    allowed.sort_unstable();
    let mut farthest = (u32::MAX, 0);
    for allow in allowed {
        farthest =
            if allow.set == farthest.0 { (allow.set, farthest.1.max(allow.end)) } else { (allow.set, allow.end) };
        allow.end = farthest.1;
    }
}

/// Whether a text of the set covers the span.
fn is_allowed(allowed: &[Allowed], set: u32, span: Span) -> bool {
    let after = allowed.partition_point(|allow| (allow.set, allow.start) <= (set, span.start));
    after.checked_sub(1).is_some_and(|last| allowed[last].set == set && allowed[last].end >= span.end)
}
