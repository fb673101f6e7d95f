//! The scan: one message through all stages, top to bottom. Each stage has its own file.

use alloc::vec::Vec;
use core::ops::Range;

use crate::consonants::Consonants;
use crate::pieces::Pieces;
use crate::rewrite::{CUT_BYTES, Rewrite};
use crate::rules::{self, Allowed, Found, PartPlace};
use crate::search::{self, Candidate};
use crate::senders;
use crate::sounds::Sounds;
use crate::spam::{self, Confidence, LinkFinder, Signal, SignalSet};
use crate::verify::verify;
use crate::wire::MESSAGE_BYTES_MAX;
use crate::{Action, Evidence, Field, Match, Message, Pack, Policy, Span, TermId, Verdict, VerdictFlags};

/// Most matches in one verdict, those in the shadow included. The action takes all matches into account all the same.
pub const MATCHES_MAX: usize = 64;

/// Scans messages against a pack. Holds the scratch memory, which grows to the longest message seen
/// and is reused: once warm, a scan allocates nothing. One for each thread.
#[derive(Debug)]
pub struct Scanner<'p> {
    pack: &'p Pack<'p>,
    pieces: Pieces,
    rewrite: Rewrite,
    sounds: Sounds,
    consonants: Consonants,
    places: Vec<u32>,
    candidates: Vec<Candidate>,
    found: Vec<Found>,
    allowed: Vec<Allowed>,
    links: LinkFinder,
    /// Terms that name hosts of links.
    linked: Vec<Match>,
    confidence: Confidence,
    part_places: Vec<PartPlace>,
}

impl<'p> Scanner<'p> {
    /// A scanner with cold scratch memory.
    #[must_use]
    pub fn new(pack: &'p Pack<'p>) -> Scanner<'p> {
        Scanner {
            pack,
            pieces: Pieces::default(),
            rewrite: Rewrite::default(),
            sounds: Sounds::default(),
            consonants: Consonants::default(),
            places: Vec::new(),
            candidates: Vec::new(),
            found: Vec::new(),
            allowed: Vec::new(),
            links: LinkFinder::default(),
            linked: Vec::new(),
            confidence: Confidence::default(),
            part_places: Vec::new(),
        }
    }

    /// The pack it scans against.
    #[must_use]
    pub fn pack(&self) -> &'p Pack<'p> {
        self.pack
    }

    /// Judges a message; overwrites `verdict`. Never fails: a text longer than [`MESSAGE_BYTES_MAX`] is
    /// judged up to there and the verdict says so.
    pub fn scan(&mut self, policy: &Policy, message: &Message<'_>, verdict: &mut Verdict) {
        verdict.matches.clear();
        verdict.flags = VerdictFlags::default();
        let text = cut(message.text, &mut verdict.flags);

        verdict.flags.insert(self.find(text, message, Parts::WhereLed));
        verdict.confidence = self.confidence;
        verdict.matches.extend_from_slice(&self.linked);

        // Terms that fire, and what the policy makes of them.
        let Scanner { pack, found, allowed, part_places, .. } = self;
        rules::apply(pack, text, found, allowed, part_places, &mut verdict.matches);
        rules::split(self.pack, message, &mut verdict.matches, &mut verdict.shadow);
        verdict.action = policy.action(self.pack, message.channel, message.field, &verdict.matches);
        // One more tells that there are more.
        rules::keep_first(&mut verdict.matches, MATCHES_MAX + 1);
        rules::keep_first(&mut verdict.shadow, MATCHES_MAX + 1);
        verdict.action = verdict.action.max(model_action(self.pack, policy, message, text, verdict));
        if verdict.matches.len() > MATCHES_MAX {
            verdict.matches.truncate(MATCHES_MAX);
            verdict.flags.insert(VerdictFlags::MATCHES_CAPPED);
        }
        if verdict.matches.len() + verdict.shadow.len() > MATCHES_MAX {
            verdict.shadow.truncate(MATCHES_MAX - verdict.matches.len());
            verdict.flags.insert(VerdictFlags::MATCHES_CAPPED);
        }
    }

    /// Finds the patterns in a text and in the sender of its message, sorted, and the hosts of its links, asks the
    /// model, and says what was special.
    pub(crate) fn find(&mut self, text: &[u8], message: &Message<'_>, parts: Parts) -> VerdictFlags {
        let mut flags = VerdictFlags::default();
        // What the text says as it stands, and as a reader would turn it before reading.
        self.found.clear();
        self.linked.clear();
        let sender = message.sender;
        let mut is_complete = self.find_outside_words(text, sender, Leads::On);
        self.read(text, parts);
        let links = self.read_links(text);
        self.confidence = self.judge(message, text, links);
        if !self.pieces.is_utf8 {
            flags.insert(VerdictFlags::INVALID_UTF8);
        }
        let mut rewrite = core::mem::take(&mut self.rewrite);
        if self.pieces.watch.may_be_rewritten && rewrite.read(text, &self.pieces.watch) {
            let second = rewrite.text();
            // Where all of it is read again, that reading is the one that counts.
            let mut second_links = links;
            for stretch in rewrite.stretches() {
                let is_all = stretch == (0..second.len());
                let of_stretch = self.read_stretch(stretch, parts, &rewrite);
                second_links = if is_all { of_stretch } else { second_links.with(of_stretch) };
            }
            let confidence = self.judge(message, second, second_links);
            if confidence.unwanted() > self.confidence.unwanted() {
                self.confidence = confidence;
            }
        }
        self.rewrite = rewrite;
        if parts == Parts::Always || rules::needs_parts(self.pack, &self.found) {
            is_complete &= self.find_outside_words(text, sender, Leads::Nowhere);
        }
        if !is_complete {
            flags.insert(VerdictFlags::MATCHES_CAPPED);
        }
        // What both readings found is plain: the evidence of the first comes first.
        self.found.sort_unstable();
        self.found.dedup_by_key(|found| (found.pattern, found.span));
        flags
    }

    /// Adds to what is found what is in a stretch of the second reading. Returns the signals of its links.
    fn read_stretch(&mut self, stretch: Range<usize>, parts: Parts, rewrite: &Rewrite) -> SignalSet {
        let second = rewrite.text();
        let (first_found, first_linked) = (self.found.len(), self.linked.len());
        let text = &second[stretch.clone()];
        self.read(text, parts);
        let links = self.read_links(text);
        let offset = stretch.start as u32;
        let is_cut = (stretch.start > 0, stretch.end < second.len());
        let place = |span: &mut Span, evidence: &mut Evidence| {
            let by_cut =
                is_cut.0 && (span.end as usize) < CUT_BYTES || is_cut.1 && span.start as usize + CUT_BYTES > text.len();
            *span = rewrite.original(Span { start: span.start + offset, end: span.end + offset });
            *evidence = evidence.with(Evidence::ENCODED);
            !by_cut
        };
        retain_from(&mut self.found, first_found, |found| place(&mut found.span, &mut found.evidence));
        retain_from(&mut self.linked, first_linked, |found| place(&mut found.span, &mut found.evidence));
        links
    }

    /// What [`find`](Scanner::find) found: patterns, and the terms that name hosts of links; and scratch for the
    /// allowed texts among it.
    pub(crate) fn found(&mut self) -> (&[Found], &[Match], &mut Vec<Allowed>) {
        (&self.found, &self.linked, &mut self.allowed)
    }

    /// Adds to what is linked the terms that name hosts of links in `text`. Returns the signals of all links.
    fn read_links(&mut self, text: &[u8]) -> SignalSet {
        let (pack, matches) = (self.pack, &mut self.linked);
        let Some(hosts) = &pack.hosts else {
            // Signals are for the model, which reads no more of a text.
            let text = &text[..text.len().min(spam::SPAM_BYTES_MAX)];
            return pack.model().map(|_| self.links.find(text, |_| {})).unwrap_or_default();
        };
        self.links.find(text, |link| {
            let is_disguised = link.signals.contains(Signal::LinkDisguised);
            let evidence = if is_disguised { Evidence::LOOK_ALIKE } else { Evidence::default() };
            let mut look_up = |host, evidence| {
                hosts.look_up(host, |term| {
                    let term = TermId(term);
                    if spam::has_path(pack.term(term).text, link.path) {
                        matches.push(Match { span: link.span, term, evidence });
                    }
                });
            };
            spam::parents(link.host).for_each(|host| look_up(host, evidence));
            if let Some(unread) = link.unread {
                let others = spam::parents(unread).take_while(|host| !link.host.ends_with(host));
                others.for_each(|host| look_up(host, Evidence::default()));
            }
        })
    }

    /// What the model thinks of a text.
    fn judge(&self, message: &Message<'_>, text: &[u8], links: SignalSet) -> Confidence {
        match (self.pack.model(), message.field) {
            (Some(model), Field::Body) => model.judge(text, message.sender, links),
            _ => Confidence::default(),
        }
    }

    /// Adds to what is found the patterns in `text`.
    fn read(&mut self, text: &[u8], parts: Parts) {
        // Characters to folded pieces and symbols.
        self.pieces.read(text, search::symbols_needed(self.pack));

        // Places where a pattern may be.
        self.candidates.clear();
        search::search(self.pack, &self.pieces, &mut self.places, &mut self.candidates);

        // Patterns that sound in the text.
        if !self.pack.sounds.is_empty() && self.pieces.has_unspaced {
            self.listen(text);
        }
        if search::has_consonants(self.pack) {
            self.listen_to_consonants(text);
        }

        // Patterns that are there, in the characters themselves. Parts of terms are common words, and are looked
        // at only where the rarest part of some term is there.
        self.verify_candidates(text, Leads::On);
        if parts == Parts::Always || rules::needs_parts(self.pack, &self.found) {
            self.verify_candidates(text, Leads::Nowhere);
        }
    }

    /// Adds to what is found the patterns that are no words: the sender, and regular expressions in the text.
    /// Returns whether all places of them were found.
    fn find_outside_words(&mut self, text: &[u8], sender: &[u8], leads: Leads) -> bool {
        let (pack, found) = (self.pack, &mut self.found);
        let is_wanted = |pattern: u32| (pack.patterns[pattern as usize].uses_count > 0) == (leads == Leads::On);
        let mut add = |pattern, span| found.push(Found { pattern, span, evidence: Evidence::default() });
        if !pack.senders.is_empty() {
            senders::find(pack, sender, |pattern| {
                if is_wanted(pattern) {
                    add(pattern, Span::default());
                }
            });
        }
        let mut is_complete = true;
        for record in pack.regexes.iter().filter(|record| is_wanted(record.pattern)) {
            if let Some(regex) = pack.regex(record) {
                is_complete &= regex.find(text, |span| add(record.pattern, span));
            }
        }
        is_complete
    }

    /// Adds to what is found the patterns that sound in `text`.
    fn listen(&mut self, text: &[u8]) {
        self.sounds.read(text, self.pack.sounds);
        let (pack, sounds, found) = (self.pack, &self.sounds, &mut self.found);
        search::search_sounds(pack, &sounds.syllables, &mut self.places, |pattern, first| {
            let sounds = sounds.verify(pack, &pack.patterns[pattern as usize], text, first);
            found.extend(sounds.map(|(span, evidence)| Found { pattern, span, evidence }));
        });
    }

    /// Adds to what is found the patterns whose consonants sound in `text`.
    fn listen_to_consonants(&mut self, text: &[u8]) {
        self.consonants.read(text);
        let (pack, consonants, found) = (self.pack, &self.consonants, &mut self.found);
        search::search_consonants(pack, consonants, &mut self.places, |number, first| {
            let pattern = &pack.patterns[number as usize];
            let sounds = consonants.verify(pack.spelling(pattern), pattern, text, first);
            found.extend(sounds.map(|(span, evidence)| Found { pattern: number, span, evidence }));
        });
    }

    /// Adds to what is found the candidates that are spelled in the text, of patterns that lead on or do not.
    fn verify_candidates(&mut self, text: &[u8], leads: Leads) {
        for candidate in &self.candidates {
            let pattern = &self.pack.patterns[candidate.pattern as usize];
            if (pattern.uses_count > 0) != (leads == Leads::On) {
                continue;
            }
            let spelled = verify(self.pack, pattern, text, candidate.start as usize);
            self.found.extend(spelled.map(|(span, evidence)| Found { pattern: candidate.pattern, span, evidence }));
        }
    }
}

/// Keeps of the elements from `first` on those that `keep` says, after it changed them.
fn retain_from<T>(all: &mut Vec<T>, first: usize, mut keep: impl FnMut(&mut T) -> bool) {
    let mut number = 0;
    all.retain_mut(|one| {
        number += 1;
        number <= first || keep(one)
    });
}

/// What follows from the model's confidence, and from what advertising lacks.
fn model_action(pack: &Pack<'_>, policy: &Policy, message: &Message<'_>, text: &[u8], verdict: &mut Verdict) -> Action {
    let mut action = policy.model_action(verdict.confidence);
    let is_listed = || {
        let mut categories = verdict.matches.iter().map(|found| pack.term(found.term).category);
        categories.any(|category| pack.category(category).id == spam::ADVERTISING)
    };
    if let Some(rules) = policy.marketing(message.channel, verdict.confidence, is_listed) {
        let has = spam::marketing(text);
        if !has.has_signature && rules.no_signature != Action::Allow {
            verdict.flags.insert(VerdictFlags::NO_SIGNATURE);
            action = action.max(rules.no_signature);
        }
        if !has.has_opt_out && rules.no_opt_out != Action::Allow {
            verdict.flags.insert(VerdictFlags::NO_OPT_OUT);
            action = action.max(rules.no_opt_out);
        }
    }
    action
}

/// When parts of terms are looked at that lead to nothing by themselves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Parts {
    /// Where the rarest part of some term is there.
    WhereLed,
    /// Always: the rarest may be elsewhere.
    Always,
}

/// Whether finding a pattern leads to anything by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Leads {
    On,
    Nowhere,
}

/// The text up to the limit, not splitting a character.
pub(crate) fn cut<'t>(text: &'t [u8], flags: &mut VerdictFlags) -> &'t [u8] {
    if text.len() <= MESSAGE_BYTES_MAX {
        return text;
    }
    flags.insert(VerdictFlags::TRUNCATED);
    let continues = |at: usize| text[at] & 0xC0 == 0x80;
    let end = (MESSAGE_BYTES_MAX - 3..=MESSAGE_BYTES_MAX).rev().find(|&at| !continues(at));
    &text[..end.unwrap_or(MESSAGE_BYTES_MAX)]
}
