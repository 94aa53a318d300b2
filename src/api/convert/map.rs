//! Symbols, summaries and counts.

use super::location::{bounding_box, granularity, lat_lng, source};
use super::site::status;
use crate::api::names::SiteNames;
use crate::api::proto::waymark::v1 as pb;
use crate::model::id::AccountId;
use crate::model::location::Source;
use crate::model::site::Status;
use crate::service::map::{NearDuplicate, Neighbour};
use crate::service::symbols::{Area, Cluster, SiteSummary, Symbols, Tally};

/// The little of sites that a map or a list needs, all of one account.
pub(in crate::api) fn summaries(account: &AccountId, sites: Vec<SiteSummary>) -> Vec<pb::SiteSummary> {
    let names = SiteNames::of(account);
    sites.into_iter().map(|site| summary(&names, site)).collect()
}

/// The same of one site.
pub(in crate::api) fn summary(names: &SiteNames, site: SiteSummary) -> pb::SiteSummary {
    pb::SiteSummary {
        name: names.of_site(site.site),
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

/// All symbols of one view of an account.
pub(in crate::api) fn symbols(account: &AccountId, symbols: Symbols) -> pb::MapSymbols {
    let names = SiteNames::of(account);
    pb::MapSymbols {
        pins: symbols.pins.into_iter().map(|site| summary(&names, site)).collect(),
        clusters: symbols.clusters.into_iter().map(cluster).collect(),
        areas: symbols.areas.into_iter().map(|each| area(&names, each)).collect(),
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

fn area(names: &SiteNames, area: Area) -> pb::Area {
    pb::Area {
        id: area.id,
        tally: Some(tally(&area.tally)),
        position: Some(lat_lng(area.position)),
        radius_m: area.radius_m,
        extent_m: area.extent_m,
        granularity: granularity(area.granularity).into(),
        site: area.site.map(|site| summary(names, site)),
    }
}

/// Sites of an account, and how far they are.
pub(in crate::api) fn neighbours(account: &AccountId, neighbours: Vec<Neighbour>) -> Vec<pb::SiteDistance> {
    let names = SiteNames::of(account);
    neighbours.into_iter().map(|each| neighbour(&names, each)).collect()
}

fn neighbour(names: &SiteNames, neighbour: Neighbour) -> pb::SiteDistance {
    pb::SiteDistance { site: Some(summary(names, neighbour.site)), distance_m: neighbour.distance_m }
}

/// Sites of an account, and those that may be the same.
pub(in crate::api) fn near_duplicates(account: &AccountId, found: Vec<NearDuplicate>) -> Vec<pb::NearDuplicate> {
    let names = SiteNames::of(account);
    let near_duplicate = |found: NearDuplicate| pb::NearDuplicate {
        site: Some(summary(&names, found.site)),
        others: found.others.into_iter().map(|each| neighbour(&names, each)).collect(),
        has_more: found.has_more,
    };
    found.into_iter().map(near_duplicate).collect()
}
