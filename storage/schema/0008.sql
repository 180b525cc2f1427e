-- Replays of many deliveries, each to one endpoint, made in small steps. What a step made and where it stopped are committed together.
CREATE TABLE replay (
    id          TEXT PRIMARY KEY,
    spec        TEXT NOT NULL,          -- JSON: which deliveries, and where to
    state       TEXT NOT NULL,          -- running, paused, made, cancelling or cancelled
    created_at  INTEGER NOT NULL,       -- what was received or finished later is none of it
    finished_at INTEGER NOT NULL,       -- 0: not yet
    total       INTEGER NOT NULL,       -- deliveries to be made, as counted when it was created
    message     TEXT NOT NULL,          -- the last one that was looked at
    delivery    TEXT NOT NULL,          -- likewise
    made        INTEGER NOT NULL,
    owed        INTEGER NOT NULL,       -- passed over: the endpoint was owed them already
    gone        INTEGER NOT NULL        -- passed over: retention has taken their message
) WITHOUT ROWID;

-- job: the replay that it was made by. An id of a replay may stand in the place of an endpoint: then the replay has a URL of its own.
-- recipients: numbers of the recipients in the envelope, counted from 1, that it is for, where that is not as the mail was routed.
-- unfiltered: 1: filters are not asked.
ALTER TABLE delivery ADD COLUMN job TEXT NOT NULL DEFAULT '';
ALTER TABLE delivery ADD COLUMN recipients TEXT NOT NULL DEFAULT '';
ALTER TABLE delivery ADD COLUMN unfiltered INTEGER NOT NULL DEFAULT 0;
ALTER TABLE delivery_result ADD COLUMN job TEXT NOT NULL DEFAULT '';
ALTER TABLE delivery_result ADD COLUMN recipients TEXT NOT NULL DEFAULT '';
CREATE INDEX delivery_job ON delivery (job, attempts) WHERE job <> '';
CREATE INDEX delivery_result_job ON delivery_result (job, state) WHERE job <> '';
