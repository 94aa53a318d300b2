//! The two sheets that come out of an import: what became of each row, and what a person has to choose.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, ErrorKind};
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use csv::ReaderBuilder;
use serde::{Deserialize, Serialize};

use super::csv_rows::delimiter_of;
use super::journal::{Done, Journal, Outcome};
use crate::api::proto::waymark::v1 as pb;
use crate::api::proto::waymark::v1::location_service_client::LocationServiceClient;
use crate::cli::client::explain;
use crate::cli::sheet::cell::{guard, unguard};
use crate::client::Connection;
use crate::geocode::CANDIDATES_MAX;

/// How near a place must be to one of the review sheet to be it, in degrees: less than a metre.
const SAME_PLACE_DEG: f64 = 5e-6;

/// A row of the report.
#[derive(Debug, Serialize)]
struct Report<'a> {
    line: u64,
    name: String,
    site: &'a str,
    outcome: Outcome,
    address_state: &'a str,
    field: String,
    message: String,
}

/// A row of the review sheet: one place that a site's address may mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Offer {
    /// Anything but blanks chooses it.
    choice: String,
    line: u64,
    name: String,
    site: String,
    etag: String,
    /// What was typed, on one line, for people.
    address: String,
    /// What was typed, where that was in parts; the columns are those of the sheet that was imported. A sheet of an earlier
    /// version has none of them.
    #[serde(default)]
    street: String,
    #[serde(default)]
    postal_code: String,
    #[serde(default)]
    locality: String,
    #[serde(default)]
    region: String,
    #[serde(default)]
    country: String,
    formatted_address: String,
    granularity: String,
    confidence: f64,
    lat: f64,
    lng: f64,
}

/// Writes what became of each row.
pub(super) fn write_report(path: &Path, journal: &Journal) -> anyhow::Result<()> {
    let mut writer = csv::Writer::from_path(path).with_context(|| path.display().to_string())?;
    for row in journal.rows()? {
        let row = row?;
        writer.serialize(Report {
            line: row.line,
            name: guard(&row.name),
            site: &row.site,
            outcome: row.outcome,
            address_state: &row.address_state,
            field: guard(&row.field),
            message: guard(&row.message),
        })?;
    }
    Ok(writer.flush()?)
}

/// Writes the places that a person has to choose between; how many sites they are of. Where there are none, there is no
/// sheet.
pub(super) fn write_review(path: &Path, journal: &Journal) -> anyhow::Result<usize> {
    let is_open = |row: &anyhow::Result<Done>| row.as_ref().map_or(true, |row| !row.places.is_empty());
    let mut rows = journal.rows()?.filter(is_open).peekable();
    if rows.peek().is_none() {
        return match std::fs::remove_file(path) {
            Err(cause) if cause.kind() != ErrorKind::NotFound => Err(cause).context(path.display().to_string()),
            _ => Ok(0),
        };
    }
    let mut writer = csv::Writer::from_path(path).with_context(|| path.display().to_string())?;
    let mut sites = 0;
    for row in rows {
        let row = row?;
        sites += 1;
        let parts = row.parts.clone().unwrap_or_default();
        for place in &row.places {
            writer.serialize(Offer {
                choice: String::new(),
                line: row.line,
                name: guard(&row.name),
                site: row.site.clone(),
                etag: row.etag.clone(),
                address: guard(&row.address),
                street: guard(&parts.street),
                postal_code: guard(&parts.postal_code),
                locality: guard(&parts.locality),
                region: guard(&parts.region),
                country: parts.country.map(|country| country.to_string()).unwrap_or_default(),
                formatted_address: guard(&place.formatted_address),
                granularity: place.granularity.clone(),
                confidence: place.confidence,
                lat: place.lat,
                lng: place.lng,
            })?;
        }
    }
    writer.flush()?;
    Ok(sites)
}

/// Refuses to write over a review sheet in which a person has marked something.
pub(super) fn refuse_marked(path: &Path) -> anyhow::Result<()> {
    if path.exists() && !read_choices(path)?.is_empty() {
        bail!("{} has marked choices: apply them with `import choices`, or move it away", path.display());
    }
    Ok(())
}

/// The places chosen in a review sheet, by site; refuses one that chooses two for a site.
pub(super) fn read_choices(path: &Path) -> anyhow::Result<Vec<Offer>> {
    let file = File::open(path).with_context(|| path.display().to_string())?;
    // Spreadsheets write what stands between cells as they like.
    let delimiter = delimiter_of(&file).with_context(|| path.display().to_string())?;
    let mut reader = ReaderBuilder::new().delimiter(delimiter).from_reader(BufReader::new(file));
    let mut chosen: BTreeMap<String, Offer> = BTreeMap::new();
    for row in reader.deserialize::<Offer>() {
        let row = row.with_context(|| path.display().to_string())?;
        if row.choice.trim().is_empty() {
            continue;
        }
        let line = row.line;
        let is_done = !row.site.is_empty() && !row.etag.is_empty();
        ensure!(is_done, "line {line} is not done yet: this is the sheet of a dry run");
        let before = chosen.insert(row.site.clone(), row);
        ensure!(before.is_none(), "two places are chosen for line {line}: mark one of them");
    }
    Ok(chosen.into_values().collect())
}

/// Applies one choice. The address is looked up again: what was offered then may be offered no more.
pub(super) async fn apply(
    locations: &mut LocationServiceClient<Connection>,
    parent: &str,
    chosen: &Offer,
) -> anyhow::Result<()> {
    let request = pb::GeocodeAddressRequest {
        parent: parent.to_owned(),
        site: chosen.site.clone(),
        address: Some(chosen.question()),
        // As many as there ever are.
        candidates_max: i32::try_from(CANDIDATES_MAX).unwrap_or(i32::MAX),
    };
    let found = locations.geocode_address(request).await.map_err(|status| explain(&status))?.into_inner().candidates;
    let wanted = unguard(&chosen.formatted_address);
    let same = found.into_iter().find(|candidate| {
        let at = candidate.position.unwrap_or_default();
        let is_there = (at.lat - chosen.lat).abs() < SAME_PLACE_DEG && (at.lng - chosen.lng).abs() < SAME_PLACE_DEG;
        is_there && candidate.formatted_address == wanted
    });
    let same = same.context("the geocoder offers this place no more: import the row again")?;
    let request = pb::ApplyCandidateRequest {
        site: chosen.site.clone(),
        candidate_token: same.token,
        // Whoever changed the site meanwhile is not overruled.
        etag: chosen.etag.clone(),
        ..pb::ApplyCandidateRequest::default()
    };
    locations.apply_candidate(request).await.map(drop).map_err(|status| explain(&status))
}

impl Offer {
    /// The address as it was typed.
    fn question(&self) -> pb::geocode_address_request::Address {
        let parts = pb::PostalAddress {
            street: unguard(&self.street).to_owned(),
            postal_code: unguard(&self.postal_code).to_owned(),
            locality: unguard(&self.locality).to_owned(),
            region: unguard(&self.region).to_owned(),
            country_code: self.country.trim().to_owned(),
        };
        if parts == pb::PostalAddress::default() {
            return pb::geocode_address_request::Address::AddressLine(unguard(&self.address).to_owned());
        }
        pb::geocode_address_request::Address::PostalAddress(parts)
    }

    /// Its row in the sheet that was imported, and the site, for people.
    pub(super) fn label(&self) -> String {
        format!("line {}, {}", self.line, unguard(&self.name))
    }
}

#[cfg(test)]
mod tests {
    use pb::geocode_address_request::Address;

    use super::*;
    use crate::cli::import::journal::Place;
    use crate::cli::import::sheet::RowAt;
    use crate::model::address::{CountryCode, PostalAddress};

    fn done(line: u64, name: &str, places: &[&str]) -> Done {
        let place = |(at, text): (usize, &&str)| Place {
            formatted_address: (*text).to_owned(),
            granularity: "city".into(),
            confidence: 0.5,
            lat: f64::from(u32::try_from(at).unwrap()),
            lng: 0.25,
        };
        Done {
            site: format!("accounts/a/sites/{line}"),
            etag: "0".into(),
            address: "Springfield".into(),
            address_state: "ambiguous".into(),
            places: places.iter().enumerate().map(place).collect(),
            ..Done::new(RowAt { row: line - 1, line }, name.to_owned(), Outcome::Created)
        }
    }

    /// A journal beside the review sheet with these rows.
    fn journal(directory: &tempfile::TempDir, rows: &[Done]) -> Journal {
        let mut journal = Journal::open(&directory.path().join("journal"), "sheet", "accounts/a").unwrap();
        journal.put(rows).unwrap();
        journal
    }

    /// What was typed in parts was asked again as one line, and answered otherwise.
    #[test]
    fn what_was_typed_in_parts_is_asked_in_parts() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("review.csv");
        let typed = PostalAddress {
            street: "+1 Main Street".into(),
            postal_code: "0101".into(),
            locality: "Springfield".into(),
            region: "IL".into(),
            country: CountryCode::parse("us"),
        };
        let rows = [Done { parts: Some(typed), ..done(2, "a", &["x"]) }, done(3, "b", &["x"])];
        write_review(&path, &journal(&directory, &rows)).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains(",+1"), "{text}");
        let marked: Vec<_> =
            text.lines().enumerate().map(|(at, line)| if at > 0 { format!("x{line}") } else { line.into() }).collect();
        std::fs::write(&path, marked.join("\n")).unwrap();
        let asked: Vec<_> = read_choices(&path).unwrap().iter().map(Offer::question).collect();
        let parts = pb::PostalAddress {
            street: "+1 Main Street".into(),
            postal_code: "0101".into(),
            locality: "Springfield".into(),
            region: "IL".into(),
            country_code: "US".into(),
        };
        let line = "Springfield".to_owned();
        assert_eq!(asked, [Address::PostalAddress(parts), Address::AddressLine(line)]);
    }

    #[test]
    fn a_sheet_of_before_the_parts_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("review.csv");
        let heading = "choice,line,name,site,etag,address,formatted_address,granularity,confidence,lat,lng";
        std::fs::write(&path, format!("{heading}\nx,2,a,accounts/a/sites/2,0,Springfield,x,city,0.5,0,0.25\n"))
            .unwrap();
        let asked = read_choices(&path).unwrap().remove(0).question();
        assert_eq!(asked, Address::AddressLine("Springfield".into()));
    }

    /// The field may be what a stranger called a property.
    #[test]
    fn no_cell_of_a_report_is_a_formula() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("report.csv");
        let (field, message) = ("=1+1".to_owned(), "@SUM(A1)".to_owned());
        write_report(&path, &journal(&directory, &[Done { field, message, ..done(2, "-1", &[]) }])).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let last = text.lines().last().unwrap();
        assert_eq!(last, "2,'-1,accounts/a/sites/2,created,ambiguous,'=1+1,'@SUM(A1)");
    }

    #[test]
    fn a_review_sheet_comes_back_as_it_was_marked_and_holds_no_formula() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("review.csv");
        let rows =
            [done(2, "=1+1", &["Springfield, IL", "-Springfield, MO"]), done(3, "plain", &[]), done(4, "b", &["x"])];
        assert_eq!(write_review(&path, &journal(&directory, &rows)).unwrap(), 2);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 4);
        assert!(!text.contains(",=1") && !text.contains(",-Spring"), "{text}");
        assert_eq!(read_choices(&path).unwrap(), []);

        let marked: Vec<_> =
            text.lines().enumerate().map(|(at, line)| if at == 2 { format!("x{line}") } else { line.into() }).collect();
        std::fs::write(&path, marked.join("\n")).unwrap();
        let chosen = read_choices(&path).unwrap();
        assert_eq!(chosen.len(), 1);
        assert_eq!(
            (chosen[0].label().as_str(), unguard(&chosen[0].formatted_address)),
            ("line 2, =1+1", "-Springfield, MO")
        );

        std::fs::write(&path, marked.join("\n").replace("accounts/a/sites/2,0,", "accounts/a/sites/2,,")).unwrap();
        assert!(format!("{:#}", read_choices(&path).unwrap_err()).contains("line 2 is not done yet"));

        let twice: Vec<_> =
            text.lines().enumerate().map(|(at, line)| if at > 0 { format!("x{line}") } else { line.into() }).collect();
        std::fs::write(&path, twice.join("\n")).unwrap();
        assert!(format!("{:#}", read_choices(&path).unwrap_err()).contains("two places"));
    }
}
