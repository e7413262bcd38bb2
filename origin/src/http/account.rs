//! `/api/v1/account`: the account that asks, and its password.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tidegate_wire::Code;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

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

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::default().routes(routes!(show)).routes(routes!(change_password))
}

#[derive(Serialize, ToSchema)]
#[schema(as = OwnAccount, examples(json!({
    "id": "0197a3c0-5a10-7b6e-a0f3-0242ac120002", "username": "ada", "email": "ada@example.org", "role": "uploader",
    "quota_bytes": 107374182400_u64, "used_bytes": 10737418240_u64, "created_at": "2026-05-28T20:26:40.000Z",
})))]
struct Shown {
    #[schema(value_type = String)]
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

/// Shows the caller's account.
#[utoipa::path(
    get, path = "/api/v1/account", tag = "account", operation_id = "getAccount", responses((status = 200, body = Shown))
)]
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

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PasswordChange, examples(json!({
    "current_password": "correct horse", "new_password": "battery staple",
})))]
struct ChangePassword {
    current_password: String,
    new_password: String,
}

/// Sets another password. Every other session of the account ends: whoever else was logged in is not any more.
#[utoipa::path(
    put, path = "/api/v1/account/password", tag = "account", operation_id = "changePassword",
    request_body = ChangePassword, responses((status = 204)),
    extensions(("x-problems" = json!(["wrong_password", "too_many_attempts", "overloaded"])))
)]
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
        || !fits(&app, caller.id.as_str(), caller.address, change.current_password, hash.clone()).await?
    {
        return Err(Code::WrongPassword.into());
    }
    let password_hash = app.passwords.hash(change.new_password).await?;
    let mut tx = app.catalog.begin().await?;
    if !accounts::still_has_password(&mut tx, &caller.id, &hash.unwrap_or_default()).await? {
        return Err(Code::WrongPassword.into());
    }
    accounts::set_password(&mut tx, &caller.id, &password_hash).await?;
    resets::delete_all(&mut tx, &caller.id).await?;
    let ended = sessions::delete_all(&mut tx, &caller.id, caller.session()).await?;
    let detail = json!({ "sessions_ended": ended });
    audit::note(&app, &mut tx, &caller.actor(), Action::PasswordChanged, caller.id.as_str(), &detail).await?;
    tx.commit().await?;
    tracing::info!(account.id = %caller.id, "password.changed");
    Ok(StatusCode::NO_CONTENT.into_response())
}
