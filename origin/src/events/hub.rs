//! One reading of the log for all streams of this origin.
//!
//! A stream subscribes, and learns up to which number the hub has read: what is up to there it reads from the catalogue
//! itself, everything after comes to it here. Nothing is missed and nothing comes twice.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::passing::Passing;
use super::stream::{logged_frame, passing_frame};
use crate::app::App;
use crate::catalog::events::{self, Logged};
use crate::catalog::{AccountId, CatalogError};
use crate::coord::Topic;
use crate::limits;

/// The streams of this origin.
#[derive(Default)]
pub struct Hub(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    /// The last number that was passed on; `None` while nobody listens.
    cursor: Option<u64>,
    next: u64,
    streams: HashMap<u64, Stream>,
    per_account: HashMap<AccountId, usize>,
}

struct Stream {
    account: AccountId,
    all: bool,
    queue: mpsc::Sender<Bytes>,
}

impl Stream {
    fn may_see(&self, owner: Option<&AccountId>) -> bool {
        self.all || owner == Some(&self.account)
    }
}

/// One account, or this origin, has as many streams as it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany;

/// A stream's end of the hub; dropping it ends it.
pub struct Subscription {
    app: Arc<App>,
    number: u64,
    account: AccountId,
    /// Everything up to this number is for the stream to read itself.
    pub from: u64,
    /// What came after, ready to be written. It ends when the stream has fallen behind.
    pub queue: mpsc::Receiver<Bytes>,
}

impl Hub {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a stream of `account`, which sees its own events, or `all`.
    ///
    /// # Errors
    /// When the catalogue fails; [`TooMany`] within when there are too many streams.
    pub async fn subscribe(
        app: &Arc<App>,
        account: &AccountId,
        all: bool,
    ) -> Result<Result<Subscription, TooMany>, CatalogError> {
        // Who comes from another origin may have seen more than this one has read.
        read_on(app).await?;
        // Read before it is needed: nothing waits under the lock.
        let (head, _) = events::bounds(&app.catalog).await?;
        let mut inner = app.hub.lock();
        let own = inner.per_account.get(account).copied().unwrap_or(0);
        if own >= limits::STREAMS_PER_ACCOUNT || inner.streams.len() >= limits::STREAMS {
            return Ok(Err(TooMany));
        }
        let (sender, queue) = mpsc::channel(limits::STREAM_QUEUE);
        let number = inner.next;
        inner.next += 1;
        *inner.per_account.entry(account.clone()).or_default() += 1;
        inner.streams.insert(number, Stream { account: account.clone(), all, queue: sender });
        let from = *inner.cursor.get_or_insert(head);
        app.metrics.events.streams.inc();
        Ok(Ok(Subscription { app: app.clone(), number, account: account.clone(), from, queue }))
    }

    fn cursor(&self) -> Option<u64> {
        self.lock().cursor
    }

    /// Passes events on that follow the last one. A gap means that the log was trimmed past the streams: all of them end,
    /// and are told so when they come back.
    fn pass_on(&self, page: &[Logged]) {
        let mut inner = self.lock();
        for event in page {
            let Some(cursor) = inner.cursor else { return };
            if event.seq <= cursor {
                // Read for streams that are gone; those that came since have it.
                continue;
            }
            if event.seq != cursor + 1 {
                inner.streams.clear();
                inner.cursor = None;
                return;
            }
            inner.cursor = Some(event.seq);
            let frame = logged_frame(event);
            // Whoever has no room is behind: it comes back with its last id, and has missed nothing.
            inner.streams.retain(|_, stream| {
                !stream.may_see(event.account.as_ref()) || stream.queue.try_send(frame.clone()).is_ok()
            });
        }
    }

    /// Passes on what is not kept, to whoever has room for it.
    fn pass(&self, passing: &Passing) {
        let frame = passing_frame(passing);
        for stream in self.lock().streams.values() {
            if stream.may_see(passing.account.as_ref()) {
                let _ = stream.queue.try_send(frame.clone());
            }
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut inner = self.app.hub.lock();
        inner.streams.remove(&self.number);
        if let Some(own) = inner.per_account.get_mut(&self.account) {
            *own -= 1;
            if *own == 0 {
                inner.per_account.remove(&self.account);
            }
        }
        if inner.per_account.is_empty() {
            inner.cursor = None;
        }
        self.app.metrics.events.streams.dec();
    }
}

/// Follows the log until the origin stops.
pub(super) async fn follow(app: &App) {
    let mut announced = app.coord.wakeups.subscribe(Topic::Events);
    let following = async {
        loop {
            if let Err(error) = read_on(app).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "events.not_read");
            }
            // Woken or not, the log has the last word.
            let _ = timeout(limits::EVENTS_RECHECK, announced.changed()).await;
        }
    };
    tokio::select! {
        () = following => {}
        () = app.shutdown.cancelled() => {}
    }
}

async fn read_on(app: &App) -> Result<(), CatalogError> {
    loop {
        let Some(cursor) = app.hub.cursor() else { return Ok(()) };
        let page = events::page(&app.catalog, None, cursor, None, limits::EVENTS_PAGE).await?;
        app.hub.pass_on(&page);
        if page.len() < usize::try_from(limits::EVENTS_PAGE).unwrap_or(usize::MAX) {
            return Ok(());
        }
    }
}

/// Passes passing events on until the origin stops.
pub(super) async fn pass_on(app: &App) {
    let mut news = app.coord.news.listen();
    loop {
        let heard = tokio::select! {
            heard = news.recv() => heard,
            () = app.shutdown.cancelled() => return,
        };
        // What was missed is followed by something newer.
        let Ok(text) = heard else { continue };
        if let Ok(passing) = serde_json::from_str(&text) {
            app.hub.pass(&passing);
        }
    }
}
