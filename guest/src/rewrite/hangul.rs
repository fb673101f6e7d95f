//! Hangul letters written one after the other, put together to syllables.

use crate::fold::decode;

/// The Hangul syllable at the start of a text that is written in its parts, and how long that is.
pub(super) fn syllable(rest: &[u8]) -> Option<(char, usize)> {
    let (first, mut length) = decode(rest);
    let lead = lead_consonant(first)?;
    let (second, second_length) = decode(&rest[length..]);
    let vowel = vowel(second)?;
    length += second_length;
    let (third, third_length) = decode(rest.get(length..)?);
    let mut tail = 0;
    if let Some(number) = tail_consonant(third) {
        let (after, _) = decode(rest.get(length + third_length..)?);
        // A consonant before a vowel begins the next syllable.
        let begins_next = (0x3131..=0x314E).contains(&third) && self::vowel(after).is_some();
        if !begins_next {
            tail = number;
            length += third_length;
        }
    }
    // The Unicode Standard, 3.12: composition of Hangul.
    let syllable = char::from_u32(0xAC00 + (lead * 21 + vowel) * 28 + tail)?;
    Some((syllable, length))
}

/// Consonants in the order of the Korean alphabet's compatibility block, as numbers of lead consonants.
fn lead_consonant(code: u32) -> Option<u32> {
    const COMPATIBLE: [u32; 19] = [
        0x3131, 0x3132, 0x3134, 0x3137, 0x3138, 0x3139, 0x3141, 0x3142, 0x3143, 0x3145, 0x3146, 0x3147, 0x3148, 0x3149,
        0x314A, 0x314B, 0x314C, 0x314D, 0x314E,
    ];
    match code {
        0x1100..=0x1112 => Some(code - 0x1100),
        _ => COMPATIBLE.iter().position(|&letter| letter == code).map(|position| position as u32),
    }
}

fn vowel(code: u32) -> Option<u32> {
    match code {
        0x1161..=0x1175 => Some(code - 0x1161),
        0x314F..=0x3163 => Some(code - 0x314F),
        _ => None,
    }
}

fn tail_consonant(code: u32) -> Option<u32> {
    const COMPATIBLE: [u32; 27] = [
        0x3131, 0x3132, 0x3133, 0x3134, 0x3135, 0x3136, 0x3137, 0x3139, 0x313A, 0x313B, 0x313C, 0x313D, 0x313E, 0x313F,
        0x3140, 0x3141, 0x3142, 0x3144, 0x3145, 0x3146, 0x3147, 0x3148, 0x314A, 0x314B, 0x314C, 0x314D, 0x314E,
    ];
    match code {
        0x11A8..=0x11C2 => Some(code - 0x11A7),
        _ => COMPATIBLE.iter().position(|&letter| letter == code).map(|position| position as u32 + 1),
    }
}
