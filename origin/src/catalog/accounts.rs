//! Accounts: who may upload, and who owns what.

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _};

use super::usage::{self, Usage, sums};
use super::{Catalog, CatalogError, LockName, Tx, get_parsed, get_u64, get_u64_or_null, to_db};
use crate::access::Role;

/// The id of an account.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountId(String);

impl AccountId {
    /// Wraps an id.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An account without its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// As it was typed at sign-up.
    pub username: String,
    /// As it was typed at sign-up.
    pub email: String,
    /// What it is for.
    pub role: Role,
    /// The most bytes it may have; `None` for no limit.
    pub quota_bytes: Option<u64>,
    /// It cannot log in, and its sessions and tokens are worth nothing.
    pub disabled: bool,
    /// Milliseconds since 1970.
    pub created_at: u64,
}

/// What an account's row is made of.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// The account.
    pub account: Account,
    /// In PHC form.
    pub password_hash: String,
}

/// How an insertion ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    /// It is there.
    Yes,
    /// Another account has the username.
    UsernameTaken,
    /// Another account has the email address.
    EmailTaken,
}

/// The columns [`read`] reads, of a table that goes by the name of `a`.
macro_rules! account_columns {
    () => {
        "a.id, a.username, a.email, a.role, a.quota_bytes, a.disabled, a.created_at"
    };
}
pub(super) use account_columns;

/// Usernames and email addresses are one whatever their case.
fn fold(name: &str) -> String {
    name.to_lowercase()
}

/// Adds an account unless its names are taken.
///
/// # Errors
/// When the catalogue fails.
pub async fn insert(tx: &mut Tx, new: &NewAccount) -> Result<Inserted, CatalogError> {
    let account = &new.account;
    let done = sqlx::query(
        "INSERT INTO accounts (id, username, username_key, email, email_key, password_hash, role, quota_bytes,
                               disabled, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING",
    )
    .bind(account.id.as_str())
    .bind(account.username.as_str())
    .bind(fold(&account.username))
    .bind(account.email.as_str())
    .bind(fold(&account.email))
    .bind(new.password_hash.as_str())
    .bind(account.role.as_str())
    .bind(account.quota_bytes.map(to_db))
    .bind(i64::from(account.disabled))
    .bind(to_db(account.created_at))
    .execute(tx.connection())
    .await?;
    if done.rows_affected() == 1 {
        return Ok(Inserted::Yes);
    }
    let same_name = sqlx::query("SELECT id FROM accounts WHERE username_key = $1")
        .bind(fold(&account.username))
        .fetch_optional(tx.connection())
        .await?;
    Ok(if same_name.is_some() { Inserted::UsernameTaken } else { Inserted::EmailTaken })
}

/// Adds the account if it is the first of all. Of several origins that try at once one succeeds.
///
/// # Errors
/// When the catalogue fails.
pub async fn insert_first(tx: &mut Tx, new: &NewAccount) -> Result<bool, CatalogError> {
    tx.lock(LockName::FirstAccount).await?;
    let any = sqlx::query("SELECT id FROM accounts LIMIT 1").fetch_optional(tx.connection()).await?;
    if any.is_some() {
        return Ok(false);
    }
    Ok(insert(tx, new).await? == Inserted::Yes)
}

/// Whether nobody has an account yet.
///
/// # Errors
/// When the catalogue fails.
pub async fn is_empty(catalog: &Catalog) -> Result<bool, CatalogError> {
    Ok(sqlx::query("SELECT id FROM accounts LIMIT 1").fetch_optional(catalog.pool()).await?.is_none())
}

/// The account with this id.
///
/// # Errors
/// When the catalogue fails.
pub async fn get(catalog: &Catalog, id: &AccountId) -> Result<Option<Account>, CatalogError> {
    let row = sqlx::query(concat!("SELECT ", account_columns!(), " FROM accounts a WHERE a.id = $1"))
        .bind(id.as_str())
        .fetch_optional(catalog.pool())
        .await?;
    row.as_ref().map(read).transpose()
}

/// The usernames of some accounts.
///
/// # Errors
/// When the catalogue fails.
pub async fn usernames(
    catalog: &Catalog,
    mut ids: Vec<AccountId>,
) -> Result<HashMap<AccountId, String>, CatalogError> {
    ids.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    ids.dedup();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let places: Vec<String> = (1..=ids.len()).map(|n| format!("${n}")).collect();
    let statement = format!("SELECT id, username FROM accounts WHERE id IN ({})", places.join(", "));
    let mut query = sqlx::query(AssertSqlSafe(statement));
    for id in ids {
        query = query.bind(id.0);
    }
    let rows = query.fetch_all(catalog.pool()).await?;
    rows.iter().map(|row| Ok((AccountId(row.try_get("id")?), row.try_get("username")?))).collect()
}

/// The account that logs in as `login` (its username or email address) and the hash of its password.
///
/// # Errors
/// When the catalogue fails.
pub async fn find_by_login(
    catalog: &Catalog,
    login: &str,
) -> Result<Option<(Account, String)>, CatalogError> {
    // A username has no `@`, an email address always has one: the two never meet.
    let row = sqlx::query(concat!(
        "SELECT ",
        account_columns!(),
        ", a.password_hash FROM accounts a WHERE a.username_key = $1 OR a.email_key = $1"
    ))
    .bind(fold(login))
    .fetch_optional(catalog.pool())
    .await?;
    row.map(|row| Ok((read(&row)?, row.try_get("password_hash")?))).transpose()
}

/// The account that gets mail at this address.
///
/// # Errors
/// When the catalogue fails.
pub async fn find_by_email(catalog: &Catalog, email: &str) -> Result<Option<Account>, CatalogError> {
    let row = sqlx::query(concat!("SELECT ", account_columns!(), " FROM accounts a WHERE a.email_key = $1"))
        .bind(fold(email))
        .fetch_optional(catalog.pool())
        .await?;
    row.as_ref().map(read).transpose()
}

/// The hash of an account's password.
///
/// # Errors
/// When the catalogue fails.
pub async fn password_hash(catalog: &Catalog, id: &AccountId) -> Result<Option<String>, CatalogError> {
    let row = sqlx::query("SELECT password_hash FROM accounts WHERE id = $1")
        .bind(id.as_str())
        .fetch_optional(catalog.pool())
        .await?;
    row.map(|row| Ok(row.try_get("password_hash")?)).transpose()
}

/// Sets the password of an account; `false` if there is none such.
///
/// # Errors
/// When the catalogue fails.
pub async fn set_password(tx: &mut Tx, id: &AccountId, password_hash: &str) -> Result<bool, CatalogError> {
    let done = sqlx::query("UPDATE accounts SET password_hash = $1 WHERE id = $2")
        .bind(password_hash)
        .bind(id.as_str())
        .execute(tx.connection())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Whether an account may log in and its password is still the one of `password_hash`, which it stays until this change
/// has ended: checking a password takes a while, in which another may have been set.
///
/// # Errors
/// When the catalogue fails.
pub async fn still_has_password(
    tx: &mut Tx,
    id: &AccountId,
    password_hash: &str,
) -> Result<bool, CatalogError> {
    let statement =
        "UPDATE accounts SET disabled = disabled WHERE id = $1 AND password_hash = $2 AND disabled = 0";
    let done = sqlx::query(statement).bind(id.as_str()).bind(password_hash).execute(tx.connection()).await?;
    Ok(done.rows_affected() == 1)
}

/// The account with this id, which no other change touches until this one has ended.
///
/// # Errors
/// When the catalogue fails.
pub async fn get_locked(tx: &mut Tx, id: &AccountId) -> Result<Option<Account>, CatalogError> {
    // What locks a row on both engines is writing it.
    sqlx::query("UPDATE accounts SET disabled = disabled WHERE id = $1")
        .bind(id.as_str())
        .execute(tx.connection())
        .await?;
    let row = sqlx::query(concat!("SELECT ", account_columns!(), " FROM accounts a WHERE a.id = $1"))
        .bind(id.as_str())
        .fetch_optional(tx.connection())
        .await?;
    row.as_ref().map(read).transpose()
}

/// The most bytes an account may have, as far as this change sees; `None` for no limit.
///
/// # Errors
/// When the catalogue fails.
pub async fn quota(tx: &mut Tx, id: &AccountId) -> Result<Option<u64>, CatalogError> {
    let row = sqlx::query("SELECT quota_bytes FROM accounts WHERE id = $1")
        .bind(id.as_str())
        .fetch_optional(tx.connection())
        .await?;
    row.map_or(Ok(None), |row| get_u64_or_null(&row, "quota_bytes"))
}

/// Like [`get_locked`], where the role or the right to log in may change: only one such change is made at a time, so
/// that of the last two administrators one stays.
///
/// # Errors
/// When the catalogue fails.
pub async fn get_to_change(tx: &mut Tx, id: &AccountId) -> Result<Option<Account>, CatalogError> {
    tx.lock(LockName::Admins).await?;
    get_locked(tx, id).await
}

/// Whether there is an administrator beside this account who can log in.
///
/// # Errors
/// When the catalogue fails.
pub async fn has_other_admin(tx: &mut Tx, id: &AccountId) -> Result<bool, CatalogError> {
    let row =
        sqlx::query("SELECT id FROM accounts WHERE role = 'admin' AND disabled = 0 AND id <> $1 LIMIT 1")
            .bind(id.as_str())
            .fetch_optional(tx.connection())
            .await?;
    Ok(row.is_some())
}

/// Writes role, quota and the right to log in.
///
/// # Errors
/// When the catalogue fails.
pub async fn update(tx: &mut Tx, account: &Account) -> Result<(), CatalogError> {
    sqlx::query("UPDATE accounts SET role = $1, quota_bytes = $2, disabled = $3 WHERE id = $4")
        .bind(account.role.as_str())
        .bind(account.quota_bytes.map(to_db))
        .bind(i64::from(account.disabled))
        .bind(account.id.as_str())
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// At most `limit` accounts, newest first, those made before `before` if it is given, and of those only the ones
/// that have `q` in their username or email address; each with what it uses.
///
/// # Errors
/// When the catalogue fails.
pub async fn list(
    catalog: &Catalog,
    before: Option<&str>,
    q: &str,
    limit: u32,
) -> Result<Vec<(Account, Usage)>, CatalogError> {
    let rows = sqlx::query(concat!(
        "SELECT ",
        account_columns!(),
        ", ",
        sums!("a.id"),
        " FROM accounts a WHERE a.id < $1 AND (a.username_key LIKE $2 ESCAPE '!' OR a.email_key LIKE $2 ESCAPE '!') ",
        "ORDER BY a.id DESC LIMIT $3"
    ))
    // Every id sorts before this.
    .bind(before.unwrap_or("g"))
    .bind(format!("%{}%", escape_like(&fold(q))))
    .bind(i64::from(limit))
    .fetch_all(catalog.pool())
    .await?;
    rows.iter().map(|row| Ok((read(row)?, usage::read(row)?))).collect()
}

/// A text as LIKE takes it where it stands for nothing but itself.
fn escape_like(text: &str) -> String {
    text.replace('!', "!!").replace('%', "!%").replace('_', "!_")
}

pub(super) fn read(row: &AnyRow) -> Result<Account, CatalogError> {
    Ok(Account {
        id: AccountId(row.try_get("id")?),
        username: row.try_get("username")?,
        email: row.try_get("email")?,
        role: get_parsed(row, "role")?,
        quota_bytes: get_u64_or_null(row, "quota_bytes")?,
        disabled: get_u64(row, "disabled")? != 0,
        created_at: get_u64(row, "created_at")?,
    })
}
