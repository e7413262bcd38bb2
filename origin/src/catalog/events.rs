//! Events: what has happened, told in the change that made it happen, and numbered right after.
//!
//! A change writes its events into the outbox, without a number: no change waits for another one because of them. The
//! sequencer moves what has committed into the log and gives numbers on the way; it holds the counter's row meanwhile,
//! so numbers have no gaps and become visible in their order: who has seen number N has seen everything up to N.
//!
//! The order of one subject's events is that of the changes. Changes of one subject wait for each other (each writes a
//! row of the subject's first), so a later one sees what an earlier one has left in the outbox and takes a place behind
//! it; and whoever sees a later one's event sees the earlier one's, or it is in the log already.

use sqlx::Row as _;
use sqlx::any::AnyRow;
use tidegate_wire::AssetId;

use super::{AccountId, Catalog, CatalogError, Tx, get_parsed, get_u64, get_u64_or_null, to_db};

/// An event as a change writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// Its id, which stays.
    pub id: String,
    /// Its type.
    pub kind: String,
    /// Whose it is; `None` for what nobody owns.
    pub account: Option<AccountId>,
    /// The upload or the asset.
    pub subject: AssetId,
    /// What is told (a JSON object), but for the number.
    pub body: String,
    /// Milliseconds since 1970.
    pub created_at: u64,
}

/// An event of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// Its number.
    pub seq: u64,
    /// Its id.
    pub id: String,
    /// Its type.
    pub kind: String,
    /// Whose it is.
    pub account: Option<AccountId>,
    /// The upload or the asset.
    pub subject: AssetId,
    /// What is told (a JSON object), but for the number.
    pub body: String,
}

/// Adds an event to a change. The subject's row must have been written in it before: that is what keeps the order.
///
/// # Errors
/// When the catalogue fails.
pub async fn append(tx: &mut Tx, new: &NewEvent) -> Result<(), CatalogError> {
    sqlx::query(
        "INSERT INTO outbox (id, place, kind, account, subject, body, created_at)
         VALUES ($1, (SELECT CASE WHEN COALESCE(MAX(place), 0) >= $2 THEN COALESCE(MAX(place), 0) + 1 ELSE $2 END
                      FROM outbox WHERE subject = $3), $4, $5, $3, $6, $7)",
    )
    .bind(new.id.as_str())
    .bind(to_db(new.created_at.saturating_mul(1000)))
    .bind(new.subject.to_string())
    .bind(new.kind.as_str())
    .bind(new.account.as_ref().map(|account| account.as_str().to_owned()))
    .bind(new.body.as_str())
    .bind(to_db(new.created_at))
    .execute(tx.connection())
    .await?;
    tx.note_events();
    Ok(())
}

/// Whether any event waits for its number: cheap, and holds nobody up.
///
/// # Errors
/// When the catalogue fails.
pub async fn any_waiting(catalog: &Catalog) -> Result<bool, CatalogError> {
    let row = sqlx::query("SELECT 1 AS one FROM outbox LIMIT 1").fetch_optional(catalog.pool());
    Ok(row.await?.is_some())
}

/// Numbers at most `limit` waiting events, in the order of each subject; says what the last number was before, and how
/// many were given. Of several origins one does it at a time.
///
/// # Errors
/// When the catalogue fails.
pub async fn number(tx: &mut Tx, limit: u32) -> Result<(u64, u64), CatalogError> {
    // Writing the counter is what keeps the others waiting.
    let row = sqlx::query("UPDATE counters SET value = value WHERE name = 'events' RETURNING value")
        .fetch_one(tx.connection())
        .await?;
    let head = get_u64(&row, "value")?;
    let moved = sqlx::query(
        "INSERT INTO events (seq, id, kind, account, subject, body, created_at)
         SELECT CAST($1 AS BIGINT) + ROW_NUMBER() OVER (ORDER BY place, id), id, kind, account, subject, body, created_at
         FROM (SELECT * FROM outbox ORDER BY place, id LIMIT $2) AS batch",
    )
    .bind(to_db(head))
    .bind(i64::from(limit))
    .execute(tx.connection())
    .await?
    .rows_affected();
    if moved == 0 {
        return Ok((head, 0));
    }
    // By what was moved, not by the same question again: more may have come meanwhile.
    sqlx::query("DELETE FROM outbox WHERE id IN (SELECT id FROM events WHERE seq > $1)")
        .bind(to_db(head))
        .execute(tx.connection())
        .await?;
    sqlx::query("UPDATE counters SET value = value + $1 WHERE name = 'events'")
        .bind(to_db(moved))
        .execute(tx.connection())
        .await?;
    Ok((head, moved))
}

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT seq, id, kind, account, subject, body FROM events ", $rest)
    };
}

/// At most `limit` events after number `after`, up to `until`, of one account or of all.
///
/// # Errors
/// When the catalogue fails.
pub async fn page(
    catalog: &Catalog,
    whose: Option<&AccountId>,
    after: u64,
    until: Option<u64>,
    limit: u32,
) -> Result<Vec<Logged>, CatalogError> {
    let until = until.map_or(i64::MAX, to_db);
    let rows = match whose {
        Some(account) => {
            let statement = select!("WHERE seq > $1 AND seq <= $2 AND account = $4 ORDER BY seq LIMIT $3");
            let query = sqlx::query(statement).bind(to_db(after)).bind(until).bind(i64::from(limit));
            query.bind(account.as_str()).fetch_all(catalog.pool()).await?
        }
        None => {
            let statement = select!("WHERE seq > $1 AND seq <= $2 ORDER BY seq LIMIT $3");
            let query = sqlx::query(statement).bind(to_db(after)).bind(until).bind(i64::from(limit));
            query.fetch_all(catalog.pool()).await?
        }
    };
    rows.iter().map(read).collect()
}

/// The events after `after` of two types, as this change sees them.
///
/// # Errors
/// When the catalogue fails.
pub async fn of_kinds_in(tx: &mut Tx, after: u64, kinds: [&str; 2]) -> Result<Vec<Logged>, CatalogError> {
    let [first, second] = kinds;
    let rows = sqlx::query(select!("WHERE seq > $1 AND (kind = $2 OR kind = $3) ORDER BY seq"))
        .bind(to_db(after))
        .bind(first)
        .bind(second)
        .fetch_all(tx.connection())
        .await?;
    rows.iter().map(read).collect()
}

/// The name of an asset, as this change sees it.
///
/// # Errors
/// When the catalogue fails.
pub async fn name_of(tx: &mut Tx, asset: AssetId) -> Result<Option<String>, CatalogError> {
    let row = sqlx::query("SELECT name FROM assets WHERE id = $1").bind(asset.to_string());
    row.fetch_optional(tx.connection()).await?.map(|row| Ok(row.try_get("name")?)).transpose()
}

/// The newest number, and the oldest that is kept (one more than the newest when none is).
///
/// # Errors
/// When the catalogue fails.
pub async fn bounds(catalog: &Catalog) -> Result<(u64, u64), CatalogError> {
    let row = sqlx::query(
        "SELECT value AS head, (SELECT MIN(seq) FROM events) AS oldest FROM counters WHERE name = 'events'",
    )
    .fetch_one(catalog.pool())
    .await?;
    let head = get_u64(&row, "head")?;
    Ok((head, get_u64_or_null(&row, "oldest")?.unwrap_or(head + 1)))
}

/// Drops the front of the log up to the first event that is not older than `before_ms`; says how many went. Only a
/// front is dropped: the log stays without gaps.
///
/// # Errors
/// When the catalogue fails.
pub async fn trim(catalog: &Catalog, before_ms: u64) -> Result<u64, CatalogError> {
    let done = sqlx::query(
        "DELETE FROM events WHERE seq < COALESCE(
             (SELECT MIN(seq) FROM events WHERE created_at >= $1),
             (SELECT value + 1 FROM counters WHERE name = 'events'))",
    )
    .bind(to_db(before_ms))
    .execute(catalog.pool())
    .await?;
    Ok(done.rows_affected())
}

fn read(row: &AnyRow) -> Result<Logged, CatalogError> {
    Ok(Logged {
        seq: get_u64(row, "seq")?,
        id: row.try_get("id")?,
        kind: row.try_get("kind")?,
        account: row.try_get::<Option<String>, _>("account")?.map(AccountId::new),
        subject: get_parsed(row, "subject")?,
        body: row.try_get("body")?,
    })
}
