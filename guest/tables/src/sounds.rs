//! How Han characters sound: syllables without tones, and the commonest one of each character
//! (pinyin-data by mozillazg, MIT, by way of the crate `pinyin`).

use std::collections::BTreeSet;

use pinyin::ToPinyin as _;

/// The characters that have a sound in the table.
const HAN: std::ops::RangeInclusive<char> = '\u{4E00}'..='\u{9FFF}';
/// Stands for a character without a sound.
const SILENT: u16 = u16::MAX;

/// All syllables, one a line, in the order of their bytes.
#[must_use]
pub fn syllables() -> String {
    let all: BTreeSet<String> = HAN.filter_map(syllable).collect();
    all.iter().flat_map(|syllable| [syllable, "\n"]).collect()
}

/// For each Han character the line of its syllable, 16 bits little-endian, [`SILENT`] for none.
#[must_use]
pub fn sounds() -> Vec<u8> {
    let text = syllables();
    let all: Vec<&str> = text.lines().collect();
    let line = |han: char| {
        let at = all.binary_search(&&*syllable(han)?).ok()?;
        u16::try_from(at).ok()
    };
    HAN.flat_map(|han| line(han).unwrap_or(SILENT).to_le_bytes()).collect()
}

/// As it is typed: `lü` is `lv`. Syllables that are one consonant are left out.
fn syllable(han: char) -> Option<String> {
    let plain = han.to_pinyin()?.plain().replace('ü', "v");
    plain.contains(['a', 'e', 'i', 'o', 'u', 'v']).then_some(plain)
}
