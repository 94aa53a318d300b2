//! An account's own networks: where addresses are that only the account itself can place.
//!
//! The exit of a private backbone, a laboratory, private ranges: whoever runs a network knows better than any database. The
//! longest prefix that holds an address wins.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::geo::{DISTANCE_M_MAX, LatLng};
use super::location::Granularity;
use super::{Invalid, text};

/// Most prefixes of one account.
pub const PREFIXES_MAX: usize = 10_000;

/// A network of an account, and where it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prefix {
    /// The network; no bit behind its length is set.
    pub network: IpNet,
    /// What people call it; may be empty.
    pub display_name: String,
    /// Where it is, WGS 84.
    pub position: LatLng,
    /// Radius in metres that holds all of it; `None` where nobody stated one.
    pub accuracy_m: Option<f64>,
    /// How fine the position is.
    pub granularity: Granularity,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl Prefix {
    /// The prefix with every field checked.
    pub fn checked(self) -> Result<Self, Invalid> {
        if self.network != self.network.trunc() {
            let why = format!("bits behind the prefix are zero: {} is meant?", self.network.trunc());
            return Err(Invalid::new("cidr", why));
        }
        if self.position.is_null_island() {
            return Err(Invalid::new("position", "0,0 is open sea and mostly a missing value: state where it is"));
        }
        if let Some(accuracy_m) = self.accuracy_m
            && !(accuracy_m > 0.0 && accuracy_m <= DISTANCE_M_MAX)
        {
            let why = format!("a radius in metres, above 0 and at most {DISTANCE_M_MAX:.0}, got {accuracy_m}");
            return Err(Invalid::new("accuracy_m", why));
        }
        let display_name = text::line("display_name", &self.display_name, text::LINE_BYTES_MAX)?;
        Ok(Self { display_name, ..self })
    }
}

/// A network from its text in CIDR form, as the API has it.
pub fn parse_network(field: &str, text: &str) -> Result<IpNet, Invalid> {
    // The address by the standard library's parser, which takes no octal digits for decimal ones.
    let parsed = text.split_once('/').and_then(|(ip, length)| {
        let is_plain = length == "0" || length.starts_with(|first: char| first.is_ascii_digit() && first != '0');
        IpNet::new(ip.parse().ok()?, length.parse().ok().filter(|_| is_plain)?).ok()
    });
    parsed.ok_or_else(|| {
        Invalid::new(field, format!("a network in CIDR form such as 10.20.0.0/16, got {}", text::shown(text)))
    })
}

/// All prefixes of an account, to find the longest that holds an address.
///
/// A look-up costs one probe for each distinct length; accounts have few of them.
#[derive(Debug, Clone, Default)]
pub struct Prefixes {
    by_network: HashMap<IpNet, Arc<Prefix>>,
    /// The lengths that are in use, by family; counted, so that one can be taken out.
    lengths: [Lengths; 2],
}

#[derive(Debug, Clone, Default)]
struct Lengths {
    used: BTreeSet<u8>,
    counts: HashMap<u8, usize>,
}

fn family(network: &IpNet) -> usize {
    usize::from(matches!(network, IpNet::V6(_)))
}

impl Prefixes {
    /// Puts a prefix in, over the one of the same network.
    pub fn put(&mut self, prefix: Prefix) {
        let network = prefix.network;
        if self.by_network.insert(network, Arc::new(prefix)).is_none() {
            let lengths = &mut self.lengths[family(&network)];
            lengths.used.insert(network.prefix_len());
            *lengths.counts.entry(network.prefix_len()).or_default() += 1;
        }
    }

    /// Takes a prefix out.
    pub fn remove(&mut self, network: &IpNet) {
        if self.by_network.remove(network).is_none() {
            return;
        }
        let lengths = &mut self.lengths[family(network)];
        if let Some(count) = lengths.counts.get_mut(&network.prefix_len()) {
            *count -= 1;
            if *count == 0 {
                lengths.counts.remove(&network.prefix_len());
                lengths.used.remove(&network.prefix_len());
            }
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_network.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_network.is_empty()
    }

    /// The prefix of exactly this network.
    #[must_use]
    pub fn get(&self, network: &IpNet) -> Option<&Arc<Prefix>> {
        self.by_network.get(network)
    }

    /// All networks, in no order.
    #[must_use]
    pub fn networks(&self) -> Vec<IpNet> {
        self.by_network.keys().copied().collect()
    }

    /// The longest prefix that holds `ip`.
    #[must_use]
    pub fn longest(&self, ip: IpAddr) -> Option<&Arc<Prefix>> {
        let lengths = &self.lengths[usize::from(ip.is_ipv6())];
        lengths.used.iter().rev().find_map(|length| {
            let network = IpNet::new(ip, *length).ok()?.trunc();
            self.by_network.get(&network)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn prefix(network: IpNet) -> Prefix {
        Prefix {
            network,
            display_name: network.to_string(),
            position: LatLng::new(1.0, 2.0).unwrap(),
            accuracy_m: None,
            granularity: Granularity::Door,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
        }
    }

    /// Few distinct bits, so that networks nest and addresses are in them.
    fn any_network() -> impl Strategy<Value = IpNet> {
        let v4 = (0..4_u32, 0..=32_u8)
            .prop_map(|(bits, length)| IpNet::new(IpAddr::from((bits << 29).to_be_bytes()), length));
        let v6 = (0..4_u128, 0..=128_u8)
            .prop_map(|(bits, length)| IpNet::new(IpAddr::from((bits << 125).to_be_bytes()), length));
        prop_oneof![v4, v6].prop_map(|network| network.unwrap().trunc())
    }

    proptest! {
        #[test]
        fn the_longest_is_that_of_a_search_through_all(
            changes in proptest::collection::vec((any_network(), any::<bool>()), 0..40),
            v4 in 0..8_u32,
            v6 in 0..8_u128,
        ) {
            let (mut table, mut all) = (Prefixes::default(), std::collections::BTreeSet::new());
            for (network, is_put) in changes {
                if is_put {
                    table.put(prefix(network));
                    all.insert(network);
                } else {
                    table.remove(&network);
                    all.remove(&network);
                }
            }
            for ip in [IpAddr::from((v4 << 29).to_be_bytes()), IpAddr::from((v6 << 125).to_be_bytes())] {
                let expect = all.iter().filter(|network| network.contains(&ip)).max_by_key(|network| network.prefix_len());
                prop_assert_eq!(table.longest(ip).map(|found| found.network), expect.copied());
            }
            prop_assert_eq!(table.len(), all.len());
        }
    }

    #[test]
    fn fields_are_checked() {
        let good = prefix("10.0.0.0/8".parse().unwrap());
        assert!(good.clone().checked().is_ok());
        let fault = |prefix: Prefix| prefix.checked().unwrap_err().field;
        assert_eq!(fault(Prefix { network: "10.1.0.0/8".parse().unwrap(), ..good.clone() }), "cidr");
        assert_eq!(fault(Prefix { position: LatLng::ORIGIN, ..good.clone() }), "position");
        for accuracy_m in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(fault(Prefix { accuracy_m: Some(accuracy_m), ..good.clone() }), "accuracy_m");
        }
        for text in
            ["10.0.0.0", "010.0.0.0/8", "10.0.0.0/08", "10.0.0.0/+8", "10.0.0.0/33", "10.0/8", "", "fe80::%eth0/10"]
        {
            assert!(parse_network("cidr", text).is_err(), "{text}");
        }
    }
}
