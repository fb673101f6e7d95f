//! Verification: looks at the original characters behind a candidate and decides whether they spell
//! the pattern, by which folds, and whether words begin and end where they must. The search may
//! over-match; this may not.

use core::cell::OnceCell;

use crate::fold::{self, IGNORABLE, SEPARATOR, Script, decode, decode_before, script, symbol};
use crate::glue;
use crate::leet;
use crate::letters::{Letter, Letters};
use crate::misspelt;
use crate::pack::{END_OPEN, HAN_PAIR, LITERAL, MISSPELT, Pack, PatternRecord, START_OPEN, UNGLUED};
use crate::pieces::{GAP_CHARACTERS_MAX, case_parts};
use crate::search::{filter_bits, hash, pair_key};
use crate::{Evidence, Span};

/// Most separators between two words of a phrase.
const JOINT_CHARACTERS_MAX: u32 = 16;
/// Words of so many letters are not looked for in compounds.
const SHORT_WORD_LETTERS: u32 = 2;
/// From so many letters on, so many digits and signs may stand for letters for each that is plain; of fewer, one.
const LEET_LONG_LETTERS: u32 = 9;
const LEET_LONG_TIMES: u32 = 4;
/// The same of a term with all variants from so many letters on, if so many are plain.
const LEET_LETTERS_MIN: u32 = 5;
const LEET_PLAIN_MIN: u32 = 2;
/// Of a word of so many letters with a sign among them, which no code or number has.
const LEET_SIGNS_TIMES: u32 = 8;
/// A word with a letter masked has more than so many others.
const MASKED_LETTERS_MIN: u32 = 3;
/// Of so many letters that show one may be masked.
const MASKED_SHARE: u32 = 2;
/// Where a whole text is spaced out nothing shows where its words end: a word of so many letters is one there,
const SPACED_LETTERS_MIN: u32 = 5;
/// if so many single letters are around it.
const SPACED_TEXT_LETTERS_MIN: u32 = 8;
/// Shortest number that is one behind a word with digits for letters, in digits.
const NUMBER_DIGITS_MIN: usize = 2;
/// Longest number between them, in digits.
const NUMBER_DIGITS_MAX: u32 = 12;
/// So many repeats of a letter are looked through for where a word may begin among them.
const REPEATS_MAX: usize = 64;
/// How many letters of a run are tried as the first of a literal, which does not skip repeats.
const LITERAL_STARTS_MAX: usize = 8;

/// Why a candidate is not the pattern.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[cfg_attr(not(feature = "explain"), expect(unreachable_pub, reason = "only explanations show it"))]
pub enum Dropped {
    /// Other letters stand there.
    Letters,
    /// These folds would be needed, and the term does not allow them.
    Folds(Evidence),
    /// Both characters are parts of ordinary words around them.
    OrdinaryWords,
    /// A word goes on before it.
    WithinStart,
    /// A word goes on after it.
    WithinEnd,
    /// A word goes on before it and after it.
    Within,
    /// The words of the phrase are not parted there, or too far.
    Joint,
    /// Too many separators between two letters.
    Gap,
    /// Spaces part it elsewhere than between single letters.
    Pieces,
    /// Too few plain letters among digits and signs.
    PlainLetters,
    /// All of it is in another alphabet, and may be a word there.
    LookAlikes,
    /// One letter doubled makes another word.
    Doubled,
    /// Too many letters are masked.
    Masked,
    /// It is spelled as the term is: its spelling decides, and not its sound.
    Spelled,
}

/// Whether `pattern` is spelled in `text` from byte `start` on, and where it ends.
pub(crate) fn verify(
    pack: &Pack<'_>,
    pattern: &PatternRecord,
    text: &[u8],
    start: usize,
) -> Result<(Span, Evidence), Dropped> {
    let spelling = pack.spelling(pattern);
    // Where what a word was glued to would end, if nothing stood between its letters.
    if text.get(start).is_some_and(|&byte| byte & 0xC0 == 0x80) {
        return Err(Dropped::Letters);
    }
    if pattern.flags & MISSPELT != 0 {
        return misspelt::verify(spelling, pattern, text, start);
    }
    if pattern.flags & LITERAL == 0 && is_other(spelling, text, start) {
        return Err(Dropped::Letters);
    }
    if let Some(span) = plain(spelling, pattern.flags, text, start) {
        return Ok((span, Evidence(pattern.adds)));
    }
    let may_be_glued = pattern.folds & Evidence::MISSPELT.0 != 0 && pattern.flags & UNGLUED == 0 && pattern.adds == 0;
    if may_be_glued && let Some(span) = glued(spelling, text, start) {
        return Ok((span, Evidence::MISSPELT));
    }
    let reading = if pattern.flags & LITERAL != 0 {
        read_literal_in_run(spelling, text, start).ok_or(Dropped::Letters)?
    } else {
        let glance = if spelling[0] < 0x80 {
            read_ascii(spelling, pattern, text, start)
        } else {
            read_han(spelling, text, start)
        };
        glance.unwrap_or_else(|| read_folded(spelling, pattern, text, start))?
    };
    if reading.evidence.0 & !pattern.folds != 0 {
        return Err(Dropped::Folds(Evidence(reading.evidence.0 & !pattern.folds)));
    }
    if pattern.flags & HAN_PAIR != 0 {
        let in_both = in_words(pack, text, reading.start, reading.end) == [true; 2];
        // Where a clause ends between the two, one ordinary word is enough.
        if in_both || reading.has_clause_end && beside_words(pack, text, reading.start, reading.end) != [false; 2] {
            return Err(Dropped::OrdinaryWords);
        }
    }
    // Letters that were pulled together over gaps count only as a word of their own.
    let open = if reading.gap_in_word { 0 } else { pattern.flags };
    let starts = open & START_OPEN != 0 || starts_word(text, &reading);
    let ends = open & END_OPEN != 0 || ends_word(text, &reading);
    let evidence = reading.evidence.with(Evidence(pattern.adds));
    let span = Span { start: to_u32(reading.start), end: to_u32(reading.end) };
    match (starts, ends) {
        (true, true) => Ok((span, evidence)),
        (false, true) => Err(Dropped::WithinStart),
        (true, false) => Err(Dropped::WithinEnd),
        (false, false) => Err(Dropped::Within),
    }
}

/// Whether pattern and text differ in a plain letter or digit, and are the same before: no fold makes one of the
/// other. Most phrases of which a common word was found differ so.
#[inline]
fn is_other(spelling: &[u8], text: &[u8], start: usize) -> bool {
    let there = &text[start..];
    let Some(place) = spelling.iter().zip(there).position(|(a, b)| !a.eq_ignore_ascii_case(b)) else { return false };
    let (wanted, differs) = (spelling[place], there[place]);
    let draws_out = place > 0 && differs.eq_ignore_ascii_case(&there[place - 1]);
    let are_digits = wanted.is_ascii_digit() && differs.is_ascii_digit();
    !draws_out && (are_digits || is_plain_byte(wanted) && differs.is_ascii_alphabetic())
}

/// Where a pattern is that is spelled letter by letter in ASCII, as most are, with nothing but spaces or signs
/// around: what the whole of the reading comes to, in a glance.
#[inline]
fn plain(spelling: &[u8], flags: u8, text: &[u8], start: usize) -> Option<Span> {
    let end = start + spelling.len();
    let is_there = text.get(start..end).is_some_and(|there| there.eq_ignore_ascii_case(spelling));
    const PARTS: &[u8] = b" .,?:;\n\r\t\")";
    let parts = |byte: Option<&u8>| byte.is_none_or(|byte| PARTS.contains(byte));
    let starts = start.checked_sub(1).is_none_or(|before| parts(Some(&text[before])));
    let is_plain = is_there && flags & !END_OPEN == 0 && spelling.iter().all(|&byte| is_plain_byte(byte));
    (is_plain && starts && parts(text.get(end))).then_some(Span { start: to_u32(start), end: to_u32(end) })
}

/// Where a pattern is that is spelled letter by letter, and that other words are glued to. A letter that it ends with and
/// such a word begins with is no repeat: `casinoonline`.
fn glued(spelling: &[u8], text: &[u8], start: usize) -> Option<Span> {
    let end = start + spelling.len();
    let (Some(there), Some(&first)) = (text.get(start..end), spelling.first()) else { return None };
    if !there.eq_ignore_ascii_case(spelling) {
        return None;
    }
    let parts = |letter: Option<(u32, usize)>| letter.is_none_or(|(code, _)| script(code) != script(first.into()));
    let (before, after) = (letter_before(text, start, 0), letter_after(text, end, 0));
    let starts = parts(before) || before.is_some_and(|(code, _)| case_parts(code, there[0].into()));
    let ends = parts(after) || after.is_some_and(|(code, _)| case_parts(there[there.len() - 1].into(), code));
    // What nothing is glued to is read as any other, but for what seems drawn out: `CasinoOnline`.
    let is_drawn_out = || text.get(end).is_some_and(|after| after.eq_ignore_ascii_case(&there[there.len() - 1]));
    let is_glued = if starts && ends {
        is_drawn_out()
    } else {
        (starts || glue::is_before(text, start)) && (ends || glue::is_after(text, end))
    };
    is_glued.then_some(Span { start: to_u32(start), end: to_u32(end) })
}

fn is_plain_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b' '
}

/// Which of two characters side by side are part of ordinary words: the first, of one with the character
/// before, and the last, of one with the character after.
pub(crate) fn in_words(pack: &Pack<'_>, text: &[u8], start: usize, end: usize) -> [bool; 2] {
    let Some((_, last)) = decode_before(text, end) else { return [false; 2] };
    let is_adjacent = start + decode(&text[start..]).1 == last;
    if is_adjacent { beside_words(pack, text, start, end) } else { [false; 2] }
}

/// The same for two characters that something may be between.
fn beside_words(pack: &Pack<'_>, text: &[u8], start: usize, end: usize) -> [bool; 2] {
    let Some((last, _)) = decode_before(text, end) else { return [false; 2] };
    let (first, _) = decode(&text[start..]);
    if pack.ordinary.is_empty() {
        return [false; 2];
    }
    let is_word = |first: u32, second: u32| {
        let (word, bits) =
            filter_bits(hash(pair_key(fold::letter(first).0, fold::letter(second).0)), pack.ordinary.len());
        pack.ordinary[word] & bits == bits
    };
    [
        decode_before(text, start).is_some_and(|(before, _)| is_word(before, first)),
        end < text.len() && is_word(last, decode(&text[end..]).0),
    ]
}

/// How the characters of a candidate read.
struct Reading {
    start: usize,
    /// Where the last letter begins.
    last: usize,
    end: usize,
    evidence: Evidence,
    /// Separators stand between letters of a spaced script.
    gap_in_word: bool,
    /// Spaces stand between single letters.
    spaced_out: bool,
    /// A clause ends between two letters.
    has_clause_end: bool,
    letters: u32,
    /// Whether the text is spaced out as a whole, once that was asked.
    in_spaced_text: OnceCell<bool>,
}

impl Reading {
    fn new(start: usize) -> Reading {
        Reading {
            start,
            last: start,
            end: start,
            evidence: Evidence::default(),
            gap_in_word: false,
            spaced_out: false,
            has_clause_end: false,
            letters: 0,
            in_spaced_text: OnceCell::new(),
        }
    }
}

/// Whether a character of ASCII parts letters, and stands for none.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Parts {
    Not,
    Space,
    Sign,
}

static ASCII_PARTS: [Parts; 256] = {
    let mut parts = [Parts::Not; 256];
    let mut byte = 0;
    while byte < 0x80 {
        let ascii = byte as u8;
        if fold::ascii_symbol(ascii) == SEPARATOR && !leet::is_ascii_sign(ascii) {
            let is_space = ascii.is_ascii_whitespace() || ascii == b'\x0B';
            parts[byte] = if is_space { Parts::Space } else { Parts::Sign };
        }
        byte += 1;
    }
    parts
};

/// Reads a pattern of ASCII where nothing but its letters, digits and signs for them, and separators of ASCII stand, as
/// [`read_folded`] would, at a fraction of its cost. `None` where anything else stands: what is drawn out or masked.
#[inline(never)]
fn read_ascii(spelling: &[u8], pattern: &PatternRecord, text: &[u8], start: usize) -> Option<Result<Reading, Dropped>> {
    let may_be_masked = pattern.folds & Evidence::MISSPELT.0 != 0;
    let mut reading = Reading::new(start);
    let (mut word, mut gap) = (Word::default(), GapRead::default());
    let (mut before, mut byte_before, mut joint) = (0, 0u8, false);
    let mut leet = Leet::default();
    let mut at = start;
    for (number, &wanted) in spelling.iter().enumerate() {
        if wanted == b' ' {
            joint = true;
            continue;
        }
        if !is_plain_byte(wanted) {
            return None;
        }
        let byte = loop {
            let Some(&byte) = text.get(at) else { return Some(Err(Dropped::Letters)) };
            if byte.eq_ignore_ascii_case(&wanted) {
                break byte;
            }
            if byte.is_ascii_alphabetic() {
                let is_other = wanted.is_ascii_alphabetic() && !byte.eq_ignore_ascii_case(&before);
                return is_other.then_some(Err(Dropped::Letters));
            }
            let is_space = match ASCII_PARTS[usize::from(byte)] {
                Parts::Space => true,
                Parts::Sign => false,
                Parts::Not if leet::ascii_stands_for(byte, wanted) => {
                    leet.add(byte.into());
                    reading.evidence = reading.evidence.with(Evidence::LEET);
                    break byte;
                }
                // A sign that is not this letter parts as any other.
                Parts::Not if byte.is_ascii() && leet::is_ascii_sign(byte) => false,
                Parts::Not if byte.is_ascii_digit() && at > start && !leet::ascii_stands_for(byte, before) => {
                    return Some(Err(Dropped::Letters));
                }
                Parts::Not => return None,
            };
            // Before the wanted letter, as often as it is wanted, no sign masks it.
            let is_there = || {
                let wanted_run = spelling[number..].iter().take_while(|&&letter| letter == wanted).count();
                let is_letter = |at: usize| text.get(at).is_some_and(|there| there.eq_ignore_ascii_case(&wanted));
                let is_sign = |at: usize| text[at] != b'\'' && ASCII_PARTS[usize::from(text[at])] == Parts::Sign;
                (0..wanted_run).all(|more| is_letter(at + 1 + 2 * more) && is_sign(at + 2 * more))
            };
            let may_mask = may_be_masked && !joint && !is_space && byte != b'\'';
            if at == start || may_mask && !is_there() {
                return None;
            }
            gap.characters += 1;
            gap.has_space |= is_space;
            at += 1;
        };
        if joint {
            let joint_max = if pattern.adds & Evidence::MISSPELT.0 == 0 { JOINT_CHARACTERS_MAX } else { 1 };
            if !(1..=joint_max).contains(&gap.characters) {
                return None;
            }
            if let Err(dropped) = word.end(&mut reading) {
                return Some(Err(dropped));
            }
        } else if gap.characters > 0 {
            if gap.characters > GAP_CHARACTERS_MAX {
                return Some(Err(Dropped::Gap));
            }
            // What is itself a fold mostly has no other.
            if pattern.adds != 0 && pattern.folds & Evidence::SEPARATOR.0 == 0 {
                return Some(Err(Dropped::Letters));
            }
            reading.evidence = reading.evidence.with(Evidence::SEPARATOR);
            // Digits of a number, not such that are letters.
            let in_number =
                byte.is_ascii_digit() && byte == wanted && byte_before.is_ascii_digit() && byte_before == before;
            if !in_number {
                word.gap(gap.has_space);
            }
        }
        if byte.is_ascii_digit() && byte == wanted {
            word.end_piece();
        } else {
            word.piece_letters += u32::from(joint || gap.characters > 0 || wanted != before);
        }
        reading.letters += 1;
        reading.last = at;
        at += 1;
        (gap, before, byte_before, joint) = (GapRead::default(), wanted, byte, false);
    }
    // The last letter may go on.
    if let rest @ [_, ..] = &text[at..] {
        let class = symbol(decode(rest).0);
        if class == IGNORABLE || class == symbol(before.into()) {
            return None;
        }
    }
    if joint {
        return None;
    }
    reading.end = at;
    leet.plain = reading.letters - leet.digits - leet.signs;
    if leet.is_none(may_be_masked) {
        return Some(Err(Dropped::PlainLetters));
    }
    Some(word.end(&mut reading).map(|()| reading))
}

/// The same for a pattern of Han where nothing but Han stands. `None` also where a variant of a character does.
#[inline(never)]
fn read_han(spelling: &[u8], text: &[u8], start: usize) -> Option<Result<Reading, Dropped>> {
    let mut reading = Reading::new(start);
    let mut before = IGNORABLE;
    for wanted in spelling.chunks(3) {
        let there = han(&text[reading.end..]);
        let wanted = han(wanted)?;
        let there = there?;
        if there != wanted {
            let (class, wanted_class) = (symbol(there), symbol(wanted));
            let is_other = class > SEPARATOR && class != wanted_class && class != before;
            return is_other.then_some(Err(Dropped::Letters));
        }
        before = symbol(there);
        reading.letters += 1;
        reading.last = reading.end;
        reading.end += 3;
    }
    // The last character may go on.
    if let rest @ [_, ..] = &text[reading.end..] {
        let class = symbol(decode(rest).0);
        if class == before || class == IGNORABLE {
            return None;
        }
    }
    Some(Ok(reading))
}

/// The Han character at the start, if it is one of those that most text is made of.
fn han(text: &[u8]) -> Option<u32> {
    match text.first_chunk() {
        Some(&[a @ 0xE4..=0xE9, b @ 0x80..=0xBF, c @ 0x80..=0xBF]) => {
            let code = u32::from(a & 0xF) << 12 | u32::from(b & 0x3F) << 6 | u32::from(c & 0x3F);
            (code >= 0x4E00).then_some(code)
        }
        _ => None,
    }
}

/// Reads letter by letter, folding.
fn read_folded(spelling: &[u8], pattern: &PatternRecord, text: &[u8], start: usize) -> Result<Reading, Dropped> {
    let mut masked_letters = 0;
    let may_be_masked = pattern.folds & Evidence::MISSPELT.0 != 0;
    let reading = read_letters(spelling, pattern, text, start, may_be_masked, &mut masked_letters);
    // What seems to mask a letter may as well part two.
    match reading {
        Err(_) if masked_letters > 0 => read_letters(spelling, pattern, text, start, false, &mut 0),
        reading => reading,
    }
}

/// The same, counting the letters that signs mask, if they may.
#[inline(never)]
fn read_letters(
    spelling: &[u8],
    pattern: &PatternRecord,
    text: &[u8],
    start: usize,
    may_be_masked: bool,
    masked_letters: &mut u32,
) -> Result<Reading, Dropped> {
    let mut letters = Letters::new(spelling);
    // The letter being read, how often it has been read, and the one after it.
    let mut current = letters.next().ok_or(Dropped::Letters)?;
    let start = if parts_repeats(current.code) { last_of_run(text, start, &current) } else { start };
    let mut reading = Reading::new(start);
    let mut next = letters.next();
    let (mut run, mut signs_in_run) = (0, 0);
    let mut word = Word::default();
    let mut gap = GapRead::default();
    let mut skipped = Evidence::default();
    let mut previous_script = None;
    // A digit is a letter only among letters, and a word all in another alphabet is a word of its language.
    let mut leet = Leet::default();
    let mut only_look_alikes = true;
    // One letter doubled makes another word, as in `shoot` for `shot`; more than that is drawn out.
    let (mut repeated_letters, mut has_long_run) = (0, false);
    let mut at = start;
    while at < text.len() {
        let (code, length) = voiced(&text[at..], decode(&text[at..]));
        let class = symbol(code);
        at += length;
        if class == IGNORABLE {
            let kind = if fold::is_mark(code) { Evidence::DIACRITIC } else { Evidence::INVISIBLE };
            skipped = skipped.with(kind);
            continue;
        }
        let is_satisfied = run >= current.run;
        let wanted = if is_satisfied { next.as_ref() } else { Some(&current) };
        let masks = class == SEPARATOR
            && gap.characters == 0
            && may_be_masked
            && wanted.is_some_and(|wanted| {
                let missing = if is_satisfied { wanted.run } else { wanted.run - run };
                !wanted.joint && masks(code, &text[at..], wanted, missing)
            });
        if class == SEPARATOR && !masks && wanted.and_then(|wanted| agree(code, class, wanted)).is_none() {
            gap.add(code);
            continue;
        }
        if is_satisfied && next.is_none() && pattern.flags & END_OPEN != 0 {
            break;
        }
        // A letter drawn out may also begin the next word.
        let is_drawn_out = |next: &Letter| next.joint && gap.characters == 0 && agree(code, class, &current).is_some();
        let onward = next.filter(|next| is_satisfied && !is_drawn_out(next));
        let onward = onward.and_then(|next| agree(code, class, &next));
        let (evidence, advances) = match onward {
            _ if masks => {
                *masked_letters += 1;
                (Evidence::MISSPELT, is_satisfied)
            }
            Some(evidence) => (evidence, true),
            None => match agree(code, class, &current) {
                Some(evidence) if !is_satisfied => (evidence, false),
                // One more than the pattern has: no digit, or it would be another number, and after the last
                // letter only if it touches it and does not begin the next word.
                Some(evidence)
                    if script(code) != Script::Digit
                        && (next.is_some() || gap.characters == 0 && !parts_repeats(code)) =>
                {
                    (evidence.with(Evidence::REPEAT), false)
                }
                _ if is_satisfied && next.is_none() => break,
                _ => return Err(Dropped::Letters),
            },
        };
        // A digit that stands for a letter is one.
        let is_digit = script(code) == Script::Digit;
        let script = if masks || evidence.contains(Evidence::LEET) { Script::Spaced } else { script(code) };
        if advances && next.is_some_and(|next| next.joint) {
            let joint_max = if pattern.adds & Evidence::MISSPELT.0 == 0 { JOINT_CHARACTERS_MAX } else { 1 };
            if gap.characters == 0 || gap.characters > joint_max {
                return Err(Dropped::Joint);
            }
            word.end(&mut reading)?;
        } else if gap.characters > 0 && run > 0 {
            if gap.characters > GAP_CHARACTERS_MAX {
                return Err(Dropped::Gap);
            }
            reading.evidence = reading.evidence.with(Evidence::SEPARATOR);
            reading.has_clause_end |= gap.has_clause_end;
            let unspaced = |script| script == Script::Unspaced;
            let in_number = script == Script::Digit && previous_script == Some(Script::Digit);
            if !unspaced(script) && !previous_script.is_some_and(unspaced) && !in_number {
                word.gap(gap.has_space);
            }
        }
        if advances {
            (current, next) = (next.ok_or(Dropped::Letters)?, letters.next());
            (run, signs_in_run) = (0, 0);
        }
        if script == Script::Unspaced {
            word.piece_letters = 0;
        } else if script == Script::Digit {
            word.end_piece();
        } else if advances || run == 0 || gap.characters > 0 {
            word.piece_letters += 1;
        }
        run += 1;
        signs_in_run += u32::from(evidence.contains(Evidence::LEET) && !is_digit);
        if evidence.contains(Evidence::REPEAT) {
            // A sign beside the letter that it stands for doubles nothing: `w|i|n`.
            repeated_letters += u32::from(run - signs_in_run == current.run + 1);
            has_long_run |= run > 2;
        }
        if evidence.contains(Evidence::LEET) {
            leet.add(code);
        } else {
            leet.plain += 1;
        }
        only_look_alikes &= evidence.contains(Evidence::LOOK_ALIKE);
        reading.evidence = reading.evidence.with(evidence);
        if reading.end > start {
            reading.evidence = reading.evidence.with(skipped);
        }
        (reading.last, reading.end) = (at - length, at);
        (gap, skipped) = (GapRead::default(), Evidence::default());
        previous_script = Some(script);
    }
    if next.is_some() || run < current.run {
        return Err(Dropped::Letters);
    }
    if leet.is_none(pattern.folds & Evidence::MISSPELT.0 != 0) {
        return Err(Dropped::PlainLetters);
    }
    if only_look_alikes {
        return Err(Dropped::LookAlikes);
    }
    if repeated_letters == 1 && !has_long_run {
        return Err(Dropped::Doubled);
    }
    if *masked_letters > 0 && (leet.plain <= MASKED_LETTERS_MIN || *masked_letters * MASKED_SHARE > leet.plain) {
        return Err(Dropped::Masked);
    }
    word.end(&mut reading)?;
    reading.end = end_of_character(text, reading.end);
    reading.letters = leet.plain + leet.digits + leet.signs;
    Ok(reading)
}

/// How many digits and signs stand for letters, and how many letters are plain.
#[derive(Default)]
struct Leet {
    digits: u32,
    signs: u32,
    plain: u32,
}

impl Leet {
    fn add(&mut self, code: u32) {
        if script(code) == Script::Digit {
            self.digits += 1;
        } else {
            self.signs += 1;
        }
    }

    /// Whether there are too few plain letters for it to be a word.
    fn is_none(&self, has_all_variants: bool) -> bool {
        let Leet { digits, signs, plain } = *self;
        let count = digits + signs + plain;
        let times = if count >= LEET_LETTERS_MIN && signs > 0 {
            LEET_SIGNS_TIMES
        } else if count >= LEET_LONG_LETTERS || has_all_variants && count >= LEET_LETTERS_MIN && plain >= LEET_PLAIN_MIN
        {
            LEET_LONG_TIMES
        } else {
            1
        };
        digits + signs > times * plain
    }
}

/// Whether a letter that stands twice may end one word and begin the next. Of Han a doubled one is one word more
/// often than that.
fn parts_repeats(code: u32) -> bool {
    script(code) == Script::Unspaced && !(0x3400..0xA000).contains(&code)
}

/// Where the last of a run of the same letters begins that the pattern may begin with.
fn last_of_run(text: &[u8], start: usize, letter: &Letter) -> usize {
    let (first, length) = decode(&text[start..]);
    let chars = text[start..].chunks_exact(length).take(REPEATS_MAX);
    let run = chars.take_while(|next| decode(next).0 == first).count();
    start + run.saturating_sub(letter.run as usize) * length
}

/// Whether a sign stands in the place of the wanted letter: within a word, and that letter is not behind it
/// as often as it is `missing`.
fn masks(code: u32, rest: &[u8], wanted: &Letter, missing: u32) -> bool {
    let is_sign = |code: u32| char::from_u32(code).is_some_and(|c| !c.is_whitespace() && !matches!(c, '\'' | '’'));
    if script(wanted.code) != Script::Spaced || !is_sign(code) || leet::stands_for(code, wanted.class) {
        return false;
    }
    let (mut signs, mut letters) = (0, 0);
    let mut at = 0;
    while at < rest.len() && signs < GAP_CHARACTERS_MAX {
        let (after, length) = decode(&rest[at..]);
        let class = symbol(after);
        at += length;
        if class > SEPARATOR && agree(after, class, wanted).is_some() {
            (signs, letters) = (0, letters + 1);
            if letters == missing {
                return false;
            }
        } else if class > SEPARATOR {
            return true;
        } else if class == SEPARATOR {
            signs += 1;
            if !is_sign(after) {
                return letters > 0;
            }
        }
    }
    letters > 0
}

/// What has been read of one word of the pattern.
#[derive(Default)]
struct Word {
    /// Letters since the last gap.
    piece_letters: u32,
    has_gap: bool,
    has_space: bool,
    /// A piece of more than one letter.
    has_long_piece: bool,
}

impl Word {
    fn gap(&mut self, has_space: bool) {
        self.has_gap = true;
        self.has_space |= has_space;
        self.end_piece();
    }

    /// Ends a piece; digits in a row are no longer one for being several.
    fn end_piece(&mut self) {
        self.has_long_piece |= self.piece_letters > 1;
        self.piece_letters = 0;
    }

    /// Ends the word: spaces may stand between single letters only, so that `the rapist` is two words.
    fn end(&mut self, reading: &mut Reading) -> Result<(), Dropped> {
        self.has_long_piece |= self.piece_letters > 1;
        if self.has_space && self.has_long_piece {
            return Err(Dropped::Pieces);
        }
        reading.gap_in_word |= self.has_gap;
        reading.spaced_out |= self.has_space;
        *self = Word::default();
        Ok(())
    }
}

/// Separators since the last letter.
#[derive(Default)]
struct GapRead {
    characters: u32,
    has_space: bool,
    has_clause_end: bool,
}

impl GapRead {
    fn add(&mut self, code: u32) {
        self.characters += 1;
        self.has_space |= char::from_u32(code).is_some_and(char::is_whitespace);
        self.has_clause_end |= matches!(char::from_u32(code), Some('，' | '。' | '！' | '？' | '；' | '：'));
    }
}

/// Whether the character is the wanted letter, and by which folds.
#[inline]
pub(crate) fn agree(code: u32, class: u16, wanted: &Letter) -> Option<Evidence> {
    if class != wanted.class {
        let may_be = script(wanted.code) == Script::Spaced && leet::stands_for(code, wanted.class);
        return may_be.then_some(Evidence::LEET);
    }
    let (letter, kind) = fold::letter(code);
    if letter == wanted.code {
        // What both have is no evasion; a mark or an alphabet is part of the letter.
        const OF_LETTER: u16 = Evidence::DIACRITIC.0 | Evidence::LOOK_ALIKE.0;
        return Some(Evidence(kind.0 & !wanted.kind.0 & !OF_LETTER));
    }
    // Two letters of a class that is computed are merely numbered alike, and kana with other voicing marks
    // are other letters.
    (class < fold::CLASS_COMPUTED && !is_katakana(letter))
        .then_some(Evidence((kind.0 | wanted.kind.0) & !Evidence::VARIANT.0))
}

fn is_katakana(code: u32) -> bool {
    (0x30A1..=0x30FA).contains(&code)
}

/// The kana at the start of `text` together with a voicing mark that stands after it by itself, as in
/// half-width and in decomposed text.
fn voiced(text: &[u8], (code, length): (u32, usize)) -> (u32, usize) {
    if !(0x3040..0x3100).contains(&code) && !(0xFF66..0xFF9E).contains(&code) {
        return (code, length);
    }
    let (mark, mark_length) = decode(&text[length..]);
    // Each unvoiced kana of these rows has the voiced one next to it, those of the ハ row also the half-voiced.
    let (kana, _) = fold::letter(code);
    let step = match (mark, kana) {
        (0x3099 | 0xFF9E, 0x30A6) => 0x30F4 - 0x30A6,
        (0x3099 | 0xFF9E, 0x30AB..=0x30C2 | 0x30C4..=0x30C8 | 0x30CF..=0x30DD) => 1,
        (0x309A | 0xFF9F, 0x30CF..=0x30DB) => 2,
        _ => return (code, length),
    };
    (kana + step, length + mark_length)
}

/// Compares characters as they are, from each of the letters in the run at `start`.
fn read_literal_in_run(spelling: &[u8], text: &[u8], start: usize) -> Option<Reading> {
    let class = symbol(decode(&text[start..]).0);
    let mut at = start;
    for _ in 0..LITERAL_STARTS_MAX {
        if let Some(reading) = read_literal(spelling, text, at) {
            return Some(reading);
        }
        at += decode(&text[at..]).1;
        if at >= text.len() || symbol(decode(&text[at..]).0) != class {
            break;
        }
    }
    None
}

/// Compares characters as they are. `start` is where the first letter stands.
fn read_literal(spelling: &[u8], text: &[u8], start: usize) -> Option<Reading> {
    let before = spelling_bytes_before_letter(spelling);
    let start = start.checked_sub(before)?;
    let rest = text[start..].strip_prefix(spelling)?;
    let end = text.len() - rest.len();
    let (_, last) = decode_before(text, end)?;
    // A mark after it would make its last letter another one.
    (end_of_character(text, end) == end).then_some(Reading { last, end, ..Reading::new(start) })
}

/// Bytes of a literal before its first letter.
fn spelling_bytes_before_letter(spelling: &[u8]) -> usize {
    let mut at = 0;
    while at < spelling.len() {
        let (code, length) = decode(&spelling[at..]);
        if symbol(code) > SEPARATOR {
            break;
        }
        at += length;
    }
    at
}

/// Moves past marks that belong to the character before `end`.
fn end_of_character(text: &[u8], mut end: usize) -> usize {
    while end < text.len() {
        let (code, length) = decode(&text[end..]);
        if !fold::is_mark(code) {
            break;
        }
        end += length;
    }
    end
}

/// Whether a word may begin where the reading does.
fn starts_word(text: &[u8], reading: &Reading) -> bool {
    let (code, _) = decode(&text[reading.start..]);
    if let Some((before, _)) = letter_before(text, reading.start, 0) {
        let is_number = || is_number(text[..reading.start].iter().rev(), code);
        return !joins(before, code, reading) || is_number();
    }
    if reading.letters <= SHORT_WORD_LETTERS
        && script(code) != Script::Unspaced
        && let Some((joiner, at)) = decode_before(text, reading.start)
        && is_joiner(joiner)
        && letter_before(text, at, 0).is_some()
    {
        return false;
    }
    // Spaced out, it must not go on with one more single letter before it.
    !reading.spaced_out
        || letter_before(text, reading.start, GAP_CHARACTERS_MAX).is_none_or(|(before, at)| {
            let is_single = |at| letter_before(text, at, 0).is_none();
            let goes_on = || letter_before(text, at, GAP_CHARACTERS_MAX).is_some_and(|(_, at)| is_single(at));
            !is_single(at) || is_word(before) && !goes_on()
        })
        || *reading.in_spaced_text.get_or_init(|| is_in_spaced_text(text, reading))
}

/// Whether a word may end where the reading does.
fn ends_word(text: &[u8], reading: &Reading) -> bool {
    let (code, _) = decode(&text[reading.last..]);
    if let Some((after, _)) = letter_after(text, reading.end, 0) {
        let is_number = || is_number(text[reading.end..].iter(), code);
        return !joins(code, after, reading) || is_number();
    }
    if reading.letters <= SHORT_WORD_LETTERS
        && script(code) != Script::Unspaced
        && let rest @ [_, ..] = &text[reading.end..]
        && let (joiner, length) = decode(rest)
        && is_joiner(joiner)
        && letter_after(text, reading.end + length, 0).is_some()
    {
        return false;
    }
    !reading.spaced_out
        || letter_after(text, end_of_drawn_out(text, reading), GAP_CHARACTERS_MAX).is_none_or(|(after, end)| {
            let is_single = |end| letter_after(text, end, 0).is_none();
            let goes_on = || letter_after(text, end, GAP_CHARACTERS_MAX).is_some_and(|(_, end)| is_single(end));
            !is_single(end) || is_word(after) && !goes_on()
        })
        || *reading.in_spaced_text.get_or_init(|| is_in_spaced_text(text, reading))
}

/// Whether the bytes beside a word are a number of several digits and nothing else, as names have it: `v1agra2024`.
fn is_number<'t>(mut beside: impl Iterator<Item = &'t u8> + Clone, letter: u32) -> bool {
    let digits = beside.clone().take_while(|byte| byte.is_ascii_digit()).count();
    let goes_on = beside.nth(digits).is_some_and(|&byte| byte.is_ascii_alphanumeric() || !byte.is_ascii());
    digits >= NUMBER_DIGITS_MIN && !goes_on && script(letter) != Script::Digit
}

/// Where the last letter ends if it is drawn out as single letters are: `v i a g r a a a`.
fn end_of_drawn_out(text: &[u8], reading: &Reading) -> usize {
    let last = symbol(decode(&text[reading.last..]).0);
    let mut end = reading.end;
    for _ in 0..REPEATS_MAX {
        match letter_after(text, end, GAP_CHARACTERS_MAX) {
            Some((after, next)) if symbol(after) == last && letter_after(text, next, 0).is_none() => end = next,
            _ => break,
        }
    }
    end
}

/// Whether a letter is a word by itself, in one language or another: `I`, `a`, `à`, `e`, `y`, `и`.
fn is_word(letter: u32) -> bool {
    matches!(
        char::from_u32(fold::letter(letter).0),
        Some('a' | 'e' | 'i' | 'o' | 'u' | 'y' | 'w' | 'z' | 'à' | 'и' | 'в' | 'с' | 'к' | 'я')
    )
}

/// Whether the word is in a text that is spaced out as a whole.
fn is_in_spaced_text(text: &[u8], reading: &Reading) -> bool {
    if reading.letters < SPACED_LETTERS_MIN {
        return false;
    }
    let (mut before, mut after) = (reading.start, reading.end);
    let mut around = 0;
    while around < SPACED_TEXT_LETTERS_MIN
        && let Some(start) = single_before(text, before)
    {
        (around, before) = (around + 1, start);
    }
    while around < SPACED_TEXT_LETTERS_MIN
        && let Some(end) = single_after(text, after)
    {
        (around, after) = (around + 1, end);
    }
    around == SPACED_TEXT_LETTERS_MIN
}

/// Where the letter before `end` starts, if it stands by itself.
fn single_before(text: &[u8], end: usize) -> Option<usize> {
    // Most stand between two spaces.
    if let Some(&[before, letter, space]) = text[..end].last_chunk()
        && is_single_in_ascii(before, letter, space)
    {
        return Some(end - 2);
    }
    let (mut code, mut start) = letter_before(text, end, GAP_CHARACTERS_MAX)?;
    // Numbers stand as they are in a text that is spaced out.
    for _ in 0..NUMBER_DIGITS_MAX {
        match letter_before(text, start, 0) {
            None => return Some(start),
            Some(before) if script(code) == Script::Digit => (code, start) = before,
            Some(_) => return None,
        }
    }
    None
}

/// Where the letter after `start` ends, if it stands by itself.
fn single_after(text: &[u8], start: usize) -> Option<usize> {
    if let Some(&[space, letter, after]) = text[start..].first_chunk()
        && is_single_in_ascii(space, letter, after)
    {
        return Some(start + 2);
    }
    let (mut code, mut end) = letter_after(text, start, GAP_CHARACTERS_MAX)?;
    for _ in 0..NUMBER_DIGITS_MAX {
        match letter_after(text, end, 0) {
            None => return Some(end),
            Some(after) if script(code) == Script::Digit => (code, end) = after,
            Some(_) => return None,
        }
    }
    None
}

fn is_single_in_ascii(before: u8, letter: u8, after: u8) -> bool {
    let parts = |byte: u8| ASCII_PARTS[usize::from(byte)] != Parts::Not;
    letter.is_ascii_alphanumeric() && parts(before) && parts(after)
}

/// Signs that make two short words one: `db@example`, `Kung-Fu`.
fn is_joiner(code: u32) -> bool {
    matches!(char::from_u32(code), Some('-' | '@' | '\'' | '’'))
}

/// Whether two neighbouring letters are of one word.
fn joins(before: u32, after: u32, reading: &Reading) -> bool {
    match (script(before), script(after)) {
        (Script::Unspaced, _) | (_, Script::Unspaced) => false,
        (Script::Hangul, Script::Hangul) => reading.spaced_out,
        // Where digits are letters they also go on.
        (a, b) if a != b => reading.evidence.contains(Evidence::LEET) && a != Script::Hangul && b != Script::Hangul,
        _ => !case_parts(before, after),
    }
}

/// The character before `end` and where it starts; most are of ASCII.
#[inline]
fn character_before(text: &[u8], end: usize) -> Option<(u32, usize)> {
    match text[..end].last() {
        Some(&ascii @ 0..0x80) => Some((ascii.into(), end - 1)),
        _ => decode_before(text, end),
    }
}

/// The letter before `end` with at most `separators_max` separators between, and where it starts.
pub(crate) fn letter_before(text: &[u8], mut end: usize, separators_max: u32) -> Option<(u32, usize)> {
    let mut separators = 0;
    while let Some((code, at)) = character_before(text, end) {
        match symbol(code) {
            IGNORABLE => {}
            SEPARATOR if separators == separators_max => return None,
            SEPARATOR => separators += 1,
            _ => return Some((code, at)),
        }
        end = at;
    }
    None
}

/// The letter after `start` with at most `separators_max` separators between, and where it ends.
fn letter_after(text: &[u8], mut start: usize, separators_max: u32) -> Option<(u32, usize)> {
    let mut separators = 0;
    while start < text.len() {
        let (code, length) = decode(&text[start..]);
        match symbol(code) {
            IGNORABLE => {}
            SEPARATOR if separators == separators_max => return None,
            SEPARATOR => separators += 1,
            _ => return Some((code, start + length)),
        }
        start += length;
    }
    None
}

fn to_u32(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    use bytemuck::Zeroable as _;

    /// What reads ASCII at a fraction of the cost must come to the same.
    #[test]
    fn a_pattern_of_ascii_reads_as_any_other() {
        let spellings = ["sob", "oil 1o", "ab ab", "lol", "boost", "a1 1", "too old", "s0s"];
        let signs = [" ", " ", ".", "-", "!", "(", "$", "@", "|", "1", "0", "5", "'", "x", "\n", "+", "*"];
        let mut state = 1u64;
        let mut random = |limit: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % limit
        };
        let mut read = [0; 2];
        for _ in 0..100_000 {
            let spelling = spellings[random(spellings.len())];
            let mut text = String::new();
            for letter in spelling.chars() {
                if random(8) > 0 {
                    text.push(if random(4) == 0 { letter.to_ascii_uppercase() } else { letter });
                }
                if random(4) == 0 {
                    text.push(letter);
                }
                if random(3) == 0 {
                    text.push_str(signs[random(signs.len())]);
                }
            }
            text.push_str([" end", "", "!", "s"][random(4)]);
            let misspelt = [0, Evidence::MISSPELT.0][random(2)];
            let folds = Evidence::ALL.0 & !Evidence::MISSPELT.0 | misspelt;
            let pattern = PatternRecord { folds, ..PatternRecord::zeroed() };
            let Some(quick) = read_ascii(spelling.as_bytes(), &pattern, text.as_bytes(), 0) else { continue };
            let thorough = read_folded(spelling.as_bytes(), &pattern, text.as_bytes(), 0);
            read[usize::from(quick.is_ok())] += 1;
            let shape = |read: Result<Reading, Dropped>| {
                read.ok().map(|r| (r.start, r.last, r.end, r.evidence, r.gap_in_word, r.spaced_out, r.letters))
            };
            assert_eq!(shape(quick), shape(thorough), "`{spelling}` in `{text}`");
        }
        assert!(read.iter().all(|&count| count > 1000), "{read:?}");
    }
}
