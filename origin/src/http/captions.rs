//! `/api/v1/assets/{id}/captions/{lang}`: WebVTT beside a video.

use std::sync::Arc;

use axum::body::to_bytes;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use tidegate_wire::{AssetId, Code};
use tokio::time::timeout;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

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

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::default().routes(routes!(set, remove))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Label {
    /// What a menu shows; the language where it is not given.
    label: Option<String>,
}

/// Puts captions beside a video, in place of those of the same language.
#[utoipa::path(
    put, path = "/api/v1/assets/{id}/captions/{lang}", tag = "assets", operation_id = "putCaptions", params(Label),
    request_body(content = String, content_type = "text/vtt", example = "WEBVTT\n\n00:01.000 --> 00:04.000\nHello."),
    responses((status = 204)),
    extensions(("x-problems" = json!([
        "asset_not_found", "not_a_video", "too_many_captions", "captions_invalid", "body_too_large", "request_timeout",
        "storage_full",
    ])))
)]
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

/// Takes captions away that were put there.
#[utoipa::path(
    delete, path = "/api/v1/assets/{id}/captions/{lang}", tag = "assets", operation_id = "deleteCaptions",
    responses((status = 204)), extensions(("x-problems" = json!(["asset_not_found", "not_found", "invalid_field"])))
)]
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
