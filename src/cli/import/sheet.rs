//! A file of sites: read through once to see what it is and which rows name a site twice, then row by row.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

use super::row::{Fault, Match, Row};
use super::{csv_rows::CsvForm, feature_rows};
use crate::cli::sheet::Format;
use crate::model::text;

/// Bytes read at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// The row of a number: its line in a CSV file, which feature it is of others.
pub(super) type Numbered = (u64, Result<Row, Fault>);

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
    form: Form,
    by: Match,
    parent: String,
    /// How many rows it has.
    pub(super) rows: u64,
    /// SHA-256 of the file in hexadecimal, and what sites are found by.
    pub(super) digest: String,
    /// Rows that name the same site as another, with that other.
    repeated: HashMap<u64, u64>,
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
        let mut file = File::open(path)?;
        let mut repeats = Repeats { by, ..Repeats::default() };
        let form = match format {
            Format::Csv => {
                let form = CsvForm::of(&mut file, by)?;
                form.each_name(&file, |number, named| repeats.note(number, named))?;
                Form::Csv(form)
            }
            Format::Geojson | Format::Geojsonl => {
                feature_rows::each_name(&file, |number, named| repeats.note(number, named))?;
                Form::Features
            }
        };
        let found_by = match by {
            Match::Name => "",
            Match::SiteId => " by site_id",
            Match::AgentId => " by agent_id",
        };
        Ok(Self {
            path: path.to_owned(),
            form,
            by,
            parent: parent.to_owned(),
            rows: repeats.rows,
            digest: digest_of(&mut file)? + found_by,
            repeated: repeats.found,
        })
    }

    /// The rows, and what is wrong with those that cannot be read.
    pub(super) fn rows(&self) -> anyhow::Result<impl Iterator<Item = Numbered> + '_> {
        let file = File::open(&self.path).with_context(|| self.path.display().to_string())?;
        let rows: Box<dyn Iterator<Item = Numbered> + '_> = match &self.form {
            Form::Csv(form) => Box::new(form.rows(file, self.by, &self.parent)),
            Form::Features => Box::new(feature_rows::rows(file, self.by, &self.parent)),
        };
        Ok(rows.map(|(number, row)| match self.repeated.get(&number) {
            Some(other) => {
                (number, Err(Fault::new("name", format!("row {other} is of the same site: keep one of them"))))
            }
            None => (number, row),
        }))
    }
}

/// Which rows name one site.
#[derive(Debug, Default)]
struct Repeats {
    by: Match,
    rows: u64,
    first: HashMap<[u8; 16], u64>,
    found: HashMap<u64, u64>,
}

impl Repeats {
    fn note(&mut self, number: u64, named: Option<&Named>) {
        self.rows += 1;
        let Some(named) = named else { return };
        let (kind, key) = match self.by {
            Match::SiteId if !named.site_id.is_empty() => ("site", named.site_id.to_lowercase()),
            Match::AgentId => ("agent", named.agent_id.clone()),
            Match::Name | Match::SiteId => ("name", text::fold(&named.name)),
        };
        if key.is_empty() {
            return;
        }
        // Half a digest: of as many names as there are, no two have the same one.
        let key = Sha256::digest(format!("{kind} {key}")).first_chunk().copied().unwrap_or_default();
        let before = *self.first.entry(key).or_insert(number);
        if before != number {
            self.found.insert(number, before);
            // Which of them is meant, nobody can tell: neither is applied.
            self.found.entry(before).or_insert(number);
        }
    }
}

fn digest_of(file: &mut File) -> anyhow::Result<String> {
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
    Ok(hex)
}

#[cfg(test)]
mod tests;
