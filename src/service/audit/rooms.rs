//! Records that are counted up in memory: like calls as one, and those of each account in rooms of its own, so that whoever calls
//! without end loses what is told of it, and nobody else does.
//!
//! Knows no lock, and nothing of when records are written. What a room does not take is counted in a record of its account, and what
//! guests read in one of the account that they read.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use jiff::Timestamp;

use super::waiting::{Note, are_together, key_apart};
use crate::model::access::Scope;
use crate::model::audit::{AuditRecord, LOST};
use crate::model::id::{AccountId, TokenId};
use crate::service::advancing::Reached;
use crate::store::Key;
use crate::store::document::Document;

/// So many things one token and method are told of one by one in an hour. A program that reads a million sites one by one
/// would fill the store with saying so: behind these its reads are one record.
const NAMED_MAX: usize = 64;
/// Most records that wait, or are still counted up: some 400 bytes each, 13 MB in all.
pub(super) const WAITING_MAX: usize = 32_768;
/// Most of them in one room: half, so that a flood of reads leaves the same again to all others before anybody has to give way.
pub(super) const ROOM_MAX: usize = WAITING_MAX / 2;

/// Whose room it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Owner {
    /// The account whose token calls; `None` for the operator's own.
    account: Option<AccountId>,
    /// Whether it is for what administers. Reads of persons are many more, and have the other one.
    administers: bool,
}

/// What like calls have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Likeness {
    /// What its caller could do: an identity's role may be another within the hour.
    scope: Scope,
    account: Option<AccountId>,
    resource: String,
    reason: String,
    changed: bool,
}

/// Who called what: its calls are told apart up to a limit.
type Habit = (TokenId, &'static str);

/// A record that is counted up.
#[derive(Debug)]
struct Line {
    key: Key,
    record: AuditRecord,
    /// How many of its calls are written.
    written: u64,
}

/// The records of one owner.
#[derive(Debug, Default)]
struct Room {
    /// No habit is without lines.
    lines: HashMap<Habit, HashMap<Likeness, Line>>,
    /// How many lines there are.
    count: usize,
    /// Calls that it had no room for, as one record beside the others for each account that they are told to: the owner's own, and those
    /// that its people see by shares.
    lost: HashMap<Option<AccountId>, Line>,
}

/// All rooms.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    by_owner: HashMap<Owner, Room>,
    /// How many lines there are in all of them.
    count: usize,
    /// Calls since the start of which there is no record but that they were lost.
    lost: u64,
}

impl Rooms {
    /// Takes note of a call: in the record of its like, or in a new one where there is room for it.
    pub(super) fn note(&mut self, note: &Note<'_>, now: Timestamp) {
        let owner = Owner { account: note.principal.home().cloned(), administers: note.administers };
        let habit = (note.principal.token, note.method);
        let mut likeness = Likeness {
            scope: note.principal.scope,
            account: note.account.cloned(),
            resource: note.resource.to_owned(),
            reason: note.reason.to_owned(),
            changed: note.changed,
        };
        if let Some(lines) = self.by_owner.get_mut(&owner).and_then(|room| room.lines.get_mut(&habit)) {
            if lines.len() >= NAMED_MAX && !lines.contains_key(&likeness) {
                likeness.resource = many(note.resource);
            }
            if let Some(line) = lines.get_mut(&likeness) {
                line.count(1, now);
                return;
            }
        }
        let key = if self.make_room(&owner, now) { key_apart(note.account, now) } else { None };
        let Some(key) = key else {
            self.lose(&owner, note.account, 1, now);
            return;
        };
        let mut line = Line::new(key, note.record(likeness.resource.clone(), now));
        line.count(1, now);
        let room = self.by_owner.entry(owner).or_default();
        room.lines.entry(habit).or_default().insert(likeness, line);
        room.count += 1;
        self.count += 1;
    }

    /// Up to `most` records that are not written as they stand.
    pub(super) fn unwritten(&self, most: usize) -> Vec<Reached> {
        let lines = self.by_owner.values().flat_map(Room::all);
        lines.filter(|line| line.record.calls > line.written).take(most).map(Line::reached).collect()
    }

    /// Takes note how many calls of records are written, and forgets those that no further call is counted in.
    pub(super) fn are_written(&mut self, written: &HashMap<&Key, u64>, now: Timestamp) {
        for room in self.by_owner.values_mut() {
            room.are_written(written, now);
        }
        self.by_owner.retain(|_, room| room.count > 0 || !room.lost.is_empty());
        self.count = self.by_owner.values().map(|room| room.count).sum();
    }

    /// Calls since the start of which nothing is known but that there were some.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    /// Whether an owner may have one more record. Where all are in use, the largest room gives one up to a smaller one.
    fn make_room(&mut self, owner: &Owner, now: Timestamp) -> bool {
        let own = self.by_owner.get(owner).map_or(0, |room| room.count);
        if own >= ROOM_MAX {
            return false;
        }
        if self.count < WAITING_MAX {
            return true;
        }
        let largest = self.by_owner.iter().max_by_key(|(_, room)| room.count);
        let Some(largest) = largest.filter(|(_, room)| room.count > own + 1).map(|(owner, _)| owner.clone()) else {
            return false;
        };
        let Some((account, line)) = self.by_owner.get_mut(&largest).and_then(Room::give_up) else { return false };
        self.count -= 1;
        // Those that are on their way to the store at this moment count as lost, too.
        let unwritten = line.record.calls.saturating_sub(line.written);
        if unwritten > 0 {
            self.lose(&largest, account.as_ref(), unwritten, now);
        }
        true
    }

    /// Counts calls that are lost, in a record of the account that they would have been told to; the operator's own in the operator's.
    fn lose(&mut self, owner: &Owner, account: Option<&AccountId>, calls: u64, now: Timestamp) {
        self.lost += calls;
        let account = owner.account.as_ref().and(account);
        let room = self.by_owner.entry(owner.clone()).or_default();
        let line = match room.lost.entry(account.cloned()) {
            Entry::Occupied(there) => Some(there.into_mut()),
            Entry::Vacant(free) => key_apart(account, now).map(|key| free.insert(Line::new(key, record_of_lost(now)))),
        };
        if let Some(line) = line {
            line.count(calls, now);
        }
    }
}

impl Room {
    fn all(&self) -> impl Iterator<Item = &Line> {
        self.lines.values().flat_map(HashMap::values).chain(self.lost.values())
    }

    /// Takes one of its lines out, with the account that it is told to.
    fn give_up(&mut self) -> Option<(Option<AccountId>, Line)> {
        let habit = *self.lines.keys().next()?;
        let lines = self.lines.get_mut(&habit)?;
        let likeness = lines.keys().next()?.clone();
        let line = lines.remove(&likeness)?;
        if lines.is_empty() {
            self.lines.remove(&habit);
        }
        self.count -= 1;
        Some((likeness.account, line))
    }

    fn are_written(&mut self, written: &HashMap<&Key, u64>, now: Timestamp) {
        for lines in self.lines.values_mut() {
            lines.retain(|_, line| line.is_going_on(written, now));
        }
        self.lines.retain(|_, lines| !lines.is_empty());
        self.count = self.lines.values().map(HashMap::len).sum();
        self.lost.retain(|_, line| line.is_going_on(written, now));
    }
}

impl Line {
    /// One without a call.
    fn new(key: Key, record: AuditRecord) -> Self {
        Self { key, record: AuditRecord { calls: 0, ..record }, written: 0 }
    }

    fn count(&mut self, calls: u64, now: Timestamp) {
        self.record.calls += calls;
        self.record.last_at = now.max(self.record.last_at);
    }

    fn reached(&self) -> Reached {
        (self.key.clone(), Document::Audit(Box::new(self.record.clone())))
    }

    /// Takes note of how many of its calls are written; whether some are not, or further ones are counted in it.
    fn is_going_on(&mut self, written: &HashMap<&Key, u64>, now: Timestamp) -> bool {
        self.written = self.written.max(written.get(&self.key).copied().unwrap_or_default());
        self.written < self.record.calls || are_together(self.record.at, now)
    }
}

/// The record of calls that are lost.
fn record_of_lost(now: Timestamp) -> AuditRecord {
    AuditRecord {
        at: now,
        last_at: now,
        calls: 0,
        actor: None,
        identity: String::new(),
        method: LOST.to_owned(),
        resource: String::new(),
        reason: String::new(),
        changed: false,
    }
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
