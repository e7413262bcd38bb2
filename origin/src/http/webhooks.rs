//! `/api/v1/webhooks`: where an account has its events sent to.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tidegate_wire::Code;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::{Authenticated, Caller};
use super::error::ApiError;
use super::extract::{Json, Segment};
use super::no_store;
use super::timestamp::Timestamp;
use crate::access::Operation;
use crate::accounts::secret;
use crate::app::App;
use crate::catalog::deliveries::{self, TestDelivery};
use crate::catalog::webhooks::{self, Webhook};
use crate::events::{self, Kind};
use crate::limits;
use crate::webhooks::{TEST_KIND, give_up_ms, read_url, signature};

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::default()
        .routes(routes!(create, list))
        .routes(routes!(show, change, remove))
        .routes(routes!(test))
}

/// A webhook as the API shows it: without its secret.
#[derive(Serialize, ToSchema)]
#[schema(as = Webhook, examples(json!({
    "id": "0197a3c4-0b1c-7a55-8f1e-0242ac120002", "url": "https://example.org/hooks/tide", "events": ["asset.ready"],
    "description": "the newsroom", "enabled": true, "created_at": "2026-05-28T20:26:40.000Z",
    "updated_at": "2026-05-28T20:26:40.000Z",
})))]
struct Shown {
    id: String,
    url: String,
    /// The types it gets; empty for all.
    events: Vec<String>,
    description: String,
    enabled: bool,
    /// Why it is not enabled, where its owner did not say so: `gone` when the receiver answered 410.
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_why: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<Webhook> for Shown {
    fn from(webhook: Webhook) -> Self {
        Self {
            id: webhook.id,
            url: webhook.url,
            events: webhook.kinds,
            description: webhook.description,
            enabled: webhook.enabled,
            disabled_why: webhook.disabled_why,
            created_at: Timestamp(webhook.created_at),
            updated_at: Timestamp(webhook.updated_at),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Webhooks, examples(json!({ "webhooks": [] })))]
struct List {
    webhooks: Vec<Shown>,
}

/// Lists the caller's webhooks, without their secrets.
#[utoipa::path(
    get, path = "/api/v1/webhooks", tag = "events", operation_id = "listWebhooks", responses((status = 200, body = List))
)]
async fn list(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
) -> Result<Response, ApiError> {
    caller.check(Operation::ListWebhooks)?;
    let found = webhooks::list(&app.catalog, &caller.id).await?;
    Ok(no_store(axum::Json(List { webhooks: found.into_iter().map(Shown::from).collect() })))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewWebhook, examples(json!({ "url": "https://example.org/hooks/tide", "events": ["asset.ready"] })))]
struct Create {
    /// An http or https address of the public internet.
    url: String,
    /// The types it is to get; none, or left out, means all.
    events: Option<Vec<String>>,
    /// At most 200 characters.
    description: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = CreatedWebhook, examples(json!({
    "secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "id": "0197a3c4-0b1c-7a55-8f1e-0242ac120002",
    "url": "https://example.org/hooks/tide", "events": ["asset.ready"], "description": "", "enabled": true,
    "created_at": "2026-05-28T20:26:40.000Z", "updated_at": "2026-05-28T20:26:40.000Z",
})))]
struct Created {
    /// Shown this once.
    secret: String,
    #[serde(flatten)]
    shown: Shown,
}

/// Has events sent to an address, each at least once and in order of each upload or asset.
///
/// Requests are made and signed by the Standard Webhooks scheme (standardwebhooks.com) with the secret that is shown this
/// once: `webhook-id` stays the same however often an event is sent, `webhook-timestamp` is of the attempt,
/// `webhook-signature` is `v1,` and the HMAC-SHA256 of `ID.TIMESTAMP.BODY` in base64. Anything but a 2xx is tried again
/// with growing pauses for three days; 410 ends the webhook. Redirects are not followed.
#[utoipa::path(
    post, path = "/api/v1/webhooks", tag = "events", operation_id = "createWebhook", request_body = Create,
    responses((status = 201, body = Created))
)]
async fn create(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    Json(create): Json<Create>,
) -> Result<Response, ApiError> {
    caller.check(Operation::CreateWebhook)?;
    let now_ms = app.clock.unix_ms();
    let webhook = Webhook {
        id: secret::new_id(now_ms, &app.entropy),
        account: caller.account.id,
        url: check_url(&app, &create.url)?,
        kinds: check_kinds(create.events.unwrap_or_default())?,
        description: check_description(create.description.unwrap_or_default())?,
        secret: signature::new_secret(&app.entropy),
        enabled: true,
        disabled_why: None,
        created_at: now_ms,
        updated_at: now_ms,
    };
    let mut tx = app.catalog.begin().await?;
    if !webhooks::insert(&mut tx, &webhook, limits::WEBHOOKS_PER_ACCOUNT).await? {
        let most = limits::WEBHOOKS_PER_ACCOUNT;
        return Err(ApiError::field(format!(
            "url: an account has at most {most} webhooks; delete one first"
        )));
    }
    tx.commit().await?;
    tracing::info!(account.id = %webhook.account, webhook.id = webhook.id, "webhook.made");
    let created = Created { secret: webhook.secret.clone(), shown: Shown::from(webhook) };
    Ok(no_store((StatusCode::CREATED, axum::Json(created))))
}

fn check_url(app: &App, text: &str) -> Result<String, ApiError> {
    let url = read_url(text, app.config.telling.webhooks_allow_private);
    Ok(url.map_err(|error| ApiError::field(format!("url: {error}")))?.into())
}

fn check_kinds(mut kinds: Vec<String>) -> Result<Vec<String>, ApiError> {
    if let Some(unknown) = kinds.iter().find(|kind| Kind::from_name(kind).is_none()) {
        let known: Vec<&str> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
        let unknown: String =
            unknown.chars().filter(|c| !c.is_control()).take(limits::TOKEN_NAME_CHARS).collect();
        return Err(ApiError::field(format!("events: there is no {unknown}, only {}", known.join(", "))));
    }
    kinds.sort_unstable();
    kinds.dedup();
    Ok(kinds)
}

fn check_description(text: String) -> Result<String, ApiError> {
    let most = limits::WEBHOOK_DESCRIPTION_CHARS;
    if text.chars().count() <= most && !text.chars().any(char::is_control) {
        return Ok(text);
    }
    Err(ApiError::field(format!("description: at most {most} characters, no control characters")))
}

/// Whether a webhook of its own is something the caller may use at all. Another's is not found.
fn check_use(caller: &Caller, id: &str) -> Result<(), ApiError> {
    check_id(id)?;
    caller.check(Operation::UseWebhook)
}

/// An id as they are made here; what cannot be one names nothing.
pub(super) fn check_id(id: &str) -> Result<(), ApiError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if id.len() <= limits::CREDENTIAL_BYTES && id.bytes().all(plain) {
        Ok(())
    } else {
        Err(Code::WebhookNotFound.into())
    }
}

/// Shows a webhook, without its secret.
#[utoipa::path(
    get, path = "/api/v1/webhooks/{id}", tag = "events", operation_id = "getWebhook",
    responses((status = 200, body = Shown)), extensions(("x-problems" = json!(["webhook_not_found"])))
)]
async fn show(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    Segment(id): Segment,
) -> Result<Response, ApiError> {
    check_use(&caller, &id)?;
    let webhook = webhooks::get(&app.catalog, &caller.id, &id).await?.ok_or(Code::WebhookNotFound)?;
    Ok(no_store(axum::Json(Shown::from(webhook))))
}

/// What is to be another; what is left out stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WebhookChange, examples(json!({ "enabled": true })))]
struct Change {
    url: Option<String>,
    events: Option<Vec<String>>,
    description: Option<String>,
    enabled: Option<bool>,
}

/// Changes a webhook. Deliveries that are pending go to where it points then.
#[utoipa::path(
    patch, path = "/api/v1/webhooks/{id}", tag = "events", operation_id = "changeWebhook", request_body = Change,
    responses((status = 200, body = Shown)), extensions(("x-problems" = json!(["webhook_not_found"])))
)]
async fn change(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    Segment(id): Segment,
    Json(change): Json<Change>,
) -> Result<Response, ApiError> {
    check_use(&caller, &id)?;
    let url = change.url.map(|url| check_url(&app, &url)).transpose()?;
    let kinds = change.events.map(check_kinds).transpose()?;
    let description = change.description.map(check_description).transpose()?;
    let mut tx = app.catalog.begin().await?;
    let webhook = webhooks::get_locked(&mut tx, &caller.id, &id).await?;
    let mut webhook = webhook.ok_or(Code::WebhookNotFound)?;
    webhook.url = url.unwrap_or(webhook.url);
    webhook.kinds = kinds.unwrap_or(webhook.kinds);
    webhook.description = description.unwrap_or(webhook.description);
    if let Some(enabled) = change.enabled {
        webhook.enabled = enabled;
        webhook.disabled_why = None;
    }
    webhook.updated_at = app.clock.unix_ms();
    webhooks::update(&mut tx, &webhook).await?;
    tx.commit().await?;
    app.outgoing.webhooks.notify_one();
    Ok(no_store(axum::Json(Shown::from(webhook))))
}

/// Deletes a webhook with its deliveries.
#[utoipa::path(
    delete, path = "/api/v1/webhooks/{id}", tag = "events", operation_id = "deleteWebhook", responses((status = 204)),
    extensions(("x-problems" = json!(["webhook_not_found"])))
)]
async fn remove(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    Segment(id): Segment,
) -> Result<Response, ApiError> {
    check_use(&caller, &id)?;
    let mut tx = app.catalog.begin().await?;
    if !webhooks::delete(&mut tx, &caller.id, &id).await? {
        return Err(Code::WebhookNotFound.into());
    }
    tx.commit().await?;
    tracing::info!(account.id = %caller.id, webhook.id = id, "webhook.deleted");
    Ok(StatusCode::NO_CONTENT.into_response())
}

#[derive(Serialize, ToSchema)]
#[schema(as = WebhookTest, examples(json!({
    "delivery": "1000000000000042-evt_0197a3c4-0b1c-7a55-8f1e-0242ac120002",
})))]
struct Tested {
    /// The delivery to look for in the list.
    delivery: String,
}

/// Sends an event of type `webhook.test`, which tells of nothing else.
#[utoipa::path(
    post, path = "/api/v1/webhooks/{id}/test", tag = "events", operation_id = "testWebhook",
    responses((status = 202, body = Tested)),
    extensions(("x-problems" = json!(["webhook_not_found", "webhook_disabled"])))
)]
async fn test(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    Segment(id): Segment,
) -> Result<Response, ApiError> {
    check_use(&caller, &id)?;
    let now_ms = app.clock.unix_ms();
    let event_id = events::new_event_id(&app);
    let body = events::body(TEST_KIND, now_ms, Some(&caller.id), (None, None), &json!({ "webhook": id }));
    let mut tx = app.catalog.begin().await?;
    let webhook = webhooks::get_locked(&mut tx, &caller.id, &id).await?.ok_or(Code::WebhookNotFound)?;
    if !webhook.enabled {
        return Err(Code::WebhookDisabled.into());
    }
    let delivery = TestDelivery {
        event_id: &event_id,
        webhook: &id,
        account: &caller.id,
        kind: TEST_KIND,
        body: &body,
        now_ms,
        give_up_at: now_ms.saturating_add(give_up_ms()),
    };
    let delivery = deliveries::insert_test(&mut tx, &delivery).await?;
    tx.commit().await?;
    app.outgoing.webhooks.notify_one();
    Ok(no_store((StatusCode::ACCEPTED, axum::Json(Tested { delivery }))))
}
