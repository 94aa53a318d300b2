//! When sites were heard of: reports that change nothing else cost a look into a table here, and no write.
//!
//! The time is written with the site's record now and then, so that a restart loses little of it. Follows the store's
//! commits, so that whatever else changes a site is known here before its writer is told.

use std::collections::HashMap;
use std::net::IpAddr;

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
    /// The address of its last call; `None` while the site is away from home, so that each call is looked at.
    ip: Option<IpAddr>,
    claimed_ip: Option<IpAddr>,
}

impl Known {
    fn of(site: &Site, heard_at: Timestamp) -> Self {
        let ip = site.uplinks.last.filter(|_| site.uplinks.away.is_none());
        Self {
            heard_at,
            written_at: site.last_seen_at.unwrap_or(Timestamp::MIN),
            status: site.status,
            ip,
            claimed_ip: site.claimed_ip,
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

    /// Takes note of a report.
    pub(super) fn hear(&self, site: SiteId, report: &Presence) -> Heard {
        let mut part = self.part(site).lock();
        let Some(known) = part.get_mut(&site) else { return Heard::News };
        if report.at < known.heard_at {
            return Heard::Late;
        }
        // Whatever reports, maintenance ends by a person alone.
        let is_same_status = known.status == report.status || known.status == Status::Maintenance;
        let is_same_ip = report.ip.is_none_or(|ip| known.ip == Some(ip))
            && report.claimed_ip.is_none_or(|ip| known.claimed_ip == Some(ip));
        if !is_same_status || !is_same_ip || report.at.duration_since(known.written_at) >= WRITTEN_EVERY {
            return Heard::News;
        }
        known.heard_at = report.at;
        Heard::Noted
    }

    /// Takes note of a report of a site whose record it did not change. What a commit said meanwhile stands.
    pub(super) fn learn(&self, site: &Site, at: Timestamp) {
        let mut part = self.part(site.id).lock();
        let known = part.entry(site.id).or_insert_with(|| Known::of(site, at));
        known.heard_at = known.heard_at.max(at);
    }

    /// Forgets a site that is no more.
    pub(super) fn forget(&self, site: SiteId) {
        self.part(site).lock().remove(&site);
    }

    /// When a site was heard of.
    pub(super) fn heard_at(&self, site: SiteId) -> Option<Timestamp> {
        self.part(site).lock().get(&site).map(|known| known.heard_at)
    }

    /// Follows a site's record. Sites that never reported, and those that are deleted, have no entry.
    pub(super) fn follow(&self, site: &Site) {
        let mut part = self.part(site.id).lock();
        let Some(seen_at) = site.last_seen_at.filter(|_| site.deleted_at.is_none()) else {
            part.remove(&site.id);
            return;
        };
        let heard_at = part.get(&site.id).map_or(seen_at, |known| known.heard_at.max(seen_at));
        part.insert(site.id, Known::of(site, heard_at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
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
        assert_eq!(presences.hear(site.id, &first), Heard::News, "never heard of");
        presences.follow(&site);
        assert_eq!(presences.hear(site.id, &same), Heard::Noted);
        assert_eq!(presences.heard_at(site.id), Some(at(20)));
        assert_eq!(presences.hear(site.id, &first), Heard::Late);
        assert_eq!(presences.hear(site.id, &later), Heard::News, "the time has to be written");
        assert_eq!(presences.hear(site.id, &Presence { ip: Some([198, 51, 100, 1].into()), ..same }), Heard::News);
        assert_eq!(presences.hear(site.id, &Presence { claimed_ip: Some([10, 0, 0, 1].into()), ..same }), Heard::News);
        assert_eq!(presences.hear(site.id, &Presence { status: Status::Offline, ..same }), Heard::News);
        assert_eq!(presences.hear(site.id, &Presence { ip: None, ..same }), Heard::Noted, "no address tells nothing");
        site.status = Status::Maintenance;
        presences.follow(&site);
        assert_eq!(presences.heard_at(site.id), Some(at(20)), "a record with an older time takes nothing back");
        assert_eq!(presences.hear(site.id, &same), Heard::Noted, "maintenance stays");
        site.deleted_at = Some(at(30));
        presences.follow(&site);
        assert_eq!(presences.hear(site.id, &same), Heard::News, "a deleted site is looked up");
    }
}
