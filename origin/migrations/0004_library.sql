-- The library: what people say of an asset, the trash, what was watched. One text for PostgreSQL and SQLite, as in
-- 0001.

ALTER TABLE assets ADD COLUMN title TEXT;
ALTER TABLE assets ADD COLUMN description TEXT NOT NULL DEFAULT '';
-- A list and an object (JSON).
ALTER TABLE assets ADD COLUMN tags TEXT NOT NULL DEFAULT '[]';
ALTER TABLE assets ADD COLUMN metadata TEXT NOT NULL DEFAULT '{}';
-- What searches and filters look at, folded to lower case; empty until it has been made (see `about.rs`).
ALTER TABLE assets ADD COLUMN search_text TEXT NOT NULL DEFAULT '';
ALTER TABLE assets ADD COLUMN terms TEXT NOT NULL DEFAULT '';
ALTER TABLE assets ADD COLUMN title_key TEXT NOT NULL DEFAULT '';
-- Those of its newest revision, written in the change that sets them there: lists filter and sort by them.
ALTER TABLE assets ADD COLUMN state TEXT NOT NULL DEFAULT 'uploaded';
ALTER TABLE assets ADD COLUMN duration_ms BIGINT NOT NULL DEFAULT -1;
-- Since when it is in the trash: there is no such asset for anyone but who may bring it back.
ALTER TABLE assets ADD COLUMN trashed_at BIGINT;

UPDATE assets SET state = COALESCE(
    (SELECT r.state FROM revisions r WHERE r.asset_id = assets.id
       AND r.revision = (SELECT MAX(n.revision) FROM revisions n WHERE n.asset_id = assets.id)),
    'uploaded');

-- One for each order of lists, of an owner's and of all. Those by age also hold what lists are searched and filtered by,
-- so that this reads one index from end to end and not every row; what they hold is short enough for an index.
CREATE INDEX assets_of_owner_by_age ON assets
    (owner, trashed_at, created_at, id, state, visibility, search_text);
CREATE INDEX assets_of_owner_by_title ON assets (owner, title_key, id) WHERE trashed_at IS NULL;
CREATE INDEX assets_of_owner_by_size ON assets (owner, size_bytes, id) WHERE trashed_at IS NULL;
CREATE INDEX assets_of_owner_by_duration ON assets (owner, duration_ms, id) WHERE trashed_at IS NULL;
CREATE INDEX assets_by_age ON assets (trashed_at, created_at, id, state, visibility, search_text);
CREATE INDEX assets_by_title ON assets (title_key, id) WHERE trashed_at IS NULL;
CREATE INDEX assets_by_size ON assets (size_bytes, id) WHERE trashed_at IS NULL;
CREATE INDEX assets_by_duration ON assets (duration_ms, id) WHERE trashed_at IS NULL;
CREATE INDEX assets_in_trash ON assets (trashed_at, id) WHERE trashed_at IS NOT NULL;
CREATE INDEX assets_without_terms ON assets (id) WHERE search_text = '';

-- 1 for jobs that were cancelled because their asset went into the trash: they are taken up again if it comes back.
ALTER TABLE jobs ADD COLUMN shelved BIGINT NOT NULL DEFAULT 0;
CREATE INDEX jobs_by_state ON jobs (state, id);

ALTER TABLE edges ADD COLUMN memory_limit_bytes BIGINT;
ALTER TABLE edges ADD COLUMN memory_used_bytes BIGINT;

-- Plays: one for each time that someone opened an asset in a player.
CREATE TABLE plays (
    id TEXT PRIMARY KEY,
    asset_id TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    -- When something was last heard of it.
    seen_at BIGINT NOT NULL,
    -- Until when it counts as a viewer if nothing more is heard; 0 once it has ended.
    viewer_until BIGINT NOT NULL,
    -- Watched so far, in milliseconds, and interruptions so far.
    watched_ms BIGINT NOT NULL,
    stalls BIGINT NOT NULL,
    -- 1 once it has counted as a view, and once the time it took to begin has been counted.
    counted BIGINT NOT NULL,
    began BIGINT NOT NULL
);
CREATE INDEX plays_of_asset ON plays (asset_id, viewer_until);
CREATE INDEX plays_viewing ON plays (viewer_until);
CREATE INDEX plays_by_age ON plays (seen_at);

-- What was watched of an asset on a day (days since 1970, UTC).
CREATE TABLE asset_days (
    asset_id TEXT NOT NULL,
    day BIGINT NOT NULL,
    views BIGINT NOT NULL,
    watched_ms BIGINT NOT NULL,
    stalls BIGINT NOT NULL,
    -- As edges report them: requests, how many of them were hits, bytes of bodies.
    requests BIGINT NOT NULL,
    hits BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    PRIMARY KEY (asset_id, day)
);

-- How long plays took to begin: how many of a day fell into each bucket.
CREATE TABLE asset_starts (
    asset_id TEXT NOT NULL,
    day BIGINT NOT NULL,
    bucket BIGINT NOT NULL,
    plays BIGINT NOT NULL,
    PRIMARY KEY (asset_id, day, bucket)
);

-- The newest report of each run of an edge that has been added up: none counts twice.
CREATE TABLE edge_reports (
    instance TEXT PRIMARY KEY,
    seq BIGINT NOT NULL,
    seen_at BIGINT NOT NULL
);
