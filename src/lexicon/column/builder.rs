//! Builds a column of words that come in order.

use super::{
    BLOCK, Column, DENSE_ONE_IN, SHORT_LIST_MAX, UNION_LETTERS, UNION_LISTS_MIN, UNION_ONE_IN, UNION_SITES_MIN, number,
};
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
    unions: Vec<(Box<[u8]>, Bits)>,
    last: Vec<u8>,
    differences: Vec<u8>,
    /// What is gathered, by the number of letters less one.
    gathered: [Gathered; UNION_LETTERS],
}

/// What begins with some letters, as far as words came.
#[derive(Debug, Default)]
struct Gathered {
    letters: Vec<u8>,
    lists: usize,
    /// Of all their lists, while these are short; a number may come again.
    numbers: Vec<u32>,
    /// What is in them once they are long.
    union: Option<Bits>,
}

impl Gathered {
    /// Adds a list of a column of so many sites.
    fn add(&mut self, numbers: &[u32], sites: usize) {
        self.lists += 1;
        if self.union.is_none() {
            self.numbers.extend_from_slice(numbers);
            if self.numbers.len() <= sites / UNION_ONE_IN {
                return;
            }
        }
        let union = self.union.get_or_insert_with(|| Bits::none(sites));
        self.numbers.drain(..).chain(numbers.iter().copied()).for_each(|number| union.set(number));
    }

    /// The letters and their union, where it is worth keeping. Begins anew.
    fn end(&mut self) -> Option<(Box<[u8]>, Bits)> {
        let Self { letters, lists, numbers, union } = self;
        numbers.clear();
        let is_of_many = std::mem::take(lists) > UNION_LISTS_MIN;
        let kept = union.take().filter(|_| is_of_many).map(|union| (letters.as_slice().into(), union));
        letters.clear();
        kept
    }
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
            gathered: std::array::from_fn(|_| Gathered::default()),
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
        let ends = (1..=word.len()).filter(|end| word.get(*end).is_none_or(|byte| byte & 0xc0 != 0x80));
        for (gathered, end) in self.gathered.iter_mut().zip(ends) {
            if gathered.letters != word[..end] {
                self.unions.extend(gathered.end());
                gathered.letters.extend_from_slice(&word[..end]);
            }
            gathered.add(numbers, self.sites);
        }
    }

    /// The column.
    pub(in crate::lexicon) fn finish(mut self) -> Column {
        self.unions.extend(self.gathered.iter_mut().filter_map(Gathered::end));
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

fn put(bytes: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}
