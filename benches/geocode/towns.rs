//! Towns of the world, drawn by how many people would ask for them, and the names that they go by.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use serde::Deserialize;
use waymark::model::geo::LatLng;

use super::judge::Case;
use super::random::Random;
use super::read_json;

/// Metres within which a place is the right one: a town and its centre are two records of the source.
const TOWN_M: f64 = 5_000.0;
/// Fewest letters of a name in another language: shorter ones are codes.
const FOREIGN_CHARS_MIN: usize = 4;

#[derive(Deserialize)]
struct Town {
    geonameid: u64,
    name: String,
    latitude: f64,
    longitude: f64,
    countrycode: String,
    population: u64,
    alternatenames: Vec<String>,
}

#[derive(Deserialize)]
struct Country {
    name: String,
}

/// All towns that somebody lives in, in the order of their ids.
pub(crate) struct Towns {
    all: Vec<Town>,
    countries: HashMap<String, Country>,
    /// People in all towns up to and with each.
    people: Vec<u64>,
}

/// Which of its names a town is asked for by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Naming {
    WithCountry,
    Alone,
    Foreign,
}

impl Naming {
    pub(crate) const ALL: [Self; 3] = [Self::WithCountry, Self::Alone, Self::Foreign];

    pub(crate) fn told(self) -> &'static str {
        match self {
            Self::WithCountry => "name and country",
            Self::Alone => "name alone",
            Self::Foreign => "another of its names, alone",
        }
    }
}

impl Towns {
    /// Reads towns and the names of countries.
    pub(crate) fn read(cities: &PathBuf, countries: &PathBuf) -> Self {
        let by_id: HashMap<String, Town> = read_json(cities);
        let mut towns: Vec<Town> = by_id.into_values().filter(|town| town.population > 0).collect();
        towns.sort_by_key(|town| town.geonameid);
        let people = towns.iter().scan(0, |people, town| {
            *people += town.population;
            Some(*people)
        });
        Self { people: people.collect(), all: towns, countries: read_json(countries) }
    }

    /// The name of a country by its code, or the code.
    pub(crate) fn country<'a>(&'a self, code: &'a str) -> &'a str {
        self.countries.get(code).map_or(code, |country| &country.name)
    }

    /// So many different towns, each as likely as it has people.
    pub(crate) fn sample(&self, count: usize, mut random: Random) -> Vec<usize> {
        let (mut drawn, mut sample) = (HashSet::new(), Vec::new());
        let all = self.people.last().copied().unwrap_or_default();
        while sample.len() < count.min(self.all.len() / 2) {
            let one = random.next() % all;
            let town = self.people.partition_point(|people| *people <= one);
            if drawn.insert(town) {
                sample.push(town);
            }
        }
        sample
    }

    /// The town's own name.
    pub(crate) fn name(&self, town: usize) -> &str {
        &self.all[town].name
    }

    /// The question for a town; none for one without another name.
    pub(crate) fn case(&self, town: usize, naming: Naming, random: &mut Random) -> Option<Case> {
        let meant = &self.all[town];
        let country = self.country(&meant.countrycode);
        let question = match naming {
            Naming::WithCountry => format!("{}, {country}", meant.name),
            Naming::Alone => meant.name.clone(),
            Naming::Foreign => {
                let names: Vec<&String> = meant.alternatenames.iter().filter(|name| meant.is_foreign(name)).collect();
                if names.is_empty() {
                    return None;
                }
                names[random.below(names.len())].clone()
            }
        };
        Some(Case {
            question,
            meant: format!("{}, {country}", meant.name),
            name: meant.name.clone(),
            right: vec![(
                format!("geonames/{}", meant.geonameid),
                LatLng::new(meant.latitude, meant.longitude).unwrap(),
            )],
            within_m: TOWN_M,
        })
    }
}

impl Town {
    /// Whether people write this name, and it is not the town's own.
    fn is_foreign(&self, name: &str) -> bool {
        let is_letters = |c: char| c.is_alphabetic() || " -'’.".contains(c);
        name.chars().count() >= FOREIGN_CHARS_MIN
            && name.chars().all(is_letters)
            && name.to_lowercase() != self.name.to_lowercase()
            && name.to_uppercase() != *name
    }
}
