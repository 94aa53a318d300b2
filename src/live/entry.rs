//! From a site to what the map keeps of it: one way for commits and for the start.

use crate::model::attention::{Attention, AttentionReason, is_dismissed};
use crate::model::card::Card;
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
