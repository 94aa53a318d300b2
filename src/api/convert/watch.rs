//! Messages of watches, and the views that clients ask for.

use super::location::parse_bounding_box;
use super::map::{symbols, tally};
use super::site::site;
use crate::api::names::{self, SiteNames};
use crate::api::proto::waymark::v1 as pb;
use crate::model::Invalid;
use crate::model::access::Principal;
use crate::model::id::AccountId;
use crate::service::Waymark;
use crate::service::watch::{MapChanges, Mark, SiteChanges, View};

fn mark(mark: Mark) -> pb::WatchMark {
    match mark {
        Mark::Ordinary => pb::WatchMark::Unspecified,
        Mark::Current => pb::WatchMark::Current,
        Mark::Progress => pb::WatchMark::Progress,
        Mark::Resync => pb::WatchMark::Resync,
    }
}

/// A message of a watch of sites.
pub(in crate::api) fn site_changes(
    waymark: &Waymark,
    principal: &Principal,
    names: &SiteNames,
    changes: SiteChanges,
) -> pb::WatchSitesResponse {
    pb::WatchSitesResponse {
        mark: mark(changes.mark).into(),
        revision: changes.revision.0,
        changed_sites: changes.changed.into_iter().map(|changed| site(waymark, principal, changed)).collect(),
        removed_sites: changes.removed.into_iter().map(|id| names.of_site(id)).collect(),
    }
}

/// A message of a watch of a map.
pub(in crate::api) fn map_changes(account: &AccountId, changes: MapChanges) -> pb::MapChanges {
    pb::MapChanges {
        mark: mark(changes.mark).into(),
        view_id: changes.view,
        revision: changes.revision.0,
        changed: Some(symbols(account, changes.changed)),
        removed_ids: changes.removed,
        account_tally: Some(tally(&changes.counts.account)),
        matching_tally: Some(tally(&changes.counts.matching)),
        legend_tally: Some(tally(&changes.counts.legend)),
        unplaced: changes.counts.unplaced.into(),
    }
}

/// The account and the view of a request.
pub(in crate::api) fn parse_view(request: pb::WatchMapRequest) -> Result<(AccountId, View), Invalid> {
    let account = names::account("parent", &request.parent)?;
    let bounds = parse_bounding_box("viewport", request.viewport.as_ref())?;
    let pb::WatchMapRequest { view_id: id, zoom, filter, omit_names: is_nameless, .. } = request;
    Ok((account, View { id, bounds, zoom, filter, is_nameless }))
}
