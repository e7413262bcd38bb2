//! A response body out of the store. It is pulled: nothing is read before the client has taken what came before.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::store::{BlobReader, BoxFuture, StoreError};

/// A piece of a body.
pub(super) enum Piece {
    /// Text of ours.
    Text(Bytes),
    /// Bytes of a blob.
    Blob(BlobReader),
}

type Reading = BoxFuture<'static, (BlobReader, Result<Option<Bytes>, StoreError>)>;

/// Pieces in order. A blob that ends too early is an error, which breaks the connection: never a shorter body that
/// looks whole (invariant 5).
pub(super) struct BlobBody {
    pieces: VecDeque<Piece>,
    reading: Option<Reading>,
    left: u64,
}

impl BlobBody {
    /// The bytes of one range.
    pub(super) fn new(reader: BlobReader) -> Self {
        Self::of(vec![Piece::Blob(reader)])
    }

    /// Several pieces.
    pub(super) fn of(pieces: Vec<Piece>) -> Self {
        let len = |piece: &Piece| match piece {
            Piece::Text(text) => text.len() as u64,
            Piece::Blob(reader) => reader.remaining(),
        };
        let left = pieces.iter().map(len).sum();
        Self { pieces: pieces.into(), reading: None, left }
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
                        this.pieces.push_front(Piece::Blob(reader));
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
                Some(Piece::Blob(mut reader)) => {
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
            && self.pieces.iter().all(|piece| matches!(piece, Piece::Blob(_)))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
