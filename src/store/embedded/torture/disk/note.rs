//! A file of the disk of tests that the engine itself writes over: lost, torn and failed as all others are.

use std::io;
use std::sync::Arc;

use super::super::super::medium::Note;
use super::{Inner, Operation, State};

/// An open one.
#[derive(Debug)]
pub(super) struct DiskNote {
    disk: Arc<Inner>,
    file: u64,
    life: u64,
}

fn refused() -> io::Error {
    io::Error::other("the disk of the test failed")
}

impl DiskNote {
    /// Opens it; one that is not there is made before, for good.
    pub(super) fn open(disk: &Arc<Inner>, name: &str, text: &str) -> io::Result<Self> {
        let mut state = disk.state.lock();
        let file = if let Some(file) = state.names.get(name).copied() {
            file
        } else {
            state.admit(Operation::Write).map_err(|_| refused())?;
            let file = state.make(name);
            state.file(file).write(0, text.as_bytes());
            state.file(file).sync();
            state.durable_names.insert(name.to_owned(), file);
            file
        };
        Ok(Self { disk: Arc::clone(disk), file, life: state.life })
    }

    /// The disk, if the power did not fail since the file was opened, and it does this.
    fn with(&self, operation: Operation, act: impl FnOnce(&mut State)) -> io::Result<()> {
        let mut state = self.disk.state.lock();
        if state.is_off || state.life != self.life {
            return Err(refused());
        }
        if state.admit(operation).is_err() {
            if operation == Operation::Sync && !state.is_off {
                state.fail_sync(self.file);
            }
            return Err(refused());
        }
        act(&mut state);
        Ok(())
    }
}

impl Note for DiskNote {
    fn write_at(&mut self, at: usize, bytes: &[u8]) -> io::Result<()> {
        self.with(Operation::Write, |state| state.file(self.file).write(at, bytes))
    }

    fn sync(&mut self) -> io::Result<()> {
        self.with(Operation::Sync, |state| state.file(self.file).sync())
    }
}
