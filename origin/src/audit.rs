//! What is written down of administrative acts, and of what decides who can log in.

use std::net::IpAddr;

use serde_json::Value;

use crate::accounts::secret;
use crate::app::App;
use crate::catalog::audit::{self, Entry};
use crate::catalog::{AccountId, CatalogError, Tx};

/// What was done. The text never changes its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// An account was made.
    AccountMade,
    /// Its role, its quota or its right to log in was set.
    AccountChanged,
    /// Someone logged in.
    LoggedIn,
    /// A session was ended, other than by logging out.
    SessionEnded,
    /// A token was made.
    TokenMade,
    /// A token was ended.
    TokenDeleted,
    /// A password was set by who knew the last one, or on the command line.
    PasswordChanged,
    /// A password reset was sent.
    ResetSent,
    /// A password was set by who had a reset.
    PasswordReset,
    /// Edges were made to forget something.
    Purged,
    /// Someone else's job was tried again.
    JobRetried,
    /// Someone else's job was cancelled.
    JobCancelled,
    /// Someone else's asset was changed.
    AssetChanged,
    /// Someone else's asset was deleted.
    AssetDeleted,
    /// Someone else's asset was taken out of the trash.
    AssetRestored,
    /// Someone else's upload was ended.
    UploadEnded,
    /// Someone else's webhook was sent an event again.
    DeliveryReplayed,
}

impl Action {
    /// As it stands in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccountMade => "account.made",
            Self::AccountChanged => "account.changed",
            Self::LoggedIn => "session.begun",
            Self::SessionEnded => "session.ended",
            Self::TokenMade => "token.made",
            Self::TokenDeleted => "token.deleted",
            Self::PasswordChanged => "password.changed",
            Self::ResetSent => "password.reset_sent",
            Self::PasswordReset => "password.reset",
            Self::Purged => "purge.made",
            Self::JobRetried => "job.retried",
            Self::JobCancelled => "job.cancelled",
            Self::AssetChanged => "asset.changed",
            Self::AssetDeleted => "asset.deleted",
            Self::AssetRestored => "asset.restored",
            Self::UploadEnded => "upload.ended",
            Self::DeliveryReplayed => "delivery.replayed",
        }
    }
}

/// Who does something: the account, and the address it asks from.
#[derive(Debug, Clone, Default)]
pub struct Actor {
    /// `None` for who has not logged in, and for the command line.
    pub account: Option<AccountId>,
    /// `None` for the command line.
    pub address: Option<IpAddr>,
}

/// Writes down that `actor` did `action` to the thing with the id `subject`, in the change that does it. `detail` says
/// what else there is to know and has no secrets.
///
/// # Errors
/// When the catalogue fails.
pub async fn note(
    app: &App,
    tx: &mut Tx,
    actor: &Actor,
    action: Action,
    subject: &str,
    detail: &Value,
) -> Result<(), CatalogError> {
    let now_ms = app.clock.unix_ms();
    let entry = Entry {
        id: secret::new_id(now_ms, &app.entropy),
        at: now_ms,
        actor: actor.account.clone(),
        action: action.as_str().to_owned(),
        subject: subject.to_owned(),
        address: actor.address.map(|address| address.to_string()),
        detail: detail.to_string(),
    };
    audit::insert(tx, &entry).await
}

/// The same by itself, for what was done already.
///
/// # Errors
/// When the catalogue fails.
pub async fn note_done(
    app: &App,
    actor: &Actor,
    action: Action,
    subject: &str,
    detail: &Value,
) -> Result<(), CatalogError> {
    let mut tx = app.catalog.begin().await?;
    note(app, &mut tx, actor, action, subject, detail).await?;
    tx.commit().await
}
