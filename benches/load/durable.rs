//! Durable writes through the API, beside a file that is appended to and synced in the same directory.

use std::time::Instant;

use anyhow::Result;
use waymark::api::proto::waymark::v1 as pb;

use crate::calls::Caller;
use crate::closed_loop::{How, Loop, alternate};
use crate::data::{Plan, account_id};
use crate::measure::{Figure, Sheet, disk, settings};
use crate::starting::STATUSES;
use crate::wire::{Call, Target, http2};

/// Writers at once, each with a connection of its own.
const WRITERS: [usize; 2] = [64, 1];
/// Calls of a loop: more than are made, since each is made once.
const CALLS: usize = 131_072;

/// Changes of status, each of which is on the disk before it is answered.
#[expect(clippy::cast_precision_loss, reason = "a count of calls")]
pub(crate) async fn measure(sheet: &mut Sheet, plan: &Plan, caller: Caller<'_>, server: u32) -> Result<()> {
    let (mut rates, mut times) = (Vec::new(), Vec::new());
    for _ in 0..settings::socket_rounds() {
        let begun = Instant::now();
        let appended = disk::append(&caller.filled.path, settings::slice())?;
        rates.push(appended.len() as f64 / begun.elapsed().as_secs_f64());
        times.extend(appended);
    }
    let raw = Figure::of("append and fdatasync, one thread", "/s", rates).with_times(&mut times);
    let mut loops = Vec::new();
    for (turn, writers) in WRITERS.into_iter().enumerate() {
        let what = format!("gRPC durable change of status, {writers} writer{}", if writers == 1 { "" } else { "s" });
        let how = How { connections: writers, is_once: true, ..How::default() };
        loops.push(
            Loop::open_as(how, what, &Target::Http2(caller.address), changes(caller, plan, writers, turn)?).await?,
        );
    }
    for figure in alternate(loops, Some(server)).await? {
        sheet.add(figure.against(&raw).with_note("each answered when it is on the disk"));
    }
    sheet.add(raw.with_note(format!("{} bytes each, in the same directory, just before", disk::APPEND_BYTES)));
    Ok(())
}

/// Calls of which each writer's share changes sites that no other writer's does. Most sites are online: each loop begins with
/// another status, of its own.
fn changes(caller: Caller<'_>, plan: &Plan, writers: usize, turn: usize) -> Result<Vec<Call>> {
    let sites = plan.sites_of(0);
    let own = (sites.len() / writers).clamp(1, CALLS / writers);
    let change = |(writer, step): (usize, usize)| {
        let number = sites.start + writer * own + step % own;
        let name = format!("accounts/{}/sites/{}", account_id(0), plan.site(number).id);
        let status = STATUSES[(turn + 1 + step / own) % STATUSES.len()] as i32;
        let message = pb::UpdateSiteRequest {
            site: Some(pb::Site { name, status, ..pb::Site::default() }),
            update_mask: Some(prost_types::FieldMask { paths: vec!["status".into()] }),
            ..pb::UpdateSiteRequest::default()
        };
        http2::grpc(caller.address, "SiteService/UpdateSite", &caller.filled.editor, &message)
    };
    (0..writers).flat_map(|writer| (0..CALLS / writers).map(move |step| (writer, step))).map(change).collect()
}
