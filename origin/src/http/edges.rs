//! `/api/v1/edges`: the fleet.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::Authenticated;
use super::error::ApiError;
use super::no_store;
use super::timestamp::Timestamp;
use crate::access::Operation;
use crate::app::App;
use crate::catalog::edges::{self, Edge};
use crate::catalog::purges;
use crate::limits;

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::default().routes(routes!(list))
}

#[derive(Serialize, ToSchema)]
#[schema(as = Edge)]
struct Listed {
    url: String,
    alive: bool,
    last_heartbeat: Timestamp,
    purge_cursor: u64,
    hit_ratio: Option<f64>,
    cached_bytes: u64,
    version: String,
    /// The most memory it may use for objects and clients.
    memory_limit_bytes: Option<u64>,
    /// What of it holds objects.
    memory_used_bytes: Option<u64>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Edges, examples(json!({
    "edges": [{
        "url": "https://edge-1.example", "alive": true, "last_heartbeat": "2026-05-28T20:26:40.000Z", "purge_cursor": 42,
        "hit_ratio": 0.97, "cached_bytes": 734003200, "version": "0.1.0", "memory_limit_bytes": 1073741824,
        "memory_used_bytes": 738197504,
    }],
    "purge_head": 42,
})))]
struct List {
    edges: Vec<Listed>,
    /// The newest purge.
    purge_head: u64,
}

/// Lists the edges as they report themselves; for administrators.
#[utoipa::path(
    get, path = "/api/v1/edges", tag = "fleet", operation_id = "listEdges", responses((status = 200, body = List)),
    extensions(("x-problems" = json!(["forbidden"])))
)]
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
        memory_limit_bytes: edge.heartbeat.memory_limit_bytes,
        memory_used_bytes: edge.heartbeat.memory_used_bytes,
    });
    let (purge_head, _) = purges::bounds(&app.catalog).await?;
    Ok(no_store(axum::Json(List { edges: edges.collect(), purge_head })))
}

/// Whether the edge was heard of lately.
pub(super) fn is_alive(edge: &Edge, now_ms: u64) -> bool {
    u128::from(now_ms.saturating_sub(edge.heartbeat_at)) <= limits::EDGE_ALIVE.as_millis()
}
