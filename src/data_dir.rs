//! The data directory: one process at a time.

use std::fs::{DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

/// Holds the directory for this process; dropping it, or dying, lets go of it.
#[derive(Debug)]
pub(crate) struct DataDir {
    _lock: File,
}

/// Why the directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DataDirError {
    /// Another process uses it.
    #[error("another tidegate is running on this data directory")]
    InUse,
    /// It cannot be made or written.
    #[error("the data directory cannot be used")]
    Io(#[from] io::Error),
}

impl DataDir {
    /// Makes the directory if need be, for this user alone, and takes hold of it.
    ///
    /// # Errors
    /// See [`DataDirError`].
    pub(crate) fn open(path: &Path) -> Result<Self, DataDirError> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        let lock = File::options().write(true).create(true).truncate(false).open(path.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(DataDirError::InUse),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_process_is_told_and_a_later_one_is_let_in() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/data");
        let first = DataDir::open(&path).unwrap();
        assert!(matches!(DataDir::open(&path), Err(DataDirError::InUse)));
        drop(first);
        assert!(DataDir::open(&path).is_ok());
    }
}
