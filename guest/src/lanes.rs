//! What kinds of ASCII characters stand where in a text, as bits: sixteen bytes are looked at together. Bytes of other
//! characters are none of these kinds.

use alloc::vec::Vec;

use wide::i8x16;

/// Bits of 64 bytes of text, the first byte in the lowest bit.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Bits {
    pub(crate) letters: u64,
    pub(crate) digits: u64,
    /// Where something else begins: letters, digits, what is neither, upper case after lower.
    pub(crate) edges: u64,
    /// Where a capital I may be a small L, or a small L a capital I, by the case of what is around; the last byte may
    /// be told without.
    pub(crate) mistaken: u64,
}

/// Bytes that one element of bits tells about.
pub(crate) const BLOCK: usize = 64;

/// What is known of the block before.
#[derive(Clone, Copy, Default)]
struct Before {
    letters: u64,
    digits: u64,
    lower: u64,
}

/// The last byte of a block.
const LAST: u64 = 1 << 63;

/// Bytes that are looked at together.
const LANE: usize = 16;

/// Reads the bits of a text. What is beyond the end is no letter or digit.
#[inline(never)]
pub(crate) fn read(text: &[u8], bits: &mut Vec<Bits>) {
    bits.clear();
    let (blocks, rest) = text.as_chunks::<BLOCK>();
    let mut before = Before::default();
    for block in blocks {
        let (lanes, _) = block.as_chunks();
        let mut kinds = Kinds::default();
        for (number, &lane) in lanes.iter().enumerate() {
            kinds.add(lane, LANE * number);
        }
        bits.push(kinds.bits(&mut before));
    }
    if !rest.is_empty() {
        let mut kinds = Kinds::default();
        for at in (0..rest.len()).step_by(LANE) {
            kinds.add(bytemuck::cast([eight_bytes(rest, at), eight_bytes(rest, at + 8)]), at);
        }
        bits.push(kinds.bits(&mut before));
    }
}

/// Eight bytes of a text as a little-endian number, zeros beyond its end.
#[inline(always)]
pub(crate) fn eight_bytes(text: &[u8], at: usize) -> u64 {
    match text.get(at..).and_then(|rest| rest.first_chunk()) {
        Some(eight) => u64::from_le_bytes(*eight),
        None => last_bytes(text, at),
    }
}

/// Sixteen bytes of a text, zeros beyond its end. The same steps wherever the end is, which a processor cannot foresee.
#[inline(always)]
pub(crate) fn sixteen_bytes(text: &[u8], at: usize) -> [u64; 2] {
    let Some(last) = text.len().checked_sub(8) else { return [eight_bytes(text, at), 0] };
    [at, at + 8].map(|at| {
        let from = at.min(last);
        let eight = text[from..].first_chunk().map_or(0, |eight| u64::from_le_bytes(*eight));
        eight.checked_shr(8 * (at - from) as u32).unwrap_or_default()
    })
}

/// Eight bytes where fewer are left.
fn last_bytes(text: &[u8], at: usize) -> u64 {
    // One look at the end: in the sandbox a copy of a length that is not known costs a call out of it.
    match text.last_chunk() {
        Some(eight) => {
            let missing = 8 * (at + 8 - text.len()) as u32;
            u64::from_le_bytes(*eight).checked_shr(missing).unwrap_or_default()
        }
        None => text.iter().skip(at).rev().fold(0, |eight, &byte| eight << 8 | u64::from(byte)),
    }
}

/// Bits of what kinds the bytes of a block are.
#[derive(Default)]
struct Kinds {
    letters: u64,
    digits: u64,
    upper: u64,
    capital_i: u64,
    small_l: u64,
}

impl Kinds {
    /// Looks at sixteen bytes, which begin so many bytes after the start of the block.
    #[inline(always)]
    fn add(&mut self, lane: [u8; LANE], at: usize) {
        let bytes: i8x16 = bytemuck::cast(lane);
        let of = |byte: u8| i8x16::splat(byte.cast_signed());
        // What is beyond ASCII is negative, and so neither.
        let within = |bytes: i8x16, first: u8, last: u8| bytes.simd_gt(of(first - 1)) & bytes.simd_lt(of(last + 1));
        let letters = within(bytes | of(0x20), b'a', b'z');
        let mask = |lanes: i8x16| u64::from(lanes.to_bitmask()) << at;
        self.letters |= mask(letters);
        self.digits |= mask(within(bytes, b'0', b'9'));
        self.upper |= mask(letters & bytes.simd_lt(of(b'a')));
        self.capital_i |= mask(bytes.simd_eq(of(b'I')));
        self.small_l |= mask(bytes.simd_eq(of(b'l')));
    }

    #[inline(always)]
    fn bits(self, before: &mut Before) -> Bits {
        let Kinds { letters, digits, upper, capital_i, small_l } = self;
        let lower = letters & !upper;
        let next = |of: u64, before: u64| of << 1 | before >> 63;
        let edges = letters ^ next(letters, before.letters)
            | digits ^ next(digits, before.digits)
            | upper & next(lower, before.lower);
        let (after_lower, after_upper) = (lower >> 1 | LAST, upper >> 1 | LAST);
        let ends = !((letters | digits) >> 1);
        let after_letter = next(letters, before.letters);
        let (lower_before, upper_before) = (next(lower, before.lower), next(upper, before.letters & !before.lower));
        let mistaken =
            capital_i & after_letter & (after_lower | lower_before & ends) | small_l & upper_before & after_upper;
        *before = Before { letters, digits, lower };
        Bits { letters, digits, edges, mistaken }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_say_what_the_bytes_are() {
        let text: Vec<u8> = (0..1000u32).map(|n| (n.wrapping_mul(n) >> 3) as u8 & 0x7F).collect();
        for length in [0, 1, 7, 8, 15, 16, 63, 64, 65, 130, 1000] {
            let mut bits = Vec::new();
            read(&text[..length], &mut bits);
            assert_eq!(bits.len(), length.div_ceil(BLOCK));
            for (at, &byte) in text[..length].iter().enumerate() {
                let bits = bits[at / BLOCK];
                let has = |of: u64| of >> (at % BLOCK) & 1 == 1;
                let before = if at == 0 { 0 } else { text[at - 1] };
                assert_eq!(has(bits.letters), byte.is_ascii_alphabetic());
                assert_eq!(has(bits.digits), byte.is_ascii_digit());
                let rises = byte.is_ascii_uppercase() && before.is_ascii_lowercase();
                let is_edge = |is: fn(&u8) -> bool| is(&byte) != is(&before);
                let edge = rises || is_edge(u8::is_ascii_alphabetic) || is_edge(u8::is_ascii_digit);
                assert_eq!(has(bits.edges), edge);
                assert!(has(bits.mistaken) || crate::rewrite::mistaken_letter(&text[..length], at).is_none());
            }
        }
    }
}
