//! What surrounds every request: its id, its log line, its metrics, and the fields every response has.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue};
use tidegate_wire::{digest, headers};
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::app::App;
use crate::limits;

/// The id that follows a request through the log; an extension of every request.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

pub(super) async fn envelope(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let id = taken_over(request.headers()).unwrap_or_else(|| digest::to_hex(&app.entropy.bytes::<8>()));
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let method = request.method().clone();
    request.extensions_mut().insert(RequestId(id.clone()));
    // The route, not the path: a path may have a grant in it.
    let span = tracing::info_span!("request", request.id = %id, http.method = %method, http.route = %route);
    let mut response = next.run(request).instrument(span.clone()).await;

    let took = began.elapsed();
    let status = response.status();
    app.metrics.requests.with_label_values(&[route.as_str(), method_label(&method), status.as_str()]).inc();
    app.metrics.request_seconds.with_label_values(&[route.as_str()]).observe(took.as_secs_f64());
    let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    tracing::debug!(parent: &span, http.status = status.as_u16(), took_ms, "request.answered");

    let fields = response.headers_mut();
    if let Ok(value) = HeaderValue::try_from(id) {
        fields.insert(headers::REQUEST_ID, value);
    }
    fields.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Addresses may have a grant in them: they are not told to other sites.
    fields.entry(REFERRER_POLICY).or_insert(HeaderValue::from_static("no-referrer"));
    response
}

/// An id from whoever stands in front, if it looks like one.
fn taken_over(fields: &HeaderMap) -> Option<String> {
    let id = fields.get(headers::REQUEST_ID)?.to_str().ok()?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let fits = !id.is_empty() && id.len() <= limits::REQUEST_ID_BYTES && id.bytes().all(plain);
    fits.then(|| id.to_owned())
}

/// Methods are the client's choice; labels are few.
fn method_label(method: &http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}
