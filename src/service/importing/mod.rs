//! Rows of sheets: sites that are made or changed by what a row says of them, each row in one write or not at all.
//!
//! A row is applied to a copy, and the copy committed over what was read: where anything of it is refused nothing is
//! written. Done again it changes nothing, so whoever does not know whether a row went through sends it again.

mod address;
pub mod row;

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::{StreamExt as _, stream};

use self::address::stands_at;
use self::row::{RowKey, Said, SiteRow};
use super::access::{Permission, require_contacts};
use super::addresses::Answer;
use super::candidates::{Choice, state_of};
use super::error::Resource;
use super::location::{drop_pin, settle_address};
use super::name_claims::Claimant;
use super::record::{self, Author};
use super::requests::RequestId;
use super::sites::{ChangeOptions, Draft, Step, site_name_key};
use super::{ATTEMPTS_MAX, Error, Versioned, Waymark, pasted};
use crate::error::{Fault as _, Kind as FaultKind, Reason};
use crate::live::LiveAccount;
use crate::model::access::Principal;
use crate::model::history::Cause;
use crate::model::id::AccountId;
use crate::model::location::Source;
use crate::model::phone::{PHONES_MAX, Phone};
use crate::model::site::{LABELS_MAX, Site};
use crate::model::site_address::AddressState;
use crate::model::{Invalid, text};
use crate::store::document::{Document, NameClaim};
use crate::store::{Error as StoreError, Key, Kind, Mutation};

/// Most rows of one call.
pub const ROWS_MAX: usize = 100;
/// Rows of a call that are done at once: enough to share a sync of the disk, few enough to leave the store to others.
const ROWS_AT_ONCE: usize = 32;

/// What became of a row's site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was made.
    Created,
    /// It was there and was changed.
    Updated,
    /// It was there as the row has it.
    Unchanged,
}

/// What became of a row.
#[derive(Debug)]
pub struct Imported {
    /// What became of its site.
    pub outcome: Outcome,
    /// The site.
    pub site: Versioned<Site>,
    /// What became of its address; `None` where it has none.
    pub address_state: Option<AddressState>,
    /// The places that its address may mean, where a person has to choose.
    pub choices: Vec<Choice>,
}

impl Waymark {
    /// Applies up to [`ROWS_MAX`] rows; what became of each, in their order. One that is refused leaves the others as they
    /// are; a fault that is no row's own fails the call, and what is done by then is found done by a repeat.
    ///
    /// Cost: a write a row, which share syncs of the disk, and a question to the geocoder for each new address.
    pub async fn import_sites(
        &self,
        principal: &Principal,
        account: &AccountId,
        rows: Vec<Result<SiteRow, Invalid>>,
        validate_only: bool,
    ) -> Result<Vec<Result<Imported, Error>>, Error> {
        let live = self.account_for(principal, account, Permission::Change)?;
        if !(1..=ROWS_MAX).contains(&rows.len()) {
            return Err(Invalid::new("rows", format!("1 to {ROWS_MAX} rows, got {}", rows.len())).into());
        }
        let live = &live;
        let mut done = stream::iter(rows)
            .map(|row| async move { self.import_row(principal, live, row?, validate_only).await })
            .buffered(ROWS_AT_ONCE);
        let mut outcomes = Vec::new();
        while let Some(outcome) = done.next().await {
            match outcome {
                Err(cause) if !is_of_a_row(&cause) => return Err(cause),
                settled => outcomes.push(settled),
            }
        }
        Ok(outcomes)
    }

    async fn import_row(
        &self,
        principal: &Principal,
        live: &LiveAccount,
        row: SiteRow,
        validate_only: bool,
    ) -> Result<Imported, Error> {
        let owner = live.account();
        let row = row.checked(owner.country)?;
        if row.names_private() {
            require_contacts(principal)?;
        }
        if let Said::Some(position) = row.position {
            pasted::refuse_null_island("position", position)?;
        }
        for _ in 0..ATTEMPTS_MAX {
            let done = match self.site_of_row(&owner.id, &row).await? {
                Some(found) => self.change_by_row(principal, &owner.id, found, &row, validate_only).await,
                None => self.create_by_row(principal, live, &row, validate_only).await.map(Some),
            };
            match done {
                // The name is another's by now, or free: look again whose it is.
                Err(Error::SiteNameTaken(_) | Error::SiteDeleted(_)) if row.key == RowKey::Name => {}
                Ok(None) => {}
                Ok(Some(imported)) => return Ok(imported),
                Err(cause) => return Err(cause),
            }
        }
        Err(Error::Contention(Resource::Account(owner.id.clone()).to_string()))
    }

    /// The site that a row is of, with its record where that was read; `None` where it is to be made.
    async fn site_of_row(&self, account: &AccountId, row: &SiteRow) -> Result<Option<Claimant>, Error> {
        match &row.key {
            RowKey::Site(id) => Ok(Some(Claimant { id: *id, record: None })),
            RowKey::Agent(agent) => {
                let record = self.parts.store.get(Key::of(account, Kind::Agent, agent)).await?;
                let why = || Invalid::new("agent_id", "no site of the account has this agent");
                match record.ok_or_else(why)?.document {
                    Document::Agent(claim) => Ok(Some(Claimant { id: claim.site, record: None })),
                    _ => Err(Error::Mismatched { key: Key::of(account, Kind::Agent, agent) }),
                }
            }
            RowKey::Name => {
                let key = Key::of(account, Kind::SiteName, text::fold(row.name()));
                self.read_claimant(account, &key).await
            }
        }
    }

    async fn create_by_row(
        &self,
        principal: &Principal,
        live: &LiveAccount,
        row: &SiteRow,
        validate_only: bool,
    ) -> Result<Imported, Error> {
        self.require_room(live)?;
        let account = &live.account().id;
        let mut site = self.site_as(account, &row.patch).await?;
        let answer = self.answer_to_row(account, row, None).await?;
        let now = site.created_at;
        self.apply_row(row, &mut site, answer.as_ref(), principal, now)?;
        if validate_only {
            return Ok(Imported::of(
                Outcome::Created,
                Versioned { value: site, revision: live.revision() },
                row,
                answer,
            ));
        }
        let mut batch = vec![Mutation::create(site_name_key(&site), Document::SiteName(NameClaim { site: site.id }))];
        batch.extend(record::create(&mut site, &Author::of(principal, Cause::Created), now));
        let request = RequestId::parse(account, &row.request_id, &row.said())?;
        batch.extend(request.as_ref().map(|request| request.answered(site.id, now)));
        match self.parts.store.commit(batch).await {
            Ok(revision) => Ok(Imported::of(Outcome::Created, Versioned { value: site, revision }, row, answer)),
            Err(StoreError::Conflict { .. }) => {
                // Of a repeat, too, whose site has another name by now.
                let made = match &request {
                    Some(request) => self.find_answer(account, request).await?,
                    None => None,
                };
                let made = made.ok_or(Error::SiteNameTaken(site.display_name))?;
                Ok(Imported::of(Outcome::Created, made, row, answer))
            }
            Err(cause) => Err(cause.into()),
        }
    }

    /// `None` where the site is not as it was when it was looked up, or when the geocoder was asked or not: look again.
    async fn change_by_row(
        &self,
        principal: &Principal,
        account: &AccountId,
        Claimant { id, record }: Claimant,
        row: &SiteRow,
        validate_only: bool,
    ) -> Result<Option<Imported>, Error> {
        // A repeat of the row that made it.
        let made = match RequestId::parse(account, &row.request_id, &row.said())? {
            Some(request) if row.key == RowKey::Name => self.find_answer(account, &request).await?,
            _ => None,
        };
        let mut present = match (made.as_ref(), record) {
            (Some(made), _) => made.clone(),
            (None, Some(found)) => *found,
            (None, None) => self.standing_site(account, id).await?,
        };
        // As `commit_over` shows it.
        present.value.drop_expired(self.now());
        let answer = self.answer_to_row(account, row, Some(&present.value)).await?;
        if let Some(made) = made {
            return Ok(Some(Imported::of(Outcome::Created, made, row, answer)));
        }
        let (is_same, is_outdated) = (AtomicBool::new(false), AtomicBool::new(false));
        let options = ChangeOptions { etag: String::new(), validate_only };
        let pages = self.link_pages(account, row.patch.ticketing_links.as_deref().unwrap_or_default()).await?;
        let (is_same_site, is_outdated_look) = (&is_same, &is_outdated);
        let (answered, pages, options) = (answer.as_ref(), &pages, &options);
        let author = Author::of(principal, Cause::Updated);
        let changed = self.commit_over(account, id, author, move |before, now| async move {
            let resource = Resource::Site(account.clone(), id);
            if before.deleted_at.is_some() {
                return Err(Error::SiteDeleted(resource));
            }
            if row.is_of_another(&before) || row.question(Some(&before)).is_some() != answered.is_some() {
                is_outdated_look.store(true, Ordering::Relaxed);
                return Err(Error::Contention(resource.to_string()));
            }
            let apply = |site: &mut Site, now| {
                row.known().apply(site);
                pages.fill(&mut site.ticketing_links);
                self.apply_row(row, site, answered, principal, now)
            };
            let mut draft = self.draft(before.clone(), now, options, apply).await?;
            draft.site.updated_at = before.updated_at;
            let is_same = draft.site == before;
            is_same_site.store(is_same, Ordering::Relaxed);
            if is_same {
                return Ok(Draft { step: Step::Leave, ..draft });
            }
            draft.site.updated_at = now;
            Ok(draft)
        });
        let site = match changed.await {
            Err(Error::Contention(_)) if is_outdated.into_inner() => return Ok(None),
            changed => changed?,
        };
        let outcome = if is_same.into_inner() { Outcome::Unchanged } else { Outcome::Updated };
        Ok(Some(Imported::of(outcome, site, row, answer)))
    }

    /// Makes of a site what a row says beside its patch.
    fn apply_row(
        &self,
        row: &SiteRow,
        site: &mut Site,
        answer: Option<&Answer>,
        principal: &Principal,
        now: jiff::Timestamp,
    ) -> Result<(), Error> {
        site.labels.extend(row.set_labels.clone());
        if site.labels.len() > LABELS_MAX {
            return Err(Error::TooMany("labels", LABELS_MAX));
        }
        let phones = &mut site.contact.phones;
        for phone in &row.add_phones {
            let is_there = |known: &Phone| (&known.number, &known.extension) == (&phone.number, &phone.extension);
            if !phones.iter().any(is_there) {
                phones.push(phone.clone());
            }
        }
        if phones.len() > PHONES_MAX {
            return Err(Error::TooMany("phone numbers", PHONES_MAX));
        }
        match row.position {
            Said::Some(position) if !stands_at(site, position) => drop_pin(site, position, now, principal.actor())?,
            Said::None if site.fixes.remove(Source::Pin).is_some() => settle_address(site),
            Said::Some(_) | Said::None | Said::Nothing => {}
        }
        match (&row.address, answer) {
            (Said::None, _) => {
                site.fixes.remove(Source::Address);
                site.address = None;
            }
            (Said::Some(query), Some(answer)) => self.apply_answer(row, query, answer, site, principal, now)?,
            (Said::Some(_), None) | (Said::Nothing, _) => {}
        }
        Ok(())
    }
}

/// Whether a fault is a row's own, rather than one that every row would meet.
fn is_of_a_row(cause: &Error) -> bool {
    let kind = cause.reason().kind();
    // A row without a contact fares better with a token that masks contacts, and one of another site where a record is damaged.
    matches!(cause.reason(), Reason::LimitReached | Reason::ContactsMasked)
        || cause.is_of_one_record()
        || matches!(
            kind,
            FaultKind::InvalidArgument
                | FaultKind::NotFound
                | FaultKind::AlreadyExists
                | FaultKind::FailedPrecondition
                | FaultKind::Aborted
        )
}

impl Imported {
    fn of(outcome: Outcome, site: Versioned<Site>, row: &SiteRow, answer: Option<Answer>) -> Self {
        // Coordinates where an address may stand leave none, whatever address the site has from before.
        let is_pin = answer.as_ref().and_then(Answer::pasted_position).is_some();
        let known = site.value.address.as_ref().filter(|_| !is_pin).map(|address| address.state);
        let choices = if let Some(Answer::Found(choices)) = answer { choices } else { Vec::new() };
        let address_state = matches!(row.address, Said::Some(_)).then(|| known.unwrap_or_else(|| state_of(&choices)));
        Self { outcome, site, address_state, choices }
    }
}
