//! Addresses of real networks, spread as the world's networks are: for demonstrations and load tests.
//!
//! Knows nothing of sites. Makes nothing up but the host part of an address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnet::IpNet;

use super::database::{Database, Network};
use super::special::why_no_estimate;

/// One address in so many is an IPv6 one, where a database has both: a round figure below the share of IPv6 among
/// clients, because company networks lag behind homes and phones.
const IPV6_SHARE: usize = 8;
/// Prefix lengths that count as if they were longer or shorter: an IPv4 network counts as at least one address and at
/// most a /12; an IPv6 one as at least one site (/48) and at most a provider's usual allocation (/32).
const IPV4_PREFIXES: (u8, u8) = (12, 32);
const IPV6_PREFIXES: (u8, u8) = (32, 48);

/// `count` addresses, each with its network in the first database that has networks of its family with positions.
///
/// A network's chance grows with the square root of its size. By plain size, a few huge blocks of telephone companies
/// and of the early Internet would get most addresses; by number of networks, the regions whose blocks are cut into
/// small pieces would. Every address is public and its network has a position. Networks are distinct as long as
/// `count` is small against their number, and may repeat where it is not.
///
/// The same databases, `count` and `seed` give the same list. Two walks over each database that addresses are taken from:
/// about 2 s for the two files of DB-IP City Lite. Empty where no database has a position.
pub(super) fn sample(databases: &[Arc<Database>], count: usize, seed: u64) -> Vec<(IpNet, IpAddr)> {
    if count == 0 {
        return Vec::new();
    }
    let mut random = SplitMix64(seed);
    let of_family =
        |ipv4: bool| databases.iter().map(|database| &**database).find(|database| is_usable(database, ipv4));
    let (ipv4, ipv6) = (of_family(true), of_family(false));
    let ipv6_count = match (ipv4, ipv6) {
        (_, None) => 0,
        (None, Some(_)) => count,
        (Some(_), Some(_)) => count / IPV6_SHARE,
    };
    let mut picked = Vec::new();
    if let Some(database) = ipv4 {
        pick(database, true, count - ipv6_count, &mut random, &mut picked);
    }
    if let Some(database) = ipv6 {
        pick(database, false, ipv6_count, &mut random, &mut picked);
    }
    shuffle(&mut picked, &mut random);
    picked.into_iter().map(|network| (network, random.address_in(network))).collect()
}

/// Whether the database has a network of the family that [`pick`] may take.
fn is_usable(database: &Database, ipv4: bool) -> bool {
    database.networks(ipv4).any(|(network, record)| is_takable(network, &record))
}

/// Whether the network has a position, and begins outside of special blocks (it may yet hold some).
fn is_takable(network: IpNet, record: &Network<'_>) -> bool {
    why_no_estimate(network.network()).is_none() && record.has_position()
}

/// Puts `count` networks of one family into `picked`: systematic sampling, that is one random start and equal steps
/// along the summed weights, which spreads evenly and needs no memory but the picks. The start is drawn in any case: what is
/// drawn behind it is the same however many are picked.
fn pick(database: &Database, ipv4: bool, count: usize, random: &mut SplitMix64, picked: &mut Vec<IpNet>) {
    let start = random.unit();
    if count == 0 {
        return;
    }
    let total: f64 = database.networks(ipv4).map(|(network, _)| weight(network)).sum();
    let (end, step) = (picked.len() + count, total / f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
    let (mut passed, mut target) = (0.0, step * start);
    // A step that ends on a network that is not takable goes on to the next one that is, if need be from the start.
    for (network, record) in database.networks(ipv4).chain(database.networks(ipv4)) {
        if picked.len() == end {
            return;
        }
        passed += weight(network);
        if passed > target && is_takable(network, &record) {
            while passed > target && picked.len() < end {
                picked.push(network);
                target += step;
            }
        }
    }
}

/// The square root of a network's size within the limits above.
fn weight(network: IpNet) -> f64 {
    let (shortest, longest) = if network.addr().is_ipv4() { IPV4_PREFIXES } else { IPV6_PREFIXES };
    let bits = longest - network.prefix_len().clamp(shortest, longest);
    f64::from(bits / 2).exp2() * if bits % 2 == 1 { std::f64::consts::SQRT_2 } else { 1.0 }
}

/// Fisher and Yates: without it the list would be sorted by address, and its first part would be one continent.
fn shuffle(networks: &mut [IpNet], random: &mut SplitMix64) {
    for last in (1..networks.len()).rev() {
        networks.swap(last, random.below(last + 1));
    }
}

/// A small generator with a 64-bit state (Steele, Lea, Flood 2014): fixed for ever, unlike a library's default.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A whole number in [0, bound), with a bias of at most bound / 2⁶⁴; `bound` is positive.
    fn below(&mut self, bound: usize) -> usize {
        let scaled = (u128::from(self.next()) * bound as u128) >> 64;
        usize::try_from(scaled).expect("smaller than the bound, which is a usize")
    }

    /// A number in [0, 1), a multiple of 2⁻³².
    fn unit(&mut self) -> f64 {
        f64::from(self.next_32()) / 32.0_f64.exp2()
    }

    fn next_32(&mut self) -> u32 {
        u32::try_from(self.next() >> 32).expect("32 bits are left")
    }

    /// Any public address of a network whose first one is public.
    fn address_in(&mut self, network: IpNet) -> IpAddr {
        let ip = match network {
            IpNet::V4(v4) => {
                let host = self.next_32() & v4.hostmask().to_bits();
                IpAddr::V4(Ipv4Addr::from_bits(v4.network().to_bits() | host))
            }
            IpNet::V6(v6) => {
                let host = (u128::from(self.next()) << 64 | u128::from(self.next())) & v6.hostmask().to_bits();
                IpAddr::V6(Ipv6Addr::from_bits(v6.network().to_bits() | host))
            }
        };
        if why_no_estimate(ip).is_none() { ip } else { network.network() }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::path::Path;

    use super::super::age::AgePolicy;
    use super::super::fixture::{Fixture, flat};
    use super::*;

    fn database(fixture: &Fixture) -> Arc<Database> {
        Arc::new(Database::from_bytes(Path::new("x.mmdb"), fixture.bytes(), AgePolicy::default()).unwrap())
    }

    /// 256 IPv4 networks of each of two sizes; half of the small ones have no position.
    fn ipv4() -> Fixture {
        (0..=255).fold(Fixture::new(4, "city ipv4"), |file, number| {
            let lng = if number < 128 { 1.5 } else { f64::NAN };
            file.with(&format!("8.{number}.0.0/16"), flat("US", "", "Large", 1.5, 1.5))
                .with(&format!("9.9.{number}.0/24"), flat("US", "", "Small", 1.5, lng))
        })
    }

    fn ipv6() -> Fixture {
        (0..64).fold(Fixture::new(6, "city ipv6"), |file, number| {
            file.with(&format!("2a00:{number:x}::/32"), flat("IS", "", "Six", 1.5, 1.5))
        })
    }

    #[test]
    fn one_seed_gives_one_list_and_another_seed_another() {
        let databases = [database(&ipv4()), database(&ipv6())];
        let list = |seed| sample(&databases, 80, seed);
        assert_eq!(list(1), list(1));
        assert_ne!(list(1), list(2));
        let first: Vec<_> = list(7).into_iter().take(3).map(|(network, ip)| format!("{network} {ip}")).collect();
        assert_eq!(first, FIRST_OF_SEED_7, "the list of a seed is fixed for ever");
        let few: Vec<_> = sample(&databases, 3, 7).into_iter().map(|(network, ip)| format!("{network} {ip}")).collect();
        assert_eq!(few, THREE_OF_SEED_7, "too few for an IPv6 one, whose start is drawn all the same");
    }

    /// Written down once: a change of the generator or of the order of its use would change every demonstration.
    const FIRST_OF_SEED_7: [&str; 3] =
        ["8.40.0.0/16 8.40.2.34", "2a00:20::/32 2a00:20:b057:682f:5386:7f8a:1972:b8d6", "8.176.0.0/16 8.176.97.246"];
    const THREE_OF_SEED_7: [&str; 3] =
        ["8.35.0.0/16 8.35.59.102", "8.126.0.0/16 8.126.190.134", "8.216.0.0/16 8.216.196.161"];

    #[test]
    fn families_and_sizes_have_their_shares() {
        let databases = [database(&ipv6()), database(&ipv4())];
        let list = sample(&databases, 160, 3);
        assert_eq!(list.len(), 160);
        assert!(list.iter().all(|(network, ip)| network.contains(ip)));
        let of = |prefix: &str| list.iter().filter(|(network, _)| network.to_string().starts_with(prefix)).count();
        assert_eq!(of("2a00:"), 20);
        // Weights 256 and 16: the half of the small ones that has positions gets a share of 1/34.
        let small = of("9.9.");
        assert!((4..=5).contains(&small), "{small}");
        assert_eq!(of("8."), 140 - small);
        let distinct: HashSet<_> = list.iter().map(|(network, _)| network).collect();
        assert!(distinct.len() >= 150, "{} networks", distinct.len());
        let without_position = |network: &IpNet| network.to_string().starts_with("9.9.") && third(network) >= 128;
        assert!(!list.iter().any(|(network, _)| without_position(network)));
    }

    fn third(network: &IpNet) -> u8 {
        network.to_string().split('.').nth(2).unwrap().parse().unwrap()
    }

    #[test]
    fn special_networks_and_those_without_positions_are_never_taken() {
        let file = Fixture::new(4, "city ipv4")
            .with("64.0.0.0/2", flat("US", "", "Holds two special blocks", 1.5, 1.5))
            .with("10.0.0.0/8", flat("US", "", "Private", 1.5, 1.5))
            .with("200.0.0.0/8", flat("US", "", "Nowhere", f64::NAN, 1.5))
            .with("201.1.1.0/30", flat("US", "", "Small", 1.5, 1.5))
            .with("203.0.113.0/24", flat("US", "", "Documentation", 1.5, 1.5))
            .with("224.0.0.0/3", flat("US", "", "Multicast", 1.5, 1.5));
        let databases = [database(&file)];
        let (large, small): (IpNet, IpNet) = ("64.0.0.0/2".parse().unwrap(), "201.1.1.0/30".parse().unwrap());
        for seed in 0..50 {
            let list = sample(&databases, 100, seed);
            assert_eq!(list.len(), 100);
            for (network, ip) in list {
                assert!(network == large || network == small, "{network}");
                assert_eq!(why_no_estimate(ip), None, "{ip}");
            }
        }
    }

    #[test]
    fn any_count_is_served() {
        let databases = [database(&ipv4()), database(&ipv6())];
        for count in [0, 1, 7, 8, 9, 1_000] {
            assert_eq!(sample(&databases, count, 5).len(), count);
        }
        assert!(sample(&[], 10, 1).is_empty());
        let countries = Fixture::new(4, "x").with("8.0.0.0/8", flat("US", "", "", f64::NAN, 1.5));
        assert!(sample(&[database(&countries)], 10, 1).is_empty());
        assert!(sample(&databases[1..], 16, 1).iter().all(|(_, ip)| ip.is_ipv6()));
    }

    #[test]
    fn the_generator_is_splitmix64() {
        // The first outputs for seed 1234567 of the authors' reference program.
        let mut random = SplitMix64(1_234_567);
        let outputs = [(); 3].map(|()| random.next());
        assert_eq!(outputs, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }
}
