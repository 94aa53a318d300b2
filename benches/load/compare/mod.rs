//! Waymark beside what one would take in its place, on the same sites, asked the same, in alternating rounds.
//!
//! `benches/compare/run` starts the others, fills them from what `export` writes, and says where they listen. One that
//! is not named is left out, and said to be.

pub(crate) mod export;
mod others;
mod questions;
mod supercluster;

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::calls::Caller;
use crate::closed_loop::{How, Loop, alternate};
use crate::data::queries::{In, Queries, tile_of};
use crate::data::random::Random;
use crate::data::{self, Plan, Shape};
use crate::measure::{Figure, Sheet, settings};
use crate::server::Server;
use crate::wire::Target;
use crate::{QUERIES, fill, searchable};
use questions::{Expected, Question};
use waymark::spatial::mercator::TileId;

/// Zooms whose tiles are compared: a continent, a country, a city, a street.
pub(crate) const ZOOMS: [u8; 4] = [2, 6, 10, 14];
/// Sites where `BENCH_SITES` names no number.
const SITES_DEFAULT: usize = 1_000_000;
/// Tiles of each zoom.
const TILES: usize = 1_024;
/// Questions whose answers are counted before they are timed.
const CHECKED: usize = 512;
/// The zoom whose tiles are asked for with a filter too.
const ZOOM_FILTERED: u8 = 10;
/// Most sites of an answer, here and there.
const PAGE: usize = 1_000;
/// For so long the others are called before they are measured: PostGIS reads its pages then.
const WARM_UP: Duration = Duration::from_secs(2);
/// Stands between what was asked and who was asked; `benches/report.py` makes a table of it.
const BY: &str = " by ";

/// Where the others are: what `benches/compare/run` says as `name=value`.
#[derive(Debug, Default)]
struct Others {
    postgres: Option<Target>,
    redis: Option<Target>,
    /// The directory of the Node.js script with its packages.
    supercluster: Option<PathBuf>,
    /// What was exported.
    exported: PathBuf,
}

impl Others {
    fn parse(arguments: &[String]) -> Result<Self> {
        let mut given: HashMap<&str, &str> = arguments.iter().filter_map(|argument| argument.split_once('=')).collect();
        let mut address = |name| given.remove(name).map(str::parse).transpose().context("an address");
        let postgres = address("postgres")?.map(|at| Target::Postgres(at, others::statements()));
        let redis = address("redis")?.map(Target::Resp);
        let exported = given.remove("exported").context("say exported=DIRECTORY")?.into();
        Ok(Self { postgres, redis, supercluster: given.remove("supercluster").map(PathBuf::from), exported })
    }
}

/// The plan that is exported and compared.
fn plan() -> Plan {
    let named = std::env::var("BENCH_SITES").is_ok().then(|| settings::sites().last().copied()).flatten();
    Plan::new(Shape::One, named.unwrap_or(SITES_DEFAULT))
}

/// Tiles of a zoom, as often as they hold sites.
fn tiles_of(plan: &Plan, zoom: u8) -> Vec<In<TileId>> {
    let mut random = Random::of(29, usize::from(zoom));
    (0..TILES).map(|_| plan.any_site(&mut random)).map(|site| (site.account, tile_of(site.position, zoom))).collect()
}

/// Measures all, and writes the sheet.
pub(crate) async fn measure(arguments: &[String]) -> Result<()> {
    let others = Others::parse(arguments)?;
    let plan = plan();
    let filled = fill::directory(Shape::One, &plan).await?;
    let (maps, _) = data::entry::maps(&plan, data::entry::of);
    let queries = Queries::new(&plan, &maps, QUERIES, 3);
    let expected = Expected::of(&plan, &maps, &queries);
    let mut sheet = Sheet::new("compare", Shape::One.name(), plan.len(), plan.accounts());
    // In process first: the servers are idle then.
    supercluster::measure(&mut sheet, &others, &plan, &maps)?;
    drop(maps);
    let server = Server::start(&filled.path)?;
    searchable::wait(&server, &filled).await?;
    let caller = Caller { address: server.address, filled: &filled };
    for question in questions::of_tiles(&plan, caller, &expected) {
        ask(&mut sheet, ("waymark over HTTP", Target::Http1(caller.address)), &others, question).await?;
    }
    for question in questions::of_queries(caller, &queries, &expected)? {
        ask(&mut sheet, ("waymark over gRPC", Target::Http2(caller.address)), &others, question).await?;
    }
    for (name, other) in [("PostGIS", &others.postgres), ("Redis", &others.redis)] {
        if other.is_none() {
            sheet.add(Figure::of(by("all", name), "/s", Vec::new()).with_note("not measured: it was not there"));
        }
    }
    server.end()?;
    Ok(sheet.write()?)
}

/// Asks all of them in turn. Who answers another question is left out, and said to be.
async fn ask(sheet: &mut Sheet, (name, ours): (&str, Target), others: &Others, question: Question) -> Result<()> {
    let what = &question.what;
    if question.ours.is_empty() {
        sheet.add(Figure::of(by(what, name), "/s", Vec::new()).with_note("no place of these sites has so many"));
        return Ok(());
    }
    let (mut loops, mut alike) = (vec![Loop::open(by(what, name), &ours, question.ours).await?], vec![None]);
    let to_others =
        [("PostGIS", &others.postgres, Some(question.to_postgres)), ("Redis", &others.redis, question.to_redis)];
    for (name, target, calls) in to_others {
        let (Some(target), Some(calls)) = (target, calls) else { continue };
        match question.alike.check(target, &calls).await {
            Ok(found) => {
                loops.push(Loop::open_as(warm(), by(what, name), target, calls).await?);
                alike.push(Some(found));
            }
            Err(cause) => {
                let note = format!("not measured: {cause:#}");
                sheet.add(Figure::of(by(what, name), "/s", Vec::new()).with_note(note));
            }
        }
    }
    for (figure, found) in alternate(loops, None).await?.into_iter().zip(alike) {
        let note = found.map(|found| format!("{}; checked before: {found}", figure.note));
        sheet.add(match note {
            Some(note) => figure.with_note(note),
            None => figure,
        });
    }
    Ok(())
}

/// How the others are called.
fn warm() -> How {
    How { warm_up: WARM_UP, ..How::default() }
}

/// Says who was asked.
fn by(what: &str, who: &str) -> String {
    format!("{what}{BY}{who}")
}
