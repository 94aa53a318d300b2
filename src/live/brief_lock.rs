//! A lock for what is held for microseconds: who waits looks for a while before it sleeps, because being woken takes longer.
//!
//! Who sleeps at a lock is woken by the kernel, some 50 to 100 microseconds after it is free, and a writer that sleeps keeps new
//! readers out meanwhile. A change of a map takes three microseconds and a tile twenty, so the sleep was most of the wait.

use std::hint::spin_loop;
use std::time::{Duration, Instant};

use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// How long who waits looks before it sleeps: longer than nearly all tiles take, and no longer than being woken.
const LOOK_MAX: Duration = Duration::from_micros(50);
/// Looks between two at the clock.
const LOOKS: u32 = 16;

/// A [`RwLock`] of what is held for microseconds. Who holds it longer costs each that waits a core for 50 microseconds.
#[derive(Debug, Default)]
pub struct BriefLock<T>(RwLock<T>);

impl<T> BriefLock<T> {
    /// Around `value`.
    pub const fn new(value: T) -> Self {
        Self(RwLock::new(value))
    }

    /// Waits until nobody writes.
    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        look(|| self.0.try_read()).unwrap_or_else(|| self.0.read())
    }

    /// Waits until nobody reads or writes. Readers go before who looks, and none before who sleeps: none waits for ever.
    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        look(|| self.0.try_write()).unwrap_or_else(|| self.0.write())
    }

    /// What it is around, where nobody else can have it.
    pub fn get_mut(&mut self) -> &mut T {
        self.0.get_mut()
    }
}

/// Tries until it is had, or has been looked for long enough.
fn look<G>(mut try_lock: impl FnMut() -> Option<G>) -> Option<G> {
    if let Some(guard) = try_lock() {
        return Some(guard);
    }
    let since = Instant::now();
    while since.elapsed() < LOOK_MAX {
        for _ in 0..LOOKS {
            if let Some(guard) = try_lock() {
                return Some(guard);
            }
            spin_loop();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn whoever_writes_is_alone() {
        const WRITERS: usize = 4;
        const CHANGES: usize = 20_000;
        let lock = BriefLock::new((0_usize, 0_usize));
        std::thread::scope(|scope| {
            for _ in 0..WRITERS {
                scope.spawn(|| {
                    for _ in 0..CHANGES {
                        let mut both = lock.write();
                        both.0 += 1;
                        both.1 += 1;
                    }
                });
                scope.spawn(|| {
                    for _ in 0..CHANGES {
                        let both = lock.read();
                        assert_eq!(both.0, both.1, "half of a change");
                    }
                });
            }
        });
        assert_eq!(*lock.read(), (WRITERS * CHANGES, WRITERS * CHANGES));
    }

    /// It has looked for long enough many times over, and sleeps, when the other lets go.
    #[test]
    fn who_has_looked_long_enough_sleeps_until_its_turn() {
        let lock = BriefLock::new(0);
        let (sender, looked) = channel();
        let held = lock.read();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let before = look(|| lock.0.try_write()).is_none();
                sender.send(before).unwrap();
                *lock.write() += 1;
            });
            assert!(looked.recv().unwrap(), "it was had while another read");
            assert!(!writer.is_finished());
            drop(held);
        });
        assert_eq!(*lock.read(), 1);
    }
}
