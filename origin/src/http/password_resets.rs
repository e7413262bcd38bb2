//! `/api/v1/password-resets`: a new password for who has lost theirs. Nobody learns here which addresses have accounts:
//! the answer is the same, and what takes longer for a known one happens after it.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;
use serde::Deserialize;
use serde_json::json;
use tidegate_wire::{Code, Problem};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::accounts::{check_email, check_password};
use super::auth::client_address;
use super::error::ApiError;
use super::extract::Json;
use super::no_store;
use crate::accounts::{reset, secret};
use crate::app::App;
use crate::audit::Actor;
use crate::catalog::{accounts, resets};
use crate::limits;

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::default().routes(routes!(create)).routes(routes!(confirm))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewPasswordReset, examples(json!({ "email": "ada@example.org" })))]
struct Create {
    email: String,
}

/// Has a link mailed under which a new password can be set, if there is such an account. The answer is the same if not.
#[utoipa::path(
    post, path = "/api/v1/password-resets", tag = "account", operation_id = "createPasswordReset", security(()),
    request_body = Create, responses((status = 202, body = Object, example = json!({}))),
    extensions(("x-problems" = json!(["overloaded"])))
)]
async fn create(
    State(app): State<Arc<App>>,
    parts: Parts,
    Json(create): Json<Create>,
) -> Result<Response, ApiError> {
    check_email(&create.email)?;
    let place = app.resets.clone().try_acquire_owned();
    let place = place.map_err(|_| Problem::from(Code::Overloaded).retry_after(limits::OVERLOADED_RETRY_S))?;
    let found = accounts::find_by_email(&app.catalog, &create.email).await?;
    if let Some(account) = found.filter(|_| reset::is_possible(&app)) {
        let actor = Actor { account: None, address: Some(client_address(&app, &parts)) };
        let task = app.clone();
        app.tasks.spawn(async move {
            let _place = place;
            if let Err(error) = reset::give(&task, &account, &actor).await {
                tracing::error!(error = &error as &dyn std::error::Error, "password.reset_failed");
            }
        });
    }
    Ok(no_store((StatusCode::ACCEPTED, axum::Json(json!({})))))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PasswordReset, examples(json!({ "token": "x0Vf…", "new_password": "battery staple" })))]
struct Confirm {
    /// What follows `#` in the link.
    token: String,
    new_password: String,
}

/// Sets a new password with what was mailed, once. Every session of the account ends.
#[utoipa::path(
    post, path = "/api/v1/password-resets/confirm", tag = "account", operation_id = "confirmPasswordReset", security(()),
    request_body = Confirm, responses((status = 204)),
    extensions(("x-problems" = json!(["reset_invalid", "overloaded"])))
)]
async fn confirm(
    State(app): State<Arc<App>>,
    parts: Parts,
    Json(confirm): Json<Confirm>,
) -> Result<Response, ApiError> {
    check_password("new_password", &confirm.new_password)?;
    if confirm.token.len() > limits::CREDENTIAL_BYTES {
        return Err(Code::ResetInvalid.into());
    }
    // Nothing is hashed for a token that is none.
    let hash = secret::hash_hex(&confirm.token);
    if !resets::is_there(&app.catalog, &hash, app.clock.unix_ms()).await? {
        return Err(Code::ResetInvalid.into());
    }
    let password_hash = app.passwords.hash(confirm.new_password).await?;
    let actor = Actor { account: None, address: Some(client_address(&app, &parts)) };
    if !reset::redeem(&app, &confirm.token, &password_hash, &actor).await? {
        return Err(Code::ResetInvalid.into());
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}
