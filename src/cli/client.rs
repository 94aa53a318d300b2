//! The way from the command line to a server: address, credential, and an error that a person can read.

use std::error::Error as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

use crate::model::host::is_this_machine;

/// Attempts at a call that the server answers with "later".
const ATTEMPTS_MAX: u32 = 6;
/// First pause between two of them; each is twice the last.
const PAUSE: Duration = Duration::from_millis(100);
/// Longest pause that the server may ask for.
const PAUSE_MAX: Duration = Duration::from_mins(1);

/// Which server, and with which credential.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ServerArguments {
    /// Address of the server
    #[arg(long, env = "WAYMARK_SERVER", default_value = "http://127.0.0.1:8642")]
    pub(super) server: String,
    /// Certificate of the authority that signed the server's, PEM; without, those that the system trusts
    #[arg(long)]
    ca: Option<PathBuf>,
    /// Allows a plain connection to another machine, where others may read the token
    #[arg(long)]
    plaintext: bool,
    /// File that holds the token; the token itself comes by the environment alone, so that no list of processes shows it
    #[arg(long, env = "WAYMARK_TOKEN_FILE")]
    token_file: Option<PathBuf>,
}

impl ServerArguments {
    /// A connection, made when it is first used.
    pub(super) fn channel(&self) -> anyhow::Result<Channel> {
        let endpoint = Endpoint::from_shared(self.server.clone())
            .with_context(|| format!("{:?} is no address of a server, such as http://127.0.0.1:8642", self.server))?;
        let host = endpoint.uri().host().unwrap_or_default();
        let is_here = is_this_machine(host);
        match endpoint.uri().scheme_str() {
            Some("https") => Ok(endpoint.tls_config(self.tls()?)?.connect_lazy()),
            Some("http") if is_here || self.plaintext => Ok(endpoint.connect_lazy()),
            Some("http") => bail!("{host} is another machine: use https://, or --plaintext where nobody listens"),
            _ => bail!("a server's address begins with https:// or http://"),
        }
    }

    fn tls(&self) -> anyhow::Result<ClientTlsConfig> {
        let Some(path) = &self.ca else { return Ok(ClientTlsConfig::new().with_native_roots()) };
        let pem = std::fs::read(path).with_context(|| path.display().to_string())?;
        Ok(ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)))
    }

    /// The credential to send.
    pub(super) fn credential(&self) -> anyhow::Result<Credential> {
        let token = match (std::env::var("WAYMARK_TOKEN"), &self.token_file) {
            (Ok(token), _) => token,
            (Err(_), Some(path)) => std::fs::read_to_string(path).with_context(|| path.display().to_string())?,
            (Err(_), None) => bail!("a token is needed: --token-file FILE, or WAYMARK_TOKEN in the environment"),
        };
        Credential::new(token.trim())
    }
}

/// Sends a bearer token with each request.
#[derive(Debug, Clone)]
pub(super) struct Credential(MetadataValue<Ascii>);

impl Credential {
    /// The credential of a token.
    pub(super) fn new(token: &str) -> anyhow::Result<Self> {
        let mut value: MetadataValue<Ascii> = format!("Bearer {token}").parse().context("the token is malformed")?;
        value.set_sensitive(true);
        Ok(Self(value))
    }
}

impl Interceptor for Credential {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

/// A connection with a credential.
pub(super) type Connection = InterceptedService<Channel, Credential>;

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

/// A status as a person reads it: what happened, and the field at fault.
pub(super) fn explain(status: &Status) -> anyhow::Error {
    let violations = status.get_details_bad_request().map(|bad| bad.field_violations).unwrap_or_default();
    let fields: Vec<String> =
        violations.iter().map(|violation| format!("{}: {}", violation.field, violation.description)).collect();
    let text = if fields.is_empty() { status.message().to_owned() } else { fields.join("; ") };
    // One with a source was made on this side: the connection broke.
    let is_broken = status.source().is_some();
    Refusal { text, code: status.code(), is_later: is_later(status) || is_broken }.into()
}

/// Repeats a call while the server says "later": after the pause that it asks for, or growing ones.
pub(super) async fn patiently<T, F: Future<Output = Result<T, Status>>>(call: impl Fn() -> F) -> Result<T, Status> {
    let mut pause = PAUSE;
    for _ in 1..ATTEMPTS_MAX {
        match call().await {
            Err(status) if is_later(&status) => {
                let asked = status.get_details_retry_info().and_then(|info| info.retry_delay).unwrap_or_default();
                tokio::time::sleep(asked.max(pause).min(PAUSE_MAX)).await;
                pause *= 2;
            }
            settled => return settled,
        }
    }
    call().await
}

/// Whether the same call may fare better after a while.
fn is_later(status: &Status) -> bool {
    status.code() == Code::Unavailable || status.get_details_retry_info().is_some()
}
