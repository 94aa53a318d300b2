//! The positions of the nodes that ways are made of, for those ways that have a name or number.

use super::super::street::mean;
use crate::model::geo::LatLng;

/// Most nodes that are remembered: at 16 bytes each, a gigabyte, which is enough for the addresses of a large country.
const NODES_MAX: usize = 64 << 20;
/// Steps of a degree in which positions are remembered: a centimetre.
const STEPS_PER_DEGREE: f64 = 1e7;
/// A node that is not in the file, or not on the globe.
const NOWHERE: [i32; 2] = [i32::MIN; 2];

/// The nodes that are needed, by their ids.
#[derive(Debug, Default)]
pub(in crate::geocode::gazetteer) struct Wanted {
    ids: Vec<i64>,
}

impl Wanted {
    /// Adds the nodes of a way; the error says what to do about too many.
    pub(super) fn add(&mut self, nodes: &[i64]) -> Result<(), String> {
        if self.ids.len() + nodes.len() > NODES_MAX {
            self.compact();
            if self.ids.len() + nodes.len() > NODES_MAX {
                return Err(format!("its addresses have more than {NODES_MAX} nodes: split it with `osmium extract`"));
            }
        }
        self.ids.extend_from_slice(nodes);
        Ok(())
    }

    fn compact(&mut self) {
        self.ids.sort_unstable();
        self.ids.dedup();
    }
}

/// The nodes that are needed, with their positions.
#[derive(Debug)]
pub(super) struct Nodes {
    /// Sorted, each once.
    ids: Vec<i64>,
    /// Latitude and longitude of each.
    positions: Vec<[i32; 2]>,
    /// Where the next node is looked for first: files have them in the order of their ids.
    next: usize,
}

impl From<Wanted> for Nodes {
    fn from(mut wanted: Wanted) -> Self {
        wanted.compact();
        wanted.ids.shrink_to_fit();
        let positions = vec![NOWHERE; wanted.ids.len()];
        Self { ids: wanted.ids, positions, next: 0 }
    }
}

impl Nodes {
    /// Remembers where a node is, if it is needed.
    #[expect(clippy::cast_possible_truncation, reason = "180 degrees are 1.8 billion steps")]
    pub(super) fn place(&mut self, id: i64, position: Option<LatLng>) {
        let is_before = |index: usize| index == 0 || self.ids[index - 1] < id;
        while self.next < self.ids.len() && self.ids[self.next] < id {
            self.next += 1;
        }
        let index = if is_before(self.next) { self.next } else { self.ids.partition_point(|other| *other < id) };
        if self.ids.get(index) == Some(&id) {
            let step = |degrees: f64| (degrees * STEPS_PER_DEGREE).round() as i32;
            self.positions[index] = position.map_or(NOWHERE, |at| [step(at.lat()), step(at.lng())]);
        }
    }

    /// The mean of the nodes whose positions are known; `None` where none is.
    pub(super) fn centroid(&self, nodes: &[i64]) -> Option<LatLng> {
        let at = |id: &i64| self.ids.binary_search(id).ok().map(|index| self.positions[index]);
        let known = nodes.iter().filter_map(at).filter(|at| *at != NOWHERE);
        let degrees = |steps: i32| f64::from(steps) / STEPS_PER_DEGREE;
        mean(known.filter_map(|[lat, lng]| LatLng::new(degrees(lat), degrees(lng)).ok()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The oracle is a map, whatever the order in which nodes come.
        #[test]
        fn positions_are_found_again(
            wanted in proptest::collection::vec(-20_i64..20, 0..20),
            placed in proptest::collection::vec((-20_i64..20, -90.0..90.0_f64), 0..40),
        ) {
            let mut list = Wanted::default();
            list.add(&wanted).unwrap();
            let mut nodes = Nodes::from(list);
            let mut expect = std::collections::BTreeMap::new();
            for (id, lat) in placed {
                nodes.place(id, LatLng::new(lat, 1.0).ok());
                expect.insert(id, lat);
            }
            for id in wanted {
                let found = nodes.centroid(&[id]).map(LatLng::lat);
                prop_assert_eq!(found.is_some(), expect.contains_key(&id));
                if let (Some(found), Some(lat)) = (found, expect.get(&id)) {
                    prop_assert!((found - lat).abs() < 1e-6);
                }
            }
        }
    }
}
