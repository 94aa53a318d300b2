//! Which sites there are for a client that must not hear of others: asked of memory, so that messages are cut by these alone.

use std::collections::BTreeSet;

use super::Vigil;
use super::held::Held;
use crate::model::id::SiteId;
use crate::service::Error;
use crate::service::site_list::first;

/// Ids that a watch asks for at once: 320 KB until they are read.
const AHEAD: usize = 10_000;

/// The next sites that are assigned to the client, behind `after`, by id; none where those before were all.
///
/// Costs a look at each of its sites.
pub(super) async fn behind(vigil: &Vigil, after: Option<SiteId>) -> Result<BTreeSet<SiteId>, Error> {
    let map = vigil.waymark.matching(&vigil.principal, &vigil.account, "")?;
    let is_next = |site: &SiteId| Some(*site) > after;
    let sites: Vec<SiteId> = map.look(|view, _| Ok(view.whole().filter(is_next).collect())).await?;
    Ok(first(sites.into_iter(), false, AHEAD).into_iter().collect())
}

/// Those of these sites that the client hears of: all, or those that are assigned to it now, or that it holds.
pub(super) async fn heard_of(vigil: &Vigil, held: &Held, sites: BTreeSet<SiteId>) -> Result<BTreeSet<SiteId>, Error> {
    if !held.is_kept() || sites.is_empty() {
        return Ok(sites);
    }
    let map = vigil.waymark.matching(&vigil.principal, &vigil.account, "")?;
    let look = map.look(|view, _| {
        let is_heard_of = |site: &SiteId| view.get(*site).is_some() || held.has(*site);
        Ok(sites.into_iter().filter(is_heard_of).collect())
    });
    look.await
}

/// Takes the first `count` of these, or all.
pub(super) fn pop(sites: &mut BTreeSet<SiteId>, count: usize) -> Vec<SiteId> {
    let mut popped = Vec::with_capacity(count.min(sites.len()));
    while popped.len() < count
        && let Some(site) = sites.pop_first()
    {
        popped.push(site);
    }
    popped
}
