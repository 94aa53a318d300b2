//! Files that rot, and files that are cut off: refused, or opened to a whole commit, record by record; never another's words.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::mark;
use super::super::medium::Medium;
use super::super::{Embedded, Error, Store as _};
use super::disk::{Disk, Failure, Fault, Random};
use super::model::{Model, Sites, start};
use super::setting;
use crate::model::id::SiteId;

/// Damaged files of a run of the tests.
const RUNS_DEFAULT: u64 = 400;
/// Longest tail that is damaged, in bytes: a page of the file.
const TAIL_BYTES_MAX: usize = 8_192;
const BATCHES: usize = 40;
/// The log is folded at the end alone.
const LOG_PAGES_MAX: i64 = i64::MAX;

/// States at the end to which a damaged log may open without a word.
const LATE: usize = 3;

type Images = BTreeMap<String, Vec<u8>>;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// A store's files after some commits, and what it held after each of them. Closed it has no log; else all is in its log
/// but what it began with.
async fn written(disk: &Disk, directory: &Path, is_closed: bool) -> (Images, Vec<Model>) {
    let medium = disk.medium(LOG_PAGES_MAX);
    let mut random = Random::new(5);
    let mut states = vec![Model::default()];
    let store = Embedded::open_on(directory, medium).unwrap();
    while states.len() <= BATCHES {
        let mut model = states[states.len() - 1].clone();
        let batch = model.draw(&mut random);
        if model.commit(&batch).is_some() {
            store.commit(batch).await.unwrap();
            states.push(model);
        }
    }
    if is_closed {
        store.close().await;
        drop(store);
        disk.wait_until_closed();
        return (disk.images(), states);
    }
    let images = disk.images();
    drop(store);
    disk.wait_until_closed();
    (images, states)
}

/// Does something to a file that disks do; says what.
fn damage(image: &mut Vec<u8>, random: &mut Random) -> String {
    let tail = 1 + random.below(TAIL_BYTES_MAX.min(image.len()));
    let from = image.len() - tail;
    match random.below(5) {
        0 => {
            image.truncate(from);
            format!("the last {tail} bytes are gone")
        }
        1 => {
            image[from..].fill(0);
            format!("the last {tail} bytes are zero")
        }
        2 => {
            image[from..].fill_with(|| random.next().to_le_bytes()[0]);
            format!("the last {tail} bytes are garbage")
        }
        _ => {
            let (at, bit) = (random.below(image.len()), random.below(8));
            image[at] ^= 1 << bit;
            format!("bit {bit} of byte {at} is flipped")
        }
    }
}

/// Takes the note of what was acknowledged away: a store of a waymark that noted nothing.
fn forget_note(images: &mut Images) {
    let before = images.len();
    images.retain(|name, _| !name.ends_with(mark::FILE));
    assert_eq!(images.len() + 1, before, "there is no note");
}

/// How damaged files were met.
#[derive(Debug, Default)]
struct Met {
    refused: u64,
    /// Opened, and a record or a range could not be read.
    told: u64,
    /// Opened to what was there after an earlier commit.
    earlier: u64,
    /// Nothing of what was read lay in what was damaged.
    unseen: u64,
    /// Records of the past are not found where the structure of the file is damaged, or revisions are others: copies tell.
    missing: u64,
}

fn is_said(cause: &str) -> bool {
    ["restore it from a backup", "is an SQLite file of another program", "use the waymark that wrote it"]
        .iter()
        .any(|hint| cause.contains(hint))
}

/// Whether a record is gone that a start reads.
fn is_any_gone(last: &Model, read: &Model) -> bool {
    last.expected().any(|(key, revision, document)| !key.kind.is_past() && !read.holds(&key, revision, document))
}

/// What a start took in has to be what somebody wrote, and all that is there where nobody is told of anything.
fn judge_start(sites: &[(SiteId, String)], states: &[Model], read: Option<&Model>) -> Result<(), String> {
    let known: Vec<Sites> = states.iter().map(Model::sites).collect();
    if let Some(site) = sites.iter().find(|site| !known.iter().any(|sites| sites.contains(site))) {
        return Err(format!("a start takes in what nobody wrote: {site:?}"));
    }
    match read.map(Model::sites) {
        Some(there) if there != sites => Err(format!("a start takes in {sites:?}, and there are {there:?}")),
        _ => Ok(()),
    }
}

/// Opens a damaged store, and reads it record by record.
async fn meet(directory: &Path, medium: &Medium, states: &[Model], met: &mut Met) -> Result<(), String> {
    let store = match Embedded::open_on(directory, medium.clone()) {
        Err(cause @ (Error::Directory { .. } | Error::SetBack { .. })) if is_said(&cause.to_string()) => {
            met.refused += 1;
            return Ok(());
        }
        Err(cause) => return Err(format!("refused without what to do: {cause}")),
        Ok(store) => store,
    };
    let last = &states[states.len() - 1];
    let (started, proven) = (start(&store).await, store.prove_all(0).await);
    // What a start does not read is looked at behind it, and said there.
    let is_start_refused = started.is_err() || proven.is_err();
    let (mut found, mut is_told) = (0, false);
    for (key, revision, document) in last.expected() {
        match store.get(key.clone()).await {
            Ok(None) => {}
            Ok(Some(record)) if (record.revision, &record.document) == (revision, document) => found += 1,
            Ok(Some(record)) if states.iter().any(|state| state.holds(&key, record.revision, &record.document)) => {}
            Ok(Some(record)) => return Err(format!("{key:?} says what nobody wrote: {record:?}")),
            Err(Error::Corrupt { .. } | Error::Damaged { .. }) => is_told = true,
            Err(cause) => return Err(format!("{key:?}: {cause}")),
        }
    }
    let read = Model::read(&store).await;
    if let Ok((sites, unreadable)) = &started {
        let is_untold = proven.is_ok() && *unreadable == 0;
        judge_start(sites, states, read.as_ref().ok().filter(|_| is_untold))?;
    }
    match read {
        Ok(read) if read == *last => met.unseen += 1,
        // The last group may have been in hand when the power failed, and so may one that looks like a part of it.
        Ok(read) if states[states.len() - LATE..].contains(&read) => met.earlier += 1,
        Ok(_) if found == 0 && !is_told => return Err("it is empty, and nobody is told".to_owned()),
        Ok(_) if is_start_refused => met.told += 1,
        Ok(read) if is_any_gone(last, &read) => return Err("a record is gone, and nobody is told".to_owned()),
        Ok(_) | Err(_) if is_told => met.told += 1,
        Err(cause) if is_said(&cause) => met.told += 1,
        Err(cause) => return Err(cause),
        Ok(_) => met.missing += 1,
    }
    Ok(())
}

fn damage_all(is_closed: bool, is_noted: bool, seed: u64) -> Met {
    let disk = Disk::new(seed);
    let medium = disk.medium(LOG_PAGES_MAX);
    let (runtime, directory) = (runtime(), tempfile::tempdir().unwrap());
    let (mut images, states) = runtime.block_on(written(&disk, directory.path(), is_closed));
    if !is_noted {
        forget_note(&mut images);
    }
    let ending = if is_closed { "sqlite3" } else { "-wal" };
    let name = images.keys().find(|name| name.ends_with(ending)).expect("the file is there").clone();
    let (mut met, mut random) = (Met::default(), Random::new(seed));
    for run in 0..setting("WAYMARK_DAMAGE_RUNS", RUNS_DEFAULT) {
        let mut damaged = images.clone();
        let what = damage(damaged.get_mut(&name).unwrap(), &mut random);
        disk.put_images(&damaged);
        let outcome = runtime.block_on(meet(directory.path(), &medium, &states, &mut met));
        outcome.unwrap_or_else(|cause| panic!("seed {seed}, run {run}: of {ending} {what}: {cause}"));
    }
    met
}

#[test]
#[expect(clippy::print_stdout, reason = "a summary for who runs it")]
fn a_damaged_database_is_refused_or_told() {
    let met = damage_all(true, true, setting("WAYMARK_DAMAGE_SEED", 1));
    println!("damaged databases: {met:?}");
    assert!(met.refused > 0 && met.told > 0, "{met:?}");
}

#[test]
#[expect(clippy::print_stdout, reason = "a summary for who runs it")]
fn a_damaged_log_is_refused_where_anything_acknowledged_is_gone() {
    let met = damage_all(false, true, setting("WAYMARK_DAMAGE_SEED", 1));
    println!("damaged logs: {met:?}");
    assert!(met.refused > 0, "{met:?}");
    assert_eq!((met.earlier, met.told, met.missing), (0, 0, 0), "{met:?}");
}

/// What the note is worth: without it the last commits are gone without a word.
#[test]
#[expect(clippy::print_stdout, reason = "a summary for who runs it")]
fn a_damaged_log_without_a_note_opens_to_a_late_commit() {
    let met = damage_all(false, false, setting("WAYMARK_DAMAGE_SEED", 1));
    println!("damaged logs without a note: {met:?}");
    assert!(met.refused > 0 && met.earlier > 0, "{met:?}");
    assert_eq!((met.told, met.missing), (0, 0), "{met:?}");
}

/// Takes a file away, or all of it behind a byte.
fn cut(images: &mut Images, ending: &str, left: Option<usize>) {
    let name = images.keys().find(|name| name.ends_with(ending)).expect("the file is there").clone();
    match left {
        None => drop(images.remove(&name)),
        Some(left) => images.get_mut(&name).unwrap().truncate(left),
    }
}

/// F4: a log that is gone, or cut anywhere, leaves a whole store of an earlier moment.
#[test]
fn a_log_that_is_gone_or_cut_is_noticed_and_accepted_by_hand_alone() {
    let disk = Disk::new(3);
    let medium = disk.medium(LOG_PAGES_MAX);
    let (runtime, directory) = (runtime(), tempfile::tempdir().unwrap());
    let (images, states) = runtime.block_on(written(&disk, directory.path(), false));
    let length = images.iter().find(|(name, _)| name.ends_with("-wal")).unwrap().1.len();
    let mut refused = 0;
    for left in [None, Some(0)].into_iter().chain((31..length).step_by(4_099).map(Some)) {
        let mut lost = images.clone();
        cut(&mut lost, "-wal", left);
        disk.put_images(&lost);
        // Twice: what refuses changes nothing.
        for _ in 0..2 {
            match Embedded::open_on(directory.path(), medium.clone()) {
                Err(Error::SetBack { acknowledged, found, .. }) => {
                    assert!(acknowledged == BATCHES as u64 && found < acknowledged, "{found} of {acknowledged}");
                }
                other => panic!("cut at {left:?} of {length}: {other:?}"),
            }
            disk.wait_until_closed();
        }
        if left.is_some_and(|left| left > 0) {
            let (log, before) = (disk.images(), lost.iter().find(|(name, _)| name.ends_with("-wal")).unwrap());
            assert_eq!(log.get(before.0), Some(before.1), "the log is not what it was");
        }
        refused += 1;
    }
    assert!(refused > 20, "{refused} cuts");
    let mut lost = images.clone();
    cut(&mut lost, "-wal", Some(length / 2));
    forget_note(&mut lost);
    disk.put_images(&lost);
    runtime.block_on(async {
        let store = Embedded::open_on(directory.path(), medium.clone()).unwrap();
        assert!(states.contains(&Model::read(&store).await.unwrap()));
    });
    disk.wait_until_closed();
    // It is noted from here on.
    drop(Embedded::open_on(directory.path(), medium).unwrap());
    disk.wait_until_closed();
    assert!(disk.images().keys().any(|name| name.ends_with(mark::FILE)));
}

/// A store that was there, and is not: it must not begin anew, as if nothing had been lost.
#[test]
fn a_store_that_is_empty_or_gone_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("waymark.sqlite3");
    drop(Embedded::open(directory.path()).unwrap());
    std::fs::write(&file, "").unwrap();
    let refusal = Embedded::open(directory.path()).unwrap_err().to_string();
    assert!(refusal.contains("is empty, and was not: restore it from a backup"), "{refusal}");
    std::fs::remove_file(&file).unwrap();
    let refusal = Embedded::open(directory.path()).unwrap_err().to_string();
    assert!(refusal.contains("is gone: restore it from a backup") && !file.exists(), "{refusal}");
}

/// The power fails at each operation of a migration from each format: the next start does it again, or finds it done.
#[test]
fn a_migration_that_is_cut_off_is_done_by_the_next_start() {
    let disk = Disk::new(1);
    let medium = disk.medium(LOG_PAGES_MAX);
    let (runtime, directory) = (runtime(), tempfile::tempdir().unwrap());
    let (images, _) = runtime.block_on(written(&disk, directory.path(), true));
    let path = directory.path().join("waymark.sqlite3");
    let undo_2 = "DROP TABLE past;";
    let undo_1 = "DROP TABLE past; ALTER TABLE records DROP COLUMN packed;";
    for (version, undo) in [(3, ""), (2, undo_2), (1, undo_1)] {
        disk.put_images(&images);
        let file = medium.connect(&path, rusqlite::OpenFlags::default()).unwrap();
        let undo_4 = "DROP TABLE packed; DROP TABLE tallies; DROP TABLE layout;";
        file.execute_batch(&format!("{undo_4} {undo} PRAGMA user_version = {version};")).unwrap();
        drop(file);
        let (old, mut cuts) = (disk.images(), 0);
        let expected = runtime
            .block_on(async { Model::read(&Embedded::open_on(directory.path(), medium.clone()).unwrap()).await });
        for after in 0.. {
            disk.put_images(&old);
            disk.set_fault(Some(Fault { operation: None, after, failure: Failure::Power }));
            let is_open = Embedded::open_on(directory.path(), medium.clone()).is_ok();
            disk.wait_until_closed();
            cuts += u64::from(disk.is_off());
            let is_over = !disk.is_off();
            disk.cut_power();
            runtime.block_on(async {
                let store = Embedded::open_on(directory.path(), medium.clone()).unwrap();
                let read = Model::read(&store).await;
                assert_eq!(read, expected, "cut at operation {after}, opened {is_open}");
                assert_eq!(start(&store).await.unwrap(), (read.unwrap().sites(), 0), "cut at operation {after}");
                store.prove_all(0).await.unwrap();
            });
            if is_over {
                break;
            }
        }
        assert!(cuts > 3, "a migration has {cuts} operations");
    }
}
