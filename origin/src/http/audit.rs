//! `/api/v1/audit`: what administrators did, and what decided who can log in.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde::Serialize;
use serde_json::Value;

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

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/api/v1/audit", get(list))
}

#[derive(Serialize)]
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
    detail: Value,
}

#[derive(Serialize)]
struct Who {
    id: AccountId,
    username: String,
}

#[derive(Serialize)]
struct List {
    entries: Vec<Shown>,
    next_cursor: Option<IdText>,
}

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
