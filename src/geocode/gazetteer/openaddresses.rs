//! Reads files of OpenAddresses: rows of CSV, or features of GeoJSON, one a line, with the same few fields.
//!
//! The files come from a thousand authorities, and each has some rows that are no addresses: those are counted by what
//! is wrong with them, and left out. A file of something else is refused. Knows nothing of streets as a whole.

use std::path::Path;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::doors::Door;
use super::fold;
use super::imports::{LeftOut, Report};
use super::record::Source;
use super::sources::{Lines, PROGRESS_ROWS, Progress, malformed};
use crate::geocode::Error;
use crate::model::address::CountryCode;
use crate::model::geo::LatLng;

/// Columns without which a file of CSV is no file of addresses.
const NEEDED: [&str; 4] = ["lon", "lat", "number", "street"];
/// Digits of a hash, in hexadecimal.
const HASH_DIGITS: usize = 16;
/// What some editors write before the first line.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// A row's texts; empty where it has none.
#[derive(Debug, Default)]
struct Row {
    lon: String,
    lat: String,
    number: String,
    street: String,
    city: String,
    district: String,
    region: String,
    postcode: String,
    hash: String,
}

/// The form of a file.
enum Form {
    /// CSV, with the names of its columns in lower case.
    Csv(Vec<String>),
    /// A feature of GeoJSON a line.
    GeoJson,
}

/// What is known of all rows of a file.
#[derive(Debug, Clone)]
pub(super) struct Of {
    /// Whose they are.
    pub(super) source: Source,
    /// Their country.
    pub(super) country: CountryCode,
    /// Their region, where they do not say it; may be empty.
    pub(super) region: String,
}

/// Hands every address of the file to `each`, and tells what came of the rows. Holds one row at a time.
///
/// # Errors
/// `SourceFile` for a file that cannot be read to its end, has another form, or in which no row is an address; and the
/// first error of `each`.
pub(super) fn read(
    path: &Path,
    of: &Of,
    progress: &dyn Fn(Progress),
    each: &mut dyn FnMut(Door) -> Result<(), Error>,
) -> Result<Report, Error> {
    let mut lines = Lines::open(path)?;
    let first = lines.next_text()?.ok_or_else(|| malformed(path, &"it is empty"))?;
    let first = first.trim_start_matches(BYTE_ORDER_MARK);
    let form = Form::of(first).map_err(|cause| lines.malformed(&cause))?;
    let mut report = Report::default();
    let mut take = |row: Result<Row, LeftOut>, report: &mut Report| match report.count(row.and_then(|row| row.door(of)))
    {
        Some(door) => each(door),
        None => Ok(()),
    };
    if matches!(form, Form::GeoJson) {
        take(form.row(first), &mut report)?;
    }
    let mut done = 0;
    while let Some(line) = lines.next()? {
        let row = std::str::from_utf8(line).map_err(|_| LeftOut::Malformed).and_then(|line| form.row(line));
        take(row, &mut report)?;
        done += 1;
        if done % PROGRESS_ROWS == 0 {
            progress(Progress { done, total: None, what: "OpenAddresses" });
        }
    }
    progress(Progress { done, total: Some(done), what: "OpenAddresses" });
    if report.kept == 0 {
        return Err(malformed(path, &format!("none of its rows is an address: {report}")));
    }
    Ok(report)
}

impl Form {
    /// The form that a file with this first line has; the error says why it has none.
    fn of(first: &str) -> Result<Self, String> {
        if first.starts_with('{') {
            return match serde_json::from_str::<Value>(first) {
                Ok(value) if value["type"] == "Feature" => Ok(Self::GeoJson),
                _ => Err("a GeoJSON file has one whole feature a line here (GeoJSONSeq), no collection".to_owned()),
            };
        }
        let columns: Vec<String> = fields(first).unwrap_or_default().iter().map(|name| name.to_lowercase()).collect();
        let missing: Vec<&str> = NEEDED.into_iter().filter(|name| !columns.iter().any(|own| own == name)).collect();
        if missing.is_empty() { Ok(Self::Csv(columns)) } else { Err(format!("no columns {}", missing.join(", "))) }
    }

    /// The row of a line.
    fn row(&self, line: &str) -> Result<Row, LeftOut> {
        let mut row = Row::default();
        match self {
            Self::Csv(columns) => {
                let fields = fields(line).filter(|fields| fields.len() == columns.len()).ok_or(LeftOut::Malformed)?;
                for (column, text) in columns.iter().zip(fields) {
                    row.set(column, &text);
                }
            }
            Self::GeoJson => {
                let feature: Value = line.parse().map_err(|_| LeftOut::Malformed)?;
                let properties = feature["properties"].as_object().ok_or(LeftOut::Malformed)?;
                for (name, value) in properties {
                    // Some write numbers as numbers.
                    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    row.set(&name.to_lowercase(), if value.is_null() { "" } else { &text });
                }
                let point = &feature["geometry"];
                if point["type"] == "Point" {
                    row.lon = point["coordinates"][0].to_string();
                    row.lat = point["coordinates"][1].to_string();
                }
            }
        }
        Ok(row)
    }
}

impl Row {
    fn set(&mut self, name: &str, text: &str) {
        let field = match name {
            "lon" => &mut self.lon,
            "lat" => &mut self.lat,
            "number" => &mut self.number,
            "street" => &mut self.street,
            "city" => &mut self.city,
            "district" => &mut self.district,
            "region" => &mut self.region,
            "postcode" => &mut self.postcode,
            "hash" => &mut self.hash,
            // Flats of a house share its door, and the ids of authorities are not their own worldwide.
            _ => return,
        };
        text.trim().clone_into(field);
    }

    /// The address, or what is wrong with it.
    fn door(self, of: &Of) -> Result<Door, LeftOut> {
        if fold::key(&self.street).is_empty() {
            return Err(LeftOut::NoStreet);
        }
        // Zeros are what some registers write for no number.
        if fold::key(&self.number).trim_start_matches('0').is_empty() {
            return Err(LeftOut::NoNumber);
        }
        let degrees = |text: &str| text.parse::<f64>().map_err(|_| LeftOut::NoPosition);
        let position = LatLng::new(degrees(&self.lat)?, degrees(&self.lon)?).map_err(|_| LeftOut::NoPosition)?;
        if position == LatLng::ORIGIN {
            return Err(LeftOut::NoPosition);
        }
        let id = self.id();
        let mut door = Door::new(of.source, &self.street, position);
        door.country = Some(of.country);
        door.region = if self.region.is_empty() { of.region.clone() } else { self.region };
        door.district = self.district;
        door.town = self.city;
        door.postcode = self.postcode;
        door.number = self.number;
        door.id = id;
        door.checked()
    }

    /// The hash of the row as the file has it, or else one of our own over what makes the row another one.
    fn id(&self) -> i64 {
        let own = || {
            let texts = [&self.lon, &self.lat, &self.number, &self.street, &self.city, &self.postcode];
            let mut digest = Sha256::new();
            for text in texts {
                digest.update(text.as_bytes());
                digest.update([0]);
            }
            let bytes = digest.finalize();
            u64::from_be_bytes(bytes[..8].try_into().unwrap_or_default())
        };
        let stated = (self.hash.len() == HASH_DIGITS).then(|| u64::from_str_radix(&self.hash, 16).ok()).flatten();
        stated.unwrap_or_else(own).cast_signed()
    }
}

/// The fields of a line of CSV; `None` where a quote is not closed, as in a field with line breaks.
fn fields(line: &str) -> Option<Vec<String>> {
    let mut fields = vec![String::new()];
    let mut is_quoted = false;
    let mut signs = line.chars().peekable();
    while let Some(sign) = signs.next() {
        let field = fields.last_mut()?;
        match sign {
            '"' if is_quoted && signs.peek() == Some(&'"') => {
                signs.next();
                field.push('"');
            }
            '"' if is_quoted => is_quoted = false,
            '"' if field.is_empty() => is_quoted = true,
            ',' if !is_quoted => fields.push(String::new()),
            sign => field.push(sign),
        }
    }
    (!is_quoted).then_some(fields)
}

#[cfg(test)]
mod tests;
