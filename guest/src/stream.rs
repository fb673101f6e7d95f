//! Scanning an upload that arrives in chunks: the verdict does not depend on where they are cut, and memory does
//! not grow with the upload. Not for messages, which arrive whole; those are for the [`Scanner`].
//!
//! What arrives is gathered in a window of [`MESSAGE_BYTES_MAX`] bytes. An upload that fits is judged as one message.
//! Of a longer one each full window is scanned, and what begins in its middle counts; its last 128 KiB are kept,
//! and the next window begins with them. So everything is scanned with at least [`CONTEXT_BYTES`] of text on either
//! side, and counts once.
//!
//! That is the bound: in an upload longer than a window, a match of more than [`CONTEXT_BYTES`] with what it needs
//! around it may be missed where it lies across the border of two windows. A pattern has at most 256 letters, with four
//! separators between two letters, which is 5 KiB, or 20 KiB if each is written as an entity of 16 bytes; longer
//! ones are filled up with repeats, marks or invisible characters by the hundred, or found by a `re:` term that allows
//! for any length. Sounds written in Latin letters count only in windows with Chinese in them. Parts of `a&b` and `a~b` may be as far
//! apart as the upload is long.

use alloc::vec::Vec;

use crate::pack::{PARTS_MAX, TermRecord};
use crate::rules::{self, Found, PartPlace};
use crate::scan::Parts;
use crate::wire::{MESSAGE_BYTES_MAX, SENDER_BYTES_MAX};
use crate::{
    Action, ChannelId, Field, MATCHES_MAX, Match, Message, Pack, Policy, Scanner, Span, Verdict, VerdictFlags,
};

/// Longest upload that is scanned, in bytes, as spans count them; of a longer one, this much.
pub const UPLOAD_BYTES_MAX: u64 = u32::MAX as u64;
/// Text that is seen on either side of where a match begins, in bytes.
const CONTEXT_BYTES: usize = 64 << 10;

/// Scans uploads, one after the other, as their chunks arrive. Holds a window of the upload and the scratch memory of
/// a [`Scanner`]. One for each upload that arrives at the same time.
#[derive(Debug)]
pub struct Stream<'p> {
    scanner: Scanner<'p>,
    policy: &'p Policy,
    /// Where uploads come from.
    channel: ChannelId,
    sender: Vec<u8>,
    sizes: Sizes,
    window: Vec<u8>,
    /// Where in the upload the window begins.
    window_start: u32,
    /// Before this place of the window all that begins has been counted.
    counted: usize,
    /// Verdict so far, on terms of one part; places in the upload, the first [`MATCHES_MAX`] of them.
    verdict: Verdict,
    /// The parts of terms of several, by pattern and allow set.
    parts: Vec<PartSeen>,
    /// The terms whose parts must be near each other.
    near: Vec<NearSeen>,
    /// Scratch.
    part_places: Vec<PartPlace>,
    /// Scratch.
    matches: Vec<Match>,
    /// Scratch.
    shadow: Vec<Match>,
}

/// How much is scanned at once.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    window: usize,
    context: usize,
}

/// A pattern that is part of a term, and where it was first seen.
#[derive(Clone, Copy, Debug)]
struct PartSeen {
    pattern: u32,
    allow_set: u32,
    /// Its first place outside of the texts of the allow set, in the upload.
    first: Option<Found>,
}

/// A term whose parts must be near each other, and where they first were, in the upload.
#[derive(Clone, Copy, Debug)]
struct NearSeen {
    term: u32,
    first: Option<[Option<Found>; PARTS_MAX]>,
}

/// Text of an upload as a message.
fn origin<'m>(channel: ChannelId, sender: &'m [u8], text: &'m [u8]) -> Message<'m> {
    Message { text, field: Field::Upload, channel, sender }
}

impl<'p> Stream<'p> {
    /// A stream of uploads of one sender on a channel; an empty sender is an unknown one.
    #[must_use]
    pub fn new(pack: &'p Pack<'p>, policy: &'p Policy, channel: ChannelId, sender: &[u8]) -> Stream<'p> {
        Stream::of_scanner(Scanner::new(pack), policy, channel, sender)
    }

    /// The same with the memory of a scanner.
    pub(crate) fn of_scanner(
        scanner: Scanner<'p>,
        policy: &'p Policy,
        channel: ChannelId,
        sender: &[u8],
    ) -> Stream<'p> {
        let sizes = Sizes { window: MESSAGE_BYTES_MAX, context: CONTEXT_BYTES };
        let sender = sender[..sender.len().min(SENDER_BYTES_MAX)].to_vec();
        Stream { channel, sender, ..Stream::with_sizes(scanner, policy, sizes) }
    }

    /// The scanner, without what arrived of an upload.
    #[cfg(all(feature = "abi", target_family = "wasm"))]
    pub(crate) fn into_scanner(self) -> Scanner<'p> {
        self.scanner
    }

    fn with_sizes(scanner: Scanner<'p>, policy: &'p Policy, sizes: Sizes) -> Stream<'p> {
        let pack = scanner.pack();
        let of_term = |term: &TermRecord| {
            let allow_set = term.allow_set;
            pack.parts(term).iter().map(move |part| PartSeen { pattern: part.pattern, allow_set, first: None })
        };
        let mut parts: Vec<PartSeen> = pack.terms.iter().flat_map(of_term).collect();
        parts.sort_unstable_by_key(PartSeen::key);
        parts.dedup_by_key(|part| part.key());
        let near = (0..).zip(pack.terms).filter(|(_, term)| term.within > 0);
        let near = near.map(|(term, _)| NearSeen { term, first: None }).collect();
        Stream {
            scanner,
            policy,
            channel: ChannelId::default(),
            sender: Vec::new(),
            sizes,
            window: Vec::new(),
            window_start: 0,
            counted: 0,
            verdict: Verdict::default(),
            parts,
            near,
            part_places: Vec::new(),
            matches: Vec::new(),
            shadow: Vec::new(),
        }
    }

    /// Takes the next bytes of the upload. Scans once in 896 KiB that arrive.
    pub fn push(&mut self, mut chunk: &[u8]) {
        let taken = u64::from(self.window_start) + self.window.len() as u64;
        if chunk.len() as u64 > UPLOAD_BYTES_MAX - taken {
            self.verdict.flags.insert(VerdictFlags::TRUNCATED);
            chunk = &chunk[..(UPLOAD_BYTES_MAX - taken) as usize];
        }
        while !chunk.is_empty() {
            if self.window.len() == self.sizes.window {
                self.scan_full_window();
            }
            let (fits, rest) = chunk.split_at(chunk.len().min(self.sizes.window - self.window.len()));
            self.window.extend_from_slice(fits);
            chunk = rest;
        }
    }

    /// Ends the upload: overwrites `verdict` with the verdict on all of it, and is ready for the next.
    pub fn finish(&mut self, verdict: &mut Verdict) {
        if self.window_start == 0 && !self.verdict.flags.contains(VerdictFlags::TRUNCATED) {
            let message = origin(self.channel, &self.sender, &self.window);
            self.scanner.scan(self.policy, &message, verdict);
        } else {
            self.scan_window(self.window.len(), self.window.len());
            self.add_terms_of_several_parts();
            let room = MATCHES_MAX - self.verdict.matches.len();
            cap(&mut self.verdict.shadow, room, &mut self.verdict.flags);
            core::mem::swap(verdict, &mut self.verdict);
        }
        self.clear();
    }

    fn clear(&mut self) {
        self.window.clear();
        (self.window_start, self.counted) = (0, 0);
        self.verdict.matches.clear();
        self.verdict.shadow.clear();
        (self.verdict.action, self.verdict.flags) = (Action::Allow, VerdictFlags::default());
        self.parts.iter_mut().for_each(|part| part.first = None);
        self.near.iter_mut().for_each(|near| near.first = None);
    }

    /// Scans a full window, and begins the next with its end.
    fn scan_full_window(&mut self) {
        let Sizes { window, context } = self.sizes;
        // What follows the window is not known, so its last character may lack bytes.
        let end = character_start(&self.window, window - 1);
        let counts_to = character_start(&self.window, end - context);
        self.scan_window(end, counts_to);
        let keep = character_start(&self.window, counts_to - context);
        self.window.drain(..keep);
        self.counted = counts_to - keep;
        self.window_start += keep as u32;
    }

    /// Scans the window up to `end`, and counts what begins before `counts_to`.
    fn scan_window(&mut self, end: usize, counts_to: usize) {
        let pack = self.scanner.pack();
        let message = origin(self.channel, &self.sender, &[]);
        let flags = self.scanner.find(&self.window[..end], &message, Parts::Always);
        self.verdict.flags.insert(flags);
        let (found, linked, allowed) = self.scanner.found();
        rules::collect_allowed(pack, found, allowed);
        let places = self.counted..counts_to;
        let counts = |found: &&Found| places.contains(&(found.span.start as usize));
        let in_upload = |span: Span| Span { start: span.start + self.window_start, end: span.end + self.window_start };

        // Terms of one part fire where they are, and what allows them is within the window.
        self.matches.clear();
        rules::fire(pack, found.iter().filter(counts), allowed, &mut self.matches);
        self.matches.extend(linked.iter().filter(|found| places.contains(&(found.span.start as usize))));
        self.matches.iter_mut().for_each(|found| found.span = in_upload(found.span));

        // Of the others the first place of each part is kept.
        for found in found.iter().filter(counts) {
            let from = self.parts.partition_point(|part| part.pattern < found.pattern);
            for part in self.parts[from..].iter_mut().take_while(|part| part.pattern == found.pattern) {
                if part.first.is_none() && !rules::is_allowed(allowed, part.allow_set, found.span) {
                    part.first = Some(Found { span: in_upload(found.span), ..*found });
                }
            }
        }

        // And where parts are near each other: a window holds them all, as its context is longer than they may be apart.
        let text = &self.window[..end];
        for near in self.near.iter_mut().filter(|near| near.first.is_none()) {
            let term = &pack.terms[near.term as usize];
            let counts = |start: u32| places.contains(&(start as usize));
            let parts = rules::near_parts(pack, term, text, found, allowed, &mut self.part_places, counts);
            let in_upload = |found: Found| match found.span.start == found.span.end {
                true => found,
                false => Found { span: in_upload(found.span), ..found },
            };
            near.first = parts.map(|parts| parts.map(|part| part.map(in_upload)));
        }
        self.add_matches();
    }

    fn add_terms_of_several_parts(&mut self) {
        let pack = self.scanner.pack();
        self.matches.clear();
        for (number, term) in (0..).zip(pack.terms).filter(|(_, term)| term.parts_count > 0) {
            let first = |pattern: u32| {
                let at = self.parts.binary_search_by_key(&(pattern, term.allow_set), PartSeen::key);
                at.ok().and_then(|at| self.parts[at].first)
            };
            let Ok(mut parts) = rules::all_parts(pack, term, first) else { continue };
            if term.within > 0 {
                let near = self.near.binary_search_by_key(&number, |near| near.term);
                parts = near.ok().and_then(|at| self.near[at].first).unwrap_or_default();
            }
            self.matches.extend(parts.iter().flatten().map(|found| found.fires(number)));
        }
        self.add_matches();
    }

    /// Adds the matches to the verdict: their action counts, and the first of them are kept.
    fn add_matches(&mut self) {
        let (pack, verdict) = (self.scanner.pack(), &mut self.verdict);
        let message = origin(self.channel, &self.sender, &[]);
        rules::split(pack, &message, &mut self.matches, &mut self.shadow);
        let action = self.policy.action(pack, self.channel, Field::Upload, &self.matches);
        verdict.action = verdict.action.max(action);
        for (all, new) in [(&mut verdict.matches, &mut self.matches), (&mut verdict.shadow, &mut self.shadow)] {
            all.append(new);
            all.sort_unstable();
            all.dedup();
            cap(all, MATCHES_MAX, &mut verdict.flags);
        }
    }
}

/// Keeps the first `most` matches, and says so if there are more.
fn cap(matches: &mut Vec<Match>, most: usize, flags: &mut VerdictFlags) {
    if matches.len() > most {
        matches.truncate(most);
        flags.insert(VerdictFlags::MATCHES_CAPPED);
    }
}

impl PartSeen {
    fn key(&self) -> (u32, u32) {
        (self.pattern, self.allow_set)
    }
}

/// Where the character begins that `at` is in; `at` itself if that is not UTF-8.
fn character_start(text: &[u8], at: usize) -> usize {
    let continues = |&at: &usize| text.get(at).is_some_and(|byte| byte & 0xC0 == 0x80);
    (at.saturating_sub(3)..=at).rev().find(|at| !continues(at)).unwrap_or(at)
}

#[cfg(all(test, feature = "compile"))]
mod tests {
    use super::*;
    use crate::compile::{Date, ListSource, Taxonomy, Variants, compile, compile_terms_as};
    use crate::{Evidence, PackBytes};
    use std::string::String;
    use std::{format, vec};

    const UPLOAD: Message<'_> = Message { text: b"", field: Field::Upload, channel: ChannelId(0), sender: b"" };
    /// Windows small enough for texts of some thousand bytes to be many of them.
    const SMALL: Sizes = Sizes { window: 2000, context: 700 };

    const TERMS: &str = "casino\nfree gift\n*bet*\nwin*\n赌博\n地下赌场\nlottery&prize\nloan~refused\n{red|blue}&card&cash\n\
                         lit:NaCl\n微信&加";

    fn packs() -> [PackBytes; 3] {
        let list = format!(
            "format = 1\nlist = {{ id = \"custom\" }}\n[[group]]\ncategory = \"custom\"\nterms = \"{}\"\n\
             allow = [\"casino royale\", \"lottery ticket\", \"路口交通\"]\n\
             [[group]]\ncategory = \"custom\"\nterms = \"red&blue\\ncard&cash&win*\\n赌&bet~refused\"\nwithin = 30\n\
             allow = [\"lottery ticket\"]\n",
            TERMS.replace('\n', "\\n")
        );
        let of_list =
            compile(&[ListSource { path: "list.toml", text: &list }], &Taxonomy::custom(), Date::from_unix_seconds(0))
                .0;
        let [standard, aggressive] =
            [Variants::Standard, Variants::Aggressive].map(|variants| compile_terms_as("terms.txt", TERMS, variants).0);
        [standard, aggressive, of_list].map(PackBytes::from)
    }

    struct Random(u64);

    impl Random {
        fn below(&mut self, limit: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) as usize % limit
        }
    }

    /// Terms, parts of terms, and what stands between, Chinese always among it.
    fn text(random: &mut Random, bytes: usize) -> Vec<u8> {
        const PIECES: [&str; 44] = [
            "casino",
            "free",
            " gift ",
            "alphabet",
            "winner",
            "赌博",
            "赌",
            "博",
            "地下赌场",
            "lottery",
            " ticket",
            "prize",
            "loan",
            "refused",
            "red",
            "card",
            "cash",
            "NaCl",
            "加微信",
            " royale",
            "路口交通",
            " ",
            " ",
            " ",
            ", ",
            ".",
            "-",
            "c.a.s.i.n.o",
            "c4s1n0",
            "c a s i n o ",
            "\u{200B}",
            "\u{301}",
            "&#99;asino",
            "%63asino",
            "<b>",
            "Y2FzaW5vIG5vdw",
            "\u{202E}onisac\u{202C}",
            "堵博",
            "du bo",
            "ⓒasino",
            "гazino",
            "ß",
            "the hotel is",
            "一二三",
        ];
        let mut text = "和".as_bytes().to_vec();
        while text.len() < bytes {
            // Rare enough for parts to be missing now and then.
            let limit = if random.below(5) > 0 { PIECES.len() } else { 4 };
            text.extend(PIECES[PIECES.len() - 1 - random.below(limit)].as_bytes());
            text.extend("的 ".bytes().take([0, 3, 4][random.below(3)]));
            if random.below(400) == 0 {
                text.push(0xE4);
            }
        }
        text
    }

    fn whole(pack: &Pack<'_>, policy: &Policy, text: &[u8]) -> Verdict {
        let mut verdict = Verdict::default();
        Scanner::new(pack).scan(policy, &Message { text, ..UPLOAD }, &mut verdict);
        verdict
    }

    fn in_chunks(stream: &mut Stream<'_>, text: &[u8], mut chunk: impl FnMut() -> usize) -> Verdict {
        let (mut verdict, mut rest) = (Verdict::default(), text);
        while !rest.is_empty() {
            let (now, later) = rest.split_at(chunk().min(rest.len()));
            stream.push(now);
            rest = later;
        }
        stream.finish(&mut verdict);
        verdict
    }

    #[test]
    fn any_chunks_and_many_windows_give_the_verdict_on_the_whole_text() {
        let mut random = Random(7);
        let mut with_parts = 0;
        for bytes in packs() {
            let pack = Pack::decode(&bytes).expect("the compiler writes packs");
            let policy = Policy::blocking(&pack);
            let mut small = Stream::with_sizes(Scanner::new(&pack), &policy, SMALL);
            let mut stream = Stream::new(&pack, &policy, ChannelId::default(), b"");
            for round in 0..60 {
                let length = 1 + random.below(10_000);
                let text = text(&mut random, length);
                let expected = whole(&pack, &policy, &text);
                let chunk = [1, 7, 100, 3000][round % 4];
                let found = in_chunks(&mut stream, &text, || 1 + random.below(chunk));
                assert_eq!(found, expected, "chunks to {chunk}: {}", String::from_utf8_lossy(&text));
                let found = in_chunks(&mut small, &text, || 1 + random.below(chunk));
                assert_eq!(found, expected, "windows: {}", String::from_utf8_lossy(&text));
                with_parts += expected.matches.iter().filter(|found| pack.term(found.term).text.contains('&')).count();
            }
        }
        assert!(with_parts > 100, "{with_parts} matches of terms in parts: the test tests nothing");
    }

    #[test]
    fn a_match_across_chunks_is_found_at_every_split() {
        let text = "on 地下赌场 the c.a.s.i.n.o and &#99;asino".as_bytes();
        let bytes = PackBytes::from(compile_terms_as("terms.txt", TERMS, Variants::Standard).0);
        let pack = Pack::decode(&bytes).expect("the compiler writes packs");
        let policy = Policy::blocking(&pack);
        let expected = whole(&pack, &policy, text);
        assert_eq!(expected.matches.len(), 3);
        let mut stream = Stream::new(&pack, &policy, ChannelId::default(), b"");
        for split in 0..=text.len() {
            stream.push(&text[..split]);
            stream.push(&text[split..]);
            let mut verdict = Verdict::default();
            stream.finish(&mut verdict);
            assert_eq!(verdict, expected, "split at {split}");
        }
    }

    #[test]
    fn nothing_beyond_the_first_window_is_lost() {
        let bytes = packs();
        let pack = Pack::decode(&bytes[2]).expect("the compiler writes packs");
        let policy = Policy::blocking(&pack);
        let mut stream = Stream::new(&pack, &policy, ChannelId::default(), b"");
        let mut judge = |words: &[(usize, &str)]| {
            let mut text = vec![b' '; 3 << 20];
            words.iter().for_each(|&(at, word)| text[at..at + word.len()].copy_from_slice(word.as_bytes()));
            in_chunks(&mut stream, &text, || 10_000)
        };
        let places =
            |verdict: &Verdict| verdict.matches.iter().map(|found| found.span.start as usize).collect::<Vec<_>>();
        let borders = [MESSAGE_BYTES_MAX - 2 * CONTEXT_BYTES, MESSAGE_BYTES_MAX - CONTEXT_BYTES, MESSAGE_BYTES_MAX];
        for at in borders.into_iter().flat_map(|border| border - 12..border + 3).chain([0, (3 << 20) - 6]) {
            let verdict = judge(&[(at, "casino")]);
            assert_eq!(verdict.matches.len(), 1, "at {at}");
            let found = verdict.matches[0];
            assert_eq!((found.span.start as usize, found.span.end as usize), (at, at + 6));
            assert_eq!((found.evidence, verdict.flags), (Evidence::default(), VerdictFlags::default()));
        }
        // Parts, what excludes and what allows, windows apart.
        let far = 2 << 20;
        assert_eq!(places(&judge(&[(9, "prize"), (far, "lottery")])), [9, far]);
        assert_eq!(places(&judge(&[(9, "lottery"), (far, "prize")])), [9, far]);
        assert_eq!(places(&judge(&[(9, "prize"), (far, "lottery ticket")])), []);
        assert_eq!(places(&judge(&[(9, "prize"), (99, "lottery ticket"), (far, "lottery")])), [9, far]);
        assert_eq!(places(&judge(&[(9, "loan")])), [9]);
        assert_eq!(places(&judge(&[(9, "loan"), (far, "refused")])), []);
        assert_eq!(places(&judge(&[(9, "refused"), (far, "loan")])), []);
        assert_eq!(
            places(&judge(&[(9, "blue"), (MESSAGE_BYTES_MAX, "cash"), (far, "card")])),
            [9, MESSAGE_BYTES_MAX, far]
        );
        assert_eq!(places(&judge(&[(9, "casino"), (far, "casino royale")])), [9]);
        assert_eq!(places(&judge(&[(9, "blue"), (far, "card")])), []);
        let many: Vec<(usize, &str)> = (0..MATCHES_MAX + 1).map(|number| (40_000 * number, "casino")).collect();
        let verdict = judge(&many);
        assert_eq!((verdict.matches.len(), verdict.flags), (MATCHES_MAX, VerdictFlags::MATCHES_CAPPED));
        // The next upload knows nothing of the one before.
        assert_eq!(judge(&[]), Verdict::default());
    }

    #[test]
    fn memory_does_not_grow_with_the_upload() {
        let bytes = PackBytes::from(compile_terms_as("terms.txt", TERMS, Variants::Standard).0);
        let pack = Pack::decode(&bytes).expect("the compiler writes packs");
        let policy = Policy::blocking(&pack);
        let mut stream = Stream::new(&pack, &policy, ChannelId::default(), b"");
        let chunk = "the casino is &#99;losed, 地下赌场 ".repeat(2000).into_bytes();
        let capacities =
            |stream: &Stream<'_>| (stream.window.capacity(), stream.matches.capacity(), stream.parts.len());
        (0..30).for_each(|_| stream.push(&chunk));
        let warm = capacities(&stream);
        (0..60).for_each(|_| stream.push(&chunk));
        assert_eq!(capacities(&stream), warm);
        assert!(warm.0 <= 2 * MESSAGE_BYTES_MAX, "{warm:?}");
    }
}
