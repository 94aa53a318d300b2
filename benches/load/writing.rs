//! Writers at a pace: so many changes a second beside whatever is measured, from a thread of their own.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use prost::Message;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use waymark::api::proto::waymark::v1 as pb;
use waymark::api::proto::waymark::v1::site_service_client::SiteServiceClient;

use crate::measure::median;
use crate::wire::{Call, Connection, Target};

/// Sites of a page, as many as there may be.
const PAGE: i32 = 1_000;
/// Below this part of the pace in the slowest round, nothing is said of what the pace does but that it does too much.
const HELD_MIN: f64 = 0.95;

/// What writers do. Each has its own calls, and makes one in each period.
#[derive(Debug)]
pub(crate) struct Work<M> {
    pub(crate) target: Target,
    /// For each writer the calls that it makes in turn, and behind the last one from the first one again.
    pub(crate) calls: Vec<Vec<Call>>,
    /// From one call of a writer to its next.
    pub(crate) period: Duration,
    /// How many changes an answer says were made.
    pub(crate) count: fn(&M) -> usize,
}

/// For how long to write, and who is told how many changes a second there were.
type Order = (Duration, oneshot::Sender<Result<f64>>);

/// Writers on a thread and a runtime of their own: on that of the loops they would wait behind the calls that are timed, and these
/// behind them. The thread ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Writing {
    orders: mpsc::UnboundedSender<Order>,
}

impl Writing {
    /// A writer for each list of calls. They connect on their own thread.
    pub(crate) fn start<M: Message + Default + 'static>(work: Work<M>) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (orders, mut ordered) = mpsc::unbounded_channel::<Order>();
        thread::spawn(move || {
            runtime.block_on(async move {
                let Work { target, calls, period, count } = work;
                let mut writers = connect(&target, calls).await;
                while let Some((slice, told)) = ordered.recv().await {
                    let changes = match &mut writers {
                        Ok(writers) => write(writers, slice, period, count).await,
                        Err(cause) => Err(anyhow!("the writers do not connect: {cause:#}")),
                    };
                    // Who asked may have failed meanwhile.
                    let _ = told.send(changes);
                }
            });
        });
        Ok(Self { orders })
    }

    /// Has them write at the pace for so long; answers how many changes a second there were.
    pub(crate) async fn write(&self, slice: Duration) -> Result<f64> {
        let (told, tells) = oneshot::channel();
        self.orders.send((slice, told)).ok().context("the writers' thread ended")?;
        tells.await.context("the writers' thread ended")?
    }
}

/// A connection, what is written over it, and which call comes next.
#[derive(Debug)]
struct Writer {
    connection: Connection,
    calls: Vec<Call>,
    next: usize,
}

async fn connect(target: &Target, calls: Vec<Vec<Call>>) -> Result<Vec<Writer>> {
    let mut writers = Vec::with_capacity(calls.len());
    for calls in calls {
        ensure!(!calls.is_empty(), "a writer has nothing to write");
        writers.push(Writer { connection: target.connect().await?, calls, next: 0 });
    }
    Ok(writers)
}

/// Writes at the pace for so long; answers how many changes a second there were, of those that the server says it wrote.
#[expect(clippy::cast_precision_loss, reason = "a count of changes")]
async fn write<M: Message + Default + 'static>(
    writers: &mut Vec<Writer>,
    slice: Duration,
    period: Duration,
    count: fn(&M) -> usize,
) -> Result<f64> {
    let begun = Instant::now();
    let of = u32::try_from(writers.len())?;
    let mut running = JoinSet::new();
    for (number, mut writer) in (0..).zip(std::mem::take(writers)) {
        running.spawn(async move {
            // They take turns within the period.
            let mut due = begun + period * number / of;
            let mut made = 0;
            while due < begun + slice && begun.elapsed() < slice {
                // Behind the pace it writes on.
                tokio::time::sleep_until(due.into()).await;
                let call = &writer.calls[writer.next % writer.calls.len()];
                let answer = writer.connection.ask::<M>(call).await.context("a write at a pace")?;
                writer.next += 1;
                made += count(&answer);
                due += period;
            }
            Ok::<_, anyhow::Error>((writer, made))
        });
    }
    let mut changes = 0;
    while let Some(done) = running.join_next().await {
        let (writer, made) = done??;
        writers.push(writer);
        changes += made;
    }
    Ok(changes as f64 / begun.elapsed().max(slice).as_secs_f64())
}

/// How many changes a second were made, in each round.
#[derive(Debug, Default)]
pub(crate) struct Paces(Vec<f64>);

impl Paces {
    pub(crate) fn push(&mut self, pace: f64) {
        self.0.push(pace);
    }

    /// Whether each round had so many changes a second, or nearly.
    #[expect(clippy::cast_precision_loss, reason = "a count of changes")]
    pub(crate) fn have_held(&self, pace: usize) -> bool {
        self.least() >= HELD_MIN * pace as f64
    }

    /// For a note.
    pub(crate) fn told(&self) -> String {
        let (middle, least) = (median(&self.0), self.least());
        format!("{middle:.0} changes/s were made in the middle, {least:.0} in the slowest round")
    }

    fn least(&self) -> f64 {
        self.0.iter().copied().fold(f64::INFINITY, f64::min)
    }
}

/// The sites of the first pages of those of an account that match, each with whether it is online.
pub(crate) async fn listed<I: Interceptor>(
    client: &mut SiteServiceClient<InterceptedService<Channel, I>>,
    parent: &str,
    filter: &str,
    pages: usize,
) -> Result<Vec<(String, bool)>> {
    let (mut sites, mut page_token) = (Vec::new(), String::new());
    for _ in 0..pages {
        let asked = pb::ListSitesRequest {
            parent: parent.into(),
            page_size: PAGE,
            page_token,
            filter: filter.into(),
            ..pb::ListSitesRequest::default()
        };
        let page = client.list_sites(asked).await?.into_inner();
        sites.extend(page.sites.into_iter().map(|site| {
            let is_online = site.status() == pb::SiteStatus::Online;
            (site.name, is_online)
        }));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    Ok(sites)
}
