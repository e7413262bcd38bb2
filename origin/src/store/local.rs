//! Segments as files: `ROOT/5e/0190…-…5e.1`, in 256 folders by the id's last two digits, which are random.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use tidegate_wire::{AssetId, ByteRange};
use tokio::task::spawn_blocking;

use super::{Appended, BlobStore, BoxFuture, SegmentName, SegmentWriter, StoreError};
use crate::limits;

/// When bytes count as kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Durability {
    /// Acknowledged bytes are on the disk (fdatasync): they survive a power cut.
    #[default]
    Durable,
    /// Acknowledged bytes are with the kernel: they survive a killed process, not a power cut or a kernel crash.
    Relaxed,
}

/// A folder on a local or shared file system.
#[derive(Debug, Clone)]
pub struct LocalStore {
    root: Arc<Path>,
    durability: Durability,
}

impl LocalStore {
    /// Uses `root`, making it if need be.
    ///
    /// # Errors
    /// When the folder cannot be made or written.
    pub fn open(root: &Path, durability: Durability) -> io::Result<Self> {
        std::fs::create_dir_all(root)?;
        for shard in 0..=255u8 {
            match std::fs::create_dir(root.join(format!("{shard:02x}"))) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        let store = Self { root: root.into(), durability };
        store.sync_folder(root)?;
        Ok(store)
    }

    fn path(&self, name: SegmentName) -> PathBuf {
        let id = name.id.to_string();
        self.root.join(&id[id.len() - 2..]).join(format!("{id}.{}", name.number))
    }

    /// A new name is durable only when its folder is.
    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        match self.durability {
            Durability::Durable => File::open(folder)?.sync_all(),
            Durability::Relaxed => Ok(()),
        }
    }

    fn sync_parent(&self, path: &Path) -> io::Result<()> {
        path.parent().map_or(Ok(()), |folder| self.sync_folder(folder))
    }

    fn open_blocking(&self, name: SegmentName) -> io::Result<LocalWriter> {
        let path = self.path(name);
        let mut options = OpenOptions::new();
        options.write(true);
        let mut file = match options.open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                options.create(true).truncate(false).open(&path)?
            }
            Err(error) => return Err(error),
        };
        let len = file.seek(SeekFrom::End(0))?;
        if len == 0 {
            // Whoever made it may have died before its name was durable.
            self.sync_parent(&path)?;
        }
        Ok(LocalWriter { file, len, unsynced: 0, sync_failed: false, durability: self.durability })
    }

    fn seal_blocking(&self, name: SegmentName) -> io::Result<u64> {
        match OpenOptions::new().write(true).open(self.path(name)) {
            Ok(file) => {
                // The length first: what is appended after it was read is not promised by anyone.
                let len = file.metadata()?.len();
                if self.durability == Durability::Durable {
                    file.sync_data()?;
                }
                Ok(len)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error),
        }
    }

    fn read_blocking(&self, name: SegmentName, range: ByteRange) -> io::Result<Bytes> {
        let file = File::open(self.path(name))?;
        let len = usize::try_from(range.len()).map_err(io::Error::other)?;
        let mut piece = vec![0; len];
        file.read_exact_at(&mut piece, range.start)?;
        Ok(piece.into())
    }

    fn link_blocking(&self, from: SegmentName, to: SegmentName) -> io::Result<()> {
        let (from, to) = (self.path(from), self.path(to));
        match std::fs::hard_link(&from, &to) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        self.sync_parent(&to)
    }

    fn remove_blocking(&self, id: AssetId, last: u64) -> io::Result<()> {
        for number in 0..=last {
            match std::fs::remove_file(self.path(SegmentName { id, number })) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> io::Result<T> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, StoreError>> {
        let store = self.clone();
        Box::pin(async move { Ok(blocking(move || work(&store)).await?) })
    }
}

/// Runs `work` on the pool for blocking calls.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    // The pool refuses only when the runtime is going down.
    spawn_blocking(work).await.unwrap_or_else(|gone| Err(io::Error::other(gone)))
}

impl BlobStore for LocalStore {
    fn open(&self, name: SegmentName) -> BoxFuture<'_, Result<Box<dyn SegmentWriter>, StoreError>> {
        Box::pin(async move {
            let writer = self.run(move |store| store.open_blocking(name)).await?;
            Ok(Box::new(writer) as Box<dyn SegmentWriter>)
        })
    }

    fn seal(&self, name: SegmentName) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.run(move |store| store.seal_blocking(name))
    }

    fn read(&self, name: SegmentName, range: ByteRange) -> BoxFuture<'_, Result<Bytes, StoreError>> {
        self.run(move |store| store.read_blocking(name, range))
    }

    fn link(&self, from: SegmentName, to: SegmentName) -> BoxFuture<'_, Result<(), StoreError>> {
        self.run(move |store| store.link_blocking(from, to))
    }

    fn remove(&self, id: AssetId, last: u64) -> BoxFuture<'_, Result<(), StoreError>> {
        self.run(move |store| store.remove_blocking(id, last))
    }
}

/// How many of the slices one call may write: those that fit in [`limits::WRITE_BYTES`], one at least.
fn fitting(slices: &[IoSlice<'_>]) -> usize {
    let mut room = limits::WRITE_BYTES;
    let fits = |slice: &&IoSlice<'_>| match room.checked_sub(slice.len()) {
        Some(left) => {
            room = left;
            true
        }
        None => false,
    };
    slices.iter().take_while(fits).count().max(1)
}

struct LocalWriter {
    file: File,
    len: u64,
    unsynced: u64,
    /// Linux reports a failed write-back once and then forgets it, bytes included.
    sync_failed: bool,
    durability: Durability,
}

impl LocalWriter {
    fn append_blocking(&mut self, batch: &[Bytes]) -> io::Result<()> {
        let pieces = batch.iter().flat_map(|piece| piece.chunks(limits::WRITE_BYTES));
        let mut slices: Vec<IoSlice<'_>> = pieces.map(IoSlice::new).collect();
        let mut rest = slices.as_mut_slice();
        // Drops empty slices at the head, so that a 0 below can only mean that nothing goes in any more.
        IoSlice::advance_slices(&mut rest, 0);
        while !rest.is_empty() {
            let written = match self.file.write_vectored(&rest[..fitting(rest)]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.len += written as u64;
            self.unsynced += written as u64;
            IoSlice::advance_slices(&mut rest, written);
        }
        // Syncing as it goes keeps the disk busy and the last sync, which a client waits for, short.
        if self.unsynced >= limits::SYNC_EVERY_BYTES { self.sync_blocking() } else { Ok(()) }
    }

    fn sync_blocking(&mut self) -> io::Result<()> {
        if self.sync_failed {
            return Err(io::Error::other("an earlier sync failed"));
        }
        if self.durability == Durability::Durable && self.unsynced > 0 {
            self.file.sync_data().inspect_err(|_| self.sync_failed = true)?;
        }
        self.unsynced = 0;
        Ok(())
    }

    fn rewind_blocking(&mut self, len: u64) -> io::Result<()> {
        self.file.set_len(len)?;
        self.file.seek(SeekFrom::Start(len))?;
        self.len = len;
        self.unsynced += 1;
        self.sync_blocking()
    }

    /// The work begins at once, not when the future is first polled: batches are collected beside it.
    fn run(
        self: Box<Self>,
        work: impl FnOnce(&mut Self) -> io::Result<()> + Send + 'static,
    ) -> BoxFuture<'static, Appended> {
        let mut writer = self;
        let task = spawn_blocking(move || {
            let outcome = work(&mut writer);
            (writer as Box<dyn SegmentWriter>, outcome.map_err(StoreError::from))
        });
        Box::pin(async move {
            match task.await {
                Ok(done) => done,
                Err(gone) => {
                    (Box::new(Lost) as Box<dyn SegmentWriter>, Err(StoreError::Io(io::Error::other(gone))))
                }
            }
        })
    }
}

impl SegmentWriter for LocalWriter {
    fn len(&self) -> u64 {
        self.len
    }

    fn append(self: Box<Self>, batch: Vec<Bytes>) -> BoxFuture<'static, Appended> {
        self.run(move |writer| writer.append_blocking(&batch))
    }

    fn sync(self: Box<Self>) -> BoxFuture<'static, Appended> {
        self.run(Self::sync_blocking)
    }

    fn rewind(self: Box<Self>, len: u64) -> BoxFuture<'static, Appended> {
        self.run(move |writer| writer.rewind_blocking(len))
    }
}

/// Stands for a writer that went down with the runtime: it has kept nothing and takes nothing.
struct Lost;

impl SegmentWriter for Lost {
    fn len(&self) -> u64 {
        0
    }

    fn append(self: Box<Self>, _: Vec<Bytes>) -> BoxFuture<'static, Appended> {
        self.sync()
    }

    fn sync(self: Box<Self>) -> BoxFuture<'static, Appended> {
        Box::pin(async { (self as Box<dyn SegmentWriter>, Err(StoreError::Missing)) })
    }

    fn rewind(self: Box<Self>, _: u64) -> BoxFuture<'static, Appended> {
        self.sync()
    }
}
