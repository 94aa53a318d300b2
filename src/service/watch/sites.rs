//! A watch of sites: what is there, then what becomes of it.
//!
//! It reads what is there from the store, and what is written meanwhile again, until it stands at a place among the
//! account's commits; from there on each commit comes once, whole, and in order. One that falls too far behind reads what
//! it missed, from memory or the store, and is current again; only where that is not known any more, or where the store may have lost
//! what was told, it begins anew, and says so. Of a site whose record cannot be read it tells nothing.

mod missed;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _};
use tokio::time::Instant;

use super::drive::{Messages, drive};
use super::found::{self, Found, Gathered, Item};
use super::held::Held;
use super::{Mark, PROGRESS_EVERY, Seat, own};
use crate::live::{self, Commits, Next, Resumed, Standing, Watching};
use crate::model::access::Principal;
use crate::model::id::{AccountId, Revision, SiteId};
use crate::model::site::Site;
use crate::service::access::Permission;
use crate::service::filter::Filter;
use crate::service::reach::REACH_MAX;
use crate::service::{Error, Versioned, Waymark};
use crate::store::{Key, Kind, Range, Record, scan_past};
use missed::Missed;

/// Most sites of one message, and about most bytes: a client that stops reading leaves one in memory, and what was read for the
/// next one. A thousand such clients hold less than 300 MB.
const SITES_MAX: usize = 500;
const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// Least and most records of one read: as many as fill a message.
const CHUNK: (usize, usize) = (4, 100);

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
    /// Sites that are deleted or do not match, whether they did before or not; who is assigned some is told of what it holds alone.
    pub removed: Vec<SiteId>,
}

/// A watch of sites.
#[derive(Debug)]
pub struct SiteWatch {
    seat: Seat,
    /// It may fall behind at any time.
    _watching: Watching,
    filter: Arc<Filter>,
    held: Held,
    phase: Phase,
    /// What is to be sent next.
    ready: VecDeque<Item>,
    /// What the last message of `ready` tells beside them.
    end: Option<(Mark, Revision)>,
    /// Every change up to it was sent.
    sent: Revision,
    /// Records of the next read.
    chunk: usize,
}

/// How far the watch is.
#[derive(Debug)]
enum Phase {
    /// Comes back.
    Resume(Resume),
    /// Tells that it begins anew.
    Resync,
    /// Reads all sites.
    All(All),
    /// Reads the present state of some.
    Missed(Missed),
    /// Follows the commits.
    Live(Commits),
}

/// What a client that comes back knows.
#[derive(Debug)]
struct Resume {
    /// Everything up to here, as it says.
    from: Standing,
    /// For so long this replica may be behind it.
    until: Instant,
}

/// All sites, page by page.
#[derive(Debug)]
struct All {
    /// The last site that was read.
    after: Option<SiteId>,
    /// Changes up to here are in what was read or in `again`.
    base: Standing,
    /// Sites that changed after they were read.
    again: BTreeSet<SiteId>,
    /// The next of the assigned sites, where the client hears of these alone.
    own: BTreeSet<SiteId>,
}

impl Waymark {
    /// Watches sites of an account.
    pub fn watch_sites(self: &Arc<Self>, principal: &Principal, wanted: SitesWanted) -> Result<SiteWatch, Error> {
        let seat = Seat::take(self, principal, &wanted.account, Permission::Find)?;
        let mut watch = SiteWatch {
            _watching: seat.live().watching(),
            seat,
            filter: Arc::new(wanted.filter.within(&principal.sight())?),
            held: Held::by(principal, &self.watchers.held),
            phase: Phase::Resync,
            ready: VecDeque::new(),
            end: None,
            sent: Revision::default(),
            chunk: CHUNK.0,
        };
        watch.phase = match wanted.resume {
            None => watch.all(),
            // What it holds is not known here, and of what it missed it may hear of nothing else.
            Some(_) if watch.held.is_kept() => Phase::Resync,
            Some(resume) => {
                watch.sent = resume;
                let from = Standing { revision: resume, ..watch.seat.live().standing() };
                Phase::Resume(Resume { from, until: Instant::now() + REACH_MAX })
            }
        };
        Ok(watch)
    }
}

impl SiteWatch {
    /// The messages, in a task of their own.
    #[must_use]
    pub fn messages(self) -> Messages<SiteChanges> {
        let vigil = self.seat.vigil.clone();
        let next = async |mut watch: Self| Ok(Some((watch.next().await?, watch)));
        drive(vigil, stream::try_unfold(self, next).boxed())
    }

    /// The next message, once there is one.
    pub async fn next(&mut self) -> Result<SiteChanges, Error> {
        loop {
            self.seat.vigil.check()?;
            self.held.check()?;
            if let Some(message) = self.take() {
                self.seat.heard_now();
                return Ok(message);
            }
            // Few may match of many that are read.
            if self.seat.is_silent(PROGRESS_EVERY) && !matches!(self.phase, Phase::Live(_)) {
                self.seat.heard_now();
                return Ok(self.message(Mark::Ordinary, Vec::new(), Vec::new()));
            }
            let phase = std::mem::replace(&mut self.phase, Phase::Resync);
            self.phase = match phase {
                Phase::Resume(resume) => self.resume(resume).await?,
                Phase::Resync => self.resync(),
                Phase::All(all) => self.read_all(all).await?,
                Phase::Missed(missed) => self.read_missed(missed).await?,
                Phase::Live(commits) => self.follow(commits).await?,
            };
        }
    }

    fn message(&self, mark: Mark, changed: Vec<Versioned<Site>>, removed: Vec<SiteId>) -> SiteChanges {
        SiteChanges { mark, revision: self.sent, changed, removed }
    }

    /// As much of what is ready as goes into one message.
    fn take(&mut self) -> Option<SiteChanges> {
        if self.ready.is_empty() && self.end.is_none() {
            return None;
        }
        let (mut changed, mut removed, mut bytes) = (Vec::new(), Vec::new(), 0);
        while changed.len() + removed.len() < SITES_MAX && bytes < MESSAGE_BYTES_MAX {
            match self.ready.pop_front() {
                Some(item) if !self.held.takes(&item) => {}
                Some(Item::Changed(site, revision)) => {
                    bytes += site.weight();
                    changed.push(Versioned { value: Arc::unwrap_or_clone(site), revision });
                }
                Some(Item::Removed(site)) => removed.push(site),
                None => break,
            }
        }
        let mut mark = Mark::Ordinary;
        if self.ready.is_empty()
            && let Some((last, revision)) = self.end.take()
        {
            (mark, self.sent) = (self.held.marked(last), revision);
        }
        // Of writes to other sites it hears no more often than of none.
        let is_empty = changed.is_empty() && removed.is_empty() && mark == Mark::Ordinary;
        let is_told = !(is_empty && self.held.is_kept()) || self.seat.is_silent(PROGRESS_EVERY);
        is_told.then(|| self.message(mark, changed, removed))
    }

    /// Reads what changed while the client was away; waits for what it knows and this replica does not.
    async fn resume(&mut self, resume: Resume) -> Result<Phase, Error> {
        match self.seat.live().resume(resume.from) {
            Resumed::Since(sites, base) => {
                return Ok(Phase::Missed(Missed { sites: sites.into_iter().collect(), base, commits: None }));
            }
            Resumed::Unknown => return Ok(Phase::Resync),
            Resumed::NotYet if Instant::now() >= resume.until => return Ok(Phase::Resync),
            Resumed::NotYet => {}
        }
        if self.seat.store().revision(Some(self.seat.account())).await? < resume.from.revision {
            // It never was, or is lost.
            return Ok(Phase::Resync);
        }
        let mut standings = self.seat.live().standings();
        let come = async { drop(standings.wait_for(|there| there.settles(resume.from)).await) };
        self.seat.wait(come, PROGRESS_EVERY).await?;
        Ok(Phase::Resume(resume))
    }

    fn resync(&mut self) -> Phase {
        self.end = Some((Mark::Resync, Revision::default()));
        self.held.forget();
        self.all()
    }

    fn all(&self) -> Phase {
        let (again, own) = (BTreeSet::new(), BTreeSet::new());
        Phase::All(All { after: None, base: self.seat.live().standing(), again, own })
    }

    /// Reads a page of all sites, and takes note of what changed in those before.
    async fn read_all(&mut self, mut all: All) -> Result<Phase, Error> {
        let Some((changed, base)) = self.seat.live().changed_since(all.base) else { return Ok(Phase::Resync) };
        let is_kept = self.held.is_kept();
        // Of assigned ones also those that are read below: they may be assigned only since then.
        let is_read = |site: &SiteId| if is_kept { !all.own.contains(site) } else { Some(*site) <= all.after };
        all.again.extend(changed.into_iter().filter(is_read));
        all.base = base;
        let (records, is_last) = if is_kept { self.read_own(&mut all).await? } else { self.scan(&all).await? };
        let found: Vec<Found> = records.into_iter().map(Found::of).collect::<Result<_, _>>()?;
        all.after = all.after.max(found.last().map(Found::site));
        self.size_chunk(&found);
        let items = self.judge(found).await?;
        self.ready.extend(items.into_iter().filter(|item| matches!(item, Item::Changed(..))));
        if !is_last {
            return Ok(Phase::All(all));
        }
        let sites = own::heard_of(&self.seat.vigil, &self.held, all.again).await?;
        Ok(Phase::Missed(Missed { sites, base: all.base, commits: None }))
    }

    /// The next records of all sites, and whether they are the last ones.
    async fn scan(&self, all: &All) -> Result<(Vec<Record>, bool), Error> {
        let range = Range {
            after: all.after.map(|site| site.to_string()),
            limit: self.chunk,
            ..Range::all(Some(self.seat.account().clone()), Kind::Site)
        };
        let _turn = self.seat.reading().await;
        Ok(scan_past(self.seat.store(), range, |_| {}).await?)
    }

    /// The same of those that are assigned, so that no message ends where others stand between.
    async fn read_own(&self, all: &mut All) -> Result<(Vec<Record>, bool), Error> {
        if all.own.is_empty() {
            all.own = own::behind(&self.seat.vigil, all.after).await?;
        }
        let sites = own::pop(&mut all.own, self.chunk);
        all.after = sites.last().copied().or(all.after);
        let is_last = sites.len() < self.chunk && own::behind(&self.seat.vigil, all.after).await?.is_empty();
        let keys = sites.iter().map(|site| Key::of(self.seat.account(), Kind::Site, site)).collect();
        let _turn = self.seat.reading().await;
        let read = self.seat.store().get_each(keys).await?;
        Ok((read.into_iter().filter_map(|read| read.ok().flatten()).collect(), is_last))
    }

    /// As many records in the next read as fill a message.
    fn size_chunk(&mut self, found: &[Found]) {
        let bytes: usize = found.iter().map(Found::weight).sum();
        let fitting = (MESSAGE_BYTES_MAX * found.len()).checked_div(bytes).unwrap_or(CHUNK.1);
        self.chunk = fitting.clamp(CHUNK.0, CHUNK.1);
    }

    /// Waits for commits, and makes one message of those that are there.
    async fn follow(&mut self, mut commits: Commits) -> Result<Phase, Error> {
        let begun = commits.at();
        let mut gathered = Gathered::default();
        loop {
            match commits.try_next() {
                Ok(Next::Commit(commit)) => {
                    gathered.put(&commit, self.held.minding());
                    if gathered.bytes >= MESSAGE_BYTES_MAX {
                        break;
                    }
                }
                Ok(Next::Quiet(_)) if !gathered.is_empty() => break,
                Ok(Next::Quiet(revision)) if self.seat.is_silent(PROGRESS_EVERY) => {
                    self.end = Some((Mark::Progress, revision));
                    return Ok(Phase::Live(commits));
                }
                Ok(Next::Quiet(revision)) => {
                    self.seat.wait(commits.reach(Revision(revision.0 + 1)), PROGRESS_EVERY).await?;
                    self.seat.vigil.check()?;
                }
                Err(live::Missed::Lagged) => {
                    return Ok(Phase::Missed(Missed { sites: BTreeSet::new(), base: begun, commits: None }));
                }
                Err(live::Missed::Forked) => return Ok(Phase::Resync),
            }
        }
        self.end = Some((Mark::Ordinary, commits.at().revision));
        let items = self.judge(gathered.found()).await?;
        self.ready.extend(items);
        Ok(Phase::Live(commits))
    }

    /// What the client is told of each.
    async fn judge(&self, found: Vec<Found>) -> Result<Vec<Item>, Error> {
        found::judge(found, &self.filter, self.seat.live()).await
    }
}
