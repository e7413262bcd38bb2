//! The end of an attempt, as its worker tells it, and what follows from it.

use tidegate_wire::Code;
use tidegate_wire::job::{Ending, Failure, Finish, Report, SourceInfo, TextTrack, Work};
use tidegate_wire::purge::PurgeTargets;
use tidegate_wire::track::TrackPart;
use uuid::Uuid;

use super::continued::continued;
use super::create::{job_id, of_planned};
use super::plan::{Plan, plan};
use super::report::{check_parts, locked, note_playable, see_playable};
use super::{JobError, sweep, tell};
use crate::app::App;
use crate::catalog::jobs::{self, Ended, Job, JobState, NewJob, kind_name};
use crate::catalog::queue::{self, Leaving};
use crate::catalog::revisions::{self, Revision, RevisionState};
use crate::catalog::{Tx, assets, published, purges, texts, tracks, trees};
use crate::limits;
use crate::store::{FileName, FilePath};

/// What is asked for under this name at a revision's root is never a file.
pub const KEY_NAME: &str = "key";

/// A file of every package.
const MASTER_NAME: &str = "master.m3u8";

/// Ends an attempt. Said again it changes nothing.
///
/// # Errors
/// `job_taken_over` when another attempt has the job, or this one has ended otherwise; `invalid_field` for a report
/// that is not what the job is to bring.
pub async fn finish(app: &App, id: Uuid, finish: &Finish) -> Result<(), JobError> {
    let job = jobs::get(&app.catalog, id).await?.filter(|job| job.attempt == finish.attempt);
    let job = job.ok_or(Code::JobTakenOver)?;
    let said = match &finish.ending {
        Ending::Done { .. } => Ended::Done,
        Ending::Failed(_) => Ended::Failed,
        Ending::Released => Ended::Released,
    };
    if job.state != JobState::Running {
        // An answer was lost, and the worker asks again.
        let is_repeated = job.ending.as_deref() == Some(said.as_str());
        return if is_repeated { Ok(()) } else { Err(Code::JobTakenOver.into()) };
    }
    match &finish.ending {
        Ending::Done { report } => done(app, &job, report).await,
        Ending::Failed(failure) => failed(app, &job, failure).await,
        Ending::Released => release(app, &job).await,
    }
}

async fn failed(app: &App, job: &Job, failure: &Failure) -> Result<(), JobError> {
    let mut tx = app.catalog.begin().await?;
    let (mut revision, job) = locked(&mut tx, job, job.attempt).await?;
    let before = tell::before(&revision);
    let became = sweep::fail(app, &mut tx, &mut revision, &job, failure, Ended::Failed).await?;
    tell::changes(app, &mut tx, &revision, before).await?;
    tx.commit().await?;
    if became {
        note_playable(app, &revision);
    }
    sweep::note(app, &job, failure, Ended::Failed);
    // Its pause has to be waited for by someone.
    app.announce_jobs();
    Ok(())
}

/// Gives a job back that its attempt has.
pub(super) async fn release(app: &App, job: &Job) -> Result<(), JobError> {
    let now_ms = app.clock.unix_ms();
    let mut tx = app.catalog.begin().await?;
    let (_, job) = locked(&mut tx, job, job.attempt).await?;
    let (state, failures) = (JobState::Ready, job.failures);
    let leaving = Leaving { ended: Ended::Released, state, failures, run_after: now_ms, error: None };
    leave(&mut tx, &job, &leaving, now_ms).await?;
    tx.commit().await?;
    app.metrics.jobs.ended(kind_name(job.work.kind()), Ended::Released.as_str());
    app.announce_jobs();
    Ok(())
}

async fn leave(tx: &mut Tx, job: &Job, leaving: &Leaving<'_>, now_ms: u64) -> Result<(), JobError> {
    if queue::leave(tx, job, leaving, now_ms).await? { Ok(()) } else { Err(Code::JobTakenOver.into()) }
}

async fn done(app: &App, job: &Job, report: &Report) -> Result<(), JobError> {
    check_files(app, job, report).await?;
    let planned = match report {
        Report::Probed { info } => match plan_for(app, job, info).await? {
            Some(planned) => Some((info, planned)),
            None => return failed(app, job, &nothing_to_play()).await,
        },
        _ => None,
    };
    let parts = made(app, job, report).await?;
    let now_ms = app.clock.unix_ms();
    let mut tx = app.catalog.begin().await?;
    let (mut revision, job) = locked(&mut tx, job, job.attempt).await?;
    let state = JobState::Done;
    let leaving =
        Leaving { ended: Ended::Done, state, failures: job.failures, run_after: job.run_after, error: None };
    leave(&mut tx, &job, &leaving, now_ms).await?;
    let before = tell::before(&revision);
    if let Some((info, planned)) = planned {
        follow_up(app, &mut tx, &mut revision, info, planned).await?;
    }
    match report {
        Report::Probed { .. } => {}
        Report::Encoded { .. } => note_parts(app, &mut tx, &mut revision, &parts).await?,
        Report::Stored { files } => publish(app, &mut tx, &mut revision, &job, files).await?,
    }
    if let Some(next) = job.unblocks {
        queue::unblock(&mut tx, next, now_ms).await?;
    }
    let_go(&mut tx, &revision, &job, &parts, now_ms).await?;
    tell::changes(app, &mut tx, &revision, before).await?;
    tx.commit().await?;
    app.metrics.jobs.ended(kind_name(job.work.kind()), Ended::Done.as_str());
    tracing::info!(job.id = %job.id, asset.id = %job.revision.asset, "job.done");
    announce(app, &revision, before);
    Ok(())
}

/// Notes what earlier attempts left, and what of this one has got other names, to be removed. It is still in lists that
/// players have; it goes a while after nothing speaks of it.
async fn let_go(
    tx: &mut Tx,
    revision: &Revision,
    job: &Job,
    parts: &[TrackPart],
    now_ms: u64,
) -> Result<(), JobError> {
    let mut left: Vec<String> = Vec::new();
    if parts.is_empty() {
        left.extend((1..job.attempt).map(|attempt| job.dir(attempt)));
    }
    for part in parts {
        let dirs = (1..=job.attempt).map(|attempt| format!("{}/{}", job.dir(attempt), part.track));
        left.extend(dirs.filter(|dir| *dir != part.dir));
    }
    if left.is_empty() {
        return Ok(());
    }
    let after = match revision.state {
        RevisionState::Ready => None,
        _ => jobs::newest_package(tx, revision.id).await?.map(|package| package.seq),
    };
    for dir in left {
        trees::insert(tx, &format!("{}/{dir}", revision.id), after, now_ms).await?;
    }
    Ok(())
}

/// Tells whoever waits what has come of a change.
fn announce(app: &App, revision: &Revision, before: (RevisionState, Option<u64>)) {
    app.announce_jobs();
    if before.1.is_none() && revision.playable_at.is_some() {
        note_playable(app, revision);
    }
    if revision.state == RevisionState::Ready {
        if before.0 == RevisionState::Ready {
            app.announce_purge();
        } else {
            let took_ms = app.clock.unix_ms().saturating_sub(revision.created_at);
            app.metrics.jobs.ready(took_ms);
            tracing::info!(asset.id = %revision.id.asset, took_ms, "revision.ready");
        }
    }
}

async fn plan_for(app: &App, job: &Job, info: &SourceInfo) -> Result<Option<Plan>, JobError> {
    let asset = assets::get(&app.catalog, job.revision.asset).await?.ok_or(Code::JobTakenOver)?;
    Ok(plan(info, asset.size_bytes, &app.config.ladder, app.config.preset.as_deref()))
}

fn nothing_to_play() -> Failure {
    Failure {
        permanent: true,
        code: "no_streams".to_owned(),
        message: "There is neither video nor sound in the file.".to_owned(),
        log: String::new(),
    }
}

/// Makes the jobs of the plan, the last of which waits for all others.
async fn follow_up(
    app: &App,
    tx: &mut Tx,
    revision: &mut Revision,
    info: &SourceInfo,
    plan: Plan,
) -> Result<(), JobError> {
    let first = revision.jobs + 1;
    let last = first + u32::try_from(plan.jobs.len()).unwrap_or(u32::MAX) - 1;
    let package = job_id(app, last);
    for (seq, planned) in (first..=last).zip(plan.jobs) {
        let is_last = seq == last;
        let new = NewJob {
            id: if is_last { package } else { job_id(app, seq) },
            seq,
            account: revision.account.clone(),
            length_ms: info.duration_ms,
            missing: if is_last { last - first } else { 0 },
            unblocks: (!is_last).then_some(package),
            created_at: app.clock.unix_ms(),
            ..of_planned(planned, revision.id)
        };
        jobs::insert(tx, &new).await?;
    }
    revision.info = Some(info.clone());
    revision.jobs = last;
    revision.plan = Some(plan.outline);
    Ok(revisions::update(tx, revision).await?)
}

/// The parts that a report brings, as playlists are to speak of them.
async fn made(app: &App, job: &Job, report: &Report) -> Result<Vec<TrackPart>, JobError> {
    let Report::Encoded { parts } = report else { return Ok(Vec::new()) };
    let made = match &job.work {
        Work::Rendition(work) => work.rungs.len(),
        _ => 1,
    };
    if parts.len() != made || parts.iter().any(|part| !part.whole) {
        return Err(JobError::senseless("parts: one whole part for each track"));
    }
    let mut named = Vec::with_capacity(parts.len());
    for part in parts {
        named.push(continued(app, job, part).await?);
    }
    Ok(named)
}

async fn note_parts(
    app: &App,
    tx: &mut Tx,
    revision: &mut Revision,
    parts: &[TrackPart],
) -> Result<(), JobError> {
    for part in parts {
        tracks::put(tx, revision.id, part).await?;
    }
    if revision.state == RevisionState::Processing {
        see_playable(app, tx, revision).await?;
    }
    Ok(())
}

/// Lets the names at the revision's root stand for what was stored: all of them at once.
async fn publish(
    app: &App,
    tx: &mut Tx,
    revision: &mut Revision,
    job: &Job,
    files: &[String],
) -> Result<(), JobError> {
    let (dir, now_ms) = (job.dir(job.attempt), app.clock.unix_ms());
    let old = match &job.work {
        Work::Package(_) => published::get_in(tx, revision.id, MASTER_NAME).await?,
        _ => None,
    };
    for name in files {
        published::put(tx, revision.id, name, &format!("{dir}/{name}")).await?;
    }
    match &job.work {
        Work::Captions(work) => note_texts(tx, revision, &dir, &work.tracks, files).await?,
        Work::Package(_) if revision.state == RevisionState::Ready => {
            // Made once more, for other captions: what edges keep of the names is of yesterday.
            let old = old.as_deref().and_then(|path| path.split_once('/')).map(|(dir, _)| dir);
            let mut names = files.to_vec();
            if let Some(old) = old.filter(|old| *old != dir) {
                names.extend(published::remove_below(tx, revision.id, old).await?);
                trees::insert(tx, &format!("{}/{old}", revision.id), None, now_ms).await?;
            }
            purge(tx, revision, &names, now_ms).await?;
        }
        Work::Package(_) => {
            revision.state = RevisionState::Ready;
            revision.playable_at = revision.playable_at.or(Some(now_ms));
            revision.ready_at = Some(now_ms);
            revisions::update(tx, revision).await?;
        }
        // Tried once more, long after everybody was told that there is none.
        _ if revision.state == RevisionState::Ready => purge(tx, revision, files, now_ms).await?,
        _ => {}
    }
    if let Work::Package(_) = &job.work {
        trees::release(tx, revision.id, job.seq, now_ms).await?;
    }
    Ok(())
}

/// Has edges forget names at the revision's root.
async fn purge(tx: &mut Tx, revision: &Revision, names: &[String], now_ms: u64) -> Result<(), JobError> {
    let root = format!("/media/{}", revision.id);
    let urls = names.iter().map(|name| format!("{root}/{name}")).collect();
    purges::append(tx, &PurgeTargets { urls, ..PurgeTargets::default() }, None, now_ms).await?;
    Ok(())
}

async fn note_texts(
    tx: &mut Tx,
    revision: &Revision,
    dir: &str,
    made: &[String],
    files: &[String],
) -> Result<(), JobError> {
    let outlines = revision.plan.iter().flat_map(|plan| &plan.texts);
    for outline in outlines.filter(|outline| made.contains(&outline.track)) {
        let file = format!("{}.vtt", outline.track);
        // A stream without a single line may bring none.
        if files.contains(&file) {
            let text = TextTrack {
                track: outline.track.clone(),
                path: format!("{dir}/{file}"),
                language: outline.language.clone(),
                label: outline.label.clone(),
            };
            texts::put(tx, revision.id, &text).await?;
        }
    }
    Ok(())
}

/// Checks that a report is of the job's kind, and that the files it names are in the store.
async fn check_files(app: &App, job: &Job, report: &Report) -> Result<(), JobError> {
    let fits = match report {
        Report::Probed { .. } => matches!(job.work, Work::Probe),
        Report::Encoded { .. } => matches!(job.work, Work::Rendition(_) | Work::Audio(_)),
        Report::Stored { .. } => matches!(job.work, Work::Poster(_) | Work::Captions(_) | Work::Package(_)),
    };
    if !fits {
        return Err(JobError::senseless("report: not what this job brings"));
    }
    let dir = job.dir(job.attempt);
    let names: Vec<String> = match report {
        Report::Stored { files } if files.iter().any(|name| name == KEY_NAME || name.contains('/')) => {
            return Err(JobError::senseless("files: names at the root, none of them `key`"));
        }
        Report::Stored { files } if files.len() > limits::REPORT_FILES => {
            return Err(JobError::senseless("files: too many"));
        }
        Report::Stored { files } => files.clone(),
        Report::Encoded { parts } => {
            check_parts(job, job.attempt, parts)?;
            let ends = |part: &TrackPart| match part.segments.len() {
                0 => Vec::new(),
                len => vec![format!("{}/init.mp4", part.track), format!("{}/{:05}.m4s", part.track, len - 1)],
            };
            parts.iter().flat_map(ends).collect()
        }
        Report::Probed { .. } => Vec::new(),
    };
    for name in names {
        let path = format!("{dir}/{name}").parse::<FilePath>();
        let path = path.map_err(|_| JobError::senseless(format!("{name}: not the name of a file")))?;
        let name = FileName { asset: job.revision.asset, revision: job.revision.number, path };
        if app.files.open(name.clone()).await.is_err() {
            return Err(JobError::senseless(format!("{}: is not stored", name.path)));
        }
    }
    Ok(())
}
