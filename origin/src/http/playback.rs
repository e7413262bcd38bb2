//! What the API says of an asset's playing: how far it is, and where it plays.

use std::collections::HashMap;

use serde::Serialize;
use tidegate_wire::{AssetId, grant};
use utoipa::ToSchema;

use crate::app::App;
use crate::catalog::revisions::{self, Revision, RevisionState};
use crate::catalog::{Asset, CatalogError, jobs, published};
use crate::jobs::manifests;

/// An error as the API shows it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(examples(json!({ "code": "unsupported", "message": "The file has no pictures and no sound." })))]
pub(super) struct Fault {
    code: String,
    message: String,
}

impl From<(String, String)> for Fault {
    fn from((code, message): (String, String)) -> Self {
        Self { code, message }
    }
}

/// Where an asset plays; each `None` until it is there.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub(super) struct Playback {
    pub(super) hls: Option<String>,
    dash: Option<String>,
    poster: Option<String>,
    storyboard: Option<String>,
}

impl Playback {
    /// The same paths under a grant.
    pub(super) fn granted(self, with: &str) -> Self {
        self.below(&grant::granted_path(with, ""))
    }

    /// The same paths with this before them.
    pub(super) fn below(mut self, base: &str) -> Self {
        for path in [&mut self.hls, &mut self.dash, &mut self.poster, &mut self.storyboard] {
            *path = path.take().map(|path| format!("{base}{path}"));
        }
        self
    }
}

/// The members that an asset gains by what is made of it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Played {
    /// `uploaded`, `processing`, `playable`, `ready`, `failed`.
    pub(super) state: &'static str,
    duration_s: Option<f64>,
    width: Option<u32>,
    height: Option<u32>,
    error: Option<Fault>,
    encrypted: bool,
    pub(super) playback: Playback,
    /// How much is made, 0 to 1, while something is being made. The watch page shows it in a place of its own.
    #[serde(skip)]
    pub(super) progress: Option<f64>,
}

impl Default for Played {
    fn default() -> Self {
        Self {
            state: "uploaded",
            duration_s: None,
            width: None,
            height: None,
            error: None,
            encrypted: false,
            playback: Playback::default(),
            progress: None,
        }
    }
}

/// Of one asset.
///
/// # Errors
/// When the catalogue fails.
pub(super) async fn of_one(app: &App, asset: &Asset) -> Result<Played, CatalogError> {
    Ok(of_each(app, &[asset.id]).await?.remove(&asset.id).unwrap_or_default())
}

/// Of several; those that nothing is made of are left out.
///
/// # Errors
/// When the catalogue fails.
pub(super) async fn of_each(app: &App, ids: &[AssetId]) -> Result<HashMap<AssetId, Played>, CatalogError> {
    let revisions = revisions::of_assets(&app.catalog, ids).await?;
    let names = match revisions.is_empty() {
        true => Vec::new(),
        false => published::fixed_of(&app.catalog, ids).await?,
    };
    let unfinished: Vec<AssetId> = revisions
        .iter()
        .filter(|revision| is_being_made(revision))
        .map(|revision| revision.id.asset)
        .collect();
    let progress = jobs::progress_of_each(&app.catalog, &unfinished).await?;
    let mut found = HashMap::new();
    for revision in revisions {
        let names: Vec<&str> =
            names.iter().filter(|(id, _)| *id == revision.id).map(|(_, name)| name.as_str()).collect();
        // In their order: the newest is the last.
        let mut played = played(app, &revision, &names).await?;
        played.progress = match &revision.plan {
            // Before the plan there is only the probe, and what it comes to says nothing of the whole.
            None => is_being_made(&revision).then_some(0.0),
            Some(_) => progress.get(&revision.id).copied(),
        };
        found.insert(revision.id.asset, played);
    }
    Ok(found)
}

fn is_being_made(revision: &Revision) -> bool {
    matches!(revision.state, RevisionState::Processing | RevisionState::Playable)
}

async fn played(app: &App, revision: &Revision, names: &[&str]) -> Result<Played, CatalogError> {
    let plays = matches!(revision.state, RevisionState::Playable | RevisionState::Ready);
    let has_dash = match revision.state {
        RevisionState::Ready => names.contains(&"manifest.mpd"),
        RevisionState::Playable => manifests::has_dash(app, revision).await?,
        RevisionState::Processing | RevisionState::Failed => false,
    };
    let path = |name: &str| format!("/media/{}/{name}", revision.id);
    let published = |name: &str| names.contains(&name).then(|| path(name));
    let video = revision.info.as_ref().and_then(|info| info.video.as_ref());
    Ok(Played {
        state: revision.state.as_str(),
        duration_s: revision.info.as_ref().map(|info| seconds(info.duration_ms)),
        width: video.map(|video| video.width),
        height: video.map(|video| video.height),
        error: revision.error.clone().map(Fault::from),
        encrypted: revision.aes_key.is_some(),
        playback: Playback {
            hls: plays.then(|| path("master.m3u8")),
            dash: has_dash.then(|| path("manifest.mpd")),
            poster: published("poster.jpg"),
            storyboard: published("storyboard.vtt"),
        },
        progress: None,
    })
}

#[allow(clippy::cast_precision_loss, reason = "durations are far below 2^52 milliseconds")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}
