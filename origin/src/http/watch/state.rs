//! What the page knows of the video: how far it is, and at which addresses it plays.

use serde::Serialize;

use super::View;
use crate::app::App;
use crate::catalog::revisions::{Revision, RevisionState};
use crate::catalog::{CatalogError, jobs, texts};
use crate::http::playback::{self, Played};
use crate::jobs::manifests;

/// All of it as the page reads it; addresses go through the edge, and have the grant in them where one is needed.
#[derive(Debug, Serialize)]
pub(super) struct State {
    /// The type of the uploaded file; empty as the file's address is.
    content_type: String,
    #[serde(flatten)]
    pub(super) played: Played,
    /// How much is made, 0 to 1; `None` where nothing is being made.
    progress: Option<f64>,
    /// What all addresses here begin with.
    base: String,
    /// The uploaded file; empty where it is not for this viewer.
    pub(super) source: String,
    /// The rungs that play now, the lowest first.
    rungs: Vec<Size>,
    captions: Vec<Captions>,
}

/// A rung's.
#[derive(Debug, Serialize)]
struct Size {
    width: u32,
    height: u32,
}

/// Captions as WebVTT; the adaptive stream has the same in itself.
#[derive(Debug, Serialize)]
struct Captions {
    src: String,
    language: String,
    label: String,
}

impl State {
    pub(super) async fn of(app: &App, view: &View) -> Result<Self, CatalogError> {
        let base = view.base();
        let mut played = playback::of_one(app, &view.asset).await?;
        played.playback = played.playback.below(&base);
        let (mut progress, mut rungs, mut captions) = (None, Vec::new(), Vec::new());
        if let Some(revision) = &view.revision {
            progress = progress_of(app, revision).await?;
            rungs = rungs_of(app, revision).await?;
            captions = captions_of(app, revision, &base).await?;
        }
        let (source, content_type) = match view.may_read_source() {
            true => (format!("{base}{}", view.asset.id.source_path()), view.asset.content_type.clone()),
            false => (String::new(), String::new()),
        };
        Ok(Self { content_type, played, progress, base, source, rungs, captions })
    }
}

async fn progress_of(app: &App, revision: &Revision) -> Result<Option<f64>, CatalogError> {
    match revision.state {
        RevisionState::Ready | RevisionState::Failed => Ok(None),
        // Before the plan there is only the probe, and what it comes to says nothing of the whole.
        RevisionState::Processing if revision.plan.is_none() => Ok(Some(0.0)),
        RevisionState::Processing | RevisionState::Playable => {
            jobs::progress(&app.catalog, revision.id).await.map(Some)
        }
    }
}

async fn rungs_of(app: &App, revision: &Revision) -> Result<Vec<Size>, CatalogError> {
    let Some(outline) = &revision.plan else { return Ok(Vec::new()) };
    let names = match revision.state {
        RevisionState::Playable => manifests::names(app, revision).await?,
        _ => Vec::new(),
    };
    let plays = |track: &str| match revision.state {
        RevisionState::Ready => true,
        RevisionState::Playable => names.iter().any(|name| name.strip_suffix(".m3u8") == Some(track)),
        RevisionState::Processing | RevisionState::Failed => false,
    };
    let rungs = outline.rungs.iter().filter(|rung| plays(&rung.track));
    Ok(rungs.map(|rung| Size { width: rung.width, height: rung.height }).collect())
}

async fn captions_of(app: &App, revision: &Revision, base: &str) -> Result<Vec<Captions>, CatalogError> {
    let texts = texts::list(&app.catalog, revision.id).await?.into_iter();
    let captions = texts.map(|text| Captions {
        src: format!("{base}/media/{}/{}", revision.id, text.path),
        language: text.language,
        label: text.label,
    });
    Ok(captions.collect())
}
