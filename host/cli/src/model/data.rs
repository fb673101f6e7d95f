//! Labelled messages: reading them within limits, cleaning, throwing out what is there twice. Not for
//! learning from them.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use anyhow::{Context as _, bail};
use serde::Deserialize;
use tamis_guest::spam::SPAM_BYTES_MAX;

/// Longest line that is read, in bytes.
const LINE_BYTES_MAX: usize = 64 << 10;
/// Most text that is kept of one file, in bytes: learning takes some thirty times as much memory.
const FILE_BYTES_MAX: usize = 16 << 20;
/// Most messages that are kept of one file; of more, a sample by the seed.
pub(crate) const FILE_MESSAGES_MAX: usize = 60_000;
/// Most that are kept of a file of prose to learn from.
pub(crate) const PROSE_MESSAGES_MAX: usize = 15_000;
/// Most problems that are reported one by one.
const PROBLEMS_MAX: usize = 5;
/// Most messages that one template makes.
const COPIES_MAX: u32 = 200;

/// What a message is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Label {
    Ham,
    /// Unwanted, and nobody said of what kind.
    Spam,
    Advertising,
    Fraud,
}

impl Label {
    fn from_name(name: &str) -> Option<Label> {
        match name {
            "ham" => Some(Label::Ham),
            "spam" => Some(Label::Spam),
            "advertising" => Some(Label::Advertising),
            "fraud" => Some(Label::Fraud),
            _ => None,
        }
    }

    pub(crate) fn is_unwanted(self) -> bool {
        self != Label::Ham
    }
}

/// A labelled message.
#[derive(Clone, Debug)]
pub(crate) struct Example {
    pub(crate) text: String,
    pub(crate) sender: String,
    pub(crate) label: Label,
    /// Messages that differ in case, spaces and marks only have the same key.
    pub(crate) key: u64,
    /// Messages that differ in numbers, too, are of one campaign.
    pub(crate) campaign: u64,
    /// The file it was read from first.
    pub(crate) source: usize,
    /// All files it was read from, a bit each.
    pub(crate) sources: u64,
    /// It was made from a template.
    pub(crate) is_made: bool,
}

#[derive(Deserialize)]
struct Line {
    text: Option<String>,
    template: Option<String>,
    copies: Option<u32>,
    label: Option<String>,
    sender: Option<String>,
}

/// A small generator of numbers: the same from the same seed, everywhere.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed ^ 0x9E37_79B9_7F4A_7C15)
    }

    pub(crate) fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }

    /// Below `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

/// Reads one file, of which `most` messages are kept, and says how many it has. `fixed` is the label of all its lines,
/// whatever they say of themselves.
pub(crate) fn read(
    path: &Path,
    source: usize,
    fixed: Option<Label>,
    most: usize,
    seed: u64,
) -> anyhow::Result<(Vec<Example>, u64)> {
    let open = || format!("cannot read labelled messages from {}", path.display());
    let file = File::open(path).with_context(open)?;
    if file.metadata().with_context(open)?.is_dir() {
        bail!("{} is a folder; name the files in it", path.display());
    }
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut random = Random::new(seed ^ source as u64);
    let mut kept: Vec<(u64, Example)> = Vec::new();
    // Messages with a smaller number than this are kept.
    let (mut limit, mut kept_bytes) = (u64::MAX, 0);
    let (mut bytes, mut number, mut wrong, mut problems, mut all) = (Vec::new(), 0u64, 0u64, Vec::new(), 0u64);
    loop {
        bytes.clear();
        if reader.by_ref().take(LINE_BYTES_MAX as u64 + 1).read_until(b'\n', &mut bytes).with_context(open)? == 0 {
            break;
        }
        number += 1;
        let parsed = if bytes.len() > LINE_BYTES_MAX {
            if !bytes.ends_with(b"\n") {
                reader.skip_until(b'\n').with_context(open)?;
            }
            Err(format!("longer than {LINE_BYTES_MAX} bytes"))
        } else {
            let line = if number == 1 { bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes) } else { &bytes };
            parse(line.trim_ascii(), source, fixed, &mut random)
        };
        match parsed {
            Ok(examples) => {
                all += examples.len() as u64;
                for example in examples {
                    let number = random.next();
                    if number < limit {
                        kept_bytes += example.text.len();
                        kept.push((number, example));
                    }
                }
            }
            Err(problem) => {
                wrong += 1;
                if problems.len() < PROBLEMS_MAX {
                    problems.push(format!("{}:{number}: {problem}", path.display()));
                }
            }
        }
        if kept.len() >= 2 * most || kept_bytes > FILE_BYTES_MAX {
            let half = (kept.len() / 2).min(most);
            limit = sample(&mut kept, half);
            kept_bytes = kept.iter().map(|(_, example)| example.text.len()).sum();
        }
    }
    if wrong > 0 {
        let more = wrong.saturating_sub(problems.len() as u64);
        let more = if more > 0 { format!("\n… and {more} more lines") } else { String::new() };
        bail!(
            "labelled messages are JSON Lines, {{\"text\": …, \"label\": \"ham\" | \"advertising\" | \"fraud\" | \"spam\"}}:\n{}{more}",
            problems.join("\n")
        );
    }
    if kept.len() > most {
        sample(&mut kept, most);
    }
    Ok((kept.into_iter().map(|(_, example)| example).collect(), all))
}

/// Keeps those with the smallest numbers, in the order they were read. Returns the number that all of them are below.
fn sample(kept: &mut Vec<(u64, Example)>, most: usize) -> u64 {
    let mut numbers: Vec<u64> = kept.iter().map(|(number, _)| *number).collect();
    let (_, &mut limit, _) = numbers.select_nth_unstable(most);
    kept.retain(|(number, _)| *number < limit);
    limit
}

fn parse(line: &[u8], source: usize, fixed: Option<Label>, random: &mut Random) -> Result<Vec<Example>, String> {
    if line.is_empty() {
        return Ok(Vec::new());
    }
    let line: Line = match (str::from_utf8(line), line.first()) {
        (Err(_), _) => return Err("not UTF-8".to_owned()),
        (Ok(line), Some(b'{')) => serde_json::from_str(line).map_err(|error| error.to_string())?,
        (Ok(_), Some(b'[')) => {
            return Err(
                "an array; each message stands on a line of its own, without brackets and commas around".to_owned()
            );
        }
        _ => return Err("no JSON object; tables have to be turned into JSON Lines first".to_owned()),
    };
    let label = match (fixed, line.label.as_deref()) {
        (Some(label), _) => label,
        (None, None) => return Err("no label".to_owned()),
        (None, Some(name)) => Label::from_name(name).ok_or_else(|| {
            format!("label `{name}`; labels are ham, advertising, fraud, and spam if nobody knows which")
        })?,
    };
    let sender = line.sender.unwrap_or_default();
    let example = |text: String, is_made| {
        let (key, campaign) = (key(&text, char::is_alphanumeric), key(&text, char::is_alphabetic));
        let sources = 1 << (source % 64);
        Example { text, sender: sender.clone(), label, key, campaign, source, sources, is_made }
    };
    match (line.text, line.template) {
        (Some(text), None) => Ok(vec![example(clean(&text, random), false)]),
        (None, Some(template)) => {
            let copies = line.copies.unwrap_or(8).min(COPIES_MAX);
            (0..copies).map(|_| Ok(example(expand(&template, random)?, true))).collect()
        }
        _ => Err("either `text` or `template`".to_owned()),
    }
}

/// Takes out what collectors of messages put in: entities, and marks in the place of numbers, which would say
/// where a message was collected and not what it is.
fn clean(text: &str, random: &mut Random) -> String {
    let mut text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    for mark in ["<#>", "<DECIMAL>", "<TIME>", "<DATE>", "<PHONE>"] {
        while let Some(at) = text.find(mark) {
            let digits: String = (0..1 + random.below(4)).map(|_| digit(random)).collect();
            text.replace_range(at..at + mark.len(), &digits);
        }
    }
    while let Some(at) = text.find("<URL>") {
        text.replace_range(at..at + 5, "http://example.com/");
    }
    // A pound sign that was lost on the way. What the model does not read need not be kept.
    let characters: Vec<char> = text.chars().take(SPAM_BYTES_MAX).collect();
    let lost = |at: usize| characters[at] == '\u{FFFD}' && characters.get(at + 1).is_some_and(char::is_ascii_digit);
    (0..characters.len()).map(|at| if lost(at) { '£' } else { characters[at] }).collect()
}

fn digit(random: &mut Random) -> char {
    char::from(b'0' + random.below(10) as u8)
}

/// Makes a message of a template: `{a|b}` is one of them, `#` a digit, `@` a small letter, `\` takes the
/// meaning from the next sign. Braces may stand in braces.
fn expand(template: &str, random: &mut Random) -> Result<String, String> {
    let characters: Vec<char> = template.chars().collect();
    let mut at = 0;
    let text = expand_part(&characters, &mut at, random, true);
    if at < characters.len() {
        return Err(format!("`{}` outside of braces", characters[at]));
    }
    Ok(text)
}

fn expand_part(characters: &[char], at: &mut usize, random: &mut Random, is_whole: bool) -> String {
    let mut text = String::new();
    while let Some(&character) = characters.get(*at) {
        *at += 1;
        match character {
            '{' => {
                let mut choices = Vec::new();
                loop {
                    choices.push(expand_part(characters, at, random, false));
                    let end = characters.get(*at).copied();
                    *at += 1;
                    if end != Some('|') {
                        break;
                    }
                }
                text += &choices[random.below(choices.len())];
            }
            '|' | '}' if !is_whole => {
                *at -= 1;
                return text;
            }
            '#' => text.push(digit(random)),
            '@' => text.push(char::from(b'a' + random.below(26) as u8)),
            '\\' => {
                text.extend(characters.get(*at));
                *at += 1;
            }
            other => text.push(other),
        }
    }
    text
}

/// Hash of the characters that matter, in small letters; of all bytes where none does.
fn key(text: &str, matters: impl Fn(char) -> bool) -> u64 {
    const START: u64 = 0xCBF2_9CE4_8422_2325;
    let add = |hash: u64, value: u32| (hash ^ u64::from(value)).wrapping_mul(0x0100_0000_01B3);
    let hash =
        text.chars().filter(|&c| matters(c)).flat_map(char::to_lowercase).fold(START, |hash, c| add(hash, c.into()));
    if hash == START { text.bytes().fold(hash, |hash, byte| add(hash, byte.into())) } else { hash }
}

/// Throws out messages that are there twice. The label that says most stays; where ham stands against the
/// rest, all of them go. Returns how many went as doubles and as contradictions.
pub(crate) fn unique(examples: Vec<Example>) -> (Vec<Example>, usize, usize) {
    let before = examples.len();
    let mut known: HashMap<u64, usize> = HashMap::new();
    let mut unique: Vec<Option<Example>> = Vec::new();
    let mut contradictions = 0;
    for example in examples {
        match known.get(&example.key) {
            None => {
                known.insert(example.key, unique.len());
                unique.push(Some(example));
            }
            Some(&at) => {
                if let Some(first) = &mut unique[at] {
                    if first.label.is_unwanted() == example.label.is_unwanted() {
                        first.label = first.label.max(example.label);
                        first.sources |= example.sources;
                    } else {
                        contradictions += 1;
                        unique[at] = None;
                    }
                }
            }
        }
    }
    let unique: Vec<Example> = unique.into_iter().flatten().collect();
    let doubles = before - unique.len() - contradictions;
    (unique, doubles, contradictions)
}

/// A pair to measure evasions with.
#[derive(Clone, Debug)]
pub(crate) struct Evasion {
    pub(crate) text: String,
    pub(crate) kind: String,
    /// The key of the plain message.
    pub(crate) key: u64,
}

#[derive(Deserialize)]
struct EvasionLine {
    text: String,
    orig: String,
    kind: String,
}

/// Reads pairs of a disguised and a plain message: `{"text", "orig", "kind"}`.
pub(crate) fn read_evasions(path: &Path) -> anyhow::Result<Vec<Evasion>> {
    let reader = BufReader::new(File::open(path).with_context(|| format!("cannot read {}", path.display()))?);
    let mut evasions = Vec::new();
    for (number, line) in reader.lines().enumerate() {
        let line = line?;
        let pair: EvasionLine = serde_json::from_str(&line)
            .with_context(|| format!("{}:{}: not {{\"text\", \"orig\", \"kind\"}}", path.display(), number + 1))?;
        evasions.push(Evasion { text: pair.text, kind: pair.kind, key: key(&pair.orig, char::is_alphanumeric) });
    }
    Ok(evasions)
}
