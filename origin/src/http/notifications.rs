//! `/api/v1/account/notifications`: what an account wants mail about.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde::{Deserialize, Serialize};

use super::auth::Authenticated;
use super::error::ApiError;
use super::extract::Json;
use super::no_store;
use crate::app::App;
use crate::catalog::mails;
use crate::mail::{self, TOPICS};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/api/v1/account/notifications", get(show).put(change))
}

/// What mail is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Topic {
    /// A video can be watched in every quality.
    Ready,
    /// A video could not be prepared.
    Failed,
}

#[derive(Serialize)]
struct Shown {
    mail_on: Vec<String>,
    /// Whether this server sends mail at all.
    mail: bool,
}

async fn show(
    State(app): State<Arc<App>>,
    Authenticated(account): Authenticated,
) -> Result<Response, ApiError> {
    let mail_on = mails::topics(&app.catalog, &account.id).await?;
    Ok(no_store(axum::Json(Shown { mail_on, mail: mail::is_on(&app) })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    mail_on: Vec<Topic>,
}

async fn change(
    State(app): State<Arc<App>>,
    Authenticated(account): Authenticated,
    Json(change): Json<Change>,
) -> Result<Response, ApiError> {
    let all = [Topic::Ready, Topic::Failed];
    let wanted = all.iter().zip(TOPICS).filter(|(topic, _)| change.mail_on.contains(topic));
    let topics: Vec<&str> = wanted.map(|(_, name)| name).collect();
    mails::set_topics(&app.catalog, &account.id, &topics).await?;
    let mail_on = topics.into_iter().map(str::to_owned).collect();
    Ok(no_store(axum::Json(Shown { mail_on, mail: mail::is_on(&app) })))
}
