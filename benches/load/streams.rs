//! A thousand maps that are open at one replica, while sites are written through another: how soon they show a write, on a quiet
//! account and beside a thousand writes a second; and how soon a watch of one site tells it beside these.
//!
//! A part of `fleet`. All of it is in one account, whose revisions say what a message knows of: a write is seen by the first message that
//! has its revision or a later one.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures_util::stream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until, timeout};
use tonic::service::Interceptor;
use tonic::transport::Channel;
use waymark::api::proto::waymark::v1 as pb;
use waymark::api::proto::waymark::v1::location_service_client::LocationServiceClient;
use waymark::api::proto::waymark::v1::map_service_client::MapServiceClient;
use waymark::api::proto::waymark::v1::site_service_client::SiteServiceClient;
use waymark::model::geo::{BoundingBox, LatLng};

use crate::activating::{channel, with_secret};
use crate::calls::{bounding_box, lat_lng};
use crate::data::Plan;
use crate::data::queries::view;
use crate::data::random::Random;
use crate::fill::Filled;
use crate::following::{
    CONNECTIONS, FOLLOWERS, Teller, Tells, WAIT_MAX, Writer, all_told, channels, milliseconds, nanoseconds, parent,
    until, watch,
};
use crate::measure::{Figure, Sheet, settings};
use crate::server::Server;
use crate::wire::{Target, http2};
use crate::writing::{Paces, Work, Writing, listed};

/// Of so many maps one shows the whole world, and the others regions and cities with the written site in them.
const WORLD_EVERY: usize = 10;
const WORLD_ZOOM: u8 = 2;
/// Zooms of the others, as many of each.
const ZOOMS: [u8; 6] = [6, 7, 8, 9, 10, 11];
/// Which maps there are, for a note.
const MAPS: &str = "100 of the world at z2, 150 each of z6 to z11 around the written site, read by one thread";
/// Decides where on each of these screens the written site is.
const SEED: u64 = 15;
/// Writes of a round on a quiet account, each seen by all before the next one.
const QUIET_WRITES: usize = 20;
/// Before each of them: longer than a map rests behind a look, which is 200 ms, or 20 times what the look took where that was more
/// than 10 ms. This is enough for looks of 30 ms.
const PAUSE: Duration = Duration::from_millis(600);
/// Writes a second of the others: M15 of DESIGN.md, section 9.
const PACE: usize = 1_000;
/// The time in microseconds that 99 of 100 are held to at that pace (M15-busy, M15-map-busy).
const LIMIT_US: f64 = 250_000.0;
/// Connections that write, each its part of the pace, one site a call.
const WRITERS: usize = 64;
/// From one call of a writer to its next.
const PERIOD: Duration = Duration::from_millis((1_000 * WRITERS / PACE) as u64);
/// Pages of sites that they write.
const PAGES: usize = 10;
/// Writes of the followed site in a round beside them, and the time from one to the next: no part of the 200 ms between two messages of
/// a map, so that they fall anywhere between these.
const TRACKED: u32 = 50;
const TRACKED_PERIOD: Duration = Duration::from_millis(97);
/// For so long the others write before the first of these, and go on behind the last.
const LEAD: Duration = Duration::from_millis(500);

/// Two replicas, and what they hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Replicas<'a> {
    /// Where is written.
    pub(crate) here: &'a Server,
    /// Where is followed.
    pub(crate) there: &'a Server,
    pub(crate) plan: &'a Plan,
    pub(crate) filled: &'a Filled,
}

/// Measures a watch of the written site beside others' writes, then a thousand maps without and with these.
#[expect(clippy::cast_precision_loss, reason = "a number of maps")]
pub(crate) async fn measure<I: Interceptor>(
    sheet: &mut Sheet,
    writer: &mut Writer<I>,
    replicas: Replicas<'_>,
) -> Result<()> {
    let (at, writing) =
        timeout(WAIT_MAX, prepare(&writer.site, replicas)).await.context("the others do not write")??;
    let (_, _, from) = writer.turn().await?;
    let (sender, told) = mpsc::unbounded_channel();
    let secret = replicas.filled.viewers[0].clone();
    let following = tokio::spawn(watch(channel(replicas.there).await?, secret, from, sender));
    let what = "at 1,000 writes/s, from the begin of a write to a watch at the other replica";
    sheet.add(beside(what, "no map is open", writer, &writing, &mut [told]).await?);
    following.abort();
    let before = replicas.there.memory()?.resident;
    let mut maps = Maps::open(at, replicas).await?;
    quiet(sheet, writer, &mut maps.listeners).await?;
    let each = (replicas.there.memory()?.resident - before) / FOLLOWERS as f64;
    let note = "resident, with its connection's part; beyond what the replica held when its watches had ended";
    sheet.add(Figure::of("memory of a map stream", "bytes", vec![each]).with_note(note));
    let what = "at 1,000 writes/s, from the begin of a write to each of 1,000 map streams";
    sheet.add(beside(what, MAPS, writer, &writing, &mut maps.listeners).await?);
    maps.following.shutdown().await;
    Ok(())
}

/// Places the written site, and has the others write for the first time; where it is, and they.
async fn prepare(site: &str, replicas: Replicas<'_>) -> Result<(LatLng, Writing)> {
    let at = place(site, replicas).await?;
    let writing = Writing::start(others(site, replicas).await?)?;
    writing.write(LEAD).await?;
    Ok((at, writing))
}

/// Puts a pin for the written site where the first site stands that is at a door; the place.
async fn place(site: &str, replicas: Replicas<'_>) -> Result<LatLng> {
    let mut sites = (0..replicas.plan.len()).map(|number| replicas.plan.site(number));
    let at = sites.find(|site| !site.is_estimate).context("no site stands at a door")?.position;
    let secret = with_secret(&replicas.filled.editor)?;
    let mut client = LocationServiceClient::with_interceptor(channel(replicas.here).await?, secret);
    let asked = pb::SetPinRequest { site: site.into(), position: Some(lat_lng(at)), ..pb::SetPinRequest::default() };
    client.set_pin(asked).await?;
    Ok(at)
}

/// What the others do: they take sites offline and online in turn, of the first pages of the account, which lie as far apart as all of
/// its sites do.
async fn others(tracked: &str, replicas: Replicas<'_>) -> Result<Work<pb::Site>> {
    let (address, secret) = (replicas.here.address, &replicas.filled.editor);
    let mut client = SiteServiceClient::with_interceptor(channel(replicas.here).await?, with_secret(secret)?);
    let mut sites = listed(&mut client, &parent(), "", PAGES).await?;
    sites.retain(|(site, _)| site != tracked);
    ensure!(sites.len() >= WRITERS, "there are {} sites, and {WRITERS} writers", sites.len());
    let call = |site: &str, is_online: bool| {
        let status = if is_online { pb::SiteStatus::Online } else { pb::SiteStatus::Offline };
        let site = pb::Site { name: site.into(), status: status.into(), ..pb::Site::default() };
        let update_mask = Some(prost_types::FieldMask { paths: vec!["status".into()] });
        let asked = pb::UpdateSiteRequest { site: Some(site), update_mask, ..pb::UpdateSiteRequest::default() };
        http2::grpc(address, "SiteService/UpdateSite", secret, &asked)
    };
    let mut calls = Vec::with_capacity(WRITERS);
    for first in 0..WRITERS {
        // No two writers change the same site: each write is a change.
        let own = || sites.iter().skip(first).step_by(WRITERS);
        let there = own().map(|(site, was_online)| call(site, !was_online));
        let back = own().map(|(site, was_online)| call(site, *was_online));
        calls.push(there.chain(back).collect::<Result<Vec<_>>>()?);
    }
    Ok(Work { target: Target::Http2(address), calls, period: PERIOD, count: |_: &pb::Site| 1 })
}

/// Open maps, and what each was told.
#[derive(Debug)]
struct Maps {
    following: JoinSet<Result<()>>,
    listeners: Vec<Tells>,
}

impl Maps {
    /// Opens all, and waits until each shows its view.
    async fn open(at: LatLng, replicas: Replicas<'_>) -> Result<Self> {
        let (mut following, mut listeners) = (JoinSet::new(), Vec::with_capacity(FOLLOWERS));
        let channels = channels(replicas.there).await?;
        let mut random = Random::new(SEED);
        for number in 0..FOLLOWERS {
            let (sender, told) = mpsc::unbounded_channel();
            // Neighbours share a connection, so that each has some of all kinds.
            let channel = channels[number * CONNECTIONS / FOLLOWERS].clone();
            let secret = replicas.filled.viewers[0].clone();
            following.spawn(follow(channel, secret, map_of(number, at, &mut random)?, sender));
            listeners.push(told);
        }
        for told in &mut listeners {
            until(told, 0).await.context("a map does not open")?;
        }
        Ok(Self { following, listeners })
    }
}

/// What one of them shows.
fn map_of(number: usize, at: LatLng, random: &mut Random) -> Result<pb::WatchMapRequest> {
    let (zoom, bounds) = if number.is_multiple_of(WORLD_EVERY) {
        (WORLD_ZOOM, BoundingBox::WORLD)
    } else {
        let zoom = ZOOMS[(number - number / WORLD_EVERY) % ZOOMS.len()];
        let BoundingBox { low, high } = view(at, zoom);
        // No two look at the same: the site is anywhere in the middle half of the screen, either way.
        let mut between = |low: f64, high: f64| low + (high - low) * (0.25 + random.unit() / 2.0);
        let center = LatLng::new(between(low.lat(), high.lat()), between(low.lng(), high.lng()))?;
        (zoom, view(center, zoom))
    };
    ensure!(bounds.contains(at), "the site is not on a map around it at z{zoom}");
    let viewport = Some(bounding_box(&bounds));
    Ok(pb::WatchMapRequest { parent: parent(), viewport, zoom: i32::from(zoom), ..pb::WatchMapRequest::default() })
}

/// Follows a map until nobody listens.
async fn follow(channel: Channel, secret: String, map: pb::WatchMapRequest, told: Teller) -> Result<()> {
    let mut client = MapServiceClient::with_interceptor(channel, with_secret(&secret)?);
    // Its view never moves; the end of what it asks changes nothing.
    let mut messages = client.watch_map(stream::iter([map])).await?.into_inner();
    while let Some(message) = messages.message().await? {
        let changes = message.changes.context("a message of a map without changes")?;
        if told.send((changes.revision, Instant::now())).is_err() {
            break;
        }
    }
    Ok(())
}

/// Writes one by one, with nothing beside them, each seen by all maps before the next one.
async fn quiet<I: Interceptor>(sheet: &mut Sheet, writer: &mut Writer<I>, listeners: &mut [Tells]) -> Result<()> {
    let (mut shown, mut last) = (Vec::new(), Vec::new());
    for round in 0..=settings::rounds() {
        let (mut times, mut slowest) = (Vec::new(), Vec::new());
        for _ in 0..QUIET_WRITES {
            sleep(PAUSE).await;
            let (begun, _, revision) = writer.turn().await?;
            let each = all_told(listeners, begun, revision).await?;
            slowest.push(each.iter().copied().max().unwrap_or_default());
            times.extend(each);
        }
        // The first round warms up.
        if round > 0 {
            shown.push(times);
            last.push(slowest);
        }
    }
    sheet.add(milliseconds("from the begin of a write to each of 1,000 map streams", &shown).with_note(MAPS));
    sheet.add(milliseconds("from the begin of a write to the last of 1,000 map streams", &last));
    Ok(())
}

/// Writes the followed site beside the others; how long after the begin of each write each who follows was told.
async fn beside<I: Interceptor>(
    what: &str,
    note: &str,
    writer: &mut Writer<I>,
    writing: &Writing,
    listeners: &mut [Tells],
) -> Result<Figure> {
    let (mut rounds, mut paces) = (Vec::new(), Paces::default());
    let slice = LEAD * 2 + TRACKED_PERIOD * TRACKED;
    for round in 0..=settings::rounds() {
        let both = async { tokio::try_join!(tracked(writer), writing.write(slice)) };
        let (writes, pace) = timeout(WAIT_MAX, both).await.context("writes are not answered")??;
        let mut times = Vec::with_capacity(writes.len() * listeners.len());
        for told in &mut *listeners {
            times.extend(times_of(told, &writes).await?);
        }
        // The first round warms up.
        if round > 0 {
            rounds.push(times);
            paces.push(pace);
        }
    }
    let figure = milliseconds(what, &rounds);
    let note = format!("{}; {note}", paces.told());
    // Beside fewer writes a time within the limit would be the answer to another question; one beyond it is the same answer.
    Ok(if paces.have_held(PACE) {
        figure.with_note(note)
    } else if figure.p99_us.is_some_and(|p99| p99 > LIMIT_US) {
        figure.with_note(format!("at least: the pace was not held; {note}"))
    } else {
        Figure::of(what, "ms", Vec::new()).with_note(format!("not measured: the pace was not held; {note}"))
    })
}

/// Writes the followed site at its pace; when each write was begun, and its revision. Where an answer is late, so is the next write.
async fn tracked<I: Interceptor>(writer: &mut Writer<I>) -> Result<Vec<(Instant, u64)>> {
    let first = Instant::now() + LEAD;
    let mut writes = Vec::new();
    for number in 0..TRACKED {
        sleep_until((first + TRACKED_PERIOD * number).into()).await;
        let (begun, _, revision) = writer.turn().await?;
        writes.push((begun, revision));
    }
    Ok(writes)
}

/// How long after the begin of each write one was told it, in nanoseconds. A message may tell several.
async fn times_of(told: &mut Tells, writes: &[(Instant, u64)]) -> Result<Vec<u32>> {
    let mut times = Vec::with_capacity(writes.len());
    let mut last: Option<(u64, Instant)> = None;
    for (begun, revision) in writes {
        let message = match last {
            Some(message) if message.0 >= *revision => message,
            _ => until(told, *revision).await?,
        };
        last = Some(message);
        times.push(nanoseconds(message.1 - *begun));
    }
    Ok(times)
}
