//! Which geocoders there are, in which order, and on which terms: as written, and checked once into what is built.
//!
//! Secrets come from files or the environment, and are in no message.

mod fleet;

use std::env;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use schemars::JsonSchema;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::Error as GeocodeError;
use super::cached::Times;
use super::chain::LINKS_MAX;
use super::gazetteer;
use super::terms::{Keep, Terms};
use crate::model::host::is_this_machine;
use crate::secret_file;

pub use fleet::FleetConfig;

/// Confidence below which the next geocoder is asked too: one word of the question is missing from the answer.
const CONFIDENCE_MIN: f64 = 0.6;
/// Time of one request where none is configured, in milliseconds.
const TIMEOUT_MS: u64 = 5_000;
/// Requests a second where none is configured: what the public servers and free keys allow.
const REQUESTS_PER_S: f64 = 1.0;
/// Most requests a second that make sense to state.
const REQUESTS_PER_S_MAX: f64 = 1_000.0;
/// Fewest: one in a quarter of an hour.
const REQUESTS_PER_S_MIN: f64 = 0.001;
/// How long answers are kept where nothing is configured, in seconds: a day. Streets do not move.
const CACHE_S: u64 = 24 * 60 * 60;
/// How long it is kept that nothing was found, in seconds: an hour. Somebody may be mapping it.
const CACHE_EMPTY_S: u64 = 60 * 60;
/// The public server of Nominatim, whose policy is held to: one request a second over a whole deployment, an application
/// that names itself, no suggestions.
const PUBLIC_NOMINATIM: &str = "nominatim.openstreetmap.org";

/// What data of `OpenStreetMap` wants to be shown.
const OPENSTREETMAP: &str = "© OpenStreetMap contributors (ODbL)";

/// The geocoders, as written.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Geocode")]
pub struct Config {
    /// Directory of the embedded gazetteer's index; none for no gazetteer. It is asked last, unless it stands among the
    /// providers.
    pub gazetteer: Option<PathBuf>,
    /// File of the borders of countries, `TopoJSON` as world-atlas has it; none for no checks of countries and coasts. Read
    /// at the start alone.
    pub borders: Option<PathBuf>,
    /// How requests name this deployment; the public Nominatim wants it to say whom to turn to.
    pub user_agent: String,
    /// Confidence in [0, 1] below which the next provider is asked too.
    pub confidence_min: f64,
    /// The providers in the order in which they are asked.
    pub providers: Vec<ProviderConfig>,
    /// Where a fleet keeps its limits of requests; each process has its own where none is given.
    pub fleet: Option<FleetConfig>,
}

/// A provider, as written.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "GeocodeProvider")]
pub struct ProviderConfig {
    /// Its protocol.
    pub kind: Kind,
    /// Its name in candidates and fixes; the kind's where none is given.
    pub name: Option<String>,
    /// The URL below which its methods are; the public server's where none is given.
    pub url: Option<String>,
    /// Whether requests may travel unencrypted to another machine, for all on their way to read: addresses of sites. Never
    /// with a key.
    pub plain_http: Option<bool>,
    /// File that holds its key.
    pub key_file: Option<PathBuf>,
    /// Environment variable that holds its key.
    pub key_env: Option<String>,
    /// Most requests a second of this process to the server.
    pub requests_per_s: Option<f64>,
    /// Longest time of one request, in milliseconds.
    pub timeout_ms: Option<u64>,
    /// Whether it may be asked while somebody types; of Nominatim alone.
    pub suggest: Option<bool>,
    /// What is shown beside its answers.
    pub attribution: Option<String>,
    /// Days for which an answer may be stored: 0 for not at all; for good where none is given.
    pub store_days: Option<u32>,
    /// Seconds for which an answer is kept in memory; 0 for not at all.
    pub cache_s: Option<u64>,
    /// Seconds for which it is kept that nothing was found.
    pub cache_empty_s: Option<u64>,
}

/// The protocol of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "GeocodeProviderKind")]
pub enum Kind {
    /// The embedded gazetteer, at this place in the order.
    Gazetteer,
    /// A Nominatim server.
    Nominatim,
    /// A Photon server.
    Photon,
    /// `OpenCage`.
    #[serde(rename = "opencage")]
    OpenCage,
}

impl Kind {
    /// Its name in a file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gazetteer => gazetteer::PROVIDER,
            Self::Nominatim => "nominatim",
            Self::Photon => "photon",
            Self::OpenCage => "opencage",
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            gazetteer: None,
            borders: None,
            user_agent: USER_AGENT.to_owned(),
            confidence_min: CONFIDENCE_MIN,
            providers: Vec::new(),
            fleet: None,
        }
    }
}

/// How requests name a deployment that says nothing of its own.
const USER_AGENT: &str = concat!("waymark/", env!("CARGO_PKG_VERSION"));

/// Why a configuration of geocoders is refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value of the section itself.
    #[error("geocode.{key}: {why}")]
    Value {
        /// The key.
        key: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// A value of a provider.
    #[error("geocode.providers, {provider}: {key}: {why}")]
    Provider {
        /// The provider's name.
        provider: String,
        /// The key.
        key: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The gazetteer or the borders do not open.
    #[error(transparent)]
    Gazetteer(#[from] GeocodeError),
}

/// A geocoder to build; checked.
pub(super) enum Plan {
    /// The gazetteer in this directory.
    Gazetteer(PathBuf),
    /// A provider over HTTP.
    Remote(Box<Remote>),
}

/// A provider over HTTP; checked.
#[derive(Debug, Clone)]
pub(super) struct Remote {
    pub(super) kind: Kind,
    pub(super) name: Arc<str>,
    pub(super) url: Url,
    pub(super) key: Option<SecretString>,
    pub(super) user_agent: String,
    pub(super) period: Duration,
    pub(super) time_max: Duration,
    pub(super) may_suggest: bool,
    pub(super) terms: Terms,
    pub(super) times: Times,
}

impl Remote {
    /// The server that is asked. Whoever asks the same shares its limit, the lowest that is stated, under whatever name and
    /// by whatever protocol of the two.
    pub(super) fn server(&self) -> String {
        let host = host(&self.url);
        match self.url.port() {
            None | Some(80 | 443) => host.to_owned(),
            Some(port) => format!("{host}:{port}"),
        }
    }

    /// What answers depend on. The key is none of it, and in nothing that is written down.
    pub(super) fn signature(&self) -> String {
        format!("{:?} {} {} {:?} {:?}", self.kind, self.name, self.url, self.terms, self.times)
    }

    /// Whether another one would ask and answer in the same way; how often it may be asked makes no difference.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let key = |remote: &Self| remote.key.as_ref().map(|key| key.expose_secret().to_owned());
        let Self { kind, name, url, key: _, user_agent, period: _, time_max, may_suggest, terms, times } = self;
        (kind, name, url, user_agent) == (&other.kind, &other.name, &other.url, &other.user_agent)
            && (time_max, may_suggest, terms, times)
                == (&other.time_max, &other.may_suggest, &other.terms, &other.times)
            && key(self) == key(other)
    }
}

/// The host of a URL, without the dot that may stand behind it.
fn host(url: &Url) -> &str {
    url.host_str().unwrap_or_default().trim_end_matches('.')
}

impl Config {
    /// The geocoders in the order in which they are asked. Reads the files of keys.
    pub(super) fn plans(&self) -> Result<Vec<Plan>, Error> {
        let fault = |key, why: String| Err(Error::Value { key, why });
        if !(0.0..=1.0).contains(&self.confidence_min) {
            return fault("confidence_min", format!("it is in [0, 1], got {}", self.confidence_min));
        }
        if self.providers.len() >= LINKS_MAX {
            return fault("providers", format!("at most {} are asked in turn", LINKS_MAX - 1));
        }
        let mut plans = Vec::new();
        let mut names: Vec<Arc<str>> = vec![gazetteer::PROVIDER.into(), super::COORDINATES.into()];
        let mut gazetteer = self.gazetteer.clone();
        for provider in &self.providers {
            if provider.kind == Kind::Gazetteer {
                let Some(directory) = gazetteer.take() else {
                    return fault(
                        "gazetteer",
                        "it stands among the providers, once at most, and needs a directory".into(),
                    );
                };
                plans.push(Plan::Gazetteer(directory));
                continue;
            }
            let remote = provider.remote(&self.user_agent)?;
            if names.contains(&remote.name) {
                return Err(provider
                    .fault("name", "two providers have it, or it is one of `gazetteer` and `coordinates`".to_owned()));
            }
            names.push(Arc::clone(&remote.name));
            plans.push(Plan::Remote(Box::new(remote)));
        }
        plans.extend(gazetteer.map(Plan::Gazetteer));
        Ok(plans)
    }
}

impl ProviderConfig {
    fn fault(&self, key: &'static str, why: String) -> Error {
        Error::Provider { provider: self.name().to_owned(), key, why }
    }

    /// Its name; the kind's where none is given.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(self.kind.name())
    }

    fn remote(&self, user_agent: &str) -> Result<Remote, Error> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if self.name().is_empty() || self.name().len() > 64 || !self.name().chars().all(is_plain) {
            return Err(self.fault("name", "letters, digits, `-`, `_` and `.`, at most 64".to_owned()));
        }
        let (public, attribution) = match self.kind {
            Kind::Photon => ("https://photon.komoot.io", OPENSTREETMAP.to_owned()),
            Kind::OpenCage => ("https://api.opencagedata.com", format!("OpenCage, {OPENSTREETMAP}")),
            Kind::Nominatim | Kind::Gazetteer => ("https://nominatim.openstreetmap.org", OPENSTREETMAP.to_owned()),
        };
        let key = self.key()?;
        let url = self.url(public, key.is_some())?;
        let rate = self.requests_per_s.unwrap_or(REQUESTS_PER_S);
        if !(REQUESTS_PER_S_MIN..=REQUESTS_PER_S_MAX).contains(&rate) {
            let why = format!("it is in [{REQUESTS_PER_S_MIN}, {REQUESTS_PER_S_MAX}], got {rate}");
            return Err(self.fault("requests_per_s", why));
        }
        let timeout_ms = self.timeout_ms.unwrap_or(TIMEOUT_MS);
        if !(10..=60_000).contains(&timeout_ms) {
            return Err(self.fault("timeout_ms", format!("it is in [10, 60000], got {timeout_ms}")));
        }
        let may_suggest = self.suggest.unwrap_or(false);
        if may_suggest && self.kind != Kind::Nominatim {
            return Err(self.fault("suggest", "it is a choice of Nominatim's alone".to_owned()));
        }
        if host(&url) == PUBLIC_NOMINATIM {
            self.check_policy(rate, may_suggest, user_agent)?;
        }
        let seconds = |given: Option<u64>, default| Duration::from_secs(given.unwrap_or(default));
        let keep = match self.store_days {
            None => Keep::Unlimited,
            Some(0) => Keep::Never,
            Some(days) => Keep::For(Duration::from_secs(u64::from(days) * 24 * 60 * 60)),
        };
        Ok(Remote {
            kind: self.kind,
            name: self.name().into(),
            url,
            key,
            user_agent: user_agent.to_owned(),
            period: Duration::from_secs_f64(1.0 / rate),
            time_max: Duration::from_millis(timeout_ms),
            may_suggest,
            terms: Terms { attribution: self.attribution.clone().unwrap_or(attribution), keep },
            times: Times { found: seconds(self.cache_s, CACHE_S), empty: seconds(self.cache_empty_s, CACHE_EMPTY_S) },
        })
    }

    /// Holds to the policy of the public Nominatim.
    fn check_policy(&self, rate: f64, may_suggest: bool, user_agent: &str) -> Result<(), Error> {
        if rate > 1.0 {
            return Err(self.fault("requests_per_s", format!("{PUBLIC_NOMINATIM} allows one a second, got {rate}")));
        }
        if may_suggest {
            return Err(self.fault("suggest", format!("{PUBLIC_NOMINATIM} does not allow suggestions")));
        }
        if user_agent == USER_AGENT {
            let why = format!("{PUBLIC_NOMINATIM} wants to know whom to turn to: set geocode.user_agent");
            return Err(self.fault("url", why));
        }
        Ok(())
    }

    fn url(&self, public: &str, has_key: bool) -> Result<Url, Error> {
        let written = self.url.as_deref().unwrap_or(public);
        let fault = |why: &str| self.fault("url", format!("{why}, such as {public}"));
        let url = Url::parse(written).map_err(|_| fault("it is no URL"))?;
        if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none_or(str::is_empty) {
            return Err(fault("it begins with https:// or http:// and a host"));
        }
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
            return Err(fault("it has neither a user, nor parameters, nor a fragment"));
        }
        let is_open = url.scheme() == "http" && !is_this_machine(host(&url));
        if is_open && has_key {
            return Err(fault("a key travels by https:// alone"));
        }
        if is_open && self.plain_http != Some(true) {
            return Err(fault("addresses of sites travel by https:// alone, unless plain_http = true allows it"));
        }
        Ok(url)
    }

    fn key(&self) -> Result<Option<SecretString>, Error> {
        let key = secret_file::read_either(self.key_file.as_deref(), self.key_env.as_deref());
        let key = key.map_err(|why| self.fault("key_file", why))?;
        match (self.kind, &key) {
            (Kind::OpenCage, None) => Err(self.fault("key_file", "it needs a key: set it, or key_env".to_owned())),
            (Kind::Nominatim | Kind::Photon, Some(_)) => Err(self.fault("key_file", "it takes no key".to_owned())),
            _ => Ok(key),
        }
    }
}

#[cfg(test)]
mod tests;
