//! `/api/v1/account`: the account that asks, and its password.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tidegate_wire::Code;

use super::accounts::check_password;
use super::auth::Authenticated;
use super::error::ApiError;
use super::extract::Json;
use super::timestamp::Timestamp;
use super::{no_store, sessions::fits};
use crate::access::{Operation, Role};
use crate::app::App;
use crate::audit::{self, Action};
use crate::catalog::{AccountId, accounts, resets, sessions, usage};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/api/v1/account", get(show)).route("/api/v1/account/password", put(change_password))
}

#[derive(Serialize)]
struct Shown {
    id: AccountId,
    username: String,
    email: String,
    role: Role,
    /// The most bytes it may have; `null` for no limit.
    quota_bytes: Option<u64>,
    /// What counts against it: assets, and uploads in progress with the length they announced.
    used_bytes: u64,
    created_at: Timestamp,
}

async fn show(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
) -> Result<Response, ApiError> {
    caller.check(Operation::ReadAccount)?;
    let used = usage::of(&app.catalog, &caller.id).await?;
    let account = caller.account;
    Ok(no_store(axum::Json(Shown {
        id: account.id,
        username: account.username,
        email: account.email,
        role: account.role,
        quota_bytes: account.quota_bytes,
        used_bytes: used.used_bytes,
        created_at: Timestamp(account.created_at),
    })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangePassword {
    current_password: String,
    new_password: String,
}

/// Every other session ends: whoever else was logged in is not any more.
async fn change_password(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    Json(change): Json<ChangePassword>,
) -> Result<Response, ApiError> {
    caller.check(Operation::ChangePassword)?;
    check_password("new_password", &change.new_password)?;
    let hash = accounts::password_hash(&app.catalog, &caller.id).await?;
    // A longer one than can be set is hashed no further than log-in would.
    if check_password("current_password", &change.current_password).is_err()
        || !fits(&app, caller.id.as_str(), caller.address, change.current_password, hash).await?
    {
        return Err(Code::WrongPassword.into());
    }
    let password_hash = app.passwords.hash(change.new_password).await?;
    let mut tx = app.catalog.begin().await?;
    accounts::set_password(&mut tx, &caller.id, &password_hash).await?;
    resets::delete_all(&mut tx, &caller.id).await?;
    let ended = sessions::delete_all(&mut tx, &caller.id, caller.session()).await?;
    let detail = json!({ "sessions_ended": ended });
    audit::note(&app, &mut tx, &caller.actor(), Action::PasswordChanged, caller.id.as_str(), &detail).await?;
    tx.commit().await?;
    tracing::info!(account.id = %caller.id, "password.changed");
    Ok(StatusCode::NO_CONTENT.into_response())
}
