//! `/media/{asset}/source`: the uploaded bytes, whole or in ranges (RFC 9110 sections 13 and 14).

mod multipart;
mod representation;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use http::header::{ACCEPT_RANGES, ALLOW, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};
use tidegate_serve::select::{self, Selection};
use tidegate_wire::range::unsatisfied_content_range;
use tidegate_wire::{AssetId, ByteRange, Code};

use self::representation::Representation;
use super::auth::{identify, is_fleet};
use super::cors;
use super::error::ApiError;
use crate::app::App;
use crate::catalog::{Asset, Visibility, assets};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/media/{id}/source", any(source))
        .route("/g/{grant}/media/{id}/source", any(granted_source))
}

async fn source(State(app): State<Arc<App>>, Path(id): Path<String>, request: Request) -> Response {
    answer(&app, &request.into_parts().0, &id, None).await
}

async fn granted_source(
    State(app): State<Arc<App>>,
    Path((grant, id)): Path<(String, String)>,
    request: Request,
) -> Response {
    answer(&app, &request.into_parts().0, &id, Some(&grant)).await
}

async fn answer(app: &Arc<App>, parts: &Parts, id: &str, grant: Option<&str>) -> Response {
    let outcome = match parts.method {
        Method::GET | Method::HEAD => read(app, parts, id, grant).await,
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
    let asset = assets::get(&app.catalog, id).await?.ok_or(Code::AssetNotFound)?;
    let reader = authorise(app, parts, &asset, grant).await?;
    let what = Representation::of(asset, reader)?;
    match select::select(&parts.method, &parts.headers, what.validators(), what.size()) {
        Selection::All => Ok(respond(app, parts, &what, None)),
        Selection::Part(range) => Ok(respond(app, parts, &what, Some(&[range]))),
        Selection::Parts(ranges) => Ok(respond(app, parts, &what, Some(&ranges))),
        Selection::NotModified => Ok(what.bare(StatusCode::NOT_MODIFIED)),
        Selection::PreconditionFailed => Err(Code::PreconditionFailed.into()),
        Selection::Unsatisfiable(code) => Ok(refuse_range(code, what.size())),
    }
}

/// On what ground the bytes are read; it decides who may keep a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    /// An edge, which asks its viewers for grants itself.
    Fleet,
    /// Anyone.
    Everyone,
    /// The owner, or the holder of a grant.
    Permitted,
}

async fn authorise(app: &App, parts: &Parts, asset: &Asset, grant: Option<&str>) -> Result<Reader, ApiError> {
    if is_fleet(app, &parts.headers) {
        return Ok(Reader::Fleet);
    }
    if let Some(grant) = grant {
        app.grants.verify(grant, &asset.id.source_path()).await?;
        return Ok(Reader::Permitted);
    }
    if asset.visibility != Visibility::Private {
        return Ok(Reader::Everyone);
    }
    let caller = identify(app, parts).await?;
    match caller {
        Some(account) if asset.owner.as_ref() == Some(&account.id) => Ok(Reader::Permitted),
        _ => Err(Code::GrantRequired.into()),
    }
}

fn refuse_range(code: Code, size: u64) -> Response {
    let mut response = ApiError::from(code).into_response();
    if let Ok(value) = HeaderValue::try_from(unsatisfied_content_range(size)) {
        response.headers_mut().insert(CONTENT_RANGE, value);
    }
    response
}

fn respond(app: &App, parts: &Parts, what: &Representation, ranges: Option<&[ByteRange]>) -> Response {
    let size = what.size();
    let status = if ranges.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let mut response = what.bare(status);
    let fields = response.headers_mut();
    fields.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    fields.insert(CONTENT_TYPE, what.content_type());
    let (length, body) = match ranges {
        None => (size, what.body(&app.store, ByteRange::new(0, size))),
        Some([range]) => {
            if let Ok(value) = HeaderValue::try_from(range.content_range(size)) {
                fields.insert(CONTENT_RANGE, value);
            }
            (range.len(), what.body(&app.store, *range))
        }
        Some(ranges) => {
            let boundary = tidegate_wire::digest::to_hex(&app.entropy.bytes::<12>());
            let parts = multipart::Multipart::new(what, ranges, &boundary);
            if let Ok(value) = HeaderValue::try_from(format!("multipart/byteranges; boundary={boundary}")) {
                fields.insert(CONTENT_TYPE, value);
            }
            (parts.len(), parts.body(&app.store))
        }
    };
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    if parts.method == Method::GET {
        app.metrics.media_bytes.inc_by(length);
        *response.body_mut() = body;
    } else {
        *response.body_mut() = Body::empty();
    }
    response
}
