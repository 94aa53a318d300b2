//! What became of each row, kept in a file beside the sheet, so that an interrupted import goes on where it stopped.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

use super::sheet::RowAt;
use crate::model::address::PostalAddress;

/// What an import is: the journal of one is of no use for another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    /// SHA-256 of the sheet.
    sheet: String,
    /// The account, `accounts/{account}`.
    account: String,
    /// Makes the request ids of this import its own.
    import: uuid::Uuid,
}

/// A place that an address may mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Place {
    /// As the geocoder writes it.
    pub(super) formatted_address: String,
    /// How fine it is.
    pub(super) granularity: String,
    /// In [0, 1].
    pub(super) confidence: f64,
    /// Latitude in degrees.
    pub(super) lat: f64,
    /// Longitude in degrees.
    pub(super) lng: f64,
}

/// What became of a row's site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    /// It was made.
    Created,
    /// It was there and was changed.
    Updated,
    /// It was there, as the row has it.
    Unchanged,
    /// The row was refused; `message` says why.
    Failed,
}

/// What became of a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Done {
    /// Which row of the sheet it is, from 1.
    pub(super) row: u64,
    /// Where it begins in the sheet, for people.
    pub(super) line: u64,
    /// The site's name as the row has it.
    pub(super) name: String,
    /// Resource name of the site; empty where there is none.
    pub(super) site: String,
    /// The site's etag behind what was done; empty where there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) etag: String,
    /// What became of the site.
    pub(super) outcome: Outcome,
    /// What was typed as its address, on one line; empty for none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) address: String,
    /// The same, where it was typed in parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) parts: Option<PostalAddress>,
    /// What became of the address: the name of an `AddressState` in lower case; empty for none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) address_state: String,
    /// The column or field at fault; empty for none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) field: String,
    /// What went wrong; empty for nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) message: String,
    /// The places that the address may mean, where a person has to choose.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) places: Vec<Place>,
}

impl Done {
    /// A row of which nothing more is known.
    pub(super) fn new(at: RowAt, name: String, outcome: Outcome) -> Self {
        Self {
            row: at.row,
            line: at.line,
            name,
            site: String::new(),
            etag: String::new(),
            outcome,
            address: String::new(),
            parts: None,
            address_state: String::new(),
            field: String::new(),
            message: String::new(),
            places: Vec::new(),
        }
    }
}

/// The journal of one import, open for more. In memory is where each row's line stands, and no more.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    head: Head,
    done: BTreeMap<u64, Written>,
    /// Bytes of the file.
    end: u64,
}

/// Where a row's line stands.
#[derive(Debug, Clone, Copy)]
struct Written {
    at: u64,
    bytes: usize,
    failed: bool,
}

impl Journal {
    /// Goes on with the journal at `path`, or begins one.
    ///
    /// One of another sheet or account is refused: it says what became of rows that are not these.
    pub(super) fn open(path: &Path, sheet: &str, account: &str) -> anyhow::Result<Self> {
        let new = Head { sheet: sheet.to_owned(), account: account.to_owned(), import: uuid::Uuid::now_v7() };
        Self::read(path, new).with_context(|| path.display().to_string())
    }

    fn read(path: &Path, new: Head) -> anyhow::Result<Self> {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let mut lines = BufReader::new(&file);
        let (mut head, mut done, mut end, mut line) = (None, BTreeMap::new(), 0, Vec::new());
        loop {
            line.clear();
            let bytes = lines.read_until(b'\n', &mut line)?;
            // What stands behind the last end of a line was cut off in the middle. Its row is done again, which changes
            // nothing: see `Importer::request_id`.
            if !line.ends_with(b"\n") {
                if head.is_none() && !(line.is_empty() || line.starts_with(b"{")) {
                    bail!("this is no journal of an import");
                }
                break;
            }
            if head.is_none() {
                head = Some(serde_json::from_slice::<Head>(&line).context("this is no journal of an import")?);
            } else {
                let row: Done = serde_json::from_slice(&line).context("a line of this journal is damaged")?;
                done.insert(row.row, Written { at: end, bytes, failed: row.outcome == Outcome::Failed });
            }
            end += bytes as u64;
        }
        if head.as_ref().is_some_and(|head| (&head.sheet, &head.account) != (&new.sheet, &new.account)) {
            bail!(
                "this import was begun with another sheet or account: give the same again, or move the journal away \
                 to begin anew (sites that are there are updated, not doubled)"
            );
        }
        file.set_len(end)?;
        let is_new = head.is_none();
        let mut journal = Self { path: path.to_owned(), file, head: head.unwrap_or(new), done, end };
        if is_new {
            journal.append(&serde_json::to_string(&journal.head)?)?;
        }
        Ok(journal)
    }

    /// The id of this import.
    pub(super) fn import(&self) -> uuid::Uuid {
        self.head.import
    }

    /// Keeps what became of rows.
    pub(super) fn put(&mut self, rows: &[Done]) -> anyhow::Result<()> {
        let (mut text, mut written) = (String::new(), Vec::with_capacity(rows.len()));
        for row in rows {
            let line = serde_json::to_string(row)?;
            let (at, bytes) = (self.end + text.len() as u64, line.len() + 1);
            written.push((row.row, Written { at, bytes, failed: row.outcome == Outcome::Failed }));
            text.push_str(&line);
            text.push('\n');
        }
        self.append(text.trim_end_matches('\n'))?;
        self.done.extend(written);
        Ok(())
    }

    /// Writes lines in one piece.
    fn append(&mut self, lines: &str) -> anyhow::Result<()> {
        self.file.write_all(format!("{lines}\n").as_bytes()).with_context(|| self.path.display().to_string())?;
        self.end += lines.len() as u64 + 1;
        Ok(())
    }

    /// The numbers of the rows that are done, in their order. One that failed is not: the next run tries it again.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u64> + '_ {
        self.done.iter().filter(|(_, done)| !done.failed).map(|(row, _)| *row)
    }

    /// What became of the rows so far, in their order.
    pub(super) fn rows(&self) -> anyhow::Result<impl Iterator<Item = anyhow::Result<Done>> + '_> {
        let mut file = File::open(&self.path).with_context(|| self.path.display().to_string())?;
        Ok(self.done.values().map(move |written| {
            let mut line = vec![0; written.bytes];
            file.seek(SeekFrom::Start(written.at))?;
            file.read_exact(&mut line)?;
            Ok(serde_json::from_slice(&line)?)
        }))
    }

    /// Takes the journal away, where all is done.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        std::fs::remove_file(&self.path).with_context(|| self.path.display().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(row: u64, outcome: Outcome) -> Done {
        Done::new(RowAt { row, line: row + 1 }, format!("site {row}"), outcome)
    }

    #[test]
    fn a_torn_journal_forgets_its_last_row_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        let mut journal = Journal::open(&path, "sheet", "accounts/a").unwrap();
        let import = journal.import();
        journal.put(&[done(2, Outcome::Created), done(3, Outcome::Created)]).unwrap();
        journal.put(&[done(4, Outcome::Created)]).unwrap();
        drop(journal);
        let bytes = std::fs::read(&path).unwrap();
        // In the middle of a letter of two bytes.
        let torn = [&bytes[..bytes.len() - 9], b"\xc3"].concat();
        std::fs::write(&path, torn).unwrap();
        let mut journal = Journal::open(&path, "sheet", "accounts/a").unwrap();
        assert_eq!(journal.import(), import);
        assert_eq!(journal.numbers().collect::<Vec<_>>(), [2, 3]);
        journal.put(&[done(4, Outcome::Failed)]).unwrap();
        journal.put(&[done(6, Outcome::Updated), done(5, Outcome::Updated)]).unwrap();
        assert_eq!(journal.rows().unwrap().map(|row| row.unwrap().row).collect::<Vec<_>>(), [2, 3, 4, 5, 6]);
        let journal = Journal::open(&path, "sheet", "accounts/a").unwrap();
        let rows: Vec<Done> = journal.rows().unwrap().map(Result::unwrap).collect();
        assert_eq!(rows.iter().map(|row| row.row).collect::<Vec<_>>(), [2, 3, 4, 5, 6]);
        assert_eq!((rows[2].outcome, rows[3].name.as_str(), journal.numbers().count()), (Outcome::Failed, "site 5", 4));
        assert_eq!(journal.numbers().collect::<Vec<_>>(), [2, 3, 5, 6], "what failed is tried again");
    }

    #[test]
    fn a_journal_of_something_else_is_refused_and_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        Journal::open(&path, "sheet", "accounts/a").unwrap();
        assert!(Journal::open(&path, "other", "accounts/a").is_err());
        assert!(Journal::open(&path, "sheet", "accounts/b").is_err());
        std::fs::write(&path, "name,address\n").unwrap();
        assert!(Journal::open(&path, "sheet", "accounts/a").is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "name,address\n");
    }
}
