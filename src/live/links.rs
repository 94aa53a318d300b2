//! Which sites of an account are tied to which organisation of which ticketing system.
//!
//! Follows the store's commits, and is made of the records at the start. Costs some 150 bytes for each link, and nothing
//! for sites without one. Deleted sites are not in it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use parking_lot::RwLock;

use crate::model::id::SiteId;
use crate::model::sketch::SiteSketch;

/// The far end of a link: a system's name, and an organisation's id there; empty for any of the system's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct End {
    system: Box<str>,
    organization: Box<str>,
}

/// The far ends of a site's links, each once.
pub(super) fn ends_of(site: &SiteSketch<'_>) -> Vec<End> {
    if site.deleted_at.is_some() {
        return Vec::new();
    }
    let of = |system: &str, organization: &str| End { system: system.into(), organization: organization.into() };
    let links = site.ticketing_links.iter();
    let ends: BTreeSet<End> =
        links.flat_map(|link| [of(&link.system, &link.organization_id), of(&link.system, "")]).collect();
    ends.into_iter().collect()
}

/// The linked sites of one account.
#[derive(Debug, Default)]
pub struct LinkedSites(RwLock<Index>);

#[derive(Debug, Default)]
struct Index {
    by_site: BTreeMap<SiteId, Box<[Arc<End>]>>,
    by_end: BTreeMap<Arc<End>, BTreeSet<SiteId>>,
}

impl Index {
    fn put(&mut self, site: SiteId, ends: Vec<End>) {
        for end in self.by_site.remove(&site).into_iter().flatten() {
            if let Some(sites) = self.by_end.get_mut(&end) {
                sites.remove(&site);
                if sites.is_empty() {
                    self.by_end.remove(&end);
                }
            }
        }
        if ends.is_empty() {
            return;
        }
        let mut kept = Vec::with_capacity(ends.len());
        for end in ends {
            // Sites of one organisation share its text.
            let end = self.by_end.get_key_value(&end).map_or_else(|| Arc::new(end), |(known, _)| Arc::clone(known));
            self.by_end.entry(Arc::clone(&end)).or_default().insert(site);
            kept.push(end);
        }
        self.by_site.insert(site, kept.into());
    }
}

impl LinkedSites {
    /// Makes it follow a site.
    pub(super) fn follow(&self, site: SiteId, ends: Vec<End>) {
        // Most sites have no links: those cost a look.
        if ends.is_empty() && !self.0.read().by_site.contains_key(&site) {
            return;
        }
        self.0.write().put(site, ends);
    }

    /// Brings in many at once.
    pub(super) fn extend(&self, sites: impl IntoIterator<Item = (SiteId, Vec<End>)>) {
        let mut index = self.0.write();
        sites.into_iter().for_each(|(site, ends)| index.put(site, ends));
    }

    /// How many sites have links.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.read().by_site.len()
    }

    /// Whether none has.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The next `limit` sites with links behind one, in the order of their ids.
    #[must_use]
    pub fn behind(&self, after: Option<SiteId>, limit: usize) -> Vec<SiteId> {
        let index = self.0.read();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        index.by_site.range((from, Bound::Unbounded)).take(limit).map(|(site, _)| *site).collect()
    }

    /// The next `limit` sites that are tied to an organisation (any of the system's for an empty one) behind one, in the
    /// order of their ids, and how many there are in all.
    #[must_use]
    pub fn tied(&self, system: &str, organization: &str, after: Option<SiteId>, limit: usize) -> (Vec<SiteId>, usize) {
        let index = self.0.read();
        let end = End { system: system.into(), organization: organization.into() };
        let Some(sites) = index.by_end.get(&end) else { return (Vec::new(), 0) };
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        (sites.range((from, Bound::Unbounded)).take(limit).copied().collect(), sites.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SYSTEMS: [&str; 3] = ["zendesk", "syncro", "our own"];

    fn site(number: u8) -> SiteId {
        SiteId::from_u128(number.into())
    }

    proptest! {
        /// Against a plain map that is looked through.
        #[test]
        fn it_equals_what_a_look_at_all_links_finds(
            writes in prop::collection::vec((0..8_u8, prop::collection::btree_set((0..3_usize, 0..3_u8), 0..4)), 0..40),
            limit in 1..5_usize,
        ) {
            let (linked, mut plain) = (LinkedSites::default(), BTreeMap::new());
            for (number, links) in writes {
                let of = |system: usize, id: &str| End { system: SYSTEMS[system].into(), organization: id.into() };
                let ends: BTreeSet<End> =
                    links.iter().flat_map(|(system, id)| [of(*system, &id.to_string()), of(*system, "")]).collect();
                linked.follow(site(number), ends.into_iter().collect());
                if links.is_empty() { plain.remove(&number) } else { plain.insert(number, links) };
            }
            prop_assert_eq!(linked.len(), plain.len());
            let all: Vec<SiteId> = plain.keys().map(|number| site(*number)).collect();
            prop_assert_eq!(linked.behind(None, 100), all);
            for (system, name) in SYSTEMS.iter().enumerate() {
                for id in ["", "0", "1", "2"] {
                    let is_tied = |links: &BTreeSet<(usize, u8)>| {
                        links.iter().any(|(of, known)| *of == system && (id.is_empty() || known.to_string() == id))
                    };
                    let tied: Vec<SiteId> =
                        plain.iter().filter(|(_, links)| is_tied(links)).map(|(number, _)| site(*number)).collect();
                    let (mut found, mut after) = (Vec::new(), None);
                    loop {
                        let (page, total) = linked.tied(name, id, after, limit);
                        prop_assert_eq!(total, tied.len());
                        let Some(last) = page.last() else { break };
                        after = Some(*last);
                        found.extend(page);
                    }
                    prop_assert_eq!(found, tied);
                }
            }
        }
    }
}
