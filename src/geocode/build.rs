//! Builds the geocoder out of its configuration: each provider with what protects it and us, then all of them in order.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::breaker::Breaker;
use super::cached::Cached;
use super::chain::{Chain, Link};
use super::coalesced::Coalesced;
use super::config::{Config, Error, Kind, Plan, Remote};
use super::gazetteer::{self, Gazetteer};
use super::http::{Client, Endpoint};
use super::limiter::{Limiter, Limits};
use super::nominatim::Nominatim;
use super::opencage::OpenCage;
use super::photon::Photon;
use super::retried::Retried;
use super::terms::Terms;
use super::throttled::Throttled;
use super::timed::Timed;
use super::{Error as GeocodeError, Geocoder};

/// The geocoder of a configuration; `None` where it names none. Sends nothing.
///
/// `limits` outlive it, so that a rate is kept across reloads. Blocking: reads files of keys, opens the gazetteer.
///
/// # Errors
/// The first fault that is found, with the key that it is in.
pub fn build(
    config: &Config,
    limits: &dyn Limits,
    clock: fn() -> Timestamp,
) -> Result<Option<Arc<dyn Geocoder>>, Error> {
    let plans = config.plans()?;
    let mut periods: HashMap<String, Duration> = HashMap::new();
    for plan in &plans {
        if let Plan::Remote(remote) = plan {
            let period = periods.entry(server(remote)).or_default();
            *period = remote.period.max(*period);
        }
    }
    let mut links = Vec::new();
    for plan in plans {
        links.push(match plan {
            Plan::Gazetteer(directory) => embedded(&directory)?,
            Plan::Remote(remote) => {
                let server = server(&remote);
                protected(*remote, limits.limiter(&server, periods[&server]), clock)?
            }
        });
    }
    Ok(match links.len() {
        0 => None,
        1 => links.pop().map(|link| link.geocoder),
        _ => Some(Arc::new(Chain::new(links, config.confidence_min))),
    })
}

fn embedded(directory: &Path) -> Result<Link, GeocodeError> {
    Ok(Link { provider: gazetteer::PROVIDER.into(), geocoder: Arc::new(Gazetteer::open(directory)?) })
}

/// The server that a provider asks. Whoever asks the same shares its limit, the lowest that is stated, under whatever name.
fn server(remote: &Remote) -> String {
    let port = remote.url.port_or_known_default().unwrap_or_default();
    format!("{}:{port}", remote.url.host_str().unwrap_or_default())
}

/// A provider and what is around it, from the inside: a time for each request, a turn for each, a rest after failures,
/// repetitions, one call for equal questions, and a memory.
fn protected(remote: Remote, limiter: Arc<dyn Limiter>, clock: fn() -> Timestamp) -> Result<Link, Error> {
    let name = Arc::clone(&remote.name);
    let (time_max, times, keep) = (remote.time_max, remote.times, remote.terms.keep);
    let geocoder = provider(remote, clock)?;
    let geocoder = Arc::new(Timed::new(geocoder, Arc::clone(&name), time_max));
    let geocoder = Arc::new(Throttled::new(geocoder, Arc::clone(&name), limiter));
    let geocoder = Arc::new(Breaker::new(geocoder, Arc::clone(&name)));
    let geocoder = Arc::new(Retried::new(geocoder));
    let geocoder = Arc::new(Coalesced::new(geocoder, Arc::clone(&name)));
    Ok(Link { provider: name, geocoder: Arc::new(Cached::new(geocoder, times, keep)) })
}

/// A provider alone.
pub(super) fn provider(remote: Remote, clock: fn() -> Timestamp) -> Result<Arc<dyn Geocoder>, Error> {
    let Remote { kind, name, url, key, user_agent, time_max, may_suggest, terms, .. } = remote;
    let endpoint = Endpoint { provider: Arc::clone(&name), base: url, user_agent, key, time_max, clock };
    let fault = |why| Error::Provider { provider: name.to_string(), key: "url", why };
    let client = Client::new(endpoint).map_err(fault)?;
    Ok(of_kind(kind, client, terms, may_suggest))
}

fn of_kind(kind: Kind, client: Client, terms: Terms, may_suggest: bool) -> Arc<dyn Geocoder> {
    match kind {
        Kind::Photon => Arc::new(Photon::new(client, terms)),
        Kind::OpenCage => Arc::new(OpenCage::new(client, terms)),
        // The gazetteer is no remote one: `plans` makes none of it.
        Kind::Nominatim | Kind::Gazetteer => Arc::new(Nominatim::new(client, terms, may_suggest)),
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use parking_lot::Mutex;
    use tokio::time::Instant;

    use super::super::limiter::NoTurn;
    use super::*;

    /// Notes which limiters are asked for, and gives everybody a turn.
    #[derive(Debug, Default)]
    struct Noted(Mutex<Vec<(String, u64)>>);

    #[derive(Debug)]
    struct Free;

    #[async_trait]
    impl Limiter for Free {
        async fn turn(&self, _deadline: Instant) -> Result<(), NoTurn> {
            Ok(())
        }
    }

    impl Limits for Noted {
        fn limiter(&self, name: &str, period: Duration) -> Arc<dyn Limiter> {
            self.0.lock().push((name.to_owned(), period.as_secs()));
            Arc::new(Free)
        }
    }

    #[test]
    fn one_server_has_one_limit() {
        let written = "
            [[providers]]
            kind = 'photon'
            requests_per_s = 0.5
            url = 'https://maps.example/photon'
            [[providers]]
            kind = 'nominatim'
            requests_per_s = 0.1
            url = 'https://maps.example/nominatim'
            [[providers]]
            kind = 'photon'
            name = 'other'
            url = 'https://maps.example:8443'";
        let noted = Noted::default();
        build(&toml::from_str(written).unwrap(), &noted, Timestamp::now).unwrap().unwrap();
        let expect = [("maps.example:443", 10), ("maps.example:443", 10), ("maps.example:8443", 1)];
        assert_eq!(*noted.0.lock(), expect.map(|(server, period)| (server.to_owned(), period)));
    }
}
