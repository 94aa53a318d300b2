//! The map engine: all sites of one account in memory, as pins, clusters and areas, and by distance and box.
//!
//! `entry` what is known of a site; `mercator`, `window`, `frame` the geometry of the map; `stop` how far a site may
//! be refined; `mass` and `pile` sums and sites of one point; `node` and `tree` the quadtree that holds them;
//! `spacing`, `board` and `mapping` from cells to `symbols`; `search` boxes and distances; `mvt` and `layer` tiles as
//! bytes.
//!
//! Knows nothing of storage, revisions and tenants: one [`AccountMap`] an account, and a lock around it, is the
//! caller's. Nothing is cached, so nothing is ever stale.

mod arena;
mod board;
mod directory;
mod frame;
mod layer;
mod mapping;
mod mass;
mod node;
mod pile;
mod spacing;
mod stop;
mod tree;
mod window;

pub mod entry;
pub mod mercator;
pub mod mvt;
pub mod search;
pub mod symbols;

#[cfg(test)]
mod tests;

use crate::model::Invalid;
use crate::model::geo::{BoundingBox, LatLng};
use crate::model::id::SiteId;

pub use window::VIEWPORT_CELLS_MAX;

use directory::Directory;
use entry::{Entry, EntryRef, Stored, Tally};
use mapping::Leaves;
use mercator::{Cell, Point, TileId, checked_zoom};
use search::{DistanceCursor, Near};
use stop::Stop;
use symbols::{Expansion, SymbolId, Symbols};
use tree::Tree;
use window::Window;

/// The sites of one account, on the map.
///
/// Costs some 180 bytes a site, its name of 20 included. What it answers is a function of the entries that are in, whatever
/// the order in which they came and went.
#[derive(Debug, Default)]
pub struct AccountMap {
    directory: Directory,
    tree: Tree,
    tally: Tally,
}

impl AccountMap {
    /// A map without sites.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A map of many sites at once, each at most once.
    ///
    /// Faster than as many calls of [`Self::upsert`], and leaves neighbours on the map neighbours in memory.
    #[must_use]
    pub fn bulk(entries: impl IntoIterator<Item = Entry>) -> Self {
        let mut entries: Vec<(u64, Entry)> =
            entries.into_iter().map(|entry| (Point::project(entry.position).interleaved(), entry)).collect();
        entries.sort_unstable_by_key(|(place, _)| *place);
        let mut map = Self::new();
        map.directory.reserve(entries.len());
        map.tree.piles.entries.reserve(entries.len());
        for (_, entry) in entries {
            map.upsert(entry);
        }
        map
    }

    /// Puts a site on the map, or makes it what `entry` says: moved, renamed, of another status.
    ///
    /// Costs a walk of at most 32 nodes, two where the site moves, and little where only the name changes.
    pub fn upsert(&mut self, entry: Entry) {
        let Some(number) = self.number(entry.site) else {
            let (point, stop) = placed(&entry);
            let site = entry.site;
            let stored = Stored::new(entry);
            self.tally.add(stored.class());
            let number = self.tree.piles.entries.insert(stored);
            self.directory.insert(site, number);
            self.tree.attach(number, point, stop);
            return;
        };
        let stored = &self.tree.piles.entries[number];
        let pile = self.tree.piles.get(stored.pile);
        let old = self.tree.piles.facets(number, pile.point);
        let (point, stop) = if stored.has_fix_of(&entry) { (pile.point, pile.stop) } else { placed(&entry) };
        let stays = (point, stop) == (pile.point, pile.stop);
        if !stays {
            self.tree.detach(number);
        }
        self.tree.piles.entries[number].assign(entry);
        let new = self.tree.piles.facets(number, point);
        self.tally.subtract(old.class);
        self.tally.add(new.class);
        if !stays {
            self.tree.attach(number, point, stop);
        } else if new != old {
            self.tree.restate(number, &old);
        }
    }

    /// Takes a site off the map. Answers whether it was on it.
    pub fn remove(&mut self, site: SiteId) -> bool {
        let entries = &self.tree.piles.entries;
        let Some(number) = self.directory.remove(site, |number| entries[number].site == site) else { return false };
        self.tree.detach(number);
        self.tally.subtract(self.tree.piles.entries.take(number).class());
        true
    }

    /// The site as it is on the map.
    #[must_use]
    pub fn get(&self, site: SiteId) -> Option<EntryRef<'_>> {
        self.number(site).map(|number| self.tree.piles.entries[number].as_ref())
    }

    /// The number of sites.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tree.piles.entries.len()
    }

    /// Whether there are no sites.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All sites by status and certainty.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// The symbols of a tile: those drawn in its square, north and west edge included.
    ///
    /// Costs a bounded number of cells, whatever the number of sites.
    #[must_use]
    pub fn tile(&self, tile: TileId) -> Symbols<'_> {
        mapping::symbols(&self.tree, Window::of_tile(tile), |point| TileId::holding(point, tile.z()) == tile)
    }

    /// The symbols drawn in a box, edges included; the same that tiles of this zoom hold.
    ///
    /// Refuses a zoom above [`mercator::ZOOM_MAX`], and a box of more than [`VIEWPORT_CELLS_MAX`] cells.
    pub fn viewport(&self, bounds: &BoundingBox, zoom: u8) -> Result<Symbols<'_>, Invalid> {
        let window = Window::of_box(bounds, checked_zoom(zoom)?)?;
        let (low, high) = (Point::project(bounds.low), Point::project(bounds.high));
        Ok(mapping::symbols(&self.tree, window, |point| {
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
    pub fn in_box(&self, bounds: &BoundingBox, after: Option<SiteId>, limit: usize) -> Vec<EntryRef<'_>> {
        search::in_box(&self.tree, bounds, after, limit, |_| true)
    }

    /// As [`Self::in_box`], of the sites alone for which `is_wanted`: a polygon, a filter.
    pub fn in_box_where<'map>(
        &'map self,
        bounds: &BoundingBox,
        after: Option<SiteId>,
        limit: usize,
        is_wanted: impl FnMut(EntryRef<'map>) -> bool,
    ) -> Vec<EntryRef<'map>> {
        search::in_box(&self.tree, bounds, after, limit, is_wanted)
    }

    /// The number of sites in a box; costs the length of its edge, not the sites inside.
    #[must_use]
    pub fn count_in_box(&self, bounds: &BoundingBox) -> u64 {
        search::count_in_box(&self.tree, bounds)
    }

    /// The `limit` sites nearest to `center`, by great-circle metres and id.
    #[must_use]
    pub fn nearest(&self, center: LatLng, limit: usize) -> Vec<Near<'_>> {
        search::nearest(&self.tree, center, limit)
    }

    /// The sites at most `radius_m` metres from `center` that come after `after`, at most `limit`, by distance and id.
    ///
    /// Costs a distance for each site in the circle, for each page. A radius that is negative or NaN holds nothing.
    #[must_use]
    pub fn within(&self, center: LatLng, radius_m: f64, after: Option<DistanceCursor>, limit: usize) -> Vec<Near<'_>> {
        search::within(&self.tree, center, radius_m, after, limit)
    }

    /// The sites of a cluster or area shown at `zoom` that come after `after`, at most `limit`, by id; `None` where
    /// none of that id is shown. Costs a look at each of its sites, for each page.
    #[must_use]
    pub fn leaves(&self, symbol: SymbolId, zoom: u8, after: Option<SiteId>, limit: usize) -> Option<Vec<EntryRef<'_>>> {
        if let SymbolId::Pin(site) = symbol {
            let is_shown = self.locate(site, zoom)? == symbol && after.is_none_or(|after| after < site);
            return Some(self.get(site).filter(|_| is_shown && limit > 0).into_iter().collect());
        }
        let leaves = Leaves::of(&self.tree, symbol, checked_zoom(zoom).ok()?)?;
        let found = search::leaves(&self.tree, &leaves, after, limit);
        // An area without sites is not shown; an empty page of one with sites is its end.
        let exists = !found.is_empty() || !search::leaves(&self.tree, &leaves, None, 1).is_empty();
        exists.then_some(found)
    }

    /// The symbol that holds the site at `zoom`; `None` where it is not on the map, or no map has that zoom.
    #[must_use]
    pub fn locate(&self, site: SiteId, zoom: u8) -> Option<SymbolId> {
        let zoom = checked_zoom(zoom).ok()?;
        let entry = &self.tree.piles.entries[self.number(site)?];
        Some(mapping::locate(&self.tree, site, self.tree.piles.get(entry.pile), zoom))
    }

    /// When exactly the cluster that is kept in `cell` comes apart; `None` where there is no such cluster.
    ///
    /// Costs some cells for each zoom between.
    #[must_use]
    pub fn expansion(&self, cell: Cell) -> Option<Expansion> {
        mapping::expansion(&self.tree, cell)
    }

    fn number(&self, site: SiteId) -> Option<u32> {
        self.directory.find(site, |number| self.tree.piles.entries[number].site == site)
    }
}

/// Where a site is drawn, and how far it may be refined.
fn placed(entry: &Entry) -> (Point, Stop) {
    (Point::project(entry.position), Stop::fitting(entry.position, entry.accuracy_m, entry.granularity))
}
