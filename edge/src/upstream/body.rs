//! The bodies the edge sends to the origin.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use hyper::body::Incoming;

/// How much of a request body has gone out, for the one who waits for the answer.
pub(crate) type Progress = Arc<AtomicU64>;

/// A request's body.
pub(crate) enum UpstreamBody {
    /// None.
    Empty,
    /// A few bytes of our own.
    Own(Full<Bytes>),
    /// A viewer's, streamed.
    Viewer(Incoming, Progress),
}

impl UpstreamBody {
    /// Counts frames sent, for a viewer's body.
    pub(crate) fn progress(&self) -> Option<Progress> {
        match self {
            Self::Viewer(_, progress) => Some(progress.clone()),
            Self::Empty | Self::Own(_) => None,
        }
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Own(body) => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
            Self::Viewer(body, progress) => {
                progress.fetch_add(1, Ordering::Relaxed);
                Pin::new(body).poll_frame(cx)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Own(body) => body.is_end_stream(),
            Self::Viewer(body, _) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Own(body) => body.size_hint(),
            Self::Viewer(body, _) => body.size_hint(),
        }
    }
}
