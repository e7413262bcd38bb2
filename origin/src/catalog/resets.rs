//! Password resets: permissions to set a new password, by the hash of what was mailed.

use sqlx::Row as _;

use super::{AccountId, Catalog, CatalogError, Tx, to_db};

/// Adds a permission that lasts until `expires_at`, unless the account was given `limit` of them since `since`; says
/// whether it did. To be called with the account's row locked.
///
/// # Errors
/// When the catalogue fails.
pub async fn insert(
    tx: &mut Tx,
    hash: &str,
    account: &AccountId,
    (now_ms, expires_at): (u64, u64),
    (since, limit): (u64, u32),
) -> Result<bool, CatalogError> {
    let done = sqlx::query(
        "INSERT INTO password_resets (hash, account_id, created_at, expires_at)
         SELECT $1, $2, CAST($3 AS BIGINT), CAST($4 AS BIGINT)
         WHERE (SELECT COUNT(*) FROM password_resets WHERE account_id = $2 AND created_at > $5) < $6",
    )
    .bind(hash)
    .bind(account.as_str())
    .bind(to_db(now_ms))
    .bind(to_db(expires_at))
    .bind(to_db(since))
    .bind(i64::from(limit))
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Whether there is a permission with this hash at `now_ms`.
///
/// # Errors
/// When the catalogue fails.
pub async fn is_there(catalog: &Catalog, hash: &str, now_ms: u64) -> Result<bool, CatalogError> {
    let row = sqlx::query("SELECT hash FROM password_resets WHERE hash = $1 AND expires_at > $2")
        .bind(hash)
        .bind(to_db(now_ms))
        .fetch_optional(catalog.pool())
        .await?;
    Ok(row.is_some())
}

/// Uses a permission up and says whose it was. Of several who try at once one succeeds. The account's others end with
/// it.
///
/// # Errors
/// When the catalogue fails.
pub async fn take(tx: &mut Tx, hash: &str, now_ms: u64) -> Result<Option<AccountId>, CatalogError> {
    let row =
        sqlx::query("DELETE FROM password_resets WHERE hash = $1 AND expires_at > $2 RETURNING account_id")
            .bind(hash)
            .bind(to_db(now_ms))
            .fetch_optional(tx.connection())
            .await?;
    let Some(row) = row else { return Ok(None) };
    let account = AccountId::new(row.try_get::<String, _>("account_id")?);
    delete_all(tx, &account).await?;
    Ok(Some(account))
}

/// Ends every permission of an account.
///
/// # Errors
/// When the catalogue fails.
pub async fn delete_all(tx: &mut Tx, account: &AccountId) -> Result<(), CatalogError> {
    sqlx::query("DELETE FROM password_resets WHERE account_id = $1")
        .bind(account.as_str())
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Drops permissions that have ended by `now_ms`; says how many.
///
/// # Errors
/// When the catalogue fails.
pub async fn forget(catalog: &Catalog, now_ms: u64) -> Result<u64, CatalogError> {
    let done = sqlx::query("DELETE FROM password_resets WHERE expires_at <= $1")
        .bind(to_db(now_ms))
        .execute(catalog.pool());
    Ok(done.await?.rows_affected())
}
