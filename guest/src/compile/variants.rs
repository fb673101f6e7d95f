//! Other spellings of a term, for terms that ask for them: misspellings, letters cut off by a space, Pinyin,
//! characters taken apart, addresses and numbers in words, other words for the same thing. Each is a pattern of its
//! own that leads to the same term; those that are ordinary words are left out. What is merely written otherwise,
//! letter by letter, is the fold's.

use std::borrow::ToOwned as _;
use std::format;
use std::string::String;
use std::vec::Vec;

use super::Variants;
use super::misspellings::misspellings;
use super::ordinary::{self, Chinese};
use super::term::{ParsedPattern, ParsedTerm};
use crate::Evidence;
use crate::fold::{self, Script, script};
use crate::glue::GLUE;
use crate::misspelt::Place;
use crate::pack::{END_OPEN, LITERAL, MISSPELT, PATTERN_LETTERS_MAX, REGEX, ROLE_EXCLUDE, SENDER, START_OPEN, UNGLUED};
use crate::sounds;

/// Shortest word that is looked for in letters that sound alike, with an ending, or cut in two.
const MISSPELT_LETTERS_MIN: usize = 5;
/// Fewest characters of a term in which one may be its first letter in Pinyin.
const INITIAL_HAN_MIN: usize = 3;
/// Shortest word of a phrase that is looked for cut in two.
const CUT_LETTERS_MIN: usize = 4;
/// Shortest half that counts as a word there.
const HALF_LETTERS_MIN: usize = 3;
/// Shortest word that is looked for without the space in it, or in Pinyin.
const JOINED_LETTERS_MIN: usize = 5;
/// Shortest number that is looked for in words, in digits.
const NUMBER_DIGITS_MIN: usize = 7;
/// Longest Chinese term of which several characters are looked for taken apart.
const TAKEN_APART_MAX: usize = 5;
/// Longest Chinese term that is looked for in other characters.
const HAN_MAX: usize = 8;
/// Most other spellings of one part of a term.
const SPELLINGS_MAX: usize = 160;

/// Folds of a spelling that is itself a fold: what does not show, and no others, so that they do not add up.
const QUIET: u16 = Evidence::DIACRITIC.0 | Evidence::STYLE.0 | Evidence::INVISIBLE.0;

/// Letters and groups of letters that sound alike, the Arabic ones in one dialect or another.
const ALIKE: [[&str; 2]; 26] = [
    ["ou", "ow"],
    ["ow", "ou"],
    ["ks", "x"],
    ["cks", "x"],
    ["i", "y"],
    ["y", "i"],
    ["ck", "k"],
    ["c", "k"],
    ["k", "c"],
    ["s", "z"],
    ["z", "s"],
    ["ph", "f"],
    ["f", "ph"],
    ["x", "ks"],
    ["x", "cks"],
    ["qu", "kw"],
    ["oo", "u"],
    ["u", "oo"],
    ["ة", "ت"],
    ["ت", "ة"],
    ["ة", "ى"],
    ["ى", "ة"],
    ["ث", "ت"],
    ["ت", "ث"],
    ["ه", "ح"],
    ["ح", "ه"],
];

/// The same of Arabic letters in words that are shorter, too: the shortest word in letters, and whether it is about its
/// last letter only.
const ALIKE_SHORT: [([&str; 2], usize, bool); 2] = [(["ا", "ى"], 3, true), (["ق", "ا"], 4, false)];
/// Shortest Arabic word, its article aside, that is looked for without it.
const ARTICLE_LETTERS_MIN: usize = 4;

/// Other words for things that terms name.
const ALIASES: [(&str, &[&str]); 4] = [
    ("微信", &["V信", "vx", "wx", "v", "wechat", "weixin", "徽信", "卫星", "绿泡泡"]),
    ("qq", &["扣扣", "抠抠", "企鹅号"]),
    ("支付宝", &["zfb", "支fu宝"]),
    ("电报", &["telegram", "tg", "纸飞机"]),
];

/// Words as they are written in short messages, in a phrase.
const SHORT: [(&str, &[&str]); 33] = [
    ("you", &["u", "ya"]),
    ("your", &["ur", "yr"]),
    ("are", &["r"]),
    ("to", &["2"]),
    ("too", &["2"]),
    ("for", &["4"]),
    ("and", &["n"]),
    ("be", &["b"]),
    ("see", &["c"]),
    ("please", &["pls", "plz"]),
    ("text", &["txt"]),
    ("message", &["msg"]),
    ("tonight", &["2nite", "tonite"]),
    ("today", &["2day"]),
    ("tomorrow", &["2moro", "tmrw"]),
    ("night", &["nite"]),
    ("great", &["gr8"]),
    ("mate", &["m8"]),
    ("before", &["b4"]),
    ("later", &["l8r"]),
    ("love", &["luv"]),
    ("what", &["wat", "wot"]),
    ("the", &["da"]),
    ("this", &["dis"]),
    ("that", &["dat"]),
    ("with", &["wid", "wiv"]),
    ("because", &["cuz", "coz"]),
    ("people", &["ppl"]),
    ("phone", &["fone"]),
    ("account", &["acct", "acc"]),
    ("easy", &["ez"]),
    ("good", &["gud"]),
    ("right", &["rite"]),
];

/// Forms that characters have as a part of others, and how they are typed by themselves.
const RADICALS: [(char, char); 14] = [
    ('亻', '人'),
    ('扌', '手'),
    ('氵', '水'),
    ('忄', '心'),
    ('钅', '金'),
    ('讠', '言'),
    ('饣', '食'),
    ('纟', '丝'),
    ('犭', '犬'),
    ('艹', '草'),
    ('礻', '示'),
    ('衤', '衣'),
    ('刂', '刀'),
    ('辶', '走'),
];

/// Letters with marks, and how they are written where the marks cannot be.
const UNMARKED: [(char, &str); 6] = [('ä', "ae"), ('ö', "oe"), ('ü', "ue"), ('ø', "oe"), ('å', "aa"), ('ñ', "ny")];

/// Digits in words.
const DIGITS: [&str; 10] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

/// How Cyrillic letters from а on are written in Latin ones.
const TRANSLITERATION: &str = "a b v g d e zh z i y k l m n o p r s t u f h ts ch sh sch _ y _ e yu ya";

/// Gives the patterns of a term the folds that were chosen, and adds the other spellings.
pub(super) fn expand(parsed: &mut ParsedTerm, variants: Variants, chinese: &mut Option<Chinese>) {
    let folds = match variants {
        Variants::None => 0,
        Variants::Standard => Evidence::STANDARD.0,
        Variants::Aggressive => Evidence::STANDARD.0 | Evidence::SOUND.0 | Evidence::MISSPELT.0,
    };
    let mut others = Vec::new();
    for pattern in parsed.patterns.iter_mut().filter(|pattern| pattern.flags & (SENDER | REGEX) == 0) {
        pattern.folds = folds;
        if variants != Variants::None && pattern.flags & LITERAL == 0 {
            others.extend(unmarked(pattern));
        }
        if variants == Variants::Aggressive && pattern.flags & LITERAL == 0 && pattern.role != ROLE_EXCLUDE {
            let mut spellings = Spellings { of: pattern, spellings: Vec::new(), is_glued_in_words: false };
            spellings.collect(chinese);
            others.append(&mut spellings.spellings);
            if spellings.is_glued_in_words {
                pattern.flags |= UNGLUED;
            }
        }
    }
    parsed.patterns.append(&mut others);
}

/// The pattern with two letters for each that has a mark, as in `ae`.
fn unmarked(of: &ParsedPattern) -> Option<ParsedPattern> {
    // No letter of ASCII has a mark, and none from kana on.
    if of.spelling.chars().all(|c| c.is_ascii() || c > '\u{3000}') {
        return None;
    }
    let written = |c: char| UNMARKED.iter().find(|&&(marked, _)| c.to_lowercase().eq([marked]));
    if !of.spelling.chars().any(|c| written(c).is_some()) {
        return None;
    }
    let mut spelling = String::new();
    for c in of.spelling.chars() {
        match written(c) {
            Some((_, letters)) => spelling.push_str(letters),
            None => spelling.push(c),
        }
    }
    let fits = spelling.chars().count() <= PATTERN_LETTERS_MAX;
    fits.then(|| ParsedPattern { spelling, adds: Evidence::DIACRITIC, ..of.clone() })
}

/// The other spellings of one pattern.
struct Spellings<'p> {
    of: &'p ParsedPattern,
    spellings: Vec<ParsedPattern>,
    /// Other words than itself are the word and what words are glued to.
    is_glued_in_words: bool,
}

impl Spellings<'_> {
    fn collect(&mut self, chinese: &mut Option<Chinese>) {
        let spelling = self.of.spelling.to_lowercase();
        self.aliases(&spelling);
        self.address(&spelling);
        self.number(&spelling);
        if spelling.chars().all(|c| c == ' ' || c == '\'' || c == '-' || is_spaced_letter(c)) {
            let words: Vec<&str> = spelling.split(' ').filter(|word| !word.is_empty()).collect();
            self.spaced(&words);
        }
        let unmarked: String =
            spelling.chars().map(|c| char::from_u32(fold::letter(c.into()).0).unwrap_or(c)).collect();
        if unmarked.chars().all(|c| c.is_ascii_lowercase() || c == ' ') {
            let words: Vec<&str> = unmarked.split(' ').filter(|word| !word.is_empty()).collect();
            self.latin(&words);
        } else if spelling.chars().all(|c| ('\u{4E00}'..='\u{9FFF}').contains(&c)) {
            self.han(&spelling, chinese.get_or_insert_with(Chinese::new));
        } else if spelling.chars().all(|c| ('а'..='ё').contains(&c)) {
            self.cyrillic(&spelling);
        }
    }

    fn push(&mut self, spelling: String, flags: u8, folds: u16, adds: Evidence) {
        // An ending or an alias may make the longest terms longer than a pack takes.
        let fits = spelling.chars().count() <= PATTERN_LETTERS_MAX;
        if fits && self.spellings.len() < SPELLINGS_MAX && spelling != self.of.spelling {
            self.spellings.push(ParsedPattern {
                role: self.of.role,
                flags: self.of.flags | flags,
                spelling,
                folds,
                adds,
            });
        }
    }

    fn misspelt(&mut self, words: &[&str], at: usize, misspelling: &str) {
        self.push(with_word(words, at, misspelling), 0, QUIET, Evidence::MISSPELT);
    }

    /// An address in words, as in `example dot com`.
    fn address(&mut self, spelling: &str) {
        if !spelling.is_ascii() {
            return;
        }
        let between = |at: &usize| {
            let is_part = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
            is_part(spelling.as_bytes().get(at.wrapping_sub(1))) && is_part(spelling.as_bytes().get(at + 1))
        };
        let dots: Vec<usize> = spelling.match_indices('.').map(|(at, _)| at).filter(between).collect();
        for named in [&dots[..], &dots[dots.len().saturating_sub(1)..]] {
            let mut written = String::new();
            for (at, c) in spelling.char_indices() {
                if named.contains(&at) { written.push_str(" dot ") } else { written.push(c) }
            }
            self.push(written, 0, Evidence::STANDARD.0, Evidence::ENCODED);
            if dots.len() < 2 {
                break;
            }
        }
        if let Some(rest) = spelling.strip_prefix("http").filter(|rest| rest.contains(':')) {
            self.push(format!("hxxp{rest}"), 0, Evidence::STANDARD.0, Evidence::ENCODED);
        }
    }

    /// A long number in words, as in `zero eight zero zero`.
    fn number(&mut self, spelling: &str) {
        let digits = spelling.bytes().filter(u8::is_ascii_digit).count();
        if digits < NUMBER_DIGITS_MIN || spelling.bytes().any(|byte| byte.is_ascii_alphabetic() || byte >= 0x80) {
            return;
        }
        let words: Vec<&str> =
            spelling.chars().filter_map(|c| c.to_digit(10)).map(|digit| DIGITS[digit as usize]).collect();
        self.push(words.join(" "), 0, QUIET, Evidence::ENCODED);
    }

    /// A word or phrase of a script with spaces.
    fn spaced(&mut self, words: &[&str]) {
        if self.of.flags & START_OPEN != 0 {
            // Found by windows, which have no misspellings: each is a pattern.
            for (at, &word) in words.iter().enumerate() {
                for misspelling in misspellings(word, Place::Open).iter().filter(|misspelling| !misspelling.is_ordinary)
                {
                    self.misspelt(words, at, &misspelling.letters.iter().collect::<String>());
                }
            }
        } else {
            let misspelt = ParsedPattern {
                flags: self.of.flags | MISSPELT,
                folds: QUIET,
                adds: Evidence::MISSPELT,
                ..self.of.clone()
            };
            self.spellings.push(misspelt);
        }
        for (at, &word) in words.iter().enumerate() {
            if let Some(noun) = word.strip_prefix("ال").filter(|noun| noun.chars().count() >= ARTICLE_LETTERS_MIN) {
                self.misspelt(words, at, noun);
            }
            let by_sound: Vec<String> = sounding_alike(word).collect();
            let by_two_sounds = by_sound.iter().flat_map(|once| sounding_alike(once)).filter(|twice| twice != word);
            let others: Vec<String> = by_two_sounds.chain(by_sound.iter().cloned()).collect();
            for other in others.iter().filter(|other| !ordinary::is_english(other)) {
                self.misspelt(words, at, other);
            }
        }
        for first in 0..words.len() {
            for end in first + 2..=words.len() {
                let joined = words[first..end].concat();
                if joined.chars().count() >= JOINED_LETTERS_MIN && !ordinary::is_english(&joined) {
                    let rest: Vec<&str> = [&words[..first], &[&joined], &words[end..]].concat();
                    self.push(rest.join(" "), 0, Evidence::STANDARD.0, Evidence::MISSPELT);
                }
            }
        }
        if words.len() > 1 {
            self.short(words);
        }
        if let &[word] = words
            && GLUE.iter().any(|glue| [[glue, word], [word, glue]].iter().any(|two| ordinary::has_forms(&two.concat())))
        {
            self.is_glued_in_words = true;
        }
        if let &[word] = words
            && word.chars().count() >= MISSPELT_LETTERS_MIN
            && self.of.flags & (START_OPEN | END_OPEN) == 0
        {
            self.cut(words, 0);
        }
        for (at, word) in words.iter().enumerate().filter(|_| words.len() > 1) {
            if word.chars().count() >= CUT_LETTERS_MIN {
                self.cut(words, at);
            }
        }
    }

    /// A phrase with one of its words, or all, as in short messages.
    fn short(&mut self, words: &[&str]) {
        let forms = |word: &str| SHORT.iter().find(|(of, _)| *of == word).map(|(_, forms)| *forms);
        let all: Vec<&str> = words.iter().map(|word| forms(word).map_or(*word, |forms| forms[0])).collect();
        let each = words
            .iter()
            .enumerate()
            .flat_map(|(at, word)| forms(word).unwrap_or_default().iter().map(move |form| with_word(words, at, form)));
        let mut spellings: Vec<String> = each.chain([all.join(" ")]).collect();
        spellings.sort_unstable();
        spellings.dedup();
        for spelling in spellings {
            self.push(spelling, 0, Evidence::STANDARD.0, Evidence::ALIAS);
        }
    }

    /// A word or phrase of letters a to z.
    fn latin(&mut self, words: &[&str]) {
        let (last, is_closed) = (words.len().saturating_sub(1), self.of.flags & END_OPEN == 0);
        if let Some(word) = words.last().filter(|word| word.len() >= MISSPELT_LETTERS_MIN && is_closed) {
            let stem = word.strip_suffix('e').unwrap_or(word);
            for ending in ["s", "es", "z", "ed", "er", "ers", "ing"] {
                let is_plural = matches!(ending, "s" | "es" | "z");
                let inflected = format!("{}{ending}", if is_plural { word } else { stem });
                // A plural is what the term names; `pricked` is another word.
                if is_plural || !ordinary::is_english(&inflected) {
                    self.misspelt(words, last, &inflected);
                }
            }
        }
        if let &[word] = words
            && word.len() >= MISSPELT_LETTERS_MIN
            && self.of.flags & (START_OPEN | END_OPEN) == 0
        {
            for coded in [rot13(word), pig_latin(word), word.chars().rev().collect()] {
                if !ordinary::is_english(&coded) {
                    self.push(coded, 0, QUIET, Evidence::ENCODED);
                }
            }
        }
    }

    /// A word cut in two, unless both are words: `the rapist` is two. In a phrase the others tell, and of two letters
    /// too much is a word somewhere.
    fn cut(&mut self, words: &[&str], at: usize) {
        let word = words[at];
        let is_word =
            |half: &str| ordinary::is_english(half) && (words.len() == 1 || half.chars().count() >= HALF_LETTERS_MIN);
        for (cut, _) in word.char_indices().skip(1) {
            let (first, second) = word.split_at(cut);
            if !is_word(first) || !is_word(second) {
                self.misspelt(words, at, &format!("{first} {second}"));
            }
        }
    }

    /// A term that is all Han.
    fn han(&mut self, term: &str, chinese: &Chinese) {
        let han: Vec<char> = term.chars().collect();
        if !(2..=HAN_MAX).contains(&han.len()) {
            return;
        }
        let is_word = |text: &[char]| <[char; 2]>::try_from(text).is_ok_and(|pair| chinese.is_word(pair));
        if han.len() <= 4 {
            let reversed: Vec<char> = han.iter().rev().copied().collect();
            if !is_word(&reversed) {
                self.push(reversed.iter().collect(), 0, QUIET, Evidence::ENCODED);
            }
        }

        // One character taken apart, several side by side, or all of them.
        let parts = |whole: char| ordinary::parts(whole).filter(|parts| !is_word(parts));
        for first in 0..han.len() {
            let lasts = if han.len() <= TAKEN_APART_MAX { han.len() } else { first + 1 };
            for last in (first..lasts).chain((first == 0 && lasts == 1).then_some(han.len() - 1)) {
                let within = &han[first..=last];
                if parts(within[0]).is_none() {
                    continue;
                }
                for is_typed in [false, true] {
                    let typed = |part: char| RADICALS.iter().find(|(form, _)| is_typed && *form == part);
                    let mut spelling: String = han[..first].iter().collect();
                    for &whole in within {
                        match parts(whole) {
                            Some(parts) => spelling.extend(parts.map(|part| typed(part).map_or(part, |typed| typed.1))),
                            None => spelling.push(whole),
                        }
                    }
                    spelling.extend(&han[last + 1..]);
                    if self.spellings.last().is_none_or(|before| before.spelling != spelling) {
                        self.push(spelling, 0, Evidence::STANDARD.0, Evidence::ENCODED);
                    }
                }
            }
        }

        // In letters. Between Han characters the sound itself is searched.
        if let Some(syllables) = chinese.syllables(term) {
            let syllables: Vec<&str> =
                syllables.iter().map(|&of| core::str::from_utf8(sounds::letters(of)).unwrap_or_default()).collect();
            // One character by its first letter alone, where the others tell.
            for (at, first) in syllables.iter().map(|syllable| syllable.chars().next()).enumerate() {
                if han.len() >= INITIAL_HAN_MIN {
                    let before = han[..at].iter().copied();
                    let spelling = before.chain(first).chain(han[at + 1..].iter().copied()).collect();
                    self.push(spelling, 0, QUIET, Evidence::SOUND);
                }
            }
            let joined = syllables.concat();
            if joined.len() >= JOINED_LETTERS_MIN && !ordinary::is_english(&joined) {
                self.push(joined, 0, QUIET | Evidence::SEPARATOR.0, Evidence::SOUND);
                self.push(syllables.join(" "), 0, QUIET, Evidence::SOUND);
            }
        }
    }

    fn cyrillic(&mut self, term: &str) {
        let mut latin = String::new();
        for letter in term.chars() {
            let at = letter as usize - 'а' as usize;
            let written = if letter == 'ё' { "e" } else { TRANSLITERATION.split(' ').nth(at).unwrap_or("_") };
            latin.extend(Some(written).filter(|written| *written != "_"));
        }
        if latin.len() >= MISSPELT_LETTERS_MIN && !ordinary::is_english(&latin) {
            self.push(latin, 0, QUIET | Evidence::SEPARATOR.0 | Evidence::LEET.0, Evidence::SOUND);
        }
    }

    /// Other words for things in the term.
    fn aliases(&mut self, term: &str) {
        for (name, aliases) in ALIASES {
            if !term.contains(name) {
                continue;
            }
            for alias in aliases {
                let mut spelling = term.replace(name, alias);
                if alias.len() <= 3 && term == name {
                    // An abbreviation alone may be anything, but not what is to be added.
                    spelling.insert(0, '加');
                }
                let is_latin = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphabetic());
                let mut flags = 0;
                // Of one letter a word may go on that is none of it.
                if is_latin(spelling.chars().next_back()) && !spelling.is_ascii() && alias.len() > 1 {
                    flags |= END_OPEN;
                }
                if is_latin(spelling.chars().next()) && !spelling.is_ascii() {
                    flags |= START_OPEN;
                }
                self.push(spelling, flags, Evidence::STANDARD.0, Evidence::ALIAS);
            }
        }
    }
}

fn is_spaced_letter(c: char) -> bool {
    c.is_alphabetic() && script(c.into()) == Script::Spaced
}

/// The words with another in place of one of them.
fn with_word(words: &[&str], at: usize, word: &str) -> String {
    let mut words = words.to_vec();
    words[at] = word;
    words.join(" ")
}

/// The word with one group of letters written as it also might be.
fn sounding_alike(word: &str) -> impl Iterator<Item = String> {
    let letters = word.chars().count();
    let long = ALIKE.iter().filter(move |_| letters >= MISSPELT_LETTERS_MIN).map(|alike| (alike, false));
    let short = ALIKE_SHORT.iter().filter(move |&&(_, letters_min, _)| letters >= letters_min);
    long.chain(short.map(|(alike, _, is_last)| (alike, *is_last))).flat_map(move |([from, to], is_last)| {
        let places = word.match_indices(from).filter(move |(at, _)| !is_last || at + from.len() == word.len());
        places.map(move |(at, _)| format!("{}{to}{}", &word[..at], &word[at + from.len()..]))
    })
}

fn rot13(word: &str) -> String {
    word.bytes().map(|letter| char::from(b'a' + (letter - b'a' + 13) % 26)).collect()
}

fn pig_latin(word: &str) -> String {
    match word.find(['a', 'e', 'i', 'o', 'u']) {
        Some(0) => format!("{word}way"),
        Some(vowel) => format!("{}{}ay", &word[vowel..], &word[..vowel]),
        None => word.to_owned(),
    }
}
