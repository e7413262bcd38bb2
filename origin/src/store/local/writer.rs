//! Appending to one file of the store.

use std::fs::File;
use std::io::{self, IoSlice, Seek as _, SeekFrom, Write as _};
use std::sync::Arc;

use bytes::Bytes;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::Instant;

use super::Durability;
use super::direct::{Buffer, Buffers, Pace};
use crate::limits;
use crate::store::{Appended, BoxFuture, SegmentWriter, StoreError};

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

/// Appends to one file.
///
/// A write into the page cache is a copy, and handing it to another thread costs more than the copy: so it is made
/// where the bytes are. When one takes long, the kernel is holding writers back because the disk does not keep up;
/// then the next ones go to a thread that may be held back. What comes fast goes past the page cache instead: while
/// one large buffer is on its way to the disk the next is filled.
pub(super) struct LocalWriter {
    file: Arc<File>,
    /// Bytes in the file; what is staged or in flight is not among them.
    len: u64,
    unsynced: u64,
    /// Batches that still go to another thread.
    held_back: u32,
    /// Linux reports a failed write-back once and then forgets it, bytes included.
    sync_failed: bool,
    durability: Durability,
    buffers: Arc<Buffers>,
    pace: Pace,
    /// Being filled.
    staged: Option<Buffer>,
    /// Being written.
    flight: Option<JoinHandle<Landed>>,
}

/// What came of writing a buffer.
struct Landed {
    written: u64,
    outcome: io::Result<()>,
    /// How the sync behind it went, if one was due.
    synced: Option<io::Result<()>>,
}

impl LocalWriter {
    /// Appends to `file`, which stands at its end, `len`.
    pub(super) fn new(file: File, len: u64, durability: Durability, buffers: Arc<Buffers>) -> Self {
        Self {
            file: Arc::new(file),
            len,
            unsynced: 0,
            held_back: 0,
            sync_failed: false,
            durability,
            buffers,
            pace: Pace::from(Instant::now()),
            staged: None,
            flight: None,
        }
    }

    /// Whether a sync is due once `bytes` more are written: syncing as it goes keeps the disk busy and the last sync,
    /// which a client waits for, short.
    fn sync_is_due(&self, bytes: usize) -> bool {
        self.durability == Durability::Durable && self.unsynced + bytes as u64 >= limits::SYNC_EVERY_BYTES
    }

    /// Appends, and notes whether the kernel held the write back.
    fn append_noting(&mut self, batch: &[Bytes]) -> io::Result<()> {
        let begun = Instant::now();
        let outcome = self.append_blocking(batch);
        // The sync that may follow takes as long as the disk needs, and says nothing about copies.
        self.held_back = if begun.elapsed() >= limits::SLOW_WRITE {
            limits::SLOW_WRITE_BATCHES
        } else {
            self.held_back.saturating_sub(1)
        };
        outcome?;
        if self.sync_is_due(0) { self.sync_blocking() } else { Ok(()) }
    }

    fn append_blocking(&mut self, batch: &[Bytes]) -> io::Result<()> {
        let pieces = batch.iter().flat_map(|piece| piece.chunks(limits::WRITE_BYTES));
        let mut slices: Vec<IoSlice<'_>> = pieces.map(IoSlice::new).collect();
        let mut rest = slices.as_mut_slice();
        // Drops empty slices at the head, so that a 0 below can only mean that nothing goes in any more.
        IoSlice::advance_slices(&mut rest, 0);
        while !rest.is_empty() {
            let written = match (&*self.file).write_vectored(&rest[..fitting(rest)]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.count(written as u64);
            IoSlice::advance_slices(&mut rest, written);
        }
        Ok(())
    }

    const fn count(&mut self, written: u64) {
        self.len += written;
        self.unsynced += written;
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

    /// Writes what is staged.
    fn spill_blocking(&mut self) -> io::Result<()> {
        let Some(buffer) = self.staged.take() else { return Ok(()) };
        let (written, outcome) = buffer.write_to(&self.file);
        self.count(written);
        outcome
    }

    fn rewind_blocking(&mut self, len: u64) -> io::Result<()> {
        self.staged = None;
        self.file.set_len(len)?;
        (&*self.file).seek(SeekFrom::Start(len))?;
        self.len = len;
        self.unsynced += 1;
        self.sync_blocking()
    }

    /// Collects `batch` in aligned buffers, and sends off those that are full. Behind an error nothing is staged: there
    /// would be a gap before it.
    async fn stage(&mut self, batch: Vec<Bytes>) -> io::Result<()> {
        let outcome = self.stage_all(batch).await;
        if outcome.is_err() {
            let _ = self.land().await;
            self.staged = None;
        }
        outcome
    }

    async fn stage_all(&mut self, batch: Vec<Bytes>) -> io::Result<()> {
        let mut pieces = batch.into_iter();
        while let Some(mut piece) = pieces.next() {
            while !piece.is_empty() {
                if self.staged.is_none() && !self.next_buffer(&mut piece).await? {
                    let mut rest = vec![piece];
                    rest.extend(pieces);
                    return self.append_noting(&rest);
                }
                let Some(buffer) = &mut self.staged else { break };
                buffer.fill(&mut piece);
                if buffer.is_full() {
                    self.launch().await?;
                }
            }
        }
        Ok(())
    }

    /// Gets a buffer to fill, `false` if all are with others. Where the file does not end with a block, the block is
    /// filled up from `piece` first.
    async fn next_buffer(&mut self, piece: &mut Bytes) -> io::Result<bool> {
        self.staged = self.buffers.take();
        if self.staged.is_none() && self.flight.is_some() {
            self.land().await?;
            self.staged = self.buffers.take();
        }
        if self.staged.is_none() {
            return Ok(false);
        }
        if self.flight.is_none() {
            let past = usize::try_from(self.len % limits::DIRECT_ALIGN as u64).unwrap_or(0);
            let missing = if past > 0 { piece.len().min(limits::DIRECT_ALIGN - past) } else { 0 };
            self.append_blocking(&[piece.split_to(missing)])?;
            if past + missing != 0 && past + missing != limits::DIRECT_ALIGN {
                // The piece was too short for that: the next one may do.
                self.staged = None;
            }
        }
        Ok(true)
    }

    /// Sends the full buffer off, once the one before it has landed.
    async fn launch(&mut self) -> io::Result<()> {
        self.land().await?;
        let Some(buffer) = self.staged.take() else { return Ok(()) };
        let (file, syncs) = (self.file.clone(), self.sync_is_due(buffer.len()));
        self.flight = Some(spawn_blocking(move || {
            let (written, outcome) = buffer.write_to(&file);
            let synced = (syncs && outcome.is_ok()).then(|| file.sync_data());
            Landed { written, outcome, synced }
        }));
        Ok(())
    }

    /// Waits for the buffer in flight.
    async fn land(&mut self) -> io::Result<()> {
        let Some(flight) = self.flight.take() else { return Ok(()) };
        let landed = flight.await.map_err(io::Error::other)?;
        self.count(landed.written);
        landed.outcome?;
        match landed.synced {
            Some(Ok(())) => self.unsynced = 0,
            Some(Err(error)) => {
                self.sync_failed = true;
                return Err(error);
            }
            None => {}
        }
        Ok(())
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

    /// As [`run`](Self::run), once the buffer in flight has landed. If that went wrong nothing else is done.
    fn run_landed(
        mut self: Box<Self>,
        work: impl FnOnce(&mut Self) -> io::Result<()> + Send + 'static,
    ) -> BoxFuture<'static, Appended> {
        if self.flight.is_none() {
            return self.run(work);
        }
        Box::pin(async move {
            match self.land().await {
                Ok(()) => self.run(work).await,
                Err(error) => {
                    self.staged = None;
                    (self as Box<dyn SegmentWriter>, Err(error.into()))
                }
            }
        })
    }
}

impl SegmentWriter for LocalWriter {
    fn len(&self) -> u64 {
        self.len
    }

    fn append(mut self: Box<Self>, batch: Vec<Bytes>) -> BoxFuture<'static, Appended> {
        let bytes = batch.iter().map(Bytes::len).sum();
        let is_fast = self.pace.note(bytes, Instant::now());
        let is_staging = self.staged.is_some() || self.flight.is_some();
        if is_fast && (is_staging || bytes > limits::DIRECT_ALIGN) {
            return Box::pin(async move {
                let outcome = self.stage(batch).await;
                (self as Box<dyn SegmentWriter>, outcome.map_err(StoreError::from))
            });
        }
        if is_staging {
            // It has become slow. What is staged goes first.
            return self.run_landed(move |writer| {
                writer.spill_blocking()?;
                writer.append_noting(&batch)
            });
        }
        if self.held_back == 0 && !self.sync_is_due(bytes) {
            let outcome = self.append_noting(&batch).map_err(StoreError::from);
            return Box::pin(std::future::ready((self as Box<dyn SegmentWriter>, outcome)));
        }
        self.run(move |writer| writer.append_noting(&batch))
    }

    fn sync(self: Box<Self>) -> BoxFuture<'static, Appended> {
        let nothing_waits = self.staged.is_none() && self.flight.is_none();
        if nothing_waits
            && (self.durability == Durability::Relaxed || self.unsynced == 0)
            && !self.sync_failed
        {
            return Box::pin(std::future::ready((self as Box<dyn SegmentWriter>, Ok(()))));
        }
        self.run_landed(|writer| {
            writer.spill_blocking()?;
            writer.sync_blocking()
        })
    }

    fn rewind(mut self: Box<Self>, len: u64) -> BoxFuture<'static, Appended> {
        Box::pin(async move {
            // Whatever became of it is cut off.
            let _ = self.land().await;
            self.run(move |writer| writer.rewind_blocking(len)).await
        })
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
