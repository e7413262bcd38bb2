//! `/api/v1/tokens`: API tokens of the account that asks.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::Authenticated;
use super::error::ApiError;
use super::extract::{Json, Segment};
use super::timestamp::Timestamp;
use super::{check_name, no_store};
use crate::access::Operation;
use crate::accounts::secret;
use crate::app::App;
use crate::audit::{self, Action};
use crate::catalog::tokens::{self, Token};
use crate::limits;
use tidegate_wire::Code;

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::default().routes(routes!(create, list)).routes(routes!(remove))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewToken, examples(json!({ "name": "laptop" })))]
struct Create {
    name: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = CreatedToken, examples(json!({
    "id": "0197a3c0-5a10-7b6e-a0f3-0242ac120002", "name": "laptop", "token": "tg_9fWk…",
})))]
struct Created {
    id: String,
    name: String,
    /// Shown this once: only its hash is kept.
    token: String,
}

/// Makes a token, which is shown this once.
#[utoipa::path(
    post, path = "/api/v1/tokens", tag = "account", operation_id = "createToken", request_body = Create,
    responses((status = 201, body = Created)), extensions(("x-problems" = json!(["forbidden"])))
)]
async fn create(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    Json(create): Json<Create>,
) -> Result<Response, ApiError> {
    caller.check(Operation::MakeToken)?;
    check_name("name", &create.name, limits::TOKEN_NAME_CHARS)?;
    let now_ms = app.clock.unix_ms();
    let token = Token {
        id: secret::new_id(now_ms, &app.entropy),
        account_id: caller.id.clone(),
        name: create.name,
        created_at: now_ms,
        last_used_at: None,
    };
    let text = secret::new_token(&app.entropy);
    let mut tx = app.catalog.begin().await?;
    if !tokens::insert(&mut tx, &token, &secret::hash_hex(&text), limits::TOKENS_PER_ACCOUNT).await? {
        let most = limits::TOKENS_PER_ACCOUNT;
        return Err(ApiError::field(format!("name: an account has at most {most} tokens; delete one first")));
    }
    let detail = json!({ "name": token.name });
    audit::note(&app, &mut tx, &caller.actor(), Action::TokenMade, &token.id, &detail).await?;
    tx.commit().await?;
    tracing::info!(account.id = %token.account_id, token.id = token.id, "token.made");
    let created = Created { id: token.id, name: token.name, token: text };
    Ok(no_store((StatusCode::CREATED, axum::Json(created))))
}

#[derive(Serialize, ToSchema)]
#[schema(as = Token)]
struct Listed {
    id: String,
    name: String,
    created_at: Timestamp,
    last_used_at: Option<Timestamp>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Tokens, examples(json!({ "tokens": [{
    "id": "0197a3c0-5a10-7b6e-a0f3-0242ac120002", "name": "laptop", "created_at": "2026-05-28T20:26:40.000Z",
    "last_used_at": null,
}] })))]
struct List {
    tokens: Vec<Listed>,
}

/// Lists the caller's tokens, without their texts.
#[utoipa::path(
    get, path = "/api/v1/tokens", tag = "account", operation_id = "listTokens", responses((status = 200, body = List)),
    extensions(("x-problems" = json!(["forbidden"])))
)]
async fn list(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
) -> Result<Response, ApiError> {
    caller.check(Operation::ListTokens)?;
    let tokens = tokens::list(&app.catalog, &caller.id).await?;
    let tokens = tokens.into_iter().map(|token| Listed {
        id: token.id,
        name: token.name,
        created_at: Timestamp(token.created_at),
        last_used_at: token.last_used_at.map(Timestamp),
    });
    Ok(no_store(axum::Json(List { tokens: tokens.collect() })))
}

/// Ends a token.
#[utoipa::path(
    delete, path = "/api/v1/tokens/{id}", tag = "account", operation_id = "deleteToken", responses((status = 204)),
    extensions(("x-problems" = json!(["forbidden", "not_found"])))
)]
async fn remove(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    Segment(id): Segment,
) -> Result<Response, ApiError> {
    caller.check(Operation::DeleteToken)?;
    let mut tx = app.catalog.begin().await?;
    if id.contains('\0') || !tokens::delete(&mut tx, &caller.id, &id).await? {
        return Err(Code::NotFound.into());
    }
    audit::note(&app, &mut tx, &caller.actor(), Action::TokenDeleted, &id, &json!({})).await?;
    tx.commit().await?;
    tracing::info!(account.id = %caller.id, token.id = id, "token.deleted");
    Ok(StatusCode::NO_CONTENT.into_response())
}
