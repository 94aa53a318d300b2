//! Every edge of every block, and every way to hold an address inside another.

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
fn a_translators_own_prefix_is_unwrapped_where_it_is_sure() {
    let check = |ip: &str, expect: &str| {
        let (ip, wrapping) = unwrap(ip.parse().unwrap());
        let wrapping = wrapping.map_or(String::new(), |wrapping| format!(" {wrapping:?}"));
        assert_eq!(format!("{ip}{wrapping}"), expect);
    };
    check("64:ff9b:1::8.8.8.8", "8.8.8.8 Nat64Local");
    check("64:ff9b:1:fffe::192.0.2.33", "192.0.2.33 Nat64Local");
    check("64:ff9b:1:1:200:3:808:808", "64:ff9b:1:1:200:3:808:808");
    check("64:ff9b:1:1:2:3:800:0", "64:ff9b:1:1:2:3:800:0");
    check("64:ff9b:1:ab:ff:3:808:808", "8.8.8.8 Nat64Local");
    // The example of RFC 6052, section 2.4, in prefixes of 48, 56 and 64 bits: which of them it is cannot be told.
    check("64:ff9b:1:c000:2:2100::", "64:ff9b:1:c000:2:2100::");
    check("64:ff9b:1:abc0:0:221::", "64:ff9b:1:abc0:0:221::");
    check("64:ff9b:1:abcd:c0:2:2100:0", "64:ff9b:1:abcd:c0:2:2100:0");
    check("64:ff9b:2::8.8.8.8", "64:ff9b:2::808:808");
    check("64:ff9b::8.8.8.8", "8.8.8.8 Nat64");
    check("::ffff:8.8.8.8", "8.8.8.8 Mapped");
    check("2002:808:808::1", "8.8.8.8 SixToFour");
    check("2001::f7f7:f7f7", "8.8.8.8 Teredo");
    check("8.8.8.8", "8.8.8.8");
}

#[test]
fn blocks_are_told_by_name() {
    let told = |ip: &str| {
        block(ip.parse().unwrap()).map(|block| format!("{} {}, {}", block.network, block.name, block.source))
    };
    assert_eq!(told("10.1.2.3").unwrap(), "10.0.0.0/8 private use, RFC 1918");
    assert_eq!(told("::ffff:100.64.0.1").unwrap(), "100.64.0.0/10 shared address space, RFC 6598");
    assert_eq!(told("192.0.0.9").unwrap(), "192.0.0.9/32 port control protocol anycast, RFC 7723");
    assert_eq!(told("ff02::1").unwrap(), "ff00::/8 multicast, RFC 4291");
    assert_eq!(told("8.8.8.8"), None);
}

#[test]
fn every_block_answers_for_itself() {
    let csv = include_str!("../special_purpose.csv");
    let rows: Vec<_> = csv.lines().filter(|line| !line.starts_with('#')).map(|line| row(line).unwrap()).collect();
    assert_eq!(rows.len(), 57, "a row was added or lost: add its edges to the tables above");
    for (line, Block { network, why, .. }) in csv.lines().filter(|line| !line.starts_with('#')).zip(&rows) {
        assert_eq!(rows.iter().filter(|other| other.network == *network).count(), 1, "{network} is listed twice");
        for end in [network.network(), network.broadcast()] {
            assert!(!line.contains(",embeds_v4,") || canonical(end).is_ipv4(), "{end} holds no IPv4 address");
            assert_eq!(why_no_estimate(end), most_specific(&rows, canonical(end)), "{end} of {network}");
        }
        // What lies in no smaller block inside is answered by the block itself.
        let is_inside = |other: &Block| other.network != *network && network.contains(&other.network);
        let inside: Vec<_> = rows.iter().filter(|other| is_inside(other)).collect();
        if inside.is_empty() && !line.contains(",embeds_v4,") {
            assert_eq!(why_no_estimate(network.addr()), *why, "{network}");
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
fn most_specific(rows: &[Block], ip: IpAddr) -> Option<NoEstimate> {
    let holding = rows.iter().filter(|block| block.network.contains(&ip));
    holding.max_by_key(|block| block.network.prefix_len()).and_then(|block| block.why)
}

proptest! {
    #[test]
    fn the_table_agrees_with_the_slow_way(high in any::<u32>(), low in any::<u128>(), v6 in any::<bool>()) {
        let csv = include_str!("../special_purpose.csv");
        let rows: Vec<_> = csv.lines().filter_map(row).collect();
        let ip = if v6 { IpAddr::from(low.to_be_bytes()) } else { IpAddr::from(high.to_be_bytes()) };
        prop_assert_eq!(why_no_estimate(ip), most_specific(&rows, canonical(ip)));
    }
}
