//! The beginning: a revision and its first job, in the change that completes the upload.

use tidegate_wire::digest::to_hex;
use uuid::Uuid;

use super::plan::{self, Planned};
use crate::app::App;
use crate::catalog::assets::NewAsset;
use crate::catalog::jobs::{self, NewJob};
use crate::catalog::revisions::{self, RevisionId};
use crate::catalog::{CatalogError, Tx};
use crate::protocol::Metadata;

/// Makes the first revision of a new asset and the job that looks at it, if the file is or claims to be video or
/// sound. `true` if so: once the change has committed, workers are to be told ([`App::announce_jobs`]).
///
/// # Errors
/// When the catalogue fails.
pub async fn begin(
    app: &App,
    tx: &mut Tx,
    asset: &NewAsset,
    metadata: &Metadata,
) -> Result<bool, CatalogError> {
    // A claim counts as well: who sends a picture as a video is to learn that it is none.
    let claimed = metadata.content_type().unwrap_or_default();
    if ![asset.content_type.as_str(), claimed].into_iter().any(is_media) {
        return Ok(false);
    }
    let id = RevisionId { asset: asset.id, number: 1 };
    let account = asset.owner.as_ref().map_or("", |owner| owner.as_str());
    let aes_key = metadata.wants_encryption().then(|| to_hex(&app.entropy.bytes::<16>()));
    revisions::insert(tx, id, account, aes_key, 1, asset.created_at).await?;
    let made = NewJob {
        id: job_id(app, 1),
        revision: id,
        seq: 1,
        account: account.to_owned(),
        length_ms: 0,
        missing: 0,
        unblocks: None,
        created_at: asset.created_at,
        ..of_planned(plan::probe(asset.size_bytes), id)
    };
    jobs::insert(tx, &made).await?;
    Ok(true)
}

/// Whether a media type is one that workers can make something of.
pub fn is_media(content_type: &str) -> bool {
    let is = |kind: &str| content_type.get(..kind.len()).is_some_and(|head| head.eq_ignore_ascii_case(kind));
    is("video/") || is("audio/")
}

/// The part of a new job that a plan gives.
pub(super) fn of_planned(planned: Planned, revision: RevisionId) -> NewJob {
    NewJob {
        id: Uuid::nil(),
        revision,
        seq: 0,
        account: String::new(),
        class: planned.class.number(),
        length_ms: 0,
        cost_ms: planned.cost_ms,
        needs_bytes: planned.needs_bytes,
        missing: 0,
        unblocks: None,
        created_at: 0,
        work: planned.work,
    }
}

/// A new job's id (UUIDv7): by time, and within a plan by number, so that lists have an order.
pub(super) fn job_id(app: &App, seq: u32) -> Uuid {
    let mut random = app.entropy.bytes::<10>();
    let [high, low] = u16::try_from(seq & 0x0fff).unwrap_or(0).to_be_bytes();
    (random[0], random[1]) = (high, low);
    uuid::Builder::from_unix_timestamp_millis(app.clock.unix_ms(), &random).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn video_and_sound_are_media_whatever_the_case() {
        for media in ["video/mp4", "audio/mpeg", "Video/QuickTime", "video/"] {
            assert!(is_media(media), "{media}");
        }
        for other in ["", "video", "image/png", "application/octet-stream", "text/video/mp4", "vidéo/mp4"] {
            assert!(!is_media(other), "{other}");
        }
    }
}
