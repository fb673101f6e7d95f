//! From patterns found to terms that fire: all parts of `a&b` present, nothing excluded by `a~b`, and
//! not inside a text that the list allows. Not for what follows from it; that is
//! [`policy`](crate::policy).

use alloc::vec::Vec;

use xxhash_rust::xxh3::xxh3_64;

use crate::pack::{PARTS_MAX, Pack, ROLE_EXCLUDE, TermRecord};
use crate::{Evidence, Match, Message, Span, TermId};

/// A pattern that is spelled in the message. Ordered by pattern, then by place.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Found {
    pub(crate) pattern: u32,
    pub(crate) span: Span,
    pub(crate) evidence: Evidence,
}

impl Found {
    /// The match of a term that this makes fire.
    pub(crate) fn fires(&self, term: u32) -> Match {
        Match { span: self.span, term: TermId(term), evidence: self.evidence }
    }
}

/// A text in which the terms of an allow set do not fire. Memory for them is kept from message to message.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Allowed {
    set: u32,
    start: u32,
    /// The farthest end of any such text of the set that starts here or before.
    end: u32,
}

/// A place of a part of a term, in the order of places. Memory for them is kept from message to message.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct PartPlace {
    span: Span,
    role: u32,
    pattern: u32,
    evidence: Evidence,
}

/// Whether a pattern was found whose term needs others.
pub(crate) fn needs_parts(pack: &Pack<'_>, found: &[Found]) -> bool {
    found.iter().any(|found| pack.uses(found.pattern).iter().any(|use_| use_.anchored().is_some()))
}

/// Appends to `matches` the terms that fire in a text, in no particular order, perhaps more than once. `found` is
/// sorted; `allowed` and `places` are scratch.
pub(crate) fn apply(
    pack: &Pack<'_>,
    text: &[u8],
    found: &[Found],
    allowed: &mut Vec<Allowed>,
    places: &mut Vec<PartPlace>,
    matches: &mut Vec<Match>,
) {
    collect_allowed(pack, found, allowed);
    fire(pack, found, allowed, matches);
    for same in found.chunk_by(|a, b| a.pattern == b.pattern) {
        let pattern = same[0].pattern;
        // Once a term, however often its rarest part is there: looking for the others costs as much as they are often.
        for number in pack.uses(pattern).iter().filter_map(|use_| use_.anchored()) {
            let term = &pack.terms[number as usize];
            let first = |pattern| first(found, allowed, term.allow_set, pattern);
            if first(pattern).is_some()
                && let Ok(mut parts) = all_parts(pack, term, first)
            {
                if term.within > 0 {
                    parts = near_parts(pack, term, text, found, allowed, places, |_| true).unwrap_or_default();
                }
                matches.extend(parts.iter().flatten().map(|found| found.fires(number)));
            }
        }
    }
}

/// Leaves in `matches` the terms that act on the message, moves to `shadow` those that only watch, and
/// drops those that are not for its field.
pub(crate) fn split(pack: &Pack<'_>, message: &Message<'_>, matches: &mut Vec<Match>, shadow: &mut Vec<Match>) {
    shadow.clear();
    if matches.is_empty() {
        return;
    }
    let field = 1 << message.field as u8;
    let percent = percent_of(message.sender);
    matches.retain(|found| {
        let term = &pack.terms[found.term.0 as usize];
        let is_for_field = term.fields & field != 0;
        let acts = percent < term.acts_percent;
        if is_for_field && !acts {
            shadow.push(*found);
        }
        is_for_field && acts
    });
}

/// Leaves of the matches the first in their order, each once: at least so many, if there are.
pub(crate) fn keep_first(matches: &mut Vec<Match>, count: usize) {
    // Few are there more than once, by several spellings of a term.
    let most = 4 * count;
    if matches.len() > 2 * most {
        let (first, ..) = matches.select_nth_unstable(most);
        first.sort_unstable();
        if first.chunk_by(|a, b| a == b).count() >= count {
            matches.truncate(most);
            matches.dedup();
            return;
        }
    }
    matches.sort_unstable();
    matches.dedup();
}

/// A number below 100 that a sender has for ever, so that a term in trial treats him always alike. Whoever is
/// unknown has the highest, as he cannot be told from others.
fn percent_of(sender: &[u8]) -> u8 {
    if sender.is_empty() { 99 } else { (xxh3_64(sender) % 100) as u8 }
}

/// Appends to `matches` the terms of one part that fire.
pub(crate) fn fire<'f>(
    pack: &Pack<'_>,
    found: impl IntoIterator<Item = &'f Found>,
    allowed: &[Allowed],
    matches: &mut Vec<Match>,
) {
    for found in found {
        for number in pack.uses(found.pattern).iter().filter_map(|use_| use_.fired()) {
            if !is_allowed(allowed, pack.terms[number as usize].allow_set, found.span) {
                matches.push(found.fires(number));
            }
        }
    }
}

/// Why a term of several parts does not fire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unmet {
    /// The part of this role is not there, or only in texts that are allowed.
    Missing(u32),
    /// This excludes the term.
    Excluded(Found),
}

/// The first place of each part of a term, if all are there and nothing excludes it; `first` has the first
/// place of a pattern.
pub(crate) fn all_parts(
    pack: &Pack<'_>,
    term: &TermRecord,
    first: impl Fn(u32) -> Option<Found>,
) -> Result<[Option<Found>; PARTS_MAX], Unmet> {
    let mut places = [None; PARTS_MAX];
    for part in pack.parts(term) {
        let Some(first) = first(part.pattern) else { continue };
        if part.role == ROLE_EXCLUDE {
            return Err(Unmet::Excluded(first));
        }
        let Some(place) = places.get_mut(part.role as usize) else { return Err(Unmet::Missing(part.role)) };
        if place.is_none_or(|place: Found| first.span < place.span) {
            *place = Some(first);
        }
    }
    match places.iter().take(term.parts.into()).position(Option::is_none) {
        Some(missing) => Err(Unmet::Missing(missing as u32)),
        None => Ok(places),
    }
}

/// The first places of all parts of a term that are as near to each other as it asks: between the first that ends and
/// the last that begins are at most so many characters. `counts` is asked of the place where they begin. A sender is
/// near to everything. What excludes the term is not looked for.
///
/// Costs a sort of the places of the parts.
pub(crate) fn near_parts(
    pack: &Pack<'_>,
    term: &TermRecord,
    text: &[u8],
    found: &[Found],
    allowed: &[Allowed],
    places: &mut Vec<PartPlace>,
    counts: impl Fn(u32) -> bool,
) -> Option<[Option<Found>; PARTS_MAX]> {
    places.clear();
    let mut parts = [None; PARTS_MAX];
    for part in pack.parts(term).iter().filter(|part| (part.role as usize) < PARTS_MAX) {
        let from = found.partition_point(|one| one.pattern < part.pattern);
        for one in found[from..].iter().take_while(|one| one.pattern == part.pattern) {
            if one.span.start == one.span.end {
                parts[part.role as usize] = Some(*one);
            } else if !is_allowed(allowed, term.allow_set, one.span) {
                let Found { pattern, span, evidence } = *one;
                places.push(PartPlace { span, role: part.role, pattern, evidence });
            }
        }
    }
    places.sort_unstable();
    // How often each part is among the places from the first to the last looked at.
    let mut there = [0u32; PARTS_MAX];
    let mut missing = parts.iter().take(term.parts.into()).filter(|part| part.is_none()).count();
    let mut first = 0;
    for last in 0..places.len() {
        let role = places[last].role as usize;
        missing -= usize::from(there[role] == 0 && parts[role].is_none());
        there[role] += 1;
        while there[places[first].role as usize] > 1 {
            there[places[first].role as usize] -= 1;
            first += 1;
        }
        let (begin, end) = (places[first].span, places[last].span.start);
        if missing == 0 && are_within(text, begin.end, end, term.within) && counts(begin.start) {
            for place in &places[first..=last] {
                let PartPlace { span, pattern, evidence, .. } = *place;
                parts[place.role as usize].get_or_insert(Found { pattern, span, evidence });
            }
            return Some(parts);
        }
    }
    None
}

/// Whether at most so many characters are between two places of a text.
fn are_within(text: &[u8], from: u32, to: u32, within: u32) -> bool {
    let Some(bytes) = to.checked_sub(from) else { return true };
    // A character has one to four bytes: most places need no counting, and none much of it.
    bytes <= within
        || bytes <= 4 * within
            && text
                .get(from as usize..to as usize)
                .is_some_and(|between| between.iter().filter(|&byte| byte & 0xC0 != 0x80).count() <= within as usize)
}

/// The first place of a pattern that is not in an allowed text of the set.
pub(crate) fn first(found: &[Found], allowed: &[Allowed], set: u32, pattern: u32) -> Option<Found> {
    let from = found.partition_point(|one| one.pattern < pattern);
    let mut same = found[from..].iter().take_while(|one| one.pattern == pattern);
    same.find(|one| !is_allowed(allowed, set, one.span)).copied()
}

/// Collects the allowed texts among what is found.
pub(crate) fn collect_allowed(pack: &Pack<'_>, found: &[Found], allowed: &mut Vec<Allowed>) {
    allowed.clear();
    for found in found {
        let sets = pack.uses(found.pattern).iter().filter_map(|use_| use_.allow_set());
        let Span { start, end } = found.span;
        allowed.extend(sets.map(|set| Allowed { set, start, end }));
    }
    allowed.sort_unstable();
    let mut farthest = (u32::MAX, 0);
    for allow in allowed {
        farthest =
            if allow.set == farthest.0 { (allow.set, farthest.1.max(allow.end)) } else { (allow.set, allow.end) };
        allow.end = farthest.1;
    }
}

/// Whether a text of the set covers the span. None covers the sender, whose span is empty.
pub(crate) fn is_allowed(allowed: &[Allowed], set: u32, span: Span) -> bool {
    if span.start == span.end {
        return false;
    }
    let after = allowed.partition_point(|allow| (allow.set, allow.start) <= (set, span.start));
    after.checked_sub(1).is_some_and(|last| allowed[last].set == set && allowed[last].end >= span.end)
}
