//! What there is for who is assigned some of an account's sites, and what of them they change.
//!
//! Answers go past here once: lists, maps, searches and watches by their filters ([`super::filter`]), single sites by
//! [`Waymark::find_assigned`], and changes of sites by the author that each of them has.

use super::patch::SitePatch;
use super::{Error, Versioned, Waymark};
use crate::model::access::Principal;
use crate::model::assignment::Assignment;
use crate::model::history::Field;
use crate::model::id::{AccountId, SiteId};
use crate::model::site::Site;

/// Whether there is such a site for the principal.
pub(super) fn is_for(principal: &Principal, site: &Site) -> bool {
    principal.assigned.as_ref().is_none_or(|assigned| assigned.holds(site))
}

/// Refuses a patch of more than contact and note to who is assigned sites. Labels say whose sites are; a name is held against the names
/// of all sites, and so tells of them; the rest is the account's own.
pub(super) fn require_tended(principal: &Principal, patch: &SitePatch) -> Result<(), Error> {
    if principal.assigned.is_none() {
        return Ok(());
    }
    // Without `..`: who adds a field says whose it is.
    let SitePatch {
        display_name,
        status,
        email: _,
        first_name: _,
        last_name: _,
        phones: _,
        customer_id,
        contract_id,
        note: _,
        labels,
        ticketing_links,
    } = patch;
    let others = [
        ("labels", labels.is_some()),
        ("display_name", display_name.is_some()),
        ("status", status.is_some()),
        ("customer_id", customer_id.is_some()),
        ("contract_id", contract_id.is_some()),
        ("ticketing_links", ticketing_links.is_some()),
    ];
    let named = others.into_iter().find_map(|(field, is_named)| is_named.then_some(field));
    named.map_or(Ok(()), |field| Err(Error::FieldScope(field.to_owned())))
}

/// The same of a former value that is to be put back.
pub(super) fn require_tended_field(principal: &Principal, field: &Field) -> Result<(), Error> {
    let is_tended = ["note", "contact", "location"].into_iter().any(|group| field.is_within(group));
    if principal.assigned.is_none() || is_tended { Ok(()) } else { Err(Error::FieldScope(field.to_string())) }
}

/// Whether the principal is told of a field in histories: who is assigned sites, of nothing that methods tell which are not theirs. Residents
/// and devices have such.
pub(super) fn is_told(principal: &Principal, field: &Field) -> bool {
    let is_others = || ["resident_access", "device_count", "devices"].into_iter().any(|group| field.is_within(group));
    principal.assigned.is_none() || !is_others()
}

impl Waymark {
    /// The site's record, where there is such a site for who is assigned these; for who sees all, any. To the former a deleted site
    /// is none, and one whose record cannot be read, so that nobody knows whose it is.
    pub(super) async fn find_assigned(
        &self,
        account: &AccountId,
        site: SiteId,
        assigned: Option<&Assignment>,
    ) -> Result<Option<Versioned<Site>>, Error> {
        let found = self.find_site(account, site).await;
        let Some(assigned) = assigned else { return found };
        match found {
            Err(cause) if cause.is_of_one_record() => Ok(None),
            found => Ok(found?.filter(|found| assigned.holds(&found.value))),
        }
    }

    /// Those of these sites that are assigned to the principal, as memory has it; all for who sees all.
    pub(super) async fn assigned_of(
        &self,
        principal: &Principal,
        account: &AccountId,
        mut sites: Vec<SiteId>,
    ) -> Result<Vec<SiteId>, Error> {
        if principal.assigned.is_none() {
            return Ok(sites);
        }
        let map = self.matching(principal, account, "")?;
        let look = map.look(|view, _| {
            sites.retain(|site| view.get(*site).is_some());
            Ok(sites)
        });
        look.await
    }
}
