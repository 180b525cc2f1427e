-- The life of an endpoint. One without a row is enabled, and nothing is known against it.
CREATE TABLE endpoint_life (
    endpoint      TEXT PRIMARY KEY,
    state         TEXT NOT NULL,        -- enabled, paused, broken or disabled
    reason        TEXT NOT NULL,
    since         INTEGER NOT NULL,
    rest_until    INTEGER NOT NULL,     -- no attempt before; 0: at once
    rest_reason   TEXT NOT NULL,
    probes        INTEGER NOT NULL,     -- failed in a row while broken or behind the breaker
    failing_since INTEGER NOT NULL,     -- the first failure since the last success; 0: none
    failed_at     INTEGER NOT NULL,     -- the last one, within the hour
    warned        INTEGER NOT NULL,     -- percent of the time until it is disabled of which the operator was told
    revision      INTEGER NOT NULL      -- raised by a command of the operator, which nothing older may overwrite
) WITHOUT ROWID;

-- Test events that were asked for. Of the finished ones an endpoint keeps the last.
CREATE TABLE endpoint_test (
    endpoint TEXT NOT NULL,
    id       TEXT NOT NULL,
    asked_at INTEGER NOT NULL,
    at       INTEGER NOT NULL,          -- 0: not made yet
    duration INTEGER NOT NULL,          -- microseconds
    outcome  TEXT NOT NULL,
    status   INTEGER NOT NULL,
    detail   TEXT NOT NULL,             -- JSON
    PRIMARY KEY (endpoint, id)
) WITHOUT ROWID;

-- Attempts made that do not count in the schedule: those at an endpoint that was known to be broken.
ALTER TABLE delivery ADD COLUMN spared INTEGER NOT NULL DEFAULT 0;
