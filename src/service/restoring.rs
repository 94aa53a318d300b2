//! Former values back into a site: what each kind of value means when somebody wants it again.
//!
//! A position comes back as a person's word of now, so that the site is shown at it: a pin where a pin was, and a geocoder's
//! answer where an answer was. What machines said is not put back: what they say now counts.

use jiff::{SignedDuration, Timestamp};

use super::Error;
use super::candidates::address_fix;
use super::location::{put_pin, settle_address};
use super::patch::SitePatch;
use crate::model::Invalid;
use crate::model::address::AddressQuery;
use crate::model::evidence::Storage;
use crate::model::history::{Cause, Change, Edit, Field, LinkId, Origin, PastFix, Value};
use crate::model::location::Source;
use crate::model::site::{LABELS_MAX, Site, TICKETING_LINKS_MAX};
use crate::model::site_address::{AddressState, SiteAddress};

const MACHINES: &str = "it was no person's word; what machines say now counts, and a person's word on the location is \
                        restored by its pin or its address";
const REPORTED: &str = "it was an agent's or a service's word, and their next report counts";
const CHECKED: &str = "it is what a check of the link found: the next check says what is there";
const OTHER_METHODS: &str =
    "other methods make it: UndeleteSite, AllowReplacement, DismissAttention, UpdateResidentAccess";
const NOT_KEPT: &str = "the terms of its provider do not allow to keep it: state the address again";
const LOST: &str = "its text is not kept any more";

/// Puts back what `edit` of `change` replaced. What an update can say is held to the rules of one, as they are today.
pub(super) fn put_back(
    site: &mut Site,
    edit: &Edit,
    change: &Change,
    now: Timestamp,
    actor: &str,
) -> Result<(), Error> {
    let refuse = |why| Error::NotRestorable { field: edit.field.clone(), why };
    if edit.field.is_restorable() && !change.can_restore(edit) {
        return Err(refuse(if change.cause == Cause::TicketingChecked { CHECKED } else { REPORTED }));
    }
    match (&edit.field, &edit.from) {
        (Field::Label(key), from) => put_label(site, key, from.as_ref())?,
        (Field::TicketingLink(id), from) => put_links(site, id, from.as_ref())?,
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
            | Field::ResidentInviteTime
            | Field::ResidentPermission(_),
            _,
        ) => return Err(refuse(OTHER_METHODS)),
        (_, Some(Value::LongText(_))) => return Err(refuse(LOST)),
        (field, from) => {
            let patch = patch_of(field, from.as_ref()).ok_or_else(|| refuse(MACHINES))?;
            checked(patch)?.apply(site);
        }
    }
    Ok(())
}

/// The update that says of one field what it said before; `None` for a field of no update.
fn patch_of(field: &Field, from: Option<&Value>) -> Option<SitePatch> {
    let mut patch = SitePatch::default();
    match (field, from) {
        (Field::Status, Some(Value::Status(status))) => patch.status = Some(*status),
        (Field::Phones, from) => {
            patch.phones = Some(if let Some(Value::Phones(phones)) = from { phones.clone() } else { Vec::new() });
        }
        (field, from) => {
            let text = if let Some(Value::Text(text)) = from { text.clone() } else { String::new() };
            *text_of(&mut patch, field)? = Some(text);
        }
    }
    Some(patch)
}

/// What an update says of a field that holds a text of people; `None` for any other.
fn text_of<'a>(patch: &'a mut SitePatch, field: &Field) -> Option<&'a mut Option<String>> {
    Some(match field {
        Field::DisplayName => &mut patch.display_name,
        Field::Email => &mut patch.email,
        Field::FirstName => &mut patch.first_name,
        Field::LastName => &mut patch.last_name,
        Field::CustomerId => &mut patch.customer_id,
        Field::ContractId => &mut patch.contract_id,
        Field::Note => &mut patch.note,
        _ => return None,
    })
}

fn checked(patch: SitePatch) -> Result<SitePatch, Invalid> {
    patch.checked(None).map_err(|fault| fault.within("site"))
}

/// Checks the one that comes back alone: older rules may have let others in.
fn put_label(site: &mut Site, key: &str, from: Option<&Value>) -> Result<(), Error> {
    let Some(Value::Text(value)) = from else {
        site.labels.remove(key);
        return Ok(());
    };
    let labels = [(key.to_owned(), value.clone())].into();
    let back = checked(SitePatch { labels: Some(labels), ..SitePatch::default() })?;
    site.labels.extend(back.labels.unwrap_or_default());
    if site.labels.len() > LABELS_MAX { Err(Error::TooMany("labels", LABELS_MAX)) } else { Ok(()) }
}

/// In the place of those that are there, or behind all. What checks found at the other end stays known.
fn put_links(site: &mut Site, id: &LinkId, from: Option<&Value>) -> Result<(), Error> {
    let links = if let Some(Value::Links(links)) = from { links.clone() } else { Vec::new() };
    let back = checked(SitePatch { ticketing_links: Some(links), ..SitePatch::default() })?;
    let mut all = site.ticketing_links.clone();
    let at = all.iter().position(|link| LinkId::from(link) == *id);
    all.retain(|link| LinkId::from(link) != *id);
    let at = at.unwrap_or(all.len());
    all.splice(at..at, back.ticketing_links.unwrap_or_default());
    if all.len() > TICKETING_LINKS_MAX {
        return Err(Error::TooMany("ticketing links", TICKETING_LINKS_MAX));
    }
    SitePatch { ticketing_links: Some(all), ..SitePatch::default() }.apply(site);
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
    let fix = answer.and_then(|edit| if let Some(Value::Fix(fix)) = &edit.from { Some(fix) } else { None });
    let Some(Value::Address(stated)) = from else {
        // Where there was no address there was no answer to one, whenever the present one came.
        if fix.is_none() {
            site.fixes.remove(Source::Address);
        }
        site.address = None;
        return Some(());
    };
    let own = fix.filter(|fix| is_answer_to(fix, stated));
    if stated.state == AddressState::Applied
        && let Some(fix) = own
        && put_answer(site, fix, Some(stated), now, actor).is_some()
    {
        return Some(());
    }
    if stated.state == AddressState::PinKept
        && let Some(fix) = own
    {
        put_below_pin(site, fix, now, actor);
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
    // Its answer was kept beside a position, and so is the next one.
    let keep_pin = stated.keep_pin || stated.state == AddressState::PinKept;
    site.address = Some(SiteAddress { formatted, storage, evidence, state, keep_pin, chosen, ..back });
    // What the site still stands at has terms of its own.
    site.keep_renewal(renewal, now);
    Some(())
}

/// Whether a fix is the answer that an address says it has.
fn is_answer_to(fix: &PastFix, stated: &SiteAddress) -> bool {
    matches!(&fix.origin, Origin::Geocoded(answer) if answer.formatted_address == stated.formatted)
}

/// Puts the answer to an address that was kept beside a pin back where it was: below the pin, if there is one.
fn put_below_pin(site: &mut Site, fix: &PastFix, now: Timestamp, actor: &str) {
    let (Some(position), Origin::Geocoded(answer)) = (fix.position, &fix.origin) else { return };
    let pin = site.fixes.get(Source::Pin).map(|pin| pin.made_at);
    let below = pin.and_then(|at| at.checked_sub(SignedDuration::from_nanos(1)).ok());
    let made_at = fix.made_at.unwrap_or(now).min(below.unwrap_or(now));
    // One that is newer would stay.
    site.fixes.remove(Source::Address);
    site.fixes.put(address_fix(position, fix.granularity, answer.clone(), made_at, actor.to_owned()));
}
