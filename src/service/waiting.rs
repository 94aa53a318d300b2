//! The background of addresses: those that wait are asked for again, and what must not be held any more is dropped.
//!
//! All state is in the records; `live` knows which of them are due. So a restart loses nothing, and goes on where the
//! times of the records say. What is dropped never waits for a geocoder.

use std::time::Duration;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tracing::{info, warn};

use super::addresses::{Answer, asked_wait, settle};
use super::record::Author;
use super::sites::{Draft, Step};
use super::{Error, Waymark};
use crate::geocode::CANDIDATES_MAX;
use crate::live::WaitingSites;
use crate::model::history::Cause;
use crate::model::id::{AccountId, SiteId};
use crate::model::site::Site;
use crate::model::site_address::{SiteAddress, WaitReason};

/// Addresses that are asked for at once, over all accounts: the rest of a geocoder's turns is for people who wait.
const ASKED_AT_ONCE: usize = 4;
/// Sites that are written at once where answers expire: they share a sync of the disk.
const DROPPED_AT_ONCE: usize = 64;
/// How long a site is let alone of which nothing could be made: its record cannot be read, or others write it.
const PUT_OFF: SignedDuration = SignedDuration::from_mins(1);
/// How long the work rests behind a failure: mostly it is the store's, and would be that of all other sites too.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest sleep: the wall clock may jump, and sleeps follow another one.
const SLEEP_MAX: Duration = Duration::from_mins(1);

impl Waymark {
    /// Asks for waiting addresses and drops expired answers, for ever. Ends when it is dropped.
    pub async fn work_on_addresses(&self) {
        tokio::join!(self.keep_dropping(), self.keep_asking());
    }

    /// Makes all addresses due that nothing answered to, or that wait: the geocoders are others now.
    pub fn geocoders_changed(&self) {
        let now = self.now();
        self.parts.live.lives().iter().for_each(|live| live.waiting.hurry(now));
        self.parts.live.wake_waiting();
    }

    async fn keep_dropping(&self) {
        let mut waits = self.parts.live.waits();
        loop {
            waits.mark_unchanged();
            self.drop_expired_answers().await;
            self.sleep_until(self.next_of(WaitingSites::next_expiry), &mut waits).await;
        }
    }

    async fn keep_asking(&self) {
        let mut waits = self.parts.live.waits();
        let mut last = None;
        loop {
            waits.mark_unchanged();
            while let Some(served) = self.ask_for_due(last.as_ref()).await {
                last = Some(served);
            }
            self.sleep_until(self.next_of(WaitingSites::next_due), &mut waits).await;
        }
    }

    /// The earliest of a time of all accounts.
    fn next_of(&self, time: impl Fn(&WaitingSites) -> Option<Timestamp>) -> Option<Timestamp> {
        self.parts.live.lives().iter().filter_map(|live| time(&live.waiting)).min()
    }

    /// Sleeps until a time of the wall clock, or until another site waits.
    async fn sleep_until(&self, time: Option<Timestamp>, waits: &mut watch::Receiver<()>) {
        let left = time.map(|time| time.duration_since(self.now()).try_into().unwrap_or_default());
        let left = left.map_or(SLEEP_MAX, |left: Duration| left.min(SLEEP_MAX));
        tokio::select! {
            () = tokio::time::sleep(left) => {}
            // Its sender lives as long as we do.
            _ = waits.changed() => {}
        }
    }

    /// Drops of all sites what must not be held any more. Costs two reads and a write for each such site.
    ///
    /// Ends, whatever the store does: each site is tried at most once, and none of an account behind a batch that failed.
    pub async fn drop_expired_answers(&self) {
        let (now, mut dropped, mut has_failed) = (self.now(), 0, false);
        for live in self.parts.live.lives() {
            let account = live.account();
            loop {
                let due = live.waiting.expired(now, DROPPED_AT_ONCE);
                if due.is_empty() {
                    break;
                }
                let drops = due.iter().map(|site| self.drop_expired_of(&account.id, *site));
                let outcomes = join_all(drops).await;
                dropped += outcomes.iter().filter(|outcome| outcome.is_ok()).count();
                put_off_rest(&live.waiting, &due, now, WaitingSites::expired);
                if let Some(cause) = outcomes.into_iter().find_map(Result::err) {
                    warn!(%cause, account = %account.id, "expired answers are not dropped yet, and not shown");
                    has_failed = true;
                    break;
                }
            }
        }
        if dropped > 0 {
            info!(sites = dropped, "dropped answers of geocoders whose terms ended");
        }
        if has_failed {
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn drop_expired_of(&self, account: &AccountId, id: SiteId) -> Result<(), Error> {
        let Some(mut found) = self.find_site(account, id).await? else { return Ok(()) };
        if !found.value.drop_expired(self.now()) {
            return Ok(());
        }
        // What changes a site begins with that.
        let author = Author::system(Cause::AddressExpired);
        let dropping = self.commit_over(account, id, author, |before, now| async move {
            Ok(Draft { site: Site { updated_at: now, ..before }, step: Step::Write(Vec::new()) })
        });
        dropping.await.map(|_| ())
    }

    /// Asks for some addresses that are due, one an account, beginning behind the account that was served last. Answers with
    /// the account served last, `None` where none is due.
    pub(super) async fn ask_for_due(&self, last: Option<&AccountId>) -> Option<AccountId> {
        let now = self.now();
        let mut lives = self.parts.live.lives();
        let behind = lives.partition_point(|live| Some(&live.account().id) <= last);
        lives.rotate_left(behind);
        let due = lives.into_iter().filter_map(|live| live.waiting.due(now, 1).pop().map(|site| (live, site)));
        let due: Vec<_> = due.take(ASKED_AT_ONCE).collect();
        let ids: Vec<_> = due.iter().map(|(live, site)| (live.account().id.clone(), *site)).collect();
        let asked = join_all(ids.iter().map(|(account, site)| self.ask_again(account, *site))).await;
        due.iter().for_each(|(live, site)| put_off_rest(&live.waiting, &[*site], now, WaitingSites::due));
        if let Some(cause) = asked.into_iter().find_map(Result::err) {
            warn!(%cause, "waiting addresses cannot be asked for");
            tokio::time::sleep(PAUSE).await;
        }
        ids.into_iter().next_back().map(|(account, _)| account)
    }

    /// Asks for the address of a site again, as if the person who stated it did; or renews the answer to it.
    async fn ask_again(&self, account: &AccountId, id: SiteId) -> Result<(), Error> {
        let Some(found) = self.find_site(account, id).await? else { return Ok(()) };
        let site = found.value;
        let Some(address) = site.address.clone().filter(|_| site.deleted_at.is_none()) else { return Ok(()) };
        let (now, asked_at) = (self.now(), site.asked_at());
        if site.renewed_at().is_some_and(|due| due <= now) {
            self.renew(account, &site, &address).await?;
            // An address that is open beside what was renewed has its own time.
            if asked_at.is_none_or(|due| due > now) {
                return Ok(());
            }
        }
        // An open one may be asked for before its time: there are other geocoders. But nobody asks for what is left to a
        // person, or what nobody typed.
        if asked_at.is_none() || address.typed.is_empty() {
            return Ok(());
        }
        let answer = match self.choices(account, &address.query(), address.country, Some(&site), CANDIDATES_MAX).await {
            Ok(choices) => Answer::Found(choices),
            Err(Error::Geocode(cause)) => {
                let reason = cause.waits().unwrap_or(WaitReason::Misconfigured);
                Answer::Waits(reason, asked_wait(&cause))
            }
            // What cannot be asked has no answer.
            Err(Error::Invalid(_)) => Answer::Found(Vec::new()),
            Err(cause) => return Err(cause),
        };
        let settled = |site: &mut Site, stated: SiteAddress, now| {
            match settle(site, stated.clone(), &answer, self.pace(), now) {
                // A position that would be refused is none.
                Err(Error::Invalid(_)) => settle(site, stated, &Answer::Found(Vec::new()), self.pace(), now),
                settled => settled,
            }
        };
        self.change_unless_restated(account, id, &address, Cause::AddressAnswered, settled).await
    }

    /// Changes a site whose address is still the same statement and has not been answered meanwhile.
    pub(super) async fn change_unless_restated(
        &self,
        account: &AccountId,
        id: SiteId,
        asked: &SiteAddress,
        cause: Cause,
        change: impl Fn(&mut Site, SiteAddress, Timestamp) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let change = &change;
        let changing = self.commit_over(account, id, Author::system(cause), |before, now| async move {
            let mut site = before.clone();
            let same = before.address.clone().filter(|now| now.is_statement_of(asked) && now.state == asked.state);
            let step = match same {
                Some(stated) if before.deleted_at.is_none() => {
                    change(&mut site, stated, now)?;
                    Step::Write(Vec::new())
                }
                _ => Step::Leave,
            };
            // Attempts in vain and renewed terms are nothing that anybody has to look at.
            if told_of(&site) != told_of(&before) {
                site.updated_at = now;
            }
            Ok(Draft { site, step })
        });
        changing.await.map(|_| ())
    }
}

/// What of a site an address changes that people see.
fn told_of(site: &Site) -> impl PartialEq {
    let address = site.address.as_ref().map(|address| (address.state, address.formatted.clone()));
    (address, site.fixes.effective().map(|fix| (fix.source, fix.position, fix.made_at)))
}

/// Lets those alone for a while that are due still: nothing could be made of them.
fn put_off_rest(
    waiting: &WaitingSites,
    sites: &[SiteId],
    now: Timestamp,
    due: impl Fn(&WaitingSites, Timestamp, usize) -> Vec<SiteId>,
) {
    // As many as may stand before them.
    let still = due(waiting, now, sites.len());
    let until = now.checked_add(PUT_OFF).unwrap_or(now);
    sites.iter().filter(|site| still.contains(site)).for_each(|site| waiting.put_off(*site, until));
}
