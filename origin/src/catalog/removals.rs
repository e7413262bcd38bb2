//! Bytes to be removed from the store once the change that lets go of them has committed.
//!
//! The note is written in that same change, so that a process that dies between the commit and the removal leaves
//! no bytes behind for good: whoever starts next reads the notes.

use sqlx::any::AnyRow;
use tidegate_wire::AssetId;

use super::{Catalog, CatalogError, Tx, get_parsed, get_u64, to_db};

/// Bytes nothing refers to any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Removal {
    /// The upload or asset they belonged to.
    pub id: AssetId,
    /// The highest number one of its segments can have.
    pub last_segment: u64,
}

/// Notes that the bytes of an upload are to go: segments up to `last_segment`, and up to the one its fence allows,
/// which a writer that was pushed aside or cut off may have left.
///
/// # Errors
/// When the catalogue fails.
pub async fn insert(
    tx: &mut Tx,
    id: AssetId,
    last_segment: u64,
    now_ms: u64,
) -> Result<Removal, CatalogError> {
    let row = sqlx::query(
        "INSERT INTO removals (id, last_segment, created_at)
         SELECT $1, COALESCE((SELECT fence FROM uploads WHERE id = $1 AND fence > $2), CAST($2 AS BIGINT)),
                CAST($3 AS BIGINT)
         WHERE 1 = 1
         ON CONFLICT (id) DO UPDATE SET created_at = excluded.created_at
         RETURNING id, last_segment",
    )
    .bind(id.to_string())
    .bind(to_db(last_segment))
    .bind(to_db(now_ms))
    .fetch_one(tx.connection())
    .await?;
    read(&row)
}

/// At most `limit` notes made before `before_ms`, the oldest first.
///
/// # Errors
/// When the catalogue fails.
pub async fn list(catalog: &Catalog, before_ms: u64, limit: u32) -> Result<Vec<Removal>, CatalogError> {
    let rows = sqlx::query(
        "SELECT id, last_segment FROM removals WHERE created_at < $1 ORDER BY created_at, id LIMIT $2",
    )
    .bind(to_db(before_ms))
    .bind(i64::from(limit))
    .fetch_all(catalog.pool())
    .await?;
    rows.iter().map(read).collect()
}

/// The bytes are gone.
///
/// # Errors
/// When the catalogue fails.
pub async fn done(catalog: &Catalog, id: AssetId) -> Result<(), CatalogError> {
    sqlx::query("DELETE FROM removals WHERE id = $1").bind(id.to_string()).execute(catalog.pool()).await?;
    Ok(())
}

/// Takes a note back: what it is about is referred to after all. `false` when it is no longer there, so that the bytes
/// may be gone.
///
/// # Errors
/// When the catalogue fails.
pub async fn withdraw(tx: &mut Tx, id: AssetId) -> Result<bool, CatalogError> {
    let done = sqlx::query("DELETE FROM removals WHERE id = $1").bind(id.to_string());
    Ok(done.execute(tx.connection()).await?.rows_affected() == 1)
}

fn read(row: &AnyRow) -> Result<Removal, CatalogError> {
    Ok(Removal { id: get_parsed(row, "id")?, last_segment: get_u64(row, "last_segment")? })
}
