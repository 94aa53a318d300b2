//! The sites that every measurement runs on: the same ones each time, and each can be made alone.
//!
//! A third are estimates, piled on the centre of their town with the granularity of a city, as a GeoIP database places
//! them; the others stand at a door within ten kilometres of it. `towns` says where people live, `record` what the server
//! would store of a site, `entry` what the map keeps of it, `queries` what is asked about them,
//! `typed` what is typed to find them.

pub(crate) mod entry;
pub(crate) mod queries;
pub(crate) mod random;
pub(crate) mod record;
pub(crate) mod towns;
pub(crate) mod typed;

use waymark::model::geo::LatLng;
use waymark::model::id::{AccountId, SiteId};
use waymark::model::site::Status;

use random::Random;
use towns::{TOWNS, Towns, near};

/// Accounts of the shape that DESIGN.md, section 9, measures.
const ACCOUNTS: usize = 2_000;
/// The largest of them holds one site in so many.
const LARGEST_SHARE: f64 = 0.1;
/// Accounts of this number and on are at home in one part of the world; those before are everywhere.
const REGIONAL_FROM: usize = 50;
/// Towns where a regional account is at home.
const HOME_TOWNS: usize = 200;
/// Decides what each site is.
const SEED: u64 = 1;
/// Of so many sites one is an estimate.
const ESTIMATE_EVERY: usize = 3;
/// About 10 km in degrees of latitude.
const TOWN_DEGREES: f64 = 0.09;
/// Milliseconds since 1970 of the first site's id: UUIDs of version 7 begin with their time.
const FIRST_ID_MS: u128 = 1_760_000_000_000;

/// How sites are spread over accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// All in one account.
    One,
    /// In 2,000 accounts, sizes by Zipf's law, the largest with a tenth of all.
    Many,
}

/// All sites of a measurement.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Number of the first site of each account, and the number of all sites.
    firsts: Vec<usize>,
    towns: Towns,
}

/// A site, before it is a record or an entry of a map.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    /// Which of all.
    pub(crate) number: usize,
    /// Which account's.
    pub(crate) account: usize,
    pub(crate) id: SiteId,
    pub(crate) position: LatLng,
    /// The centre of its town, where an estimate would put it.
    pub(crate) estimate: LatLng,
    pub(crate) is_estimate: bool,
    pub(crate) status: Status,
    pub(crate) name: String,
}

impl Shape {
    /// `one` or `many`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::Many => "many",
        }
    }
}

impl Plan {
    pub(crate) fn new(shape: Shape, sites: usize) -> Self {
        let sizes = match shape {
            Shape::One => vec![sites],
            Shape::Many => zipf_sizes(sites, ACCOUNTS.min(sites)),
        };
        let mut firsts = vec![0];
        for size in sizes {
            firsts.push(firsts.last().copied().unwrap_or_default() + size);
        }
        Self { firsts, towns: Towns::new() }
    }

    /// The number of sites.
    pub(crate) fn len(&self) -> usize {
        self.firsts.last().copied().unwrap_or_default()
    }

    /// The number of accounts.
    pub(crate) fn accounts(&self) -> usize {
        self.firsts.len() - 1
    }

    /// The numbers of an account's sites.
    pub(crate) fn sites_of(&self, account: usize) -> std::ops::Range<usize> {
        self.firsts[account]..self.firsts[account + 1]
    }

    /// The site of this number.
    pub(crate) fn site(&self, number: usize) -> Site {
        let account = self.firsts.partition_point(|first| *first <= number) - 1;
        let mut random = Random::of(SEED, number);
        let (first, end) = self.home_of(account);
        let town = self.towns.town(self.towns.pick(&mut random, first, end));
        let is_estimate = random.below(ESTIMATE_EVERY) == 0;
        let door = near(&mut random, town.center.lat(), town.center.lng(), TOWN_DEGREES);
        let status = match random.below(100) {
            0..90 => Status::Online,
            90..96 => Status::Offline,
            96..98 => Status::Unknown,
            _ => Status::Maintenance,
        };
        let tail = u128::from(random.next()) & 0x3fff_ffff_ffff_ffff;
        let id = (FIRST_ID_MS + number as u128) << 80 | 0x7 << 76 | 0x2 << 62 | tail;
        Site {
            number,
            account,
            id: SiteId::from_u128(id),
            position: if is_estimate { town.center } else { door },
            estimate: town.center,
            is_estimate,
            status,
            name: format!("site number {number:08}"),
        }
    }

    /// Any site, so that large accounts and full places come up as often as they have sites.
    pub(crate) fn any_site(&self, random: &mut Random) -> Site {
        self.site(random.below(self.len()))
    }

    /// The towns in which an account has sites: from the first to before the last.
    fn home_of(&self, account: usize) -> (usize, usize) {
        let towns = self.towns.len();
        if account < REGIONAL_FROM {
            return (0, towns);
        }
        let first = Random::of(SEED ^ 0xacc0, account).below(TOWNS) % (towns - HOME_TOWNS);
        (first, first + HOME_TOWNS)
    }
}

/// An account's id.
pub(crate) fn account_id(account: usize) -> AccountId {
    format!("account-{account:04}").parse().expect("of the allowed letters")
}

/// Sizes that fall by Zipf's law, with the exponent that gives the first its share.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts")]
fn zipf_sizes(sites: usize, accounts: usize) -> Vec<usize> {
    let weights = |exponent: f64| (1..=accounts).map(move |rank| (rank as f64).powf(-exponent));
    let (mut low, mut high) = (0.0, 3.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        // The first weight is 1.
        if weights(middle).sum::<f64>() * LARGEST_SHARE > 1.0 { low = middle } else { high = middle }
    }
    let total: f64 = weights(high).sum();
    let mut sizes: Vec<usize> = weights(high).map(|weight| ((weight / total * sites as f64) as usize).max(1)).collect();
    let others: usize = sizes.iter().skip(1).sum();
    sizes[0] = sites.saturating_sub(others).max(1);
    sizes
}
