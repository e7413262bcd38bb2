//! Text tracks of a revision: taken out of the source, or sent by the owner.

use sqlx::Row as _;
use sqlx::any::AnyRow;
use tidegate_wire::job::TextTrack;

use super::revisions::RevisionId;
use super::{Catalog, CatalogError, Tx};

/// Adds a text track, or puts it in the place of the one of that name.
///
/// # Errors
/// When the catalogue fails.
pub async fn put(tx: &mut Tx, id: RevisionId, text: &TextTrack) -> Result<(), CatalogError> {
    sqlx::query(
        "INSERT INTO texts (asset_id, revision, track, language, label, path) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (asset_id, revision, track)
         DO UPDATE SET language = excluded.language, label = excluded.label, path = excluded.path",
    )
    .bind(id.asset.to_string())
    .bind(i64::from(id.number))
    .bind(text.track.as_str())
    .bind(text.language.as_str())
    .bind(text.label.as_str())
    .bind(text.path.as_str())
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Takes a text track out; returns the path its file had.
///
/// # Errors
/// When the catalogue fails.
pub async fn remove(tx: &mut Tx, id: RevisionId, track: &str) -> Result<Option<String>, CatalogError> {
    let row =
        sqlx::query("DELETE FROM texts WHERE asset_id = $1 AND revision = $2 AND track = $3 RETURNING path")
            .bind(id.asset.to_string())
            .bind(i64::from(id.number))
            .bind(track)
            .fetch_optional(tx.connection());
    Ok(row.await?.map(|row| row.try_get("path")).transpose()?)
}

/// The text tracks of a revision, by name.
///
/// # Errors
/// When the catalogue fails.
pub async fn list(catalog: &Catalog, id: RevisionId) -> Result<Vec<TextTrack>, CatalogError> {
    list_on(catalog.pool(), id).await
}

/// The same as a change sees it that has locked the revision.
///
/// # Errors
/// When the catalogue fails.
pub async fn list_in(tx: &mut Tx, id: RevisionId) -> Result<Vec<TextTrack>, CatalogError> {
    list_on(tx.connection(), id).await
}

async fn list_on<'a>(
    database: impl sqlx::Executor<'a, Database = sqlx::Any>,
    id: RevisionId,
) -> Result<Vec<TextTrack>, CatalogError> {
    let rows = sqlx::query(
        "SELECT track, language, label, path FROM texts WHERE asset_id = $1 AND revision = $2 ORDER BY track",
    )
    .bind(id.asset.to_string())
    .bind(i64::from(id.number))
    .fetch_all(database);
    let read = |row: &AnyRow| {
        Ok(TextTrack {
            track: row.try_get("track")?,
            path: row.try_get("path")?,
            language: row.try_get("language")?,
            label: row.try_get("label")?,
        })
    };
    rows.await?.iter().map(read).collect()
}
