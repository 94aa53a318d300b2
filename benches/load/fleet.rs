//! Two replicas over a real Redis: what a start and a resync of a whole account take, how soon one shows what the other wrote,
//! and how soon a thousand watchers do; `streams` says how soon a thousand maps do, and both beside a thousand writes a second.
//!
//! `cargo bench --bench load -- fleet`: the largest of `BENCH_SITES`, up to a million. Redis syncs each write before it answers.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tonic::service::Interceptor;
use waymark::api::proto::waymark::v1 as pb;
use waymark::api::proto::waymark::v1::map_service_client::MapServiceClient;

use crate::activating::{channel, with_secret};
use crate::data::{Plan, Shape};
use crate::fill::{self, Filled};
use crate::following::{
    CONNECTIONS, FOLLOWERS, WAIT_MAX, Writer, all_told, channels, milliseconds, nanoseconds, parent, until, watch,
};
use crate::measure::redis::Redis;
use crate::measure::{self, Figure, Sheet, settings};
use crate::searchable;
use crate::server::Server;
use crate::streams::{self, Replicas};

/// Most sites of a fleet: two replicas and Redis each hold all of them, in one machine's memory.
const SITES_MAX: usize = 1_000_000;
/// Writes that are followed one after the other in a round.
const WRITES: usize = 50;
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Measures a fleet.
pub(crate) async fn measure() -> Result<()> {
    let sites = settings::sites().into_iter().rfind(|size| *size <= SITES_MAX);
    let sites = sites.context("BENCH_SITES names no size of at most a million")?;
    let plan = Plan::new(Shape::One, sites);
    let filled = fill::directory(Shape::One, &plan).await?;
    let place = measure::directory("stores").join("fleet");
    if place.exists() {
        fs::remove_dir_all(&place)?;
    }
    fs::create_dir_all(&place)?;
    let redis = Redis::start(&place)?;
    let config = configure(&place, &filled, &redis)?;
    let mut sheet = Sheet::new("fleet", Shape::One.name(), sites, 1);
    sheet.add(migrate(&place, &filled, &config)?);
    memory(&mut sheet, &redis, sites)?;
    let start = |name: &str| Server::start_with(&place.join(name), &["--config".to_owned(), config.clone()]);
    let (here, there) = (start("here")?, start("there")?);
    let starts = Figure::of("ready after the start, all sites read from Redis", "s", vec![here.ready_s, there.ready_s]);
    sheet.add(starts.with_note("the second one beside the first, which waits"));
    // The index takes Redis, both cores and memory, and would be measured as what a watcher holds.
    for server in [&here, &there] {
        searchable::wait(server, &filled).await?;
    }
    let mut writer = Writer::begin(&here, &filled).await?;
    propagation(&mut sheet, &mut writer, &there, &filled).await?;
    fan_out(&mut sheet, &mut writer, &there, &filled).await?;
    let replicas = Replicas { here: &here, there: &there, plan: &plan, filled: &filled };
    streams::measure(&mut sheet, &mut writer, replicas).await?;
    resync(&mut sheet, &mut writer, &redis, &there, &filled).await?;
    here.end()?;
    there.end()?;
    sheet.write()?;
    drop(redis);
    Ok(fs::remove_dir_all(&place)?)
}

/// The replicas' configuration; gives its path.
fn configure(place: &Path, filled: &Filled, redis: &Redis) -> Result<String> {
    // What the embedded server encrypted the replicas have to read.
    let (key, own) = (place.join("credentials.key"), filled.path.join("credentials.key"));
    if own.exists() {
        fs::copy(&own, &key)?;
    } else {
        fs::write(&key, format!("{}=", "A".repeat(43)))?;
    }
    let config = place.join("replica.toml");
    let text = format!(
        "[redis]\nnodes = [\"127.0.0.1:{}\"]\npartitions = 4\n[ticketing]\nkey_file = \"{}\"\n",
        redis.port,
        key.display()
    );
    fs::write(&config, text)?;
    fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(config.display().to_string())
}

/// Moves the sites into Redis, as an operator would.
#[expect(clippy::cast_precision_loss, reason = "a number of records")]
fn migrate(place: &Path, filled: &Filled, to: &str) -> Result<Figure> {
    let from = place.join("embedded.toml");
    fs::write(&from, format!("data_dir = \"{}\"\n", filled.path.display()))?;
    let begun = Instant::now();
    let done = Command::new(env!("CARGO_BIN_EXE_waymark"))
        .args(["migrate", "--from"])
        .arg(&from)
        .args(["--to", to])
        .output()
        .context("waymark migrate does not start")?;
    let took = begun.elapsed().as_secs_f64();
    ensure!(done.status.success(), "it does not migrate: {}", String::from_utf8_lossy(&done.stderr));
    let told = String::from_utf8(done.stdout)?;
    // A line for each partition: its name, its records, its revision, its digest.
    let records: f64 = told
        .lines()
        .filter_map(|line| line.split('\t').nth(1)?.split(' ').next()?.parse::<u64>().ok())
        .map(|records| records as f64)
        .sum();
    let note =
        format!("{records} records in {took:.1} s: read, written with a sync each four MiB, read back and compared");
    Ok(Figure::of("waymark migrate, embedded to Redis", "records/s", vec![records / took]).with_note(note))
}

/// What Redis holds for a site, in memory and in its file.
#[expect(clippy::cast_precision_loss, reason = "a number of sites")]
fn memory(sheet: &mut Sheet, redis: &Redis, sites: usize) -> Result<()> {
    let note = "without the streams, which hold the records of the last commits once more";
    let used = redis.info("memory", "used_memory")? / sites as f64;
    sheet.add(Figure::of("memory of Redis a site", "bytes", vec![used]).with_note(note));
    let file = redis.info("persistence", "aof_current_size")? / sites as f64;
    sheet.add(Figure::of("append-only file of Redis a site", "bytes", vec![file]));
    Ok(())
}

/// From a write through one replica to the message of a watch at the other.
async fn propagation<I: Interceptor>(
    sheet: &mut Sheet,
    writer: &mut Writer<I>,
    there: &Server,
    filled: &Filled,
) -> Result<()> {
    let (_, _, from) = writer.write().await?;
    let (sender, mut told) = mpsc::unbounded_channel();
    let following = tokio::spawn(watch(channel(there).await?, filled.viewers[0].clone(), from, sender));
    let (mut answers, mut wholes, mut afters) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..=settings::rounds() {
        let (mut answer, mut whole, mut after) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..WRITES {
            let (begun, answered, revision) = writer.write().await?;
            let (_, shown) = until(&mut told, revision).await?;
            answer.push(nanoseconds(answered - begun));
            whole.push(nanoseconds(shown - begun));
            after.push(nanoseconds(shown.saturating_duration_since(answered)));
        }
        answers.push(answer);
        wholes.push(whole);
        afters.push(after);
    }
    following.abort();
    // The first round warms up.
    sheet.add(milliseconds("a write through one replica, until it is answered", &answers[1..]));
    sheet.add(milliseconds("propagation: from the answer to a watch at the other replica", &afters[1..]));
    sheet.add(milliseconds("from the begin of the write to a watch at the other replica", &wholes[1..]));
    Ok(())
}

/// The same to a thousand watchers.
#[expect(clippy::cast_precision_loss, reason = "a number of watchers")]
async fn fan_out<I: Interceptor>(
    sheet: &mut Sheet,
    writer: &mut Writer<I>,
    there: &Server,
    filled: &Filled,
) -> Result<()> {
    let (_, _, from) = writer.write().await?;
    let before = there.memory()?.resident;
    let (mut following, mut listeners) = (JoinSet::new(), Vec::new());
    let channels = channels(there).await?;
    for number in 0..FOLLOWERS {
        let (sender, told) = mpsc::unbounded_channel();
        following.spawn(watch(channels[number % CONNECTIONS].clone(), filled.viewers[0].clone(), from, sender));
        listeners.push(told);
    }
    let (mut shown, mut last) = (Vec::new(), Vec::new());
    for round in 0..=settings::rounds() {
        let (mut times, mut slowest) = (Vec::new(), Vec::new());
        for _ in 0..WRITES {
            let (begun, _, revision) = writer.write().await?;
            let each = all_told(&mut listeners, begun, revision).await?;
            slowest.push(each.iter().copied().max().unwrap_or_default());
            times.extend(each);
        }
        if round > 0 {
            shown.push(times);
            last.push(slowest);
        }
    }
    let note = "the watchers are one thread of the same machine, which reads a thousand messages";
    sheet.add(milliseconds("from the begin of a write to each of 1,000 watchers", &shown).with_note(note));
    sheet.add(milliseconds("from the begin of a write to the last of 1,000 watchers", &last));
    let each = (there.memory()?.resident - before) / FOLLOWERS as f64;
    sheet.add(Figure::of("memory of a watcher", "bytes", vec![each]).with_note("resident, with its connection's part"));
    following.shutdown().await;
    Ok(())
}

/// A replica that stood still while the streams were cut: it reads every site anew, and serves what it has meanwhile.
async fn resync<I: Interceptor>(
    sheet: &mut Sheet,
    writer: &mut Writer<I>,
    redis: &Redis,
    there: &Server,
    filled: &Filled,
) -> Result<()> {
    let mut client = MapServiceClient::with_interceptor(channel(there).await?, with_secret(&filled.viewers[0])?);
    let corner = |lat, lng| Some(pb::LatLng { lat, lng });
    let world = pb::BoundingBox { low: corner(-90.0, -180.0), high: corner(90.0, 180.0) };
    let asked = pb::QueryViewportRequest { parent: parent(), viewport: Some(world), ..Default::default() };
    let (mut runs, mut rounds) = (Vec::new(), Vec::new());
    for _ in 0..settings::rounds() {
        signal(there, "-STOP")?;
        // The first answers the read that already waits, and lies in the replica's socket; the second it never sees.
        writer.write().await?;
        writer.write().await?;
        for stream in redis.run(&["KEYS", "waymark:*:commits"])? {
            redis.run(&["XTRIM", &stream, "MAXLEN", "0"])?;
        }
        let (_, _, revision) = writer.write().await?;
        signal(there, "-CONT")?;
        let (begun, mut waits) = (Instant::now(), Vec::new());
        loop {
            let start = Instant::now();
            let seen = client.query_viewport(asked.clone()).await?.into_inner().revision;
            waits.push(measure::nanoseconds(start));
            if seen >= revision {
                break;
            }
            ensure!(begun.elapsed() < WAIT_MAX, "the replica does not come back");
            tokio::time::sleep(LOOK_EVERY).await;
        }
        runs.push(begun.elapsed().as_secs_f64());
        rounds.push(waits);
    }
    sheet.add(Figure::of("resync of all sites after the streams were cut", "s", runs));
    sheet.add(milliseconds("a viewport of the world meanwhile", &rounds));
    let note = "the map is served meanwhile, and records are put over it one after another";
    sheet.add(Figure::of("peak memory of a replica", "bytes", vec![there.memory()?.peak]).with_note(note));
    Ok(())
}

fn signal(server: &Server, which: &str) -> Result<()> {
    ensure!(Command::new("kill").args([which, &server.id().to_string()]).status()?.success(), "no {which}");
    Ok(())
}
