//! Rows of sheets, and what became of them.

use super::location::{TypedAddress, address_state, candidate, parse_address, parse_lat_lng};
use super::site::{parse_patch, parse_phones, refuse_output_only};
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

/// What is set of a site: its name unless that is empty, and what the mask names. Where there is no mask another field is refused;
/// beside one, what it does not name is left, as in `UpdateSite`.
fn patch_of(mut site: pb::Site, mask: &[String]) -> Result<SitePatch, Invalid> {
    refuse_output_only(&site)?;
    if !site.etag.is_empty() {
        return Err(Invalid::new("site.etag", "a row is of no version of the site: leave it empty"));
    }
    if mask.iter().any(|path| path == "display_name") {
        return Err(Invalid::new("update_mask", "display_name is set where it is not empty: leave it out"));
    }
    let display_name = Some(std::mem::take(&mut site.display_name)).filter(|name| !name.is_empty());
    site.contact.take_if(|contact| *contact == pb::Contact::default());
    if mask.is_empty() && site == pb::Site::default() {
        return Ok(SitePatch { display_name, ..SitePatch::default() });
    }
    Ok(SitePatch { display_name, ..parse_patch(site, mask)? })
}

/// A fault as it is seen from the site.
fn seen(fault: Invalid) -> Invalid {
    match fault.field.strip_prefix("site.") {
        Some(field) => Invalid::new(field, fault.why),
        None => fault,
    }
}

/// What became of a row, or would have become of it.
pub(in crate::api) fn row_result(
    waymark: &Waymark,
    outcome: Result<Imported, Error>,
    validate_only: bool,
) -> pb::SiteRowResult {
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
    // Of what was not written there is no version.
    let is_draft = validate_only && imported.outcome != Outcome::Unchanged;
    let is_open = imported.address_state == Some(AddressState::Ambiguous);
    pb::SiteRowResult {
        outcome: outcome.into(),
        name: names::of_site(&site.account, site.id),
        etag: if is_draft { String::new() } else { waymark.etag_of(&site) },
        address_state: imported.address_state.map_or(pb::AddressState::Unspecified, address_state).into(),
        candidates: imported.choices.into_iter().filter(|_| is_open).map(candidate).collect(),
        ..pb::SiteRowResult::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fields beside no mask were dropped, and the answer said that the site was made.
    #[test]
    fn what_would_be_dropped_is_refused() {
        let named = || pb::Site { display_name: "x".into(), ..pb::Site::default() };
        let contact = |email: &str| Some(pb::Contact { email: email.into(), ..pb::Contact::default() });
        for (site, mask, field) in [
            (pb::Site { note: "n".into(), ..named() }, "", "update_mask"),
            (pb::Site { status: pb::SiteStatus::Online.into(), ..named() }, "", "update_mask"),
            (pb::Site { contact: contact("a@example.com"), ..named() }, "", "update_mask"),
            (pb::Site { contact: contact(""), ..named() }, "", ""),
            (pb::Site { note: "n".into(), ..named() }, "note", ""),
            (named(), "display_name", "update_mask"),
            (pb::Site { time_zone: "UTC".into(), ..named() }, "note", "time_zone"),
            (pb::Site { name: "accounts/a/sites/b".into(), ..named() }, "", "name"),
            (pb::Site { etag: "0".into(), ..named() }, "note", "etag"),
        ] {
            let paths = if mask.is_empty() { Vec::new() } else { vec![mask.to_owned()] };
            let update_mask = Some(prost_types::FieldMask { paths });
            let row = pb::SiteRow { site: Some(site), update_mask, ..pb::SiteRow::default() };
            let fault = parse_row(row).err().unwrap_or_else(|| Invalid::new("", ""));
            assert_eq!(fault.field, field, "{mask}: {}", fault.why);
        }
    }
}
