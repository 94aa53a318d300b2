//! An account that is read anew: each page is decoded aside while Redis answers the next one, and told in its turn.
//!
//! The observer is told on the follower's own task, a page after the other: whoever ends that task ends what is told.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use redis::Value;
use redis::aio::MultiplexedConnection;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc};
use tokio::task::JoinHandle;

use super::super::{Kind, Mutation, Observer, Resync, Revision, faults};
use super::follower::{Follower, Stop};
use super::pages::Page;
use super::trouble::Trouble;
use super::value;
use super::walk::Walk;
use crate::model::id::AccountId;

/// Pages of one account that wait to be told while another one is.
const PAGES_AHEAD: usize = 2;
/// Pages that are decoded, or wait to be told, of all partitions together: some megabytes each.
const PAGES_MAX: usize = 16;

/// A place for each of these pages.
static PLACES: Semaphore = Semaphore::const_new(PAGES_MAX);

/// A page on its way to the observer, and its place.
type Decoding = (JoinHandle<Decoded>, SemaphorePermit<'static>);

/// What is read.
#[derive(Debug)]
struct Wanted {
    partition: Option<AccountId>,
    /// Records of up to this revision are known to the observer.
    known: Revision,
    /// Where it is read, for who is told of what cannot be.
    place: PathBuf,
}

/// A page.
#[derive(Debug)]
struct Decoded {
    kind: Kind,
    /// The ids that are there.
    ids: Vec<String>,
    /// Those of the records that are not known.
    mutations: Vec<Mutation>,
}

impl Wanted {
    fn decode(&self, kind: Kind, page: Page) -> Decoded {
        let (partition, account) = (self.partition.as_ref(), value::account_text(self.partition.as_ref()));
        let rows = page.told(account, kind, &self.place);
        // As a rule all are known, or none.
        let (mut ids, mut mutations) = (Vec::with_capacity(rows.len()), Vec::new());
        for row in rows {
            if !row.is_known(self.known) {
                match row.mutation(partition, kind) {
                    Some(mutation) => mutations.push(mutation),
                    None => drop(faults::unreadable(account, kind, &row.id, &self.place)),
                }
            }
            ids.push(row.id);
        }
        Decoded { kind, ids, mutations }
    }
}

impl Follower {
    /// Tells the observer of all records of an account that it does not know, and of which there are; how many those are.
    pub(super) async fn resync_account(
        &self,
        observer: &dyn Observer,
        account: &str,
        revision: Revision,
        continues: bool,
        connection: &mut MultiplexedConnection,
    ) -> Result<usize, Stop> {
        let Ok(partition) = value::partition_of(account) else { return Ok(0) };
        // What was told and is a part of what is there need not be read.
        let standing = observer.standing(partition.as_ref());
        let known = if continues && standing <= revision { standing } else { Revision::default() };
        let place = super::place(&self.nodes.settings.prefix);
        let wanted = Arc::new(Wanted { partition: partition.clone(), known, place });
        let (pages, decoded) = mpsc::channel(PAGES_AHEAD);
        // Both to their ends: what was read before the connection failed is told before anything else is.
        let (read, told) = tokio::join!(self.read_pages(account, &wanted, pages, connection), tell(observer, decoded));
        read?;
        let present = told?;
        observer.resynced(Resync::End { partition: partition.as_ref(), revision, present: &present, continues });
        Ok(present.len())
    }

    /// Asks for one page after the other, and has each decoded. Without a fault to the end, unless telling failed.
    async fn read_pages(
        &self,
        account: &str,
        wanted: &Arc<Wanted>,
        pages: mpsc::Sender<Decoding>,
        connection: &mut MultiplexedConnection,
    ) -> Result<(), Stop> {
        for kind in Kind::IN_MEMORY {
            let asked = self.records.get(account, kind);
            let mut walk = Walk::new(&self.names, &self.generation, account, kind).beyond(wanted.known).by(asked);
            while let Some(call) = walk.call() {
                let begun = Instant::now();
                let answer = call.query_async::<Value>(connection).await;
                let took = begun.elapsed();
                let page = match answer.inspect_err(|cause| self.records.failed(account, kind, asked, cause)) {
                    Ok(answer) => walk.take(answer)?,
                    Err(cause) => match Trouble::of(&cause) {
                        trouble if trouble.is_of_index() && walk.leave_index() => {
                            trouble.told();
                            continue;
                        }
                        _ => return Err(cause.into()),
                    },
                };
                if page.len() >= asked {
                    self.records.came(asked, took);
                }
                let place = PLACES.acquire().await.map_err(|closed| Stop::Lost(closed.to_string()))?;
                let wanted = Arc::clone(wanted);
                let decoding = tokio::task::spawn_blocking(move || wanted.decode(kind, page));
                if pages.send((decoding, place)).await.is_err() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// Tells what was decoded, in the order in which it was read; all ids that there are.
async fn tell(observer: &dyn Observer, mut pages: mpsc::Receiver<Decoding>) -> Result<HashSet<(Kind, String)>, Stop> {
    let mut present = HashSet::new();
    while let Some((decoding, _place)) = pages.recv().await {
        let decoded = faults::joined(decoding.await).map_err(|cause| Stop::Lost(cause.to_string()))?;
        let Decoded { kind, ids, mutations } = decoded;
        if !mutations.is_empty() {
            observer.resynced(Resync::Records(&mutations));
        }
        present.extend(ids.into_iter().map(|id| (kind, id)));
    }
    Ok(present)
}
