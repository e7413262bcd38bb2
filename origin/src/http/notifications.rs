//! `/api/v1/account/notifications`: what an account wants mail about.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::Authenticated;
use super::error::ApiError;
use super::extract::Json;
use super::no_store;
use crate::access::Operation;
use crate::app::App;
use crate::catalog::mails;
use crate::mail::{self, TOPICS};

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::default().routes(routes!(show, change))
}

/// What mail is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = MailTopic)]
enum Topic {
    /// A video can be watched in every quality.
    Ready,
    /// A video could not be prepared.
    Failed,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Notifications, examples(json!({ "mail_on": ["ready", "failed"], "mail": true })))]
struct Shown {
    mail_on: Vec<String>,
    /// Whether this server sends mail at all.
    mail: bool,
}

/// Shows what the caller wants mail about.
#[utoipa::path(
    get, path = "/api/v1/account/notifications", tag = "account", operation_id = "getNotifications",
    responses((status = 200, body = Shown))
)]
async fn show(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
) -> Result<Response, ApiError> {
    caller.check(Operation::ReadAccount)?;
    let mail_on = mails::topics(&app.catalog, &caller.id).await?;
    Ok(no_store(axum::Json(Shown { mail_on, mail: mail::is_on(&app) })))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NotificationsChange, examples(json!({ "mail_on": ["failed"] })))]
struct Change {
    mail_on: Vec<Topic>,
}

/// Sets what the caller wants mail about.
#[utoipa::path(
    put, path = "/api/v1/account/notifications", tag = "account", operation_id = "setNotifications",
    request_body = Change, responses((status = 200, body = Shown))
)]
async fn change(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    Json(change): Json<Change>,
) -> Result<Response, ApiError> {
    caller.check(Operation::ChangeNotifications)?;
    let all = [Topic::Ready, Topic::Failed];
    let wanted = all.iter().zip(TOPICS).filter(|(topic, _)| change.mail_on.contains(topic));
    let topics: Vec<&str> = wanted.map(|(_, name)| name).collect();
    mails::set_topics(&app.catalog, &caller.id, &topics).await?;
    let mail_on = topics.into_iter().map(str::to_owned).collect();
    Ok(no_store(axum::Json(Shown { mail_on, mail: mail::is_on(&app) })))
}
