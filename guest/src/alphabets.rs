//! Letters that look like one of a to z to who wants to read one, as in `ωιηηєя`: more than the fold has, and
//! others, because in a word of their own alphabet they are what they are. Not for such words: a word counts if its
//! letters are of several alphabets, or of one that no text is written in any more.

use crate::fold::{self, CLASS_FIRST_LETTER, symbol};

/// Letters and signs by the letter that they look like, a to z, those of UTS #39
/// left out: the alphabets of generators of fancy text, and others as odd.
const LOOKS_LIKE: [&str; 26] = [
    "ǟαλаդคᎪᏗᗩᴀ₳ⱥⲁꓮ",
    "ƀɓɮΒβВвъь฿๒ცხᏰᗷⲃꓐ",
    "¢ƈςϲсҫርᏟᑕ₵ⲥꓚ",
    "đɖɗδժ๔ძᎠᎴᗪⅾ∂ꓓ",
    "ɇɛεξэєҽҿᎬᏋ℮ⲉꓰ",
    "ƒʄϝғӻᖴ₣ꓝ",
    "ǥɠɡɢԍցᎶᏀ₲ꓖ",
    "ħɦΗНнђһիհᎻᏂᕼⱨⲏꓧ",
    "ɨɩιїӏเᎥⲓꓲ",
    "ɉʝј\u{5E0}ᎫᏠᒍꓙ",
    "ƙΚκКкқҝҟӄᏦ₭ⲕꓗ",
    "łƚɬɭʟլ\u{5DF}ᏝᏞᒪℓⱡꓡ",
    "ɱʍΜмմ๓Ꮇᗰ₥ⲙꓟ",
    "ŋƞɲɳΝηийпղռภᏁᑎ₦ⲛꓠ",
    "øɵθσөօ\u{5E1}๏ოᎧᎾᏫⲟꓳ",
    "þƥΡφРҏք\u{5E7}ᎮᏢᑭᖘ₱ⲣꓑ",
    "ɋԛգզᑫ",
    "ɍɼɽɾʀгяրᏒᏡᖇꓣ",
    "ƽʂѕֆรᏕᏚ₴ꓢ",
    "ŧƭȶʈΤτТтէշᎢᏖ†₮ⲧꓔ",
    "ʉʊʋμυцսนยᏬᑌꓴ",
    "νѵ\u{5E9}\u{6F7}ᏉᏙᐯ√ꓦ",
    "ωшщѡաฬᏇᏔᗯ₩ⱳꓪ",
    "×Χχжхҳӽӿ\u{5D0}᙭ⲭꓫ",
    "ɏΥγуүұվ\u{5E2}ყᎩꓬ",
    "ƶʐʑΖᏃᘔⱬⲍꓜ",
];
const KNOWN_N: usize = {
    let (mut count, mut letter) = (0, 0);
    while letter < LOOKS_LIKE.len() {
        let row = LOOKS_LIKE[letter].as_bytes();
        let mut at = 0;
        while at < row.len() {
            count += (row[at] & 0xC0 != 0x80) as usize;
            at += 1;
        }
        letter += 1;
    }
    count
};

/// The same, ascending by code point.
static KNOWN: [(u32, u8); KNOWN_N] = {
    let mut known = [(0, 0); KNOWN_N];
    let (mut count, mut letter) = (0, 0);
    while letter < LOOKS_LIKE.len() {
        let row = LOOKS_LIKE[letter].as_bytes();
        let mut at = 0;
        while at < row.len() {
            let (code, length) = decode_const(row, at);
            // Sorted in: there are few.
            let mut place = count;
            while place > 0 && known[place - 1].0 > code {
                known[place] = known[place - 1];
                place -= 1;
            }
            known[place] = (code, b'a' + letter as u8);
            count += 1;
            at += length;
        }
        letter += 1;
    }
    known
};

/// The code point of two bytes or three at `at`.
const fn decode_const(bytes: &[u8], at: usize) -> (u32, usize) {
    if bytes[at] < 0xE0 {
        ((bytes[at] as u32 & 0x1F) << 6 | bytes[at + 1] as u32 & 0x3F, 2)
    } else {
        ((bytes[at] as u32 & 0xF) << 12 | (bytes[at + 1] as u32 & 0x3F) << 6 | bytes[at + 2] as u32 & 0x3F, 3)
    }
}

/// The alphabets of letters that look alike.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Alphabet {
    Latin,
    Greek,
    Cyrillic,
    Armenian,
    Hebrew,
    Thai,
    Ethiopic,
    Georgian,
    /// Of no living text that is mistaken for Latin: styled, historic, or signs.
    Odd,
}

/// The letter a to z that a character looks like, and the alphabet it is of.
pub(crate) fn looks_like(code: u32) -> Option<(u8, Alphabet)> {
    let alphabet = match code {
        0x41..=0x5A | 0x61..=0x7A => return Some((code as u8 | 0x20, Alphabet::Latin)),
        // Punctuation, Kana, Han and Hangul, of which there is the most.
        0..0x80 | 0x2000..=0x201F | 0x2021..=0x206F | 0x2E80..=0xA4CF | 0xAC00.. => return None,
        0x80..=0x17F | 0x1E00..=0x1EFF => Alphabet::Latin,
        0x370..=0x3FF | 0x1F00..=0x1FFF => Alphabet::Greek,
        0x400..=0x52F => Alphabet::Cyrillic,
        0x530..=0x58F => Alphabet::Armenian,
        0x590..=0x5FF => Alphabet::Hebrew,
        0xE00..=0xE7F => Alphabet::Thai,
        0x10A0..=0x10FF => Alphabet::Georgian,
        0x1200..=0x139F => Alphabet::Ethiopic,
        _ => Alphabet::Odd,
    };
    // Cherokee and Coptic in their other case; the fold has the others.
    let (of, _) = fold::letter(match code {
        0xAB70..=0xABBF => code - 0xAB70 + 0x13A0,
        0x2C80..=0x2CE3 => code | 1,
        _ => code,
    });
    // Capitals may look like another letter than the small ones.
    let known = |of: u32| KNOWN.binary_search_by_key(&of, |&(code, _)| code).ok();
    if let Some(at) = known(code).or_else(|| known(of)) {
        return Some((KNOWN[at].1, alphabet));
    }
    let class = symbol(code).checked_sub(CLASS_FIRST_LETTER.into()).filter(|&letter| letter < 26)?;
    Some((b'a' + class as u8, alphabet))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_known_once_and_found() {
        assert!(KNOWN.windows(2).all(|pair| pair[0].0 < pair[1].0), "a letter is there twice");
        for (like, letter) in
            [('ω', b'w'), ('н', b'h'), ('Ꮯ', b'c'), ('ꓡ', b'l'), ('ᗩ', b'a'), ('₳', b'a'), ('x', b'x')]
        {
            assert_eq!(looks_like(like.into()).map(|(letter, _)| letter), Some(letter), "{like}");
        }
        assert_eq!(looks_like('赌'.into()), None);
        assert_eq!(looks_like('7'.into()), None);
    }
}
