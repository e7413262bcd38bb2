//! Names at the root of a revision, and the stored files they stand for. Names that are published in one change are
//! there together or not at all.

use sqlx::{AssertSqlSafe, Row as _};
use tidegate_wire::AssetId;

use super::revisions::{RevisionId, get_u32, places};
use super::{Catalog, CatalogError, Tx, get_parsed};

/// Lets `name` stand for the file at `path` below the revision.
///
/// # Errors
/// When the catalogue fails.
pub async fn put(tx: &mut Tx, id: RevisionId, name: &str, path: &str) -> Result<(), CatalogError> {
    sqlx::query(
        "INSERT INTO published (asset_id, revision, name, path) VALUES ($1, $2, $3, $4)
         ON CONFLICT (asset_id, revision, name) DO UPDATE SET path = excluded.path",
    )
    .bind(id.asset.to_string())
    .bind(i64::from(id.number))
    .bind(name)
    .bind(path)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Takes a name back.
///
/// # Errors
/// When the catalogue fails.
pub async fn remove(tx: &mut Tx, id: RevisionId, name: &str) -> Result<(), CatalogError> {
    sqlx::query("DELETE FROM published WHERE asset_id = $1 AND revision = $2 AND name = $3")
        .bind(id.asset.to_string())
        .bind(i64::from(id.number))
        .bind(name)
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// The file a name stands for.
///
/// # Errors
/// When the catalogue fails.
pub async fn get(catalog: &Catalog, id: RevisionId, name: &str) -> Result<Option<String>, CatalogError> {
    let row = sqlx::query("SELECT path FROM published WHERE asset_id = $1 AND revision = $2 AND name = $3")
        .bind(id.asset.to_string())
        .bind(i64::from(id.number))
        .bind(name)
        .fetch_optional(catalog.pool());
    Ok(row.await?.map(|row| row.try_get("path")).transpose()?)
}

/// The same as a change sees it that has locked the revision.
///
/// # Errors
/// When the catalogue fails.
pub async fn get_in(tx: &mut Tx, id: RevisionId, name: &str) -> Result<Option<String>, CatalogError> {
    let row = sqlx::query("SELECT path FROM published WHERE asset_id = $1 AND revision = $2 AND name = $3")
        .bind(id.asset.to_string())
        .bind(i64::from(id.number))
        .bind(name)
        .fetch_optional(tx.connection());
    Ok(row.await?.map(|row| row.try_get("path")).transpose()?)
}

/// Takes out the names that still stand for files in a directory; returns them.
///
/// # Errors
/// When the catalogue fails.
pub async fn remove_below(tx: &mut Tx, id: RevisionId, dir: &str) -> Result<Vec<String>, CatalogError> {
    let rows = sqlx::query(
        "DELETE FROM published WHERE asset_id = $1 AND revision = $2 AND path LIKE $3 || '/%' RETURNING name",
    )
    .bind(id.asset.to_string())
    .bind(i64::from(id.number))
    .bind(dir)
    .fetch_all(tx.connection());
    rows.await?.iter().map(|row| Ok(row.try_get("name")?)).collect()
}

/// Those names of some assets that an API answer speaks of.
///
/// # Errors
/// When the catalogue fails.
pub async fn fixed_of(catalog: &Catalog, ids: &[AssetId]) -> Result<Vec<(RevisionId, String)>, CatalogError> {
    let statement = format!(
        "SELECT asset_id, revision, name FROM published
         WHERE name IN ('master.m3u8', 'manifest.mpd', 'poster.jpg', 'storyboard.vtt') AND asset_id IN ({})",
        places(ids)
    );
    let mut query = sqlx::query(AssertSqlSafe(statement));
    for id in ids {
        query = query.bind(id.to_string());
    }
    let rows = query.fetch_all(catalog.pool()).await?;
    rows.iter()
        .map(|row| {
            let id = RevisionId { asset: get_parsed(row, "asset_id")?, number: get_u32(row, "revision")? };
            Ok((id, row.try_get("name")?))
        })
        .collect()
}
