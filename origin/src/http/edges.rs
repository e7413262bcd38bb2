//! `/api/v1/edges`: the fleet.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde::Serialize;

use super::auth::Authenticated;
use super::error::ApiError;
use super::no_store;
use super::timestamp::Timestamp;
use crate::access::Operation;
use crate::app::App;
use crate::catalog::edges::{self, Edge};
use crate::catalog::purges;
use crate::limits;

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/api/v1/edges", get(list))
}

#[derive(Serialize)]
struct Listed {
    url: String,
    alive: bool,
    last_heartbeat: Timestamp,
    purge_cursor: u64,
    hit_ratio: Option<f64>,
    cached_bytes: u64,
    version: String,
}

#[derive(Serialize)]
struct List {
    edges: Vec<Listed>,
    /// The newest purge.
    purge_head: u64,
}

async fn list(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
) -> Result<Response, ApiError> {
    caller.check(Operation::ListEdges)?;
    let now_ms = app.clock.unix_ms();
    let edges = edges::list(&app.catalog).await?.into_iter().map(|edge| Listed {
        alive: is_alive(&edge, now_ms),
        last_heartbeat: Timestamp(edge.heartbeat_at),
        url: edge.heartbeat.url,
        purge_cursor: edge.heartbeat.purge_cursor,
        hit_ratio: edge.heartbeat.hit_ratio,
        cached_bytes: edge.heartbeat.cached_bytes,
        version: edge.heartbeat.version,
    });
    let (purge_head, _) = purges::bounds(&app.catalog).await?;
    Ok(no_store(axum::Json(List { edges: edges.collect(), purge_head })))
}

/// Whether the edge was heard of lately.
pub(super) fn is_alive(edge: &Edge, now_ms: u64) -> bool {
    u128::from(now_ms.saturating_sub(edge.heartbeat_at)) <= limits::EDGE_ALIVE.as_millis()
}
