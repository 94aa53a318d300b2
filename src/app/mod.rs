//! The composition root: builds the parts from the configuration, starts and ends them in order.

mod answers;
pub mod backup;
#[cfg(test)]
mod broken;
pub mod check_store;
pub mod credentials_key;
mod descriptors;
#[cfg(test)]
mod fuzz;
pub mod geocoder;
mod handshake;
mod life;
mod listener;
pub mod migrate;
pub mod operator;
mod proxy_header;
mod stalled;
mod stores;
mod tls;
pub mod verdict;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ipnet::IpNet;
use jiff::Timestamp;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;
use tracing::{error, info, warn};

use self::tls::Certificates;
use crate::api::public_url::Reached;
use crate::api::traffic::Traffic;
use crate::api::{self, Health, Offered};
use crate::config::{self, Config};
use crate::geocode::borders::Borders;
use crate::geoip::databases::Databases;
use crate::identity::Issuers;
use crate::live::Live;
use crate::service::leading::go_on;
use crate::service::{Parts, Waymark};
use crate::store::Store;
use crate::telemetry::build_info::BUILD;
use crate::telemetry::traces::{self, Traces};
use crate::{geocode, geoip, identity, mail, service, store, telemetry};
use geocoder::{ConfiguredGeocoder, Reread};
use handshake::Handshakes;
use listener::{DRAIN_TIME, Listener, Served};

/// Why the program does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration is refused.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// The log filter is malformed.
    #[error(transparent)]
    Log(#[from] telemetry::FilterInvalid),
    /// The store does not open.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// More `GeoIP` databases are configured than are stacked.
    #[error(transparent)]
    GeoIp(#[from] geoip::error::Error),
    /// The geocoders are not built.
    #[error(transparent)]
    Geocode(#[from] geocode::config::Error),
    /// An identity provider is not configured well, or its file of keys is not good.
    #[error(transparent)]
    Identity(#[from] identity::config::Error),
    /// The mail server is not configured well.
    #[error(transparent)]
    Mail(#[from] mail::Error),
    /// Traces are not configured well.
    #[error(transparent)]
    Traces(#[from] traces::config::Error),
    /// The system does not hand over its signals.
    #[error("cannot listen for signals: {0}")]
    Signal(std::io::Error),
    /// There is no key for credentials.
    #[error(transparent)]
    CredentialsKey(#[from] credentials_key::Error),
    /// The use cases do not start.
    #[error(transparent)]
    Service(#[from] service::Error),
    /// The base map is not configured well.
    #[error(transparent)]
    Basemap(#[from] api::basemap::Error),
    /// The descriptors for reflection are malformed.
    #[error("reflection: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// Certificate or key cannot be used.
    #[error("{path}: {cause}")]
    Tls {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {cause}; choose another address")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        cause: std::io::Error,
    },
    /// A part that nothing goes on without ended by a fault of waymark's own.
    #[error("{0}: waymark ends, because what it has in memory may not be what is stored; start it again")]
    Broken(String),
    /// The admin token cannot be written.
    #[error("{path}: {cause}")]
    TokenFile {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
}

/// Time to write when sites were heard of last, where requests took all the time of the drain.
const LAST_SEEN_TIME_MIN: Duration = Duration::from_secs(1);

/// Time to write audit records and uses of tokens that are in memory alone: some hundred batches at most.
const LAST_NOTES_TIME_MAX: Duration = Duration::from_secs(2);

/// Time to send the traces that wait: a collector that is there takes them in milliseconds.
const LAST_TRACES_TIME_MAX: Duration = Duration::from_secs(2);

/// A program that is ready to serve.
#[derive(Debug)]
pub struct App {
    /// `http` or `https`, address and real port.
    pub url: String,
    /// The operator's token, on the first start alone.
    pub admin_token: Option<String>,
    listener: Listener,
    /// The operator's own, where there is one.
    metrics_listener: Option<Listener>,
    health: Health,
    /// For so long a replica that does not keep up still counts as ready.
    stale_max: Duration,
    store: Arc<dyn Store>,
    geoip: Arc<Databases>,
    geocoder: ConfiguredGeocoder,
    certificates: Option<Arc<Certificates>>,
    waymark: Arc<Waymark>,
    issuers: Arc<Issuers>,
    /// What a collector gets, where one is configured.
    traces: Option<Traces>,
    hangup: Signal,
}

impl App {
    /// Builds everything; when this returns, the address is bound and the map is whole. `reread` gives the
    /// configuration anew, as it is when it is called.
    pub async fn start(config: Config, reread: Reread) -> Result<Self, Error> {
        let config = config.check()?;
        // From here on a hangup means to look at databases, configuration and certificate, and ends nothing.
        let hangup = signal(SignalKind::hangup()).map_err(Error::Signal)?;
        let traces = config.traces.as_ref().map(|traces| Traces::open(traces, api::span_names)).transpose()?;
        telemetry::start(&config.log, traces.as_ref().map(Traces::tracer))?;
        info!(version = BUILD.version, commit = BUILD.commit, rustc = BUILD.rustc, target = BUILD.target, "starting");
        let proxies = config.service.trusted_proxies.clone();
        let certificates = config.listen.tls.as_ref().map(Certificates::open).transpose()?;
        let store = stores::open(&config).await?;
        let live = Live::follow(&*store).await?;
        let geoip = Arc::new(open_geoip(&config.geoip)?);
        let geocoder = ConfiguredGeocoder::open(&config.geocode, reread)?;
        let borders = open_borders(&config.geocode)?;
        let basemap = Arc::new(api::basemap::Basemap::resolve(&config.basemap)?);
        let key = credentials_key::load(&config.ticketing, &config.data_dir)?;
        stores::note_key(&*store, &key).await;
        let issuers = Arc::new(Issuers::open(&config.auth)?);
        let mailer = config.mail.as_ref().map(mail::Mailer::open).transpose()?;
        let waymark = Arc::new(
            Waymark::new(Parts {
                store: Arc::clone(&store),
                live,
                geoip: Arc::clone(&geoip),
                geocoder: Some(geocoder.current()),
                borders,
                ticketing: Some(service::ticketing::Setup::new(&config.ticketing, &key)),
                post: mailer.map(|mailer| service::resident::Post::new(mailer, &key)),
                clock: Timestamp::now,
                config: config.service,
            })
            .await?
            .with_issuers(Arc::clone(&issuers)),
        );
        let health = Health::default();
        let traffic = Arc::new(Traffic::new(&config.traffic));
        let own = config.metrics_listen.map(|address| config.listen.for_metrics(address));
        let reached = reached(&config.listen, &proxies);
        let offered = offered(&config.listen, own.is_some(), traces.is_some());
        let router = api::router(&waymark, &health, &traffic, &basemap, offered, &reached)?;
        let scheme = if certificates.is_some() { "https" } else { "http" };
        let handshakes = certificates.as_ref().map(|certificates| Handshakes::new(Arc::clone(certificates)));
        let connections = Arc::clone(traffic.connections());
        let served = Served { router, traffic: Arc::clone(&traffic), connections };
        let listener = Listener::bind(&config.listen, proxies, handshakes, served).await?;
        let metrics_listener = listen_for_metrics(own, &waymark, &health, traffic).await?;
        let admin_token = operator::first(&waymark, config.admin_token_file.as_deref()).await?;
        let url = format!("{scheme}://{}", listener.local_address());
        let stale_max =
            config.redis.as_ref().map_or(Duration::MAX, |redis| Duration::from_secs(redis.stale_max_s.into()));
        Ok(Self {
            url,
            admin_token,
            listener,
            metrics_listener,
            health,
            stale_max,
            store,
            geoip,
            geocoder,
            certificates,
            waymark,
            issuers,
            traces,
            hangup,
        })
    }

    /// Serves until `shutdown` resolves, then lets what runs finish, within a limit, and closes the store. Fails at once where the
    /// store ends by a fault of its own, or is found to have lost records: calls in hand are cut, as by the end of the process.
    pub async fn run_until(self, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
        self.health.begin();
        info!(url = self.url, "serving");
        let health = self.health.clone();
        let ending = Arc::new(OnceLock::new());
        let (begun, waymark) = (Arc::clone(&ending), Arc::clone(&self.waymark));
        let watched = Arc::clone(&self.waymark);
        let draining = async move {
            shutdown.await;
            let _ = begun.set(Instant::now());
            health.end();
            watched.end_watches();
            info!("draining");
        };
        let (reloaded, searched, noted) =
            (Arc::clone(&self.waymark), Arc::clone(&self.waymark), Arc::clone(&self.waymark));
        let working = tokio::spawn(Arc::clone(&self.waymark).work());
        let searching = tokio::spawn(async move { go_on("search", || searched.read_for_search()).await });
        let noting = tokio::spawn(async move { go_on("notes", || noted.work_on_notes()).await });
        let followed = Arc::clone(&self.issuers);
        let knowing = tokio::spawn(async move { go_on("identity", || followed.work()).await });
        let following = tokio::spawn(stores::watch_lag(Arc::clone(&self.store), self.health.clone(), self.stale_max));
        let broken = Arc::clone(&self.store);
        let certificates = self.certificates.as_deref();
        tokio::select! {
            cause = broken.broken() => return Err(Error::Broken(cause)),
            cause = losses(Arc::clone(&self.store)) => return Err(cause.into()),
            () = self.listener.serve_until(draining) => {}
            // As long as the other one, and while that drains.
            () = serve_for_ever(self.metrics_listener) => {}
            () = self.geoip.watch() => {}
            () = watch_certificates(certificates) => {}
            () = reload_at(self.hangup, &self.geoip, &self.geocoder, certificates, &self.issuers, &reloaded) => {}
        }
        waymark.end_work();
        if let Err(cause) = working.await {
            error!(%cause, "the background work ended badly");
        }
        for ending in [searching, following, noting, knowing] {
            ending.abort();
            // Until it has let go.
            let _ = ending.await;
        }
        let spent = ending.get().map(Instant::elapsed).unwrap_or_default();
        waymark.write_last_notes(LAST_NOTES_TIME_MAX).await;
        waymark.write_last_seen(DRAIN_TIME.saturating_sub(spent).max(LAST_SEEN_TIME_MIN)).await;
        self.store.close().await;
        if let Some(traces) = self.traces {
            traces.close(LAST_TRACES_TIME_MAX).await;
        }
        info!("closed");
        Ok(())
    }
}

/// What the main listener serves beside the methods and pages.
fn offered(listen: &config::Listen, is_metrics_apart: bool, traces: bool) -> Offered {
    Offered { reflection: listen.serves_reflection(), metrics: !is_metrics_apart, traces }
}

/// How callers reach the main listener. Who trusts proxies, or lets others reach a plain port, has something before it that may speak TLS.
fn reached(listen: &config::Listen, proxies: &[IpNet]) -> Reached {
    let is_tls = listen.tls.is_some();
    let is_behind_proxy = !proxies.is_empty() || (listen.allow_plaintext && !is_tls);
    Reached { public_url: listen.public_url.clone(), is_tls, is_behind_proxy }
}

/// Opens the databases, and says what they are.
fn open_geoip(config: &geoip::config::Config) -> Result<Databases, Error> {
    let databases = Databases::open(config, Timestamp::now)?;
    for database in databases.current().databases() {
        info!(path = %database.path.display(), kind = database.database_type, built = %database.build_time, "GeoIP database");
    }
    if config.databases.is_empty() {
        info!("no GeoIP database is configured: sites stay unplaced until a person places them");
    }
    Ok(databases)
}

/// Reads the borders of countries, and says which.
fn open_borders(config: &geocode::config::Config) -> Result<Option<Arc<Borders>>, geocode::config::Error> {
    let Some(path) = &config.borders else {
        info!("no borders are configured: whether a position is in its country or at sea is not checked");
        return Ok(None);
    };
    let borders = Borders::open(path)?;
    info!(path = %path.display(), "borders");
    Ok(Some(Arc::new(borders)))
}

/// The operator's own listener, where one is configured. What comes by it is counted with all other calls; its connections are not.
async fn listen_for_metrics(
    own: Option<config::Listen>,
    waymark: &Arc<Waymark>,
    health: &Health,
    traffic: Arc<Traffic>,
) -> Result<Option<Listener>, Error> {
    let Some(listen) = own else { return Ok(None) };
    let router = api::metrics_router(waymark, health, &traffic);
    let served = Served { router, traffic, connections: Arc::default() };
    let listener = Listener::bind(&listen, Vec::new(), None, served).await?;
    info!(address = %listener.local_address(), "serving metrics and health");
    Ok(Some(listener))
}

/// Serves what an own listener has, for ever.
async fn serve_for_ever(listener: Option<Listener>) {
    match listener {
        Some(listener) => listener.serve_until(std::future::pending()).await,
        None => std::future::pending().await,
    }
}

/// Looks whether the store lost records, as a start does that reads all of them; ends where it did.
async fn losses(store: Arc<dyn Store>) -> store::Error {
    match store.prove().await {
        Err(cause @ store::Error::Damaged { .. }) => return cause,
        Err(cause) => warn!(%cause, "not all records of the store were looked at"),
        Ok(()) => {}
    }
    std::future::pending().await
}

/// Takes up renewed certificates, for ever.
async fn watch_certificates(certificates: Option<&Certificates>) {
    match certificates {
        Some(certificates) => certificates.watch().await,
        None => std::future::pending().await,
    }
}

/// Reloads databases, geocoders, certificates and keys of identity providers at each hangup, for ever.
async fn reload_at(
    mut hangup: Signal,
    databases: &Arc<Databases>,
    geocoder: &ConfiguredGeocoder,
    certificates: Option<&Certificates>,
    issuers: &Issuers,
    waymark: &Waymark,
) {
    while hangup.recv().await.is_some() {
        info!(
            "hangup: looking at the GeoIP databases, the geocoders, the certificate and the keys of identity providers"
        );
        issuers.look_again();
        if let Some(certificates) = certificates {
            certificates.reload();
        }
        databases.reload().await;
        if geocoder.reload().await {
            waymark.geocoders_changed();
        }
    }
    std::future::pending::<()>().await;
}
