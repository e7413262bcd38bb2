//! One attempt at a job, from its claim to the word how it ended.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tidegate_wire::job::{Claim, Ending, Finish, Report, Work};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::api::CallError;
use crate::failure::Fault;
use crate::limits;
use crate::pulse::Pulse;
use crate::source::Lent;
use crate::tools::Tools;
use crate::worker::Shared;
use crate::{captions, encode, package, poster, probe};

/// What the parts of an attempt share.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    /// The worker.
    pub(crate) worker: Arc<Shared>,
    /// The job.
    pub(crate) claim: Arc<Claim>,
    /// What others are told.
    pub(crate) pulse: Arc<Pulse>,
}

impl Attempt {
    /// Stores a file under the attempt's directory.
    pub(crate) async fn store(&self, path: &str, body: Bytes) -> Result<(), Fault> {
        let size_bytes = body.len() as u64;
        let storing = self.worker.api.store(self.claim.job, self.claim.attempt, path, body);
        self.pulse.waiting(storing).await.map_err(CallError::into_fault)?;
        self.worker.metrics.stored_bytes.inc_by(size_bytes);
        Ok(())
    }
}

/// Does the job and says how it ended. Whatever it started is over when this returns or is dropped.
pub(crate) async fn run(worker: Arc<Shared>, claim: Claim, stopping: CancellationToken) {
    let attempt = Attempt { worker, claim: Arc::new(claim), pulse: Arc::new(Pulse::new()) };
    let (claim, worker) = (&attempt.claim, &attempt.worker);
    let kind = format!("{:?}", claim.work.kind()).to_lowercase();
    let since = Instant::now();
    tracing::info!(job = %claim.job, attempt = claim.attempt, asset = %claim.asset, kind, "job.begun");
    let ended = tokio::select! {
        biased;
        () = stopping.cancelled() => Err(Fault::Stopping),
        fault = heartbeats(&attempt) => Err(fault),
        ended = perform(&attempt) => ended,
        () = attempt.pulse.stalled(Duration::from_secs(u64::from(claim.stall_s))) => {
            Err(Fault::transient("stalled", "The work stood still and was ended."))
        }
    };
    let outcome = ended.as_ref().map_or_else(Fault::outcome, |_| "done");
    let seconds = since.elapsed().as_secs_f64();
    worker.metrics.ended(&kind, outcome, seconds);
    match &ended {
        Err(Fault::Failed(failure)) => tracing::warn!(
            job = %claim.job, attempt = claim.attempt, kind, permanent = failure.permanent, code = failure.code,
            log = failure.log, duration_s = seconds, "job.failed"
        ),
        _ => tracing::info!(
            job = %claim.job, attempt = claim.attempt, kind, outcome, duration_s = seconds, "job.ended"
        ),
    }
    // Until it is heard the attempt stays this worker's, unless it is taken away; and nobody waits for it for long
    // when the worker stops.
    tokio::select! {
        () = finish(&attempt, ended) => {}
        _ = heartbeats(&attempt) => tracing::info!(job = %claim.job, "job.finished_too_late"),
        () = stopped(&stopping) => tracing::warn!(job = %claim.job, "job.finish_unheard"),
    }
}

/// Returns when the worker has been stopping for as long as it may.
async fn stopped(stopping: &CancellationToken) {
    stopping.cancelled().await;
    sleep(limits::RELEASE_TIMEOUT).await;
}

async fn finish(attempt: &Attempt, ended: Result<Report, Fault>) {
    let ending = match ended {
        Ok(report) => Ending::Done { report },
        Err(Fault::Failed(failure)) => Ending::Failed(failure),
        Err(Fault::Stopping) => Ending::Released,
        Err(Fault::TakenOver) => return,
    };
    let claim = &attempt.claim;
    let finish = Finish { attempt: claim.attempt, ending };
    match attempt.worker.api.finish(claim.job, &finish).await {
        Ok(()) => {}
        Err(CallError::TakenOver) => tracing::info!(job = %claim.job, "job.finished_too_late"),
        Err(error) => tracing::warn!(job = %claim.job, %error, "job.finish_unheard"),
    }
}

/// Says how far the attempt is, each third of the lease and when there is more to play. Returns when the origin has
/// given the job away.
async fn heartbeats(attempt: &Attempt) -> Fault {
    let (claim, pulse) = (&attempt.claim, &attempt.pulse);
    let pause = Duration::from_millis(u64::from(claim.lease_s.max(1)) * 1000 / 3);
    loop {
        tokio::select! {
            () = sleep(pause) => {}
            () = pulse.worth_reporting() => {}
        }
        match attempt.worker.api.heartbeat(claim.job, &pulse.report(claim.attempt)).await {
            Ok(()) => {}
            Err(CallError::TakenOver) => return Fault::TakenOver,
            Err(error) => {
                pulse.unheard();
                tracing::debug!(job = %claim.job, %error, "heartbeat.unheard");
            }
        }
    }
}

/// Whether pictures of high dynamic range will come out pale, as this ffmpeg cannot bring them down.
fn turns_pale(work: &Work, tools: &Tools) -> bool {
    let video = match work {
        Work::Rendition(work) => &work.video,
        Work::Poster(work) => &work.video,
        _ => return false,
    };
    video.hdr.is_some() && !tools.tone_mapping
}

async fn perform(attempt: &Attempt) -> Result<Report, Fault> {
    if turns_pale(&attempt.claim.work, &attempt.worker.tools) {
        tracing::warn!(job = %attempt.claim.job, asset = %attempt.claim.asset, "hdr.not_tone_mapped");
    }
    match &attempt.claim.work {
        Work::Probe => {
            let source = source(attempt).await?;
            let size_bytes = attempt.claim.source.size_bytes;
            let info = probe::probe(&attempt.worker.tools, source.path(), size_bytes).await?;
            Ok(Report::Probed { info })
        }
        Work::Rendition(work) => {
            let source = source(attempt).await?;
            encode::rendition(attempt, work, source.path()).await.map(|parts| Report::Encoded { parts })
        }
        Work::Audio(work) => {
            let source = source(attempt).await?;
            encode::audio(attempt, work, source.path()).await.map(|parts| Report::Encoded { parts })
        }
        Work::Poster(work) => {
            let source = source(attempt).await?;
            let files = poster::make(attempt, work, source.path()).await.map_err(Fault::passing)?;
            Ok(Report::Stored { files })
        }
        Work::Captions(work) => {
            let source = source(attempt).await?;
            let files = captions::make(attempt, work, source.path()).await.map_err(Fault::passing)?;
            Ok(Report::Stored { files })
        }
        Work::Package(work) => {
            let files = package::make(attempt, work).await?;
            // The last job of a video: nobody needs its source here any more.
            attempt.worker.sources.forget(attempt.claim.asset);
            Ok(Report::Stored { files })
        }
    }
}

async fn source(attempt: &Attempt) -> Result<Lent, Fault> {
    let claim = &attempt.claim;
    let worker = &attempt.worker;
    worker.sources.lend(&worker.api, claim.asset, &claim.source, &attempt.pulse).await
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use tidegate_wire::job::{PosterWork, VideoStream};
    use tidegate_wire::track::Ratio;

    use super::*;

    #[test]
    fn high_dynamic_range_turns_pale_only_where_it_cannot_be_brought_down() {
        let tools = |tone_mapping| Tools {
            ffmpeg: "ffmpeg".into(),
            ffprobe: "ffprobe".into(),
            version: "7.0".into(),
            tone_mapping,
        };
        let work = |hdr: Option<&str>| {
            let video = VideoStream {
                index: 0,
                codec: "hevc".into(),
                width: 64,
                height: 64,
                rotation: 0,
                frame_rate: Ratio { num: NonZeroU32::MIN, den: NonZeroU32::MIN },
                variable_rate: false,
                hdr: hdr.map(str::to_owned),
                interlaced: false,
                start_us: 0,
            };
            let (size, tile_size) = ((64, 64), (16, 16));
            let (duration_ms, at_ms, tile_every_ms, tile_columns) = (1000, 0, 1000, 1);
            Work::Poster(PosterWork {
                video,
                duration_ms,
                at_ms,
                size,
                tile_every_ms,
                tile_size,
                tile_columns,
            })
        };
        for (hdr, tone_mapping, pale) in
            [(Some("smpte2084"), false, true), (Some("smpte2084"), true, false), (None, false, false)]
        {
            assert_eq!(turns_pale(&work(hdr), &tools(tone_mapping)), pale);
        }
        assert!(!turns_pale(&Work::Probe, &tools(false)));
    }
}
