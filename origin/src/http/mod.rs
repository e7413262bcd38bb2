//! The HTTP surface, one file a noun; each begins with its router. The router owns no listener: tests run the same.

pub mod envelope;

pub mod auth;
mod blob_body;
mod cors;
pub mod error;
pub mod extract;
pub mod timestamp;

pub mod account;
pub mod accounts;
pub mod assets;
mod audit;
mod captions;
pub mod edges;
pub mod grants;
pub mod health;
pub mod internal;
mod internal_jobs;
pub mod jobs;
pub mod media;
mod openapi;
mod page;
mod password_resets;
mod playback;
pub mod plays;
pub mod progress;
pub mod purges;
mod rate;
mod server;
pub mod sessions;
mod shell;
pub mod statistics;
pub mod storage;
pub mod tokens;
pub mod uploads;
pub mod watch;
mod web;

// What others are told
pub mod deliveries;
pub mod events;
pub mod notifications;
pub mod webhooks;

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use axum::{Extension, Router, middleware};
use http::HeaderValue;
use http::header::CACHE_CONTROL;
use tidegate_wire::Code;
use utoipa_axum::router::OpenApiRouter;

use self::error::ApiError;
use crate::app::App;

/// Everything the origin answers on its public port.
pub fn router(app: Arc<App>) -> Router {
    let (api, document) = api().split_for_parts();
    Router::new()
        .merge(health::router())
        .merge(api.layer(Extension(Arc::new(openapi::Document::of(&document)))))
        .merge(internal::router())
        .merge(internal_jobs::router())
        .merge(watch::router())
        .merge(shell::router())
        .merge(web::router())
        .merge(uploads::router())
        .merge(media::router())
        .method_not_allowed_fallback(async || ApiError::from(Code::MethodNotAllowed))
        .fallback(async || ApiError::from(Code::NotFound))
        .layer(middleware::from_fn_with_state(app.clone(), rate::limit))
        .layer(middleware::from_fn_with_state(app.clone(), envelope::envelope))
        .with_state(app)
}

/// What is in the document of the API: everything below `/api/v1`.
fn api() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::default()
        .merge(account::router())
        .merge(accounts::router())
        .merge(audit::router())
        .merge(password_resets::router())
        .merge(sessions::router())
        .merge(tokens::router())
        .merge(assets::router())
        .merge(captions::router())
        .merge(grants::router())
        .merge(purges::router())
        .merge(edges::router())
        .merge(jobs::router())
        .merge(progress::router())
        .merge(plays::router())
        .merge(statistics::router())
        .merge(storage::router())
        .merge(server::router())
        .merge(openapi::router())
        // What others are told
        .merge(events::router())
        .merge(webhooks::router())
        .merge(deliveries::router())
        .merge(notifications::router())
}

/// An answer that is for the one who asked, now.
fn no_store(response: impl IntoResponse) -> Response {
    let mut response = response.into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A name for people: not empty, not too long, nothing that is not seen.
fn check_name(field: &str, name: &str, most_chars: usize) -> Result<(), ApiError> {
    let chars = name.chars().count();
    if (1..=most_chars).contains(&chars) && !name.chars().any(char::is_control) && !name.trim().is_empty() {
        return Ok(());
    }
    Err(ApiError::field(format!(
        "{field}: 1 to {most_chars} characters, not only spaces, no control characters"
    )))
}
