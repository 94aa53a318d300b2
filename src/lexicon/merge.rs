//! Several segments become one, without the sites that are no more.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::sync::Arc;

use super::Held;
use super::bits::Bits;
use super::column::{ColumnBuilder, Reader};
use super::names::NamesReader;
use super::segment::{Segment, SitesBuilder};
use crate::model::id::SiteId;

/// No number.
const GONE: u32 = u32::MAX;

/// A segment, and which of its sites are taken over.
pub(super) type Source = (Arc<Segment>, Bits);

/// A merge that can be done without the lexicon.
#[derive(Debug)]
pub struct Merge {
    pub(super) serials: Vec<u64>,
    pub(super) sources: Vec<Source>,
}

/// A merge that is done.
#[derive(Debug)]
pub struct Merged {
    pub(super) serials: Vec<u64>,
    pub(super) segment: Segment,
}

/// Segments that a merge took the place of.
#[derive(Debug, Default)]
#[must_use = "to be dropped where nobody waits for it"]
pub struct Replaced {
    pub(super) _segments: Vec<Held>,
}

impl Merge {
    /// Does the merge. Costs some microseconds a site.
    #[must_use]
    pub fn run(self) -> Merged {
        Merged { serials: self.serials, segment: merged(&self.sources) }
    }
}

/// One segment of all sites that are taken over, each in one source alone. Costs some microseconds a site.
fn merged(sources: &[Source]) -> Segment {
    let mut sites = SitesBuilder::default();
    let numbers = order(sources, &mut sites);
    let len = sites.len();
    sites.finish(std::array::from_fn(|column| merge_column(sources, &numbers, column, len).finish()))
}

/// Puts the sites in the order of names; the new number of each old one.
fn order(sources: &[Source], sites: &mut SitesBuilder) -> Vec<Vec<u32>> {
    let mut numbers: Vec<Vec<u32>> = sources.iter().map(|(segment, _)| vec![GONE; segment.len()]).collect();
    let cursors = sources.iter().enumerate().filter_map(|(source, (segment, alive))| {
        let mut alive: Vec<u32> = alive.iter().collect();
        alive.reverse();
        let names = segment.names.read();
        SiteCursor { segment, source, alive, names, read: 0, number: 0 }.advanced()
    });
    let mut heap: BinaryHeap<SiteCursor<'_>> = cursors.collect();
    while let Some(mut first) = heap.peek_mut() {
        numbers[first.source][first.number as usize] = super::number(sites.len());
        sites.push(first.names.name(), first.site(), first.segment.mark(first.number));
        if !first.advance() {
            PeekMut::pop(first);
        }
    }
    numbers
}

fn merge_column(sources: &[Source], numbers: &[Vec<u32>], column: usize, len: usize) -> ColumnBuilder {
    let mut builder = ColumnBuilder::new(len);
    let cursors = sources.iter().enumerate().filter_map(|(source, (segment, _))| {
        let mut reader = segment.columns[column].read();
        reader.next().then_some(WordCursor { reader, source })
    });
    let mut heap: BinaryHeap<WordCursor<'_>> = cursors.collect();
    let (mut word, mut found) = (Vec::new(), Vec::new());
    while let Some(first) = heap.peek() {
        word.clear();
        word.extend_from_slice(first.reader.word());
        found.clear();
        let mut sources_found = 0;
        while let Some(mut same) = heap.peek_mut().filter(|cursor| cursor.reader.word() == word) {
            let numbers = &numbers[same.source];
            same.reader.numbers(|old| {
                let new = numbers[old as usize];
                if new != GONE {
                    found.push(new);
                }
            });
            sources_found += 1;
            if !same.reader.next() {
                PeekMut::pop(same);
            }
        }
        if sources_found > 1 {
            found.sort_unstable();
        }
        if !found.is_empty() {
            builder.push(&word, &found);
        }
    }
    builder
}

/// Stands at a site of a segment that is taken over. The greatest is the first in the order of names.
struct SiteCursor<'a> {
    segment: &'a Segment,
    source: usize,
    /// Those that come, the next one last.
    alive: Vec<u32>,
    names: NamesReader<'a>,
    read: u32,
    number: u32,
}

impl SiteCursor<'_> {
    fn advance(&mut self) -> bool {
        let Some(number) = self.alive.pop() else { return false };
        self.number = number;
        while self.read <= number {
            self.names.next();
            self.read += 1;
        }
        true
    }

    fn advanced(mut self) -> Option<Self> {
        self.advance().then_some(self)
    }

    fn site(&self) -> SiteId {
        self.segment.site(self.number)
    }
}

impl Ord for SiteCursor<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.names.name(), other.site()).cmp(&(self.names.name(), self.site()))
    }
}

impl PartialOrd for SiteCursor<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for SiteCursor<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for SiteCursor<'_> {}

/// Stands at a word of a column. The greatest is the first in the order of words.
struct WordCursor<'a> {
    reader: Reader<'a>,
    source: usize,
}

impl Ord for WordCursor<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.reader.word(), other.source).cmp(&(self.reader.word(), self.source))
    }
}

impl PartialOrd for WordCursor<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for WordCursor<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for WordCursor<'_> {}
