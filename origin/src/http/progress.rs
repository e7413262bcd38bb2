//! `/api/v1/uploads`: uploads in progress, for whoever wants to show them. Asking stops nobody, unlike HEAD on an
//! upload; what is told may be a moment old.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tidegate_wire::AssetId;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::assets::Owner;
use super::auth::Authenticated;
use super::error::ApiError;
use super::extract::Params;
use super::no_store;
use super::timestamp::Timestamp;
use crate::access::Operation;
use crate::app::App;
use crate::catalog::uploads;
use crate::limits;
use crate::protocol::Metadata;

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::default().routes(routes!(list))
}

/// An upload in progress.
#[derive(Serialize, ToSchema)]
#[schema(as = Upload)]
struct Shown {
    #[schema(value_type = String)]
    id: AssetId,
    name: String,
    /// Bytes in all, if the client has said.
    length_bytes: Option<u64>,
    /// Bytes that have come, as far as is known.
    offset_bytes: u64,
    created_at: Timestamp,
    /// When it was last written to.
    updated_at: Timestamp,
    /// Null for an anonymous one.
    owner: Option<Owner>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Uploads, examples(json!({ "uploads": [{
    "id": "0197a3c1-7d2e-7c31-9d1e-0242ac120002", "name": "holiday.mp4", "length_bytes": 10737418240_u64,
    "offset_bytes": 4617089843_u64, "created_at": "2026-05-28T20:26:40.000Z",
    "updated_at": "2026-05-28T20:31:02.000Z", "owner": { "id": "0197a3c0-5a10-7b6e-a0f3-0242ac120002", "username": "ada" },
}] })))]
struct List {
    uploads: Vec<Shown>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Everyone's uploads; for administrators.
    all: Option<bool>,
}

/// Lists uploads in progress, newest first. What is told may be a moment old; asking stops nobody.
#[utoipa::path(
    get, path = "/api/v1/uploads", tag = "uploads", operation_id = "listUploads", params(Asked),
    responses((status = 200, body = List)), extensions(("x-problems" = json!(["forbidden"])))
)]
async fn list(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    Params(asked): Params<Asked>,
) -> Result<Response, ApiError> {
    let all = asked.all.unwrap_or(false);
    caller.check(if all { Operation::ListAllUploads } else { Operation::ListUploads })?;
    let whose = (!all).then_some(&caller.id);
    let open = uploads::list_open(&app.catalog, whose, limits::UPLOADS_LISTED).await?;
    let owners =
        Owner::of_each(&app, &caller, open.iter().filter_map(|upload| upload.owner.clone()).collect())
            .await?;
    let ids: Vec<AssetId> = open.iter().map(|upload| upload.id).collect();
    let hot = app.coord.hot.get(&ids).await;
    let uploads = open.into_iter().zip(hot).map(|(upload, hot)| {
        let metadata =
            upload.metadata.as_deref().and_then(|field| Metadata::parse(field).ok()).unwrap_or_default();
        Shown {
            id: upload.id,
            name: metadata.file_name(),
            length_bytes: upload.length,
            offset_bytes: upload.checkpoint_offset.max(hot.unwrap_or(0)),
            created_at: Timestamp(upload.created_at),
            updated_at: Timestamp(upload.updated_at),
            owner: upload.owner.and_then(|owner| owners.get(&owner).cloned()),
        }
    });
    Ok(no_store(axum::Json(List { uploads: uploads.collect() })))
}
