//! Packaged files on a local or shared file system: `ROOT/packages/5e/0190…-…5e/1/12-1/v720/00000.m4s`.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use tidegate_serve::Entropy;
use tidegate_wire::digest::to_hex;
use tidegate_wire::{AssetId, ByteRange};
use tokio::task::spawn_blocking;

use super::files::{FileName, FileStore, FileWriter, Kept, StoredFile, Tree};
use super::{BoxFuture, Durability, Segment, StoreError};
use crate::limits;

/// A folder for packaged files, beside the segments of a [`LocalStore`](super::LocalStore).
#[derive(Clone)]
pub struct LocalFiles {
    root: Arc<Path>,
    durability: Durability,
    entropy: Entropy,
}

impl LocalFiles {
    /// Uses `packages/` in `root`, the folder of the segments. It is made when the first file comes.
    pub fn new(root: &Path, durability: Durability, entropy: Entropy) -> Self {
        Self { root: root.into(), durability, entropy }
    }

    fn asset_folder(&self, asset: AssetId) -> PathBuf {
        let id = asset.to_string();
        self.root.join("packages").join(&id[id.len() - 2..]).join(id)
    }

    fn path(&self, name: &FileName) -> PathBuf {
        let mut path = self.asset_folder(name.asset).join(name.revision.to_string());
        path.extend(name.path.names());
        path
    }

    fn create_blocking(&self, name: &FileName) -> io::Result<Writer> {
        let path = self.path(name);
        let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
        self.make_folders(&folder)?;
        // No path that can be asked for begins with a dot.
        let temporary = folder.join(format!(".{}", to_hex(&self.entropy.bytes::<8>())));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o640).open(&temporary)?;
        Ok(Writer { file, temporary, path, folder, durability: self.durability })
    }

    /// Makes what is missing of the way to `folder`. A new folder is durable only when the one above it is.
    fn make_folders(&self, folder: &Path) -> io::Result<()> {
        if folder.is_dir() {
            return Ok(());
        }
        let above = folder.parent().filter(|above| folder.starts_with(&self.root) && *above != folder);
        let above = above.ok_or(io::ErrorKind::InvalidInput)?;
        if above != &*self.root {
            self.make_folders(above)?;
        }
        match DirBuilder::new().mode(0o750).create(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        sync_folder(above, self.durability)
    }

    fn open_blocking(&self, name: &FileName) -> io::Result<LocalFile> {
        let file = File::open(self.path(name))?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(LocalFile { size_bytes: metadata.len(), file: Arc::new(file) })
    }

    fn link_blocking(&self, from: &FileName, to: &FileName) -> io::Result<Kept> {
        let (from, to) = (self.path(from), self.path(to));
        let folder = to.parent().ok_or(io::ErrorKind::InvalidInput)?;
        link_durably(&from, &to, folder, self.durability)
    }

    fn remove_blocking(&self, tree: &Tree) -> io::Result<()> {
        let mut path = self.asset_folder(tree.asset);
        if let Some((revision, below)) = &tree.below {
            path.push(revision.to_string());
            path.extend(below.names());
        }
        match std::fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The names [`LocalStore`](super::LocalStore) gives to segments.
    fn source_blocking(&self, id: AssetId, segments: &[Segment]) -> Vec<String> {
        let id = id.to_string();
        let name = |segment: &Segment| {
            let name = format!("{}/{id}.{}", &id[id.len() - 2..], segment.number);
            let is_exact = std::fs::metadata(self.root.join(&name))
                .is_ok_and(|metadata| metadata.len() == segment.size_bytes);
            is_exact.then_some(name)
        };
        segments.iter().map(name).collect::<Option<Vec<_>>>().unwrap_or_default()
    }

    fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> io::Result<T> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, StoreError>> {
        let files = self.clone();
        Box::pin(async move { Ok(blocking(move || work(&files)).await?) })
    }
}

fn sync_folder(folder: &Path, durability: Durability) -> io::Result<()> {
    match durability {
        Durability::Durable => File::open(folder)?.sync_all(),
        Durability::Relaxed => Ok(()),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    // The pool refuses only when the runtime is going down.
    spawn_blocking(work).await.unwrap_or_else(|gone| Err(io::Error::other(gone)))
}

impl FileStore for LocalFiles {
    fn create(&self, name: FileName) -> BoxFuture<'_, Result<Box<dyn FileWriter>, StoreError>> {
        Box::pin(async move {
            let writer = self.run(move |files| files.create_blocking(&name)).await?;
            Ok(Box::new(writer) as Box<dyn FileWriter>)
        })
    }

    fn open(&self, name: FileName) -> BoxFuture<'_, Result<Arc<dyn StoredFile>, StoreError>> {
        Box::pin(async move {
            let file = self.run(move |files| files.open_blocking(&name)).await?;
            Ok(Arc::new(file) as Arc<dyn StoredFile>)
        })
    }

    fn link(&self, from: FileName, to: FileName) -> BoxFuture<'_, Result<Kept, StoreError>> {
        self.run(move |files| files.link_blocking(&from, &to))
    }

    fn remove_tree(&self, tree: Tree) -> BoxFuture<'_, Result<(), StoreError>> {
        self.run(move |files| files.remove_blocking(&tree))
    }

    fn source_files(&self, id: AssetId, segments: Vec<Segment>) -> BoxFuture<'_, Vec<String>> {
        let files = self.clone();
        Box::pin(async move {
            blocking(move || Ok(files.source_blocking(id, &segments))).await.unwrap_or_default()
        })
    }
}

/// A file in the making, under a name nobody can ask for.
struct Writer {
    file: File,
    temporary: PathBuf,
    path: PathBuf,
    folder: PathBuf,
    durability: Durability,
}

impl Writer {
    fn finish_blocking(self) -> io::Result<Kept> {
        if self.durability == Durability::Durable {
            self.file.sync_all()?;
        }
        link_durably(&self.temporary, &self.path, &self.folder, self.durability)
    }
}

/// A link takes the name only where it is free; a rename would take it from a file that is being played.
fn link_durably(from: &Path, to: &Path, folder: &Path, durability: Durability) -> io::Result<Kept> {
    let kept = match std::fs::hard_link(from, to) {
        Ok(()) => Kept::New,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if have_same_bytes(from, to)? {
                Kept::Same
            } else {
                Kept::Different
            }
        }
        Err(error) => return Err(error),
    };
    if kept != Kept::Different {
        // Also where it was there: whoever brought it may not have come to this.
        sync_folder(folder, durability)?;
    }
    Ok(kept)
}

impl Drop for Writer {
    fn drop(&mut self) {
        // What cannot be removed goes with its folder.
        let _ = std::fs::remove_file(&self.temporary);
    }
}

impl FileWriter for Writer {
    fn write(&mut self, piece: Bytes) -> BoxFuture<'_, Result<(), StoreError>> {
        // A copy into the page cache, which costs less than another thread would.
        let outcome = self.file.write_all(&piece).map_err(StoreError::from);
        Box::pin(std::future::ready(outcome))
    }

    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<Kept, StoreError>> {
        Box::pin(async move { Ok(blocking(move || self.finish_blocking()).await?) })
    }
}

fn have_same_bytes(one: &Path, other: &Path) -> io::Result<bool> {
    let (mut one, mut other) = (File::open(one)?, File::open(other)?);
    let (mut left, left_of_other) = (one.metadata()?.len(), other.metadata()?.len());
    if left != left_of_other {
        return Ok(false);
    }
    let (mut a, mut b) = (vec![0; limits::COMPARE_BYTES], vec![0; limits::COMPARE_BYTES]);
    while left > 0 {
        let len = usize::try_from(left).map_or(a.len(), |left| left.min(a.len()));
        one.read_exact(&mut a[..len])?;
        other.read_exact(&mut b[..len])?;
        if a[..len] != b[..len] {
            return Ok(false);
        }
        left -= len as u64;
    }
    Ok(true)
}

struct LocalFile {
    file: Arc<File>,
    size_bytes: u64,
}

impl StoredFile for LocalFile {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn read(&self, range: ByteRange) -> BoxFuture<'static, Result<Bytes, StoreError>> {
        let file = self.file.clone();
        Box::pin(async move {
            let read = move || {
                let len = usize::try_from(range.len()).map_err(io::Error::other)?;
                let mut piece = vec![0; len];
                file.read_exact_at(&mut piece, range.start)?;
                Ok(Bytes::from(piece))
            };
            Ok(blocking(read).await?)
        })
    }
}
