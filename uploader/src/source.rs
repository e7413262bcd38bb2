//! The file that is uploaded: opened once, and known again by what the system says about it.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::UploadError;

/// What makes a file the same file: a different value of any of these is a different file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fingerprint {
    /// Its length in bytes.
    pub size: u64,
    /// When its content changed last, in nanoseconds since 1970.
    pub modified_ns: i64,
    /// Its number in its file system.
    pub inode: u64,
}

impl Fingerprint {
    fn of(metadata: &Metadata) -> Self {
        let modified_ns =
            metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec());
        Self { size: metadata.size(), modified_ns, inode: metadata.ino() }
    }

    /// What differs from `other`, in a word.
    pub(crate) fn difference(&self, other: &Self) -> Option<&'static str> {
        if self.size != other.size {
            Some("its size is another")
        } else if self.inode != other.inode {
            Some("another file is in its place")
        } else if self.modified_ns != other.modified_ns {
            Some("it was written to")
        } else {
            None
        }
    }
}

/// An open file.
#[derive(Debug)]
pub(crate) struct Source {
    path: PathBuf,
    file: File,
    fingerprint: Fingerprint,
}

impl Source {
    /// Opens the file at `path`. Blocks.
    ///
    /// # Errors
    /// [`UploadError::Unreadable`] or [`UploadError::NotAFile`].
    pub(crate) fn open(path: &Path) -> Result<Self, UploadError> {
        let unreadable = |source| UploadError::Unreadable { path: path.to_owned(), source };
        let absolute = std::fs::canonicalize(path).map_err(unreadable)?;
        // Asked before opening: opening a pipe would wait for its other end.
        if let Some(what) = not_a_file(&std::fs::metadata(&absolute).map_err(unreadable)?) {
            return Err(UploadError::NotAFile { path: path.to_owned(), what });
        }
        let file = File::open(&absolute).map_err(unreadable)?;
        let fingerprint = Fingerprint::of(&file.metadata().map_err(unreadable)?);
        Ok(Self { path: absolute, file, fingerprint })
    }

    /// The absolute path, symbolic links resolved.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The open file.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// What the system said about the file when it was opened.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Its length in bytes when it was opened.
    pub(crate) fn size(&self) -> u64 {
        self.fingerprint.size
    }

    /// Reads `block.len()` bytes at `offset`. Blocks.
    ///
    /// # Errors
    /// [`UploadError::Changed`] when the file ends before that.
    pub(crate) fn read(&self, offset: u64, block: &mut [u8]) -> Result<(), UploadError> {
        self.file.read_exact_at(block, offset).map_err(|source| self.read_error(source))
    }

    /// The error for a failed read of this file.
    pub(crate) fn read_error(&self, source: io::Error) -> UploadError {
        match source.kind() {
            io::ErrorKind::UnexpectedEof => {
                UploadError::Changed { path: self.path.clone(), what: "it became shorter" }
            }
            _ => UploadError::Unreadable { path: self.path.clone(), source },
        }
    }

    /// Compares the open file, and what is at its path now, with what was opened. Blocks.
    ///
    /// # Errors
    /// [`UploadError::Changed`].
    pub(crate) fn unchanged(&self) -> Result<(), UploadError> {
        let open = self.file.metadata().map_err(|source| self.read_error(source))?;
        let changed = |what| UploadError::Changed { path: self.path.clone(), what };
        if let Some(what) = Fingerprint::of(&open).difference(&self.fingerprint) {
            return Err(changed(what));
        }
        match std::fs::metadata(&self.path) {
            Ok(there) => Fingerprint::of(&there)
                .difference(&self.fingerprint)
                .map_or(Ok(()), |what| Err(changed(what))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(changed("it was removed")),
            Err(source) => Err(UploadError::Unreadable { path: self.path.clone(), source }),
        }
    }
}

fn not_a_file(metadata: &Metadata) -> Option<&'static str> {
    let kind = metadata.file_type();
    if kind.is_file() {
        None
    } else if kind.is_dir() {
        Some("a directory")
    } else if kind.is_fifo() {
        Some("a pipe")
    } else if kind.is_socket() {
        Some("a socket")
    } else {
        Some("a device")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(dir: &tempfile::TempDir, content: &str) -> PathBuf {
        let path = dir.path().join("file");
        std::fs::write(&path, content).unwrap();
        path
    }

    #[test]
    fn a_file_at_rest_is_unchanged() {
        let dir = tempfile::tempdir().unwrap();
        let source = Source::open(&file(&dir, "hello")).unwrap();
        assert_eq!(source.size(), 5);
        source.unchanged().unwrap();
    }

    #[test]
    fn growth_replacement_and_removal_are_changes() {
        let dir = tempfile::tempdir().unwrap();
        let what = |source: &Source| match source.unchanged() {
            Err(UploadError::Changed { what, .. }) => what,
            other => panic!("{other:?}"),
        };

        let source = Source::open(&file(&dir, "hello")).unwrap();
        std::fs::write(dir.path().join("file"), "hello, world").unwrap();
        assert_eq!(what(&source), "its size is another");

        let source = Source::open(&file(&dir, "hello")).unwrap();
        std::fs::write(dir.path().join("other"), "HELLO").unwrap();
        std::fs::rename(dir.path().join("other"), dir.path().join("file")).unwrap();
        assert_eq!(what(&source), "another file is in its place");

        let source = Source::open(&file(&dir, "hello")).unwrap();
        std::fs::remove_file(dir.path().join("file")).unwrap();
        assert_eq!(what(&source), "it was removed");
    }

    #[test]
    fn a_file_that_became_shorter_has_changed() {
        let dir = tempfile::tempdir().unwrap();
        let source = Source::open(&file(&dir, "hello")).unwrap();
        std::fs::write(dir.path().join("file"), "he").unwrap();
        let error = source.read(0, &mut [0; 5]).unwrap_err();
        assert_eq!((error.code(), error.exit_code()), ("file_changed", crate::ExitCode::File));
    }

    #[test]
    fn only_regular_files_are_taken() {
        let dir = tempfile::tempdir().unwrap();
        assert!(
            Source::open(dir.path()).unwrap_err().to_string().ends_with("is a directory, not a regular file")
        );
        assert_eq!(Source::open(Path::new("/dev/null")).unwrap_err().code(), "not_a_file");
        assert_eq!(Source::open(&dir.path().join("none")).unwrap_err().code(), "file_unreadable");
    }
}
