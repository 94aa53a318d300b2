//! Which replica does the work that nobody calls for: mails, addresses that wait, runs, retention. One at a time.
//!
//! Who leads renews a record. A replica that sees it unchanged for twelve seconds, by its own clock, takes it over; who led has
//! stopped by then, or stopped altogether, and whatever it still writes meets records that others changed. Wall clocks play no
//! part, so one that jumps makes no two leaders. In a store that no other process shares, this one leads.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tracing::{error, info, warn};

use super::Waymark;
use crate::model::id::Revision;
use crate::store::document::{Document, Lease};
use crate::store::{Error as StoreError, Expect, Key, Kind, Mutation};

/// For so long a record that nobody renews stands for its leader.
const LEASE: Duration = Duration::from_secs(12);
/// Who could not renew it for so long leads no more: well before another one takes over.
const SURE: Duration = Duration::from_secs(8);
/// Time between two renewals, and between two looks.
const RENEW_EVERY: Duration = Duration::from_secs(2);
/// Time between two looks of who waits for a sign of a replica.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Time after which work begins anew that panicked: it may panic again.
const AGAIN_AFTER: Duration = Duration::from_secs(30);
/// Time for the mail in hand, when the program ends: cut off, it would be sent again at the next start.
const MAIL_TIME_MAX: Duration = Duration::from_secs(5);

/// What a replica that leads has.
struct Led {
    /// The revision of its lease.
    lease: Revision,
    /// Until when nobody else takes it. Counted from before the write that all others see: its answer may come late.
    sure_until: Instant,
}

impl Waymark {
    /// Does the work that nobody calls for, whenever this replica leads, until [`Self::end_work`].
    pub async fn work(self: Arc<Self>) {
        let mut ending = self.mails_ending.subscribe();
        loop {
            let led = tokio::select! {
                led = self.lead() => led,
                _ = ending.wait_for(|is_ending| *is_ending) => return,
            };
            // Tasks of their own: a page of sites must not stand between mails, and a fault of one not end the others.
            let mut works = JoinSet::new();
            let waymark = || Arc::clone(&self);
            let (addressing, checking, estimating, cutting) = (waymark(), waymark(), waymark(), waymark());
            let sweeping = waymark();
            works.spawn(async move { go_on("addresses", || addressing.work_on_addresses()).await });
            works.spawn(async move { go_on("link checks", || checking.work_on_verifications()).await });
            works.spawn(async move { go_on("re-estimations", || estimating.work_on_reestimations()).await });
            works.spawn(async move { go_on("retention", || cutting.work_on_retention()).await });
            works.spawn(async move { go_on("the audit log", || sweeping.work_on_audit()).await });
            let posting = waymark();
            let mut mailing = tokio::spawn(async move { go_on("mails", || posting.work_on_mails()).await });
            let is_over = tokio::select! {
                () = self.lead_on(led) => false,
                _ = ending.wait_for(|is_ending| *is_ending) => true,
            };
            let time = if is_over { MAIL_TIME_MAX } else { Duration::ZERO };
            if timeout(time, &mut mailing).await.is_err() {
                mailing.abort();
            }
            // Until they have let go: what they still have in hand would be written beside what comes next.
            works.shutdown().await;
            if is_over {
                return self.hand_over().await;
            }
            warn!("another replica does the background work now");
        }
    }

    /// Lets what is in hand go out, and does no further work.
    pub fn end_work(&self) {
        self.mails_ending.send_replace(true);
    }

    /// Waits until this replica leads; `None` where nobody else could lead.
    async fn lead(&self) -> Option<Led> {
        if !self.parts.store.is_shared() {
            return None;
        }
        let mut seen: Option<(Revision, Instant)> = None;
        loop {
            match self.look(&mut seen).await {
                Ok(Some(led)) if Instant::now() < led.sure_until => {
                    info!("this replica does the background work");
                    return Some(led);
                }
                Ok(_) | Err(StoreError::Conflict { .. }) => {}
                Err(cause) => warn!(%cause, "it is not known who does the background work"),
            }
            sleep(RENEW_EVERY).await;
        }
    }

    /// Takes the lease where nobody has it, or its holder renews it no more.
    async fn look(&self, seen: &mut Option<(Revision, Instant)>) -> Result<Option<Led>, StoreError> {
        let expect = match self.parts.store.get(lease_key()).await? {
            None => Expect::Absent,
            Some(record) => {
                let holder = holder_of(&record.document);
                let since = match seen {
                    Some((revision, since)) if *revision == record.revision => *since,
                    _ => seen.insert((record.revision, Instant::now())).1,
                };
                // Its own is there where the answer to taking it was lost.
                if !holder.is_empty() && holder != self.replica && since.elapsed() < LEASE {
                    return Ok(None);
                }
                Expect::Revision(record.revision)
            }
        };
        let sure_until = Instant::now() + SURE;
        Ok(Some(Led { lease: self.put_lease(expect, &self.replica).await?, sure_until }))
    }

    /// Renews the lease until it is lost.
    async fn lead_on(&self, led: Option<Led>) {
        let Some(Led { mut lease, mut sure_until }) = led else { return std::future::pending().await };
        loop {
            sleep(RENEW_EVERY).await;
            let begun = Instant::now();
            match timeout_at(sure_until, self.renew_lease(lease)).await {
                Ok(Ok(Some(renewed))) => (lease, sure_until) = (renewed, begun + SURE),
                Ok(Ok(None)) | Err(_) => return,
                Ok(Err(_)) if Instant::now() >= sure_until => return,
                Ok(Err(cause)) => warn!(%cause, "the lease on the background work is not renewed"),
            }
        }
    }

    /// The lease's next revision; `None` where another one has it.
    pub(super) async fn renew_lease(&self, lease: Revision) -> Result<Option<Revision>, StoreError> {
        match self.put_lease(Expect::Revision(lease), &self.replica).await {
            Ok(renewed) => Ok(Some(renewed)),
            Err(StoreError::Conflict { .. }) => {
                let found = self.parts.store.get(lease_key()).await?;
                let Some(own) = found.filter(|record| holder_of(&record.document) == self.replica) else {
                    return Ok(None);
                };
                // The answer to an earlier renewal was lost. The others count from that one: it is no renewal of now.
                self.put_lease(Expect::Revision(own.revision), &self.replica).await.map(Some)
            }
            Err(cause) => Err(cause),
        }
    }

    /// Leaves the lease to whoever comes first.
    async fn hand_over(&self) {
        if !self.parts.store.is_shared() {
            return;
        }
        if let Ok(Some(record)) = self.parts.store.get(lease_key()).await
            && holder_of(&record.document) == self.replica
        {
            // Without it the others wait until it is over.
            let _ = self.put_lease(Expect::Revision(record.revision), "").await;
        }
    }

    async fn put_lease(&self, expect: Expect, holder: &str) -> Result<Revision, StoreError> {
        let document = Some(Document::Lease(Lease { holder: holder.to_owned() }));
        self.parts.store.commit(vec![Mutation { key: lease_key(), expect, document }]).await
    }
}

/// Does a work, and begins it anew where it panicked: what it stumbled over is in the store still, and all else is done again.
pub async fn go_on<Work: Future<Output = ()>>(what: &'static str, work: impl Fn() -> Work) {
    while AssertUnwindSafe(work()).catch_unwind().await.is_err() {
        error!(what, "some background work panicked and begins anew");
        sleep(AGAIN_AFTER).await;
    }
}

/// Whether replicas run on a store: one of them renews the lease, or takes it within twelve seconds of its holder's end.
///
/// Takes some seconds where the last replica ended well, and a little more than twelve seconds where it did not. `read` gives the
/// lease as it stands. A replica that does not reach the store meanwhile is not noticed.
pub async fn are_replicas_at_work<E>(
    mut read: impl AsyncFnMut() -> Result<Option<(Revision, Document)>, E>,
) -> Result<bool, E> {
    let first = read().await?;
    let is_held = first.as_ref().is_some_and(|(_, document)| !holder_of(document).is_empty());
    let end = Instant::now() + 2 * RENEW_EVERY + if is_held { LEASE } else { Duration::ZERO };
    while Instant::now() < end {
        sleep(LOOK_EVERY).await;
        if read().await? != first {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(super) fn lease_key() -> Key {
    Key::operator(Kind::Lease, "background-work")
}

fn holder_of(document: &Document) -> &str {
    if let Document::Lease(lease) = document { &lease.holder } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A lease that another look finds renewed `every` seconds, by a replica that then is there.
    async fn is_noticed(holder: &str, every: u64) -> (bool, Duration) {
        let begun = Instant::now();
        let document = Document::Lease(Lease { holder: holder.to_owned() });
        let read = async || {
            let renewed = begun.elapsed().as_secs().checked_div(every).unwrap_or_default();
            Ok::<_, StoreError>(Some((Revision(7 + renewed), document.clone())))
        };
        (are_replicas_at_work(read).await.unwrap(), begun.elapsed())
    }

    /// It was noticed when the program ended.
    #[tokio::test(start_paused = true)]
    async fn work_that_panics_begins_anew() {
        let begun = std::cell::Cell::new(0);
        let work = || async {
            begun.set(begun.get() + 1);
            assert!(begun.get() > 2, "not yet");
        };
        go_on("a test's", work).await;
        assert_eq!(begun.get(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_replica_that_renews_its_lease_is_noticed_and_a_dead_one_is_not_waited_for() {
        assert!(is_noticed("a", RENEW_EVERY.as_secs()).await.0);
        // One that takes over late, from a holder that died.
        assert!(is_noticed("a", (LEASE + RENEW_EVERY).as_secs()).await.0);
        assert!(is_noticed("", RENEW_EVERY.as_secs()).await.0);
        let (is_dead_noticed, took) = is_noticed("a", 0).await;
        assert!(!is_dead_noticed && took > LEASE + RENEW_EVERY, "{took:?}");
        let (is_ended_noticed, took) = is_noticed("", 0).await;
        assert!(!is_ended_noticed && took < LEASE, "{took:?}");
    }
}
