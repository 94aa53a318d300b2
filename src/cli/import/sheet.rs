//! A file of sites: read through once to see what it is and which rows name a site twice, then row by row.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use sha2::{Digest as _, Sha256};

use super::row::{Fault, Match, Row, site_id};
use super::{csv_rows::CsvForm, feature_rows};
use crate::cli::sheet::Format;
use crate::model::text;

/// Bytes read at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// Where a row stands in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RowAt {
    /// Which row it is, from 1. It is known by this, in the journal and at the server.
    pub(super) row: u64,
    /// The line of a CSV file in which it begins, as editors count; which feature it is of others. For people alone.
    pub(super) line: u64,
}

/// A row, and where it stands.
pub(super) type Numbered = (RowAt, Result<Row, Fault>);

/// How the file holds its rows.
#[derive(Debug)]
enum Form {
    Csv(CsvForm),
    Features,
}

/// A file that was understood.
#[derive(Debug)]
pub(super) struct Sheet {
    path: PathBuf,
    /// Held open: a file that takes its place meanwhile is another one.
    file: File,
    form: Form,
    by: Match,
    parent: String,
    /// How many rows it has.
    pub(super) rows: u64,
    /// SHA-256 of the file in hexadecimal, and what sites are found by.
    pub(super) digest: String,
    /// Rows that cannot stand beside another one.
    repeated: HashMap<u64, Repeat>,
}

/// What a row has in common with another one.
#[derive(Debug, Clone, Copy)]
struct Repeat {
    /// Where that one stands.
    line: u64,
    /// Whether both are known to be of one site, or would have one name.
    is_site: bool,
}

/// What a row names its site by, before anything else of it is looked at.
#[derive(Debug, Default)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) site_id: String,
    pub(super) agent_id: String,
}

impl Sheet {
    /// Reads a file through: what its columns are, how many rows it has, and which of them name one site.
    pub(super) fn open(path: &Path, format: Format, by: Match, parent: &str) -> anyhow::Result<Self> {
        Self::read(path, format, by, parent).with_context(|| path.display().to_string())
    }

    fn read(path: &Path, format: Format, by: Match, parent: &str) -> anyhow::Result<Self> {
        let file = File::open(path)?;
        // First of all, so that whatever changes from here on is noticed.
        let digest = digest_of(&file, by)?;
        let mut repeats = Repeats { by, parent, ..Repeats::default() };
        let form = match format {
            Format::Csv => {
                let form = CsvForm::of(&file, by)?;
                form.each_name(&file, |at, named| repeats.note(at, named))?;
                Form::Csv(form)
            }
            Format::Geojson | Format::Geojsonl => {
                feature_rows::each_name(&file, |at, named| repeats.note(at, named))?;
                Form::Features
            }
        };
        Ok(Self {
            path: path.to_owned(),
            form,
            by,
            parent: parent.to_owned(),
            rows: repeats.rows,
            digest,
            file,
            repeated: repeats.found,
        })
    }

    /// The rows, and what is wrong with those that cannot be read. Nothing comes behind an error, which is one of the file.
    pub(super) fn rows(&self) -> anyhow::Result<impl Iterator<Item = anyhow::Result<Numbered>> + '_> {
        let rows: Box<dyn Iterator<Item = anyhow::Result<Numbered>> + '_> = match &self.form {
            Form::Csv(form) => Box::new(form.rows(&self.file, self.by, &self.parent)?),
            Form::Features => Box::new(feature_rows::rows(&self.file, self.by, &self.parent)?),
        };
        let told = move |(at, row): Numbered| match self.repeated.get(&at.row) {
            Some(repeat) => (at, Err(Fault::new("name", self.form.twice(*repeat)))),
            None => (at, row),
        };
        let changed = std::iter::once_with(move || self.refuse_changed()).filter_map(Result::err).map(Err);
        let mut is_over = false;
        let rows = rows.map(move |row| row.map(told)).chain(changed);
        Ok(rows
            .map(move |row| row.with_context(|| self.path.display().to_string()))
            .take_while(move |row| !std::mem::replace(&mut is_over, row.is_err())))
    }

    /// Refuses a file that is not as it was when it was read through.
    fn refuse_changed(&self) -> anyhow::Result<()> {
        ensure!(
            digest_of(&self.file, self.by)? == self.digest,
            "the file was changed while it was read, so what was done is partly of the one and partly of the other: \
             import it as it is now, with the journal moved away"
        );
        Ok(())
    }
}

impl Form {
    /// What is wrong with a row that cannot stand beside another one.
    fn twice(&self, Repeat { line, is_site }: Repeat) -> String {
        let what = match self {
            Self::Csv(_) => "line",
            Self::Features => "feature",
        };
        let has = if is_site { "is of the same site" } else { "has the same name" };
        format!("{what} {line} {has}: keep one of them")
    }
}

/// Which rows name one site, or give one name.
#[derive(Debug, Default)]
struct Repeats<'a> {
    by: Match,
    parent: &'a str,
    rows: u64,
    first: HashMap<[u8; 16], RowAt>,
    found: HashMap<u64, Repeat>,
}

impl Repeats<'_> {
    fn note(&mut self, at: RowAt, named: Option<&Named>) {
        self.rows += 1;
        let Some(named) = named else { return };
        match self.by {
            Match::SiteId if !named.site_id.is_empty() => self.meet(at, "site", site_id(&named.site_id, self.parent)),
            Match::AgentId => self.meet(at, "agent", &named.agent_id),
            Match::Name | Match::SiteId => {}
        }
        // Two sites have no one name: which of the rows goes through would be chance, and one without an id may mean the other's site.
        self.meet(at, "name", &text::fold(&named.name));
    }

    /// Takes note of what a row is known by, and of whoever is known by the same.
    fn meet(&mut self, at: RowAt, kind: &str, key: &str) {
        if key.is_empty() {
            return;
        }
        // Half a digest: of as many names as there are, no two have the same one.
        let key = Sha256::digest(format!("{kind} {key}")).first_chunk().copied().unwrap_or_default();
        let before = *self.first.entry(key).or_insert(at);
        if before != at {
            let is_site = kind != "name" || self.by == Match::Name;
            // Which of them is meant, nobody can tell: neither is applied.
            self.found.entry(at.row).or_insert(Repeat { line: before.line, is_site });
            self.found.entry(before.row).or_insert(Repeat { line: at.line, is_site });
        }
    }
}

/// SHA-256 of a file in hexadecimal, and what sites are found by.
fn digest_of(mut file: &File, by: Match) -> anyhow::Result<String> {
    file.rewind()?;
    let mut file = BufReader::new(file);
    let (mut hasher, mut chunk) = (Sha256::new(), vec![0; CHUNK_BYTES]);
    loop {
        let read = file.read(&mut chunk)?;
        if read == 0 {
            break;
        }
        hasher.update(&chunk[..read]);
    }
    let mut hex = String::new();
    for byte in hasher.finalize() {
        write!(hex, "{byte:02x}")?;
    }
    hex.push_str(match by {
        Match::Name => "",
        Match::SiteId => " by site_id",
        Match::AgentId => " by agent_id",
    });
    Ok(hex)
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
