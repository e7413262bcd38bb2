//! The scratch directory: whole and half fetched sources, within a limit, the longest unused going first.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tempfile::TempDir;
use tidegate_serve::Clock;
use tidegate_wire::AssetId;
use tokio::sync::OwnedMutexGuard;

use crate::config::ConfigError;
use crate::failure::Fault;
use crate::limits;
use crate::litter;

use super::fetch::Fetched;

/// The directory and what is in it.
#[derive(Debug)]
pub(super) struct Scratch {
    directory: PathBuf,
    limit_bytes: u64,
    clock: Clock,
    entries: Mutex<HashMap<AssetId, Entry>>,
    /// Held while the worker lives, so that two do not share a directory.
    _lock: File,
    _temporary: Option<TempDir>,
}

#[derive(Debug)]
struct Entry {
    size_bytes: u64,
    users: usize,
    used_ms: u64,
    forgotten: bool,
    state: Arc<tokio::sync::Mutex<Fetched>>,
    whole: Arc<std::sync::atomic::AtomicBool>,
}

/// A source that is not removed while this lives.
#[derive(Debug)]
pub(super) struct Kept {
    scratch: Arc<Scratch>,
    asset: AssetId,
    path: PathBuf,
    state: Arc<tokio::sync::Mutex<Fetched>>,
}

impl Kept {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// How much of it is there; one at a time fetches.
    pub(super) async fn state(&self) -> OwnedMutexGuard<Fetched> {
        self.state.clone().lock_owned().await
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.scratch.release(self.asset);
    }
}

impl Scratch {
    /// Takes the directory over; what another worker has left there is removed.
    pub(super) fn new(directory: Option<&Path>, limit_bytes: u64, clock: Clock) -> Result<Self, ConfigError> {
        let made = |parent: &Path| {
            let unusable = |error: std::io::Error| ConfigError::Scratch(parent.to_owned(), error.to_string());
            litter::temporary(parent, PREFIX).map_err(unusable)
        };
        let temporary = directory.is_none().then(|| made(&std::env::temp_dir())).transpose()?;
        let directory = directory.or(temporary.as_ref().map(TempDir::path)).unwrap_or(Path::new("."));
        let unusable = |why: String| ConfigError::Scratch(directory.to_owned(), why);
        let lock = own(directory).map_err(unusable)?;
        let directory = std::path::absolute(directory).map_err(|error| unusable(error.to_string()))?;
        Ok(Self {
            directory,
            limit_bytes,
            clock,
            entries: Mutex::default(),
            _lock: lock,
            _temporary: temporary,
        })
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<AssetId, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, asset: AssetId) -> PathBuf {
        self.directory.join(format!("{asset}.source"))
    }

    /// A place for a source of `size_bytes`, made by removing what nobody uses.
    pub(super) fn keep(self: &Arc<Self>, asset: AssetId, size_bytes: u64) -> Result<Kept, Fault> {
        let mut entries = self.entries();
        if !entries.contains_key(&asset) {
            self.make_room(&mut entries, size_bytes)?;
        }
        let path = self.path(asset);
        let entry = entries.entry(asset).or_insert_with(|| {
            let whole = Arc::default();
            let state = Fetched::new(path.clone(), Arc::clone(&whole));
            let state = Arc::new(tokio::sync::Mutex::new(state));
            Entry { size_bytes, users: 0, used_ms: 0, forgotten: false, state, whole }
        });
        entry.users += 1;
        entry.forgotten = false;
        Ok(Kept { scratch: self.clone(), asset, path, state: entry.state.clone() })
    }

    fn make_room(&self, entries: &mut HashMap<AssetId, Entry>, size_bytes: u64) -> Result<(), Fault> {
        loop {
            let taken: u64 = entries.values().map(|entry| entry.size_bytes).sum();
            let fits = taken.saturating_add(size_bytes) <= self.limit_bytes;
            if fits && self.unpromised_bytes(entries) >= size_bytes {
                return Ok(());
            }
            let idle = entries.iter().filter(|(_, entry)| entry.users == 0);
            let Some(oldest) = idle.min_by_key(|(_, entry)| entry.used_ms).map(|(asset, _)| *asset) else {
                return Err(Fault::transient("disk_full", "The worker has no room for the file."));
            };
            self.remove(entries, oldest);
        }
    }

    fn remove(&self, entries: &mut HashMap<AssetId, Entry>, asset: AssetId) {
        entries.remove(&asset);
        if let Err(error) = fs::remove_file(self.path(asset))
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%asset, %error, "scratch.not_removed");
        }
    }

    fn release(&self, asset: AssetId) {
        let mut entries = self.entries();
        let Some(entry) = entries.get_mut(&asset) else { return };
        entry.users = entry.users.saturating_sub(1);
        entry.used_ms = self.clock.unix_ms();
        if entry.users == 0 && entry.forgotten {
            self.remove(&mut entries, asset);
        }
    }

    /// Removes a source as soon as nobody uses it.
    pub(super) fn forget(&self, asset: AssetId) {
        let mut entries = self.entries();
        let Some(entry) = entries.get_mut(&asset) else { return };
        entry.forgotten = true;
        if entry.users == 0 {
            self.remove(&mut entries, asset);
        }
    }

    /// Removes what nobody has used for long.
    pub(super) fn sweep(&self) {
        let now_ms = self.clock.unix_ms();
        let kept_ms = u64::try_from(limits::SOURCE_KEPT.as_millis()).unwrap_or(u64::MAX);
        let mut entries = self.entries();
        let old = |entry: &Entry| entry.users == 0 && now_ms.saturating_sub(entry.used_ms) > kept_ms;
        let old: Vec<_> = entries.iter().filter(|(_, entry)| old(entry)).map(|(asset, _)| *asset).collect();
        old.into_iter().for_each(|asset| self.remove(&mut entries, asset));
    }

    /// What a new source may take: what nobody uses would go for it.
    pub(super) fn free_bytes(&self) -> u64 {
        let entries = self.entries();
        let used: u64 = entries.values().filter(|entry| entry.users > 0).map(|entry| entry.size_bytes).sum();
        let idle: u64 = entries.values().filter(|entry| entry.users == 0).map(|entry| entry.size_bytes).sum();
        let unpromised = self.unpromised_bytes(&entries);
        self.limit_bytes.saturating_sub(used).min(unpromised.saturating_add(idle))
    }

    /// Free on the disk, less what sources will yet take of it that have their place already.
    fn unpromised_bytes(&self, entries: &HashMap<AssetId, Entry>) -> u64 {
        let there = |asset| fs::metadata(self.path(asset)).map_or(0, |file| file.len());
        let missing = entries.iter().map(|(asset, entry)| entry.size_bytes.saturating_sub(there(*asset)));
        self.disk_bytes().saturating_sub(missing.sum())
    }

    /// Sources that are whole.
    pub(super) fn holds(&self) -> Vec<AssetId> {
        let whole = |entry: &Entry| entry.whole.load(std::sync::atomic::Ordering::Acquire);
        self.entries().iter().filter(|(_, entry)| whole(entry)).map(|(asset, _)| *asset).collect()
    }

    /// Free on the disk, less what is left alone.
    fn disk_bytes(&self) -> u64 {
        match rustix::fs::statvfs(&self.directory) {
            Ok(disk) => (disk.f_bavail * disk.f_frsize).saturating_sub(limits::SCRATCH_RESERVE_BYTES),
            Err(error) => {
                tracing::warn!(%error, "scratch.size_unknown");
                0
            }
        }
    }
}

/// The name temporary scratch directories begin with.
const PREFIX: &str = "tidegate-scratch-";

/// Makes `directory`, locks it, and empties it of sources.
fn own(directory: &Path) -> Result<File, String> {
    let said = |error: std::io::Error| error.to_string();
    fs::create_dir_all(directory).map_err(said)?;
    let lock = litter::lock(directory).map_err(said)?;
    let lock = lock.ok_or_else(|| "another worker uses it; each needs its own".to_owned())?;
    for file in fs::read_dir(directory).map_err(said)?.flatten() {
        if file.path().extension().is_some_and(|extension| extension == "source") {
            fs::remove_file(file.path()).map_err(said)?;
        }
    }
    Ok(lock)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(limit_bytes: u64) -> (Arc<Scratch>, tidegate_serve::ambient::ManualClock) {
        let (clock, hand) = Clock::manual(1_000_000);
        (Arc::new(Scratch::new(None, limit_bytes, clock).unwrap()), hand)
    }

    #[test]
    fn the_longest_unused_goes_first_and_what_is_used_stays() {
        let (scratch, hand) = scratch(100);
        let asset = |n| AssetId::generate(n, [0; 10]);
        let first = scratch.keep(asset(1), 40).unwrap();
        drop(scratch.keep(asset(2), 30).unwrap());
        hand.advance(std::time::Duration::from_secs(1));
        drop(scratch.keep(asset(3), 30).unwrap());
        assert_eq!(scratch.free_bytes(), 60);
        drop(scratch.keep(asset(4), 30).unwrap());
        let has = |n| scratch.entries().contains_key(&asset(n));
        assert!(has(1) && !has(2) && has(3) && has(4));
        assert!(scratch.keep(asset(5), 61).is_err());
        drop(first);
        assert!(scratch.keep(asset(5), 61).is_ok());
    }

    #[test]
    fn a_forgotten_source_goes_when_its_last_user_does() {
        let (scratch, hand) = scratch(100);
        let asset = AssetId::generate(1, [0; 10]);
        let kept = scratch.keep(asset, 10).unwrap();
        std::fs::write(kept.path(), b"x").unwrap();
        let path = kept.path().to_owned();
        scratch.forget(asset);
        assert!(path.exists());
        drop(kept);
        assert!(!path.exists());
        drop(scratch.keep(asset, 10).unwrap());
        hand.advance(limits::SOURCE_KEPT * 2);
        scratch.sweep();
        assert!(scratch.entries().is_empty());
    }

    #[test]
    fn space_that_was_promised_is_not_free_before_it_is_taken() {
        let (scratch, _) = scratch(u64::MAX);
        let free = scratch.free_bytes();
        let size = free / 2;
        let kept = scratch.keep(AssetId::generate(1, [0; 10]), size).unwrap();
        // Others write to this disk as well.
        assert!(scratch.free_bytes() <= free - size / 2, "{size} of {free} were promised");
        assert!(scratch.keep(AssetId::generate(2, [0; 10]), size / 4 * 7).is_err());
        drop(kept);
    }

    #[test]
    fn two_workers_do_not_share_a_directory() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("old.source"), b"x").unwrap();
        let first = Scratch::new(Some(dir.path()), 1, Clock::system()).unwrap();
        assert!(!dir.path().join("old.source").exists());
        let second = Scratch::new(Some(dir.path()), 1, Clock::system());
        assert!(second.unwrap_err().to_string().contains("another worker"));
        drop(first);
        assert!(Scratch::new(Some(dir.path()), 1, Clock::system()).is_ok());
    }
}
