//! What kinds of ASCII characters stand where in a text, as bits: sixteen bytes are looked at together. Bytes of other
//! characters are none of these kinds.

use alloc::vec::Vec;

use wide::i8x16;

/// Bits of 64 bytes of text, the first byte in the lowest bit.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Bits {
    pub(crate) letters: u64,
    pub(crate) digits: u64,
    /// Letters and digits that are the same as the byte before, whatever their case.
    pub(crate) same: u64,
    pub(crate) controls: u64,
    /// Where something else begins: letters, digits, what is neither, upper case after lower.
    pub(crate) edges: u64,
}

/// Bytes that one element of bits tells about.
pub(crate) const BLOCK: usize = 64;

/// What is known of the block before.
#[derive(Clone, Copy, Default)]
struct Before {
    byte: u8,
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
        bits.push(read_block(block, &mut before));
    }
    if !rest.is_empty() {
        // Spaces beyond the end: no controls, and no copy of a length that is not known.
        let mut block = [b' '; BLOCK];
        for (into, &byte) in block.iter_mut().zip(rest) {
            *into = byte;
        }
        bits.push(read_block(&block, &mut before));
    }
}

/// The bits of eight places from `at` on that tell of repeats.
#[inline]
pub(crate) fn eight_same(bits: &[Bits], at: usize) -> u64 {
    let (block, place) = (at / BLOCK, at % BLOCK);
    let low = bits[block].same >> place;
    let high = if place > BLOCK - 8 { bits.get(block + 1).map_or(0, |bits| bits.same << (BLOCK - place)) } else { 0 };
    (low | high) & 0xFF
}

fn read_block(block: &[u8; BLOCK], before: &mut Before) -> Bits {
    let mut bits = Bits::default();
    let mut upper = 0;
    let (lanes, _) = block.as_chunks::<16>();
    for (number, &lane) in lanes.iter().enumerate() {
        let lane = read_lane(lane, before.byte);
        let shift = 16 * number;
        bits.letters |= lane.letters << shift;
        bits.digits |= lane.digits << shift;
        bits.same |= lane.same << shift;
        bits.controls |= lane.controls << shift;
        upper |= lane.upper << shift;
        before.byte = block[shift + 15];
    }
    let lower = bits.letters & !upper;
    let edges = |of: u64, before: u64| of ^ (of << 1 | before >> 63);
    bits.edges = edges(bits.letters, before.letters)
        | edges(bits.digits, before.digits)
        | upper & (lower << 1 | before.lower >> 63);
    (before.letters, before.digits, before.lower) = (bits.letters, bits.digits, lower);
    bits
}

/// Bits of sixteen bytes.
struct Lane {
    letters: u64,
    digits: u64,
    upper: u64,
    same: u64,
    controls: u64,
}

#[inline(always)]
fn read_lane(lane: [u8; 16], before: u8) -> Lane {
    let bytes: i8x16 = bytemuck::cast(lane);
    let of = |byte: u8| i8x16::splat(byte.cast_signed());
    // What is beyond ASCII is negative, and so neither.
    let within = |bytes: i8x16, first: u8, last: u8| bytes.simd_gt(of(first - 1)) & bytes.simd_lt(of(last + 1));
    let lower = bytes | of(0x20);
    let letters = within(lower, b'a', b'z');
    let digits = within(bytes, b'0', b'9');
    let upper = letters & bytes.simd_lt(of(b'a'));
    let previous: i8x16 = bytemuck::cast(u128::from_le_bytes(lane) << 8 | u128::from(before));
    let same = lower.simd_eq(previous | of(0x20)) & (letters | digits);
    let controls = bytes.simd_lt(of(b' ')) & bytes.simd_gt(i8x16::splat(-1)) | bytes.simd_eq(of(0x7F));
    let mask = |lanes: i8x16| u64::from(lanes.to_bitmask());
    Lane {
        letters: mask(letters),
        digits: mask(digits),
        upper: mask(upper),
        same: mask(same),
        controls: mask(controls),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_say_what_the_bytes_are() {
        let text: Vec<u8> = (0..1000u32).map(|n| (n.wrapping_mul(n) >> 3) as u8 & 0x7F).collect();
        for length in [0, 1, 15, 16, 63, 64, 65, 130, 1000] {
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
                assert_eq!(has(bits.same), byte.is_ascii_alphanumeric() && byte.eq_ignore_ascii_case(&before));
                assert_eq!(has(bits.controls), byte.is_ascii_control());
            }
        }
    }
}
