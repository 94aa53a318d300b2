//! What an address is for: which ones have no place on a map, and which IPv4 address an IPv6 one carries inside.
//!
//! The facts are IANA's, in `special_purpose.csv` beside this file. Knows nothing of databases.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use ipnet::IpNet;
use serde::Serialize;

use crate::model::location::NoEstimate;

/// In which way an IPv6 address holds an IPv4 one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wrapping {
    /// `::ffff:0:0/96`: an IPv4 address as the sockets of IPv6 write it.
    Mapped,
    /// `64:ff9b::/96`: an IPv4 host, seen through a translator.
    Nat64,
    /// `64:ff9b:1::/48`: the same with a translator's own prefix, of 96 bits.
    Nat64Local,
    /// `2002::/16`: a network behind a 6to4 router.
    SixToFour,
    /// `2001::/32`: a host that tunnels through its NAT.
    Teredo,
}

/// A block of IANA's registries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Block {
    /// The block.
    pub network: IpNet,
    /// What it is for.
    pub name: &'static str,
    /// Where that is written, such as `RFC 1918`.
    pub source: &'static str,
    /// Why addresses in it have no place; `None` for a block of ordinary public ones.
    pub why: Option<NoEstimate>,
}

/// The address that a position is asked for: an IPv6 address that holds an IPv4 one in a way of [`Wrapping`] gives it
/// up, all others stay as they are. Costs nanoseconds.
///
/// Fit for finding a place and for nothing else: anybody can write 6to4 and Teredo addresses around any IPv4 address,
/// so trust is decided on the address as it came.
#[must_use]
pub fn canonical(ip: IpAddr) -> IpAddr {
    unwrap(ip).0
}

/// The [`canonical`] address, and in which way it was held.
#[must_use]
pub fn unwrap(ip: IpAddr) -> (IpAddr, Option<Wrapping>) {
    match ip {
        IpAddr::V6(v6) => embedded(v6).map_or((ip, None), |(v4, wrapping)| (IpAddr::V4(v4), Some(wrapping))),
        IpAddr::V4(_) => (ip, None),
    }
}

/// The most specific block that holds the [`canonical`] address.
#[must_use]
pub fn block(ip: IpAddr) -> Option<Block> {
    let found = match canonical(ip) {
        IpAddr::V4(v4) => find(&REGISTRY.v4, u128::from(v4.to_bits())),
        IpAddr::V6(v6) => find(&REGISTRY.v6, v6.to_bits()),
    };
    found.map(|row| row.block.clone())
}

/// Why there can be no estimate for `ip`, whatever the databases say; `None` for a public address.
/// Takes the [`canonical`] address first. Costs tens of nanoseconds.
#[must_use]
pub fn why_no_estimate(ip: IpAddr) -> Option<NoEstimate> {
    let found = match canonical(ip) {
        IpAddr::V4(v4) => find(&REGISTRY.v4, u128::from(v4.to_bits())),
        IpAddr::V6(v6) => find(&REGISTRY.v6, v6.to_bits()),
    };
    found.and_then(|row| row.block.why)
}

/// The IPv4 address inside an IPv6 one, where the format of the prefix says that there is one.
fn embedded(v6: Ipv6Addr) -> Option<(Ipv4Addr, Wrapping)> {
    const MAPPED: u128 = 0xffff;
    const NAT64: u128 = 0x0064_ff9b << 64;
    const NAT64_LOCAL: u128 = 0x0064_ff9b_0001;
    const SIX_TO_FOUR: u128 = 0x2002;
    const TEREDO: u128 = 0x2001_0000;
    let bits = v6.to_bits();
    let v4 = |bits: u128| Ipv4Addr::from_bits(low_32(bits));
    if bits >> 32 == MAPPED {
        Some((v4(bits), Wrapping::Mapped))
    } else if bits >> 32 == NAT64 {
        Some((v4(bits), Wrapping::Nat64))
    } else if bits >> 80 == NAT64_LOCAL && is_of_96_bit_prefix(bits) {
        Some((v4(bits), Wrapping::Nat64Local))
    } else if bits >> 112 == SIX_TO_FOUR {
        Some((v4(bits >> 80), Wrapping::SixToFour))
    } else if bits >> 96 == TEREDO {
        // The client's address is stored with all bits inverted (RFC 4380, section 4).
        Some((v4(!bits), Wrapping::Teredo))
    } else {
        None
    }
}

/// Whether the IPv4 address in an address of a translator's own prefix is surely in its last 32 bits.
///
/// Such a prefix has 48, 56, 64 or 96 bits, and the address does not tell which (RFC 6052, section 2.2). Bits 64 to 71
/// are zero in all of them, and the shorter three leave the last 24 bits zero, which as the end of an IPv4 address is a
/// network's own and no host's. What stays unsure is not unwrapped.
fn is_of_96_bit_prefix(bits: u128) -> bool {
    (bits >> 56).trailing_zeros() >= 8 && bits.trailing_zeros() < 24
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
    v4: Vec<Row>,
    v6: Vec<Row>,
}

/// One row: the addresses whose bits under `mask` equal `network`.
#[derive(Debug)]
struct Row {
    network: u128,
    mask: u128,
    block: Block,
}

/// The most specific block that holds the address; most public addresses are in none.
fn find(rows: &[Row], bits: u128) -> Option<&Row> {
    rows.iter().find(|row| bits & row.mask == row.network)
}

impl Registry {
    /// Reads the data file; the error is the line that is malformed.
    fn parse(csv: &'static str) -> Result<Self, String> {
        let mut blocks = csv
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| row(line).ok_or_else(|| line.to_owned()))
            .collect::<Result<Vec<_>, _>>()?;
        blocks.sort_by_key(|block| std::cmp::Reverse(block.network.prefix_len()));
        let (v4, v6): (Vec<_>, Vec<_>) = blocks.into_iter().partition(|block| block.network.addr().is_ipv4());
        let rows = |blocks: Vec<Block>| blocks.into_iter().map(Row::new).collect();
        Ok(Self { v4: rows(v4), v6: rows(v6) })
    }
}

impl Row {
    fn new(block: Block) -> Self {
        let (network, mask) = match block.network {
            IpNet::V4(v4) => (u128::from(v4.network().to_bits()), u128::from(v4.netmask().to_bits())),
            IpNet::V6(v6) => (v6.network().to_bits(), v6.netmask().to_bits()),
        };
        Self { network, mask, block }
    }
}

/// One row of the data file: `prefix,kind,rfc,name`.
fn row(line: &'static str) -> Option<Block> {
    let mut fields = line.splitn(4, ',');
    let network: IpNet = fields.next()?.parse().ok()?;
    let why = match fields.next()? {
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
    let (source, name) = (fields.next()?, fields.next()?.trim_start_matches("* "));
    let is_good = source.starts_with("RFC ") && !name.is_empty() && network == network.trunc();
    is_good.then_some(Block { network, name, source, why })
}

#[cfg(test)]
mod tests;
