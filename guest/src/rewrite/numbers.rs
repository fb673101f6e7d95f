//! Numbers of the second reading: Han digits, digits of any script, letters among digits. Not for what digits stand for
//! within words; that is in [`leet`](crate::leet).

use super::is_letter;
use crate::fold::{self, CLASS_FIRST_DIGIT, Script, decode, decode_before, script, symbol};

/// A run of so many digits of any kind is a number, and no list of them.
const NUMBER_DIGITS_MIN: usize = 5;

/// How far is looked for the digits around one.
const NUMBER_DIGITS_SEEN: usize = 12;

/// With letters for digits, or parted by spaces, it is a number if it has so many, and so many of them are digits.
pub(super) const LONG_NUMBER_DIGITS_MIN: usize = 7;

const LONG_NUMBER_PLAIN_MIN: usize = 2;

/// Longest such number, in characters.
pub(super) const LONG_NUMBER_MAX: usize = 32;

/// Letters that stand for digits within numbers, by the digit.
const DIGIT_LETTERS: [&str; 10] = ["OoQD", "IlLi", "Zz", "", "A", "Ss", "bG", "T", "B", "gq"];

/// The digit that an ASCII character is or may stand for within a number; 0 for none.
static ASCII_DIGITS: [u8; 0x80] = {
    let mut digits = [0; 0x80];
    let mut digit = 0;
    while digit < 10 {
        digits[b'0' as usize + digit] = b'0' + digit as u8;
        let letters = DIGIT_LETTERS[digit].as_bytes();
        let mut at = 0;
        while at < letters.len() {
            digits[letters[at] as usize] = b'0' + digit as u8;
            at += 1;
        }
        digit += 1;
    }
    digits
};

/// The digit that a character is, or that it may stand for within a number.
pub(super) fn digit_like(code: u32) -> Option<char> {
    match ASCII_DIGITS.get(code as usize) {
        Some(0) => None,
        Some(&digit) => Some(digit.into()),
        None => plain_digit(char::from_u32(code)?),
    }
}

/// Whether a letter or digit touches the character at `at` from before.
pub(super) fn touches_letter(text: &[u8], at: usize) -> bool {
    decode_before(text, at)
        .is_some_and(|(code, _)| is_letter(code) && script(code) != Script::Unspaced || digit_like(code).is_some())
}

/// Where the long number at `at` ends that has letters for digits, or is parted; `None` if there is none.
pub(super) fn number(text: &[u8], at: usize) -> Option<usize> {
    let (end, digits, plain) = number_end(text, at);
    let has_others =
        text[at..end].iter().any(|byte| !matches!(byte, b'0'..=b'9' | b' ' | b'-' | b'.' | b'/' | b'(' | b')'));
    (digits >= LONG_NUMBER_DIGITS_MIN && plain >= LONG_NUMBER_PLAIN_MIN && has_others).then_some(end)
}

/// Where what may be a number ends, how many digits it has, and how many of them are no letters.
pub(super) fn number_end(text: &[u8], start: usize) -> (usize, usize, usize) {
    let (mut digits, mut plain) = (0, 0);
    // What there is up to the last separator: a word that goes on with other letters is none of it.
    let mut known = (start, 0, 0);
    let mut at = start;
    for _ in 0..LONG_NUMBER_MAX {
        let (code, length) = if at < text.len() { decode(&text[at..]) } else { (u32::from(' '), 0) };
        match char::from_u32(code) {
            _ if length > 0 && digit_like(code).is_some() => {
                digits += 1;
                plain += usize::from(!(code < 0x80 && (code as u8).is_ascii_alphabetic()));
            }
            Some(' ' | '-' | '.' | '/' | '(' | ')') if digits > known.1 => {
                known = (at, digits, plain);
                if length == 0 {
                    break;
                }
            }
            Some(_) if is_letter(code) && script(code) != Script::Unspaced => break,
            _ => {
                if digits > known.1 {
                    known = (at, digits, plain);
                }
                break;
            }
        }
        at += length;
    }
    known
}

/// Where the number around `at` may begin.
pub(super) fn number_start(text: &[u8], at: usize) -> usize {
    let is_part = |byte: &&u8| digit_like((**byte).into()).is_some() || matches!(byte, b' ' | b'-' | b'.' | b'/');
    let start = at - text[..at].iter().rev().take(LONG_NUMBER_MAX).take_while(is_part).count();
    let token = text[start..at].iter().position(|&byte| digit_like(byte.into()).is_some());
    let start = start + token.unwrap_or(at - start);
    if !touches_letter(text, start) {
        return start;
    }
    // A word goes over into it: it begins after that.
    let rest = &text[start..at];
    rest.iter().position(|&byte| digit_like(byte.into()).is_none()).map_or(at, |gap| start + gap + 1)
}

/// The plain digit for one in another form, or for the letter O.
pub(super) fn plain_digit(char: char) -> Option<char> {
    if matches!(char, 'O' | 'o') {
        return Some('0');
    }
    if ('\u{3007}'..='\u{D7FF}').contains(&char) {
        return han_digit(char);
    }
    // Letters may be of the class of a digit that they look like.
    let class = symbol(char.into()).wrapping_sub(CLASS_FIRST_DIGIT.into());
    if class < 10 { char::from_u32(fold::letter(char as u32).0).filter(char::is_ascii_digit) } else { None }
}

/// The digit that a Han character is: plain, as in documents, or in other ways.
pub(super) const fn han_digit(char: char) -> Option<char> {
    Some(match char {
        '零' | '〇' => '0',
        '一' | '壹' | '幺' => '1',
        '二' | '贰' | '两' => '2',
        '三' | '叁' => '3',
        '四' | '肆' => '4',
        '五' | '伍' => '5',
        '六' | '陆' => '6',
        '七' | '柒' => '7',
        '八' | '捌' => '8',
        '九' | '玖' => '9',
        _ => return None,
    })
}

/// Whether the character at `at` is one of at least five digits of any form in a row.
pub(super) fn is_in_number(text: &[u8], at: usize) -> bool {
    let is_digit = |code: u32| char::from_u32(code).is_some_and(|c| plain_digit(c).is_some() || c.is_ascii_digit());
    let mut digits = 0;
    let mut end = at;
    for _ in 0..NUMBER_DIGITS_SEEN {
        let (code, length) = decode(&text[end..]);
        if end >= text.len() || !is_digit(code) {
            break;
        }
        digits += 1;
        end += length;
    }
    let mut start = at;
    for _ in 0..NUMBER_DIGITS_SEEN {
        let Some((_, before)) = decode_before(text, start).filter(|&(code, _)| is_digit(code)) else { break };
        digits += 1;
        start = before;
    }
    digits >= NUMBER_DIGITS_MIN
}
