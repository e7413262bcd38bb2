//! Taking up again what was given up.

use tidegate_wire::Code;
use tidegate_wire::job::Work;

use super::{JobError, remake, tell, without};
use crate::app::App;
use crate::catalog::jobs::{self, Job, JobState};
use crate::catalog::queue;
use crate::catalog::revisions::{self, RevisionState};

/// Makes a job that was given up ready again, and the other jobs of its revision that were cancelled with it. For a
/// package whose parts do not fit, the parts are made anew.
///
/// # Errors
/// `job_not_found`; `job_not_failed`, also for a package that a newer one has taken the place of.
pub async fn retry(app: &App, job: &Job) -> Result<(), JobError> {
    let now_ms = app.clock.unix_ms();
    let mut tx = app.catalog.begin().await?;
    let mut revision = revisions::get_locked(&mut tx, job.revision).await?.ok_or(Code::JobNotFound)?;
    let job = jobs::get_in(&mut tx, job.id).await?.ok_or(Code::JobNotFound)?;
    if job.state != JobState::Failed {
        return Err(Code::JobNotFailed.into());
    }
    if matches!(job.work, Work::Package(_)) && revision.state == RevisionState::Ready {
        let newest = jobs::newest_package(&mut tx, revision.id).await?;
        if newest.is_some_and(|newest| newest.id != job.id) {
            return Err(Code::JobNotFailed.into());
        }
    } else if without::is_left_out(&job) {
        without::want_again(app, &mut tx, &mut revision, &job).await?;
    } else if remake::is_misfit(&job) {
        remake::begin(app, &mut tx, &job).await?;
    }
    let before = tell::before(&revision);
    queue::take_up_one(&mut tx, job.id, now_ms).await?;
    if revision.state == RevisionState::Failed {
        queue::take_up(&mut tx, revision.id, now_ms).await?;
        revision.state = match revision.playable_at {
            Some(_) => RevisionState::Playable,
            None => RevisionState::Processing,
        };
        revision.error = None;
        revisions::update(&mut tx, &revision).await?;
    }
    tell::changes(app, &mut tx, &revision, before).await?;
    tx.commit().await?;
    tracing::info!(job.id = %job.id, asset.id = %job.revision.asset, "job.retried");
    app.announce_jobs();
    Ok(())
}
