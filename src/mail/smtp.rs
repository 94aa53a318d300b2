//! Hands messages to the operator's mail server, one connection each.

use std::time::Duration;

use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{Certificate, Tls as Security, TlsParameters};
use lettre::transport::smtp::{self, AsyncSmtpTransport};
use lettre::{AsyncTransport as _, Tokio1Executor};
use reqwest::Url;
use secrecy::ExposeSecret as _;

use super::config::{Config, Tls};
use super::message::{Invitation, compose};
use super::{Error, NotSent, Trouble};

/// Longest wait for each step of a dialogue: mail servers may look things up before they answer.
const STEP_TIME_MAX: Duration = Duration::from_secs(30);
/// The reply of a server that knows neither user nor password, RFC 4954.
const LOGIN_REFUSED: [u16; 3] = [530, 534, 535];

/// The mail server, as it is configured.
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    public_url: Url,
}

impl std::fmt::Debug for Mailer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mailer").finish_non_exhaustive()
    }
}

impl Mailer {
    /// The mailer of a configuration, with its files read. Connects to nobody yet.
    pub fn open(config: &Config) -> Result<Self, Error> {
        let checked = config.check()?;
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&config.host)
            .port(checked.port)
            .timeout(Some(STEP_TIME_MAX))
            .tls(security(config, checked.authorities.as_deref())?);
        if let Some((user, password)) = checked.login {
            let credentials = Credentials::new(user, password.expose_secret().to_owned());
            transport = transport.credentials(credentials).authentication(vec![Mechanism::Plain, Mechanism::Login]);
        }
        Ok(Self { transport: transport.build(), from: checked.from, public_url: checked.public_url })
    }

    /// Sends an invitation. When this returns `Ok` the server has taken it.
    pub async fn send(&self, invitation: &Invitation) -> Result<(), NotSent> {
        // What is no address now was one when it was stated: as if the server had said so.
        let message = compose(&self.from, &self.public_url, invitation).ok_or(NotSent::Never(553))?;
        match self.transport.send(message).await {
            Ok(_) => Ok(()),
            Err(cause) => Err(judged(&cause)),
        }
    }
}

/// How the connection is protected. There is no falling back to a plain one.
fn security(config: &Config, authorities: Option<&[u8]>) -> Result<Security, Error> {
    let mut parameters = TlsParameters::builder(config.host.clone());
    if let (Some(pem), Some(path)) = (authorities, &config.ca_file) {
        let fault = |why: &str| Error::File { setting: "ca_file", path: path.clone(), why: why.to_owned() };
        let authority = Certificate::from_pem(pem).map_err(|_| fault("it holds no certificates in PEM"))?;
        parameters = parameters.add_root_certificate(authority);
    }
    let parameters = || {
        let built = parameters.build_rustls();
        built.map_err(|_| Error::Setting { setting: "host", why: "TLS cannot be set up for this name".to_owned() })
    };
    Ok(match config.tls {
        Tls::None => Security::None,
        Tls::Starttls => Security::Required(parameters()?),
        Tls::Tls => Security::Wrapper(parameters()?),
    })
}

fn judged(cause: &smtp::Error) -> NotSent {
    match cause.status().map(u16::from) {
        Some(code) if LOGIN_REFUSED.contains(&code) => NotSent::Server(Trouble::Login),
        Some(code) if cause.is_permanent() => NotSent::Never(code),
        Some(code) => NotSent::Later(code),
        None if cause.is_timeout() => NotSent::Server(Trouble::TimedOut),
        None if is_of_tls(cause) => NotSent::Server(Trouble::Tls),
        None => NotSent::Server(Trouble::Unreachable),
    }
}

/// Whether TLS failed: a handshake that breaks counts as a connection that does, and says why further down.
fn is_of_tls(cause: &smtp::Error) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(cause);
    while let Some(error) = next {
        if error.is::<rustls::Error>() {
            return true;
        }
        // What an I/O error holds is not its source, but stands in its place.
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = inner.map_or_else(|| error.source(), |inner| Some(inner));
    }
    // A server without STARTTLS where it is wanted.
    cause.is_tls() || cause.is_client()
}
