//! `waymark lookup`: what `GeoIP` files say of addresses, without a server.

use std::io::BufRead;
use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::Context;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::output::OutputArguments;
use super::say;
use crate::geoip::GeoIp;
use crate::geoip::config::Config;
use crate::geoip::explain::{Explanation, Said, Stated, Step};

/// Which addresses, in which files.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The address; without it, addresses are read from standard input, one a line
    ip: Option<IpAddr>,
    /// GeoIP database, MMDB; may be given several times, asked in order
    #[arg(long, required = true)]
    geoip: Vec<PathBuf>,
    /// The same as `--format json`
    #[arg(long, hide = true)]
    json: bool,
    #[command(flatten)]
    output: OutputArguments,
}

/// Prints the answers, each with the way to it.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let geoip = GeoIp::open(&Config::of_files(arguments.geoip.clone()))?;
    let is_json = arguments.json || arguments.output.is_json();
    let answer = |ip| {
        let explanation = geoip.explain(ip, Timestamp::now());
        if is_json { say(object(&explanation)) } else { print(&explanation) }
    };
    if let Some(ip) = arguments.ip {
        return answer(ip);
    }
    for (number, line) in (1..).zip(std::io::stdin().lock().lines()) {
        let line = line.context("standard input")?;
        let ip = line.trim().parse().with_context(|| format!("line {number}: {line:?} is no address"))?;
        answer(ip)?;
    }
    Ok(())
}

/// The explanation for programs.
fn object(explanation: &Explanation) -> Value {
    let Explanation { asked, wrapping, block, steps, agreement, findings } = explanation;
    let estimate = findings.estimate.as_ref().ok().map(|estimate| {
        json!({
            "position": estimate.position,
            "accuracy_m": estimate.accuracy_m,
            "granularity": estimate.granularity,
            "evidence": estimate.evidence,
        })
    });
    json!({
        "asked": asked,
        "ip": findings.ip,
        "wrapping": wrapping,
        "block": block,
        "estimate": estimate,
        "no_estimate": findings.estimate.as_ref().err(),
        "network": findings.network,
        "agreement": agreement,
        "steps": steps,
    })
}

/// The explanation for people.
fn print(explanation: &Explanation) -> anyhow::Result<()> {
    let findings = &explanation.findings;
    match explanation.wrapping {
        Some(wrapping) => say(format_args!("address    {}, {wrapping:?} in {}", findings.ip, explanation.asked))?,
        None => say(format_args!("address    {}", findings.ip))?,
    }
    if let Some(block) = &explanation.block {
        say(format_args!("block      {}, {} ({})", block.network, block.name, block.source))?;
    }
    match &findings.estimate {
        Err(reason) => say(format_args!("position   none: {reason:?}"))?,
        Ok(estimate) => {
            let evidence = &estimate.evidence;
            let country = evidence.country.map(String::from).unwrap_or_default();
            let accuracy = estimate.accuracy_m.map_or("unknown".to_owned(), |metres| format!("{metres} m"));
            say(format_args!("position   {}, {}", estimate.position.lat(), estimate.position.lng()))?;
            say(format_args!("accuracy   {accuracy}, {:?}", estimate.granularity))?;
            say(format_args!("place      {}, {}, {country}", evidence.city, evidence.region))?;
            say(format_args!("owed to    {}", evidence.attribution))?;
        }
    }
    let network = &findings.network;
    if let Some(asn) = network.asn {
        say(format_args!("network    AS{asn} {}, {}", network.isp, network.attribution))?;
    }
    if let Some(agreement) = explanation.agreement {
        say(format_args!("agreement  {agreement:?}"))?;
    }
    explanation.steps.iter().try_for_each(print_step)
}

fn print_step(step: &Step) -> anyhow::Result<()> {
    let said = match &step.said {
        Said::NotCovered => "holds no addresses of this family".to_owned(),
        Said::Refused => "is too old to be asked".to_owned(),
        Said::NotFound => "has no record".to_owned(),
        Said::Damaged => "has a record that cannot be read".to_owned(),
        Said::Record(stated) => told(stated, step),
    };
    say(format_args!("asked      {} of {}: {said}", step.database_type, step.build_time))
}

/// What a record states, as far as it does.
fn told(stated: &Stated, step: &Step) -> String {
    let names = [stated.city.as_str(), stated.region.as_str(), stated.isp.as_str()];
    let names: Vec<_> = names.into_iter().filter(|name| !name.is_empty()).collect();
    let distance = match stated.distance_m {
        Some(metres) if metres > 0.0 => format!(", {:.0} km off", metres / 1_000.0),
        _ => String::new(),
    };
    format!("{} {}{distance}; gave {:?}", stated.network, names.join(", "), step.gave)
}
