//! Taking up again what was given up.

use tidegate_wire::Code;

use super::JobError;
use crate::app::App;
use crate::catalog::jobs::{self, Job, JobState};
use crate::catalog::queue;
use crate::catalog::revisions::{self, RevisionState};

/// Makes a job that was given up ready again, and the other jobs of its revision that were cancelled with it.
///
/// # Errors
/// `job_not_found`; `job_not_failed`.
pub async fn retry(app: &App, job: &Job) -> Result<(), JobError> {
    let now_ms = app.clock.unix_ms();
    let mut tx = app.catalog.begin().await?;
    let mut revision = revisions::get_locked(&mut tx, job.revision).await?.ok_or(Code::JobNotFound)?;
    let job = jobs::get_in(&mut tx, job.id).await?.ok_or(Code::JobNotFound)?;
    if job.state != JobState::Failed {
        return Err(Code::JobNotFailed.into());
    }
    queue::take_up(&mut tx, revision.id, now_ms).await?;
    if revision.state == RevisionState::Failed {
        revision.state = match revision.playable_at {
            Some(_) => RevisionState::Playable,
            None => RevisionState::Processing,
        };
        revision.error = None;
        revisions::update(&mut tx, &revision).await?;
    }
    tx.commit().await?;
    tracing::info!(job.id = %job.id, asset.id = %job.revision.asset, "job.retried");
    app.announce_jobs();
    Ok(())
}
