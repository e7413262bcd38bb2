//! Problems as responses.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::Full;
use tidegate_wire::Problem;
use tidegate_wire::problem::Severity;

/// A response with the problem as its body; never stored, with `Retry-After` and `WWW-Authenticate` where they belong.
pub fn response(problem: &Problem) -> Response<Full<Bytes>> {
    if problem.code.severity() == Severity::Client {
        tracing::debug!(problem.code = problem.code.as_str(), "problem.answered");
    }
    let mut response = Response::new(Full::new(Bytes::from(problem.to_json())));
    *response.status_mut() =
        StatusCode::from_u16(problem.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    fill_headers(problem, response.headers_mut());
    response
}

fn fill_headers(problem: &Problem, headers: &mut HeaderMap) {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(Problem::CONTENT_TYPE));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(seconds) = problem.retry_after_s {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if problem.code.status() == 401 {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
}
