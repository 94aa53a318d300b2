//! Looks at the files from time to time: takes what changed and came to rest, and says when a database grows old.

use std::future::pending;

use tokio::time::{MissedTickBehavior, interval};

use super::Databases;

impl Databases {
    /// Looks at the files for ever, as often as configured. Ends when it is dropped.
    pub async fn watch(&self) {
        let Some(period) = self.watch_interval else { return pending().await };
        let mut ticks = interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.look().await;
        }
    }

    /// One look at every file. What changed is taken at the first look that finds it as the look before did.
    pub(super) async fn look(&self) {
        let _alone = self.reloading.lock().await;
        let count = self.slots.lock().len();
        for at in 0..count {
            self.look_at_slot(at).await;
            self.tell_age(at);
        }
    }

    async fn look_at_slot(&self, at: usize) {
        {
            let mut slots = self.slots.lock();
            let slot = &mut slots[at];
            if slot.pause.0 > 0 {
                slot.pause.0 -= 1;
                return;
            }
        }
        let state = match self.look_at(at).await {
            Ok(state) => state,
            Err(fault) => {
                self.fail(at, None, &fault);
                return;
            }
        };
        let is_at_rest = {
            let mut slots = self.slots.lock();
            let slot = &mut slots[at];
            let is_known = slot.taken == Some(state) || slot.refused == Some(state);
            if slot.taken == Some(state) {
                // What was in use was put back, or the system gives it again.
                (slot.failure, slot.pause) = (None, (0, 0));
            }
            slot.seen.replace(state) == Some(state) && !is_known
        };
        if is_at_rest {
            self.take(at, state).await;
        }
    }

    /// Says once that the database of a slot passed a limit of its age.
    pub(super) fn tell_age(&self, at: usize) {
        let now = (self.clock)();
        self.slots.lock()[at].tell_age(now);
    }
}
