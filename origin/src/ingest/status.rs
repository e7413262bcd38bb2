//! Where an upload stands.

use std::sync::Arc;

use tidegate_wire::AssetId;

use super::commit::finish;
use super::open::{Found, open};
use super::{Caller, Completed, IngestError, Progress};
use crate::app::App;
use crate::catalog::assets;
use crate::catalog::uploads::Upload;
use crate::protocol::UploadKind;

/// What HEAD tells.
#[derive(Debug, Clone)]
pub struct UploadStatus {
    /// How far it has come.
    pub progress: Progress,
    /// `Upload-Metadata` as received.
    pub metadata: Option<String>,
    /// `Upload-Concat` as received.
    pub concat: Option<String>,
}

/// Where an upload stands, for good: a request that still writes it is stopped first, since an offset that moves on
/// would be of no use to the client that asks. An upload whose last answer was lost on the way is completed.
///
/// # Errors
/// `upload_not_found`, `upload_gone`; the lease's, the catalogue's and the store's.
pub async fn status(app: &Arc<App>, id: AssetId, caller: Caller) -> Result<UploadStatus, IngestError> {
    let task = {
        let app = app.clone();
        async move { ask(&app, id, &caller).await }
    };
    super::outcome(app.tasks.spawn(task)).await
}

async fn ask(app: &App, id: AssetId, caller: &Caller) -> Result<UploadStatus, IngestError> {
    match open(app, id, caller).await? {
        Found::Complete(upload) => {
            let progress = of_complete(app, &upload).await?;
            Ok(UploadStatus { progress, metadata: upload.metadata, concat: upload.concat })
        }
        Found::Open(open) => {
            let (metadata, concat) = (open.upload.metadata.clone(), open.upload.concat.clone());
            let progress = if open.is_whole() {
                finish(app, open, None).await?
            } else {
                let progress = Progress {
                    id,
                    offset: open.offset,
                    length: open.upload.length,
                    expires_at: Some(super::expiry(app, open.upload.updated_at)),
                    completed: None,
                };
                open.lease.release(open.upload.fence).await;
                progress
            };
            Ok(UploadStatus { progress, metadata, concat })
        }
    }
}

/// Where a complete upload stands.
pub(super) async fn of_complete(app: &App, upload: &Upload) -> Result<Progress, IngestError> {
    let completed = match upload.kind {
        UploadKind::Partial => None,
        UploadKind::Single | UploadKind::Final => assets::get(&app.catalog, upload.id)
            .await?
            .map(|asset| Completed { digest: asset.digest, sha256: asset.sha256 }),
    };
    let offset = upload.length.unwrap_or(0);
    let is_part = upload.kind == UploadKind::Partial;
    let expires_at = is_part.then(|| super::expiry(app, upload.updated_at));
    Ok(Progress { id: upload.id, offset, length: Some(offset), expires_at, completed })
}
