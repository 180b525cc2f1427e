-- Notices to the operator that somebody is still to be told of: 1 in the column of each way that is left. Written with the change that
-- they tell of, and gone once all ways are done.
CREATE TABLE notice (
    id         TEXT PRIMARY KEY,       -- "evt_" and a ULID
    at         INTEGER NOT NULL,       -- of the change
    text       TEXT NOT NULL,          -- JSON
    by_webhook INTEGER NOT NULL,
    by_mail    INTEGER NOT NULL
) WITHOUT ROWID;

-- The replays that are still worked at, among all that are kept.
CREATE INDEX replay_open ON replay (id) WHERE finished_at = 0;
