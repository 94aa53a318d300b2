//! Histories of sites: read page by page, and a former value put back. They are written in `record`.

use jiff::Timestamp;

use super::access::{Permission, require_contacts};
use super::assigned::{is_told, require_tended_field};
use super::error::Resource;
use super::paging::{Page, PageRequest, query_purpose};
use super::record::{Author, change_key, past_prefix, text_key};
use super::requests::RequestId;
use super::restoring::put_back;
use super::site_list::PAGE_BYTES_MAX;
use super::sites::{ChangeOptions, Draft, Step};
use super::{Error, Versioned, Waymark};
use crate::model::access::Principal;
use crate::model::history::{Actor, Cause, Change, Field, Value, diff};
use crate::model::id::{AccountId, SiteId};
use crate::model::site::Site;
use crate::model::{Invalid, text};
use crate::store::document::Document;
use crate::store::{Error as StoreError, Kind, Mutation, Range, Record};

/// Most entries that are read together.
const CHUNK_MAX: usize = 256;
/// Entries that are read first where a field is looked for; each time after that twice as many.
const CHUNK_MIN: usize = 32;
/// Fields that an error names: it goes into a header.
const FIELDS_TOLD_MAX: usize = 5;
/// Entries that one call looks at: of a field that changed seldom, a page may be short.
const SCANNED_MAX: usize = 10_000;
/// Records that are taken away together.
const FORGOTTEN_AT_ONCE: usize = 1_000;

/// A former value that shall be put back.
#[derive(Debug, Clone)]
pub struct Restoration {
    /// The site.
    pub site: SiteId,
    /// The change before which it was there.
    pub change: u32,
    /// The path of its field.
    pub field: String,
    /// A UUID that makes repeats of the call one; empty for none.
    pub request_id: String,
}

impl Waymark {
    /// A page of a site's changes, the newest first; with `field` those of that field, or of fields in it. Of edits that the principal is
    /// not told of nothing is listed.
    ///
    /// Cost: reads the page's entries and one more; with a field, or for who is not told of all, 32 to twice as many as it has
    /// to look at, and at most 10,000.
    pub async fn list_changes(
        &self,
        principal: &Principal,
        account: &AccountId,
        site: SiteId,
        field: &str,
        page: &PageRequest,
    ) -> Result<Page<Change>, Error> {
        self.account_for(principal, account, Permission::Study)?;
        self.get_site(principal, account, site).await?;
        if !Field::is_path(field) {
            let why = format!("{} is no field of a history, such as note, contact or location", text::shown(field));
            return Err(Invalid::new("field", why).into());
        }
        let limit = page.limit()?;
        let purpose = || query_purpose(principal, "changes", &(account, site, field));
        let mut after: Option<u32> = self.cursor(&purpose, page)?;
        let (mut items, mut scanned, mut bytes) = (Vec::new(), 0, 0);
        let mut chunk = CHUNK_MIN;
        loop {
            if field.is_empty() && principal.assigned.is_none() {
                chunk = (limit + 1 - items.len()).min(CHUNK_MAX);
            }
            let range = Range {
                prefix: past_prefix(site),
                after: after.map(|number| change_key(account, site, number).id),
                descending: true,
                limit: chunk,
                ..Range::all(Some(account.clone()), Kind::Change)
            };
            let records = self.parts.store.scan(range).await?;
            let is_last = records.len() < chunk;
            chunk = (chunk * 2).min(CHUNK_MAX);
            let count = records.len();
            scanned += count;
            for (index, record) in records.into_iter().enumerate() {
                let mut change = change_in(record)?;
                let number = change.number;
                after = Some(number);
                let is_there = keep_told(principal, &mut change);
                if is_there && (field.is_empty() || change.edits.iter().any(|edit| edit.field.is_within(field))) {
                    bytes += change.weight();
                    items.push(change);
                }
                let is_end = index + 1 == count;
                let is_full = items.len() >= limit || bytes >= PAGE_BYTES_MAX || (is_end && scanned >= SCANNED_MAX);
                // Number 1 is the oldest: nothing is behind it.
                if is_full && number > 1 && !(is_end && is_last) {
                    return Ok(self.page_until(&purpose, items, Some(&number)));
                }
            }
            if is_last {
                return Ok(self.page_until(&purpose, items, None::<&u32>));
            }
        }
    }

    /// One change, with its texts whole. To who is told of none of its edits there is none.
    pub async fn get_change(
        &self,
        principal: &Principal,
        account: &AccountId,
        id: SiteId,
        number: u32,
    ) -> Result<Change, Error> {
        self.account_for(principal, account, Permission::Study)?;
        let site = self.get_site(principal, account, id).await?.value;
        let record = self.parts.store.get(change_key(account, id, number)).await?;
        let missing = || Error::NotFound(Resource::Change(account.clone(), id, number));
        let mut change = self.whole_change(&site, record.ok_or_else(missing)?).await?;
        if keep_told(principal, &mut change) { Ok(change) } else { Err(missing()) }
    }

    /// The change in a record of a site's history, with its texts whole.
    pub(super) async fn whole_change(&self, site: &Site, record: Record) -> Result<Change, Error> {
        let mut change = change_in(record)?;
        for edit in &mut change.edits {
            for value in [&mut edit.from, &mut edit.to].into_iter().flatten() {
                self.make_whole(site, value).await?;
            }
        }
        Ok(change)
    }

    /// Puts the text in place of its name. It is what the site says now, or stands beside the entry that replaced it.
    async fn make_whole(&self, site: &Site, value: &mut Value) -> Result<(), Error> {
        let Value::LongText(name) = &*value else { return Ok(()) };
        if Value::of_text(&site.note).as_ref() == Some(value) {
            *value = Value::Text(site.note.clone());
            return Ok(());
        }
        let found = self.parts.store.get(text_key(&site.account, site.id, name)).await?;
        if let Some(Document::PastText(text)) = found.map(|record| record.document) {
            *value = Value::Text(text);
        }
        Ok(())
    }

    /// Puts back what a field had before a change, as a change of its own. A repeat with the same request id changes nothing
    /// more.
    pub async fn restore_value(
        &self,
        principal: &Principal,
        account: &AccountId,
        restoration: &Restoration,
        options: &ChangeOptions,
    ) -> Result<Versioned<Site>, Error> {
        self.account_for(principal, account, Permission::Tend)?;
        let Restoration { site: id, change: number, field, request_id } = restoration;
        let request = RequestId::parse(account, request_id, &("restore", id, number, field))?;
        let request = request.as_ref();
        let change = &self.get_change(principal, account, *id, *number).await?;
        let Some(edit) = change.edits.iter().find(|edit| edit.field.to_string() == *field) else {
            return Err(no_such_field(change, field).into());
        };
        require_tended_field(principal, &edit.field)?;
        if edit.field.is_private() {
            require_contacts(principal)?;
        }
        let author = Author::of(principal, Cause::Restored { change: *number });
        self.commit_over(account, *id, author, |before, now| async move {
            if let Some(request) = request
                && self.find_answer(account, request).await?.is_some()
            {
                return Ok(Draft { site: before, step: Step::Leave });
            }
            let put = |site: &mut Site, now| {
                if site.deleted_at.is_some() {
                    return Err(Error::SiteDeleted(Resource::Site(account.clone(), site.id)));
                }
                put_back(site, edit, change, now, &principal.actor())
            };
            let mut draft = self.draft(before.clone(), now, options, put).await?;
            match &mut draft.step {
                Step::Write(_) if diff(&before, &draft.site).is_empty() => {
                    let step = self.answer_alone(request, *id, now).await?;
                    return Ok(Draft { site: before, step });
                }
                Step::Write(batch) => batch.extend(request.map(|request| request.answered(*id, now))),
                Step::Leave | Step::Again => {}
            }
            Ok(draft)
        })
        .await
    }

    /// Keeps that a request is answered whose change would make no difference: its repeats make none either.
    async fn answer_alone(&self, request: Option<&RequestId>, id: SiteId, now: Timestamp) -> Result<Step, Error> {
        let Some(request) = request else { return Ok(Step::Leave) };
        match self.parts.store.commit(vec![request.answered(id, now)]).await {
            Ok(_) => Ok(Step::Leave),
            // Another call with the same request id was faster.
            Err(StoreError::Conflict { .. }) => Ok(Step::Again),
            Err(cause) => Err(cause.into()),
        }
    }

    /// What the account calls a token that made a change; empty for one that is not its own, and for others than tokens.
    #[must_use]
    pub fn actor_name(&self, account: &AccountId, actor: &Actor) -> String {
        let Actor::Token { id, .. } = actor else { return String::new() };
        let token = self.parts.live.token(*id).filter(|token| token.account.as_ref() == Some(account));
        token.map(|token| token.display_name.clone()).unwrap_or_default()
    }

    /// Whether a change was made with a token of the operator's own.
    #[must_use]
    pub fn is_operators(&self, actor: &Actor) -> bool {
        let Actor::Token { id, .. } = actor else { return false };
        self.parts.live.token(*id).is_some_and(|token| token.account.is_none())
    }

    /// Takes all entries of a site's history away, and the texts beside them; gives how many records that were. The next
    /// entry has the next number. For whoever purges a site's record, or erases a person.
    pub async fn forget_history(
        &self,
        principal: &Principal,
        account: &AccountId,
        site: SiteId,
    ) -> Result<usize, Error> {
        self.account_for(principal, account, Permission::Administer)?;
        let mut forgotten = 0;
        for kind in [Kind::Change, Kind::PastText] {
            loop {
                let (prefix, limit) = (past_prefix(site), FORGOTTEN_AT_ONCE);
                let range = Range { prefix, limit, ..Range::all(Some(account.clone()), kind) };
                let records = self.parts.store.scan(range).await?;
                if records.is_empty() {
                    break;
                }
                forgotten += records.len();
                let deletions = records.into_iter().map(|record| Mutation::delete(record.key));
                self.parts.store.commit(deletions.collect()).await?;
            }
        }
        Ok(forgotten)
    }
}

/// Leaves of a change's edits those that the principal is told of; whether there is such a change for them.
fn keep_told(principal: &Principal, change: &mut Change) -> bool {
    let was_empty = change.edits.is_empty();
    change.edits.retain(|edit| is_told(principal, &edit.field));
    was_empty || !change.edits.is_empty()
}

/// Why a change is none of a field.
fn no_such_field(change: &Change, field: &str) -> Invalid {
    let told = change.edits.iter().take(FIELDS_TOLD_MAX).map(|edit| text::shown(&edit.field.to_string()));
    let told = told.collect::<Vec<_>>().join(", ");
    let of = match change.edits.len() {
        0 => "no field".to_owned(),
        all if all > FIELDS_TOLD_MAX => format!("{told} and {} more", all - FIELDS_TOLD_MAX),
        _ => told,
    };
    Invalid::new("field", format!("the change is one of {of}, got {}", text::shown(field)))
}

fn change_in(record: Record) -> Result<Change, Error> {
    let Record { key, document, .. } = record;
    match document {
        Document::Change(change) => Ok(*change),
        _ => Err(Error::Mismatched { key }),
    }
}
