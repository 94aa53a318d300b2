//! Logs: where they go and in which form. Everything goes to standard error; standard output is for answers.

use serde::Deserialize;
use tracing_subscriber::EnvFilter;

/// The form of a log line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// How logs are written.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The form of a line.
    pub format: Format,
    /// Which lines, in the language of `tracing_subscriber::EnvFilter`; empty for `info`.
    pub filter: String,
}

/// The filter does not parse.
#[derive(Debug, thiserror::Error)]
#[error("log.filter: {0}")]
pub struct FilterInvalid(#[from] tracing_subscriber::filter::ParseError);

/// Starts logging. A second call changes nothing.
pub fn start(config: &Config) -> Result<(), FilterInvalid> {
    let filter = if config.filter.is_empty() { "info" } else { &config.filter };
    let lines = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(EnvFilter::try_new(filter)?);
    // Only a test process starts twice.
    let _ = match config.format {
        Format::Text => lines.with_ansi(false).try_init(),
        Format::Json => lines.json().try_init(),
    };
    Ok(())
}
