//! Where the bytes are. A blob is a list of segments, each an append-only run of bytes of its own.
//!
//! An upload has one segment as a rule. It gets another when a writer had to be pushed aside without having said
//! that it stopped: whatever that one still writes lands behind the sealed end of its own segment, where nobody
//! reads (invariant 3). A final upload is the list of its parts' segments, so nothing is copied.

pub mod files;
pub mod local;
mod local_files;
mod reader;

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tidegate_wire::{AssetId, ByteRange};

pub use files::{FileName, FilePath, FileReader, FileStore, Kept, StoredFile, Tree};
pub use local::{DirectWrites, Durability, LocalStore};
pub use local_files::LocalFiles;
pub use reader::BlobReader;

/// A future that can stand in a trait object.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The name of a segment: the upload and a number that only grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SegmentName {
    /// Whose bytes.
    pub id: AssetId,
    /// Which of its segments.
    pub number: u64,
}

/// A segment that is not written any more, as the catalogue keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Its number under the blob's id.
    #[serde(rename = "n")]
    pub number: u64,
    /// How many of its bytes belong to the blob; the file may be longer.
    #[serde(rename = "len")]
    pub size_bytes: u64,
}

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No room left.
    #[error("no space left in the blob store")]
    Full,
    /// There is no such segment, or it is shorter than the catalogue says.
    #[error("bytes are missing in the blob store")]
    Missing,
    /// Anything else the system says.
    #[error("the blob store failed")]
    Io(#[source] io::Error),
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof => Self::Missing,
            _ => Self::Io(error),
        }
    }
}

/// Keeps segments. One contract suite (`tests/store_contract.rs`) holds for every implementation.
pub trait BlobStore: Send + Sync + 'static {
    /// Opens a segment for appending, making it if need be. The writer stands at its end.
    fn open(&self, name: SegmentName) -> BoxFuture<'_, Result<Box<dyn SegmentWriter>, StoreError>>;

    /// Makes what was written to a segment durable and says how long it is; 0 for one that was never made.
    ///
    /// The bytes below that length never change again, whoever may still be appending.
    fn seal(&self, name: SegmentName) -> BoxFuture<'_, Result<u64, StoreError>>;

    /// Reads one piece of a segment: all of `range`, which the caller keeps small.
    fn read(&self, name: SegmentName, range: ByteRange) -> BoxFuture<'_, Result<Bytes, StoreError>>;

    /// Gives a sealed segment a second name without copying; each name lives by itself. Done again, it changes
    /// nothing.
    fn link(&self, from: SegmentName, to: SegmentName) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Removes the segments of an upload with numbers up to `last`. What is not there is removed already.
    fn remove(&self, id: AssetId, last: u64) -> BoxFuture<'_, Result<(), StoreError>>;
}

/// Appends to one segment.
pub trait SegmentWriter: Send + Sync {
    /// Bytes in the segment so far, durable or not. What was appended since the last [`sync`](Self::sync) may still
    /// be on its way there.
    fn len(&self) -> u64;

    /// Whether the segment is empty.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends `batch` in order and gives the writer back. Work that takes its time begins at once, before the future
    /// is polled. After an error some of it may have been written: [`len`](Self::len) tells how much.
    fn append(self: Box<Self>, batch: Vec<Bytes>) -> BoxFuture<'static, Appended>;

    /// Makes all that was appended durable, as far as the store's setting asks for it. When that has failed it
    /// fails from then on: what the system says to a second try proves nothing about the first one's bytes.
    fn sync(self: Box<Self>) -> BoxFuture<'static, Appended>;

    /// Takes bytes back that were never acknowledged: the segment ends at `len` again. Only where nobody can have
    /// [`seal`](BlobStore::seal)ed them.
    fn rewind(self: Box<Self>, len: u64) -> BoxFuture<'static, Appended>;
}

/// The writer, and how the operation went.
pub type Appended = (Box<dyn SegmentWriter>, Result<(), StoreError>);

/// Bytes of a list of segments together.
pub fn total_bytes(segments: &[Segment]) -> u64 {
    segments.iter().map(|segment| segment.size_bytes).sum()
}

/// Reads `range` of the blob that `segments` of `id` are, piece by piece.
pub fn reader(
    store: Arc<dyn BlobStore>,
    id: AssetId,
    segments: Vec<Segment>,
    range: ByteRange,
) -> BlobReader {
    BlobReader::new(store, id, segments, range)
}
