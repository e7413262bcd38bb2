//! Encoding: a chunk's rungs in one decode, or an audio track whole.

pub(crate) mod command;
#[cfg(test)]
mod exactness;
pub(crate) mod filter;
mod seek;
mod track;

use std::path::Path;
use std::sync::Arc;

use tidegate_packager::encryption::Key;
use tidegate_packager::fragments::{Cut, Options};
use tidegate_wire::job::{AudioWork, Encryption, RenditionWork};
use tidegate_wire::track::TrackPart;
use tokio::sync::Semaphore;

use crate::attempt::Attempt;
use crate::failure::Fault;
use crate::ffmpeg::{self, Run};
use crate::limits;
use crate::progress::Total;

use filter::ToneMapping;
use track::Plan;

/// Encodes the rungs of a chunk; one part for each. Behind the real end of the source they have no segments.
pub(crate) async fn rendition(
    attempt: &Attempt,
    work: &RenditionWork,
    source: &Path,
) -> Result<Vec<TrackPart>, Fault> {
    let worker = &attempt.worker;
    let seek = seek::find(&worker.tools, source, work).await?;
    let can = ToneMapping(worker.tools.tone_mapping);
    let rate = work.video.frame_rate;
    let options = Options {
        first_tick: work.first_frame * u64::from(rate.den.get()),
        first_segment: work.first_segment,
        ..Options::new(Cut::Video {
            frame_rate: rate,
            gop_frames: work.gop_frames,
            segment_gops: work.segment_gops,
        })
    };
    let key = key(work.encryption.as_ref())?;
    let plans = work.rungs.iter().map(|rung| Plan {
        track: rung.track.clone(),
        chunk: work.chunk,
        options: options.clone(),
        // What can be played is of interest at once for what comes first, which comes alone.
        live: work.rungs.len() == 1,
        key: key.clone(),
    });
    let run = Run {
        arguments: command::rendition(source, seek, work, can),
        outputs: work.rungs.iter().map(|rung| rung.track.clone()).collect(),
        source,
        total: work.frames.map_or(Total::FramesFrom(work.first_frame, rate.as_f64()), Total::Frames),
        made: work.rungs.iter().map(|rung| rung.track.as_str()).collect::<Vec<_>>().join("+"),
        nice: if work.rungs.len() == 1 { 0 } else { limits::NICE_LATER },
    };
    let parts = encode(attempt, run, plans.collect()).await?;
    if work.first_frame == 0 && parts.iter().any(|part| part.segments.is_empty()) {
        return Err(Fault::permanent("decode_failed", "Not one picture of the file can be decoded."));
    }
    Ok(parts)
}

/// Encodes an audio track; no part where the source's has no sound in it.
pub(crate) async fn audio(
    attempt: &Attempt,
    work: &AudioWork,
    source: &Path,
) -> Result<Vec<TrackPart>, Fault> {
    let options = Options {
        language: work.audio.language.clone(),
        label: work.audio.title.clone(),
        ..Options::new(Cut::Audio { segment_ms: work.segment_ms })
    };
    let track = work.track.clone();
    let plan =
        Plan { track: track.clone(), chunk: 0, options, live: true, key: key(work.encryption.as_ref())? };
    let run = Run {
        arguments: command::audio(source, work),
        outputs: vec![track.clone()],
        source,
        total: Total::Time,
        made: track,
        nice: 0,
    };
    encode(attempt, run, vec![plan]).await
}

fn key(encryption: Option<&Encryption>) -> Result<Option<Key>, Fault> {
    let invalid = |_| Fault::permanent("key_invalid", "The key of the video is none.");
    encryption.map(Key::try_from).transpose().map_err(invalid)
}

async fn encode(attempt: &Attempt, run: Run<'_>, plans: Vec<Plan>) -> Result<Vec<TrackPart>, Fault> {
    let stores = Arc::new(Semaphore::new(limits::STORES_AT_ONCE));
    let storing = attempt.clone();
    let sink = move |number: usize, stream| {
        let (attempt, stores) = (storing.clone(), stores.clone());
        track::sink(attempt, plans[number].clone(), stores, stream)
    };
    let parts = ffmpeg::run(attempt, run, sink).await?;
    Ok(parts.outputs.into_iter().flatten().collect())
}
