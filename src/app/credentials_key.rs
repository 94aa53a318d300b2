//! The key that credentials of connections are encrypted with: from a file or the environment, or made beside the store.
//!
//! It is never in the store itself, so that a copy of the store's file alone opens nothing. Whoever loses it sets the
//! credentials again.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tracing::info;

use crate::secret_file;
use crate::service::vault::KEY_BYTES;
use crate::ticketing::target::Config;

/// The file that is made beside the store.
pub(super) const FILE: &str = "credentials.key";

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Two places are named.
    #[error("ticketing.key_file and ticketing.key_env are both set: keep one")]
    Twice,
    /// The variable is not set.
    #[error("ticketing.key_env names {0}, which is not set")]
    Unset(String),
    /// The file cannot be read or made.
    #[error("{path}: {cause}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// Others may read the file.
    #[error("{0} can be read by others: chmod 600 it")]
    Open(PathBuf),
    /// It is no key. What stands there is not told.
    #[error("{0} holds no key: 32 random bytes in base64, such as `head -c 32 /dev/urandom | base64` writes")]
    Malformed(String),
    /// The system has no randomness to give.
    #[error("the system's random source failed: {0}")]
    Random(String),
}

/// The key of a configuration; made beside the store where none is named and there is none yet. Blocking.
pub(super) fn load(config: &Config, data_dir: &Path) -> Result<[u8; KEY_BYTES], Error> {
    match find(config, data_dir)? {
        Some(key) => Ok(key),
        None => make(&data_dir.join(FILE)),
    }
}

/// The key of a configuration; `None` where none is named and there is none beside the store. Blocking.
pub(super) fn find(config: &Config, data_dir: &Path) -> Result<Option<[u8; KEY_BYTES]>, Error> {
    match (&config.key_file, &config.key_env) {
        (Some(_), Some(_)) => Err(Error::Twice),
        (Some(path), None) => read(path).map(Some),
        (None, Some(name)) => {
            let text = env::var(name).map_err(|_| Error::Unset(name.clone()))?;
            parse(&text).map(Some).ok_or_else(|| Error::Malformed(name.clone()))
        }
        (None, None) => {
            let path = data_dir.join(FILE);
            match fs::symlink_metadata(&path) {
                Ok(_) => read(&path).map(Some),
                Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(cause) => Err(Error::File { path, cause }),
            }
        }
    }
}

fn read(path: &Path) -> Result<[u8; KEY_BYTES], Error> {
    let fault = |cause| Error::File { path: path.to_owned(), cause };
    let mode = fs::metadata(path).map_err(fault)?.permissions().mode();
    // Not even a group reads what opens all credentials.
    if mode & 0o077 != 0 {
        return Err(Error::Open(path.to_owned()));
    }
    let text = fs::read_to_string(path).map_err(fault)?;
    parse(&text).ok_or_else(|| Error::Malformed(path.display().to_string()))
}

fn make(path: &Path) -> Result<[u8; KEY_BYTES], Error> {
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key).map_err(|cause| Error::Random(cause.to_string()))?;
    let written = secret_file::write(path, &STANDARD.encode(key));
    written.map_err(|cause| Error::File { path: path.to_owned(), cause })?;
    info!(path = %path.display(), "made the key that credentials are encrypted with: back it up apart from the store");
    Ok(key)
}

fn parse(text: &str) -> Option<[u8; KEY_BYTES]> {
    STANDARD.decode(text.trim()).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_for_the_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let made = load(&Config::default(), directory.path()).unwrap();
        let path = directory.path().join(FILE);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(load(&Config::default(), directory.path()).unwrap(), made);
        let elsewhere = Config { key_file: Some(path.clone()), ..Config::default() };
        assert_eq!(load(&elsewhere, Path::new("nowhere")).unwrap(), made);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(load(&Config::default(), directory.path()), Err(Error::Open(_))));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        for text in ["", "short", "Canary", &STANDARD.encode([1; 31]), &STANDARD.encode([1; 33])] {
            fs::write(&path, text).unwrap();
            let failure = load(&Config::default(), directory.path()).unwrap_err();
            assert!(matches!(failure, Error::Malformed(_)) && !failure.to_string().contains("Canary"), "{failure}");
        }
    }

    #[test]
    fn a_key_that_is_named_has_to_be_there() {
        let of = |key_file: Option<&str>, key_env: Option<&str>| {
            let (key_file, key_env) = (key_file.map(PathBuf::from), key_env.map(str::to_owned));
            load(&Config { key_file, key_env, ..Config::default() }, Path::new("nowhere")).unwrap_err()
        };
        assert!(matches!(of(Some("nowhere"), None), Error::File { .. }));
        assert!(matches!(of(None, Some("WAYMARK_NO_SUCH_KEY")), Error::Unset(_)));
        assert!(matches!(of(Some("x"), Some("y")), Error::Twice));
    }
}
