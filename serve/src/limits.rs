//! Every limit of connection serving, named (invariant 11).

use std::time::Duration;

/// A connection that has sent nothing after this long is closed.
pub const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(20);
/// A request head must be complete, and an idle connection must send one, within this.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
/// The head of one request. HTTP/1.1 also has hyper's own limit of 100 fields, left as it is: naming it would make
/// hyper allocate for each request.
pub const MAX_HEADER_BYTES: usize = 32 * 1024;
/// What is read ahead of the service on an HTTP/1.1 connection; also bounds the head on the wire.
pub const READ_BUFFER_BYTES: usize = 256 * 1024;
/// Connections served at once; more wait in the backlog.
pub const MAX_CONNECTIONS: usize = 65_536;
/// Connections the kernel queues before they are accepted.
pub const BACKLOG: u32 = 4096;
/// Pause after `accept` failed for want of descriptors or memory.
pub const ACCEPT_RETRY: Duration = Duration::from_millis(50);
/// How long requests in flight may take to finish once a stop was asked for.
pub const DRAIN: Duration = Duration::from_secs(20);
/// HTTP/2 receive window of a stream while the budget lasts: what fills 50 ms at 300 MB/s.
pub const HTTP2_STREAM_WINDOW: u32 = 16 << 20;
/// HTTP/2 receive window of a connection while the budget lasts.
pub const HTTP2_CONNECTION_WINDOW: u32 = 32 << 20;
/// Both windows once the budget is given out.
pub const HTTP2_SMALL_WINDOW: u32 = 256 << 10;
/// Sum of the large connection windows: the most that windows can make this process buffer.
pub const HTTP2_WINDOW_BUDGET: usize = 256 << 20;
/// Streams a client may have open on one HTTP/2 connection.
pub const HTTP2_MAX_STREAMS: u32 = 128;
/// Interval and time-out of HTTP/2 keep-alive pings.
pub const HTTP2_PING: Duration = Duration::from_secs(20);
/// How often the version of a connection is looked at again while only a piece of its first word has come.
pub const VERSION_POLL: Duration = Duration::from_millis(5);
/// Ranges in one request. Beyond, the request is refused before any work (RangeAmp).
pub const MAX_RANGES: usize = 16;
/// Addresses of `X-Forwarded-For` looked at, from the right.
pub const MAX_FORWARDED_HOPS: usize = 16;
