//! `waymark backup` and `waymark restore`: copies of the embedded store, made while the server runs.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::output::OutputArguments;
use crate::app::backup::{self, Copied};

/// What to copy, and to where.
#[derive(Debug, clap::Args)]
pub(super) struct BackupArguments {
    /// Directory of the store; a server may run on it
    #[arg(long, env = "WAYMARK_DATA_DIR")]
    data_dir: PathBuf,
    /// The new file, mode 0600
    #[arg(long)]
    to: PathBuf,
    /// Prints the last revision of each account, too
    #[arg(long)]
    revisions: bool,
    #[command(flatten)]
    output: OutputArguments,
}

/// What to put back, and where.
#[derive(Debug, clap::Args)]
pub(super) struct RestoreArguments {
    /// The copy
    #[arg(long)]
    from: PathBuf,
    /// Directory for the store; without one so far, and without a server
    #[arg(long, env = "WAYMARK_DATA_DIR")]
    data_dir: PathBuf,
    /// Prints the last revision of each account, too
    #[arg(long)]
    revisions: bool,
    #[command(flatten)]
    output: OutputArguments,
}

/// Copies the store.
pub(super) fn back_up(arguments: &BackupArguments) -> anyhow::Result<()> {
    let copied = backup::backup(&arguments.data_dir, &arguments.to)?;
    let output = arguments.output;
    output.object(object(&copied, &arguments.to, arguments.revisions))?;
    tell(&copied, arguments.revisions, output)?;
    output.remark(format_args!("{}: read back, and on the disk", arguments.to.display()))?;
    if copied.has_key {
        output.remark(
            "credentials.key is not in it: keep a copy of that elsewhere, or set the credentials of ticketing systems again",
        )?;
    }
    Ok(())
}

/// Puts a copy back.
pub(super) fn restore(arguments: &RestoreArguments) -> anyhow::Result<()> {
    let copied = backup::restore(&arguments.from, &arguments.data_dir)?;
    let output = arguments.output;
    output.object(object(&copied, &arguments.data_dir, arguments.revisions))?;
    tell(&copied, arguments.revisions, output)?;
    output.remark(format_args!("{}: read back, and on the disk", arguments.data_dir.display()))?;
    if !copied.has_key {
        output.remark(
            "put the credentials.key of the copied server there before the first start: a new one opens no credentials",
        )?;
    }
    Ok(())
}

/// What was copied, for programs.
fn object(copied: &Copied, to: &Path, with_revisions: bool) -> Value {
    let revisions = copied.revisions.iter().map(|(account, revision)| (name_of(account), json!(revision)));
    json!({
        "to": to,
        "records": copied.records,
        "accounts": accounts(copied),
        "commits": commits(copied),
        "revisions": with_revisions.then(|| revisions.collect::<Map<_, _>>()),
        "credentials_key": copied.has_key,
    })
}

/// What was copied, for people.
fn tell(copied: &Copied, with_revisions: bool, output: OutputArguments) -> anyhow::Result<()> {
    let (records, accounts, commits) = (copied.records, accounts(copied), commits(copied));
    output.remark(format_args!("{records} records of {accounts} accounts, {commits} commits"))?;
    if with_revisions {
        for (account, revision) in &copied.revisions {
            output.remark(format_args!("{}\t{revision}", name_of(account)))?;
        }
    }
    Ok(())
}

fn accounts(copied: &Copied) -> usize {
    copied.revisions.iter().filter(|(account, _)| !account.is_empty()).count()
}

fn commits(copied: &Copied) -> u64 {
    copied.revisions.iter().map(|(_, revision)| revision).sum()
}

fn name_of(account: &str) -> String {
    if account.is_empty() { "operator".to_owned() } else { format!("accounts/{account}") }
}
