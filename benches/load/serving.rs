//! A filled server under load: each kind of call beside the empty call of its protocol.

use anyhow::{Context, Result};

use crate::calls::{Caller, EMPTY_GRPC, EMPTY_HTTP, FILTER};
use crate::closed_loop::{Loop, alternate};
use crate::data::Plan;
use crate::data::queries::{Queries, tile_of, view};
use crate::data::random::Random;
use crate::measure::{Figure, Sheet};
use crate::wire::{Call, Target};

/// Tiles as a browser asks for them.
const TILES_HTTP1: &str = "HTTP/1.1 tiles z0-z14";
/// The last zoom there is.
const ZOOM_LAST: u8 = 22;
/// Places that are asked about at each zoom.
const PLACES: usize = 1_024;

/// Measures all reads of the API; `server` is the id of its process.
pub(crate) async fn measure(sheet: &mut Sheet, caller: Caller<'_>, server: u32, queries: &Queries) -> Result<()> {
    tiles(sheet, caller, server, queries).await?;
    let target = Target::Http2(caller.address);
    let mut loops = vec![Loop::open(format!("gRPC {EMPTY_GRPC}"), &target, caller.empty_grpc()?).await?];
    for (what, calls) in grpc_calls(caller, queries)? {
        open_if_asked(sheet, &mut loops, what, &target, calls).await?;
    }
    for figure in alternate(loops, Some(server)).await? {
        sheet.add(figure);
    }
    Ok(())
}

/// Calls one kind alone, whose name begins with `what`, for somebody who looks at the server with a profiler.
pub(crate) async fn one_alone(
    sheet: &mut Sheet,
    caller: Caller<'_>,
    server: u32,
    queries: &Queries,
    what: &str,
) -> Result<()> {
    let tiles = (TILES_HTTP1.to_owned(), caller.tiles_http1(&queries.tiles, ""));
    let asked = grpc_calls(caller, queries)?.into_iter().chain([tiles]).find(|(name, _)| name.starts_with(what));
    let (name, calls) = asked.with_context(|| format!("no call is called {what:?}"))?;
    println!("{name}: the server's process is {server}");
    let target = if name == TILES_HTTP1 { Target::Http1(caller.address) } else { Target::Http2(caller.address) };
    let alone = vec![Loop::open(name, &target, calls).await?];
    for figure in alternate(alone, Some(server)).await? {
        sheet.add(figure);
    }
    Ok(())
}

/// Each kind of query over gRPC, by its name in the sheets.
fn grpc_calls(caller: Caller<'_>, queries: &Queries) -> Result<Vec<(String, Vec<Call>)>> {
    let on_the_map = [
        ("gRPC viewport world z2", caller.worlds(&queries.spots)?),
        ("gRPC viewport city z11", caller.cities(&queries.cities)?),
        ("gRPC nearest 10", caller.nearest(&queries.spots)?),
        ("gRPC radius 10 km, ~100 sites", caller.circles(&queries.circles, 1_000)?),
        ("gRPC radius 10 km anywhere, first 100", caller.circles(&queries.spots, 100)?),
        ("gRPC box, ~100 sites", caller.boxes(&queries.boxes[0])?),
        ("gRPC box, ~1,000 sites", caller.boxes(&queries.boxes[1])?),
        ("gRPC polygon of 100 corners, ~100 sites", caller.polygons(&queries.polygons)?),
    ];
    let mut calls: Vec<_> = on_the_map.into_iter().map(|(what, calls)| (what.to_owned(), calls)).collect();
    for (kind, typed) in &queries.searches {
        calls.push((format!("gRPC search, {kind}"), caller.searches(typed)?));
    }
    Ok(calls)
}

async fn tiles(sheet: &mut Sheet, caller: Caller<'_>, server: u32, queries: &Queries) -> Result<()> {
    let target = Target::Http1(caller.address);
    let filtered = caller.tiles_http1(&queries.tiles, FILTER);
    let loops = vec![
        Loop::open(format!("HTTP/1.1 {EMPTY_HTTP}"), &target, Caller::empty_http1()).await?,
        Loop::open(TILES_HTTP1, &target, caller.tiles_http1(&queries.tiles, "")).await?,
        Loop::open(format!("HTTP/1.1 tiles z0-z14, {FILTER}"), &target, filtered).await?,
    ];
    for figure in alternate(loops, Some(server)).await? {
        sheet.add(figure);
    }
    let target = Target::Http2(caller.address);
    let loops = vec![
        Loop::open(format!("HTTP/2 {EMPTY_HTTP}"), &target, caller.empty_http2()?).await?,
        Loop::open("HTTP/2 tiles z0-z14", &target, caller.tiles_http2(&queries.tiles)?).await?,
    ];
    for figure in alternate(loops, Some(server)).await? {
        sheet.add(figure);
    }
    Ok(())
}

/// Tiles and views of a screen at each zoom, around sites.
pub(crate) async fn each_zoom(sheet: &mut Sheet, caller: Caller<'_>, server: u32, plan: &Plan) -> Result<()> {
    let mut random = Random::new(37);
    let spots: Vec<_> = (0..PLACES).map(|_| plan.any_site(&mut random)).collect();
    let target = Target::Http1(caller.address);
    let mut loops =
        vec![Loop::open(format!("HTTP/1.1 {EMPTY_HTTP}, for zooms"), &target, Caller::empty_http1()).await?];
    for zoom in 0..=ZOOM_LAST {
        let tiles: Vec<_> = spots.iter().map(|site| (site.account, tile_of(site.position, zoom))).collect();
        loops.push(Loop::open(format!("HTTP/1.1 tile z{zoom}"), &target, caller.tiles_http1(&tiles, "")).await?);
    }
    for figure in alternate(loops, Some(server)).await? {
        sheet.add(figure);
    }
    let target = Target::Http2(caller.address);
    let mut loops = vec![Loop::open(format!("gRPC {EMPTY_GRPC}, for zooms"), &target, caller.empty_grpc()?).await?];
    for zoom in 0..=ZOOM_LAST {
        let views: Vec<_> = spots.iter().map(|site| (site.account, view(site.position, zoom))).collect();
        loops.push(Loop::open(format!("gRPC viewport z{zoom}"), &target, caller.views(&views, zoom)?).await?);
    }
    for figure in alternate(loops, Some(server)).await? {
        sheet.add(figure);
    }
    Ok(())
}

/// A question without places to ask about, as where accounts are too small for it, is told and left out.
async fn open_if_asked(
    sheet: &mut Sheet,
    loops: &mut Vec<Loop>,
    what: String,
    target: &Target,
    calls: Vec<Call>,
) -> Result<()> {
    if calls.is_empty() {
        sheet.add(Figure::of(what, "/s", Vec::new()).with_note("no place of these sites has so many"));
    } else {
        loops.push(Loop::open(what, target, calls).await?);
    }
    Ok(())
}
