-- A message that is stored and not accepted yet: its endpoint decides. No delivery names it, so nothing attempts it but the
-- session that its sender waits in. Once the endpoint has taken it, its row is gone and it is a message like any other.
CREATE TABLE held (
    message    TEXT PRIMARY KEY,
    id         TEXT NOT NULL,          -- of the delivery that it becomes
    endpoint   TEXT NOT NULL,
    part       INTEGER NOT NULL,
    state      TEXT NOT NULL,          -- held; withdrawn: its sender was told to come again; refused: for good
    reason     TEXT NOT NULL,
    attempts   INTEGER NOT NULL,       -- made so far
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL        -- when message and bytes go, unless its sender comes again before
) WITHOUT ROWID;
CREATE INDEX held_expires ON held (expires_at);
