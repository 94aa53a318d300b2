//! What a client of a watch holds that must not hear of other sites: it is told of the end of these, and of no other's.
//!
//! Nor is it told what others make of them: sites that begin or end a crowd bring those on their spot to be told again, unchanged.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Mark;
use super::found::Item;
use crate::live::Change;
use crate::model::access::Principal;
use crate::model::assignment::Assignment;
use crate::model::id::{Revision, SiteId};
use crate::service::Error;

/// Most sites that such a client holds: some megabytes of ids. Nobody works at more; who watches more of them names a filter.
const HELD_MAX: usize = 100_000;
/// Most sites that all such clients of the server hold together: some 70 to 120 MB. The one that would hold more is refused.
const HELD_ALL_MAX: usize = 2_000_000;

/// How many sites all clients hold, of whom that is kept. A clone counts with it.
#[derive(Debug, Clone, Default)]
pub(super) struct Allowance(Arc<AtomicUsize>);

/// The sites that one client holds, each in the version that it was told. They are given back to the allowance when they are dropped.
#[derive(Debug)]
struct Sites {
    told: HashMap<SiteId, Revision>,
    allowance: Allowance,
    /// Whether one was more than all may hold.
    is_beyond: bool,
}

impl Sites {
    fn new(allowance: &Allowance) -> Self {
        Self { told: HashMap::new(), allowance: allowance.clone(), is_beyond: false }
    }

    /// The version in which it was held before.
    fn insert(&mut self, site: SiteId, revision: Revision) -> Option<Revision> {
        let before = self.told.insert(site, revision);
        if before.is_none() {
            self.is_beyond |= self.allowance.0.fetch_add(1, Ordering::Relaxed) >= HELD_ALL_MAX;
        }
        before
    }

    /// Whether it was held.
    fn remove(&mut self, site: SiteId) -> bool {
        let was_held = self.told.remove(&site).is_some();
        self.allowance.0.fetch_sub(usize::from(was_held), Ordering::Relaxed);
        was_held
    }

    fn clear(&mut self) {
        self.allowance.0.fetch_sub(self.told.len(), Ordering::Relaxed);
        self.told.clear();
    }
}

impl Drop for Sites {
    fn drop(&mut self) {
        self.clear();
    }
}

/// The sites that a client was told of and that were not removed since.
#[derive(Debug)]
pub(super) struct Held {
    /// Which are assigned to it, and which it holds; `None` for who may hear of all: nothing is kept of them.
    sites: Option<(Assignment, Sites)>,
    /// Whether it was told that it is current.
    is_current: bool,
}

impl Held {
    /// Nothing yet.
    pub(super) fn by(principal: &Principal, allowance: &Allowance) -> Self {
        let sites = principal.assigned.clone().map(|assigned| (assigned, Sites::new(allowance)));
        Self { sites, is_current: false }
    }

    /// Whether it is kept what the client holds.
    pub(super) fn is_kept(&self) -> bool {
        self.sites.is_some()
    }

    /// Whether the client is known to hold it.
    pub(super) fn has(&self, site: SiteId) -> bool {
        self.sites.as_ref().is_some_and(|(_, held)| held.told.contains_key(&site))
    }

    /// What tells the changes that the client may have to be told of; `None` for all.
    pub(super) fn minding(&self) -> Option<impl Fn(&Change) -> bool> {
        self.is_kept().then_some(move |change: &Change| self.minds(change))
    }

    /// Whether the client may have to be told of a change: it holds the site, or is assigned it.
    fn minds(&self, change: &Change) -> bool {
        let Some((assigned, _)) = &self.sites else { return true };
        let is_assigned = match change {
            Change::Put(left) => assigned.holds(&left.site),
            Change::Purged(_) => false,
        };
        is_assigned || self.has(change.site())
    }

    /// The client holds nothing any more.
    pub(super) fn forget(&mut self) {
        self.sites.iter_mut().for_each(|(_, held)| held.clear());
        self.is_current = false;
    }

    /// Whether the client is told of this, and holds what it is then: not of a version that it holds, nor of the removal of what it does
    /// not hold.
    pub(super) fn takes(&mut self, item: &Item) -> bool {
        let Some((_, held)) = &mut self.sites else { return true };
        match item {
            Item::Changed(site, revision) => held.insert(site.id, *revision) != Some(*revision),
            Item::Removed(site) => held.remove(*site),
        }
    }

    /// What the client is told beside a message. That it is current, once: it falls behind where a crowd begins or ends, too.
    pub(super) fn marked(&mut self, mark: Mark) -> Mark {
        let was_current = self.is_current;
        self.is_current |= mark == Mark::Current;
        if self.is_kept() && was_current && mark == Mark::Current { Mark::Ordinary } else { mark }
    }

    /// Refuses to keep more than is kept.
    pub(super) fn check(&self) -> Result<(), Error> {
        match &self.sites {
            Some((_, held)) if held.told.len() > HELD_MAX => {
                Err(Error::TooMany("sites in one watch of assigned ones", HELD_MAX))
            }
            Some((_, held)) if held.is_beyond => Err(Error::TooMany("sites in watches of assigned ones", HELD_ALL_MAX)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::Left;
    use crate::model::site::Site;

    fn kept_in(allowance: &Allowance) -> Held {
        let assigned = Assignment::parse("labels.team = north").unwrap();
        Held { sites: Some((assigned, Sites::new(allowance))), is_current: false }
    }

    fn kept() -> Held {
        kept_in(&Allowance::default())
    }

    fn all() -> Held {
        Held { sites: None, is_current: false }
    }

    fn of_team(team: &str) -> Arc<Site> {
        let mut site = Site::new("acme".parse().unwrap(), "Pump".into(), jiff::Timestamp::UNIX_EPOCH);
        site.labels.insert("team".into(), team.into());
        Arc::new(site)
    }

    /// Holds so many sites.
    fn hold(held: &mut Held, count: u128) {
        let (_, sites) = held.sites.as_mut().unwrap();
        for id in 0..count {
            sites.insert(SiteId::from_u128(id), Revision(1));
        }
    }

    #[test]
    fn who_was_not_told_of_a_site_does_not_hear_of_its_end() {
        let site = Arc::new(Site::new("acme".parse().unwrap(), "Pump".into(), jiff::Timestamp::UNIX_EPOCH));
        let changed = |revision| Item::Changed(Arc::clone(&site), Revision(revision));
        let (first, second, removed) = (changed(1), changed(2), Item::Removed(site.id));
        let mut held = kept();
        let told = [&removed, &first, &first, &second, &removed, &removed].map(|item| held.takes(item));
        assert_eq!(told, [false, true, false, true, true, false]);
        held.takes(&second);
        held.forget();
        assert!(!held.takes(&removed) && held.is_kept());
        assert!(all().takes(&removed) && !all().is_kept());
    }

    #[test]
    fn it_is_current_once() {
        let marks = [Mark::Current, Mark::Current, Mark::Progress, Mark::Resync];
        let (mut held, mut of_all) = (kept(), all());
        assert_eq!(marks.map(|mark| held.marked(mark)), [Mark::Current, Mark::Ordinary, Mark::Progress, Mark::Resync]);
        assert_eq!(marks.map(|mark| of_all.marked(mark)), marks);
        held.forget();
        assert_eq!(held.marked(Mark::Current), Mark::Current, "it began anew");
    }

    #[test]
    fn it_minds_what_is_assigned_and_what_it_holds() {
        let (own, other) = (of_team("North"), of_team("south"));
        let mut held = kept();
        let put = |site: &Arc<Site>| Change::Put(Arc::new(Left::of(Site::clone(site))));
        assert!(held.minds(&put(&own)) && !held.minds(&put(&other)));
        assert!(!held.minds(&Change::Purged(own.id)) && !held.minds(&Change::Purged(other.id)));
        for site in [&own, &other] {
            assert!(held.takes(&Item::Changed(Arc::clone(site), Revision(1))));
            assert!(held.has(site.id) && held.minds(&Change::Purged(site.id)));
        }
        assert!(held.minds(&put(&other)), "it has to hear of its end");
        assert!(all().minds(&put(&other)) && all().minds(&Change::Purged(other.id)));
    }

    #[test]
    fn there_is_an_end_to_what_is_kept() {
        let mut held = kept();
        hold(&mut held, 100_000);
        assert!(held.check().is_ok() && all().check().is_ok());
        hold(&mut held, 100_001);
        assert!(matches!(held.check(), Err(Error::TooMany(_, HELD_MAX))));
    }

    #[test]
    fn who_holds_more_than_all_may_is_refused_until_others_give_back() {
        let allowance = Allowance::default();
        let count = || allowance.0.load(Ordering::Relaxed);
        let (mut one, mut other) = (kept_in(&allowance), kept_in(&allowance));
        hold(&mut one, 5);
        hold(&mut one, 5);
        one.takes(&Item::Removed(SiteId::from_u128(0)));
        one.takes(&Item::Removed(SiteId::from_u128(9)));
        assert_eq!(count(), 4, "each once");
        allowance.0.fetch_add(HELD_ALL_MAX - 5, Ordering::Relaxed);
        hold(&mut other, 1);
        assert!(other.check().is_ok(), "the last one that there is room for");
        hold(&mut other, 2);
        assert!(matches!(other.check(), Err(Error::TooMany(_, HELD_ALL_MAX))));
        assert!(one.check().is_ok(), "who held before holds on");
        drop(other);
        one.forget();
        assert_eq!(count(), HELD_ALL_MAX - 5);
        hold(&mut one, 5);
        assert!(one.check().is_ok());
        drop(one);
        assert_eq!(count(), HELD_ALL_MAX - 5);
    }
}
