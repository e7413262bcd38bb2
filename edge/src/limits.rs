//! Every limit of the edge, named (invariant 11). What an operator may want to change is a flag in
//! [`config`](crate::config) whose default stands here.

use std::time::Duration;

// Memory

/// Default of `--memory`: the ceiling over everything the edge holds for objects and clients.
pub const MEMORY: u64 = 1 << 30;
/// The smallest ceiling that leaves room for a few slices of the default size.
pub const MIN_MEMORY: u64 = 16 << 20;
/// Default of `--slice`.
pub const SLICE_BYTES: u64 = 1 << 20;
/// The smallest slice: below it the bookkeeping outweighs the bytes.
pub const MIN_SLICE_BYTES: u64 = 4 << 10;
/// The largest slice: it is one allocation and one upstream request.
pub const MAX_SLICE_BYTES: u64 = 64 << 20;
/// One part in this many of the ceiling is set aside for connections.
pub const CONNECTION_SHARE: u64 = 8;
/// One part in this many of the ceiling may be buffered by large HTTP/2 windows, out of the connections' share.
pub const WINDOW_SHARE: u64 = 32;
/// What a connection costs at most in buffers of its own (heads, read buffer, task), beside the slices it holds.
pub const CONNECTION_BYTES: u64 = 24 << 10;
/// What is read ahead of the service on a viewer's connection; bounds a request head.
pub const CONNECTION_READ_BYTES: usize = 16 << 10;
/// One part in this many of the ceiling is set aside for what is known of objects (headers, validators).
pub const OBJECT_SHARE: u64 = 16;
/// One part in this many of the budget for bytes stays free of cached slices: room for fills in flight and for slices
/// that slow clients still hold.
pub const RESERVE_SHARE: u64 = 8;
/// What the cache's bookkeeping adds to an entry: its node, key, queue links and handle.
pub const ENTRY_OVERHEAD: u64 = 512;
/// What one upstream response may hold in the client's read buffer and queue; taken from the budget while it runs.
pub const UPSTREAM_BUFFER_BYTES: u64 = 64 << 10;
/// How long a fill waits for memory before its viewers are answered `overloaded`.
pub const MEMORY_WAIT: Duration = Duration::from_secs(5);
/// How often a waiting fill presses the cache for room again.
pub const MEMORY_PRESS: Duration = Duration::from_millis(20);
/// Slices evicted at one press, beyond what the cache gives up by itself.
pub const PRESS_EVICTIONS: usize = 8;

// Slices and fills

/// Slices fetched ahead of a reader that goes on sequentially, within what it asked for.
pub const READ_AHEAD_SLICES: u64 = 2;
/// Objects fetched before anyone asked for them, at once; further ones are left to their viewers.
pub const PREFETCHES: usize = 32;
/// Folders up from an object that what follows it may lie in: the next chunk's are two up.
pub const NEXT_LEVELS: usize = 2;
/// Groups an object may belong to; RFC 9875 section 2 asks for 32 at least.
pub const GROUPS: usize = 64;
/// Bytes in the name of one; it asks for 32 at least.
pub const GROUP_BYTES: usize = 128;
/// The largest object fetched before anyone asked for it.
pub const PREFETCH_BYTES: u64 = 16 << 20;
/// A fill whose last viewer has gone is finished if no more than this is missing, or half of it has come.
pub const ABANDON_FINISH_BYTES: u64 = 256 << 10;
/// Largest object kept from an origin that ignores `Range`: it can only be fetched whole.
pub const WHOLE_OBJECT_BYTES: u64 = 16 << 20;
/// How long an answer without a length is collected, to be stored if it turns out small; then it is passed on.
pub const UNSIZED_PATIENCE: Duration = Duration::from_millis(250);
/// Slices of a response looked at to tell a hit from a partial one.
pub const OUTCOME_SCAN_SLICES: u64 = 4096;
/// A response of at most this many cached slices is put together before its head is sent; a slow client then holds
/// this many.
pub const READY_SLICES: u64 = 2;
/// Times a request starts over because the object changed under it before anything was sent.
pub const RESTARTS: u32 = 3;
/// Times a fill is begun: the first, and one more where the upstream broke off.
pub const FILL_ATTEMPTS: u32 = 2;
/// Longest pause before the second attempt; the actual one is random below it.
pub const RETRY_PAUSE: Duration = Duration::from_millis(100);

// Requests

/// Longest path with query.
pub const MAX_TARGET_BYTES: usize = 4096;
/// Header fields named in a `Vary` that is followed; a longer one is not stored.
pub const MAX_VARY_FIELDS: usize = 8;
/// How long an address known to be uncacheable is passed on without asking whether it became cacheable.
pub const PASS_MARK: Duration = Duration::from_secs(10);
/// How long past its freshness an object may be served while the origin cannot be reached (invariant 10).
pub const STALE_ON_ERROR: Duration = Duration::from_secs(24 * 3600);
/// Longest freshness believed (RFC 9111 section 1.2.2 asks for at least 2^31 to be representable).
pub const MAX_LIFETIME_S: u64 = 1 << 31;
/// A connection whose client takes no byte for this long is cut by the kernel, with what it holds.
pub const SEND_STALL: Duration = Duration::from_secs(30);
/// How long browsers may remember a preflight answer, in seconds.
pub const PREFLIGHT_MAX_AGE_S: u32 = 86_400;

// The gate

/// Clients whose rate is tracked at once; past it newcomers share one allowance.
pub const TRACKED_CLIENTS: usize = 100_000;
/// How often at most the tracked clients are searched for idle ones once the table is full.
pub const TRACKED_SWEEP: Duration = Duration::from_secs(1);
/// Verified grants remembered, so that a player's many requests cost one signature check.
pub const VERIFIED_GRANTS: u64 = 4096;

// Upstream

/// Default of `--upstream-requests`: requests to the origin at once.
pub const UPSTREAM_REQUESTS: usize = 128;
/// How long a request waits for its turn at the origin.
pub const UPSTREAM_QUEUE_WAIT: Duration = Duration::from_secs(10);
/// Time to a TCP connection.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Time from sending a request to the head of its answer.
pub const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(15);
/// Time between two pieces of a body from the origin.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(15);
/// How long an idle connection to the origin is kept; shorter than common servers keep theirs.
pub const POOL_IDLE: Duration = Duration::from_secs(30);

// The fleet

/// How long the origin may hold a poll of the purge log; short, so that a dead link is noticed.
pub const PURGE_WAIT: Duration = Duration::from_secs(2);
/// How much longer than that a poll may take.
pub const PURGE_SLACK: Duration = Duration::from_secs(1);
/// Proof that nothing was purged is believed this long; it is renewed every [`PURGE_WAIT`].
pub const PURGE_PROOF_AGE: Duration = Duration::from_secs(4);
/// A process whose ticker was silent this long was stopped, and may have missed purges.
pub const STOPPED_AFTER: Duration = Duration::from_millis(500);
/// How often the ticker shows that the process runs.
pub const TICK: Duration = Duration::from_millis(100);
/// How long a request waits for the purge log before it is answered from what is cached (invariant 10).
pub const SYNC_WAIT: Duration = Duration::from_secs(1);
/// A failed sync excuses the requests that come within this many times what it took: a refused connection is tried
/// again almost at once, a silent one is not waited for by everyone.
pub const SYNC_EXCUSE_FACTOR: u32 = 10;
/// The least that a failed sync excuses.
pub const SYNC_EXCUSE_MIN: Duration = Duration::from_millis(10);
/// The most that a failed sync excuses; longer than the next attempt takes, which goes on in the background.
pub const SYNC_EXCUSE_MAX: Duration = Duration::from_secs(2);
/// Pause between polls while the origin cannot be reached.
pub const PURGE_RETRY: Duration = Duration::from_millis(250);
/// Assets whose traffic is counted at once; that of further ones is not, until the next heartbeat.
pub const TALLY_ASSETS: usize = 16_384;
/// Parts of that table, each with a lock of its own.
pub const TALLY_SHARDS: usize = 16;
/// Assets told of in one heartbeat: what a slow catalogue takes in before the call's time is over.
pub const REPORT_ASSETS: usize = 100;
/// How often the edge says it is alive.
pub const HEARTBEAT: Duration = Duration::from_secs(2);
/// How often the keys of grants are fetched.
pub const KEY_REFRESH: Duration = Duration::from_secs(60);
/// How often at most a grant with an unknown key may cause that, and how often a failed fetch is tried again.
pub const KEY_REFRESH_MIN: Duration = Duration::from_secs(2);
/// How long a request with an unknown key waits for the keys.
pub const KEY_WAIT: Duration = Duration::from_secs(1);
/// Time for a call to `/internal/…` that is not a long poll.
pub const INTERNAL_TIMEOUT: Duration = Duration::from_secs(3);
/// Largest answer of `/internal/…` that is read.
pub const INTERNAL_BODY_BYTES: usize = 4 << 20;
