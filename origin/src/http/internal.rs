//! `/internal/…`: what edges and workers call, with the fleet key.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use http::Uri;
use serde::Deserialize;
use tidegate_wire::fleet::{Heartbeat, HeartbeatAck, KeySet, TrafficReport};
use tidegate_wire::purge::PurgeFeed;
use tokio::time::{Instant, sleep_until};

use super::auth::Fleet;
use super::error::ApiError;
use super::extract::{Json, Params};
use super::no_store;
use crate::app::App;
use crate::catalog::statistics::{self, Day, day_of};
use crate::catalog::{edges, purges};
use crate::coord::Topic;
use crate::limits;

pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/internal/keys", get(keys))
        .route("/internal/purges", get(feed))
        .route("/internal/heartbeat", post(heartbeat))
}

/// The keys as they are now: an edge asks when it meets one it does not know, and needs no stale answer.
async fn keys(State(app): State<Arc<App>>, _: Fleet) -> Result<Response, ApiError> {
    if let Err(error) = app.grants.refresh().await {
        // Those at hand are better than none.
        tracing::warn!(error = &error as &dyn std::error::Error, "grant_keys.refresh_failed");
    }
    let keys: KeySet = app.grants.key_set();
    Ok(no_store(axum::Json(keys)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Feed {
    after: Option<u64>,
    wait: Option<f64>,
}

/// What came after a cursor, at once or as soon as there is something.
async fn feed(
    State(app): State<Arc<App>>,
    _: Fleet,
    Params(feed): Params<Feed>,
) -> Result<Response, ApiError> {
    let Some(after) = feed.after else {
        // An edge without a cursor has nothing to forget: it begins here.
        let (head, oldest) = purges::bounds(&app.catalog).await?;
        return Ok(no_store(axum::Json(PurgeFeed { records: Vec::new(), head, oldest })));
    };
    let wait = Duration::try_from_secs_f64(feed.wait.unwrap_or(0.0));
    let wait = wait.map_err(|_| ApiError::field("wait: seconds, from 0"))?.min(limits::PURGE_WAIT);
    let until = Instant::now() + wait;
    // Listening begins before looking, or a purge in between would not be heard.
    let mut announced = app.coord.wakeups.subscribe(Topic::Purges);
    loop {
        let feed = purges::feed(&app.catalog, after, limits::PURGE_PAGE).await?;
        // A log that begins after the cursor, or ends before it, is news too: the edge has to begin anew.
        let is_news = feed.head != after || feed.oldest > after.saturating_add(1);
        let now = Instant::now();
        if is_news || now >= until || app.shutdown.is_cancelled() {
            return Ok(no_store(axum::Json(feed)));
        }
        // Woken or not, the log has the last word.
        tokio::select! {
            _ = announced.changed() => {}
            () = sleep_until(until.min(now + limits::PURGE_RECHECK)) => {}
            () = app.shutdown.cancelled() => {}
        }
    }
}

async fn heartbeat(
    State(app): State<Arc<App>>,
    _: Fleet,
    Json(mut heartbeat): Json<Heartbeat>,
) -> Result<Response, ApiError> {
    if heartbeat.url.ends_with('/') {
        heartbeat.url.pop();
    }
    if !is_base_url(&heartbeat.url) {
        return Err(ApiError::field("url: http:// or https:// and a host, without a path"));
    }
    let report = heartbeat.report.take();
    edges::beat(&app.catalog, &heartbeat, app.clock.unix_ms()).await?;
    let counted = match report {
        Some(report) => Some(count(&app, report).await?),
        None => None,
    };
    let (purge_head, _) = purges::bounds(&app.catalog).await?;
    Ok(no_store(axum::Json(HeartbeatAck { purge_head, counted })))
}

/// Adds a report up, if it has not been before; says which it was.
async fn count(app: &App, mut report: TrafficReport) -> Result<u64, ApiError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    let is_name =
        (1..=limits::REQUEST_ID_BYTES).contains(&report.instance.len()) && report.instance.bytes().all(plain);
    if !is_name || report.assets.len() > limits::EDGE_REPORT_ASSETS {
        return Err(ApiError::field(format!(
            "report: a name, and at most {} assets",
            limits::EDGE_REPORT_ASSETS
        )));
    }
    let now_ms = app.clock.unix_ms();
    // In one order for everyone who adds up.
    report.assets.sort_unstable_by_key(|traffic| traffic.asset);
    let mut tx = app.catalog.begin().await?;
    if statistics::is_new(&mut tx, &report.instance, report.seq, now_ms).await? {
        for traffic in &report.assets {
            let most = |counter: u64| counter.min(limits::EDGE_REPORT_MOST);
            let (requests, hits, bytes) = (most(traffic.requests), most(traffic.hits), most(traffic.bytes));
            let day = Day { requests, hits, bytes, ..Day::default() };
            statistics::add(&mut tx, traffic.asset, day_of(now_ms), &day).await?;
        }
    }
    tx.commit().await?;
    Ok(report.seq)
}

/// The URL goes into pages and their Content-Security-Policy: nothing but a scheme, a host and a port.
fn is_base_url(url: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    url.len() <= limits::EDGE_URL_BYTES
        && url.parse::<Uri>().is_ok()
        && ["http://", "https://"]
            .iter()
            .find_map(|scheme| url.strip_prefix(scheme))
            .is_some_and(|host| !host.is_empty() && host.chars().all(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_is_a_scheme_and_a_host() {
        for url in ["http://127.0.0.1:8081", "https://edge-1.example", "http://[::1]:8081"] {
            assert!(is_base_url(url), "{url}");
        }
        for url in [
            "",
            "edge",
            "ftp://edge",
            "http://",
            "http://a/",
            "http://a/b",
            "http://a;script-src",
            "http://a b",
            "http://u@a",
            "http://a\"x",
        ] {
            assert!(!is_base_url(url), "{url}");
        }
    }
}
