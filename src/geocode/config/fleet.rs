//! Where a fleet keeps its limits of requests: the address of a Redis, checked.

use std::path::PathBuf;

use redis::{ConnectionInfo, IntoConnectionInfo as _};
use reqwest::Url;
use secrecy::ExposeSecret as _;
use serde::Deserialize;

use super::{Error, host};
use crate::model::host::is_this_machine;
use crate::secret_file;

/// A Redis that all processes of a fleet share, as written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FleetConfig {
    /// Its address, `redis://HOST:PORT/DATABASE` with perhaps a user before the host.
    pub redis: String,
    /// File that holds its password.
    pub password_file: Option<PathBuf>,
    /// Environment variable that holds its password.
    pub password_env: Option<String>,
}

impl FleetConfig {
    /// How to connect. Reads the file of the password.
    ///
    /// # Errors
    /// The first fault that is found; it holds no secret.
    pub fn connection(&self) -> Result<ConnectionInfo, Error> {
        let fault = |why: &str| Error::Value { key: "fleet.redis", why: why.to_owned() };
        let url = Url::parse(&self.redis).map_err(|_| fault("it is no URL, such as redis://127.0.0.1:6379"))?;
        if url.scheme() != "redis" || url.host_str().is_none_or(str::is_empty) {
            return Err(fault("it begins with redis:// and a host; TLS to Redis is to come"));
        }
        if url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
            return Err(fault("it has neither a password (that is in password_file or password_env) nor parameters"));
        }
        let password = secret_file::read_either(self.password_file.as_deref(), self.password_env.as_deref())
            .map_err(|why| Error::Value { key: "fleet.password_file", why })?;
        if password.is_some() && !is_this_machine(host(&url)) {
            return Err(fault("a password goes to this machine alone, until there is TLS to Redis"));
        }
        let info = self.redis.as_str().into_connection_info();
        let info = info.map_err(|_| fault("it is no address of a Redis, such as redis://127.0.0.1:6379/0"))?;
        let Some(password) = password else { return Ok(info) };
        let settings = info.redis_settings().clone().set_password(password.expose_secret());
        Ok(info.set_redis_settings(settings))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn fleet(redis: &str) -> FleetConfig {
        FleetConfig { redis: redis.to_owned(), password_file: None, password_env: None }
    }

    #[test]
    fn an_address_is_checked_and_shows_no_secret() {
        assert!(fleet("redis://127.0.0.1:6379/2").connection().is_ok());
        assert!(fleet("redis://cache.example:6379").connection().is_ok());
        for bad in
            ["", "127.0.0.1", "http://127.0.0.1", "rediss://127.0.0.1", "redis://:hunter2@127.0.0.1", "redis://x/y"]
        {
            let told = fleet(bad).connection().unwrap_err().to_string();
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
        assert!(with("redis://127.0.0.1").connection().unwrap_err().to_string().contains("chmod"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let info = with("redis://127.0.0.1").connection().unwrap();
        assert_eq!(info.redis_settings().password(), Some("hunter2"));
        assert!(with("redis://cache.example").connection().is_err());
    }
}
