//! Taking hold of an upload: the lease, the row, and where the bytes really end.

use tidegate_wire::{AssetId, Code};
use tokio::time::Instant;

use super::{Caller, IngestError, may_touch};
use crate::app::App;
use crate::catalog::uploads::{self, Upload, UploadState};
use crate::coord::leases::{self, Lease};
use crate::limits;
use crate::protocol::{UploadKind, UploadView};
use crate::store::{Segment, SegmentName, SegmentWriter, total_bytes};

/// An upload nobody else writes.
pub(super) struct OpenUpload {
    /// Its row.
    pub(super) upload: Upload,
    /// The right to write it.
    pub(super) lease: Lease,
    /// Bytes kept, durable, in all its segments.
    pub(super) offset: u64,
    /// Appends to the current segment, until someone takes it to do so.
    pub(super) writer: Option<Box<dyn SegmentWriter>>,
}

/// What there is to an upload that was asked for.
pub(super) enum Found {
    /// It takes bytes, and it is ours to write.
    Open(Box<OpenUpload>),
    /// It is complete.
    Complete(Box<Upload>),
}

/// The upload, if the caller may touch it.
///
/// # Errors
/// `upload_not_found` also for someone else's, `upload_gone` for an ended one.
pub(super) async fn find(app: &App, id: AssetId, caller: &Caller) -> Result<Upload, IngestError> {
    let upload = uploads::get(&app.catalog, id).await?;
    let upload = upload.filter(|upload| may_touch(upload, caller)).ok_or(Code::UploadNotFound)?;
    if upload.state == UploadState::Terminated { Err(Code::UploadGone.into()) } else { Ok(upload) }
}

/// Takes hold of an upload; whoever writes it is asked to stop, and pushed aside if it does not.
///
/// # Errors
/// As [`find`]; the lease's, the catalogue's and the store's.
pub(super) async fn open(app: &App, id: AssetId, caller: &Caller) -> Result<Found, IngestError> {
    let mut upload = find(app, id, caller).await?;
    if upload.state == UploadState::Complete {
        return Ok(Found::Complete(Box::new(upload)));
    }
    let asked = Instant::now();
    let lease = leases::acquire(&app.coord.leases, &app.entropy, id).await?;
    app.metrics.uploads.lease_wait_seconds.observe(asked.elapsed().as_secs_f64());
    // Read before the lease was ours, the row may be behind. In the fast path it can lack only checkpoints.
    if lease.clean_at != Some(upload.fence) || upload.length.is_none() {
        upload = find(app, id, caller).await?;
        if upload.state == UploadState::Complete {
            lease.retire().await;
            return Ok(Found::Complete(Box::new(upload)));
        }
    }
    if lease.clean_at != Some(upload.fence) {
        push_aside(app, &mut upload, caller).await?;
        app.metrics.uploads.takeovers.inc();
    }
    // Whoever wrote it last had made it durable before saying that it stopped.
    let writer = app.store.open(SegmentName { id, number: upload.fence }).await?;
    let offset = total_bytes(&upload.segments) + writer.len();
    if offset < upload.checkpoint_offset {
        tracing::error!(upload.id = %id, offset_bytes = offset, acknowledged_bytes = upload.checkpoint_offset,
            "the store has lost acknowledged bytes");
        return Err(crate::store::StoreError::Missing.into());
    }
    Ok(Found::Open(Box::new(OpenUpload { upload, lease, offset, writer: Some(writer) })))
}

/// The last writer has not said that it stopped: its segment ends where it ends now, and ours is another.
async fn push_aside(app: &App, upload: &mut Upload, caller: &Caller) -> Result<(), IngestError> {
    for _ in 0..limits::COMMIT_TRIES {
        let name = SegmentName { id: upload.id, number: upload.fence };
        let size_bytes = app.store.seal(name).await?;
        let mut segments = upload.segments.clone();
        if size_bytes > 0 {
            segments.push(Segment { number: name.number, size_bytes });
        }
        let now_ms = app.clock.unix_ms();
        if uploads::raise_fence(&app.catalog, upload.id, upload.fence, &segments, now_ms).await? {
            upload.fence += 1;
            upload.segments = segments;
            return Ok(());
        }
        // The old writer got its last word in. What it acknowledged counts: look again.
        *upload = find(app, upload.id, caller).await?;
        if upload.state == UploadState::Complete {
            return Err(IngestError::Fenced);
        }
    }
    Err(IngestError::Fenced)
}

impl OpenUpload {
    /// What the protocol's rules look at.
    pub(super) fn view(&self) -> UploadView {
        UploadView { kind: self.upload.kind, offset: self.offset, length: self.upload.length }
    }

    /// Every segment with bytes, the current one as it stands.
    pub(super) fn all_segments(&self) -> Vec<Segment> {
        let mut segments = self.upload.segments.clone();
        let size_bytes = self.offset - total_bytes(&segments);
        if size_bytes > 0 {
            segments.push(Segment { number: self.upload.fence, size_bytes });
        }
        segments
    }

    /// Where its first byte stands in the whole file: a part that said where it belongs is hashed in its place.
    pub(super) fn base(&self) -> u64 {
        match self.upload.kind {
            UploadKind::Partial => self.upload.part_offset.unwrap_or(0),
            UploadKind::Single | UploadKind::Final => 0,
        }
    }

    /// Whether all its bytes are there.
    pub(super) fn is_whole(&self) -> bool {
        self.upload.length == Some(self.offset)
    }
}
