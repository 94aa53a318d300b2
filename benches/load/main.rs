//! The server under load over real sockets: start, memory, tiles over HTTP, queries over gRPC, each beside an empty call.
//!
//! `cargo bench --bench load` fills data directories (kept for the next run), starts the server on free ports of loopback,
//! and calls it from eight connections in closed loops. The generator is one thread of the same machine: it takes a part
//! of the cores that the server would have had, from the empty call as from any other.

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, reason = "a bench reports on standard output")]

mod activating;
mod calls;
mod closed_loop;
mod compare;
#[path = "../data/mod.rs"]
#[allow(dead_code, reason = "each bench uses its part")]
mod data;
mod durable;
mod fill;
mod fleet;
mod following;
mod growth;
mod killing;
#[path = "../measure/mod.rs"]
#[allow(dead_code, reason = "each bench uses its part")]
mod measure;
mod overload;
mod paced;
mod reporting;
mod searchable;
mod server;
mod serving;
mod starting;
mod streams;
mod wire;
mod writing;

use anyhow::{Context as _, Result, bail};

use calls::Caller;
use data::queries::Queries;
use data::{Plan, Shape};
use measure::{Sheet, settings};
use server::Server;

/// The server's own allocator, for the sake of the fill.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Queries of each kind.
const QUERIES: usize = 4_096;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.first().map(String::as_str) {
        None => everything().await,
        Some("activation") => activating::measure().await,
        Some("fleet") => fleet::measure().await,
        Some("growth") => growth_alone().await,
        Some("durable") => writes_alone(false).await,
        Some("paced") => writes_alone(true).await,
        Some("overload") => overload::measure().await,
        Some("query") => query_alone(&arguments[1..].join(" ")).await,
        Some("compare") => compare::measure(&arguments[1..]).await,
        Some("export") => compare::export::write(&arguments[1..]),
        Some(other) => {
            let known =
                "`activation`, `durable`, `fleet`, `growth`, `overload`, `paced`, `query NAME`, `compare` or `export`";
            bail!("unknown: {other}; say nothing, {known}")
        }
    }
}

async fn everything() -> Result<()> {
    let sizes = settings::sites();
    for size in &sizes {
        measure_shape(Shape::One, *size).await?;
    }
    measure_shape(Shape::Many, settings::sites_of_many(&sizes)).await?;
    if let [small, .., large] = sizes[..] {
        growth::measure(small, large).await?;
    }
    activating::measure().await
}

/// Growth from the first to the last of the sizes, without the rest.
async fn growth_alone() -> Result<()> {
    let sizes = settings::sites();
    let [small, .., large] = sizes[..] else { bail!("growth needs two sizes: BENCH_SITES='10000 10000000'") };
    growth::measure(small, large).await
}

/// One kind of query on the last of the sizes, for a profiler.
async fn query_alone(what: &str) -> Result<()> {
    let sites = settings::sites().last().copied().context("BENCH_SITES names no size")?;
    let plan = Plan::new(Shape::One, sites);
    let filled = fill::directory(Shape::One, &plan).await?;
    let queries = Queries::new(&plan, &data::entry::maps(&plan, data::entry::of_name).0, QUERIES, 3);
    let server = Server::start(&filled.path)?;
    let caller = Caller { address: server.address, filled: &filled };
    searchable::wait(&server, &filled).await?;
    let mut sheet = Sheet::new("query", Shape::One.name(), plan.len(), 1);
    serving::one_alone(&mut sheet, caller, server.id(), &queries, what).await?;
    server.end()
}

/// Durable writes on the last of the sizes in many accounts, or tiles beside changes at a pace, for a profiler.
async fn writes_alone(are_paced: bool) -> Result<()> {
    let sites = settings::sites().last().copied().context("BENCH_SITES names no size")?;
    let plan = Plan::new(Shape::Many, sites);
    let filled = fill::directory(Shape::Many, &plan).await?;
    let queries = Queries::new(&plan, &data::entry::maps(&plan, data::entry::of_name).0, QUERIES, 3);
    let server = Server::start(&filled.path)?;
    let caller = Caller { address: server.address, filled: &filled };
    searchable::wait(&server, &filled).await?;
    let mut sheet = Sheet::new("writes", Shape::Many.name(), plan.len(), plan.accounts());
    if are_paced {
        paced::measure(&mut sheet, &plan, caller, &server, &queries).await?;
    } else {
        durable::measure(&mut sheet, &plan, caller, server.id()).await?;
    }
    server.end()
}

async fn measure_shape(shape: Shape, sites: usize) -> Result<()> {
    let plan = Plan::new(shape, sites);
    let filled = fill::directory(shape, &plan).await?;
    let mut sheet = Sheet::new("load", shape.name(), plan.len(), plan.accounts());
    starting::measure(&mut sheet, &plan, &filled).await?;
    // The maps only serve to find places with about so many sites; their memory is free again before the load.
    let queries = Queries::new(&plan, &data::entry::maps(&plan, data::entry::of_name).0, QUERIES, 3);
    let server = Server::start(&filled.path)?;
    starting::memory(&mut sheet, &plan, &server)?;
    let note = "from the start of the process; until then the index is read beside whatever is asked";
    let searchable = searchable::wait(&server, &filled).await?;
    sheet.add(measure::Figure::of("searchable after the start", "s", vec![searchable]).with_note(note));
    let caller = Caller { address: server.address, filled: &filled };
    serving::measure(&mut sheet, caller, server.id(), &queries).await?;
    if shape == Shape::Many {
        serving::each_zoom(&mut sheet, caller, server.id(), &plan).await?;
    }
    paced::measure(&mut sheet, &plan, caller, &server, &queries).await?;
    starting::writes(&mut sheet, &plan, caller, server.id(), &queries).await?;
    durable::measure(&mut sheet, &plan, caller, server.id()).await?;
    server.end()?;
    Ok(sheet.write()?)
}
