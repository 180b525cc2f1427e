-- Messages that were erased before their time. Their rows stay as tombstones, without key, envelope and all that came of the content;
-- whoever holds one in memory learns of it here. Goes with the tombstone.
CREATE TABLE erasure (
    message TEXT PRIMARY KEY,
    at      INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX erasure_at ON erasure (at);
