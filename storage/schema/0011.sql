-- Who works at what, where several nodes share the database. One that is alone writes nothing here.

-- The last epoch that was given away.
CREATE TABLE node_epoch (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    last INTEGER NOT NULL
);
INSERT INTO node_epoch (one, last) VALUES (1, 0);

CREATE TABLE node (
    epoch       INTEGER PRIMARY KEY,   -- of its lease; never used again
    name        TEXT NOT NULL,         -- for people
    started_at  INTEGER NOT NULL,
    lease_until INTEGER NOT NULL       -- by the clock of the database
);

-- The lanes that a node owns or that have work; a lane that is not here has neither.
CREATE TABLE lane (
    name     TEXT PRIMARY KEY,         -- id of an endpoint, or of a replay with a URL of its own; "house": what is done once for all nodes
    owner    INTEGER NOT NULL,         -- epoch; 0: free
    woken_at INTEGER NOT NULL          -- since when there is work that the owner was not told of, or the lane is free; 0: there is none
) WITHOUT ROWID;
CREATE INDEX lane_woken ON lane (owner, woken_at) WHERE woken_at > 0;
CREATE INDEX lane_owner ON lane (owner);
