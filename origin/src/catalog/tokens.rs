//! API tokens, by their hash.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::accounts::account_columns;
use super::{Account, AccountId, Catalog, CatalogError, Tx, accounts, get_u64, get_u64_or_null, to_db};

/// A token without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub account_id: AccountId,
    /// What its owner calls it.
    pub name: String,
    /// Milliseconds since 1970.
    pub created_at: u64,
    /// Milliseconds since 1970, to within a minute; `None` if it never was.
    pub last_used_at: Option<u64>,
}

/// Adds a token unless its owner has `limit` of them already; says whether it did.
///
/// # Errors
/// When the catalogue fails.
pub async fn insert(tx: &mut Tx, token: &Token, hash: &str, limit: u32) -> Result<bool, CatalogError> {
    let done = sqlx::query(
        "INSERT INTO tokens (id, account_id, name, hash, created_at)
         SELECT $1, $2, $3, $4, CAST($5 AS BIGINT)
         WHERE (SELECT COUNT(*) FROM tokens WHERE account_id = $2) < $6",
    )
    .bind(token.id.as_str())
    .bind(token.account_id.as_str())
    .bind(token.name.as_str())
    .bind(hash)
    .bind(to_db(token.created_at))
    .bind(i64::from(limit))
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The tokens of an account, newest first.
///
/// # Errors
/// When the catalogue fails.
pub async fn list(catalog: &Catalog, account: &AccountId) -> Result<Vec<Token>, CatalogError> {
    let rows = sqlx::query(
        "SELECT id, account_id, name, created_at, last_used_at FROM tokens WHERE account_id = $1 ORDER BY id DESC",
    )
    .bind(account.as_str())
    .fetch_all(catalog.pool())
    .await?;
    rows.iter().map(read).collect()
}

/// Ends a token; says whether the account had it.
///
/// # Errors
/// When the catalogue fails.
pub async fn delete(tx: &mut Tx, account: &AccountId, id: &str) -> Result<bool, CatalogError> {
    let done = sqlx::query("DELETE FROM tokens WHERE id = $1 AND account_id = $2")
        .bind(id)
        .bind(account.as_str())
        .execute(tx.connection())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// The account a token with this hash speaks for, the token's id, and when it was last seen. Tokens of a disabled
/// account speak for nobody.
///
/// # Errors
/// When the catalogue fails.
pub async fn find(
    catalog: &Catalog,
    hash: &str,
) -> Result<Option<(Account, String, Option<u64>)>, CatalogError> {
    let row = sqlx::query(concat!(
        "SELECT ",
        account_columns!(),
        ", t.id AS token_id, t.last_used_at FROM tokens t JOIN accounts a ON a.id = t.account_id ",
        "WHERE t.hash = $1 AND a.disabled = 0"
    ))
    .bind(hash)
    .fetch_optional(catalog.pool())
    .await?;
    row.map(|row| {
        Ok((accounts::read(&row)?, row.try_get("token_id")?, get_u64_or_null(&row, "last_used_at")?))
    })
    .transpose()
}

/// Notes that a token was used.
///
/// # Errors
/// When the catalogue fails.
pub async fn touch(catalog: &Catalog, id: &str, now_ms: u64) -> Result<(), CatalogError> {
    sqlx::query("UPDATE tokens SET last_used_at = $1 WHERE id = $2")
        .bind(to_db(now_ms))
        .bind(id)
        .execute(catalog.pool())
        .await?;
    Ok(())
}

fn read(row: &AnyRow) -> Result<Token, CatalogError> {
    Ok(Token {
        id: row.try_get("id")?,
        account_id: AccountId::new(row.try_get::<String, _>("account_id")?),
        name: row.try_get("name")?,
        created_at: get_u64(row, "created_at")?,
        last_used_at: get_u64_or_null(row, "last_used_at")?,
    })
}
