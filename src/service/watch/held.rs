//! What a client of a watch holds that must not hear of other sites: it is told of the end of these, and of no other's.
//!
//! Nor is it told what others make of them: sites that begin or end a crowd bring those on their spot to be told again, unchanged.

use std::collections::HashMap;

use super::Mark;
use super::found::Item;
use crate::model::access::Principal;
use crate::model::id::{Revision, SiteId};
use crate::service::Error;

/// Most sites that such a client holds: some megabytes of ids. Nobody works at more; who watches more of them names a filter.
const HELD_MAX: usize = 100_000;

/// The sites that a client was told of and that were not removed since, each in the version that it was told.
#[derive(Debug)]
pub(super) struct Held {
    /// `None` for who may hear of all: nothing is kept of them.
    sites: Option<HashMap<SiteId, Revision>>,
    /// Whether it was told that it is current.
    is_current: bool,
}

impl Held {
    /// Nothing yet.
    pub(super) fn by(principal: &Principal) -> Self {
        Self { sites: principal.assigned.as_ref().map(|_| HashMap::new()), is_current: false }
    }

    /// Whether it is kept what the client holds.
    pub(super) fn is_kept(&self) -> bool {
        self.sites.is_some()
    }

    /// The client holds nothing any more.
    pub(super) fn forget(&mut self) {
        self.sites.iter_mut().for_each(HashMap::clear);
        self.is_current = false;
    }

    /// Whether the client is told of this, and holds what it is then: not of a version that it holds, nor of the removal of what it does
    /// not hold.
    pub(super) fn takes(&mut self, item: &Item) -> bool {
        let Some(held) = &mut self.sites else { return true };
        match item {
            Item::Changed(site, revision) => held.insert(site.id, *revision) != Some(*revision),
            Item::Removed(site) => held.remove(site).is_some(),
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
        let is_too_much = self.sites.as_ref().is_some_and(|held| held.len() > HELD_MAX);
        if is_too_much { Err(Error::TooMany("sites in one watch of assigned ones", HELD_MAX)) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::site::Site;

    fn kept() -> Held {
        Held { sites: Some(HashMap::new()), is_current: false }
    }

    fn all() -> Held {
        Held { sites: None, is_current: false }
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
    fn there_is_an_end_to_what_is_kept() {
        let of = |count: u128| (0..count).map(|id| (SiteId::from_u128(id), Revision(1))).collect();
        let full = |count| Held { sites: Some(of(count)), ..kept() };
        assert!(full(100_000).check().is_ok() && all().check().is_ok());
        assert!(matches!(full(100_001).check(), Err(Error::TooMany(_, HELD_MAX))));
    }
}
