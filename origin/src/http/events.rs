//! `/api/v1/events`: what happens, as server-sent events.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method};
use serde::Deserialize;
use tidegate_wire::{Code, Problem};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::Authenticated;
use super::error::ApiError;
use super::extract::Params;
use crate::app::App;
use crate::events::hub::Hub;
use crate::events::stream::{self, Wish};
use crate::limits;

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::default().routes(routes!(events))
}

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Proxies that gather answers before they pass them on are asked not to.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// The last event that was seen; the field `Last-Event-ID` goes before it. Without either, what happens from now on.
    #[param(example = 42)]
    after: Option<u64>,
    /// Everyone's events; for administrators.
    #[serde(default)]
    #[param(required = false)]
    all: bool,
}

/// What a stream begins with.
const EXAMPLE: &str = r#"retry: 2000
id: 42
event: hello
data: {"head":42}

id: 43
event: asset.ready
data: {"id":43,"type":"asset.ready","at":"2026-05-28T20:26:40.000Z","account":"0197a3c0-5a10-7b6e-a0f3-0242ac120002","asset":"0197a3c1-7d2e-7c31-9d1e-0242ac120002","data":{"name":"holiday.mp4","state":"ready","revision":1}}

event: upload.progress
data: {"type":"upload.progress","at":"2026-05-28T20:26:41.000Z","account":"0197a3c0-5a10-7b6e-a0f3-0242ac120002","upload":"0197a3c3-11d0-7e6f-b0a2-0242ac120002","data":{"offset_bytes":4194304,"length_bytes":10737418240}}

"#;

/// Tells what happens, as server-sent events: for as long as the session or the token is good.
///
/// The first event is `hello`, which says where the log stands (`head`). Events with an `id` are kept for seven days and
/// come in order, each once, from after the id that was asked for: `upload.created`, `upload.finished`, `upload.removed`,
/// `asset.playable`, `asset.ready`, `asset.failed`, `asset.changed`, `asset.deleted`, `asset.restored`. Those without are
/// told in passing: `upload.progress`, `asset.progress`, `viewers`. `reset` says that the id that was asked for is not
/// kept any more: load everything anew. A reader that falls behind is let go, and comes back with its last id.
#[utoipa::path(
    get, path = "/api/v1/events", tag = "events", operation_id = "followEvents", params(Asked),
    responses((status = 200, body = String, content_type = "text/event-stream", example = json!(EXAMPLE))),
    extensions(("x-problems" = json!(["forbidden", "too_many_streams", "invalid_field"])))
)]
async fn events(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    Params(asked): Params<Asked>,
    parts: Parts,
) -> Result<Response, ApiError> {
    if !stream::may_follow(&caller, asked.all) {
        return Err(Code::Forbidden.into());
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
    let subscription = Hub::subscribe(&app, &caller.id, asked.all).await?;
    let subscription =
        subscription.map_err(|_| Problem::from(Code::TooManyStreams).retry_after(limits::STREAMS_RETRY_S))?;
    let wish = Wish { account: caller.account.id, all: asked.all, after, parts };
    Ok((fields, Body::new(stream::begin(app, wish, subscription))).into_response())
}
