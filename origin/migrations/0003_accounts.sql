-- Roles, quotas, sessions, password resets, the audit log. One text for PostgreSQL and SQLite, as in 0001.

INSERT INTO counters (name, value) VALUES ('admins', 0);

-- admin, uploader, viewer
ALTER TABLE accounts ADD COLUMN role TEXT NOT NULL DEFAULT 'uploader';
UPDATE accounts SET role = 'admin' WHERE is_admin <> 0;
ALTER TABLE accounts DROP COLUMN is_admin;
-- The most bytes it may have; NULL for no limit.
ALTER TABLE accounts ADD COLUMN quota_bytes BIGINT;
ALTER TABLE accounts ADD COLUMN disabled BIGINT NOT NULL DEFAULT 0;

-- A finished part that a file was made of: its bytes are counted with that file.
ALTER TABLE uploads ADD COLUMN joined BIGINT NOT NULL DEFAULT 0;
-- What an account uses is added up from these alone.
CREATE INDEX uploads_by_owner ON uploads (owner, state);
CREATE INDEX assets_sizes_of_owner ON assets (owner, size_bytes);

CREATE TABLE sessions (
    -- What its owner calls it by; in order of time, and not secret.
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    -- SHA-256 of the cookie's value, in hexadecimal digits.
    hash TEXT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    -- To within a minute, and the address it was seen from then.
    last_seen_at BIGINT NOT NULL,
    address TEXT NOT NULL,
    user_agent TEXT NOT NULL
);
CREATE INDEX sessions_by_account ON sessions (account_id, id);
CREATE INDEX sessions_by_end ON sessions (expires_at);

CREATE TABLE password_resets (
    -- SHA-256 of what was mailed, in hexadecimal digits.
    hash TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX password_resets_by_account ON password_resets (account_id);
CREATE INDEX password_resets_by_end ON password_resets (expires_at);

CREATE TABLE audit (
    -- In order of time.
    id TEXT PRIMARY KEY,
    at BIGINT NOT NULL,
    -- An account; NULL for whoever runs the command line.
    actor TEXT,
    action TEXT NOT NULL,
    -- What it was done to.
    subject TEXT NOT NULL,
    address TEXT,
    -- JSON.
    detail TEXT NOT NULL
);
CREATE INDEX audit_by_age ON audit (at);
