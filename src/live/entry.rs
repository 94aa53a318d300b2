//! From a site to what the map keeps of it: one way for commits and for the start.

use jiff::Timestamp;

use crate::model::attention::{Attention, AttentionReason, is_dismissed};
use crate::model::card::Card;
use crate::model::location::{Placement, Source};
use crate::model::site_address::AddressState;
use crate::model::sketch::SiteSketch;
use crate::spatial::entry::{Entry, Place};

/// The site as the map keeps it; `None` for a site that is deleted.
#[must_use]
pub fn entry_of(site: &SiteSketch<'_>) -> Option<Entry> {
    if site.deleted_at.is_some() {
        return None;
    }
    let place = site.stack.placement.map(|placement| Place {
        position: placement.position,
        accuracy_m: placement.accuracy_m,
        granularity: placement.granularity,
        source: placement.source,
    });
    Some(Entry {
        site: site.id,
        status: site.status,
        place,
        attention: Attention::of(site),
        may_crowd: !is_dismissed(AttentionReason::Crowded, site),
        card: Card::of(site),
    })
}

/// Takes away of a site what the terms of providers do not allow to be shown at `now`, until the record is without it, too.
///
/// Of the fixes below one that ended the sketch knows the estimate alone: others show again with the record.
pub(super) fn hide_expired(site: &mut SiteSketch<'_>, now: Timestamp) {
    let is_over = |until: Option<Timestamp>| until.is_some_and(|until| until <= now);
    let is_gone = is_over(site.stack.kept_until);
    if is_gone && site.stack.placement.is_some_and(|placement| placement.source == Source::Address) {
        let estimate = site.stack.estimate.take();
        (site.stack.country, site.stack.placement) = (None, None);
        site.stack.placement = estimate.map(|estimate| Placement {
            source: Source::GeoIp,
            position: estimate.position,
            accuracy_m: estimate.accuracy_m,
            granularity: estimate.granularity,
            made_at: site.created_at,
        });
    }
    let Some(address) = &mut site.address else { return };
    if is_over(address.kept_until) || is_gone && address.state == AddressState::Applied {
        address.formatted = "".into();
        address.state = AddressState::Expired;
    }
}
