//! Giving out jobs.

use std::collections::HashSet;
use std::time::Duration;

use tidegate_wire::job::{Claim, ClaimRequest, Encryption, Source, Work};
use tidegate_wire::track::TrackPart;

use super::{finish, sweep};
use crate::app::App;
use crate::catalog::jobs::{Job, kind_name};
use crate::catalog::queue::{self, Asker};
use crate::catalog::revisions::{self, Revision};
use crate::catalog::{Asset, CatalogError, assets, texts, tracks, uploads};
use crate::limits;

/// What a look at the queue has brought.
#[derive(Debug)]
pub enum Claimed {
    /// A job.
    Job(Box<Claim>),
    /// Nothing now; the pause of the next one ends in so long.
    After(Duration),
    /// Nothing at all.
    Nothing,
}

/// Takes the job whose turn it is. Never waits for one.
///
/// # Errors
/// When the catalogue fails. A job that was given out all the same is given out again when its lease has run out.
pub async fn claim(app: &App, request: &ClaimRequest) -> Result<Claimed, CatalogError> {
    // Whoever asks has time: what another worker has left lying is looked for first.
    sweep::take_back(app).await?;
    let job = {
        // One at a time is decided anyway; the others need not hold connections while they wait for it.
        let _turn = app.claims.lock().await;
        match take(app, request).await? {
            Taken::Job(job) => job,
            Taken::Nothing(outcome) => return Ok(outcome),
        }
    };
    match describe(app, &job).await {
        Ok(Some(claim)) => {
            note(app, &job);
            Ok(Claimed::Job(Box::new(claim)))
        }
        // Deleted in this moment, and the job with it. There may be others.
        Ok(None) => Ok(Claimed::After(Duration::ZERO)),
        Err(error) => {
            if let Err(error) = finish::release(app, &job).await {
                tracing::warn!(error = &error as &dyn std::error::Error, job.id = %job.id, "job.left_to_its_lease");
            }
            Err(error)
        }
    }
}

enum Taken {
    Job(Box<Job>),
    Nothing(Claimed),
}

async fn take(app: &App, request: &ClaimRequest) -> Result<Taken, CatalogError> {
    let asker = Asker {
        worker: &request.worker,
        scratch_free_bytes: request.scratch_free_bytes,
        holds: &request.holds,
    };
    loop {
        let now_ms = app.clock.unix_ms();
        match queue::look(&app.catalog, &asker).await? {
            None => return Ok(Taken::Nothing(Claimed::Nothing)),
            Some(next) if next > now_ms => {
                return Ok(Taken::Nothing(Claimed::After(Duration::from_millis(next - now_ms))));
            }
            Some(_) => {}
        }
        let mut tx = app.catalog.begin().await?;
        // Nothing, where another origin was faster: there may be more.
        if let Some(job) = queue::claim(&mut tx, &asker, now_ms, lease_until(app)).await? {
            tx.commit().await?;
            return Ok(Taken::Job(Box::new(job)));
        }
    }
}

/// Until when something must be heard of an attempt that was heard of now.
pub(crate) fn lease_until(app: &App) -> u64 {
    app.clock.unix_ms().saturating_add(u64::from(app.config.job_lease) * 1000)
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn note(app: &App, job: &Job) {
    let kind = kind_name(job.work.kind());
    let waited_ms = job.claimed_at.unwrap_or(0).saturating_sub(job.run_after);
    app.metrics.jobs.claimed(kind, waited_ms);
    tracing::info!(
        job.id = %job.id, job.kind = kind, job.attempt = job.attempt, asset.id = %job.revision.asset, waited_ms,
        worker = job.worker.as_deref(), "job.claimed"
    );
}

/// All a worker has to know; `None` if the asset is gone.
async fn describe(app: &App, job: &Job) -> Result<Option<Claim>, CatalogError> {
    let Some(asset) = assets::get(&app.catalog, job.revision.asset).await? else { return Ok(None) };
    let Some(revision) = revisions::get(&app.catalog, job.revision).await? else { return Ok(None) };
    let seconds = |duration: Duration| u32::try_from(duration.as_secs()).unwrap_or(u32::MAX);
    Ok(Some(Claim {
        job: job.id,
        attempt: job.attempt,
        asset: job.revision.asset,
        revision: job.revision.number,
        dir: job.dir(job.attempt),
        source: source(app, &asset).await?,
        work: fill_in(app, job, &revision).await?,
        lease_s: app.config.job_lease,
        stall_s: seconds(limits::JOB_STALL),
    }))
}

async fn source(app: &App, asset: &Asset) -> Result<Source, CatalogError> {
    let segments = uploads::decode_segments(&asset.segments)?;
    Ok(Source {
        path: asset.id.source_path(),
        stored_as: app.files.source_files(asset.id, segments).await,
        size_bytes: asset.size_bytes,
        digest: asset.digest.to_string(),
    })
}

/// What is not known when a job is made, or does not belong into its row.
async fn fill_in(app: &App, job: &Job, revision: &Revision) -> Result<Work, CatalogError> {
    let encryption = || revision.aes_key.clone().map(|key| Encryption { key });
    let mut work = job.work.clone();
    match &mut work {
        Work::Rendition(rendition) => rendition.encryption = encryption(),
        Work::Audio(audio) => audio.encryption = encryption(),
        Work::Package(package) => {
            package.parts = without_empty(tracks::list(&app.catalog, revision.id).await?);
            package.texts = texts::list(&app.catalog, revision.id).await?;
            package.encrypted = revision.aes_key.is_some();
        }
        Work::Probe | Work::Poster(_) | Work::Captions(_) => {}
    }
    Ok(work)
}

/// Without tracks that turned out to have nothing in them. A part without segments of a track that has others is a
/// chunk behind the real end of the source, and belongs to it.
fn without_empty(mut parts: Vec<TrackPart>) -> Vec<TrackPart> {
    let tracks: HashSet<String> =
        parts.iter().filter(|part| !part.segments.is_empty()).map(|part| part.track.clone()).collect();
    parts.retain(|part| tracks.contains(&part.track));
    parts
}
