//! What is drawn on the map: pins, clusters and areas, and the ids by which they are asked for again.
//!
//! Plain values. Knows nothing of how they are found.

use std::fmt;
use std::str::FromStr;

use crate::model::Invalid;
use crate::model::geo::{BoundingBox, LatLng};
use crate::model::id::SiteId;
use crate::model::location::Granularity;
use crate::model::text::shown;

use super::class::Tally;
use super::entry::EntryRef;
use super::mercator::{Cell, Point, cell_width_m, row_edge_lat};

/// All symbols of a tile or viewport. Their sites are each in one symbol, on every map.
#[derive(Debug, Default, PartialEq)]
pub struct Symbols<'map> {
    /// Single sites, by the rows of the map from north to south, each from west to east.
    pub pins: Vec<Pin<'map>>,
    /// Several sites each, in the same order.
    pub clusters: Vec<Cluster>,
    /// Sites whose uncertainty is larger than a cell, in the same order.
    pub areas: Vec<Area<'map>>,
}

impl Symbols<'_> {
    /// The sites in all symbols.
    #[must_use]
    pub fn sites(&self) -> u64 {
        let clustered = self.clusters.iter().map(|cluster| u64::from(cluster.count())).sum::<u64>();
        let uncertain = self.areas.iter().map(|area| u64::from(area.count())).sum::<u64>();
        self.pins.len() as u64 + clustered + uncertain
    }
}

/// A single site that stands alone at its zoom.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pin<'map> {
    /// The site.
    pub entry: EntryRef<'map>,
    /// Where it is drawn.
    pub point: Point,
}

/// Several sites that are too near one another to be told apart at their zoom.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cluster {
    /// Its id: good at this zoom as long as no change nearby makes another cell the greater one.
    pub cell: Cell,
    /// Its sites by status and source; at least two.
    pub tally: Tally,
    /// Where it is drawn: the centroid of the sites in `cell`.
    pub point: Point,
    /// A zoom, deeper than its own, before which it certainly stays one symbol: the first at which its sites are not in one
    /// cell or one area. They may be drawn as one for longer, because they are near one another or to a greater cluster:
    /// [`MapView::expansion`](super::map_view::MapView::expansion) is exact, and too dear for all symbols of a map.
    /// `None` where it is certain that no zoom takes it apart.
    pub expansion_zoom: Option<u8>,
    pub(super) span: Span,
}

impl Cluster {
    /// Its sites.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.tally.total()
    }

    /// Where it is drawn, in degrees.
    #[must_use]
    pub fn position(&self) -> LatLng {
        self.point.position()
    }

    /// Whether it is certain that no zoom takes it apart, so that its sites can only be listed: they are on one spot, or so near
    /// that the deepest zoom draws them as one, or become one area before they part.
    #[must_use]
    pub fn is_stack(&self) -> bool {
        self.expansion_zoom.is_none()
    }

    /// A box around the cells that its sites lie in: at most 3 × 3 cells.
    #[must_use]
    pub fn bounds(&self) -> BoundingBox {
        self.bounds_by(|row| row_edge_lat(self.cell.level(), row))
    }

    /// The same where the latitudes of northern edges of its rows are known.
    pub(super) fn bounds_by(&self, lat_of: impl FnMut(u32) -> f64) -> BoundingBox {
        let Span { west, east, north, south } = self.span;
        self.cell.north_west(west, north).bounds_by(1 + west + east, 1 + north + south, lat_of)
    }
}

/// Cells by which a cluster goes beyond its own, each 0 or 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) west: u32,
    pub(super) east: u32,
    pub(super) north: u32,
    pub(super) south: u32,
}

/// Sites whose uncertainty is larger than a cell: the honest picture is a disc, not pins.
#[derive(Debug, Clone, PartialEq)]
pub struct Area<'map> {
    /// Its id: the same at all zooms that show it alone, but for areas of countries, which refine; that of a cell where
    /// several areas are too near to one another.
    pub id: AreaId,
    /// Its sites by status and source; at least one.
    pub tally: Tally,
    /// Where it is drawn: the centroid of its sites, or of the greatest ones of several areas.
    pub point: Point,
    /// The largest known accuracy of its sites, in metres; `None` where all are unknown.
    pub radius_m: Option<f64>,
    /// The coarsest granularity of its sites.
    pub granularity: Granularity,
    /// The site, where it is one only.
    pub lone: Option<EntryRef<'map>>,
    /// The level of the widest cell whose sites it holds.
    pub(super) widest: u8,
}

impl Area<'_> {
    /// Its sites.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.tally.total()
    }

    /// Where it is drawn, in degrees.
    #[must_use]
    pub fn position(&self) -> LatLng {
        self.point.position()
    }

    /// The width of its widest cell in metres: how large to draw it where no radius is known. Not an accuracy.
    #[must_use]
    pub fn extent_m(&self) -> f64 {
        cell_width_m(self.widest, self.position().lat())
    }
}

/// An area's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AreaId {
    /// The cell that it stands for.
    pub cell: Cell,
    /// For which sites of that cell.
    pub kind: AreaKind,
}

/// Which sites an area is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AreaKind {
    /// Those of its cell that stop at the cell's level.
    Stopped,
    /// The country-level ones of its cell.
    Country,
    /// Those of several areas that are too near to one another, at the zoom of its cell: what the cell holds the centroids of, and
    /// what joined it.
    Joined,
}

impl AreaId {
    /// A number of its own among all areas, below 2⁵³.
    #[must_use]
    pub fn key(self) -> u64 {
        self.cell.key() * 4 + self.kind as u64
    }
}

/// A symbol's id: `p-<site>`, `c-<cell>`, `a-<cell>`, `n-<cell>` for a country's area, or `j-<cell>` for several areas that are
/// one symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SymbolId {
    /// A pin.
    Pin(SiteId),
    /// A cluster, by the cell that it is drawn in.
    Cluster(Cell),
    /// An area.
    Area(AreaId),
}

impl fmt::Display for SymbolId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pin(site) => write!(f, "p-{site}"),
            Self::Cluster(cell) => write!(f, "c-{cell}"),
            Self::Area(AreaId { cell, kind: AreaKind::Stopped }) => write!(f, "a-{cell}"),
            Self::Area(AreaId { cell, kind: AreaKind::Country }) => write!(f, "n-{cell}"),
            Self::Area(AreaId { cell, kind: AreaKind::Joined }) => write!(f, "j-{cell}"),
        }
    }
}

impl FromStr for SymbolId {
    type Err = Invalid;

    /// Accepts the form of `Display` alone.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let within = |fault: Invalid| fault.within("symbol");
        let area = |cell: &str, kind| Ok(Self::Area(AreaId { cell: cell.parse().map_err(within)?, kind }));
        match text.split_at_checked(2) {
            Some(("p-", site)) => Ok(Self::Pin(site.parse().map_err(within)?)),
            Some(("c-", cell)) => Ok(Self::Cluster(cell.parse().map_err(within)?)),
            Some(("a-", cell)) => area(cell, AreaKind::Stopped),
            Some(("n-", cell)) => area(cell, AreaKind::Country),
            Some(("j-", cell)) => area(cell, AreaKind::Joined),
            _ => {
                let found = shown(text);
                Err(Invalid::new("symbol", format!("a symbol's id begins with p-, c-, a-, n- or j-, got {found}")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_one_text_form() {
        let cell = Cell::new(9, 200, 31).unwrap();
        let ids = [
            SymbolId::Pin(SiteId::from_u128(7)),
            SymbolId::Cluster(cell),
            SymbolId::Area(AreaId { cell, kind: AreaKind::Stopped }),
            SymbolId::Area(AreaId { cell, kind: AreaKind::Country }),
            SymbolId::Area(AreaId { cell, kind: AreaKind::Joined }),
        ];
        for id in ids {
            assert_eq!(id.to_string().parse::<SymbolId>().unwrap(), id);
        }
        for text in ["", "c", "c-", "x-9-200-31", "c-9-0200-31", "é-9-200-31", "p-7"] {
            assert!(text.parse::<SymbolId>().is_err(), "{text}");
        }
    }

    #[test]
    fn bounds_of_a_cluster_run_over_the_antimeridian() {
        let cluster = Cluster {
            cell: Cell::new(3, 0, 0).unwrap(),
            tally: Tally::default(),
            point: Point::default(),
            expansion_zoom: None,
            span: Span { west: 1, south: 1, ..Span::default() },
        };
        let bounds = cluster.bounds();
        assert!((bounds.low.lng() - 135.0).abs() < 1e-9 && (bounds.high.lng() + 135.0).abs() < 1e-9);
        assert!(bounds.high.lat() > 85.0 && bounds.low.lat() < 67.0);
    }
}
