//! Segments as files: `ROOT/5e/0190…-…5e.1`, in 256 folders by the id's last two digits, which are random.

mod direct;
mod writer;

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use tidegate_wire::{AssetId, ByteRange};
use tokio::task::spawn_blocking;

use self::direct::Buffers;
use self::writer::LocalWriter;
use super::{BlobStore, BoxFuture, SegmentName, SegmentWriter, StoreError};
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

/// How the bytes of a fast upload get to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum DirectWrites {
    /// Past the page cache (`O_DIRECT`) where they come fast and the file system takes it: half the work, and other
    /// files stay cached; who reads them next reads from the disk.
    #[default]
    Auto,
    /// Through the page cache.
    Off,
}

/// A folder on a local or shared file system.
#[derive(Debug, Clone)]
pub struct LocalStore {
    root: Arc<Path>,
    durability: Durability,
    buffers: Arc<Buffers>,
}

impl LocalStore {
    /// Uses `root`, making it if need be.
    ///
    /// # Errors
    /// When the folder cannot be made or written.
    pub fn open(root: &Path, durability: Durability) -> io::Result<Self> {
        // Private uploads are nobody else's on this machine; a group may share the disk.
        let mut folders = DirBuilder::new();
        folders.mode(0o750);
        folders.recursive(true).create(root)?;
        folders.recursive(false);
        for shard in 0..=255u8 {
            match folders.create(root.join(format!("{shard:02x}"))) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        let buffers = Buffers::new(limits::DIRECT_BUFFERS);
        let store = Self { root: root.into(), durability, buffers };
        store.sync_folder(root)?;
        Ok(store)
    }

    /// How fast uploads are written, [`DirectWrites::Auto`] at first.
    #[must_use]
    pub fn direct_writes(self, direct: DirectWrites) -> Self {
        let buffers = match direct {
            DirectWrites::Auto => limits::DIRECT_BUFFERS,
            DirectWrites::Off => 0,
        };
        Self { buffers: Buffers::new(buffers), ..self }
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
        options.write(true).mode(0o640);
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
        Ok(LocalWriter::new(file, len, self.durability, self.buffers.clone()))
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
