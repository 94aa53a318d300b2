//! Builds the index of the gazetteer from its source files, beside its place, and then puts it there.
//!
//! What stands at the place is always a whole index: the old one until the new one is complete. Knows nothing of
//! the shape of the source files.

use std::path::Path;
use std::{fs, io};

use jiff::Timestamp;
use tantivy::indexer::NoMergePolicy;
use tantivy::{Index, IndexWriter};

use super::countries::Countries;
use super::doors::Doors;
use super::imports::{Import, Report, place_of_path};
use super::manifest::{MANIFEST_FILE, Manifest, Origin, SourceNote, Summary};
use super::record::{Record, Source};
use super::schema::{Entry, FORMAT, Fields};
use super::sources::{Progress, Sources, malformed, unreadable};
use super::towns::{Town, Towns};
use super::workshop::{Workshop, beside, is_ours};
use super::{iceland, openaddresses, osm, places, postcodes};
use crate::geocode::Error;
use crate::model::address::CountryCode;
use crate::model::geo::LatLng;

/// Threads that invert documents: enough to keep up with the one that reads them.
const WRITER_THREADS: usize = 2;
/// Memory of those threads together, in bytes: 128 MiB holds a third of the world's places at a time.
const WRITER_BYTES: usize = 128 << 20;

/// Builds a gazetteer into the directory `out`, in place of the one that may be there, and says what went into it.
///
/// Works in a directory beside `out`, named `.<out>.building`, which it clears first: one build of one place at a
/// time. A failed build leaves `out` as it was. Processes that have the old index open keep reading it until they
/// open the new one. Blocking; about a minute of one core for the places and postcodes of the world and the houses of
/// Iceland.
///
/// # Errors
/// `SourceFile` for a source that cannot be read or is not what it should be, `Index` where `out` cannot be written.
pub fn build(sources: &Sources, out: &Path, progress: &dyn Fn(Progress)) -> Result<Manifest, Error> {
    if sources.is_empty() {
        return Err(malformed(out, &"a gazetteer has places, postcodes or addresses: name one of these source files"));
    }
    // A directory of somebody else's is never put away.
    if out.exists() && !is_ours(out) {
        return Err(unreadable(out, &"it exists and is no gazetteer: name a new directory"));
    }
    let workshop = Workshop::new(out)?;
    let manifest = fill(&workshop.path, &beside(out, "sorting"), sources, progress).and_then(|manifest| {
        let finish = manifest.write(&workshop.path).and_then(|()| finish(&workshop.path));
        finish.map_err(|cause| unreadable(&workshop.path, &cause))?;
        Ok(manifest)
    })?;
    workshop.replace(out)?;
    Ok(manifest)
}

/// Writes the index into an empty directory, as one segment. What memory should not hold goes into `scratch` meanwhile.
fn fill(directory: &Path, scratch: &Path, sources: &Sources, progress: &dyn Fn(Progress)) -> Result<Manifest, Error> {
    let fault = |cause: tantivy::TantivyError| unreadable(directory, &cause);
    let (schema, fields) = Fields::new();
    let index = Index::create_in_dir(directory, schema).map_err(fault)?;
    let writer = index.writer_with_num_threads(WRITER_THREADS, WRITER_BYTES).map_err(fault)?;
    // All segments are merged once, at the end.
    writer.set_merge_policy(Box::new(NoMergePolicy));
    let mut press = Press { directory, fields, writer, summary: Summary::default(), notes: Vec::new() };
    let countries = Countries::read(sources.countries.as_deref(), sources.admin1.as_deref())?;
    let mut towns = Towns::default();
    let lent = add_places(&mut press, sources, &countries, &mut towns, progress)?;
    add_postcodes(&mut press, sources, &countries, progress)?;
    add_iceland(&mut press, sources, &lent, &countries, progress)?;
    for import in &sources.openaddresses {
        add_openaddresses(&mut press, import, &countries, &towns, scratch, progress)?;
    }
    for import in &sources.osm {
        add_osm(&mut press, import, &countries, &mut towns, scratch, progress)?;
    }
    let notes = std::mem::take(&mut press.notes);

    progress(Progress { done: 0, total: Some(1), what: "merging" });
    let summary = press.end(&index).map_err(fault)?;
    progress(Progress { done: 1, total: Some(1), what: "merging" });
    Ok(Manifest { format: FORMAT, built_at: Timestamp::now(), summary, sources: notes })
}

/// Adds the places of the world; gives those back that lend their names to Iceland's postcodes.
fn add_places(
    press: &mut Press<'_>,
    sources: &Sources,
    countries: &Countries,
    towns: &mut Towns,
    progress: &dyn Fn(Progress),
) -> Result<Vec<(String, LatLng)>, Error> {
    let mut lent = Vec::new();
    let Some(path) = &sources.places else { return Ok(lent) };
    let source = press.note(SourceNote::new(Origin::Geonames, path, None));
    for path in [&sources.countries, &sources.admin1].into_iter().flatten() {
        press.note(SourceNote::new(Origin::Geonames, path, None));
    }
    places::read(path, source, countries, progress, &mut |entry| {
        if let Some(entry) = &entry {
            lent.extend(iceland::town(entry));
            if sources.has_imports() {
                Town::of(entry).into_iter().for_each(|town| towns.add(town));
            }
        }
        press.add(entry)
    })?;
    Ok(lent)
}

/// Adds the postcodes of the world, but for those of the countries whose own register is there.
fn add_postcodes(
    press: &mut Press<'_>,
    sources: &Sources,
    countries: &Countries,
    progress: &dyn Fn(Progress),
) -> Result<(), Error> {
    let Some(path) = &sources.postcodes else { return Ok(()) };
    let source = press.note(SourceNote::new(Origin::Geonames, path, None));
    let without: &[CountryCode] = if sources.iceland.is_some() { &[iceland::iceland()] } else { &[] };
    let skipped = postcodes::read(path, source, without, countries, progress, &mut |entry| press.add(Some(entry)))?;
    press.summary.skipped += skipped;
    Ok(())
}

/// Adds the register of Iceland.
fn add_iceland(
    press: &mut Press<'_>,
    sources: &Sources,
    towns: &[(String, LatLng)],
    countries: &Countries,
    progress: &dyn Fn(Progress),
) -> Result<(), Error> {
    let Some(path) = &sources.iceland else { return Ok(()) };
    let postcodes = sources.iceland_postcodes.as_deref();
    let postcodes = postcodes.ok_or_else(|| malformed(path, &"needs the file of Iceland's postcodes beside it"))?;
    let source = press.note(SourceNote::new(Origin::Iceland, path, None));
    press.note(SourceNote::new(Origin::Iceland, postcodes, None));
    let register =
        iceland::read(path, postcodes, source, towns, countries, progress, &mut |entry| press.add(Some(entry)))?;
    press.date(source, register.made_at);
    press.summary.addresses += register.addresses;
    press.summary.skipped += register.skipped;
    Ok(())
}

/// Adds a file of OpenAddresses.
fn add_openaddresses(
    press: &mut Press<'_>,
    import: &Import,
    countries: &Countries,
    towns: &Towns,
    scratch: &Path,
    progress: &dyn Fn(Progress),
) -> Result<(), Error> {
    let of_path = place_of_path(&import.path, countries);
    let country = import.country.or(of_path.as_ref().map(|(country, _)| *country));
    let country = country.ok_or_else(|| {
        let what = "say its country, `FILE,country=XX`, or put it into a directory of that name, as in `us/ca/all.csv`";
        malformed(&import.path, &what)
    })?;
    let region = of_path.filter(|(of, _)| *of == country).map(|(_, region)| region).unwrap_or_default();
    let source = press.note(SourceNote::imported(Origin::OpenAddresses, import));
    let of = openaddresses::Of { source, country, region };
    let mut doors = Doors::new(countries, towns, &import.path, scratch);
    let report = openaddresses::read(&import.path, &of, progress, &mut |door| doors.add(door))?;
    press.summary.addresses += doors.end(&mut |entry| press.add(Some(entry)))?;
    press.report(source, report);
    Ok(())
}

/// Adds an extract of OpenStreetMap; its places become towns of the addresses of this extract and those behind.
fn add_osm(
    press: &mut Press<'_>,
    import: &Import,
    countries: &Countries,
    towns: &mut Towns,
    scratch: &Path,
    progress: &dyn Fn(Progress),
) -> Result<(), Error> {
    let source = press.note(SourceNote::imported(Origin::Osm, import));
    let of = osm::Of { source, country: import.country };
    let survey = osm::survey(&import.path, of, progress)?;
    survey.towns.into_iter().for_each(|town| towns.add(town));
    let mut doors = Doors::new(countries, towns, &import.path, scratch);
    let report = osm::read(&import.path, of, survey.wanted, progress, &mut |door| doors.add(door))?;
    press.summary.addresses += doors.end(&mut |entry| press.add(Some(entry)))?;
    press.report(source, report);
    Ok(())
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
    notes: Vec<SourceNote>,
}

impl Press<'_> {
    /// Notes a file, and gives the number by which its records name it.
    fn note(&mut self, note: SourceNote) -> Source {
        let file = u16::try_from(self.notes.len()).unwrap_or(u16::MAX);
        let source = Source { origin: note.origin, file };
        self.notes.push(note);
        source
    }

    /// Notes what came of the rows of a file.
    fn report(&mut self, source: Source, report: Report) {
        if let Some(note) = self.notes.get_mut(usize::from(source.file)) {
            self.summary.skipped += report.left_out.values().sum::<u64>();
            note.report = Some(report);
        }
    }

    /// Notes when the data of a file was made, where the file says so.
    fn date(&mut self, source: Source, made_at: Option<Timestamp>) {
        if let (Some(note), Some(made_at)) = (self.notes.get_mut(usize::from(source.file)), made_at) {
            note.data_date = Some(made_at);
        }
    }

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
