//! Where each entry stands in a tree: by number, its pile and its place in the pile.
//!
//! Kept in pages, so that a tree of a few of many entries stays small.

use super::pile::NO_PILE;

/// Entries of one page: 512 bytes, so that the last page of a small map is no waste.
const PAGE: usize = 64;

/// A pile, and where in it an entry stands, so that it can leave a great pile at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) pile: u32,
    pub(super) rank: u32,
}

const NOWHERE: Standing = Standing { pile: NO_PILE, rank: 0 };

/// The standings of a tree's entries.
#[derive(Debug, Default)]
pub(super) struct Places {
    pages: Vec<Option<Box<[Standing; PAGE]>>>,
}

impl Places {
    pub(super) fn reserve(&mut self, entries: usize) {
        self.pages.reserve_exact(entries.div_ceil(PAGE).saturating_sub(self.pages.len()));
    }

    /// Where the entry stands; `None` where it is not in the tree.
    pub(super) fn get(&self, number: u32) -> Option<Standing> {
        let (page, at) = split(number);
        let standing = self.pages.get(page)?.as_ref()?[at];
        (standing.pile != NO_PILE).then_some(standing)
    }

    pub(super) fn set(&mut self, number: u32, standing: Standing) {
        let (page, at) = split(number);
        if page >= self.pages.len() {
            self.pages.resize_with(page + 1, || None);
        }
        self.pages[page].get_or_insert_with(|| Box::new([NOWHERE; PAGE]))[at] = standing;
    }

    /// Forgets the entry, which is in the tree.
    pub(super) fn clear(&mut self, number: u32) {
        self.set(number, NOWHERE);
    }
}

fn split(number: u32) -> (usize, usize) {
    (number as usize / PAGE, number as usize % PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn far_numbers_cost_their_page_alone() {
        let mut places = Places::default();
        let standing = Standing { pile: 7, rank: 3 };
        places.set(1_000_000, standing);
        assert_eq!((places.get(1_000_000), places.get(999_999), places.get(5)), (Some(standing), None, None));
        assert_eq!(places.pages.iter().flatten().count(), 1);
        places.clear(1_000_000);
        assert_eq!(places.get(1_000_000), None);
    }
}
