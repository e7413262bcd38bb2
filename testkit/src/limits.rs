//! Every wait and buffer of the kit, by name. The waits are ceilings for a machine under load, not expectations:
//! each ends as soon as what it waits for is there.

use std::time::Duration;

/// How long a server we start may take until it answers.
pub const START: Duration = Duration::from_secs(60);
/// How long a process may take to end after it was asked to.
pub const STOP: Duration = Duration::from_secs(60);
/// The pause between two looks at something that is being waited for.
pub const POLL: Duration = Duration::from_millis(10);
/// How long a small request of the kit's own client waits for the peer before the test fails.
pub const REQUEST: Duration = Duration::from_secs(60);
/// How long a program that a test runs to its end (ffmpeg, node, an upload) may take.
pub const RUN: Duration = Duration::from_secs(300);
/// What the fault proxy reads at once, in bytes.
pub const PROXY_CHUNK: usize = 16 * 1024;
/// Chunks one direction of the fault proxy keeps back while it delays them.
pub const PROXY_DELAYED_CHUNKS: usize = 64;
/// What the head of an answer may come to, in bytes, before the kit's client gives up on it.
pub const RESPONSE_HEAD: usize = 256 * 1024;
/// What is kept of a child's output, in bytes: the newest.
pub const LOG_BYTES: usize = 4 * 1024 * 1024;
/// How long the end of an ended child's output is waited for.
pub const LAST_OUTPUT: Duration = Duration::from_secs(2);
