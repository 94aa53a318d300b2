//! The geocoder of the configuration, built anew when the configuration is read again.

use std::sync::Arc;

use jiff::Timestamp;
use tracing::{error, info};

use crate::config::{self, Config};
use crate::geocode::Geocoder;
use crate::geocode::build::build;
use crate::geocode::config::{Config as GeocodeConfig, Error};
use crate::geocode::limiter::LocalLimits;
use crate::geocode::reloadable::Reloadable;

/// Reads the configuration anew: the file as it is then, with the flags of the start over it. Blocking.
pub type Reread = Box<dyn Fn() -> Result<Config, config::Error> + Send + Sync>;

/// The geocoder that is in use, and the way to another one.
///
/// Limits of requests outlive a reload, so that reloading often is no way around them. What was kept in memory of
/// answers does not: another configuration may have other terms.
pub(super) struct ConfiguredGeocoder {
    current: Arc<Reloadable>,
    limits: Arc<LocalLimits>,
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
        let limits = Arc::<LocalLimits>::default();
        let built = build(config, &*limits, Timestamp::now)?;
        tell(config, built.is_some());
        Ok(Self { current: Arc::new(Reloadable::new(built)), limits, reread: Arc::new(reread) })
    }

    /// The geocoder, which stays the same through all reloads.
    pub(super) fn current(&self) -> Arc<dyn Geocoder> {
        Arc::clone(&self.current) as _
    }

    /// Reads the configuration anew and uses what it names; where it is refused, the last good one stays. Says whether
    /// it is used.
    pub(super) async fn reload(&self) -> bool {
        let (reread, limits) = (Arc::clone(&self.reread), Arc::clone(&self.limits));
        let building = tokio::task::spawn_blocking(move || {
            let config = reread().map_err(|cause| cause.to_string())?.geocode;
            let built = build(&config, &*limits, Timestamp::now).map_err(|cause| cause.to_string())?;
            Ok::<_, String>((config, built))
        });
        match building.await.unwrap_or_else(|panic| Err(panic.to_string())) {
            Ok((config, built)) => {
                tell(&config, built.is_some());
                self.current.replace(built);
                true
            }
            Err(cause) => {
                error!(cause, "the geocoders stay as they are: the configuration is refused");
                false
            }
        }
    }
}

/// Says which geocoders are in use.
fn tell(config: &GeocodeConfig, is_any: bool) {
    if !is_any {
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
    use parking_lot::Mutex;

    use super::*;

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
            geocoder.reload().await;
            assert_eq!(in_use.attributions(), expect, "{written}");
        };
        check(PHOTON, &["one"]).await;
        check(&PHOTON.replace("'one'", "'two'"), &["two"]).await;
        // The last good one stays, whatever is wrong.
        check("[geocode", &["two"]).await;
        check("[geocode]\ncolour = 1", &["two"]).await;
        check("[geocode]\ngazetteer = 'nowhere'", &["two"]).await;
        check("[[geocode.providers]]\nkind = 'opencage'\nkey_file = 'nowhere'", &["two"]).await;
        check("", &[]).await;
    }
}
