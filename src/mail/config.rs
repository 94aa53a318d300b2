//! What an operator configures of mail: the server, how it is trusted, who sends, and where links lead.

use std::fs;
use std::path::{Path, PathBuf};

use lettre::message::Mailbox;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::Error;
use crate::model::host::is_this_machine;
use crate::model::public_url::PublicUrl;
use crate::secret_file;

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "MailTls")]
pub enum Tls {
    /// Plain at first, TLS before anything is said. A server that cannot is not used.
    Starttls,
    /// TLS from the first byte.
    Tls,
    /// Plain; to a server on this machine alone.
    None,
}

/// The `[mail]` table.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Mail")]
pub struct Config {
    /// Host name or address of the mail server.
    pub host: String,
    /// Its port; by default 587 with `starttls`, 465 with `tls`, 25 with `none`.
    pub port: Option<u16>,
    /// How the connection is protected.
    #[serde(default = "starttls")]
    pub tls: Tls,
    /// Certificates that are trusted beside the system's, PEM.
    pub ca_file: Option<PathBuf>,
    /// User name, where the server wants one.
    pub user: Option<String>,
    /// File of the password, which only its owner reads.
    pub password_file: Option<PathBuf>,
    /// Who sends: `Name <address>` or an address.
    pub from: String,
    /// The address at which residents reach this server, `https://waymark.example.com`. Links begin with it.
    pub public_url: String,
}

fn starttls() -> Tls {
    Tls::Starttls
}

/// The settings, checked.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) port: u16,
    pub(super) from: Mailbox,
    pub(super) public_url: PublicUrl,
    pub(super) login: Option<(String, SecretString)>,
    pub(super) authorities: Option<Vec<u8>>,
}

impl Config {
    pub(super) fn check(&self) -> Result<Checked, Error> {
        let from = self.from.parse::<Mailbox>();
        let from = from.map_err(|_| setting("from", "a sender is written `Name <name@domain>` or `name@domain`"))?;
        if self.tls == Tls::None && !is_this_machine(&self.host) {
            return Err(setting("tls", "`none` is for a mail server on this machine alone: use starttls or tls"));
        }
        let login = match (&self.user, &self.password_file) {
            (Some(user), Some(path)) => {
                let password = secret_file::read(path).map_err(|why| setting("password_file", &why))?;
                Some((user.clone(), password))
            }
            (None, None) => None,
            _ => return Err(setting("user", "user and password_file go together")),
        };
        let authorities = self.ca_file.as_deref().map(|path| read("ca_file", path)).transpose()?;
        let port = self.port.unwrap_or(match self.tls {
            Tls::Starttls => 587,
            Tls::Tls => 465,
            Tls::None => 25,
        });
        Ok(Checked { port, from, public_url: public_url(&self.public_url)?, login, authorities })
    }
}

/// The address in links. Plain HTTP only to this machine: who reads the link on its way has the access.
fn public_url(text: &str) -> Result<PublicUrl, Error> {
    let url: PublicUrl = text.parse().map_err(|why| setting("public_url", why))?;
    if !url.is_private() {
        return Err(setting("public_url", "http:// is for this machine alone: use https://"));
    }
    Ok(url)
}

fn read(setting: &'static str, path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|cause| Error::File { setting, path: path.to_owned(), why: cause.to_string() })
}

fn setting(setting: &'static str, why: &str) -> Error {
    Error::Setting { setting, why: why.to_owned() }
}
