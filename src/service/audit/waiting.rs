//! Records that wait to be written: like calls together, bounded, and beside the batch of the call where it has one.
//!
//! A call that writes has its record in its own first batch. What only reads, or is refused, is noted here and written with
//! others some seconds later, so that no read waits for a disk. Knows nothing of when that is.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;

use super::Class;
use crate::model::access::Principal;
use crate::model::audit::{AuditRecord, LOST, stamp};
use crate::model::id::{AccountId, TokenId};
use crate::service::access::random_bytes;
use crate::service::call::State;
use crate::store::document::Document;
use crate::store::{Expect, Key, Kind, Mutation};

/// Calls within this time are told together, where they are alike.
pub(super) const TOGETHER: SignedDuration = SignedDuration::from_hours(1);
/// So many things one token and method are told of one by one in that time. A program that reads a million sites one by one
/// would fill the store with saying so: behind these its reads are one record.
const NAMED_MAX: usize = 64;
/// Most records that wait, or are still counted up: some 400 bytes each. Beyond it calls are counted and told as lost.
const WAITING_MAX: usize = 32_768;

/// A call to note.
#[derive(Debug)]
pub(super) struct Note<'call> {
    /// In whose records.
    pub(super) account: Option<&'call AccountId>,
    /// Whether they are in the account's own partition, as those of calls that write.
    pub(super) is_beside: bool,
    pub(super) principal: &'call Principal,
    pub(super) method: &'static str,
    pub(super) resource: &'call str,
    pub(super) reason: &'call str,
    pub(super) changed: bool,
}

impl Note<'_> {
    /// The record of it as of one call.
    fn record(&self, resource: String, now: Timestamp) -> AuditRecord {
        let Principal { account, token, scope, .. } = self.principal;
        AuditRecord {
            at: now,
            last_at: now,
            calls: 1,
            actor: Some((account.clone(), *token, *scope)),
            method: self.method.to_owned(),
            resource,
            reason: self.reason.to_owned(),
            changed: self.changed,
        }
    }
}

/// What like calls have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Likeness {
    account: Option<AccountId>,
    is_beside: bool,
    resource: String,
    reason: String,
    changed: bool,
}

/// A record that is counted up.
#[derive(Debug)]
struct Line {
    key: Key,
    record: AuditRecord,
    /// How many of its calls are written.
    written: u64,
}

impl Line {
    fn new(key: Key, record: AuditRecord) -> Self {
        Self { key, record: AuditRecord { calls: 0, ..record }, written: 0 }
    }

    fn count(&mut self, now: Timestamp) {
        self.record.calls += 1;
        self.record.last_at = now.max(self.record.last_at);
    }

    fn mutation(&self) -> Mutation {
        put(self.key.clone(), self.record.clone())
    }
}

/// Who called what: its calls are told apart up to a limit.
type Habit = (TokenId, &'static str);

#[derive(Debug, Default)]
struct Table {
    lines: HashMap<Habit, HashMap<Likeness, Line>>,
    count: usize,
    /// Calls of which there is no record but that they were lost, since the start.
    lost: u64,
}

/// The records that wait.
#[derive(Debug, Default)]
pub(in crate::service) struct Waiting(Mutex<Table>);

impl Waiting {
    /// The record that goes with a batch of a call, if it is told of and its record was not yet written.
    pub(in crate::service) fn beside(
        &self,
        state: &mut State,
        partition: Option<&AccountId>,
        now: Timestamp,
    ) -> Option<Mutation> {
        let (method, class) = state.method.filter(|_| !state.is_recorded)?;
        let note = Note {
            account: partition,
            is_beside: true,
            principal: state.principal.as_ref()?,
            method,
            resource: &state.resource,
            reason: "",
            changed: true,
        };
        if state.record.is_none() {
            state.record = match class {
                Class::Write => Some((key_of(partition, true, now)?, note.record(note.resource.to_owned(), now))),
                Class::Pages => self.note(&note, now),
                Class::Look | Class::Persons => return None,
            };
        }
        state.record.clone().map(|(key, record)| put(key, record))
    }

    /// Takes note of a call; gives where its record is, and how it stands. `None` where it is lost among too many.
    pub(super) fn note(&self, note: &Note<'_>, now: Timestamp) -> Option<(Key, AuditRecord)> {
        let mut table = self.0.lock();
        let Table { lines, count, lost } = &mut *table;
        let habit = lines.entry((note.principal.token, note.method)).or_default();
        let mut likeness = Likeness {
            account: note.account.cloned(),
            is_beside: note.is_beside,
            resource: note.resource.to_owned(),
            reason: note.reason.to_owned(),
            changed: note.changed,
        };
        if habit.len() >= NAMED_MAX && !habit.contains_key(&likeness) {
            likeness.resource = many(note.resource);
        }
        if !habit.contains_key(&likeness) {
            let key = key_of(note.account, note.is_beside, now).filter(|_| *count < WAITING_MAX);
            let Some(key) = key else {
                *lost += 1;
                table.lose(now);
                return None;
            };
            *count += 1;
            let record = note.record(likeness.resource.clone(), now);
            habit.insert(likeness.clone(), Line::new(key, record));
        }
        let line = habit.get_mut(&likeness)?;
        line.count(now);
        Some((line.key.clone(), line.record.clone()))
    }

    /// Up to `most` records that are not written as they stand.
    pub(super) fn unwritten(&self, most: usize) -> Vec<Mutation> {
        let table = self.0.lock();
        let lines = table.lines.values().flat_map(HashMap::values);
        lines.filter(|line| line.record.calls > line.written).take(most).map(Line::mutation).collect()
    }

    /// Takes note that a record was written as it stood then.
    pub(in crate::service) fn is_written(&self, key: &Key, record: &AuditRecord) {
        let mut table = self.0.lock();
        let mut lines = table.lines.values_mut().flat_map(HashMap::values_mut);
        if let Some(line) = lines.find(|line| line.key == *key) {
            line.written = line.written.max(record.calls);
        }
    }

    /// Takes note that records were written, and forgets those that no further call is counted in.
    pub(super) fn are_written(&self, written: &[Mutation], now: Timestamp) {
        let calls = |mutation: &Mutation| match &mutation.document {
            Some(Document::Audit(record)) => record.calls,
            _ => 0,
        };
        let written: HashMap<&Key, u64> = written.iter().map(|mutation| (&mutation.key, calls(mutation))).collect();
        let mut table = self.0.lock();
        for habit in table.lines.values_mut() {
            habit.retain(|_, line| {
                line.written = line.written.max(written.get(&line.key).copied().unwrap_or_default());
                // Nor those of a time that a clock which jumped has left behind.
                line.written < line.record.calls || now.duration_since(line.record.at).abs() < TOGETHER
            });
        }
        table.lines.retain(|_, habit| !habit.is_empty());
        table.count = table.lines.values().map(HashMap::len).sum();
    }

    /// Calls since the start of which nothing is known but that there were some.
    pub(super) fn lost(&self) -> u64 {
        self.0.lock().lost
    }
}

impl Table {
    /// Counts a call that is lost, in the operator's own records.
    fn lose(&mut self, now: Timestamp) {
        let likeness = Likeness {
            account: None,
            is_beside: false,
            resource: String::new(),
            reason: String::new(),
            changed: false,
        };
        let record = AuditRecord {
            at: now,
            last_at: now,
            calls: 0,
            actor: None,
            method: LOST.to_owned(),
            resource: String::new(),
            reason: String::new(),
            changed: false,
        };
        let habit = self.lines.entry((TokenId::MIN, LOST)).or_default();
        if let Some(line) = habit.get_mut(&likeness) {
            line.count(now);
        } else if let Some(key) = key_of(None, false, now) {
            habit.entry(likeness).or_insert(Line::new(key, record)).count(now);
        }
    }
}

/// The key of a new record: of a call that writes in the partition that it writes to, where it goes with its batch; of others in
/// the operator's, so that a read counts in nobody's revisions. `None` where there is no randomness.
fn key_of(account: Option<&AccountId>, is_beside: bool, now: Timestamp) -> Option<Key> {
    let random = random_bytes().ok()?;
    let id = format!("{}-{}", stamp(now), TokenId::from_random(&random));
    Some(match account {
        Some(account) if is_beside => Key::of(account, Kind::Audit, id),
        account => Key::operator(Kind::Audit, format!("{}{id}", super::prefix_of(account))),
    })
}

fn put(key: Key, record: AuditRecord) -> Mutation {
    Mutation { key, expect: Expect::Any, document: Some(Document::Audit(Box::new(record))) }
}

/// What stands for many things like this one.
fn many(resource: &str) -> String {
    let mut parts = resource.splitn(4, '/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some("accounts"), Some(account), Some("sites")) => format!("accounts/{account}/sites/-"),
        (Some("accounts"), Some(account), _) => format!("accounts/{account}"),
        _ => String::new(),
    }
}
