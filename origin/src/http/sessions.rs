//! `/api/v1/sessions`: log in, log out.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::SET_COOKIE;
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use tidegate_serve::client;
use tidegate_serve::server::ConnInfo;
use tidegate_wire::{Code, Problem};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::{self, SESSION_COOKIE};
use super::error::ApiError;
use super::extract::Json;
use crate::accounts::secret;
use crate::app::App;
use crate::catalog::{Account, AccountId, accounts};
use crate::coord::sessions::Session;
use crate::limits;

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::default().routes(routes!(create, delete))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Credentials, examples(json!({ "login": "ada", "password": "correct horse" })))]
struct Create {
    /// The username or the email address.
    login: String,
    password: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = CreatedSession, examples(json!({ "id": "0197a3c0-5a10-7b6e-a0f3-0242ac120002", "username": "ada" })))]
struct Created {
    #[schema(value_type = String)]
    id: AccountId,
    username: String,
}

/// Logs in: the answer sets the session's cookie.
#[utoipa::path(
    post, path = "/api/v1/sessions", tag = "account", operation_id = "logIn", security(()), request_body = Create,
    responses((status = 201, body = Created, headers(("set-cookie" = String)))),
    extensions(("x-problems" = json!(["invalid_credentials", "too_many_attempts", "cross_site", "overloaded"])))
)]
async fn create(
    State(app): State<Arc<App>>,
    parts: Parts,
    Json(create): Json<Create>,
) -> Result<Response, ApiError> {
    // Without this, another site could log a visitor in as someone else.
    auth::check_same_site(&app, &parts)?;
    let account = check_password(&app, client_address(&app, &parts), create).await?;
    let id = secret::new_session_id(&app.entropy);
    let lasts_ms = u64::try_from(limits::SESSION_TTL.as_millis()).unwrap_or(u64::MAX);
    let session =
        Session { account: account.id.clone(), expires_at: app.clock.unix_ms().saturating_add(lasts_ms) };
    app.coord.sessions.put(&secret::hash(&id), session).await?;
    let cookie = cookie(&app, &id, limits::SESSION_TTL.as_secs())?;
    let created = Created { id: account.id, username: account.username };
    Ok((StatusCode::CREATED, [(SET_COOKIE, cookie)], axum::Json(created)).into_response())
}

/// Logs out: ends the session if there is one; doing so twice is no mistake.
#[utoipa::path(
    delete, path = "/api/v1/sessions", tag = "account", operation_id = "logOut", security((), ("cookie" = [])),
    responses((status = 204))
)]
async fn delete(State(app): State<Arc<App>>, parts: Parts) -> Result<Response, ApiError> {
    auth::check_same_site(&app, &parts)?;
    if let Some(key) = auth::session_key(&parts.headers) {
        app.coord.sessions.delete(&key).await?;
    }
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, cookie(&app, "", 0)?)]).into_response())
}

/// The account whose login and password these are.
///
/// An unknown login takes the same path as a wrong password, through one run of argon2, and gets the same answer.
async fn check_password(app: &App, address: IpAddr, create: Create) -> Result<Account, ApiError> {
    let outcome = |outcome: &str| app.metrics.logins.with_label_values(&[outcome]).inc();
    if create.password.len() > limits::PASSWORD_MAX_BYTES || create.login.len() > limits::EMAIL_BYTES {
        outcome("refused");
        return Err(Code::InvalidCredentials.into());
    }
    // A text with this in it is nobody's login, and PostgreSQL takes none as a parameter.
    let found = if create.login.contains('\0') {
        None
    } else {
        accounts::find_by_login(&app.catalog, &create.login).await?
    };
    let (account, hash) = found.unzip();
    let counted_by = account.as_ref().map_or(create.login.as_str(), |account| account.id.as_str());
    let attempt = app.throttle.begin(counted_by, address).map_err(|wait| {
        outcome("throttled");
        Problem::from(Code::TooManyAttempts).retry_after(wait.seconds)
    })?;
    let fits = app.passwords.verify(create.password, hash).await?;
    match account {
        Some(account) if fits => {
            attempt.succeeded();
            outcome("succeeded");
            Ok(account)
        }
        _ => {
            attempt.failed();
            outcome("refused");
            Err(Code::InvalidCredentials.into())
        }
    }
}

/// The client's address, for limits. A request that came without a connection shares one with all its like.
pub(super) fn client_address(app: &App, parts: &Parts) -> IpAddr {
    let peer = parts
        .extensions
        .get::<ConnInfo>()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |connection| connection.peer.ip());
    client::address(peer, &parts.headers, &app.config.trusted_proxies)
}

/// `HttpOnly`: no script reads it. `SameSite=Lax`: no other site's form or picture sends it, a link does.
fn cookie(app: &App, value: &str, max_age_s: u64) -> Result<HeaderValue, ApiError> {
    let secure = if app.config.is_https() { "; Secure" } else { "" };
    let text =
        format!("{SESSION_COOKIE}={value}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::try_from(text).map_err(ApiError::internal)
}
