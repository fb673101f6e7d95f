//! How common words are in plain English, which decides what a phrase is looked for by, and a term of several parts.
//! Not for verdicts: it costs time to look for a common word, and finds the same.
//!
//! `common.txt` is made of published texts by `guest/tables`: letters or digits in a row, letters that are drawn out
//! written once, and how often they stand in a million.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::vec::Vec;

use crate::fold::{CLASS_FIRST_DIGIT, ascii_symbol};
use crate::pieces::class_byte;

/// How common a number is at least: what a list names is not what SMS are full of.
const NUMBER_MIN: u32 = 500;

static COMMON: LazyLock<HashMap<Vec<u8>, u32>> = LazyLock::new(|| {
    let line = |line: &str| {
        let (run, times) = line.split_once(' ')?;
        Some((run.bytes().map(|byte| class_byte(ascii_symbol(byte))).collect(), times.parse().ok()?))
    };
    include_str!("common.txt").lines().filter_map(line).collect()
});

/// How often in a million words of plain English these folded letters are one, repeats left out, or begin one that `goes_on`;
/// 0 if hardly ever.
pub(super) fn commonness(letters: &[u8], goes_on: bool) -> u32 {
    let times = if goes_on {
        COMMON.iter().filter(|(run, _)| run.starts_with(letters)).map(|(_, times)| times).sum()
    } else {
        COMMON.get(letters).copied().unwrap_or_default()
    };
    let is_digit = |letter: &u8| (CLASS_FIRST_DIGIT..CLASS_FIRST_DIGIT + 10).contains(letter);
    if letters.iter().all(is_digit) { times.max(NUMBER_MIN) } else { times }
}
