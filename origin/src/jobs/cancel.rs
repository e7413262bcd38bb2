//! Giving up a job because somebody asks for it.

use tidegate_wire::Code;
use tidegate_wire::job::Failure;

use super::report::note_playable;
use super::{JobError, sweep, tell};
use crate::app::App;
use crate::catalog::jobs::{self, Ended, Job, JobState};
use crate::catalog::{queue, revisions};

/// Gives up a job that has not ended: the worker that has it is told with its next report, and what needs it is given
/// up too, as after a failure for good. It can be retried.
///
/// # Errors
/// `job_not_found`; `job_ended`.
pub async fn cancel(app: &App, job: &Job) -> Result<(), JobError> {
    let failure = Failure {
        permanent: true,
        code: "cancelled".to_owned(),
        message: "It was cancelled.".to_owned(),
        log: String::new(),
    };
    let mut tx = app.catalog.begin().await?;
    let mut revision = revisions::get_locked(&mut tx, job.revision).await?.ok_or(Code::JobNotFound)?;
    let job = jobs::get_in(&mut tx, job.id).await?.ok_or(Code::JobNotFound)?;
    let before = tell::before(&revision);
    let error = (failure.code.as_str(), failure.message.as_str());
    let became = if job.state == JobState::Running {
        sweep::fail(app, &mut tx, &mut revision, &job, &failure, Ended::Cancelled).await?
    } else if queue::give_up(&mut tx, job.id, error, app.clock.unix_ms()).await? {
        let error = (failure.code.clone(), failure.message.clone());
        sweep::follow(app, &mut tx, &mut revision, &job, error).await?
    } else {
        return Err(Code::JobEnded.into());
    };
    tell::changes(app, &mut tx, &revision, before).await?;
    tx.commit().await?;
    if became {
        note_playable(app, &revision);
    }
    tracing::info!(job.id = %job.id, asset.id = %job.revision.asset, "job.cancelled");
    // What waited for it may be ready now.
    app.announce_jobs();
    Ok(())
}
