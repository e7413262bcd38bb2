//! A file out of parts that arrived side by side: a list of their segments, and a digest folded from theirs.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tidegate_wire::digest::to_hex;
use tidegate_wire::{AssetId, ByteRange, Code, Problem};

use super::finish::whole_digest;
use super::open::find;
use super::{Caller, Completed, IngestError, Progress, quota, sniff};
use crate::about::About;
use crate::app::App;
use crate::catalog::assets::{self, NewAsset};
use crate::catalog::removals;
use crate::catalog::uploads::{self, NewUpload, Upload, UploadState, encode_segments};
use crate::digest::tree::Node;
use crate::jobs;
use crate::limits;
use crate::protocol::UploadKind;
use crate::protocol::tus::Create;
use crate::store::{self, Segment, SegmentName, total_bytes};

/// Makes a file out of finished parts. The parts stay as they are and may be used again.
///
/// # Errors
/// `upload_part_unknown`, `upload_part_unfinished`, `upload_too_large`, `quota_exceeded`; the catalogue's and the
/// store's.
pub async fn concatenate(
    app: &Arc<App>,
    caller: Caller,
    create: Create,
    parts: Vec<AssetId>,
    field: String,
) -> Result<Progress, IngestError> {
    let task = {
        let app = app.clone();
        async move { assemble(&app, caller, &create, &parts, field).await }
    };
    super::outcome(app.tasks.spawn(task)).await
}

async fn assemble(
    app: &App,
    caller: Caller,
    create: &Create,
    ids: &[AssetId],
    field: String,
) -> Result<Progress, IngestError> {
    let parts = load(app, &caller, ids).await?;
    let size: u64 = parts.iter().map(|part| total_bytes(&part.segments)).sum();
    if size > app.config.max_upload.0 {
        return Err(Code::UploadTooLarge.into());
    }
    let now_ms = app.clock.unix_ms();
    let id = AssetId::generate(now_ms, app.entropy.bytes());
    let count: usize = parts.iter().map(|part| part.segments.len()).sum();
    // Links are bytes too. Until the file is in the catalogue they are noted for removal, a day from now: whoever dies
    // in between leaves none for good.
    let mut tx = app.catalog.begin().await?;
    let removal = removals::insert(&mut tx, id, count as u64, now_ms + limits::DAY_MS).await?;
    tx.commit().await?;
    let linked = link(app, id, &parts).await;
    let outcome = match linked {
        Ok(segments) => record(app, id, caller, create, &parts, segments, field).await,
        Err(error) => Err(error),
    };
    if !matches!(&outcome, Ok(_) | Err(IngestError::Catalog(_))) {
        // Nothing refers to the links. After a catalogue's error something may; the note tells later.
        app.remove_bytes(removal).await;
    }
    outcome
}

/// The parts' rows, each finished and the caller's.
async fn load(app: &App, caller: &Caller, ids: &[AssetId]) -> Result<Vec<Upload>, IngestError> {
    let mut parts = Vec::with_capacity(ids.len());
    for id in ids {
        let part = match find(app, *id, caller).await {
            Ok(part) if part.kind == UploadKind::Partial => part,
            Ok(_) | Err(IngestError::Refused(_)) => {
                return Err(Problem::from(Code::UploadPartUnknown)
                    .detail(format!("{id} is no part of yours"))
                    .into());
            }
            Err(error) => return Err(error),
        };
        if part.state != UploadState::Complete {
            return Err(Problem::from(Code::UploadPartUnfinished)
                .detail(format!("{id} is not finished"))
                .into());
        }
        parts.push(part);
    }
    Ok(parts)
}

/// Gives the parts' segments names under the whole, numbered from 1.
async fn link(app: &App, id: AssetId, parts: &[Upload]) -> Result<Vec<Segment>, IngestError> {
    let mut segments = Vec::new();
    for part in parts {
        for segment in &part.segments {
            let number = segments.len() as u64 + 1;
            let from = SegmentName { id: part.id, number: segment.number };
            app.store.link(from, SegmentName { id, number }).await?;
            segments.push(Segment { number, size_bytes: segment.size_bytes });
        }
    }
    Ok(segments)
}

/// The nodes of every part that was hashed where it now stands.
fn nodes_in_place(parts: &[Upload]) -> Vec<Node> {
    let mut at = 0;
    let mut nodes = Vec::new();
    for part in parts {
        if part.part_offset.unwrap_or(0) == at {
            nodes.extend_from_slice(&part.checkpoint.nodes);
        }
        at += total_bytes(&part.segments);
    }
    nodes
}

async fn record(
    app: &App,
    id: AssetId,
    caller: Caller,
    create: &Create,
    parts: &[Upload],
    segments: Vec<Segment>,
    field: String,
) -> Result<Progress, IngestError> {
    let size = total_bytes(&segments);
    let digest = whole_digest(app, id, &segments, size, None, nodes_in_place(parts)).await?;
    let sha256 = match create.want_sha256 {
        true => Some(sha256_of(app, id, &segments).await?),
        false => None,
    };
    let now_ms = app.clock.unix_ms();
    let asset = NewAsset {
        id,
        owner: caller.clone(),
        name: create.metadata.file_name(),
        size_bytes: size,
        digest,
        sha256: sha256.clone(),
        content_type: sniff::content_type(app, id, &segments, size, create.metadata.content_type()).await?,
        visibility: super::visibility(&caller, &create.metadata),
        about: About::of_upload(&create.metadata),
        segments: encode_segments(&segments),
        created_at: now_ms,
    };
    let new = NewUpload {
        id,
        owner: caller,
        length: Some(size),
        metadata: create.metadata.raw().map(str::to_owned),
        kind: UploadKind::Final,
        concat: Some(field),
        part_offset: None,
        want_sha256: create.want_sha256,
        created_at: now_ms,
    };
    let mut tx = app.catalog.begin().await?;
    if !removals::withdraw(&mut tx, id).await? {
        return Err(IngestError::Fenced);
    }
    // The parts' bytes are the file's from here on: they are not counted twice.
    let mut ids: Vec<AssetId> = parts.iter().map(|part| part.id).collect();
    // In one order, whoever joins them: two that want each other's next would wait for ever.
    ids.sort_unstable();
    for id in ids {
        uploads::join(&mut tx, id).await?;
    }
    quota::admit(&mut tx, &asset.owner, Some(size)).await?;
    uploads::insert_complete(&mut tx, &new, &segments).await?;
    assets::insert(&mut tx, &asset).await?;
    super::tell_finished(app, &mut tx, &asset).await?;
    let has_jobs = jobs::create::begin(app, &mut tx, &asset, &create.metadata).await?;
    tx.commit().await?;
    if has_jobs {
        app.announce_jobs();
    }
    app.metrics.uploads.created.inc();
    app.metrics.uploads.completed.inc();
    Ok(Progress {
        id,
        offset: size,
        length: Some(size),
        expires_at: None,
        completed: Some(Completed { digest, sha256 }),
    })
}

/// SHA-256 has no tree to fold: whoever asks for it on a file of parts has them read.
async fn sha256_of(app: &App, id: AssetId, segments: &[Segment]) -> Result<String, IngestError> {
    let whole = ByteRange::new(0, total_bytes(segments));
    let mut reader = store::reader(app.store.clone(), id, segments.to_vec(), whole);
    let mut hasher = Sha256::new();
    while let Some(piece) = reader.next().await? {
        hasher.update(&piece);
    }
    Ok(to_hex(&hasher.finalize()))
}
