//! `waymark import`: sites from a sheet, through the public API. What is ambiguous is put before a person.
//!
//! A row is a site: made where there is none, changed where there is one. What became of rows goes into a journal beside the
//! sheet at once, so an import that was interrupted goes on where it stopped.

mod apply;
mod csv_rows;
mod feature_rows;
mod journal;
mod lines;
mod review;
mod row;
mod sheet;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use futures_util::{StreamExt as _, stream};
use serde::Serialize;
use serde_json::json;

use self::apply::{Batches, Importer};
use self::journal::{Done, Journal, Outcome};
use self::row::Match;
use self::sheet::{Numbered, Sheet};
use super::client::ServerArguments;
use super::output::{OutputArguments, SummaryArguments};
use super::progress::Progress;
use super::sheet::Format;
use crate::api::proto::waymark::v1::location_service_client::LocationServiceClient;

/// Calls at once: enough to keep the server busy, few enough to leave it to others.
const BATCHES_AT_ONCE: usize = 4;

/// What `import sites --help` says.
const SITES: &str = "Makes and changes sites from a CSV or GeoJSON file.

The first line of a CSV file names the columns: name, status, email, first_name, last_name, phones, customer_id, \
contract_id, note, labels, ticketing_links, address (on one line) or street, postal_code, locality, region, country; lat \
and lng drop a pin, and an address beside them is kept without moving it. phone and label.KEY add to what is there. A \
feature has the same as properties, and a Point for a pin. An empty cell, or a property that is missing, leaves what is \
there; <clear>, or null, takes it away. What begins with info. is not read.

A row is applied whole or not at all.";

/// What to import.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Makes and changes sites from a CSV or GeoJSON file
    #[command(long_about = SITES)]
    Sites(Sites),
    /// Applies what a person marked in the column `choice` of a review sheet
    Choices(Choices),
}

#[derive(Debug, clap::Args)]
struct Sites {
    /// The sheet: CSV in UTF-8 with a heading and comma, semicolon or tab, or GeoJSON
    file: PathBuf,
    /// What the file is, where its name does not say it
    #[arg(long)]
    format: Option<Format>,
    /// By what a row's site is found
    #[arg(long = "match", value_enum, default_value_t)]
    by: Match,
    /// The account that gets the sites
    #[arg(long)]
    account: String,
    /// Says what would become of each row, and changes nothing
    #[arg(long)]
    dry_run: bool,
    /// Gets what became of each row, as CSV [default: FILE.report.csv; FILE.dry.report.csv of a dry run]
    #[arg(long)]
    report: Option<PathBuf>,
    /// Gets the places that ambiguous addresses may mean, as CSV [default: FILE.review.csv; FILE.dry.review.csv]
    #[arg(long)]
    review: Option<PathBuf>,
    /// Keeps how far the import has come [default: FILE.journal]
    #[arg(long, conflicts_with = "dry_run")]
    journal: Option<PathBuf>,
    #[command(flatten)]
    summary: SummaryArguments,
    #[command(flatten)]
    server: ServerArguments,
}

#[derive(Debug, clap::Args)]
struct Choices {
    /// The review sheet
    file: PathBuf,
    /// The account that the sites are of
    #[arg(long)]
    account: String,
    #[command(flatten)]
    output: OutputArguments,
    #[command(flatten)]
    server: ServerArguments,
}

/// Does it.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command {
        Command::Sites(arguments) => sites(&arguments).await,
        Command::Choices(arguments) => choices(&arguments).await,
    }
}

async fn sites(arguments: &Sites) -> anyhow::Result<()> {
    let file = &arguments.file;
    let parent = format!("accounts/{}", arguments.account);
    let format = arguments.format.unwrap_or_else(|| Format::of(file));
    let sheet = Sheet::open(file, format, arguments.by, &parent)?;
    // What a dry run writes is beside what a real one does, so that it changes nothing of that.
    let named = |what: &str| beside(file, &if arguments.dry_run { format!("dry.{what}") } else { what.to_owned() });
    let report = arguments.report.clone().unwrap_or_else(|| named("report.csv"));
    let review = arguments.review.clone().unwrap_or_else(|| named("review.csv"));
    review::refuse_marked(&review)?;
    let kept = arguments.journal.clone().unwrap_or_else(|| named("journal"));
    if arguments.dry_run && kept.exists() {
        // One that was interrupted begins anew: nothing is lost with it.
        std::fs::remove_file(&kept).with_context(|| kept.display().to_string())?;
    }
    let mut journal = Journal::open(&kept, &sheet.digest, &parent)?;
    let importer = Importer::new(&arguments.server, &parent, journal.import(), arguments.dry_run)?;
    let stopped = each_row(&sheet, &mut journal, &importer).await;
    review::write_report(&report, &journal)?;
    let undecided = review::write_review(&review, &journal)?;
    let counts = Counts::of(&journal)?;
    let output = OutputArguments::from(arguments.summary);
    output.tell(&counts, json!({ "counts": counts, "ambiguous": undecided, "report": report, "review": review }))?;
    if undecided > 0 {
        let review = review.display();
        output.remark(format_args!("{undecided} addresses are ambiguous: mark a choice for each in {review}"))?;
    }
    stopped.with_context(|| format!("stopped after {} of {} rows; run it again to go on", counts.rows, sheet.rows))?;
    if counts.failed > 0 {
        bail!("{} rows failed, see {}; run it again to try them again", counts.failed, report.display());
    }
    // With the journal would go what tells which rows are still to be done.
    ensure!(counts.rows == sheet.rows, "{} of {} rows are done; run it again to go on", counts.rows, sheet.rows);
    journal.finish()
}

/// Does the rows that are not done, many at once; stops where no row can be done.
async fn each_row(sheet: &Sheet, journal: &mut Journal, importer: &Importer) -> anyhow::Result<()> {
    let already: Vec<u64> = journal.numbers().collect();
    let mut progress = Progress::of(sheet.rows, "rows");
    progress.add(already.len() as u64);
    let is_open =
        |row: &anyhow::Result<Numbered>| row.as_ref().map_or(true, |(at, _)| already.binary_search(&at.row).is_err());
    let batches = stream::iter(Batches::of(sheet.rows()?.filter(is_open)));
    let mut done = batches.map(|rows| async move { importer.run(rows?).await }).buffer_unordered(BATCHES_AT_ONCE);
    while let Some(rows) = done.next().await {
        let rows = rows?;
        journal.put(&rows)?;
        progress.add(rows.len() as u64);
    }
    progress.finish();
    Ok(())
}

/// How many rows became what.
#[derive(Debug, Default, Serialize)]
struct Counts {
    rows: u64,
    created: u64,
    updated: u64,
    unchanged: u64,
    failed: u64,
    waiting: u64,
    not_found: u64,
}

impl Counts {
    fn of(journal: &Journal) -> anyhow::Result<Self> {
        let mut counts = Self::default();
        for row in journal.rows()? {
            let Done { outcome, address_state, .. } = row?;
            counts.rows += 1;
            let of_outcome = match outcome {
                Outcome::Created => &mut counts.created,
                Outcome::Updated => &mut counts.updated,
                Outcome::Unchanged => &mut counts.unchanged,
                Outcome::Failed => &mut counts.failed,
            };
            *of_outcome += 1;
            counts.waiting += u64::from(address_state == "pending");
            counts.not_found += u64::from(address_state == "not_found");
        }
        Ok(counts)
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { rows, created, updated, unchanged, failed, waiting, not_found } = self;
        write!(f, "{rows} rows: {created} created, {updated} updated, {unchanged} as they were, {failed} failed")?;
        if *not_found > 0 {
            write!(f, "; {not_found} addresses were not found")?;
        }
        if *waiting > 0 {
            write!(f, "; {waiting} addresses wait for the geocoder")?;
        }
        Ok(())
    }
}

async fn choices(arguments: &Choices) -> anyhow::Result<()> {
    let chosen = review::read_choices(&arguments.file)?;
    let parent = format!("accounts/{}", arguments.account);
    let mut locations = LocationServiceClient::new(arguments.server.connect()?);
    let mut refused = Vec::new();
    for offer in &chosen {
        if let Err(cause) = review::apply(&mut locations, &parent, offer).await {
            arguments.output.remark(format_args!("{}: {cause:#}", offer.label()))?;
            refused.push(json!({ "choice": offer.label(), "cause": format!("{cause:#}") }));
        }
    }
    let (applied, all) = (chosen.len() - refused.len(), chosen.len());
    let line = format!("{applied} of {all} choices applied");
    arguments.output.tell(line, json!({ "choices": all, "applied": applied, "refused": refused }))?;
    if applied < all {
        bail!("{} choices were not applied", all - applied);
    }
    Ok(())
}

/// A file of the same name with more behind it.
fn beside(file: &Path, what: &str) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{what}"));
    file.with_file_name(name)
}
