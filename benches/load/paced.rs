//! Tiles beside changes at a pace: what 10,000 changes of status a second do to the p99 of M1's tiles, over sockets.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use waymark::api::proto::waymark::v1 as pb;
use waymark::api::proto::waymark::v1::admin_service_client::AdminServiceClient;
use waymark::api::proto::waymark::v1::site_report_result::Outcome;
use waymark::api::proto::waymark::v1::site_service_client::SiteServiceClient;

use crate::activating::{channel, with_secret};
use crate::calls::Caller;
use crate::closed_loop::{CONNECTIONS, Loop};
use crate::data::queries::Queries;
use crate::data::{Plan, account_id};
use crate::measure::{Figure, Sheet, median, settings};
use crate::server::Server;
use crate::wire::{Call, Connection, Target, http2};

/// Changes a second: M7 of DESIGN.md, section 9.
const PACE: usize = 10_000;
/// Growth of p99 that is held (M7-p99-http).
const GROWTH_MAX: f64 = 1.5;
/// Below so many in the slowest round, 0.95 of the pace, nothing is said of what the pace does but that it does too much.
const PACE_MIN: f64 = 9_500.0;
/// Changes of one call, of sites that are all of one account.
const BATCH: usize = 100;
/// Connections that write, each its part of the pace.
const WRITERS: usize = 4;
/// From one call of a writer to its next.
const PERIOD: Duration = Duration::from_millis((1_000 * BATCH * WRITERS / PACE) as u64);
/// Accounts whose sites change: the largest ones.
const ACCOUNTS: usize = 8;
/// Pages of sites of each of them, as large as pages may be.
const PAGES: usize = 5;
const PAGE: i32 = 1_000;
/// Reports do not end a maintenance: such sites would not change.
const FILTER: &str = "status != MAINTENANCE";
/// For so long writers write before the first round, unmeasured.
const WARM_UP: Duration = Duration::from_millis(500);

/// A connection and what it still has to write: every call changes each of its sites.
#[derive(Debug)]
struct Writer {
    connection: Connection,
    calls: std::vec::IntoIter<Call>,
}

/// Measures tiles alone and beside the writers, in turn, and the growth of their p99 within each round.
pub(crate) async fn measure(
    sheet: &mut Sheet,
    plan: &Plan,
    caller: Caller<'_>,
    server: &Server,
    queries: &Queries,
) -> Result<()> {
    let writing = Writing::start(Target::Http2(caller.address), batched(plan, caller, server).await?)?;
    let target = Target::Http1(caller.address);
    let open = |what: &'static str| Loop::open(what, &target, caller.tiles_http1(&queries.tiles, ""));
    let mut alone = open("tiles over HTTP/1.1 without changes").await?;
    let mut beside = open("tiles over HTTP/1.1 beside 10,000 changes/s").await?;
    writing.write(WARM_UP).await?;
    let (mut growth, mut paces) = (Vec::new(), Vec::new());
    for round in 0..settings::socket_rounds() {
        let (mut still, mut busy) = (None, None);
        // Each is the first one in every other round.
        for place in 0..2 {
            if (round + place) % 2 == 0 {
                still = alone.round().await?;
            } else {
                let (p99, pace) = tokio::try_join!(beside.round(), writing.write(settings::slice()))?;
                busy = p99;
                paces.push(pace);
            }
        }
        growth.extend(busy.zip(still).map(|(busy, still)| busy / still));
    }
    let least = paces.iter().copied().fold(f64::INFINITY, f64::min);
    let reached = format!("{:.0} changes/s were made in the middle, {least:.0} in the slowest round", median(&paces));
    sheet.add(alone.figure());
    sheet.add(beside.figure().with_note(reached.clone()));
    let note = format!(
        "p99 of {CONNECTIONS} connections beside {WRITERS} writers, divided by p99 without, within each round; {reached}, {BATCH} a call"
    );
    // Beside fewer changes a growth within the limit would be the answer to another question; one beyond it is the same answer.
    let (growth, note) = if least >= PACE_MIN {
        (growth, note)
    } else if median(&growth) > GROWTH_MAX {
        (growth, format!("at least: the pace was not held; {note}"))
    } else {
        (Vec::new(), format!("not measured: the pace was not held; {note}"))
    };
    sheet.add(Figure::of("p99 growth of HTTP tiles by 10,000 changes/s", "×", growth).with_note(note));
    Ok(())
}

/// For how long to write, and who is told how many changes a second there were.
type Order = (Duration, oneshot::Sender<Result<f64>>);

/// Writers on a thread and a runtime of their own: on that of the loops they would wait behind the calls that are timed, and these
/// behind them. The thread ends when this is dropped.
#[derive(Debug)]
struct Writing {
    orders: mpsc::UnboundedSender<Order>,
}

impl Writing {
    /// A writer for each list of calls. They connect on their own thread.
    fn start(target: Target, calls: Vec<Vec<Call>>) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (orders, mut ordered) = mpsc::unbounded_channel::<Order>();
        thread::spawn(move || {
            runtime.block_on(async move {
                let mut writers = connect(&target, calls).await;
                while let Some((slice, told)) = ordered.recv().await {
                    let changes = match &mut writers {
                        Ok(writers) => write(writers, slice).await,
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
    async fn write(&self, slice: Duration) -> Result<f64> {
        let (told, tells) = oneshot::channel();
        self.orders.send((slice, told)).ok().context("the writers' thread ended")?;
        tells.await.context("the writers' thread ended")?
    }
}

async fn connect(target: &Target, calls: Vec<Vec<Call>>) -> Result<Vec<Writer>> {
    let mut writers = Vec::with_capacity(calls.len());
    for calls in calls {
        writers.push(Writer { connection: target.connect().await?, calls: calls.into_iter() });
    }
    Ok(writers)
}

/// Writes at the pace for so long; answers how many changes a second there were, of those that the server says it wrote.
#[expect(clippy::cast_precision_loss, reason = "a count of changes")]
async fn write(writers: &mut Vec<Writer>, slice: Duration) -> Result<f64> {
    let begun = Instant::now();
    let mut running = JoinSet::new();
    for (number, mut writer) in (0..).zip(std::mem::take(writers)) {
        running.spawn(async move {
            // They take turns within the period.
            let mut due = begun + PERIOD * number / u32::try_from(WRITERS)?;
            let mut made = 0;
            while due < begun + slice && begun.elapsed() < slice {
                // Behind the pace it writes on.
                tokio::time::sleep_until(due.into()).await;
                let call = writer.calls.next().context("there are too few changes to make each once")?;
                let answer = writer.connection.ask::<pb::BatchReportStatusResponse>(&call).await;
                let answer = answer.context("a batch of reports")?;
                made += answer.results.iter().filter(|result| result.outcome() == Outcome::Written).count();
                due += PERIOD;
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

/// For each writer the calls of all that it may write in all rounds.
async fn batched(plan: &Plan, caller: Caller<'_>, server: &Server) -> Result<Vec<Vec<Call>>> {
    let mut batches = Vec::new();
    for account in 0..plan.accounts().min(ACCOUNTS) {
        batches.extend(batches_of(caller, server, account).await?.into_iter().enumerate());
    }
    ensure!(batches.len() >= WRITERS, "there are {} batches of {BATCH} sites, and {WRITERS} writers", batches.len());
    // One of each account after the other.
    batches.sort_by_key(|(place, _)| *place);
    let a_slice = |slice: Duration| usize::try_from(slice.as_millis() / PERIOD.as_millis()).map(|calls| calls + 2);
    let count = a_slice(WARM_UP)? + a_slice(settings::slice())? * settings::socket_rounds();
    let mut all = Vec::with_capacity(WRITERS);
    for first in 0..WRITERS {
        // No two writers change the same site: each change is one, in whatever order they are done.
        let own: Vec<&Batch> = batches.iter().skip(first).step_by(WRITERS).map(|(_, batch)| batch).collect();
        let call = |number: usize| own[number % own.len()].call(caller, number / own.len());
        all.push((0..count).map(call).collect::<Result<Vec<_>>>()?);
    }
    Ok(all)
}

/// Sites of an account that change together, each with whether it was online at first.
#[derive(Debug)]
struct Batch {
    account: String,
    secret: String,
    sites: Vec<(String, bool)>,
}

impl Batch {
    /// The call that changes all of them, each time that its turn comes: online ones to offline, and back.
    fn call(&self, caller: Caller<'_>, turn: usize) -> Result<Call> {
        let report = |(site, was_online): &(String, bool)| {
            let is_online = was_online ^ turn.is_multiple_of(2);
            let status = if is_online { pb::SiteStatus::Online } else { pb::SiteStatus::Offline };
            pb::SiteReport { site: site.clone(), status: status.into(), ..pb::SiteReport::default() }
        };
        let reports = self.sites.iter().map(report).collect();
        let message = pb::BatchReportStatusRequest { parent: self.account.clone(), reports };
        http2::grpc(caller.address, "ActivationService/BatchReportStatus", &self.secret, &message)
    }
}

/// The batches of the first pages of an account's sites, with a token that may report of them.
async fn batches_of(caller: Caller<'_>, server: &Server, account: usize) -> Result<Vec<Batch>> {
    let channel = channel(server).await?;
    let account = format!("accounts/{}", account_id(account));
    let mut operator = AdminServiceClient::with_interceptor(channel.clone(), with_secret(&caller.filled.operator)?);
    let token = pb::Token { scope: pb::TokenScope::Service.into(), ..pb::Token::default() };
    let wanted = pb::CreateTokenRequest { parent: account.clone(), token: Some(token) };
    let secret = operator.create_token(wanted).await?.into_inner().secret;
    let mut client = SiteServiceClient::with_interceptor(channel, with_secret(&secret)?);
    let (mut sites, mut page_token) = (Vec::new(), String::new());
    for _ in 0..PAGES {
        let asked = pb::ListSitesRequest {
            parent: account.clone(),
            page_size: PAGE,
            page_token,
            filter: FILTER.into(),
            ..pb::ListSitesRequest::default()
        };
        let page = client.list_sites(asked).await?.into_inner();
        sites.extend(page.sites.into_iter().map(|site| (site.status() == pb::SiteStatus::Online, site.name)));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let batch = |sites: &[(bool, String)]| Batch {
        account: account.clone(),
        secret: secret.clone(),
        sites: sites.iter().map(|(is_online, name)| (name.clone(), *is_online)).collect(),
    };
    Ok(sites.chunks_exact(BATCH).map(batch).collect())
}
