//! Lists and messages: generated, the same on every machine, or read from the folder of real data. The
//! generated terms resemble the messages in their parts, as real lists do, and occur in none of them,
//! except for a few baits.

use std::collections::HashSet;
use std::fs;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::path::Path;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::{DATA_VARIABLE, data_folder};

/// Where terms come from. A generated list has that many, the baits included.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Terms {
    /// A file of the data folder, one term a line.
    File(String),
    /// Made-up words with the letter statistics of the SMS; one in ten has a real word before it.
    Words(usize),
    /// Strings of 2 to 4 Han characters.
    Han(usize),
    /// Half words, half Han strings.
    Mixed(usize),
}

/// Where texts come from. The generators take how many.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Texts {
    /// A file of the data folder: JSON Lines with `text`.
    File(String),
    /// The SMS of `tests/data`, over and over, each time in another order and with other words made up.
    Sms(usize),
    /// Made-up Chinese, as long as SMS are.
    Han(usize),
    /// Nothing at all, for what a message costs beside its text.
    Empty(usize),
    /// Nothing but terms.
    Terms(usize),
    /// Terms with the last character changed: nearly all windows of the list occur, hardly a term.
    NearMiss(usize),
    /// Terms with a letter glued to either side: all symbols of the terms occur, no word border does.
    Embedded(usize),
    /// `@$@$…`, which may be letters.
    Signs(usize),
    /// One letter, repeated.
    OneLetter(usize),
    /// The same SMS with an invisible character between any two.
    ZeroWidth(usize),
}

/// Words that occur in the SMS: by themselves in about 2 % of them, within others in more.
const BAITS_WORDS: [&str; 6] = ["ringtone", "winner", "voucher", "dating", "unsubscribe", "tit"];
/// Strings that are put into the generated Chinese.
const BAITS_HAN: [&str; 4] = ["澳门赌场", "代开发票", "刷单兼职", "秒批贷款"];
/// One generated Chinese text in so many holds a bait.
const BAIT_EVERY: usize = 50;
/// One word of the SMS in so many is replaced by a made-up one. Then 4,000 of them have as many different
/// words as 4,000 real ones; 400 repeated would stay in a cache that real ones leave.
const MADE_UP_EVERY: usize = 8;
/// How many made-up words there are.
const MADE_UP_WORDS: usize = 8_000;
/// Length of texts that are put together from pieces, in bytes: the mean of the SMS.
const PIECES_BYTES: usize = 80;
/// One generated term in so many is a phrase: a word of the SMS and a made-up one.
const PHRASE_EVERY: usize = 10;
/// Lengths of generated words, in letters.
const WORD_LETTERS: std::ops::RangeInclusive<usize> = 4..=14;

/// Common Han characters, the most common first.
const HAN_COMMON: &str = "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里\
    用道行所然家种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无\
    力它与长把机十民第公此已工使情明性知全三又关点正业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或\
    新己制身果加西斯月话合回特代内信表化老给世位次度门任常先海通教儿原东声提立及比员解水名真论处走义各入几口认条平\
    系气题活尔更别打女变四神总何电数安少报才结反受目太量再感建务做接必场件计管期市直德资命山金指克许统区保至队形社\
    便空决治展马科司五基眼书非则听白却界达光放强即像难且权思王象完设式色路记南品住告类求据程北边死张该交规万取拉格\
    望觉术领共确传师观清今切院让识候带导争运";

impl Terms {
    /// The file, if it is one.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        match self {
            Terms::File(file) => Some(file),
            _ => None,
        }
    }

    pub(crate) fn load(&self) -> Vec<String> {
        let random = &mut Random(1);
        match *self {
            Terms::File(ref file) => read(file).lines().filter(|line| !line.is_empty()).map(str::to_owned).collect(),
            Terms::Words(count) => words(count, random),
            Terms::Han(count) => han_terms(count, random),
            Terms::Mixed(count) => {
                let mut terms = words(count / 2, random);
                terms.extend(han_terms(count - count / 2, random));
                terms
            }
        }
    }
}

impl Texts {
    /// The file, if it is one.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        match self {
            Texts::File(file) => Some(file),
            _ => None,
        }
    }

    pub(crate) fn load<'t>(&self, terms: impl FnOnce() -> &'t [String]) -> Vec<String> {
        let random = &mut Random(2);
        match *self {
            Texts::File(ref file) => read_texts(&read(file)),
            Texts::Sms(count) => sms(count, random),
            Texts::Han(count) => han_texts(count),
            Texts::Empty(count) => vec![String::new(); count],
            Texts::Terms(count) => from_pieces(count, terms(), random, str::to_owned),
            Texts::NearMiss(count) => {
                let terms = terms();
                let spelled: HashSet<Vec<char>> = terms.iter().map(|term| letters(term)).collect();
                from_pieces(count, terms, random, |term| near_miss(term, &spelled))
            }
            Texts::Embedded(count) => from_pieces(count, terms(), random, |term| format!("q{term}q")),
            Texts::Signs(count) => vec!["@$".repeat(PIECES_BYTES / 2); count],
            Texts::OneLetter(count) => vec!["a".repeat(PIECES_BYTES); count],
            Texts::ZeroWidth(count) => {
                let spread = |text: &String| text.chars().flat_map(|c| [c, '\u{200B}']).collect();
                sms(count, random).iter().map(spread).collect()
            }
        }
    }
}

/// The texts, again and again, as one of at most `bytes`.
pub(crate) fn joined(texts: &[String], bytes: usize) -> String {
    let mut joined = String::with_capacity(bytes);
    for text in texts.iter().cycle() {
        if joined.len() + text.len() + 1 > bytes {
            break;
        }
        joined.push_str(text);
        joined.push(' ');
    }
    joined
}

fn read(file: &str) -> String {
    let folder = data_folder().unwrap_or_else(|| panic!("{file} is in the folder that {DATA_VARIABLE} names"));
    let path = folder.join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn read_texts(lines: &str) -> Vec<String> {
    #[derive(Deserialize)]
    struct Line {
        text: String,
    }
    let parse = |line| serde_json::from_str(line).map(|line: Line| line.text);
    lines.lines().map(|line| parse(line).unwrap_or_else(|error| panic!("{error} in {line}"))).collect()
}

/// The SMS as they are.
fn real_sms() -> &'static [String] {
    static SMS: LazyLock<Vec<String>> = LazyLock::new(|| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/sms.jsonl");
        read_texts(&fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
    });
    &SMS
}

fn sms(count: usize, random: &mut Random) -> Vec<String> {
    let mut round: Vec<&String> = real_sms().iter().collect();
    let mut texts = Vec::new();
    while texts.len() < count {
        random.shuffle(&mut round);
        for text in round.iter().take(count - texts.len()) {
            let replaced = text.split(' ').map(|word| match random.below(MADE_UP_EVERY) {
                0 => &made_up_words()[random.below(MADE_UP_WORDS)],
                _ => word,
            });
            texts.push(replaced.collect::<Vec<&str>>().join(" "));
        }
    }
    texts
}

/// Words of the SMS that are not in them.
fn made_up_words() -> &'static [String] {
    static WORDS: LazyLock<Vec<String>> = LazyLock::new(|| {
        let random = &mut Random(4);
        distinct(MADE_UP_WORDS, &[], || Some(chain().word(random)).filter(|word| word.len() > 1))
    });
    &WORDS
}

/// Made-up Chinese; the same whatever was drawn before, because terms must not occur in it.
fn han_texts(count: usize) -> Vec<String> {
    let random = &mut Random(3);
    let text = |number: usize| {
        let mut text = String::new();
        for character in 0..8 + random.below(24) {
            match random.below(10) {
                0 if character > 0 => text.push(random.pick(&['，', '。', '！', ' ', '8'])),
                _ => text.push(han(random)),
            }
        }
        if number.is_multiple_of(BAIT_EVERY) {
            text.push_str(random.pick(&BAITS_HAN));
        }
        text
    };
    (0..count).map(text).collect()
}

/// A Han character: two in three are common ones, the most common most often, as in real texts.
fn han(random: &mut Random) -> char {
    static COMMON: LazyLock<Vec<char>> = LazyLock::new(|| HAN_COMMON.chars().collect());
    if random.below(3) == 0 {
        // 2,700 others, from all over the unified ideographs.
        return char::from_u32(0x4E00 + 7 * random.below(2_700) as u32).unwrap_or('中');
    }
    let limit = 1 + random.below(COMMON.len());
    COMMON[random.below(limit)]
}

fn han_terms(count: usize, random: &mut Random) -> Vec<String> {
    static OCCURRING: LazyLock<Occurring> = LazyLock::new(|| Occurring::new(&han_texts(4_000), 4));
    distinct(count, &BAITS_HAN, || {
        let length = random.pick(&[2, 3, 3, 3, 4, 4, 4, 4]);
        let term: String = (0..length).map(|_| han(random)).collect();
        (!OCCURRING.contains(&term)).then_some(term)
    })
}

fn words(count: usize, random: &mut Random) -> Vec<String> {
    static OCCURRING: LazyLock<Occurring> =
        LazyLock::new(|| Occurring::new(real_sms().iter().chain(made_up_words()), *WORD_LETTERS.end()));
    let lower: Vec<String> = real_sms().iter().map(|text| text.to_ascii_lowercase()).collect();
    let all = lower.iter().flat_map(|text| text.split(|c: char| !c.is_ascii_lowercase()));
    let mut vocabulary: Vec<&str> = all.filter(|word| word.len() >= 3).collect();
    vocabulary.sort_unstable();
    vocabulary.dedup();
    // Few words begin many phrases, as in real lists.
    let vocabulary: Vec<&str> = vocabulary.into_iter().step_by(6).collect();
    distinct(count, &BAITS_WORDS, || {
        let word = chain().word(random);
        let taken = WORD_LETTERS.contains(&word.len()) && !OCCURRING.contains(&word);
        taken.then(|| match random.below(PHRASE_EVERY) {
            0 => format!("{} {word}", random.pick(&vocabulary)),
            _ => word,
        })
    })
}

/// The baits and what `make` gives, until there are `count`, none of them twice.
fn distinct(count: usize, baits: &[&str], mut make: impl FnMut() -> Option<String>) -> Vec<String> {
    let mut terms: Vec<String> = baits.iter().map(|&bait| bait.to_owned()).collect();
    let mut seen: HashSet<String> = terms.iter().cloned().collect();
    while terms.len() < count {
        if let Some(term) = make()
            && seen.insert(term.clone())
        {
            terms.push(term);
        }
    }
    terms
}

/// Everything that occurs in texts, once separators and repeats are gone: `shot` occurs in `Shoot`.
#[derive(Debug)]
struct Occurring {
    /// By hash: a false "occurs" costs one made-up term.
    hashes: HashSet<u64>,
    // Without a seed, so that lists are the same in every process.
    hasher: BuildHasherDefault<DefaultHasher>,
}

impl Occurring {
    fn new<'t>(texts: impl IntoIterator<Item = &'t String>, letters_max: usize) -> Occurring {
        let mut occurring = Occurring { hashes: HashSet::new(), hasher: BuildHasherDefault::default() };
        for text in texts {
            let letters = letters(text);
            for from in 0..letters.len() {
                for end in from + 1..=letters.len().min(from + letters_max) {
                    occurring.hashes.insert(occurring.hasher.hash_one(&letters[from..end]));
                }
            }
        }
        occurring
    }

    fn contains(&self, term: &str) -> bool {
        self.hashes.contains(&self.hasher.hash_one(&letters(term)[..]))
    }
}

/// The letters of a text, without repeats.
fn letters(text: &str) -> Vec<char> {
    let mut letters: Vec<char> = text.chars().filter(|c| c.is_alphabetic()).map(|c| c.to_ascii_lowercase()).collect();
    letters.dedup();
    letters
}

/// Which letter follows which two, as often as it does in the SMS.
fn chain() -> &'static Chain {
    static CHAIN: LazyLock<Chain> = LazyLock::new(|| Chain::new(real_sms()));
    &CHAIN
}

struct Chain {
    followers: Vec<Vec<u8>>,
}

impl Chain {
    const BORDER: u8 = b'a' - 1;
    const LETTERS: usize = 27;

    fn new(texts: &[String]) -> Chain {
        let mut followers = vec![Vec::new(); Chain::LETTERS * Chain::LETTERS];
        for text in texts {
            let text = text.to_ascii_lowercase();
            for word in text.split(|c: char| !c.is_ascii_lowercase()).filter(|word| !word.is_empty()) {
                let (mut before, mut last) = (Chain::BORDER, Chain::BORDER);
                for next in word.bytes().chain([Chain::BORDER]) {
                    followers[Chain::at(before, last)].push(next);
                    (before, last) = (last, next);
                }
            }
        }
        Chain { followers }
    }

    fn at(before: u8, last: u8) -> usize {
        usize::from(before - Chain::BORDER) * Chain::LETTERS + usize::from(last - Chain::BORDER)
    }

    fn word(&self, random: &mut Random) -> String {
        let mut word = String::new();
        let (mut before, mut last) = (Chain::BORDER, Chain::BORDER);
        loop {
            let next = random.pick(&self.followers[Chain::at(before, last)]);
            if next == Chain::BORDER {
                return word;
            }
            word.push(char::from(next));
            (before, last) = (last, next);
        }
    }
}

/// Texts of [`PIECES_BYTES`] at least, made of terms in random order.
fn from_pieces(count: usize, terms: &[String], random: &mut Random, piece: impl Fn(&str) -> String) -> Vec<String> {
    let mut text = || {
        let mut text = String::new();
        while text.len() < PIECES_BYTES {
            text.push_str(&piece(&terms[random.below(terms.len())]));
            text.push(' ');
        }
        text
    };
    (0..count).map(|_| text()).collect()
}

/// The term with another last character, so that it is none of those `spelled`.
fn near_miss(term: &str, spelled: &HashSet<Vec<char>>) -> String {
    let mut characters: Vec<char> = term.chars().collect();
    let mut last = characters.pop().unwrap_or('a');
    loop {
        last = match last {
            'z' => 'a',
            // The next character of the same block, which exists for letters and for Han.
            c => char::from_u32(c as u32 + 1).unwrap_or('a'),
        };
        let missed: String = characters.iter().chain([&last]).collect();
        if !spelled.contains(&letters(&missed)) {
            return missed;
        }
    }
}

/// Gives the same numbers everywhere: `SplitMix64` (Steele, Lea, Flood, 2014).
#[derive(Clone, Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    /// A number below `limit`, which must not be 0.
    fn below(&mut self, limit: usize) -> usize {
        // The remainder is below a usize.
        (self.next() % limit as u64) as usize
    }

    fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    fn shuffle<T>(&mut self, all: &mut [T]) {
        for end in (1..all.len()).rev() {
            all.swap(end, self.below(end + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_baits_occur_in_the_messages() {
        for (terms, texts, baits) in [
            (Terms::Words(2000), Texts::Sms(400), &BAITS_WORDS[..]),
            (Terms::Han(2000), Texts::Han(400), &BAITS_HAN[..]),
        ] {
            let (terms, texts) = (terms.load(), texts.load(|| &[]));
            assert_eq!((terms.len(), texts.len()), (2000, 400));
            let texts = texts.join("\n").to_ascii_lowercase();
            for term in &terms {
                assert_eq!(texts.contains(term), baits.contains(&term.as_str()), "{term}");
            }
        }
    }

    #[test]
    fn a_list_is_the_same_each_time() {
        let terms = Terms::Mixed(1000);
        assert_eq!(terms.load(), terms.load());
    }
}
