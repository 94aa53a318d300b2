//! Regions of the sphere, as the tree meets them: rectangles of points first, exact positions last.

use std::cell::Cell;

use crate::model::geo::{BoundingBox, LatLng};
use crate::model::polygon::{Polygons, Relation};

use super::frame::{Frame, Rect};
use super::mercator::Point;
use super::stop::Stop;

/// A part of the sphere, and perhaps not all sites there.
pub(super) trait Region {
    /// How all positions that are drawn in `rect` lie. `Outside` and `Inside` are sure, `Mixed` may be said too often.
    fn relation(&self, rect: &Rect) -> Relation;
    /// Whether the position lies inside.
    fn contains(&self, position: LatLng) -> bool;
    /// Looks at a site whose price was paid so far for answers that cost more than a look.
    fn dear_looks(&self) -> usize {
        0
    }
    /// Whether sites of this point and stop are meant.
    fn takes(&self, _point: Point, _stop: Stop) -> bool {
        true
    }
}

/// All sites everywhere.
pub(super) struct World;

impl Region for World {
    fn relation(&self, _rect: &Rect) -> Relation {
        Relation::Inside
    }

    fn contains(&self, _position: LatLng) -> bool {
        true
    }
}

/// The positions in a box.
pub(super) struct BoxRegion<'a> {
    bounds: &'a BoundingBox,
    frame: Frame,
}

impl<'a> BoxRegion<'a> {
    pub(super) fn new(bounds: &'a BoundingBox) -> Self {
        Self { bounds, frame: Frame::of_box(bounds) }
    }
}

impl Region for BoxRegion<'_> {
    fn relation(&self, rect: &Rect) -> Relation {
        if self.frame.surely_holds(rect) {
            Relation::Inside
        } else if self.frame.meets(rect) {
            Relation::Mixed
        } else {
            Relation::Outside
        }
    }

    fn contains(&self, position: LatLng) -> bool {
        self.bounds.contains(position)
    }
}

/// The positions in polygons.
pub(super) struct PolygonRegion<'a> {
    polygons: &'a Polygons,
    /// Of the boxes around each polygon.
    frames: Vec<Frame>,
    asked: Cell<usize>,
}

/// What asking one polygon for a rectangle costs, in looks at a site: up to some hundred comparisons.
const RELATION_LOOKS: usize = 8;

impl<'a> PolygonRegion<'a> {
    pub(super) fn new(polygons: &'a Polygons) -> Self {
        Self { polygons, frames: polygons.bounds().iter().map(Frame::of_box).collect(), asked: Cell::new(0) }
    }
}

impl Region for PolygonRegion<'_> {
    fn relation(&self, rect: &Rect) -> Relation {
        if !self.frames.iter().any(|frame| frame.meets(rect)) {
            return Relation::Outside;
        }
        // For a single point the exact test comes next anyway. The meridians -180 and 180 are one, and are drawn at both
        // ends of the map.
        if rect.is_point() || rect.west == 0 || rect.east == u32::MAX {
            return Relation::Mixed;
        }
        let (low, high) = rect.degrees();
        let (relation, asked) = self.polygons.relate(low.lat(), low.lng(), high.lat(), high.lng());
        self.asked.set(self.asked.get() + asked * RELATION_LOOKS);
        relation
    }

    fn contains(&self, position: LatLng) -> bool {
        let (is_inside, asked) = self.polygons.ask(position);
        self.asked.set(self.asked.get() + asked);
        is_inside
    }

    fn dear_looks(&self) -> usize {
        self.asked.get()
    }
}
