//! What needs attention, and what it rests on.

use super::location::wait;
use super::timestamp;
use crate::api::proto::waymark::v1 as pb;
use crate::model::Invalid;
use crate::model::access::Principal;
use crate::model::attention::{AttentionReason, Distance};
use crate::model::site::Site;
use crate::model::stack::StackSketch;
use crate::service::Waymark;
use crate::service::attention::{AttentionCounts, AttentionItem};

/// A reason.
pub(in crate::api) fn reason(reason: AttentionReason) -> pb::AttentionReason {
    match reason {
        AttentionReason::Unplaced => pb::AttentionReason::Unplaced,
        AttentionReason::AddressExpired => pb::AttentionReason::AddressExpired,
        AttentionReason::AddressFailed => pb::AttentionReason::AddressFailed,
        AttentionReason::AddressAmbiguous => pb::AttentionReason::AddressAmbiguous,
        AttentionReason::PinFarFromGeoip => pb::AttentionReason::PinFarFromGeoip,
        AttentionReason::TicketingLinkBroken => pb::AttentionReason::TicketingLinkBroken,
        AttentionReason::AddressPending => pb::AttentionReason::AddressPending,
        AttentionReason::Crowded => pb::AttentionReason::Crowded,
    }
}

/// A required reason from a request's `field`.
pub(in crate::api) fn parse_reason(field: &str, value: i32) -> Result<AttentionReason, Invalid> {
    let named = pb::AttentionReason::try_from(value).ok();
    let found = AttentionReason::ALL.into_iter().find(|known| Some(reason(*known)) == named);
    found.ok_or_else(|| Invalid::new(field, format!("an AttentionReason is required, got {value}")))
}

/// A site that needs attention.
pub(in crate::api) fn item(waymark: &Waymark, principal: &Principal, item: AttentionItem) -> pb::AttentionItem {
    let AttentionItem { site, attention, company } = item;
    pb::AttentionItem {
        reasons: attention.iter().map(|it| reason(it).into()).collect(),
        details: attention.iter().map(|it| detail(it, &site.value, company)).collect(),
        site: Some(super::site::site(waymark, principal, site)),
    }
}

/// What a reason rests on.
fn detail(of: AttentionReason, site: &Site, company: Option<u32>) -> pb::AttentionDetail {
    let mut detail = pb::AttentionDetail { reason: reason(of).into(), ..pb::AttentionDetail::default() };
    match of {
        AttentionReason::AddressFailed | AttentionReason::AddressPending | AttentionReason::AddressExpired => {
            detail.wait = site.address.as_ref().and_then(|address| address.retry).map(wait);
        }
        AttentionReason::AddressAmbiguous => detail.expire_time = site.kept_until().map(timestamp),
        AttentionReason::PinFarFromGeoip => {
            if let Some(distance) = Distance::of(&StackSketch::from(&site.fixes)) {
                detail.distance_m = Some(distance.distance_m);
                detail.limit_m = Some(distance.limit_m);
                detail.other_country = distance.is_other_country;
            }
        }
        AttentionReason::Crowded => detail.site_count = company.map(count),
        AttentionReason::Unplaced | AttentionReason::TicketingLinkBroken => {}
    }
    detail
}

/// Counts by reason, the worst first.
pub(in crate::api) fn counts(counts: &AttentionCounts) -> Vec<pb::AttentionCount> {
    let of = |it: AttentionReason| pb::AttentionCount {
        reason: reason(it).into(),
        site_count: count(counts.by_reason[it as usize]),
    };
    AttentionReason::ALL.into_iter().map(of).collect()
}

/// Numbers of sites fit: an account has fewer than 2^31.
pub(in crate::api) fn count(sites: u32) -> i32 {
    i32::try_from(sites).unwrap_or(i32::MAX)
}
