//! The fleet as it reports itself.

use sqlx::Row as _;
use sqlx::any::AnyRow;
use tidegate_wire::fleet::Heartbeat;

use super::{Catalog, CatalogError, get_u64, get_u64_or_null, to_db};

/// An edge and its last heartbeat.
#[derive(Debug, Clone, PartialEq)]
pub struct Edge {
    /// What it said.
    pub heartbeat: Heartbeat,
    /// When; milliseconds since 1970.
    pub heartbeat_at: u64,
}

const PPM: f64 = 1_000_000.0;

/// Notes a heartbeat.
///
/// # Errors
/// When the catalogue fails.
pub async fn beat(catalog: &Catalog, heartbeat: &Heartbeat, now_ms: u64) -> Result<(), CatalogError> {
    sqlx::query(
        "INSERT INTO edges (url, heartbeat_at, purge_cursor, hit_ratio_ppm, cached_bytes, version, memory_limit_bytes,
                            memory_used_bytes)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (url) DO UPDATE SET heartbeat_at = excluded.heartbeat_at, purge_cursor = excluded.purge_cursor,
             hit_ratio_ppm = excluded.hit_ratio_ppm, cached_bytes = excluded.cached_bytes, version = excluded.version,
             memory_limit_bytes = excluded.memory_limit_bytes, memory_used_bytes = excluded.memory_used_bytes",
    )
    .bind(heartbeat.url.as_str())
    .bind(to_db(now_ms))
    .bind(to_db(heartbeat.purge_cursor))
    .bind(heartbeat.hit_ratio.map(to_ppm))
    .bind(to_db(heartbeat.cached_bytes))
    .bind(heartbeat.version.as_str())
    .bind(heartbeat.memory_limit_bytes.map(to_db))
    .bind(heartbeat.memory_used_bytes.map(to_db))
    .execute(catalog.pool())
    .await?;
    Ok(())
}

/// Every edge that is remembered, by URL.
///
/// # Errors
/// When the catalogue fails.
pub async fn list(catalog: &Catalog) -> Result<Vec<Edge>, CatalogError> {
    let rows = sqlx::query(
        "SELECT url, heartbeat_at, purge_cursor, hit_ratio_ppm, cached_bytes, version, memory_limit_bytes,
                memory_used_bytes FROM edges ORDER BY url",
    )
    .fetch_all(catalog.pool())
    .await?;
    rows.iter().map(read).collect()
}

/// Forgets edges that have been silent since before `before_ms`; says how many.
///
/// # Errors
/// When the catalogue fails.
pub async fn forget(catalog: &Catalog, before_ms: u64) -> Result<u64, CatalogError> {
    let done = sqlx::query("DELETE FROM edges WHERE heartbeat_at < $1")
        .bind(to_db(before_ms))
        .execute(catalog.pool());
    Ok(done.await?.rows_affected())
}

#[allow(clippy::cast_possible_truncation, reason = "clamped to 0..=1 first")]
fn to_ppm(ratio: f64) -> i64 {
    (ratio.clamp(0.0, 1.0) * PPM).round() as i64
}

#[allow(clippy::cast_precision_loss, reason = "at most a million")]
fn read(row: &AnyRow) -> Result<Edge, CatalogError> {
    Ok(Edge {
        heartbeat: Heartbeat {
            url: row.try_get("url")?,
            purge_cursor: get_u64(row, "purge_cursor")?,
            hit_ratio: get_u64_or_null(row, "hit_ratio_ppm")?.map(|ppm| ppm as f64 / PPM),
            cached_bytes: get_u64(row, "cached_bytes")?,
            version: row.try_get("version")?,
            memory_limit_bytes: get_u64_or_null(row, "memory_limit_bytes")?,
            memory_used_bytes: get_u64_or_null(row, "memory_used_bytes")?,
            report: None,
        },
        heartbeat_at: get_u64(row, "heartbeat_at")?,
    })
}
