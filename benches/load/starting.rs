//! Start, end and memory of the process: ready after a clean end and after `kill -9`, and what a site costs.

use anyhow::Result;
use waymark::api::proto::waymark::v1 as pb;

use crate::calls::Caller;
use crate::closed_loop::{Loop, alternate, together};
use crate::data::queries::Queries;
use crate::data::{Plan, account_id};
use crate::fill::Filled;
use crate::killing;
use crate::measure::{self, Figure, Sheet, settings};
use crate::server::Server;
use crate::wire::{Call, Target, http2};

/// Sites whose status is changed.
pub(crate) const CHANGED: usize = 2_000;
/// What it is changed to, in turn.
pub(crate) const STATUSES: [pb::SiteStatus; 3] =
    [pb::SiteStatus::Online, pb::SiteStatus::Offline, pb::SiteStatus::Maintenance];
/// Starts of each kind.
const STARTS: usize = 3;

/// Start after start: clean ends and `kill -9` under writes in turn.
pub(crate) async fn measure(sheet: &mut Sheet, plan: &Plan, filled: &Filled) -> Result<()> {
    let (mut clean, mut killed, mut writers) = (Vec::new(), Vec::new(), usize::MAX);
    for _ in 0..settings::rounds().min(STARTS) {
        let server = Server::start(&filled.path)?;
        clean.push(server.ready_s);
        server.end()?;
        let restart = killing::restart(plan, filled).await?;
        killed.push(restart.ready_s);
        writers = writers.min(restart.writers);
    }
    sheet.add(Figure::of("ready after a clean end", "s", clean));
    let note = format!("killed while {writers} writers wrote; every acknowledged change was found again");
    sheet.add(Figure::of("ready after kill -9", "s", killed).with_note(note));
    Ok(())
}

/// Memory of a process without sites, and what one with sites holds beyond it.
#[expect(clippy::cast_precision_loss, reason = "a number of sites")]
pub(crate) fn memory(sheet: &mut Sheet, plan: &Plan, server: &Server) -> Result<()> {
    let empty = measure::directory("stores").join("empty");
    if empty.exists() {
        std::fs::remove_dir_all(&empty)?;
    }
    let idle = Server::start(&empty)?;
    let idle_bytes = idle.memory()?.resident;
    idle.end()?;
    let full = server.memory()?;
    let a_site = (full.resident - idle_bytes) / plan.len() as f64;
    sheet.add(Figure::of("process without sites", "MiB", vec![idle_bytes / f64::from(1 << 20)]));
    sheet.add(Figure::of("process with all sites", "MiB", vec![full.resident / f64::from(1 << 20)]));
    sheet.add(Figure::of("process at its peak", "MiB", vec![full.peak / f64::from(1 << 20)]));
    let note =
        "of the whole process after its start, without what it holds when empty: map, names, agents' credentials";
    sheet.add(Figure::of("resident bytes a site of the process", "B", vec![a_site]).with_note(note));
    Ok(())
}

/// Changes of status through the API, each a durable write: alone, and beside tiles.
pub(crate) async fn writes(
    sheet: &mut Sheet,
    plan: &Plan,
    caller: Caller<'_>,
    server: u32,
    queries: &Queries,
) -> Result<()> {
    let target = Target::Http2(caller.address);
    let loops = vec![Loop::open("gRPC UpdateSite status, 8 writers", &target, changes(caller, plan)?).await?];
    for figure in alternate(loops, Some(server)).await? {
        sheet.add(figure.with_note("each answered when it is on the disk"));
    }
    let writers = Loop::open("gRPC UpdateSite status beside tiles", &target, changes(caller, plan)?).await?;
    let tiles = caller.tiles_http1(&queries.tiles, "");
    let readers = Loop::open("HTTP/1.1 tiles beside 8 writers", &Target::Http1(caller.address), tiles).await?;
    for figure in together(writers, readers).await? {
        sheet.add(figure.with_note("8 writers and 8 readers at once"));
    }
    Ok(())
}

/// Changes of the status of sites of the first account, each to another status than the one before.
fn changes(caller: Caller<'_>, plan: &Plan) -> Result<Vec<Call>> {
    let change = |(turn, number): (usize, usize)| {
        let name = format!("accounts/{}/sites/{}", account_id(0), plan.site(number).id);
        let status = STATUSES[(turn + number) % STATUSES.len()] as i32;
        let message = pb::UpdateSiteRequest {
            site: Some(pb::Site { name, status, ..pb::Site::default() }),
            update_mask: Some(prost_types::FieldMask { paths: vec!["status".into()] }),
            ..pb::UpdateSiteRequest::default()
        };
        http2::grpc(caller.address, "SiteService/UpdateSite", &caller.filled.editor, &message)
    };
    let turns = 0..STATUSES.len();
    turns.flat_map(|turn| plan.sites_of(0).take(CHANGED).map(move |number| (turn, number))).map(change).collect()
}
