//! Whether a server would start with a configuration, and what is amiss with it: found without a start.
//!
//! Opens no store, listens nowhere, connects to nobody and writes nothing.

use jiff::Timestamp;
use serde::Serialize;

use super::{credentials_key, tls};
use crate::api::basemap::Basemap;
use crate::config::Config;
use crate::geocode::borders::Borders;
use crate::geocode::build::{Built, build};
use crate::geocode::limiter::LocalLimits;
use crate::geoip::GeoIp;
use crate::identity::Issuers;
use crate::{geoip, mail};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// A server does not start.
    Error,
    /// It starts, and does without.
    Warning,
}

/// What is amiss.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// The table of the configuration that it is about.
    pub part: &'static str,
    /// What it is, with what to do about it.
    pub message: String,
}

/// All that is amiss with a configuration; nothing where it is in order. Reads the files that it names. Blocking.
#[must_use]
pub fn findings(config: &Config) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut note = |part, outcome: Result<(), String>| {
        found.extend(outcome.err().map(|message| Finding { level: Level::Error, part, message }));
    };
    note("config", told(config.clone().check()));
    note("log", told(config.log.lines()));
    note("listen.tls", told(config.listen.tls.as_ref().map(tls::Certificates::open).transpose()));
    note("redis", config.redis.as_ref().map_or(Ok(()), |redis| told(redis.check())));
    let geocode = &config.geocode;
    let (limits, nothing_before) = (LocalLimits::default(), Built::default());
    note("geocode", told(build(geocode, &limits, Timestamp::now, &nothing_before)));
    note("geocode.fleet", geocode.fleet.as_ref().map_or(Ok(()), |fleet| told(fleet.client())));
    note("geocode.borders", geocode.borders.as_ref().map_or(Ok(()), |path| told(Borders::open(path))));
    note("basemap", told(Basemap::resolve(&config.basemap)));
    note("ticketing", told(credentials_key::find(&config.ticketing, &config.data_dir)));
    note("auth.jwt", told(Issuers::open(&config.auth)));
    note("traces", config.traces.as_ref().map_or(Ok(()), |traces| told(traces.check())));
    note("mail", config.mail.as_ref().map_or(Ok(()), |mail| told(mail::Mailer::open(mail))));
    found.extend(of_databases(&config.geoip));
    found
}

/// What is amiss with the `GeoIP` files, each by itself: a server starts without them, and waits for them.
fn of_databases(config: &geoip::config::Config) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in &config.databases {
        let opened = GeoIp::open(&geoip::config::Config::of_files([file.path.clone()]));
        found.extend(opened.err().map(|cause| Finding {
            level: Level::Warning,
            part: "geoip.databases",
            message: format!("{cause}; until it is there and good, nothing is looked up in it"),
        }));
    }
    found
}

fn told<T, E: std::fmt::Display>(outcome: Result<T, E>) -> Result<(), String> {
    outcome.map(drop).map_err(|cause| cause.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An identity provider whose file of keys is not there.
    const JWT: &str = "[[auth.jwt]]\nissuer = 'x'\naudience = 'y'\njwks_file = 'nowhere'\nalgorithms = ['ES256']\n\
                       accounts = ['acme']\nrole_claim = 'roles'\nroles = [{ value = 'z', role = 'viewer' }]";

    fn found(text: &str) -> Vec<(Level, &'static str)> {
        let config: Config = toml::from_str(text).unwrap();
        findings(&config).into_iter().map(|finding| (finding.level, finding.part)).collect()
    }

    #[tokio::test]
    async fn each_part_says_what_a_start_would_refuse() {
        let (error, warning) = (Level::Error, Level::Warning);
        for (text, expect) in [
            ("", None),
            ("[listen]\naddress = '0.0.0.0:1'", Some((error, "config"))),
            ("[listen]\naddress = '0.0.0.0:1'\nallow_plaintext = true", None),
            ("[listen.tls]\ncertificate = 'nowhere'\nkey = 'nowhere'", Some((error, "listen.tls"))),
            ("metrics_listen = '0.0.0.0:9090'", Some((error, "config"))),
            ("metrics_listen = '127.0.0.1:9090'", None),
            ("[log]\nfilter = 'waymark=loud'", Some((error, "log"))),
            ("[geocode]\ngazetteer = 'nowhere'", Some((error, "geocode"))),
            ("[geocode]\nborders = 'nowhere'", Some((error, "geocode.borders"))),
            ("[geocode]\nfleet = { redis = 'x' }", Some((error, "geocode.fleet"))),
            ("[[geocode.providers]]\nkind = 'opencage'", Some((error, "geocode"))),
            ("[basemap]\nattribution = 'x'", Some((error, "basemap"))),
            ("[ticketing]\nkey_file = 'nowhere'", Some((error, "ticketing"))),
            ("[mail]\nhost = 'x'\nfrom = 'x'\npublic_url = 'https://x.example'", Some((error, "mail"))),
            (JWT, Some((error, "auth.jwt"))),
            ("[traces]\nendpoint = 'http://127.0.0.1:4317'", None),
            ("[traces]\nendpoint = 'http://collector.example.com:4317'", Some((error, "traces"))),
            ("[geoip]\ndatabases = ['nowhere.mmdb']", Some((warning, "geoip.databases"))),
        ] {
            assert_eq!(found(text), expect.into_iter().collect::<Vec<_>>(), "{text}");
        }
        // All that is amiss is told, not the first of it.
        let many =
            found("[redis]\nnodes = []\n[ticketing]\nkey_env = 'WAYMARK_NO_SUCH_KEY'\n[log]\nfilter = 'waymark=loud'");
        assert_eq!(many, [(error, "log"), (error, "redis"), (error, "ticketing")]);
    }
}
