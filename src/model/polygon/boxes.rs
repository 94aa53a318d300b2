//! Whether any edge of a polygon comes into a rectangle: boxes over runs of edges, and boxes over those.
//!
//! Edges that follow each other lie together, so the order of the ring is order enough. Exact as far as it goes; after a
//! fixed number of steps it gives up, so that no polygon makes a question dear.

use std::cmp::Ordering;

use super::plane::{Edge, Point};

/// How many edges, or boxes, one box is over: a run of them is compared as fast as a deeper tree is walked.
const FAN: usize = 8;
/// Most edges and boxes that are compared for one rectangle. Ordinary rings of 10,000 corners take about a hundred; more
/// than this many stand in one place only in rings drawn for it.
const STEPS_MAX: usize = 512;

/// A closed rectangle of the plane.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rect {
    /// South-western corner.
    pub(super) low: Point,
    /// North-eastern corner.
    pub(super) high: Point,
}

impl Rect {
    fn around(edge: &Edge) -> Self {
        let (south, north) = (edge.start.y.min(edge.end.y), edge.start.y.max(edge.end.y));
        Self { low: Point { x: edge.start.x, y: south }, high: Point { x: edge.end.x, y: north } }
    }

    fn join(self, other: Self) -> Self {
        Self {
            low: Point { x: self.low.x.min(other.low.x), y: self.low.y.min(other.low.y) },
            high: Point { x: self.high.x.max(other.high.x), y: self.high.y.max(other.high.y) },
        }
    }

    fn meets(&self, other: &Self) -> bool {
        self.low.x <= other.high.x
            && other.low.x <= self.high.x
            && self.low.y <= other.high.y
            && other.low.y <= self.high.y
    }

    /// Whether the rectangle and the edge share a point. Exact: if they do not, an axis or the edge's line parts them.
    fn meets_edge(&self, edge: &Edge) -> bool {
        let north_west = Point { x: self.low.x, y: self.high.y };
        let south_east = Point { x: self.high.x, y: self.low.y };
        // The corners furthest to the left and to the right of the edge.
        let (left, right) = if edge.start.y <= edge.end.y { (north_west, south_east) } else { (self.high, self.low) };
        self.meets(&Self::around(edge))
            && edge.side_of(left) != Ordering::Less
            && edge.side_of(right) != Ordering::Greater
    }
}

/// The boxes over the edges of one polygon.
#[derive(Debug, Clone)]
pub(super) struct Boxes {
    /// Boxes over runs of edges, then boxes over runs of boxes, up to a single one.
    levels: Vec<Vec<Rect>>,
}

impl Boxes {
    /// Over edges in the order of their rings.
    pub(super) fn new(edges: &[Edge]) -> Self {
        let around: Vec<Rect> = edges.iter().map(Rect::around).collect();
        let mut levels = vec![over(&around)];
        while let Some(last) = levels.last().filter(|last| last.len() > 1) {
            levels.push(over(last));
        }
        Self { levels }
    }

    /// Whether an edge comes into the closed rectangle, on its border included. `None` for too many steps.
    pub(super) fn is_met(&self, edges: &[Edge], rect: &Rect) -> Option<bool> {
        let mut steps_left = STEPS_MAX;
        self.is_met_in(edges, rect, (self.levels.len() - 1, 0), &mut steps_left)
    }

    /// The same of one box, by its level and its place there.
    fn is_met_in(&self, edges: &[Edge], rect: &Rect, (level, at): (usize, usize), left: &mut usize) -> Option<bool> {
        *left = left.checked_sub(1)?;
        if !self.levels[level][at].meets(rect) {
            return Some(false);
        }
        let run = |count: usize| at * FAN..((at + 1) * FAN).min(count);
        let Some(below) = level.checked_sub(1) else {
            let run = &edges[run(edges.len())];
            *left = left.checked_sub(run.len())?;
            return Some(run.iter().any(|edge| rect.meets_edge(edge)));
        };
        for at in run(self.levels[below].len()) {
            if self.is_met_in(edges, rect, (below, at), left)? {
                return Some(true);
            }
        }
        Some(false)
    }
}

/// One box over each run of boxes.
fn over(boxes: &[Rect]) -> Vec<Rect> {
    boxes.chunks(FAN).map(|run| run.iter().fold(run[0], |all, one| all.join(*one))).collect()
}
