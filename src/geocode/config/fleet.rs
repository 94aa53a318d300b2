//! Where a fleet keeps its limits of requests: the address of a Redis, checked.

use std::path::PathBuf;

use redis::{Client, ClientTlsConfig, IntoConnectionInfo as _, TlsCertificates};
use reqwest::Url;
use schemars::JsonSchema;
use secrecy::ExposeSecret as _;
use serde::Deserialize;

use super::{Error, host};
use crate::model::host::is_this_machine;
use crate::secret_file;

/// A Redis that all processes of a fleet share, as written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "GeocodeFleet")]
pub struct FleetConfig {
    /// Its address, `redis://HOST:PORT/DATABASE` with perhaps a user before the host; `rediss://` for TLS.
    pub redis: String,
    /// File that holds its password.
    pub password_file: Option<PathBuf>,
    /// Environment variable that holds its password.
    pub password_env: Option<String>,
    /// File of the certificates that sign the server's, PEM; without it those that the system trusts.
    pub ca_file: Option<PathBuf>,
}

impl FleetConfig {
    /// A client of it. Reads the files.
    ///
    /// # Errors
    /// The first fault that is found; it holds no secret.
    pub fn client(&self) -> Result<Client, Error> {
        let fault = |why: &str| Error::Value { key: "fleet.redis", why: why.to_owned() };
        let url = Url::parse(&self.redis).map_err(|_| fault("it is no URL, such as redis://127.0.0.1:6379"))?;
        let is_encrypted = url.scheme() == "rediss";
        if !(is_encrypted || url.scheme() == "redis") || url.host_str().is_none_or(str::is_empty) {
            return Err(fault("it begins with redis:// or rediss:// and a host"));
        }
        if url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
            return Err(fault("it has neither a password (that is in password_file or password_env) nor parameters"));
        }
        let password = secret_file::read_either(self.password_file.as_deref(), self.password_env.as_deref())
            .map_err(|why| Error::Value { key: "fleet.password_file", why })?;
        if password.is_some() && !is_encrypted && !is_this_machine(host(&url)) {
            return Err(fault("a password goes to another machine by TLS alone: rediss://"));
        }
        let info = self.redis.as_str().into_connection_info();
        let info = info.map_err(|_| fault("it is no address of a Redis, such as redis://127.0.0.1:6379/0"))?;
        let mut settings = info.redis_settings().clone();
        if let Some(password) = password {
            settings = settings.set_password(password.expose_secret());
        }
        let info = info.set_redis_settings(settings);
        let read = |path: &PathBuf| std::fs::read(path).map_err(|cause| format!("{}: {cause}", path.display()));
        let root_cert = self.ca_file.as_ref().map(read).transpose();
        let root_cert = root_cert.map_err(|why| Error::Value { key: "fleet.ca_file", why })?;
        let client = if is_encrypted {
            Client::build_with_tls(info, TlsCertificates { client_tls: None::<ClientTlsConfig>, root_cert })
        } else {
            Client::open(info)
        };
        client.map_err(|cause| Error::Value { key: "fleet.redis", why: cause.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn fleet(redis: &str) -> FleetConfig {
        FleetConfig { redis: redis.to_owned(), password_file: None, password_env: None, ca_file: None }
    }

    #[test]
    fn an_address_is_checked_and_shows_no_secret() {
        assert!(fleet("redis://127.0.0.1:6379/2").client().is_ok());
        assert!(fleet("redis://cache.example:6379").client().is_ok());
        assert!(fleet("rediss://cache.example:6379").client().is_ok());
        for bad in ["", "127.0.0.1", "http://127.0.0.1", "redis://:hunter2@127.0.0.1", "redis://x/y"] {
            let told = fleet(bad).client().unwrap_err().to_string();
            assert!(told.starts_with("geocode.fleet.redis") && !told.contains("hunter2"), "{bad}: {told}");
        }
    }

    #[test]
    fn a_password_comes_from_a_file_and_stays_on_this_machine() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("password");
        std::fs::write(&path, "hunter2\n").unwrap();
        let with = |redis| FleetConfig { password_file: Some(path.clone()), ..fleet(redis) };
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(with("redis://127.0.0.1").client().unwrap_err().to_string().contains("chmod"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let client = with("redis://127.0.0.1").client().unwrap();
        assert_eq!(client.get_connection_info().redis_settings().password(), Some("hunter2"));
        assert!(with("rediss://cache.example").client().is_ok());
        assert!(with("redis://cache.example").client().is_err());
    }
}
