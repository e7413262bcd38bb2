//! Parts as a worker reports them, made up.
#![allow(dead_code, unreachable_pub)]

use tidegate_wire::track::{Format, Media, Segment, SyncSample, TrackPart};

use super::rate;

/// A part whose segments have these durations and sizes.
pub fn part(track: &str, chunk: u32, format: Format, start: u64, segments: &[(u64, u64)]) -> TrackPart {
    let pictures = matches!(format.media, Media::Video { .. });
    let mut start_ticks = start;
    let segments = segments.iter().map(|(duration_ticks, size_bytes)| {
        let half = duration_ticks / 2;
        let sync = [(24, 1000, half), (size_bytes / 2, 800, duration_ticks - half)].into_iter();
        let sync = sync.map(|(offset_bytes, size_bytes, duration_ticks)| SyncSample {
            offset_bytes,
            size_bytes,
            duration_ticks,
        });
        let sync = if pictures { sync.collect() } else { Vec::new() };
        let segment = Segment { start_ticks, duration_ticks: *duration_ticks, size_bytes: *size_bytes, sync };
        start_ticks += duration_ticks;
        segment
    });
    TrackPart {
        track: track.into(),
        chunk,
        dir: format!("{}-1/{track}", chunk + 10),
        format,
        init_size_bytes: 700,
        init_digest: format!("digest of {track}"),
        segments: segments.collect(),
        whole: true,
    }
}

pub fn pictures(width: u32, height: u32) -> Format {
    let media = Media::Video { width, height, frame_rate: rate(30, 1) };
    Format { codecs: "avc1.64001e".into(), timescale: rate(30, 1).num, language: None, label: None, media }
}

pub fn sound(language: Option<&str>, label: Option<&str>) -> Format {
    Format {
        codecs: "mp4a.40.2".into(),
        timescale: rate(48_000, 1).num,
        language: language.map(str::to_owned),
        label: label.map(str::to_owned),
        media: Media::Audio { sample_rate: 48_000, channels: 2 },
    }
}
