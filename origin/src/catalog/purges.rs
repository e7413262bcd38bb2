//! The numbered purge log (invariant 8).
//!
//! A number is taken by raising a counter in the same transaction that writes the record. The counter's row stays
//! locked until that transaction has ended, so numbers have no gaps and become visible in their order: an edge that
//! has seen number N has seen everything up to N.

use sqlx::Row as _;
use tidegate_wire::purge::{PurgeFeed, PurgeRecord, PurgeTargets};

use super::{AccountId, Catalog, CatalogError, Tx, get_u64, get_u64_or_null, to_db};

/// A purge, who asked for it and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purge {
    /// Its number and targets.
    pub record: PurgeRecord,
    /// Who asked for it.
    pub account: Option<AccountId>,
    /// Milliseconds since 1970.
    pub created_at: u64,
}

/// Appends a record and returns its number, which counts once the transaction has committed.
///
/// Other purges wait until it has: append last, and commit soon.
///
/// # Errors
/// When the catalogue fails.
pub async fn append(
    tx: &mut Tx,
    targets: &PurgeTargets,
    account: Option<&AccountId>,
    now_ms: u64,
) -> Result<u64, CatalogError> {
    let row = sqlx::query("UPDATE counters SET value = value + 1 WHERE name = 'purges' RETURNING value")
        .fetch_one(tx.connection())
        .await?;
    let seq = get_u64(&row, "value")?;
    let text = serde_json::to_string(targets).map_err(|_| CatalogError::Unreadable { column: "targets" })?;
    sqlx::query("INSERT INTO purges (seq, account_id, targets, created_at) VALUES ($1, $2, $3, $4)")
        .bind(to_db(seq))
        .bind(account.map(|account| account.as_str().to_owned()))
        .bind(text)
        .bind(to_db(now_ms))
        .execute(tx.connection())
        .await?;
    Ok(seq)
}

/// At most `limit` records after number `after`; at least one if there are any.
///
/// # Errors
/// When the catalogue fails.
pub async fn feed(catalog: &Catalog, after: u64, limit: u32) -> Result<PurgeFeed, CatalogError> {
    loop {
        let records = records(catalog, after, limit).await?;
        // Read after the records: if the log is trimmed in between, `oldest` gives it away and the edge forgets too
        // much rather than too little.
        let (head, oldest) = bounds(catalog).await?;
        // A record that came in between is in the head and not in the records: an edge that was shown the one
        // without the other could take the head for its cursor.
        let came_in_between = records.is_empty() && head > after && oldest <= after + 1;
        if !came_in_between {
            return Ok(PurgeFeed { records, head, oldest });
        }
    }
}

async fn records(catalog: &Catalog, after: u64, limit: u32) -> Result<Vec<PurgeRecord>, CatalogError> {
    let rows = sqlx::query("SELECT seq, targets FROM purges WHERE seq > $1 ORDER BY seq LIMIT $2")
        .bind(to_db(after))
        .bind(i64::from(limit))
        .fetch_all(catalog.pool())
        .await?;
    rows.iter().map(|row| Ok(PurgeRecord { seq: get_u64(row, "seq")?, targets: targets(row)? })).collect()
}

/// The newest number, and the oldest that is kept (one more than the newest when none is).
///
/// # Errors
/// When the catalogue fails.
pub async fn bounds(catalog: &Catalog) -> Result<(u64, u64), CatalogError> {
    let row = sqlx::query(
        "SELECT value AS head, (SELECT MIN(seq) FROM purges) AS oldest FROM counters WHERE name = 'purges'",
    )
    .fetch_one(catalog.pool())
    .await?;
    let head = get_u64(&row, "head")?;
    Ok((head, get_u64_or_null(&row, "oldest")?.unwrap_or(head + 1)))
}

/// The purge with this number, if it is still kept.
///
/// # Errors
/// When the catalogue fails.
pub async fn get(catalog: &Catalog, seq: u64) -> Result<Option<Purge>, CatalogError> {
    let row = sqlx::query("SELECT seq, account_id, targets, created_at FROM purges WHERE seq = $1")
        .bind(to_db(seq))
        .fetch_optional(catalog.pool())
        .await?;
    row.map(|row| {
        Ok(Purge {
            record: PurgeRecord { seq: get_u64(&row, "seq")?, targets: targets(&row)? },
            account: row.try_get::<Option<String>, _>("account_id")?.map(AccountId::new),
            created_at: get_u64(&row, "created_at")?,
        })
    })
    .transpose()
}

/// Drops the front of the log up to the first record that is not older than `before_ms`; says how many went.
///
/// Only a front is dropped, even where clocks of several origins disagree about what is older: the log stays
/// without gaps.
///
/// # Errors
/// When the catalogue fails.
pub async fn trim(catalog: &Catalog, before_ms: u64) -> Result<u64, CatalogError> {
    let done = sqlx::query(
        "DELETE FROM purges WHERE seq < COALESCE(
             (SELECT MIN(seq) FROM purges WHERE created_at >= $1),
             (SELECT value + 1 FROM counters WHERE name = 'purges'))",
    )
    .bind(to_db(before_ms))
    .execute(catalog.pool())
    .await?;
    Ok(done.rows_affected())
}

fn targets(row: &sqlx::any::AnyRow) -> Result<PurgeTargets, CatalogError> {
    let text: String = row.try_get("targets")?;
    serde_json::from_str(&text).map_err(|_| CatalogError::Unreadable { column: "targets" })
}
