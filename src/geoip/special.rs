//! What an address is for: which ones have no place on a map, and which IPv4 address an IPv6 one carries inside.
//!
//! The facts are IANA's, in `special_purpose.csv` beside this file. Knows nothing of databases.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use ipnet::IpNet;

use crate::model::location::NoEstimate;

/// The address that a position is asked for: IPv4-mapped, NAT64 (`64:ff9b::/96`), 6to4 and Teredo addresses give up
/// the IPv4 address inside, all others stay as they are. Costs nanoseconds.
///
/// Fit for finding a place and for nothing else: anybody can write 6to4 and Teredo addresses around any IPv4 address,
/// so trust is decided on the address as it came.
#[must_use]
pub fn canonical(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(v6) => embedded(v6).map_or(ip, IpAddr::V4),
    }
}

/// Why there can be no estimate for `ip`, whatever the databases say; `None` for a public address.
/// Takes the [`canonical`] address first. Costs tens of nanoseconds.
#[must_use]
pub fn why_no_estimate(ip: IpAddr) -> Option<NoEstimate> {
    match canonical(ip) {
        IpAddr::V4(v4) => find(&REGISTRY.v4, u128::from(v4.to_bits())),
        IpAddr::V6(v6) => find(&REGISTRY.v6, v6.to_bits()),
    }
}

/// The IPv4 address inside an IPv6 one, where the format of the prefix says that there is one.
fn embedded(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    const MAPPED: u128 = 0xffff;
    const NAT64: u128 = 0x0064_ff9b << 64;
    const SIX_TO_FOUR: u128 = 0x2002;
    const TEREDO: u128 = 0x2001_0000;
    let bits = v6.to_bits();
    if bits >> 32 == MAPPED || bits >> 32 == NAT64 {
        Some(Ipv4Addr::from_bits(low_32(bits)))
    } else if bits >> 112 == SIX_TO_FOUR {
        Some(Ipv4Addr::from_bits(low_32(bits >> 80)))
    } else if bits >> 96 == TEREDO {
        // The client's address is stored with all bits inverted (RFC 4380, section 4).
        Some(Ipv4Addr::from_bits(!low_32(bits)))
    } else {
        None
    }
}

fn low_32(bits: u128) -> u32 {
    u32::try_from(bits & u128::from(u32::MAX)).expect("masked to 32 bits")
}

/// The data file, parsed once.
static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
    Registry::parse(include_str!("special_purpose.csv")).expect("a test parses the same file, which is built in")
});

/// The blocks of both families, each list ordered from the most to the least specific.
#[derive(Debug)]
struct Registry {
    v4: Vec<Block>,
    v6: Vec<Block>,
}

/// One row: the addresses whose bits under `mask` equal `network`.
#[derive(Debug)]
struct Block {
    network: u128,
    mask: u128,
    answer: Option<NoEstimate>,
}

/// The answer of the most specific block that holds the address; a public address is in none.
fn find(blocks: &[Block], bits: u128) -> Option<NoEstimate> {
    blocks.iter().find(|block| bits & block.mask == block.network).and_then(|block| block.answer)
}

impl Registry {
    /// Reads the data file; the error is the line that is malformed.
    fn parse(csv: &str) -> Result<Self, String> {
        let mut rows = csv
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| row(line).ok_or_else(|| line.to_owned()))
            .collect::<Result<Vec<_>, _>>()?;
        rows.sort_by_key(|(network, _)| std::cmp::Reverse(network.prefix_len()));
        let (v4, v6): (Vec<_>, Vec<_>) = rows.into_iter().partition(|(network, _)| network.addr().is_ipv4());
        let blocks = |rows: Vec<(IpNet, Option<NoEstimate>)>| rows.into_iter().map(Block::new).collect();
        Ok(Self { v4: blocks(v4), v6: blocks(v6) })
    }
}

impl Block {
    fn new((network, answer): (IpNet, Option<NoEstimate>)) -> Self {
        let (network, mask) = match network {
            IpNet::V4(v4) => (u128::from(v4.network().to_bits()), u128::from(v4.netmask().to_bits())),
            IpNet::V6(v6) => (v6.network().to_bits(), v6.netmask().to_bits()),
        };
        Self { network, mask, answer }
    }
}

/// One row of the data file: `prefix,kind,rfc,name`.
fn row(line: &str) -> Option<(IpNet, Option<NoEstimate>)> {
    let mut fields = line.splitn(4, ',');
    let network: IpNet = fields.next()?.parse().ok()?;
    let answer = match fields.next()? {
        "private" => Some(NoEstimate::Private),
        "carrier_nat" => Some(NoEstimate::CarrierNat),
        "loopback" => Some(NoEstimate::Loopback),
        "link_local" => Some(NoEstimate::LinkLocal),
        "unique_local" => Some(NoEstimate::UniqueLocal),
        "documentation" => Some(NoEstimate::Documentation),
        "benchmark" => Some(NoEstimate::Benchmark),
        "multicast" => Some(NoEstimate::Multicast),
        "reserved" => Some(NoEstimate::Reserved),
        "global" | "embeds_v4" => None,
        _ => return None,
    };
    let (source, name) = (fields.next()?, fields.next()?);
    (source.starts_with("RFC ") && !name.is_empty() && network == network.trunc()).then_some((network, answer))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Each line is `address -> answer`, where the answer is a `NoEstimate` or `public`.
    fn check(cases: &str) {
        for case in cases.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (address, expect) = case.split_once(" -> ").unwrap();
            let answer = why_no_estimate(address.parse().unwrap());
            let answer = answer.map_or("public".to_owned(), |why| format!("{why:?}"));
            assert_eq!(answer, expect, "{address}");
        }
    }

    #[test]
    fn ipv4_blocks_end_where_the_registry_says() {
        check(
            "0.0.0.0 -> Reserved
            0.255.255.255 -> Reserved
            1.0.0.0 -> public
            9.255.255.255 -> public
            10.0.0.0 -> Private
            10.255.255.255 -> Private
            11.0.0.0 -> public
            100.63.255.255 -> public
            100.64.0.0 -> CarrierNat
            100.127.255.255 -> CarrierNat
            100.128.0.0 -> public
            126.255.255.255 -> public
            127.0.0.0 -> Loopback
            127.255.255.255 -> Loopback
            128.0.0.0 -> public
            169.253.255.255 -> public
            169.254.0.0 -> LinkLocal
            169.254.169.254 -> LinkLocal
            169.254.255.255 -> LinkLocal
            169.255.0.0 -> public
            172.15.255.255 -> public
            172.16.0.0 -> Private
            172.31.255.255 -> Private
            172.32.0.0 -> public
            191.255.255.255 -> public",
        );
    }

    #[test]
    fn ipv4_blocks_from_192_on_end_where_the_registry_says() {
        check(
            "192.0.0.0 -> Reserved
            192.0.0.7 -> Reserved
            192.0.0.8 -> Reserved
            192.0.0.9 -> public
            192.0.0.10 -> public
            192.0.0.11 -> Reserved
            192.0.0.170 -> Reserved
            192.0.0.171 -> Reserved
            192.0.0.255 -> Reserved
            192.0.1.0 -> public
            192.0.2.0 -> Documentation
            192.0.2.255 -> Documentation
            192.0.3.0 -> public
            192.31.196.1 -> public
            192.52.193.1 -> public
            192.88.98.255 -> public
            192.88.99.1 -> Reserved
            192.88.99.2 -> Reserved
            192.88.100.0 -> public
            192.167.255.255 -> public
            192.168.0.0 -> Private
            192.168.255.255 -> Private
            192.169.0.0 -> public
            192.175.48.1 -> public
            198.17.255.255 -> public
            198.18.0.0 -> Benchmark
            198.19.255.255 -> Benchmark
            198.20.0.0 -> public
            198.51.99.255 -> public
            198.51.100.0 -> Documentation
            198.51.100.255 -> Documentation
            198.51.101.0 -> public
            203.0.112.255 -> public
            203.0.113.0 -> Documentation
            203.0.113.255 -> Documentation
            203.0.114.0 -> public
            223.255.255.255 -> public
            224.0.0.0 -> Multicast
            239.255.255.255 -> Multicast
            240.0.0.0 -> Reserved
            255.255.255.254 -> Reserved
            255.255.255.255 -> Reserved",
        );
    }

    #[test]
    fn ipv6_blocks_end_where_the_registry_says() {
        check(
            ":: -> Reserved
            ::1 -> Loopback
            ::2 -> Reserved
            ::8.8.8.8 -> Reserved
            64:ff9b:1:: -> Reserved
            64:ff9b:1:ffff:ffff:ffff:ffff:ffff -> Reserved
            100:: -> Reserved
            100:0:0:1::1 -> Reserved
            100:0:0:2:: -> Reserved
            1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff -> Reserved
            2000:: -> public
            2001:1:: -> Reserved
            2001:1::1 -> public
            2001:1::2 -> public
            2001:1::3 -> public
            2001:1::4 -> Reserved
            2001:2:: -> Benchmark
            2001:2:0:ffff:ffff:ffff:ffff:ffff -> Benchmark
            2001:2:1:: -> Reserved
            2001:3::1 -> public
            2001:4:111:ffff:: -> Reserved
            2001:4:112::1 -> public
            2001:4:113:: -> Reserved
            2001:10::1 -> Reserved
            2001:1f:ffff:: -> Reserved
            2001:20::1 -> public
            2001:30::1 -> public
            2001:40:: -> Reserved
            2001:1ff:ffff:: -> Reserved
            2001:200:: -> public
            2001:db7:ffff:: -> public
            2001:db8:: -> Documentation
            2001:db8:ffff:ffff:ffff:ffff:ffff:ffff -> Documentation
            2001:db9:: -> public
            2606:4700::1111 -> public
            2620:4f:8000::42 -> public
            2a00:1450:4001:81b::200e -> public
            3ffe:ffff:: -> public
            3fff:: -> Documentation
            3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff -> Documentation
            3fff:1000:: -> public
            3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff -> public
            4000:: -> Reserved
            5f00::1 -> Reserved
            8000:: -> Reserved
            fbff:ffff:: -> Reserved
            fc00:: -> UniqueLocal
            fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff -> UniqueLocal
            fe00:: -> Reserved
            fe80:: -> LinkLocal
            febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff -> LinkLocal
            fec0:: -> Reserved
            fed0:: -> Reserved
            ff00:: -> Multicast
            ff02::1 -> Multicast
            ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff -> Multicast",
        );
    }

    #[test]
    fn addresses_inside_addresses_are_judged_by_what_is_inside() {
        check(
            "::ffff:8.8.8.8 -> public
            ::ffff:10.0.0.1 -> Private
            ::fffe:8.8.8.8 -> Reserved
            64:ff9b::8.8.8.8 -> public
            64:ff9b::192.168.1.1 -> Private
            64:ff9b::1:0:0 -> Reserved
            2002:808:808:: -> public
            2002:a00:1::5efe -> Private
            2002:6440:1:: -> CarrierNat
            2001::f7f7:f7f7 -> public
            2001:0:4136:e378:8000:63bf:f5ff:fffe -> Private
            2001:0:4136:e378:8000:63bf:3fff:fdd2 -> Documentation",
        );
        let canonical = |ip: &str| canonical(ip.parse().unwrap()).to_string();
        assert_eq!(canonical("::ffff:198.51.100.7"), "198.51.100.7");
        assert_eq!(canonical("64:ff9b::c633:6407"), "198.51.100.7");
        assert_eq!(canonical("2002:c633:6407:1::1"), "198.51.100.7");
        // The example of RFC 4380, section 4.
        assert_eq!(canonical("2001:0:4136:e378:8000:63bf:3fff:fdd2"), "192.0.2.45");
        assert_eq!(canonical("2606:4700::1111"), "2606:4700::1111");
    }

    #[test]
    fn every_block_answers_for_itself() {
        let csv = include_str!("special_purpose.csv");
        let rows: Vec<_> = csv.lines().filter(|line| !line.starts_with('#')).map(|line| row(line).unwrap()).collect();
        assert_eq!(rows.len(), 57, "a row was added or lost: add its edges to the tables above");
        for (line, (network, answer)) in csv.lines().filter(|line| !line.starts_with('#')).zip(&rows) {
            assert_eq!(rows.iter().filter(|(other, _)| other == network).count(), 1, "{network} is listed twice");
            for end in [network.network(), network.broadcast()] {
                assert!(!line.contains(",embeds_v4,") || canonical(end).is_ipv4(), "{end} holds no IPv4 address");
                assert_eq!(why_no_estimate(end), most_specific(&rows, canonical(end)), "{end} of {network}");
            }
            // What lies in no smaller block inside is answered by the block itself.
            let inside: Vec<_> = rows.iter().filter(|(other, _)| other != network && network.contains(other)).collect();
            if inside.is_empty() && !line.contains(",embeds_v4,") {
                assert_eq!(why_no_estimate(network.addr()), *answer, "{network}");
            }
        }
    }

    #[test]
    fn malformed_rows_are_named() {
        for line in ["10.0.0.0/33,private,RFC 1918,x", "10.0.0.1/8,private,RFC 1918,x", "10.0.0.0/8,odd,RFC 1918,x"] {
            assert_eq!(Registry::parse(line).unwrap_err(), line);
        }
    }

    /// The slow way, and the oracle: all blocks that hold the address, and of those the longest prefix.
    fn most_specific(rows: &[(IpNet, Option<NoEstimate>)], ip: IpAddr) -> Option<NoEstimate> {
        let holding = rows.iter().filter(|(network, _)| network.contains(&ip));
        holding.max_by_key(|(network, _)| network.prefix_len()).and_then(|(_, answer)| *answer)
    }

    proptest! {
        #[test]
        fn the_table_agrees_with_the_slow_way(high in any::<u32>(), low in any::<u128>(), v6 in any::<bool>()) {
            let csv = include_str!("special_purpose.csv");
            let rows: Vec<_> = csv.lines().filter_map(row).collect();
            let ip = if v6 { IpAddr::from(low.to_be_bytes()) } else { IpAddr::from(high.to_be_bytes()) };
            prop_assert_eq!(why_no_estimate(ip), most_specific(&rows, canonical(ip)));
        }
    }
}
