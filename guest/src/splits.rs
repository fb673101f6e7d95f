//! Han characters that are typed in their parts, one after the other: 言 and 寸 for 讨 with its radical, so that
//! no filter knows it. Not for finding where a text may have such: that is told by parts that hardly stand by
//! themselves.
//!
//! `splits.bin` is written by `guest/tables`, which says what is in it.

use crate::fold::{Script, decode, script};

/// Most parts of a character.
const PARTS_MAX: usize = 4;

static TABLE: &[u8] = include_bytes!("splits.bin");
const RARE_N: usize = number(0) as usize;
const STEPS_N: usize = number(1) as usize;
const STEPS_AT: usize = 2 + RARE_N;

/// Keys of steps, ascending, and what each makes.
static STEPS: [(u32, u16); STEPS_N] = {
    let mut steps = [(0, 0); STEPS_N];
    let mut step = 0;
    while step < STEPS_N {
        let at = STEPS_AT + 3 * step;
        steps[step] = ((number(at) as u32) << 16 | number(at + 1) as u32, number(at + 2));
        step += 1;
    }
    steps
};

const fn number(at: usize) -> u16 {
    u16::from_le_bytes([TABLE[2 * at], TABLE[2 * at + 1]])
}

/// Parts that hardly stand by themselves, as codes of Han characters: how many there are, and each.
pub(crate) const RARE_PARTS_COUNT: usize = RARE_N;
pub(crate) const fn rare_part(at: usize) -> u16 {
    number(2 + at)
}

/// One bit for each Han character from U+4E00 on.
pub(crate) const HAN_BITS: usize = 0x5200 / 64;

/// The characters that parts of others begin with.
static BEGINS: [u64; HAN_BITS] = {
    let mut bits = [0; HAN_BITS];
    let mut step = 0;
    while step < STEPS_N {
        let first = number(STEPS_AT + 3 * step) as usize;
        if first >= 0x4E00 && first < 0xA000 {
            bits[(first - 0x4E00) / 64] |= 1 << (first % 64);
        }
        step += 1;
    }
    bits
};

/// The character whose parts stand at the start of a text, and how long they are; of several the one with the
/// most parts. `first` is the character there, of three bytes.
pub(crate) fn compose(rest: &[u8], first: u32) -> Option<(char, usize)> {
    let bit = first.wrapping_sub(0x4E00) as usize;
    if BEGINS.get(bit / 64).is_none_or(|bits| bits >> (bit % 64) & 1 == 0) {
        return None;
    }
    let mut found = None;
    let (mut so_far, mut length) = (first, 3);
    for _ in 1..PARTS_MAX {
        let (part, part_length) = decode(rest.get(length..)?);
        let key = so_far << 16 | u32::from(u16::try_from(part).unwrap_or_default());
        let Ok(step) = STEPS.binary_search_by_key(&key, |&(key, _)| key) else { break };
        so_far = STEPS[step].1.into();
        length += part_length;
        if script(so_far) == Script::Unspaced {
            found = char::from_u32(so_far).map(|whole| (whole, length));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_make_characters() {
        for (parts, whole, length) in [("亻言", '信', 6), ("士示欠。", '款', 9), ("辶反", '返', 6), ("反辶", '返', 6)]
        {
            let first = decode(parts.as_bytes()).0;
            assert_eq!(compose(parts.as_bytes(), first), Some((whole, length)), "{parts}");
        }
        for plain in ["信", "亻", "亻a", "一二", "十一"] {
            assert_eq!(compose(plain.as_bytes(), decode(plain.as_bytes()).0), None, "{plain}");
        }
    }
}
