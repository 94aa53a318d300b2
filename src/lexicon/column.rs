//! A column of a segment: words in order, and for each the numbers of the sites that have it.
//!
//! Words stand in blocks of [`BLOCK`], each but the first without what it shares with the one before; the lists of a
//! block stand together, as differences in groups of seven bits. A list that would take more room than a bit for each
//! site is a set of bits. The first letters that somebody types begin the words of many lists: their union is kept beside
//! them where that is so, and costs no more than one of them.

mod builder;

use std::ops::Range;

use super::bits::Bits;

pub(super) use builder::ColumnBuilder;

/// Words of a block: some 100 bytes are read to find one of them.
const BLOCK: usize = 16;
/// A list of at least one site in so many is a set of bits: it takes no more room.
const DENSE_ONE_IN: usize = 8;
/// The union of first letters is kept where their lists are longer than one number for so many sites.
const UNION_ONE_IN: usize = 16;
/// and where they are more than so many,
const UNION_LISTS_MIN: usize = if cfg!(test) { 1 } else { 64 };
/// for so many letters at most.
const UNION_LETTERS: usize = 6;
/// Segments of fewer sites keep no unions: their lists are read in microseconds.
const UNION_SITES_MIN: usize = if cfg!(test) { 8 } else { 4_096 };
/// Lists of more numbers tell their length, so that they can be passed over.
const SHORT_LIST_MAX: u32 = if cfg!(test) { 2 } else { 16 };

/// The column.
#[derive(Debug, Default)]
pub(super) struct Column {
    /// Words, each as: bytes shared with the one before, bytes more, these. The first of a block shares none.
    words: Box<[u8]>,
    /// Lists, each as: twice the count, or twice its place in `dense` and one; the bytes of a long one; differences.
    lists: Box<[u8]>,
    /// Where each block begins in both.
    blocks: Box<[(u32, u32)]>,
    len: u32,
    /// Long lists, by number of the word.
    dense: Vec<(u32, Bits)>,
    /// Unions of what begins with some letters.
    unions: Vec<(Box<[u8]>, Bits)>,
}

/// What of a column is looked at.
#[derive(Debug, Clone)]
pub(super) enum Part<'a> {
    /// The lists of these words.
    Lists(&'a Column, Range<u32>),
    /// The union of lists.
    Union(&'a Bits),
}

/// A list of a column.
#[derive(Debug)]
enum List<'a> {
    Dense(&'a Bits),
    Differences { count: u32, bytes: &'a [u8] },
}

/// Some numbers of a part, as they are kept.
#[derive(Debug)]
pub(super) enum Numbers<'a> {
    Dense(&'a Bits),
    One(u32),
}

impl Column {
    /// The numbers of the words that begin with `prefix`, and whether the first is the prefix itself.
    pub(super) fn find(&self, prefix: &[u8]) -> (Range<u32>, bool) {
        let (first, is_same) = self.partition(|word| word < prefix, prefix);
        let (end, _) = self.partition(|word| word < prefix || word.starts_with(prefix), prefix);
        (first..end, is_same)
    }

    /// The union of all lists of words that begin with these letters, where it is kept.
    pub(super) fn union(&self, letters: &[u8]) -> Option<&Bits> {
        self.unions.iter().find(|(kept, _)| **kept == *letters).map(|(_, bits)| bits)
    }

    /// The number of the first word that is not before, and whether it is `wanted`.
    fn partition(&self, is_before: impl Fn(&[u8]) -> bool, wanted: &[u8]) -> (u32, bool) {
        let behind = self.blocks.partition_point(|(at, _)| is_before(self.first_word(*at)));
        let Some(block) = behind.checked_sub(1) else {
            let is_same = self.blocks.first().is_some_and(|(at, _)| self.first_word(*at) == wanted);
            return (0, is_same);
        };
        let mut words = Words::of(self, block);
        let mut number = number(block * BLOCK);
        let last = self.len.min(number + super::number(BLOCK));
        while number < last {
            words.next();
            if !is_before(&words.word) {
                return (number, words.word == wanted);
            }
            number += 1;
        }
        let is_same = self.blocks.get(block + 1).is_some_and(|(at, _)| self.first_word(*at) == wanted);
        (number, is_same)
    }

    fn first_word(&self, at: u32) -> &[u8] {
        let at = at as usize;
        &self.words[at + 2..at + 2 + usize::from(self.words[at + 1])]
    }

    /// About how much reading the lists of some words costs, in bytes.
    pub(super) fn cost(&self, words: &Range<u32>) -> usize {
        if words.is_empty() {
            return 0;
        }
        let at = |block: usize| self.blocks.get(block).map_or(self.lists.len(), |(_, at)| *at as usize);
        let (first, last) = (words.start as usize / BLOCK, words.end as usize / BLOCK);
        let whole = at(last).saturating_sub(at(first));
        let share = if last == first { words.len().min(BLOCK) } else { BLOCK };
        let read = if last == first { (at(first + 1) - at(first)) * share / BLOCK } else { whole };
        read.max(words.len()) + self.dense_of(words).iter().map(|(_, bits)| bits.bytes()).sum::<usize>()
    }

    fn dense_of(&self, words: &Range<u32>) -> &[(u32, Bits)] {
        let first = self.dense.partition_point(|(word, _)| *word < words.start);
        let end = self.dense.partition_point(|(word, _)| *word < words.end);
        &self.dense[first..end]
    }

    /// Visits what the lists of some words hold.
    fn each(&self, words: Range<u32>, mut visit: impl FnMut(Numbers<'_>)) {
        let mut lists = Lists::of(self, words.start as usize / BLOCK);
        let before = words.start as usize % BLOCK;
        (0..before).for_each(|_| {
            lists.next();
        });
        for _ in words {
            match lists.next() {
                List::Dense(bits) => visit(Numbers::Dense(bits)),
                List::Differences { count, bytes } => {
                    each_number(count, bytes, |number| visit(Numbers::One(number)));
                }
            }
        }
    }

    /// The words with their lists, in order.
    pub(super) fn read(&self) -> Reader<'_> {
        Reader { words: Words::of(self, 0), lists: Lists::of(self, 0), left: self.len }
    }
}

impl Part<'_> {
    /// About how much reading it costs, in bytes.
    pub(super) fn cost(&self) -> usize {
        match self {
            Self::Lists(column, words) => column.cost(words),
            Self::Union(bits) => bits.bytes(),
        }
    }

    /// Visits what it holds, in no order; a number may come again.
    pub(super) fn each(&self, mut visit: impl FnMut(Numbers<'_>)) {
        match self {
            Self::Lists(column, words) => column.each(words.clone(), visit),
            Self::Union(bits) => visit(Numbers::Dense(bits)),
        }
    }
}

fn number(count: usize) -> u32 {
    super::number(count)
}

/// Reads the words of a column from a block on.
#[derive(Debug)]
struct Words<'a> {
    rest: &'a [u8],
    word: Vec<u8>,
}

impl<'a> Words<'a> {
    fn of(column: &'a Column, block: usize) -> Self {
        let at = column.blocks.get(block).map_or(column.words.len(), |(at, _)| *at as usize);
        Self { rest: &column.words[at..], word: Vec::new() }
    }

    fn next(&mut self) {
        let [shared, more, rest @ ..] = self.rest else { return };
        let (more, rest) = rest.split_at(usize::from(*more));
        self.word.truncate(usize::from(*shared));
        self.word.extend_from_slice(more);
        self.rest = rest;
    }
}

/// Reads the lists of a column from a block on.
#[derive(Debug)]
struct Lists<'a> {
    rest: &'a [u8],
    dense: &'a [(u32, Bits)],
}

impl<'a> Lists<'a> {
    fn of(column: &'a Column, block: usize) -> Self {
        let at = column.blocks.get(block).map_or(column.lists.len(), |(_, at)| *at as usize);
        Self { rest: &column.lists[at..], dense: &column.dense }
    }

    fn next(&mut self) -> List<'a> {
        let head = take(&mut self.rest);
        if head & 1 == 1 {
            return List::Dense(&self.dense[(head >> 1) as usize].1);
        }
        let count = head >> 1;
        let length = if count > SHORT_LIST_MAX {
            take(&mut self.rest) as usize
        } else {
            let mut numbers = 0;
            let ends = |byte: &u8| {
                numbers += u32::from(byte & 0x80 == 0);
                numbers == count
            };
            self.rest.iter().position(ends).map_or(0, |last| last + 1)
        };
        let (bytes, rest) = self.rest.split_at(length);
        self.rest = rest;
        List::Differences { count, bytes }
    }
}

/// Reads a column from its beginning.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    words: Words<'a>,
    lists: Lists<'a>,
    left: u32,
}

impl Reader<'_> {
    /// Goes to the next word; whether there is one.
    pub(super) fn next(&mut self) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        self.words.next();
        true
    }

    /// The word that it stands at.
    pub(super) fn word(&self) -> &[u8] {
        &self.words.word
    }

    /// The numbers of that word, ascending. Asked once for each word.
    pub(super) fn numbers(&mut self, mut visit: impl FnMut(u32)) {
        match self.lists.next() {
            List::Dense(bits) => bits.iter().for_each(visit),
            List::Differences { count, bytes } => each_number(count, bytes, &mut visit),
        }
    }
}

fn each_number(count: u32, mut bytes: &[u8], mut visit: impl FnMut(u32)) {
    let mut number = 0;
    for _ in 0..count {
        number += take(&mut bytes);
        visit(number);
    }
}

/// Takes a number off the front: seven bits a byte, the lowest first.
fn take(bytes: &mut &[u8]) -> u32 {
    let (mut number, mut shift) = (0, 0);
    while let [byte, rest @ ..] = bytes {
        *bytes = rest;
        number |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
        shift += 7;
    }
    number
}
