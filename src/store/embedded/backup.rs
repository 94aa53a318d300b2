//! Copies of a store, made while a server writes to it, and put back into an empty directory.
//!
//! A copy is one read of SQLite's: the store as of one moment, which is a prefix of every partition's history. It never
//! holds a writer; what it does hold is the log, which grows until the copy is made. Nothing is called done before it is
//! read back, compared with its checksums, and on the disk. What else lies in a data directory is not copied.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rusqlite::backup::{Backup as Copying, StepResult};
use rusqlite::{Connection, OpenFlags, Row};

use super::medium::Medium;
use super::schema::{self, Revisions};
use super::{FILE, LOG, directory, log, mark, tally, whole};
use crate::model::id::Revision;

/// All pages in one step, of one read: in several the copy would begin anew with each write between them.
const ALL_PAGES: i32 = -1;

/// Why there is no copy, or none was put back. What was there before is as it was.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {cause}")]
pub struct Failure {
    /// The file or directory.
    pub path: PathBuf,
    /// Why, and what to do.
    pub cause: String,
}

/// What a copy holds, as it was read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// Records of all kinds.
    pub records: u64,
    /// The last revision of each partition, by the account's id, the operator's by the empty text.
    pub revisions: Vec<(String, Revision)>,
}

/// Copies the store in `data_dir` to a new file that its owner alone can read. Blocking; cost: the store is read once, the copy
/// written once and read twice. Refuses a file that is there, and a store that lost writes.
///
/// Until it is done, what there is of it is beside `to`, with `.part` behind its name; the next copy to the same file writes
/// over what a crash left of it.
pub fn backup(data_dir: &Path, to: &Path) -> Result<Contents, Failure> {
    let source = data_dir.join(FILE);
    if !source.exists() {
        return Err(refuse(data_dir, format!("no store: {FILE} is not there")));
    }
    if fs::symlink_metadata(to).is_ok() {
        return Err(refuse(to, "is there: name another file, or take it away"));
    }
    refuse_damaged_log(data_dir)?;
    let noted = data_dir.join(mark::FILE);
    let acknowledged = mark::read(&*Medium::default().files, &noted).map_err(|cause| refuse(&noted, cause))?;
    let part = Part::beside(to)?;
    let from = schema::open_reader(&source, &Medium::default()).map_err(|cause| refuse(&source, cause))?;
    copy(&from, &part.path)?;
    drop(from);
    let contents = check(&part.path)?;
    // A server may have acknowledged more meanwhile, and never less.
    let found: u64 = contents.revisions.iter().map(|(_, revision)| revision.0).sum();
    if let Some(acknowledged) = acknowledged.filter(|acknowledged| *acknowledged > found) {
        let cause =
            format!("{found} commits are in it, and {acknowledged} were acknowledged: its log is cut off or gone");
        return Err(refuse(&source, cause));
    }
    part.finish(to)?;
    Ok(contents)
}

/// Puts a copy into a directory without a store, where the next start finds it. Blocking. Refuses a directory that has a store,
/// or that a process holds, and a copy that is damaged or of a newer format; one of an older format becomes one of the present.
pub fn restore(from: &Path, data_dir: &Path) -> Result<Contents, Failure> {
    let mut log = from.as_os_str().to_owned();
    log.push("-wal");
    if fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        let cause =
            "has a log beside it: it is a server's own file and not the whole of it; copy with `waymark backup`";
        return Err(refuse(from, cause));
    }
    let mut source = File::open(from).map_err(|cause| refuse(from, cause))?;
    let held = directory::hold(data_dir).map_err(|cause| refuse(data_dir, cause))?;
    let target = data_dir.join(FILE);
    if held.is_known || target.exists() || data_dir.join(LOG).exists() {
        return Err(refuse(data_dir, "has a store: restore into an empty directory, and start from that"));
    }
    let part = Part::beside(&target)?;
    io::copy(&mut source, &mut &part.file).map_err(|cause| refuse(&part.path, cause))?;
    let contents = check(&part.path).map_err(|failure| Failure { path: from.to_owned(), ..failure })?;
    // Of a store that stood there before.
    directory::remove(&data_dir.join(mark::FILE)).map_err(|cause| refuse(data_dir, cause))?;
    part.finish(&target)?;
    held.mark().map_err(|cause| refuse(data_dir, cause))?;
    Ok(contents)
}

/// A server looked through the log when it started. Without one it is done here, and no start comes in between.
fn refuse_damaged_log(data_dir: &Path) -> Result<(), Failure> {
    let path = data_dir.join(LOG);
    let Some(_idle) = directory::hold_idle(data_dir).map_err(|cause| refuse(data_dir, cause))? else { return Ok(()) };
    if log::is_damaged(&*Medium::default().files, &path).map_err(|cause| refuse(&path, cause))? {
        return Err(refuse(&path, "is damaged before its end: restore an older backup"));
    }
    Ok(())
}

#[expect(clippy::needless_pass_by_value, reason = "errors and texts that were made for it")]
fn refuse(path: &Path, cause: impl ToString) -> Failure {
    Failure { path: path.to_owned(), cause: cause.to_string() }
}

/// A file that is not whole yet. Dropped before it is finished, it is taken away.
#[derive(Debug)]
struct Part {
    path: PathBuf,
    /// Locked, so that no two write it.
    file: File,
    is_finished: bool,
}

impl Part {
    fn beside(target: &Path) -> Result<Self, Failure> {
        let mut name = target.file_name().ok_or_else(|| refuse(target, "names no file"))?.to_owned();
        name.push(".part");
        let path = target.with_file_name(name);
        let file = directory::make_file(&path).map_err(|cause| refuse(&path, cause))?;
        let inode = |found: io::Result<fs::Metadata>| found.ok().map(|found| found.ino());
        match file.try_lock() {
            Err(TryLockError::Error(cause)) => return Err(refuse(&path, format!("cannot be locked: {cause}"))),
            // One that was put in its place meanwhile is whole, and must not be written over.
            Ok(()) if inode(fs::metadata(&path)) == inode(file.metadata()) => {}
            Ok(()) | Err(TryLockError::WouldBlock) => {
                return Err(refuse(&path, "another process writes it: wait for its end"));
            }
        }
        let part = Self { path, file, is_finished: false };
        // What a crash left of the last one.
        part.file.set_len(0).map_err(|cause| refuse(&part.path, cause))?;
        part.remove_logs();
        Ok(part)
    }

    /// Puts it in its place, for good.
    fn finish(mut self, target: &Path) -> Result<(), Failure> {
        let explain = |cause: io::Error| refuse(target, cause);
        self.file.sync_all().map_err(explain)?;
        fs::rename(&self.path, target).map_err(explain)?;
        self.is_finished = true;
        directory::sync_parent(target).map_err(explain)
    }

    fn remove_logs(&self) {
        for path in directory::companions(&self.path) {
            // As a rule there is none.
            let _ = fs::remove_file(path);
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.is_finished {
            self.remove_logs();
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Copies all pages as of one moment.
fn copy(from: &Connection, to: &Path) -> Result<(), Failure> {
    let explain = |cause: rusqlite::Error| refuse(to, cause);
    let mut copy = Connection::open_with_flags(to, OpenFlags::default()).map_err(explain)?;
    // Until it is done it is nothing: one sync at the end is enough.
    copy.execute_batch("PRAGMA synchronous = OFF;").map_err(explain)?;
    let outcome = Copying::new(from, &mut copy).and_then(|copying| copying.step(ALL_PAGES)).map_err(explain)?;
    if outcome != StepResult::Done {
        return Err(refuse(to, "the store is being written anew: repeat it"));
    }
    // One file, whatever is beside it.
    let mode = copy.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get::<_, String>(0)).map_err(explain)?;
    if mode == "delete" { Ok(()) } else { Err(refuse(to, format!("its log cannot be folded, it stays in {mode}"))) }
}

/// Reads a copy from end to end: its structure, each record by its checksum, and that no record is newer than its partition.
fn check(path: &Path) -> Result<Contents, Failure> {
    let explain = |cause: rusqlite::Error| refuse(path, format!("is damaged: {cause}"));
    let mut file = Connection::open_with_flags(path, OpenFlags::default()).map_err(explain)?;
    schema::check_format(&mut file, path, true).map_err(|cause| refuse(path, cause))?;
    let found: String = file.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(explain)?;
    if found != "ok" {
        return Err(refuse(path, format!("is damaged: {found}")));
    }
    let revisions = schema::read_revisions(&file).map_err(explain)?;
    let present = check_present(&file, path, &revisions)?;
    let past = check_past(&file, &revisions).map_err(explain)?.map_err(|cause| refuse(path, cause))?;
    let records = present + past;
    let mut revisions: Vec<_> = revisions.into_iter().collect();
    revisions.sort_unstable();
    Ok(Contents { records, revisions })
}

/// Counts the records of the present, all of which are there, or says which one is not as it was written.
fn check_present(file: &Connection, path: &Path, revisions: &Revisions) -> Result<u64, Failure> {
    let (mut records, mut next) = (0, Some(tally::FIRST_SPAN));
    while let Some(from) = next {
        let mut judged = Ok(Ok(()));
        let mut show = |row: &Row<'_>, is_whole: bool| {
            records += 1;
            if matches!(judged, Ok(Ok(()))) {
                judged = judge(row, is_whole, "records", revisions);
            }
        };
        next = whole::check_on(file, path, from, &mut show).map_err(|cause| refuse(path, cause))?;
        let judged = judged.map_err(|cause| refuse(path, format!("is damaged: {cause}")))?;
        judged.map_err(|cause| refuse(path, cause))?;
    }
    Ok(records)
}

/// Counts the records of the past, or says which one is not as it was written.
fn check_past(file: &Connection, revisions: &Revisions) -> rusqlite::Result<Result<u64, String>> {
    let text = "SELECT partition, kind, id, revision, checksum, document, packed FROM past";
    let (mut statement, mut records) = (file.prepare(text)?, 0);
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if let Err(cause) = judge(row, whole::is_whole(row), "past", revisions)? {
            return Ok(Err(cause));
        }
        records += 1;
    }
    Ok(Ok(records))
}

/// Says what is wrong with a row of a table.
fn judge(row: &Row<'_>, is_whole: bool, table: &str, revisions: &Revisions) -> rusqlite::Result<Result<(), String>> {
    let (partition, id) = (row.get_ref(0)?.as_str()?, row.get_ref(2)?.as_str()?);
    let revision = Revision(row.get::<_, i64>(3)?.cast_unsigned());
    if !is_whole {
        let kind: u8 = row.get(1)?;
        return Ok(Err(format!("record {id} of kind {kind} in {table} is damaged: restore it from an older backup")));
    }
    if revisions.get(partition).is_none_or(|newest| *newest < revision) {
        return Ok(Err(format!("record {id} in {table} is newer than its account: its revisions are damaged")));
    }
    Ok(Ok(()))
}
