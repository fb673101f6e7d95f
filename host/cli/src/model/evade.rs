//! Disguises messages, so that a model learns the disguised beside the plain. Not for measuring: the pairs
//! that evasions are measured with come from elsewhere.

use super::data::Random;

/// The text in some disguise: letters apart, digits for letters, letters starred, exchanged or left out,
/// in another style, or with signs between.
pub(crate) fn disguise(text: &str, random: &mut Random) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(2 * text.len());
    match random.below(9) {
        0 => {
            for &c in characters.iter().filter(|c| !c.is_whitespace()) {
                out.push(c);
                out.push(' ');
            }
        }
        1 => between(&characters, &mut out, |_| Some('.')),
        2 => {
            let signs = ['-', '_', '*', '~', '·'];
            between(&characters, &mut out, |random| Some(signs[random.below(signs.len())]));
        }
        3 => {
            for &c in &characters {
                let chance = random.below(4) > 0;
                out.push(if chance { digit_for(c) } else { c });
            }
        }
        4 => {
            for &c in &characters {
                let starred = "aeiou".contains(c) && random.below(2) == 0;
                out.push(if starred { '*' } else { c });
            }
        }
        5 => {
            let mut at = 0;
            while at < characters.len() {
                let swap = at + 1 < characters.len()
                    && characters[at].is_alphabetic()
                    && characters[at + 1].is_alphabetic()
                    && random.below(5) == 0;
                if swap {
                    out.extend([characters[at + 1], characters[at]]);
                    at += 2;
                } else {
                    out.push(characters[at]);
                    at += 1;
                }
            }
        }
        // Letters of another style, or of full width.
        6 | 7 => {
            let (capital, small) = if random.below(2) == 0 { (0x1D400, 0x1D41A) } else { (0xFF21, 0xFF41) };
            out.extend(characters.iter().map(|&c| {
                let styled = match c {
                    'A'..='Z' => char::from_u32(c as u32 - 0x41 + capital),
                    'a'..='z' => char::from_u32(c as u32 - 0x61 + small),
                    _ => None,
                };
                styled.unwrap_or(c)
            }));
        }
        _ => {
            for &c in &characters {
                out.push(c);
                if c.is_alphabetic() && random.below(3) == 0 {
                    out.push('😂');
                }
            }
        }
    }
    out
}

/// A sign between letters.
fn between(characters: &[char], out: &mut String, sign: impl Fn(&mut Random) -> Option<char>) {
    let mut random = Random::new(characters.len() as u64);
    for (at, &c) in characters.iter().enumerate() {
        out.push(c);
        if c.is_alphabetic() && characters.get(at + 1).is_some_and(|next| next.is_alphabetic()) {
            out.extend(sign(&mut random));
        }
    }
}

fn digit_for(c: char) -> char {
    match c.to_ascii_lowercase() {
        'a' => '4',
        'e' => '3',
        'i' => '1',
        'o' => '0',
        's' => '5',
        't' => '7',
        'l' => '|',
        'b' => '8',
        'g' => '9',
        _ => c,
    }
}
