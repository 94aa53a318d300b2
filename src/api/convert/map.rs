//! Symbols, summaries and counts.

use super::location::{bounding_box, granularity, lat_lng, source};
use super::site::status;
use crate::api::names;
use crate::api::proto::waymark::v1 as pb;
use crate::model::location::Source;
use crate::model::site::Status;
use crate::service::map::{NearDuplicate, Neighbour};
use crate::service::symbols::{Area, Cluster, SiteSummary, Symbols, Tally};

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
pub(in crate::api) fn tally(tally: &Tally) -> pb::SiteTally {
    let of = |status: Status| u64::from(tally.of_status(status));
    let approximate = |status: Status| u64::from(tally.approximate_of_status(status));
    let made_by = |source: Source| u64::from(tally.of_source(source));
    pb::SiteTally {
        total: tally.total().into(),
        online: of(Status::Online),
        offline: of(Status::Offline),
        unknown: of(Status::Unknown),
        maintenance: of(Status::Maintenance),
        approximate: tally.approximate().into(),
        online_approximate: approximate(Status::Online),
        offline_approximate: approximate(Status::Offline),
        unknown_approximate: approximate(Status::Unknown),
        maintenance_approximate: approximate(Status::Maintenance),
        geoip: made_by(Source::GeoIp),
        device: made_by(Source::Device),
        address: made_by(Source::Address),
        pin: made_by(Source::Pin),
        worst_status: tally.worst_status().map_or(pb::SiteStatus::Unspecified, status).into(),
        approximate_share: tally.approximate_share(),
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
        tally: Some(tally(&cluster.tally)),
        position: Some(lat_lng(cluster.position)),
        bounds: Some(bounding_box(&cluster.bounds)),
        expansion_zoom: cluster.expansion_zoom.map(i32::from),
        stack: cluster.is_stack,
    }
}

fn area(area: Area) -> pb::Area {
    pb::Area {
        id: area.id,
        tally: Some(tally(&area.tally)),
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

/// A site and those that may be the same.
pub(in crate::api) fn near_duplicate(found: NearDuplicate) -> pb::NearDuplicate {
    pb::NearDuplicate {
        site: Some(summary(found.site)),
        others: found.others.into_iter().map(neighbour).collect(),
        has_more: found.has_more,
    }
}
