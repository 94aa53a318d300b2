//! A disk in memory for tests, below SQLite: it loses what was not synced, reorders and tears it, fails, and fills up.
//!
//! Follows what SQLite's own way to files does on Linux: a new journal's first sync makes the names of its directory
//! durable. Faults count operations, so that the same seed fails at the same place.

mod file;
mod handle;
mod note;
mod random;
mod sharing;
mod vfs;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::Path;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

use file::File;
pub(super) use file::Losses;
use note::DiskNote;
pub(super) use random::Random;
use sharing::{Locks, Shared};

use super::super::medium::{Files, Medium, Note, PROBE_BYTES};

/// What is done to files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Operation {
    Write,
    Truncate,
    Sync,
    Delete,
}

/// How an operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// This one alone says EIO.
    Once,
    /// It and all of its kind after it say EIO.
    FromThenOn,
    /// The power fails: nothing works from then on.
    Power,
}

/// A fault that waits for its operation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fault {
    /// Which operations count; `None` for all of them.
    pub(super) operation: Option<Operation>,
    /// How many of them go through before.
    pub(super) after: u64,
    pub(super) failure: Failure,
}

/// What a file of the disk answers where it does not do what is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    Io,
    Full,
}

#[derive(Debug)]
struct State {
    files: BTreeMap<u64, File>,
    names: BTreeMap<String, u64>,
    /// The names that are left without power.
    durable_names: BTreeMap<String, u64>,
    next_file: u64,
    /// Counts losses of power: files that were opened before one are of a process that is gone.
    life: u64,
    open: usize,
    random: Random,
    fault: Option<Fault>,
    /// Operations that failed because of it.
    fired: u64,
    is_off: bool,
    /// Bytes that all files may have together.
    room: usize,
    /// Whether it is a quota that ends there: SQLite tells that as a failure of the disk.
    is_quota: bool,
    /// Operations that found no room.
    refused: u64,
    is_sync_held: bool,
    /// Syncs that were begun.
    syncs: u64,
    /// What failed syncs lost.
    unsynced: Losses,
    locks: HashMap<u64, Locks>,
    shared: HashMap<u64, Shared>,
}

/// A disk, and the name under which SQLite finds it.
#[derive(Debug, Clone)]
pub(super) struct Disk {
    inner: Arc<Inner>,
    vfs: &'static str,
}

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    changed: Condvar,
}

impl Disk {
    /// An empty disk. SQLite keeps the way to it for as long as the process lives.
    pub(super) fn new(seed: u64) -> Self {
        let inner = Arc::new(Inner { state: Mutex::new(State::new(seed)), changed: Condvar::new() });
        let vfs = vfs::register(Arc::clone(&inner));
        Self { inner, vfs }
    }

    /// The engine's way to it, with a log that is folded when it has more than so many pages.
    pub(super) fn medium(&self, log_pages_max: i64) -> Medium {
        let files = Arc::new(self.clone());
        Medium { vfs: Some(self.vfs), log_pages_max, files, ..Medium::default() }
    }

    /// Takes everything away, and begins anew with a seed.
    pub(super) fn wipe(&self, seed: u64) {
        self.wait_until_closed();
        let mut state = self.inner.state.lock();
        let life = state.life + 1;
        *state = State { life, ..State::new(seed) };
    }

    /// Lets an operation fail.
    pub(super) fn set_fault(&self, fault: Option<Fault>) {
        self.inner.state.lock().fault = fault;
    }

    /// Operations that failed because of a fault so far.
    pub(super) fn fired(&self) -> u64 {
        self.inner.state.lock().fired
    }

    pub(super) fn is_off(&self) -> bool {
        self.inner.state.lock().is_off
    }

    /// Leaves room for so many bytes more.
    pub(super) fn leave_room(&self, bytes: usize) {
        let mut state = self.inner.state.lock();
        state.room = state.used().saturating_add(bytes);
    }

    /// The same, where it is a quota that is used up then.
    pub(super) fn leave_quota(&self, bytes: usize) {
        self.leave_room(bytes);
        self.inner.state.lock().is_quota = true;
    }

    /// Operations that found no room so far.
    pub(super) fn refused(&self) -> u64 {
        self.inner.state.lock().refused
    }

    /// Holds syncs, or lets them go on.
    pub(super) fn hold_syncs(&self, hold: bool) {
        self.inner.state.lock().is_sync_held = hold;
        self.inner.changed.notify_all();
    }

    /// Syncs that were begun so far.
    pub(super) fn syncs(&self) -> u64 {
        self.inner.state.lock().syncs
    }

    /// Waits until more than `begun` syncs were begun.
    pub(super) fn wait_for_sync(&self, begun: u64) {
        let mut state = self.inner.state.lock();
        while state.syncs <= begun {
            self.inner.changed.wait(&mut state);
        }
    }

    /// Waits for the writer's thread to close the last file.
    pub(super) fn wait_until_closed(&self) {
        let mut state = self.inner.state.lock();
        while state.open > 0 {
            self.inner.changed.wait(&mut state);
        }
    }

    /// Cuts the power: decides what is left, and lets the disk run again. Whoever has files open finds them dead.
    pub(super) fn cut_power(&self) -> Losses {
        let mut guard = self.inner.state.lock();
        let state = &mut *guard;
        let mut losses = std::mem::take(&mut state.unsynced);
        losses.add(state.lose_names());
        for file in state.files.values_mut() {
            losses.add(file.lose_power(&mut state.random));
        }
        state.life += 1;
        (state.is_off, state.is_sync_held, state.fault) = (false, false, None);
        state.locks.clear();
        state.shared.clear();
        self.inner.changed.notify_all();
        losses
    }

    /// The files by name, as they are seen.
    pub(super) fn images(&self) -> BTreeMap<String, Vec<u8>> {
        let state = self.inner.state.lock();
        state.names.iter().map(|(name, id)| (name.clone(), state.files[id].seen.clone())).collect()
    }

    /// Puts files in place of all there are, durable as they are.
    pub(super) fn put_images(&self, images: &BTreeMap<String, Vec<u8>>) {
        self.wait_until_closed();
        let mut state = self.inner.state.lock();
        state.files.clear();
        state.names.clear();
        state.life += 1;
        for (name, image) in images {
            let id = state.make(name);
            state.files.insert(id, File::of(image.clone()));
        }
        state.durable_names = state.names.clone();
    }
}

impl Files for Disk {
    fn open(&self, path: &Path) -> io::Result<Option<Box<dyn io::Read>>> {
        let state = self.inner.state.lock();
        let Some(id) = state.names.get(&*path.to_string_lossy()) else { return Ok(None) };
        Ok(Some(Box::new(io::Cursor::new(state.files[id].seen.clone()))))
    }

    fn rewrite(&self, path: &Path) -> io::Result<()> {
        let mut state = self.inner.state.lock();
        let Some(id) = state.names.get(&*path.to_string_lossy()).copied() else { return Ok(()) };
        for operation in [Operation::Write, Operation::Sync] {
            state.admit(operation).map_err(|_| io::Error::from(io::ErrorKind::Other))?;
        }
        let bytes = state.file(id).seen.clone();
        state.file(id).write(0, &bytes);
        state.file(id).sync();
        Ok(())
    }

    fn note(&self, path: &Path, text: &str) -> io::Result<Box<dyn Note>> {
        Ok(Box::new(DiskNote::open(&self.inner, &path.to_string_lossy(), text)?))
    }

    fn probe(&self, _: &Path) -> io::Result<()> {
        let state = self.inner.state.lock();
        let is_full = state.used().saturating_add(PROBE_BYTES) > state.room;
        if is_full { Err(io::ErrorKind::QuotaExceeded.into()) } else { Ok(()) }
    }
}

impl State {
    fn new(seed: u64) -> Self {
        Self {
            files: BTreeMap::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            next_file: 1,
            life: 0,
            open: 0,
            random: Random::new(seed),
            fault: None,
            fired: 0,
            is_off: false,
            room: usize::MAX,
            is_quota: false,
            refused: 0,
            is_sync_held: false,
            syncs: 0,
            unsynced: Losses::default(),
            locks: HashMap::new(),
            shared: HashMap::new(),
        }
    }

    fn make(&mut self, name: &str) -> u64 {
        let id = self.next_file;
        self.next_file += 1;
        self.files.insert(id, File::default());
        self.names.insert(name.to_owned(), id);
        id
    }

    fn file(&mut self, id: u64) -> &mut File {
        self.files.get_mut(&id).expect("an open file is there")
    }

    /// A sync fails: what it was to write is partly lost for good.
    fn fail_sync(&mut self, id: u64) {
        let losses = self.files.get_mut(&id).expect("an open file is there").fail_sync(&mut self.random);
        self.unsynced.add(losses);
    }

    fn used(&self) -> usize {
        self.files.values().map(|file| file.seen.len()).sum()
    }

    /// Whether the disk does it: counts it, and lets the fault strike.
    fn admit(&mut self, operation: Operation) -> Result<(), Refusal> {
        if self.is_off {
            return Err(Refusal::Io);
        }
        let Some(fault) = &mut self.fault else { return Ok(()) };
        if fault.operation.is_some_and(|counted| counted != operation) {
            return Ok(());
        }
        if fault.after > 0 {
            fault.after -= 1;
            return Ok(());
        }
        self.fired += 1;
        match fault.failure {
            Failure::Once => self.fault = None,
            Failure::FromThenOn => {}
            Failure::Power => self.is_off = true,
        }
        Err(Refusal::Io)
    }

    /// Names that no sync of the directory made durable may be there or not.
    fn lose_names(&mut self) -> Losses {
        let mut losses = Losses::default();
        let all: Vec<String> = self.names.keys().chain(self.durable_names.keys()).cloned().collect();
        for name in all {
            let (seen, durable) = (self.names.get(&name).copied(), self.durable_names.get(&name).copied());
            if seen == durable {
                continue;
            }
            losses.pending += 1;
            let left = if self.random.one_in(2) { seen } else { durable };
            losses.names += u64::from(left != seen);
            for names in [&mut self.names, &mut self.durable_names] {
                match left {
                    Some(id) => names.insert(name.clone(), id),
                    None => names.remove(&name),
                };
            }
        }
        self.files.retain(|id, _| self.names.values().any(|named| named == id));
        losses
    }
}
