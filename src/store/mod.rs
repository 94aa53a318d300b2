//! Where records live: one narrow trait, and the engines behind it.
//!
//! A record has a key (partition, kind, id), a typed document and the revision of the write that made it. A batch
//! commits whole or not at all, if every record is as its mutation expects. Knows nothing of use cases: names
//! are unique because two batches cannot both put the same claim.

mod batch;
pub mod document;
pub mod embedded;
pub mod faults;
mod kind;
mod observer;
mod packed;
pub mod redis;
mod traced;
pub mod transfer;
mod unreadable;

#[cfg(test)]
mod contract;
#[cfg(test)]
pub(crate) mod failing;
#[cfg(test)]
pub(crate) mod panicking;
#[cfg(test)]
pub(crate) mod parting;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;

use crate::error::{Fault, Reason};
use crate::model::access::{Account, Token};
use crate::model::id::{AccountId, Revision, TokenId};
use crate::model::sketch::SiteSketch;
use document::Document;

pub use kind::Kind;
pub use observer::{Lag, Observer, Resync};
pub use packed::PackedToken;
pub use traced::Traced;
pub use unreadable::{Unreadable, id_of, scan_on, scan_past};

/// Most records that one [`Store::scan`] answers: a page of the largest list, with room for its filter.
pub const SCAN_MAX: usize = 10_000;

/// The name of a record. Records of one account stand together in its partition.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// The account whose record it is; `None` for the operator's own.
    pub partition: Option<AccountId>,
    /// What it is.
    pub kind: Kind,
    /// Its id within partition and kind.
    pub id: String,
}

impl Key {
    /// The key of `kind` and `id` in an account's partition.
    #[expect(clippy::needless_pass_by_value, reason = "ids are small, and callers have values or references")]
    pub fn of(account: &AccountId, kind: Kind, id: impl ToString) -> Self {
        Self { partition: Some(account.clone()), kind, id: id.to_string() }
    }

    /// The key of `kind` and `id` in the operator's partition.
    #[expect(clippy::needless_pass_by_value, reason = "ids are small, and callers have values or references")]
    pub fn operator(kind: Kind, id: impl ToString) -> Self {
        Self { partition: None, kind, id: id.to_string() }
    }
}

/// What a record has to be for its mutation to go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Anything.
    Any,
    /// Anything, and what is there stays as it is: of a record whose id says what it holds.
    Kept,
    /// Not there.
    Absent,
    /// There, and of this revision.
    Revision(Revision),
}

/// One change of one record.
#[derive(Debug, Clone)]
pub struct Mutation {
    /// The record.
    pub key: Key,
    /// What it has to be before.
    pub expect: Expect,
    /// What it is afterwards; `None` takes it away.
    pub document: Option<Document>,
}

impl Mutation {
    /// Puts a record that must not be there yet.
    #[must_use]
    pub fn create(key: Key, document: Document) -> Self {
        Self { key, expect: Expect::Absent, document: Some(document) }
    }

    /// Puts a record over the one of `revision`.
    #[must_use]
    pub fn replace(key: Key, revision: Revision, document: Document) -> Self {
        Self { key, expect: Expect::Revision(revision), document: Some(document) }
    }

    /// Puts a record unless there is one, which then holds the same.
    #[must_use]
    pub fn keep(key: Key, document: Document) -> Self {
        Self { key, expect: Expect::Kept, document: Some(document) }
    }

    /// Takes a record away, whatever it is.
    #[must_use]
    pub fn delete(key: Key) -> Self {
        Self { key, expect: Expect::Any, document: None }
    }
}

/// A record as it is kept.
#[derive(Debug, Clone)]
pub struct Record {
    /// Its name.
    pub key: Key,
    /// The write that made it.
    pub revision: Revision,
    /// What it holds.
    pub document: Document,
}

/// Which records a scan answers: those of a partition and kind, in the order of their ids' bytes.
#[derive(Debug, Clone)]
pub struct Range {
    /// The partition; `None` for the operator's.
    pub partition: Option<AccountId>,
    /// The kind.
    pub kind: Kind,
    /// Only ids that begin with it; empty for all. What else there is costs nothing.
    pub prefix: String,
    /// Only ids behind this one, in the direction of the scan.
    pub after: Option<String>,
    /// Whether ids descend.
    pub descending: bool,
    /// At most so many records; cut to [`SCAN_MAX`].
    pub limit: usize,
}

impl Range {
    /// All records of a partition and kind, ascending, as many as one scan answers.
    #[must_use]
    pub fn all(partition: Option<AccountId>, kind: Kind) -> Self {
        Self { partition, kind, prefix: String::new(), after: None, descending: false, limit: SCAN_MAX }
    }

    /// The least id of the range, and the least one above it; `None` where nothing is above. An engine that orders ids by
    /// their bytes finds the range between the two, whatever its direction.
    #[must_use]
    pub fn bounds(&self) -> (String, Option<String>) {
        let end = end_of(&self.prefix);
        match &self.after {
            None => (self.prefix.clone(), end),
            Some(after) if self.descending => {
                let end = end.map_or_else(|| after.clone(), |end| end.min(after.clone()));
                (self.prefix.clone(), Some(end))
            }
            // No text stands between one and the same with a NUL behind it.
            Some(after) => (self.prefix.clone().max(format!("{after}\0")), end),
        }
    }
}

/// The least text above all that begin with `prefix`; `None` where there is none.
fn end_of(prefix: &str) -> Option<String> {
    let mut end = prefix.to_owned();
    while let Some(last) = end.pop() {
        // The next one that a text may hold: UTF-8 has the order of its characters.
        let next = (last..=char::MAX).nth(1);
        if let Some(next) = next {
            end.push(next);
            return Some(end);
        }
    }
    None
}

/// Why the store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A record is not as its mutation expected; nothing of the batch was written.
    #[error("record {key:?} is not as expected")]
    Conflict {
        /// The record.
        key: Key,
    },
    /// The disk is full; nothing of the batch was written.
    #[error("the disk of the data directory is full: free space, and writes go on by themselves")]
    Full,
    /// The store cannot be reached, or stopped itself after the disk failed.
    #[error("the store is out of service: {cause}")]
    Unavailable {
        /// Why.
        cause: String,
    },
    /// The store has no room; nothing of the batch was written.
    #[error("the store has no room: {cause}")]
    NoRoom {
        /// What it says.
        cause: String,
    },
    /// Nobody knows whether the batch was written: it was sent, and not answered.
    #[error("it is not known whether the write was done: {cause}; repeat it with the same request id")]
    Unknown {
        /// Why.
        cause: String,
    },
    /// The store is configured in a way that it must not be used.
    #[error("{cause}")]
    Configuration {
        /// Which setting, and what to do.
        cause: String,
    },
    /// A stored record fails its checksum or does not decode.
    #[error("record {kind:?} {} in {path} is corrupt: restore it from a backup", .kind.shown_id(.id))]
    Corrupt {
        /// What it is.
        kind: Kind,
        /// Its id.
        id: String,
        /// The file.
        path: PathBuf,
    },
    /// The file is damaged where records are found: which of them are concerned is not known.
    #[error("{path} is damaged: restore it from a backup: {cause}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was seen.
        cause: String,
    },
    /// The file is an earlier one than was acknowledged.
    #[error(
        "{path} holds {found} commits, and {acknowledged} were acknowledged: its log was cut off or is gone, or an older copy stands \
         there: restore it from a backup; to go on with what is there, remove ACKNOWLEDGED beside it"
    )]
    SetBack {
        /// The file.
        path: PathBuf,
        /// Commits that callers were told of.
        acknowledged: u64,
        /// Commits that are there.
        found: u64,
    },
    /// The keys of a batch are of several partitions, or there are none.
    #[error("a batch has keys, and all of them are of one partition")]
    Partitions,
    /// The data directory cannot be used.
    #[error("data directory {path}: {cause}")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why, and what to do.
        cause: String,
    },
}

impl Fault for Error {
    fn reason(&self) -> Reason {
        match self {
            Self::Conflict { .. } => Reason::Contention,
            Self::Full | Self::NoRoom { .. } => Reason::StorageFull,
            Self::Unknown { .. } => Reason::OutcomeUnknown,
            Self::Unavailable { .. } | Self::Directory { .. } | Self::Configuration { .. } => {
                Reason::StorageUnavailable
            }
            Self::Corrupt { .. } | Self::Damaged { .. } | Self::SetBack { .. } => Reason::StorageCorrupt,
            Self::Partitions => Reason::Internal,
        }
    }
}

/// A record of those that memory is made of. A site is borrowed from wherever the engine reads it.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one at a time, on its way to the visitor, never kept")]
pub enum Loaded<'row> {
    /// An account.
    Account(Account),
    /// A token.
    Token(Token),
    /// An agent's token, which is not taken apart.
    AgentToken {
        /// Its id.
        id: TokenId,
        /// The account that it is good in.
        account: &'row str,
        /// All of it.
        token: PackedToken,
    },
    /// A site.
    Site(SiteSketch<'row>),
}

/// What [`Store::load`] calls with each record, or with why it cannot be read.
pub type Visit = Box<dyn FnMut(Result<Loaded<'_>, Error>) + Send>;

/// A durable, ordered set of records.
#[async_trait]
pub trait Store: Send + Sync + std::fmt::Debug {
    /// Writes all mutations of a batch or none, and answers when they are durable and observed.
    ///
    /// All keys are of one partition; the answer is the next revision of that partition.
    /// Once called, the write may happen even if the caller stops waiting.
    async fn commit(&self, batch: Vec<Mutation>) -> Result<Revision, Error>;

    /// One record.
    async fn get(&self, key: Key) -> Result<Option<Record>, Error>;

    /// Several records, in the order of `keys`; `None` for each that is not there.
    async fn get_each(&self, keys: Vec<Key>) -> Result<Vec<Result<Option<Record>, Unreadable>>, Error>;

    /// The same, where one that cannot be read is an error of all.
    async fn get_many(&self, keys: Vec<Key>) -> Result<Vec<Option<Record>>, Error> {
        self.get_each(keys).await?.into_iter().map(|read| read.map_err(Error::from)).collect()
    }

    /// Records of a range. An answer shorter than its limit ends the range. What stands under an id that is no text was never a record:
    /// it may be passed over.
    async fn scan_each(&self, range: Range) -> Result<Vec<Result<Record, Unreadable>>, Error>;

    /// The same, where one that cannot be read is an error of all.
    async fn scan(&self, range: Range) -> Result<Vec<Record>, Error> {
        self.scan_each(range).await?.into_iter().map(|read| read.map_err(Error::from)).collect()
    }

    /// Gives every account, token and site to one of `visits`, in no order, or why one of them cannot be read.
    ///
    /// For the start: one pass over the store, with a thread for each visit. What others commit meanwhile may be given or not;
    /// an observer hears of it. An engine may give what it keeps of records for this, and look at the records themselves in
    /// [`Store::prove`].
    async fn load(&self, visits: Vec<Visit>) -> Result<(), Error>;

    /// Looks at every record of the present, beside calls: [`Error::Damaged`] where some are lost, or cannot be found, as a start would
    /// say that read all of them. Nothing more should be written then. One that is damaged itself is told of by the log, and goes by.
    ///
    /// Cost: all is read once, at a pace that leaves room for calls. An engine whose starts read everything has nothing to do.
    async fn prove(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Tells `observer` of every commit since the last [`Store::load`] began, or from now on. Called once, before this process
    /// commits anything; answers when the observer has heard of everything that others committed before.
    async fn observe(&self, observer: Arc<dyn Observer>) -> Result<(), Error>;

    /// Answers when a record that was read is as safe as if it were committed now; [`Error::Conflict`] where it is not what is
    /// there any more. It may have another revision then.
    ///
    /// Where a commit waits for more machines than one, a record can be read before they have it.
    async fn settle(&self, _record: Record) -> Result<(), Error> {
        Ok(())
    }

    /// Whether other processes may write to it.
    fn is_shared(&self) -> bool {
        false
    }

    /// How far the observer may be behind.
    fn lag(&self) -> Lag {
        Lag::default()
    }

    /// What of its settings, or of where it lies, may lose what it acknowledged, as far as it looks at that; `None` where nothing does.
    fn danger(&self) -> Option<String> {
        None
    }

    /// Answers when the engine ended by a fault of its own, with what it was: what is in memory may be half of a commit then, so the
    /// process had better end too. Never, as a rule.
    async fn broken(&self) -> String {
        std::future::pending().await
    }

    /// The revision of the last commit to a partition; 0 for one without. [`Error::Corrupt`] where it alone cannot be read: nothing is
    /// committed there then.
    async fn revision(&self, partition: Option<&AccountId>) -> Result<Revision, Error>;

    /// Makes the files hold nothing of what was overwritten or taken away before the call, as far as the engine put it there.
    ///
    /// Waits for readers that still look at it. Cost: all of the store is written anew, with as much memory and disk as it
    /// is large; writes wait meanwhile.
    async fn scrub(&self) -> Result<(), Error>;

    /// Finishes what is queued and closes; later commits are refused.
    async fn close(&self);
}
