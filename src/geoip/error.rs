//! Why a `GeoIP` database is not taken. Knows nothing of look-ups: those answer with a `NoEstimate`.

use std::any::Any;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::{Fault, Reason};

/// A configuration or a file that `GeoIP` cannot work with; says which file, what is wrong, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is missing, not allowed, not a regular file, or failed while it was read.
    #[error("geoip database {} cannot be read: {source}; check the path and its permissions", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is larger than any real one.
    #[error("geoip database {} is larger than {bytes_max} bytes; check that it is the right file", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit.
        bytes_max: u64,
    },
    /// The file is something else, or its end is missing.
    #[error("geoip database {} is not a MaxMind DB file: {why}; fetch it again and unpack it", path.display())]
    NotMmdb {
        /// The file.
        path: PathBuf,
        /// What is missing.
        why: String,
    },
    /// The file is a `MaxMind` DB file, and damaged.
    #[error("geoip database {} is damaged: {why}; fetch it again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        why: String,
    },
    /// Reading the file ended in a panic, which no whole file brings about.
    #[error("geoip database {} is damaged: reading it panicked: {why}; fetch it again", path.display())]
    Panicked {
        /// The file.
        path: PathBuf,
        /// What the panic said.
        why: String,
    },
    /// No record of the file says where anything is.
    #[error(
        "geoip database {} of type {database_type:?} names neither positions nor countries nor networks; use a city, country \
         or ASN database",
        path.display()
    )]
    UnusableSchema {
        /// The file.
        path: PathBuf,
        /// The type that the file states.
        database_type: String,
    },
    /// The file is written to while it is read.
    #[error("geoip database {} is being written; it is taken when it has come to rest", path.display())]
    Changing {
        /// The file.
        path: PathBuf,
    },
    /// A whole file of another kind than the one in whose place it was put.
    #[error("geoip database {} holds {is} and replaces one of {was}; put the right file there", path.display())]
    WrongKind {
        /// The file.
        path: PathBuf,
        /// What it holds.
        is: String,
        /// What the one in use holds.
        was: String,
    },
    /// More files than a look-up should ask.
    #[error("at most {databases_max} geoip databases are stacked, got {count}; leave some out")]
    TooManyDatabases {
        /// How many were configured.
        count: usize,
        /// The limit.
        databases_max: usize,
    },
}

/// Why a file is not in use, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureReason {
    /// There is no file.
    Missing,
    /// The system does not give its bytes.
    Unreadable,
    /// It is being written.
    Changing,
    /// It is larger than any real one.
    TooLarge,
    /// It is no `MaxMind` DB file, or not a whole one.
    NotMmdb,
    /// It is damaged inside.
    Damaged,
    /// It says nothing of use.
    UnusableSchema,
    /// It is a whole file of another kind than the one in its place.
    WrongKind,
}

impl FailureReason {
    /// Whether it lies in the bytes, so that it stays until they change.
    pub(super) fn is_of_content(self) -> bool {
        !matches!(self, Self::Missing | Self::Unreadable | Self::Changing)
    }
}

impl Error {
    /// Of a file that the system does not give in time.
    pub(super) fn silent(path: PathBuf, why: String) -> Self {
        Self::Unreadable { path, source: io::Error::new(io::ErrorKind::TimedOut, why) }
    }

    /// Of what a panic over a file left behind.
    pub(super) fn panicked(path: PathBuf, panic: &(dyn Any + Send)) -> Self {
        let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref().copied());
        Self::Panicked { path, why: text.unwrap_or("it did not say why").to_owned() }
    }

    /// The same on a closed list.
    #[must_use]
    pub fn failure_reason(&self) -> FailureReason {
        match self {
            Self::Unreadable { source, .. } if source.kind() == io::ErrorKind::NotFound => FailureReason::Missing,
            Self::Unreadable { .. } | Self::TooManyDatabases { .. } => FailureReason::Unreadable,
            Self::Changing { .. } => FailureReason::Changing,
            Self::TooLarge { .. } => FailureReason::TooLarge,
            Self::NotMmdb { .. } => FailureReason::NotMmdb,
            Self::Damaged { .. } | Self::Panicked { .. } => FailureReason::Damaged,
            Self::UnusableSchema { .. } => FailureReason::UnusableSchema,
            Self::WrongKind { .. } => FailureReason::WrongKind,
        }
    }
}

impl Fault for Error {
    fn reason(&self) -> Reason {
        Reason::NotReady
    }

    /// Never: an operator has to do something first.
    fn retry_after(&self) -> Option<Duration> {
        None
    }
}
