//! Appending to one file of the store.

use std::fs::File;
use std::io::{self, IoSlice, Seek as _, SeekFrom, Write as _};

use bytes::Bytes;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::Durability;
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
/// then the next ones go to a thread that may be held back.
pub(super) struct LocalWriter {
    file: File,
    len: u64,
    unsynced: u64,
    /// Batches that still go to another thread.
    held_back: u32,
    /// Linux reports a failed write-back once and then forgets it, bytes included.
    sync_failed: bool,
    durability: Durability,
}

impl LocalWriter {
    /// Appends to `file`, which stands at its end, `len`.
    pub(super) fn new(file: File, len: u64, durability: Durability) -> Self {
        Self { file, len, unsynced: 0, held_back: 0, sync_failed: false, durability }
    }

    /// Whether a batch of `bytes` is nothing but a copy: the disk keeps up, and no sync is due.
    fn is_copy(&self, bytes: usize) -> bool {
        let sync_due = self.durability == Durability::Durable
            && self.unsynced + bytes as u64 >= limits::SYNC_EVERY_BYTES;
        self.held_back == 0 && !sync_due
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
        // Syncing as it goes keeps the disk busy and the last sync, which a client waits for, short.
        if self.unsynced >= limits::SYNC_EVERY_BYTES { self.sync_blocking() } else { Ok(()) }
    }

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
        Ok(())
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

    fn append(mut self: Box<Self>, batch: Vec<Bytes>) -> BoxFuture<'static, Appended> {
        if self.is_copy(batch.iter().map(Bytes::len).sum()) {
            let outcome = self.append_noting(&batch).map_err(StoreError::from);
            return Box::pin(std::future::ready((self as Box<dyn SegmentWriter>, outcome)));
        }
        self.run(move |writer| writer.append_noting(&batch))
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
