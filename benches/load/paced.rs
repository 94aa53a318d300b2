//! Tiles beside changes at a pace: what 10,000 changes of status a second do to the p99 of M1's tiles, over sockets.

use std::time::Duration;

use anyhow::{Result, ensure};
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
use crate::wire::{Call, Target, http2};
use crate::writing::{Paces, Work, Writing, listed};

/// Changes a second: M7 of DESIGN.md, section 9.
const PACE: usize = 10_000;
/// Growth of p99 that is held (M7-p99-http).
const GROWTH_MAX: f64 = 1.5;
/// Changes of one call, of sites that are all of one account.
const BATCH: usize = 100;
/// Connections that write, each its part of the pace.
const WRITERS: usize = 4;
/// From one call of a writer to its next.
const PERIOD: Duration = Duration::from_millis((1_000 * BATCH * WRITERS / PACE) as u64);
/// Accounts whose sites change: the largest ones.
const ACCOUNTS: usize = 8;
/// Pages of sites of each of them.
const PAGES: usize = 5;
/// Reports do not end a maintenance: such sites would not change.
const FILTER: &str = "status != MAINTENANCE";
/// For so long writers write before the first round, unmeasured.
const WARM_UP: Duration = Duration::from_millis(500);

/// Measures tiles alone and beside the writers, in turn, and the growth of their p99 within each round.
pub(crate) async fn measure(
    sheet: &mut Sheet,
    plan: &Plan,
    caller: Caller<'_>,
    server: &Server,
    queries: &Queries,
) -> Result<()> {
    let writing = Writing::start(batched(plan, caller, server).await?)?;
    let target = Target::Http1(caller.address);
    let open = |what: &'static str| Loop::open(what, &target, caller.tiles_http1(&queries.tiles, ""));
    let mut alone = open("tiles over HTTP/1.1 without changes").await?;
    let mut beside = open("tiles over HTTP/1.1 beside 10,000 changes/s").await?;
    writing.write(WARM_UP).await?;
    let (mut growth, mut paces) = (Vec::new(), Paces::default());
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
    let reached = paces.told();
    sheet.add(alone.figure());
    sheet.add(beside.figure().with_note(reached.clone()));
    let note = format!(
        "p99 of {CONNECTIONS} connections beside {WRITERS} writers, divided by p99 without, within each round; {reached}, {BATCH} a call"
    );
    // Beside fewer changes a growth within the limit would be the answer to another question; one beyond it is the same answer.
    let (growth, note) = if paces.have_held(PACE) {
        (growth, note)
    } else if median(&growth) > GROWTH_MAX {
        (growth, format!("at least: the pace was not held; {note}"))
    } else {
        (Vec::new(), format!("not measured: the pace was not held; {note}"))
    };
    sheet.add(Figure::of("p99 growth of HTTP tiles by 10,000 changes/s", "×", growth).with_note(note));
    Ok(())
}

/// What the writers do: each changes batches of its own, and then changes them back.
async fn batched(plan: &Plan, caller: Caller<'_>, server: &Server) -> Result<Work<pb::BatchReportStatusResponse>> {
    let mut batches = Vec::new();
    for account in 0..plan.accounts().min(ACCOUNTS) {
        batches.extend(batches_of(caller, server, account).await?.into_iter().enumerate());
    }
    ensure!(batches.len() >= WRITERS, "there are {} batches of {BATCH} sites, and {WRITERS} writers", batches.len());
    // One of each account after the other.
    batches.sort_by_key(|(place, _)| *place);
    let mut calls = Vec::with_capacity(WRITERS);
    for first in 0..WRITERS {
        // No two writers change the same site: each change is one, in whatever order they are done.
        let own = || batches.iter().skip(first).step_by(WRITERS);
        let turns = (0..2).flat_map(|turn| own().map(move |(_, batch)| batch.call(caller, turn)));
        calls.push(turns.collect::<Result<Vec<_>>>()?);
    }
    Ok(Work { target: Target::Http2(caller.address), calls, period: PERIOD, count: written })
}

/// How many changes a batch made.
fn written(answer: &pb::BatchReportStatusResponse) -> usize {
    answer.results.iter().filter(|result| result.outcome() == Outcome::Written).count()
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
    let sites = listed(&mut client, &account, FILTER, PAGES).await?;
    let batch = |sites: &[(String, bool)]| {
        let (account, secret) = (account.clone(), secret.clone());
        Batch { account, secret, sites: sites.to_vec() }
    };
    Ok(sites.chunks_exact(BATCH).map(batch).collect())
}
