//! `/api/v1/deliveries` and `/api/v1/webhooks/{id}/deliveries`: what became of events that were to be sent.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tidegate_wire::{AssetId, Code};

use super::auth::Authenticated;
use super::error::ApiError;
use super::extract::{Params, Segment};
use super::no_store;
use super::timestamp::Timestamp;
use super::webhooks::check_id;
use crate::app::App;
use crate::catalog::deliveries::{self, Delivery, DeliveryState, Wanted};
use crate::catalog::{Account, AccountId, webhooks};
use crate::limits;
use crate::webhooks::give_up_ms;

pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/api/v1/deliveries", get(list))
        .route("/api/v1/deliveries/{id}/replay", post(replay))
        .route("/api/v1/webhooks/{id}/deliveries", get(list_of_webhook))
}

/// A delivery as the API shows it.
#[derive(Serialize)]
struct Shown {
    id: String,
    webhook: String,
    event: ShownEvent,
    #[serde(skip_serializing_if = "Option::is_none")]
    asset: Option<AssetId>,
    state: DeliveryState,
    attempts: u32,
    /// When it is sent again, if it is.
    next_attempt_at: Option<Timestamp>,
    response_status: Option<u16>,
    error: Option<String>,
    created_at: Timestamp,
    delivered_at: Option<Timestamp>,
    /// Whose it is; administrators see everyone's.
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<AccountId>,
}

#[derive(Serialize)]
struct ShownEvent {
    /// What the receiver gets as `webhook-id`.
    id: String,
    r#type: String,
}

fn show(delivery: Delivery, to_operator: bool) -> Shown {
    let is_pending = delivery.state == DeliveryState::Pending;
    Shown {
        id: delivery.id,
        webhook: delivery.webhook,
        event: ShownEvent { id: delivery.event_id, r#type: delivery.kind },
        asset: delivery.subject,
        state: delivery.state,
        attempts: delivery.attempts,
        next_attempt_at: is_pending.then_some(Timestamp(delivery.next_attempt_at)),
        response_status: delivery.response_status,
        error: delivery.error,
        created_at: Timestamp(delivery.created_at),
        delivered_at: delivery.delivered_at.map(Timestamp),
        account: to_operator.then_some(delivery.account),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    state: Option<DeliveryState>,
    limit: Option<u32>,
    cursor: Option<String>,
}

#[derive(Serialize)]
struct List {
    deliveries: Vec<Shown>,
    next_cursor: Option<String>,
}

async fn list(
    State(app): State<Arc<App>>,
    Authenticated(account): Authenticated,
    Params(asked): Params<Asked>,
) -> Result<Response, ApiError> {
    page(&app, &account, None, asked).await
}

async fn list_of_webhook(
    State(app): State<Arc<App>>,
    Authenticated(account): Authenticated,
    Segment(id): Segment,
    Params(asked): Params<Asked>,
) -> Result<Response, ApiError> {
    check_id(&id)?;
    if !account.is_admin {
        webhooks::get(&app.catalog, &account.id, &id).await?.ok_or(Code::WebhookNotFound)?;
    }
    page(&app, &account, Some(&id), asked).await
}

async fn page(
    app: &App,
    account: &Account,
    webhook: Option<&str>,
    asked: Asked,
) -> Result<Response, ApiError> {
    let limit = asked.limit.unwrap_or(limits::PAGE_DELIVERIES);
    if !(1..=limits::PAGE_DELIVERIES_MAX).contains(&limit) {
        return Err(ApiError::field(format!("limit: 1 to {}", limits::PAGE_DELIVERIES_MAX)));
    }
    if asked.cursor.as_deref().is_some_and(|cursor| check_id(cursor).is_err()) {
        return Err(ApiError::field("cursor: take it from `next_cursor` of the page before"));
    }
    let wanted = Wanted {
        account: (!account.is_admin).then_some(&account.id),
        webhook,
        state: asked.state,
        before: asked.cursor.as_deref(),
    };
    let mut found = deliveries::list(&app.catalog, &wanted, limit + 1).await?;
    let entries = usize::try_from(limit).unwrap_or(usize::MAX);
    let next_cursor = (found.len() > entries).then(|| found[entries - 1].id.clone());
    found.truncate(entries);
    let deliveries = found.into_iter().map(|delivery| show(delivery, account.is_admin)).collect();
    Ok(no_store(axum::Json(List { deliveries, next_cursor })))
}

/// Sends what has ended once more, under the same event id.
async fn replay(
    State(app): State<Arc<App>>,
    Authenticated(account): Authenticated,
    Segment(id): Segment,
) -> Result<Response, ApiError> {
    check_id(&id).map_err(|_| Code::DeliveryNotFound)?;
    let delivery = deliveries::get(&app.catalog, &id).await?;
    let delivery = delivery.filter(|delivery| account.is_admin || delivery.account == account.id);
    let delivery = delivery.ok_or(Code::DeliveryNotFound)?;
    let now_ms = app.clock.unix_ms();
    let mut tx = app.catalog.begin().await?;
    // One that is pending is sent anyway.
    deliveries::replay(&mut tx, &delivery.id, now_ms, now_ms.saturating_add(give_up_ms())).await?;
    tx.commit().await?;
    tracing::info!(account.id = %account.id, delivery.id = id, "delivery.replayed");
    app.outgoing.webhooks.notify_one();
    Ok(StatusCode::ACCEPTED.into_response())
}
