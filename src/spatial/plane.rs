//! The cells of one level in a window of the map, and the rule that keeps their symbols from overlapping.
//!
//! The rule: cells are ordered by their number of sites, greatest first. A cell is *kept* when no greater kept cell
//! has its centroid within 48 px; every other cell joins the greatest such one. It is evaluated lazily, climbing from
//! cell to ever greater neighbours, and fetches cells outside of the window where the climb leads there. So it gives
//! the same answer as on the whole world, from either side of a tile's edge. No cell on the way has fewer sites than the
//! one before, and among equals ways are short: a long one takes data that were made for it. It is bounded, and behind that
//! nothing is answered.
//!
//! Pins and clusters are one plane, areas another. Knows nothing of where sites are found.

use std::collections::HashMap;

use smallvec::SmallVec;

use super::frame::Rect;
use super::mass::Mass;
use super::mercator::{Cell, Point};
use super::refusal::Refusal;
use super::spacing::{order, spacing_squared};
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

/// A cell with sites, and what else is known of them.
#[derive(Debug)]
pub(super) struct Content<T> {
    pub(super) cell: Cell,
    pub(super) mass: Mass,
    /// The centroid, once all of its sites are in.
    pub(super) point: Point,
    pub(super) detail: T,
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

impl<T> Content<T> {
    /// Makes the content what all of its sites together say.
    fn settle(&mut self) {
        self.point = self.mass.centroid();
        self.order = order(self.mass.count(), self.cell);
    }
}

/// Where a plane's sites come from.
pub(super) trait Source<T> {
    /// Puts all that lies in `rect` into the plane, and nothing else.
    fn fill(&self, plane: &mut Plane<T>, rect: &Rect);
}

/// The cells of one request.
#[derive(Debug)]
pub(super) struct Plane<T> {
    /// What is fetched at once.
    window: Window,
    /// Numbers of contents by place in the window; empty while there are none.
    grid: Vec<u32>,
    /// Numbers of contents, or [`NONE`], of cells outside of the window.
    outside: HashMap<(u32, u32), u32>,
    outside_max: usize,
    /// Whether more of them were needed: what is said of the plane is of no use then.
    is_spent: bool,
    contents: Vec<Content<T>>,
}

impl<T> Plane<T> {
    /// An empty plane for the cells of `inner` and those around; to be filled in all of [`Self::rects`], and settled.
    pub(super) fn new(inner: Window) -> Self {
        let window = inner.widened(MARGIN);
        Self {
            window,
            grid: Vec::new(),
            outside: HashMap::new(),
            outside_max: OUTSIDE_CELLS_MAX,
            is_spent: false,
            contents: Vec::new(),
        }
    }

    /// What is to be filled.
    pub(super) fn rects(&self) -> impl Iterator<Item = Rect> + use<T> {
        self.window.rects()
    }

    /// Says that all is in.
    pub(super) fn settle(&mut self) {
        self.contents.iter_mut().for_each(Content::settle);
    }

    /// The content of the cell that holds `point`, made where it is missing; for who fills the plane.
    pub(super) fn content_at(&mut self, point: Point, detail: impl FnOnce() -> T) -> &mut Content<T> {
        let cell = Cell::holding(point, self.window.level);
        if self.grid.is_empty() {
            self.grid.resize(self.window.len(), NONE);
            self.contents.reserve(self.window.len().min(64));
        }
        let place = match self.window.place(cell.x(), cell.y()) {
            Some(place) => &mut self.grid[place],
            None => self.outside.entry((cell.x(), cell.y())).or_insert(NONE),
        };
        if *place == NONE {
            *place = u32::try_from(self.contents.len()).expect("a plane has at most as many cells as sites");
            let (mass, order, verdict) = (Mass::default(), (0, 0), Verdict::Open);
            self.contents.push(Content { cell, mass, point, detail: detail(), order, verdict });
        }
        &mut self.contents[*place as usize]
    }

    /// The same plane, allowed to fetch fewer cells.
    pub(super) fn with_outside_max(self, outside_max: usize) -> Self {
        Self { outside_max, ..self }
    }

    /// The cells that were fetched outside of the window.
    pub(super) fn outside_len(&self) -> usize {
        self.outside.len()
    }

    /// Whether all that was said of the plane holds. To be asked before any of it is given out.
    pub(super) fn checked(&self) -> Result<(), Refusal> {
        if self.is_spent { Err(Refusal::TooFarReaching) } else { Ok(()) }
    }

    /// The cells that are not empty, as far as they were fetched.
    pub(super) fn len(&self) -> usize {
        self.contents.len()
    }

    pub(super) fn content(&self, number: u32) -> &Content<T> {
        &self.contents[number as usize]
    }

    /// The content of a cell; `None` where the plane has no site.
    pub(super) fn at(&mut self, x: u32, y: u32, source: &impl Source<T>) -> Option<u32> {
        let number = match self.window.place(x, y) {
            Some(place) => self.in_window(place),
            None => self.fetched(x, y, source),
        };
        (number != NONE).then_some(number)
    }

    fn in_window(&self, place: usize) -> u32 {
        self.grid.get(place).copied().unwrap_or(NONE)
    }

    /// The kept cell that a cell belongs to; its own number where it is kept.
    pub(super) fn kept(&mut self, number: u32, source: &impl Source<T>) -> u32 {
        match self.content(number).verdict {
            Verdict::Joins(kept) => return kept,
            Verdict::Kept => return number,
            Verdict::Open => {}
        }
        // A stack of its own: a climb may be as long as the map is wide.
        let mut climb = SmallVec::<[u32; 16]>::from_slice(&[number]);
        while let Some(&top) = climb.last() {
            if self.content(top).verdict == Verdict::Open {
                match self.first_open_or_verdict(top, source) {
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
    pub(super) fn joiners(&mut self, kept: u32, source: &impl Source<T>) -> SmallVec<[u32; 8]> {
        let mut joiners = SmallVec::new();
        for neighbour in self.neighbours(kept, source) {
            if neighbour != NONE && self.is_greater_and_near(kept, neighbour) && self.kept(neighbour, source) == kept {
                joiners.push(neighbour);
            }
        }
        joiners
    }

    /// Whether `great` comes before `small` in the order of cells, and is so near that `small` may join it.
    fn is_greater_and_near(&self, great: u32, small: u32) -> bool {
        let (great, small) = (self.content(great), self.content(small));
        let least = spacing_squared(self.window.level);
        great.order > small.order && great.point.distance_squared(small.point) <= least
    }

    /// The verdict on a cell, or a greater neighbour whose own verdict it depends on.
    fn first_open_or_verdict(&mut self, number: u32, source: &impl Source<T>) -> Result<Verdict, u32> {
        let mut greater = SmallVec::<[((u32, u64), u32); 8]>::new();
        for neighbour in self.neighbours(number, source) {
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

    fn neighbours(&mut self, number: u32, source: &impl Source<T>) -> [u32; 8] {
        let cell = self.content(number).cell;
        if let Some(places) = self.window.places_around(cell.x(), cell.y()) {
            return places.map(|place| self.in_window(place));
        }
        let side = self.window.side();
        NEIGHBOURS.map(|(east, south)| {
            let x = cell.x().wrapping_add_signed(east) & (side - 1);
            let y = cell.y().wrapping_add_signed(south);
            if y < side { self.at(x, y, source).unwrap_or(NONE) } else { NONE }
        })
    }

    /// The content of a cell outside of the window.
    fn fetched(&mut self, x: u32, y: u32, source: &impl Source<T>) -> u32 {
        if let Some(number) = self.outside.get(&(x, y)) {
            return *number;
        }
        if self.outside.len() >= self.outside_max {
            self.is_spent = true;
            return NONE;
        }
        self.outside.insert((x, y), NONE);
        let cell = Cell::new(self.window.level, x, y).expect("a neighbour on the map is a cell");
        Window::of(cell).rects().for_each(|rect| source.fill(self, &rect));
        let number = self.outside[&(x, y)];
        if number != NONE {
            self.contents[number as usize].settle();
        }
        number
    }
}
