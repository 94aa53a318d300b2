//! A site that is written through one replica, and those who follow it at another: what all measurements of a fleet stand on.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use waymark::api::proto::waymark::v1 as pb;
use waymark::api::proto::waymark::v1::site_service_client::SiteServiceClient;

use crate::activating::{channel, with_secret};
use crate::data::account_id;
use crate::fill::Filled;
use crate::measure::{self, Figure};
use crate::server::Server;

/// Those who follow at once, and connections that they share: one carries 128 streams at most.
pub(crate) const FOLLOWERS: usize = 1_000;
pub(crate) const CONNECTIONS: usize = 20;
/// The longest that anything may take that has to come.
pub(crate) const WAIT_MAX: Duration = Duration::from_mins(5);
/// The contract of the site that is written and followed.
const CONTRACT: &str = "fleet-bench";

/// A revision that a follower was told, and when.
pub(crate) type Told = (u64, Instant);
/// Who tells it as it comes, and all that one was told, in its order.
pub(crate) type Teller = mpsc::UnboundedSender<Told>;
pub(crate) type Tells = mpsc::UnboundedReceiver<Told>;

/// Who writes one site through one replica, again and again.
pub(crate) struct Writer<I> {
    client: SiteServiceClient<InterceptedService<Channel, I>>,
    pub(crate) site: String,
    count: usize,
    is_online: bool,
}

impl<I: Interceptor> Writer<I> {
    /// Writes another note; when it was begun, when answered, and its revision.
    pub(crate) async fn write(&mut self) -> Result<(Instant, Instant, u64)> {
        self.count += 1;
        let note = format!("note {}", self.count);
        self.update(pb::Site { note, ..pb::Site::default() }, "note").await
    }

    /// The same of its status, online and offline in turn: what a map shows.
    pub(crate) async fn turn(&mut self) -> Result<(Instant, Instant, u64)> {
        self.is_online = !self.is_online;
        let status = if self.is_online { pb::SiteStatus::Online } else { pb::SiteStatus::Offline };
        self.update(pb::Site { status: status.into(), ..pb::Site::default() }, "status").await
    }

    async fn update(&mut self, site: pb::Site, field: &str) -> Result<(Instant, Instant, u64)> {
        let site = pb::Site { name: self.site.clone(), ..site };
        let update_mask = Some(prost_types::FieldMask { paths: vec![field.into()] });
        let asked = pb::UpdateSiteRequest { site: Some(site), update_mask, ..pb::UpdateSiteRequest::default() };
        let begun = Instant::now();
        let answer = timeout(WAIT_MAX, self.client.update_site(asked)).await.context("a write is not answered")?;
        Ok((begun, Instant::now(), answer?.into_inner().revision))
    }
}

impl Writer<()> {
    /// Makes the site that is written.
    pub(crate) async fn begin(server: &Server, filled: &Filled) -> Result<Writer<impl Interceptor + use<>>> {
        let mut client = SiteServiceClient::with_interceptor(channel(server).await?, with_secret(&filled.editor)?);
        let site = pb::Site { display_name: CONTRACT.into(), contract_id: CONTRACT.into(), ..pb::Site::default() };
        let asked = pb::CreateSiteRequest { parent: parent(), site: Some(site), ..pb::CreateSiteRequest::default() };
        let site = client.create_site(asked).await?.into_inner().name;
        Ok(Writer { client, site, count: 0, is_online: false })
    }
}

/// The account of all sites of a fleet.
pub(crate) fn parent() -> String {
    format!("accounts/{}", account_id(0))
}

/// The connections that followers share.
pub(crate) async fn channels(server: &Server) -> Result<Vec<Channel>> {
    let mut channels = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        channels.push(channel(server).await?);
    }
    Ok(channels)
}

/// Follows the site that is written from a revision on, until nobody listens.
pub(crate) async fn watch(channel: Channel, secret: String, from: u64, told: Teller) -> Result<()> {
    let mut client = SiteServiceClient::with_interceptor(channel, with_secret(&secret)?);
    let filter = format!("contract_id = \"{CONTRACT}\"");
    // A beginning would look through all sites.
    let asked = pb::WatchSitesRequest { parent: parent(), filter, resume_revision: from };
    let mut messages = client.watch_sites(asked).await?.into_inner();
    while let Some(message) = messages.message().await? {
        if told.send((message.revision, Instant::now())).is_err() {
            break;
        }
    }
    Ok(())
}

/// Waits until one was told a revision, or a later one; which, and when.
pub(crate) async fn until(told: &mut Tells, revision: u64) -> Result<Told> {
    let wait = async {
        while let Some((at, when)) = told.recv().await {
            if at >= revision {
                return Ok((at, when));
            }
        }
        anyhow::bail!("a watch ended")
    };
    timeout(WAIT_MAX, wait).await.context("a watch is silent")?
}

/// Waits until all were told a revision, or a later one; how long after the begin each was, in nanoseconds.
pub(crate) async fn all_told(listeners: &mut [Tells], begun: Instant, revision: u64) -> Result<Vec<u32>> {
    let mut times = Vec::with_capacity(listeners.len());
    for told in listeners {
        let (_, when) = until(told, revision).await?;
        times.push(nanoseconds(when - begun));
    }
    Ok(times)
}

pub(crate) fn nanoseconds(time: Duration) -> u32 {
    u32::try_from(time.as_nanos()).unwrap_or(u32::MAX)
}

/// A figure in milliseconds of rounds of times.
pub(crate) fn milliseconds(what: &str, rounds: &[Vec<u32>]) -> Figure {
    let middle = |round: &Vec<u32>| {
        let mut sorted = round.clone();
        sorted.sort_unstable();
        measure::percentile(&sorted, 50).unwrap_or(f64::NAN) / 1_000.0
    };
    let runs = rounds.iter().map(middle).collect();
    Figure::of(what, "ms", runs).with_times(&mut rounds.concat())
}
