//! Regions of the sphere, as the tree meets them: rectangles of points first, exact positions last.

use crate::model::geo::{BoundingBox, LatLng};
use crate::model::polygon::{Polygons, Relation};

use super::frame::{Frame, Rect};

/// A part of the sphere.
///
/// `meets` and `surely_holds` speak of all positions that are drawn in a rectangle: the first may say yes too often, the
/// second no, neither is ever wrong the other way.
pub(super) trait Region {
    /// Whether some position that is drawn in `rect` may lie inside.
    fn meets(&self, rect: &Rect) -> bool;
    /// Whether every position that is drawn in `rect` lies inside.
    fn surely_holds(&self, rect: &Rect) -> bool;
    /// Whether the position lies inside.
    fn contains(&self, position: LatLng) -> bool;
}

/// A frame is a region for those who check positions themselves.
impl Region for Frame {
    fn meets(&self, rect: &Rect) -> bool {
        self.meets(rect)
    }

    fn surely_holds(&self, rect: &Rect) -> bool {
        self.surely_holds(rect)
    }

    fn contains(&self, position: LatLng) -> bool {
        self.contains(super::mercator::Point::project(position))
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
    fn meets(&self, rect: &Rect) -> bool {
        self.frame.meets(rect)
    }

    fn surely_holds(&self, rect: &Rect) -> bool {
        self.frame.surely_holds(rect)
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
}

impl<'a> PolygonRegion<'a> {
    pub(super) fn new(polygons: &'a Polygons) -> Self {
        Self { polygons, frames: polygons.bounds().iter().map(Frame::of_box).collect() }
    }

    /// How what is drawn in `rect` lies to the polygons.
    fn relation(&self, rect: &Rect) -> Relation {
        // The meridians -180 and 180 are one, and are drawn at both ends of the map.
        if rect.west == 0 || rect.east == u32::MAX {
            return Relation::Mixed;
        }
        let (low, high) = rect.degrees();
        self.polygons.relation(low.lat(), low.lng(), high.lat(), high.lng())
    }
}

impl Region for PolygonRegion<'_> {
    fn meets(&self, rect: &Rect) -> bool {
        // For a single point the exact test comes next anyway.
        self.frames.iter().any(|frame| frame.meets(rect))
            && (rect.is_point() || self.relation(rect) != Relation::Outside)
    }

    fn surely_holds(&self, rect: &Rect) -> bool {
        !rect.is_point() && self.relation(rect) == Relation::Inside
    }

    fn contains(&self, position: LatLng) -> bool {
        self.polygons.contains(position)
    }
}
