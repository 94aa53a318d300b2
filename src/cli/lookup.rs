//! `waymark lookup`: what `GeoIP` files say of an address, without a server.

use std::net::IpAddr;
use std::path::PathBuf;

use jiff::Timestamp;

use super::say;
use crate::geoip::config::Config;
use crate::geoip::{GeoIp, special};

/// Which address, in which files.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The address
    ip: IpAddr,
    /// GeoIP database, MMDB; may be given several times, asked in order
    #[arg(long, required = true)]
    geoip: Vec<PathBuf>,
}

/// Prints the estimate, or why there is none.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let geoip = GeoIp::open(&Config::of_files(arguments.geoip.clone()))?;
    say(format_args!("address    {}", special::canonical(arguments.ip)))?;
    let estimate = match geoip.estimate(arguments.ip, Timestamp::now()) {
        Ok(estimate) => estimate,
        Err(reason) => return say(format_args!("position   none: {reason:?}")),
    };
    let evidence = &estimate.evidence;
    let country = evidence.country.map(String::from).unwrap_or_default();
    let accuracy = estimate.accuracy_m.map_or("unknown".to_owned(), |metres| format!("{metres} m"));
    say(format_args!("position   {}, {}", estimate.position.lat(), estimate.position.lng()))?;
    say(format_args!("accuracy   {accuracy}, {:?}", estimate.granularity))?;
    say(format_args!("place      {}, {}, {country}", evidence.city, evidence.region))?;
    say(format_args!("network    {}", evidence.network))?;
    say(format_args!("database   {} of {}: {}", evidence.database_type, evidence.build_time, evidence.attribution))
}
