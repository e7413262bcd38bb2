//! What is heard of an attempt while it runs.

use tidegate_wire::Code;
use tidegate_wire::job::{Progress, Work};
use tidegate_wire::track::TrackPart;
use uuid::Uuid;

use super::claim::lease_until;
use super::continued::continued;
use super::playable::can_begin;
use super::{JobError, plan::Outline, tell};
use crate::app::App;
use crate::catalog::jobs::{self, Job};
use crate::catalog::revisions::{self, Revision, RevisionState};
use crate::catalog::{Tx, queue, tracks};
use crate::events::passing;
use crate::limits;
use crate::store::FilePath;

/// Prolongs an attempt's lease, and makes playable what it says has grown.
///
/// # Errors
/// `job_taken_over` when another attempt has the job, or nobody; `invalid_field` for parts that are not the job's.
pub async fn heartbeat(app: &App, id: Uuid, progress: &Progress) -> Result<(), JobError> {
    let now_ms = app.clock.unix_ms();
    let ppm = to_ppm(progress.done);
    let heard = queue::beat(&app.catalog, id, progress.attempt, Some(ppm), now_ms, lease_until(app)).await;
    if heard.is_err() {
        app.note_deafness();
    }
    if !heard? {
        return Err(Code::JobTakenOver.into());
    }
    passing::asset(app, id).await;
    if progress.parts.is_empty() {
        return Ok(());
    }
    let job = running(app, id, progress.attempt).await?;
    check_parts(&job, progress.attempt, &progress.parts)?;
    let mut parts = Vec::with_capacity(progress.parts.len());
    for part in &progress.parts {
        parts.push(continued(app, &job, part).await?);
    }
    let mut tx = app.catalog.begin().await?;
    let (mut revision, _) = locked(&mut tx, &job, progress.attempt).await?;
    let before = tell::before(&revision);
    for part in &parts {
        put_grown(&mut tx, &revision, part).await?;
    }
    // Whether it can be played is for the change to say that has all of them.
    let became = match revision.state {
        RevisionState::Processing => see_playable(app, &mut tx, &mut revision).await?,
        _ => false,
    };
    tell::changes(app, &mut tx, &revision, before).await?;
    tx.commit().await?;
    if became {
        note_playable(app, &revision);
    }
    Ok(())
}

/// A job that `attempt` has, as far as that can be told without locking anything.
///
/// # Errors
/// `job_taken_over`.
pub async fn running(app: &App, id: Uuid, attempt: u32) -> Result<Job, JobError> {
    let job = jobs::get(&app.catalog, id).await?;
    job.filter(|job| job.is_run_by(attempt)).ok_or_else(|| Code::JobTakenOver.into())
}

/// The job's revision, locked, and the job as it is then.
pub(super) async fn locked(tx: &mut Tx, job: &Job, attempt: u32) -> Result<(Revision, Job), JobError> {
    let revision = revisions::get_locked(tx, job.revision).await?.ok_or(Code::JobTakenOver)?;
    let job = jobs::get_in(tx, job.id).await?.filter(|job| job.is_run_by(attempt));
    Ok((revision, job.ok_or(Code::JobTakenOver)?))
}

/// Notes a part that still grows. What an earlier attempt has shown stays until the new one has as much: a player
/// that is at it must not see the end come nearer.
async fn put_grown(tx: &mut Tx, revision: &Revision, part: &TrackPart) -> Result<(), JobError> {
    let known = tracks::get_in(tx, revision.id, &part.track, part.chunk).await?;
    let is_behind = |known: TrackPart| known.whole || known.segments.len() > part.segments.len();
    if !known.is_some_and(is_behind) {
        tracks::put(tx, revision.id, part).await?;
    }
    Ok(())
}

/// Makes a locked revision playable if it is; `true` if it was not before.
pub(super) async fn see_playable(app: &App, tx: &mut Tx, revision: &mut Revision) -> Result<bool, JobError> {
    let Some(outline) = &revision.plan else { return Ok(false) };
    let first = first_parts(tx, revision, outline).await?;
    if !can_begin(outline, &first) {
        return Ok(false);
    }
    revision.state = RevisionState::Playable;
    revision.playable_at = Some(app.clock.unix_ms());
    revisions::update(tx, revision).await?;
    Ok(true)
}

/// The first part of everything that must have begun.
async fn first_parts(
    tx: &mut Tx,
    revision: &Revision,
    outline: &Outline,
) -> Result<Vec<TrackPart>, JobError> {
    let lowest = outline.rungs.first().map(|rung| &rung.track);
    let mut parts = Vec::new();
    for track in lowest.into_iter().chain(&outline.audio) {
        parts.extend(tracks::get_in(tx, revision.id, track, 0).await?);
    }
    Ok(parts)
}

/// Counts and logs that a revision has become playable.
pub(super) fn note_playable(app: &App, revision: &Revision) {
    let took_ms = app.clock.unix_ms().saturating_sub(revision.created_at);
    app.metrics.jobs.playable(took_ms);
    tracing::info!(asset.id = %revision.id.asset, took_ms, "revision.playable");
}

/// Checks that parts are what the job is to make, where its attempt is to put it.
pub(super) fn check_parts(job: &Job, attempt: u32, parts: &[TrackPart]) -> Result<(), JobError> {
    let (tracks, chunk): (Vec<&str>, u32) = match &job.work {
        Work::Rendition(work) => (work.rungs.iter().map(|rung| rung.track.as_str()).collect(), work.chunk),
        Work::Audio(work) => (vec![work.track.as_str()], 0),
        _ => (Vec::new(), 0),
    };
    if parts.len() > limits::REPORT_PARTS {
        return Err(JobError::senseless("parts: too many"));
    }
    let dir = job.dir(attempt);
    for part in parts {
        let is_ours = tracks.contains(&part.track.as_str()) && part.chunk == chunk;
        let is_there = part.dir == format!("{dir}/{}", part.track) && part.dir.parse::<FilePath>().is_ok();
        if !is_ours || !is_there {
            return Err(JobError::senseless(format!(
                "parts: {} in {} is not this attempt's",
                part.track, part.dir
            )));
        }
    }
    Ok(())
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to 0..=1 first; NaN is 0"
)]
fn to_ppm(done: f64) -> u64 {
    (done.clamp(0.0, 1.0) * 1_000_000.0) as u64
}
