//! Cuts the fragmented MP4 an encoder writes into CMAF segments (ISO/IEC 23000-19), while it is being written.
//!
//! ```no_run
//! # use std::num::NonZeroU32;
//! use bytes::Bytes;
//! use tidegate_packager::fragments::{Cut, Options, Output, Splitter};
//! use tidegate_wire::track::Ratio;
//!
//! # fn read() -> Option<Bytes> { None }
//! # fn store(name: &str, pieces: &[Bytes]) {}
//! # fn main() -> Result<(), tidegate_packager::fragments::Error> {
//! # let (num, den) = (NonZeroU32::new(30).unwrap(), NonZeroU32::new(1).unwrap());
//! let cut = Cut::Video { frame_rate: Ratio { num, den }, gop_frames: 60, segment_gops: 2 };
//! let mut splitter = Splitter::new(Options::new(cut));
//! let mut index = 0;
//! while let Some(bytes) = read() {
//!     for output in splitter.push(bytes)? {
//!         match output {
//!             Output::Init(init) => store("init.mp4", &[init.bytes]),
//!             Output::Segment(segment) => {
//!                 store(&format!("{index:05}.m4s"), &segment.bytes);
//!                 index += 1;
//!             }
//!         }
//!     }
//! }
//! for output in splitter.finish()? { /* the last segment, the same way */ }
//! # Ok(()) }
//! ```
//!
//! What ffmpeg has to be asked for, one track in each output:
//!
//! - pictures: `-f mp4 -movflags +frag_keyframe+empty_moov+default_base_moof+negative_cts_offsets`,
//!   `-video_track_timescale RATE.num`, closed groups of exactly `gop_frames` (only the last may be shorter), every
//!   frame `RATE.den` ticks long, the first one at time zero. One fragment is one group.
//! - sound: `-f mp4 -movflags +empty_moov+default_base_moof+delay_moov -frag_duration 500000`: any length of
//!   fragments will do, segments are cut between samples. `delay_moov` makes ffmpeg say in an edit list how much
//!   priming the encoder put in front; without it sound comes late by that.
//!
//! Segments are written anew from the list of samples: a `styp`, then for each fragment `moof` and `mdat`, numbered
//! through the track, with `tfdt` of 64 bits moved to where the chunk lies in the track. The bytes of the samples are
//! those that came in, as slices wherever the input's pieces are large enough.
//!
//! Memory: at most one segment and one fragment, within [`limits`].

mod audio;
mod boxes;
mod codecs;
mod error;
mod init;
mod moof;
mod segment;
mod stream;
mod video;

use std::mem;

use bytes::Bytes;
use tidegate_wire::track::{self, Format, Ratio};

pub use error::{BoxKind, Error};

use crate::limits;
use init::Movie;
use moof::Fragment;
use stream::{Boxes, Piece};

/// Where a track is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Pictures: each fragment of the input is one group, each segment `segment_gops` of them.
    Video {
        /// Every frame lasts one over this.
        frame_rate: Ratio,
        /// Frames in a group; the last group may have fewer.
        gop_frames: u32,
        /// Groups in a segment; the last segment may have fewer.
        segment_gops: u32,
    },
    /// Sound: a segment ends at the first sample at or after each multiple of this, on the presentation timeline.
    Audio {
        /// In milliseconds.
        segment_ms: u64,
    },
}

/// How a stream is cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Where.
    pub cut: Cut,
    /// Where in the track this stream starts, in ticks of the track; the stream itself starts at zero.
    pub first_tick: u64,
    /// Number of the first segment in the track; fragments are numbered on from there.
    pub first_segment: u64,
    /// For [`Format::language`].
    pub language: Option<String>,
    /// For [`Format::label`].
    pub label: Option<String>,
}

impl Options {
    /// Of a track's first stream, in a language nobody knows.
    pub fn new(cut: Cut) -> Self {
        Self { cut, first_tick: 0, first_segment: 0, language: None, label: None }
    }
}

/// Something that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Comes once, before every segment.
    Init(Init),
    /// The next segment.
    Segment(Segment),
}

/// The initialisation segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Init {
    /// To be stored as it is. Encodes with the same settings have the same bytes, whatever their length.
    pub bytes: Bytes,
    /// What a decoder has to know.
    pub format: Format,
}

/// A media segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Its number in the track, [`Options::first_segment`] counted in: the initialisation vector's value when it is
    /// encrypted.
    pub number: u64,
    /// To be stored one after the other.
    pub bytes: Vec<Bytes>,
    /// What is in it.
    pub entry: track::Segment,
}

impl Segment {
    /// All of it in one buffer; a copy.
    pub fn to_bytes(&self) -> Bytes {
        self.bytes.concat().into()
    }
}

enum Cutter {
    Video(video::Cutter),
    Audio(audio::Cutter),
}

/// Takes a stream in pieces of any size, gives segments as soon as they are whole.
pub struct Splitter {
    options: Options,
    boxes: Boxes,
    movie: Option<Movie>,
    cutter: Option<Cutter>,
    /// A `moof` whose `mdat` has not come yet, and how long it was.
    fragment: Option<(Fragment, u64)>,
    /// Where the next fragment has to start, on the stream's own timeline.
    next_decode: u64,
    failed: bool,
}

impl Splitter {
    /// For one stream.
    pub fn new(options: Options) -> Self {
        let (boxes, failed) = (Boxes::new(), false);
        Self { options, boxes, movie: None, cutter: None, fragment: None, next_decode: 0, failed }
    }

    /// Takes the next piece of the stream; what became whole with it, which may be nothing.
    ///
    /// # Errors
    /// When the stream is broken, hostile or off the grid. What came out before stays right; there is no going on.
    pub fn push(&mut self, bytes: Bytes) -> Result<Vec<Output>, Error> {
        let mut outputs = Vec::new();
        self.guarded(|splitter| splitter.take(bytes, &mut outputs))?;
        Ok(outputs)
    }

    /// Says that the stream has ended; the last segment, if it was still waiting for more. A stream without frames is
    /// no error, nor is one without a single byte: there was nothing to encode.
    ///
    /// # Errors
    /// When the stream ended too soon, and as [`Splitter::push`].
    pub fn finish(mut self) -> Result<Vec<Output>, Error> {
        let mut outputs = Vec::new();
        self.guarded(|splitter| splitter.end(&mut outputs))?;
        Ok(outputs)
    }

    fn guarded(&mut self, work: impl FnOnce(&mut Self) -> Result<(), Error>) -> Result<(), Error> {
        if mem::replace(&mut self.failed, true) {
            return Err(Error::Failed);
        }
        work(self)?;
        self.failed = false;
        Ok(())
    }

    fn take(&mut self, mut bytes: Bytes, outputs: &mut Vec<Output>) -> Result<(), Error> {
        while let Some(piece) = self.boxes.next(&mut bytes)? {
            match piece {
                Piece::Moov(body) => outputs.push(Output::Init(self.start(&body)?)),
                Piece::Moof(body, size) => self.open(&body, size)?,
                Piece::Mdat(body, header) => self.close(body.into_vec(), header, outputs)?,
            }
        }
        Ok(())
    }

    fn start(&mut self, moov: &[u8]) -> Result<Init, Error> {
        if self.movie.is_some() {
            return Err(Error::Misplaced { kind: BoxKind(*b"moov"), why: "there is a second one" });
        }
        if self.options.first_tick >= limits::MAX_TICKS {
            let (size, limit) = (self.options.first_tick, limits::MAX_TICKS);
            return Err(Error::TooLarge { what: "a start in ticks", size, limit });
        }
        let movie = Movie::parse(moov)?;
        let (rate, cutter) = match self.options.cut {
            Cut::Video { frame_rate, gop_frames, segment_gops } => {
                let cutter =
                    video::Cutter::new(&self.options, &movie, frame_rate, (gop_frames, segment_gops));
                (Some(frame_rate), Cutter::Video(cutter))
            }
            Cut::Audio { segment_ms } => {
                (None, Cutter::Audio(audio::Cutter::new(&self.options, &movie, segment_ms)))
            }
        };
        let mut format = movie.format(rate)?;
        format.language.clone_from(&self.options.language);
        format.label.clone_from(&self.options.label);
        let init = Init { bytes: movie.to_init().into(), format };
        (self.movie, self.cutter) = (Some(movie), Some(cutter));
        Ok(init)
    }

    fn open(&mut self, moof: &[u8], size: u64) -> Result<(), Error> {
        let misplaced = |why| Error::Misplaced { kind: BoxKind(*b"moof"), why };
        let movie = self.movie.as_ref().ok_or(misplaced("there is no moov before it"))?;
        if self.fragment.is_some() {
            return Err(misplaced("the samples of the one before have not come"));
        }
        let fragment = Fragment::parse(moof, movie)?;
        if fragment.decode_time != self.next_decode {
            return Err(Error::Gap { expected: self.next_decode, found: fragment.decode_time });
        }
        self.next_decode += fragment.samples.iter().map(|sample| u64::from(sample.duration)).sum::<u64>();
        self.fragment = Some((fragment, size));
        Ok(())
    }

    fn close(&mut self, data: Vec<Bytes>, header: u64, outputs: &mut Vec<Output>) -> Result<(), Error> {
        let misplaced = Error::Misplaced { kind: BoxKind(*b"mdat"), why: "there is no moof before it" };
        let (Some((fragment, moof_size)), Some(cutter)) = (self.fragment.take(), &mut self.cutter) else {
            // ffmpeg writes an empty one where it has nothing to put into the moov.
            return if data.is_empty() { Ok(()) } else { Err(misplaced) };
        };
        fragment.fits(moof_size, header, data.iter().map(|piece| piece.len() as u64).sum())?;
        let mut ready = |segment| outputs.push(Output::Segment(segment));
        match cutter {
            Cutter::Video(cutter) => cutter.add(fragment, data, &mut ready),
            Cutter::Audio(cutter) => cutter.add(fragment, data, &mut ready),
        }
    }

    fn end(&mut self, outputs: &mut Vec<Output>) -> Result<(), Error> {
        self.boxes.finish()?;
        if self.fragment.is_some() {
            return Err(Error::Truncated("a fragment, before its samples"));
        }
        let last = match &mut self.cutter {
            None if self.boxes.touched() => return Err(Error::Truncated("the header, before any moov")),
            None => None,
            Some(Cutter::Video(cutter)) => cutter.finish()?,
            Some(Cutter::Audio(cutter)) => cutter.finish()?,
        };
        outputs.extend(last.map(Output::Segment));
        Ok(())
    }
}
