//! The widest gap between the longitudes in view, round the world: where the box around all sites is cut open. Read-only.
//!
//! Looked for among columns of the map, as fine as it takes for some to be empty; then exactly in the columns beside the
//! longest empty stretches, which are all that may bound the widest gap.

use crate::model::geo::LatLng;

use super::fit::Looks;
use super::frame::Rect;
use super::mercator::shifted;
use super::node::{Kind, Slot};
use super::refusal::Refusal;
use super::view::View;

/// Level of the columns that are looked at first: 0.35 degrees each, and few places have sites in every second one.
const LEVEL_FIRST: u8 = 10;
/// Levels by which the next columns are finer, where the longest stretch is too short to tell.
const LEVEL_STEP: u8 = 4;
/// Level of the finest columns: sites in a third of them would be more than a fit looks at, so there is a stretch before.
const LEVEL_LAST: u8 = 26;
/// Empty columns beside one another that tell the widest gap from all that lie within columns or between neighbours.
const STRETCH_MIN: u32 = 2;

/// The western and the eastern edge of the narrowest box around all sites in view, of which there is one at least.
pub(super) fn meridians(view: View<'_>, looks: &mut Looks) -> Result<(LatLng, LatLng), Refusal> {
    let (level, gaps) = gaps(view, looks)?;
    let mut needed: Vec<u32> = gaps.iter().flat_map(|(before, after)| [*before, *after]).collect();
    needed.sort_unstable();
    needed.dedup();
    looks.take(needed.len())?;
    let mut ends = Ends { view, level, found: vec![None; needed.len()], needed };
    ends.gather(view.tree.root, &Rect::WORLD, looks)?;
    let width = |(west, east): &(LatLng, LatLng)| (east.lng() - west.lng()).rem_euclid(360.0);
    let boxes = gaps.iter().map(|(before, after)| (ends.of(*after).west.1, ends.of(*before).east.1));
    let narrowest = boxes.min_by(|one, other| width(one).total_cmp(&width(other)));
    Ok(narrowest.expect("columns in which sites are have gaps between them"))
}

/// The gaps that may be the widest, each by the columns of a level before and after it.
fn gaps(view: View<'_>, looks: &mut Looks) -> Result<(u8, Vec<(u32, u32)>), Refusal> {
    let mut level = LEVEL_FIRST;
    while level <= LEVEL_LAST {
        let mut columns = Columns::new(level);
        columns.mark(view, view.tree.root, 0, &Rect::WORLD, looks)?;
        let mut longest = 0_u32;
        columns.each_stretch(|_, length| longest = longest.max(length));
        if longest >= STRETCH_MIN {
            let mut gaps = Vec::new();
            columns.each_stretch(|first, length| {
                // Within the columns at both ends of a stretch there may be up to one column more of emptiness each.
                if length + 2 >= longest {
                    gaps.push((columns.wrapped(first.wrapping_sub(1)), columns.wrapped(first + length)));
                }
            });
            return Ok((level, gaps));
        }
        level += LEVEL_STEP;
    }
    Err(Refusal::TooManyToFit)
}

/// Which columns of a level have sites in view, a bit each.
struct Columns {
    level: u8,
    taken: Vec<u64>,
}

impl Columns {
    fn new(level: u8) -> Self {
        Self { level, taken: vec![0; 1 << (level - 6)] }
    }

    fn count(&self) -> u32 {
        1 << self.level
    }

    /// The column of a number, round the world.
    fn wrapped(&self, column: u32) -> u32 {
        column & (self.count() - 1)
    }

    fn take(&mut self, column: u32) {
        self.taken[(column / 64) as usize] |= 1 << (column % 64);
    }

    fn is_taken(&self, column: u32) -> bool {
        self.taken[(column / 64) as usize] >> (column % 64) & 1 == 1
    }

    /// Whether all columns of a cell are taken; there are a power of two of them, and they begin at a multiple of it.
    fn are_taken(&self, first: u32, last: u32) -> bool {
        if last - first < 64 {
            return (first..=last).all(|column| self.is_taken(column));
        }
        self.taken[(first / 64) as usize..=(last / 64) as usize].iter().all(|word| *word == u64::MAX)
    }

    /// Takes the columns in which sites are in view.
    fn mark(&mut self, view: View<'_>, slot: Slot, level: u8, cell: &Rect, looks: &mut Looks) -> Result<(), Refusal> {
        if self.are_taken(shifted(cell.west, self.level), shifted(cell.east, self.level)) {
            return Ok(());
        }
        looks.take(1)?;
        match slot.kind() {
            Kind::Empty => {}
            Kind::Chain(head) => {
                for pile in view.piles(head) {
                    looks.take(1)?;
                    if view.has_any(pile) {
                        self.take(shifted(pile.point.x, self.level));
                    }
                }
            }
            Kind::Node(at) => match view.count_all(at) {
                Some(0) => {}
                Some(_) if level >= self.level => self.take(shifted(cell.west, self.level)),
                _ => {
                    for (child, slot) in view.node(at).children.into_iter().enumerate() {
                        self.mark(view, slot, level + 1, &cell.quarter(child), looks)?;
                    }
                }
            },
        }
        Ok(())
    }

    /// First column and length of each run of columns that are not taken, round the world; none where all are, or none is.
    fn each_stretch(&self, mut f: impl FnMut(u32, u32)) {
        let Some(start) = (0..self.count()).find(|column| self.is_taken(*column)) else { return };
        let mut length = 0;
        for column in start + 1..=start + self.count() {
            if !self.is_taken(self.wrapped(column)) {
                length += 1;
            } else if length > 0 {
                f(self.wrapped(column - length), length);
                length = 0;
            }
        }
    }
}

/// The outermost sites of a column: where each is drawn, and its position.
#[derive(Debug, Clone, Copy)]
struct Outermost {
    west: (u32, LatLng),
    east: (u32, LatLng),
}

/// The outermost sites of some columns.
struct Ends<'map> {
    view: View<'map>,
    level: u8,
    /// The columns, in order.
    needed: Vec<u32>,
    /// Of each of them.
    found: Vec<Option<Outermost>>,
}

impl Ends<'_> {
    fn of(&self, column: u32) -> Outermost {
        let at = self.needed.binary_search(&column).expect("it is one of those that are needed");
        self.found[at].expect("a column that is taken has a site in view")
    }

    fn gather(&mut self, slot: Slot, cell: &Rect, looks: &mut Looks) -> Result<(), Refusal> {
        let (first, last) = (shifted(cell.west, self.level), shifted(cell.east, self.level));
        let at = self.needed.partition_point(|column| *column < first);
        if self.needed.get(at).is_none_or(|column| *column > last) || (first == last && self.is_between(at, cell)) {
            return Ok(());
        }
        match slot.kind() {
            Kind::Empty => {}
            Kind::Chain(head) => {
                for pile in self.view.piles(head) {
                    let Ok(at) = self.needed.binary_search(&shifted(pile.point.x, self.level)) else { continue };
                    if self.is_between(at, &Rect::at(pile.point)) {
                        continue;
                    }
                    looks.take(self.view.tree.piles.looks(pile))?;
                    self.view.positions(pile).for_each(|(position, _)| self.see(at, pile.point.x, position));
                }
            }
            Kind::Node(node) if self.view.count_all(node) == Some(0) => {}
            Kind::Node(node) => {
                for (child, slot) in self.view.node(node).children.into_iter().enumerate() {
                    self.gather(slot, &cell.quarter(child), looks)?;
                }
            }
        }
        Ok(())
    }

    /// Whether all that is drawn in a part of a column is drawn between two of its sites. Positions that are drawn in one
    /// column of points are told apart by their degrees.
    fn is_between(&self, at: usize, rect: &Rect) -> bool {
        self.found[at].is_some_and(|found| found.west.0 < rect.west && rect.east < found.east.0)
    }

    fn see(&mut self, at: usize, x: u32, position: LatLng) {
        let one = (x, position);
        let found = self.found[at].get_or_insert(Outermost { west: one, east: one });
        if position.lng() < found.west.1.lng() {
            found.west = one;
        }
        if position.lng() > found.east.1.lng() {
            found.east = one;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretches(columns: &Columns) -> Vec<(u32, u32)> {
        let mut stretches = Vec::new();
        columns.each_stretch(|first, length| stretches.push((first, length)));
        stretches
    }

    #[test]
    fn stretches_go_round_the_world() {
        let mut columns = Columns::new(LEVEL_FIRST);
        assert_eq!(stretches(&columns), []);
        columns.take(5);
        assert_eq!(stretches(&columns), [(6, 1_023)]);
        [6, 100, 1_022].into_iter().for_each(|column| columns.take(column));
        assert_eq!(stretches(&columns), [(7, 93), (101, 921), (1_023, 6)]);
        (0..1_024).for_each(|column| columns.take(column));
        assert_eq!(stretches(&columns), []);
        assert!(columns.are_taken(0, 1_023) && columns.are_taken(64, 127));
    }

    #[test]
    fn a_cell_is_taken_where_all_its_columns_are() {
        let mut columns = Columns::new(LEVEL_FIRST);
        (0..127).for_each(|column| columns.take(column));
        assert!(columns.are_taken(0, 63) && columns.are_taken(126, 126) && columns.are_taken(96, 111));
        assert!(!columns.are_taken(64, 127) && !columns.are_taken(0, 127) && !columns.are_taken(127, 127));
    }
}
