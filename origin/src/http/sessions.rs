//! `/api/v1/sessions`: log in, log out, see where an account is logged in, and end that.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{SET_COOKIE, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tidegate_wire::{Code, Problem};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::{self, Authenticated, SESSION_COOKIE};
use super::error::ApiError;
use super::extract::{Json, Segment};
use super::no_store;
use super::timestamp::Timestamp;
use crate::access::{Operation, Role};
use crate::accounts::secret;
use crate::app::App;
use crate::audit::{self, Action, Actor};
use crate::catalog::sessions::{self, Session};
use crate::catalog::{Account, AccountId, accounts};
use crate::limits;

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::default().routes(routes!(create, list, log_out)).routes(routes!(end))
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
#[schema(as = CreatedSession, examples(json!({
    "id": "0197a3c0-5a10-7b6e-a0f3-0242ac120002", "username": "ada", "role": "uploader",
})))]
struct Created {
    #[schema(value_type = String)]
    id: AccountId,
    username: String,
    role: Role,
}

/// Logs in: the answer sets the session's cookie.
#[utoipa::path(
    post, path = "/api/v1/sessions", tag = "account", operation_id = "logIn", security(()), request_body = Create,
    responses((status = 201, body = Created, headers(("set-cookie" = String)))),
    extensions(("x-problems" = json!([
        "invalid_credentials", "account_disabled", "too_many_attempts", "cross_site", "overloaded",
    ])))
)]
async fn create(
    State(app): State<Arc<App>>,
    parts: Parts,
    Json(create): Json<Create>,
) -> Result<Response, ApiError> {
    // Without this, another site could log a visitor in as someone else.
    auth::check_same_site(&app, &parts)?;
    let address = auth::client_address(&app, &parts);
    let (account, password_hash) = log_in(&app, address, create).await?;
    let cookie = begin(&app, &parts.headers, address, &account, &password_hash).await?;
    let created = Created { id: account.id, username: account.username, role: account.role };
    Ok((StatusCode::CREATED, [(SET_COOKIE, cookie)], axum::Json(created)).into_response())
}

/// A new session under a new secret, whatever cookie the client came with; one it had before ends.
async fn begin(
    app: &App,
    fields: &HeaderMap,
    address: IpAddr,
    account: &Account,
    password_hash: &str,
) -> Result<HeaderValue, ApiError> {
    let cookie_value = secret::new_session_id(&app.entropy);
    let now_ms = app.clock.unix_ms();
    let lasts_ms = u64::try_from(limits::SESSION_TTL.as_millis()).unwrap_or(u64::MAX);
    let session = Session {
        id: secret::new_id(now_ms, &app.entropy),
        account_id: account.id.clone(),
        created_at: now_ms,
        expires_at: now_ms.saturating_add(lasts_ms),
        last_seen_at: now_ms,
        address: address.to_string(),
        user_agent: user_agent(fields),
    };
    let mut tx = app.catalog.begin().await?;
    if !accounts::still_has_password(&mut tx, &account.id, password_hash).await? {
        return Err(Code::InvalidCredentials.into());
    }
    if let Some(hash) = auth::session_hash(fields) {
        sessions::delete_by_hash(&mut tx, &hash).await?;
    }
    let hash = secret::hash_hex(&cookie_value);
    sessions::insert(&mut tx, &session, &hash, limits::SESSIONS_PER_ACCOUNT).await?;
    let actor = Actor { account: Some(account.id.clone()), address: Some(address) };
    audit::note(app, &mut tx, &actor, Action::LoggedIn, &session.id, &json!({})).await?;
    tx.commit().await?;
    cookie(app, &cookie_value, limits::SESSION_TTL.as_secs())
}

/// What the client calls itself: what can be shown of it, and no more than is kept.
fn user_agent(fields: &HeaderMap) -> String {
    let said = fields.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    said.chars().filter(|c| !c.is_control()).take(limits::USER_AGENT_CHARS).collect()
}

#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
struct Listed {
    id: String,
    created_at: Timestamp,
    /// To within a minute.
    last_seen_at: Timestamp,
    expires_at: Timestamp,
    /// The client's address when it was last seen.
    address: String,
    /// What the client called itself when it logged in.
    user_agent: String,
    /// The session this is asked with.
    current: bool,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Sessions, examples(json!({ "sessions": [{
    "id": "0197a3c0-7a10-7b6e-a0f3-0242ac120002", "created_at": "2026-05-28T20:26:40.000Z",
    "last_seen_at": "2026-05-28T20:31:40.000Z", "expires_at": "2026-06-11T20:26:40.000Z",
    "address": "192.0.2.7", "user_agent": "Mozilla/5.0", "current": true,
}] })))]
struct List {
    sessions: Vec<Listed>,
}

/// Lists where the caller is logged in, newest first.
#[utoipa::path(
    get, path = "/api/v1/sessions", tag = "account", operation_id = "listSessions", responses((status = 200, body = List)),
    extensions(("x-problems" = json!(["forbidden"])))
)]
async fn list(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
) -> Result<Response, ApiError> {
    caller.check(Operation::ListSessions)?;
    let sessions = sessions::list(&app.catalog, &caller.id, app.clock.unix_ms()).await?;
    let sessions = sessions.into_iter().map(|session| Listed {
        current: caller.session() == Some(&session.id),
        id: session.id,
        created_at: Timestamp(session.created_at),
        last_seen_at: Timestamp(session.last_seen_at),
        expires_at: Timestamp(session.expires_at),
        address: session.address,
        user_agent: session.user_agent,
    });
    Ok(no_store(axum::Json(List { sessions: sessions.collect() })))
}

/// Ends one of the caller's sessions.
#[utoipa::path(
    delete, path = "/api/v1/sessions/{id}", tag = "account", operation_id = "endSession", responses((status = 204)),
    extensions(("x-problems" = json!(["forbidden", "not_found"])))
)]
async fn end(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    Segment(id): Segment,
) -> Result<Response, ApiError> {
    caller.check(Operation::EndSession)?;
    let mut tx = app.catalog.begin().await?;
    if id.contains('\0') || !sessions::delete(&mut tx, &caller.id, &id).await? {
        return Err(Code::NotFound.into());
    }
    audit::note(&app, &mut tx, &caller.actor(), Action::SessionEnded, &id, &json!({})).await?;
    tx.commit().await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    if caller.session() == Some(&id) {
        response.headers_mut().insert(SET_COOKIE, cookie(&app, "", 0)?);
    }
    Ok(response)
}

/// Logs out: ends the session if there is one; doing so twice is no mistake.
#[utoipa::path(
    delete, path = "/api/v1/sessions", tag = "account", operation_id = "logOut", security((), ("cookie" = [])),
    responses((status = 204))
)]
async fn log_out(State(app): State<Arc<App>>, parts: Parts) -> Result<Response, ApiError> {
    auth::check_same_site(&app, &parts)?;
    if let Some(hash) = auth::session_hash(&parts.headers) {
        let mut tx = app.catalog.begin().await?;
        sessions::delete_by_hash(&mut tx, &hash).await?;
        tx.commit().await?;
    }
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, cookie(&app, "", 0)?)]).into_response())
}

/// The account whose login and password these are.
///
/// An unknown login takes the same path as a wrong password, through one run of argon2, and gets the same answer; that
/// an account is disabled is told only to who has its password.
async fn log_in(app: &App, address: IpAddr, create: Create) -> Result<(Account, String), ApiError> {
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
    let counted_by = found.as_ref().map_or(create.login.as_str(), |(account, _)| account.id.as_str());
    let hash = found.as_ref().map(|(_, hash)| hash.clone());
    let fits = fits(app, counted_by, address, create.password, hash).await?;
    match found {
        Some((account, hash)) if fits && !account.disabled => {
            outcome("succeeded");
            Ok((account, hash))
        }
        Some(_) if fits => {
            outcome("disabled");
            Err(Code::AccountDisabled.into())
        }
        _ => {
            outcome("refused");
            Err(Code::InvalidCredentials.into())
        }
    }
}

/// Whether a password is the one of the hash, which nobody has where there is none. Wrong ones are counted for
/// `counted_by` and for the address.
///
/// # Errors
/// `too_many_attempts`, `overloaded`.
pub(super) async fn fits(
    app: &App,
    counted_by: &str,
    address: IpAddr,
    password: String,
    hash: Option<String>,
) -> Result<bool, ApiError> {
    let attempt = app.throttle.begin(counted_by, address).map_err(|wait| {
        app.metrics.logins.with_label_values(&["throttled"]).inc();
        Problem::from(Code::TooManyAttempts).retry_after(wait.seconds)
    })?;
    let fits = app.passwords.verify(password, hash).await?;
    if fits {
        attempt.succeeded();
    } else {
        attempt.failed();
    }
    Ok(fits)
}

/// `HttpOnly`: no script reads it. `SameSite=Lax`: no other site's form or picture sends it, a link does.
fn cookie(app: &App, value: &str, max_age_s: u64) -> Result<HeaderValue, ApiError> {
    let secure = if app.config.is_https() { "; Secure" } else { "" };
    let text =
        format!("{SESSION_COOKIE}={value}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::try_from(text).map_err(ApiError::internal)
}
