//! `waymark geocode`: what a gazetteer, or the geocoders of a configuration, make of addresses and positions, without a server.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use serde_json::json;

use super::output::OutputArguments;
use super::say;
use crate::config::Config;
use crate::geocode::build::{Built, build};
use crate::geocode::config::Config as GeocodeConfig;
use crate::geocode::fleet::FleetLimits;
use crate::geocode::limiter::{Limits, LocalLimits};
use crate::geocode::{Bias, Candidate, Geocoder};
use crate::model::address::{AddressQuery, CountryCode};
use crate::model::geo::LatLng;

/// What is asked, and whom.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The address, on one line; without it and without --at, addresses are read from standard input, one a line
    address: Option<String>,
    /// A position, whose addresses are asked for
    #[arg(long, value_name = "LAT,LNG", conflicts_with = "address", allow_hyphen_values = true, value_parser = position)]
    at: Option<LatLng>,
    /// The country in which an address probably is, by its code of two letters
    #[arg(long, value_parser = country)]
    country: Option<CountryCode>,
    /// Most places of an answer, at most 20
    #[arg(long, default_value_t = 5)]
    limit: usize,
    /// Directory of the gazetteer's index, which is asked alone
    #[arg(long, required_unless_present = "config")]
    gazetteer: Option<PathBuf>,
    /// Configuration file, TOML, whose geocoders are asked as a server asks them, within their limits of requests
    #[arg(long, env = "WAYMARK_CONFIG")]
    config: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArguments,
}

/// Asks, and prints the answers.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let geocoder = arguments.open()?;
    if let Some(at) = arguments.at {
        let found = geocoder.reverse(at, arguments.limit).await?;
        return arguments.tell(&format!("{}, {}", at.lat(), at.lng()), &found);
    }
    if let Some(address) = &arguments.address {
        return arguments.ask(&*geocoder, address).await;
    }
    for (number, line) in (1..).zip(std::io::stdin().lines()) {
        let line = line.context("standard input")?;
        arguments.ask(&*geocoder, &line).await.with_context(|| format!("line {number}"))?;
    }
    Ok(())
}

impl Arguments {
    /// All that is to be asked, as one geocoder.
    fn open(&self) -> anyhow::Result<Arc<dyn Geocoder>> {
        let config = match (&self.gazetteer, &self.config) {
            (Some(directory), _) => GeocodeConfig { gazetteer: Some(directory.clone()), ..GeocodeConfig::default() },
            (None, Some(path)) => Config::read(path)?.geocode,
            (None, None) => bail!("name a gazetteer or a configuration"),
        };
        let limits: Arc<dyn Limits> = match &config.fleet {
            Some(fleet) => Arc::new(FleetLimits::new(fleet.client()?)),
            None => Arc::<LocalLimits>::default(),
        };
        let built = build(&config, &*limits, Timestamp::now, &Built::default())?;
        built.geocoder().context("it names no geocoder: set geocode.gazetteer or list geocode.providers")
    }

    async fn ask(&self, geocoder: &dyn Geocoder, address: &str) -> anyhow::Result<()> {
        let bias = Bias { near: None, country: self.country };
        let found = geocoder.forward(&AddressQuery::line(address)?, &bias, self.limit).await?;
        self.tell(address, &found)
    }

    fn tell(&self, asked: &str, found: &[Candidate]) -> anyhow::Result<()> {
        if self.output.is_json() {
            return say(json!({ "asked": asked, "candidates": found }));
        }
        if found.is_empty() {
            return say(format_args!("nothing answers to {asked}"));
        }
        found.iter().try_for_each(print)
    }
}

/// A place for people: how sure it is, how fine, where, what it is called, and whom that is owed to.
fn print(place: &Candidate) -> anyhow::Result<()> {
    let Candidate { confidence, granularity, position, formatted_address, provider, attribution, .. } = place;
    let (lat, lng) = (position.lat(), position.lng());
    say(format_args!("{confidence:.2}\t{granularity:?}\t{lat}, {lng}\t{formatted_address}\t{provider}\t{attribution}"))
}

/// A position as it stands on the command line.
fn position(text: &str) -> Result<LatLng, String> {
    let degrees = |part: &str| part.trim().parse::<f64>().ok();
    let parts = text.split_once(',').and_then(|(lat, lng)| Some((degrees(lat)?, degrees(lng)?)));
    let (lat, lng) = parts.ok_or("a position is a latitude and a longitude in degrees, such as 64.15,-21.94")?;
    LatLng::new(lat, lng).map_err(|fault| fault.to_string())
}

fn country(text: &str) -> Result<CountryCode, String> {
    CountryCode::parse(text).ok_or_else(|| "a country is a code of two letters, such as IS".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_read_or_refused() {
        let read = position("64.15, -21.94").unwrap();
        assert_eq!((read.lat(), read.lng()), (64.15, -21.94));
        for text in ["", "64.15", "64.15 -21.94", "91,0", "0,181", "NaN,0", "1,2,3", "north,west"] {
            assert!(position(text).is_err(), "{text}");
        }
        assert_eq!(country("is").unwrap().as_str(), "IS");
        assert!(country("ISL").is_err());
    }
}
