//! Webhooks: addresses that an account has its events sent to.

use std::fmt;

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::{AccountId, Catalog, CatalogError, Tx, get_u64, to_db};

/// A webhook.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub account: AccountId,
    /// Where deliveries go.
    pub url: String,
    /// The types it wants; none means all.
    pub kinds: Vec<String>,
    /// What its owner says about it.
    pub description: String,
    /// What deliveries are signed with.
    pub secret: String,
    /// Whether anything is sent.
    pub enabled: bool,
    /// Why not, where its owner did not say so.
    pub disabled_why: Option<String>,
    /// Milliseconds since 1970.
    pub created_at: u64,
    /// Milliseconds since 1970.
    pub updated_at: u64,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Webhook({} {})", self.id, self.url)
    }
}

/// Types as they are kept: each between commas, so that one is found without doubt.
fn encode_kinds(kinds: &[String]) -> String {
    if kinds.is_empty() { String::new() } else { format!(",{},", kinds.join(",")) }
}

/// Adds a webhook unless its owner has `limit` of them already; says whether it did.
///
/// # Errors
/// When the catalogue fails.
pub async fn insert(tx: &mut Tx, new: &Webhook, limit: u32) -> Result<bool, CatalogError> {
    // Two at once of one account are one after the other.
    sqlx::query("UPDATE accounts SET mail_on = mail_on WHERE id = $1")
        .bind(new.account.as_str())
        .execute(tx.connection())
        .await?;
    let count = sqlx::query("SELECT COUNT(*) AS count FROM webhooks WHERE account = $1")
        .bind(new.account.as_str())
        .fetch_one(tx.connection());
    if get_u64(&count.await?, "count")? >= u64::from(limit) {
        return Ok(false);
    }
    sqlx::query(
        "INSERT INTO webhooks (id, account, url, kinds, description, secret, enabled, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)",
    )
    .bind(new.id.as_str())
    .bind(new.account.as_str())
    .bind(new.url.as_str())
    .bind(encode_kinds(&new.kinds))
    .bind(new.description.as_str())
    .bind(new.secret.as_str())
    .bind(i64::from(new.enabled))
    .bind(to_db(new.created_at))
    .execute(tx.connection())
    .await?;
    Ok(true)
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, account, url, kinds, description, secret, enabled, disabled_why, created_at, updated_at ",
            "FROM webhooks ",
            $rest
        )
    };
}

/// The webhooks of an account, newest first.
///
/// # Errors
/// When the catalogue fails.
pub async fn list(catalog: &Catalog, account: &AccountId) -> Result<Vec<Webhook>, CatalogError> {
    let rows = sqlx::query(select!("WHERE account = $1 ORDER BY id DESC"))
        .bind(account.as_str())
        .fetch_all(catalog.pool())
        .await?;
    rows.iter().map(read).collect()
}

/// A webhook of an account.
///
/// # Errors
/// When the catalogue fails.
pub async fn get(catalog: &Catalog, account: &AccountId, id: &str) -> Result<Option<Webhook>, CatalogError> {
    let row = sqlx::query(select!("WHERE id = $1 AND account = $2")).bind(id).bind(account.as_str());
    row.fetch_optional(catalog.pool()).await?.as_ref().map(read).transpose()
}

/// A webhook of an account, which no other change touches until this one has ended.
///
/// # Errors
/// When the catalogue fails.
pub async fn get_locked(tx: &mut Tx, account: &AccountId, id: &str) -> Result<Option<Webhook>, CatalogError> {
    sqlx::query("UPDATE webhooks SET updated_at = updated_at WHERE id = $1")
        .bind(id)
        .execute(tx.connection())
        .await?;
    let row = sqlx::query(select!("WHERE id = $1 AND account = $2")).bind(id).bind(account.as_str());
    row.fetch_optional(tx.connection()).await?.as_ref().map(read).transpose()
}

/// Writes everything of a locked webhook that its owner may change.
///
/// # Errors
/// When the catalogue fails.
pub async fn update(tx: &mut Tx, webhook: &Webhook) -> Result<(), CatalogError> {
    sqlx::query(
        "UPDATE webhooks SET url = $1, kinds = $2, description = $3, enabled = $4, disabled_why = $5, updated_at = $6
         WHERE id = $7",
    )
    .bind(webhook.url.as_str())
    .bind(encode_kinds(&webhook.kinds))
    .bind(webhook.description.as_str())
    .bind(i64::from(webhook.enabled))
    .bind(webhook.disabled_why.clone())
    .bind(to_db(webhook.updated_at))
    .bind(webhook.id.as_str())
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Ends sending to a webhook that does not want to be sent to, unless it has another address than `url` by now.
///
/// # Errors
/// When the catalogue fails.
pub async fn disable(tx: &mut Tx, id: &str, url: &str, why: &str, now_ms: u64) -> Result<(), CatalogError> {
    let statement =
        "UPDATE webhooks SET enabled = 0, disabled_why = $1, updated_at = $2 WHERE id = $3 AND url = $4";
    sqlx::query(statement).bind(why).bind(to_db(now_ms)).bind(id).bind(url).execute(tx.connection()).await?;
    Ok(())
}

/// Takes a webhook out with its deliveries; says whether the account had it.
///
/// # Errors
/// When the catalogue fails.
pub async fn delete(tx: &mut Tx, account: &AccountId, id: &str) -> Result<bool, CatalogError> {
    let done = sqlx::query("DELETE FROM webhooks WHERE id = $1 AND account = $2")
        .bind(id)
        .bind(account.as_str())
        .execute(tx.connection())
        .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query("DELETE FROM deliveries WHERE webhook = $1").bind(id).execute(tx.connection()).await?;
    Ok(true)
}

fn read(row: &AnyRow) -> Result<Webhook, CatalogError> {
    let kinds: String = row.try_get("kinds")?;
    Ok(Webhook {
        id: row.try_get("id")?,
        account: AccountId::new(row.try_get::<String, _>("account")?),
        url: row.try_get("url")?,
        kinds: kinds.split(',').filter(|kind| !kind.is_empty()).map(str::to_owned).collect(),
        description: row.try_get("description")?,
        secret: row.try_get("secret")?,
        enabled: get_u64(row, "enabled")? != 0,
        disabled_why: row.try_get("disabled_why")?,
        created_at: get_u64(row, "created_at")?,
        updated_at: get_u64(row, "updated_at")?,
    })
}
