-- Times are milliseconds of the Unix epoch. Ids are made by this program alone: a prefix and a ULID in lower case.

-- The one row that tells this store from all others.
CREATE TABLE store (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id  TEXT NOT NULL
);

-- The times in which this database was the one written to. A copy that is restored ends where it was made.
CREATE TABLE span (
    started_at INTEGER PRIMARY KEY,
    seen_at    INTEGER NOT NULL
);

CREATE TABLE account (
    id       TEXT PRIMARY KEY,
    name     TEXT NOT NULL UNIQUE,
    declared INTEGER NOT NULL          -- 1: the operator's file names it now
) WITHOUT ROWID;

CREATE TABLE domain (
    name     TEXT PRIMARY KEY,         -- lower-case A-labels, or "*." and such
    account  TEXT NOT NULL REFERENCES account(id),
    declared INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE endpoint (                -- URL and secrets stand in the operator's file only
    id       TEXT PRIMARY KEY,
    account  TEXT NOT NULL REFERENCES account(id),
    name     TEXT NOT NULL,
    declared INTEGER NOT NULL,
    UNIQUE (account, name)
) WITHOUT ROWID;

CREATE TABLE route (
    id       TEXT PRIMARY KEY,
    domain   TEXT NOT NULL,
    match    TEXT NOT NULL,
    declared INTEGER NOT NULL,
    UNIQUE (domain, match)
) WITHOUT ROWID;

-- Every object that holds raw bytes: packs of many messages and blobs of one. live counts the messages in it.
CREATE TABLE pack (
    key        TEXT PRIMARY KEY,
    created_at INTEGER NOT NULL,
    live       INTEGER NOT NULL,
    doomed_at  INTEGER,                -- set before the bytes are deleted; no message may enter from then on
    gone       INTEGER NOT NULL DEFAULT 0 -- 1: the bytes are deleted
) WITHOUT ROWID;
CREATE INDEX pack_empty ON pack (gone, key) WHERE live = 0;

-- A row never changes. What is learnt later stands in summary and parsing.
CREATE TABLE message (
    id          TEXT PRIMARY KEY,
    account     TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    size        INTEGER NOT NULL,
    sha256      BLOB NOT NULL,
    envelope    TEXT NOT NULL,         -- JSON
    pack        TEXT NOT NULL,
    offset      INTEGER NOT NULL,
    length      INTEGER NOT NULL,      -- sealed octets
    key         BLOB NOT NULL,         -- of this message alone; wrapped when there is an instance key
    dedupe      BLOB NOT NULL
);

-- The resend of a mail whose 250 was lost finds its key here.
CREATE TABLE dedupe (
    key        BLOB PRIMARY KEY,
    message    TEXT NOT NULL,
    created_at INTEGER NOT NULL
) WITHOUT ROWID;

-- How often a parse of a message was begun from disk and not followed by a recorded attempt.
CREATE TABLE parsing (
    message TEXT PRIMARY KEY,
    count   INTEGER NOT NULL
) WITHOUT ROWID;

-- One row for each message with a recorded attempt.
CREATE TABLE summary (
    message     TEXT PRIMARY KEY,
    finished_at INTEGER,               -- last terminal result; retention counts from it
    summary     TEXT,                  -- JSON
    attachments INTEGER NOT NULL       -- 0: none in Blobs; 1: there may be some; 2: the sweeper is removing them
) WITHOUT ROWID;
CREATE INDEX summary_attachments ON summary (finished_at) WHERE attachments = 1;
CREATE INDEX summary_going ON summary (message) WHERE attachments = 2;

-- Unfinished work only. The time in the id of a delivery is that of its message's id, so that the message is found by it.
CREATE TABLE delivery (
    message    TEXT NOT NULL,
    id         TEXT NOT NULL,
    endpoint   TEXT NOT NULL,
    due_at     INTEGER NOT NULL,
    attempts   INTEGER NOT NULL,       -- made so far
    replay     INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (message, id)
) WITHOUT ROWID;
CREATE INDEX delivery_lane ON delivery (endpoint, due_at, id);

CREATE TABLE delivery_result (
    message     TEXT NOT NULL,
    id          TEXT NOT NULL,
    endpoint    TEXT NOT NULL,
    state       TEXT NOT NULL,
    reason      TEXT NOT NULL,
    attempts    INTEGER NOT NULL,
    replay      INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    finished_at INTEGER NOT NULL,
    replayed_by TEXT,                  -- id of the delivery that took its place
    PRIMARY KEY (message, id)
) WITHOUT ROWID;
CREATE INDEX delivery_result_dead ON delivery_result (message, id) WHERE state = 'dead';

CREATE TABLE attempt (
    message  TEXT NOT NULL,
    delivery TEXT NOT NULL,
    n        INTEGER NOT NULL,         -- counted from 1
    endpoint TEXT NOT NULL,
    at       INTEGER NOT NULL,
    duration INTEGER NOT NULL,         -- microseconds
    outcome  TEXT NOT NULL,
    status   INTEGER NOT NULL,
    detail   TEXT NOT NULL,            -- JSON
    PRIMARY KEY (message, delivery, n)
) WITHOUT ROWID;
