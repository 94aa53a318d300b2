//! Lists of the map's sites: in a region, near a position, near one another, behind a symbol. Page by page.

use serde::{Deserialize, Serialize};

use super::zoom_of;
use crate::model::Invalid;
use crate::model::access::Principal;
use crate::model::geo::{BoundingBox, DISTANCE_M_MAX, LatLng};
use crate::model::id::{AccountId, SiteId};
use crate::model::polygon::Polygons;
use crate::service::error::Resource;
use crate::service::paging::{Page, PageRequest, page_size, query_purpose};
use crate::service::symbols::SiteSummary;
use crate::service::{Error, Waymark};
use crate::spatial::duplicates::{Duplicate, WalkCursor};
use crate::spatial::entry::EntryRef;
use crate::spatial::near::{DistanceCursor, Near};
use crate::spatial::symbols::SymbolId;

/// Neighbours where the caller does not say how many.
const NEAREST_DEFAULT: usize = 10;
/// Most neighbours.
const NEAREST_MAX: usize = 1_000;
/// Farthest that sites may be from one another and still be asked about as duplicates, in metres.
const DUPLICATE_DISTANCE_M_MAX: f64 = 1_000.0;

/// Sites of a box.
#[derive(Debug, Clone)]
pub struct BoxPage {
    /// The page.
    pub page: Page<SiteSummary>,
    /// All matching sites in the box.
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

/// A site, and those that stand so near that they may be the same.
#[derive(Debug, Clone)]
pub struct NearDuplicate {
    /// The site.
    pub site: SiteSummary,
    /// Those of greater ids, nearest first.
    pub others: Vec<Neighbour>,
    /// Whether there are more.
    pub has_more: bool,
}

/// The place on the page of a walk by distance.
#[derive(Debug, Serialize, Deserialize)]
struct Behind {
    distance_m: f64,
    site: SiteId,
}

/// The place on the page of a walk along the map.
#[derive(Debug, Serialize, Deserialize)]
struct Along {
    place: u64,
    site: SiteId,
}

impl Neighbour {
    fn of(account: &AccountId, (entry, distance_m): &Near<'_>) -> Self {
        Self { site: SiteSummary::of(account, entry), distance_m: *distance_m }
    }

    fn cursor(&self) -> Behind {
        Behind { distance_m: self.distance_m, site: self.site.site }
    }
}

impl NearDuplicate {
    fn of(account: &AccountId, found: &Duplicate<'_>) -> Self {
        Self {
            site: SiteSummary::of(account, &found.site),
            others: found.others.iter().map(|near| Neighbour::of(account, near)).collect(),
            has_more: found.has_more,
        }
    }
}

fn summaries(account: &AccountId, found: &[EntryRef<'_>]) -> Vec<SiteSummary> {
    found.iter().map(|entry| SiteSummary::of(account, entry)).collect()
}

impl Waymark {
    /// The matching sites in a box, ordered by id.
    pub async fn list_box(
        &self,
        principal: &Principal,
        account: &AccountId,
        bounds: &BoundingBox,
        filter: &str,
        page: &PageRequest,
    ) -> Result<BoxPage, Error> {
        let map = self.map_of(principal, account, filter)?;
        let limit = page.limit()?;
        let purpose = || query_purpose(principal, "box", &(account, bounds, filter));
        let after: Option<SiteId> = self.cursor(&purpose, page)?;
        let (found, total) = map
            .look(|view, _| (summaries(account, &view.in_box(bounds, after, limit + 1)), view.count_in_box(bounds)))
            .await;
        Ok(BoxPage { page: self.page(&purpose, found, limit, |site: &SiteSummary| site.site), total })
    }

    /// The matching sites in polygons, ordered by id.
    pub async fn list_polygons(
        &self,
        principal: &Principal,
        account: &AccountId,
        polygons: &Polygons,
        filter: &str,
        page: &PageRequest,
    ) -> Result<Page<SiteSummary>, Error> {
        let map = self.map_of(principal, account, filter)?;
        let limit = page.limit()?;
        let purpose = || query_purpose(principal, "polygons", &(account, polygons, filter));
        let after: Option<SiteId> = self.cursor(&purpose, page)?;
        let found = map.look(|view, _| summaries(account, &view.in_polygons(polygons, after, limit + 1))).await;
        Ok(self.page(&purpose, found, limit, |site: &SiteSummary| site.site))
    }

    /// The matching sites nearest to a position.
    pub async fn list_nearest(
        &self,
        principal: &Principal,
        account: &AccountId,
        position: LatLng,
        count: i32,
        filter: &str,
    ) -> Result<Vec<Neighbour>, Error> {
        let map = self.map_of(principal, account, filter)?;
        let count = page_size("page_size", count, NEAREST_DEFAULT, NEAREST_MAX)?;
        let near =
            map.look(|view, _| view.nearest(position, count).iter().map(|near| Neighbour::of(account, near)).collect());
        Ok(near.await)
    }

    /// The matching sites within a radius, nearest first.
    pub async fn list_within(
        &self,
        principal: &Principal,
        account: &AccountId,
        (center, radius_m): (LatLng, f64),
        filter: &str,
        page: &PageRequest,
    ) -> Result<Page<Neighbour>, Error> {
        let map = self.map_of(principal, account, filter)?;
        if !(radius_m > 0.0 && radius_m <= DISTANCE_M_MAX.ceil()) {
            let why = format!("a radius is in (0, {:.0}] metres, got {radius_m}", DISTANCE_M_MAX.ceil());
            return Err(Invalid::new("radius_m", why).into());
        }
        let limit = page.limit()?;
        let purpose = || query_purpose(principal, "within", &(account, center, radius_m, filter));
        let after: Option<Behind> = self.cursor(&purpose, page)?;
        let after = after.map(|behind| DistanceCursor { distance_m: behind.distance_m, site: behind.site });
        let near = map.look(|view, _| -> Vec<_> {
            let found = view.within(center, radius_m, after, limit + 1);
            found.iter().map(|near| Neighbour::of(account, near)).collect()
        });
        Ok(self.page(&purpose, near.await, limit, Neighbour::cursor))
    }

    /// Matching sites with others at most so many metres away, along the map.
    pub async fn list_near_duplicates(
        &self,
        principal: &Principal,
        account: &AccountId,
        distance_m: f64,
        filter: &str,
        page: &PageRequest,
    ) -> Result<Page<NearDuplicate>, Error> {
        let map = self.map_of(principal, account, filter)?;
        if !(0.0..=DUPLICATE_DISTANCE_M_MAX).contains(&distance_m) {
            let why = format!("a distance is in [0, {DUPLICATE_DISTANCE_M_MAX:.0}] metres, got {distance_m}");
            return Err(Invalid::new("distance_m", why).into());
        }
        let limit = page.limit()?;
        let purpose = || query_purpose(principal, "near-duplicates", &(account, distance_m, filter));
        let after: Option<Along> = self.cursor(&purpose, page)?;
        let after = after.map(|along| WalkCursor { place: along.place, site: along.site });
        let (found, next) = map
            .look(|view, _| {
                let page = view.near_duplicates(distance_m, after, limit);
                let found: Vec<_> = page.found.iter().map(|found| NearDuplicate::of(account, found)).collect();
                (found, page.next.map(|next| Along { place: next.place, site: next.site }))
            })
            .await;
        Ok(self.page_until(&purpose, found, next.as_ref()))
    }

    /// The matching sites behind a cluster or an area, ordered by id.
    pub async fn list_cluster(
        &self,
        principal: &Principal,
        account: &AccountId,
        (id, zoom): (&str, i32),
        filter: &str,
        page: &PageRequest,
    ) -> Result<Page<SiteSummary>, Error> {
        let map = self.map_of(principal, account, filter)?;
        let symbol: SymbolId = id.parse().map_err(|fault: Invalid| Invalid::new("cluster_id", fault.why))?;
        let zoom = zoom_of(zoom)?;
        let limit = page.limit()?;
        let purpose = || query_purpose(principal, "cluster", &(account, id, zoom, filter));
        let after: Option<SiteId> = self.cursor(&purpose, page)?;
        let found =
            map.look(|view, _| view.leaves(symbol, zoom, after, limit + 1).map(|found| summaries(account, &found)));
        let missing = || Error::NotFound(Resource::Symbol(account.clone(), symbol.to_string()));
        let found = found.await.ok_or_else(missing)?;
        Ok(self.page(&purpose, found, limit, |site: &SiteSummary| site.site))
    }
}
