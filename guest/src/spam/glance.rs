//! A first look at the bytes of a text, which most texts end with: each four bytes in a row, and whether the text is
//! written as most are, so that they say what it says. Not for reading it; that is [`read`](super::read).

use wide::i8x16;

use super::SLOT_BITS;
use crate::lanes::sixteen_bytes;

/// Multiplier of the hash of four bytes.
const FOUR_BYTES: u32 = 0x9E37_79B1;

/// What a byte is at a glance: capitals are small letters, and all digits one.
const GLANCED: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = if (byte as u8).is_ascii_digit() { b'0' } else { (byte as u8).to_ascii_lowercase() };
        byte += 1;
    }
    table
};

/// Calls `each` with the slot of each four bytes in a row, after spaces, of a text: as many as there are bytes.
#[inline]
pub fn glance(text: &[u8], mut each: impl FnMut(usize)) {
    const SHIFT: u32 = 32 - SLOT_BITS[2];
    let slot = |window: u32| (window.wrapping_mul(FOUR_BYTES) >> SHIFT) as usize;
    let push = |window: u32, byte: u8| window << 8 | u32::from(GLANCED[usize::from(byte)]);
    // Both halves side by side: neither waits for the window of the other.
    let (first, second) = text.split_at(text.len() / 2);
    let mut windows = [u32::from_ne_bytes([b' '; 4]); 2];
    windows[1] = first[first.len().saturating_sub(4)..].iter().fold(windows[0], |window, &byte| push(window, byte));
    for (&one, &other) in first.iter().zip(second) {
        windows = [push(windows[0], one), push(windows[1], other)];
        each(slot(windows[0]));
        each(slot(windows[1]));
    }
    if let Some(&last) = second.get(first.len()) {
        each(slot(push(windows[1], last)));
    }
}

/// Bytes of text for each character of an unusual kind that is taken as it comes, as in a name or a quotation.
const BYTES_PER_ODD: u32 = 24;
/// Bytes that are looked at together.
const LANE: usize = 16;

/// Whether a text is written as most are. A glance does not see through what may be a disguise: letters in other styles
/// or of other alphabets than ASCII and those of East Asia, digits and signs within words, letters apart.
pub(super) fn is_usual(text: &[u8]) -> bool {
    let (lanes, rest) = text.as_chunks();
    let mut found = Unusual::default();
    lanes.iter().for_each(|&lane| found.add(lane));
    found.add(bytemuck::cast(sixteen_bytes(text, text.len() - rest.len())));
    found.within == 0 && found.odd * BYTES_PER_ODD <= text.len() as u32
}

/// What is unusual in a text so far.
#[derive(Default)]
struct Unusual {
    /// Bits of the lane before in the lower half, of the last one in the upper: letters; what may stand for one.
    letters: u32,
    wedges: u32,
    /// Letters behind something within a word, and ends of letters apart.
    within: u32,
    /// Characters of an unusual kind.
    odd: u32,
}

impl Unusual {
    #[inline(always)]
    fn add(&mut self, lane: [u8; LANE]) {
        let bytes: i8x16 = bytemuck::cast(lane);
        let of = |byte: u8| i8x16::splat(byte.cast_signed());
        let is = |byte: u8| bytes.simd_eq(of(byte));
        let between = |bytes: i8x16, first: u8, last: u8| bytes.simd_gt(of(first - 1)) & bytes.simd_lt(of(last + 1));
        let signs = is(b'!') | is(b'$') | is(b'*') | is(b'+') | is(b'@') | is(b'|');
        let letters = self.letters >> LANE | between(bytes | of(0x20), b'a', b'z').to_bitmask() << LANE;
        let wedges = self.wedges >> LANE | (between(bytes, b'0', b'9') | signs).to_bitmask() << LANE;
        // A letter behind one or two wedges behind a letter.
        let wedged = letters & wedges << 1 & (letters | wedges & letters << 1) << 2;
        // Three letters in a row that have none beside them.
        let alone = letters << 1 & !letters & !(letters << 2);
        self.within |= (wedged | alone & alone << 2 & alone << 4) & u32::MAX << LANE;
        (self.letters, self.wedges) = (letters, wedges);
        if bytes.to_bitmask() != 0 {
            // Lead bytes of alphabets and of what is beyond the basic plane; then letters of full width.
            let lead = between(bytes, 0xC2, 0xE2) | bytes.simd_gt(of(0xEF)) & bytes.simd_lt(of(0));
            let capitals = is(0xBC).to_bitmask() >> 1 & bytes.simd_gt(of(0xA0)).to_bitmask() >> 2;
            let small = is(0xBD).to_bitmask() >> 1 & bytes.simd_lt(of(0x9B)).to_bitmask() >> 2;
            let wide = is(0xEF).to_bitmask() & (capitals | small);
            self.odd += (lead.to_bitmask() | wide).count_ones();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use alloc::vec::Vec;

    #[test]
    fn a_glance_sees_each_four_bytes_once() {
        for length in 0..20 {
            let text = &b"Win 500 now, text 07"[..length];
            let padded = [&b"    "[..], &text.to_ascii_lowercase()].concat();
            let slot = |four: &[u8]| {
                let window = four.iter().fold(0u32, |window, &byte| {
                    window << 8 | u32::from(if byte.is_ascii_digit() { b'0' } else { byte })
                });
                (window.wrapping_mul(FOUR_BYTES) >> (32 - SLOT_BITS[2])) as usize
            };
            let mut expected: Vec<usize> = padded.windows(4).skip(1).map(slot).collect();
            let mut seen = Vec::new();
            glance(text, |slot| seen.push(slot));
            expected.sort_unstable();
            seen.sort_unstable();
            assert_eq!(seen, expected, "{length} bytes");
        }
    }

    #[test]
    fn disguised_texts_are_not_usual() {
        let padding = "see you at the usual place around noon";
        for disguised in [
            "get your fr33ee gift",
            "a pr1ze for you",
            "cl@im it",
            "f r e e gift",
            "f-r-e-e gift",
            "it is f.r.e.e",
            "𝐟𝐫𝐞𝐞 𝐠𝐢𝐟𝐭",
            "ｆｒｅｅ ｇｉｆｔ",
            "fгее giftѕ",
            "f\u{200B}r\u{200B}e\u{200B}e gift",
            "🇫 🇷 🇪 🇪",
        ] {
            // Wherever it stands among other words.
            for place in 0..padding.len() {
                let text = [&padding[..place], " ", disguised, " ", &padding[place..]].concat();
                assert!(!is_usual(text.as_bytes()), "{text}");
            }
        }
        let usual = "I’ll be there at 7pm, call 555-0199 or e-mail me! Ok? U r 2 late for tea… £5 — naïve 你好，世界！안녕 カナ";
        assert!(is_usual(usual.as_bytes()));
        let beginnings = usual.char_indices().map(|(at, _)| &usual[..at]);
        let ascii: Vec<&str> = beginnings.filter(|beginning| beginning.is_ascii()).collect();
        assert!(ascii.iter().all(|beginning| is_usual(beginning.as_bytes())));
        assert!(is_usual(String::new().as_bytes()));
    }
}
