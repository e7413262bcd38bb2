//! Parts that a video can do without: where a poster, captions, or sound beside pictures cannot be made, the rest
//! is made all the same. The job stays in the list as failed, with its log, and may be taken up again.

use tidegate_wire::job::Work;

use super::report::see_playable;
use super::{JobError, captions};
use crate::app::App;
use crate::catalog::jobs::{self, Job, JobState};
use crate::catalog::revisions::{self, Revision, RevisionState};
use crate::catalog::{Tx, queue, tracks, trees};

/// Whether there is nothing to show without this work.
pub(super) fn is_needed(revision: &Revision, work: &Work) -> bool {
    match work {
        Work::Poster(_) | Work::Captions(_) => false,
        Work::Audio(_) => revision.plan.as_ref().is_none_or(|plan| plan.rungs.is_empty()),
        Work::Probe | Work::Rendition(_) | Work::Package(_) => true,
    }
}

/// Leaves out what a job was to make that was given up: nobody waits for it any more. `true` if the revision has
/// become playable by that.
pub(super) async fn leave_out(
    app: &App,
    tx: &mut Tx,
    revision: &mut Revision,
    job: &Job,
) -> Result<bool, JobError> {
    let now_ms = app.clock.unix_ms();
    if let Work::Audio(audio) = &job.work {
        if let Some(plan) = &mut revision.plan {
            plan.audio.retain(|track| *track != audio.track);
        }
        tracks::remove(tx, revision.id, &audio.track).await?;
        revisions::update(tx, revision).await?;
    }
    if let Some(next) = job.unblocks {
        queue::unblock(tx, next, now_ms).await?;
        queue::let_unblock(tx, job.id, None).await?;
    }
    // Players may have what has been shown of it.
    let package = jobs::newest_package(tx, revision.id).await?;
    for attempt in 1..=job.attempt {
        let path = format!("{}/{}", revision.id, job.dir(attempt));
        trees::insert(tx, &path, package.as_ref().map(|package| package.seq), now_ms).await?;
    }
    match revision.state {
        RevisionState::Processing => see_playable(app, tx, revision).await,
        _ => Ok(false),
    }
}

/// Whether a failed job is one whose part was left out.
pub(super) fn is_left_out(job: &Job) -> bool {
    let may_be = matches!(job.work, Work::Poster(_) | Work::Captions(_) | Work::Audio(_));
    may_be && job.state == JobState::Failed && job.unblocks.is_none()
}

/// Makes room again for a part that was left out and is to be tried once more: the package waits for it, or is made
/// anew after it.
pub(super) async fn want_again(
    app: &App,
    tx: &mut Tx,
    revision: &mut Revision,
    job: &Job,
) -> Result<(), JobError> {
    match (&job.work, &mut revision.plan) {
        // No manifest speaks of it.
        (Work::Poster(_), _) => return Ok(()),
        (Work::Audio(audio), Some(plan)) if !plan.audio.contains(&audio.track) => {
            plan.audio.push(audio.track.clone());
            plan.audio.sort_unstable();
            revisions::update(tx, revision).await?;
        }
        _ => {}
    }
    match jobs::newest_package(tx, revision.id).await? {
        Some(package) if revision.state == RevisionState::Failed || !package.has_begun() => {
            queue::wait_for(tx, package.id, 1).await?;
            Ok(queue::let_unblock(tx, job.id, Some(package.id)).await?)
        }
        before => captions::add_package(app, tx, revision, before.as_ref(), Some(job)).await,
    }
}
