//! Plays: one for each time that someone opened an asset in a player. A view is a play that has begun, whatever it
//! takes in requests.

use std::collections::HashMap;

use sqlx::{AssertSqlSafe, Row as _};
use tidegate_wire::AssetId;
use uuid::Uuid;

use super::revisions::places;
use super::statistics::Day;
use super::{AccountId, Catalog, CatalogError, Tx, get_parsed, get_u64, to_db};

/// Adds a play that nothing was heard of yet but that it is there.
///
/// # Errors
/// When the catalogue fails.
pub async fn begin(
    catalog: &Catalog,
    id: Uuid,
    asset: AssetId,
    now_ms: u64,
    viewer_until: u64,
) -> Result<(), CatalogError> {
    sqlx::query(
        "INSERT INTO plays (id, asset_id, started_at, seen_at, viewer_until, watched_ms, stalls, counted, began)
         VALUES ($1, $2, $3, $3, $4, 0, 0, 0, 0)",
    )
    .bind(id.to_string())
    .bind(asset.to_string())
    .bind(to_db(now_ms))
    .bind(to_db(viewer_until))
    .execute(catalog.pool())
    .await?;
    Ok(())
}

/// When the play began, if there is such a one.
///
/// # Errors
/// When the catalogue fails.
pub async fn started_at(catalog: &Catalog, id: Uuid) -> Result<Option<u64>, CatalogError> {
    let row = sqlx::query("SELECT started_at FROM plays WHERE id = $1").bind(id.to_string());
    let row = row.fetch_optional(catalog.pool()).await?;
    row.map(|row| get_u64(&row, "started_at")).transpose()
}

/// What was heard of a play: in all so far, so that it may be said twice or come late.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// Of which.
    pub id: Uuid,
    /// When; milliseconds since 1970.
    pub at_ms: u64,
    /// Until when it counts as a viewer; 0 when it has ended.
    pub viewer_until: u64,
    /// Watched so far.
    pub watched_ms: u64,
    /// Interruptions so far.
    pub stalls: u64,
    /// How long it took to begin, once it has.
    pub start_ms: Option<u64>,
}

/// What a report adds to an asset's statistics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// Of which asset.
    pub asset: AssetId,
    /// To its day.
    pub day: Day,
    /// How long the play took to begin, if that is new.
    pub start_ms: Option<u64>,
}

/// Writes down what was heard of a play, and says what is new in it. `None` where there is no such play, or another
/// origin is writing about it too: what is heard next says all of it again.
///
/// # Errors
/// When the catalogue fails.
pub async fn hear(tx: &mut Tx, heard: &Heard) -> Result<Option<Added>, CatalogError> {
    let row = sqlx::query("SELECT asset_id, watched_ms, stalls, counted, began FROM plays WHERE id = $1")
        .bind(heard.id.to_string())
        .fetch_optional(tx.connection())
        .await?;
    let Some(row) = row else { return Ok(None) };
    let (watched, stalls) = (get_u64(&row, "watched_ms")?, get_u64(&row, "stalls")?);
    let (counted, began) = (get_u64(&row, "counted")? == 1, get_u64(&row, "began")? == 1);
    let has_begun = heard.watched_ms > 0 || heard.start_ms.is_some();
    let start_ms = heard.start_ms.filter(|_| !began);
    let done = sqlx::query(
        "UPDATE plays SET seen_at = $1, viewer_until = $2, watched_ms = $3, stalls = $4, counted = $5, began = $6
         WHERE id = $7 AND watched_ms = $8 AND stalls = $9 AND counted = $10 AND began = $11",
    )
    .bind(to_db(heard.at_ms))
    .bind(to_db(heard.viewer_until))
    .bind(to_db(heard.watched_ms.max(watched)))
    .bind(to_db(heard.stalls.max(stalls)))
    .bind(i64::from(counted || has_begun))
    .bind(i64::from(began || start_ms.is_some()))
    .bind(heard.id.to_string())
    .bind(to_db(watched))
    .bind(to_db(stalls))
    .bind(i64::from(counted))
    .bind(i64::from(began))
    .execute(tx.connection())
    .await?;
    if done.rows_affected() == 0 {
        return Ok(None);
    }
    let day = Day {
        views: u64::from(!counted && has_begun),
        watched_ms: heard.watched_ms.saturating_sub(watched),
        stalls: heard.stalls.saturating_sub(stalls),
        ..Day::default()
    };
    Ok(Some(Added { asset: get_parsed(&row, "asset_id")?, day, start_ms }))
}

/// How many watch each of some assets now; those that nobody does are left out.
///
/// # Errors
/// When the catalogue fails.
pub async fn viewers_of(
    catalog: &Catalog,
    ids: &[AssetId],
    now_ms: u64,
) -> Result<HashMap<AssetId, u64>, CatalogError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let statement = format!(
        "SELECT asset_id, COUNT(*) AS many FROM plays WHERE asset_id IN ({}) AND viewer_until > ${} GROUP BY asset_id",
        places(ids),
        ids.len() + 1
    );
    let mut query = sqlx::query(AssertSqlSafe(statement));
    for id in ids {
        query = query.bind(id.to_string());
    }
    let rows = query.bind(to_db(now_ms)).fetch_all(catalog.pool()).await?;
    rows.iter().map(|row| Ok((get_parsed(row, "asset_id")?, get_u64(row, "many")?))).collect()
}

/// How many watch what an account has, or anything, now: in all, and of at most `limit` assets, those with the most
/// first.
///
/// # Errors
/// When the catalogue fails.
pub async fn viewers(
    catalog: &Catalog,
    owner: Option<&AccountId>,
    now_ms: u64,
    limit: u32,
) -> Result<(u64, Vec<(AssetId, u64)>), CatalogError> {
    let rows = sqlx::query(
        "SELECT plays.asset_id AS asset_id, COUNT(*) AS many FROM plays JOIN assets ON assets.id = plays.asset_id
         WHERE plays.viewer_until > $1 AND assets.trashed_at IS NULL AND ($2 = '' OR assets.owner = $2)
         GROUP BY plays.asset_id ORDER BY many DESC, plays.asset_id",
    )
    .bind(to_db(now_ms))
    .bind(owner.map_or("", |owner| owner.as_str()).to_owned())
    .fetch_all(catalog.pool())
    .await?;
    let mut all: Vec<(AssetId, u64)> = Vec::with_capacity(rows.len());
    for row in &rows {
        all.push((get_parsed(row, "asset_id")?, get_u64(row, "many")?));
    }
    let many = all.iter().map(|(_, many)| many).sum();
    all.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok((many, all))
}

/// The assets that lost a viewer who was not heard of any more, after `since_ms` and up to `now_ms`.
///
/// # Errors
/// When the catalogue fails.
pub async fn left_between(
    catalog: &Catalog,
    since_ms: u64,
    now_ms: u64,
) -> Result<Vec<AssetId>, CatalogError> {
    let rows =
        sqlx::query("SELECT DISTINCT asset_id FROM plays WHERE viewer_until > $1 AND viewer_until <= $2")
            .bind(to_db(since_ms))
            .bind(to_db(now_ms))
            .fetch_all(catalog.pool());
    rows.await?.iter().map(|row| get_parsed(row, "asset_id")).collect()
}

/// How many plays are kept.
///
/// # Errors
/// When the catalogue fails.
pub async fn count(catalog: &Catalog) -> Result<u64, CatalogError> {
    let row = sqlx::query("SELECT COUNT(*) AS many FROM plays").fetch_one(catalog.pool()).await?;
    Ok(row.try_get::<i64, _>("many").map(|many| u64::try_from(many).unwrap_or(0))?)
}

/// Forgets plays that were not heard of since `before_ms`; says how many.
///
/// # Errors
/// When the catalogue fails.
pub async fn forget(catalog: &Catalog, before_ms: u64) -> Result<u64, CatalogError> {
    let done = sqlx::query("DELETE FROM plays WHERE seen_at < $1").bind(to_db(before_ms));
    Ok(done.execute(catalog.pool()).await?.rows_affected())
}
