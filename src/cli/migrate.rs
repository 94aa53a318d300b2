//! `waymark migrate`: all data from the embedded store into a Redis, or back, read again and compared.

use std::path::PathBuf;

use serde_json::json;

use super::output::OutputArguments;
use super::progress::Progress;
use crate::app::migrate::migrate;
use crate::config::Config;

/// From where, and whereto.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Configuration file of the servers that hold the data now, TOML; all of them are stopped
    #[arg(long)]
    from: PathBuf,
    /// Configuration file of those that are to hold it; one of the two files has `[redis]`
    #[arg(long)]
    to: PathBuf,
    #[command(flatten)]
    output: OutputArguments,
}

/// Does it.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let (from, to) = (Config::read(&arguments.from)?, Config::read(&arguments.to)?);
    let mut shown: Option<(Progress, &str, u64)> = None;
    let moved = migrate(&from, &to, &mut |step| {
        if shown.as_ref().is_none_or(|(_, what, _)| *what != step.what)
            && let Some((progress, ..)) = shown.replace((Progress::of(step.total, step.what), step.what, 0))
        {
            progress.finish();
        }
        if let Some((progress, _, done)) = &mut shown {
            progress.add(step.done - *done);
            *done = step.done;
        }
    })
    .await?;
    if let Some((progress, ..)) = shown {
        progress.finish();
    }
    for partition in &moved {
        let digest = partition.digest.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        let (name, records, revision) = (partition.name(), partition.records, partition.revision.0);
        let line = format!("{name}\t{records} records\trevision {revision}\tsha256 {digest}");
        let object = json!({ "partition": name, "records": records, "revision": revision, "sha256": digest });
        arguments.output.tell(line, object)?;
    }
    let records: u64 = moved.iter().map(|partition| partition.records).sum();
    let to = arguments.to.display();
    arguments.output.remark(format_args!("{records} records are migrated and verified; start the servers with {to}"))
}
