//! The audit log: which calls are told of, and what administrators read of them.
//!
//! `waiting` puts records beside what calls write (`pages` those of work in pages) and holds what is not written yet (in `rooms`);
//! `work` writes that, and takes away what is older than it is kept. A call is told of from outside: `begin` before it is
//! answered, `end` behind it; who made it and what it wrote is known from [`super::call`].

mod pages;
mod rooms;
mod waiting;
mod work;

use std::collections::VecDeque;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::call::{self, Call};
use super::paging::{Page, PageRequest, query_purpose};
use super::{Error, Waymark};
use crate::error::Reason;
use crate::model::access::{Principal, Scope};
use crate::model::audit::{AuditRecord, stamp};
use crate::model::id::{AccountId, TokenId};
use crate::store::document::Document;
use crate::store::{Kind, Range, Store, scan_past};
use waiting::Note;
pub(super) use waiting::Waiting;

/// Most records that one page looks at: where few of them are wanted, the page is short and the next one goes on.
const LOOKS_MAX: usize = 5_000;
/// Records that are read together.
const CHUNK: usize = 256;

/// How a method is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// It administers: each call that writes is a record of its own.
    Write,
    /// It administers in pages, or hundreds of rows: like calls that write are told together, in what each writes.
    Pages,
    /// It shows what administrators see: like calls are told together.
    Look,
    /// It administers what is kept in two places, as what two accounts have together, or a network and the run that it begins: told to
    /// the account that the call names, and not beside what it writes.
    Across,
    /// Its answers show persons: those that were given are told together, where the token reads contacts.
    Persons,
}

/// Which records are wanted.
#[derive(Debug, Clone, Default)]
pub struct AuditQuery {
    /// Of which account; `None` for what was done outside of accounts.
    pub account: Option<AccountId>,
    /// Not before this.
    pub since: Option<Timestamp>,
    /// Before this.
    pub until: Option<Timestamp>,
    /// Done with this token, of an account or the operator's.
    pub token: Option<(Option<AccountId>, TokenId)>,
    /// Done by whom an identity provider vouches for, `issuer|subject`; empty for all.
    pub identity: String,
    /// Of this method; empty for all.
    pub method: String,
}

impl AuditQuery {
    fn wants(&self, record: &AuditRecord) -> bool {
        let is_by = |(account, token): &(Option<AccountId>, TokenId)| {
            let is_same = |(of, by, _): &(Option<AccountId>, TokenId, Scope)| of == account && by == token;
            record.identity.is_empty() && record.actor.as_ref().is_some_and(is_same)
        };
        let is_wanted = |wanted: &String, told: &String| wanted.is_empty() || wanted == told;
        self.token.as_ref().is_none_or(is_by)
            && is_wanted(&self.identity, &record.identity)
            && is_wanted(&self.method, &record.method)
    }
}

/// A record with its id.
#[derive(Debug, Clone, PartialEq)]
pub struct Audited {
    /// Its id: ids stand in the order of time.
    pub id: String,
    /// What it tells.
    pub record: AuditRecord,
}

/// Where the next page goes on: before this id.
#[derive(Debug, Serialize, Deserialize)]
struct Cursor(String);

/// The beginning of the ids of an account's records in the operator's partition, or of the operator's own.
fn prefix_of(account: Option<&AccountId>) -> String {
    format!("{}/", account.map_or("", AccountId::as_str))
}

/// Whether answers show persons to a scope at all; agents, residents and enrolment tokens see their own site at most, and
/// wallboards none.
fn sees_persons(scope: Scope) -> bool {
    match scope {
        Scope::Admin | Scope::Editor | Scope::Viewer | Scope::Service | Scope::Field => true,
        Scope::Enrollment | Scope::Agent | Scope::Resident | Scope::Wallboard => false,
    }
}

impl Waymark {
    /// Says that the call which this task answers is of a method that is told of.
    pub fn begin_audit(&self, method: &'static str, class: Class) {
        call::is_of(method, class);
    }

    /// Takes note of how that call ended: `reason` is empty for one that was answered.
    ///
    /// Calls without a good credential are not told of: nobody made them, and anybody can make millions.
    pub fn end_audit(&self, reason: &str) {
        let Some(state) = Call::current().map(|call| call.with(|state| state.clone())) else { return };
        self.audit.ended(&state);
        let (Some((method, class)), Some(principal)) = (state.method, &state.principal) else { return };
        let (is_told, reason) = match class {
            // It answered, and told of rows or sites one by one how that ended.
            Class::Write | Class::Pages if state.is_unsure && reason.is_empty() => {
                (true, Reason::OutcomeUnknown.as_str())
            }
            Class::Write | Class::Pages => (!(state.is_recorded && reason.is_empty()), reason),
            Class::Look | Class::Across => (true, reason),
            Class::Persons => {
                let is_answered = reason.is_empty();
                (is_answered && sees_persons(principal.scope) && !principal.contacts.are_masked(), reason)
            }
        };
        if !is_told {
            return;
        }
        let named = state.resource.strip_prefix("accounts/").and_then(|rest| rest.split('/').next());
        let named = named.and_then(|id| id.parse::<AccountId>().ok());
        // What somebody tried with a stranger's things, or with what is not there, stands with what they did at home.
        let is_theirs = |id: &AccountId| principal.belongs_to(id) && self.parts.live.account(id).is_some();
        let is_outside = principal.account.is_some() && !named.as_ref().is_some_and(is_theirs);
        let account = named.filter(is_theirs).or_else(|| principal.account.clone());
        let note = Note {
            account: account.as_ref(),
            administers: class != Class::Persons,
            principal,
            method,
            // What is outside of an account is nothing to its administrators, whatever somebody typed.
            resource: if is_outside { "" } else { &state.resource },
            reason,
            changed: state.is_changed,
        };
        self.audit.note(&note, self.now());
    }

    /// Calls since the start that are told of by their number alone.
    #[must_use]
    pub fn audit_lost(&self) -> u64 {
        self.audit.lost()
    }

    /// Records of an account, or the operator's own, the newest first. Its administrators, and the operator.
    pub async fn list_audit_records(
        &self,
        principal: &Principal,
        query: &AuditQuery,
        page: &PageRequest,
    ) -> Result<Page<Audited>, Error> {
        self.administered(principal, query.account.as_ref())?;
        let limit = page.limit()?;
        let purpose = || query_purpose(principal, "audit", query);
        let cursor: Option<Cursor> = self.cursor(&purpose, page)?;
        let before = cursor.map(|Cursor(id)| id).or_else(|| query.until.map(stamp));
        let since = query.since.map(stamp).unwrap_or_default();
        let mut sources = Sources::new(query.account.as_ref(), before.as_deref());
        let (mut items, mut last, mut looks) = (Vec::new(), None, 0);
        while let Some(Audited { id, record }) = sources.next(&*self.parts.store).await? {
            if id < since {
                last = None;
                break;
            }
            looks += 1;
            last = Some(id.clone());
            if query.wants(&record) {
                items.push(Audited { id, record });
            }
            if items.len() >= limit || looks >= LOOKS_MAX {
                break;
            }
            last = None;
        }
        Ok(self.page_until(&purpose, items, last.map(Cursor).as_ref()))
    }
}

/// Where the records of an account are: what was written is in its own partition, all else in the operator's.
struct Sources(Vec<Source>);

/// One of them, read from the newest on.
struct Source {
    range: Range,
    read: VecDeque<Audited>,
    is_over: bool,
}

impl Sources {
    fn new(account: Option<&AccountId>, before: Option<&str>) -> Self {
        let range = |partition: Option<&AccountId>, prefix: String| Range {
            after: before.map(|id| format!("{prefix}{id}")),
            prefix,
            descending: true,
            limit: CHUNK,
            ..Range::all(partition.cloned(), Kind::Audit)
        };
        let of_reads = range(None, prefix_of(account));
        let of_writes = account.map(|account| range(Some(account), String::new()));
        let source = |range| Source { range, read: VecDeque::new(), is_over: false };
        Self(std::iter::once(of_reads).chain(of_writes).map(source).collect())
    }

    /// The newest of them that was not given yet.
    async fn next(&mut self, store: &dyn Store) -> Result<Option<Audited>, Error> {
        for source in &mut self.0 {
            source.fill(store).await?;
        }
        let newest = self.0.iter_mut().filter(|source| !source.read.is_empty());
        let newest = newest.max_by(|one, other| one.read[0].id.cmp(&other.read[0].id));
        Ok(newest.and_then(|source| source.read.pop_front()))
    }
}

impl Source {
    /// Reads on where all that was read is given.
    async fn fill(&mut self, store: &dyn Store) -> Result<(), Error> {
        while self.read.is_empty() && !self.is_over {
            let told = |cause: &crate::store::Error| tracing::warn!(%cause, "an audit record is left out");
            let (records, is_end) = scan_past(store, self.range.clone(), told).await?;
            self.is_over = is_end;
            if let Some(record) = records.last() {
                self.range.after = Some(record.key.id.clone());
            }
            let begin = self.range.prefix.len();
            self.read.extend(records.into_iter().filter_map(|record| match record.document {
                Document::Audit(told) => {
                    let id = record.key.id.get(begin..)?.to_owned();
                    Some(Audited { id, record: *told })
                }
                _ => None,
            }));
        }
        Ok(())
    }
}
