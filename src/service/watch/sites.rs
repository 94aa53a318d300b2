//! A watch of sites: what is there, then what becomes of it.
//!
//! It reads what is there from the store, and what is written meanwhile again, until it stands at a place among the
//! account's commits; from there on each commit comes once, whole, and in order. One that falls too far behind reads what
//! it missed from the store and is current again; only where that is not known any more it begins anew, and says so.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::{Mark, PROGRESS_EVERY, Seat};
use crate::live::{Change, Commit, Commits, Lagged, Next};
use crate::model::access::Principal;
use crate::model::id::{AccountId, Revision, SiteId};
use crate::model::site::Site;
use crate::service::filter::Filter;
use crate::service::site_list::PAGE_BYTES_MAX;
use crate::service::{Error, Versioned, Waymark};
use crate::store::document::Document;
use crate::store::{Error as StoreError, Key, Kind, Range, Record};

/// Most sites of one message.
const SITES_MAX: usize = 500;
/// About how many bytes a site takes beside its note.
const SITE_BYTES: usize = 2 * 1024;
/// Records of one read.
const CHUNK: usize = 100;
/// Most text that is looked through for a filter without leaving the thread: some tens of microseconds.
const MATCHED_HERE_MAX: usize = 64 * 1024;

/// Which sites are watched.
#[derive(Debug, Clone)]
pub struct SitesWanted {
    /// The account.
    pub account: AccountId,
    /// Which of its sites.
    pub filter: Filter,
    /// Everything up to this revision is known already; `None` for nothing.
    pub resume: Option<Revision>,
}

/// A message of the watch.
#[derive(Debug, Clone, PartialEq)]
pub struct SiteChanges {
    /// Where the watch stands.
    pub mark: Mark,
    /// Every change up to this one was sent; 0 while the first sites are on their way.
    pub revision: Revision,
    /// Sites as they are now that match.
    pub changed: Vec<Versioned<Site>>,
    /// Sites that are deleted or do not match, whether they did before or not.
    pub removed: Vec<SiteId>,
}

/// A watch of sites.
#[derive(Debug)]
pub struct SiteWatch {
    seat: Seat,
    filter: Arc<Filter>,
    phase: Phase,
    /// What is to be sent next.
    ready: VecDeque<Item>,
    /// What the last message of `ready` tells beside them.
    end: Option<(Mark, Revision)>,
    /// Every change up to it was sent.
    sent: Revision,
}

/// What a client is told of a site.
#[derive(Debug)]
enum Item {
    Changed(Box<Versioned<Site>>),
    Removed(SiteId),
}

/// How far the watch is.
#[derive(Debug)]
enum Phase {
    /// Tells that it begins anew.
    Resync,
    /// Reads all sites.
    All(All),
    /// Reads the present state of some.
    Missed(Missed),
    /// Follows the commits.
    Live(Commits),
}

/// All sites, page by page.
#[derive(Debug)]
struct All {
    /// The last site that was read.
    after: Option<SiteId>,
    /// Changes up to this revision are in what was read or in `again`.
    base: Revision,
    /// Sites that changed after they were read.
    again: BTreeSet<SiteId>,
}

/// Sites that changed.
#[derive(Debug)]
struct Missed {
    /// Those that are still to be read.
    sites: VecDeque<SiteId>,
    /// Changes up to this revision were sent, or are of `sites`.
    base: Revision,
    /// The commits after it, and perhaps some before.
    commits: Commits,
    /// The newest of the states that were read; perhaps of a commit that has not come by yet.
    newest: Revision,
}

impl Waymark {
    /// Watches sites of an account.
    pub fn watch_sites(self: &Arc<Self>, principal: &Principal, wanted: SitesWanted) -> Result<SiteWatch, Error> {
        let seat = Seat::take(self, principal, &wanted.account)?;
        let mut watch = SiteWatch {
            seat,
            filter: Arc::new(wanted.filter),
            phase: Phase::Resync,
            ready: VecDeque::new(),
            end: None,
            sent: Revision::default(),
        };
        watch.phase = match wanted.resume {
            None => watch.all(),
            Some(resume) => {
                watch.sent = resume;
                watch.missed(resume, BTreeSet::new())
            }
        };
        Ok(watch)
    }
}

impl SiteWatch {
    /// The next message, once there is one.
    pub async fn next(&mut self) -> Result<SiteChanges, Error> {
        loop {
            self.seat.check()?;
            if let Some(message) = self.take() {
                self.seat.heard_now();
                return Ok(message);
            }
            let phase = std::mem::replace(&mut self.phase, Phase::Resync);
            self.phase = match phase {
                Phase::Resync => self.resync(),
                Phase::All(all) => self.read_all(all).await?,
                Phase::Missed(missed) if missed.sites.is_empty() => self.settle(missed).await?,
                Phase::Missed(missed) => self.read_missed(missed).await?,
                Phase::Live(commits) => self.follow(commits).await?,
            };
        }
    }

    /// As much of what is ready as goes into one message.
    fn take(&mut self) -> Option<SiteChanges> {
        if self.ready.is_empty() && self.end.is_none() {
            return None;
        }
        let (mut changed, mut removed, mut bytes) = (Vec::new(), Vec::new(), 0);
        while changed.len() + removed.len() < SITES_MAX && bytes < PAGE_BYTES_MAX {
            match self.ready.pop_front() {
                Some(Item::Changed(site)) => {
                    bytes += SITE_BYTES + site.value.note.len();
                    changed.push(*site);
                }
                Some(Item::Removed(site)) => removed.push(site),
                None => break,
            }
        }
        let mut mark = Mark::Ordinary;
        if self.ready.is_empty()
            && let Some((last, revision)) = self.end.take()
        {
            (mark, self.sent) = (last, revision);
        }
        Some(SiteChanges { mark, revision: self.sent, changed, removed })
    }

    fn resync(&mut self) -> Phase {
        self.end = Some((Mark::Resync, Revision::default()));
        self.all()
    }

    fn all(&self) -> Phase {
        Phase::All(All { after: None, base: self.seat.live.revision(), again: BTreeSet::new() })
    }

    /// Reads a page of all sites, and takes note of what changed in those before.
    async fn read_all(&mut self, mut all: All) -> Result<Phase, Error> {
        let Some((changed, base)) = self.seat.live.changed_since(all.base) else { return Ok(Phase::Resync) };
        all.again.extend(changed.into_iter().filter(|site| Some(*site) <= all.after));
        all.base = base;
        let range = Range {
            partition: Some(self.seat.account.clone()),
            kind: Kind::Site,
            after: all.after.map(|site| site.to_string()),
            descending: false,
            limit: CHUNK,
        };
        let records = self.seat.waymark.parts.store.scan(range).await?;
        let is_last = records.len() < CHUNK;
        let found: Vec<Found> = records.into_iter().map(Found::of).collect::<Result<_, _>>()?;
        all.after = found.last().map(Found::site).or(all.after);
        let items = self.judge(found).await?;
        self.ready.extend(items.into_iter().filter(|item| matches!(item, Item::Changed(_))));
        if !is_last {
            return Ok(Phase::All(all));
        }
        Ok(self.missed(all.base, all.again))
    }

    /// Goes on with some sites, and with all that changed since a revision.
    fn missed(&self, since: Revision, mut sites: BTreeSet<SiteId>) -> Phase {
        let commits = self.seat.live.commits();
        let Some((changed, base)) = self.seat.live.changed_since(since) else { return Phase::Resync };
        sites.extend(changed);
        Phase::Missed(Missed { sites: sites.into_iter().collect(), base, commits, newest: base })
    }

    /// Reads the present state of some of the sites that were missed.
    async fn read_missed(&mut self, mut missed: Missed) -> Result<Phase, Error> {
        let sites: Vec<SiteId> = missed.sites.drain(..CHUNK.min(missed.sites.len())).collect();
        let keys = sites.iter().map(|site| Key::of(&self.seat.account, Kind::Site, site)).collect();
        let records = self.seat.waymark.parts.store.get_many(keys).await?;
        let mut found = Vec::with_capacity(records.len());
        for (record, site) in records.into_iter().zip(sites) {
            let state = record.map_or(Ok(Found::Purged(site)), Found::of)?;
            if let Found::Put(site) = &state {
                missed.newest = missed.newest.max(site.revision);
            }
            found.push(state);
        }
        let items = self.judge(found).await?;
        self.ready.extend(items);
        Ok(Phase::Missed(missed))
    }

    /// Follows the commits up to the newest state that was read: then all that was sent is of one instant.
    async fn settle(&mut self, mut missed: Missed) -> Result<Phase, Error> {
        let mut gathered = Gathered::default();
        loop {
            match missed.commits.try_next() {
                Ok(Next::Commit(commit)) => gathered.put(&commit),
                Ok(Next::Quiet(revision)) if revision >= missed.newest => {
                    let items = self.judge(gathered.found()).await?;
                    self.ready.extend(items);
                    self.end = Some((Mark::Current, revision));
                    return Ok(Phase::Live(missed.commits));
                }
                Ok(Next::Quiet(_)) => {
                    // The store tells its readers a moment before it tells us.
                    self.seat.wait(missed.commits.reach(missed.newest), PROGRESS_EVERY).await?;
                    self.seat.check()?;
                }
                Err(Lagged) => return Ok(self.missed(missed.base, BTreeSet::new())),
            }
        }
    }

    /// Waits for commits, and makes one message of those that are there.
    async fn follow(&mut self, mut commits: Commits) -> Result<Phase, Error> {
        let begun = commits.at();
        let mut gathered = Gathered::default();
        loop {
            match commits.try_next() {
                Ok(Next::Commit(commit)) => {
                    gathered.put(&commit);
                    if gathered.by_site.len() >= SITES_MAX {
                        break;
                    }
                }
                Ok(Next::Quiet(_)) if !gathered.by_site.is_empty() => break,
                Ok(Next::Quiet(revision)) if self.seat.is_silent(PROGRESS_EVERY) => {
                    self.end = Some((Mark::Progress, revision));
                    return Ok(Phase::Live(commits));
                }
                Ok(Next::Quiet(revision)) => {
                    self.seat.wait(commits.reach(Revision(revision.0 + 1)), PROGRESS_EVERY).await?;
                    self.seat.check()?;
                }
                Err(Lagged) => return Ok(self.missed(begun, BTreeSet::new())),
            }
        }
        self.end = Some((Mark::Ordinary, commits.at()));
        let items = self.judge(gathered.found()).await?;
        self.ready.extend(items);
        Ok(Phase::Live(commits))
    }

    /// What the client is told of each.
    async fn judge(&self, found: Vec<Found>) -> Result<Vec<Item>, Error> {
        let cost: usize = found.iter().map(|each| each.cost(&self.filter)).sum();
        if cost <= MATCHED_HERE_MAX {
            return Ok(found.into_iter().map(|each| each.judge(&self.filter)).collect());
        }
        let filter = Arc::clone(&self.filter);
        let judging = tokio::task::spawn_blocking(move || found.into_iter().map(|each| each.judge(&filter)).collect());
        // Only a panic ends the task early, and the panic is told where it happened.
        judging.await.map_err(|cause| StoreError::Unavailable { cause: cause.to_string() }.into())
    }
}

/// A site as it was found.
#[derive(Debug)]
enum Found {
    Put(Box<Versioned<Site>>),
    Purged(SiteId),
}

impl Found {
    fn of(record: Record) -> Result<Self, Error> {
        let Document::Site(value) = record.document else { return Err(Error::Mismatched { key: record.key }) };
        Ok(Self::Put(Box::new(Versioned { value: *value, revision: record.revision })))
    }

    fn site(&self) -> SiteId {
        match self {
            Self::Put(site) => site.value.id,
            Self::Purged(site) => *site,
        }
    }

    fn cost(&self, filter: &Filter) -> usize {
        match self {
            Self::Put(site) => filter.cost_of(&site.value),
            Self::Purged(_) => 0,
        }
    }

    fn judge(self, filter: &Filter) -> Item {
        match self {
            Self::Put(site) if site.value.deleted_at.is_none() && filter.matches(&site.value) => Item::Changed(site),
            Self::Put(site) => Item::Removed(site.value.id),
            Self::Purged(site) => Item::Removed(site),
        }
    }
}

/// The last change of each site of some commits.
#[derive(Debug, Default)]
struct Gathered {
    by_site: BTreeMap<SiteId, (Change, Revision)>,
}

impl Gathered {
    fn put(&mut self, commit: &Commit) {
        self.by_site.extend(commit.changes.iter().map(|change| (change.site(), (change.clone(), commit.revision))));
    }

    fn found(self) -> Vec<Found> {
        let found = |(change, revision)| match change {
            Change::Put(site) => Found::Put(Box::new(Versioned { value: Site::clone(&site), revision })),
            Change::Purged(site) => Found::Purged(site),
        };
        self.by_site.into_values().map(found).collect()
    }
}
