//! `/api/v1/audit`: what administrators did, and what decided who can log in.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::Authenticated;
use super::error::ApiError;
use super::extract::Params;
use super::no_store;
use super::page::{IdText, Page};
use super::timestamp::Timestamp;
use crate::access::Operation;
use crate::app::App;
use crate::catalog::audit::{self, Entry};
use crate::catalog::{AccountId, CatalogError};
use crate::limits;

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::default().routes(routes!(list))
}

#[derive(Serialize, ToSchema)]
#[schema(as = AuditEntry)]
struct Shown {
    id: String,
    at: Timestamp,
    /// Who did it; `null` for who had not logged in, and for the command line.
    actor: Option<Who>,
    action: String,
    /// The id of what it was done to.
    subject: String,
    /// The client's address.
    address: Option<String>,
    /// What else there is to know.
    #[schema(value_type = Object)]
    detail: Value,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Actor)]
struct Who {
    #[schema(value_type = String)]
    id: AccountId,
    username: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Audit, examples(json!({ "entries": [{
    "id": "0197a3c3-5a10-7b6e-a0f3-0242ac120002", "at": "2026-05-28T20:26:40.000Z",
    "actor": { "id": "0197a3c0-5a10-7b6e-a0f3-0242ac120002", "username": "admin" }, "action": "account.changed",
    "subject": "0197a3c0-6b00-7b6e-a0f3-0242ac120002", "address": "192.0.2.7",
    "detail": { "role": { "from": "uploader", "to": "viewer" } },
}], "next_cursor": null })))]
struct List {
    entries: Vec<Shown>,
    /// For the next page; null on the last.
    #[schema(value_type = Option<String>)]
    next_cursor: Option<IdText>,
}

/// Lists what administrators did, and what decided who can log in, newest first; for administrators.
#[utoipa::path(
    get, path = "/api/v1/audit", tag = "accounts", operation_id = "listAudit", params(Page),
    responses((status = 200, body = List))
)]
async fn list(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    Params(page): Params<Page>,
) -> Result<Response, ApiError> {
    caller.check(Operation::ReadAudit)?;
    let page = page.read::<IdText>(limits::PAGE_AUDIT, 1..=limits::PAGE_AUDIT_MAX)?;
    let before = page.before.as_ref().map(|id| id.0.as_str());
    let mut found = audit::list(&app.catalog, before, page.to_look_for()).await?;
    let next_cursor = page.cut(&mut found, |(entry, _)| IdText(entry.id.clone()));
    let entries = found.into_iter().map(show).collect::<Result<_, _>>()?;
    Ok(no_store(axum::Json(List { entries, next_cursor })))
}

fn show((entry, username): (Entry, Option<String>)) -> Result<Shown, CatalogError> {
    let detail = serde_json::from_str(&entry.detail);
    Ok(Shown {
        id: entry.id,
        at: Timestamp(entry.at),
        actor: entry.actor.zip(username).map(|(id, username)| Who { id, username }),
        action: entry.action,
        subject: entry.subject,
        address: entry.address,
        detail: detail.map_err(|_| CatalogError::Unreadable { column: "detail" })?,
    })
}
