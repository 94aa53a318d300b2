//! Addresses of Iceland's register, and the ways in which people write them.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use rusqlite::{Connection, OpenFlags};
use serde::Deserialize;
use waymark::model::geo::LatLng;

use super::judge::Case;
use super::random::Random;
use super::read_json;

/// Metres from the register's point within which a door is the right one: the entrances of one house.
const DOOR_M: f64 = 50.0;

/// What a postcode stands for.
#[derive(Deserialize)]
struct Postcode {
    stadur_nf: String,
}

/// An address, as the register has it.
struct Row {
    id: i64,
    street: String,
    label: String,
    postcode: String,
    town: String,
    position: LatLng,
}

/// The whole register.
pub(crate) struct Register {
    rows: Vec<Row>,
    /// Rows that are written alike, with their postcode.
    alike: HashMap<String, Vec<usize>>,
    /// Rows that are written alike without it.
    alike_without: HashMap<String, Vec<usize>>,
}

/// How an address is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writing {
    AsWritten,
    OneTypo,
    WithoutAccents,
    TownFirst,
    NumberFirst,
    WithoutPostcode,
}

impl Writing {
    pub(crate) const ALL: [Self; 6] = [
        Self::AsWritten,
        Self::OneTypo,
        Self::WithoutAccents,
        Self::TownFirst,
        Self::NumberFirst,
        Self::WithoutPostcode,
    ];

    pub(crate) fn told(self) -> &'static str {
        match self {
            Self::AsWritten => "as written",
            Self::OneTypo => "one typo in the street",
            Self::WithoutAccents => "without accents",
            Self::TownFirst => "the town before the street",
            Self::NumberFirst => "the number before the street",
            Self::WithoutPostcode => "without the postcode",
        }
    }
}

impl Register {
    /// Reads the register and the names of its postcodes.
    pub(crate) fn read(path: &PathBuf, postcodes: &PathBuf) -> Self {
        let towns: BTreeMap<String, Postcode> = read_json(postcodes);
        let database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let all = "SELECT hnitnum, postnr, heiti_nf, husnr, coalesce(bokst, ''), coalesce(vidsk, ''), lat_wgs84, \
                   long_wgs84 FROM stadfong ORDER BY hnitnum";
        let mut statement = database.prepare(all).unwrap();
        let rows = statement.query_map((), |row| {
            let (number, letter): (Option<i64>, String) = (row.get(3)?, row.get(4)?);
            let postcode = row.get::<_, i64>(1)?.to_string();
            let position = LatLng::new(row.get(6)?, row.get(7)?).ok();
            Ok(position.map(|position| Row {
                id: row.get(0).unwrap(),
                street: row.get(2).unwrap(),
                label: label(number, &letter, row.get::<_, String>(5).unwrap().trim()),
                town: towns.get(&postcode).map(|found| found.stadur_nf.clone()).unwrap_or_default(),
                postcode,
                position,
            }))
        });
        let rows: Vec<Row> = rows.unwrap().filter_map(Result::unwrap).collect();
        let (mut alike, mut alike_without) = (HashMap::<_, Vec<_>>::new(), HashMap::<_, Vec<_>>::new());
        for (number, row) in rows.iter().enumerate() {
            alike.entry(row.written()).or_default().push(number);
            alike_without.entry(row.without_postcode()).or_default().push(number);
        }
        Self { rows, alike, alike_without }
    }

    /// So many different rows.
    pub(crate) fn sample(&self, count: usize, mut random: Random) -> Vec<usize> {
        let mut all: Vec<usize> = (0..self.rows.len()).filter(|row| !self.rows[*row].street.is_empty()).collect();
        let count = count.min(all.len());
        for place in 0..count {
            let other = place + random.below(all.len() - place);
            all.swap(place, other);
        }
        all.truncate(count);
        all
    }

    /// A row as it is written in full.
    pub(crate) fn written(&self, row: usize) -> String {
        self.rows[row].written()
    }

    /// The question for a row.
    pub(crate) fn case(&self, row: usize, writing: Writing, random: &mut Random) -> Case {
        let meant = &self.rows[row];
        let Row { street, label, postcode, town, .. } = meant;
        let house = format!("{street} {label}");
        let question = match writing {
            Writing::AsWritten => meant.written(),
            Writing::OneTypo => format!("{} {label}, {postcode} {town}", misspelt(street, random)),
            Writing::WithoutAccents => plain(&meant.written()),
            Writing::TownFirst => format!("{postcode} {town}, {}", house.trim()),
            Writing::NumberFirst => format!("{}, {postcode} {town}", format!("{label} {street}").trim()),
            Writing::WithoutPostcode => meant.without_postcode(),
        };
        let alike = match writing {
            Writing::WithoutPostcode => &self.alike_without[&meant.without_postcode()],
            _ => &self.alike[&meant.written()],
        };
        let right = alike.iter().map(|row| &self.rows[*row]);
        Case {
            question,
            meant: meant.written(),
            name: street.clone(),
            right: right.map(|row| (format!("is/stadfong/{}", row.id), row.position)).collect(),
            within_m: DOOR_M,
        }
    }
}

impl Row {
    fn written(&self) -> String {
        format!("{}, {} {}", format!("{} {}", self.street, self.label).trim(), self.postcode, self.town)
    }

    fn without_postcode(&self) -> String {
        format!("{}, {}", format!("{} {}", self.street, self.label).trim(), self.town)
    }
}

/// What stands after the street: the register has a range as its first number and the whole beside it.
fn label(number: Option<i64>, letter: &str, addition: &str) -> String {
    let number = number.map(|number| number.to_string()).unwrap_or_default();
    if addition.strip_prefix(&number).is_some_and(|rest| rest.starts_with('-')) {
        return addition.to_owned();
    }
    format!("{number}{letter} {addition}").trim().to_owned()
}

/// The text with one letter left out, put in, exchanged for another or for its neighbour; never the same.
fn misspelt(text: &str, random: &mut Random) -> String {
    const LETTERS: &[u8] = b"abdefghijklmnoprstuvy";
    let chars: Vec<char> = text.chars().collect();
    let letters: Vec<usize> = (0..chars.len()).filter(|at| chars[*at].is_alphabetic()).collect();
    if letters.is_empty() {
        return text.to_owned();
    }
    loop {
        let (at, letter) = (letters[random.below(letters.len())], char::from(LETTERS[random.below(LETTERS.len())]));
        let mut changed = chars.clone();
        match random.below(4) {
            0 => {
                changed.remove(at);
            }
            1 => changed.insert(at, letter),
            2 => changed[at] = letter,
            _ if at + 1 < changed.len() && changed[at + 1].is_alphabetic() => changed.swap(at, at + 1),
            _ => continue,
        }
        let changed: String = changed.into_iter().collect();
        if changed != text && !changed.trim().is_empty() {
            return changed;
        }
    }
}

/// The text in the letters of a keyboard without Icelandic ones.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        let bare = match letter.to_lowercase().next().unwrap_or(letter) {
            'á' => "a",
            'ð' => "d",
            'é' => "e",
            'í' => "i",
            'ó' | 'ö' => "o",
            'ú' => "u",
            'ý' => "y",
            'þ' => "th",
            'æ' => "ae",
            _ => {
                plain.push(letter);
                continue;
            }
        };
        plain.push_str(&if letter.is_uppercase() { bare.to_uppercase() } else { bare.to_owned() });
    }
    plain
}
