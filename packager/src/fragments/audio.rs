//! Sound: cut between any two samples.

use std::collections::VecDeque;
use std::mem;
use std::num::NonZeroU32;

use bytes::Bytes;

use super::error::Error;
use super::init::Movie;
use super::moof::{Fragment, Sample};
use super::segment::{self, Chunk, Place};
use super::{Options, Segment};
use crate::limits;

/// What is shorter than this at the end of a track goes with the segment before it. hls.js, which leaves edit lists out
/// of account, does not see that it has a segment that is shorter than the priming, and never comes to the end.
const SHORTEST_REST_MS: u64 = 100;

/// A place between two samples.
#[derive(Clone, Copy)]
struct Mark {
    samples: usize,
    size: u64,
    end: u64,
}

pub(super) struct Cutter {
    timescale: NonZeroU32,
    segment_ms: u64,
    edit_start: u64,
    first_tick: u64,
    number: u64,
    samples: Vec<Sample>,
    /// Bytes of `samples`, and then those of samples that have not been looked at yet.
    data: VecDeque<Bytes>,
    size: u64,
    /// Where `samples` starts and ends on the stream's decode timeline.
    start: u64,
    end: u64,
    /// Where the next segment is to be cut, once enough follows to make another.
    due: Option<Mark>,
    /// Less than this at the end of the track is no segment of its own.
    rest: u64,
    /// The multiple of the segment's length the next segment ends at.
    multiple: u64,
}

impl Cutter {
    pub(super) fn new(options: &Options, movie: &Movie, segment_ms: u64) -> Self {
        let mut cutter = Self {
            timescale: movie.timescale,
            segment_ms: segment_ms.max(1),
            edit_start: movie.edit_start,
            first_tick: options.first_tick,
            number: options.first_segment,
            samples: Vec::new(),
            data: VecDeque::new(),
            size: 0,
            start: 0,
            end: 0,
            due: None,
            rest: segment_ms.min(SHORTEST_REST_MS) * u64::from(movie.timescale.get()) / 1000,
            multiple: 0,
        };
        cutter.multiple = cutter.multiples_at(0) + 1;
        cutter
    }

    pub(super) fn add(
        &mut self,
        fragment: Fragment,
        data: Vec<Bytes>,
        ready: &mut impl FnMut(Segment),
    ) -> Result<(), Error> {
        self.data.extend(data);
        for sample in fragment.samples {
            if sample.shift != 0 {
                return Err(Error::Unsupported("sound that is reordered"));
            }
            self.push(sample)?;
            if self.multiples_at(self.end) >= self.multiple {
                self.multiple = self.multiples_at(self.end) + 1;
                if let Some(due) = self.due.replace(self.mark()) {
                    ready(self.cut(due)?);
                }
            }
            if let Some(due) = self.due.take_if(|due| self.end - due.end >= self.rest) {
                ready(self.cut(due)?);
            }
        }
        Ok(())
    }

    pub(super) fn finish(&mut self) -> Result<Option<Segment>, Error> {
        // Nothing but priming is nothing to hear.
        if self.samples.is_empty() || self.first_tick + self.end <= self.edit_start || self.end == self.start
        {
            return Ok(None);
        }
        // What is left behind a mark is too short to be a segment: it goes with what is before it.
        self.due = None;
        self.cut(self.mark()).map(Some)
    }

    fn mark(&self) -> Mark {
        Mark { samples: self.samples.len(), size: self.size, end: self.end }
    }

    fn push(&mut self, sample: Sample) -> Result<(), Error> {
        self.size += u64::from(sample.size);
        self.end += u64::from(sample.duration);
        self.samples.push(sample);
        let too_large = |what, size, limit| Err(Error::TooLarge { what, size, limit });
        if self.size > limits::MAX_SEGMENT_BYTES {
            return too_large("a segment", self.size, limits::MAX_SEGMENT_BYTES);
        }
        let (many, limit) = (self.samples.len() as u64, limits::MAX_FRAGMENT_SAMPLES as u64);
        if many > limit { too_large("a segment's count of samples", many, limit) } else { Ok(()) }
    }

    /// Everything before `at`; a mark behind it is counted from there.
    fn cut(&mut self, at: Mark) -> Result<Segment, Error> {
        let decode_time = self.first_tick + self.start;
        let data = self.take_data(at.size);
        let rest = self.samples.split_off(at.samples);
        let chunk = Chunk { decode_time, samples: mem::replace(&mut self.samples, rest), data };
        self.start = at.end;
        self.size -= at.size;
        if let Some(due) = &mut self.due {
            due.samples -= at.samples;
            due.size -= at.size;
        }
        let place = Place { number: self.number, fragments: 1, edit_start: self.edit_start };
        self.number += 1;
        segment::write(&place, vec![chunk], false)
    }

    fn take_data(&mut self, mut left: u64) -> Vec<Bytes> {
        let mut taken = Vec::new();
        while left > 0
            && let Some(front) = self.data.front_mut()
        {
            let count = usize::try_from(left).unwrap_or(usize::MAX).min(front.len());
            taken.push(front.split_to(count));
            left -= count as u64;
            if front.is_empty() {
                self.data.pop_front();
            }
        }
        taken
    }

    /// How many whole segments' lengths lie before this place of the stream, on the track's presentation timeline.
    fn multiples_at(&self, decode: u64) -> u64 {
        let shown = u128::from((self.first_tick + decode).saturating_sub(self.edit_start));
        let length = u128::from(self.segment_ms) * u128::from(self.timescale.get());
        u64::try_from(shown * 1000 / length).unwrap_or(u64::MAX - 1)
    }
}
