//! The way from the command line to a server: which one, with which token, and an error that a person can read.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use tonic::{Code, Status};

use crate::client::{Config, ConfigError, Connection, Error, Token};
use crate::secret_file;

/// Attempts at a call that may be made again: some seconds where no server is there.
const ATTEMPTS_MAX: u32 = 6;
/// Time that a call may take on top of what the rules give it: who runs a command rather waits, as an import does for its turns.
const PATIENCE: Duration = Duration::from_mins(5);
/// The token, where no file holds it.
const TOKEN: &str = "WAYMARK_TOKEN";

/// Which server, and with which credential.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ServerArguments {
    /// Address of the server
    #[arg(long, env = "WAYMARK_SERVER", default_value = "http://127.0.0.1:8642")]
    pub(super) server: String,
    /// Certificate of the authority that signed the server's, PEM; without, those that the system trusts
    #[arg(long)]
    ca: Option<PathBuf>,
    /// Certificate to show to the server, where it asks for one, PEM
    #[arg(long, requires = "client_key")]
    client_cert: Option<PathBuf>,
    /// Its private key, PEM
    #[arg(long, requires = "client_cert")]
    client_key: Option<PathBuf>,
    /// Allows a plain connection to another machine, where others may read the token
    #[arg(long)]
    plaintext: bool,
    /// File that holds the token; the token itself comes by the environment alone, so that no list of processes shows it
    #[arg(long, env = "WAYMARK_TOKEN_FILE")]
    token_file: Option<PathBuf>,
}

impl ServerArguments {
    /// A connection with the token, made when it is first used.
    pub(super) fn connect(&self) -> anyhow::Result<Connection> {
        let mut config =
            Config::new(self.server.as_str()).allow_plain(self.plaintext).patience(PATIENCE).attempts_max(ATTEMPTS_MAX);
        if let Some(token) = self.token()? {
            config = config.token(token);
        }
        let read = |path: &Path| std::fs::read(path).with_context(|| path.display().to_string());
        if let Some(path) = &self.ca {
            config = config.authority(read(path)?);
        }
        if let (Some(certificate), Some(key)) = (&self.client_cert, &self.client_key) {
            secret_file::refuse_open(key).map_err(anyhow::Error::msg)?;
            config = config.certificate(read(certificate)?, read(key)?);
        }
        match config.connect() {
            Err(ConfigError::Plain(host)) => {
                bail!("{host} is another machine: use https://, or --plaintext where nobody listens")
            }
            Err(ConfigError::NotShown) => {
                bail!("--client-cert is shown over TLS alone: name the server as --server https://…, or leave it out")
            }
            connection => Ok(connection?),
        }
    }

    /// The token; a certificate may stand for it.
    fn token(&self) -> anyhow::Result<Option<Token>> {
        match (std::env::var(TOKEN), &self.token_file) {
            (Ok(token), _) => Ok(Some(Token::new(&token)?)),
            (Err(_), Some(path)) => Ok(Some(Token::from_file(path)?)),
            (Err(_), None) if self.client_cert.is_some() => Ok(None),
            (Err(_), None) => bail!("a token is needed: --token-file FILE, or WAYMARK_TOKEN in the environment"),
        }
    }
}

/// What a server answered instead of what it was asked for.
#[derive(Debug, thiserror::Error)]
#[error("{text} ({code:?})")]
pub(super) struct Refusal {
    text: String,
    code: Code,
    is_later: bool,
}

impl Refusal {
    /// Whether the same call may fare better after a while.
    pub(super) fn is_later(&self) -> bool {
        self.is_later
    }
}

impl From<Error> for Refusal {
    /// As a person reads it: what happened, or the fields at fault.
    fn from(error: Error) -> Self {
        let fields: Vec<String> = error
            .violations()
            .iter()
            .map(|violation| format!("{}: {}", violation.field, violation.description))
            .collect();
        let text = if fields.is_empty() { error.message().to_owned() } else { fields.join("; ") };
        Self { text, code: error.code(), is_later: error.is_later() }
    }
}

/// A status as a person reads it.
pub(super) fn explain(status: &Status) -> anyhow::Error {
    Refusal::from(Error::from(status)).into()
}
