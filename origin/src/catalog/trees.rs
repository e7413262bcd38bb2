//! Directories of packaged files to be removed from the store, noted in the change that lets go of them, as
//! [`super::removals`] does for uploads.

use sqlx::Row as _;

use super::{Catalog, CatalogError, Tx, to_db};

/// Notes that everything below `path` is to go.
///
/// # Errors
/// When the catalogue fails.
pub async fn insert(tx: &mut Tx, path: &str, now_ms: u64) -> Result<(), CatalogError> {
    sqlx::query(
        "INSERT INTO tree_removals (path, created_at) VALUES ($1, $2)
         ON CONFLICT (path) DO UPDATE SET created_at = excluded.created_at",
    )
    .bind(path)
    .bind(to_db(now_ms))
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// At most `limit` notes made before `before_ms`, the oldest first.
///
/// # Errors
/// When the catalogue fails.
pub async fn list(catalog: &Catalog, before_ms: u64, limit: u32) -> Result<Vec<String>, CatalogError> {
    let rows = sqlx::query(
        "SELECT path FROM tree_removals WHERE created_at < $1 ORDER BY created_at, path LIMIT $2",
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
