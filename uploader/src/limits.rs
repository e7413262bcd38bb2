//! Every bound of the uploader, in one place. What a user may want to change is an option and says so.

use std::time::Duration;

/// The largest piece of a file read and handed to the connection at once. Fast links get this; slow ones smaller
/// pieces (down to [`BLOCK_MIN`]), so that a stall shows early.
pub const BLOCK_MAX: usize = 256 << 10;
/// The smallest piece, and the first of every request.
pub const BLOCK_MIN: usize = 16 << 10;
/// The smallest piece under `--limit-rate`, so that a low rate is a steady trickle.
pub const PACED_BLOCK_MIN: usize = 256;
/// Pieces read ahead of the connection, per part.
pub const BLOCKS_AHEAD: usize = 1;
/// A piece that waited longer than this for the connection makes the next one half as large.
pub const BLOCK_SLOW: Duration = Duration::from_secs(1);
/// A piece that waited less than this makes the next one twice as large.
pub const BLOCK_FAST: Duration = Duration::from_millis(100);

/// Files up to this size travel in the request that creates the upload, which saves a round trip.
pub const CREATE_WITH_BODY_MAX: u64 = BLOCK_MAX as u64;

/// Most parts one file is sent in (`--parallel`).
pub const PARTS_MAX: usize = 32;
/// Parts are cut on multiples of this.
pub const PART_GRAIN: u64 = 1 << 20;
/// Most digest leaves kept for one file (32 bytes each). Larger files have larger leaves.
pub const LEAVES_MAX: u64 = 1 << 16;

/// The first delay after a failure is drawn from zero up to this; it doubles with each failure without progress.
pub const BACKOFF_BASE: Duration = Duration::from_millis(500);
/// No delay is drawn from more than this.
pub const BACKOFF_CAP: Duration = Duration::from_secs(30);
/// A server's `Retry-After` is honoured up to this.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);
/// How often an upload (or a part of one) that the server has lost is begun anew before that counts as a refusal.
pub const ANEW_MAX: u32 = 5;

/// Default of `--stall-timeout`: no byte taken by the connection, or no answer, for this long is a failure.
pub const STALL_TIMEOUT: Duration = Duration::from_secs(60);
/// The shortest stall that can be asked for: less is a slow network, not a dead one.
pub const MIN_STALL_TIMEOUT: Duration = Duration::from_secs(1);
/// Time for a connection to come about, TLS included.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// Sent bytes that the peer's TCP has not confirmed for this long end the connection.
pub const TCP_USER_TIMEOUT: Duration = Duration::from_secs(30);
/// TCP keepalive: idle time before the first probe, and between probes.
pub const TCP_KEEPALIVE: Duration = Duration::from_secs(15);
/// Time for the answer to a concatenation; some servers copy the whole file before they answer.
pub const CONCAT_TIMEOUT: Duration = Duration::from_secs(15 * 60);
/// Idle connections are closed after this, before servers and middleboxes drop them silently.
pub const POOL_IDLE: Duration = Duration::from_secs(20);
/// Most bytes of an answer's body that are read; the rest of an error page is of no use.
pub const ANSWER_BODY_MAX: usize = 16 << 10;
/// Time for an answer's body.
pub const ANSWER_BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// Most characters of a server's words that reach a message.
pub const DETAIL_MAX: usize = 300;

/// Events waiting for the caller; the uploading side waits when there are more.
pub const EVENTS_WAITING: usize = 64;
/// How often a progress event is made.
pub const PROGRESS_EVERY: Duration = Duration::from_millis(250);
/// How often progress is printed with `--json` and as plain lines.
pub const PROGRESS_JSON_EVERY: Duration = Duration::from_secs(1);
/// How often progress is printed as plain lines.
pub const PROGRESS_LINE_EVERY: Duration = Duration::from_secs(5);

/// `--wait`: steps of the bar that shows how much is made.
pub const PROCESSING_STEPS: u64 = 1000;
/// `--wait`: between two questions how far an asset is, where there is no stream of events, and before a stream is opened
/// anew.
pub const WAIT_POLL: Duration = Duration::from_secs(2);
/// `--wait`: a stream that says nothing for so long is dead; servers say something every 15 seconds.
pub const WAIT_SILENCE: Duration = Duration::from_secs(50);
/// `--wait`: what is read of what the server says of an asset, in bytes.
pub const ASSET_MAX: usize = 256 << 10;
/// `--wait`: what one event may come to, in bytes.
pub const EVENT_MAX: usize = 256 << 10;

/// A journal is written again for progress alone at most this often, per part.
pub const JOURNAL_EVERY: Duration = Duration::from_secs(5);
/// A journal larger than this is not one of ours.
pub const JOURNAL_MAX: u64 = 1 << 20;
/// A file with a token larger than this is not one.
pub const TOKEN_FILE_MAX: u64 = 16 << 10;
/// A file of CA certificates larger than this is not one.
pub const CA_FILE_MAX: u64 = 4 << 20;

/// The slowest `--limit-rate`, in bytes per second: slower than this a connection looks dead to both sides.
pub const RATE_MIN: u64 = 1 << 10;
/// How far sending may fall behind the rate and still catch up.
pub const RATE_BURST: Duration = Duration::from_millis(250);
/// Time given to file readers when the command ends.
pub const SHUTDOWN: Duration = Duration::from_millis(500);
