//! `waymark check-config` and `waymark config-schema`: whether a server would start with a file, without a start.

use std::path::{Path, PathBuf};

use anyhow::bail;
use serde_json::json;

use super::output::OutputArguments;
use super::say;
use crate::app::verdict::{Finding, Level, findings};
use crate::config::Config;
use crate::config::schema::schema;

/// What to check.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Configuration file, TOML
    #[arg(env = "WAYMARK_CONFIG", required_unless_present = "schema")]
    file: Option<PathBuf>,
    /// Prints the JSON schema of configuration files, and checks none
    #[arg(long)]
    schema: bool,
    #[command(flatten)]
    output: OutputArguments,
}

/// Checks the file, tells what is amiss, and fails where a server would not start.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let Some(path) = arguments.file.as_deref().filter(|_| !arguments.schema) else { return print_schema() };
    let found = match Config::read(path) {
        Ok(config) => findings(&config),
        Err(cause) => vec![Finding { level: Level::Error, part: "config", message: cause.to_string() }],
    };
    tell(path, &found, arguments.output)
}

/// Prints the schema.
pub(super) fn print_schema() -> anyhow::Result<()> {
    say(serde_json::to_string_pretty(&schema())?)
}

fn tell(path: &Path, found: &[Finding], output: OutputArguments) -> anyhow::Result<()> {
    let of = |level| found.iter().filter(|finding| finding.level == level).count();
    let (errors, warnings) = (of(Level::Error), of(Level::Warning));
    output.object(json!({ "file": path, "ok": errors == 0, "findings": found }))?;
    for finding in found {
        let level = if finding.level == Level::Error { "error" } else { "warning" };
        output.remark(format_args!("{level}\t{}\t{}", finding.part, finding.message))?;
    }
    let path = path.display();
    if errors > 0 {
        bail!("{path} is refused: {}", counted(errors, "error"));
    }
    match warnings {
        0 => output.remark(format_args!("{path} is in order")),
        _ => output.remark(format_args!("{path} is in order, with {}", counted(warnings, "warning"))),
    }
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
