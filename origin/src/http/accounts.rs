//! `/api/v1/accounts`: sign-up, and for administrators everyone's accounts.

mod checks;

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tidegate_wire::{Code, Problem};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::checks::check_username;
pub(super) use self::checks::{check_email, check_password};
use super::auth::{Authenticated, MaybeAuthenticated, client_address};
use super::error::ApiError;
use super::extract::{Json, Params, Segment, given};
use super::no_store;
use super::page::{IdText, Page};
use super::timestamp::Timestamp;
use crate::access::{Operation, Role};
use crate::accounts::secret;
use crate::app::App;
use crate::audit::{self, Action, Actor};
use crate::catalog::accounts::{self, Inserted, NewAccount};
use crate::catalog::usage::{self, Usage};
use crate::catalog::{Account, AccountId, sessions};
use crate::config::SignUp;
use crate::limits;

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::default().routes(routes!(create, list)).routes(routes!(change))
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
    parts: Parts,
    Json(create): Json<Create>,
) -> Result<Response, ApiError> {
    let by_admin = caller.as_ref().is_some_and(|caller| caller.may(Operation::MakeAccount));
    if app.config.signup == SignUp::Closed && !by_admin {
        return Err(Problem::from(Code::Forbidden).detail("sign-up is closed; ask an administrator").into());
    }
    check_username(&create.username)?;
    check_email(&create.email)?;
    check_password("password", &create.password)?;
    let password_hash = app.passwords.hash(create.password).await?;
    let now_ms = app.clock.unix_ms();
    let account = Account {
        id: AccountId::new(secret::new_id(now_ms, &app.entropy)),
        username: create.username,
        email: create.email,
        role: app.config.accounts.signup_role.into(),
        quota_bytes: app.config.accounts.default_quota.map(|quota| quota.0.min(limits::QUOTA_MAX_BYTES)),
        disabled: false,
        created_at: now_ms,
    };
    let created = Created { id: account.id.clone(), username: account.username.clone() };
    let detail = json!({ "username": account.username, "role": account.role });
    let mut tx = app.catalog.begin().await?;
    match accounts::insert(&mut tx, &NewAccount { account, password_hash }).await? {
        Inserted::Yes => {}
        Inserted::UsernameTaken => return Err(Code::UsernameTaken.into()),
        Inserted::EmailTaken => return Err(Code::EmailTaken.into()),
    }
    let actor = match &caller {
        Some(caller) => caller.actor(),
        None => Actor { account: None, address: Some(client_address(&app, &parts)) },
    };
    audit::note(&app, &mut tx, &actor, Action::AccountMade, created.id.as_str(), &detail).await?;
    tx.commit().await?;
    tracing::info!(account.id = %created.id, "account.made");
    Ok((StatusCode::CREATED, axum::Json(created)).into_response())
}

/// An account as administrators see it.
#[derive(Serialize, ToSchema)]
#[schema(as = Account, examples(json!({
    "id": "0197a3c0-5a10-7b6e-a0f3-0242ac120002", "username": "ada", "email": "ada@example.org", "role": "uploader",
    "quota_bytes": 107374182400_u64, "used_bytes": 10737418240_u64, "assets": 3,
    "created_at": "2026-05-28T20:26:40.000Z", "disabled": false,
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
    /// How many assets it has.
    assets: u64,
    created_at: Timestamp,
    disabled: bool,
}

impl Shown {
    fn new(account: Account, usage: Usage) -> Self {
        Self {
            id: account.id,
            username: account.username,
            email: account.email,
            role: account.role,
            quota_bytes: account.quota_bytes,
            used_bytes: usage.used_bytes,
            assets: usage.assets,
            created_at: Timestamp(account.created_at),
            disabled: account.disabled,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Search {
    /// Entries of a page: 1 to 200.
    #[param(minimum = 1, maximum = 200, default = 50, example = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// A piece of the username or the email address, whatever its case.
    #[serde(default)]
    #[param(max_length = 254, example = "ada", required = false)]
    q: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Accounts, examples(json!({ "accounts": [], "next_cursor": null })))]
struct List {
    accounts: Vec<Shown>,
    /// For the next page; null on the last.
    #[schema(value_type = Option<String>)]
    next_cursor: Option<IdText>,
}

/// Lists everyone's accounts, newest first; for administrators.
#[utoipa::path(
    get, path = "/api/v1/accounts", tag = "accounts", operation_id = "listAccounts", params(Search),
    responses((status = 200, body = List))
)]
async fn list(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    Params(search): Params<Search>,
) -> Result<Response, ApiError> {
    caller.check(Operation::ListAccounts)?;
    let page = Page { limit: search.limit, cursor: search.cursor };
    let page = page.read::<IdText>(limits::PAGE_ACCOUNTS, 1..=limits::PAGE_ACCOUNTS_MAX)?;
    if search.q.len() > limits::ACCOUNT_SEARCH_BYTES || search.q.contains('\0') {
        let most = limits::ACCOUNT_SEARCH_BYTES;
        return Err(ApiError::field(format!("q: at most {most} bytes, no control characters")));
    }
    let before = page.before.as_ref().map(|id| id.0.as_str());
    let mut found = accounts::list(&app.catalog, before, &search.q, page.to_look_for()).await?;
    let next_cursor = page.cut(&mut found, |(account, _)| IdText(account.id.to_string()));
    let accounts = found.into_iter().map(|(account, usage)| Shown::new(account, usage)).collect();
    Ok(no_store(axum::Json(List { accounts, next_cursor })))
}

/// What is to be another; what is left out stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AccountChange, examples(json!({ "role": "viewer", "quota_bytes": null, "disabled": false })))]
struct Change {
    role: Option<Role>,
    /// `null` for no limit.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u64>)]
    quota_bytes: Option<Option<u64>>,
    disabled: Option<bool>,
}

/// Sets an account's role and quota, or disables it; for administrators. Whoever is disabled is locked out at once.
#[utoipa::path(
    patch, path = "/api/v1/accounts/{id}", tag = "accounts", operation_id = "changeAccount", request_body = Change,
    responses((status = 200, body = Shown)),
    extensions(("x-problems" = json!(["account_not_found", "last_admin"])))
)]
async fn change(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    Segment(id): Segment,
    Json(change): Json<Change>,
) -> Result<Response, ApiError> {
    caller.check(Operation::ChangeAccount)?;
    if change.quota_bytes.flatten().is_some_and(|quota| quota > limits::QUOTA_MAX_BYTES) {
        return Err(ApiError::field(format!("quota_bytes: at most {}", limits::QUOTA_MAX_BYTES)));
    }
    if id.contains('\0') {
        return Err(Code::AccountNotFound.into());
    }
    let id = AccountId::new(id);
    let mut tx = app.catalog.begin().await?;
    let before = accounts::get_to_change(&mut tx, &id).await?.ok_or(Code::AccountNotFound)?;
    let account = Account {
        role: change.role.unwrap_or(before.role),
        quota_bytes: change.quota_bytes.unwrap_or(before.quota_bytes),
        disabled: change.disabled.unwrap_or(before.disabled),
        ..before.clone()
    };
    let was_admin = before.role == Role::Admin && !before.disabled;
    let is_admin = account.role == Role::Admin && !account.disabled;
    if was_admin && !is_admin && !accounts::has_other_admin(&mut tx, &id).await? {
        return Err(Code::LastAdmin.into());
    }
    if account != before {
        accounts::update(&mut tx, &account).await?;
        if account.disabled {
            // Should it be enabled again, whoever is logged in now is not.
            sessions::delete_all(&mut tx, &id, None).await?;
        }
        let detail = changes(&before, &account);
        audit::note(&app, &mut tx, &caller.actor(), Action::AccountChanged, id.as_str(), &detail).await?;
    }
    let usage = usage::of_in(&mut tx, &id).await?;
    tx.commit().await?;
    tracing::info!(account.id = %id, actor.id = %caller.id, "account.changed");
    Ok(no_store(axum::Json(Shown::new(account, usage))))
}

/// What was changed, each from what to what.
fn changes(before: &Account, after: &Account) -> serde_json::Value {
    let mut changes = serde_json::Map::new();
    let mut note = |name: &str, from: serde_json::Value, to: serde_json::Value| {
        if from != to {
            changes.insert(name.to_owned(), json!({ "from": from, "to": to }));
        }
    };
    note("role", json!(before.role), json!(after.role));
    note("quota_bytes", json!(before.quota_bytes), json!(after.quota_bytes));
    note("disabled", json!(before.disabled), json!(after.disabled));
    changes.into()
}
