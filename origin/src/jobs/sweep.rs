//! Failures: attempts that said so, and attempts nothing is heard of any more.

use std::time::Duration;

use tidegate_serve::Entropy;
use tidegate_wire::Code;
use tidegate_wire::job::Failure;

use super::claim::millis;
use super::report::{locked, note_playable};
use super::{JobError, remake, tell, without};
use crate::app::App;
use crate::catalog::jobs::{Ended, Job, JobState, kind_name};
use crate::catalog::queue::{self, Leaving};
use crate::catalog::revisions::{self, Revision, RevisionState};
use crate::catalog::{CatalogError, Tx, jobs};
use crate::limits;

/// Takes back jobs whose lease has run out; says how many.
///
/// An origin that has just started takes none: it may be that nobody was there to listen, and the workers are at it. The
/// same after the catalogue was away: until everyone has had a lease's time to be heard again, nobody is late.
///
/// # Errors
/// When the catalogue fails.
pub async fn take_back(app: &App) -> Result<u32, CatalogError> {
    let taken = look_for_lost(app).await;
    if taken.is_err() {
        app.note_deafness();
    }
    taken
}

async fn look_for_lost(app: &App) -> Result<u32, CatalogError> {
    let (asked_ms, lease_ms) = (app.clock.unix_ms(), u64::from(app.config.job_lease) * 1000);
    let overdue = queue::overdue(&app.catalog, asked_ms, limits::JOBS_PER_SWEEP).await?;
    let now_ms = app.clock.unix_ms();
    // An answer that took this long was as good as none to who had to be heard meanwhile.
    if now_ms.saturating_sub(asked_ms) > lease_ms / 3 {
        app.note_deafness();
    }
    if now_ms < app.heard_since().saturating_add(lease_ms) {
        return Ok(0);
    }
    let mut taken = 0;
    for id in overdue {
        let Some(job) = jobs::get(&app.catalog, id).await? else { continue };
        match expire(app, &job).await {
            Ok(()) => taken += 1,
            // Something was heard of it, or another origin was faster.
            Err(JobError::Refused(_)) => {}
            Err(JobError::Catalog(error)) => return Err(error),
            Err(JobError::Store(_)) => {}
        }
    }
    if taken > 0 {
        app.announce_jobs();
    }
    Ok(taken)
}

async fn expire(app: &App, job: &Job) -> Result<(), JobError> {
    let mut tx = app.catalog.begin().await?;
    let (mut revision, job) = locked(&mut tx, job, job.attempt).await?;
    if job.lease_until.is_none_or(|until| until >= app.clock.unix_ms()) {
        return Err(Code::JobTakenOver.into());
    }
    let failure = Failure {
        permanent: false,
        code: "worker_lost".to_owned(),
        message: "Nothing more was heard of the worker.".to_owned(),
        log: String::new(),
    };
    let before = tell::before(&revision);
    let became = fail(app, &mut tx, &mut revision, &job, &failure, Ended::Expired).await?;
    tell::changes(app, &mut tx, &revision, before).await?;
    tx.commit().await?;
    if became {
        note_playable(app, &revision);
    }
    note(app, &job, &failure, Ended::Expired);
    Ok(())
}

/// Ends an attempt that failed: the job is tried again after a pause, or given up, and its revision with it unless that
/// can do without. `true` if the revision has become playable by that.
pub(super) async fn fail(
    app: &App,
    tx: &mut Tx,
    revision: &mut Revision,
    job: &Job,
    failure: &Failure,
    ended: Ended,
) -> Result<bool, JobError> {
    let now_ms = app.clock.unix_ms();
    let remade = remake::is_due(revision, job, failure) && remake::begin(app, tx, job).await?;
    let failures = if remade { 0 } else { job.failures + 1 };
    let given_up = failure.permanent || failures >= limits::JOB_ATTEMPTS;
    let (state, run_after) = match ended {
        _ if remade => (JobState::Waiting, now_ms),
        _ if given_up => (JobState::Failed, now_ms),
        // It has rested as long as its lease ran, and most likely it was not to blame.
        Ended::Expired => (JobState::Ready, now_ms),
        _ => (JobState::Ready, now_ms.saturating_add(millis(pause(failures, &app.entropy)))),
    };
    let code = head(&failure.code, limits::JOB_ERROR_CHARS);
    let message = head(&failure.message, limits::JOB_ERROR_CHARS);
    let error = Some((code.as_str(), message.as_str(), tail(&failure.log, limits::JOB_LOG_BYTES)));
    let leaving = Leaving { ended, state, failures, run_after, error };
    if !queue::leave(tx, job, &leaving, now_ms).await? {
        return Err(Code::JobTakenOver.into());
    }
    if remade {
        tracing::warn!(asset.id = %revision.id.asset, "revision.made_anew");
        revision.remakes += 1;
        revisions::update(tx, revision).await?;
        return Ok(false);
    }
    if given_up { follow(app, tx, revision, job, (code, message)).await } else { Ok(false) }
}

/// What follows from a job that was given up: its revision goes on without it, or is given up too. `true` if the
/// revision has become playable by that.
pub(super) async fn follow(
    app: &App,
    tx: &mut Tx,
    revision: &mut Revision,
    job: &Job,
    error: (String, String),
) -> Result<bool, JobError> {
    if !without::is_needed(revision, &job.work) || revision.state == RevisionState::Ready {
        // What was there once, whole, stays there.
        return without::leave_out(app, tx, revision, job).await;
    }
    queue::cancel(tx, revision.id, app.clock.unix_ms()).await?;
    revision.state = RevisionState::Failed;
    revision.error = Some(error);
    revisions::update(tx, revision).await?;
    Ok(false)
}

/// Counts and logs a failure that has been committed.
pub(super) fn note(app: &App, job: &Job, failure: &Failure, ended: Ended) {
    let kind = kind_name(job.work.kind());
    app.metrics.jobs.ended(kind, ended.as_str());
    tracing::warn!(
        job.id = %job.id, job.kind = kind, job.attempt = job.attempt, asset.id = %job.revision.asset,
        worker = job.worker.as_deref(), code = failure.code, permanent = failure.permanent, "job.attempt_failed"
    );
}

/// How long a job rests after so many failures: any time up to a limit that doubles with each (full jitter), so that
/// jobs that failed together do not come back together.
fn pause(failures: u32, entropy: &Entropy) -> Duration {
    let doubled = limits::JOB_FIRST_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(16));
    let longest = millis(doubled.min(limits::JOB_LONGEST_PAUSE));
    Duration::from_millis(entropy.below(longest + 1))
}

/// The first characters of a text.
fn head(text: &str, chars: usize) -> String {
    text.chars().take(chars).collect()
}

/// The last bytes of a text, from a character's beginning on.
fn tail(text: &str, bytes: usize) -> &str {
    let from = text.len().saturating_sub(bytes);
    (from..=text.len()).find_map(|at| text.get(at..)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_limit_and_are_spread() {
        let entropy = Entropy::seeded(7);
        for (failures, most) in [(1, 2), (2, 4), (3, 8), (8, 256), (9, 300), (40, 300)] {
            let pauses: Vec<Duration> = (0..200).map(|_| pause(failures, &entropy)).collect();
            assert!(pauses.iter().all(|pause| *pause <= Duration::from_secs(most)), "{failures}");
            assert!(pauses.iter().max() > pauses.iter().min(), "{failures}");
            let mean = pauses.iter().sum::<Duration>() / 200;
            assert!(mean > Duration::from_secs(most) / 4, "{failures}: {mean:?}");
        }
    }

    #[test]
    fn the_end_of_a_log_is_kept_and_characters_stay_whole() {
        assert_eq!(tail("abc", 2), "bc");
        assert_eq!(tail("abc", 9), "abc");
        assert_eq!(tail("aüb", 2), "b");
        assert_eq!(tail("", 2), "");
        assert_eq!(head("aüb", 2), "aü");
    }
}
