//! Bytes in hexadecimal, as freely as keepalived takes them: `Ab12f 3 456` is AB 12 0F 03 45 06.

use crate::text::Word;

/// `None`: there is something else than digits.
pub(super) fn bytes(words: &[Word]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for pair in pairs(words) {
        let mut byte = 0;
        for digit in pair {
            byte = byte << 4 | char::from(*digit).to_digit(16)? as u8;
        }
        bytes.push(byte);
    }
    Some(bytes)
}

/// Each byte's value and which of its bits count: `X` stands for any digit.
pub(super) fn pattern(words: &[Word]) -> Option<Vec<(u8, u8)>> {
    let mut bytes = Vec::new();
    for pair in pairs(words) {
        let (mut byte, mut mask) = (0, if pair.len() == 1 { 0xf } else { 0 });
        for digit in pair {
            let (value, counts) = match digit {
                b'x' | b'X' => (0, 0),
                digit => (char::from(*digit).to_digit(16)? as u8, 0xf),
            };
            (byte, mask) = (byte << 4 | value, mask << 4 | counts);
        }
        bytes.push((byte, mask));
    }
    Some(bytes)
}

/// Two digits each; an odd one at the end of a word is a byte of its own.
fn pairs(words: &[Word]) -> impl Iterator<Item = &[u8]> {
    let parts = words.iter().flat_map(|word| word.text.split(u8::is_ascii_whitespace));
    parts.flat_map(|part| part.chunks(2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Span;

    #[test]
    fn the_manuals_example() {
        let words: Vec<Word> = ["Ab12f", "3", "456", "546443123"]
            .map(|text| Word::new(text, Span::default()))
            .into_iter()
            .collect();
        let expected = [0xab, 0x12, 0x0f, 0x03, 0x45, 0x06, 0x54, 0x64, 0x43, 0x12, 0x03];
        assert_eq!(bytes(&words).unwrap(), expected);
    }

    #[test]
    fn an_x_stands_for_any_digit() {
        let words = [Word::new("X1xx2", Span::default())];
        assert_eq!(pattern(&words).unwrap(), [(0x01, 0x0f), (0, 0), (0x02, 0xff)]);
        assert_eq!(bytes(&words), None);
        assert_eq!(pattern(&[Word::new("zz", Span::default())]), None);
    }
}
