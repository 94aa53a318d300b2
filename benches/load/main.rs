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
mod fill;
mod growth;
mod killing;
#[path = "../measure/mod.rs"]
#[allow(dead_code, reason = "each bench uses its part")]
mod measure;
mod reporting;
mod server;
mod serving;
mod starting;
mod wire;

use anyhow::{Result, bail};

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
        Some("compare") => compare::measure(&arguments[1..]).await,
        Some("export") => compare::export::write(&arguments[1..]),
        Some(other) => bail!("unknown: {other}; say nothing, `activation`, `compare` or `export`"),
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

async fn measure_shape(shape: Shape, sites: usize) -> Result<()> {
    let plan = Plan::new(shape, sites);
    let filled = fill::directory(shape, &plan).await?;
    let mut sheet = Sheet::new("load", shape.name(), plan.len(), plan.accounts());
    starting::measure(&mut sheet, &plan, &filled).await?;
    // The maps only serve to find places with about so many sites; their memory is free again before the load.
    let queries = Queries::new(&plan, &data::entry::maps(&plan, data::entry::of_name).0, QUERIES, 3);
    let server = Server::start(&filled.path)?;
    starting::memory(&mut sheet, &plan, &server)?;
    let caller = Caller { address: server.address, filled: &filled };
    serving::measure(&mut sheet, caller, server.id(), &queries).await?;
    starting::writes(&mut sheet, &plan, caller, server.id(), &queries).await?;
    server.end()?;
    Ok(sheet.write()?)
}
