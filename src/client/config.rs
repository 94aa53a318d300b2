//! Which server, with which token, and how patiently: all that a connection is made of.

use std::path::{Path, PathBuf};
use std::time::Duration;

use http::HeaderValue;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

use super::connection::Connection;
use crate::model::host::is_this_machine;

/// A server that does not take a connection within this time is not there.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);
/// A connection is asked this often whether it stands, and given up when it does not answer for so long.
const PING_EVERY: Duration = Duration::from_secs(20);
const PONG_TIME_MAX: Duration = Duration::from_secs(10);
/// The token of a program, and the file that holds it.
const TOKEN: &str = "WAYMARK_TOKEN";
const TOKEN_FILE: &str = "WAYMARK_TOKEN_FILE";

/// What is wrong with the settings of a connection. None of it holds a token.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The address of the server.
    #[error("{0:?} is no address of a server, such as http://127.0.0.1:8642")]
    Address(String),
    /// Its scheme.
    #[error("a server's address begins with https:// or http://, got {0:?}")]
    Scheme(String),
    /// A plain connection to another machine.
    #[error("{0} is another machine: use https://, or allow a plain connection where nobody listens")]
    Plain(String),
    /// A certificate, and a plain connection, which shows none.
    #[error("a certificate is shown over TLS alone: use https://, or leave the certificate out")]
    NotShown,
    /// What stands for a token.
    #[error("the token is malformed")]
    Token,
    /// Nothing stands for a token.
    #[error("a token is needed: WAYMARK_TOKEN in the environment, or WAYMARK_TOKEN_FILE for the file that holds it")]
    NoToken,
    /// A file that cannot be read.
    #[error("{}: {cause}", .file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// What stands for a revision.
    #[error("a revision is accounts/ACCOUNT=NUMBER or operator=NUMBER, got {0:?}")]
    Revision(String),
    /// Certificates.
    #[error("TLS cannot be set up")]
    Tls(#[from] tonic::transport::Error),
}

/// A bearer token. Shown nowhere.
#[derive(Debug, Clone)]
pub struct Token(HeaderValue);

impl Token {
    /// The token with this secret, `wmk_…`; blanks around it count for nothing.
    pub fn new(secret: &str) -> Result<Self, ConfigError> {
        let secret = secret.trim();
        let is_text = !secret.is_empty() && secret.bytes().all(|byte| byte.is_ascii_graphic());
        let value = HeaderValue::try_from(format!("Bearer {secret}"));
        let mut value = value.ok().filter(|_| is_text).ok_or(ConfigError::Token)?;
        value.set_sensitive(true);
        Ok(Self(value))
    }

    /// The token in a file.
    pub fn from_file(file: &Path) -> Result<Self, ConfigError> {
        let read = std::fs::read_to_string(file);
        Self::new(&read.map_err(|cause| ConfigError::File { file: file.to_owned(), cause })?)
    }

    /// The token in `WAYMARK_TOKEN`, or in the file that `WAYMARK_TOKEN_FILE` names.
    pub fn from_env() -> Result<Self, ConfigError> {
        match (std::env::var(TOKEN), std::env::var_os(TOKEN_FILE)) {
            (Ok(secret), _) => Self::new(&secret),
            (Err(_), Some(file)) => Self::from_file(Path::new(&file)),
            (Err(_), None) => Err(ConfigError::NoToken),
        }
    }

    /// The value of the header `authorization`.
    pub(super) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

/// A certificate with its key, which nothing prints.
#[derive(Clone)]
struct Shown {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shown")
    }
}

/// How to reach a server.
#[derive(Debug, Clone)]
pub struct Config {
    server: String,
    token: Option<Token>,
    authority: Option<Vec<u8>>,
    shown: Option<Shown>,
    is_plain_allowed: bool,
    pub(super) patience: Duration,
    pub(super) attempts_max: Option<u32>,
}

impl Config {
    /// A server at `https://HOST[:PORT]`, or at `http://HOST[:PORT]` on this machine.
    #[must_use]
    pub fn new(server: impl Into<String>) -> Self {
        Self {
            server: server.into(),
            token: None,
            authority: None,
            shown: None,
            is_plain_allowed: false,
            patience: Duration::ZERO,
            attempts_max: None,
        }
    }

    /// With this token. Without one only invitations can be accepted, unless the server knows the certificate that is shown.
    #[must_use]
    pub fn token(self, token: Token) -> Self {
        Self { token: Some(token), ..self }
    }

    /// Trusts the authority with this certificate, PEM, and no other; without, those that the system trusts.
    #[must_use]
    pub fn authority(self, pem: Vec<u8>) -> Self {
        Self { authority: Some(pem), ..self }
    }

    /// Shows this certificate to the server, PEM, with the others up to its authority behind it, and the key of it.
    #[must_use]
    pub fn certificate(self, certificate: Vec<u8>, key: Vec<u8>) -> Self {
        Self { shown: Some(Shown { certificate, key }), ..self }
    }

    /// Allows a plain connection to another machine, where others may read the token.
    #[must_use]
    pub fn allow_plain(self, is_plain_allowed: bool) -> Self {
        Self { is_plain_allowed, ..self }
    }

    /// Gives each call so much time on top of what the rules give it: for programs that rather wait than fail.
    #[must_use]
    pub fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Makes at most so many attempts at each call; without, as many as there is time for.
    #[must_use]
    pub fn attempts_max(self, attempts_max: u32) -> Self {
        Self { attempts_max: Some(attempts_max), ..self }
    }

    /// The connection, made when it is first used. Called within a runtime of tokio.
    pub fn connect(self) -> Result<Connection, ConfigError> {
        let malformed = |_| ConfigError::Address(self.server.clone());
        let endpoint = Endpoint::from_shared(self.server.clone()).map_err(malformed)?;
        let endpoint = endpoint
            .connect_timeout(CONNECT_TIME_MAX)
            .http2_keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PONG_TIME_MAX);
        let host = endpoint.uri().host().unwrap_or_default().to_owned();
        let channel = match endpoint.uri().scheme_str() {
            Some("https") => endpoint.tls_config(self.tls())?.connect_lazy(),
            Some("http") if self.shown.is_some() => return Err(ConfigError::NotShown),
            Some("http") if is_this_machine(&host) || self.is_plain_allowed => endpoint.connect_lazy(),
            Some("http") => return Err(ConfigError::Plain(host)),
            _ => return Err(ConfigError::Scheme(self.server)),
        };
        Ok(Connection::new(channel, self.token.clone(), &self))
    }

    fn tls(&self) -> ClientTlsConfig {
        let tls = match &self.authority {
            Some(pem) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)),
            None => ClientTlsConfig::new().with_native_roots(),
        };
        match &self.shown {
            Some(shown) => tls.identity(Identity::from_pem(&shown.certificate, &shown.key)),
            None => tls,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_shown_nowhere() {
        let token = Token::new(" wmk_secret\n").unwrap();
        assert_eq!(token.header().to_str().unwrap(), "Bearer wmk_secret");
        let shown = format!("{token:?} {:?}", Config::new("http://127.0.0.1:1").token(token.clone()));
        assert!(!shown.contains("secret"), "{shown}");
        for secret in ["", " ", "two words", "wmk_\u{e9}", "a\nb"] {
            let fault = Token::new(secret).unwrap_err();
            assert_eq!(fault.to_string(), "the token is malformed", "{secret:?}");
        }
        let config = Config::new("https://127.0.0.1:1").certificate(b"certificate".to_vec(), b"secret".to_vec());
        assert!(!format!("{config:?}").contains("115, 101, 99"), "{config:?}");
        let fault = Token::from_file(Path::new("nowhere/token")).unwrap_err().to_string();
        assert!(fault.starts_with("nowhere/token: "), "{fault}");
    }

    #[tokio::test]
    async fn a_token_goes_over_no_plain_connection_to_others() {
        let fault = |server: &str| Config::new(server).connect().unwrap_err().to_string();
        assert!(fault("http://192.0.2.1:8642").contains("another machine"));
        assert!(fault("ftp://127.0.0.1").contains("begins with https://"));
        assert!(fault("http://a b").contains("is no address of a server"));
        for server in ["http://127.0.0.1:8642", "http://[::1]:8642", "http://localhost:8642"] {
            assert!(Config::new(server).connect().is_ok(), "{server}");
        }
        assert!(Config::new("http://192.0.2.1:8642").allow_plain(true).connect().is_ok());
    }

    #[tokio::test]
    async fn a_certificate_is_not_left_out_without_a_word() {
        for server in ["http://127.0.0.1:8642", "http://192.0.2.1:8642"] {
            let config = Config::new(server).allow_plain(true).certificate(Vec::new(), Vec::new());
            assert!(matches!(config.connect(), Err(ConfigError::NotShown)), "{server}");
        }
    }
}
