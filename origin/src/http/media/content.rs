//! What is served, whatever it is made of: one way from a request's conditions and ranges to an answer.

use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};
use tidegate_serve::select::{self, Selection, Validators};
use tidegate_wire::range::unsatisfied_content_range;
use tidegate_wire::{ByteRange, Code};

use super::multipart;
use crate::app::App;
use crate::http::blob_body::{BlobBody, Piece};
use crate::http::error::ApiError;
use crate::store::BlobStore;

/// Something with bytes that do not change.
pub(super) trait Content {
    /// How many.
    fn size(&self) -> u64;

    /// What conditions are about.
    fn validators(&self) -> Validators<'_>;

    /// The media type.
    fn content_type(&self) -> HeaderValue;

    /// An answer with the fields that 200, 206 and 304 have in common, without a body.
    fn bare(&self, status: StatusCode) -> Response;

    /// The bytes of `range`.
    fn piece(&self, store: &Arc<dyn BlobStore>, range: ByteRange) -> Piece;
}

/// Answers a GET or HEAD (RFC 9110 sections 13 and 14).
pub(super) fn serve(app: &App, parts: &Parts, what: &impl Content) -> Result<Response, ApiError> {
    match select::select(&parts.method, &parts.headers, what.validators(), what.size()) {
        Selection::All => Ok(respond(app, parts, what, None)),
        Selection::Part(range) => Ok(respond(app, parts, what, Some(&[range]))),
        Selection::Parts(ranges) => Ok(respond(app, parts, what, Some(&ranges))),
        Selection::NotModified => Ok(what.bare(StatusCode::NOT_MODIFIED)),
        Selection::PreconditionFailed => Err(Code::PreconditionFailed.into()),
        Selection::Unsatisfiable(code) => Ok(refuse_range(code, what.size())),
    }
}

fn refuse_range(code: Code, size: u64) -> Response {
    let mut response = ApiError::from(code).into_response();
    if let Ok(value) = HeaderValue::try_from(unsatisfied_content_range(size)) {
        response.headers_mut().insert(CONTENT_RANGE, value);
    }
    response
}

fn respond(app: &App, parts: &Parts, what: &impl Content, ranges: Option<&[ByteRange]>) -> Response {
    let size = what.size();
    let status = if ranges.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let mut response = what.bare(status);
    let fields = response.headers_mut();
    fields.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    fields.insert(CONTENT_TYPE, what.content_type());
    let body = |range| BlobBody::of(vec![what.piece(&app.store, range)]);
    let (length, body) = match ranges {
        None => (size, body(ByteRange::new(0, size))),
        Some([range]) => {
            if let Ok(value) = HeaderValue::try_from(range.content_range(size)) {
                fields.insert(CONTENT_RANGE, value);
            }
            (range.len(), body(*range))
        }
        Some(ranges) => {
            let boundary = tidegate_wire::digest::to_hex(&app.entropy.bytes::<12>());
            if let Ok(value) = HeaderValue::try_from(format!("multipart/byteranges; boundary={boundary}")) {
                fields.insert(CONTENT_TYPE, value);
            }
            let body = BlobBody::of(multipart::pieces(what, &app.store, ranges, &boundary));
            (body.len(), body)
        }
    };
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    if parts.method == Method::GET {
        app.metrics.media_bytes.inc_by(length);
        *response.body_mut() = Body::new(body);
    } else {
        *response.body_mut() = Body::empty();
    }
    response
}
