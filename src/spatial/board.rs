//! The cells of one level in a window of the map, and the rule that keeps their symbols from overlapping.
//!
//! The rule: cells are ordered by their number of sites, greatest first. A cell is *kept* when no greater kept cell
//! has its centroid within 48 px; every other cell joins the greatest such one. It is evaluated lazily, climbing from
//! cell to ever greater neighbours, and fetches cells outside of the window where the climb leads there. So it gives
//! the same answer as on the whole world, from either side of a tile's edge. No cell on the way has fewer sites than the
//! one before, and among equals ways are short: a long one takes data that were made for it. It is bounded, and behind that
//! nothing is answered.

use std::collections::HashMap;

use smallvec::SmallVec;

use crate::model::location::Granularity;

use super::frame::Rect;
use super::mass::Mass;
use super::mercator::{Cell, Point};
use super::node::{Kind, Slot};
use super::pile::{Load, Pile};
use super::refusal::Refusal;
use super::spacing::{order, spacing_squared};
use super::stop::country_level;
use super::symbols::AreaId;
use super::view::View;
use super::window::Window;

/// Cells around a window that are fetched with it: two rings are what most climbs need.
const MARGIN: u32 = 2;
/// Most cells that climbs may fetch outside of a window: four times as many as a viewport may have, some tens of milliseconds.
/// Cells of people's sites need some tens.
pub(super) const OUTSIDE_CELLS_MAX: usize = 65_536;
/// No cell, in a grid of numbers of contents.
const NONE: u32 = u32::MAX;
/// The eight neighbours of a cell, as steps east and south.
const NEIGHBOURS: [(i32, i32); 8] = [(-1, -1), (0, -1), (1, -1), (-1, 0), (1, 0), (-1, 1), (0, 1), (1, 1)];

/// A cell with sites that cluster at its level.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) cell: Cell,
    pub(super) mass: Mass,
    /// The centroid, once all of its sites are in.
    pub(super) point: Point,
    /// The node of the cell, or the chain that its piles are in.
    pub(super) slot: Slot,
    /// What cells are ordered by, once all sites are in.
    order: (u32, u64),
    verdict: Verdict,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Open,
    Kept,
    Joins(u32),
}

impl Content {
    /// Makes the content what all of its sites together say.
    fn settle(&mut self) {
        self.point = self.mass.centroid();
        self.order = order(self.mass.count(), self.cell);
    }
}

/// Whether a point is in a window, and in that part of it which is being filled.
fn is_inside(point: Point, rect: &Rect, window: &Window) -> bool {
    let cell = Cell::holding(point, window.level);
    rect.contains(point) && window.place(cell.x(), cell.y()).is_some()
}

/// An area that shows at the board's level.
#[derive(Debug)]
pub(super) struct AreaContent {
    pub(super) id: AreaId,
    pub(super) mass: Mass,
    pub(super) radius_m: Option<f64>,
    pub(super) granularity: Granularity,
}

/// Cells and areas of one request.
#[derive(Debug)]
pub(super) struct Board<'map> {
    view: View<'map>,
    level: u8,
    /// What is asked for.
    inner: Window,
    /// What is fetched at once.
    window: Window,
    /// Numbers of contents by place in the window.
    grid: Vec<u32>,
    /// Numbers of contents, or [`NONE`], of cells outside of the window.
    outside: HashMap<(u32, u32), u32>,
    outside_max: usize,
    /// Whether more of them were needed: what is said of the board is of no use then.
    is_spent: bool,
    contents: Vec<Content>,
    /// Areas whose centroid lies in the window; `None` where nobody asked for them.
    areas: Option<Vec<AreaContent>>,
}

impl<'map> Board<'map> {
    /// The board of `window`, with the areas in it or without. Costs a visit of each node above and in the window.
    pub(super) fn new(view: View<'map>, inner: Window, with_areas: bool) -> Self {
        let window = inner.widened(MARGIN);
        let mut board = Self {
            view,
            level: window.level,
            inner,
            window,
            grid: vec![NONE; window.len()],
            outside: HashMap::new(),
            outside_max: OUTSIDE_CELLS_MAX,
            is_spent: false,
            contents: Vec::with_capacity(window.len().min(64)),
            areas: with_areas.then(Vec::new),
        };
        window.rects().for_each(|rect| board.fill(view.tree.root, 0, Rect::WORLD, &rect));
        board.contents.iter_mut().for_each(Content::settle);
        board
    }

    /// The same board, allowed to fetch fewer cells.
    #[cfg(test)]
    pub(super) fn with_outside_max(self, outside_max: usize) -> Self {
        Self { outside_max, ..self }
    }

    /// The cells that were fetched outside of the window.
    #[cfg(test)]
    pub(super) fn outside_len(&self) -> usize {
        self.outside.len()
    }

    /// Whether all that was said of the board holds. To be asked before any of it is given out.
    pub(super) fn checked(&self) -> Result<(), Refusal> {
        if self.is_spent { Err(Refusal::TooFarReaching) } else { Ok(()) }
    }

    /// The cells that are not empty, as far as they were fetched.
    pub(super) fn len(&self) -> usize {
        self.contents.len()
    }

    pub(super) fn content(&self, number: u32) -> &Content {
        &self.contents[number as usize]
    }

    /// The areas, in the order of their ids.
    pub(super) fn take_areas(&mut self) -> Vec<AreaContent> {
        let mut areas = self.areas.take().unwrap_or_default();
        areas.sort_unstable_by_key(|area| area.id);
        areas
    }

    /// The content of a cell; `None` where no site clusters.
    pub(super) fn at(&mut self, x: u32, y: u32) -> Option<u32> {
        let number = match self.window.place(x, y) {
            Some(place) => self.grid[place],
            None => self.fetched(x, y),
        };
        (number != NONE).then_some(number)
    }

    /// The kept cell that a cell belongs to; its own number where it is kept.
    pub(super) fn kept(&mut self, number: u32) -> u32 {
        match self.content(number).verdict {
            Verdict::Joins(kept) => return kept,
            Verdict::Kept => return number,
            Verdict::Open => {}
        }
        // A stack of its own: a climb may be as long as the map is wide.
        let mut climb = SmallVec::<[u32; 16]>::from_slice(&[number]);
        while let Some(&top) = climb.last() {
            if self.content(top).verdict == Verdict::Open {
                match self.first_open_or_verdict(top) {
                    Ok(verdict) => self.contents[top as usize].verdict = verdict,
                    Err(open) => {
                        climb.push(open);
                        continue;
                    }
                }
            }
            climb.pop();
        }
        match self.content(number).verdict {
            Verdict::Joins(kept) => kept,
            Verdict::Kept | Verdict::Open => number,
        }
    }

    /// The cells that joined a kept one.
    pub(super) fn joiners(&mut self, kept: u32) -> SmallVec<[u32; 8]> {
        let mut joiners = SmallVec::new();
        for neighbour in self.neighbours(kept) {
            if neighbour != NONE && self.is_greater_and_near(kept, neighbour) && self.kept(neighbour) == kept {
                joiners.push(neighbour);
            }
        }
        joiners
    }

    /// Whether `great` comes before `small` in the order of cells, and is so near that `small` may join it.
    fn is_greater_and_near(&self, great: u32, small: u32) -> bool {
        let (great, small) = (self.content(great), self.content(small));
        great.order > small.order && great.point.distance_squared(small.point) <= spacing_squared(self.level)
    }

    /// The verdict on a cell, or a greater neighbour whose own verdict it depends on.
    fn first_open_or_verdict(&mut self, number: u32) -> Result<Verdict, u32> {
        let mut greater = SmallVec::<[((u32, u64), u32); 8]>::new();
        for neighbour in self.neighbours(number) {
            if neighbour != NONE && self.is_greater_and_near(neighbour, number) {
                greater.push((self.content(neighbour).order, neighbour));
            }
        }
        greater.sort_unstable();
        for (_, neighbour) in greater.into_iter().rev() {
            match self.content(neighbour).verdict {
                Verdict::Open => return Err(neighbour),
                Verdict::Kept => return Ok(Verdict::Joins(neighbour)),
                Verdict::Joins(_) => {}
            }
        }
        Ok(Verdict::Kept)
    }

    fn neighbours(&mut self, number: u32) -> [u32; 8] {
        let cell = self.content(number).cell;
        if let Some(places) = self.window.places_around(cell.x(), cell.y()) {
            return places.map(|place| self.grid[place]);
        }
        let side = self.window.side();
        NEIGHBOURS.map(|(east, south)| {
            let x = cell.x().wrapping_add_signed(east) & (side - 1);
            let y = cell.y().wrapping_add_signed(south);
            if y < side { self.at(x, y).unwrap_or(NONE) } else { NONE }
        })
    }

    /// The content of a cell outside of the window.
    fn fetched(&mut self, x: u32, y: u32) -> u32 {
        if let Some(number) = self.outside.get(&(x, y)) {
            return *number;
        }
        if self.outside.len() >= self.outside_max {
            self.is_spent = true;
            return NONE;
        }
        self.outside.insert((x, y), NONE);
        let areas = self.areas.take();
        let cell = Cell::new(self.level, x, y).expect("a neighbour on the map is a cell");
        Window::of(cell).rects().for_each(|rect| self.fill(self.view.tree.root, 0, Rect::WORLD, &rect));
        self.areas = areas;
        let number = self.outside[&(x, y)];
        if number != NONE {
            self.contents[number as usize].settle();
        }
        number
    }

    /// Takes in what lies at or below `slot`, whose cell is `cell`, and in `rect`.
    fn fill(&mut self, slot: Slot, level: u8, cell: Rect, rect: &Rect) {
        match slot.kind() {
            Kind::Empty => {}
            Kind::Chain(head) => self.fill_from_chain(slot, head, level, rect),
            Kind::Node(at) => {
                self.fill_areas_of_node(at, level, cell, rect);
                let has_clusters = self.view.count(at) > 0;
                if level == self.level {
                    if has_clusters {
                        let corner = Point { x: cell.west, y: cell.north };
                        let number = self.number_at(corner, slot);
                        self.contents[number as usize].mass = self.view.mass(at, level);
                    }
                    return;
                }
                // Whatever is drawn from below clusters here, but for countries.
                if !has_clusters && level >= country_level(self.level) {
                    return;
                }
                for (child, slot) in self.view.node(at).children.into_iter().enumerate() {
                    let quarter = cell.quarter(child);
                    if slot != Slot::default() && quarter.meets(rect) {
                        self.fill(slot, level + 1, quarter, rect);
                    }
                }
            }
        }
    }

    fn fill_from_chain(&mut self, slot: Slot, head: u32, level: u8, rect: &Rect) {
        let view = self.view;
        let first_area = self.areas.as_ref().map_or(0, Vec::len);
        for pile in view.piles(head) {
            if view.count_of_pile(pile) == 0 {
                continue;
            }
            if !pile.stop.clusters_at(self.level) {
                self.fill_area_of_pile(pile, level, first_area);
            } else if rect.contains(pile.point) {
                let number = self.number_at(pile.point, slot);
                view.weigh(pile, &mut self.contents[number as usize].mass);
            }
        }
        if let Some(areas) = &mut self.areas {
            let mut at = first_area;
            while at < areas.len() {
                if is_inside(areas[at].mass.centroid(), rect, &self.inner) {
                    at += 1;
                } else {
                    areas.swap_remove(at);
                }
            }
        }
    }

    /// Adds a pile to its area, if that area's cell is not that of a node above, where it is counted.
    fn fill_area_of_pile(&mut self, pile: &Pile, level: u8, first_area: usize) {
        let (Some(areas), Some(area_level)) = (&mut self.areas, pile.stop.area_level(self.level)) else { return };
        if area_level < level {
            return;
        }
        let id = AreaId { cell: Cell::holding(pile.point, area_level), is_country: pile.stop.is_country() };
        let at = first_area
            + areas[first_area..].iter().position(|area| area.id == id).unwrap_or_else(|| {
                areas.push(AreaContent { id, mass: Mass::default(), radius_m: None, granularity: Granularity::Door });
                areas.len() - 1 - first_area
            });
        let area = &mut areas[at];
        let mut widen = |radius_m: Option<f64>, granularity: Granularity| {
            area.radius_m = area.radius_m.into_iter().chain(radius_m).reduce(f64::max);
            area.granularity = area.granularity.min(granularity);
        };
        match self.view.tree.piles.load(pile) {
            Load::Few(_) => self.view.numbers(pile).for_each(|number| {
                let site = self.view.entries[number].facets_at(number, pile.point, pile.stop);
                area.mass.add(&site);
                widen(site.accuracy_m, site.granularity);
            }),
            Load::Crowd(total) => {
                area.mass.merge(&self.view.area_mass(total));
                widen(total.radius_m(self.view.classes), total.granularity(self.view.classes));
            }
        }
    }

    fn fill_areas_of_node(&mut self, at: u32, level: u8, cell: Rect, rect: &Rect) {
        let (Some(areas), Some(sums)) = (&mut self.areas, self.view.areas(at)) else { return };
        let classes = self.view.classes;
        let shown =
            [(&sums.stopped, false, level < self.level), (&sums.country, true, level == country_level(self.level))];
        for (total, is_country, _) in shown.into_iter().filter(|(total, _, is_shown)| *is_shown && !total.is_empty()) {
            let mass = self.view.area_mass(total);
            if mass.count() > 0 && is_inside(mass.centroid(), rect, &self.inner) {
                let corner = Point { x: cell.west, y: cell.north };
                areas.push(AreaContent {
                    id: AreaId { cell: Cell::holding(corner, level), is_country },
                    mass,
                    radius_m: total.radius_m(classes),
                    granularity: total.granularity(classes),
                });
            }
        }
    }

    /// The number of the content of the cell that holds `point`, made where it is missing.
    fn number_at(&mut self, point: Point, slot: Slot) -> u32 {
        let cell = Cell::holding(point, self.level);
        let place = match self.window.place(cell.x(), cell.y()) {
            Some(place) => &mut self.grid[place],
            None => self.outside.entry((cell.x(), cell.y())).or_insert(NONE),
        };
        if *place == NONE {
            *place = u32::try_from(self.contents.len()).expect("a board has at most as many cells as sites");
            self.contents.push(Content {
                cell,
                mass: Mass::default(),
                point,
                slot,
                order: (0, 0),
                verdict: Verdict::Open,
            });
        }
        *place
    }
}
