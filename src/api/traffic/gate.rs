//! A bound on what is done at once: calls have places, wait a little for one, and are refused before any work.
//!
//! A call takes its place when it arrives, before anybody looks at it, so that calls which wait for a processor count too.
//! Where more have arrived than there are places, each gives its place back as it is looked at and stands in the queue, which
//! gives places out in turn. Where that is not so a call costs some operations on counters, and no lock. One line never has
//! more than its share of the places: the rest is there for the others at once, whatever its calls wait for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::queue::{LineId, Queue};

/// Counters of what lines hold. Two lines that use the same one have one share together.
const SHARES: usize = 1_024;

/// The places of one kind of calls, in units of a short look in memory.
#[derive(Debug)]
pub(crate) struct Gate {
    /// Units that are given out at most.
    units_max: usize,
    /// Units that one line has at most.
    share_max: usize,
    /// Calls that wait at most.
    waiting_max: usize,
    /// Longest wait.
    wait_max: Duration,
    /// Units in use. Above the most for as long as arrived calls were not looked at.
    in_use: AtomicUsize,
    /// Units of each line, by a part of its id; those of calls that were not looked at are not among them.
    held: Box<[AtomicUsize]>,
    /// Length of the queue, to be read without its lock.
    waiting: AtomicUsize,
    queue: Mutex<Queue<oneshot::Sender<Place>>>,
    refused: AtomicU64,
}

/// Some units of a gate, given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    gate: Arc<Gate>,
    units: usize,
    /// Whose they are, once that is known.
    line: Option<LineId>,
}

/// There was no place, in the time that a call waits for one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

impl Gate {
    /// One line may have three quarters of its units.
    pub(super) fn new(units_max: usize, waiting_max: usize, wait_max: Duration) -> Arc<Self> {
        Self::with_share(units_max, units_max - units_max / 4, waiting_max, wait_max)
    }

    /// One line may have so many of its units.
    pub(super) fn with_share(units_max: usize, share_max: usize, waiting_max: usize, wait_max: Duration) -> Arc<Self> {
        Arc::new(Self {
            units_max,
            share_max,
            waiting_max,
            wait_max,
            in_use: AtomicUsize::new(0),
            held: (0..SHARES).map(|_| AtomicUsize::new(0)).collect(),
            waiting: AtomicUsize::new(0),
            queue: Mutex::default(),
            refused: AtomicU64::new(0),
        })
    }

    /// A place for a call that has arrived, whether there is one or not.
    pub(super) fn arrive(self: &Arc<Self>) -> Place {
        self.in_use.fetch_add(1, SeqCst);
        Place { gate: Arc::clone(self), units: 1, line: None }
    }

    /// A place of this size for a call that has arrived, here or at another gate: at once where nobody waits, else in turn.
    pub(super) async fn enter(self: &Arc<Self>, arrived: Place, line: LineId, cost: usize) -> Result<Place, Full> {
        // A call that costs more than its line may have would never be let in.
        let cost = cost.clamp(1, self.share_max);
        if self.waiting.load(SeqCst) == 0
            && let Some(place) = self.place_over(&arrived, line, cost)
        {
            return Ok(place);
        }
        let (told, place) = oneshot::channel();
        let waits = self.stand(arrived, line, cost, told).inspect_err(|Full| self.count_refusal())?;
        // An error is either the time, or that it was sent away for a shorter line.
        let place = timeout(self.wait_max, place).await.ok().and_then(Result::ok);
        drop(waits);
        place.ok_or(Full).inspect_err(|Full| self.count_refusal())
    }

    /// Units in use, those of calls that were not looked at yet included.
    pub(crate) fn in_use(&self) -> usize {
        self.in_use.load(SeqCst)
    }

    /// Most units in use.
    pub(crate) fn units_max(&self) -> usize {
        self.units_max
    }

    /// Calls that wait for a place.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(SeqCst)
    }

    /// Calls that were refused since the start.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(SeqCst)
    }

    fn count_refusal(&self) {
        self.refused.fetch_add(1, SeqCst);
    }

    /// A place, where there is room beside what has arrived; the arrived call's own is given back afterwards.
    fn place_over(self: &Arc<Self>, arrived: &Place, line: LineId, cost: usize) -> Option<Place> {
        let has = if Arc::ptr_eq(&arrived.gate, self) { arrived.units } else { 0 };
        let room = self.units_max.saturating_add(has);
        self.take(line, cost, room).then(|| Place { gate: Arc::clone(self), units: cost, line: Some(line) })
    }

    /// Takes so many units for a line, where it may have them and all together are `room` then at most.
    fn take(&self, line: LineId, units: usize, room: usize) -> bool {
        let add = |counter: &AtomicUsize, max: usize| {
            counter.fetch_update(SeqCst, SeqCst, |had| Some(had + units).filter(|has| *has <= max)).is_ok()
        };
        let held = self.held_by(line);
        if !add(held, self.share_max) {
            return false;
        }
        let taken = add(&self.in_use, room);
        if !taken {
            held.fetch_sub(units, SeqCst);
        }
        taken
    }

    fn held_by(&self, line: LineId) -> &AtomicUsize {
        &self.held[usize::try_from(line % SHARES as u64).unwrap_or_default()]
    }

    /// Stands in the queue instead of in the place of a call that has arrived, and looks once more what is free. Whoever gave a
    /// place back since this call found none saw nobody wait, and will not look again.
    fn stand(
        self: &Arc<Self>,
        arrived: Place,
        line: LineId,
        cost: usize,
        told: oneshot::Sender<Place>,
    ) -> Result<Waiting, Full> {
        let is_elsewhere = !Arc::ptr_eq(&arrived.gate, self);
        let waits = self.join(line, cost, told);
        // Back only now: whoever gives a place back looks whether somebody waits there, and where that is here it is this look.
        drop(arrived);
        if is_elsewhere {
            self.serve_waiting();
        }
        waits
    }

    /// Stands in the queue, for as long as the answer lives.
    fn join(self: &Arc<Self>, line: LineId, cost: usize, told: oneshot::Sender<Place>) -> Result<Waiting, Full> {
        let mut queue = self.queue.lock();
        let sent_away =
            if queue.length() < self.waiting_max { None } else { Some(queue.make_room_for(line).ok_or(Full)?) };
        let number = queue.push(line, cost, told);
        self.waiting.store(queue.length(), SeqCst);
        drop(queue);
        // By which it hears of it.
        drop(sent_away);
        Ok(Waiting { gate: Arc::clone(self), line, number })
    }

    /// Gives out what is free, in turn.
    fn serve_waiting(self: &Arc<Self>) {
        let mut served = Vec::new();
        let mut queue = self.queue.lock();
        let may = |line: LineId, cost: usize| self.held_by(line).load(SeqCst) + cost <= self.share_max;
        while let Some((line, cost)) = queue.next(may)
            && self.take(line, cost, self.units_max)
        {
            let place = Place { gate: Arc::clone(self), units: cost, line: Some(line) };
            served.push((queue.pop(line).expect("the queue is locked since it named this line"), place));
        }
        self.waiting.store(queue.length(), SeqCst);
        drop(queue);
        for (told, place) in served {
            // Who left at this moment gives it back by this, to the next one.
            drop(told.send(place));
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(line) = self.line {
            self.gate.held_by(line).fetch_sub(self.units, SeqCst);
        }
        self.gate.in_use.fetch_sub(self.units, SeqCst);
        // Whoever joins looks after this, or is seen here: all counters are in one order.
        if self.gate.waiting.load(SeqCst) > 0 {
            self.gate.serve_waiting();
        }
    }
}

/// Somebody in the queue, who leaves it when this is dropped.
#[derive(Debug)]
struct Waiting {
    gate: Arc<Gate>,
    line: LineId,
    number: u64,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut queue = self.gate.queue.lock();
        let left = queue.leave(self.line, self.number);
        self.gate.waiting.store(queue.length(), SeqCst);
        drop(queue);
        // The one behind it may want less than it did.
        if left.is_some() {
            self.gate.serve_waiting();
        }
    }
}

#[cfg(test)]
mod tests;
