-- Transcoding. One text for PostgreSQL and SQLite, as in 0001.

INSERT INTO counters (name, value) VALUES ('claims', 0);

-- What is made of an asset for playing. An asset's row may be gone; then so are these.
CREATE TABLE revisions (
    asset_id TEXT NOT NULL,
    revision BIGINT NOT NULL,
    -- Whose share of the workers it is made with: an account, or the empty text for what nobody owns.
    account TEXT NOT NULL,
    -- processing, playable, ready, failed
    state TEXT NOT NULL,
    -- 16 bytes in hexadecimal digits where segments are encrypted.
    aes_key TEXT,
    -- What the probe found, and what was planned from it (JSON).
    info TEXT,
    plan TEXT,
    jobs BIGINT NOT NULL,
    -- Times its parts were made anew since they did not fit together.
    remakes BIGINT NOT NULL,
    error_code TEXT,
    error TEXT,
    created_at BIGINT NOT NULL,
    playable_at BIGINT,
    ready_at BIGINT,
    PRIMARY KEY (asset_id, revision)
);

CREATE TABLE jobs (
    id TEXT PRIMARY KEY,
    asset_id TEXT NOT NULL,
    revision BIGINT NOT NULL,
    -- Its number in the revision, from 1; with the attempt it names the directory of what it makes.
    seq BIGINT NOT NULL,
    account TEXT NOT NULL,
    kind TEXT NOT NULL,
    -- What goes first within an account: the lowest.
    class BIGINT NOT NULL,
    -- How long the source is, in milliseconds; short before long.
    length_ms BIGINT NOT NULL,
    -- Estimated work, in milliseconds: what its account's share is charged.
    cost_ms BIGINT NOT NULL,
    -- Room a worker needs for it.
    needs_bytes BIGINT NOT NULL,
    work TEXT NOT NULL,
    -- waiting, ready, running, done, failed, cancelled
    state TEXT NOT NULL,
    -- Jobs that must be done first and are not.
    missing BIGINT NOT NULL,
    -- The job that waits for this one.
    unblocks TEXT,
    -- The newest attempt: the fencing token.
    attempt BIGINT NOT NULL,
    -- How the newest attempt ended: done, failed, released, expired, cancelled. NULL while it runs.
    ending TEXT,
    -- Attempts that count against it.
    failures BIGINT NOT NULL,
    -- Not to be given out before.
    run_after BIGINT NOT NULL,
    worker TEXT,
    claimed_at BIGINT,
    lease_until BIGINT,
    progress_ppm BIGINT NOT NULL,
    error_code TEXT,
    error TEXT,
    log TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX jobs_of_revision ON jobs (asset_id, revision, seq);
CREATE INDEX jobs_by_account ON jobs (account, id);
CREATE INDEX jobs_to_do ON jobs (run_after) WHERE state = 'ready';
CREATE INDEX jobs_at_work ON jobs (lease_until) WHERE state = 'running';
CREATE INDEX jobs_by_kind ON jobs (kind, state);
CREATE INDEX jobs_ended ON jobs (updated_at) WHERE state IN ('done', 'failed', 'cancelled');

-- Start-time fair queueing: up to where on the queue's own clock each account has had its share. The clock itself is
-- the row with the empty text and a colon, a name no account can have.
CREATE TABLE shares (
    account TEXT PRIMARY KEY,
    until_ms BIGINT NOT NULL
);
INSERT INTO shares (account, until_ms) VALUES (':', 0);

-- Who has asked for jobs, and what room they have.
CREATE TABLE workers (
    name TEXT PRIMARY KEY,
    seen_at BIGINT NOT NULL,
    scratch_free_bytes BIGINT NOT NULL
);

-- What the segments of a track hold, as those who made them say (JSON).
CREATE TABLE track_parts (
    asset_id TEXT NOT NULL,
    revision BIGINT NOT NULL,
    track TEXT NOT NULL,
    chunk BIGINT NOT NULL,
    part TEXT NOT NULL,
    PRIMARY KEY (asset_id, revision, track, chunk)
);

-- Names at a revision's root and the stored files they stand for.
CREATE TABLE published (
    asset_id TEXT NOT NULL,
    revision BIGINT NOT NULL,
    name TEXT NOT NULL,
    path TEXT NOT NULL,
    PRIMARY KEY (asset_id, revision, name)
);

-- Text tracks of a revision: taken from the source, or sent by the owner.
CREATE TABLE texts (
    asset_id TEXT NOT NULL,
    revision BIGINT NOT NULL,
    track TEXT NOT NULL,
    language TEXT NOT NULL,
    label TEXT NOT NULL,
    path TEXT NOT NULL,
    PRIMARY KEY (asset_id, revision, track)
);

-- Directories of packaged files that nothing refers to any more and that are still to be removed from the store.
CREATE TABLE tree_removals (
    path TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    -- Only when this job of its revision, or a later one, has published: until then lists refer to it.
    after_seq BIGINT
);
