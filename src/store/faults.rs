//! Faults that no caller brought about: records, and keys of a Redis, that are not what was written, counted and told, and panics of
//! threads, passed on.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::task::JoinError;
use tracing::error;

use super::{Error, Kind, Unreadable};

/// Most records of which the log tells, and most keys; more of them would push everything else out of it.
const TOLD_MAX: usize = 1_000;

/// Reads of this process that met a record, or a key, that is not what was written.
static CORRUPT_READS: AtomicU64 = AtomicU64::new(0);
/// Records that the log told of: partition, kind, and the id as it is shown.
static TOLD: Mutex<Told> = Mutex::new(Told(BTreeSet::new()));
/// What the log said of keys.
static TOLD_KEYS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

#[derive(Debug)]
struct Told(BTreeSet<(String, Kind, String)>);

/// What the log says of a record.
#[derive(Debug, PartialEq, Eq)]
enum Word {
    /// Which one it is.
    Named,
    /// That there are more.
    Last,
    /// Nothing.
    None,
}

impl Told {
    /// What is to be said of a record: each is named once, and one above the most only counted.
    fn word(&mut self, partition: &str, kind: Kind, id: &str) -> Word {
        let record = (partition.to_owned(), kind, kind.shown_id(id));
        if self.0.len() > TOLD_MAX || self.0.contains(&record) {
            return Word::None;
        }
        self.0.insert(record);
        if self.0.len() > TOLD_MAX { Word::Last } else { Word::Named }
    }
}

/// Takes note of a read that met a record which a disk or another program changed, or one that says what others show not to be so: each
/// read counts, and the log tells of each record once. Gives what is known of it.
pub(crate) fn unreadable(partition: &str, kind: Kind, id: &str, path: &Path) -> Unreadable {
    CORRUPT_READS.fetch_add(1, Ordering::Relaxed);
    let word = TOLD.lock().word(partition, kind, id);
    match word {
        Word::Named => error!(
            partition,
            ?kind,
            id = kind.shown_id(id),
            path = %path.display(),
            "a record is not what was written: it is passed over, and left as it is; restore it from a backup"
        ),
        Word::Last => error!("more records are not what was written: they are counted, not told"),
        Word::None => {}
    }
    Unreadable { kind, id: id.to_owned(), path: path.to_owned() }
}

/// Takes note of a call that met a key, in which records or what finds them are, and that holds something else: each call counts, and
/// the log tells of it once. `cause` names the key, and no person. Gives what is known of it.
pub(super) fn damaged(place: &str, cause: String) -> Error {
    CORRUPT_READS.fetch_add(1, Ordering::Relaxed);
    let is_news = {
        let mut told = TOLD_KEYS.lock();
        told.len() < TOLD_MAX && told.insert(format!("{place} {cause}"))
    };
    if is_news {
        error!(place, %cause, "a key of the store is not what waymark makes it: it is left as it is; see docs/replicas.md");
    }
    Error::Damaged { path: place.into(), cause }
}

/// How many reads of this process met a record, or a key, that is not what was written. Each read counts: one record may be many.
#[must_use]
pub fn corrupt_reads() -> u64 {
    CORRUPT_READS.load(Ordering::Relaxed)
}

/// What a thread made that was waited for. Its panic goes on where it was waited for: it is a fault of waymark's own, and its text
/// nothing that a caller may read.
pub fn joined<T>(ended: Result<T, JoinError>) -> Result<T, Error> {
    ended.map_err(|cause| match cause.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => Error::Unavailable { cause: "the server ends".into() },
    })
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a_panic_of_a_thread_is_no_outage_of_the_store() {
        let waiting = async { joined(tokio::task::spawn_blocking(|| -> usize { panic!("index 7 of 3") }).await) };
        let panic = std::panic::AssertUnwindSafe(waiting).catch_unwind().await.unwrap_err();
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"index 7 of 3"));
    }

    #[test]
    fn each_record_is_told_once_and_not_without_end() {
        let mut told = Told(BTreeSet::new());
        assert_eq!(told.word("acme", Kind::Site, "one"), Word::Named);
        assert_eq!(told.word("acme", Kind::Site, "one"), Word::None);
        assert_eq!(told.word("other", Kind::Site, "one"), Word::Named);
        for number in 2..TOLD_MAX {
            assert_eq!(told.word("acme", Kind::Site, &number.to_string()), Word::Named);
        }
        assert_eq!(told.word("acme", Kind::Site, "one too many"), Word::Last);
        assert_eq!(told.word("acme", Kind::Site, "another one"), Word::None);
    }

    #[test]
    fn what_is_told_names_no_person_and_no_address() {
        let told = Error::from(unreadable("acme", Kind::SiteName, "jane roe", Path::new("f"))).to_string();
        assert!(told.contains('#') && !told.contains("jane"), "{told}");
        let told = Error::from(unreadable("acme", Kind::Located, "4:c0000201/site-7", Path::new("f"))).to_string();
        assert!(told.contains("site-7") && !told.contains("c0000201"), "{told}");
    }
}
