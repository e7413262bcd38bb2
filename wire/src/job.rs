//! What an origin and a worker tell each other about transcoding jobs, below `/internal/jobs`.
//!
//! A worker needs nothing but these calls: it claims a job, reads the source, stores files under the attempt's own
//! directory, says how far it is, and how it ended. Every call about a job names the attempt; what an attempt says
//! that is no longer the newest is refused with `job_taken_over`.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::AssetId;
use crate::track::{Ratio, TrackPart};

/// The kinds of jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Look at the source.
    Probe,
    /// The poster and the storyboard.
    Poster,
    /// Some rungs of one chunk of the video.
    Rendition,
    /// One audio track, whole.
    Audio,
    /// The text subtitles of the source as WebVTT.
    Captions,
    /// Check what was made and write the final manifests.
    Package,
}

/// `POST /internal/jobs/claim`: 200 and a [`Claim`], or 204 when the wait is over and there is nothing to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimRequest {
    /// Who asks; its identity in logs and lists. At most 100 characters.
    pub worker: String,
    /// Seconds to wait for a job; 0 to ask and go (pull). At most a minute.
    pub wait_s: u32,
    /// Bytes free for the source and what is made of it; no job is given out that needs more.
    pub scratch_free_bytes: u64,
    /// Sources the worker has at hand already, whose jobs need no room.
    #[serde(default)]
    pub holds: Vec<AssetId>,
}

/// A job to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The job.
    pub job: Uuid,
    /// Which try this is, from 1: the fencing token.
    pub attempt: u32,
    /// Whose video.
    pub asset: AssetId,
    /// Of which packaging.
    pub revision: u32,
    /// The directory of this attempt below the revision: `12-1`.
    pub dir: String,
    /// The uploaded bytes.
    pub source: Source,
    /// What is to be done.
    pub work: Work,
    /// The attempt is given up when nothing was heard of it for so long, in seconds. Say something each third of it.
    pub lease_s: u32,
    /// The attempt is to end itself when its progress stands still for so long, in seconds.
    pub stall_s: u32,
}

/// The uploaded file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Its path on the origin; read with the fleet key.
    pub path: String,
    /// Its files below the directory of the origin's store, in order; empty where the store is no directory.
    #[serde(default)]
    pub stored_as: Vec<String>,
    /// Bytes.
    pub size_bytes: u64,
    /// `blake3:HEX`.
    pub digest: String,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Work {
    /// See [`Kind::Probe`]; reports [`Report::Probed`].
    Probe,
    /// See [`Kind::Poster`]; stores `poster.jpg`, `storyboard.jpg`, `storyboard.vtt`.
    Poster(PosterWork),
    /// See [`Kind::Rendition`]; reports one [`TrackPart`] for each rung.
    Rendition(RenditionWork),
    /// See [`Kind::Audio`]; reports one [`TrackPart`].
    Audio(AudioWork),
    /// See [`Kind::Captions`]; stores `NAME.vtt` for each.
    Captions(CaptionsWork),
    /// See [`Kind::Package`]; stores the manifests.
    Package(PackageWork),
}

impl Work {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Probe => Kind::Probe,
            Self::Poster(_) => Kind::Poster,
            Self::Rendition(_) => Kind::Rendition,
            Self::Audio(_) => Kind::Audio,
            Self::Captions(_) => Kind::Captions,
            Self::Package(_) => Kind::Package,
        }
    }
}

/// The stream pictures are taken from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VideoStream {
    /// Its number in the file, as ffmpeg counts.
    pub index: u32,
    /// ffmpeg's name of the codec.
    pub codec: String,
    /// Columns as shown: after rotation, with square samples.
    pub width: u32,
    /// Lines as shown.
    pub height: u32,
    /// Degrees clockwise the picture is turned by when shown: 0, 90, 180, 270.
    pub rotation: u32,
    /// The rate its frames are brought to: constant, one of the usual ones.
    pub frame_rate: Ratio,
    /// Whether the source's own rate varies.
    pub variable_rate: bool,
    /// ffmpeg's name of the transfer function where it is one of high dynamic range: `smpte2084`, `arib-std-b67`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hdr: Option<String>,
    /// Whether it consists of two fields a frame.
    pub interlaced: bool,
    /// Where its first frame lies on the file's timeline, in microseconds; may be below zero.
    pub start_us: i64,
}

/// A stream of sound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioStream {
    /// Its number in the file.
    pub index: u32,
    /// ffmpeg's name of the codec.
    pub codec: String,
    /// Channels.
    pub channels: u32,
    /// Samples a second.
    pub sample_rate: u32,
    /// BCP 47, where the file says one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// What the file calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// A stream of subtitles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubtitleStream {
    /// Its number in the file.
    pub index: u32,
    /// ffmpeg's name of the codec.
    pub codec: String,
    /// Whether it is text; pictures of text cannot become WebVTT.
    pub is_text: bool,
    /// BCP 47, where the file says one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// What the file calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// What a probe has found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceInfo {
    /// ffmpeg's name of the container.
    pub container: String,
    /// From the first picture, or time zero where there is none, to the end of the stream of pictures or sound that ends
    /// last, in milliseconds; what the file says, which may be wrong. 0 where nobody knows.
    pub duration_ms: u64,
    /// The stream to show; `None` for sound alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video: Option<VideoStream>,
    /// In the file's order.
    #[serde(default)]
    pub audio: Vec<AudioStream>,
    /// In the file's order.
    #[serde(default)]
    pub subtitles: Vec<SubtitleStream>,
}

/// A picture for the library and one for each stretch of the seek bar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PosterWork {
    /// What to look at.
    pub video: VideoStream,
    /// How long the source is, in milliseconds.
    pub duration_ms: u64,
    /// Where the poster is taken, in milliseconds.
    pub at_ms: u64,
    /// Columns and lines of the poster.
    pub size: (u32, u32),
    /// Time between two tiles of the storyboard, in milliseconds.
    pub tile_every_ms: u64,
    /// Columns and lines of a tile.
    pub tile_size: (u32, u32),
    /// Tiles in a row of the sprite.
    pub tile_columns: u32,
}

/// Some rungs of one chunk, in one decode. Times are frames on the grid of the output's constant rate, frame 0 being
/// the source's first; a chunk made alone is frame for frame what a whole encode would hold there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenditionWork {
    /// What to encode.
    pub video: VideoStream,
    /// Which part of the track.
    pub chunk: u32,
    /// First frame of the chunk; a multiple of a segment's.
    pub first_frame: u64,
    /// Frames in the chunk, exactly: where the pictures end before it does, the last one is held. `None` to the end of
    /// the pictures, whose length nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frames: Option<u64>,
    /// The number of the chunk's first segment in the track.
    pub first_segment: u64,
    /// Frames from one keyframe to the next; none in between.
    pub gop_frames: u32,
    /// Groups of pictures in a segment.
    pub segment_gops: u32,
    /// What to make, one track for each.
    pub rungs: Vec<Rung>,
    /// Encrypts the segments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Encryption>,
}

/// One rung of the ladder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rung {
    /// The track's name: `v720`.
    pub track: String,
    /// Columns; even.
    pub width: u32,
    /// Lines; even.
    pub height: u32,
    /// What it may cost on average, in bits a second.
    pub bitrate_bps: u32,
    /// The encoder's preset, the same for every chunk: parts that different workers make have one set of decoder
    /// parameters.
    pub preset: String,
}

/// One audio track, encoded whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioWork {
    /// What to encode.
    pub audio: AudioStream,
    /// The track's name: `a0`.
    pub track: String,
    /// Where time zero of the video lies on the file's timeline, in microseconds; sound before it is cut, a gap after
    /// it is filled with silence.
    pub start_us: i64,
    /// Where the pictures end, in microseconds from time zero: silence goes on until there, and what is behind it is cut.
    /// `None` to the end of the sound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_us: Option<u64>,
    /// In milliseconds; a segment ends at the first frame at or after each multiple of it.
    pub segment_ms: u64,
    /// In bits a second.
    pub bitrate_bps: u32,
    /// 1 or 2.
    pub channels: u32,
    /// Encrypts the segments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Encryption>,
}

/// Subtitles to take out of the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaptionsWork {
    /// Streams of text.
    pub streams: Vec<SubtitleStream>,
    /// The names of what becomes of them, in the same order: `t0`.
    pub tracks: Vec<String>,
    /// Where time zero of the video lies on the file's timeline, in microseconds.
    pub start_us: i64,
}

/// A text track that lies ready below the revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextTrack {
    /// Its name: `t0`.
    pub track: String,
    /// Its path below the revision: `14-1/t0.vtt`.
    pub path: String,
    /// BCP 47, `und` where nobody said.
    pub language: String,
    /// What a menu shows.
    pub label: String,
}

/// Everything that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageWork {
    /// Every part of every track.
    pub parts: Vec<TrackPart>,
    /// Captions.
    #[serde(default)]
    pub texts: Vec<TextTrack>,
    /// How many chunks a video track has.
    pub chunks: u32,
    /// How the segments are encrypted; the key itself is not needed.
    #[serde(default)]
    pub encrypted: bool,
}

/// HLS AES-128 over whole segments (RFC 8216 section 4.3.2.4): CBC, PKCS7, the segment's number in its track as the
/// initialisation vector. Initialisation segments stay in the clear.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encryption {
    /// 16 bytes in hexadecimal digits.
    pub key: String,
}

impl std::fmt::Debug for Encryption {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Encryption(…)")
    }
}

/// `POST /internal/jobs/{job}/heartbeat`: 204, or `job_taken_over` (409) when the attempt is to stop at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Which attempt speaks.
    pub attempt: u32,
    /// How much of it is done, 0 to 1.
    pub done: f64,
    /// Parts that have grown, as far as their files are stored. What is named here may be played.
    #[serde(default)]
    pub parts: Vec<TrackPart>,
}

/// `POST /internal/jobs/{job}/finish`: 204. Said again it changes nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finish {
    /// Which attempt speaks.
    pub attempt: u32,
    /// How it ended.
    pub ending: Ending,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "ending")]
pub enum Ending {
    /// It is done.
    Done {
        /// What came of it.
        report: Report,
    },
    /// It failed.
    Failed(Failure),
    /// The worker is stopping: the job is as it was, and the attempt is not held against it.
    Released,
}

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Whether the source is to blame, so that trying again is of no use.
    pub permanent: bool,
    /// A stable code: `not_a_video`, `no_streams`, `source_too_large`, `decode_failed`, `stalled`, `disk_full`, …
    pub code: String,
    /// A sentence for the owner of the video; no paths.
    pub message: String,
    /// The last lines of ffmpeg's log, for the operator.
    #[serde(default)]
    pub log: String,
}

/// What came of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "report")]
pub enum Report {
    /// A probe's.
    Probed {
        /// What it found.
        info: SourceInfo,
    },
    /// A rendition's or an audio track's.
    Encoded {
        /// Whole parts. A chunk of unknown length behind the real end of the source has no segments.
        parts: Vec<TrackPart>,
    },
    /// A poster's, captions' or package's.
    Stored {
        /// Names of the files, in the attempt's directory.
        files: Vec<String>,
    },
}
