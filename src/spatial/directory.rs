//! From site ids to entry numbers, in 8 bytes a place.
//!
//! The ids themselves stand in the entries: the table holds only numbers and half of each id's hash, so it is a
//! third of a general hash map. It has as many places as it needs, not a power of two. Knows nothing of entries; who
//! asks says what equals what.

use std::hash::{BuildHasher, RandomState};

use crate::model::id::SiteId;

/// Open addressing with linear probing and backward shift on removal.
#[derive(Debug, Default)]
pub(super) struct Directory {
    /// 0 where empty; else the hash in the upper half, one more than the number in the lower.
    places: Vec<u64>,
    taken: usize,
    /// Secret of this table, so that nobody can choose ids that collide.
    keys: Keys,
}

#[derive(Debug)]
struct Keys(u64, u64);

impl Default for Keys {
    fn default() -> Self {
        let random = RandomState::new();
        Self(random.hash_one(0_u8), random.hash_one(1_u8))
    }
}

/// Smallest table.
const PLACES_MIN: usize = 8;

impl Directory {
    /// How many sites are in.
    pub(super) fn len(&self) -> usize {
        self.taken
    }

    pub(super) fn reserve(&mut self, additional: usize) {
        let wanted = places_for(self.taken + additional);
        if wanted > self.places.len() {
            self.resize(wanted);
        }
    }

    /// The number for `site`; `is` says whether a number is that of the site.
    pub(super) fn find(&self, site: SiteId, is: impl Fn(u32) -> bool) -> Option<u32> {
        self.place(site, is).map(|place| number(self.places[place]))
    }

    /// Puts a site in that is not in yet.
    pub(super) fn insert(&mut self, site: SiteId, number: u32) {
        if places_for(self.taken + 1) > self.places.len() {
            self.resize(places_for(self.taken + 1 + self.taken / 3));
        }
        let filling = (u64::from(self.hash(site)) << 32) | (u64::from(number) + 1);
        self.put(filling);
        self.taken += 1;
    }

    /// Takes a site out; `is` says whether a number is that of the site.
    pub(super) fn remove(&mut self, site: SiteId, is: impl Fn(u32) -> bool) -> Option<u32> {
        let mut hole = self.place(site, is)?;
        let removed = number(self.places[hole]);
        let mut next = self.behind(hole);
        while self.places[next] != 0 {
            // Whatever does not begin between the hole and itself would be lost behind the hole: it moves up.
            let begin = self.home(hash_of(self.places[next]));
            if self.steps(begin, next) >= self.steps(hole, next) {
                self.places[hole] = self.places[next];
                hole = next;
            }
            next = self.behind(next);
        }
        self.places[hole] = 0;
        self.taken -= 1;
        Some(removed)
    }

    fn place(&self, site: SiteId, is: impl Fn(u32) -> bool) -> Option<usize> {
        if self.places.is_empty() {
            return None;
        }
        let hash = self.hash(site);
        let mut place = self.home(hash);
        while self.places[place] != 0 {
            if hash_of(self.places[place]) == hash && is(number(self.places[place])) {
                return Some(place);
            }
            place = self.behind(place);
        }
        None
    }

    fn put(&mut self, filling: u64) {
        let mut place = self.home(hash_of(filling));
        while self.places[place] != 0 {
            place = self.behind(place);
        }
        self.places[place] = filling;
    }

    /// Where the search for a hash begins: as far into the table as the hash is among all hashes.
    fn home(&self, hash: u32) -> usize {
        let far = (u64::from(hash) * self.places.len() as u64) >> 32;
        usize::try_from(far).expect("it is less than the number of places")
    }

    /// The place that comes then.
    fn behind(&self, place: usize) -> usize {
        if place + 1 == self.places.len() { 0 } else { place + 1 }
    }

    /// How many steps it is from one place to another.
    fn steps(&self, from: usize, to: usize) -> usize {
        if from <= to { to - from } else { to + self.places.len() - from }
    }

    fn resize(&mut self, count: usize) {
        let old = std::mem::replace(&mut self.places, vec![0; count]);
        old.into_iter().filter(|filling| *filling != 0).for_each(|filling| self.put(filling));
    }

    /// The keyed hash of an id: a folded product, of which the middle bits depend on all bits of both factors.
    fn hash(&self, site: SiteId) -> u32 {
        let bits = site.as_u128();
        let (high, low) = (halves(bits).0 ^ self.keys.0, halves(bits).1 ^ self.keys.1);
        let (high, low) = halves(u128::from(high) * u128::from(low));
        let (high, low) = halves(u128::from(high ^ low ^ self.keys.0) * u128::from(self.keys.1 | 1));
        u32::try_from((high ^ low) >> 32).expect("the upper half of 64 bits has 32")
    }
}

#[expect(clippy::cast_possible_truncation, reason = "each half has 64 bits")]
fn halves(bits: u128) -> (u64, u64) {
    ((bits >> 64) as u64, bits as u64)
}

#[expect(clippy::cast_possible_truncation, reason = "the number stands in the lower 32 bits")]
fn number(filling: u64) -> u32 {
    filling as u32 - 1
}

fn hash_of(filling: u64) -> u32 {
    (filling >> 32) as u32
}

/// How many places so many sites need: a fifth stays empty, so that searches are short.
fn places_for(sites: usize) -> usize {
    (sites + sites / 4 + 1).max(PLACES_MIN)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::collections::hash_map::Entry;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_does_as_a_hash_map_does(steps in proptest::collection::vec((0..40_u128, any::<bool>()), 0..400)) {
            let mut directory = Directory::default();
            let mut model = HashMap::new();
            let mut ids = Vec::new();
            for (bits, insert) in steps {
                let site = SiteId::from_u128(bits);
                let is = |number: u32| ids[number as usize] == site;
                prop_assert_eq!(directory.find(site, is), model.get(&site).copied());
                if !insert {
                    prop_assert_eq!(directory.remove(site, is), model.remove(&site));
                } else if let Entry::Vacant(vacant) = model.entry(site) {
                    let number = u32::try_from(ids.len()).unwrap();
                    directory.insert(site, number);
                    vacant.insert(number);
                    ids.push(site);
                }
                prop_assert_eq!(directory.taken, model.len());
            }
            for (site, number) in model {
                prop_assert_eq!(directory.find(site, |other| ids[other as usize] == site), Some(number));
            }
        }
    }

    #[test]
    fn ids_made_one_after_another_spread() {
        let mut directory = Directory::default();
        directory.reserve(50_000);
        let places = directory.places.len();
        (0..50_000).for_each(|number| directory.insert(SiteId::from_u128(u128::from(number) << 70), number));
        assert_eq!(directory.places.len(), places, "reserved at once");
        let longest_run = directory.places.split(|filling| *filling == 0).map(<[u64]>::len).max().unwrap();
        assert!(longest_run < 600, "a run of {longest_run} taken places");
    }
}
