//! Hands messages to the operator's mail server, one connection each.

use std::time::Duration;

use lettre::message::Mailbox;
use lettre::transport::smtp;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, MailParameter};
use secrecy::ExposeSecret as _;
use tokio::time::timeout;
use tracing::Instrument as _;

use super::config::{Config, Tls};
use super::message::{Invitation, compose};
use super::{Error, NotSent, Trouble};
use crate::model::public_url::PublicUrl;
use crate::telemetry::spans;

/// Longest wait for each step of a dialogue: mail servers may look things up before they answer.
const STEP_TIME_MAX: Duration = Duration::from_secs(30);
/// Longest wait for the word on a whole message, RFC 5321, 4.5.3.2.6: who gives up sooner sends mails twice.
const TAKING_TIME_MAX: Duration = Duration::from_mins(10);
/// Longest wait at parting, when all is said.
const PARTING_TIME_MAX: Duration = Duration::from_secs(5);
/// The reply of a server that knows neither user nor password, RFC 4954.
const LOGIN_REFUSED: [u16; 3] = [530, 534, 535];
/// The replies of a server that offers STARTTLS and then does not do it, RFC 3207.
const TLS_REFUSED: [u16; 2] = [454, 501];

/// The mail server, as it is configured.
pub struct Mailer {
    host: String,
    port: u16,
    tls: Tls,
    /// `None` without TLS.
    parameters: Option<TlsParameters>,
    credentials: Option<Credentials>,
    from: Mailbox,
    public_url: PublicUrl,
    pub(super) limits: Limits,
}

/// How long the mail server is waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// For each step; twice as long for all of the way to the first reply to EHLO, which a second address may need.
    pub(super) step: Duration,
    /// For the word on the message.
    pub(super) taking: Duration,
    /// For the end of the dialogue.
    pub(super) parting: Duration,
}

/// What a reply is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    /// The connection, this server, or the sender: the same for every message.
    Server,
    /// STARTTLS, and the EHLO behind it.
    Security,
    /// The recipient or the message.
    Message,
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
        Ok(Self {
            host: config.host.clone(),
            port: checked.port,
            tls: config.tls,
            parameters: security(config, checked.authorities.as_deref())?,
            credentials: checked.login.map(|(user, password)| Credentials::new(user, password.expose_secret().into())),
            from: checked.from,
            public_url: checked.public_url,
            limits: Limits { step: STEP_TIME_MAX, taking: TAKING_TIME_MAX, parting: PARTING_TIME_MAX },
        })
    }

    /// Sends an invitation. When this returns `Ok` the server has taken it. Ends within some minutes, whatever the server
    /// does, and within ten more once it has the message.
    pub async fn send(&self, invitation: &Invitation) -> Result<(), NotSent> {
        // What is no address now was one when it was stated: as if the server had said so.
        let message = compose(&self.from, &self.public_url, invitation).ok_or(NotSent::Never(553))?;
        let span = spans::mail();
        let outcome = self.deliver(&message).instrument(span.clone()).await;
        if let Err(fault) = &outcome {
            spans::failed(&span, fault.name());
        }
        outcome
    }

    async fn deliver(&self, message: &lettre::Message) -> Result<(), NotSent> {
        let mut connection = self.connect().await?;
        let outcome = match self.log_in(&mut connection).await {
            Ok(()) => self.hand_over(&mut connection, message).await,
            Err(fault) => Err(fault),
        };
        // All is said: how the server takes leave changes nothing.
        let _ = timeout(self.limits.parting, connection.abort()).await;
        outcome
    }

    /// Comes as far as the reply to EHLO, and to the one behind STARTTLS. There is no falling back to a plain connection.
    async fn connect(&self) -> Result<AsyncSmtpConnection, NotSent> {
        let (me, step) = (ClientId::default(), self.limits.step);
        let wrapper = self.parameters.clone().filter(|_| self.tls == Tls::Tls);
        let server = (self.host.as_str(), self.port);
        let opened = AsyncSmtpConnection::connect_tokio1(server, Some(step), &me, wrapper, None);
        let mut connection = within(2 * step, About::Server, opened).await?;
        if self.tls == Tls::Starttls
            && let Some(parameters) = self.parameters.clone()
        {
            within(step, About::Security, connection.starttls(parameters, &me)).await?;
        }
        Ok(connection)
    }

    async fn log_in(&self, connection: &mut AsyncSmtpConnection) -> Result<(), NotSent> {
        let Some(credentials) = &self.credentials else { return Ok(()) };
        let mechanisms = [Mechanism::Plain, Mechanism::Login];
        within(self.limits.step, About::Server, connection.auth(&mechanisms, credentials)).await.map(drop)
    }

    async fn hand_over(&self, connection: &mut AsyncSmtpConnection, message: &lettre::Message) -> Result<(), NotSent> {
        let (step, envelope) = (self.limits.step, message.envelope());
        let is_ascii = envelope.from().is_none_or(|from| AsRef::<str>::as_ref(from).is_ascii());
        let options = if is_ascii { Vec::new() } else { vec![MailParameter::SmtpUtfEight] };
        within(step, About::Server, connection.command(Mail::new(envelope.from().cloned(), options))).await?;
        for to in envelope.to() {
            within(step, About::Message, connection.command(Rcpt::new(to.clone(), Vec::new()))).await?;
        }
        within(step, About::Message, connection.command(Data)).await?;
        within(self.limits.taking, About::Message, connection.message(&message.formatted())).await.map(drop)
    }
}

/// A step of the dialogue, with an end.
async fn within<T>(
    limit: Duration,
    about: About,
    step: impl Future<Output = Result<T, smtp::Error>>,
) -> Result<T, NotSent> {
    match timeout(limit, step).await {
        Ok(outcome) => outcome.map_err(|cause| judged(&cause, about)),
        Err(_) => Err(NotSent::Server(Trouble::TimedOut)),
    }
}

/// How the server is known; `None` without TLS.
fn security(config: &Config, authorities: Option<&[u8]>) -> Result<Option<TlsParameters>, Error> {
    if config.tls == Tls::None {
        return Ok(None);
    }
    let mut parameters = TlsParameters::builder(config.host.clone());
    if let (Some(pem), Some(path)) = (authorities, &config.ca_file) {
        let fault = |why: &str| Error::File { setting: "ca_file", path: path.clone(), why: why.to_owned() };
        let authority = Certificate::from_pem(pem).map_err(|_| fault("it holds no certificates in PEM"))?;
        parameters = parameters.add_root_certificate(authority);
    }
    let built = parameters.build_rustls();
    built
        .map(Some)
        .map_err(|_| Error::Setting { setting: "host", why: "TLS cannot be set up for this name".to_owned() })
}

fn judged(cause: &smtp::Error, about: About) -> NotSent {
    match (cause.status().map(u16::from), about) {
        (Some(code), _) if LOGIN_REFUSED.contains(&code) => NotSent::Server(Trouble::Login),
        (Some(code), About::Security) if TLS_REFUSED.contains(&code) => NotSent::Server(Trouble::Tls),
        (Some(code), About::Server | About::Security) => NotSent::Server(Trouble::Rejected(code)),
        (Some(code), About::Message) if cause.is_permanent() => NotSent::Never(code),
        (Some(code), About::Message) => NotSent::Later(code),
        (None, _) if cause.is_timeout() => NotSent::Server(Trouble::TimedOut),
        (None, _) if is_of_tls(cause) => NotSent::Server(Trouble::Tls),
        (None, _) => NotSent::Server(Trouble::Unreachable),
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
