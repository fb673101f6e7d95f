//! How a Chinese text sounds: a stream of syllables, from Han characters, from pinyin among them and from
//! bopomofo. Terms that ask for it are searched here by their sound, so that `赌bo`, `堵博` and `ㄉㄨㄅㄛ` are
//! found for `赌博`. Tones are left out. Not for what a match means; a pattern found by its sound is
//! a pattern found.

use alloc::vec::Vec;

use crate::fold::{self, CLASS_FIRST_LETTER, IGNORABLE, SEPARATOR, decode, symbol};
use crate::pack::{HAN_PAIR, Pack, PatternRecord};
use crate::pieces::GAP_CHARACTERS_MAX;
use crate::verify::{Dropped, in_words};
use crate::{Evidence, Span};

/// All syllables in the order of their letters, one a line; a syllable is known by its line. Written by
/// `guest/tables`.
static SYLLABLES: &str = include_str!("syllables.txt");
/// How many syllables there are.
const SYLLABLES_COUNT: usize = lines(SYLLABLES);
/// Stands for what has no sound: nothing matches over it.
const BREAK: u16 = u16::MAX;
/// First of the characters in a table of sounds.
const HAN_FIRST: u32 = 0x4E00;
/// How many characters a table of sounds has.
pub(crate) const HAN_COUNT: usize = 0x5200;
/// Longest run of Latin letters that is read as pinyin.
const RUN_LETTERS_MAX: usize = 24;
/// Longest syllable in letters: `zhuang`.
const SYLLABLE_LETTERS_MAX: usize = 6;
/// Of a pattern with separators beside its characters, so many are there as they are.
const SPELLED_MIN: usize = 2;

const fn lines(text: &str) -> usize {
    let (bytes, mut at, mut count) = (text.as_bytes(), 0, 0);
    while at < bytes.len() {
        count += (bytes[at] == b'\n') as usize;
        at += 1;
    }
    count
}

/// Where each line of the syllables begins.
static LINES: [u16; SYLLABLES_COUNT] = {
    let (bytes, mut starts) = (SYLLABLES.as_bytes(), [0; SYLLABLES_COUNT]);
    let (mut at, mut line, mut start) = (0, 0, 0);
    while at < bytes.len() {
        if bytes[at] == b'\n' {
            starts[line] = start as u16;
            (line, start) = (line + 1, at + 1);
        }
        at += 1;
    }
    starts
};

/// The letters of a syllable.
pub(crate) fn letters(syllable: u16) -> &'static [u8] {
    let start = LINES.get(usize::from(syllable)).map_or(0, |&start| usize::from(start));
    let rest = &SYLLABLES.as_bytes()[start..];
    &rest[..rest.iter().position(|&byte| byte == b'\n').unwrap_or(0)]
}

/// The letters of each syllable as one number, which is greater the later it is in their order.
static KEYS: [u64; SYLLABLES_COUNT] = {
    let mut keys = [0; SYLLABLES_COUNT];
    let mut line = 0;
    while line < SYLLABLES_COUNT {
        let (bytes, mut at) = (SYLLABLES.as_bytes(), LINES[line] as usize);
        let mut shift = u64::BITS;
        while bytes[at] != b'\n' {
            shift -= 8;
            keys[line] |= (bytes[at] as u64) << shift;
            at += 1;
        }
        line += 1;
    }
    keys
};

/// The number of letters as in [`KEYS`]: of the first eight.
fn key(letters: &[u8]) -> u64 {
    letters.iter().take(8).enumerate().fold(0, |key, (at, &letter)| key | u64::from(letter) << (56 - 8 * at))
}

/// The syllable of so many letters of a [`key`].
fn syllable(key: u64, letters: usize) -> Option<u16> {
    let key = key & u64::MAX << (u64::BITS as usize - 8 * letters);
    KEYS.binary_search(&key).ok().map(|line| line as u16)
}

/// The syllable of a Han character by a table of them.
pub(crate) fn of_han(table: &[u16], code: u32) -> Option<u16> {
    let at = code.checked_sub(HAN_FIRST)? as usize;
    table.get(at).copied().filter(|&syllable| usize::from(syllable) < SYLLABLES_COUNT)
}

/// What stands for a syllable in a text.
#[derive(Clone, Copy, Debug)]
struct Unit {
    start: u32,
    end: u32,
    is_han: bool,
    /// Separators are before it.
    has_gap: bool,
}

/// A text as it sounds. Keeps its memory from message to message.
#[derive(Debug, Default)]
pub(crate) struct Sounds {
    /// Syllables, and [`BREAK`] between what does not go together.
    pub(crate) syllables: Vec<u16>,
    units: Vec<Unit>,
}

impl Sounds {
    /// Reads a text with the sounds of a table.
    pub(crate) fn read(&mut self, text: &[u8], table: &[u16]) {
        self.syllables.clear();
        self.units.clear();
        let mut gap = 0;
        let mut at = 0;
        while at < text.len() {
            let (code, length) = decode(&text[at..]);
            let class = symbol(code);
            if is_tone(code) || class == IGNORABLE {
                at += length;
            } else if let Some(syllable) = of_han(table, code) {
                self.push(syllable, at, at + length, true, &mut gap);
                at += length;
            } else if is_latin(class) {
                at = self.read_latin(text, at, &mut gap);
            } else if matches!(code, 0x3105..=0x3129)
                && let Some(end) = self.read_bopomofo(text, at, &mut gap)
            {
                at = end;
            } else {
                if class == SEPARATOR {
                    gap += 1;
                } else {
                    self.break_off(&mut gap);
                }
                at += length;
            }
        }
    }

    fn push(&mut self, syllable: u16, start: usize, end: usize, is_han: bool, gap: &mut u32) {
        if *gap > GAP_CHARACTERS_MAX {
            self.break_off(gap);
        }
        self.syllables.push(syllable);
        self.units.push(Unit { start: start as u32, end: end as u32, is_han, has_gap: *gap > 0 });
        *gap = 0;
    }

    fn break_off(&mut self, gap: &mut u32) {
        if self.syllables.last().is_some_and(|&last| last != BREAK) {
            self.syllables.push(BREAK);
            self.units.push(Unit { start: 0, end: 0, is_han: false, has_gap: false });
        }
        *gap = 0;
    }

    /// Reads a run of Latin letters as pinyin, if it is, and returns where it ends.
    fn read_latin(&mut self, text: &[u8], start: usize, gap: &mut u32) -> usize {
        let mut run = [0; RUN_LETTERS_MAX];
        let mut ends = [0; RUN_LETTERS_MAX];
        let (mut count, mut at, mut is_short) = (0, start, true);
        while at < text.len() {
            let (code, length) = decode(&text[at..]);
            let class = symbol(code);
            at += length;
            if is_latin(class) && count < RUN_LETTERS_MAX {
                run[count] = b'a' + class.to_le_bytes()[0] - CLASS_FIRST_LETTER;
                ends[count] = at;
                count += 1;
            } else if class == IGNORABLE {
                // A mark, as of a tone.
                if let Some(end) = ends[..count].last_mut() {
                    *end = at;
                }
            } else if is_latin(class) {
                is_short = false;
            } else {
                at -= length;
                break;
            }
        }
        let mut read = 0;
        let known = (self.syllables.len(), *gap);
        while is_short && read < count {
            let rest = key(&run[read..count]);
            let longest = (1..=SYLLABLE_LETTERS_MAX.min(count - read))
                .rev()
                .find_map(|length| Some((syllable(rest, length)?, length)));
            let Some((syllable, length)) = longest else { break };
            let from = if read == 0 { start } else { ends[read - 1] };
            self.push(syllable, from, ends[read + length - 1], false, gap);
            read += length;
        }
        if read < count {
            // No pinyin after all.
            self.syllables.truncate(known.0);
            self.units.truncate(known.0);
            *gap = known.1;
            self.break_off(gap);
        }
        at
    }

    /// Reads a syllable in bopomofo, if one begins here, and returns where it ends.
    fn read_bopomofo(&mut self, text: &[u8], start: usize, gap: &mut u32) -> Option<usize> {
        let mut at = start;
        let mut take = |of: &'static str, from: u32| {
            let (code, length) = decode(&text[at..]);
            let found = of.split(' ').nth(code.checked_sub(from).filter(|_| code <= 0x3129)? as usize)?;
            at += length;
            Some(found)
        };
        let initial = take(INITIALS, 0x3105).unwrap_or("");
        let medial = take("i u v", 0x3127).unwrap_or("");
        let ending = take(FINALS, 0x311A).unwrap_or("");
        let mut spelled = [0; 8];
        let letters = spell_bopomofo(initial, medial, ending, &mut spelled)?;
        let syllable = syllable(key(letters), letters.len())?;
        self.push(syllable, start, at, false, gap);
        Some(at)
    }

    /// Whether the pattern sounds in the text from a syllable on, and where.
    pub(crate) fn verify(
        &self,
        pack: &Pack<'_>,
        pattern: &PatternRecord,
        text: &[u8],
        first: usize,
    ) -> Result<(Span, Evidence), Dropped> {
        let mut unit = first;
        let mut rest = pack.spelling(pattern);
        let mut evidence = Evidence::SOUND;
        let (mut spelled, mut in_letters, mut has_gap_at_han) = (0, 0, false);
        while !rest.is_empty() {
            let (code, length) = decode(rest);
            rest = &rest[length..];
            let sound = self.syllables.get(unit).copied();
            if sound.is_none() || sound != of_han(pack.sounds, code) {
                return Err(Dropped::Letters);
            }
            let there = &self.units[unit];
            let is_spelled = || fold::letter(decode(&text[there.start as usize..]).0).0 == code;
            in_letters += usize::from(!there.is_han);
            spelled += usize::from(there.is_han && is_spelled());
            if unit > first && there.has_gap {
                has_gap_at_han |= there.is_han || self.units[unit - 1].is_han;
                evidence = evidence.with(Evidence::SEPARATOR);
            }
            unit += 1;
        }
        // Between characters that merely sound alike, separators would join anything; not so where some are in letters,
        // and all others as the pattern has them.
        let is_told = in_letters > 0 && spelled >= SPELLED_MIN && in_letters + spelled == unit - first;
        if has_gap_at_han && !is_told {
            return Err(Dropped::Gap);
        }
        let (Some(from), Some(last)) = (self.units.get(first), self.units[..unit].last()) else {
            return Err(Dropped::Letters);
        };
        let span = Span { start: from.start, end: last.end };
        let (start, end) = (span.start as usize, span.end as usize);
        // What is spelled as the pattern is has been found, or dismissed, by its spelling.
        let is_spelled = text[start..end] == *pack.spelling(pattern);
        // Nor are characters of ordinary words there for the sound.
        let is_chance = pattern.flags & HAN_PAIR != 0 && in_words(pack, text, start, end) != [false; 2];
        match evidence.0 & !pattern.folds {
            0 if is_spelled => Err(Dropped::Spelled),
            0 if is_chance => Err(Dropped::OrdinaryWords),
            0 => Ok((span, evidence)),
            folds => Err(Dropped::Folds(Evidence(folds))),
        }
    }

    /// Where in the text a syllable begins.
    #[cfg(feature = "explain")]
    pub(crate) fn place(&self, syllable: usize) -> u32 {
        self.units.get(syllable).map_or(0, |unit| unit.start)
    }
}

fn is_latin(class: u16) -> bool {
    class.checked_sub(CLASS_FIRST_LETTER.into()).is_some_and(|letter| letter < 26)
}

/// Tone marks that stand by themselves, after bopomofo.
fn is_tone(code: u32) -> bool {
    matches!(code, 0x2C7 | 0x2C9 | 0x2CA | 0x2CB | 0x2D9)
}

/// Bopomofo from U+3105 on.
const INITIALS: &str = "b p m f d t n l g k h j q x zh ch sh r z c s";
/// Bopomofo from U+311A on.
const FINALS: &str = "a o e e ai ei ao ou an en ang eng er";

/// Medial and final of a syllable, how they are spelled together after a consonant, and how alone.
const SPELLINGS: [[&str; 4]; 22] = [
    ["i", "", "i", "yi"],
    ["i", "a", "ia", "ya"],
    ["i", "e", "ie", "ye"],
    ["i", "ao", "iao", "yao"],
    ["i", "ou", "iu", "you"],
    ["i", "an", "ian", "yan"],
    ["i", "en", "in", "yin"],
    ["i", "ang", "iang", "yang"],
    ["i", "eng", "ing", "ying"],
    ["u", "", "u", "wu"],
    ["u", "a", "ua", "wa"],
    ["u", "o", "uo", "wo"],
    ["u", "ai", "uai", "wai"],
    ["u", "ei", "ui", "wei"],
    ["u", "an", "uan", "wan"],
    ["u", "en", "un", "wen"],
    ["u", "ang", "uang", "wang"],
    ["u", "eng", "ong", "weng"],
    ["v", "", "u", "yu"],
    ["v", "e", "ue", "yue"],
    ["v", "an", "uan", "yuan"],
    ["v", "en", "un", "yun"],
];

/// Writes a syllable of three bopomofo letters, any of which may be missing, in pinyin.
fn spell_bopomofo<'s>(initial: &str, medial: &str, ending: &str, spelled: &'s mut [u8; 8]) -> Option<&'s [u8]> {
    let rest = if medial.is_empty() {
        if ending.is_empty() { "i" } else { ending }
    } else {
        let of = |row: &&[&'static str; 4]| row[0] == medial && row[1] == ending;
        let [_, _, after_consonant, alone] = SPELLINGS.iter().find(of)?;
        match (initial, *after_consonant) {
            ("", _) => alone,
            ("n" | "l", "u") if medial == "v" => "v",
            ("n" | "l", "ue") => "ve",
            (_, spelling) => spelling,
        }
    };
    if initial.is_empty() && medial.is_empty() && ending.is_empty() {
        return None;
    }
    let length = initial.len() + rest.len();
    let into = spelled.get_mut(..length)?;
    into[..initial.len()].copy_from_slice(initial.as_bytes());
    into[initial.len()..].copy_from_slice(rest.as_bytes());
    Some(into)
}
