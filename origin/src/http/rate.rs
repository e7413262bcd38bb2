//! What surrounds every request to the API: who asks is found out once, how often is counted, and the answer gets the
//! fields that say so. Edges, workers and viewers of media are not counted.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method};
use tidegate_wire::Code;

use super::auth::{Caller, Identified, client_address, counted_as, identify};
use super::error::ApiError;
use crate::access::Operation;
use crate::app::App;
use crate::rates::{Limiter, Standing};

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Lets a request to the API through, or not.
pub(super) async fn limit(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if !request.uri().path().starts_with("/api/") {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let identified = identify(&app, &parts).await;
    let caller = identified.as_ref().ok().and_then(Option::as_ref);
    let key = counted_as(caller, client_address(&app, &parts));
    let standing = match limiter(&app, &parts, caller).map(|limiter| limiter.check(key)) {
        Some(Err(standing)) => {
            return dress(ApiError::too_often(Code::RateLimited, standing).into_response());
        }
        Some(Ok(standing)) => Some(standing),
        None => None,
    };
    let mut response = match identified {
        Ok(caller) => {
            parts.extensions.insert(Identified(caller));
            next.run(Request::from_parts(parts, body)).await
        }
        Err(error) => error.into_response(),
    };
    if let Some(standing) = standing {
        standing.put(response.headers_mut());
    }
    dress(response)
}

/// The limit that a request falls under: one, the narrowest.
fn limiter<'a>(app: &'a App, parts: &Parts, caller: Option<&Caller>) -> Option<&'a Limiter> {
    let path = parts.uri.path().trim_end_matches('/');
    match (&parts.method, path) {
        (&Method::POST, "/api/v1/sessions" | "/api/v1/password-resets/confirm")
        | (&Method::PUT, "/api/v1/account/password") => app.rates.log_in.as_ref(),
        (&Method::POST, "/api/v1/password-resets") => app.rates.reset.as_ref(),
        // An administrator who makes accounts is no crowd signing up.
        (&Method::POST, "/api/v1/accounts")
            if !caller.is_some_and(|caller| caller.may(Operation::MakeAccount)) =>
        {
            app.rates.sign_up.as_ref()
        }
        _ => app.rates.api.as_ref(),
    }
}

/// Answers of the API are for whoever asked, and nothing to be shown in a frame or loaded by another site.
fn dress(mut response: Response) -> Response {
    let fields = response.headers_mut();
    fields.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    fields
        .entry(CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    fields.entry(CROSS_ORIGIN_RESOURCE_POLICY).or_insert(HeaderValue::from_static("same-origin"));
    response
}

/// Counts an upload that is begun; 503 where there are too many, since the clients of tus give up at 429.
///
/// # Errors
/// `uploads_rate_limited`.
pub(super) fn begin_upload(
    app: &App,
    parts: &Parts,
    caller: Option<&Caller>,
) -> Result<Option<Standing>, ApiError> {
    let Some(limiter) = &app.rates.upload else { return Ok(None) };
    let key = counted_as(caller, client_address(app, parts));
    let standing = limiter.check(key);
    standing.map(Some).map_err(|standing| ApiError::too_often(Code::UploadsRateLimited, standing))
}
