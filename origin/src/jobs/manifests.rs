//! Manifests of what is there so far, written when they are asked for.

use tidegate_packager::Presentation;

use crate::app::App;
use crate::catalog::revisions::{self, Revision, RevisionId, RevisionState};
use crate::catalog::{CatalogError, texts, tracks};

/// A manifest at the root of a revision that is being made; `None` where there is none of this name.
///
/// # Errors
/// When the catalogue fails.
pub async fn growing(app: &App, id: RevisionId, name: &str) -> Result<Option<String>, CatalogError> {
    let Some(revision) = revisions::get(&app.catalog, id).await? else { return Ok(None) };
    // Of what is all there, every manifest is published. What failed on its way plays as far as it came.
    if revision.state == RevisionState::Ready || revision.playable_at.is_none() {
        return Ok(None);
    }
    let manifest = with(app, &revision, |presentation| presentation.manifest(name)).await?;
    Ok(manifest.map(|manifest| String::from_utf8_lossy(&manifest.bytes).into_owned()))
}

/// Whether there is a DASH manifest of what is there so far.
///
/// # Errors
/// When the catalogue fails.
pub async fn has_dash(app: &App, revision: &Revision) -> Result<bool, CatalogError> {
    with(app, revision, |presentation| presentation.names().iter().any(|name| name == "manifest.mpd")).await
}

/// The names of the manifests of what is there so far.
///
/// # Errors
/// When the catalogue fails.
pub async fn names(app: &App, revision: &Revision) -> Result<Vec<String>, CatalogError> {
    with(app, revision, |presentation| presentation.names()).await
}

async fn with<T>(
    app: &App,
    revision: &Revision,
    look: impl FnOnce(&Presentation<'_>) -> T,
) -> Result<T, CatalogError> {
    let parts = tracks::list(&app.catalog, revision.id).await?;
    let texts = texts::list(&app.catalog, revision.id).await?;
    let chunks = revision.plan.as_ref().map_or(0, |plan| plan.chunks);
    Ok(look(&Presentation::growing(&parts, &texts, chunks, revision.aes_key.is_some())))
}
