//! How long a text is as an SMS: which alphabet it takes, and how many segments. Not for encoding one.

use alloc::vec::Vec;

/// Alphabet an SMS is sent in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub enum SmsAlphabet {
    /// The GSM default alphabet, seven bits a character; some characters take two.
    #[default]
    Gsm7,
    /// UTF-16; for any text with a character that the default alphabet does not have.
    Ucs2,
}

/// Length of a text as an SMS, without language shift tables.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SmsLength {
    /// The alphabet it takes.
    pub alphabet: SmsAlphabet,
    /// Septets, or units of UTF-16.
    pub units: usize,
    /// Segments it is sent in; 1 for an empty text.
    pub segments: usize,
    /// Units that still fit into the last segment.
    pub units_left: usize,
}

/// Units of one SMS, and of each segment of a longer one, whose header takes six bytes.
const GSM7_UNITS: (usize, usize) = (160, 153);
const UCS2_UNITS: (usize, usize) = (70, 67);

/// What the default alphabet has beside the ASCII it shares (3GPP TS 23.038, 6.2.1).
const GSM7_BESIDE_ASCII: &str = "£¥èéùìòÇØøÅåΔΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà";
/// What is sent as an escape and a character (6.2.1.1).
const GSM7_EXTENSION: &str = "\u{C}^{}\\[~]|€";

/// Length of a text as an SMS. Costs one pass over it.
#[must_use]
pub fn sms_length(text: &str) -> SmsLength {
    let gsm7: Option<Vec<usize>> = text.chars().map(septets).collect();
    match gsm7 {
        Some(septets) => length(SmsAlphabet::Gsm7, GSM7_UNITS, septets.into_iter()),
        None => length(SmsAlphabet::Ucs2, UCS2_UNITS, text.chars().map(char::len_utf16)),
    }
}

fn septets(c: char) -> Option<usize> {
    match c {
        '`' => None,
        c if GSM7_EXTENSION.contains(c) => Some(2),
        ' '..='~' | '\n' | '\r' => Some(1),
        c => GSM7_BESIDE_ASCII.contains(c).then_some(1),
    }
}

/// A character of two units does not lie across segments.
fn length(
    alphabet: SmsAlphabet,
    (alone, in_segments): (usize, usize),
    characters: impl Iterator<Item = usize> + Clone,
) -> SmsLength {
    let units = characters.clone().sum();
    if units <= alone {
        return SmsLength { alphabet, units, segments: 1, units_left: alone - units };
    }
    let (mut segments, mut left) = (1, in_segments);
    for size in characters {
        if size > left {
            segments += 1;
            left = in_segments;
        }
        left -= size;
    }
    SmsLength { alphabet, units, segments, units_left: left }
}
