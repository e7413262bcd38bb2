//! `/api/v1/assets/{id}/statistics`: what was watched of an asset.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::assets::permitted;
use super::auth::Authenticated;
use super::error::ApiError;
use super::extract::AssetPath;
use super::no_store;
use super::timestamp::Timestamp;
use crate::access::Operation;
use crate::app::App;
use crate::catalog::statistics::{self, Day, day_of};
use crate::catalog::{assets, plays};
use crate::limits;

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::default().routes(routes!(show))
}

#[derive(Serialize, ToSchema)]
#[schema(as = StatisticsDay)]
struct OfDay {
    /// In UTC.
    #[schema(value_type = String, format = Date)]
    date: String,
    views: u64,
    watched_s: f64,
    bytes: u64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Statistics, examples(json!({
    "views": 128, "viewers_now": 3, "watched_s": 41823.5, "stalls": 4, "bytes": 98123456789_u64, "requests": 90412,
    "hit_ratio": 0.98, "start_p50_s": 0.31, "start_p95_s": 1.2,
    "days": [{ "date": "2026-05-28", "views": 128, "watched_s": 41823.5, "bytes": 98123456789_u64 }],
})))]
struct Statistics {
    /// Plays that began: one each, however many requests it took.
    views: u64,
    viewers_now: u64,
    watched_s: f64,
    /// Interruptions of plays.
    stalls: u64,
    /// Sent by edges.
    bytes: u64,
    /// Answered by edges.
    requests: u64,
    /// Requests answered from an edge's cache over all; null before the first.
    hit_ratio: Option<f64>,
    /// Within which half of the plays began; null before the first.
    start_p50_s: Option<f64>,
    /// Within which 19 of 20 plays began.
    start_p95_s: Option<f64>,
    /// The last 90 days on which anything happened, the oldest first.
    days: Vec<OfDay>,
}

/// Says what was watched of an asset.
#[utoipa::path(
    get, path = "/api/v1/assets/{id}/statistics", tag = "plays", operation_id = "getStatistics",
    responses((status = 200, body = Statistics)), extensions(("x-problems" = json!(["forbidden", "asset_not_found"])))
)]
async fn show(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    AssetPath(id): AssetPath,
) -> Result<Response, ApiError> {
    permitted(assets::get(&app.catalog, id).await?, &caller, Operation::ReadStatistics)?;
    let now_ms = app.clock.unix_ms();
    let days = statistics::days(&app.catalog, id).await?;
    let starts = statistics::starts(&app.catalog, id).await?;
    let viewers = plays::viewers_of(&app.catalog, &[id], now_ms).await?;
    let mut sum = Day::default();
    days.values().for_each(|day| sum.add(day));
    let oldest = (day_of(now_ms) + 1).saturating_sub(u64::from(limits::STATISTICS_DAYS));
    let of_day = |(day, of): (&u64, &Day)| OfDay {
        date: Timestamp(day * limits::DAY_MS).to_string().chars().take(10).collect(),
        views: of.views,
        watched_s: seconds(of.watched_ms),
        bytes: of.bytes,
    };
    Ok(no_store(axum::Json(Statistics {
        views: sum.views,
        viewers_now: viewers.get(&id).copied().unwrap_or(0),
        watched_s: seconds(sum.watched_ms),
        stalls: sum.stalls,
        bytes: sum.bytes,
        requests: sum.requests,
        hit_ratio: ratio(sum.hits, sum.requests),
        start_p50_s: starts.quantile(0.5).map(|ms| ms / 1000.0),
        start_p95_s: starts.quantile(0.95).map(|ms| ms / 1000.0),
        days: days.range(oldest..).map(of_day).collect(),
    })))
}

#[allow(clippy::cast_precision_loss, reason = "a ratio for people")]
fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[allow(clippy::cast_precision_loss, reason = "far below 2^52 milliseconds")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}
