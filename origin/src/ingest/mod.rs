//! What an upload request does: lease → write → commit, and the lease back.
//!
//! Every function here runs to its end once it has begun, even if the request that asked for it goes away:
//! [`crate::app::App::tasks`] holds them, so that what arrived is kept and the lease is given back in order.

mod append;
mod commit;
mod concat;
mod create;
mod error;
mod finish;
pub mod metrics;
mod open;
mod pump;
mod quota;
mod sniff;
mod status;
mod terminate;

use serde_json::json;
use tidegate_wire::{AssetId, Digest};
use tokio::task::JoinHandle;

pub use append::{Body, append, plain};
pub use concat::concatenate;
pub use create::create;
pub use error::IngestError;
pub(crate) use pump::drain;
pub use status::{UploadStatus, status};
pub use terminate::terminate;

use crate::app::App;
use crate::catalog::uploads::Upload;
use crate::catalog::{AccountId, CatalogError, NewAsset, Tx, Visibility};
use crate::events::{Kind, tell};
use crate::limits;
use crate::protocol::{Metadata, UploadKind};

/// On whose behalf a request acts; `None` is an anonymous one, where the configuration allows those.
pub type Caller = Option<AccountId>;

/// Where an upload stands after a request.
#[derive(Debug, Clone)]
pub struct Progress {
    /// The upload.
    pub id: AssetId,
    /// Bytes kept, all of them durable.
    pub offset: u64,
    /// Bytes in all, if known.
    pub length: Option<u64>,
    /// When it is given up if nothing more comes, in milliseconds since 1970; `None` for a file that is there.
    pub expires_at: Option<u64>,
    /// What it became, if it is complete and not a part.
    pub completed: Option<Completed>,
}

/// A finished file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completed {
    /// BLAKE3 of the whole.
    pub digest: Digest,
    /// SHA-256, if it was asked for.
    pub sha256: Option<String>,
}

/// Tells that an upload has become an asset.
async fn tell_finished(app: &App, tx: &mut Tx, asset: &NewAsset) -> Result<(), CatalogError> {
    let data = json!({
        "name": asset.name, "size_bytes": asset.size_bytes, "digest": asset.digest, "content_type": asset.content_type,
    });
    tell(app, tx, Kind::UploadFinished, asset.id, asset.owner.as_ref(), data).await
}

/// Tells that an upload was ended before it became anything.
pub(crate) async fn tell_removed(
    app: &App,
    tx: &mut Tx,
    upload: &Upload,
    why: &str,
) -> Result<(), CatalogError> {
    if upload.kind == UploadKind::Partial {
        return Ok(());
    }
    tell(app, tx, Kind::UploadRemoved, upload.id, upload.owner.as_ref(), json!({ "reason": why })).await
}

/// Waits for a task that runs to its end whatever becomes of the request. One that panicked is a fault of ours, not a
/// server that stops: the runtime says the former apart from the latter.
async fn outcome<T>(task: JoinHandle<Result<T, IngestError>>) -> Result<T, IngestError> {
    match task.await {
        Ok(outcome) => outcome,
        Err(gone) if gone.is_panic() => Err(IngestError::Panicked),
        Err(_) => Err(IngestError::Stopping),
    }
}

/// When an upload that was last written at `updated_at` is given up.
pub(crate) fn expiry(app: &App, updated_at: u64) -> u64 {
    let days = u64::from(app.config.upload_expiry_days);
    updated_at.saturating_add(days.saturating_mul(limits::DAY_MS))
}

/// Who may watch a new asset: whom its owner said, else the owner alone; everyone who knows its address where nobody
/// owns it.
fn visibility(owner: &Caller, metadata: &Metadata) -> Visibility {
    match owner {
        None => Visibility::Unlisted,
        Some(_) => metadata.visibility().and_then(|name| name.parse().ok()).unwrap_or_default(),
    }
}

/// Whether `caller` may touch `upload`: its owner may, and anyone who knows the id of an anonymous one.
fn may_touch(upload: &Upload, caller: &Caller) -> bool {
    upload.owner.is_none() || upload.owner == *caller
}
