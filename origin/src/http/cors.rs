//! Cross-origin requests (the Fetch standard's CORS protocol). Pages of other sites may upload with a token and play
//! what they may read; a session's cookie never counts for them, since credentials are not allowed.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
};
use http::{HeaderMap, HeaderValue};

/// What scripts may read of an answer.
const EXPOSED: &str = "Location, Upload-Offset, Upload-Length, Upload-Defer-Length, Upload-Metadata, Upload-Concat, Upload-Expires, \
    Tus-Version, Tus-Resumable, Tus-Max-Size, Tus-Extension, Repr-Digest, Retry-After, RateLimit, RateLimit-Policy, Tidegate-Digest, Tidegate-Asset, \
    Accept-Ranges, Content-Range, Content-Length, ETag, X-Request-Id";

/// What scripts may send.
const ALLOWED: &str = "Authorization, Content-Type, Content-Disposition, Upload-Length, Upload-Offset, Upload-Metadata, \
    Upload-Defer-Length, Upload-Concat, Upload-Part-Offset, Tus-Resumable, X-HTTP-Method-Override, Want-Repr-Digest, \
    Range, If-Range, If-None-Match, X-Request-Id, X-Requested-With";

/// Lets pages of any site read this answer.
pub(super) fn allow_any(fields: &mut HeaderMap) {
    fields.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    fields.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
}

/// Answers the question a browser asks before a request that is not simple; a day's answer.
pub(super) fn answer_preflight(asked: &HeaderMap, fields: &mut HeaderMap, methods: &'static str) {
    if asked.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
        fields.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
        fields.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(ALLOWED));
        fields.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    }
}
