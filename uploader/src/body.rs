//! The body of a request: pieces of the file as the connection asks for them.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

use crate::error::UploadError;
use crate::meter::PartMeter;

/// Where a body leaves what went wrong on our side, since HTTP libraries keep only its text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fault(Arc<Mutex<Option<UploadError>>>);

impl Fault {
    /// Takes it, when there is one.
    pub(crate) fn take(&self) -> Option<UploadError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn put(&self, error: UploadError) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }
}

/// The body aborted: see [`Fault`].
#[derive(Debug, thiserror::Error)]
#[error("the file could not be read on")]
pub(crate) struct Aborted;

/// Streams pieces with a known total, and counts what it hands over.
#[derive(Debug)]
pub(crate) struct FileBody {
    pieces: mpsc::Receiver<Result<Bytes, UploadError>>,
    meter: Arc<PartMeter>,
    fault: Fault,
    offset: u64,
    left: u64,
}

impl FileBody {
    /// `len` bytes of a part from `offset` (within the part) on, as `pieces` brings them.
    pub(crate) fn new(
        pieces: mpsc::Receiver<Result<Bytes, UploadError>>,
        meter: Arc<PartMeter>,
        offset: u64,
        len: u64,
    ) -> (Self, Fault) {
        let fault = Fault::default();
        meter.begin(offset);
        (Self { pieces, meter, fault: fault.clone(), offset, left: len }, fault)
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = Aborted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Aborted>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let piece = match ready!(self.pieces.poll_recv(cx)) {
            Some(Ok(piece)) => piece,
            Some(Err(error)) => {
                self.fault.put(error);
                return Poll::Ready(Some(Err(Aborted)));
            }
            None => {
                self.fault.put(UploadError::Internal("the reader of the file ended early".into()));
                return Poll::Ready(Some(Err(Aborted)));
            }
        };
        let len = piece.len() as u64;
        self.meter.handed(self.offset, len);
        self.offset += len;
        self.left = self.left.saturating_sub(len);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
