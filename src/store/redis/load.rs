//! Reading everything that memory is made of: page after page of each account, decoded while the next is on its way.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use futures_util::future::try_join_all;
use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::super::{Error, Kind, Loaded, Visit, faults};
use super::trouble::{self, Trouble};
use super::walk::Walk;
use super::{Redis, pages, place, value};

/// Pages that are read while one is decoded.
const PAGES_AHEAD: usize = 2;

/// Number of the partition, account and kind.
type Part = (usize, String, Kind);

/// Gives every record of the kinds that are loaded to one of `visits`.
pub(super) async fn load(store: &Redis, visits: Vec<Visit>) -> Result<(), Error> {
    for lane in &store.lanes {
        // Everything up to here is in the records that are read next.
        *lane.loaded_at.lock() = Some(lane.progress.borrow().position.clone());
    }
    let mut parts = VecDeque::new();
    for (number, lane) in store.lanes.iter().enumerate() {
        let there = store.head(lane).await?;
        if let Some(head) = &there {
            head.tell_strays(&store.names, lane.partition);
        }
        let accounts = there.into_iter().flat_map(|head| head.revisions);
        parts.extend(accounts.flat_map(|(account, _)| Kind::LOADED.map(|kind| (number, account.clone(), kind))));
    }
    let parts = Arc::new(Mutex::new(parts));
    try_join_all(visits.into_iter().map(|visit| load_parts(store, &parts, visit))).await.map(drop)
}

/// Gives the records of the parts that it gets to `visit`, off the async threads. Where the index of ids is damaged it does without;
/// sites of which the records themselves are something else are left out, as each of them is that cannot be read.
async fn load_parts(store: &Redis, parts: &Mutex<VecDeque<Part>>, mut visit: Visit) -> Result<(), Error> {
    let path = place(&store.nodes.settings.prefix);
    let told = path.clone();
    let (pages, mut read) = mpsc::channel::<(String, Kind, Vec<pages::Row>)>(PAGES_AHEAD);
    let decoding = tokio::task::spawn_blocking(move || {
        while let Some((account, kind, rows)) = read.blocking_recv() {
            rows.iter().for_each(|row| show(&account, kind, row, &path, &mut *visit));
        }
    });
    let next = || parts.lock().pop_front();
    while let Some((number, account, kind)) = next() {
        let lane = store.lanes.get(number).ok_or(Error::Partitions)?;
        let mut walk = Walk::new(&store.names, &lane.generation, &account, kind);
        while let Some(call) = walk.call() {
            let page = match store.ask(lane, &call).await {
                Ok(answer) => walk.take(answer).map_err(|cause| Trouble::of_read(&cause))?,
                Err(cause) if trouble::is_of_index(&cause) && walk.leave_index() => continue,
                Err(Error::Damaged { .. }) if kind == Kind::Site && walk.has_no_index() => break,
                // It may be more than comes in time. A Redis that is not there refuses less as soon as much.
                Err(Error::Unavailable { .. }) if walk.ask_less() => continue,
                Err(cause) => return Err(cause),
            };
            let rows = page.told(&account, kind, &told);
            if !rows.is_empty() && pages.send((account.clone(), kind, rows)).await.is_err() {
                break;
            }
        }
    }
    drop(pages);
    faults::joined(decoding.await)
}

/// Shows one record, if it is what was written.
fn show(account: &str, kind: Kind, row: &pages::Row, path: &Path, visit: &mut dyn FnMut(Result<Loaded<'_>, Error>)) {
    let corrupt = || Error::from(faults::unreadable(account, kind, &row.id, path));
    let parts = row.value.as_deref().and_then(|value| value::parts(account, kind, row.id.as_bytes(), value));
    let Some(parts) = parts else { return visit(Err(corrupt())) };
    let copy = (!parts.copy.is_empty()).then_some(parts.copy);
    visit(Loaded::decode(kind, parts.document, copy).ok().flatten().ok_or_else(corrupt));
}
