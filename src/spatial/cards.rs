//! The cards of a map's sites by number, some dozen in one text: without a pointer, a length and an allocation each.
//!
//! A card that keeps its length is overwritten where it stands, as when only a time in it changes. Another moves those
//! behind it on its page.

use std::fmt;

use crate::model::card::CardRef;

/// Cards of one page: a kilobyte of names, some kilobytes of all texts.
const PAGE: usize = 32;

/// Cards by number.
#[derive(Debug, Default)]
pub(super) struct Cards {
    pages: Vec<Page>,
}

/// A card where it stands.
#[derive(Clone, Copy)]
pub(super) struct CardAt<'map> {
    cards: &'map Cards,
    number: u32,
}

/// Cards one behind the other, as they are packed.
#[derive(Debug, Default)]
struct Page {
    text: String,
    /// Where each ends; the one behind begins there.
    ends: [u32; PAGE],
}

impl Cards {
    pub(super) fn reserve(&mut self, additional: usize) {
        self.pages.reserve_exact(additional.div_ceil(PAGE));
    }

    /// The card of a number; an empty one where none was set.
    pub(super) fn get(&self, number: u32) -> CardRef<'_> {
        let (page, at) = split(number);
        self.pages.get(page).map(|page| CardRef::of(page.get(at))).unwrap_or_default()
    }

    /// The card of a number, to be read later.
    pub(super) fn at(&self, number: u32) -> CardAt<'_> {
        CardAt { cards: self, number }
    }

    /// Puts a card in the place of the one before.
    pub(super) fn set(&mut self, number: u32, card: CardRef<'_>) {
        let (page, at) = split(number);
        if page >= self.pages.len() {
            // A page that others follow is mostly full: it keeps no more room than it fills.
            self.shrink();
            self.pages.resize_with(page + 1, Page::default);
        }
        self.pages[page].set(at, card.packed());
    }

    /// Gives back the room that the last page took ahead of need.
    pub(super) fn shrink(&mut self) {
        if let Some(last) = self.pages.last_mut() {
            last.make_room(last.text.len());
        }
    }
}

impl<'map> CardAt<'map> {
    /// The card.
    pub(super) fn get(self) -> CardRef<'map> {
        self.cards.get(self.number)
    }
}

impl fmt::Debug for CardAt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

impl PartialEq for CardAt<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl Page {
    fn get(&self, at: usize) -> &str {
        let begin = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.text[begin as usize..self.ends[at] as usize]
    }

    fn set(&mut self, at: usize, card: &str) {
        let begin = if at == 0 { 0 } else { self.ends[at - 1] as usize };
        let before = begin..self.ends[at] as usize;
        let (gone, come) = (before.len(), card.len());
        let length = self.text.len() - gone + come;
        if length > self.text.capacity() {
            // Behind a new card others will follow, which get as much room again; any other makes room for itself.
            let is_followed = gone == 0 && before.end == self.text.len() && at + 1 < PAGE;
            self.make_room(if is_followed { length.max(self.text.capacity() * 2) } else { length });
        }
        self.text.replace_range(before, card);
        if length < self.text.capacity() / 2 {
            self.make_room(length);
        }
        if gone != come {
            let moved =
                |end: u32| u32::try_from(end as usize + come - gone).expect("a page is a few megabytes at most");
            self.ends[at..].iter_mut().for_each(|end| *end = moved(*end));
        }
    }

    /// Makes the room of the text just this, which is no less than it has.
    fn make_room(&mut self, bytes: usize) {
        if self.text.capacity() != bytes {
            // Moved, because allocators keep a block that is only shrunk a little.
            let mut exact = String::with_capacity(bytes);
            exact.push_str(&self.text);
            self.text = exact;
        }
    }
}

fn split(number: u32) -> (usize, usize) {
    (number as usize / PAGE, number as usize % PAGE)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_number_has_the_card_that_was_set_last(steps in prop::collection::vec((0..100_u32, "\\PC{0,12}"), 0..300)) {
            let (mut cards, mut model) = (Cards::default(), BTreeMap::new());
            for (number, text) in steps {
                cards.set(number, CardRef::of(&text));
                model.insert(number, text);
                for number in 0..130 {
                    let expected = model.get(&number).map(String::as_str).unwrap_or_default();
                    prop_assert_eq!(cards.get(number).packed(), expected, "{}", number);
                }
            }
        }
    }

    #[test]
    fn pages_keep_no_more_room_than_they_fill() {
        let mut cards = Cards::default();
        (0..1_000).for_each(|number| cards.set(number, CardRef::of(&"x".repeat(number as usize % 70))));
        cards.shrink();
        let (filled, room) = cards
            .pages
            .iter()
            .fold((0, 0), |(filled, room), page| (filled + page.text.len(), room + page.text.capacity()));
        assert_eq!(room, filled);
        // The last card of a full page is followed by none, and what is gone needs no room.
        (0..960).for_each(|number| cards.set(number, CardRef::of(&"z".repeat(70))));
        assert!(cards.pages[..30].iter().all(|page| page.text.capacity() == 32 * 70));
        (64..96).for_each(|number| cards.set(number, CardRef::default()));
        assert_eq!(cards.pages[2].text.capacity(), 0);
        cards.set(100, CardRef::of(&"x".repeat(30)));
        // A card of the same length needs no other room.
        let before = cards.pages[3].text.as_ptr();
        cards.set(100, CardRef::of(&"y".repeat(100 % 70)));
        assert_eq!((cards.pages[3].text.as_ptr(), cards.get(100).packed()), (before, "y".repeat(30).as_str()));
    }
}
