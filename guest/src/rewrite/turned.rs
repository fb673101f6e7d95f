//! Letters that are upside down.

/// Letters a to z, upside down, and other ways to write some.
const UPSIDE_DOWN: &str = "ɐqɔpǝɟƃɥᴉɾʞlɯuodbɹsʇnʌʍxʎz";

const UPSIDE_DOWN_OTHERWISE: [(char, char); 22] = [
    ('ı', 'i'),
    ('ן', 'l'),
    ('ʃ', 'l'),
    ('ɓ', 'g'),
    ('∀', 'a'),
    ('Ɔ', 'c'),
    ('Ǝ', 'e'),
    ('Ⅎ', 'f'),
    ('⅁', 'g'),
    ('˥', 'l'),
    ('Ԁ', 'p'),
    ('ᴚ', 'r'),
    ('┴', 't'),
    ('∩', 'u'),
    ('Λ', 'v'),
    ('Ɩ', '1'),
    ('ᄅ', '2'),
    ('Ɛ', '3'),
    ('ㄣ', '4'),
    ('ϛ', '5'),
    ('ㄥ', '7'),
    ('˙', '.'),
];

/// What ASCII characters are upside down; 0 for what is nothing then.
static ASCII_TURNED: [u8; 0x80] = {
    let mut turned = [0; 0x80];
    let mut code = 0;
    while code < 0x80 {
        let ascii = code as u8;
        if ascii.is_ascii_digit() || ascii.is_ascii_punctuation() || ascii == b' ' {
            turned[code] = ascii;
        }
        code += 1;
    }
    let letters = UPSIDE_DOWN.as_bytes();
    let (mut at, mut letter) = (0, b'a');
    while at < letters.len() {
        if letters[at] < 0x80 {
            turned[letters[at] as usize] = letter;
        }
        // One letter ends where the next begins.
        at += 1;
        while at < letters.len() && letters[at] & 0xC0 == 0x80 {
            at += 1;
        }
        letter += 1;
    }
    turned
};

/// What a character is when turned by half a circle: letters, and digits and signs as they are.
pub(super) fn upside_down(code: u32) -> Option<char> {
    if let Some(&turned) = ASCII_TURNED.get(code as usize) {
        return (turned != 0).then_some(turned.into());
    }
    let char = char::from_u32(code)?;
    if let Some(at) = UPSIDE_DOWN.chars().position(|turned| turned == char) {
        return Some(char::from(b'a' + at as u8));
    }
    let otherwise = UPSIDE_DOWN_OTHERWISE.iter().find(|&&(turned, _)| turned == char).map(|&(_, is)| is);
    otherwise.or(matches!(char, '£' | '¡' | '¿').then_some(char))
}

/// Whether a character is hardly there for anything but being upside down.
pub(super) fn shows_turned(char: char) -> bool {
    matches!(char, '\u{250}'..='\u{28E}' | 'ǝ' | 'ƃ' | 'ᴉ' | 'ᴚ' | '∀' | 'Ǝ' | 'Ⅎ' | '⅁' | '˥' | '┴')
}
