//! `waymark version` and `waymark --version`: of what this program was built.

use super::output::OutputArguments;
use super::say;
use crate::telemetry::build_info::BUILD;

/// How much to tell.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    output: OutputArguments,
}

/// Tells all.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if arguments.output.is_json() { arguments.output.object(BUILD) } else { print(true) }
}

/// Tells the version, and perhaps the rest.
pub(super) fn print(is_verbose: bool) -> anyhow::Result<()> {
    say(format_args!("waymark {}", BUILD.version))?;
    if !is_verbose {
        return Ok(());
    }
    let features = if BUILD.features.is_empty() { "none" } else { BUILD.features };
    for (what, value) in [
        ("commit", BUILD.commit),
        ("rustc", BUILD.rustc),
        ("target", BUILD.target),
        ("profile", BUILD.profile),
        ("features", features),
    ] {
        say(format_args!("{what:10}{value}"))?;
    }
    Ok(())
}
