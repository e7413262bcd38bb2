//! The grid of time: groups of pictures, segments, and the chunks that are encoded apart. All of it is counted in
//! frames of the output's constant rate, so that it is exact for 30000/1001 as well.

use tidegate_wire::track::Ratio;

use crate::limits;

/// Groups of pictures in a segment.
pub const SEGMENT_GOPS: u32 = 2;

/// How long groups and segments are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    /// Frames a second.
    pub rate: Ratio,
    /// Frames from one keyframe to the next: two seconds, as nearly as frames allow.
    pub gop_frames: u32,
}

/// A stretch of the video that is encoded by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    /// Its first frame.
    pub first_frame: u64,
    /// Its frames; `None` for all there are: what a file says of its length may be wrong.
    pub frames: Option<u64>,
    /// The number of its first segment in the track.
    pub first_segment: u64,
}

impl Grid {
    /// The grid at a rate.
    pub fn at(rate: Ratio) -> Self {
        let (num, den) = (u64::from(rate.num.get()), u64::from(rate.den.get()));
        // 2·num/den, to the nearest.
        let gop = (4 * num + den) / (2 * den);
        Self { rate, gop_frames: u32::try_from(gop).unwrap_or(u32::MAX / SEGMENT_GOPS).max(1) }
    }

    /// Frames in a segment.
    pub fn segment_frames(&self) -> u64 {
        u64::from(self.gop_frames) * u64::from(SEGMENT_GOPS)
    }

    /// How long a segment is, in milliseconds, to the nearest.
    pub fn segment_ms(&self) -> u64 {
        self.ms(self.segment_frames())
    }

    /// How long so many frames are, in milliseconds, to the nearest.
    pub fn ms(&self, frames: u64) -> u64 {
        let (num, den) = (u128::from(self.rate.num.get()), u128::from(self.rate.den.get()));
        let ms = (u128::from(frames) * den * 1000 + num / 2) / num;
        u64::try_from(ms).unwrap_or(u64::MAX)
    }

    /// How many frames begin within so many milliseconds.
    fn frames(&self, ms: u64) -> u64 {
        let (num, den) = (u128::from(self.rate.num.get()), u128::from(self.rate.den.get()));
        u64::try_from((u128::from(ms) * num).div_ceil(den * 1000)).unwrap_or(u64::MAX)
    }

    /// Cuts a source of this length. Short ones stay whole: starting a second encoder costs more than it saves.
    pub fn chunks(&self, duration_ms: u64) -> Vec<Chunk> {
        if duration_ms <= limits::WHOLE_UP_TO_MS {
            return vec![Chunk { first_frame: 0, frames: None, first_segment: 0 }];
        }
        let segments = self.frames(duration_ms).div_ceil(self.segment_frames());
        let per_chunk = limits::CHUNK_SEGMENTS.max(segments.div_ceil(limits::MAX_CHUNKS));
        // A single segment at the end goes with what is before it.
        let count = ((segments + per_chunk - 2) / per_chunk).max(1);
        (0..count)
            .map(|n| Chunk {
                first_frame: n * per_chunk * self.segment_frames(),
                frames: (n + 1 < count).then(|| per_chunk * self.segment_frames()),
                first_segment: n * per_chunk,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use proptest::prelude::*;

    use super::*;

    fn grid(num: u32, den: u32) -> Grid {
        Grid::at(Ratio { num: NonZeroU32::new(num).unwrap(), den: NonZeroU32::new(den).unwrap() })
    }

    #[test]
    fn a_segment_is_four_seconds_as_nearly_as_frames_allow() {
        for (num, den, gop, ms) in [
            (30, 1, 60, 4000),
            (25, 1, 50, 4000),
            (24, 1, 48, 4000),
            (60, 1, 120, 4000),
            (30_000, 1001, 60, 4004),
            (60_000, 1001, 120, 4004),
            (24_000, 1001, 48, 4004),
            (15, 1, 30, 4000),
            (1, 1, 2, 4000),
            (1, 10, 1, 20_000),
        ] {
            let grid = grid(num, den);
            assert_eq!((grid.gop_frames, grid.segment_ms()), (gop, ms), "{num}/{den}");
        }
    }

    #[test]
    fn a_minute_stays_whole_and_more_is_cut_on_the_grid() {
        let chunk = |first_frame, frames, first_segment| Chunk { first_frame, frames, first_segment };
        let grid = grid(30, 1);
        for whole in [0, 1, 10_000, 60_000] {
            assert_eq!(grid.chunks(whole), [chunk(0, None, 0)]);
        }
        assert_eq!(
            grid.chunks(60_001),
            [chunk(0, Some(720), 0), chunk(720, Some(720), 6), chunk(1440, None, 12)]
        );
        // 19 segments: the last goes with the six before it, 28 s.
        assert_eq!(
            grid.chunks(76_000),
            [chunk(0, Some(720), 0), chunk(720, Some(720), 6), chunk(1440, None, 12)]
        );
        assert_eq!(grid.chunks(300_000).len(), 13);
        assert_eq!(grid.chunks(u64::MAX / 2).len() as u64, limits::MAX_CHUNKS);
    }

    proptest! {
        #[test]
        fn chunks_cover_every_frame_once_and_begin_on_the_segment_grid(
            num in 1u32..120_000, den in 1u32..2000, duration_ms in 0u64..200_000_000
        ) {
            let grid = grid(num, den);
            let chunks = grid.chunks(duration_ms);
            let mut at = 0;
            for (n, chunk) in chunks.iter().enumerate() {
                prop_assert_eq!(chunk.first_frame, at);
                prop_assert_eq!(chunk.first_segment * grid.segment_frames(), at);
                prop_assert_eq!(chunk.frames.is_none(), n + 1 == chunks.len());
                if let Some(frames) = chunk.frames {
                    prop_assert!(frames > 0 && frames.is_multiple_of(grid.segment_frames()));
                    at += frames;
                }
            }
            prop_assert!(chunks.len() == 1 || grid.frames(duration_ms) > at, "the last one has something to do");
            prop_assert!(chunks.len() as u64 <= limits::MAX_CHUNKS);
        }
    }
}
