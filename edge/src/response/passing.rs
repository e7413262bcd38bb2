//! A body that is passed on from the origin to one viewer, frame by frame, at the viewer's pace.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as _, Frame};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep};

use crate::limits;
use crate::upstream::{Exchange, ExchangeGuard, Failure};

/// The body, and what has been read of it already.
pub(crate) struct Passing {
    prefix: Bytes,
    body: Incoming,
    guard: ExchangeGuard,
    /// Runs while the origin is waited for.
    idle: Option<Pin<Box<Sleep>>>,
}

impl Passing {
    pub(crate) fn new(prefix: Bytes, exchange: Exchange) -> Self {
        let (body, guard) = exchange.into_body();
        Self { prefix, body, guard, idle: None }
    }

    /// Bytes it will send, where the origin said so.
    pub(crate) fn len(&self) -> Option<u64> {
        self.body.size_hint().exact().map(|rest| rest + self.prefix.len() as u64)
    }

    pub(crate) fn is_end(&self) -> bool {
        self.prefix.is_empty() && self.body.is_end_stream()
    }

    pub(crate) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        if !self.prefix.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.prefix)))));
        }
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                self.idle = None;
                if let Some(data) = frame.data_ref() {
                    self.guard.received.inc_by(data.len() as u64);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(_))) => Poll::Ready(Some(Err(Failure::Unreachable))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                let idle = self.idle.get_or_insert_with(|| Box::pin(sleep(limits::IDLE_TIMEOUT)));
                if idle.deadline() <= Instant::now() || idle.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Some(Err(Failure::Timeout)));
                }
                Poll::Pending
            }
        }
    }
}
