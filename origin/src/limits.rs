//! Every queue, body, timeout, retry and buffer of the origin has its limit here (invariant 11).

use std::time::Duration;

// Catalogue

/// A statement that waits longer than this for a connection answers `unavailable`.
pub const CATALOG_ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections to PostgreSQL, unless configured otherwise.
pub const CATALOG_CONNECTIONS: u32 = 10;
/// Connections to SQLite: one writes at a time anyway, the others read.
pub const SQLITE_CONNECTIONS: u32 = 4;
/// How long SQLite waits for another writer.
pub const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a starting origin waits for its database to come up.
pub const CATALOG_STARTUP_WAIT: Duration = Duration::from_secs(30);
/// Between two looks at a database that is not up yet.
pub const CATALOG_STARTUP_RETRY: Duration = Duration::from_millis(500);
/// `Retry-After` when the catalogue is away, in seconds.
pub const UNAVAILABLE_RETRY_S: u32 = 2;
/// Records of the purge log are kept this long; an edge that was away longer forgets everything.
pub const PURGE_KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
/// An edge that has not been heard of for this long is no longer listed.
pub const EDGE_KEPT: Duration = Duration::from_secs(24 * 3600);

// Accounts

/// Password hashes computed at once; each takes 19 MiB.
pub const PASSWORD_HASHES: usize = 2;
/// Requests that may wait for their turn to hash; more answer `overloaded`.
pub const PASSWORD_QUEUE: usize = 256;
/// `Retry-After` of `overloaded`, in seconds.
pub const OVERLOADED_RETRY_S: u32 = 1;
/// Characters of a username.
pub const USERNAME_CHARS: std::ops::RangeInclusive<usize> = 3..=32;
/// The longest email address (RFC 5321 section 4.5.3.1.3, less the angle brackets).
pub const EMAIL_BYTES: usize = 254;
/// The fewest characters of a password.
pub const PASSWORD_MIN_CHARS: usize = 8;
/// The most bytes of a password.
pub const PASSWORD_MAX_BYTES: usize = 256;
/// Wrong passwords for one account before it is slowed.
pub const ACCOUNT_FREE_FAILURES: u32 = 5;
/// The longest wait wrong passwords for one account cause. Short, since anyone can cause it to anyone.
pub const ACCOUNT_LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Wrong passwords from one client address before it is slowed.
pub const ADDRESS_FREE_FAILURES: u32 = 20;
/// The longest wait wrong passwords from one client address cause.
pub const ADDRESS_LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);
/// The first wait; each further failure doubles it.
pub const FAILURE_FIRST_WAIT: Duration = Duration::from_secs(1);
/// Failures are forgotten after this long without another.
pub const FAILURES_KEPT: Duration = Duration::from_secs(3600);
/// Accounts and addresses whose failures are counted at once.
pub const FAILURES_TRACKED: u64 = 100_000;

// Sessions and tokens

/// How long a session lasts.
pub const SESSION_TTL: Duration = Duration::from_secs(14 * 24 * 3600);
/// API tokens of one account.
pub const TOKENS_PER_ACCOUNT: u32 = 100;
/// The use of a token is noted again after this long.
pub const TOKEN_TOUCH_EVERY: Duration = Duration::from_secs(60);
/// Sessions of one account; with one more the oldest ends.
pub const SESSIONS_PER_ACCOUNT: u32 = 50;
/// The use of a session is noted again after this long.
pub const SESSION_TOUCH_EVERY: Duration = Duration::from_secs(60);
/// Characters of what a client calls itself that are kept with its session.
pub const USER_AGENT_CHARS: usize = 200;
/// The longest text that is looked at as a token or a session.
pub const CREDENTIAL_BYTES: usize = 128;

// Password resets, administration, rate limits

/// How long a password reset may be used.
pub const RESET_TTL: Duration = Duration::from_secs(3600);
/// Password resets an account gets within that time.
pub const RESETS_PER_ACCOUNT: u32 = 3;
/// Password resets that are prepared at once; more answer `overloaded`.
pub const RESETS_AT_ONCE: usize = 16;
/// Accounts of a page, unless asked for fewer or more.
pub const PAGE_ACCOUNTS: u32 = 50;
/// The most accounts of a page.
pub const PAGE_ACCOUNTS_MAX: u32 = 200;
/// Bytes of a search among accounts.
pub const ACCOUNT_SEARCH_BYTES: usize = 254;
/// Entries of a page of the audit log, unless asked for fewer or more.
pub const PAGE_AUDIT: u32 = 50;
/// The most entries of a page of it.
pub const PAGE_AUDIT_MAX: u32 = 200;
/// How long the audit log remembers.
pub const AUDIT_KEPT: Duration = Duration::from_secs(400 * 24 * 3600);
/// The most an account's quota can be set to, and the largest number of bytes there is.
pub const QUOTA_MAX_BYTES: u64 = i64::MAX.unsigned_abs();
/// Accounts and addresses whose requests a rate limit counts apart; further ones share one allowance.
pub const RATE_KEYS: usize = 100_000;
/// A full table of them is looked through at most this often.
pub const RATE_SWEEP: Duration = Duration::from_secs(1);
/// The longest time a rate may be counted over.
pub const RATE_LONGEST: Duration = Duration::from_secs(24 * 3600);

// Grants

/// The longest time a grant runs.
pub const GRANT_LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long the grant of a watch page runs at least.
pub const WATCH_GRANT: Duration = Duration::from_secs(6 * 3600);
/// Such grants end on multiples of this, so up to so much later.
pub const WATCH_GRANT_STEP: Duration = Duration::from_secs(600);
/// Edges a watch page may turn to.
pub const WATCH_EDGES: usize = 4;
/// How often the keys are read again, so that a rotation by another origin is seen.
pub const GRANT_KEYS_REFRESH: Duration = Duration::from_secs(30);
/// A grant by a key that is not known has the keys read again, but not more often than this.
pub const GRANT_KEYS_REFRESH_ON_DEMAND: Duration = Duration::from_secs(2);

// API

/// The body of a JSON request.
pub const JSON_BODY_BYTES: usize = 256 * 1024;
/// The body of a JSON request must be there within this.
pub const JSON_BODY_TIMEOUT: Duration = Duration::from_secs(15);
/// Characters of an asset's name.
pub const ASSET_NAME_CHARS: usize = 255;
/// Characters of a token's name.
pub const TOKEN_NAME_CHARS: usize = 100;
/// Assets of a page, unless asked for fewer or more.
pub const PAGE_ASSETS: u32 = 50;
/// The most assets of a page.
pub const PAGE_ASSETS_MAX: u32 = 200;
/// Targets of one purge.
pub const PURGE_TARGETS: usize = 1000;
/// The longest URL or prefix of a purge.
pub const PURGE_URL_BYTES: usize = 2048;
/// The longest name of a group in a purge.
pub const PURGE_TAG_BYTES: usize = 128;
/// The longest request id taken over from a client.
pub const REQUEST_ID_BYTES: usize = 64;

// The library

/// Characters of an asset's title.
pub const ASSET_TITLE_CHARS: usize = 200;
/// Characters of an asset's description.
pub const ASSET_DESCRIPTION_CHARS: usize = 5000;
/// Tags of an asset.
pub const ASSET_TAGS: usize = 30;
/// Characters of a tag.
pub const ASSET_TAG_CHARS: usize = 50;
/// Members of an asset's own metadata.
pub const ASSET_METADATA_KEYS: usize = 50;
/// Bytes of the name of one.
pub const ASSET_METADATA_KEY_BYTES: usize = 64;
/// Bytes of all of them as JSON.
pub const ASSET_METADATA_BYTES: usize = 8 * 1024;
/// Characters of a value that filters find.
pub const ASSET_METADATA_TERM_CHARS: usize = 200;
/// Characters that lists by title go by.
pub const SORT_KEY_CHARS: usize = 100;
/// Characters of what is said of an asset that searches look at: four bytes each at most, and PostgreSQL's indexes take
/// 2,700.
pub const SEARCHED_CHARS: usize = 500;
/// Characters of a text that is searched for.
pub const SEARCH_CHARS: usize = 200;
/// Tags and members of metadata that one list is filtered by.
pub const LIST_TERMS: usize = 10;
/// The longest cursor of a list.
pub const CURSOR_BYTES: usize = 1024;
/// How long a deleted asset may be brought back, unless configured otherwise.
pub const TRASH_KEPT: Duration = Duration::from_secs(3600);
/// Assets that an older version has put there and that are looked at in one round.
pub const FILLED_PER_ROUND: u32 = 500;

// Plays and what is counted

/// How often a player says how far it is.
pub const PLAY_EVERY: Duration = Duration::from_secs(10);
/// Someone counts as a viewer for so long after the player was last heard of.
pub const VIEWER_AROUND: Duration = Duration::from_secs(25);
/// A play that was not heard of for so long has ended: going on is another.
pub const PLAY_KEPT: Duration = Duration::from_secs(6 * 3600);
/// The minute that plays of an address are counted for.
pub const PLAYS_WINDOW: Duration = Duration::from_secs(60);
/// Plays that one address may begin in a minute, unless configured otherwise.
pub const PLAYS_PER_MINUTE: u32 = 60;
/// Addresses whose plays are counted at once.
pub const PLAY_ADDRESSES: u64 = 100_000;
/// Plays that are kept at once; more are not begun.
pub const PLAYS_KEPT: u64 = 200_000;
/// How often what players have said is written down.
pub const PLAYS_FLUSH_EVERY: Duration = Duration::from_secs(2);
/// Plays that were heard of since the last time; more wait for it.
pub const PLAYS_WAITING: usize = 50_000;
/// Plays written down in one change.
pub const PLAYS_PER_CHANGE: usize = 500;
/// How fast somebody may claim to watch, in times of real time.
pub const PLAY_SPEED: u64 = 4;
/// The longest start that is counted; who waits longer has gone.
pub const PLAY_START_MOST: Duration = Duration::from_secs(300);
/// Interruptions of one play that are counted.
pub const PLAY_STALLS_MOST: u64 = 1000;
/// Days of statistics that are shown.
pub const STATISTICS_DAYS: u32 = 90;
/// Assets with viewers that are listed, those with the most.
pub const VIEWED_ASSETS: u32 = 200;
/// Assets in one report of an edge.
pub const EDGE_REPORT_ASSETS: usize = 1000;
/// The most that one report adds to anything.
pub const EDGE_REPORT_MOST: u64 = 1 << 50;
/// Reports of an edge's run are remembered for so long after the last.
pub const EDGE_REPORT_KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

// Fleet

/// Purge records of one page.
pub const PURGE_PAGE: u32 = 200;
/// The longest an edge may wait for a purge.
pub const PURGE_WAIT: Duration = Duration::from_secs(30);
/// How often a waiting edge's head is looked up, should a wake-up have been lost.
pub const PURGE_RECHECK: Duration = Duration::from_secs(1);
/// An edge counts as alive this long after a heartbeat.
pub const EDGE_ALIVE: Duration = Duration::from_secs(10);
/// The longest URL of an edge.
pub const EDGE_URL_BYTES: usize = 512;

// Background work

/// How often the log is trimmed, edges and keys are forgotten, and left-over bytes are removed.
pub const HOUSEKEEPING_EVERY: Duration = Duration::from_secs(60);
/// Left-over bytes removed in one round.
pub const REMOVALS_PER_ROUND: u32 = 100;
/// Bytes are left over when nobody has removed them this long after they were let go.
pub const REMOVAL_GRACE: Duration = Duration::from_secs(60);

// Uploads

/// The largest upload, unless configured otherwise.
pub const MAX_UPLOAD_BYTES: u64 = 1 << 40;
/// `Upload-Metadata` as it stands in the header.
pub const MAX_METADATA_BYTES: usize = 8 * 1024;
/// Characters of a file name; longer ones are cut.
pub const MAX_NAME_CHARS: usize = 255;
/// The longest media type a client may claim for a plain upload; a longer one says nothing.
pub const MAX_CONTENT_TYPE_BYTES: usize = 255;
/// Parts of one final upload.
pub const MAX_PARTS: usize = 256;
/// Bytes collected before they are hashed and written. While one batch is written the next is collected, so an
/// upload holds two of these and what its connection reads ahead.
pub const BATCH_BYTES: usize = 128 * 1024;
/// Pieces of a batch, however small they are: as many as one system call writes.
pub const BATCH_PIECES: usize = 1024;
/// Bytes of one write call. The page cache takes memory in blocks as large as the call, and large blocks are what a
/// hypervisor has taken back from an idle guest: writing them was measured to cost two to five times as much there.
pub const WRITE_BYTES: usize = 64 * 1024;
/// A write of a batch that takes longer is not only a copy: the disk does not keep up.
pub const SLOW_WRITE: Duration = Duration::from_millis(5);
/// Batches that are written by a thread that may wait, after one that was slow.
pub const SLOW_WRITE_BATCHES: u32 = 64;
/// What a direct write takes at once: large, since each is a request to the disk and a hand-over to another thread.
pub const DIRECT_BYTES: usize = 1 << 20;
/// Direct writes begin and end at multiples of this, in the file and in memory: the largest block disks have.
pub const DIRECT_ALIGN: usize = 4096;
/// Buffers for direct writes, of all uploads of a store together; an upload that finds none free writes through the
/// page cache.
pub const DIRECT_BUFFERS: usize = 16;
/// How many bytes tell whether an upload comes fast.
pub const PACE_BYTES: u64 = 256 * 1024;
/// An upload comes fast when so many came within this: at 20 MB/s and more.
pub const PACE_FAST: Duration = Duration::from_millis(12);
/// What is read ahead on an HTTP/1.1 connection of the origin.
pub const READ_AHEAD_BYTES: usize = 128 * 1024;
/// A body that brings nothing for this long is over; what came is kept.
pub const BODY_IDLE: Duration = Duration::from_secs(60);
/// Bytes written between two syncs of a body that goes on.
pub const SYNC_EVERY_BYTES: u64 = 8 << 20;
/// Bytes between two checkpoints in the catalogue of a body that goes on: what a crash makes the origin hash again
/// at most.
pub const CHECKPOINT_EVERY_BYTES: u64 = 64 << 20;
/// Bytes between two hot offsets.
pub const HOT_OFFSET_EVERY_BYTES: u64 = 4 << 20;
/// A refused body is read this far, so that its sender gets to read the answer.
pub const DRAIN_BYTES: u64 = 1 << 20;
/// And for this long.
pub const DRAIN_WAIT: Duration = Duration::from_secs(2);
/// Bytes of a blob read from the store at once.
pub const READ_PIECE_BYTES: u64 = 256 * 1024;
/// The head of a file that is looked at to tell what it is.
pub const SNIFF_BYTES: u64 = 8 * 1024;
/// `Retry-After` of an upload that has to wait, in seconds.
pub const UPLOAD_RETRY_S: u32 = 1;
/// Uploads in progress that are listed, the newest.
pub const UPLOADS_LISTED: u32 = 200;
/// Days after which an upload nobody goes on with is given up, unless configured otherwise.
pub const UPLOAD_EXPIRY_DAYS: u32 = 7;
/// Milliseconds of a day.
pub const DAY_MS: u64 = 24 * 3600 * 1000;
/// How long a stopping origin waits for uploads to write down how far they came, once their bodies have ended.
pub const TASKS_DRAIN: Duration = Duration::from_secs(10);
/// Uploads that were ended are remembered this long, and answered 410; then they are unknown.
pub const ENDED_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// How often finishing an upload is tried while others change it too.
pub const COMMIT_TRIES: u32 = 5;

// Coordination

/// A holder that has not stopped this long after it was asked to is pushed aside.
pub const TAKEOVER_WAIT: Duration = Duration::from_millis(700);
/// Between two looks at a lease that is held.
pub const TAKEOVER_POLL: Duration = Duration::from_millis(20);
/// A lease that is not prolonged runs out.
pub const LEASE_TTL: Duration = Duration::from_secs(15);
/// How often leases are prolonged.
pub const LEASE_RENEW: Duration = Duration::from_secs(4);
/// How long it is remembered that a writer stopped in order.
pub const CLEAN_LEASE_TTL: Duration = Duration::from_secs(24 * 3600);
/// Uploads without a writer whose state the in-process leases remember.
pub const MAX_IDLE_LEASES: usize = 100_000;
/// How long a hot offset is kept.
pub const HOT_OFFSET_TTL: Duration = Duration::from_secs(3600);
/// Hot offsets kept in process.
pub const MAX_HOT_OFFSETS: u64 = 100_000;
/// An operation on Redis that takes longer has failed.
pub const REDIS_TIMEOUT: Duration = Duration::from_secs(1);
/// Tries to connect again within one operation.
pub const REDIS_RECONNECTS: usize = 2;
/// Between two tries to connect.
pub const REDIS_RECONNECT_DELAY: Duration = Duration::from_millis(250);
/// A quiet subscription is asked for a sign of life this often.
pub const REDIS_PING: Duration = Duration::from_secs(5);
/// How often the parts this origin needs are asked for a sign of life.
pub const READINESS_EVERY: Duration = Duration::from_secs(5);

// Transcoding: what is planned

/// Rungs of a ladder.
pub const LADDER_RUNGS: usize = 12;
/// libx264's preset of rungs of up to [`LINES_TO_HURRY`], unless configured otherwise.
pub const PRESET: &str = "veryfast";
/// The preset of those above.
pub const PRESET_ABOVE: &str = "superfast";
/// Lines above which a rung is encoded faster.
pub const LINES_TO_HURRY: u32 = 480;
/// The least a rung may cost, in bits a second, however small the picture.
pub const LOWEST_BITRATE_BPS: u32 = 100_000;
/// What stereo costs, in bits a second; one channel costs half.
pub const AUDIO_BITRATE_BPS: u32 = 128_000;
/// Audio tracks of a source that are made; further ones are left out.
pub const AUDIO_TRACKS: usize = 8;
/// Text tracks of a source that are made.
pub const TEXT_TRACKS: usize = 32;
/// How long a segment of sound is where there are no pictures, in milliseconds.
pub const AUDIO_SEGMENT_MS: u64 = 4000;
/// Sources up to this long are one chunk, in milliseconds.
pub const WHOLE_UP_TO_MS: u64 = 60_000;
/// Segments of a chunk.
pub const CHUNK_SEGMENTS: u64 = 6;
/// Chunks of a source; those of a longer one are longer. Each is two jobs, whatever a file's header claims.
pub const MAX_CHUNKS: u64 = 120;
/// The longest a source is believed to be, in milliseconds; what comes after goes with the last chunk.
pub const LONGEST_SOURCE_MS: u64 = 24 * 3600 * 1000;
/// The least a job is charged for, in milliseconds of work.
pub const SMALL_JOB_MS: u64 = 500;
/// The most a job is charged for: a source that claims to be endless does not end its owner's turns.
pub const LARGEST_COST_MS: u64 = 7 * 24 * 3600 * 1000;
/// Room every job needs beside its source. What it makes goes to the origin as it is made.
pub const JOB_ROOM_BYTES: u64 = 16 << 20;
/// Lines of the box a poster fits into.
pub const POSTER_LINES: u32 = 720;
/// A poster is taken at a tenth of the video, but no later than this, in milliseconds.
pub const POSTER_AT_MS: u64 = 10_000;
/// Tiles of a storyboard.
pub const STORYBOARD_TILES: u64 = 200;
/// Tiles in a row of its sprite.
pub const STORYBOARD_COLUMNS: u32 = 10;
/// Lines of the box a tile fits into.
pub const TILE_LINES: u32 = 90;
/// The least time between two tiles, in milliseconds.
pub const TILE_LEAST_MS: u64 = 1000;

// Transcoding: the queue

/// An attempt of which nothing was heard for so long, in seconds, is given up, unless configured otherwise.
pub const JOB_LEASE_S: u32 = 30;
/// An attempt is to end itself when its progress stands still for so long.
pub const JOB_STALL: Duration = Duration::from_secs(60);
/// Attempts of a job that may fail in a passing way, or with their worker, before it is given up.
pub const JOB_ATTEMPTS: u32 = 5;
/// Times the parts of a video are made anew by themselves, because they do not fit together.
pub const REMAKES: u32 = 1;
/// The longest pause after the first failure; each further one doubles it.
pub const JOB_FIRST_PAUSE: Duration = Duration::from_secs(2);
/// The longest pause after any.
pub const JOB_LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);
/// The longest a worker may wait for a job.
pub const CLAIM_WAIT: Duration = Duration::from_secs(60);
/// How often a waiting worker's queue is looked at, should a wake-up have been lost.
pub const CLAIM_RECHECK: Duration = Duration::from_secs(2);
/// How often leases that have run out are looked for.
pub const JOB_SWEEP_EVERY: Duration = Duration::from_secs(2);
/// How often jobs are counted for metrics.
pub const JOB_COUNT_EVERY: Duration = Duration::from_secs(10);
/// Overdue jobs taken back in one round.
pub const JOBS_PER_SWEEP: u32 = 100;
/// Sources a worker may say it holds.
pub const WORKER_HOLDS: usize = 64;
/// Characters of a worker's name.
pub const WORKER_NAME_CHARS: usize = 100;
/// A worker counts as being there this long after it asked for a job.
pub const WORKER_AROUND: Duration = Duration::from_secs(90);
/// A worker that has not been heard of for so long is forgotten.
pub const WORKER_KEPT: Duration = Duration::from_secs(24 * 3600);
/// The body of a worker's report: the segments of many hours.
pub const JOB_BODY_BYTES: usize = 16 << 20;
/// Bytes of a name in the path of a packaged file.
pub const FILE_NAME_BYTES: usize = 64;
/// Names in the path of a packaged file, below its revision.
pub const FILE_PATH_NAMES: usize = 4;
/// Bytes compared at once when a file is stored a second time.
pub const COMPARE_BYTES: usize = 64 * 1024;
/// A file of a package.
pub const PACKAGE_FILE_BYTES: u64 = 256 << 20;
/// Parts in one report.
pub const REPORT_PARTS: usize = 64;
/// Files in one report.
pub const REPORT_FILES: usize = 512;
/// Bytes of a failure's log that are kept, the last.
pub const JOB_LOG_BYTES: usize = 16 * 1024;
/// Characters of a failure's code and sentence.
pub const JOB_ERROR_CHARS: usize = 500;
/// Jobs of a page, unless asked for fewer or more.
pub const PAGE_JOBS: u32 = 50;
/// The most jobs of a page.
pub const PAGE_JOBS_MAX: u32 = 200;
/// Finished jobs of videos that are ready are remembered this long.
pub const JOBS_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// Captions that an owner may put beside one video, one for each language.
pub const CAPTIONS_PER_VIDEO: usize = 100;
/// The body of a captions file.
pub const CAPTIONS_BYTES: usize = 2 << 20;
/// Bytes of a language tag.
pub const LANGUAGE_BYTES: usize = 35;
/// Characters of the label of captions.
pub const CAPTIONS_LABEL_CHARS: usize = 100;
/// How old a growing playlist may be, in seconds, while a newer one is fetched: as good as one segment.
pub const GROWING_STALE_S: u32 = 4;

// Dashboard

/// Edges that the dashboard's pages may turn to.
pub const SHELL_EDGES: usize = 64;

// What others are told: the event log and its streams

/// Events are kept this long; who comes back with an older id is told to load everything anew.
pub const EVENTS_KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
/// Events that get their numbers in one change.
pub const EVENTS_NUMBERED_AT_ONCE: u32 = 500;
/// How long further events are gathered before numbers are given: under load one change does it for many.
pub const EVENTS_GATHERED: Duration = Duration::from_millis(20);
/// How often events that an origin left without numbers are looked for.
pub const OUTBOX_RECHECK: Duration = Duration::from_secs(1);
/// How often streams look at the log, should a wake-up have been lost.
pub const EVENTS_RECHECK: Duration = Duration::from_secs(1);
/// Events read from the log at once.
pub const EVENTS_PAGE: u32 = 200;
/// Streams of one account at one origin.
pub const STREAMS_PER_ACCOUNT: usize = 256;
/// Streams of one origin.
pub const STREAMS: usize = 4096;
/// `Retry-After` of one stream too many, in seconds.
pub const STREAMS_RETRY_S: u32 = 30;
/// Events that wait for one stream. A reader that is further behind is let go, and comes back with its last id.
pub const STREAM_QUEUE: usize = 256;
/// Pieces of a stream that are written and not yet taken by its connection.
pub const STREAM_AHEAD: usize = 16;
/// A connection that takes nothing for so long is given up.
pub const STREAM_WRITE: Duration = Duration::from_secs(60);
/// How often a quiet stream says something.
pub const STREAM_KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How often it is looked whether who reads a stream still may.
pub const STREAM_RECHECK: Duration = Duration::from_secs(5);
/// How often that may fail for want of the catalogue or of Redis before the stream ends.
pub const STREAM_RECHECK_TRIES: u32 = 60;
/// When clients are to come back after a stream has ended, in milliseconds.
pub const STREAM_RETRY_MS: u32 = 2000;
/// The least time between two reports of one upload's or one video's progress.
pub const PROGRESS_EVERY: Duration = Duration::from_secs(1);
/// Uploads and videos of which it is known when their progress was last told.
pub const PROGRESS_TRACKED: u64 = 100_000;
/// Passing events on their way to the streams of this origin.
pub const PASSING_QUEUE: usize = 1024;

// What others are told: webhooks

/// Webhooks of one account.
pub const WEBHOOKS_PER_ACCOUNT: u32 = 20;
/// The longest address of a webhook.
pub const WEBHOOK_URL_BYTES: usize = 2048;
/// Characters of what an owner says about a webhook.
pub const WEBHOOK_DESCRIPTION_CHARS: usize = 200;
/// Time for a connection to a receiver to come about, TLS and the look-up of its name included.
pub const WEBHOOK_CONNECT: Duration = Duration::from_secs(5);
/// Seconds a receiver may take for its answer, unless configured otherwise.
pub const WEBHOOK_TIMEOUT_S: u32 = 15;
/// Bytes of an answer that are read.
pub const WEBHOOK_ANSWER_BYTES: usize = 64 * 1024;
/// An attempt has its delivery for itself this much longer than it may take.
pub const WEBHOOK_LEASE_MARGIN: Duration = Duration::from_secs(15);
/// Seconds of the pause after the first failure, unless configured otherwise; each further one doubles it.
pub const WEBHOOK_PAUSE_S: u32 = 5;
/// The longest pause after any.
pub const WEBHOOK_LONGEST_PAUSE: Duration = Duration::from_secs(6 * 3600);
/// A delivery that nobody has taken for so long is given up.
pub const WEBHOOK_GIVE_UP: Duration = Duration::from_secs(3 * 24 * 3600);
/// Deliveries that ended are listed this long.
pub const DELIVERIES_KEPT: Duration = Duration::from_secs(14 * 24 * 3600);
/// Deliveries sent at once by one origin.
pub const DELIVERIES_AT_ONCE: usize = 32;
/// Deliveries sent at once to one webhook by one origin: one that hangs does not take the others' turns.
pub const DELIVERIES_AT_ONCE_EACH: u32 = 4;
/// Deliveries that are looked at in one round.
pub const DELIVERIES_PER_ROUND: u32 = 256;
/// The shortest time between two looks for deliveries, or for mail, that nothing gave cause for.
pub const OUTGOING_RECHECK_LEAST: Duration = Duration::from_millis(200);
/// The longest: deliveries and mail that another origin has left are taken up then.
pub const OUTGOING_RECHECK_MOST: Duration = Duration::from_secs(2);
/// Characters of what went wrong with a delivery or a mail that are kept.
pub const OUTGOING_ERROR_CHARS: usize = 300;
/// Deliveries of a page, unless asked for fewer or more.
pub const PAGE_DELIVERIES: u32 = 50;
/// The most deliveries of a page.
pub const PAGE_DELIVERIES_MAX: u32 = 200;

// What others are told: mail

/// Messages sent at once by one origin.
pub const MAILS_AT_ONCE: u32 = 4;
/// One message, from the connection to the server's last word.
pub const MAIL_TIMEOUT: Duration = Duration::from_secs(60);
/// An attempt has its message for itself this much longer than it may take.
pub const MAIL_LEASE_MARGIN: Duration = Duration::from_secs(30);
/// The longest pause after the first failure; each further one doubles it.
pub const MAIL_FIRST_PAUSE: Duration = Duration::from_secs(20);
/// The longest pause after any.
pub const MAIL_LONGEST_PAUSE: Duration = Duration::from_secs(3600);
/// A message that no server has taken for so long is given up.
pub const MAIL_GIVE_UP: Duration = Duration::from_secs(2 * 24 * 3600);
/// That a message was given up is remembered this long.
pub const MAIL_FAILURES_KEPT: Duration = Duration::from_secs(14 * 24 * 3600);
/// Characters of a name in a message.
pub const MAIL_NAME_CHARS: usize = 120;
