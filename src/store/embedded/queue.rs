//! The way to the writer thread: a bounded queue of batches, each with a place for its answer.

use std::sync::Arc;
use std::sync::mpsc::Sender;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::super::batch::partition_of;
use super::super::document::Document;
use super::super::{Error, Mutation, Observer, packed};
use super::{Revision, rows};

/// Batches that may wait for the writer. When so many wait, callers wait before they queue: at 20,000 writes a second
/// the queue holds a fifth of a second of work.
const QUEUE_MAX: usize = 4_096;

/// A mutation with its document's bytes and their packed copy, made by the caller so that the writer need not.
#[derive(Debug)]
pub(super) struct Encoded {
    pub(super) mutation: Mutation,
    pub(super) bytes: Option<Vec<u8>>,
    pub(super) packed: Option<Vec<u8>>,
}

/// A batch and the place for its answer.
#[derive(Debug)]
pub(super) struct Job {
    /// At least one, all of one partition.
    pub(super) mutations: Vec<Encoded>,
    pub(super) answer: oneshot::Sender<Result<Revision, Error>>,
    /// Gives the batch's place in the queue back when the job is done.
    pub(super) _place: OwnedSemaphorePermit,
}

impl Job {
    /// The text of the partition that the batch writes to.
    pub(super) fn partition(&self) -> &str {
        self.mutations.first().map_or("", |encoded| rows::partition_text(encoded.mutation.key.partition.as_ref()))
    }
}

/// Who waits for a file without what was deleted.
pub(super) type Scrubber = oneshot::Sender<Result<(), Error>>;

/// What the writer is told.
#[derive(Debug)]
pub(super) enum Order {
    Write(Job),
    Observe(Arc<dyn Observer>),
    Scrub(Scrubber),
    Close(oneshot::Sender<()>),
}

/// The callers' end of the queue.
#[derive(Debug)]
pub(super) struct Queue {
    orders: Mutex<Sender<Order>>,
    places: Arc<Semaphore>,
}

impl Queue {
    pub(super) fn new(orders: Sender<Order>) -> Self {
        Self { orders: Mutex::new(orders), places: Arc::new(Semaphore::new(QUEUE_MAX)) }
    }

    /// Queues a batch and waits for its answer.
    pub(super) async fn submit(&self, batch: Vec<Mutation>) -> Result<Revision, Error> {
        partition_of(&batch)?;
        let mutations = batch.into_iter().map(encode).collect::<Result<Vec<_>, Error>>()?;
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| closed())?;
        let (answer, answered) = oneshot::channel();
        self.send(Order::Write(Job { mutations, answer, _place: place }))?;
        // A writer that ends in its midst may have written it.
        answered.await.map_err(|_| Error::Unknown { cause: "the store ended before it answered".into() })?
    }

    /// Tells the writer whom to tell.
    pub(super) fn observe(&self, observer: Arc<dyn Observer>) {
        // A writer that is gone has nothing to tell.
        let _ = self.send(Order::Observe(observer));
    }

    /// Waits until the database is written anew and its log empty, after everything that is queued before.
    pub(super) async fn scrub(&self) -> Result<(), Error> {
        let (done, is_done) = oneshot::channel();
        self.send(Order::Scrub(done))?;
        is_done.await.map_err(|_| closed())?
    }

    /// Refuses new batches, and waits until the queued ones are done.
    pub(super) async fn close(&self) {
        self.places.close();
        let (done, is_done) = oneshot::channel();
        if self.send(Order::Close(done)).is_ok() {
            // A writer that is gone is closed.
            let _ = is_done.await;
        }
    }

    fn send(&self, order: Order) -> Result<(), Error> {
        self.orders.lock().send(order).map_err(|_| closed())
    }
}

fn encode(mutation: Mutation) -> Result<Encoded, Error> {
    let bytes = mutation.document.as_ref().map(Document::encode).transpose();
    let bytes = bytes.map_err(|cause| Error::Unavailable { cause: format!("a record cannot be encoded: {cause}") })?;
    let packed = mutation.document.as_ref().and_then(packed::pack);
    Ok(Encoded { mutation, bytes, packed })
}

fn closed() -> Error {
    Error::Unavailable { cause: "it is closed".into() }
}
