//! Shares.

use super::access::{assigned, contacts, parse_contacts, parse_positions, positions};
use super::{parse_timestamp, timestamp};
use crate::api::names;
use crate::api::proto::waymark::v1 as pb;
use crate::model::Invalid;
use crate::model::access::{Contacts, Positions};
use crate::model::assignment::Assignment;
use crate::model::share::{Act, ShareState};
use crate::service::sharing::{NewShare, ShownShare};

/// A share, in the name of the account that sees it.
pub(in crate::api) fn share(shown: &ShownShare) -> pb::Share {
    let ShownShare { account, share, state, owner_name, recipient_name } = shown;
    let ended_at = share.ended.as_ref().map(|ended| ended.at).or(share.declined_at);
    pb::Share {
        name: names::of_share(account, share.id),
        display_name: share.display_name.clone(),
        owner: names::of_account(&share.owner),
        owner_display_name: owner_name.clone(),
        recipient: by(share.accepted.as_ref()),
        recipient_display_name: recipient_name.clone(),
        sites: assigned(Some(&share.sites)),
        contacts: contacts(share.contacts).into(),
        positions: positions(share.positions).into(),
        state: state_of(*state).into(),
        propose_time: Some(timestamp(share.proposed_at)),
        offer_expire_time: Some(timestamp(share.offered_until)),
        expire_time: share.expires_at.map(timestamp),
        accept_time: share.accepted.as_ref().map(|accepted| timestamp(accepted.at)),
        end_time: ended_at.map(timestamp),
        ended_by: by(share.ended.as_ref()),
    }
}

/// The account that did it; empty for none.
fn by(act: Option<&Act>) -> String {
    act.map(|act| names::of_account(&act.by)).unwrap_or_default()
}

fn state_of(state: ShareState) -> pb::ShareState {
    match state {
        ShareState::Proposed => pb::ShareState::Proposed,
        ShareState::Active => pb::ShareState::Active,
        ShareState::Declined => pb::ShareState::Declined,
        ShareState::Ended => pb::ShareState::Ended,
        ShareState::Expired => pb::ShareState::Expired,
    }
}

/// A share to propose. Of people nothing is shown where nobody says so.
pub(in crate::api) fn parse_share(wanted: pb::Share) -> Result<NewShare, Invalid> {
    let of_share = |fault: Invalid| Invalid::new(fault.field.replacen("token.", "share.", 1), fault.why);
    // The fault says which field of a token holds such a condition.
    let sites = Assignment::parse(&wanted.sites).map_err(|fault| Invalid::new("share.sites", fault.why))?;
    let expires_at = wanted.expire_time.map(|time| parse_timestamp("share.expire_time", &time)).transpose()?;
    Ok(NewShare {
        display_name: wanted.display_name,
        sites,
        contacts: parse_contacts(wanted.contacts).map_err(of_share)?.unwrap_or(Contacts::Masked),
        positions: parse_positions(wanted.positions).map_err(of_share)?.unwrap_or(Positions::Exact),
        expires_at,
    })
}
