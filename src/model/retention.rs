//! Raw addresses are kept for a while: what is left of them afterwards is the network that they are in.
//!
//! Knows neither clock nor configuration: whoever calls says until when addresses must have been seen to stay.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use jiff::Timestamp;

use super::history::{Change, Value};
use super::location::{Evidence, Fix, Source};
use super::site::Site;

/// What is left of an IPv4 address: 256 of them.
const KEPT_V4: u8 = 24;
/// What is left of an IPv6 address: what a provider gives to one customer at most, 65,536 networks.
const KEPT_V6: u8 = 48;

/// The network that is left of an address.
#[must_use]
pub fn network_of(ip: IpAddr) -> IpNet {
    widened(IpNet::from(ip))
}

/// The network, or the one that is left of an address in it where it says more than that.
#[must_use]
pub fn widened(network: IpNet) -> IpNet {
    let kept = match network {
        IpNet::V4(network) => Ipv4Net::new(network.addr(), network.prefix_len().min(KEPT_V4)).map(IpNet::V4),
        IpNet::V6(network) => Ipv6Net::new(network.addr(), network.prefix_len().min(KEPT_V6)).map(IpNet::V6),
    };
    kept.map_or(network, |kept| kept.trunc())
}

/// Whether a removed estimate was of an address; of one that was cut, whether it was of its network.
#[must_use]
pub fn is_same_address(kept: IpAddr, ip: IpAddr) -> bool {
    let network = network_of(kept);
    kept == ip || network.addr() == kept && network.contains(&ip)
}

/// The same for a network in CIDR form; what is none stays as it is.
fn widen_text(text: &mut String) {
    if let Ok(network) = text.parse::<IpNet>()
        && widened(network) != network
    {
        *text = widened(network).to_string();
    }
}

impl Site {
    /// Cuts the addresses that were seen last at `end` or before, and past ones; the position stays.
    pub fn cut_addresses(&mut self, end: Timestamp) {
        for network in self.uplinks.former.iter_mut().chain(&mut self.uplinks.others) {
            *network = widened(*network);
        }
        let is_past = |at: Option<Timestamp>| at.is_none_or(|at| at <= end);
        let is_unheard = is_past(self.last_seen_at);
        if is_unheard {
            self.claimed_ip = None;
        }
        if !is_past(self.uplinks.seen_at.or(self.last_seen_at)) {
            self.cut_home_of_pool(end);
            return;
        }
        // An address that is not public may be the present one all the same.
        self.uplinks.last = self.uplinks.last.filter(|last| !is_unheard && Some(*last) != self.public_ip);
        if let Some(ip) = self.public_ip.take() {
            self.public_network = Some(network_of(ip));
        }
        self.cut_home();
        if let Some(away) = &mut self.uplinks.away {
            (away.left, away.network) = (None, widened(away.network));
        }
        self.estimate_removed_for = self.estimate_removed_for.map(|ip| network_of(ip).addr());
        widen_text(&mut self.network.network);
        if let Some(mut fix) = self.fixes.remove(Source::GeoIp) {
            widen_evidence(&mut fix);
            self.fixes.put(fix);
        }
    }

    /// Of a pool that gives out another address each day, the home is a former one: nobody notes when it was seen last, so it
    /// goes by the time at which the estimate was made of it.
    fn cut_home_of_pool(&mut self, end: Timestamp) {
        let is_of_past = self.fixes.get(Source::GeoIp).is_none_or(|fix| fix.made_at <= end);
        let is_former = self.uplinks.home.is_some_and(|home| Some(home.ip) != self.uplinks.last);
        if self.uplinks.away.is_none() && is_former && is_of_past {
            self.cut_home();
        }
    }

    fn cut_home(&mut self) {
        if let Some(home) = self.uplinks.home.take() {
            self.uplinks.home_network = Some(widened(home.network));
        }
    }
}

/// Own networks stay as their account wrote them.
fn widen_evidence(fix: &mut Fix) {
    if let Evidence::Database(found) = &mut fix.evidence {
        widen_text(&mut found.network);
        found.others.iter_mut().for_each(|other| widen_text(&mut other.network));
    }
}

impl Change {
    /// Cuts the addresses in it; says whether there were any.
    pub fn cut_addresses(&mut self) -> bool {
        let mut is_cut = false;
        for value in self.edits.iter_mut().flat_map(|edit| [&mut edit.from, &mut edit.to]).flatten() {
            if let Value::Ip(ip) = value {
                *value = Value::Network(network_of(*ip));
                is_cut = true;
            }
        }
        is_cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_left_of_addresses() {
        let check = |text: &str, expect: &str| assert_eq!(widened(text.parse().unwrap()).to_string(), expect);
        check("203.0.113.7/32", "203.0.113.0/24");
        check("203.0.113.128/25", "203.0.113.0/24");
        check("203.0.112.0/22", "203.0.112.0/22");
        check("2001:db8:1:2:3::4/128", "2001:db8:1::/48");
        check("2001:db8::/32", "2001:db8::/32");
        assert_eq!(network_of("203.0.113.7".parse().unwrap()).to_string(), "203.0.113.0/24");
    }

    #[test]
    fn a_removed_estimate_is_known_by_what_is_left_of_its_address() {
        let check = |kept: &str, ip: &str, expect| {
            assert_eq!(is_same_address(kept.parse().unwrap(), ip.parse().unwrap()), expect, "{kept} {ip}");
        };
        check("203.0.113.7", "203.0.113.7", true);
        check("203.0.113.7", "203.0.113.8", false);
        check("203.0.113.0", "203.0.113.8", true);
        check("203.0.113.0", "203.0.114.8", false);
        check("203.0.113.0", "2001:db8::1", false);
    }
}
