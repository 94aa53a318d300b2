//! Which Redis, and what is asked of it: as written in the configuration, then checked.

use std::path::{Path, PathBuf};
use std::time::Duration;

use redis::{Client, ClientTlsConfig, ConnectionInfo, ErrorKind, IntoConnectionInfo as _, RedisError, TlsCertificates};
use schemars::JsonSchema;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use super::super::Error;
use crate::model::host::is_this_machine;
use crate::secret_file;

/// What all keys begin with where nobody says otherwise.
const PREFIX: &str = "waymark";
/// Partitions of a new deployment where nobody says otherwise: enough for a cluster of some nodes, and few connections.
const PARTITIONS: u16 = 16;
/// Most partitions: each has three connections of each replica.
const PARTITIONS_MAX: u16 = 256;
/// Commits that a partition's stream keeps where nobody says otherwise: at 100 a second a quarter of an hour.
const COMMITS_KEPT: u32 = 100_000;
/// Least of them: fewer, and each hiccup is a resync.
const COMMITS_KEPT_MIN: u32 = 1_000;
/// Longest prefix: it is in each key.
const PREFIX_BYTES_MAX: usize = 64;
/// The longest that a write may wait for Redis' own replicas.
const WAIT_MS_MAX: u32 = 10_000;

/// How the nodes are found that hold the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "RedisMode")]
pub enum Mode {
    /// One Redis, the first of the nodes.
    #[default]
    Single,
    /// The nodes are Sentinels; they say who is master.
    Sentinel,
    /// The nodes are some of a Redis Cluster's.
    Cluster,
}

/// The Redis that a fleet of replicas shares, as written.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Redis")]
pub struct Config {
    /// `HOST:PORT` of the Redis, of some Sentinels, or of some nodes of a cluster.
    pub nodes: Vec<String>,
    /// What they are.
    #[serde(default)]
    pub mode: Mode,
    /// What the Sentinels call the master.
    pub master_name: Option<String>,
    /// Whose password it is; nobody's in particular where it is missing.
    pub username: Option<String>,
    /// File that holds the password.
    pub password_file: Option<PathBuf>,
    /// Environment variable that holds the password.
    pub password_env: Option<String>,
    /// Whether connections are encrypted.
    #[serde(default)]
    pub tls: bool,
    /// File of the certificates that sign the servers', PEM; without it those that the system trusts.
    pub ca_file: Option<PathBuf>,
    /// Allows a password to be sent to another machine without TLS.
    #[serde(default)]
    pub allow_plaintext: bool,
    /// What all keys begin with: each deployment on one Redis has its own.
    #[serde(default = "prefix")]
    pub prefix: String,
    /// Partitions of a new deployment, 1 to 256; never changed afterwards.
    #[serde(default = "partitions")]
    pub partitions: u16,
    /// Replicas of Redis that must have a write before it is acknowledged.
    #[serde(default)]
    pub wait_replicas: u32,
    /// Milliseconds that a write waits for them.
    #[serde(default = "wait_ms")]
    pub wait_ms: u32,
    /// Commits that a partition's stream keeps, about; a replica that is further behind reads everything anew.
    #[serde(default = "commits_kept")]
    pub commits_kept: u32,
    /// Seconds for which a replica that cannot follow still counts as ready, and serves what it has.
    #[serde(default = "stale_max_s")]
    pub stale_max_s: u32,
    /// Starts on a Redis that may lose acknowledged writes, and writes to it.
    #[serde(default)]
    pub allow_data_loss: bool,
}

fn prefix() -> String {
    PREFIX.to_owned()
}

fn partitions() -> u16 {
    PARTITIONS
}

fn wait_ms() -> u32 {
    1_000
}

/// Longer, and a map that stands still is worse than none.
fn stale_max_s() -> u32 {
    300
}

fn commits_kept() -> u32 {
    COMMITS_KEPT
}

/// A host and its port.
pub(super) type Address = (String, u16);

/// A configuration that was checked; its secrets are read.
pub(super) struct Settings {
    pub(super) nodes: Vec<Address>,
    pub(super) mode: Mode,
    /// What the Sentinels call the master; empty in other modes.
    pub(super) master_name: String,
    pub(super) prefix: String,
    pub(super) partitions: u16,
    pub(super) wait_replicas: u32,
    pub(super) wait: Duration,
    pub(super) commits_kept: u32,
    pub(super) allow_data_loss: bool,
    username: Option<String>,
    password: Option<SecretString>,
    is_encrypted: bool,
    allow_plaintext: bool,
    /// The certificates that sign the servers', where they are not those that the system trusts.
    root_cert: Option<Vec<u8>>,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings").field("nodes", &self.nodes).field("mode", &self.mode).finish_non_exhaustive()
    }
}

impl Config {
    /// Refuses what [`super::Redis`] would; connects to nothing.
    pub fn check(&self) -> Result<(), Error> {
        self.settings().map(drop)
    }

    /// Checks everything, and reads the password. `secret` reads one from a file or a variable.
    pub(super) fn settings(&self) -> Result<Settings, Error> {
        let refuse = |cause: String| Error::Configuration { cause };
        let nodes = self.nodes.iter().map(|node| address(node)).collect::<Option<Vec<_>>>();
        let nodes = nodes.filter(|nodes| !nodes.is_empty());
        let nodes = nodes.ok_or_else(|| refuse("redis.nodes are HOST:PORT, one or more".into()))?;
        let master_name = match (self.mode, &self.master_name) {
            (Mode::Sentinel, Some(name)) if !name.is_empty() => name.clone(),
            (Mode::Sentinel, _) => {
                return Err(refuse("redis.master_name is what the Sentinels call the master".into()));
            }
            (_, Some(_)) => return Err(refuse("redis.master_name is for mode = \"sentinel\" alone".into())),
            (_, None) => String::new(),
        };
        if self.prefix.is_empty()
            || self.prefix.len() > PREFIX_BYTES_MAX
            || !self.prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        {
            return Err(refuse("redis.prefix is 1 to 64 letters, digits, hyphens, underscores and dots".into()));
        }
        if self.partitions == 0 || self.partitions > PARTITIONS_MAX {
            return Err(refuse(format!("redis.partitions is 1 to {PARTITIONS_MAX}")));
        }
        if self.commits_kept < COMMITS_KEPT_MIN {
            return Err(refuse(format!("redis.commits_kept is {COMMITS_KEPT_MIN} or more")));
        }
        if self.wait_ms == 0 || self.wait_ms > WAIT_MS_MAX {
            return Err(refuse(format!("redis.wait_ms is 1 to {WAIT_MS_MAX}")));
        }
        let password = secret_file::read_either(self.password_file.as_deref(), self.password_env.as_deref())
            .map_err(|why| refuse(format!("redis.password_file, redis.password_env: {why}")))?;
        let is_exposed = password.is_some() && !self.tls && !self.allow_plaintext;
        if let Some((host, _)) = nodes.iter().find(|(host, _)| is_exposed && !is_this_machine(host)) {
            return Err(refuse(format!(
                "the password would go to {host} unencrypted: set redis.tls, or redis.allow_plaintext"
            )));
        }
        let root_cert = self.ca_file.as_deref().map(read_file).transpose()?;
        Ok(Settings {
            nodes,
            mode: self.mode,
            master_name,
            prefix: self.prefix.clone(),
            partitions: self.partitions,
            wait_replicas: self.wait_replicas,
            wait: Duration::from_millis(self.wait_ms.into()),
            commits_kept: self.commits_kept,
            allow_data_loss: self.allow_data_loss,
            username: self.username.clone(),
            password,
            is_encrypted: self.tls,
            allow_plaintext: self.allow_plaintext,
            root_cert,
        })
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path)
        .map_err(|cause| Error::Configuration { cause: format!("redis.ca_file {}: {cause}", path.display()) })
}

fn address(node: &str) -> Option<Address> {
    let (host, port) = node.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let is_host = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte));
    Some((host.to_owned(), port.parse().ok()?)).filter(|_| is_host)
}

impl Settings {
    /// A client of a node. `as_sentinel` leaves out who we are: Sentinels have accounts of their own.
    pub(super) fn client(&self, (host, port): &Address, as_sentinel: bool) -> redis::RedisResult<Client> {
        let scheme = if self.is_encrypted { "rediss" } else { "redis" };
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        let info: ConnectionInfo = format!("{scheme}://{host}:{port}").into_connection_info()?;
        let mut redis = info.redis_settings().clone();
        if !as_sentinel {
            if let Some(username) = &self.username {
                redis = redis.set_username(username);
            }
            if let Some(password) = &self.password {
                // Sentinels and clusters name nodes that no configuration does.
                if !self.is_encrypted && !self.allow_plaintext && !is_this_machine(&host) {
                    return Err(RedisError::from((
                        ErrorKind::InvalidClientConfig,
                        "the password would go unencrypted to a node on another machine: set redis.tls, or redis.allow_plaintext",
                    )));
                }
                redis = redis.set_password(password.expose_secret());
            }
        }
        let info = info.set_redis_settings(redis);
        if !self.is_encrypted {
            return Client::open(info);
        }
        let root_cert = self.root_cert.clone();
        Client::build_with_tls(info, TlsCertificates { client_tls: None::<ClientTlsConfig>, root_cert })
    }
}
