//! The geocoder of the configuration, built anew when the configuration is read again.

use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::Mutex;
use tracing::{error, info};

use crate::config::{self, Config};
use crate::geocode::Geocoder;
use crate::geocode::build::{Built, build};
use crate::geocode::config::{Config as GeocodeConfig, Error, FleetConfig};
use crate::geocode::fleet::FleetLimits;
use crate::geocode::limiter::{Limits, LocalLimits};
use crate::geocode::reloadable::Reloadable;

/// Reads the configuration anew: the file as it is then, with the flags of the start over it. Blocking.
pub type Reread = Box<dyn Fn() -> Result<Config, config::Error> + Send + Sync>;

/// The geocoder that is in use, and the way to another one.
///
/// Limits of requests outlive a reload, so that reloading often is no way around them. Geocoders of which nothing changed
/// stay as they are, with what they remember and whom they leave alone; of the others nothing is kept, because another
/// configuration may have other terms. A configuration that is refused changes nothing.
pub(super) struct ConfiguredGeocoder {
    current: Arc<Reloadable>,
    built: Mutex<Arc<Built>>,
    limits: Arc<dyn Limits>,
    fleet: Option<FleetConfig>,
    reread: Arc<Reread>,
}

impl std::fmt::Debug for ConfiguredGeocoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConfiguredGeocoder").field("current", &self.current).finish_non_exhaustive()
    }
}

impl ConfiguredGeocoder {
    /// Builds what the configuration names. Blocking.
    pub(super) fn open(config: &GeocodeConfig, reread: Reread) -> Result<Self, Error> {
        let limits = limits(config)?;
        let built = build(config, &*limits, Timestamp::now, &Built::default())?;
        tell(config, &built);
        let current = Arc::new(Reloadable::new(built.geocoder()));
        Ok(Self {
            current,
            built: Mutex::new(Arc::new(built)),
            limits,
            fleet: config.fleet.clone(),
            reread: Arc::new(reread),
        })
    }

    /// The geocoder, which stays the same through all reloads.
    pub(super) fn current(&self) -> Arc<dyn Geocoder> {
        Arc::clone(&self.current) as _
    }

    /// Reads the configuration anew and uses what it names; where it is refused, the last good one stays. Says whether
    /// other geocoders are in use now.
    pub(super) async fn reload(&self) -> bool {
        let (reread, limits, fleet) = (Arc::clone(&self.reread), Arc::clone(&self.limits), self.fleet.clone());
        let before = Arc::clone(&self.built.lock());
        let building = tokio::task::spawn_blocking(move || {
            let config = reread().map_err(|cause| cause.to_string())?.geocode;
            if config.fleet != fleet {
                return Err("geocode.fleet changes with a restart alone: turns would be forgotten".to_owned());
            }
            let built = build(&config, &*limits, Timestamp::now, &before).map_err(|cause| cause.to_string())?;
            Ok::<_, String>((config, built))
        });
        match building.await.unwrap_or_else(|panic| Err(panic.to_string())) {
            Ok((config, built)) => {
                tell(&config, &built);
                let mut present = self.built.lock();
                let is_other = !present.is_same(&built);
                self.current.replace(built.geocoder());
                *present = Arc::new(built);
                is_other
            }
            Err(cause) => {
                error!(cause, "the geocoders stay as they are: the configuration is refused");
                false
            }
        }
    }
}

/// Limits of this process alone, or of a fleet.
fn limits(config: &GeocodeConfig) -> Result<Arc<dyn Limits>, Error> {
    let Some(fleet) = &config.fleet else { return Ok(Arc::<LocalLimits>::default()) };
    Ok(Arc::new(FleetLimits::new(fleet.client()?)))
}

/// Says which geocoders are in use.
fn tell(config: &GeocodeConfig, built: &Built) {
    if built.geocoder().is_none() {
        info!("no geocoder is configured: addresses cannot be looked up");
    }
    if let Some(path) = &config.gazetteer {
        info!(path = %path.display(), "gazetteer");
    }
    for provider in &config.providers {
        info!(provider = provider.name(), "geocoder");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::geocode::{self, Bias};
    use crate::model::address::AddressQuery;

    /// One whose configuration is what the text says when it is read.
    fn configured(text: &Arc<Mutex<String>>) -> ConfiguredGeocoder {
        let read = Arc::clone(text);
        let reread: Reread = Box::new(move || {
            toml::from_str(&read.lock()).map_err(|cause| config::Error::Malformed {
                path: "x".into(),
                line: 1,
                cause: cause.to_string(),
            })
        });
        let config = reread().unwrap();
        ConfiguredGeocoder::open(&config.geocode, reread).unwrap()
    }

    const PHOTON: &str = "[[geocode.providers]]\nkind = 'photon'\nurl = 'http://127.0.0.1:1'\nattribution = 'one'\n";

    #[tokio::test]
    async fn another_provider_needs_a_reload_and_no_restart() {
        let text = Arc::new(Mutex::new(String::new()));
        let geocoder = configured(&text);
        let in_use = geocoder.current();
        assert!(in_use.attributions().is_empty());
        let check = async |written: &str, expect: &[&str]| {
            *text.lock() = written.to_owned();
            let before = in_use.attributions();
            assert_eq!(geocoder.reload().await, before != expect, "{written}");
            assert_eq!(in_use.attributions(), expect, "{written}");
        };
        check(PHOTON, &["one"]).await;
        check(PHOTON, &["one"]).await;
        check(&PHOTON.replace("'one'", "'two'"), &["two"]).await;
        // The last good one stays, whatever is wrong.
        check("[geocode", &["two"]).await;
        check("[geocode]\ncolour = 1", &["two"]).await;
        check("[geocode]\ngazetteer = 'nowhere'", &["two"]).await;
        check("[[geocode.providers]]\nkind = 'opencage'\nkey_file = 'nowhere'", &["two"]).await;
        check("", &[]).await;
    }

    /// A server on this machine that counts its requests and answers none.
    async fn counting() -> (String, Arc<AtomicUsize>, tokio::task::JoinHandle<()>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let count = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&count);
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: 15\r\n\r\n{\"features\":[]}";
                let _ = stream.read(&mut [0; 4_096]).await;
                let _ = stream.write_all(answer).await;
            }
        });
        (url, count, task)
    }

    /// A hangup made a new limiter and forgot every answer: reloading in a loop asked the public server at will.
    #[tokio::test]
    async fn a_hangup_keeps_turns_and_memory() {
        let (url, count, server) = counting().await;
        let photon = format!("[[geocode.providers]]\nkind = 'photon'\nurl = '{url}'\nrequests_per_s = 0.01\n");
        let text = Arc::new(Mutex::new(photon.clone()));
        let geocoder = configured(&text);
        let in_use = geocoder.current();
        let ask = async |line: &str| in_use.forward(&AddressQuery::Line(line.to_owned()), &Bias::default(), 5).await;
        assert_eq!(ask("Gata 1").await, Ok(Vec::new()));
        // The file as it was; one that is refused; one with another rate; and one with another time of a cache.
        let refused = format!("{photon}[[geocode.providers]]\nkind = 'opencage'\n");
        for written in [photon.clone(), refused, photon.replace("0.01", "0.02")] {
            *text.lock() = written;
            geocoder.reload().await;
            assert_eq!(ask("Gata 1").await, Ok(Vec::new()), "it is remembered");
            assert!(matches!(ask("Gata 2").await, Err(geocode::Error::Busy { .. })), "the turn is taken");
        }
        *text.lock() = format!("{photon}cache_s = 1");
        geocoder.reload().await;
        assert!(matches!(ask("Gata 1").await, Err(geocode::Error::Busy { .. })), "another provider by its terms");
        assert_eq!(count.load(Ordering::SeqCst), 1);
        server.abort();
    }
}
