//! Who is told of commits, and how far behind they may be.

use std::collections::HashSet;
use std::time::Duration;

use super::{Kind, Mutation};
use crate::model::id::{AccountId, Revision};

/// Told of every commit, in the order of each partition's revisions, before the commit is acknowledged.
///
/// So whoever was told that a write is done finds it in whatever the observer keeps. Called on the engine's own
/// thread: it must be quick and must not call the store.
pub trait Observer: Send + Sync + std::fmt::Debug {
    /// `mutations` are durable as of `revision` of their partition.
    fn committed(&self, revision: Revision, mutations: &[Mutation]);

    /// Some commits cannot be told any more: what stands in the store is told anew, in several calls.
    fn resynced(&self, part: Resync<'_>);

    /// Up to which revision it took in all that was told of a partition. A resync that continues what was told leaves out records of
    /// up to there.
    fn standing(&self, partition: Option<&AccountId>) -> Revision {
        let _ = partition;
        Revision::default()
    }
}

/// A part of what an observer is told anew, where commits were lost to it.
///
/// First records and ends of one account after the other, then which accounts there are. What else an observer keeps of
/// them is not there any more. Commits behind the revisions are told afterwards as ever, some that are in the records too.
pub enum Resync<'a> {
    /// Records as they are, each as a mutation that makes it so.
    Records(&'a [Mutation]),
    /// All records of a partition were told.
    End {
        /// The partition.
        partition: Option<&'a AccountId>,
        /// It stands here, or further.
        revision: Revision,
        /// All that there is of the kinds that observers keep.
        present: &'a HashSet<(Kind, String)>,
        /// All that was told of it before is sure to be a part of it. Where it is not, commits that were told may be lost, and
        /// their revisions be those of others.
        continues: bool,
    },
    /// All partitions were told.
    Accounts {
        /// Whether an account is among those that were told, if there is one.
        is_among: &'a dyn Fn(&str) -> bool,
        /// Those that there are, with their revisions; the operator's partition has no name.
        present: &'a [(String, Revision)],
    },
}

impl std::fmt::Debug for Resync<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Records hold personal data, and there are many.
        f.write_str(match self {
            Self::Records(_) => "Records",
            Self::End { .. } => "End",
            Self::Accounts { .. } => "Accounts",
        })
    }
}

/// How far a store's observer may be behind what others wrote.
#[derive(Debug, Clone, Default)]
pub struct Lag {
    /// For so long it is not known that nothing is behind; zero where nobody else writes.
    pub behind: Duration,
    /// What keeps the store from knowing; `None` where nothing does.
    pub trouble: Option<String>,
    /// How often an observer was told everything anew.
    pub resyncs: u64,
}
