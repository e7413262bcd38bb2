//! Media may be read by players on pages of any site: who may see it is decided by its address and its grant, never by
//! a cookie, so there is nothing for another site to misuse.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HeaderMap, HeaderName,
};
use http::{HeaderValue, Response, StatusCode};

use super::EdgeBody;
use crate::limits;

const EVERYONE: HeaderValue = HeaderValue::from_static("*");
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");
const REQUEST_FIELDS: HeaderValue = HeaderValue::from_static(
    "Range, If-Range, If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since, X-Request-Id",
);
const RESPONSE_FIELDS: HeaderValue = HeaderValue::from_static(
    "Accept-Ranges, Age, Cache-Status, Content-Length, Content-Range, ETag, Last-Modified, Retry-After",
);

/// The answer to a preflight.
pub(crate) fn preflight() -> Response<EdgeBody> {
    let mut response = Response::new(EdgeBody::none());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_FIELDS);
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(limits::PREFLIGHT_MAX_AGE_S));
    response
}

/// Whether a field is one the edge decides on.
pub(crate) fn is_ours(name: &HeaderName) -> bool {
    matches!(*name, ACCESS_CONTROL_ALLOW_ORIGIN | ACCESS_CONTROL_EXPOSE_HEADERS)
}

/// Opens a response to every page.
pub(crate) fn open(headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, EVERYONE);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, RESPONSE_FIELDS);
}
