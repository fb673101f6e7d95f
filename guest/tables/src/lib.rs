//! Builds the fold table from published Unicode data. The table is checked in as
//! `guest/src/fold.bin`; this crate is how it came to be, and a test compares the two.
//!
//! Not for run time: the filter reads the finished table and knows no Unicode library.
//!
//! The format is documented where it is read, in `guest/src/fold.rs`. Tables of the compiler are in
//! files of their own here.

mod sounds;
mod words;

pub use sounds::{sounds, syllables};
pub use words::{common, ordinary, parts, short, splits};

use std::collections::BTreeMap;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::decompose_canonical;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};
use unicode_script::{Script, UnicodeScript as _};
use xxhash_rust::xxh3::xxh3_64;

/// Code points a page of the table covers.
const PAGE: u32 = 128;
/// Page index that stands for "every code point here is its own letter".
const PAGE_PLAIN: u16 = u16::MAX;
const CLASS_IGNORABLE: u16 = 0;
const CLASS_SEPARATOR: u16 = 1;
/// Letters a..z take the classes from here on, the digits follow.
const CLASS_FIRST_LETTER: u16 = 2;
/// Classes from here on are computed from the code point, not listed.
const CLASS_COMPUTED: u16 = 0x8000;

/// How a character came to its letter; the bits of `Evidence` in the guest.
const KIND_DIACRITIC: u8 = 1;
const KIND_STYLE: u8 = 2;
const KIND_LOOK_ALIKE: u8 = 32;
const KIND_VARIANT: u8 = 64;

/// Letters that stand for a letter of the alphabet and that no Unicode data decomposes, a to z.
const SMALL_CAPITALS: &str = "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘꞯʀꜱᴛᴜᴠᴡ\u{0}ʏᴢ";
const BRAILLE: &str = "⠁⠃⠉⠙⠑⠋⠛⠓⠊⠚⠅⠇⠍⠝⠕⠏⠟⠗⠎⠞⠥⠧⠺⠭⠽⠵";
/// First of 26 code points each: negative circled, negative squared, regional indicators.
const ALPHABETS: [u32; 3] = [0x1F150, 0x1F170, 0x1F1E6];

/// What the table says of one code point.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fold {
    Ignorable,
    Separator,
    /// `letter`: case and width folded. `class`: the letter whose class it shares.
    Letter {
        letter: char,
        class: char,
        kind: u8,
    },
}

/// The table's bytes, ready to be written to `guest/src/fold.bin`.
#[must_use]
pub fn fold_table() -> Vec<u8> {
    let folds: Vec<Option<Fold>> = (0..=char::MAX as u32).map(|c| char::from_u32(c).map(fold)).collect();
    let classes = number_classes(&folds);
    let class_of = |code: u32| match folds[code as usize] {
        None | Some(Fold::Separator) => CLASS_SEPARATOR,
        Some(Fold::Ignorable) => CLASS_IGNORABLE,
        Some(Fold::Letter { class, .. }) => classes.get(&class).copied().unwrap_or_else(|| computed_class(class)),
    };

    let mut index = Vec::new();
    let mut pages: Vec<u16> = Vec::new();
    let mut known: BTreeMap<Vec<u16>, u16> = BTreeMap::new();
    for first in (0..=char::MAX as u32).step_by(PAGE as usize) {
        let page: Vec<u16> = (first..first + PAGE).map(class_of).collect();
        let plain = (first..first + PAGE)
            .zip(&page)
            .all(|(c, &class)| char::from_u32(c).is_some_and(|c| class == computed_class(c)));
        index.push(if plain {
            PAGE_PLAIN
        } else {
            *known.entry(page).or_insert_with_key(|page| {
                pages.extend(page);
                u16::try_from(pages.len() / PAGE as usize - 1).expect("fewer than 65,535 pages")
            })
        });
    }

    let mut letters = Vec::new();
    for (code, fold) in (0u32..).zip(&folds) {
        if let Some(Fold::Letter { letter, kind, .. }) = *fold
            && (letter as u32 != code || kind != 0)
        {
            letters.push((code | u32::from(kind) << 24, letter as u32));
        }
    }

    let (major, minor, patch) = unicode_normalization::UNICODE_VERSION;
    let mut bytes = Vec::new();
    let counts = [index.len(), pages.len(), letters.len()].map(|n| u32::try_from(n).expect("small"));
    for word in [u32::from(major) << 16 | u32::from(minor) << 8 | u32::from(patch), counts[0], counts[1], counts[2]] {
        bytes.extend(word.to_le_bytes());
    }
    let mut body = Vec::new();
    index.iter().chain(&pages).for_each(|half| body.extend(half.to_le_bytes()));
    letters.iter().for_each(|(key, _)| body.extend(key.to_le_bytes()));
    letters.iter().for_each(|(_, letter)| body.extend(letter.to_le_bytes()));
    bytes.extend(xxh3_64(&body).to_le_bytes());
    bytes.extend(body);
    bytes
}

fn fold(c: char) -> Fold {
    if is_ignorable(c) {
        return Fold::Ignorable;
    }
    let plain = plain(c);
    if !is_letter(plain) {
        return Fold::Separator;
    }
    let mut kind = 0;
    if plain != c && !is_width_form(c) {
        kind |= KIND_STYLE;
    }
    let lower = lower(plain);
    let letter = variant(lower);
    if letter != lower {
        kind |= KIND_VARIANT;
    }
    let base = base(letter);
    if base != letter {
        kind |= KIND_DIACRITIC;
    }
    let class = look_alike(base).unwrap_or(base);
    if class != base {
        kind |= KIND_LOOK_ALIKE;
    }
    Fold::Letter { letter, class, kind }
}

/// The letter that a compatibility form stands for: full width, mathematical, circled, small capital…
fn plain(c: char) -> char {
    let in_alphabet = |position: usize| u8::try_from(position).ok().map(|position| char::from(b'a' + position));
    let special = [SMALL_CAPITALS, BRAILLE].iter().find_map(|alphabet| alphabet.chars().position(|of| of == c));
    let coded = ALPHABETS.iter().find_map(|first| (c as u32).checked_sub(*first).filter(|&position| position < 26));
    if let Some(letter) = special.or(coded.map(|position| position as usize)).and_then(in_alphabet) {
        return letter;
    }
    if let Some(digit) = circled_digit(c) {
        return digit;
    }
    if c.general_category() == GeneralCategory::DecimalNumber {
        // Decimal digits come in runs of ten, from zero on; runs follow each other without a gap.
        let before = (1..).take_while(|back| is_decimal(c as u32 - back)).count();
        return char::from(b'0' + u8::try_from(before % 10).expect("a digit"));
    }
    let compatible: Vec<char> = std::iter::once(c).nfkc().filter(|&c| !is_ignorable(c)).collect();
    match compatible[..] {
        [one] => one,
        // Parenthesised letters and digits, digits with a full stop.
        ['(', one, ')'] | [one, '.'] => one,
        _ => c,
    }
}

/// Digits in circles that no Unicode data decomposes: black, double, sans-serif.
fn circled_digit(c: char) -> Option<char> {
    let digit = match c as u32 {
        0x24FF | 0x1F10B | 0x1F10C => 0,
        // Each row is one to nine, and ten, which is two digits.
        code @ (0x2776..=0x2793 | 0x24F5..=0x24FE) => {
            let first = if code < 0x2776 { 0x24F5 } else { 0x2776 };
            Some((code - first) % 10 + 1).filter(|&digit| digit < 10)?
        }
        _ => return None,
    };
    char::from_digit(digit, 10)
}

fn is_decimal(code: u32) -> bool {
    char::from_u32(code).is_some_and(|c| c.general_category() == GeneralCategory::DecimalNumber)
}

/// The form of a letter that all its forms are searched by: simplified Han (OpenCC), Katakana, and of the Arabic
/// letters that are written one for the other at the end of words.
fn variant(c: char) -> char {
    match c {
        'ة' | 'ہ' | 'ھ' | 'ە' => 'ه',
        'ى' | 'ی' => 'ي',
        'ک' => 'ك',
        'ぁ'..='ゖ' => char::from_u32(c as u32 + 0x60).unwrap_or(c),
        '\u{3400}'..='\u{9FFF}' | '\u{20000}'..='\u{3FFFF}' => {
            let simplified = zhconv::zhconv(&c.to_string(), zhconv::Variant::ZhHans);
            let mut chars = simplified.chars();
            chars.next().filter(|_| chars.next().is_none()).unwrap_or(c)
        }
        _ => c,
    }
}

/// The letter a to z that a letter of another alphabet looks like, in lower case or upper (UTS #39).
fn look_alike(c: char) -> Option<char> {
    let alphabetic = matches!(
        c.script(),
        Script::Latin
            | Script::Greek
            | Script::Cyrillic
            | Script::Armenian
            | Script::Cherokee
            | Script::Coptic
            | Script::Lisu
            | Script::Common
    );
    if c.is_ascii() || !alphabetic {
        return None;
    }
    let upper: String = c.to_uppercase().collect();
    [c.to_string(), upper].iter().find_map(|form| {
        let mut skeleton = unicode_security::confusable_detection::skeleton(form).filter(|&c| !is_ignorable(c));
        let letter = skeleton.next().filter(char::is_ascii_alphabetic)?;
        skeleton.next().is_none().then(|| letter.to_ascii_lowercase())
    })
}

/// One-to-one lower case; `İ` and the like lose the mark that would make two characters.
fn lower(c: char) -> char {
    let mut lower = c.to_lowercase().filter(|&c| !is_ignorable(c));
    let first = lower.next().unwrap_or(c);
    let one = if lower.next().is_none() { first } else { c };
    // The final sigma is the same letter.
    if one == 'ς' { 'σ' } else { one }
}

/// The letter under the marks, where those are marks the filter ignores.
fn base(c: char) -> char {
    let mut first = None;
    let mut marks_only = true;
    decompose_canonical(c, |part| match first {
        None => first = Some(part),
        Some(_) => marks_only &= is_ignorable(part),
    });
    if marks_only { first.unwrap_or(c) } else { c }
}

fn is_letter(c: char) -> bool {
    use GeneralCategory as G;
    matches!(
        c.general_category(),
        G::UppercaseLetter
            | G::LowercaseLetter
            | G::TitlecaseLetter
            | G::ModifierLetter
            | G::OtherLetter
            | G::NonspacingMark
            | G::SpacingMark
            | G::DecimalNumber
            | G::LetterNumber
            | G::OtherNumber
    )
}

fn is_width_form(c: char) -> bool {
    matches!(c, '\u{FF00}'..='\u{FFEF}')
}

/// Invisible characters, format characters, and marks that sit on a letter of any script. Vowel
/// signs of Indic and South-East Asian scripts are letters: words differ by nothing else.
fn is_ignorable(c: char) -> bool {
    use GeneralCategory as G;
    let blank = matches!(
        c,
        '\u{AD}' | '\u{34F}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}'
            | '\u{640}' | '\u{2800}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFF8}'
            | '\u{E0000}'..='\u{E0FFF}'
    );
    let mark = matches!(c.general_category(), G::NonspacingMark | G::EnclosingMark)
        && matches!(
            c.script(),
            Script::Inherited
                | Script::Common
                | Script::Latin
                | Script::Greek
                | Script::Cyrillic
                | Script::Arabic
                | Script::Hebrew
        )
        || matches!(c, '\u{FF9E}' | '\u{FF9F}');
    let control = c.is_ascii_control() && !matches!(c, '\t'..='\r');
    blank || mark || control || matches!(c.general_category(), G::Format | G::PrivateUse)
}

/// ASCII letters and digits first, so that the commonest classes are the smallest numbers; then
/// every letter that more than one code point leads to, in order of appearance.
fn number_classes(folds: &[Option<Fold>]) -> BTreeMap<char, u16> {
    let mut classes = BTreeMap::new();
    let mut next = CLASS_FIRST_LETTER;
    let mut number = |classes: &mut BTreeMap<char, u16>, c: char| {
        classes.entry(c).or_insert_with(|| {
            next += 1;
            next - 1
        });
    };
    ('a'..='z').chain('0'..='9').for_each(|c| number(&mut classes, c));
    for (code, fold) in (0u32..).zip(folds) {
        if let Some(Fold::Letter { class, .. }) = *fold
            && class as u32 != code
            && !keeps_computed_class(class)
        {
            number(&mut classes, class);
        }
    }
    // Alphabets whose letters stand alone still get small numbers: they are what text is made of.
    for (code, fold) in (0u32..0x3000).zip(folds) {
        if let Some(Fold::Letter { class, .. }) = *fold
            && class as u32 == code
        {
            number(&mut classes, class);
        }
    }
    assert!(next < CLASS_COMPUTED, "{next} classes do not fit below the computed ones");
    classes
}

/// Han and Hangul are too many to list: their class is computed, and a code point that leads to
/// one of them (a compatibility ideograph) takes the computed class of its target.
fn keeps_computed_class(c: char) -> bool {
    matches!(c as u32, 0x3400..=0x9FFF | 0xAC00..=0xD7A3 | 0x20000..)
}

fn computed_class(c: char) -> u16 {
    CLASS_COMPUTED | u16::try_from(c as u32 & 0x7FFF).expect("masked")
}
