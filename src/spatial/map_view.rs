//! What a map answers about some of its sites: all of them, those of some classes, those of a selection.
//!
//! Everything is answered as if the map held no other sites. Read-only.

use crate::model::attention::Attention;
use crate::model::geo::{BoundingBox, LatLng};
use crate::model::id::SiteId;
use crate::model::polygon::Polygons;

use super::AccountMap;
use super::attending::{AttentionCounts, AttentionCursor};
use super::class::{Classes, Tally};
use super::duplicates::{self, Duplicate};
use super::entry::EntryRef;
use super::expansion::{self, EXPANSION_CELLS_MAX};
use super::fit;
use super::mapping::{self, Leaves};
use super::mercator::{Point, TileId, checked_zoom};
use super::near::{self, DistanceCursor, Near};
use super::refusal::Refusal;
use super::region::{BoxRegion, PolygonRegion};
use super::roster::Roster;
use super::search;
use super::selection::Selection;
use super::symbols::{SymbolId, Symbols};
use super::view::View;
use super::walk::{WalkCursor, Walked};
use super::window::Window;

/// Some sites of a map.
#[derive(Debug, Clone, Copy)]
pub struct MapView<'map> {
    map: &'map AccountMap,
    roster: &'map Roster,
    /// `None` where the roster is that of the whole map.
    selection: Option<&'map Selection>,
    /// The sites that it is of; `None` for all of the map.
    all: Option<&'map Selection>,
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
        Self { map, roster, selection, all: None, classes, view: View::new(&map.entries, &roster.tree, classes) }
    }

    /// The same, of the sites of a selection as if the map held no others: those in view are among them.
    #[must_use]
    pub fn among(self, all: Self) -> Self {
        Self { all: all.selection, ..self }
    }

    /// The site; `None` where it is not among those in view.
    #[must_use]
    pub fn get(&self, site: SiteId) -> Option<Standing<'map>> {
        let number = self.map.number(site)?;
        let entry = &self.map.entries[number];
        if entry.is_placed() {
            let is_in_view = self.roster.tree.piles.of(number).is_some() && self.classes.has(entry.class());
            return is_in_view.then(|| Standing::Placed(self.map.entries.get(number)));
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
        self.all.map_or(self.map.whole.tally, |all| all.roster.tally)
    }

    /// The sites of the whole map, in view or not, placed or not, in no order. Costs a look at each of them, and of a map that is
    /// not of some sites at each number that was ever given out.
    pub fn whole(&self) -> impl Iterator<Item = SiteId> + use<'map> {
        let entries = &self.map.entries;
        self.numbers().map(move |number| entries[number].site)
    }

    /// The same, each with its name.
    pub fn whole_named(&self) -> impl Iterator<Item = (SiteId, &'map str)> + use<'map> {
        let entries = &self.map.entries;
        let named = move |number| Some((entries[number].site, entries.subject(number)?.card.display_name()));
        self.numbers().filter_map(named)
    }

    /// The numbers of the sites of the whole map.
    fn numbers(&self) -> impl Iterator<Item = u32> + use<'map> {
        let (entries, all) = (&self.map.entries, self.all);
        let end = if all.is_none() { entries.end() } else { 0 };
        let of_map = (0..end).filter(move |number| entries.subject(*number).is_some());
        of_map.chain(all.into_iter().flat_map(Selection::numbers))
    }

    /// The number of sites without a position.
    #[must_use]
    pub fn unplaced(&self) -> u32 {
        self.roster.unplaced(self.classes)
    }

    /// How many sites in view need attention, by reason. Costs nothing, whatever the number of sites.
    #[must_use]
    pub fn attention_counts(&self) -> AttentionCounts {
        self.roster.attending.counts(self.classes)
    }

    /// The sites in view that need attention for one of the wanted reasons, behind `after`, at most `limit`: by their worst
    /// reason, then by id.
    ///
    /// Costs a look at each site in need that is passed over, at most 20,000, after which a page ends
    /// early; none at the others.
    #[must_use]
    pub fn attending(
        &self,
        wanted: Attention,
        after: Option<AttentionCursor>,
        limit: usize,
    ) -> (Vec<(SiteId, Attention)>, Option<AttentionCursor>) {
        self.roster.attending.page(after, limit, |site| {
            let subject = self.map.entries.subject(self.map.number(site)?)?;
            let is_in_view = self.classes.holds(subject.status, subject.source);
            (is_in_view && subject.attention.meets(wanted)).then_some(subject.attention)
        })
    }

    /// How many sites that persons located are on the spot of this one; `None` where it is not one of them.
    #[must_use]
    pub fn company_of(&self, site: SiteId) -> Option<u32> {
        self.map.company_of(self.map.number(site)?)
    }

    /// The symbols of a tile: those drawn in its square, north and west edge included.
    ///
    /// Costs a bounded number of cells, whatever the number of sites; refuses where those around that decide what is drawn
    /// would be more.
    pub fn tile(&self, tile: TileId) -> Result<Symbols<'map>, Refusal> {
        mapping::symbols(self.view, Window::of_tile(tile), |point| TileId::holding(point, tile.z()) == tile)
    }

    /// The symbols drawn in a box, edges included, the meridians -180 and 180 as one; the same that tiles of this zoom
    /// hold.
    ///
    /// Refuses a zoom above [`super::mercator::ZOOM_MAX`], a box of more than [`super::VIEWPORT_CELLS_MAX`] cells, and what
    /// a tile would refuse.
    pub fn viewport(&self, bounds: &BoundingBox, zoom: u8) -> Result<Symbols<'map>, Refusal> {
        let window = Window::of_box(bounds, checked_zoom(zoom)?)?;
        let (low, high) = (Point::project(bounds.low), Point::project(bounds.high));
        mapping::symbols(self.view, window, |point| {
            let is_between = if bounds.crosses_antimeridian() {
                point.x >= low.x || point.x <= high.x
            } else {
                (low.x..=high.x).contains(&point.x)
            };
            let is_at_west = bounds.begins_at_antimeridian() && point.x == u32::MAX;
            let is_at_east = bounds.ends_at_antimeridian() && point.x == 0;
            (is_between || is_at_west || is_at_east) && (high.y..=low.y).contains(&point.y)
        })
    }

    /// The sites in a box from `from` on, at most `limit`, along the map.
    ///
    /// Exact on positions, poles included. Costs what is on the page; see [`Walked`] for what bounds it.
    #[must_use]
    pub fn in_box(&self, bounds: &BoundingBox, from: Option<WalkCursor>, limit: usize) -> Walked<EntryRef<'map>> {
        search::in_region(self.view, &BoxRegion::new(bounds), from, limit)
    }

    /// The number of sites in a box; costs the length of its edge, not the sites inside. Refuses where there would be too many
    /// to look at.
    pub fn count_in_box(&self, bounds: &BoundingBox) -> Result<u64, Refusal> {
        search::count_in(self.view, &BoxRegion::new(bounds))
    }

    /// The sites in polygons from `from` on, at most `limit`, along the map; each once.
    ///
    /// Costs what is on the page, and for sites near an edge a look at the edges of their latitude.
    #[must_use]
    pub fn in_polygons(&self, polygons: &Polygons, from: Option<WalkCursor>, limit: usize) -> Walked<EntryRef<'map>> {
        search::in_region(self.view, &PolygonRegion::new(polygons), from, limit)
    }

    /// How many looks [`within`](Self::within) takes, at most `looks_max`; [`nearest`](Self::nearest) with an infinite radius.
    #[cfg(test)]
    pub(super) fn looks_within(
        &self,
        center: LatLng,
        radius_m: f64,
        after: Option<DistanceCursor>,
        limit: usize,
        looks_max: usize,
    ) -> Result<usize, Refusal> {
        near::looks(self.view, center, radius_m, after, limit, looks_max)
    }

    /// The `limit` sites nearest to `center`, by great-circle metres and id.
    ///
    /// Costs a distance for each of some tens of cells around, wherever on the sphere they are, and for each site of the
    /// stacks at their edge; refuses where these would be too many.
    pub fn nearest(&self, center: LatLng, limit: usize) -> Result<Vec<Near<'map>>, Refusal> {
        near::nearest(self.view, center, limit)
    }

    /// The sites at most `radius_m` metres from `center` that come after `after`, at most `limit`, by distance and id.
    ///
    /// Costs a distance for each site of the ring that the page covers, and of the stacks at its edges; refuses where these
    /// would be too many. A radius that is negative or NaN holds nothing.
    pub fn within(
        &self,
        center: LatLng,
        radius_m: f64,
        after: Option<DistanceCursor>,
        limit: usize,
    ) -> Result<Vec<Near<'map>>, Refusal> {
        near::within(self.view, center, radius_m, after, limit)
    }

    /// The smallest box around all sites in view; `None` where none is placed. Refuses where there would be too many to look
    /// at.
    pub fn fit(&self) -> Result<Option<BoundingBox>, Refusal> {
        fit::fit(self.view)
    }

    /// The sites from `from` on that have others of greater ids within `distance_m` metres, at most `limit`, along the
    /// map. See [`Walked`] for what bounds the work; refuses where too many sites are near a single one.
    pub fn near_duplicates(
        &self,
        distance_m: f64,
        from: Option<WalkCursor>,
        limit: usize,
    ) -> Result<Walked<Duplicate<'map>>, Refusal> {
        duplicates::near_duplicates(self.view, distance_m, from, limit)
    }

    /// The sites of a cluster or area shown at `zoom` from `from` on, at most `limit`, along the map; `None` where none of
    /// that id is shown. A pin is its own only leaf. See [`Walked`] for what bounds the work; refuses what a tile would.
    pub fn leaves(
        &self,
        symbol: SymbolId,
        zoom: u8,
        from: Option<WalkCursor>,
        limit: usize,
    ) -> Result<Option<Walked<EntryRef<'map>>>, Refusal> {
        if let SymbolId::Pin(site) = symbol {
            let Some(Standing::Placed(entry)) = self.get(site) else { return Ok(None) };
            let is_shown = self.locate(site, zoom)? == Some(symbol);
            return Ok(is_shown.then(|| Walked { found: vec![entry], next: None }));
        }
        let Ok(zoom) = checked_zoom(zoom) else { return Ok(None) };
        let Some(leaves) = Leaves::of(self.view, symbol, zoom)? else { return Ok(None) };
        let walked = search::in_region(self.view, &leaves, from, limit);
        let is_empty = |walked: &Walked<_>| walked.found.is_empty() && walked.next.is_none();
        // An area without sites is not shown; an empty page of one with sites is its end.
        let is_gone =
            is_empty(&walked) && (from.is_none() || is_empty(&search::in_region(self.view, &leaves, None, 1)));
        Ok((!is_gone).then_some(walked))
    }

    /// The first zoom, deeper than `zoom`, at which the sites of a cluster that is shown at `zoom` are drawn as more than one
    /// symbol. `None` where no zoom does that, and for what is no cluster of that zoom.
    ///
    /// Costs a look at some hundred cells for each zoom that does not. Exact, but where more than 16,384 other cells
    /// decide: then it is the first zoom that is not known, and at least so deep is the one that was asked for. Refuses what
    /// a tile at `zoom` would.
    pub fn expansion(&self, symbol: SymbolId, zoom: u8) -> Result<Option<u8>, Refusal> {
        match symbol {
            SymbolId::Cluster(cell) if cell.zoom() == Some(zoom) => {
                expansion::expansion_zoom(self.view, cell, EXPANSION_CELLS_MAX)
            }
            _ => Ok(None),
        }
    }

    /// The symbol that holds the site at `zoom`; `None` where it is not in view, or no map has that zoom. Refuses what a tile
    /// would.
    pub fn locate(&self, site: SiteId, zoom: u8) -> Result<Option<SymbolId>, Refusal> {
        let (Ok(zoom), Some(Standing::Placed(_))) = (checked_zoom(zoom), self.get(site)) else { return Ok(None) };
        let pile = self.map.number(site).and_then(|number| self.roster.tree.piles.of(number));
        pile.map(|pile| mapping::locate(self.view, site, pile, zoom)).transpose()
    }
}
