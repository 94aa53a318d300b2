//! Rows of a CSV file, its columns by their headings.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _};

use anyhow::{Context as _, bail, ensure};
use csv::{ByteRecord, ReaderBuilder};

use super::row::{Fault, Given, Match, Reading, Row};
use super::sheet::{Named, Numbered};
use crate::cli::sheet::cell::{CLEAR, unguard};
use crate::cli::sheet::column::Column;

/// Longest heading row, in bytes: a hundred columns of long names stay far below.
const HEADING_BYTES_MAX: u64 = 64 * 1024;

/// How a CSV file is read.
#[derive(Debug)]
pub(super) struct CsvForm {
    delimiter: u8,
    /// What the reader is behind in its count of lines: one where they end in two characters, of which it reads the second
    /// with the line that follows.
    behind: u64,
    columns: Vec<Column>,
}

impl CsvForm {
    /// The form that the heading of a file speaks of.
    pub(super) fn of(file: &mut File, by: Match) -> anyhow::Result<Self> {
        let (delimiter, behind) = form_of(file)?;
        let mut reader = ReaderBuilder::new().delimiter(delimiter).from_reader(BufReader::new(&*file));
        let columns = columns_of(reader.byte_headers()?)?;
        let needed = match by {
            Match::Name => Column::Name,
            Match::SiteId => Column::SiteId,
            Match::AgentId => Column::AgentId,
        };
        ensure!(columns.contains(&needed), "no column is named `{}`", needed.heading());
        file.rewind()?;
        Ok(Self { delimiter, behind, columns })
    }

    /// Tells the line of each row, and what it names its site by where it can be read.
    pub(super) fn each_name(&self, file: &File, mut tell: impl FnMut(u64, Option<&Named>)) -> anyhow::Result<()> {
        let mut reader = ReaderBuilder::new().delimiter(self.delimiter).from_reader(BufReader::new(file));
        let place = |column: Column| self.columns.iter().position(|known| *known == column);
        let [name, site, agent] = [Column::Name, Column::SiteId, Column::AgentId].map(place);
        let mut record = ByteRecord::new();
        loop {
            match reader.read_byte_record(&mut record) {
                Ok(false) => return Ok(()),
                Ok(true) => {
                    let cell = |place: Option<usize>| {
                        let cell = String::from_utf8_lossy(place.and_then(|at| record.get(at)).unwrap_or_default());
                        unguard(cell.trim()).to_owned()
                    };
                    let named = Named { name: cell(name), site_id: cell(site), agent_id: cell(agent) };
                    tell(self.behind + line_of(record.position()), Some(&named));
                }
                // A row of another length is told when its turn comes.
                Err(cause) if matches!(cause.kind(), csv::ErrorKind::UnequalLengths { .. }) => {
                    tell(self.behind + line_of(cause.position()), None);
                }
                Err(cause) => return Err(cause.into()),
            }
        }
    }

    /// The rows, each with its line.
    pub(super) fn rows<'a>(&'a self, file: File, by: Match, parent: &'a str) -> impl Iterator<Item = Numbered> + 'a {
        let reader = ReaderBuilder::new().delimiter(self.delimiter).from_reader(BufReader::new(file));
        reader.into_byte_records().map(move |record| match record {
            Ok(record) => (self.behind + line_of(record.position()), self.row(&record, by, parent)),
            Err(cause) => (self.behind + line_of(cause.position()), Err(told(&cause))),
        })
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

/// What is wrong with a row that cannot be read.
fn told(cause: &csv::Error) -> Fault {
    match cause.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            let why = format!("it has {len} fields, and the heading has {expected_len}: is a quotation mark missing?");
            Fault::new("", why)
        }
        _ => Fault::new("", cause.to_string()),
    }
}

/// What stands between cells, the one of comma, semicolon and tab that the heading has most of; and by how many lines the
/// reader is behind.
pub(super) fn form_of(file: &mut File) -> anyhow::Result<(u8, u64)> {
    let mut heading = Vec::new();
    BufReader::new(&*file).take(HEADING_BYTES_MAX).read_until(b'\n', &mut heading)?;
    file.rewind()?;
    ensure!(!heading.is_empty(), "the file is empty");
    if heading.starts_with(b"\xff\xfe") || heading.starts_with(b"\xfe\xff") {
        bail!("the file is in UTF-16: save it as \"CSV UTF-8\"");
    }
    let cells = |delimiter: u8| heading.split(|byte| *byte == delimiter).count();
    let delimiter = *b"\t;,".iter().max_by_key(|delimiter| cells(**delimiter)).unwrap_or(&b',');
    Ok((delimiter, u64::from(heading.ends_with(b"\r\n"))))
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

fn line_of(position: Option<&csv::Position>) -> u64 {
    position.map_or(0, csv::Position::line)
}
