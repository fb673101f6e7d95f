//! A capital I that is a small L, and the other way round: in most type they look the same. Only the case of the other
//! letters of the word tells: `paypaI`, `VlAGRA`. Not for letters of other alphabets; those are in
//! [`alphabets`](crate::alphabets).

/// Letters on either side that are looked at.
const AROUND_MAX: usize = 24;
/// Fewest letters of the other case.
const OTHERS_MIN: usize = 2;

/// The letter that the one at `at` is drawn as: one within a word whose others are all of the other case, but that it may
/// begin with a capital.
pub(crate) fn mistaken(text: &[u8], at: usize) -> Option<char> {
    let (is_other, meant): (fn(&u8) -> bool, char) = match text[at] {
        b'I' => (u8::is_ascii_lowercase, 'l'),
        b'l' => (u8::is_ascii_uppercase, 'I'),
        _ => return None,
    };
    let before = text[..at].iter().rev().take(AROUND_MAX).take_while(|byte| byte.is_ascii_alphabetic());
    let after = text[at + 1..].iter().take(AROUND_MAX).take_while(|byte| byte.is_ascii_alphabetic());
    let (mut letters, mut others) = (0, 0);
    for letter in before {
        // One that is of the same case must be the first of the word.
        if letters > others {
            return None;
        }
        letters += 1;
        others += usize::from(is_other(letter));
    }
    let (begins_with_capital, has_before) = (letters > others, letters > 0);
    let mut is_last = true;
    for letter in after {
        if !is_other(letter) {
            return None;
        }
        others += 1;
        is_last = false;
    }
    let goes_on = is_last && text.get(at + 1).is_some_and(u8::is_ascii_digit);
    let may_stand_here = match meant {
        'l' => !goes_on,
        _ => !is_last && !begins_with_capital,
    };
    (has_before && may_stand_here && others >= OTHERS_MIN).then_some(meant)
}
