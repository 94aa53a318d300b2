//! Crowds: so many sites that persons put on one spot that somebody should look at them.
//!
//! A spot is a point of the map, of about a centimetre, and a fineness: what the tree piles up. Machines pile up thousands
//! of sites on a city's centre, and that is no crowd. Costs a look at the pile for each change of a confirmed site; a
//! crowd that begins or ends costs one at each of its sites.

use crate::model::attention::{AttentionReason, CROWD_SITES_MIN};
use crate::model::id::SiteId;

use super::AccountMap;
use super::class::Classes;
use super::pile::Pile;

impl AccountMap {
    /// The sites of which one that comes to the spot of this one, or leaves it, decides whether they are crowded: those of a
    /// crowd that is no larger than it must be, itself included. None where nobody decides that.
    ///
    /// Costs a look at the site's pile where it is such a crowd, else little.
    #[must_use]
    pub fn crowd_on_the_brink(&self, site: SiteId) -> Vec<SiteId> {
        match self.number(site).and_then(|number| self.company(number)) {
            Some((pile, CROWD_SITES_MIN)) => {
                let told =
                    self.confirmed_on(pile).map(|member| &self.entries[member]).filter(|entry| entry.may_crowd());
                told.map(|entry| entry.site).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The others on the spot of a site that are a crowd with it and would be none without it.
    pub(super) fn company_that_ends(&self, number: u32) -> Vec<u32> {
        match self.company(number) {
            Some((pile, CROWD_SITES_MIN)) => self.confirmed_on(pile).filter(|other| *other != number).collect(),
            _ => Vec::new(),
        }
    }

    /// Says of a site that came, changed or moved whether its spot is crowded; of those that it made a crowd of, too; and of
    /// the company that it perhaps left.
    pub(super) fn settle_crowd(&mut self, number: u32, company: &[u32]) {
        company.iter().for_each(|other| self.settle_one(*other));
        let joined: Vec<u32> = match self.company(number) {
            Some((pile, CROWD_SITES_MIN)) => self.confirmed_on(pile).collect(),
            _ => vec![number],
        };
        joined.into_iter().for_each(|member| self.settle_one(member));
    }

    /// Says of one site whether its spot is crowded.
    pub(super) fn settle_one(&mut self, number: u32) {
        let is_crowd = self.company(number).is_some_and(|(_, count)| count >= CROWD_SITES_MIN);
        let is_crowded = is_crowd && self.entries[number].may_crowd();
        if self.entries[number].attention().has(AttentionReason::Crowded) == is_crowded {
            return;
        }
        let old = self.snapshot(number);
        self.entries.set_crowded(number, is_crowded);
        let new = self.snapshot(number);
        self.follow(number, Some(old), Some(new));
    }

    /// How many sites that persons located are on the spot of this one; `None` where it is none of them.
    pub(super) fn company_of(&self, number: u32) -> Option<u32> {
        self.company(number).map(|(_, count)| count)
    }

    fn company(&self, number: u32) -> Option<(&Pile, u32)> {
        if !self.entries[number].is_confirmed() {
            return None;
        }
        let piles = &self.whole.tree.piles;
        let pile = piles.of(number)?;
        Some((pile, piles.count(&self.entries, pile, Classes::confirmed())))
    }

    fn confirmed_on<'map>(&'map self, pile: &'map Pile) -> impl Iterator<Item = u32> + use<'map> {
        let numbers = self.whole.tree.piles.numbers(pile).iter().copied();
        numbers.filter(|number| self.entries[*number].is_confirmed())
    }
}
