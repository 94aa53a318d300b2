//! Sums over sites that can be added to and taken from: what a cell, a pile and an area hold.
//!
//! Exact integers throughout, so that a sum kept up to date for days equals one made anew.

use std::collections::BTreeMap;

use crate::model::location::Granularity;

use super::entry::{Class, Tally};
use super::mercator::Point;

/// What one site adds to sums.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Facets {
    pub(super) number: u32,
    pub(super) point: Point,
    pub(super) class: Class,
    pub(super) granularity: Granularity,
    pub(super) accuracy_m: Option<f64>,
}

/// Counts and the centre of mass of some sites: 56 bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Mass {
    sum_x: u64,
    sum_y: u64,
    pub(super) tally: Tally,
    numbers_xor: u32,
}

impl Mass {
    pub(super) fn add(&mut self, site: &Facets) {
        self.add_one(site.number, site.point, site.class);
    }

    pub(super) fn add_one(&mut self, number: u32, point: Point, class: Class) {
        self.sum_x += u64::from(point.x);
        self.sum_y += u64::from(point.y);
        self.tally.add(class);
        self.numbers_xor ^= number;
    }

    pub(super) fn subtract(&mut self, site: &Facets) {
        self.sum_x -= u64::from(site.point.x);
        self.sum_y -= u64::from(site.point.y);
        self.tally.subtract(site.class);
        self.numbers_xor ^= site.number;
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.sum_x += other.sum_x;
        self.sum_y += other.sum_y;
        self.tally.merge(&other.tally);
        self.numbers_xor ^= other.numbers_xor;
    }

    pub(super) fn count(&self) -> u32 {
        self.tally.total()
    }

    /// The mean of the sites' points, rounded down; there is at least one site.
    pub(super) fn centroid(&self) -> Point {
        let count = u64::from(self.count());
        let mean = |sum: u64| u32::try_from(sum / count).expect("the mean of 32-bit numbers has 32 bits");
        Point { x: mean(self.sum_x), y: mean(self.sum_y) }
    }

    /// The number of the only site; `None` where there are none or several.
    pub(super) fn lone(&self) -> Option<u32> {
        (self.count() == 1).then_some(self.numbers_xor)
    }
}

/// Kinds of granularity.
const GRANULARITIES: [Granularity; 7] = [
    Granularity::Country,
    Granularity::Region,
    Granularity::City,
    Granularity::Postcode,
    Granularity::Street,
    Granularity::Interpolated,
    Granularity::Door,
];

/// A mass with what an area tells of its sites' uncertainty.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Aggregate {
    pub(super) mass: Mass,
    /// Sites by granularity.
    granularities: [u32; GRANULARITIES.len()],
    /// Sites by known accuracy, as bits of the radius in metres: those of positive floats sort as the floats do.
    /// Databases know a handful of radii, so the map stays small where areas are great.
    accuracies: BTreeMap<u64, u32>,
}

impl Aggregate {
    pub(super) fn add(&mut self, site: &Facets) {
        self.mass.add(site);
        self.granularities[site.granularity as usize] += 1;
        if let Some(radius) = site.accuracy_m {
            *self.accuracies.entry(radius.to_bits()).or_default() += 1;
        }
    }

    pub(super) fn subtract(&mut self, site: &Facets) {
        self.mass.subtract(site);
        self.granularities[site.granularity as usize] -= 1;
        let Some(bits) = site.accuracy_m.map(f64::to_bits) else { return };
        let left = self.accuracies.get_mut(&bits).expect("the radius was counted when the site came");
        *left -= 1;
        if *left == 0 {
            self.accuracies.remove(&bits);
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.mass.merge(&other.mass);
        for (count, more) in self.granularities.iter_mut().zip(other.granularities) {
            *count += more;
        }
        for (bits, more) in &other.accuracies {
            *self.accuracies.entry(*bits).or_default() += more;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.mass.count() == 0
    }

    /// The largest known accuracy, in metres.
    pub(super) fn radius_m(&self) -> Option<f64> {
        self.accuracies.last_key_value().map(|(bits, _)| f64::from_bits(*bits))
    }

    /// The coarsest granularity of its sites; there is at least one.
    pub(super) fn granularity(&self) -> Granularity {
        let coarsest = GRANULARITIES.iter().zip(self.granularities).find(|(_, count)| *count > 0);
        coarsest.map_or(Granularity::Door, |(granularity, _)| *granularity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spatial::entry::Stored;

    #[test]
    fn what_comes_and_goes_leaves_nothing_behind() {
        let site = |number: u32, accuracy_m, granularity| Facets {
            number,
            point: Point { x: u32::MAX - number, y: number },
            class: Stored::default().class(),
            granularity,
            accuracy_m,
        };
        let (coarse, fine) = (site(4, Some(5_000.0), Granularity::City), site(7, None, Granularity::Street));
        let mut sum = Aggregate::default();
        sum.add(&coarse);
        sum.add(&fine);
        sum.add(&site(9, Some(20.0), Granularity::Door));
        assert_eq!((sum.radius_m(), sum.granularity(), sum.mass.lone()), (Some(5_000.0), Granularity::City, None));
        assert_eq!(sum.mass.centroid(), Point { x: u32::MAX - 7, y: 6 });
        sum.subtract(&coarse);
        assert_eq!((sum.radius_m(), sum.granularity()), (Some(20.0), Granularity::Street));
        sum.subtract(&fine);
        assert_eq!(sum.mass.lone(), Some(9));
        sum.subtract(&site(9, Some(20.0), Granularity::Door));
        assert_eq!(sum, Aggregate::default());
    }
}
