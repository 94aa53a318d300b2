//! Changes bytes and texts in the ways that parsers fall over: bits, pieces moved, doubled and cut, numbers at their ends,
//! words of the format where they do not belong.

use super::Numbers;

/// Texts that have broken parsers: empty and closing signs, paths, numbers at the ends of their ranges, letters that fold or
/// turn round, and what is no UTF-8.
pub(crate) const TEXTS: [&[u8]; 34] = [
    b"",
    b"\0",
    b"\"",
    b"'",
    b"\\",
    b"(",
    b")",
    b"{",
    b"}",
    b"[",
    b"]",
    b"/",
    b"../",
    b"%",
    b"%00",
    b"*",
    b"-",
    b"\r\n",
    b" ",
    b"\t",
    b"-1",
    b"NaN",
    b"1e999",
    b"-0.0",
    b"99999999999999999999",
    b"null",
    b"\xff",
    b"\xed\xa0\x80",
    "\u{feff}".as_bytes(),
    "\u{202e}".as_bytes(),
    "İßﬃ".as_bytes(),
    "e\u{301}\u{301}\u{301}".as_bytes(),
    "\u{1f5fa}\u{fe0f}".as_bytes(),
    "\u{3000}".as_bytes(),
];
/// Numbers that stand at the end of some range.
const ENDS: [&[u8]; 16] = [
    b"0",
    b"1",
    b"-1",
    b"22",
    b"23",
    b"90",
    b"180",
    b"-180.0000001",
    b"255",
    b"256",
    b"65536",
    b"2147483648",
    b"4294967296",
    b"9223372036854775808",
    b"18446744073709551616",
    b"1e-400",
];
/// Longest piece that is moved or taken, in bytes.
const PIECE_BYTES_MAX: usize = 64;
/// How often a piece may be repeated at once: enough to nest deeper than any limit.
const REPEATS_MAX: usize = 48;

/// A mutator of one format.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mutator<'a> {
    /// What means something in the format.
    pub(crate) words: &'a [&'a [u8]],
    /// Longest mutant, in bytes.
    pub(crate) bytes_max: usize,
}

impl<'a> Mutator<'a> {
    /// What a target's `mutate` is.
    pub(crate) fn changes(self) -> impl Fn(&mut Vec<u8>, &[u8], &mut Numbers) + 'a {
        move |bytes, other, numbers| self.mutate(bytes, other, numbers)
    }

    /// Changes the bytes in one to four ways; `other` is another input, to take pieces from.
    pub(crate) fn mutate(&self, bytes: &mut Vec<u8>, other: &[u8], numbers: &mut Numbers) {
        for _ in 0..=numbers.below(4) {
            let at = numbers.below(bytes.len() + 1);
            if at == bytes.len() {
                bytes.extend_from_slice(self.word(numbers));
            } else if numbers.one_in(2) {
                change(bytes, at, numbers);
            } else {
                self.put(bytes, at, other, numbers);
            }
            bytes.truncate(self.bytes_max);
        }
    }

    /// A word of the format, or a text that breaks many.
    fn word(&self, numbers: &mut Numbers) -> &[u8] {
        if self.words.is_empty() || numbers.one_in(4) {
            numbers.one_of::<&[u8]>(&TEXTS)
        } else {
            numbers.one_of::<&[u8]>(self.words)
        }
    }

    /// Puts something else there.
    fn put(&self, bytes: &mut Vec<u8>, at: usize, other: &[u8], numbers: &mut Numbers) {
        match numbers.below(6) {
            0 => drop(bytes.splice(at..at, self.word(numbers).iter().copied())),
            1 => {
                let word = self.word(numbers);
                let end = (at + word.len()).min(bytes.len());
                drop(bytes.splice(at..end, word.iter().copied()));
            }
            2 => {
                let piece = piece_of(other, numbers);
                let end = (at + piece.len()).min(bytes.len());
                drop(bytes.splice(at..end, piece));
            }
            3 => {
                // The beginning of one, the end of the other.
                let from = numbers.below(other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            4 => {
                let word = self.word(numbers).repeat(1 + numbers.below(REPEATS_MAX));
                drop(bytes.splice(at..at, word));
            }
            _ => {
                let (start, end) = number_around(bytes, at);
                drop(bytes.splice(start..end, numbers.one_of(&ENDS).iter().copied()));
            }
        }
    }
}

/// Changes what is there.
fn change(bytes: &mut Vec<u8>, at: usize, numbers: &mut Numbers) {
    match numbers.below(8) {
        0 => bytes[at] ^= 1 << numbers.below(8),
        1 => bytes[at] = u8::try_from(numbers.below(256)).unwrap(),
        2 => bytes[at] = bytes[at].wrapping_add(1),
        3 => bytes.truncate(at),
        4 => drop(bytes.drain(at..(at + 1 + numbers.below(16)).min(bytes.len()))),
        5 => {
            let piece = piece_of(bytes, numbers);
            drop(bytes.splice(at..at, piece));
        }
        6 => {
            let piece = piece_of(bytes, numbers).repeat(1 + numbers.below(REPEATS_MAX));
            drop(bytes.splice(at..at, piece));
        }
        _ => {
            let with = numbers.below(bytes.len());
            bytes.swap(at, with);
        }
    }
}

fn piece_of(bytes: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let from = numbers.below(bytes.len());
    bytes[from..(from + 1 + numbers.below(PIECE_BYTES_MAX)).min(bytes.len())].to_vec()
}

/// Where the number stands that the byte belongs to; nothing at the byte where there is none.
fn number_around(bytes: &[u8], at: usize) -> (usize, usize) {
    let is_of_number = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    let start = bytes[..at].iter().rposition(|byte| !is_of_number(byte)).map_or(0, |before| before + 1);
    let end = bytes[at..].iter().position(|byte| !is_of_number(byte)).map_or(bytes.len(), |length| at + length);
    (start, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_numbers_make_the_same_mutant_and_none_is_too_long() {
        let mutator = Mutator { words: &[b"AND"], bytes_max: 100 };
        let mutant = |seed: u64| {
            let mut bytes = b"zoom = 17 OR x".to_vec();
            mutator.mutate(&mut bytes, b"(a)", &mut Numbers::new(seed));
            bytes
        };
        let mutants: Vec<Vec<u8>> = (0..500).map(mutant).collect();
        assert!(mutants.iter().zip(0..).all(|(made, seed)| *made == mutant(seed) && made.len() <= 100));
        for (what, is_there) in [
            ("a word", mutants.iter().any(|made| made.windows(3).any(|part| part == b"AND"))),
            ("the end of a range", mutants.iter().any(|made| made.windows(10).any(|part| part == b"4294967296"))),
            ("nothing left", mutants.iter().any(Vec::is_empty)),
        ] {
            assert!(is_there, "{what} is never made");
        }
    }

    #[test]
    fn a_number_is_replaced_as_a_whole() {
        assert_eq!(number_around(b"a 1.75,", 4), (2, 6));
        assert_eq!(number_around(b"175", 0), (0, 3));
        assert_eq!(number_around(b"ab", 1), (1, 1));
    }
}
