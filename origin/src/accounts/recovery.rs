//! The way back in on the command line, where nobody can log in as an administrator any more.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use prometheus::IntCounter;
use serde_json::json;
use tidegate_serve::{Clock, Entropy};

use crate::access::Role;
use crate::accounts::password::{PasswordError, Passwords};
use crate::accounts::secret;
use crate::audit::Action;
use crate::catalog::audit::{self, Entry};
use crate::catalog::{Account, Catalog, CatalogError, Tx, accounts, resets, sessions};

/// Why nothing was recovered.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// Nobody has this name.
    #[error("there is no account {0}")]
    NoAccount(String),
    /// The catalogue failed.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// Argon2 failed.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// A counter for nobody to read.
    #[error(transparent)]
    Metrics(#[from] prometheus::Error),
}

/// Gives the account that logs in as `login` a new random password, which is the answer, and ends its sessions.
///
/// # Errors
/// When there is no such account, or the catalogue or argon2 fails.
pub async fn new_password(
    catalog: &Catalog,
    clock: &Clock,
    entropy: &Entropy,
    login: &str,
) -> Result<String, RecoveryError> {
    let account = find(catalog, login).await?;
    let password = URL_SAFE_NO_PAD.encode(entropy.bytes::<18>());
    let hashes = IntCounter::new("password_hashes", "Runs of argon2.")?;
    let hash = Passwords::new(entropy.clone(), hashes).await?.hash(password.clone()).await?;
    let mut tx = catalog.begin().await?;
    accounts::set_password(&mut tx, &account.id, &hash).await?;
    sessions::delete_all(&mut tx, &account.id, None).await?;
    resets::delete_all(&mut tx, &account.id).await?;
    note(&mut tx, clock, entropy, Action::PasswordChanged, &account, &json!({})).await?;
    tx.commit().await?;
    Ok(password)
}

/// Makes the account that logs in as `login` an administrator who can log in.
///
/// # Errors
/// When there is no such account, or the catalogue fails.
pub async fn make_admin(
    catalog: &Catalog,
    clock: &Clock,
    entropy: &Entropy,
    login: &str,
) -> Result<(), RecoveryError> {
    let account = find(catalog, login).await?;
    let mut tx = catalog.begin().await?;
    let account = accounts::get_to_change(&mut tx, &account.id).await?;
    let account = account.ok_or_else(|| RecoveryError::NoAccount(login.to_owned()))?;
    let account = Account { role: Role::Admin, disabled: false, ..account };
    accounts::update(&mut tx, &account).await?;
    let detail = json!({ "role": account.role, "disabled": false });
    note(&mut tx, clock, entropy, Action::AccountChanged, &account, &detail).await?;
    tx.commit().await?;
    Ok(())
}

async fn find(catalog: &Catalog, login: &str) -> Result<Account, RecoveryError> {
    let found = accounts::find_by_login(catalog, login).await?;
    found.map(|(account, _)| account).ok_or_else(|| RecoveryError::NoAccount(login.to_owned()))
}

async fn note(
    tx: &mut Tx,
    clock: &Clock,
    entropy: &Entropy,
    action: Action,
    account: &Account,
    detail: &serde_json::Value,
) -> Result<(), CatalogError> {
    let at = clock.unix_ms();
    let entry = Entry {
        id: secret::new_id(at, entropy),
        at,
        actor: None,
        action: action.as_str().to_owned(),
        subject: account.id.to_string(),
        address: None,
        detail: detail.to_string(),
    };
    audit::insert(tx, &entry).await
}
