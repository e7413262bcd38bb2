//! `/api/v1/deliveries` and `/api/v1/webhooks/{id}/deliveries`: what became of events that were to be sent.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tidegate_wire::{AssetId, Code};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::{Authenticated, Caller};
use super::error::ApiError;
use super::extract::{Params, Segment};
use super::no_store;
use super::timestamp::Timestamp;
use super::webhooks::check_id;
use crate::access::Operation;
use crate::app::App;
use crate::catalog::deliveries::{self, Delivery, DeliveryState, Wanted};
use crate::catalog::{AccountId, webhooks};
use crate::limits;
use crate::webhooks::give_up_ms;

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::default().routes(routes!(list)).routes(routes!(list_of_webhook)).routes(routes!(replay))
}

/// A delivery as the API shows it.
#[derive(Serialize, ToSchema)]
#[schema(as = Delivery)]
struct Shown {
    id: String,
    webhook: String,
    event: ShownEvent,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
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
    #[schema(value_type = Option<String>)]
    account: Option<AccountId>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = DeliveredEvent)]
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

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Only those in this state.
    state: Option<DeliveryState>,
    /// Entries of a page: 1 to 200.
    #[param(minimum = 1, maximum = 200, default = 50, example = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Deliveries, examples(json!({
    "deliveries": [{
        "id": "1000000000000042-0197a3c4-0b1c-7a55-8f1e-0242ac120002",
        "webhook": "0197a3c4-0b1c-7a55-8f1e-0242ac120002",
        "event": { "id": "evt_0197a3c5-7d2e-7c31-9d1e-0242ac120002", "type": "asset.ready" },
        "asset": "0197a3c1-7d2e-7c31-9d1e-0242ac120002", "state": "pending", "attempts": 2,
        "next_attempt_at": "2026-05-28T20:27:05.120Z", "response_status": 503, "error": "The receiver answered 503.",
        "created_at": "2026-05-28T20:26:40.000Z", "delivered_at": null,
    }],
    "next_cursor": null,
})))]
struct List {
    deliveries: Vec<Shown>,
    next_cursor: Option<String>,
}

/// Lists deliveries, newest first: the caller's, or everyone's for an administrator.
#[utoipa::path(
    get, path = "/api/v1/deliveries", tag = "events", operation_id = "listDeliveries", params(Asked),
    responses((status = 200, body = List))
)]
async fn list(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    Params(asked): Params<Asked>,
) -> Result<Response, ApiError> {
    page(&app, &caller, None, asked).await
}

/// Lists the deliveries of one webhook, newest first.
#[utoipa::path(
    get, path = "/api/v1/webhooks/{id}/deliveries", tag = "events", operation_id = "listWebhookDeliveries",
    params(Asked), responses((status = 200, body = List)), extensions(("x-problems" = json!(["webhook_not_found"])))
)]
async fn list_of_webhook(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    Segment(id): Segment,
    Params(asked): Params<Asked>,
) -> Result<Response, ApiError> {
    check_id(&id)?;
    if !caller.may(Operation::ListAllDeliveries) {
        webhooks::get(&app.catalog, &caller.id, &id).await?.ok_or(Code::WebhookNotFound)?;
    }
    page(&app, &caller, Some(&id), asked).await
}

async fn page(app: &App, caller: &Caller, webhook: Option<&str>, asked: Asked) -> Result<Response, ApiError> {
    caller.check(Operation::ListWebhooks)?;
    let sees_all = caller.may(Operation::ListAllDeliveries);
    let limit = asked.limit.unwrap_or(limits::PAGE_DELIVERIES);
    if !(1..=limits::PAGE_DELIVERIES_MAX).contains(&limit) {
        return Err(ApiError::field(format!("limit: 1 to {}", limits::PAGE_DELIVERIES_MAX)));
    }
    if asked.cursor.as_deref().is_some_and(|cursor| check_id(cursor).is_err()) {
        return Err(ApiError::field("cursor: take it from `next_cursor` of the page before"));
    }
    let wanted = Wanted {
        account: (!sees_all).then_some(&caller.id),
        webhook,
        state: asked.state,
        before: asked.cursor.as_deref(),
    };
    let mut found = deliveries::list(&app.catalog, &wanted, limit + 1).await?;
    let entries = usize::try_from(limit).unwrap_or(usize::MAX);
    let next_cursor = (found.len() > entries).then(|| found[entries - 1].id.clone());
    found.truncate(entries);
    let deliveries = found.into_iter().map(|delivery| show(delivery, sees_all)).collect();
    Ok(no_store(axum::Json(List { deliveries, next_cursor })))
}

/// Sends what was delivered or given up once more, under the same event id. What is pending is sent anyway.
#[utoipa::path(
    post, path = "/api/v1/deliveries/{id}/replay", tag = "events", operation_id = "replayDelivery",
    responses((status = 202)), extensions(("x-problems" = json!(["delivery_not_found"])))
)]
async fn replay(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    Segment(id): Segment,
) -> Result<Response, ApiError> {
    check_id(&id).map_err(|_| Code::DeliveryNotFound)?;
    let delivery = deliveries::get(&app.catalog, &id).await?.ok_or(Code::DeliveryNotFound)?;
    caller.check_on(Operation::ReplayDelivery, Some(&delivery.account), Code::DeliveryNotFound)?;
    let now_ms = app.clock.unix_ms();
    let mut tx = app.catalog.begin().await?;
    // One that is pending is sent anyway.
    deliveries::replay(&mut tx, &delivery.id, now_ms, now_ms.saturating_add(give_up_ms())).await?;
    tx.commit().await?;
    tracing::info!(account.id = %caller.id, delivery.id = id, "delivery.replayed");
    app.outgoing.webhooks.notify_one();
    Ok(StatusCode::ACCEPTED.into_response())
}
