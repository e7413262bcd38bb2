//! The audit log: what administrators did, and what decides who can log in. It is only ever added to.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::{AccountId, Catalog, CatalogError, Tx, get_u64, to_db};

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// In order of time.
    pub id: String,
    /// Milliseconds since 1970.
    pub at: u64,
    /// Who did it; `None` for whoever runs the command line.
    pub actor: Option<AccountId>,
    /// What was done.
    pub action: String,
    /// What it was done to: an id.
    pub subject: String,
    /// The client's address.
    pub address: Option<String>,
    /// What else there is to say (JSON).
    pub detail: String,
}

/// Adds an entry.
///
/// # Errors
/// When the catalogue fails.
pub async fn insert(tx: &mut Tx, entry: &Entry) -> Result<(), CatalogError> {
    sqlx::query(
        "INSERT INTO audit (id, at, actor, action, subject, address, detail) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(entry.id.as_str())
    .bind(to_db(entry.at))
    .bind(entry.actor.as_ref().map(|actor| actor.as_str().to_owned()))
    .bind(entry.action.as_str())
    .bind(entry.subject.as_str())
    .bind(entry.address.clone())
    .bind(entry.detail.as_str())
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// At most `limit` entries, newest first, those older than `before` if it is given, each with its actor's username.
///
/// # Errors
/// When the catalogue fails.
pub async fn list(
    catalog: &Catalog,
    before: Option<&str>,
    limit: u32,
) -> Result<Vec<(Entry, Option<String>)>, CatalogError> {
    let rows = sqlx::query(
        "SELECT e.id, e.at, e.actor, e.action, e.subject, e.address, e.detail, a.username
         FROM audit e LEFT JOIN accounts a ON a.id = e.actor WHERE e.id < $1 ORDER BY e.id DESC LIMIT $2",
    )
    // Every id sorts before this.
    .bind(before.unwrap_or("g"))
    .bind(i64::from(limit))
    .fetch_all(catalog.pool())
    .await?;
    rows.iter().map(|row| Ok((read(row)?, row.try_get("username")?))).collect()
}

/// Drops entries made before `before_ms`; says how many.
///
/// # Errors
/// When the catalogue fails.
pub async fn forget(catalog: &Catalog, before_ms: u64) -> Result<u64, CatalogError> {
    let done = sqlx::query("DELETE FROM audit WHERE at < $1").bind(to_db(before_ms)).execute(catalog.pool());
    Ok(done.await?.rows_affected())
}

fn read(row: &AnyRow) -> Result<Entry, CatalogError> {
    Ok(Entry {
        id: row.try_get("id")?,
        at: get_u64(row, "at")?,
        actor: row.try_get::<Option<String>, _>("actor")?.map(AccountId::new),
        action: row.try_get("action")?,
        subject: row.try_get("subject")?,
        address: row.try_get("address")?,
        detail: row.try_get("detail")?,
    })
}
