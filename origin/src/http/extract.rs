//! What handlers take from a request, with our problems where it is not there.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};
use tidegate_wire::{AssetId, Code, Problem};
use tokio::time::timeout;

use super::error::ApiError;
use crate::limits;

/// A JSON body, read strictly and within limits.
pub struct Json<T>(pub T);

/// The same of a worker, which may have more to say.
pub struct JobJson<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        read_up_to(limits::JSON_BODY_BYTES, request).await.map(Self)
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JobJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        read_up_to(limits::JOB_BODY_BYTES, request).await.map(Self)
    }
}

async fn read_up_to<T: DeserializeOwned>(limit: usize, request: Request) -> Result<T, ApiError> {
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    // Also what keeps a plain form of another site from being read as JSON.
    if !content_type.is_some_and(is_json) {
        return Err(Problem::from(Code::UnsupportedMediaType).detail("send application/json").into());
    }
    read_json(request.into_body(), limit, limits::JSON_BODY_TIMEOUT).await
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

async fn read_json<T: DeserializeOwned>(body: Body, limit: usize, wait: Duration) -> Result<T, ApiError> {
    let bytes = match timeout(wait, to_bytes(body, limit)).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(error)) if is_length_limit(&error) => return Err(Code::BodyTooLarge.into()),
        Ok(Err(_)) => return Err(Problem::from(Code::BadRequest).detail("the body broke off").into()),
        Err(_) => return Err(Code::RequestTimeout.into()),
    };
    serde_json::from_slice(&bytes).map_err(|error| {
        // Valid JSON that says something that is not allowed, or no JSON at all.
        match serde_json::from_slice::<IgnoredAny>(&bytes) {
            Ok(_) => ApiError::field(error.to_string()),
            Err(error) => Problem::from(Code::InvalidJson).detail(error.to_string()).into(),
        }
    })
}

fn is_length_limit(error: &axum::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<http_body_util::LengthLimitError>())
}

/// A member that may be null is something else than one that is not there.
pub(super) fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(value: D) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}

/// A query, read strictly where `T` is.
pub struct Params<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Query::try_from_uri(&parts.uri)
            .map(|Query(params)| Self(params))
            .map_err(|rejection| ApiError::field(rejection.body_text()))
    }
}

/// The one segment of the path that names an asset. What cannot be an id names none.
pub struct AssetPath(pub AssetId);

impl<S: Send + Sync> FromRequestParts<S> for AssetPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let segment = segment(parts, state).await.ok_or(Code::AssetNotFound)?;
        segment.parse().map(Self).map_err(|_| Code::AssetNotFound.into())
    }
}

/// The one segment of the path that names something else.
pub struct Segment(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        segment(parts, state).await.map(Self).ok_or_else(|| Code::NotFound.into())
    }
}

async fn segment<S: Send + Sync>(parts: &mut Parts, state: &S) -> Option<String> {
    Path::<String>::from_request_parts(parts, state).await.ok().map(|Path(segment)| segment)
}
