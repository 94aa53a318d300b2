//! Rows of a CSV file, its columns by their headings.

use std::fs::File;
use std::io::{Read as _, Seek as _};

use anyhow::{Context as _, bail, ensure};
use csv::{ByteRecord, ReaderBuilder};

use super::lines::ByLine;
use super::row::{Fault, Given, Match, Reading, Row};
use super::sheet::{Named, Numbered, RowAt};
use crate::cli::sheet::cell::{CLEAR, unguard};
use crate::cli::sheet::column::Column;

/// Longest heading row, in bytes: a hundred columns of long names stay far below.
const HEADING_BYTES_MAX: u64 = 64 * 1024;

/// How a CSV file is read.
#[derive(Debug)]
pub(super) struct CsvForm {
    delimiter: u8,
    columns: Vec<Column>,
}

/// The records behind a file's heading.
#[derive(Debug)]
struct Records<'a> {
    reader: csv::Reader<ByLine<&'a File>>,
    record: ByteRecord,
    /// The number of the last row, from 1.
    row: u64,
}

impl<'a> Records<'a> {
    fn of(mut file: &'a File, delimiter: u8) -> anyhow::Result<Self> {
        file.rewind()?;
        let mut reader = ReaderBuilder::new().delimiter(delimiter).from_reader(ByLine::new(file));
        reader.byte_headers()?;
        Ok(Self { reader, record: ByteRecord::new(), row: 0 })
    }

    /// The next record, or what is wrong with it; `None` at the end. An error is one of the file, behind which nothing can be
    /// read.
    fn next(&mut self) -> anyhow::Result<Option<(RowAt, Result<&ByteRecord, Fault>)>> {
        self.reader.get_mut().begin();
        let read = self.reader.read_byte_record(&mut self.record);
        if matches!(read, Ok(false)) {
            return Ok(None);
        }
        self.row += 1;
        let at = RowAt { row: self.row, line: self.reader.get_ref().first() };
        let Err(cause) = read else { return Ok(Some((at, Ok(&self.record)))) };
        match cause.kind() {
            csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                let why =
                    format!("it has {len} fields, and the heading has {expected_len}: is a quotation mark missing?");
                Ok(Some((at, Err(Fault::new("", why)))))
            }
            _ => Err(cause.into()),
        }
    }
}

impl CsvForm {
    /// The form that the heading of a file speaks of.
    pub(super) fn of(file: &File, by: Match) -> anyhow::Result<Self> {
        let delimiter = delimiter_of(file)?;
        let columns = columns_of(Records::of(file, delimiter)?.reader.byte_headers()?)?;
        let needed = match by {
            Match::Name => Column::Name,
            Match::SiteId => Column::SiteId,
            Match::AgentId => Column::AgentId,
        };
        ensure!(columns.contains(&needed), "no column is named `{}`", needed.heading());
        Ok(Self { delimiter, columns })
    }

    /// Tells of each row where it stands, and what it names its site by where it can be read.
    pub(super) fn each_name(&self, file: &File, mut tell: impl FnMut(RowAt, Option<&Named>)) -> anyhow::Result<()> {
        let mut records = Records::of(file, self.delimiter)?;
        let place = |column: Column| self.columns.iter().position(|known| *known == column);
        let [name, site, agent] = [Column::Name, Column::SiteId, Column::AgentId].map(place);
        while let Some((at, record)) = records.next()? {
            // A row of another length is told when its turn comes.
            let named = record.ok().map(|record| {
                let cell = |place: Option<usize>| {
                    let cell = String::from_utf8_lossy(place.and_then(|at| record.get(at)).unwrap_or_default());
                    unguard(cell.trim()).to_owned()
                };
                Named { name: cell(name), site_id: cell(site), agent_id: cell(agent) }
            });
            tell(at, named.as_ref());
        }
        Ok(())
    }

    /// The rows, each with where it stands.
    pub(super) fn rows<'a>(
        &'a self,
        file: &'a File,
        by: Match,
        parent: &'a str,
    ) -> anyhow::Result<impl Iterator<Item = anyhow::Result<Numbered>> + 'a> {
        let mut records = Records::of(file, self.delimiter)?;
        Ok(std::iter::from_fn(move || {
            let next = records.next().transpose()?;
            Some(next.map(|(at, record)| (at, record.and_then(|record| self.row(record, by, parent)))))
        }))
    }

    fn row(&self, record: &ByteRecord, by: Match, parent: &str) -> Result<Row, Fault> {
        let mut reading = Reading::default();
        for (column, cell) in self.columns.iter().zip(record) {
            let Ok(cell) = std::str::from_utf8(cell) else {
                return Err(Fault::new(column.heading(), "it is no text in UTF-8: save the sheet as \"CSV UTF-8\""));
            };
            // Of a note blanks and ends of lines are text, too.
            let cell = if *column == Column::Note { cell } else { cell.trim() };
            if cell.starts_with('=') && !matches!(column, Column::Info(_)) {
                let why =
                    "it is a formula, and a formula's value is not in the file: save values, or write ' before a text";
                return Err(Fault::new(column.heading(), why));
            }
            match cell {
                "" => {}
                CLEAR => reading.put(column, Given::Clear)?,
                cell => reading.put(column, Given::Text(unguard(cell).to_owned()))?,
            }
        }
        reading.finish(by, parent)
    }
}

/// What stands between cells: the one of comma, semicolon and tab that the heading has most of.
pub(super) fn delimiter_of(mut file: &File) -> anyhow::Result<u8> {
    file.rewind()?;
    let mut beginning = Vec::new();
    file.take(HEADING_BYTES_MAX).read_to_end(&mut beginning)?;
    file.rewind()?;
    ensure!(!beginning.is_empty(), "the file is empty");
    if beginning.starts_with(b"\xff\xfe") || beginning.starts_with(b"\xfe\xff") {
        bail!("the file is in UTF-16: save it as \"CSV UTF-8\"");
    }
    let mut lines = beginning.split(|byte| matches!(byte, b'\r' | b'\n'));
    let heading = lines.find(|line| !line.is_empty()).unwrap_or_default();
    let cells = |delimiter: u8| heading.split(|byte| *byte == delimiter).count();
    Ok(*b"\t;,".iter().max_by_key(|delimiter| cells(**delimiter)).unwrap_or(&b','))
}

fn columns_of(headings: &ByteRecord) -> anyhow::Result<Vec<Column>> {
    let mut columns: Vec<Column> = Vec::new();
    for heading in headings {
        let heading = std::str::from_utf8(heading).context("the heading is no text in UTF-8")?;
        // Spreadsheets put a byte order mark before the first.
        let heading = heading.trim_start_matches('\u{feff}');
        let column = Column::parse(heading)
            .with_context(|| format!("no column is called {heading:?}: there are {}", Column::all()))?;
        ensure!(!columns.contains(&column), "two columns are called {heading:?}");
        columns.push(column);
    }
    Ok(columns)
}
