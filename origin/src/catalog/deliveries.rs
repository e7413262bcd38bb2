//! Deliveries: events on their way to webhooks.
//!
//! Of the deliveries of one webhook and one subject the first that is pending goes alone; the others wait until it was
//! delivered or given up. An attempt has a delivery for itself until its lease runs out; its number is the fencing token.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _};
use tidegate_wire::AssetId;
use utoipa::ToSchema;

use super::revisions::get_u32;
use super::{AccountId, Catalog, CatalogError, Tx, get_parsed, get_u64, get_u64_or_null, to_db};

/// How far a delivery has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// It is to be sent, for the first time or again.
    Pending,
    /// The receiver has taken it.
    Delivered,
    /// It was given up.
    Failed,
}

impl DeliveryState {
    /// As it stands in the catalogue and in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for DeliveryState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a delivery is pending, delivered or failed")]
pub struct InvalidDeliveryState;

impl FromStr for DeliveryState {
    type Err = InvalidDeliveryState;

    fn from_str(text: &str) -> Result<Self, InvalidDeliveryState> {
        let all = [Self::Pending, Self::Delivered, Self::Failed];
        all.into_iter().find(|state| state.as_str() == text).ok_or(InvalidDeliveryState)
    }
}

/// A delivery as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its id.
    pub id: String,
    /// Where to.
    pub webhook: String,
    /// Whose.
    pub account: AccountId,
    /// Of which event.
    pub event_id: String,
    /// Of which type.
    pub kind: String,
    /// About which upload or asset; not for a test.
    pub subject: Option<AssetId>,
    /// How far it has come.
    pub state: DeliveryState,
    /// Attempts made.
    pub attempts: u32,
    /// When the next is due.
    pub next_attempt_at: u64,
    /// What the receiver last answered.
    pub response_status: Option<u16>,
    /// What went wrong last.
    pub error: Option<String>,
    /// Milliseconds since 1970.
    pub created_at: u64,
    /// When the receiver took it.
    pub delivered_at: Option<u64>,
}

/// A delivery that is to be sent now.
#[derive(Clone, PartialEq, Eq)]
pub struct Due {
    /// Its id.
    pub id: String,
    /// Where to.
    pub webhook: String,
    /// Of which event.
    pub event_id: String,
    /// About what; the order is within one.
    pub subject: String,
    /// The event's number; `None` for a test.
    pub seq: Option<u64>,
    /// What is told.
    pub body: String,
    /// Attempts made before.
    pub attempts: u32,
    /// When it is given up.
    pub give_up_at: u64,
    /// Where to.
    pub url: String,
    /// What it is signed with.
    pub secret: String,
}

impl fmt::Debug for Due {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Due({} {})", self.id, self.attempts)
    }
}

/// What ids begin with: numbers of one length, so that their order is that of the texts.
const FIRST_ID: u64 = 1_000_000_000_000_000;

/// Makes deliveries of the events after `after` to every webhook that wants them; says how many.
///
/// # Errors
/// When the catalogue fails.
pub async fn fan_out(tx: &mut Tx, after: u64, now_ms: u64, give_up_at: u64) -> Result<u64, CatalogError> {
    let done = sqlx::query(
        "INSERT INTO deliveries (id, webhook, account, event_id, kind, subject, seq, place, body, state,
                                 attempts, next_attempt_at, give_up_at, created_at, updated_at)
         SELECT CAST(events.seq + $4 AS TEXT) || '-' || webhooks.id, webhooks.id, webhooks.account, events.id,
                events.kind, events.subject, events.seq, events.seq, events.body, 'pending', 0,
                CAST($2 AS BIGINT), CAST($3 AS BIGINT), CAST($2 AS BIGINT), CAST($2 AS BIGINT)
         FROM events JOIN webhooks ON webhooks.account = events.account
                     JOIN accounts ON accounts.id = webhooks.account
         WHERE events.seq > $1 AND webhooks.enabled = 1 AND accounts.disabled = 0
           AND (webhooks.kinds = '' OR webhooks.kinds LIKE '%,' || events.kind || ',%')",
    )
    .bind(to_db(after))
    .bind(to_db(now_ms))
    .bind(to_db(give_up_at))
    .bind(to_db(FIRST_ID))
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected())
}

/// A delivery that tells of nothing but itself.
#[derive(Debug, Clone)]
pub struct TestDelivery<'a> {
    /// The event's id, a new one.
    pub event_id: &'a str,
    /// Where to.
    pub webhook: &'a str,
    /// Whose.
    pub account: &'a AccountId,
    /// The event's type.
    pub kind: &'a str,
    /// What is told.
    pub body: &'a str,
    /// Milliseconds since 1970.
    pub now_ms: u64,
    /// When it is given up.
    pub give_up_at: u64,
}

/// Adds a test, which waits for nothing else; returns its id.
///
/// # Errors
/// When the catalogue fails.
pub async fn insert_test(tx: &mut Tx, test: &TestDelivery<'_>) -> Result<String, CatalogError> {
    let head = head(tx).await?;
    let id = format!("{}-{}", FIRST_ID + head, test.event_id);
    sqlx::query(
        "INSERT INTO deliveries (id, webhook, account, event_id, kind, subject, place, body, state, attempts,
                                 next_attempt_at, give_up_at, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $4, 0, $6, 'pending', 0, $7, $8, $7, $7)",
    )
    .bind(id.as_str())
    .bind(test.webhook)
    .bind(test.account.as_str())
    .bind(test.event_id)
    .bind(test.kind)
    .bind(test.body)
    .bind(to_db(test.now_ms))
    .bind(to_db(test.give_up_at))
    .execute(tx.connection())
    .await?;
    Ok(id)
}

async fn head(tx: &mut Tx) -> Result<u64, CatalogError> {
    let row = sqlx::query("SELECT value FROM counters WHERE name = 'events'").fetch_one(tx.connection());
    get_u64(&row.await?, "value")
}

/// What tells a delivery that nothing goes before from those that wait for another of its subject.
macro_rules! is_next {
    () => {
        "NOT EXISTS (SELECT 1 FROM deliveries AS before
                     WHERE before.state = 'pending' AND before.webhook = deliveries.webhook
                       AND before.subject = deliveries.subject AND before.place < deliveries.place)"
    };
}

/// What keeps a pending delivery from being sent at `$1`.
macro_rules! is_due {
    () => {
        concat!(
            "deliveries.state = 'pending' AND deliveries.next_attempt_at <= $1
             AND (deliveries.lease_until IS NULL OR deliveries.lease_until < $1) AND ",
            is_next!()
        )
    };
}

/// At most `limit` deliveries that are to be sent now, at most `each` of one webhook.
///
/// # Errors
/// When the catalogue fails.
pub async fn due(catalog: &Catalog, now_ms: u64, each: u32, limit: u32) -> Result<Vec<Due>, CatalogError> {
    let rows = sqlx::query(concat!(
        "SELECT * FROM (
            SELECT deliveries.id AS id, deliveries.webhook AS webhook, event_id, subject, seq, body, attempts,
                   next_attempt_at, give_up_at, webhooks.url AS url, webhooks.secret AS secret,
                   ROW_NUMBER() OVER (PARTITION BY deliveries.webhook ORDER BY next_attempt_at, deliveries.id) AS turn
            FROM deliveries JOIN webhooks ON webhooks.id = deliveries.webhook AND webhooks.enabled = 1
                            JOIN accounts ON accounts.id = webhooks.account AND accounts.disabled = 0
            WHERE ",
        is_due!(),
        ") AS ready WHERE turn <= $2 ORDER BY next_attempt_at LIMIT $3"
    ))
    .bind(to_db(now_ms))
    .bind(i64::from(each))
    .bind(i64::from(limit))
    .fetch_all(catalog.pool())
    .await?;
    let read = |row: &AnyRow| {
        Ok(Due {
            id: row.try_get("id")?,
            webhook: row.try_get("webhook")?,
            event_id: row.try_get("event_id")?,
            subject: row.try_get("subject")?,
            seq: get_u64_or_null(row, "seq")?,
            body: row.try_get("body")?,
            attempts: get_u32(row, "attempts")?,
            give_up_at: get_u64(row, "give_up_at")?,
            url: row.try_get("url")?,
            secret: row.try_get("secret")?,
        })
    };
    rows.iter().map(read).collect()
}

/// When the next delivery is due or its lease runs out, if any is pending.
///
/// # Errors
/// When the catalogue fails.
pub async fn next_at(catalog: &Catalog) -> Result<Option<u64>, CatalogError> {
    let row = sqlx::query(concat!(
        "SELECT MIN(CASE WHEN lease_until > next_attempt_at THEN lease_until ELSE next_attempt_at END) AS next
         FROM deliveries WHERE state = 'pending' AND webhook IN
             (SELECT webhooks.id FROM webhooks JOIN accounts ON accounts.id = webhooks.account
              WHERE webhooks.enabled = 1 AND accounts.disabled = 0) AND ",
        is_next!()
    ))
    .fetch_one(catalog.pool())
    .await?;
    get_u64_or_null(&row, "next")
}

/// Begins an attempt at a delivery that [`due`] has named. `false` when another origin was faster.
///
/// # Errors
/// When the catalogue fails.
pub async fn claim(
    catalog: &Catalog,
    due: &Due,
    now_ms: u64,
    lease_until: u64,
) -> Result<bool, CatalogError> {
    let done = sqlx::query(concat!(
        "UPDATE deliveries SET attempts = attempts + 1, lease_until = $2, updated_at = $1
         WHERE id = $3 AND attempts = $4 AND ",
        is_due!()
    ))
    .bind(to_db(now_ms))
    .bind(to_db(lease_until))
    .bind(due.id.as_str())
    .bind(i64::from(due.attempts))
    .execute(catalog.pool())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// How an attempt ended.
#[derive(Debug, Clone)]
pub struct Outcome<'a> {
    /// What the delivery is then.
    pub state: DeliveryState,
    /// When it is tried again, if it is.
    pub next_attempt_at: u64,
    /// What the receiver answered.
    pub response_status: Option<u16>,
    /// What went wrong.
    pub error: Option<&'a str>,
}

/// Ends attempt number `attempt`. `false` when it is not the newest, which then has the last word.
///
/// # Errors
/// When the catalogue fails.
pub async fn end(
    tx: &mut Tx,
    due: &Due,
    attempt: u32,
    outcome: &Outcome<'_>,
    now_ms: u64,
) -> Result<bool, CatalogError> {
    let delivered_at = (outcome.state == DeliveryState::Delivered).then(|| to_db(now_ms));
    let done = sqlx::query(
        "UPDATE deliveries SET state = $1, next_attempt_at = $2, lease_until = NULL, response_status = $3, error = $4,
                               updated_at = $5, delivered_at = $6
         WHERE id = $7 AND attempts = $8 AND state = 'pending'",
    )
    .bind(outcome.state.as_str())
    .bind(to_db(outcome.next_attempt_at))
    .bind(outcome.response_status.map(i64::from))
    .bind(outcome.error.map(str::to_owned))
    .bind(to_db(now_ms))
    .bind(delivered_at)
    .bind(due.id.as_str())
    .bind(i64::from(attempt))
    .execute(tx.connection())
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    // Those behind it go when it is their turn, and need not be looked at before.
    sqlx::query(
        "UPDATE deliveries SET next_attempt_at = $1
         WHERE webhook = $2 AND subject = $3 AND state = 'pending' AND id <> $4",
    )
    .bind(to_db(outcome.next_attempt_at))
    .bind(due.webhook.as_str())
    .bind(due.subject.as_str())
    .bind(due.id.as_str())
    .execute(tx.connection())
    .await?;
    Ok(true)
}

/// Gives up what is pending past its time: of webhooks that are not enabled, nobody else does.
///
/// # Errors
/// When the catalogue fails.
pub async fn give_up_overdue(catalog: &Catalog, now_ms: u64) -> Result<u64, CatalogError> {
    let done = sqlx::query(
        "UPDATE deliveries SET state = 'failed', error = COALESCE(error, 'The webhook was not enabled.'), updated_at = $1
         WHERE state = 'pending' AND give_up_at < $1 AND (lease_until IS NULL OR lease_until < $1)",
    );
    Ok(done.bind(to_db(now_ms)).execute(catalog.pool()).await?.rows_affected())
}

/// Forgets deliveries that ended before `before_ms`.
///
/// # Errors
/// When the catalogue fails.
pub async fn forget_ended(catalog: &Catalog, before_ms: u64) -> Result<u64, CatalogError> {
    let done = sqlx::query("DELETE FROM deliveries WHERE state <> 'pending' AND updated_at < $1");
    Ok(done.bind(to_db(before_ms)).execute(catalog.pool()).await?.rows_affected())
}

/// What a list is to show.
#[derive(Debug, Clone, Default)]
pub struct Wanted<'a> {
    /// Of one account only.
    pub account: Option<&'a AccountId>,
    /// Of one webhook only.
    pub webhook: Option<&'a str>,
    /// In one state only.
    pub state: Option<DeliveryState>,
    /// Those after this one in the list.
    pub before: Option<&'a str>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, webhook, account, event_id, kind, subject, state, attempts, next_attempt_at, ",
            "response_status, error, created_at, delivered_at FROM deliveries ",
            $rest
        )
    };
}

/// At most `limit` deliveries, newest first.
///
/// # Errors
/// When the catalogue fails.
pub async fn list(catalog: &Catalog, wanted: &Wanted<'_>, limit: u32) -> Result<Vec<Delivery>, CatalogError> {
    let mut statement = select!("WHERE id < $1").to_owned();
    // Ids begin with a digit that sorts before this.
    let mut texts = vec![wanted.before.unwrap_or("9").to_owned()];
    let conditions = [
        ("account", wanted.account.map(|account| account.as_str())),
        ("webhook", wanted.webhook),
        ("state", wanted.state.map(DeliveryState::as_str)),
    ];
    for (column, text) in conditions {
        if let Some(text) = text {
            texts.push(text.to_owned());
            statement.push_str(&format!(" AND {column} = ${}", texts.len()));
        }
    }
    statement.push_str(&format!(" ORDER BY id DESC LIMIT {limit}"));
    let mut query = sqlx::query(AssertSqlSafe(statement));
    for text in texts {
        query = query.bind(text);
    }
    query.fetch_all(catalog.pool()).await?.iter().map(read).collect()
}

/// The delivery with this id.
///
/// # Errors
/// When the catalogue fails.
pub async fn get(catalog: &Catalog, id: &str) -> Result<Option<Delivery>, CatalogError> {
    let row = sqlx::query(select!("WHERE id = $1")).bind(id).fetch_optional(catalog.pool());
    row.await?.as_ref().map(read).transpose()
}

/// Has a delivery that has ended sent once more, with the same event id; what is pending does not wait for it. `false`
/// when it is pending anyway, or gone.
///
/// # Errors
/// When the catalogue fails.
pub async fn replay(tx: &mut Tx, id: &str, now_ms: u64, give_up_at: u64) -> Result<bool, CatalogError> {
    let done = sqlx::query(
        "UPDATE deliveries SET state = 'pending', next_attempt_at = $1, lease_until = NULL, give_up_at = $2,
                               error = NULL, response_status = NULL, delivered_at = NULL, updated_at = $1,
                               place = (SELECT value FROM counters WHERE name = 'events')
         WHERE id = $3 AND state <> 'pending'",
    )
    .bind(to_db(now_ms))
    .bind(to_db(give_up_at))
    .bind(id)
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

fn read(row: &AnyRow) -> Result<Delivery, CatalogError> {
    let status = get_u64_or_null(row, "response_status")?;
    Ok(Delivery {
        id: row.try_get("id")?,
        webhook: row.try_get("webhook")?,
        account: AccountId::new(row.try_get::<String, _>("account")?),
        event_id: row.try_get("event_id")?,
        kind: row.try_get("kind")?,
        subject: row.try_get::<String, _>("subject")?.parse().ok(),
        state: get_parsed(row, "state")?,
        attempts: get_u32(row, "attempts")?,
        next_attempt_at: get_u64(row, "next_attempt_at")?,
        response_status: status.and_then(|status| u16::try_from(status).ok()),
        error: row.try_get("error")?,
        created_at: get_u64(row, "created_at")?,
        delivered_at: get_u64_or_null(row, "delivered_at")?,
    })
}
