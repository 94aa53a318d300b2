//! The map: what is in view, where a site is on it, what it all fits into. Answers from memory, at one instant each.
//!
//! `lists` what is in a region, near a position or behind a symbol; `coarse` is the map for screens that anybody may see.

mod coarse;
pub(super) mod lists;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::access::{Permission, sees_sites};
use super::error::Resource;
use super::filter::MapFilter;
use super::symbols::{SiteSummary, Symbols, Tally};
use super::{Error, Waymark};
use crate::live::LiveAccount;
use crate::model::Invalid;
use crate::model::access::Principal;
use crate::model::geo::BoundingBox;
use crate::model::id::{AccountId, Revision, SiteId};
use crate::spatial::map_view::{MapView, Standing};
use crate::spatial::mvt;
use crate::spatial::symbols::SymbolId;

pub use crate::spatial::mercator::{LAT_MAX, TileId, ZOOM_MAX};
pub use crate::spatial::tile_fields::{FieldKind, LAYERS, LayerFields};
pub use lists::{BoxPage, ClusterPage, NearDuplicate, Neighbour};

/// Longest time of a tile. It is made in microseconds; behind many others whose filters nobody asked for before it may
/// have to wait.
pub(super) const TILE_TIME_MAX: Duration = Duration::from_secs(2);
/// Longest time of any other look at the map. It takes milliseconds, at its limits some 0.2 s; the first with a filter looks at each site of the
/// account, and may wait for others that do. What was made of it meanwhile is kept, so that the next try goes on there.
pub(super) const LOOK_TIME_MAX: Duration = Duration::from_secs(20);

/// What is in view, all of it from one instant.
#[derive(Debug, Clone)]
pub struct Viewport {
    /// The symbols whose position is in the viewport.
    pub symbols: Symbols,
    /// All placed sites of the account.
    pub account: Tally,
    /// The placed sites that match.
    pub matching: Tally,
    /// The placed sites that match all but the filter's conditions of classes.
    pub legend: Tally,
    /// Matching sites without a position.
    pub unplaced: u32,
    /// Every write to the account up to this one is in.
    pub revision: Revision,
}

impl Viewport {
    /// The same without the names of sites, for who shows none.
    #[must_use]
    pub fn nameless(self) -> Self {
        Self { symbols: self.symbols.nameless(), ..self }
    }
}

/// A vector tile.
#[derive(Debug, Clone)]
pub struct Tile {
    /// Mapbox Vector Tile 2.1; empty for an empty tile.
    pub bytes: Vec<u8>,
    /// Every write to the account up to this one is in.
    pub revision: Revision,
}

/// What sites fit into.
#[derive(Debug, Clone)]
pub struct Fit {
    /// The smallest box around them; `None` where none is placed.
    pub bounds: Option<BoundingBox>,
    /// The placed ones.
    pub tally: Tally,
    /// Those without a position.
    pub unplaced: u32,
    /// Every write to the account up to this one is in.
    pub revision: Revision,
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

/// An account's map, of which some sites are asked for.
pub(super) struct Filtered {
    live: Arc<LiveAccount>,
    filter: MapFilter,
}

impl Filtered {
    /// What is read of them, in time.
    pub(super) async fn look<T>(
        &self,
        read: impl FnOnce(MapView<'_>, Revision) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.look_within(LOOK_TIME_MAX, read).await
    }

    async fn look_within<T>(
        &self,
        time_max: Duration,
        read: impl FnOnce(MapView<'_>, Revision) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let look = self.live.look(self.filter.selected(), read);
        timeout(time_max, look).await.map_err(|_| Error::TooLate(time_max))?
    }
}

impl Waymark {
    /// Whether the principal may ask for tiles of the account with this filter: for those who promise tiles before they
    /// make any.
    pub fn check_tiles(&self, principal: &Principal, account: &AccountId, filter: &str) -> Result<(), Error> {
        self.map_of(principal, account, filter).map(|_| ())
    }

    /// Whether the principal may look at the account's map as on a screen, with this filter: for those who answer before they look.
    /// That alone opens no tile.
    pub fn check_screen(&self, principal: &Principal, account: &AccountId, filter: &str) -> Result<(), Error> {
        self.screen_of(principal, account, filter).map(|_| ())
    }

    /// A vector tile of the sites that match the filter.
    pub async fn tile(
        &self,
        principal: &Principal,
        account: &AccountId,
        tile: TileId,
        filter: &str,
    ) -> Result<Tile, Error> {
        let map = self.map_of(principal, account, filter)?;
        let made = map.look_within(TILE_TIME_MAX, |view, revision| {
            Ok(Tile { bytes: mvt::encode(&view.tile(tile)?, tile), revision })
        });
        made.await
    }

    /// The symbols of matching sites in a viewport, and counts for a legend. Coarse for who sees no sites.
    pub async fn viewport(
        &self,
        principal: &Principal,
        account: &AccountId,
        bounds: &BoundingBox,
        zoom: i32,
        filter: &str,
    ) -> Result<Viewport, Error> {
        let map = self.screen_of(principal, account, filter)?;
        let (mut bounds, mut zoom) = (*bounds, zoom_of(zoom)?);
        if !sees_sites(principal) {
            (bounds, zoom) = (coarse::widened(&bounds), coarse::zoom(zoom)?);
        }
        let look = |view: MapView<'_>, revision| -> Result<_, Error> {
            Ok(Viewport {
                symbols: Symbols::of(&view.viewport(&bounds, zoom)?),
                account: view.account(),
                matching: view.tally(),
                legend: view.legend(),
                unplaced: view.unplaced(),
                revision,
            })
        };
        let seen = map.look(look).await?;
        Ok(if sees_sites(principal) { seen } else { coarse::viewport(seen) })
    }

    /// The box that a map has to show for all matching sites to be on it. Coarse for who sees no sites.
    pub async fn fit(&self, principal: &Principal, account: &AccountId, filter: &str) -> Result<Fit, Error> {
        let map = self.screen_of(principal, account, filter)?;
        let fit = map.look(|view, revision| {
            let (bounds, tally, unplaced) = (view.fit()?, view.tally(), view.unplaced());
            Ok(Fit { bounds, tally, unplaced, revision })
        });
        let fit = fit.await?;
        Ok(if sees_sites(principal) { fit } else { coarse::fit(&fit) })
    }

    /// The symbol that shows a site at a zoom, by its id; `None` for a pin of its own.
    pub async fn locate_site(
        &self,
        principal: &Principal,
        account: &AccountId,
        site: SiteId,
        zoom: i32,
        filter: &str,
    ) -> Result<(Option<String>, SiteSummary), Error> {
        let map = self.map_of(principal, account, filter)?;
        let zoom = zoom_of(zoom)?;
        let resource = || Resource::Site(account.clone(), site);
        let look = |view: MapView<'_>, _| match view.get(site) {
            None => Err(Error::NotFound(resource())),
            Some(Standing::Unplaced) => Err(Error::SiteUnplaced(resource())),
            Some(Standing::Placed(entry)) => {
                let symbol = view.locate(site, zoom)?.filter(|symbol| !matches!(symbol, SymbolId::Pin(_)));
                Ok((symbol.map(|symbol| symbol.to_string()), SiteSummary::of(&entry)))
            }
        };
        map.look(look).await
    }

    /// The account's map, if the principal may see it; then the filter.
    pub(super) fn map_of(&self, principal: &Principal, account: &AccountId, filter: &str) -> Result<Filtered, Error> {
        let live = self.account_for(principal, account, Permission::Map)?;
        Ok(Filtered { live, filter: MapFilter::parse(filter, principal.sight())? })
    }

    /// Which of the account's sites match, for who looks at nothing else of the map: the exact one says that of no more than the filter
    /// asks, which asks for no more than the principal sees.
    pub(super) fn matching(&self, principal: &Principal, account: &AccountId, filter: &str) -> Result<Filtered, Error> {
        let live = self.account_for(principal, account, Permission::Find)?;
        Ok(Filtered { live, filter: MapFilter::parse(filter, principal.sight())?.exactly() })
    }

    /// The account's map, if the principal may look at it as on a screen in a hall; then the filter, which looks at no text for
    /// who sees no sites.
    fn screen_of(&self, principal: &Principal, account: &AccountId, filter: &str) -> Result<Filtered, Error> {
        if sees_sites(principal) {
            return self.map_of(principal, account, filter);
        }
        let live = self.account_for(principal, account, Permission::Look)?;
        Ok(Filtered { live, filter: MapFilter::parse_for_counts(filter)? })
    }
}
