//! Sums over sites that can be added to and taken from: what a cell, a pile and an area hold.
//!
//! Exact integers throughout, so that a sum kept up to date for days equals one made anew.

use std::collections::BTreeMap;

use smallvec::SmallVec;

use crate::model::location::Granularity;

use super::class::{Class, Classes, Tally};
use super::entry::Facets;
use super::mercator::Point;

/// Counts by class and the centre of mass of some sites: 88 bytes.
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
        self.tally.add(class, 1);
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

/// The sums of one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ClassSum {
    sum_x: u64,
    sum_y: u64,
    count: u32,
    numbers_xor: u32,
    /// Sites that are counted here and are not in the sums above; no more room than the class would be filled up with.
    beside: u32,
    class: Class,
}

/// Sums by class, of the classes that there are: the mass of any filter of classes is their sum. Beside them sites can be
/// counted that have no part in the mass.
#[derive(Debug, Default)]
pub(super) struct ClassSums(Vec<ClassSum>);

impl ClassSums {
    pub(super) fn add(&mut self, site: &Facets) {
        self.add_one(site.number, site.point, site.class);
    }

    pub(super) fn add_one(&mut self, number: u32, point: Point, class: Class) {
        let sum = self.of(class);
        sum.sum_x += u64::from(point.x);
        sum.sum_y += u64::from(point.y);
        sum.count += 1;
        sum.numbers_xor ^= number;
    }

    pub(super) fn subtract(&mut self, site: &Facets) {
        let sum = self.of(site.class);
        sum.sum_x -= u64::from(site.point.x);
        sum.sum_y -= u64::from(site.point.y);
        sum.count -= 1;
        sum.numbers_xor ^= site.number;
        self.forget_empty(site.class);
    }

    /// Counts a site beside the sums.
    pub(super) fn add_beside(&mut self, class: Class) {
        self.of(class).beside += 1;
    }

    /// Undoes [`Self::add_beside`].
    pub(super) fn subtract_beside(&mut self, class: Class) {
        self.of(class).beside -= 1;
        self.forget_empty(class);
    }

    /// Counts all sites of other sums beside these.
    pub(super) fn merge_beside(&mut self, other: &Self) {
        for more in &other.0 {
            self.of(more.class).beside += more.count;
        }
    }

    /// How many sites of some classes are counted beside the sums.
    pub(super) fn count_beside(&self, classes: Classes) -> u32 {
        self.0.iter().filter(|sum| classes.has(sum.class)).map(|sum| sum.beside).sum()
    }

    fn forget_empty(&mut self, class: Class) {
        self.0.retain(|sum| sum.class != class || sum.count > 0 || sum.beside > 0);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for more in &other.0 {
            let sum = self.of(more.class);
            sum.sum_x += more.sum_x;
            sum.sum_y += more.sum_y;
            sum.count += more.count;
            sum.numbers_xor ^= more.numbers_xor;
            sum.beside += more.beside;
        }
    }

    /// The mass of the sites of some classes.
    pub(super) fn mass(&self, classes: Classes) -> Mass {
        let mut mass = Mass::default();
        for sum in self.0.iter().filter(|sum| classes.has(sum.class)) {
            mass.sum_x += sum.sum_x;
            mass.sum_y += sum.sum_y;
            mass.tally.add(sum.class, sum.count);
            mass.numbers_xor ^= sum.numbers_xor;
        }
        mass
    }

    /// How many sites of some classes there are.
    pub(super) fn count(&self, classes: Classes) -> u32 {
        self.0.iter().filter(|sum| classes.has(sum.class)).map(|sum| sum.count).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn of(&mut self, class: Class) -> &mut ClassSum {
        let at = self.0.iter().position(|sum| sum.class == class).unwrap_or_else(|| {
            // Classes that a cell has not had so far are rare, and room for them is not.
            self.0.reserve_exact(1);
            self.0.push(ClassSum { sum_x: 0, sum_y: 0, count: 0, numbers_xor: 0, beside: 0, class });
            self.0.len() - 1
        });
        &mut self.0[at]
    }
}

/// Sums by class with what an area tells of its sites' uncertainty.
#[derive(Debug, Default)]
pub(super) struct Aggregate {
    pub(super) sums: ClassSums,
    /// Sites by granularity and class. Mostly one of a few.
    granularities: SmallVec<[(Granularity, Class, u32); 4]>,
    /// Sites by known accuracy and class, as bits of the radius in metres: those of positive floats sort as the floats
    /// do. Databases know a handful of radii, so the map stays small where areas are great.
    accuracies: BTreeMap<(u64, Class), u32>,
}

impl Aggregate {
    pub(super) fn add(&mut self, site: &Facets) {
        self.sums.add(site);
        self.add_granularity(site.granularity, site.class, 1);
        if let Some(radius) = site.accuracy_m {
            *self.accuracies.entry((radius.to_bits(), site.class)).or_default() += 1;
        }
    }

    pub(super) fn subtract(&mut self, site: &Facets) {
        self.sums.subtract(site);
        let is_its = |(granularity, class, _): &(Granularity, Class, u32)| {
            (*granularity, *class) == (site.granularity, site.class)
        };
        let at = self.granularities.iter().position(is_its).expect("the granularity was counted when the site came");
        self.granularities[at].2 -= 1;
        if self.granularities[at].2 == 0 {
            self.granularities.swap_remove(at);
        }
        let Some(key) = site.accuracy_m.map(|radius| (radius.to_bits(), site.class)) else { return };
        let left = self.accuracies.get_mut(&key).expect("the radius was counted when the site came");
        *left -= 1;
        if *left == 0 {
            self.accuracies.remove(&key);
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.sums.merge(&other.sums);
        for (granularity, class, more) in &other.granularities {
            self.add_granularity(*granularity, *class, *more);
        }
        for (key, more) in &other.accuracies {
            *self.accuracies.entry(*key).or_default() += more;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sums.is_empty()
    }

    /// The largest known accuracy of sites of some classes, in metres.
    pub(super) fn radius_m(&self, classes: Classes) -> Option<f64> {
        let largest = self.accuracies.keys().rev().find(|(_, class)| classes.has(*class));
        largest.map(|(bits, _)| f64::from_bits(*bits))
    }

    /// The coarsest granularity of its sites of some classes; `Door` where there are none.
    pub(super) fn granularity(&self, classes: Classes) -> Granularity {
        let wanted = self.granularities.iter().filter(|(_, class, _)| classes.has(*class));
        wanted.map(|(granularity, _, _)| *granularity).min().unwrap_or(Granularity::Door)
    }

    fn add_granularity(&mut self, granularity: Granularity, class: Class, count: u32) {
        match self.granularities.iter_mut().find(|known| (known.0, known.1) == (granularity, class)) {
            Some(known) => known.2 += count,
            None => self.granularities.push((granularity, class, count)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::geo::LatLng;
    use crate::model::location::Source;
    use crate::model::site::Status;
    use crate::spatial::stop::Stop;

    #[test]
    fn what_comes_and_goes_leaves_nothing_behind() {
        let site = |number: u32, accuracy_m, granularity, source| Facets {
            number,
            position: LatLng::ORIGIN,
            point: Point { x: u32::MAX - number, y: number },
            stop: Stop::default(),
            class: Class::of(Status::Online, source),
            granularity,
            accuracy_m,
        };
        let coarse = site(4, Some(5_000.0), Granularity::City, Source::GeoIp);
        let fine = site(7, None, Granularity::Street, Source::GeoIp);
        let exact = site(9, Some(20.0), Granularity::Door, Source::Pin);
        let mut sum = Aggregate::default();
        [coarse, fine, exact].iter().for_each(|site| sum.add(site));
        let all = sum.sums.mass(Classes::ALL);
        assert_eq!(
            (sum.radius_m(Classes::ALL), sum.granularity(Classes::ALL), all.lone()),
            (Some(5_000.0), Granularity::City, None)
        );
        assert_eq!(all.centroid(), Point { x: u32::MAX - 7, y: 6 });
        let confirmed = Classes::confirmed();
        assert_eq!(sum.sums.mass(confirmed).lone(), Some(9));
        assert_eq!((sum.radius_m(confirmed), sum.granularity(confirmed)), (Some(20.0), Granularity::Door));
        sum.subtract(&coarse);
        assert_eq!((sum.radius_m(Classes::ALL), sum.granularity(Classes::ALL)), (Some(20.0), Granularity::Street));
        sum.subtract(&fine);
        sum.subtract(&exact);
        assert!(sum.is_empty() && sum.granularities.is_empty() && sum.accuracies.is_empty());
    }
}
