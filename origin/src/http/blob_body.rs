//! A response body out of the store. It is pulled: nothing is read before the client has taken what came before.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::store::{BlobReader, BoxFuture, FileReader, StoreError};

/// A piece of a body.
pub(super) enum Piece {
    /// Text of ours.
    Text(Bytes),
    /// Bytes of the store.
    Stored(Stored),
}

/// Bytes of the store that are read as they are asked for.
pub(super) enum Stored {
    /// Of an upload.
    Blob(BlobReader),
    /// Of a packaged file.
    File(FileReader),
}

impl Stored {
    const fn remaining(&self) -> u64 {
        match self {
            Self::Blob(reader) => reader.remaining(),
            Self::File(reader) => reader.remaining(),
        }
    }

    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        match self {
            Self::Blob(reader) => reader.next().await,
            Self::File(reader) => reader.next().await,
        }
    }
}

impl From<BlobReader> for Piece {
    fn from(reader: BlobReader) -> Self {
        Self::Stored(Stored::Blob(reader))
    }
}

impl From<FileReader> for Piece {
    fn from(reader: FileReader) -> Self {
        Self::Stored(Stored::File(reader))
    }
}

type Reading = BoxFuture<'static, (Stored, Result<Option<Bytes>, StoreError>)>;

/// Pieces in order. A blob that ends too early is an error, which breaks the connection: never a shorter body that
/// looks whole (invariant 5).
pub(super) struct BlobBody {
    pieces: VecDeque<Piece>,
    reading: Option<Reading>,
    left: u64,
}

impl BlobBody {
    /// Pieces in order.
    pub(super) fn of(pieces: Vec<Piece>) -> Self {
        let len = |piece: &Piece| match piece {
            Piece::Text(text) => text.len() as u64,
            Piece::Stored(reader) => reader.remaining(),
        };
        let left = pieces.iter().map(len).sum();
        Self { pieces: pieces.into(), reading: None, left }
    }

    /// Bytes still to come.
    pub(super) const fn len(&self) -> u64 {
        self.left
    }
}

impl Body for BlobBody {
    type Data = Bytes;
    type Error = StoreError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StoreError>>> {
        let this = self.get_mut();
        loop {
            if let Some(reading) = &mut this.reading {
                let (reader, outcome) = ready!(reading.as_mut().poll(cx));
                this.reading = None;
                match outcome {
                    Ok(Some(bytes)) => {
                        this.pieces.push_front(Piece::Stored(reader));
                        this.left = this.left.saturating_sub(bytes.len() as u64);
                        return Poll::Ready(Some(Ok(Frame::data(bytes))));
                    }
                    Ok(None) => {}
                    Err(error) => {
                        tracing::error!(error = &error as &dyn std::error::Error, "media.read_failed");
                        this.pieces.clear();
                        return Poll::Ready(Some(Err(error)));
                    }
                }
            }
            match this.pieces.pop_front() {
                None => return Poll::Ready(None),
                Some(Piece::Text(text)) => {
                    this.left = this.left.saturating_sub(text.len() as u64);
                    return Poll::Ready(Some(Ok(Frame::data(text))));
                }
                Some(Piece::Stored(mut reader)) => {
                    this.reading = Some(Box::pin(async move {
                        let outcome = reader.next().await;
                        (reader, outcome)
                    }));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
            && self.reading.is_none()
            && self.pieces.iter().all(|piece| matches!(piece, Piece::Stored(_)))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
