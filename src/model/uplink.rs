//! Which way a site reaches the world: the address whose estimate it has, and since when it comes from others alone.
//!
//! A site with two uplinks comes now from the one and now from the other; a site that moved never comes from the old one
//! again. Both look alike at the first call from a new address, so an estimate follows after a while in which the old
//! network was not seen at all: a second uplink never moves a site, and a real move moves it once.

use std::net::IpAddr;

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::evidence::Carrier;

/// For so long a network that the site is known to fall back to has to be the only one before the estimate follows: an
/// outage of the first uplink is over by then.
pub const KNOWN_UPLINK_HOLD: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Most networks that are remembered as further uplinks; the one not seen for longest goes.
pub const UPLINKS_MAX: usize = 4;

/// Where a site's calls come from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Uplinks {
    /// The address of the last call, public or not.
    pub last: Option<IpAddr>,
    /// When a call came from a public address last; `None` where that was not written down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen_at: Option<Timestamp>,
    /// The address whose estimate the site has; `None` where none was tried yet.
    pub home: Option<Seen>,
    /// What is left of a home that was not seen for long; `None` beside `home`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub home_network: Option<IpNet>,
    /// The calls since the home network was seen last; `None` while the site is at home.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub away: Option<Away>,
    /// Who ran the network that the site left; `None` while it is at home.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<Carrier>,
    /// The network that was home before; after a while as much of it as may be kept, as of `others`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub former: Option<IpNet>,
    /// Networks that the site was seen in and came home from, the latest last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<IpNet>,
}

/// An address with its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The address.
    pub ip: IpAddr,
    /// The network that whoever placed the address holds as one; the address alone where nobody did.
    pub network: IpNet,
}

/// A time away from home.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Away {
    /// The first call from elsewhere.
    pub since: Timestamp,
    /// The first call from a network that is no known uplink; `None` while there was none.
    pub unknown_since: Option<Timestamp>,
    /// Where the last call came from.
    pub network: IpNet,
    /// The public address that the site had when it left home; `None` where that was not written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<IpAddr>,
}

/// What a call says of where the site is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// It comes from where the estimate is of.
    Home,
    /// It comes from elsewhere, and that proves nothing yet.
    Away,
    /// It comes from elsewhere, and nothing has come from home for long enough: the estimate follows.
    Moved,
}

impl Uplinks {
    /// The networks that are held, each once: of the estimate, of the last call from elsewhere, and the former ones.
    #[must_use]
    pub fn networks(&self) -> Vec<IpNet> {
        let home = self.home.map(|home| home.network).or(self.home_network);
        let away = self.away.map(|away| away.network);
        let mut networks = Vec::new();
        for network in [home, away, self.former].into_iter().flatten().chain(self.others.iter().copied()) {
            if !networks.contains(&network) {
                networks.push(network);
            }
        }
        networks
    }

    /// Whether a call comes from the address or the network that the estimate is of.
    #[must_use]
    pub fn is_home(&self, seen: Seen) -> bool {
        let is_left = self.home_network.is_some_and(|network| network.contains(&seen.ip));
        is_left || self.home.is_some_and(|home| home.ip == seen.ip || home.network == seen.network)
    }

    /// Takes note of a call from `seen`. `hold` is how long an unknown network has to be the only one.
    pub fn see(&mut self, seen: Seen, now: Timestamp, hold: SignedDuration) -> Sight {
        self.last = Some(seen.ip);
        if self.home.is_none() && self.home_network.is_none() {
            self.settle(seen);
            return Sight::Moved;
        }
        if self.is_home(seen) {
            self.home.get_or_insert(seen);
            (self.home_network, self.left) = (None, None);
            if let Some(away) = self.away.take() {
                self.remember(away.network);
            }
            return Sight::Home;
        }
        let is_known = self.others.iter().any(|network| network.contains(&seen.ip));
        let before = self.away;
        let since = before.map_or(now, |away| away.since);
        // An unknown network does not inherit the time that was spent in a known one.
        let unknown_since = before.and_then(|away| away.unknown_since).or((!is_known).then_some(now));
        let (since_then, hold) = match unknown_since.filter(|_| !is_known) {
            Some(unknown_since) => (unknown_since, hold),
            None => (since, KNOWN_UPLINK_HOLD.max(hold)),
        };
        if now.duration_since(since_then) >= hold {
            self.settle(seen);
            return Sight::Moved;
        }
        let left = before.and_then(|away| away.left);
        self.away = Some(Away { since, unknown_since, network: seen.network, left });
        Sight::Away
    }

    /// Notes the public address that the site had when it left home, and who ran the network there.
    pub fn note_left(&mut self, ip: IpAddr, carrier: Carrier) {
        if let Some(away) = &mut self.away {
            away.left = Some(ip);
            self.left = Some(carrier);
        }
    }

    /// Makes an address the home.
    pub fn settle(&mut self, seen: Seen) {
        let left = self.home.replace(seen).map(|home| home.network).or(self.home_network.take());
        let left = left.filter(|network| *network != seen.network);
        (self.away, self.left) = (None, None);
        self.others.retain(|network| !network.contains(&seen.ip));
        if let Some(left) = left {
            // Back where it was before: what it left now is its second uplink, and was home in a long outage.
            if self.former.replace(left).is_some_and(|former| former.contains(&seen.network)) {
                self.remember(left);
            }
        }
    }

    fn remember(&mut self, network: IpNet) {
        self.others.retain(|known| !known.contains(&network));
        self.others.push(network);
        if self.others.len() > UPLINKS_MAX {
            self.others.remove(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOLD: SignedDuration = SignedDuration::from_hours(1);

    fn seen(number: u8) -> Seen {
        let ip = IpAddr::from([203, 0, number, 7]);
        Seen { ip, network: IpNet::new(ip, 24).unwrap().trunc() }
    }

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + minutes * 60).unwrap()
    }

    #[test]
    fn the_first_address_is_home_at_once() {
        let mut uplinks = Uplinks::default();
        assert_eq!(uplinks.see(seen(1), at(0), HOLD), Sight::Moved);
        assert_eq!(uplinks.see(seen(1), at(1), HOLD), Sight::Home);
        let sibling = Seen { ip: "203.0.1.200".parse().unwrap(), ..seen(1) };
        assert_eq!(uplinks.see(sibling, at(2), HOLD), Sight::Home, "another address of the same network");
    }

    #[test]
    fn a_real_move_is_one_event() {
        let mut uplinks = Uplinks::default();
        uplinks.see(seen(1), at(0), HOLD);
        // A new line with a new address every quarter of an hour.
        let sights: Vec<_> = (1..=8_u8).map(|n| uplinks.see(seen(n + 1), at(i64::from(n) * 15), HOLD)).collect();
        assert_eq!(sights.iter().filter(|sight| **sight == Sight::Moved).count(), 1, "{sights:?}");
        assert_eq!(sights.iter().position(|sight| *sight == Sight::Moved), Some(4), "an hour after the first");
    }

    #[test]
    fn an_outage_moves_nothing_once_the_second_uplink_is_known() {
        let mut uplinks = Uplinks::default();
        uplinks.see(seen(1), at(0), HOLD);
        assert_eq!(uplinks.see(seen(2), at(10), HOLD), Sight::Away);
        assert_eq!(uplinks.see(seen(1), at(20), HOLD), Sight::Home);
        for hour in 1..7 * 24 {
            assert_eq!(uplinks.see(seen(2), at(20 + hour * 60), HOLD), Sight::Away, "hour {hour}");
        }
        assert_eq!(uplinks.see(seen(2), at(20 + 8 * 24 * 60), HOLD), Sight::Moved, "no outage lasts so long");
        assert!(uplinks.others.is_empty(), "what is home now is no further uplink");
    }

    #[test]
    fn outages_that_come_again_move_a_site_there_and_back_once() {
        let mut uplinks = Uplinks::default();
        uplinks.see(seen(1), at(0), HOLD);
        let mut moves = 0;
        for day in 0..20_i64 {
            // Two hours on the second uplink, the rest of the day on the first.
            for quarter in 0..96 {
                let number = if quarter < 8 { 2 } else { 1 };
                let sight = uplinks.see(seen(number), at(day * 24 * 60 + quarter * 15 + 1), HOLD);
                moves += usize::from(sight == Sight::Moved);
            }
        }
        assert_eq!(moves, 2);
        assert_eq!(uplinks.home, Some(seen(1)));
    }

    #[test]
    fn an_unknown_network_does_not_inherit_the_time_of_a_known_one() {
        let mut uplinks = Uplinks::default();
        uplinks.see(seen(1), at(0), HOLD);
        uplinks.see(seen(2), at(10), HOLD);
        uplinks.see(seen(1), at(20), HOLD);
        for minute in (30..210).step_by(10) {
            assert_eq!(uplinks.see(seen(2), at(minute), HOLD), Sight::Away, "known, and an outage of three hours");
        }
        assert_eq!(uplinks.see(seen(3), at(215), HOLD), Sight::Away, "one call from a third network");
        assert_eq!(uplinks.see(seen(3), at(275), HOLD), Sight::Moved, "an hour later");
    }

    proptest! {
        /// However two uplinks take turns: as long as the first is seen within every hour, the site stays.
        #[test]
        fn two_uplinks_never_flap(turns in proptest::collection::vec((any::<bool>(), 1..30_i64), 1..200)) {
            let mut uplinks = Uplinks::default();
            uplinks.see(seen(1), at(0), HOLD);
            let (mut now, mut home_at) = (0, 0);
            for (is_home, minutes) in turns {
                now += minutes;
                let is_home = is_home || now - home_at >= 55;
                let sight = uplinks.see(seen(if is_home { 1 } else { 2 }), at(now), HOLD);
                if is_home {
                    home_at = now;
                    prop_assert_eq!(sight, Sight::Home);
                } else if now - home_at < 60 {
                    prop_assert_eq!(sight, Sight::Away);
                }
            }
        }

        #[test]
        fn further_uplinks_are_bounded(numbers in proptest::collection::vec(0..20_u8, 1..100)) {
            let mut uplinks = Uplinks::default();
            for (minute, number) in (0..).zip(numbers) {
                uplinks.see(seen(number), at(minute), HOLD);
                prop_assert!(uplinks.others.len() <= UPLINKS_MAX);
                prop_assert!(!uplinks.others.iter().any(|other| uplinks.home.unwrap().network == *other));
            }
        }
    }
}
