//! The map: what is in view, what is near, what stands behind a symbol. Answers from memory, at one instant each.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::access::Permission;
use super::error::Resource;
use super::paging::{Page, PageRequest, page_size, query_purpose};
use super::symbols::{Counts, SiteSummary, Symbols};
use super::{Error, Waymark};
use crate::live::LiveAccount;
use crate::model::Invalid;
use crate::model::access::Principal;
use crate::model::geo::{BoundingBox, DISTANCE_M_MAX, LatLng};
use crate::model::id::{AccountId, Revision, SiteId};
use crate::spatial::mercator::TileId;
use crate::spatial::mvt;
use crate::spatial::search::{DistanceCursor, Near};
use crate::spatial::symbols::SymbolId;

pub use crate::spatial::mercator::ZOOM_MAX;

/// Neighbours where the caller does not say how many.
const NEAREST_DEFAULT: usize = 10;
/// Most neighbours.
const NEAREST_MAX: usize = 1_000;

/// What is in view, all of it from one instant.
#[derive(Debug, Clone)]
pub struct MapView {
    /// The symbols whose position is in the viewport.
    pub symbols: Symbols,
    /// All placed sites of the account.
    pub account_counts: Counts,
    /// Its sites without a position.
    pub unplaced: usize,
    /// Every write to the account up to this one is in.
    pub revision: Revision,
}

/// Sites of a box.
#[derive(Debug, Clone)]
pub struct BoxPage {
    /// The page.
    pub page: Page<SiteSummary>,
    /// All sites in the box.
    pub total: u64,
}

/// A site and its great-circle distance in metres.
#[derive(Debug, Clone)]
pub struct Neighbour {
    /// The site.
    pub site: SiteSummary,
    /// How far it is.
    pub distance_m: f64,
}

/// The place on the page of a walk by distance.
#[derive(Debug, Serialize, Deserialize)]
struct Behind {
    distance_m: f64,
    site: SiteId,
}

/// The tile of these coordinates, each checked.
pub fn tile_id(z: u8, x: u32, y: u32) -> Result<TileId, Invalid> {
    TileId::new(z, x, y)
}

/// A zoom of the map from a request.
fn zoom_of(zoom: i32) -> Result<u8, Invalid> {
    let zoom = u8::try_from(zoom).ok().filter(|zoom| *zoom <= ZOOM_MAX);
    zoom.ok_or_else(|| Invalid::new("zoom", format!("a zoom is in [0, {ZOOM_MAX}]")))
}

impl Neighbour {
    fn of(account: &AccountId, (entry, distance_m): &Near<'_>) -> Self {
        Self { site: SiteSummary::of(account, entry), distance_m: *distance_m }
    }
}

impl Waymark {
    /// Whether the principal may see the account's map at all.
    pub fn check_map(&self, principal: &Principal, account: &AccountId) -> Result<(), Error> {
        self.map_of(principal, account).map(|_| ())
    }

    /// A vector tile's bytes; empty for an empty tile.
    pub fn tile(&self, principal: &Principal, account: &AccountId, tile: TileId) -> Result<Vec<u8>, Error> {
        let live = self.map_of(principal, account)?;
        let sites = live.sites.read();
        Ok(mvt::encode(&sites.map.tile(tile), tile))
    }

    /// The symbols in a viewport.
    pub fn view(
        &self,
        principal: &Principal,
        account: &AccountId,
        viewport: &BoundingBox,
        zoom: i32,
    ) -> Result<MapView, Error> {
        let live = self.map_of(principal, account)?;
        let zoom = zoom_of(zoom)?;
        let sites = live.sites.read();
        // A write is in the sites before its revision is told: all up to this one is in, perhaps more.
        let revision = live.revision();
        let symbols = sites.map.viewport(viewport, zoom)?;
        Ok(MapView {
            symbols: Symbols::of(account, &symbols),
            account_counts: Counts::from(&sites.map.tally()),
            unplaced: sites.unplaced.len(),
            revision,
        })
    }

    /// The sites in a box, ordered by id.
    pub fn list_box(
        &self,
        principal: &Principal,
        account: &AccountId,
        bounds: &BoundingBox,
        page: &PageRequest,
    ) -> Result<BoxPage, Error> {
        let live = self.map_of(principal, account)?;
        let limit = page.limit()?;
        let purpose = query_purpose(principal, "box", &(account, bounds));
        let after: Option<SiteId> = self.cursor(&purpose, page)?;
        let sites = live.sites.read();
        let found = sites.map.in_box(bounds, after, limit + 1);
        let found = found.iter().map(|entry| SiteSummary::of(account, entry)).collect();
        let page = self.page(&purpose, found, limit, |site: &SiteSummary| site.site);
        Ok(BoxPage { page, total: sites.map.count_in_box(bounds) })
    }

    /// The sites nearest to a position.
    pub fn list_nearest(
        &self,
        principal: &Principal,
        account: &AccountId,
        position: LatLng,
        count: i32,
    ) -> Result<Vec<Neighbour>, Error> {
        let live = self.map_of(principal, account)?;
        let count = page_size("page_size", count, NEAREST_DEFAULT, NEAREST_MAX)?;
        let sites = live.sites.read();
        let near = sites.map.nearest(position, count);
        Ok(near.iter().map(|near| Neighbour::of(account, near)).collect())
    }

    /// The sites within a radius, nearest first.
    pub fn list_within(
        &self,
        principal: &Principal,
        account: &AccountId,
        center: LatLng,
        radius_m: f64,
        page: &PageRequest,
    ) -> Result<Page<Neighbour>, Error> {
        let live = self.map_of(principal, account)?;
        if !(radius_m > 0.0 && radius_m <= DISTANCE_M_MAX.ceil()) {
            let why = format!("a radius is in (0, {:.0}] metres, got {radius_m}", DISTANCE_M_MAX.ceil());
            return Err(Invalid::new("radius_m", why).into());
        }
        let limit = page.limit()?;
        let purpose = query_purpose(principal, "within", &(account, center, radius_m));
        let after: Option<Behind> = self.cursor(&purpose, page)?;
        let after = after.map(|behind| DistanceCursor { distance_m: behind.distance_m, site: behind.site });
        let sites = live.sites.read();
        let near = sites.map.within(center, radius_m, after, limit + 1);
        let found = near.iter().map(|near| Neighbour::of(account, near)).collect();
        Ok(self.page(&purpose, found, limit, |near: &Neighbour| Behind {
            distance_m: near.distance_m,
            site: near.site.site,
        }))
    }

    /// The sites behind a cluster or an area, ordered by id.
    pub fn list_cluster(
        &self,
        principal: &Principal,
        account: &AccountId,
        id: &str,
        zoom: i32,
        page: &PageRequest,
    ) -> Result<Page<SiteSummary>, Error> {
        let live = self.map_of(principal, account)?;
        let symbol: SymbolId = id.parse().map_err(|fault: Invalid| Invalid::new("cluster_id", fault.why))?;
        let zoom = zoom_of(zoom)?;
        let limit = page.limit()?;
        let purpose = query_purpose(principal, "cluster", &(account, id, zoom));
        let after: Option<SiteId> = self.cursor(&purpose, page)?;
        let sites = live.sites.read();
        let missing = || Error::NotFound(Resource::Symbol(account.clone(), symbol.to_string()));
        let found = sites.map.leaves(symbol, zoom, after, limit + 1).ok_or_else(missing)?;
        let found = found.iter().map(|entry| SiteSummary::of(account, entry)).collect();
        Ok(self.page(&purpose, found, limit, |site: &SiteSummary| site.site))
    }

    /// The symbol that shows a site at a zoom, by its id; `None` for a pin of its own.
    pub fn locate_site(
        &self,
        principal: &Principal,
        account: &AccountId,
        site: SiteId,
        zoom: i32,
    ) -> Result<(Option<String>, SiteSummary), Error> {
        let live = self.map_of(principal, account)?;
        let zoom = zoom_of(zoom)?;
        let sites = live.sites.read();
        let missing = || Error::NotFound(Resource::Site(account.clone(), site));
        if sites.unplaced.contains(&site) {
            return Err(Error::SiteUnplaced(Resource::Site(account.clone(), site)));
        }
        let entry = sites.map.get(site).ok_or_else(missing)?;
        let symbol = sites.map.locate(site, zoom).filter(|symbol| !matches!(symbol, SymbolId::Pin(_)));
        Ok((symbol.map(|symbol| symbol.to_string()), SiteSummary::of(account, &entry)))
    }

    fn map_of(&self, principal: &Principal, account: &AccountId) -> Result<Arc<LiveAccount>, Error> {
        self.account_for(principal, account, Permission::Read)
    }
}
