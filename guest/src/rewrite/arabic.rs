//! Arabic words with digits or Latin letters among theirs, which look or sound like those.

use crate::fold::{decode, decode_before};

/// Digits that stand for Arabic letters they look like, and with an apostrophe for others.
const ARABIC_DIGITS: [(char, char, char); 7] = [
    ('2', 'ق', 'ق'),
    ('3', 'ع', 'غ'),
    ('5', 'خ', 'خ'),
    ('6', 'ط', 'ظ'),
    ('7', 'ح', 'خ'),
    ('8', 'غ', 'غ'),
    ('9', 'ص', 'ض'),
];

/// Arabic letters that letters from b on sound like; `_` for those that sound like none or several.
const ARABIC_SOUNDS: &str = "ب_د_فجه_جكلمنو_قرست__و_يز";

pub(super) fn is_arabic(code: u32) -> bool {
    matches!(code, 0x620..=0x64A | 0x671..=0x6D3)
}

/// The Arabic letter for a digit beside Arabic letters, and how long it is with its apostrophe.
pub(super) fn arabic_letter(text: &[u8], at: usize, digit: char) -> Option<(char, usize)> {
    let before = decode_before(text, at).map(|(code, _)| code);
    let after = |from: usize| text.get(from..).filter(|rest| !rest.is_empty()).map(|rest| decode(rest).0);
    let next = after(at + 1);
    let &(_, plain, marked) = ARABIC_DIGITS.iter().find(|(of, ..)| *of == digit)?;
    let is_alone = ![before, next].into_iter().flatten().any(|code| char::from_u32(code).is_some_and(char::is_numeric));
    let is_marked = next == Some('\''.into()) && after(at + 2).is_some_and(is_arabic);
    let (letter, length) = if is_marked { (marked, 2) } else { (plain, 1) };
    let touches = is_marked || [before, next].into_iter().flatten().any(is_arabic);
    (is_alone && touches).then_some((letter, length))
}

/// The Arabic letter for a Latin one between two Arabic letters.
pub(super) fn arabic_of_latin(text: &[u8], at: usize, letter: char) -> Option<char> {
    let sound = ARABIC_SOUNDS.chars().nth((letter as usize).checked_sub('b' as usize)?)?;
    let is_between = sound != '_'
        && decode_before(text, at).is_some_and(|(code, _)| is_arabic(code))
        && text.get(at + 1..).is_some_and(|rest| !rest.is_empty() && is_arabic(decode(rest).0));
    is_between.then_some(sound)
}
