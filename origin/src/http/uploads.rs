//! `/files`: uploads by tus 1.0, or as the whole body of one POST or PUT.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{ALLOW, CACHE_CONTROL, EXPECT, LOCATION};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde::Serialize;
use serde_json::json;
use tidegate_wire::digest::from_hex;
use tidegate_wire::{AssetId, Code, Digest, Problem, headers};

use super::auth::{self, identify};
use super::error::ApiError;
use super::{cors, rate};
use crate::access::{Operation, Verdict};
use crate::app::App;
use crate::audit::{self, Action};
use crate::catalog::uploads;
use crate::ingest::{self, Caller, Completed, IngestError, Progress};
use crate::protocol::tus::{self, CreateKind};
use crate::protocol::{plain, tus::Create};
use crate::rates::Standing;

pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/files", any(collection))
        .route("/files/", any(collection))
        .route("/files/{id}", any(resource))
}

const TUS_RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
const TUS_VERSION: HeaderName = HeaderName::from_static("tus-version");
const TUS_EXTENSION: HeaderName = HeaderName::from_static("tus-extension");
const TUS_MAX_SIZE: HeaderName = HeaderName::from_static("tus-max-size");
const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
const UPLOAD_DEFER_LENGTH: HeaderName = HeaderName::from_static("upload-defer-length");
const UPLOAD_METADATA: HeaderName = HeaderName::from_static("upload-metadata");
const UPLOAD_EXPIRES: HeaderName = HeaderName::from_static("upload-expires");
const UPLOAD_CONCAT: HeaderName = HeaderName::from_static("upload-concat");
const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");
const VERSION: HeaderValue = HeaderValue::from_static(tus::VERSION);

impl From<IngestError> for ApiError {
    fn from(error: IngestError) -> Self {
        error.into_problem().into()
    }
}

async fn collection(State(app): State<Arc<App>>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let mut body = Some(body);
    let outcome = match mean_method(&mut parts) {
        Err(problem) => Err(problem.into()),
        Ok(Method::OPTIONS) => Ok(discovery(&app, &parts.headers)),
        Ok(Method::POST) if tus::speaks_tus(&parts.headers) => create(&app, &parts, &mut body).await,
        Ok(Method::POST) => whole(&app, &parts, None, &mut body).await,
        Ok(_) => Err(Code::MethodNotAllowed.into()),
    };
    let_go(&parts.headers, body, outcome.is_err()).await;
    dress(outcome, "POST, OPTIONS")
}

async fn resource(State(app): State<Arc<App>>, Path(name): Path<String>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let mut body = Some(body);
    let outcome = match mean_method(&mut parts) {
        Err(problem) => Err(problem.into()),
        Ok(Method::OPTIONS) => Ok(discovery(&app, &parts.headers)),
        Ok(Method::HEAD) => status(&app, &parts, &name).await,
        Ok(Method::PATCH) => append(&app, &parts, &name, &mut body).await,
        Ok(Method::DELETE) => terminate(&app, &parts, &name).await,
        Ok(Method::PUT) => whole(&app, &parts, Some(&name), &mut body).await,
        Ok(_) => Err(Code::MethodNotAllowed.into()),
    };
    let_go(&parts.headers, body, outcome.is_err()).await;
    dress(outcome, "HEAD, PATCH, DELETE, PUT, OPTIONS")
}

/// A refused request's body, where nobody has taken it: its sender reads the answer only once it has been read, and
/// would find its connection reset otherwise. One that waits to be told to go on has sent nothing.
async fn let_go(fields: &HeaderMap, body: Option<Body>, refused: bool) {
    if let Some(mut body) = body
        && refused
        && !fields.contains_key(EXPECT)
    {
        ingest::drain(&mut body).await;
    }
}

/// The method a client means, from here on the request's own: what it may do to a session is decided by it too.
fn mean_method(parts: &mut Parts) -> Result<Method, Problem> {
    parts.method = tus::effective_method(&parts.method, &parts.headers)?;
    Ok(parts.method.clone())
}

/// What every answer below `/files` carries.
fn dress(outcome: Result<Response, ApiError>, allow: &'static str) -> Response {
    let mut response = outcome.unwrap_or_else(IntoResponse::into_response);
    let status = response.status();
    let fields = response.headers_mut();
    fields.insert(TUS_RESUMABLE, VERSION);
    cors::allow_any(fields);
    if status == StatusCode::PRECONDITION_FAILED {
        fields.insert(TUS_VERSION, VERSION);
    }
    if status == StatusCode::METHOD_NOT_ALLOWED {
        fields.insert(ALLOW, HeaderValue::from_static(allow));
    }
    response
}

/// OPTIONS is both: discovery for tus clients, and the question browsers ask first.
fn discovery(app: &App, asked: &HeaderMap) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let fields = response.headers_mut();
    fields.insert(TUS_VERSION, VERSION);
    fields.insert(TUS_EXTENSION, HeaderValue::from_static(tus::EXTENSIONS));
    fields.insert(TUS_MAX_SIZE, HeaderValue::from(app.config.max_upload.0));
    cors::answer_preflight(asked, fields, "POST, HEAD, PATCH, PUT, DELETE, OPTIONS");
    response
}

/// Who asks for this of an upload of its own: an account, or nobody in particular where that is allowed.
async fn caller(app: &App, parts: &Parts, operation: Operation) -> Result<Option<auth::Caller>, ApiError> {
    match identify(app, parts).await? {
        Some(caller) => {
            caller.check(operation)?;
            Ok(Some(caller))
        }
        None if app.config.anonymous_uploads => Ok(None),
        None => Err(Code::AuthenticationRequired.into()),
    }
}

/// On whose behalf bytes are sent, or their state is asked for.
async fn writer(app: &App, parts: &Parts) -> Result<Caller, ApiError> {
    Ok(caller(app, parts, Operation::WriteUpload).await?.map(|caller| caller.account.id))
}

/// On whose behalf an upload is begun, and how often that may be done yet.
async fn beginner(app: &App, parts: &Parts) -> Result<(Caller, Option<Standing>), ApiError> {
    let caller = caller(app, parts, Operation::CreateUpload).await?;
    let standing = rate::begin_upload(app, parts, caller.as_ref())?;
    Ok((caller.map(|caller| caller.account.id), standing))
}

fn upload_id(name: &str) -> Result<AssetId, ApiError> {
    name.parse().map_err(|_| Code::UploadNotFound.into())
}

async fn create(app: &Arc<App>, parts: &Parts, body: &mut Option<Body>) -> Result<Response, ApiError> {
    tus::check_version(&parts.headers)?;
    let (caller, standing) = beginner(app, parts).await?;
    with_standing(create_for(app, parts, caller, body).await, standing)
}

/// Says how often more uploads may be begun.
fn with_standing(
    outcome: Result<Response, ApiError>,
    standing: Option<Standing>,
) -> Result<Response, ApiError> {
    let mut response = outcome.map_err(|error| error.with_standing(standing))?;
    if let Some(standing) = standing {
        standing.put(response.headers_mut());
    }
    Ok(response)
}

async fn create_for(
    app: &Arc<App>,
    parts: &Parts,
    caller: Caller,
    body: &mut Option<Body>,
) -> Result<Response, ApiError> {
    let create = tus::parse_create(&parts.headers)?;
    if let CreateKind::Final { parts: ids, field } = create.kind.clone() {
        let progress = ingest::concatenate(app, caller, create, ids, field).await?;
        return Ok(created(app, &progress));
    }
    let id = ingest::create(app, &caller, &create).await?;
    let length = match create.kind {
        CreateKind::Single { length } | CreateKind::Partial { length, .. } => length,
        CreateKind::Final { .. } => None,
    };
    // An empty file is complete as soon as it is made; any other without a body is not begun.
    if !create.has_body && length != Some(0) {
        let expires_at = Some(ingest::expiry(app, app.clock.unix_ms()));
        return Ok(created(app, &Progress { id, offset: 0, length, expires_at, completed: None }));
    }
    let body_length = if create.has_body { tus::body_length(&parts.headers)? } else { Some(0) };
    let append = tus::Append { offset: 0, body_length, upload_length: None };
    let progress =
        ingest::append(app, id, caller, append, body.take().unwrap_or_default(), app.shutdown.clone()).await;
    match progress {
        Ok(progress) => Ok(created(app, &progress)),
        Err(error) => {
            // The upload is there, and the client needs its address to go on with it.
            let mut response = ApiError::from(error).into_response();
            put(response.headers_mut(), LOCATION, &location(app, id));
            Ok(response)
        }
    }
}

fn created(app: &App, progress: &Progress) -> Response {
    let mut response = StatusCode::CREATED.into_response();
    let fields = response.headers_mut();
    put(fields, LOCATION, &location(app, progress.id));
    fields.insert(UPLOAD_OFFSET, HeaderValue::from(progress.offset));
    put_expiry(fields, progress);
    put_completed(fields, progress);
    response
}

/// Where an upload is: below the public URL if there is one, else on whichever host the client used.
fn location(app: &App, id: AssetId) -> String {
    format!("{}/files/{id}", app.config.public_url.as_deref().unwrap_or_default())
}

async fn append(
    app: &Arc<App>,
    parts: &Parts,
    name: &str,
    body: &mut Option<Body>,
) -> Result<Response, ApiError> {
    tus::check_version(&parts.headers)?;
    let caller = writer(app, parts).await?;
    let append = tus::parse_append(&parts.headers)?;
    let progress = ingest::append(
        app,
        upload_id(name)?,
        caller,
        append,
        body.take().unwrap_or_default(),
        app.shutdown.clone(),
    )
    .await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    let fields = response.headers_mut();
    fields.insert(UPLOAD_OFFSET, HeaderValue::from(progress.offset));
    put_expiry(fields, &progress);
    put_completed(fields, &progress);
    Ok(response)
}

async fn status(app: &Arc<App>, parts: &Parts, name: &str) -> Result<Response, ApiError> {
    tus::check_version(&parts.headers)?;
    let caller = writer(app, parts).await?;
    let status = ingest::status(app, upload_id(name)?, caller).await?;
    let mut response = StatusCode::OK.into_response();
    let fields = response.headers_mut();
    fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    fields.insert(UPLOAD_OFFSET, HeaderValue::from(status.progress.offset));
    match status.progress.length {
        Some(length) => fields.insert(UPLOAD_LENGTH, HeaderValue::from(length)),
        None => fields.insert(UPLOAD_DEFER_LENGTH, HeaderValue::from_static("1")),
    };
    if let Some(metadata) = &status.metadata {
        put(fields, UPLOAD_METADATA, metadata);
    }
    if let Some(concat) = &status.concat {
        put(fields, UPLOAD_CONCAT, concat);
    }
    put_expiry(fields, &status.progress);
    put_completed(fields, &status.progress);
    Ok(response)
}

async fn terminate(app: &Arc<App>, parts: &Parts, name: &str) -> Result<Response, ApiError> {
    tus::check_version(&parts.headers)?;
    let caller = caller(app, parts, Operation::EndUpload).await?;
    let id = upload_id(name)?;
    let Some(caller) = caller else {
        ingest::terminate(app, id, None).await?;
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    // Whoever may end another's does so in the other's stead.
    let owner = uploads::get(&app.catalog, id).await?.and_then(|upload| upload.owner);
    let for_another = owner.filter(|owner| *owner != caller.id);
    match for_another.filter(|owner| caller.verdict(Operation::EndUpload, Some(owner)) == Verdict::Allowed) {
        Some(owner) => {
            ingest::terminate(app, id, Some(owner.clone())).await?;
            let detail = json!({ "account": owner });
            audit::note_done(app, &caller.actor(), Action::UploadEnded, &id.to_string(), &detail).await?;
        }
        None => ingest::terminate(app, id, Some(caller.account.id)).await?,
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// What a plain upload became.
#[derive(Serialize)]
struct Uploaded {
    id: AssetId,
    url: String,
    digest: Digest,
    size_bytes: u64,
}

/// A whole file in one body. It is there when the answer is; broken off, nothing of it is kept.
async fn whole(
    app: &Arc<App>,
    parts: &Parts,
    name: Option<&str>,
    body: &mut Option<Body>,
) -> Result<Response, ApiError> {
    let (caller, standing) = beginner(app, parts).await?;
    with_standing(whole_for(app, parts, caller, name, body).await, standing)
}

async fn whole_for(
    app: &Arc<App>,
    parts: &Parts,
    caller: Caller,
    name: Option<&str>,
    body: &mut Option<Body>,
) -> Result<Response, ApiError> {
    plain::check_type(&parts.headers)?;
    let length = tus::body_length(&parts.headers)?;
    let has_body = length.is_some_and(|length| length > 0)
        || body.as_ref().is_some_and(|body| !http_body::Body::is_end_stream(body));
    if name.is_none() && !has_body {
        return Err(Problem::from(Code::UploadBodyEmpty).detail("for tus, send Tus-Resumable: 1.0.0").into());
    }
    // A body with neither a length nor an end in sight is chunked, or HTTP/2's.
    let length = if has_body { length } else { Some(0) };
    let create = Create {
        kind: CreateKind::Single { length },
        metadata: plain::metadata(&parts.headers, name),
        want_sha256: tus::wants_sha256(&parts.headers),
        has_body: true,
    };
    match ingest::plain(app, caller, create, body.take().unwrap_or_default(), app.shutdown.clone()).await? {
        Progress { id, completed: Some(completed), offset, .. } => Ok(uploaded(app, id, &completed, offset)),
        _ => Err(Code::UploadInterrupted.into()),
    }
}

fn uploaded(app: &App, id: AssetId, completed: &Completed, size_bytes: u64) -> Response {
    let url = format!("{}{}", app.config.public_url.as_deref().unwrap_or_default(), id.source_path());
    let body = Uploaded { id, url: url.clone(), digest: completed.digest, size_bytes };
    let mut response = (StatusCode::CREATED, axum::Json(body)).into_response();
    put(response.headers_mut(), LOCATION, &url);
    put_digests(response.headers_mut(), id, completed);
    response
}

/// `Upload-Expires` (tus 1.0, expiration extension).
fn put_expiry(fields: &mut HeaderMap, progress: &Progress) {
    if let Some(at_ms) = progress.expires_at {
        put(fields, UPLOAD_EXPIRES, &httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(at_ms)));
    }
}

fn put_completed(fields: &mut HeaderMap, progress: &Progress) {
    if let Some(completed) = &progress.completed {
        put_digests(fields, progress.id, completed);
    }
}

/// The digests of a finished file: ours, and SHA-256 as RFC 9530 writes it, if it was made.
fn put_digests(fields: &mut HeaderMap, id: AssetId, completed: &Completed) {
    put(fields, HeaderName::from_static(headers::DIGEST), &completed.digest.to_string());
    put(fields, HeaderName::from_static(headers::ASSET), &id.source_path());
    if let Some(sum) = completed.sha256.as_deref().and_then(from_hex) {
        put(fields, REPR_DIGEST, &format!("sha-256=:{}:", STANDARD.encode(sum)));
    }
}

/// Sets a field. What is put here is printable by construction, or was a header field before.
fn put(fields: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        fields.insert(name, value);
    }
}
