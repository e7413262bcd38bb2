//! One stream of events (WHATWG HTML section 9.2): what was missed, out of the log; then what happens.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::request::Parts;
use http_body::{Body, Frame};
use tidegate_wire::Code;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::hub::Subscription;
use super::numbered;
use super::passing::Passing;
use crate::access::Operation;
use crate::app::App;
use crate::catalog::events::{self, Logged};
use crate::catalog::{AccountId, CatalogError};
use crate::http::auth::{Caller, identify_again};
use crate::limits;

/// An event of the log as it is written. The text is one line: JSON has no others.
pub(super) fn logged_frame(event: &Logged) -> Bytes {
    let Logged { seq, kind, body, .. } = event;
    Bytes::from(format!("id: {seq}\nevent: {kind}\ndata: {}\n\n", numbered(Some(*seq), body)))
}

/// A passing event as it is written: without an id, so that nobody comes back with it.
pub(super) fn passing_frame(passing: &Passing) -> Bytes {
    Bytes::from(format!("event: {}\ndata: {}\n\n", passing.kind, passing.body))
}

/// What a stream was asked for.
pub struct Wish {
    /// Who asks.
    pub account: AccountId,
    /// Whether it sees everyone's events.
    pub all: bool,
    /// The last event that was seen; `None` begins with what happens from now on.
    pub after: Option<u64>,
    /// The request, for asking again whether its sender still may.
    pub parts: Parts,
}

/// Whether a caller may hear of its own events, or of `all`.
pub fn may_follow(caller: &Caller, all: bool) -> bool {
    caller.may(if all { Operation::ReadAllEvents } else { Operation::ReadEvents })
}

/// A response body that is written piece by piece.
pub struct StreamBody(mpsc::Receiver<Bytes>);

impl Body for StreamBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// Begins writing a stream; it ends by itself when its body is let go.
pub fn begin(app: Arc<App>, wish: Wish, subscription: Subscription) -> StreamBody {
    let (out, body) = mpsc::channel(limits::STREAM_AHEAD);
    tokio::spawn(async move {
        let mut writer = Writer { app, wish, subscription, out };
        let ended = match writer.write().await {
            Ok(ended) => ended,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "event_stream.failed");
                "catalogue"
            }
        };
        writer.app.metrics.events.streams_ended.with_label_values(&[ended]).inc();
    });
    StreamBody(body)
}

struct Writer {
    app: Arc<App>,
    wish: Wish,
    subscription: Subscription,
    out: mpsc::Sender<Bytes>,
}

/// Why a stream ended, as the metric has it.
type Ended = &'static str;

impl Writer {
    async fn write(&mut self) -> Result<Ended, CatalogError> {
        // Cloned: it must be waited for while the rest is borrowed.
        let app = self.app.clone();
        tokio::select! {
            biased;
            () = app.shutdown.cancelled() => Ok("shutdown"),
            ended = self.write_all() => ended,
        }
    }

    async fn write_all(&mut self) -> Result<Ended, CatalogError> {
        if let Some(ended) = self.begin().await? {
            return Ok(ended);
        }
        let mut keep_alive = interval(limits::STREAM_KEEP_ALIVE);
        let mut recheck = interval(limits::STREAM_RECHECK);
        for ticks in [&mut keep_alive, &mut recheck] {
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            // The first is at once, and nothing to go by.
            ticks.tick().await;
        }
        let mut unanswered = 0;
        loop {
            let piece = tokio::select! {
                piece = self.subscription.queue.recv() => match piece {
                    Some(piece) => piece,
                    None => return Ok("behind"),
                },
                _ = keep_alive.tick() => Bytes::from_static(b":\n\n"),
                _ = recheck.tick() => match self.still_may(&mut unanswered).await {
                    true => continue,
                    false => return Ok("access"),
                },
                () = self.out.closed() => return Ok("closed"),
            };
            if !self.put(piece).await {
                return Ok("closed");
            }
        }
    }

    /// Says where the log stands and gives out what was missed. `Some` when that was the end already.
    async fn begin(&mut self) -> Result<Option<Ended>, CatalogError> {
        let head = self.subscription.from;
        let (_, oldest) = events::bounds(&self.app.catalog).await?;
        let retry = limits::STREAM_RETRY_MS;
        let after = match self.wish.after {
            // An id that is not there yet is one of another log.
            Some(after) if after > head || after.saturating_add(1) < oldest => {
                let text = format!(
                    "retry: {retry}\nevent: hello\ndata: {{\"head\":{head}}}\n\n\
                     id: {head}\nevent: reset\ndata: {{\"head\":{head}}}\n\n"
                );
                return Ok((!self.put(Bytes::from(text)).await).then_some("closed"));
            }
            after => after,
        };
        // Who comes back has the id of what it saw last, and must not get a newer one before it has seen the rest.
        let id = after.unwrap_or(head);
        let hello = format!("retry: {retry}\nid: {id}\nevent: hello\ndata: {{\"head\":{head}}}\n\n");
        if !self.put(Bytes::from(hello)).await {
            return Ok(Some("closed"));
        }
        match after {
            Some(after) => self.replay(after, head).await,
            None => Ok(None),
        }
    }

    async fn replay(&mut self, mut after: u64, until: u64) -> Result<Option<Ended>, CatalogError> {
        while after < until {
            let whose = (!self.wish.all).then_some(&self.wish.account);
            let page =
                events::page(&self.app.catalog, whose, after, Some(until), limits::EVENTS_PAGE).await?;
            let is_last = page.len() < usize::try_from(limits::EVENTS_PAGE).unwrap_or(usize::MAX);
            for event in &page {
                after = event.seq;
                if !self.put(logged_frame(event)).await {
                    return Ok(Some("closed"));
                }
            }
            if is_last {
                break;
            }
        }
        Ok(None)
    }

    /// Hands a piece to the connection; `false` when it is gone, or takes nothing.
    async fn put(&self, piece: Bytes) -> bool {
        matches!(timeout(limits::STREAM_WRITE, self.out.send(piece)).await, Ok(Ok(())))
    }

    /// Whether the session or the token is still good, and still its account's. While nobody can say it is believed,
    /// for some time.
    async fn still_may(&self, unanswered: &mut u32) -> bool {
        match identify_again(&self.app, &self.wish.parts).await {
            Ok(Some(caller)) => {
                *unanswered = 0;
                caller.id == self.wish.account && may_follow(&caller, self.wish.all)
            }
            Ok(None) => false,
            Err(error) if error.problem().code == Code::Unavailable => {
                *unanswered += 1;
                *unanswered < limits::STREAM_RECHECK_TRIES
            }
            Err(_) => false,
        }
    }
}
