//! Reads of single records, gathered as writes are: whoever asks while a thread reads is answered by that thread, in one look at the
//! store for all who wait.
//!
//! A hand-over to a thread, a look at what the writer did, and pages that are read anew behind each commit cost more than the record.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::super::{Error, Key, Record, Unreadable};
use super::rows;

/// Most records of one look at the store: bounds how long the first who asked waits for the last.
const GROUP_MAX: usize = 16;
/// So many who wait for each thread that reads are not too many for it; of records that are in no cache, each takes a disk's time.
const WAITING_EACH: usize = 4;
/// Most threads that read for those who wait.
const READERS_MAX: usize = 8;

type Found = Result<Result<Option<Record>, Unreadable>, Error>;

/// Who waits for which record.
#[derive(Debug)]
struct Asked {
    key: Key,
    answer: oneshot::Sender<Found>,
}

#[derive(Debug, Default)]
struct Waiting {
    asked: VecDeque<Asked>,
    /// Threads that read, or are about to: none is only where nobody waits.
    readers: usize,
}

/// All who wait for single records.
#[derive(Debug, Default)]
pub(super) struct Gets(Arc<Mutex<Waiting>>);

/// A thread's turn to read for those who wait.
#[derive(Debug)]
pub(super) struct Turn {
    waiting: Arc<Mutex<Waiting>>,
    is_over: bool,
}

impl Gets {
    /// Notes who asks. A turn is for a thread to take, where those that read are too few.
    pub(super) fn ask(&self, key: Key) -> (oneshot::Receiver<Found>, Option<Turn>) {
        let (answer, answered) = oneshot::channel();
        let mut waiting = self.0.lock();
        waiting.asked.push_back(Asked { key, answer });
        let is_short = waiting.readers < READERS_MAX && waiting.asked.len() > waiting.readers * WAITING_EACH;
        let turn = is_short.then(|| {
            waiting.readers += 1;
            Turn { waiting: Arc::clone(&self.0), is_over: false }
        });
        (answered, turn)
    }
}

impl Turn {
    /// Answers those who wait, until none does.
    pub(super) fn take(mut self, connection: &Connection, path: &Path) {
        while let Some(group) = self.next() {
            // One read transaction: one look at what the writer did meanwhile. Without it each read looks for itself.
            let transaction = (group.len() > 1).then(|| connection.unchecked_transaction());
            for Asked { key, answer } in group {
                // Who asked may have gone: nothing is read for nobody.
                if !answer.is_closed() {
                    let _ = answer.send(rows::get(connection, path, &key));
                }
            }
            drop(transaction);
        }
    }

    /// Those who waited longest. Where nobody waits the turn is over, before anybody else can ask.
    fn next(&mut self) -> Option<Vec<Asked>> {
        let mut waiting = self.waiting.lock();
        if waiting.asked.is_empty() {
            waiting.readers -= 1;
            self.is_over = true;
            return None;
        }
        let count = waiting.asked.len().min(GROUP_MAX);
        Some(waiting.asked.drain(..count).collect())
    }
}

/// A turn that nobody took, because the runtime ends or the file does not open, or that a panic ended.
impl Drop for Turn {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let mut waiting = self.waiting.lock();
        waiting.readers -= 1;
        if waiting.readers == 0 {
            // Nobody reads for them any more: they hear that there is no answer.
            waiting.asked.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Kind;

    fn key(number: usize) -> Key {
        Key::operator(Kind::SiteName, number.to_string())
    }

    #[test]
    fn threads_are_added_while_more_wait_than_they_answer_soon() {
        let gets = Gets::default();
        let all: Vec<_> = (0..100).map(|number| gets.ask(key(number))).collect();
        let turns: Vec<usize> = (0..100).filter(|number| all[*number].1.is_some()).collect();
        let expected: Vec<usize> = (0..READERS_MAX).map(|readers| readers * WAITING_EACH).collect();
        assert_eq!(turns, expected);
    }

    #[test]
    fn a_turn_that_nobody_took_is_told_to_those_who_wait_and_keeps_nobody_else_waiting() {
        let gets = Gets::default();
        let (mut first, turn) = gets.ask(key(1));
        let (mut second, none) = gets.ask(key(2));
        assert!(turn.is_some() && none.is_none());
        assert!(second.try_recv().is_err_and(|cause| cause == oneshot::error::TryRecvError::Empty));
        drop(turn);
        for answered in [&mut first, &mut second] {
            assert!(answered.try_recv().is_err_and(|cause| cause == oneshot::error::TryRecvError::Closed));
        }
        assert!(gets.ask(key(3)).1.is_some(), "who asks next has a thread started");
    }

    #[test]
    fn a_turn_that_nobody_took_leaves_those_who_wait_to_the_others() {
        let gets = Gets::default();
        let mut all: Vec<_> = (0..=WAITING_EACH).map(|number| gets.ask(key(number))).collect();
        drop(all[WAITING_EACH].1.take().expect("a second thread"));
        assert!(all[0].0.try_recv().is_err_and(|cause| cause == oneshot::error::TryRecvError::Empty));
        let mut turn = all[0].1.take().expect("the first thread");
        assert_eq!(turn.next().map(|group| group.len()), Some(WAITING_EACH + 1));
        assert!(turn.next().is_none() && gets.ask(key(7)).1.is_some(), "its turn is over");
    }
}
