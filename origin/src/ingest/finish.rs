//! Digests at the two ends of a request: going on with one, and folding the last.

use tidegate_wire::{AssetId, ByteRange, Digest};

use super::IngestError;
use super::open::OpenUpload;
use crate::app::App;
use crate::digest::tree::{self, GROUP_BYTES, Node, TreeHasher};
use crate::digest::{Checkpoint, RunningDigest};
use crate::protocol::UploadKind;
use crate::store::{self, BlobReader, Segment, StoreError};

/// The digest of everything an upload has, from its checkpoint and the bytes behind it: at most one group of them
/// after a request that ended in order, at most a checkpoint's distance after a crash.
pub(super) async fn resume_digest(app: &App, open: &OpenUpload) -> Result<RunningDigest, IngestError> {
    let base = open.base();
    let checkpoint = &open.upload.checkpoint;
    let usable = checkpoint.resume_at >= base && checkpoint.resume_at - base <= open.offset;
    let mut digest = if usable && *checkpoint != Checkpoint::at(base) {
        RunningDigest::resume(checkpoint.clone()).map_err(|_| StoreError::Missing)?
    } else {
        RunningDigest::new(base, open.upload.want_sha256 && open.upload.kind == UploadKind::Single)
    };
    let behind = ByteRange::new(digest.position() - base, open.offset);
    if !behind.is_empty() {
        let mut reader = store::reader(app.store.clone(), open.upload.id, open.all_segments(), behind);
        while let Some(piece) = reader.next().await? {
            digest.update(&piece);
        }
        app.metrics.uploads.rehashed_bytes.inc_by(behind.len());
    }
    Ok(digest)
}

/// The digest of a whole blob from what was hashed while it arrived; only what no node covers is read.
pub(super) async fn whole_digest(
    app: &App,
    id: AssetId,
    segments: &[Segment],
    size: u64,
    small: Option<Digest>,
    mut nodes: Vec<Node>,
) -> Result<Digest, IngestError> {
    if let Some(digest) = small {
        return Ok(digest);
    }
    let read = |range| store::reader(app.store.clone(), id, segments.to_vec(), range);
    if size <= GROUP_BYTES {
        let hasher = hash_range(read(ByteRange::new(0, size)), 0).await?;
        return hasher.small_digest().ok_or_else(|| StoreError::Missing.into());
    }
    for gap in tree::missing(size, &nodes) {
        let hasher = hash_range(read(gap), gap.start).await?;
        nodes.extend(hasher.into_nodes());
        app.metrics.uploads.rehashed_bytes.inc_by(gap.len());
    }
    tree::root(size, &nodes).ok_or_else(|| StoreError::Missing.into())
}

async fn hash_range(mut reader: BlobReader, start: u64) -> Result<TreeHasher, StoreError> {
    let mut hasher = TreeHasher::new(start);
    while let Some(piece) = reader.next().await? {
        hasher.update(&piece);
    }
    Ok(hasher)
}
