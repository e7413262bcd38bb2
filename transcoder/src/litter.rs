//! Directories of this worker's own below the system's temporary one, and what killed workers have left of theirs.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;

use tempfile::TempDir;

/// What a worker locks in its directories, for as long as it lives.
const LOCK: &str = "worker.lock";

/// A directory that is this worker's own, locked, and removed at its end.
#[derive(Debug)]
pub(crate) struct Own {
    directory: TempDir,
    _lock: File,
}

impl Own {
    /// A new one below `parent`, whose name begins with `prefix`.
    pub(crate) fn new(parent: &Path, prefix: &str) -> io::Result<Self> {
        let directory = temporary(parent, prefix)?;
        let lock = lock(directory.path())?.ok_or(io::ErrorKind::ResourceBusy)?;
        Ok(Self { directory, _lock: lock })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// A new directory below `parent`, with mode 0700. Those of this prefix whose workers were killed are removed; one
/// without a lock is someone else's, or is just being made.
pub(crate) fn temporary(parent: &Path, prefix: &str) -> io::Result<TempDir> {
    for left in fs::read_dir(parent).into_iter().flatten().flatten() {
        let ours = left.file_name().to_string_lossy().starts_with(prefix);
        let lock = ours.then(|| File::open(left.path().join(LOCK)).ok()).flatten();
        if lock.is_some_and(|lock| lock.try_lock().is_ok()) {
            let _ = fs::remove_dir_all(left.path());
        }
    }
    tempfile::Builder::new().prefix(prefix).tempdir_in(parent)
}

/// Locks `directory`; `None` when a living worker has it.
pub(crate) fn lock(directory: &Path) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    let lock = options.create(true).write(true).truncate(false).open(directory.join(LOCK))?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_worker_left_behind_is_removed_and_what_is_not_its_own_stays() {
        let parent = tempfile::tempdir().unwrap();
        let living = Own::new(parent.path(), "tg-").unwrap();
        let killed = temporary(parent.path(), "tg-").unwrap().keep();
        fs::create_dir(killed.join("sockets")).unwrap();
        drop(lock(&killed).unwrap());
        let strange = parent.path().join("tg-strange");
        fs::create_dir(&strange).unwrap();
        let other = parent.path().join("other");
        fs::create_dir(&other).unwrap();
        drop(lock(&other).unwrap());
        let new = Own::new(parent.path(), "tg-").unwrap();
        assert!(living.path().exists() && new.path().exists() && !killed.exists());
        assert!(strange.exists() && other.exists());
        assert!(lock(living.path()).unwrap().is_none());
    }
}
