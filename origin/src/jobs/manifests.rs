//! Manifests of what is there so far.

use crate::app::App;
use crate::catalog::CatalogError;
use crate::catalog::revisions::RevisionId;

/// A manifest at the root of a revision that is being made; `None` where there is none of this name.
///
/// # Errors
/// When the catalogue fails.
pub async fn growing(_app: &App, _id: RevisionId, _name: &str) -> Result<Option<String>, CatalogError> {
    Ok(None)
}
