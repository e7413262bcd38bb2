//! Sessions: who a cookie stands for. Kept by the SHA-256 of the cookie's value, never by the value.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::accounts::account_columns;
use super::{Account, AccountId, Catalog, CatalogError, Tx, accounts, get_u64, to_db};

/// A session without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// What its owner calls it by.
    pub id: String,
    /// Whose it is.
    pub account_id: AccountId,
    /// Milliseconds since 1970.
    pub created_at: u64,
    /// When it ends; milliseconds since 1970.
    pub expires_at: u64,
    /// Milliseconds since 1970, to within a minute.
    pub last_seen_at: u64,
    /// The client's address then.
    pub address: String,
    /// What the client called itself at log-in.
    pub user_agent: String,
}

/// Adds a session. If its owner has more than `limit` then, the oldest go.
///
/// # Errors
/// When the catalogue fails.
pub async fn insert(tx: &mut Tx, session: &Session, hash: &str, limit: u32) -> Result<(), CatalogError> {
    sqlx::query(
        "INSERT INTO sessions (id, account_id, hash, created_at, expires_at, last_seen_at, address, user_agent)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(session.id.as_str())
    .bind(session.account_id.as_str())
    .bind(hash)
    .bind(to_db(session.created_at))
    .bind(to_db(session.expires_at))
    .bind(to_db(session.last_seen_at))
    .bind(session.address.as_str())
    .bind(session.user_agent.as_str())
    .execute(tx.connection())
    .await?;
    sqlx::query(
        "DELETE FROM sessions WHERE account_id = $1
         AND id NOT IN (SELECT id FROM sessions WHERE account_id = $1 ORDER BY id DESC LIMIT $2)",
    )
    .bind(session.account_id.as_str())
    .bind(i64::from(limit))
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// The account a cookie with this hash speaks for, the session's id, and when it was last seen. `None` also for a
/// session that has ended by `now_ms`, and for one of a disabled account.
///
/// # Errors
/// When the catalogue fails.
pub async fn find(
    catalog: &Catalog,
    hash: &str,
    now_ms: u64,
) -> Result<Option<(Account, String, u64)>, CatalogError> {
    let row = sqlx::query(concat!(
        "SELECT ",
        account_columns!(),
        ", s.id AS session_id, s.last_seen_at FROM sessions s JOIN accounts a ON a.id = s.account_id ",
        "WHERE s.hash = $1 AND s.expires_at > $2 AND a.disabled = 0"
    ))
    .bind(hash)
    .bind(to_db(now_ms))
    .fetch_optional(catalog.pool())
    .await?;
    row.map(|row| Ok((accounts::read(&row)?, row.try_get("session_id")?, get_u64(&row, "last_seen_at")?)))
        .transpose()
}

/// Notes that a session was used, and from where.
///
/// # Errors
/// When the catalogue fails.
pub async fn touch(catalog: &Catalog, id: &str, address: &str, now_ms: u64) -> Result<(), CatalogError> {
    sqlx::query("UPDATE sessions SET last_seen_at = $1, address = $2 WHERE id = $3")
        .bind(to_db(now_ms))
        .bind(address)
        .bind(id)
        .execute(catalog.pool())
        .await?;
    Ok(())
}

/// The sessions of an account that have not ended by `now_ms`, newest first.
///
/// # Errors
/// When the catalogue fails.
pub async fn list(catalog: &Catalog, account: &AccountId, now_ms: u64) -> Result<Vec<Session>, CatalogError> {
    let rows = sqlx::query(
        "SELECT id, account_id, created_at, expires_at, last_seen_at, address, user_agent FROM sessions
         WHERE account_id = $1 AND expires_at > $2 ORDER BY id DESC",
    )
    .bind(account.as_str())
    .bind(to_db(now_ms))
    .fetch_all(catalog.pool())
    .await?;
    rows.iter().map(read).collect()
}

/// Ends a session of an account; says whether it had it.
///
/// # Errors
/// When the catalogue fails.
pub async fn delete(tx: &mut Tx, account: &AccountId, id: &str) -> Result<bool, CatalogError> {
    let done = sqlx::query("DELETE FROM sessions WHERE id = $1 AND account_id = $2")
        .bind(id)
        .bind(account.as_str())
        .execute(tx.connection())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends the session of a cookie with this hash, if there is one.
///
/// # Errors
/// When the catalogue fails.
pub async fn delete_by_hash(tx: &mut Tx, hash: &str) -> Result<(), CatalogError> {
    sqlx::query("DELETE FROM sessions WHERE hash = $1").bind(hash).execute(tx.connection()).await?;
    Ok(())
}

/// Ends every session of an account but the one with the id `keep`; says how many.
///
/// # Errors
/// When the catalogue fails.
pub async fn delete_all(tx: &mut Tx, account: &AccountId, keep: Option<&str>) -> Result<u64, CatalogError> {
    // No session's id is empty.
    let done = sqlx::query("DELETE FROM sessions WHERE account_id = $1 AND id <> $2")
        .bind(account.as_str())
        .bind(keep.unwrap_or_default())
        .execute(tx.connection())
        .await?;
    Ok(done.rows_affected())
}

/// Drops sessions that have ended by `now_ms`; says how many.
///
/// # Errors
/// When the catalogue fails.
pub async fn forget(catalog: &Catalog, now_ms: u64) -> Result<u64, CatalogError> {
    let done = sqlx::query("DELETE FROM sessions WHERE expires_at <= $1")
        .bind(to_db(now_ms))
        .execute(catalog.pool());
    Ok(done.await?.rows_affected())
}

fn read(row: &AnyRow) -> Result<Session, CatalogError> {
    Ok(Session {
        id: row.try_get("id")?,
        account_id: AccountId::new(row.try_get::<String, _>("account_id")?),
        created_at: get_u64(row, "created_at")?,
        expires_at: get_u64(row, "expires_at")?,
        last_seen_at: get_u64(row, "last_seen_at")?,
        address: row.try_get("address")?,
        user_agent: row.try_get("user_agent")?,
    })
}
