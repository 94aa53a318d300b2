//! `waymark import`: sites from a sheet, through the public API. What is ambiguous is put before a person.
//!
//! A row is a site, known by its name: made where there is none, changed where there is one. Each row's outcome goes into
//! a journal beside the sheet at once, so an import that was interrupted goes on where it stopped.

mod journal;
mod review;
mod sheet;
mod upsert;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use futures_util::{StreamExt as _, stream};

use self::journal::{Done, Journal, Outcome};
use self::sheet::{Row, Sheet};
use self::upsert::{Importer, Refusal};
use super::client::{ServerArguments, progress_bar};
use super::say;
use crate::api::proto::waymark::v1::location_service_client::LocationServiceClient;

/// Rows at once: enough to share the store's syncs, few enough to leave the server to others.
const ROWS_MAX: usize = 16;

/// What `import sites --help` says.
const SITES: &str = "Makes and changes sites from a CSV file.

The first line names the columns: name (needed), status, email, first_name, last_name, phone, customer_id, contract_id, \
note, label.KEY, address (on one line) or street, postal_code, locality, region, country; lat and lng drop a pin, and \
an address beside them is kept without moving it. An empty cell leaves what is there.";

/// What to import.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Makes and changes sites from a CSV file
    #[command(long_about = SITES)]
    Sites(Sites),
    /// Applies what a person marked in the column `choice` of a review sheet
    Choices(Choices),
}

#[derive(Debug, clap::Args)]
struct Sites {
    /// The sheet: CSV in UTF-8 with a heading; comma, semicolon or tab
    file: PathBuf,
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
    let sheet = Sheet::open(file)?;
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
    review::write_report(&report, journal.rows())?;
    let undecided = review::write_review(&review, journal.rows())?;
    let counts = Counts::of(journal.rows());
    say(&counts)?;
    if undecided > 0 {
        say(format_args!("{undecided} addresses are ambiguous: mark a choice for each in {}", review.display()))?;
    }
    stopped.with_context(|| format!("stopped after {} of {} rows; run it again to go on", counts.rows, sheet.rows))?;
    if counts.failed > 0 {
        bail!("{} rows failed, see {}; run it again to try them again", counts.failed, report.display());
    }
    journal.finish()
}

/// Does the rows that are not done, many at once; stops where no row can be done.
async fn each_row(sheet: &Sheet, journal: &mut Journal, importer: &Importer) -> anyhow::Result<()> {
    let bar = progress_bar(usize::try_from(sheet.rows).unwrap_or(usize::MAX), "rows");
    let already: Vec<u64> = journal.rows().map(|row| row.line).filter(|line| journal.has(*line)).collect();
    bar.inc(already.len() as u64);
    let rows = sheet.rows()?.filter(|(line, _)| already.binary_search(line).is_err());
    let mut done = stream::iter(rows)
        .map(|(line, row)| async move {
            let name = row.as_ref().map(|row| row.site.display_name.clone()).unwrap_or_default();
            match one_row(importer, line, row).await {
                Err(Refusal::Row(message)) => Ok(failed(line, name, message)),
                Err(Refusal::All(cause)) => Err(cause),
                Ok(done) => Ok(done),
            }
        })
        .buffer_unordered(ROWS_MAX);
    while let Some(row) = done.next().await {
        journal.put(row?)?;
        bar.inc(1);
    }
    bar.finish();
    Ok(())
}

async fn one_row(importer: &Importer, line: u64, row: Result<Row, String>) -> Result<Done, Refusal> {
    let row = row.map_err(Refusal::Row)?;
    Box::pin(importer.run(line, &row)).await
}

fn failed(line: u64, name: String, message: String) -> Done {
    Done { message, ..Done::new(line, name, Outcome::Failed) }
}

/// How many rows became what.
#[derive(Debug, Default)]
struct Counts {
    rows: usize,
    created: usize,
    updated: usize,
    unchanged: usize,
    failed: usize,
    waiting: usize,
    not_found: usize,
}

impl Counts {
    fn of<'a>(rows: impl Iterator<Item = &'a Done>) -> Self {
        let mut counts = Self::default();
        for row in rows {
            counts.rows += 1;
            let of_outcome = match row.outcome {
                Outcome::Created => &mut counts.created,
                Outcome::Updated => &mut counts.updated,
                Outcome::Unchanged => &mut counts.unchanged,
                Outcome::Failed => &mut counts.failed,
            };
            *of_outcome += 1;
            counts.waiting += usize::from(row.address_state == "pending");
            counts.not_found += usize::from(row.address_state == "not_found");
        }
        counts
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
    let credential = arguments.server.credential()?;
    let locations = LocationServiceClient::with_interceptor(arguments.server.channel()?, credential);
    let mut refused = 0;
    for offer in &chosen {
        if let Err(cause) = review::apply(&locations, &parent, offer).await {
            refused += 1;
            say(format_args!("{}: {cause:#}", offer.label()))?;
        }
    }
    say(format_args!("{} of {} choices applied", chosen.len() - refused, chosen.len()))?;
    if refused > 0 {
        bail!("{refused} choices were not applied");
    }
    Ok(())
}

/// A file of the same name with more behind it.
fn beside(file: &Path, what: &str) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{what}"));
    file.with_file_name(name)
}
