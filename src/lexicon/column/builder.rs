//! Builds a column of words that come in order.

use super::{BLOCK, Column, DENSE_ONE_IN, SHORT_LIST_MAX, UNION_ONE_IN, UNION_SITES_MIN, number};
use crate::lexicon::bits::Bits;

/// The builder.
#[derive(Debug)]
pub(in crate::lexicon) struct ColumnBuilder {
    sites: usize,
    words: Vec<u8>,
    lists: Vec<u8>,
    blocks: Vec<(u32, u32)>,
    len: u32,
    dense: Vec<(u32, Bits)>,
    unions: Vec<(char, Bits)>,
    last: Vec<u8>,
    differences: Vec<u8>,
    /// The letter that is gathered, what begins with it, and how many numbers went in.
    letter: char,
    union: Bits,
    gathered: usize,
}

impl ColumnBuilder {
    /// A column of numbers below `sites`.
    pub(in crate::lexicon) fn new(sites: usize) -> Self {
        Self {
            sites,
            words: Vec::new(),
            lists: Vec::new(),
            blocks: Vec::new(),
            len: 0,
            dense: Vec::new(),
            unions: Vec::new(),
            last: Vec::new(),
            differences: Vec::new(),
            letter: '\0',
            union: Bits::none(if sites < UNION_SITES_MIN { 0 } else { sites }),
            gathered: 0,
        }
    }

    /// Puts a word behind the others, with its numbers, ascending and each once.
    pub(in crate::lexicon) fn push(&mut self, word: &[u8], numbers: &[u32]) {
        let is_first = (self.len as usize).is_multiple_of(BLOCK);
        let shared =
            if is_first { 0 } else { word.iter().zip(&self.last).take_while(|(one, other)| one == other).count() };
        if is_first {
            self.blocks.push((number(self.words.len()), number(self.lists.len())));
        }
        let byte = |count: usize| u8::try_from(count).expect("words are short");
        self.words.extend([byte(shared), byte(word.len() - shared)]);
        self.words.extend_from_slice(&word[shared..]);
        self.last.clear();
        self.last.extend_from_slice(word);
        self.gather(word, numbers);
        self.push_list(numbers);
        self.len += 1;
    }

    fn push_list(&mut self, numbers: &[u32]) {
        if numbers.len() > self.sites / DENSE_ONE_IN && numbers.len() > SHORT_LIST_MAX as usize {
            put(&mut self.lists, number(self.dense.len()) << 1 | 1);
            let mut bits = Bits::none(self.sites);
            numbers.iter().for_each(|number| bits.set(*number));
            return self.dense.push((self.len, bits));
        }
        let count = number(numbers.len());
        put(&mut self.lists, count << 1);
        self.differences.clear();
        let mut before = 0;
        for number in numbers {
            put(&mut self.differences, number - before);
            before = *number;
        }
        if count > SHORT_LIST_MAX {
            put(&mut self.lists, number(self.differences.len()));
        }
        self.lists.extend_from_slice(&self.differences);
    }

    fn gather(&mut self, word: &[u8], numbers: &[u32]) {
        if self.sites < UNION_SITES_MIN {
            return;
        }
        let letter = first_letter(word);
        if letter != self.letter {
            self.end_letter();
            self.letter = letter;
        }
        numbers.iter().for_each(|number| self.union.set(*number));
        self.gathered += numbers.len();
    }

    fn end_letter(&mut self) {
        if self.gathered > self.sites / UNION_ONE_IN {
            self.unions.push((self.letter, self.union.clone()));
        }
        if self.gathered > 0 {
            self.union.reset();
        }
        self.gathered = 0;
    }

    /// The column.
    pub(in crate::lexicon) fn finish(mut self) -> Column {
        self.end_letter();
        Column {
            words: self.words.into(),
            lists: self.lists.into(),
            blocks: self.blocks.into(),
            len: self.len,
            dense: self.dense,
            unions: self.unions,
        }
    }
}

fn first_letter(word: &[u8]) -> char {
    // The first character is whole in its first four bytes.
    let begin = &word[..word.len().min(4)];
    begin.utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next()).unwrap_or_default()
}

fn put(bytes: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}
