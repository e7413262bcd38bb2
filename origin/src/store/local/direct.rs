//! Writing past the page cache.
//!
//! A buffered write copies into pages that have to be found, put into the file's tree and given block by block to the
//! file system, and later written back by someone: most of what a fast upload costs. A direct write (`O_DIRECT`) of a
//! large aligned buffer costs one copy into that buffer and one request to the disk. It pays where bytes come fast;
//! slow streams stay with the page cache, so that little of theirs waits in this process and a crash takes less.

use std::fs::File;
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Buf as _, Bytes};
use rustix::fs::{OFlags, fcntl_setfl};
use tokio::time::Instant;

use crate::limits;

/// The buffers all writers of a store share, and whether its file system takes direct writes at all.
#[derive(Debug)]
pub(super) struct Buffers {
    idle: Mutex<Vec<Memory>>,
    /// How many more may be made.
    left: AtomicUsize,
    refused: AtomicBool,
}

impl Buffers {
    /// At most `count` buffers; none means that every write is buffered.
    pub(super) fn new(count: usize) -> Arc<Self> {
        Arc::new(Self {
            idle: Mutex::default(),
            left: AtomicUsize::new(count),
            refused: AtomicBool::new(false),
        })
    }

    /// A buffer, if one is free and the file system is not known to refuse direct writes.
    pub(super) fn take(self: &Arc<Self>) -> Option<Buffer> {
        if self.refused.load(Ordering::Relaxed) {
            return None;
        }
        let memory = self.idle().pop().or_else(|| self.make())?;
        Some(Buffer { memory, filled: 0, pool: self.clone() })
    }

    fn make(&self) -> Option<Memory> {
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).ok()?;
        Some(Memory::new())
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Memory>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// [`limits::DIRECT_BYTES`] at an aligned address.
#[derive(Debug, Default)]
struct Memory {
    bytes: Vec<u8>,
    start: usize,
}

impl Memory {
    fn new() -> Self {
        let bytes = vec![0; limits::DIRECT_BYTES + limits::DIRECT_ALIGN];
        let start = bytes.as_ptr().align_offset(limits::DIRECT_ALIGN);
        Self { bytes, start }
    }
}

/// A buffer on loan; it goes back when it is dropped.
#[derive(Debug)]
pub(super) struct Buffer {
    memory: Memory,
    filled: usize,
    pool: Arc<Buffers>,
}

impl Buffer {
    /// Takes from the front of `piece` what fits.
    pub(super) fn fill(&mut self, piece: &mut Bytes) {
        let len = piece.len().min(limits::DIRECT_BYTES - self.filled);
        let at = self.memory.start + self.filled;
        piece.copy_to_slice(&mut self.memory.bytes[at..at + len]);
        self.filled += len;
    }

    pub(super) const fn len(&self) -> usize {
        self.filled
    }

    pub(super) const fn is_full(&self) -> bool {
        self.filled == limits::DIRECT_BYTES
    }

    fn filled(&self) -> &[u8] {
        &self.memory.bytes[self.memory.start..self.memory.start + self.filled]
    }

    /// Appends what is in the buffer to `file`, which stands at an aligned offset: whole blocks past the page cache,
    /// what is left over through it. Says how much was written.
    pub(super) fn write_to(&self, mut file: &File) -> (u64, io::Result<()>) {
        let mut rest = self.filled();
        let blocks = rest.len() - rest.len() % limits::DIRECT_ALIGN;
        if blocks > 0 && fcntl_setfl(file, OFlags::DIRECT).is_ok() {
            let outcome = file.write(&rest[..blocks]);
            // Never left on: whoever writes next may have any bytes.
            if let Err(error) = fcntl_setfl(file, OFlags::empty()) {
                return (outcome.unwrap_or(0) as u64, Err(error.into()));
            }
            match outcome {
                Ok(written) => rest = &rest[written..],
                // Alignment this file system does not take. The buffered write below tells any other fault.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => self.refuse(),
                Err(error) => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "direct_write.failed");
                }
            }
        } else if blocks > 0 {
            self.refuse();
        }
        while !rest.is_empty() {
            match file.write(&rest[..rest.len().min(limits::WRITE_BYTES)]) {
                Ok(0) => return (self.written(rest), Err(io::ErrorKind::WriteZero.into())),
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return (self.written(rest), Err(error)),
            }
        }
        (self.filled as u64, Ok(()))
    }

    const fn written(&self, rest: &[u8]) -> u64 {
        (self.filled - rest.len()) as u64
    }

    fn refuse(&self) {
        if !self.pool.refused.swap(true, Ordering::Relaxed) {
            tracing::info!("the store's file system takes no direct writes: all go through the page cache");
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.pool.idle().push(std::mem::take(&mut self.memory));
    }
}

/// How fast bytes come.
#[derive(Debug)]
pub(super) struct Pace {
    since: Instant,
    bytes: u64,
    is_fast: bool,
}

impl Pace {
    /// Begins at `now`.
    pub(super) const fn from(now: Instant) -> Self {
        Self { since: now, bytes: 0, is_fast: false }
    }

    /// Notes that `bytes` have come by `now`, and says whether the last few came fast.
    pub(super) fn note(&mut self, bytes: usize, now: Instant) -> bool {
        self.bytes += bytes as u64;
        if self.bytes >= limits::PACE_BYTES {
            self.is_fast = now.duration_since(self.since) < limits::PACE_FAST;
            (self.since, self.bytes) = (now, 0);
        }
        self.is_fast
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_aligned_and_no_more_than_there_may_be() {
        let pool = Buffers::new(2);
        let mut first = pool.take().unwrap();
        let second = pool.take().unwrap();
        assert!(pool.take().is_none());
        drop(second);
        assert!(pool.take().is_some());
        let mut piece = Bytes::from(vec![7; limits::DIRECT_BYTES + 5]);
        first.fill(&mut piece);
        assert!(first.is_full() && piece.len() == 5);
        assert_eq!(first.filled().as_ptr().align_offset(limits::DIRECT_ALIGN), 0);
    }

    #[test]
    fn a_buffer_is_written_whole_whatever_its_length() {
        let pool = Buffers::new(1);
        for len in [1, 4095, 4096, 4097, limits::DIRECT_BYTES - 1, limits::DIRECT_BYTES] {
            let mut buffer = pool.take().unwrap();
            let bytes: Vec<u8> = (0..len).map(|n| u8::try_from(n % 251).unwrap()).collect();
            buffer.fill(&mut Bytes::from(bytes.clone()));
            let file = tempfile::NamedTempFile::new().unwrap();
            let (written, outcome) = buffer.write_to(file.as_file());
            outcome.unwrap();
            assert_eq!(written, len as u64);
            assert!(std::fs::read(file.path()).unwrap() == bytes, "{len}");
        }
    }

    #[test]
    fn a_stream_is_fast_when_its_last_bytes_were() {
        let (begun, window) = (Instant::now(), usize::try_from(limits::PACE_BYTES).unwrap());
        let mut pace = Pace::from(begun);
        assert!(!pace.note(window - 1, begun), "it is too early to say");
        assert!(pace.note(1, begun));
        let later = begun + limits::PACE_FAST;
        assert!(pace.note(window - 1, later), "too early again");
        assert!(!pace.note(1, later));
    }
}
