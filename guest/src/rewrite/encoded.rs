//! What programs resolve before a reader sees it: entities, percent signs, escapes, tags, base64; and letters drawn with
//! strokes.

use crate::fold::{self, decode};

/// Longest tag that is left out, in bytes.
const TAG_BYTES_MAX: usize = 128;

/// Entities by name that matter within words.
const ENTITIES: [(&[u8], char); 8] = [
    (b"amp;", '&'),
    (b"lt;", '<'),
    (b"gt;", '>'),
    (b"nbsp;", '\u{A0}'),
    (b"shy;", '\u{AD}'),
    (b"zwj;", '\u{200D}'),
    (b"zwnj;", '\u{200C}'),
    (b"apos;", '\''),
];

/// Shortest text in base64 that is read, in its characters.
const BASE64_MIN: usize = 8;

/// Longest text in base64 that is read, in its characters.
pub(super) const BASE64_MAX: usize = 4096;

/// The character of an entity, and how long it is: `&#97;`, `&#x61;`, `&amp;`.
pub(super) fn entity(rest: &[u8]) -> Option<(char, usize)> {
    let (digits_at, radix) = match rest {
        [b'&', b'#', b'x' | b'X', ..] => (3, 16),
        [b'&', b'#', ..] => (2, 10),
        _ => {
            let (name, char) = ENTITIES.iter().find(|(name, _)| rest[1..].starts_with(name))?;
            return Some((*char, 1 + name.len()));
        }
    };
    let digits = rest[digits_at..].iter().take(8).take_while(|byte| char::from(**byte).is_digit(radix)).count();
    let char = char::from_u32(value(&rest[digits_at..digits_at + digits], radix)?)?;
    let has_end = rest.get(digits_at + digits) == Some(&b';');
    Some((char, digits_at + digits + usize::from(has_end)))
}

/// The character of an escape: `\u0061`, `\x61`, `\n`.
pub(super) fn escape(rest: &[u8]) -> Option<(char, usize)> {
    let length = match rest {
        [b'\\', b'u', ..] => 4,
        [b'\\', b'x', ..] => 2,
        [b'\\', b'n' | b'r' | b't', ..] => return Some((' ', 2)),
        _ => return None,
    };
    let char = char::from_u32(value(rest.get(2..2 + length)?, 16)?)?;
    Some((char, 2 + length))
}

/// The letter drawn with several signs, and how many they are.
pub(super) fn drawn(rest: &[u8]) -> Option<(char, usize)> {
    match rest {
        [b'\\', b'/', ..] => Some(('v', 2)),
        [b'/', b'\\', ..] => Some(('a', 2)),
        [b'|', b'_', b'|', ..] => Some(('u', 3)),
        [b'|', b'\\', b'|', ..] => Some(('n', 3)),
        [b'|', b'-', b'|', ..] => Some(('h', 3)),
        [b'|', b'<', ..] => Some(('k', 2)),
        [b'|', b')', ..] => Some(('d', 2)),
        // Before a sign it is a call in some program.
        [b'(', b')'] => Some(('o', 2)),
        [b'(', b')', after, ..] if after.is_ascii_alphanumeric() || b" \n(".contains(after) => Some(('o', 2)),
        _ => None,
    }
}

/// Tags that part lines, and so words.
const LINE_TAGS: [&[u8]; 14] =
    [b"br", b"p", b"div", b"li", b"tr", b"td", b"th", b"hr", b"h1", b"h2", b"h3", b"h4", b"ul", b"ol"];

/// The length of the tag or comment at the start, 0 if there is none, and whether it parts words.
pub(super) fn tag(rest: &[u8]) -> (usize, bool) {
    if rest.starts_with(b"<!--") {
        let end = rest[..rest.len().min(TAG_BYTES_MAX)].array_windows().position(|three| three == b"-->");
        return (end.map_or(0, |end| end + 3), false);
    }
    let ([b'<', b'/', name @ ..] | [b'<', name @ ..]) = rest else { return (0, false) };
    let letters = name.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    if !name.first().is_some_and(u8::is_ascii_alphabetic) {
        return (0, false);
    }
    let length = rest.iter().take(TAG_BYTES_MAX).position(|&byte| byte == b'>').map_or(0, |end| end + 1);
    (length, LINE_TAGS.iter().any(|tag| name[..letters].eq_ignore_ascii_case(tag)))
}

pub(super) fn value(digits: &[u8], radix: u32) -> Option<u32> {
    let add = |value: u32, digit: u8| value.checked_mul(radix)?.checked_add(char::from(digit).to_digit(radix)?);
    (!digits.is_empty()).then(|| digits.iter().try_fold(0, |so_far, &digit| add(so_far, digit)))?
}

pub(super) fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')
}

/// How long the word at the start is, its padding left out.
pub(super) fn base64_length(rest: &[u8]) -> usize {
    rest.iter().take(BASE64_MAX + 1).take_while(|&&byte| is_base64(byte)).count()
}

/// Whether a word may be text in base64: long enough, of both cases, and beginning with what shows.
pub(super) fn is_packed(word: &[u8]) -> bool {
    let has = |of: fn(&u8) -> bool| word.iter().any(of);
    let begins = word.first_chunk::<4>().is_some_and(|four| {
        let bits = four.iter().fold(0u32, |bits, &byte| bits << 6 | base64_value(byte));
        bits.to_be_bytes()[1..].iter().all(|&byte| byte >= b' ')
    });
    (BASE64_MIN..=BASE64_MAX).contains(&word.len())
        && begins
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_uppercase)
}

pub(super) fn base64_value(byte: u8) -> u32 {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    value.into()
}

/// The length of a plus sign before Han or before what is added as a contact, where it stands for a word.
pub(super) fn adds(rest: &[u8]) -> Option<usize> {
    let (_, length) = decode(rest);
    let (next, _) = decode(rest.get(length..).filter(|rest| !rest.is_empty())?);
    let is_contact = matches!(char::from_u32(fold::letter(next).0), Some('q' | 'v' | 'w'));
    (is_contact || (0x4E00..0xA000).contains(&next)).then_some(length)
}
