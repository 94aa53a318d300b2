//! Files that commands write: whole or not there, and their owner's alone, because they hold what is held of people.

use std::fs::{File, remove_file, rename};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// A file beside the one that is to be written. Dropped before it is finished, it is removed: half of it would be taken for
/// the whole.
#[derive(Debug)]
pub(super) struct OutFile<'a> {
    path: &'a Path,
    part: PathBuf,
    file: File,
    is_finished: bool,
}

impl<'a> OutFile<'a> {
    /// Begins it.
    pub(super) fn create(path: &'a Path) -> anyhow::Result<Self> {
        let mut part = path.file_name().context("--out names no file")?.to_owned();
        part.push(format!(".{}.part", std::process::id()));
        let part = path.with_file_name(part);
        let file = File::options().write(true).create_new(true).mode(0o600).open(&part);
        let file = file.with_context(|| part.display().to_string())?;
        Ok(Self { path, part, file, is_finished: false })
    }

    /// Where to write.
    pub(super) fn writer(&self) -> std::io::Result<File> {
        self.file.try_clone()
    }

    /// Puts it in its place.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        self.file.sync_all()?;
        rename(&self.part, self.path).with_context(|| self.path.display().to_string())?;
        self.is_finished = true;
        Ok(())
    }
}

impl Drop for OutFile<'_> {
    fn drop(&mut self) {
        if !self.is_finished {
            let _ = remove_file(&self.part);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_whole_or_not_there() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sites.csv");
        let held = || std::fs::read_dir(directory.path()).unwrap().count();
        let half = OutFile::create(&path).unwrap();
        half.writer().unwrap().write_all(b"half").unwrap();
        assert!(held() == 1 && !path.exists());
        drop(half);
        assert_eq!(held(), 0);
        let whole = OutFile::create(&path).unwrap();
        whole.writer().unwrap().write_all(b"whole").unwrap();
        whole.finish().unwrap();
        assert_eq!((held(), std::fs::read(&path).unwrap()), (1, b"whole".to_vec()));
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}
