//! Links in a text: hosts with scheme or bare, dots hidden or drawn otherwise, letters folded, punycode
//! decoded. Finds whatever may be a host; whether one is bad is for `url:` terms, and what kind of link
//! it is, for the model. Not for fetching or resolving: nothing leaves the filter.

use alloc::string::String;
use alloc::vec::Vec;

use wide::i8x16;

use super::{Signal, SignalSet};
use crate::fold::{
    CLASS_FIRST_LETTER, IGNORABLE, SEPARATOR, Script, ascii_symbol, decode, decode_before, letter, script, symbol,
};
use crate::lanes::sixteen_bytes;
use crate::{Evidence, Span};

/// Longest host, in bytes, as DNS has it. Of a longer one, the end.
const HOST_BYTES_MAX: usize = 253;
/// Longest path that is looked at, in bytes.
const PATH_BYTES_MAX: usize = 1024;
/// Most characters of one label, as DNS has it.
const LABEL_CHARACTERS_MAX: usize = 63;

/// Top-level domains that make a word with a dot a link. Those that are words themselves are not here:
/// after a full stop without a space they would make links of sentences.
const KNOWN: &[&str] = &[
    "ac", "ae", "ai", "app", "asia", "au", "bid", "biz", "blog", "br", "bz", "ca", "cc", "cf", "ch", "click", "club",
    "cn", "co", "com", "cyou", "cz", "de", "dev", "edu", "es", "eu", "fi", "fr", "fun", "ga", "gd", "gg", "gl", "gov",
    "gq", "gr", "hk", "hu", "icu", "ie", "il", "info", "ink", "io", "ir", "jp", "kim", "kr", "la", "li", "link",
    "live", "loan", "ltd", "ly", "mil", "ml", "mobi", "mx", "name", "net", "ng", "nl", "nu", "nz", "online", "org",
    "ph", "pk", "pl", "pro", "pt", "pw", "ren", "ro", "rs", "ru", "sa", "sbs", "se", "sg", "shop", "site", "sk",
    "space", "store", "tech", "th", "tk", "top", "tr", "tv", "tw", "ua", "ug", "uk", "vip", "vn", "wang", "win",
    "work", "ws", "xin", "xxx", "xyz", "za",
];
/// Top-level domains that are bought in numbers to be thrown away.
const CHEAP: &[&str] = &[
    "bid", "cc", "cf", "click", "club", "cyou", "fun", "ga", "gq", "icu", "ink", "kim", "link", "live", "loan", "ltd",
    "ml", "mobi", "online", "pw", "ren", "sbs", "shop", "site", "space", "store", "tk", "top", "vip", "wang", "win",
    "work", "ws", "xin", "xyz",
];
/// Services that hide where a link leads.
const SHORTENERS: &[&str] = &[
    "980.so",
    "adf.ly",
    "bit.do",
    "bit.ly",
    "bl.ink",
    "buff.ly",
    "clck.ru",
    "cutt.ly",
    "dlvr.it",
    "dwz.cn",
    "goo.gl",
    "is.gd",
    "j.mp",
    "lnkd.in",
    "mrw.so",
    "ow.ly",
    "qr.ae",
    "rb.gy",
    "rebrand.ly",
    "s.id",
    "shorturl.at",
    "smsg.io",
    "suo.im",
    "surl.li",
    "t.cn",
    "t.co",
    "t.ly",
    "t2m.io",
    "tiny.cc",
    "tinyurl.com",
    "u.nu",
    "url.cn",
    "v.gd",
    "w.url.cn",
    "wurl.to",
    "x.co",
];
/// Top-level domains that are words: a link only with a scheme, `www` or a path.
const WORDS: &[&str] =
    &["am", "as", "at", "be", "do", "id", "im", "in", "is", "it", "me", "my", "no", "so", "to", "us"];
/// A bit for each hash that one of `KNOWN` or `WORDS` has: tells in one place that most words are neither.
const TOP_LEVELS: [u64; 16] = {
    let (mut bits, mut list) = ([0; 16], 0);
    while list < 2 {
        let names = [KNOWN, WORDS][list];
        let mut at = 0;
        while at < names.len() {
            let bit = top_level_bit(names[at].as_bytes());
            bits[bit / 64] |= 1 << (bit % 64);
            at += 1;
        }
        list += 1;
    }
    bits
};
/// Hosts that lead to a chat elsewhere.
const CHATS: &[&str] = &["line.me", "t.me", "telegram.me", "wa.me", "weixin.qq.com"];

/// A link found in a text.
#[derive(Clone, Copy, Debug)]
pub struct Link<'f> {
    /// Where, in bytes of the text, with scheme and path.
    pub span: Span,
    /// The host, folded, without a port: letters small, look-alikes read, punycode decoded.
    pub host: &'f str,
    /// The host with its look-alikes left as they are, where that is another: what a browser asks for.
    pub unread: Option<&'f str>,
    /// What follows the host, as written, with its leading `/` or `?`; may be empty.
    pub path: &'f [u8],
    /// What there is to say of it. Without [`Signal::Link`] it may as well be two sentences without a
    /// space between.
    pub signals: SignalSet,
}

/// Finds links. Keeps its memory from text to text.
#[derive(Debug, Default)]
pub struct LinkFinder {
    host: String,
    /// The host with its look-alikes unread; empty as long as there are none.
    unread: String,
    label: Vec<char>,
}

impl LinkFinder {
    /// Calls `each` with every link of `text`, in order, and returns the signals of
    /// all. Costs a look at each byte where there is none.
    pub fn find(&mut self, text: &[u8], mut each: impl FnMut(&Link<'_>)) -> SignalSet {
        let mut all = SignalSet::default();
        // Where to look on, where the last link ended.
        let (mut at, mut from) = (0, 0);
        while let Some(dot) = next_dot(text, at) {
            at = dot.end;
            let Some(found) = self.host_around(text, from, dot) else { continue };
            let link = self.link(text, &found);
            at = link.span.end as usize;
            from = at;
            all = all.with(link.signals);
            each(&link);
        }
        all
    }

    /// Reads the host that has a dot at `dot`, not before `from`.
    fn host_around(&mut self, text: &[u8], from: usize, dot: Dot) -> Option<Found> {
        self.host.clear();
        self.unread.clear();
        if let Some(found) = plain_host(text, from, dot) {
            let written = text[found.start..found.end].iter();
            self.host.extend(written.map(|byte| char::from(byte.to_ascii_lowercase())));
            return (found.labels > 1).then_some(found);
        }
        self.any_host(text, from, dot)
    }

    /// The same for hosts of any characters, host and unread being empty.
    fn any_host(&mut self, text: &[u8], from: usize, dot: Dot) -> Option<Found> {
        let start = label_start(text, from, dot.start)?;
        let mut found = Found { start, end: dot.start, labels: 1, hidden: false, apart: false };
        let (length, disguised) = self.label(text, start, Some(dot.start));
        if length == 0 {
            return None;
        }
        found.hidden = disguised;
        let mut dot = dot;
        loop {
            let (before, unread_before) = (self.host.len(), self.unread.len());
            self.host.push('.');
            if !self.unread.is_empty() {
                self.unread.push('.');
            }
            let (length, disguised) = self.label(text, dot.end, None);
            if length == 0 || self.host.len() > HOST_BYTES_MAX {
                self.host.truncate(before);
                self.unread.truncate(unread_before);
                break;
            }
            found.labels += 1;
            found.end = dot.end + length;
            found.hidden |= disguised || dot.hidden;
            found.apart |= dot.apart;
            match dot_at(text, found.end) {
                Some(next) => dot = next,
                None => break,
            }
        }
        (found.labels > 1).then_some(found)
    }

    /// Appends the label at `start`, up to `end` if that is known. Returns its length in the text, 0 if there is
    /// none, and whether it is written otherwise than it reads.
    fn label(&mut self, text: &[u8], start: usize, end: Option<usize>) -> (usize, bool) {
        self.label.clear();
        let (mut at, mut disguised, mut kind) = (start, false, None);
        while at < end.unwrap_or(text.len()) && self.label.len() < LABEL_CHARACTERS_MAX {
            let (code, length) = decode(&text[at..]);
            match host_character(code) {
                HostCharacter::Nothing => disguised = true,
                HostCharacter::End => break,
                HostCharacter::Is(char) => {
                    let is_han = script(code) == Script::Unspaced;
                    if *kind.get_or_insert(is_han) != is_han {
                        break;
                    }
                    disguised |= code >= 0x80 && char.is_ascii();
                    self.label.push(char);
                }
            }
            at += length;
        }
        // A hyphen ends no label.
        while self.label.last() == Some(&'-') && end.is_none() {
            self.label.pop();
            at -= 1;
        }
        if self.label.is_empty() {
            return (0, false);
        }
        let written = &text[start..at];
        let decoded = self.label.strip_prefix(&['x', 'n', '-', '-']).and_then(punycode);
        if (decoded.is_some() || !written.is_ascii()) && self.unread.is_empty() {
            self.unread.push_str(&self.host);
        }
        if let Some(decoded) = decoded {
            for char in decoded {
                // Who registers a name with an accent means it, as nobody does who types one: only letters of other
                // alphabets are read.
                let is_accented = matches!(char, '\u{C0}'..'\u{250}' | '\u{1E00}'..'\u{1F00}');
                self.host.push(match host_character(char as u32) {
                    HostCharacter::Is(read) if !is_accented => read,
                    _ => char,
                });
                push_unread(&mut self.unread, char as u32);
            }
        } else {
            self.host.extend(&self.label);
            let mut rest = if self.unread.is_empty() && written.is_ascii() { &[][..] } else { written };
            while !rest.is_empty() {
                let (code, length) = decode(rest);
                push_unread(&mut self.unread, code);
                rest = &rest[length..];
            }
        }
        (at - start, disguised)
    }

    /// The link around a host: scheme before it, path after it.
    fn link<'a>(&'a self, text: &'a [u8], found: &Found) -> Link<'a> {
        let host = self.host.as_str();
        let scheme_start = scheme_start(text, found.start);
        let (path, end) = path(text, found.end);
        let written = &text[found.start..found.end];
        let last = host.rsplit('.').next().unwrap_or_default();
        let is_address = found.labels == 4 && host.split('.').all(|label| label.parse::<u8>().is_ok());
        let is_punycode = written.contains(&b'-') && written.windows(4).any(|four| four.eq_ignore_ascii_case(b"xn--"));
        let has_www = host.starts_with("www.");
        let is_sure = scheme_start.is_some() || has_www || !path.is_empty();
        let may_be_top_level = may_be_top_level(last);
        let is_known = may_be_top_level && KNOWN.binary_search(&last).is_ok()
            || is_punycode
            || !last.is_ascii()
            || has_glued_word(&written[written.iter().rposition(|&byte| byte == b'.').map_or(0, |at| at + 1)..]);
        let is_word = may_be_top_level && WORDS.binary_search(&last).is_ok();

        let mut signals = SignalSet::default();
        let mut insert = |signal, holds| {
            if holds {
                signals.insert(signal);
            }
        };
        let is_mail = text[..found.start].last() == Some(&b'@') && scheme_start.is_none();
        let is_link = (is_known && !found.apart)
            || (is_sure && (is_known || is_word || is_address || !found.apart))
            || (found.apart && is_known);
        if is_link && !is_mail {
            insert(Signal::Link, true);
            insert(Signal::LinkScheme, scheme_start.is_some());
            insert(Signal::LinkPath, path.len() > 1);
            insert(Signal::LinkShortener, is_one_of(SHORTENERS, host));
            insert(Signal::LinkCheap, CHEAP.binary_search(&last).is_ok());
            insert(Signal::LinkAddress, is_address);
            insert(Signal::LinkPunycode, is_punycode);
            insert(Signal::LinkDisguised, found.hidden || found.apart);
            insert(Signal::LinkOddHost, !is_address && host.bytes().any(|byte| byte == b'-' || byte.is_ascii_digit()));
            insert(Signal::Contact, is_one_of(CHATS, host));
        }
        let start = scheme_start.unwrap_or(found.start) as u32;
        let unread = Some(self.unread.as_str()).filter(|unread| !unread.is_empty() && *unread != host);
        Link { span: Span { start, end: end as u32 }, host, unread, path, signals }
    }
}

/// Whether a label is a known top-level domain to which the next word was glued: `netUN`.
fn has_glued_word(label: &[u8]) -> bool {
    let mut letters = label.iter().copied().filter(u8::is_ascii);
    let mut name = [0; LANE];
    for count in 0..LANE {
        match letters.next() {
            Some(letter @ b'a'..=b'z') => name[count] = letter,
            Some(b'A'..=b'Z') => {
                return count >= 2
                    && str::from_utf8(&name[..count]).is_ok_and(|name| KNOWN.binary_search(&name).is_ok());
            }
            _ => return false,
        }
    }
    false
}

/// The bit of `TOP_LEVELS` for a name.
const fn top_level_bit(name: &[u8]) -> usize {
    let (mut hash, mut at) = (name.len() as u32, 0);
    while at < name.len() && at < 4 {
        hash = hash << 8 ^ hash >> 24 ^ name[at] as u32;
        at += 1;
    }
    (hash.wrapping_mul(0x9E37_79B1) >> 22) as usize
}

/// Whether a name may be in `KNOWN` or `WORDS`.
fn may_be_top_level(name: &str) -> bool {
    let bit = top_level_bit(name.as_bytes());
    TOP_LEVELS[bit / 64] >> (bit % 64) & 1 == 1
}

/// Whether `host` or a parent of it is in the sorted list.
fn is_one_of(list: &[&str], host: &str) -> bool {
    parents(host).any(|host| list.binary_search(&host).is_ok())
}

/// A host and its parent domains, the longest first; not the top-level domain alone.
pub(crate) fn parents(host: &str) -> impl Iterator<Item = &str> {
    let mut next = Some(host);
    core::iter::from_fn(move || {
        let this = next.filter(|host| host.contains('.'))?;
        next = this.split_once('.').map(|(_, parent)| parent);
        Some(this)
    })
}

/// Whether a `url:` term that names a path names one that `path` begins with. Terms without one name all.
pub(crate) fn has_path(term: &str, path: &[u8]) -> bool {
    let Some(url) = term.strip_prefix("url:") else { return true };
    let (_, wanted) = split_url(url);
    let wanted = wanted.as_bytes();
    path.get(..wanted.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(wanted))
}

/// Host and path of a URL, without its scheme. A path of `/` alone is none.
fn split_url(url: &str) -> (&str, &str) {
    let bare = ["http://", "https://"].iter().find_map(|scheme| url.strip_prefix(scheme)).unwrap_or(url);
    let (host, path) = bare.find(['/', '?']).map_or((bare, ""), |at| bare.split_at(at));
    (host, if path == "/" { "" } else { path })
}

/// The host of a list as links are looked up by: folded as in texts; a look-alike unread, so that it does not
/// bring the host that it imitates onto the list. With or without scheme. `None` if it is no host.
#[cfg(feature = "compile")]
pub(crate) fn fold_url(url: &str) -> Option<String> {
    let (host, _) = split_url(url);
    let host = host.trim_end_matches('.');
    let host = host.split_once(':').map_or(host, |(host, _)| host);
    let dot = host.find('.')?;
    let mut finder = LinkFinder::default();
    let dot = dot_at(host.as_bytes(), dot)?;
    let found = finder.host_around(host.as_bytes(), 0, dot)?;
    let is_whole = found.start == 0 && found.end == host.len() && !found.apart;
    let host = if finder.unread.is_empty() { finder.host } else { finder.unread };
    (is_whole && host.len() <= HOST_BYTES_MAX).then_some(host)
}

/// Where a host was found.
#[derive(Clone, Copy, Debug)]
struct Found {
    start: usize,
    end: usize,
    labels: usize,
    /// Written otherwise than it reads.
    hidden: bool,
    /// With spaces in it.
    apart: bool,
}

/// The host around a dot where nothing but ASCII is in it and beside it, and no label needs decoding: what most are.
/// `None` if that is not so; one label if there is no host.
fn plain_host(text: &[u8], from: usize, dot: Dot) -> Option<Found> {
    let is_in_host = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let is_end = |byte: u8| byte.is_ascii() && ascii_symbol(byte) == SEPARATOR;
    let is_label = |label: &[u8]| {
        label.len() <= LABEL_CHARACTERS_MAX && !label.get(..4).is_some_and(|four| four.eq_ignore_ascii_case(b"xn--"))
    };
    if text[dot.start] != b'.' || dot.apart {
        return None;
    }
    // No further than a label may be long, and one more.
    let first = from.max(dot.start.saturating_sub(LABEL_CHARACTERS_MAX + 1));
    let before = text[first..dot.start].iter().rposition(|&byte| !is_in_host(byte));
    let start = before.map_or(first, |at| first + at + 1);
    if start > from && !is_end(text[start - 1]) || !is_label(&text[start..dot.start]) {
        return None;
    }
    let mut found = Found { start, end: dot.start, labels: 1, hidden: false, apart: false };
    if start == dot.start {
        return Some(found);
    }
    // The text begins with the last dot.
    let mut rest = &text[dot.start..];
    loop {
        let label = &rest[1..];
        let length = label.iter().take(LABEL_CHARACTERS_MAX + 1).take_while(|&&byte| is_in_host(byte)).count();
        let label = &label[..length];
        let after = &rest[1 + label.len()..];
        let may_go_on = match after {
            [b'[' | b'(', ..] | [b' ', b'.' | b'd' | b'D' | b'[' | b'(' | 0x80.., ..] => true,
            [byte, ..] => !is_end(*byte),
            [] => false,
        };
        if may_go_on || !is_label(label) {
            return None;
        }
        // A hyphen ends no label.
        let length = label.iter().rposition(|&byte| byte != b'-').map_or(0, |at| at + 1);
        if length == 0 {
            break;
        }
        found.labels += 1;
        found.end = text.len() - rest.len() + 1 + length;
        if found.end - found.start > HOST_BYTES_MAX {
            return None;
        }
        match after {
            [b'.', next, ..] if length == label.len() && !matches!(next, b' ' | b'.') => rest = after,
            _ => break,
        }
    }
    Some(found)
}

/// A dot, or what stands for one.
#[derive(Clone, Copy, Debug)]
struct Dot {
    start: usize,
    end: usize,
    hidden: bool,
    apart: bool,
}

/// The next dot at or after `at` that may be one of a host.
fn next_dot(text: &[u8], at: usize) -> Option<Dot> {
    let first_of = |at: usize, mut signs: u32| {
        while signs != 0 {
            if let Some(dot) = dot_sign(text, at + signs.trailing_zeros() as usize) {
                return Some(dot);
            }
            signs &= signs - 1;
        }
        None
    };
    // There is something before it, and something after it.
    let mut at = at.max(1);
    while let Some(lane) = text[at - 1..].first_chunk::<{ LANE + 2 }>() {
        if let Some(dot) = first_of(at, signs(lane)) {
            return Some(dot);
        }
        at += LANE;
    }
    let mut lane = [0; LANE + 2];
    lane[..LANE].copy_from_slice(bytemuck::bytes_of(&sixteen_bytes(text, at - 1)));
    lane[LANE] = text.get(at - 1 + LANE).copied().unwrap_or_default();
    // Nothing comes after the last byte.
    let known = text.len().saturating_sub(at + 1);
    first_of(at, signs(&lane) & ((1 << known) - 1))
}

/// Bytes that are looked at together.
const LANE: usize = 16;

/// Bits of the bytes between the first and the last that a dot of a host may begin with, the first in the lowest bit.
/// Most dots are full stops, and are none of these.
#[inline(always)]
fn signs(lane: &[u8; LANE + 2]) -> u32 {
    let [before, inner @ .., after] = lane;
    let bytes: i8x16 = bytemuck::cast(*inner);
    let (before, after) = (*before, *after);
    let is = |byte: u8| bytes.simd_eq(i8x16::splat(byte.cast_signed()));
    let small = bytes | i8x16::splat(0x20);
    let is_letter = |letter: u8| small.simd_eq(i8x16::splat(letter.cast_signed())).to_bitmask();
    // The same bits a place on or back, what stands outside being known.
    let after_one = |bits: u32, byte: u8| bits << 1 | u32::from(before == byte);
    let before_one = |bits: u32, byte: u8| bits >> 1 | u32::from(after == byte) << (LANE - 1);
    // Bits of what may come one or two places on, where nobody looked.
    const NEXT: u32 = 1 << (LANE - 1);
    const NEXT_TWO: u32 = 3 << (LANE - 2);

    let (dots, spaces) = (is(b'.').to_bitmask(), is(b' ').to_bitmask());
    let (after_space, before_space) = (after_one(spaces, b' '), before_one(spaces, b' '));
    let stops = after_one(dots, b'.') | before_one(dots, b'.') | (after_space ^ before_space);
    let d = is_letter(b'd');
    let words = d & after_space & (is_letter(b'o') >> 1 | NEXT) & (is_letter(b't') >> 2 | NEXT_TWO);
    let brackets = (is(b'[') | is(b'(')).to_bitmask() & ((dots | d) >> 1 | NEXT);
    let mut signs = dots & !stops | words | brackets;
    if bytes.to_bitmask() != 0 {
        let first = is(0xE2) | is(0xE3) | is(0xE7) | is(0xEF);
        let last = is(0x82) | is(0x8E) | is(0xA1) | is(0xA4) | is(0xB9);
        signs |= first.to_bitmask() & (last.to_bitmask() >> 2 | NEXT_TWO);
    }
    signs
}

/// The dot at `at`, spaces before it included.
fn dot_at(text: &[u8], at: usize) -> Option<Dot> {
    let spaces = usize::from(text.get(at) == Some(&b' '));
    dot_sign(text, at + spaces).filter(|dot| dot.start == at)
}

/// The dot whose sign is at `at`. With spaces on both sides they belong to it; on one side it is a full
/// stop.
fn dot_sign(text: &[u8], at: usize) -> Option<Dot> {
    let rest = text.get(at..)?;
    let is = |sign: &str| rest.len() >= sign.len() && rest[..sign.len()].eq_ignore_ascii_case(sign.as_bytes());
    let (length, hidden) = match rest.first()? {
        b'.' => (1, false),
        b'[' | b'(' => {
            let signs = ["[.]", "(.)", "[dot]", "(dot)"];
            (signs.iter().find(|sign| is(sign))?.len(), true)
        }
        b'd' | b'D' if is("dot") && at > 0 && text[at - 1] == b' ' => (3, true),
        0xE2 if is("․") => (3, true),
        0xE3 if is("。") => (3, true),
        0xE7 if is("点") => (3, true),
        0xEF if is("．") || is("｡") => (3, true),
        _ => return None,
    };
    let end = at + length;
    let space_before = at > 0 && text[at - 1] == b' ';
    match (space_before, text.get(end)?) {
        (true, b' ') => Some(Dot { start: at - 1, end: end + 1, hidden: true, apart: true }),
        (true, _) | (_, b' ' | b'.') => None,
        // A full stop of Chinese is a dot only between letters of hosts.
        (false, next)
            if length == 3
                && (*next >= 0xE3 || at == 0 || text[at - 1] >= 0x80)
                && *rest.first()? != 0xE2
                && *next < 0xEF =>
        {
            (*next < 0x80 && at > 0 && text[at - 1] < 0x80).then_some(Dot { start: at, end, hidden, apart: false })
        }
        _ => Some(Dot { start: at, end, hidden, apart: false }),
    }
}

/// What a character is in a host.
enum HostCharacter {
    Is(char),
    /// Invisible.
    Nothing,
    End,
}

fn host_character(code: u32) -> HostCharacter {
    let folded = match (code, symbol(code)) {
        (0x2D | 0x5F, _) => code,
        (_, IGNORABLE) => return HostCharacter::Nothing,
        (_, SEPARATOR) => return HostCharacter::End,
        (_, class) => {
            let place = u32::from(class) - u32::from(CLASS_FIRST_LETTER);
            match place {
                0..26 => place + u32::from(b'a'),
                26..36 => place - 26 + u32::from(b'0'),
                _ => letter(code).0,
            }
        }
    };
    char::from_u32(folded).map_or(HostCharacter::End, HostCharacter::Is)
}

/// Appends a character of a host in small letters and usual width, and otherwise as it is.
fn push_unread(unread: &mut String, code: u32) {
    if let HostCharacter::Is(_) = host_character(code) {
        let (read, took) = letter(code);
        let code = if took == Evidence::default() { read } else { code };
        unread.extend(char::from_u32(code).into_iter().flat_map(char::to_lowercase));
    }
}

/// Where the label that ends at `end` begins; `None` if none does.
fn label_start(text: &[u8], from: usize, end: usize) -> Option<usize> {
    let (mut start, mut kind) = (end, None);
    for _ in 0..LABEL_CHARACTERS_MAX {
        let Some((code, at)) = decode_before(text, start).filter(|&(_, at)| at >= from) else { break };
        match host_character(code) {
            HostCharacter::End => break,
            HostCharacter::Nothing => {}
            HostCharacter::Is(_) => {
                let is_han = script(code) == Script::Unspaced;
                if *kind.get_or_insert(is_han) != is_han {
                    break;
                }
            }
        }
        start = at;
    }
    (start < end).then_some(start)
}

/// Where the scheme before a host begins: `http://` in all its spellings.
fn scheme_start(text: &[u8], host: usize) -> Option<usize> {
    // It ends with a stroke, if one of another script.
    if !matches!(text[..host].last()?, b'/' | b'\\' | 0x80..) {
        return None;
    }
    let (mut at, mut slashes, mut colons) = (host, 0, 0);
    while let Some((code, before)) = decode_before(text, at).filter(|_| host - at < 16) {
        match char::from_u32(code) {
            Some('/' | '∕' | '／' | '⁄' | '\\') if colons == 0 => slashes += 1,
            Some(':' | '：' | '∶') if slashes > 0 => colons += 1,
            Some(' ') if slashes > 0 => {}
            _ => break,
        }
        at = before;
    }
    if slashes == 0 || colons != 1 {
        return None;
    }
    let start = label_start(text, 0, at)?;
    let mut name = [0u8; 5];
    let mut length = 0;
    let mut place = start;
    while place < at {
        let (code, bytes) = decode(&text[place..]);
        place += bytes;
        if let HostCharacter::Is(char) = host_character(code) {
            *name.get_mut(length)? = u8::try_from(char).ok()?;
            length += 1;
        }
    }
    [&b"http"[..], b"https", b"hxxp", b"hxxps", b"ftp"].contains(&&name[..length]).then_some(start)
}

/// What follows a host and belongs to its link, a port aside, and where it ends.
fn path(text: &[u8], at: usize) -> (&[u8], usize) {
    let rest = &text[at..];
    let port = match rest {
        [b':', digits @ ..] => 1 + digits.iter().take(5).take_while(|byte| byte.is_ascii_digit()).count(),
        _ => 0,
    };
    let begins = |rest: &[u8]| {
        let (code, _) = decode(rest);
        matches!(char::from_u32(code), Some('/' | '?' | '∕' | '／' | '⁄')) && !rest.is_empty()
    };
    if !begins(&rest[port..]) {
        return (&[], at);
    }
    let stops =
        |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'<' | b'>' | b')' | b']' | 0xE4..=0xE9);
    let rest = &rest[port..];
    let length = rest.iter().take(PATH_BYTES_MAX).position(stops).unwrap_or(rest.len().min(PATH_BYTES_MAX));
    (&rest[..length], at + port + length)
}

/// Decodes a label after its `xn--` (RFC 3492). `None` if it is none.
fn punycode(label: &[char]) -> Option<Vec<char>> {
    const BASE: u32 = 36;
    let (basic, encoded) = match label.iter().rposition(|&char| char == '-') {
        Some(at) => (&label[..at], &label[at + 1..]),
        None => (&label[..0], label),
    };
    let mut output: Vec<char> = basic.to_vec();
    let (mut code, mut place, mut bias) = (128u32, 0u32, 72u32);
    let mut encoded = encoded.iter();
    let mut is_first = true;
    while encoded.len() > 0 {
        let before = place;
        let (mut weight, mut step) = (1u32, BASE);
        loop {
            let digit = match *encoded.next()? {
                letter @ 'a'..='z' => letter as u32 - 'a' as u32,
                digit @ '0'..='9' => digit as u32 - '0' as u32 + 26,
                _ => return None,
            };
            place = place.checked_add(digit.checked_mul(weight)?)?;
            let threshold = step.saturating_sub(bias).clamp(1, 26);
            if digit < threshold {
                break;
            }
            weight = weight.checked_mul(BASE - threshold)?;
            step += BASE;
        }
        let count = output.len() as u32 + 1;
        let mut delta = (place - before) / if is_first { 700 } else { 2 };
        is_first = false;
        delta += delta / count;
        let mut shift = 0;
        while delta > 455 {
            delta /= BASE - 1;
            shift += BASE;
        }
        bias = shift + 36 * delta / (delta + 38);
        code = code.checked_add(place / count)?;
        place %= count;
        output.insert(place as usize, char::from_u32(code)?);
        place += 1;
    }
    Some(output)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn hosts(text: &str) -> Vec<String> {
        let mut hosts = Vec::new();
        LinkFinder::default().find(text.as_bytes(), |link| {
            if link.signals.contains(Signal::Link) {
                hosts.push(link.host.into());
            }
        });
        hosts
    }

    #[test]
    fn one_host_in_every_spelling() {
        for text in [
            "go to http://example-bank.com/login now",
            "hxxp://example-bank[.]com/login",
            "http://example-bank(dot)com/login",
            "http://example-bank dot com/login",
            "http://example-bank点com/login",
            "http://example-bank。com/login",
            "ｈｔｔｐ://ｅｘａｍｐｌｅ-ｂａｎｋ.ｃｏｍ/ｌｏｇｉｎ",
            "http://example-bank．com/login",
            "h\u{200B}ttp://e\u{200B}xam\u{200B}ple-bank.c\u{200B}om/login",
            "http://example-bank\u{200B}.\u{200B}com/login",
            "http: /  / example-bank . com / login",
            "httр://ехаmрlе-bаnк.соm/lоgіn",
            "请看example-bank.com查看",
            "HTTP://EXAMPLE-BANK.COM:8080/x",
        ] {
            assert_eq!(hosts(text), vec!["example-bank.com"], "{text}");
        }
        assert_eq!(hosts("www。prize-claim。net"), vec!["www.prize-claim.net"]);
        assert_eq!(hosts("at prize-claim.netNOW"), vec!["prize-claim.netnow"]);
        assert_eq!(hosts("secure dot paypa1-help dot com"), vec!["secure.paypa1-help.com"]);
        assert_eq!(hosts("t.me/group, wa . me / 15551234567"), vec!["t.me"]);
        assert_eq!(hosts("http://xn--80ak6aa92e.com/"), vec!["apple.com"]);
    }

    #[test]
    fn sentences_are_no_links() {
        for text in [
            "ok...lar",
            "See you.me too",
            "at 5.30 or so",
            "你好。我是",
            "Mr . Smith dot",
            "a.b",
            "no.it is",
            "v1.2.3",
            "ok.SeeYou",
            "he.toMorrow",
        ] {
            assert_eq!(hosts(text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn plain_hosts_are_read_as_any() {
        let parts = [
            "a",
            "B7",
            "-",
            "_",
            "x-y",
            ".",
            ".",
            " ",
            "/",
            "@",
            ":",
            "[",
            "dot",
            "xn--",
            "é",
            "\u{200B}",
            "(",
            "!",
            "\t",
            "com",
            "label-of-sixty-three-letters-label-of-sixty-three-letters-labels",
            "0123456789",
        ];
        let (mut random, mut plain) = (7u64, 0);
        for _ in 0..20_000 {
            let text: String = (0..12)
                .map(|_| {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    parts[(random >> 33) as usize % parts.len()]
                })
                .collect();
            let text = if random >> 60 == 0 { text.repeat(40) } else { text };
            let bytes = text.as_bytes();
            let dots =
                bytes.iter().enumerate().filter(|(_, byte)| **byte == b'.').filter_map(|(at, _)| dot_sign(bytes, at));
            for dot in dots {
                let Some(found) = plain_host(bytes, 0, dot) else { continue };
                let mut finder = LinkFinder::default();
                let any = finder.any_host(bytes, 0, dot);
                let seen = |found: &Found| (found.start, found.end, found.labels, found.hidden, found.apart);
                assert_eq!(Some(&found).filter(|found| found.labels > 1).map(seen), any.as_ref().map(seen), "{text}");
                if any.is_some() {
                    assert_eq!(finder.host, text[found.start..found.end].to_ascii_lowercase());
                    plain += 1;
                }
            }
        }
        assert!(plain > 1000, "{plain}");
        // However many labels follow, a look at one dot is bounded.
        let endless = "a.".repeat(1 << 16);
        assert!(plain_host(endless.as_bytes(), 0, dot_sign(endless.as_bytes(), 1).expect("a dot")).is_none());
    }

    #[test]
    fn lists_are_sorted() {
        for list in [KNOWN, CHEAP, SHORTENERS, WORDS, CHATS] {
            assert!(list.is_sorted());
        }
    }

    #[test]
    fn any_bytes_are_read() {
        let mut finder = LinkFinder::default();
        for text in
            [&b"."[..], b"..", b"a.\xFF", b"\xE3\x80", b"a.b.c.d.e.f.g.h", b"xn--.xn--", b"xn--a-\xC3.com", b" . "]
        {
            finder.find(text, |_| {});
        }
    }
}
