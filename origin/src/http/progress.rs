//! `/api/v1/uploads`: uploads in progress, for whoever wants to show them. Asking stops nobody, unlike HEAD on an
//! upload; what is told may be a moment old.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde::Serialize;
use tidegate_wire::AssetId;

use super::auth::Authenticated;
use super::error::ApiError;
use super::no_store;
use super::timestamp::Timestamp;
use crate::access::Operation;
use crate::app::App;
use crate::catalog::uploads;
use crate::limits;
use crate::protocol::Metadata;

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/api/v1/uploads", get(list))
}

/// An upload in progress.
#[derive(Serialize)]
struct Shown {
    id: AssetId,
    name: String,
    /// Bytes in all, if the client has said.
    length_bytes: Option<u64>,
    /// Bytes that have come, as far as is known.
    offset_bytes: u64,
    created_at: Timestamp,
}

#[derive(Serialize)]
struct List {
    uploads: Vec<Shown>,
}

async fn list(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
) -> Result<Response, ApiError> {
    caller.check(Operation::ListUploads)?;
    let open = uploads::list_open(&app.catalog, &caller.id, limits::UPLOADS_LISTED).await?;
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
        }
    });
    Ok(no_store(axum::Json(List { uploads: uploads.collect() })))
}
