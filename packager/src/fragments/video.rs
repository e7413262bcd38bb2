//! Pictures: one fragment of the input is one group, some groups are a segment.

use std::mem;
use std::num::NonZeroU32;

use bytes::Bytes;
use tidegate_wire::track::Ratio;

use super::error::Error;
use super::init::Movie;
use super::moof::Fragment;
use super::segment::{self, Chunk, Place};
use super::{Options, Segment};
use crate::limits;

pub(super) struct Cutter {
    rate: Ratio,
    timescale: NonZeroU32,
    gop_frames: u32,
    segment_gops: u32,
    edit_start: u64,
    first_tick: u64,
    number: u64,
    groups: Vec<Chunk>,
    size: u64,
    /// A group that was too short was the last.
    ended_with: Option<usize>,
}

impl Cutter {
    pub(super) fn new(
        options: &Options,
        movie: &Movie,
        rate: Ratio,
        (gop_frames, segment_gops): (u32, u32),
    ) -> Self {
        Self {
            rate,
            timescale: movie.timescale,
            gop_frames,
            segment_gops: segment_gops.max(1),
            edit_start: movie.edit_start,
            first_tick: options.first_tick,
            number: options.first_segment,
            groups: Vec::new(),
            size: 0,
            ended_with: None,
        }
    }

    pub(super) fn add(
        &mut self,
        mut fragment: Fragment,
        data: Vec<Bytes>,
        ready: &mut impl FnMut(Segment),
    ) -> Result<(), Error> {
        self.check(&fragment)?;
        self.fold_edit(&mut fragment)?;
        self.size += fragment.data_size;
        if self.size > limits::MAX_SEGMENT_BYTES {
            let (size, limit) = (self.size, limits::MAX_SEGMENT_BYTES);
            return Err(Error::TooLarge { what: "a segment", size, limit });
        }
        let decode_time = self.first_tick + fragment.decode_time;
        self.groups.push(Chunk { decode_time, samples: fragment.samples, data });
        if self.groups.len() as u64 >= u64::from(self.segment_gops)
            && let Some(segment) = self.finish()?
        {
            ready(segment);
        }
        Ok(())
    }

    pub(super) fn finish(&mut self) -> Result<Option<Segment>, Error> {
        if self.groups.is_empty() {
            return Ok(None);
        }
        let place = Place { number: self.number, fragments: u64::from(self.segment_gops), edit_start: 0 };
        self.number += 1;
        self.size = 0;
        segment::write(&place, mem::take(&mut self.groups), true).map(Some)
    }

    /// One keyframe, in front; as many frames as the grid has; each as long as the rate says.
    fn check(&mut self, fragment: &Fragment) -> Result<(), Error> {
        let frames = &fragment.samples;
        if !frames.first().is_some_and(|frame| frame.is_sync()) {
            return Err(Error::NoKeyframe);
        }
        if let Some(stray) = frames.iter().skip(1).position(|frame| frame.is_sync()) {
            return Err(Error::StrayKeyframe(stray + 1));
        }
        let off_grid = |found| Err(Error::GroupLength { expected: self.gop_frames, found });
        if let Some(found) = self.ended_with {
            return off_grid(found);
        }
        match frames.len() as u64 {
            many if many > u64::from(self.gop_frames) => return off_grid(frames.len()),
            few if few < u64::from(self.gop_frames) => self.ended_with = Some(frames.len()),
            _ => {}
        }
        // A frame lasts den/num seconds, which is this many ticks times num.
        let lasts = u64::from(self.timescale.get()) * u64::from(self.rate.den.get());
        let is_off = |duration: u32| u64::from(duration) * u64::from(self.rate.num.get()) != lasts;
        match frames.iter().find(|frame| is_off(frame.duration)) {
            Some(frame) => {
                Err(Error::FrameDuration { found: frame.duration, timescale: self.timescale.get() })
            }
            None => Ok(()),
        }
    }

    /// Puts the edit list into the composition offsets, so that a group is shown from its decode time on.
    fn fold_edit(&self, fragment: &mut Fragment) -> Result<(), Error> {
        for (index, frame) in fragment.samples.iter_mut().enumerate() {
            let shift = i64::from(frame.shift) - self.edit_start.cast_signed();
            if index == 0 && shift != 0 {
                return Err(Error::FirstPicture(fragment.decode_time.cast_signed() + shift));
            }
            frame.shift = i32::try_from(shift).map_err(|_| Error::FirstPicture(shift))?;
        }
        Ok(())
    }
}
