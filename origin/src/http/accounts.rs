//! `/api/v1/accounts`: sign-up.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tidegate_wire::{Code, Problem};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::MaybeAuthenticated;
use super::error::ApiError;
use super::extract::Json;
use crate::accounts::secret;
use crate::app::App;
use crate::catalog::accounts::{self, Inserted, NewAccount};
use crate::catalog::{Account, AccountId};
use crate::config::SignUp;
use crate::limits;

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::default().routes(routes!(create))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewAccount, examples(json!({ "username": "ada", "email": "ada@example.org", "password": "correct horse" })))]
struct Create {
    username: String,
    email: String,
    password: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = CreatedAccount, examples(json!({ "id": "0197a3c0-5a10-7b6e-a0f3-0242ac120002", "username": "ada" })))]
struct Created {
    #[schema(value_type = String)]
    id: AccountId,
    username: String,
}

/// Makes an account; anyone may where sign-up is open.
#[utoipa::path(
    post, path = "/api/v1/accounts", tag = "account", operation_id = "createAccount", request_body = Create,
    security((), ("cookie" = []), ("bearer" = [])), responses((status = 201, body = Created)),
    extensions(("x-problems" = json!(["forbidden", "username_taken", "email_taken", "overloaded"])))
)]
async fn create(
    State(app): State<Arc<App>>,
    MaybeAuthenticated(caller): MaybeAuthenticated,
    Json(create): Json<Create>,
) -> Result<Response, ApiError> {
    let by_admin = caller.is_some_and(|caller| caller.is_admin);
    if app.config.signup == SignUp::Closed && !by_admin {
        return Err(Problem::from(Code::Forbidden).detail("sign-up is closed; ask an administrator").into());
    }
    check_username(&create.username)?;
    check_email(&create.email)?;
    check_password(&create.password)?;
    let password_hash = app.passwords.hash(create.password).await?;
    let now_ms = app.clock.unix_ms();
    let account = Account {
        id: AccountId::new(secret::new_id(now_ms, &app.entropy)),
        username: create.username,
        email: create.email,
        is_admin: false,
        created_at: now_ms,
    };
    let created = Created { id: account.id.clone(), username: account.username.clone() };
    let mut tx = app.catalog.begin().await?;
    match accounts::insert(&mut tx, &NewAccount { account, password_hash }).await? {
        Inserted::Yes => tx.commit().await?,
        Inserted::UsernameTaken => return Err(Code::UsernameTaken.into()),
        Inserted::EmailTaken => return Err(Code::EmailTaken.into()),
    }
    tracing::info!(account.id = %created.id, "account.made");
    Ok((StatusCode::CREATED, axum::Json(created)).into_response())
}

/// Letters and digits of ASCII and `_`, `-`, `.`: no two look alike, and none has the `@` of an email address.
fn check_username(username: &str) -> Result<(), ApiError> {
    let (min, max) = (limits::USERNAME_CHARS.start(), limits::USERNAME_CHARS.end());
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let fits = limits::USERNAME_CHARS.contains(&username.len())
        && username.chars().all(allowed)
        && username.starts_with(|c: char| c.is_ascii_alphanumeric());
    if fits {
        return Ok(());
    }
    Err(ApiError::field(format!(
        "username: {min} to {max} of a-z, A-Z, 0-9, `_`, `-` and `.`, beginning with a letter or a digit"
    )))
}

/// What could be an address at all; whether it is one only a message to it can tell.
fn check_email(email: &str) -> Result<(), ApiError> {
    let fits = email.len() <= limits::EMAIL_BYTES
        && !email.chars().any(|c| c.is_control() || c.is_whitespace())
        && email
            .split_once('@')
            .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'));
    if fits {
        return Ok(());
    }
    Err(ApiError::field(format!(
        "email: one `@` with something on both sides, no spaces, at most {} bytes",
        limits::EMAIL_BYTES
    )))
}

/// Long enough is all that is asked (NIST SP 800-63B section 3.1.1.2 advises against more).
fn check_password(password: &str) -> Result<(), ApiError> {
    if password.chars().count() >= limits::PASSWORD_MIN_CHARS && password.len() <= limits::PASSWORD_MAX_BYTES
    {
        return Ok(());
    }
    Err(ApiError::field(format!(
        "password: at least {} characters, at most {} bytes",
        limits::PASSWORD_MIN_CHARS,
        limits::PASSWORD_MAX_BYTES
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usernames_and_addresses_are_checked() {
        for name in ["abc", "A.b-c_9", &"x".repeat(32)] {
            assert!(check_username(name).is_ok(), "{name}");
        }
        for name in ["", "ab", "-abc", "a b", "a@b", "ä23", "a\0b", &"x".repeat(33)] {
            assert!(check_username(name).is_err(), "{name}");
        }
        for email in ["a@b", "a.b+c@example.org", "ü@example.org"] {
            assert!(check_email(email).is_ok(), "{email}");
        }
        for email in ["", "a", "@b", "a@", "a@b@c", "a b@c", "a@b\n", &format!("{}@b", "x".repeat(254))] {
            assert!(check_email(email).is_err(), "{email}");
        }
        assert!(check_password("12345678").is_ok() && check_password("パスワード１２３").is_ok());
        assert!(check_password("1234567").is_err() && check_password(&"x".repeat(257)).is_err());
    }
}
