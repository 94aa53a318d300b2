//! Writes under way: each is answered once it is durable and this replica's memory has it, or when its fate is not known.
//!
//! Two tell of a write: the answer of Redis, and the stream that every replica reads. When the answer is lost, the
//! stream still tells that the write was done.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::super::{Error, Revision};

/// Tells one write from all others.
pub(super) type Tag = String;

/// For so long a write whose answer was lost may still show up in the stream.
const LOST_MAX: Duration = Duration::from_secs(3);
/// For so long a write that Redis has may take to show up here.
const SEEN_MAX: Duration = Duration::from_secs(10);

#[derive(Debug)]
struct Write {
    answer: oneshot::Sender<Result<Revision, Error>>,
    /// Gives the write's place in the queue back.
    _place: OwnedSemaphorePermit,
    /// Its sequence and revision, when it is as durable as the configuration asks, and since when.
    durable: Option<(u64, Revision, Instant)>,
    /// Its revision, when memory has it.
    seen: Option<Revision>,
    /// Since when its answer counts as lost.
    lost: Option<Instant>,
}

/// Writes to one partition that are not answered yet.
#[derive(Debug, Default)]
pub(super) struct Pending(Mutex<HashMap<Tag, Write>>);

impl Pending {
    /// Takes note of a write before it is sent.
    pub(super) fn begin(
        &self,
        tag: Tag,
        place: OwnedSemaphorePermit,
        answer: oneshot::Sender<Result<Revision, Error>>,
    ) {
        let write = Write { answer, _place: place, durable: None, seen: None, lost: None };
        self.0.lock().insert(tag, write);
    }

    /// Redis has it, as safely as it should.
    pub(super) fn is_durable(&self, tag: &str, sequence: u64, revision: Revision) {
        let mut writes = self.0.lock();
        let Some(write) = writes.get_mut(tag) else { return };
        write.durable = Some((sequence, revision, Instant::now()));
        if write.seen.is_some() {
            answer(writes.remove(tag), Ok(revision));
        }
    }

    /// Memory has it.
    pub(super) fn is_seen(&self, tag: &str, revision: Revision) {
        let mut writes = self.0.lock();
        let Some(write) = writes.get_mut(tag) else { return };
        write.seen = Some(revision);
        if write.durable.is_some() || write.lost.is_some() {
            answer(writes.remove(tag), Ok(revision));
        }
    }

    /// Memory has everything up to a sequence.
    pub(super) fn are_seen(&self, up_to: u64) {
        let mut writes = self.0.lock();
        let is_seen = |write: &Write| write.durable.is_some_and(|(sequence, _, _)| sequence <= up_to);
        let tags: Vec<Tag> = writes.iter().filter(|(_, write)| is_seen(write)).map(|(tag, _)| tag.clone()).collect();
        for tag in tags {
            let write = writes.remove(&tag);
            if let Some(revision) = write.as_ref().and_then(|write| write.durable).map(|(_, revision, _)| revision) {
                answer(write, Ok(revision));
            }
        }
    }

    /// Redis lost commits: those that it said to have may be among them.
    pub(super) fn are_in_doubt(&self) {
        for (_, write) in self.0.lock().extract_if(|_, write| write.durable.is_some()) {
            answer(Some(write), Err(unknown()));
        }
    }

    /// It was not done, or nobody can know.
    pub(super) fn failed(&self, tag: &str, cause: Error) {
        answer(self.0.lock().remove(tag), Err(cause));
    }

    /// Its answer was lost. `is_safe`: what the stream shows is as durable as it should be.
    pub(super) fn lost(&self, tag: &str, is_safe: bool) {
        let mut writes = self.0.lock();
        let Some(write) = writes.get_mut(tag) else { return };
        if !is_safe {
            return answer(writes.remove(tag), Err(unknown()));
        }
        match write.seen {
            Some(revision) => answer(writes.remove(tag), Ok(revision)),
            None => {
                // When the stream shows it, it is done.
                write.lost = Some(Instant::now());
            }
        }
    }

    /// Answers those that waited too long.
    pub(super) fn sweep(&self) {
        let mut writes = self.0.lock();
        let is_over = |write: &Write| {
            write.lost.is_some_and(|since| since.elapsed() > LOST_MAX)
                || write.durable.is_some_and(|(_, _, since)| since.elapsed() > SEEN_MAX)
        };
        let tags: Vec<Tag> = writes.iter().filter(|(_, write)| is_over(write)).map(|(tag, _)| tag.clone()).collect();
        for tag in tags {
            answer(writes.remove(&tag), Err(unknown()));
        }
    }

    /// Answers all: the store ends.
    pub(super) fn end(&self) {
        for (_, write) in self.0.lock().drain() {
            answer(Some(write), Err(unknown()));
        }
    }

    /// Whether any write is under way.
    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }
}

fn unknown() -> Error {
    Error::Unknown { cause: "Redis did not tell whether it was done".into() }
}

fn answer(write: Option<Write>, outcome: Result<Revision, Error>) {
    if let Some(write) = write {
        // A caller that stopped waiting loses the answer, not the write.
        let _ = write.answer.send(outcome);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Semaphore;
    use tokio::sync::oneshot::Receiver;

    use super::*;

    fn begin(pending: &Pending, tag: &str) -> Receiver<Result<Revision, Error>> {
        let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        let (answer, answered) = oneshot::channel();
        pending.begin(tag.to_owned(), place, answer);
        answered
    }

    /// The numbers of commits that took the place of lost ones say nothing of those.
    #[test]
    fn what_redis_lost_is_not_taken_for_seen() {
        let pending = Pending::default();
        let (mut lost, mut sent) = (begin(&pending, "lost"), begin(&pending, "sent"));
        pending.is_durable("lost", 7, Revision(3));
        pending.are_in_doubt();
        pending.are_seen(9);
        assert!(matches!(lost.try_recv(), Ok(Err(Error::Unknown { .. }))));
        assert!(sent.try_recv().is_err(), "one without an answer goes on waiting for it");
        pending.is_durable("sent", 10, Revision(4));
        pending.are_seen(10);
        assert!(matches!(sent.try_recv(), Ok(Ok(Revision(4)))));
    }
}
