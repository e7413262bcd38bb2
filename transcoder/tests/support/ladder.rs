//! Works as an origin would plan them, and what came of them put together.

use std::path::{Path, PathBuf};

use tidegate_wire::job::{AudioStream, AudioWork, RenditionWork, Rung, VideoStream, Work};
use tidegate_wire::track::TrackPart;

use super::Origin;

pub fn gop_frames(video: &VideoStream) -> u32 {
    let rate = video.frame_rate;
    (2 * rate.num.get() + rate.den.get() / 2) / rate.den.get()
}

/// Frames of a segment of two groups.
pub fn segment_frames(video: &VideoStream) -> u64 {
    u64::from(gop_frames(video)) * 2
}

pub fn rung(track: &str, width: u32, height: u32) -> Rung {
    Rung { track: track.into(), width, height, bitrate_bps: 300_000, preset: "veryfast".into() }
}

/// Chunk `chunk` of as many segments.
pub fn chunk(video: &VideoStream, chunk: u32, segments: u64, last: bool, rungs: Vec<Rung>) -> RenditionWork {
    let frames = segment_frames(video) * segments;
    RenditionWork {
        video: video.clone(),
        chunk,
        first_frame: frames * u64::from(chunk),
        frames: (!last).then_some(frames),
        first_segment: segments * u64::from(chunk),
        gop_frames: gop_frames(video),
        segment_gops: 2,
        rungs,
        encryption: None,
    }
}

pub fn whole(video: &VideoStream, rungs: Vec<Rung>) -> Work {
    Work::Rendition(chunk(video, 0, 1, true, rungs))
}

pub fn sound(audio: &AudioStream, start_us: i64) -> AudioWork {
    AudioWork {
        audio: audio.clone(),
        track: "a0".into(),
        start_us,
        end_us: None,
        segment_ms: 4000,
        bitrate_bps: 128_000,
        channels: 2,
        encryption: None,
    }
}

/// Writes the parts of a track into one file, as a player would put them together.
pub fn join(origin: &Origin, parts: &[TrackPart], to: &Path) -> PathBuf {
    let mut bytes = stored(origin, &parts[0].init_path()).to_vec();
    for part in parts {
        for index in 0..part.segments.len() {
            let segment = stored(origin, &part.segment_path(index));
            assert_eq!(segment.len() as u64, part.segments[index].size_bytes);
            bytes.extend_from_slice(&segment);
        }
    }
    std::fs::write(to, bytes).unwrap();
    to.to_owned()
}

fn stored(origin: &Origin, path: &str) -> bytes::Bytes {
    origin.file(path.strip_prefix("12-1/").unwrap())
}
