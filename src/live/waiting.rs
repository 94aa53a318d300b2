//! The sites of an account whose addresses wait for a geocoder, or whose answers have terms that end.
//!
//! Follows the store's commits, and is made of the records at the start: what waits is in the records alone, so a crash
//! loses nothing. Costs some 150 bytes for each site that waits, and nothing for others.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use parking_lot::Mutex;

use crate::model::id::SiteId;
use crate::model::site_address::due_at;
use crate::model::sketch::SiteSketch;

/// What a site waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// When its address is to be asked for again, or an answer renewed; `None` for never.
    pub ask_at: Option<Timestamp>,
    /// When what a provider answered must be gone; `None` for never.
    pub drop_at: Option<Timestamp>,
    /// Whether an answer is still looked for by itself, which another geocoder might have.
    pub is_open: bool,
}

impl Waiting {
    /// What a site waits for; `None` for nothing. Of a deleted one nothing is asked, but what ends ends there, too.
    pub(super) fn of(site: &SiteSketch<'_>) -> Option<Self> {
        let written = site.address.as_ref().filter(|address| !address.formatted.is_empty());
        let of_address = written.and_then(|address| address.kept_until);
        let drop_at = of_address.into_iter().chain(site.stack.kept_until).min();
        let address = site.address.as_ref().filter(|_| site.deleted_at.is_none());
        let waiting = Self {
            ask_at: address.and_then(|address| {
                due_at(address.state, address.next_at, drop_at).into_iter().chain(address.renewal_at).min()
            }),
            drop_at,
            // What is not asked for again is left to a person, whatever geocoders there are.
            is_open: address.is_some_and(|address| address.state.is_open() && address.next_at.is_some()),
        };
        (waiting.ask_at.is_some() || waiting.drop_at.is_some() || waiting.is_open).then_some(waiting)
    }
}

/// All that wait, by site and by time.
#[derive(Debug, Default)]
struct Queues {
    by_site: HashMap<SiteId, Waiting>,
    asks: BTreeSet<(Timestamp, SiteId)>,
    drops: BTreeSet<(Timestamp, SiteId)>,
}

impl Queues {
    fn put(&mut self, site: SiteId, waiting: Option<Waiting>) {
        let old = match waiting {
            Some(waiting) => self.by_site.insert(site, waiting),
            None => self.by_site.remove(&site),
        };
        if let Some(old) = old {
            old.ask_at.map(|at| self.asks.remove(&(at, site)));
            old.drop_at.map(|at| self.drops.remove(&(at, site)));
        }
        if let Some(waiting) = waiting {
            self.asks.extend(waiting.ask_at.map(|at| (at, site)));
            self.drops.extend(waiting.drop_at.map(|at| (at, site)));
        }
    }

    /// The earliest times of both queues.
    fn firsts(&self) -> [Option<Timestamp>; 2] {
        [&self.asks, &self.drops].map(|queue| queue.first().map(|(at, _)| *at))
    }
}

/// The waiting sites of one account.
#[derive(Debug, Default)]
pub struct WaitingSites(Mutex<Queues>);

impl WaitingSites {
    /// Makes it follow a site. Says whether something is due earlier than anything was before: who sleeps has to know.
    pub(super) fn follow(&self, site: SiteId, waiting: Option<Waiting>) -> bool {
        let mut queues = self.0.lock();
        if waiting.is_none() && !queues.by_site.contains_key(&site) {
            return false;
        }
        let before = queues.firsts();
        queues.put(site, waiting);
        let is_earlier =
            |(new, old): (Option<Timestamp>, Option<Timestamp>)| new.is_some_and(|new| old.is_none_or(|old| new < old));
        queues.firsts().into_iter().zip(before).any(is_earlier)
    }

    /// Brings in many at once.
    pub(super) fn extend(&self, sites: impl IntoIterator<Item = (SiteId, Waiting)>) {
        let mut queues = self.0.lock();
        sites.into_iter().for_each(|(site, waiting)| queues.put(site, Some(waiting)));
    }

    /// What a site waits for; `None` for nothing.
    #[must_use]
    pub fn get(&self, site: SiteId) -> Option<Waiting> {
        self.0.lock().by_site.get(&site).copied()
    }

    /// All sites that wait for something, deleted ones too.
    pub(super) fn sites(&self) -> Vec<SiteId> {
        self.0.lock().by_site.keys().copied().collect()
    }

    /// The sites that are to be asked for at `now`, the most overdue first, at most `limit`.
    #[must_use]
    pub fn due(&self, now: Timestamp, limit: usize) -> Vec<SiteId> {
        up_to(&self.0.lock().asks, now, limit)
    }

    /// The sites that hold at `now` what must not be held any more, at most `limit`.
    #[must_use]
    pub fn expired(&self, now: Timestamp, limit: usize) -> Vec<SiteId> {
        up_to(&self.0.lock().drops, now, limit)
    }

    /// When the next one is to be asked for.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        self.0.lock().firsts()[0]
    }

    /// When the next one has to drop something.
    #[must_use]
    pub fn next_expiry(&self) -> Option<Timestamp> {
        self.0.lock().firsts()[1]
    }

    /// Puts a site off, whatever its record says: in memory alone, where the record could not be written.
    pub fn put_off(&self, site: SiteId, until: Timestamp) {
        let mut queues = self.0.lock();
        let Some(waiting) = queues.by_site.get(&site).copied() else { return };
        let later = |at: Timestamp| at.max(until);
        let put_off = Waiting { ask_at: waiting.ask_at.map(later), drop_at: waiting.drop_at.map(later), ..waiting };
        queues.put(site, Some(put_off));
    }

    /// Makes all due at `now` for which an answer is still looked for: another geocoder may have one.
    pub fn hurry(&self, now: Timestamp) {
        let mut queues = self.0.lock();
        let open: Vec<_> = queues.by_site.iter().filter(|(_, it)| it.is_open).map(|(site, it)| (*site, *it)).collect();
        for (site, waiting) in open {
            queues.put(site, Some(Waiting { ask_at: Some(now), ..waiting }));
        }
    }
}

fn up_to(queue: &BTreeSet<(Timestamp, SiteId)>, now: Timestamp, limit: usize) -> Vec<SiteId> {
    queue.iter().take_while(|(at, _)| *at <= now).take(limit).map(|(_, site)| *site).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn sites_come_when_they_are_due() {
        let (one, other) = (SiteId::from_u128(1), SiteId::from_u128(2));
        let sites = WaitingSites::default();
        let waiting = |ask, drop| Waiting { ask_at: Some(at(ask)), drop_at: Some(at(drop)), is_open: ask == 10 };
        sites.extend([(one, waiting(10, 30)), (other, waiting(5, 40))]);
        assert_eq!((sites.next_due(), sites.next_expiry()), (Some(at(5)), Some(at(30))));
        assert_eq!(sites.due(at(4), 9), []);
        assert_eq!(sites.due(at(10), 9), [other, one]);
        assert_eq!(sites.due(at(10), 1), [other]);
        assert_eq!(sites.expired(at(30), 9), [one]);
        sites.put_off(other, at(20));
        assert_eq!(sites.due(at(10), 9), [one]);
        sites.hurry(at(1));
        assert_eq!((sites.due(at(1), 9), sites.next_due()), (vec![one], Some(at(1))));
        assert!(!sites.follow(one, Some(waiting(50, 60))) && !sites.follow(other, None));
        assert!(sites.follow(other, Some(waiting(49, 61))) && sites.follow(other, Some(waiting(55, 59))));
        assert!(!sites.follow(other, None));
        assert_eq!((sites.get(other), sites.next_due(), sites.next_expiry()), (None, Some(at(50)), Some(at(60))));
        assert!(!sites.follow(one, None) && sites.get(one).is_none());
        assert_eq!((sites.next_due(), sites.next_expiry()), (None, None));
    }
}
