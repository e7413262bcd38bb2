//! The real store with a disk that hangs, fails or fills up when a test says so.

#![allow(dead_code, unreachable_pub, reason = "every test file uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use bytes::Bytes;
use tidegate_origin::store::{
    Appended, BlobStore, BoxFuture, Durability, LocalStore, SegmentName, SegmentWriter, StoreError,
};
use tidegate_testkit::wait::eventually_true;
use tidegate_wire::{AssetId, ByteRange};
use tokio::sync::watch;

#[derive(Clone)]
pub struct FaultyStore {
    inner: LocalStore,
    faults: Arc<Faults>,
}

struct Faults {
    /// Whether appends that begin now are held until `gate` opens.
    hold: AtomicBool,
    held: AtomicUsize,
    gate: watch::Sender<bool>,
    fail_sync: AtomicBool,
    room: AtomicU64,
}

impl FaultyStore {
    /// Around the store of the site in this folder.
    pub fn around(folder: &Path) -> Arc<Self> {
        let inner = LocalStore::open(&folder.join("blobs"), Durability::Durable).unwrap();
        let faults = Faults {
            hold: AtomicBool::new(false),
            held: AtomicUsize::new(0),
            gate: watch::Sender::new(false),
            fail_sync: AtomicBool::new(false),
            room: AtomicU64::new(u64::MAX),
        };
        Arc::new(Self { inner, faults: Arc::new(faults) })
    }

    /// Appends hang from now on.
    pub fn hold_appends(&self) {
        self.faults.hold.store(true, SeqCst);
    }

    /// Appends from now on do not; those that hang go on hanging.
    pub fn let_new_appends_pass(&self) {
        self.faults.hold.store(false, SeqCst);
    }

    /// Waits until this many appends hang.
    pub fn wait_held(&self, count: usize) {
        eventually_true("a write to hang", Duration::from_secs(30), || {
            self.faults.held.load(SeqCst) >= count
        });
    }

    /// What hangs is done now.
    pub fn release(&self) {
        self.faults.gate.send_replace(true);
    }

    /// The next sync fails; those after it claim that all is well, as Linux does.
    pub fn fail_next_sync(&self) {
        self.faults.fail_sync.store(true, SeqCst);
    }

    /// How many bytes there is room for.
    pub fn room_for(&self, bytes: Option<u64>) {
        self.faults.room.store(bytes.unwrap_or(u64::MAX), SeqCst);
    }
}

impl BlobStore for FaultyStore {
    fn open(&self, name: SegmentName) -> BoxFuture<'_, Result<Box<dyn SegmentWriter>, StoreError>> {
        Box::pin(async move {
            let inner = self.inner.open(name).await?;
            Ok(Box::new(FaultyWriter { inner, faults: self.faults.clone() }) as Box<dyn SegmentWriter>)
        })
    }

    fn seal(&self, name: SegmentName) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.inner.seal(name)
    }

    fn read(&self, name: SegmentName, range: ByteRange) -> BoxFuture<'_, Result<Bytes, StoreError>> {
        self.inner.read(name, range)
    }

    fn link(&self, from: SegmentName, to: SegmentName) -> BoxFuture<'_, Result<(), StoreError>> {
        self.inner.link(from, to)
    }

    fn remove(&self, id: AssetId, last: u64) -> BoxFuture<'_, Result<(), StoreError>> {
        self.inner.remove(id, last)
    }
}

struct FaultyWriter {
    inner: Box<dyn SegmentWriter>,
    faults: Arc<Faults>,
}

impl FaultyWriter {
    fn wrap(inner: Box<dyn SegmentWriter>, faults: Arc<Faults>) -> Box<dyn SegmentWriter> {
        Box::new(Self { inner, faults })
    }
}

impl SegmentWriter for FaultyWriter {
    fn len(&self) -> u64 {
        self.inner.len()
    }

    fn append(self: Box<Self>, batch: Vec<Bytes>) -> BoxFuture<'static, Appended> {
        let Self { inner, faults } = *self;
        let work = tokio::spawn(async move {
            if faults.hold.load(SeqCst) {
                faults.held.fetch_add(1, SeqCst);
                faults.gate.subscribe().wait_for(|open| *open).await.unwrap();
            }
            let size: u64 = batch.iter().map(|piece| piece.len() as u64).sum();
            if size > faults.room.load(SeqCst) {
                let full = StoreError::from(io::Error::from(io::ErrorKind::StorageFull));
                return (Self::wrap(inner, faults), Err(full));
            }
            if faults.room.load(SeqCst) != u64::MAX {
                faults.room.fetch_sub(size, SeqCst);
            }
            let (inner, outcome) = inner.append(batch).await;
            (Self::wrap(inner, faults), outcome)
        });
        Box::pin(async move { work.await.unwrap() })
    }

    fn sync(self: Box<Self>) -> BoxFuture<'static, Appended> {
        let Self { inner, faults } = *self;
        Box::pin(async move {
            if faults.fail_sync.swap(false, SeqCst) {
                return (Self::wrap(inner, faults), Err(StoreError::Io(io::Error::other("the disk failed"))));
            }
            let (inner, outcome) = inner.sync().await;
            (Self::wrap(inner, faults), outcome)
        })
    }

    fn rewind(self: Box<Self>, len: u64) -> BoxFuture<'static, Appended> {
        let Self { inner, faults } = *self;
        Box::pin(async move {
            let (inner, outcome) = inner.rewind(len).await;
            (Self::wrap(inner, faults), outcome)
        })
    }
}
