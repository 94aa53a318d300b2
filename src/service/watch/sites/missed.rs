//! Sites that a watch missed: their present state, from memory as far as that goes back and else from the store, until the watch
//! stands among the commits.

use std::collections::BTreeSet;

use super::{CHUNK, Phase, SiteWatch};
use crate::live::{self, Commits, Next, Standing};
use crate::model::id::SiteId;
use crate::service::Error;
use crate::service::watch::found::{Found, Gathered};
use crate::service::watch::{Mark, PROGRESS_EVERY, own};
use crate::store::{Key, Kind};

/// Sites that changed.
#[derive(Debug)]
pub(super) struct Missed {
    /// Those that are still to be read.
    pub(super) sites: BTreeSet<SiteId>,
    /// Changes up to here were read, or are of `sites`.
    pub(super) base: Standing,
    /// The commits after it, once few sites are left: a place there is soon lost.
    pub(super) commits: Option<Commits>,
}

impl SiteWatch {
    /// Reads the present state of some of the sites that were missed; when none is left, follows the commits.
    pub(super) async fn read_missed(&mut self, mut missed: Missed) -> Result<Phase, Error> {
        if missed.commits.is_none() {
            if missed.sites.len() <= CHUNK.1 {
                missed.commits = Some(self.seat.live().commits());
            }
            let Some((changed, base)) = self.seat.live().changed_since(missed.base) else { return Ok(Phase::Resync) };
            missed.sites.extend(own::heard_of(&self.seat.vigil, &self.held, changed.into_iter().collect()).await?);
            missed.base = base;
        }
        if missed.sites.is_empty()
            && let Some(commits) = missed.commits
        {
            return self.settle(commits).await;
        }
        let found = self.present(&mut missed.sites).await?;
        let items = self.judge(found).await?;
        self.ready.extend(items);
        Ok(Phase::Missed(missed))
    }

    /// The present state of the next of the sites: of those that memory knows, or else of as many of the others as one read has. What
    /// the client holds of one that cannot be read stays: it is what was known last.
    async fn present(&mut self, sites: &mut BTreeSet<SiteId>) -> Result<Vec<Found>, Error> {
        let next = own::pop(sites, CHUNK.1);
        let latest = self.seat.live().latest(&next);
        let known: Vec<Found> = latest.iter().flatten().cloned().map(Found::left).collect();
        let mut others = next.into_iter().zip(latest).filter_map(|(site, latest)| latest.is_none().then_some(site));
        if !known.is_empty() {
            sites.extend(others);
            return Ok(known);
        }
        let read: Vec<SiteId> = others.by_ref().take(self.chunk).collect();
        sites.extend(others);
        let keys = read.iter().map(|site| Key::of(self.seat.account(), Kind::Site, site)).collect();
        let records = {
            let _turn = self.seat.reading().await;
            self.seat.store().get_each(keys).await?
        };
        let states = records.into_iter().zip(read).filter_map(|(record, site)| Some((record.ok()?, site)));
        let found = states.map(|(record, site)| record.map_or(Ok(Found::Purged(site)), Found::of));
        let found: Vec<Found> = found.collect::<Result<_, _>>()?;
        self.size_chunk(&found);
        Ok(found)
    }

    /// Follows the commits up to the newest state that was read: then all that was sent is of one instant. Where memory is
    /// behind for so long that the client should hear something, it is looked at anew what the newest is.
    async fn settle(&mut self, mut commits: Commits) -> Result<Phase, Error> {
        // The store tells its readers a moment before it tells us.
        let newest = self.seat.store().revision(Some(self.seat.account())).await?;
        let mut gathered = Gathered::default();
        loop {
            match commits.try_next() {
                Ok(Next::Commit(commit)) => gathered.put(&commit, self.held.minding()),
                Ok(Next::Quiet(revision)) if revision >= newest => {
                    let items = self.judge(gathered.found()).await?;
                    self.ready.extend(items);
                    self.end = Some((Mark::Current, revision));
                    return Ok(Phase::Live(commits));
                }
                Ok(Next::Quiet(_)) if self.seat.is_silent(PROGRESS_EVERY) => break,
                Ok(Next::Quiet(_)) => {
                    self.seat.wait(commits.reach(newest), PROGRESS_EVERY).await?;
                    self.seat.vigil.check()?;
                }
                Err(live::Missed::Lagged) => break,
                Err(live::Missed::Forked) => return Ok(Phase::Resync),
            }
        }
        // What was followed is told all the same, so that whoever falls behind again and again comes nearer each time.
        let base = commits.at();
        let items = self.judge(gathered.found()).await?;
        self.ready.extend(items);
        Ok(Phase::Missed(Missed { sites: BTreeSet::new(), base, commits: None }))
    }
}
