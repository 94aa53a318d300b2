//! A watch of sites that goes on after cuts, from where it stood, for as long as its program wants it.

use std::collections::VecDeque;

use tokio::time::{sleep, timeout};
use tonic::{Status, Streaming};
use tracing::warn;

use super::connection::Connection;
use super::error::Error;
use super::ledger::Ledger;
use super::policy::policy;
use crate::api::proto::waymark::v1 as pb;
use crate::api::proto::waymark::v1::site_service_client::SiteServiceClient;

/// What became of a site, or of the watch.
#[derive(Debug, Clone, PartialEq)]
pub enum SiteChange {
    /// A site that matches, new or changed: as it is now.
    Changed(Box<pb::Site>),
    /// The name of a site that is deleted, or does not match any more.
    Removed(String),
    /// All that is there has been told: what follows is live. Comes again behind each cut, once what was missed is told.
    Current,
    /// Drop all that you hold: what changed since the revision that the watch began from is not known any more, and all sites
    /// follow. Comes only to who gave such a revision; the watch makes up for it by itself otherwise.
    Resync,
}

/// A change, and how far the watch is with it.
#[derive(Debug, Clone, PartialEq)]
pub struct SiteEvent {
    /// What changed.
    pub change: SiteChange,
    /// Once this change is dealt with, a later watch of the same account and filter may begin from here and misses nothing; 0 while
    /// the first sites are on their way.
    pub revision: u64,
}

/// The sites of an account, and what becomes of them.
///
/// Each change is told once, whatever happens to connections and servers in between. Several changes of one site in a row may be
/// told as its last one. What was missed while there was no connection comes site by site, not in the order in which it
/// happened. Remembers name and version of each site that it told of, some hundred bytes a site.
///
/// Noted in memory alone, and so no change by themselves: `last_seen_time`, and addresses that take turns. A site that comes
/// because a crowd on its spot began or ended (`CROWDED`) comes once, too, unless a restart of the server falls in between.
#[derive(Debug)]
pub struct SiteWatch {
    sites: SiteServiceClient<Connection>,
    account: String,
    filter: String,
    ledger: Ledger,
    stream: Option<Streaming<pb::WatchSitesResponse>>,
    ready: VecDeque<SiteEvent>,
    revision: u64,
    failures: u32,
}

impl SiteWatch {
    /// Watches the sites of `accounts/ACCOUNT` that match a filter, in the language of `ListSites`, empty for all.
    /// `resume_revision` is the [`SiteEvent::revision`] of an earlier watch with the same filter; 0 begins with all sites.
    #[must_use]
    pub fn new(connection: &Connection, account: &str, filter: &str, resume_revision: u64) -> Self {
        Self {
            sites: SiteServiceClient::new(connection.clone()),
            account: account.to_owned(),
            filter: filter.to_owned(),
            ledger: Ledger::new(resume_revision),
            stream: None,
            ready: VecDeque::new(),
            revision: resume_revision,
            failures: 0,
        }
    }

    /// The next change. Fails only where watching again would not help, as with a bad token or filter; while no server answers
    /// it tries on. Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Result<SiteEvent, Error> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                self.revision = event.revision;
                return Ok(event);
            }
            match self.message().await {
                Ok(message) => {
                    self.failures = 0;
                    self.ready.extend(self.ledger.take(message));
                    if self.ready.is_empty() {
                        self.revision = self.ledger.position();
                    }
                }
                Err(status) => self.wait_after(Error::from(status)).await?,
            }
        }
    }

    /// From here a later watch may begin, once the changes that [`Self::next`] gave are dealt with. Ascends on a quiet account,
    /// too.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The next message of the stream, which is begun where there is none.
    async fn message(&mut self) -> Result<pb::WatchSitesResponse, Status> {
        let silence = policy().silence();
        let unheard = |_| Status::unavailable(format!("nothing was heard of the watch for {silence:?}"));
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => {
                let (parent, filter) = (self.account.clone(), self.filter.clone());
                let request = pb::WatchSitesRequest { parent, filter, resume_revision: self.ledger.begin() };
                let begun = timeout(silence, self.sites.watch_sites(request)).await.map_err(unheard)??;
                none.insert(begun.into_inner())
            }
        };
        let message = timeout(silence, stream.message()).await.map_err(unheard)??;
        message.ok_or_else(|| Status::unavailable("the watch ended"))
    }

    /// Waits before the next stream, where there is to be one.
    async fn wait_after(&mut self, error: Error) -> Result<(), Error> {
        self.stream = None;
        if !policy().resumes(&error) {
            return Err(error);
        }
        self.failures = self.failures.saturating_add(1);
        let wait = policy().watch.waits.wait(self.failures, error.retry_after());
        warn!(account = self.account, failures = self.failures, ?wait, %error, "a watch of sites was cut");
        sleep(wait).await;
        Ok(())
    }
}
