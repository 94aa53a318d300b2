//! When sites were heard of: reports that change nothing else cost a look into a table here, and no write.
//!
//! The time is written with the site's record now and then, so that a restart loses little of it. Follows the store's
//! commits, so that whatever else changes a site is known here before its writer is told.

use std::collections::HashMap;
use std::net::IpAddr;

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;

use crate::model::id::SiteId;
use crate::model::site::{Site, Status};

/// After so long a report writes the time down, even if nothing else changed: what a restart may lose of it.
pub const WRITTEN_EVERY: SignedDuration = SignedDuration::from_mins(15);
/// Parts of the table, each with a lock of its own: agents report from all sides at once.
const PARTS: usize = 16;

/// What a report says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Presence {
    /// When.
    pub at: Timestamp,
    /// The state of the site.
    pub status: Status,
    /// The address that it comes from; `None` where that is not known or not told.
    pub ip: Option<IpAddr>,
    /// The address by which it knows itself; `None` where it does not say.
    pub claimed_ip: Option<IpAddr>,
}

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// It is noted: only the time is new.
    Noted,
    /// A later one is known: it tells nothing.
    Late,
    /// It may change the site's record, which has to be read for that.
    News,
}

/// What is known of a site that reports.
#[derive(Debug)]
struct Known {
    /// When it was heard of.
    heard_at: Timestamp,
    /// The time that its record has.
    written_at: Timestamp,
    status: Status,
    /// The address of the last call that its record has.
    last: Option<IpAddr>,
    /// Whether it is away from home, so that each call is looked at.
    is_away: bool,
    claimed_ip: Option<IpAddr>,
    /// Where else it calls from in turn; `None` for the many sites that always come from one address.
    turns: Option<Box<Turns>>,
}

/// A site whose calls come from several addresses in turn. The first call of a turn is written, and for a while those that
/// follow are noted here alone: a site behind two lines would be written at each report.
///
/// Nothing is put off but the time of the next look at where the site is: calls that may be the beginning of a move come
/// from a network that is not among these, or while the site is away, and are looked at.
#[derive(Debug)]
struct Turns {
    /// When a turn was written last.
    at: Timestamp,
    /// The address before that turn.
    former: Option<IpAddr>,
    /// The site's home network, and those that it is known to fall back to.
    networks: Vec<IpNet>,
    /// The address of the last report, where it is not the record's, and when that came.
    noted: Option<(IpAddr, Timestamp)>,
}

impl Known {
    fn of(site: &Site, heard_at: Timestamp) -> Self {
        Self {
            heard_at,
            written_at: site.last_seen_at.unwrap_or(Timestamp::MIN),
            status: site.status,
            last: site.uplinks.last,
            is_away: site.uplinks.away.is_some(),
            claimed_ip: site.claimed_ip,
            turns: None,
        }
    }

    /// The same after its record changed: a new turn, or the one that goes on.
    fn following(self, site: &Site, heard_at: Timestamp) -> Self {
        let turns = if self.last == site.uplinks.last {
            let mut turns = self.turns;
            if let Some(turns) = &mut turns {
                // A call from the record's own address may be written for another reason: it is the last one then.
                turns.noted = turns.noted.filter(|(_, noted_at)| site.last_seen_at < Some(*noted_at));
            }
            turns
        } else {
            let home = site.uplinks.home.map(|home| home.network);
            let networks = site.uplinks.others.iter().copied().chain(home).collect();
            let at = site.last_seen_at.unwrap_or(heard_at);
            Some(Box::new(Turns { at, former: self.last, networks, noted: None }))
        };
        // An address that is forgotten (erased) is known from no turn either.
        let turns = turns.filter(|_| site.uplinks.last.is_some());
        Self { turns, ..Self::of(site, heard_at) }
    }

    /// Whether an address is one that the site calls from in turn, and the last turn was written less than `time` ago.
    fn is_turn(&self, ip: IpAddr, at: Timestamp, time: SignedDuration) -> bool {
        self.turns.as_ref().is_some_and(|turns| {
            let is_known = turns.former == Some(ip) || turns.networks.iter().any(|network| network.contains(&ip));
            is_known && at.duration_since(turns.at) < time
        })
    }

    fn note(&mut self, at: Timestamp, ip: Option<IpAddr>) {
        self.heard_at = at;
        if let (Some(turns), Some(ip)) = (&mut self.turns, ip) {
            turns.noted = (self.last != Some(ip)).then_some((ip, at));
        }
    }
}

/// A table of all sites of an account that reported since the start.
#[derive(Debug, Default)]
pub(super) struct Presences {
    parts: [Mutex<HashMap<SiteId, Known>>; PARTS],
}

impl Presences {
    fn part(&self, site: SiteId) -> &Mutex<HashMap<SiteId, Known>> {
        // The low bits of a UUID are random.
        let bits = usize::try_from(site.as_u128() % PARTS as u128).expect("below the number of parts");
        &self.parts[bits]
    }

    /// Takes note of a report. Calls that take turns between addresses are noted for `turn_max` after one was written.
    pub(super) fn hear(&self, site: SiteId, report: &Presence, turn_max: SignedDuration) -> Heard {
        let mut part = self.part(site).lock();
        let Some(known) = part.get_mut(&site) else { return Heard::News };
        if report.at < known.heard_at {
            return Heard::Late;
        }
        // Whatever reports, maintenance ends by a person alone.
        let is_same_status = known.status == report.status || known.status == Status::Maintenance;
        let is_same_ip = report
            .ip
            .is_none_or(|ip| !known.is_away && (known.last == Some(ip) || known.is_turn(ip, report.at, turn_max)))
            && report.claimed_ip.is_none_or(|ip| known.claimed_ip == Some(ip));
        if !is_same_status || !is_same_ip || report.at.duration_since(known.written_at) >= WRITTEN_EVERY {
            return Heard::News;
        }
        known.note(report.at, report.ip);
        Heard::Noted
    }

    /// Takes note of a report of a site whose record it did not change. What a commit said meanwhile stands.
    pub(super) fn learn(&self, site: &Site, at: Timestamp, ip: Option<IpAddr>) {
        let mut part = self.part(site.id).lock();
        let known = part.entry(site.id).or_insert_with(|| Known::of(site, at));
        if at >= known.heard_at {
            known.note(at, ip);
        }
    }

    /// Forgets a site that is no more.
    pub(super) fn forget(&self, site: SiteId) {
        self.part(site).lock().remove(&site);
    }

    /// When a site was heard of.
    pub(super) fn heard_at(&self, site: SiteId) -> Option<Timestamp> {
        self.part(site).lock().get(&site).map(|known| known.heard_at)
    }

    /// The address of a site's last report, where its record has another one.
    pub(super) fn noted_ip(&self, site: SiteId) -> Option<IpAddr> {
        self.part(site).lock().get(&site)?.turns.as_ref()?.noted.map(|(ip, _)| ip)
    }

    /// The sites that were heard of later than their records say.
    pub(super) fn unwritten(&self) -> Vec<SiteId> {
        let of_part = |part: &Mutex<HashMap<SiteId, Known>>| -> Vec<SiteId> {
            let part = part.lock();
            let unwritten = part.iter().filter(|(_, known)| known.heard_at > known.written_at);
            unwritten.map(|(site, _)| *site).collect()
        };
        self.parts.iter().flat_map(of_part).collect()
    }

    /// Follows a site's record. Sites that never reported, and those that are deleted, have no entry.
    pub(super) fn follow(&self, site: &Site) {
        let mut part = self.part(site.id).lock();
        let Some(seen_at) = site.last_seen_at.filter(|_| site.deleted_at.is_none()) else {
            part.remove(&site.id);
            return;
        };
        let known = match part.remove(&site.id) {
            Some(known) => {
                let heard_at = known.heard_at.max(seen_at);
                known.following(site, heard_at)
            }
            None => Known::of(site, seen_at),
        };
        part.insert(site.id, known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::uplink::{Seen, Sight, Uplinks};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    fn hear(presences: &Presences, site: &Site, report: &Presence) -> Heard {
        presences.hear(site.id, report, WRITTEN_EVERY)
    }

    fn site(seen: i64) -> Site {
        let mut site = Site::new("acme".parse().unwrap(), "one".to_owned(), at(0));
        site.status = Status::Online;
        site.last_seen_at = Some(at(seen));
        site.uplinks.last = Some([203, 0, 113, 7].into());
        site
    }

    #[test]
    fn only_what_is_new_is_news() {
        let (presences, mut site) = (Presences::default(), site(0));
        let report =
            |second: i64| Presence { at: at(second), status: Status::Online, ip: site.uplinks.last, claimed_ip: None };
        let (first, same, later) = (report(10), report(20), report(900));
        assert_eq!(hear(&presences, &site, &first), Heard::News, "never heard of");
        presences.follow(&site);
        assert_eq!(hear(&presences, &site, &same), Heard::Noted);
        assert_eq!(presences.heard_at(site.id), Some(at(20)));
        assert_eq!(hear(&presences, &site, &first), Heard::Late);
        assert_eq!(hear(&presences, &site, &later), Heard::News, "the time has to be written");
        assert_eq!(hear(&presences, &site, &Presence { ip: Some([198, 51, 100, 1].into()), ..same }), Heard::News);
        assert_eq!(hear(&presences, &site, &Presence { claimed_ip: Some([10, 0, 0, 1].into()), ..same }), Heard::News);
        assert_eq!(hear(&presences, &site, &Presence { status: Status::Offline, ..same }), Heard::News);
        assert_eq!(hear(&presences, &site, &Presence { ip: None, ..same }), Heard::Noted, "no address tells nothing");
        site.status = Status::Maintenance;
        presences.follow(&site);
        assert_eq!(presences.heard_at(site.id), Some(at(20)), "a record with an older time takes nothing back");
        assert_eq!(hear(&presences, &site, &same), Heard::Noted, "maintenance stays");
        site.deleted_at = Some(at(30));
        presences.follow(&site);
        assert_eq!(hear(&presences, &site, &same), Heard::News, "a deleted site is looked up");
    }

    /// The record's address, a report from another one that was noted, then a call from the record's address that was
    /// written for another reason: the noted address was shown as the last one.
    #[test]
    fn a_written_call_is_later_than_a_noted_one() {
        let (presences, site) = (Presences::default(), site(0));
        let (first, second) = (IpAddr::from([203, 0, 113, 7]), IpAddr::from([203, 0, 114, 7]));
        let noted = |second_at: i64, ip| {
            let report = Presence { at: at(second_at), status: site.status, ip: Some(ip), claimed_ip: None };
            assert_eq!(presences.hear(site.id, &report, WRITTEN_EVERY), Heard::Noted);
        };
        presences.follow(&site);
        let mut turned = site.clone();
        (turned.uplinks.last, turned.last_seen_at) = (Some(second), Some(at(10)));
        presences.follow(&turned);
        noted(20, first);
        assert_eq!(presences.noted_ip(site.id), Some(first));
        turned.display_name = "renamed".to_owned();
        presences.follow(&turned);
        assert_eq!(presences.noted_ip(site.id), Some(first), "a person's edit is no call");
        turned.last_seen_at = Some(at(30));
        presences.follow(&turned);
        assert_eq!(presences.noted_ip(site.id), None, "the record has the last call");
        noted(40, first);
        presences.learn(&turned, at(35), Some(second));
        assert_eq!(presences.noted_ip(site.id), Some(first), "what is late tells nothing");
        presences.learn(&turned, at(50), Some(second));
        assert_eq!((presences.noted_ip(site.id), presences.heard_at(site.id)), (None, Some(at(50))));
        presences.learn(&turned, at(60), None);
        assert_eq!((presences.noted_ip(site.id), presences.heard_at(site.id)), (None, Some(at(60))));
    }

    /// Each call of a site behind two lines was written, a durable write at every report.
    #[test]
    fn calls_that_take_turns_are_written_now_and_then() {
        let (presences, mut site) = (Presences::default(), site(0));
        let seen = |number: u8| Seen {
            ip: [203, 0, number, 7].into(),
            network: IpNet::new([203, 0, number, 0].into(), 24).unwrap(),
        };
        let hold = SignedDuration::from_hours(1);
        site.uplinks = Uplinks::default();
        site.uplinks.see(seen(1), at(0), hold);
        presences.follow(&site);
        let (mut writes, mut sights) = (0, Vec::new());
        for minute in 1..=24 * 60 {
            let from = seen(if minute % 2 == 0 { 1 } else { 2 });
            let report = Presence { at: at(minute * 60), status: Status::Online, ip: Some(from.ip), claimed_ip: None };
            if hear(&presences, &site, &report) == Heard::News {
                writes += 1;
                sights.push(site.uplinks.see(from, report.at, hold));
                site.last_seen_at = Some(report.at);
                presences.follow(&site);
            }
            let noted = presences.noted_ip(site.id).or(site.uplinks.last);
            assert_eq!((noted, presences.heard_at(site.id)), (Some(from.ip), Some(report.at)), "minute {minute}");
        }
        assert!(writes <= 24 * 4 * 3, "{writes} writes in a day");
        assert!(!sights.contains(&Sight::Moved), "turns are no move");
        // The second line alone, for good: one move, and not a quarter of an hour later than without the notes.
        let begins = 24 * 60;
        let mut moves = Vec::new();
        for minute in begins + 1..begins + 9 * 24 * 60 {
            let report =
                Presence { at: at(minute * 60), status: Status::Online, ip: Some(seen(2).ip), claimed_ip: None };
            if hear(&presences, &site, &report) == Heard::News {
                if site.uplinks.see(seen(2), report.at, hold) == Sight::Moved {
                    moves.push(minute - begins);
                }
                site.last_seen_at = Some(report.at);
                presences.follow(&site);
            }
        }
        let [moved] = moves[..] else { panic!("{moves:?}") };
        assert!((7 * 24 * 60..=7 * 24 * 60 + 16).contains(&moved), "after {moved} minutes");
        // A network that is not known is looked at at once.
        let report =
            Presence { at: at(20 * 24 * 3_600), status: Status::Online, ip: Some(seen(3).ip), claimed_ip: None };
        assert_eq!(hear(&presences, &site, &report), Heard::News);
    }

    #[test]
    fn what_is_not_written_is_known() {
        let (presences, site) = (Presences::default(), site(0));
        presences.follow(&site);
        assert!(presences.unwritten().is_empty());
        let report = Presence { at: at(20), status: Status::Online, ip: None, claimed_ip: None };
        assert_eq!(hear(&presences, &site, &report), Heard::Noted);
        assert_eq!(presences.unwritten(), [site.id]);
    }
}
