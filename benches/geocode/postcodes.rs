//! Postcodes of the world, where the gazetteer was built with them.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use serde::Deserialize;
use waymark::geocode::gazetteer::Manifest;
use waymark::model::geo::LatLng;

use super::judge::Case;
use super::random::Random;
use super::towns::Towns;

/// How the names of files of postcodes end.
const ENDING: &str = ".jsonl.gz";
/// Metres within which a postcode is the right one: one code is several rows, of which one is its middle.
const CODE_M: f64 = 10_000.0;

#[derive(Deserialize)]
struct Row {
    country_code: String,
    postal_code: String,
    #[serde(default)]
    city: String,
    latitude: f64,
    longitude: f64,
}

/// The file that the gazetteer has its postcodes from; none where it has none, or the file is gone.
pub(crate) fn file(manifest: &Manifest, fetched: &Path) -> Option<PathBuf> {
    let name = &manifest.sources.iter().find(|source| source.file.ends_with(ENDING))?.file;
    let directories = std::fs::read_dir(fetched).ok()?.filter_map(Result::ok);
    directories.map(|directory| directory.path().join(name)).find(|path| path.is_file())
}

/// Questions for random rows: code and country, and code and town.
pub(crate) fn cases(path: &Path, towns: &Towns, count: usize, random: Random) -> [(&'static str, Vec<Case>); 2] {
    let rows: Vec<Row> = sample(path, count, random).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let case = |row: &Row, question: String| {
        let position = LatLng::new(row.latitude, row.longitude).ok().filter(|at| *at != LatLng::ORIGIN)?;
        let meant = format!("{} {}, {}", row.postal_code, row.city, row.country_code);
        let name = row.postal_code.clone();
        Some(Case { question, meant, name, right: vec![(String::new(), position)], within_m: CODE_M })
    };
    let with_country =
        rows.iter().filter_map(|row| case(row, format!("{}, {}", row.postal_code, towns.country(&row.country_code))));
    let with_town = rows.iter().filter(|row| !row.city.is_empty());
    let with_town = with_town.filter_map(|row| case(row, format!("{} {}", row.postal_code, row.city)));
    [("code and country", with_country.collect()), ("code and town", with_town.collect())]
}

/// So many lines, each as likely as any other: a reservoir, because the file is large and packed.
fn sample(path: &Path, count: usize, mut random: Random) -> Vec<String> {
    let lines = BufReader::new(MultiGzDecoder::new(BufReader::new(File::open(path).unwrap()))).lines();
    let mut kept = Vec::with_capacity(count);
    for (number, line) in lines.map(Result::unwrap).filter(|line| !line.trim().is_empty()).enumerate() {
        let place = if number < count { number } else { random.below(number + 1) };
        match kept.get_mut(place) {
            Some(kept) => *kept = line,
            None if place < count => kept.push(line),
            None => {}
        }
    }
    kept
}
