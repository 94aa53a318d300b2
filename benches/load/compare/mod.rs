//! Waymark beside what one would take in its place, on the same sites, asked the same, in alternating rounds.
//!
//! `benches/compare/run` starts the others, fills them from what `export` writes, and says where they listen. One that
//! is not named is left out, and said to be.

pub(crate) mod export;
mod others;
mod supercluster;

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::calls::Caller;
use crate::closed_loop::{How, Loop, alternate};
use crate::data::queries::{In, Queries, RADIUS_M, tile_of};
use crate::data::random::Random;
use crate::data::{self, Plan, Shape};
use crate::measure::{Figure, Sheet, settings};
use crate::server::Server;
use crate::wire::{Call, Target};
use crate::{QUERIES, fill, searchable};
use waymark::model::geo::{BoundingBox, LatLng};
use waymark::spatial::AccountMap;
use waymark::spatial::mercator::TileId;

/// Zooms whose tiles are compared: a continent, a country, a city, a street.
pub(crate) const ZOOMS: [u8; 4] = [2, 6, 10, 14];
/// Sites where `BENCH_SITES` names no number.
const SITES_DEFAULT: usize = 1_000_000;
/// Tiles of each zoom.
const TILES: usize = 1_024;
/// Questions whose answers are counted before they are timed.
const CHECKED: usize = 512;
/// Answers may differ by one row of so many.
const DIFFERENCE_SHARE: usize = 20;
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
    let expected = Expected::of(&maps, &queries);
    let mut sheet = Sheet::new("compare", Shape::One.name(), plan.len(), plan.accounts());
    // In process first: the servers are idle then.
    supercluster::measure(&mut sheet, &others, &plan, &maps)?;
    drop(maps);
    let server = Server::start(&filled.path)?;
    searchable::wait(&server, &filled).await?;
    let caller = Caller { address: server.address, filled: &filled };
    for zoom in ZOOMS {
        let tiles = tiles_of(&plan, zoom);
        let what = format!("tile z{zoom}");
        let mut loops = Vec::new();
        let calls = caller.tiles_http1(&tiles, "");
        loops.push(Loop::open(by(&what, "waymark over HTTP"), &Target::Http1(caller.address), calls).await?);
        if let Some(target) = &others.postgres {
            let calls = others::postgres_tiles(&tiles);
            loops.push(Loop::open_as(warm(), by(&what, "PostGIS"), target, calls).await?);
        }
        add_all(&mut sheet, alternate(loops, None).await?);
    }
    distances(&mut sheet, caller, &others, &queries, expected).await?;
    for (name, other) in [("PostGIS", &others.postgres), ("Redis", &others.redis)] {
        if other.is_none() {
            sheet.add(Figure::of(by("all", name), "/s", Vec::new()).with_note("not measured: it was not there"));
        }
    }
    server.end()?;
    Ok(sheet.write()?)
}

/// Sites that the first [`CHECKED`] questions of a kind have in their answers, summed.
#[derive(Debug, Clone, Copy)]
struct Expected {
    nearest: usize,
    circles: usize,
    boxes: usize,
}

impl Expected {
    fn of(maps: &[AccountMap], queries: &Queries) -> Self {
        let circle = |(account, at): &In<LatLng>| maps[*account].all().within(*at, RADIUS_M, None, PAGE).unwrap().len();
        let square = |(account, bounds): &In<BoundingBox>| maps[*account].all().in_box(bounds, None, PAGE).found.len();
        Self {
            nearest: queries.spots.iter().take(CHECKED).count() * 10,
            circles: queries.circles.iter().take(CHECKED).map(circle).sum(),
            boxes: queries.boxes[0].iter().take(CHECKED).map(square).sum(),
        }
    }
}

/// That another one answers the same question: about as many rows. About, because Redis keeps positions in 52
/// bits, and globes differ in their radius.
async fn check(what: &str, target: &Target, calls: &[Call], expected: usize) -> Result<()> {
    let rows = target.rows(&calls[..calls.len().min(CHECKED)]).await?;
    let is_alike = rows.abs_diff(expected) * DIFFERENCE_SHARE <= expected;
    ensure!(is_alike, "{what}: {rows} rows, where waymark has {expected}: it is not the same question");
    Ok(())
}

async fn distances(
    sheet: &mut Sheet,
    caller: Caller<'_>,
    others: &Others,
    queries: &Queries,
    expected: Expected,
) -> Result<()> {
    let asked = [
        (
            "nearest 10",
            caller.nearest(&queries.spots)?,
            others::postgres_nearest(&queries.spots),
            others::redis_nearest(&queries.spots),
            expected.nearest,
        ),
        (
            "radius 10 km, ~100 sites",
            caller.circles(&queries.circles, 1_000)?,
            others::postgres_circles(&queries.circles),
            others::redis_circles(&queries.circles),
            expected.circles,
        ),
        (
            "box, ~100 sites",
            caller.boxes(&queries.boxes[0])?,
            others::postgres_boxes(&queries.boxes[0]),
            others::redis_boxes(&queries.boxes[0]),
            expected.boxes,
        ),
    ];
    for (what, ours, to_postgres, to_redis, expected) in asked {
        let mut loops = vec![Loop::open(by(what, "waymark over gRPC"), &Target::Http2(caller.address), ours).await?];
        for (name, target, calls) in [("PostGIS", &others.postgres, to_postgres), ("Redis", &others.redis, to_redis)] {
            if let Some(target) = target {
                if let Err(cause) = check(&by(what, name), target, &calls, expected).await {
                    sheet.add(
                        Figure::of(by(what, name), "/s", Vec::new()).with_note(format!("not measured: {cause:#}")),
                    );
                    continue;
                }
                loops.push(Loop::open_as(warm(), by(what, name), target, calls).await?);
            }
        }
        add_all(sheet, alternate(loops, None).await?);
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

fn add_all(sheet: &mut Sheet, figures: Vec<Figure>) {
    figures.into_iter().for_each(|figure| sheet.add(figure));
}
