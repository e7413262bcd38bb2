//! Giving numbers to events that have committed, and making of them what is to be sent.
//!
//! Any origin does it for all. It is woken by the commit of a change with events in it; what an origin that died in
//! between has left is found by a timer of the others, or by its own start.

use tokio::time::{sleep, timeout};

use super::Kind;
use crate::app::App;
use crate::catalog::{CatalogError, deliveries, events};
use crate::coord::Topic;
use crate::{limits, mail, webhooks};

/// Runs until the origin stops.
pub(super) async fn run(app: &App) {
    let waiting = async {
        loop {
            if let Err(error) = number_all(app).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "events.not_numbered");
                sleep(limits::OUTBOX_RECHECK).await;
            }
            if timeout(limits::OUTBOX_RECHECK, app.catalog.outbox().notified()).await.is_ok() {
                // Mail that was written in the same change is looked for too.
                app.outgoing.mail.notify_one();
                sleep(limits::EVENTS_GATHERED).await;
            }
        }
    };
    tokio::select! {
        () = waiting => {}
        () = app.shutdown.cancelled() => {}
    }
}

/// Numbers everything that waits.
///
/// # Errors
/// When the catalogue fails; nothing of a batch is numbered then.
pub async fn number_all(app: &App) -> Result<(), CatalogError> {
    while events::any_waiting(&app.catalog).await? {
        if number_batch(app).await? == 0 {
            // Another origin was faster.
            return Ok(());
        }
    }
    Ok(())
}

async fn number_batch(app: &App) -> Result<u64, CatalogError> {
    let now_ms = app.clock.unix_ms();
    let mut tx = app.catalog.begin().await?;
    let (before, given) = events::number(&mut tx, limits::EVENTS_NUMBERED_AT_ONCE).await?;
    if given == 0 {
        return Ok(0);
    }
    let give_up_at = now_ms.saturating_add(webhooks::give_up_ms());
    let made = deliveries::fan_out(&mut tx, before, now_ms, give_up_at).await?;
    if mail::is_on(app) {
        let topics = [Kind::AssetReady.as_str(), Kind::AssetFailed.as_str()];
        for event in events::of_kinds_in(&mut tx, before, topics).await? {
            mail::about_asset(app, &mut tx, &event).await?;
        }
    }
    tx.commit().await?;
    app.metrics.events.numbered.inc_by(given);
    app.coord.wakeups.notify(Topic::Events);
    if made > 0 {
        app.outgoing.webhooks.notify_one();
    }
    app.outgoing.mail.notify_one();
    Ok(given)
}
