//! Every queue, body, timeout, retry and buffer of the worker has its limit here (invariant 11).

use std::time::Duration;

// Talking to the origin

/// A question for a job is held open by the origin for so long, in seconds (push).
pub const CLAIM_WAIT_S: u32 = 30;
/// A claim that is not answered so long after its wait is over has failed.
pub const CLAIM_GRACE: Duration = Duration::from_secs(10);
/// An answer that there is no job, sooner than this, does not come from an origin that holds questions: so long is
/// waited before the next one.
pub const CLAIM_UNHELD: Duration = Duration::from_secs(1);
/// Connecting to the origin.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A heartbeat, or the word that a job is over.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Storing one segment.
pub const STORE_TIMEOUT: Duration = Duration::from_secs(60);
/// No byte of a source for so long: the connection is given up, and the fetch resumed on another.
pub const FETCH_STALL: Duration = Duration::from_secs(15);
/// The first pause after the origin could not be reached; each further one is twice as long, of which a random part
/// is waited.
pub const RETRY_FIRST: Duration = Duration::from_millis(200);
/// The longest such pause.
pub const RETRY_LONGEST: Duration = Duration::from_secs(10);
/// A store, a fetch or the word that a job is over is tried again for so long; then the attempt is given up, and the
/// origin finds out by the lease.
pub const ORIGIN_PATIENCE: Duration = Duration::from_secs(300);
/// Bytes of an answer of the origin to a call. The largest is the work of packaging: some 200 bytes a segment, and a day
/// of five tracks has 108,000.
pub const ANSWER_BYTES: usize = 64 * 1024 * 1024;
/// Characters of a worker's name.
pub const NAME_CHARS: usize = 100;

// Attempts

/// A worker that stops says which jobs it lets go, and waits for the origin's answer no longer than this.
pub const RELEASE_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two looks at whether an attempt gets on.
pub const STALL_LOOKS: Duration = Duration::from_millis(500);
/// Files of one attempt on their way to the origin at once; ffmpeg waits when there are as many.
pub const STORES_AT_ONCE: usize = 3;
/// Between two reports of segments that can be played, while there are few.
pub const REPORT_PAUSE: Duration = Duration::from_millis(150);
/// Between two reports once a track has [`REPORT_MANY`] segments: each report names them all.
pub const REPORT_PAUSE_MANY: Duration = Duration::from_secs(2);
/// Segments from which on reports become rarer.
pub const REPORT_MANY: usize = 24;

// Sources

/// Bytes of sources kept in scratch, unless configured otherwise.
pub const SCRATCH_BYTES: u64 = 50 * 1024 * 1024 * 1024;
/// Left free on the disk of scratch.
pub const SCRATCH_RESERVE_BYTES: u64 = 256 * 1024 * 1024;
/// A source that no job has used for so long is removed.
pub const SOURCE_KEPT: Duration = Duration::from_secs(3600);
/// Bytes hashed or copied at a time.
pub const COPY_BYTES: usize = 256 * 1024;

// Children

/// Lines of a child's log that are kept.
pub const LOG_LINES: usize = 20;
/// Bytes of a line of a child's log that are kept.
pub const LOG_LINE_BYTES: usize = 240;
/// Bytes of a child's log that are read at a time.
pub const LOG_READ_BYTES: usize = 8 * 1024;
/// How long a killed child's pipes are drained for its last words.
pub const LAST_WORDS: Duration = Duration::from_millis(500);
/// Wall-clock time of a look at a source.
pub const PROBE_TIME: Duration = Duration::from_secs(60);
/// How far before the end that a container names its last packets are looked for, in seconds.
pub const END_LOOK_S: u32 = 12;
/// Address space of a look at a source. A shared build of ffmpeg maps about 400 MiB of libraries.
pub const PROBE_MEMORY_BYTES: u64 = 2 * 1024 * 1024 * 1024;
/// CPU seconds of a look at a source, which hold even when the worker itself was killed.
pub const PROBE_CPU_S: u64 = 60;
/// Bytes of what ffprobe says.
pub const PROBE_OUTPUT_BYTES: usize = 1024 * 1024;
/// Address space of an encoder, and ...
pub const ENCODE_MEMORY_BYTES: u64 = 8 * 1024 * 1024 * 1024;
/// ... so much more for each core: threads have stacks and frames of their own.
pub const ENCODE_MEMORY_PER_CORE_BYTES: u64 = 256 * 1024 * 1024;
/// How far posters and captions stand back for the CPU behind the first rung and sound.
pub const NICE_SOON: i32 = 5;
/// How far the other rungs do: the video plays already while they are made.
pub const NICE_LATER: i32 = 10;
/// What tools say about themselves.
pub const TOOL_TIME: Duration = Duration::from_secs(10);
/// Bytes of what tools say about themselves.
pub const TOOL_OUTPUT_BYTES: usize = 1024 * 1024;
/// Bytes read from ffmpeg's output at a time.
pub const OUTPUT_READ_BYTES: usize = 64 * 1024;
/// Bytes of a poster or a sprite.
pub const PICTURE_BYTES: usize = 32 * 1024 * 1024;
/// Bytes of a track of captions; those of a job are held at the same time. A book has one.
pub const CAPTIONS_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of a picture or of captions that are read at a time.
pub const SMALL_READ_BYTES: usize = 16 * 1024;

// What is taken

/// Pixels of a picture: what 8K has, and a square of it.
pub const SOURCE_PIXELS: u64 = 8192 * 8192;
/// Columns or lines of a picture.
pub const SOURCE_EDGE: u64 = 16_384;
/// Streams of a file that are looked at.
pub const SOURCE_STREAMS: usize = 64;
/// Characters of a title that are kept.
pub const TITLE_CHARS: usize = 100;
/// The highest frame rate of what is made; sources above it are halved until they are below.
pub const RATE_MAX: f64 = 60.5;

// Encoding

/// Seconds of a track at most: a timestamp in the next year would fill it with copies of one picture.
pub const TRACK_S: u32 = 24 * 3600;

/// The highest rate over the length of the decoder's buffer, as a multiple of the rung's.
pub const MAXRATE: f64 = 1.25;
/// The decoder's buffer, in seconds of the rung's rate.
pub const BUFFER_S: f64 = 2.0;
/// How far before a chunk's first frame reading begins, in seconds, one after the other, until a keyframe lies
/// between; then from the beginning of the file. The longer ones are for a picture that is held behind its stream's end.
pub const SEEK_MARGINS_S: [u32; 5] = [2, 12, 60, 600, 3600];
/// Sound reaches the splitter in fragments of this length, in microseconds.
pub const AUDIO_FRAGMENT_US: u32 = 500_000;
/// Samples a second of the sound that is made.
pub const AUDIO_RATE: u32 = 48_000;
/// Above this length a storyboard is made from keyframes alone, in milliseconds.
pub const STORYBOARD_ALL_FRAMES_MS: u64 = 60_000;
/// Tiles of a storyboard.
pub const STORYBOARD_TILES: u64 = 2_000;
/// Lines of a sprite: what a browser decodes without scaling it down.
pub const SPRITE_EDGE: u64 = 16_384;
/// Frames among which the poster is chosen.
pub const POSTER_FRAMES: u32 = 24;
