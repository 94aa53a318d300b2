//! Builds the index of the gazetteer from its source files, beside its place, and then puts it there.
//!
//! What stands at the place is always a whole index: the old one until the new one is complete. Knows nothing of
//! the shape of the source files.

use std::path::{Path, PathBuf};
use std::{fs, io};

use jiff::Timestamp;
use tantivy::indexer::NoMergePolicy;
use tantivy::{Index, IndexWriter};

use super::countries::Countries;
use super::manifest::{MANIFEST_FILE, Manifest, Origin, SourceNote, Summary};
use super::record::Record;
use super::schema::{Entry, FORMAT, Fields};
use super::sources::{Progress, Sources, malformed, unreadable};
use super::{iceland, places};
use crate::geocode::Error;

/// Threads that invert documents: enough to keep up with the one that reads them.
const WRITER_THREADS: usize = 2;
/// Memory of those threads together, in bytes: 128 MiB holds a third of the world's places at a time.
const WRITER_BYTES: usize = 128 << 20;

/// Builds a gazetteer into the directory `out`, in place of the one that may be there, and says what went into it.
///
/// Works in a directory beside `out`, named `.<out>.building`, which it clears first: one build of one place at a
/// time. A failed build leaves `out` as it was. Processes that have the old index open keep reading it until they
/// open the new one. Blocking; half a minute of two cores for the places of the world and the houses of Iceland.
///
/// # Errors
/// `SourceFile` for a source that cannot be read or is not what it should be, `Index` where `out` cannot be written.
pub fn build(sources: &Sources, out: &Path, progress: &dyn Fn(Progress)) -> Result<Summary, Error> {
    if sources.places.is_none() && sources.iceland.is_none() {
        return Err(malformed(out, &"a gazetteer has places or addresses: name at least one of these source files"));
    }
    // A directory of somebody else's is never put away.
    if out.exists() && !is_ours(out) {
        return Err(unreadable(out, &"it exists and is no gazetteer: name a new directory"));
    }
    let workshop = Workshop::new(out)?;
    let manifest = fill(&workshop.path, sources, progress).and_then(|manifest| {
        let finish = manifest.write(&workshop.path).and_then(|()| finish(&workshop.path));
        finish.map_err(|cause| unreadable(&workshop.path, &cause))?;
        Ok(manifest)
    })?;
    workshop.replace(out)?;
    Ok(manifest.summary)
}

/// Writes the index into an empty directory, as one segment.
fn fill(directory: &Path, sources: &Sources, progress: &dyn Fn(Progress)) -> Result<Manifest, Error> {
    let fault = |cause: tantivy::TantivyError| unreadable(directory, &cause);
    let (schema, fields) = Fields::new();
    let index = Index::create_in_dir(directory, schema).map_err(fault)?;
    let writer = index.writer_with_num_threads(WRITER_THREADS, WRITER_BYTES).map_err(fault)?;
    // All segments are merged once, at the end.
    writer.set_merge_policy(Box::new(NoMergePolicy));
    let mut press = Press { directory, fields, writer, summary: Summary::default() };

    let countries = Countries::read(sources.countries.as_deref(), sources.admin1.as_deref())?;
    let mut notes = Vec::new();
    let mut towns = Vec::new();
    if let Some(path) = &sources.places {
        places::read(path, &countries, progress, &mut |entry| {
            towns.extend(entry.as_ref().and_then(iceland::town));
            press.add(entry)
        })?;
        let files = [Some(path), sources.countries.as_ref(), sources.admin1.as_ref()];
        notes.extend(files.into_iter().flatten().map(|path| SourceNote::new(Origin::Geonames, path, None)));
    }
    if let Some(path) = &sources.iceland {
        let postcodes = sources.iceland_postcodes.as_deref();
        let postcodes = postcodes.ok_or_else(|| malformed(path, &"needs the file of Iceland's postcodes beside it"))?;
        let register =
            iceland::read(path, postcodes, &towns, &countries, progress, &mut |entry| press.add(Some(entry)))?;
        press.summary.addresses += register.addresses;
        press.summary.skipped += register.skipped;
        notes.push(SourceNote::new(Origin::Iceland, path, register.made_at));
        notes.push(SourceNote::new(Origin::Iceland, postcodes, None));
    }

    progress(Progress { done: 0, total: Some(1), what: "merging" });
    let summary = press.end(&index).map_err(fault)?;
    progress(Progress { done: 1, total: Some(1), what: "merging" });
    Ok(Manifest { format: FORMAT, built_at: Timestamp::now(), summary, sources: notes })
}

/// Takes out what only the writer needs, and makes every file readable to whom the manifest is.
///
/// The library makes some files for its own user alone, and a server often runs as another one than the builder.
fn finish(directory: &Path) -> io::Result<()> {
    let permissions = fs::metadata(directory.join(MANIFEST_FILE))?.permissions();
    for file in fs::read_dir(directory)? {
        let path = file?.path();
        if path.extension().is_some_and(|extension| extension == "lock") {
            fs::remove_file(path)?;
        } else {
            fs::set_permissions(path, permissions.clone())?;
        }
    }
    Ok(())
}

/// Where entries become documents.
struct Press<'a> {
    directory: &'a Path,
    fields: Fields,
    writer: IndexWriter,
    summary: Summary,
}

impl Press<'_> {
    fn add(&mut self, entry: Option<Entry>) -> Result<(), Error> {
        let Some(entry) = entry else {
            self.summary.skipped += 1;
            return Ok(());
        };
        match entry.record {
            Record::Place(_) => self.summary.places += 1,
            Record::Street(_) => self.summary.streets += 1,
            Record::Area(_) => self.summary.postcodes += 1,
        }
        let document = self.fields.document(entry);
        self.writer.add_document(document).map_err(|cause| unreadable(self.directory, &cause))?;
        Ok(())
    }

    /// Writes everything out as one segment, and waits until it is on the disk.
    fn end(mut self, index: &Index) -> tantivy::Result<Summary> {
        self.writer.commit()?;
        let segments = index.searchable_segment_ids()?;
        if segments.len() > 1 {
            self.writer.merge(&segments).wait()?;
        }
        self.writer.garbage_collect_files().wait()?;
        self.writer.wait_merging_threads()?;
        Ok(self.summary)
    }
}

/// The directory in which an index is built; removed on dropping, unless it was put into its place.
struct Workshop {
    path: PathBuf,
}

impl Workshop {
    fn new(out: &Path) -> Result<Self, Error> {
        let path = beside(out, "building");
        let fault = |cause: io::Error| unreadable(&path, &cause);
        if path.exists() {
            fs::remove_dir_all(&path).map_err(fault)?;
        }
        fs::create_dir_all(&path).map_err(fault)?;
        Ok(Self { path })
    }

    /// Puts the directory in the place of `out`; what was there goes, and comes back if the last step fails.
    fn replace(self, out: &Path) -> Result<(), Error> {
        let fault = |cause: io::Error| unreadable(out, &cause);
        let old = beside(out, "old");
        if old.exists() {
            fs::remove_dir_all(&old).map_err(fault)?;
        }
        if out.exists() {
            fs::rename(out, &old).map_err(fault)?;
        }
        if let Err(cause) = fs::rename(&self.path, out) {
            // Nothing more can be done than to try: the first error is the one to tell.
            let _ = fs::rename(&old, out);
            return Err(fault(cause));
        }
        if let Some(parent) = out.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            fs::File::open(parent).and_then(|parent| parent.sync_all()).map_err(fault)?;
        }
        if old.exists() {
            fs::remove_dir_all(&old).map_err(fault)?;
        }
        Ok(())
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        // After `replace` nothing is left here. What cannot be removed now is cleared by the next build.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Whether a directory is a gazetteer of whatever version, or empty.
fn is_ours(directory: &Path) -> bool {
    let is_empty = || fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_none());
    directory.join(MANIFEST_FILE).is_file() || is_empty()
}

/// A hidden directory beside `out`, on the same file system.
fn beside(out: &Path, purpose: &str) -> PathBuf {
    let name = out.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    out.with_file_name(format!(".{name}.{purpose}"))
}
