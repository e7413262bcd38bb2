-- One text for PostgreSQL and SQLite: TEXT and BIGINT only. Times are milliseconds since 1970, truth values 0 and 1,
-- ids and digests text, structures JSON in text.

-- Numbers that are handed out without gaps in the order of commits, and rows to lock on. A transaction that updates
-- a row of this table keeps every other one that does so waiting until it has committed.
CREATE TABLE counters (
    name TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO counters (name, value) VALUES ('purges', 0), ('first_account', 0), ('grant_keys', 0);

CREATE TABLE accounts (
    id TEXT PRIMARY KEY,
    username TEXT NOT NULL,
    -- Folded to lower case; what uniqueness and logging in go by.
    username_key TEXT NOT NULL UNIQUE,
    email TEXT NOT NULL,
    email_key TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    is_admin BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    name TEXT NOT NULL,
    -- SHA-256 of the token, in hexadecimal digits.
    hash TEXT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT
);
CREATE INDEX tokens_by_account ON tokens (account_id, id);

CREATE TABLE uploads (
    id TEXT PRIMARY KEY,
    owner TEXT REFERENCES accounts (id),
    length BIGINT,
    metadata TEXT,
    kind TEXT NOT NULL,
    concat TEXT,
    part_offset BIGINT,
    want_sha256 BIGINT NOT NULL,
    fence BIGINT NOT NULL,
    segments TEXT NOT NULL,
    checkpoint_offset BIGINT NOT NULL,
    checkpoint TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX uploads_by_state ON uploads (state, updated_at);

CREATE TABLE assets (
    id TEXT PRIMARY KEY,
    owner TEXT REFERENCES accounts (id),
    name TEXT NOT NULL,
    size_bytes BIGINT NOT NULL,
    digest TEXT NOT NULL,
    sha256 TEXT,
    content_type TEXT NOT NULL,
    visibility TEXT NOT NULL,
    segments TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX assets_by_owner ON assets (owner, id);

-- Bytes that nothing refers to any more and that are still to be removed from the store.
CREATE TABLE removals (
    id TEXT PRIMARY KEY,
    -- Segments with numbers up to this.
    last_segment BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE purges (
    seq BIGINT PRIMARY KEY,
    account_id TEXT,
    targets TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX purges_by_age ON purges (created_at, seq);

CREATE TABLE edges (
    url TEXT PRIMARY KEY,
    heartbeat_at BIGINT NOT NULL,
    purge_cursor BIGINT NOT NULL,
    -- Parts per million; NULL before the edge has served anything.
    hit_ratio_ppm BIGINT,
    cached_bytes BIGINT NOT NULL,
    version TEXT NOT NULL
);

CREATE TABLE grant_keys (
    -- The public key.
    id TEXT PRIMARY KEY,
    pkcs8 TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    -- Since when it signs no more; NULL for the current one.
    retired_at BIGINT
);
