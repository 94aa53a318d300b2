//! An open file of the disk of tests: what SQLite asks of it, in safe code, answered with SQLite's codes.

use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use rusqlite::ffi;

use super::sharing::{Region, SLOTS};
use super::{Inner, Operation, Refusal, State};

/// A file that a connection has open.
pub(super) struct Handle {
    disk: Arc<Inner>,
    file: u64,
    life: u64,
    /// The name to be taken away when it is closed.
    deleted_on_close: Option<String>,
    is_writable: bool,
    /// Whether its first sync makes the names of the directory durable.
    syncs_names: bool,
    level: i32,
    held: [i32; SLOTS],
    /// Kept, because SQLite looks at them until it says that it does not.
    regions: Vec<Region>,
    is_sharing: bool,
}

impl Handle {
    /// Opens a file by its name; without one it is a file of this connection alone.
    pub(super) fn open(disk: &Arc<Inner>, name: Option<String>, flags: i32) -> Result<Self, i32> {
        let mut state = disk.state.lock();
        if state.is_off {
            return Err(ffi::SQLITE_IOERR);
        }
        let deletes = name.is_none() || flags & ffi::SQLITE_OPEN_DELETEONCLOSE != 0;
        let name = name.unwrap_or_else(|| format!("unnamed {}", state.next_file));
        let known = state.names.get(&name).copied();
        let makes = flags & ffi::SQLITE_OPEN_CREATE != 0;
        let file = match known {
            Some(_) if makes && flags & ffi::SQLITE_OPEN_EXCLUSIVE != 0 => return Err(ffi::SQLITE_CANTOPEN),
            Some(file) => file,
            None if makes => state.make(&name),
            None => return Err(ffi::SQLITE_CANTOPEN),
        };
        state.open += 1;
        let journals = ffi::SQLITE_OPEN_WAL | ffi::SQLITE_OPEN_MAIN_JOURNAL | ffi::SQLITE_OPEN_SUPER_JOURNAL;
        let life = state.life;
        drop(state);
        Ok(Self {
            disk: Arc::clone(disk),
            file,
            life,
            deleted_on_close: deletes.then_some(name),
            is_writable: flags & ffi::SQLITE_OPEN_READONLY == 0,
            syncs_names: makes && flags & journals != 0,
            level: ffi::SQLITE_LOCK_NONE,
            held: [0; SLOTS],
            regions: Vec::new(),
            is_sharing: false,
        })
    }

    /// The disk, unless the power failed since the file was opened.
    fn with<T>(&self, act: impl FnOnce(&mut State) -> Result<T, i32>) -> Result<T, i32> {
        let mut state = self.disk.state.lock();
        if state.is_off || state.life != self.life || !state.files.contains_key(&self.file) {
            return Err(ffi::SQLITE_IOERR);
        }
        act(&mut state)
    }

    /// Reads; what is behind the end is zero, and said to be.
    pub(super) fn read(&self, into: &mut [u8], at: usize) -> Result<(), i32> {
        self.with(|state| {
            let seen = &state.files[&self.file].seen;
            let found = seen.get(at.min(seen.len())..seen.len().min(at + into.len())).unwrap_or_default();
            let (front, rest) = into.split_at_mut(found.len());
            front.copy_from_slice(found);
            rest.fill(0);
            if rest.is_empty() { Ok(()) } else { Err(ffi::SQLITE_IOERR_SHORT_READ) }
        })
    }

    pub(super) fn write(&self, bytes: &[u8], at: usize) -> Result<(), i32> {
        if !self.is_writable {
            return Err(ffi::SQLITE_IOERR_WRITE);
        }
        self.with(|state| {
            let growth = (at + bytes.len()).saturating_sub(state.files[&self.file].seen.len());
            let admitted = if growth > 0 && state.used().saturating_add(growth) > state.room {
                state.refused += 1;
                Err(Refusal::Full)
            } else {
                state.admit(Operation::Write)
            };
            match admitted {
                Ok(()) => state.file(self.file).write(at, bytes),
                Err(Refusal::Io) => return Err(ffi::SQLITE_IOERR_WRITE),
                Err(Refusal::Full) => {
                    return Err(if state.is_quota { ffi::SQLITE_IOERR_WRITE } else { ffi::SQLITE_FULL });
                }
            }
            Ok(())
        })
    }

    pub(super) fn truncate(&self, size: usize) -> Result<(), i32> {
        self.with(|state| {
            state.admit(Operation::Truncate).map_err(|_| ffi::SQLITE_IOERR_TRUNCATE)?;
            state.file(self.file).truncate(size);
            Ok(())
        })
    }

    /// Makes the file durable, once syncs are not held.
    pub(super) fn sync(&mut self) -> Result<(), i32> {
        let mut state = self.disk.state.lock();
        state.syncs += 1;
        self.disk.changed.notify_all();
        while state.is_sync_held && state.life == self.life {
            self.disk.changed.wait(&mut state);
        }
        drop(state);
        let names = std::mem::take(&mut self.syncs_names);
        self.with(|state| {
            if state.admit(Operation::Sync).is_err() {
                if !state.is_off {
                    state.fail_sync(self.file);
                }
                return Err(ffi::SQLITE_IOERR_FSYNC);
            }
            state.file(self.file).sync();
            if names {
                state.durable_names = state.names.clone();
            }
            Ok(())
        })
    }

    pub(super) fn size(&self) -> Result<usize, i32> {
        self.with(|state| Ok(state.files[&self.file].seen.len()))
    }

    pub(super) fn lock(&mut self, wanted: i32) -> Result<(), i32> {
        let mut level = self.level;
        let is_raised = self.with(|state| Ok(state.locks.entry(self.file).or_default().raise(&mut level, wanted)))?;
        self.level = level;
        if is_raised { Ok(()) } else { Err(ffi::SQLITE_BUSY) }
    }

    pub(super) fn unlock(&mut self, wanted: i32) -> Result<(), i32> {
        let mut level = self.level;
        // Of a disk without power nothing is locked any more.
        let done = self.with(|state| {
            state.locks.entry(self.file).or_default().lower(&mut level, wanted);
            Ok(())
        });
        self.level = level;
        done
    }

    pub(super) fn is_reserved(&self) -> Result<bool, i32> {
        self.with(|state| Ok(state.locks.entry(self.file).or_default().is_reserved()))
    }

    /// The memory of a number, as the address of its first byte; `None` where it is not there and not to be made.
    pub(super) fn region(&mut self, number: usize, bytes: usize, make: bool) -> Result<Option<*const u64>, i32> {
        let is_first = !self.is_sharing;
        let region = self.with(|state| {
            let shared = state.shared.entry(self.file).or_default();
            shared.users += usize::from(is_first);
            Ok(shared.region(number, bytes, make))
        })?;
        self.is_sharing = true;
        let Some(region) = region else { return Ok(None) };
        let address = region.as_ptr().cast();
        self.regions.push(region);
        Ok(Some(address))
    }

    pub(super) fn lock_region(&mut self, first: usize, count: usize, flags: i32) -> Result<(), i32> {
        let mut held = self.held;
        let is_done = self.with(|state| {
            let shared = state.shared.entry(self.file).or_default();
            if flags & ffi::SQLITE_SHM_UNLOCK != 0 {
                shared.unlock(&mut held, first, count);
                return Ok(true);
            }
            Ok(shared.lock(&mut held, first, count, flags & ffi::SQLITE_SHM_EXCLUSIVE != 0))
        })?;
        self.held = held;
        if is_done { Ok(()) } else { Err(ffi::SQLITE_BUSY) }
    }

    pub(super) fn barrier(&self) {
        // Taking the lock orders memory, too.
        drop(self.disk.state.lock());
        fence(Ordering::SeqCst);
    }

    /// Gives the memory back. The last one takes it away: as after a process's end, the next one makes it from the log.
    pub(super) fn unshare(&mut self) {
        let mut held = self.held;
        if std::mem::take(&mut self.is_sharing) {
            // Of a disk without power nothing is shared any more.
            let _ = self.with(|state| {
                let shared = state.shared.entry(self.file).or_default();
                shared.unlock(&mut held, 0, SLOTS);
                shared.users -= 1;
                if shared.users == 0 {
                    state.shared.remove(&self.file);
                }
                Ok(())
            });
        }
        self.held = held;
        self.regions.clear();
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.unshare();
        // A disk without power has forgotten the lock.
        let _ = self.unlock(ffi::SQLITE_LOCK_NONE);
        let deleted = self.deleted_on_close.take();
        let _ = self.with(|state| {
            if let Some(name) = deleted {
                state.names.remove(&name);
                state.files.remove(&self.file);
            }
            Ok(())
        });
        self.disk.state.lock().open -= 1;
        self.disk.changed.notify_all();
    }
}

/// Takes a name away; with `is_durable` at once and for good.
pub(super) fn delete(disk: &Inner, name: &str, is_durable: bool) -> Result<(), i32> {
    let mut state = disk.state.lock();
    state.admit(Operation::Delete).map_err(|_| ffi::SQLITE_IOERR_DELETE)?;
    if state.names.remove(name).is_none() {
        return Err(ffi::SQLITE_IOERR_DELETE_NOENT);
    }
    if is_durable {
        state.durable_names = state.names.clone();
    }
    Ok(())
}

/// Whether a file is there. As SQLite's own way has it, an empty one is not.
pub(super) fn exists(disk: &Inner, name: &str) -> bool {
    let state = disk.state.lock();
    state.names.get(name).is_some_and(|id| !state.files[id].seen.is_empty())
}
