//! What was watched of each asset, by day: added up as it is heard, never counted again.

use std::collections::BTreeMap;

use tidegate_wire::AssetId;

use super::{Catalog, CatalogError, Tx, get_u64, to_db};
use crate::limits;

/// What a day brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Day {
    /// Plays that began.
    pub views: u64,
    /// Watched, in milliseconds.
    pub watched_ms: u64,
    /// Interruptions.
    pub stalls: u64,
    /// Requests to edges.
    pub requests: u64,
    /// Those that were answered from the cache alone.
    pub hits: u64,
    /// Bytes of bodies that edges sent.
    pub bytes: u64,
}

impl Day {
    /// Adds another.
    pub fn add(&mut self, more: &Self) {
        self.views = self.views.saturating_add(more.views);
        self.watched_ms = self.watched_ms.saturating_add(more.watched_ms);
        self.stalls = self.stalls.saturating_add(more.stalls);
        self.requests = self.requests.saturating_add(more.requests);
        self.hits = self.hits.saturating_add(more.hits);
        self.bytes = self.bytes.saturating_add(more.bytes);
    }
}

/// The number of a day: days since 1970, UTC.
pub const fn day_of(ms: u64) -> u64 {
    ms / limits::DAY_MS
}

/// Adds to a day of an asset; nothing where there is no such asset.
///
/// # Errors
/// When the catalogue fails.
pub async fn add(tx: &mut Tx, asset: AssetId, day: u64, more: &Day) -> Result<(), CatalogError> {
    if *more == Day::default() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO asset_days (asset_id, day, views, watched_ms, stalls, requests, hits, bytes)
         SELECT id, CAST($2 AS BIGINT), CAST($3 AS BIGINT), CAST($4 AS BIGINT), CAST($5 AS BIGINT), CAST($6 AS BIGINT),
                CAST($7 AS BIGINT), CAST($8 AS BIGINT) FROM assets WHERE id = $1
         ON CONFLICT (asset_id, day) DO UPDATE SET
             views = asset_days.views + excluded.views, watched_ms = asset_days.watched_ms + excluded.watched_ms,
             stalls = asset_days.stalls + excluded.stalls, requests = asset_days.requests + excluded.requests,
             hits = asset_days.hits + excluded.hits, bytes = asset_days.bytes + excluded.bytes",
    )
    .bind(asset.to_string())
    .bind(to_db(day))
    .bind(to_db(more.views))
    .bind(to_db(more.watched_ms))
    .bind(to_db(more.stalls))
    .bind(to_db(more.requests))
    .bind(to_db(more.hits))
    .bind(to_db(more.bytes))
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Upper bounds of the buckets that starts fall into, in milliseconds; longer ones fall into one more.
pub const START_BUCKETS_MS: [u64; 14] =
    [50, 100, 150, 200, 300, 400, 600, 800, 1200, 2000, 3000, 5000, 10_000, 30_000];

/// Counts a play that took so long to begin.
///
/// # Errors
/// When the catalogue fails.
pub async fn add_start(tx: &mut Tx, asset: AssetId, day: u64, start_ms: u64) -> Result<(), CatalogError> {
    let bucket = START_BUCKETS_MS.iter().take_while(|bound| start_ms > **bound).count();
    sqlx::query(
        "INSERT INTO asset_starts (asset_id, day, bucket, plays)
         SELECT id, CAST($2 AS BIGINT), CAST($3 AS BIGINT), 1 FROM assets WHERE id = $1
         ON CONFLICT (asset_id, day, bucket) DO UPDATE SET plays = asset_starts.plays + 1",
    )
    .bind(asset.to_string())
    .bind(to_db(day))
    .bind(to_db(bucket as u64))
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// The days of an asset on which anything happened, the oldest first.
///
/// # Errors
/// When the catalogue fails.
pub async fn days(catalog: &Catalog, asset: AssetId) -> Result<BTreeMap<u64, Day>, CatalogError> {
    let rows = sqlx::query(
        "SELECT day, views, watched_ms, stalls, requests, hits, bytes FROM asset_days WHERE asset_id = $1",
    )
    .bind(asset.to_string())
    .fetch_all(catalog.pool())
    .await?;
    let read = |row: &sqlx::any::AnyRow| {
        let day = Day {
            views: get_u64(row, "views")?,
            watched_ms: get_u64(row, "watched_ms")?,
            stalls: get_u64(row, "stalls")?,
            requests: get_u64(row, "requests")?,
            hits: get_u64(row, "hits")?,
            bytes: get_u64(row, "bytes")?,
        };
        Ok((get_u64(row, "day")?, day))
    };
    rows.iter().map(read).collect()
}

/// How many plays of an asset took how long to begin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Starts([u64; START_BUCKETS_MS.len() + 1]);

impl Starts {
    /// The time within which this share of them began, in milliseconds; `None` where there were none. Within a bucket
    /// they are taken to be spread evenly.
    #[allow(clippy::cast_precision_loss, reason = "milliseconds and counts for people")]
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let all: u64 = self.0.iter().sum();
        let wanted = all as f64 * share;
        let (mut below, mut from) = (0.0, 0.0);
        let last = START_BUCKETS_MS[START_BUCKETS_MS.len() - 1];
        let bounds = START_BUCKETS_MS.iter().copied().chain([last]);
        for (bound, plays) in bounds.zip(self.0) {
            let (to, plays) = (bound as f64, plays as f64);
            if plays > 0.0 && below + plays >= wanted {
                return Some(from + (to - from) * ((wanted - below) / plays));
            }
            (below, from) = (below + plays, to);
        }
        None
    }
}

/// How long plays of an asset took to begin.
///
/// # Errors
/// When the catalogue fails.
pub async fn starts(catalog: &Catalog, asset: AssetId) -> Result<Starts, CatalogError> {
    let rows = sqlx::query(
        "SELECT bucket, CAST(SUM(plays) AS BIGINT) AS plays FROM asset_starts WHERE asset_id = $1 GROUP BY bucket",
    )
    .bind(asset.to_string())
    .fetch_all(catalog.pool())
    .await?;
    let mut starts = Starts::default();
    for row in &rows {
        let bucket = usize::try_from(get_u64(row, "bucket")?).unwrap_or(usize::MAX);
        if let Some(slot) = starts.0.get_mut(bucket) {
            *slot = get_u64(row, "plays")?;
        }
    }
    Ok(starts)
}

/// Whether the report `seq` of a run of an edge is new. Said in the change that adds it up, so that each is added up
/// once, however often the edge sends it.
///
/// # Errors
/// When the catalogue fails.
pub async fn is_new(tx: &mut Tx, instance: &str, seq: u64, now_ms: u64) -> Result<bool, CatalogError> {
    let done = sqlx::query(
        "INSERT INTO edge_reports (instance, seq, seen_at) VALUES ($1, $2, $3)
         ON CONFLICT (instance) DO UPDATE SET seq = excluded.seq, seen_at = excluded.seen_at
         WHERE edge_reports.seq < excluded.seq",
    )
    .bind(instance)
    .bind(to_db(seq))
    .bind(to_db(now_ms))
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Forgets runs of edges that were last heard of before `before_ms`; says how many.
///
/// # Errors
/// When the catalogue fails.
pub async fn forget_reports(catalog: &Catalog, before_ms: u64) -> Result<u64, CatalogError> {
    let done = sqlx::query("DELETE FROM edge_reports WHERE seen_at < $1").bind(to_db(before_ms));
    Ok(done.execute(catalog.pool()).await?.rows_affected())
}

/// Forgets everything about an asset that is deleted for good.
///
/// # Errors
/// When the catalogue fails.
pub async fn forget(tx: &mut Tx, asset: AssetId) -> Result<(), CatalogError> {
    // In the order in which plays are written down: nobody waits for another in a circle.
    for statement in [
        "DELETE FROM plays WHERE asset_id = $1",
        "DELETE FROM asset_days WHERE asset_id = $1",
        "DELETE FROM asset_starts WHERE asset_id = $1",
    ] {
        sqlx::query(statement).bind(asset.to_string()).execute(tx.connection()).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_where_the_plays_do() {
        assert_eq!(Starts::default().quantile(0.5), None);
        let mut starts = Starts::default();
        starts.0[4] = 10;
        assert_eq!((starts.quantile(0.5), starts.quantile(1.0)), (Some(250.0), Some(300.0)));
        starts.0[8] = 10;
        assert_eq!((starts.quantile(0.5), starts.quantile(0.75)), (Some(300.0), Some(1000.0)));
        starts.0[START_BUCKETS_MS.len()] = 80;
        assert_eq!(starts.quantile(0.95), Some(30_000.0));
    }
}
