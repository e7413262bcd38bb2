//! Ending an upload for good (tus 1.0, termination extension).

use std::sync::Arc;

use tidegate_wire::{AssetId, Code};

use super::open::find;
use super::{Caller, IngestError};
use crate::app::App;
use crate::catalog::removals::{self, Removal};
use crate::catalog::uploads::{self, UploadState, encode_segments};
use crate::coord::leases;
use crate::protocol::UploadKind;
use crate::store::Segment;

/// What is left to do once an upload has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Terminated {
    /// Nothing.
    Upload,
    /// The upload had become an asset, which is to be deleted as assets are.
    Asset,
}

/// Ends an upload and frees its bytes; a request that writes it is stopped.
///
/// # Errors
/// `upload_not_found`, `upload_gone`; the catalogue's.
pub async fn terminate(app: &Arc<App>, id: AssetId, caller: Caller) -> Result<Terminated, IngestError> {
    let task = {
        let app = app.clone();
        async move { end(&app, id, &caller).await }
    };
    app.tasks.spawn(task).await.unwrap_or(Err(IngestError::Stopping))
}

async fn end(app: &App, id: AssetId, caller: &Caller) -> Result<Terminated, IngestError> {
    let upload = find(app, id, caller).await?;
    if upload.state == UploadState::Complete && upload.kind != UploadKind::Partial {
        return Ok(Terminated::Asset);
    }
    // The writer is asked to stop so that it does not go on in vain; the fence is what ends it.
    let lease = leases::acquire(&app.coord.leases, &app.entropy, id).await.ok();
    let upload = find(app, id, caller).await?;
    if upload.state == UploadState::Complete && upload.kind != UploadKind::Partial {
        return Ok(Terminated::Asset);
    }
    let mut segments = upload.segments.clone();
    segments.push(Segment { number: upload.fence, size_bytes: 0 });
    let removal = Removal { id, segments: encode_segments(&segments) };
    let now_ms = app.clock.unix_ms();
    let mut tx = app.catalog.begin().await?;
    if !uploads::terminate(&mut tx, id, now_ms).await? {
        return Err(Code::UploadGone.into());
    }
    removals::insert(&mut tx, &removal, now_ms).await?;
    tx.commit().await?;
    app.metrics.uploads.terminated.inc();
    if let Some(lease) = lease {
        lease.retire().await;
    }
    app.remove_bytes(&removal).await;
    Ok(Terminated::Upload)
}
