//! Rows of sheets, and what became of them.

use super::location::{TypedAddress, address_state, candidate, parse_address, parse_lat_lng};
use super::site::{parse_patch, parse_phones};
use crate::api::names;
use crate::api::proto::waymark::v1 as pb;
use crate::api::status::{field_of, told};
use crate::model::Invalid;
use crate::model::id::{AccountId, AgentId};
use crate::model::site_address::AddressState;
use crate::service::importing::row::{RowKey, Said, SiteRow};
use crate::service::importing::{Imported, Outcome};
use crate::service::patch::SitePatch;
use crate::service::{Error, Waymark};

/// The rows of a request for `account`, and what is wrong with those that cannot be read. One that names a site of another
/// account is the request's own fault.
pub(in crate::api) fn parse_rows(
    account: &AccountId,
    rows: Vec<pb::SiteRow>,
) -> Result<Vec<Result<SiteRow, Invalid>>, Invalid> {
    let parse = |(index, row): (usize, pb::SiteRow)| {
        if let Some(pb::site_row::Key::Name(name)) = &row.key
            && names::site("name", name).is_ok_and(|(owner, _)| owner != *account)
        {
            return Err(Invalid::new(format!("rows[{index}].name"), "the site is not one of the request's parent"));
        }
        Ok(parse_row(row))
    };
    rows.into_iter().enumerate().map(parse).collect()
}

/// A row; faults name the field as it is seen in the row, or in its site.
fn parse_row(row: pb::SiteRow) -> Result<SiteRow, Invalid> {
    use pb::site_row::{Address, Key};
    let key = match row.key {
        None => RowKey::Name,
        Some(Key::AgentId(agent)) => {
            RowKey::Agent(agent.parse::<AgentId>().map_err(|fault| Invalid::new("agent_id", fault.why))?)
        }
        Some(Key::Name(name)) => RowKey::Site(names::site("name", &name)?.1),
    };
    let position = match (row.position, row.clear_position) {
        (Some(_), true) => return Err(Invalid::new("clear_position", "not with a position")),
        (Some(position), false) => Said::Some(parse_lat_lng("position", Some(&position))?),
        (None, is_clear) => said_none(is_clear),
    };
    let address = match (row.address, row.clear_address) {
        (Some(_), true) => return Err(Invalid::new("clear_address", "not with an address")),
        (Some(Address::AddressLine(line)), false) => Said::Some(parse_address(Some(TypedAddress::Line(line)))?),
        (Some(Address::PostalAddress(parts)), false) => Said::Some(parse_address(Some(TypedAddress::Parts(parts)))?),
        (None, is_clear) => said_none(is_clear),
    };
    Ok(SiteRow {
        key,
        patch: patch_of(row.site.unwrap_or_default(), &row.update_mask.unwrap_or_default().paths).map_err(seen)?,
        set_labels: row.set_labels.into_iter().collect(),
        add_phones: parse_phones(row.add_phones).map_err(seen)?,
        position,
        address,
        request_id: row.request_id,
    })
}

fn said_none<T>(is_clear: bool) -> Said<T> {
    if is_clear { Said::None } else { Said::Nothing }
}

fn patch_of(site: pb::Site, mask: &[String]) -> Result<SitePatch, Invalid> {
    let display_name = (!site.display_name.is_empty()).then(|| site.display_name.clone());
    let patch = if mask.is_empty() { SitePatch::default() } else { parse_patch(site, mask)? };
    Ok(SitePatch { display_name, ..patch })
}

/// A fault as it is seen from the site.
fn seen(fault: Invalid) -> Invalid {
    match fault.field.strip_prefix("site.") {
        Some(field) => Invalid::new(field, fault.why),
        None => fault,
    }
}

/// What became of a row.
pub(in crate::api) fn row_result(waymark: &Waymark, outcome: Result<Imported, Error>) -> pb::SiteRowResult {
    let imported = match outcome {
        Ok(imported) => imported,
        Err(cause) => {
            let (reason, message) = told(&cause);
            let (field, why) = field_of(&cause).unwrap_or_default();
            return pb::SiteRowResult {
                outcome: pb::ImportOutcome::Refused.into(),
                reason: reason.into(),
                message: if why.is_empty() { message } else { why },
                field,
                ..pb::SiteRowResult::default()
            };
        }
    };
    let outcome = match imported.outcome {
        Outcome::Created => pb::ImportOutcome::Created,
        Outcome::Updated => pb::ImportOutcome::Updated,
        Outcome::Unchanged => pb::ImportOutcome::Unchanged,
    };
    let site = imported.site.value;
    let is_open = imported.address_state == Some(AddressState::Ambiguous);
    pb::SiteRowResult {
        outcome: outcome.into(),
        name: names::of_site(&site.account, site.id),
        etag: waymark.etag_of(&site),
        address_state: imported.address_state.map_or(pb::AddressState::Unspecified, address_state).into(),
        candidates: imported.choices.into_iter().filter(|_| is_open).map(candidate).collect(),
        ..pb::SiteRowResult::default()
    }
}
