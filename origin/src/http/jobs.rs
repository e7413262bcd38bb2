//! `/api/v1/jobs`: what is being made of an account's videos, and why it does not move where it does not.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::StatusCode;
use serde::Serialize;
use serde_json::json;
use tidegate_wire::job::Kind;
use tidegate_wire::{AssetId, Code};
use uuid::Uuid;

use super::auth::Authenticated;
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
use crate::catalog::jobs::{self, Job, JobState};
use crate::catalog::workers::{self, Around};
use crate::jobs::retry::retry;
use crate::limits;

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/api/v1/jobs", get(list)).route("/api/v1/jobs/{id}/retry", post(try_again))
}

/// A job as the API shows it.
#[derive(Serialize)]
struct Shown {
    id: Uuid,
    asset: AssetId,
    revision: u32,
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
    waiting_for: Option<&'static str>,
    created_at: Timestamp,
    updated_at: Timestamp,
    #[serde(flatten)]
    for_operators: Option<ForOperators>,
}

/// What only administrators see.
#[derive(Serialize)]
struct ForOperators {
    account: String,
    worker: Option<String>,
    log: Option<String>,
}

#[derive(Serialize)]
struct List {
    jobs: Vec<Shown>,
    next_cursor: Option<Uuid>,
}

async fn list(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    Params(page): Params<Page>,
) -> Result<Response, ApiError> {
    let page = page.read::<Uuid>(limits::PAGE_JOBS, 1..=limits::PAGE_JOBS_MAX)?;
    caller.check(Operation::ListJobs)?;
    let sees_all = caller.may(Operation::ListAllJobs);
    let whose = (!sees_all).then_some(caller.id.as_str());
    let mut found = jobs::list(&app.catalog, whose, page.before, page.to_look_for()).await?;
    let next_cursor = page.cut(&mut found, |job| job.id);
    let now_ms = app.clock.unix_ms();
    let since = now_ms.saturating_sub(u64::try_from(limits::WORKER_AROUND.as_millis()).unwrap_or(u64::MAX));
    let around = workers::around(&app.catalog, since).await?;
    let jobs = found.into_iter().map(|job| show(job, &around, now_ms, sees_all)).collect();
    Ok(no_store(axum::Json(List { jobs, next_cursor })))
}

fn show(job: Job, around: &Around, now_ms: u64, to_operator: bool) -> Shown {
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
        waiting_for: waiting_for(&job, around, now_ms),
        error: job.error.filter(|_| job.state != JobState::Done).map(Fault::from),
        created_at: Timestamp(job.created_at),
        updated_at: Timestamp(job.updated_at),
        for_operators: to_operator.then_some(ForOperators {
            account: job.account,
            worker: job.worker,
            log: job.log,
        }),
    }
}

/// Why a job does not move, as far as it can be told.
fn waiting_for(job: &Job, around: &Around, now_ms: u64) -> Option<&'static str> {
    match job.state {
        JobState::Waiting => Some("other jobs of this video"),
        // Who is at work does not ask for more meanwhile.
        JobState::Ready if around.workers == 0 && around.running == 0 => Some("no worker has asked for jobs"),
        JobState::Ready if job.run_after > now_ms => Some("its next try"),
        JobState::Ready if around.workers > 0 && job.needs_bytes > around.room_bytes => {
            Some("no worker has room for it")
        }
        JobState::Ready => Some("its turn"),
        _ => None,
    }
}

async fn try_again(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    Segment(id): Segment,
) -> Result<Response, ApiError> {
    let id: Uuid = id.parse().map_err(|_| Code::JobNotFound)?;
    let job = jobs::get(&app.catalog, id).await?.ok_or(Code::JobNotFound)?;
    let owner = AccountId::new(job.account.as_str());
    caller.check_on(Operation::RetryJob, Some(&owner), Code::JobNotFound)?;
    retry(&app, &job).await?;
    if owner != caller.id {
        let detail = json!({ "asset": job.revision.asset, "account": owner });
        audit::note_done(&app, &caller.actor(), Action::JobRetried, &id.to_string(), &detail).await?;
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}
