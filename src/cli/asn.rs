//! `waymark asn`: makes a `GeoIP` database of autonomous systems from lists of address ranges.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::output::OutputArguments;
use crate::geoip::asn_build;

/// What to do with autonomous systems.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Builds the database from lists
    Build(Build),
}

/// The lists, and where the database goes.
#[derive(Debug, clap::Args)]
struct Build {
    /// List of `first,last,number,organization` lines, such as `asn-ipv4.csv`; may be given several times
    #[arg(long, required = true)]
    ranges: Vec<PathBuf>,
    /// Date of the lists, such as 2026-06-17: the age of the database counts from it
    #[arg(long)]
    built: Date,
    /// File that gets the database
    #[arg(long)]
    out: PathBuf,
    #[command(flatten)]
    output: OutputArguments,
}

/// Builds, writes beside the place, and renames into it.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let Command::Build(Build { ranges, built, out, output }) = &arguments.command;
    let made = asn_build::build(ranges, built.to_zoned(TimeZone::UTC)?.timestamp())?;
    let beside = out.with_extension("part");
    let failed = || format!("{} cannot be written", out.display());
    fs::write(&beside, &made.bytes).with_context(failed)?;
    fs::rename(&beside, out).with_context(failed)?;
    let line = format!("{} ranges, {} bytes in {}", made.ranges, made.bytes.len(), out.display());
    output.tell(line, serde_json::json!({ "ranges": made.ranges, "bytes": made.bytes.len(), "file": out }))
}
