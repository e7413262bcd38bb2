//! What the origin does without being asked: keep the log and the lists short, finish removals that were
//! interrupted, see other origins' key rotations, and know whether it is ready.
//!
//! Every origin does all of it; each piece may be done twice or at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::app::App;
use crate::catalog::{
    CatalogError, assets, audit, edges, jobs as job_rows, keys, purges, queue, removals, resets, sessions,
    trees, uploads, workers,
};
use crate::catalog::{deliveries, events, mails};
use crate::events::passing;
use crate::jobs::sweep;
use crate::{deletion, grants, ingest, limits, plays};

/// Runs until the origin stops.
pub async fn run(app: Arc<App>) {
    tokio::join!(
        every(&app, limits::READINESS_EVERY, || look_after(&app)),
        every(&app, limits::GRANT_KEYS_REFRESH, || refresh_keys(&app)),
        every(&app, limits::JOB_SWEEP_EVERY, || take_jobs_back(&app)),
        every(&app, limits::JOB_COUNT_EVERY, || count_jobs(&app)),
        every(&app, limits::HOUSEKEEPING_EVERY, || tidy(&app)),
        every(&app, limits::PLAYS_FLUSH_EVERY, || write_plays(&app)),
    );
    // What was heard since the last time.
    write_plays(&app).await;
}

async fn write_plays(app: &App) {
    match plays::flush(app).await {
        Ok(assets) if assets.is_empty() => {}
        Ok(assets) => {
            if let Err(error) = passing::viewers(app, assets).await {
                tracing::debug!(error = &error as &dyn std::error::Error, "viewers.not_told");
            }
        }
        Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "plays.not_written"),
    }
}

async fn every<F: Future<Output = ()>>(app: &App, period: Duration, work: impl Fn() -> F) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => work().await,
            () = app.shutdown.cancelled() => return,
        }
    }
}

async fn look_after(app: &App) {
    match app.catalog.ping().await {
        Ok(()) => app.readiness.set_ready("catalog"),
        Err(error) => {
            app.note_deafness();
            app.readiness.set_unready("catalog", error.to_string());
        }
    }
}

async fn refresh_keys(app: &App) {
    if let Err(error) = app.grants.refresh().await {
        tracing::warn!(error = &error as &dyn std::error::Error, "grant_keys.refresh_failed");
    }
}

async fn take_jobs_back(app: &App) {
    if let Err(error) = sweep::take_back(app).await {
        tracing::warn!(error = &error as &dyn std::error::Error, "jobs.sweep_failed");
    }
}

async fn count_jobs(app: &App) {
    match job_rows::counts(&app.catalog).await {
        Ok(counts) => app.metrics.jobs.count(&counts),
        Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "jobs.not_counted"),
    }
}

async fn tidy(app: &App) {
    if let Err(error) = tidy_catalog(app).await {
        tracing::warn!(error = &error as &dyn std::error::Error, "housekeeping.failed");
    }
}

async fn tidy_catalog(app: &App) -> Result<(), CatalogError> {
    let now_ms = app.clock.unix_ms();
    let ago = |age: Duration| now_ms.saturating_sub(u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
    let trimmed = purges::trim(&app.catalog, ago(limits::PURGE_KEPT)).await?;
    let edges = edges::forget(&app.catalog, ago(limits::EDGE_KEPT)).await?;
    let keys = keys::forget(&app.catalog, now_ms.saturating_sub(grants::kept_ms())).await?;
    if trimmed + edges + keys > 0 {
        tracing::info!(purges = trimmed, edges, grant_keys = keys, "housekeeping.forgotten");
    }
    expire_uploads(app, now_ms).await?;
    uploads::forget_ended(&app.catalog, ago(limits::ENDED_KEPT)).await?;
    // Whoever let the bytes go removes them at once; these were left over by one that died, or by a failing store.
    let left = removals::list(&app.catalog, ago(limits::REMOVAL_GRACE), limits::REMOVALS_PER_ROUND).await?;
    for removal in left {
        tracing::info!(asset.id = %removal.id, "removal.taken_up");
        app.remove_bytes(removal).await;
    }
    for tree in trees::list(&app.catalog, ago(limits::REMOVAL_GRACE), limits::REMOVALS_PER_ROUND).await? {
        tracing::info!(tree.path = tree, "tree_removal.taken_up");
        app.remove_tree(&tree).await;
    }
    job_rows::forget_ended(&app.catalog, ago(limits::JOBS_KEPT)).await?;
    queue::forget_shares(&app.catalog).await?;
    workers::forget(&app.catalog, ago(limits::WORKER_KEPT)).await?;
    tidy_told(app, now_ms).await?;
    // The library.
    deletion::empty_trash(app).await?;
    plays::tidy(app).await?;
    assets::fill_in(&app.catalog, limits::FILLED_PER_ROUND).await?;
    tidy_accounts(app, now_ms, ago(limits::AUDIT_KEPT)).await?;
    Ok(())
}

/// Sessions and password resets that have ended, old entries of the audit log, and clients that have been quiet.
async fn tidy_accounts(app: &App, now_ms: u64, audit_before_ms: u64) -> Result<(), CatalogError> {
    app.rates.tidy();
    sessions::forget(&app.catalog, now_ms).await?;
    resets::forget(&app.catalog, now_ms).await?;
    audit::forget(&app.catalog, audit_before_ms).await?;
    Ok(())
}

/// What others were told, and what is not to be told any more.
async fn tidy_told(app: &App, now_ms: u64) -> Result<(), CatalogError> {
    let ago = |age: Duration| now_ms.saturating_sub(u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
    events::trim(&app.catalog, ago(limits::EVENTS_KEPT)).await?;
    deliveries::give_up_overdue(&app.catalog, now_ms).await?;
    deliveries::forget_ended(&app.catalog, ago(limits::DELIVERIES_KEPT)).await?;
    mails::forget(&app.catalog, ago(limits::MAIL_FAILURES_KEPT), now_ms).await?;
    Ok(())
}

/// Gives up uploads that nobody has gone on with for so long (tus 1.0, expiration extension).
async fn expire_uploads(app: &App, now_ms: u64) -> Result<(), CatalogError> {
    let days = u64::from(app.config.upload_expiry_days);
    let before_ms = now_ms.saturating_sub(days.saturating_mul(limits::DAY_MS));
    for (id, fence) in uploads::list_idle(&app.catalog, before_ms, limits::REMOVALS_PER_ROUND).await? {
        let upload = uploads::get(&app.catalog, id).await?;
        let mut tx = app.catalog.begin().await?;
        if !uploads::expire(&mut tx, id, before_ms, now_ms).await? {
            continue;
        }
        if let Some(upload) = &upload {
            ingest::tell_removed(app, &mut tx, upload, "expired").await?;
        }
        let removal = removals::insert(&mut tx, id, fence, now_ms).await?;
        tx.commit().await?;
        app.metrics.uploads.expired.inc();
        tracing::info!(upload.id = %id, "upload.expired");
        app.remove_bytes(removal).await;
    }
    Ok(())
}

/// One round of tidying, for tests that do not wait for the next.
#[doc(hidden)]
pub async fn tidy_now(app: &App) -> Result<(), CatalogError> {
    tidy_catalog(app).await
}
