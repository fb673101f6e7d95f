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

/// Reads the bits of a text. What is beyond the end is no letter or digit.
pub(crate) fn read(text: &[u8], bits: &mut Vec<Bits>) {
    bits.clear();
    let (blocks, rest) = text.as_chunks::<BLOCK>();
    let mut before = Before::default();
    for block in blocks {
        read_block(block, bits, &mut before);
    }
    if !rest.is_empty() {
        // Eight bytes at a time: in the sandbox a copy of a length that is not known costs a call out of it.
        let mut block = [0; BLOCK / 8];
        for (number, eight) in block.iter_mut().enumerate().take(rest.len().div_ceil(8)) {
            *eight = eight_bytes(rest, 8 * number);
        }
        read_block(&bytemuck::cast(block), bits, &mut before);
    }
}

/// Eight bytes of a text as a little-endian number, zeros beyond its end.
#[inline]
pub(crate) fn eight_bytes(text: &[u8], at: usize) -> u64 {
    if let Some(eight) = text[at..].first_chunk() {
        return u64::from_le_bytes(*eight);
    }
    text[at..].iter().rev().fold(0, |eight, &byte| eight << 8 | u64::from(byte))
}

/// Reads the bits of a block.
#[inline]
fn read_block(block: &[u8; BLOCK], bits: &mut Vec<Bits>, before: &mut Before) {
    let (mut letters, mut digits, mut upper) = (0, 0, 0);
    let (lanes, _) = block.as_chunks::<16>();
    for (number, &lane) in lanes.iter().enumerate() {
        let lane = read_lane(lane);
        let shift = 16 * number;
        letters |= lane.letters << shift;
        digits |= lane.digits << shift;
        upper |= lane.upper << shift;
    }
    let lower = letters & !upper;
    let edges = |of: u64, before: u64| of ^ (of << 1 | before >> 63);
    let edges =
        edges(letters, before.letters) | edges(digits, before.digits) | upper & (lower << 1 | before.lower >> 63);
    bits.push(Bits { letters, digits, edges });
    *before = Before { letters, digits, lower };
}

/// Bits of sixteen bytes.
struct Lane {
    letters: u64,
    digits: u64,
    upper: u64,
}

#[inline(always)]
fn read_lane(lane: [u8; 16]) -> Lane {
    let bytes: i8x16 = bytemuck::cast(lane);
    let of = |byte: u8| i8x16::splat(byte.cast_signed());
    // What is beyond ASCII is negative, and so neither.
    let within = |bytes: i8x16, first: u8, last: u8| bytes.simd_gt(of(first - 1)) & bytes.simd_lt(of(last + 1));
    let letters = within(bytes | of(0x20), b'a', b'z');
    let digits = within(bytes, b'0', b'9');
    let upper = letters & bytes.simd_lt(of(b'a'));
    let mask = |lanes: i8x16| u64::from(lanes.to_bitmask());
    Lane { letters: mask(letters), digits: mask(digits), upper: mask(upper) }
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
            }
        }
    }
}
