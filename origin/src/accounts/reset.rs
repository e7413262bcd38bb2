//! A new password for who has lost theirs: a permission that goes to the account's email address, once, for an hour.

use serde_json::json;

use crate::accounts::secret;
use crate::app::App;
use crate::audit::{self, Action, Actor};
use crate::catalog::{Account, CatalogError, Tx, accounts, resets, sessions};
use crate::{limits, mail};

/// Whether a permission would reach anyone: without mail none is given.
pub fn is_possible(app: &App) -> bool {
    mail::is_on(app)
}

/// Has the permission sent to the account's address, in the change that gives it. The link to put into the message is
/// `/reset#TOKEN` below the public URL: what follows `#` is sent to no server and stands in no log.
///
/// # Errors
/// When the catalogue fails.
async fn announce(app: &App, tx: &mut Tx, account: &Account, token: &str) -> Result<(), CatalogError> {
    let to = (account.username.as_str(), account.email.as_str());
    mail::enqueue_password_reset(app, tx, to, token, limits::RESET_TTL.as_secs()).await
}

/// Gives the account a permission to set a new password, and has it sent; what was given is for tests to know. `None`
/// for an account that is disabled, or has had as many as it gets in an hour.
///
/// # Errors
/// When the catalogue fails.
pub async fn give(app: &App, account: &Account, actor: &Actor) -> Result<Option<String>, CatalogError> {
    let token = secret::new_session_id(&app.entropy);
    let now_ms = app.clock.unix_ms();
    let ttl_ms = u64::try_from(limits::RESET_TTL.as_millis()).unwrap_or(u64::MAX);
    let mut tx = app.catalog.begin().await?;
    let Some(account) = accounts::get_locked(&mut tx, &account.id).await?.filter(|account| !account.disabled)
    else {
        return Ok(None);
    };
    let (lasts, limit) =
        ((now_ms, now_ms + ttl_ms), (now_ms.saturating_sub(ttl_ms), limits::RESETS_PER_ACCOUNT));
    if !resets::insert(&mut tx, &secret::hash_hex(&token), &account.id, lasts, limit).await? {
        return Ok(None);
    }
    announce(app, &mut tx, &account, &token).await?;
    audit::note(app, &mut tx, actor, Action::ResetSent, account.id.as_str(), &json!({})).await?;
    tx.commit().await?;
    tracing::info!(account.id = %account.id, "password.reset_sent");
    Ok(Some(token))
}

/// Sets the password of the account that was given `token`, and ends all its sessions. `false` when there is no such
/// permission, or not any more.
///
/// # Errors
/// When the catalogue fails.
pub async fn redeem(
    app: &App,
    token: &str,
    password_hash: &str,
    actor: &Actor,
) -> Result<bool, CatalogError> {
    let mut tx = app.catalog.begin().await?;
    let taken = resets::take(&mut tx, &secret::hash_hex(token), app.clock.unix_ms()).await?;
    let Some(account) = taken else { return Ok(false) };
    let found = accounts::get_locked(&mut tx, &account).await?;
    if found.is_none_or(|account| account.disabled) {
        return Ok(false);
    }
    accounts::set_password(&mut tx, &account, password_hash).await?;
    let ended = sessions::delete_all(&mut tx, &account, None).await?;
    let detail = json!({ "sessions_ended": ended });
    audit::note(app, &mut tx, actor, Action::PasswordReset, account.as_str(), &detail).await?;
    tx.commit().await?;
    tracing::info!(account.id = %account, "password.reset");
    Ok(true)
}
