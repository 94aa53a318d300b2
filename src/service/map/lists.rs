//! Lists of the map's sites: in a region, near a position, near one another, behind a symbol. Page by page.

use super::zoom_of;
use crate::model::Invalid;
use crate::model::access::Principal;
use crate::model::geo::{BoundingBox, DISTANCE_M_MAX, LatLng};
use crate::model::id::AccountId;
use crate::model::polygon::Polygons;
use crate::service::error::Resource;
use crate::service::paging::{Page, PageRequest, page_size, query_purpose};
use crate::service::symbols::SiteSummary;
use crate::service::{Error, Waymark};
use crate::spatial::duplicates::Duplicate;
use crate::spatial::entry::EntryRef;
use crate::spatial::near::{DistanceCursor, Near};
use crate::spatial::symbols::SymbolId;
use crate::spatial::walk::Walked;

/// Neighbours where the caller does not say how many.
const NEAREST_DEFAULT: usize = 10;
/// Most neighbours.
pub(in crate::service) const NEAREST_MAX: usize = 1_000;
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

/// Sites behind a symbol.
#[derive(Debug, Clone)]
pub struct ClusterPage {
    /// The page.
    pub page: Page<SiteSummary>,
    /// With the first page of a cluster: the first zoom at which its sites are more than one symbol, `None` for never.
    pub expansion_zoom: Option<u8>,
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

impl Neighbour {
    fn of((entry, distance_m): &Near<'_>) -> Self {
        Self { site: SiteSummary::of(entry), distance_m: *distance_m }
    }

    fn cursor(&self) -> DistanceCursor {
        DistanceCursor { distance_m: self.distance_m, site: self.site.site }
    }
}

impl NearDuplicate {
    fn of(found: &Duplicate<'_>) -> Self {
        Self {
            site: SiteSummary::of(&found.site),
            others: found.others.iter().map(Neighbour::of).collect(),
            has_more: found.has_more,
        }
    }
}

fn summaries(walked: Walked<EntryRef<'_>>) -> Walked<SiteSummary> {
    walked.map(|entry| SiteSummary::of(&entry))
}

impl Waymark {
    /// The matching sites in a box, along the map.
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
        let from = self.cursor(&purpose, page)?;
        let look = map.look(|view, _| {
            let walked = summaries(view.in_box(bounds, from, limit));
            Ok((walked, view.count_in_box(bounds)?))
        });
        let (walked, total) = look.await?;
        Ok(BoxPage { page: self.page_of(&purpose, walked), total })
    }

    /// The matching sites in polygons, along the map.
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
        let from = self.cursor(&purpose, page)?;
        let walked = map.look(|view, _| Ok(summaries(view.in_polygons(polygons, from, limit)))).await?;
        Ok(self.page_of(&purpose, walked))
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
        let near = map.look(|view, _| Ok(view.nearest(position, count)?.iter().map(Neighbour::of).collect()));
        near.await
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
        let after = self.cursor(&purpose, page)?;
        let near = map.look(|view, _| {
            let found = view.within(center, radius_m, after, limit + 1)?;
            Ok(found.iter().map(Neighbour::of).collect::<Vec<_>>())
        });
        Ok(self.page(&purpose, near.await?, limit, Neighbour::cursor))
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
        let from = self.cursor(&purpose, page)?;
        let walked = map
            .look(|view, _| Ok(view.near_duplicates(distance_m, from, limit)?.map(|found| NearDuplicate::of(&found))));
        Ok(self.page_of(&purpose, walked.await?))
    }

    /// The matching sites behind a cluster or an area, along the map, and where a cluster falls apart.
    pub async fn list_cluster(
        &self,
        principal: &Principal,
        account: &AccountId,
        (id, zoom): (&str, i32),
        filter: &str,
        page: &PageRequest,
    ) -> Result<ClusterPage, Error> {
        let map = self.map_of(principal, account, filter)?;
        let symbol: SymbolId = id.parse().map_err(|fault: Invalid| Invalid::new("cluster_id", fault.why))?;
        let zoom = zoom_of(zoom)?;
        let limit = page.limit()?;
        let purpose = || query_purpose(principal, "cluster", &(account, id, zoom, filter));
        let from = self.cursor(&purpose, page)?;
        let look = map.look(|view, _| {
            let walked = view.leaves(symbol, zoom, from, limit)?.map(summaries);
            // Looked for once: each page of a cluster would say the same.
            let expansion_zoom = if from.is_none() { view.expansion(symbol, zoom)? } else { None };
            Ok((walked, expansion_zoom))
        });
        let (walked, expansion_zoom) = look.await?;
        let missing = || Error::NotFound(Resource::Symbol(account.clone(), symbol.to_string()));
        Ok(ClusterPage { page: self.page_of(&purpose, walked.ok_or_else(missing)?), expansion_zoom })
    }

    fn page_of<T>(&self, purpose: &impl Fn() -> String, walked: Walked<T>) -> Page<T> {
        self.page_until(purpose, walked.found, walked.next.as_ref())
    }
}
