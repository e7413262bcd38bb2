//! `/api/v1/storage`: what is held, and what room there is.

use std::path::Path;
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
use crate::access::Operation;
use crate::app::App;
use crate::catalog::asset_list;

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::default().routes(routes!(show))
}

#[derive(Serialize, ToSchema)]
#[schema(as = Storage, examples(json!({
    "assets": 1204, "assets_bytes": 5312348123654_u64, "uploads_bytes": 4617089843_u64, "trash_bytes": 0,
    "free_bytes": 812348123654_u64, "total_bytes": 8000000000000_u64,
})))]
struct Storage {
    /// Assets that are not in the trash.
    assets: u64,
    /// Bytes of their uploaded files.
    assets_bytes: u64,
    /// Bytes of uploads that are not finished, and of parts.
    uploads_bytes: u64,
    /// Bytes of uploaded files in the trash.
    trash_bytes: u64,
    /// What the store's file system has left for uploads, where it can be asked.
    free_bytes: Option<u64>,
    /// What it has in all.
    total_bytes: Option<u64>,
}

/// Says what is held and what room there is; for administrators.
#[utoipa::path(
    get, path = "/api/v1/storage", tag = "server", operation_id = "getStorage",
    responses((status = 200, body = Storage)), extensions(("x-problems" = json!(["forbidden"])))
)]
async fn show(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
) -> Result<Response, ApiError> {
    caller.check(Operation::ReadStorage)?;
    let held = asset_list::held(&app.catalog).await?;
    let room = app.config.store.strip_prefix("file://").and_then(|path| room(Path::new(path)));
    let (free_bytes, total_bytes) = room.unzip();
    Ok(no_store(axum::Json(Storage {
        assets: held.assets,
        assets_bytes: held.assets_bytes,
        uploads_bytes: held.uploads_bytes,
        trash_bytes: held.trash_bytes,
        free_bytes,
        total_bytes,
    })))
}

/// Bytes free for this process, and in all, of the file system a path is on.
fn room(path: &Path) -> Option<(u64, u64)> {
    let found = rustix::fs::statvfs(path).ok()?;
    Some((found.f_bavail.saturating_mul(found.f_frsize), found.f_blocks.saturating_mul(found.f_frsize)))
}
