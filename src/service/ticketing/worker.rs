//! The background work on runs that check links: some accounts at once, each some sites at a time, none waiting for another.
//!
//! A run is a record, so after a restart it goes on behind the last site that was written down. It waits where a system
//! wants fewer requests or is out of service, and passes what does not get better.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use jiff::{SignedDuration, Timestamp};
use tracing::{info, warn};

use super::runs::key_of;
use super::session::Session;
use super::verify::{CheckedLinks, SITE_TIME};
use crate::model::connection::{Verification, VerificationState};
use crate::model::id::{AccountId, SiteId};
use crate::service::{Error, Versioned, Waymark};
use crate::store::document::Document;
use crate::store::{Error as StoreError, Mutation};

/// Accounts whose links are checked at once.
const ACCOUNTS_AT_ONCE: usize = 8;
/// Sites between two notes of how far a run is.
const PAGE: usize = 50;
/// Longest time between two notes: a slow system must not keep others waiting for their next step.
const STEP_TIME: Duration = Duration::from_secs(3);
/// How often a run waits for one and the same site before it passes it.
const WAITS_MAX: u32 = 20;
/// Longest wait of a run, in seconds.
const WAIT_S_MAX: u64 = 3_600;
/// How long an account waits after a failure of the store.
const PAUSE: SignedDuration = SignedDuration::from_secs(5);

/// How a step of a run ended.
#[derive(Debug)]
pub(in crate::service) enum Stepped {
    /// There is more to do.
    Again,
    /// Not before this time.
    At(Timestamp),
    /// No run of the account goes on.
    Ended,
}

impl Waymark {
    /// Works on runs for ever, those of before a restart first, and begins those that are due. Ends when it is dropped.
    pub async fn work_on_verifications(&self) {
        self.find_open_verifications().await;
        tokio::join!(self.begin_due_verifications(), self.take_steps(), self.hear_of_verifications());
    }

    /// Puts accounts in whose runs began, on whichever replica, for ever.
    async fn hear_of_verifications(&self) {
        loop {
            let (begun, now) = (self.parts.live.runs.begun_verifications().await, self.now());
            let mut verifying = self.ticketing.verifying.lock();
            for account in begun {
                verifying.entry(account).or_insert(now);
            }
            drop(verifying);
            self.ticketing.wake.notify_one();
        }
    }

    /// Takes the steps of runs as they come, for ever.
    async fn take_steps(&self) {
        let mut sessions: HashMap<AccountId, Session> = HashMap::new();
        let (mut busy, mut steps) = (BTreeSet::new(), FuturesUnordered::new());
        loop {
            for account in self.take_due(&busy) {
                let mut session = sessions.remove(&account).unwrap_or_default();
                busy.insert(account.clone());
                steps.push(async move {
                    let outcome = self.step(&account, &mut session).await;
                    (account, session, outcome)
                });
            }
            let is_free = busy.len() < ACCOUNTS_AT_ONCE;
            let (account, session, outcome) = tokio::select! {
                Some(stepped) = steps.next(), if !busy.is_empty() => stepped,
                () = self.rest(&busy), if is_free => continue,
            };
            busy.remove(&account);
            if let Some(at) = self.next_step(&account, outcome) {
                sessions.insert(account.clone(), session);
                // Who began another run meanwhile wants it at once.
                self.ticketing.verifying.lock().entry(account).or_insert(at);
            }
        }
    }

    /// When an account takes its next step; `None` for none.
    fn next_step(&self, account: &AccountId, outcome: Result<Stepped, Error>) -> Option<Timestamp> {
        match outcome {
            Ok(Stepped::Ended) => None,
            Ok(Stepped::Again) => Some(self.now()),
            Ok(Stepped::At(at)) => Some(at),
            Err(cause) => {
                warn!(%cause, %account, "a check of ticketing links waits");
                Some(self.now() + PAUSE)
            }
        }
    }

    /// Takes out the accounts whose turn it is, as many as may be asked for beside the busy ones. Before their records are
    /// read: who begins a run meanwhile puts the account in again, and it has its turn once it is no more busy.
    fn take_due(&self, busy: &BTreeSet<AccountId>) -> Vec<AccountId> {
        let (now, mut verifying) = (self.now(), self.ticketing.verifying.lock());
        let due = verifying.iter().filter(|(account, at)| **at <= now && !busy.contains(*account));
        let mut due: Vec<_> = due.map(|(account, at)| (*at, account.clone())).collect();
        // Who waits longest comes first, so nobody is passed over for ever.
        due.sort_unstable();
        due.truncate(ACCOUNTS_AT_ONCE.saturating_sub(busy.len()));
        for (_, account) in &due {
            verifying.remove(account);
        }
        due.into_iter().map(|(_, account)| account).collect()
    }

    /// Waits until a run begins, or until it is the turn of another account than the busy ones.
    async fn rest(&self, busy: &BTreeSet<AccountId>) {
        let notified = self.ticketing.wake.notified();
        let next = {
            let verifying = self.ticketing.verifying.lock();
            verifying.iter().filter(|(account, _)| !busy.contains(*account)).map(|(_, at)| *at).min()
        };
        match next {
            None => notified.await,
            Some(next) => {
                let wait = Duration::try_from(next.duration_since(self.now())).unwrap_or_default();
                // Whichever comes first: both mean to look again.
                let _ = tokio::time::timeout(wait, notified).await;
            }
        }
    }

    /// Finds the runs that went on when the process ended.
    async fn find_open_verifications(&self) {
        for live in self.parts.live.lives() {
            let account = live.account().id.clone();
            match self.verifications_of(&account).await {
                Ok(runs) if runs.iter().any(|run| run.value.state == VerificationState::Running) => {
                    self.ticketing.verifying.lock().insert(account, self.now());
                }
                Ok(_) => {}
                Err(cause) => warn!(%cause, %account, "a check of ticketing links may not go on"),
            }
        }
    }

    /// Works on the oldest open run of an account, a page at most.
    pub(in crate::service) async fn step(&self, account: &AccountId, session: &mut Session) -> Result<Stepped, Error> {
        let runs = self.verifications_of(account).await?;
        let open = runs.into_iter().rev().find(|run| run.value.state == VerificationState::Running);
        let (Some(Versioned { value: mut run, revision }), Some(live)) = (open, self.parts.live.account(account))
        else {
            return Ok(Stepped::Ended);
        };
        if let Some(at) = run.resumes_at.filter(|at| *at > self.now()) {
            return Ok(Stepped::At(at));
        }
        session.begin(&run.id);
        run.resumes_at = None;
        let sites = live.links.behind(run.cursor, PAGE);
        let (begun, is_last) = (Instant::now(), sites.len() < PAGE);
        let mut is_cut = false;
        for site in sites {
            if let Some(wait_s) = self.check_for_run(&mut run, site, session).await? {
                run.resumes_at = Some(self.now() + SignedDuration::from_secs(wait_s.min(WAIT_S_MAX).cast_signed()));
                is_cut = true;
                break;
            }
            if begun.elapsed() >= STEP_TIME {
                is_cut = true;
                break;
            }
        }
        if is_last && !is_cut {
            (run.state, run.ended_at) = (VerificationState::Done, Some(self.now()));
            info!(%account, seen = run.findings.seen, broken = run.findings.broken, "ticketing links are checked");
        }
        self.note(&run, revision).await?;
        Ok(run.resumes_at.map_or(Stepped::Again, Stepped::At))
    }

    /// Checks the links of one site, and counts it; or says after how many seconds it is to be tried again.
    async fn check_for_run(
        &self,
        run: &mut Verification,
        site: SiteId,
        session: &mut Session,
    ) -> Result<Option<u64>, Error> {
        let account = run.account.clone();
        let checked = match self.check_links(&account, site, session, SITE_TIME).await {
            Ok(checked) => Some(checked),
            // Deleted meanwhile, written by others again and again, or not to be read: it is looked at in another run.
            Err(
                Error::NotFound(_)
                | Error::SiteDeleted(_)
                | Error::Contention(_)
                | Error::Store(StoreError::Corrupt { .. }),
            ) => None,
            Err(cause) => return Err(cause),
        };
        let wait = |checked: &CheckedLinks| checked.failures.values().filter_map(|failure| failure.retry_after_s).max();
        if let Some(wait_s) = checked.as_ref().and_then(wait)
            && run.waits < WAITS_MAX
        {
            run.waits += 1;
            return Ok(Some(wait_s));
        }
        if run.waits > 0 {
            // It does not get better: the other sites of the run do not wait for it too.
            checked.iter().for_each(|checked| session.give_up(&checked.failures));
        }
        (run.waits, run.cursor) = (0, Some(site));
        let findings = &mut run.findings;
        findings.seen += 1;
        if let Some(checked) = checked {
            checked.states.into_iter().for_each(|state| findings.count(state));
            findings.failed += checked.failed;
            findings.unknown += checked.unknown;
            for (system, failure) in checked.failures {
                let told = (failure.reason.as_str().to_owned(), failure.message);
                findings.failures.insert(system.to_owned(), told);
            }
        }
        Ok(None)
    }

    /// Writes down how far a run is, unless somebody ended it.
    async fn note(&self, run: &Verification, revision: crate::model::id::Revision) -> Result<(), Error> {
        let document = Document::Verification(Box::new(run.clone()));
        let change = Mutation::replace(key_of(&run.account, &run.id), revision, document);
        match self.parts.store.commit(vec![change]).await {
            Ok(_) | Err(StoreError::Conflict { .. }) => Ok(()),
            Err(cause) => Err(cause.into()),
        }
    }
}
