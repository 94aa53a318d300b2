//! The sites of a map, placed or not, under their numbers: what sums and the tree need of each, and apart from it its card.

use std::ops::Index;

use crate::model::card::CardRef;
use crate::model::id::SiteId;

use super::arena::Arena;
use super::cards::Cards;
use super::entry::{Entry, EntryRef, Stored, Subject};

/// All sites of a map.
#[derive(Debug, Default)]
pub(super) struct Entries {
    stored: Arena<Stored>,
    cards: Cards,
}

impl Entries {
    pub(super) fn reserve(&mut self, additional: usize) {
        self.stored.reserve(additional);
        self.cards.reserve(additional);
    }

    /// Puts a site in that is not in yet.
    pub(super) fn insert(&mut self, entry: &Entry) -> u32 {
        let number = self.stored.insert(Stored::new(entry));
        self.cards.set(number, entry.card.as_ref());
        number
    }

    /// Makes the site of a number what it is now.
    pub(super) fn replace(&mut self, number: u32, stored: Stored, card: CardRef<'_>) {
        self.stored[number] = stored;
        self.cards.set(number, card);
    }

    /// Forgets the site of a number.
    pub(super) fn take(&mut self, number: u32) {
        self.stored.take(number);
        self.cards.set(number, CardRef::default());
    }

    /// Says whether the spot of a site is crowded.
    pub(super) fn set_crowded(&mut self, number: u32, is_crowded: bool) {
        self.stored[number].set_crowded(is_crowded);
    }

    /// Gives back the room that was taken ahead of need.
    pub(super) fn shrink(&mut self) {
        self.cards.shrink();
    }

    /// One more than the greatest number that was ever given out.
    pub(super) fn end(&self) -> u32 {
        self.stored.end()
    }

    /// How many sites are in.
    pub(super) fn len(&self) -> usize {
        self.stored.len()
    }

    /// The ids of all sites.
    pub(super) fn ids(&self) -> Vec<SiteId> {
        (0..self.end())
            .filter(|number| self.subject(*number).is_some())
            .map(|number| self.stored[number].site)
            .collect()
    }

    /// The site of a number, which is placed.
    pub(super) fn get(&self, number: u32) -> EntryRef<'_> {
        self.stored[number].with(self.cards.at(number))
    }

    /// What a filter is asked about; `None` where no site has the number.
    pub(super) fn subject(&self, number: u32) -> Option<Subject<'_>> {
        self.stored[number].subject(self.cards.get(number))
    }
}

impl Index<u32> for Entries {
    type Output = Stored;

    fn index(&self, number: u32) -> &Stored {
        &self.stored[number]
    }
}
