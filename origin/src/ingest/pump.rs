//! A request body into a segment: collect, hash, write, while the next batch is collected.

use std::pin::{Pin, pin};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::append::Body;
use crate::app::App;
use crate::digest::RunningDigest;
use crate::limits;
use crate::store::{Appended, BoxFuture, SegmentWriter, StoreError};

/// Why a body came to its end.
#[derive(Debug)]
pub(super) enum End {
    /// It is all there.
    Finished,
    /// A newer request wants the upload.
    Wanted,
    /// The server is stopping.
    Closing,
    /// Nothing came for too long.
    Stalled,
    /// The connection broke.
    Broken,
    /// There is more of it than there is room.
    TooLong,
    /// The store failed.
    Failed(StoreError),
}

/// The signals that end a body before its time.
pub(super) struct Stops {
    /// A newer request wants the upload.
    pub(super) wanted: CancellationToken,
    /// The server is stopping.
    pub(super) closing: CancellationToken,
}

/// Where a body goes.
pub(super) struct Pump<'a> {
    app: &'a App,
    /// Either here or in the write that runs.
    writer: Option<Box<dyn SegmentWriter>>,
    running: Option<BoxFuture<'static, Appended>>,
    batch: Vec<Bytes>,
    batch_bytes: usize,
    digest: RunningDigest,
    /// Bytes that may still come.
    room: u64,
    received: u64,
}

/// What is left when a body has ended: everything received is written, as far as the store took it.
pub(super) struct Pumped {
    pub(super) writer: Box<dyn SegmentWriter>,
    pub(super) digest: RunningDigest,
    pub(super) received: u64,
    pub(super) end: End,
}

impl<'a> Pump<'a> {
    pub(super) fn new(
        app: &'a App,
        writer: Box<dyn SegmentWriter>,
        digest: RunningDigest,
        room: u64,
    ) -> Self {
        let writer = Some(writer);
        Self { app, writer, running: None, batch: Vec::new(), batch_bytes: 0, digest, room, received: 0 }
    }

    /// Takes bytes until the body ends one way or another, or `budget` bytes have come: then it answers `None`,
    /// with everything written, and may be called again.
    pub(super) async fn run(&mut self, body: &mut Body, stops: &Stops, budget: u64) -> Option<End> {
        let mut wanted = pin!(stops.wanted.cancelled());
        let mut closing = pin!(stops.closing.cancelled());
        let mut idle = pin!(sleep(limits::BODY_IDLE));
        let stop_at = self.received.saturating_add(budget);
        while self.received < stop_at {
            let frame = tokio::select! {
                biased;
                () = &mut wanted => return self.end(End::Wanted).await,
                () = &mut closing => return self.end(End::Closing).await,
                frame = body.frame() => frame,
                () = &mut idle => return self.end(End::Stalled).await,
            };
            let data = match frame {
                None => return self.end(End::Finished).await,
                Some(Err(error)) => {
                    tracing::debug!(error = error.to_string(), "body.broken");
                    return self.end(End::Broken).await;
                }
                // Trailers say nothing to us.
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
            };
            idle.as_mut().reset(Instant::now() + limits::BODY_IDLE);
            if data.len() as u64 > self.room {
                return self.end(End::TooLong).await;
            }
            self.take(data);
            if (self.batch_bytes >= limits::BATCH_BYTES || self.batch.len() >= limits::BATCH_PIECES)
                && let Err(error) = self.flush().await
            {
                return Some(End::Failed(error));
            }
        }
        match self.settle().await {
            Ok(()) => None,
            Err(error) => Some(End::Failed(error)),
        }
    }

    fn take(&mut self, data: Bytes) {
        let len = data.len() as u64;
        self.room -= len;
        self.received += len;
        self.batch_bytes += data.len();
        self.app.metrics.uploads.received_bytes.inc_by(len);
        if !data.is_empty() {
            self.batch.push(data);
        }
    }

    /// Hashes the batch here, which at several GB/s costs less than handing it to another thread, and starts its write.
    async fn flush(&mut self) -> Result<(), StoreError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let batch = std::mem::take(&mut self.batch);
        self.batch_bytes = 0;
        batch.iter().for_each(|piece| self.digest.update(piece));
        self.wait().await?;
        if let Some(writer) = self.writer.take() {
            self.running = Some(writer.append(batch));
        }
        Ok(())
    }

    /// Waits for the write that runs.
    async fn wait(&mut self) -> Result<(), StoreError> {
        let Some(running) = self.running.take() else { return Ok(()) };
        let (writer, outcome) = running.await;
        self.writer = Some(writer);
        outcome
    }

    /// Writes everything that came.
    async fn settle(&mut self) -> Result<(), StoreError> {
        self.flush().await?;
        self.wait().await
    }

    async fn end(&mut self, end: End) -> Option<End> {
        match self.settle().await {
            Ok(()) => Some(end),
            Err(error) => Some(End::Failed(error)),
        }
    }

    /// Makes what was written durable.
    pub(super) async fn sync(&mut self) -> Result<(), StoreError> {
        self.wait().await?;
        let Some(writer) = self.writer.take() else { return Err(StoreError::Missing) };
        let (writer, outcome) = writer.sync().await;
        self.writer = Some(writer);
        outcome
    }

    /// The digest of everything that came so far.
    pub(super) const fn digest(&self) -> &RunningDigest {
        &self.digest
    }

    /// Bytes written to the segment, once nothing runs.
    pub(super) fn written(&self) -> u64 {
        self.writer.as_ref().map_or(0, |writer| writer.len())
    }

    /// Gives back what is left.
    pub(super) async fn into_pumped(mut self, end: End) -> Result<Pumped, StoreError> {
        // A write that failed has given the writer back with what it managed.
        let _ = self.wait().await;
        let writer = self.writer.take().ok_or(StoreError::Missing)?;
        Ok(Pumped { writer, digest: self.digest, received: self.received, end })
    }
}

/// Whether a body that should be empty brings anything; one that is silent for a while does not.
pub(super) async fn brings_bytes(body: &mut Body) -> bool {
    let read = async {
        while let Some(Ok(frame)) = body.frame().await {
            if frame.data_ref().is_some_and(|data| !data.is_empty()) {
                return true;
            }
        }
        false
    };
    tokio::time::timeout(limits::DRAIN_WAIT, read).await.unwrap_or(false)
}

/// Reads on for a while in a body nobody wants, so that its sender reads the answer instead of a reset.
pub(crate) async fn drain(body: &mut Body) {
    let mut left = limits::DRAIN_BYTES;
    let read = async {
        while let Some(Ok(frame)) = Pin::new(&mut *body).frame().await {
            left = left.saturating_sub(frame.data_ref().map_or(0, |data| data.len() as u64));
            if left == 0 {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(limits::DRAIN_WAIT, read).await;
}
