//! The outbox: hands queued mails to the mail server, each once, however often server or program are away.
//!
//! A mail's record goes away together with the note that it was sent. A program that is killed between the mail server's
//! word and that commit sends the mail again, under the same Message-ID.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};
use tracing::{info, warn};

use super::super::{Error, Versioned, Waymark};
use super::{Post, put};
use crate::live::MailKey;
use crate::mail::{Invitation, NotSent};
use crate::model::resident::{Delivery, ResidentAccess, State};
use crate::store::document::{Document, QueuedMail};
use crate::store::{Error as StoreError, Key, Kind, Mutation, Range, SCAN_MAX};

/// The first wait after a failure; each further one is twice as long.
const WAIT_MIN: Duration = Duration::from_secs(1);
/// Longest wait: servers come back within minutes, and mail is expected then.
const WAIT_MAX: Duration = Duration::from_mins(5);

/// What became of a mail.
enum Outcome {
    /// The mail server took or refused it for good: its record is gone.
    Settled,
    /// The mail server does not take it now; others need not wait.
    PutOff,
    /// Nobody wants it any more, or it cannot be read: its record is gone, and the mail server was not asked.
    Dropped,
    /// It waits while its access is off, and the mail server was not asked.
    Kept,
    /// No mail can be sent now.
    Stopped,
}

/// How far the outbox is.
#[derive(Default)]
struct Rounds {
    /// The mails that wait, how often they were tried, and when each is due.
    later: HashMap<MailKey, (u32, Instant)>,
    /// Failures since the mail server last answered.
    failures: u32,
    /// The mail that was tried last: the next round starts behind it, so that each has its turn however many fail.
    last: Option<MailKey>,
}

/// Whether a mail is wanted still.
enum Wanted {
    /// It is: this is what it says.
    Send(Invitation),
    /// Not while the access is off.
    Later,
    /// Its invitation is accepted, revoked, superseded, too old, or gone with its site.
    Never,
    /// It was encrypted with another key.
    Unreadable,
}

impl Waymark {
    /// Sends mails for as long as the server runs; returns when it ends, after the mail that is in hand.
    pub async fn work_on_mails(&self) {
        let mut ending = self.mails_ending.subscribe();
        let Some(post) = &self.parts.post else { return };
        tokio::select! {
            () = self.find_mails() => {}
            _ = ending.wait_for(|is_ending| *is_ending) => return,
        }
        let mut rounds = Rounds::default();
        loop {
            let wait = self.send_round(post, &mut rounds).await;
            tokio::select! {
                () = wait_for(wait) => {}
                // New ones wait too while the server is away.
                () = self.parts.live.mails.added(), if rounds.failures == 0 => {}
                _ = ending.wait_for(|is_ending| *is_ending) => return,
            }
        }
    }

    /// Tries all mails that are due; gives when the next one is.
    async fn send_round(&self, post: &Post, rounds: &mut Rounds) -> Option<Instant> {
        for key in rounds.begin(self.parts.live.mails.keys()) {
            if *self.mails_ending.borrow() {
                return None;
            }
            if rounds.later.get(&key).is_some_and(|(_, due)| *due > Instant::now()) {
                continue;
            }
            rounds.last = Some(key.clone());
            match self.send_mail(post, &key).await {
                Ok(Outcome::Settled) => rounds.answered(),
                Ok(Outcome::PutOff) => {
                    rounds.answered();
                    rounds.put_off(key);
                }
                Ok(Outcome::Dropped) => {}
                Ok(Outcome::Kept) => rounds.put_off(key),
                // Perhaps the server ends the dialogue at this very one: the others come first next time.
                Ok(Outcome::Stopped) => return Some(rounds.failed(key)),
                Err(cause) => {
                    warn!(%cause, "the outbox cannot be read or written");
                    return Some(rounds.failed(key));
                }
            }
        }
        rounds.later.values().map(|(_, due)| *due).min()
    }

    async fn send_mail(&self, post: &Post, mail_key: &MailKey) -> Result<Outcome, Error> {
        let (account, id) = mail_key;
        let key = Key::of(account, Kind::Mail, id);
        let mail = match self.parts.store.get(key.clone()).await?.map(|record| record.document) {
            Some(Document::Mail(mail)) => mail,
            Some(_) => return Err(Error::Mismatched { key }),
            None => {
                self.parts.live.mails.forget(mail_key);
                return Ok(Outcome::Dropped);
            }
        };
        let invitation = match self.wanted(post, mail_key, &mail).await? {
            Wanted::Send(invitation) => invitation,
            Wanted::Later => return Ok(Outcome::Kept),
            Wanted::Never => {
                // An invitation that ran out in here would be said to wait for ever.
                self.settle(&key, &mail, Delivery::Refused).await;
                return Ok(Outcome::Dropped);
            }
            Wanted::Unreadable => {
                warn!(%account, site = %mail.site, "an invitation was encrypted with another key: resend it");
                self.settle(&key, &mail, Delivery::Refused).await;
                return Ok(Outcome::Dropped);
            }
        };
        let delivery = match post.mailer.send(&invitation).await {
            Ok(()) => Delivery::Sent,
            Err(fault @ NotSent::Never(_)) => {
                warn!(%account, site = %mail.site, %fault, "an invitation is given up");
                Delivery::Refused
            }
            Err(fault @ NotSent::Later(_)) => {
                info!(%account, site = %mail.site, %fault, "an invitation waits");
                return Ok(Outcome::PutOff);
            }
            Err(fault @ NotSent::Server(_)) => {
                warn!(%fault, waiting = self.parts.live.mails.count(), "mails wait");
                return Ok(Outcome::Stopped);
            }
        };
        self.settle(&key, &mail, delivery).await;
        Ok(Outcome::Settled)
    }

    /// Whether a mail's invitation is still the one that can be accepted, and what it says now.
    async fn wanted(&self, post: &Post, (account, id): &MailKey, mail: &QueuedMail) -> Result<Wanted, Error> {
        let Some(Versioned { value: access, .. }) = self.find_access(account, mail.site).await? else {
            return Ok(Wanted::Never);
        };
        let site = self.find_site(account, mail.site).await?.filter(|site| site.value.deleted_at.is_none());
        let Some((site, inviting)) = site.zip(self.parts.live.account(account)) else { return Ok(Wanted::Never) };
        let is_current = access.state(self.now()) == State::Invited && is_of(&access, mail);
        let (Some(invitation), true) = (&access.invitation, is_current) else { return Ok(Wanted::Never) };
        // Nor is a user of the account let in: they may cease to be one before the invitation ends.
        if !access.enabled || self.is_user(account, &access.owner_email) {
            return Ok(Wanted::Later);
        }
        let Some(secret) = post.secret(account, id, mail) else { return Ok(Wanted::Unreadable) };
        let inviting = inviting.account();
        Ok(Wanted::Send(Invitation {
            id: id.clone(),
            to: access.owner_email.clone(),
            secret,
            account: inviting.told_name().to_owned(),
            support: inviting.support_contact.clone(),
            site: site.value.display_name,
            until: invitation.expires_at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        }))
    }

    /// Notes what became of a mail, and drops it with its secret: until that is written, whatever the store does, nothing
    /// is sent again.
    async fn settle(&self, key: &Key, mail: &QueuedMail, delivery: Delivery) {
        let mut failures = 0;
        while let Err(cause) = self.try_settle(key, mail, delivery).await {
            if !matches!(cause, Error::Store(StoreError::Conflict { .. })) {
                warn!(%cause, "what became of a mail cannot be written down yet");
                sleep(pause(failures)).await;
                failures += 1;
            }
        }
    }

    async fn try_settle(&self, key: &Key, mail: &QueuedMail, delivery: Delivery) -> Result<(), Error> {
        let mut batch = vec![Mutation::delete(key.clone())];
        let account = key.partition.as_ref().ok_or_else(|| Error::Mismatched { key: key.clone() })?;
        if let Some(before) = self.find_access(account, mail.site).await? {
            let mut access = before.value.clone();
            if is_of(&access, mail)
                && let Some(invitation) = &mut access.invitation
            {
                invitation.delivery = delivery;
                batch.push(put(account, Some(&before), &access));
            }
        }
        self.parts.store.commit(batch).await?;
        Ok(())
    }

    /// Finds the mails of before the start, for as long as it takes.
    async fn find_mails(&self) {
        let mut failures = 0;
        while let Err(cause) = self.scan_mails().await {
            warn!(%cause, "the outbox cannot be read");
            sleep(pause(failures)).await;
            failures += 1;
        }
    }

    async fn scan_mails(&self) -> Result<(), Error> {
        for account in self.parts.live.accounts() {
            let mut after = None;
            loop {
                let partition = Some(account.id.clone());
                let range = Range { after, ..Range::all(partition, Kind::Mail) };
                let records = self.parts.store.scan(range).await?;
                let is_last = records.len() < SCAN_MAX;
                after = records.last().map(|record| record.key.id.clone());
                for record in records {
                    self.parts.live.mails.put((account.id.clone(), record.key.id));
                }
                if is_last {
                    break;
                }
            }
        }
        Ok(())
    }
}

impl Rounds {
    /// The mails in the order of this round, of keys in theirs; forgets those that are gone.
    fn begin(&mut self, mut keys: Vec<MailKey>) -> Vec<MailKey> {
        self.later.retain(|key, _| keys.binary_search(key).is_ok());
        if let Some(last) = &self.last {
            let tried = keys.partition_point(|key| key <= last);
            keys.rotate_left(tried);
        }
        keys
    }

    /// The mail server answered: who waited for it need not wait on.
    fn answered(&mut self) {
        if self.failures > 0 {
            self.later.values_mut().for_each(|(_, due)| *due = Instant::now());
        }
        self.failures = 0;
    }

    /// Lets a mail wait, longer each time.
    fn put_off(&mut self, key: MailKey) {
        let attempts = self.later.get(&key).map_or(0, |(attempts, _)| *attempts);
        self.later.insert(key, (attempts.saturating_add(1), Instant::now() + pause(attempts)));
    }

    /// Lets a mail wait, and all others too; gives until when.
    fn failed(&mut self, key: MailKey) -> Instant {
        self.put_off(key);
        self.failures = self.failures.saturating_add(1);
        Instant::now() + pause(self.failures - 1)
    }
}

/// Whether a mail is of the invitation that the access has now.
fn is_of(access: &ResidentAccess, mail: &QueuedMail) -> bool {
    access.invitation.as_ref().is_some_and(|invitation| invitation.secret_hash == mail.secret_hash)
}

/// How long to wait after so many failures: twice as long each time, a quarter more or less, so that replicas and
/// restarts do not come in step.
fn pause(failures: u32) -> Duration {
    let wait = WAIT_MIN.saturating_mul(1 << failures.min(16)).min(WAIT_MAX);
    let permille = 750 + u32::try_from(RandomState::new().hash_one(()) % 500).unwrap_or_default();
    wait * permille / 1_000
}

async fn wait_for(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => std::future::pending().await,
    }
}
