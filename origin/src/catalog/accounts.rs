//! Accounts: who may upload, and who owns what.

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _};

use super::{Catalog, CatalogError, LockName, Tx, get_u64, to_db};

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
    /// May purge anything and make accounts where sign-up is closed.
    pub is_admin: bool,
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
        "INSERT INTO accounts (id, username, username_key, email, email_key, password_hash, is_admin, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
    )
    .bind(account.id.as_str())
    .bind(account.username.as_str())
    .bind(fold(&account.username))
    .bind(account.email.as_str())
    .bind(fold(&account.email))
    .bind(new.password_hash.as_str())
    .bind(i64::from(account.is_admin))
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
    let row = sqlx::query("SELECT id, username, email, is_admin, created_at FROM accounts WHERE id = $1")
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
    let row = sqlx::query(
        "SELECT id, username, email, is_admin, created_at, password_hash FROM accounts
         WHERE username_key = $1 OR email_key = $1",
    )
    .bind(fold(login))
    .fetch_optional(catalog.pool())
    .await?;
    row.map(|row| Ok((read(&row)?, row.try_get("password_hash")?))).transpose()
}

pub(super) fn read(row: &AnyRow) -> Result<Account, CatalogError> {
    Ok(Account {
        id: AccountId(row.try_get("id")?),
        username: row.try_get("username")?,
        email: row.try_get("email")?,
        is_admin: row.try_get::<i64, _>("is_admin")? != 0,
        created_at: get_u64(row, "created_at")?,
    })
}
