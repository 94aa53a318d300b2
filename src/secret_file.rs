//! Secrets in files: written for the owner alone, whole or not there; read where not everybody can.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::{env, path::Path};

use secrecy::{ExposeSecret as _, SecretString};

/// The bit of a mode by which everybody may read.
const READ_BY_ALL: u32 = 0o004;

/// Writes a line that only the owner can read. What is at `path` is replaced by a rename, so neither its mode nor a link
/// that stands there matters, and nobody ever reads half of it.
pub fn write(path: &Path, line: &str) -> io::Result<()> {
    let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it names no file"))?;
    let mut beside = name.to_owned();
    beside.push(format!(".{}.new", std::process::id()));
    let beside = path.with_file_name(beside);
    let written = write_new(&beside, line).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // It may never have been made.
        let _ = fs::remove_file(&beside);
    }
    written
}

fn write_new(path: &Path, line: &str) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{line}")?;
    file.sync_all()
}

/// The secret in a file that others cannot read, without the end of its line. What is wrong holds nothing of it.
pub fn read(path: &Path) -> Result<SecretString, String> {
    let told = |cause: io::Error| format!("{}: {cause}", path.display());
    let mut file = File::open(path).map_err(told)?;
    refuse_mode(path, &file.metadata().map_err(told)?)?;
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(told)?;
    if text.trim().is_empty() {
        return Err(format!("{} is empty", path.display()));
    }
    Ok(SecretString::from(text.trim_end_matches(['\r', '\n'])))
}

/// Refuses a file that everybody can read, of which somebody else reads the secret.
pub fn refuse_open(path: &Path) -> Result<(), String> {
    refuse_mode(path, &fs::metadata(path).map_err(|cause| format!("{}: {cause}", path.display()))?)
}

fn refuse_mode(path: &Path, found: &fs::Metadata) -> Result<(), String> {
    if found.permissions().mode() & READ_BY_ALL != 0 {
        return Err(format!("{} can be read by everybody: chmod o-r", path.display()));
    }
    Ok(())
}

/// A secret out of a file or an environment variable, without blanks around it; `None` where neither is named. What is wrong
/// holds nothing of it.
pub fn read_either(file: Option<&Path>, variable: Option<&str>) -> Result<Option<SecretString>, String> {
    let name = match (file, variable) {
        (Some(_), Some(_)) => return Err("a file or an environment variable, not both".to_owned()),
        (Some(path), None) => {
            let secret = read(path)?;
            return Ok(Some(SecretString::from(secret.expose_secret().trim())));
        }
        (None, Some(name)) => name,
        (None, None) => return Ok(None),
    };
    match env::var(name).map_err(|_| format!("{name} is not set"))?.trim() {
        "" => Err(format!("{name} is empty")),
        secret => Ok(Some(SecretString::from(secret))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_where_others_cannot() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        write(&path, " Canary ").unwrap();
        assert_eq!(read(&path).unwrap().expose_secret(), " Canary ");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let told = read(&path).unwrap_err();
        assert!(told.contains("chmod o-r") && !told.contains("Canary"), "{told}");
        write(&path, " ").unwrap();
        assert!(read(&path).unwrap_err().contains("empty"));
        assert!(read(&directory.path().join("nowhere")).is_err());
    }

    #[test]
    fn neither_a_link_nor_an_open_mode_survives() {
        let directory = tempfile::tempdir().unwrap();
        let (target, link) = (directory.path().join("target"), directory.path().join("link"));
        fs::write(&target, "untouched").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        write(&link, "secret").unwrap();
        assert_eq!(fs::read_to_string(&link).unwrap(), "secret\n");
        assert_eq!(fs::symlink_metadata(&link).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_to_string(&target).unwrap(), "untouched");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2, "nothing is left beside");
        assert!(write(&directory.path().join("nowhere/file"), "secret").is_err());
    }
}
