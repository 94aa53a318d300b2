//! A segment: an index of some sites that never changes, numbered in the order of their names.
//!
//! Because numbers follow names, a list of numbers is in the order of names, and the first of a rank are the first that
//! are read. Knows nothing of which of its sites are still so: who holds it has a bit for each.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use super::bits::Bits;
use super::column::{Column, ColumnBuilder};
use super::entry::Entry;
use super::field::COLUMNS;
use super::names::{Names, NamesBuilder};
use super::number;
use crate::model::id::SiteId;

/// Secret of the tables of ids, so that nobody can choose ids that collide.
static IDS: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// The segment.
#[derive(Debug, Default)]
pub(super) struct Segment {
    ids: Box<[SiteId]>,
    marks: Box<[u64]>,
    /// Open addressing by a hash of the id: one more than the number, 0 where empty.
    places: Box<[u32]>,
    pub(super) names: Names,
    pub(super) columns: [Column; COLUMNS],
}

impl Segment {
    /// The segment of these entries, each of another site.
    pub(super) fn of(mut entries: Vec<Entry>) -> Self {
        entries.sort_unstable_by(|one, other| (&one.name, one.site).cmp(&(&other.name, other.site)));
        let mut occurrences: Vec<(u8, u64, &str, u32)> = Vec::new();
        for (at, entry) in entries.iter().enumerate() {
            occurrences.extend(entry.words().map(|(word, column)| (column, begin_of(word), word, number(at))));
        }
        occurrences.sort_unstable();
        let mut sites = SitesBuilder::default();
        entries.iter().for_each(|entry| sites.push(entry.name.as_bytes(), entry.site, entry.mark));
        let mut columns: [ColumnBuilder; COLUMNS] = std::array::from_fn(|_| ColumnBuilder::new(entries.len()));
        let mut numbers = Vec::new();
        for same in occurrences.chunk_by(|one, other| one.0 == other.0 && one.2 == other.2) {
            numbers.clear();
            numbers.extend(same.iter().map(|(.., at)| *at));
            columns[usize::from(same[0].0)].push(same[0].2.as_bytes(), &numbers);
        }
        sites.finish(columns.map(ColumnBuilder::finish))
    }

    /// How many sites it is of.
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// The site of a number.
    pub(super) fn site(&self, number: u32) -> SiteId {
        self.ids[number as usize]
    }

    /// What tells the texts of a site from others.
    pub(super) fn mark(&self, number: u32) -> u64 {
        self.marks[number as usize]
    }

    /// The number of a site.
    pub(super) fn find(&self, site: SiteId) -> Option<u32> {
        let mut place = home(site, self.places.len())?;
        loop {
            let number = self.places[place].checked_sub(1)?;
            if self.site(number) == site {
                return Some(number);
            }
            place = (place + 1) % self.places.len();
        }
    }

    /// All numbers.
    pub(super) fn all(&self) -> Bits {
        Bits::all(self.len())
    }
}

/// The first eight bytes as a number: most words are told apart by it alone.
fn begin_of(word: &str) -> u64 {
    let mut begin = [0; 8];
    let bytes = &word.as_bytes()[..word.len().min(8)];
    begin[..bytes.len()].copy_from_slice(bytes);
    u64::from_be_bytes(begin)
}

fn home(site: SiteId, places: usize) -> Option<usize> {
    let hash = usize::try_from(IDS.hash_one(site.as_u128()) >> 32).ok()?;
    hash.checked_rem(places)
}

/// Puts the sites of a segment together, in the order of their names.
#[derive(Debug, Default)]
pub(super) struct SitesBuilder {
    ids: Vec<SiteId>,
    marks: Vec<u64>,
    names: NamesBuilder,
}

impl SitesBuilder {
    pub(super) fn push(&mut self, name: &[u8], site: SiteId, mark: u64) {
        self.ids.push(site);
        self.marks.push(mark);
        self.names.push(name);
    }

    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// The segment of these sites and columns.
    pub(super) fn finish(self, columns: [Column; COLUMNS]) -> Segment {
        // A quarter of the places stays empty, at least one.
        let mut places = vec![0; self.ids.len() + self.ids.len() / 3 + 1];
        for (at, site) in self.ids.iter().enumerate() {
            let mut place = home(*site, places.len()).unwrap_or_default();
            while places[place] != 0 {
                place = (place + 1) % places.len();
            }
            places[place] = number(at) + 1;
        }
        Segment {
            ids: self.ids.into(),
            marks: self.marks.into(),
            places: places.into(),
            names: self.names.finish(),
            columns,
        }
    }
}
