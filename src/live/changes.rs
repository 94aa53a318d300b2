//! What changed lately, for those who watch: the last commits, and which sites the ones before them touched.
//!
//! A writer waits for no watcher's reader: it puts its commit at the end of a row that all watchers of the account read, each
//! at its own place, and whoever is too slow for the row is told so, and finds what became of the sites that changed last
//! beside it. For an account that nobody watches only the ids of these sites are kept, so that a watcher that was away for a
//! while need not begin anew.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::watch;

use super::commit::{Change, Commit};
use super::latest::{Allowance, Latest};
use super::recent::Recent;
use crate::model::id::{Revision, SiteId};

/// Commits that a watcher may be behind, and about how many bytes of sites: at 1,000 writes a second some tenths of one.
/// Whoever is further behind takes the present state of what it missed from [`Latest`], or else from the store.
const COMMITS_KEPT: usize = 256;
const BYTES_KEPT: usize = 1024 * 1024;

/// How far an account is in memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// Which history the revision is of. Another one begins where the store may have lost what was told of it: the same
    /// revisions come once more then, and are others.
    pub history: u64,
    /// Everything up to this revision is in.
    pub revision: Revision,
}

impl Standing {
    /// Whether there is more here than whoever knew `known` has seen.
    #[must_use]
    pub fn is_news_to(self, known: Self) -> bool {
        self.history != known.history || self.revision > known.revision
    }

    /// Whether nobody need wait for `wanted` any more: it is in, or will never be.
    #[must_use]
    pub fn settles(self, wanted: Self) -> bool {
        self.history != wanted.history || self.revision >= wanted.revision
    }
}

/// Somebody watches an account: as long as there is one, what commits make of sites is kept.
#[derive(Debug)]
pub struct Watching {
    changes: Arc<Changes>,
}

/// A watcher's place among an account's commits.
#[derive(Debug)]
pub struct Commits {
    watching: Watching,
    /// Every commit up to it was given, or was there before the place was taken.
    at: Standing,
    standings: watch::Receiver<Standing>,
}

/// What comes next.
#[derive(Debug)]
pub enum Next {
    /// A commit that touched sites.
    Commit(Arc<Commit>),
    /// Nothing yet: every commit up to this revision was given, or touched no site.
    Quiet(Revision),
}

/// Why a watcher is not told what comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missed {
    /// It was too slow: commits were lost to it.
    Lagged,
    /// The store may have lost what it was told.
    Forked,
}

/// What is known of the time since a client was there last.
#[derive(Debug, PartialEq, Eq)]
pub enum Resumed {
    /// These sites changed, each once, up to here.
    Since(Vec<SiteId>, Standing),
    /// The client knows more than this replica.
    NotYet,
    /// What changed is not known any more, or what the client knows may be lost.
    Unknown,
}

impl Commits {
    /// Every commit up to this one was given.
    #[must_use]
    pub fn at(&self) -> Standing {
        self.at
    }

    /// Waits until every commit up to a revision can be taken, or none of them ever can.
    pub async fn reach(&mut self, revision: Revision) {
        let wanted = Standing { revision, ..self.at };
        // The sender lives as long as `changes`.
        let _ = self.standings.wait_for(|there| there.settles(wanted)).await;
    }

    /// What comes next.
    pub fn try_next(&mut self) -> Result<Next, Missed> {
        let next = self.watching.changes.log.lock().after(self.at)?;
        self.at.revision = match &next {
            Next::Commit(commit) => commit.revision,
            Next::Quiet(revision) => *revision,
        };
        Ok(next)
    }
}

impl Watching {
    fn of(changes: &Arc<Changes>) -> Self {
        changes.watchers.fetch_add(1, Ordering::Relaxed);
        Self { changes: Arc::clone(changes) }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        if self.changes.watchers.fetch_sub(1, Ordering::Relaxed) == 1 {
            // Whoever came in between is told that it lags, and reads from the store.
            let mut log = self.changes.log.lock();
            let old = log.forget_changes();
            log.dropped = log.published;
            drop(log);
            drop(old);
        }
    }
}

/// An account's changes.
#[derive(Debug)]
pub(super) struct Changes {
    log: Mutex<Log>,
    watchers: AtomicUsize,
    /// How far memory is; those wait here who want to know that something changed.
    standing: watch::Sender<Standing>,
}

#[derive(Debug, Default)]
struct Log {
    /// Raised where what was told may not be a part of what is there.
    history: u64,
    /// The last revision that was published.
    published: Revision,
    /// Revisions up to this one may be known to somebody from another history.
    doubtful: Option<Revision>,
    recent: Recent,
    /// The last commits that touched sites, oldest first; empty while there is no watcher.
    commits: VecDeque<Arc<Commit>>,
    /// Commits up to this revision may be missing in `commits`; those after it are all there.
    dropped: Revision,
    /// About how many bytes `commits` holds.
    bytes: usize,
    /// What became of the sites that changed last; empty while there is no watcher.
    latest: Latest,
}

impl Default for Changes {
    fn default() -> Self {
        Self::counted(Allowance::default())
    }
}

impl Changes {
    /// Those of one more account.
    pub(super) fn counted(all: Allowance) -> Self {
        let log = Log { latest: Latest::counted(all), ..Log::default() };
        let standing = watch::Sender::new(Standing::default());
        Self { log: Mutex::new(log), watchers: AtomicUsize::default(), standing }
    }

    /// Every write up to this one is in memory.
    pub(super) fn standing(&self) -> Standing {
        *self.standing.borrow()
    }

    /// Tells when it is another.
    pub(super) fn standings(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// Sets the revision at the start, or after everything was read anew, from which on changes are remembered. Where what
    /// was told before may not be a part of what is there (`continues` is false), another history begins, and whoever knows
    /// a revision of before has to begin anew.
    pub(super) fn start_at(&self, revision: Revision, continues: bool) {
        let mut log = self.log.lock();
        if !continues || revision < log.published {
            log.history += 1;
            let highest = log.published.max(revision);
            log.doubtful = log.doubtful.max(Some(highest));
        } else if revision == log.published {
            // Commits of others were lost: of this account everything was told.
            return;
        }
        log.recent = Recent::from(revision);
        (log.published, log.dropped) = (revision, revision);
        let old = log.forget_changes();
        let standing = log.standing();
        drop(log);
        drop(old);
        self.standing.send_replace(standing);
    }

    /// Revisions up to this one may be known to somebody from another history.
    pub(super) fn doubt(&self, revision: Revision) {
        let mut log = self.log.lock();
        log.doubtful = log.doubtful.max(Some(revision));
    }

    /// Up to where somebody may know revisions from another history.
    pub(super) fn doubtful(&self) -> Option<Revision> {
        self.log.lock().doubtful
    }

    /// Whether commits are wanted.
    pub(super) fn are_watched(&self) -> bool {
        self.watchers.load(Ordering::Relaxed) > 0
    }

    /// Takes note of a commit that is in memory now, in an account of so many sites. Without `changes` whoever watches
    /// reads from the store what became of the sites that it touched.
    pub(super) fn publish(&self, revision: Revision, ids: &[SiteId], sites: usize, changes: Option<Vec<Change>>) {
        let mut old = Vec::new();
        let mut log = self.log.lock();
        if revision <= log.published {
            // Told again after everything was read: it was in what was read.
            return;
        }
        log.published = revision;
        let standing = log.standing();
        log.recent.remember(revision, ids, sites);
        match changes {
            Some(changes) => log.keep(Commit { revision, changes }, &mut old),
            None if ids.is_empty() => {}
            None => {
                log.dropped = revision;
                log.bytes = 0;
                old.extend(log.commits.drain(..));
                ids.iter().for_each(|site| log.latest.forget(*site));
            }
        }
        drop(log);
        self.standing.send_replace(standing);
    }

    /// A place among the commits, behind the last one.
    pub(super) fn subscribe(self: &Arc<Self>) -> Commits {
        let watching = self.watch();
        let at = self.log.lock().standing();
        Commits { watching, at, standings: self.standing.subscribe() }
    }

    /// Takes note of a watcher.
    pub(super) fn watch(self: &Arc<Self>) -> Watching {
        Watching::of(self)
    }

    /// What became of each of the sites at its last change, and when; of those of which that is in the store alone, nothing.
    pub(super) fn latest(&self, sites: &[SiteId]) -> Vec<Option<(Revision, Change)>> {
        let log = self.log.lock();
        sites.iter().map(|site| log.latest.get(*site)).collect()
    }

    /// The sites that changed after `since`, each once, up to where is told with them; `None` where that is not known any
    /// more.
    pub(super) fn since(&self, since: Standing) -> Option<(Vec<SiteId>, Standing)> {
        let log = self.log.lock();
        if since.history != log.history || since.revision > log.published {
            return None;
        }
        Some((log.recent.since(since.revision)?, log.standing()))
    }

    /// What became of sites since a client knew everything up to `from.revision`. It was told so before the history of
    /// `from` ended, perhaps by somebody else.
    pub(super) fn resume(&self, from: Standing) -> Resumed {
        let log = self.log.lock();
        if from.history != log.history || log.doubtful >= Some(from.revision) {
            return Resumed::Unknown;
        }
        if from.revision > log.published {
            return Resumed::NotYet;
        }
        let sites = log.recent.since(from.revision);
        sites.map_or(Resumed::Unknown, |sites| Resumed::Since(sites, log.standing()))
    }
}

impl Log {
    fn standing(&self) -> Standing {
        Standing { history: self.history, revision: self.published }
    }

    /// Keeps nothing of what commits made of sites any more; that is for the caller to drop.
    fn forget_changes(&mut self) -> (VecDeque<Arc<Commit>>, Latest) {
        self.bytes = 0;
        (std::mem::take(&mut self.commits), self.latest.forget_all())
    }

    /// Puts a commit at the end; the last one stays, however large it is. What has to go is for the caller to drop.
    fn keep(&mut self, commit: Commit, old: &mut Vec<Arc<Commit>>) {
        commit.changes.iter().for_each(|change| self.latest.put(commit.revision, change));
        self.bytes += commit.bytes();
        self.commits.push_back(Arc::new(commit));
        while self.commits.len() > COMMITS_KEPT || (self.bytes > BYTES_KEPT && self.commits.len() > 1) {
            if let Some(oldest) = self.commits.pop_front() {
                self.bytes -= oldest.bytes();
                self.dropped = oldest.revision;
                old.push(oldest);
            }
        }
    }

    fn after(&self, at: Standing) -> Result<Next, Missed> {
        if at.history != self.history {
            return Err(Missed::Forked);
        }
        if at.revision < self.dropped {
            return Err(Missed::Lagged);
        }
        let next = self.commits.partition_point(|commit| commit.revision <= at.revision);
        Ok(self.commits.get(next).map_or(Next::Quiet(self.published), |commit| Next::Commit(Arc::clone(commit))))
    }
}

#[cfg(test)]
mod tests;
