//! Directories of packaged files to be removed from the store, noted in the change that lets go of them, as
//! [`super::removals`] does for uploads.

use sqlx::Row as _;

use super::revisions::RevisionId;
use super::{Catalog, CatalogError, Tx, to_db};

/// Notes that everything below `path` is to go: as soon as nobody is at it any more, or, with `after`, when that job
/// of the revision or a later one has published what no longer speaks of it ([`release`]).
///
/// # Errors
/// When the catalogue fails.
pub async fn insert(tx: &mut Tx, path: &str, after: Option<u32>, now_ms: u64) -> Result<(), CatalogError> {
    sqlx::query(
        "INSERT INTO tree_removals (path, created_at, after_seq) VALUES ($1, $2, $3)
         ON CONFLICT (path) DO UPDATE SET created_at = excluded.created_at, after_seq = excluded.after_seq",
    )
    .bind(path)
    .bind(to_db(now_ms))
    .bind(after.map(i64::from))
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Job `seq` of a revision has published: what waited for it, or for an earlier one, is to go.
///
/// # Errors
/// When the catalogue fails.
pub async fn release(tx: &mut Tx, id: RevisionId, seq: u32, now_ms: u64) -> Result<(), CatalogError> {
    sqlx::query(
        "UPDATE tree_removals SET after_seq = NULL, created_at = $1 WHERE path LIKE $2 || '/%' AND after_seq <= $3",
    )
    .bind(to_db(now_ms))
    .bind(id.to_string())
    .bind(i64::from(seq))
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Forgets the notes about what is below `path`, since that is to go itself.
///
/// # Errors
/// When the catalogue fails.
pub async fn forget_below(tx: &mut Tx, path: &str) -> Result<(), CatalogError> {
    let done = sqlx::query("DELETE FROM tree_removals WHERE path LIKE $1 || '/%'").bind(path);
    done.execute(tx.connection()).await?;
    Ok(())
}

/// At most `limit` notes made before `before_ms`, the oldest first.
///
/// # Errors
/// When the catalogue fails.
pub async fn list(catalog: &Catalog, before_ms: u64, limit: u32) -> Result<Vec<String>, CatalogError> {
    let rows = sqlx::query(
        "SELECT path FROM tree_removals WHERE created_at < $1 AND after_seq IS NULL ORDER BY created_at, path LIMIT $2",
    )
    .bind(to_db(before_ms))
    .bind(i64::from(limit))
    .fetch_all(catalog.pool())
    .await?;
    rows.iter().map(|row| Ok(row.try_get("path")?)).collect()
}

/// The files are gone.
///
/// # Errors
/// When the catalogue fails.
pub async fn done(catalog: &Catalog, path: &str) -> Result<(), CatalogError> {
    sqlx::query("DELETE FROM tree_removals WHERE path = $1").bind(path).execute(catalog.pool()).await?;
    Ok(())
}
