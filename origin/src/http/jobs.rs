//! `/api/v1/jobs`: what is being made of an account's videos, and why it does not move where it does not.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tidegate_wire::job::Kind;
use tidegate_wire::{AssetId, Code};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::auth::{Authenticated, Caller};
use super::error::ApiError;
use super::extract::{Params, Segment};
use super::no_store;
use super::page::Page;
use super::playback::Fault;
use super::timestamp::Timestamp;
use crate::access::Operation;
use crate::app::App;
use crate::audit::{self, Action};
use crate::catalog::AccountId;
use crate::catalog::jobs::{self, Filter, Job, JobState};
use crate::catalog::workers::{self, Around};
use crate::jobs::cancel::cancel;
use crate::jobs::retry::retry;
use crate::limits;

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::default().routes(routes!(list)).routes(routes!(try_again)).routes(routes!(give_up))
}

/// A job as the API shows it.
#[derive(Serialize, ToSchema)]
#[schema(as = Job)]
struct Shown {
    #[schema(value_type = String)]
    id: Uuid,
    #[schema(value_type = String)]
    asset: AssetId,
    revision: u32,
    /// `probe`, `poster`, `rendition`, `audio`, `captions` or `package`.
    #[schema(value_type = String)]
    kind: Kind,
    state: JobState,
    /// 0 to 1.
    progress: f64,
    attempts: u32,
    /// When it may be given out again, if that is still to come.
    next_try_at: Option<Timestamp>,
    /// Why the last attempt that failed did.
    error: Option<Fault>,
    /// What keeps it from being worked at.
    waiting_for: Option<Cow<'static, str>>,
    created_at: Timestamp,
    updated_at: Timestamp,
    /// Whose share of the workers it takes; for administrators.
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    /// Who has or had the newest attempt; for administrators.
    #[serde(skip_serializing_if = "Option::is_none")]
    worker: Option<String>,
    /// The last lines of the log of the attempt that failed; for administrators.
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Jobs, examples(json!({
    "jobs": [{
        "id": "0197a3c1-8f00-7001-b1a2-0242ac120002", "asset": "0197a3c1-7d2e-7c31-9d1e-0242ac120002", "revision": 1,
        "kind": "rendition", "state": "running", "progress": 0.43, "attempts": 1, "next_try_at": null, "error": null,
        "waiting_for": null, "created_at": "2026-05-28T20:26:40.000Z", "updated_at": "2026-05-28T20:27:05.120Z",
    }],
    "next_cursor": null,
})))]
struct List {
    jobs: Vec<Shown>,
    #[schema(value_type = Option<String>)]
    next_cursor: Option<Uuid>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Entries of a page: 1 to 200.
    #[param(minimum = 1, maximum = 200, default = 50, example = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Only those in this state.
    state: Option<JobState>,
    /// Only `probe`, `poster`, `rendition`, `audio`, `captions` or `package`.
    #[param(value_type = Option<String>, example = "rendition")]
    kind: Option<Kind>,
    /// Only those of this asset.
    #[param(value_type = Option<String>)]
    asset: Option<AssetId>,
}

/// Lists jobs, newest first: the caller's, or everyone's for an administrator.
#[utoipa::path(
    get, path = "/api/v1/jobs", tag = "jobs", operation_id = "listJobs", params(Asked),
    responses((status = 200, body = List))
)]
async fn list(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    Params(asked): Params<Asked>,
) -> Result<Response, ApiError> {
    let page = Page { limit: asked.limit, cursor: asked.cursor };
    let page = page.read::<Uuid>(limits::PAGE_JOBS, 1..=limits::PAGE_JOBS_MAX)?;
    caller.check(Operation::ListJobs)?;
    let sees_all = caller.may(Operation::ListAllJobs);
    let filter = Filter {
        account: (!sees_all).then_some(caller.id.as_str()),
        state: asked.state,
        kind: asked.kind,
        asset: asked.asset,
    };
    let mut found = jobs::list(&app.catalog, &filter, page.before, page.to_look_for()).await?;
    let next_cursor = page.cut(&mut found, |job| job.id);
    let now_ms = app.clock.unix_ms();
    let since = now_ms.saturating_sub(u64::try_from(limits::WORKER_AROUND.as_millis()).unwrap_or(u64::MAX));
    let around = workers::around(&app.catalog, since).await?;
    let jobs = found.into_iter().map(|job| show(&app, job, &around, now_ms, sees_all)).collect();
    Ok(no_store(axum::Json(List { jobs, next_cursor })))
}

fn show(app: &App, job: Job, around: &Around, now_ms: u64, to_operator: bool) -> Shown {
    let rests = job.state == JobState::Ready && job.run_after > now_ms;
    Shown {
        id: job.id,
        asset: job.revision.asset,
        revision: job.revision.number,
        kind: job.work.kind(),
        state: job.state,
        progress: f64::from(u32::try_from(job.progress_ppm).unwrap_or(0)) / 1_000_000.0,
        attempts: job.attempt,
        next_try_at: rests.then_some(Timestamp(job.run_after)),
        waiting_for: waiting_for(app, &job, around, now_ms),
        error: job.error.filter(|_| job.state != JobState::Done).map(Fault::from),
        created_at: Timestamp(job.created_at),
        updated_at: Timestamp(job.updated_at),
        account: to_operator.then_some(job.account),
        worker: job.worker.filter(|_| to_operator),
        log: job.log.filter(|_| to_operator),
    }
}

/// Why a job does not move, as far as it can be told.
fn waiting_for(app: &App, job: &Job, around: &Around, now_ms: u64) -> Option<Cow<'static, str>> {
    let why = match job.state {
        JobState::Waiting => "other jobs of this video",
        // Who is at work does not ask for more meanwhile.
        JobState::Ready if around.workers == 0 && around.running == 0 => {
            let nobody = "no worker has asked for jobs";
            return Some(match app.why_no_worker() {
                Some(why) => format!("{nobody}: {why}").into(),
                None => nobody.into(),
            });
        }
        JobState::Ready if job.run_after > now_ms => "its next try",
        JobState::Ready if around.workers > 0 && job.needs_bytes > around.room_bytes => {
            "no worker has room for it"
        }
        JobState::Ready => "its turn",
        _ => return None,
    };
    Some(why.into())
}

/// Takes up again a job that was given up, and what was cancelled with it.
#[utoipa::path(
    post, path = "/api/v1/jobs/{id}/retry", tag = "jobs", operation_id = "retryJob", responses((status = 204)),
    extensions(("x-problems" = json!(["forbidden", "job_not_found", "job_not_failed"])))
)]
async fn try_again(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    Segment(id): Segment,
) -> Result<Response, ApiError> {
    let job = find(&app, &caller, &id, Operation::RetryJob).await?;
    retry(&app, &job).await?;
    note(&app, &caller, &job, Action::JobRetried).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Gives up a job, and what needs it; it can be retried.
#[utoipa::path(
    post, path = "/api/v1/jobs/{id}/cancel", tag = "jobs", operation_id = "cancelJob",
    responses((status = 204, description = "Given up; a worker that has it is told with its next report.")),
    extensions(("x-problems" = json!(["forbidden", "job_not_found", "job_ended"])))
)]
async fn give_up(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    Segment(id): Segment,
) -> Result<Response, ApiError> {
    let job = find(&app, &caller, &id, Operation::CancelJob).await?;
    cancel(&app, &job).await?;
    note(&app, &caller, &job, Action::JobCancelled).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The job, if it is there and the caller may do this to it.
async fn find(app: &App, caller: &Caller, id: &str, operation: Operation) -> Result<Job, ApiError> {
    let id: Uuid = id.parse().map_err(|_| Code::JobNotFound)?;
    let job = jobs::get(&app.catalog, id).await?.ok_or(Code::JobNotFound)?;
    let owner = AccountId::new(job.account.as_str());
    caller.check_on(operation, Some(&owner), Code::JobNotFound)?;
    Ok(job)
}

/// Writes down what was done to someone else's job.
async fn note(app: &App, caller: &Caller, job: &Job, action: Action) -> Result<(), ApiError> {
    if job.account != caller.id.as_str() {
        let detail = json!({ "asset": job.revision.asset, "account": job.account });
        audit::note_done(app, &caller.actor(), action, &job.id.to_string(), &detail).await?;
    }
    Ok(())
}
