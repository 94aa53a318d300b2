//! Where people live: towns strewn around the world's settled regions, a few large and many small.

use waymark::model::geo::LatLng;

use super::random::Random;

/// Towns of the world.
pub(crate) const TOWNS: usize = 3_000;
/// Decides where the towns are.
const SEED: u64 = 17;
/// Exponent of Zipf's law for the sizes of towns: near 1 in most countries.
const ZIPF: f64 = 0.9;

/// Settled regions: latitude, longitude and spread in degrees, and share of the towns in thousandths.
const REGIONS: &[(f64, f64, f64, u32)] = &[
    (51.5, -1.5, 3.0, 70),
    (48.5, 2.5, 4.0, 55),
    (50.8, 8.5, 4.0, 90),
    (45.0, 10.0, 3.5, 45),
    (40.5, -3.5, 4.0, 40),
    (52.0, 19.5, 4.0, 35),
    (59.5, 15.0, 4.0, 20),
    (64.5, -19.5, 1.8, 3),
    (46.5, 24.5, 4.5, 25),
    (39.0, 32.0, 5.0, 25),
    (55.5, 38.5, 7.0, 30),
    (40.7, -75.0, 4.0, 95),
    (41.5, -87.0, 5.0, 60),
    (33.0, -84.5, 4.5, 45),
    (31.5, -97.5, 4.5, 45),
    (28.0, -81.5, 2.0, 20),
    (36.0, -119.5, 3.5, 50),
    (46.5, -122.0, 3.0, 18),
    (45.0, -74.5, 4.0, 20),
    (20.5, -100.5, 5.0, 25),
    (6.0, -74.5, 4.0, 12),
    (-22.5, -46.5, 5.0, 35),
    (-34.5, -60.5, 4.5, 15),
    (-12.0, -76.0, 4.0, 8),
    (31.5, 31.0, 2.5, 12),
    (6.5, 4.5, 4.5, 12),
    (-1.5, 36.0, 4.0, 7),
    (-27.0, 28.5, 4.0, 12),
    (32.0, 35.0, 2.0, 8),
    (25.5, 52.5, 4.0, 8),
    (27.0, 77.5, 6.0, 35),
    (14.0, 77.0, 4.5, 25),
    (23.5, 90.0, 2.5, 10),
    (14.5, 101.5, 4.0, 10),
    (-6.5, 109.0, 4.0, 15),
    (14.0, 121.5, 3.0, 8),
    (31.0, 119.5, 5.0, 30),
    (23.5, 113.5, 3.5, 15),
    (39.0, 116.5, 4.5, 15),
    (37.0, 127.5, 1.8, 15),
    (35.5, 137.5, 3.0, 30),
    (-34.5, 148.5, 4.5, 18),
    // On both sides of the antimeridian, so that every measurement has sites there too.
    (-37.0, 177.5, 2.0, 6),
    (-17.8, 179.5, 1.2, 2),
];

/// A town.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Town {
    /// Its centre, where estimates pile up.
    pub(crate) center: LatLng,
    /// Sizes of this town and of all before it, summed.
    cumulated: f64,
}

/// All towns, those of a region side by side.
#[derive(Debug)]
pub(crate) struct Towns(Vec<Town>);

impl Towns {
    /// The same towns every time.
    pub(crate) fn new() -> Self {
        let mut random = Random::new(SEED);
        let shares: u32 = REGIONS.iter().map(|region| region.3).sum();
        let mut towns = Vec::with_capacity(TOWNS);
        let mut cumulated = 0.0;
        for (lat, lng, spread, share) in REGIONS {
            let count = TOWNS * *share as usize / shares as usize;
            for _ in 0..count {
                let center = near(&mut random, *lat, *lng, spread * 1.5);
                // A random rank of all: so a large town stands in any region.
                #[expect(clippy::cast_precision_loss, reason = "a small number")]
                let rank = (random.below(TOWNS) + 1) as f64;
                cumulated += rank.powf(-ZIPF);
                towns.push(Town { center, cumulated });
            }
        }
        Self(towns)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The town of this number.
    pub(crate) fn town(&self, number: usize) -> Town {
        self.0[number]
    }

    /// One of the towns `first..end`, large ones more often.
    pub(crate) fn pick(&self, random: &mut Random, first: usize, end: usize) -> usize {
        let before = first.checked_sub(1).map_or(0.0, |last| self.0[last].cumulated);
        let wanted = before + random.unit() * (self.0[end - 1].cumulated - before);
        self.0.partition_point(|town| town.cumulated <= wanted).clamp(first, end - 1)
    }
}

/// A position at most `degrees` of latitude away in either direction; as far in metres from west to east.
pub(crate) fn near(random: &mut Random, lat: f64, lng: f64, degrees: f64) -> LatLng {
    let lat = (lat + random.around_zero() * degrees).clamp(-84.0, 84.0);
    let lng = lng + random.around_zero() * degrees / lat.to_radians().cos();
    LatLng::new(lat, (lng + 540.0).rem_euclid(360.0) - 180.0).expect("brought into the ranges")
}
