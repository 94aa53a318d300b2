//! Raw addresses are kept for a while: what is left of them afterwards is the network that they are in.
//!
//! Knows neither clock nor configuration: whoever calls says until when addresses must have been seen to stay.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use jiff::Timestamp;
use serde::{Deserialize as _, Deserializer};

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

/// Reads a network in CIDR form. Records of before hold an address in its place, and of one that was cut the first address of
/// what is left of it.
pub(super) fn network_or_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<IpNet>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    let Ok(ip) = text.parse::<IpAddr>() else { return text.parse().map(Some).map_err(serde::de::Error::custom) };
    let network = network_of(ip);
    Ok(Some(if network.addr() == ip { network } else { IpNet::from(ip) }))
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
            self.cut_former_home(end);
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
        self.cut_removed();
        widen_text(&mut self.network.network);
    }

    /// Of a pool that gives out another address each day, and of a site that is away for long, the home is a former address:
    /// nobody notes when it was seen last, so it goes by the time at which the estimate was made of it.
    fn cut_former_home(&mut self, end: Timestamp) {
        let is_of_past = self.fixes.get(Source::GeoIp).is_none_or(|fix| fix.made_at <= end);
        let is_over = self.uplinks.away.is_none_or(|away| away.since <= end);
        if !is_of_past || !is_over {
            return;
        }
        if self.uplinks.home.is_some_and(|home| Some(home.ip) != self.uplinks.last) {
            self.cut_home();
        }
        if let Some(away) = &mut self.uplinks.away {
            away.left = None;
        }
        if self.estimate_removed_for != self.uplinks.last.map(IpNet::from) {
            self.cut_removed();
        }
    }

    fn cut_home(&mut self) {
        if let Some(home) = self.uplinks.home.take() {
            self.uplinks.home_network = Some(widened(home.network));
        }
        if let Some(mut fix) = self.fixes.remove(Source::GeoIp) {
            widen_evidence(&mut fix);
            self.fixes.put(fix);
        }
    }

    fn cut_removed(&mut self) {
        self.estimate_removed_for = self.estimate_removed_for.map(widened);
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
    use jiff::SignedDuration;

    use super::*;
    use crate::model::uplink::{Seen, Sight};

    /// As `outages_that_come_again_move_a_site_there_and_back_once`, in networks narrower than what is left of them.
    #[test]
    fn outages_move_a_site_there_and_back_once_though_its_networks_are_cut() {
        let account = "acme".parse().unwrap();
        let mut site = Site::new(account, "Pump".to_owned(), Timestamp::UNIX_EPOCH);
        let seen = |number: u8| {
            let ip = IpAddr::from([203, 0, number, 7]);
            Seen { ip, network: IpNet::new(ip, 28).unwrap().trunc() }
        };
        let (hold, mut moves) = (SignedDuration::from_hours(1), 0);
        for quarter in 0..20 * 96_i64 {
            let now = Timestamp::from_second(1_700_000_000 + quarter * 900).unwrap();
            (site.last_seen_at, site.uplinks.seen_at) = (Some(now), Some(now));
            let number = if quarter % 96 < 8 && quarter > 0 { 2 } else { 1 };
            moves += usize::from(site.uplinks.see(seen(number), now, hold) == Sight::Moved);
            site.cut_addresses(now - SignedDuration::from_hours(24 * 29));
        }
        assert_eq!(moves, 3, "the first address, an outage, and back");
        assert_eq!(site.uplinks.home, Some(seen(1)));
        assert_eq!(site.uplinks.others.len(), 1, "{:?}", site.uplinks.others);
    }

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

    /// `203.0.113.0` may be an address, and was taken for its network where an estimate of it was removed.
    #[test]
    fn a_removed_estimate_is_of_an_address_or_of_what_is_left_of_it() {
        let account = "acme".parse().unwrap();
        let mut site = Site::new(account, "Pump".to_owned(), Timestamp::UNIX_EPOCH);
        let first = IpAddr::from([203, 0, 113, 0]);
        site.estimate_removed_for = Some(IpNet::from(first));
        let read =
            |text: &str| serde_json::from_str::<Site>(text).unwrap().estimate_removed_for.map(|of| of.to_string());
        let text = serde_json::to_string(&site).unwrap();
        assert_eq!(read(&text).as_deref(), Some("203.0.113.0/32"));
        assert_eq!(site.other_ips(), [first]);
        site.cut_addresses(Timestamp::UNIX_EPOCH);
        assert_eq!(site.estimate_removed_for, Some("203.0.113.0/24".parse().unwrap()));
        assert!(site.other_ips().is_empty(), "a network is no address");
        for (before, expect) in [
            ("\"203.0.113.7\"", Some("203.0.113.7/32")),
            ("\"203.0.113.0\"", Some("203.0.113.0/24")),
            ("\"2001:db8:1::\"", Some("2001:db8:1::/48")),
            ("null", None),
        ] {
            assert_eq!(read(&text.replace("\"203.0.113.0/32\"", before)).as_deref(), expect, "{before}");
        }
    }
}
