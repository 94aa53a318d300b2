//! Runs that ask again where sites are: previewed and applied for a new database, and made for an own network that changed.
//!
//! New versions of databases answer for new addresses at once; estimates that sites have already stay until somebody who has
//! seen the preview applies them. One run at a time, in the background, some sites at a time. A run is a record: after a
//! restart it goes on behind the last site that was written down, and looking twice at a site changes nothing.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};

use super::access::random_bytes;
use super::accounts::require_operator;
use super::error::Resource;
use super::sites::key_of as site_key;
use super::visit::place;
use super::whereabouts::whereabouts_in;
use super::{ATTEMPTS_MAX, Error, Versioned, Waymark, siblings};
use crate::geoip::GeoIp;
use crate::geoip::databases::CandidateError;
use crate::live::LiveAccount;
use crate::model::Invalid;
use crate::model::access::Principal;
use crate::model::id::{AccountId, Revision};
use crate::model::location::{Fix, NoEstimate, Source};
use crate::model::reestimation::{Findings, Mode, Move, Reach, Reestimation, State};
use crate::model::site::Site;
use crate::store::document::Document;
use crate::store::{Error as StoreError, Key, Kind, Mutation, Range, Record, SCAN_MAX};

/// Sites between two looks at whether somebody cancelled, and between two notes of how far it is.
const PAGE: usize = 500;
/// Most runs that are kept; the oldest that ended goes.
const RUNS_MAX: usize = 100;
/// Most runs that wait.
const WAITING_MAX: usize = 1_000;
/// A position that moved less than that, in metres, is the same one, written with other digits.
const SAME_M_MAX: f64 = 1.0;
/// How long the worker waits after a failure of the store.
const PAUSE: Duration = Duration::from_secs(5);

/// What a look at one site found.
enum Found {
    Kept,
    Unknown,
    Unchanged,
    Regraded,
    Placed,
    Unplaced,
    Moved(Move),
}

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

    /// Ends a run. What it wrote stays. For the operator.
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
            total,
            findings: Findings::default(),
            started_at: now,
            ended_at: None,
            started_by: principal.actor(),
        };
        let mut batch = vec![Mutation::create(key_of(&run.id), Document::Reestimation(Box::new(run.clone())))];
        let ended = runs.iter().filter(|run| run.value.state != State::Running);
        let surplus = (runs.len() + 1).saturating_sub(RUNS_MAX);
        batch.extend(ended.take(surplus).map(|run| Mutation::delete(key_of(&run.value.id))));
        self.parts.store.commit(batch).await?;
        self.reestimating.notify_one();
        Ok(run)
    }

    /// Works on runs for ever, one after the other, those of before a restart first. Ends when it is dropped.
    pub async fn work_on_reestimations(&self) {
        loop {
            match self.work_on_next().await {
                Ok(true) => {}
                Ok(false) => self.reestimating.notified().await,
                Err(cause) => {
                    warn!(%cause, "a re-estimation waits");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Works on the oldest run to its end; says whether there was one.
    async fn work_on_next(&self) -> Result<bool, Error> {
        let Some(run) = self.runs().await?.into_iter().find(|run| run.value.state == State::Running) else {
            return Ok(false);
        };
        let databases = match &run.value.candidate {
            None => self.parts.geoip.current(),
            Some((path, replaced)) => match self.with_candidate(path, replaced).await {
                Ok(stack) => Arc::new(stack),
                Err(cause) => {
                    let failure = cause.to_string();
                    self.end(Reestimation { state: State::Failed, failure, ..run.value }, run.revision).await?;
                    return Ok(true);
                }
            },
        };
        let Versioned { value: mut run, mut revision } = run;
        info!(id = run.id, mode = ?run.mode, reach = ?run.reach, seen = run.findings.seen, "re-estimating sites");
        for live in self.accounts_in(&run.reach) {
            let account = live.account().id.clone();
            let mut after = match &run.cursor {
                Some((at, _)) if account < *at => continue,
                Some((at, site)) if account == *at => Some(site.to_string()),
                _ => None,
            };
            loop {
                let records = self.sites_behind(&account, after, &mut run.findings).await?;
                let Some(last) = records.last().map(|record| record.key.id.clone()) else { break };
                self.look_at(&databases, &live, &mut run, records).await?;
                run.cursor = Some((account.clone(), last.parse()?));
                after = Some(last);
                let note = Document::Reestimation(Box::new(run.clone()));
                match self.parts.store.commit(vec![Mutation::replace(key_of(&run.id), revision, note)]).await {
                    Ok(next) => revision = next,
                    // Somebody cancelled it.
                    Err(StoreError::Conflict { .. }) => return Ok(true),
                    Err(cause) => return Err(cause.into()),
                }
            }
        }
        self.end(Reestimation { state: State::Done, ..run }, revision).await?;
        Ok(true)
    }

    async fn end(&self, run: Reestimation, revision: Revision) -> Result<(), Error> {
        let run = Reestimation { ended_at: Some(self.now()), ..run };
        info!(id = run.id, state = ?run.state, seen = run.findings.seen, "re-estimation ended");
        let note = Document::Reestimation(Box::new(run.clone()));
        match self.parts.store.commit(vec![Mutation::replace(key_of(&run.id), revision, note)]).await {
            Ok(_) | Err(StoreError::Conflict { .. }) => Ok(()),
            Err(cause) => Err(cause.into()),
        }
    }

    /// Looks at some sites, and writes what changed where the run is there for that.
    async fn look_at(
        &self,
        databases: &GeoIp,
        live: &LiveAccount,
        run: &mut Reestimation,
        records: Vec<Record>,
    ) -> Result<(), Error> {
        let mut writes = Vec::new();
        for record in records {
            let Document::Site(site) = record.document else { return Err(Error::Mismatched { key: record.key }) };
            if site.deleted_at.is_some() || !is_within(&run.reach, &site) {
                continue;
            }
            let found = self.compare(databases, live, &site);
            if run.mode == Mode::Apply && found.1.is_some() {
                writes.push(self.rewrite(databases, live, Versioned { value: *site, revision: record.revision }));
            }
            count(&mut run.findings, found.0);
        }
        // All of a page at once: they share a sync of the disk.
        for written in futures_util::future::join_all(writes).await {
            if !written? {
                run.findings.contended += 1;
            }
        }
        Ok(())
    }

    /// What a new look at a site's address finds, and the estimate to write where it differs.
    fn compare(&self, databases: &GeoIp, live: &LiveAccount, site: &Site) -> (Found, Option<Result<Fix, NoEstimate>>) {
        let is_confirmed = site.fixes.effective().is_some_and(|fix| fix.source.is_person());
        if is_confirmed || site.estimate_removed_for.is_some() {
            return (Found::Kept, None);
        }
        let home = site.uplinks.home.map(|home| home.ip);
        let Some(ip) = home.or(site.public_ip).or(site.uplinks.last) else { return (Found::Unknown, None) };
        let estimate = whereabouts_in(databases, live, ip, self.now()).fix;
        let old = site.fixes.get(Source::GeoIp);
        let found = match (old, &estimate) {
            (None, Err(reason)) if site.no_estimate == Some(*reason) => return (Found::Unchanged, None),
            (None, Err(_)) => Found::Unchanged,
            (None, Ok(_)) => Found::Placed,
            (Some(_), Err(_)) => Found::Unplaced,
            (Some(old), Ok(new)) => {
                let distance_m = old.position.distance_m(new.position);
                let is_same_grade = old.granularity == new.granularity && old.accuracy_m == new.accuracy_m;
                if distance_m > SAME_M_MAX {
                    let (account, site) = (site.account.clone(), site.id);
                    Found::Moved(Move { account, site, from: old.position, to: new.position, distance_m })
                } else if is_same_grade && old.made_by == new.made_by {
                    return (Found::Unchanged, None);
                } else {
                    Found::Regraded
                }
            }
        };
        (found, Some(estimate))
    }

    /// Writes a site's new estimate; looks anew where others were faster. Says whether that ended well.
    async fn rewrite(&self, databases: &GeoIp, live: &LiveAccount, first: Versioned<Site>) -> Result<bool, Error> {
        let (account, id) = (first.value.account.clone(), first.value.id);
        let mut before = first;
        for _ in 0..ATTEMPTS_MAX {
            let (_, Some(estimate)) = self.compare(databases, live, &before.value) else { return Ok(true) };
            let mut site = before.value.clone();
            let home = site.uplinks.home.map(|home| home.ip);
            if let Some(ip) = home.or(site.public_ip).or(site.uplinks.last) {
                let found = whereabouts_in(databases, live, ip, self.now());
                site.uplinks.settle(found.seen());
                if found.is_public() && site.public_ip == Some(found.ip) {
                    site.network = found.facts;
                }
            }
            place(&mut site, estimate);
            site.updated_at = self.now();
            let mut batch = siblings::mutations(&before.value, &site);
            batch.push(Mutation::replace(site_key(&site), before.revision, Document::Site(Box::new(site))));
            match self.parts.store.commit(batch).await {
                Ok(_) => return Ok(true),
                Err(StoreError::Conflict { .. }) => {}
                Err(cause) => return Err(cause.into()),
            }
            match self.find_site(&account, id).await? {
                Some(now) if now.value.deleted_at.is_none() => before = now,
                _ => return Ok(true),
            }
        }
        Ok(false)
    }
}

impl Waymark {
    async fn runs(&self) -> Result<Vec<Versioned<Reestimation>>, Error> {
        let range =
            Range { partition: None, kind: Kind::Reestimation, after: None, descending: false, limit: SCAN_MAX };
        let records = self.parts.store.scan(range).await?;
        records.into_iter().map(run_in).collect()
    }

    async fn find_run(&self, id: &str) -> Result<Versioned<Reestimation>, Error> {
        let missing = || Error::NotFound(Resource::Reestimation(id.to_owned()));
        run_in(self.parts.store.get(key_of(id)).await?.ok_or_else(missing)?)
    }

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
            Reach::All => {
                self.parts.live.accounts().iter().filter_map(|account| self.parts.live.account(&account.id)).collect()
            }
            Reach::Network(account, _) => self.parts.live.account(account).into_iter().collect(),
        }
    }

    /// The next sites of an account. One that cannot be read is passed over and counted: it must not keep all others from
    /// being looked at.
    async fn sites_behind(
        &self,
        account: &AccountId,
        mut after: Option<String>,
        findings: &mut Findings,
    ) -> Result<Vec<Record>, Error> {
        let mut limit = PAGE;
        loop {
            let (partition, behind) = (Some(account.clone()), after.clone());
            let range = Range { partition, kind: Kind::Site, after: behind, descending: false, limit };
            match self.parts.store.scan(range).await {
                Err(StoreError::Corrupt { id, .. }) if limit == 1 => {
                    findings.unreadable += 1;
                    after = Some(id);
                }
                // It is among the next ones: what stands before it is read first.
                Err(StoreError::Corrupt { .. }) => limit /= 2,
                found => return Ok(found?),
            }
        }
    }
}

fn run_in(record: Record) -> Result<Versioned<Reestimation>, Error> {
    match record.document {
        Document::Reestimation(run) => Ok(Versioned { value: *run, revision: record.revision }),
        _ => Err(Error::Mismatched { key: record.key }),
    }
}

/// Whether a run looks at a site of one of its accounts.
fn is_within(reach: &Reach, site: &Site) -> bool {
    match reach {
        Reach::All => true,
        Reach::Network(_, network) => {
            let home = site.uplinks.home.map(|home| home.ip);
            [home, site.uplinks.last, site.public_ip].into_iter().flatten().any(|ip| network.contains(&ip))
        }
    }
}

fn count(findings: &mut Findings, found: Found) {
    findings.seen += 1;
    match found {
        Found::Kept => findings.kept += 1,
        Found::Unknown => findings.unknown += 1,
        Found::Unchanged => findings.unchanged += 1,
        Found::Regraded => findings.regraded += 1,
        Found::Placed => findings.placed += 1,
        Found::Unplaced => findings.unplaced += 1,
        Found::Moved(found) => findings.add_move(found),
    }
}

fn key_of(id: &str) -> Key {
    Key::operator(Kind::Reestimation, id)
}
