//! The end of a request: a checkpoint, or a finished file.

use tidegate_wire::digest::to_hex;

use super::finish::{resume_digest, whole_digest};
use super::open::OpenUpload;
use super::{Completed, IngestError, Progress, sniff};
use crate::about::About;
use crate::app::App;
use crate::catalog::assets::{self, NewAsset};
use crate::catalog::uploads::{self, encode_segments};
use crate::digest::{Checkpoint, RunningDigest};
use crate::jobs;
use crate::protocol::{Metadata, UploadKind};

/// Notes how far the upload has come, or completes it if all its bytes are there, and gives the lease back. All
/// bytes up to `open.offset` must be durable. Without a digest it is made from the last checkpoint when it is needed.
///
/// Only when this has succeeded may the offset be acknowledged.
///
/// # Errors
/// [`IngestError::Fenced`] when a newer request pushed this one aside; what the catalogue and the store say.
pub(super) async fn commit(
    app: &App,
    open: Box<OpenUpload>,
    digest: Option<RunningDigest>,
) -> Result<Progress, IngestError> {
    if open.is_whole() {
        return finish(app, open, digest).await;
    }
    let checkpoint = digest.map_or_else(|| open.upload.checkpoint.clone(), |digest| digest.checkpoint());
    let now_ms = app.clock.unix_ms();
    if !uploads::checkpoint(&app.catalog, &open.upload, open.offset, &checkpoint, now_ms).await? {
        return Err(IngestError::Fenced);
    }
    app.tell_offset(&open.upload, open.offset);
    let OpenUpload { upload, lease, offset, .. } = *open;
    lease.release(upload.fence).await;
    let expires_at = Some(super::expiry(app, now_ms));
    Ok(Progress { id: upload.id, offset, length: upload.length, expires_at, completed: None })
}

/// Completes an upload whose bytes are all there; a part waits for its whole, everything else becomes an asset in
/// the same change.
pub(super) async fn finish(
    app: &App,
    open: Box<OpenUpload>,
    digest: Option<RunningDigest>,
) -> Result<Progress, IngestError> {
    let digest = match digest {
        Some(digest) => digest,
        None => resume_digest(app, &open).await?,
    };
    let segments = open.all_segments();
    let end = digest.position();
    let finished = digest.finish();
    let mut tx;
    let completed;
    let mut has_jobs = false;
    if open.upload.kind == UploadKind::Partial {
        let checkpoint = Checkpoint { resume_at: end, nodes: finished.nodes, sha256: None };
        tx = app.catalog.begin().await?;
        if !uploads::complete(&mut tx, &open.upload, &segments, &checkpoint, app.clock.unix_ms()).await? {
            return Err(IngestError::Fenced);
        }
        completed = None;
    } else {
        let (id, size_bytes) = (open.upload.id, open.offset);
        let metadata = open.upload.metadata.as_deref().map(Metadata::parse).transpose()?.unwrap_or_default();
        let asset = NewAsset {
            id,
            owner: open.upload.owner.clone(),
            name: metadata.file_name(),
            size_bytes,
            digest: whole_digest(app, id, &segments, size_bytes, finished.small, finished.nodes).await?,
            sha256: finished.sha256.map(|sum| to_hex(&sum)),
            content_type: sniff::content_type(app, id, &segments, size_bytes, metadata.content_type())
                .await?,
            visibility: super::visibility(&open.upload.owner, &metadata),
            about: About::of_upload(&metadata),
            segments: encode_segments(&segments),
            created_at: app.clock.unix_ms(),
        };
        tx = app.catalog.begin().await?;
        let checkpoint = Checkpoint::at(size_bytes);
        if !uploads::complete(&mut tx, &open.upload, &segments, &checkpoint, asset.created_at).await? {
            return Err(IngestError::Fenced);
        }
        assets::insert(&mut tx, &asset).await?;
        super::tell_finished(app, &mut tx, &asset).await?;
        has_jobs = jobs::create::begin(app, &mut tx, &asset, &metadata).await?;
        completed = Some(Completed { digest: asset.digest, sha256: asset.sha256 });
    }
    tx.commit().await?;
    if has_jobs {
        app.announce_jobs();
    }
    app.metrics.uploads.completed.inc();
    let OpenUpload { upload, lease, offset, .. } = *open;
    lease.retire().await;
    // A part that nothing is made of goes the way of an unfinished upload.
    let expires_at = completed.is_none().then(|| super::expiry(app, app.clock.unix_ms()));
    Ok(Progress { id: upload.id, offset, length: Some(offset), expires_at, completed })
}
