//! What the segments of a track really hold: written down by whoever made them, read by whoever writes manifests.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

/// A whole number over another: a frame rate (frames per second), 30000/1001.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ratio {
    /// Above the line.
    pub num: NonZeroU32,
    /// Below it.
    pub den: NonZeroU32,
}

impl Ratio {
    /// As a number.
    pub fn as_f64(self) -> f64 {
        f64::from(self.num.get()) / f64::from(self.den.get())
    }
}

/// What a decoder has to know before the first segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    /// The `codecs` parameter of the track (RFC 6381), from its sample description: `avc1.64001f`, `mp4a.40.2`.
    pub codecs: String,
    /// Ticks a second; of every time below.
    pub timescale: NonZeroU32,
    /// BCP 47, where the source says one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// What the source calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// What kind of media.
    #[serde(flatten)]
    pub media: Media,
}

/// The kinds of tracks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "media")]
pub enum Media {
    /// Pictures; samples are square.
    Video {
        /// Columns.
        width: u32,
        /// Lines.
        height: u32,
        /// Every frame lasts one over this.
        frame_rate: Ratio,
    },
    /// Sound.
    Audio {
        /// Samples a second.
        sample_rate: u32,
        /// Channels.
        channels: u32,
    },
}

/// A run of segments that one job attempt made: a whole track, or one chunk of it. Its files are `DIR/init.mp4` and
/// `DIR/00000.m4s`, `DIR/00001.m4s`, …; their bytes never change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackPart {
    /// The track: `v720`, `a0`; lower-case letters, digits and hyphens.
    pub track: String,
    /// Which part of the track this is, from 0.
    pub chunk: u32,
    /// Where the files are, below the revision: `12-1/v720`.
    pub dir: String,
    /// Parts of a track have one format.
    pub format: Format,
    /// Bytes of `init.mp4`.
    pub init_size_bytes: u64,
    /// BLAKE3 of `init.mp4`, hexadecimal: the parts of a track share one set of decoder parameters.
    pub init_digest: String,
    /// In order, without gaps.
    pub segments: Vec<Segment>,
    /// Whether this is all of the part; `false` while it is being made.
    pub whole: bool,
}

impl TrackPart {
    /// The path of the initialisation segment, below the revision.
    pub fn init_path(&self) -> String {
        format!("{}/init.mp4", self.dir)
    }

    /// The path of segment `index`, below the revision.
    pub fn segment_path(&self, index: usize) -> String {
        format!("{}/{index:05}.m4s", self.dir)
    }

    /// Where the part ends on the track's timeline.
    pub fn end_ticks(&self) -> Option<u64> {
        self.segments.last().map(|last| last.start_ticks + last.duration_ticks)
    }
}

/// One media segment: a file of one or more CMAF fragments (ISO/IEC 23000-19).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Where it starts on the track's timeline: its decode time (`tfdt` of its first fragment), less what an edit list
    /// hides of the encoder's priming; the first starts at 0.
    pub start_ticks: u64,
    /// From there to where the next one starts: the durations of its samples, as far as they are shown.
    pub duration_ticks: u64,
    /// Bytes, as stored.
    pub size_bytes: u64,
    /// Video: the pictures that decode alone, in order. A fragment begins with each. Empty where the stored bytes
    /// are encrypted as a whole, and for sound.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sync: Vec<SyncSample>,
}

/// Where in its segment an independent picture is: what an I-frame playlist points at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncSample {
    /// First byte of its fragment (`moof`) within the segment.
    pub offset_bytes: u64,
    /// Bytes from there to the end of the picture.
    pub size_bytes: u64,
    /// Time from this picture to the next one in the track, or to the end of the segment.
    pub duration_ticks: u64,
}
