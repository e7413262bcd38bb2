//! `/api/v1/openapi.json`: the API as a document (OpenAPI 3.1), made from the handlers themselves.
//!
//! An operation is registered by `routes!` of its annotated handler, so that none can be forgotten. The annotation
//! says what is particular: bodies, and in `x-problems` the codes it can give. What follows from that for every
//! operation (its path's parameters, the problems of reading a body or of asking who is there, examples) is put in by
//! [`complete`].

mod complete;
mod problems;

use std::sync::Arc;

use axum::Extension;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::json;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::SESSION_COOKIE;
use crate::app::App;

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::default().routes(routes!(show))
}

/// Groups of operations, in the order they are read in.
const TAGS: &[(&str, &str)] = &[
    ("assets", "What has been uploaded: finding, describing, sharing and deleting it."),
    ("plays", "Who watches, and what was watched."),
    ("uploads", "Uploads in progress. Bytes are sent by tus to `/files`, which is no part of this document."),
    ("jobs", "What is being made of videos."),
    ("events", "What happens, told as it does: a stream of events, webhooks and their deliveries, and mail."),
    ("account", "Signing up, logging in, passwords, sessions, tokens."),
    ("accounts", "Everyone's accounts, and what was done to them; for administrators."),
    ("fleet", "Edges, and what they are to forget."),
    ("server", "The server itself."),
];

/// The document as it is served.
pub(super) struct Document {
    text: Bytes,
    etag: HeaderValue,
}

impl Document {
    /// Completes what the handlers say.
    pub(super) fn of(api: &OpenApi) -> Self {
        // Maps of texts cannot fail to serialise.
        let mut document = serde_json::to_value(api).unwrap_or_default();
        document["openapi"] = json!("3.1.0");
        document["info"] = json!({
            "title": "Tidegate",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "MIT", "identifier": "MIT" },
            "description": "Errors are problems (RFC 9457) with a stable `code`. Lists come in pages: `next_cursor` of \
                            one is `cursor` of the next. Times are RFC 3339 in UTC, `…_bytes` bytes, `…_s` seconds.",
        });
        let tag = |(name, description): &(&str, &str)| json!({ "name": name, "description": description });
        document["tags"] = TAGS.iter().map(tag).collect();
        document["security"] = json!([{ "cookie": [] }, { "bearer": [] }]);
        document["components"]["securitySchemes"] = json!({
            "cookie": {
                "type": "apiKey", "in": "cookie", "name": SESSION_COOKIE,
                "description": "A session, from `POST /api/v1/sessions`. Only pages of this site may change things with it.",
            },
            "bearer": {
                "type": "http", "scheme": "bearer",
                "description": "A token, from `POST /api/v1/tokens`.",
            },
        });
        document["components"]["schemas"]["Problem"] = problems::schema();
        complete::complete(&mut document);
        let text = Bytes::from(document.to_string());
        let tag = format!("\"{}\"", &blake3::hash(&text).to_hex()[..32]);
        Self { etag: HeaderValue::try_from(tag).unwrap_or(HeaderValue::from_static("\"0\"")), text }
    }
}

/// This document.
#[utoipa::path(
    get, path = "/api/v1/openapi.json", tag = "server", operation_id = "getOpenapi", security(()),
    responses((status = 200, body = Object, example = json!({ "openapi": "3.1.0" })), (status = 304))
)]
async fn show(Extension(document): Extension<Arc<Document>>, fields: HeaderMap) -> Response {
    let known = fields.get_all(IF_NONE_MATCH).iter().filter_map(|field| field.to_str().ok());
    let tag = document.etag.to_str().unwrap_or_default();
    let is_known =
        known.flat_map(|field| field.split(',')).any(|one| one.trim().trim_start_matches("W/") == tag);
    let kept = [(ETAG, document.etag.clone()), (CACHE_CONTROL, HeaderValue::from_static("no-cache"))];
    if is_known {
        return (StatusCode::NOT_MODIFIED, kept).into_response();
    }
    let json = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    (kept, json, document.text.clone()).into_response()
}
