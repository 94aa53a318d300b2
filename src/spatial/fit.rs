//! The smallest box around all sites in view, over the antimeridian where that makes it narrower. Read-only.

use crate::model::geo::{BoundingBox, LatLng};

use super::frame::Rect;
use super::mercator::{POINT_BITS, Point, shifted};
use super::node::{Kind, Slot};
use super::view::View;

/// Level of the columns among which the widest empty stretch is looked for: 0.35 degrees each. Stretches of less than
/// two columns are not told from none.
const COLUMN_LEVEL: u8 = 10;
const COLUMNS: u32 = 1 << COLUMN_LEVEL;

/// The box; `None` where no site is in view. Costs a walk along its edges, and a look at the nodes of up to a few thousand
/// cells to find where it may be cut open.
pub(super) fn fit(view: View<'_>) -> Option<BoundingBox> {
    let world = Rect::WORLD;
    let (south, north) = (Side::South.utmost(view, &world)?, Side::North.utmost(view, &world)?);
    let (west, east) = meridians(view)?;
    let corner = |lat: LatLng, lng: LatLng| LatLng::new(lat.lat(), lng.lng()).expect("both were in their ranges");
    Some(BoundingBox { low: corner(south, west), high: corner(north, east) })
}

/// The western and the eastern edge of the narrowest box.
fn meridians(view: View<'_>) -> Option<(LatLng, LatLng)> {
    let mut taken = vec![false; COLUMNS as usize];
    mark(view, view.tree.root, 0, &Rect::WORLD, &mut taken);
    let stretches = empty_stretches(&taken);
    let longest = stretches.iter().map(|(_, length)| *length).max().unwrap_or(0);
    // Within the columns at both ends of a stretch there may be up to one column more of emptiness each.
    let candidates = stretches.into_iter().filter(|(_, length)| length + 2 >= longest);
    let boxes = candidates.filter_map(|(first, length)| {
        let (before, after) = (first.wrapping_sub(1) % COLUMNS, (first + length) % COLUMNS);
        Some((Side::West.utmost(view, &column(after))?, Side::East.utmost(view, &column(before))?))
    });
    let width = |(west, east): &(LatLng, LatLng)| (east.lng() - west.lng()).rem_euclid(360.0);
    boxes
        .min_by(|one, other| width(one).total_cmp(&width(other)))
        .or_else(|| Some((Side::West.utmost(view, &Rect::WORLD)?, Side::East.utmost(view, &Rect::WORLD)?)))
}

/// First column and length of each run of columns that are not taken, round the world; none where all are, or none is.
fn empty_stretches(taken: &[bool]) -> Vec<(u32, u32)> {
    let is_taken = |column: u32| taken[(column % COLUMNS) as usize];
    let Some(start) = (0..COLUMNS).find(|column| is_taken(*column)) else { return Vec::new() };
    let mut stretches: Vec<(u32, u32)> = Vec::new();
    for column in (start..start + COLUMNS).filter(|column| !is_taken(*column)) {
        match stretches.last_mut() {
            Some((first, length)) if *first + *length == column => *length += 1,
            _ => stretches.push((column, 1)),
        }
    }
    stretches
}

fn column(number: u32) -> Rect {
    let width_bits = POINT_BITS - COLUMN_LEVEL;
    let west = number << width_bits;
    Rect { west, east: west | ((1 << width_bits) - 1), ..Rect::WORLD }
}

/// Marks the columns in which sites are in view.
fn mark(view: View<'_>, slot: Slot, level: u8, cell: &Rect, taken: &mut [bool]) {
    let column_of = |x: u32| shifted(x, COLUMN_LEVEL) as usize;
    if taken[column_of(cell.west)..=column_of(cell.east)].iter().all(|taken| *taken) {
        return;
    }
    match slot.kind() {
        Kind::Empty => {}
        Kind::Chain(head) => {
            let seen = view.piles(head).filter(|pile| view.count_of_pile(pile) > 0);
            seen.for_each(|pile| taken[column_of(pile.point.x)] = true);
        }
        Kind::Node(at) => match view.count_all(at) {
            Some(0) => {}
            Some(_) if level >= COLUMN_LEVEL => taken[column_of(cell.west)] = true,
            _ => {
                for (child, slot) in view.node(at).children.into_iter().enumerate() {
                    mark(view, slot, level + 1, &cell.quarter(child), taken);
                }
            }
        },
    }
}

/// A side of a box.
#[derive(Debug, Clone, Copy)]
enum Side {
    North,
    South,
    West,
    East,
}

impl Side {
    /// The position in view farthest to this side of those drawn in `rect`; `None` where there is none.
    fn utmost(self, view: View<'_>, rect: &Rect) -> Option<LatLng> {
        let mut search = Utmost { side: self, view, rect, best: None };
        search.descend(view.tree.root, &Rect::WORLD);
        search.best.map(|(_, position)| position)
    }

    /// How far a point is from this side of the map.
    fn distance(self, point: Point) -> u32 {
        match self {
            Self::North => point.y,
            Self::South => !point.y,
            Self::West => point.x,
            Self::East => !point.x,
        }
    }

    /// The least of these distances in a rectangle.
    fn least_distance(self, rect: &Rect) -> u32 {
        self.distance(Point {
            x: if matches!(self, Self::East) { rect.east } else { rect.west },
            y: if matches!(self, Self::South) { rect.south } else { rect.north },
        })
    }

    fn is_farther(self, one: LatLng, other: LatLng) -> bool {
        match self {
            Self::North => one.lat() > other.lat(),
            Self::South => one.lat() < other.lat(),
            Self::West => one.lng() < other.lng(),
            Self::East => one.lng() > other.lng(),
        }
    }
}

/// Branch and bound towards one side.
struct Utmost<'a, 'map> {
    side: Side,
    view: View<'map>,
    rect: &'a Rect,
    /// The best so far, and how far from the side its point is drawn.
    best: Option<(u32, LatLng)>,
}

impl Utmost<'_, '_> {
    fn descend(&mut self, slot: Slot, cell: &Rect) {
        // Positions of one row or column are told apart by their degrees: only what is drawn behind is left out.
        let is_behind = |distance: u32| self.best.is_some_and(|(best, _)| distance > best);
        if !cell.meets(self.rect) || is_behind(self.side.least_distance(cell)) {
            return;
        }
        match slot.kind() {
            Kind::Empty => {}
            Kind::Chain(head) => {
                for pile in self.view.piles(head).filter(|pile| self.rect.contains(pile.point)) {
                    for number in self.view.numbers(pile) {
                        let position = self.view.entries[number].position();
                        if self.best.is_none_or(|(_, best)| self.side.is_farther(position, best)) {
                            self.best = Some((self.side.distance(pile.point), position));
                        }
                    }
                }
            }
            Kind::Node(at) if self.view.count_all(at) == Some(0) => {}
            Kind::Node(at) => {
                let mut order = [0, 1, 2, 3].map(|child| (self.side.least_distance(&cell.quarter(child)), child));
                order.sort_unstable();
                let children = self.view.node(at).children;
                order.into_iter().for_each(|(_, child)| self.descend(children[child], &cell.quarter(child)));
            }
        }
    }
}
