//! The keys grants are signed with. The private halves are in the catalogue, which all origins share.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::{Catalog, CatalogError, LockName, Tx, get_u64, get_u64_or_null, to_db};

/// A signing key.
#[derive(Clone, PartialEq, Eq)]
pub struct GrantKey {
    /// The public half, in base64url.
    pub id: String,
    /// The key pair as PKCS #8 in base64url.
    pub pkcs8: String,
    /// Milliseconds since 1970.
    pub created_at: u64,
    /// Since when it signs no more; milliseconds since 1970.
    pub retired_at: Option<u64>,
}

/// Every key, the newest first.
///
/// # Errors
/// When the catalogue fails.
pub async fn list(catalog: &Catalog) -> Result<Vec<GrantKey>, CatalogError> {
    let rows =
        sqlx::query("SELECT id, pkcs8, created_at, retired_at FROM grant_keys ORDER BY created_at DESC, id")
            .fetch_all(catalog.pool())
            .await?;
    rows.iter().map(read).collect()
}

/// Adds the key if there is none in force. Of several origins that try at once one succeeds.
///
/// # Errors
/// When the catalogue fails.
pub async fn insert_first(tx: &mut Tx, key: &GrantKey) -> Result<bool, CatalogError> {
    tx.lock(LockName::GrantKeys).await?;
    let current = sqlx::query("SELECT id FROM grant_keys WHERE retired_at IS NULL LIMIT 1")
        .fetch_optional(tx.connection());
    if current.await?.is_some() {
        return Ok(false);
    }
    insert(tx, key).await?;
    Ok(true)
}

/// Retires the key in force and puts this one in its place.
///
/// # Errors
/// When the catalogue fails.
pub async fn rotate(tx: &mut Tx, key: &GrantKey) -> Result<(), CatalogError> {
    tx.lock(LockName::GrantKeys).await?;
    sqlx::query("UPDATE grant_keys SET retired_at = $1 WHERE retired_at IS NULL")
        .bind(to_db(key.created_at))
        .execute(tx.connection())
        .await?;
    insert(tx, key).await
}

/// Drops keys retired before `before_ms`; says how many.
///
/// # Errors
/// When the catalogue fails.
pub async fn forget(catalog: &Catalog, before_ms: u64) -> Result<u64, CatalogError> {
    let done = sqlx::query("DELETE FROM grant_keys WHERE retired_at < $1")
        .bind(to_db(before_ms))
        .execute(catalog.pool());
    Ok(done.await?.rows_affected())
}

async fn insert(tx: &mut Tx, key: &GrantKey) -> Result<(), CatalogError> {
    sqlx::query("INSERT INTO grant_keys (id, pkcs8, created_at) VALUES ($1, $2, $3)")
        .bind(key.id.as_str())
        .bind(key.pkcs8.as_str())
        .bind(to_db(key.created_at))
        .execute(tx.connection())
        .await?;
    Ok(())
}

fn read(row: &AnyRow) -> Result<GrantKey, CatalogError> {
    Ok(GrantKey {
        id: row.try_get("id")?,
        pkcs8: row.try_get("pkcs8")?,
        created_at: get_u64(row, "created_at")?,
        retired_at: get_u64_or_null(row, "retired_at")?,
    })
}
