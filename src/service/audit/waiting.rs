//! What is told of calls until it is written: beside a batch of the call, or together with like ones some seconds later.
//!
//! A call that writes has its record in its own first batch, so the record says that it wrote where that is so, and nowhere else.
//! What only reads, changes nothing or is refused is noted here and written with others, so that no read waits for a disk.
//! Knows nothing of when that is.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;

use super::pages::Pages;
use super::rooms::Rooms;
use super::{Class, prefix_of};
use crate::model::access::Principal;
use crate::model::audit::{AuditRecord, stamp};
use crate::model::id::{AccountId, TokenId};
use crate::service::access::random_bytes;
use crate::service::advancing::Reached;
use crate::service::call::State;
use crate::store::document::Document;
use crate::store::{Expect, Key, Kind, Mutation};

/// Calls within this time are told together, where they are alike.
const TOGETHER: SignedDuration = SignedDuration::from_hours(1);

/// A call to note.
#[derive(Debug)]
pub(super) struct Note<'call> {
    /// In whose records.
    pub(super) account: Option<&'call AccountId>,
    /// Whether it administers, or shows what administrators see; otherwise it reads of persons.
    pub(super) administers: bool,
    pub(super) principal: &'call Principal,
    pub(super) method: &'static str,
    pub(super) resource: &'call str,
    pub(super) reason: &'call str,
    pub(super) changed: bool,
}

impl Note<'_> {
    /// The record of it as of one call.
    pub(super) fn record(&self, resource: String, now: Timestamp) -> AuditRecord {
        let Principal { token, scope, identity, .. } = self.principal;
        AuditRecord {
            at: now,
            last_at: now,
            calls: 1,
            actor: Some((self.principal.home().cloned(), *token, *scope)),
            identity: identity.as_ref().map(|identity| identity.name()).unwrap_or_default(),
            method: self.method.to_owned(),
            resource,
            reason: self.reason.to_owned(),
            changed: self.changed,
        }
    }
}

/// The records that wait, and those of pages that further ones are counted in.
#[derive(Debug, Default)]
pub(in crate::service) struct Waiting {
    rooms: Mutex<Rooms>,
    pages: Pages,
}

impl Waiting {
    /// The record that goes with a batch of a call, if it is told of and its record was not yet written. It stands in the batch's
    /// own partition, whatever earlier batches of the call were of.
    pub(in crate::service) fn beside(
        &self,
        state: &mut State,
        partition: Option<&AccountId>,
        now: Timestamp,
    ) -> Option<Mutation> {
        let (method, class) = state.method.filter(|_| !state.is_recorded)?;
        if state.record.as_ref().is_some_and(|(key, _)| key.partition.as_ref() != partition) {
            // That of a batch elsewhere, which did not go through or is not answered. No other call is counted in either of them.
            state.record = None;
            state.carrying += 1;
        }
        if state.record.is_none() {
            let note = Note {
                account: partition,
                administers: true,
                principal: state.principal.as_ref()?,
                method,
                resource: &state.resource,
                reason: "",
                changed: true,
            };
            let record = note.record(note.resource.to_owned(), now);
            let counted = match class {
                Class::Write => None,
                Class::Pages => self.pages.take(partition, &record),
                Class::Look | Class::Persons | Class::Across => return None,
            };
            state.record = Some(match counted {
                Some(counted) => counted,
                None => (key_beside(partition, now)?, record),
            });
        }
        let (key, record) = state.record.clone()?;
        state.carrying += 1;
        let document = Some(Document::Audit(Box::new(record)));
        // Nobody else writes it: it is new, or was taken by this call alone.
        Some(Mutation { key, expect: Expect::Any, document })
    }

    /// Takes note that a call has ended: the record of one that was made in pages is there for the next page, unless a batch with it
    /// may yet be written, which would take the count of that page back.
    pub(super) fn ended(&self, state: &State) {
        if let (Some((_, Class::Pages)), Some((key, record)), 0) = (state.method, &state.record, state.carrying) {
            self.pages.give_back(key.clone(), record.clone(), state.is_recorded);
        }
    }

    /// Takes note of a call.
    pub(super) fn note(&self, note: &Note<'_>, now: Timestamp) {
        self.rooms.lock().note(note, now);
    }

    /// Up to `most` records that are not written as they stand, all of the operator's partition.
    pub(super) fn unwritten(&self, most: usize) -> Vec<Reached> {
        self.rooms.lock().unwritten(most)
    }

    /// Takes note that records were written, and forgets those that no further call is counted in.
    pub(super) fn are_written(&self, written: &[Reached], now: Timestamp) {
        let calls = |document: &Document| match document {
            Document::Audit(record) => record.calls,
            _ => 0,
        };
        let written: HashMap<&Key, u64> = written.iter().map(|(key, document)| (key, calls(document))).collect();
        self.rooms.lock().are_written(&written, now);
        self.pages.forget(now);
    }

    /// Calls since the start of which nothing is known but that there were some.
    pub(super) fn lost(&self) -> u64 {
        self.rooms.lock().lost()
    }
}

/// Whether a call is told together with like ones since `at`. Not with those of a time that a clock which jumped has left behind.
pub(super) fn are_together(at: Timestamp, now: Timestamp) -> bool {
    now.duration_since(at).abs() < TOGETHER
}

/// The key of a new record in the partition that its call writes to. `None` where there is no randomness.
fn key_beside(partition: Option<&AccountId>, now: Timestamp) -> Option<Key> {
    match partition {
        Some(account) => Some(Key::of(account, Kind::Audit, new_id(now)?)),
        None => key_apart(None, now),
    }
}

/// The key of a new record of an account that no batch takes along: in the operator's partition, so that a read counts in nobody's
/// revisions. `None` where there is no randomness.
pub(super) fn key_apart(account: Option<&AccountId>, now: Timestamp) -> Option<Key> {
    Some(Key::operator(Kind::Audit, format!("{}{}", prefix_of(account), new_id(now)?)))
}

fn new_id(now: Timestamp) -> Option<String> {
    let random = random_bytes().ok()?;
    Some(format!("{}-{}", stamp(now), TokenId::from_random(&random)))
}

#[cfg(test)]
mod tests;
