//! A watch of a map: the symbols in view, then what of them appears, changes and vanishes.
//!
//! Each message is the difference between what the client shows and one exact answer of the map, so nothing can be
//! missed, however slow the client: changes that come faster than it reads are one difference. The view may move.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt as _, Stream, StreamExt as _};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::drive::{Messages, drive};
use super::shown::Shown;
use super::{Mark, PROGRESS_EVERY, Seat};
use crate::live::Standing;
use crate::model::access::Principal;
use crate::model::geo::BoundingBox;
use crate::model::id::{AccountId, Revision};
use crate::service::access::Permission;
use crate::service::map::Viewport;
use crate::service::symbols::{Symbols, Tally};
use crate::service::{Error, Waymark};

/// Least time between two differences of one view: a change after a quiet while is told at once, and of changes that
/// follow one another fast five a second are seen.
const TICK: Duration = Duration::from_millis(200);
/// A view that takes long to answer is looked at less often: this many times longer is the rest, so that one crowded
/// screen takes at most a twentieth of a core.
const REST: u32 = 20;
/// The same after a look for a view that moved: somebody waits for it.
const MOVE_REST: u32 = 4;
/// Most views that are passed over at once, so that a client that never stops moving lets others have their turn.
const MOVES_PASSED_MAX: usize = 64;

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
    /// Whether no site is named: to be renamed is no change then.
    pub is_nameless: bool,
}

/// A message of the watch.
#[derive(Debug, Clone, PartialEq)]
pub struct MapChanges {
    /// Where the watch stands.
    pub mark: Mark,
    /// The view that it is of.
    pub view: u64,
    /// Every write to the account up to this one is in. Lower than before where the store lost writes.
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
    /// Where the account stood at the last look, and where the client was told that it stands.
    seen: Standing,
    told: Standing,
    standings: watch::Receiver<Standing>,
    /// Before these times no further view, and no further change, is looked at.
    moves_from: Instant,
    changes_from: Instant,
}

impl Waymark {
    /// Watches what is in view of an account's map. A filter that is refused is told at once.
    pub fn watch_map(
        self: &Arc<Self>,
        principal: &Principal,
        account: &AccountId,
        view: View,
    ) -> Result<MapWatch, Error> {
        let seat = Seat::take(self, principal, account, Permission::Look)?;
        self.check_screen(principal, account, &view.filter)?;
        let standings = seat.live().standings();
        Ok(MapWatch {
            seat,
            view,
            is_new: true,
            shown: Shown::default(),
            counts: Counts::default(),
            seen: Standing::default(),
            told: Standing::default(),
            standings,
            moves_from: Instant::now(),
            changes_from: Instant::now(),
        })
    }
}

/// What a watch waited for.
enum Come {
    Moved(View),
    Due,
}

impl MapWatch {
    /// The messages, in a task of their own. `moves` says where the client looks from now on; its end changes nothing.
    #[must_use]
    pub fn messages(self, moves: BoxStream<'static, Result<View, Error>>) -> Messages<MapChanges> {
        let vigil = self.seat.vigil.clone();
        let next = async |(mut watch, mut moves): (Self, BoxStream<'static, Result<View, Error>>)| {
            let changes = watch.next(&mut moves).await?;
            Ok(Some((changes, (watch, moves))))
        };
        drive(vigil, stream::try_unfold((self, moves), next).boxed())
    }

    /// The next message, once there is one.
    pub(super) async fn next(
        &mut self,
        moves: &mut (impl Stream<Item = Result<View, Error>> + Unpin),
    ) -> Result<MapChanges, Error> {
        loop {
            if self.is_due() {
                let begun = Instant::now();
                // Read first: a history that begins meanwhile is looked at again.
                let history = self.standings.borrow().history;
                let Some(seen) = self.look().await? else { continue };
                let cost = begun.elapsed();
                let now = Instant::now();
                (self.moves_from, self.changes_from) = (now + cost * MOVE_REST, now + TICK.max(cost * REST));
                self.seen = Standing { history, revision: seen.revision };
                if let Some(message) = self.news(seen) {
                    return Ok(message);
                }
            }
            let silence = if self.seen == self.told { PROGRESS_EVERY } else { UNSEEN_TOLD_AFTER };
            if self.seat.is_silent(silence) && !self.is_new {
                return Ok(self.message(Mark::Progress, Symbols::default(), Vec::new()));
            }
            match self.come(moves, silence).await? {
                Some(Come::Moved(view)) => (self.view, self.is_new) = (view, true),
                Some(Come::Due) | None => {}
            }
        }
    }

    /// Whether there is something to look at, and the time for it.
    fn is_due(&self) -> bool {
        let now = Instant::now();
        if self.is_new {
            return now >= self.moves_from;
        }
        self.standings.borrow().is_news_to(self.seen) && now >= self.changes_from
    }

    /// What comes first; `None` for the time to look around.
    async fn come(
        &mut self,
        moves: &mut (impl Stream<Item = Result<View, Error>> + Unpin),
        silence: Duration,
    ) -> Result<Option<Come>, Error> {
        let (is_new, seen) = (self.is_new, self.seen);
        let (moves_from, changes_from) = (self.moves_from, self.changes_from);
        let mut standings = self.standings.clone();
        let due = async {
            if is_new {
                return sleep_until(moves_from).await;
            }
            // The sender lives as long as the account.
            let _ = standings.wait_for(|there| there.is_news_to(seen)).await;
            sleep_until(changes_from).await;
        };
        let come = async {
            tokio::select! {
                moved = moved(moves) => moved.map(Come::Moved),
                () = due => Ok(Come::Due),
            }
        };
        let come = self.seat.wait(come, silence).await?;
        self.seat.vigil.check()?;
        come.transpose()
    }

    /// The view as it is now; `None` where a new selection takes its time, and goes on at the next look.
    async fn look(&mut self) -> Result<Option<Viewport>, Error> {
        let principal = self.seat.vigil.check()?;
        let (waymark, account) = (Arc::clone(&self.seat.vigil.waymark), self.seat.account().clone());
        let View { bounds, zoom, filter, is_nameless, .. } = self.view.clone();
        let seen = async {
            let seen = waymark.viewport(&principal, &account, &bounds, zoom, &filter).await;
            seen.map(|seen| if is_nameless { seen.nameless() } else { seen })
        };
        self.seat.wait(seen, PROGRESS_EVERY).await?.transpose()
    }

    /// What is new in what was seen; `None` where all is as it was.
    fn news(&mut self, seen: Viewport) -> Option<MapChanges> {
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
        self.told = self.seen;
        let (view, revision) = (self.view.id, self.seen.revision);
        MapChanges { mark, view, revision, changed, removed, counts: self.counts.clone() }
    }
}

/// The last of the views that the client asked for by now; never, where it asks for no more.
async fn moved(moves: &mut (impl Stream<Item = Result<View, Error>> + Unpin)) -> Result<View, Error> {
    let Some(first) = moves.next().await else { return std::future::pending().await };
    let mut view = first?;
    for _ in 0..MOVES_PASSED_MAX {
        let Some(Some(newer)) = moves.next().now_or_never() else { break };
        view = newer?;
    }
    Ok(view)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn so_many_views_are_passed_over_at_once_and_no_more() {
        let view = |id| View { id, bounds: BoundingBox::WORLD, zoom: 0, filter: String::new(), is_nameless: false };
        let mut moves = stream::iter((0_u64..).map(|id| Ok(view(id))));
        let passed = u64::try_from(MOVES_PASSED_MAX).unwrap();
        assert_eq!(moved(&mut moves).await.unwrap().id, passed);
        assert_eq!(moved(&mut moves).await.unwrap().id, 2 * passed + 1, "the client never stops, and is answered");
    }
}
