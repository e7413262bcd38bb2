//! `/internal/jobs/…`: what workers call, with the fleet key. See `tidegate_wire::job`.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{post, put};
use http::StatusCode;
use http::header::CONTENT_LENGTH;
use http_body_util::BodyExt as _;
use tidegate_wire::job::{ClaimRequest, Finish, Progress};
use tidegate_wire::{Code, Problem};
use tokio::time::{Instant, sleep_until, timeout};
use uuid::Uuid;

use super::auth::Fleet;
use super::error::ApiError;
use super::extract::{JobJson, Segment};
use super::{check_name, no_store};
use crate::app::App;
use crate::catalog::{queue, workers};
use crate::coord::Topic;
use crate::jobs::JobError;
use crate::jobs::claim::{Claimed, claim, lease_until};
use crate::jobs::finish::finish;
use crate::jobs::report::{heartbeat, running};
use crate::limits;
use crate::store::files::FileWriter;
use crate::store::{FileName, Kept, StoreError};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/internal/jobs/claim", post(give_out))
        .route("/internal/jobs/{job}/heartbeat", post(beat))
        .route("/internal/jobs/{job}/finish", post(end))
        .route("/internal/jobs/{job}/files/{attempt}/{*path}", put(store))
}

impl From<JobError> for ApiError {
    fn from(error: JobError) -> Self {
        match error {
            JobError::Refused(problem) => problem.into(),
            JobError::Catalog(error) => error.into(),
            JobError::Store(error) => error.into(),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full => Problem::from(Code::StorageFull).retry_after(limits::UPLOAD_RETRY_S).into(),
            error => Self::internal(error),
        }
    }
}

/// A job at once, or as soon as there is one, or 204.
async fn give_out(
    State(app): State<Arc<App>>,
    _: Fleet,
    JobJson(request): JobJson<ClaimRequest>,
) -> Result<Response, ApiError> {
    check_name("worker", &request.worker, limits::WORKER_NAME_CHARS)?;
    let wait = Duration::from_secs(request.wait_s.into());
    if wait > limits::CLAIM_WAIT {
        return Err(ApiError::field(format!("wait_s: at most {}", limits::CLAIM_WAIT.as_secs())));
    }
    if request.holds.len() > limits::WORKER_HOLDS {
        return Err(ApiError::field(format!("holds: at most {}", limits::WORKER_HOLDS)));
    }
    workers::seen(&app.catalog, &request.worker, request.scratch_free_bytes, app.clock.unix_ms()).await?;
    let until = Instant::now() + wait;
    // Listening begins before looking, or a job made in between would not be heard of.
    let mut announced = app.coord.wakeups.subscribe(Topic::Jobs);
    loop {
        if app.shutdown.is_cancelled() {
            return Ok(no_store(StatusCode::NO_CONTENT));
        }
        let pause = match claim(&app, &request).await? {
            Claimed::Job(claim) => return Ok(no_store(axum::Json(claim))),
            Claimed::After(pause) => pause.min(limits::CLAIM_RECHECK),
            Claimed::Nothing => limits::CLAIM_RECHECK,
        };
        let now = Instant::now();
        if now >= until {
            return Ok(no_store(StatusCode::NO_CONTENT));
        }
        // Woken or not, the queue has the last word.
        tokio::select! {
            _ = announced.changed() => {}
            () = sleep_until(until.min(now + pause)) => {}
            () = app.shutdown.cancelled() => {}
        }
    }
}

/// What is no id names no job; its caller is to stop like one whose job has gone.
fn job_id(segment: &str) -> Result<Uuid, ApiError> {
    segment.parse().map_err(|_| Code::JobTakenOver.into())
}

async fn beat(
    State(app): State<Arc<App>>,
    _: Fleet,
    Segment(job): Segment,
    JobJson(progress): JobJson<Progress>,
) -> Result<Response, ApiError> {
    heartbeat(&app, job_id(&job)?, &progress).await?;
    Ok(no_store(StatusCode::NO_CONTENT))
}

async fn end(
    State(app): State<Arc<App>>,
    _: Fleet,
    Segment(job): Segment,
    JobJson(ending): JobJson<Finish>,
) -> Result<Response, ApiError> {
    finish(&app, job_id(&job)?, &ending).await?;
    Ok(no_store(StatusCode::NO_CONTENT))
}

async fn store(
    State(app): State<Arc<App>>,
    _: Fleet,
    Path((job, attempt, path)): Path<(String, String, String)>,
    request: Request,
) -> Response {
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let mut body = request.into_body();
    match keep(&app, &job, &attempt, &path, announced, &mut body).await {
        Ok(response) => response,
        Err(error) => {
            // Its sender reads the answer only once the body has been read.
            crate::ingest::drain(&mut body).await;
            error.into_response()
        }
    }
}

/// Stores a file of an attempt. The answer says that it is durable.
async fn keep(
    app: &App,
    job: &str,
    attempt: &str,
    path: &str,
    announced: Option<u64>,
    body: &mut Body,
) -> Result<Response, ApiError> {
    let id = job_id(job)?;
    let attempt: u32 = attempt.parse().map_err(|_| Code::JobTakenOver)?;
    let row = running(app, id, attempt).await?;
    let path = format!("{}/{path}", row.dir(attempt));
    let path = path.parse().map_err(|error| ApiError::field(format!("path: {error}")))?;
    if announced.is_some_and(|length: u64| length > limits::PACKAGE_FILE_BYTES) {
        return Err(Code::BodyTooLarge.into());
    }
    let name = FileName { asset: row.revision.asset, revision: row.revision.number, path };
    let mut file = app.files.create(name).await?;
    // Once more, now that there is a place for it: if the asset is deleted from here on, that place goes, and with it
    // this file. Before, the place would be made anew and stay for good.
    running(app, id, attempt).await?;
    receive(body, &mut *file).await?;
    let kept = match file.finish().await {
        Err(StoreError::Missing) => return Err(Code::JobTakenOver.into()),
        kept => kept?,
    };
    if kept == Kept::Different {
        return Err(Code::FileExists.into());
    }
    // Who was given away meanwhile is to know. The lease is prolonged where that is worth a write.
    let row = running(app, id, attempt).await?;
    let (held, fresh) = (row.lease_until.unwrap_or(0), lease_until(app));
    if fresh.saturating_sub(held) > u64::from(app.config.job_lease) * 1000 / 3
        && !queue::beat(&app.catalog, id, attempt, None, app.clock.unix_ms(), fresh).await?
    {
        return Err(Code::JobTakenOver.into());
    }
    Ok(no_store(StatusCode::CREATED))
}

async fn receive(body: &mut Body, file: &mut dyn FileWriter) -> Result<(), ApiError> {
    let mut received: u64 = 0;
    loop {
        let frame = timeout(limits::BODY_IDLE, body.frame()).await.map_err(|_| Code::RequestTimeout)?;
        let Some(frame) = frame else { return Ok(()) };
        let frame = frame.map_err(|_| Problem::from(Code::BadRequest).detail("the body broke off"))?;
        let Ok(piece) = frame.into_data() else { continue };
        received += piece.len() as u64;
        if received > limits::PACKAGE_FILE_BYTES {
            return Err(Code::BodyTooLarge.into());
        }
        file.write(piece).await?;
    }
}
