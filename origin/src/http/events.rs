//! `/api/v1/events`: what happens, as server-sent events.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method};
use serde::Deserialize;
use tidegate_wire::{Code, Problem};

use super::auth::Authenticated;
use super::error::ApiError;
use super::extract::Params;
use crate::app::App;
use crate::events::hub::Hub;
use crate::events::stream::{self, Wish};
use crate::limits;

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/api/v1/events", get(events))
}

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Proxies that gather answers before they pass them on are asked not to.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// The last event that was seen.
    after: Option<u64>,
    /// Everyone's events.
    #[serde(default)]
    all: bool,
}

async fn events(
    State(app): State<Arc<App>>,
    Authenticated(account): Authenticated,
    Params(asked): Params<Asked>,
    parts: Parts,
) -> Result<Response, ApiError> {
    if asked.all && !account.is_admin {
        return Err(Problem::from(Code::Forbidden).detail("all: takes an administrator").into());
    }
    // Who comes back says so in the field; the address is that of the first time.
    let after = match parts.headers.get(LAST_EVENT_ID).map(HeaderValue::to_str) {
        Some(Ok("")) | None => asked.after,
        Some(Ok(id)) => Some(id.parse().map_err(|_| ApiError::field("Last-Event-ID: a number"))?),
        Some(Err(_)) => return Err(ApiError::field("Last-Event-ID: a number")),
    };
    let fields = [
        (CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store, no-transform")),
        (ACCEL_BUFFERING, HeaderValue::from_static("no")),
    ];
    if parts.method == Method::HEAD {
        return Ok(fields.into_response());
    }
    let subscription = Hub::subscribe(&app, &account.id, asked.all).await?;
    let subscription =
        subscription.map_err(|_| Problem::from(Code::TooManyStreams).retry_after(limits::STREAMS_RETRY_S))?;
    let wish = Wish { account: account.id, all: asked.all, after, parts };
    Ok((fields, Body::new(stream::begin(app, wish, subscription))).into_response())
}
