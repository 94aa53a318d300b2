//! What the map answers, in values of its own: the engine's are only good while its lock is held.

use crate::model::geo::{BoundingBox, LatLng};
use crate::model::id::SiteId;
use crate::model::location::{Granularity, Source};
use crate::model::site::Status;
use crate::spatial::entry::EntryRef;
use crate::spatial::symbols::{self, SymbolId};

pub use crate::spatial::class::Tally;

/// The little of a site that a map or a list row needs.
#[derive(Debug, Clone, PartialEq)]
pub struct SiteSummary {
    /// Its id, in the account that was asked about.
    pub site: SiteId,
    /// Its name.
    pub display_name: String,
    /// Whether it can be reached.
    pub status: Status,
    /// Its effective position.
    pub position: LatLng,
    /// Accuracy radius in metres, where known.
    pub accuracy_m: Option<f64>,
    /// How fine the position is.
    pub granularity: Granularity,
    /// Source of the position.
    pub source: Source,
}

impl SiteSummary {
    pub(super) fn of(entry: &EntryRef<'_>) -> Self {
        Self {
            site: entry.site,
            display_name: entry.display_name().to_owned(),
            status: entry.status,
            position: entry.position,
            accuracy_m: entry.accuracy_m,
            granularity: entry.granularity,
            source: entry.source,
        }
    }
}

/// Several sites drawn as one.
#[derive(Debug, Clone, PartialEq)]
pub struct Cluster {
    /// Its id.
    pub id: String,
    /// What it holds.
    pub tally: Tally,
    /// Where it is drawn.
    pub position: LatLng,
    /// A box around its sites.
    pub bounds: BoundingBox,
    /// A zoom before which it does not fall apart; `None` for never.
    pub expansion_zoom: Option<u8>,
    /// Whether it certainly never does.
    pub is_stack: bool,
}

/// Sites known too coarsely for a pin.
#[derive(Debug, Clone, PartialEq)]
pub struct Area {
    /// Its id.
    pub id: String,
    /// What it holds.
    pub tally: Tally,
    /// Where it is drawn.
    pub position: LatLng,
    /// The largest known accuracy radius of its sites, in metres.
    pub radius_m: Option<f64>,
    /// A size to draw where no radius is known, in metres.
    pub extent_m: f64,
    /// The coarsest granularity of its sites.
    pub granularity: Granularity,
    /// The site, where it is alone.
    pub site: Option<SiteSummary>,
}

/// All symbols of one view.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Symbols {
    /// Single sites.
    pub pins: Vec<SiteSummary>,
    /// Several sites each.
    pub clusters: Vec<Cluster>,
    /// Coarsely known sites.
    pub areas: Vec<Area>,
}

impl Symbols {
    /// The same without the names of sites.
    #[must_use]
    pub(super) fn nameless(mut self) -> Self {
        let alone = self.areas.iter_mut().filter_map(|area| area.site.as_mut());
        for site in self.pins.iter_mut().chain(alone) {
            site.display_name = String::new();
        }
        self
    }

    pub(super) fn of(found: &symbols::Symbols<'_>) -> Self {
        let cluster = |cluster: &symbols::Cluster| Cluster {
            id: SymbolId::Cluster(cluster.cell).to_string(),
            tally: cluster.tally,
            position: cluster.position(),
            bounds: cluster.bounds(),
            expansion_zoom: cluster.expansion_zoom,
            is_stack: cluster.is_stack(),
        };
        let area = |area: &symbols::Area<'_>| Area {
            id: SymbolId::Area(area.id).to_string(),
            tally: area.tally,
            position: area.position(),
            radius_m: area.radius_m,
            extent_m: area.extent_m(),
            granularity: area.granularity,
            site: area.lone.as_ref().map(SiteSummary::of),
        };
        Self {
            pins: found.pins.iter().map(|pin| SiteSummary::of(&pin.entry)).collect(),
            clusters: found.clusters.iter().map(cluster).collect(),
            areas: found.areas.iter().map(area).collect(),
        }
    }
}
