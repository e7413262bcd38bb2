//! Reads a stretch of the file ahead of the connection, on a thread of its own, and hashes what it reads.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::digest::Lane;
use crate::error::UploadError;
use crate::limits;
use crate::pace::Pace;
use crate::source::Source;

/// What a reader needs; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    /// The file.
    pub source: Arc<Source>,
    /// Where what is read is hashed.
    pub lane: Arc<Mutex<Lane>>,
    /// The rate limit.
    pub pace: Option<Arc<Pace>>,
}

impl Reading {
    /// Begins to read `range` of the file. The pieces come in order; an error is the last. The reader ends when
    /// the receiver is dropped: at once when it waits, or after the piece it is reading.
    ///
    /// The file is compared with what was opened after the last piece is read and before it is handed out, so a
    /// file that changed meanwhile is not completed on the server.
    pub(crate) fn start(&self, range: Range<u64>) -> mpsc::Receiver<Result<Bytes, UploadError>> {
        let (sender, receiver) = mpsc::channel(limits::BLOCKS_AHEAD);
        let reading = self.clone();
        let runtime = Handle::current();
        tokio::task::spawn_blocking(move || {
            if let Err(error) = reading.run(range, &sender, &runtime) {
                // Nobody listens any more when this fails.
                let _ = sender.blocking_send(Err(error));
            }
        });
        receiver
    }

    fn run(
        &self,
        range: Range<u64>,
        sender: &mpsc::Sender<Result<Bytes, UploadError>>,
        runtime: &Handle,
    ) -> Result<(), UploadError> {
        self.lane()
            .catch_up(self.source.file(), range.start, || !sender.is_closed())
            .map_err(|error| self.source.read_error(error))?;
        let mut pool = Pool::default();
        let mut sizes = BlockSize::new(self.pace.as_deref());
        let mut offset = range.start;
        while offset < range.end {
            let len = usize::try_from(range.end - offset).unwrap_or(usize::MAX).min(sizes.next);
            let mut block = pool.take(len);
            self.source.read(offset, &mut block)?;
            self.lane().feed(offset, &block);
            if offset + len as u64 == range.end {
                self.source.unchanged()?;
            }
            let began = Instant::now();
            if let Some(pace) = &self.pace {
                runtime.block_on(async {
                    tokio::select! { () = pace.take(len) => {}, () = sender.closed() => {} }
                });
            }
            if sender.blocking_send(Ok(pool.lend(block))).is_err() {
                return Ok(());
            }
            sizes.waited(began.elapsed());
            offset += len as u64;
        }
        Ok(())
    }

    fn lane(&self) -> std::sync::MutexGuard<'_, Lane> {
        self.lane.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Pieces grow while the connection takes them fast and shrink when it does not.
struct BlockSize {
    next: usize,
    fixed: bool,
}

impl BlockSize {
    fn new(pace: Option<&Pace>) -> Self {
        match pace {
            Some(pace) => Self { next: pace.block(), fixed: true },
            None => Self { next: limits::BLOCK_MIN, fixed: false },
        }
    }

    fn waited(&mut self, time: std::time::Duration) {
        if self.fixed {
            return;
        }
        if time > limits::BLOCK_SLOW {
            self.next = (self.next / 2).max(limits::BLOCK_MIN);
        } else if time < limits::BLOCK_FAST {
            self.next = (self.next * 2).min(limits::BLOCK_MAX);
        }
    }
}

/// Takes buffers back when the connection has let go of them: fresh memory for each piece would cost more than
/// reading the file.
#[derive(Default)]
struct Pool {
    lent: VecDeque<Bytes>,
}

impl Pool {
    fn take(&mut self, len: usize) -> BytesMut {
        let back = match self.lent.front() {
            Some(front) if front.is_unique() => {
                self.lent.pop_front().and_then(|block| block.try_into_mut().ok())
            }
            _ => None,
        };
        let mut block = back.unwrap_or_default();
        block.resize(len, 0);
        block
    }

    fn lend(&mut self, block: BytesMut) -> Bytes {
        let block = block.freeze();
        self.lent.push_back(block.clone());
        // The connection holds only a few; older ones are kept by something else and will not come back soon.
        if self.lent.len() > 8 {
            self.lent.pop_front();
        }
        block
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::digest::Digester;

    fn reading(content: &[u8]) -> (Reading, Arc<Digester>, tempfile::NamedTempFile) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        let source = Arc::new(Source::open(file.path()).unwrap());
        let digester = Digester::new(source.size());
        let lane = Arc::new(Mutex::new(Lane::new(digester.clone(), 0)));
        (Reading { source, lane, pace: None }, digester, file)
    }

    #[tokio::test]
    async fn the_pieces_are_the_file_and_its_digest() {
        let content: Vec<u8> = (0..3_000_001u32).map(|i| (i % 251) as u8).collect();
        let (reading, digester, _file) = reading(&content);
        let mut pieces = reading.start(1_000..content.len() as u64);
        let mut got = Vec::new();
        while let Some(piece) = pieces.recv().await {
            got.extend_from_slice(&piece.unwrap());
        }
        assert!(got == content[1_000..]);
        assert_eq!(digester.finish().unwrap().as_bytes(), blake3::hash(&content).as_bytes());
    }

    #[tokio::test]
    async fn a_file_that_changes_while_it_is_read_is_not_completed() {
        let content = vec![7; 2 << 20];
        let (reading, _, mut file) = reading(&content);
        let mut pieces = reading.start(0..content.len() as u64);
        let first = pieces.recv().await.unwrap().unwrap();
        file.write_all(b"more").unwrap();
        let mut got = first.len();
        let error = loop {
            match pieces.recv().await.unwrap() {
                Ok(piece) => got += piece.len(),
                Err(error) => break error,
            }
        };
        assert!(got < content.len());
        assert_eq!(error.code(), "file_changed");
        assert!(pieces.recv().await.is_none());
    }
}
