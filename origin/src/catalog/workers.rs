//! Who asks for jobs: what tells an owner why nothing moves.

use super::{Catalog, CatalogError, get_u64, get_u64_or_null, to_db};

/// Notes that a worker was heard of, and what room it has if it said so.
///
/// # Errors
/// When the catalogue fails.
pub async fn seen(
    catalog: &Catalog,
    name: &str,
    scratch_free_bytes: u64,
    now_ms: u64,
) -> Result<(), CatalogError> {
    sqlx::query(
        "INSERT INTO workers (name, seen_at, scratch_free_bytes) VALUES ($1, $2, $3)
         ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at,
                                          scratch_free_bytes = excluded.scratch_free_bytes",
    )
    .bind(name)
    .bind(to_db(now_ms))
    .bind(to_db(scratch_free_bytes))
    .execute(catalog.pool())
    .await?;
    Ok(())
}

/// The workers heard of since `since_ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Around {
    /// How many.
    pub workers: u64,
    /// The most room any of them has.
    pub room_bytes: u64,
    /// Jobs they are at.
    pub running: u64,
}

/// Who is around.
///
/// # Errors
/// When the catalogue fails.
pub async fn around(catalog: &Catalog, since_ms: u64) -> Result<Around, CatalogError> {
    let row = sqlx::query(
        "SELECT COUNT(*) AS many, MAX(scratch_free_bytes) AS room,
                (SELECT COUNT(*) FROM jobs WHERE state = 'running') AS running
         FROM workers WHERE seen_at >= $1",
    )
    .bind(to_db(since_ms))
    .fetch_one(catalog.pool())
    .await?;
    Ok(Around {
        workers: get_u64(&row, "many")?,
        room_bytes: get_u64_or_null(&row, "room")?.unwrap_or(0),
        running: get_u64(&row, "running")?,
    })
}

/// Forgets workers that have not been heard of since `before_ms`.
///
/// # Errors
/// When the catalogue fails.
pub async fn forget(catalog: &Catalog, before_ms: u64) -> Result<u64, CatalogError> {
    let done = sqlx::query("DELETE FROM workers WHERE seen_at < $1").bind(to_db(before_ms));
    Ok(done.execute(catalog.pool()).await?.rows_affected())
}
