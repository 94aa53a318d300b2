//! Runs that ask again where sites are: previewed and applied for a new database, and made for an own network that changed.
//!
//! New versions of databases answer for new addresses at once; estimates that sites have already stay until somebody who has
//! seen the preview applies them. One run at a time, in the background, some sites at a time. A run is a record: after a
//! restart it goes on behind the last site that was written down. A page is counted in the record before its sites are
//! written: whatever ends in between, each site is counted once, and writing one twice changes nothing.

mod look;
mod records;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};

use self::records::key_of;
use super::access::random_bytes;
use super::accounts::require_operator;
use super::error::Resource;
use super::{ATTEMPTS_MAX, Error, Versioned, Waymark};
use crate::error::{Fault as _, Kind as FaultKind};
use crate::geoip::GeoIp;
use crate::geoip::databases::CandidateError;
use crate::live::LiveAccount;
use crate::model::Invalid;
use crate::model::access::Principal;
use crate::model::id::{AccountId, Revision};
use crate::model::reestimation::{Findings, Mode, Reach, Reestimation, State, Unwritten};
use crate::store::document::Document;
use crate::store::{Error as StoreError, Kind, Mutation, Range, Record, scan_past};

/// Sites between two looks at whether somebody cancelled, and between two notes of how far it is.
const PAGE: usize = 500;
/// Most runs that are kept; the oldest that ended goes.
pub(super) const RUNS_MAX: usize = 100;
/// Most runs that wait.
pub(super) const WAITING_MAX: usize = 1_000;
/// How long the worker waits after a failure of the store.
const PAUSE: Duration = Duration::from_secs(5);

impl Waymark {
    /// Begins to count what the databases in use would change; or, with a candidate, what they would if the file at its
    /// first path stood in the place of the one at its second. For the operator.
    pub async fn preview_database(
        &self,
        principal: &Principal,
        candidate: Option<(String, String)>,
    ) -> Result<Reestimation, Error> {
        require_operator(principal)?;
        if let Some((path, replaced)) = &candidate {
            self.with_candidate(path, replaced).await?;
        }
        self.begin(principal, Mode::Preview, Reach::All, candidate).await
    }

    /// Begins to bring the estimates of all sites up to the databases in use. For the operator.
    pub async fn apply_database(&self, principal: &Principal) -> Result<Reestimation, Error> {
        require_operator(principal)?;
        self.begin(principal, Mode::Apply, Reach::All, None).await
    }

    /// One run. For the operator.
    pub async fn reestimation(&self, principal: &Principal, id: &str) -> Result<Reestimation, Error> {
        require_operator(principal)?;
        Ok(self.find_run(id).await?.value)
    }

    /// All runs that are kept, the newest first. For the operator.
    pub async fn list_reestimations(&self, principal: &Principal) -> Result<Vec<Reestimation>, Error> {
        require_operator(principal)?;
        let mut runs: Vec<_> = self.runs().await?.into_iter().map(|run| run.value).collect();
        runs.sort_by_key(|run| std::cmp::Reverse((run.started_at, run.id.clone())));
        Ok(runs)
    }

    /// Ends a run. What it wrote stays, and what it has counted already is written. For the operator.
    pub async fn cancel_reestimation(&self, principal: &Principal, id: &str) -> Result<Reestimation, Error> {
        require_operator(principal)?;
        for _ in 0..ATTEMPTS_MAX {
            let Versioned { value: mut run, revision } = self.find_run(id).await?;
            if run.state != State::Running {
                return Ok(run);
            }
            run.state = State::Cancelled;
            run.ended_at = Some(self.now());
            let change = Mutation::replace(key_of(id), revision, Document::Reestimation(Box::new(run.clone())));
            match self.parts.store.commit(vec![change]).await {
                Ok(_) => return Ok(run),
                Err(StoreError::Conflict { .. }) => {}
                Err(cause) => return Err(cause.into()),
            }
        }
        Err(Error::Contention(Resource::Reestimation(id.to_owned()).to_string()))
    }

    /// Begins a run for a network of an account that changed.
    pub(super) async fn begin_reestimation(&self, principal: &Principal, reach: Reach) -> Result<(), Error> {
        self.begin(principal, Mode::Apply, reach, None).await.map(|_| ())
    }

    async fn begin(
        &self,
        principal: &Principal,
        mode: Mode,
        reach: Reach,
        candidate: Option<(String, String)>,
    ) -> Result<Reestimation, Error> {
        let runs = self.runs().await?;
        if let Some(joined) = self.join_waiting(&runs, &reach).await? {
            return Ok(joined);
        }
        if runs.iter().filter(|run| run.value.state == State::Running).count() >= WAITING_MAX {
            return Err(Error::TooMany("re-estimations that wait", WAITING_MAX));
        }
        let accounts = self.accounts_in(&reach);
        let sites_of = |live: &Arc<LiveAccount>| {
            let map = live.map.read();
            u64::from(map.all().account().total()) + u64::from(map.all().unplaced())
        };
        let total = accounts.iter().map(sites_of).sum();
        // Ids in the order in which runs began.
        let now = self.now();
        let random = u64::from_be_bytes(*random_bytes()?.first_chunk().expect("32 bytes hold 8"));
        let run = Reestimation {
            id: format!("{:012x}-{random:016x}", now.as_millisecond()),
            mode,
            reach,
            candidate,
            state: State::Running,
            failure: String::new(),
            cursor: None,
            unwritten: None,
            total,
            findings: Findings::default(),
            started_at: now,
            ended_at: None,
            started_by: principal.actor(),
        };
        let mut batch = vec![Mutation::create(key_of(&run.id), Document::Reestimation(Box::new(run.clone())))];
        let is_alike = |known: &&Versioned<Reestimation>| {
            known.value.state != State::Running && (known.value.reach == Reach::All) == (run.reach == Reach::All)
        };
        let surplus = (runs.iter().filter(is_alike).count() + 1).saturating_sub(RUNS_MAX);
        let ended = runs.iter().filter(is_alike);
        batch.extend(ended.take(surplus).map(|run| Mutation::delete(key_of(&run.value.id))));
        self.parts.store.commit(batch).await?;
        Ok(run)
    }

    /// Gives networks that changed to a run of their account that waits, so that an account has one run that waits at most.
    async fn join_waiting(
        &self,
        runs: &[Versioned<Reestimation>],
        reach: &Reach,
    ) -> Result<Option<Reestimation>, Error> {
        for Versioned { value: waiting, revision } in runs {
            let mut joined = waiting.clone();
            let waits = waiting.state == State::Running && waiting.findings.seen == 0 && waiting.cursor.is_none();
            if !waits || !joined.reach.join(reach) {
                continue;
            }
            let change = Document::Reestimation(Box::new(joined.clone()));
            match self.parts.store.commit(vec![Mutation::replace(key_of(&joined.id), *revision, change)]).await {
                Ok(_) => return Ok(Some(joined)),
                // It began meanwhile, and may be past some of the sites.
                Err(StoreError::Conflict { .. }) => {}
                Err(cause) => return Err(cause.into()),
            }
        }
        Ok(None)
    }

    /// Works on runs for ever, one after the other, those of before a restart first. Ends when it is dropped.
    pub async fn work_on_reestimations(&self) {
        loop {
            match self.work_on_next().await {
                Ok(true) => {}
                Ok(false) => self.parts.live.runs.reestimation_changed().await,
                Err(cause) => {
                    warn!(%cause, "a re-estimation waits");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Works on the oldest run to its end; says whether there was one.
    pub(super) async fn work_on_next(&self) -> Result<bool, Error> {
        let mut open: Vec<_> = self.runs().await?;
        open.retain(|run| run.value.state == State::Running || run.value.unwritten.is_some());
        // What ended first: it is a page. Then the operator's: those of networks are many, and of one account each.
        open.sort_by_key(|Versioned { value: run, .. }| {
            (run.state == State::Running, run.reach != Reach::All, run.id.clone())
        });
        let Some(run) = open.into_iter().next() else { return Ok(false) };
        if run.value.state != State::Running {
            return self.complete(run).await.map(|()| true);
        }
        let id = run.value.id.clone();
        match self.work_on(run).await {
            Err(cause) if !is_transient(&cause) => {
                warn!(%cause, id, "a re-estimation failed");
                let Versioned { value, revision } = self.find_run(&id).await?;
                self.end(Reestimation { state: State::Failed, failure: cause.to_string(), ..value }, revision).await?;
                Ok(true)
            }
            outcome => outcome.map(|()| true),
        }
    }

    /// Works on a run to its end.
    async fn work_on(&self, run: Versioned<Reestimation>) -> Result<(), Error> {
        let Versioned { value: mut run, mut revision } = run;
        let candidate = match &run.candidate {
            None => None,
            Some((path, replaced)) => Some(Arc::new(self.with_candidate(path, replaced).await?)),
        };
        info!(id = run.id, mode = ?run.mode, reach = ?run.reach, seen = run.findings.seen, "re-estimating sites");
        self.write_counted(&mut run).await?;
        for live in self.accounts_in(&run.reach) {
            let account = live.account().id.clone();
            let mut after = match &run.cursor {
                Some((at, _)) if account < *at => continue,
                Some((at, site)) if account == *at => Some(site.to_string()),
                _ => None,
            };
            loop {
                let records = self.sites_behind(&account, after.clone(), &mut run.findings).await?;
                let Some(last) = records.last().map(|record| record.key.id.clone()) else { break };
                // Of each page anew: a file that is replaced meanwhile is the one that counts.
                let databases = candidate.clone().unwrap_or_else(|| self.parts.geoip.current());
                let changed = self.look_at(&databases, &live, &run.reach, records, &mut run.findings)?;
                run.cursor = Some((account.clone(), last.parse()?));
                let behind = after.as_deref().map(str::parse).transpose()?;
                run.unwritten = (run.mode == Mode::Apply && !changed.is_empty()).then_some(Unwritten { behind });
                after = Some(last);
                let note = Document::Reestimation(Box::new(run.clone()));
                match self.parts.store.commit(vec![Mutation::replace(key_of(&run.id), revision, note)]).await {
                    Ok(next) => revision = next,
                    // Somebody cancelled it, or gave it more networks: it is read again.
                    Err(StoreError::Conflict { .. }) => return Ok(()),
                    Err(cause) => return Err(cause.into()),
                }
                if run.mode == Mode::Apply {
                    run.findings.contended += self.rewrite_all(&databases, &live, changed, &run.id).await?;
                }
            }
        }
        self.end(Reestimation { state: State::Done, unwritten: None, ..run }, revision).await
    }

    /// Writes the page that the record counts and that may not have been written before the run broke off.
    async fn write_counted(&self, run: &mut Reestimation) -> Result<(), Error> {
        let (Some(page), Some((account, last))) = (run.unwritten.take(), run.cursor.clone()) else { return Ok(()) };
        let Some(live) = self.parts.live.account(&account) else { return Ok(()) };
        let (last, mut after) = (last.to_string(), page.behind.map(|site| site.to_string()));
        loop {
            let mut records = self.sites_behind(&account, after, &mut Findings::default()).await?;
            let is_end = records.last().is_none_or(|record| record.key.id >= last);
            after = records.last().map(|record| record.key.id.clone());
            records.retain(|record| record.key.id <= last);
            let databases = self.parts.geoip.current();
            let changed = self.look_at(&databases, &live, &run.reach, records, &mut Findings::default())?;
            run.findings.contended += self.rewrite_all(&databases, &live, changed, &run.id).await?;
            if is_end {
                return Ok(());
            }
        }
    }

    /// Writes the page that a run counted before somebody ended it, or before it failed.
    async fn complete(&self, run: Versioned<Reestimation>) -> Result<(), Error> {
        let Versioned { value: mut run, revision } = run;
        match self.write_counted(&mut run).await {
            Err(cause) if is_transient(&cause) => return Err(cause),
            Err(cause) => {
                warn!(%cause, id = run.id, "a page of sites that is counted is not all written");
                let told = format!("of the {PAGE} sites counted last not all are written: {cause}");
                run.failure = if run.failure.is_empty() { told } else { format!("{}; {told}", run.failure) };
            }
            Ok(()) => {}
        }
        run.unwritten = None;
        self.put_run(run, revision).await
    }

    async fn end(&self, run: Reestimation, revision: Revision) -> Result<(), Error> {
        let run = Reestimation { ended_at: Some(self.now()), ..run };
        info!(id = run.id, state = ?run.state, seen = run.findings.seen, "re-estimation ended");
        self.put_run(run, revision).await
    }
}

impl Waymark {
    async fn with_candidate(&self, path: &str, replaced: &str) -> Result<GeoIp, Error> {
        let stack = self.parts.geoip.with_candidate(Path::new(path), Path::new(replaced)).await;
        Ok(stack.map_err(|fault| match fault {
            CandidateError::NotConfigured { .. } => Invalid::new("replaced_path", fault.to_string()),
            CandidateError::File(_) | CandidateError::Reader(_) => Invalid::new("candidate_path", fault.to_string()),
        })?)
    }

    /// The accounts that a run looks at, in the order of their ids.
    fn accounts_in(&self, reach: &Reach) -> Vec<Arc<LiveAccount>> {
        match reach {
            Reach::All => self.parts.live.lives(),
            Reach::Networks(account, _) => self.parts.live.account(account).into_iter().collect(),
        }
    }

    /// The next sites of an account. One that cannot be read is passed over and counted: it must not keep all others from
    /// being looked at.
    async fn sites_behind(
        &self,
        account: &AccountId,
        after: Option<String>,
        findings: &mut Findings,
    ) -> Result<Vec<Record>, Error> {
        let range = Range { after, limit: PAGE, ..Range::all(Some(account.clone()), Kind::Site) };
        let (records, _) = scan_past(&*self.parts.store, range, |_| findings.unreadable += 1).await?;
        Ok(records)
    }
}

/// Whether a failure passes by itself.
fn is_transient(cause: &Error) -> bool {
    matches!(cause.reason().kind(), FaultKind::Unavailable | FaultKind::ResourceExhausted | FaultKind::Aborted)
}
