//! Symbols, summaries and counts.

use super::location::{bounding_box, granularity, lat_lng, source};
use super::site::status;
use crate::api::names;
use crate::api::proto::waymark::v1 as pb;
use crate::model::site::Status;
use crate::service::map::Neighbour;
use crate::service::symbols::{Area, Cluster, Counts, SiteSummary, Symbols};

/// The little of a site that a map or a list row needs.
pub(in crate::api) fn summary(site: SiteSummary) -> pb::SiteSummary {
    pb::SiteSummary {
        name: names::of_site(&site.account, site.site),
        display_name: site.display_name,
        status: status(site.status).into(),
        position: Some(lat_lng(site.position)),
        source: source(site.source).into(),
        granularity: granularity(site.granularity).into(),
        accuracy_m: site.accuracy_m,
    }
}

/// Counts.
pub(in crate::api) fn tally(counts: &Counts) -> pb::SiteTally {
    let of = |status: Status| u64::from(counts.by_status[status as usize]);
    pb::SiteTally {
        total: counts.total(),
        online: of(Status::Online),
        offline: of(Status::Offline),
        unknown: of(Status::Unknown),
        maintenance: of(Status::Maintenance),
        approximate: counts.approximate.into(),
    }
}

/// All symbols of one view.
pub(in crate::api) fn symbols(symbols: Symbols) -> pb::MapSymbols {
    pb::MapSymbols {
        pins: symbols.pins.into_iter().map(summary).collect(),
        clusters: symbols.clusters.into_iter().map(cluster).collect(),
        areas: symbols.areas.into_iter().map(area).collect(),
    }
}

fn cluster(cluster: Cluster) -> pb::Cluster {
    pb::Cluster {
        id: cluster.id,
        tally: Some(tally(&cluster.counts)),
        position: Some(lat_lng(cluster.position)),
        bounds: Some(bounding_box(&cluster.bounds)),
        expansion_zoom: cluster.expansion_zoom.map(i32::from),
        stack: cluster.is_stack,
    }
}

fn area(area: Area) -> pb::Area {
    pb::Area {
        id: area.id,
        tally: Some(tally(&area.counts)),
        position: Some(lat_lng(area.position)),
        radius_m: area.radius_m,
        extent_m: area.extent_m,
        granularity: granularity(area.granularity).into(),
        site: area.site.map(summary),
    }
}

/// A site and how far it is.
pub(in crate::api) fn neighbour(neighbour: Neighbour) -> pb::SiteDistance {
    pb::SiteDistance { site: Some(summary(neighbour.site)), distance_m: neighbour.distance_m }
}
