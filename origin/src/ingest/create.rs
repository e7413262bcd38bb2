//! Making uploads.

use serde_json::json;
use tidegate_wire::{AssetId, Code};

use super::{Caller, IngestError, quota};
use crate::app::App;
use crate::catalog::uploads::{self, FIRST_FENCE, NewUpload};
use crate::events::{Kind, tell};
use crate::protocol::UploadKind;
use crate::protocol::tus::{Create, CreateKind};

/// Adds an upload without bytes to the catalogue and says that nobody writes it yet.
///
/// # Errors
/// `upload_too_large`, `quota_exceeded`; the catalogue's. When it is not known whether the catalogue took it, an empty upload that
/// nobody knows of may be left behind.
pub async fn create(app: &App, caller: &Caller, create: &Create) -> Result<AssetId, IngestError> {
    let (kind, length, part_offset) = match create.kind {
        CreateKind::Single { length } => (UploadKind::Single, length, None),
        CreateKind::Partial { length, offset } => (UploadKind::Partial, length, offset),
        CreateKind::Final { .. } => return Err(Code::UploadConcatInvalid.into()),
    };
    let end = length.unwrap_or(0).checked_add(part_offset.unwrap_or(0));
    if end.is_none_or(|end| end > app.config.max_upload.0) {
        return Err(Code::UploadTooLarge.into());
    }
    let now_ms = app.clock.unix_ms();
    let new = NewUpload {
        id: AssetId::generate(now_ms, app.entropy.bytes()),
        owner: caller.clone(),
        length,
        metadata: create.metadata.raw().map(str::to_owned),
        kind,
        concat: (kind == UploadKind::Partial).then(|| "partial".to_owned()),
        part_offset,
        want_sha256: create.want_sha256,
        created_at: now_ms,
    };
    let mut tx = app.catalog.begin().await?;
    quota::admit(&mut tx, caller, length).await?;
    uploads::insert(&mut tx, &new).await?;
    if kind == UploadKind::Single {
        // Parts are nothing by themselves: what is made of them is told of.
        let data = json!({ "name": create.metadata.file_name(), "length_bytes": length });
        tell(app, &mut tx, Kind::UploadCreated, new.id, new.owner.as_ref(), data).await?;
    }
    tx.commit().await?;
    app.metrics.uploads.created.inc();
    // Without it the first writer raises the fence, which costs it a moment.
    if let Err(error) = app.coord.leases.offer(new.id, FIRST_FENCE).await {
        tracing::debug!(error = &error as &dyn std::error::Error, "lease.offer_failed");
    }
    Ok(new.id)
}
