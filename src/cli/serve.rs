//! `waymark serve`.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use ipnet::IpNet;
use tokio::signal::unix::{SignalKind, signal};

use super::say;
use crate::app::App;
use crate::config::{self, Config, Tls};
use crate::geoip::config::DatabaseConfig;
use crate::telemetry::{self, Format};

/// What the system sends to who lets a file grow beyond the limit for files. Its number on Linux, but for MIPS, and on BSD.
const FILE_SIZE_EXCEEDED: i32 = 25;

/// Flags win over the file.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Arguments {
    /// Configuration file, TOML
    #[arg(long, env = "WAYMARK_CONFIG")]
    config: Option<PathBuf>,
    /// Address and port; port 0 for any free one
    #[arg(long, env = "WAYMARK_LISTEN")]
    listen: Option<SocketAddr>,
    /// Address and port of a listener of its own for metrics and health; `/metrics` is there alone then
    #[arg(long)]
    metrics_listen: Option<SocketAddr>,
    /// Directory of the store
    #[arg(long, env = "WAYMARK_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// File that gets the first start's admin token, mode 0600
    #[arg(long)]
    admin_token_file: Option<PathBuf>,
    /// GeoIP database, MMDB; may be given several times, asked in order
    #[arg(long)]
    geoip: Vec<PathBuf>,
    /// Directory of the gazetteer's index
    #[arg(long)]
    gazetteer: Option<PathBuf>,
    /// Borders of countries, by which positions are checked: `countries-10m.json` of world-atlas
    #[arg(long)]
    borders: Option<PathBuf>,
    /// Network of a proxy whose forwarding headers are believed; may be given several times
    #[arg(long)]
    trusted_proxy: Vec<IpNet>,
    /// Seconds for which a site has to come from elsewhere alone before its GeoIP position follows; 0 for at once
    #[arg(long)]
    move_after: Option<u32>,
    /// Certificate chain, PEM
    #[arg(long, requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Private key, PEM
    #[arg(long, requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Allows plain connections on an address that others can reach
    #[arg(long)]
    allow_plaintext: bool,
    /// Each connection comes from a trusted proxy and begins with a PROXY header, version 1 or 2
    #[arg(long)]
    proxy_protocol: bool,
    /// Form of the log lines on standard error
    #[arg(long)]
    log_format: Option<Format>,
    /// Which log lines, such as `info` or `waymark=debug`
    #[arg(long, env = "WAYMARK_LOG")]
    log: Option<String>,
}

impl Arguments {
    /// The configuration: the file's, with what the flags say over it.
    fn resolve(self) -> Result<Config, config::Error> {
        let mut config = self.config.as_deref().map(Config::read).transpose()?.unwrap_or_default();
        config.listen.address = self.listen.unwrap_or(config.listen.address);
        config.metrics_listen = self.metrics_listen.or(config.metrics_listen);
        config.listen.allow_plaintext |= self.allow_plaintext;
        config.listen.proxy_protocol |= self.proxy_protocol;
        if let (Some(certificate), Some(key)) = (self.tls_cert, self.tls_key) {
            // What the file says of clients stays.
            let former = config.listen.tls.take();
            let (client_ca_file, client_certificates) =
                former.map(|tls| (tls.client_ca_file, tls.client_certificates)).unwrap_or_default();
            config.listen.tls = Some(Tls { certificate, key, client_ca_file, client_certificates });
        }
        config.data_dir = self.data_dir.unwrap_or(config.data_dir);
        config.admin_token_file = self.admin_token_file.or(config.admin_token_file);
        config.geocode.gazetteer = self.gazetteer.or(config.geocode.gazetteer);
        config.geocode.borders = self.borders.or(config.geocode.borders);
        if !self.geoip.is_empty() {
            config.geoip.databases = self.geoip.into_iter().map(DatabaseConfig::from).collect();
        }
        if !self.trusted_proxy.is_empty() {
            config.service.trusted_proxies = self.trusted_proxy;
        }
        config.service.move_after_s = self.move_after.unwrap_or(config.service.move_after_s);
        config.log.format = self.log_format.unwrap_or(config.log.format);
        config.log.filter = self.log.unwrap_or(config.log.filter);
        Ok(config)
    }
}

/// Serves until SIGTERM or SIGINT.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    telemetry::tell_panics();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    // Unless somebody takes it, it ends the process in the midst of a write. The write fails too, and the store says so.
    let _taken = signal(SignalKind::from_raw(FILE_SIZE_EXCEEDED))?;
    let again = arguments.clone();
    let reread = Box::new(move || again.clone().resolve());
    let app = App::start(arguments.resolve()?, reread).await.context("cannot start")?;
    if let Some(token) = &app.admin_token {
        say(format_args!("admin token, shown once: {token}"))?;
    }
    say(format_args!("waymark is ready at {}", app.url))?;
    app.run_until(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
    .await?;
    Ok(())
}
