//! A sheet of sites: a CSV file, its columns by their names, and its rows as what they say of a site.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use csv::{ByteRecord, ReaderBuilder, StringRecord};
use sha2::{Digest as _, Sha256};

use crate::api::proto::waymark::v1 as pb;
use crate::model::address::{AddressQuery, CountryCode, PostalAddress};
use crate::model::text;

/// Longest heading row, in bytes: a hundred columns of long names stay far below.
const HEADING_BYTES_MAX: u64 = 64 * 1024;
/// Bytes read at once.
const CHUNK_BYTES: usize = 64 * 1024;
/// What a column of a label begins with.
const LABEL: &str = "label.";
/// The columns there are, for people.
const COLUMNS: &str = "name, status, email, first_name, last_name, phone, customer_id, contract_id, note, label.KEY, \
                       address, street, postal_code, locality, region, country, lat, lng";

/// What a column says.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Column {
    Name,
    Status,
    Email,
    FirstName,
    LastName,
    Phone,
    CustomerId,
    ContractId,
    Note,
    Label(String),
    Address,
    Street,
    PostalCode,
    Locality,
    Region,
    Country,
    Lat,
    Lng,
}

impl Column {
    fn parse(heading: &str) -> Option<Self> {
        let heading = heading.trim().to_lowercase();
        Some(match heading.as_str() {
            "name" | "display_name" => Self::Name,
            "status" => Self::Status,
            "email" => Self::Email,
            "first_name" => Self::FirstName,
            "last_name" => Self::LastName,
            "phone" => Self::Phone,
            "customer_id" => Self::CustomerId,
            "contract_id" => Self::ContractId,
            "note" => Self::Note,
            "address" => Self::Address,
            "street" => Self::Street,
            "postal_code" => Self::PostalCode,
            "locality" => Self::Locality,
            "region" => Self::Region,
            "country" => Self::Country,
            "lat" => Self::Lat,
            "lng" => Self::Lng,
            _ => Self::Label(heading.strip_prefix(LABEL).filter(|key| !key.is_empty())?.to_owned()),
        })
    }
}

/// The address of a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Stated {
    /// On one line.
    Line(String),
    /// In parts.
    Parts(pb::PostalAddress),
}

impl Stated {
    /// The address on one line, as the server keeps what was typed; `None` where the server will refuse it.
    pub(super) fn one_line(&self) -> Option<String> {
        let query = match self {
            Self::Line(line) => AddressQuery::line(line),
            Self::Parts(_) => AddressQuery::parts(&self.parts()?),
        };
        query.ok().map(|query| query.one_line())
    }

    /// The address in parts, where it is so.
    pub(super) fn parts(&self) -> Option<PostalAddress> {
        let Self::Parts(parts) = self else { return None };
        Some(PostalAddress {
            street: parts.street.clone(),
            postal_code: parts.postal_code.clone(),
            locality: parts.locality.clone(),
            region: parts.region.clone(),
            country: CountryCode::parse(&parts.country_code),
        })
    }
}

/// What one row says of a site. An empty cell says nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Row {
    /// Name and fields of the site.
    pub(super) site: pb::Site,
    /// The fields that the row says something of, as an update mask has them; the name is not among them.
    pub(super) fields: Vec<&'static str>,
    /// Its address.
    pub(super) address: Option<Stated>,
    /// Its position.
    pub(super) position: Option<pb::LatLng>,
}

/// A CSV file whose heading was understood.
#[derive(Debug)]
pub(super) struct Sheet {
    path: PathBuf,
    delimiter: u8,
    /// What the reader is behind in its count of lines: one where they end in two characters, of which it reads the second
    /// with the line that follows.
    behind: u64,
    columns: Vec<Column>,
    /// Rows below the heading.
    pub(super) rows: u64,
    /// SHA-256 of the file, hexadecimal.
    pub(super) digest: String,
    /// Lines of names that stood in a line before, without regard to case, with that line.
    repeated: HashMap<u64, u64>,
}

impl Sheet {
    /// Reads a file through once: its heading, how many rows it has, and which of them name a site twice.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        Self::read(path).with_context(|| path.display().to_string())
    }

    fn read(path: &Path) -> anyhow::Result<Self> {
        let mut file = File::open(path)?;
        let (delimiter, behind) = form_of(&mut file)?;
        let mut reader = ReaderBuilder::new().delimiter(delimiter).from_reader(BufReader::new(&file));
        let columns = columns_of(reader.headers().context("the heading is no text in UTF-8")?)?;
        let named = columns.iter().position(|column| *column == Column::Name).context("no column is named `name`")?;
        let (mut rows, mut first, mut repeated) = (0, HashMap::new(), HashMap::new());
        let mut record = ByteRecord::new();
        loop {
            let line = match reader.read_byte_record(&mut record) {
                Ok(false) => break,
                Ok(true) => behind + line_of(record.position()),
                // A row of another length is told when its turn comes.
                Err(cause) if matches!(cause.kind(), csv::ErrorKind::UnequalLengths { .. }) => {
                    rows += 1;
                    continue;
                }
                Err(cause) => return Err(cause.into()),
            };
            rows += 1;
            let name = String::from_utf8_lossy(record.get(named).unwrap_or_default());
            let key: [u8; 16] = Sha256::digest(text::fold(name.trim())).first_chunk().copied().unwrap_or_default();
            let before = *first.entry(key).or_insert(line);
            if before != line {
                repeated.insert(line, before);
            }
        }
        Ok(Self { path: path.to_owned(), delimiter, behind, columns, rows, digest: digest_of(&mut file)?, repeated })
    }

    /// The rows, each with its line in the file, and what is wrong with one that cannot be read.
    pub(super) fn rows(&self) -> anyhow::Result<impl Iterator<Item = (u64, Result<Row, String>)> + '_> {
        let file = BufReader::new(File::open(&self.path).with_context(|| self.path.display().to_string())?);
        let records = ReaderBuilder::new().delimiter(self.delimiter).from_reader(file).into_records();
        Ok(records.map(|record| match record {
            Ok(record) => {
                let line = self.behind + line_of(record.position());
                (line, self.row(line, &record).map_err(|cause| format!("{cause:#}")))
            }
            Err(cause) => (self.behind + line_of(cause.position()), Err(told(&cause))),
        }))
    }

    fn row(&self, line: u64, record: &StringRecord) -> anyhow::Result<Row> {
        if let Some(before) = self.repeated.get(&line) {
            bail!("line {before} names the same site: keep one of them");
        }
        let (mut row, mut parts) = (Row::default(), pb::PostalAddress::default());
        let (mut lat, mut lng) = (None, None);
        for (column, cell) in self.columns.iter().zip(record) {
            let cell = cell.trim();
            if cell.is_empty() {
                continue;
            }
            let owned = cell.to_owned();
            match column {
                Column::Address => row.address = Some(Stated::Line(owned)),
                Column::Street => parts.street = owned,
                Column::PostalCode => parts.postal_code = owned,
                Column::Locality => parts.locality = owned,
                Column::Region => parts.region = owned,
                Column::Country => parts.country_code = owned,
                Column::Lat => lat = Some(degrees("lat", cell)?),
                Column::Lng => lng = Some(degrees("lng", cell)?),
                _ => put(&mut row, column, owned)?,
            }
        }
        ensure!(!row.site.display_name.is_empty(), "the name is empty");
        row.position = match (lat, lng) {
            (Some(lat), Some(lng)) => Some(pb::LatLng { lat, lng }),
            (None, None) => None,
            _ => bail!("a position needs both lat and lng"),
        };
        if parts != pb::PostalAddress::default() {
            ensure!(row.address.is_none(), "an address is on one line (`address`) or in parts, not both");
            row.address = Some(Stated::Parts(parts));
        }
        Ok(row)
    }
}

/// Puts a cell that is not empty into the site.
fn put(row: &mut Row, column: &Column, cell: String) -> anyhow::Result<()> {
    let site = &mut row.site;
    let contact = site.contact.get_or_insert_default();
    let (field, text) = match column {
        Column::Name => {
            site.display_name = cell;
            return Ok(());
        }
        Column::Email => ("contact.email", Some(&mut contact.email)),
        Column::FirstName => ("contact.first_name", Some(&mut contact.first_name)),
        Column::LastName => ("contact.last_name", Some(&mut contact.last_name)),
        Column::CustomerId => ("customer_id", Some(&mut site.customer_id)),
        Column::ContractId => ("contract_id", Some(&mut site.contract_id)),
        Column::Note => ("note", Some(&mut site.note)),
        Column::Label(key) => ("labels", Some(site.labels.entry(key.clone()).or_default())),
        Column::Status => {
            site.status = status_of(&cell)?.into();
            ("status", None)
        }
        Column::Phone => {
            let kind = pb::PhoneKind::Other.into();
            contact.phones.push(pb::Phone { number: cell.clone(), kind, extension: String::new() });
            ("contact.phones", None)
        }
        _ => return Ok(()),
    };
    if let Some(text) = text {
        *text = cell;
    }
    if !row.fields.contains(&field) {
        row.fields.push(field);
    }
    Ok(())
}

fn status_of(cell: &str) -> anyhow::Result<pb::SiteStatus> {
    let status = pb::SiteStatus::from_str_name(&format!("SITE_STATUS_{}", cell.to_uppercase()));
    let status = status.filter(|status| *status != pb::SiteStatus::Unspecified);
    status.with_context(|| format!("a status is online, offline, unknown or maintenance, not {cell:?}"))
}

fn degrees(what: &str, cell: &str) -> anyhow::Result<f64> {
    cell.parse().with_context(|| format!("{what} is in decimal degrees such as 64.1466, not {cell:?}"))
}

/// What is wrong with a row that cannot be read.
fn told(cause: &csv::Error) -> String {
    match cause.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("it has {len} fields, and the heading has {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => "it is no text in UTF-8".to_owned(),
        _ => cause.to_string(),
    }
}

/// What stands between cells, the one of comma, semicolon and tab that the heading has most of; and by how many lines the
/// reader is behind.
pub(super) fn form_of(file: &mut File) -> anyhow::Result<(u8, u64)> {
    let mut heading = Vec::new();
    BufReader::new(&*file).take(HEADING_BYTES_MAX).read_until(b'\n', &mut heading)?;
    file.rewind()?;
    ensure!(!heading.is_empty(), "the file is empty");
    let cells = |delimiter: u8| heading.split(|byte| *byte == delimiter).count();
    let delimiter = *b"\t;,".iter().max_by_key(|delimiter| cells(**delimiter)).unwrap_or(&b',');
    Ok((delimiter, u64::from(heading.ends_with(b"\r\n"))))
}

fn columns_of(headings: &StringRecord) -> anyhow::Result<Vec<Column>> {
    let mut columns: Vec<Column> = Vec::new();
    for heading in headings {
        // Spreadsheets put a byte order mark before the first.
        let heading = heading.trim_start_matches('\u{feff}');
        let column =
            Column::parse(heading).with_context(|| format!("no column is called {heading:?}: there are {COLUMNS}"))?;
        ensure!(!columns.contains(&column), "two columns are called {heading:?}");
        columns.push(column);
    }
    Ok(columns)
}

fn line_of(position: Option<&csv::Position>) -> u64 {
    position.map_or(0, csv::Position::line)
}

fn digest_of(file: &mut File) -> anyhow::Result<String> {
    file.rewind()?;
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
mod tests {
    use super::*;

    fn sheet(text: &str) -> (tempfile::TempDir, anyhow::Result<Sheet>) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sites.csv");
        std::fs::write(&path, text).unwrap();
        let sheet = Sheet::open(&path);
        (directory, sheet)
    }

    fn rows(text: &str) -> Vec<(u64, Result<Row, String>)> {
        let (_directory, sheet) = sheet(text);
        let sheet = sheet.unwrap();
        let rows: Vec<_> = sheet.rows().unwrap().collect();
        assert_eq!(rows.len() as u64, sheet.rows);
        rows
    }

    #[test]
    fn cells_are_what_their_headings_say() {
        let text = "\u{feff}Name;Label.Tier;address;lat;lng\r\nHarpa; gold ;\"Austurbakki 2\n101 Reykjavík\";;\r\nPin;;;64.5;-21\r\n";
        let rows = rows(text);
        let (first, second) = (rows[0].1.as_ref().unwrap(), rows[1].1.as_ref().unwrap());
        assert_eq!((first.site.display_name.as_str(), first.site.labels["tier"].as_str()), ("Harpa", "gold"));
        assert_eq!(first.fields, ["labels"]);
        assert_eq!(first.address, Some(Stated::Line("Austurbakki 2\n101 Reykjavík".into())));
        assert_eq!(second.position, Some(pb::LatLng { lat: 64.5, lng: -21.0 }));
        assert_eq!((rows[0].0, rows[1].0), (2, 4), "lines as an editor counts them");
    }

    #[test]
    fn a_bad_row_is_told_and_keeps_none_of_the_others_away() {
        let rows = rows("name,status,lat,lng\nA,up,,\nB,online,1,\nC\n,online,,\nD,online,1,2\na,online,,\n");
        let faults: Vec<_> = rows.iter().map(|(line, row)| (*line, row.as_ref().err().cloned())).collect();
        let has = |at: usize, part: &str| faults[at].1.as_deref().is_some_and(|fault| fault.contains(part));
        assert!(
            has(0, "a status is") && has(1, "both lat and lng") && has(2, "fields") && has(3, "empty"),
            "{faults:?}"
        );
        assert_eq!(faults[4], (6, None));
        assert!(has(5, "line 2 names the same site"), "{faults:?}");
    }

    #[test]
    fn a_file_that_is_no_sheet_is_refused_with_what_to_do() {
        for (text, part) in [
            ("", "empty"),
            ("adress,name\n", "no column is called \"adress\""),
            ("address\n", "`name`"),
            ("name,name\n", "two columns"),
        ] {
            let (_directory, sheet) = sheet(text);
            let told = format!("{:#}", sheet.unwrap_err());
            assert!(told.contains(part), "{text:?}: {told}");
        }
    }
}
