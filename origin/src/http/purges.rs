//! `/api/v1/purges`: have every edge forget something.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::{StatusCode, Uri};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tidegate_wire::purge::PurgeTargets;
use tidegate_wire::{AssetId, Code, grant};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::Authenticated;
use super::edges::is_alive;
use super::error::ApiError;
use super::extract::{Json, Segment};
use super::no_store;
use super::timestamp::Timestamp;
use crate::access::Operation;
use crate::app::App;
use crate::audit::{self, Action};
use crate::catalog::{edges, purges};
use crate::limits;

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::default().routes(routes!(create)).routes(routes!(show))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PurgeTargets, examples(json!({ "assets": ["0197a3c1-7d2e-7c31-9d1e-0242ac120002"] })))]
struct Create {
    /// Everything of these assets.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    assets: Vec<AssetId>,
    /// What is kept under these URLs or paths.
    #[serde(default)]
    urls: Vec<String>,
    /// What is kept under paths that begin like this.
    #[serde(default)]
    prefixes: Vec<String>,
    /// What the origin has named by one of these (`Cache-Groups`).
    #[serde(default)]
    tags: Vec<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = CreatedPurge, examples(json!({ "id": 42 })))]
struct Created {
    id: u64,
}

/// Has every edge forget something; for administrators.
#[utoipa::path(
    post, path = "/api/v1/purges", tag = "fleet", operation_id = "createPurge", request_body = Create,
    responses((status = 202, body = Created)), extensions(("x-problems" = json!(["forbidden"])))
)]
async fn create(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    Json(create): Json<Create>,
) -> Result<Response, ApiError> {
    caller.check(Operation::Purge)?;
    let targets = read_targets(create)?;
    let mut tx = app.catalog.begin().await?;
    let id = purges::append(&mut tx, &targets, Some(&caller.id), app.clock.unix_ms()).await?;
    audit::note(&app, &mut tx, &caller.actor(), Action::Purged, &id.to_string(), &in_short(&targets)).await?;
    tx.commit().await?;
    app.announce_purge();
    tracing::info!(account.id = %caller.id, purge.seq = id, "purge.asked");
    Ok(no_store((StatusCode::ACCEPTED, axum::Json(Created { id }))))
}

/// What the audit log has of a purge, the first of each kind: the whole of it is in the purge log.
fn in_short(targets: &PurgeTargets) -> serde_json::Value {
    json!({
        "assets": { "count": targets.assets.len(), "first": targets.assets.first() },
        "urls": { "count": targets.urls.len(), "first": targets.urls.first() },
        "prefixes": { "count": targets.prefixes.len(), "first": targets.prefixes.first() },
        "tags": { "count": targets.tags.len(), "first": targets.tags.first() },
    })
}

fn read_targets(create: Create) -> Result<PurgeTargets, ApiError> {
    let count = create.assets.len() + create.urls.len() + create.prefixes.len() + create.tags.len();
    if !(1..=limits::PURGE_TARGETS).contains(&count) {
        let most = limits::PURGE_TARGETS;
        return Err(ApiError::field(format!(
            "name 1 to {most} `assets`, `urls`, `prefixes` and `tags` in all"
        )));
    }
    let paths = |texts: Vec<String>, field: &str| {
        let path = |text: &String| {
            cached_path(text).ok_or_else(|| {
                ApiError::field(format!(
                    "{field}: a URL, or a path that begins with `/`, of at most {} bytes",
                    limits::PURGE_URL_BYTES
                ))
            })
        };
        texts.iter().map(path).collect::<Result<Vec<_>, _>>()
    };
    Ok(PurgeTargets {
        assets: create.assets,
        urls: paths(create.urls, "urls")?,
        prefixes: paths(create.prefixes, "prefixes")?,
        tags: tags(create.tags)?,
    })
}

/// Names of groups as `Cache-Groups` (RFC 9875) can have them: strings of visible ASCII and spaces.
fn tags(tags: Vec<String>) -> Result<Vec<String>, ApiError> {
    let fits = |tag: &String| {
        (1..=limits::PURGE_TAG_BYTES).contains(&tag.len()) && tag.bytes().all(|b| matches!(b, b' '..=b'~'))
    };
    if tags.iter().all(fits) {
        return Ok(tags);
    }
    let most = limits::PURGE_TAG_BYTES;
    Err(ApiError::field(format!("tags: 1 to {most} characters of visible ASCII and spaces")))
}

/// What edges keep an object by: the path with its query, without the host and without a grant.
fn cached_path(text: &str) -> Option<String> {
    if text.len() > limits::PURGE_URL_BYTES {
        return None;
    }
    let uri: Uri = text.parse().ok()?;
    let is_url = matches!(uri.scheme_str(), Some("http" | "https")) && uri.authority().is_some();
    let path = uri.path_and_query().filter(|_| is_url || text.starts_with('/'))?.as_str();
    Some(grant::split_path(path).map_or(path, |(_, rest)| rest).to_owned())
}

#[derive(Serialize, ToSchema)]
#[schema(as = Purge, examples(json!({
    "id": 42, "created_at": "2026-05-28T20:26:40.000Z", "assets": ["0197a3c1-7d2e-7c31-9d1e-0242ac120002"],
    "applied": true, "edges": [{ "url": "https://edge-1.example", "applied": true, "alive": true }],
})))]
struct Shown {
    id: u64,
    created_at: Timestamp,
    #[serde(flatten)]
    #[schema(value_type = Create)]
    targets: PurgeTargets,
    /// Every edge that is alive has applied it.
    applied: bool,
    edges: Vec<OnEdge>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = PurgeOnEdge)]
struct OnEdge {
    url: String,
    applied: bool,
    alive: bool,
}

/// Which edges have applied a purge. One that is not alive applies it before it serves again.
#[utoipa::path(
    get, path = "/api/v1/purges/{id}", tag = "fleet", operation_id = "getPurge", responses((status = 200, body = Shown)),
    extensions(("x-problems" = json!(["forbidden", "not_found"])))
)]
async fn show(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    Segment(id): Segment,
) -> Result<Response, ApiError> {
    caller.check(Operation::Purge)?;
    let id: u64 = id.parse().map_err(|_| Code::NotFound)?;
    let purge = purges::get(&app.catalog, id).await?.ok_or(Code::NotFound)?;
    let now_ms = app.clock.unix_ms();
    let edges: Vec<OnEdge> = edges::list(&app.catalog)
        .await?
        .into_iter()
        .map(|edge| OnEdge {
            applied: edge.heartbeat.purge_cursor >= id,
            alive: is_alive(&edge, now_ms),
            url: edge.heartbeat.url,
        })
        .collect();
    Ok(no_store(axum::Json(Shown {
        id,
        created_at: Timestamp(purge.created_at),
        targets: purge.record.targets,
        applied: edges.iter().all(|edge| edge.applied || !edge.alive),
        edges,
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_what_edges_keep_objects_by() {
        for (text, path) in [
            ("/a/b?c=d", Some("/a/b?c=d")),
            ("https://cdn.example/a/b?c=d", Some("/a/b?c=d")),
            ("http://cdn.example", Some("/")),
            ("/g/xyz/media/1/source", Some("/media/1/source")),
            ("https://cdn.example/g/xyz/media/1/source", Some("/media/1/source")),
            ("a/b", None),
            ("", None),
            ("ftp://a/b", None),
            ("cdn.example:443", None),
        ] {
            assert_eq!(cached_path(text).as_deref(), path, "{text}");
        }
        assert_eq!(cached_path(&format!("/{}", "x".repeat(limits::PURGE_URL_BYTES))), None);
    }
}
