//! `/media/{asset}/source`: the uploaded bytes, which are private where what is made of them is encrypted; `/media/{asset}/{revision}/…`: what was made of them. Whole or in
//! ranges (RFC 9110 sections 13 and 14).

mod content;
mod gate;
mod multipart;
mod packaged;
mod representation;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use http::header::ALLOW;
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};
use tidegate_wire::{AssetId, Code, grant};

use self::representation::Representation;
use super::cors;
use super::error::ApiError;
use crate::app::App;
use crate::catalog::{Visibility, assets, revisions};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/media/{id}/source", any(source))
        .route("/g/{grant}/media/{id}/source", any(granted_source))
        .route("/media/{id}/{revision}/{*path}", any(made))
        .route("/g/{grant}/media/{id}/{revision}/{*path}", any(made))
}

async fn source(State(app): State<Arc<App>>, Path(id): Path<String>, request: Request) -> Response {
    let parts = request.into_parts().0;
    answer(&parts, async || read(&app, &parts, &id, None).await).await
}

async fn granted_source(
    State(app): State<Arc<App>>,
    Path((grant, id)): Path<(String, String)>,
    request: Request,
) -> Response {
    let parts = request.into_parts().0;
    answer(&parts, async || read(&app, &parts, &id, Some(&grant)).await).await
}

/// The path is taken as it was sent: what is encoded in it names nothing, so that one thing has one address.
async fn made(State(app): State<Arc<App>>, request: Request) -> Response {
    let parts = request.into_parts().0;
    let sent = parts.uri.path();
    let (grant, path) = grant::split_path(sent).map_or((None, sent), |(grant, path)| (Some(grant), path));
    answer(&parts, async || packaged::read(&app, &parts, path, grant).await).await
}

async fn answer(parts: &Parts, read: impl AsyncFnOnce() -> Result<Response, ApiError>) -> Response {
    let outcome = match parts.method {
        Method::GET | Method::HEAD => read().await,
        Method::OPTIONS => {
            let mut response = StatusCode::NO_CONTENT.into_response();
            cors::answer_preflight(&parts.headers, response.headers_mut(), "GET, HEAD, OPTIONS");
            Ok(response)
        }
        _ => {
            let mut response = ApiError::from(Code::MethodNotAllowed).into_response();
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"));
            Ok(response)
        }
    };
    let mut response = outcome.unwrap_or_else(IntoResponse::into_response);
    cors::allow_any(response.headers_mut());
    response
}

async fn read(app: &Arc<App>, parts: &Parts, id: &str, grant: Option<&str>) -> Result<Response, ApiError> {
    let id: AssetId = id.parse().map_err(|_| Code::AssetNotFound)?;
    let mut asset = assets::get(&app.catalog, id).await?.ok_or(Code::AssetNotFound)?;
    // Encryption would protect nothing if the same film could be had in the clear beside it.
    if revisions::is_encrypted(&app.catalog, id).await? {
        asset.visibility = Visibility::Private;
    }
    let reader = gate::authorise(app, parts, &asset, &id.source_path(), grant).await?;
    content::serve(app, parts, &Representation::of(asset, reader)?)
}
