//! What a restarted process needs to go on: one small file per upload.
//!
//! It is found by the file's path and the server's endpoint, and says which content (size, time, inode) it is
//! about. A process holds a lock beside it for as long as it uploads. Every write is a new file that is synced and
//! then renamed over the old one, so there is always a whole one.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::limits;
use crate::plan::{self, Part};
use crate::source::Fingerprint;

const VERSION: u32 = 1;

/// The content of a journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    version: u32,
    /// The absolute path, for people who look into the journal.
    pub path: String,
    /// The creation endpoint.
    pub endpoint: String,
    /// Which content.
    pub file: Fingerprint,
    /// The parts, in order; one when the file is not cut.
    pub parts: Vec<PartRecord>,
    /// The final upload was asked for, and its answer is not known.
    #[serde(default)]
    pub concatenating: bool,
}

/// One part's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PartRecord {
    /// Where in the file.
    #[serde(flatten)]
    pub part: Part,
    /// The upload's address, once it is created.
    pub url: Option<String>,
    /// The highest offset the server is known to have confirmed. It may be behind, never ahead.
    #[serde(default)]
    pub acknowledged: u64,
}

impl Record {
    /// A fresh one.
    pub(crate) fn new(path: &Path, endpoint: &str, file: Fingerprint, parts: &[Part]) -> Self {
        let part = |part: &Part| PartRecord { part: *part, url: None, acknowledged: 0 };
        Self {
            version: VERSION,
            path: path.to_string_lossy().into_owned(),
            endpoint: endpoint.to_owned(),
            file,
            parts: parts.iter().map(part).collect(),
            concatenating: false,
        }
    }

    fn is_sound(&self) -> bool {
        let parts: Vec<Part> = self.parts.iter().map(|record| record.part).collect();
        self.version == VERSION
            && plan::covers(&parts, self.file.size)
            && self.parts.iter().all(|record| record.acknowledged <= record.part.len)
    }
}

/// What was found of an earlier run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing: a new upload.
    Nothing,
    /// An upload of this very content that can go on.
    Unfinished(Record),
    /// An upload of other content at the same path; the text says what differs.
    OtherContent(&'static str),
    /// Something that is not a journal.
    Corrupt(String),
}

/// Why there is no journal.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JournalError {
    /// Another process holds the lock at this path.
    #[error("locked: {}", .0.display())]
    Busy(PathBuf),
    /// The directory cannot be written.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// An open, locked journal. Dropping it releases the lock and keeps the file.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    lock_path: PathBuf,
    _lock: File,
}

impl Journal {
    /// Locks and reads the journal of the upload of `path` (absolute) to `endpoint` in `dir`, which is made when it
    /// is missing. Blocks, but never waits for the lock.
    ///
    /// # Errors
    /// [`JournalError`].
    pub(crate) fn open(
        dir: &Path,
        path: &Path,
        endpoint: &str,
        file: Fingerprint,
    ) -> Result<(Self, Found), JournalError> {
        let io = |at: &Path, source| JournalError::Io { path: at.to_owned(), source };
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|error| io(dir, error))?;
        let name = name(path, endpoint);
        let lock_path = dir.join(format!("{name}.lock"));
        let lock = lock(&lock_path)?;
        let journal = Self { path: dir.join(format!("{name}.json")), lock_path, _lock: lock };
        let found = match journal.read() {
            Ok(None) => Found::Nothing,
            Err(error) => Found::Corrupt(error.to_string()),
            Ok(Some(record)) if !record.is_sound() || record.endpoint != endpoint => {
                Found::Corrupt("its content makes no sense".to_owned())
            }
            Ok(Some(record)) => match record.file.difference(&file) {
                Some(what) => Found::OtherContent(what),
                None => Found::Unfinished(record),
            },
        };
        Ok((journal, found))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Replaces the content, durably. Blocks.
    ///
    /// # Errors
    /// The file system's; the old content is then still there.
    pub(crate) fn save(&self, record: &Record) -> io::Result<()> {
        let text = serde_json::to_vec_pretty(record)?;
        let fresh = self.path.with_extension("new");
        let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.write_all(&text)?;
        file.sync_all()?;
        std::fs::rename(&fresh, &self.path)?;
        match self.path.parent() {
            Some(dir) => File::open(dir)?.sync_all(),
            None => Ok(()),
        }
    }

    /// The upload is over: removes the journal and its lock. Blocks.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn remove(self) -> io::Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // Removed while it is still held; whoever opened it meanwhile sees that it is no longer the one there.
        std::fs::remove_file(&self.lock_path)
    }

    fn read(&self) -> io::Result<Option<Record>> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut text = Vec::new();
        file.take(limits::JOURNAL_MAX).read_to_end(&mut text)?;
        Ok(Some(serde_json::from_slice(&text)?))
    }
}

/// Takes the lock, and makes sure that it is the file others will find: its last holder may have removed it between
/// our opening and our locking it.
fn lock(path: &Path) -> Result<File, JournalError> {
    let io = |source| JournalError::Io { path: path.to_owned(), source };
    loop {
        let file =
            File::options().write(true).create(true).truncate(false).mode(0o600).open(path).map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(JournalError::Busy(path.to_owned())),
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
        let ours = file.metadata().map_err(io)?;
        match std::fs::metadata(path) {
            Ok(there) if (there.dev(), there.ino()) == (ours.dev(), ours.ino()) => return Ok(file),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(io(error)),
        }
    }
}

fn name(path: &Path, endpoint: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(path.as_os_str().as_bytes()).update(&[0]).update(endpoint.as_bytes());
    tidegate_wire::digest::to_hex(&hasher.finalize().as_bytes()[..16])
}

/// `$XDG_STATE_HOME/tidegate/uploads`, or below `~/.local/state`. `None` without a home.
pub(crate) fn default_dir() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state =
        absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state")))?;
    Some(state.join("tidegate/uploads"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: Fingerprint = Fingerprint { size: 3 << 20, modified_ns: 5, inode: 7 };
    const AT: &str = "http://h/files";

    fn open(dir: &Path, file: Fingerprint) -> Result<(Journal, Found), JournalError> {
        Journal::open(dir, Path::new("/data/film.mp4"), AT, file)
    }

    fn record() -> Record {
        let mut record = Record::new(Path::new("/data/film.mp4"), AT, FILE, &plan::parts(FILE.size, 2));
        record.parts[1].url = Some("http://h/files/b".into());
        record.parts[1].acknowledged = 17;
        record
    }

    #[test]
    fn what_was_saved_is_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/b");
        let (journal, found) = open(&deep, FILE).unwrap();
        assert_eq!(found, Found::Nothing);
        journal.save(&record()).unwrap();
        drop(journal);
        assert_eq!(open(&deep, FILE).unwrap().1, Found::Unfinished(record()));
    }

    #[test]
    fn a_finished_upload_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let (journal, _) = open(dir.path(), FILE).unwrap();
        journal.save(&record()).unwrap();
        journal.remove().unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        assert_eq!(open(dir.path(), FILE).unwrap().1, Found::Nothing);
    }

    #[test]
    fn a_second_process_is_told_that_there_is_a_first() {
        let dir = tempfile::tempdir().unwrap();
        let first = open(dir.path(), FILE).unwrap();
        assert!(matches!(open(dir.path(), FILE), Err(JournalError::Busy(_))));
        let other = Journal::open(dir.path(), Path::new("/data/film.mp4"), "http://other/files", FILE);
        assert!(other.is_ok(), "another server is another upload");
        drop(first);
        assert!(open(dir.path(), FILE).is_ok());
    }

    #[test]
    fn an_upload_of_other_content_is_not_continued() {
        let dir = tempfile::tempdir().unwrap();
        let (journal, _) = open(dir.path(), FILE).unwrap();
        journal.save(&record()).unwrap();
        drop(journal);
        for (file, what) in [
            (Fingerprint { size: 1, ..FILE }, "its size is another"),
            (Fingerprint { modified_ns: 6, ..FILE }, "it was written to"),
            (Fingerprint { inode: 8, ..FILE }, "another file is in its place"),
        ] {
            assert_eq!(open(dir.path(), file).unwrap().1, Found::OtherContent(what));
        }
    }

    #[test]
    fn a_corrupt_journal_is_said_to_be_one() {
        let dir = tempfile::tempdir().unwrap();
        let (journal, _) = open(dir.path(), FILE).unwrap();
        journal.save(&record()).unwrap();
        let path = journal.path().to_owned();
        drop(journal);
        let text = std::fs::read_to_string(&path).unwrap();
        let broken = [
            String::new(),
            "\0\0\0".to_owned(),
            text[..text.len() / 2].to_owned(),
            text.replace("\"version\": 1", "\"version\": 99"),
            text.replace("\"acknowledged\": 17", "\"acknowledged\": 99999999999"),
            text.replace(AT, "http://evil/files"),
            text.replace("\"start\": 0", "\"start\": 4096"),
            " ".repeat(2 << 20),
        ];
        for content in broken {
            std::fs::write(&path, &content).unwrap();
            let found = open(dir.path(), FILE).unwrap().1;
            assert!(matches!(found, Found::Corrupt(_)), "{found:?} for {:.60}", content);
        }
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_an_error_with_its_name() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = open(&file.path().join("x"), FILE).unwrap_err();
        assert!(error.to_string().starts_with(file.path().to_str().unwrap()), "{error}");
    }
}
