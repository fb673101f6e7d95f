//! Texts made to cost the scan as much as they can, and lists for them to be scanned against: the same on every
//! machine. Each family goes for one thing that the scan does more of when a text is odd. Not for what it may
//! cost; that is in `adversarial.rs`. The same texts, shorter, are where the fuzzer begins.

use std::fmt;

use tamis_guest::compile::{ListSource, Taxonomy, Variants, compile, compile_terms_as};

use crate::{Random, accept, list_toml};

/// A list, and the spellings it holds for texts to play with.
pub struct Shape {
    /// What is shown of it.
    pub name: &'static str,
    /// Words and phrases of the list without the signs of the syntax.
    pub spellings: Vec<String>,
    /// Terms, as a moderator writes them.
    pub terms: Vec<String>,
    /// Texts in which the terms do not fire.
    pub allow: Vec<String>,
    /// How far the terms are looked for.
    pub variants: Variants,
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shape").field("name", &self.name).field("terms", &self.terms.len()).finish_non_exhaustive()
    }
}

impl Shape {
    /// Whether texts made of its spellings are Chinese, and so compared with plain Chinese.
    #[must_use]
    pub fn is_han(&self) -> bool {
        self.spellings.iter().all(|spelling| spelling.chars().all(|c| c >= '\u{4E00}'))
    }

    /// The compiled list.
    #[must_use]
    pub fn pack(&self) -> Vec<u8> {
        accept(if self.allow.is_empty() {
            compile_terms_as("terms.txt", &self.terms.join("\n"), self.variants)
        } else {
            compile(
                &[ListSource { path: "list.toml", text: &list_toml(&self.terms, &self.allow, None) }],
                &Taxonomy::custom(),
                tamis_host::today(),
            )
        })
    }
}

/// Lists of every kind of key: whole words, words that begin or contain, Han, all variants, several parts, consonants.
#[must_use]
pub fn shapes() -> Vec<Shape> {
    let mut random = Random(1);
    let mut words = |count: usize| -> Vec<String> { (0..count).map(|_| word(&mut random)).collect() };
    let plain = words(1000);
    let affixed = words(600);
    let aggressive = words(150);
    let parts = words(300);
    let mut random = Random(2);
    let mut han = |count: usize| -> Vec<String> { (0..count).map(|_| han_word(&mut random)).collect() };
    let (han_plain, han_aggressive) = (han(2000), han(150));
    let mut random = Random(4);
    let arabic: Vec<String> = (0..150).map(|_| arabic_word(&mut random)).collect();

    let phrase = |(at, word): (usize, &String)| {
        if at % 10 == 9 { format!("{word} {}", plain[at - 1]) } else { word.clone() }
    };
    let affix = |(at, word): (usize, &String)| match at % 3 {
        0 => format!("{word}*"),
        1 => format!("*{word}*"),
        _ => format!("*{word}"),
    };
    let several = |at: usize| {
        let word = |step: usize| &parts[(at * 7 + step) % 60];
        match at % 4 {
            0 => format!("{}&{}", word(0), word(1)),
            1 => format!("{}~{}", parts[at], word(2)),
            2 => format!("{{{}|{}}}&{}&{}", word(3), word(4), word(5), parts[at]),
            _ => parts[at].clone(),
        }
    };
    let allow = |at: usize| format!("{} {}", parts[at * 4 + 3], parts[at]);
    let shape = |name, spellings: &[String], terms, variants| Shape {
        name,
        spellings: spellings.to_vec(),
        terms,
        allow: Vec::new(),
        variants,
    };
    let both = [&aggressive[..], &han_aggressive].concat();
    vec![
        shape("words", &plain, plain.iter().enumerate().map(phrase).collect(), Variants::Standard),
        shape("affixes", &affixed, affixed.iter().enumerate().map(affix).collect(), Variants::Standard),
        shape("han", &han_plain, han_plain.clone(), Variants::Standard),
        shape("aggressive", &both, both.clone(), Variants::Aggressive),
        Shape {
            allow: (0..60).map(allow).collect(),
            ..shape("parts", &parts, (0..300).map(several).collect(), Variants::Standard)
        },
        shape("arabic", &arabic, arabic.clone(), Variants::Aggressive),
    ]
}

/// Made-up words that share beginnings and letters, as real lists do.
fn word(random: &mut Random) -> String {
    let syllables = 2 + random.below(3);
    (0..syllables)
        .map(|_| random.pick(&["ca", "si", "no", "lo", "tte", "ry", "vi", "ag", "ra", "ban", "ko", "pre"]))
        .collect()
}

/// Strings of two to four of few characters.
fn han_word(random: &mut Random) -> String {
    (0..2 + random.below(3)).map(|_| han_character(random)).collect()
}

fn han_character(random: &mut Random) -> char {
    const CHARACTERS: &str =
        "赌博地下场代开发票刷单兼职秒批贷款的一是不了在人有我他这个们中来上大为和国到以说时要就出会可也你";
    CHARACTERS.chars().nth(random.below(CHARACTERS.chars().count())).unwrap_or('的')
}

/// Strings of four to seven letters, one of them now and then a vowel.
fn arabic_word(random: &mut Random) -> String {
    const LETTERS: &str = "بتقرسملنفكحخعشاوي";
    let count = LETTERS.chars().count();
    (0..4 + random.below(4)).map(|_| LETTERS.chars().nth(random.below(count)).unwrap_or('ب')).collect()
}

/// One way of being hard to scan.
#[derive(Clone, Copy)]
pub struct Family {
    /// What is shown of it.
    pub name: &'static str,
    /// Whether its texts are Chinese, and so compared with plain Chinese.
    pub is_han: bool,
    piece: fn(&mut Random, &str) -> Vec<u8>,
}

impl fmt::Debug for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Family {
    /// A text of `bytes` bytes, the last of them spaces where no more fits. A longer one of the same seed begins the
    /// same.
    #[must_use]
    pub fn text(&self, shape: &Shape, seed: u64, bytes: usize) -> Vec<u8> {
        let mut random = Random(seed);
        let mut text = Vec::with_capacity(bytes);
        loop {
            let spelling = &shape.spellings[random.below(shape.spellings.len())];
            let piece = (self.piece)(&mut random, spelling);
            // A character cut in two would be another kind of text.
            if text.len() + piece.len() > bytes {
                text.resize(bytes, b' ');
                return text;
            }
            text.extend(piece);
        }
    }
}

const fn family(name: &'static str, piece: fn(&mut Random, &str) -> Vec<u8>) -> Family {
    Family { name, is_han: false, piece }
}

const fn han_family(name: &'static str, piece: fn(&mut Random, &str) -> Vec<u8>) -> Family {
    Family { name, is_han: true, piece }
}

/// All families.
pub const FAMILIES: [Family; 44] = [
    family("terms", |_, word| format!("{word} ").into()),
    family("last letter changed", |random, word| format!("{}{} ", cut(word, 1), letter(random)).into()),
    family("first letter changed", |random, word| format!("{}{} ", letter(random), rest(word)).into()),
    family("letter glued to either side", |random, word| format!("{0}{word}{0} ", letter(random)).into()),
    family("terms without spaces", |_, word| word.into()),
    family("terms spaced out", |_, word| joined(word, " ").into()),
    family("terms spaced out, near miss", |random, word| {
        format!("{} {} ", joined(cut(word, 1), " "), letter(random)).into()
    }),
    family("single letters", |random, _| format!("{} ", random.pick(&["a", "c", "s", "1"])).into()),
    family("a.1", |_, _| "a.1".into()),
    family("letter, digit, sign", |random, _| random.pick(&["a", "c", "1", "0", "@", "$", "!", "(", "o", "4"]).into()),
    family("letter and digit in turn", |random, _| format!("{}{}", letter(random), random.below(10)).into()),
    family("digits for letters", |_, word| format!("{} ", leet(word)).into()),
    family("digits for letters, near miss", |random, word| format!("{}{} ", leet(cut(word, 1)), letter(random)).into()),
    family("signs", |random, _| random.pick(&["@", "$", "!", "|", "+", "(", "<", "€"]).into()),
    family("pieces joined by points", |random, word| {
        format!("{}{}", joined(word, "."), random.pick(&[".", "-", "_", "'"])).into()
    }),
    family("pairs joined by points", |_, word| pairs(word, ".").into()),
    family("camel case", |_, word| pairs(word, "").into()),
    family("upper and lower in turn", |_, word| camel(word).into()),
    family("a mark on each letter", |_, word| format!("{} ", joined(word, "\u{301}")).into()),
    family("many marks on each letter", |_, word| joined(word, &"\u{301}\u{302}".repeat(20)).into()),
    family("marks only", |random, _| random.pick(&["\u{301}", "\u{335}", "\u{20D2}"]).into()),
    family("invisible between", |_, word| format!("{} ", joined(word, "\u{200B}\u{2060}")).into()),
    family("separators", |random, _| random.pick(&[".", " ", "-", "…", "。", "\n", "·"]).into()),
    family("four separators between", |_, word| joined(word, "-*-*").into()),
    family("letters drawn out", |random, word| {
        word.chars().flat_map(|c| std::iter::repeat_n(c, 1 + random.below(9))).chain([' ']).collect::<String>().into()
    }),
    family("one letter", |_, _| "a".into()),
    family("long words", |random, _| random.pick(&["ab", "ac", "ca", "casi"]).into()),
    family("long words, letters of two alphabets", |random, _| {
        format!("{}{}", "a".repeat(20 + random.below(40)), random.pick(&["б", "ж", "а"])).into()
    }),
    family("digits", |random, _| format!("{} {}", random.below(1000), random.below(10)).into()),
    family("entities", |random, word| {
        let coded = |c: char| match random.below(3) {
            0 => format!("&#{};", c as u32),
            1 => format!("&amp;#x{:x}", c as u32),
            _ => format!("&#&#{}", c as u32),
        };
        word.chars().map(coded).collect::<String>().into()
    }),
    family("percent signs and escapes", |random, word| {
        let coded = |byte: u8| match random.below(4) {
            0 => format!("%{byte:02x}"),
            1 => format!("%25{byte:02x}"),
            2 => format!("\\u00{byte:02x}"),
            _ => "\\/\\".to_owned(),
        };
        word.bytes().map(coded).collect::<String>().into()
    }),
    family("tags", |random, word| {
        format!("{}{word}", random.pick(&["<b>", "<a <a <a ", "</i>", "<", "<a href=", "<z"])).into()
    }),
    family("base64", |random, _| {
        let character = |random: &mut Random| {
            const CHARACTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
            CHARACTERS[random.below(CHARACTERS.len())]
        };
        let length = [7, 8, 40, 400, 4096, 4097][random.below(6)];
        (0..length).map(|_| character(random)).chain([b' ']).collect()
    }),
    family("against the direction", |random, word| {
        format!("{}{word}", random.pick(&["\u{202E}", "\u{202E}\u{202E}", "\u{202C}", "\u{202D}"])).into()
    }),
    family("upside down", |random, _| random.pick(&["ɐ", "ɔ", "s", "ᴉ", "u", "o"]).into()),
    family("Arabic in Latin letters", |random, _| {
        random
            .pick(&["b", "t", "2", "r", "s", "m", "l", "n", "f", "k", "7", "5", "3", "sh", "a", "e ", " ", "ب", "ر"])
            .into()
    }),
    family("vowels of Arabic", |random, _| random.pick(&["a ", "i", "wa ", "y", "u ", "h", "3", "b"]).into()),
    family("a consonant after many vowels", |_, _| format!("{}btqr", "ia ".repeat(300)).into()),
    family("flags and styles", |random, _| random.pick(&["🇨", "🇦", "🇸", "𝐜", "ⓐ", "ｓ", "\u{1F3FD}"]).into()),
    family("bytes that are not UTF-8", |random, word| {
        [word.as_bytes(), &[0x80 + u8::try_from(random.below(128)).unwrap_or(0)]].concat()
    }),
    han_family("Han, last character changed", |random, word| {
        let han: String = word.chars().filter(|c| !c.is_ascii()).collect();
        format!("{}{}", cut(&han, 1), han_character(random)).into()
    }),
    han_family("Han of the terms", |random, _| han_character(random).to_string().into()),
    han_family("Han with something between", |random, _| {
        format!("{}{}", han_character(random), random.pick(&["a", "1", "丶", "之", ".", "O", "三", "o"])).into()
    }),
    han_family("sounds", |random, _| {
        random.pick(&["赌", "du", "bo", "堵", "博", "ㄉㄨ", "ㄅㄛ", "渡", "播", " ", "dub", "xian", "zhuang"]).into()
    }),
];

fn letter(random: &mut Random) -> &'static str {
    random.pick(&["a", "e", "i", "o", "n", "r", "s", "t", "z"])
}

/// The spelling less its last characters.
fn cut(word: &str, characters: usize) -> &str {
    word.char_indices().rev().nth(characters.saturating_sub(1)).map_or("", |(at, _)| &word[..at])
}

/// The spelling less its first character.
fn rest(word: &str) -> &str {
    word.char_indices().nth(1).map_or("", |(at, _)| &word[at..])
}

/// The spelling with something after each character.
fn joined(word: &str, between: &str) -> String {
    word.chars().flat_map(|c| std::iter::once(c).chain(between.chars())).collect()
}

/// The spelling in pieces of two characters, each beginning in upper case.
fn pairs(word: &str, between: &str) -> String {
    let piece = |(at, c): (usize, char)| match at % 2 {
        0 => format!("{between}{}", c.to_ascii_uppercase()),
        _ => c.to_string(),
    };
    word.chars().enumerate().map(piece).collect()
}

fn camel(word: &str) -> String {
    word.chars().enumerate().map(|(at, c)| if at % 2 == 1 { c.to_ascii_uppercase() } else { c }).collect()
}

fn leet(word: &str) -> String {
    let digit = |c: char| match c {
        'a' => '4',
        'i' => '1',
        'o' => '0',
        's' => '$',
        't' => '+',
        c => c,
    };
    word.chars().map(digit).collect()
}

/// What people write: the SMS of `data`, over and over.
#[must_use]
pub fn plain_text(bytes: usize) -> Vec<u8> {
    crate::sms().join("\n").into_bytes().into_iter().cycle().take(bytes).collect()
}

/// Chinese without much in it: common characters, a mark now and then.
#[must_use]
pub fn plain_han(bytes: usize) -> Vec<u8> {
    let mut random = Random(3);
    let common: Vec<char> = HAN_COMMON.chars().collect();
    let mut text = String::new();
    while text.len() < bytes {
        text.push(if random.below(12) == 0 { '，' } else { common[random.below(common.len())] });
    }
    let mut text = text.into_bytes();
    text.truncate(bytes);
    text
}

/// Common characters, few of which are in the lists.
const HAN_COMMON: &str = "着于自之年过后作里用道行所然家种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前但因只从想实日军者意无力它与长把机十民第公此已工使情明性知全三又关点正业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加西斯月话合回特内信表化老给世位次度门任常先海通教儿原东声提立及比员解水名真论处走义各入几口认条平系气题活尔更别打女变四神总何电数安少报才结反受目太量再感建务做接必件计管期市直德资命山金指克许统区保至队形社便空决治展";
