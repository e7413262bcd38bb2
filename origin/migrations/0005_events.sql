-- What others are told: the event log, webhooks and mail. One text for PostgreSQL and SQLite, as in 0001.

INSERT INTO counters (name, value) VALUES ('events', 0);

-- Events in the change that they tell of, before they have a number. Nobody waits for anybody to write one.
CREATE TABLE outbox (
    id TEXT PRIMARY KEY,
    -- Microseconds since 1970, and always past what the subject has here already: its order, whatever clocks say.
    place BIGINT NOT NULL,
    kind TEXT NOT NULL,
    -- Whose it is; NULL for what nobody owns.
    account TEXT,
    -- The upload or the asset, which have one id.
    subject TEXT NOT NULL,
    -- What is told (JSON), but for the number.
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX outbox_by_subject ON outbox (subject, place);
CREATE INDEX outbox_by_place ON outbox (place, id);

-- The log: numbered without gaps.
CREATE TABLE events (
    seq BIGINT PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    account TEXT,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX events_by_account ON events (account, seq);
CREATE INDEX events_by_age ON events (created_at, seq);

CREATE TABLE webhooks (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id),
    url TEXT NOT NULL,
    -- The types it wants, each between commas; empty for all.
    kinds TEXT NOT NULL,
    description TEXT NOT NULL,
    -- What its deliveries are signed with; shown once.
    secret TEXT NOT NULL,
    enabled BIGINT NOT NULL,
    -- Why it is not enabled, where its owner did not say so.
    disabled_why TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX webhooks_by_account ON webhooks (account, id);

-- An event on its way to a webhook. Its id begins with the number of the event, as digits of one length.
CREATE TABLE deliveries (
    id TEXT PRIMARY KEY,
    webhook TEXT NOT NULL,
    account TEXT NOT NULL,
    event_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    -- The event's number; NULL for a test.
    seq BIGINT,
    -- Of the pending ones of a webhook and a subject, the lowest goes first, alone.
    place BIGINT NOT NULL,
    body TEXT NOT NULL,
    -- pending, delivered, failed
    state TEXT NOT NULL,
    -- Also the fencing token: an attempt that is not the newest changes nothing.
    attempts BIGINT NOT NULL,
    next_attempt_at BIGINT NOT NULL,
    -- Until when the newest attempt has it for itself.
    lease_until BIGINT,
    -- When it is given up, in milliseconds since 1970.
    give_up_at BIGINT NOT NULL,
    response_status BIGINT,
    error TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    delivered_at BIGINT
);
CREATE INDEX deliveries_by_webhook ON deliveries (webhook, id);
CREATE INDEX deliveries_by_account ON deliveries (account, id);
CREATE INDEX deliveries_due ON deliveries (next_attempt_at) WHERE state = 'pending';
CREATE INDEX deliveries_in_order ON deliveries (webhook, subject, place) WHERE state = 'pending';
CREATE INDEX deliveries_ended ON deliveries (updated_at) WHERE state <> 'pending';

-- Messages that are to be sent. Those that were sent are gone.
CREATE TABLE mails (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    recipient TEXT NOT NULL,
    subject TEXT NOT NULL,
    -- Empty once it has failed: there may be a secret in it.
    plain TEXT NOT NULL,
    html TEXT NOT NULL,
    -- pending, failed
    state TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    next_attempt_at BIGINT NOT NULL,
    lease_until BIGINT,
    give_up_at BIGINT NOT NULL,
    error TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX mails_due ON mails (next_attempt_at) WHERE state = 'pending';

-- What an account wants mail about: `ready`, `failed`, each between commas.
ALTER TABLE accounts ADD COLUMN mail_on TEXT NOT NULL DEFAULT ',ready,failed,';
