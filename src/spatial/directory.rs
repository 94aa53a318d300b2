//! From site ids to entry numbers, in 8 bytes a place.
//!
//! The ids themselves stand in the entries: the table holds only numbers and half of each id's hash, so it is a
//! third of a general hash map. Knows nothing of entries; who asks says what equals what.

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
        let wanted = ((self.taken + additional) * 8 / 7 + 1).next_power_of_two().max(PLACES_MIN);
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
        if (self.taken + 1) * 8 > self.places.len() * 7 {
            self.resize((self.places.len() * 2).max(PLACES_MIN));
        }
        let filling = (u64::from(self.hash(site)) << 32) | (u64::from(number) + 1);
        self.put(filling);
        self.taken += 1;
    }

    /// Takes a site out; `is` says whether a number is that of the site.
    pub(super) fn remove(&mut self, site: SiteId, is: impl Fn(u32) -> bool) -> Option<u32> {
        let mut hole = self.place(site, is)?;
        let removed = number(self.places[hole]);
        let mask = self.places.len() - 1;
        let mut next = (hole + 1) & mask;
        while self.places[next] != 0 {
            // Whatever does not begin between the hole and itself would be lost behind the hole: it moves up.
            let begin = home(self.places[next], mask);
            if (next.wrapping_sub(begin) & mask) >= (next.wrapping_sub(hole) & mask) {
                self.places[hole] = self.places[next];
                hole = next;
            }
            next = (next + 1) & mask;
        }
        self.places[hole] = 0;
        self.taken -= 1;
        Some(removed)
    }

    fn place(&self, site: SiteId, is: impl Fn(u32) -> bool) -> Option<usize> {
        let mask = self.places.len().checked_sub(1)?;
        let hash = self.hash(site);
        let mut place = hash as usize & mask;
        while self.places[place] != 0 {
            if self.places[place] >> 32 == u64::from(hash) && is(number(self.places[place])) {
                return Some(place);
            }
            place = (place + 1) & mask;
        }
        None
    }

    fn put(&mut self, filling: u64) {
        let mask = self.places.len() - 1;
        let mut place = home(filling, mask);
        while self.places[place] != 0 {
            place = (place + 1) & mask;
        }
        self.places[place] = filling;
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

fn home(filling: u64, mask: usize) -> usize {
    usize::try_from(filling >> 32).expect("32 bits fit a usize") & mask
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
