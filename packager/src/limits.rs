//! How much of hostile or broken input is taken before it is an error, and nothing else.

/// Largest `moov` that is held; one of a single track without samples is below a kilobyte.
pub const MAX_MOOV_BYTES: u64 = 1 << 20;

/// Largest `moof` that is held: [`MAX_FRAGMENT_SAMPLES`] with every field said for each of them.
pub const MAX_MOOF_BYTES: u64 = 512 << 10;

/// Largest `mdat`: 2 seconds of 200 Mbit/s.
pub const MAX_MDAT_BYTES: u64 = 50 << 20;

/// Samples in one fragment of the input, and in one that is written; 4 seconds of 96 kHz in AAC are 375.
pub const MAX_FRAGMENT_SAMPLES: usize = 16 << 10;

/// Bytes of samples gathered for one segment.
pub const MAX_SEGMENT_BYTES: u64 = 128 << 20;

/// Pieces of input below this are copied together; larger ones are kept as they are.
pub const MIN_SLICE_BYTES: usize = 16 << 10;

/// No time on a track lies beyond this many ticks, so that sums of times cannot overflow.
pub const MAX_TICKS: u64 = 1 << 56;

/// Letters of a name from a user's file that go into a manifest.
pub const MAX_LABEL_CHARS: usize = 100;
