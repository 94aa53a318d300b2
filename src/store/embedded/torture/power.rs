//! Cuts the power under the engine, thousands of times: on a disk in memory, at any operation, in any phase of its life.
//!
//! Each cycle opens the store, commits groups of batches, and loses power in the midst of it, or folds, scrubs and closes.
//! What is found after it has to be what was acknowledged, with or without the one group in hand. The seed decides everything,
//! how batches are grouped too: `WAYMARK_POWER_SEED` repeats what failed, `WAYMARK_POWER_CYCLES` goes on for longer (`make torture`).

use std::future::poll_fn;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc;
use std::task::Poll;
use std::time::Instant;

use futures_util::future::join_all;
use parking_lot::Mutex;
use rusqlite::OpenFlags;
use tokio::sync::Notify;

use super::super::medium::Medium;
use super::super::{Embedded, Error, Mutation, Observer, Revision, Store as _};
use super::disk::{Disk, Failure, Fault, Losses, Operation, Random};
use super::model::{Model, start};
use super::setting;

/// Cycles of a run of the tests: some seconds.
const CYCLES_DEFAULT: u64 = 300;
const SEED_DEFAULT: u64 = 1;
/// Losses of power that one store goes through, before an empty disk begins the next: its history grows, and the file with it.
const CYCLES_OF_A_STORE: u64 = 25;
/// Pages beyond which the log is folded here, so that it happens in each cycle or two.
const LOG_PAGES_MAX: i64 = 24;
/// Operations of the disk until the power fails: less than what a cycle takes, as a rule.
const OPERATIONS_MAX: usize = 150;
/// Most groups of batches in a cycle.
const GROUPS_MAX: usize = 6;
/// Most batches in a group behind its first.
const BATCHES_MAX: usize = 5;

/// Holds the writer's thread when it tells of a commit, until all batches of the next group are queued.
#[derive(Debug, Default)]
struct Gate {
    hold: Mutex<Option<mpsc::Receiver<()>>>,
    reached: Notify,
}

impl Observer for Gate {
    fn resynced(&self, _: crate::store::Resync<'_>) {}

    fn committed(&self, _: Revision, _: &[Mutation]) {
        if let Some(released) = self.hold.lock().take() {
            self.reached.notify_one();
            // The test may be over.
            let _ = released.recv();
        }
    }
}

/// What a run has seen, so that nobody takes a quiet one for a good one.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    cycles: u64,
    acknowledged: u64,
    /// Groups of which nobody was told how they ended: those that are there, and those that are not.
    in_doubt_kept: u64,
    in_doubt_gone: u64,
    /// Losses of power while a store was opened, or closed again at once.
    cuts_at_start: u64,
    losses: Losses,
}

/// One store on its disk, and what it has to hold.
struct Life<'a> {
    disk: &'a Disk,
    directory: &'a Path,
    medium: Medium,
    random: Random,
    /// What was acknowledged.
    sure: Model,
    /// What is there if the group in hand went through, too.
    in_doubt: Option<Model>,
    seen: Seen,
}

impl Life<'_> {
    /// Opens what the last cycle left, and compares it with what has to be there.
    async fn reopen(&mut self) -> Result<Embedded, String> {
        let opened = Embedded::open_on(self.directory, self.medium.clone());
        let store = opened.map_err(|cause| format!("it does not open: {cause}"))?;
        let found = Model::read(&store).await?;
        let file =
            self.medium.connect(&store.path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(|cause| cause.to_string())?;
        let whole: String =
            file.query_row("PRAGMA quick_check", [], |row| row.get(0)).map_err(|cause| cause.to_string())?;
        if whole != "ok" {
            return Err(format!("quick_check says {whole}"));
        }
        // Copies, documents and what is counted are of one commit, whichever that is.
        let started = start(&store).await.map_err(|cause| format!("it does not start: {cause}"))?;
        if started != (found.sites(), 0) {
            return Err(format!("a start finds {started:?}, and there are {:?}", found.sites()));
        }
        store.prove_all(0).await.map_err(|cause| format!("records are missed: {cause}"))?;
        match self.in_doubt.take() {
            in_doubt if found == self.sure => self.seen.in_doubt_gone += u64::from(in_doubt.is_some()),
            Some(in_doubt) if found == in_doubt => {
                self.seen.in_doubt_kept += 1;
                self.sure = in_doubt;
            }
            _ => return Err(format!("found and acknowledged differ: {}", found.difference(&self.sure))),
        }
        Ok(store)
    }

    /// Commits a batch, and then several in one group. False where the power failed.
    async fn commit_groups(&mut self, store: &Embedded, gate: &Gate) -> Result<bool, String> {
        let (release, released) = mpsc::channel();
        *gate.hold.lock() = Some(released);
        let opener = self.sure.draw(&mut self.random);
        let mut expected = self.sure.clone();
        let revision = expected.commit(&opener);
        let mut opening = pin!(store.commit(opener));
        let early = tokio::select! {
            biased;
            answer = &mut opening => Some(answer),
            () = gate.reached.notified() => None,
        };
        if let Some(answer) = early {
            gate.hold.lock().take();
            return self.conclude(vec![answer], &[revision], expected);
        }
        let mut next = expected.clone();
        let batches: Vec<_> = (0..self.random.below(BATCHES_MAX + 1)).map(|_| next.draw(&mut self.random)).collect();
        let revisions: Vec<_> = batches.iter().map(|batch| next.commit(batch)).collect();
        let mut committing = pin!(join_all(batches.into_iter().map(|batch| store.commit(batch))));
        let mut answers = poll_fn(|context| match committing.as_mut().poll(context) {
            Poll::Ready(answers) => Poll::Ready(Some(answers)),
            Poll::Pending => Poll::Ready(None),
        })
        .await;
        drop(release);
        if !self.conclude(vec![opening.await], &[revision], expected)? {
            return Err("a commit that observers heard of was not acknowledged".to_owned());
        }
        if answers.is_none() {
            answers = Some(committing.await);
        }
        self.conclude(answers.unwrap_or_default(), &revisions, next)
    }

    /// Holds the answers of a group against what the model says, which is `next` if it went through.
    fn conclude(
        &mut self,
        answers: Vec<Result<Revision, Error>>,
        expected: &[Option<Revision>],
        next: Model,
    ) -> Result<bool, String> {
        for (answer, expected) in answers.into_iter().zip(expected) {
            match (answer, expected) {
                (Ok(revision), Some(expected)) if revision == *expected => self.seen.acknowledged += 1,
                (Err(Error::Conflict { .. }), None) => {}
                (Err(Error::Unknown { .. }), _) if self.disk.is_off() => {
                    self.in_doubt = Some(next);
                    return Ok(false);
                }
                // Nothing of it may be there, after the power is back neither.
                (Err(Error::Unavailable { .. }), _) if self.disk.is_off() => return Ok(false),
                (answer, expected) => return Err(format!("answered {answer:?}, expected {expected:?}")),
            }
        }
        self.sure = next;
        Ok(true)
    }

    /// Writes until the power fails, or until nothing more is to be done.
    async fn work(&mut self, store: &Embedded) -> Result<(), String> {
        let gate = Arc::new(Gate::default());
        store.observe(Arc::clone(&gate) as Arc<dyn Observer>).await.unwrap();
        for _ in 0..self.random.below(GROUPS_MAX + 1) {
            if !self.commit_groups(store, &gate).await? {
                return Ok(());
            }
            // Both change nothing of what is held, whether they go through or not.
            if self.random.one_in(12) && store.scrub().await.is_err() && !self.disk.is_off() {
                return Err("a scrub failed on a disk with power".to_owned());
            }
        }
        if self.random.one_in(3) {
            store.close().await;
        }
        Ok(())
    }

    /// One loss of power: also of a store that is just opened, and of one that is closed.
    async fn cycle(&mut self) -> Result<(), String> {
        let store = self.reopen().await?;
        self.fail_power_after(OPERATIONS_MAX);
        self.work(&store).await?;
        drop(store);
        self.cut();
        while self.random.one_in(3) {
            // The next start does not come to its end.
            self.fail_power_after(12);
            match Embedded::open_on(self.directory, self.medium.clone()) {
                Ok(store) => drop(store),
                Err(_) if self.disk.is_off() => {}
                Err(cause) => return Err(format!("it does not open: {cause}")),
            }
            self.disk.wait_until_closed();
            self.seen.cuts_at_start += u64::from(self.disk.is_off());
            self.cut();
        }
        self.seen.cycles += 1;
        Ok(())
    }

    fn fail_power_after(&mut self, operations_max: usize) {
        // A sync that does not come to its end is the moment in which anything may have happened.
        let (operation, operations_max) = match self.random.below(3) {
            0 => (Some(Operation::Sync), operations_max / 12),
            _ => (None, operations_max),
        };
        let after = self.random.below(operations_max) as u64;
        self.disk.set_fault(Some(Fault { operation, after, failure: Failure::Power }));
    }

    fn cut(&mut self) {
        // Whoever closes files closes them with the power as it is.
        self.disk.wait_until_closed();
        self.seen.losses.add(self.disk.cut_power());
        // The word that the engine left of the failure was in memory as all else.
        let _ = std::fs::remove_file(self.directory.join("STOPPED"));
    }
}

/// Takes one store through losses of power.
fn live(disk: &Disk, medium: &Medium, seed: u64, cycles: u64, seen: &mut Seen) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    disk.wipe(seed);
    let mut life = Life {
        disk,
        directory: directory.path(),
        medium: medium.clone(),
        random: Random::new(seed ^ u64::MAX),
        sure: Model::default(),
        in_doubt: None,
        seen: std::mem::take(seen),
    };
    let outcome = runtime.block_on(async {
        for _ in 0..cycles {
            life.cycle().await?;
        }
        life.reopen().await.map(drop)
    });
    *seen = life.seen;
    outcome
}

#[test]
#[expect(clippy::print_stdout, reason = "a summary for who runs it")]
fn acknowledged_writes_survive_losses_of_power() {
    let (cycles, first) =
        (setting("WAYMARK_POWER_CYCLES", CYCLES_DEFAULT), setting("WAYMARK_POWER_SEED", SEED_DEFAULT));
    let disk = Disk::new(first);
    let medium = disk.medium(LOG_PAGES_MAX);
    let (mut seen, begun, mut seed) = (Seen::default(), Instant::now(), first);
    while seen.cycles < cycles {
        let outcome = live(&disk, &medium, seed, CYCLES_OF_A_STORE, &mut seen);
        if let Err(cause) = outcome {
            panic!("WAYMARK_POWER_SEED={seed} WAYMARK_POWER_CYCLES=1 repeats it: {cause}");
        }
        seed += 1;
    }
    println!(
        "power: {} cycles in {:.1} s, seeds {first} to {}: {seen:?}",
        seen.cycles,
        begun.elapsed().as_secs_f64(),
        seed - 1
    );
    assert!(seen.acknowledged > cycles, "too little was written: {seen:?}");
    assert!(seen.in_doubt_kept > 0 && seen.in_doubt_gone > 0 && seen.cuts_at_start > 0, "{seen:?}");
    let Losses { lost, torn, reordered, names, .. } = seen.losses;
    assert!(lost > cycles && torn > 0 && reordered > 0 && names > 0, "too little was lost: {seen:?}");
}

/// Without it a seed is of no use to who looks for a fault.
#[test]
fn a_seed_repeats_what_happened() {
    let disk = Disk::new(0);
    let [one, other] = [(); 2].map(|()| {
        let mut seen = Seen::default();
        live(&disk, &disk.medium(LOG_PAGES_MAX), 9, CYCLES_OF_A_STORE, &mut seen).unwrap();
        seen
    });
    assert_eq!(one, other);
}

/// What the tests above are worth: of an engine that does not wait for the disk it says so.
#[test]
fn an_engine_that_does_not_sync_is_caught() {
    let disk = Disk::new(0);
    let medium = Medium { synchronous: "OFF", ..disk.medium(LOG_PAGES_MAX) };
    let caught = (1..=20).filter(|seed| live(&disk, &medium, *seed, CYCLES_OF_A_STORE, &mut Seen::default()).is_err());
    assert_eq!(caught.count(), 20, "stores that lost what they had acknowledged, of 20");
}
