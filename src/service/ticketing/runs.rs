//! The records of runs that check all links of an account: begun, told, and ended.

use jiff::Timestamp;

use crate::live::LiveAccount;
use crate::model::access::Principal;
use crate::model::connection::{LinkFindings, VERIFICATIONS_MAX, Verification, VerificationState};
use crate::model::id::AccountId;
use crate::service::access::Permission;
use crate::service::error::Resource;
use crate::service::{ATTEMPTS_MAX, Error, Versioned, Waymark};
use crate::store::document::Document;
use crate::store::{Error as StoreError, Key, Kind, Mutation, Range};

/// Runs that are read of an account: those that are kept, and some that began at the same time.
const READ_MAX: usize = 2 * VERIFICATIONS_MAX;

pub(super) fn key_of(account: &AccountId, id: &str) -> Key {
    Key::of(account, Kind::Verification, id)
}

impl Waymark {
    /// Begins to check the links of all sites of an account, in the background; where that goes on, answers with it.
    pub async fn verify_links(&self, principal: &Principal, account: &AccountId) -> Result<Verification, Error> {
        let live = self.account_for(principal, account, Permission::Change)?;
        self.setup()?;
        let begun = self.begin_verification(&live, &principal.actor(), |_| true).await?;
        begun.ok_or_else(|| Error::Contention(Resource::Account(account.clone()).to_string()))
    }

    /// Begins a run if the account's runs, which come with the newest first, are as `wanted`; `None` where they are not. Where
    /// one goes on, answers with it.
    pub(super) async fn begin_verification(
        &self,
        live: &LiveAccount,
        starter: &str,
        wanted: impl Fn(&[Versioned<Verification>]) -> bool,
    ) -> Result<Option<Verification>, Error> {
        let account = &live.account().id;
        for _ in 0..ATTEMPTS_MAX {
            let (now, runs) = (self.now(), self.verifications_of(account).await?);
            if !wanted(&runs) {
                return Ok(None);
            }
            if let Some(open) = runs.iter().find(|run| run.value.state == VerificationState::Running) {
                // The start may not have found it.
                self.ticketing.verifying.lock().entry(account.clone()).or_insert(now);
                self.ticketing.wake.notify_one();
                return Ok(Some(open.value.clone()));
            }
            let total = live.links.len() as u64;
            let run = Verification { id: next_id(&runs), total, ..begun(account, now, starter.to_owned()) };
            let made = Document::Verification(Box::new(run.clone()));
            let mut batch = vec![Mutation::create(key_of(account, &run.id), made)];
            let surplus = (runs.len() + 1).saturating_sub(VERIFICATIONS_MAX);
            batch.extend(runs.iter().rev().take(surplus).map(|run| Mutation::delete(key_of(account, &run.value.id))));
            match self.parts.store.commit(batch).await {
                Ok(_) => {
                    self.ticketing.verifying.lock().insert(account.clone(), now);
                    self.ticketing.wake.notify_one();
                    return Ok(Some(run));
                }
                // Somebody began the next one at the same time: the runs are other ones now.
                Err(StoreError::Conflict { .. }) => {}
                Err(cause) => return Err(cause.into()),
            }
        }
        Err(Error::Contention(Resource::Account(account.clone()).to_string()))
    }

    /// One run.
    pub async fn verification(
        &self,
        principal: &Principal,
        account: &AccountId,
        id: &str,
    ) -> Result<Verification, Error> {
        self.account_for(principal, account, Permission::See)?;
        Ok(self.find_verification(account, id).await?.value)
    }

    /// The runs that are kept, the newest first.
    pub async fn list_verifications(
        &self,
        principal: &Principal,
        account: &AccountId,
    ) -> Result<Vec<Verification>, Error> {
        self.account_for(principal, account, Permission::See)?;
        let runs = self.verifications_of(account).await?;
        Ok(runs.into_iter().map(|run| run.value).take(VERIFICATIONS_MAX).collect())
    }

    /// Ends a run. What it found stays.
    pub async fn cancel_verification(
        &self,
        principal: &Principal,
        account: &AccountId,
        id: &str,
    ) -> Result<Verification, Error> {
        self.account_for(principal, account, Permission::Change)?;
        for _ in 0..ATTEMPTS_MAX {
            let Versioned { value: mut run, revision } = self.find_verification(account, id).await?;
            if run.state != VerificationState::Running {
                return Ok(run);
            }
            (run.state, run.ended_at, run.resumes_at) = (VerificationState::Cancelled, Some(self.now()), None);
            let document = Document::Verification(Box::new(run.clone()));
            match self.parts.store.commit(vec![Mutation::replace(key_of(account, id), revision, document)]).await {
                Ok(_) => return Ok(run),
                Err(StoreError::Conflict { .. }) => {}
                Err(cause) => return Err(cause.into()),
            }
        }
        Err(Error::Contention(Resource::Verification(account.clone(), id.to_owned()).to_string()))
    }

    /// The runs of an account, the newest first.
    pub(super) async fn verifications_of(&self, account: &AccountId) -> Result<Vec<Versioned<Verification>>, Error> {
        let (partition, kind) = (Some(account.clone()), Kind::Verification);
        let range = Range { partition, kind, prefix: String::new(), after: None, descending: true, limit: READ_MAX };
        let runs = self.parts.store.scan(range).await?.into_iter().map(|record| match record.document {
            Document::Verification(run) => Ok(Versioned { value: *run, revision: record.revision }),
            _ => Err(Error::Mismatched { key: record.key }),
        });
        runs.collect()
    }

    async fn find_verification(&self, account: &AccountId, id: &str) -> Result<Versioned<Verification>, Error> {
        let missing = || Error::NotFound(Resource::Verification(account.clone(), id.to_owned()));
        let record = self.parts.store.get(key_of(account, id)).await?.ok_or_else(missing)?;
        match record.document {
            Document::Verification(run) => Ok(Versioned { value: *run, revision: record.revision }),
            _ => Err(Error::Mismatched { key: record.key }),
        }
    }
}

/// The id of the run after these, which come with the newest first: the number that follows. Whoever begins one at the same
/// time takes the same id, so there is one of them.
fn next_id(runs: &[Versioned<Verification>]) -> String {
    let digits = |run: &Versioned<Verification>| run.value.id.split('-').next().map(str::to_owned);
    let newest = runs.first().and_then(digits).and_then(|digits| u64::from_str_radix(&digits, 16).ok());
    format!("{:012x}", newest.unwrap_or(0) + 1)
}

/// A run that begins.
fn begun(account: &AccountId, now: Timestamp, started_by: String) -> Verification {
    Verification {
        id: String::new(),
        account: account.clone(),
        state: VerificationState::Running,
        cursor: None,
        total: 0,
        findings: LinkFindings::default(),
        resumes_at: None,
        waits: 0,
        started_at: now,
        ended_at: None,
        started_by,
    }
}
