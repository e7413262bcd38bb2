//! The body of every response, written by hand: slices are shared with the cache and go to the socket as they are, with
//! no boxed stream and no copy in between.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use prometheus::Histogram;
use tokio::time::Instant;

use super::passing::Passing;
use super::stream::SliceStream;
use crate::metrics::Metrics;
use crate::tally::Traffic;
use crate::upstream::Failure;

/// Where a piece of a body came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Came {
    FromCache,
    FromOrigin,
}

/// A response's body.
pub(crate) struct EdgeBody {
    kind: Kind,
    /// Bytes still to come; `None` where that is not known.
    left: Option<u64>,
    meter: Option<Meter>,
}

/// A frame and where it came from, or why there is none.
type NextPiece = Result<(Frame<Bytes>, Came), Failure>;

enum Kind {
    /// Nothing, or nothing more.
    Done,
    /// The common case: all of it lies in one cached slice.
    One(Bytes),
    /// All of it lies in a few cached slices.
    Few(VecDeque<Bytes>),
    Slices(Box<SliceStream>),
    Passing(Box<Passing>),
}

/// Counts what goes out.
pub(crate) struct Meter {
    metrics: Arc<Metrics>,
    /// The asset's.
    traffic: Option<Arc<Traffic>>,
    /// Until the first byte has gone out.
    begun: Option<Instant>,
}

/// A body that cannot go on. hyper answers it by cutting the response short where the client sees it: the connection
/// closed before `Content-Length` or the last chunk on HTTP/1.1, `RST_STREAM` on HTTP/2 (invariant 5).
#[derive(Debug, thiserror::Error)]
#[error("the response was broken off: {0}")]
pub(crate) struct BrokenOff(#[from] Failure);

impl EdgeBody {
    fn new(kind: Kind, left: Option<u64>) -> Self {
        Self { kind, left, meter: None }
    }

    /// No body.
    pub(crate) fn none() -> Self {
        Self::new(Kind::Done, Some(0))
    }

    /// No body, of a response whose `Content-Length` says what a GET would bring.
    pub(crate) fn head() -> Self {
        Self::new(Kind::Done, None)
    }

    /// A few bytes of the edge's own.
    pub(crate) fn own(text: Full<Bytes>) -> Self {
        let mut text = text;
        let frame = Pin::new(&mut text).poll_frame(&mut Context::from_waker(std::task::Waker::noop()));
        match frame {
            Poll::Ready(Some(Ok(frame))) => frame.into_data().map_or_else(|_| Self::none(), Self::one),
            _ => Self::none(),
        }
    }

    /// Bytes of one slice.
    pub(crate) fn one(bytes: Bytes) -> Self {
        let left = bytes.len() as u64;
        Self::new(if bytes.is_empty() { Kind::Done } else { Kind::One(bytes) }, Some(left))
    }

    /// Bytes of a few slices.
    pub(crate) fn few(mut parts: VecDeque<Bytes>) -> Self {
        if parts.len() <= 1 {
            return parts.pop_front().map_or_else(Self::none, Self::one);
        }
        let left = parts.iter().map(|part| part.len() as u64).sum();
        Self::new(Kind::Few(parts), Some(left))
    }

    /// Slices as they are there or come.
    pub(crate) fn slices(stream: SliceStream) -> Self {
        let left = stream.len();
        Self::new(Kind::Slices(Box::new(stream)), Some(left))
    }

    /// A body that is passed on.
    pub(crate) fn passing(passing: Passing) -> Self {
        let left = passing.len();
        Self::new(Kind::Passing(Box::new(passing)), left)
    }

    /// Counts what goes out, also for its asset, from a request that began at `begun`.
    pub(crate) fn meter(&mut self, metrics: &Arc<Metrics>, traffic: Option<Arc<Traffic>>, begun: Instant) {
        if !matches!(self.kind, Kind::Done) {
            self.meter = Some(Meter { metrics: metrics.clone(), traffic, begun: Some(begun) });
        }
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<NextPiece>> {
        match &mut self.kind {
            Kind::Done => Poll::Ready(None),
            Kind::One(bytes) => {
                let bytes = std::mem::take(bytes);
                self.kind = Kind::Done;
                Poll::Ready(Some(Ok((Frame::data(bytes), Came::FromCache))))
            }
            Kind::Few(parts) => {
                Poll::Ready(parts.pop_front().map(|bytes| Ok((Frame::data(bytes), Came::FromCache))))
            }
            Kind::Slices(stream) => stream
                .poll_next(cx)
                .map(|next| next.map(|piece| piece.map(|(bytes, came)| (Frame::data(bytes), came)))),
            Kind::Passing(passing) => passing
                .poll_frame(cx)
                .map(|next| next.map(|frame| frame.map(|frame| (frame, Came::FromOrigin)))),
        }
    }
}

impl Body for EdgeBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let this = self.get_mut();
        let piece = std::task::ready!(this.poll_piece(cx));
        Poll::Ready(match piece {
            Some(Ok((frame, came))) => {
                let len = frame.data_ref().map_or(0, |data| data.len() as u64);
                this.left = this.left.map(|left| left.saturating_sub(len));
                if let Some(meter) = &mut this.meter {
                    meter.count(len, came);
                }
                Some(Ok(frame))
            }
            Some(Err(failure)) => {
                this.kind = Kind::Done;
                if let Some(meter) = &this.meter {
                    meter.metrics.broken_off.inc();
                }
                tracing::info!(error = %failure, left_bytes = this.left, "response.broken_off");
                Some(Err(failure.into()))
            }
            None => {
                this.kind = Kind::Done;
                None
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Done => true,
            Kind::One(_) | Kind::Slices(_) => self.left == Some(0),
            Kind::Few(parts) => parts.is_empty(),
            Kind::Passing(passing) => passing.is_end(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Meter {
    fn count(&mut self, len: u64, came: Came) {
        if let Some(begun) = self.begun.take() {
            observe(&self.metrics.first_byte, begun);
        }
        if let Some(traffic) = &self.traffic {
            traffic.sent(len);
        }
        match came {
            Came::FromCache => self.metrics.sent_cached.inc_by(len),
            Came::FromOrigin => self.metrics.sent_fetched.inc_by(len),
        }
    }
}

fn observe(histogram: &Histogram, begun: Instant) {
    histogram.observe(begun.elapsed().as_secs_f64());
}
