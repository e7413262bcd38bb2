//! Parts of tracks as whoever made them describes them; manifests are written from these.

use sqlx::Row as _;
use tidegate_wire::track::TrackPart;

use super::revisions::RevisionId;
use super::{Catalog, CatalogError, Tx, to_db};

/// Notes a part, in the place of what is known of that part of the track.
///
/// # Errors
/// When the catalogue fails.
pub async fn put(tx: &mut Tx, id: RevisionId, part: &TrackPart) -> Result<(), CatalogError> {
    let text = serde_json::to_string(part).map_err(|_| CatalogError::Unreadable { column: "part" })?;
    sqlx::query(
        "INSERT INTO track_parts (asset_id, revision, track, chunk, part) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (asset_id, revision, track, chunk) DO UPDATE SET part = excluded.part",
    )
    .bind(id.asset.to_string())
    .bind(i64::from(id.number))
    .bind(part.track.as_str())
    .bind(i64::from(part.chunk))
    .bind(text)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// What is known of one part.
///
/// # Errors
/// When the catalogue fails.
pub async fn get(
    catalog: &Catalog,
    id: RevisionId,
    track: &str,
    chunk: u32,
) -> Result<Option<TrackPart>, CatalogError> {
    get_on(catalog.pool(), id, track, chunk).await
}

/// What is known of one part, as a change sees it that has locked the revision.
///
/// # Errors
/// When the catalogue fails.
pub async fn get_in(
    tx: &mut Tx,
    id: RevisionId,
    track: &str,
    chunk: u32,
) -> Result<Option<TrackPart>, CatalogError> {
    get_on(tx.connection(), id, track, chunk).await
}

async fn get_on<'a>(
    database: impl sqlx::Executor<'a, Database = sqlx::Any>,
    id: RevisionId,
    track: &str,
    chunk: u32,
) -> Result<Option<TrackPart>, CatalogError> {
    let row = sqlx::query(
        "SELECT part FROM track_parts WHERE asset_id = $1 AND revision = $2 AND track = $3 AND chunk = $4",
    )
    .bind(id.asset.to_string())
    .bind(i64::from(id.number))
    .bind(track)
    .bind(i64::from(chunk))
    .fetch_optional(database);
    row.await?.as_ref().map(read).transpose()
}

/// Every part of a revision, by track and in order.
///
/// # Errors
/// When the catalogue fails.
pub async fn list(catalog: &Catalog, id: RevisionId) -> Result<Vec<TrackPart>, CatalogError> {
    let rows = sqlx::query(
        "SELECT part FROM track_parts WHERE asset_id = $1 AND revision = $2 ORDER BY track, chunk",
    )
    .bind(id.asset.to_string())
    .bind(to_db(u64::from(id.number)))
    .fetch_all(catalog.pool());
    rows.await?.iter().map(read).collect()
}

/// The parts of one track, in order.
///
/// # Errors
/// When the catalogue fails.
pub async fn of_track(
    catalog: &Catalog,
    id: RevisionId,
    track: &str,
) -> Result<Vec<TrackPart>, CatalogError> {
    let rows = sqlx::query(
        "SELECT part FROM track_parts WHERE asset_id = $1 AND revision = $2 AND track = $3 ORDER BY chunk",
    )
    .bind(id.asset.to_string())
    .bind(i64::from(id.number))
    .bind(track)
    .fetch_all(catalog.pool());
    rows.await?.iter().map(read).collect()
}

/// Forgets a track of a locked revision.
///
/// # Errors
/// When the catalogue fails.
pub async fn remove(tx: &mut Tx, id: RevisionId, track: &str) -> Result<(), CatalogError> {
    sqlx::query("DELETE FROM track_parts WHERE asset_id = $1 AND revision = $2 AND track = $3")
        .bind(id.asset.to_string())
        .bind(i64::from(id.number))
        .bind(track)
        .execute(tx.connection())
        .await?;
    Ok(())
}

fn read(row: &sqlx::any::AnyRow) -> Result<TrackPart, CatalogError> {
    let text: String = row.try_get("part")?;
    serde_json::from_str(&text).map_err(|_| CatalogError::Unreadable { column: "part" })
}
