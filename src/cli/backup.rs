//! `waymark backup` and `waymark restore`: copies of the embedded store, made while the server runs.

use std::path::PathBuf;

use super::say;
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
}

/// Copies the store.
pub(super) fn back_up(arguments: &BackupArguments) -> anyhow::Result<()> {
    let copied = backup::backup(&arguments.data_dir, &arguments.to)?;
    tell(&copied, arguments.revisions)?;
    say(format_args!("{}: read back, and on the disk", arguments.to.display()))?;
    if copied.has_key {
        say(
            "credentials.key is not in it: keep a copy of that elsewhere, or set the credentials of ticketing systems again",
        )?;
    }
    Ok(())
}

/// Puts a copy back.
pub(super) fn restore(arguments: &RestoreArguments) -> anyhow::Result<()> {
    let copied = backup::restore(&arguments.from, &arguments.data_dir)?;
    tell(&copied, arguments.revisions)?;
    say(format_args!("{}: read back, and on the disk", arguments.data_dir.display()))?;
    if !copied.has_key {
        say(
            "put the credentials.key of the copied server there before the first start: a new one opens no credentials",
        )?;
    }
    Ok(())
}

fn tell(copied: &Copied, with_revisions: bool) -> anyhow::Result<()> {
    let commits: u64 = copied.revisions.iter().map(|(_, revision)| revision).sum();
    let accounts = copied.revisions.iter().filter(|(account, _)| !account.is_empty()).count();
    say(format_args!("{} records of {accounts} accounts, {commits} commits", copied.records))?;
    if with_revisions {
        for (account, revision) in &copied.revisions {
            let name = if account.is_empty() { "operator".to_owned() } else { format!("accounts/{account}") };
            say(format_args!("{name}\t{revision}"))?;
        }
    }
    Ok(())
}
