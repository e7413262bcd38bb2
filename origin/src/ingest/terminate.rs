//! Ending an upload for good (tus 1.0, termination extension).

use std::sync::Arc;

use tidegate_wire::{AssetId, Code};

use super::open::find;
use super::{Caller, IngestError};
use crate::app::App;
use crate::catalog::removals;
use crate::catalog::uploads::{self, Upload, UploadState};
use crate::coord::leases;
use crate::deletion::delete_asset;
use crate::protocol::UploadKind;

/// Ends an upload and frees its bytes; a request that writes it is stopped. One that has become an asset is deleted
/// as assets are.
///
/// # Errors
/// `upload_not_found`, `upload_gone`; the catalogue's.
pub async fn terminate(app: &Arc<App>, id: AssetId, caller: Caller) -> Result<(), IngestError> {
    let task = {
        let app = app.clone();
        async move { end(&app, id, &caller).await }
    };
    super::outcome(app.tasks.spawn(task)).await
}

pub(super) async fn end(app: &App, id: AssetId, caller: &Caller) -> Result<(), IngestError> {
    let upload = find(app, id, caller).await?;
    if is_asset(&upload) {
        return delete(app, id, caller).await;
    }
    // The writer is asked to stop so that it does not go on in vain; the fence is what ends it.
    let lease = leases::acquire(&app.coord.leases, &app.entropy, id).await.ok();
    let upload = find(app, id, caller).await?;
    if is_asset(&upload) {
        return delete(app, id, caller).await;
    }
    let now_ms = app.clock.unix_ms();
    let mut tx = app.catalog.begin().await?;
    if !uploads::terminate_unfinished(&mut tx, id, now_ms).await? {
        // A writer that did not stop got its last word in: the upload was completed since we looked, or ended.
        drop(tx);
        return delete(app, id, caller).await;
    }
    super::tell_removed(app, &mut tx, &upload, "ended").await?;
    let removal = removals::insert(&mut tx, id, upload.fence, now_ms).await?;
    tx.commit().await?;
    app.metrics.uploads.terminated.inc();
    if let Some(lease) = lease {
        lease.retire().await;
    }
    app.remove_bytes(removal).await;
    Ok(())
}

fn is_asset(upload: &Upload) -> bool {
    upload.state == UploadState::Complete && upload.kind != UploadKind::Partial
}

async fn delete(app: &App, id: AssetId, caller: &Caller) -> Result<(), IngestError> {
    // An asset's address is its upload's: whoever may watch an anonymous one must not thereby be able to end it.
    if caller.is_none() {
        return Err(Code::Forbidden.into());
    }
    let deleted = delete_asset(app, id, |asset| asset.owner == *caller).await?;
    if deleted { Ok(()) } else { Err(Code::Forbidden.into()) }
}
