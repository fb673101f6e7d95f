//! The scanner module: one engine, its messages and verdicts in memory that the wrapper reads. Not for
//! loading; bytes come from outside.

use minisign_verify::{PublicKey, Signature};
use self_cell::self_cell;
use tamis_guest::spam::{Confidence, Reason, Signal};
use tamis_guest::wire::{MESSAGE_BYTES_MAX, verdict_bytes};
use tamis_guest::{
    Action, ChannelId, DecodeError, Field, Kit, KitError, Message, Pack, PackBytes, Policy, SmsAlphabet, Span, TermId,
    Verdict, VerdictFlags, mask_message,
};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::error::error;

/// Longest message that is looked at, and four bytes more, which tell that there was more.
const INPUT_BYTES_MAX: usize = MESSAGE_BYTES_MAX + 4;
/// How often a message is masked and judged again where a verdict does not hold all matches.
const MASK_ROUNDS_MAX: usize = 32;
/// Numbers a match takes in the output.
const MATCH_WORDS: usize = 5;
/// Most reasons of the model.
const REASONS_MAX: usize = 8;

self_cell! {
    /// Bytes, and the pack that is read in them.
    struct PackCell {
        owner: PackBytes,
        #[covariant]
        dependent: Pack,
    }
}

self_cell! {
    /// A pack, and the scanner that searches it.
    struct ScannerCell {
        owner: PackCell,
        #[covariant]
        dependent: Searcher,
    }
}

/// The scanner under a name that the cell can give a lifetime.
type Searcher<'p> = tamis_guest::Scanner<'p>;

/// A pack with its policy, ready to judge.
#[wasm_bindgen]
#[expect(missing_debug_implementations, reason = "it holds packs of megabytes")]
pub struct Engine {
    scanner: ScannerCell,
    policy: Policy,
    texts: String,
    input: Vec<u8>,
    output: Vec<u32>,
    verdict: Verdict,
}

/// A term as a verdict shows it.
#[wasm_bindgen(getter_with_clone)]
#[derive(Debug)]
pub struct TermInfo {
    /// As its author wrote it.
    pub text: String,
    /// Id of its list.
    pub list: String,
    /// Id of its category.
    pub category: String,
    /// Number of its category.
    pub code: u32,
    /// 1 to 4.
    pub severity: u8,
    /// Clauses behind its category.
    pub clauses: Vec<String>,
}

#[wasm_bindgen]
impl Engine {
    /// Reads a kit; or a pack, in which every match then blocks.
    ///
    /// # Errors
    /// Bytes that are neither, are damaged, or are for another version of the filter.
    #[wasm_bindgen(constructor)]
    pub fn new(bytes: &[u8]) -> Result<Engine, JsValue> {
        let kit = Kit::is_kit(bytes).then(|| Kit::decode(bytes)).transpose().map_err(kit_error)?;
        let pack = PackBytes::from(kit.as_ref().map_or(bytes, |kit| kit.pack));
        let pack = PackCell::try_new(pack, |bytes| Pack::decode(bytes)).map_err(pack_error)?;
        let policy = match &kit {
            Some(kit) => kit.policy(pack.borrow_dependent()).map_err(kit_error)?,
            None => Policy::blocking(pack.borrow_dependent()),
        };
        Ok(Engine {
            policy,
            scanner: ScannerCell::new(pack, |pack| Searcher::new(pack.borrow_dependent())),
            texts: kit.map_or_else(String::new, |kit| kit.texts.to_owned()),
            input: Vec::new(),
            output: Vec::new(),
            verdict: Verdict::default(),
        })
    }

    /// Address of room for a message of so many bytes; the wrapper writes it there. Good until the next call.
    pub fn input(&mut self, bytes: usize) -> usize {
        self.input.resize(bytes.min(INPUT_BYTES_MAX), 0);
        self.input.as_ptr().addr()
    }

    /// Judges the first `length` bytes of the input. Returns action, flags << 8, and number of matches << 16; the
    /// matches are in the output.
    pub fn scan(&mut self, length: usize, field: u8, channel: u8, utf16: bool) -> u32 {
        let text = self.input.get(..length).unwrap_or_default();
        let message = message(text, field, channel);
        let (policy, verdict) = (&self.policy, &mut self.verdict);
        self.scanner.with_dependent_mut(|_, scanner| scanner.scan(policy, &message, verdict));
        self.output.clear();
        let pack = self.scanner.borrow_owner().borrow_dependent();
        for found in &verdict.matches {
            let term = pack.term(found.term);
            let action = policy.action_for(message.channel, message.field, term.category, term.severity);
            self.output.extend([
                found.span.start,
                found.span.end,
                found.term.0,
                found.evidence.0.into(),
                u32::from(action as u8),
            ]);
        }
        if utf16 {
            to_utf16(text, &mut self.output);
        }
        let count = u32::try_from(verdict.matches.len()).unwrap_or(u32::MAX);
        u32::from(verdict.action as u8) | u32::from(verdict.flags.0) << 8 | count << 16
    }

    /// What the model said of the last message, in per mille: advertising, and fraud << 16. `u32::MAX` if the pack has
    /// no model.
    #[must_use]
    pub fn confidence(&self) -> u32 {
        if self.scanner.borrow_owner().borrow_dependent().model().is_none() {
            return u32::MAX;
        }
        let Confidence { advertising, fraud } = self.verdict.confidence;
        u32::from(advertising) | u32::from(fraud) << 16
    }

    /// What the model goes by in the first `length` bytes of the input, the weightiest first. Returns how many
    /// reasons are in the output, five numbers each: start, end, thousandths of the odds' logarithm (as `i32`), and
    /// the number of the signal or `u32::MAX` for words of the text; the last is 0.
    pub fn reasons(&mut self, length: usize, utf16: bool) -> u32 {
        let text = self.input.get(..length).unwrap_or_default();
        self.output.clear();
        let Some(model) = self.scanner.borrow_owner().borrow_dependent().model() else { return 0 };
        let reasons = model.reasons(text, b"", REASONS_MAX);
        for Reason { signal, span, weight } in &reasons {
            let signal = signal.map_or(u32::MAX, |signal| signal as u32);
            self.output.extend([span.start, span.end, weight.cast_unsigned(), signal, 0]);
        }
        if utf16 {
            to_utf16(text, &mut self.output);
        }
        // There are no more than asked for.
        reasons.len() as u32
    }

    /// Address of the matches of the last scan: five numbers each, start, end, term, evidence, action.
    #[must_use]
    pub fn output(&self) -> usize {
        self.output.as_ptr().addr()
    }

    /// The verdict of the last scan as it crosses the sandbox border of a gateway, spans in bytes.
    #[must_use]
    pub fn wire(&self) -> Vec<u8> {
        verdict_bytes(&self.verdict)
    }

    /// The first `length` bytes of the input with what the policy masks, or treats harder, masked.
    ///
    /// # Errors
    /// A message that is too long, or has more matches than can be masked.
    pub fn mask(&mut self, length: usize, field: u8, channel: u8) -> Result<String, JsValue> {
        let mut text = self.input.get(..length).unwrap_or_default().to_vec();
        for _ in 0..MASK_ROUNDS_MAX {
            let mut verdict = Verdict::default();
            let message = message(&text, field, channel);
            let policy = &self.policy;
            self.scanner.with_dependent_mut(|_, scanner| scanner.scan(policy, &message, &mut verdict));
            if verdict.flags.contains(VerdictFlags::TRUNCATED) {
                return Err(error("message-too-long", "a message is masked up to 1 MiB; mask it in parts"));
            }
            let pack = self.scanner.borrow_owner().borrow_dependent();
            if let Some(masked) = mask_message(policy, pack, &message, &verdict) {
                return Ok(String::from_utf8_lossy(&masked).into_owned());
            }
            // Not all matches are in the verdict: mask these, and look again.
            let spans: Vec<Span> = verdict.matches.iter().map(|found| found.span).collect();
            text = tamis_guest::mask(&text, &spans);
        }
        Err(error("too-many-matches", "the message has too many matches to mask all of them; hold it"))
    }

    /// What a verdict shows of a term, by its number in the output. `undefined` for a number of no term.
    #[must_use]
    pub fn term(&self, number: u32) -> Option<TermInfo> {
        let pack = self.scanner.borrow_owner().borrow_dependent();
        if number as usize >= pack.terms_count() {
            return None;
        }
        let term = pack.term(TermId(number));
        let category = pack.category(term.category);
        Some(TermInfo {
            text: term.text.to_owned(),
            list: term.list.to_owned(),
            category: category.id.to_owned(),
            code: category.code,
            severity: term.severity as u8,
            clauses: category.clauses().map(str::to_owned).collect(),
        })
    }

    /// Names of the policy's channels, in the order of their numbers.
    #[must_use]
    pub fn channels(&self) -> Vec<String> {
        self.policy.channels().to_vec()
    }

    /// What to tell people about categories: JSON, or nothing.
    #[must_use]
    pub fn texts(&self) -> String {
        self.texts.clone()
    }

    /// How many terms there are.
    #[must_use]
    pub fn terms(&self) -> usize {
        self.scanner.borrow_owner().borrow_dependent().terms_count()
    }

    /// Name of the pack's content: its checksum.
    #[must_use]
    pub fn checksum(&self) -> String {
        format!("{:016x}", self.scanner.borrow_owner().borrow_dependent().checksum())
    }
}

fn message(text: &[u8], field: u8, channel: u8) -> Message<'_> {
    let field = Field::from_number(field).unwrap_or_default();
    Message { text, field, channel: ChannelId(channel), sender: b"" }
}

/// Makes places in UTF-8 places in UTF-16, which strings of JavaScript are counted in. One pass over the text up
/// to the last match.
fn to_utf16(text: &[u8], output: &mut [u32]) {
    let last = output.chunks_exact(MATCH_WORDS).map(|found| found[1]).max().unwrap_or_default();
    if text[..last as usize].is_ascii() {
        return;
    }
    let mut places: Vec<(u32, u32)> =
        output.chunks_exact(MATCH_WORDS).flat_map(|found| [(found[0], 0), (found[1], 0)]).collect();
    places.sort_unstable();
    places.dedup();
    let (mut at, mut units) = (0, 0);
    for (place, in_utf16) in &mut places {
        // Each character counts one, at the byte it begins with, and those of four bytes one more.
        let bytes = &text[at..*place as usize];
        units += bytes.iter().filter(|&&byte| byte & 0xC0 != 0x80).count() as u32;
        units += bytes.iter().filter(|&&byte| byte >= 0xF0).count() as u32;
        at = *place as usize;
        *in_utf16 = units;
    }
    for found in output.chunks_exact_mut(MATCH_WORDS) {
        for place in &mut found[..2] {
            if let Ok(known) = places.binary_search_by_key(place, |&(place, _)| place) {
                *place = places[known].1;
            }
        }
    }
}

fn pack_error(reason: DecodeError) -> JsValue {
    let code = match reason {
        DecodeError::NotAPack => "not-a-pack",
        DecodeError::Version(_) => "pack-version",
        DecodeError::FoldTable => "fold-table",
        _ => "pack-damaged",
    };
    error(code, reason)
}

fn kit_error(reason: KitError) -> JsValue {
    let code = match reason {
        KitError::NotAKit => "not-a-pack",
        KitError::Version(_) => "pack-version",
        _ => "pack-damaged",
    };
    error(code, reason)
}

/// Checks a minisign signature (prehashed, as `minisign` writes since 2020) of the bytes.
///
/// # Errors
/// A key or signature that cannot be read, or that is not of these bytes and this key.
#[wasm_bindgen]
pub fn verify(bytes: &[u8], signature: &str, public_key: &str) -> Result<(), JsValue> {
    let key = if public_key.trim().contains('\n') {
        PublicKey::decode(public_key.trim())
    } else {
        PublicKey::from_base64(public_key.trim())
    };
    let key =
        key.map_err(|_| error("bad-key", "the public key is none: give the second line of a minisign .pub file"))?;
    let signature = Signature::decode(signature)
        .map_err(|_| error("bad-signature", "the signature is none: give the whole text of a .minisig file"))?;
    key.verify(bytes, &signature, false).map_err(|_| {
        error(
            "bad-signature",
            "the signature is not of this pack by this key: the pack was changed, or the key is another",
        )
    })
}

/// How long a text is as an SMS: 0 for the GSM alphabet and 1 for UCS-2, units, segments, units left in the last one.
#[must_use]
#[wasm_bindgen]
pub fn sms(text: &str) -> Vec<u32> {
    let length = tamis_guest::sms_length(text);
    let alphabet = usize::from(length.alphabet == SmsAlphabet::Ucs2);
    let numbers = [alphabet, length.units, length.segments, length.units_left];
    numbers.into_iter().map(|number| u32::try_from(number).unwrap_or(u32::MAX)).collect()
}

/// Names of what the numbers in verdicts stand for: actions, flags, signals and evidence, in the order of their
/// numbers or bits.
#[must_use]
#[wasm_bindgen]
pub fn names(of: &str) -> Vec<String> {
    let bits = |count: u32, name: &dyn Fn(u32) -> Vec<&'static str>| {
        (0..count).flat_map(|bit| name(1 << bit)).map(str::to_owned).collect()
    };
    match of {
        "actions" => Action::ALL.iter().map(|action| action.name().to_owned()).collect(),
        "fields" => Field::ALL.iter().map(|field| field.name().to_owned()).collect(),
        "signals" => Signal::ALL.iter().map(|signal| signal.name().to_owned()).collect(),
        "flags" => bits(8, &|bit| VerdictFlags(bit as u8).names().collect()),
        _ => bits(16, &|bit| tamis_guest::Evidence(bit as u16).names().collect()),
    }
}
