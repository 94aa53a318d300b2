//! Opens all configured files at the start: at the same time, each in a thread of its own, and none is waited for longer than a
//! time.
//!
//! A network file system whose server is gone may hold whoever asks it for ever, and a start must not hang on that.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use super::config::{Config, DatabaseConfig};
use super::database::Database;
use super::error::Error;
use super::{DATABASES_MAX, STACK_BYTES};

/// For so long all files together are waited for at the start; one that is slower is taken later, when it is found by
/// watching. A disk gives a gigabyte within ten seconds, and checking it takes about as long again.
const OPEN_TIME_MAX: Duration = Duration::from_secs(30);

/// What became of opening a file.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) opened: Result<Database, Error>,
    /// The thread that the file still holds, where it did not answer in time.
    pub(super) held: Option<JoinHandle<()>>,
}

/// Opens every configured file; an error is one of the configuration.
pub(super) fn open_each(config: &Config) -> Result<Vec<Opening>, Error> {
    open_each_by(config, OPEN_TIME_MAX, |file| Database::open(&file.path, file.age))
}

/// The same with another time, and another way to open a file.
pub(super) fn open_each_by(
    config: &Config,
    time_max: Duration,
    open: impl Fn(&DatabaseConfig) -> Result<Database, Error> + Send + Sync + 'static,
) -> Result<Vec<Opening>, Error> {
    let count = config.databases.len();
    if count > DATABASES_MAX {
        return Err(Error::TooManyDatabases { count, databases_max: DATABASES_MAX });
    }
    let open = Arc::new(open);
    let begin = |file: DatabaseConfig| {
        let (open, path) = (Arc::clone(&open), file.path.clone());
        let (answer, answered) = channel();
        let work = move || {
            // Who does not wait any more leaves a late answer to be dropped.
            let _ = answer.send(open(&file));
        };
        let thread = Builder::new().stack_size(STACK_BYTES).spawn(work).expect("the system gives threads");
        (path, answered, thread)
    };
    // All are started before the first is waited for.
    let begun: Vec<_> = config.files().map(begin).collect();
    let end = Instant::now() + time_max;
    let finished = begun.into_iter().map(|(path, answered, thread)| {
        match answered.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(opened) => Opening { opened, held: None },
            Err(RecvTimeoutError::Timeout) => {
                let why = format!("the system did not answer within {time_max:?} at the start");
                Opening { opened: Err(Error::silent(path, why)), held: Some(thread) }
            }
            Err(RecvTimeoutError::Disconnected) => {
                let panic = thread.join().expect_err("a thread without an answer panicked");
                Opening { opened: Err(Error::panicked(path, &*panic)), held: None }
            }
        }
    });
    Ok(finished.collect())
}
