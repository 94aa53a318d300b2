//! A watch of a map: the symbols in view, then what of them appears, changes and vanishes.
//!
//! Each message is the difference between what the client shows and one exact answer of the map, so nothing can be
//! missed, however slow the client: changes that come faster than it reads are one difference. The view may move.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::shown::Shown;
use super::{Mark, PROGRESS_EVERY, Seat};
use crate::model::access::Principal;
use crate::model::geo::BoundingBox;
use crate::model::id::{AccountId, Revision};
use crate::service::map::Viewport;
use crate::service::symbols::{Symbols, Tally};
use crate::service::{Error, Waymark};

/// Least time between two differences of one view: a change after a quiet while is told at once, and of changes that
/// follow one another fast five a second are seen.
const TICK: Duration = Duration::from_millis(200);
/// A view that takes long to answer is looked at less often: this many times longer is the rest, so that one crowded
/// screen takes at most a twentieth of a core.
const REST: u32 = 20;

/// Of writes that changed nothing in view the client hears after this time: whoever waits for a write to be on its map
/// need not wait longer, and a busy account costs a message a second.
const UNSEEN_TOLD_AFTER: Duration = Duration::from_secs(1);

/// What is in view.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// The client's own number for this view; each message says of which view it is.
    pub id: u64,
    /// The box.
    pub bounds: BoundingBox,
    /// The zoom.
    pub zoom: i32,
    /// Which sites.
    pub filter: String,
}

/// A message of the watch.
#[derive(Debug, Clone, PartialEq)]
pub struct MapChanges {
    /// Where the watch stands.
    pub mark: Mark,
    /// The view that it is of.
    pub view: u64,
    /// Every write to the account up to this one is in.
    pub revision: Revision,
    /// Symbols that appeared or changed.
    pub changed: Symbols,
    /// Ids of symbols that vanished.
    pub removed: Vec<String>,
    /// The counts beside the map.
    pub counts: Counts,
}

/// The counts beside a map.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Counts {
    /// All placed sites of the account.
    pub account: Tally,
    /// The placed sites that match.
    pub matching: Tally,
    /// The placed sites that match all but the filter's conditions of classes.
    pub legend: Tally,
    /// Matching sites without a position.
    pub unplaced: u32,
}

/// A watch of a map.
#[derive(Debug)]
pub struct MapWatch {
    seat: Seat,
    view: View,
    /// Whether the client has not seen this view yet.
    is_new: bool,
    shown: Shown,
    counts: Counts,
    /// The last revision that was looked at, and the last that the client was told.
    revision: Revision,
    told: Revision,
    revisions: watch::Receiver<Revision>,
    /// Until then no further change is told.
    rests_until: Instant,
}

impl Waymark {
    /// Watches what is in view of an account's map.
    pub fn watch_map(
        self: &Arc<Self>,
        principal: &Principal,
        account: &AccountId,
        view: View,
    ) -> Result<MapWatch, Error> {
        let seat = Seat::take(self, principal, account)?;
        let revisions = seat.live.revisions();
        Ok(MapWatch {
            seat,
            view,
            is_new: true,
            shown: Shown::default(),
            counts: Counts::default(),
            revision: Revision::default(),
            told: Revision::default(),
            revisions,
            rests_until: Instant::now(),
        })
    }
}

/// What a watch waited for.
enum Come {
    Moved(View),
    Changed,
}

impl MapWatch {
    /// The next message, once there is one. `moves` says where the client looks from now on; its end changes nothing.
    pub async fn next(
        &mut self,
        moves: &mut (impl Stream<Item = Result<View, Error>> + Unpin),
    ) -> Result<MapChanges, Error> {
        loop {
            let principal = self.seat.check()?;
            if self.is_new || *self.revisions.borrow() > self.revision {
                let begun = Instant::now();
                let View { bounds, zoom, filter, .. } = &self.view;
                let account = &self.seat.account;
                let seen = self.seat.waymark.viewport(&principal, account, bounds, *zoom, filter).await?;
                self.rests_until = Instant::now() + TICK.max(begun.elapsed() * REST);
                if let Some(message) = self.news(seen) {
                    return Ok(message);
                }
            }
            let silence = if self.revision > self.told { UNSEEN_TOLD_AFTER } else { PROGRESS_EVERY };
            if self.seat.is_silent(silence) {
                return Ok(self.message(Mark::Progress, Symbols::default(), Vec::new()));
            }
            let (known, rests_until, revisions) = (self.revision, self.rests_until, &mut self.revisions);
            let change = async {
                // The sender lives as long as the account.
                let _ = revisions.wait_for(|revision| *revision > known).await;
                sleep_until(rests_until).await;
            };
            let come = async {
                tokio::select! {
                    moved = moved(moves) => moved.map(Come::Moved),
                    () = change => Ok(Come::Changed),
                }
            };
            match self.seat.wait(come, silence).await? {
                Some(Ok(Come::Moved(view))) => (self.view, self.is_new) = (view, true),
                Some(Ok(Come::Changed)) | None => {}
                Some(Err(fault)) => return Err(fault),
            }
        }
    }

    /// What is new in what was seen; `None` where all is as it was.
    fn news(&mut self, seen: Viewport) -> Option<MapChanges> {
        self.revision = seen.revision;
        let counts =
            Counts { account: seen.account, matching: seen.matching, legend: seen.legend, unplaced: seen.unplaced };
        let have_counts_changed = std::mem::replace(&mut self.counts, counts) != self.counts;
        let (changed, removed) = self.shown.update(seen.symbols);
        let is_new = std::mem::take(&mut self.is_new);
        let has_changed = have_counts_changed || changed != Symbols::default() || !removed.is_empty();
        let mark = if is_new { Mark::Current } else { Mark::Ordinary };
        (is_new || has_changed).then(|| self.message(mark, changed, removed))
    }

    fn message(&mut self, mark: Mark, changed: Symbols, removed: Vec<String>) -> MapChanges {
        self.seat.heard_now();
        self.told = self.revision;
        let (view, revision) = (self.view.id, self.revision);
        MapChanges { mark, view, revision, changed, removed, counts: self.counts.clone() }
    }
}

/// The last of the views that the client asked for by now; never, where it asks for no more.
async fn moved(moves: &mut (impl Stream<Item = Result<View, Error>> + Unpin)) -> Result<View, Error> {
    let Some(mut view) = moves.next().await else { return std::future::pending().await };
    while let Some(Some(newer)) = futures_util::FutureExt::now_or_never(moves.next()) {
        view = newer;
    }
    view
}
