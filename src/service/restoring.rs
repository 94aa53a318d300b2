//! Former values back into a site: what each kind of value means when somebody wants it again.
//!
//! A position comes back as a person's word of now, so that the site is shown at it: a pin where a pin was, and a geocoder's
//! answer where an answer was. What machines said is not put back: what they say now counts.

use jiff::Timestamp;

use super::Error;
use super::candidates::address_fix;
use super::location::{put_pin, settle_address};
use crate::model::address::AddressQuery;
use crate::model::evidence::Storage;
use crate::model::history::{Change, Edit, Field, LinkId, Origin, PastFix, Value};
use crate::model::location::Source;
use crate::model::site::{LABELS_MAX, Site, TICKETING_LINKS_MAX};
use crate::model::site_address::{AddressState, SiteAddress};

const MACHINES: &str = "it was no person's word; what machines say now counts, and a person's word on the location is \
                        restored by its pin or its address";
const OTHER_METHODS: &str =
    "other methods make it: UndeleteSite, AllowReplacement, DismissAttention, UpdateResidentAccess";
const NOT_KEPT: &str = "the terms of its provider do not allow to keep it: state the address again";
const LOST: &str = "its text is not kept any more";

/// Puts back what `edit` of `change` replaced.
pub(super) fn put_back(
    site: &mut Site,
    edit: &Edit,
    change: &Change,
    now: Timestamp,
    actor: &str,
) -> Result<(), Error> {
    let refuse = |why| Error::NotRestorable { field: edit.field.clone(), why };
    match (&edit.field, &edit.from) {
        (Field::Label(key), from) => put_label(site, key, from.as_ref())?,
        (Field::TicketingLink(id), from) => put_links(site, id, from.as_ref())?,
        (Field::Phones, from) => {
            site.contact.phones = if let Some(Value::Phones(phones)) = from { phones.clone() } else { Vec::new() };
        }
        (Field::Status, Some(Value::Status(status))) => site.status = *status,
        (Field::Fix(Source::Pin), from) => put_pin_back(site, from.as_ref(), now, actor),
        (Field::Fix(Source::Address), Some(Value::Fix(fix))) => {
            put_answer(site, fix, stated_before(change), now, actor).ok_or_else(|| refuse(NOT_KEPT))?;
        }
        (Field::Fix(Source::Address), _) => take_answer(site),
        (Field::Address, from) => {
            put_address(site, from.as_ref(), change, now, actor).ok_or_else(|| refuse(NOT_KEPT))?;
        }
        (
            Field::Replacement
            | Field::DeleteTime
            | Field::Attention(_)
            | Field::ResidentEmail
            | Field::ResidentEnabled
            | Field::ResidentState
            | Field::ResidentPermission(_),
            _,
        ) => return Err(refuse(OTHER_METHODS)),
        (_, Some(Value::LongText(_))) => return Err(refuse(LOST)),
        (field, from) => {
            let text = text_of(site, field).ok_or_else(|| refuse(MACHINES))?;
            *text = if let Some(Value::Text(former)) = from { former.clone() } else { String::new() };
        }
    }
    Ok(())
}

/// The field of a site that holds a text of people; `None` for any other.
fn text_of<'a>(site: &'a mut Site, field: &Field) -> Option<&'a mut String> {
    Some(match field {
        Field::DisplayName => &mut site.display_name,
        Field::Email => &mut site.contact.email,
        Field::FirstName => &mut site.contact.first_name,
        Field::LastName => &mut site.contact.last_name,
        Field::CustomerId => &mut site.customer_id,
        Field::ContractId => &mut site.contract_id,
        Field::Note => &mut site.note,
        _ => return None,
    })
}

fn put_label(site: &mut Site, key: &str, from: Option<&Value>) -> Result<(), Error> {
    let Some(Value::Text(value)) = from else {
        site.labels.remove(key);
        return Ok(());
    };
    site.labels.insert(key.to_owned(), value.clone());
    if site.labels.len() > LABELS_MAX { Err(Error::TooMany("labels", LABELS_MAX)) } else { Ok(()) }
}

/// In the place of those that are there, or behind all.
fn put_links(site: &mut Site, id: &LinkId, from: Option<&Value>) -> Result<(), Error> {
    let links = if let Some(Value::Links(links)) = from { links.as_slice() } else { &[] };
    let all = &mut site.ticketing_links;
    let at = all.iter().position(|link| LinkId::from(link) == *id);
    all.retain(|link| LinkId::from(link) != *id);
    let at = at.unwrap_or(all.len());
    all.splice(at..at, links.iter().cloned());
    if all.len() > TICKETING_LINKS_MAX {
        return Err(Error::TooMany("ticketing links", TICKETING_LINKS_MAX));
    }
    Ok(())
}

fn put_pin_back(site: &mut Site, from: Option<&Value>, now: Timestamp, actor: &str) {
    if let Some(Value::Fix(fix)) = from
        && let Some(position) = fix.position
    {
        return put_pin(site, position, now, actor.to_owned());
    }
    site.fixes.remove(Source::Pin);
    settle_address(site);
}

/// The address that was stated before a change, if the change replaced it.
fn stated_before(change: &Change) -> Option<&SiteAddress> {
    let edit = change.edits.iter().find(|edit| edit.field == Field::Address)?;
    if let Some(Value::Address(address)) = &edit.from { Some(address) } else { None }
}

/// Puts a geocoder's answer back with its address; `None` where the answer is not kept.
fn put_answer(site: &mut Site, fix: &PastFix, stated: Option<&SiteAddress>, now: Timestamp, actor: &str) -> Option<()> {
    let (Some(position), Origin::Geocoded(answer)) = (fix.position, &fix.origin) else { return None };
    let made_at = site.fixes.next_time(now);
    let query = AddressQuery::Line(answer.query.clone());
    let of_answer = || SiteAddress::stated(&query, answer.country, false, actor.to_owned(), made_at);
    // The words that the answer was given to, where the change replaced them too.
    let stated = stated.filter(|stated| stated.formatted == answer.formatted_address).cloned();
    site.address = Some(SiteAddress {
        formatted: answer.formatted_address.clone(),
        storage: Storage::Unlimited,
        evidence: None,
        state: AddressState::Applied,
        keep_pin: false,
        // A person wants this one: no machine chooses another.
        chosen: true,
        stated_by: actor.to_owned(),
        stated_at: Some(made_at),
        retry: None,
        renewal: None,
        ..stated.unwrap_or_else(of_answer)
    });
    site.fixes.put(address_fix(position, fix.granularity, answer.clone(), made_at, actor.to_owned()));
    Some(())
}

/// Takes the answer away that the site stood at, with the address that it was given to.
fn take_answer(site: &mut Site) {
    site.fixes.remove(Source::Address);
    site.address.take_if(|address| address.state == AddressState::Applied);
}

/// Puts a statement back; `None` where nothing of it can be.
fn put_address(site: &mut Site, from: Option<&Value>, change: &Change, now: Timestamp, actor: &str) -> Option<()> {
    let answer = change.edits.iter().find(|edit| edit.field == Field::Fix(Source::Address));
    let Some(Value::Address(stated)) = from else {
        // The change that stated the first address brought its answer along.
        if answer.is_some() {
            site.fixes.remove(Source::Address);
        }
        site.address = None;
        return Some(());
    };
    if let Some(Value::Fix(fix)) = answer.and_then(|edit| edit.from.as_ref())
        && put_answer(site, fix, Some(stated), now, actor).is_some()
    {
        return Some(());
    }
    let (stated_at, renewal) = (Some(site.fixes.next_time(now)), site.renewal());
    let back = SiteAddress { stated_by: actor.to_owned(), stated_at, retry: None, renewal: None, ..(**stated).clone() };
    let is_kept = stated.storage == Storage::Unlimited;
    let is_settled = is_kept && matches!(stated.state, AddressState::Applied | AddressState::PinKept);
    if is_settled {
        site.address = Some(back);
        settle_address(site);
        return Some(());
    }
    if stated.typed.is_empty() {
        return None;
    }
    // Asked for again, as if it was stated now.
    let (formatted, storage, evidence) = (String::new(), Storage::Unlimited, None);
    let (state, chosen) = (AddressState::Pending, false);
    site.address = Some(SiteAddress { formatted, storage, evidence, state, chosen, ..back });
    // What the site still stands at has terms of its own.
    site.keep_renewal(renewal, now);
    Some(())
}
