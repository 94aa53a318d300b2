//! `waymark check-store`: which records of a store are damaged.

use std::path::PathBuf;

use anyhow::bail;
use serde_json::json;

use super::output::OutputArguments;
use crate::app::check_store::check;
use crate::config::Config;

/// Whose store.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Configuration file of the servers, TOML; with `[redis]` in it they may run meanwhile
    #[arg(env = "WAYMARK_CONFIG")]
    file: PathBuf,
    #[command(flatten)]
    output: OutputArguments,
}

/// Looks at all records, names each that is damaged, and fails where there is one.
pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let checked = check(&Config::read(&arguments.file)?).await?;
    for damage in &checked.damaged {
        let (partition, id, cause) = (&damage.partition, &damage.id, &damage.cause);
        let line = format!("{partition}\t{}\t{id}\t{cause}", damage.kind.as_deref().unwrap_or("-"));
        let object = json!({ "partition": partition, "kind": damage.kind, "id": id, "cause": cause });
        arguments.output.tell(line, object)?;
    }
    let (records, damaged) = (checked.records, checked.damaged.len());
    if damaged > 0 {
        bail!(
            "{damaged} damaged among {records} records: restore what is damaged from a backup, or see docs/replicas.md"
        );
    }
    arguments.output.remark(format_args!("{records} records are what was written"))
}
