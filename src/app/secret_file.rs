//! Secrets in files: for the owner alone, whole or not there.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

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
