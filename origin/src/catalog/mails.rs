//! Messages that are to be sent, and who wants which.

use std::fmt;

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::revisions::get_u32;
use super::{AccountId, Catalog, CatalogError, Tx, get_u64, get_u64_or_null, to_db};

/// A message.
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    /// Its id.
    pub id: String,
    /// What it is about, for logs and metrics.
    pub kind: String,
    /// To whom.
    pub recipient: String,
    /// Its subject.
    pub subject: String,
    /// Its text.
    pub plain: String,
    /// The same in HTML.
    pub html: String,
    /// Attempts made before.
    pub attempts: u32,
    /// When it is given up.
    pub give_up_at: u64,
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mail({} {})", self.id, self.kind)
    }
}

/// Adds a message to a change. One with this id that is there already stays as it is.
///
/// # Errors
/// When the catalogue fails.
pub async fn insert(tx: &mut Tx, mail: &Mail, now_ms: u64) -> Result<(), CatalogError> {
    sqlx::query(
        "INSERT INTO mails (id, kind, recipient, subject, plain, html, state, attempts, next_attempt_at, give_up_at,
                            created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, 'pending', 0, $7, $8, $7, $7) ON CONFLICT (id) DO NOTHING",
    )
    .bind(mail.id.as_str())
    .bind(mail.kind.as_str())
    .bind(mail.recipient.as_str())
    .bind(mail.subject.as_str())
    .bind(mail.plain.as_str())
    .bind(mail.html.as_str())
    .bind(to_db(now_ms))
    .bind(to_db(mail.give_up_at))
    .execute(tx.connection())
    .await?;
    tx.note_events();
    Ok(())
}

/// At most `limit` messages that are to be sent now.
///
/// # Errors
/// When the catalogue fails.
pub async fn due(catalog: &Catalog, now_ms: u64, limit: u32) -> Result<Vec<Mail>, CatalogError> {
    let rows = sqlx::query(
        "SELECT id, kind, recipient, subject, plain, html, attempts, give_up_at FROM mails
         WHERE state = 'pending' AND next_attempt_at <= $1 AND (lease_until IS NULL OR lease_until < $1)
         ORDER BY next_attempt_at LIMIT $2",
    )
    .bind(to_db(now_ms))
    .bind(i64::from(limit))
    .fetch_all(catalog.pool())
    .await?;
    rows.iter().map(read).collect()
}

/// When the next message is due or its lease runs out, if any is pending.
///
/// # Errors
/// When the catalogue fails.
pub async fn next_at(catalog: &Catalog) -> Result<Option<u64>, CatalogError> {
    let row = sqlx::query(
        "SELECT MIN(CASE WHEN lease_until > next_attempt_at THEN lease_until ELSE next_attempt_at END) AS next
         FROM mails WHERE state = 'pending'",
    )
    .fetch_one(catalog.pool())
    .await?;
    get_u64_or_null(&row, "next")
}

/// Begins an attempt at a message that [`due`] has named. `false` when another origin was faster.
///
/// # Errors
/// When the catalogue fails.
pub async fn claim(
    catalog: &Catalog,
    mail: &Mail,
    now_ms: u64,
    lease_until: u64,
) -> Result<bool, CatalogError> {
    let done = sqlx::query(
        "UPDATE mails SET attempts = attempts + 1, lease_until = $1, updated_at = $2
         WHERE id = $3 AND attempts = $4 AND state = 'pending' AND (lease_until IS NULL OR lease_until < $2)",
    )
    .bind(to_db(lease_until))
    .bind(to_db(now_ms))
    .bind(mail.id.as_str())
    .bind(i64::from(mail.attempts))
    .execute(catalog.pool())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The message was taken: nothing of it is kept.
///
/// # Errors
/// When the catalogue fails.
pub async fn sent(catalog: &Catalog, mail: &Mail) -> Result<(), CatalogError> {
    sqlx::query("DELETE FROM mails WHERE id = $1").bind(mail.id.as_str()).execute(catalog.pool()).await?;
    Ok(())
}

/// Attempt number `attempt` failed; the message is tried again at `again_at`, or given up.
///
/// # Errors
/// When the catalogue fails.
pub async fn failed(
    catalog: &Catalog,
    mail: &Mail,
    attempt: u32,
    again_at: Option<u64>,
    error: &str,
    now_ms: u64,
) -> Result<(), CatalogError> {
    let statement = match again_at {
        Some(_) => {
            "UPDATE mails SET next_attempt_at = $1, lease_until = NULL, error = $2, updated_at = $3
             WHERE id = $4 AND attempts = $5 AND state = 'pending'"
        }
        None => {
            "UPDATE mails SET next_attempt_at = $1, lease_until = NULL, error = $2, updated_at = $3,
                              state = 'failed', plain = '', html = ''
             WHERE id = $4 AND attempts = $5 AND state = 'pending'"
        }
    };
    sqlx::query(statement)
        .bind(to_db(again_at.unwrap_or(now_ms)))
        .bind(error)
        .bind(to_db(now_ms))
        .bind(mail.id.as_str())
        .bind(i64::from(attempt))
        .execute(catalog.pool())
        .await?;
    Ok(())
}

/// Forgets messages that were given up before `before_ms`, and pending ones that nobody sends past their time.
///
/// # Errors
/// When the catalogue fails.
pub async fn forget(catalog: &Catalog, before_ms: u64, now_ms: u64) -> Result<u64, CatalogError> {
    let done = sqlx::query(
        "DELETE FROM mails WHERE (state = 'failed' AND updated_at < $1) OR (state = 'pending' AND give_up_at < $2
             AND (lease_until IS NULL OR lease_until < $2))",
    )
    .bind(to_db(before_ms))
    .bind(to_db(now_ms))
    .execute(catalog.pool())
    .await?;
    Ok(done.rows_affected())
}

/// The address of an account that wants mail about `topic`, as this change sees it.
///
/// # Errors
/// When the catalogue fails.
pub async fn address_in(
    tx: &mut Tx,
    account: &AccountId,
    topic: &str,
) -> Result<Option<String>, CatalogError> {
    let row = sqlx::query(
        "SELECT email FROM accounts WHERE id = $1 AND disabled = 0 AND mail_on LIKE '%,' || $2 || ',%'",
    )
    .bind(account.as_str())
    .bind(topic)
    .fetch_optional(tx.connection())
    .await?;
    row.map(|row| Ok(row.try_get("email")?)).transpose()
}

/// What an account wants mail about.
///
/// # Errors
/// When the catalogue fails.
pub async fn topics(catalog: &Catalog, account: &AccountId) -> Result<Vec<String>, CatalogError> {
    let row = sqlx::query("SELECT mail_on FROM accounts WHERE id = $1").bind(account.as_str());
    let Some(row) = row.fetch_optional(catalog.pool()).await? else { return Ok(Vec::new()) };
    let text: String = row.try_get("mail_on")?;
    Ok(text.split(',').filter(|topic| !topic.is_empty()).map(str::to_owned).collect())
}

/// Sets what an account wants mail about.
///
/// # Errors
/// When the catalogue fails.
pub async fn set_topics(catalog: &Catalog, account: &AccountId, topics: &[&str]) -> Result<(), CatalogError> {
    let text = if topics.is_empty() { String::new() } else { format!(",{},", topics.join(",")) };
    sqlx::query("UPDATE accounts SET mail_on = $1 WHERE id = $2")
        .bind(text)
        .bind(account.as_str())
        .execute(catalog.pool())
        .await?;
    Ok(())
}

fn read(row: &AnyRow) -> Result<Mail, CatalogError> {
    Ok(Mail {
        id: row.try_get("id")?,
        kind: row.try_get("kind")?,
        recipient: row.try_get("recipient")?,
        subject: row.try_get("subject")?,
        plain: row.try_get("plain")?,
        html: row.try_get("html")?,
        attempts: get_u32(row, "attempts")?,
        give_up_at: get_u64(row, "give_up_at")?,
    })
}
