//! Rows of a `GeoJSON` file: a feature is a site, its properties are the columns of a sheet, and its point is a pin.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Seek as _};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::row::{Fault, Given, Match, Reading, Row};
use super::sheet::{Named, Numbered, RowAt};
use crate::cli::sheet::column::Column;
use crate::cli::sheet::features::{FEATURE_BYTES_MAX, Features};
use crate::model::text::shown;

/// The property that says where a feature's point comes from; without it a person put the point there.
const SOURCE: &str = "info.source";
/// What it says of a pin.
const PIN: &str = "pin";

/// A feature, as far as it is looked at.
#[derive(Debug, Deserialize)]
struct Feature {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    geometry: Option<Geometry>,
    #[serde(default)]
    properties: Option<Map<String, Value>>,
}

#[derive(Debug, Deserialize)]
struct Geometry {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    coordinates: Value,
}

/// The features of a file, behind its byte order mark.
fn features(mut file: &File) -> anyhow::Result<Features<BufReader<&File>>> {
    file.rewind()?;
    let mut input = BufReader::new(file);
    if input.fill_buf()?.starts_with("\u{feff}".as_bytes()) {
        input.consume('\u{feff}'.len_utf8());
    }
    Ok(Features::new(input))
}

/// Tells of each feature which one it is, and what it names its site by where it can be read.
pub(super) fn each_name(file: &File, mut tell: impl FnMut(RowAt, Option<&Named>)) -> anyhow::Result<()> {
    let mut features = features(file)?;
    while let Some((number, bytes)) = features.next()? {
        let feature = bytes.and_then(|bytes| serde_json::from_slice::<Feature>(&bytes).ok());
        let named = feature.and_then(|feature| feature.properties).map(|properties| {
            let text = |column: Column| {
                let found = properties.iter().find(|(name, _)| Column::parse(name).as_ref() == Some(&column));
                match found.and_then(|(_, value)| given(&column, value.clone())) {
                    Some(Given::Text(text)) => text,
                    _ => String::new(),
                }
            };
            Named { name: text(Column::Name), site_id: text(Column::SiteId), agent_id: text(Column::AgentId) }
        });
        tell(at(number), named.as_ref());
    }
    Ok(())
}

/// The rows, each with the number of its feature.
pub(super) fn rows<'a>(
    file: &'a File,
    by: Match,
    parent: &'a str,
) -> anyhow::Result<impl Iterator<Item = anyhow::Result<Numbered>> + 'a> {
    let mut features = features(file)?;
    Ok(std::iter::from_fn(move || {
        let next = features.next().transpose()?;
        Some(next.map(|(number, bytes)| (at(number), row(bytes, by, parent))))
    }))
}

fn at(number: u64) -> RowAt {
    RowAt { row: number, line: number }
}

fn row(bytes: Option<Vec<u8>>, by: Match, parent: &str) -> Result<Row, Fault> {
    let Some(bytes) = bytes else {
        return Err(Fault::new("", format!("a feature has at most {FEATURE_BYTES_MAX} bytes")));
    };
    if let Err(cause) = std::str::from_utf8(&bytes) {
        return Err(Fault::new("", format!("it is no text in UTF-8, behind its byte {}", cause.valid_up_to())));
    }
    let feature: Feature =
        serde_json::from_slice(&bytes).map_err(|cause| Fault::new("", format!("it is no feature: {cause}")))?;
    if feature.kind != "Feature" {
        return Err(Fault::new("type", "each object is a Feature"));
    }
    let properties = feature.properties.unwrap_or_default();
    let is_pin = properties.get(SOURCE).is_none_or(|source| source.as_str() == Some(PIN));
    let (mut reading, mut columns) = (Reading::default(), Vec::new());
    for (name, value) in properties {
        let Some(column) = Column::parse(&name) else {
            let why = format!("no property is called {}: there are {}", shown(&name), Column::all());
            return Err(Fault::new("", why));
        };
        if columns.contains(&column) {
            return Err(Fault::new(column.heading(), "two properties are called so"));
        }
        columns.push(column.clone());
        if let Some(given) = given(&column, value) {
            reading.put(&column, given)?;
        }
    }
    if let Some(geometry) = feature.geometry.filter(|_| is_pin) {
        let (lng, lat) = point(&geometry)?;
        reading.put_position(lat, lng);
    }
    reading.finish(by, parent)
}

/// What a property gives; `None` for nothing.
fn given(column: &Column, value: Value) -> Option<Given> {
    match value {
        Value::Null => Some(Given::Clear),
        Value::String(text) if *column == Column::Note => (!text.is_empty()).then_some(Given::Text(text)),
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()).map(Given::Text),
        Value::Bool(is) => Some(Given::Text(is.to_string())),
        Value::Number(number) => Some(Given::Text(number.to_string())),
        list @ (Value::Array(_) | Value::Object(_)) => Some(Given::List(list)),
    }
}

/// Longitude and latitude of a point.
fn point(geometry: &Geometry) -> Result<(f64, f64), Fault> {
    let refuse = || Fault::new("geometry", "a Point of longitude and latitude, or null");
    let coordinates: Vec<f64> =
        geometry.coordinates.as_array().and_then(|list| list.iter().map(Value::as_f64).collect()).ok_or_else(refuse)?;
    match coordinates.as_slice() {
        // A third one is an altitude.
        [lng, lat] | [lng, lat, _] if geometry.kind == "Point" => Ok((*lng, *lat)),
        _ => Err(refuse()),
    }
}
