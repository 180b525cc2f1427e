-- Who serves, where several nodes share the database. One that is alone writes nothing here.

ALTER TABLE node ADD COLUMN place TEXT NOT NULL DEFAULT ''; -- of the process; two that have the same one never run at once; '': not known

-- The processes that serve, each with what it last said of itself.
CREATE TABLE member (
    id         TEXT PRIMARY KEY,   -- of the process
    place      TEXT NOT NULL,
    name       TEXT NOT NULL,      -- for people
    version    TEXT NOT NULL,
    roles      TEXT NOT NULL,      -- with commas between them
    started_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL,   -- by the clock of the database, as started_at
    epoch      INTEGER NOT NULL,   -- of its lease; 0: it has none
    alone      INTEGER NOT NULL,   -- 1: raw messages lie in its data folder, which no other can read
    reasons    TEXT NOT NULL,      -- why it takes no mail, a JSON list
    warnings   TEXT NOT NULL
) WITHOUT ROWID;
