//! The sites of a great pile in order: by id, and by exact position.
//!
//! A page of a stack is a range of ids, and who asks where its sites are asks once for each position, of which a stack has
//! one. Costs some 4 to 8 bytes a site, and some 100 for each position.

use std::collections::BTreeMap;

use crate::model::geo::LatLng;
use crate::model::id::SiteId;

use super::class::{Class, Tally};
use super::entries::Entries;
use super::entry::Facets;

/// A pile of so many sites keeps its order: fewer are looked at one by one in some tens of microseconds.
pub(super) const ORDER_SITES_MIN: usize = 1_024;
/// A pile of fewer drops it. Half of what makes it, so that a site that comes and goes costs nothing each time.
pub(super) const ORDER_SITES_DROP: usize = ORDER_SITES_MIN / 2;
/// Most numbers of a chunk: moved at once where a site comes or goes, 2 KB.
const CHUNK_MAX: usize = 512;

/// The order of a pile's sites.
#[derive(Debug, Default)]
pub(super) struct Order {
    ids: Ids,
    /// How many sites stand at each position, by the bits of its degrees: equal positions have equal bits.
    spots: BTreeMap<(u64, u64), Tally>,
}

impl Order {
    /// The order of these sites, which all are in `entries` as they are now.
    pub(super) fn of(numbers: &[u32], entries: &Entries) -> Self {
        let mut order = Self { ids: Ids::of(numbers, entries), ..Self::default() };
        for number in numbers {
            let entry = &entries[*number];
            order.stand(entry.position(), entry.class());
        }
        order
    }

    /// Puts a site in, which is in `entries`.
    pub(super) fn add(&mut self, site: &Facets, entries: &Entries) {
        self.ids.insert(site.number, entries);
        self.stand(site.position, site.class);
    }

    /// Takes a site out, which still is in `entries`.
    pub(super) fn subtract(&mut self, site: &Facets, entries: &Entries) {
        self.ids.remove(site.number, entries);
        self.unstand(site);
    }

    /// Follows a site of the pile from what it was to what it is.
    pub(super) fn restate(&mut self, old: &Facets, new: &Facets) {
        self.stand(new.position, new.class);
        self.unstand(old);
    }

    /// The exact positions, and how many sites of each class stand there.
    pub(super) fn spots(&self) -> impl Iterator<Item = (LatLng, &Tally)> {
        self.spots.iter().map(|(spot, tally)| (position(*spot), tally))
    }

    /// How many positions there are.
    pub(super) fn spots_len(&self) -> usize {
        self.spots.len()
    }

    /// The position of all sites, where they share one.
    pub(super) fn lone_position(&self) -> Option<LatLng> {
        let (spot, _) = self.spots.first_key_value()?;
        (self.spots.len() == 1).then(|| position(*spot))
    }

    /// The numbers of the sites from an id on, itself included, by id.
    pub(super) fn onward<'a>(&'a self, from: SiteId, entries: &Entries) -> impl Iterator<Item = u32> + use<'a> {
        self.ids.onward(from, entries)
    }

    fn stand(&mut self, position: LatLng, class: Class) {
        self.spots.entry(spot(position)).or_default().add(class, 1);
    }

    fn unstand(&mut self, site: &Facets) {
        let spot = spot(site.position);
        let tally = self.spots.get_mut(&spot).expect("its position was counted when the site came");
        tally.subtract(site.class);
        if tally.total() == 0 {
            self.spots.remove(&spot);
        }
    }
}

fn spot(position: LatLng) -> (u64, u64) {
    (position.lat().to_bits(), position.lng().to_bits())
}

fn position((lat, lng): (u64, u64)) -> LatLng {
    LatLng::new(f64::from_bits(lat), f64::from_bits(lng)).expect("it was a position")
}

/// Numbers by the ids of their sites, in chunks of at most [`CHUNK_MAX`].
#[derive(Debug, Default)]
struct Ids {
    chunks: Vec<Chunk>,
}

#[derive(Debug)]
struct Chunk {
    /// No id of the chunk is smaller, and none of the chunk before is as great.
    least: SiteId,
    numbers: Vec<u32>,
}

impl Ids {
    fn of(numbers: &[u32], entries: &Entries) -> Self {
        let mut numbers = numbers.to_vec();
        numbers.sort_unstable_by_key(|number| entries[*number].site);
        let chunk = |numbers: &[u32]| Chunk { least: entries[numbers[0]].site, numbers: numbers.to_vec() };
        Self { chunks: numbers.chunks(CHUNK_MAX).map(chunk).collect() }
    }

    fn insert(&mut self, number: u32, entries: &Entries) {
        let site = entries[number].site;
        if self.chunks.is_empty() {
            self.chunks.push(Chunk { least: site, numbers: Vec::new() });
        }
        let at = self.chunk_at(site);
        let chunk = &mut self.chunks[at];
        chunk.least = chunk.least.min(site);
        let rank = chunk.rank(site, entries);
        chunk.numbers.insert(rank, number);
        if chunk.numbers.len() > CHUNK_MAX {
            // What comes at the end, as new sites do, leaves full chunks behind it.
            let numbers = chunk.numbers.split_off(if rank == CHUNK_MAX { CHUNK_MAX } else { CHUNK_MAX / 2 });
            let least = entries[numbers[0]].site;
            self.chunks.insert(at + 1, Chunk { least, numbers });
        }
    }

    fn remove(&mut self, number: u32, entries: &Entries) {
        let site = entries[number].site;
        let at = self.chunk_at(site);
        let chunk = &mut self.chunks[at];
        let rank = chunk.rank(site, entries);
        let removed = chunk.numbers.remove(rank);
        debug_assert_eq!(removed, number, "a site leaves from where it came to");
        if chunk.numbers.is_empty() {
            self.chunks.remove(at);
        } else {
            self.merge_small(at);
            self.merge_small(at.saturating_sub(1));
        }
    }

    /// Makes one of two chunks where both have become small, so that many that shrank do not stay.
    fn merge_small(&mut self, at: usize) {
        let is_small = |chunk: Option<&Chunk>| chunk.is_some_and(|chunk| chunk.numbers.len() < CHUNK_MAX / 4);
        if is_small(self.chunks.get(at)) && is_small(self.chunks.get(at + 1)) {
            let next = self.chunks.remove(at + 1);
            self.chunks[at].numbers.extend(next.numbers);
        }
    }

    fn onward<'a>(&'a self, from: SiteId, entries: &Entries) -> impl Iterator<Item = u32> + use<'a> {
        let at = self.chunk_at(from);
        let rank = self.chunks.get(at).map_or(0, |chunk| chunk.rank(from, entries));
        self.chunks.iter().skip(at).flat_map(|chunk| chunk.numbers.iter().copied()).skip(rank)
    }

    /// Which chunk holds the id, if one does.
    fn chunk_at(&self, site: SiteId) -> usize {
        self.chunks.partition_point(|chunk| chunk.least <= site).saturating_sub(1)
    }
}

impl Chunk {
    /// How many of its sites have smaller ids.
    fn rank(&self, site: SiteId, entries: &Entries) -> usize {
        match self.numbers.last() {
            Some(last) if entries[*last].site < site => self.numbers.len(),
            _ => self.numbers.partition_point(|number| entries[*number].site < site),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::spatial::tests::world::{at, entry};

    /// The facets of so many sites on two positions of one point, their ids scattered.
    fn sites(entries: &mut Entries, count: u16) -> Vec<Facets> {
        let numbers = (0..count).map(|bits| {
            let id = u128::from(bits.wrapping_mul(40_503));
            entries.insert(&entry(id, at(10.0, 20.0 + f64::from(bits % 2) * 1e-9)))
        });
        let numbers: Vec<u32> = numbers.collect();
        numbers.into_iter().map(|number| entries[number].facets(number).unwrap()).collect()
    }

    fn ids(order: &Order, from: u128, entries: &Entries) -> Vec<u128> {
        order.onward(SiteId::from_u128(from), entries).map(|number| entries[number].site.as_u128()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(30))]

        #[test]
        fn it_is_sorted_whoever_comes_and_goes(
            steps in prop::collection::vec((0..3_000_u16, prop::bool::weighted(0.7)), 0..6_000),
            from in 0..u128::from(u16::MAX),
        ) {
            let (mut entries, mut order) = (Entries::default(), Order::default());
            let facets = sites(&mut entries, 3_000);
            let mut expected = std::collections::BTreeMap::new();
            for (at, comes) in steps {
                let site = &facets[usize::from(at)];
                let id = entries[site.number].site.as_u128();
                if comes && expected.insert(id, at % 2).is_none() {
                    order.add(site, &entries);
                } else if !comes && expected.remove(&id).is_some() {
                    order.subtract(site, &entries);
                }
            }
            prop_assert_eq!(ids(&order, 0, &entries), expected.keys().copied().collect::<Vec<_>>());
            prop_assert_eq!(ids(&order, from, &entries), expected.range(from..).map(|it| *it.0).collect::<Vec<_>>());
            let spots: std::collections::BTreeSet<u16> = expected.values().copied().collect();
            prop_assert_eq!(order.spots_len(), spots.len());
            let standing: usize = order.spots().map(|(_, tally)| tally.total() as usize).sum();
            prop_assert_eq!(standing, expected.len());
        }
    }

    #[test]
    fn chunks_that_shrank_do_not_stay() {
        let (mut entries, mut order) = (Entries::default(), Order::default());
        let facets = sites(&mut entries, 6_000);
        facets.iter().for_each(|site| order.add(site, &entries));
        assert!(order.ids.chunks.len() > 6_000 / CHUNK_MAX);
        assert!(order.lone_position().is_none());
        for site in &facets[..5_900] {
            order.subtract(site, &entries);
        }
        let left: usize = order.ids.chunks.iter().map(|chunk| chunk.numbers.len()).sum();
        assert_eq!((left, ids(&order, 0, &entries).len()), (100, 100));
        assert!(order.ids.chunks.len() < 6_000 / CHUNK_MAX, "{} chunks", order.ids.chunks.len());
    }

    #[test]
    fn a_site_that_changes_stands_elsewhere() {
        let mut entries = Entries::default();
        let facets = sites(&mut entries, 3);
        let mut order = Order::of(&facets.iter().map(|site| site.number).collect::<Vec<_>>(), &entries);
        assert_eq!(order.spots_len(), 2);
        order.restate(&facets[1], &Facets { position: facets[0].position, ..facets[1] });
        assert_eq!(order.lone_position(), Some(facets[0].position));
    }
}
