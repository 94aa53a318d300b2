//! Whose turn it is to ask a server: those who wait are served by turns between those on whose behalf they ask.
//!
//! A storm of questions of one account makes that account wait and no other: whoever asks for little is served after at
//! most one question of each other account. Knows nothing of when turns are due; that is `pace`.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout_at};

use super::inquiry::Asker;
use super::limiter::{Limiter, NoTurn};
use super::pace::{Outlook, Pace};

/// Most questions that wait on behalf of one asker: at one a second more would wait longer than anybody does.
pub(super) const WAITING_PER_ASKER_MAX: usize = 16;
/// Most that wait in all: 64 askers with all that they may have, some 100 bytes each.
pub(super) const WAITING_MAX: usize = 1_024;

/// Turns at one server.
#[derive(Debug)]
pub(super) struct Turns {
    pace: Arc<dyn Pace>,
    line: Mutex<Line>,
}

/// Who waits. Askers of whom nobody waits are in neither list.
#[derive(Debug, Default)]
struct Line {
    /// The askers in the order in which they come next.
    order: VecDeque<Asker>,
    /// Those who wait on behalf of each, in the order in which they came; a bell for each.
    waiting: HashMap<Asker, VecDeque<Arc<Notify>>>,
}

impl Turns {
    /// Shares out the turns of `pace`.
    pub(super) fn new(pace: Arc<dyn Pace>) -> Self {
        Self { pace, line: Mutex::default() }
    }

    /// Keeps to another period from now on.
    pub(super) fn set_period(&self, period: Duration) {
        self.pace.set_period(period);
    }

    /// A place in the line, unless there is none or its turn would come too late.
    fn enter(&self, asker: Asker, latest: Instant) -> Result<Place<'_>, NoTurn> {
        let outlook = self.pace.outlook();
        let mut line = self.line.lock();
        let retry_after = line.wait(asker, outlook);
        let own = line.waiting.get(&asker).map_or(0, VecDeque::len);
        let all: usize = line.waiting.values().map(VecDeque::len).sum();
        if own >= WAITING_PER_ASKER_MAX || all >= WAITING_MAX || Instant::now() + retry_after > latest {
            return Err(NoTurn { retry_after });
        }
        let bell = Arc::new(Notify::new());
        if own == 0 {
            line.order.push_back(asker);
        }
        line.waiting.entry(asker).or_default().push_back(Arc::clone(&bell));
        Ok(Place { turns: self, asker, bell })
    }

    /// Waits until it is first in the line and a turn is due.
    async fn wait(&self, place: &Place<'_>, latest: Instant) -> Result<(), NoTurn> {
        loop {
            // Whoever is first stays first until they are served or leave, because others queue up behind.
            let is_first = self.line.lock().is_first(place);
            if !is_first {
                place.bell.notified().await;
                continue;
            }
            match self.pace.take().await {
                Ok(()) => {
                    self.line.lock().rotate(place.asker);
                    return Ok(());
                }
                Err(wait) if Instant::now() + wait > latest => return Err(NoTurn { retry_after: wait }),
                Err(wait) => sleep(wait).await,
            }
        }
    }
}

#[async_trait]
impl Limiter for Turns {
    async fn turn(&self, asker: Asker, latest: Instant) -> Result<(), NoTurn> {
        let place = self.enter(asker, latest)?;
        let waited = timeout_at(latest, self.wait(&place, latest)).await;
        drop(place);
        // Others came meanwhile, and their first questions went before this one.
        waited.unwrap_or_else(|_| Err(NoTurn { retry_after: self.line.lock().wait(asker, self.pace.outlook()) }))
    }
}

impl Line {
    /// How long a further question of this asker would wait for its turn, if nobody else came.
    fn wait(&self, asker: Asker, outlook: Outlook) -> Duration {
        let own = self.waiting.get(&asker).map_or(0, VecDeque::len);
        let place = self.order.iter().position(|other| *other == asker).unwrap_or(self.order.len());
        let others = self.order.iter().enumerate().filter(|(_, other)| **other != asker).map(|(index, other)| {
            // One of each question of theirs before each of ours, and one more of those who come before us in the round.
            let rounds = own + usize::from(index < place);
            self.waiting.get(other).map_or(0, VecDeque::len).min(rounds)
        });
        let before = own + others.sum::<usize>();
        outlook.next_in.saturating_add(outlook.period.saturating_mul(u32::try_from(before).unwrap_or(u32::MAX)))
    }

    fn is_first(&self, place: &Place<'_>) -> bool {
        self.first().is_some_and(|bell| Arc::ptr_eq(bell, &place.bell))
    }

    fn first(&self) -> Option<&Arc<Notify>> {
        self.waiting.get(self.order.front()?)?.front()
    }

    /// The first was served: its asker queues up again behind the others, if more wait on its behalf.
    fn rotate(&mut self, asker: Asker) {
        self.order.pop_front();
        if let Some(waiting) = self.waiting.get_mut(&asker) {
            waiting.pop_front();
            if waiting.is_empty() {
                self.waiting.remove(&asker);
            } else {
                self.order.push_back(asker);
            }
        }
    }

    /// Takes out who goes away unserved; changes nothing for who was served.
    fn leave(&mut self, place: &Place<'_>) {
        // Who gives up at the front gives the turn to the next asker, or those who ask for much would stay there.
        if self.is_first(place) {
            self.order.rotate_left(1);
        }
        if let Some(waiting) = self.waiting.get_mut(&place.asker) {
            waiting.retain(|bell| !Arc::ptr_eq(bell, &place.bell));
            if waiting.is_empty() {
                self.waiting.remove(&place.asker);
                self.order.retain(|asker| *asker != place.asker);
            }
        }
    }
}

/// A place in the line, until it is dropped.
struct Place<'a> {
    turns: &'a Turns,
    asker: Asker,
    bell: Arc<Notify>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut line = self.turns.line.lock();
        line.leave(self);
        let next = line.first().cloned();
        drop(line);
        if let Some(next) = next {
            next.notify_one();
        }
    }
}

#[cfg(test)]
mod tests;
