//! What changed lately, for those who watch: the last commits, and which sites the ones before them touched.
//!
//! A writer waits for no watcher's reader: it puts its commit at the end of a row that all watchers of the account read, each
//! at its own place, and whoever is too slow for the row is told so. For an account that nobody watches only the ids of
//! the sites that changed last are kept, so that a watcher that was away for a while need not begin anew.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::model::id::{Revision, SiteId};
use crate::model::site::Site;

/// Commits that a watcher may be behind, and about how many bytes of sites: at 1,000 writes a second some tenths of one.
/// Whoever is further behind reads the present state of what it missed from the store.
const COMMITS_KEPT: usize = 256;
const BYTES_KEPT: usize = 1024 * 1024;
/// Least and most sites that are remembered to have changed, and one for so many sites between them: to read a quarter
/// of the sites costs about what a snapshot does. Some 100 bytes each, so at most 25 a site, or 6 KiB an account.
const CHANGED_KEPT: (usize, usize) = (64, 65_536);
const SITES_A_CHANGED_ONE: usize = 4;

/// What a commit made of the sites that it touched.
#[derive(Debug)]
pub struct Commit {
    /// Its revision.
    pub revision: Revision,
    /// The sites, each once.
    pub changes: Vec<Change>,
}

/// What became of a site.
#[derive(Debug, Clone)]
pub enum Change {
    /// It is this now; deleted perhaps.
    Put(Arc<Site>),
    /// Its record is no more.
    Purged(SiteId),
}

impl Change {
    /// The site.
    #[must_use]
    pub fn site(&self) -> SiteId {
        match self {
            Self::Put(site) => site.id,
            Self::Purged(site) => *site,
        }
    }
}

impl Commit {
    /// About how many bytes its sites take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let bytes = |change: &Change| match change {
            Change::Put(site) => site.weight(),
            Change::Purged(_) => size_of::<Change>(),
        };
        self.changes.iter().map(bytes).sum()
    }
}

/// A watcher's place among an account's commits. Commits are kept as long as there is one.
#[derive(Debug)]
pub struct Commits {
    changes: Arc<Changes>,
    /// Every commit up to it was given, or was there before the place was taken.
    at: Revision,
    revisions: watch::Receiver<Revision>,
}

/// What comes next.
#[derive(Debug)]
pub enum Next {
    /// A commit that touched sites.
    Commit(Arc<Commit>),
    /// Nothing yet: every commit up to this revision was given, or touched no site.
    Quiet(Revision),
}

/// The watcher was too slow: commits were lost to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lagged;

impl Commits {
    /// Every commit up to this one was given.
    #[must_use]
    pub fn at(&self) -> Revision {
        self.at
    }

    /// Waits until every commit up to a revision can be taken.
    pub async fn reach(&mut self, revision: Revision) {
        // The sender lives as long as `changes`.
        let _ = self.revisions.wait_for(|published| *published >= revision).await;
    }

    /// What comes next.
    pub fn try_next(&mut self) -> Result<Next, Lagged> {
        let next = self.changes.log.lock().after(self.at)?;
        self.at = match &next {
            Next::Commit(commit) => commit.revision,
            Next::Quiet(revision) => *revision,
        };
        Ok(next)
    }
}

impl Drop for Commits {
    fn drop(&mut self) {
        if self.changes.watchers.fetch_sub(1, Ordering::Relaxed) == 1 {
            // Whoever came in between is told that it lags, and reads from the store.
            let mut log = self.changes.log.lock();
            let old = std::mem::take(&mut log.commits);
            (log.bytes, log.dropped) = (0, log.published);
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
    /// The last revision that is in memory; those wait here who want to know that something changed.
    revision: watch::Sender<Revision>,
}

#[derive(Debug, Default)]
struct Log {
    /// The last revision that was published.
    published: Revision,
    recent: Recent,
    /// The last commits that touched sites, oldest first; empty while there is no watcher.
    commits: VecDeque<Arc<Commit>>,
    /// Commits up to this revision may be missing in `commits`; those after it are all there.
    dropped: Revision,
    /// About how many bytes `commits` holds.
    bytes: usize,
}

impl Default for Changes {
    fn default() -> Self {
        let revision = watch::Sender::new(Revision::default());
        Self { log: Mutex::default(), watchers: AtomicUsize::default(), revision }
    }
}

impl Changes {
    /// Every write up to this one is in memory.
    pub(super) fn revision(&self) -> Revision {
        *self.revision.borrow()
    }

    /// Tells when the revision is another.
    pub(super) fn revisions(&self) -> watch::Receiver<Revision> {
        self.revision.subscribe()
    }

    /// Sets the revision at the start, or after everything was read anew, from which on changes are remembered.
    pub(super) fn start_at(&self, revision: Revision) {
        let mut log = self.log.lock();
        log.recent = Recent { forgotten: revision, ..Recent::default() };
        (log.published, log.dropped, log.bytes) = (revision, revision, 0);
        log.commits.clear();
        drop(log);
        self.revision.send_replace(revision);
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
        log.recent.remember(revision, ids, sites);
        match changes {
            Some(changes) => log.keep(Commit { revision, changes }, &mut old),
            None if ids.is_empty() => {}
            None => {
                log.dropped = revision;
                log.bytes = 0;
                old.extend(log.commits.drain(..));
            }
        }
        drop(log);
        self.revision.send_replace(revision);
    }

    /// A place among the commits, behind the last one.
    pub(super) fn subscribe(self: &Arc<Self>) -> Commits {
        self.watchers.fetch_add(1, Ordering::Relaxed);
        let at = self.log.lock().published;
        Commits { changes: Arc::clone(self), at, revisions: self.revision.subscribe() }
    }

    /// The sites that changed after `since`, each once, up to the revision that is told with them; `None` where that is not
    /// known any more, or not yet.
    pub(super) fn since(&self, since: Revision) -> Option<(Vec<SiteId>, Revision)> {
        let log = self.log.lock();
        if since < log.recent.forgotten || since > log.published {
            return None;
        }
        Some((log.recent.since(since), log.published))
    }
}

/// The sites that changed last, each at its last change.
#[derive(Debug, Default)]
struct Recent {
    last: HashMap<SiteId, Revision>,
    /// Every change, oldest first; those that are not a site's last one any more are passed over.
    order: VecDeque<(Revision, SiteId)>,
    /// Changes up to this revision may be missing; those after it are all there.
    forgotten: Revision,
}

impl Recent {
    fn remember(&mut self, revision: Revision, ids: &[SiteId], sites: usize) {
        for id in ids {
            self.last.insert(*id, revision);
            self.order.push_back((revision, *id));
        }
        let kept = (sites / SITES_A_CHANGED_ONE).clamp(CHANGED_KEPT.0, CHANGED_KEPT.1);
        while self.last.len() > kept {
            let Some((revision, site)) = self.order.pop_front() else { break };
            if self.last.get(&site) == Some(&revision) {
                self.last.remove(&site);
                self.forgotten = revision;
            }
        }
        // Half of it or more is passed over: each change pays for one of them.
        if self.order.len() > 2 * self.last.len().max(CHANGED_KEPT.0) {
            let last = &self.last;
            self.order.retain(|(revision, site)| last.get(site) == Some(revision));
        }
    }

    fn since(&self, since: Revision) -> Vec<SiteId> {
        let from = self.order.partition_point(|(revision, _)| *revision <= since);
        let is_last = |(revision, site): &&(Revision, SiteId)| self.last.get(site) == Some(revision);
        self.order.range(from..).filter(is_last).map(|(_, site)| *site).collect()
    }
}

impl Log {
    /// Puts a commit at the end; the last one stays, however large it is. What has to go is for the caller to drop.
    fn keep(&mut self, commit: Commit, old: &mut Vec<Arc<Commit>>) {
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

    fn after(&self, at: Revision) -> Result<Next, Lagged> {
        // Ahead of what is there is who was told what the store lost.
        if at < self.dropped || at > self.published {
            return Err(Lagged);
        }
        let next = self.commits.partition_point(|commit| commit.revision <= at);
        Ok(self.commits.get(next).map_or(Next::Quiet(self.published), |commit| Next::Commit(Arc::clone(commit))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sites(numbers: &[u128]) -> Vec<SiteId> {
        numbers.iter().map(|number| SiteId::from_u128(*number)).collect()
    }

    fn sorted(mut sites: Vec<SiteId>) -> Vec<SiteId> {
        sites.sort_unstable();
        sites
    }

    fn publish(changes: &Changes, revision: u64, numbers: &[u128]) {
        let ids = sites(numbers);
        let purged = changes.are_watched().then(|| ids.iter().map(|site| Change::Purged(*site)).collect());
        changes.publish(Revision(revision), &ids, 0, purged.filter(|changes: &Vec<Change>| !changes.is_empty()));
    }

    #[test]
    fn what_changed_since_is_told_as_long_as_it_is_known() {
        let changes = Changes::default();
        changes.start_at(Revision(10));
        let since = |revision| changes.since(Revision(revision)).map(|(sites, _)| sites);
        assert_eq!(changes.since(Revision(10)), Some((vec![], Revision(10))));
        assert_eq!((since(9), since(11)), (None, None), "before the start; not yet");
        publish(&changes, 11, &[3, 1]);
        publish(&changes, 12, &[]);
        publish(&changes, 13, &[1]);
        assert_eq!(since(10).map(sorted), Some(sites(&[1, 3])));
        assert_eq!(since(11), Some(sites(&[1])));
        assert_eq!(since(13), Some(vec![]));
        // One site that changes again and again makes nobody forget the others.
        for revision in 14..1_014 {
            publish(&changes, revision, &[7]);
        }
        assert_eq!(since(10).map(sorted), Some(sites(&[1, 3, 7])));
        assert!(changes.log.lock().recent.order.len() <= 2 * CHANGED_KEPT.0);
        for number in 0..CHANGED_KEPT.0 as u64 - 2 {
            publish(&changes, 1_014 + number, &[100 + u128::from(number)]);
        }
        assert_eq!(since(10), None, "revision 11 is not known any more");
        assert_eq!(since(11).map(|sites| sites.len()), Some(CHANGED_KEPT.0));
    }

    #[tokio::test]
    async fn a_watcher_hears_of_each_commit_after_its_place_or_that_it_missed_some() {
        let changes = Arc::new(Changes::default());
        publish(&changes, 1, &[1]);
        let mut commits = changes.subscribe();
        assert!(matches!(commits.try_next(), Ok(Next::Quiet(Revision(1)))));
        publish(&changes, 2, &[1, 2]);
        publish(&changes, 3, &[]);
        let Ok(Next::Commit(commit)) = commits.try_next() else { panic!("two commits are there") };
        let touched: Vec<SiteId> = commit.changes.iter().map(Change::site).collect();
        assert_eq!((commit.revision, touched), (Revision(2), sites(&[1, 2])));
        assert!(matches!(commits.try_next(), Ok(Next::Quiet(Revision(3)))), "a commit without sites is passed over");
        let waiting = tokio::spawn(async move {
            commits.reach(Revision(4)).await;
            commits
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        publish(&changes, 4, &[5]);
        let mut commits = waiting.await.unwrap();
        assert!(matches!(commits.try_next(), Ok(Next::Commit(commit)) if commit.revision == Revision(4)));
        for revision in 5..=5 + COMMITS_KEPT as u64 {
            publish(&changes, revision, &[1]);
        }
        assert_eq!(commits.try_next().unwrap_err(), Lagged);
        drop(commits);
        publish(&changes, 1_000, &[1]);
        assert!(changes.log.lock().commits.is_empty(), "nobody watches, so nothing is kept");
        assert!(matches!(changes.subscribe().try_next(), Ok(Next::Quiet(Revision(1_000)))));
    }

    #[test]
    fn great_commits_make_the_row_shorter_and_the_last_one_is_always_there() {
        let changes = Arc::new(Changes::default());
        let mut commits = changes.subscribe();
        let great: Vec<u128> = (0..=(BYTES_KEPT / size_of::<Change>()) as u128).collect();
        publish(&changes, 1, &great);
        assert!(matches!(commits.try_next(), Ok(Next::Commit(commit)) if commit.revision == Revision(1)));
        publish(&changes, 2, &great);
        publish(&changes, 3, &[1]);
        assert_eq!(commits.try_next().unwrap_err(), Lagged);
        assert_eq!(changes.log.lock().commits.len(), 1);
    }

    #[test]
    fn a_commit_of_which_only_the_ids_are_told_makes_watchers_read() {
        let changes = Arc::new(Changes::default());
        assert!(!changes.are_watched());
        let mut commits = changes.subscribe();
        assert!(changes.are_watched());
        changes.publish(Revision(1), &sites(&[1]), 0, None);
        assert_eq!(commits.try_next().unwrap_err(), Lagged);
        drop(commits);
        assert!(!changes.are_watched());
    }
}
