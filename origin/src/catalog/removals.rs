//! Bytes to be removed from the store once the change that lets go of them has committed.
//!
//! The note is written in that same change, so that a process that dies between the commit and the removal leaves
//! no bytes behind for good: whoever starts next reads the notes.

use sqlx::Row as _;
use tidegate_wire::AssetId;

use super::{Catalog, CatalogError, Tx, get_parsed, to_db};

/// Bytes nothing refers to any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// The upload or asset they belonged to.
    pub id: AssetId,
    /// Where they are, in the store's own words (JSON).
    pub segments: String,
}

/// Notes that the bytes are to go.
///
/// # Errors
/// When the catalogue fails.
pub async fn insert(tx: &mut Tx, removal: &Removal, now_ms: u64) -> Result<(), CatalogError> {
    sqlx::query(
        "INSERT INTO removals (id, segments, created_at) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING",
    )
    .bind(removal.id.to_string())
    .bind(removal.segments.as_str())
    .bind(to_db(now_ms))
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// At most `limit` notes made before `before_ms`, the oldest first.
///
/// # Errors
/// When the catalogue fails.
pub async fn list(catalog: &Catalog, before_ms: u64, limit: u32) -> Result<Vec<Removal>, CatalogError> {
    let rows = sqlx::query(
        "SELECT id, segments FROM removals WHERE created_at < $1 ORDER BY created_at, id LIMIT $2",
    )
    .bind(to_db(before_ms))
    .bind(i64::from(limit))
    .fetch_all(catalog.pool())
    .await?;
    rows.iter()
        .map(|row| Ok(Removal { id: get_parsed(row, "id")?, segments: row.try_get("segments")? }))
        .collect()
}

/// The bytes are gone.
///
/// # Errors
/// When the catalogue fails.
pub async fn done(catalog: &Catalog, id: AssetId) -> Result<(), CatalogError> {
    sqlx::query("DELETE FROM removals WHERE id = $1").bind(id.to_string()).execute(catalog.pool()).await?;
    Ok(())
}
