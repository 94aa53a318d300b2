//! A disk that fails, fills up or stalls: nothing is acknowledged that is not there, and nothing is half there.

use std::future::Future as _;
use std::path::Path;
use std::pin::pin;
use std::task::{Context, Waker};

use rusqlite::OpenFlags;

use super::super::medium::Medium;
use super::super::{Embedded, Error, Mutation, Store as _};
use super::disk::{Disk, Failure, Fault, Operation, Random};
use super::model::Model;

/// Batches of a run; every so many the file is written anew.
const BATCHES: usize = 24;
const SCRUB_EVERY: usize = 10;
/// Pages beyond which the log is folded here.
const LOG_PAGES_MAX: i64 = 16;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// A disk, a directory for its lock, and how the engine finds both.
struct Place {
    disk: Disk,
    directory: tempfile::TempDir,
    medium: Medium,
}

impl Place {
    fn new() -> Self {
        let disk = Disk::new(0);
        let medium = disk.medium(LOG_PAGES_MAX);
        Self { disk, directory: tempfile::tempdir().unwrap(), medium }
    }

    /// Everything anew.
    fn wipe(&mut self, seed: u64) {
        self.disk.wipe(seed);
        self.directory = tempfile::tempdir().unwrap();
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn open(&self) -> Result<Embedded, Error> {
        Embedded::open_on(self.path(), self.medium.clone())
    }

    /// What the store holds; its file is whole.
    async fn read(&self) -> Model {
        let store = self.open().unwrap();
        let found = Model::read(&store).await.unwrap();
        let file = self.medium.connect(&store.path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let whole: String = file.query_row("PRAGMA quick_check", [], |row| row.get(0)).unwrap();
        assert_eq!(whole, "ok");
        found
    }
}

/// Commits batches until one is refused: with why, and with what is there if it went through even so.
async fn write(store: &Embedded, model: &mut Model, random: &mut Random) -> Option<(Error, Model)> {
    for number in 1..=BATCHES {
        let batch = model.draw(random);
        let mut next = model.clone();
        let expected = next.commit(&batch);
        match (store.commit(batch).await, expected) {
            (Ok(revision), Some(expected)) => assert_eq!(revision, expected),
            (Err(Error::Conflict { .. }), None) => {}
            (Err(cause), _) => return Some((cause, next)),
            (answer, expected) => panic!("answered {answer:?}, expected {expected:?}"),
        }
        *model = next;
        if number % SCRUB_EVERY == 0
            && let Err(cause) = store.scrub().await
        {
            return Some((cause, model.clone()));
        }
    }
    None
}

/// Lets the operation of every number fail, one a run, until a run has fewer; gives the number of runs.
fn fail_each(operation: Operation, failure: Failure, step: u64) -> u64 {
    let (mut place, runtime, mut runs, mut doubts) = (Place::new(), runtime(), 0, 0);
    for after in (0..).step_by(usize::try_from(step).unwrap()) {
        place.wipe(after);
        let (mut model, mut random) = (Model::default(), Random::new(7));
        runtime.block_on(async {
            drop(place.open().unwrap());
            place.disk.wait_until_closed();
            let store = place.open().unwrap();
            place.disk.set_fault(Some(Fault { operation: Some(operation), after, failure }));
            let refused = write(&store, &mut model, &mut random).await;
            let in_doubt = refused.and_then(|(cause, next)| match cause {
                Error::Unknown { .. } => Some(next),
                // Nothing of it is there, not after a restart either.
                Error::Unavailable { .. } => None,
                other => panic!("{other}"),
            });
            doubts += usize::from(in_doubt.is_some());
            let syncs = place.disk.syncs();
            let has_failed = place.disk.fired() > 0;
            if has_failed {
                stays_refused(&place, &store, &model).await;
            }
            drop(store);
            place.disk.wait_until_closed();
            assert!(!has_failed || place.disk.syncs() == syncs, "{operation:?} {after}: a sync was tried again");
            // First as after the end of the process alone, then as after the end of the machine.
            for is_cut in [false, true] {
                if is_cut {
                    place.disk.cut_power();
                }
                place.disk.set_fault(None);
                let found = place.read().await;
                let is_right = found == model || in_doubt.as_ref() == Some(&found);
                assert!(is_right, "{operation:?} {after}, cut {is_cut}: {}", found.difference(&model));
                place.disk.wait_until_closed();
            }
        });
        runs += 1;
        if place.disk.fired() == 0 {
            break;
        }
    }
    assert!(doubts > 0, "no group met the failure, or none was told so");
    runs
}

/// The disk may be well again: the engine does not try, because nobody knows what became of the pages. It goes on reading.
async fn stays_refused(place: &Place, store: &Embedded, model: &Model) {
    place.disk.set_fault(None);
    for _ in 0..3 {
        let batch: Vec<Mutation> = model.draw(&mut Random::new(1));
        let late = store.commit(batch).await;
        assert!(matches!(late, Err(Error::Unavailable { .. })), "{late:?} after the disk failed");
    }
    assert!(matches!(store.scrub().await, Err(Error::Unavailable { .. })));
    assert_eq!(&Model::read(store).await.unwrap(), model, "reads go on, and know of nothing that was refused");
    store.close().await;
}

#[test]
fn a_write_that_fails_is_not_acknowledged_and_ends_writing() {
    // Of several hundred writes each third: those of one page are alike.
    let runs = fail_each(Operation::Write, Failure::Once, 3);
    assert!(runs > 50, "the injector struck {runs} times");
}

#[test]
fn a_sync_that_fails_is_not_acknowledged_and_not_tried_again() {
    for failure in [Failure::Once, Failure::FromThenOn] {
        let runs = fail_each(Operation::Sync, failure, 1);
        assert!(runs > 30, "the injector struck {runs} times");
    }
}

#[test]
fn a_full_disk_refuses_writes_until_there_is_room() {
    fill_up(Disk::leave_room, |cause| matches!(cause, Error::Full));
}

/// It ended writing, as any failure of the disk does, until somebody started waymark again.
#[test]
fn a_quota_that_is_used_up_refuses_writes_until_there_is_room() {
    fill_up(
        Disk::leave_quota,
        |cause| matches!(cause, Error::NoRoom { cause } if cause.contains("go on by themselves")),
    );
}

/// Pages that there is room for in the last run: more than are written.
const ROOMS: u64 = 90;

/// Leaves room for more and more bytes, and looks at what is written where there is none any more, and then where there is again.
fn fill_up(leave: impl Fn(&Disk, usize), is_told: impl Fn(&Error) -> bool) {
    let (mut place, runtime, mut refusals) = (Place::new(), runtime(), 0);
    for room in (0..ROOMS).map(|number| number * 4_096 + 17) {
        place.wipe(room);
        let (mut model, mut random) = (Model::default(), Random::new(room));
        runtime.block_on(async {
            drop(place.open().unwrap());
            place.disk.wait_until_closed();
            let store = place.open().unwrap();
            leave(&place.disk, usize::try_from(room).unwrap());
            let refused = write(&store, &mut model, &mut random).await;
            if let Some((cause, _)) = refused {
                assert!(is_told(&cause), "{cause}");
                assert_eq!(Model::read(&store).await.unwrap(), model, "nothing of what was refused is there");
                refusals += 1;
            }
            place.disk.leave_room(usize::MAX);
            assert!(write(&store, &mut model, &mut random).await.is_none(), "refused although there is room");
            drop(store);
            place.disk.wait_until_closed();
            place.disk.cut_power();
            let found = place.read().await;
            assert!(found == model, "{room} bytes: {}", found.difference(&model));
        });
    }
    assert!(
        refusals > 30 && place.disk.refused() == 0,
        "the disk was full in {refusals} of {ROOMS} runs, and in the last"
    );
}

#[test]
fn a_slow_sync_holds_writers_and_nobody_else() {
    let place = Place::new();
    runtime().block_on(async {
        let store = place.open().unwrap();
        let mut model = Model::default();
        assert!(write(&store, &mut model, &mut Random::new(3)).await.is_none());
        place.disk.hold_syncs(true);
        let syncs = place.disk.syncs();
        let batch = model.draw(&mut Random::new(11));
        let mut next = model.clone();
        let expected = next.commit(&batch).expect("the seed's batch goes through");
        let mut committing = pin!(store.commit(batch));
        assert!(committing.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        place.disk.wait_for_sync(syncs);
        assert_eq!(Model::read(&store).await.unwrap(), model, "reads go on, and see nothing that is not durable");
        assert!(
            committing.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending(),
            "before the disk has it"
        );
        place.disk.hold_syncs(false);
        assert_eq!(committing.await.unwrap(), expected);
        assert_eq!(Model::read(&store).await.unwrap(), next);
    });
}
