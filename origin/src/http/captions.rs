//! `/api/v1/assets/{id}/captions/{lang}`: WebVTT beside a video.

use std::sync::Arc;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::put;
use http::StatusCode;
use serde::Deserialize;
use tidegate_wire::{AssetId, Code};
use tokio::time::timeout;

use super::assets::permitted;
use super::auth::Authenticated;
use super::check_name;
use super::error::ApiError;
use super::extract::Params;
use crate::access::Operation;
use crate::app::App;
use crate::catalog::assets;
use crate::jobs::captions::{self, Language, is_web_vtt};
use crate::limits;

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/api/v1/assets/{id}/captions/{lang}", put(set).delete(remove))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Label {
    /// What a menu shows; the language where it is not given.
    label: Option<String>,
}

async fn set(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    Path((id, language)): Path<(String, String)>,
    Params(label): Params<Label>,
    request: Request,
) -> Result<Response, ApiError> {
    let (id, language) = named(&id, &language)?;
    permitted(assets::get(&app.catalog, id).await?, &caller, Operation::ChangeCaptions)?;
    let label = label.label.unwrap_or_else(|| language.as_str().to_owned());
    check_name("label", &label, limits::CAPTIONS_LABEL_CHARS)?;
    let body =
        timeout(limits::JSON_BODY_TIMEOUT, to_bytes(request.into_body(), limits::CAPTIONS_BYTES)).await;
    let body = body.map_err(|_| Code::RequestTimeout)?.map_err(|_| Code::BodyTooLarge)?;
    if !is_web_vtt(&body) {
        return Err(Code::CaptionsInvalid.into());
    }
    captions::put(&app, id, &language, &label, body).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn remove(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    Path((id, language)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let (id, language) = named(&id, &language)?;
    permitted(assets::get(&app.catalog, id).await?, &caller, Operation::ChangeCaptions)?;
    if !captions::remove(&app, id, &language).await? {
        return Err(Code::NotFound.into());
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn named(id: &str, language: &str) -> Result<(AssetId, Language), ApiError> {
    let id = id.parse().map_err(|_| Code::AssetNotFound)?;
    let language = Language::parse(language);
    Ok((id, language.ok_or_else(|| ApiError::field("lang: a language tag like en or pt-BR (BCP 47)"))?))
}
