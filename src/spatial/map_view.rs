//! What a map answers about some of its sites: all of them, those of some classes, those of a selection.
//!
//! Everything is answered as if the map held no other sites. Read-only.

use crate::model::Invalid;
use crate::model::geo::{BoundingBox, LatLng};
use crate::model::id::SiteId;
use crate::model::polygon::Polygons;

use super::AccountMap;
use super::class::{Classes, Tally};
use super::duplicates::{self, Duplicates, WalkCursor};
use super::entry::EntryRef;
use super::fit;
use super::mapping::{self, Leaves};
use super::mercator::{Cell, Point, TileId, checked_zoom};
use super::near::{self, DistanceCursor, Near};
use super::region::{BoxRegion, PolygonRegion};
use super::roster::Roster;
use super::search;
use super::selection::Selection;
use super::symbols::{Expansion, SymbolId, Symbols};
use super::view::View;
use super::window::Window;

/// Some sites of a map.
#[derive(Debug, Clone, Copy)]
pub struct MapView<'map> {
    map: &'map AccountMap,
    roster: &'map Roster,
    /// `None` where the roster is that of the whole map.
    selection: Option<&'map Selection>,
    classes: Classes,
    view: View<'map>,
}

/// Where a site stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Standing<'map> {
    /// On the map.
    Placed(EntryRef<'map>),
    /// Nowhere on the map: it has no position.
    Unplaced,
}

impl<'map> MapView<'map> {
    pub(super) fn new(
        map: &'map AccountMap,
        roster: &'map Roster,
        selection: Option<&'map Selection>,
        classes: Classes,
    ) -> Self {
        Self { map, roster, selection, classes, view: View::new(&map.entries, &roster.tree, classes) }
    }

    /// The site; `None` where it is not among those in view.
    #[must_use]
    pub fn get(&self, site: SiteId) -> Option<Standing<'map>> {
        let number = self.map.number(site)?;
        let entry = &self.map.entries[number];
        if entry.is_placed() {
            let is_in_view = self.roster.tree.piles.of(number).is_some() && self.classes.has(entry.class());
            return is_in_view.then(|| Standing::Placed(entry.as_ref()));
        }
        let is_selected = self.selection.is_none_or(|selection| selection.has_unplaced(number));
        (is_selected && self.classes.has_unplaced(entry.status())).then_some(Standing::Unplaced)
    }

    /// The placed sites by status and source.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.roster.tally.within(self.classes)
    }

    /// What [`Self::tally`] would be for all classes: the counts of a legend whose entries are classes.
    #[must_use]
    pub fn legend(&self) -> Tally {
        self.roster.tally
    }

    /// The placed sites of the whole map, in view or not.
    #[must_use]
    pub fn account(&self) -> Tally {
        self.map.whole.tally
    }

    /// The number of sites without a position.
    #[must_use]
    pub fn unplaced(&self) -> u32 {
        self.roster.unplaced(self.classes)
    }

    /// The symbols of a tile: those drawn in its square, north and west edge included.
    ///
    /// Costs a bounded number of cells, whatever the number of sites.
    #[must_use]
    pub fn tile(&self, tile: TileId) -> Symbols<'map> {
        mapping::symbols(self.view, Window::of_tile(tile), |point| TileId::holding(point, tile.z()) == tile)
    }

    /// The symbols drawn in a box, edges included; the same that tiles of this zoom hold.
    ///
    /// Refuses a zoom above [`super::mercator::ZOOM_MAX`], and a box of more than [`super::VIEWPORT_CELLS_MAX`] cells.
    pub fn viewport(&self, bounds: &BoundingBox, zoom: u8) -> Result<Symbols<'map>, Invalid> {
        let window = Window::of_box(bounds, checked_zoom(zoom)?)?;
        let (low, high) = (Point::project(bounds.low), Point::project(bounds.high));
        Ok(mapping::symbols(self.view, window, |point| {
            let column = if bounds.crosses_antimeridian() {
                point.x >= low.x || point.x <= high.x
            } else {
                (low.x..=high.x).contains(&point.x)
            };
            column && (high.y..=low.y).contains(&point.y)
        }))
    }

    /// The sites in a box that come after `after`, at most `limit`, by id.
    ///
    /// Exact on positions, poles included. Costs a look at each site in the box, for each page.
    #[must_use]
    pub fn in_box(&self, bounds: &BoundingBox, after: Option<SiteId>, limit: usize) -> Vec<EntryRef<'map>> {
        search::in_region(self.view, &BoxRegion::new(bounds), after, limit)
    }

    /// The number of sites in a box; costs the length of its edge, not the sites inside.
    #[must_use]
    pub fn count_in_box(&self, bounds: &BoundingBox) -> u64 {
        search::count_in(self.view, &BoxRegion::new(bounds))
    }

    /// The sites in polygons that come after `after`, at most `limit`, by id; each once.
    ///
    /// Costs a look at each site inside, for each page, and of those near an edge one at the edges of their latitude.
    #[must_use]
    pub fn in_polygons(&self, polygons: &Polygons, after: Option<SiteId>, limit: usize) -> Vec<EntryRef<'map>> {
        search::in_region(self.view, &PolygonRegion::new(polygons), after, limit)
    }

    /// The `limit` sites nearest to `center`, by great-circle metres and id.
    #[must_use]
    pub fn nearest(&self, center: LatLng, limit: usize) -> Vec<Near<'map>> {
        near::nearest(self.view, center, limit)
    }

    /// The sites at most `radius_m` metres from `center` that come after `after`, at most `limit`, by distance and id.
    ///
    /// Costs a distance for each site in the circle, for each page. A radius that is negative or NaN holds nothing.
    #[must_use]
    pub fn within(
        &self,
        center: LatLng,
        radius_m: f64,
        after: Option<DistanceCursor>,
        limit: usize,
    ) -> Vec<Near<'map>> {
        near::within(self.view, center, radius_m, after, limit)
    }

    /// The smallest box around all sites in view; `None` where none is placed.
    #[must_use]
    pub fn fit(&self) -> Option<BoundingBox> {
        fit::fit(self.view)
    }

    /// The next sites behind `after` that have others of greater ids within `distance_m` metres, at most `limit`, along
    /// the map. See [`Duplicates`] for what bounds the work.
    #[must_use]
    pub fn near_duplicates(&self, distance_m: f64, after: Option<WalkCursor>, limit: usize) -> Duplicates<'map> {
        duplicates::near_duplicates(self.view, distance_m, after, limit)
    }

    /// The sites of a cluster or area shown at `zoom` that come after `after`, at most `limit`, by id; `None` where
    /// none of that id is shown. Costs a look at each of its sites, for each page.
    #[must_use]
    pub fn leaves(
        &self,
        symbol: SymbolId,
        zoom: u8,
        after: Option<SiteId>,
        limit: usize,
    ) -> Option<Vec<EntryRef<'map>>> {
        if let SymbolId::Pin(site) = symbol {
            let is_shown = self.locate(site, zoom)? == symbol;
            let Some(Standing::Placed(entry)) = self.get(site) else { return None };
            let is_wanted = is_shown && limit > 0 && after.is_none_or(|after| after < site);
            return Some(is_wanted.then_some(entry).into_iter().collect());
        }
        let leaves = Leaves::of(self.view, symbol, checked_zoom(zoom).ok()?)?;
        let found = search::leaves(self.view, &leaves, after, limit);
        // An area without sites is not shown; an empty page of one with sites is its end.
        let exists = !found.is_empty() || !search::leaves(self.view, &leaves, None, 1).is_empty();
        exists.then_some(found)
    }

    /// The symbol that holds the site at `zoom`; `None` where it is not in view, or no map has that zoom.
    #[must_use]
    pub fn locate(&self, site: SiteId, zoom: u8) -> Option<SymbolId> {
        let zoom = checked_zoom(zoom).ok()?;
        let Some(Standing::Placed(_)) = self.get(site) else { return None };
        let pile = self.roster.tree.piles.of(self.map.number(site)?)?;
        Some(mapping::locate(self.view, site, pile, zoom))
    }

    /// When exactly the cluster that is kept in `cell` comes apart; `None` where there is no such cluster.
    ///
    /// Costs some cells for each zoom between.
    #[must_use]
    pub fn expansion(&self, cell: Cell) -> Option<Expansion> {
        mapping::expansion(self.view, cell)
    }
}
