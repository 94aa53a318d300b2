//! How commands print what they found: lines for people, or JSON objects for programs. `docs/cli.md` says which object each
//! command prints.

use std::fmt::Display;

use anyhow::Context as _;
use prost::Message;
use serde::Serialize;

use super::say;
use crate::api::json;

/// For whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum Reader {
    /// Lines for people
    #[default]
    Table,
    /// JSON objects, one a line
    Json,
}

/// How a command prints.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct OutputArguments {
    /// How the answer is printed: lines for people, or JSON objects, one a line
    #[arg(long, value_enum, default_value_t)]
    format: Reader,
}

/// The same for commands whose `--format` says what a file is.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct SummaryArguments {
    /// How the last lines are printed: for people, or as a JSON object
    #[arg(long, value_enum, default_value_t)]
    summary: Reader,
}

impl From<SummaryArguments> for OutputArguments {
    fn from(summary: SummaryArguments) -> Self {
        Self { format: summary.summary }
    }
}

impl OutputArguments {
    /// Whether programs read it.
    pub(super) fn is_json(self) -> bool {
        self.format == Reader::Json
    }

    /// Prints one thing: a line for people, or its object.
    pub(super) fn tell(self, line: impl Display, object: impl Serialize) -> anyhow::Result<()> {
        if self.is_json() { self.object(object) } else { say(line) }
    }

    /// Prints a message of the API of this name: a line for people, or the message as JSON.
    pub(super) fn tell_message(self, line: impl Display, name: &str, message: &impl Message) -> anyhow::Result<()> {
        if self.is_json() { say(json::of_message(name, message)?) } else { say(line) }
    }

    /// Prints a line for people alone.
    pub(super) fn remark(self, line: impl Display) -> anyhow::Result<()> {
        if self.is_json() { Ok(()) } else { say(line) }
    }

    /// Prints an object for programs alone.
    pub(super) fn object(self, object: impl Serialize) -> anyhow::Result<()> {
        if !self.is_json() {
            return Ok(());
        }
        say(serde_json::to_string(&object).context("the answer is no JSON")?)
    }
}
